"""Sweeps: rows from their number, summaries of all of them, files that survive a kill."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tapeout
from tapeout import InvalidInput, Sweep, _core

UNCERTAIN = {
    "build_units_per_year": tapeout.lognormal(p5=20e3, p95=200e3),
    "build_merchant_decline_per_year": tapeout.triangular(0.1, 0.2, 0.4),
    "wafer_price_usd": tapeout.uniform(18e3, 24e3),
    "programme_rtl_months": tapeout.triangular(4, 9, 18),
    "yield_model": tapeout.choice(["poisson", "negative_binomial"]),
}
GRID = {"discount_rate_per_year": [0.06, 0.10], "respin_months": [4.0, 6.0, 8.0]}
OUTPUTS = ["build_npv_usd", "asic_unit_price_usd"]


def sweep(samples: int = 500, **changes: Any) -> Sweep:
    varied = {*UNCERTAIN, *GRID}
    given = tapeout.reference().row(0, named=True)
    assume = {name: value for name, value in given.items() if value is not None and name not in varied}
    base: dict[str, Any] = {
        "assume": assume,
        "grid": GRID,
        "uncertain": UNCERTAIN,
        "correlate": {("build_units_per_year", "wafer_price_usd"): 0.4},
        "samples": samples,
        "seed": 7,
    }
    return Sweep(**(base | changes))


def test_a_row_depends_on_its_number_alone() -> None:
    one = sweep()
    whole = one.frame(OUTPUTS)
    assert whole.height == one.rows == 3000
    assert one.cells.rows() == [(d, r) for d in GRID["discount_rate_per_year"] for r in GRID["respin_months"]]
    for first, rows in ((0, 1), (499, 2), (1234, 700), (2999, 1), (3000, 0)):
        assert whole[first : first + rows].equals(sweep().frame(OUTPUTS, first=first, rows=rows))
    # Cells see the same samples.
    assert whole["wafer_price_usd"][:500].equals(whole["wafer_price_usd"][2500:].alias("wafer_price_usd"))
    plain = tapeout.evaluate(sweep().frame(), OUTPUTS, assume=sweep().assume)
    assert plain.select(OUTPUTS).equals(whole.select(OUTPUTS))
    with pytest.raises(InvalidInput, match="the sweep has 3,000"):
        one.frame(first=2999, rows=2)


def test_lazy_makes_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[tuple[str, ...], int]] = []
    evaluate = tapeout.evaluate

    def told(frame: pl.DataFrame, outputs: Any, **rest: Any) -> pl.DataFrame:
        asked.append((tuple(outputs), frame.height))
        return evaluate(frame, outputs, **rest)

    lazy = sweep().lazy(OUTPUTS)
    monkeypatch.setattr(tapeout.sweep, "evaluate", told)
    assert lazy.collect().equals(sweep().frame(OUTPUTS))
    asked.clear()
    assert lazy.select("wafer_price_usd").head(5).collect().height == 5
    assert asked == []
    lazy.select("build_npv_usd").head(7).collect()
    assert {outputs for outputs, _ in asked} == {("build_npv_usd",)}
    assert sum(rows for _, rows in asked) == 7
    kept = lazy.filter(pl.col("respin_months") == 4.0).select(pl.len()).collect().item()
    assert kept == 1000


def test_a_summary_is_that_of_the_rows() -> None:
    one = sweep(3000)
    frame = one.frame(OUTPUTS)
    where = {"pays": "build_npv_usd > 0", "large": "build_units_per_year > 100e3"}
    quantiles = [0.01, 0.05, 0.5, 0.95, 0.99]
    found = one.summary(OUTPUTS, by="respin_months", where=where, quantiles=quantiles, correlations=True)
    assert found.table.height == 3 * 4
    for line in found.table.iter_rows(named=True):
        rows = frame.filter(pl.col("respin_months") == line["respin_months"]).with_columns(
            pays=(pl.col("build_npv_usd") > 0).cast(pl.Float64),
            large=(pl.col("build_units_per_year") > 100e3).cast(pl.Float64),
        )
        values = rows[line["output"]]
        assert line["rows"] == 6000
        assert line["mean"] == pytest.approx(values.mean(), rel=1e-12)
        assert line["sd"] == pytest.approx(values.std(), rel=1e-9)
        assert (line["least"], line["greatest"]) == (values.min(), values.max())
        for share in quantiles:
            value = line[f"p{100 * share:02.0f}"]
            below, until = (values < value).mean(), (values <= value).mean()
            assert below - line["quantile_error"] - 1e-3 <= share <= until + line["quantile_error"] + 1e-3
    best = found.extremes.filter(output="build_npv_usd", end="greatest", place=1, respin_months=4.0).row(0, named=True)
    assert one.frame("build_npv_usd", first=best["row"], rows=1)["build_npv_usd"].item() == best["value"]
    rho = found.correlations.filter(respin_months=6.0, output="build_npv_usd", input="build_units_per_year")
    some = frame.filter(pl.col("respin_months") == 6.0)
    wanted = some.select(pl.corr("build_npv_usd", "build_units_per_year")).item()
    assert rho["correlation"].item() == pytest.approx(wanted, rel=1e-9)


def test_quantiles_keep_their_stated_error() -> None:
    # A long-tailed output and a million rows: the error stated is small in the middle and smaller in the tails.
    one = Sweep(
        uncertain={"train_chip_hours": tapeout.lognormal(p5=1e6, p95=1e9)},
        assume={
            "train_chip_price_usd": 3e4,
            "train_server_overhead": 1.6,
            "train_price_date": date(2022, 1, 8),
            "train_start_date": date(2022, 11, 4),
        },
        samples=400_000,
        design="random",
    )
    shares = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999]
    line = one.summary("train_chip_hours", quantiles=shares).table.row(0, named=True)
    values = np.sort(one.frame()["train_chip_hours"].to_numpy())
    names = [name for name in line if name.startswith("p")]
    for share, name in zip(shares, names, strict=True):
        rank = np.searchsorted(values, line[name]) / len(values)
        assert abs(rank - share) <= line["quantile_error"] + 1 / len(values)
        assert abs(rank - share) <= 0.1 * min(share, 1 - share) + 1e-5
    assert line["quantile_error"] < 0.002


@pytest.mark.parametrize("change", [{"threads": 1}, {"threads": 2, "block_rows": 64}, {"instruction_set": "sse2"}])
def test_a_summary_has_the_same_bits(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def all_of(one: Sweep) -> list[Any]:
        found = one.summary(OUTPUTS, where={"pays": "build_npv_usd > 0"}, correlations=True)
        return [found.table.rows(), found.extremes.rows(), found.correlations.rows()]

    before = _core.configure()
    first = all_of(sweep())
    try:
        _core.configure(**change)
        monkeypatch.setattr(tapeout.sweep, "BATCH_ROWS", 97)
        assert all_of(sweep()) == first
    finally:
        threads, level, rows = before
        _core.configure(threads=threads, instruction_set=level, block_rows=rows)


def test_summaries_of_parts_add_up() -> None:
    values = sweep().frame(OUTPUTS).select(OUTPUTS).to_numpy()
    columns = [np.ascontiguousarray(column) for column in values.T]
    pilot = [column[:100] for column in columns]

    def part(first: int, last: int) -> _core.Summary:
        made = _core.Summary(pilot, [(0, 1)])
        made.add(first, [column[first:last] for column in columns])
        return made

    whole, parts = part(0, 3000), part(2000, 3000)
    parts.merge(part(0, 1300))
    parts.merge(part(1300, 2000))
    assert parts.moments() == whole.moments()
    assert parts.quantiles([0.1, 0.9]) == whole.quantiles([0.1, 0.9])
    assert parts.extremes() == whole.extremes()
    assert parts.correlations() == whole.correlations()
    with pytest.raises(ValueError, match="another sweep"):
        parts.merge(_core.Summary([column[:99] + 1 for column in columns], [(0, 1)]))


def test_memory_does_not_grow_with_the_rows() -> None:
    program = """
