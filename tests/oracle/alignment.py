"""Times of matrix multiplications and the search for dimensions, in plain Python, multiplication by multiplication.

Sources: NVIDIA DU-09799-001, section 3 (tiles and waves); Anthony et al., arXiv 2401.14489, and DeepSeek-V2, arXiv
2405.04434, section 2.1 (the multiplications of a layer); the rest is the definition on the models' pages. Counts are
whole numbers wherever they are exact. A row of mpmath numbers is evaluated in their digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from mpmath import mp, mpf

from .common import Result, Row

CONSTANTS = (
    *(f"gemm_{name}" for name in ("peak_flop_per_s", "memory_bytes_per_s", "units", "tile_elements", "wide_tiles")),
    *(f"gemm_{name}" for name in ("rereads", "peak_share", "launch_s", "memory_share", "wave_smoothing", "tile_loss")),
    *(f"gemm_{name}" for name in ("prologue_depth", "half_bandwidth_waves", "cast_bytes", "bytes_per_element")),
)
TILES = [(256, 256), (256, 128), (128, 256), (128, 128), (128, 64), (64, 128), (64, 64)]
WIDE_TILES = [(256, 192), (192, 256), (192, 128), (128, 192)]
#: How near to a half a number may come before rounding decides which multiple is the nearest.
HALF = 1e-9
#: How near two scores, or a size and its limit, may come before rounding decides.
TIE = 1e-11


class Gemm(NamedTuple):
    """`times` multiplications of rows × depth by depth × columns in each layer; `batch` of them a launch."""

    times: float
    rows: float
    columns: float
    depth: float
    batch: float = 1.0
    ragged: bool = False
    part: float = 0.0


def whole(x: Any) -> Any:
    return int(x) if is_whole(x) else x


def up(a: Any, b: Any) -> int:
    """⌈a/b⌉, exact for whole numbers."""
    a, b = whole(a), whole(b)
    if isinstance(a, int) and isinstance(b, int):
        return -(-a // b)
    return int(mp.ceil(a / b)) if isinstance(a / b, mpf) else math.ceil(a / b)


def root(x: Any) -> Any:
    return mp.sqrt(x) if isinstance(x, mpf) else math.sqrt(x)


def is_whole(x: Any) -> bool:
    return bool(mp.isint(x)) if isinstance(x, mpf) else float(x).is_integer()


def chip(row: Row, place: int) -> Row:
    """The row with the constants of the first, second or third chip of the basket."""
    prefix = ("", "second_", "third_")[place]
    return {**row, **{name: row[prefix + name] for name in CONSTANTS}} if prefix else row


def alignment(row: Row, columns: Any, depth: Any) -> Any:
    """Rate left by the largest power of two that divides the bytes of both."""
    steps = {64: 1.0}
    for step in (32, 16, 8, 4):
        steps[step] = row[f"gemm_align_{step}_bytes"]
    for step, left in steps.items():
        if all(is_whole(x * row["gemm_bytes_per_element"] / step) for x in (float(columns), float(depth))):
            return left
    return row["gemm_align_2_bytes"]


def seconds(row: Row, gemm: Gemm, left: Any) -> Any:
    """One launch."""
    w, units = row["gemm_bytes_per_element"], row["gemm_units"]
    results = gemm.batch * gemm.rows * gemm.columns
    each_once = gemm.batch * gemm.depth * (gemm.rows + gemm.columns) * w + 2 * results
    bytes_per_s = row["gemm_memory_bytes_per_s"] * row["gemm_memory_share"]
    best: Any = math.inf
    for high, broad in TILES + (WIDE_TILES if row["gemm_wide_tiles"] > 0 else []):
        if high * broad > row["gemm_tile_elements"]:
            continue
        down = max(gemm.rows / high + 0.5, 1) if gemm.ragged else up(gemm.rows, high)
        tiles = gemm.batch * down * up(gemm.columns, broad)
        loss = 1 + row["gemm_tile_loss"] * (128 / high + 128 / broad - 1.5)
        by_wave = 2 * row["gemm_rereads"] * w * results * gemm.depth / root(min(tiles, units) * high * broad)
        for parts in (1, 2, 4):
            waves = tiles * parts / units
            smooth = row["gemm_wave_smoothing"]
            charged = (1 - smooth) * up(tiles * parts, units) + smooth * waves
            flop = charged * 2 * high * broad * (gemm.depth / parts + row["gemm_prologue_depth"]) * loss
            arithmetic = flop * units / (row["gemm_peak_flop_per_s"] * row["gemm_peak_share"] * left)
            moved = max(each_once, by_wave) + (8 * parts * results if parts > 1 else 0)
            memory = moved / bytes_per_s * (1 + row["gemm_half_bandwidth_waves"] / waves)
            a, b = arithmetic**2, memory**2
            best = min(best, root(root(a * a + b * b)) if isinstance(a, mpf) else math.hypot(a, b) ** 0.5)
    cast = gemm.batch * gemm.rows * gemm.depth * row["gemm_cast_bytes"] / bytes_per_s
    return row["gemm_launch_s"] + cast + best


def kernels(row: Row) -> Result:
    """The constants of the format asked for. Source: definition."""
    return kernels_of(row, "")


def second_kernels(row: Row) -> Result:
    """The same of the second chip."""
    return kernels_of(row, "second_")


def third_kernels(row: Row) -> Result:
    """The same of the third."""
    return kernels_of(row, "third_")


def kernels_of(row: Row, prefix: str) -> Result:
    suffix = row["gemm_precision"]
    given = {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(f"{prefix}gemm_")}
    row = {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(f"{prefix}chip_")}
    names = ("peak_share", "launch_s", "memory_share", "wave_smoothing", "tile_loss", "prologue_depth")
    out: Result = {f"gemm_{name}": row[f"chip_gemm_{name}_{suffix}"] for name in (*names, "half_bandwidth_waves")}
    out |= {f"gemm_{name}": row[f"chip_gemm_{name}"] for name in ("units", "tile_elements", "wide_tiles", "rereads")}
    out["gemm_peak_flop_per_s"] = row[f"chip_flop_per_s_{suffix}"]
    out["gemm_memory_bytes_per_s"] = row["chip_memory_bytes_per_s"]
    out["gemm_cast_bytes"] = row["chip_gemm_cast_bytes_fp8"] if suffix == "fp8" else 0.0
    out["gemm_bytes_per_element"] = 1.0 if suffix == "fp8" else 2.0
    out |= {name: given[name] for name in out if given.get(name) is not None}
    return finished({prefix + name: value for name, value in out.items()})


def one(row: Row) -> Result:
    """One multiplication."""

    def given(name: str, value: Any) -> Any:
        return value if row.get(name) is None else row[name]

    gemm = Gemm(1, row["gemm_rows"], row["gemm_columns"], row["gemm_depth"])
    left = given("gemm_alignment_share", alignment(row, gemm.columns, gemm.depth))
    time = given("gemm_s", seconds(row, gemm, left))
    rate = given("gemm_flop_per_s", 2 * gemm.rows * gemm.columns * gemm.depth / time if time else math.inf)
    reached = given("gemm_peak_share_reached", rate / row["gemm_peak_flop_per_s"])
    return finished(
        {
            "gemm_alignment_share": left,
            "gemm_s": time,
            "gemm_flop_per_s": rate,
            "gemm_peak_share_reached": reached,
        }
    )


def tiling(row: Row) -> Result:
    """Tiles and waves. Source: NVIDIA DU-09799-001, section 3."""

    def given(name: str, value: Any) -> Any:
        return value if row.get(name) is None else row[name]

    rows, columns = row["gemm_rows"], row["gemm_columns"]
    high, broad = row["gemm_tile_rows"], row["gemm_tile_columns"]
    tiles = given("gemm_tiles", up(rows, high) * up(columns, broad))
    waves = given("gemm_waves", up(tiles, row["gemm_units"]))
    of_tiles = given("gemm_tile_efficiency", rows * columns / (tiles * high * broad))
    of_waves = given("gemm_wave_efficiency", tiles / row["gemm_units"] / waves)
    return finished(
        {
            "gemm_tiles": real(tiles),
            "gemm_waves": real(waves),
            "gemm_tile_efficiency": of_tiles,
            "gemm_wave_efficiency": of_waves,
            "gemm_quantization_efficiency": given("gemm_quantization_efficiency", of_tiles * of_waves),
        }
    )


def real(x: Any) -> Any:
    return x if isinstance(x, mpf) else float(x)


def finished(out: Result) -> Result:
    return out | {"_scale": {}, "_range": {}}


# ---------------------------------------------------------------- a model's step


@dataclass
class Dims:
    """The dimensions that a search changes."""

    layers: float
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    expert_ffn: int
    vocab: int


def shares(row: Row) -> tuple[float, float, float]:
    """Shares of the layers: linear attention, dense and routed feed-forward."""
    linear = row["llm_linear_layers"] / row["llm_layers"]
    routed = 1 - row["llm_dense_layers"] / row["llm_layers"] if row["llm_experts"] > 0 else 0.0
    return linear, 1 - routed, routed


def layer(row: Row, d: Dims) -> list[Gemm]:
    """Every multiplication of the mean layer on one device."""
    tokens, t, e = row["align_tokens"], row["align_tensor_parallel"], row["align_expert_parallel"]
    linear, dense, routed = shares(row)
    gates = row["llm_ffn_matrices"] - 1
    value = row["llm_value_head_dim"] or row["llm_head_dim"]
    heads = up(d.heads, t)
    found: list[Gemm] = []
    if row["llm_kv_latent_dim"] > 0:
        rank, query, rope = row["llm_kv_latent_dim"], row["llm_query_latent_dim"], row["llm_rope_head_dim"]
        if query > 0:
            found.append(Gemm(1 - linear, tokens, query, d.hidden))
        found += [
            Gemm(1 - linear, tokens, heads * (d.head_dim + rope), query or d.hidden),
            Gemm(1 - linear, tokens, rank + rope, d.hidden),
            Gemm(1 - linear, tokens, heads * (d.head_dim + value), rank),
            Gemm(1 - linear, tokens, d.hidden, heads * value),
        ]
    else:
        columns = (heads * row["llm_query_projections"] + 2 * up(d.kv_heads, t)) * d.head_dim
        found += [Gemm(1 - linear, tokens, columns, d.hidden), Gemm(1 - linear, tokens, d.hidden, heads * d.head_dim)]
    if linear > 0:
        keys = row["llm_linear_key_heads"] * row["llm_linear_head_dim"]
        values = row["llm_linear_value_heads"] * row["llm_linear_head_dim"]
        inward = up(2 * (keys + values + row["llm_linear_value_heads"]), t)
        found += [Gemm(linear, tokens, max(inward, 1), d.hidden), Gemm(linear, tokens, d.hidden, max(up(values, t), 1))]
    if dense > 0 and d.ffn > 0:
        part = up(d.ffn, t)
        found += [
            Gemm(dense, tokens, max(gates * part, 1), d.hidden, part=part),
            Gemm(dense, tokens, d.hidden, part),
        ]
    if routed > 0:
        if row["llm_shared_experts"] > 0:
            part = up(row["llm_shared_experts"] * d.expert_ffn, t)
            found += [
                Gemm(routed, tokens, max(gates * part, 1), d.hidden, part=part),
                Gemm(routed, tokens, d.hidden, max(part, 1)),
            ]
        width = up(d.expert_ffn, max(t / e, 1))
        local = up(row["llm_experts"], e)
        mean = tokens * max(e / t, 1) * row["llm_experts_per_token"] / row["llm_experts"]
        busy = max(-local * math.expm1(-mean), 1.0)
        rows = local * mean / busy
        found += [
            Gemm(routed, rows, max(gates * width, 1), d.hidden, busy, True, max(width, 1)),
            Gemm(routed, rows, d.hidden, max(width, 1), busy, True),
            Gemm(routed, tokens, row["llm_experts"], d.hidden),
        ]
    return found


def layer_params(row: Row, d: Dims) -> float:
    """Parameters of the mean layer's matrices."""
    linear, dense, routed = shares(row)
    value = row["llm_value_head_dim"] or row["llm_head_dim"]
    if row["llm_kv_latent_dim"] > 0:
        rank, query, rope = row["llm_kv_latent_dim"], row["llm_query_latent_dim"], row["llm_rope_head_dim"]
        queries = d.heads * (d.head_dim + rope)
        matrices = [(d.hidden, query), (query, queries)] if query > 0 else [(d.hidden, queries)]
        matrices += [(d.hidden, rank + rope), (rank, d.heads * (d.head_dim + value)), (d.heads * value, d.hidden)]
    else:
        matrices = [(d.hidden, d.heads * d.head_dim)] * int(row["llm_query_projections"])
        matrices += [(d.hidden, d.kv_heads * d.head_dim)] * 2 + [(d.heads * d.head_dim, d.hidden)]
    attention = sum(float(a) * b for a, b in matrices)
    keys = row["llm_linear_key_heads"] * row["llm_linear_head_dim"]
    values = row["llm_linear_value_heads"] * row["llm_linear_head_dim"]
    of_linear = float(d.hidden) * (2 * keys + 3 * values + 2 * row["llm_linear_value_heads"])
    m = row["llm_ffn_matrices"]
    experts = (row["llm_experts"] + row["llm_shared_experts"]) * float(m) * d.hidden * d.expert_ffn
    return float(
        (1 - linear) * attention
        + linear * of_linear
        + dense * m * float(d.hidden) * d.ffn
        + routed * (experts + row["llm_experts"] * float(d.hidden))
    )


