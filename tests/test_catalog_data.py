"""The catalog: every number has a unit, a date, a basis and a source, and the entries users rely on are there."""

from __future__ import annotations

import csv
import math
import re
from datetime import date
from pathlib import Path

import pytest

CATALOG = Path(__file__).resolve().parents[1] / "python" / "tapeout" / "catalog"
COLUMNS = ["name", "variable", "value", "unit", "date", "basis", "source"]
BASES = {"measured", "list price", "vendor claim", "leak", "estimate", "judgement"}
KEBAB = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")  # digits may hold a point: llama-3.1-8b
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Row = dict[str, str]

# variable -> (unit, low, high): a range wide enough for any real entry, narrow enough to catch a wrong power of ten
VARIABLES: dict[str, dict[str, tuple[str, float, float]]] = {
    "chips": {
        "flop_per_s_bf16": ("FLOP/s", 1e13, 1e17),
        "flop_per_s_fp8": ("FLOP/s", 1e13, 1e17),
        "flop_per_s_fp4": ("FLOP/s", 1e13, 1e17),
        "memory_bytes": ("byte", 1e9, 2e12),
        "memory_bytes_per_s": ("byte/s", 1e11, 1e14),
        "link_bytes_per_s": ("byte/s", 1e10, 1e13),
        "link_chips": ("chip", 1, 1e4),
        "network_bytes_per_s": ("byte/s", 1e9, 1e12),
        "gemm_efficiency": ("1", 0.1, 1),
        "attention_efficiency": ("1", 0.1, 1),
        "link_efficiency": ("1", 0.1, 1),
        "flash_attention": ("1", 0, 1),
        "tdp_w": ("W", 50, 5000),
        "price_usd": ("USD", 500, 200_000),
        "rent_usd_per_hour": ("USD/h", 0.05, 50),
        "gemm_units": ("1", 1, 1e4),
        "gemm_tile_elements": ("1", 4096, 131_072),
        "gemm_wide_tiles": ("1", 0, 1),
        "gemm_rereads": ("1", 1, 2),
        **{
            f"gemm_{name}_{precision}": (unit, low, high)
            for precision in ("bf16", "fp8")
            for name, (unit, low, high) in {
                "peak_share": ("1", 0.5, 1),
                "launch_s": ("s", 1e-6, 3e-5),
                "memory_share": ("1", 0.5, 1),
                "wave_smoothing": ("1", 0, 1),
                "tile_loss": ("1", 0, 0.5),
                "prologue_depth": ("1", 0, 500),
                "half_bandwidth_waves": ("1", 0, 1),
            }.items()
        },
        "gemm_cast_bytes_fp8": ("byte", 0, 20),
    },
    "llms": {
        "llm_params": ("parameter", 1e8, 1e14),
        "llm_active_params": ("parameter", 1e8, 1e14),
        "train_tokens": ("token", 1e10, 1e15),
        "train_chip_hours": ("chip-hour", 1e4, 1e10),
        "llm_layers": ("layer", 8, 500),
        "llm_hidden": ("1", 256, 1e5),
        "llm_heads": ("head", 1, 1000),
        "llm_kv_heads": ("head", 1, 1000),
        "llm_head_dim": ("1", 16, 1024),
        "llm_ffn": ("1", 0, 1e6),
        "llm_ffn_matrices": ("1", 2, 3),
        "llm_vocab": ("1", 1e4, 1e6),
        "llm_tied_embeddings": ("1", 0, 1),
        "llm_experts": ("expert", 0, 1e4),
        "llm_experts_per_token": ("expert", 0, 100),
        "llm_shared_experts": ("expert", 0, 10),
        "llm_expert_ffn": ("1", 0, 1e5),
        "llm_dense_layers": ("layer", 0, 500),
        "llm_kv_latent_dim": ("1", 0, 1e4),
        "llm_query_latent_dim": ("1", 0, 1e4),
        "llm_rope_head_dim": ("1", 0, 512),
        "llm_value_head_dim": ("1", 0, 1024),
        "llm_query_projections": ("1", 1, 2),
        "llm_window_layers": ("layer", 0, 500),
        "llm_window_tokens": ("token", 1, math.inf),
        "llm_linear_layers": ("layer", 0, 500),
        "llm_linear_key_heads": ("head", 0, 1000),
        "llm_linear_value_heads": ("head", 0, 1000),
        "llm_linear_head_dim": ("1", 0, 1024),
        "llm_kv_bytes_per_element": ("byte", 0.5, 4),
        "llm_sparse_tokens": ("token", 1, math.inf),
        "llm_index_share": ("1", 0, 1),
    },
    "nodes": {
        "wafer_price_usd": ("USD", 500, 100_000),
        "die_defect_density_per_cm2": ("1/cm2", 0.01, 2),
        "programme_mask_usd": ("USD", 1e5, 2e8),
    },
    "memories": {
        "memory_usd_per_gb": ("USD/GB", 1, 100),
        "package_memory_bytes_per_stack": ("byte", 1e9, 2e11),
        "memory_bytes_per_s_per_stack": ("byte/s", 1e11, 1e13),
    },
    "regions": {"electricity_usd_per_kwh": ("USD/kWh", 0.005, 1.0)},
    "calibrations": {
        **{
            f"serve_cal_{name}_share": ("1", 0.1, 1)
            for name in (
                "weight_read",
                "expert_read",
                "kv_read",
                "decode_flop",
                "prompt_flop",
                "attention_flop",
                "link",
            )
        },
        "serve_cal_burst_share": ("1", 0, 1),
        **{
            f"serve_cal_{name}_s": ("s", 0, 1)
            for name in (
                "layer",
                "expert_layer",
                "collective",
                "host",
                "root",
                "launch",
                "start_vllm",
                "start_sglang",
                "start_trtllm",
            )
        },
        **{
            f"serve_cal_{name}": ("1", 0, 10)
            for name in (
                "format_exponent",
                "month_factor",
                "engine_vllm",
                "engine_sglang",
                "engine_trtllm",
                "launch_vllm",
                "launch_sglang",
                "launch_trtllm",
                "prompt_expert_factor",
                "tpot_scale",
                "ttft_scale",
                "first_steps",
                "launch_expert_factor",
                "launch_latent_factor",
                "first_prompt_factor",
                "queue_factor",
                "first_data_factor",
            )
        },
        "serve_cal_expert_slice": ("1", 0, 1000),
        "serve_tpot_log_sd": ("1", 0, 2),
        "serve_ttft_log_sd": ("1", 0, 4),
    },
}

