"""How far `step` and `step_memory` are from measured training steps, beside two simulators on the same runs.

    python tests/accuracy_step.py FOLDER [--fit]

FOLDER has `training_measured_megatron.csv` (Megatron on A100: Korthikanti et al., Narayanan et al., MT-NLG; with the
step times that Calculon predicts for some) and `training_measured_b200.csv` (Megatron-LM on B200, with SimuMax's
predictions). The files are not part of this project. `--fit` fits the constants of the catalog and of the declarations
again, prints them, and gives the errors of each row by constants that were fitted without it.

What the files leave out is taken from the runs' own descriptions: micro-batch and chunks of Narayanan et al. from
examples/sc21/run_table_1.sh of Megatron-LM, gradients in 16 bits with fp16 and without a distributed optimizer before
2023; DeepSeek-V2 from its config.json, with its first layer dense. The exit code is 0 if the mean errors are within the
limits below, 1 if not, 2 if there is nothing to compare.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import least_squares

import tapeout

MEGATRON, B200 = "training_measured_megatron.csv", "training_measured_b200.csv"
LIMITS = {MEGATRON: 0.05, B200: 0.07}
MEMORY_LIMIT = 0.05
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
# Constants, how far a fit may take them from their present values (a logarithm), and the chip they are of.
FITTED = {
    "train_chip_gemm_efficiency": (0.2, True),
    "train_chip_attention_efficiency": (0.3, True),
    "train_chip_link_efficiency": (0.3, True),
    "train_memory_passes": (0.4, False),
    "train_network_efficiency": (0.2, False),
    "train_kernel_s": (0.5, False),
    "train_collective_s": (0.5, False),
    "train_gradient_exposed_share": (0.15, False),
    "train_straggler_share": (0.5, False),
}
PRIOR_WEIGHT = 0.03  # of a constant moved by its distance, against a relative error
LINEAR_FROM = 0.01  # errors weigh by their squares below and by their size above
Run = dict[str, Any]


def megatron(row: dict[str, str]) -> Run | None:
    """A run of the first file, None where no time was measured."""
    if not row["measured_iter_s"]:
        return None
    micro_batch, interleave = SC21.get(row["model"], (1, 1))
    korthikanti = row["source"].startswith("Korthikanti")
    run: Run = {name: int(row[column]) for name, column in DEGREES.items()}
    run |= {
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
        "train_chip": "a100-sxm-80gb",
    }
    name = f"{row['model']}, {row['n_gpus']} chips, {run['train_recompute']}"
    mfu = float(row["mfu_pct"]) / 100 if korthikanti and row["mfu_pct"] else None
    peer = float(row["calculon_err_pct"]) / 100 if row["calculon_err_pct"] else None
    return {"inputs": run, "name": name, "s": float(row["measured_iter_s"]), "peer": peer, "bytes": None, "mfu": mfu}


def b200(row: dict[str, str]) -> Run:
    """A run of the second file."""
    run: Run = {name: int(row[column]) for name, column in DEGREES.items()}
    run |= DEEPSEEK_V2 if row["model"].startswith("DeepSeek") else LLAMA_70B
    run |= {
        "train_micro_batch": int(row["micro_batch"]),
        "train_context_parallel": int(row["cp"]),
        "train_expert_parallel": int(row["ep"]),
        "train_chip": "b200-sxm",
    }
    peak = float(row["measured_peak_alloc_GiB"]) * GIB
    peer, peer_bytes = float(row["simumax_err_pct"]) / 100, float(row["simumax_peak_alloc_GiB"]) * GIB / peak - 1
    measured = {"s": float(row["measured_iter_ms"]) / 1000, "bytes": peak, "mfu": None}
    return {"inputs": run, "name": row["case"], "peer": peer, "peer_bytes": peer_bytes, **measured}


def predicted(runs: list[Run], constants: list[dict[str, float]] | None = None) -> pl.DataFrame:
    """Outputs of each run, by the catalog or by constants of one's own."""
    lines = [run["inputs"] | (constants[k] if constants else {}) for k, run in enumerate(runs)]
    frame = pl.DataFrame(lines, infer_schema_length=None)
    return tapeout.evaluate(frame, ["train_step_s", "train_memory_bytes", "train_mfu", "train_status"])


def present(chips: list[str]) -> dict[tuple[str, str], float]:
    """The constants as declared or in the catalog, by name and chip."""
    catalog = {(n, v): x for n, v, x in tapeout.catalog("chips").select("name", "variable", "value").iter_rows()}
    declared = dict(tapeout.variables().select("name", "default").iter_rows())
    return {
        (name, chip): catalog[chip, name.removeprefix("train_chip_")] if own else float(declared[name])
        for name, (_, own) in FITTED.items()
        for chip in (chips if own else [""])
    }


