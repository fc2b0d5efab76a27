"""What a claim's sweep says: P under each definition, what turns it, what it hangs on, and the printed card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tapeout._claim_card import Evidence, Value

_Z95_TWO_SIDED = 1.959963984540054


@dataclass(frozen=True)
class DefinitionResult:
    """P of one definition. `rows` are those `given` admits; an undefined predicate counts as false."""

    name: str
    says: str
    predicate: str
    rows: int
    true_rows: int
    undefined_rows: int
    expected: float | None
    tolerance: float | None

    @property
    def probability(self) -> float:
        """Share of rows on which the predicate is true."""
        return self.true_rows / self.rows if self.rows else math.nan

    @property
    def standard_error(self) -> float:
        """As for independent rows; scrambled Sobol rows do no worse."""
        return math.sqrt(self.probability * (1 - self.probability) / self.rows) if self.rows else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval, which stays open where P is 0 or 1."""
        if not self.rows:
            return math.nan, math.nan
        p, weight = self.probability, _Z95_TWO_SIDED**2 / self.rows
        middle = (p + weight / 2) / (1 + weight)
        half = _Z95_TWO_SIDED * math.sqrt(p * (1 - p) / self.rows + weight / (4 * self.rows)) / (1 + weight)
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def reproduces(self) -> bool | None:
        """Whether P lies within the card's tolerance of the expected value; None where the card gives none."""
        if self.expected is None or self.tolerance is None:
            return None
        return abs(self.probability - self.expected) <= self.tolerance


@dataclass(frozen=True)
class BinResult:
    """P on the rows of one bin, from `low` on and below `high`; infinite at the ends."""

    low: float
    high: float
    rows: int
    true_rows: int
    expected: float | None

    @property
    def probability(self) -> float:
        """Share of the bin's rows on which the predicate is true."""
        return self.true_rows / self.rows if self.rows else math.nan

    @property
    def standard_error(self) -> float:
        """As for independent rows."""
        return math.sqrt(self.probability * (1 - self.probability) / self.rows) if self.rows else math.nan

    @property
    def name(self) -> str:
        """The bin in words."""
        if math.isinf(self.low):
            return f"below {_amount(self.high)}"
        return (
            f"{_amount(self.low)} or more" if math.isinf(self.high) else f"{_amount(self.low)} to {_amount(self.high)}"
        )


@dataclass(frozen=True)
class TableResult:
    """P of one definition by bins of a quantity."""

    says: str
    by: str
    definition: str
    bins: tuple[BinResult, ...]
    tolerance: float | None


@dataclass(frozen=True)
class CompanionResult:
    """Quantiles and mean of a companion over its defined rows."""

    name: str
    rows: int
    undefined_rows: int
    infinite_rows: int
    mean: float
    quantiles: Mapping[float, float]
    expected: tuple[float, ...] | None
    expected_mean: float | None
    tolerance: float | None


@dataclass(frozen=True)
class Flip:
    """Where the answer turns: the input's value, the reported quantity there, and on which side the claim is true."""

    value: float
    reported: float
    true_above: bool


@dataclass(frozen=True)
class ThresholdResult:
    """The flips of one input within bounds; none means the answer is `throughout` everywhere between them."""

    vary: str
    report: str
    definition: str
    low: float
    high: float
    flips: tuple[Flip, ...]
    throughout: bool | None
    expected: float | None
    tolerance: float | None

    def where(self) -> str:
        """Where the answer is true: "above 3 and below 9"; empty where nothing flips."""
        texts = []
        for flip in self.flips:
            text = f"{'above' if flip.true_above else 'below'} {flip.value:.4g}"
            if self.report != self.vary:
                text += f" ({self.report} = {flip.reported:.4g})"
            texts.append(text)
        return " and ".join(texts)


@dataclass(frozen=True)
class Driver:
    """How much of the verdict an input decides, and its rank correlation with what the answer hangs on.

    `total_index` is the total Sobol index of the verdict; None where it is the same on all rows. Choices have no ranks.
    """

    name: str
    total_index: float | None
    rank_correlation: float | None
    basis: str
    source: str


@dataclass(frozen=True)
class GroupShare:
    """Total Sobol index of a group of inputs, and how often redrawing the group turns the sign."""

    name: str
    total_index: float
    standard_error: float
    sign_turned_share: float
    expected: float | None


@dataclass(frozen=True)
class VarianceResult:
    """The claim read as a share of variance."""

    says: str
    group: str
    rows: int
    groups: tuple[GroupShare, ...]
    tolerance: float | None

    @property
    def holds(self) -> bool:
        """Whether the claim's group has the largest total index."""
        return max(self.groups, key=lambda share: share.total_index).name == self.group


