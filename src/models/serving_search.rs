//! The layout and the number of requests under way that serve cheapest, or fastest, within limits on response time.
//!
//!     cheapest   max  tokens a second and chip   over 12 layouts × 16 loads
//!     fastest    min  TPOT                       the same
//!     such that  TPOT ≤ serve_max_tpot_s,  TTFT ≤ serve_max_ttft_s,  chips ≤ serve_max_chips,  one sequence fits
//!
//! Each point is one of `serving`, whose page has the equations. The layouts: 1 to 16 chips that split every layer; 2 to 16
//! that split attention and spread experts; 8 to 32 with sequences of their own and spread experts. The loads: 1 to 2,048
//! requests. What is given of the four is not searched. The answer feeds `serving` as if it had been given. Among equals the
//! first wins, in that order. `serve_reachable_*` say at which limits the search begins to find anything. More than 8 chips
//! are not validated, and links between nodes are slower than those within: hence the limit of 8 chips. Method: search of layouts and batches under
//! limits as in Epoch AI's notebook on inference economics, 2025, and NVIDIA AIConfigurator.

use crate::number::Number;
use crate::serving::{LAYOUTS, Layout, machine, machine_names, pieces};
use crate::variable::{INFINITE, NONE, choices, model};

choices!(
    /// What the search looks for.
    ServeObjective { Cheapest "cheapest", Fastest "fastest" }
);
choices!(
    /// Why the search found nothing.
    SearchStatus { Ok "ok", Memory "fits_no_layout", Limits "too_slow" }
);

const LOADS: [f64; 16] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 1024.0, 2048.0];

model! {
    /// The layout and load that serve cheapest, or fastest, within limits on response time.
    ServingSearch = "serving_search";
    inputs {
        /// Longest time of an output token.
        serve_max_tpot_s: number "s" [0.0, INFINITE], default NONE, typical [0.01, 0.1], Definition "a promise to users";
        /// Longest time to the first token.
        serve_max_ttft_s: number "s" [0.0, INFINITE], default INFINITE, typical [0.3, 10.0], Definition "no promise";
        /// Most chips of a machine.
        serve_max_chips: number "1" [1.0, INFINITE], default 8.0, typical [1.0, 72.0], Definition "one node of eight";
    }
    choices {
        /// What the search looks for.
        serve_objective: ServeObjective = ServeObjective::Cheapest, "throughput a chip";
        /// Whether a draft guesses tokens that a step verifies.
        serve_speculative: bool = false, "one token a step and sequence";
        /// Whether prompts have machines of their own.
        serve_disaggregated: bool = false, "prompts between the steps of the same machine";
    }
    reads { machine_names! }
    outputs {
        /// Requests under way on one machine.
        serve_concurrency: "1" [1.0, 1e9];
        /// Chips that split each attention layer.
        serve_tensor_parallel: "1" [1.0, 1e5];
        /// Groups of such chips, each with sequences of its own.
        serve_data_parallel: "1" [1.0, 1e5];
        /// Chips over which experts are spread whole.
        serve_expert_parallel: "1" [1.0, 1e5];
        /// Shortest time of an output token of any point that keeps the limit on the first.
        serve_reachable_tpot_s: "s" [0.0, INFINITE];
        /// Shortest time to the first token of any point that keeps the limit on output tokens.
        serve_reachable_ttft_s: "s" [0.0, INFINITE];
    }
    summaries {}
    statuses {
        /// Why the search found nothing.
        serve_search_status: SearchStatus;
    }
    equations(x, given) {
        let (weights, sequence, chip, calibration, start, guess, hand_over_s) = pieces!(x);
        let kv_bytes = sequence.held_bytes();
        let never = N::of(f64::INFINITY);
        let null = N::of(f64::NAN);
        let mut found = Found {
            score: -never, concurrency: null, tensor: null, data: null, expert: null, tpot_s: never, ttft_s: never,
        };
        let mut fits = N::zero();
        let mut k = 0;
        while k < LAYOUTS.len() {
            let (tensor, data, expert) = LAYOUTS[k];
            let layout = Layout {
                tensor: given.serve_tensor_parallel(N::of(tensor)),
                data: given.serve_data_parallel(N::of(data)),
                expert: given.serve_expert_parallel(N::of(expert)),
            };
            let machine = machine(&weights, &sequence, &chip, &layout, &calibration, &guess, x.serve_disaggregated);
            let most = machine.sequences_most(&chip, machine.weight_bytes, kv_bytes);
            let expert_tensor = machine.chips / layout.expert;
            let possible = N::one().le(most) & expert_tensor.floor().eq(expert_tensor) & machine.chips.le(x.serve_max_chips);
            fits = N::select(possible, N::one(), fits);
            let mut l = 0;
            // Where no row can, there is nothing to look at.
            let nowhere = N::shortcut(N::select(possible, N::one(), N::zero()).eq(N::zero()));
            while l < LOADS.len() && !nowhere {
                let concurrency = given.serve_concurrency(N::of(LOADS[l]));
                let point = machine.outcome(&weights, &chip, &layout, &start, (concurrency, most, hand_over_s));
                let soon = possible & point.ttft_s.le(x.serve_max_ttft_s);
                let fast = possible & point.tpot_s.le(x.serve_max_tpot_s);
                found.tpot_s = N::select(soon, found.tpot_s.min(point.tpot_s), found.tpot_s);
                found.ttft_s = N::select(fast, found.ttft_s.min(point.ttft_s), found.ttft_s);
                let score = match x.serve_objective {
                    ServeObjective::Cheapest => point.tokens_per_s_per_chip,
                    ServeObjective::Fastest => -point.tpot_s,
                };
                found.better(soon & fast & found.score.lt(score), score, concurrency, &layout);
                l += 1;
            }
            k += 1;
        }
        let any = (-never).lt(found.score);
        let limits = N::select(N::zero().lt(fits), SearchStatus::Limits.number(), SearchStatus::Memory.number());
        let serve_search_status = N::select(any, SearchStatus::Ok.number(), limits);
        Outputs {
            serve_concurrency: given.serve_concurrency(found.concurrency.constant()),
            serve_tensor_parallel: given.serve_tensor_parallel(found.tensor.constant()),
            serve_data_parallel: given.serve_data_parallel(found.data.constant()),
            serve_expert_parallel: given.serve_expert_parallel(found.expert.constant()),
            serve_reachable_tpot_s: given.serve_reachable_tpot_s(found.tpot_s),
            serve_reachable_ttft_s: given.serve_reachable_ttft_s(found.ttft_s),
            serve_search_status,
        }
    }
}

