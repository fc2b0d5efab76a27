"""`tapeout sweep` and `tapeout sensitivity`, and the schema of their file."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from jsonschema import Draft7Validator

import tapeout
from tapeout import Sweep, cli

EXAMPLE = Path(__file__).parent.parent / "examples" / "own-chip.toml"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_a_sweep_is_summarised_by_cell(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "summary.parquet"
    asked = ("sweep", EXAMPLE, "--samples", 512, "--outputs", "build_npv_usd", "--where", "pays=build_npv_usd > 0")
    code, out, _ = run(capsys, *asked)
    assert code == 0
    assert out.startswith("4,608 scenarios: 3 build_units_per_year × 3 design_speedup × 512 samples of 12")
    assert max(map(len, out.splitlines())) <= 100
    assert run(capsys, *asked, "-o", path)[0] == 0
    sweep = Sweep.from_toml(EXAMPLE).replace(samples=512)
    wanted = sweep.summary("build_npv_usd", by=list(sweep.grid), where={"pays": "build_npv_usd > 0"}).table
    assert pl.read_parquet(path).equals(wanted)
    # Faster design never lowers the chance that it pays.
    pays = wanted.filter(output="pays").sort("build_units_per_year", "design_speedup")
    assert pays.group_by("build_units_per_year").agg(pl.col("mean").diff().min() > 0)["mean"].all()


def test_a_folder_gets_the_scenarios(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    asked = ("sweep", EXAMPLE, "--samples", 100, "--outputs", "asic_unit_price_usd", "-o", folder)
    assert run(capsys, *asked)[:2] == (0, f"900 scenarios in 1 files: {folder}\n")
    wanted = Sweep.from_toml(EXAMPLE).replace(samples=100).frame("asic_unit_price_usd")
    assert pl.read_parquet(folder / "*.parquet").equals(wanted)
    code, _, err = run(capsys, *asked, "--seed", 2)
    assert (code, "another sweep" in err) == (1, True)


def test_what_is_assumed_is_no_longer_swept(capsys: pytest.CaptureFixture[str]) -> None:
    fixed = (
        "--assume",
        "design_speedup=1.5",
        "--assume",
        "build_units_per_year=1e5",
        "--assume",
        "wafer_price_usd=2e4",
    )
    code, out, _ = run(capsys, "sweep", EXAMPLE, "--samples", 64, "--outputs", "build_npv_usd", *fixed)
    assert (code, out.splitlines()[0]) == (0, "64 scenarios: 64 samples of 11 uncertain inputs")
    group = "demand=build_merchant_decline_per_year,build_demand_growth_per_year"
    asked = ("sensitivity", EXAMPLE, "--samples", 512, "--of", "build_npv_usd", *fixed)
    code, out, _ = run(capsys, *asked, "--group", group)
    assert (code, out.splitlines()[0]) == (0, "6,144 scenarios: 512 samples, 12 times")
    assert out.index("demand") < out.index("programme_headcount") < out.index("die_defect_density_per_cm2")
    code, _, err = run(capsys, *asked)
    assert (code, "are correlated" in err) == (1, True)


def test_a_first_look_agrees_in_order(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "free.toml"
    Sweep.from_toml(EXAMPLE).replace(correlate={}).to_toml(path)
    fixed = ("--assume", "design_speedup=1.5", "--assume", "build_units_per_year=1e5")
    code, out, _ = run(capsys, "sensitivity", path, "--of", "build_npv_usd", "--screen", *fixed)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 100
    names = ["build_merchant_decline_per_year", "build_performance_ratio", "chip_price_usd"]
    assert [line.split()[-1] for line in out.splitlines()[2:5]] == names
    assert run(capsys, "sensitivity", path, "--of", "build_npv_usd", "--screen", "--group", "a=b", *fixed)[0] == 2


def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def told(*arguments: object) -> str:
        code, out, err = run(capsys, *arguments)
        assert code in (1, 2)
        assert out == ""
        return err

    assert "the claims are asic-pays-for-tapeout" in told("sweep", "asic-pays")
    assert "SPEC is wanted" in told("sweep")
    assert "NAME=CONDITION is wanted" in told("sweep", EXAMPLE, "--where", "build_npv_usd > 0")
    assert "--quantiles half" in told("sweep", EXAMPLE, "--quantiles", "half")
    assert "the nearest: build_npv_usd" in told("sweep", EXAMPLE, "--outputs", "build_nvp_usd")
    assert "--of is wanted" in told("sensitivity", EXAMPLE)
    assert "cell at a time" in told("sensitivity", EXAMPLE, "--of", "build_npv_usd")
    path = tmp_path / "odd.toml"
    path.write_text("sample = 3")
    assert "the nearest: samples" in told("sweep", path)


def test_a_claim_is_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    claim = "asic-pays-for-tapeout"
    predicate = tapeout.claims().filter(id=claim)["predicate"].item()
    whole = Sweep.from_claim(claim, samples=16_384)
    found = whole.summary([], where={"true": predicate}).table.row(0, named=True)
    # The card's own figure is 0.116 ± 0.03; the command's, from a million rows, 0.1022.
    assert found["mean"] == pytest.approx(0.1022, abs=5 * found["standard_error"])
    few = Sweep.from_claim(claim, uncertain=["inference_train_ratio", "wafer_price_usd"], samples=64)
    assert list(few.uncertain) == ["inference_train_ratio", "wafer_price_usd"]
    assert few.assume["build_ramp_months"] == pytest.approx(24 - math.sqrt(21 * 15 / 2))  # of the triangle 3, 9, 24
    assert len(few.frame("build_npv_usd")) == 64
    code, out, _ = run(capsys, "sweep", claim, "--samples", 256, "--outputs", "build_npv_usd", "--correlations")
    assert code == 0
    assert "What it moves with" in out
    with pytest.raises(tapeout.InvalidInput, match="from itself"):
        Sweep.from_claim(claim, "that-model")
    with pytest.raises(
        tapeout.InvalidInput, match="not uncertain in asic-pays-for-tapeout; the nearest: wafer_price_usd"
    ):
        Sweep.from_claim(claim, uncertain=["wafer_price"])


def as_json(table: dict[str, Any]) -> Any:
    return json.loads(json.dumps(table, default=str))


def test_the_schema_reads_what_a_sweep_reads(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "sweep", "--schema")
    assert code == 0
    schema = json.loads(out)
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    example = tomllib.loads(EXAMPLE.read_text())
    validator.validate(as_json(example))
    for claim in tapeout.claims()["id"]:
        validator.validate(as_json(Sweep.from_claim(claim).to_dict()))
    distributions = [
        tapeout.beta(2, 3),
        tapeout.beta(2, 3, 1, 5),
        tapeout.gamma(p5=1, p95=3),
        tapeout.exponential(3),
        tapeout.quantiles({"p0": 1, "p50": 2, "p100": 5}, smooth=True),
        tapeout.empirical([1, 2, 5]),
        tapeout.choice([1, 2], [0.1, 0.9]),
        tapeout.normal(3, 0.1),
        tapeout.loguniform(1, 2),
    ]
    for one in distributions:
        validator.validate(as_json({"uncertain": {"wafer_price_usd": one.entry()}}))


@pytest.mark.parametrize(
    "table",
    [
        {"sample": 3},
        {"samples": 0},
        {"design": "halton"},
        {"assume": {"yield_model": "poison"}},
        {"assume": {"die_yield": 1.2}},
        {"grid": {"respin_months": []}},
        {"uncertain": {"respin_months": {"triangle": [1, 2, 3]}}},
        {"uncertain": {"respin_months": {"triangular": [1, 2]}}},
        {"uncertain": {"respin_months": {"normal": {"mean": 1, "variance": 2}}}},
        {"uncertain": {"respin_months": {"normal": [1, 2], "uniform": [1, 2]}}},
        {"correlate": [{"between": ["a"], "rho": 0.1}]},
        {"correlate": [{"between": ["a", "b"], "rho": 1.1}]},
        {"derive": {"respin_months": 3}},
    ],
)
def test_the_schema_refuses_what_a_sweep_refuses(table: dict[str, Any]) -> None:
    assert not Draft7Validator(Sweep.schema()).is_valid(table)
    with pytest.raises(tapeout.InvalidInput):
        Sweep.from_dict(table).frame("die_yield")
