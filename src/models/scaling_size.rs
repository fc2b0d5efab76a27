//! The size of the model and of its data that is cheapest over training and inference.
//!
//!     cheapest:  min 6 N D + 2 ω N T  at equal loss  =>  α A N^-α = β B D^-β (1 + ω T / (3 D))
//!     operations given:   N D = C / 6
//!     loss given:         A N^-α + B D^-β = L - E
//!
//! Without inference (T = 0) it is the compute optimum of Hoffmann et al. 2022, in closed form; with it that of Sardana and
//! Frankle 2023, arXiv 2401.00448, who give the loss: fewer parameters, more tokens. Where the operations of training are
//! given instead, so is what training costs, and the size is the one that no other size serves and trains more cheaply
//! at the loss it reaches; 6 N D stays what was given. To match the loss of the compute optimum at a budget, as Sardana and
//! Frankle's figures do, give that loss. Where both are given, the loss decides on the size, and the operations on the cost.
//!
//! Given the data, the size follows, and the data from the size: `scaling_tokens`. N is the parameters that take part in a
//! token. The laws are fitted to dense models, so the size they give is both llm_params and llm_active_params, and a given
//! llm_params stands for both. For a mixture of experts give llm_active_params; what it has in all is then not said here.
//! Source of the law, its fits and its limits: `scaling`; how the size is found: `scaling_law.rs`.

use crate::flop::TRAINING_FLOP;
use crate::number::Number;
use crate::scaling_law::law;
use crate::variable::{HUGE, NONE, choices};

choices!(
    /// Whether a model can have the loss asked for.
    SizeStatus { Ok "ok", LossBelowFloor "loss_below_floor", TooFewTokens "too_few_tokens" }
);

/// A run of fewer operations is none.
const FEWEST_FLOP: f64 = 1e-100;

/// Parameters in all: those of a dense model, unless it is stated how many are active. Then only the caller knows, and what
/// is computed rests on itself, which the plan refuses.
#[inline(always)]
fn in_all<N: Number>(stated_active: Option<N>, itself: N, dense: N) -> N {
    match stated_active {
        Some(_) => itself,
        None => dense,
    }
}

/// Size from the operations of training.
pub mod by_flop {
    use super::{FEWEST_FLOP, HUGE, TRAINING_FLOP, in_all, law};
    use crate::variable::model;

    model! {
        /// The cheapest size of a model trained with given operations.
        ScalingByFlop = "scaling_by_flop";
        inputs {}
        choices {}
        reads {
            train_flop inference_tokens scaling_inference_weight scaling_params_coefficient scaling_tokens_coefficient
            scaling_params_exponent scaling_tokens_exponent llm_params
        }
        outputs {
            /// Parameters that take part in each token.
            llm_active_params: "1" [0.0, HUGE];
            /// Parameters in all.
            llm_params: "1" [0.0, HUGE];
            /// Tokens trained on.
            train_tokens: "tokens" [0.0, HUGE];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let runs = N::of(FEWEST_FLOP).lt(x.train_flop);
            let product = N::select(runs, x.train_flop, N::one()) / TRAINING_FLOP;
            let params = match (given.llm_active_params, given.llm_params, given.train_tokens) {
                (Some(stated), _, _) | (None, Some(stated), _) => stated,
                (None, None, Some(tokens)) => product / tokens,
                (None, None, None) => {
                    law!(x).params_by_product(product.ln(), x.inference_tokens * x.scaling_inference_weight)
                }
            };
            // A stated size stands without a run too, but is that of a dense model only beside one.
            let without = given.llm_active_params.or(given.llm_params).unwrap_or(N::zero());
            let params = N::select(runs, params, without);
            let llm_active_params = given.llm_active_params(params);
            let llm_params = given.llm_params(in_all(given.llm_active_params, x.llm_params, params));
            let train_tokens = given.train_tokens(N::select(runs, product / params, N::zero()));
            Outputs { llm_active_params, llm_params, train_tokens }
        }
    }
}

/// Size from the loss.
pub mod by_loss {
    use super::{HUGE, NONE, SizeStatus, in_all, law};
    use crate::variable::model;

