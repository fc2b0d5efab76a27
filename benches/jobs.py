"""The jobs: what varies from row to row, what does not, what is asked; and each of them done by tapeout."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

import tapeout
from chain import VARYING as CHAIN

Columns = dict[str, np.ndarray]
Fixed = dict[str, Any]

TRAINING = {
    "train_chip_hours": (1e8, 1e9),
    "train_chip_price_usd": (10e3, 50e3),
    "train_server_overhead": (1.3, 2.1),
    "train_price_age_years": (0.0, 3.0),
    "train_value_decline_oom_per_year": (0.10, 0.18),
    "train_interconnect_share": (0.07, 0.32),
    "train_chip_tdp_w": (250.0, 1400.0),
    "train_server_power_ratio": (1.47, 2.1),
    "train_power_utilization": (0.43, 1.0),
    "train_pue": (1.05, 1.4),
    "electricity_usd_per_kwh": (0.04, 0.25),
    "train_price_index_ratio": (0.9, 1.2),
}
PACKAGE = {
    "die_width_mm": (5.0, 26.0),
    "die_height_mm": (5.0, 33.0),
    "wafer_price_usd": (3e3, 24e3),
    "die_defect_density_per_cm2": (0.04, 0.3),
    "die_cluster_alpha": (1.0, 20.0),
    "die_systematic_yield": (0.85, 1.0),
    "die_test_usd": (5.0, 50.0),
    "memory_usd_per_gb": (8.0, 20.0),
    "package_interposer_usd": (200.0, 1500.0),
    "package_substrate_usd": (50.0, 400.0),
    "package_assembly_usd": (100.0, 600.0),
    "package_yield": (0.85, 0.99),
    "partner_margin_share": (0.0, 0.67),
}
CHIPS = {
    "serve_input_tokens": (500.0, 16e3),
    "serve_output_tokens": (100.0, 8e3),
    "serve_cached_input_share": (0.0, 0.6),
    "chip_flop_per_s_bf16": (1e15, 3e15),
    "chip_flop_per_s_fp8": (2e15, 6e15),
    "chip_memory_bytes": (140e9, 290e9),
    "chip_memory_bytes_per_s": (3e12, 10e12),
    "chip_link_bytes_per_s": (3e11, 1e12),
    "serve_cal_tpot_scale": (0.8, 1.25),
    "serve_cal_ttft_scale": (0.7, 1.4),
    "serve_memory_share": (0.85, 0.95),
}
POINT = {**CHIPS, "serve_concurrency": (1.0, 300.0)}
SEARCH = {**CHIPS, "serve_max_tpot_s": (0.008, 0.1)}

#: Of a model that is served and its engine; the same on all rows.
OF_THE_SERVICE = [
    "llm_layers", "llm_hidden", "llm_kv_heads", "llm_kv_latent_dim", "llm_experts_per_token", "llm_expert_ffn",
    "llm_window_layers", "llm_window_tokens", "llm_linear_layers", "llm_tied_embeddings", "llm_kv_bytes_per_element",
    "llm_attention_params", "llm_dense_params", "llm_expert_params", "llm_expert_active_share", "llm_embedding_params",
    "llm_expert_layers", "llm_kv_bytes_per_token", "llm_state_bytes", "llm_attention_flop_per_pair",
    "serve_step_factor", "serve_host_factor", "serve_start_s", "serve_launch_factor",
]  # fmt: skip


def _reference(without: Mapping[str, Any]) -> Fixed:
    return {name: value for name, value in tapeout.reference().row(0, named=True).items() if name not in without}


def _training() -> Fixed:
    return {"train_amortization": "declining_balance"}


def _package() -> Fixed:
    spare = {"die_units", "die_spare_units", "die_redundant_share", "die_gross_per_wafer"}
    return {
        name: value
        for name, value in _reference(PACKAGE).items()
        if name.startswith(("die_", "package_", "memory_", "wafer_", "partner_", "yield_", "gross_"))
        and name not in spare
    }


def _chain() -> Fixed:
    return _reference(CHAIN)


def _serving() -> Fixed:
    return {"llm": "deepseek-v3", "serve_engine": "sglang", "serve_precision": "fp8"}


def _point() -> Fixed:
    return _serving() | {"serve_tensor_parallel": 8, "serve_data_parallel": 1, "serve_expert_parallel": 8}


def _everything() -> Fixed:
    """Every input without a default at the middle of its typical range, or the reference scenario's."""
    found: Fixed = {}
    for row in tapeout.variables().iter_rows(named=True):
        typical = row["role"] == "input" and row["default"] is None and row["typical_low"] is not None
        # What a chip or a language model is comes from the catalog; a layout is a job's own; a month has no middle.
        named = row["name"].startswith(("llm_", "chip_", "train_chip_flop", "die_width", "die_height"))
        if typical and not named and row["name"] not in (*POINT_OF_ALL, "month"):
            low, high = row["typical_low"], row["typical_high"]
            middle = (low * high) ** 0.5 if low > 0 and high > 4 * low else (low + high) / 2
            found[row["name"]] = float(round(middle)) if row["kind"] == "integer" else middle
    chips = {"llm": "deepseek-v3", "chip": "b200-sxm", "train_chip": "h100-sxm"}
    return found | _reference(CHAIN) | chips


