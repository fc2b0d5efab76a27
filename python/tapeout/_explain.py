"""The tree behind one number, down to the inputs: `explain`."""

from __future__ import annotations

import datetime
import html
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import polars as pl
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tapeout import _core
from tapeout.catalogs import UserCatalog
from tapeout.catalogs import catalog as catalog_frame
from tapeout.declarations import KEYS, cited, declared, output_names, pages
from tapeout.errors import InvalidInput
from tapeout.frame import Value, _arguments, _Call, _call, _evaluate_eager, _to_polars

_WIDTH = 100
# More names than this are counted, not listed.
_LISTED = 6


class Node(NamedTuple):
    """A variable behind the number."""

    variable: str
    #: Of a choice, a date or a whole number the code; None where it is null.
    value: float | None
    #: Per cent of the output for one per cent of this, what computes this left as it is; None where there is none.
    elasticity: float | None
    #: column, assumption, catalog, model or default.
    origin: str
    #: The model, or the entry and its date.
    detail: str
    source: str
    basis: str
    #: The model's line of algebra with this row's choices, then (name, line) of what has a name only in it.
    equation: str
    local: tuple[tuple[str, str], ...]
    #: Whether the line is no algebra, and the equations of the model's file stand for it.
    in_header: bool
    #: (name, what it says of itself, its file, what that says of itself) of functions in the equation.
    functions: tuple[tuple[str, str, str, str], ...]
    #: What the line reads on this row.
    reads: tuple[str, ...]

    @property
    def model(self) -> str:
        """The model that computes it; empty where none does."""
        return self.detail if self.origin == "model" else ""

    @property
    def shown(self) -> str:
        """The value as a person reads it."""
        variable = declared()[self.variable]
        if self.value is None:
            return "null"
        if variable.kind in ("choice", "boolean", "date"):
            return variable.show(self.value)
        if math.isinf(self.value):
            return "infinite" if self.value > 0 else "-infinite"
        return f"{self.value:,.0f}" if 1e4 <= abs(self.value) < 1e15 else f"{self.value:.5g}"

    @property
    def quantity(self) -> str:
        """The same with its unit."""
        unit = declared()[self.variable].unit
        bare = unit in ("1", "date") or self.value is None or math.isinf(self.value)
        return self.shown if bare else f"{self.shown} {unit}"


class _Line(NamedTuple):
    """A line of the tree: a node and whether it stood above, or in words what is left out."""

    depth: int
    node: Node | None
    again: bool = False
    left_out: str = ""


@cache
def _shared() -> dict[str, str]:
    """The headers of files whose equations several models share."""
    return dict(_core.shared_equations())


