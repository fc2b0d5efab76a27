//! What the incumbent concedes to a buyer who builds as well, on what is still bought from it.
//!
//!     before launch   d · spend · [q₁ until tape-out, q₂ until launch]
//!     in service      d · q₃ · (spend - what own units displace)⁺
//!     after           d · spend · q₂, while the contract of the tape-out lasts
//!
//! The discount d and the gates up to tape-out are those of `leverage`; a launched chip is believed more, and a price that
//! falls when it launches falls under a running contract too. Displaced work is bought from nobody and takes no discount: its
//! saving is against the undiscounted price, in `build`, exact over the launch law. Tape-out and launch are at their mean
//! months; nothing counts beyond 120 months. The gates are those of a real option on the programme; their values are judgement.
//!
//! Left out: working silicon, a gate of its own between tape-out and launch; and that a merchant who sees the launch coming
//! may cut prices for everybody, which belongs in the price path.

use crate::finance::{MONTHS_PER_YEAR, deferred_annuity, present_value_of_flow};
use crate::launch::LaunchLaw;
use crate::market::HORIZON_MONTHS;
use crate::variable::{HUGE, model};

model! {
    /// What the incumbent concedes to a buyer who builds as well.
    LeverageBeside = "leverage_beside";
    inputs {
        /// Share of the discount conceded once own units are in service.
        leverage_credibility_deployed: number "1" [0.0, 1.0], default 0.9, typical [0.7, 1.0], Judgement "the option is in use";
    }
    choices {}
    reads {
        leverage_discount leverage_spend_usd_per_year leverage_credibility_announced leverage_credibility_tapeout
        leverage_contract_years leverage_allocation_months leverage_allocation_usd_per_month discount_rate_per_year
        build_displaced_usd build_dual_displaced_usd build_life_months programme_tapeout_months programme_planned_months
        respin_months first_silicon_probability later_silicon_probability programme_overrun_shape programme_overrun_months
    }
    outputs {
        /// Present value of what the incumbent concedes beside own units, where they take all the work they can.
        build_leverage_usd: "USD" [0.0, HUGE], default 0.0, "no bargain is stated";
        /// The same where own units are capped at build_dual_share.
        build_dual_leverage_usd: "USD" [0.0, HUGE], default 0.0, "no bargain, or no share, is stated";
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let law = LaunchLaw {
            planned_months: x.programme_planned_months,
            respin_months: x.respin_months,
            first_probability: x.first_silicon_probability,
            later_probability: x.later_silicon_probability,
            overrun_shape: x.programme_overrun_shape,
            overrun_months: x.programme_overrun_months,
        };
        let horizon = N::of(HORIZON_MONTHS);
        let mean_tapeout_months = x.programme_tapeout_months + x.programme_overrun_shape * x.programme_overrun_months;
        let mean_launch_months = law.months_mean().max(mean_tapeout_months);
        let tapeout_months = mean_tapeout_months.min(horizon);
        let launch_months = mean_launch_months.min(horizon);
        let service_months = x.build_life_months.min(horizon - launch_months);
        let retired_months = launch_months + service_months;
        let contract_end_months = (mean_tapeout_months + x.leverage_contract_years * MONTHS_PER_YEAR).min(horizon);
        let after_months = (contract_end_months - retired_months).positive_part();

        let rate = x.discount_rate_per_year.ln_1p() / MONTHS_PER_YEAR;
        let outside_service_years = (x.leverage_credibility_announced * present_value_of_flow(rate, tapeout_months)
            + x.leverage_credibility_tapeout * (deferred_annuity(rate, tapeout_months, launch_months - tapeout_months)
                + deferred_annuity(rate, retired_months, after_months)))
            / MONTHS_PER_YEAR;
        let in_service_years = deferred_annuity(rate, launch_months, service_months) / MONTHS_PER_YEAR;
        let at_tapeout = (-(rate * tapeout_months)).exp();
        let at_tapeout = N::select(mean_tapeout_months.lt(horizon), at_tapeout, N::zero());
        let allocation_usd = x.leverage_allocation_months * x.leverage_allocation_usd_per_month
            * x.leverage_credibility_tapeout
            * at_tapeout;

        let outside_service_usd =
            x.leverage_discount * x.leverage_spend_usd_per_year * outside_service_years + allocation_usd;
        let spent_in_service_usd = x.leverage_spend_usd_per_year * in_service_years;
        let in_service_discount = x.leverage_discount * x.leverage_credibility_deployed;
        let build_leverage_usd = given.build_leverage_usd(
            outside_service_usd + in_service_discount * (spent_in_service_usd - x.build_displaced_usd).positive_part(),
        );
        let build_dual_leverage_usd = given.build_dual_leverage_usd(
            outside_service_usd + in_service_discount * (spent_in_service_usd - x.build_dual_displaced_usd).positive_part(),
        );
        Outputs { build_leverage_usd, build_dual_leverage_usd }
    }
}

