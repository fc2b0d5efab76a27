//! What inference needs and costs on merchant chips, month by month.
//!
//!     D(t) = min(cap, D₀ (1+γ)^t) · 2^(-x/h)
//!     inference of the month = D(t)/12 · ratio · price · (1-d)^t · (1+r)^-t,   t at mid-month
//!
//! The months are those of `demand`, whose lifetime inference is their sum. Month 0 begins at the decision. Definitions.

use crate::market::{HORIZON, Market, Month, merchant_volume};
use crate::variable::{HUGE, NONE, model};

const _: () = assert!(HORIZON == 120, "months are 0 to 119");

model! {
    /// What inference needs and costs on merchant chips, month by month.
    DemandMonth = "demand_month";
    inputs {
        /// Which month after the decision, from 0 on.
        month: integer "months" [0.0, 119.0], default NONE, typical [0.0, 119.0], Definition "ten years";
    }
    choices {}
    reads {
        build_units_per_year build_performance_ratio chip_price_usd build_demand_growth_per_year
        build_demand_half_life_months build_demand_cap_units_per_year build_merchant_decline_per_year
        discount_rate_per_year
    }
    outputs {}
    summaries {
        /// Demand in the month, in own units bought a year.
        month_demand_units_per_year: "1/year" [0.0, HUGE];
        /// What the merchant asks in the month for the work of one own unit.
        month_merchant_price_usd: "USD" [0.0, HUGE];
        /// What a dollar of the month is worth at the decision.
        month_discount_factor: "1" [0.0, HUGE];
        /// Present value of the month's demand on merchant chips; all months together are lifetime_inference_usd.
        month_inference_usd: "USD" [0.0, HUGE];
    }
    statuses {}
    equations(x, given, path) {
        let market = Market {
            units_per_year: x.build_units_per_year,
            growth_per_year: x.build_demand_growth_per_year,
            half_life_months: x.build_demand_half_life_months,
            cap_units_per_year: x.build_demand_cap_units_per_year,
            price_usd: x.build_performance_ratio * x.chip_price_usd,
            decline_per_year: x.build_merchant_decline_per_year,
            discount_rate_per_year: x.discount_rate_per_year,
        };
        let volume = merchant_volume(&market);
        let mut month = Month::first(&market);
        let mut k = 0;
        while k < HORIZON {
            path.month_demand_units_per_year[k] = month.units_per_year().save();
            path.month_merchant_price_usd[k] = month.price_usd.now.save();
            path.month_discount_factor[k] = month.discount.now.save();
            path.month_inference_usd[k] = volume.month_usd(k, x.build_units_per_year).save();
            month.step();
            k += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DemandMonth;
    use crate::models::demand::Demand;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const MARKET: [(&str, f64); 8] = [
        ("build_units_per_year", 1000.0),
        ("chip_price_usd", 30_000.0),
        ("build_performance_ratio", 0.8),
        ("build_demand_growth_per_year", 0.3),
        ("build_demand_half_life_months", 40.0),
        ("build_demand_cap_units_per_year", 3000.0),
        ("build_merchant_decline_per_year", 0.25),
        ("discount_rate_per_year", 0.12),
    ];

    #[test]
    fn a_month_by_hand() {
        // Month 17 is at 17.5, t = 1.458333: demand 1000 · 1.3^t · 2^(-17.5/40) = 1466.11 · 0.738413 = 1082.597; price
        // 24000 · 0.75^t = 15776.44; discount 1.12^-t = 0.847664; 1082.597 / 12 · 15776.44 · 0.847664 = 1206475.
        let case = with(&MARKET, &[("month", 17.0)]);
        let answers = evaluate::<DemandMonth>(&case, &[]);
        let near = |name: &str, wanted: f64| {
            assert!((answers[name] / wanted - 1.0).abs() < 1e-5, "{name}: {}", answers[name]); // digits written
        };
        near("month_demand_units_per_year", 1082.6);
        near("month_merchant_price_usd", 15_776.4);
        near("month_discount_factor", 0.847_664);
        near("month_inference_usd", 1_206_475.0);
    }

    #[test]
    fn the_months_are_the_lifetime() {
        let months = (0..120).map(|month| {
            evaluate::<DemandMonth>(&with(&MARKET, &[("month", f64::from(month))]), &[])["month_inference_usd"]
        });
        let lifetime = evaluate::<Demand>(&MARKET, &[])["lifetime_inference_usd"];
        assert_eq!(months.fold(0.0, |sum, month| sum + month).to_bits(), lifetime.to_bits());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for month in [3.0, 88.0] {
            let case = with(&MARKET, &[("month", month)]);
            check_derivatives::<DemandMonth>(Case { values: &case, choices: &[] }, &[]);
        }
    }
}
