//! What designing one's own accelerator saves and costs, month by month.
//!
//!     potential saving   v = min(addressable · D, peak) / 12 · u · live · (1+r)^-t         `own_flow.rs`
//!     share in service   q = E[ramped and not retired], over the cells of the launch law   `saving.rs`
//!     saving             q v, whose sum is lifetime_saving_usd
//!     spending           each payment in the month it falls due, whose sum is programme_nre_pv_usd     `spending.rs`
//!
//! Month 0 begins at the decision; what is so far is at the end of the month. Prices and the saving of a unit are those of
//! the month, all other money is a present value at the decision, and what hangs on the launch is a mean over schedule risk.
//! The equations are those of `build`, and so are the sums: at the last month the net present value so far is build_npv_usd.
//! The balance sets the saving so far against the programme's whole cost, also what is still to be spent, so that it passes
//! 0 at build_payback_months.
//!
//! The months follow from the inputs. A stated lifetime_saving_usd, programme_nre_pv_usd or build_npv_usd has none of its own.

use crate::finance::MONTHS_PER_YEAR;
use crate::launch::{Edges, LaunchLaw, Overrun};
use crate::market::{HORIZON, Market};
use crate::own_flow::{OwnFlow, OwnUnits};
use crate::risk::{Discounts, Payments};
use crate::saving::{Launches, months};
use crate::spending::Spending;
use crate::variable::{HUGE, model};

