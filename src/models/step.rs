//! How long a training step takes on given hardware, so that MFU is computed and not guessed.
//!
//!     step      T = μ · slowest stage + bubble + stragglers + gradients sent + optimizer
//!     bubble      = time of all other stages for one micro-batch / v
//!     stage       = layers · (matrices + attention + memory + communication), the last one with the output head
//!     matrices    = Σ q / (P η),  η = η∞ · q / (q + η∞ P τ)        q the FLOP of one kernel, P the peak: time q / (η∞ P) + τ
//!     attention   = FLOP / (P₁₆ η_attention)                        half the square with FlashAttention, all of it without
//!     memory      = bytes stored · passes / W                       a third forward, two thirds backward
//!     MFU         = F · tokens / (T · n · P)                        F by the convention of `step_flop`
//!
//! on a micro-batch of s b / c tokens a chip, over t tensor ranks. Backward is twice forward (2½ times for FlashAttention,
//! which forms its scores again); `full` recompute adds a forward pass with its communication, `selective` the core of
//! attention where scores went through memory. Communication in a layer, bytes over the link's or, beyond the chips that
//! links join, the network's rate: 4 gathers and scatters of 2 s b d (t-1)/t bytes forward and as many backward, 2 more with
//! sequence parallel; keys and values of the other context ranks; an exchange of 2 k s b d/t (x-1)/x bytes to the experts and
//! one back, forward and backward. 2 s b d/t bytes forward and backward pass from stage to stage. Gradients are reduced and
//! weights or gradients gathered once a step, a part of it hidden behind the backward pass. Waiting for the slowest of n
//! chips grows with the logarithm of the number of groups that links join, as the mean of the largest of so many draws of
//! an exponential law does. Sources: Korthikanti et al., arXiv 2205.05198; Narayanan et al., arXiv 2104.04473; Isaev et al.
//! (Calculon), SC 2023, for efficiency that depends on size.
//!
//! `train_status` of `step_memory` says why there is no step.
//! HFU adds what is computed again. Korthikanti et al. print it with the attention term doubled where selective recompute
//! adds a third; only that gives the figures of their table 5, so `train_hfu_korthikanti` is there beside the literal one.
//!
//! **Accuracy.** Mean error of the step time 4.7 % on 14 runs of Megatron on A100, 6.1 % where each is predicted by constants
//! fitted without it, 8.1 % without its whole paper; 2.5 %, 3.1 % and, without its model, 5.5 % on 22 runs of Megatron-LM on
//! B200. Efficiencies of the other chip would miss by 37 %. Of the 14, three of MT-NLG come out 13 to 16 % too
//! short, a similar run without DeepSpeed does not: software, which no constant here stands for; the other eleven are at
//! 2.0 % in the mean. Three constants a chip are in the catalog (η∞, attention, links), six shared ones are declared
//! here, and entries of the catalog that were not measured say so. The B200 runs hid no communication, so its links reach a
//! third of their bandwidth where a tuned run would seem to reach more. The page is right about a run's software only as far as
//! it is told: without `train_gradient_bytes` and `train_zero_stage` of their time the A100 runs are at 5.2 %.
//! `docs/accuracy.md` has every run; `python -m accuracy FOLDER step` fits again.
//!
//! Left out: overlap of tensor, context and expert communication with compute, schedules with other bubbles (zero bubble,
//! DualPipe), unequal stages, uneven routing, linear layers' own kernels, failures and restarts.

use super::training::Precision;
use crate::micro_batch::MicroBatch;
use crate::transformer::{HALF, Recompute, StepStatus, cut, layout};
use crate::variable::{HUGE, NONE, model};

/// Forward, and backward twice its arithmetic.
const PASSES: f64 = 3.0;
/// Adam reads master weight and two moments and writes them, and writes the weight: with the gradient 26 + g bytes.
const OPTIMIZER_BYTES: f64 = 26.0;

