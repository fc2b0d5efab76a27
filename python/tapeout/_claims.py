"""Claims, weighed: every card's sweep drawn, evaluated and counted.

A claim is true on a row where its predicate is; P is the share of rows. Rows are parameter uncertainty; what is random
inside a row (the schedule) is already in the models' means and probabilities.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from tapeout._claim_card import (
    Card,
    Change,
    Companion,
    Definition,
    InvalidCard,
    Scenario,
    Table,
    Threshold,
    Value,
    VarianceQuestion,
    load,
    nearest,
)
from tapeout._claim_result import (
    BinResult,
    ClaimResult,
    CompanionResult,
    CrossedResult,
    DefinitionResult,
    Driver,
    Flip,
    GroupShare,
    TableResult,
    ThresholdResult,
    VarianceResult,
)
from tapeout._draws import Draws, declared_bounds
from tapeout._expression import Expression, Name
from tapeout.distributions import Distribution

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = 1_000_000
SEED = 1

# Rows evaluated at once: large enough to keep every core busy, small enough that fifty columns stay under 100 MB.
_BATCH_ROWS = 65_536
# Rows behind rank correlations, and behind each group's variance share, where every group is one more evaluation.
_SURVEY_ROWS = 65_536
# Rows in which each input alone is drawn anew.
_REDRAWN_ROWS = 16_384
_DRIVERS = 3
# Models that take most of the time of a card that has them.
_COSTLY = {"build", "alignment_search", "speed_serving"}
# A threshold search tries this many points, then splits each cell in which the answer changes this often.
_GRID_POINTS = 257
_SPLIT_POINTS = 65
_SPLITS = 4
# Above this ratio of its ends a positive range is searched in equal ratios instead of equal steps.
_LOG_SEARCH_RATIO = 20.0


def claims() -> pl.DataFrame:
    """The claims that are shipped: id, statement, said_by, attribution, models, predicate, one a row."""
    return pl.DataFrame(
        [
            {
                "id": card.id,
                "statement": card.statement,
                "said_by": card.said_by,
                "attribution": card.attribution,
                "models": ", ".join(card.models),
                "predicate": card.predicate.text,
            }
            for card in load().values()
        ]
    )


def run(claim: str, *, samples: int = SAMPLES, seed: int = SEED, folder: Path | None = None) -> ClaimResult:
    """Weigh one claim over `samples` scenarios. Same seed and samples, same result, on any machine."""
    return run_all([claim], samples=samples, seed=seed, folder=folder)[0]


def run_all(
    ids: Sequence[str] | None = None,
    *,
    samples: int = SAMPLES,
    seed: int = SEED,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[ClaimResult]:
    """Weigh several claims (all by default), in the order asked.

    Claims that share a sweep share its draws, and definitions that share a scenario share its evaluation.
    `progress` is told of steps done and steps in all.
    Raises InvalidCard for an unknown id or a broken card.
    """
    cards = load(folder)
    ids = list(cards) if ids is None else list(ids)
    for claim in ids:
        if claim not in cards:
            raise InvalidCard(f"no claim {claim!r}{nearest(claim, cards)}; there are {', '.join(cards)}")
    families: dict[Any, list[Card]] = {}
    for card in (cards[claim] for claim in dict.fromkeys(ids)):
        columns = tuple((name, entry.distribution) for name, entry in card.drawn.items())
        families.setdefault((columns, card.correlations), []).append(card)
    results: dict[str, ClaimResult] = {}
    steps = len(families) * math.ceil(samples / _BATCH_ROWS) + len(set(ids))
    done = itertools.count(1)

    def step() -> None:
        if progress is not None:
            progress(next(done), steps)

    for family in families.values():
        for result in _run_family(family, samples, seed, step):
            results[result.id] = result
    return [results[claim] for claim in ids]


@dataclass
class _Tally:
    rows: int = 0
    true_rows: int = 0
    undefined_rows: int = 0


@dataclass
class _Running:
    card: Card
    tallies: dict[str, _Tally]
    bins: list[list[_Tally]]
    companions: tuple[CompanionResult, ...] = ()
    correlations: dict[str, float] = field(default_factory=dict)
    crossed: CrossedResult | None = None


def _run_family(cards: list[Card], samples: int, seed: int, step: Callable[[], None]) -> list[ClaimResult]:
    first = cards[0]
    draws = first.draws(samples=samples, seed=seed)
    running = [
        _Running(
            card,
            {name: _Tally() for name in card.definitions},
            [[_Tally() for _ in range(len(table.edges) + 1)] for table in card.tables],
        )
        for card in cards
    ]
    for index, frame in enumerate(_ahead(draws.batches(_BATCH_ROWS))):
        batch = _Batch(frame, first.optional_draws, first.reuse)
        survey = index == 0
        for one in running:
            counted = _counted(one.card, survey)
            for definition in counted:
                batch.need(one.card, definition.name, definition.predicate)
                if definition.given:
                    batch.need(one.card, definition.name, definition.given)
            for table in one.card.tables:
                if one.card.definitions[table.definition] in counted:
                    batch.need(one.card, table.definition, table.by)
            if survey:
                for companion in one.card.companions:
                    batch.need(one.card, companion.definition, companion.value)
                batch.need(one.card, one.card.headline, one.card.drivers_of)
        for one in running:
            counted = _counted(one.card, survey)
            for definition in counted:
                _count(one.tallies[definition.name], batch, one.card, definition)
            for table, bins in zip(one.card.tables, one.bins, strict=True):
                if one.card.definitions[table.definition] in counted:
                    _count_bins(bins, batch, one.card, table)
            if survey:
                one.companions = tuple(_summarize(batch, one.card, companion) for companion in one.card.companions)
                one.correlations = _correlations(batch, one.card)
                one.crossed = _cross(batch, one.card)
        step()
    results = []
    for one in running:
        results.append(_result(one, samples, seed))
        step()
    return results


def _ahead(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same batches, the next one drawn while one is evaluated."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (frame := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield frame


def _counted(card: Card, survey: bool) -> list[Definition]:
    """The definitions counted on a batch.

    All of them on the first; on the others the headline and what its own evaluations answer too. The monthly model
    and searches take most of the time, and 65,536 rows tell another definition's share to 0.002.
    """

    def scenarios(definition: Definition) -> set[Scenario]:
        expressions = [definition.predicate, *([definition.given] if definition.given else [])]
        return {card.scenario(definition.name, name.variant) for e in expressions for name in e.names()}

    everything = list(card.definitions.values())
    if survey or not _COSTLY & set(card.models):
        return everything
    headline = scenarios(card.definitions[card.headline])
    return [definition for definition in everything if scenarios(definition) <= headline]


def _result(one: _Running, samples: int, seed: int) -> ClaimResult:
    card = one.card
    return ClaimResult(
        id=card.id,
        statement=card.statement,
        said_by=card.said_by,
        attribution=card.attribution,
        caution=card.caution,
        samples=samples,
        seed=seed,
        drivers_of=card.drivers_of.text,
        definitions=tuple(
            DefinitionResult(
                name=name,
                says=definition.says,
                predicate=definition.predicate.text,
                rows=one.tallies[name].rows,
                true_rows=one.tallies[name].true_rows,
                undefined_rows=one.tallies[name].undefined_rows,
                expected=definition.expected,
                tolerance=definition.tolerance,
            )
            for name, definition in card.definitions.items()
        ),
        tables=tuple(_binned(table, bins) for table, bins in zip(card.tables, one.bins, strict=True)),
        companions=one.companions,
        thresholds=tuple(_search(card, threshold) for threshold in card.thresholds),
        drivers=_drivers(card, one.correlations, samples, seed),
        variance=_variance(card, card.variance, samples, seed) if card.variance else None,
        crossed=one.crossed,
        evidence_for=card.evidence_for,
        evidence_against=card.evidence_against,
    )


@dataclass
class _Batch:
    """Some rows of draws; each scenario is evaluated once, with all that was said to be needed of it."""

    draws: pl.DataFrame
    optional: frozenset[str]
    reuse: tuple[str, ...] = ()
    # Columns whose values win over every change: what a threshold search varies.
    pinned: frozenset[str] = frozenset()
    _needs: dict[Scenario, set[str]] = field(default_factory=dict)
    _values: dict[Scenario, dict[str, pl.Series | Value]] = field(default_factory=dict)
    _reused: dict[Scenario, list[pl.Series]] = field(default_factory=dict)

    def need(self, card: Card, definition: str, expression: Expression) -> None:
        """Announce that an expression will be asked for, so that its scenarios are evaluated once for all."""
        for name in expression.names():
            self._needs.setdefault(card.scenario(definition, name.variant), set()).add(name.quantity)

    def values(self, card: Card, definition: str, expression: Expression) -> pl.Series:
        """The expression's value on every row."""
        columns: dict[str, pl.Series] = {}
        literals: dict[str, Value] = {}
        for name in expression.names():
            value = self._scenario(card.scenario(definition, name.variant))[name.quantity]
            if isinstance(value, pl.Series):
                columns[str(name)] = value
            else:
                literals[str(name)] = value

        def lookup(name: Name) -> pl.Expr:
            return pl.lit(literals[str(name)]) if str(name) in literals else pl.col(str(name))

        rows = pl.DataFrame(columns) if columns else self.draws.select(pl.first())
        value = rows.select(expression.compile(lookup).alias("value"))["value"]
        return value if len(value) == self.draws.height else value.new_from_index(0, self.draws.height)

    def _scenario(self, scenario: Scenario) -> dict[str, pl.Series | Value]:
        if scenario not in self._values:
            self._values[scenario] = self._evaluate(scenario, self._needs[scenario])
        return self._values[scenario]

    def _evaluate(self, scenario: Scenario, needs: set[str]) -> dict[str, pl.Series | Value]:
        import tapeout

        frame, assumed = _apply(self.draws, scenario, self.optional, self.pinned)
        variables = _variable_names()
        outputs = sorted(needs - set(frame.columns) - set(assumed))
        found: dict[str, pl.Series | Value] = {
            name: frame[name] if name in frame.columns else assumed[name] for name in needs - set(outputs)
        }
        if outputs:
            given = frame.select([name for name in frame.columns if name in variables])
            constants = {name: value for name, value in assumed.items() if name in variables}
            if self.reuse and not set(self.reuse) & (set(frame.columns) | set(assumed)):
                given = given.with_columns(self._computed_once(scenario, given, constants))
            answers = tapeout.evaluate(given, outputs, assume=constants)
            found |= {name: answers[name] for name in outputs}
        return found

    def _computed_once(self, scenario: Scenario, given: pl.DataFrame, constants: dict[str, Value]) -> list[pl.Series]:
        """The outputs in `reuse`, shared by all scenarios that agree in what these are computed from."""
        import tapeout

        key = _restricted(scenario, _computed_from(self.reuse))
        if key not in self._reused:
            answers = tapeout.evaluate(given, list(self.reuse), assume=constants)
            self._reused[key] = [answers[name] for name in self.reuse]
        return self._reused[key]


