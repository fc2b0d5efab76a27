//! What a faster answer is worth against what it costs.
//!
//!     premium    = x^θ                                    what x times the speed sells for, over the price without
//!     cost ratio = (1 - I / I_max) / (1 - x I / I_max)    what it costs on the same chips
//!     worth      = premium / cost ratio                   above 1 the margin on the faster tokens is the better one
//!
//! The premium is also the break-even: the most that x times the speed may cost. The cost is the line of one serving
//! configuration: with a step of α + β · batch seconds, tokens a second per user are I = 1 / (α + β · batch), those per chip
//! X_max (1 - I / I_max) with I_max = 1 / α, and a token costs in proportion to 1 / X. On 461 configurations of SemiAnalysis
//! InferenceX the line misses by 4 % (median; 9 % on average for points left out), within one configuration: an envelope of
//! several is flatter, a mixture of experts bends it down. The cost ratio of two serving runs may be given as
//! speed_cost_ratio instead. Exponents on sale: Anthropic's fast mode 1.96, Cerebras against GPU hosts 0.82 (output) and 1.17
//! (input). OpenAI's contract with Cerebras (January 2026, > 10 bn USD for 750 MW) shows that somebody pays, not how much
//! more for how much speed.
//!
//! The worth compares margins in per cent: at a price of m times the cost, the extra money is positive where
//! m (premium - 1) > cost ratio - 1, which is less to ask. Left out: volume (speed_share), and what the time itself is worth
//! (speed_labor, speed_revenue). These channels overlap, since a price is what buyers make of their time: never add them.

use crate::variable::{INFINITE, NONE, choices, model};

choices!(
    /// Whether the chips reach the speed.
    SpeedStatus { Ok "ok", BeyondLimit "beyond_limit", BaseBeyondLimit "base_beyond_limit" }
);

