"""Which tool does which job, and how: the checks, the clock, the table, the plot and the page read this."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import jobs

CLOSED = ("training", "package")
CORE = (*CLOSED, "chain", "point", "search")


@dataclass(frozen=True)
class Tool:
    """A way to do jobs: `function(job, columns, fixed)` of a module makes a call without arguments."""

    label: str
    module: str
    function: str
    jobs: tuple[str, ...]
    #: The package or program it needs.
    needs: str = ""
    #: Whether it uses all cores: then it is compared with tapeout on all cores.
    all_cores: bool = False
    note: str = ""
    #: No fewer rows than this, where a call on few is all overhead.
    fewest: int = 100

    def installed(self) -> bool:
        return not self.needs or bool(importlib.util.find_spec(self.needs) or shutil.which(self.needs))

    def prepare(self, job: str, columns: jobs.Columns, fixed: Any) -> Callable[[], Any]:
        return getattr(importlib.import_module(self.module), self.function)(job, columns, fixed)


def by_tapeout(job: str, columns: jobs.Columns, _fixed: Any) -> Callable[[], Any]:
    return jobs.tapeout_call(jobs.JOBS[job], columns)


TOOLS = {
    "tapeout": Tool(
        "tapeout", "registry", "by_tapeout", tuple(jobs.JOBS), note="from a Polars frame to a Polars frame"
    ),
    "cpp": Tool(
        "C++ by hand", "twins.in_cpp", "contract_off", CORE, "g++",
        note="`std::experimental::simd`, rows in lanes, `g++ -O3 -march=native -ffp-contract=off`",
    ),
    "cpp_fma": Tool(
        "C++ by hand, contracted", "twins.in_cpp", "contract_on", CORE, "g++",
        note="the same with fused multiply-add, which gives other last digits on other processors",
    ),
    "numba": Tool("Numba", "twins.in_numba", "one_thread", CORE, "numba", note="a loop over rows; parallel: `prange`"),
    "jax": Tool("JAX", "twins.in_jax", "compiled", CORE, "jax", note="`jit`, 64 bits, CPU"),
    "numpy": Tool(
        "NumPy, whole columns", "twins.in_numpy", "whole", CORE,
        note="one operation after another over all rows", fewest=20_000,
    ),
    "numpy_blocks": Tool(
        "NumPy, blocks in cache", "twins.in_numpy", "blocks", CORE,
        note="4,096 to 65,536 rows at a time, whatever is fastest", fewest=20_000,
    ),
    "polars": Tool("Polars", "twins.in_polars", "expressions", CLOSED, note="lazy expressions"),
    "duckdb": Tool("DuckDB", "twins.in_duckdb", "query", CLOSED, "duckdb", note="SQL, from Arrow to Arrow"),
    "python": Tool(
        "Python, one row at a time", "twins.in_python", "one_at_a_time", CORE,
        note="floats and `math`, as most published calculators are written",
    ),
    "tapeout_all": Tool("tapeout, all cores", "registry", "by_tapeout", tuple(jobs.JOBS), all_cores=True),
    "numba_all": Tool("Numba, parallel", "twins.in_numba", "parallel", CORE, "numba", all_cores=True),
}  # fmt: skip


def constants(job: str) -> Any:
    """What no row of the job changes, by name."""
    found = jobs.constants(jobs.JOBS[job])
    return namedtuple("Fixed", found)(**found)


def differences(job: str, tool: Tool, rows: int, seed: int = 7) -> dict[str, float]:
    """The worst difference from tapeout for each output; infinite where one has a number and the other none."""
    asked = jobs.JOBS[job]
    columns = asked.columns(rows, seed)
    want = jobs.numbers(jobs.tapeout_call(asked, columns)(), asked.outputs)
    got = tool.prepare(job, columns, constants(job))()
    worst = {}
    for name, answer in zip(asked.outputs, got, strict=True):
        other, mine = np.asarray(answer, float), want[name]
        size = np.abs(mine)
        if name in asked.beside:
            size = np.maximum(size, np.abs(want[asked.beside[name]]))
        same = (other == mine) | (np.isnan(other) & np.isnan(mine))
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = np.where(same, 0.0, np.abs(other - mine) / size)
        worst[name] = float(np.nan_to_num(apart, nan=np.inf).max())
    return worst
