"""docs/benchmarks.md and its plot, from the files that `run.py` leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import polars as pl

import jobs
import registry

NOTE = "<!-- Written by benches/page.py: run make bench. -->\n"
RESAMPLES = 4000

INTRODUCTION = """# Benchmarks

The same jobs by tapeout and by what people would use instead. Every tool is first checked to give tapeout's numbers, to
1e-9 on {checked} random rows; only then it is timed. All tools run in turn, round after round in a new order, and
each round gives the ratio of a tool's time to tapeout's in that round. A table has the median of these ratios over the
rounds, with its 95 % interval by bootstrap. More than 1: the tool takes longer than tapeout; less: tapeout runs at that
share of the tool's speed.

`make bench` runs them all (a quarter of an hour) and writes this page; `benches/run.py --jobs chain` runs one of them.
"""

RULES = """## What is compared

- One core: the process is pinned to it, and every library is told to use one thread. All cores: only what can use
  them.
- Columns are in memory in each tool's own form before the clock starts, and so are the results when it stops.
  Compiling is not timed, neither Numba's and JAX's nor C++'s. tapeout is timed as it is called: it holds every value
  against its bounds, looks for nulls and plans the models each time, which no other tool does.
- Everywhere the same equations and the same cells of the launch law, so that the numbers agree: branches below 1e-12
  are dropped by all. tapeout leaves a branch's tail at 1e-11, the others at 1e-12: a twentieth fewer cells, and the
  differences of 4e-10. It discounts within a month by a polynomial of two powers less, and counts what spare units
  rescue defect by defect, the others by a quadrature. What no row changes is made once by every tool: tables over
  months, points of the quadrature. C++, JAX and NumPy in blocks put rows that launch together side by side, as
  tapeout does; Numba, whose loop is over rows, puts months into vectors instead.
- The others are written for the job's columns alone. tapeout takes any variable as a column or a constant, any null,
  any output, and gives exact derivatives of the same code.
- Slow tools get fewer rows, which the tables by job show; the time of a row is what is compared.
- Where others are quicker. On closed forms of a few dozen operations what surrounds the equations decides: a value
  read, held against its bounds and written costs as much as ten operations on it. A fused multiply-add, which would
  make bits differ between processors, takes C++ a quarter less of the chain.
- Polars and DuckDB do the closed forms alone: a recurrence over months, or a fixed point that uses its last value a
  dozen times, is no expression.
"""


class Aim(NamedTuple):
    """What the suite is to show, and where it does not, why."""

    what: str
    least: float
    unit: str
    job: str
    #: Whose time over tapeout's; tapeout's own rows a second where there is none.
    tool: str | None
    why: str


AIMS = [
    Aim("chain over NumPy, whole columns", 40, "times", "chain", "numpy", ""),
    Aim("chain over NumPy, blocks in cache", 20, "times", "chain", "numpy_blocks", ""),
    Aim(
        "chain over Numba", 6, "times", "chain", "numba",
        "Numba works in vectors too, of a row's months, where no row waits for another; C++ by hand, rows side by side "
        "as here, gets no nearer",
    ),
    Aim("chain over C++ by hand", 0.9, "times", "chain", "cpp", ""),
    Aim("chain", 1.2e6, "rows a second", "chain", None, ""),
    Aim(
        "point over NumPy, whole columns", 20, "times", "point", "numpy",
        "NumPy takes 60 to 70 ns a row, of which 3 would be left: the 15 columns alone take that through memory, and "
        "the divisions and roots twice as long",
    ),
    Aim("search", 0.2e6, "rows a second", "search", None, ""),
    Aim(
        "all models without a search", 0.25e6, "rows a second", "all", None,
        "`build` and `build_dual` take most of it, and a row's 433 outputs are 3.5 KB to write",
    ),
    Aim("all models with the search", 0.1e6, "rows a second", "all_search", None, ""),
]  # fmt: skip
#: Of the memory's bandwidth, for the columns of the training job read and written once.
BANDWIDTH_SHARE = 0.7
CLAIMS_S = 8.0
#: Of what two processes of one thread reach together.
THREADS_SHARE = 0.95
#: For 10^9 rows; said of no fewer than a tenth of them.
BILLION_S = 600.0


class Ratio(NamedTuple):
    """Time over tapeout's, and where its median lies."""

    middle: float
    low: float
    high: float


def ratio(tool: list[float], ours: list[float]) -> Ratio:
    """Median over rounds, and its bootstrap interval."""
    ratios = np.array(tool) / np.array(ours)
    picks = np.random.default_rng(1).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(ratios[picks], axis=1), [0.025, 0.975])
    return Ratio(float(np.median(ratios)), float(low), float(high))


