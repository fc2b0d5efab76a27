"""Exact derivatives against differences of the reference evaluations of `oracle/`, and what else `gradient` promises.

Closed forms are differenced in 50 digits, where a step of 1e-15 leaves 30; monthly models, whose oracles are in
extended precision, by central differences extrapolated. Where the oracle itself has a kink within the step (its
differences from two sides, or at two steps, are not the same), the row is passed over: only outputs that
`tapeout.kinks` names may have one.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from mpmath import mp, mpf
from polars.testing import assert_frame_equal

import scenarios
import tapeout
from oracle import (
    alignment,
    build,
    build_month,
    cadence,
    common,
    decline,
    demand,
    demand_month,
    die,
    expansion,
    fleet,
    flexibility,
    inference,
    lab,
    leverage,
    package,
    programme,
    scaling,
    serving,
    specialization,
    speed,
    step,
    training,
)
from scenarios import Row
from test_alignment import like_the_first, model_lines, whole_chip
from test_oracles import (
    CLUSTER_LIMITS,
    COSTS,
    DIE_LIMITS,
    GENERATION_LIMITS,
    INTEGRAL,
    LAB_LIMITS,
    LARGEST,
    PARAMS,
    SERVED,
    SERVING,
    SPECIAL_LIMITS,
    TRAINING_STEPS,
    build_oracle,
    build_rows,
    counted,
    dual_oracle,
    dual_rows,
    full_die,
    month_oracle,
    override,
    passed_over,
    served,
    speedy_rows,
    step_rows,
)

#: How many times the rows of a usual run.
TIMES = int(os.environ.get("TAPEOUT_GRADIENT_TIMES", "1"))
RELATIVE = 1e-8
STEP = mpf(10) ** -15
UNIT = mpf(2) ** -53
#: An elasticity below which a derivative is known to a few roundings of the output's terms and no better.
ROUNDING = 1e-6
#: The same where the launch law is in it, whose sixty branches are each followed down to 1e-12: by the chance of good
#: silicon, which all of them have to some power, what is left out moves a hundred times as fast.
LAW = 1e-2
PARITY_BY_OPEX = ("build_parity_months", "build_opex_saving_usd")
FLOORS = {"programme_on_time_probability": LAW}

Oracle = Callable[[Row], dict[str, Any]]
Values = Mapping[str, Any]


def unrounded(lines: common.Lines) -> dict[str, Any]:
    """What `Lines.result` gives, not rounded to doubles."""
    return {**lines.values, "_scale": dict(lines.scales), "_range": {}}


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracles of closed forms that keep their 50 digits."""
    count = die.grid_dies
    monkeypatch.setattr(common.Lines, "result", unrounded)
    monkeypatch.setattr(die, "grid_dies", lambda w, h, s, d, e: count(float(w), float(h), float(s), float(d), e))
    monkeypatch.setattr(training, "price_age_years", lambda line: line.get("train_price_age_years"))


def inputs_of(model: str, line: Row) -> Iterator[str]:
    """Numbers of the row that can be moved to both sides."""
    for name in [*scenarios.models()[model][0], *scenarios.models()[model][1]]:
        variable = scenarios.declared()[name]
        x = line.get(name)
        if (
            variable["kind"] == "number"
            and x is not None
            and math.isfinite(x)
            and variable["low"] < x < variable["high"]
        ):
            yield name


def numbers_of(model: str) -> list[str]:
    return [name for name in scenarios.models()[model][1] if scenarios.declared()[name]["kind"] == "number"]


class Found:
    """Where the core and the differences disagree, and how much was looked at."""

    def __init__(self, model: str, lines: Sequence[Row]) -> None:
        self.model, self.lines = model, lines
        self.outputs = numbers_of(model)
        by = sorted({name for line in lines for name in inputs_of(model, line)})
        self.core = tapeout.gradient(scenarios.frame_of(lines), self.outputs, by)
        self.wrong: list[tuple[str, str, float, float, float]] = []
        self.checked: Counter[str] = Counter()
        self.kinks: Counter[str] = Counter()

    def compare(self, row: int, output: str, by: str, want: Any, floor: float) -> None:
        """Relative to the derivative, or to `floor` where it is smaller."""
        got = self.core[f"d_{output}_d_{by}"][row]
        if got is None:
            self.wrong.append((output, by, math.nan, float(want), math.inf))
            return
        self.checked[output] += want != 0
        off = abs(mpf(float(got)) - mpf(float(want)))
        size = max(abs(float(want)), floor)
        if not off <= RELATIVE * size:
            self.wrong.append((output, by, got, float(want), float(off / size) if size else math.inf))

    def hold(self, least: int = 8) -> None:
        """Nothing disagrees, every output was looked at, and only those that are said to bend did."""
        counted = Counter(line[:2] for line in self.wrong)
        assert not self.wrong, f"{self.model}: {counted}\n" + "\n".join(map(str, self.wrong[:8]))
        assert all(self.checked[output] >= least for output in self.outputs if output not in STEPS), self.checked
        assert set(self.kinks) <= set(tapeout.kinks()["output"]), self.kinks


