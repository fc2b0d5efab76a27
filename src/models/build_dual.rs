//! Building and buying side by side: own units capped at a share of the work they can do.
//!
//!     own units      min(share · addressable · D, peak)      instead of min(addressable · D, peak)
//!     dual saving    saving of building - Σₖ forgone unitsₖ · u · live · (1+r)^-t · expected share in serviceₖ
//!
//! The flows and the launch law are those of `build`, and so is the programme's cost, which does not shrink with the share.
//! What the cap leaves to the merchant is subtracted, so that a cap which never binds gives what building gives, to the last
//! bit. What the merchant concedes on what it keeps is in `leverage_beside`; the two meet in `dual`. Definition.

use crate::launch::{Edges, LaunchLaw, Overrun};
use crate::market::{HORIZON, Market};
use crate::number::Number;
use crate::own_flow::{OwnFlow, OwnMonth, OwnUnits};
use crate::saving::{Launches, Months, months};
use crate::variable::{HUGE, NONE, model};

model! {
    /// Building and buying side by side: own units capped at a share.
    BuildDual = "build_dual";
    inputs {
        /// Share of the work own units can do that they are given, where both are bought.
        build_dual_share: number "1" [0.0, 1.0], default NONE, typical [0.2, 0.8], Definition "property of the plan";
    }
    choices {
        /// Whether the owner buys merchant chips again once they are cheaper.
        build_stop_when_dearer: bool = true, "the owner's free choice";
    }
    reads {
        build_units_per_year build_demand_growth_per_year build_demand_half_life_months build_demand_cap_units_per_year
        build_performance_ratio chip_price_usd build_merchant_decline_per_year discount_rate_per_year asic_unit_price_usd
        build_asic_decline_per_year build_opex_saving_usd build_peak_units_per_year build_addressable_share
        build_ramp_months build_life_months build_obsolescence_per_year build_residual_share programme_freeze_months
        programme_planned_months first_silicon_probability later_silicon_probability respin_months
        programme_overrun_shape programme_overrun_months lifetime_saving_usd build_displaced_usd
    }
    together { programme_overrun_months * 1.0; respin_months * 1.0; programme_planned_months * 1.0 respin_months * 6.0 }
    outputs {
        /// Expected saving with own units capped at build_dual_share, before the programme's cost.
        build_dual_saving_usd: "USD" [-HUGE, HUGE];
        /// Present value at merchant prices of the work own units are in service for at that cap.
        build_dual_displaced_usd: "USD" [0.0, HUGE];
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
        let mut flow = OwnFlow::new(
            &market,
            &OwnUnits {
                price_usd: x.asic_unit_price_usd,
                decline_per_year: x.build_asic_decline_per_year,
                opex_saving_usd: x.build_opex_saving_usd,
                freeze_months: x.programme_freeze_months,
                obsolescence_per_year: x.build_obsolescence_per_year,
                residual_share: x.build_residual_share,
                stop_when_dearer: x.build_stop_when_dearer,
            },
        );
        let law = LaunchLaw {
            planned_months: x.programme_planned_months,
            respin_months: x.respin_months,
            first_probability: x.first_silicon_probability,
            later_probability: x.later_silicon_probability,
            overrun_shape: x.programme_overrun_shape,
            overrun_months: x.programme_overrun_months,
        };
        let in_service = expected_in_service(&law, x.build_ramp_months, x.build_life_months);

        let (mut forgone_saving_usd, mut forgone_displaced_usd) = (N::zero(), N::zero());
        let mut k = 0;
        while k < HORIZON {
            let OwnMonth { unit_saving_usd, today, .. } = flow.now();
            let own_work = x.build_addressable_share * flow.month.units_per_year();
            let own_units = own_work.min(x.build_peak_units_per_year);
            let capped_units = (x.build_dual_share * own_work).min(x.build_peak_units_per_year);
            let forgone_units = (own_units - capped_units) * N::restore(in_service[k]) * today;
            forgone_saving_usd = forgone_saving_usd + forgone_units * unit_saving_usd;
            forgone_displaced_usd = forgone_displaced_usd + forgone_units * flow.month.price_usd.now;
            flow.step();
            k += 1;
        }
        let build_dual_saving_usd = given.build_dual_saving_usd(x.lifetime_saving_usd - forgone_saving_usd);
        let build_dual_displaced_usd =
            given.build_dual_displaced_usd((x.build_displaced_usd - forgone_displaced_usd).positive_part());
        Outputs { build_dual_saving_usd, build_dual_displaced_usd }
    }
}