POINT_OF_ALL = {"serve_concurrency": 64.0, "serve_tensor_parallel": 8, "serve_expert_parallel": 8}


def _all_at_a_point() -> Fixed:
    return _everything() | POINT_OF_ALL


def everything(fixed: Fixed) -> tuple[str, ...]:
    """Every number and status that the models give for one scenario, those month by month left out."""
    monthly = ("demand_month", "build_month")
    declared = tapeout.variables().filter(pl.col("role").is_in(["output", "summary"]), ~pl.col("model").is_in(monthly))
    return tuple(name for name in declared["name"] if name not in fixed)


def _search() -> Fixed:
    return _serving() | {"serve_max_chips": 32.0, "serve_max_ttft_s": 10.0}


@dataclass(frozen=True)
class Job:
    """What is timed."""

    title: str
    #: Rows that are timed.
    rows: int
    varying: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    fixed: Callable[[], Fixed] = dict
    #: An output that may cross 0 is compared relative to itself or this one, whichever is larger.
    beside: Mapping[str, str] = field(default_factory=dict)

    def columns(self, rows: int, seed: int = 1) -> Columns:
        """Independent uniform draws."""
        generator = np.random.default_rng(seed)
        return {name: generator.uniform(*ends, rows) for name, ends in self.varying.items()}


JOBS = {
    "training": Job(
        "Training cost, closed form",
        1_000_000,
        TRAINING,
        ("train_cost_usd", "train_cost_real_usd"),
        _training,
    ),
    "package": Job(
        "Die and package",
        500_000,
        PACKAGE,
        ("die_yield", "die_cost_usd", "package_pass_share", "asic_unit_price_usd"),
        _package,
    ),
    "chain": Job(
        "The whole chain: programme, die, package, build over 120 months",
        50_000,
        CHAIN,
        ("build_npv_usd", "build_npv_sd_usd", "train_cost_usd", "decision"),
        _chain,
        {"build_npv_usd": "build_npv_sd_usd"},
    ),
    "point": Job(
        "Serving, one layout and load",
        200_000,
        POINT,
        ("serve_tpot_s", "serve_ttft_s", "serve_tokens_per_s_per_chip"),
        _point,
    ),
    "search": Job(
        "Serving, search of 192 layouts and loads",
        8_000,
        SEARCH,
        ("serve_concurrency", "serve_tensor_parallel", "serve_data_parallel", "serve_expert_parallel"),
        _search,
    ),
    "all": Job("All models at once", 100_000, CHAIN, (), _all_at_a_point),
    "all_search": Job("All models at once, with the search", 5_000, CHAIN, (), _everything),
}  # fmt: skip


def tapeout_call(job: Job, columns: Columns) -> Callable[[], pl.DataFrame]:
    """The job by tapeout, from a Polars frame to a Polars frame."""
    frame, assume = pl.DataFrame(columns), job.fixed()
    outputs = list(job.outputs or everything(assume))
    return lambda: tapeout.evaluate(frame, outputs, assume=assume)


def numbers(frame: pl.DataFrame, outputs: tuple[str, ...]) -> Columns:
    """Outputs as numbers, null as NaN; a decision to build is 1, to buy 0."""

    def number(column: pl.Series) -> pl.Series:
        return (column.cast(pl.String) == "build" if column.name == "decision" else column).cast(pl.Float64)

    return {name: number(frame[name]).fill_null(float("nan")).to_numpy() for name in outputs}


def constants(job: Job) -> dict[str, float]:
    """What no row changes, as the twins take it: assumptions, what catalog entries say, defaults, and what follows."""
    assume = job.fixed()
    found = {
        row["name"]: float(row["default"])
        for row in tapeout.variables().iter_rows(named=True)
        if row["kind"] in ("number", "integer") and row["default"] not in (None, "")
    }
    found |= {name: float(value) for name, value in assume.items() if isinstance(value, (bool, int, float))}
    if "llm" in assume:
        for name in OF_THE_SERVICE:
            row = pl.DataFrame({key: [value] for key, value in assume.items() if key in ("llm", "serve_engine")})
            found[name] = float(tapeout.evaluate(row, name)[name][0])
    if isinstance(assume.get("train_start_date"), datetime.date):
        found["train_price_age_years"] = (assume["train_start_date"] - assume["train_price_date"]).days / 365.25
    return {name: value for name, value in found.items() if name not in job.varying}
