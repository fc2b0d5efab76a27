// Serving a language model: one layout and load, rows in lanes. The layout and the model are the same on all rows.
#pragma once
#include "lanes.hpp"
#include "names.hpp"
#include <cmath>

#define CHIPS(X) X(serve_input_tokens) X(serve_output_tokens) X(serve_cached_input_share) X(chip_flop_per_s_bf16) \
    X(chip_flop_per_s_fp8) X(chip_memory_bytes) X(chip_memory_bytes_per_s) X(chip_link_bytes_per_s) X(serve_cal_tpot_scale) \
    X(serve_cal_ttft_scale) X(serve_memory_share)
#define FIXED(X) X(llm_layers) X(llm_hidden) X(llm_kv_heads) X(llm_kv_latent_dim) X(llm_experts_per_token) X(llm_expert_ffn) \
    X(llm_tied_embeddings) X(llm_kv_bytes_per_element) X(llm_attention_params) X(llm_dense_params) X(llm_expert_params) \
    X(llm_expert_active_share) X(llm_embedding_params) X(llm_expert_layers) X(llm_kv_bytes_per_token) X(llm_state_bytes) \
    X(llm_attention_flop_per_pair) X(serve_kv_bytes_per_element) X(serve_step_factor) X(serve_host_factor) X(serve_start_s) \
    X(serve_launch_factor) X(serve_expert_imbalance) X(serve_cal_format_exponent) X(serve_cal_weight_read_share) \
    X(serve_cal_expert_read_share) X(serve_cal_kv_read_share) X(serve_cal_decode_flop_share) X(serve_cal_prompt_flop_share) \
    X(serve_cal_attention_flop_share) X(serve_cal_link_share) X(serve_cal_prompt_expert_factor) X(serve_cal_expert_slice) \
    X(serve_cal_layer_s) X(serve_cal_expert_layer_s) X(serve_cal_collective_s) X(serve_cal_host_s) X(serve_cal_root_s) \
    X(serve_cal_first_steps) X(serve_cal_launch_s) X(serve_cal_launch_expert_factor) X(serve_cal_launch_latent_factor) \
    X(serve_cal_first_prompt_factor) X(serve_cal_queue_factor) X(serve_cal_burst_share) X(serve_cal_first_data_factor) \
    X(serve_tensor_parallel) X(serve_data_parallel) X(serve_expert_parallel) X(serve_max_chips) X(serve_max_ttft_s)

struct Load { V asked, answered, bf16, fp8, memory_bytes, per_memory_rate, per_link, tpot_scale, ttft_scale, new_tokens, prompt_flop, held; };

template <class Fixed> INLINE Load load(const Fixed& f, const V* x) {
    V asked = x[0], answered = x[1], cached = x[2], bf16 = x[3];
    V pairs = asked * asked * (1.0 - cached * cached) * 0.5;
    double width = f.llm_kv_bytes_per_token * f.serve_kv_bytes_per_element / f.llm_kv_bytes_per_element;
    return {asked, answered, bf16, bf16 * exp_(f.serve_cal_format_exponent * log_(x[4] / bf16)), x[5] * x[10], 1.0 / x[6],
            1.0 / x[7], x[8], x[9], asked * (1.0 - cached), pairs * f.llm_attention_flop_per_pair,
            (asked + answered * 0.5) * width + f.llm_state_bytes};
}

struct Machine {
    double chips;
    V read_s, flop_s, expert_read_s, expert_flop_s, expert_factor, fixed_s, by_batch_s, prompt_s, prompts_s, most, alone_s, first_s;
    double launch_s;
};

