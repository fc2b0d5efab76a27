"""The tree behind a number: values are those of evaluate, leaves those of resolve, and equations come out right."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import scenarios
import tapeout
from tapeout import cli
from tapeout._explain import Explanation, Node, _nodes
from tapeout.declarations import pages
from tapeout.frame import _call
from test_give_what_you_know import VARIANTS, WANTED, base_row, involved

OUTPUTS = [(model, name) for model, (_, names) in scenarios.models().items() for name in names]
CHOICES = [
    (model, name, choice)
    for model, (inputs, _) in scenarios.models().items()
    for name in inputs
    if scenarios.declared()[name]["kind"] in ("choice", "boolean")
    for choice in scenarios.declared()[name]["choices"]
]
# An equation's signs as Python has them.
SIGNS = {
    "−": "-", "·": "*", "^": "**", "≤": "<=", " = ": " == ", ", else": " else", "∞": "math.inf", "π": "math.pi",
}  # fmt: skip


def row_for(model: str, output: str = "") -> dict[str, Any]:
    """The reference scenario with no output given, as the model is asked."""
    row = base_row(VARIANTS.get(model, ""), WANTED.get(model, ()))
    if output in row and model in ("serving_search", "asic_serving_search"):  # what it finds is not given
        row = {name: value for name, value in row.items() if name not in scenarios.models()[model][1]}
    return row


def lines_of(row: dict[str, Any], output: str, assume: dict[str, Any] | None = None) -> Explanation:
    """The tree without elasticities, which cost most of its time."""
    frame = scenarios.frame_of([row])
    call = _call(frame.schema, [output], assume, None, None, "raise", True, None, False)
    return Explanation(output, _nodes(frame, call))


def computed(node: Node, values: dict[str, Any]) -> Any:
    """What the equation that is shown comes to."""
    known = {"math": math, "ln": math.log, "exp": math.exp, "sqrt": math.sqrt, "abs": abs, "min": min, "max": max,
             "floor": math.floor}  # fmt: skip
    choices = {choice: choice for variable in scenarios.declared().values() for choice in variable["choices"]}
    names: dict[str, Any] = {**known, **choices, **values}

    def value(text: str) -> Any:
        for sign, code in SIGNS.items():
            text = text.replace(sign, code)
        return eval(re.sub(r"\bnone\b", "math.nan", text), {"__builtins__": {}}, names)

    # Lines stand in the order in which they are used, which is not that in which they are made.
    lines = dict(node.local)
    while lines:
        for name, text in list(lines.items()):
            if not any(re.search(rf"\b{other}\b", text) for other in lines):
                # What is not used of a row that can't be need not have a value.
                with suppress(ZeroDivisionError):
                    names[name] = value(text)
                del lines[name]
    return value(node.equation)


def is_evaluated(node: Node) -> bool:
    """Not where a function of ours stands by its name: its arguments have names too."""
    return (
        node.origin == "model"
        and not node.in_header
        and ": " not in " ".join([node.equation, *dict(node.local).values()])
    )


def check_lines(found: Explanation) -> int:
    """Every line comes out at the value beside it, and mentions what is behind it and nothing else."""
    values = {name: node.value for name, node in found.nodes.items()}
    checked = 0
    for node in found.nodes.values():
        assert set(node.reads) <= set(found.nodes)
        assert (node.origin == "model") or not (node.reads or node.equation or node.in_header)
        if node.in_header:
            assert pages()[node.model].equations
        if not is_evaluated(node):
            continue
        checked += 1
        if node.model == "own_load" and scenarios.declared()[node.variable]["kind"] in ("choice", "boolean"):
            # A choice that is as another.
            assert node.reads == (node.equation,)
            assert node.value == found.nodes[node.equation].value
            continue
        lines = " ".join([node.equation, *(text for _, text in node.local)])
        words = {name for name in re.findall(r"[a-z]\w*", lines) if name in scenarios.declared()}
        numbers = {name for name in node.reads if scenarios.declared()[name]["kind"] not in ("choice", "boolean")}
        assert words - dict(node.local).keys() == numbers, node.equation
        came = computed(node, values)
        if scenarios.declared()[node.variable]["kind"] == "choice":
            assert node.value is not None
            assert came == scenarios.declared()[node.variable]["choices"][int(node.value)]
        elif node.value is None:
            assert math.isnan(came), node.equation
        else:
            assert came == pytest.approx(node.value, rel=1e-11, abs=1e-300), node.equation  # a difference loses digits
    return checked


@pytest.mark.parametrize(("model", "output"), OUTPUTS, ids=lambda value: str(value))
def test_every_output_on_the_reference_scenario(model: str, output: str) -> None:
    frame = scenarios.frame_of([row_for(model, output)])
    found = lines_of(row_for(model, output), output)
    assert found.nodes[output].origin == "model"
    assert next(iter(found.nodes)) == output
    values = tapeout.evaluate(frame, list(found.nodes)).row(0, named=True)
    for name, node in found.nodes.items():
        variable = scenarios.declared()[name]
        value = values[name]
        if variable["kind"] in ("choice", "boolean"):
            value = variable["choices"].index(str(value).lower())
        elif variable["kind"] == "date":
            value = (value - scenarios.EPOCH).days
        assert node.value == value, name
    resolved = tapeout.resolve(frame, output)
    inputs = resolved.filter(pl.col("origin") != "model")
    leaves = {name: node.origin for name, node in found.nodes.items() if node.origin != "model"}
    assert leaves == dict(inputs.select("variable", "origin").iter_rows())
    assert {*resolved["variable"]} <= {*found.nodes}
    check_lines(found)


def test_most_lines_are_algebra() -> None:
    lines = {}
    for model, output in OUTPUTS:
        lines[output] = lines_of(row_for(model), output).nodes[output]
    looped = {name for name, node in lines.items() if node.in_header}
    named = {name for name, node in lines.items() if not node.in_header and not is_evaluated(node)}
    # Of the models there were when this was written: loops over months and over respins.
    build = set(scenarios.models()["build"][1])
    shares = {"build_npv_usd", "lifetime_saving_share", "build_saving_on_displaced_share", "build_status"}
    assert build - shares <= looped
    assert not shares & looped
    assert {"lifetime_inference_usd", "programme_on_time_probability"} <= looped
    assert "die_sellable_yield" in named
    others = [name for model, name in OUTPUTS if model in ("training", "package", "decline", "programme", "die_shape")]
    assert {name for name in others if not is_evaluated(lines[name])} == {"programme_on_time_probability"}


@pytest.mark.parametrize(("model", "choice", "value"), CHOICES, ids=lambda value: str(value))
def test_lines_of_every_choice(model: str, choice: str, value: str) -> None:
    row = row_for(model) | {choice: value == "true" if value in ("true", "false") else value}
    row |= {"train_chip_flop_per_s_fp8": 2e15, "train_chip_flop_per_s_fp4": 4e15, "train_chip_rent_usd_per_hour": 2.0}
    for output in scenarios.models()[model][1]:
        # What another choice reads may not be there.
        with suppress(tapeout.InvalidInput):
            check_lines(lines_of(row, output))


def test_lines_of_rows_that_cannot_be() -> None:
    too_large = base_row() | {"die_width_mm": 300.0, "die_height_mm": 200.0}
    found = lines_of(too_large, "die_cost_usd")
    assert found.nodes["die_cost_usd"].value is None
    assert "else none" in found.nodes["die_cost_usd"].equation
    assert "die_cost_usd = null\n" in str(found).replace("  Cost of one die that can be sold.", "")
    check_lines(found)
    still = {"decline_chip_factor": 1.0, "decline_architecture_factor": 1.0, "decline_software_factor": 1.0,
             "decline_years": 5.0}  # fmt: skip
    assert lines_of(still, "decline_halving_months").nodes["decline_halving_months"].shown == "infinite"
    check_lines(lines_of(still, "decline_halving_months"))
    check_lines(lines_of(still, "decline_share_chip"))


@pytest.mark.parametrize("name", [name for name, line in scenarios.declared().items() if line["role"] == "output"])
def test_a_given_output_cuts_the_tree(name: str) -> None:
    model = next(model for model, output in OUTPUTS if output == name)
    row = row_for(model, name)
    value = tapeout.evaluate(scenarios.frame_of([row]), name)[name][0]
    reader = next(
        (other for other, read in involved(VARIANTS.get(model, ""), WANTED.get(model, ())).items() if name in read),
        name,
    )
    found = lines_of(row, reader, assume={name: value})
    assert found.nodes[name].origin == "assumption"
    assert not found.nodes[name].reads
    assert found.nodes[name].basis == "caller"
    check_lines(found)


def test_origins_and_their_sources(tmp_path: Path) -> None:
    row = {"train_chip": "h100-sxm", "train_chip_hours": 1e6}
    found = tapeout.explain(row, "train_cost_usd", assume={"train_pue": 1.2})
    price = found.nodes["train_chip_price_usd"]
    entry = tapeout.catalog("chips").filter(name="h100-sxm", variable="price_usd").row(0, named=True)
    assert price.value == entry["value"]
    assert (price.origin, price.source, price.basis) == ("catalog", entry["source"], entry["basis"])
    assert price.detail == f"h100-sxm (train_chip), {entry['date']}"
    assert f"{entry['basis']}: {entry['source']}" in found.text(width=1000)
    assert found.nodes["train_pue"].origin == "assumption"
    assert found.nodes["train_chip_hours"].origin == "column"
    assert found.nodes["train_chip_hours"].source == "caller"
    overhead = found.nodes["train_server_overhead"]
    assert (overhead.origin, overhead.basis) == ("default", "estimate")
    assert "arXiv 2405.21015" in found.nodes["train_cost_usd"].source
    own = entry | {"catalog": "chips", "value": 20_000.0, "source": "an invoice", "date": dt.date(2026, 1, 1)}
    mine = tapeout.explain(row, "train_hardware_usd", catalog=pl.DataFrame([own]))
    assert mine.nodes["train_chip_price_usd"].source == "an invoice"
    assumed = tapeout.explain({"train_chip_hours": 1e6}, "train_cost_usd", assume={"train_chip": "a100-sxm-80gb"})
    assert assumed.nodes["train_chip_price_usd"].detail.startswith("a100-sxm-80gb (train_chip)")
    early = tapeout.explain(row, "train_energy_usd", as_of=dt.date(2023, 1, 1))
    assert early.nodes["train_chip_tdp_w"].detail.endswith("2022-09-20")


def test_the_reference_scenario_keeps_its_sources() -> None:
    found = tapeout.explain(tapeout.reference(), "train_cost_usd")
    assert found.nodes["train_chip_tdp_w"].source == "GB200"
    moved = tapeout.explain(tapeout.reference().with_columns(train_chip_tdp_w=pl.lit(1000.0)), "train_cost_usd")
    assert moved.nodes["train_chip_tdp_w"].source == "caller"
    assert moved.nodes["train_chip_hours"].basis == "estimate"
    part = tapeout.explain(tapeout.reference().select("train_chip_hours", "train_chip_price_usd"), "train_cost_usd")
    assert part.nodes["train_chip_hours"].source == "caller"


def test_elasticities_are_those_of_gradient() -> None:
    frame = tapeout.reference()
    found = tapeout.explain(frame, "build_npv_usd")
    by = [name for name, node in found.nodes.items() if node.elasticity is not None and name != "build_npv_usd"]
    exact = tapeout.gradient(frame, "build_npv_usd", by, elasticities=True)
    assert {name: found.nodes[name].elasticity for name in by} == {
        name: exact[f"elasticity_build_npv_usd_{name}"][0] for name in by
    }
    unmoved = {name for name, node in found.nodes.items() if node.elasticity is None}
    kinds = {scenarios.declared()[name]["kind"] for name in unmoved}
    assert kinds <= {"choice", "boolean", "integer", "date"}
    # What is computed as a sum moves with its parts: shares of the output add up.
    cost = tapeout.explain(frame, "train_cost_usd").nodes
    parts = ("train_hardware_usd", "train_interconnect_usd", "train_energy_usd")
    shares = [(cost[name].value or 0) / (cost["train_cost_usd"].value or 1) for name in parts]
    assert cost["train_energy_usd"].elasticity == pytest.approx(shares[2], rel=1e-14)
    assert cost["train_hardware_usd"].elasticity == pytest.approx(shares[0] + shares[1], rel=1e-14)


def test_the_frame_has_a_row_for_each_variable() -> None:
    found = tapeout.explain(tapeout.reference(), "asic_unit_price_usd")
    frame = found.frame()
    assert frame["variable"].n_unique() == frame.height == len(found.nodes)
    assert frame.columns[:7] == ["depth", "parent", "variable", "value", "text", "unit", "elasticity"]
    assert frame.row(0, named=True)["parent"] is None
    depth = dict(frame.select("variable", "depth").iter_rows())
    for line in frame.iter_rows(named=True):
        assert line["parent"] is None or (depth[line["parent"]] == line["depth"] - 1)
        assert set(line["read_by"]) == {name for name, node in found.nodes.items() if line["variable"] in node.reads}
        assert line["meaning"]
        assert line["source"]
        assert line["basis"]
        assert (line["equation"] is not None) == (line["origin"] == "model")
    assert frame.filter(variable="yield_model")["text"].item() == "negative_binomial"
    assert frame.filter(variable="yield_model")["value"].item() is None
    assert "NPV = S - NRE" in tapeout.explain(tapeout.reference(), "lifetime_saving_usd").frame()["equation"][0]


def test_the_text_shows_a_node_once() -> None:
    found = tapeout.explain(tapeout.reference(), "build_npv_usd")
    text = found.text(width=400)
    for name in found.nodes:
        lines = [line for line in text.splitlines() if re.match(rf"^[│├└─ ]*{name} = \S+.*(  |\(above\))", line)]
        heads = [line for line in lines if not line.endswith("(above)") and re.search(r"\.$", line)]
        assert len(heads) == 1, (name, heads)
        assert text.index(heads[0]) == min(text.index(line) for line in lines)
    assert max(map(len, str(found).splitlines())) <= 100
    assert str(found) == found.text()


def test_depth_and_threshold() -> None:
    whole = tapeout.explain(tapeout.reference(), "build_npv_usd")
    shallow = tapeout.explain(tapeout.reference(), "build_npv_usd", depth=1)
    assert shallow.frame().equals(whole.frame())
    assert re.findall(r"^[│├└─ ]*(\w+) = [-\d]", str(shallow), re.M) == [
        "build_npv_usd", "lifetime_saving_usd", "programme_nre_pv_usd",
    ]  # fmt: skip
    assert f"… {len(tapeout.explain(tapeout.reference(), 'lifetime_saving_usd').nodes) - 1} more behind it" in str(
        shallow
    )
    assert str(tapeout.explain(tapeout.reference(), "build_npv_usd", depth=0)).count(" more behind it") == 1
    limit = 20.0
    weighty = tapeout.explain(tapeout.reference(), "build_npv_usd", at_least=limit)
    text = weighty.text(width=400)
    for name, node in whole.nodes.items():
        shown = re.search(rf"^[│├└─ ]*{name} = ", text, re.M) is not None
        if node.elasticity is not None and abs(node.elasticity) >= limit:
            assert shown, name
        elif node.elasticity is not None and node.origin != "model":
            assert not shown, name
    assert "less than 20: " in text
    assert len(text) < len(whole.text(width=400)) / 2


class Mermaid:
    """As much of a flowchart's grammar as we write: a header, nodes, edges, classes."""

    NODE = re.compile(r'^    (?P<id>n\d+)(?:\["(?P<text>[^"]*)"\]|\(\["(?P<round>[^"]*)"\]\)):::(?P<kind>\w+)$')
    EDGE = re.compile(r"^    (n\d+) --> (n\d+)$")
    CLASS = re.compile(r"^    classDef (\w+) (\w+(?:-\w+)?:#?\w+(?:,\w+(?:-\w+)?:#?\w+)*)$")
    ENTITY = re.compile(r"#(?:\d+|quot|lt|gt|amp);")

    def __init__(self, text: str) -> None:
        lines = text.splitlines()
        assert lines[0] == "flowchart LR"
        self.nodes: dict[str, tuple[str, str]] = {}
        self.edges: list[tuple[str, str]] = []
        self.classes: set[str] = set()
        for line in lines[1:]:
            if node := self.NODE.match(line):
                label = node["text"] if node["text"] is not None else node["round"]
                # A bare # begins an entity, a bare < a tag.
                rest = self.ENTITY.sub("", label.replace("<br/>", ""))
                assert not set("#<>[](){}") & set(rest), label
                assert node["id"] not in self.nodes
                self.nodes[node["id"]] = (label, node["kind"])
            elif edge := self.EDGE.match(line):
                self.edges.append((edge[1], edge[2]))
            elif kind := self.CLASS.match(line):
                self.classes.add(kind[1])
            else:
                raise AssertionError(f"no Mermaid: {line}")
        assert {end for edge in self.edges for end in edge} <= self.nodes.keys()
        assert {kind for _, kind in self.nodes.values()} == self.classes
        assert len(set(self.edges)) == len(self.edges)


