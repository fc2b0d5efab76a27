"""Writes docs/reference and docs/models from the declarations. `--check` fails where they are not so."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import polars as pl

import tapeout
from tapeout.declarations import pages

DOCS = Path(__file__).parent.parent / "docs"
SOURCES = Path(__file__).parent.parent / "src" / "models"
NOTE = "<!-- Written by tools/docs.py from the declarations: change those, then run make generated. -->\n"


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _range(row: dict[str, Any]) -> str:
    if row["kind"] in ("choice", "boolean"):
        return ", ".join(row["choices"])
    if row["kind"] in ("date", "key"):
        return str(row["kind"])
    whole = "whole, " if row["kind"] == "integer" else ""
    return f"{whole}{_number(row['low'])} to {_number(row['high'])}"


def _table(rows: pl.DataFrame) -> list[str]:
    lines = [
        "| variable | role | unit | bounds | typical | default | what it is | source |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.iter_rows(named=True):
        typical = (
            "" if row["typical_low"] is None else f"{_number(row['typical_low'])} to {_number(row['typical_high'])}"
        )
        basis = f"{row['basis']}: {row['source']}" if row["role"] == "input" and row["source"] else ""
        fields = (f"`{row['name']}`", row["role"], "" if row["unit"] == "1" else row["unit"], _range(row), typical,
                  row["default"] or "", row["meaning"], basis)  # fmt: skip
        lines.append("| " + " | ".join(_cell(field) for field in fields) + " |")
    return lines


def variables_page() -> str:
    """Every variable, by the model that owns it."""
    frame = tapeout.variables()
    lines = [
        NOTE,
        "# Variables\n",
        "Bounds are what the equations and physics allow; typical ranges are what sweeps range over. A variable",
        "without a default has to be given, or computed from what is given. An output may be given too; a summary",
        "may not.",
    ]
    for (model,), rows in frame.group_by("model", maintain_order=True):
        lines += ["", f"## {model}\n", *_table(rows)]
    return "\n".join(lines) + "\n"


def _model_files() -> dict[Path, list[str]]:
    """The models' files with the models of each, in the order of the registry."""
    files: dict[Path, list[str]] = {}
    for name, page in pages().items():
        files.setdefault(SOURCES.parent.parent / page.file, []).append(name)
    return files


def _header(path: Path) -> str:
    """What the file says of itself before its code."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("//!")]
    return "\n".join(line.removeprefix("//!").removeprefix(" ") for line in lines)


def _on_reference(names: list[str]) -> dict[str, str]:
    """Values on the reference scenario, where it has them."""
    frame = tapeout.reference()
    found = {}
    for name in names:
        try:
            value = tapeout.evaluate(frame, [name])[name][0]
        except tapeout.InvalidInput:
            continue
        found[name] = f"{value:,.6g}" if isinstance(value, float) else str(value)
    return found


def model_page(path: Path, own: list[str]) -> str:
    """One model's page: what its file says, what it reads and gives, and the reference scenario."""
    variables = tapeout.variables()
    models = {row["name"]: row for row in tapeout.models().iter_rows(named=True)}
    lines = [NOTE, f"# {path.stem}\n", _header(path)]
    # Equations that several models share stand in files of their own, which the header names.
    for shared in dict.fromkeys(re.findall(r"`(\w+\.rs)`", _header(path))):
        lines += ["", f"## `{shared}`\n", _header(SOURCES.parent / shared)]
    for name in own:
        own_names = {*_owned(name), *models[name]["outputs"]}
        reads = [other for other in models[name]["inputs"] if other not in own_names]
        inputs = variables.filter((pl.col("model") == name) & (pl.col("role") == "input"))
        outputs = variables.filter(pl.col("name").is_in(models[name]["outputs"]))
        lines += ["", f"## {name if len(own) > 1 else 'Variables'}\n"]
        if len(own) > 1:
            lines += [models[name]["meaning"], ""]
        if len(inputs):
            lines += [*_table(inputs), ""]
        if reads:
            lines += [f"Reads {', '.join(f'`{other}`' for other in reads)} of other models.", ""]
        values = _on_reference(outputs["name"].to_list())
        lines += ["| output | role | unit | what it is | reference scenario |", "|---|---|---|---|---|"]
        for row in outputs.iter_rows(named=True):
            unit = "" if row["unit"] == "1" else row["unit"]
            fields = (f"`{row['name']}`", row["role"], unit, row["meaning"], values.get(row["name"], ""))
            lines.append("| " + " | ".join(_cell(field) for field in fields) + " |")
    return "\n".join(lines) + "\n"


def _owned(name: str) -> set[str]:
    return set(tapeout.variables().filter(pl.col("model") == name)["name"])


def models_page() -> str:
    """Every model, with what it says and where its page is."""
    lines = [
        NOTE,
        "# Models\n",
        "Where an output of one model and an input of another have the same name, the first feeds the second. A page",
        "has equations and their sources, every input with bounds and source, and the reference scenario's values.\n",
        "| model | says | gives |",
        "|---|---|---|",
    ]
    models = {row["name"]: row for row in tapeout.models().iter_rows(named=True)}
    for path, own in _model_files().items():
        for name in own:
            gives = ", ".join(f"`{output}`" for output in models[name]["outputs"])
            lines.append(f"| [{name}](../models/{path.stem}.md) | {_cell(models[name]['meaning'])} | {gives} |")
    return "\n".join(lines) + "\n"


def gradients_page() -> str:
    """What a derivative is here, and the outputs that are not smooth."""
    lines = [
        NOTE,
        "# Derivatives\n",
        "`gradient(frame, of, wrt)` carries a derivative beside every number through all models of a row's plan: no",
        "differences, no step to choose. By a variable that is given, from the catalog or a default it is the total",
        "derivative. By one that is computed it is as if that variable were given with the value it has: what computes",
        "it stays as it is. Choices, keys, dates and whole numbers have none.\n",
        "Outputs that bend (their derivative jumps) or step (their value does) are below, as `kinks()` has them. On",
        "such a point the derivative is that of the branch the row is on. The others are smooth wherever they have a",
        "value.\n",
        "| output | kind | where |",
        "|---|---|---|",
    ]
    rows = tapeout.kinks().iter_rows()
    return "\n".join([*lines, *(f"| `{name}` | {kind} | {_cell(where)} |" for name, kind, where in rows)]) + "\n"


def main() -> None:
    """Writes, or compares with `--check`."""
    schema = json.dumps(tapeout.Sweep.schema(), indent=1, ensure_ascii=False) + "\n"
    pages = {
        "reference/variables.md": variables_page(),
        "reference/models.md": models_page(),
        "reference/gradients.md": gradients_page(),
        "reference/sweep.schema.json": schema,
    }
    pages |= {f"models/{path.stem}.md": model_page(path, own) for path, own in _model_files().items()}
    stale = [path for path in DOCS.glob("models/*.md") if f"models/{path.name}" not in pages]
    if "--check" in sys.argv:
        wrong = [
            name for name, page in pages.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != page
        ]
        if wrong or stale:
            names = [*wrong, *(path.name for path in stale)]
            sys.exit(f"{', '.join(names)}: not what the package says; run make generated and look at the difference")
        return
    for path in stale:
        path.unlink()
    for name, page in pages.items():
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(page)


if __name__ == "__main__":
    main()
