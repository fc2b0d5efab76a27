//! What one published observation says of the worth of speed: the inputs of speed and speed_revenue, if they are not known.
//!
//!     θ     = ln (price ratio) / ln (speed ratio)               one service at two speeds and two prices
//!     η     = -ln (1 + effect) / delay                          one study of a delay
//!     I_max = I₂ + c₁ (I₂ - I₁) / (c₂ - c₁)                     two points of one configuration's cost line
//!
//! The last solves c ∝ 1 / (1 - I / I_max), see speed. One observation carries no error bar: price tiers are lists and few,
//! most studies of delays are observations of slow pages and not experiments.

/// The exponent of price in speed.
pub mod price {
    use crate::variable::{NONE, model};

    model! {
        /// The exponent of price in speed, from one service at two speeds.
        SpeedFromPrice = "speed_from_price";
        inputs {
            /// Speed of the faster service over the slower one.
            speed_observed_ratio: number "1" [1e-6, 1e6], default NONE, typical [1.5, 12.0], ListPrice "Anthropic fast mode 2.5, Cerebras against GPU hosts 11.7";
            /// Its price over the slower one's.
            speed_observed_price_ratio: number "1" [1e-6, 1e6], default NONE, typical [1.5, 18.0], ListPrice "Anthropic fast mode 6, Cerebras against GPU hosts 7.5 to 17.5";
        }
        choices {}
        reads {}
        outputs {
            /// Exponent of price in speed: x times the speed sells for x to that power; null if the observed speeds are equal.
            speed_price_exponent: "1" [-20.0, 20.0];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let speed_log = x.speed_observed_ratio.ln();
            let differs = N::select(speed_log.eq(N::zero()), N::of(NONE), speed_log);
            Outputs { speed_price_exponent: given.speed_price_exponent(x.speed_observed_price_ratio.ln() / differs) }
        }
    }
}

/// What a second costs.
pub mod delay {
    use crate::variable::{NONE, model};

    model! {
        /// What a second of delay costs, from one study.
        SpeedFromDelay = "speed_from_delay";
        inputs {
            /// Seconds that were added; negative for a service made faster.
            speed_study_delay_s: number "s" [-1e5, 1e5], default NONE, typical [-1.0, 4.0], Measured "studies of 2006 to 2022: 0.1 to 4 s";
            /// Change of revenue, conversion or use that was seen, as a share.
            speed_study_effect: number "1" [-0.999_999, 1e6], default NONE, typical [-0.2, 0.1], Measured "studies of 2006 to 2022: 0.2 to 20 %";
        }
        choices {}
        reads {}
        outputs {
            /// Share of revenue, in logs, that a second of response time costs: 0.01 is 0.1 % for 100 ms; null for no delay.
            speed_conversion_loss_per_s: "1/s" [-1000.0, 1000.0];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let delayed = N::select(x.speed_study_delay_s.eq(N::zero()), N::of(NONE), x.speed_study_delay_s);
            Outputs { speed_conversion_loss_per_s: given.speed_conversion_loss_per_s(-(x.speed_study_effect.ln_1p() / delayed)) }
        }
    }
}

/// The end of a cost line.
pub mod cost {
    use crate::variable::{NONE, model};