@dataclass(frozen=True)
class CrossedResult:
    """P of each column under every combination of the switches."""

    says: str
    over: tuple[str, ...]
    columns: tuple[str, ...]
    predicates: tuple[str, ...]
    rows: int
    combinations: tuple[tuple[tuple[Value, ...], tuple[float, ...]], ...]
    expected: Mapping[str, tuple[float, float, float]]
    tolerance: float | None

    def summary(self, column: str) -> tuple[float, float, int]:
        """The least and the largest P of a column, and in how many combinations it is above one half."""
        shares = [found[self.columns.index(column)] for _, found in self.combinations]
        return min(shares), max(shares), sum(share > 0.5 for share in shares)


@dataclass(frozen=True)
class ClaimResult:
    """What a card's sweep says about its claim."""

    id: str
    statement: str
    said_by: str
    attribution: str
    caution: str | None
    samples: int
    seed: int
    drivers_of: str
    definitions: tuple[DefinitionResult, ...]
    tables: tuple[TableResult, ...]
    companions: tuple[CompanionResult, ...]
    thresholds: tuple[ThresholdResult, ...]
    drivers: tuple[Driver, ...]
    variance: VarianceResult | None
    crossed: CrossedResult | None
    evidence_for: tuple[Evidence, ...]
    evidence_against: tuple[Evidence, ...]

    @property
    def headline(self) -> DefinitionResult:
        """The definition the card leads with."""
        return self.definitions[0]

    @property
    def turned_by(self) -> tuple[str, ...]:
        """Definitions under which the verdict (P above or below one half) is not the headline's."""
        verdict = self.headline.probability > 0.5
        turned = [one.name for one in self.definitions[1:] if (one.probability > 0.5) != verdict]
        if self.variance is not None and self.variance.holds != verdict:
            turned.append("variance")
        return tuple(turned)

    def to_frame(self) -> pl.DataFrame:
        """One number a row: claim, part, name, measure, value, standard_error, expected, tolerance."""
        rows: list[tuple[str, str, str, float | None, float | None, float | None, float | None]] = []
        for one in self.definitions:
            rows.append(
                ("definition", one.name, "p_true", one.probability, one.standard_error, one.expected, one.tolerance)
            )
        for table in self.tables:
            for part in table.bins:
                measure = f"{table.definition}: {part.name}"
                rows.append(
                    ("table", table.by, measure, part.probability, part.standard_error, part.expected, table.tolerance)
                )
        for companion in self.companions:
            expected: Sequence[float | None] = companion.expected or [None] * len(companion.quantiles)
            for (level, value), wanted in zip(companion.quantiles.items(), expected, strict=True):
                rows.append(("companion", companion.name, _percent(level), value, None, wanted, companion.tolerance))
            rows.append(
                (
                    "companion",
                    companion.name,
                    "mean",
                    companion.mean,
                    None,
                    companion.expected_mean,
                    companion.tolerance,
                )
            )
        for threshold in self.thresholds:
            for flip in threshold.flips:
                measure = f"{threshold.report}, true {'above' if flip.true_above else 'below'}"
                rows.append(
                    ("threshold", threshold.vary, measure, flip.reported, None, threshold.expected, threshold.tolerance)
                )
        for driver in self.drivers:
            rows.append(("driver", driver.name, "total_index", driver.total_index, None, None, None))
            rows.append(("driver", driver.name, "rank_correlation", driver.rank_correlation, None, None, None))
        if self.variance is not None:
            tolerance = self.variance.tolerance
            for share in self.variance.groups:
                rows.append(
                    (
                        "variance",
                        share.name,
                        "total_index",
                        share.total_index,
                        share.standard_error,
                        share.expected,
                        tolerance,
                    )
                )
                rows.append(("variance", share.name, "sign_turned_share", share.sign_turned_share, None, None, None))
        if self.crossed is not None:
            for values, found in self.crossed.combinations:
                name = ", ".join(f"{key}={word(value)}" for key, value in zip(self.crossed.over, values, strict=True))
                rows += [
                    ("crossed", name, column, share, None, None, None)
                    for column, share in zip(self.crossed.columns, found, strict=True)
                ]
        schema = ["part", "name", "measure", "value", "standard_error", "expected", "tolerance"]
        types = dict.fromkeys(schema[:3], pl.String) | dict.fromkeys(schema[3:], pl.Float64)
        frame = pl.DataFrame(rows, schema=types, orient="row")
        return frame.select(pl.lit(self.id).alias("claim"), pl.all())

    def to_text(self) -> str:
        """The card as `tapeout claims` prints it."""
        from tapeout import report

        return report.claim_text(self)

    def __str__(self) -> str:
        return self.to_text()


def word(value: Value) -> str:
    """A switch's value as printed."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _share(p: float) -> str:
    return f"{p:.3f}" if 0.01 <= p <= 0.99 or p in (0.0, 1.0) else f"{p:.5f}"


def _amount(x: float) -> str:
    return f"{x:,.0f}" if x == round(x) and abs(x) < 1e15 else f"{x:.6g}"


def _percent(level: float) -> str:
    return f"p{100 * level:02g}"
