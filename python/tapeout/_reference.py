"""The reference scenario: one complete, sourced row."""

from __future__ import annotations

import datetime
from pathlib import Path

import polars as pl

from tapeout.declarations import declared

_FILE = Path(__file__).parent / "reference.csv"


def sources() -> pl.DataFrame:
    """The reference scenario by variable: name, value, basis, source."""
    return pl.read_csv(_FILE, schema_overrides={"value": pl.String})


def reference() -> pl.DataFrame:
    """One complete row: a frontier lab of 2026 that considers one N3 inference chip with a design partner.

    It shows; it never fills gaps in anybody's frame. It was chosen to lie near the break-even, so that every input's
    effect is visible: its chance of paying is a demonstration, not evidence that building pays. `reference.csv` beside
    this file has the source of each value.
    """
    columns = []
    for name, text in sources().select("name", "value").iter_rows():
        variable = declared()[name]
        value: float | int | bool | str | datetime.date
        match variable.kind:
            case "choice":
                value = text
            case "boolean":
                value = text == "true"
            case "date":
                value = datetime.date.fromisoformat(text)
            case "integer":
                value = int(text)
            case _:
                value = float(text)
        columns.append(pl.Series(name, [value], dtype=variable.dtype))
    return pl.DataFrame(columns)
