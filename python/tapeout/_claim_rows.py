"""Rows of a claim's scenarios: what each name stands for in them, and every evaluation made once.

A scenario changes what names stand for: a draw, a value, or what is derived of others. Two scenarios in which all that
can reach an output stands for the same have the same answer, so it is computed once for both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tapeout._claim_card import Card, Scenario, Value
from tapeout._expression import Expression, Name
from tapeout.declarations import KEYS, declared

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Called before each evaluation of a thread; raises where nobody waits for the answer any more.
go_on: ContextVar[Callable[[], None]] = ContextVar("go_on", default=lambda: None)


class Meaning:
    """What a name stands for. There is one object for each, so that the same is told by identity."""

    #: The draws behind it.
    draws: frozenset[str] = frozenset()


class Drawn(Meaning):
    """A column of the draws."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.draws = frozenset({name})


class Constant(Meaning):
    """One value for all rows."""

    def __init__(self, value: Value) -> None:
        self.value = value


class Derived(Meaning):
    """An expression of what other names stand for."""

    def __init__(self, expression: Expression, reads: Mapping[str, Meaning]) -> None:
        self.expression = expression
        self.reads = reads
        self.draws = frozenset().union(*(read.draws for read in reads.values()))
        self.depth: int = 1 + max((read.depth for read in reads.values() if isinstance(read, Derived)), default=0)


@cache
def _drawn(name: str) -> Drawn:
    return Drawn(name)


@cache
def _constant(kind: str, text: str, value: Value) -> Constant:
    return Constant(value)


@cache
def _derived(expression: Expression, reads: tuple[tuple[str, Meaning], ...]) -> Derived:
    return Derived(expression, dict(reads))


def meanings(
    scenario: Scenario, columns: Iterable[str], optional: Collection[str], pinned: Collection[str]
) -> dict[str, Meaning]:
    """What each name of a scenario stands for. `pinned` columns win over every change."""
    taken = {name for change in scenario for name in change.draws}
    found: dict[str, Meaning] = {
        name: _drawn(name) for name in columns if name not in optional or name in taken or name in pinned
    }
    for change in scenario:
        for name in (*change.without, *dict(change.assume)):
            if name not in pinned:
                found.pop(name, None)
        for name, value in change.assume:
            if name not in pinned:
                # 1 and True are equal, and so are 0.0 and -0.0; they do not stand for the same.
                found[name] = _constant(type(value).__name__, repr(value), value)
        for name, expression in change.derive:
            if name not in pinned:
                reads = sorted({read.quantity for read in expression.names()})
                found[name] = _derived(expression, tuple((read, found[read]) for read in reads))
    return found


@cache
def _providers() -> dict[str, list[tuple[frozenset[str], frozenset[str]]]]:
    """For each output inputs and outputs of the models that have it."""
    import tapeout

    found: dict[str, list[tuple[frozenset[str], frozenset[str]]]] = {}
    for row in tapeout.models().iter_rows(named=True):
        for output in row["outputs"]:
            found.setdefault(output, []).append((frozenset(row["inputs"]), frozenset(row["outputs"])))
    return found


@cache
def _always() -> frozenset[str]:
    """Keys of catalogs, and choices, which those of another model may follow."""
    return frozenset(KEYS) | {name for name, one in declared().items() if one.kind in ("choice", "boolean")}


@cache
def reach(outputs: frozenset[str], supplied: frozenset[str]) -> frozenset[str]:
    """All that may have a part in the outputs.

    That is what the models behind them read, and what else these compute, up to what is supplied.
    """
    reached = set(outputs)
    open_names = list(outputs)
    while open_names:
        for reads, gives in _providers().get(open_names.pop(), ()):
            new = (reads | gives) - reached
            reached |= new
            open_names += new - supplied
    return frozenset(reached | _always())


@cache
def _variables() -> frozenset[str]:
    """All that `evaluate` takes."""
    return frozenset(KEYS) | frozenset(declared())


_Key = frozenset[tuple[str, Meaning]]
#: An expression under a definition of a card.
Asked = tuple[Card, str, Expression]