    model! {
        /// The cheapest size of a model that reaches a given loss.
        ScalingByLoss = "scaling_by_loss";
        inputs {
            /// Loss that the model is to reach, in nats a token.
            scaling_target_loss: number "nats" [0.0, 100.0], default NONE, typical [1.85, 2.5], Definition "property of the plan";
        }
        choices {}
        reads {
            inference_tokens scaling_inference_weight scaling_irreducible_loss scaling_params_coefficient
            scaling_tokens_coefficient scaling_params_exponent scaling_tokens_exponent llm_params
        }
        outputs {
            /// Parameters that take part in each token.
            llm_active_params: "1" [0.0, HUGE];
            /// Parameters in all.
            llm_params: "1" [0.0, HUGE];
            /// Tokens trained on.
            train_tokens: "tokens" [0.0, HUGE];
        }
        summaries {}
        statuses {
            /// Why no model has the loss asked for.
            scaling_status: SizeStatus;
        }
        equations(x, given) {
            let law = law!(x);
            let gap = x.scaling_target_loss - x.scaling_irreducible_loss;
            let above_floor = N::zero().lt(gap);
            // What parameters may leave, where the tokens are given.
            let left = match given.train_tokens {
                Some(tokens) => gap - x.scaling_tokens_coefficient * tokens.pow(-x.scaling_tokens_exponent),
                None => gap,
            };
            let enough = N::zero().lt(left);
            let safe = N::select(enough, left, N::one());
            let params = match (given.llm_active_params, given.llm_params, given.train_tokens) {
                (Some(stated), _, _) | (None, Some(stated), _) => stated,
                (None, None, Some(_)) => law.params(safe),
                (None, None, None) => law.params_by_gap(safe, x.inference_tokens * x.scaling_inference_weight),
            };
            let params = N::select(enough, params, N::of(f64::NAN));
            let llm_active_params = given.llm_active_params(params);
            let llm_params = given.llm_params(in_all(given.llm_active_params, x.llm_params, params));
            let tokens_left = gap - x.scaling_params_coefficient * params.pow(-x.scaling_params_exponent);
            let reaches = N::zero().lt(tokens_left);
            let tokens = law.tokens(N::select(reaches, tokens_left, N::one()));
            let train_tokens = given.train_tokens(N::select(reaches, tokens, N::of(f64::NAN)));
            let scaling_status = N::select(
                above_floor,
                N::select(enough, SizeStatus::Ok.number(), SizeStatus::TooFewTokens.number()),
                SizeStatus::LossBelowFloor.number(),
            );
            Outputs { llm_active_params, llm_params, train_tokens, scaling_status }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::by_flop::ScalingByFlop;
    use super::by_loss::ScalingByLoss;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    /// Sardana and Frankle's numbers.
    const LAW: [(&str, f64); 5] = [
        ("scaling_irreducible_loss", 1.69),
        ("scaling_params_coefficient", 406.4),
        ("scaling_tokens_coefficient", 410.7),
        ("scaling_params_exponent", 0.336),
        ("scaling_tokens_exponent", 0.283),
    ];
    fn loss(params: f64, tokens: f64) -> f64 {
        1.69 + 406.4 * core_math::pow(params, -0.336) + 410.7 * core_math::pow(tokens, -0.283)
    }
    fn by_loss(changes: &[(&str, f64)]) -> (f64, f64) {
        let answers = evaluate::<ScalingByLoss>(&with(&LAW, changes), &[]);
        (answers["llm_active_params"], answers["train_tokens"])
    }
    fn by_flop(changes: &[(&str, f64)]) -> (f64, f64) {
        let answers = evaluate::<ScalingByFlop>(&with(&LAW[1..], changes), &[]);
        (answers["llm_active_params"], answers["train_tokens"])
    }

    #[test]
    fn without_inference_it_is_the_compute_optimum() {
        // By hand: G = (0.336 · 406.4 / (0.283 · 410.7))^(1/0.619) = 1.17487^1.61551 = 1.29735;
        // N = G · 9.6e22^(0.283/0.619) = 1.29735 · 3.2166e10 = 4.173e10; D = 9.6e22 / N = 2.3005e12.
        let (params, tokens) = by_flop(&[("train_flop", 5.76e23)]);
        assert!((params / 4.173e10 - 1.0).abs() < 1e-3, "{params}");
        assert!((tokens / 2.3005e12 - 1.0).abs() < 1e-3, "{tokens}");
        // The same size has the same loss, from which it comes back.
        let back = by_loss(&[("scaling_target_loss", loss(params, tokens))]);
        assert!((back.0 / params - 1.0).abs() < 1e-12); // a loss to its last digit, whose reducible part is a tenth
        assert!((back.1 / tokens - 1.0).abs() < 1e-12);
    }

    #[test]
    fn no_other_size_is_cheaper_at_the_loss() {
        for weight in [0.3, 1.0, 40.0] {
            let plan = [("inference_tokens", 1e13), ("scaling_inference_weight", weight)];
            let (params, tokens) = by_loss(&with(&plan, &[("scaling_target_loss", 2.0)]));
            let cost = |params: f64| {
                let left = 0.31 - 406.4 * core_math::pow(params, -0.336);
                params * (6.0 * core_math::pow(410.7 / left, 1.0 / 0.283) + 2.0 * weight * 1e13)
            };
            let least = params * (6.0 * tokens + 2.0 * weight * 1e13);
            assert!((cost(params) / least - 1.0).abs() < 1e-12);
            assert!(cost(params * 1.01) > least && cost(params * 0.99) > least);
            // Its own operations lead to it too.
            let back = by_flop(&with(&plan, &[("train_flop", 6.0 * params * tokens)]));
            assert!((back.0 / params - 1.0).abs() < 1e-12, "{} {params}", back.0);
        }
    }

    #[test]
    fn more_inference_asks_for_fewer_parameters_and_more_tokens() {
        let mut last = by_loss(&[("scaling_target_loss", 2.0)]);
        for exponent in 8..18 {
            let served = core_math::pow(10.0, f64::from(exponent));
            let next = by_loss(&[("scaling_target_loss", 2.0), ("inference_tokens", served)]);
            assert!(next.0 < last.0 && next.1 > last.1, "{served:e}");
            last = next;
        }
    }

    #[test]
    fn a_stated_size_stays_and_the_rest_follows() {
        let known = [("train_flop", 6e24), ("inference_tokens", 1e13)];
        let stated = evaluate::<ScalingByFlop>(&with(&with(&LAW[1..], &known), &[("llm_params", 1e11)]), &[]);
        assert_eq!(stated["llm_active_params"], 1e11);
        assert!((stated["train_tokens"] / 1e13 - 1.0).abs() < 1e-15); // one division
        assert_eq!(by_flop(&with(&known, &[("train_tokens", 1e13)])).0, 1e11);
        let (params, tokens) = by_loss(&[("scaling_target_loss", loss(7e9, 2e12)), ("llm_active_params", 7e9)]);
        assert_eq!(params, 7e9);
        assert!((tokens / 2e12 - 1.0).abs() < 1e-12); // a loss to its last digit
        let (params, _) = by_loss(&[("scaling_target_loss", loss(7e9, 2e12)), ("train_tokens", 2e12)]);
        assert!((params / 7e9 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_says_so() {
        let below = evaluate::<ScalingByLoss>(&with(&LAW, &[("scaling_target_loss", 1.69)]), &[]);
        assert!(below["llm_active_params"].is_nan() && below["scaling_status"].to_bits() == 1.0_f64.to_bits());
        let few = with(&LAW, &[("scaling_target_loss", 2.0), ("train_tokens", 1e6)]);
        assert_eq!(evaluate::<ScalingByLoss>(&few, &[])["scaling_status"].to_bits(), 2.0_f64.to_bits());
        assert_eq!(by_flop(&[("train_flop", 0.0)]), (0.0, 0.0));
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let plan = [("inference_tokens", 3e13), ("scaling_inference_weight", 2.0)];
        let flop = with(&with(&LAW[1..], &plan), &[("train_flop", 5e23)]);
        check_derivatives::<ScalingByFlop>(Case { values: &flop, choices: &[] }, &[]);
        let loss = with(&with(&LAW, &plan), &[("scaling_target_loss", 2.0)]);
        check_derivatives::<ScalingByLoss>(Case { values: &loss, choices: &[] }, &[]);
    }
}
