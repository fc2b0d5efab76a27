"""What several models share: resolution of lines, annuity, demand path, Erlang law, launch cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp, mpf

Row = Mapping[str, Any]
Result = dict[str, Any]
Real = np.longdouble
Scalar = Any  # np.longdouble
Vector = Any  # array of np.longdouble

DIGITS = 50
HORIZON_MONTHS = 120
HOURS_PER_YEAR = 8766
MOST_RESPINS = 59


class UnknownValueError(LookupError):
    """A value that a line reads is not known."""


class Lines:
    """The lines of one model in order, in 50 digits: a given output replaces its line and reaches later ones."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.values: dict[str, Any] = {}
        self.scales: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """The number of that name, from an earlier line or the row, as an mpf."""
        value = self.values[name] if name in self.values else self.row.get(name)
        if value is None:
            raise UnknownValueError(name)
        return mpf(value)

    def text(self, name: str) -> str:
        """The choice of that name."""
        value = self.row.get(name)
        if value is None:
            raise UnknownValueError(name)
        return str(value)

    def line(
        self,
        name: str,
        compute: Callable[[], Any],
        scale: Callable[[], Any] | None = None,
    ) -> Any:
        """Bind an output: the given value where there is one, else the computed, else None."""
        given = self.row.get(name)
        size = None
        if given is not None:
            self.values[name] = mpf(given)
            size = abs(mpf(given))
        else:
            try:
                self.values[name] = compute()
            except UnknownValueError:
                self.values[name] = None
            if self.values[name] is not None:
                size = abs(self.values[name]) if scale is None else scale()
        self.scales[name] = size
        return self.values[name]

    def result(self) -> Result:
        """Every line as a float, with the scales."""
        out: Result = {name: None if value is None else float(value) for name, value in self.values.items()}
        out["_scale"] = {name: float(size) for name, size in self.scales.items() if size is not None}
        out["_range"] = {}
        return out


def capital_recovery_factor(rate: Any, years: Any) -> Any:
    """r / (1 - (1+r)^-n), 1/n at r = 0. Source: definition of an annuity."""
    return 1 / years if rate == 0 else rate / (1 - (1 + rate) ** -years)


# ---------------------------------------------------------------- demand


def months() -> Vector:
    """Middles of the months from the decision to the horizon."""
    return np.arange(HORIZON_MONTHS, dtype=Real) + Real(0.5)


def half_life_decay(half_life_months: float, at_months: Vector) -> Vector:
    """2^(-x/h). Source: definition of a half-life."""
    return np.exp2(-at_months / Real(half_life_months))


def demand_units_per_year(row: Row, units_per_year: Any, at_months: Vector) -> Vector:
    """min(cap, D_0 (1+g)^t) 2^(-x/h). Source: definition (capped growth with exponential decay)."""
    growth = (1 + Real(row["build_demand_growth_per_year"])) ** (at_months / 12)
    capped = np.minimum(Real(row["build_demand_cap_units_per_year"]), Real(units_per_year) * growth)
    return capped * half_life_decay(row["build_demand_half_life_months"], at_months)


def discount(row: Row, at_months: Vector) -> Vector:
    """(1+r)^-t. Source: definition of present value."""
    return (1 + Real(row["discount_rate_per_year"])) ** (-at_months / 12)


def merchant_price_usd(row: Row, at_months: Vector) -> Vector:
    """Price at t of the merchant chips that one own unit replaces: ratio p (1-d)^t. Source: definition."""
    fall = (1 - Real(row["build_merchant_decline_per_year"])) ** (at_months / 12)
    return Real(row["build_performance_ratio"]) * Real(row["chip_price_usd"]) * fall


def inference_usd_per_unit_of_demand(row: Row) -> Vector:
    """Present value of merchant spend in each month for one unit a year of demand. Source: definition."""
    x = months()
    return merchant_price_usd(row, x) * discount(row, x) / 12


def lifetime_inference_usd(row: Row, units_per_year: Any) -> Scalar:
    """Present value over the horizon of meeting all demand with merchant chips. Source: definition."""
    return np.sum(demand_units_per_year(row, units_per_year, months()) * inference_usd_per_unit_of_demand(row))


def smallest_root(slopes: Vector, bends: Vector, target: Scalar) -> tuple[float, float, Scalar]:
    """Roots of sum_k slope_k min(d, bend_k) = target over d >= 0, exact because the sum is piecewise linear.

    Returns the smallest and the largest root (infinite where the sum stays below the target at the end) and
    the slope of the sum at the smallest. Source: definition.
    """
    if target <= 0:
        return 0.0, 0.0, Real(np.sum(slopes))
    order = np.argsort(bends, kind="stable")
    slopes, bends = slopes[order], bends[order]
    first, last, first_slope = math.inf, math.inf, Real(0)
    left, value = Real(0), -target
    below = True
    for k in range(len(bends) + 1):
        slope = np.sum(slopes[k:])
        right = bends[k] if k < len(bends) else Real(np.inf)
        if right > left:
            at_right = value + slope * (right - left) if slope != 0 else value
            if (below and at_right >= 0) or (not below and at_right < 0):
                root = float(left - value / slope)
                if math.isinf(first):
                    first, first_slope = root, slope
                last, below = root, not below
            left, value = right, at_right
        if np.isinf(right):
            break
    return first, math.inf if below else last, first_slope


# ---------------------------------------------------------------- launch law


def respin_moments(first: Any, later: Any) -> tuple[Any, Any]:
    """Mean and variance of the respins: none with probability p1, else geometric from 1 with p2. Source: definition."""
    mean = (1 - first) / later
    return mean, (1 - first) * (2 - later) / later**2 - mean**2


