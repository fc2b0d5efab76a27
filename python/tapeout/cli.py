"""The command line; `tapeout --help` lists the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    import datetime

    import polars as pl

    from tapeout import Sweep
    from tapeout._claim_result import ClaimResult

app = typer.Typer(
    help="Economics of AI compute: training, serving and own chips, over millions of scenarios.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# Below this an answer is there in about a second, so slices and a progress bar would only cost.
_SLICED_FROM_ROWS = 1_000_000
_SLICE_ROWS = 262_144
# What a shell expects of a program that Ctrl-C has ended.
_INTERRUPTED = 130

File = Annotated[Path | None, typer.Argument(metavar="FILE", help="CSV, Parquet, JSON lines, or TOML of one scenario.")]
Reference = Annotated[bool, typer.Option("--reference", help="The reference scenario instead of FILE.")]
Outputs = Annotated[str | None, typer.Option(help="Names of variables or models, separated by commas.")]
Assume = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A value for all rows; may be repeated.")]
AsOf = Annotated[str | None, typer.Option(metavar="DATE", help="The newest catalog numbers not later than this.")]
Catalog = Annotated[str | None, typer.Option(metavar="FOLDER", help="Your own catalog entries, which win by name.")]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="FILE", help="Written by its suffix; without it a table is printed."),
]
Id = Annotated[str | None, typer.Option(metavar="COLUMN", help="Names rows in errors.")]
Strict = Annotated[bool, typer.Option("--strict/--no-strict", help="Refuse columns that are nearly variables.")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"tapeout {version('tapeout')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


def _date(text: str | None) -> datetime.date | None:
    import datetime

    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"--as-of {text}: a date as 2026-11-22 is wanted") from None


def _assumptions(pairs: list[str] | None) -> dict[str, Any]:
    from tapeout.files import parse

    return {name: parse(name, text) for name, text in _pairs(pairs, "--assume").items()}


def _pairs(pairs: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"{option} {pair}: NAME=VALUE is wanted")
        found[name.strip()] = text.strip()
    return found


def _names(outputs: str | None) -> list[str] | None:
    return None if outputs is None else [name.strip() for name in outputs.split(",") if name.strip()]


def _format(path: Path, option: str) -> str:
    from tapeout import InvalidInput
    from tapeout.files import format_of

    try:
        return format_of(path)
    except InvalidInput as error:
        raise typer.BadParameter(f"{option} {error}") from None


def _source(file: Path | None, reference: bool) -> Path | None:
    if reference == (file is not None):
        raise typer.BadParameter("FILE or --reference is wanted, one of the two")
    if file is not None:
        _format(file, "FILE")
    return file


@app.command()
def claims(
    claim: Annotated[str | None, typer.Argument(metavar="ID", help="One claim; all of them without it.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Scenarios for each claim.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and samples, same numbers.")] = 1,
) -> None:
    """Weigh the claims: chance of being true, what would have to be true, what it hangs on."""
    import time

    from tapeout import _claims, report

    started = time.monotonic()
    pages: dict[str, str] = {}

    def laid_out(result: ClaimResult) -> None:
        pages[result.id] = report.claim_page(result)

    with report.progress("scenarios") as advance:
        asked = None if claim is None else [claim]
        results = _claims.run_all(asked, samples=samples, seed=seed, progress=advance, told=laid_out)
    for result in results:
        sys.stdout.write(pages[result.id])
    report.claims_total(results, time.monotonic() - started)


@app.command()
def evaluate(
    file: File = None,
    out: Out = None,
    reference: Reference = False,
    outputs: Outputs = None,
    assume: Assume = None,
    as_of: AsOf = None,
    on_invalid: Annotated[Literal["raise", "null"], typer.Option(help="null: no outputs on bad rows.")] = "raise",
    catalog: Catalog = None,
    strict: Strict = True,
    id: Id = None,
) -> None:
    """Append outputs to a file of scenarios, one a row."""
    import tapeout
    from tapeout import files, report

    source = _source(file, reference)
    out_format = None if out is None else _format(out, "-o")
    names, given = _names(outputs), _assumptions(assume)
    options: dict[str, Any] = {
        "assume": given, "catalog": catalog, "as_of": _date(as_of), "on_invalid": on_invalid, "strict": strict, "id": id
    }  # fmt: skip
    # Read whether or not it is written: so a catalog that is not there is an error although no key names an entry.
    metadata = files.provenance(given, catalog, options["as_of"])
    if source is not None and out is not None and source.suffix.lower() == out_format == ".parquet":
        _stream(source, out, metadata, lambda rows: tapeout.evaluate(rows, names, **options))
        return
    frame = tapeout.reference() if source is None else files.read(source)
    if source is None and out is None and names is None:
        report.reference_page(tapeout.evaluate(frame, report.REFERENCE_OUTPUTS, **options))
        return
    frame = _sliced(frame, lambda rows: tapeout.evaluate(rows, names, **options))
    if out is not None:
        files.write(frame, out, metadata)
    else:
        from tapeout.declarations import output_names

        extra = [name for name in ("invalid_reason",) if name in frame.columns and on_invalid == "null"]
        report.scenarios(frame, [*output_names(names), *extra], id)


@app.command()
def gradient(
    of: Annotated[str, typer.Option(help="Names of outputs or models, separated by commas.")],
    file: File = None,
    wrt: Annotated[str | None, typer.Option(help="Names of inputs; all that are read without it.")] = None,
    elasticities: Annotated[bool, typer.Option("--elasticities", help="Per cent for one per cent.")] = False,
    out: Out = None,
    reference: Reference = False,
    assume: Assume = None,
    as_of: AsOf = None,
    catalog: Catalog = None,
    strict: Strict = True,
    id: Id = None,
) -> None:
    """Append exact derivatives of outputs by inputs to a file of scenarios."""
    import tapeout

    options: dict[str, Any] = {
        "elasticities": elasticities, "assume": _assumptions(assume), "catalog": catalog, "as_of": _date(as_of),
        "strict": strict, "id": id,
    }  # fmt: skip
    outputs, by = _names(of) or [], _names(wrt)
    _append(file, reference, out, options, lambda frame: tapeout.gradient(frame, outputs, by, **options))


@app.command()
def solve(
    variable: Annotated[str, typer.Option(help="What is solved for.")],
    target: Annotated[str, typer.Option(help="What should equal the number.")],
    file: File = None,
    equals: Annotated[str, typer.Option(metavar="NUMBER|COLUMN", help="The number, or a column of numbers.")] = "0",
    between: Annotated[str | None, typer.Option(metavar="LOW,HIGH", help="Where to look.")] = None,
    out: Out = None,
    reference: Reference = False,
    assume: Assume = None,
    as_of: AsOf = None,
    catalog: Catalog = None,
    strict: Strict = True,
    id: Id = None,
) -> None:
    """Find on each row the value of a variable at which a target equals a number, or why there is none."""
    import tapeout

    try:
        number: float | str = float(equals)
    except ValueError:
        number = equals
    options: dict[str, Any] = {
        "equals": number, "between": _between(between), "assume": _assumptions(assume), "catalog": catalog,
        "as_of": _date(as_of), "strict": strict, "id": id,
    }  # fmt: skip
    shown = [variable, f"{variable}_solved", f"{variable}_roots"]
    _append(file, reference, out, options, lambda frame: tapeout.solve(frame, variable, target, **options), shown)


@app.command()
def compare(
    a: Annotated[str | None, typer.Argument(metavar="A", help="A file of one scenario, or `reference`.")] = None,
    b: Annotated[str | None, typer.Argument(metavar="B", help="The other; A with --set without it.")] = None,
    output: Annotated[str | None, typer.Option(help="The number that is compared.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Changes B; no VALUE: not given. May be repeated."),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="NAME=INPUTS", help="Inputs that change together; may be repeated.")
    ] = None,
    orders: Annotated[int, typer.Option(help="Random orders, where more than a dozen inputs differ.")] = 4096,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same orders.")] = 0,
    out: Out = None,
    assume: Assume = None,
    as_of: AsOf = None,
    catalog: Catalog = None,
    strict: Strict = True,
) -> None:
    """Say what moved an output between two scenarios, input by input, summing to the difference."""
    from tapeout import files, report
    from tapeout._compare import compared

    if a is None:
        raise typer.BadParameter("A is wanted: a file of one scenario, or reference")
    if output is None:
        raise typer.BadParameter("--output is wanted: the number that is compared")
    if out is not None:
        _format(out, "-o")
    options: dict[str, Any] = {
        "assume": _assumptions(assume), "catalog": catalog, "as_of": _date(as_of), "strict": strict
    }  # fmt: skip
    metadata = files.provenance(options["assume"], catalog, options["as_of"])
    changes = _pairs(set_, "--set")
    first = _scenario(a)
    second = None if b is None else _scenario(b)
    if second is None and first.height == 2 and not changes:
        names = [f"{Path(a).name} row 0", f"{Path(a).name} row 1"]
        first, second = first[:1], first[1:]
    else:
        if second is None and not changes:
            raise typer.BadParameter("B or --set NAME=VALUE is wanted: what A is compared with")
        # Paths only where the names do not tell them apart: they are long.
        names = [a, b] if b is not None and Path(a).name == Path(b).name else [Path(a).name, Path(b or a).name]
        if changes:
            names[1] += f" with {', '.join(changes) if len(changes) == 1 else f'{len(changes)} changes'}"
        second = _changed(first if second is None else second, changes)
    found = compared(first, second, output, groups=_input_groups(group), orders=orders, seed=seed, **options)
    if out is not None:
        files.write(found.table, out, metadata)
    else:
        report.compared(found, names[0], names[1])


def _scenario(name: str) -> pl.DataFrame:
    import tapeout
    from tapeout import files

    if name == "reference":
        return tapeout.reference()
    _format(Path(name), "FILE")
    return files.read(Path(name))


def _changed(frame: pl.DataFrame, changes: dict[str, str]) -> pl.DataFrame:
    """The frame with values that a person typed; none where nothing stands behind the sign."""
    import polars as pl

    from tapeout import InvalidInput
    from tapeout.declarations import KEYS, declared, did_you_mean
    from tapeout.files import parse

    for name, text in changes.items():
        if name not in declared() and name not in KEYS:
            raise InvalidInput(f"--set {name}: not a variable{did_you_mean(name, [*declared(), *KEYS])}")
        frame = frame.with_columns(pl.lit(parse(name, text) if text else None).alias(name))
    return frame


def _between(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--between {text}: two numbers as 1000,50000 are wanted") from None
    return low, high


@app.command()
def timeline(
    file: File = None,
    out: Out = None,
    reference: Reference = False,
    outputs: Outputs = None,
    months: Annotated[
        str | None, typer.Option(metavar="MONTHS", help="As 0-119 or 11,23,35; all without it, printed a few.")
    ] = None,
    assume: Assume = None,
    as_of: AsOf = None,
    catalog: Catalog = None,
    strict: Strict = True,
    id: Id = None,
) -> None:
    """Write scenarios month by month: each row of the file once for every month."""
    import tapeout
    from tapeout import _timeline, files, report

    source = _source(file, reference)
    out_format = None if out is None else _format(out, "-o")
    given = _assumptions(assume)
    options: dict[str, Any] = {"assume": given, "catalog": catalog, "as_of": _date(as_of), "strict": strict, "id": id}
    metadata = files.provenance(given, catalog, options["as_of"])
    asked = list(range(120)) if months is None else _months(months)
    names = _names(outputs)
    if source is not None and out is not None and source.suffix.lower() == out_format == ".parquet":
        first = files.read(source, rows=1)
        named = names or _timeline.computable(first, given, catalog, options["as_of"], strict)
        _stream(
            source,
            out,
            metadata,
            lambda rows: tapeout.timeline(rows, named, months=asked, **options),
            rows_for_each=len(asked),
        )
        return
    frame = tapeout.reference() if source is None else files.read(source)
    if out is not None:
        files.write(tapeout.timeline(frame, names, months=asked, **options), out, metadata)
    else:
        shown = report.SHOWN_MONTHS if months is None else asked
        report.timeline(frame, tapeout.timeline(frame.head(report.SHOWN_TIMELINES), names, months=shown, **options), id)


def _months(text: str) -> list[int]:
    found: list[int] = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            found += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError:
        raise typer.BadParameter(f"--months {text}: whole numbers as 11,23,35 or 0-119 are wanted") from None
    return found


def _append(
    file: Path | None,
    reference: bool,
    out: Path | None,
    options: dict[str, Any],
    work: Callable[[pl.DataFrame], pl.DataFrame],
    shown: list[str] | None = None,
) -> None:
    """The work's frame, written to a file; or the columns `shown`, by default all that it adds, printed."""
    import tapeout
    from tapeout import files, report

    source = _source(file, reference)
    if out is not None:
        _format(out, "-o")
    metadata = files.provenance(options["assume"], options["catalog"], options["as_of"])
    before = tapeout.reference() if source is None else files.read(source)
    after = work(before)
    if out is not None:
        files.write(after, out, metadata)
    else:
        added = [name for name in after.columns if name not in before.columns]
        report.scenarios(after, shown or added, options["id"])


