"""The suite's twins give tapeout's numbers; what is not installed is passed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jobs
import measure
import registry

ROWS = 100
PAIRS = [
    (job, name) for name, tool in registry.TOOLS.items() if tool.module != "registry" for job in tool.jobs
]  # fmt: skip


@pytest.mark.parametrize(("job", "name"), PAIRS)
def test_a_twin_agrees(job: str, name: str) -> None:
    tool = registry.TOOLS[name]
    if not tool.installed():
        pytest.skip(f"{tool.needs} is not installed")
    if name == "cpp_fma":
        pytest.skip("the same source as cpp, a compilation more")
    for output, apart in registry.differences(job, tool, ROWS).items():
        assert apart <= measure.TOLERANCE, output


def nearly(job: str, columns: dict[str, Any], fixed: Any) -> Callable[[], Any]:
    """NumPy's twin with one number of one row wrong in the ninth digit."""
    call = registry.TOOLS["numpy"].prepare(job, columns, fixed)

    def run() -> Any:
        first, *rest = call()
        return (np.where(np.arange(len(first)) == 3, first * (1 + 1e-8), first), *rest)

    return run


def test_a_wrong_number_stops_the_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = registry.Tool("wrong", __name__, "nearly", ("training",))
    tools = {"tapeout": registry.TOOLS["tapeout"], "numpy": registry.TOOLS["numpy"], "wrong": wrong}
    monkeypatch.setattr(registry, "TOOLS", tools)
    with pytest.raises(SystemExit, match=r"training: wrong differs from tapeout: {'train_cost_usd': 9.99"):
        measure.measure("training", "one", 1, 0.001, "wall")


def test_jobs_ask_for_what_there_is() -> None:
    """Every job runs on a few rows, those of all models at once too."""
    for job in jobs.JOBS.values():
        answer = jobs.tapeout_call(job, job.columns(3))()
        assert answer.height == 3
        assert set(job.outputs) <= set(answer.columns)