/// Expected share of own units in service, month by month, over the launch law.
#[inline(always)]
fn expected_in_service<N: Number>(law: &LaunchLaw<N>, ramp_months: N, life_months: N) -> Months<N> {
    let overrun = Overrun::new(law);
    let mut tables = [months::<N>(); 2];
    let mut edges = Edges::new(law, &mut tables);
    let mut launches = Launches::new(ramp_months, life_months);
    let mut branches = law.branches();
    while let Some(branch) = branches.next() {
        edges.fill(&overrun, branch);
        let mut cells = edges.cells();
        while let Some(cell) = cells.next() {
            launches.add(cell.month, cell.offset, cell.mass);
        }
    }
    launches.in_service()
}

#[cfg(test)]
mod tests {
    use super::BuildDual;
    use crate::models::build::Build;
    use crate::trial::{Case, check_derivatives, evaluate, with};
    use crate::variable::Model;

    /// Between the months' edges; growing demand that passes neither cap nor peak at an edge.
    const GENERIC: [(&str, f64); 25] = [
        ("build_dual_share", 0.6),
        ("build_units_per_year", 200e3),
        ("build_demand_growth_per_year", 0.4),
        ("build_demand_half_life_months", 90.0),
        ("build_demand_cap_units_per_year", 600e3),
        ("build_performance_ratio", 1.0),
        ("chip_price_usd", 35_000.0),
        ("build_merchant_decline_per_year", 0.2),
        ("discount_rate_per_year", 0.1),
        ("asic_unit_price_usd", 14_000.0),
        ("build_asic_decline_per_year", 0.03),
        ("build_opex_saving_usd", 500.0),
        ("build_addressable_share", 0.83),
        ("build_ramp_months", 9.41),
        ("build_life_months", 36.17),
        ("build_obsolescence_per_year", 0.15),
        ("build_residual_share", 0.1),
        ("programme_freeze_months", 4.13),
        ("programme_planned_months", 18.37),
        ("first_silicon_probability", 0.24),
        ("later_silicon_probability", 0.6),
        ("respin_months", 6.29),
        ("programme_overrun_shape", 4.0),
        ("programme_overrun_months", 1.5),
        ("build_peak_units_per_year", f64::INFINITY),
    ];
    const COST: [(&str, f64); 8] = [
        ("programme_tapeout_months", 11.0),
        ("programme_fixed_usd", 60e6),
        ("programme_mask_usd", 25e6),
        ("programme_respin_usd", 11.2e6),
        ("programme_burn_usd_per_month", 10e6),
        ("programme_launch_usd", 125e6),
        ("programme_nre_scale", 1.0),
        ("lifetime_inference_usd", 20e9),
    ];
    const PAIRS: [[&str; 2]; 2] =
        [["build_dual_saving_usd", "lifetime_saving_usd"], ["build_dual_displaced_usd", "build_displaced_usd"]];

    /// What building gives, and what the cap leaves of it.
    fn both<'a>(changes: &[(&'a str, f64)]) -> ([f64; 2], [f64; 2]) {
        let case = with(&GENERIC, changes);
        let market: Vec<(&'a str, f64)> =
            case.iter().filter(|(name, _)| Build::INPUTS.contains(name)).chain(&COST).copied().collect();
        let built = evaluate::<Build>(&market, &[]);
        let whole = PAIRS.map(|[_, free]| built[free]);
        let dual = evaluate::<BuildDual>(&with(&case, &[(PAIRS[0][1], whole[0]), (PAIRS[1][1], whole[1])]), &[]);
        (whole, PAIRS.map(|[capped, _]| dual[capped]))
    }

    #[test]
    fn a_cap_on_own_units_is_a_smaller_addressable_share() {
        for peak in [f64::INFINITY, 150e3] {
            let peak = ("build_peak_units_per_year", peak);
            let (_, capped) = both(&[peak]);
            let (small, _) = both(&[peak, ("build_addressable_share", 0.83 * 0.6)]);
            for (capped, small) in capped.iter().zip(small) {
                // A sum over cells and its transpose over months: rounding of hundreds of terms.
                assert!((capped / small - 1.0).abs() < 1e-12, "{capped} {small}");
            }
        }
    }

    #[test]
    fn a_cap_that_never_binds_is_building() {
        for idle in [[("build_dual_share", 1.0)], [("build_peak_units_per_year", 10e3)]] {
            let (whole, capped) = both(&idle);
            assert_eq!(whole.map(f64::to_bits), capped.map(f64::to_bits));
        }
        let (_, nothing) = both(&[("build_dual_share", 0.0)]);
        assert!(nothing.iter().all(|usd| usd.abs() < 1e-2)); // of 1e9
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(&GENERIC, &[("lifetime_saving_usd", 900e6), ("build_displaced_usd", 4e9)]);
        for stop in ["true", "false"] {
            check_derivatives::<BuildDual>(Case { values: &case, choices: &[("build_stop_when_dearer", stop)] }, &[]);
        }
    }
}
