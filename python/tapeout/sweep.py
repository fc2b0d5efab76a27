"""Sweeps: grid × uncertain inputs, as rows that are made from their number.

Row i is sample i mod `samples` of grid cell i div `samples`. All cells see the same samples, so that a difference
between two cells is theirs and not chance. A row depends on (sweep, i) alone.
"""

from __future__ import annotations

import itertools
import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tapeout import _core, distributions
from tapeout._draws import Correlation, Design, Draws, declared_bounds
from tapeout._expression import Expression, InvalidExpression
from tapeout.declarations import KEYS, declared, did_you_mean, output_names
from tapeout.distributions import Distribution, InvalidDistribution
from tapeout.errors import InvalidInput
from tapeout.frame import evaluate

if TYPE_CHECKING:
    from tapeout.frame import Value

# Rows that are drawn, evaluated and counted together: their columns stay below some ten megabytes.
BATCH_ROWS = 131_072
# Rows of each group that fix the bins of its quantiles.
_PILOT_ROWS = 8_192
# A distribution that loses more than this to the bounds of its variable is not the one that was meant.
_MOST_CUT = 0.01
_ARGUMENTS = ("samples", "seed", "design", "assume", "grid", "uncertain", "correlate", "derive")

Progress = Callable[[int, int], None]