@pytest.mark.parametrize("output", ["train_cost_usd", "build_npv_usd", "decision", "lifetime_inference_usd"])
def test_mermaid(output: str) -> None:
    found = tapeout.explain(tapeout.reference(), output)
    chart = Mermaid(found.mermaid())
    names = {place: label.split("<br/>")[0] for place, (label, _) in chart.nodes.items()}
    assert set(names.values()) == set(found.nodes)
    edges = {(names[a], names[b]) for a, b in chart.edges}
    assert edges == {(read, name) for name, node in found.nodes.items() for read in node.reads}
    assert {kind for _, kind in chart.nodes.values()} == {node.origin for node in found.nodes.values()}
    small = Mermaid(tapeout.explain(tapeout.reference(), output, depth=1).mermaid())
    assert len(small.nodes) == len(found.nodes[output].reads) + 1


def test_html_is_balanced() -> None:
    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []
            self.folds = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.open.append(tag)
            self.folds += tag == "details"

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    for options in ({}, {"depth": 2}, {"at_least": 5.0}):
        found = tapeout.explain(tapeout.reference(), "build_npv_usd", **options)
        page = Balance()
        page.feed(found._repr_html_())
        assert not page.open
        assert page.folds == len(found.nodes) or options


def test_what_cannot_be_explained() -> None:
    two = pl.concat([tapeout.reference()] * 2)
    for frame, output, options, said in [
        (two, "train_cost_usd", {}, "one row, and this frame has 2"),
        (tapeout.reference(), "training", {}, "one output"),
        (tapeout.reference(), "train_cost", {}, "neither a variable nor a model"),
        (tapeout.reference(), "chip", {}, "a key names an entry"),
        (pl.DataFrame({"die_area_mm2": [400.0]}), "die_cost_usd", {}, "wafer_price_usd"),
        (pl.DataFrame({"die_area_mm2": [-1.0]}), "die_area_mm2", {}, "die_area_mm2"),
        (tapeout.reference(), "decision", {"at_least": 0.1}, "no elasticities"),
        (tapeout.reference(), "train_cost_usd", {"depth": -1}, "0 or more"),
    ]:  # fmt: skip
        with pytest.raises(tapeout.InvalidInput, match=said):
            tapeout.explain(frame, output, **options)  # type: ignore[arg-type]