def _found(results: Path) -> Iterator[dict[str, Any]]:
    """A line for each job and tool that were measured."""
    for job in jobs.JOBS:
        for cores, ours in (("one", "tapeout"), ("all", "tapeout_all")):
            path = results / f"{job}-{cores}.json"
            if not path.exists():
                continue
            found = json.loads(path.read_text())
            spent = found["seconds_per_row"]
            for name, seconds in spent.items():
                over = ratio(seconds, spent[ours])
                yield {
                    "job": job, "cores": cores, "tool": name, "label": registry.TOOLS[name].label,
                    "rows": found["rows"][name], "clock": found["clock"],
                    "nanoseconds": float(np.median(seconds)) * 1e9,
                    "ratio": over.middle, "low": over.low, "high": over.high,
                    "difference": max(found["differences"].get(name, {"": 0.0}).values()),
                }  # fmt: skip


def _number(x: float) -> str:
    return f"{x:.3g}" if x < 100 else f"{x:,.0f}"


def _interval(found: Ratio) -> str:
    return f"{_number(found.middle)} ({_number(found.low)} to {_number(found.high)})"


def _ratio(line: dict[str, Any]) -> str:
    ours = line["tool"].startswith("tapeout")
    return "1" if ours else _interval(Ratio(line["ratio"], line["low"], line["high"]))


def _threads(results: Path) -> dict[str, Ratio]:
    """Two threads over two processes, by job."""
    path = results / "threads.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    return {job: ratio(shares, [1.0] * len(shares)) for job, shares in found.items()}


def _summary_table(lines: list[dict[str, Any]], cores: str) -> list[str]:
    """Tools by jobs."""
    mine = [line for line in lines if line["cores"] == cores and line["job"] in registry.CORE]
    found = {(line["tool"], line["job"]): line for line in mine}
    shown = [job for job in registry.CORE if any(line["job"] == job for line in mine)]
    tools = [name for name in registry.TOOLS if any(line["tool"] == name for line in mine)]
    out = ["| time over tapeout's | " + " | ".join(shown) + " |", "|---|" + "---:|" * len(shown)]
    for name in tools:
        cells = (_ratio(found[name, job]) if (name, job) in found else "" for job in shown)
        out.append(f"| {registry.TOOLS[name].label} | " + " | ".join(cells) + " |")
    return [*out, ""]


def _job_table(lines: list[dict[str, Any]], job: str) -> list[str]:
    mine = [line for line in lines if line["job"] == job]
    if not mine:
        return []
    asked = jobs.JOBS[job]
    about = f"{len(asked.varying)} columns vary; asked: " + ", ".join(f"`{name}`" for name in asked.outputs) + "."
    if not asked.outputs:
        fixed = asked.fixed()
        count = len(jobs.everything(fixed))
        about = f"{len(asked.varying)} columns vary, {len(fixed)} values are the same on all rows, {count} outputs."
    out = [f"### {asked.title} (`{job}`)", "", about, ""]
    out += ["| | ns a row | rows a second | over tapeout | worst difference | rows |", "|---|---:|---:|---:|---:|---:|"]
    for line in mine:
        apart = "" if line["tool"].startswith("tapeout") else f"{line['difference']:.0e}"
        each, rate = _number(line["nanoseconds"]), f"{1e9 / line['nanoseconds']:,.0f}"
        out.append(f"| {line['label']} | {each} | {rate} | {_ratio(line)} | {apart} | {line['rows']:,} |")
    return [*out, ""]


def _aims(lines: list[dict[str, Any]], machine: dict[str, Any], results: Path) -> list[str]:
    """Aims beside what was measured."""
    mine = {(line["job"], line["tool"]): line for line in lines if line["cores"] == "one"}
    rows = []
    for aim in AIMS:
        line = mine.get((aim.job, aim.tool or "tapeout"))
        if line is not None:
            found = line["ratio"] if aim.tool else 1e9 / line["nanoseconds"]
            rows.append((aim.what, f"{aim.least:,.10g} {aim.unit}", _number(found), found >= aim.least, aim.why))
    if line := mine.get(("training", "tapeout")):
        job = jobs.JOBS["training"]
        numbers = len(job.varying) + len(job.outputs)
        share = 8 * numbers / (line["nanoseconds"] * 1e-9) / machine["bytes_per_s"]
        why = "columns are read twice, to be held against their bounds and by the equations, which take as long again"
        rows.append((
            "training, its columns once through memory", f"{BANDWIDTH_SHARE:.0%} of the bandwidth", f"{share:.0%}",
            share >= BANDWIDTH_SHARE, why,
        ))  # fmt: skip
    if (path := results / "claims.json").exists():
        seconds = float(np.median(json.loads(path.read_text())["seconds"]))
        why = "`build` on ten million rows is half of it, and what Python and Polars do between evaluations a fifth"
        rows.append(("`tapeout claims`", f"{CLAIMS_S:g} s", f"{seconds:.1f}", seconds <= CLAIMS_S, why))
    for name, share in _threads(results).items():
        why = "what Python does around a call, some 10 µs for each output, two processes do side by side"
        reached = f"{share.middle:.3f} ({share.low:.3f} to {share.high:.3f})"
        met = share.middle >= THREADS_SHARE
        rows.append((f"two threads over two processes, {name}", f"{THREADS_SHARE:g}", reached, met, why))
    if (path := results / "summary.json").exists():
        largest = json.loads(path.read_text())["runs"][-1]
        if largest["rows"] > 1e8 - 1e3:
            seconds = 1e9 * largest["seconds"] / largest["rows"]
            rows.append(("summary of 10^9 rows", f"{BILLION_S:g} s", _number(seconds), seconds <= BILLION_S, ""))
    out = ["## Aims", "", "| | aim | measured | |", "|---|---:|---:|---|"]
    out += [
        f"| {what} | {aim} | {found} | {'met' if met else f'missed: {why}' if why else 'missed'} |"
        for what, aim, found, met, why in rows
    ]
    return [*out, ""]


