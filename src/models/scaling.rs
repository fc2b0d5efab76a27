//! The loss a model reaches, what it costs over training and inference, and what a better size would have saved.
//!
//!     loss        L(N, D) = E + A / N^α + B / D^β
//!     operations  F = 6 N D + 2 N T              (N parameters, D tokens of training, T tokens of inference)
//!     cost        w_train (6 N D + 2 ω N T),     ω = (s w_prefill + (1 - s) w_decode) / w_train
//!
//! Source of the law: Hoffmann et al. 2022, arXiv 2203.15556, approach 3. Three fits of it are known by name and their
//! digits are never mixed: `hoffmann`, the rounded numbers of its equation 10; `sardana`, the exponents of Sardana and
//! Frankle 2023, arXiv 2401.00448; `besiroglu`, the fit of Besiroglu et al. 2024, arXiv 2404.10102, to the same data. At
//! Chinchilla's 5.76e23 operations they ask for 93, 55 and 18 tokens a parameter; only the last agrees with Hoffmann's
//! other two approaches (about 20), so it is the default. A fit of one's own is given by its five numbers.
//!
//! The compute optimum of equal loss has α A N^-α = β B D^-β, so a share β / (α + β) of the reducible loss L - E is that of
//! the parameters. A smaller model needs more tokens for the same loss and pays once it serves enough:
//! T = 3 (N D - N_c D_c) / (ω (N_c - N)). Which size is best is in `scaling_size`.
//!
//! Hoffmann et al. fitted dense models of 70 million to 16 billion parameters on 5 to 500 billion tokens; Sardana et al., in
//! their version of 2024, find that such laws overrate further data at thousands of tokens a parameter. N is the number of
//! parameters that take part in a token; that a mixture of experts follows the same law is not said.
//! Left out: attention's own arithmetic (12 layers · width · context a token), repeated data, and the cost of a token
//! beyond its arithmetic, which memory bounds in decoding: enter it by ω.

use crate::flop::{INFERENCE_TOKENS_PER_TRAINING_TOKEN, lifetime_flop};
use crate::scaling_law::law;
use crate::variable::{HUGE, INFINITE, NONE, model};

/// Parameters nearer to the compute optimum than this share of the loss they leave are the optimum's own, but for rounding.
const AT_OPTIMUM: f64 = 1e-12;
/// Nearer to their optimum than this the tokens' loss follows from that of the parameters, which keeps the digits of the
/// difference between what is saved and what is added.
const NEAR_OPTIMUM: f64 = 0.1;

