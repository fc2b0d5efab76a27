"""The page of errors: what is said where measurements are missing, its arithmetic, and who quotes it."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from accuracy import gemm, page, step
from accuracy.subject import Missing, Subject, ranges, read

ROOT = Path(__file__).parent.parent
FILES = {
    "serving": "serving_measured.csv",
    "step": "training_measured_megatron.csv",
    "gemm": "gemm_measured.csv",
    "training": "epoch_training_costs.csv",
}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "accuracy", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("subject", FILES)
def test_a_missing_file_is_named(subject: str, tmp_path: Path) -> None:
    ran = run(tmp_path, subject)
    assert ran.returncode == 2
    assert f"{FILES[subject]} is not there" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("chip,latency\na,1\n")
    assert read(tmp_path, "times.csv", ["chip"]).height == 1
    with pytest.raises(Missing, match="no column dtype"):
        read(tmp_path, "times.csv", ["chip", "dtype"])


def test_an_unknown_subject_is_refused(tmp_path: Path) -> None:
    ran = run(tmp_path, "weather")
    assert ran.returncode == 2
    assert "no subject weather" in ran.stderr


@pytest.fixture
def subject() -> Subject:
    """Ten rows a chip: right on one, twice too long on the other; a row that no fold predicts."""
    measured = np.arange(1.0, 21.0)
    twice = np.where(np.arange(20) < 10, 1.0, 2.0) * measured
    folded = np.stack([measured, twice])
    folded[0, 0] = np.nan
    return Subject(
        key="toy",
        title="Toy",
        text="Twenty rows.",
        unit=("s", 1.0),
        labels=pl.DataFrame({"chip": ["old"] * 10 + ["new"] * 10}),
        measured=measured,
        predicted={"roof": measured / 4, "inside": measured, "outside": folded},
        in_sample="inside",
        held_out="outside",
        roofline="roof",
        by={"chip": None},
        group=("chip",),
    )


def test_errors_of_a_subject(subject: Subject) -> None:
    inside, outside, roof = (subject.error(way) for way in ("inside", "outside", "roof"))
    assert (inside.rows, inside.median, inside.mean, inside.bias) == (20, 0.0, 0.0, 0.0)
    assert outside.mean == pytest.approx(10 / 39)
    assert outside.bias == pytest.approx(10 / 39 * np.log(2))
    assert roof.median == 0.75
    text = "\n".join(page.section(subject, "plots"))
    assert "| roof | 20 | 75.0 | 75.0 | -75.0 | 0 | × 4.00 |" in text
    assert "| new | 10 | 0.0 / 0.0 / +0.0 | 50.0 / 50.0 / +41.4 | 75.0 / 75.0 / -75.0 |" in text
    assert text.index("| new | 10 | 0.0 / 0.0 / +0.0 | 50.0") < text.index("| old | 10 | 0.0")
    assert "plots/toy.png" in text


def test_what_is_beyond_a_limit_is_said(subject: Subject) -> None:
    assert subject.beyond() == []
    limited = dataclasses.replace(subject, limits={"outside": (30.0, 20.0), "inside": (1.0, 1.0)})
    assert limited.beyond() == ["Toy, outside: 0.0 / 25.6, limit 30.0 / 20.0"]


def test_ranges_hold_their_upper_end() -> None:
    assert ranges(pl.Series([1, 4, 5, 16, 17]), [4, 16]).to_list() == [
        "up to 4",
        "up to 4",
        "5 to 16",
        "5 to 16",
        "above 16",
    ]


def test_roofs_by_hand() -> None:
    rows = pl.DataFrame({"chip": ["a100-sxm-80gb"], "gemm_precision": ["bf16"]})
    rows = rows.with_columns(gemm_rows=4096, gemm_columns=8192, gemm_depth=1024)
    arithmetic, memory = gemm.roofs(rows)
    assert arithmetic[0] == pytest.approx(2 * 4096 * 8192 * 1024 / 312e12)
    assert memory[0] == pytest.approx(2 * (4096 * 1024 + 1024 * 8192 + 4096 * 8192) / 2039e9)


def test_a_fit_of_steps_finds_the_constants_that_made_them() -> None:
    row = {column: "8" for column in step.DEGREES.values()} | {"micro_batch": "1", "cp": "1", "ep": "1", "case": "x"}
    row |= {"model": "Llama-3-70B", "pp": "1", "dp": "1", "seq_len": "4096", "simumax_err_pct": "0"}
    row |= {"measured_iter_ms": "1", "measured_peak_alloc_GiB": "1", "simumax_peak_alloc_GiB": "1"}
    runs = [step.b200(row | {"tp": tp, "layers": layers}) for tp in ("2", "4", "8") for layers in ("8", "16")]
    made = step.neutral() | {("train_chip_gemm_efficiency", step.BLACKWELL): 0.5}
    constants = [step.by_chip(made, step.BLACKWELL)] * len(runs)
    for one, seconds in zip(runs, step.predicted(runs, constants)["train_step_s"], strict=True):
        one["s"] = seconds
    found = step.fit(runs, step.neutral())
    assert found["train_chip_gemm_efficiency", step.BLACKWELL] == pytest.approx(0.5, rel=0.02)


def sections() -> dict[str, dict[str, list[str]]]:
    """Of each section of the page, cells after the first by the first; of a label that comes twice the first line."""
    found: dict[str, dict[str, list[str]]] = {}
    title = ""
    for line in (ROOT / "docs" / "accuracy.md").read_text().splitlines():
        if line.startswith("## "):
            title = line[3:]
        elif line.startswith("| "):
            first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found.setdefault(title, {}).setdefault(first, cells)
    return found


TPOT, TTFT = "Time of an output token (TPOT)", "Time to the first token (TTFT)"
FIGURE = r"(\d+(?:\.\d+)?)"
PAIR = f"{FIGURE} / {FIGURE}"
#: A model's file, where in it figures stand, the section of the page, and for each figure its line, column and place.
QUOTED = [
    (
        "serving",
        rf"TPOT\s+groups left out {PAIR}\s+chips {PAIR}\s+models {PAIR}\s+engines {PAIR}",
        TPOT,
        [(f"{what} left out", column, 0) for what in ("groups", "chip", "model", "engine") for column in (1, 2)],
    ),
    (
        "serving",
        rf"giving a scale {PAIR}\s+textbook roofline {PAIR}",
        TPOT,
        [
            (way, column, 0)
            for way in ("groups left out, three rows as scale", "roofline, usual efficiencies")
            for column in (1, 2)
        ],
    ),
    (
        "serving",
        rf"TTFT\s+where nothing queues, groups left out {PAIR}\s+chips {PAIR}\s+models {PAIR}",
        TTFT,
        [(f"{what} left out", column, 0) for what in ("groups", "chip", "model") for column in (1, 2)],
    ),
    (
        "step",
        rf"{FIGURE} % on 14 runs of Megatron on A100, {FIGURE} % where.*?, {FIGURE} % without its whole paper; "
        rf"{FIGURE} %, {FIGURE} % and, without its model, {FIGURE} % on 22 runs",
        "Training step",
        [(chip, column, 1) for chip in ("a100-sxm-80gb", "b200-sxm") for column in (1, 3, 2)],
    ),
    ("step", rf"the other chip would miss by {FIGURE} %", "Training step", [("constants of the other chip", 2, 0)]),
    ("step_memory", rf"the mean error is {FIGURE} %", "Memory of a training step", [("nothing fitted", 2, 0)]),
    (
        "gemm_kernels",
        rf"A100 SXM\s+16 bits {FIGURE} %\s+H100 SXM\s+16 bits {FIGURE} %, 8 bits {FIGURE} %\s+"
        rf"B200 SXM\s+16 bits {FIGURE} %, 8 bits {FIGURE} %",
        "Matrix multiplication",
        [
            (kind, 2, 1)
            for kind in (
                "a100-sxm-80gb, 16 bits",
                "h100-sxm, 16 bits",
                "h100-sxm, 8 bits",
                "b200-sxm, 16 bits",
                "b200-sxm, 8 bits",
            )
        ],
    ),
]


@pytest.mark.parametrize(("model", "pattern", "section", "places"), QUOTED)
def test_models_quote_the_page(model: str, pattern: str, section: str, places: list[tuple[str, int, int]]) -> None:
    source = (ROOT / "src" / "models" / f"{model}.rs").read_text()
    text = " ".join(line.removeprefix("//!").strip() for line in source.splitlines() if line.startswith("//!"))
    quoted = re.search(pattern, text)
    assert quoted, f"{model}.rs does not say {pattern}"
    lines = sections()[section]
    for figure, (label, column, place) in zip(quoted.groups(), places, strict=True):
        on_page = float(lines[label][column].split(" / ")[place])
        digits = len(figure.partition(".")[2])
        assert abs(float(figure) - on_page) <= 0.5 * 10**-digits + 1e-9, f"{model}.rs: {figure}, {label}: {on_page}"


def test_the_plots_of_the_page_are_there() -> None:
    docs = ROOT / "docs"
    named = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (docs / "accuracy.md").read_text())
    assert len(named) == 4
    assert {docs / name for name in named} == set((docs / "accuracy").iterdir())
    assert all((docs / name).stat().st_size < 150_000 for name in named)