@dataclass(frozen=True)
class Explanation:
    """The tree behind one number. Printed it is text; `frame()` and `mermaid()` have it otherwise."""

    output: str
    nodes: dict[str, Node]
    depth: int | None = None
    at_least: float = 0.0
    _weighty: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)

    def frame(self) -> pl.DataFrame:
        """All of it, one row a variable in the order of the tree.

        Columns: depth and parent (of its first place), variable, value (a number; null for choices and dates), text,
        unit, elasticity, origin, detail, model, equation, source, basis, meaning, read_by (all that read it).
        """
        read_by: dict[str, list[str]] = {name: [] for name in self.nodes}
        for node in self.nodes.values():
            for name in node.reads:
                read_by[name].append(node.variable)
        rows = []
        for node, depth, parent in self._walk():
            variable = declared()[node.variable]
            countable = variable.kind in ("number", "integer")
            lines = [node.equation, *(f"{name} = {line}" for name, line in node.local)]
            equation = pages()[node.model].equations if node.in_header else "; ".join(lines)
            rows.append(
                (depth, parent, node.variable, node.value if countable else None,
                 None if node.value is None else variable.show(node.value), variable.unit, node.elasticity,
                 node.origin, node.detail, node.model or None, equation or None, node.source, node.basis,
                 variable.meaning, read_by[node.variable])
            )  # fmt: skip
        strings = ("parent", "variable", "text", "unit", "origin", "detail", "model", "equation", "source", "basis")
        types: dict[str, Any] = dict.fromkeys(strings, pl.String) | {"meaning": pl.String, "depth": pl.Int64}
        types |= {"value": pl.Float64, "elasticity": pl.Float64, "read_by": pl.List(pl.String)}
        order = "depth parent variable value text unit elasticity origin detail model equation source basis meaning"
        return pl.DataFrame(rows, schema={name: types[name] for name in [*order.split(), "read_by"]}, orient="row")

    def _walk(self) -> Iterator[tuple[Node, int, str | None]]:
        open_nodes: list[tuple[str, int, str | None]] = [(self.output, 0, None)]
        seen = set()
        while open_nodes:
            name, depth, parent = open_nodes.pop()
            if name not in seen:
                seen.add(name)
                yield self.nodes[name], depth, parent
                open_nodes += [(read, depth + 1, name) for read in reversed(self.nodes[name].reads)]

    def _matters(self, name: str) -> bool:
        """Whether the output moves enough with it, or with something that it reads."""
        if name not in self._weighty:
            node = self.nodes[name]
            own = node.elasticity is None and node.origin == "model"
            own = own or (node.elasticity is not None and abs(node.elasticity) >= self.at_least)
            self._weighty[name] = own or any(self._matters(read) for read in node.reads)
        return self._weighty[name]

    def _shown(self, parent: Node) -> tuple[list[str], list[str]]:
        """What of its reads is shown, and what matters too little. What has no elasticity can't be judged."""
        minor = [
            name
            for name in parent.reads
            if not (self.at_least <= 0 or self._matters(name) or self.nodes[name].elasticity is None)
        ]
        return [name for name in parent.reads if name not in minor], minor

    def _lines(self) -> Iterator[_Line]:
        seen: set[str] = set()

        def lines(name: str, depth: int) -> Iterator[_Line]:
            node = self.nodes[name]
            yield _Line(depth, node, again=name in seen)
            if name in seen:
                return
            seen.add(name)
            if self.depth is not None and depth >= self.depth:
                if behind := self._behind(name):
                    yield _Line(depth + 1, None, left_out=f"… {behind} more behind it")
                return
            reads, minor = self._shown(node)
            for read in reads:
                yield from lines(read, depth + 1)
            if minor:
                yield _Line(depth + 1, None, left_out=f"… less than {self.at_least:g}: {_listed(minor)}")

        return lines(self.output, 0)

    def _behind(self, name: str) -> int:
        """How many variables lie behind one."""
        found: set[str] = set()
        open_names = [*self.nodes[name].reads]
        while open_names:
            read = open_names.pop()
            if read not in found:
                found.add(read)
                open_names += self.nodes[read].reads
        return len(found)

    def __rich__(self) -> Group:
        places: list[Tree] = []
        told: set[tuple[str, str, str]] = set()
        shown = []
        for line in self._lines():
            if line.node is None:
                places[line.depth - 1].add(Text(line.left_out, style="dim"))
                continue
            if not line.again:
                shown.append(line.node)
            label = self._label(line.node, line, told)
            del places[line.depth :]
            places.append(places[-1].add(label) if places else Tree(label, guide_style="dim"))
        return Group(places[0], *self._notes(shown))

    def _label(self, node: Node, line: _Line, told: set[tuple[str, str, str]]) -> RenderableType:
        head = Text.assemble((node.variable, "bold"), f" = {node.quantity}")
        if line.again:
            return head.append(" (above)", style="dim")
        if node.elasticity is not None and line.depth > 0:
            head.append(f" [{_elasticity(node.elasticity)}]", style="cyan")
        head.append(f"  {declared()[node.variable].meaning}", style="dim")
        if node.origin != "model":
            return Group(head, Text(_origin(node), style="dim"))
        if node.in_header:
            return Group(head, Text(f"by the equations of model {node.model}, below"))
        # What does not fit on a line goes on under its beginning.
        lines = Table.grid(padding=(0, 1))
        if node.equation:
            lines.add_row("=", Text(node.equation))
            known = [name for name, text in node.local if (node.model, name, text) in told]
            for name, text in node.local:
                if name not in known:
                    told.add((node.model, name, text))
                    lines.add_row("", Text(f"{name} = {text}"))
            if known:
                lines.add_row("", Text(f"as above: {', '.join(known)}", style="dim"))
        return Group(head, lines)

    def _notes(self, shown: list[Node]) -> Iterator[RenderableType]:
        """What the lines refer to: functions, models, equations."""
        if any(node.elasticity is not None for node in shown[1:]):
            yield Text("\n[x]: elasticity, the per cent of the output for one per cent of the variable.", style="dim")
        files: dict[str, str] = {}
        for name, says, file, header in dict.fromkeys(
            said for node in shown if not node.in_header for said in node.functions
        ):
            yield Text.assemble("\n", (name, "bold"), f" ({file})\n{says}")
            files[file] = header
        in_header = {node.model for node in shown if node.in_header}
        whole: dict[str, str] = {}
        for model in dict.fromkeys(node.model for node in shown if node.model):
            page = pages()[model]
            yield Text.assemble("\n", (f"model {model}", "bold"), f" ({page.file})")
            if model in in_header:
                yield from _header(page.header)
                named = {f"src/{name}" for name in re.findall(r"`(?:src/)?(\w+[.]rs)`", page.header)}
                whole |= {file: header for file, header in _shared().items() if file in named}
            elif page.source:
                yield Text(f"{page.source}.")
        own = {page.file for page in pages().values()}
        for file, header in {**{file: header for file, header in files.items() if file not in own}, **whole}.items():
            if file in whole:
                yield Text.assemble("\n", (file, "bold"))
                yield from _header(header)
            elif source := cited(header):
                yield Text.assemble("\n", (file, "bold"), f"\n{source}.")

    def text(self, width: int = _WIDTH) -> str:
        """The tree as text."""
        out = io.StringIO()
        Console(file=out, width=width, color_system=None, highlight=False, legacy_windows=False).print(self)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def __str__(self) -> str:
        return self.text()

    def mermaid(self) -> str:
        """A Mermaid flowchart, from the inputs to the output; https://mermaid.js.org draws it, and so does GitHub."""
        shown = dict.fromkeys(line.node.variable for line in self._lines() if line.node is not None)
        places = {name: f"n{k}" for k, name in enumerate(shown)}
        parts = ["flowchart LR"]
        for name, place in places.items():
            node = self.nodes[name]
            text = f"{name}<br/>{_quoted(node.quantity)}"
            shape = ("[", "]") if node.origin == "model" else ("([", "])")
            parts.append(f'    {place}{shape[0]}"{text}"{shape[1]}:::{node.origin}')
        for name, place in places.items():
            parts += [f"    {places[read]} --> {place}" for read in self.nodes[name].reads if read in places]
        fills = {"column": "#dbeafe", "assumption": "#fef3c7", "catalog": "#dcfce7", "model": "#ffffff",
                 "default": "#f3f4f6"}  # fmt: skip
        used = dict.fromkeys(self.nodes[name].origin for name in places)
        parts += [f"    classDef {origin} fill:{fills[origin]},stroke:#374151,color:#111827" for origin in used]
        return "\n".join(parts) + "\n"

    def _repr_html_(self) -> str:
        parts: list[str] = []
        opened = 0
        for line in self._lines():
            parts.append("</details>" * (opened - line.depth))
            opened = line.depth
            if line.node is None:
                parts.append(f'<div style="margin-left:2.4em">{html.escape(line.left_out)}</div>')
                continue
            node = line.node
            head = f"<b>{node.variable}</b> = {html.escape(node.quantity)}"
            if line.again:
                parts.append(f'<div style="margin-left:2.4em">{head} (above)</div>')
                continue
            if node.elasticity is not None and line.depth > 0:
                head += f" [{_elasticity(node.elasticity)}]"
            head += f" <i>{html.escape(declared()[node.variable].meaning)}</i>"
            if node.origin != "model":
                said = [_origin(node)]
            elif node.in_header:
                said = [f"model {node.model} ({pages()[node.model].file})", *pages()[node.model].equations.splitlines()]
            else:
                said = [f"= {node.equation}", *(f"  {name} = {text}" for name, text in node.local)]
            body = html.escape("\n".join(said))
            style = "margin-left:1.2em" if line.depth else ""
            parts.append(
                f'<details style="{style}"{"" if line.depth else " open"}><summary>{head}</summary>'
                f'<pre style="margin:0 0 0 1.2em;white-space:pre-wrap">{body}</pre>'
            )
            opened = line.depth + 1
        return "".join(parts) + "</details>" * opened


