"""The suite: every job by tapeout and by what people would use instead, checked, timed in turn, written up.

`python benches/run.py [--jobs training,chain] [--rounds N] [--seconds S] [--clock wall|cpu] [--full] [--page-only]`.
Each job is a process and leaves a file in target/benches; a job that is not named keeps the file it has. Writes
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import page
import registry

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "target" / "benches"
#: Rows of the summary by default, and in full.
SUMMARY_ROWS, FULL_ROWS = 4e6, 1e9
CLAIM_RUNS = 3
WHOLE = ("claims", "summary", "threads")


def bytes_per_s() -> float:
    """Of a copy that fits in no cache, read and written, the best of ten."""
    here = np.ones(12 << 20)
    there, best = np.empty_like(here), np.inf
    for _ in range(10):
        start = time.perf_counter()
        np.copyto(there, here)
        best = min(best, time.perf_counter() - start)
    return float(2 * here.nbytes / best)


def machine() -> dict[str, str | float]:
    """What it ran on."""
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    flags = Path("/proc/cpuinfo").read_text()
    return {
        "processor": names[0] if names else platform.processor(),
        "bytes_per_s": bytes_per_s(),
        "cores": str(len(os.sched_getaffinity(0))),
        "instructions": "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "SSE2",
        "compiler": compiler,
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "date": time.strftime("%Y-%m-%d"),
    }


def job(name: str, cores: str, asked: argparse.Namespace) -> None:
    out = RESULTS / f"{name}-{cores}.json"
    command = [sys.executable, "benches/measure.py", name, "--cores", cores, "--rounds", str(asked.rounds)]
    command += ["--seconds", str(asked.seconds), "--clock", asked.clock if cores == "one" else "wall", "-o", str(out)]
    subprocess.run(command, cwd=ROOT, check=True)


def claims() -> None:
    """The command a reader of the documentation types."""
    command, seconds = [str(Path(sys.executable).parent / "tapeout"), "claims"], []
    for _ in range(CLAIM_RUNS):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
    (RESULTS / "claims.json").write_text(json.dumps({"seconds": seconds, "lines": done.stdout.count("\n")}))


def threads(asked: argparse.Namespace) -> None:
    command = [sys.executable, "benches/threads.py", "--rounds", str(asked.rounds), "--seconds", str(asked.seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (RESULTS / "threads.json").write_text(done.stdout)


def summary(rows: float) -> None:
    """A tenth of the rows, then all: time grows, memory must not."""
    threads = str(len(os.sched_getaffinity(0)))
    runs = []
    for count in (rows / 10, rows):
        command = [sys.executable, "benches/summary.py", str(count), threads]
        runs.append(json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout))
    (RESULTS / "summary.json").write_text(json.dumps({"runs": runs, "threads": int(threads)}))


def main() -> None:
    everything = [*dict.fromkeys(name for tool in registry.TOOLS.values() for name in tool.jobs), *WHOLE]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default=",".join(everything), help=f"of {', '.join(everything)}")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a call, about; slow tools are given fewer rows")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu where others use the machine")
    parser.add_argument("--full", action="store_true", help=f"a summary of {FULL_ROWS:.0e} rows")
    parser.add_argument("--page-only", action="store_true")
    asked = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    wanted = asked.jobs.split(",")
    if unknown := set(wanted) - set(everything):
        parser.error(f"no job {', '.join(sorted(unknown))}; there are {', '.join(everything)}")
    for name in [] if asked.page_only else wanted:
        start = time.perf_counter()
        if name == "claims":
            claims()
        elif name == "summary":
            summary(FULL_ROWS if asked.full else SUMMARY_ROWS)
        elif name == "threads":
            threads(asked)
        else:
            for cores in ("one", "all"):
                job(name, cores, asked)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    if not asked.page_only:
        (RESULTS / "machine.json").write_text(json.dumps(machine()))
    page.write(RESULTS, ROOT / "docs")


if __name__ == "__main__":
    main()
