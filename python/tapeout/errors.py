"""What goes wrong, as exceptions."""

from tapeout._core import InternalError

__all__ = ["InternalError", "InvalidInput"]


class InvalidInput(ValueError):
    """A frame, an assumption or a name that can't be used. The message names column, row, value, rule and remedy."""