def passes(row: Row, gemm: Gemm) -> list[tuple[Gemm, float]]:
    """The multiplications of a step and the rate that alignment leaves each."""
    left = alignment(row, gemm.part or gemm.columns, gemm.depth)
    found = [(gemm, left)]
    if row["align_phase"] == "train":
        by_inputs = gemm._replace(columns=gemm.depth, depth=gemm.columns)
        by_weights = gemm._replace(rows=gemm.columns, columns=gemm.depth, depth=gemm.rows, ragged=False)
        of_tokens = left if gemm.ragged else min(left, alignment(row, gemm.depth, gemm.rows))
        found += [(by_inputs, left), (by_weights, of_tokens)]
    return found


def step(row: Row, d: Dims) -> tuple[Any, Any, Any]:
    """Seconds, FLOP and parameters of the whole step."""
    head = Gemm(1, row["align_tokens"], up(d.vocab, row["align_tensor_parallel"]), d.hidden)
    time: Any = 0.0
    flop: Any = 0.0
    for gemm, times in [*((one, d.layers) for one in layer(row, d)), (head, 1)]:
        for product, left in passes(row, gemm):
            time += times * gemm.times * seconds(row, product, left)
            flop += times * gemm.times * 2 * product.batch * float(product.rows) * product.columns * product.depth
    ends = (2 - row["llm_tied_embeddings"]) * float(d.vocab) * d.hidden
    return time, flop, d.layers * layer_params(row, d) + ends


