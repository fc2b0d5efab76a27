"""The declared variables and models, as the core states them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import polars as pl

from tapeout import _core
from tapeout.errors import InvalidInput

#: The day on which the declared defaults, bounds and sources were last gone through.
DECLARED = datetime.date(2026, 11, 22)

#: What `evaluate` gives when nothing is asked for.
DEFAULT_OUTPUTS = (
    "train_cost_usd",
    "asic_unit_price_usd",
    "programme_nre_usd",
    "programme_launch_months_mean",
    "build_npv_usd",
    "build_npv_positive_probability",
    "build_breakeven_units_per_year",
    "decision",
)


class Key(NamedTuple):
    """A column of entry names: its catalog and what its variables' names begin with."""

    catalog: str
    prefix: str
    meaning: str


KEYS = {
    "chip": Key("chips", "chip_", "Merchant chip: fills chip_*."),
    "second_chip": Key("chips", "second_chip_", "Second chip that dimensions are to suit: fills second_chip_*."),
    "third_chip": Key("chips", "third_chip_", "Third chip that dimensions are to suit: fills third_chip_*."),
    "asic": Key("chips", "asic_", "Own chip, as an entry of the chip catalog: fills asic_*."),
    "train_chip": Key("chips", "train_chip_", "Chip that trains: fills train_chip_*."),
    "llm": Key("llms", "", "Language model: fills its dimensions, parameters, tokens and published chip-hours."),
    "node": Key("nodes", "", "Process node: fills wafer price, defect density and mask set."),
    "memory": Key("memories", "", "Memory generation: fills its price, capacity and bandwidth."),
    "serve_calibration": Key(
        "calibrations", "", "Fit of serving on measurements: fills serve_cal_* and the spreads of its errors."
    ),
    "region": Key("regions", "", "Place: fills the price of electricity."),
}


class Variable(NamedTuple):
    """One declared quantity."""

    name: str
    model: str
    role: str
    kind: str
    unit: str
    low: float
    high: float
    default: float | None
    typical_low: float | None
    typical_high: float | None
    meaning: str
    source: str
    basis: str
    choices: tuple[str, ...]

    @property
    def dtype(self) -> pl.DataType:
        """The type of its column in a frame that we give."""
        match self.kind:
            case "choice":
                return pl.Enum(list(self.choices))
            case "boolean":
                return pl.Boolean()
            case "date":
                return pl.Date()
            case "integer":
                return pl.Int64()
        return pl.Float64()

    def show(self, value: float) -> str:
        """A value as a person writes it."""
        if self.kind in ("choice", "boolean"):
            return self.choices[int(value)]
        if self.kind == "date":
            return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(value))).isoformat()
        return f"{value:.10g}"


@cache
def declared() -> dict[str, Variable]:
    """The variables by name."""
    return {line["name"]: Variable(**{**line, "choices": tuple(line["choices"])}) for line in _core.variables()}


class Page(NamedTuple):
    """A model's file: where it is, what it says of itself, the equations there, what it cites."""

    file: str
    header: str
    equations: str

    @property
    def source(self) -> str:
        """The sentence that names the sources; empty where there is none."""
        return cited(self.header)


def cited(header: str) -> str:
    """The sentence of a header that names its sources; empty where there is none."""
    text = " ".join(line for line in header.splitlines() if not line.startswith("    "))
    # It ends where the next begins, which is not after an initial.
    found = re.search(r"\bSources?\b[^:.]*:.*?(?:(?<=[\w)][\w)])[.](?= [A-Z])|$)", text)
    return found[0].rstrip(". ") if found else ""


@cache
def pages() -> dict[str, Page]:
    """The models' files by model."""
    return {name: Page(file, header, block) for name, file, header, block, _ in _core.equations()}


@cache
def _equations() -> dict[str, str]:
    """By output the model's line of algebra, or the equations of its file where the line is none."""
    found: dict[str, list[str]] = {}
    for _, _, _, block, lines in _core.equations():
        for name, line, local in lines:
            whole = "; ".join([line, *(f"{inner} = {text}" for inner, text in local)]) if line else block
            found.setdefault(name, []).append(whole)
    return {name: "\nor ".join(dict.fromkeys(ways)) for name, ways in found.items()}


