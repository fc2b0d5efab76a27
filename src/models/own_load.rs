//! What the own chip serves: the merchant chip's load, unless it is given one of its own.
//!
//!     asic_serve_x = serve_x       for what is given of the load, the text, the number formats, the software and the site
//!
//! The models of serving run twice in a row: for the merchant chip, `chip_*` and `serve_*`, and for the own one, `asic_*` and
//! `asic_serve_*`, by the same equations (`serving`). A ratio of the two says something of the chips where all else is
//! equal. So what the caller gives for the merchant chip holds for the own chip too: prompts, answers, requests under way,
//! limits on response time, the formats of weights and cache, drafts, utilization and what the site adds to a chip's power, and all
//! choices (`serve_precision`, `serve_engine`, `serve_objective`, …). A value given as `asic_serve_*` goes first. What is
//! computed for the merchant chip is computed again for the own chip: a load that a search found is searched anew.
//!
//! Not shared is what belongs to the chip: what it can do, its layout (`serve_tensor_parallel`, …, `serve_max_chips`), and the
//! constants that were fitted on measurements (`serve_cal_*`): the own chip has those declared unless it is given others,
//! one by one or by the key `asic_serve_calibration`. Nobody has fitted a chip that does not exist: its response times are
//! those of its data sheet at the efficiency of today's merchant chips. TensorRT-LLM runs on no other chip than NVIDIA's: where the merchant's
//! `serve_engine` is that, give the own chip's.

use crate::variable::{INFINITE, model};