class Edge:
    """Whether rounding may have decided anything."""

    def __init__(self) -> None:
        self.near = False

    def nearest(self, x: float, multiple: float) -> int:
        """The nearest multiple, at least one."""
        parts = x / multiple
        self.near |= abs(parts - math.floor(parts) - 0.5) < HALF * max(parts, 1)
        return int(max(math.floor(parts + 0.5), 1)) * int(multiple)

    def count(self, x: float) -> int:
        self.near |= abs(x - math.floor(x) - 0.5) < HALF * max(x, 1)
        return max(math.floor(x + 0.5), 1)

    def at_most(self, x: float, limit: float) -> bool:
        self.near |= x != limit and abs(x - limit) <= TIE * abs(limit)
        return x <= limit


def lattice(row: Row, edge: Edge) -> list[Dims]:
    """The neighbors, without their layers."""
    t, reach, hidden = row["align_tensor_parallel"], row["align_reach"], row["llm_hidden"]
    d, kv, a = row["llm_head_dim"], row["llm_kv_heads"], row["llm_heads"]
    vocab = up(row["llm_vocab"], 64 * t) * 64 * t
    found = []
    for i in range(9):
        h = edge.nearest(hidden * (1 + reach * (i / 4 - 1)), 128 if t <= 2 else 64 * t)
        for e in (64, 128, 256):
            if row["llm_kv_latent_dim"] > 0:
                heads, groups, width = edge.nearest(a, t), kv, d
            else:
                too_far = (e == 64 and d < 32) or (e == 256 and d > 512)
                if not (d / 2 <= e <= 2 * d or too_far):
                    continue
                groups = edge.count(kv * d / e)
                multiple = groups if groups % t == 0 else t if t % groups == 0 else groups * t
                width = e
                heads = edge.nearest(a * d * (h / hidden) / e, t if a <= kv else multiple)
                groups = heads if a <= kv else groups
            for j in range(5):
                wider = (h / hidden) * (1 + reach * (j / 2 - 1))
                ffn = edge.nearest(row["llm_ffn"] * wider, 128 * t) if row["llm_ffn"] > 0 else 0
                expert = edge.nearest(row["llm_expert_ffn"] * wider, 128 * t) if row["llm_expert_ffn"] > 0 else 0
                found.append(Dims(0, h, heads, groups, width, ffn, expert, vocab))
    return found


