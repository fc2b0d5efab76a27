//! What falling costs do to the price of compute: three declines, of which only two reach it directly.
//!
//!     fall of the newest vintage's full cost  v = -ln(1-hardware) - ln(1-margin)
//!     fall of the price of compute            g = v + a · max(0, 1 - |ε|),   a = -ln(1-algorithm)
//!     growth of demand for compute            ln(1+Q) - a, where Q is the growth of tokens as it is seen;
//!                                             ln(1+Q) + |ε| (v + a) - a, where it is that at constant prices
//!
//! Better hardware and lower margins are embodied in the next machine and undercut the one that stands. Better algorithms are
//! not: they run on the old machine too, and make its tokens cheaper as well. They lower the price of *compute* only where
//! demand answers less than one for one (|ε| < 1), so that less compute is wanted for all tokens; that the price then falls
//! by the whole of what is not wanted is a judgement, and an upper bound, as supply would shrink. Elasticity of demand for
//! tokens by their price: -1.11 across providers of one model (NBER, The Emerging Market for Intelligence), an upper bound in
//! size for the market. Whether demand for compute shrinks (an idle fleet) flips at fleet_breakeven_demand_growth_per_year.

use crate::variable::{HUGE, NONE, model};

model! {
    /// How hardware, margins and algorithms lower the price of compute and the demand for it.
    FleetDecline = "fleet_decline";
    inputs {
        /// Fall of the cost of a unit of compute from better hardware.
        fleet_hardware_decline_per_year: number "1/year" [-10.0, 0.99], default NONE, typical [0.14, 0.45], Measured "H100 purchase 0.14 and list rental 0.165 a year; FLOP per dollar 0.23-0.28 (Epoch AI)";
        /// Fall of the price of a unit of compute from lower margins of vendors.
        fleet_margin_decline_per_year: number "1/year" [-10.0, 0.99], default 0.0, typical [-0.1, 0.14], Definition "margins stand still";
        /// Fall of the compute that a token of given quality needs.
        fleet_algorithm_decline_per_year: number "1/year" [-10.0, 0.999], default 0.0, typical [0.44, 0.81], Definition "algorithms stand still";
        /// Elasticity of the demand for tokens by their price.
        demand_elasticity: number "1" [-100.0, 0.0], default -1.0, typical [-1.5, -0.3], Judgement "spending does not change with the price; -1.11 across providers (NBER)";
        /// Growth of the demand for tokens.
        fleet_demand_growth_per_year: number "1/year" [-0.99, 1000.0], default NONE, typical [0.5, 6.0], Measured "Google: 6.7 times from May 2025 to May 2026";
    }
    choices {
        /// Whether the growth of demand is that which is seen, the answer to falling prices in it; else that at constant prices.
        fleet_growth_with_response: bool = true, "growth is measured while prices fall";
    }
    reads {}
    outputs {
        /// Fall of the full cost of the newest vintage, as an intensity.
        fleet_vintage_log_fall_per_year: "1/year" [-10.0, 20.0];
        /// Fall of the price of a unit of compute without scarcity, as an intensity.
        fleet_price_log_fall_per_year: "1/year" [-10.0, 20.0];
        /// The same as a share a year.
        fleet_price_decline_per_year: "1/year" [-22_000.0, 0.999_999_99];
        /// Growth of the demand for compute.
        fleet_compute_growth_per_year: "1/year" [-1.0, HUGE];
    }
    summaries {
        /// Growth of the demand for tokens at which that for compute stands still.
        fleet_breakeven_demand_growth_per_year: "1/year" [-1.0, HUGE];
    }
    statuses {}
    equations(x, given) {
        let hardware_fall = -(-x.fleet_hardware_decline_per_year).ln_1p();
        let margin_fall = -(-x.fleet_margin_decline_per_year).ln_1p();
        let algorithm_fall = -(-x.fleet_algorithm_decline_per_year).ln_1p();
        let answer = -x.demand_elasticity;
        let vintage_fall = given.fleet_vintage_log_fall_per_year(hardware_fall + margin_fall);
        let not_wanted = algorithm_fall * (-answer + 1.0).positive_part();
        let price_fall = given.fleet_price_log_fall_per_year(match given.fleet_price_decline_per_year {
            Some(decline) => -(-decline).ln_1p(),
            None => vintage_fall + not_wanted,
        });
        let fleet_price_decline_per_year = given.fleet_price_decline_per_year(-(-price_fall).exp_m1());
        let response = if x.fleet_growth_with_response { N::zero() } else { answer * (vintage_fall + algorithm_fall) };
        let saved = algorithm_fall - response;
        let fleet_compute_growth_per_year = given
            .fleet_compute_growth_per_year((x.fleet_demand_growth_per_year.ln_1p() - saved).exp_m1());
        Outputs {
            fleet_vintage_log_fall_per_year: vintage_fall,
            fleet_price_log_fall_per_year: price_fall,
            fleet_price_decline_per_year,
            fleet_compute_growth_per_year,
            fleet_breakeven_demand_growth_per_year: saved.exp_m1(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FleetDecline;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const TREND: [(&str, f64); 5] = [
        ("fleet_hardware_decline_per_year", 0.3),
        ("fleet_margin_decline_per_year", 0.1),
        ("fleet_algorithm_decline_per_year", 0.6),
        ("demand_elasticity", -0.5),
        ("fleet_demand_growth_per_year", 2.0),
    ];

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-6, "{found} is not {wanted}"); // digits printed
    }

    #[test]
    fn a_trend_by_hand() {
        // -ln 0.7 - ln 0.9 = 0.356675 + 0.105361 = 0.462035; -ln 0.4 = 0.916291, half of it 0.458145: 0.920181.
        let answers = evaluate::<FleetDecline>(&TREND, &[]);
        near(answers["fleet_vintage_log_fall_per_year"], 0.462_035);
        near(answers["fleet_price_log_fall_per_year"], 0.920_181);
        near(answers["fleet_price_decline_per_year"], 1.0 - 0.63 * 0.4_f64.sqrt());
        // Tokens threefold at 0.4 of the compute: 1.2 times. They must grow 2.5 times for it to stand still.
        near(answers["fleet_compute_growth_per_year"], 0.2);
        near(answers["fleet_breakeven_demand_growth_per_year"], 1.5);
        // At constant prices the fall of 1.378326 brings e^0.689163 = 1.992 times more.
        let constant = evaluate::<FleetDecline>(&TREND, &[("fleet_growth_with_response", "false")]);
        near(constant["fleet_compute_growth_per_year"], 1.2 * core_math::exp(0.689_163) - 1.0);
    }

    #[test]
    fn algorithms_reach_the_price_only_where_demand_is_inelastic() {
        for elasticity in [-1.0, -1.5] {
            let answers = evaluate::<FleetDecline>(&with(&TREND, &[("demand_elasticity", elasticity)]), &[]);
            assert_eq!(answers["fleet_price_log_fall_per_year"], answers["fleet_vintage_log_fall_per_year"]);
        }
        let rigid = evaluate::<FleetDecline>(&with(&TREND, &[("demand_elasticity", 0.0)]), &[]);
        near(rigid["fleet_price_decline_per_year"], 1.0 - 0.63 * 0.4);
        // A given decline is the whole of it.
        let stated = evaluate::<FleetDecline>(&with(&TREND, &[("fleet_price_decline_per_year", 0.5)]), &[]);
        near(stated["fleet_price_log_fall_per_year"], core_math::log(2.0));
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for response in ["true", "false"] {
            let choices = [("fleet_growth_with_response", response)];
            check_derivatives::<FleetDecline>(Case { values: &TREND, choices: &choices }, &[]);
        }
    }
}
