"""The economics of AI compute, for millions of scenarios at once."""

from ._claims import claims
from ._compare import compare
from ._explain import Explanation, explain
from ._gradient import gradient, kinks
from ._portfolio import Portfolio, portfolio
from ._reference import reference
from ._screen import screen
from ._sensitivity import from_salib, sensitivity, to_salib
from ._solve import solve
from .catalogs import catalog
from .declarations import models, variables
from .distributions import (
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
from .errors import InternalError, InvalidInput
from .frame import evaluate, expr, resolve
from .sweep import Summary, Sweep

__all__ = [
    "Distribution",
    "Explanation",
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
    "explain",
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
    "to_salib",
    "triangular",
    "uniform",
    "variables",
]
