//! The least yearly spending on merchant chips that pays for a chip of one's own, two ways.
//!
//! By build: V* = break-even units · ratio · price. Build's monthly equation with the launch law, falling merchant prices,
//! growth, obsolescence, ramp and life; V* does not depend on the row's own volume.
//!
//! By delay, where less is known, constant paths in closed form:
//!
//!     squeeze = (1 - c) + c / speed-up                of the design, c its compressible share
//!     launch  τ = design · squeeze + fixed            fab, packaging and bring-up are the floor
//!     NRE     N = design cost · squeeze^ζ + masks
//!     worth   W = s · a · e^-ρτ (1 - e^-ρL) / ρ       s saving, a addressable share, L years of life
//!     V* = N / W,   ρ = ln(1 + r) + ln 2 / half-life
//!
//! Faster design acts twice, and the two effects multiply: timeliness, e^(ρ (τ at speed-up 1 - τ)), and the cost of design,
//! N at speed-up 1 over N. Masks and the fixed months are what design can't cut. The saving is a constant share of the
//! spending that is replaced; where merchant prices fall that holds only if own prices fall alike, and by build is the way.
//! The form is the build-or-buy break-even of a demand that halves every h months; ζ is a judgement, nobody has published it.

/// By the break-even of a programme.
pub mod by_build {
    use crate::variable::{INFINITE, model};

    model! {
        /// The least yearly spending that pays for a chip, by the break-even of a programme.
        ExpansionByBuild = "expansion_by_build";
        inputs {}
        choices {}
        reads { build_breakeven_units_per_year build_performance_ratio chip_price_usd }
        outputs {
            /// Least spending on merchant chips a year, at the decision, that pays for a chip of one's own; infinite if none does.
            expansion_threshold_usd: "USD" [0.0, INFINITE];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            // Without a price nothing is spent, however much is bought.
            let unit_usd = x.build_performance_ratio * x.chip_price_usd;
            let none = x.build_breakeven_units_per_year.eq(N::of(INFINITE));
            let units = N::select(none, N::one(), x.build_breakeven_units_per_year);
            let spending = N::select(none, N::of(INFINITE), units * unit_usd);
            Outputs { expansion_threshold_usd: given.expansion_threshold_usd(spending) }
        }
    }
}

/// By months and cost of design.
pub mod by_delay {
    use crate::finance::{MONTHS_PER_YEAR, deferred_annuity};
    use crate::variable::{HUGE, INFINITE, NONE, model};
    use std::f64::consts::LN_2;