@cache
def _computed_from(outputs: tuple[str, ...]) -> frozenset[str]:
    """Everything that can reach the outputs: inputs and outputs of the models behind them, and the catalog's keys."""
    import tapeout

    models = [(set(row["inputs"]), set(row["outputs"])) for row in tapeout.models().iter_rows(named=True)]
    reached = set(outputs)
    while True:
        behind = set().union(*(gives | reads for reads, gives in models if gives & reached)) | reached
        if behind == reached:
            break
        reached = behind
    return frozenset(reached) | frozenset(tapeout.variables().filter(pl.col("role") == "key")["name"])


def _restricted(scenario: Scenario, names: frozenset[str]) -> Scenario:
    """The scenario's changes to these names, and to whatever their derivations read."""
    derived = [(name, expression) for change in scenario for name, expression in change.derive]
    while True:
        reads = {read.quantity for name, expression in derived if name in names for read in expression.names()}
        if reads <= names:
            break
        names |= reads
    changes = (
        Change(
            draws=tuple(name for name in change.draws if name in names),
            without=tuple(name for name in change.without if name in names),
            assume=tuple(pair for pair in change.assume if pair[0] in names),
            derive=tuple(pair for pair in change.derive if pair[0] in names),
        )
        for change in scenario
    )
    return tuple(change for change in changes if change != Change())


