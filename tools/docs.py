"""Writes the pages of docs/reference from the declarations. `--check` fails where they are not so."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl

import tapeout

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
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


def models_page() -> str:
    """Every model, with what it reads and gives."""
    lines = [
        NOTE,
        "# Models\n",
        "Where an output of one model and an input of another have the same name, the first feeds the second. The",
        "equations and their sources stand in `src/models/`, a file each.",
    ]
    for row in tapeout.models().iter_rows(named=True):
        reads, gives = (", ".join(f"`{name}`" for name in row[side]) for side in ("inputs", "outputs"))
        lines += ["", f"## {row['name']}\n", row["meaning"], "", f"Reads {reads}.", "", f"Gives {gives}."]
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
    FOLDER.mkdir(parents=True, exist_ok=True)
    schema = json.dumps(tapeout.Sweep.schema(), indent=1, ensure_ascii=False) + "\n"
    pages = {
        "variables.md": variables_page(),
        "models.md": models_page(),
        "gradients.md": gradients_page(),
        "sweep.schema.json": schema,
    }
    for name, page in pages.items():
        path = FOLDER / name
        if "--check" not in sys.argv:
            path.write_text(page)
        elif not path.exists() or path.read_text() != page:
            sys.exit(f"{path.name} is not what the package says: run make generated and look at the difference")


if __name__ == "__main__":
    main()
