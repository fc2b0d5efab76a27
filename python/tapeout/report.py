"""Pages for the terminal, readable at 100 columns."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tapeout._claim_result import ClaimResult, ThresholdResult, word
from tapeout.declarations import KEYS, declared

if TYPE_CHECKING:
    from tapeout import Explanation, Summary, Sweep
    from tapeout._calibrate import Calibration
    from tapeout._compare import Comparison

# What is piped or logged has no width of its own.
_WIDTH = 100
_SHOWN_SCENARIOS = 4
_SHOWN_INPUTS = 5
_MONTHS_ACROSS = 8
SHOWN_TIMELINES = 2
#: Months printed where none are asked for: the ends of years 1 to 6, 8 and 10.
SHOWN_MONTHS = (11, 23, 35, 47, 59, 71, 95, 119)

_REFERENCE = {
    "Training run": "train_cost_usd train_hardware_usd train_interconnect_usd train_energy_usd train_days",
    "Chip": "die_area_mm2 die_yield die_sellable_yield die_cost_usd asic_bom_usd asic_unit_cost_usd "
    "asic_unit_price_usd",
    "Programme": "programme_nre_usd programme_planned_months programme_spins_expected programme_launch_months_mean "
    "programme_launch_months_sd programme_on_time_probability",
    "Build": "lifetime_inference_usd lifetime_saving_usd lifetime_saving_share programme_nre_pv_usd build_npv_usd "
    "build_npv_sd_usd build_npv_p05_usd build_npv_p50_usd build_npv_p95_usd build_npv_positive_probability "
    "build_breakeven_units_per_year build_payback_months build_parity_months build_delay_cost_usd_per_month "
    "build_status",
    "Decision": "decision decision_runner_up decision_margin_usd",
}
REFERENCE_OUTPUTS = [name for names in _REFERENCE.values() for name in names.split()]


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False, soft_wrap=False)


def _table(title: str | None, *columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(title=title and escape(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        number = column in right
        table.add_column(column, justify="right" if number else "left", no_wrap=number, overflow="fold")
    return table


def figure(value: object) -> str:
    """A value as a person reads it, with five digits or more."""
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case float() if math.isfinite(value):
            return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.5g}"
        case int():
            return f"{value:,}"
    return str(value)


def short(value: object, digits: int = 4) -> str:
    """A value in a few digits, with k, M, bn or tn."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, float) or not math.isfinite(value):
        return figure(value)
    value = float(f"{value:.{digits}g}")
    for size, suffix in ((1e12, " tn"), (1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if size <= abs(value) < 1e15:
            return f"{value / size:.{digits}g}{suffix}"
    return f"{value:.{digits}g}"


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with the time left, removed at the end; gives what is told of steps done and in all."""
    console = Console(stderr=True)
    columns = [TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
               TimeRemainingColumn()]  # fmt: skip
    if what == "rows":
        columns.append(TextColumn("{task.fields[rate]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, rate="")

        def advance(done: int, total: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{done / elapsed:,.0f} rows/s" if elapsed > 0 else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield advance


def claim_text(result: ClaimResult) -> str:
    """The card as plain text."""
    return _captured(result, Console(file=io.StringIO(), width=_WIDTH, highlight=False))


def claim_page(result: ClaimResult) -> str:
    """The card as standard output shows it."""
    return _captured(result, _console())


def _captured(result: ClaimResult, out: Console) -> str:
    with out.capture() as page:
        _claim(result, out)
    return page.get()


def _claim(result: ClaimResult, out: Console) -> None:
    """A claim's card: P by definition, what would have to be true, what it hangs on, evidence."""
    out.rule(f"[bold]{escape(result.id)}", align="left")
    out.print(escape(result.statement))
    out.print(f"[dim]{escape(result.said_by)} ({escape(result.attribution)})")
    if result.turned_by:
        out.print(f"The verdict depends on the definition: {', '.join(result.turned_by)} turn it.", style="yellow")
    if result.caution:
        out.print(escape(result.caution))
    out.print()
    table = _table(None, "P(true)", "95 %", "definition", "which says", right=("P(true)", "95 %"))
    for one in result.definitions:
        undefined = f" ({one.undefined_rows:,} rows undefined, counted as false)" if one.undefined_rows else ""
        low, high = one.interval
        row = (f"{one.probability:.4f}", f"{low:.4f} to {high:.4f}", one.name, escape(one.says + undefined))
        table.add_row(*row, style="bold" if one is result.headline else None)
    out.print(table)
    for binned in result.tables:
        under = "" if binned.definition == result.headline.name else f" ({binned.definition})"
        out.print(f"\n[bold]P(true){escape(under)}[/] {escape(binned.says)}")
        table = _table(None, "P(true)", "± s.e.", "scenarios", "where", right=("P(true)", "± s.e.", "scenarios"))
        total = sum(part.rows for part in binned.bins)
        for part in binned.bins:
            chance = (f"{part.probability:.4f}", f"{part.standard_error:.1g}") if part.rows else ("-", "-")
            table.add_row(*chance, f"{part.rows / max(total, 1):.1%}", part.name)
        out.print(table)
    if result.variance is not None:
        table = _table(
            None, "of variance", "± s.e.", "turns the sign", "group", right=("of variance", "± s.e.", "turns the sign")
        )
        for share in result.variance.groups:
            turned = f"{share.sign_turned_share:.1%}"
            table.add_row(f"{share.total_index:.3f}", f"{share.standard_error:.1g}", turned, share.name)
        verdict = "it holds" if result.variance.holds else "it does not hold"
        out.print(f"\nAs a share of variance {verdict}: {escape(result.variance.says)}")
        out.print(table)
    if result.crossed is not None:
        crossed = result.crossed
        out.print(f"\n[bold]{escape(crossed.says)}[/] (P over {crossed.rows:,} scenarios)")
        table = _table(
            None, *crossed.columns, *(name.replace("_", " ") for name in crossed.over), right=crossed.columns
        )
        for values, found in crossed.combinations:
            table.add_row(*(f"{share:.3f}" for share in found), *(word(value) for value in values))
        out.print(table)
        for column, predicate in zip(crossed.columns, crossed.predicates, strict=True):
            low, high, above = crossed.summary(column)
            between = f"{low:.3f} to {high:.3f}, above one half in {above} of {len(crossed.combinations)}"
            out.print(f"{escape(column)} ({escape(predicate)}): {between}")
    if result.thresholds:
        out.print("\n[bold]What would have to be true[/] (the other inputs at their median)")
        table = _table(None, "input", "true", "searched", "unit, source")
        for threshold in result.thresholds:
            under = "" if threshold.definition == result.headline.name else f" ({threshold.definition})"
            between = f"{threshold.low:.4g} to {threshold.high:.4g}"
            table.add_row(
                escape(threshold.vary + under), escape(_flips(threshold)), between, escape(_source(threshold.vary))
            )
        out.print(table)
    if result.drivers:
        out.print("\n[bold]What it hangs on[/]")
        table = _table(None, "decides", "rank r", "input", "range from", right=("decides", "rank r"))
        for driver in result.drivers:
            said = driver.source.removeprefix(driver.basis).lstrip(":;, ")
            decides = "-" if driver.total_index is None else f"{driver.total_index:.2f}"
            rank = "-" if driver.rank_correlation is None else f"{driver.rank_correlation:+.2f}"
            table.add_row(decides, rank, driver.name, escape(f"{driver.basis}: {said}"))
        out.print(table)
        out.print(
            "[dim]decides: share of the verdict's variance that the input could still leave were all others known"
            f" (total Sobol index, without correlations); rank r: with {escape(result.drivers_of)}"
        )
    if result.companions:
        out.print("\n[bold]Beside it")
        levels = sorted({level for one in result.companions for level in one.quantiles})
        names = [f"p{100 * level:02g}" for level in levels]
        table = _table(None, *names, "mean", "quantity", right=(*names, "mean"))
        for companion in result.companions:
            infinite = companion.infinite_rows / max(companion.rows, 1)
            noted = f" (infinite in {infinite:.1%})" if companion.infinite_rows else ""
            cells = [short(companion.quantiles.get(level)) for level in levels]
            table.add_row(*cells, short(companion.mean), escape(companion.name + noted))
        out.print(table)
    for side, findings in (("for", result.evidence_for), ("against", result.evidence_against)):
        out.print(f"\n[bold]Evidence {side}")
        for finding in findings:
            out.print(f"- {escape(finding.says)} [dim]\\[{escape(finding.source)}]")
    out.print()


def _flips(threshold: ThresholdResult) -> str:
    if not threshold.flips:
        return "throughout" if threshold.throughout else "nowhere"
    return threshold.where()


def _source(name: str) -> str:
    variable = declared().get(name)
    if variable is None:
        return ""
    computed = variable.source == "computed"
    return variable.unit if computed else f"{variable.unit}; {variable.basis}: {variable.source}"


def claims_total(results: Sequence[ClaimResult], seconds: float) -> None:
    """All claims on one page, and the time they took."""
    out = _console()
    table = _table("Claims", "P(true)", "± s.e.", "claim", "turned by", right=("P(true)", "± s.e."))
    for result in results:
        one = result.headline
        table.add_row(
            f"{one.probability:.4f}", f"{one.standard_error:.1g}", result.id, ", ".join(result.turned_by) or "-"
        )
    out.print(table)
    scenarios = sum(result.samples for result in results)
    count = f"{len(results)} claims" if len(results) != 1 else "1 claim"
    out.print(f"{count}, {scenarios:,} scenarios, {seconds:.1f} s. P is a share of the ranges drawn, not a forecast.")


def reference_page(frame: pl.DataFrame) -> None:
    """The reference scenario's main figures and the decision."""
    out = _console()
    row = frame.row(0, named=True)
    out.rule("[bold]The reference scenario", align="left")
    out.print(
        "A frontier lab of 2026 that considers one N3 inference chip with a design partner. It was chosen to lie near "
        "the break-even, so that every input's effect is visible; that it pays is no evidence that building pays.\n"
    )
    for title, names in _REFERENCE.items():
        table = _table(title, "figure", "value", "unit", "what it is", right=("value",))
        for name in names.split():
            variable = declared()[name]
            table.add_row(name, figure(row[name]), _unit(variable.unit), escape(variable.meaning))
        out.print(table)
        out.print()
    probability = row["build_npv_positive_probability"]
    if row["decision"] is not None and probability is not None:
        out.print(
            f"[bold]{str(row['decision']).capitalize()}[/]: {row['decision_margin_usd'] / 1e6:,.1f} M USD better "
            f"than to {row['decision_runner_up']}, with a chance of {probability:.3f} that building pays. It turns at "
            f"{figure(row['build_breakeven_units_per_year'])} units a year."
        )
    if row.get("invalid_reason"):
        out.print(escape(row["invalid_reason"]))
    out.print("[dim]Where every value comes from: tapeout resolve --reference, tapeout explain reference build_npv_usd")


def _unit(unit: str) -> str:
    return "" if unit in ("1", "date") else unit


def scenarios(frame: pl.DataFrame, names: Sequence[str], row_id: str | None) -> None:
    """Outputs down, scenarios across."""
    out = _console()
    shown = frame.head(_SHOWN_SCENARIOS)
    heads = [str(value) for value in shown[row_id]] if row_id else [f"row {row}" for row in range(shown.height)]
    table = _table(None, "output", "unit")
    for head in heads:
        table.add_column(escape(head), justify="right", overflow="fold")
    for name in names:
        unit = _unit(declared()[name].unit) if name in declared() else ""
        table.add_row(name, unit, *(escape(figure(value)) for value in shown[name]))
    out.print(table)
    if frame.height > shown.height:
        out.print(f"and {frame.height - shown.height:,} more rows: -o FILE writes them all")


def timeline(scenarios: pl.DataFrame, found: pl.DataFrame, row_id: str | None) -> None:
    """Of each scenario shown the outputs down, months across."""
    out = _console()
    shown = scenarios.head(SHOWN_TIMELINES)
    names = [name for name in found.columns if name not in scenarios.columns and name != "month"]
    per_scenario = found.height // max(shown.height, 1)
    for row in range(shown.height):
        head = str(shown[row_id][row]) if row_id else f"row {row}"
        rows = found.slice(row * per_scenario, per_scenario)
        for months in rows.iter_slices(_MONTHS_ACROSS):
            title = head if scenarios.height > 1 else None
            across = [str(month) for month in months["month"]]
            table = _table(title, "month", *across, right=across)
            for name in names:
                table.add_row(name, *(short(value, 3) for value in months[name]))
            out.print(table)
            out.print()
    out.print("[dim]Month 0 begins at the decision; what is so far is at the end of the month.")
    if scenarios.height > shown.height:
        out.print(f"and {scenarios.height - shown.height:,} more rows: -o FILE writes them all")


def summary(sweep: Sweep, found: Summary, axes: Sequence[str], correlations: bool) -> None:
    """What a sweep's scenarios say together."""
    out = _console()
    grid = " × ".join(f"{len(values)} {name}" for name, values in sweep.grid.items())
    cells = f"{grid} × " if grid else ""
    out.print(
        f"{sweep.rows:,} scenarios: {cells}{sweep.samples:,} samples of {len(sweep.uncertain)} uncertain inputs\n"
    )
    shares = [name for name in found.table.columns if name.startswith("p") and name[1:].replace("_", "").isdigit()]
    spread = ["mean", "± s.e.", "sd", *shares]
    # Without axes an output is a line, with them it is a table of cells.
    parts = found.table.partition_by("output", maintain_order=True) if axes else [found.table]
    for part in parts:
        name = part["output"][0]
        condition = name not in declared()
        heads = ["probability", "± s.e."] if axes and condition else spread
        unit = "" if condition else _unit(declared()[name].unit)
        title = f"{name} [{unit}]" if unit else name
        table = _table(title if axes else None, *(axes or ["output"]), *heads, *([] if axes else ["unit"]), right=heads)
        for line in part.iter_rows(named=True):
            output = declared().get(line["output"])
            figures = [short(line["mean"]), short(line["standard_error"], 2)]
            if heads is spread:
                # Of a condition the mean is its probability, and a spread says no more.
                figures += [short(line[one]) if output else "" for one in ("sd", *shares)]
            nulls = f" null on {line['nulls']:,}" if line["nulls"] else ""
            if axes:
                table.add_row(*(short(line[name]) for name in axes), *figures, *([nulls] if nulls else []))
            else:
                table.add_row(line["output"], *figures, (_unit(output.unit) if output else "probability") + nulls)
        out.print(table)
        out.print()
    if not correlations:
        return
    rho = found.correlations.filter(pl.col("correlation").is_not_null())
    group = [*axes, "output"]
    strongest = rho.group_by(group, maintain_order=True).head(_SHOWN_INPUTS)
    shown = _table("What it moves with (Pearson)", *axes, "output", "r", "input", right=("r",))
    for line in strongest.iter_rows(named=True):
        shown.add_row(
            *(short(line[name]) for name in axes), line["output"], f"{line['correlation']:+.2f}", line["input"]
        )
    out.print(shown)


def compared(found: Comparison, a: str, b: str) -> None:
    """What moved the output from a to b. The figures shown sum to the difference shown."""
    out = _console()
    table = found.table.filter(pl.col("contribution") != 0)
    unit = _unit(declared()[found.output].unit)
    out.print(f"[bold]{escape(found.output)}{escape(f' [{unit}]') if unit else ''}")
    heads = ("contribution", "± s.e.", "share") if found.orders else ("contribution", "share")
    shown = _table(None, *heads, "input", "from", "to", right=heads)
    sizes = [found.before, found.after, *table["contribution"]]
    unit_size = _unit_size(max(map(abs, sizes)))
    decimals = max(0, -round(math.log10(unit_size)))
    before, after = (round(end / unit_size) for end in (found.before, found.after))
    steps = _apportioned([part / unit_size for part in table["contribution"]], after - before)

    def text(units: int) -> str:
        return f"{units * unit_size:,.{decimals}f}"

    blank = [""] * (len(heads) - 1)
    shown.add_row(text(before), *blank, f"[bold]A[/] {escape(a)}", "", "")
    for step, line in zip(steps, table.iter_rows(named=True), strict=True):
        error = [f"{line['standard_error']:,.{decimals}f}"] if found.orders else []
        share = "-" if line["share"] is None else f"{line['share']:.1%}".replace("-0.0%", "0.0%")
        ends = (escape(line[end] or "not given") for end in ("from", "to"))
        shown.add_row(f"{'+' if step > 0 else ''}{text(step)}", *error, share, line["input"], *ends)
    shown.add_row(text(after), *blank, f"[bold]B[/] {escape(b)}", "", "")
    shown.add_row(f"{'+' if after > before else ''}{text(after - before)}", *blank, "difference", "", "", style="bold")
    out.print(shown)
    unmoved = found.table.height - table.height
    if unmoved:
        out.print(f"{unmoved} more {'input differs' if unmoved == 1 else 'inputs differ'} and moved nothing.")
    how = f"{found.orders:,} random orders" if found.orders else "all orders"
    out.print(f"[dim]Contribution: what the input moves, as the mean over {how} of changing them one by one.")


def _unit_size(largest: float) -> float:
    """The last digit of a column of figures: five digits of the largest, all of them before the point."""
    return 1.0 if not largest or largest >= 1e4 else 10.0 ** (math.floor(math.log10(largest)) - 4)


def _apportioned(parts: Sequence[float], whole: int) -> list[int]:
    """The parts as whole numbers that sum to the whole: rounded down, then up where most was cut (Hamilton)."""
    found = [math.floor(part) for part in parts]
    by_cut = sorted(range(len(parts)), key=lambda i: found[i] - parts[i])
    missing = whole - sum(found)
    for i in by_cut[:missing] if missing >= 0 else by_cut[missing:]:
        found[i] += 1 if missing > 0 else -1
    return found


def sensitivity(sweep: Sweep, found: pl.DataFrame) -> None:
    """What each output hangs on."""
    out = _console()
    runs = len(set(found["input"])) + 2
    out.print(f"{sweep.samples * runs:,} scenarios: {sweep.samples:,} samples, {runs} times\n")
    numbers = ("alone", "± 95 %", "in all", "± 95 % ")
    table = _table("Share of the output's variance", "output", *numbers, "input", right=numbers)
    for (output,), rows in found.group_by("output", maintain_order=True):
        for k, line in enumerate(rows.iter_rows(named=True)):
            shares = []
            for one in ("first", "total"):
                share = line[one]
                wide = None if share is None else (line[f"{one}_high"] - line[f"{one}_low"]) / 2
                shares += ["-", ""] if share is None or wide is None else [f"{share:.3f}", f"{wide:.3f}"]
            table.add_row("" if k else escape(str(output)), *shares, line["input"])
    out.print(table)
    out.print("[dim]Alone: what knowing the input would remove. In all: what only it could still leave.")


def screen(sweep: Sweep, found: pl.DataFrame) -> None:
    """What each output hangs on, at a first look."""
    out = _console()
    numbers = ("at most", "slope")
    table = _table("Share of the output's variance, at most", "output", *numbers, "unit", "input", right=numbers)
    for (output,), rows in found.group_by("output", maintain_order=True):
        unit = _unit(declared()[str(output)].unit)
        for k, line in enumerate(rows.iter_rows(named=True)):
            share = "-" if line["total_at_most"] is None else f"{line['total_at_most']:.3f}"
            table.add_row("" if k else str(output), share, short(line["slope"]), unit, line["input"])
    out.print(table)
    out.print(f"[dim]Slope: for one standard deviation of the input. Of {len(sweep.uncertain)} inputs, by derivatives.")


def resolved(found: pl.DataFrame) -> None:
    """Where every value comes from."""
    table = _table(None, "variable", "from", "rows", "value", "unit", "source", right=("rows",))
    table.columns[0].no_wrap = True
    for line in found.iter_rows(named=True):
        origin = f"{line['origin']} {line['detail']}" if line["origin"] in ("model", "catalog") else line["origin"]
        told = {"caller": "", "computed": ""}.get(line["basis"], f"{line['basis']}: {line['source']}")
        source = line["detail"] if line["origin"] == "missing" else told if line["source"] else ""
        table.add_row(
            line["variable"], origin, f"{line['rows']:,}", line["value"] or "", _unit(line["unit"]), escape(source)
        )
    _console().print(table)


def explanation(found: Explanation) -> None:
    """The tree behind one number."""
    out = _console()
    out.print(found if out.is_terminal else found.text(), markup=False, soft_wrap=not out.is_terminal)


def variables(found: pl.DataFrame) -> None:
    """Variables with unit, default, bounds, meaning and source."""
    table = _table(None, "variable", "unit", "default", "bounds", "what it is")
    table.columns[0].no_wrap = True
    for line in found.iter_rows(named=True):
        bounds = f"{_bound(line['low'])} to {_bound(line['high'])}"
        if line["kind"] == "choice":
            bounds = ", ".join(line["choices"])
        elif line["kind"] in ("boolean", "date", "key"):
            bounds = line["kind"]
        origin = (
            f"catalog {KEYS[line['name']].catalog}" if line["role"] == "key" else f"{line['role']} of {line['model']}"
        )
        source = (
            f" {line['basis']}: {line['source']}." if line["role"] == "input" and line["default"] is not None else ""
        )
        meaning = f"{line['meaning']} [{origin}]{source}"
        table.add_row(line["name"], _unit(line["unit"]), line["default"] or "", bounds, escape(meaning))
    _console().print(table)


def calibration(found: Calibration) -> None:
    """A fit: its errors, in and out of sample, and its constants beside the declared ones."""
    console = _console()
    right = ("rows", "median %", "mean %", "bias %", "within 25 %")
    errors = _table("Errors of predictions", "output", "predicted by", *right, right=right)
    for line in found.errors.iter_rows(named=True):
        bias = math.expm1(line["bias"])
        shares = (line["median"], line["mean"], bias, line["within_quarter"])
        errors.add_row(line["output"], line["predicted"], f"{line['rows']:,}", *(f"{100 * x:.1f}" for x in shares))
    console.print(errors)
    constants = _table("Constants", "constant", "fitted", "declared", "unit", right=("fitted", "declared"))
    for name, value in found.fit.values.items():
        variable = declared()[name]
        constants.add_row(name, f"{value:.4g}", f"{variable.default:.4g}", variable.unit)
    console.print(constants)
    scales = found.entries.filter(pl.col("variable").str.ends_with("_scale") & (pl.col("value") != 1))
    if scales.height:
        table = _table("Groups with a scale of their own", "entry", "constant", "measured / predicted", right=())
        for line in scales.iter_rows(named=True):
            table.add_row(line["name"], line["variable"], f"{line['value']:.3f}")
        console.print(table)


def catalogs(numbers: Mapping[str, pl.DataFrame]) -> None:
    """The catalogs and how much is in them."""
    table = _table(None, "catalog", "entries", "numbers", "newest", "keys", right=("entries", "numbers"))
    for kind, frame in numbers.items():
        keys = ", ".join(name for name, key in KEYS.items() if key.catalog == kind)
        table.add_row(kind, str(frame["name"].n_unique()), str(frame.height), str(frame["date"].max() or "-"), keys)
    _console().print(table)


def entries(kind: str, numbers: pl.DataFrame) -> None:
    """The entries of a catalog."""
    table = _table(None, kind, "newest", "variables")
    for (name,), rows in numbers.group_by("name", maintain_order=True):
        table.add_row(str(name), str(rows["date"].max()), ", ".join(rows["variable"]))
    _console().print(table)


def entry(numbers: pl.DataFrame) -> None:
    """The numbers of an entry, with their sources."""
    table = _table(numbers["name"][0], "variable", "value", "unit", "date", "basis", "source", right=("value",))
    for line in numbers.iter_rows(named=True):
        row = (line["variable"], f"{line['value']:.6g}", line["unit"], str(line["date"]), line["basis"])
        table.add_row(*row, escape(line["source"]))
    _console().print(table)
