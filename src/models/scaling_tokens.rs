//! The data on which a model of known size is trained.
//!
//!     operations given:  D = C / (6 N)
//!     loss given:        D = (B / (L - E - A / N^α))^(1/β)
//!
//! The second is Hoffmann et al. 2022, arXiv 2203.15556, solved for D, with the fits and limits of `scaling`. A model too
//! small for the loss reaches it with no amount of data.

use crate::flop::TRAINING_FLOP;
use crate::scaling_law::law;
use crate::variable::{HUGE, choices};

choices!(
    /// Whether any amount of data brings the model to the loss asked for.
    TokensStatus { Ok "ok", TooFewParams "too_few_params" }
);

/// Data of a model of known size, from the operations of training.
pub mod by_flop {
    use super::{HUGE, TRAINING_FLOP};
    use crate::variable::model;

    model! {
        /// The data on which a model of known size is trained with given operations.
        TokensByFlop = "tokens_by_flop";
        inputs {}
        choices {}
        reads { train_flop llm_active_params }
        outputs {
            /// Tokens trained on.
            train_tokens: "tokens" [0.0, HUGE];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let runs = N::zero().lt(x.train_flop);
            let tokens = x.train_flop / (x.llm_active_params * TRAINING_FLOP);
            let train_tokens = given.train_tokens(N::select(runs, tokens, N::zero()));
            Outputs { train_tokens }
        }
    }
}

/// Data of a model of known size, from the loss.
pub mod by_loss {
    use super::{HUGE, TokensStatus, law};
    use crate::variable::model;

    model! {
        /// The data with which a model of known size reaches a given loss.
        TokensByLoss = "tokens_by_loss";
        inputs {}
        choices {}
        reads {
            scaling_target_loss llm_active_params scaling_irreducible_loss scaling_params_coefficient
            scaling_tokens_coefficient scaling_params_exponent scaling_tokens_exponent
        }
        outputs {
            /// Tokens trained on.
            train_tokens: "tokens" [0.0, HUGE];
        }
        summaries {}
        statuses {
            /// Why no amount of data brings the model to the loss asked for.
            train_tokens_status: TokensStatus;
        }
        equations(x, given) {
            let gap = x.scaling_target_loss - x.scaling_irreducible_loss;
            let left = gap - x.scaling_params_coefficient * x.llm_active_params.pow(-x.scaling_params_exponent);
            let enough = N::zero().lt(left);
            let tokens = law!(x).tokens(N::select(enough, left, N::one()));
            let train_tokens = given.train_tokens(N::select(enough, tokens, N::of(f64::NAN)));
            let train_tokens_status =
                N::select(enough, TokensStatus::Ok.number(), TokensStatus::TooFewParams.number());
            Outputs { train_tokens, train_tokens_status }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::by_flop::TokensByFlop;
    use super::by_loss::TokensByLoss;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    /// Sardana and Frankle's numbers, 7 billion parameters.
    const SMALL: [(&str, f64); 6] = [
        ("llm_active_params", 7e9),
        ("scaling_irreducible_loss", 1.69),
        ("scaling_params_coefficient", 406.4),
        ("scaling_tokens_coefficient", 410.7),
        ("scaling_params_exponent", 0.336),
        ("scaling_tokens_exponent", 0.283),
    ];

    #[test]
    fn data_by_hand() {
        // 6e24 / (6 · 1e11) = 1e13.
        let run = [("train_flop", 6e24), ("llm_active_params", 1e11)];
        assert_eq!(evaluate::<TokensByFlop>(&run, &[])["train_tokens"], 1e13);
        check_derivatives::<TokensByFlop>(Case { values: &run, choices: &[] }, &[]);
        // The loss of 2e12 tokens leads back to them.
        let loss = 1.69 + 406.4 * core_math::pow(7e9, -0.336) + 410.7 * core_math::pow(2e12, -0.283);
        let tokens = evaluate::<TokensByLoss>(&with(&SMALL, &[("scaling_target_loss", loss)]), &[])["train_tokens"];
        assert!((tokens / 2e12 - 1.0).abs() < 1e-12); // a loss to its last digit, of which this is a fifteenth
    }

    #[test]
    fn a_lower_loss_takes_more_data_and_too_low_a_loss_any() {
        let data = |loss: f64| evaluate::<TokensByLoss>(&with(&SMALL, &[("scaling_target_loss", loss)]), &[]);
        assert!(data(2.0)["train_tokens"] > data(2.1)["train_tokens"]);
        // 1.69 + 406.4 / 7e9^0.336 = 1.8898.
        let small = data(1.889);
        assert!(small["train_tokens"].is_nan() && small["train_tokens_status"].to_bits() == 1.0_f64.to_bits());
        assert!(data(1.891)["train_tokens"].is_finite());
        assert_eq!(
            evaluate::<TokensByFlop>(&[("train_flop", 0.0), ("llm_active_params", 0.0)], &[])["train_tokens"].to_bits(),
            0
        );
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let known = with(&SMALL, &[("scaling_target_loss", 2.0)]);
        check_derivatives::<TokensByLoss>(Case { values: &known, choices: &[] }, &[]);
    }
}
