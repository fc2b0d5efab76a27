"""Rows for every model, as its own kernel reads them: typical values, and what the models before it make of them.

Inputs are drawn from their typical ranges, or near the reference scenario's value where there is none; chips and
sizes of a model are the catalog's; choices are the defaults. The same rows in any process: counts and times of
kernels are taken on them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

import tapeout

SEED = 20261126
MONTHS = 120
KEYS = {
    "llm": ["llama-3.1-405b", "deepseek-v3"],
    "chip": ["h100-sxm", "h200-sxm", "b200-sxm"],
    "train_chip": ["h100-sxm", "b200-sxm"],
    "asic": ["h200-sxm"],
    "second_chip": ["b200-sxm"],
    "third_chip": ["h200-sxm"],
}
PARTS = {"build": ["build_npv_usd", "build_npv_sd_usd"]}  # what most callers ask of it
LAYOUT = {  # of training runs that chips hold and layers divide by
    "train_tensor_parallel": [8],
    "train_pipeline_parallel": [2],
    "train_data_parallel": [64, 128, 256, 512],
    "train_expert_parallel": [1],
    "train_context_parallel": [1],
    "train_interleave": [1],
    "train_micro_batch": [1, 2],
    "train_global_batch": [1024, 2048, 4096],
    "train_sequence_length": [4096, 8192],
}
AGAIN = ("asic_", "second_", "third_")  # what the names of models begin with that run another's code
NEAR = (0.9, 1.1)  # of the reference scenario's value, where there is no typical range


def _drawn(variable: dict[str, Any], reference: Any, count: int) -> pl.Series | None:
    """Values of one input; None where it has no range, no reference and so only a default, or none."""
    name, kind, low, high = (variable[field] for field in ("name", "kind", "low", "high"))
    # By its name: another variable more or less leaves its values as they are.
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    if layouts := LAYOUT.get(name):
        return pl.Series(name, generator.choice(layouts, count))
    if kind == "date":
        days = [timedelta(days=int(day)) for day in generator.integers(365, size=count)]
        return None if reference is None else pl.Series(name, [reference + day for day in days])
    if kind in ("choice", "boolean", "key"):
        return None
    if variable["typical_low"] is not None:
        ends = (variable["typical_low"], variable["typical_high"])
    elif isinstance(reference, (int, float)):
        ends = (reference * NEAR[0], reference * NEAR[1])
    else:
        return None
    values = np.clip(generator.uniform(*ends, count), low, high)
    return pl.Series(name, np.rint(values).astype(np.int64) if kind == "integer" else values)


def scenarios(count: int) -> pl.DataFrame:
    """A value for every input of every model that a range, a catalog or the reference scenario has one for."""
    reference = tapeout.reference().row(0, named=True)
    columns = [pl.Series(key, [entries[i % len(entries)] for i in range(count)]) for key, entries in KEYS.items()]
    filled = set(tapeout.catalog("llms")["variable"])
    filled |= {f"{prefix}_{name}" for prefix in KEYS for name in tapeout.catalog("chips")["variable"]}
    filled -= {"train_chip_hours", "train_tokens"}
    for variable in tapeout.variables().iter_rows(named=True):
        known = reference.get(variable["name"])
        if known is None and (variable["name"] in filled or variable["role"] != "input"):
            continue
        if (drawn := _drawn(variable, known, count)) is not None:
            columns.append(drawn)
    return pl.DataFrame(columns)


def runs_again(model: str) -> bool:
    """Whether it is another model's code, for a further chip."""
    names = set(tapeout.models()["name"])
    return any(model.startswith(prefix) and model.removeprefix(prefix) in names for prefix in AGAIN)


@dataclass(frozen=True)
class Kernel:
    """A model and what it is run on."""

    model: str
    columns: dict[str, np.ndarray[Any, Any]]
    """Its numbers, as the core reads them."""
    choices: dict[str, int]
    outputs: list[str]
    """What is asked for."""
    all_outputs: bool


def kernels(count: int) -> list[Kernel]:
    """Every model with all its outputs, and those of which `PARTS` has a part.

    A row that has no value for an input takes another row's: a combination that can't be is null. A monthly model has
    every month of one scenario after the other's.
    """
    frame = scenarios(count)
    declared = {variable["name"]: variable for variable in tapeout.variables().iter_rows(named=True)}
    found: dict[str, np.ndarray[Any, Any]] = {}
    rows = []
    for model in tapeout.models().iter_rows(named=True):
        if runs_again(model["name"]):
            continue
        choices = {
            name: declared[name]["choices"].index(declared[name]["default"])
            for name in model["inputs"]
            if declared[name]["kind"] in ("choice", "boolean")
        }
        numbers = [name for name in model["inputs"] if name not in choices]
        for name in numbers:
            if name not in found and name != "month":
                series = tapeout.evaluate(frame, [name], on_invalid="null")[name].drop_nulls()
                if series.is_empty():
                    raise ValueError(f"{model['name']} reads {name}, which has a value on no row")
                found[name] = np.resize(series.to_physical().cast(pl.Float64).to_numpy(), count)
        columns = {name: found[name] for name in numbers if name != "month"}
        if "month" in numbers:
            columns = {name: np.repeat(values, MONTHS)[:count] for name, values in columns.items()}
            columns["month"] = np.resize(np.arange(MONTHS, dtype=np.float64), count)
        columns = {name: columns[name] for name in numbers}
        rows.append(Kernel(model["name"], columns, choices, model["outputs"], True))
        if part := PARTS.get(model["name"]):
            rows.append(Kernel(model["name"], columns, choices, part, False))
    return rows
