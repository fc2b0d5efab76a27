"""Rows of a sweep summarized: seconds, and the most memory the process ever held.

`python benches/summary.py ROWS THREADS`. Nothing is written and no frame of all rows is made: 10^8 rows take as much
memory as 10^6.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import tapeout
from tapeout import _core

SWEEP = Path(__file__).parent.parent / "examples" / "own-chip.toml"


def main(rows: int, threads: int) -> None:
    _core.configure(threads=threads)
    sweep = tapeout.Sweep.from_toml(SWEEP)
    sweep = sweep.replace(samples=max(1, rows // sweep.cell_count))
    start = time.perf_counter()
    sweep.summary("build_npv_usd", by="design_speedup")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"rows": sweep.rows, "seconds": seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main(int(float(sys.argv[1])), int(sys.argv[2]))