@cache
def _variable_names() -> frozenset[str]:
    import tapeout

    return frozenset(tapeout.variables()["name"])


def _apply(
    draws: pl.DataFrame, scenario: Scenario, optional: frozenset[str], pinned: frozenset[str]
) -> tuple[pl.DataFrame, dict[str, Value]]:
    """The columns and the constants of a scenario."""
    taken = {name for change in scenario for name in change.draws}
    frame = draws.drop([name for name in draws.columns if name in optional - taken - pinned])
    assumed: dict[str, Value] = {}
    for change in scenario:
        replaced = ({name for name, _ in change.assume} | set(change.without)) - pinned
        frame = frame.drop([name for name in frame.columns if name in replaced])
        assumed = {name: value for name, value in assumed.items() if name not in replaced}
        assumed |= {name: value for name, value in change.assume if name not in pinned}
        for name, expression in change.derive:
            if name in pinned:
                continue
            constants = assumed

            def lookup(read: Name, constants: dict[str, Value] = constants) -> pl.Expr:
                return pl.lit(constants[read.quantity]) if read.quantity in constants else pl.col(read.quantity)

            frame = frame.with_columns(expression.compile(lookup).alias(name))
            assumed = {other: value for other, value in assumed.items() if other != name}
    return frame, assumed


