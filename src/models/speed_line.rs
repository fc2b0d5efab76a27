//! What a faster answer costs on the same chips, on the straight line of one serving configuration.
//!
//!     cost ratio = (1 - I / I_max) / (1 - x I / I_max)
//!
//! With a step of α + β · batch seconds, tokens a second per user are I = 1 / (α + β · batch), those per chip
//! X_max (1 - I / I_max) with I_max = 1 / α, and a token costs in proportion to 1 / X. On 461 configurations of SemiAnalysis
//! InferenceX the line misses by 4 % (median; 9 % on average for points left out), within one configuration: an envelope of
//! several is flatter, a mixture of experts bends it down. Where model, chip and layouts are known and I_max is not,
//! `speed_serving` has the curve in its place.

use crate::serving::SpeedStatus;
use crate::variable::{INFINITE, NONE, model};

model! {
    /// What a faster answer costs on the line of one serving configuration.
    SpeedLine = "speed_line";
    inputs {}
    choices {}
    reads { speed_ratio serve_tokens_per_s_per_user speed_limit_tokens_per_s_per_user speed_breakeven_premium }
    outputs {
        /// Cost of a token at the speed over that at the base; infinite if the chips don't reach it.
        speed_cost_ratio: "1" [0.0, INFINITE];
        /// The limit of tokens a second per user at which the worth is 1; infinite if none is enough.
        speed_breakeven_limit_tokens_per_s_per_user: "tokens/s" [0.0, INFINITE];
    }
    summaries {}
    statuses {
        /// Whether the chips reach the speed.
        speed_status: SpeedStatus;
    }
    equations(x, given) {
        // Without a base on the line there is no answer.
        let (base, limit) = (x.serve_tokens_per_s_per_user, x.speed_limit_tokens_per_s_per_user);
        let fast = x.speed_ratio * base;
        let has_base = base.lt(limit);
        let reached = fast.lt(limit);
        let on_line = (limit - base) / N::select(reached, limit - fast, N::one());
        let beyond = N::select(has_base, N::of(INFINITE), N::of(NONE));
        let speed_cost_ratio = given.speed_cost_ratio(N::select(reached, on_line, beyond));

        // Where the worth turns: x^θ (1 - x I / M) = 1 - I / M  gives  M = I (1 + (x - 1) / (1 - x^-θ)).
        let premium_share = -(-x.speed_breakeven_premium.ln()).exp_m1();
        let sells = N::zero().lt(premium_share) & N::one().lt(x.speed_ratio);
        let enough = base * ((x.speed_ratio - 1.0) / N::select(sells, premium_share, N::one()) + 1.0);
        let speed_breakeven_limit_tokens_per_s_per_user =
            given.speed_breakeven_limit_tokens_per_s_per_user(N::select(sells, enough, N::of(INFINITE)));

        let off_line = N::select(has_base, SpeedStatus::BeyondLimit.number(), SpeedStatus::BaseBeyondLimit.number());
        let speed_status = N::select(reached, SpeedStatus::Ok.number(), off_line);
        Outputs { speed_cost_ratio, speed_breakeven_limit_tokens_per_s_per_user, speed_status }
    }
}

#[cfg(test)]
mod tests {
    use super::SpeedLine;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    /// 2.5^1.3 = 3.290955.
    const FAST: [(&str, f64); 4] = [
        ("speed_ratio", 2.5),
        ("serve_tokens_per_s_per_user", 50.0),
        ("speed_limit_tokens_per_s_per_user", 200.0),
        ("speed_breakeven_premium", 3.290_955_5),
    ];

    #[test]
    fn a_faster_tier_by_hand() {
        // (1 - 50/200) / (1 - 125/200) = 0.75 / 0.375 = 2. M: 50 (1 + 1.5 / (1 - 1/3.290956)) = 157.737432.
        let answers = evaluate::<SpeedLine>(&FAST, &[]);
        assert_eq!((answers["speed_cost_ratio"], answers["speed_status"]), (2.0, 0.0));
        assert!((answers["speed_breakeven_limit_tokens_per_s_per_user"] / 157.737_432 - 1.0).abs() < 1e-7);
    }

    #[test]
    fn at_the_limit_that_breaks_even_the_cost_is_the_premium() {
        let enough = evaluate::<SpeedLine>(&FAST, &[])["speed_breakeven_limit_tokens_per_s_per_user"];
        let there = evaluate::<SpeedLine>(&with(&FAST, &[("speed_limit_tokens_per_s_per_user", enough)]), &[]);
        assert!((there["speed_cost_ratio"] / 3.290_955_5 - 1.0).abs() < 1e-14); // a few roundings
    }

    #[test]
    fn limits_and_monotonicity() {
        let cost = |changes: &[(&str, f64)]| evaluate::<SpeedLine>(&with(&FAST, changes), &[])["speed_cost_ratio"];
        assert!(cost(&[("speed_limit_tokens_per_s_per_user", 220.0)]) < cost(&[]));
        assert!(cost(&[("serve_tokens_per_s_per_user", 55.0)]) > cost(&[]));
        // Without a limit worth speaking of, speed is free.
        assert!((cost(&[("speed_limit_tokens_per_s_per_user", 1e12)]) - 1.0).abs() < 1e-9); // (x - 1) I / M = 7.5e-11
        let same = evaluate::<SpeedLine>(&with(&FAST, &[("speed_ratio", 1.0)]), &[]);
        assert_eq!(same["speed_cost_ratio"], 1.0);
        assert!(same["speed_breakeven_limit_tokens_per_s_per_user"].is_infinite());
        // A price that does not rise with speed pays for no limit.
        let flat = evaluate::<SpeedLine>(&with(&FAST, &[("speed_breakeven_premium", 1.0)]), &[]);
        assert!(flat["speed_breakeven_limit_tokens_per_s_per_user"].is_infinite());
    }

    #[test]
    fn what_the_chips_do_not_reach_is_told_from_a_base_beyond_it() {
        let beyond = evaluate::<SpeedLine>(&with(&FAST, &[("speed_limit_tokens_per_s_per_user", 125.0)]), &[]);
        assert!(beyond["speed_cost_ratio"].is_infinite());
        assert_eq!(beyond["speed_status"], 1.0);
        let no_base = evaluate::<SpeedLine>(&with(&FAST, &[("speed_limit_tokens_per_s_per_user", 50.0)]), &[]);
        assert!(no_base["speed_cost_ratio"].is_nan());
        assert_eq!(no_base["speed_status"], 2.0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<SpeedLine>(Case { values: &FAST, choices: &[] }, &[]);
    }
}