def respin_probability(first: float, later: float, count: int) -> Scalar:
    """P(N = n); n = 59 carries all later respins. Source: definition of the geometric law."""
    p1, p2 = Real(first), Real(later)
    if count == 0:
        return p1
    tail = (1 - p1) * (1 - p2) ** (count - 1)
    return tail if count == MOST_RESPINS else tail * p2


def erlang_cdf(shape: int, scaled: Any) -> Any:
    """F_s at x/theta = 1 - e^-z sum_{i<s} z^i/i!, to 50 places; a step for s = 0. Source: the Erlang law."""
    if scaled < 0:
        return mpf(0)
    if shape == 0 or scaled == mp.inf:
        return mpf(1)
    term = total = mpf(1)
    for i in range(1, shape):
        term *= scaled / i
        total += term
    return 1 - mp.exp(-scaled) * total


def erlang_tails(shape: int, scaled: Vector) -> tuple[Vector, Vector]:
    """F_s and 1 - F_s at x/theta >= 0, each accurate where it is small: the Poisson sums from s on and below s.

    Source: definition of the Erlang law, P(G <= x) = P(Poisson(x/theta) >= s).
    """
    y = np.asarray(scaled, Real)
    with np.errstate(under="ignore"):
        term = np.exp(-y)
        lower_sum = np.zeros_like(y)
        for i in range(shape):
            lower_sum = lower_sum + term
            term = term * (y / (i + 1))
        small = y < shape
        upper_sum = np.zeros_like(y)
        if np.any(small):
            piece, ys = term[small], y[small]
            total, i, worst = piece.copy(), shape, 1.0
            most = float(ys.max())
            while worst > 1e-22:
                i += 1
                worst *= most / i
                piece = piece * (ys / i)
                total = total + piece
            upper_sum[small] = total
    cdf = np.where(small, upper_sum, 1 - lower_sum)
    return cdf, np.where(small, 1 - upper_sum, lower_sum)


@dataclass(frozen=True)
class LaunchLaw:
    """T = T_0 + N T_r + G. Source: definition; N geometric after the first spin, G Erlang."""

    planned_months: float
    respin_months: float
    first: float
    later: float
    shape: int
    theta_months: float

    @property
    def overruns(self) -> bool:
        """Whether the overrun is a continuous law."""
        return self.theta_months > 0 and self.shape > 0

    def base_months(self, respins: Any) -> Vector:
        """Launch with no overrun."""
        return Real(self.planned_months) + np.asarray(respins, Real) * Real(self.respin_months)

    def tails(self, respins: Any, at_months: Vector) -> tuple[Vector, Vector]:
        """P(launch by then), P(launch later), given the respins."""
        late = np.maximum(at_months - self.base_months(respins), 0)
        return erlang_tails(self.shape, late / Real(self.theta_months))


def erlang_difference(low: tuple[Vector, Vector], high: tuple[Vector, Vector]) -> Vector:
    """F(b) - F(a) from whichever tail is small."""
    return np.where(high[0] < 0.5, high[0] - low[0], low[1] - high[1])


@dataclass(frozen=True)
class Cells:
    """(respins, month) cells of the launch law: mass, conditional mean launch, edges; a point where the edges meet."""

    respins: Vector
    mass: Vector
    launch_months: Vector
    left: Vector
    right: Vector


def launch_cells(law: LaunchLaw) -> Cells:
    """Mass w_n [F_s(b) - F_s(a)] and mean T_0 + n T_r + s theta [F_{s+1}(b) - F_{s+1}(a)] / [F_s(b) - F_s(a)].

    Launch after the horizon is one point at the horizon. Source: definition of a conditional mean; the
    first moment of an Erlang law of shape s is s theta times the law of shape s + 1.
    """
    horizon = Real(HORIZON_MONTHS)
    points: list[tuple[int, Any, Any]] = []
    counts, weights, bases, lows, highs = [], [], [], [], []
    for n in range(MOST_RESPINS + 1):
        chance = respin_probability(law.first, law.later, n)
        start = law.base_months(n)
        if chance == 0:
            continue
        if not law.overruns or start >= horizon:
            points.append((n, chance, min(start, horizon)))
            continue
        whole = np.arange(int(start) + 1, HORIZON_MONTHS + 1, dtype=Real)
        edges = np.concatenate([[start], whole])
        counts.append(np.full(len(whole), n, Real))
        weights.append(np.full(len(whole), chance, Real))
        bases.append(np.full(len(whole), start, Real))
        lows.append(edges[:-1])
        highs.append(edges[1:])
        points.append((n, chance * law.tails(n, horizon.reshape(1))[1][0], horizon))
    n_p, m_p, t_p = (np.array([p[i] for p in points], Real) for i in range(3))
    if not counts:
        return Cells(n_p, m_p, t_p, t_p, t_p)
    respins, weight, base, low, high = (np.concatenate(part) for part in (counts, weights, bases, lows, highs))
    theta = Real(law.theta_months)
    ends = (low - base) / theta, (high - base) / theta
    share = erlang_difference(erlang_tails(law.shape, ends[0]), erlang_tails(law.shape, ends[1]))
    moment = erlang_difference(erlang_tails(law.shape + 1, ends[0]), erlang_tails(law.shape + 1, ends[1]))
    keep = weight * share > Real(1e-21)
    respins, weight, base, low, high, share, moment = (
        part[keep] for part in (respins, weight, base, low, high, share, moment)
    )
    mean = base + np.clip(law.shape * theta * moment / share, low - base, high - base)
    return Cells(
        np.concatenate([respins, n_p]),
        np.concatenate([weight * share, m_p]),
        np.concatenate([mean, t_p]),
        np.concatenate([low, t_p]),
        np.concatenate([high, t_p]),
    )