class Sweep:
    """Scenarios: assumptions × grid × uncertain inputs.

    assume: values for all rows. grid: for each axis its values; cells are all combinations, the last axis fastest.
    uncertain: for each input its distribution (`tapeout.lognormal(p5=…, p95=…)`, …), cut to the bounds of the variable.
    correlate: rank correlations of pairs of uncertain inputs, ``{("a", "b"): 0.5}`` (Gaussian copula).
    derive: columns made from others before the models run, ``{"memory_usd_per_gb": "1.2 * dram_usd_per_gb"}``; a name
    in any of these that is no variable is a column of your own, for use there.
    samples: rows a grid cell. seed: 0 to 2^64 - 1. design: "sobol" (scrambled), "lhs", or "random".

    Raises InvalidInput, or its kind InvalidDistribution, naming the input, the rule and the remedy.
    """

    def __init__(
        self,
        *,
        assume: Mapping[str, Value] | None = None,
        grid: Mapping[str, Sequence[Any]] | None = None,
        uncertain: Mapping[str, Distribution] | None = None,
        correlate: Mapping[tuple[str, str], float] | None = None,
        derive: Mapping[str, str] | None = None,
        samples: int = 1024,
        seed: int = 0,
        design: Design = "sobol",
    ) -> None:
        self.assume = dict(assume or {})
        self.grid = {name: list(values) for name, values in (grid or {}).items()}
        self.uncertain = dict(uncertain or {})
        self.correlate = dict(correlate or {})
        self.derive = dict(derive or {})
        self.samples = samples
        self.seed = seed
        self.design = design
        self._check()

    def _check(self) -> None:
        if isinstance(self.samples, bool) or not isinstance(self.samples, int) or self.samples < 1:
            raise InvalidInput(f"samples = {self.samples!r}: a whole number from 1 on is wanted")
        if self.design not in ("sobol", "lhs", "random"):
            raise InvalidInput(f"design = {self.design!r}: one of sobol, lhs, random")
        places: dict[str, Mapping[str, Any]] = {
            "assume": self.assume,
            "grid": self.grid,
            "uncertain": self.uncertain,
            "derive": self.derive,
        }
        for one, other in itertools.combinations(places, 2):
            if both := sorted(set(places[one]) & set(places[other])):
                raise InvalidInput(f"{both[0]} is in {one} and in {other}: give it once")
        for name, text in self.derive.items():
            if not isinstance(text, str):
                raise InvalidInput(f"derive: {name} = {text!r}: an expression in quotes is wanted")
        try:
            self._derived = {name: Expression(text) for name, text in self.derive.items()}
        except InvalidExpression as error:
            raise InvalidInput(f"derive: {error}") from None
        used = {name.quantity for expression in self._derived.values() for name in expression.names()}
        for place, names in places.items():
            for name in names:
                if name in declared() and declared()[name].role == "summary":
                    raise InvalidInput(f"{place}: {name} is a summary and can't be given; give what it is made from")
                if name not in declared() and name not in KEYS and name not in used:
                    hint = did_you_mean(name, [*declared(), *KEYS])
                    raise InvalidInput(f"{place}: {name} is not a variable, and nothing in derive uses it{hint}")
        for name, values in self.grid.items():
            if not values or len(set(map(repr, values))) != len(values):
                raise InvalidInput(f"grid: {name} needs values, each of them once, not {values!r}")
        for name, distribution in self.uncertain.items():
            if not isinstance(distribution, Distribution):
                raise InvalidInput(
                    f"uncertain: {name} = {distribution!r}: a distribution, such as tapeout.uniform(1, 2)"
                )
            if (
                name in declared()
                and declared()[name].kind == "integer"
                and distribution.kind not in ("integers", "choice")
            ):
                raise InvalidDistribution(f"uncertain: {name} is a whole number; use integers or choice")
        for first, second in self.correlate:
            for name in (first, second):
                if name not in self.uncertain:
                    raise InvalidInput(f"correlate: {name} is not uncertain{did_you_mean(name, self.uncertain)}")
        for cut in self.cuts().filter(pl.col("mass_cut") > _MOST_CUT).iter_rows(named=True):
            variable = declared()[cut["variable"]]
            raise InvalidDistribution(
                f"uncertain: {variable.name}: its bounds, {variable.show(variable.low)} to "
                f"{variable.show(variable.high)} {variable.unit}, cut off {cut['mass_cut']:.1%} of "
                f"{self.uncertain[variable.name]}; at most 1 % is: choose a distribution that lies within them"
            )

    @cached_property
    def _draws(self) -> Draws | None:
        if not self.uncertain:
            return None
        return Draws(
            self.uncertain,
            [Correlation(*pair, rho) for pair, rho in self.correlate.items()],
            samples=self.samples,
            seed=self.seed,
            design=self.design,
            bounds=declared_bounds(self.uncertain),
            of_ranks=True,
        )

    def cuts(self) -> pl.DataFrame:
        """For each uncertain input the share of its distribution its bounds cut off, and the range that is left."""
        empty = {"variable": pl.String, "mass_cut": pl.Float64, "low": pl.Float64, "high": pl.Float64}
        return pl.DataFrame(schema=empty) if self._draws is None else self._draws.cuts()

    @cached_property
    def cells(self) -> pl.DataFrame:
        """The grid, one row a cell, in order."""
        combinations = list(itertools.product(*self.grid.values()))
        if not self.grid:
            return pl.DataFrame()
        columns = zip(*combinations, strict=True)
        return pl.DataFrame([pl.Series(name, list(values)) for name, values in zip(self.grid, columns, strict=True)])

    @property
    def cell_count(self) -> int:
        """Grid cells, 1 without a grid."""
        return math.prod(len(values) for values in self.grid.values())

    @property
    def rows(self) -> int:
        """Scenarios in all."""
        return self.cell_count * self.samples

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        grid = " × ".join(f"{len(values)} {name}" for name, values in self.grid.items())
        cells = f"{grid} × " if grid else ""
        return f"<Sweep: {self.rows:,} rows = {cells}{self.samples:,} samples of {len(self.uncertain)} inputs>"

    # ------------------------------------------------------------------------------------------------ rows

    def _pieces(self, first: int, rows: int) -> Iterator[tuple[int, int, int]]:
        """(cell, first sample, samples) of the rows from `first` on."""
        end = first + rows
        while first < end:
            cell, sample = divmod(first, self.samples)
            count = min(self.samples - sample, end - first)
            yield cell, sample, count
            first += count

    def _given(self, cell: int) -> dict[str, Value]:
        """What is the same on all rows of a cell."""
        return self.assume | {name: self.cells[name][cell] for name in self.grid}

    def _draw(self, sample: int, rows: int) -> pl.DataFrame:
        """The uncertain inputs, or without any a column of no name that has the rows."""
        if self._draws is None:
            return pl.DataFrame({"": np.zeros(rows, dtype=np.int8)})
        return self._draws.rows(sample, rows)

    def _evaluated(self, cell: int, frame: pl.DataFrame, outputs: Sequence[str]) -> pl.DataFrame:
        """Drawn columns with the derived ones and the outputs."""
        given = self._given(cell)
        for name, expression in self._derived.items():
            column = expression.compile(
                lambda read: pl.lit(given[read.quantity]) if read.quantity in given else pl.col(read.quantity)
            )
            frame = frame.with_columns(column.alias(name))
        if not outputs:
            return frame
        assume = {name: value for name, value in given.items() if name in declared() or name in KEYS}
        try:
            return evaluate(frame, outputs, assume=assume, strict=False)
        except InvalidInput as error:
            where = f", cell {cell}" if self.grid else ""
            raise InvalidInput(f"rows of the sweep{where}: {error}") from None

    def frame(
        self, outputs: str | Sequence[str] | None = (), *, first: int = 0, rows: int | None = None
    ) -> pl.DataFrame:
        """The scenarios as a frame: grid, uncertain and derived inputs, and the outputs asked for.

        outputs: names of variables or models; () for the inputs alone, None for the main outputs.
        first, rows: a stretch of the sweep; the same rows whatever else is asked.
        """
        rows = self.rows - first if rows is None else rows
        if not (first >= 0 and rows >= 0 and first + rows <= self.rows):
            raise InvalidInput(f"rows {first} to {first + rows}: the sweep has {self.rows:,}")
        names = [] if outputs is not None and len(outputs) == 0 else output_names(outputs)
        parts = [self._part(*piece, names) for piece in self._pieces(first, rows)]
        return pl.concat(parts) if parts else self._part(0, 0, 1, names).clear()

    def _part(self, cell: int, sample: int, rows: int, outputs: Sequence[str]) -> pl.DataFrame:
        evaluated = self._evaluated(cell, self._draw(sample, rows), outputs)
        axes = [
            pl.Series(name, [self.cells[name][cell]], dtype=self.cells.schema[name]).new_from_index(0, rows)
            for name in self.grid
            if name not in evaluated.columns
        ]
        return pl.DataFrame([*axes, *(series for series in evaluated.get_columns() if series.name)])

    def lazy(self, outputs: str | Sequence[str] | None = None) -> pl.LazyFrame:
        """The scenarios as a lazy frame that makes its rows as they are asked for.

        Only the columns that a query uses are computed, and a slice or a limit makes no rows beyond it.
        """
        from polars.io.plugins import register_io_source

        names = [] if outputs is not None and len(outputs) == 0 else output_names(outputs)
        schema = self.frame(names, rows=0).schema

        def source(
            with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
        ) -> Iterator[pl.DataFrame]:
            wanted = list(schema) if with_columns is None else with_columns
            asked = [name for name in names if name in wanted]
            end = self.rows if n_rows is None else min(n_rows, self.rows)
            for first in range(0, end, batch_size or BATCH_ROWS):
                rows = min(batch_size or BATCH_ROWS, end - first)
                batch = self.frame(asked, first=first, rows=rows).select(wanted)
                yield batch if predicate is None else batch.filter(predicate)

        return register_io_source(source, schema=schema, is_pure=True)

    def to_parquet(
        self,
        folder: str | Path,
        outputs: str | Sequence[str] | None = None,
        *,
        rows_per_file: int = 1_048_576,
        progress: Progress | None = None,
    ) -> list[Path]:
        """Writes the scenarios as Parquet files of `rows_per_file` rows into a folder; returns the files in order.

        Each file appears under its name when all of it is on the disk. Called again after a crash it writes what is
        missing and ends with the same bytes. `polars.scan_parquet(folder / "*.parquet")` reads them as one.
        Raises InvalidInput where the folder was begun by another sweep, version, schema or size of files.
        """
        from tapeout import _parts

        names = [] if outputs is not None and len(outputs) == 0 else output_names(outputs)
        return _parts.write(self, Path(folder), names, rows_per_file, progress)

    # --------------------------------------------------------------------------------------------- summary

    def summary(
        self,
        outputs: str | Sequence[str] | None = None,
        *,
        by: str | Sequence[str] = (),
        quantiles: Sequence[float] = (0.05, 0.5, 0.95),
        where: Mapping[str, str] | None = None,
        correlations: bool = False,
        progress: Progress | None = None,
    ) -> Summary:
        """Mean, spread, quantiles and extremes of the outputs over all scenarios, in one pass and constant memory.

        by: grid axes; each combination of their values is summarised for itself.
        quantiles: shares from 0 to 1. where: conditions by name, ``{"pays": "build_npv_usd > 0"}``: the mean of a
        condition is its probability. correlations: of each output with each uncertain input.
        progress: told of rows done and rows in all.

        The same bits for any number of threads and any order of rows: sums are exact and bins are fixed by the first
        rows of each group. Raises InvalidInput.
        """
        axes = [by] if isinstance(by, str) else list(by)
        for name in axes:
            if name not in self.grid:
                raise InvalidInput(f"by: {name} is not an axis of the grid{did_you_mean(name, self.grid)}")
        if bad := [share for share in quantiles if not 0 <= share <= 1]:
            raise InvalidInput(f"quantiles: {bad[0]} is not a share between 0 and 1")
        counted = Counted(self, outputs, where or {}, correlations)
        groups: dict[tuple[Any, ...], list[int]] = {}
        for cell in range(self.cell_count):
            groups.setdefault(tuple(self.cells[name][cell] for name in axes), []).append(cell)
        done = 0
        summaries = []
        for cells in groups.values():
            pilot = min(self.samples, max(_PILOT_ROWS // len(cells), 1))
            columns = [counted.columns(cell, 0, pilot) for cell in cells]
            arrays = [np.concatenate(values) for values in zip(*columns, strict=True)]
            summary = _core.Summary(arrays, counted.pairs)
            for cell in cells:
                for sample in range(0, self.samples, BATCH_ROWS):
                    rows = min(BATCH_ROWS, self.samples - sample)
                    summary.add(cell * self.samples + sample, counted.columns(cell, sample, rows))
                    done += rows
                    if progress is not None:
                        progress(done, self.rows)
            summaries.append(summary)
        return Summary(counted, axes, list(groups), summaries, list(quantiles))

    # ------------------------------------------------------------------------------------------------ text

    def replace(self, **changes: Any) -> Sweep:
        """The same sweep with other arguments: ``sweep.replace(samples=1_000_000, grid={"respin_months": [4, 6]})``."""
        given = {name: getattr(self, name) for name in _ARGUMENTS}
        for name in changes:
            if name not in given:
                raise InvalidInput(f"{name}: not an argument of Sweep{did_you_mean(name, given)}")
        return Sweep(**(given | changes))

    @classmethod
    def from_claim(
        cls,
        claim: str,
        definition: str | None = None,
        *,
        uncertain: Sequence[str] | None = None,
        samples: int = 1024,
        seed: int = 0,
    ) -> Sweep:
        """The scenarios that weigh a claim, of one of its definitions (the headline's by default).

        uncertain: the inputs that stay so, the others at their median; all of them by default.
        The condition is the claim's predicate: ``tapeout.claims()`` shows it. Raises InvalidInput.
        """
        from tapeout._claim_card import InvalidCard, load

        cards = load()
        if claim not in cards:
            raise InvalidInput(f"{claim}: not a claim{did_you_mean(claim, cards)}")
        try:
            sweep = cls(**cards[claim].sweep(definition), samples=samples, seed=seed)
        except InvalidCard as error:
            raise InvalidInput(str(error)) from None
        if uncertain is None:
            return sweep
        for name in uncertain:
            if name not in sweep.uncertain:
                raise InvalidInput(f"{name}: not uncertain in {claim}{did_you_mean(name, sweep.uncertain)}")
        assert sweep._draws is not None
        medians = sweep._draws.medians().row(0, named=True)
        return sweep.replace(
            assume=sweep.assume | {name: value for name, value in medians.items() if name not in uncertain},
            uncertain={name: one for name, one in sweep.uncertain.items() if name in uncertain},
            correlate={pair: rho for pair, rho in sweep.correlate.items() if set(pair) <= set(uncertain)},
        )

    @classmethod
    def from_toml(cls, path: str | Path) -> Sweep:
        """A sweep from a file: samples, seed, design, [assume], [grid], [uncertain], [[correlate]], [derive].

        Raises InvalidInput naming the file and the entry.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                table = tomllib.load(file)
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise InvalidInput(f"{path}: {error}") from None
        try:
            return cls.from_dict(table)
        except InvalidInput as error:
            raise InvalidInput(f"{path}: {error}") from None

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Sweep:
        """The same from the tables of such a file."""
        if unknown := [key for key in table if key not in _ARGUMENTS]:
            raise InvalidInput(f"{unknown[0]}: not an entry of a sweep{did_you_mean(unknown[0], _ARGUMENTS)}")
        for key in ("assume", "grid", "uncertain", "derive"):
            if not isinstance(table.get(key, {}), Mapping):
                raise InvalidInput(f"{key}: a table is wanted, not {table[key]!r}")
        uncertain = {}
        for name, entry in table.get("uncertain", {}).items():
            if not isinstance(entry, Mapping):
                raise InvalidInput(
                    f"uncertain: {name} = {entry!r}: a distribution such as {{ uniform = [1, 2] }} is wanted"
                )
            try:
                uncertain[name] = distributions.read(entry)
            except InvalidDistribution as error:
                raise InvalidDistribution(f"uncertain: {name}: {error}") from None
        correlate = {}
        for entry in table.get("correlate", []):
            match entry:
                case {"between": [str(first), str(second)], "rho": int() | float() as rho}:
                    correlate[first, second] = float(rho)
                case _:
                    raise InvalidInput(f"correlate: between = [two names] and rho = a number are wanted, not {entry!r}")
        return cls(
            assume=table.get("assume", {}),
            grid=table.get("grid", {}),
            uncertain=uncertain,
            correlate=correlate,
            derive=table.get("derive", {}),
            samples=table.get("samples", 1024),
            seed=table.get("seed", 0),
            design=table.get("design", "sobol"),
        )

    @staticmethod
    def schema() -> dict[str, Any]:
        """The form of such a file as a JSON schema (draft 7), by which editors complete and check it."""
        from tapeout import _schema

        return _schema.schema()

    def to_dict(self) -> dict[str, Any]:
        """The tables of a TOML file that makes the same sweep."""
        table: dict[str, Any] = {"samples": self.samples, "seed": self.seed, "design": self.design}
        parts = {
            "assume": self.assume,
            "grid": self.grid,
            "uncertain": {name: distribution.entry() for name, distribution in self.uncertain.items()},
            "correlate": [{"between": list(pair), "rho": rho} for pair, rho in self.correlate.items()],
            "derive": self.derive,
        }
        return table | {key: value for key, value in parts.items() if value}

    def to_toml(self, path: str | Path) -> None:
        """Writes the file that `from_toml` reads."""
        import tomli_w

        Path(path).write_text(tomli_w.dumps(self.to_dict()), encoding="utf-8")

    @cached_property
    def digest(self) -> str:
        """A hash of everything the sweep's rows depend on."""
        return sha256(json.dumps(self.to_dict(), sort_keys=True, default=str).encode()).hexdigest()


class Counted:
    """The columns of numbers that a summary counts."""

    def __init__(
        self, sweep: Sweep, outputs: str | Sequence[str] | None, where: Mapping[str, str], correlations: bool
    ) -> None:
        self.sweep = sweep
        self.outputs = [] if outputs is not None and len(outputs) == 0 else output_names(outputs)
        for name in self.outputs:
            if declared()[name].kind not in ("number", "integer", "boolean"):
                raise InvalidInput(
                    f"{name} is a {declared()[name].kind} and has no mean; use where = {{...}} to count it"
                )
        if both := sorted(set(where) & set(self.outputs)):
            raise InvalidInput(f"where: {both[0]} is an output; give the condition another name")
        try:
            self.conditions = {name: Expression(text) for name, text in where.items()}
        except InvalidExpression as error:
            raise InvalidInput(f"where: {error}") from None
        self.names = [*self.outputs, *self.conditions]
        if not self.names:
            raise InvalidInput("neither outputs nor where: nothing to summarise")
        drawn = [name for name, column in sweep.uncertain.items() if column.values is None] if correlations else []
        self.drawn = [name for name in drawn if name not in self.outputs]
        count = len(self.names)
        self.pairs = [(k, count + j) for k in range(count) for j in range(len(self.drawn))]
        reads = {name.quantity for condition in self.conditions.values() for name in condition.names()}
        known = {*sweep.uncertain, *sweep.derive, *sweep.assume, *sweep.grid}
        self.evaluated = list(
            dict.fromkeys([*self.outputs, *sorted(r for r in reads if r in declared() and r not in known)])
        )
        for name in sorted(reads):
            if name not in declared() and name not in known:
                raise InvalidInput(f"where: {name} is not a variable{did_you_mean(name, declared())}")

    def columns(self, cell: int, sample: int, rows: int) -> list[np.ndarray[Any, Any]]:
        """One array a column of rows of a cell, NaN where null."""
        return self.answers(cell, self.sweep._draw(sample, rows))

    def answers(self, cell: int, drawn: pl.DataFrame) -> list[np.ndarray[Any, Any]]:
        """The same from drawn columns."""
        frame = self.sweep._evaluated(cell, drawn, self.evaluated)
        given = self.sweep._given(cell)
        if self.conditions:
            frame = frame.with_columns(
                condition.compile(
                    lambda read: pl.lit(given[read.quantity]) if read.quantity in given else pl.col(read.quantity)
                ).alias(name)
                for name, condition in self.conditions.items()
            )
        return [
            np.ascontiguousarray(frame[name].cast(pl.Float64).to_numpy(), dtype=np.float64)
            for name in [*self.names, *self.drawn]
        ]


class Summary:
    """What the scenarios of a sweep say together."""

    def __init__(
        self,
        counted: Counted,
        axes: list[str],
        groups: list[tuple[Any, ...]],
        summaries: list[_core.Summary],
        shares: list[float],
    ) -> None:
        self._counted = counted
        self._axes = axes
        self._groups = groups
        self._summaries = summaries
        self._shares = shares

    def _grouped(self, lines: list[dict[str, Any]]) -> pl.DataFrame:
        return pl.DataFrame(lines, infer_schema_length=None, strict=False)

    @cached_property
    def table(self) -> pl.DataFrame:
        """One row a group and column: rows, nulls, mean, standard error, sd, extremes, quantiles.

        `quantile_error`: the most by which the share below a quantile may differ from the one asked.
        `standard_error` is that of independent rows; Sobol points do better.
        """
        lines = []
        for group, summary in zip(self._groups, self._summaries, strict=True):
            found = zip(summary.moments(), summary.quantiles(self._shares), summary.extremes(), strict=True)
            for name, ((rows, nulls, mean, sd), quantiles, (least, greatest)) in zip(
                [*self._counted.names, *self._counted.drawn], found, strict=True
            ):
                if name not in self._counted.names:
                    continue
                lines.append(
                    dict(zip(self._axes, group, strict=True))
                    | {
                        "output": name,
                        "rows": rows,
                        "nulls": nulls,
                        "mean": _known(mean),
                        "standard_error": _known(sd / math.sqrt(rows) if rows else math.nan),
                        "sd": _known(sd),
                        "least": least[0][0] if least else None,
                        "greatest": greatest[0][0] if greatest else None,
                    }
                    | {_column(share): _known(value) for share, (value, _) in zip(self._shares, quantiles, strict=True)}
                    | {"quantile_error": max((off for _, off in quantiles), default=0.0)}
                )
        return self._grouped(lines)

    @cached_property
    def correlations(self) -> pl.DataFrame:
        """Pearson's correlation of each output with each uncertain input, the strongest first."""
        lines = []
        for group, summary in zip(self._groups, self._summaries, strict=True):
            names = [*self._counted.names, *self._counted.drawn]
            for (k, j), rho in zip(self._counted.pairs, summary.correlations(), strict=True):
                line = {"output": names[k], "input": names[j], "correlation": _known(rho)}
                lines.append(dict(zip(self._axes, group, strict=True)) | line)
        found = self._grouped(lines)
        if not lines:
            return found
        return found.sort(
            [*self._axes, "output", pl.col("correlation").abs()],
            descending=[*[False] * len(self._axes), False, True],
            nulls_last=True,
            maintain_order=True,
        )

    @cached_property
    def extremes(self) -> pl.DataFrame:
        """The least and the greatest values of each column, with rows for `Sweep.frame(first=row, rows=1)`."""
        lines = []
        for group, summary in zip(self._groups, self._summaries, strict=True):
            for name, ends in zip(self._counted.names, summary.extremes(), strict=False):
                for end, rows in zip(("least", "greatest"), ends, strict=True):
                    for place, (value, row) in enumerate(rows, 1):
                        line = {"output": name, "end": end, "place": place, "value": value, "row": row}
                        lines.append(dict(zip(self._axes, group, strict=True)) | line)
        return self._grouped(lines)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def _known(x: float) -> float | None:
    return None if math.isnan(x) else x


def _column(share: float) -> str:
    return "p" + f"{100 * share:.10g}".replace(".", "_").zfill(2)