def test_an_input_explains_itself() -> None:
    found = tapeout.explain({"train_chip_hours": 1e6}, "train_chip_hours")
    assert [*found.nodes] == ["train_chip_hours"]
    assert str(found) == "train_chip_hours = 1,000,000 h  Chip-hours of the run.\ncolumn"


def test_rows_of_other_kinds() -> None:
    pandas = pytest.importorskip("pandas")
    row = {"train_chip_hours": 1e6, "train_chip_price_usd": 25e3}
    wanted = tapeout.explain(row, "train_cost_usd").nodes["train_cost_usd"].value
    for other in (pl.DataFrame([row]), pl.LazyFrame([row]), pandas.DataFrame([row])):
        assert tapeout.explain(other, "train_cost_usd").nodes["train_cost_usd"].value == wanted


def test_equations_of_the_frames() -> None:
    variables = tapeout.variables()
    lines = dict(variables.select("name", "equation").iter_rows())
    outputs = {name for _, name in OUTPUTS}
    assert {name for name, line in lines.items() if line} == outputs
    assert lines["train_cost_usd"] == "train_hardware_usd + train_interconnect_usd + train_energy_usd"
    assert lines["train_days"] == "train_chip_hours / train_chips / HOURS_PER_DAY; HOURS_PER_DAY = 24"
    assert "NPV = S - NRE" in lines["build_npv_sd_usd"]
    assert "\nor " in lines["build_units_per_year"]
    models = {line["name"]: line for line in tapeout.models().iter_rows(named=True)}
    assert models["die"]["file"] == "src/models/die.rs"
    assert models["die"]["equations"].startswith("cost = wafer price")
    assert models["training"]["source"].startswith("Source: Cottier, Rahman")
    assert models["training"]["source"].endswith("the code published with it")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["explain", *arguments])
    said = capsys.readouterr()
    return int(exit_.value.code or 0), said.out, said.err


