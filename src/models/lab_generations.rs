//! A lab as a row of models: each costs more to train than the one before, and is paid by what the one before earns.
//!
//!     training_g = training_0 · (1+γ)^g        revenue_g = R · training_(g-1), one year later; none before the first
//!     result_g   = c · revenue_g - training_g  profit of model g = (c R - 1) · training_g
//!     cumulative = -training_0 · (1 + (1 + γ - c R) · ((1+γ)^g - 1) / γ)
//!     payback    = 12 · -log₂(1 - (1 - 2^(-1/h)) / (c R)) · h months after launch, h the half-life in years; 12 / (c R) without fading
//!
//! c is the contribution margin: what is left of a dollar of revenue once it is served and sold. A company whose every model
//! earns more than it cost still loses in each year in which training grows faster than c R: Amodei's example (Cheeky Pint,
//! 2025) has R = 2 and tenfold growth, -0.1, -0.8, -8.0 bn USD, with models that earn 0.1 and 1.0. The results flip at
//! lab_breakeven_growth_per_year, a model's at lab_breakeven_multiple.
//!
//! R is the revenue of the first year after launch, whatever the half-life within it; a company's year counts that year
//! alone, as the next model replaces the last. Payback goes on past it. Left out: research and staff beside the models, and
//! revenue in the year of training.

use crate::finance::MONTHS_PER_YEAR;
use crate::variable::{HUGE, INFINITE, NONE, model};
use std::f64::consts::LN_2;