def _count(tally: _Tally, batch: _Batch, card: Card, definition: Definition, within: pl.Series | None = None) -> None:
    """Counts the rows that the definition admits, and of these only those `within`."""
    answer = batch.values(card, definition.name, definition.predicate)
    if definition.given:
        admitted = batch.values(card, definition.name, definition.given).fill_null(False)
        within = admitted if within is None else admitted & within
    if within is not None:
        answer = answer.filter(within)
    tally.rows += len(answer)
    tally.true_rows += int(answer.sum() or 0)
    tally.undefined_rows += answer.null_count()


def _count_bins(bins: list[_Tally], batch: _Batch, card: Card, table: Table) -> None:
    """Counts each bin's rows; a row whose quantity is unknown lies in none."""
    values = batch.values(card, table.definition, table.by).cast(pl.Float64).fill_nan(None)
    for tally, (low, high) in zip(bins, _ends(table), strict=True):
        within = ((values >= low) & ((values < high) | math.isinf(high))).fill_null(False)
        _count(tally, batch, card, card.definitions[table.definition], within)


def _ends(table: Table) -> list[tuple[float, float]]:
    return list(itertools.pairwise((-math.inf, *table.edges, math.inf)))


def _binned(table: Table, bins: list[_Tally]) -> TableResult:
    expected = table.expected or (None,) * len(bins)
    return TableResult(
        says=table.says,
        by=table.by.text,
        definition=table.definition,
        bins=tuple(
            BinResult(low, high, tally.rows, tally.true_rows, wanted)
            for (low, high), tally, wanted in zip(_ends(table), bins, expected, strict=True)
        ),
        tolerance=table.tolerance,
    )


def _summarize(batch: _Batch, card: Card, companion: Companion) -> CompanionResult:
    values = batch.values(card, companion.definition, companion.value).cast(pl.Float64).fill_nan(None)
    if given := card.definitions[companion.definition].given:
        values = values.filter(batch.values(card, companion.definition, given).fill_null(False))
    known = values.drop_nulls()
    infinite = int(known.is_infinite().sum())
    # Nearest rank: interpolating towards an infinite value would make a quantile of it.
    points = {level: known.quantile(level, "nearest") if len(known) else None for level in companion.quantiles}
    mean = known.mean()
    return CompanionResult(
        name=companion.name,
        rows=len(values),
        undefined_rows=values.null_count(),
        infinite_rows=infinite,
        mean=math.nan if mean is None else float(mean),  # type: ignore[arg-type]
        quantiles={level: math.nan if value is None else float(value) for level, value in points.items()},
        expected=companion.expected,
        expected_mean=companion.expected_mean,
        tolerance=companion.tolerance,
    )


def _cross(batch: _Batch, card: Card) -> CrossedResult | None:
    """Each combination of the switches, on the headline's sweep."""
    if card.crossed is None:
        return None
    crossed = card.crossed
    found = []
    for values in itertools.product(*crossed.over.values()):
        change = Change(assume=tuple(zip(crossed.over, values, strict=True)))
        definition = replace(card.definitions[card.headline], change=change)
        only = replace(card, definitions={card.headline: definition})
        for predicate in crossed.columns.values():
            batch.need(only, card.headline, predicate)
        shares = []
        for predicate in crossed.columns.values():
            answer = batch.values(only, card.headline, predicate)
            shares.append(int(answer.sum() or 0) / len(answer))
        found.append((values, tuple(shares)))
    return CrossedResult(
        says=crossed.says,
        over=tuple(crossed.over),
        columns=tuple(crossed.columns),
        predicates=tuple(predicate.text for predicate in crossed.columns.values()),
        rows=batch.draws.height,
        combinations=tuple(found),
        expected=crossed.expected,
        tolerance=crossed.tolerance,
    )


