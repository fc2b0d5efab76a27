"""Build, buy, both or only threaten."""

from __future__ import annotations

from mpmath import mpf

from .common import Result, Row

#: What each option is the sum of; buying is worth 0.
OPTIONS = {
    "buy": (),
    "build": ("build_npv_usd", "build_leverage_usd"),
    "dual": ("build_dual_npv_usd",),
    "threaten": ("build_threaten_npv_usd",),
}


def evaluate(row: Row) -> Result:
    """The best of what is known, the second and the difference; in a tie the one named first.

    An option is known where the row has its net present value; a concession that nobody states is none.
    Source: definition of the net present value rule.
    """
    if row.get("build_npv_usd") is None:
        return {"decision": None, "decision_runner_up": None, "decision_margin_usd": None, "_scale": {}, "_range": {}}
    known = [
        (option, sum((mpf(row.get(name) or 0) for name in names), mpf(0)))
        for option, names in OPTIONS.items()
        if not names or row.get(names[0]) is not None
    ]
    ranked = sorted(known, key=lambda option: -option[1])
    given = row.get("decision_margin_usd")
    margin = float(ranked[0][1] - ranked[1][1]) if given is None else float(given)
    return {
        "decision": row.get("decision") or ranked[0][0],
        "decision_runner_up": row.get("decision_runner_up") or ranked[1][0],
        "decision_margin_usd": margin,
        "_scale": {"decision_margin_usd": sum(abs(float(value)) for _, value in known)},
        "_range": {},
    }
