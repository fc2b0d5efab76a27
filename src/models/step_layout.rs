//! How a training step is cut over chips.
//!
//!     chips          n = t · p · D · c
//!     micro-batches  μ = B / (D · b)
//!
//! t tensor, p pipeline, D data and c context parallel; B sequences in a batch, b in a micro-batch. Expert parallel ranks
//! are taken from the tensor, context and data ranks and add no chips. What divides is for `step_memory` to say: here a
//! batch that does not gives a fraction. Source: Narayanan et al., arXiv 2104.04473, section 3.

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
    choices {}
    reads {}
    outputs {
        /// Chips that train at the same time.
        train_chips: "1" [1.0, 1e12];
        /// Micro-batches that a pipeline works through in a step; a fraction where the batch does not divide.
        train_micro_batches: "1" [0.0, HUGE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let train_chips = given.train_chips(
            x.train_tensor_parallel * x.train_pipeline_parallel * x.train_data_parallel * x.train_context_parallel,
        );
        let micro_batches = x.train_global_batch / (x.train_data_parallel * x.train_micro_batch);
        let train_micro_batches = given.train_micro_batches(micro_batches);
        Outputs { train_chips, train_micro_batches }
    }
}

#[cfg(test)]
mod tests {
    use super::StepLayout;
    use crate::trial::evaluate;

    #[test]
    fn chips_and_micro_batches() {
        let run = [
            ("train_tensor_parallel", 8.0),
            ("train_pipeline_parallel", 4.0),
            ("train_data_parallel", 3.0),
            ("train_context_parallel", 2.0),
            ("train_expert_parallel", 3.0),
            ("train_micro_batch", 2.0),
            ("train_global_batch", 63.0),
        ];
        let answers = evaluate::<StepLayout>(&run, &[]);
        assert_eq!(answers["train_chips"], 192.0);
        assert_eq!(answers["train_micro_batches"], 10.5);
    }
}