class Rows:
    """Some rows of draws. Each scenario is evaluated once, with all that was said to be needed of it.

    draw: gives a column of the draws. optional: draws that a scenario has only if it takes them. reuse: outputs
    computed once for all scenarios that agree in what can reach these. pinned: columns that win over every change.
    """

    def __init__(
        self,
        height: int,
        columns: Sequence[str],
        draw: Callable[[str], pl.Series],
        *,
        optional: frozenset[str] = frozenset(),
        reuse: tuple[str, ...] = (),
        pinned: frozenset[str] = frozenset(),
    ) -> None:
        self.height = height
        self._columns = tuple(columns)
        self._draw = draw
        self._optional = optional
        self._reuse = reuse
        self._pinned = pinned
        self._meanings: dict[Scenario, dict[str, Meaning]] = {}
        self._series: dict[Meaning, pl.Series] = {}
        self._pending: dict[Scenario, set[str]] = {}
        self._answers: dict[tuple[Scenario, str], pl.Series] = {}
        self._reused: dict[_Key, list[pl.Series]] = {}

    def need(
        self, card: Card, definition: str, expression: Expression, *, only: Collection[Name] | None = None
    ) -> None:
        """Announce that an expression, or `only` some of its names, will be asked for."""
        for name in expression.names() if only is None else only:
            scenario = card.scenario(definition, name.variant)
            if name.quantity not in self._of(scenario) and (scenario, name.quantity) not in self._answers:
                self._pending.setdefault(scenario, set()).add(name.quantity)

    def values(self, card: Card, definition: str, expression: Expression) -> pl.Series:
        """The expression's value on every row."""
        return self.frame([(card, definition, expression)]).to_series()

    def frame(self, asked: Sequence[Asked]) -> pl.DataFrame:
        """The values of several expressions, in columns named by their place."""
        for one in asked:
            self.need(*one)
        self._evaluate_pending()
        self._derive(
            meaning
            for card, definition, expression in asked
            for name in expression.names()
            if (meaning := self._of(card.scenario(definition, name.variant)).get(name.quantity))
        )
        read: dict[int, pl.Series] = {}

        def compiled(card: Card, definition: str, expression: Expression) -> pl.Expr:
            def lookup(name: Name) -> pl.Expr:
                value = self.value(card.scenario(definition, name.variant), name.quantity)
                if not isinstance(value, pl.Series):
                    return pl.lit(value)
                read[id(value)] = value
                return pl.col(str(id(value)))

            return expression.compile(lookup)

        columns = [compiled(*one).alias(str(place)) for place, one in enumerate(asked)]
        return self._selected(read, columns)

    def value(self, scenario: Scenario, quantity: str) -> pl.Series | Value:
        """One quantity of a scenario that was announced."""
        meaning = self._of(scenario).get(quantity)
        if isinstance(meaning, Constant):
            return meaning.value
        if meaning is not None:
            self._derive([meaning])
            return self._series[meaning]
        if (scenario, quantity) not in self._answers:
            self._evaluate_pending()
        return self._answers[scenario, quantity]

    def _of(self, scenario: Scenario) -> dict[str, Meaning]:
        if scenario not in self._meanings:
            self._meanings[scenario] = meanings(scenario, self._columns, self._optional, self._pinned)
        return self._meanings[scenario]

    def _selected(self, read: Mapping[int, pl.Series], columns: Sequence[pl.Expr]) -> pl.DataFrame:
        """Expressions of the series, on every row even where they read none."""
        frame = pl.DataFrame([series.alias(str(place)) for place, series in read.items()]).select(columns)
        return frame if frame.height == self.height else frame[[0] * self.height]

    def _derive(self, wanted: Iterable[Meaning]) -> None:
        """Computes what is not there yet: all of one depth at once."""
        missing: set[Meaning] = set()
        open_ones = list(wanted)
        while open_ones:
            meaning = open_ones.pop()
            if meaning in missing or meaning in self._series or isinstance(meaning, Constant):
                continue
            if isinstance(meaning, Drawn):
                self._series[meaning] = self._draw(meaning.name)
            elif isinstance(meaning, Derived):
                missing.add(meaning)
                open_ones += meaning.reads.values()
        by_depth: dict[int, list[Derived]] = {}
        for meaning in missing:
            assert isinstance(meaning, Derived)
            by_depth.setdefault(meaning.depth, []).append(meaning)
        for _, derived in sorted(by_depth.items()):
            read: dict[int, pl.Series] = {}

            def lookup(name: Name, reads: Mapping[str, Meaning], read: dict[int, pl.Series] = read) -> pl.Expr:
                meaning = reads[name.quantity]
                if isinstance(meaning, Constant):
                    return pl.lit(meaning.value)
                read[id(meaning)] = self._series[meaning]
                return pl.col(str(id(meaning)))

            columns = [
                one.expression.compile(partial(lookup, reads=one.reads)).alias(str(place))
                for place, one in enumerate(derived)
            ]
            found = self._selected(read, columns)
            self._series |= dict(zip(derived, found.get_columns(), strict=True))

    def _evaluate_pending(self) -> None:
        """Evaluates all that is waited for, once for all scenarios that share what can reach it."""
        variables = _variables()
        alike: dict[_Key, dict[Scenario, set[str]]] = {}
        for scenario, wanted in self._pending.items():
            key = frozenset(pair for pair in self._of(scenario).items() if pair[0] in variables)
            alike.setdefault(key, {})[scenario] = wanted
        self._pending = {}
        shared: dict[_Key, dict[Scenario, set[str]]] = {}
        for key, scenarios in alike.items():
            within = reach(frozenset().union(*scenarios.values()), frozenset(name for name, _ in key))
            reduced = frozenset(pair for pair in key if pair[0] in within)
            shared.setdefault(reduced, {}).update(scenarios)
        self._derive(meaning for key in shared for _, meaning in key)
        for key, scenarios in shared.items():
            outputs = sorted(set().union(*scenarios.values()))
            answers = dict(zip(outputs, self._evaluated(key, outputs), strict=True))
            for scenario, wanted in scenarios.items():
                self._answers |= {(scenario, name): answers[name] for name in wanted}

    def _evaluated(self, key: _Key, outputs: Sequence[str]) -> list[pl.Series]:
        import tapeout

        go_on.get()()
        means = dict(sorted(key, key=lambda pair: pair[0]))
        constants = {name: meaning.value for name, meaning in means.items() if isinstance(meaning, Constant)}
        given = [self._series[meaning].alias(name) for name, meaning in means.items() if name not in constants]
        supplied = frozenset(means)
        reuse = frozenset(self._reuse)
        if reuse and reuse.isdisjoint({*supplied, *outputs}) and reuse <= reach(frozenset(outputs), supplied):
            given += self._computed_once(key, supplied)
        rows = pl.DataFrame(given) if given else pl.DataFrame({"row": range(self.height)})
        answers = tapeout.evaluate(rows, list(outputs), assume=constants)
        return [answers[name] for name in outputs]

    def _computed_once(self, key: _Key, supplied: frozenset[str]) -> list[pl.Series]:
        """The outputs in `reuse`, shared by all scenarios that agree in what can reach these."""
        behind = reach(frozenset(self._reuse), supplied)
        same = frozenset(pair for pair in key if pair[0] in behind)
        if same not in self._reused:
            self._reused[same] = self._evaluated(same, self._reuse)
        return self._reused[same]