BEST = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "expert_ffn", "vocab")


def own_dims(row: Row) -> Dims:
    return Dims(*(row[f"llm_{name}"] for name in BEST))


def consistent(row: Row) -> bool:
    """Whether the dimensions fit together."""
    own, experts, k = own_dims(row), row["llm_experts"], row["llm_experts_per_token"]
    return bool(
        k <= experts
        and (experts <= 0 or (k > 0 and row["llm_expert_ffn"] > 0))
        and row["llm_dense_layers"] <= own.layers
        and row["llm_linear_layers"] <= own.layers
        and (own.kv_heads <= own.heads or row["llm_kv_latent_dim"] > 0)
    )


def evaluate(row: Row) -> Result:
    """Time and efficiency of the model's own dimensions."""

    def given(name: str, value: Any) -> Any:
        return value if row.get(name) is None else row[name]

    if not consistent(row):
        return finished({name: row.get(name) for name in ("align_flop", "align_s", "align_efficiency")})
    time, flop, _ = step(row, own_dims(row))
    time, flop = given("align_s", time), given("align_flop", flop)
    reached = given("align_efficiency", flop / (time * row["gemm_peak_flop_per_s"]))
    return finished({"align_flop": flop, "align_s": time, "align_efficiency": reached})


def basket(row: Row) -> list[Row]:
    """The row on each chip of the basket."""
    return [chip(row, place) for place in range({"one": 1, "two": 2, "three": 3}[row["align_basket"]])]


