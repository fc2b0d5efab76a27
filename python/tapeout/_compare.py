"""What moved an answer between two rows, input by input: `compare`.

    contribution of i = mean, over all orders in which the inputs can change from a to b, of f(i changed) - f(before)

That is the Shapley value, `_shapley.py`. Here the two rows are read, mixed and evaluated.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from tapeout import _core
from tapeout._shapley import BATCH_ROWS, nearest_an_end, sampled, shapley, sum_to, together
from tapeout.catalogs import UserCatalog
from tapeout.declarations import KEYS, declared, did_you_mean, output_names
from tapeout.errors import InvalidInput
from tapeout.frame import Value, _arguments, _call, _to_polars, evaluate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

# All subsets of this many inputs are 4096 rows; each input more would double them.
_EXACT_INPUTS = 12
_SHOWN_NAMES = 6


class _Input(NamedTuple):
    """What changes from a to b in one step: a variable or key, or a group of them by its name."""

    name: str
    members: tuple[str, ...]


class Comparison(NamedTuple):
    """The contributions, the output on both rows, and in how many orders it was taken (0: in all)."""

    table: pl.DataFrame
    output: str
    before: float
    after: float
    orders: int


def compare(
    a: object,
    b: object = None,
    output: str | None = None,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    orders: int = 4096,
    seed: int = 0,
    assume: Mapping[str, Value] | None = None,
    catalog: UserCatalog = None,
    as_of: datetime.date | None = None,
    strict: bool = True,
) -> pl.DataFrame:
    """What moved an output between two scenarios, input by input, summing to the difference.

    a, b: a frame of one row, or a mapping of names to values; or as `a` a frame of two rows, without b.
    output: a number, by its name. groups: inputs that change together, by a name of yours.
    assume, catalog, as_of, strict: as for `evaluate`, for both rows.

    Inputs are the columns that differ: numbers, choices, dates, booleans, keys. A key is one input, and moves all that
    its entry gives; a variable of it that has a column is an input of its own. Known in one row and null or absent in
    the other is a difference too: what then takes its place is computed, from the catalog or a default.

    The contribution of an input is the mean of what it moves over all orders in which the inputs can change (its
    Shapley value). Up to a dozen inputs all subsets are evaluated, which is exact. Beyond, `orders` random ones are
    followed, each with its reverse; the standard error is of their mean, and `seed` fixes them. Either way the
    contributions sum to the difference: rounding is left to the largest, and where that has too few digits, because it
    is cancelled by others, to the next. `math.fsum` of them is then f(b) - f(a) to the last digit, unless every one of
    them exceeds it so far that no such numbers exist; then it is to the last digit of the smallest.

    Returns one row an input, the largest first: input, from, to (texts; null where not given), contribution (in the
    output's unit), standard_error (0 where exact), share (of the difference; null where that is 0).

    Raises InvalidInput as `evaluate` does; where the output is null or infinite; and where a mixture of the two rows
    has no answer: it names the mixture and inputs to group.
    """
    return compared(a, b, output, groups=groups, orders=orders, seed=seed, assume=assume, catalog=catalog, as_of=as_of,
                    strict=strict).table  # fmt: skip


def compared(
    a: object,
    b: object,
    output: str | None,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    orders: int = 4096,
    seed: int = 0,
    **options: Any,
) -> Comparison:
    """As `compare`, with the output on both rows."""
    name = _output(output)
    if isinstance(orders, bool) or not isinstance(orders, int) or orders < 4 or orders % 2:
        raise InvalidInput(
            f"orders = {orders!r}: an even number from 4 on is wanted, as each is taken with its reverse"
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidInput(f"seed = {seed!r}: a whole number from 0 on is wanted")
    mixtures = _Mixtures(_rows(a, b), name, options)
    inputs = mixtures.inputs(groups or {})
    moving = [one for one in inputs if mixtures.reads & {*one.members}]
    before, after = mixtures.ends
    n = len(moving)
    taken = orders if n > _EXACT_INPUTS else 0

    def answers(changed: Bools) -> Floats:
        return mixtures.answers(moving, changed)

    if taken:
        parts, errors = sampled(answers, n, (before, after), orders // 2, seed)
    else:
        parts, errors = shapley(answers((np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(bool))), np.zeros(n)
    summed = sum_to(parts, after - before)
    found = {one.name: (part, float(error)) for one, part, error in zip(moving, summed, errors, strict=True)}
    lines = []
    for one in inputs:
        part, error = found.get(one.name, (0.0, 0.0))
        # Plus 0.0: a zero is not to be shown as -0.
        share = part / (after - before) + 0.0 if after != before else None
        lines.append((one.name, *mixtures.texts(one), part, error, share))
    lines.sort(key=lambda line: -abs(line[3]))
    numbers = dict.fromkeys(("contribution", "standard_error", "share"), pl.Float64)
    schema = {"input": pl.String, "from": pl.String, "to": pl.String, **numbers}
    return Comparison(pl.DataFrame(lines, schema=schema, orient="row"), name, before, after, taken)


# ------------------------------------------------------------------------------------------ the two rows


def _output(output: str | None) -> str:
    if output is None:
        raise InvalidInput("output: name the number that is compared, such as build_npv_usd")
    names = output_names(output)
    if len(names) > 1:
        raise InvalidInput(f"output {output}: a model; name one of its outputs: {', '.join(names)}")
    variable = declared()[names[0]]
    if variable.kind not in ("number", "integer"):
        raise InvalidInput(f"output {variable.name}: of kind {variable.kind}, which has no difference; use a number")
    return variable.name


def _frame(given: object, what: str) -> pl.DataFrame:
    if isinstance(given, Mapping):
        return pl.DataFrame([pl.Series(name, [value]) for name, value in given.items()])
    if given is None:
        raise InvalidInput(f"{what} is wanted: a frame of one row or a mapping; or a frame of two rows alone")
    return given.collect() if isinstance(given, pl.LazyFrame) else _to_polars(given)


def _rows(a: object, b: object) -> tuple[pl.DataFrame, pl.DataFrame]:
    first = _frame(a, "a")
    if b is None and first.height == 2:
        return first[:1], first[1:]
    second = _frame(b, "b")
    for what, frame in (("a", first), ("b", second)):
        if frame.height != 1:
            raise InvalidInput(f"{what}: {frame.height:,} rows where one scenario is wanted; choose a row, as frame[0]")
    return first, second


def _plain(series: pl.Series) -> Any:
    """The value of a column of one row, so that equal values are equal whatever their types."""
    variable = declared().get(series.name)
    kind = "choice" if variable is None else variable.kind
    types = {"choice": pl.String(), "boolean": pl.Boolean(), "date": pl.Date()}
    return series.cast(types.get(kind, pl.Float64()))[0]


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime.date) else declared()[name].show(value)


class _Mixtures:
    """Rows that have some inputs of a and the others of b."""

    def __init__(self, rows: tuple[pl.DataFrame, pl.DataFrame], output: str, options: dict[str, Any]) -> None:
        self.output = output
        self.options = options
        ends = []
        for what, row in zip("ab", rows, strict=True):
            try:
                value = evaluate(row, output, **options)[output][0]
            except InvalidInput as error:
                raise InvalidInput(f"{what}: {error}") from None
            if value is None or math.isinf(value):
                shown = "null, as the scenario can't be (a status output says why)" if value is None else f"{value}"
                raise InvalidInput(f"{what}: {output} is {shown}, so there is no difference; compare another output")
            ends.append(float(value))
        self.ends = (ends[0], ends[1])
        names = dict.fromkeys(n for row in rows for n in row.columns if n in declared() or n in KEYS)
        both = {n: [_plain(row[n]) if n in row.columns else None for row in rows] for n in names}
        self.values = {n: pair for n, pair in both.items() if pair != [None, None]}
        self.differing = [n for n, (from_a, from_b) in self.values.items() if from_a != from_b]
        self.reads = self._reads()

    def inputs(self, groups: Mapping[str, Sequence[str]]) -> list[_Input]:
        """What differs, by group."""
        grouped: dict[str, str] = {}
        for group, names in groups.items():
            if isinstance(names, str):
                raise InvalidInput(f"groups: {group} = {names!r}: a list of inputs is wanted")
            for name in names:
                if name not in declared() and name not in KEYS:
                    hint = did_you_mean(name, [*declared(), *KEYS])
                    raise InvalidInput(f"groups: {group}: {name} is not a variable{hint}")
                if name in grouped:
                    raise InvalidInput(f"groups: {name} is in {grouped[name]} and in {group}; put it into one")
                grouped[name] = group
        for group in groups:
            if group in self.differing and grouped.get(group) != group:
                raise InvalidInput(f"groups: {group} is the name of another input; choose another name")
        members: dict[str, list[str]] = {}
        for name in self.differing:
            members.setdefault(grouped.get(name, name), []).append(name)
        return [_Input(name, tuple(own)) for name, own in members.items()]

    def texts(self, one: _Input) -> tuple[str | None, str | None]:
        """The input in a and in b."""
        if one.members == (one.name,):
            from_a, from_b = (_text(one.name, value) for value in self.values[one.name])
            return from_a, from_b
        sides = []
        for side in (0, 1):
            known = {name: _text(name, self.values[name][side]) for name in one.members}
            sides.append("; ".join(f"{n} not given" if text is None else f"{n} = {text}" for n, text in known.items()))
        return sides[0], sides[1]

    def answers(self, inputs: Sequence[_Input], changed: Bools) -> Floats:
        """The output on the rows that have the inputs of b where `changed`. Refuses a row that has none."""
        found = np.empty(len(changed))
        for first in range(0, len(changed), BATCH_ROWS):
            some = changed[first : first + BATCH_ROWS]
            of_b = {name: some[:, k] for k, one in enumerate(inputs) for name in one.members}
            rows = evaluate(self._frame(len(some), of_b), self.output, on_invalid="null", **self.options)
            values = rows[self.output].cast(pl.Float64).fill_null(math.nan).to_numpy()
            if not np.isfinite(values).all():
                reasons = rows["invalid_reason"].to_list()
                raise InvalidInput(self._refusal(inputs, some, values, reasons))
            found[first : first + len(some)] = values
        return found

    def _frame(self, rows: int, of_b: Mapping[str, Bools]) -> pl.DataFrame:
        neither = np.zeros(rows, dtype=np.uint32)
        columns = []
        for name, pair in self.values.items():
            which = of_b[name].astype(np.uint32) if name in of_b else neither
            columns.append(pl.Series(name, pair).gather(which))
        return pl.DataFrame(columns) if columns else pl.DataFrame({"row": neither})

    def _reads(self) -> set[str]:
        """Which of the columns that differ the output can read: the rest contribute nothing.

        That hangs on what is known, not on its value, so only what is null in one row, and keys, are tried both ways.
        """
        switching = [n for n in self.differing if n in KEYS or None in self.values[n]]
        if len(switching) > _EXACT_INPUTS:
            return set(self.differing)
        rows = 1 << len(switching)
        of_b = {name: (np.arange(rows) >> k & 1).astype(bool) for k, name in enumerate(switching)}
        frame = self._frame(rows, of_b)
        options = {"assume": None, "catalog": None, "as_of": None, "strict": True} | self.options
        call = _call(frame.schema, self.output, options["assume"], options["catalog"], options["as_of"], "null",
                     options["strict"], None, False)  # fmt: skip
        arguments, keys = _arguments(frame, call)
        found = set()
        for name, origin, detail, *_ in _core.resolve(*arguments):
            if origin == "column":
                found.add(name)
            elif origin == "catalog":
                found.add(keys[int(detail)])
        return found

    # -------------------------------------------------------------------------------------- refusals

    def _refusal(self, inputs: Sequence[_Input], changed: Bools, values: Floats, reasons: Sequence[str | None]) -> str:
        """Which mixture has no answer, why, and what to group."""
        good = np.isfinite(values)
        row = nearest_an_end(changed, ~good)
        names = [one.name for one in inputs]
        moved = [name for name, of_b in zip(names, changed[row], strict=True) if of_b]
        kept = [name for name, of_b in zip(names, changed[row], strict=True) if not of_b]
        few = f"a with {_listed(moved)} of b" if len(moved) <= len(kept) else f"b with {_listed(kept)} of a"
        value = values[row]
        why = reasons[row] or (f"{self.output} is {'null' if math.isnan(value) else value}")
        blocks = together(changed, good)
        count = int((~good).sum())
        lead = f"{count:,} of {len(good):,} mixtures of a and b have no answer, such as {few}: {why}."
        shown: dict[str, list[str]] = {}
        for block in blocks:
            members = [name for i in block for name in inputs[i].members]
            if len(members) > 1:
                # A group that is there keeps its name.
                known = next((inputs[i].name for i in block if len(inputs[i].members) > 1), None)
                shown[known or f"together_{len(shown) + 1}"] = members
        if len(blocks) == 1:
            return f"{lead} All inputs can only change together, groups={shown}, or compare other rows"
        return f"{lead} Let inputs that belong together change together: groups={shown}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more
