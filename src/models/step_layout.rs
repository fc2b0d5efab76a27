//! How a training step is cut over chips.
//!
//!     chips          n = t · p · D · c
//!     micro-batches  μ = B / (D · b)
//!
//! t tensor, p pipeline, D data and c context parallel; B sequences in a batch, b in a micro-batch. Expert parallel ranks
//! are taken from the tensor, context and data ranks and add no chips. Layers have to divide by p times the chunks of a
//! stage, heads by t, experts and the ranks they are spread over by x, the sequence by c (and by t with sequence parallel),
//! the batch by D · b, and with several chunks a stage the micro-batches by p, as Megatron-LM wants it. Where they do not,
//! there are no micro-batches and no step; `train_status` of `step` says why. Sources: Narayanan et al., arXiv 2104.04473,
//! section 3; Korthikanti et al., arXiv 2205.05198.
//!
//! Left out: stages of unequal length, and more tensor ranks than heads.

use crate::transformer::{StepStatus, layout};
use crate::variable::{HUGE, NONE, model};

model! {
    /// How a training step is cut over chips.
    StepLayout = "step_layout";
    inputs {
        /// Chips over which each matrix is cut.
        train_tensor_parallel: integer "1" [1.0, 1e6], default 1.0, typical [1.0, 8.0], Definition "not cut";
        /// Stages into which the layers are cut.
        train_pipeline_parallel: integer "1" [1.0, 1e6], default 1.0, typical [1.0, 64.0], Definition "not cut";
        /// Copies of the model that share a batch.
        train_data_parallel: integer "1" [1.0, 1e6], default NONE, typical [1.0, 256.0], Definition "property of the run";
        /// Chips over which the routed experts of a layer are spread.
        train_expert_parallel: integer "1" [1.0, 1e6], default 1.0, typical [1.0, 64.0], Definition "not spread";
        /// Chips over which each sequence is cut.
        train_context_parallel: integer "1" [1.0, 1e6], default 1.0, typical [1.0, 16.0], Definition "not cut";
        /// Model chunks of a stage, run in turn.
        train_interleave: integer "1" [1.0, 1e4], default 1.0, typical [1.0, 8.0], Definition "one chunk a stage";
        /// Sequences of a micro-batch.
        train_micro_batch: integer "1" [1.0, 1e6], default 1.0, typical [1.0, 16.0], Definition "one sequence at a time";
        /// Sequences of a step.
        train_global_batch: integer "1" [1.0, 1e9], default NONE, typical [256.0, 8192.0], Definition "property of the run";
        /// Tokens of a sequence.
        train_sequence_length: integer "1" [1.0, 1e9], default NONE, typical [2048.0, 131_072.0], Definition "property of the run";
    }
    choices {
        /// Whether norms and dropouts between the split matrices are cut along the sequence.
        train_sequence_parallel: bool = true, "as large runs since 2022";
    }
    reads { llm_layers llm_heads llm_experts }
    outputs {
        /// Chips that train at the same time.
        train_chips: "1" [1.0, 1e12];
        /// Micro-batches that a pipeline works through in a step.
        train_micro_batches: "1" [1.0, HUGE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let train_chips = given.train_chips(
            x.train_tensor_parallel * x.train_pipeline_parallel * x.train_data_parallel * x.train_context_parallel,
        );
        let possible = layout!(x).status().eq(StepStatus::Ok.number());
        let micro_batches = x.train_global_batch / (x.train_data_parallel * x.train_micro_batch);
        let train_micro_batches = given.train_micro_batches(N::select(possible, micro_batches, N::of(f64::NAN)));
        Outputs { train_chips, train_micro_batches }
    }
}

#[cfg(test)]
mod tests {
    use super::StepLayout;
    use crate::trial::{evaluate, with};

    /// GPT-3 175B of Korthikanti et al., table 5.
    const RUN: [(&str, f64); 9] = [
        ("llm_layers", 96.0),
        ("llm_heads", 96.0),
        ("train_tensor_parallel", 8.0),
        ("train_pipeline_parallel", 8.0),
        ("train_data_parallel", 2.0),
        ("train_interleave", 3.0),
        ("train_micro_batch", 2.0),
        ("train_global_batch", 64.0),
        ("train_sequence_length", 2048.0),
    ];

    #[test]
    fn chips_and_micro_batches() {
        let answers = evaluate::<StepLayout>(&RUN, &[]);
        assert_eq!(answers["train_chips"], 128.0);
        assert_eq!(answers["train_micro_batches"], 16.0);
    }

    #[test]
    fn what_does_not_divide_has_no_micro_batches() {
        for change in [
            ("llm_layers", 97.0),
            ("llm_heads", 100.0),
            ("train_global_batch", 66.0),
            ("train_global_batch", 16.0), // four micro-batches for eight stages in turns
            ("train_sequence_length", 2047.0),
            ("train_context_parallel", 3.0),
            ("train_expert_parallel", 2.0),
        ] {
            let answers = evaluate::<StepLayout>(&with(&RUN, &[change]), &[]);
            assert!(answers["train_micro_batches"].is_nan(), "{change:?}");
        }
        let experts = with(&RUN, &[("llm_experts", 64.0), ("train_expert_parallel", 16.0)]);
        assert_eq!(evaluate::<StepLayout>(&experts, &[])["train_micro_batches"], 16.0);
    }
}
