//! How much memory a chip needs for training.
//!
//!     weights    N_chip [2 + g + 12 / replicas]                       g bytes of a gradient; 12: master weight and two moments
//!     stored     s b / c · (stage's bytes a token) · micro-batches held
//!     memory     weights + stored + one layer's gradients; on the last stage its norm's output and input and the logits
//!
//! The larger of the first and the last pipeline stage. A token leaves in a plain layer (Korthikanti et al., arXiv
//! 2205.05198, table 2; d width, t tensor ranks, h heads, s sequence)
//!
//!     10 d + 24 d/t + 5 h s/t     none, without sequence parallel
//!     34 d/t + 5 h s/t            none, with it
//!     34 d/t                      selective, or FlashAttention
//!     2 d                         full, and one layer's own while it is computed again
//!
//! of which 2 d are masks of dropout (`train_dropout`, off by default). Here each term has its own width, so gated layers,
//! grouped and latent heads and experts come out of the same count; tokens of experts are stored as sent and as
//! returned. One stage of 1F1B holds p micro-batches, with v chunks p (1 + (p-1)/(p v)), the last one 1 or
//! p (1 - (p-1)/(p v)), and never more than there are. ZeRO 1 divides the optimizer's 12 bytes over the replicas, 2 also the
//! gradients, 3 also the weights. On ten measured peaks of Megatron-LM on B200 (SimuMax v1.2: dense and with experts, tensor,
//! pipeline, expert and context parallel) the mean error is 1 %, with no constant fitted.
//!
//! Layers have to divide by p times the chunks of a stage, heads by t, experts and the ranks they are spread over by x, the
//! sequence by c (and by t with sequence parallel), the batch by D · b, and with several chunks a stage the micro-batches by p,
//! as Megatron-LM wants it; `train_status` says which does not, or that it does not fit, and `step` gives no time then.
//! FlashAttention is assumed (`train_chip_flash_attention`), except with the catalog's A100: its efficiencies are from runs of
//! 2021 and 2022 that kept the scores; set it to 1 for a run of today.
//!
//! `train_memory_needed_bytes` adds what a framework keeps for itself: it is the memory of a chip at which the answer to
//! "does it fit" turns. `train_micro_batch_limit` is the largest micro-batch that fits, a fraction where sequences are long.
//!
//! Left out: activations in 8 bits, offloading, unequal stages, experts that get more than their share of tokens, the state
//! of linear layers.

use crate::transformer::{Cut, HALF, LOGIT_BYTES, Recompute, Stage, StepStatus, cut, layout};
use crate::variable::{HUGE, NONE, model};

/// Adam in mixed precision: the master weight and two moments, in 32 bits each.
const OPTIMIZER_BYTES: f64 = 12.0;

