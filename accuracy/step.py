"""`step` and `step_memory` against measured training steps, beside two simulators on the same runs.

`training_measured_megatron.csv` (Megatron on A100: Korthikanti et al., Narayanan et al., MT-NLG; with the step times
that Calculon predicts for some) and `training_measured_b200.csv` (Megatron-LM on B200, with SimuMax's predictions).

What the files leave out is taken from the runs' own descriptions: micro-batch and chunks of Narayanan et al. from
examples/sc21/run_table_1.sh of Megatron-LM, gradients in 16 bits with fp16 and without a distributed optimizer before
2023; DeepSeek-V2 from its config.json, with its first layer dense.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import least_squares

import tapeout
from accuracy.subject import Array, Subject, percent, read
from tapeout._calibrate import Error

MEGATRON, B200 = "training_measured_megatron.csv", "training_measured_b200.csv"
A100, BLACKWELL = "a100-sxm-80gb", "b200-sxm"
#: Mean error, in sample.
LIMITS = {A100: 0.05, BLACKWELL: 0.07}
MEMORY_LIMIT = 0.05
USUAL_MFU = 0.4
GIB = 2.0**30
# Sequences of a micro-batch and chunks of a stage.
SC21 = {"GPT 1.7B": (16, 1), "GPT 3.6B": (16, 1), "GPT 7.5B": (16, 1), "GPT 39.1B": (4, 1), "GPT 145.6B": (2, 2)} | {
    "GPT 529.6B": (1, 3)
}
LLAMA_70B = {
    "llm_hidden": 8192,
    "llm_heads": 64,
    "llm_kv_heads": 8,
    "llm_head_dim": 128,
    "llm_ffn": 28672,
    "llm_vocab": 128_256,
}
DEEPSEEK_V2 = {
    "llm_hidden": 5120,
    "llm_heads": 128,
    "llm_kv_heads": 128,
    "llm_head_dim": 128,
    "llm_ffn": 12288,
    "llm_vocab": 102_400,
    "llm_experts": 160,
    "llm_experts_per_token": 6,
    "llm_shared_experts": 2,
    "llm_expert_ffn": 1536,
    "llm_dense_layers": 1,
    "llm_kv_latent_dim": 512,
    "llm_query_latent_dim": 1536,
    "llm_rope_head_dim": 64,
    "llm_value_head_dim": 128,
}
DEGREES = {
    "train_tensor_parallel": "tp",
    "train_pipeline_parallel": "pp",
    "train_data_parallel": "dp",
    "train_global_batch": "global_batch",
    "train_sequence_length": "seq_len",
    "llm_layers": "layers",
}
# Constants: where a fit that leaves rows out begins (a round number), how far a fit may take it from there (a
# logarithm), and whether it is a chip's own.
FITTED = {
    "train_chip_gemm_efficiency": (0.6, 0.2, True),
    "train_chip_attention_efficiency": (0.5, 0.3, True),
    "train_chip_link_efficiency": (0.6, 0.3, True),
    "train_memory_passes": (6.0, 0.4, False),
    "train_network_efficiency": (0.8, 0.2, False),
    "train_kernel_s": (15e-6, 0.5, False),
    "train_collective_s": (10e-6, 0.5, False),
    "train_gradient_exposed_share": (0.5, 0.15, False),
    "train_straggler_share": (0.01, 0.5, False),
}
PRIOR_WEIGHT = 0.03  # of a constant moved by its distance, against a relative error
LINEAR_FROM = 0.01  # errors weigh by their squares below and by their size above
ROOFLINE, RULE = "roofline, data-sheet peak", f"rule of thumb, {100 * USUAL_MFU:.0f} % MFU"
IN_SAMPLE, EACH, SERIES, FOREIGN = "in sample", "each run left out", "series left out", "constants of the other chip"
PEERS = {A100: "Calculon", BLACKWELL: "SimuMax"}
Run = dict[str, Any]
Constants = dict[tuple[str, str], float]


def megatron(row: dict[str, str]) -> Run | None:
    """A run of the first file, None where no time was measured."""
    if not row["measured_iter_s"]:
        return None
    micro_batch, interleave = SC21.get(row["model"], (1, 1))
    korthikanti = row["source"].startswith("Korthikanti")
    inputs: Run = {name: int(row[column]) for name, column in DEGREES.items()}
    inputs |= {
        "llm_hidden": int(row["d_model"]),
        "llm_heads": int(row["heads"]),
        "llm_kv_heads": int(row["heads"]),
        "llm_head_dim": int(row["d_model"]) // int(row["heads"]),
        "llm_ffn": int(row["ffn"]),
        "llm_ffn_matrices": 2,
        "llm_vocab": int(row["vocab"]),
        "llm_tied_embeddings": 1,
        "train_micro_batch": int(row["micro_batch"] or micro_batch),
        "train_interleave": int(row["vpp_interleave"] or interleave),
        "train_recompute": "full" if row["recompute"] == "full" else "selective",
        "train_sequence_parallel": "sequence_parallel" in row["recompute"],
        "train_dropout": True,
        "train_zero_stage": 0,
        "train_gradient_bytes": 2.0 if row["precision"] == "fp16" else 4.0,
        "train_chip": A100,
    }
    return {
        "inputs": inputs,
        "name": f"{row['model']}, {row['n_gpus']} chips, {inputs['train_recompute']} recompute",
        "llm": row["model"],
        "series": row["source"].split(" ")[0] + " et al.",
        "s": float(row["measured_iter_s"]),
        "peer": 1 + float(row["calculon_err_pct"]) / 100 if row["calculon_err_pct"] else np.nan,
        "mfu": float(row["mfu_pct"]) / 100 if korthikanti and row["mfu_pct"] else None,
        "bytes": np.nan,
        "peer_bytes": np.nan,
    }


def b200(row: dict[str, str]) -> Run:
    """A run of the second file."""
    inputs: Run = {name: int(row[column]) for name, column in DEGREES.items()}
    inputs |= DEEPSEEK_V2 if row["model"].startswith("DeepSeek") else LLAMA_70B
    inputs |= {
        "train_micro_batch": int(row["micro_batch"]),
        "train_context_parallel": int(row["cp"]),
        "train_expert_parallel": int(row["ep"]),
        "train_chip": BLACKWELL,
    }
    peak = float(row["measured_peak_alloc_GiB"]) * GIB
    return {
        "inputs": inputs,
        "name": row["case"].replace("_", " "),
        "llm": row["model"],
        "series": f"SimuMax, {row['model']}",
        "s": float(row["measured_iter_ms"]) / 1000,
        "peer": 1 + float(row["simumax_err_pct"]) / 100,
        "mfu": None,
        "bytes": peak,
        "peer_bytes": float(row["simumax_peak_alloc_GiB"]) * GIB / peak,
    }


def predicted(runs: list[Run], constants: list[dict[str, float]] | None = None) -> pl.DataFrame:
    """Outputs of each run, by the catalog or by constants of one's own."""
    lines = [run["inputs"] | (constants[k] if constants else {}) for k, run in enumerate(runs)]
    frame = pl.DataFrame(lines, infer_schema_length=None)
    return tapeout.evaluate(frame, ["train_step_s", "train_memory_bytes", "train_mfu", "train_status"])


