"""A sweep on disk: files of rows, each whole or not there, and a manifest of what they belong to."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapeout.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

    from tapeout.sweep import Progress, Sweep

MANIFEST = "manifest.json"
_UNFINISHED = ".unfinished"


def write(
    sweep: Sweep, folder: Path, outputs: Sequence[str], rows_per_file: int, progress: Progress | None
) -> list[Path]:
    """Writes what is missing of the sweep's rows and outputs; returns the files of all of them, in order."""
    from importlib.metadata import version

    if rows_per_file < 1:
        raise InvalidInput(f"rows_per_file = {rows_per_file}: at least 1 is wanted")
    schema = sweep.frame(outputs, rows=0).schema
    manifest = {
        "tapeout": version("tapeout"),
        "sweep_sha256": sweep.digest,
        "sweep": sweep.to_dict(),
        "rows": sweep.rows,
        "rows_per_file": rows_per_file,
        "schema": {name: str(dtype) for name, dtype in schema.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, json.loads(json.dumps(manifest, default=str)))
    for stale in folder.glob(f"*{_UNFINISHED}"):
        stale.unlink()
    digits = len(str(sweep.rows - 1))
    files = []
    for first in range(0, sweep.rows, rows_per_file):
        rows = min(rows_per_file, sweep.rows - first)
        path = folder / f"part-{first:0{digits}d}-{first + rows - 1:0{digits}d}.parquet"
        if not path.exists():
            _whole(path, lambda part, first=first, rows=rows: _rows(sweep, outputs, first, rows, part))
        files.append(path)
        if progress is not None:
            progress(first + rows, sweep.rows)
    return files


def _rows(sweep: Sweep, outputs: Sequence[str], first: int, rows: int, path: Path) -> None:
    frame: pl.DataFrame = sweep.frame(outputs, first=first, rows=rows)
    frame.write_parquet(path, metadata={"tapeout": "sweep", "sweep_sha256": sweep.digest, "first_row": str(first)})


def _claim(folder: Path, manifest: dict[str, Any]) -> None:
    """Writes the manifest, or sees that the one that is there is the same."""
    path = folder / MANIFEST
    if not path.exists():
        if any(folder.glob("*.parquet")):
            raise InvalidInput(f"{folder}: has Parquet files and no {MANIFEST}; choose an empty folder")
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        _whole(path, lambda part: part.write_text(text, encoding="utf-8"))
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InvalidInput(f"{path}: not a manifest of a sweep; choose another folder") from None
    for key, value in manifest.items():
        if known.get(key) != value:
            what = "another sweep" if key in ("sweep", "sweep_sha256", "rows") else f"another {key}"
            told = "" if key in ("sweep", "schema") else f" ({known.get(key)}, here {value})"
            raise InvalidInput(f"{folder}: was begun with {what}{told}; choose another folder, or the same {key}")


def _whole(path: Path, make: Any) -> None:
    """The file appears under its name when all of it is on the disk, not before."""
    part = path.with_name(path.name + _UNFINISHED)
    make(part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