model! {
    /// How much memory a chip needs for training.
    StepMemory = "step_memory";
    inputs {
        /// Memory of one training chip.
        train_chip_memory_bytes: number "bytes" [1.0, 1e15], default NONE, typical [40e9, 288e9], VendorClaim "data sheet";
        /// 1 where attention is one kernel that keeps no scores (FlashAttention), 0 where scores go through memory.
        train_chip_flash_attention: integer "1" [0.0, 1.0], default 1.0, typical [0.0, 1.0], Definition "as large runs since 2023";
        /// ZeRO stage: 1 spreads the optimizer over the replicas, 2 also gradients, 3 also weights.
        train_zero_stage: integer "1" [0.0, 3.0], default 1.0, typical [0.0, 3.0], Definition "the distributed optimizer of Megatron-LM";
        /// Bytes of a gradient, as it is summed and sent.
        train_gradient_bytes: number "bytes" [0.0, 16.0], default 4.0, typical [2.0, 4.0], Definition "32 bits, as Megatron-LM with bf16";
        /// What the framework and its communication keep for themselves.
        train_memory_reserve_bytes: number "bytes" [0.0, 1e15], default 2.5e9, typical [1e9, 6e9], Judgement "context, communication buffers and fragments of the allocator";
    }
    choices {
        /// What is computed again in the backward pass.
        train_recompute: Recompute = Recompute::Nothing, "nothing";
        /// Whether norms and dropouts between the split matrices are cut along the sequence.
        train_sequence_parallel: bool = true, "as large runs since 2022";
        /// Whether masks of dropout are kept.
        train_dropout: bool = false, "no dropout, as large open models since 2023";
    }
    reads {
        llm_layers llm_expert_layers llm_attention_params llm_hidden llm_heads llm_kv_heads llm_head_dim llm_ffn
        llm_ffn_matrices llm_vocab llm_tied_embeddings llm_experts llm_experts_per_token llm_shared_experts llm_expert_ffn
        llm_kv_latent_dim llm_query_latent_dim llm_rope_head_dim llm_value_head_dim train_tensor_parallel
        train_pipeline_parallel train_data_parallel train_expert_parallel train_context_parallel train_interleave
        train_micro_batch train_global_batch train_sequence_length train_micro_batches
    }
    outputs {
        /// Weights, gradients and optimizer on the chip that needs most.
        train_state_bytes: "bytes" [0.0, HUGE];
        /// Activations on that chip.
        train_activation_bytes: "bytes" [0.0, HUGE];
        /// Memory that training takes on that chip.
        train_memory_bytes: "bytes" [0.0, HUGE];
        /// Memory of a chip from which on training fits.
        train_memory_needed_bytes: "bytes" [0.0, HUGE];
        /// Largest micro-batch that fits; below 1 none does.
        train_micro_batch_limit: "1" [0.0, HUGE];
    }
    summaries {}
    statuses {
        /// Whether a step can be taken, and if not, why.
        train_status: StepStatus;
    }
    equations(x, given) {
        let cut = cut!(x);
        let status = layout!(x).status();
        let possible = N::select(status.eq(StepStatus::Ok.number()), N::one(), N::of(f64::NAN));
        let shape = Shape {
            cut,
            recompute: x.train_recompute,
            interleave: x.train_interleave,
            micro_batches: x.train_micro_batches,
            zero_stage: x.train_zero_stage,
            gradient_bytes: x.train_gradient_bytes,
        };
        let (first_state, first_activation) = shape.memory(cut.first_stage(), true);
        let (last_state, last_activation) = shape.memory(cut.last_stage(), false);
        let first_larger = cut.alone() | (last_state + last_activation).le(first_state + first_activation);
        let train_state_bytes = given.train_state_bytes(N::select(first_larger, first_state, last_state) * possible);
        let train_activation_bytes =
            given.train_activation_bytes(N::select(first_larger, first_activation, last_activation) * possible);
        let train_memory_bytes = given.train_memory_bytes(train_state_bytes + train_activation_bytes);
        let train_memory_needed_bytes =
            given.train_memory_needed_bytes(train_memory_bytes + x.train_memory_reserve_bytes);
        let fits = train_memory_needed_bytes.le(x.train_chip_memory_bytes);
        let held = N::select(fits, StepStatus::Ok.number(), StepStatus::Memory.number());
        let train_status = N::select(status.eq(StepStatus::Ok.number()), held, status);
        let free = (x.train_chip_memory_bytes - x.train_memory_reserve_bytes - train_state_bytes).positive_part();
        let train_micro_batch_limit =
            given.train_micro_batch_limit(free * x.train_micro_batch / train_activation_bytes);
        Outputs {
            train_state_bytes, train_activation_bytes, train_memory_bytes, train_memory_needed_bytes, train_micro_batch_limit, train_status,
        }
    }
}

#[derive(Clone, Copy)]
struct Shape<N> {
    cut: Cut<N>,
    recompute: Recompute,
    interleave: N,
    micro_batches: N,
    zero_stage: N,
    gradient_bytes: N,
}

impl<N: crate::number::Number> Shape<N> {
    /// Micro-batches of which a stage holds activations, in stages' worth.
    #[inline(always)]
    fn held(self, first: bool) -> N {
        let p = self.cut.pipeline;
        let more = (p - 1.0) / self.interleave;
        let (plain, woven) = if first { (p, p + more) } else { (N::one(), p - more) };
        // In this order a missing number of micro-batches stays missing.
        self.micro_batches.min(N::select(self.interleave.le(N::one()), plain, woven))
    }

    /// Bytes of state a parameter, over so many replicas.
    #[inline(always)]
    fn state_bytes(self, replicas: N) -> N {
        let over = |stage: f64| N::select(N::of(stage).le(self.zero_stage), replicas, N::one());
        N::of(OPTIMIZER_BYTES) / over(1.0) + self.gradient_bytes / over(2.0) + N::of(HALF) / over(3.0)
    }

