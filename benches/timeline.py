"""Scenario-months a second of a timeline on one core; every scenario has its own schedule.

`python benches/timeline.py [SCENARIOS]`: the best of three runs, all 120 months, with the models before and the frame.
"""

from __future__ import annotations

import sys
import time

import chain
import tapeout
from tapeout import _core

OUTPUTS = ("demand_month", "month_saving_usd", "build_month", "build_npv_usd")


def main(scenarios: int) -> None:
    varying, assume = chain.frame(scenarios), chain.assumptions()
    _core.configure(threads=1)
    for outputs in OUTPUTS:
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            tapeout.timeline(varying, outputs, assume=assume)
            seconds.append(time.perf_counter() - start)
        print(f"{outputs}: {scenarios * 120 / min(seconds) / 1e6:.2f} M scenario-months/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4_000)
