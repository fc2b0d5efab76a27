"""Plain Python, one row at a time: how most calculators of the field are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .closed import equations
from .rows import HORIZON, chain
from .shared import shared

m = SimpleNamespace(
    exp=math.exp, log=math.log, log1p=math.log1p, expm1=math.expm1, sqrt=math.sqrt, where=lambda c, a, b: a if c else b,
    minimum=min, maximum=max, some=bool,
)  # fmt: skip
closed = equations(m)


def one_at_a_time(job: str, named: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    columns = list(named.values())
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    if job != "chain":
        function = getattr(closed, job)
        return lambda: tuple(np.array(answer) for answer in zip(*(function(fixed, *row) for row in rows), strict=True))
    s = shared(fixed._asdict(), float(columns[4].max()))
    # Lists: an element of an array is dear to Python.
    s = s._replace(**{name: value.tolist() for name, value in s._asdict().items() if isinstance(value, np.ndarray)})
    scratch = [[0.0] * HORIZON for _ in range(6)]
    return lambda: tuple(np.array(answer) for answer in zip(*(chain(s, *scratch, *row) for row in rows), strict=True))
