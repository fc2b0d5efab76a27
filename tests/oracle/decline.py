"""What a claim that cost declines needs each year, and who supplies it, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row

PARTS = ("chip", "architecture", "software")


def evaluate(row: Row) -> Result:
    """Decline outputs.

    Sources: compound rate and halving time, definition; shares by logarithms, as growth accounting (Solow
    1957); an overlap is the share of a factor's logarithm that another factor claims as well, definition;
    Moore 1965, 1975 for the doubling.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def nats(part: str) -> Any:
            return (1 - lines[f"decline_{part}_overlap"]) * mp.log(lines[f"decline_{part}_factor"])

        def gross_nats() -> Any:
            return mp.fsum(abs(nats(part)) for part in PARTS)

        def halving() -> Any:
            per_year = lines["decline_per_year"]
            return 12 * mp.log(2) / mp.log(per_year) if per_year > 1 else mpf("inf")

        def halving_scale() -> Any:
            per_year = lines["decline_per_year"]
            return halving() * (1 + 1 / mp.log(per_year)) if per_year > 1 else mpf(1)

        def share(part: str) -> Any:
            total = lines["decline_total"]
            return None if total == 1 else nats(part) / mp.log(total)

        def share_scale(part: str) -> Any:
            size = abs(mp.log(lines["decline_total"]))
            return abs(share(part)) * (1 + (1 + gross_nats()) / size) + 1 / size

        lines.line("decline_total", lambda: mp.exp(mp.fsum(nats(part) for part in PARTS)))
        lines.line("decline_per_year", lambda: lines["decline_total"] ** (1 / lines["decline_years"]))
        lines.line("decline_halving_months", halving, halving_scale)
        for part in PARTS:
            lines.line(f"decline_share_{part}", lambda p=part: share(p), lambda p=part: share_scale(p))  # type: ignore[misc]
        lines.line(
            "decline_vs_moore",
            lambda: lines["decline_total"] / mpf(2) ** (12 * lines["decline_years"] / lines["moore_doubling_months"]),
        )
        lines.line(
            "decline_real_total",
            lambda: lines["decline_total"] * (1 + lines["inflation_per_year"]) ** lines["decline_years"],
        )
        return lines.result()
