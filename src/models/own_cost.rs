//! What own work costs over the merchant's price, when it comes to it.
//!
//!     share = (own price (1-d_a)^t - opex saving) / (ratio · price (1-d_m)^t),   t the mean launch, 120 months at most
//!
//! The outside option of a bargain (`leverage`), and what the merchant's price path takes away of it: a price that falls
//! towards the own cost leaves less to be conceded. Definition; mean launch as in `programme`.

use crate::finance::MONTHS_PER_YEAR;
use crate::launch::LaunchLaw;
use crate::market::HORIZON_MONTHS;
use crate::variable::{INFINITE, model};

model! {
    /// What own work costs over the merchant's price at launch.
    OwnCost = "own_cost";
    inputs {}
    choices {}
    reads {
        asic_unit_price_usd build_asic_decline_per_year build_opex_saving_usd build_performance_ratio chip_price_usd
        build_merchant_decline_per_year programme_planned_months respin_months first_silicon_probability
        later_silicon_probability programme_overrun_shape programme_overrun_months
    }
    outputs {
        /// Cost of the own unit for the same work over the merchant's price, at launch.
        leverage_own_cost_share: "1" [0.0, INFINITE];
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
        let years = law.months_mean().min(N::of(HORIZON_MONTHS)) / MONTHS_PER_YEAR;
        let own_usd = x.asic_unit_price_usd * ((-x.build_asic_decline_per_year).ln_1p() * years).exp();
        let option_usd = (own_usd - x.build_opex_saving_usd).positive_part();
        let merchant_usd = x.build_performance_ratio * x.chip_price_usd
            * ((-x.build_merchant_decline_per_year).ln_1p() * years).exp();
        let costs = N::zero().lt(merchant_usd);
        let share = option_usd / N::select(costs, merchant_usd, N::one());
        let leverage_own_cost_share = given.leverage_own_cost_share(N::select(costs, share, N::of(INFINITE)));
        Outputs { leverage_own_cost_share }
    }
}

#[cfg(test)]
mod tests {
    use super::OwnCost;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const LAUNCH: [(&str, f64); 12] = [
        ("asic_unit_price_usd", 12_000.0),
        ("build_asic_decline_per_year", 0.1),
        ("build_opex_saving_usd", 720.0),
        ("build_performance_ratio", 1.25),
        ("chip_price_usd", 40_000.0),
        ("build_merchant_decline_per_year", 0.2),
        ("programme_planned_months", 18.0),
        ("respin_months", 4.0),
        ("first_silicon_probability", 0.4),
        ("later_silicon_probability", 0.8),
        ("programme_overrun_shape", 2.0),
        ("programme_overrun_months", 1.5),
    ];

    fn share(changes: &[(&str, f64)]) -> f64 {
        evaluate::<OwnCost>(&with(&LAUNCH, changes), &[])["leverage_own_cost_share"]
    }

    #[test]
    fn two_years_by_hand() {
        // Launch 18 + 0.75 · 4 + 3 = 24: (12,000 · 0.81 - 720) / (50,000 · 0.64) = 9,000 / 32,000.
        assert!((share(&[]) / 0.28125 - 1.0).abs() < 1e-14); // a few roundings
    }

    #[test]
    fn limits_and_monotonicity() {
        assert!(share(&[("build_merchant_decline_per_year", 0.3)]) > share(&[]));
        assert!(share(&[("programme_planned_months", 30.0)]) > share(&[]));
        assert_eq!(share(&[("build_opex_saving_usd", 20_000.0)]), 0.0);
        assert_eq!(share(&[("chip_price_usd", 0.0)]), f64::INFINITY);
        // Later than the horizon is as at the horizon.
        let ever = share(&[("programme_planned_months", 9_000.0)]);
        assert_eq!(ever.to_bits(), share(&[("programme_planned_months", 120.0)]).to_bits());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<OwnCost>(Case { values: &LAUNCH, choices: &[] }, &[]);
    }
}