ENTRIES: dict[str, tuple[int, set[str]]] = {
    "chips": (20, {"a100-sxm-80gb", "h100-sxm", "h200-sxm", "b200-sxm", "gb200", "mi300x"}),
    "llms": (18, {"llama-3.1-405b", "deepseek-v3"}),
    "nodes": (9, {"n28", "n20", "n16", "n10", "n7", "n5", "n4", "n3", "n2"}),
    "memories": (5, {"hbm2e", "hbm3", "hbm3e", "hbm4"}),
    "calibrations": (2, {"public-2026-04", "textbook"}),
    "regions": (18, {"us-average", "us-texas", "us-virginia", "germany", "france", "china"}),
}

REQUIRED: dict[str, set[str]] = {
    "chips": {"flop_per_s_bf16", "memory_bytes", "memory_bytes_per_s"},
    "llms": {"llm_params", "llm_active_params"},
    "nodes": {"wafer_price_usd", "die_defect_density_per_cm2", "programme_mask_usd"},
    "memories": {"package_memory_bytes_per_stack", "memory_bytes_per_s_per_stack"},
    "regions": {"electricity_usd_per_kwh"},
    "calibrations": {"serve_cal_layer_s", "serve_cal_tpot_scale", "serve_tpot_log_sd"},
}


