"""Calendar and cost of a tape-out, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row, erlang_cdf, respin_moments


def on_time(lines: Lines) -> Any:
    """P(T_0 + N T_r + G <= deadline): the sum over respins of P(N = n) F_s.

    Source: definition; Erlang and geometric laws.
    """
    p1, p2 = lines["first_silicon_probability"], lines["later_silicon_probability"]
    each, theta, shape = (
        lines["respin_months"],
        lines["programme_overrun_months"],
        int(lines["programme_overrun_shape"]),
    )
    slack = lines["programme_deadline_months"] - lines["programme_planned_months"]

    def overrun_within(room: Any) -> Any:
        if room < 0:
            return mpf(0)
        return mpf(1) if theta == 0 else erlang_cdf(shape, room / theta)

    if each == 0 or slack == mp.inf:
        return overrun_within(slack)
    total, n, left = mpf(0), 0, mpf(1)
    while slack - n * each >= 0 and left > mpf(10) ** -20:  # of a probability
        weight = p1 if n == 0 else (1 - p1) * p2 * (1 - p2) ** (n - 1)
        total += weight * overrun_within(slack - n * each)
        left -= weight
        n += 1
    return total


def evaluate(row: Row) -> Result:
    """Programme outputs.

    Sources: design stages shortened in their compressible share, Amdahl 1967; expected spins 1 + (1-p1)/p2,
    definition of the geometric law; a metal-only respin pays a share of the mask set (mask classes as in
    HNLPU, ASPLOS 2026, Appendix B); months burn head count x (staff + EDA), definition. `programme_nre_usd`
    is expected and undiscounted.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def squeeze() -> Any:
            share = lines["design_compressible_share"]
            return (1 - share) + share / lines["design_speedup"]

        def stage(*names: str) -> Any:
            return mp.fsum(lines[f"programme_{name}_months"] for name in names)

        def respins() -> Any:
            return respin_moments(lines["first_silicon_probability"], lines["later_silicon_probability"])

        def respin_usd() -> Any:
            metal = lines["programme_metal_respin_share"]
            return lines["programme_mask_usd"] * ((1 - metal) + metal * lines["programme_metal_mask_share"])

        def launch_mean() -> Any:
            overrun = lines["programme_overrun_shape"] * lines["programme_overrun_months"]
            return lines["programme_planned_months"] + respins()[0] * lines["respin_months"] + overrun

        def launch_sd() -> Any:
            overrun = lines["programme_overrun_shape"] * lines["programme_overrun_months"] ** 2
            return mp.sqrt(respins()[1] * lines["respin_months"] ** 2 + overrun)

        def parts() -> Any:
            return (
                lines["programme_fixed_usd"]
                + lines["programme_mask_usd"]
                + respins()[0] * lines["programme_respin_usd"]
                + lines["programme_burn_usd_per_month"] * lines["programme_launch_months_mean"]
                + lines["programme_launch_usd"]
            )

        def scale_of_parts() -> Any:
            if row.get("programme_nre_usd") is None:
                return mpf(1)
            whole = parts()
            return None if whole == 0 else lines["programme_nre_usd"] / whole

        lines.line("programme_freeze_months", lambda: stage("architecture") * squeeze())
        lines.line("programme_tapeout_months", lambda: stage("architecture", "rtl", "physical") * squeeze())
        lines.line(
            "programme_planned_months",
            lambda: lines["programme_tapeout_months"] + stage("fab", "assembly", "bringup", "qualification"),
        )
        lines.line("programme_fixed_usd", lambda: lines["programme_ip_usd"])
        lines.line("programme_respin_usd", respin_usd)
        lines.line(
            "programme_burn_usd_per_month",
            lambda: (
                lines["programme_headcount"]
                * (lines["programme_staff_usd_per_year"] + lines["programme_eda_usd_per_year"])
                / 12
            ),
        )
        lines.line("programme_launch_usd", lambda: lines["programme_software_usd"] + lines["programme_bringup_usd"])
        lines.line("programme_spins_expected", lambda: 1 + respins()[0])
        lines.line("programme_launch_months_mean", launch_mean)
        lines.line("programme_launch_months_sd", launch_sd)
        lines.line("programme_on_time_probability", lambda: on_time(lines), lambda: mpf(1))
        lines.line("programme_nre_usd", parts)
        lines.line("programme_nre_scale", scale_of_parts)
        return lines.result()