def _stream(
    source: Path,
    out: Path,
    metadata: dict[str, str],
    work: Callable[[pl.LazyFrame], pl.LazyFrame],
    rows_for_each: int = 1,
) -> None:
    import threading

    from tapeout import files, report

    rows = files.rows_of_parquet(source) * rows_for_each
    done, lock = 0, threading.Lock()
    with report.progress("rows") as advance:

        def computed(batch: int) -> None:
            nonlocal done
            with lock:
                done += batch
                advance(done, rows)

        files.stream(source, out, metadata, work, computed)


def _sliced(frame: pl.DataFrame, work: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    from tapeout import InvalidInput, report

    if frame.height < _SLICED_FROM_ROWS:
        return work(frame)
    parts = []
    try:
        with report.progress("rows") as advance:
            for part in frame.iter_slices(_SLICE_ROWS):
                parts.append(work(part))
                advance(sum(part.height for part in parts), frame.height)
    except InvalidInput:
        # All at once, the message counts the bad rows of the whole file and names its own row.
        return work(frame)
    return pl.concat(parts)


@app.command()
def resolve(
    file: File = None,
    reference: Reference = False,
    outputs: Outputs = None,
    assume: Assume = None,
    as_of: AsOf = None,
    catalog: Catalog = None,
    strict: Strict = True,
) -> None:
    """Say where every value comes from: column, assumption, catalog, model or default."""
    import tapeout
    from tapeout import files, report

    source = _source(file, reference)
    given, date = _assumptions(assume), _date(as_of)
    frame = tapeout.reference() if source is None else files.read(source)
    found = tapeout.resolve(frame, _names(outputs), assume=given, catalog=catalog, as_of=date, strict=strict)
    report.resolved(found)


@app.command()
def explain(
    source: Annotated[
        str, typer.Argument(metavar="FILE|reference", help="A file of scenarios, or the reference scenario.")
    ],
    output: Annotated[str, typer.Argument(help="The number to explain: a variable.")],
    row: Annotated[int | None, typer.Option(min=0, help="Which scenario, from 0.")] = None,
    id: Annotated[str | None, typer.Option(metavar="COLUMN=VALUE", help="The scenario that has it.")] = None,
    depth: Annotated[int | None, typer.Option(min=0, help="How far below the output.")] = None,
    at_least: Annotated[
        float, typer.Option("--at-least", min=0.0, help="Only what moves the output by so many per cent per per cent.")
    ] = 0.0,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid flowchart.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, a line a variable; all of them.")] = False,
    assume: Assume = None,
    as_of: AsOf = None,
    catalog: Catalog = None,
    strict: Strict = True,
) -> None:
    """Show the tree behind one number: values, equations and sources, down to the inputs."""
    import polars as pl

    import tapeout
    from tapeout import files, report

    if mermaid and csv:
        raise typer.BadParameter("--mermaid or --csv, one of the two")
    given, date = _assumptions(assume), _date(as_of)
    if source == "reference":
        frame = tapeout.reference()
    else:
        _format(Path(source), "FILE")
        frame = files.read(Path(source))
    found = tapeout.explain(
        _one_row(frame, row, id), output, assume=given, catalog=catalog, as_of=date, strict=strict, depth=depth,
        at_least=at_least,
    )  # fmt: skip
    if mermaid:
        typer.echo(found.mermaid(), nl=False)
    elif csv:
        table = found.frame().with_columns(pl.col("read_by").list.join(" "))
        typer.echo(table.write_csv(), nl=False)
    else:
        report.explanation(found)


def _one_row(frame: pl.DataFrame, row: int | None, row_id: str | None) -> pl.DataFrame:
    """The scenario that is meant."""
    import polars as pl

    from tapeout import InvalidInput

    if row is not None and row_id is not None:
        raise typer.BadParameter("--row or --id, one of the two")
    if row_id is not None:
        column, equals, value = row_id.partition("=")
        if not equals:
            raise typer.BadParameter(f"--id {row_id}: COLUMN=VALUE is wanted")
        if column not in frame.columns:
            raise InvalidInput(f"--id {row_id}: no column {column}")
        found = frame.filter(pl.col(column).cast(pl.String) == value)
        if found.height != 1:
            raise InvalidInput(f"--id {row_id}: {found.height} rows have it, one is wanted")
        return found
    if row is None and frame.height > 1:
        raise InvalidInput(f"{frame.height} scenarios: --row N or --id COLUMN=VALUE says which")
    if frame.height <= (row or 0):
        raise InvalidInput(f"--row {row or 0}: the file has {frame.height} rows, counted from 0")
    return frame[row or 0]


Spec = Annotated[
    str | None, typer.Argument(metavar="SPEC", help="A sweep's TOML file, or a claim: the scenarios that weigh it.")
]
Samples = Annotated[int | None, typer.Option(min=1, help="Scenarios a grid cell, instead of the file's.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Same seed, same scenarios; instead of the file's.")]


def _sweep(spec: str | None, samples: int | None, seed: int | None, assume: list[str] | None) -> Sweep:
    from tapeout import InvalidInput, Sweep
    from tapeout._claim_card import load

    if spec is None:
        raise typer.BadParameter("SPEC is wanted: a sweep's TOML file, or a claim")
    if spec in load():
        found = Sweep.from_claim(spec, samples=65_536)
    elif Path(spec).exists() or spec.endswith(".toml"):
        found = Sweep.from_toml(spec)
    else:
        raise InvalidInput(f"{spec}: neither a file nor a claim; the claims are {', '.join(load())}")
    asked = {"samples": samples, "seed": seed}
    changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if given := _assumptions(assume):
        # What is assumed is no longer swept.
        changes |= {
            name: {key: value for key, value in getattr(found, name).items() if key not in given}
            for name in ("grid", "uncertain", "derive")
        }
        changes["assume"] = found.assume | given
        changes["correlate"] = {pair: rho for pair, rho in found.correlate.items() if not set(pair) & set(given)}
    return found.replace(**changes)


def _conditions(pairs: list[str] | None) -> dict[str, str]:
    found = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            raise typer.BadParameter(f'--where {pair}: NAME=CONDITION is wanted, such as "pays=build_npv_usd > 0"')
        found[name.strip()] = text.strip()
    return found


@app.command()
def sweep(
    spec: Spec = None,
    outputs: Outputs = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=CONDITION", help="Counts a condition on the outputs; may be repeated."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Grid axes, separated by commas; all of them without it.")] = None,
    quantiles: Annotated[str, typer.Option(help="Shares from 0 to 1, separated by commas.")] = "0.05,0.5,0.95",
    correlations: Annotated[bool, typer.Option("--correlations", help="What each output moves with.")] = False,
    assume: Assume = None,
    samples: Samples = None,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="PATH",
            help="A folder: the scenarios as Parquet files, begun again where they were left. A file: the summary.",
        ),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the file, for editors.")] = False,
) -> None:
    """Summarise the scenarios of a sweep, or write them to a folder."""
    import json

    from tapeout import Sweep, files, report

    if schema:
        typer.echo(json.dumps(Sweep.schema(), indent=1, ensure_ascii=False))
        return
    found = _sweep(spec, samples, seed, assume)
    names = _names(outputs)
    if out is not None and not out.suffix:
        with report.progress("rows") as advance:
            parts = found.to_parquet(out, names, progress=advance)
        typer.echo(f"{found.rows:,} scenarios in {len(parts)} files: {out}")
        return
    out_format = None if out is None else _format(out, "-o")
    axes = list(found.grid) if by is None else _names(by) or []
    shares = [_share(text) for text in _names(quantiles) or []]
    conditions = _conditions(where)
    with report.progress("rows") as advance:
        summary = found.summary(
            [] if names is None and conditions else names, by=axes, quantiles=shares, where=conditions,
            correlations=correlations, progress=advance,
        )  # fmt: skip
    if out is not None and out_format is not None:
        files.write(summary.table, out, {"tapeout": "summary", "sweep_sha256": found.digest})
    else:
        report.summary(found, summary, axes, correlations)


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"--quantiles {text}: numbers such as 0.05,0.5 are wanted") from None