model! {
    /// How long a training step takes, and what share of the peak does the model's arithmetic.
    Step = "step";
    inputs {
        /// Bandwidth of the memory of one training chip.
        train_chip_memory_bytes_per_s: number "bytes/s" [1.0, 1e18], default NONE, typical [1e12, 2e13], VendorClaim "data sheet";
        /// Bandwidth of the links of one training chip, one direction.
        train_chip_link_bytes_per_s: number "bytes/s" [1.0, 1e18], default NONE, typical [1e11, 2e12], VendorClaim "data sheet";
        /// Chips that links join; beyond them is the network.
        train_chip_link_chips: number "1" [1.0, 1e9], default 8.0, typical [8.0, 72.0], VendorClaim "one server of eight";
        /// Bandwidth of the network of one training chip, one direction.
        train_chip_network_bytes_per_s: number "bytes/s" [1.0, 1e18], default 50e9, typical [25e9, 100e9], VendorClaim "one 400 Gb/s port a chip";
        /// Share of the peak that large matrix products reach in training.
        train_chip_gemm_efficiency: number "1" [1e-3, 1.0], default 0.6, typical [0.45, 0.8], Estimate "between A100 and B200, fitted to published steps";
        /// Share of the 16-bit peak that attention proper reaches.
        train_chip_attention_efficiency: number "1" [1e-3, 1.0], default 0.42, typical [0.3, 0.6], Estimate "between A100 and B200, fitted to published steps";
        /// Share of the links' bandwidth that collectives reach.
        train_chip_link_efficiency: number "1" [1e-3, 1.0], default 0.5, typical [0.3, 0.85], Estimate "between A100 and B200, fitted to published steps";
        /// Share of the network's bandwidth that is reached.
        train_network_efficiency: number "1" [1e-3, 1.0], default 0.79, typical [0.6, 0.9], Estimate "fitted to 36 published steps";
        /// Times that what a layer stores crosses memory in a step, gradients included.
        train_memory_passes: number "1" [0.0, 1e3], default 6.8, typical [5.0, 8.0], Estimate "fitted to 36 published steps";
        /// Time of a matrix product beyond its arithmetic at full efficiency.
        train_kernel_s: number "s" [0.0, 1.0], default 20e-6, typical [5e-6, 40e-6], Estimate "fitted to 36 published steps";
        /// Time of a collective beyond its bytes.
        train_collective_s: number "s" [0.0, 1.0], default 10e-6, typical [5e-6, 30e-6], Judgement "a few hops of a ring";
        /// Share of the gradients' communication that nothing hides.
        train_gradient_exposed_share: number "1" [0.0, 1.0], default 0.5, typical [0.2, 1.0], Estimate "fitted to 36 published steps";
        /// Waiting for the slowest, as a share of the step for each e-fold of groups that links join.
        train_straggler_share: number "1" [0.0, 1.0], default 0.0115, typical [0.0, 0.03], Estimate "fitted to 36 published steps";
    }
    choices {
        /// Number format of the run.
        train_precision: Precision = Precision::Bf16, "most published runs up to 2024";
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
        llm_kv_latent_dim llm_query_latent_dim llm_rope_head_dim llm_value_head_dim llm_attention_flop_per_pair
        train_tensor_parallel train_pipeline_parallel train_data_parallel train_expert_parallel
        train_context_parallel train_interleave train_micro_batch train_global_batch train_sequence_length
        train_micro_batches train_chips train_chip_memory_bytes train_memory_needed_bytes train_chip_flash_attention
        train_zero_stage train_gradient_bytes train_chip_flop_per_s train_chip_flop_per_s_bf16 train_flop_per_token
        train_layer_flop_per_token train_attention_flop_per_token
    }
    outputs {
        /// Arithmetic and memory traffic of the slowest stage.
        train_compute_s: "s" [0.0, HUGE];
        /// Communication that nothing hides.
        train_exposed_communication_s: "s" [0.0, HUGE];
        /// Time in which the slowest stage has nothing to do.
        train_bubble_s: "s" [0.0, HUGE];
        /// Waiting for the slowest chip.
        train_straggler_s: "s" [0.0, HUGE];
        /// The optimizer's step.
        train_optimizer_s: "s" [0.0, HUGE];
        /// Time of a training step.
        train_step_s: "s" [0.0, HUGE];
        /// Tokens trained on in a second.
        train_tokens_per_s: "tokens/s" [0.0, HUGE];
        /// Share of the peak that does the model's own arithmetic.
        train_mfu: "1" [1e-6, 1.0];
        /// The same with what is computed again.
        train_hfu: "1" [0.0, 10.0];
        /// The same as Korthikanti et al. print it.
        train_hfu_korthikanti: "1" [0.0, 10.0];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let cut = cut!(x);
        let fits = x.train_memory_needed_bytes.le(x.train_chip_memory_bytes);
        let divides = layout!(x).status().eq(StepStatus::Ok.number());
        let possible = N::select(fits & divides, N::one(), N::of(f64::NAN));
        let half_rate = if x.train_precision == Precision::Bf16 {
            x.train_chip_flop_per_s
        } else {
            x.train_chip_flop_per_s_bf16
        };
        let flash = N::zero().lt(x.train_chip_flash_attention);
        // What is counted is three passes of the full square: FlashAttention does half of it, scores in memory all.
        let core_flop = N::select(
            flash,
            x.train_attention_flop_per_token / (PASSES * 2.0),
            x.llm_attention_flop_per_pair * x.train_sequence_length,
        );
        let work = MicroBatch {
            cut,
            flash,
            recompute: x.train_recompute,
            core_flop: core_flop / x.llm_layers,
            gemm_rate: x.train_chip_flop_per_s * x.train_chip_gemm_efficiency,
            head_rate: half_rate * x.train_chip_gemm_efficiency,
            attention_rate: half_rate * x.train_chip_attention_efficiency,
            memory_rate: x.train_chip_memory_bytes_per_s,
            passes: x.train_memory_passes,
            kernel_s: x.train_kernel_s,
            collective_s: x.train_collective_s,
            gradient_bytes: x.train_gradient_bytes,
            link: x.train_chip_link_bytes_per_s * x.train_chip_link_efficiency,
            network: x.train_chip_network_bytes_per_s * x.train_network_efficiency,
            link_chips: x.train_chip_link_chips,
        };

        let times = work.times(x.train_chips, x.train_interleave);
        let (first, last, all) = (times.stage(cut.first_stage()), times.stage(cut.last_stage()), times.pipeline(cut));
        let first_slower = cut.alone() | (last.compute_s + last.talk_s).le(first.compute_s + first.talk_s);
        let compute_s = N::select(first_slower, first.compute_s, last.compute_s);
        let talk_s = N::select(first_slower, first.talk_s, last.talk_s);
        let others_s = (all.compute_s + all.talk_s - compute_s - talk_s).positive_part();
        let waiting_s = N::select(cut.alone(), N::zero(), others_s / x.train_interleave);
        let train_bubble_s = given.train_bubble_s(waiting_s * possible);
        let train_compute_s = given.train_compute_s(compute_s * x.train_micro_batches * possible);

        // Once a step.
        let groups = (x.train_chips / x.train_chip_link_chips).max(N::one());
        let waited = x.train_straggler_share * groups.ln();
        let steady_s = train_compute_s + talk_s * x.train_micro_batches + train_bubble_s;
        let train_straggler_s = given.train_straggler_s(steady_s * waited * possible);
        let (everyone, routed) = work.mean_held();
        let (replicas, expert_replicas) = (cut.replicas(), cut.expert_replicas());
        let sharded = N::of(1.0).le(x.train_zero_stage);
        let gathered = N::select(sharded, N::of(HALF), x.train_gradient_bytes);
        let often = N::select(N::of(3.0).le(x.train_zero_stage), x.train_micro_batches * 2.0, N::one());
        let sent_bytes = x.train_gradient_bytes + gathered * often;
        let sent_s = sent_bytes
            * (everyone * work.over(replicas, cut.tensor) + routed * work.over(expert_replicas, x.train_expert_parallel));
        let train_exposed_communication_s = given.train_exposed_communication_s(
            (talk_s * x.train_micro_batches + sent_s * x.train_gradient_exposed_share) * possible,
        );
        let owned = everyone / N::select(sharded, replicas, N::one()) + routed / N::select(sharded, expert_replicas, N::one());
        let optimizer_bytes = owned * (x.train_gradient_bytes + OPTIMIZER_BYTES) + (everyone + routed) * x.train_gradient_bytes;
        let train_optimizer_s =
            given.train_optimizer_s(optimizer_bytes / x.train_chip_memory_bytes_per_s * possible);
        let train_step_s = given.train_step_s(
            train_compute_s + train_exposed_communication_s + train_bubble_s + train_straggler_s + train_optimizer_s,
        );

        let tokens = x.train_global_batch * x.train_sequence_length;
        let train_tokens_per_s = given.train_tokens_per_s(tokens / train_step_s);
        let peak = x.train_chips * x.train_chip_flop_per_s;
        let train_mfu = given.train_mfu(x.train_flop_per_token * train_tokens_per_s / peak);
        let attention_again = x.train_attention_flop_per_token / PASSES;
        let (again, printed) = match x.train_recompute {
            Recompute::Nothing => (N::zero(), N::zero()),
            Recompute::Selective => (attention_again, x.train_attention_flop_per_token),
            Recompute::Full => (x.train_layer_flop_per_token / PASSES, x.train_layer_flop_per_token / PASSES),
        };
        let train_hfu = given.train_hfu(train_mfu + again * train_tokens_per_s / peak);
        let train_hfu_korthikanti =
            given.train_hfu_korthikanti(train_mfu + printed * train_tokens_per_s / peak);
        Outputs {
            train_compute_s, train_exposed_communication_s, train_bubble_s, train_straggler_s, train_optimizer_s,
            train_step_s, train_tokens_per_s, train_mfu, train_hfu, train_hfu_korthikanti,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Step;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const D: f64 = 8192.0;
    const ATTENTION: f64 = 10.0 * 12.0 * D * 2000.0;
    const LAYERS: f64 = 6.0 * 10.0 * 12.0 * D * D + ATTENTION;
    /// Ten plain blocks of 12 d² on eight chips, a sequence each, eight times.
    const RUN: [(&str, f64); 35] = [
        ("llm_layers", 10.0),
        ("llm_expert_layers", 0.0),
        ("llm_attention_params", 10.0 * 4.0 * D * D),
        ("llm_hidden", D),
        ("llm_heads", 64.0),
        ("llm_kv_heads", 64.0),
        ("llm_head_dim", 128.0),
        ("llm_ffn", 4.0 * D),
        ("llm_ffn_matrices", 2.0),
        ("llm_vocab", 50_000.0),
        ("llm_attention_flop_per_pair", 10.0 * 4.0 * D),
        ("train_data_parallel", 8.0),
        ("train_global_batch", 64.0),
        ("train_sequence_length", 2000.0),
        ("train_micro_batches", 8.0),
        ("train_chips", 8.0),
        ("train_chip_memory_bytes", 80e9),
        ("train_memory_needed_bytes", 60e9),
        ("train_chip_flop_per_s", 1e15),
        ("train_chip_gemm_efficiency", 0.5),
        ("train_chip_attention_efficiency", 0.4),
        ("train_chip_link_efficiency", 0.5),
        ("train_chip_memory_bytes_per_s", 2e12),
        ("train_chip_link_bytes_per_s", 500e9),
        ("train_chip_link_chips", 8.0),
        ("train_chip_network_bytes_per_s", 50e9),
        ("train_attention_flop_per_token", ATTENTION),
        ("train_layer_flop_per_token", LAYERS),
        ("train_flop_per_token", LAYERS + 6.0 * 50_000.0 * D),
        ("train_network_efficiency", 0.8),
        ("train_memory_passes", 0.0),
        ("train_kernel_s", 0.0),
        ("train_collective_s", 1e-5),
        ("train_gradient_exposed_share", 0.5),
        ("train_straggler_share", 0.01),
    ];

    #[test]
    fn a_step_by_hand() {
        // A layer's 805,306,368 parameters: 6 · 2000 / 5e14 of each, 19.3274 ms; attention 2 · 8192 · 2000 FLOP a token,
        // 2000 tokens, 4e14 a second, three and a half times: 0.5734 ms; gradients 8 bytes at 2e12: 3.2212 ms. Ten layers
        // 231.220 ms. Head, 409.6e6: 9.8304 + 1.6384 ms. Eight times 242.689 ms.
        // 8.87226e9 parameters: 6 bytes · 7/8 at 250e9, half of it: 93.159 ms. Optimizer 30/8 + 4 bytes at 2e12: 34.380 ms.
        let answers = evaluate::<Step>(&RUN, &[]);
        let near = |name: &str, wanted: f64| {
            let got = answers[name];
            // The hand's own rounding.
            assert!((got - wanted).abs() < 1e-5 * wanted, "{name}: {got}, not {wanted}");
        };
        near("train_compute_s", 1.941_512);
        near("train_exposed_communication_s", 0.093_158_8);
        near("train_optimizer_s", 0.034_380_0);
        near("train_step_s", 2.069_051);
        assert_eq!(answers["train_bubble_s"], 0.0);
        assert_eq!(answers["train_straggler_s"], 0.0);
        // 52.742e9 FLOP a token, 128,000 tokens, eight chips of 1e15.
        near("train_mfu", 0.407_855);
        near("train_tokens_per_s", 61_864.1);
    }

    #[test]
    fn stages_wait_for_each_other() {
        // Ten equal layers and no head to speak of: four other stages of one micro-batch, half as long in two turns.
        let pipeline = |interleave: f64| {
            let change = [("train_pipeline_parallel", 5.0), ("train_interleave", interleave), ("llm_vocab", 1.0)];
            let free = [("train_chip_network_bytes_per_s", 1e18), ("train_chips", 40.0), ("train_micro_batches", 10.0)];
            evaluate::<Step>(&with(&with(&RUN, &change), &with(&free, &[("train_global_batch", 80.0)])), &[])
        };
        let (plain, woven) = (pipeline(1.0), pipeline(2.0));
        // (p - 1) / μ of the time; the head is 5e-6 of a stage.
        assert!((plain["train_bubble_s"] / plain["train_compute_s"] - 0.4).abs() < 1e-5);
        assert!((woven["train_bubble_s"] / plain["train_bubble_s"] - 0.5).abs() < 1e-5);
        // Five groups of eight chips: ln 5 = 1.6094379 of a hundredth.
        let steady = plain["train_compute_s"] + plain["train_bubble_s"];
        assert!((plain["train_straggler_s"] / steady - 0.016_094_379).abs() < 1e-6);
    }

    #[test]
    fn faster_parts_make_shorter_steps() {
        let step = |change: (&str, f64)| evaluate::<Step>(&with(&RUN, &[change]), &[])["train_step_s"];
        let now = evaluate::<Step>(&RUN, &[])["train_step_s"];
        for change in [
            ("train_chip_gemm_efficiency", 0.6),
            ("train_chip_attention_efficiency", 0.6),
            ("train_chip_link_bytes_per_s", 1e12),
            ("train_chip_memory_bytes_per_s", 4e12),
        ] {
            assert!(step(change) < now, "{change:?}");
        }
        assert!(step(("train_kernel_s", 1e-5)) > now && step(("train_memory_passes", 6.0)) > now);
        let again = evaluate::<Step>(&RUN, &[("train_recompute", "full")]);
        assert!(again["train_step_s"] > now && again["train_mfu"] < again["train_hfu"]);
        // Scores that FlashAttention does not keep are not computed again by request.
        let selective = evaluate::<Step>(&RUN, &[("train_recompute", "selective")]);
        assert_eq!(selective["train_step_s"], now);
    }

    #[test]
    fn what_does_not_fit_or_divide_takes_no_step() {
        assert!(
            evaluate::<Step>(&with(&RUN, &[("llm_heads", 63.0), ("train_tensor_parallel", 2.0)]), &[])["train_step_s"]
                .is_nan()
        );
        let answers = |needed: f64| evaluate::<Step>(&with(&RUN, &[("train_memory_needed_bytes", needed)]), &[]);
        assert!(answers(80e9)["train_step_s"] > 0.0);
        let none = answers(80e9 + 1e4);
        assert!(none["train_step_s"].is_nan() && none["train_mfu"].is_nan() && none["train_bubble_s"].is_nan());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let pipeline = [
            ("train_pipeline_parallel", 5.0),
            ("train_tensor_parallel", 4.0),
            ("train_chips", 160.5),
            ("train_memory_passes", 6.0),
            ("train_kernel_s", 1e-5),
            ("train_micro_batches", 8.5),
            ("llm_layers", 10.0),
        ];
        for recompute in ["none", "selective", "full"] {
            let case = with(&RUN, &pipeline);
            check_derivatives::<Step>(Case { values: &case, choices: &[("train_recompute", recompute)] }, &[]);
        }
    }
}
