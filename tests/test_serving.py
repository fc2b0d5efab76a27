"""Serving as a whole: the search against all its points, fits on made-up measurements, the page of errors."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tapeout
from tapeout import _calibrate, cli

LAYOUTS = [(1, 1, 1), (2, 1, 1), (4, 1, 1), (8, 1, 1), (16, 1, 1), (2, 1, 2), (4, 1, 4), (8, 1, 8), (16, 1, 16)]
LAYOUTS += [(1, 8, 8), (1, 16, 16), (1, 32, 32)]
LOADS = [1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048]
FOUND = ["serve_concurrency", "serve_tensor_parallel", "serve_data_parallel", "serve_expert_parallel"]


def points(row: dict[str, Any]) -> pl.DataFrame:
    """Every point of the search with its times, from `serving`."""
    lines = [
        {
            **row,
            "serve_tensor_parallel": t,
            "serve_data_parallel": d,
            "serve_expert_parallel": e,
            "serve_concurrency": c,
        }
        for (t, d, e), c in product(LAYOUTS, map(float, LOADS))
    ]
    times = ["serve_tpot_s", "serve_ttft_s", "serve_tokens_per_s_per_chip", "serve_status", "serve_chips"]
    return tapeout.evaluate(pl.DataFrame(lines), times)


@pytest.mark.parametrize(
    ("llm", "chip", "tpot", "ttft", "chips", "objective", "apart"),
    [
        ("llama-3.1-70b", "h200-sxm", 0.03, 2.0, 8.0, "cheapest", False),
        ("llama-3.1-70b", "h100-sxm", 0.05, 0.4, 16.0, "fastest", False),
        ("deepseek-v3", "b200-sxm", 0.02, 5.0, 8.0, "cheapest", False),
        ("deepseek-v3", "h200-sxm", 0.1, float("inf"), 32.0, "cheapest", False),
        ("gpt-oss-120b", "h200-sxm", 0.01, 1.0, 4.0, "cheapest", True),
        ("deepseek-v3", "h100-sxm", 0.02, 5.0, 8.0, "cheapest", False),  # does not fit
        ("deepseek-v3", "b200-sxm", 0.001, 5.0, 8.0, "fastest", False),  # too slow
    ],
)
def test_the_search_finds_the_best_of_all_points(
    llm: str, chip: str, tpot: float, ttft: float, chips: float, objective: str, apart: bool
) -> None:
    row: dict[str, Any] = {"llm": llm, "chip": chip, "serve_input_tokens": 2000.0, "serve_output_tokens": 700.0}
    row |= {"serve_engine": "vllm", "serve_disaggregated": apart}
    limits = {
        "serve_max_tpot_s": tpot,
        "serve_max_ttft_s": ttft,
        "serve_max_chips": chips,
        "serve_objective": objective,
    }
    reached = ["serve_reachable_tpot_s", "serve_reachable_ttft_s"]
    got = tapeout.evaluate(pl.DataFrame([row | limits]), [*FOUND, *reached, "serve_search_status", "serve_tpot_s"])
    every = points(row)
    n = pl.col("serve_tensor_parallel") * pl.col("serve_data_parallel")
    fits = every.filter((pl.col("serve_status") == "ok") & (n <= chips))
    soon, fast = pl.col("serve_ttft_s") <= ttft, pl.col("serve_tpot_s") <= tpot
    kept = fits.filter(soon & fast)
    score = -pl.col("serve_tpot_s") if objective == "fastest" else pl.col("serve_tokens_per_s_per_chip")
    status = "ok" if kept.height else "too_slow" if fits.height else "fits_no_layout"
    assert got["serve_search_status"][0] == status
    for name, where in zip(reached, (soon, fast), strict=True):
        least = fits.filter(where)[name.replace("reachable_", "")].min()
        assert got[name][0] == pytest.approx(float("inf") if least is None else least, rel=1e-12)
    if not kept.height:
        assert got.select(FOUND).row(0) == (None,) * 4
        assert got["serve_tpot_s"][0] is None
        return
    # Points that rounding can't tell apart are equally good.
    best = kept.with_columns(score.alias("score")).sort("score", descending=True, maintain_order=True)
    mine = best.filter(*(pl.col(name) == got[name][0] for name in FOUND))
    assert mine["score"][0] == pytest.approx(best["score"][0], rel=1e-12)
    assert got["serve_tpot_s"][0] == pytest.approx(mine["serve_tpot_s"][0], rel=1e-12)


def test_what_is_given_stays_and_the_rest_is_found() -> None:
    row: dict[str, Any] = {
        "llm": "llama-3.1-70b",
        "chip": "h200-sxm",
        "serve_input_tokens": 2000.0,
        "serve_output_tokens": 700.0,
    }
    limits: dict[str, Any] = {"serve_max_tpot_s": 0.05, "serve_tensor_parallel": 4}
    got = tapeout.evaluate(pl.DataFrame([row | limits]), FOUND).row(0, named=True)
    assert got["serve_tensor_parallel"] == 4
    assert got["serve_concurrency"] in LOADS


def test_a_chip_without_four_bits_says_what_is_missing() -> None:
    row: dict[str, Any] = {
        "llm": "llama-3.1-70b",
        "chip": "h200-sxm",
        "serve_input_tokens": 2000.0,
        "serve_output_tokens": 700.0,
    }
    row |= {"serve_concurrency": 8.0, "serve_tensor_parallel": 2, "serve_precision": "fp4"}
    with pytest.raises(tapeout.InvalidInput, match="chip_flop_per_s_fp4"):
        tapeout.evaluate(pl.DataFrame([row]), "serve_tpot_s")
    alone = tapeout.evaluate(pl.DataFrame([row | {"serve_weight_only": True}]), "serve_tpot_s")
    assert alone["serve_tpot_s"].is_not_null().all()


def test_faster_memory_and_more_of_it_never_hurt() -> None:
    generator = np.random.default_rng(3)
    count = 400
    frame = pl.DataFrame(
        {
            "llm": generator.choice(["llama-3.1-70b", "deepseek-v3", "gpt-oss-120b", "glm-5"], count),
            "serve_concurrency": np.exp(generator.uniform(0, 7, count)),
            "serve_input_tokens": np.exp(generator.uniform(4, 10, count)),
            "serve_output_tokens": np.exp(generator.uniform(3, 8, count)),
            "serve_engine": generator.choice(["vllm", "sglang", "trtllm", "generic"], count),
        }
    )
    given: dict[str, str | float] = {"chip": "b200-sxm", "serve_tensor_parallel": 8}
    times = ["serve_tpot_s", "serve_request_s"]
    base = tapeout.evaluate(frame, times, assume=given)
    assert base["serve_tpot_s"].is_not_null().all()
    for name, value in {"chip_memory_bytes_per_s": 1.6e13, "chip_link_bytes_per_s": 1.8e12}.items():
        better = tapeout.evaluate(frame, times, assume=given | {name: value})
        assert (better["serve_tpot_s"] <= base["serve_tpot_s"]).all(), name
    roomy = tapeout.evaluate(frame, times, assume=given | {"chip_memory_bytes": 4e11})
    # More room lets more requests in at once: each token takes longer, a request no longer.
    assert (roomy["serve_request_s"] <= base["serve_request_s"] * (1 + 1e-9)).to_numpy().mean() > 0.95


# ---------------------------------------------------------------- calibration


def measured(count: int, seed: int = 0, **constants: float) -> pl.DataFrame:
    """Rows whose times are those of the model with other constants."""
    generator = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "llm": generator.choice(["llama-3.1-70b", "minimax-m2.5"], count),
            "chip": generator.choice(["h200-sxm", "b200-sxm"], count),
            "serve_engine": generator.choice(["vllm", "trtllm"], count),
            "serve_input_tokens": generator.choice([922.0, 7373.0], count),
            "serve_output_tokens": generator.choice([922.0, 7373.0], count),
            "serve_concurrency": 2.0 ** generator.integers(2, 7, count),
            "serve_tensor_parallel": generator.choice([4, 8], count),
        }
    )
    times = tapeout.evaluate(frame, ["serve_tpot_s", "serve_ttft_s"], assume=constants)
    return times.rename({"serve_tpot_s": "measured_tpot_s", "serve_ttft_s": "measured_ttft_s"})


def line(found: _calibrate.Calibration, output: str, what: str) -> dict[str, Any]:
    return found.errors.filter((pl.col("output") == output) & (pl.col("predicted") == what)).row(0, named=True)


def test_a_fit_finds_what_made_the_measurements() -> None:
    frame = measured(300, serve_cal_layer_s=80e-6, serve_cal_engine_vllm=1.5, serve_cal_launch_s=1.2e-3)
    found = _calibrate.serving(frame)
    for output in ("serve_tpot_s", "serve_ttft_s"):
        assert line(found, output, "declared constants")["median"] > 0.1
        assert line(found, output, "in sample")["median"] < 0.03
        assert line(found, output, "groups left out")["median"] < 0.05
    # Constants trade off, so that predictions are held to and not each of them.
    assert found.fit.values["serve_cal_layer_s"] > 45e-6
    # An engine that no row has stays where it was.
    default = tapeout.variables().filter(pl.col("name") == "serve_cal_engine_sglang")["default"][0]
    assert found.fit.values["serve_cal_engine_sglang"] == pytest.approx(float(default), rel=1e-6)


def test_three_rows_of_ones_own_scale_a_group(tmp_path: Path) -> None:
    frame = measured(3).with_columns(pl.col("measured_tpot_s") * 1.3, group=pl.lit("Our Cluster"))
    found = _calibrate.serving(frame, "mine")
    path = _calibrate.write(found, tmp_path)
    assert path == tmp_path / "calibrations.csv"
    inputs = frame.drop("measured_tpot_s", "measured_ttft_s")
    ratio = {}
    for entry in ("mine", "mine-our-cluster"):
        got = tapeout.evaluate(inputs, "serve_tpot_s", catalog=tmp_path, assume={"serve_calibration": entry})
        ratio[entry] = (got["serve_tpot_s"] / frame["measured_tpot_s"]).to_numpy().mean()
    assert ratio["mine"] < 0.85
    assert 0.93 < ratio["mine-our-cluster"] < 1.01
    # Written again, other entries stay.
    again = _calibrate.write(_calibrate.serving(measured(3), "other"), tmp_path)
    assert {"mine", "other"} <= set(pl.read_csv(again)["name"])


def test_two_rows_scale_nothing() -> None:
    found = _calibrate.serving(measured(2).with_columns(group=pl.lit("a")))
    assert found.entries["name"].unique().to_list() == ["own"]


def test_folds_keep_groups_whole() -> None:
    groups = np.array(list("aabbbccdddde"))
    fold = _calibrate.folds(groups, 3)
    assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
    assert set(fold) == set(range(5))
    assert (fold == _calibrate.folds(groups, 3)).all()


def test_the_interval_of_normal_errors_is_their_spread() -> None:
    generator = np.random.default_rng(0)
    off = np.exp(generator.normal(0, 0.3, 100_000))
    assert _calibrate.spread(off, np.ones_like(off)) == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.drop("measured_tpot_s"), "no column measured_tpot_s"),
        (lambda frame: frame.with_columns(measured_tpot_s=-pl.col("measured_tpot_s")), "row 0: -.* is not a positive"),
        (lambda frame: frame.with_columns(serve_cal_layer_s=pl.lit(1e-5)), "serve_cal_layer_s: a constant"),
        (lambda frame: frame.clear(), "no rows"),
        (lambda frame: frame.drop("serve_concurrency"), "serve_concurrency"),
    ],
)
def test_measurements_that_cannot_be_used_are_refused(change: Any, says: str) -> None:
    with pytest.raises(tapeout.InvalidInput, match=says):
        _calibrate.serving(change(measured(4)))


def test_the_command_fits_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured(40).write_csv(tmp_path / "measured.csv")
    with pytest.raises(SystemExit) as ended:
        cli.main(["calibrate", "serving", str(tmp_path / "measured.csv"), "-o", str(tmp_path / "fit"), "--name", "lab"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "groups left out" in out
    assert "serve_cal_layer_s" in out
    names = set(tapeout.catalog("calibrations", catalog=tmp_path / "fit")["name"])
    assert {"lab", "public-2026-04"} <= names
    with pytest.raises(SystemExit) as ended:
        cli.main(["calibrate", "training", str(tmp_path / "measured.csv")])
    assert ended.value.code == 2


def test_shipped_constants_are_the_declared_ones() -> None:
    shipped = tapeout.catalog("calibrations").filter(pl.col("name") == "public-2026-04")
    values = dict(shipped.select("variable", "value").iter_rows())
    assert set(values) == set(_calibrate.constants_of_serving())
    declared = {row["name"]: row["default"] for row in tapeout.variables().iter_rows(named=True)}
    assert {name: float(declared[name]) for name in values} == values