def compare_exactly(found: Found, row: int, line: Row, oracle: Oracle, by: str) -> None:
    """By a central difference in 50 digits."""
    with mp.workdps(common.DIGITS):
        x = mpf(line[by])
        size = abs(x) if x else mpf(1)
        step = size * STEP
        before, here, after = (oracle({**line, by: x + move}) for move in (-step, 0, step))
        if any(scale and abs(scale) > LARGEST for scale in here["_scale"].values()):
            return
        for output in found.outputs:
            values = [side[output] for side in (before, here, after)]
            if any(value is None or mp.isinf(value) for value in values):
                continue
            scale = max(abs(values[1]), here["_scale"][output])
            if abs(values[1]) < scale * UNIT:
                continue  # a double has no digit of it
            left, right = (values[1] - values[0]) / step, (values[2] - values[1]) / step
            steepest = max(abs(left), abs(right))
            if abs(right - left) > mpf(10) ** -9 * steepest:
                # Of what is flatter the differences have no digits left.
                if steepest * size > mpf(10) ** -20 * scale:
                    found.kinks[output] += 1
                continue
            found.compare(row, output, by, (left + right) / 2, float(FLOORS.get(output, ROUNDING) * scale / size))


def die_oracle(line: Row) -> dict[str, Any]:
    """The oracle without what rests on a yield above 1, with the error of a mean over clustered defects."""
    out = die.evaluate(line)
    good = out["die_sellable_yield"]
    if line.get("die_sellable_yield") is None and good > 1:
        return out | {"die_sellable_yield": None, "die_cost_usd": None}
    if line["die_spare_units"] >= 1 and line["yield_model"] != "poisson":
        out["_scale"]["die_sellable_yield"] = integral = INTEGRAL / (ROUNDING * RELATIVE)
        if out["_scale"]["die_cost_usd"] and line.get("die_cost_usd") is None:
            out["_scale"]["die_cost_usd"] *= 1 + integral / good
    return out


def serving_oracle(line: Row) -> dict[str, Any]:
    """The oracle, without where memory is all but full of weights, of which rounding decides."""
    out = serving.serving(line)
    return out | {"_scale": {name: size or 0 for name, size in out["_scale"].items()}}