    /// State, with a layer's gradients on their way to the sum, and activations of a stage.
    #[inline(always)]
    fn memory(self, stage: Stage<N>, first: bool) -> (N, N) {
        let Shape { cut, .. } = self;
        let has_dense = N::zero().lt(stage.dense_layers);
        let has_experts = N::zero().lt(stage.expert_layers);
        let only = |mask, value| N::select(mask, value, N::zero());
        let (everyone, routed) = cut.held(stage);
        let beside = only(has_dense, cut.dense_layer()).max(only(has_experts, cut.shared_layer()));
        let in_flight = (cut.attention_layer() + beside) / cut.tensor * HALF;
        let state =
            everyone * self.state_bytes(cut.replicas()) + routed * self.state_bytes(cut.expert_replicas()) + in_flight;

        let attention = match self.recompute {
            Recompute::Selective => cut.attention_bytes(),
            Recompute::Nothing | Recompute::Full => cut.attention_bytes() + cut.score_bytes(),
        };
        let layers = stage.dense_layers + stage.expert_layers;
        let held = self.held(first);
        let stored = match self.recompute {
            Recompute::Full => {
                let again = attention + only(has_dense, cut.dense_bytes()).max(only(has_experts, cut.expert_bytes()));
                cut.hidden * layers * held * HALF + again
            }
            Recompute::Nothing | Recompute::Selective => {
                let stage_bytes = attention * layers
                    + cut.dense_bytes() * stage.dense_layers
                    + cut.expert_bytes() * stage.expert_layers;
                stage_bytes * held
            }
        };
        let head = cut.hidden * (HALF * 2.0) / cut.shared_by() + cut.vocab * LOGIT_BYTES / cut.tensor;
        (state, cut.tokens() * (stored + head * stage.last))
    }
}

#[cfg(test)]
mod tests {
    use super::{StepMemory, StepStatus};
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const D: f64 = 1024.0;
    const LAYERS: f64 = 8.0;
    /// Plain blocks of 12 d², 16 heads, a vocabulary of one, sequences of 512.
    const PLAIN: [(&str, f64); 17] = [
        ("llm_layers", LAYERS),
        ("llm_expert_layers", 0.0),
        ("llm_attention_params", LAYERS * 4.0 * D * D),
        ("llm_hidden", D),
        ("llm_heads", 16.0),
        ("llm_kv_heads", 16.0),
        ("llm_head_dim", 64.0),
        ("llm_ffn", 4.0 * D),
        ("llm_ffn_matrices", 2.0),
        ("llm_vocab", 1.0),
        ("train_data_parallel", 4.0),
        ("train_sequence_length", 512.0),
        ("train_micro_batches", 64.0),
        ("train_chip_memory_bytes", 80e9),
        ("train_memory_reserve_bytes", 1e9),
        ("train_chip_flash_attention", 0.0),
        ("train_global_batch", 256.0),
    ];

    /// Bytes that a token leaves in a layer: what one layer more stores.
    fn stored(changes: &[(&str, f64)], choices: &[(&str, &str)]) -> f64 {
        let of = |layers: f64| {
            let more = [("llm_layers", layers), ("llm_attention_params", layers * 4.0 * D * D)];
            evaluate::<StepMemory>(&with(&with(&PLAIN, changes), &more), choices)["train_activation_bytes"]
        };
        (of(9.0) - of(8.0)) / 512.0
    }

    #[test]
    fn table_2_of_korthikanti() {
        let t = [("train_tensor_parallel", 8.0)];
        let scores = 5.0 * 16.0 * 512.0;
        let dropout = ("train_dropout", "true");
        let apart = ("train_sequence_parallel", "false");
        let flash = [("train_tensor_parallel", 8.0), ("train_chip_flash_attention", 1.0)];
        assert_eq!(stored(&[], &[dropout, apart]), 34.0 * D + scores);
        assert_eq!(stored(&t, &[dropout, apart]), 10.0 * D + 24.0 * D / 8.0 + scores / 8.0);
        assert_eq!(stored(&t, &[dropout]), 34.0 * D / 8.0 + scores / 8.0);
        assert_eq!(stored(&t, &[dropout, ("train_recompute", "selective")]), 34.0 * D / 8.0);
        assert_eq!(stored(&flash, &[dropout]), 34.0 * D / 8.0);
        assert_eq!(stored(&t, &[("train_recompute", "full")]), 2.0 * D);
    }

