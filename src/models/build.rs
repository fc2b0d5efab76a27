//! What designing one's own accelerator gains over buying the merchant one.
//!
//!     saving per own unit   u(t) = ratio · price (1-d_m)^t - own price (1-d_a)^t + opex saving;  none bought while u < 0
//!     live(t) = residual + (1 - residual) e^(-η (x - freeze)⁺/12)
//!     month's flow          v = min(addressable · D, peak) / 12 · u · live · (1+r)^-t         (mid-month)
//!     saving given launch   S(x), `saving.rs`;  cost given respins n and launch: dated payments, discounted
//!     NPV = S - NRE over the cells of the launch law, `launch.rs`, `risk.rs`; its law, `outcomes.rs`
//!
//! Everything is a present value at the decision, over 120 months. Mean, spread, chance of a gain and quantiles are over
//! schedule risk alone: obsolescence is a gradual loss of eligible work, in the mean, and what else is uncertain belongs in
//! more rows. Each piece is standard; ASIC Clouds (Magaki et al., ISCA 2016), Chiplet Actuary (Feng and Ma, DAC 2022) and
//! McKinsey's cost of delay are limits of it. The joint treatment by row is our own.

use crate::finance::MONTHS_PER_YEAR;
use crate::launch::{LaunchLaw, month_of_first};
use crate::market::{HORIZON, Market, Path, Volume};
use crate::number::Number;
use crate::outcomes::{Outcomes, SHARES};
use crate::own_flow::{OwnFlow, OwnUnits};
use crate::risk::{Discounting, Discounts, Expected, Payments, Programme};
use crate::root::root_between;
use crate::saving::{self, Launches, Months, Payback, Saving, months};
use crate::variable::{HUGE, INFINITE, NONE, choices, model};

choices!(
    /// Whether any volume pays, and if none does, why.
    BuildStatus { Ok "ok", NoVolumePays "no_volume_pays", LaunchBeyondHorizon "launch_beyond_horizon" }
);

/// Shares of launches below which the three quantiles lie.
const QUANTILES: [f64; SHARES] = [0.05, 0.5, 0.95];
/// No volume is looked for beyond this many units a year.
const MOST_UNITS_PER_YEAR: f64 = 1e15;
/// Parity of prices is looked for within a century.
const LATEST_PARITY_MONTHS: f64 = 1200.0;

/// What the months say of one unit, whether or not it is in service.
struct UnitMonths<N: Number> {
    /// Saving of the units bought, as a function of today's demand.
    volume: Volume<N>,
    /// The same at merchant prices.
    merchant_usd: Months<N>,
}

impl<N: Number> UnitMonths<N> {
    #[inline(always)]
    fn new(addressable_share: N, cap_units_per_year: N, peak_units_per_year: N) -> Self {
        UnitMonths {
            volume: Volume {
                growth: months::<N>(),
                decay: months::<N>(),
                worth_usd: months::<N>(),
                addressable_share,
                cap_units_per_year,
                peak_units_per_year,
            },
            merchant_usd: months::<N>(),
        }
    }
}

/// Month in which the own unit first costs as much as the merchant work it replaces, of lead and fall a month; infinite if
/// never within a century. Newton's last step carries the derivative.
#[inline(always)]
fn parity_months<N: Number>(without_opex: N, lead_and_fall: impl Fn(N) -> (N, N)) -> N {
    let latest = N::of(LATEST_PARITY_MONTHS);
    let (now, _) = lead_and_fall(N::zero());
    let (last, _) = lead_and_fall(latest);
    // Where it is never or from the first there is nothing to look for.
    let crosses = N::zero().lt(now) & last.le(N::zero());
    let root = root_between(
        [N::zero(), N::select(crosses, latest, N::zero())],
        without_opex,
        #[inline(always)]
        |low, high| (low + high) * 0.5,
        #[inline(always)]
        |months| {
            let (lead, fall) = lead_and_fall(months);
            (-lead, fall)
        },
    );
    let (lead, fall) = lead_and_fall(root);
    let fall = fall.constant();
    let steps = N::zero().lt(fall);
    let newton = root + lead / N::select(steps, fall, N::one());
    let months = N::select(steps, newton.positive_part(), root);
    let lasts = N::zero().lt(last);
    N::select(lasts, N::of(f64::INFINITY), N::select(N::zero().lt(now), months, N::zero()))
}

