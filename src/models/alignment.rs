//! How well a language model's dimensions suit a chip: the matrix multiplications of a step on one device.
//!
//!     efficiency   η = Σ FLOP / (P Σ t)      over the matrix multiplications of a step on one device
//!
//! P peak rate, t time of a multiplication (`gemm`). The products of a step are those of `layer.rs`: attention by heads,
//! latent or linear, plain or gated feed-forward, experts, output head, each divided over the devices that share a layer
//! (Anthony et al. 2024, arXiv 2401.14489; DeepSeek-V2, arXiv 2405.04434). Attention's own products, norms and communication
//! are not among them. In a model with several kinds of layers the mixture is kept, and a layer is the mean one. What
//! better dimensions are worth is in `alignment_search`.

use crate::gemm::{by_alignment, kernels, kernels_of};
use crate::lattice::{Choices, Table};
use crate::layer::{AlignPhase, Step, dimensions, model_layers};
use crate::variable::{NONE, model};

model! {
    /// How well a language model's dimensions suit a chip.
    Alignment = "alignment";
    inputs {
        /// Tokens of a step that a device, or the devices that share its layers, work on.
        align_tokens: integer "1" [1.0, 1e8], default NONE, typical [16.0, 16384.0], Definition "property of the step";
        /// Devices that share each layer.
        align_tensor_parallel: integer "1" [1.0, 1e4], default 1.0, typical [1.0, 8.0], Definition "one device";
        /// Devices that the experts are spread over.
        align_expert_parallel: integer "1" [1.0, 1e5], default 1.0, typical [1.0, 64.0], Definition "all experts on each device";
    }
    choices {
        /// What a step does: training multiplies backward too.
        align_phase: AlignPhase = AlignPhase::Serve, "forward alone";
    }
    reads { kernels! dimensions! }
    outputs {
        /// Arithmetic of the multiplications of a step on one device.
        align_flop: "FLOP" [0.0, 1e40];
        /// Time of the multiplications of a step on one device.
        align_s: "s" [0.0, 1e40];
        /// Share of the peak rate that they reach.
        align_efficiency: "1" [0.0, 10.0];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let train = x.align_phase == AlignPhase::Train;
        // Null where the dimensions do not fit together.
        let (kind, own, fits) = model_layers!(x);
        let step = Step::new(&kind, x.align_tokens, x.align_tensor_parallel, x.align_expert_parallel);
        let mut products = Table::none();
        products.fill(&kind, &step, &[own], &[own], &Choices::ALL);
        let rates = kernels!([kernels_of] x).rates();
        let times = products.times(&step, &rates, by_alignment!(x).slowdown(), train);
        let align_flop = given.align_flop(products.flop(&step, x.llm_layers, train) * fits);
        let align_s = given.align_s(times.step_s(x.llm_layers, 0, 0) * fits);
        let align_efficiency = given.align_efficiency(align_flop / (align_s * x.gemm_peak_flop_per_s));
        Outputs { align_flop, align_s, align_efficiency }
    }
}

#[cfg(test)]
mod tests {
    use super::Alignment;
    use crate::lattice::smooth::{CHIP, LLAMA_8B};
    use crate::trial::{Case, check_derivatives, evaluate, with};

    fn of(changes: &[(&str, f64)], name: &str) -> f64 {
        evaluate::<Alignment>(&with(&with(&CHIP, &LLAMA_8B), changes), &[])[name]
    }

    fn near(got: f64, wanted: f64) {
        assert!((got / wanted - 1.0).abs() < 1e-12, "{got}, not {wanted}"); // sums of some forty terms
    }

    #[test]
    fn two_flop_a_parameter_and_token() {
        // All matrices but the input embedding: 8,030,261,248 parameters less 65 norms of 4096 less 128,256 · 4096.
        let matrices = 8_030_261_248.0 - 65.0 * 4096.0 - 128_256.0 * 4096.0;
        near(of(&[], "align_flop"), 2.0 * 4096.0 * matrices);
        near(of(&[], "align_efficiency"), 1.0);
        near(of(&[("align_tensor_parallel", 8.0)], "align_flop"), 2.0 * 4096.0 * matrices / 8.0);
        let train = evaluate::<Alignment>(&with(&CHIP, &LLAMA_8B), &[("align_phase", "train")]);
        near(train["align_flop"], 6.0 * 4096.0 * matrices);
    }

    #[test]
    fn experts_and_latent_attention_count_what_a_token_goes_through() {
        // DeepSeek-V3: 671,026,404,352 parameters but routing corrections; matrices of a token, the input embedding left out.
        let deepseek = [
            ("llm_layers", 61.0),
            ("llm_hidden", 7168.0),
            ("llm_heads", 128.0),
            ("llm_kv_heads", 128.0),
            ("llm_ffn", 18432.0),
            ("llm_vocab", 129_280.0),
            ("llm_experts", 256.0),
            ("llm_experts_per_token", 8.0),
            ("llm_shared_experts", 1.0),
            ("llm_expert_ffn", 2048.0),
            ("llm_dense_layers", 3.0),
            ("llm_kv_latent_dim", 512.0),
            ("llm_query_latent_dim", 1536.0),
            ("llm_rope_head_dim", 64.0),
            ("llm_value_head_dim", 128.0),
        ];
        let attention =
            7168.0 * 1536.0 + 1536.0 * 128.0 * 192.0 + 7168.0 * 576.0 + 512.0 * 128.0 * 256.0 + 128.0 * 128.0 * 7168.0;
        let expert = 3.0 * 7168.0 * 2048.0;
        let token = 61.0 * attention
            + 3.0 * 3.0 * 7168.0 * 18432.0
            + 58.0 * (9.0 * expert + 256.0 * 7168.0)
            + 7168.0 * 129_280.0;
        near(of(&deepseek, "align_flop"), 2.0 * 4096.0 * token);
        // A device of 64 that each bring 4096 tokens has 4 experts, and as much work.
        let spread = with(&deepseek, &[("align_expert_parallel", 64.0)]);
        near(of(&spread, "align_flop"), 2.0 * 4096.0 * token);
    }

    #[test]
    fn what_does_not_fit_together_has_no_time() {
        // More experts a token than there are.
        assert!(of(&[("llm_experts_per_token", 2.0)], "align_s").is_nan());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(
            &with(&CHIP, &LLAMA_8B),
            &[
                ("gemm_memory_bytes_per_s", 2e12),
                ("gemm_units", 107.3), // between steps of waves and of tiles that are there
                ("gemm_tile_elements", 40_000.0),
                ("gemm_launch_s", 1e-4), // enough of the time for a difference to show
                ("gemm_wave_smoothing", 0.5),
                ("gemm_tile_loss", 0.2),
                ("gemm_prologue_depth", 100.0),
                ("llm_ffn", 14338.0),
                // The bytes of an element, moved, change no share of the rate.
                ("gemm_align_2_bytes", 1.0),
                ("gemm_align_4_bytes", 1.0),
                ("gemm_align_8_bytes", 1.0),
                ("gemm_align_16_bytes", 1.0),
                ("gemm_align_32_bytes", 1.0),
            ],
        );
        check_derivatives::<Alignment>(Case { values: &case, choices: &[] }, &["align_flop"]);
    }
}
