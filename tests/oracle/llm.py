"""Sizes of a language model from its dimensions, counted matrix by matrix in whole numbers."""

from __future__ import annotations

import math
from typing import Any

from mpmath import mp, mpf

from .common import DIGITS, Lines, Result, Row


def attention(row: Row) -> Any:
    """Entries of all matrices of one attention layer, and of its latents' norms.

    Sources: Vaswani et al. 2017, section 3.2.2; DeepSeek-V2, arXiv 2405.04434, equations 9 to 19.
    """
    d, heads, width = row["llm_hidden"], row["llm_heads"], row["llm_head_dim"]
    latent, query = row["llm_kv_latent_dim"], row["llm_query_latent_dim"]
    rope, value = row["llm_rope_head_dim"], row["llm_value_head_dim"] or width
    if not latent:
        matrices = [(d, heads * width)] * int(row["llm_query_projections"])
        matrices += [(d, row["llm_kv_heads"] * width)] * 2 + [(heads * width, d)]
        return sum(mpf(a) * b for a, b in matrices)
    matrices = [(d, latent), (d, rope), (latent, heads * width), (latent, heads * value), (heads * value, d)]
    if query:
        matrices += [(d, query), (query, heads * width), (query, heads * rope), (query, 1)]
    else:
        matrices += [(d, heads * (width + rope))]
    return sum(mpf(a) * b for a, b in matrices) + latent


def linear(row: Row) -> Any:
    """One gated delta net: query, key, value, gate, decay, strength and output, and a convolution of four taps.

    Source: Yang et al., arXiv 2412.06464.
    """
    d = row["llm_hidden"]
    keys = mpf(row["llm_linear_key_heads"]) * row["llm_linear_head_dim"]
    values = mpf(row["llm_linear_value_heads"]) * row["llm_linear_head_dim"]
    projected = 2 * keys + 2 * values + 2 * row["llm_linear_value_heads"]
    return d * projected + values * d + 4 * (2 * keys + values)


def evaluate(row: Row) -> Result:
    """Parameters, cache and state; null, with the reason, where the dimensions do not fit together."""
    with mp.workdps(DIGITS):
        lines = Lines(row)
        layers, special = row["llm_layers"], row["llm_linear_layers"]
        experts, chosen = row["llm_experts"], row["llm_experts_per_token"]
        latent = row["llm_kv_latent_dim"] > 0
        status = "ok"
        if row["llm_kv_heads"] > row["llm_heads"] and not latent:
            status = "more_kv_heads_than_heads"
        if row["llm_dense_layers"] > layers or row["llm_window_layers"] > layers - special or special > layers:
            status = "more_special_layers_than_layers"
        if chosen > experts or (experts and not (chosen and row["llm_expert_ffn"])):
            status = "experts_inconsistent"
        fits = status == "ok"
        value = (row["llm_value_head_dim"] or row["llm_head_dim"]) if latent else row["llm_head_dim"]
        key = row["llm_head_dim"] + (row["llm_rope_head_dim"] if latent else 0)
        expert = mpf(row["llm_ffn_matrices"]) * row["llm_hidden"] * row["llm_expert_ffn"]
        elements = (
            row["llm_kv_latent_dim"] + row["llm_rope_head_dim"]
            if latent
            else 2 * mpf(row["llm_kv_heads"]) * row["llm_head_dim"]
        )
        keys = mpf(row["llm_linear_key_heads"]) * row["llm_linear_head_dim"]
        values = mpf(row["llm_linear_value_heads"]) * row["llm_linear_head_dim"]
        state = values * row["llm_linear_head_dim"] + 3 * (2 * keys + values)

        def if_fits(number: Any) -> Any:
            return number if fits else None

        def attention_params() -> Any:
            cached = (layers - special) * attention(row)
            return if_fits(cached + special * linear(row) + row["llm_hidden"] * (2 * mpf(layers) + 1))

        def dense_params() -> Any:
            routed = lines["llm_expert_layers"]
            if routed is None:
                return None
            one = mpf(row["llm_ffn_matrices"]) * row["llm_hidden"] * row["llm_ffn"]
            always = row["llm_shared_experts"] * expert + mpf(experts) * row["llm_hidden"]
            return (layers - routed) * one + routed * always

        def dense_scale() -> Any:
            routed = lines["llm_expert_layers"]
            return (
                abs(dense_params())
                + 2 * (abs(routed) + layers) * mpf(row["llm_ffn_matrices"]) * row["llm_hidden"] * row["llm_ffn"]
            )

        def expert_params() -> Any:
            routed = lines["llm_expert_layers"]
            return None if routed is None else routed * experts * expert

        def total(active: bool) -> Any:
            parts = [lines[f"llm_{part}_params"] for part in ("attention", "dense", "expert", "embedding")]
            share = lines["llm_expert_active_share"] if active else 1
            if share is None or any(part is None for part in parts):
                return None
            attention_part, dense, routed, embedding = parts
            return attention_part + dense + routed * share + embedding * (2 - row["llm_tied_embeddings"])

        lines.line("llm_attention_params", attention_params)
        lines.line("llm_expert_layers", lambda: if_fits(mpf(layers - row["llm_dense_layers"]) if experts else mpf(0)))
        lines.line("llm_dense_params", dense_params, dense_scale)
        lines.line("llm_expert_params", expert_params)
        lines.line("llm_expert_active_share", lambda: if_fits(mpf(chosen) / experts if experts else mpf(0)))
        lines.line("llm_embedding_params", lambda: if_fits(mpf(row["llm_vocab"]) * row["llm_hidden"]))
        lines.line("llm_params", lambda: total(False))
        lines.line("llm_active_params", lambda: total(True))
        lines.line(
            "llm_kv_bytes_per_token",
            lambda: if_fits((layers - special) * mpf(elements) * row["llm_kv_bytes_per_element"]),
        )
        lines.line("llm_state_bytes", lambda: if_fits(special * state * row["llm_kv_bytes_per_element"]))
        lines.line(
            "llm_attention_flop_per_pair",
            lambda: if_fits((layers - special) * mpf(row["llm_heads"]) * 2 * (key + value)),
        )
        result = lines.result()
        result["llm_status"] = status
        assert math.isfinite(layers)
        return result
