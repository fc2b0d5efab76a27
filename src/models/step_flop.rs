//! What arithmetic a token of training counts for.
//!
//!     F = 6 (N_attention + N_dense + N_expert · active + V d) + 3 · A · c(s)
//!
//! the multiply-adds of a forward and a backward pass through every matrix, the output head once and the embedding not,
//! and attention: A is `llm_attention_flop_per_pair`, 4 h e a layer, and c(s) = s tokens, the full square although a causal
//! model needs half of it. That is the convention of Megatron-LM and of published MFU; for a plain model it is
//! 72 L d² (1 + s / 6d + V / 12 L d) a token (Korthikanti et al., arXiv 2205.05198, appendix A). Layers with a window of w
//! tokens count 2 w - w² / s, twice the pairs they keep.
//!
//! `train_flop_ratio` is F over 6 a parameter that takes part. `training` multiplies its 6 N D by it, so that an MFU by
//! this convention and the hours of a run agree; without a sequence length it is 1 and 6 N D stands.

use crate::variable::{HUGE, model};

/// Multiply-adds of a forward and a backward pass, per parameter and token: 2 + 4.
const FLOP_PER_PARAM_AND_TOKEN: f64 = 6.0;
/// A forward pass and a backward pass of twice its arithmetic.
const PASSES: f64 = 3.0;

model! {
    /// What arithmetic a token of training counts for.
    StepFlop = "step_flop";
    inputs {}
    choices {}
    reads {
        llm_attention_params llm_dense_params llm_expert_params llm_expert_active_share llm_embedding_params
        llm_attention_flop_per_pair llm_active_params llm_layers llm_linear_layers llm_window_layers llm_window_tokens
        train_sequence_length
    }
    outputs {
        /// Arithmetic that MFU counts for a token in the layers.
        train_layer_flop_per_token: "FLOP" [0.0, HUGE];
        /// Part of it that is attention proper.
        train_attention_flop_per_token: "FLOP" [0.0, HUGE];
        /// Arithmetic that MFU counts for a token.
        train_flop_per_token: "FLOP" [0.0, HUGE];
        /// Arithmetic that MFU counts over 6 a parameter that takes part.
        train_flop_ratio: "1" [1e-6, 1e6], default 1.0, "6 a parameter and token; computed where train_sequence_length and dimensions are given";
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let s = x.train_sequence_length;
        let cached_layers = x.llm_layers - x.llm_linear_layers;
        let share = (x.llm_window_layers / cached_layers).min(N::one());
        let windowed = N::select(N::zero().lt(cached_layers), share, N::zero());
        let tokens = context_tokens(s, x.llm_window_tokens);
        let pairs = s + (tokens - s) * windowed;
        let train_attention_flop_per_token =
            given.train_attention_flop_per_token(x.llm_attention_flop_per_pair * pairs * PASSES);
        let matrices = x.llm_attention_params + x.llm_dense_params + x.llm_expert_params * x.llm_expert_active_share;
        let train_layer_flop_per_token = given
            .train_layer_flop_per_token(matrices * FLOP_PER_PARAM_AND_TOKEN + train_attention_flop_per_token);
        let train_flop_per_token = given
            .train_flop_per_token(train_layer_flop_per_token + x.llm_embedding_params * FLOP_PER_PARAM_AND_TOKEN);
        let counted = x.llm_active_params * FLOP_PER_PARAM_AND_TOKEN;
        let ratio = N::select(N::zero().lt(counted), train_flop_per_token / counted, N::one());
        let train_flop_ratio = given.train_flop_ratio(ratio);
        Outputs { train_layer_flop_per_token, train_attention_flop_per_token, train_flop_per_token, train_flop_ratio }
    }
}

/// Twice the mean number of tokens that one looks back on: the sequence, or 2 w - w² / s within a window.
#[inline(always)]
fn context_tokens<N: crate::number::Number>(sequence_length: N, window: N) -> N {
    let w = window.min(sequence_length);
    w * 2.0 - w * w / sequence_length
}

#[cfg(test)]
mod tests {
    use super::StepFlop;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    /// 96 layers, d 12288, 96 heads of 128, vocabulary 51200, without norms.
    const GPT_175B: [(&str, f64); 9] = [
        ("llm_attention_params", 96.0 * 4.0 * 12288.0 * 12288.0),
        ("llm_dense_params", 96.0 * 8.0 * 12288.0 * 12288.0),
        ("llm_expert_params", 0.0),
        ("llm_expert_active_share", 0.0),
        ("llm_embedding_params", 51200.0 * 12288.0),
        ("llm_attention_flop_per_pair", 96.0 * 4.0 * 12288.0),
        ("llm_active_params", 175.2e9),
        ("llm_layers", 96.0),
        ("train_sequence_length", 2048.0),
    ];

    #[test]
    fn the_formula_of_korthikanti() {
        let (layers, d, s, v) = (96.0, 12288.0, 2048.0, 51200.0);
        let printed = 72.0 * layers * d * d * (1.0 + s / (6.0 * d) + v / (12.0 * layers * d));
        let answers = evaluate::<StepFlop>(&GPT_175B, &[]);
        // Sums in another order.
        assert!((answers["train_flop_per_token"] / printed - 1.0).abs() < 1e-14);
        assert!((answers["train_flop_ratio"] - printed / (6.0 * 175.2e9)).abs() < 1e-14);
    }

    #[test]
    fn a_window_as_long_as_the_sequence_is_none() {
        let window = |tokens: f64| {
            let case = with(&GPT_175B, &[("llm_window_layers", 96.0), ("llm_window_tokens", tokens)]);
            evaluate::<StepFlop>(&case, &[])["train_attention_flop_per_token"]
        };
        let none = evaluate::<StepFlop>(&GPT_175B, &[])["train_attention_flop_per_token"];
        assert_eq!(window(2048.0), none);
        assert_eq!(window(f64::INFINITY), none);
        // w = s / 2: 2 w - w² / s = 3/4 s.
        assert_eq!(window(1024.0), none * 0.75);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(&GPT_175B, &[("llm_window_layers", 48.0), ("llm_window_tokens", 1000.5)]);
        check_derivatives::<StepFlop>(Case { values: &case, choices: &[] }, &[]);
    }
}
