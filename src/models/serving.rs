//! Response time and throughput of a language model on chips that exist or do not.
//!
//!     step      t(B) = weights + experts + cache + layers + network + host
//!     weights   ‖ bytes / (T W η_w) , 2 B FLOP / (n η_c) ‖                    attention, dense layers, output head
//!     experts   (1 + q T_e / f) ‖ bytes D / (n W η_e) , 2 B k/E FLOP / (n η_c) ‖,  D = 1 - (1 - k/E)^B distinct experts
//!     cache     B (input + output / 2) bytes a token / (shards W η_k)         shards: key-value heads at most, latent 1
//!     layers    m (L τ + L_e τ_e)
//!     network   collectives · m a + bytes sent / (X η_x)
//!     host      B h
//!     prompt    t_p = 2 S FLOP / (n η_p) + FLOP of attention / (n P η_a) + its network, of the whole machine
//!     token     TPOT = t(B) + B t_p / output                                  B / output prompts come in with each step
//!     batch     B = min(concurrency, memory) · output TPOT / (output TPOT + t_p)        three passes
//!     first     TTFT = wait for memory + start + √C r + α t + launches + ‖ κ t_p , weights / W ‖ (1 + c ρ / (1 - ρ))
//!                      + b (C - 1) / 2 · κ t_p,                               ρ the share of time that goes to prompts
//!
//! ‖a, b‖ = √(a² + b²): weights stream while arithmetic runs. T, n chips that split attention and all chips, T_e chips that
//! split one expert, f its width, W, X memory and link bandwidth of a chip, L layers, B sequences, C requests under way,
//! m the engine's factor (`serving_engine`). Requests that memory has no room for wait, C = throughput · latency (Little
//! 1961). With prompts on machines of their own there is no interference, and the machines for prompts count as chips.
//!
//! Sources: JAX scaling book, "Theoretical step time"; Pope et al., arXiv 2211.05102 (layouts); distinct experts as Epoch
//! AI, inference economics notebook, 2025; mean field as NVIDIA AIConfigurator. Constants `serve_cal_*` are a fit on 1,671
//! rows of public serving benchmarks (InferenceX and AIConfigurator, H100 to B300, three engines, 2025-11 to 2026-04):
//! fifteen of TPOT, fourteen of TTFT, log residuals, soft-L1, log-normal priors, whole groups of architecture, chip and
//! engine left out. Median and mean error, per cent:
//!
//!     TPOT    groups left out 10.0 / 14.4   chips 11.3 / 15.5   models 10.5 / 14.2   engines 12.1 / 16.8
//!             groups left out, three measurements of their own giving a scale 8.4 / 11.4   textbook roofline 49 / 49
//!     TTFT    where nothing queues, groups left out 24.6 / 33.6   chips 23.6 / 32.2   models 23.4 / 34.2
//!
//! `docs/accuracy.md` has them by chip, engine and model. To carry them into a sweep, draw
//! `serve_cal_tpot_scale` and `serve_cal_ttft_scale` from log-normal laws around 1 with the spreads `serve_tpot_log_sd` and
//! `serve_ttft_log_sd`. The constants are not physics one by one: times a layer and factors of engines trade off.
//!
//! Where we differ: no roof explains a third of a token's time, the times a layer, which textbooks leave out; chips beyond
//! the key-value heads read the same cache again, and each reads all of a latent one; a latent cache counts its rotary
//! part; attention over a prompt counts half the square. Shared with the search: `serving.rs`. Factors of a chip's generation, of imbalance among experts and of
//! weights alone in 4 bits are not fitted: they did not help on groups left out. Not validated: data-parallel attention (16
//! rows), more than 8 chips, chips of other vendors, prompts on machines of their own, speculative decoding. Left out:
//! node boundaries, pipeline parallelism, overlap of network and arithmetic.

use crate::number::Number;
use crate::serving::{DECODE_MACHINES_BUSY, Layout, Load, machine, pieces};
use crate::variable::{HUGE, INFINITE, NONE, choices, model};

choices!(
    /// Whether the model can be served so.
    ServeStatus {
        Ok "ok",
        Layout "expert_parallel_does_not_divide_chips",
        Weights "weights_do_not_fit",
        Cache "no_sequence_fits",
    }
);
choices!(
    /// What takes most of a token's time.
    ServeBound {
        Weights "weights", Compute "compute", Cache "kv_cache", Overhead "overhead", Network "network", Prompts "prompts",
    }
);
choices!(
    /// Whether requests queue; a response time then hangs on the scheduler and is less sure.
    ServeLoad { Open "open", Prompts "prompts_crowd", Memory "waits_for_memory" }
);

