"""The process around the core: forks, signals, panics, the interpreter's lock, memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

import tapeout
from tapeout import _core

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="fork, signals and limits of POSIX")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def many(rows: int) -> pl.DataFrame:
    """The reference scenario with a different demand on each row."""
    units = pl.DataFrame({"build_units_per_year": pl.linear_space(1e3, 2e5, rows, eager=True)})
    reference = tapeout.reference().drop("build_units_per_year")
    return units.with_columns(
        pl.lit(reference[name][0], dtype=reference[name].dtype).alias(name) for name in reference.columns
    )


def script(text: str, *, before: str = "") -> subprocess.Popen[str]:
    """A fresh interpreter that runs the text, with `many` at hand."""
    tests = Path(__file__).parent
    code = f"import sys; sys.path.insert(0, {str(tests)!r})\nfrom test_process import many\nimport tapeout\n{text}"
    command = [sys.executable, "-W", "ignore", "-c", code]
    if before:
        command = ["bash", "-c", f'{before}; exec "$@"', "bash", *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str], seconds: float = 60) -> str:
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    return out


@POSIX
def test_a_forked_child_computes() -> None:
    """The threads of a warm pool do not survive a fork: the child needs its own."""
    program = """
import os, sys
import numpy as np
from tapeout import _core
def compute():
    hours = np.linspace(1.0, 1e6, 5000)
    columns = {"train_chip_hours": (hours, None)}
    return _core.evaluate(5000, columns, {"train_chips": 1e3}, [], ["train_days"], False)["outputs"][0]
want = compute()
child = os.fork()
if child == 0:  # of the core alone: Polars has a pool of its own, which forks badly
    os._exit(0 if (compute() == want).all() else 3)
_, status = os.waitpid(child, 0)
assert (compute() == want).all()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    finished(script(program), 30)


@POSIX
def test_ctrl_c_is_answered() -> None:
    """Within 0.1 s of work; the process may take a little longer to be scheduled."""
    program = """
import os, signal, threading, time
import polars.selectors as cs
frame = many(400_000).drop(cs.enum())  # whose translation is in Polars
tapeout.evaluate(frame[:10], "build")
sent = []
def interrupt():
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(0.25, interrupt).start()
try:
    tapeout.evaluate(frame, "build")
except KeyboardInterrupt:
    print(time.monotonic() - sent[0])
else:
    print("finished")
assert tapeout.evaluate(frame[:10], "build_npv_usd").height == 10
"""
    out = finished(script(program)).strip()
    assert out != "finished"
    assert float(out) < 0.5


def test_a_panic_is_an_exception() -> None:
    with pytest.raises(tapeout.InternalError, match="asked to"):
        _core.panic_for_tests()
    assert tapeout.evaluate(tapeout.reference(), "build_npv_usd").height == 1


def test_the_interpreter_is_released() -> None:
    frame = many(3000)
    counted, stop = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    start, before = time.monotonic(), counted
    tapeout.evaluate(frame, ["build"])
    seconds, during = time.monotonic() - start, counted - before
    stop.set()
    thread.join()
    assert during > 20 * seconds, "a thread that sleeps 1 ms at a time ought to run often"


def test_threads_of_python_may_call_together() -> None:
    frame = many(3000)
    want = tapeout.evaluate(frame, "build_npv_usd")
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(tapeout.evaluate(frame, "build_npv_usd").equals(want)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 6


@LINUX
def test_sizes_that_cannot_be_held_are_a_memory_error() -> None:
    """A frame of one constant column is small; its outputs are not."""
    program = """
import numpy as np
from tapeout import _core
rows = 400_000_000
hours = np.lib.stride_tricks.as_strided(np.array([1e6]), shape=(rows,), strides=(0,))
try:
    _core.evaluate(rows, {"train_chip_hours": (hours, None)}, {"train_chips": 1e3}, [], ["train_days"], False)
except MemoryError as error:
    print("memory:", error)
assert tapeout.evaluate(tapeout.reference(), "train_days").height == 1
"""
    assert "memory:" in finished(script(program, before="ulimit -v 3000000"))


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@LINUX
def test_a_thousand_calls_leak_nothing() -> None:
    frame = many(200)

    def calls(count: int) -> None:
        for _ in range(count):
            tapeout.evaluate(frame, ["train_cost_usd", "asic_unit_price_usd"])

    calls(200)
    before = resident_bytes()
    calls(1000)
    assert resident_bytes() - before < 8e6


@LINUX
def test_a_million_rows_take_no_more_than_their_outputs() -> None:
    program = """
import resource
frame = many(1_000_000)
frame = type(frame)(frame.get_columns())  # every column in memory of its own
outputs = ["train_cost_usd", "asic_unit_price_usd", "programme_nre_usd", "lifetime_inference_usd"]
tapeout.evaluate(frame[:1000], outputs)
def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
def now():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = now()
result = tapeout.evaluate(frame, outputs)
print(peak() - before - 4 * 8 * 1_000_000)
"""
    assert int(finished(script(program)).strip()) < 50e6
