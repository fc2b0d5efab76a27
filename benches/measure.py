"""One job on one core or on all: checks every tool against tapeout, then times them in turn, round after round.

`python benches/measure.py JOB --cores one|all --rounds N --seconds S --clock wall|cpu -o FILE`. A process of its own
for each job, so that the number of threads is settled before any library starts some.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKED_ROWS = 1000
TOLERANCE = 1e-9


def settle(cores: str) -> None:
    """Threads and processors, before anything is imported."""
    count = len(os.sched_getaffinity(0))
    if cores == "one":
        # The last: the first takes more of the interrupts.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        count = 1
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    for name in ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(count)


def affordable(tool: Any, job: str, asked: Any, fixed: Any, seconds: float, now: Callable[[], float]) -> int:
    """As many rows as take so many seconds, or all where these take no more than ten times as long.

    Small frames flatter some tools and hurt others.
    """
    rows = fewest = min(tool.fewest, asked.rows)
    while True:
        trial = tool.prepare(job, asked.columns(rows), fixed)
        trial()
        start = now()
        trial()
        each = (now() - start) / rows
        if each * asked.rows <= 10 * seconds:
            return int(asked.rows)
        if each * rows >= seconds / 3:
            return max(fewest, int(seconds / each))
        rows = min(4 * rows, int(seconds / each))


def measure(job: str, cores: str, rounds: int, seconds: float, clock: str) -> dict[str, object]:
    import jobs
    import registry
    from tapeout import _core

    now = time.process_time if clock == "cpu" else time.perf_counter
    _core.configure(threads=len(os.sched_getaffinity(0)))
    tools = {
        name: tool
        for name, tool in registry.TOOLS.items()
        if job in tool.jobs and tool.all_cores == (cores == "all") and tool.installed()
    }
    asked, fixed = jobs.JOBS[job], registry.constants(job) if job in registry.CORE else None
    calls, rows, checked = {}, {}, {}
    for name, tool in tools.items():
        if tool.module != "registry":
            checked[name] = registry.differences(job, tool, CHECKED_ROWS)
            wrong = {output: apart for output, apart in checked[name].items() if not apart <= TOLERANCE}
            if wrong:
                raise SystemExit(f"{job}: {tool.label} differs from tapeout: {wrong}")
        rows[name] = affordable(tool, job, asked, fixed, seconds, now)
        calls[name] = tool.prepare(job, asked.columns(rows[name]), fixed)
        calls[name]()
    order, spent = list(tools), {name: [] for name in tools}
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            start = now()
            calls[name]()
            spent[name].append((now() - start) / rows[name])
    return {"rows": rows, "seconds_per_row": spent, "differences": checked}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    parser.add_argument("--cores", choices=("one", "all"), default="one")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("-o", "--out", type=Path)
    asked = parser.parse_args()
    settle(asked.cores)
    found = measure(asked.job, asked.cores, asked.rounds, asked.seconds, asked.clock)
    text = json.dumps({"job": asked.job, "cores": asked.cores, "clock": asked.clock, **found}, indent=1)
    if asked.out:
        asked.out.write_text(text)
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
