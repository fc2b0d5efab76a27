"""Which programmes of a group to fund: `portfolio`.

    maximize  Σ value · x      x = 0 or 1
    under     Σ spend · x ≤ budget, for each kind of spend;  Σ x ≤ 1 over the alternatives of a workload

The capital budgeting of Lorie and Savage 1955, J. Business 28, 229; solved in `_knapsack.py`.
"""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tapeout._knapsack import best, fits
from tapeout.catalogs import UserCatalog
from tapeout.declarations import declared, did_you_mean
from tapeout.errors import InvalidInput
from tapeout.frame import Value, _back_to, _to_polars, _with, evaluate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Numbers = NDArray[np.intp]

_FUNDED = "funded"
_STAGES = ("programme_architecture_months", "programme_rtl_months", "programme_physical_months")
_TAPEOUT = "programme_tapeout_months"
# What shrinks with the design stages, and what ends with them: outputs that may be given too.
_SHRINKING = (*_STAGES, "programme_freeze_months")
_ENDING = (_TAPEOUT, "programme_planned_months")
# Of the budget, when a frontier's budgets are not named.
_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


def portfolio(
    frame: object,
    value: str,
    spend: str | Sequence[str],
    by: str | Sequence[str] | None,
    budget: float | Sequence[float] | Mapping[str, float],
    *,
    exclusive: str | Sequence[str] | None = None,
    required: str | None = None,
    assume: Mapping[str, Value] | None = None,
    catalog: UserCatalog = None,
    as_of: datetime.date | None = None,
    strict: bool = True,
    id: str | None = None,
) -> Portfolio:
    """Which programmes to fund, so that the value of those funded is the largest their spend allows.

    frame: one programme a row; DataFrame, LazyFrame (collected), or anything with an Arrow stream.
    value: what is summed, such as build_npv_usd. spend: what is limited, such as programme_nre_pv_usd or
    ["programme_nre_pv_usd", "programme_headcount"]. Each is a variable, evaluated as `evaluate` does, or a column of
    numbers of your own.
    by: the columns that tell portfolios apart, such as a scenario: each is solved on its own, with the whole budget.
    None: all rows are one portfolio. budget: the most that may be spent, a number for each spend, in their order or by
    name; 0 funds only what spends nothing, infinity is no limit.
    exclusive: columns that name a workload: of its rows at most one is funded. A null is a workload of its own.
    required: a column of truth values: these rows are funded in any case and spend first.
    assume, catalog, as_of, strict, id: as for `evaluate`.

    A programme is funded whole or not at all, and not if its value is 0 or less. All spend counts against one budget,
    whenever it falls due. Of up to 16 programmes that could be funded all sets are tried. Beyond, HiGHS finds the best
    to 1e-9 of its value, unless sets differ from the budget, or programmes from each other, by 1e-6 or less in spend:
    among those it may miss the best. No budget is ever broken. Of equally good sets it is any.

    Raises InvalidInput as `evaluate` does; for a value or spend that is null or infinite; for a spend or budget below
    0; and where what is required breaks a budget or excludes each other.
    """
    spends = [spend] if isinstance(spend, str) else list(spend)
    options = {"assume": assume, "catalog": catalog, "as_of": as_of, "strict": strict, "id": id}
    given = frame.collect() if isinstance(frame, pl.LazyFrame) else _to_polars(frame)
    problem = _Problem(given, value, spends, _list(by), _list(exclusive), required, _budgets(budget, spends), options)
    funded = problem.solved(problem.budgets)
    native = _with(problem.frame, [pl.Series(_FUNDED, funded)])
    back = native if isinstance(frame, pl.LazyFrame) else _back_to(frame, native)
    return Portfolio(back, problem.summary(funded), problem, funded)


