"""Equations that several models share, for scalars. SI and USD, rates as named."""

from tapeout._core import (
    breakeven_units,
    capital_recovery_factor,
    constant_path_saving_usd,
    stochastic_saving,
    triangular_delay_loss_share,
    two_for_two_breakeven_ratio,
)

__all__ = [
    "breakeven_units",
    "capital_recovery_factor",
    "constant_path_saving_usd",
    "stochastic_saving",
    "triangular_delay_loss_share",
    "two_for_two_breakeven_ratio",
]
