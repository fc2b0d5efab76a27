//! What an own unit saves on power and building against the merchant work it replaces, from the energy of a token on both.
//!
//!     watts = (merchant joules a token - own) · own tokens a second and chip · own utilization
//!     saving = watts · (8.766 kWh a watt and year · price of electricity + facility) · (1 - (1+r)^-n) / r
//!
//! n is the service life of a unit, r the discount rate. Energy is at the site's meter, so that the site's losses are in it
//! (`serving_cost`). Without a service life nothing is computed, and `build_opex_saving_usd` is 0. Definition: the present
//! value over a unit's service life of power, price of power and the facility's annuity per watt. Left out: the price of
//! electricity moves, and what is idle draws less.

use crate::finance::{HOURS_PER_YEAR, capital_recovery_factor};
use crate::variable::{NONE, model};

/// Kilowatt-hours of a watt in a year.
const KWH_PER_W_YEAR: f64 = HOURS_PER_YEAR / 1000.0;

model! {
    /// What an own unit saves on power and building, from the energy of a token on both chips.
    OwnPower = "own_power";
    inputs {
        /// Years that a unit serves.
        build_unit_life_years: number "years" [0.1, 100.0], default NONE, typical [3.0, 7.0], Judgement "book lives of servers 4 to 6 years";
        /// Yearly cost of building and power supply, a watt at the site's meter.
        build_facility_usd_per_w_per_year: number "USD/W/year" [0.0, 1e3], default 0.0, typical [0.8, 1.6], Definition "the site stands already; a new one of 11 to 12.5 USD a watt is 1.2 to 1.4 a year over 15 years at 7 %";
    }
    choices {}
    reads {
        serve_joules_per_token asic_serve_joules_per_token asic_serve_tokens_per_s_per_chip asic_serve_utilization
        electricity_usd_per_kwh discount_rate_per_year
    }
    outputs {
        /// Present value over an own unit's life of the power and space it saves against the merchant work it replaces.
        build_opex_saving_usd: "USD" [-1e9, 1e9], default 0.0, "equal power for equal work";
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let saved_joules = x.serve_joules_per_token - x.asic_serve_joules_per_token;
        let saved_w = saved_joules * x.asic_serve_tokens_per_s_per_chip * x.asic_serve_utilization;
        let usd_per_w = x.electricity_usd_per_kwh * KWH_PER_W_YEAR + x.build_facility_usd_per_w_per_year;
        let years_value = capital_recovery_factor(x.discount_rate_per_year, x.build_unit_life_years);
        let build_opex_saving_usd = given.build_opex_saving_usd(saved_w * usd_per_w / years_value);
        Outputs { build_opex_saving_usd }
    }
}

#[cfg(test)]
mod tests {
    use super::OwnPower;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const CASE: [(&str, f64); 8] = [
        ("build_unit_life_years", 5.0),
        ("build_facility_usd_per_w_per_year", 0.0),
        ("serve_joules_per_token", 3.0),
        ("asic_serve_joules_per_token", 2.0),
        ("asic_serve_tokens_per_s_per_chip", 800.0),
        ("asic_serve_utilization", 0.5),
        ("electricity_usd_per_kwh", 0.1),
        ("discount_rate_per_year", 0.0),
    ];

    fn saving(changes: &[(&str, f64)]) -> f64 {
        evaluate::<OwnPower>(&with(&CASE, changes), &[])["build_opex_saving_usd"]
    }

    #[test]
    fn a_case_by_hand() {
        // 1 J · 800 · 0.5 = 400 W; 400 · 8.766 · 0.1 = 350.64 USD a year, five of them.
        assert!((saving(&[]) / 1753.2 - 1.0).abs() < 1e-14); // a few roundings
        assert!((saving(&[("build_facility_usd_per_w_per_year", 0.8766)]) / 3506.4 - 1.0).abs() < 1e-14);
        // At 10 % five years are worth 3.790787.
        assert!((saving(&[("discount_rate_per_year", 0.1)]) / (350.64 * 3.790_786_77) - 1.0).abs() < 1e-8);
    }

    #[test]
    fn more_energy_costs_what_less_saves() {
        let swapped = [("serve_joules_per_token", 2.0), ("asic_serve_joules_per_token", 3.0)];
        assert_eq!(saving(&swapped).to_bits(), (-saving(&[])).to_bits());
        assert_eq!(saving(&[("asic_serve_joules_per_token", 3.0)]), 0.0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(&CASE, &[("discount_rate_per_year", 0.08)]);
        check_derivatives::<OwnPower>(Case { values: &case, choices: &[] }, &[]);
    }
}