@dataclass(frozen=True, repr=False)
class Portfolio:
    """Programmes, which of them are funded, and what another budget or a faster design would be worth.

    frame: the rows as given, with the effective value and spend and `funded`; the same kind of frame as given.
    summary: one row a portfolio: its `by`, programmes, funded (how many), the sum of the value, of each spend, and what
    is left of each budget.
    """

    frame: Any
    summary: pl.DataFrame
    _problem: _Problem
    _funded: Bools

    def __repr__(self) -> str:
        return f"Portfolio, {int(self._funded.sum()):,} of {len(self._funded):,} funded\n{self.summary}"

    def frontier(self, budgets: Sequence[float] | None = None, *, of: str | None = None) -> pl.DataFrame:
        """Value against budget.

        budgets: of the spend `of` (the first, if not named), in any order; the others stay as they are. None: 0, 25,
        50, 75, 100, 125, 150 and 200 % of the budget.

        Returns one row a portfolio and budget: its `by`, budget, funded, the sums of the value and of each spend, and
        shadow_price: what one more unit of the budget is worth on the way to the next one, the difference of the values
        over that of the budgets; null at the last. Programmes are funded whole, so value moves in steps: between
        budgets that are close the shadow price is 0 or steep. Raises InvalidInput for budgets that can't be used.
        """
        return self._problem.frontier(budgets, of)

    def faster_design(self, months: float = 1.0) -> pl.DataFrame:
        """What it is worth that the design of every programme takes some months less.

        Architecture, RTL and physical design shrink alike, such that tape-out is that much earlier on each row; a given
        month of tape-out or plan is brought forward, a given month of the freeze shrinks with the stages. Everything is
        evaluated again and the portfolio chosen anew, under the same budget.

        Returns one row a portfolio: its `by`, the value, the value with the faster design, worth (the difference), and
        how many programmes are funded before and after. Raises InvalidInput as `evaluate` does; where tape-out is not
        known or no later than `months`; and where the value is a column, which design time can't move.
        """
        return self._problem.faster_design(months, self._funded)


