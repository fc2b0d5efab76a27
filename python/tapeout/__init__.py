"""The economics of AI compute, for millions of scenarios at once."""

from tapeout._claims import claims
from tapeout.catalogs import catalog
from tapeout.declarations import models, variables
from tapeout.errors import InternalError, InvalidInput
from tapeout.frame import evaluate, expr, resolve
from tapeout.reference import reference

__all__ = [
    "InternalError",
    "InvalidInput",
    "catalog",
    "claims",
    "evaluate",
    "expr",
    "models",
    "reference",
    "resolve",
    "variables",
]