model! {
    /// What a faster answer is worth against what it costs.
    Speed = "speed";
    inputs {
        /// How many times as fast as the base.
        speed_ratio: number "1" [1.0, 1e6], default NONE, typical [1.5, 6.0], ListPrice "Anthropic fast mode 2.5, Cerebras against GPU hosts 11.7";
        /// Tokens a second that one user gets, at the base.
        serve_tokens_per_s_per_user: number "tokens/s" [1e-6, 1e9], default NONE, typical [25.0, 70.0], Judgement "what GPU services stream";
    }
    choices {}
    reads { speed_price_exponent speed_limit_tokens_per_s_per_user }
    outputs {
        /// What the speed sells for over the price without, and the cost ratio at which it breaks even.
        speed_breakeven_premium: "1" [0.0, INFINITE];
        /// Cost of a token at the speed over that at the base; infinite if the chips don't reach it.
        speed_cost_ratio: "1" [0.0, INFINITE];
        /// The premium over the cost ratio: above 1 speed pays.
        speed_worth_ratio: "1" [0.0, INFINITE];
        /// The exponent of price in speed at which the worth is 1; null for a ratio of 1, where every exponent gives it.
        speed_breakeven_exponent: "1" [-INFINITE, INFINITE];
        /// The limit of tokens a second per user at which the worth is 1; infinite if none is enough.
        speed_breakeven_limit_tokens_per_s_per_user: "tokens/s" [0.0, INFINITE];
    }
    summaries {}
    statuses {
        /// Whether the chips reach the speed.
        speed_status: SpeedStatus;
    }
    equations(x, given) {
        let ratio_log = x.speed_ratio.ln();
        let premium_log = x.speed_price_exponent * ratio_log;
        let speed_breakeven_premium = given.speed_breakeven_premium(premium_log.exp());

        // The cost line. Without a base on it there is no answer.
        let (base, limit) = (x.serve_tokens_per_s_per_user, x.speed_limit_tokens_per_s_per_user);
        let fast = x.speed_ratio * base;
        let has_base = base.lt(limit);
        let reached = fast.lt(limit);
        let on_line = (limit - base) / N::select(reached, limit - fast, N::one());
        let beyond = N::select(has_base, N::of(INFINITE), N::of(NONE));
        let speed_cost_ratio = given.speed_cost_ratio(N::select(reached, on_line, beyond));
        let costs = speed_cost_ratio.lt(N::of(INFINITE));
        let cost = N::select(costs, speed_cost_ratio, N::one());
        let unreached = N::select(speed_cost_ratio.eq(N::of(INFINITE)), N::zero(), N::of(NONE));
        let speed_worth_ratio = given.speed_worth_ratio(N::select(costs, speed_breakeven_premium / cost, unreached));

        // Where the worth turns.
        let faster = N::one().lt(x.speed_ratio);
        let exponent = speed_cost_ratio.ln() / N::select(faster, ratio_log, N::of(NONE));
        let speed_breakeven_exponent = given.speed_breakeven_exponent(exponent);
        // x^θ (1 - x I / M) = 1 - I / M  gives  M = I (1 + (x - 1) / (1 - x^-θ)).
        let premium_share = -(-speed_breakeven_premium.ln()).exp_m1();
        let sells = N::zero().lt(premium_share) & faster;
        let enough = base * ((x.speed_ratio - 1.0) / N::select(sells, premium_share, N::one()) + 1.0);
        let speed_breakeven_limit_tokens_per_s_per_user =
            given.speed_breakeven_limit_tokens_per_s_per_user(N::select(sells, enough, N::of(INFINITE)));

        let off_line = N::select(has_base, SpeedStatus::BeyondLimit.number(), SpeedStatus::BaseBeyondLimit.number());
        let speed_status = N::select(reached, SpeedStatus::Ok.number(), off_line);
        Outputs {
            speed_breakeven_premium, speed_cost_ratio, speed_worth_ratio, speed_breakeven_exponent,
            speed_breakeven_limit_tokens_per_s_per_user, speed_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Speed;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const FAST: [(&str, f64); 4] = [
        ("speed_ratio", 2.5),
        ("speed_price_exponent", 1.3),
        ("serve_tokens_per_s_per_user", 50.0),
        ("speed_limit_tokens_per_s_per_user", 200.0),
    ];

    #[test]
    fn a_faster_tier_by_hand() {
        // (1 - 50/200) / (1 - 125/200) = 0.75 / 0.375 = 2; 2.5^1.3 = e^(1.3 · 0.916291) = 3.290956; worth 1.645478.
        // θ at which it pays: ln 2 / ln 2.5 = 0.756471. M: 50 (1 + 1.5 / (1 - 1/3.290956)) = 157.737432.
        let answers = evaluate::<Speed>(&FAST, &[]);
        let near =
            |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-6, "{name}: {}", answers[name]);
        near("speed_breakeven_premium", 3.290_955_5);
        near("speed_cost_ratio", 2.0);
        near("speed_worth_ratio", 1.645_477_8);
        near("speed_breakeven_exponent", 0.756_471);
        near("speed_breakeven_limit_tokens_per_s_per_user", 157.737_432);
        assert_eq!(answers["speed_status"], 0.0);
    }

    #[test]
    fn where_the_worth_turns_it_is_one() {
        let answers = evaluate::<Speed>(&FAST, &[]);
        for (threshold, input) in [
            ("speed_breakeven_exponent", "speed_price_exponent"),
            ("speed_breakeven_limit_tokens_per_s_per_user", "speed_limit_tokens_per_s_per_user"),
            ("speed_breakeven_premium", "speed_cost_ratio"),
        ] {
            let there = evaluate::<Speed>(&with(&FAST, &[(input, answers[threshold])]), &[]);
            assert!((there["speed_worth_ratio"] - 1.0).abs() < 1e-14, "{threshold}"); // a few roundings
        }
    }

    #[test]
    fn limits_and_monotonicity() {
        let worth = |changes: &[(&str, f64)]| evaluate::<Speed>(&with(&FAST, changes), &[])["speed_worth_ratio"];
        assert!(worth(&[("speed_price_exponent", 1.4)]) > worth(&[]));
        assert!(worth(&[("speed_limit_tokens_per_s_per_user", 220.0)]) > worth(&[]));
        assert!(worth(&[("serve_tokens_per_s_per_user", 55.0)]) < worth(&[]));
        // Without a limit worth speaking of, speed is free.
        let free = evaluate::<Speed>(&with(&FAST, &[("speed_limit_tokens_per_s_per_user", 1e12)]), &[]);
        assert!((free["speed_cost_ratio"] - 1.0).abs() < 1e-9); // (x - 1) I / M = 7.5e-11
        let same = evaluate::<Speed>(&with(&FAST, &[("speed_ratio", 1.0)]), &[]);
        assert_eq!((same["speed_cost_ratio"], same["speed_worth_ratio"]), (1.0, 1.0));
        assert!(same["speed_breakeven_exponent"].is_nan());
        assert!(same["speed_breakeven_limit_tokens_per_s_per_user"].is_infinite());
    }

    #[test]
    fn what_the_chips_do_not_reach_is_worth_nothing() {
        let beyond = evaluate::<Speed>(&with(&FAST, &[("speed_limit_tokens_per_s_per_user", 125.0)]), &[]);
        assert!(beyond["speed_cost_ratio"].is_infinite() && beyond["speed_breakeven_exponent"].is_infinite());
        assert_eq!((beyond["speed_worth_ratio"].to_bits(), beyond["speed_status"]), (0, 1.0));
        let no_base = evaluate::<Speed>(&with(&FAST, &[("speed_limit_tokens_per_s_per_user", 50.0)]), &[]);
        assert!(no_base["speed_cost_ratio"].is_nan() && no_base["speed_worth_ratio"].is_nan());
        assert_eq!(no_base["speed_status"], 2.0);
        // A price that does not rise with speed pays for no limit.
        let flat = evaluate::<Speed>(&with(&FAST, &[("speed_price_exponent", 0.0)]), &[]);
        assert!(flat["speed_breakeven_limit_tokens_per_s_per_user"].is_infinite());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<Speed>(Case { values: &FAST, choices: &[] }, &[]);
    }
}
