"""`serving` against measured benchmarks: times of an output token (TPOT) and of the first token (TTFT).

`serving_measured.csv`: one benchmark run a row, of public sets (InferenceX by SemiAnalysis, AIConfigurator's silicon
sample by NVIDIA, Apache 2.0), layouts corrected, rows that can't be used marked in `excluded`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from accuracy.subject import Array, Subject, ranges, read
from tapeout import _calibrate
from tapeout._calibrate import TPOT, TTFT, Bench, Error
from tapeout.declarations import declared

FILE = "serving_measured.csv"
MILLISECONDS = 1e-3
NUMBERS = {
    "serve_input_tokens": "input_tokens_mean",
    "serve_output_tokens": "output_tokens_mean",
    "serve_concurrency": "concurrency",
    "serve_tensor_parallel": "tensor_parallel",
    "serve_data_parallel": "attention_data_parallel",
    "serve_expert_parallel": "expert_parallel",
    "serve_attention_weight_bytes": "bytes_per_attention_weight",
    "serve_dense_weight_bytes": "bytes_per_dense_weight",
    "serve_expert_weight_bytes": "bytes_per_expert_weight",
    "serve_head_weight_bytes": "bytes_per_head_weight",
    "serve_kv_bytes_per_element": "bytes_per_kv_element",
    "serve_engine_months": "month_since_2026_01",
}
WITHOUT_FP4 = ("h100-sxm", "h200-sxm")
#: Rows whose exclusion is not by label or physics alone: put back, they show what cleaning is worth.
UNDECIDED = ("R5b", "R6", "R7")
#: No time that no roof explains.
ROOFS_ALONE = {
    **dict.fromkeys(("serve_cal_format_exponent", "serve_cal_month_factor", "serve_cal_prompt_expert_factor"), 1.0),
    **dict.fromkeys(
        ("serve_cal_layer_s", "serve_cal_expert_layer_s", "serve_cal_collective_s", "serve_cal_host_s"), 0.0
    ),
    "serve_cal_expert_slice": 0.0,
    **dict.fromkeys((name for name in _calibrate.PRIORS[TTFT] if name.endswith("_s")), 0.0),
    "serve_cal_first_steps": 0.0,
    "serve_cal_first_prompt_factor": 1.0,
    "serve_cal_queue_factor": 0.0,
    "serve_cal_burst_share": 0.0,
    "serve_cal_first_data_factor": 1.0,
}
SHARES = {name: 1.0 for name, row in declared().items() if name.startswith("serve_cal_") and name.endswith("_share")}
#: A roofline as textbooks have it, with data-sheet peaks or with usual efficiencies.
PEAKS = SHARES | ROOFS_ALONE
USUAL = (
    dict.fromkeys(("serve_cal_weight_read_share", "serve_cal_expert_read_share", "serve_cal_kv_read_share"), 0.8)
    | dict.fromkeys(("serve_cal_prompt_flop_share", "serve_cal_attention_flop_share"), 0.5)
    | {"serve_cal_decode_flop_share": 0.7}
    | ROOFS_ALONE
)
ROOFLINE, USUAL_ROOFLINE = "roofline, data-sheet peaks", "roofline, usual efficiencies"
IN_SAMPLE, GROUPS = "in sample", "groups left out"
#: Columns of which each label is left out in turn.
LEFT_OUT = {"chip": "chip left out", "engine": "engine left out", "llm": "model left out"}
SCALED, PUT_BACK = "groups left out, three rows as scale", "groups left out, undecided rows too"
#: What the same form of model reached when its terms were chosen, and a little. Some sixty forms had been tried on such
#: folds, so that a point may be added for selection.
LIMITS = {
    TPOT: {
        GROUPS: (10.5, 15.5),
        LEFT_OUT["chip"]: (11.5, 17.0),
        LEFT_OUT["llm"]: (13.5, 19.0),
        SCALED: (8.5, 12.0),
        PUT_BACK: (12.0, 18.0),
    },
    TTFT: {GROUPS: (25.0, 35.0)},
}
COVERED = (0.85, 0.95)
SEEDS = 3
RULES = {
    "R2": "replicas unknown",
    "R3": "an impossible layout",
    "R5": "speculative decoding by the published recipe, or not decidable",
    "R6": "faster than memory allows",
    "R7": "more arithmetic than chips reach",
}
RANGES = {
    "requests under way": ("serve_concurrency", [4, 16, 32, 128]),
    "prompt tokens": ("serve_input_tokens", [600, 2000, 5000]),
    "chips a replica": ("chips", [1, 2, 4]),
    "chips that share experts": ("serve_expert_parallel", [1, 2, 4]),
}


def frame_of(table: pl.DataFrame) -> pl.DataFrame:
    """The rows as `tapeout calibrate serving` takes them."""
    four_bits = pl.col("precision").is_in(["fp4", "int4"])
    return table.select(
        "llm",
        "chip",
        "group",
        pl.col("engine").alias("serve_engine"),
        pl.when(four_bits).then(pl.lit("fp4")).otherwise("precision").alias("serve_precision"),
        (four_bits & (pl.col("chip").is_in(WITHOUT_FP4) | (pl.col("precision") == "int4"))).alias("serve_weight_only"),
        *(pl.col(name).cast(pl.Float64).alias(variable) for variable, name in NUMBERS.items()),
        (pl.col("tpot_ms").cast(pl.Float64) * MILLISECONDS).alias("measured_tpot_s"),
        (pl.col("ttft_ms").cast(pl.Float64) * MILLISECONDS).alias("measured_ttft_s"),
    )


class Left(NamedTuple):
    """Predictions by fits on a part of the rows, for each output."""

    fitted: _calibrate.Fit
    folded: list[dict[str, Array]]
    single: dict[str, Array]
    #: By column, each of its labels left out in turn.
    without: dict[str, dict[str, Array]]
    #: With the undecided rows.
    again: Bench
    put_back: list[dict[str, Array]]


def subjects(folder: Path) -> list[Subject]:
    wanted = {
        *NUMBERS.values(),
        "llm",
        "chip",
        "engine",
        "precision",
        "group",
        "tpot_ms",
        "ttft_ms",
        "excluded",
        "engine_version",
    }
    table = read(folder, FILE, wanted).with_columns(pl.col("excluded").fill_null(""))
    used = pl.col("excluded") == ""
    bench = Bench(frame_of(table.filter(used)))
    again = Bench(frame_of(table.filter(used | pl.col("excluded").str.contains(f"^({'|'.join(UNDECIDED)})"))))
    labels = labels_of(bench, table.filter(used)["engine_version"])
    left = Left(
        fitted=_calibrate.fit(bench),
        folded=[_calibrate.left_out(bench, _calibrate.folds(bench.groups, seed)) for seed in range(SEEDS)],
        single=_calibrate.left_out(bench, bench.groups),
        without={column: _calibrate.left_out(bench, labels[column].to_numpy()) for column in LEFT_OUT},
        again=again,
        put_back=[_calibrate.left_out(again, _calibrate.folds(again.groups, seed)) for seed in range(SEEDS)],
    )
    first = (
        "The same runs and folds, where nothing queues: fewer requests under way than memory has room for, and less "
        "than half of the time spent on prompts, by the model's own count. A roofline counts other rows so."
    )
    names = {
        TPOT: ("tpot", "Time of an output token (TPOT)", rows_and_folds(table, bench), ("ms", 1e3)),
        TTFT: ("ttft", "Time to the first token (TTFT)", first, ("s", 1.0)),
    }
    return [subject(output, *names[output], labels, bench, left) for output in bench.measured]


def labels_of(bench: Bench, versions: pl.Series) -> pl.DataFrame:
    """What each row is of."""
    bits = pl.col("serve_precision").replace_strict({"bf16": "16 bits", "fp8": "8 bits", "fp4": "4 bits"})
    frame = bench.frame.with_columns(chips=pl.col("serve_tensor_parallel") * pl.col("serve_data_parallel"))
    return frame.select(
        "chip",
        pl.col("serve_engine").alias("engine"),
        "llm",
        bits.alias("weights"),
        *(ranges(frame[column], above).alias(name) for name, (column, above) in RANGES.items()),
        pl.format("{} {}", "serve_engine", versions.fill_null("(not stated)")).alias("version"),
    )


def rows_and_folds(table: pl.DataFrame, bench: Bench) -> str:
    """Which rows are used, which not and why, and what is left out of a fit."""
    rules = table.select(rule=pl.col("excluded").str.extract(r"^(R\d)"))["rule"].drop_nulls().value_counts()
    counts = dict(rules.iter_rows())
    dropped = ", ".join(f"{why} ({counts[rule]})" for rule, why in RULES.items() if counts.get(rule))
    return (
        f"{bench.frame.height:,} runs of public benchmarks (InferenceX, AIConfigurator's silicon sample; November 2025 "
        f"to April 2026), one replica under a fixed number of requests, no speculative decoding. Of {table.height:,} "
        f"rows, left out are: {dropped}. A group is an architecture on a chip with an engine, "
        f"{len(np.unique(bench.groups))} of them: rows of one run are alike, and folds that cut through groups would "
        "measure interpolation. Fits of folds begin at general priors, not at the shipped constants, which have seen "
        f"these rows. '{GROUPS}': five folds of whole groups, in {SEEDS} assignments. '{SCALED}': a user measures "
        f"three rows of a group, which give it a factor. '{PUT_BACK}': with the rows about whose cleaning one can "
        "argue."
    )


def subject(
    output: str,
    key: str,
    title: str,
    text: str,
    unit: tuple[str, float],
    labels: pl.DataFrame,
    bench: Bench,
    left: Left,
) -> Subject:
    measured = bench.measured[output]

    def predicted(constants: dict[str, float]) -> Array:
        values: Array = bench.predict([output], constants)[output].fill_null(float("nan")).to_numpy().copy()
        values[~bench.counted(output, constants)] = np.nan
        return values

    folded = np.stack([one[output] for one in left.folded])
    scaled = _calibrate.anchored(left.single[output], measured, bench.groups)
    put_back = np.concatenate([one[output] for one in left.put_back])
    undecided = Error.of(put_back, np.tile(left.again.measured[output], SEEDS))
    sd = declared()[_calibrate.SPREAD[output]].default or 0.0
    off = np.abs(np.log(folded / measured))
    covered = float((off[np.isfinite(off)] <= _calibrate.QUANTILE_90 * sd).mean())
    return Subject(
        key=key,
        title=title,
        text=text,
        unit=unit,
        labels=labels,
        measured=measured,
        predicted={
            ROOFLINE: predicted(PEAKS),
            USUAL_ROOFLINE: predicted(USUAL),
            IN_SAMPLE: predicted({}),
            GROUPS: folded,
            "each group left out": left.single[output],
            **{way: left.without[column][output] for column, way in LEFT_OUT.items()},
        },
        in_sample=IN_SAMPLE,
        held_out=GROUPS,
        roofline=ROOFLINE,
        by=dict(LEFT_OUT) | dict.fromkeys(("weights", *RANGES, "version")),
        group=("llm", "chip", "engine"),
        limits=LIMITS[output],
        others={
            SCALED: scaled._replace(rows=scaled.rows // _calibrate.DRAWS),
            PUT_BACK: undecided._replace(rows=round(undecided.rows / SEEDS)),
        },
        remarks=[
            f"The declared 90 % interval (a spread of the logarithm of {sd:g}) holds {100 * covered:.0f} % of the rows "
            "left out."
        ],
        details=[
            "fitted constants",
            *(
                f"  {name:<36}{left.fitted.values[name]:>12.4g}  declared {default:<10.4g} prior {prior:g}"
                for name, (prior, _) in _calibrate.PRIORS[output].items()
                for default in [declared()[name].default]
            ),
        ],
        failures=[]
        if COVERED[0] <= covered <= COVERED[1]
        else [f"{output}: the 90 % interval holds {100 * covered:.0f} %"],
    )