model! {
    /// The own chip's load and software, as the merchant chip's.
    OwnLoad = "own_load";
    inputs {}
    choices {}
    reads {
        serve_input_tokens serve_output_tokens serve_cached_input_share serve_concurrency serve_max_tpot_s serve_max_ttft_s
        serve_memory_share serve_kv_bytes_per_element serve_expert_imbalance serve_attention_weight_bytes
        serve_dense_weight_bytes serve_expert_weight_bytes serve_head_weight_bytes serve_engine_months serve_draft_tokens
        serve_draft_acceptance serve_tokens_per_step serve_draft_time_share serve_utilization serve_server_power_ratio
        serve_power_utilization serve_pue
    }
    outputs {
        /// Own chip: tokens of a prompt.
        asic_serve_input_tokens: "1" [0.0, 1e9];
        /// Own chip: tokens of an answer.
        asic_serve_output_tokens: "1" [1.0, 1e9];
        /// Own chip: share of a prompt's tokens whose cache is there already.
        asic_serve_cached_input_share: "1" [0.0, 1.0];
        /// Own chip: requests under way on one machine.
        asic_serve_concurrency: "1" [1.0, 1e9];
        /// Own chip: longest time of an output token.
        asic_serve_max_tpot_s: "s" [0.0, INFINITE];
        /// Own chip: longest time to the first token.
        asic_serve_max_ttft_s: "s" [0.0, INFINITE];
        /// Own chip: share of memory for weights and caches.
        asic_serve_memory_share: "1" [0.01, 1.0];
        /// Own chip: bytes of an element of the key-value cache as served.
        asic_serve_kv_bytes_per_element: "bytes" [0.0, 64.0];
        /// Own chip: tokens of the busiest chip over the mean, where experts are spread.
        asic_serve_expert_imbalance: "1" [1.0, 1e5];
        /// Own chip: bytes of an attention weight.
        asic_serve_attention_weight_bytes: "bytes" [0.0, 64.0];
        /// Own chip: bytes of a weight of dense feed-forward layers and shared experts.
        asic_serve_dense_weight_bytes: "bytes" [0.0, 64.0];
        /// Own chip: bytes of a weight of routed experts.
        asic_serve_expert_weight_bytes: "bytes" [0.0, 64.0];
        /// Own chip: bytes of a weight of the output head.
        asic_serve_head_weight_bytes: "bytes" [0.0, 64.0];
        /// Own chip: age of the engine's build.
        asic_serve_engine_months: "months since 2026-01" [-120.0, 240.0];
        /// Own chip: tokens that a draft guesses for each step.
        asic_serve_draft_tokens: "1" [0.0, 1e3];
        /// Own chip: chance that a guess is right if the ones before it were.
        asic_serve_draft_acceptance: "1" [0.0, 1.0];
        /// Own chip: tokens that a step brings.
        asic_serve_tokens_per_step: "1" [1e-6, 1e4];
        /// Own chip: time of guessing over that of the step that verifies.
        asic_serve_draft_time_share: "1" [0.0, 100.0];
        /// Own chip: mean load over the load that the chips are provisioned for.
        asic_serve_utilization: "1" [1e-6, 1.0];
        /// Own chip: rated power of a server over that of the chips in it.
        asic_serve_server_power_ratio: "1" [1.0, 10.0];
        /// Own chip: average power drawn over rated power.
        asic_serve_power_utilization: "1" [0.0, 1.5];
        /// Own chip: power of the site over power of the servers.
        asic_serve_pue: "1" [1.0, 5.0];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        Outputs {
            asic_serve_input_tokens: given.asic_serve_input_tokens(x.serve_input_tokens),
            asic_serve_output_tokens: given.asic_serve_output_tokens(x.serve_output_tokens),
            asic_serve_cached_input_share: given.asic_serve_cached_input_share(x.serve_cached_input_share),
            asic_serve_concurrency: given.asic_serve_concurrency(x.serve_concurrency),
            asic_serve_max_tpot_s: given.asic_serve_max_tpot_s(x.serve_max_tpot_s),
            asic_serve_max_ttft_s: given.asic_serve_max_ttft_s(x.serve_max_ttft_s),
            asic_serve_memory_share: given.asic_serve_memory_share(x.serve_memory_share),
            asic_serve_kv_bytes_per_element: given.asic_serve_kv_bytes_per_element(x.serve_kv_bytes_per_element),
            asic_serve_expert_imbalance: given.asic_serve_expert_imbalance(x.serve_expert_imbalance),
            asic_serve_attention_weight_bytes: given.asic_serve_attention_weight_bytes(x.serve_attention_weight_bytes),
            asic_serve_dense_weight_bytes: given.asic_serve_dense_weight_bytes(x.serve_dense_weight_bytes),
            asic_serve_expert_weight_bytes: given.asic_serve_expert_weight_bytes(x.serve_expert_weight_bytes),
            asic_serve_head_weight_bytes: given.asic_serve_head_weight_bytes(x.serve_head_weight_bytes),
            asic_serve_engine_months: given.asic_serve_engine_months(x.serve_engine_months),
            asic_serve_draft_tokens: given.asic_serve_draft_tokens(x.serve_draft_tokens),
            asic_serve_draft_acceptance: given.asic_serve_draft_acceptance(x.serve_draft_acceptance),
            asic_serve_tokens_per_step: given.asic_serve_tokens_per_step(x.serve_tokens_per_step),
            asic_serve_draft_time_share: given.asic_serve_draft_time_share(x.serve_draft_time_share),
            asic_serve_utilization: given.asic_serve_utilization(x.serve_utilization),
            asic_serve_server_power_ratio: given.asic_serve_server_power_ratio(x.serve_server_power_ratio),
            asic_serve_power_utilization: given.asic_serve_power_utilization(x.serve_power_utilization),
            asic_serve_pue: given.asic_serve_pue(x.serve_pue),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OwnLoad;
    use crate::trial::evaluate;
    use crate::variable::Model;

    #[test]
    fn every_output_is_the_input_at_its_place() {
        for (input, output) in OwnLoad::INPUTS.iter().zip(OwnLoad::OUTPUTS) {
            assert_eq!(output.name.strip_prefix("asic_"), Some(*input));
        }
        let answers = evaluate::<OwnLoad>(&[("serve_pue", 1.2)], &[]);
        assert_eq!(answers["asic_serve_pue"].to_bits(), 1.2_f64.to_bits());
    }
}
