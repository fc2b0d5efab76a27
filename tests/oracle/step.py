"""A training step: layout, arithmetic, memory and time of one chip, written term by term in 50 digits.

Sources: Korthikanti et al., arXiv 2205.05198 (activations, table 2 and section 4; FLOP, appendix A); Narayanan et al.,
arXiv 2104.04473 (bubble, section 2.2; interleaving); Rajbhandari et al., arXiv 1910.02054 (ZeRO); Dao, arXiv 2307.08691
(backward of FlashAttention, 2.5 forward passes); Calculon, SC 2023 (efficiency by size).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mpmath import floor, log, mp, mpf

from .common import DIGITS, Lines, Result, Row


def divides(part: Any, whole: Any) -> bool:
    quotient = whole / part
    return bool(floor(quotient) * part == whole)


def layout_reason(row: Row) -> str:
    """The first rule that the layout breaks. Source: argument checks of Megatron-LM."""
    t, p, d, c, x = (int(row[f"train_{name}_parallel"]) for name in ("tensor", "pipeline", "data", "context", "expert"))
    v, b, batch = int(row["train_interleave"]), int(row["train_micro_batch"]), int(row["train_global_batch"])
    layers, heads, experts = int(row["llm_layers"]), int(row["llm_heads"]), int(row["llm_experts"])
    if layers % (p * v):
        return "layers_not_divisible"
    if heads % t:
        return "heads_not_divisible"
    if x > 1 and (not experts or experts % x or (d * c * t) % x):
        return "experts_not_divisible"
    if int(row["train_sequence_length"]) % (c * (t if row["train_sequence_parallel"] else 1)):
        return "sequence_not_divisible"
    if batch % (d * b):
        return "batch_not_divisible"
    if v > 1 and (p == 1 or (batch // (d * b)) % p):
        return "interleave_impossible"
    return "ok"


def layout(row: Row) -> Result:
    """Chips and micro-batches. Source: definition."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        degrees = [mpf(row[f"train_{name}_parallel"]) for name in ("tensor", "pipeline", "data", "context")]
        count = mpf(row["train_global_batch"]) / (mpf(row["train_data_parallel"]) * mpf(row["train_micro_batch"]))
        lines.line("train_chips", lambda: degrees[0] * degrees[1] * degrees[2] * degrees[3])
        lines.line("train_micro_batches", lambda: count)
        return lines.result()


