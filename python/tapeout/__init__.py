"""The economics of AI compute, for millions of scenarios at once."""

from tapeout._claims import claims
from tapeout._compare import compare
from tapeout._gradient import gradient, kinks
from tapeout._portfolio import Portfolio, portfolio
from tapeout._screen import screen
from tapeout._solve import solve
from tapeout._timeline import timeline
from tapeout.catalogs import catalog
from tapeout.declarations import models, variables
from tapeout.distributions import (
    Distribution,
    InvalidDistribution,
    beta,
    choice,
    empirical,
    exponential,
    gamma,
    integers,
    lognormal,
    loguniform,
    normal,
    pert,
    quantiles,
    triangular,
    uniform,
)
from tapeout.errors import InternalError, InvalidInput
from tapeout.frame import evaluate, expr, resolve
from tapeout.reference import reference
from tapeout.sensitivity import from_salib, sensitivity, to_salib
from tapeout.sweep import Summary, Sweep

__all__ = [
    "Distribution",
    "InternalError",
    "InvalidDistribution",
    "InvalidInput",
    "Portfolio",
    "Summary",
    "Sweep",
    "beta",
    "catalog",
    "choice",
    "claims",
    "compare",
    "empirical",
    "evaluate",
    "exponential",
    "expr",
    "from_salib",
    "gamma",
    "gradient",
    "integers",
    "kinks",
    "lognormal",
    "loguniform",
    "models",
    "normal",
    "pert",
    "portfolio",
    "quantiles",
    "reference",
    "resolve",
    "screen",
    "sensitivity",
    "solve",
    "timeline",
    "to_salib",
    "triangular",
    "uniform",
    "variables",
]
