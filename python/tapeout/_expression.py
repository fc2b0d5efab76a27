"""Arithmetic and conditions in text, such as ``build_npv_usd@fast > 0 and lifetime_saving_usd > 200e6``.

An expression is read by Python's own parser and compiled to a Polars expression node by node; nothing is ever executed
as Python. Allowed: numbers, names, ``name@variant``, ``+ - * / **``, comparisons, ``and or not``, ``min()``, ``max()``, ``floor()``.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, reduce

import polars as pl

_ARITHMETIC: dict[type[ast.operator], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARISON: dict[type[ast.cmpop], Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_EXTREMES = {"min": pl.min_horizontal, "max": pl.max_horizontal}
_AT = "__at__"
_AT_NAME = re.compile(r"\b([A-Za-z_]\w*)@([A-Za-z_]\w*)")


class InvalidExpression(ValueError):
    """The text is not an expression of the kind this module reads."""


@dataclass(frozen=True)
class Name:
    """A quantity of the row, or of the same row under a variant's assumptions."""

    quantity: str
    variant: str | None = None

    def __str__(self) -> str:
        return self.quantity if self.variant is None else f"{self.quantity}@{self.variant}"


@dataclass(frozen=True)
class Expression:
    """A parsed expression; equal texts are equal expressions."""

    text: str

    def __post_init__(self) -> None:
        _check(_tree(self.text), self.text)

    def names(self) -> frozenset[Name]:
        """Every name the expression reads."""
        return _names(self.text)

    def is_condition(self) -> bool:
        """Whether the value is true or false rather than a number."""
        return _is_condition(_tree(self.text))

    def compile(self, lookup: Callable[[Name], pl.Expr]) -> pl.Expr:
        """The Polars expression, with `lookup` giving the expression of each name."""
        return _compile(_tree(self.text), lookup)


@lru_cache(maxsize=1024)
def _tree(text: str) -> ast.expr:
    marked = _AT_NAME.sub(rf"\1{_AT}\2", text)
    try:
        return ast.parse(marked.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise InvalidExpression(f"expression {text!r} can't be read: {error.args[0]}") from None


@lru_cache(maxsize=1024)
def _names(text: str) -> frozenset[Name]:
    nodes = list(ast.walk(_tree(text)))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return frozenset(_name(node) for node in nodes if isinstance(node, ast.Name) and id(node) not in called)


def _name(node: ast.Name) -> Name:
    quantity, _, variant = node.id.partition(_AT)
    return Name(quantity, variant or None)


def _is_condition(node: ast.expr) -> bool:
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    return negated or isinstance(node, ast.Compare | ast.BoolOp)


def _check(node: ast.expr, text: str) -> None:
    """Refuse every node that has no meaning here, naming it."""

    def refuse(what: str) -> InvalidExpression:
        return InvalidExpression(f"expression {text!r}: {what}")

    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            raise refuse(f"{node.value!r} is not a number")
        case ast.Constant(value=int() | float()) | ast.Name():
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=operand):
            operands = [operand]
            wants_condition = isinstance(node.op, ast.Not)
        case ast.BinOp(left=left, op=op, right=right):
            if type(op) not in _ARITHMETIC:
                raise refuse(f"operator {type(op).__name__} is not one of + - * / **")
            operands, wants_condition = [left, right], False
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            if unknown := [type(op).__name__ for op in ops if type(op) not in _COMPARISON]:
                raise refuse(f"comparison {unknown[0]} is not one of < <= > >= == !=")
            operands, wants_condition = [left, *comparators], False
        case ast.BoolOp(values=values):
            operands, wants_condition = values, True
        case ast.Call(func=ast.Name(id="min" | "max"), args=args, keywords=[]) if len(args) >= 2:
            if any(isinstance(argument, ast.Starred) for argument in args):
                raise refuse("min and max take their values one by one")
            operands, wants_condition = args, False
        case ast.Call(func=ast.Name(id="floor"), args=[argument], keywords=[]) if not isinstance(argument, ast.Starred):
            operands, wants_condition = [argument], False
        case ast.Call():
            raise refuse("only min(a, b, ...), max(a, b, ...) and floor(a) can be called")
        case _:
            raise refuse(
                f"{type(node).__name__} is not numbers, names, + - * / **, comparisons, and or not, min, max, floor"
            )
    for operand in operands:
        _check(operand, text)
        # A name may hold a boolean column, so only what is certain is refused.
        if wants_condition and not _is_condition(operand) and not isinstance(operand, ast.Name):
            raise refuse("and, or, not join conditions, not numbers")
        if not wants_condition and _is_condition(operand):
            raise refuse("a condition can't be used as a number")


def _compile(node: ast.expr, lookup: Callable[[Name], pl.Expr]) -> pl.Expr:
    match node:
        case ast.Constant(value=int() | float() as value):
            return pl.lit(float(value))
        case ast.Name():
            return lookup(_name(node))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_compile(operand, lookup)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_compile(operand, lookup)
        case ast.UnaryOp(operand=operand):
            return _compile(operand, lookup)
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_compile(left, lookup), _compile(right, lookup))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            # Polars ranks NaN above every number; here a comparison with it is unknown.
            values = [_compile(value, lookup).fill_nan(None) for value in (left, *comparators)]
            pairs = zip(ops, values, values[1:], strict=False)
            return _all(_COMPARISON[type(op)](a, b) for op, a, b in pairs)
        case ast.BoolOp(op=op, values=parts):
            conditions = [_compile(part, lookup) for part in parts]
            return _all(conditions) if isinstance(op, ast.And) else reduce(pl.Expr.__or__, conditions)
        case ast.Call(func=ast.Name(id="floor"), args=[argument]):
            return _compile(argument, lookup).floor()
        case ast.Call(func=ast.Name(id=function), args=args):
            values = [_compile(argument, lookup) for argument in args]
            # Polars skips nulls in min and max; here an unknown argument makes the result unknown.
            return pl.when(_all(value.is_not_null() for value in values)).then(_EXTREMES[function](*values))
        case _:
            raise AssertionError("a checked expression has no other nodes")


def _all(conditions: Iterable[pl.Expr]) -> pl.Expr:
    return reduce(pl.Expr.__and__, conditions)
