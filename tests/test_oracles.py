"""The core against the reference evaluations of `oracle/`, model by model, over the whole declared bounds.

Agreement is relative to what the oracle calls the output's scale (the sum of absolute terms) or, where an output jumps,
within the range that rounding could select. Rows in which a number leaves what a double can hold are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
import scenarios
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import build, decision, decline, demand, die, package, programme, training
from scenarios import Row

import tapeout

Oracle = Callable[[Row], dict[str, Any]]
Limits = Mapping[str, tuple[float, float]]

CLOSED = 1e-12
MONTHLY = 1e-9  # 120 steps of a recurrence and sums over thousands of cells
LARGEST = 1e290  # of a double's 1.8e308, with room for what is multiplied on the way
SMALLEST = 1e-290

SEEDS = st.integers(0, 2**32 - 1)


def problems(
    model: str, lines: Sequence[Row], oracle: Oracle, tolerance: float | Callable[[str, Row], float]
) -> list[tuple[str, Any, Any, float, Row]]:
    """(output, core, oracle, difference in units of the scale, row) where they disagree."""
    outputs = scenarios.models()[model][1]
    got = tapeout.evaluate(scenarios.frame_of(lines), list(outputs)).select(outputs).to_dicts()
    found: list[tuple[str, Any, Any, float, Row]] = []
    for line, answer in zip(lines, got, strict=True):
        want = oracle(line)
        if any(size > LARGEST for size in want["_scale"].values()):
            continue
        for name in outputs:
            allowed = tolerance(name, line) if callable(tolerance) else tolerance
            wrong = difference(answer[name], want[name], want["_scale"].get(name), want["_range"].get(name))
            if not wrong <= allowed:
                found.append((name, answer[name], want[name], wrong, line))
    return found


def difference(got: Any, want: Any, scale: float | None, limits: tuple[float, float] | None) -> float:
    """How far apart, relative to the scale; infinite where they differ in kind."""
    if got is None or want is None or isinstance(want, str):
        return 0.0 if got == want else math.inf
    if got == want:
        return 0.0
    if limits is not None and limits[0] <= got <= limits[1]:
        return 0.0
    if math.isnan(got) or math.isinf(got) or math.isinf(want):
        return math.inf
    if max(abs(want), abs(got)) <= SMALLEST:
        return 0.0
    nearest = want if limits is None else min((want, *limits), key=lambda end: abs(got - end))
    size = max(scale or 0.0, abs(want))
    return abs(got - nearest) / size if size else math.inf


def report(found: Sequence[tuple[str, Any, Any, float, Row]]) -> str:
    shown = [f"{name}: {got!r}, oracle {want!r}, off by {off:.2g} of scale; {line}" for name, got, want, off, line in found]
    counted = {name: sum(1 for line in found if line[0] == name) for name in dict.fromkeys(line[0] for line in found)}
    return f"{counted}\n" + "\n".join(shown[:3])


def override(generator: np.random.Generator, line: Row, computed: Mapping[str, Any], outputs: Sequence[str]) -> Row:
    """The row with a few outputs given: what they would have been, moved by up to a fifth."""
    changed = dict(line)
    for name in generator.choice(outputs, size=min(2, len(outputs)), replace=False):
        value = computed[str(name)]
        variable = scenarios.declared()[str(name)]
        if variable["role"] == "summary" or not isinstance(value, float) or not math.isfinite(value):
            continue
        moved = value * float(generator.uniform(0.8, 1.2))
        changed[str(name)] = min(max(moved, variable["low"]), variable["high"])
    return changed


# ---------------------------------------------------------------- closed forms


DIE_LIMITS: Limits = {
    # The oracle's expansion has n times k terms of hundreds of digits; larger ones are in a test of their own.
    "die_units": (1, 300),
    "die_spare_units": (0, 12),
}


def full_die(line: Row) -> Row:
    return {**line, "die_spare_units": min(line["die_spare_units"], line["die_units"])}


CASES: dict[str, tuple[Oracle, Limits]] = {
    "training": (training.evaluate, {}),
    "die": (die.evaluate, DIE_LIMITS),
    "package": (package.evaluate, {"package_dies": (0, 64), "package_memory_stacks": (0, 64)}),
    "programme": (programme.evaluate, {}),
    "build_or_buy": (decision.evaluate, {}),
    "decline": (decline.evaluate, {}),
}


def drawn(model: str, seed: int, count: int) -> list[Row]:
    oracle, limits = CASES[model]
    generator = np.random.default_rng(seed)
    lines = scenarios.rows(generator, scenarios.models()[model][0], count, limits)
    if model == "die":
        lines = [full_die(line) for line in lines]
    outputs = scenarios.models()[model][1]
    return [override(generator, line, oracle(line), outputs) if k % 4 == 0 else line for k, line in enumerate(lines)]