def flop(row: Row) -> Result:
    """FLOP of a token: six a parameter of a matrix, and three passes over the square of attention."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        s, window = mpf(row["train_sequence_length"]), mpf(row["llm_window_tokens"])
        cached = mpf(row["llm_layers"]) - mpf(row["llm_linear_layers"])
        share = min(mpf(row["llm_window_layers"]) / cached, mpf(1)) if cached > 0 else mpf(0)
        w = min(window, s)
        # Token i of s looks back on min(i, w): twice the mean is 2 w - w^2 / s.
        pairs = (1 - share) * s + share * (2 * w - w * w / s)
        apart = (1 + 2 * share) * s + share * (2 * w + w * w / s)

        def attention() -> Any:
            return 3 * mpf(row["llm_attention_flop_per_pair"]) * pairs

        def attention_scale() -> Any:
            return 3 * mpf(row["llm_attention_flop_per_pair"]) * abs(apart)

        def layers() -> Any:
            expert = mpf(row["llm_expert_params"]) * mpf(row["llm_expert_active_share"])
            matrices = mpf(row["llm_attention_params"]) + mpf(row["llm_dense_params"]) + expert
            return 6 * matrices + lines["train_attention_flop_per_token"]

        def ratio() -> Any:
            active = 6 * mpf(row["llm_active_params"])
            return lines["train_flop_per_token"] / active if active > 0 else mpf(1)

        def beside(name: str) -> Any:
            """What is lost of a sum that attention is part of."""
            return abs(lines[name]) + lines.scales["train_attention_flop_per_token"]

        lines.line("train_attention_flop_per_token", attention, attention_scale)
        lines.line("train_layer_flop_per_token", layers, lambda: beside("train_layer_flop_per_token"))
        head = 6 * mpf(row["llm_embedding_params"])
        lines.line(
            "train_flop_per_token",
            lambda: lines["train_layer_flop_per_token"] + head,
            lambda: beside("train_flop_per_token"),
        )
        active = mpf(row["llm_active_params"])
        lines.line(
            "train_flop_ratio",
            ratio,
            lambda: lines.scales["train_flop_per_token"] / (6 * active) if active > 0 else mpf(1),
        )
        return lines.result()


@dataclass
class Part:
    """One kind of layer on one chip: parameters that it holds and uses, kernels, and bytes that a token leaves."""

    everyone: Any
    routed: Any
    used: Any
    kernels: Any
    bytes: Any


class Model:
    """The model as cut over chips."""

    def __init__(self, row: Row) -> None:
        def get(name: str) -> Any:
            return mpf(row[name])

        self.row = row
        self.t, self.p, self.d, self.c, self.x = (
            get(f"train_{name}_parallel") for name in ("tensor", "pipeline", "data", "context", "expert")
        )
        self.layers, self.routed_layers = get("llm_layers"), get("llm_expert_layers")
        self.width, heads, head = get("llm_hidden"), get("llm_heads"), get("llm_head_dim")
        self.s, self.v = get("train_sequence_length"), get("train_interleave")
        self.tokens = self.s * get("train_micro_batch") / self.c
        self.latent = get("llm_kv_latent_dim") > 0
        value = get("llm_value_head_dim") if self.latent and get("llm_value_head_dim") > 0 else head
        around = self.t if row["train_sequence_parallel"] else mpf(1)
        self.around = around

        # Two bytes an element. Inputs of both norms, their outputs; a mask of one byte after each half of the layer.
        left = (4 * 2 * self.width + (2 * self.width if row["train_dropout"] else 0)) / around
        left += 2 * heads * value / self.t  # the context, which enters the output projection
        if self.latent:
            rope = get("llm_rope_head_dim")
            left += 4 * (get("llm_query_latent_dim") + get("llm_kv_latent_dim") + rope)
            left += (2 * 2 * heads * (head + rope) + 2 * heads * value) / self.t  # queries, keys; values
            self.cache = get("llm_kv_latent_dim") + rope
            kernels = 4 + (1 if get("llm_query_latent_dim") > 0 else 0)
        else:
            left += 2 * (heads * head + 2 * get("llm_kv_heads") * head) / self.t
            self.cache = 2 * get("llm_kv_heads") * head / self.t
            kernels = 2
        own = get("llm_attention_params") / self.layers / self.t
        self.attention = Part(own, mpf(0), own, mpf(kernels), left)
        self.scores = 5 * heads * self.s / self.t if not row["train_chip_flash_attention"] else mpf(0)

        matrices = get("llm_ffn_matrices")
        dense = matrices * self.width * get("llm_ffn") / self.t
        self.dense = Part(dense, mpf(0), dense, mpf(2), matrices * 2 * get("llm_ffn") / self.t)
        expert = matrices * self.width * get("llm_expert_ffn")
        here, chosen, shared = get("llm_experts") / self.x, get("llm_experts_per_token"), get("llm_shared_experts")
        router = get("llm_experts") * self.width
        stored = 2 * 2 * self.width * chosen + matrices * 2 * get("llm_expert_ffn") * (chosen + shared)
        self.expert = Part(
            (shared * expert + router) / self.t,
            here * expert,
            (shared + chosen) * expert / self.t,
            2 * here + (2 if shared > 0 else 0),
            stored / self.t,
        )
        self.expert_summed = here * expert + shared * expert / self.t  # the router's gradients are left out
        self.sent = chosen * self.width * 2 / self.t
        self.embedding = get("llm_vocab") * self.width / self.t
        self.both = 1 if get("llm_tied_embeddings") else 2
        self.logits = 4 * get("llm_vocab") / self.t
        self.replicas = self.d * self.c
        self.expert_replicas = max(self.d * self.c * self.t / self.x, mpf(1))

    def stage(self, number: int) -> tuple[Any, Any]:
        """Dense layers and layers with experts of the first (0) or last (1) stage; the dense ones come first."""
        each = self.layers / self.p
        dense = self.layers - self.routed_layers
        inside = min(dense, each) if number == 0 else max(each - self.routed_layers, mpf(0))
        return inside, each - inside


def memory(row: Row) -> Result:
    """Bytes on the chip that needs most."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        count, recompute = mpf(row["train_micro_batches"]), row["train_recompute"]
        reason = layout_reason(row)
        model = Model(row)
        g = mpf(row["train_gradient_bytes"])

        def a_parameter(replicas: Any) -> Any:
            zero = row["train_zero_stage"]
            return (
                mpf(12) / (replicas if zero >= 1 else 1)
                + g / (replicas if zero >= 2 else 1)
                + mpf(2) / (replicas if zero >= 3 else 1)
            )

        def held(number: int) -> Any:
            warm = (model.p - 1) / model.v
            if row["train_interleave"] == 1:
                stages = model.p if number == 0 else mpf(1)
            else:
                stages = model.p + warm if number == 0 else model.p - warm
            return min(stages, count)

        def stage(number: int) -> tuple[Any, Any]:
            dense, experts = model.stage(number)
            matrices = model.both if row["train_pipeline_parallel"] == 1 else 1
            everyone = (
                (dense + experts) * model.attention.everyone
                + dense * model.dense.everyone
                + experts * model.expert.everyone
                + matrices * model.embedding
            )
            state = everyone * a_parameter(model.replicas)
            state += experts * model.expert.routed * a_parameter(model.expert_replicas)
            largest = max(
                model.dense.everyone if dense > 0 else mpf(0), model.expert.everyone if experts > 0 else mpf(0)
            )
            state += 2 * (model.attention.everyone + largest)

            attention = model.attention.bytes + (mpf(0) if recompute == "selective" else model.scores)
            if recompute == "full":
                once = max(model.dense.bytes if dense > 0 else mpf(0), model.expert.bytes if experts > 0 else mpf(0))
                stored = 2 * model.width * (dense + experts) * held(number) + attention + once
            else:
                stored = (dense + experts) * attention + dense * model.dense.bytes + experts * model.expert.bytes
                stored *= held(number)
            if number == 1 or row["train_pipeline_parallel"] == 1:
                stored += 4 * model.width / model.around + model.logits
            return state, stored * model.tokens

        def most() -> tuple[Any, Any]:
            first = stage(0)
            if row["train_pipeline_parallel"] == 1:
                return first
            last = stage(1)
            return last if sum(last) > sum(first) else first

        lines.line("train_state_bytes", lambda: None if reason != "ok" else most()[0])
        lines.line("train_activation_bytes", lambda: None if reason != "ok" else most()[1])

        def total() -> Any:
            state, stored = lines.values["train_state_bytes"], lines.values["train_activation_bytes"]
            return None if state is None or stored is None else state + stored

        def needed() -> Any:
            own = lines.values["train_memory_bytes"]
            return None if own is None else own + mpf(row["train_memory_reserve_bytes"])

        def capacity() -> Any:
            return mpf(row["train_chip_memory_bytes"])

        def limit() -> Any:
            state, stored = lines.values["train_state_bytes"], lines.values["train_activation_bytes"]
            if state is None or stored is None:
                return None
            free = max(capacity() - mpf(row["train_memory_reserve_bytes"]) - state, mpf(0))
            return free * mpf(row["train_micro_batch"]) / stored

        def limit_scale() -> Any:
            state, stored = lines.values["train_state_bytes"], lines.values["train_activation_bytes"]
            sums = capacity() + mpf(row["train_memory_reserve_bytes"]) + state
            return sums * mpf(row["train_micro_batch"]) / stored

        lines.line("train_memory_bytes", total)
        lines.line("train_memory_needed_bytes", needed)
        lines.line("train_micro_batch_limit", limit, limit_scale)
        out = lines.result()
        own = lines.values["train_memory_needed_bytes"]
        fits = own is not None and own <= capacity()
        out["train_status"] = reason if reason != "ok" else "ok" if fits else "does_not_fit"
        return out