/// Where the time to the first token was fitted: memory not full, and prompts taking less than half of the time.
const MEMORY_OPEN: f64 = 0.9;
const PROMPTS_OPEN: f64 = 0.5;

/// The value where it can be.
#[inline(always)]
fn valid<N: Number>(possible: N::Mask, value: N) -> N {
    N::select(possible, value, N::of(f64::NAN))
}

model! {
    /// Response time and throughput of serving a language model.
    Serving = "serving";
    inputs {
        /// Tokens of a prompt.
        serve_input_tokens: number "1" [0.0, 1e9], default NONE, typical [500.0, 16e3], Definition "property of the load";
        /// Tokens of an answer.
        serve_output_tokens: number "1" [1.0, 1e9], default NONE, typical [100.0, 8e3], Definition "property of the load";
        /// Share of a prompt's tokens whose cache is there already.
        serve_cached_input_share: number "1" [0.0, 1.0], default 0.0, typical [0.0, 0.6], Definition "no prefix cache; DeepSeek reports 0.563";
        /// Requests under way on one machine.
        serve_concurrency: number "1" [1.0, 1e9], default NONE, typical [1.0, 512.0], Definition "property of the load";
        /// Chips that split each attention layer.
        serve_tensor_parallel: integer "1" [1.0, 1e5], default NONE, typical [1.0, 8.0], Definition "property of the layout";
        /// Groups of such chips, each with sequences of its own.
        serve_data_parallel: integer "1" [1.0, 1e5], default 1.0, typical [1.0, 8.0], Definition "one group";
        /// Chips over which experts are spread whole.
        serve_expert_parallel: integer "1" [1.0, 1e5], default 1.0, typical [1.0, 8.0], Definition "experts are split like all else";
        /// Share of memory for weights and caches.
        serve_memory_share: number "1" [0.01, 1.0], default 0.95, typical [0.85, 0.95], Estimate "waiting times of full machines in public benchmarks fit 0.90 to 0.95";
        /// Bytes of an element of the key-value cache as served.
        serve_kv_bytes_per_element: number "bytes" [0.0, 64.0], default 1.0, typical [0.5, 2.0], Definition "8 bits, as most measured deployments";
        /// Tokens of the busiest chip over the mean, where experts are spread.
        serve_expert_imbalance: number "1" [1.0, 1e5], default 1.0, typical [1.0, 1.4], Measured "the fit finds no more than 1.07, within its error of 1";
        /// Time of guessing over that of the step that verifies.
        serve_draft_time_share: number "1" [0.0, 100.0], default 0.1, typical [0.02, 0.3], Judgement "three passes through one layer and the output head";
        /// Tokens that a layer with sparse attention reads.
        llm_sparse_tokens: number "1" [1.0, INFINITE], default INFINITE, typical [1024.0, 4096.0], Definition "dense attention";
        /// Bytes of the index of sparse attention over those of the cache.
        llm_index_share: number "1" [0.0, 10.0], default 0.0, typical [0.1, 0.3], Definition "dense attention";
        /// Memory of the serving chip.
        chip_memory_bytes: number "bytes" [1.0, 1e18], default NONE, typical [40e9, 300e9], VendorClaim "data sheet of the chip";
        /// Memory bandwidth of the serving chip.
        chip_memory_bytes_per_s: number "bytes/s" [1.0, 1e18], default NONE, typical [1e12, 1e13], VendorClaim "data sheet of the chip";
        /// Bandwidth of the chip's links to its neighbours, one direction.
        chip_link_bytes_per_s: number "bytes/s" [1.0, 1e18], default NONE, typical [5e10, 1e12], VendorClaim "data sheet of the chip";
        /// Share of memory bandwidth that reads of weights reach.
        serve_cal_weight_read_share: number "1" [1e-3, 1.0], default 0.889, typical [0.8, 0.95], Measured "fit on serving benchmarks";
        /// Share of memory bandwidth that reads of experts reach.
        serve_cal_expert_read_share: number "1" [1e-3, 1.0], default 0.891, typical [0.7, 0.95], Measured "fit on serving benchmarks";
        /// Share of memory bandwidth that reads of the cache reach.
        serve_cal_kv_read_share: number "1" [1e-3, 1.0], default 0.684, typical [0.4, 0.8], Measured "fit on serving benchmarks";
        /// Share of peak arithmetic that a step reaches.
        serve_cal_decode_flop_share: number "1" [1e-3, 1.0], default 0.547, typical [0.4, 0.7], Measured "fit on serving benchmarks";
        /// Share of peak arithmetic that the matrices of a prompt reach.
        serve_cal_prompt_flop_share: number "1" [1e-3, 1.0], default 0.705, typical [0.5, 0.8], Measured "fit on serving benchmarks";
        /// Share of 16-bit peak that attention over a prompt reaches.
        serve_cal_attention_flop_share: number "1" [1e-3, 1.0], default 0.4, typical [0.3, 0.6], Estimate "not fitted";
        /// Share of link bandwidth that collectives reach.
        serve_cal_link_share: number "1" [1e-3, 1.0], default 0.45, typical [0.3, 0.7], Estimate "not fitted";
        /// Factor on a prompt's arithmetic in experts.
        serve_cal_prompt_expert_factor: number "1" [0.0, 1e3], default 2.5, typical [1.0, 4.0], Measured "fit on serving benchmarks";
        /// Width of a slice of an expert at which its time doubles.
        serve_cal_expert_slice: number "1" [0.0, 1e6], default 101.0, typical [0.0, 200.0], Measured "fit on serving benchmarks";
        /// Time of a layer that no roof explains.
        serve_cal_layer_s: number "s" [0.0, 1.0], default 40.4e-6, typical [1e-5, 6e-5], Measured "fit on serving benchmarks";
        /// The same of a layer with experts, on top.
        serve_cal_expert_layer_s: number "s" [0.0, 1.0], default 44.5e-6, typical [1e-5, 6e-5], Measured "fit on serving benchmarks";
        /// Latency of a collective.
        serve_cal_collective_s: number "s" [0.0, 1.0], default 6.04e-6, typical [2e-6, 15e-6], Measured "fit on serving benchmarks";
        /// The host's time a sequence and step.
        serve_cal_host_s: number "s" [0.0, 1.0], default 14.8e-6, typical [5e-6, 3e-5], Measured "fit on serving benchmarks";
        /// Factor on the time of an output token: 1 but for a correction by measurements of one's own.
        serve_cal_tpot_scale: number "1" [1e-3, 1e3], default 1.0, typical [0.8, 1.25], Definition "no correction";
        /// Time to the first token that grows with the root of the requests under way.
        serve_cal_root_s: number "s" [0.0, 1e3], default 0.00386, typical [0.0, 0.01], Measured "fit on serving benchmarks";
        /// Steps that pass before the first token.
        serve_cal_first_steps: number "1" [0.0, 1e3], default 2.0, typical [0.5, 3.0], Measured "fit on serving benchmarks";
        /// Time of launching a layer of a prompt.
        serve_cal_launch_s: number "s" [0.0, 1.0], default 526e-6, typical [1e-4, 1e-3], Measured "fit on serving benchmarks";
        /// Further share of that in a model with experts.
        serve_cal_launch_expert_factor: number "1" [0.0, 1e3], default 1.14, typical [0.0, 2.0], Measured "fit on serving benchmarks";
        /// Further share of that in a model with a latent cache.
        serve_cal_launch_latent_factor: number "1" [0.0, 1e3], default 1.82, typical [0.0, 2.0], Measured "fit on serving benchmarks";
        /// Time of a prompt on its own over its share of the machine's time.
        serve_cal_first_prompt_factor: number "1" [0.0, 1e3], default 1.02, typical [0.8, 1.5], Measured "fit on serving benchmarks";
        /// Queue of prompts over that of an open queue.
        serve_cal_queue_factor: number "1" [0.0, 1e3], default 0.275, typical [0.0, 1.0], Measured "fit on serving benchmarks";
        /// Share of requests that come at once.
        serve_cal_burst_share: number "1" [0.0, 1.0], default 0.194, typical [0.0, 0.3], Measured "fit on serving benchmarks, which start all requests at once";
        /// Factor on a prompt's time where sequences have groups of their own.
        serve_cal_first_data_factor: number "1" [0.0, 1e3], default 1.92, typical [1.0, 3.0], Measured "fit on serving benchmarks, 16 rows";
        /// Factor on the time to the first token: 1 but for a correction by measurements of one's own.
        serve_cal_ttft_scale: number "1" [1e-3, 1e3], default 1.0, typical [0.7, 1.4], Definition "no correction";
        /// Spread of the error of serve_tpot_s, as the standard deviation of its logarithm.
        serve_tpot_log_sd: number "1" [0.0, 10.0], default 0.19, typical [0.1, 0.3], Measured "grouped cross-validation of the fit";
        /// Spread of the error of serve_ttft_s, as the standard deviation of its logarithm.
        serve_ttft_log_sd: number "1" [0.0, 10.0], default 0.43, typical [0.3, 0.6], Measured "grouped cross-validation of the fit";
    }
    choices {
        /// Whether a draft guesses tokens that a step verifies.
        serve_speculative: bool = false, "one token a step and sequence";
        /// Whether prompts have machines of their own.
        serve_disaggregated: bool = false, "prompts between the steps of the same machine";
    }
    reads {
        llm_layers llm_hidden llm_kv_heads llm_kv_latent_dim llm_experts_per_token llm_expert_ffn llm_window_layers llm_window_tokens
        llm_linear_layers llm_tied_embeddings llm_kv_bytes_per_element llm_attention_params llm_dense_params llm_expert_params
        llm_expert_active_share llm_embedding_params llm_expert_layers llm_kv_bytes_per_token llm_state_bytes
        llm_attention_flop_per_pair chip_flop_per_s_bf16 serve_attention_weight_bytes serve_dense_weight_bytes
        serve_expert_weight_bytes serve_head_weight_bytes serve_attention_flop_per_s serve_dense_flop_per_s
        serve_expert_flop_per_s serve_step_factor serve_host_factor serve_start_s serve_launch_factor serve_draft_tokens
        serve_tokens_per_step
    }
    outputs {
        /// Weights on a chip.
        serve_weight_bytes_per_chip: "bytes" [0.0, HUGE];
        /// Cache of a sequence, on the mean over its answer.
        serve_kv_bytes_per_sequence: "bytes" [0.0, INFINITE];
        /// Memory of a chip at which one sequence fits.
        serve_memory_least_bytes: "bytes" [0.0, INFINITE];
        /// Sequences that memory has room for.
        serve_sequences_most: "1" [0.0, INFINITE];
        /// Time of the whole machine that a prompt takes.
        serve_prompt_s: "s" [0.0, INFINITE];
        /// Sequences in a step.
        serve_batch: "1" [0.0, INFINITE];
        /// Of the time of an output token: reading weights other than experts, and their arithmetic.
        serve_weights_s: "s" [0.0, INFINITE];
        /// Experts, the same.
        serve_experts_s: "s" [0.0, INFINITE];
        /// Reading caches.
        serve_kv_s: "s" [0.0, INFINITE];
        /// Time a layer.
        serve_layers_s: "s" [0.0, INFINITE];
        /// Collectives.
        serve_network_s: "s" [0.0, INFINITE];
        /// The host.
        serve_host_s: "s" [0.0, INFINITE];
        /// Prompts of other requests.
        serve_prompts_s: "s" [0.0, INFINITE];
        /// Time of an output token.
        serve_tpot_s: "s" [0.0, INFINITE];
        /// Output tokens a second that one user sees.
        serve_tokens_per_s_per_user: "tokens/s" [1e-6, 1e9];
        /// Wait for room in memory.
        serve_wait_s: "s" [0.0, INFINITE];
        /// Time to the first token.
        serve_ttft_s: "s" [0.0, 1e6];
        /// Time of a request.
        serve_request_s: "s" [0.0, INFINITE];
        /// Machines for prompts, for each for decoding.
        serve_prompt_machines: "1" [0.0, INFINITE];
        /// Chips, those for prompts included.
        serve_chips: "1" [0.0, INFINITE];
        /// Share of the chips' time that goes to prompts.
        serve_prompt_share: "1" [0.0, 1.0];
        /// Output tokens a second of all users over the chips.
        serve_tokens_per_s_per_chip: "tokens/s" [0.0, INFINITE];
    }
    summaries {}
    statuses {
        /// Whether the model can be served so.
        serve_status: ServeStatus;
        /// What takes most of a token's time.
        serve_bound: ServeBound;
        /// Whether requests queue.
        serve_load: ServeLoad;
    }
    equations(x, given) {
        let one = N::one();
        let (weights, sequence, chip, calibration, start, guess, hand_over_s) = pieces!(x);
        let layout = Layout {
            tensor: x.serve_tensor_parallel, data: x.serve_data_parallel, expert: x.serve_expert_parallel,
        };
        let mut machine = machine(&weights, &sequence, &chip, &layout, &calibration, &guess, x.serve_disaggregated);

        // What can't be has no times.
        let expert_tensor = machine.chips / layout.expert;
        let divides = expert_tensor.floor().eq(expert_tensor);
        let serve_weight_bytes_per_chip = given.serve_weight_bytes_per_chip(machine.weight_bytes);
        let serve_kv_bytes_per_sequence = given.serve_kv_bytes_per_sequence(sequence.held_bytes());
        machine.weight_bytes = serve_weight_bytes_per_chip;
        let serve_memory_least_bytes = given.serve_memory_least_bytes(
            (serve_weight_bytes_per_chip + serve_kv_bytes_per_sequence / machine.cache_cuts) / x.serve_memory_share,
        );
        let serve_sequences_most = given.serve_sequences_most(
            machine.sequences_most(&chip, serve_weight_bytes_per_chip, serve_kv_bytes_per_sequence),
        );
        let one_fits = one.le(serve_sequences_most);
        let any = N::zero().lt(serve_sequences_most);
        let serve_status = N::select(any, ServeStatus::Cache.number(), ServeStatus::Weights.number());
        let serve_status = N::select(one_fits, ServeStatus::Ok.number(), serve_status);
        let serve_status = N::select(divides, serve_status, ServeStatus::Layout.number());
        let possible = serve_status.eq(ServeStatus::Ok.number());

        let serve_prompt_s = given.serve_prompt_s(valid(possible, machine.prompt_s));
        let machine = machine.with_prompt_s(serve_prompt_s);
        let serve_batch = given.serve_batch(valid(possible, machine.batch(x.serve_concurrency, serve_sequences_most)));
        let parts = machine.parts(serve_batch);
        let serve_weights_s = given.serve_weights_s(valid(possible, parts.weights_s));
        let serve_experts_s = given.serve_experts_s(valid(possible, parts.experts_s));
        let serve_kv_s = given.serve_kv_s(valid(possible, parts.kv_s));
        let serve_layers_s = given.serve_layers_s(valid(possible, parts.layers_s));
        let serve_network_s = given.serve_network_s(valid(possible, parts.network_s));
        let serve_host_s = given.serve_host_s(valid(possible, parts.host_s));
        let serve_prompts_s = given.serve_prompts_s(valid(possible, parts.prompts_s));
        let decode_s = serve_weights_s + serve_experts_s + serve_kv_s + serve_layers_s + serve_network_s + serve_host_s;
        let serve_tpot_s = given.serve_tpot_s(decode_s + serve_prompts_s);
        let serve_tokens_per_s_per_user = given.serve_tokens_per_s_per_user(one / serve_tpot_s);

        // Machines for prompts keep up with those that decode.
        let answer_s = serve_tpot_s * x.serve_output_tokens;
        let serve_prompt_machines = given.serve_prompt_machines(machine.prompt_machines(serve_batch, serve_tpot_s));
        let serve_chips = given.serve_chips(valid(possible, machine.chips) * (serve_prompt_machines + 1.0));
        let serve_prompt_share = given.serve_prompt_share(if x.serve_disaggregated {
            serve_prompt_machines / (serve_prompt_machines + 1.0)
        } else {
            serve_prompts_s / serve_tpot_s
        });
        let busy = if x.serve_disaggregated { DECODE_MACHINES_BUSY } else { 1.0 };
        let serve_tokens_per_s_per_chip =
            given.serve_tokens_per_s_per_chip(serve_batch / serve_tpot_s / serve_chips * busy);

        // The first token.
        let waiting = (x.serve_concurrency - serve_sequences_most).positive_part();
        let serve_wait_s = given.serve_wait_s(waiting * (answer_s / serve_batch));
        let load = Load {
            concurrency: x.serve_concurrency,
            busy_over_idle: machine.busy_over_idle(serve_prompts_s, decode_s),
            prompt_machines: N::select(N::zero().lt(serve_prompt_machines), serve_prompt_machines, one),
            decode_s,
        };
        let first_s = machine.first_token_s(&weights, &chip, &layout, &start, &load);
        let serve_ttft_s = given.serve_ttft_s(serve_wait_s + first_s + hand_over_s);
        let serve_request_s = given.serve_request_s(serve_ttft_s + answer_s);

        // The largest part; where arithmetic outweighs reading, it is arithmetic that binds.
        let read = N::select(parts.weights_by_flop, N::zero(), serve_weights_s)
            + N::select(parts.experts_by_flop, N::zero(), serve_experts_s);
        let arithmetic = serve_weights_s + serve_experts_s - read;
        let candidates = [
            (arithmetic, ServeBound::Compute.number::<N>()),
            (serve_kv_s, ServeBound::Cache.number()),
            (serve_layers_s + serve_host_s, ServeBound::Overhead.number()),
            (serve_network_s, ServeBound::Network.number()),
            (serve_prompts_s, ServeBound::Prompts.number()),
        ];
        let (mut largest, mut serve_bound) = (read, ServeBound::Weights.number());
        let mut k = 0;
        while k < candidates.len() {
            let (part, bound) = candidates[k];
            serve_bound = N::select(largest.lt(part), bound, serve_bound);
            largest = largest.max(part);
            k += 1;
        }
        let serve_bound = valid(possible, serve_bound);
        let crowded = N::of(PROMPTS_OPEN).lt(serve_prompt_share);
        let full = (serve_sequences_most * MEMORY_OPEN).lt(x.serve_concurrency);
        let serve_load = N::select(crowded, ServeLoad::Prompts.number(), ServeLoad::Open.number());
        let serve_load = valid(possible, N::select(full, ServeLoad::Memory.number(), serve_load));
        Outputs {
            serve_weight_bytes_per_chip, serve_kv_bytes_per_sequence, serve_memory_least_bytes, serve_sequences_most, serve_prompt_s,
            serve_batch, serve_weights_s, serve_experts_s, serve_kv_s, serve_layers_s, serve_network_s, serve_host_s, serve_prompts_s,
            serve_tpot_s, serve_tokens_per_s_per_user, serve_wait_s, serve_ttft_s, serve_request_s, serve_prompt_machines,
            serve_chips, serve_prompt_share, serve_tokens_per_s_per_chip, serve_status, serve_bound, serve_load,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ServeBound, ServeLoad, ServeStatus, Serving};
    use crate::trial::{Answers, Case, check_derivatives, evaluate, with};

    /// Ten layers, a billion dense weights of a byte, on a chip of round numbers that reaches all of its data sheet.
    const ROUND: [(&str, f64); 58] = [
        ("llm_layers", 10.0),
        ("llm_hidden", 1000.0),
        ("llm_kv_heads", 4.0),
        ("llm_attention_params", 0.4e9),
        ("llm_dense_params", 0.5e9),
        ("llm_expert_params", 0.0),
        ("llm_expert_active_share", 0.0),
        ("llm_embedding_params", 0.1e9),
        ("llm_expert_layers", 0.0),
        ("llm_kv_bytes_per_token", 10e3),
        ("llm_kv_bytes_per_element", 1.0),
        ("llm_state_bytes", 0.0),
        ("llm_attention_flop_per_pair", 4e4),
        ("chip_flop_per_s_bf16", 1e15),
        ("chip_memory_bytes", 2e9),
        ("chip_memory_bytes_per_s", 1e12),
        ("chip_link_bytes_per_s", 1e11),
        ("serve_attention_weight_bytes", 1.0),
        ("serve_dense_weight_bytes", 1.0),
        ("serve_expert_weight_bytes", 1.0),
        ("serve_head_weight_bytes", 1.0),
        ("serve_attention_flop_per_s", 1e15),
        ("serve_dense_flop_per_s", 1e15),
        ("serve_expert_flop_per_s", 1e15),
        ("serve_step_factor", 1.0),
        ("serve_host_factor", 1.0),
        ("serve_start_s", 0.0),
        ("serve_launch_factor", 1.0),
        ("serve_memory_share", 1.0),
        ("serve_kv_bytes_per_element", 1.0),
        ("serve_input_tokens", 900.0),
        ("serve_output_tokens", 200.0),
        ("serve_concurrency", 1.0),
        ("serve_tensor_parallel", 1.0),
        ("serve_cal_weight_read_share", 1.0),
        ("serve_cal_expert_read_share", 1.0),
        ("serve_cal_kv_read_share", 1.0),
        ("serve_cal_decode_flop_share", 1.0),
        ("serve_cal_prompt_flop_share", 1.0),
        ("serve_cal_attention_flop_share", 1.0),
        ("serve_cal_link_share", 1.0),
        ("serve_cal_prompt_expert_factor", 1.0),
        ("serve_cal_expert_slice", 0.0),
        ("serve_cal_layer_s", 0.0),
        ("serve_cal_expert_layer_s", 0.0),
        ("serve_cal_collective_s", 0.0),
        ("serve_cal_host_s", 0.0),
        ("serve_cal_root_s", 0.0),
        ("serve_cal_first_steps", 0.0),
        ("serve_cal_launch_s", 0.0),
        ("serve_cal_launch_expert_factor", 0.0),
        ("serve_cal_launch_latent_factor", 0.0),
        ("serve_cal_first_prompt_factor", 1.0),
        ("serve_cal_queue_factor", 0.0),
        ("serve_cal_burst_share", 0.0),
        ("serve_cal_first_data_factor", 1.0),
        ("serve_draft_tokens", 3.0),
        ("serve_tokens_per_step", 2.0),
    ];
    const EXPERTS: [(&str, f64); 8] = [
        ("llm_expert_params", 8e9),
        ("llm_expert_active_share", 0.25),
        ("llm_expert_layers", 10.0),
        ("llm_experts_per_token", 2.0),
        ("llm_expert_ffn", 2000.0),
        ("chip_memory_bytes", 20e9),
        ("serve_cal_expert_slice", 100.0),
        ("serve_cal_launch_expert_factor", 0.5),
    ];

    fn at(changes: &[(&str, f64)]) -> Answers {
        evaluate::<Serving>(&with(&ROUND, changes), &[])
    }

    fn close(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-14, "{got} is not {want}"); // a dozen roundings
    }

    #[test]
    fn a_case_by_hand() {
        let answers = at(&[("serve_batch", 1.0)]);
        // 1e9 bytes at 1e12 a second, beside 2e9 FLOP at 1e15: √(1e-3² + 2e-6²).
        close(answers["serve_weights_s"], (1e-6_f64 + 4e-12).sqrt());
        // A context of 1,000 tokens of 10,000 bytes.
        close(answers["serve_kv_s"], 10e-6);
        // 900 tokens · 1.8e9 FLOP, and 900² / 2 pairs · 4e4, at 1e15.
        close(answers["serve_prompt_s"], 900.0 * 1.8e-6 + 405_000.0 * 4e-11);
        // Two gigabytes less a gigabyte of weights and 0.1 of the input embedding, over 10 MB.
        close(answers["serve_sequences_most"], 90.0);
        close(answers["serve_memory_least_bytes"], 1.11e9);
        let parts = ["weights", "experts", "kv", "layers", "network", "host", "prompts"];
        let sum: f64 = parts.iter().map(|part| answers[&*format!("serve_{part}_s")]).sum();
        close(answers["serve_tpot_s"], sum);
        let prompt_s = answers["serve_prompt_s"];
        // The prompt is hidden behind reading the weights, 1.1 ms.
        close(answers["serve_ttft_s"], (prompt_s * prompt_s + 1.1e-3 * 1.1e-3).sqrt());
        close(answers["serve_tokens_per_s_per_chip"], answers["serve_batch"] / answers["serve_tpot_s"]);
        assert_eq!(answers["serve_bound"].to_bits(), ServeBound::Weights.number::<f64>().to_bits());
        assert_eq!(answers["serve_load"].to_bits(), ServeLoad::Open.number::<f64>().to_bits());
    }

    #[test]
    fn distinct_experts_grow_to_all() {
        // A quarter of 8e9 bytes for one token, 7/16 of it for two, all in the end.
        let experts = |batch: f64| {
            let given = with(&EXPERTS, &[("serve_batch", batch), ("serve_cal_expert_slice", 0.0)]);
            at(&with(&given, &[("serve_expert_flop_per_s", 1e21)]))["serve_experts_s"]
        };
        close(experts(1.0), 2e-3);
        close(experts(2.0), 3.5e-3);
        close(experts(200.0), 8e-3);
        // Slices of 2,000 columns lose a twentieth.
        let sliced = |slice: f64| at(&with(&EXPERTS, &[("serve_batch", 8.0), ("serve_cal_expert_slice", slice)]))["serve_experts_s"];
        let whole = sliced(100.0);
        close(whole, sliced(0.0) * 1.05);
    }

    #[test]
    fn chips_split_the_work_and_talk() {
        let two = at(&[("serve_tensor_parallel", 2.0), ("serve_batch", 8.0)]);
        let one = at(&[("serve_batch", 8.0)]);
        close(two["serve_weights_s"] * 2.0, one["serve_weights_s"]);
        close(two["serve_kv_s"] * 2.0, one["serve_kv_s"]);
        // 20 all-reduces of 8 · 1000 · 2 bytes, each sent twice over to half.
        close(two["serve_network_s"], 20.0 * 8.0 * 1000.0 * 4.0 / 2.0 / 1e11);
        // Four heads: eight chips hold each part of the cache twice; a latent cache is held whole by all.
        let eight = at(&[("serve_tensor_parallel", 8.0), ("serve_batch", 8.0)]);
        close(eight["serve_kv_s"] * 4.0, one["serve_kv_s"]);
        let latent = at(&[("serve_tensor_parallel", 8.0), ("serve_batch", 8.0), ("llm_kv_latent_dim", 512.0)]);
        close(latent["serve_kv_s"], one["serve_kv_s"]);
        let groups = with(&[("serve_data_parallel", 8.0), ("llm_kv_latent_dim", 512.0)], &[("serve_batch", 8.0)]);
        close(at(&groups)["serve_kv_s"] * 8.0, one["serve_kv_s"]);
    }

    #[test]
    fn what_does_not_fit_is_told_apart() {
        for (change, status) in [
            (("chip_memory_bytes", 1.05e9), ServeStatus::Weights),
            (("chip_memory_bytes", 1.105e9), ServeStatus::Cache),
            (("serve_expert_parallel", 3.0), ServeStatus::Layout),
        ] {
            let answers = at(&[change]);
            assert_eq!(answers["serve_status"].to_bits(), status.number::<f64>().to_bits(), "{change:?}");
            assert!(answers["serve_tpot_s"].is_nan() && answers["serve_tokens_per_s_per_chip"].is_nan());
            assert!(answers["serve_bound"].is_nan());
        }
        let enough = at(&[("chip_memory_bytes", at(&[])["serve_memory_least_bytes"] * (1.0 + 1e-12))]);
        assert_eq!(enough["serve_status"].to_bits(), ServeStatus::Ok.number::<f64>().to_bits());
    }

    #[test]
    fn requests_without_room_wait_as_little_says() {
        let answers = at(&[("serve_concurrency", 180.0)]);
        let rate = answers["serve_batch"] / (answers["serve_tpot_s"] * 200.0);
        // Ninety wait, and leave the queue at the rate at which answers end.
        close(answers["serve_wait_s"], 90.0 / rate);
        assert_eq!(answers["serve_load"].to_bits(), ServeLoad::Memory.number::<f64>().to_bits());
        let more = at(&[("serve_concurrency", 360.0)]);
        assert_eq!(more["serve_tpot_s"].to_bits(), answers["serve_tpot_s"].to_bits());
    }

    #[test]
    fn guesses_are_verified_together() {
        let case = with(&ROUND, &[("serve_batch", 1.0), ("serve_draft_time_share", 0.0)]);
        let plain = evaluate::<Serving>(&case, &[]);
        let guessed = evaluate::<Serving>(&case, &[("serve_speculative", "true")]);
        // Two tokens a step of four: half the reading, four halves of the arithmetic.
        close(guessed["serve_kv_s"] * 2.0, plain["serve_kv_s"]);
        close(guessed["serve_weights_s"], (1e-6_f64 + 16.0 * 4e-12).sqrt() / 2.0);
        close(guessed["serve_prompts_s"], plain["serve_prompts_s"]);
    }

    #[test]
    fn prompts_on_machines_of_their_own_do_not_disturb() {
        let apart =
            evaluate::<Serving>(&with(&ROUND, &[("serve_concurrency", 64.0)]), &[("serve_disaggregated", "true")]);
        assert_eq!(apart["serve_prompts_s"].to_bits(), 0);
        assert_eq!(apart["serve_batch"].to_bits(), 64.0_f64.to_bits());
        // Both kinds of machine keep up: 0.90 of the prompts' capacity is 0.92 of the answers'.
        let answers = 0.92 * 64.0 / (apart["serve_tpot_s"] * 200.0);
        close(0.90 * apart["serve_prompt_machines"] / apart["serve_prompt_s"], answers);
        close(apart["serve_tokens_per_s_per_chip"] * apart["serve_chips"], answers * 200.0);
    }

    #[test]
    fn windows_and_sparse_attention_read_less() {
        let kv = |changes: &[(&str, f64)]| at(&with(changes, &[("serve_batch", 1.0)]))["serve_kv_s"];
        let half = [("llm_window_layers", 5.0), ("llm_window_tokens", 100.0)];
        close(kv(&half), 10e-6 * 0.55);
        close(kv(&[("llm_window_layers", 5.0), ("llm_window_tokens", 1e9)]), 10e-6);
        close(kv(&[("llm_sparse_tokens", 100.0), ("llm_index_share", 0.2)]), 10e-6 * 0.3);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(&ROUND, &EXPERTS);
        // A thousand times as slow as a chip of today, so that differences by times keep their digits.
        let changes = [
            ("chip_memory_bytes_per_s", 1e9),
            ("chip_link_bytes_per_s", 1e8),
            ("chip_flop_per_s_bf16", 1e12),
            ("serve_attention_flop_per_s", 1e12),
            ("serve_dense_flop_per_s", 1e12),
            ("serve_expert_flop_per_s", 1e12),
            ("serve_tensor_parallel", 4.0),
            ("serve_concurrency", 3000.0),
            ("serve_cal_layer_s", 40e-3),
            ("serve_cal_expert_layer_s", 40e-3),
            ("serve_cal_collective_s", 6e-3),
            ("serve_cal_host_s", 15e-3),
            ("serve_cal_root_s", 4.0),
            ("serve_cal_first_steps", 2.0),
            ("serve_cal_launch_s", 0.5),
            ("serve_cal_queue_factor", 0.3),
            ("serve_cal_burst_share", 0.2),
            ("chip_memory_bytes", 9e9),
        ];
        let case = with(&case, &changes);
        check_derivatives::<Serving>(Case { values: &case, choices: &[] }, &["serve_prompt_machines", "serve_chips"]);
        let calm = with(&case, &[("serve_concurrency", 30.0)]);
        let apart = [("serve_disaggregated", "true"), ("serve_speculative", "true")];
        check_derivatives::<Serving>(Case { values: &calm, choices: &apart }, &["serve_wait_s", "serve_prompts_s"]);
    }
}