def _header(text: str) -> Iterator[RenderableType]:
    """What a file says of itself: equations indented, the rest in paragraphs."""
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines()
        if all(line.startswith("    ") for line in lines):
            yield from (Padding(Text(line.strip()), (0, 0, 0, 4)) for line in lines)
        else:
            yield Text(" ".join(line.strip() for line in lines))


def _elasticity(x: float) -> str:
    return "0" if x == 0 else f"{x:+.2g}" if abs(x) < 100 else f"{x:+,.0f}"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _origin(node: Node) -> str:
    where = f"{node.origin} {node.detail}".strip()
    said = "" if node.basis == "caller" else f"{node.basis}: {node.source}"
    return f"{where}; {said}" if said else where


def _quoted(text: str) -> str:
    """Text between the quotes of a Mermaid label."""
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def explain(
    row: pl.DataFrame | Mapping[str, object] | object,
    output: str,
    *,
    assume: Mapping[str, Value] | None = None,
    catalog: UserCatalog = None,
    as_of: datetime.date | None = None,
    strict: bool = True,
    depth: int | None = None,
    at_least: float = 0.0,
) -> Explanation:
    """The tree behind one number: every variable down to the inputs, with value, origin, equation, source and basis.

    What a variable reads is what it reads on this row: a given output has nothing behind it, and of a choice the
    branch taken is shown. An equation is the model's own line. Elasticities are those of `gradient`: the per cent of
    the output for one per cent of the variable, exactly, with what computes the variable left as it is.

    row: one scenario, as a frame of one row or a mapping. output: the name of a variable.
    assume, catalog, as_of, strict: as for `evaluate`. depth: how many lines below the output are shown; all without.
    at_least: variables whose elasticity is smaller, and so is that of all behind them, are only named.

    Returns an Explanation: print it, or take its `frame()` (always all of it), its `mermaid()`, its HTML in a notebook.
    Raises InvalidInput as `evaluate` does, for more than one row or output, and for `at_least` where the output has
    no elasticities.
    """
    native = pl.DataFrame({name: [value] for name, value in row.items()}) if isinstance(row, Mapping) else None
    native = _to_polars(row.collect() if isinstance(row, pl.LazyFrame) else row) if native is None else native
    if native.height != 1:
        raise InvalidInput(f"explain takes one row, and this frame has {native.height}: frame[3] is the one of row 3")
    outputs = output_names(output)
    if outputs != [output]:
        raise InvalidInput(f"explain takes one output, and {output} is a model with {', '.join(outputs)}")
    if depth is not None and depth < 0:
        raise InvalidInput(f"depth = {depth}: 0 or more is wanted")
    call = _call(native.schema, outputs, assume, catalog, as_of, "raise", strict, None, False)
    nodes = _nodes(native, call)
    elasticities = _elasticities(native, call, output, list(nodes))
    if at_least > 0 and not elasticities:
        raise InvalidInput(f"at_least = {at_least:g}: {output} has no elasticities here, being no number or null or 0")
    nodes = {name: node._replace(elasticity=elasticities.get(name)) for name, node in nodes.items()}
    return Explanation(output, nodes, depth, at_least)