def fit(runs: list[Run], start: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Constants that make the error small, near where they are."""
    keys = list(start)
    allowed = np.array([FITTED[name][0] for name, _ in keys])
    measured = np.array([run["s"] for run in runs])

    def constants(moved: np.ndarray[Any, Any], chip: str) -> dict[str, float]:
        return {
            name: start[name, of] * float(np.exp(x))
            for (name, of), x in zip(keys, moved, strict=True)
            if of in ("", chip)
        }

    def residuals(points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """For each point the weighed errors and the distances from the start; all points in one frame."""
        many = [constants(point, run["inputs"]["train_chip"]) for point in points for run in runs]
        seconds = predicted(runs * len(points), many)["train_step_s"].to_numpy().reshape(len(points), -1)
        error = seconds / measured - 1
        soft = LINEAR_FROM * np.sign(error) * np.sqrt(2 * (np.sqrt(1 + (error / LINEAR_FROM) ** 2) - 1))
        return np.concatenate([soft, PRIOR_WEIGHT * points / allowed], axis=1)

    def slopes(point: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        step = 1e-5
        moved: np.ndarray[Any, Any] = residuals(point + step * np.eye(len(keys))) - residuals(point[None])
        return moved.T / step

    found = least_squares(lambda point: residuals(point[None])[0], np.zeros(len(keys)), slopes)
    return {key: start[key] * float(np.exp(x)) for key, x in zip(keys, found.x, strict=True)}


def by_chip(constants: dict[tuple[str, str], float], chip: str) -> dict[str, float]:
    return {name: value for (name, of), value in constants.items() if of in ("", chip)}


def mean(errors: list[float]) -> float:
    return float(np.mean(np.abs(errors)))


def show(file: str, runs: list[Run], without: list[float] | None) -> bool:
    """Prints a file's rows; whether they are within the limits."""
    answers = predicted(runs)
    peer = "Calculon" if file == MEGATRON else "SimuMax"
    print(f"{file}: {len(runs)} runs\n  {'run':<52} {'measured':>10} {'here':>10} {'error':>8} {peer:>9}")
    errors = []
    for run, answer in zip(runs, answers.iter_rows(named=True), strict=True):
        if answer["train_step_s"] is None:
            print(f"  {run['name']:<52} no step: {answer['train_status']}")
            errors.append(float("inf"))
            continue
        errors.append(answer["train_step_s"] / run["s"] - 1)
        other = f"{run['peer']:+8.1%}" if run["peer"] is not None else ""
        print(f"  {run['name']:<52} {run['s']:>8.3f} s {answer['train_step_s']:>8.3f} s {errors[-1]:>+8.1%} {other:>9}")
    compared = [k for k, run in enumerate(runs) if run["peer"] is not None]
    print(f"  mean error of the step {mean(errors):.1%}, allowed {LIMITS[file]:.0%}; worst {max(map(abs, errors)):.1%}")
    ours, theirs = mean([errors[k] for k in compared]), mean([runs[k]["peer"] for k in compared])
    print(f"  on the {len(compared)} rows with a prediction of {peer}: here {ours:.1%}, {peer} {theirs:.1%}")
    if without is not None:
        print(f"  mean error of a row by constants fitted without it {mean(without):.1%}")
    good = mean(errors) <= LIMITS[file]
    for k, run in enumerate(runs):
        if run["mfu"] is not None:
            print(f"  MFU of {run['name']}: published {run['mfu']:.1%}, here {answers['train_mfu'][k]:.1%}")
    if all(run["bytes"] is not None for run in runs):
        memory = [answers["train_memory_bytes"][k] / run["bytes"] - 1 for k, run in enumerate(runs)]
        worst = max(map(abs, memory))
        print(f"  peak memory: mean error {mean(memory):.1%}, worst {worst:.1%}, allowed {MEMORY_LIMIT:.0%}", end="")
        print(f"; {peer} {mean([run['peer_bytes'] for run in runs]):.1%}")
        good = good and worst <= MEMORY_LIMIT
    return good


def main(arguments: list[str]) -> int:
    again = "--fit" in arguments
    folders = [argument for argument in arguments if argument != "--fit"]
    if len(folders) != 1:
        print("usage: python tests/accuracy_step.py FOLDER [--fit]", file=sys.stderr)
        return 2
    runs: dict[str, list[Run]] = {}
    for file, read in ((MEGATRON, megatron), (B200, b200)):
        path = Path(folders[0]) / file
        if not path.is_file():
            print(f"{path} is not there", file=sys.stderr)
            return 2
        table = pl.read_csv(path, infer_schema=False).fill_null("")
        runs[file] = [run for row in table.iter_rows(named=True) if (run := read(row)) is not None]
    everything = [run for file in runs.values() for run in file]
    left_out: dict[str, list[float] | None] = dict.fromkeys(runs)
    if again:
        chips = list(dict.fromkeys(run["inputs"]["train_chip"] for run in everything))
        start = present(chips)
        best = fit(everything, start)
        for (name, chip), value in best.items():
            print(f"{name:<34} {chip:<14} {value:9.4g}  now {start[name, chip]:.4g}")
        errors = []
        for k, run in enumerate(everything):
            rest = fit(everything[:k] + everything[k + 1 :], best)
            seconds = predicted([run], [by_chip(rest, run["inputs"]["train_chip"])])["train_step_s"][0]
            errors.append(seconds / run["s"] - 1)
        count = len(runs[MEGATRON])
        left_out = {MEGATRON: errors[:count], B200: errors[count:]}
    good = [show(file, runs[file], left_out[file]) for file in runs]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
