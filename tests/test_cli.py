"""The command line, through `main` as installed and through the program itself."""

from __future__ import annotations

import datetime
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tapeout
from tapeout import cli, files
from tapeout.frame import Value

OUTPUTS = "train_cost_usd,build_npv_usd,decision,build_breakeven_units_per_year"
ROWS = 3


class Ran:
    """What a command printed, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...]) -> None:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        self.code = ended.value.code
        self.out, self.err = capsys.readouterr()


@pytest.fixture
def scenarios() -> pl.DataFrame:
    prices = pl.Series("chip_price_usd", [30000.0, 35000.0, 40000.0])
    names = pl.Series("scenario", ["low", "middle", "high"])
    return pl.concat([tapeout.reference()] * ROWS).with_columns(prices, names)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, ("--version",))
    assert (ran.code, ran.out) == (0, "tapeout 0.1.0\n")


def test_reference_page_shows_the_figures_and_the_decision(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, ("evaluate", "--reference"))
    row = tapeout.evaluate(tapeout.reference(), ["build_npv_usd", "decision"]).row(0, named=True)
    assert ran.code == 0
    assert f"{row['build_npv_usd']:,.0f}" in ran.out
    assert row["decision"].capitalize() in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100


def test_assumptions_reach_the_models(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    frame = tapeout.reference().drop("discount_rate_per_year", "train_start_date", "yield_model")
    path = tmp_path / "in.csv"
    frame.write_csv(path)
    given: dict[str, Value] = {
        "discount_rate_per_year": 0.2,
        "train_start_date": datetime.date(2026, 6, 1),
        "yield_model": "poisson",
    }
    pairs = [part for name, value in given.items() for part in ("--assume", f"{name}={value}")]
    ran = Ran(capsys, ("evaluate", path, "-o", tmp_path / "out.parquet", "--outputs", OUTPUTS, *pairs))
    assert ran.code == 0, ran.err
    expected = tapeout.evaluate(frame, OUTPUTS.split(","), assume=given)
    assert_frame_equal(pl.read_parquet(tmp_path / "out.parquet").select(OUTPUTS.split(",")),
                       expected.select(OUTPUTS.split(",")), check_exact=True)  # fmt: skip


@pytest.mark.parametrize("source", ["csv", "parquet", "jsonl", "toml"])
@pytest.mark.parametrize("target", ["csv", "parquet", "jsonl", "toml"])
def test_every_format_to_every_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scenarios: pl.DataFrame, source: str, target: str
) -> None:
    frame = scenarios.head(1) if "toml" in (source, target) else scenarios
    before, after = tmp_path / f"in.{source}", tmp_path / f"out.{target}"
    files.write(frame, before, {})
    ran = Ran(capsys, ("evaluate", before, "-o", after, "--outputs", OUTPUTS))
    assert (ran.code, ran.err) == (0, "")
    expected = tapeout.evaluate(frame, OUTPUTS.split(","))
    got = files.read(after)
    assert got.columns == expected.columns
    for name in expected.columns:
        assert got[name].cast(expected[name].dtype).equals(expected[name]), name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({before.name, after.name})


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl", "toml"])
def test_infinity_nulls_dates_and_odd_names_survive(tmp_path: Path, suffix: str) -> None:
    frame = pl.DataFrame(
        {
            "build_demand_half_life_months": [math.inf],
            "train_start_date": [datetime.date(2026, 3, 1)],
            "package_chip_first": [True],
            "a note, too": ['né "x"\nnext'],
            "train_mfu": [None],
        },
        schema_overrides={"train_mfu": pl.Float64},
    )  # fmt: skip
    path = tmp_path / f"x.{suffix}"
    files.write(frame, path, {})
    got = files.read(path)
    kept = frame.drop("train_mfu") if suffix == "toml" else frame
    assert got.columns == kept.columns
    assert got.rows() == kept.rows()
    assert got["train_start_date"].dtype == pl.Date


def test_parquet_says_what_it_was_computed_with(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    tapeout.reference().write_parquet(source)
    Ran(capsys, ("evaluate", source, "-o", target, "--assume", "moore_doubling_months=18"))
    metadata = pl.read_parquet_metadata(target)
    assert metadata["tapeout.version"] == "0.1.0"
    assert json.loads(metadata["tapeout.assumptions"]) == {"moore_doubling_months": 18.0}
    datetime.date.fromisoformat(metadata["tapeout.catalog_date"])
    assert len(metadata["tapeout.defaults_sha256"]) == 64


def test_streamed_parquet_has_the_bits_of_one_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = 20_000
    few = tapeout.reference().select(pl.selectors.starts_with("train_")).drop("train_chip_hours")
    hours = pl.Series("train_chip_hours", [1e6 + i for i in range(rows)])
    frame = pl.concat([few] * rows).with_columns(hours)
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    frame.write_parquet(source, row_group_size=1_000)
    ran = Ran(capsys, ("evaluate", source, "-o", target, "--outputs", "train_cost_usd"))
    assert ran.code == 0, ran.err
    assert_frame_equal(pl.read_parquet(target), tapeout.evaluate(frame, "train_cost_usd"), check_exact=True)


def test_slices_give_the_bits_and_the_error_of_one_call(
    monkeypatch: pytest.MonkeyPatch, scenarios: pl.DataFrame
) -> None:
    monkeypatch.setattr(cli, "_SLICED_FROM_ROWS", 1)
    monkeypatch.setattr(cli, "_SLICE_ROWS", 2)
    assert_frame_equal(cli._sliced(scenarios, tapeout.evaluate), tapeout.evaluate(scenarios), check_exact=True)
    bad = scenarios.with_columns(pl.Series("chip_price_usd", [1.0, 1.0, -1.0]))
    with pytest.raises(tapeout.InvalidInput, match="row 2"):
        cli._sliced(bad, tapeout.evaluate)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_an_error_leaves_the_old_file_and_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scenarios: pl.DataFrame, suffix: str
) -> None:
    source, target = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    files.write(scenarios.with_columns(pl.Series("chip_price_usd", [1.0, -5.0, 1.0])), source, {})
    target.write_text("old")
    ran = Ran(capsys, ("evaluate", source, "-o", target, "--id", "scenario"))
    assert ran.code == 1
    assert ran.err.startswith("error: ")
    assert "chip_price_usd" in ran.err
    assert "middle" in ran.err
    assert "Traceback" not in ran.err
    assert target.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {source.name, target.name}


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, scenarios: pl.DataFrame) -> None:
    def interrupted() -> None:
        with files.beside(tmp_path / "out.csv") as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_a_stream_leaves_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    columns = [pl.repeat(value[0], 2_000_000, eager=True).alias(value.name) for value in tapeout.reference()
               if value.dtype == pl.Float64]  # fmt: skip
    rest = tapeout.reference().select(pl.exclude(pl.Float64)).row(0, named=True)
    frame = pl.DataFrame(columns).with_columns(pl.lit(value).alias(name) for name, value in rest.items())
    frame.with_columns(chip_price_usd=20000.0 + pl.int_range(pl.len()) / 1000).write_parquet(source)
    command = [sys.executable, "-m", "tapeout.cli", "evaluate", str(source), "-o", str(target)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while running.poll() is None and not list(tmp_path.glob(".out*.part")):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=60)
    assert running.returncode == 130
    assert error == "error: interrupted\n"
    assert list(tmp_path.iterdir()) == [source]


def test_null_on_invalid_adds_the_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scenarios: pl.DataFrame
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    scenarios.with_columns(pl.Series("chip_price_usd", [1.0, -5.0, 1.0])).write_csv(source)
    ran = Ran(capsys, ("evaluate", source, "-o", target, "--on-invalid", "null", "--outputs", "build_npv_usd"))
    assert ran.code == 0, ran.err
    got = pl.read_csv(target)
    assert got["build_npv_usd"].is_null().to_list() == [False, True, False]
    assert "chip_price_usd" in got["invalid_reason"][1]


def test_without_a_target_a_table_is_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scenarios: pl.DataFrame
) -> None:
    source = tmp_path / "in.csv"
    pl.concat([scenarios] * 3).write_csv(source)
    ran = Ran(capsys, ("evaluate", source, "--id", "scenario", "--outputs", OUTPUTS))
    assert ran.code == 0
    assert "middle" in ran.out
    assert "and 5 more rows" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train_mfu\nabc\n", "column train_mfu: 1 of 1 rows, the first row 0: 'abc' where a number is wanted"),
        ("train_start_date\n03/01/2026\n", "column train_start_date"),
        ("package_chip_first\nmaybe\n", "true or false is wanted"),
        ("train_mfuu\n0.4\n", "nearly train_mfu"),
        ("a,b\n1,2,3\n", "in.csv"),
        ("", "empty"),
    ],
)
def test_files_that_cannot_be_used(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text)
    ran = Ran(capsys, ("evaluate", path, "--outputs", "train_cost_usd"))
    assert ran.code == 1
    assert ran.err.startswith("error: ")
    assert says in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("evaluate",), 2, "FILE or --reference"),
        (("evaluate", "x.csv", "--reference"), 2, "FILE or --reference"),
        (("evaluate", "x.xyz"), 2, "suffix"),
        (("evaluate", "--reference", "-o", "x.xyz"), 2, "suffix"),
        (("evaluate", "--reference", "--assume", "train_mfu"), 2, "NAME=VALUE"),
        (("evaluate", "--reference", "--as-of", "lately"), 2, "a date"),
        (("evaluate", "--reference", "--on-invalid", "ignore"), 2, "ignore"),
        (("frobnicate",), 2, "frobnicate"),
        (("evaluate", "--reference", "--assume", "train_mfu=high"), 1, "a number is wanted"),
        (("evaluate", "--reference", "--assume", "train_mfu=7"), 1, "train_mfu"),
        (("evaluate", "--reference", "--outputs", "train_csot_usd"), 1, "train_cost_usd"),
        (("evaluate", "no.csv"), 1, "no such file"),
        (("evaluate", "no.parquet", "-o", "x.parquet"), 1, "no such file"),
        (("evaluate", "--reference", "-o", "no/such/folder/x.csv"), 1, "no folder"),
        (("evaluate", "--reference", "--catalog", "no-folder"), 1, "no-folder"),
        (("claims", "no-such-claim"), 1, "no-such-claim"),
        (("variables", "zzzz"), 1, "zzzz"),
        (("catalog", "chip"), 1, "chips"),
        (("catalog", "chips", "h100-smx"), 1, "h100-sxm"),
    ],
)
def test_errors_are_one_line_without_traceback(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = Ran(capsys, arguments)
    assert ran.code == code, ran.err
    assert ran.err.startswith("error: ")
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_resolve_says_where_values_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(
        capsys,
        ("resolve", "--reference", "--outputs", "die_cost_usd", "--assume", "die_critical_area_ratio=0.9"),
    )
    assert ran.code == 0
    for word in ("column", "assumption", "model die", "19500"):
        assert word in ran.out


def test_derivatives_are_printed_and_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scenarios: pl.DataFrame
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    scenarios.write_csv(source)
    asked = ("--of", "build_npv_usd", "--wrt", "wafer_price_usd,chip_price_usd")
    ran = Ran(capsys, ("gradient", source, *asked, "-o", target))
    assert (ran.code, ran.err) == (0, "")
    want = tapeout.gradient(scenarios, "build_npv_usd", ["wafer_price_usd", "chip_price_usd"])
    got = pl.read_parquet(target)
    assert got.columns == want.columns
    assert_frame_equal(got.select(pl.col("^d_.*$")), want.select(pl.col("^d_.*$")), check_exact=True)
    ran = Ran(capsys, ("gradient", source, *asked, "--elasticities", "--id", "scenario"))
    assert ran.code == 0
    assert "elasticity_build_npv_usd_chip_price_usd" in "".join(ran.out.split())
    assert "middle" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100
    ran = Ran(capsys, ("gradient", source, "--of", "decision"))
    assert ran.code == 1
    assert ran.err.startswith("error: of decision: of kind choice")


def test_solutions_are_printed_and_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scenarios: pl.DataFrame
) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    scenarios.with_columns(budget=pl.Series([0.0, 1e8, 1e15])).write_csv(source)
    asked = ("--variable", "chip_price_usd", "--target", "build_npv_usd", "--between", "1e4,1e6")
    ran = Ran(capsys, ("solve", source, *asked, "--equals", "budget", "-o", target))
    assert (ran.code, ran.err) == (0, "")
    frame = files.read(source)
    want = tapeout.solve(frame, "chip_price_usd", "build_npv_usd", equals="budget", between=(1e4, 1e6))
    assert_frame_equal(pl.read_parquet(target), want, check_exact=True)
    assert want["chip_price_usd"].is_null().to_list() == [False, False, True]
    ran = Ran(capsys, ("solve", source, *asked, "--equals", "1e8", "--id", "scenario"))
    assert ran.code == 0
    for word in ("chip_price_usd_solved", "one root", "middle"):
        assert word in ran.out
    ran = Ran(capsys, ("solve", source, *asked[:4], "--between", "5"))
    assert (ran.code, ran.out) == (2, "")
    assert "two numbers" in ran.err
    ran = Ran(capsys, ("solve", source, "--variable", "die_units", "--target", "build_npv_usd"))
    assert ran.code == 1
    assert ran.err.startswith("error: variable die_units: of kind integer")


def figures(printed: str) -> list[int]:
    """The first column of figures, as shown."""
    shown = [line.split()[0].replace(",", "") for line in printed.splitlines() if line.strip()]
    return [int(text) for text in shown if text.lstrip("+-").isdigit()]


def test_a_comparison_is_printed_and_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scenarios: pl.DataFrame
) -> None:
    one, other, target = tmp_path / "a.toml", tmp_path / "b.csv", tmp_path / "out.parquet"
    changed = tapeout.reference().with_columns(chip_price_usd=30000.0, wafer_price_usd=22000.5, train_mfu=0.3)
    files.write(tapeout.reference(), one, {})
    files.write(changed, other, {})
    want = tapeout.compare(tapeout.reference(), changed, "build_npv_usd")
    ran = Ran(capsys, ("compare", one, other, "--output", "build_npv_usd", "-o", target))
    assert (ran.code, ran.err) == (0, "")
    assert_frame_equal(pl.read_parquet(target), want, check_exact=True)
    ran = Ran(capsys, ("compare", "reference", other, "--output", "build_npv_usd"))
    assert ran.code == 0
    for word in (
        "A reference",
        "b.csv",
        "22000.5",
        "difference",
        "1 more input differs and moved nothing",
        "all orders",
    ):
        assert word in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100
    # a, then what each input moves, then b and the difference: what is shown adds up. The last figure counts inputs.
    before, *moved, after, difference, _ = figures(ran.out)
    assert sum(moved) == difference == after - before
    assert len(moved) == 2
    two = tmp_path / "two.jsonl"
    files.write(scenarios.head(2), two, {})
    ran = Ran(capsys, ("compare", two, "--output", "build_npv_usd"))
    assert "chip_price_usd" in ran.out
    assert "two.jsonl row 1" in ran.out


def test_changes_are_set_on_the_second_scenario(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    changes = {"chip_price_usd": "3e4", "yield_model": "poisson", "build_stop_when_dearer": "false",
               "train_start_date": "2026-05-01", "die_gross_per_wafer": "", "build_units_per_year": "",
               "build_spend_usd_per_year": "3e9"}  # fmt: skip
    pairs = [part for name, text in changes.items() for part in ("--set", f"{name}={text}")]
    asked = ("compare", "reference", *pairs, "--output", "build_npv_usd")
    ran = Ran(capsys, asked)
    assert ran.code == 1
    assert "such as a with build_units_per_year of b" in ran.err
    ran = Ran(capsys, (*asked, "--group", "demand=build_units_per_year,build_spend_usd_per_year", "-o", target))
    assert (ran.code, ran.err) == (0, "")
    changed = tapeout.reference().with_columns(
        chip_price_usd=30000.0,
        yield_model=pl.lit("poisson"),
        build_stop_when_dearer=False,
        train_start_date=datetime.date(2026, 5, 1),
        die_gross_per_wafer=None,
        build_units_per_year=None,
        build_spend_usd_per_year=3e9,
    )
    groups = {"demand": ["build_units_per_year", "build_spend_usd_per_year"]}
    want = tapeout.compare(tapeout.reference(), changed, "build_npv_usd", groups=groups)
    assert_frame_equal(pl.read_csv(target), want, check_exact=True)


def test_many_inputs_show_their_standard_errors(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    numbers = [name for name, dtype in tapeout.reference().schema.items() if dtype == pl.Float64]
    path = tmp_path / "b.parquet"
    tapeout.reference().with_columns(pl.col(numbers) * 0.99).write_parquet(path)
    ran = Ran(capsys, ("compare", "reference", path, "--output", "build_npv_usd", "--orders", "64", "--seed", "5"))
    assert ran.code == 0, ran.err
    assert "± s.e." in ran.out
    assert "64 random orders" in ran.out
    before, *moved, after, difference, _ = figures(ran.out)
    assert sum(moved) == difference == after - before
    assert max(map(len, ran.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "A is wanted"),
        (("reference",), 2, "--output is wanted"),
        (("reference", "--output", "build_npv_usd"), 2, "B or --set NAME=VALUE is wanted"),
        (("reference", "--output", "build_npv_usd", "--set", "train_mfu"), 2, "--set train_mfu: NAME=VALUE"),
        (("reference", "--output", "build_npv_usd", "--set", "train_mfu=1", "--group", "x"), 2, "--group x"),
        (("a.xyz", "reference", "--output", "build_npv_usd"), 2, "suffix"),
        (("reference", "no.csv", "--output", "build_npv_usd"), 1, "no such file"),
        (("reference", "--output", "build_npv_usd", "--set", "train_muf=1"), 1, "--set train_muf: not a variable"),
        (("reference", "--output", "build_npv_usd", "--set", "train_mfu=high"), 1, "a number is wanted"),
        (("reference", "--output", "decision", "--set", "train_mfu=0.3"), 1, "of kind choice"),
        (("reference", "--output", "build_npv_usd", "--set", "chip_price_usd=-1"), 1, "b: column chip_price_usd"),
    ],
)
def test_comparisons_that_cannot_be_made(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, says: str
) -> None:
    ran = Ran(capsys, ("compare", *arguments))
    assert ran.code == code, ran.err
    assert ran.err.startswith("error: ")
    assert says in ran.err
    assert ran.out == ""


def test_variables_and_catalog_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert "die_yield" in Ran(capsys, ("variables", "die_*")).out
    assert "chips" in Ran(capsys, ("catalog",)).out
    assert "h100-sxm" in Ran(capsys, ("catalog", "chips")).out
    ran = Ran(capsys, ("catalog", "chips", "h100-sxm", "--as-of", "2023-01-01"))
    assert ran.code == 0
    assert "flop_per_s_bf16" in ran.out


def test_claims_print_probability_thresholds_and_drivers(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, ("claims", "thousandfold-in-five", "--samples", "4096"))
    assert ran.code == 0
    for word in ("P(true)", "What would have to be true", "What it hangs on", "4,096 scenarios"):
        assert word in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m tapeout.cli variables | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