def read(kind: str) -> list[Row]:
    """Rows of one catalog file; the header is checked here because every other check assumes it."""
    with (CATALOG / f"{kind}.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        assert reader.fieldnames == COLUMNS, f"{kind}.csv: columns {reader.fieldnames}, want {COLUMNS}"
        return list(reader)


def number(text: str) -> float:
    """The number in `text`, NaN where there is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def is_date(text: str) -> bool:
    """Whether `text` is a calendar day written as YYYY-MM-DD."""
    if not ISO_DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def refusals(kind: str, rows: list[Row]) -> list[str]:
    """What is wrong with the rows, one sentence a fault; empty where nothing is."""
    found: list[str] = []
    seen: set[tuple[str, str, str]] = set()
    for line, row in enumerate(rows, start=2):
        if set(row) != set(COLUMNS) or None in row.values():
            found.append(f"{kind}.csv line {line}: {len(COLUMNS)} cells wanted")
            continue
        where = f"{kind}.csv line {line}, {row['name']} {row['variable']}"
        untrimmed = [column for column in COLUMNS if row[column] != row[column].strip()]
        if untrimmed:
            found.append(f"{where}: blank at an end of {', '.join(untrimmed)}")
        if not KEBAB.fullmatch(row["name"]):
            found.append(f"{where}: name {row['name']!r} is not kebab case")
        if not row["source"].strip():
            found.append(f"{where}: no source")
        if not is_date(row["date"]):
            found.append(f"{where}: date {row['date']!r} is not YYYY-MM-DD")
        if row["basis"] not in BASES:
            found.append(f"{where}: basis {row['basis']!r} is none of {sorted(BASES)}")
        value = number(row["value"])
        if math.isnan(value):
            found.append(f"{where}: value {row['value']!r} is not a number")
        if row["variable"] not in VARIABLES[kind]:
            found.append(f"{where}: variable {row['variable']!r} does not belong to {kind}")
        else:
            unit, low, high = VARIABLES[kind][row["variable"]]
            if row["unit"] != unit:
                found.append(f"{where}: unit {row['unit']!r}, want {unit!r}")
            if not low <= value <= high:
                found.append(f"{where}: value {row['value']} outside [{low:g}, {high:g}]")
        key = (row["name"], row["variable"], row["date"])
        if key in seen:
            found.append(f"{where}: second row for {row['date']}")
        seen.add(key)
    return found


def newest(rows: list[Row]) -> dict[tuple[str, str], float]:
    """The newest value of each (name, variable)."""
    return {(row["name"], row["variable"]): float(row["value"]) for row in sorted(rows, key=lambda row: row["date"])}


@pytest.mark.parametrize("kind", VARIABLES)
def test_every_row_is_complete(kind: str) -> None:
    assert refusals(kind, read(kind)) == []


@pytest.mark.parametrize("kind", VARIABLES)
def test_entries_exist(kind: str) -> None:
    rows = read(kind)
    least, fixed = ENTRIES[kind]
    names = {row["name"] for row in rows}
    assert fixed <= names
    assert len(names) >= least
    have = {name: {row["variable"] for row in rows if row["name"] == name} for name in names}
    assert {name: REQUIRED[kind] - variables for name, variables in have.items() if REQUIRED[kind] - variables} == {}


@pytest.mark.parametrize("kind", VARIABLES)
def test_every_variable_is_used(kind: str) -> None:
    assert {row["variable"] for row in read(kind)} == set(VARIABLES[kind])


@pytest.mark.parametrize("kind", VARIABLES)
@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("source", ""),
        ("source", "  "),
        ("date", ""),
        ("date", "2024"),
        ("date", "20240101"),
        ("date", "2024-02-30"),
        ("basis", ""),
        ("basis", "rumor"),
        ("value", ""),
        ("value", "nan"),
        ("value", "inf"),
        ("value", "0"),
        ("value", "-1"),
        ("value", "a few"),
        ("unit", ""),
        ("variable", "price"),
        ("name", "H100 SXM"),
        ("name", "h100_sxm"),
        ("name", "h100--sxm"),
        ("name", ""),
    ],
)
def test_a_broken_row_is_refused(kind: str, column: str, text: str) -> None:
    rows = read(kind)[:1]
    assert refusals(kind, rows) == []
    assert refusals(kind, [{**rows[0], column: text}]) != []


@pytest.mark.parametrize("kind", VARIABLES)
def test_a_second_row_for_one_date_is_refused(kind: str) -> None:
    row = read(kind)[0]
    assert refusals(kind, [row, {**row, "source": "another"}]) != []


def test_us_states_and_years() -> None:
    rows = read("regions")
    states = {row["name"] for row in rows if row["name"].startswith("us-")} - {"us-average"}
    assert len(states) >= 12
    years = {row["date"][:4] for row in rows if row["name"] == "us-average"}
    assert years >= {str(year) for year in range(2014, 2026)}


def test_chip_prices_follow_the_years() -> None:
    prices = {row["date"][:4] for row in read("chips") if (row["name"], row["variable"]) == ("h100-sxm", "price_usd")}
    assert prices >= {"2022", "2023", "2024", "2025"}


def test_chip_peaks_do_not_fall_with_precision() -> None:
    values = newest(read("chips"))
    for (name, variable), value in values.items():
        if variable == "flop_per_s_fp8":
            assert value >= values[name, "flop_per_s_bf16"], name
        if variable == "flop_per_s_fp4":
            assert value >= values[name, "flop_per_s_fp8"], name


def test_active_parameters_are_part_of_all() -> None:
    values = newest(read("llms"))
    for (name, variable), value in values.items():
        if variable == "llm_active_params":
            assert value <= values[name, "llm_params"], name


def test_training_hours_agree_with_training_flop() -> None:
    """6 N D over the published hours is 50 to 800 TFLOP/s a chip: no power of ten is off in any of the three."""
    values = newest(read("llms"))
    checked = 0
    for name in {name for name, _ in values}:
        hours = values.get((name, "train_chip_hours"))
        tokens = values.get((name, "train_tokens"))
        if hours is None or tokens is None:
            continue
        checked += 1
        rate = 6 * values[name, "llm_active_params"] * tokens / (hours * 3600)
        assert 5e13 < rate < 8e14, f"{name}: {rate:.3g} FLOP/s a chip"
    assert checked >= 8


def test_published_values() -> None:
    chips, llms, nodes, memories = (newest(read(kind)) for kind in ("chips", "llms", "nodes", "memories"))
    assert chips["h100-sxm", "flop_per_s_bf16"] == 989e12
    assert chips["h100-sxm", "tdp_w"] == 700
    assert llms["llama-3.1-405b", "train_chip_hours"] == 30.84e6
    assert llms["llama-3.1-70b", "train_chip_hours"] == 7.0e6
    assert llms["llama-3.1-8b", "train_chip_hours"] == 1.46e6
    assert llms["deepseek-v3", "train_chip_hours"] == 2.788e6
    assert [nodes["n3", variable] for variable in VARIABLES["nodes"]] == [19_500, 0.10, 25e6]
    assert memories["hbm3e", "package_memory_bytes_per_stack"] == 36e9