model! {
    /// A lab as a row of models, each paid by what the one before earns.
    LabGenerations = "lab_generations";
    inputs {
        /// Which model since the first, which is 0; one a year.
        lab_generation: integer "1" [0.0, 60.0], default NONE, typical [0.0, 5.0], Definition "property of the year";
        /// Cost of training the first model.
        lab_first_training_usd: number "USD" [0.0, 1e13], default NONE, typical [1e7, 1e10], Estimate "Amodei's example: 0.1 bn";
        /// Months in which what a model earns halves.
        lab_model_half_life_months: number "months" [0.1, INFINITE], default INFINITE, typical [4.0, 18.0], Definition "revenue does not fade";
    }
    choices {}
    reads { lab_revenue_multiple lab_contribution_margin lab_compute_growth_per_year }
    outputs {
        /// Training of this generation.
        lab_generation_training_usd: "USD" [0.0, INFINITE];
        /// Revenue in the year of that training, from the model before.
        lab_generation_revenue_usd: "USD" [0.0, INFINITE];
        /// Result of the company in that year.
        lab_generation_result_usd: "USD" [-INFINITE, INFINITE];
        /// Sum of the results from the first year to that one.
        lab_generation_cumulative_usd: "USD" [-INFINITE, INFINITE];
        /// What this generation's model earns in the year after, less its training.
        lab_model_profit_usd: "USD" [-INFINITE, INFINITE];
    }
    summaries {
        /// Growth of training at which the company's result after the first year is 0.
        lab_breakeven_growth_per_year: "1/year" [-HUGE, HUGE];
        /// Revenue over training at which a model earns what it cost; infinite where nothing is left of revenue.
        lab_breakeven_multiple: "1" [0.0, INFINITE];
        /// Months from launch until a model has earned what it cost; infinite if never.
        lab_model_payback_months: "months" [0.0, INFINITE];
        /// Half-life of revenue above which a model is paid back; 0 where the first year is enough, infinite if none is.
        lab_breakeven_half_life_months: "months" [0.0, INFINITE];
    }
    statuses {}
    equations(x, given) {
        let growth = x.lab_compute_growth_per_year;
        let growth_log = growth.ln_1p();
        let training_0 = x.lab_first_training_usd;
        let lab_generation_training_usd =
            given.lab_generation_training_usd(training_0 * (growth_log * x.lab_generation).exp());
        let first = x.lab_generation.le(N::zero());
        let before_usd = lab_generation_training_usd / (growth + 1.0);
        let lab_generation_revenue_usd = given
            .lab_generation_revenue_usd(N::select(first, N::zero(), x.lab_revenue_multiple * before_usd));
        let lab_generation_result_usd = given.lab_generation_result_usd(
            x.lab_contribution_margin * lab_generation_revenue_usd - lab_generation_training_usd,
        );
        let earned = x.lab_contribution_margin * x.lab_revenue_multiple;
        // Σ (1+γ)^k over the g years before; near γ = 0 by its first terms.
        let g = x.lab_generation;
        let small = growth.abs().lt(N::of(1e-9));
        let sum = (growth_log * g).exp_m1() / N::select(small, N::one(), growth);
        let series = g + g * (g - 1.0) * growth * 0.5;
        let trained_before_usd = training_0 * N::select(small, series, sum);
        let lab_generation_cumulative_usd = given.lab_generation_cumulative_usd(
            trained_before_usd * (earned - growth - 1.0) - training_0,
        );
        let lab_model_profit_usd = given.lab_model_profit_usd(lab_generation_training_usd * (earned - 1.0));

        let lab_breakeven_growth_per_year = earned - 1.0;
        let earns = N::zero().lt(earned);
        let leaves = N::zero().lt(x.lab_contribution_margin);
        let lab_breakeven_multiple = N::select(
            leaves,
            N::one() / N::select(leaves, x.lab_contribution_margin, N::one()),
            N::of(INFINITE),
        );
        let fading = N::of(LN_2 * MONTHS_PER_YEAR) / x.lab_model_half_life_months;
        let first_year = -(-fading).exp_m1();
        let needed = N::one() / N::select(earns, earned, N::one());
        let used_up = first_year * needed;
        let lasts = fading.le(N::zero());
        let pays = earns & used_up.lt(N::one());
        let fading_years = -(-N::select(pays, used_up, N::of(0.5))).ln_1p() / N::select(lasts, N::one(), fading);
        let years = N::select(lasts, needed, fading_years);
        let lab_model_payback_months = N::select(pays, years * MONTHS_PER_YEAR, N::of(INFINITE));
        // 1 - 2^(-12/h) = c R.
        let short = earns & earned.lt(N::one());
        let half_life_months = N::of(-LN_2 * MONTHS_PER_YEAR) / (-N::select(short, earned, N::of(0.5))).ln_1p();
        let enough_or_never = N::select(earns, N::zero(), N::of(INFINITE));
        let lab_breakeven_half_life_months = N::select(short, half_life_months, enough_or_never);
        Outputs {
            lab_generation_training_usd, lab_generation_revenue_usd, lab_generation_result_usd,
            lab_generation_cumulative_usd, lab_model_profit_usd, lab_breakeven_growth_per_year, lab_breakeven_multiple,
            lab_model_payback_months, lab_breakeven_half_life_months,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LabGenerations;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const AMODEI: [(&str, f64); 5] = [
        ("lab_generation", 0.0),
        ("lab_first_training_usd", 0.1e9),
        ("lab_revenue_multiple", 2.0),
        ("lab_contribution_margin", 1.0),
        ("lab_compute_growth_per_year", 9.0),
    ];

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= wanted.abs() * 1e-12, "{found} is not {wanted}"); // a power and few roundings
    }

    #[test]
    fn amodei_by_hand() {
        // -0.1; 0.2 - 1 = -0.8; 2 - 10 = -8; together -8.9. Models earn 0.2 - 0.1 = 0.1 and 2 - 1 = 1.
        let mut sum = 0.0;
        for (generation, result, profit) in [(0.0, -0.1e9, 0.1e9), (1.0, -0.8e9, 1e9), (2.0, -8e9, 10e9)] {
            let answers = evaluate::<LabGenerations>(&with(&AMODEI, &[("lab_generation", generation)]), &[]);
            near(answers["lab_generation_result_usd"], result);
            near(answers["lab_model_profit_usd"], profit);
            sum += result;
            near(answers["lab_generation_cumulative_usd"], sum);
            near(answers["lab_model_payback_months"], 6.0);
            near(answers["lab_breakeven_growth_per_year"], 1.0);
        }
    }

    #[test]
    fn results_turn_at_the_break_even() {
        let year = with(&AMODEI, &[("lab_generation", 3.0), ("lab_contribution_margin", 0.7)]);
        let at = |changes: &[(&str, f64)]| evaluate::<LabGenerations>(&with(&year, changes), &[]);
        let turn = at(&[])["lab_breakeven_growth_per_year"];
        near(at(&[("lab_compute_growth_per_year", turn)])["lab_generation_result_usd"] + 1.0, 1.0);
        assert!(at(&[("lab_compute_growth_per_year", turn * 0.99)])["lab_generation_result_usd"] > 0.0);
        let multiple = at(&[])["lab_breakeven_multiple"];
        assert!(at(&[("lab_revenue_multiple", multiple)])["lab_model_profit_usd"].abs() < 1e-3); // of 7e10
    }

    #[test]
    fn payback_of_a_model_that_fades() {
        let at = |changes: &[(&str, f64)]| evaluate::<LabGenerations>(&with(&AMODEI, changes), &[]);
        // One year's revenue pays exactly: 12 months for every half-life.
        for months in [3.0, 9.0, 1e6, f64::INFINITY] {
            let exact = at(&[("lab_revenue_multiple", 1.0), ("lab_model_half_life_months", months)]);
            assert!((exact["lab_model_payback_months"] - 12.0).abs() < 1e-8); // ln(1 - x) near x = 1
        }
        // Half-life 12: the first year brings half of all; 0.6 of the cost in it pays back where 1 - 2^-t = 0.5 / 0.6,
        // t = log2 6 = 2.5849625 years.
        let slow = at(&[("lab_revenue_multiple", 0.6), ("lab_model_half_life_months", 12.0)]);
        near(slow["lab_model_payback_months"], 12.0 * core_math::log2(6.0));
        let turn = slow["lab_breakeven_half_life_months"];
        let pays = |months| at(&[("lab_revenue_multiple", 0.6), ("lab_model_half_life_months", months)]);
        assert!(pays(turn * 1.001)["lab_model_payback_months"].is_finite());
        assert!(pays(turn * 0.999)["lab_model_payback_months"].is_infinite());
        assert!(at(&[("lab_contribution_margin", -0.1)])["lab_model_payback_months"].is_infinite());
        // Slower fading, earlier or later payback as the first year is fixed: no fading is the limit.
        let slowest = at(&[("lab_model_half_life_months", 1e12)])["lab_model_payback_months"];
        assert!((slowest / 6.0 - 1.0).abs() < 1e-11); // 12 ln 2 / h / 4 away
    }

    #[test]
    fn training_that_does_not_grow() {
        let still = |growth| {
            let case = with(&AMODEI, &[("lab_generation", 4.0), ("lab_compute_growth_per_year", growth)]);
            evaluate::<LabGenerations>(&case, &[])["lab_generation_cumulative_usd"]
        };
        near(still(0.0), 4.0 * 0.1e9 - 0.1e9);
        assert!((still(1e-9) / still(0.999e-9) - 1.0).abs() < 1e-11);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(
            &AMODEI,
            &[("lab_generation", 2.0), ("lab_contribution_margin", 0.4), ("lab_model_half_life_months", 20.0)],
        );
        check_derivatives::<LabGenerations>(Case { values: &case, choices: &[] }, &[]);
    }
}