def seconds(row: Row, model: Model) -> dict[str, Any]:
    """The parts of a step."""

    def get(name: str) -> Any:
        return mpf(row[name])

    flash, recompute = bool(row["train_chip_flash_attention"]), row["train_recompute"]
    bf16 = row["train_precision"] == "bf16"
    peak = get("train_chip_flop_per_s")
    half = peak if bf16 else get("train_chip_flop_per_s_bf16")
    bandwidth = get("train_chip_memory_bytes_per_s")
    link = get("train_chip_link_bytes_per_s") * get("train_chip_link_efficiency")
    network = get("train_chip_network_bytes_per_s") * get("train_network_efficiency")
    reach, g = get("train_chip_link_chips"), get("train_gradient_bytes")
    again = 1 if recompute == "full" else 0

    def within(chips: Any) -> Any:
        return link if chips <= reach else network

    def product(params: Any, kernels: Any, rate: Any) -> Any:
        """Forward: two FLOP a parameter and token, and what each kernel costs beyond. Source: Calculon, made smooth."""
        return 2 * params * model.tokens / (rate * get("train_chip_gemm_efficiency")) + kernels * get("train_kernel_s")

    def crossing(size: Any) -> Any:
        return size * model.tokens * get("train_memory_passes") / 3 / bandwidth

    def summed(params: Any) -> Any:
        return 2 * g * params / bandwidth

    def part(kind: Part, held: Any) -> Any:
        return (3 + again) * (product(kind.used, kind.kernels, peak) + crossing(kind.bytes)) + summed(held)

    pair = get("llm_attention_flop_per_pair")
    forward = get("train_attention_flop_per_token") / 6 if flash else pair * model.s
    core = model.tokens * forward / model.layers / model.t / (half * get("train_chip_attention_efficiency"))
    scores = crossing(model.scores)
    attention = part(model.attention, model.attention.everyone)
    attention += core * ((1 + mpf("2.5") if flash else mpf(3)) + again) + scores * (3 + again)
    if recompute == "selective" and not flash:
        attention += core + scores
    dense, expert = part(model.dense, model.dense.everyone), part(model.expert, model.expert_summed)
    head = 3 * (product(model.embedding, 1, half) + crossing(model.logits)) + summed(model.embedding)

    moved = 2 * model.tokens * model.width * (model.t - 1) / model.t
    times = 4 * (2 + again) + (2 if row["train_sequence_parallel"] else 0)
    around = times * (moved / within(model.t) + get("train_collective_s")) if model.t > 1 else mpf(0)
    around += (3 + again) * 2 * model.tokens * model.cache * (model.c - 1) / within(model.t * model.c)
    near = min(model.x, reach)
    exchange = mpf(0)
    if model.x > 1:
        load = model.tokens * model.sent
        exchange = load * (near - 1) / model.x / link + load * (model.x - near) / model.x / network
        exchange = 2 * (2 + again) * (exchange + get("train_collective_s"))
    hop = mpf(0)
    if model.p > 1:
        hop = 2 * 2 * model.tokens * model.width / model.t * model.v / within(get("train_chips"))

    def stage(number: int) -> tuple[Any, Any]:
        plain, routed = model.stage(number)
        both = plain + routed
        work = both * attention + plain * dense + routed * expert
        if number == 1 or model.p == 1:
            work += head
        return work, both * around + routed * exchange + hop

    first = stage(0)
    slow = first if model.p == 1 else max(stage(1), first, key=lambda pair: (sum(pair), pair == first))
    plain = model.layers - model.routed_layers
    everything = model.layers * (attention + around) + plain * dense + model.routed_layers * (expert + exchange)
    everything += head + model.p * hop
    others = max(everything - sum(slow), mpf(0)) / model.v if model.p > 1 else mpf(0)
    count = get("train_micro_batches")
    groups = max(get("train_chips") / reach, mpf(1))

    layers = model.layers * model.attention.everyone + plain * model.dense.everyone
    layers += model.routed_layers * model.expert.everyone
    everyone = layers / model.p + (model.both if model.p == 1 else 1) * model.embedding
    routed = model.routed_layers * model.expert.routed / model.p
    zero = row["train_zero_stage"]
    returned = (2 if zero >= 1 else g) * (2 * count if zero >= 3 else 1)

    def ring(replicas: Any, apart: Any) -> Any:
        inside = min(max(reach / apart, mpf(1)), replicas)
        rate = link if replicas <= inside else min(link, inside * network)
        return (replicas - 1) / replicas / rate

    sent = everyone * ring(model.replicas, model.t) + routed * ring(model.expert_replicas, model.x)
    sent *= (g + returned) * get("train_gradient_exposed_share")
    owned = everyone / (model.replicas if zero >= 1 else 1) + routed / (model.expert_replicas if zero >= 1 else 1)
    optimizer = (owned * (g + 26) + (everyone + routed) * g) / bandwidth
    return {
        "train_compute_s": slow[0] * count,
        "train_exposed_communication_s": slow[1] * count + sent,
        "train_bubble_s": others,
        "waited": get("train_straggler_share") * log(groups),
        "talk": slow[1] * count,
        "train_optimizer_s": optimizer,
        "scale": everything + sum(slow),
    }


