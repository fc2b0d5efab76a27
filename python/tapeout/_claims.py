"""Claims, weighed: every card's sweep drawn, evaluated and counted.

A claim is true on a row where its predicate is; P is the share of rows. Rows are parameter uncertainty; what is random
inside a row (the schedule) is already in the models' means and probabilities.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
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
from tapeout._claim_rows import Asked, Rows, go_on, redrawn
from tapeout._draws import Draws, declared_bounds
from tapeout._expression import Expression
from tapeout.distributions import Distribution

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLES = 1_000_000
SEED = 1

# Rows evaluated at once: large enough that what surrounds the models counts for little, small enough that fifty columns
# stay under 100 MB.
_BATCH_ROWS = 131_072
# The first rows, on which more is asked: rank correlations, each group's variance share, and definitions that cost.
_SURVEY_ROWS = 65_536
# Rows in which each input alone is drawn anew: so many of the inputs that lead, at first so many of all.
_REDRAWN_ROWS = 16_384
_FIRST_REDRAWN_ROWS = 2_048
# Standard errors by which an input must lie behind to be let go, and as many for the one it is held against.
_MARGIN = 3.5
# Rows evaluated at once where groups of inputs are drawn anew, with those of all groups.
_REDRAWN_AT_ONCE = 131_072
_DRIVERS = 3
# What a definition admits that says nothing of it.
_ALWAYS = Expression("0 < 1")
# Claims weighed at the same time: while one counts, another is evaluated.
_SIDE_BY_SIDE = 2
# Polars' handler of Ctrl-C has the wait for a result go on: so it is cut into pieces.
_LISTEN_EVERY_SECONDS = 0.1
# Models that take most of the time of a card that has them.
_COSTLY = {"build", "alignment_search", "speed_serving"}
# A threshold search tries this many points, then splits each cell in which the answer changes so often into as many.
_GRID_POINTS = 257
_SPLITS = 3
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
    told: Callable[[ClaimResult], None] | None = None,
) -> list[ClaimResult]:
    """Weigh several claims (all by default), in the order asked.

    Claims that share a sweep share its draws, and definitions that share a scenario share its evaluation.
    `progress` is told of steps done and steps in all, one call at a time; `told` of each result, while others are
    weighed.
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
    steps = len(families) * (1 + math.ceil(max(samples - _SURVEY_ROWS, 0) / _BATCH_ROWS)) + len(set(ids))
    done = itertools.count(1)
    results: dict[str, ClaimResult] = {}
    stopped = threading.Event()
    telling = threading.Lock()

    def check() -> None:
        if stopped.is_set():
            raise _Stopped

    def step() -> None:
        if progress is not None:
            with telling:
                progress(next(done), steps)

    def weigh(family: list[Card]) -> list[ClaimResult]:
        go_on.set(check)
        return _run_family(family, samples, seed, step)

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        waiting = {pool.submit(weigh, family) for family in families.values()}
        try:
            while waiting:
                ready, waiting = wait(waiting, _LISTEN_EVERY_SECONDS, FIRST_COMPLETED)
                for result in (result for one in ready for result in one.result()):
                    results[result.id] = result
                    if told is not None:
                        told(result)
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[claim] for claim in ids]


class _Stopped(Exception):
    """Another family of claims has failed, or the caller was interrupted."""


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
    crossed: CrossedResult | None = None
    # Of the first batch what the headline draws, if numbers, and as "answer" what drivers are correlated with.
    survey: pl.DataFrame = field(default_factory=pl.DataFrame)


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
    for index, frame in enumerate(_ahead(draws.batches(_BATCH_ROWS, _SURVEY_ROWS))):
        batch = Rows(frame.height, frame.columns, frame.get_column, optional=first.optional_draws, reuse=first.reuse)
        survey = index == 0
        for one in running:
            if survey:
                _announce(batch, one.card)
        _count(batch, running, survey)
        for one in running:
            if survey:
                one.companions = tuple(_summarize(batch, one.card, companion) for companion in one.card.companions)
                one.survey = _surveyed(batch, one.card, frame)
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
        thresholds=_thresholds(card),
        drivers=_drivers(card, one.survey, samples, seed),
        variance=_variance(card, card.variance, samples, seed) if card.variance else None,
        crossed=one.crossed,
        evidence_for=card.evidence_for,
        evidence_against=card.evidence_against,
    )