    model! {
        /// The least yearly spending that pays for a chip, by months and cost of design.
        ExpansionByDelay = "expansion_by_delay";
        inputs {
            /// Months of design at a speed-up of 1.
            expansion_design_months: number "months" [0.0, 720.0], default NONE, typical [12.0, 24.0], Estimate "18-24 months are typical";
            /// Months that design does not cut: fab, packaging, bring-up, respins.
            expansion_fixed_months: number "months" [0.0, 720.0], default NONE, typical [3.0, 20.0], Estimate "masks and fab cycle 3-5, to volume 7-12, respins 2-9";
            /// Cost of design at a speed-up of 1, without masks.
            expansion_design_usd: number "USD" [0.0, 1e15], default NONE, typical [30e6, 600e6], Estimate "Taalas 30 M to frontier parts of 500 M and more";
            /// How the cost of design follows its months: 0 not at all, 1 in proportion.
            expansion_cost_exponent: number "1" [0.0, 10.0], default NONE, typical [0.0, 1.0], Judgement "tools replace people in part";
            /// Share of the replaced spending that the chip saves.
            expansion_saving_share: number "1" [0.0, 1.0], default NONE, typical [0.1, 0.5], Estimate "Bernstein 15.6-19 % of capital, Broadcom about 50 %";
        }
        choices {}
        reads {
            design_speedup design_compressible_share programme_mask_usd build_addressable_share build_life_months
            build_demand_half_life_months discount_rate_per_year
        }
        outputs {
            /// Month of launch.
            expansion_launch_months: "months" [0.0, 10_000.0];
            /// Cost of design and masks.
            expansion_nre_usd: "USD" [0.0, HUGE];
            /// Least spending on merchant chips a year, at the decision, that pays for a chip of one's own; infinite if none does.
            expansion_threshold_usd: "USD" [0.0, INFINITE];
            /// Saving at that launch over the saving at a speed-up of 1: the threshold falls by it.
            expansion_timeliness_gain: "1" [0.0, INFINITE];
            /// Cost at a speed-up of 1 over the cost: the threshold falls by it too.
            expansion_cost_gain: "1" [0.0, INFINITE];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let squeeze = (-x.design_compressible_share + 1.0) + x.design_compressible_share / x.design_speedup;
            let unhurried_months = x.expansion_design_months + x.expansion_fixed_months;
            let expansion_launch_months =
                given.expansion_launch_months(x.expansion_design_months * squeeze + x.expansion_fixed_months);
            let design_usd = x.expansion_design_usd * squeeze.pow(x.expansion_cost_exponent);
            let expansion_nre_usd = given.expansion_nre_usd(design_usd + x.programme_mask_usd);

            let fading = N::of(LN_2 * MONTHS_PER_YEAR) / x.build_demand_half_life_months;
            let rate_per_year = x.discount_rate_per_year.ln_1p() + fading;
            let years = deferred_annuity(
                rate_per_year,
                expansion_launch_months / MONTHS_PER_YEAR,
                x.build_life_months / MONTHS_PER_YEAR,
            );
            let worth = x.expansion_saving_share * x.build_addressable_share * years;
            let saves = N::zero().lt(worth);
            let threshold = expansion_nre_usd / N::select(saves, worth, N::one());
            let without = N::select(N::zero().lt(expansion_nre_usd), N::of(INFINITE), N::zero());
            let expansion_threshold_usd = given.expansion_threshold_usd(N::select(saves, threshold, without));

            let sooner_years = (unhurried_months - expansion_launch_months) / MONTHS_PER_YEAR;
            let expansion_timeliness_gain = given.expansion_timeliness_gain((rate_per_year * sooner_years).exp());
            let costs = N::zero().lt(expansion_nre_usd);
            let unhurried_usd = x.expansion_design_usd + x.programme_mask_usd;
            let expansion_cost_gain = given
                .expansion_cost_gain(unhurried_usd / N::select(costs, expansion_nre_usd, N::of(NONE)));
            Outputs {
                expansion_launch_months, expansion_nre_usd, expansion_threshold_usd, expansion_timeliness_gain,
                expansion_cost_gain,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::by_build::ExpansionByBuild;
    use super::by_delay::ExpansionByDelay;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const WORKLOAD: [(&str, f64); 12] = [
        ("expansion_design_months", 24.0),
        ("expansion_fixed_months", 6.0),
        ("expansion_design_usd", 180e6),
        ("expansion_cost_exponent", 1.0),
        ("expansion_saving_share", 0.25),
        ("design_speedup", 2.0),
        ("design_compressible_share", 1.0),
        ("programme_mask_usd", 20e6),
        ("build_addressable_share", 0.8),
        ("build_life_months", 36.0),
        ("build_demand_half_life_months", 9.0),
        ("discount_rate_per_year", 0.0),
    ];

    #[test]
    fn a_workload_by_hand() {
        // Launch in month 12 + 6 = 18, two half-lives: 1/4. Life of four more: (1 - 1/16) / (ln 2 · 12 / 9) = 1.014395 years.
        // W = 0.25 · 0.8 · 0.25 · 1.014395 = 0.05071975; N = 90 + 20 M; V* = 2168.781 M.
        // Timeliness: 12 months sooner, 2^(12/9) = 2.519842; cost: 200 / 110.
        let answers = evaluate::<ExpansionByDelay>(&WORKLOAD, &[]);
        let near =
            |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-6, "{name}: {}", answers[name]);
        near("expansion_launch_months", 18.0);
        near("expansion_nre_usd", 110e6);
        near("expansion_threshold_usd", 2_168.780_5e6);
        near("expansion_timeliness_gain", 2.519_842);
        near("expansion_cost_gain", 200.0 / 110.0);
    }

    #[test]
    fn the_two_effects_are_the_whole() {
        for (speedup, share, exponent) in [(2.0, 1.0, 1.0), (3.7, 0.6, 0.4), (1e6, 0.9, 0.0), (0.5, 0.6, 1.0)] {
            let fast = [
                ("design_speedup", speedup),
                ("design_compressible_share", share),
                ("expansion_cost_exponent", exponent),
            ];
            let fast = with(&WORKLOAD, &fast);
            let threshold =
                |values: &[(&str, f64)]| evaluate::<ExpansionByDelay>(values, &[])["expansion_threshold_usd"];
            let answers = evaluate::<ExpansionByDelay>(&fast, &[]);
            let gains = answers["expansion_timeliness_gain"] * answers["expansion_cost_gain"];
            let whole = threshold(&with(&fast, &[("design_speedup", 1.0)])) / threshold(&fast);
            assert!((gains / whole - 1.0).abs() < 1e-13); // exponentials of up to 4
        }
    }

    #[test]
    fn limits() {
        let threshold = |changes: &[(&str, f64)]| evaluate::<ExpansionByDelay>(&with(&WORKLOAD, changes), &[])["expansion_threshold_usd"];
        // However fast the design, the fixed months stay: 2^(-6/9) instead of 2^-2, and masks.
        let floor = threshold(&[("design_speedup", 1e6)]);
        assert!((floor / (20e6 / (0.2 * 0.629_960_525 * 1.014_394_951)) - 1.0).abs() < 1e-4); // a millionth of the design is left
        assert!(threshold(&[("expansion_saving_share", 0.0)]).is_infinite());
        assert!(threshold(&[("build_life_months", 0.0)]).is_infinite());
        let free = [("expansion_design_usd", 0.0), ("programme_mask_usd", 0.0)];
        assert_eq!(threshold(&free).to_bits(), 0);
        assert_eq!(threshold(&[free[0], free[1], ("expansion_saving_share", 0.0)]).to_bits(), 0);
        // Without fading or discount three years of the saving: 110 M / (0.2 · 3).
        let lasting = threshold(&[("build_demand_half_life_months", f64::INFINITY)]);
        assert!((lasting / (110e6 / 0.6) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_programme_s_break_even_in_money() {
        let programme = [
            ("build_breakeven_units_per_year", 50_000.0),
            ("build_performance_ratio", 1.2),
            ("chip_price_usd", 35_000.0),
        ];
        assert_eq!(
            evaluate::<ExpansionByBuild>(&programme, &[])["expansion_threshold_usd"],
            50_000.0 * (1.2 * 35_000.0)
        );
        let never = with(&programme, &[("build_breakeven_units_per_year", f64::INFINITY), ("chip_price_usd", 0.0)]);
        assert!(evaluate::<ExpansionByBuild>(&never, &[])["expansion_threshold_usd"].is_infinite());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let workload = with(
            &WORKLOAD,
            &[("design_compressible_share", 0.6), ("expansion_cost_exponent", 0.4), ("discount_rate_per_year", 0.1)],
        );
        check_derivatives::<ExpansionByDelay>(Case { values: &workload, choices: &[] }, &[]);
        let programme = [
            ("build_breakeven_units_per_year", 50_000.0),
            ("build_performance_ratio", 1.2),
            ("chip_price_usd", 35_000.0),
        ];
        check_derivatives::<ExpansionByBuild>(Case { values: &programme, choices: &[] }, &[]);
    }
}