def evaluate(row: Row) -> Result:
    """Time of a step and what it is worth in MFU."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        fits = row["train_memory_needed_bytes"] <= row["train_chip_memory_bytes"]
        parts = seconds(row, Model(row)) if fits and layout_reason(row) == "ok" else {}
        names = ("compute", "exposed_communication", "bubble", "straggler", "optimizer")
        for name in names:
            key = f"train_{name}_s"

            def compute(key: str = key) -> Any:
                if key != "train_straggler_s" or not parts:
                    return parts.get(key)
                steady = lines.values["train_compute_s"] + parts["talk"] + lines.values["train_bubble_s"]
                return parts["waited"] * steady

            def scale(key: str = key) -> Any:
                value = abs(lines.values[key])
                if key == "train_bubble_s":
                    return value + parts["scale"]
                if key != "train_straggler_s":
                    return value
                # A logarithm near 0 keeps the digits of what lies above 1, and the bubble's loss passes on.
                steady = lines.values["train_compute_s"] + parts["talk"] + lines.values["train_bubble_s"]
                lost = mpf(row["train_straggler_share"]) * steady
                return value + lost + parts["waited"] * lines.scales["train_bubble_s"]

            lines.line(key, compute, scale)

        def total() -> Any:
            each = [lines.values[f"train_{name}_s"] for name in names]
            return None if any(one is None for one in each) else sum(each)

        def total_scale() -> Any:
            return abs(lines.values["train_step_s"]) + sum(lines.scales[f"train_{name}_s"] for name in names)

        def relative(value: Any) -> Any:
            """The same share of rounding as the step has."""
            step = lines.values["train_step_s"]
            return abs(value) * lines.scales["train_step_s"] / abs(step) if step else abs(value)

        lines.line("train_step_s", total, total_scale)

        def rate() -> Any:
            step = lines.values["train_step_s"]
            work = mpf(row["train_global_batch"]) * mpf(row["train_sequence_length"])
            return None if step is None else work / step

        def mfu() -> Any:
            tokens = lines.values["train_tokens_per_s"]
            peak = mpf(row["train_chips"]) * mpf(row["train_chip_flop_per_s"])
            return None if tokens is None else mpf(row["train_flop_per_token"]) * tokens / peak

        def hfu(selective: Any) -> Any:
            model_share = lines.values["train_mfu"]
            if model_share is None or lines.values["train_tokens_per_s"] is None:
                return None
            extra = {
                "none": mpf(0),
                "selective": mpf(row["train_attention_flop_per_token"]) * selective,
                "full": mpf(row["train_layer_flop_per_token"]) / 3,
            }[row["train_recompute"]]
            peak = mpf(row["train_chips"]) * mpf(row["train_chip_flop_per_s"])
            return model_share + extra * lines.values["train_tokens_per_s"] / peak

        lines.line("train_tokens_per_s", rate, lambda: relative(lines.values["train_tokens_per_s"]))
        lines.line("train_mfu", mfu, lambda: relative(lines.values["train_mfu"]))
        lines.line("train_hfu", lambda: hfu(mpf(1) / 3), lambda: relative(lines.values["train_hfu"]))
        lines.line(
            "train_hfu_korthikanti", lambda: hfu(mpf(1)), lambda: relative(lines.values["train_hfu_korthikanti"])
        )
        return lines.result()