def _whole(results: Path) -> list[str]:
    """What only tapeout does."""
    out: list[str] = []
    if (path := results / "claims.json").exists():
        seconds = json.loads(path.read_text())["seconds"]
        out += [f"- `tapeout claims`, all cores, with the start of Python: {np.median(seconds):.1f} s."]
    if (path := results / "summary.json").exists():
        found = json.loads(path.read_text())
        small, large = found["runs"]
        rows, seconds = large["rows"], large["seconds"]
        out += [
            f"- Summary of a sweep of {rows:,} rows of `build_npv_usd` (`examples/own-chip.toml`), "
            f"{found['threads']} threads: {seconds:.1f} s, {rows / seconds / 1e6:.2f} M rows a second. Most memory "
            f"held: {large['peak_bytes'] / 1e6:.0f} MB; with a tenth of the rows {small['peak_bytes'] / 1e6:.0f} MB."
        ]
    return ["## Only tapeout", "", *out, ""] if out else []


def _plot(lines: list[dict[str, Any]], path: Path) -> None:
    frame = pl.DataFrame([
        {**line, "what": f"{line['label']}", "title": jobs.JOBS[line["job"]].title}
        for line in lines
        if line["job"] in registry.CORE and not line["tool"].startswith("tapeout") and line["cores"] == "one"
    ])  # fmt: skip
    tools = [tool.label for tool in registry.TOOLS.values()]
    scale = alt.Scale(type="log")
    title = "time over tapeout's, one core (log)"
    x = alt.X("ratio:Q", scale=scale, title=title)
    y = alt.Y("what:N", sort=tools, title=None)
    base = alt.Chart().encode(y=y)
    layers = alt.layer(
        alt.Chart().mark_rule(strokeDash=[3, 3], color="#888").encode(x=alt.datum(1.0)),
        base.mark_rule(color="#4c78a8").encode(x=alt.X("low:Q", scale=scale, title=title), x2="high:Q"),
        base.mark_point(filled=True, size=60, color="#4c78a8").encode(x=x),
    ).properties(width=420)
    titles = [jobs.JOBS[job].title for job in registry.CORE]
    facets = alt.Row(
        "title:N", sort=titles, title=None, header=alt.Header(labelAngle=0, labelOrient="top", labelAnchor="start")
    )
    layers.facet(row=facets, data=frame.to_pandas()).resolve_scale(y="independent").save(path)


def _versions() -> str:
    names = ("numpy", "numba", "jax", "polars", "duckdb")
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def write(results: Path, docs: Path) -> None:
    """Page and plot."""
    from measure import CHECKED_ROWS

    lines = list(_found(results))
    machine = json.loads((results / "machine.json").read_text())
    text = [NOTE, INTRODUCTION.format(checked=CHECKED_ROWS)]
    clocks = {line["clock"] for line in lines if line["cores"] == "one"}
    text += [
        f"Measured {machine['date']} at {machine['commit']} on {machine['processor']} ({machine['instructions']}, "
        f"{machine['cores']} cores), Python {machine['python']}, {_versions()}, {machine['compiler']}"
        + (", processor time on one core" if clocks == {"cpu"} else "")
        + ".\n",
        "## One core\n",
        "![Time over tapeout's by job and tool](benchmarks.svg)\n",
        *_summary_table(lines, "one"),
        "## All cores\n",
        *_summary_table(lines, "all"),
        *_aims(lines, machine, results),
        RULES,
        "## By job\n",
    ]
    for job in jobs.JOBS:
        text += _job_table(lines, job)
    text += _whole(results)
    text += ["## The tools", ""]
    text += [f"- {tool.label}: {tool.note}." for tool in registry.TOOLS.values() if tool.note]
    (docs / "benchmarks.md").write_text("\n".join(text).rstrip() + "\n")
    _plot(lines, docs / "benchmarks.svg")
