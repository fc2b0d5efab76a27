//! What a faster answer is worth against what it costs.
//!
//!     premium    = x^θ                        what x times the speed sells for, over the price without
//!     worth      = premium / cost ratio       above 1 the margin on the faster tokens is the better one
//!
//! The premium is also the break-even: the most that x times the speed may cost. What it costs on the same chips is from a
//! straight line of cost (`speed_line`), where its end is known, or from the chips, the model and its layouts
//! (`speed_serving`). Exponents on sale: Anthropic's fast mode 1.96, Cerebras against GPU hosts 0.82 (output) and 1.17
//! (input). OpenAI's contract with Cerebras (January 2026, > 10 bn USD for 750 MW) shows that somebody pays, not how much
//! more for how much speed.
//!
//! The worth compares margins in per cent: at a price of m times the cost, the extra money is positive where
//! m (premium - 1) > cost ratio - 1, which is less to ask. Left out: volume (speed_share), and what the time itself is worth
//! (speed_labor, speed_revenue). These channels overlap, since a price is what buyers make of their time: never add them.

use crate::variable::{INFINITE, NONE, model};

model! {
    /// What a faster answer is worth against what it costs.
    Speed = "speed";
    inputs {
        /// How many times as fast as the base.
        speed_ratio: number "1" [1.0, 1e6], default NONE, typical [1.5, 6.0], ListPrice "Anthropic fast mode 2.5, Cerebras against GPU hosts 11.7";
    }
    choices {}
    reads { speed_price_exponent speed_cost_ratio }
    outputs {
        /// What the speed sells for over the price without, and the cost ratio at which it breaks even.
        speed_breakeven_premium: "1" [0.0, INFINITE];
        /// The premium over the cost ratio: above 1 speed pays.
        speed_worth_ratio: "1" [0.0, INFINITE];
        /// The exponent of price in speed at which the worth is 1; null for a ratio of 1, where every exponent gives it.
        speed_breakeven_exponent: "1" [-INFINITE, INFINITE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let ratio_log = x.speed_ratio.ln();
        let speed_breakeven_premium = given.speed_breakeven_premium((x.speed_price_exponent * ratio_log).exp());

        // What the chips don't reach is worth nothing, and without a base there is no answer.
        let costs = x.speed_cost_ratio.lt(N::of(INFINITE));
        let cost = N::select(costs, x.speed_cost_ratio, N::one());
        let unreached = N::select(x.speed_cost_ratio.eq(N::of(INFINITE)), N::zero(), N::of(NONE));
        let speed_worth_ratio = given.speed_worth_ratio(N::select(costs, speed_breakeven_premium / cost, unreached));

        let faster = N::one().lt(x.speed_ratio);
        let exponent = x.speed_cost_ratio.ln() / N::select(faster, ratio_log, N::of(NONE));
        let speed_breakeven_exponent = given.speed_breakeven_exponent(exponent);
        Outputs { speed_breakeven_premium, speed_worth_ratio, speed_breakeven_exponent }
    }
}

#[cfg(test)]
mod tests {
    use super::Speed;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const FAST: [(&str, f64); 3] = [("speed_ratio", 2.5), ("speed_price_exponent", 1.3), ("speed_cost_ratio", 2.0)];

    #[test]
    fn a_faster_tier_by_hand() {
        // 2.5^1.3 = e^(1.3 · 0.916291) = 3.290956; worth 1.645478. θ at which it pays: ln 2 / ln 2.5 = 0.756471.
        let answers = evaluate::<Speed>(&FAST, &[]);
        let near =
            |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-6, "{name}: {}", answers[name]);
        near("speed_breakeven_premium", 3.290_955_5);
        near("speed_worth_ratio", 1.645_477_8);
        near("speed_breakeven_exponent", 0.756_471);
    }

    #[test]
    fn where_the_worth_turns_it_is_one() {
        let answers = evaluate::<Speed>(&FAST, &[]);
        for (threshold, input) in
            [("speed_breakeven_exponent", "speed_price_exponent"), ("speed_breakeven_premium", "speed_cost_ratio")]
        {
            let there = evaluate::<Speed>(&with(&FAST, &[(input, answers[threshold])]), &[]);
            assert!((there["speed_worth_ratio"] - 1.0).abs() < 1e-14, "{threshold}"); // a few roundings
        }
    }

    #[test]
    fn limits_and_monotonicity() {
        let of = |changes: &[(&str, f64)]| evaluate::<Speed>(&with(&FAST, changes), &[]);
        let worth = |changes: &[(&str, f64)]| of(changes)["speed_worth_ratio"];
        assert!(worth(&[("speed_price_exponent", 1.4)]) > worth(&[]));
        assert!(worth(&[("speed_cost_ratio", 2.1)]) < worth(&[]));
        let same = of(&[("speed_ratio", 1.0), ("speed_cost_ratio", 1.0)]);
        assert_eq!(same["speed_worth_ratio"], 1.0);
        assert!(same["speed_breakeven_exponent"].is_nan());
        // What the chips don't reach is worth nothing, whatever it sells for.
        let beyond = of(&[("speed_cost_ratio", f64::INFINITY)]);
        assert_eq!(beyond["speed_worth_ratio"].to_bits(), 0);
        assert!(beyond["speed_breakeven_exponent"].is_infinite());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<Speed>(Case { values: &FAST, choices: &[] }, &[]);
    }
}