#[cfg(test)]
mod tests {
    use super::LeverageBeside;
    use crate::models::leverage::Leverage;
    use crate::trial::{Case, check_derivatives, evaluate, with};
    use crate::variable::Model;

    /// Tape-out in month 12, launch in month 24, a year of service, no discounting.
    const PLAIN: [(&str, f64); 19] = [
        ("leverage_discount", 0.2),
        ("leverage_spend_usd_per_year", 4e9),
        ("leverage_credibility_announced", 0.1),
        ("leverage_credibility_tapeout", 0.5),
        ("leverage_credibility_deployed", 0.8),
        ("leverage_contract_years", 2.5),
        ("leverage_allocation_months", 2.0),
        ("leverage_allocation_usd_per_month", 30e6),
        ("discount_rate_per_year", 0.0),
        ("build_displaced_usd", 3e9),
        ("build_dual_displaced_usd", 1e9),
        ("build_life_months", 12.0),
        ("programme_tapeout_months", 9.0),
        ("programme_planned_months", 18.0),
        ("respin_months", 4.0),
        ("first_silicon_probability", 0.4),
        ("later_silicon_probability", 0.8),
        ("programme_overrun_shape", 2.0),
        ("programme_overrun_months", 1.5),
    ];

    fn conceded(changes: &[(&str, f64)], name: &str) -> f64 {
        evaluate::<LeverageBeside>(&with(&PLAIN, changes), &[])[name]
    }
    fn near(got: f64, wanted: f64) {
        assert!((got / wanted - 1.0).abs() < 1e-13, "{got}, not {wanted}"); // a few roundings
    }

    #[test]
    fn the_gates_by_hand() {
        // A year at 0.1, one at 0.5, one in service at 0.8, half a year at 0.5 until the contract's end in month 42:
        // 0.2 · 4 bn · 0.85 = 680 M; in service 0.16 · (4 - 3) = 160 M, dual 0.16 · (4 - 1) = 480 M; allocation 30 M.
        near(conceded(&[], "build_leverage_usd"), 870e6);
        near(conceded(&[], "build_dual_leverage_usd"), 1190e6);
    }

    #[test]
    fn what_is_bought_from_nobody_earns_no_discount() {
        // All of the year in service displaced: what is left is the time before and after.
        near(conceded(&[("build_displaced_usd", 4e9)], "build_leverage_usd"), 710e6);
        near(conceded(&[("build_displaced_usd", 9e9)], "build_leverage_usd"), 710e6);
        let nothing = [("leverage_discount", 0.0), ("leverage_allocation_months", 0.0)];
        assert_eq!(conceded(&nothing, "build_leverage_usd").to_bits(), 0);
    }

    #[test]
    fn a_chip_that_never_serves_is_a_threat() {
        // Launched in the month of its tape-out and gone: the bargain of the threat alone, which has 0.2 conceded in full.
        let gone = [
            ("build_life_months", 0.0),
            ("build_displaced_usd", 0.0),
            ("programme_planned_months", 0.0),
            ("first_silicon_probability", 1.0),
            ("discount_rate_per_year", 0.1),
        ];
        let both: Vec<_> = (PLAIN.iter().copied())
            .filter(|(name, _)| *name == "leverage_discount" || Leverage::INPUTS.contains(name))
            .collect();
        let alone = evaluate::<Leverage>(&with(&both, &[("discount_rate_per_year", 0.1)]), &[])["leverage_value_usd"];
        near(conceded(&gone, "build_leverage_usd"), alone);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let discounted = with(&PLAIN, &[("discount_rate_per_year", 0.12)]);
        check_derivatives::<LeverageBeside>(Case { values: &discounted, choices: &[] }, &[]);
    }
}