def gains(row: Row, d: Dims) -> list[Any]:
    """What dimensions gain on the model's own, a parameter, chip by chip."""
    found = []
    for on_chip in basket(row):
        (own_s, _, own_params), (time, _, params) = step(on_chip, own_dims(row)), step(on_chip, d)
        found.append(params * own_s / (own_params * time))
    return found


def size(row: Row, d: Dims) -> Any:
    """Parameters of all layers and of both ends."""
    return d.layers * layer_params(row, d) + (2 - row["llm_tied_embeddings"]) * float(d.vocab) * d.hidden


def nearest(row: Row) -> tuple[Dims, bool]:
    """The best of the lattice, and whether rounding may have decided."""
    edge, own = Edge(), own_dims(row)
    params = size(row, own)
    aspect = own.hidden / own.layers
    low, high = min(row["align_aspect_low"], aspect), max(row["align_aspect_high"], aspect)
    chips = basket(row)
    own_s = [step(on_chip, own)[0] for on_chip in chips]
    best, scores = own, {1.0}
    for d in lattice(row, edge):
        ends = (2 - row["llm_tied_embeddings"]) * float(d.vocab) * d.hidden
        d.layers = edge.count((params - ends) / layer_params(row, d))
        d_params = size(row, d)
        if not edge.at_most(abs(d_params / params - 1), row["align_params_tolerance"]):
            continue
        if not (edge.at_most(low, d.hidden / d.layers) and edge.at_most(d.hidden / d.layers, high)):
            continue
        times = [step(on_chip, d)[0] for on_chip in chips]
        gain = min(d_params * was / (params * now) for was, now in zip(own_s, times, strict=True))
        if gain > max(scores):
            best = d
        scores.add(gain)
    # The same dimensions reached twice are no tie, but which of two equal ones is kept is a matter of rounding.
    return best, edge.near or sum(1 for score in scores if score > max(scores) * (1 - TIE)) > 1


