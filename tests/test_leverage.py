"""What is weighed where, and that a concession counts once."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import scenarios
import tapeout

DECISION = ["decision", "decision_runner_up", "decision_margin_usd"]
OPTIONS = ["build_npv_usd", "build_leverage_usd", "build_dual_npv_usd", "build_threaten_npv_usd"]
BARGAIN = {"leverage_spend_usd_per_year": 3.3e9}
SHARE = {"build_dual_share": 0.5}


def reference(**changes: Any) -> pl.DataFrame:
    return tapeout.reference().with_columns(**{name: pl.lit(value) for name, value in changes.items()})


def value(name: str, frame: pl.DataFrame) -> Any:
    return tapeout.evaluate(frame, name)[name][0]


def decided_by(frame: pl.DataFrame) -> set[str]:
    """The options that the decision on these rows reads."""
    return set(tapeout.resolve(frame, "decision")["variable"]) & set(OPTIONS)


@pytest.mark.parametrize(
    ("given", "weighed"),
    [
        ({}, {"build_npv_usd"}),
        (SHARE, {"build_npv_usd", "build_leverage_usd", "build_dual_npv_usd"}),
        (BARGAIN, {"build_npv_usd", "build_leverage_usd", "build_threaten_npv_usd"}),
        (SHARE | BARGAIN, set(OPTIONS)),
    ],
)
def test_only_options_that_are_known_are_weighed(given: dict[str, float], weighed: set[str]) -> None:
    assert decided_by(reference(**given)) == weighed


def test_without_a_bargain_it_is_build_or_buy() -> None:
    row = tapeout.evaluate(tapeout.reference(), ["build_npv_usd", *DECISION]).row(0, named=True)
    assert (row["decision"], row["decision_runner_up"]) == ("build", "buy")
    assert row["decision_margin_usd"] == row["build_npv_usd"] == pytest.approx(31.9e6, rel=0.01)


def test_rows_with_and_without_a_bargain_in_one_frame() -> None:
    spend = pl.Series("leverage_spend_usd_per_year", [None, 3.3e9], dtype=pl.Float64)
    both = tapeout.evaluate(pl.concat([reference(), reference()]).with_columns(spend), DECISION)
    for k, given in enumerate(({}, BARGAIN)):
        assert both.select(DECISION).row(k) == tapeout.evaluate(reference(**given), DECISION).select(DECISION).row(0)


def test_the_decision_is_the_best_of_the_options() -> None:
    frame = reference(**SHARE, **BARGAIN)
    row = tapeout.evaluate(frame, [*OPTIONS, *DECISION]).row(0, named=True)
    worth = {
        "buy": 0.0,
        "build": row["build_npv_usd"] + row["build_leverage_usd"],
        "dual": row["build_dual_npv_usd"],
        "threaten": row["build_threaten_npv_usd"],
    }
    best, second = sorted(worth, key=lambda option: -worth[option])[:2]
    assert (row["decision"], row["decision_runner_up"]) == (best, second)
    assert row["decision_margin_usd"] == worth[best] - worth[second]


def test_a_share_that_never_binds_is_building() -> None:
    for given in ({}, BARGAIN):
        frame = reference(build_dual_share=1.0, **given)
        row = tapeout.evaluate(frame, [*OPTIONS[:3], *DECISION]).row(0, named=True)
        assert row["build_dual_npv_usd"] == row["build_npv_usd"] + row["build_leverage_usd"]
        assert row["decision"] == "build"


def test_the_same_share_by_hand() -> None:
    """Half of the addressable work is half of the addressable share."""
    dual = value("build_dual_saving_usd", reference(**SHARE))
    small = value("lifetime_saving_usd", reference(build_addressable_share=0.35))
    assert dual == pytest.approx(small, rel=1e-12)


def test_threatening_turns_at_the_breakeven_spend() -> None:
    spend = value("leverage_breakeven_spend_usd", reference(**BARGAIN))
    below, above = (
        value("build_threaten_npv_usd", reference(leverage_spend_usd_per_year=spend * by)) for by in (0.999, 1.001)
    )
    assert below < 0 < above
    # It needs no spending to be known.
    assert value("leverage_breakeven_spend_usd", reference()) == spend


# ---------------------------------------------------------------- counted once


def test_what_the_price_path_gives_is_not_conceded_again() -> None:
    """Without power and switching cost the incumbent comes down to the own cost, however far its path came."""
    own = value("asic_unit_price_usd", reference())
    launch_years = value("programme_launch_months_mean", reference()) / 12
    discounts = []
    for decline in (0.1, 0.2, 0.3):
        frame = reference(
            build_merchant_decline_per_year=decline, leverage_buyer_power=0.0, leverage_switching_share=0.0
        )
        path = 1.25 * 35_000 * (1 - decline) ** launch_years
        discounts.append(value("leverage_discount", frame))
        assert path * (1 - discounts[-1]) == pytest.approx(own, rel=1e-12)
    assert discounts[0] > discounts[1] > discounts[2] > 0


def test_a_path_that_holds_the_threat_leaves_nothing() -> None:
    frame = reference(leverage_priced_in_share=1.0, **SHARE, **BARGAIN)
    row = tapeout.evaluate(frame, [*OPTIONS, *DECISION]).row(0, named=True)
    plain = tapeout.evaluate(reference(**SHARE), [*OPTIONS[:3], *DECISION]).row(0, named=True)
    assert row["build_leverage_usd"] == 0
    assert {name: row[name] for name in plain} == plain
    half = value("leverage_discount", reference(leverage_priced_in_share=0.5))
    assert half == value("leverage_discount", reference()) / 2


def test_displaced_work_takes_no_discount() -> None:
    """What own units displace is saved at the full price; the concession loses exactly its discount."""
    frame = reference(**BARGAIN)
    names = ["build_leverage_usd", "build_displaced_usd", "leverage_discount"]
    row = tapeout.evaluate(frame, names).row(0, named=True)
    whole = value("build_leverage_usd", frame.with_columns(build_displaced_usd=0.0))
    lost = row["leverage_discount"] * scenarios.default_of("leverage_credibility_deployed") * row["build_displaced_usd"]
    assert whole - row["build_leverage_usd"] == pytest.approx(lost, rel=1e-12)
    # Its saving is that of building, with the bargain or without.
    assert value("build_npv_usd", frame) == value("build_npv_usd", reference())


def test_what_is_missing_is_named() -> None:
    with pytest.raises(tapeout.InvalidInput, match="leverage_spend_usd_per_year"):
        tapeout.evaluate(reference(), "build_threaten_npv_usd")
    with pytest.raises(tapeout.InvalidInput, match="build_dual_share"):
        tapeout.evaluate(reference(**BARGAIN), "build_dual_npv_usd")
