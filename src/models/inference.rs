//! What the inference of a model costs over its life, from tokens and the cost of a million of them.
//!
//!     Q(t) = min(cap, Q₀ (1+γ)^t) · 2^(-x/h)                                          tokens a month
//!     lifetime inference = Σₖ Q(t) · s · usd per token · (1-d)^t · (1+r)^-t,   t at mid-month, 120 months
//!
//! Growth, cap, half-life, decline and discounting are those of `demand`, for tokens instead of units, and s is the share
//! of the cost that is counted; where tokens become units both give the same. No ratio to training enters, so that what is
//! found may be compared with the cost of training: the month in which inference has cost as much as the run, and the tokens
//! a month at which it does so in the end. Where operations cost the same in both, that takes three times the tokens trained
//! on, whatever the model's size: 2 N T = 6 N D. Definitions.
//!
//! Left out: what a token is sold for, caching, and that input costs less than output; enter the mean.

use crate::finance::MONTHS_PER_YEAR;
use crate::market::{HORIZON, Market, Month, TOKENS_PER_MTOK, merchant_volume};
use crate::variable::{HUGE, INFINITE, model};

model! {
    /// What the inference of a model costs over its life, from tokens and the cost of a million of them.
    Inference = "inference";
    inputs {}
    choices {}
    reads {
        build_tokens_per_month serve_usd_per_mtok inference_accelerator_share build_demand_growth_per_year
        build_demand_half_life_months build_demand_cap_tokens_per_month build_merchant_decline_per_year discount_rate_per_year
        train_cost_usd
    }
    outputs {
        /// Present value at the decision of all inference demand on merchant chips.
        lifetime_inference_usd: "USD" [0.0, HUGE];
        /// Tokens over the horizon.
        lifetime_inference_tokens: "tokens" [0.0, INFINITE];
    }
    summaries {
        /// Month in which inference, discounted, has cost as much as training; infinite if never within the horizon.
        inference_passes_training_months: "months" [0.0, INFINITE];
        /// Tokens a month at the decision at which inference costs as much as training; infinite where the cap keeps it below.
        inference_breakeven_tokens_per_month: "tokens/month" [0.0, INFINITE];
    }
    statuses {}
    equations(x, given) {
        let usd_per_token = x.serve_usd_per_mtok * x.inference_accelerator_share / TOKENS_PER_MTOK;
        // A year's tokens, as flows count by the year.
        let market = Market {
            units_per_year: x.build_tokens_per_month * MONTHS_PER_YEAR,
            growth_per_year: x.build_demand_growth_per_year,
            half_life_months: x.build_demand_half_life_months,
            cap_units_per_year: x.build_demand_cap_tokens_per_month * MONTHS_PER_YEAR,
            price_usd: usd_per_token,
            decline_per_year: x.build_merchant_decline_per_year,
            discount_rate_per_year: x.discount_rate_per_year,
        };
        let mut month = Month::first(&market);
        let mut spent_usd = N::zero();
        let mut tokens = N::zero();
        let mut months = N::zero();
        let mut k = 0;
        while k < HORIZON {
            let month_tokens = month.units_per_year() / MONTHS_PER_YEAR;
            let month_usd = month_tokens * (month.price_usd.now * month.discount.now);
            let lacks_usd = x.train_cost_usd - spent_usd;
            let part = lacks_usd / N::select(N::zero().lt(month_usd), month_usd, N::one());
            let passes = lacks_usd.le(month_usd);
            months = months + N::select(passes, part.positive_part(), N::one());
            spent_usd = spent_usd + month_usd;
            tokens = tokens + month_tokens;
            month.step();
            k += 1;
        }
        let lifetime_inference_usd = given.lifetime_inference_usd(spent_usd);
        let lifetime_inference_tokens = given.lifetime_inference_tokens(tokens);
        let passed = x.train_cost_usd.le(spent_usd);
        let inference_passes_training_months = N::select(passed, months, N::of(INFINITE));
        let inference_breakeven_tokens_per_month = if given.wanted.inference_breakeven_tokens_per_month {
            merchant_volume(&market).units_worth(x.train_cost_usd, HUGE) / MONTHS_PER_YEAR
        } else {
            N::zero()
        };
        Outputs {
            lifetime_inference_usd, lifetime_inference_tokens, inference_passes_training_months,
            inference_breakeven_tokens_per_month,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Inference;
    use crate::models::demand::Demand;
    use crate::models::demand::by_tokens::DemandByTokens;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const STILL: [(&str, f64); 5] = [
        ("build_tokens_per_month", 100e12),
        ("serve_usd_per_mtok", 2.0),
        ("build_merchant_decline_per_year", 0.0),
        ("discount_rate_per_year", 0.0),
        ("train_cost_usd", 1e9),
    ];
    const MOVING: [(&str, f64); 6] = [
        ("inference_accelerator_share", 0.4),
        ("build_demand_growth_per_year", 1.5),
        ("build_demand_half_life_months", 9.0),
        ("build_demand_cap_tokens_per_month", 700e12),
        ("build_merchant_decline_per_year", 0.45),
        ("discount_rate_per_year", 0.1),
    ];

    #[test]
    fn nothing_that_moves_by_hand() {
        // 100e12 tokens · 2 USD / 1e6 = 200 M USD a month: 24 bn in ten years; 1 bn after 5 months.
        // The run costs as much as 1e9 / 24e9 · 100e12 tokens a month do.
        let answers = evaluate::<Inference>(&STILL, &[]);
        let near = |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-13, "{name}"); // 120 additions
        near("lifetime_inference_usd", 24e9);
        near("lifetime_inference_tokens", 12_000e12);
        near("inference_passes_training_months", 5.0);
        near("inference_breakeven_tokens_per_month", 100e12 / 24.0);
        let dear = evaluate::<Inference>(&with(&STILL, &[("train_cost_usd", 24.1e9)]), &[]);
        assert!(dear["inference_passes_training_months"].is_infinite());
        let free = evaluate::<Inference>(&with(&STILL, &[("train_cost_usd", 0.0)]), &[]);
        assert_eq!(free["inference_passes_training_months"].to_bits(), 0);
    }

    #[test]
    fn three_times_the_training_tokens_at_equal_cost_of_an_operation() {
        // 2 N operations a token served, 6 N a token trained on, 1e-18 USD each, N = 1e11, D = 1e13.
        let (params, trained) = (1e11, 1e13);
        let even =
            [("serve_usd_per_mtok", 2.0 * params * 1e-18 * 1e6), ("train_cost_usd", 6.0 * params * trained * 1e-18)];
        let answers = evaluate::<Inference>(&with(&STILL, &even), &[]);
        let tokens = answers["inference_breakeven_tokens_per_month"] * 120.0;
        assert!((tokens / (3.0 * trained) - 1.0).abs() < 1e-13);
    }

    #[test]
    fn units_that_the_tokens_buy_cost_the_same() {
        let tokens = with(&STILL, &MOVING);
        let direct = evaluate::<Inference>(&tokens, &[])["lifetime_inference_usd"];
        let chips = [("chip_price_usd", 35e3), ("build_performance_ratio", 1.25)];
        let bought = with(&tokens[..], &chips);
        let wanted = |name: &&(&str, f64)| {
            ["build_tokens_per_month", "serve_usd_per_mtok", "inference_accelerator_share"].contains(&name.0)
                || name.0 == "build_demand_cap_tokens_per_month"
                || chips.iter().any(|chip| chip.0 == name.0)
        };
        let bought: Vec<(&str, f64)> = bought.iter().filter(wanted).copied().collect();
        let units = evaluate::<DemandByTokens>(&bought, &[]);
        let market = [
            ("build_units_per_year", units["build_units_per_year"]),
            ("build_demand_cap_units_per_year", units["build_demand_cap_units_per_year"]),
            ("build_demand_growth_per_year", 1.5),
            ("build_demand_half_life_months", 9.0),
            ("build_merchant_decline_per_year", 0.45),
            ("discount_rate_per_year", 0.1),
        ];
        let through = evaluate::<Demand>(&with(&market, &chips), &[])["lifetime_inference_usd"];
        assert!((through / direct - 1.0).abs() < 1e-13);
        check_derivatives::<DemandByTokens>(Case { values: &bought, choices: &[] }, &[]);
    }

    #[test]
    fn monotonicity() {
        let row = with(&STILL, &MOVING);
        let spent =
            |changes: &[(&str, f64)]| evaluate::<Inference>(&with(&row, changes), &[])["lifetime_inference_usd"];
        let once = spent(&[]);
        assert!((spent(&[("serve_usd_per_mtok", 4.0)]) / once - 2.0).abs() < 1e-13);
        assert!(spent(&[("build_demand_growth_per_year", 2.0)]) > once);
        assert!(spent(&[("build_demand_cap_tokens_per_month", 500e12)]) < once);
        assert!(spent(&[("build_demand_half_life_months", 8.0)]) < once);
        assert!(spent(&[("build_merchant_decline_per_year", 0.5)]) < once);
        assert!(spent(&[("discount_rate_per_year", 0.2)]) < once);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let row = with(&with(&STILL, &MOVING), &[("train_cost_usd", 0.37e9)]);
        check_derivatives::<Inference>(Case { values: &row, choices: &[] }, &[]);
    }
}
