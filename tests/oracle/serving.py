"""Serving a language model, written from the equations on paper in 50 digits: step by step, chip by chip.

Sources: JAX scaling book, "Theoretical step time"; Pope et al., arXiv 2211.05102; distinct experts of a batch under
uniform routing, E (1 - (1 - k/E)^B); Little 1961; the mean field of continuous batching.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row

#: Two parts, or a bound and what it bounds, as near as this may fall either way by rounding.
NEAR = mpf(10) ** -9
UNDECIDED = mpf(10) ** 300


def number(row: Row, name: str) -> Any:
    return mpf(row[name])


def weight_format(row: Row) -> Result:
    """Bytes of weights and rates of arithmetic."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        precision = str(row["serve_precision"])
        width = {"bf16": mpf(2), "fp8": mpf(1), "fp4": mpf(9) / 16}[precision]
        base = number(row, "chip_flop_per_s_bf16")

        def peak(bits: int) -> Any:
            if row["serve_weight_only"] or bits == 16 or precision == "bf16":
                return base
            if bits == 4 and precision == "fp8":
                bits = 8
            named = number(row, f"chip_flop_per_s_fp{bits}")
            return base * (named / base) ** number(row, "serve_cal_format_exponent")

        for part in ("attention", "dense", "expert", "head"):
            lines.line(f"serve_{part}_weight_bytes", partial(mpf, 2 if part == "head" else width))
        for part in ("attention", "dense", "expert"):
            stored = lines[f"serve_{part}_weight_bytes"]
            bits = 16 if stored > 1 else 8 if stored > mpf(0.6) else 4
            lines.line(f"serve_{part}_flop_per_s", partial(peak, bits))
        return lines.result()


def engine(row: Row) -> Result:
    """Factors and times of the engine."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        named = str(row["serve_engine"])

        def own(prefix: str, suffix: str = "") -> Any:
            values = {e: number(row, f"serve_cal_{prefix}_{e}{suffix}") for e in ("vllm", "sglang", "trtllm")}
            if named in values:
                return values[named]
            return mp.cbrt(values["vllm"] * values["sglang"] * values["trtllm"])

        age = number(row, "serve_cal_month_factor") ** number(row, "serve_engine_months")
        lines.line("serve_step_factor", lambda: own("engine") * age)
        lines.line("serve_host_factor", lambda: own("engine"))
        lines.line("serve_start_s", lambda: own("start", "_s"))
        lines.line("serve_launch_factor", lambda: own("launch"))
        return lines.result()


def speculation(row: Row) -> Result:
    """Tokens a step: the first guesses that are right in a row, and one more."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        guesses, right = int(row["serve_draft_tokens"]), number(row, "serve_draft_acceptance")
        lines.line("serve_tokens_per_step", lambda: sum((right**k for k in range(guesses + 1)), mpf(0)))
        return lines.result()