    #[test]
    fn the_first_stage_holds_a_micro_batch_of_each() {
        let activations =
            |changes: &[(&str, f64)]| evaluate::<StepMemory>(&with(&PLAIN, changes), &[])["train_activation_bytes"];
        let head = 512.0 * (4.0 * D + 4.0);
        let one = activations(&[]) - head;
        assert_eq!(activations(&[("train_pipeline_parallel", 4.0)]), one);
        // p (1 + (p-1) / (p v)) stages' worth: 4 (1 + 3/8) of a quarter.
        let woven = [("train_pipeline_parallel", 4.0), ("train_interleave", 2.0)];
        assert_eq!(activations(&woven), one * 1.375);
        let few = [("train_pipeline_parallel", 4.0), ("train_micro_batches", 3.0)];
        assert_eq!(activations(&few), one * 0.75);
    }

    #[test]
    fn zero_divides_the_state() {
        let of = |stage: f64| evaluate::<StepMemory>(&with(&PLAIN, &[("train_zero_stage", stage)]), &[]);
        let params = LAYERS * 12.0 * D * D + 2.0 * D;
        let in_flight = 2.0 * 12.0 * D * D;
        for (stage, bytes) in [(0.0, 18.0), (1.0, 9.0), (2.0, 6.0), (3.0, 4.5)] {
            assert_eq!(of(stage)["train_state_bytes"], params * bytes + in_flight);
        }
        let answers = of(1.0);
        assert_eq!(answers["train_memory_needed_bytes"], answers["train_memory_bytes"] + 1e9);
        // At the limit it just fits.
        let limit = answers["train_micro_batch_limit"];
        let filled = answers["train_state_bytes"] + answers["train_activation_bytes"] * limit + 1e9;
        assert!((filled / 80e9 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn experts_are_spread_and_replicated_less() {
        let routed = [
            ("llm_expert_layers", LAYERS),
            ("llm_experts", 16.0),
            ("llm_experts_per_token", 2.0),
            ("llm_expert_ffn", 512.0),
            ("train_expert_parallel", 4.0),
        ];
        let state = |more: &[(&str, f64)]| evaluate::<StepMemory>(&with(&with(&PLAIN, &routed), more), &[])["train_state_bytes"];
        // Four experts of 2 d f a layer on a chip, one replica: 18 bytes; twice as many ranks, two replicas: 12.
        let experts = LAYERS * 4.0 * 2.0 * D * 512.0;
        let all = LAYERS * (4.0 * D * D + 16.0 * D) + 2.0 * D;
        let in_flight = 2.0 * (4.0 * D * D + 16.0 * D);
        assert_eq!(state(&[]), experts * 18.0 + all * 9.0 + in_flight);
        assert_eq!(state(&[("train_data_parallel", 8.0)]), experts * 12.0 + all * 7.5 + in_flight);
    }

    #[test]
    fn why_there_is_no_step() {
        let run = [("train_global_batch", 64.0), ("train_micro_batches", 16.0), ("train_sequence_length", 512.0)];
        for (change, status) in [
            (("train_pipeline_parallel", 3.0), StepStatus::Layers),
            (("train_tensor_parallel", 3.0), StepStatus::Heads),
            (("train_expert_parallel", 2.0), StepStatus::Experts),
            (("train_context_parallel", 3.0), StepStatus::Sequence),
            (("train_data_parallel", 7.0), StepStatus::Batch),
            (("train_interleave", 2.0), StepStatus::Interleave),
            (("train_chip_memory_bytes", 1e9), StepStatus::Memory),
            (("train_chip_memory_bytes", 80e9), StepStatus::Ok),
        ] {
            let answers = evaluate::<StepMemory>(&with(&with(&PLAIN, &run), &[change]), &[]);
            assert_eq!(answers["train_status"], status.number::<f64>(), "{change:?}");
            let known = matches!(status, StepStatus::Memory | StepStatus::Ok);
            assert_eq!(answers["train_memory_bytes"].is_nan(), !known);
        }
        // At the threshold it fits.
        let needed = evaluate::<StepMemory>(&with(&PLAIN, &run), &[])["train_memory_needed_bytes"];
        let at = |bytes: f64| {
            let case = with(&with(&PLAIN, &run), &[("train_chip_memory_bytes", bytes)]);
            evaluate::<StepMemory>(&case, &[])["train_status"]
        };
        assert_eq!(at(needed), StepStatus::Ok.number::<f64>());
        assert_eq!(at(needed - 1.0), StepStatus::Memory.number::<f64>());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(
            &PLAIN,
            &[("train_gradient_bytes", 3.0), ("train_pipeline_parallel", 4.0), ("train_micro_batches", 3.5)],
        );
        check_derivatives::<StepMemory>(Case { values: &case, choices: &[] }, &[]);
    }
}