def test_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "runs.csv"
    file.write_text("scenario,train_chip,train_chip_hours\na,h100-sxm,2.788e6\nb,a100-sxm-80gb,1.0e7\n")
    code, out, _ = run(capsys, str(file), "train_cost_usd", "--row", "1")
    assert code == 0
    assert out.startswith("train_cost_usd = 13,586,647 USD  ")
    assert run(capsys, str(file), "train_cost_usd", "--id", "scenario=b")[1] == out
    code, out, _ = run(capsys, "reference", "train_cost_usd", "--assume", "train_price_index_ratio=2", "--depth", "1")
    assert "train_hardware_usd = 761,310,591 USD [+0.94]" in out
    assert out == tapeout.explain(tapeout.reference(), "train_cost_usd", depth=1).text() + "\n"
    assert "train_chip_usd = " not in out
    code, out, _ = run(capsys, "reference", "train_cost_usd", "--mermaid")
    Mermaid(out)
    code, out, _ = run(capsys, "reference", "train_cost_usd", "--csv")
    table = pl.read_csv(io.StringIO(out))
    assert table["variable"].to_list() == [*tapeout.explain(tapeout.reference(), "train_cost_usd").nodes]
    assert "less than 0.5" in run(capsys, "reference", "train_cost_usd", "--at-least", "0.5")[1]
    for arguments, code, said in [
        ([str(file), "train_cost_usd"], 1, "2 scenarios: --row N or --id COLUMN=VALUE"),
        ([str(file), "train_cost_usd", "--row", "2"], 1, "the file has 2 rows"),
        ([str(file), "train_cost_usd", "--id", "scenario=c"], 1, "0 rows have it"),
        ([str(file), "train_cost_usd", "--id", "who=c"], 1, "no column who"),
        ([str(file), "train_cost_usd", "--id", "scenario"], 2, "COLUMN=VALUE"),
        (["reference", "train_cost_usd", "--csv", "--mermaid"], 2, "one of the two"),
        (["reference", "train_costs_usd"], 1, "train_cost_usd"),
        (["nowhere.csv", "train_cost_usd"], 1, "nowhere.csv"),
        (["nowhere.doc", "train_cost_usd"], 2, "nowhere.doc"),
    ]:
        got, _, error = run(capsys, *arguments)
        assert (got, said in error) == (code, True), (arguments, error)