model! {
    /// The loss a model reaches and what it costs over training and inference, beside the compute optimum of equal loss.
    Scaling = "scaling";
    inputs {
        /// Tokens read and written over the model's life.
        inference_tokens: number "tokens" [0.0, HUGE], default 0.0, typical [1e11, 1e16], Definition "training alone";
        /// Cost of an operation of training.
        scaling_train_usd_per_flop: number "USD/FLOP" [0.0, 1.0], default NONE, typical [5e-19, 5e-18], Estimate "price of an hour over operations done in it";
    }
    choices {}
    reads {
        llm_active_params train_tokens scaling_inference_weight scaling_irreducible_loss scaling_params_coefficient
        scaling_tokens_coefficient scaling_params_exponent scaling_tokens_exponent
    }
    outputs {
        /// Loss of the model, in nats a token.
        scaling_loss: "nats" [0.0, INFINITE];
        /// Tokens of training for each parameter that takes part in a token.
        scaling_tokens_per_param: "1" [0.0, INFINITE];
        /// Operations of training and inference.
        scaling_lifetime_flop: "FLOP" [0.0, INFINITE];
        /// Operations saved against the compute-optimal model of equal loss, over training and inference.
        scaling_saving_flop: "FLOP" [-INFINITE, INFINITE];
        /// Share saved of what the compute-optimal model of equal loss costs over training and inference.
        scaling_saving_share: "1" [-INFINITE, 1.0];
        /// Tokens of inference from which the model costs less than the compute-optimal one of equal loss; infinite where it is no smaller.
        scaling_breakeven_inference_tokens: "tokens" [0.0, INFINITE];
        /// Cost of training and inference.
        scaling_lifetime_usd: "USD" [0.0, INFINITE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let (params, tokens) = (x.llm_active_params, x.train_tokens);
        let law = law!(x);
        let (alpha, beta) = (law.params_exponent, law.tokens_exponent);
        let params_loss = x.scaling_params_coefficient * params.pow(-alpha);
        let tokens_loss = x.scaling_tokens_coefficient * tokens.pow(-beta);
        let scaling_loss = given.scaling_loss(x.scaling_irreducible_loss + (params_loss + tokens_loss));
        let scaling_tokens_per_param = given.scaling_tokens_per_param(tokens / params);
        let scaling_lifetime_flop = given.scaling_lifetime_flop(lifetime_flop(params, tokens, x.inference_tokens));
        let weighted_tokens = x.inference_tokens * x.scaling_inference_weight;
        let scaling_lifetime_usd =
            given.scaling_lifetime_usd(x.scaling_train_usd_per_flop * lifetime_flop(params, tokens, weighted_tokens));

        // The compute optimum of equal loss.
        let reducible_loss = match given.scaling_loss {
            Some(stated) => stated - x.scaling_irreducible_loss,
            None => params_loss + tokens_loss,
        };
        let reachable = N::zero().lt(reducible_loss) & reducible_loss.lt(N::of(INFINITE));
        let reducible_loss = N::select(reachable, reducible_loss, N::of(f64::NAN));
        let optimal_params_loss = reducible_loss * beta / (alpha + beta);
        let optimal_tokens_loss = reducible_loss * alpha / (alpha + beta);
        let (optimal_params, optimal_tokens) = (law.params(optimal_params_loss), law.tokens(optimal_tokens_loss));
        let optimal_flop = lifetime_flop(optimal_params, optimal_tokens, x.inference_tokens);
        let scaling_saving_flop = given.scaling_saving_flop(optimal_flop - scaling_lifetime_flop);
        let cost_ratio = params / optimal_params * lifetime_flop(N::one(), tokens, weighted_tokens)
            / lifetime_flop(N::one(), optimal_tokens, weighted_tokens);
        let scaling_saving_share = given.scaling_saving_share(-cost_ratio + 1.0);

        // From how many tokens on a smaller model pays, in logs of what it saves in size and adds in data.
        let params_excess = params_loss / optimal_params_loss - 1.0;
        let smaller_log = params_excess.ln_1p() / alpha;
        let apart_log = (tokens_loss / optimal_tokens_loss).ln();
        let tokens_excess = -(params_excess * beta / alpha);
        let near = tokens_excess.abs().lt(N::of(NEAR_OPTIMUM));
        let tokens_log = match given.scaling_loss {
            Some(_) => apart_log,
            None => N::select(near, tokens_excess.ln_1p(), apart_log),
        };
        let longer_log = -(tokens_log / beta);
        let smaller = N::zero().lt(smaller_log);
        let saved_a_token = -(-smaller_log).exp_m1() * x.scaling_inference_weight;
        let extra_training = (longer_log - smaller_log).exp_m1() * optimal_tokens * INFERENCE_TOKENS_PER_TRAINING_TOKEN;
        let breakeven_tokens = (extra_training / N::select(smaller, saved_a_token, N::one())).positive_part();
        let optimal = params_excess.abs().le(N::of(AT_OPTIMUM));
        let larger = N::select(optimal, N::zero(), N::of(INFINITE));
        let known = N::select(smaller, breakeven_tokens, larger);
        let scaling_breakeven_inference_tokens =
            given.scaling_breakeven_inference_tokens(N::select(reachable, known, N::of(f64::NAN)));
        Outputs {
            scaling_loss, scaling_tokens_per_param, scaling_lifetime_flop, scaling_saving_flop, scaling_saving_share,
            scaling_breakeven_inference_tokens, scaling_lifetime_usd,
        }
    }
}

/// The numbers of a fit.
pub mod coefficients {
    use crate::variable::{choices, model};

    choices!(
        /// Whose fit of the scaling law.
        ScalingLaw { Hoffmann "hoffmann", Sardana "sardana", Besiroglu "besiroglu" }
    );

    struct Fit {
        irreducible_loss: f64,
        params_coefficient: f64,
        tokens_coefficient: f64,
        params_exponent: f64,
        tokens_exponent: f64,
    }
    /// Hoffmann et al. 2022, equation 10.
    const HOFFMANN: Fit = Fit {
        irreducible_loss: 1.69,
        params_coefficient: 406.4,
        tokens_coefficient: 410.7,
        params_exponent: 0.34,
        tokens_exponent: 0.28,
    };
    /// Sardana and Frankle 2023, arXiv 2401.00448: the same with one more digit of the exponents.
    const SARDANA: Fit = Fit { params_exponent: 0.336, tokens_exponent: 0.283, ..HOFFMANN };
    /// Besiroglu et al. 2024, in the digits of the notebook published with it.
    const BESIROGLU: Fit = Fit {
        irreducible_loss: 1.8172,
        params_coefficient: 482.01,
        tokens_coefficient: 2085.43,
        params_exponent: 0.3478,
        tokens_exponent: 0.3658,
    };

    model! {
        /// The five numbers of a fit of the scaling law.
        ScalingCoefficients = "scaling_coefficients";
        inputs {}
        choices {
            /// Whose fit of the scaling law; give all five numbers for one of your own.
            scaling_law: ScalingLaw = ScalingLaw::Besiroglu, "the fit that agrees with about 20 tokens a parameter at the compute optimum";
        }
        reads {}
        outputs {
            /// E, the loss that no size and no data remove, in nats a token.
            scaling_irreducible_loss: "nats" [0.0, 10.0];
            /// A, of the loss that parameters remove.
            scaling_params_coefficient: "nats" [1.0, 1e6];
            /// B, of the loss that data removes.
            scaling_tokens_coefficient: "nats" [1.0, 1e6];
            /// Exponent of the parameters.
            scaling_params_exponent: "1" [0.1, 1.0];
            /// Exponent of the tokens.
            scaling_tokens_exponent: "1" [0.1, 1.0];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let fit = match x.scaling_law {
                ScalingLaw::Hoffmann => HOFFMANN,
                ScalingLaw::Sardana => SARDANA,
                ScalingLaw::Besiroglu => BESIROGLU,
            };
            let scaling_irreducible_loss = given.scaling_irreducible_loss(N::of(fit.irreducible_loss));
            let scaling_params_coefficient = given.scaling_params_coefficient(N::of(fit.params_coefficient));
            let scaling_tokens_coefficient = given.scaling_tokens_coefficient(N::of(fit.tokens_coefficient));
            let scaling_params_exponent = given.scaling_params_exponent(N::of(fit.params_exponent));
            let scaling_tokens_exponent = given.scaling_tokens_exponent(N::of(fit.tokens_exponent));
            Outputs {
                scaling_irreducible_loss, scaling_params_coefficient, scaling_tokens_coefficient, scaling_params_exponent,
                scaling_tokens_exponent,
            }
        }
    }
}

/// What an operation of inference costs against one of training.
pub mod prices {
    use super::NONE;
    use crate::variable::model;

    model! {
        /// What an operation of inference costs against one of training.
        ScalingPrices = "scaling_prices";
        inputs {
            /// Cost of an operation that reads a prompt.
            scaling_prefill_usd_per_flop: number "USD/FLOP" [0.0, 1.0], default NONE, typical [5e-19, 1e-17], Estimate "price of an hour over operations done in it";
            /// Cost of an operation that writes a token: more than in training, as memory bounds it.
            scaling_decode_usd_per_flop: number "USD/FLOP" [0.0, 1.0], default NONE, typical [1e-18, 1e-16], Estimate "price of an hour over operations done in it";
            /// Share of inference tokens that are read, not written.
            inference_prefill_share: number "1" [0.0, 1.0], default 0.78, typical [0.5, 0.95], Measured "DeepSeek, February 2025: 608 of 776 bn tokens a day";
        }
        choices {}
        reads { scaling_train_usd_per_flop }
        outputs {
            /// Cost of an operation of inference over that of one of training.
            scaling_inference_weight: "1" [0.0, 1e6], default 1.0, "operations cost the same";
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let read = x.inference_prefill_share * x.scaling_prefill_usd_per_flop;
            let written = (-x.inference_prefill_share + 1.0) * x.scaling_decode_usd_per_flop;
            let paid = N::zero().lt(x.scaling_train_usd_per_flop);
            let weight = (read + written) / N::select(paid, x.scaling_train_usd_per_flop, N::of(f64::NAN));
            let scaling_inference_weight = given.scaling_inference_weight(weight);
            Outputs { scaling_inference_weight }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scaling;
    use super::coefficients::ScalingCoefficients;
    use super::prices::ScalingPrices;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    /// 7 B parameters at the loss of the compute-optimal 13 B, by Sardana and Frankle's numbers.
    const SMALL: [(&str, f64); 8] = [
        ("llm_active_params", 7e9),
        ("train_tokens", 1.1e12),
        ("inference_tokens", 2e12),
        ("scaling_irreducible_loss", 1.69),
        ("scaling_params_coefficient", 406.4),
        ("scaling_tokens_coefficient", 410.7),
        ("scaling_params_exponent", 0.336),
        ("scaling_tokens_exponent", 0.283),
    ];

    #[test]
    fn a_model_by_hand() {
        // 406.4 / 7e9^0.336 = 406.4 / 2033.9 = 0.19981; 410.7 / 1.1e12^0.283 = 410.7 / 2556.2 = 0.16067.
        // 6 · 7e9 · 1.1e12 + 2 · 7e9 · 2e12 = 4.62e22 + 2.8e22 = 7.42e22 operations.
        let answers = evaluate::<Scaling>(&with(&SMALL, &[("scaling_train_usd_per_flop", 1e-18)]), &[]);
        let near = |name: &str, wanted: f64, digits: f64| {
            assert!((answers[name] / wanted - 1.0).abs() < digits, "{name}: {}", answers[name]);
        };
        near("scaling_loss", 1.69 + 0.19981 + 0.16067, 1e-4); // five digits by hand
        near("scaling_lifetime_flop", 7.42e22, 1e-15);
        near("scaling_lifetime_usd", 74_200.0, 1e-15);
        near("scaling_tokens_per_param", 1.1e12 / 7e9, 1e-15);
        // At the tokens from which it pays nothing is saved.
        let from = answers["scaling_breakeven_inference_tokens"];
        let there = evaluate::<Scaling>(&with(&SMALL, &[("inference_tokens", from)]), &[]);
        assert!(there["scaling_saving_share"].abs() < 1e-13, "{}", there["scaling_saving_share"]);
        assert!(there["scaling_saving_flop"].abs() < 1e-13 * there["scaling_lifetime_flop"]);
    }

    #[test]
    fn the_compute_optimum_saves_nothing_and_a_larger_model_never_does() {
        // α A N^-α = β B D^-β at N = 13e9.
        let params_loss = 406.4 * core_math::pow(13e9, -0.336);
        let tokens = core_math::pow(0.283 * 410.7 / (0.336 * params_loss), 1.0 / 0.283);
        let optimum = with(&SMALL, &[("llm_active_params", 13e9), ("train_tokens", tokens)]);
        let answers = evaluate::<Scaling>(&optimum, &[]);
        assert!(answers["scaling_saving_share"].abs() < 1e-14);
        assert!(answers["scaling_breakeven_inference_tokens"] < 1e-10 * tokens);
        let larger = evaluate::<Scaling>(&with(&optimum, &[("llm_active_params", 20e9)]), &[]);
        assert!(larger["scaling_saving_share"] < 0.0);
        assert!(larger["scaling_breakeven_inference_tokens"].is_infinite());
        // A hair smaller than the optimum pays from almost no inference on.
        let hair = evaluate::<Scaling>(&with(&optimum, &[("llm_active_params", 13e9 * (1.0 - 1e-9))]), &[]);
        assert!(hair["scaling_breakeven_inference_tokens"] < 1e-8 * tokens);
        let none = evaluate::<Scaling>(&with(&SMALL, &[("llm_active_params", 0.0)]), &[]);
        assert!(none["scaling_loss"].is_infinite() && none["scaling_saving_share"].is_nan());
    }

    #[test]
    fn a_fit_comes_whole() {
        for (law, exponent) in [("hoffmann", 0.28), ("sardana", 0.283), ("besiroglu", 0.3658)] {
            let fit = evaluate::<ScalingCoefficients>(&[], &[("scaling_law", law)]);
            assert_eq!(fit["scaling_tokens_exponent"].to_bits(), f64::to_bits(exponent));
        }
        let given = evaluate::<ScalingCoefficients>(&[("scaling_irreducible_loss", 1.5)], &[]);
        assert_eq!(given["scaling_irreducible_loss"].to_bits(), 1.5_f64.to_bits());
    }

    #[test]
    fn equal_prices_weigh_one() {
        let prices = [
            ("scaling_train_usd_per_flop", 2e-18),
            ("scaling_prefill_usd_per_flop", 2e-18),
            ("scaling_decode_usd_per_flop", 2e-18),
            ("inference_prefill_share", 0.75),
        ];
        assert_eq!(evaluate::<ScalingPrices>(&prices, &[])["scaling_inference_weight"], 1.0);
        // 0.75 · 1 + 0.25 · 9 = 3.
        let bound = with(&prices, &[("scaling_decode_usd_per_flop", 18e-18)]);
        assert!((evaluate::<ScalingPrices>(&bound, &[])["scaling_inference_weight"] / 3.0 - 1.0).abs() < 1e-15);
        check_derivatives::<ScalingPrices>(Case { values: &bound, choices: &[] }, &[]);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let priced = with(&SMALL, &[("scaling_train_usd_per_flop", 1e-18), ("scaling_inference_weight", 2.0)]);
        check_derivatives::<Scaling>(Case { values: &priced, choices: &[] }, &[]);
        let near = with(&priced, &[("llm_active_params", 12.5e9), ("train_tokens", 9.3e11)]);
        check_derivatives::<Scaling>(Case { values: &near, choices: &[] }, &[]);
        let stated = with(&priced, &[("scaling_loss", 2.06)]);
        check_derivatives::<Scaling>(Case { values: &stated, choices: &[] }, &["scaling_loss"]);
    }
}