def search(row: Row) -> Result:
    """The best of the lattice, and what it gains on the chip where it gains least."""
    names = ("align_gemm_gain", *(f"align_best_{name}" for name in (*BEST, "params_ratio", "s")))
    if not consistent(row):
        return finished({name: row.get(name) for name in names} | {"align_worst_chip": None})
    best, near = nearest(row)
    out = found(row, best)
    on_chips = sorted(gains(row, best))
    undetermined: list[Any] = list(out) if near else []
    if len(on_chips) > 1 and on_chips[1] - on_chips[0] <= TIE * on_chips[0]:
        undetermined.append("align_worst_chip")
    return out | {"_undetermined": undetermined}


def found(row: Row, best: Dims) -> Result:
    """What is said of the best of the lattice."""
    on_chips = gains(row, best)
    out: Result = {f"align_best_{name}": real(getattr(best, name)) for name in BEST}
    out["align_gemm_gain"] = min(on_chips) if row.get("align_gemm_gain") is None else row["align_gemm_gain"]
    out["align_best_params_ratio"] = size(row, best) / size(row, own_dims(row))
    out["align_best_s"] = step(row, best)[0]
    out["align_worst_chip"] = ("chip", "second_chip", "third_chip")[on_chips.index(min(on_chips))]
    return finished(out)


def gain(row: Row) -> Result:
    """What a gain on the multiplications is of the whole step. Source: Amdahl 1967."""
    faster, share, threshold = row["align_gemm_gain"], row["align_gemm_share"], 1 + row["align_model_error"]
    whole_step = 1 / (1 - share + share / faster) if row.get("align_gain") is None else row["align_gain"]
    out: Result = {"align_gain": whole_step}
    out["align_needed_gemm_share"] = (1 - 1 / threshold) / (1 - 1 / faster) if faster > 1 else math.inf
    out["align_status"] = (
        "none_better_nearby" if faster <= 1 else "gain" if whole_step > threshold else "gain_within_model_error"
    )
    result = finished(out)
    if abs(whole_step / threshold - 1) < TIE:
        result["_undetermined"] = ["align_status"]
    if faster > 1:
        # What is left of 1 - 1/gain.
        result["_scale"]["align_needed_gemm_share"] = out["align_needed_gemm_share"] * (1 + 1 / (faster - 1))
    if threshold > 1:
        result["_scale"].setdefault("align_needed_gemm_share", 1.0)
    return result