model! {
    /// What designing one's own accelerator saves and costs, month by month.
    BuildMonth = "build_month";
    inputs {}
    choices {
        /// Whether the owner buys merchant chips again once they are cheaper.
        build_stop_when_dearer: bool = true, "the owner's free choice";
    }
    reads {
        month
        build_units_per_year build_demand_growth_per_year build_demand_half_life_months build_demand_cap_units_per_year
        build_performance_ratio chip_price_usd build_merchant_decline_per_year discount_rate_per_year
        build_asic_decline_per_year build_opex_saving_usd build_peak_units_per_year build_addressable_share
        build_ramp_months build_life_months build_obsolescence_per_year build_residual_share
        asic_unit_price_usd programme_freeze_months programme_tapeout_months programme_planned_months
        first_silicon_probability later_silicon_probability respin_months programme_overrun_shape programme_overrun_months
        programme_fixed_usd programme_mask_usd programme_respin_usd programme_burn_usd_per_month programme_launch_usd
        programme_nre_scale
    }
    outputs {}
    summaries {
        /// Price of an own unit in the month.
        month_own_price_usd: "USD" [0.0, HUGE];
        /// What an own unit bought in the month saves; 0 where the owner has stopped buying it.
        month_unit_saving_usd: "USD" [-HUGE, HUGE];
        /// Share of the work that own units can still do.
        month_live_share: "1" [0.0, 1.0];
        /// Own units that would be bought, were the chip out and ramped, a year.
        month_own_units_per_year: "1/year" [0.0, HUGE];
        /// Present value of the month's saving, were the chip out and ramped.
        month_potential_saving_usd: "USD" [-HUGE, HUGE];
        /// Chance that the chip is out by the end of the month.
        month_launched_probability: "1" [0.0, 1.0];
        /// Expected share of the chip in service: out, ramped and not yet retired.
        month_in_service_share: "1" [0.0, 1.0];
        /// Expected saving of the month; all months together are lifetime_saving_usd.
        month_saving_usd: "USD" [-HUGE, HUGE];
        /// Expected saving so far.
        month_saving_so_far_usd: "USD" [-HUGE, HUGE];
        /// Expected spending of the programme in the month; all months together are programme_nre_pv_usd.
        month_spending_usd: "USD" [0.0, HUGE];
        /// Expected spending of the programme so far.
        month_spending_so_far_usd: "USD" [0.0, HUGE];
        /// Expected saving less spending so far; in the last month build_npv_usd.
        month_npv_so_far_usd: "USD" [-HUGE, HUGE];
        /// Expected saving so far less the programme's whole expected cost; 0 at build_payback_months.
        month_balance_usd: "USD" [-HUGE, HUGE];
    }
    statuses {}
    equations(x, given, path) {
        let wanted = given.wanted;
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
        let mut k = 0;
        while k < HORIZON {
            let own = flow.now();
            let own_units = flow.units_per_year(x.build_addressable_share, x.build_peak_units_per_year);
            let bought = own_units * own.live_share;
            let dearer = own.lead_usd.lt(N::zero());
            let bought = if x.build_stop_when_dearer { N::select(dearer, N::zero(), bought) } else { bought };
            path.month_own_price_usd[k] = flow.own_price_usd.now.save();
            path.month_unit_saving_usd[k] = own.unit_saving_usd.save();
            path.month_live_share[k] = own.live_share.save();
            path.month_own_units_per_year[k] = bought.save();
            path.month_potential_saving_usd[k] = own.saving_usd(own_units).save();
            flow.step();
            k += 1;
        }

        let wants_spending = wanted.month_spending_usd
            || wanted.month_spending_so_far_usd
            || wanted.month_npv_so_far_usd
            || wanted.month_balance_usd;
        let wants_launches = wants_spending
            || wanted.month_launched_probability
            || wanted.month_in_service_share
            || wanted.month_saving_usd
            || wanted.month_saving_so_far_usd;
        if wants_launches {
            let law = LaunchLaw {
                planned_months: x.programme_planned_months,
                respin_months: x.respin_months,
                first_probability: x.first_silicon_probability,
                later_probability: x.later_silicon_probability,
                overrun_shape: x.programme_overrun_shape,
                overrun_months: x.programme_overrun_months,
            };
            let payments = Payments {
                scale: x.programme_nre_scale,
                fixed_usd: x.programme_fixed_usd,
                mask_usd: x.programme_mask_usd,
                respin_usd: x.programme_respin_usd,
                burn_usd_per_month: x.programme_burn_usd_per_month,
                launch_usd: x.programme_launch_usd,
                tapeout_months: x.programme_tapeout_months.min(x.programme_planned_months),
                respin_months: x.respin_months,
                rate: x.discount_rate_per_year.ln_1p() / MONTHS_PER_YEAR,
            };
            let mut beginnings = months::<N>();
            let discounts = Discounts::new(&mut beginnings, payments.rate);
            let mut spending = Spending::new(&payments, &discounts, x.programme_planned_months);
            let mut launches = Launches::new(x.build_ramp_months, x.build_life_months);
            let overrun = Overrun::new(&law);
            let mut tables = [months::<N>(); 2];
            let mut edges = Edges::new(&law, &mut tables);
            let mut branches = law.branches();
            while let Some(branch) = branches.next() {
                edges.fill(&overrun, branch);
                let mut cells = edges.cells();
                while let Some(cell) = cells.next() {
                    launches.add(cell.month, cell.offset, cell.mass);
                }
                if wants_spending {
                    spending.add(&branch, &edges);
                }
            }

            let in_service = launches.in_service();
            let (mut launched, mut saved_usd) = (N::zero(), N::zero());
            let mut k = 0;
            while k < HORIZON {
                launched = launched + launches.mass(k).positive_part();
                let share = N::restore(in_service[k]).positive_part().min(N::one());
                let saving_usd = share * N::restore(path.month_potential_saving_usd[k]);
                saved_usd = saved_usd + saving_usd;
                path.month_launched_probability[k] = launched.min(N::one()).save();
                path.month_in_service_share[k] = share.save();
                path.month_saving_usd[k] = saving_usd.save();
                path.month_saving_so_far_usd[k] = saved_usd.save();
                k += 1;
            }
            if wants_spending {
                let spent = spending.by_month(&launches);
                let mut spent_usd = N::zero();
                let mut k = 0;
                while k < HORIZON {
                    spent_usd = spent_usd + N::restore(spent[k]);
                    path.month_spending_usd[k] = spent[k];
                    path.month_spending_so_far_usd[k] = spent_usd.save();
                    path.month_npv_so_far_usd[k] = (N::restore(path.month_saving_so_far_usd[k]) - spent_usd).save();
                    k += 1;
                }
                let mut k = 0;
                while k < HORIZON {
                    path.month_balance_usd[k] = (N::restore(path.month_saving_so_far_usd[k]) - spent_usd).save();
                    k += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BuildMonth;
    use crate::models::build::Build;
    use crate::trial::{Case, check_derivatives, evaluate, with};
    use crate::variable::Model;

    /// A programme between the months' edges, where nothing has a kink.
    const PROGRAMME: [(&str, f64); 30] = [
        ("build_units_per_year", 200e3),
        ("build_demand_growth_per_year", 0.4),
        ("build_demand_half_life_months", 90.0),
        ("build_demand_cap_units_per_year", 600e3),
        ("build_addressable_share", 0.83),
        ("chip_price_usd", 35_000.0),
        ("asic_unit_price_usd", 14_222.22),
        ("build_performance_ratio", 1.0),
        ("build_merchant_decline_per_year", 0.2),
        ("build_asic_decline_per_year", 0.03),
        ("build_opex_saving_usd", 500.0),
        ("discount_rate_per_year", 0.1),
        ("build_obsolescence_per_year", 0.15),
        ("build_residual_share", 0.1),
        ("build_life_months", 36.17),
        ("build_ramp_months", 9.41),
        ("programme_freeze_months", 4.13),
        ("programme_tapeout_months", 11.21),
        ("programme_planned_months", 18.37),
        ("respin_months", 6.29),
        ("first_silicon_probability", 0.24),
        ("later_silicon_probability", 0.6),
        ("programme_overrun_shape", 4.0),
        ("programme_overrun_months", 1.5),
        ("programme_fixed_usd", 60e6),
        ("programme_mask_usd", 25e6),
        ("programme_respin_usd", 11.2e6),
        ("programme_burn_usd_per_month", 115e6 / 12.0),
        ("programme_launch_usd", 125e6),
        ("programme_nre_scale", 1.1),
    ];

    fn months(case: &[(&str, f64)], name: &str) -> Vec<f64> {
        (0..120).map(|k| evaluate::<BuildMonth>(&with(case, &[("month", f64::from(k))]), &[])[name]).collect()
    }
    fn near(got: f64, wanted: f64, scale: f64) {
        assert!((got - wanted).abs() <= 1e-12 * scale, "{got}, not {wanted}"); // sums of 120 months and of a few hundred cells
    }

    #[test]
    fn the_months_are_what_build_says_of_the_whole() {
        let certain = [("first_silicon_probability", 1.0), ("programme_overrun_shape", 0.0)];
        let late = [("programme_planned_months", 101.3), ("programme_tapeout_months", 88.2)];
        let too_late = [("programme_planned_months", 130.5), ("programme_tapeout_months", 112.6)];
        let at_once = [("programme_tapeout_months", 0.0), ("programme_overrun_shape", 1.0)];
        let unready = [("programme_tapeout_months", 18.37)];
        let free = [("discount_rate_per_year", 0.0), ("respin_months", 0.0)];
        for changes in [&[][..], &certain, &late, &too_late, &at_once, &unready, &free] {
            let case = with(&PROGRAMME, changes);
            let whole = evaluate::<Build>(&with(&case, &[("lifetime_inference_usd", 1e9)]), &[]);
            let (saving, spending) = (months(&case, "month_saving_usd"), months(&case, "month_spending_usd"));
            let gross = whole["lifetime_saving_usd"] + whole["programme_nre_pv_usd"];
            near(saving.iter().sum(), whole["lifetime_saving_usd"], gross);
            near(spending.iter().sum(), whole["programme_nre_pv_usd"], gross);
            near(months(&case, "month_npv_so_far_usd")[119], whole["build_npv_usd"], gross);
            let balance = months(&case, "month_balance_usd");
            near(balance[119], whole["build_npv_usd"], gross);
            let payback = match balance.iter().position(|usd| *usd >= 0.0) {
                Some(0) => -balance[0] / saving[0],
                Some(k) => k as f64 - balance[k - 1] / saving[k],
                None => f64::INFINITY,
            };
            let said = whole["build_payback_months"];
            assert!(payback == said || (payback / said - 1.0).abs() < 1e-9, "{payback}, not {said}"); // sums over a month's saving
            let launched = months(&case, "month_launched_probability");
            assert!(launched.is_sorted() && launched[119] <= 1.0);
            assert!(spending.iter().all(|usd| *usd >= 0.0));
        }
    }

    #[test]
    fn a_certain_programme_by_hand() {
        // No interest: 60 M at once; 9.583333 M a month for 18.37; masks in month 11, the rest at launch in month 18; in month 18 the burn of
        // 0.37 months, 3.545833 M. Times 1.1.
        let certain = [
            ("discount_rate_per_year", 0.0),
            ("first_silicon_probability", 1.0),
            ("programme_overrun_months", 0.0),
            ("build_ramp_months", 0.0),
        ];
        let case = with(&PROGRAMME, &certain);
        let spending = months(&case, "month_spending_usd");
        let burn = 115.0 / 12.0;
        for (k, usd) in spending.iter().enumerate() {
            let due = match k {
                0 => 60.0 + burn,
                11 => 25.0 + burn,
                18 => 125.0 + burn * 0.37,
                19.. => 0.0,
                _ => burn,
            };
            near(*usd, due * 1.1e6, 200e6);
        }
        let launched = months(&case, "month_launched_probability");
        assert_eq!((launched[17], launched[18]), (0.0, 1.0));
        let share = months(&case, "month_in_service_share");
        // In service from 18.37 to 54.54.
        for (month, wanted) in [(17, 0.0), (18, 0.63), (19, 1.0), (53, 1.0), (54, 0.54), (55, 0.0)] {
            near(share[month], wanted, 1.0);
        }
    }

    #[test]
    fn a_respin_falls_due_as_long_before_launch_as_planned() {
        // Always one respin and no overrun, no interest: masks at 11.21, the respin at 17.5, launch at 24.66.
        let once = [
            ("discount_rate_per_year", 0.0),
            ("first_silicon_probability", 0.0),
            ("later_silicon_probability", 1.0),
            ("programme_overrun_shape", 0.0),
            ("programme_burn_usd_per_month", 0.0),
        ];
        let spending = months(&with(&PROGRAMME, &once), "month_spending_usd");
        for (k, usd) in spending.iter().enumerate() {
            let due = match k {
                0 => 60.0,
                11 => 25.0,
                17 => 11.2,
                24 => 125.0,
                _ => 0.0,
            };
            near(*usd, due * 1.1e6, 200e6);
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        // Where launches are spread, some payment of some branch bends within any step.
        let spread = ["month_spending_usd", "month_spending_so_far_usd", "month_npv_so_far_usd"];
        for (month, stop) in [(20.0, "true"), (23.0, "false"), (40.0, "true")] {
            let case = with(&PROGRAMME, &[("month", month)]);
            let choices = [("build_stop_when_dearer", stop)];
            check_derivatives::<BuildMonth>(Case { values: &case, choices: &choices }, &spread);
        }
        let points: Vec<&str> =
            BuildMonth::OUTPUTS.iter().map(|output| output.name).filter(|name| !spread.contains(name)).collect();
        for month in [11.0, 17.0, 23.0, 24.0] {
            let case = with(&PROGRAMME, &[("programme_overrun_shape", 0.0), ("month", month)]);
            check_derivatives::<BuildMonth>(Case { values: &case, choices: &[] }, &points);
        }
    }
}