CLOSED: dict[str, tuple[Oracle, dict[str, tuple[float, float]], int]] = {
    "training": (lambda line: training.evaluate(line), {}, 25),
    "step_flop": (lambda line: step.flop(line), dict(PARAMS), 25),
    "die": (die_oracle, dict(DIE_LIMITS), 40),
    "package": (lambda line: package.evaluate(line), {"package_dies": (0, 64), "package_memory_stacks": (0, 64)}, 25),
    "programme": (lambda line: programme.evaluate(line), {"later_silicon_probability": (0.4, 1.0)}, 25),
    "decline": (lambda line: decline.evaluate(line), {}, 25),
    "serving_format": (lambda line: serving.weight_format(line), {}, 200),
    "serving_engine": (lambda line: serving.engine(line), {}, 25),
    "serving_speculation": (lambda line: serving.speculation(line), {"serve_draft_tokens": (1, 50)}, 25),
    "serving": (serving_oracle, dict(SERVING), 40),
    "serving_cost": (lambda line: serving.cost(line), dict(SERVED), 25),
    "lab_tokens": (lambda line: lab.tokens(line), {}, 25),
    "lab_shares": (lambda line: lab.shares(line), {}, 25),
    "lab": (lambda line: lab.evaluate(line), LAB_LIMITS, 40),
    "lab_generations": (lambda line: lab.generations(line), GENERATION_LIMITS, 40),
    "fleet_cost": (lambda line: fleet.cost(line), {}, 25),
    "fleet_decline": (lambda line: fleet.decline(line), {}, 25),
    "fleet_steady": (lambda line: fleet.steady(line), CLUSTER_LIMITS, 40),
    "fleet": (lambda line: fleet.evaluate(line), CLUSTER_LIMITS, 25),
    "leverage": (lambda line: leverage.evaluate(line), {}, 40),
    "leverage_beside": (lambda line: leverage.beside(line), {}, 40),
    "own_cost": (lambda line: leverage.own_cost(line), {}, 25),
    "dual": (lambda line: leverage.dual(line), {}, 12),
    "expansion": (lambda line: expansion.population(line), {}, 40),
    "expansion_by_build": (lambda line: expansion.by_build(line), {}, 25),
    "expansion_by_delay": (lambda line: expansion.by_delay(line), {}, 40),
    "speed": (lambda line: speed.premium(line), dict(COSTS), 40),
    "speed_line": (lambda line: speed.line(line), {}, 40),
    "speed_from_price": (lambda line: speed.observed_price(line), {}, 25),
    "speed_from_delay": (lambda line: speed.observed_delay(line), {}, 25),
    "speed_from_cost": (lambda line: speed.observed_cost(line), {}, 40),
    "speed_response": (lambda line: speed.response(line), {}, 25),
    "speed_revenue": (lambda line: speed.revenue(line), {}, 40),
    "speed_labor": (lambda line: speed.labor(line), {}, 25),
    "speed_share": (lambda line: speed.share(line), {}, 25),
    "scaling": (lambda line: scaling.evaluate(line), {}, 25),
    "scaling_prices": (lambda line: scaling.prices(line), {}, 25),
    "scaling_by_flop": (lambda line: scaling.by_flop(line), {}, 25),
    "scaling_by_loss": (lambda line: scaling.by_loss(line), {}, 25),
    "tokens_by_flop": (lambda line: scaling.tokens_by_flop(line), {}, 25),
    "tokens_by_loss": (lambda line: scaling.tokens_by_loss(line), {}, 25),
    "cadence": (lambda line: cadence.evaluate(line), {}, 40),
    "specialization": (lambda line: specialization.evaluate(line), dict(SPECIAL_LIMITS), 60),
    "flexibility": (lambda line: flexibility.market_price(line), {}, 25),
    "flexibility_constant_price": (lambda line: flexibility.constant_price(line), {}, 25),
}
#: Whole numbers, whose derivative is 0 between their steps.
STEPS = {name for name in scenarios.declared() if name.endswith(("_count", "_writedown_year"))}


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("model", list(CLOSED))
def test_closed_forms_have_the_derivatives_of_the_oracle(model: str) -> None:
    oracle, limits, count = CLOSED[model]
    generator = np.random.default_rng(7)
    inputs, outputs = scenarios.models()[model]
    lines = scenarios.rows(generator, [name for name in inputs if name not in outputs], count * TIMES, limits)
    if model == "die":
        lines = [full_die(line) for line in lines]
    if model == "serving":
        lines = [served(line, k) for k, line in enumerate(lines)]
    for k in range(0, len(lines), 4):
        computed = {name: float(value) for name, value in oracle(lines[k]).items() if isinstance(value, mpf)}
        lines[k] = counted(override(generator, lines[k], {name: None for name in outputs} | computed, outputs))
    found = Found(model, lines)
    for row, line in enumerate(lines):
        for by in inputs_of(model, line):
            compare_exactly(found, row, line, oracle, by)
    found.hold()


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("model", list(TRAINING_STEPS))
def test_training_steps_have_the_derivatives_of_the_oracle(model: str) -> None:
    """Layouts that divide, each by a few inputs."""
    lines = step_rows(model, 5, 40 * TIMES)
    found = Found(model, lines)
    generator = np.random.default_rng(9)
    for row, line in enumerate(lines):
        by = list(inputs_of(model, line))
        for name in generator.choice(by, size=min(9, len(by)), replace=False) if by else []:
            compare_exactly(found, row, line, TRAINING_STEPS[model], str(name))
    found.hold(least=4 if model == "step" else 0)


def scaled(oracle: Oracle, line: Row) -> dict[str, Any]:
    """The oracle in 50 digits, with every output its own scale where it names none."""
    exactly = {name: mpf(value) if isinstance(value, float) else value for name, value in line.items()}
    out = oracle(exactly)
    numbers = {name: abs(value) for name, value in out.items() if isinstance(value, int | float | mpf)}
    return {**out, "_scale": numbers | out["_scale"]}


def compare_a_few(found: Found, row: int, line: Row, oracle: Oracle, generator: np.random.Generator, few: int) -> None:
    by = list(inputs_of(found.model, line))
    for name in generator.choice(by, size=min(few, len(by)), replace=False) if by else []:
        compare_exactly(found, row, line, oracle, str(name))


MULTIPLICATIONS: dict[str, Oracle] = {
    "gemm_kernels": alignment.kernels,
    "second_gemm_kernels": alignment.second_kernels,
    "third_gemm_kernels": alignment.third_kernels,
    "gemm": alignment.one,
    "gemm_tiling": alignment.tiling,
    "alignment_gain": alignment.gain,
}


#: Outputs of whole numbers and shares of these, which nothing moves but by steps.
WHOLE = (
    "_units",
    "_elements",
    "_wide_tiles",
    "_per_element",
    "_tiles",
    "_waves",
    "_tile_efficiency",
    "_alignment_share",
)