import datetime, resource, tapeout
given = dict(train_chip_price_usd=3e4, train_server_overhead=1.6,
    train_price_date=datetime.date(2022, 1, 8), train_start_date=datetime.date(2022, 11, 4))
def peak(samples):
    tapeout.Sweep(uncertain={"train_chip_hours": tapeout.lognormal(p5=1e6, p95=1e9)}, assume=given,
                  samples=samples).summary("train_chip_usd")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = peak(300_000)
print(peak(6_000_000) - small)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # Kilobytes: 6 M rows of two columns would be 96 MB.
    assert int(done.stdout) < 30_000


# ------------------------------------------------------------------------------------------------- files


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_files_are_the_frame(tmp_path: Path) -> None:
    files = sweep().to_parquet(tmp_path / "a", OUTPUTS, rows_per_file=700)
    assert [path.name for path in files][:2] == ["part-0000-0699.parquet", "part-0700-1399.parquet"]
    assert pl.concat([pl.read_parquet(path) for path in files]).equals(sweep().frame(OUTPUTS))
    before = {path: path.stat().st_mtime_ns for path in files}
    (tmp_path / "a" / "part-0700-1399.parquet").unlink()
    (tmp_path / "a" / "part-9.parquet.unfinished").write_text("half")
    sweep().to_parquet(tmp_path / "a", OUTPUTS, rows_per_file=700)
    untouched = [path for path in files if path.stat().st_mtime_ns == before[path]]
    assert len(untouched) == len(files) - 1
    sweep().to_parquet(tmp_path / "b", OUTPUTS, rows_per_file=700)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_a_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    sweep().to_parquet(tmp_path, OUTPUTS, rows_per_file=1500)
    before = digests(tmp_path)
    for other, outputs, rows in ((sweep(seed=8), OUTPUTS, 1500), (sweep(), OUTPUTS[:1], 1500), (sweep(), OUTPUTS, 700)):
        with pytest.raises(InvalidInput, match="was begun with another"):
            other.to_parquet(tmp_path, outputs, rows_per_file=rows)
    assert digests(tmp_path) == before


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_sweep import OUTPUTS, sweep
sweep(2000).to_parquet(Path(sys.argv[1]), OUTPUTS, rows_per_file=400)
"""


def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """Eight kills; TAPEOUT_KILLS=50 for more."""
    sweep(2000).to_parquet(tmp_path / "whole", OUTPUTS, rows_per_file=400)
    wanted = digests(tmp_path / "whole")
    chance = random.Random(5)
    kills = int(os.environ.get("TAPEOUT_KILLS", "8"))
    done = 0
    # How long starting and writing take here and now.
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "timed"), str(Path(__file__).parent)], check=True)
    seconds = time.monotonic() - start
    for attempt in range(20 * kills):
        folder = tmp_path / f"killed-{attempt // 5}"
        with subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), str(Path(__file__).parent)]) as process:
            try:
                assert process.wait(timeout=chance.uniform(0.3, 1.1) * seconds) == 0
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                done += 1
        for path in folder.glob("*.parquet"):
            assert pl.read_parquet(path).height == 400
        if done == kills:
            break
    assert done == kills
    for folder in tmp_path.glob("killed-*"):
        sweep(2000).to_parquet(folder, OUTPUTS, rows_per_file=400)
        assert digests(folder) == wanted


# ------------------------------------------------------------------------------------------------- text


def test_a_sweep_goes_to_text_and_back(tmp_path: Path) -> None:
    base = sweep()
    one = sweep(
        assume={name: value for name, value in base.assume.items() if name != "memory_usd_per_gb"},
        uncertain=UNCERTAIN | {"dram_usd_per_gb": tapeout.uniform(8, 20)},
        derive={"memory_usd_per_gb": "1.1 * dram_usd_per_gb"},
    )
    one.to_toml(tmp_path / "sweep.toml")
    again = Sweep.from_toml(tmp_path / "sweep.toml")
    assert again.digest == one.digest
    assert again.frame(OUTPUTS, rows=50).equals(one.frame(OUTPUTS, rows=50))
    rows = one.frame(rows=9)
    assert np.allclose(rows["memory_usd_per_gb"], 1.1 * rows["dram_usd_per_gb"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"samples": 0}, "samples = 0: a whole number from 1 on"),
        ({"design": "halton"}, "one of sobol, lhs, random"),
        ({"grid": {"respin_month": [1.0]}}, r"grid: respin_month is not a variable.*respin_months"),
        ({"grid": {"respin_months": []}}, "needs values"),
        ({"assume": {"respin_months": 5.0}}, "respin_months is in assume and in grid"),
        (
            {"uncertain": {"train_mfu": tapeout.normal(0.9, 0.1)}},
            r"train_mfu: its bounds, .*cut off 1[56].*at most 1 %",
        ),
        ({"uncertain": {"package_dies": tapeout.uniform(1, 4)}, "correlate": {}}, "package_dies.*whole number"),
        ({"uncertain": {"build_npv_sd_usd": tapeout.uniform(1, 4)}, "correlate": {}}, "a summary and can't be given"),
        ({"uncertain": {"train_mfu": (0.1, 0.2)}, "correlate": {}}, "a distribution, such as"),
        ({"correlate": {("wafer_price_usd", "train_mfu"): 0.1}}, "correlate: train_mfu is not uncertain"),
    ],
)
def test_what_is_no_sweep_is_refused(change: dict[str, Any], told: str) -> None:
    if "uncertain" in change:
        change = change | {"correlate": {}, "assume": {}}
    with pytest.raises(InvalidInput, match=told):
        sweep(**change)


def test_a_summary_refuses_what_it_cannot_count() -> None:
    with pytest.raises(InvalidInput, match="decision is a choice and has no mean"):
        sweep().summary("decision")
    with pytest.raises(InvalidInput, match="not an axis of the grid"):
        sweep().summary(OUTPUTS, by="wafer_price_usd")
    with pytest.raises(InvalidInput, match="not a share"):
        sweep().summary(OUTPUTS, quantiles=[5])
    with pytest.raises(InvalidInput, match="where: build_npv is not a variable"):
        sweep().summary(OUTPUTS, where={"pays": "build_npv > 0"})