@app.command()
def sensitivity(
    spec: Spec = None,
    of: Annotated[
        str | None, typer.Option(help='Outputs, or conditions such as "build_npv_usd > 0"; by commas.')
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="NAME=INPUTS", help="Inputs that count as one; may be repeated.")
    ] = None,
    screen: Annotated[
        bool, typer.Option("--screen", help="A first look, by derivatives: a bound of each share.")
    ] = False,
    assume: Assume = None,
    samples: Samples = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Written by its suffix.")] = None,
) -> None:
    """Say what an output hangs on: each uncertain input's share of its variance."""
    import tapeout
    from tapeout import files, report

    out_format = None if out is None else _format(out, "-o")
    found = _sweep(spec, samples, seed, assume)
    asked = _names(of)
    if not asked:
        raise typer.BadParameter("--of is wanted: the outputs, or conditions on them")
    if screen and group:
        raise typer.BadParameter("--screen looks at inputs one by one: leave out --group")
    groups = _input_groups(group)
    with report.progress("rows") as advance:
        if screen:
            table = tapeout.screen(found, asked, progress=advance)
        else:
            table = tapeout.sensitivity(found, asked, groups=groups, progress=advance)
    if out is not None and out_format is not None:
        files.write(table, out, {"tapeout": "sensitivity", "sweep_sha256": found.digest})
    else:
        (report.screen if screen else report.sensitivity)(found, table)


