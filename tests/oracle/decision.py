"""Build or buy."""

from __future__ import annotations

from mpmath import mpf

from .common import Result, Row


def evaluate(row: Row) -> Result:
    """The better of building (its mean present value) and buying (0), the other, and the difference; buy in a tie.

    Source: definition of the net present value rule.
    """
    value = row.get("build_npv_usd")
    if value is None:
        return {"decision": None, "decision_runner_up": None, "decision_margin_usd": None, "_scale": {}, "_range": {}}
    ranked = sorted((("buy", mpf(0)), ("build", mpf(value))), key=lambda option: -option[1])
    best = row.get("decision") or ranked[0][0]
    second = row.get("decision_runner_up") or ranked[1][0]
    given = row.get("decision_margin_usd")
    margin = float(ranked[0][1] - ranked[1][1]) if given is None else float(given)
    return {
        "decision": best,
        "decision_runner_up": second,
        "decision_margin_usd": margin,
        "_scale": {"decision_margin_usd": abs(margin)},
        "_range": {},
    }