template <class Fixed> INLINE Machine machine(const Fixed& f, double tensor, double data, double expert, const Load& l) {
    Machine m;
    double chips = m.chips = tensor * data, expert_tensor = chips / expert;
    double matrices = f.llm_attention_params + f.llm_dense_params, everyone = matrices + f.llm_embedding_params * 2;
    V per_fp8 = 1.0 / l.fp8, per_bf16 = 1.0 / l.bf16;
    double flop_share = 1 / (chips * f.serve_cal_decode_flop_share);
    m.read_s = (everyone / (tensor * f.serve_cal_weight_read_share)) * l.per_memory_rate * l.tpot_scale;
    m.flop_s = (matrices * per_fp8 + f.llm_embedding_params * per_bf16) * (2 * flop_share) * l.tpot_scale;
    V expert_token_s = (f.llm_expert_params * f.llm_expert_active_share * 2) * per_fp8;
    m.expert_read_s = (f.llm_expert_params / (chips * f.serve_cal_expert_read_share)) * l.per_memory_rate;
    m.expert_flop_s = expert_token_s * flop_share;
    double imbalance = expert > 1 ? f.serve_expert_imbalance : 1;
    m.expert_factor = (1 + f.serve_cal_expert_slice * expert_tensor / f.llm_expert_ffn) * imbalance * l.tpot_scale;
    double shards = f.llm_kv_latent_dim > 0 ? 1 : std::min(tensor, f.llm_kv_heads);
    V kv_s = l.held * (1 / (data * shards * f.serve_cal_kv_read_share)) * l.per_memory_rate * l.tpot_scale;
    double cut = tensor > 1 ? f.llm_layers : 0, waits = cut + (data > 1 ? 2 * f.llm_expert_layers : cut);
    double ring = f.llm_layers * f.llm_hidden * (1 - 1 / tensor) * 4 / data;
    double routed = expert > 1 ? f.llm_hidden * f.llm_experts_per_token * (1 - 1 / expert) * 3 / data : f.llm_hidden * (1 - 1 / chips) * 4;
    V traffic_s = ((ring + (data > 1 ? f.llm_expert_layers * routed : ring)) / f.serve_cal_link_share) * l.per_link;
    double collectives_s = chips > 1 ? waits * f.serve_cal_collective_s * f.serve_step_factor : 0;
    V matrices_s = (per_fp8 * (2 * matrices) + expert_token_s * f.serve_cal_prompt_expert_factor) * (1 / f.serve_cal_prompt_flop_share);
    V attention_s = l.prompt_flop * per_bf16 * (1 / f.serve_cal_attention_flop_share);
    m.prompt_s = (l.new_tokens * matrices_s + attention_s) * (1 / chips) + l.new_tokens * traffic_s;
    double weight_bytes = (everyone + f.llm_embedding_params * (1 - f.llm_tied_embeddings) * 2) / tensor + f.llm_expert_params / chips;
    m.most = positive((l.memory_bytes - weight_bytes) * (data * shards)) / l.held;
    double of_layers = (f.llm_layers * f.serve_cal_layer_s + f.llm_expert_layers * f.serve_cal_expert_layer_s) * f.serve_step_factor;
    m.fixed_s = (of_layers + collectives_s) * l.tpot_scale;
    m.by_batch_s = kv_s + (traffic_s + f.serve_cal_host_s * f.serve_host_factor) * l.tpot_scale;
    m.prompts_s = m.prompt_s * l.tpot_scale / l.answered;
    m.alone_s = m.prompt_s * f.serve_cal_first_prompt_factor;
    V loading_s = weight_bytes * l.per_memory_rate;
    m.first_s = stdx::sqrt(m.alone_s * m.alone_s + loading_s * loading_s) * (data > 1 ? f.serve_cal_first_data_factor : 1);
    double kinds = 1 + (f.llm_expert_layers > 0 ? f.serve_cal_launch_expert_factor : 0) + (f.llm_kv_latent_dim > 0 ? f.serve_cal_launch_latent_factor : 0);
    m.launch_s = f.serve_start_s + f.llm_layers * f.serve_cal_launch_s * f.serve_launch_factor * kinds;
    return m;
}

struct Outcome { V tpot_s, ttft_s, tokens; };

INLINE V decode_s(double ln_untouched, const Machine& m, V batch) {
    V flop_s = m.flop_s * batch, touched = m.expert_read_s * (1.0 - exp_(ln_untouched * batch)), expert_s = m.expert_flop_s * batch;
    V weights = stdx::sqrt(m.read_s * m.read_s + flop_s * flop_s);
    V experts = m.expert_factor * stdx::sqrt(touched * touched + expert_s * expert_s);
    return weights + experts + m.fixed_s + m.by_batch_s * batch;
}

template <class Fixed> INLINE Outcome outcome(const Fixed& f, double ln_untouched, const Machine& m, const Load& l, V concurrency) {
    V most = stdx::min(concurrency, m.most), batch = most;
    for (int pass = 0; pass < 3; pass++) {
        V answer_s = l.answered * (decode_s(ln_untouched, m, batch) + m.prompts_s * batch);
        batch = most * (answer_s / (answer_s + m.prompt_s));
    }
    V step_s = decode_s(ln_untouched, m, batch), others_s = m.prompts_s * batch, tpot_s = step_s + others_s;
    V wait_s = positive(concurrency - m.most) * (tpot_s * l.answered / batch);
    V queued_s = m.first_s * (1.0 + f.serve_cal_queue_factor * (others_s / step_s));
    V burst_s = (f.serve_cal_burst_share * 0.5) * (concurrency - 1.0) * m.alone_s;
    V waits_s = m.launch_s + f.serve_cal_root_s * stdx::sqrt(concurrency) + f.serve_cal_first_steps * step_s;
    return {tpot_s, wait_s + (waits_s + queued_s + burst_s) * l.ttft_scale, batch / (tpot_s * m.chips)};
}