def _correlations(batch: _Batch, card: Card) -> dict[str, float]:
    """How the ranks of each drawn number move with the ranks of what the answer hangs on."""
    answer = batch.values(card, card.headline, card.drivers_of).cast(pl.Float64).fill_nan(None)
    inputs = [name for name in _taken(card) if batch.draws[name].dtype.is_numeric()]
    rows = batch.draws.select(inputs).with_columns(answer.alias("answer")).head(_SURVEY_ROWS).drop_nulls("answer")
    if rows.height < 3 or rows["answer"].n_unique() < 2:
        return {}
    ranks = rows.select(pl.all().rank())
    found = ranks.select(pl.corr(name, "answer").alias(name) for name in inputs).row(0, named=True)
    return {name: rho for name, rho in found.items() if rho is not None and not math.isnan(rho)}


def _drivers(card: Card, correlations: dict[str, float], samples: int, seed: int) -> tuple[Driver, ...]:
    """The inputs that decide the verdict: those that turn it most often when they alone are drawn anew."""
    definition = card.definitions[card.headline]
    rows = min(samples, _REDRAWN_ROWS)
    names = list(_taken(card))
    turned = dict.fromkeys(names, 0)
    true_rows = 0
    for before, after in _redrawn(card, definition.predicate, {name: (name,) for name in names}, rows, seed):
        true_rows += int(np.count_nonzero(before > 0))
        for name in names:
            turned[name] += int(np.count_nonzero((before > 0) != (after[name] > 0)))
    # Jansen's estimator for a verdict of 0 or 1, whose variance is p (1 - p).
    spread = 2 * true_rows * (rows - true_rows) / rows
    totals = {name: turned[name] / spread if spread else None for name in names}
    ordered = sorted(names, key=lambda name: (-(totals[name] or 0.0), -abs(correlations.get(name, 0.0))))
    return tuple(
        Driver(name, totals[name], correlations.get(name), card.drawn[name].basis, card.drawn[name].source)
        for name in ordered[:_DRIVERS]
    )


# ---------------------------------------------------------------------------------------------------- thresholds


def _search(card: Card, threshold: Threshold) -> ThresholdResult:
    """Every value of one input at which the predicate turns, the others at their median."""
    low, high = threshold.between or _bounds(card, threshold.vary)
    search = _Search(card, threshold)
    points = _spread(low, high, _GRID_POINTS)
    answers = search.answers(points)
    cells = [(points[i], points[i + 1], bool(answers[i + 1])) for i in np.flatnonzero(answers[1:] != answers[:-1])]
    for _ in range(_SPLITS):
        cells = search.narrow(cells)
    turns = np.array([(left + right) / 2 for left, right, _ in cells])
    flips = [
        Flip(float(at), reported, true_above)
        for at, reported, (_, _, true_above) in zip(turns, search.reported(turns), cells, strict=True)
    ]
    return ThresholdResult(
        vary=threshold.vary,
        report=threshold.report.text,
        definition=threshold.definition,
        low=low,
        high=high,
        flips=tuple(flips),
        throughout=None if flips else bool(answers[0]),
        expected=threshold.expected,
        tolerance=threshold.tolerance,
    )