def _announce(batch: Rows, card: Card) -> None:
    """What the first batch is asked beside its counts."""
    for companion in card.companions:
        batch.need(card, companion.definition, companion.value)
    batch.need(card, card.headline, card.drivers_of)
    for definition, predicate in _combinations(card):
        batch.need(replace(card, definitions={card.headline: definition}), card.headline, predicate)


def _count(batch: Rows, running: Sequence[_Running], survey: bool) -> None:
    """Counts the rows that each definition admits, and those of each bin; a row of unknown quantity lies in none."""
    asked: list[Asked] = []

    def column(card: Card, definition: str, expression: Expression) -> pl.Expr:
        asked.append((card, definition, expression))
        return pl.col(str(len(asked) - 1))

    tallies: list[_Tally] = []
    counts: list[list[pl.Expr]] = []

    def tally(into: _Tally, answer: pl.Expr, within: pl.Expr) -> None:
        tallies.append(into)
        counts.append([within.sum(), (answer & within).sum(), (answer.is_null() & within).sum()])

    for one in running:
        counted = _counted(one.card, survey)
        answers: dict[str, tuple[pl.Expr, pl.Expr]] = {}
        for definition in counted:
            answer = column(one.card, definition.name, definition.predicate)
            admitted = column(one.card, definition.name, definition.given or _ALWAYS).fill_null(False)
            answers[definition.name] = answer, admitted
            tally(one.tallies[definition.name], answer, admitted)
        for table, bins in zip(one.card.tables, one.bins, strict=True):
            if table.definition not in answers:
                continue
            answer, admitted = answers[table.definition]
            values = column(one.card, table.definition, table.by).cast(pl.Float64).fill_nan(None)
            for part, (low, high) in zip(bins, _ends(table), strict=True):
                within = ((values >= low) & ((values < high) | math.isinf(high))).fill_null(False)
                tally(part, answer, admitted & within)
    found = batch.frame(asked).select(pl.concat_list(three).alias(str(k)) for k, three in enumerate(counts)).row(0)
    for into, (rows, true_rows, undefined) in zip(tallies, found, strict=True):
        into.rows += rows
        into.true_rows += true_rows
        into.undefined_rows += undefined


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


def _summarize(batch: Rows, card: Card, companion: Companion) -> CompanionResult:
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


def _combinations(card: Card) -> Iterator[tuple[Definition, Expression]]:
    """The headline under each combination of the switches, with each predicate."""
    if card.crossed is not None:
        for values in itertools.product(*card.crossed.over.values()):
            change = Change(assume=tuple(zip(card.crossed.over, values, strict=True)))
            for predicate in card.crossed.columns.values():
                yield replace(card.definitions[card.headline], change=change), predicate


def _cross(batch: Rows, card: Card) -> CrossedResult | None:
    """Each combination of the switches, on the headline's sweep."""
    if card.crossed is None:
        return None
    crossed = card.crossed
    asked = [
        (replace(card, definitions={card.headline: definition}), card.headline, predicate)
        for definition, predicate in _combinations(card)
    ]
    shares = [int(true_rows or 0) / batch.height for true_rows in batch.frame(asked).sum().row(0)]
    width = len(crossed.columns)
    found = [
        (values, tuple(shares[k * width : (k + 1) * width]))
        for k, values in enumerate(itertools.product(*crossed.over.values()))
    ]
    return CrossedResult(
        says=crossed.says,
        over=tuple(crossed.over),
        columns=tuple(crossed.columns),
        predicates=tuple(predicate.text for predicate in crossed.columns.values()),
        rows=batch.height,
        combinations=tuple(found),
        expected=crossed.expected,
        tolerance=crossed.tolerance,
    )


def _surveyed(batch: Rows, card: Card, draws: pl.DataFrame) -> pl.DataFrame:
    """The numbers that the headline draws, and what their ranks are correlated with."""
    answer = batch.values(card, card.headline, card.drivers_of).cast(pl.Float64).fill_nan(None)
    inputs = [name for name in _taken(card) if draws[name].dtype.is_numeric()]
    return draws.select(inputs).with_columns(answer.alias("answer")).drop_nulls("answer")