@pytest.mark.parametrize("model", list(MULTIPLICATIONS))
def test_multiplications_have_the_derivatives_of_the_oracle(model: str) -> None:
    generator = np.random.default_rng(11)
    limits = {f"gemm_{name}": (1, 1e6) for name in ("rows", "columns", "depth")} | {"align_gemm_gain": (0.1, 10.0)}
    lines = [whole_chip(line) for line in scenarios.rows(generator, scenarios.models()[model][0], 60 * TIMES, limits)]
    found = Found(model, lines)
    for row, line in enumerate(lines):
        compare_a_few(found, row, line, lambda x: scaled(MULTIPLICATIONS[model], x), generator, 6)
    found.hold(least=0)
    assert all(found.checked[output] >= 1 for output in found.outputs if not output.endswith(WHOLE)), found.checked


def test_the_step_of_a_model_has_the_derivatives_of_the_oracle() -> None:
    generator = np.random.default_rng(12)
    lines = model_lines(generator, "alignment", 12 * TIMES, typical=True)
    found = Found("alignment", lines)
    for row, line in enumerate(lines):
        compare_a_few(found, row, line, lambda x: scaled(alignment.evaluate, x), generator, 5)
    found.hold(least=0)
    assert found.checked["align_s"] >= 8
    assert found.checked["align_efficiency"] >= 8


def test_the_best_dimensions_have_the_derivatives_of_the_oracle() -> None:
    """Between two rows on which another neighbor is best, of the one that is."""
    generator = np.random.default_rng(13)
    lines = model_lines(generator, "alignment_search", 12 * TIMES, typical=True)
    lines = [like_the_first(generator, line) if k % 2 else line for k, line in enumerate(lines)]
    lines = [{**line, "align_basket": ("one", "two", "three")[k % 3]} for k, line in enumerate(lines)]
    lines = [line for line in lines if not alignment.search(line).get("_undetermined")]
    lines = [line for line in lines if alignment.consistent(line)]
    found = Found("alignment_search", lines)
    for row, line in enumerate(lines):
        best, _ = alignment.nearest(line)
        compare_a_few(found, row, line, lambda x, d=best: scaled(lambda y: alignment.found(y, d), x), generator, 4)  # type: ignore[misc]
    found.hold(least=0)
    assert found.checked["align_gemm_gain"] >= 4
    assert found.checked["align_best_s"] >= 4


@pytest.mark.usefixtures("exact")
def test_speed_by_layouts_has_the_derivatives_of_the_oracle() -> None:
    generator = np.random.default_rng(14)
    lines = [line for line in speedy_rows(generator, 16 * TIMES) if "_undetermined" not in speed.physics(line)]
    found = Found("speed_serving", lines)
    for row, line in enumerate(lines):
        compare_a_few(found, row, line, lambda x: scaled(speed.physics, x), generator, 5)
    found.hold(least=2)


# ---------------------------------------------------------------- monthly models


def extrapolated(
    oracle: Callable[[Any], Values], x: Any, size: Any, names: Sequence[str]
) -> dict[str, tuple[Any, Any]]:
    """Derivatives by central differences at three steps, extrapolated, and how far two extrapolations differ."""
    slopes: list[dict[str, Any]] = []
    for share in (4e-4, 2e-4, 1e-4):
        step = common.Real(size * share)
        after, before = oracle(x + step), oracle(x - step)
        width = (x + step) - (x - step)
        sides = {name: (after[name], before[name]) for name in names}
        slopes.append({name: None if None in side else (side[0] - side[1]) / width for name, side in sides.items()})
    found = {}
    for name in names:
        a, b, c = (slope[name] for slope in slopes)
        if any(slope is None or not math.isfinite(slope) for slope in (a, b, c)):
            continue
        first, second = (4 * b - a) / 3, (4 * c - b) / 3
        found[name] = second, abs(second - first)
    return found


def compare_monthly(found: Found, row: int, line: Row, oracle: Oracle, by: str) -> None:
    x = common.Real(line[by])
    size = abs(x) if x else common.Real(1)
    here = oracle(line)
    for name, (slope, doubt) in extrapolated(lambda at: oracle({**line, by: at}), x, size, found.outputs).items():
        if here[name] is None or not math.isfinite(here[name]):
            continue
        # The oracle of the parity leaves the opex saving out; others have a test of their own.
        if found.model == "build" and (passed_over(name, line) or (name, by) == PARITY_BY_OPEX):
            continue
        floor = float(FLOORS.get(name, LAW) * max(abs(here[name]), here["_scale"].get(name, 0.0)) / size)
        if doubt > RELATIVE / 4 * max(abs(slope), floor):
            found.kinks[name] += 1
        else:
            found.compare(row, name, by, slope, floor)


