# The core's functions as Python sees them. tests/test_surface.py compares names and parameters with the module.
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

class InternalError(Exception):
    """A mistake in tapeout itself. Please report it."""

_Array = np.ndarray[Any, Any]
_NullableArray = tuple[_Array, _Array | None]
_Key = tuple[_NullableArray | None, int | None, Mapping[str, Sequence[float]]]

class Sample:
    """Rows of uncertain inputs by index."""

    def __init__(
        self,
        design: str,
        seed: int,
        samples: int,
        columns: Sequence[tuple[str, Sequence[float], float, float]],
        correlated: Sequence[int],
        matrix: Sequence[float],
        of_ranks: bool,
    ) -> None: ...
    def rows(self, first: int, rows: int, wanted: Sequence[int]) -> list[_Array]: ...
    def cuts(self) -> list[tuple[float, float, float]]: ...
    def quantile(self, column: int, probability: float) -> float: ...
    def quantiles(self, column: int, probabilities: _Array) -> _Array: ...

class Summary:
    """What a sweep's rows say together."""

    def __init__(self, pilot: Sequence[_Array], pairs: Sequence[tuple[int, int]]) -> None: ...
    def add(self, first_row: int, columns: Sequence[_Array]) -> None: ...
    def merge(self, other: Summary) -> None: ...
    def moments(self) -> list[tuple[int, int, float, float]]: ...
    def quantiles(self, shares: Sequence[float]) -> list[list[tuple[float, float]]]: ...
    def extremes(self) -> list[tuple[list[tuple[float, int]], list[tuple[float, int]]]]: ...
    def correlations(self) -> list[float]: ...

def evaluate(
    rows: int,
    columns: Mapping[str, _NullableArray],
    assumptions: Mapping[str, float],
    keys: Sequence[_Key],
    outputs: Sequence[str],
    null_invalid: bool,
) -> dict[str, Any]: ...
def gradient(
    rows: int,
    columns: Mapping[str, _NullableArray],
    assumptions: Mapping[str, float],
    keys: Sequence[_Key],
    outputs: Sequence[str],
    by: Sequence[str],
    elasticities: bool,
) -> dict[str, Any]: ...
def solve(
    rows: int,
    columns: Mapping[str, _NullableArray],
    assumptions: Mapping[str, float],
    keys: Sequence[_Key],
    outputs: Sequence[str],
    variable: str,
    low: float,
    high: float,
    equals: _NullableArray,
) -> dict[str, Any]: ...
def inputs_read(
    rows: int,
    columns: Mapping[str, _NullableArray],
    assumptions: Mapping[str, float],
    keys: Sequence[_Key],
    outputs: Sequence[str],
) -> list[str]: ...
def resolve(
    rows: int,
    columns: Mapping[str, _NullableArray],
    assumptions: Mapping[str, float],
    keys: Sequence[_Key],
    outputs: Sequence[str],
) -> list[tuple[str, str, str, int, float]]: ...
def explain(
    rows: int,
    columns: Mapping[str, _NullableArray],
    assumptions: Mapping[str, float],
    keys: Sequence[_Key],
    outputs: Sequence[str],
) -> list[dict[str, Any]]: ...
def equations() -> list[tuple[str, str, str, str, list[tuple[str, str, list[tuple[str, str]]]]]]: ...
def shared_equations() -> list[tuple[str, str]]: ...
def variables() -> list[dict[str, Any]]: ...
def models() -> list[tuple[str, str, list[str], list[str]]]: ...
def configure(
    threads: int | None = None, instruction_set: str | None = None, block_rows: int | None = None
) -> tuple[int, str, int]: ...
def panic_for_tests() -> None: ...
def capital_recovery_factor(rate_per_year: float, years: float) -> float: ...
def constant_path_saving_usd(
    chip_price_usd: float,
    unit_price_usd: float,
    merchant_decline_rate: float,
    launch_months: float,
    life_years: float,
    discount_rate: float,
    hazard: float,
) -> float: ...
def breakeven_units(nre: float, saving: float) -> float: ...
def stochastic_saving(
    chip_price_usd: float,
    unit_price_usd: float,
    merchant_decline_rate: float,
    units_per_year: float,
    life_years: float,
    discount_rate: float,
    hazard: float,
    planned_months: float,
    respin_months: float,
    first_probability: float,
    later_probability: float,
    overrun_shape: float,
    overrun_months: float,
) -> tuple[float, float]: ...
def triangular_delay_loss_share(delay: float, half_life_of_window: float) -> float: ...
def two_for_two_breakeven_ratio(improvement: float) -> float: ...
