//! What a model's size and its data leave of the loss, A / N^α + B / D^β, and the size that is cheapest at what they leave.
//!
//! The size is the root of a function that is concave in the unknown, so Newton's steps from the compute optimum come to it
//! from one side; their number is fixed.

use crate::flop::INFERENCE_TOKENS_PER_TRAINING_TOKEN;
use crate::number::Number;

/// From the compute optimum 5 steps leave 1e-14 over all bounds; the rest is margin, and the last carries the derivative.
const NEWTON_STEPS: u32 = 7;

/// A scaling law without the loss that nothing removes.
#[derive(Clone, Copy)]
pub struct Law<N> {
    pub params_coefficient: N,
    pub tokens_coefficient: N,
    pub params_exponent: N,
    pub tokens_exponent: N,
}

/// A `Law` from the inputs of that name.
macro_rules! law {
    ($x:ident) => {
        $crate::scaling_law::Law {
            params_coefficient: $x.scaling_params_coefficient,
            tokens_coefficient: $x.scaling_tokens_coefficient,
            params_exponent: $x.scaling_params_exponent,
            tokens_exponent: $x.scaling_tokens_exponent,
        }
    };
}
pub(crate) use law;

impl<N: Number> Law<N> {
    /// Parameters that leave a given part of the loss.
    #[inline(always)]
    pub fn params(&self, loss: N) -> N {
        ((self.params_coefficient / loss).ln() / self.params_exponent).exp()
    }

    /// Tokens that leave a given part of the loss.
    #[inline(always)]
    pub fn tokens(&self, loss: N) -> N {
        ((self.tokens_coefficient / loss).ln() / self.tokens_exponent).exp()
    }

    /// The cheapest size at N D = e^`log_product`.
    ///
    /// In ln N, ln(α A N^-α) - ln(β B D^-β) - ln(1 + ωT/3D) is concave and falls: from the compute optimum on, where it is not
    /// above 0, Newton's steps come down to the root from one side.
    #[inline(always)]
    pub fn params_by_product(&self, log_product: N, weighted_tokens: N) -> N {
        let (alpha, beta) = (self.params_exponent, self.tokens_exponent);
        let lead = (alpha * self.params_coefficient).ln() - (beta * self.tokens_coefficient).ln();
        let mut log_params = (lead + beta * log_product) / (alpha + beta);
        let mut step = 0;
        while step < NEWTON_STEPS {
            let at = log_params.constant();
            let log_tokens = log_product - at;
            let inference = weighted_tokens / INFERENCE_TOKENS_PER_TRAINING_TOKEN * (-log_tokens).exp();
            let excess = lead - alpha * at + beta * log_tokens - inference.ln_1p();
            let inference_share = -(N::one() / (inference + 1.0)) + 1.0;
            let fall = (alpha + beta + inference_share).constant();
            log_params = at + excess / fall;
            step += 1;
        }
        log_params.exp()
    }

    /// The cheapest size at which parameters and tokens leave `gap` of the loss between them.
    ///
    /// With w = -ln(1 - p), p the parameters' part of the gap, ln(α p / β) + w - ln(1 + ωT/3D) is concave and rises, and D is
    /// as e^(w/β): from the compute optimum on Newton's steps come up to the root from one side.
    #[inline(always)]
    pub fn params_by_gap(&self, gap: N, weighted_tokens: N) -> N {
        let (alpha, beta) = (self.params_exponent, self.tokens_exponent);
        let lead = (alpha / beta).ln();
        let log_fewest_tokens = (self.tokens_coefficient / gap).ln() / beta;
        let mut w = ((alpha + beta) / alpha).ln();
        let mut step = 0;
        while step < NEWTON_STEPS {
            let at = w.constant();
            let params_part = -(-at).exp_m1();
            let log_tokens = log_fewest_tokens + at / beta;
            let inference = weighted_tokens / INFERENCE_TOKENS_PER_TRAINING_TOKEN * (-log_tokens).exp();
            let excess = lead + params_part.ln() + at - inference.ln_1p();
            let inference_share = -(N::one() / (inference + 1.0)) + 1.0;
            let rise = (N::one() / params_part + inference_share / beta).constant();
            w = at - excess / rise;
            step += 1;
        }
        self.params(gap * -(-w).exp_m1())
    }
}