def present() -> Constants:
    """The constants as declared or in the catalog, by name and chip."""
    catalog = {(n, v): x for n, v, x in tapeout.catalog("chips").select("name", "variable", "value").iter_rows()}
    declared = dict(tapeout.variables().select("name", "default").iter_rows())
    return {
        (name, chip): catalog[chip, name.removeprefix("train_chip_")] if own else float(declared[name])
        for name, (_, _, own) in FITTED.items()
        for chip in (LIMITS if own else [""])
    }


def neutral() -> Constants:
    """Where a fit begins that is to know nothing of a run."""
    return {(name, chip): FITTED[name][0] for name, chip in present()}


def by_chip(constants: Constants, chip: str) -> dict[str, float]:
    return {name: value for (name, of), value in constants.items() if of in ("", chip)}


def fit(runs: list[Run], start: Constants) -> Constants:
    """Constants that make the error small, near where they are."""
    keys = list(start)
    allowed = np.array([FITTED[name][1] for name, _ in keys])
    measured = np.array([run["s"] for run in runs])

    def residuals(points: Array) -> Array:
        """For each point the weighed errors and the distances from the start; all points in one frame."""
        many = []
        for point in points:
            moved = {key: start[key] * float(np.exp(x)) for key, x in zip(keys, point, strict=True)}
            many += [by_chip(moved, run["inputs"]["train_chip"]) for run in runs]
        seconds = predicted(runs * len(points), many)["train_step_s"].to_numpy().reshape(len(points), -1)
        error = seconds / measured - 1
        soft = LINEAR_FROM * np.sign(error) * np.sqrt(2 * (np.sqrt(1 + (error / LINEAR_FROM) ** 2) - 1))
        return np.concatenate([soft, PRIOR_WEIGHT * points / allowed], axis=1)

    def slopes(point: Array) -> Array:
        step = 1e-5
        moved: Array = residuals(point + step * np.eye(len(keys))) - residuals(point[None])
        return moved.T / step

    found = least_squares(lambda point: residuals(point[None])[0], np.zeros(len(keys)), slopes)
    return {key: start[key] * float(np.exp(x)) for key, x in zip(keys, found.x, strict=True)}


