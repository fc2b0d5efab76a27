"""What a finished accelerator costs and what the design partner charges, in 50 digits."""

from __future__ import annotations

from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row


def evaluate(row: Row) -> Result:
    """Package outputs.

    Sources: known good die, escapes and package pass share, CATCH (Graening et al. 2025, nanocad-
    lab/CATCH), after Williams and Brown 1981, IEEE Trans. Computers 30 (test coverage and quality); margins
    on silicon and on memory, definition. Where nothing passes a test there is no cost.
    """
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def pass_share(good: Any, coverage: Any) -> Any:
            return 1 - (1 - good) * coverage

        def die_pass() -> Any:
            return pass_share(lines["die_sellable_yield"], lines["die_test_coverage"])

        def known_good() -> Any:
            if die_pass() == 0:
                return None
            raw = lines["die_cost_usd"] * lines["die_sellable_yield"]
            return (raw + lines["die_test_usd"]) / die_pass()

        def bom() -> Any:
            parts = (
                lines["package_dies"] * lines["die_known_good_usd"]
                + lines["asic_memory_usd"]
                + lines["package_interposer_usd"] / lines["package_interposer_yield"]
                + lines["package_substrate_usd"]
                + lines["package_assembly_usd"]
                + lines["package_test_usd"]
            )
            if row["package_chip_first"]:
                parts /= lines["package_interposer_yield"] * lines["package_bond_yield"] ** lines["package_dies"]
            return parts

        def package_pass() -> Any:
            dies, stacks = lines["package_dies"], lines["package_memory_stacks"]
            if die_pass() == 0:
                return None
            good = (
                (lines["die_sellable_yield"] / die_pass()) ** dies
                * lines["memory_quality"] ** stacks
                * lines["package_bond_yield"] ** dies
                * lines["package_yield"]
            )
            return pass_share(good, lines["package_test_coverage"])

        def some_pass() -> bool:
            return bool(lines["package_pass_share"] > 0)

        def price() -> Any:
            memory = lines["asic_memory_usd"]
            silicon = (lines["asic_unit_cost_usd"] - memory) / (1 - lines["partner_margin_share"])
            return silicon + memory / (1 - lines["partner_memory_margin_share"]) + lines["partner_royalty_usd"]

        def price_scale() -> Any:
            memory = lines["asic_memory_usd"]
            silicon = (abs(lines["asic_unit_cost_usd"]) + memory) / (1 - lines["partner_margin_share"])
            return silicon + memory / (1 - lines["partner_memory_margin_share"]) + lines["partner_royalty_usd"]

        lines.line("die_known_good_usd", known_good)
        lines.line(
            "asic_memory_usd",
            lambda: (
                lines["package_memory_stacks"]
                * lines["package_memory_bytes_per_stack"]
                / mpf(10) ** 9
                * lines["memory_usd_per_gb"]
            ),
        )
        lines.line("asic_bom_usd", bom)
        lines.line("package_pass_share", package_pass, lambda: mpf(1))
        lines.line(
            "asic_package_loss_usd",
            lambda: lines["asic_bom_usd"] * (1 / lines["package_pass_share"] - 1) if some_pass() else None,
            lambda: abs(lines["asic_bom_usd"]) * (1 / lines["package_pass_share"] + 1),
        )
        lines.line(
            "asic_unit_cost_usd",
            lambda: lines["asic_bom_usd"] + lines["asic_package_loss_usd"],
            lambda: abs(lines["asic_bom_usd"]) + abs(lines["asic_package_loss_usd"]),
        )
        lines.line("asic_unit_price_usd", price, price_scale)
        return lines.result()
