"""Training, die and package, serving: the equations once, for whatever has numbers and these functions.

`equations(m)` takes `exp`, `log`, `log1p`, `expm1`, `sqrt`, `where`, `minimum`, `maximum`, `some` from `m`: NumPy's and
JAX's for columns, Polars' for expressions, `math`'s for one row in Python, and in a Numba loop. `f` are the constants.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

LN_10 = math.log(10)
INFINITY = math.inf
PI = math.pi

LAYOUTS = (
    (1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (4.0, 1.0, 1.0), (8.0, 1.0, 1.0), (16.0, 1.0, 1.0), (2.0, 1.0, 2.0),
    (4.0, 1.0, 4.0), (8.0, 1.0, 8.0), (16.0, 1.0, 16.0), (1.0, 8.0, 8.0), (1.0, 16.0, 16.0), (1.0, 32.0, 32.0),
)  # fmt: skip
LOADS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 1024.0, 2048.0)


def equations(m: Any, jit: Callable[[Any], Any] = lambda function: function) -> SimpleNamespace:
    """The jobs in the terms of `m`, each function through `jit`."""
    exp, log, log1p, expm1, sqrt = m.exp, m.log, m.log1p, m.expm1, m.sqrt
    where, minimum, maximum, some = m.where, m.minimum, m.maximum, m.some

    @jit
    def training(
        f, hours, chip_usd, overhead, age_years, decline, network, tdp_w, server_ratio, load, pue, usd_per_kwh, index
    ):
        rate = decline * LN_10
        hardware = chip_usd * overhead * exp(-(rate * age_years)) * rate / 8766.0 * hours
        energy = tdp_w / 1000.0 * server_ratio * load * pue * hours * usd_per_kwh
        cost = hardware + hardware * (network / (1.0 - network)) + energy
        return cost, cost * index

    @jit
    def package(
        f, width, height, wafer_usd, density, alpha, systematic, die_test_usd, memory_usd_per_gb, interposer_usd,
        substrate_usd, assembly_usd, package_yield, margin,
    ):  # fmt: skip
        cell = (width + f.die_scribe_mm) * (height + f.die_scribe_mm)
        radius = maximum((f.wafer_diameter_mm - 2.0 * f.wafer_edge_mm) * 0.5 - sqrt(cell) * 0.5, 0.0)
        gross = radius * radius * PI / cell
        defects = width * height / 100.0 * density * f.die_critical_area_ratio
        die_yield = exp(-(alpha * log1p(defects / alpha))) * systematic
        die_usd = wafer_usd / (gross * die_yield)
        die_pass = 1.0 - f.die_test_coverage + die_yield * f.die_test_coverage
        memory_usd = f.package_memory_stacks * f.package_memory_bytes_per_stack / 1e9 * memory_usd_per_gb
        known_good = (die_usd * die_yield + die_test_usd) / die_pass
        parts = f.package_dies * known_good + memory_usd + interposer_usd / f.package_interposer_yield
        bill = parts + substrate_usd + assembly_usd + f.package_test_usd
        holds = f.memory_quality**f.package_memory_stacks * f.package_bond_yield**f.package_dies
        # Two dies.
        share = die_yield / die_pass
        good = share * share * holds * package_yield
        passes = 1.0 - f.package_test_coverage + good * f.package_test_coverage
        unit_usd = bill / passes
        silicon = (unit_usd - memory_usd) / (1.0 - margin)
        price = silicon + memory_usd / (1.0 - f.partner_memory_margin_share) + f.partner_royalty_usd
        return die_yield, die_usd, passes, price

    @jit
    def sequence(f, asked, answered, cached):
        """New tokens of a prompt, arithmetic of its attention, bytes that are read and held of a sequence."""
        context = asked + answered * 0.5
        new = asked * (1.0 - cached)
        pairs = asked * asked * (1.0 - cached * cached) * 0.5
        width = f.llm_kv_bytes_per_token * f.serve_kv_bytes_per_element / f.llm_kv_bytes_per_element
        return new, pairs * f.llm_attention_flop_per_pair, context * width + f.llm_state_bytes

    @jit
    def gained(f, bf16, fp8):
        """The rate in 8 bits: less than its peak says."""
        return bf16 * exp(f.serve_cal_format_exponent * log(fp8 / bf16))

    @jit
    def machine(
        f, tensor, data, expert, new, prompt_flop, held, answered, bf16, fp8, memory, memory_rate, link, tpot_scale,
        memory_share,
    ):  # fmt: skip
        """All of a layout that does not hang on the load; weights in 8 bits, the output head in 16."""
        chips = tensor * data
        expert_tensor = chips / expert
        everyone = f.llm_attention_params + f.llm_dense_params + f.llm_embedding_params * 2.0
        body_s = (f.llm_attention_params + f.llm_dense_params) / fp8
        flop_share = 1.0 / (chips * f.serve_cal_decode_flop_share)
        read_s = everyone / (tensor * f.serve_cal_weight_read_share) / memory_rate * tpot_scale
        flop_s = (body_s + f.llm_embedding_params / bf16) * (2.0 * flop_share) * tpot_scale
        expert_token_s = f.llm_expert_params * f.llm_expert_active_share * 2.0 / fp8
        expert_read_s = f.llm_expert_params / (chips * f.serve_cal_expert_read_share) / memory_rate
        expert_flop_s = expert_token_s * flop_share
        imbalance = f.serve_expert_imbalance if expert > 1.0 else 1.0
        expert_factor = (1.0 + f.serve_cal_expert_slice * expert_tensor / f.llm_expert_ffn) * imbalance * tpot_scale
        shards = 1.0 if f.llm_kv_latent_dim > 0.0 else min(tensor, f.llm_kv_heads)
        kv_s = held / (data * shards * f.serve_cal_kv_read_share) / memory_rate * tpot_scale
        cut = f.llm_layers if tensor > 1.0 else 0.0
        waits = cut + (2.0 * f.llm_expert_layers if data > 1.0 else cut)
        ring = f.llm_layers * f.llm_hidden * (1.0 - 1.0 / tensor) * 4.0 / data
        routed = f.llm_hidden * f.llm_experts_per_token * (1.0 - 1.0 / expert) * 3.0 / data
        if expert <= 1.0:
            routed = f.llm_hidden * (1.0 - 1.0 / chips) * 4.0
        sent = ring + (f.llm_expert_layers * routed if data > 1.0 else ring)
        traffic_s = sent / f.serve_cal_link_share / link
        collectives_s = (waits * f.serve_cal_collective_s * f.serve_step_factor if chips > 1.0 else 0.0) * tpot_scale
        matrices_s = (body_s * 2.0 + expert_token_s * f.serve_cal_prompt_expert_factor) / f.serve_cal_prompt_flop_share
        attention_s = prompt_flop / (bf16 * f.serve_cal_attention_flop_share)
        prompt_s = (new * matrices_s + attention_s) / chips + new * traffic_s
        embedding = f.llm_embedding_params * (1.0 - f.llm_tied_embeddings) * 2.0
        weight_bytes = (everyone + embedding) / tensor + f.llm_expert_params / chips
        free = memory * memory_share - weight_bytes
        most = where(free > 0.0, free * (data * shards) / held, 0.0)
        of_layers = f.llm_layers * f.serve_cal_layer_s + f.llm_expert_layers * f.serve_cal_expert_layer_s
        fixed_s = of_layers * f.serve_step_factor * tpot_scale + collectives_s
        by_batch_s = kv_s + traffic_s * tpot_scale + f.serve_cal_host_s * f.serve_host_factor * tpot_scale
        # Launches, and a prompt on its own machine.
        alone_s = prompt_s * f.serve_cal_first_prompt_factor
        loading_s = weight_bytes / memory_rate
        spread = f.serve_cal_first_data_factor if data > 1.0 else 1.0
        kinds = 1.0 + (f.serve_cal_launch_expert_factor if f.llm_expert_layers > 0.0 else 0.0)
        kinds = kinds + (f.serve_cal_launch_latent_factor if f.llm_kv_latent_dim > 0.0 else 0.0)
        launch_s = f.serve_start_s + f.llm_layers * f.serve_cal_launch_s * f.serve_launch_factor * kinds
        first_s = sqrt(alone_s * alone_s + loading_s * loading_s) * spread
        prompts_s = prompt_s * tpot_scale / answered
        return (
            chips, read_s, flop_s, expert_read_s, expert_flop_s, expert_factor, fixed_s, by_batch_s, prompt_s,
            prompts_s, most, alone_s, first_s, launch_s,
        )  # fmt: skip

    @jit
    def decode_s(ln_untouched, machine, batch):
        """The time of a step without the prompts of others."""
        flop_s = machine[2] * batch
        touched = machine[3] * -expm1(ln_untouched * batch)
        expert_s = machine[4] * batch
        weights = sqrt(machine[1] * machine[1] + flop_s * flop_s)
        experts = machine[5] * sqrt(touched * touched + expert_s * expert_s)
        return weights + experts + machine[6] + machine[7] * batch

    @jit
    def outcome(f, ln_untouched, machine, answered, ttft_scale, concurrency):
        """Time of an output token, time to the first, tokens a second and chip."""
        prompt_s, prompts_s, sequences = machine[8], machine[9], machine[10]
        most = minimum(concurrency, sequences)
        batch = most
        for _ in range(3):
            answer_s = answered * (decode_s(ln_untouched, machine, batch) + prompts_s * batch)
            batch = most * (answer_s / (answer_s + prompt_s))
        step_s = decode_s(ln_untouched, machine, batch)
        others_s = prompts_s * batch
        tpot_s = step_s + others_s
        wait_s = maximum(concurrency - sequences, 0.0) * (tpot_s * answered / batch)
        queued_s = machine[12] * (1.0 + f.serve_cal_queue_factor * (others_s / step_s))
        burst_s = f.serve_cal_burst_share * (concurrency - 1.0) * 0.5 * machine[11]
        waits_s = machine[13] + f.serve_cal_root_s * sqrt(concurrency) + f.serve_cal_first_steps * step_s
        return tpot_s, wait_s + (waits_s + queued_s + burst_s) * ttft_scale, batch / tpot_s / machine[0]

    @jit
    def point(
        f,
        asked,
        answered,
        cached,
        bf16,
        fp8,
        memory,
        memory_rate,
        link,
        tpot_scale,
        ttft_scale,
        memory_share,
        concurrency,
    ):
        new, prompt_flop, held = sequence(f, asked, answered, cached)
        layout = machine(
            f, f.serve_tensor_parallel, f.serve_data_parallel, f.serve_expert_parallel, new, prompt_flop, held,
            answered, bf16, gained(f, bf16, fp8), memory, memory_rate, link, tpot_scale, memory_share,
        )  # fmt: skip
        ln_untouched = math.log1p(-f.llm_expert_active_share)
        tpot_s, ttft_s, tokens = outcome(f, ln_untouched, layout, answered, ttft_scale, concurrency)
        fits = layout[10] >= 1.0
        return where(fits, tpot_s, math.nan), where(fits, ttft_s, math.nan), where(fits, tokens, math.nan)

    @jit
    def search(
        f,
        asked,
        answered,
        cached,
        bf16,
        fp8,
        memory,
        memory_rate,
        link,
        tpot_scale,
        ttft_scale,
        memory_share,
        max_tpot_s,
    ):
        new, prompt_flop, held = sequence(f, asked, answered, cached)
        rate = gained(f, bf16, fp8)
        ln_untouched = math.log1p(-f.llm_expert_active_share)
        best = asked * 0.0 - INFINITY
        load = tensor = data = expert = asked * 0.0 + math.nan
        for t, d, e in LAYOUTS:
            if t * d > f.serve_max_chips:
                continue
            layout = machine(
                f, t, d, e, new, prompt_flop, held, answered, bf16, rate, memory, memory_rate, link, tpot_scale,
                memory_share,
            )  # fmt: skip
            fits = layout[10] >= 1.0
            if some(fits):
                for concurrency in LOADS:
                    tpot_s, ttft_s, tokens = outcome(f, ln_untouched, layout, answered, ttft_scale, concurrency)
                    kept = fits & (tpot_s <= max_tpot_s) & (ttft_s <= f.serve_max_ttft_s) & (tokens > best)
                    best = where(kept, tokens, best)
                    load, tensor = where(kept, concurrency, load), where(kept, t, tensor)
                    data, expert = where(kept, d, data), where(kept, e, expert)
        return load, tensor, data, expert

    return SimpleNamespace(
        training=training, package=package, point=point, search=search, sequence=sequence, gained=gained,
        machine=machine, outcome=outcome,
    )  # fmt: skip