def left_out(runs: list[Run], names: list[str]) -> Array:
    """Seconds of each run by constants fitted to the runs of other names."""
    seconds = np.empty(len(runs))
    for name in dict.fromkeys(names):
        constants = fit([run for run, own in zip(runs, names, strict=True) if own != name], neutral())
        inside = [k for k, own in enumerate(names) if own == name]
        own = [runs[k] for k in inside]
        seconds[inside] = predicted(own, [by_chip(constants, run["inputs"]["train_chip"]) for run in own])[
            "train_step_s"
        ]
    return seconds


def subjects(folder: Path) -> list[Subject]:
    columns = {*DEGREES.values(), "model", "micro_batch"}
    first = read(folder, MEGATRON, columns | {"source", "measured_iter_s", "calculon_err_pct", "mfu_pct", "recompute"})
    second = read(folder, B200, columns | {"case", "cp", "ep", "measured_iter_ms", "measured_peak_alloc_GiB"})
    runs = [run for row in first.fill_null("").iter_rows(named=True) if (run := megatron(row)) is not None]
    runs += [b200(row) for row in second.fill_null("").iter_rows(named=True)]

    start = present()
    best = fit(runs, start)
    answers = predicted(runs)
    seconds = answers["train_step_s"].to_numpy()
    measured = np.array([run["s"] for run in runs])
    peer = np.array([run["peer"] for run in runs])
    chips = np.array([run["inputs"]["train_chip"] for run in runs])
    other = {A100: BLACKWELL, BLACKWELL: A100}
    foreign = predicted(runs, [by_chip(start, other[chip]) for chip in chips])["train_step_s"].to_numpy()
    ways = {
        ROOFLINE: seconds * answers["train_mfu"].to_numpy(),
        RULE: seconds * answers["train_mfu"].to_numpy() / USUAL_MFU,
        IN_SAMPLE: seconds,
        EACH: left_out(runs, [str(k) for k in range(len(runs))]),
        SERIES: left_out(runs, [run["series"] for run in runs]),
        FOREIGN: foreign,
    }
    for chip, name in PEERS.items():
        compared = (chips == chip) & np.isfinite(peer)
        ways[f"{name}"] = np.where(compared, peer * measured, np.nan)
        ways[f"in sample, the runs of {name}"] = np.where(compared, seconds, np.nan)
        ways[f"each run left out, the runs of {name}"] = np.where(compared, ways[EACH], np.nan)

    labels = pl.DataFrame(
        {
            "chip": chips,
            "series": [run["series"] for run in runs],
            "tensor parallel": [run["inputs"]["train_tensor_parallel"] for run in runs],
            "chips": [
                "8" if (count := count_chips(run["inputs"])) == 8 else "32 to 512" if count <= 512 else "above 512"
                for run in runs
            ],
            "run": [run["name"] for run in runs],
        }
    ).with_columns(pl.col("chips").cast(pl.Enum(["8", "32 to 512", "above 512"])))
    mine = {chip: Error.of(seconds[chips == chip], measured[chips == chip]).mean for chip in LIMITS}
    step = Subject(
        key="step",
        title="Training step",
        text=f"{(chips == A100).sum()} runs of Megatron on A100 (Korthikanti et al. 2022, table 5; Narayanan et al. "
        f"2021, table 1; Smith et al. 2022, MT-NLG), from 8 to 3,360 chips, and {(chips == BLACKWELL).sum()} of "
        "Megatron-LM on eight B200 (SimuMax v1.2, 2026-05-01: Llama-3-70B of 12 layers, DeepSeek-V2 of 4). "
        "Three constants are a chip's own, six are shared. Fits that leave runs out begin at round numbers. "
        f"'{SERIES}': all runs of a paper, on B200 all of a model. '{FOREIGN}': what a chip without "
        "measurements would get. The arithmetic of a roofline is Megatron's count. Runs without a published "
        "time are not here; those of H100 are none: its constants in the catalog are a judgement.",
        unit=("s", 1.0),
        labels=labels,
        measured=measured,
        predicted=ways,
        in_sample=IN_SAMPLE,
        held_out=SERIES,
        roofline=ROOFLINE,
        by={"chip": EACH, "series": EACH, "tensor parallel": None, "chips": None},
        remarks=each_run(runs, ways),
        details=[
            "constants fitted to all runs",
            *(f"  {name:<34} {of:<14} {x:9.4g}  now {start[name, of]:.4g}" for (name, of), x in best.items()),
            *(
                f"  MFU of {run['name']}: published {run['mfu']:.1%}, here {answers['train_mfu'][k]:.1%}"
                for k, run in enumerate(runs)
                if run["mfu"] is not None
            ),
        ],
        failures=[
            f"step on {chip}: mean {mean:.1%}, limit {LIMITS[chip]:.0%}"
            for chip, mean in mine.items()
            if not mean <= LIMITS[chip]
        ],
    )
    with_memory = np.array([bool(np.isfinite(run["bytes"])) for run in runs])
    peak = np.array([run["bytes"] for run in runs])[with_memory]
    here = answers["train_memory_bytes"].to_numpy()[with_memory]
    theirs = np.array([run["peer_bytes"] for run in runs])[with_memory] * peak
    largest = float(np.abs(here / peak - 1).max())
    memory = Subject(
        key="memory",
        title="Memory of a training step",
        text=f"Peak allocation of the {len(peak)} runs on B200, {len(np.unique(peak))} different ones: more "
        "micro-batches need no more. Nothing is fitted.",
        unit=("GiB", 1 / GIB),
        labels=labels.filter(pl.Series(with_memory)),
        measured=peak,
        predicted={"nothing fitted": here, "SimuMax": theirs},
        in_sample="nothing fitted",
        held_out="nothing fitted",
        roofline=None,
        plotted=False,
        by={"series": "SimuMax"},
        failures=[] if largest <= MEMORY_LIMIT else [f"memory: worst {largest:.1%}, limit {MEMORY_LIMIT:.0%}"],
    )
    return [step, memory]


def count_chips(inputs: Run) -> int:
    degrees = ("train_tensor_parallel", "train_pipeline_parallel", "train_data_parallel")
    product = 1
    for name in degrees:
        product *= inputs[name]
    return product * int(inputs.get("train_context_parallel", 1))


def each_run(runs: list[Run], ways: dict[str, Array]) -> list[str]:
    """A table of the errors of each run."""
    lines = [f"| run | {IN_SAMPLE} | {EACH} | {SERIES} | Calculon or SimuMax |", "|---|--:|--:|--:|--:|"]
    for k, run in enumerate(runs):
        cells = [percent(ways[way][k] / run["s"] - 1, True) for way in (IN_SAMPLE, EACH, SERIES)]
        lines.append(f"| {run['name']} | {' | '.join(cells)} | {percent(run['peer'] - 1, True)} |")
    return ["Errors of each run, per cent:", "", *lines]