@cache
def model_outputs() -> dict[str, tuple[str, ...]]:
    """The outputs of every model."""
    return {name: tuple(outputs) for name, _, _, outputs in _core.models() if outputs}


def edits(a: str, b: str, most: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbors from `a` to `b`; `most` + 1 where there are more."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[-1] = min(row[-1], before[j - 2] + 1)
        before, last = last, row
    return last[-1]


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The names most like `name`."""
    scored = sorted((edits(name, other, 8), other) for other in known)
    return [other for distance, other in scored[:count] if distance <= max(3, len(name) // 2)]


def near_miss(name: str, known: Iterable[str]) -> str | None:
    """A name that `name` probably misspells: one edit away from 5 to 7 letters, two from 8, none shorter."""
    most = 0 if len(name) < 5 else 1 if len(name) < 8 else 2
    if most == 0:
        return None
    found = [(edits(name, other, most), other) for other in known]
    distance, other = min(found)
    return other if distance <= most else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy for a name that is not known."""
    near = nearest(name, known)
    return f"; the nearest: {', '.join(near)}" if near else ""


def output_names(outputs: str | Sequence[str] | None) -> list[str]:
    """Variables named by variable or model, in order, without repetition."""
    if outputs is None:
        return list(DEFAULT_OUTPUTS)
    names = [outputs] if isinstance(outputs, str) else list(outputs)
    found: list[str] = []
    for name in names:
        if name in model_outputs():
            found.extend(model_outputs()[name])
        elif name in declared():
            found.append(name)
        elif name in KEYS:
            raise InvalidInput(f"output {name}: a key names an entry; ask for the variables it fills")
        else:
            known = [*declared(), *model_outputs()]
            raise InvalidInput(f"output {name}: neither a variable nor a model{did_you_mean(name, known)}")
    return list(dict.fromkeys(found))


def variables() -> pl.DataFrame:
    """Every declared variable: name, kind, unit, bounds, default, meaning, source, basis, date, equation.

    Returns one row a variable. `low` and `high` are what the equations and physics allow; `typical_low` and
    `typical_high` what sweeps range over. `role` is input, output, summary (may be asked for, not given) or key.
    `equation` is a computed one's line of algebra in its model, then what has a name only in it; or, where that is a
    loop, the equations of the model's file.
    """
    rows: list[dict[str, Any]] = []
    for variable in declared().values():
        row = variable._asdict() | {
            "date": DECLARED,
            "choices": list(variable.choices),
            "equation": _equations().get(variable.name),
        }
        row["default"] = None if variable.default is None else variable.show(variable.default)
        rows.append(row)
    for name, key in KEYS.items():
        rows.append(
            {
                "name": name,
                "model": key.catalog,
                "role": "key",
                "kind": "key",
                "unit": "1",
                "meaning": key.meaning,
                "source": "catalog",
                "basis": "definition",
                "date": DECLARED,
                "choices": [],
                "equation": None,
            }
        )
    schema: dict[str, Any] = {
        "name": pl.String,
        "kind": pl.String,
        "unit": pl.String,
        "low": pl.Float64,
        "high": pl.Float64,
        "default": pl.String,
        "typical_low": pl.Float64,
        "typical_high": pl.Float64,
        "meaning": pl.String,
        "source": pl.String,
        "basis": pl.String,
        "date": pl.Date,
        "model": pl.String,
        "role": pl.String,
        "choices": pl.List(pl.String),
        "equation": pl.String,
    }
    return pl.DataFrame(rows, schema=schema)


def models() -> pl.DataFrame:
    """Every model: name, what it says, the names of its inputs and outputs, the equations of its file, its source."""
    rows = []
    for name, *rest in _core.models():
        page = pages()[name]
        rows.append((name, *rest, page.equations or None, page.source or None, page.file))
    schema: dict[str, Any] = {
        "name": pl.String,
        "meaning": pl.String,
        "inputs": pl.List(pl.String),
        "outputs": pl.List(pl.String),
        "equations": pl.String,
        "source": pl.String,
        "file": pl.String,
    }
    return pl.DataFrame([row for row in rows if row[3]], schema=schema, orient="row")
