//! Arithmetic of a transformer, per parameter that takes part in a token and per token.

use crate::number::Number;

/// A forward and a backward pass: a multiply and an add forward, and twice that back.
pub const TRAINING_FLOP: f64 = 6.0;
/// A forward pass alone.
pub const INFERENCE_FLOP: f64 = 2.0;
/// Tokens of inference that take as much arithmetic as one token of training.
pub const INFERENCE_TOKENS_PER_TRAINING_TOKEN: f64 = TRAINING_FLOP / INFERENCE_FLOP;

/// Operations of training on `tokens` and of serving `inference_tokens`.
#[inline(always)]
pub fn lifetime_flop<N: Number>(params: N, tokens: N, inference_tokens: N) -> N {
    params * (tokens * TRAINING_FLOP + inference_tokens * INFERENCE_FLOP)
}
