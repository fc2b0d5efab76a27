"""Numba: a loop over rows of the one-row functions, compiled; one thread, and all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np

from . import rows as plain
from .closed import equations
from .shared import HORIZON, shared

jit = numba.njit(error_model="numpy")


@numba.njit(inline="always")
def where(condition, yes, no):
    return yes if condition else no


@numba.njit(inline="always")
def minimum(a, b):
    return a if a < b else b


@numba.njit(inline="always")
def maximum(a, b):
    return a if a > b else b


@numba.njit(inline="always")
def some(condition):
    return condition


m = SimpleNamespace(
    exp=math.exp, log=math.log, log1p=math.log1p, expm1=math.expm1, sqrt=math.sqrt, where=where, minimum=minimum,
    maximum=maximum, some=some,
)  # fmt: skip


def _over_rows(function: Any, f: Any, inputs: int, outputs: int, parallel: bool) -> Any:
    """A loop over rows; Numba wants its arguments by name, and few: constants `f` are compiled in."""
    columns, results = [f"c{i}" for i in range(inputs)], [f"o{i}" for i in range(outputs)]
    source = [
        f"def kernel({', '.join(columns + results)}):",
        "    for i in numba.prange(len(c0)):",
        f"        {', '.join(f'{name}[i]' for name in results)} = function(f, {', '.join(f'{c}[i]' for c in columns)})",
    ]
    scope = {"numba": numba, "function": function, "f": f}
    exec("\n".join(source), scope)
    return numba.njit(scope["kernel"], error_model="numpy", parallel=parallel)


def _compiled(job: str, constants: Any, inputs: int, outputs: int, parallel: bool) -> Any:
    if job != "chain":
        return _over_rows(getattr(equations(m, jit), job), constants, inputs, outputs, parallel)
    scope = dict(vars(plain))
    for name in ("unit_price", "savings", "over_launches"):
        scope[name] = jit(_rebound(getattr(plain, name), scope))
    one = jit(_rebound(plain.chain, scope))

    @numba.njit(error_model="numpy")
    def row(s, *inputs):
        scratch = np.empty((6, HORIZON))
        return one(s, scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], *inputs)

    return _over_rows(row, constants, inputs, outputs, parallel)


def _rebound(function: Any, scope: dict[str, Any]) -> Any:
    """The same function, calling the compiled ones."""
    return type(function)(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)


def _run(job: str, named: dict[str, np.ndarray], fixed: Any, parallel: bool) -> Callable[[], tuple[Any, ...]]:
    columns = list(named.values())
    outputs = {"training": 2, "package": 4, "chain": 4, "point": 3, "search": 4}[job]
    constants = shared(fixed._asdict(), float(columns[4].max())) if job == "chain" else fixed
    kernel = _compiled(job, constants, len(columns), outputs, parallel)

    def run() -> tuple[Any, ...]:
        results = [np.empty(len(columns[0])) for _ in range(outputs)]
        kernel(*columns, *results)
        return tuple(results)

    return run


def one_thread(job: str, columns: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    return _run(job, columns, fixed, parallel=False)


def parallel(job: str, columns: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    return _run(job, columns, fixed, parallel=True)