/// The best point so far.
struct Found<N> {
    score: N,
    concurrency: N,
    tensor: N,
    data: N,
    expert: N,
    tpot_s: N,
    ttft_s: N,
}

impl<N: Number> Found<N> {
    #[inline(always)]
    fn better(&mut self, where_better: N::Mask, score: N, concurrency: N, layout: &Layout<N>) {
        self.score = N::select(where_better, score, self.score);
        self.concurrency = N::select(where_better, concurrency, self.concurrency);
        self.tensor = N::select(where_better, layout.tensor, self.tensor);
        self.data = N::select(where_better, layout.data, self.data);
        self.expert = N::select(where_better, layout.expert, self.expert);
    }
}

#[cfg(test)]
mod tests {
    use super::{SearchStatus, ServingSearch};
    use crate::trial::{Answers, evaluate, with};

    const MODEL: [(&str, f64); 34] = [
        ("llm_layers", 80.0),
        ("llm_hidden", 8192.0),
        ("llm_kv_heads", 8.0),
        ("llm_attention_params", 12e9),
        ("llm_dense_params", 56e9),
        ("llm_expert_params", 0.0),
        ("llm_expert_active_share", 0.0),
        ("llm_embedding_params", 1e9),
        ("llm_expert_layers", 0.0),
        ("llm_kv_bytes_per_token", 327_680.0),
        ("llm_state_bytes", 0.0),
        ("llm_attention_flop_per_pair", 2.6e6),
        ("chip_flop_per_s_bf16", 989e12),
        ("chip_memory_bytes", 141e9),
        ("chip_memory_bytes_per_s", 4.8e12),
        ("chip_link_bytes_per_s", 450e9),
        ("serve_attention_weight_bytes", 1.0),
        ("serve_dense_weight_bytes", 1.0),
        ("serve_expert_weight_bytes", 1.0),
        ("serve_head_weight_bytes", 2.0),
        ("serve_attention_flop_per_s", 1.7e15),
        ("serve_dense_flop_per_s", 1.7e15),
        ("serve_expert_flop_per_s", 1.7e15),
        ("serve_step_factor", 1.0),
        ("serve_host_factor", 1.0),
        ("serve_start_s", 0.02),
        ("serve_launch_factor", 1.0),
        ("serve_draft_tokens", 0.0),
        ("serve_tokens_per_step", 1.0),
        ("serve_input_tokens", 1000.0),
        ("serve_output_tokens", 1000.0),
        ("serve_max_tpot_s", 0.05),
        ("serve_max_ttft_s", 10.0),
        ("serve_max_chips", 8.0),
    ];

    fn search(changes: &[(&str, f64)], objective: &str) -> Answers {
        evaluate::<ServingSearch>(&with(&MODEL, changes), &[("serve_objective", objective)])
    }

    #[test]
    fn fastest_takes_many_chips_for_few_requests() {
        let fastest = search(&[], "fastest");
        assert_eq!(fastest["serve_concurrency"].to_bits(), 1.0_f64.to_bits());
        assert_eq!(fastest["serve_tensor_parallel"].to_bits(), 8.0_f64.to_bits());
        let cheapest = search(&[], "cheapest");
        assert!(cheapest["serve_concurrency"] > 64.0);
        let one_chip = search(&[("serve_max_chips", 1.0)], "fastest");
        assert_eq!(one_chip["serve_tensor_parallel"].to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn it_begins_to_find_at_what_can_be_reached() {
        let none = search(&[("serve_max_tpot_s", 1e-4)], "cheapest");
        assert_eq!(none["serve_search_status"].to_bits(), SearchStatus::Limits.number::<f64>().to_bits());
        assert!(none["serve_concurrency"].is_nan());
        let least = none["serve_reachable_tpot_s"];
        let found = search(&[("serve_max_tpot_s", least)], "cheapest");
        assert_eq!(found["serve_search_status"].to_bits(), SearchStatus::Ok.number::<f64>().to_bits());
        let small = search(&[("chip_memory_bytes", 1e9)], "cheapest");
        assert_eq!(small["serve_search_status"].to_bits(), SearchStatus::Memory.number::<f64>().to_bits());
    }

    #[test]
    fn what_is_given_is_not_searched() {
        let given = search(&[("serve_tensor_parallel", 4.0), ("serve_concurrency", 24.0)], "cheapest");
        assert_eq!(given["serve_tensor_parallel"].to_bits(), 4.0_f64.to_bits());
        assert_eq!(given["serve_concurrency"].to_bits(), 24.0_f64.to_bits());
        assert_eq!(given["serve_search_status"].to_bits(), SearchStatus::Ok.number::<f64>().to_bits());
    }
}
