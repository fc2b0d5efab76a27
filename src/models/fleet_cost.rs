//! What a cluster costs a year, and how much of it is running cost.
//!
//!     a year = machines · CRF(r, L_machines) + facility · CRF(r, L_facility) + running cost      CRF(r, n) = r / (1 - (1+r)^-n)
//!
//! Source: the capital recovery factor, definition; Epoch AI, cost of a 1 GW data center (May 2026): capital 38 bn USD,
//! running 0.9 bn a year, facility 14 years, 12, 8.5 and 7 bn a year at machine lives of 3, 5 and 7 years. Epoch's split of
//! the capital and its discount rate are not printed; 25.5 bn of machines at 6.8 % give 11.99, 8.50 and 7.01. The share
//! of running cost is that of the machine life stated: 0.9 / 8.5 = 0.106 at five years.

use crate::finance::capital_recovery_factor;
use crate::variable::{HUGE, NONE, model};

model! {
    /// What a cluster costs a year, and how much of it is running cost.
    FleetCost = "fleet_cost";
    inputs {
        /// Machines and network.
        fleet_machine_usd: number "USD" [0.0, 1e15], default NONE, typical [1e7, 5e10], Estimate "Epoch AI, 1 GW: about 25.5 bn of 38";
        /// Buildings, power and cooling.
        fleet_facility_usd: number "USD" [0.0, 1e15], default NONE, typical [1e7, 2e10], Estimate "Epoch AI, 1 GW: about 12.5 bn of 38";
        /// Running cost a year: power, staff, repair.
        fleet_opex_usd_per_year: number "USD/year" [0.0, 1e15], default NONE, typical [1e6, 2e9], Estimate "Epoch AI, 1 GW: 0.9 bn";
        /// Years over which machines are paid.
        fleet_machine_life_years: number "years" [0.1, 100.0], default NONE, typical [3.0, 7.0], Estimate "Epoch AI: 3, 5, 7";
        /// Years over which the facility is paid.
        fleet_facility_life_years: number "years" [0.1, 100.0], default NONE, typical [10.0, 25.0], Estimate "Epoch AI: 14";
    }
    choices {}
    reads { discount_rate_per_year }
    outputs {
        /// What the cluster costs to buy.
        fleet_capex_usd: "USD" [0.0, HUGE];
        /// What it costs a year, capital and running.
        fleet_cost_usd_per_year: "USD/year" [0.0, HUGE];
        /// Running cost over the whole; null where it is nearly none or nearly all of it.
        fleet_opex_share: "1" [1e-6, 0.99];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let fleet_capex_usd = given.fleet_capex_usd(x.fleet_machine_usd + x.fleet_facility_usd);
        let rate = x.discount_rate_per_year;
        let machines = x.fleet_machine_usd * capital_recovery_factor(rate, x.fleet_machine_life_years);
        let facility = x.fleet_facility_usd * capital_recovery_factor(rate, x.fleet_facility_life_years);
        let fleet_cost_usd_per_year = given.fleet_cost_usd_per_year(machines + facility + x.fleet_opex_usd_per_year);
        let costs = N::zero().lt(fleet_cost_usd_per_year);
        let share = x.fleet_opex_usd_per_year / N::select(costs, fleet_cost_usd_per_year, N::one());
        let usable = N::of(1e-6).le(share) & share.le(N::of(0.99));
        let fleet_opex_share = given.fleet_opex_share(N::select(usable, share, N::of(f64::NAN)));
        Outputs { fleet_capex_usd, fleet_cost_usd_per_year, fleet_opex_share }
    }
}

#[cfg(test)]
mod tests {
    use super::FleetCost;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const GIGAWATT: [(&str, f64); 6] = [
        ("fleet_machine_usd", 25.5e9),
        ("fleet_facility_usd", 12.5e9),
        ("fleet_opex_usd_per_year", 0.9e9),
        ("fleet_machine_life_years", 5.0),
        ("fleet_facility_life_years", 14.0),
        ("discount_rate_per_year", 0.068),
    ];

    #[test]
    fn a_gigawatt_by_hand() {
        // CRF 0.242586 over 5 years, 0.112977 over 14: 6.186 + 1.412 + 0.9 = 8.498 bn; 0.9 / 8.498 = 0.1059.
        let answers = evaluate::<FleetCost>(&GIGAWATT, &[]);
        assert_eq!(answers["fleet_capex_usd"], 38e9);
        assert!((answers["fleet_cost_usd_per_year"] / 1e9 - 8.498).abs() < 2e-3); // digits printed
        assert!((answers["fleet_opex_share"] - 0.1059).abs() < 1e-4);
    }

    #[test]
    fn limits_and_identities() {
        let twice = GIGAWATT.map(|(name, value)| (name, if name.contains("usd") { value * 2.0 } else { value }));
        let (once, twice) = (evaluate::<FleetCost>(&GIGAWATT, &[]), evaluate::<FleetCost>(&twice, &[]));
        assert_eq!(twice["fleet_cost_usd_per_year"], once["fleet_cost_usd_per_year"] * 2.0);
        assert_eq!(twice["fleet_opex_share"], once["fleet_opex_share"]);
        let free = evaluate::<FleetCost>(&with(&GIGAWATT, &[("fleet_opex_usd_per_year", 0.0)]), &[]);
        assert!(free["fleet_opex_share"].is_nan());
        let longer = evaluate::<FleetCost>(&with(&GIGAWATT, &[("fleet_machine_life_years", 7.0)]), &[]);
        assert!(longer["fleet_cost_usd_per_year"] < once["fleet_cost_usd_per_year"]);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<FleetCost>(Case { values: &GIGAWATT, choices: &[] }, &[]);
    }
}
