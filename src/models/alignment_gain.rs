//! What a gain on the matrix multiplications is of the whole step, and whether the model can tell it from its error.
//!
//!     gain of the whole step   1 / (1 - s + s / G)       s the share of the step that goes into multiplications (Amdahl 1967)
//!     needed share             (1 - 1 / (1 + ε)) / (1 - 1 / G)
//!
//! The times miss measurements by 7 % in the mean (`gemm_kernels`), so a gain G below 1 + ε is none that the model can
//! tell: `align_status` says so, and `align_needed_gemm_share` is the s from which on the gain is above it. Attention's own
//! products, norms and communication are in 1 - s. Published gains reach 1.39 for models of one size (Anthony et al. 2024,
//! arXiv 2401.14489) and 1.25 from padding a vocabulary of 50257.

use crate::variable::{HUGE, INFINITE, choices, model};

choices!(
    /// What the search found.
    AlignStatus {
        Gain "gain",
        WithinError "gain_within_model_error",
        NoneNearby "none_better_nearby",
        Unfit "dimensions_inconsistent",
    }
);

model! {
    /// What better dimensions are worth to the whole step, against the model's error.
    AlignmentGain = "alignment_gain";
    inputs {
        /// Share of a step that goes into these multiplications.
        align_gemm_share: number "1" [0.0, 1.0], default 1.0, typical [0.5, 0.9], Definition "the multiplications alone";
        /// Gain over 1 that the model can't tell from its error.
        align_model_error: number "1" [0.0, 1.0], default 0.07, typical [0.05, 0.1], Measured "mean error of the times of single multiplications, see gemm_kernels";
    }
    choices {}
    reads { align_gemm_gain }
    outputs {
        /// What the best neighbor gains on the whole step, a parameter.
        align_gain: "1" [1e-9, HUGE];
    }
    summaries {
        /// Share of the step in multiplications from which on the gain is above the model's error; infinite where none is.
        align_needed_gemm_share: "1" [0.0, INFINITE];
    }
    statuses {
        /// Whether a neighbor is better by more than the model's error.
        align_status: AlignStatus;
    }
    equations(x, given) {
        let one = N::one();
        let gain = x.align_gemm_gain;
        let kept = one - x.align_gemm_share + x.align_gemm_share / gain;
        let align_gain = given.align_gain(one / kept);
        let threshold = x.align_model_error + 1.0;
        let gains = one.lt(gain);
        let needed = (one - one / threshold) / (one - one / N::select(gains, gain, N::of(2.0)));
        // Null where the dimensions do not fit together.
        let known = gain.eq(gain);
        let beyond = N::select(known, N::of(INFINITE), gain);
        let align_needed_gemm_share = N::select(gains, needed, beyond);
        let status = N::select(threshold.lt(align_gain), AlignStatus::Gain.number(), AlignStatus::WithinError.number());
        let status = N::select(gains, status, AlignStatus::NoneNearby.number());
        let align_status = N::select(known, status, AlignStatus::Unfit.number());
        Outputs { align_gain, align_needed_gemm_share, align_status }
    }
}

#[cfg(test)]
mod tests {
    use super::AlignmentGain;
    use crate::trial::{Case, check_derivatives, evaluate};

    fn of(gain: f64, share: f64, name: &str) -> f64 {
        evaluate::<AlignmentGain>(&[("align_gemm_gain", gain), ("align_gemm_share", share)], &[])[name]
    }

    #[test]
    fn half_a_step_saves_half_the_time() {
        assert_eq!(of(2.0, 0.5, "align_gain"), 1.0 / 0.75);
        assert_eq!(of(1.5, 1.0, "align_gain"), 1.5);
        assert_eq!(of(1.5, 0.0, "align_gain"), 1.0);
    }

    #[test]
    fn from_the_needed_share_on_the_gain_is_more_than_the_error() {
        let needed = of(1.4, 1.0, "align_needed_gemm_share");
        assert!((of(1.4, needed, "align_gain") / 1.07 - 1.0).abs() < 1e-15);
        assert_eq!((of(1.4, needed * 1.01, "align_status"), of(1.4, needed * 0.99, "align_status")), (0.0, 1.0));
    }

    #[test]
    fn nothing_to_gain_is_said() {
        assert_eq!((of(1.0, 0.7, "align_gain"), of(1.0, 0.7, "align_status")), (1.0, 2.0));
        assert_eq!(of(1.0, 0.7, "align_needed_gemm_share"), f64::INFINITY);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = [("align_gemm_gain", 1.3), ("align_gemm_share", 0.6)];
        check_derivatives::<AlignmentGain>(Case { values: &case, choices: &[] }, &[]);
    }
}