def finite_inference(line: Row) -> dict[str, Any]:
    """The oracle without what is infinite, which has no differences."""
    out = inference.evaluate(line)
    return {
        name: None if isinstance(value, float | common.Real) and np.isinf(value) else value
        for name, value in out.items()
    }


MONTHLY: dict[str, tuple[Oracle, int]] = {
    "demand": (demand.evaluate, 12),
    "demand_by_spend": (demand.evaluate, 12),
    "demand_by_tokens": (demand.evaluate, 12),
    "demand_by_ratio": (demand.evaluate, 12),
    "inference": (finite_inference, 12),
    "demand_month": (demand_month.evaluate, 12),
}


@pytest.mark.parametrize("model", list(MONTHLY))
def test_demand_has_the_derivatives_of_the_oracle(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand, "float", common.Real, raising=False)
    monkeypatch.setattr(common, "float", common.Real, raising=False)
    monkeypatch.setattr(inference, "float", common.Real, raising=False)
    monkeypatch.setattr(demand_month, "float", common.Real, raising=False)
    oracle, count = MONTHLY[model]
    limits = {"chip_price_usd": (1.0, 1e9), "train_cost_usd": (1.0, 1e12)}
    if model in ("demand", "demand_month"):
        limits["build_units_per_year"] = (1.0, 1e15)
    if model == "inference":
        limits |= {"build_tokens_per_month": (1e6, 1e18), "serve_usd_per_mtok": (1e-3, 1e6)}
    lines = scenarios.rows(np.random.default_rng(11), scenarios.models()[model][0], count * TIMES, limits)
    found = Found(model, lines)
    for row, line in enumerate(lines):
        computed = scenarios.models()[model][1]
        market = {name: scenarios.default_of(name) for name in scenarios.models()["demand"][0] if name not in computed}
        for by in inputs_of(model, line):
            compare_monthly(found, row, market | line, oracle, by)
    found.hold()


def ordinary(generator: np.random.Generator, count: int) -> list[Row]:
    """Scenarios like the reference one, all of them different, with sense in building."""
    reference = scenarios.reference_row()
    names = scenarios.models()["build"][0]
    computed = tapeout.evaluate(tapeout.reference(), [n for n in names if n not in reference]).row(0, named=True)
    lines = []
    for _ in range(count):
        line = {name: computed.get(name, scenarios.default_of(name)) for name in names}
        for name, value in line.items():
            if scenarios.declared()[name]["kind"] == "number" and value:
                line[name] = min(value * float(generator.uniform(0.9, 1.1)), scenarios.declared()[name]["high"])
        lines.append(line)
    return lines


def monthly_build(line: Row) -> dict[str, Any]:
    """The oracle with the scale of a ratio to what is displaced; null where that is the dropped tail alone."""
    out = build_oracle(line)
    scale = out["_scale"]
    for name in out.get("_undetermined", ()):
        out[name] = None
    if out["build_displaced_usd"]:
        scale["build_saving_on_displaced_share"] *= 1 + scale["build_displaced_usd"] / out["build_displaced_usd"]
    return out


def test_build_has_the_derivatives_of_the_oracle() -> None:
    """Wild rows and ordinary ones, each by a few inputs."""
    generator = np.random.default_rng(5)
    lines = build_rows(3, 6 * TIMES) + ordinary(generator, 6 * TIMES)
    found = Found("build", lines)
    for row, line in enumerate(lines):
        by = list(inputs_of("build", line))
        for name in generator.choice(by, size=7, replace=False):
            compare_monthly(found, row, line, monthly_build, str(name))
    found.hold(least=4)


def test_a_cap_on_own_units_has_the_derivatives_of_the_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "float", common.Real, raising=False)
    generator = np.random.default_rng(6)
    lines = dual_rows(3, 6 * TIMES)
    for line in ordinary(generator, 6 * TIMES):
        built = build.evaluate(line)
        line |= {name: float(built[name]) for name in ("lifetime_saving_usd", "build_displaced_usd")}
        line["build_dual_share"] = float(generator.uniform(0.3, 0.8))
        lines.append({name: line[name] for name in scenarios.models()["build_dual"][0]})
    found = Found("build_dual", lines)
    for row, line in enumerate(lines):
        by = list(inputs_of("build_dual", line))
        for name in generator.choice(by, size=7, replace=False):
            compare_monthly(found, row, line, dual_oracle, str(name))
    found.hold(least=4)