class Machine:
    """All chips that run one copy of the model."""

    def __init__(self, row: Row) -> None:
        self.row = row
        n = self.n
        self.tp, self.dp, self.ep = n("serve_tensor_parallel"), n("serve_data_parallel"), n("serve_expert_parallel")
        self.chips = self.tp * self.dp
        self.latent = row["llm_kv_latent_dim"] > 0
        self.speculative, self.apart = bool(row["serve_speculative"]), bool(row["serve_disaggregated"])
        self.verified = n("serve_draft_tokens") + 1 if self.speculative else mpf(1)
        brought = n("serve_tokens_per_step") if self.speculative else mpf(1)
        drafting = n("serve_draft_time_share") if self.speculative else mpf(0)
        self.per_token = (1 + drafting) / brought * n("serve_cal_tpot_scale")
        self.attention_bytes = n("llm_attention_params") * n("serve_attention_weight_bytes")
        self.dense_bytes = n("llm_dense_params") * n("serve_dense_weight_bytes")
        self.head_bytes = n("llm_embedding_params") * n("serve_head_weight_bytes")
        self.expert_bytes = n("llm_expert_params") * n("serve_expert_weight_bytes")

    def n(self, name: str) -> Any:
        """A number of the row."""
        return number(self.row, name)

    # ------------------------------------------------------------ memory

    def cuts(self) -> Any:
        """Chips that hold different parts of one group's cache, times the groups."""
        return self.dp * (1 if self.latent else min(self.tp, self.n("llm_kv_heads")))

    def weight_bytes(self) -> Any:
        embedding = self.head_bytes * (1 - self.n("llm_tied_embeddings"))
        shared = self.attention_bytes + self.dense_bytes + self.head_bytes + embedding
        return shared / self.tp + self.expert_bytes / self.chips

    def mean_context(self) -> Any:
        return self.n("serve_input_tokens") + self.n("serve_output_tokens") / 2

    def token_bytes(self) -> Any:
        widths = self.n("serve_kv_bytes_per_element") / self.n("llm_kv_bytes_per_element")
        return self.n("llm_kv_bytes_per_token") * widths

    def windows(self) -> Any:
        cached = self.row["llm_layers"] - self.row["llm_linear_layers"]
        if self.row["llm_window_layers"] <= 0 or cached <= 0:
            return mpf(0)
        return min(mpf(1), mpf(self.row["llm_window_layers"]) / cached)

    def cache(self, elsewhere: Any) -> Any:
        """Bytes of a sequence: windowed layers their window, others what is said."""
        windowed = min(self.mean_context(), self.n("llm_window_tokens"))
        share = self.windows()
        return ((1 - share) * elsewhere + share * windowed) * self.token_bytes() + self.n("llm_state_bytes")

    def held(self) -> Any:
        return self.cache(self.mean_context() * (1 + self.n("llm_index_share")))

    def read(self) -> Any:
        context = self.mean_context()
        return self.cache(min(context, self.n("llm_sparse_tokens")) + self.n("llm_index_share") * context)

    # ------------------------------------------------------------ time

    def arithmetic_s(self) -> tuple[Any, Any]:
        """Of a token on one chip at full rate: matrices all tokens share, and routed experts."""
        n = self.n
        body = n("llm_attention_params") / n("serve_attention_flop_per_s")
        body += n("llm_dense_params") / n("serve_dense_flop_per_s")
        routed = n("llm_expert_params") * n("llm_expert_active_share") / n("serve_expert_flop_per_s")
        return 2 * body, 2 * routed

    def traffic_s(self) -> Any:
        """Sending what one token needs sent."""
        n = self.n
        d, layers, routed = n("llm_hidden"), n("llm_layers"), n("llm_expert_layers")
        ring = 4 * d * (self.tp - 1) / self.tp / self.dp
        if self.dp == 1:
            per_token = 2 * layers * ring
        elif self.ep > 1:
            exchange = 3 * d * n("llm_experts_per_token") * (self.ep - 1) / self.ep / self.dp
            per_token = layers * ring + routed * exchange
        else:
            per_token = layers * ring + routed * 4 * d * (self.chips - 1) / self.chips
        return per_token / (n("chip_link_bytes_per_s") * n("serve_cal_link_share"))

    def prompt_s(self) -> Any:
        n = self.n
        whole, cached = n("serve_input_tokens"), n("serve_cached_input_share")
        new = whole * (1 - cached)
        pairs = (whole**2 - (cached * whole) ** 2) / 2
        sparse, windowed = n("llm_sparse_tokens"), n("llm_window_tokens")
        full = pairs if mp.isinf(sparse) else min(pairs, new * sparse)
        near = pairs if mp.isinf(windowed) else min(pairs, new * windowed)
        share = self.windows()
        attention = ((1 - share) * full + share * near) * n("llm_attention_flop_per_pair")
        attention /= n("chip_flop_per_s_bf16") * n("serve_cal_attention_flop_share")
        body, routed = self.arithmetic_s()
        matrices = (body + n("serve_cal_prompt_expert_factor") * routed) / n("serve_cal_prompt_flop_share")
        return (new * matrices + attention) / self.chips + new * self.traffic_s()

    def parts(self, batch: Any, prompt_s: Any) -> dict[str, Any]:
        """Of the time of an output token; and whether arithmetic outweighs reading in the first two."""
        n = self.n
        body, routed = self.arithmetic_s()
        head = 2 * n("llm_embedding_params") / n("chip_flop_per_s_bf16")
        rate, flop_share = n("chip_memory_bytes_per_s"), n("serve_cal_decode_flop_share")
        tokens = batch * self.verified
        everyone = self.attention_bytes + self.dense_bytes + self.head_bytes
        reading = everyone / (self.tp * rate * n("serve_cal_weight_read_share"))
        computing = (body + head) * tokens / self.chips / flop_share
        share = n("llm_expert_active_share")
        touched = 1 - (1 - share) ** tokens if share < 1 else mpf(1)
        expert_reading = self.expert_bytes * touched / (self.chips * rate * n("serve_cal_expert_read_share"))
        expert_computing = routed * tokens / self.chips / flop_share
        width = n("llm_expert_ffn")
        slices = n("serve_cal_expert_slice") * (self.chips / self.ep) / width if width > 0 else mpf(0)
        factor = (1 + slices) * (n("serve_expert_imbalance") if self.ep > 1 else 1)
        layers, expert_layers = n("llm_layers"), n("llm_expert_layers")
        waits = (layers if self.tp > 1 else 0) + (2 * expert_layers if self.dp > 1 else layers if self.tp > 1 else 0)
        of_layers = layers * n("serve_cal_layer_s") + expert_layers * n("serve_cal_expert_layer_s")
        seconds = {
            "weights": mp.sqrt(reading**2 + computing**2),
            "experts": factor * mp.sqrt(expert_reading**2 + expert_computing**2),
            "kv": batch * self.read() / (self.cuts() * rate * n("serve_cal_kv_read_share")),
            "layers": of_layers * n("serve_step_factor"),
            "network": waits * n("serve_cal_collective_s") * n("serve_step_factor") + self.traffic_s() * tokens,
            "host": batch * n("serve_cal_host_s") * n("serve_host_factor"),
        }
        found = {name: value * self.per_token for name, value in seconds.items()}
        mixed = mpf(0) if self.apart else batch / n("serve_output_tokens") * prompt_s * n("serve_cal_tpot_scale")
        return {
            **found,
            "prompts": mixed,
            "computes": (computing > reading, expert_computing > expert_reading),
            "undecided": abs(computing - reading) <= NEAR * reading
            or abs(expert_computing - expert_reading) <= NEAR * expert_reading,
        }

    def token_s(self, batch: Any, prompt_s: Any) -> Any:
        parts = self.parts(batch, prompt_s)
        return sum(parts[name] for name in PARTS)

    def batch(self, most: Any, prompt_s: Any) -> Any:
        batch = min(self.n("serve_concurrency"), most)
        if self.apart:
            return batch
        start = batch
        for _ in range(3):
            answer = self.n("serve_output_tokens") * self.token_s(batch, prompt_s)
            batch = start * answer / (answer + prompt_s)
        return batch