def _input_groups(pairs: list[str] | None) -> dict[str, list[str]]:
    found = {}
    for pair in pairs or []:
        name, equals, inputs = pair.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(f"--group {pair}: NAME=INPUT,INPUT is wanted")
        found[name.strip()] = _names(inputs) or []
    return found


@app.command()
def calibrate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="What is fitted: serving.")],
    file: Annotated[
        Path, typer.Argument(metavar="MEASURED", help="Measured rows, by suffix .csv, .parquet and so on.")
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FOLDER", help="The fit as a catalog, for --catalog.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the entries are called.")] = "own",
    catalog: Catalog = None,
) -> None:
    """Fit a model's constants on measurements, with the errors on what was left out.

    A row has the inputs of serving (llm, chip, serve_engine, serve_concurrency and so on), measured_tpot_s and perhaps
    measured_ttft_s in seconds, and a group if it is not llm, chip and engine.
    """
    from tapeout import _calibrate, files, report

    if model != "serving":
        raise typer.BadParameter(f"MODEL {model}: serving is wanted, the only model with fitted constants")
    _format(file, "MEASURED")
    if out is not None and out.suffix:
        raise typer.BadParameter(f"-o {out}: a folder is wanted")
    found = _calibrate.serving(files.read(file), name, catalog=catalog)
    report.calibration(found)
    if out is None:
        typer.echo("-o FOLDER writes the entries for --catalog FOLDER and serve_calibration.")
    else:
        typer.echo(f"{_calibrate.write(found, out)}: {found.entries['name'].n_unique()} entries")