def test_a_month_of_build_has_the_derivatives_of_the_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_month, "float", common.Real, raising=False)
    generator = np.random.default_rng(9)
    lines = build_rows(4, 4 * TIMES) + ordinary(generator, 8 * TIMES)
    for line in lines:
        line["month"] = int(generator.integers(12, 60))
        line.pop("lifetime_inference_usd")
    found = Found("build_month", lines)
    for row, line in enumerate(lines):
        by = list(inputs_of("build_month", line))
        for name in generator.choice(by, size=8, replace=False):
            compare_monthly(found, row, line, month_oracle, str(name))
    found.hold(least=4)


def test_parity_moves_with_the_opex_saving() -> None:
    """m a^t + o = c b^t, differentiated by o: dt/do = -1 / (m a^t ln a - c b^t ln b)."""
    line = ordinary(np.random.default_rng(1), 1)[0] | {
        "build_opex_saving_usd": 500.0,
        "build_asic_decline_per_year": 0.03,
    }
    row = tapeout.gradient(scenarios.frame_of([line]), "build_parity_months", "build_opex_saving_usd")
    merchant, own = line["build_performance_ratio"] * line["chip_price_usd"], line["asic_unit_price_usd"]
    a, b = 1 - mpf(line["build_merchant_decline_per_year"]), 1 - mpf(line["build_asic_decline_per_year"])
    years = mp.findroot(lambda t: merchant * a**t + 500 - own * b**t, 3)
    want = -12 / (merchant * a**years * mp.log(a) - own * b**years * mp.log(b))
    assert row[f"d_{PARITY_BY_OPEX[0]}_d_{PARITY_BY_OPEX[1]}"][0] == pytest.approx(float(want), rel=1e-8)


@pytest.mark.usefixtures("exact")
def test_derivatives_pass_through_every_model_on_the_way() -> None:
    """Die and package in 50 digits: the unit price by what only the die reads."""
    generator = np.random.default_rng(3)
    names = [*scenarios.models()["die"][0], *scenarios.models()["package"][0]]
    names = [name for name in dict.fromkeys(names) if name not in scenarios.models()["die"][1]]
    typical = {
        name: (line["typical_low"], line["typical_high"])
        for name, line in scenarios.declared().items()
        if name in names and line["typical_low"] is not None
    }
    lines = [full_die(line) for line in scenarios.rows(generator, names, 12 * TIMES, typical)]
    lines = [line | {"die_spare_units": 0, "gross_die_method": "de_vries"} for line in lines]
    by = ["die_width_mm", "die_defect_density_per_cm2", "wafer_price_usd", "wafer_edge_mm", "die_test_usd"]
    core = tapeout.gradient(scenarios.frame_of(lines), "asic_unit_price_usd", by)

    def price(line: Row) -> Any:
        made = die.evaluate(line)
        bought = {name: made[name] for name in ("die_cost_usd", "die_sellable_yield")}
        return package.evaluate(line | bought)["asic_unit_price_usd"]

    with mp.workdps(common.DIGITS):
        for row, line in enumerate(lines):
            for name in by:
                x = mpf(line[name])
                want = (price({**line, name: x + x * STEP}) - price({**line, name: x - x * STEP})) / (2 * x * STEP)
                got = core[f"d_asic_unit_price_usd_d_{name}"][row]
                assert got == pytest.approx(float(want), rel=1e-10, abs=float(mpf(1e-12) * price(line) / x)), (
                    name,
                    line,
                )


def test_the_whole_programme_by_what_begins_it() -> None:
    """The reference scenario by differences of `evaluate`: what the parts' oracles can't see is how they are joined."""
    names = ["wafer_price_usd", "design_speedup", "chip_price_usd", "first_silicon_probability", "memory_usd_per_gb"]
    row = tapeout.reference()
    core = tapeout.gradient(row, "build_npv_usd", names)
    for name in names:
        at = tapeout.evaluate(row, name)[name][0]

        def npv(share: float, name: str = name, at: float = at) -> float:
            return float(
                tapeout.evaluate(row.with_columns(pl.lit(at * (1 + share)).alias(name)), "build_npv_usd")[
                    "build_npv_usd"
                ][0]
            )

        slopes = [(npv(h) - npv(-h)) / (2 * h * at) for h in (2e-4, 1e-4)]
        want = (4 * slopes[1] - slopes[0]) / 3
        assert core[f"d_build_npv_usd_d_{name}"][0] == pytest.approx(want, rel=1e-6), name


# ---------------------------------------------------------------- what is promised


def of(frame: pl.DataFrame, output: str, by: str, **options: Any) -> list[float | None]:
    return tapeout.gradient(frame, output, by, **options)[f"d_{output}_d_{by}"].to_list()


SQUARE = pl.DataFrame({"die_area_mm2": [100.0, 400.0], "die_defect_density_per_cm2": 0.1, "wafer_price_usd": 1e4})