def redrawn(
    card: Card, of: Expression, groups: Sequence[Collection[str]], one: pl.DataFrame, other: pl.DataFrame
) -> NDArray[np.float64]:
    """The headline's answers on the rows of `one`, then with each group of columns from `other`; 0 where null.

    Nothing is optional. What a group can't reach is computed once.
    """
    sources = {name: (card.scenario(card.headline, name.variant), name.quantity) for name in of.names()}
    reached: dict[tuple[int, ...], list[Name]] = {}
    for name, (scenario, quantity) in sources.items():
        behind = _draws_behind(meanings(scenario, one.columns, (), ()), quantity)
        touched = tuple(k for k, group in enumerate(groups) if not behind.isdisjoint(group))
        reached.setdefault(touched, []).append(name)
    columns: dict[Name, pl.Series] = {}
    constants: dict[Name, Value] = {}
    for touched, names in reached.items():

        def draw(name: str, touched: tuple[int, ...] = touched) -> pl.Series:
            return pl.concat([one[name], *(other[name] if name in groups[k] else one[name] for k in touched)])

        rows = Rows(one.height * (1 + len(touched)), one.columns, draw)
        rows.need(card, card.headline, of, only=names)
        # Where each group's rows are among those computed: the first part for what it does not touch.
        parts = [0, *(touched.index(k) + 1 if k in touched else 0 for k in range(len(groups)))]
        for name in names:
            value = rows.value(*sources[name])
            if isinstance(value, pl.Series):
                columns[name] = pl.concat([value.slice(part * one.height, one.height) for part in parts])
            else:
                constants[name] = value
    place = {name: str(k) for k, name in enumerate(columns)}
    answer = pl.DataFrame([series.alias(place[name]) for name, series in columns.items()]).select(
        of.compile(lambda name: pl.col(place[name]) if name in place else pl.lit(constants[name])).alias("answer")
    )
    numbers = answer["answer"].cast(pl.Float64).fill_null(0.0).to_numpy()
    return np.broadcast_to(numbers, (1 + len(groups)) * one.height).reshape(1 + len(groups), one.height)


def _draws_behind(of: Mapping[str, Meaning], quantity: str) -> frozenset[str]:
    """The draws that can reach a quantity of a scenario."""
    if quantity in of:
        return of[quantity].draws
    within = reach(frozenset({quantity}), frozenset(of) & _variables())
    return frozenset(chain.from_iterable(meaning.draws for name, meaning in of.items() if name in within))