@app.command()
def variables(
    pattern: Annotated[str | None, typer.Argument(help="Part of a name, or a pattern as 'die_*_usd'.")] = None,
) -> None:
    """List the variables: unit, bounds, default, meaning, source."""
    from fnmatch import fnmatchcase

    import tapeout
    from tapeout import InvalidInput, report
    from tapeout.declarations import did_you_mean

    found = tapeout.variables()
    if pattern is not None:
        wanted = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
        found = found.filter([fnmatchcase(name, wanted) for name in found["name"]])
        if found.is_empty():
            raise InvalidInput(f"no variable matches {pattern}{did_you_mean(pattern, tapeout.variables()['name'])}")
    report.variables(found)


@app.command()
def catalog(
    kind: Annotated[str | None, typer.Argument(help="chips, llms, nodes, memories, calibrations or regions.")] = None,
    name: Annotated[str | None, typer.Argument(help="One entry.")] = None,
    as_of: AsOf = None,
    folder: Annotated[str | None, typer.Option("--catalog", metavar="FOLDER", help="Your own entries.")] = None,
) -> None:
    """List the catalogs, the entries of one, or the numbers of an entry with their sources."""
    import polars as pl

    import tapeout
    from tapeout import InvalidInput, report
    from tapeout.catalogs import KINDS
    from tapeout.declarations import did_you_mean

    date = _date(as_of)
    if kind is None:
        report.catalogs({kind: tapeout.catalog(kind, catalog=folder, as_of=date) for kind in KINDS})
        return
    numbers = tapeout.catalog(kind, catalog=folder, as_of=date)
    if name is None:
        report.entries(kind, numbers)
        return
    found = numbers.filter(pl.col("name") == name)
    if found.is_empty():
        raise InvalidInput(
            f"{name}: not an entry of {kind}{did_you_mean(name, numbers['name'].unique(maintain_order=True))}"
        )
    report.entry(found)


