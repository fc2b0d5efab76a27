//! What inference will need and cost on merchant chips.
//!
//!     D(t) = min(cap, D₀ (1+γ)^t) · 2^(-x/h)
//!     lifetime inference = Σₖ D(t)/12 · ratio · price · (1-d)^t · (1+r)^-t,   t at mid-month, 120 months
//!
//! D₀ counts own units bought a year: one own unit does the work of build_performance_ratio merchant units. It is given, or
//! follows from yearly spending, or from tokens a month and what a million of them cost, or from inference as a multiple of
//! the training cost; the first of these that is known. Definitions.
//!
//! Tokens become units by what they cost: a year's tokens · price · the share of the price that pays for merchant chips is a
//! year's spending. Without the price of a chip the cost of inference follows from tokens all the same: `inference`.

use crate::market::{HORIZON, Market, merchant_volume};
use crate::variable::{HUGE, INFINITE, NONE, choices, model};

const _: () = assert!(HORIZON == 120, "the pages say 120 months");

choices!(
    /// Whether any demand reaches the stated inference.
    DemandStatus { Ok "ok", CapTooLow "cap_too_low" }
);

model! {
    /// What inference will need and cost on merchant chips.
    Demand = "demand";
    inputs {
        /// Price of one merchant chip at the decision.
        chip_price_usd: number "USD" [0.0, 1e9], default NONE, typical [15e3, 60e3], Estimate "price of the chip";
        /// Work of one own unit over that of one merchant chip at the decision.
        build_performance_ratio: number "1" [1e-4, 1e4], default 1.0, typical [0.2, 8.0], Definition "equal chips";
        /// Growth of demand.
        build_demand_growth_per_year: number "1/year" [-0.99, 10.0], default 0.0, typical [-0.1, 0.9], Definition "constant demand";
        /// Months in which demand for this work halves.
        build_demand_half_life_months: number "months" [0.1, INFINITE], default INFINITE, typical [4.0, 18.0], Definition "demand does not fade";
        /// Demand beyond which growth stops.
        build_demand_cap_units_per_year: number "1/year" [0.0, INFINITE], default INFINITE, typical [1e5, 1e7], Definition "no cap";
        /// Fall of the merchant price for the same work.
        build_merchant_decline_per_year: number "1/year" [-10.0, 0.99], default NONE, typical [0.1, 0.4], Measured "Epoch AI: FLOP per dollar 1.30-1.39 a year";
        /// Discount rate.
        discount_rate_per_year: number "1/year" [-0.5, 4.0], default 0.10, typical [0.06, 0.25], Judgement "cost of capital 9-14 %";
    }
    choices {}
    reads { build_units_per_year }
    outputs {
        /// Present value at the decision of all inference demand on merchant chips.
        lifetime_inference_usd: "USD" [0.0, HUGE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let market = Market {
            units_per_year: x.build_units_per_year,
            growth_per_year: x.build_demand_growth_per_year,
            half_life_months: x.build_demand_half_life_months,
            cap_units_per_year: x.build_demand_cap_units_per_year,
            price_usd: x.build_performance_ratio * x.chip_price_usd,
            decline_per_year: x.build_merchant_decline_per_year,
            discount_rate_per_year: x.discount_rate_per_year,
        };
        let lifetime_inference_usd = given.lifetime_inference_usd(merchant_volume(&market).value_usd(x.build_units_per_year));
        Outputs { lifetime_inference_usd }
    }
}

/// Demand from yearly spending.
pub mod by_spend {
    use super::{HUGE, NONE};
    use crate::variable::model;

    model! {
        /// Demand from yearly spending on merchant chips.
        DemandBySpend = "demand_by_spend";
        inputs {
            /// Spending on merchant chips a year, at the decision.
            build_spend_usd_per_year: number "USD/year" [0.0, 1e16], default NONE, typical [1e8, 2e10], Estimate "property of the buyer";
        }
        choices {}
        reads { build_performance_ratio chip_price_usd }
        outputs {
            /// Demand at the decision, in own units bought a year.
            build_units_per_year: "1/year" [0.0, HUGE];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let build_units_per_year =
                given.build_units_per_year(x.build_spend_usd_per_year / (x.build_performance_ratio * x.chip_price_usd));
            Outputs { build_units_per_year }
        }
    }
}

/// Demand from tokens and their cost.
pub mod by_tokens {
    use super::{HUGE, INFINITE, NONE};
    use crate::finance::MONTHS_PER_YEAR;
    use crate::market::TOKENS_PER_MTOK;
    use crate::variable::model;

    model! {
        /// Demand from tokens and their cost.
        DemandByTokens = "demand_by_tokens";
        inputs {
            /// Tokens read and written a month, at the decision.
            build_tokens_per_month: number "tokens/month" [0.0, HUGE], default NONE, typical [1e12, 4e15], Estimate "DeepSeek 23e12 (February 2025), OpenAI 260e12 (October 2025), Google 3,200e12 (May 2026); firms count differently";
            /// Share of the cost of tokens which pays for merchant chips; the rest is power, building, network and staff.
            inference_accelerator_share: number "1" [0.0, 1.0], default 1.0, typical [0.35, 0.6], Definition "all of it: chips in 0.39 of a data center's capital (Bernstein 2025), servers in 0.59 of its yearly cost (Epoch AI 2026)";
            /// Tokens a month beyond which growth stops.
            build_demand_cap_tokens_per_month: number "tokens/month" [0.0, INFINITE], default INFINITE, typical [1e13, 1e17], Definition "no cap";
        }
        choices {}
        reads { serve_usd_per_mtok build_performance_ratio chip_price_usd }
        outputs {
            /// Demand at the decision, in own units bought a year.
            build_units_per_year: "1/year" [0.0, HUGE];
            /// Demand beyond which growth stops.
            build_demand_cap_units_per_year: "1/year" [0.0, INFINITE], default INFINITE, "no cap";
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let chip_usd_per_token = x.serve_usd_per_mtok * x.inference_accelerator_share / TOKENS_PER_MTOK;
            let units_per_token = chip_usd_per_token / (x.build_performance_ratio * x.chip_price_usd);
            let units_a_year = units_per_token * MONTHS_PER_YEAR;
            let build_units_per_year = given.build_units_per_year(x.build_tokens_per_month * units_a_year);
            let capped = x.build_demand_cap_tokens_per_month.lt(N::of(INFINITE));
            let cap_units = N::select(capped, x.build_demand_cap_tokens_per_month, N::one()) * units_a_year;
            let build_demand_cap_units_per_year =
                given.build_demand_cap_units_per_year(N::select(capped, cap_units, N::of(INFINITE)));
            Outputs { build_units_per_year, build_demand_cap_units_per_year }
        }
    }
}

/// Demand from inference as a multiple of the training cost.
pub mod by_ratio {
    use super::{DemandStatus, HUGE, INFINITE, Market, NONE, merchant_volume};
    use crate::variable::model;

    model! {
        /// Demand from inference as a multiple of the training cost.
        DemandByRatio = "demand_by_ratio";
        inputs {
            /// Present value of inference over the cost of training.
            inference_train_ratio: number "1" [0.0, 1e6], default NONE, typical [0.1, 10.0], Estimate "Epoch AI: compute-optimal labs spend about equally on both";
        }
        choices {}
        reads {
            train_cost_usd chip_price_usd build_performance_ratio build_demand_growth_per_year build_demand_half_life_months
            build_demand_cap_units_per_year build_merchant_decline_per_year discount_rate_per_year
        }
        outputs {
            /// Demand at the decision, in own units bought a year.
            build_units_per_year: "1/year" [0.0, HUGE];
        }
        summaries {}
        statuses {
            /// Why there is no demand that costs the stated multiple.
            demand_status: DemandStatus;
        }
        equations(x, given) {
            let market = Market {
                units_per_year: N::one(),
                growth_per_year: x.build_demand_growth_per_year,
                half_life_months: x.build_demand_half_life_months,
                cap_units_per_year: x.build_demand_cap_units_per_year,
                price_usd: x.build_performance_ratio * x.chip_price_usd,
                decline_per_year: x.build_merchant_decline_per_year,
                discount_rate_per_year: x.discount_rate_per_year,
            };
            let units = merchant_volume(&market).units_worth(x.inference_train_ratio * x.train_cost_usd, HUGE);
            let reachable = units.lt(N::of(INFINITE));
            let build_units_per_year = given.build_units_per_year(N::select(reachable, units, N::of(f64::NAN)));
            let demand_status = N::select(reachable, DemandStatus::Ok.number(), DemandStatus::CapTooLow.number());
            Outputs { build_units_per_year, demand_status }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Demand;
    use super::by_ratio::DemandByRatio;
    use super::by_spend::DemandBySpend;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const STILL: [(&str, f64); 4] = [
        ("build_units_per_year", 1000.0),
        ("chip_price_usd", 30_000.0),
        ("build_merchant_decline_per_year", 0.0),
        ("discount_rate_per_year", 0.0),
    ];
    const MARKET: [(&str, f64); 7] = [
        ("chip_price_usd", 30_000.0),
        ("build_performance_ratio", 0.8),
        ("build_demand_growth_per_year", 0.3),
        ("build_demand_half_life_months", 40.0),
        ("build_demand_cap_units_per_year", 3000.0),
        ("build_merchant_decline_per_year", 0.25),
        ("discount_rate_per_year", 0.12),
    ];

    #[test]
    fn nothing_that_moves_is_ten_years_of_spending() {
        // 1000 units · 30 k · 10 years = 300 M.
        let spend = evaluate::<Demand>(&STILL, &[])["lifetime_inference_usd"];
        assert!((spend / 300e6 - 1.0).abs() < 1e-13); // 120 additions
        // A half-life of 12 months: Σ 2^-(k+½)/12 / 12 = (1 - 2^-10) 2^(-1/24) / (12 (1 - 2^(-1/12))) = 1.441086 years.
        let fading = evaluate::<Demand>(&with(&STILL, &[("build_demand_half_life_months", 12.0)]), &[]);
        assert!((fading["lifetime_inference_usd"] / (30e6 * 1.441_086_01) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn identities_and_monotonicity() {
        let market = with(&MARKET, &[("build_units_per_year", 1000.0)]);
        let spend =
            |changes: &[(&str, f64)]| evaluate::<Demand>(&with(&market, changes), &[])["lifetime_inference_usd"];
        let once = spend(&[]);
        assert_eq!(spend(&[("chip_price_usd", 60_000.0)]), once * 2.0);
        assert_eq!(spend(&[("build_units_per_year", 2000.0), ("build_demand_cap_units_per_year", 6000.0)]), once * 2.0);
        assert!(spend(&[("build_demand_growth_per_year", 0.4)]) > once);
        assert!(spend(&[("build_demand_cap_units_per_year", 2000.0)]) < once);
        assert!(spend(&[("build_demand_half_life_months", 30.0)]) < once);
        assert!(spend(&[("build_merchant_decline_per_year", 0.3)]) < once);
        assert!(spend(&[("discount_rate_per_year", 0.2)]) < once);
    }

    #[test]
    fn spending_buys_units() {
        // 100 M a year / (0.8 · 25 k) = 5000.
        let case =
            [("build_spend_usd_per_year", 100e6), ("build_performance_ratio", 0.8), ("chip_price_usd", 25_000.0)];
        assert_eq!(evaluate::<DemandBySpend>(&case, &[])["build_units_per_year"], 5000.0);
    }

    #[test]
    fn the_ratio_comes_out_of_the_demand_it_implies() {
        for (ratio, cost) in [(2.0, 10e6), (0.5, 10e6), (1.0, 40e6)] {
            let case = with(&MARKET, &[("inference_train_ratio", ratio), ("train_cost_usd", cost)]);
            let units = evaluate::<DemandByRatio>(&case, &[])["build_units_per_year"];
            let spend =
                evaluate::<Demand>(&with(&MARKET, &[("build_units_per_year", units)]), &[])["lifetime_inference_usd"];
            assert!((spend / (ratio * cost) - 1.0).abs() < 1e-13, "{spend}"); // the root to its last digits, 120 additions
        }
        let nothing = with(&MARKET, &[("inference_train_ratio", 0.0), ("train_cost_usd", 10e6)]);
        assert_eq!(evaluate::<DemandByRatio>(&nothing, &[])["build_units_per_year"].to_bits(), 0);
        let too_much = with(&MARKET, &[("inference_train_ratio", 1e6), ("train_cost_usd", 10e6)]);
        let answers = evaluate::<DemandByRatio>(&too_much, &[]);
        assert!(answers["build_units_per_year"].is_nan());
        assert_eq!(answers["demand_status"].to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let market = with(&MARKET, &[("build_units_per_year", 1000.0)]);
        check_derivatives::<Demand>(Case { values: &market, choices: &[] }, &[]);
        let spend =
            [("build_spend_usd_per_year", 100e6), ("build_performance_ratio", 0.8), ("chip_price_usd", 25_000.0)];
        check_derivatives::<DemandBySpend>(Case { values: &spend, choices: &[] }, &[]);
        let ratio = with(&MARKET, &[("inference_train_ratio", 2.1), ("train_cost_usd", 10e6)]);
        check_derivatives::<DemandByRatio>(Case { values: &ratio, choices: &[] }, &[]);
    }
}