PARTS = ("weights", "experts", "kv", "layers", "network", "host", "prompts")
DECODES_BUSY, PROMPTS_BUSY = mpf(92) / 100, mpf(90) / 100


def serving(row: Row) -> Result:
    """Every output of the model; null, with the reason, where it can't be served so."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        machine = Machine(row)
        n = machine.n
        weight_bytes = lines.line("serve_weight_bytes_per_chip", machine.weight_bytes)
        held = lines.line("serve_kv_bytes_per_sequence", machine.held)
        lines.line("serve_memory_least_bytes", lambda: (weight_bytes + held / machine.cuts()) / n("serve_memory_share"))
        room = n("chip_memory_bytes") * n("serve_memory_share")
        free = room - weight_bytes

        def most_of() -> Any:
            if free <= 0:
                return mpf(0)
            return free * machine.cuts() / held if held > 0 else mp.inf

        most = lines.line("serve_sequences_most", most_of)
        status = "ok" if most >= 1 else "no_sequence_fits" if most > 0 else "weights_do_not_fit"
        if mp.fmod(machine.chips, machine.ep) != 0:
            status = "expert_parallel_does_not_divide_chips"
        possible = status == "ok"
        # Where memory is all but full of weights, rounding decides what is left.
        tight = row.get("serve_sequences_most") is None and abs(free) <= mpf(10) ** -3 * room
        tight = tight or abs(most - 1) <= NEAR

        def line(name: str, compute: Callable[[], Any], scale: Callable[[], Any] | None = None) -> Any:
            return lines.line(name, compute, scale)

        def if_possible(compute: Callable[[], Any]) -> Callable[[], Any]:
            return lambda: compute() if possible else None

        def of(*names: str) -> bool:
            return all(lines.values[name] is not None for name in names)

        prompt_s = line("serve_prompt_s", if_possible(machine.prompt_s))
        batch = line(
            "serve_batch", if_possible(lambda: machine.batch(most, prompt_s) if prompt_s is not None else None)
        )
        parts = machine.parts(batch, prompt_s) if batch is not None and prompt_s is not None else None
        for name in PARTS:
            line(f"serve_{name}_s", if_possible(partial((parts or {}).get, name)))
        named = [f"serve_{name}_s" for name in PARTS]
        tpot = line("serve_tpot_s", lambda: sum(lines[name] for name in named) if of(*named) else None)
        line("serve_tokens_per_s_per_user", lambda: 1 / tpot if tpot is not None else None)
        known = tpot is not None and batch is not None and prompt_s is not None
        answer = tpot * n("serve_output_tokens") if tpot is not None else None

        def machines() -> Any:
            if not machine.apart:
                return mpf(0)
            return batch * prompt_s / answer * DECODES_BUSY / PROMPTS_BUSY if known else None

        extra = line("serve_prompt_machines", machines)
        chips = line("serve_chips", if_possible(lambda: machine.chips * (1 + extra) if extra is not None else None))

        def prompt_share() -> Any:
            if machine.apart:
                return extra / (1 + extra) if extra is not None else None
            return lines["serve_prompts_s"] / tpot if of("serve_prompts_s", "serve_tpot_s") else None

        share = line("serve_prompt_share", prompt_share)
        busy = DECODES_BUSY if machine.apart else mpf(1)
        line(
            "serve_tokens_per_s_per_chip",
            lambda: (
                batch / tpot / chips * busy if chips is not None and tpot is not None and batch is not None else None
            ),
        )
        concurrency = n("serve_concurrency")
        wait = line(
            "serve_wait_s",
            lambda: (
                max(concurrency - most, mpf(0)) * answer / batch if answer is not None and batch is not None else None
            ),
            lambda: (concurrency + min(most, concurrency)) * answer / batch,
        )

        def first() -> Any:
            decode = named[:-1]
            if not of("serve_wait_s", "serve_prompt_machines", *named) or prompt_s is None:
                return None
            step = sum(lines[name] for name in decode)
            prompt = prompt_s * n("serve_cal_first_prompt_factor")
            loading = lines["serve_weight_bytes_per_chip"] / n("chip_memory_bytes_per_s")
            alone = mp.sqrt(prompt**2 + loading**2)
            if machine.dp > 1:
                alone *= n("serve_cal_first_data_factor")
            kinds = mpf(1)
            if row["llm_expert_layers"] > 0:
                kinds += n("serve_cal_launch_expert_factor")
            if machine.latent:
                kinds += n("serve_cal_launch_latent_factor")
            launches = n("llm_layers") * n("serve_cal_launch_s") * n("serve_launch_factor") * kinds
            load = PROMPTS_BUSY / (1 - PROMPTS_BUSY) if machine.apart else lines["serve_prompts_s"] / step
            sharing = extra if extra > 0 else mpf(1)
            burst = n("serve_cal_burst_share") * (concurrency - 1) / 2 * prompt / sharing
            waits = (
                n("serve_start_s") + n("serve_cal_root_s") * mp.sqrt(concurrency) + n("serve_cal_first_steps") * step
            )
            whole = waits + launches + alone * (1 + n("serve_cal_queue_factor") * load) + burst
            handed = n("serve_input_tokens") * machine.token_bytes() / n("chip_link_bytes_per_s")
            return wait + whole * n("serve_cal_ttft_scale") + (handed if machine.apart else 0)

        def first_scale() -> Any:
            return abs(lines["serve_ttft_s"]) + lines.scales["serve_wait_s"]

        ttft = line("serve_ttft_s", first, first_scale)
        line(
            "serve_request_s",
            lambda: ttft + answer if ttft is not None and answer is not None else None,
            lambda: lines.scales["serve_ttft_s"] + answer,
        )
        result = lines.result()
        result["serve_status"] = status
        undetermined = bound_and_load(result, lines, machine, parts, possible, share, most)
        result["_undetermined"] = undetermined
        if tight:
            result["_scale"]["serve_sequences_most"] = float(UNDECIDED)
        return result


def bound_and_load(
    result: Result, lines: Lines, machine: Machine, parts: Any, possible: bool, share: Any, most: Any
) -> tuple[str, ...]:
    """Adds the largest part and the crowding; names what rounding may turn."""
    concurrency = machine.n("serve_concurrency")
    if not possible:
        result["serve_bound"] = result["serve_load"] = None
        return ()
    seconds = {name: lines.values[f"serve_{name}_s"] for name in PARTS}
    undetermined = []
    if None in seconds.values() or parts is None:
        result["serve_bound"] = None
        undetermined.append("serve_bound")
    else:
        by_flop = sum(seconds[name] for name, more in zip(PARTS, parts["computes"], strict=False) if more)
        sides = {
            "weights": seconds["weights"] + seconds["experts"] - by_flop,
            "compute": by_flop,
            "kv_cache": seconds["kv"],
            "overhead": seconds["layers"] + seconds["host"],
            "network": seconds["network"],
            "prompts": seconds["prompts"],
        }
        ranked = sorted(sides, key=lambda name: -sides[name])
        result["serve_bound"] = ranked[0]
        if parts["undecided"] or sides[ranked[0]] - sides[ranked[1]] <= NEAR * sides[ranked[0]]:
            undetermined.append("serve_bound")
    crowded = share is not None and share > mpf(1) / 2
    full = concurrency > most * mpf(9) / 10
    result["serve_load"] = "waits_for_memory" if full else "prompts_crowd" if crowded else "open"
    edge = most < mp.inf and abs(concurrency - most * mpf(9) / 10) <= NEAR * concurrency
    if share is None or abs(share - mpf(1) / 2) <= NEAR or edge:
        undetermined.append("serve_load")
    return tuple(undetermined)


def cost(row: Row) -> Result:
    """Rent and energy over tokens: the machine-second shared out."""
    with mp.workdps(DIGITS):
        lines = Lines(row)

        def n(name: str) -> Any:
            return number(row, name)

        tokens = n("serve_tokens_per_s_per_chip") * n("serve_utilization")
        power = n("chip_tdp_w") * n("serve_server_power_ratio") * n("serve_power_utilization") * n("serve_pue")
        lines.line("serve_joules_per_token", lambda: power / tokens)
        lines.line("serve_usd_per_mtok", lambda: n("chip_rent_usd_per_hour") / 3600 / tokens * 10**6)
        bill = lines["serve_usd_per_mtok"]
        asked, answered, share = n("serve_input_tokens"), n("serve_output_tokens"), n("serve_prompt_share")
        lines.line("serve_total_usd_per_mtok", lambda: bill * answered / (asked + answered))
        lines.line("serve_input_usd_per_mtok", lambda: bill * share * answered / asked if asked > 0 else mpf(0))
        lines.line("serve_output_usd_per_mtok", lambda: bill * (1 - share), lambda: bill)
        return lines.result()