def test_given_catalog_assumed_and_default_values_have_total_derivatives() -> None:
    assert of(SQUARE, "die_width_mm", "die_area_mm2") == pytest.approx([0.05, 0.025], rel=1e-15)
    assumed = of(SQUARE.drop("die_area_mm2"), "die_width_mm", "die_area_mm2", assume={"die_area_mm2": 400.0})
    assert assumed == pytest.approx([0.025, 0.025], rel=1e-15)
    default = of(SQUARE, "die_cost_usd", "wafer_diameter_mm")
    given = of(SQUARE.with_columns(wafer_diameter_mm=300.0), "die_cost_usd", "wafer_diameter_mm")
    assert default == given
    assert all(slope is not None and slope < 0 for slope in default)
    node = pl.DataFrame({"node": ["n5"], "die_area_mm2": [100.0]})
    cost = tapeout.evaluate(node, ["die_cost_usd", "wafer_price_usd"]).row(0, named=True)
    assert of(node, "die_cost_usd", "wafer_price_usd") == pytest.approx(
        [cost["die_cost_usd"] / cost["wafer_price_usd"]]
    )


def test_a_computed_variable_is_cut_as_if_given() -> None:
    """A given width leaves the area as it is, and the height follows: area / width."""
    frame = SQUARE.head(1)
    assert of(frame, "die_height_mm", "die_width_mm") == pytest.approx([-1.0], rel=1e-15)
    given = frame.with_columns(die_width_mm=10.0)
    assert of(frame, "die_cost_usd", "die_width_mm") == of(given, "die_cost_usd", "die_width_mm")
    # Only some rows compute it.
    mixed = SQUARE.with_columns(die_yield=pl.Series([0.9, None]))
    cost = tapeout.evaluate(mixed, ["die_cost_usd", "die_yield"])
    want = (-cost["die_cost_usd"] / cost["die_yield"]).to_list()
    assert of(mixed, "die_cost_usd", "die_yield") == pytest.approx(want, rel=1e-14)
    both = tapeout.gradient(mixed, "die_cost_usd", ["wafer_price_usd", "die_yield", "die_area_mm2"])
    assert both["d_die_cost_usd_d_die_yield"].to_list() == pytest.approx(want, rel=1e-14)
    assert both.columns[-3:] == [
        f"d_die_cost_usd_d_{name}" for name in ("wafer_price_usd", "die_yield", "die_area_mm2")
    ]


def test_nothing_depends_on_what_is_not_read() -> None:
    assert of(SQUARE, "die_cost_usd", "chip_price_usd") == [0.0, 0.0]
    given = SQUARE.with_columns(die_yield=0.9)
    assert of(given, "die_cost_usd", "die_defect_density_per_cm2") == [0.0, 0.0]
    assert of(SQUARE, "die_yield", "die_yield") == [1.0, 1.0]


def test_a_given_output_is_an_input_of_its_row() -> None:
    frame = SQUARE.with_columns(die_cost_usd=pl.Series([50.0, None]))
    names = tapeout.gradient(frame, "die_known_good_usd", assume={"die_test_usd": 5.0}).columns
    assert "d_die_known_good_usd_d_die_cost_usd" in names
    assert of(frame, "die_cost_usd", "wafer_price_usd")[0] == 0.0


def test_null_answers_have_no_derivative() -> None:
    """A die that does not fit has no cost; an infinite break-even does not move."""
    frame = SQUARE.with_columns(die_area_mm2=pl.Series([100.0, 90_000.0]))
    slopes = of(frame, "die_cost_usd", "wafer_price_usd")
    assert slopes[0] is not None
    assert slopes[1] is None
    never = tapeout.reference().with_columns(build_addressable_share=0.0)
    assert of(never, "build_breakeven_units_per_year", "chip_price_usd") == [None]


def test_nothing_to_the_power_of_nothing_stands_still() -> None:
    """Without memory stacks their quality does not matter, though it be 0."""
    frame = pl.DataFrame({"die_sellable_yield": [0.9], "package_memory_stacks": [0], "memory_quality": [0.0]})
    assert of(frame, "package_pass_share", "memory_quality") == [0.0]


def test_at_a_kink_it_is_the_branch_of_the_row() -> None:
    """|NPV| falls before 0, rises after it and at it; a counted number of dies stands still between its steps."""
    frame = pl.DataFrame({"build_npv_usd": [-2.0, 0.0, 3.0]})
    assert of(frame, "decision_margin_usd", "build_npv_usd") == [-1.0, 1.0, 1.0]
    counted = SQUARE.with_columns(gross_die_method=pl.lit("grid"))
    assert of(counted, "die_gross_per_wafer", "die_area_mm2") == [0.0, 0.0]
    assert all(slope != 0 for slope in of(SQUARE, "die_gross_per_wafer", "die_area_mm2"))