def _correlations(rows: pl.DataFrame, names: Iterable[str]) -> dict[str, float]:
    """How the ranks of these inputs move with the ranks of the answer."""
    inputs = [name for name in names if name in rows.columns]
    if rows.height < 3 or rows["answer"].n_unique() < 2 or not inputs:
        return {}
    ranks = rows.select(pl.col(*inputs, "answer").rank())
    found = ranks.select(pl.corr(name, "answer").alias(name) for name in inputs).row(0, named=True)
    return {name: rho for name, rho in found.items() if rho is not None and not math.isnan(rho)}


def _drivers(card: Card, survey: pl.DataFrame, samples: int, seed: int) -> tuple[Driver, ...]:
    """The inputs that decide the verdict: those that turn it most often when they alone are drawn anew.

    After the first rows, and each time they have doubled, inputs that can't be among the first any more are let go.
    """
    predicate = card.definitions[card.headline].predicate
    rows = min(samples, _REDRAWN_ROWS)
    turned = dict.fromkeys(_taken(card), 0)
    true_rows = 0
    done, until = 0, min(rows, _FIRST_REDRAWN_ROWS)
    while done < rows:
        groups = {name: (name,) for name in turned}
        for answers in _redrawn(card, predicate, groups, rows, seed, done, until):
            before, *after = answers > 0
            true_rows += int(np.count_nonzero(before))
            for name, now in zip(groups, after, strict=True):
                turned[name] += int(np.count_nonzero(before != now))
        turned = _may_lead(turned, until)
        done, until = until, min(rows, 2 * until)
    # Jansen's estimator for a verdict of 0 or 1, whose variance is p (1 - p).
    spread = 2 * true_rows * (rows - true_rows) / rows
    totals = {name: count / spread for name, count in turned.items()} if spread else {}
    # Correlations order inputs of the same total, and all where the verdict is the same on all rows.
    last = sorted(totals.values(), reverse=True)[:_DRIVERS][-1:] or [0.0]
    foremost = [name for name in _taken(card) if not spread or totals.get(name, -1.0) >= last[0]]
    correlations = _correlations(survey, foremost)
    ordered = sorted(foremost, key=lambda name: (-totals.get(name, 0.0), -abs(correlations.get(name, 0.0))))
    return tuple(
        Driver(name, totals.get(name), correlations.get(name), card.drawn[name].basis, card.drawn[name].source)
        for name in ordered[:_DRIVERS]
    )


def _may_lead(turned: dict[str, int], rows: int) -> dict[str, int]:
    """Of counts among so many rows those that may still be among the largest."""
    if len(turned) <= _DRIVERS:
        return turned

    def margin(count: int) -> float:
        # One more row, as none among few says little.
        return _MARGIN * math.sqrt((count + 1) * (1 - count / (rows + 1)))

    least = sorted(turned.values(), reverse=True)[_DRIVERS - 1]
    return {name: n for name, n in turned.items() if n + margin(n) >= least - margin(least)}


# ---------------------------------------------------------------------------------------------------- thresholds


def _thresholds(card: Card) -> tuple[ThresholdResult, ...]:
    """Every value of one input at which the predicate turns, the others at their median.

    What asks for the same definition is looked at together: what surrounds an evaluation takes longer than its rows.
    """
    searches: dict[tuple[str, frozenset[str]], list[_Search]] = {}
    found = [_Search(card, threshold) for threshold in card.thresholds]
    for search in found:
        searches.setdefault((search.threshold.definition, search.pinned), []).append(search)
    for together in searches.values():
        for _ in range(1 + _SPLITS):
            _narrow(card, together)
    return tuple(search.result() for search in found)


_Cell = tuple[float, float, bool]