def _nodes(row: pl.DataFrame, call: _Call) -> dict[str, Node]:
    """The variables behind the only output, from it on; without elasticities."""
    # What is wrong with the row is said as everywhere.
    _evaluate_eager(row, call)
    arguments, keys = _arguments(row, call)
    nodes = {}
    for line in _core.explain(*arguments):
        line["detail"], source, basis = _told(line, row, call, keys)
        line |= {name: tuple(line[name]) for name in ("local", "functions", "reads")}
        nodes[line["variable"]] = Node(elasticity=None, source=source, basis=basis, **line)
    return nodes


def _elasticities(row: pl.DataFrame, call: _Call, output: str, names: list[str]) -> dict[str, float]:
    from tapeout._gradient import gradient

    if declared()[output].kind != "number":
        return {}
    by = [name for name in names if name != output and declared()[name].kind == "number"]
    if not by:
        return {}
    frame = gradient(
        row, output, by, elasticities=True, assume=call.assume, catalog=call.catalog, as_of=call.as_of, strict=False
    )
    found = {name: frame[f"elasticity_{output}_{name}"][0] for name in by}
    known = {name: value for name, value in found.items() if value is not None}
    return {output: 1.0} | known if known else {}


def _told(line: Mapping[str, Any], row: pl.DataFrame, call: _Call, keys: list[str]) -> tuple[str, str, str]:
    """Detail, source and basis of a variable."""
    name, origin, detail = line["variable"], line["origin"], line["detail"]
    variable = declared()[name]
    match origin:
        case "model":
            page = pages()[detail]
            return detail, page.source or page.file, "computed"
        case "catalog":
            key = keys[int(detail)]
            entry = row[key][0] if key in row.columns and row[key][0] is not None else call.assume[key]
            numbers = catalog_frame(KEYS[key].catalog, catalog=call.catalog, as_of=call.as_of)
            bare = name.removeprefix(KEYS[key].prefix)
            number = numbers.filter((pl.col("name") == str(entry)) & (pl.col("variable") == bare)).row(0, named=True)
            return f"{entry} ({key}), {number['date']}", number["source"], number["basis"]
        case "column":
            return "", *_reference_sources(row).get(name, ("caller", "caller"))
        case "assumption":
            return "", "caller", "caller"
    return "", variable.source, variable.basis


def _reference_sources(row: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """Source and basis of the values that a row has of the reference scenario, if it is that but for some of them."""
    from tapeout._reference import reference, sources

    own = reference()
    if not set(own.columns) <= set(row.columns):
        return {}
    told = {line["name"]: (line["source"], line["basis"]) for line in sources().iter_rows(named=True)}
    return {name: told[name] for name in own.columns if row[name][0] == own[name][0]}