def main(arguments: list[str] | None = None) -> None:
    """Runs a command: exit code 0, 1 for an input that can't be used, 2 for a command line that can't."""
    try:
        code = app(args=arguments, prog_name="tapeout", standalone_mode=False)
        if code == _INTERRUPTED:
            _failed("interrupted")
    except BrokenPipeError:
        # The reader has gone (`tapeout variables | head`): nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = _failed("interrupted", _INTERRUPTED)
    except Exception as error:
        code = _exit_code(error)
    sys.exit(code if isinstance(code, int) else 0)


def _exit_code(error: Exception) -> int:
    # Errors of the command line say how to print themselves and what to exit with.
    if isinstance(getattr(error, "exit_code", None), int) and hasattr(error, "format_message"):
        message = str(error.format_message())
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(message)
        else:
            _failed(f"{message} (tapeout --help says how)")
        return int(error.exit_code)  # type: ignore[attr-defined]
    if type(error).__name__ == "Abort":
        return _failed("interrupted", _INTERRUPTED)

    from polars.exceptions import PolarsError

    from tapeout import InvalidInput
    from tapeout._claim_card import InvalidCard

    if isinstance(error, (InvalidInput, InvalidCard)):
        return _failed(str(error))
    if isinstance(error, PolarsError):
        return _failed(str(error).splitlines()[0])
    if isinstance(error, OSError):
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    if isinstance(error, MemoryError):
        return _failed(str(error) or "no memory: ask for fewer outputs, or go from Parquet to Parquet")
    raise error


def _failed(message: str, code: int = 1) -> int:
    with suppress(BrokenPipeError):
        print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