class _Search:
    """Rows that differ in one input only."""

    def __init__(self, card: Card, threshold: Threshold) -> None:
        self.card = card
        self.threshold = threshold
        # What is drawn is varied where it is drawn, so that variants may rescale it; anything else is set outright.
        self.pinned = frozenset() if threshold.vary in card.drawn else frozenset({threshold.vary})
        self.medians = card.draws(samples=1).medians()
        self.low, self.high = threshold.between or _bounds(card, threshold.vary)
        # Stretches in which the answer turns, and to what; at first all there is.
        self.cells: list[_Cell] | None = None
        self.throughout = False

    def points(self) -> NDArray[np.float64]:
        """So many of each stretch."""
        ends = [(self.low, self.high)] if self.cells is None else [(left, right) for left, right, _ in self.cells]
        return np.array([_spread(left, right, _GRID_POINTS) for left, right in ends]).reshape(-1)

    def rows(self, points: NDArray[np.float64]) -> pl.DataFrame:
        return self.medians[[0] * len(points)].with_columns(pl.Series(self.threshold.vary, points))

    def look(self, points: NDArray[np.float64], answers: NDArray[np.bool_]) -> None:
        """Each stretch cut to the part in which its answer turns."""
        if self.cells is None:
            self.throughout = bool(answers[0])
            turns = np.flatnonzero(answers[1:] != answers[:-1])
            self.cells = [(points[i], points[i + 1], bool(answers[i + 1])) for i in turns]
            return
        by_cell = zip(points.reshape(-1, _GRID_POINTS), answers.reshape(-1, _GRID_POINTS), self.cells, strict=True)
        narrowed = []
        for points_of, answers_of, (_, _, true_above) in by_cell:
            turn = max(int(np.argmax(answers_of == true_above)), 1)
            narrowed.append((float(points_of[turn - 1]), float(points_of[turn]), true_above))
        self.cells = narrowed

    def result(self) -> ThresholdResult:
        threshold, cells = self.threshold, self.cells or []
        turns = np.array([(left + right) / 2 for left, right, _ in cells])
        flips = []
        if cells:
            values = _values(self.card, self.rows(turns), self.pinned, threshold.definition, threshold.report)
            reported = values.cast(pl.Float64).fill_null(math.nan).to_list()
            ends = zip(turns, reported, cells, strict=True)
            flips = [Flip(float(at), said, true_above) for at, said, (_, _, true_above) in ends]
        return ThresholdResult(
            vary=threshold.vary,
            report=threshold.report.text,
            definition=threshold.definition,
            low=self.low,
            high=self.high,
            flips=tuple(flips),
            throughout=None if flips else self.throughout,
            expected=threshold.expected,
            tolerance=threshold.tolerance,
        )


def _narrow(card: Card, searches: Sequence[_Search]) -> None:
    """Looks at the next points of searches that ask for the same definition, in one evaluation."""
    points = [search.points() for search in searches]
    rows = pl.concat([search.rows(at) for search, at in zip(searches, points, strict=True)])
    if not rows.height:
        return
    definition = card.definitions[searches[0].threshold.definition]
    answers = _values(card, rows, searches[0].pinned, definition.name, definition.predicate).fill_null(False).to_numpy()
    ends = np.cumsum([len(at) for at in points])[:-1]
    for search, at, found in zip(searches, points, np.split(answers, ends), strict=True):
        search.look(at, found)


def _values(
    card: Card, rows: pl.DataFrame, pinned: frozenset[str], definition: str, expression: Expression
) -> pl.Series:
    batch = Rows(rows.height, rows.columns, rows.get_column, optional=card.optional_draws, pinned=pinned)
    return batch.values(card, definition, expression)


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
    card: Card, of: Expression, groups: Mapping[str, Sequence[str]], samples: int, seed: int, first: int, end: int
) -> Iterator[NDArray[np.float64]]:
    """The headline's answers on rows `first` to `end`, 0 where null, then those with each group of inputs drawn anew.

    Nothing is correlated.
    """
    columns = _taken(card)
    draws = Draws(columns, samples=samples, seed=seed, bounds=declared_bounds(columns))
    step = max(1, _REDRAWN_AT_ONCE // (1 + len(groups)))
    for start in range(first, end, step):
        one, other = draws.pair(start, min(step, end - start))
        yield redrawn(card, of, list(groups.values()), one, other)


def _variance(card: Card, question: VarianceQuestion, samples: int, seed: int) -> VarianceResult:
    """Total Sobol indices by group (Jansen's estimator), on the sweep without its correlations."""
    rows = min(samples, _SURVEY_ROWS)
    squares: dict[str, list[NDArray[np.float64]]] = {name: [] for name in question.groups}
    turned = dict.fromkeys(question.groups, 0)
    values: list[NDArray[np.float64]] = []
    for before, *after in _redrawn(card, question.of, question.groups, rows, seed, 0, rows):
        values.append(before)
        for name, now in zip(question.groups, after, strict=True):
            squares[name].append((before - now) ** 2)
            turned[name] += int(np.count_nonzero((before > 0) != (now > 0)))
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
