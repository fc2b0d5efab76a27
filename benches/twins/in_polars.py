"""Polars: expressions over lazy columns, for the closed forms.

The chain is no expression: a recurrence over 120 months and hundreds of cells of the launch law a row. Nor is serving:
each pass of its fixed point uses the last one a dozen times.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from .closed import equations


def _where(condition: Any, yes: Any, no: Any) -> Any:
    return pl.when(condition).then(yes).otherwise(no)


m = SimpleNamespace(
    exp=lambda x: x.exp(), log=lambda x: x.log(), log1p=lambda x: x.log1p(), expm1=lambda x: x.exp() - 1.0,
    sqrt=lambda x: x.sqrt(), where=_where, minimum=lambda a, b: pl.min_horizontal(a, b),
    maximum=lambda a, b: pl.max_horizontal(a, b), some=lambda _: True,
)  # fmt: skip
closed = equations(m)


def expressions(job: str, columns: dict[str, np.ndarray], fixed: Any) -> Callable[[], tuple[Any, ...]]:
    frame = pl.DataFrame(columns)
    answers = getattr(closed, job)(fixed, *(pl.col(name) for name in frame.columns))
    named = [answer.alias(f"o{i}") for i, answer in enumerate(answers)]

    def run() -> tuple[Any, ...]:
        result = frame.lazy().select(named).collect()
        return tuple(result[name] for name in result.columns)

    return run
