"""The gate on instructions, without valgrind: what it reads, what it refuses, and that it knows every model."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import counts
import kernels
import rows
import tapeout

ROOT = Path(__file__).parent.parent
PROFILE = """\
version: 1
events: Ir

fn=(1) main
0 5
cfn=(2) tapeout::models::die::avx2::run
calls=2 0
0 600
cfn=(3) malloc
calls=1 0
0 40

fn=(2)
0 100
cfn=(3)
calls=1 0
0 60

fn=(4) other
0 1
cfn=(2)
calls=1 0
0 300
"""


def test_instructions_are_summed_over_all_callers() -> None:
    assert counts.inclusive(PROFILE) == {"tapeout::models::die::avx2::run": (3, 900), "malloc": (2, 100)}


@pytest.mark.parametrize("now", [100.0, 102.9, 97.1])
def test_what_is_near_passes(now: float) -> None:
    assert counts.different({"kernels": {"die": 100.0}}, {"kernels": {"die": now}}) == []


def test_few_instructions_may_be_a_quarter_off() -> None:
    assert counts.different({"kernels": {"die": 1.0}}, {"kernels": {"die": 1.2}}) == []
    assert len(counts.different({"kernels": {"die": 1.0}}, {"kernels": {"die": 1.3}})) == 1


def test_what_is_far_is_told_with_before_now_and_per_cent() -> None:
    before = {"kernels": {"die": 100.0, "lab": 200.0, "gone": 5.0}, "chain": {"build": 1000.0}}
    now = {"kernels": {"die": 104.0, "lab": 150.0, "new": 7.0}, "chain": {"build": 1000.0}}
    assert counts.different(before, now) == [
        "kernels die: 100.00 in the file, now 104.00, +4.0%",
        "kernels gone: 5.00 in the file, now not there",
        "kernels lab: 200.00 in the file, now 150.00, -25.0%",
        "kernels new: not in the file, now 7.00",
    ]


def test_the_gate_fails_on_a_difference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "instructions.toml"
    file.write_text(counts.text({"kernels": {"decision::dual": 100.0}}))
    monkeypatch.setattr(counts, "FILE", file)
    monkeypatch.setattr(counts, "unable", lambda: None)
    monkeypatch.setattr("sys.argv", ["counts.py"])
    monkeypatch.setattr(counts, "counted", lambda: {"kernels": {"decision::dual": 101.0}})
    counts.main()
    monkeypatch.setattr(counts, "counted", lambda: {"kernels": {"decision::dual": 110.0}})
    with pytest.raises(SystemExit, match=r"decision::dual: 100\.00 in the file, now 110\.00, \+10\.0%\n.*make recount"):
        counts.main()


def test_every_model_has_a_count() -> None:
    known = tomllib.loads(counts.FILE.read_text())
    models = [name for name in tapeout.models()["name"] if not rows.runs_again(name)]
    # Of two decisions whose code is the same the compiler keeps one.
    assert len(models) - 1 <= len(known["kernels"]) <= len(models)
    assert all(count > 0 for count in known["kernels"].values())


def test_every_model_is_counted_in_the_bench() -> None:
    registered = re.findall(r"^    .*entry::<([\w:]+)>\(\).*,\n", (ROOT / "src/models/mod.rs").read_text(), re.M)
    bench = (ROOT / "benches/kernels.rs").read_text()
    listed = re.search(r"\ncounted!\((.*?)\);", bench, re.S)
    assert listed is not None
    assert [name.strip() for name in listed[1].split(",") if name.strip()] == registered


MACHINE = {"arithmetic_ns": "0.01", "division_ns": "0.1", "root_ns": "0.2", "bytes_per_s": "1e10"}
KINDS = ["add", "mul", "div", "sqrt", "compare", "select", "bit", "exp", "ln", "pow", "exp_m1", "ln_1p", "load"]
IDLE = dict.fromkeys([*KINDS, "store", "move", "chain_ns", "engine_ns", "idle", "columns"], "0")


@pytest.mark.parametrize(
    ("counted", "limit"),
    [
        ({"add": "700"}, "arithmetic"),
        ({"div": "70"}, "division"),
        ({"add": "400", "div": "30"}, "arithmetic with division"),
        ({"chain_ns": "7"}, "latency of a chain"),
        ({"engine_ns": "7"}, "engine"),
        ({"columns": "13"}, "memory"),
        ({"add": "100", "move": "100"}, "tables"),
        ({"add": "100"}, "other instructions"),
    ],
)
def test_what_limits_a_kernel_of_ten_nanoseconds(counted: dict[str, str], limit: str) -> None:
    fields = IDLE | {"kernel": "x", "module": "x", "ns": "10"} | counted
    assert kernels.Kernel(MACHINE, fields, {}).limit == limit


def test_instructions_an_operation() -> None:
    # Eight rows are two registers on AVX2, so 100 operations a row are 25 instructions at best.
    fields = IDLE | {"kernel": "x", "module": "x", "ns": "10", "add": "60", "compare": "40"}
    assert kernels.Kernel(MACHINE, fields, {"x": 50.0}).instructions_an_operation == 2.0