def test_elasticities_are_shares_of_shares() -> None:
    frame = tapeout.evaluate(tapeout.reference(), "build_npv_usd")
    by = ["wafer_price_usd", "discount_rate_per_year"]
    slopes = tapeout.gradient(frame.drop("build_npv_usd"), "build_npv_usd", by)
    found = tapeout.gradient(frame.drop("build_npv_usd"), "build_npv_usd", by, elasticities=True)
    for name in by:
        want = frame[name] / frame["build_npv_usd"] * slopes[f"d_build_npv_usd_d_{name}"]
        assert found[f"elasticity_build_npv_usd_{name}"].to_list() == pytest.approx(want.to_list(), rel=1e-14)
    still = tapeout.gradient(
        pl.DataFrame({"build_npv_usd": [0.0]}), "decision_margin_usd", "build_npv_usd", elasticities=True
    )
    assert still["elasticity_decision_margin_usd_build_npv_usd"].to_list() == [None]


def test_all_inputs_that_are_read_and_no_others() -> None:
    frame = tapeout.gradient(SQUARE, "die_yield")
    added = [name.removeprefix("d_die_yield_d_") for name in frame.columns[SQUARE.width :]]
    resolved = tapeout.resolve(SQUARE, "die_yield").filter(pl.col("origin").is_in(["column", "default"]))
    numbers = [name for name in resolved["variable"] if scenarios.declared()[name]["kind"] == "number"]
    assert sorted(added) == sorted(numbers)


def test_frames_of_every_kind_rows_in_any_order_and_any_threads() -> None:
    generator = np.random.default_rng(2)
    lines = scenarios.rows(generator, scenarios.models()["die"][0], 700, {**DIE_LIMITS, "die_spare_units": (0, 1)})
    frame = scenarios.frame_of([full_die(line) for line in lines])
    by = ["die_width_mm", "die_yield", "die_defect_density_per_cm2"]
    want = tapeout.gradient(frame, "die_cost_usd", by)
    assert_frame_equal(tapeout.gradient(frame.lazy(), "die_cost_usd", by).collect(), want, check_exact=True)
    back = tapeout.gradient(frame.reverse(), "die_cost_usd", by).reverse()
    assert_frame_equal(back, want, check_exact=True)
    arrow = tapeout.gradient(frame.to_arrow(), "die_cost_usd", by)
    assert type(arrow).__module__.startswith("pyarrow")
    assert_frame_equal(pl.DataFrame(arrow).select(pl.col("^d_.*$")), want.select(pl.col("^d_.*$")), check_exact=True)
    threads = tapeout._core.configure()[0]
    try:
        for count in (1, 5):
            tapeout._core.configure(threads=count)
            assert_frame_equal(tapeout.gradient(frame, "die_cost_usd", by), want, check_exact=True)
    finally:
        tapeout._core.configure(threads=threads)
    empty = tapeout.gradient(frame.clear(), "die_cost_usd", by)
    assert empty.schema == want.schema


@pytest.mark.parametrize(
    ("output", "by", "says"),
    [
        ("die_cost_usd", "die_units", "wrt die_units: of kind integer, which has no derivative"),
        ("die_cost_usd", "yield_model", "wrt yield_model: of kind choice"),
        ("die_cost_usd", "node", "wrt node: a key"),
        ("train_cost_usd", "train_start_date", "wrt train_start_date: of kind date"),
        ("die_status", "wafer_price_usd", "of die_status: of kind choice"),
        ("die_cost_usd", "die_cots_usd", "wrt die_cots_usd: not a variable; the nearest: die_cost_usd"),
        ("die_cost_usd", "die", "wrt die: a model; name its inputs"),
        ("die_cost_usd", "build_npv_sd_usd", "wrt build_npv_sd_usd: computed from the others"),
        ("build_npv_usd", "wafer_price_usd", "build_npv_usd can't be computed"),
    ],
)
def test_what_has_no_derivative_is_refused_by_name(output: str, by: str, says: str) -> None:
    with pytest.raises(tapeout.InvalidInput, match=says.replace("(", r"\(")):
        tapeout.gradient(SQUARE, output, by)


def test_bad_values_are_named_as_by_evaluate() -> None:
    frame = SQUARE.with_columns(wafer_price_usd=pl.Series([1.0, -1.0]))
    with pytest.raises(tapeout.InvalidInput, match="column wafer_price_usd: 1 row, the first row 1: -1 is not"):
        tapeout.gradient(frame, "die_cost_usd", "die_yield")
    with pytest.raises(tapeout.InvalidInput, match="name the inputs for a LazyFrame"):
        tapeout.gradient(SQUARE.lazy(), "die_cost_usd")