class _Search:
    """Rows that differ in one input only."""

    def __init__(self, card: Card, threshold: Threshold) -> None:
        self.card = card
        self.threshold = threshold
        self.medians = card.draws(samples=1).medians()

    def answers(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        definition = self.card.definitions[self.threshold.definition]
        answers: NDArray[np.bool_] = self._values(points, definition.predicate).fill_null(False).to_numpy()
        return answers

    def reported(self, points: NDArray[np.float64]) -> list[float]:
        if not len(points):
            return []
        return self._values(points, self.threshold.report).cast(pl.Float64).fill_null(math.nan).to_list()

    def narrow(self, cells: list[tuple[float, float, bool]]) -> list[tuple[float, float, bool]]:
        """Each cell cut to the part in which its answer turns, all cells in one evaluation."""
        if not cells:
            return cells
        points = np.concatenate([_spread(left, right, _SPLIT_POINTS) for left, right, _ in cells])
        answers = self.answers(points).reshape(len(cells), _SPLIT_POINTS)
        narrowed = []
        for cell, (row, (_, _, true_above)) in enumerate(zip(answers, cells, strict=True)):
            turn = int(np.argmax(row == true_above))
            start = cell * _SPLIT_POINTS
            narrowed.append((float(points[start + max(turn, 1) - 1]), float(points[start + max(turn, 1)]), true_above))
        return narrowed

    def _values(self, points: NDArray[np.float64], expression: Expression) -> pl.Series:
        vary = self.threshold.vary
        rows = self.medians[[0] * len(points)].with_columns(pl.Series(vary, points))
        # What is drawn is varied where it is drawn, so that variants may rescale it; anything else is set outright.
        pinned = frozenset() if vary in self.card.drawn else frozenset({vary})
        batch = _Batch(rows, self.card.optional_draws, (), pinned)
        batch.need(self.card, self.threshold.definition, expression)
        return batch.values(self.card, self.threshold.definition, expression)


def _spread(low: float, high: float, count: int) -> NDArray[np.float64]:
    """Points from `low` to `high`, in equal ratios where the range is wide and positive."""
    if low > 0 and high / low > _LOG_SEARCH_RATIO:
        points = np.exp(np.linspace(math.log(low), math.log(high), count))
    else:
        points = np.linspace(low, high, count)
    # exp and ln do not return the very ends, and a cell must not lose its flip to that.
    points[0], points[-1] = low, high
    return points


def _bounds(card: Card, name: str) -> tuple[float, float]:
    """Where to look: the draw's own range, else the variable's typical range, else its bounds if they are finite."""
    import tapeout

    if name in card.drawn:
        return card.draws(samples=1).search_range(name)
    rows = tapeout.variables().filter(pl.col("name") == name)
    for ends in (("typical_low", "typical_high"), ("low", "high")):
        if rows.height and all(rows[end][0] is not None and math.isfinite(rows[end][0]) for end in ends):
            return float(rows[ends[0]][0]), float(rows[ends[1]][0])
    raise InvalidCard(f"{card.id}.toml: thresholds: {name} has no range to search; give between = [low, high]")


# ---------------------------------------------------------------------------------------------------- variance


def _taken(card: Card) -> dict[str, Distribution]:
    """What the headline draws."""
    taken = {name for change in card.scenario(card.headline) for name in change.draws}
    return {
        name: entry.distribution
        for name, entry in card.drawn.items()
        if name not in card.optional_draws or name in taken
    }


def _redrawn(
    card: Card, of: Expression, groups: Mapping[str, Sequence[str]], rows: int, seed: int
) -> Iterator[tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]]:
    """The headline's answers, 0 where null, and those with each group of inputs drawn anew; nothing is correlated."""
    columns = _taken(card)
    # A definition's optional draws are all in or out here already.
    outright = replace(card, optional_draws=frozenset())

    def answer(frame: pl.DataFrame) -> NDArray[np.float64]:
        batch = _Batch(frame, outright.optional_draws)
        batch.need(outright, outright.headline, of)
        return batch.values(outright, outright.headline, of).cast(pl.Float64).fill_null(0.0).to_numpy()

    for one, other in Draws(columns, samples=rows, seed=seed, bounds=declared_bounds(columns)).pairs(_BATCH_ROWS):
        yield answer(one), {name: answer(one.with_columns(other.select(inputs))) for name, inputs in groups.items()}


def _variance(card: Card, question: VarianceQuestion, samples: int, seed: int) -> VarianceResult:
    """Total Sobol indices by group (Jansen's estimator), on the sweep without its correlations."""
    rows = min(samples, _SURVEY_ROWS)
    squares: dict[str, list[NDArray[np.float64]]] = {name: [] for name in question.groups}
    turned = dict.fromkeys(question.groups, 0)
    values: list[NDArray[np.float64]] = []
    for before, after in _redrawn(card, question.of, question.groups, rows, seed):
        values.append(before)
        for name in question.groups:
            squares[name].append((before - after[name]) ** 2)
            turned[name] += int(np.count_nonzero((before > 0) != (after[name] > 0)))
    spread = 2 * float(np.var(np.concatenate(values)))
    shares = []
    for name in question.groups:
        terms = np.concatenate(squares[name]) / spread
        shares.append(
            GroupShare(
                name=name,
                total_index=float(np.mean(terms)),
                standard_error=float(np.std(terms)) / math.sqrt(rows),
                sign_turned_share=turned[name] / rows,
                expected=question.expected.get(name),
            )
        )
    return VarianceResult(question.says, question.group, rows, tuple(shares), question.tolerance)
