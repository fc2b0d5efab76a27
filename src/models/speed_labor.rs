//! What the time of those who wait for an answer is worth, against what the faster answer costs more.
//!
//!     labor = wage · seconds saved · share of the wait in which nothing else is done
//!     extra = cost of a token · tokens · (cost ratio - 1)
//!
//! Both for one answer, at the cost of a token at the base: given, or that of `serving_cost`. An upper bound of what speed is
//! worth: people fill a wait with other work, and the share that blocks is a judgement. Definitions. The value of time at the
//! full wage follows Becker (1965); transport studies use less.

use crate::variable::{HUGE, INFINITE, NONE, model};

const SECONDS_PER_HOUR: f64 = 3600.0;
const TOKENS_PER_MTOK: f64 = 1e6;

model! {
    /// What the time of those who wait is worth, against what the faster answer costs more.
    SpeedLabor = "speed_labor";
    inputs {
        /// Wage of who waits.
        speed_wage_usd_per_hour: number "USD/hour" [0.0, 1e6], default NONE, typical [15.0, 110.0], Judgement "from a clerk to a software engineer in the United States";
        /// Share of the wait that blocks work.
        speed_blocking_share: number "1" [0.0, 1.0], default NONE, typical [0.02, 0.5], Judgement "agents run beside other work";
    }
    choices {}
    reads { serve_usd_per_mtok speed_seconds_saved serve_output_tokens speed_cost_ratio }
    outputs {
        /// What the time saved on an answer is worth.
        speed_labor_usd: "USD" [-HUGE, HUGE];
        /// What the faster answer costs more; infinite if the chips don't reach the speed.
        speed_extra_cost_usd: "USD" [-HUGE, INFINITE];
        /// The time saved over the extra cost: above 1 speed pays. Null if both are 0.
        speed_labor_worth_ratio: "1" [-INFINITE, INFINITE];
        /// The wage at which the time saved is worth the extra cost; infinite if no time is saved.
        speed_breakeven_wage_usd_per_hour: "USD/hour" [0.0, INFINITE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let hours_saved = x.speed_seconds_saved * x.speed_blocking_share / SECONDS_PER_HOUR;
        let speed_labor_usd = given.speed_labor_usd(hours_saved * x.speed_wage_usd_per_hour);

        let base_usd = x.serve_usd_per_mtok * x.serve_output_tokens / TOKENS_PER_MTOK;
        let unreached = x.speed_cost_ratio.eq(N::of(INFINITE));
        let ratio = N::select(unreached, N::one(), x.speed_cost_ratio);
        let extra_usd = N::select(unreached, N::of(INFINITE), base_usd * (ratio - 1.0));
        let speed_extra_cost_usd = given.speed_extra_cost_usd(extra_usd);

        let speed_labor_worth_ratio = given.speed_labor_worth_ratio(speed_labor_usd / speed_extra_cost_usd);
        let saves = N::zero().lt(hours_saved);
        let wage = (speed_extra_cost_usd / N::select(saves, hours_saved, N::one())).positive_part();
        let without = N::select(N::zero().lt(speed_extra_cost_usd), N::of(INFINITE), N::zero());
        let known = speed_extra_cost_usd.eq(speed_extra_cost_usd);
        let wage = N::select(known, N::select(saves, wage, without), N::of(NONE));
        let speed_breakeven_wage_usd_per_hour = given.speed_breakeven_wage_usd_per_hour(wage);
        Outputs { speed_labor_usd, speed_extra_cost_usd, speed_labor_worth_ratio, speed_breakeven_wage_usd_per_hour }
    }
}

#[cfg(test)]
mod tests {
    use super::SpeedLabor;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const ANSWER: [(&str, f64); 6] = [
        ("speed_wage_usd_per_hour", 40.0),
        ("speed_blocking_share", 0.2),
        ("serve_usd_per_mtok", 2.0),
        ("speed_seconds_saved", 9.0),
        ("serve_output_tokens", 500.0),
        ("speed_cost_ratio", 3.0),
    ];

    #[test]
    fn an_answer_by_hand() {
        // 9 s · 0.2 = 1.8 s = 0.0005 h, 2 cents; 0.001 USD · 2 = 0.2 cents more: 10 times. Break-even wage 4 USD an hour.
        let answers = evaluate::<SpeedLabor>(&ANSWER, &[]);
        let near = |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-14, "{name}"); // roundings
        near("speed_labor_usd", 0.02);
        near("speed_extra_cost_usd", 0.002);
        near("speed_labor_worth_ratio", 10.0);
        near("speed_breakeven_wage_usd_per_hour", 4.0);
        let there = evaluate::<SpeedLabor>(&with(&ANSWER, &[("speed_wage_usd_per_hour", 4.0)]), &[]);
        assert!((there["speed_labor_worth_ratio"] - 1.0).abs() < 1e-14);
    }

    #[test]
    fn limits() {
        let of = |changes: &[(&str, f64)]| {
            let answers = evaluate::<SpeedLabor>(&with(&ANSWER, changes), &[]);
            (answers["speed_labor_worth_ratio"], answers["speed_breakeven_wage_usd_per_hour"])
        };
        assert_eq!(of(&[("speed_cost_ratio", f64::INFINITY)]), (0.0, f64::INFINITY));
        assert_eq!(of(&[("speed_cost_ratio", f64::INFINITY), ("serve_usd_per_mtok", 0.0)]), (0.0, f64::INFINITY));
        assert_eq!(of(&[("speed_cost_ratio", 1.0)]), (f64::INFINITY, 0.0));
        assert_eq!(of(&[("speed_blocking_share", 0.0)]), (0.0, f64::INFINITY));
        assert!(of(&[("speed_blocking_share", 0.0), ("speed_cost_ratio", 1.0)]).0.is_nan());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<SpeedLabor>(Case { values: &ANSWER, choices: &[] }, &[]);
    }
}