model! {
    /// What designing one's own accelerator gains over buying the merchant one.
    Build = "build";
    inputs {
        /// Fall of the own unit's price.
        build_asic_decline_per_year: number "1/year" [-10.0, 0.99], default 0.0, typical [-0.2, 0.2], Judgement "memory -20 to +40 %, wafers +3 %, packaging +15 % a year: no sign";
        /// Present value over an own unit's life of the power and space it saves against the merchant work it replaces.
        build_opex_saving_usd: number "USD" [-1e9, 1e9], default 0.0, typical [-3000.0, 3700.0], Judgement "equal power for equal work";
        /// Most own units that can be bought a year.
        build_peak_units_per_year: number "1/year" [0.0, INFINITE], default INFINITE, typical [1e3, 3e6], Definition "no limit";
        /// Share of demand that own units can serve.
        build_addressable_share: number "1" [0.0, 1.0], default 1.0, typical [0.3, 0.9], Definition "all of it";
        /// Months in which own units take over their share, linearly.
        build_ramp_months: number "months" [0.0, 600.0], default NONE, typical [3.0, 24.0], Judgement "TPU v2 onward: three quarters to two years";
        /// Months from launch during which the chip is bought.
        build_life_months: number "months" [0.0, 1200.0], default NONE, typical [18.0, 72.0], Judgement "one to three generations of 12-24 months";
        /// Intensity at which eligible work is lost from the architecture's freeze on.
        build_obsolescence_per_year: number "1/year" [0.0, 20.0], default NONE, typical [0.02, 0.4], Judgement "fixed-function 0.20, flexible 0.05";
        /// Share of the work that obsolescence leaves.
        build_residual_share: number "1" [0.0, 1.0], default 0.0, typical [0.0, 0.8], Definition "obsolescence takes everything in the end";
    }
    choices {
        /// Whether the owner buys merchant chips again once they are cheaper.
        build_stop_when_dearer: bool = true, "the owner's free choice";
    }
    reads {
        build_units_per_year build_demand_growth_per_year build_demand_half_life_months build_demand_cap_units_per_year
        build_performance_ratio chip_price_usd build_merchant_decline_per_year discount_rate_per_year lifetime_inference_usd
        asic_unit_price_usd programme_freeze_months programme_tapeout_months programme_planned_months
        first_silicon_probability later_silicon_probability respin_months programme_overrun_shape programme_overrun_months
        programme_fixed_usd programme_mask_usd programme_respin_usd programme_burn_usd_per_month programme_launch_usd
        programme_nre_scale
    }
    together { programme_overrun_months * 1.0; respin_months * 1.0; programme_planned_months * 1.0 respin_months * 6.0 }
    outputs {
        /// Expected saving, before the programme's cost.
        lifetime_saving_usd: "USD" [-HUGE, HUGE];
        /// Expected cost of the programme, discounted.
        programme_nre_pv_usd: "USD" [0.0, HUGE];
        /// Expected net present value of building.
        build_npv_usd: "USD" [-HUGE, HUGE];
        /// The saving over all inference demand at merchant prices.
        lifetime_saving_share: "1" [-HUGE, HUGE];
        /// Present value at merchant prices of the work own units are in service for, months in which they are dearer included.
        build_displaced_usd: "USD" [0.0, HUGE];
        /// The saving over that work at merchant prices.
        build_saving_on_displaced_share: "1" [-HUGE, HUGE];
        /// Demand today at which the expected net present value is 0; infinite if none is enough.
        build_breakeven_units_per_year: "1/year" [0.0, INFINITE];
    }
    summaries {
        /// Standard deviation of the net present value over schedule risk.
        build_npv_sd_usd: "USD" [0.0, HUGE];
        /// Chance over schedule risk that building pays.
        build_npv_positive_probability: "1" [0.0, 1.0];
        /// 5 % quantile of the net present value over schedule risk.
        build_npv_p05_usd: "USD" [-HUGE, HUGE];
        /// Median of the net present value over schedule risk.
        build_npv_p50_usd: "USD" [-HUGE, HUGE];
        /// 95 % quantile of the net present value over schedule risk.
        build_npv_p95_usd: "USD" [-HUGE, HUGE];
        /// Loss of net present value if everything is one month later.
        build_delay_cost_usd_per_month: "USD/month" [-HUGE, HUGE];
        /// Month at which the expected discounted saving has covered the expected discounted cost; infinite if never.
        build_payback_months: "months" [0.0, INFINITE];
        /// Lifetime inference at that demand.
        build_breakeven_inference_usd: "USD" [0.0, INFINITE];
        /// Month in which merchant work is as cheap as the own unit; infinite if never within a century.
        build_parity_months: "months" [0.0, INFINITE];
    }
    statuses {
        /// Why no volume breaks even.
        build_status: BuildStatus;
    }
    equations(x, given) {
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
        let wants_volume = wanted.build_breakeven_units_per_year || wanted.build_breakeven_inference_usd || wanted.build_status;
        let wants_service = wants_volume
            || wanted.build_payback_months;

        // The flow of savings.
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
        let mut growth_path = Path::new(N::one(), market.growth_per_year.ln_1p());
        let mut flow_usd = months::<N>();
        let mut units = if wants_service {
            Some(UnitMonths::new(
                x.build_addressable_share,
                x.build_demand_cap_units_per_year,
                x.build_peak_units_per_year,
            ))
        } else {
            None
        };
        // At merchant prices what own units would replace.
        let wants_displaced = wanted.build_displaced_usd || wanted.build_saving_on_displaced_share;
        let mut displaced_usd = if wants_displaced { Some(months::<N>()) } else { None };
        let mut k = 0;
        while k < HORIZON {
            let own = flow.now();
            let month = &flow.month;
            let own_units = flow.units_per_year(x.build_addressable_share, x.build_peak_units_per_year);
            flow_usd[k] = own.saving_usd(own_units).save();
            if let Some(displaced_usd) = &mut displaced_usd {
                displaced_usd[k] = (own_units * month.price_usd.now * own.today).save();
            }
            if let Some(units) = &mut units {
                units.volume.worth_usd[k] = (own.unit_saving_usd * own.today).save();
                units.merchant_usd[k] = month.work_usd().save();
                units.volume.growth[k] = growth_path.now.save();
                units.volume.decay[k] = month.decay.now.save();
            }
            growth_path.step();
            flow.step();
            k += 1;
        }

        // Saving and cost over the launch law.
        let mut pieces = saving::pieces::<N>();
        let first = month_of_first(x.programme_planned_months);
        let saved = Saving::new(&mut pieces, &flow_usd, first, x.build_ramp_months, x.build_life_months);
        let rate = x.discount_rate_per_year.ln_1p() / MONTHS_PER_YEAR;
        let payments = Payments {
            scale: x.programme_nre_scale,
            fixed_usd: x.programme_fixed_usd,
            mask_usd: x.programme_mask_usd,
            respin_usd: x.programme_respin_usd,
            burn_usd_per_month: x.programme_burn_usd_per_month,
            launch_usd: x.programme_launch_usd,
            tapeout_months: x.programme_tapeout_months.min(x.programme_planned_months),
            respin_months: x.respin_months,
            rate,
        };
        let mut beginnings = months::<N>();
        let programme = Programme {
            law: LaunchLaw {
                planned_months: x.programme_planned_months,
                respin_months: x.respin_months,
                first_probability: x.first_silicon_probability,
                later_probability: x.later_silicon_probability,
                overrun_shape: x.programme_overrun_shape,
                overrun_months: x.programme_overrun_months,
            },
            saving: &saved,
            payments,
            discounting: Discounting::new(&payments, x.programme_planned_months),
            discounts: Discounts::new(&mut beginnings, rate),
        };
        let wants_quantiles = wanted.build_npv_p05_usd || wanted.build_npv_p50_usd || wanted.build_npv_p95_usd;
        let wants_mean = wants_service
            || wants_displaced
            || wants_quantiles
            || wanted.lifetime_saving_usd
            || wanted.programme_nre_pv_usd
            || wanted.build_npv_usd
            || wanted.lifetime_saving_share
            || wanted.build_npv_sd_usd
            || wanted.build_npv_positive_probability;
        let wants_chances = wants_quantiles || wanted.build_npv_positive_probability;
        let mut outcomes = if wants_chances { Some(Outcomes::nothing()) } else { None };
        let wants_delay = wanted.build_delay_cost_usd_per_month;
        let wants_launches = wants_service || wants_displaced || wants_delay;
        let mut launches = if wants_launches { Some(Launches::new(x.build_ramp_months, x.build_life_months)) } else { None };
        let (expected, later_cost_usd) = if wants_mean || wants_launches {
            let spread = wanted.build_npv_sd_usd || wants_quantiles;
            programme.expected(spread, wants_delay, launches.as_mut(), outcomes.as_mut())
        } else {
            (Expected::nothing(), N::zero())
        };
        let lifetime_saving_usd = given.lifetime_saving_usd(expected.saving);
        let programme_nre_pv_usd = given.programme_nre_pv_usd(expected.cost);
        let build_npv_usd = given.build_npv_usd(lifetime_saving_usd - programme_nre_pv_usd);
        let demanded = N::zero().lt(x.lifetime_inference_usd);
        let lifetime_saving_share = given
            .lifetime_saving_share(lifetime_saving_usd / N::select(demanded, x.lifetime_inference_usd, N::of(f64::NAN)));
        let build_npv_sd_usd = expected.sd;

        // Chances and quantiles. What the caller states of the mean is known at the decision and moves every outcome.
        let shift_usd = build_npv_usd - (expected.saving - expected.cost);
        let (build_npv_positive_probability, [p05, p50, p95]) = match &mut outcomes {
            Some(outcomes) => outcomes.probability_and_quantiles(
                &programme.law,
                -shift_usd,
                if wants_quantiles { Some(&QUANTILES) } else { None },
                [expected.saving - expected.cost, expected.sd],
            ),
            None => (N::zero(), [N::zero(); SHARES]),
        };
        let (build_npv_p05_usd, build_npv_p50_usd, build_npv_p95_usd) = (p05 + shift_usd, p50 + shift_usd, p95 + shift_usd);

        // Month by month: payback, break-even, what is displaced, and what is saved with every launch a month later.
        let mut payback = Payback::of(programme_nre_pv_usd);
        let mut displaced_total_usd = N::zero();
        let mut later_saving_usd = N::zero();
        if let Some(launches) = &launches {
            let in_service = launches.in_service();
            let mut share_before = N::zero();
            let mut k = 0;
            while k < HORIZON {
                let share = N::restore(in_service[k]);
                let flow_usd = N::restore(flow_usd[k]);
                later_saving_usd = later_saving_usd + share_before * flow_usd;
                share_before = share;
                if let Some(displaced_usd) = &displaced_usd {
                    displaced_total_usd = displaced_total_usd + share * N::restore(displaced_usd[k]);
                }
                if let Some(units) = &mut units {
                    payback.add(share * flow_usd);
                    units.volume.worth_usd[k] = (share * N::restore(units.volume.worth_usd[k])).save();
                }
                k += 1;
            }
        }
        let build_delay_cost_usd_per_month = (expected.saving - expected.cost) - (later_saving_usd - later_cost_usd);
        let build_displaced_usd = given.build_displaced_usd(displaced_total_usd.positive_part());
        let displaces = N::zero().lt(build_displaced_usd);
        let build_saving_on_displaced_share = given.build_saving_on_displaced_share(
            lifetime_saving_usd / N::select(displaces, build_displaced_usd, N::of(f64::NAN)),
        );
        let build_payback_months = payback.months(INFINITE);
        let build_breakeven_units_per_year = given.build_breakeven_units_per_year(match &units {
            Some(units) if wants_volume => units.volume.units_worth(programme_nre_pv_usd, MOST_UNITS_PER_YEAR),
            _ => N::zero(),
        });
        let breaks_even = build_breakeven_units_per_year.lt(N::of(INFINITE));
        let build_breakeven_inference_usd = match &mut units {
            Some(UnitMonths { volume, merchant_usd, .. }) if wanted.build_breakeven_inference_usd => {
                // All demand at merchant prices instead of the own units' saving.
                volume.worth_usd = *merchant_usd;
                volume.addressable_share = N::one();
                volume.peak_units_per_year = N::of(INFINITE);
                let scale = N::select(breaks_even, build_breakeven_units_per_year, N::one());
                N::select(breaks_even, volume.value_usd(scale), N::of(INFINITE))
            }
            _ => N::zero(),
        };
        let build_parity_months = if wanted.build_parity_months {
            let merchant_decline_log = (-x.build_merchant_decline_per_year).ln_1p();
            let own_decline_log = (-x.build_asic_decline_per_year).ln_1p();
            let parity = (x.asic_unit_price_usd / market.price_usd).ln() / (merchant_decline_log - own_decline_log);
            parity_months(
                parity * MONTHS_PER_YEAR,
                #[inline(always)]
                |months: N| {
                    let years = months / MONTHS_PER_YEAR;
                    let merchant_usd = market.price_usd * (merchant_decline_log * years).exp();
                    let own_usd = x.asic_unit_price_usd * (own_decline_log * years).exp();
                    let fall_usd_per_year = own_decline_log * own_usd - merchant_decline_log * merchant_usd;
                    (merchant_usd + x.build_opex_saving_usd - own_usd, fall_usd_per_year / MONTHS_PER_YEAR)
                },
            )
        } else {
            N::zero()
        };
        let too_late = N::of(crate::market::HORIZON_MONTHS).le(x.programme_planned_months);
        let build_status = N::select(
            breaks_even,
            BuildStatus::Ok.number(),
            N::select(too_late, BuildStatus::LaunchBeyondHorizon.number(), BuildStatus::NoVolumePays.number()),
        );
        Outputs {
            lifetime_saving_usd, programme_nre_pv_usd, build_npv_usd, lifetime_saving_share, build_displaced_usd,
            build_saving_on_displaced_share, build_breakeven_units_per_year, build_npv_sd_usd,
            build_npv_positive_probability, build_npv_p05_usd, build_npv_p50_usd, build_npv_p95_usd,
            build_delay_cost_usd_per_month, build_payback_months, build_breakeven_inference_usd, build_parity_months, build_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Build;
    use crate::trial::{Case, check_derivatives, evaluate, gradient, with};

    /// The worked case: 200 k units a year of a 35 k chip, launch planned for month 18, masks in month 11.
    const WORKED: [(&str, f64); 26] = [
        ("build_units_per_year", 200e3),
        ("chip_price_usd", 35_000.0),
        ("asic_unit_price_usd", 128_000.0 / 9.0),
        ("build_performance_ratio", 1.0),
        ("build_merchant_decline_per_year", 0.2),
        ("discount_rate_per_year", 0.1),
        ("build_obsolescence_per_year", 0.15),
        ("programme_freeze_months", 0.0),
        ("programme_tapeout_months", 11.0),
        ("programme_planned_months", 18.0),
        ("respin_months", 6.0),
        ("first_silicon_probability", 0.24),
        ("later_silicon_probability", 0.6),
        ("programme_overrun_shape", 4.0),
        ("programme_overrun_months", 1.5),
        ("build_life_months", 36.0),
        ("build_ramp_months", 9.0),
        ("programme_fixed_usd", 60e6),
        ("programme_mask_usd", 25e6),
        ("programme_respin_usd", 11.2e6),
        ("programme_burn_usd_per_month", 115e6 / 12.0),
        ("programme_launch_usd", 125e6),
        ("programme_nre_scale", 1.0),
        ("lifetime_inference_usd", 20e9),
        ("build_demand_growth_per_year", 0.0),
        ("build_asic_decline_per_year", 0.0),
    ];
    const QUANTILES: [&str; 3] = ["build_npv_p05_usd", "build_npv_p50_usd", "build_npv_p95_usd"];

    #[test]
    fn the_worked_case() {
        // A simulation in continuous time with two million draws gives -206.47 M and 256.77 M, P 0.1922.
        let answers = evaluate::<Build>(&WORKED, &[]);
        let near = |name: &str, wanted: f64, digits: f64| {
            let got = answers[name];
            assert!((got - wanted).abs() <= digits, "{name}: {got}, not {wanted}");
        };
        near("build_npv_usd", -206.64e6, 0.005e6);
        near("build_npv_sd_usd", 256.31e6, 0.005e6);
        near("build_npv_positive_probability", 0.1925, 0.000_05);
        near("lifetime_saving_usd", 250.26e6, 0.005e6);
        near("programme_nre_pv_usd", 456.90e6, 0.005e6);
        near("build_delay_cost_usd_per_month", 39.48e6, 0.005e6);
        let growing = evaluate::<Build>(&with(&WORKED, &[("build_demand_growth_per_year", 0.4)]), &[]);
        assert!((growing["build_breakeven_units_per_year"] - 133_503.0).abs() < 0.5);
        let capped = with(&WORKED, &[("build_demand_growth_per_year", 0.4), ("build_peak_units_per_year", 300e3)]);
        assert!(evaluate::<Build>(&capped, &[])["build_breakeven_units_per_year"].is_infinite());
    }

    #[test]
    fn a_later_launch_and_a_slower_ramp_cost() {
        let case = Case { values: &WORKED, choices: &[] };
        let by_launch = gradient::<Build>(case, "programme_planned_months")["build_npv_usd"];
        let by_ramp = gradient::<Build>(case, "build_ramp_months")["build_npv_usd"];
        assert!((by_launch + 41.4e6).abs() < 0.05e6, "{by_launch}");
        assert!((by_ramp + 14.8e6).abs() < 0.05e6, "{by_ramp}");
    }

    #[test]
    fn nothing_left_to_chance_has_no_spread() {
        let certain = [("first_silicon_probability", 1.0), ("programme_overrun_shape", 0.0)];
        let answers = evaluate::<Build>(&with(&WORKED, &certain), &[]);
        assert_eq!(answers["build_npv_sd_usd"].to_bits(), 0);
        for quantile in QUANTILES {
            assert!((answers[quantile] / answers["build_npv_usd"] - 1.0).abs() < 1e-9, "{quantile}"); // a bisection's end
        }
    }

    #[test]
    fn without_a_saving_the_programme_is_lost() {
        let late = evaluate::<Build>(&with(&WORKED, &[("programme_planned_months", 130.0)]), &[]);
        assert_eq!(late["lifetime_saving_usd"].to_bits(), 0);
        assert_eq!(late["build_npv_usd"].to_bits(), (-late["programme_nre_pv_usd"]).to_bits());
        assert!(late["build_breakeven_units_per_year"].is_infinite());
    }

    #[test]
    fn the_breakeven_volume_breaks_even() {
        let growing =
            with(&WORKED, &[("build_demand_growth_per_year", 0.4), ("build_demand_cap_units_per_year", 600e3)]);
        let units = evaluate::<Build>(&growing, &[])["build_breakeven_units_per_year"];
        let there = evaluate::<Build>(&with(&growing, &[("build_units_per_year", units)]), &[]);
        // Rounding of a saving that equals the cost.
        assert!(there["build_npv_usd"].abs() < 1e-11 * there["programme_nre_pv_usd"], "{}", there["build_npv_usd"]);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        // Between the months' edges, where nothing has a kink. Quantiles: see the test below.
        let generic = with(
            &WORKED,
            &[
                ("programme_planned_months", 18.37),
                ("programme_tapeout_months", 11.21),
                ("programme_freeze_months", 4.13),
                ("respin_months", 6.29),
                ("build_ramp_months", 9.41),
                ("build_life_months", 36.17),
                ("build_demand_growth_per_year", 0.4),
                ("build_demand_half_life_months", 90.0),
                ("build_demand_cap_units_per_year", 600e3),
                ("build_addressable_share", 0.83),
                ("build_residual_share", 0.1),
                ("build_opex_saving_usd", 500.0),
                ("build_asic_decline_per_year", 0.03),
            ],
        );
        for stop in ["true", "false"] {
            check_derivatives::<Build>(Case { values: &generic, choices: &[("build_stop_when_dearer", stop)] }, &[]);
        }
    }
}