    model! {
        /// The end of a serving configuration's cost line, from two of its points.
        SpeedFromCost = "speed_from_cost";
        inputs {
            /// Tokens a second per user at the slower point.
            speed_slow_tokens_per_s_per_user: number "tokens/s" [1e-6, 1e9], default NONE, typical [20.0, 70.0], Measured "SemiAnalysis InferenceX";
            /// Cost there.
            speed_slow_usd_per_mtok: number "USD/Mtok" [0.0, 1e9], default NONE, typical [0.1, 4.0], Estimate "SemiAnalysis InferenceX: cost of owning, per million tokens";
            /// Tokens a second per user at the faster point.
            speed_fast_tokens_per_s_per_user: number "tokens/s" [1e-6, 1e9], default NONE, typical [70.0, 300.0], Measured "SemiAnalysis InferenceX";
            /// Cost there.
            speed_fast_usd_per_mtok: number "USD/Mtok" [0.0, 1e9], default NONE, typical [0.5, 20.0], Estimate "SemiAnalysis InferenceX: cost of owning, per million tokens";
        }
        choices {}
        reads {}
        outputs {
            /// Tokens a second per user that the chips approach with nobody else on them, 1 / (time of an empty step); null if the faster point is not the dearer one.
            speed_limit_tokens_per_s_per_user: "tokens/s" [1e-6, 1e12];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let faster = x.speed_fast_tokens_per_s_per_user - x.speed_slow_tokens_per_s_per_user;
            let dearer = x.speed_fast_usd_per_mtok - x.speed_slow_usd_per_mtok;
            let bends = N::zero().lt(faster) & N::zero().lt(dearer);
            let beyond = x.speed_slow_usd_per_mtok * faster / N::select(bends, dearer, N::of(NONE));
            let speed_limit_tokens_per_s_per_user =
                given.speed_limit_tokens_per_s_per_user(x.speed_fast_tokens_per_s_per_user + beyond);
            Outputs { speed_limit_tokens_per_s_per_user }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::cost::SpeedFromCost;
    use super::delay::SpeedFromDelay;
    use super::price::SpeedFromPrice;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const TIER: [(&str, f64); 2] = [("speed_observed_ratio", 4.0), ("speed_observed_price_ratio", 8.0)];
    const STUDY: [(&str, f64); 2] = [("speed_study_delay_s", 0.5), ("speed_study_effect", -0.1)];
    const POINTS: [(&str, f64); 4] = [
        ("speed_slow_tokens_per_s_per_user", 50.0),
        ("speed_slow_usd_per_mtok", 1.0),
        ("speed_fast_tokens_per_s_per_user", 100.0),
        ("speed_fast_usd_per_mtok", 2.0),
    ];

    #[test]
    fn three_observations_by_hand() {
        // 8 = 4^1.5. A tenth lost for half a second: -ln 0.9 / 0.5 = 0.210721. Twice the cost at twice 50: half of 150 is used.
        assert!((evaluate::<SpeedFromPrice>(&TIER, &[])["speed_price_exponent"] - 1.5).abs() < 1e-15);
        let loss = evaluate::<SpeedFromDelay>(&STUDY, &[])["speed_conversion_loss_per_s"];
        assert!((loss - 0.210_721_031).abs() < 1e-9);
        assert_eq!(evaluate::<SpeedFromCost>(&POINTS, &[])["speed_limit_tokens_per_s_per_user"], 150.0);
    }

    #[test]
    fn signs_and_nulls() {
        // The same tier told from the other side, and a gain from being faster.
        let back = [("speed_observed_ratio", 0.25), ("speed_observed_price_ratio", 0.125)];
        assert!((evaluate::<SpeedFromPrice>(&back, &[])["speed_price_exponent"] - 1.5).abs() < 1e-15);
        let gain = [("speed_study_delay_s", -0.5), ("speed_study_effect", 1.0 / 0.9 - 1.0)];
        assert!((evaluate::<SpeedFromDelay>(&gain, &[])["speed_conversion_loss_per_s"] - 0.210_721_031).abs() < 1e-9);
        let equal = with(&TIER, &[("speed_observed_ratio", 1.0)]);
        assert!(evaluate::<SpeedFromPrice>(&equal, &[])["speed_price_exponent"].is_nan());
        let none = with(&STUDY, &[("speed_study_delay_s", 0.0)]);
        assert!(evaluate::<SpeedFromDelay>(&none, &[])["speed_conversion_loss_per_s"].is_nan());
        for changes in [("speed_fast_usd_per_mtok", 1.0), ("speed_fast_tokens_per_s_per_user", 50.0)] {
            let flat = evaluate::<SpeedFromCost>(&with(&POINTS, &[changes]), &[]);
            assert!(flat["speed_limit_tokens_per_s_per_user"].is_nan());
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<SpeedFromPrice>(Case { values: &TIER, choices: &[] }, &[]);
        check_derivatives::<SpeedFromDelay>(Case { values: &STUDY, choices: &[] }, &[]);
        check_derivatives::<SpeedFromCost>(Case { values: &POINTS, choices: &[] }, &[]);
    }
}