def _list(names: str | Sequence[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or [])


def _budgets(budget: float | Sequence[float] | Mapping[str, float], spends: Sequence[str]) -> list[float]:
    if not spends or len(set(spends)) != len(spends):
        raise InvalidInput(f"spend = {list(spends)}: one or several columns or variables are wanted, each of them once")
    if isinstance(budget, Mapping):
        if set(budget) != set(spends):
            raise InvalidInput(f"budget names {', '.join(map(str, budget))}, where spend is {', '.join(spends)}")
        found = [budget[name] for name in spends]
    else:
        found = list(budget) if isinstance(budget, Sequence) else [budget]
    if len(found) != len(spends):
        raise InvalidInput(f"budget: {len(found)} for {len(spends)} kinds of spend; give one for each, in their order")
    return [_budget(name, one) for name, one in zip(spends, found, strict=True)]


def _budget(spend: str, budget: Any) -> float:
    number = isinstance(budget, (int, float, np.integer, np.floating)) and not isinstance(budget, bool)
    if not number or not budget >= 0:
        raise InvalidInput(f"budget of {spend} = {budget!r}: a number from 0 on is wanted, infinity for no limit")
    return float(budget)


class _Problem:
    """Rows in groups, with value, spends and what excludes each other."""

    def __init__(
        self,
        given: pl.DataFrame,
        value: str,
        spends: list[str],
        by: list[str],
        exclusive: list[str],
        required: str | None,
        budgets: list[float],
        options: dict[str, Any],
    ) -> None:
        self.given, self.value, self.spends, self.by = given, value, spends, by
        self.exclusive, self.required, self.budgets, self.options = exclusive, required, budgets, options
        if value in spends:
            raise InvalidInput(f"value {value}: is a spend too; name what the spend is to yield")
        for what, names in (("by", by), ("exclusive", exclusive), ("required", [required] if required else [])):
            for name in names:
                if name not in given.columns:
                    raise InvalidInput(f"{what} {name}: no such column{did_you_mean(name, given.columns)}")
        if taken := {"programmes", _FUNDED, "budget", "worth", "shadow_price", value, *spends} & set(by):
            raise InvalidInput(f"by {min(taken)}: a name of the result's own; rename the column")
        self.frame = self._evaluated(given)
        self.values = self._numbers(value, "a finite number", lambda column: column.is_finite())
        self.spent = np.array([
            self._numbers(name, "a finite number from 0 on", lambda column: column.is_finite() & (column >= 0))
            for name in spends
        ])  # fmt: skip
        self.needed = self._required()
        self.groups = self._groups(by, list(range(given.height)))

    def _evaluated(self, given: pl.DataFrame) -> pl.DataFrame:
        variables = []
        for what, name in (("value", self.value), *(("spend", name) for name in self.spends)):
            if name in declared():
                if declared()[name].kind not in ("number", "integer"):
                    raise InvalidInput(f"{what} {name}: of kind {declared()[name].kind}; a number is wanted")
                variables.append(name)
            elif name not in given.columns:
                hint = did_you_mean(name, [*given.columns, *declared()])
                raise InvalidInput(f"{what} {name}: neither a variable nor a column{hint}")
            elif not given.schema[name].is_numeric():
                raise InvalidInput(f"{what} {name}: a column of {given.schema[name]} where numbers are wanted")
        return evaluate(given, variables, **self.options) if variables else given

    def _row(self, row: int) -> str:
        name = self.options["id"]
        return f"row {row} ({name} {self.frame[name][row]!r})" if name else f"row {row}"

    def _numbers(self, name: str, wanted: str, fits: Any) -> Floats:
        column = self.frame[name].cast(pl.Float64)
        if not (good := fits(column).fill_null(False)).all():
            row = int((~good).arg_max() or 0)
            bad = int((~good).sum())
            raise InvalidInput(
                f"column {name}: {bad:,} {'row' if bad == 1 else 'rows'}, the first {self._row(row)}: "
                f"{'null' if column[row] is None else column[row]} where {wanted} is wanted; correct such rows or "
                "leave them out"
            )
        return column.to_numpy()

    def _required(self) -> Bools:
        if self.required is None:
            return np.zeros(self.given.height, dtype=bool)
        column = self.given[self.required]
        if column.dtype != pl.Boolean or column.null_count():
            raise InvalidInput(f"required {self.required}: a column of True and False without nulls is wanted")
        return column.to_numpy()

    def _groups(self, columns: Sequence[str], rows: Sequence[int]) -> list[Numbers]:
        """Rows that have the same in the columns, in order of their first."""
        if not columns:
            return [np.array(rows, dtype=np.intp)]
        for name in columns:
            if columns is self.by and self.given[name].null_count():
                row = int(self.given[name].is_null().arg_max() or 0)
                raise InvalidInput(f"by {name}, {self._row(row)}: null; name the portfolio that the row is in")
        found: dict[Any, list[int]] = {}
        for row, names in zip(rows, self.given[rows].select(columns).iter_rows(), strict=True):
            found.setdefault(names, []).append(row)
        return [np.array(group, dtype=np.intp) for group in found.values()]

    def _alternatives(self, rows: Numbers) -> list[Numbers]:
        """Positions among the rows of those that exclude each other."""
        if not self.exclusive:
            return []
        found: dict[Any, list[int]] = {}
        for place, name in enumerate(self.given[rows.tolist()].select(self.exclusive).iter_rows()):
            if None not in name:
                found.setdefault(name, []).append(place)
        return [np.array(places, dtype=np.intp) for places in found.values() if len(places) > 1]

    def _name(self, rows: Numbers) -> str:
        if not self.by:
            return "the portfolio"
        return "the portfolio " + ", ".join(f"{name} {self.given[name][int(rows[0])]!r}" for name in self.by)

    # -------------------------------------------------------------------------------------- solutions

    def solved(self, budgets: Sequence[float]) -> Bools:
        """Which rows are funded."""
        funded = np.zeros(self.given.height, dtype=bool)
        for rows in self.groups:
            alternatives = self._alternatives(rows)
            self._check_required(rows, alternatives, budgets)
            spent, needed = self.spent[:, rows], self.needed[rows]
            funded[rows] = best(self.values[rows], spent, budgets, alternatives, needed)
        return funded

    def _check_required(self, rows: Numbers, alternatives: Sequence[Numbers], budgets: Sequence[float]) -> None:
        needed = self.needed[rows]
        for name, spent, budget in zip(self.spends, self.spent[:, rows], budgets, strict=True):
            if not fits(spent[needed], budget):
                raise InvalidInput(
                    f"{self._name(rows)}: what is required spends {math.fsum(spent[needed]):.10g} of {name}, and the "
                    f"budget is {budget:.10g}; raise it or require less"
                )
        for places in alternatives:
            if (both := places[needed[places]]).size > 1:
                named = " and ".join(self._row(int(row)) for row in rows[both[:2]])
                raise InvalidInput(f"{self._name(rows)}: {named} are required and exclude each other; require one")

    def _labels(self, rows: Numbers) -> dict[str, Any]:
        return {name: self.given[name][int(rows[0])] for name in self.by}

    def _sums(self, rows: Numbers) -> dict[str, float]:
        """Value and spends of rows together."""
        spent = {name: math.fsum(self.spent[k, rows]) for k, name in enumerate(self.spends)}
        return {self.value: math.fsum(self.values[rows]), **spent}

    def _table(self, lines: list[dict[str, Any]], columns: Mapping[str, Any]) -> pl.DataFrame:
        labels = {name: self.given.schema[name] for name in self.by}
        return pl.DataFrame(lines, schema={**labels, **columns})

    def summary(self, funded: Bools) -> pl.DataFrame:
        """One row a portfolio."""
        lines = []
        for rows in self.groups:
            chosen = rows[funded[rows]]
            sums = self._sums(chosen)
            left = {f"{n}_left": b - sums[n] for n, b in zip(self.spends, self.budgets, strict=True)}
            lines.append(self._labels(rows) | {"programmes": len(rows), _FUNDED: len(chosen)} | sums | left)
        counts = dict.fromkeys(("programmes", _FUNDED), pl.Int64)
        floats = dict.fromkeys((self.value, *self.spends, *(f"{n}_left" for n in self.spends)), pl.Float64)
        return self._table(lines, {**counts, **floats})

    def frontier(self, budgets: Sequence[float] | None, of: str | None) -> pl.DataFrame:
        """See `Portfolio.frontier`."""
        of = self.spends[0] if of is None else of
        if of not in self.spends:
            raise InvalidInput(f"of {of}: not a spend; one of {', '.join(self.spends)}")
        place = self.spends.index(of)
        if budgets is None:
            if self.budgets[place] in (0, math.inf):
                raise InvalidInput(
                    f"budgets: the budget of {of} is {self.budgets[place]:g}; name the budgets to look at"
                )
            budgets = [step * self.budgets[place] for step in _STEPS]
        steps = sorted({_budget(of, one) for one in budgets})
        if not steps:
            raise InvalidInput("budgets: no budget is named")
        lines = []
        for rows in self.groups:
            alternatives = self._alternatives(rows)
            known: Bools | None = None
            of_group: list[dict[str, Any]] = []
            for step in steps:
                limits = [*self.budgets[:place], step, *self.budgets[place + 1 :]]
                self._check_required(rows, alternatives, limits)
                found = best(self.values[rows], self.spent[:, rows], limits, alternatives, self.needed[rows])
                # What a smaller budget bought this one can buy too.
                if known is not None and self.values[rows[known]].sum() > self.values[rows[found]].sum():
                    found = known
                known = found
                sums = {"budget": step, _FUNDED: int(found.sum()), **self._sums(rows[found])}
                of_group.append(self._labels(rows) | sums | {"shadow_price": None})
            for here, after in itertools.pairwise(of_group):
                here["shadow_price"] = (after[self.value] - here[self.value]) / (after["budget"] - here["budget"])
            lines += of_group
        floats = dict.fromkeys((self.value, *self.spends, "shadow_price"), pl.Float64)
        return self._table(lines, {"budget": pl.Float64, _FUNDED: pl.Int64, **floats})

    def faster_design(self, months: float, funded: Bools) -> pl.DataFrame:
        """See `Portfolio.faster_design`."""
        if isinstance(months, bool) or not isinstance(months, (int, float)) or not 0 < months < math.inf:
            raise InvalidInput(f"months = {months!r}: a number above 0 is wanted")
        if self.value not in declared():
            raise InvalidInput(
                f"value {self.value}: a column of your own, which design time can't move; name a variable, such as "
                "build_npv_usd"
            )
        if self.value in self.given.columns and self.given[self.value].null_count() < self.given.height:
            row = int(self.given[self.value].is_not_null().arg_max() or 0)
            raise InvalidInput(
                f"column {self.value}, {self._row(row)}: given, so design time can't move it; leave the column out, so "
                "that it is computed"
            )
        faster = _Problem(self._sooner(months), self.value, self.spends, self.by, self.exclusive, self.required,
                          self.budgets, self.options)  # fmt: skip
        again = faster.solved(self.budgets)
        lines = []
        for rows in self.groups:
            before, after = rows[funded[rows]], rows[again[rows]]
            value, value_faster = math.fsum(self.values[before]), math.fsum(faster.values[after])
            sums = {self.value: value, f"{self.value}_faster": value_faster, "worth": value_faster - value}
            lines.append(self._labels(rows) | sums | {_FUNDED: len(before), f"{_FUNDED}_faster": len(after)})
        floats = dict.fromkeys((self.value, f"{self.value}_faster", "worth"), pl.Float64)
        return self._table(lines, {**floats, _FUNDED: pl.Int64, f"{_FUNDED}_faster": pl.Int64})

    def _sooner(self, months: float) -> pl.DataFrame:
        """The rows as given, with tape-out some months earlier."""
        tapeout = evaluate(self.given, _TAPEOUT, **self.options)[_TAPEOUT]
        if not (late := (tapeout > months).fill_null(False)).all():
            row = int((~late).arg_max() or 0)
            raise InvalidInput(
                f"{_TAPEOUT}, {self._row(row)}: {tapeout[row]}, which can't be {months:g} months less; ask for fewer "
                "months or leave out such rows"
            )
        share = (tapeout - months) / tapeout
        assume = self.options["assume"] or {}
        moved = []
        for name in (*_SHRINKING, *_ENDING):
            known = self.given[name].cast(pl.Float64) if name in self.given.columns else None
            if name in assume:
                all_rows = pl.Series(name, [float(assume[name])]).new_from_index(0, self.given.height)
                known = all_rows if known is None else known.zip_with(known.is_not_null(), all_rows)
            if known is not None:
                moved.append((known * share if name in _SHRINKING else known - months).alias(name))
        return _with(self.given, moved)
