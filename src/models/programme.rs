//! Cost and calendar of a tape-out, as a distribution.
//!
//!     squeeze   = (1 - c) + c / speed-up                     of the design stages, c their compressible share
//!     tape-out  = (architecture + RTL + physical) · squeeze
//!     planned   = tape-out + fab + assembly + bring-up + qualification
//!     launch T  = planned + respins · Tᵣ + overrun           (the law of `launch.rs`)
//!     NRE       = IP + masks + E[respins] · respin + burn · E[T] + launch
//!
//! Fabrication, assembly and qualification do not compress. NRE is expected and undiscounted; a given programme_nre_usd
//! scales every part. Sources: stages and respins, Ning, Tziantzioulis and Wentzlaff, ISCA 2023, and Siemens/Wilson
//! functional verification studies; cost of a metal-only respin, HNLPU, ASPLOS 2026, 10 of 130 weighted mask layers.

use crate::finance::MONTHS_PER_YEAR;
use crate::launch::LaunchLaw;
use crate::variable::{HUGE, INFINITE, NONE, model};

model! {
    /// Cost and calendar of a tape-out, as a distribution.
    Programme = "programme";
    inputs {
        /// Months of architecture, before anybody may design faster.
        programme_architecture_months: number "months" [0.0, 240.0], default NONE, typical [2.0, 9.0], Estimate "18-24 months of design are typical";
        /// Months of register-transfer design and verification.
        programme_rtl_months: number "months" [0.0, 240.0], default NONE, typical [4.0, 18.0], Estimate "18-24 months of design are typical";
        /// Months of physical design.
        programme_physical_months: number "months" [0.0, 240.0], default NONE, typical [2.0, 12.0], Estimate "18-24 months of design are typical";
        /// Months in the fab.
        programme_fab_months: number "months" [0.0, 240.0], default NONE, typical [3.5, 7.0], Measured "Ning et al., ISCA 2023: 20 weeks at 5 nm";
        /// Months of packaging and test.
        programme_assembly_months: number "months" [0.0, 240.0], default NONE, typical [1.0, 3.0], Measured "Ning et al., ISCA 2023: 6 weeks";
        /// Months of bring-up.
        programme_bringup_months: number "months" [0.0, 240.0], default NONE, typical [1.0, 4.0], Judgement "part of 6-9 months to volume";
        /// Months of qualification.
        programme_qualification_months: number "months" [0.0, 240.0], default NONE, typical [2.0, 8.0], Judgement "part of 6-9 months to volume";
        /// Month by which the launch is wanted.
        programme_deadline_months: number "months" [0.0, INFINITE], default NONE, typical [18.0, 48.0], Definition "property of the plan";
        /// How many times faster the compressible share of design goes.
        design_speedup: number "1" [0.1, 1e6], default 1.0, typical [1.0, 4.0], Definition "design as it is done today";
        /// Share of the design stages that a speed-up reaches.
        design_compressible_share: number "1" [0.0, 1.0], default 0.6, typical [0.0, 0.9], Judgement "block-level gains reach part of the flow";
        /// Chance that first silicon can ship.
        first_silicon_probability: number "1" [0.0, 1.0], default 0.24, typical [0.05, 0.7], Measured "Siemens/Wilson study 2022: 24 %; 2024: 14 %";
        /// Chance that each later silicon can ship.
        later_silicon_probability: number "1" [0.01, 1.0], default 0.60, typical [0.4, 0.9], Judgement "most products ship on the second or third silicon";
        /// Months that one respin takes.
        respin_months: number "months" [0.0, 120.0], default 5.0, typical [3.0, 9.0], Estimate "Reuters 2025: 3 to 6 months";
        /// Stages of the overrun before tape-out: shape of its Erlang law, 0 for none.
        programme_overrun_shape: integer "1" [0.0, 100.0], default 2.0, typical [1.0, 6.0], Judgement "66-75 % of projects are late: Siemens/Wilson 2022, 2024";
        /// Mean months of each stage of the overrun.
        programme_overrun_months: number "months" [0.0, 120.0], default 1.5, typical [0.3, 4.0], Judgement "66-75 % of projects are late: Siemens/Wilson 2022, 2024";
        /// Engineers on the programme.
        programme_headcount: number "1" [0.0, 1e6], default NONE, typical [25.0, 1000.0], Estimate "Taalas 24, MatX 100";
        /// Cost of an engineer.
        programme_staff_usd_per_year: number "USD/year" [0.0, 1e8], default 400_000.0, typical [200_000.0, 700_000.0], Judgement "loaded cost in the United States";
        /// Design tools and compute of an engineer.
        programme_eda_usd_per_year: number "USD/year" [0.0, 1e8], default 60_000.0, typical [20_000.0, 240_000.0], Estimate "Moonwalk 2017: 4 k front end, 20 k back end a month";
        /// Licences of bought-in designs, paid at the decision.
        programme_ip_usd: number "USD" [0.0, 1e13], default NONE, typical [5e6, 100e6], Estimate "HNLPU 2026: 10-20 M";
        /// One full mask set.
        programme_mask_usd: number "USD" [0.0, 1e13], default NONE, typical [15e6, 50e6], Estimate "HNLPU 2026: 15-30 M at 5 nm; 30-50 M quoted at 3 nm";
        /// Share of respins that change metal layers only.
        programme_metal_respin_share: number "1" [0.0, 1.0], default 0.6, typical [0.0, 1.0], Judgement "most bugs are fixed in metal";
        /// Cost of the metal masks over a full set.
        programme_metal_mask_share: number "1" [0.0, 1.0], default 0.08, typical [0.05, 0.3], Estimate "HNLPU 2026: 10 of 130 weighted layers";
        /// Prototypes, bring-up and qualification, paid at launch.
        programme_bringup_usd: number "USD" [0.0, 1e13], default NONE, typical [5e6, 60e6], Estimate "Reuters 2025: tens of millions";
        /// Port of the software, paid at launch.
        programme_software_usd: number "USD" [0.0, 1e13], default NONE, typical [10e6, 500e6], Estimate "IBS: 40 % of the cost of design";
    }
    choices {}
    reads {}
    outputs {
        /// Month in which the architecture is frozen.
        programme_freeze_months: "months" [0.0, 2400.0];
        /// Month of the first tape-out, without an overrun.
        programme_tapeout_months: "months" [0.0, 7200.0];
        /// Month of launch, without overrun or respin.
        programme_planned_months: "months" [0.0, 10_000.0];
        /// Paid at the decision.
        programme_fixed_usd: "USD" [0.0, HUGE];
        /// Cost of one respin.
        programme_respin_usd: "USD" [0.0, HUGE];
        /// Staff and tools a month until launch.
        programme_burn_usd_per_month: "USD/month" [0.0, HUGE];
        /// Paid at launch.
        programme_launch_usd: "USD" [0.0, HUGE];
        /// Expected cost of the programme, undiscounted.
        programme_nre_usd: "USD" [0.0, HUGE];
        /// A given programme_nre_usd over the sum of the parts.
        programme_nre_scale: "1" [0.0, HUGE];
    }
    summaries {
        /// Expected tape-outs.
        programme_spins_expected: "1" [1.0, 101.0];
        /// Expected month of launch.
        programme_launch_months_mean: "months" [0.0, HUGE];
        /// Standard deviation of the month of launch.
        programme_launch_months_sd: "months" [0.0, HUGE];
        /// Chance of a launch by the deadline.
        programme_on_time_probability: "1" [0.0, 1.0];
    }
    statuses {}
    equations(x, given) {
        let squeeze = (-x.design_compressible_share + 1.0) + x.design_compressible_share / x.design_speedup;
        let design_months = x.programme_architecture_months + x.programme_rtl_months + x.programme_physical_months;
        let programme_freeze_months = given.programme_freeze_months(x.programme_architecture_months * squeeze);
        let programme_tapeout_months = given.programme_tapeout_months(design_months * squeeze);
        let programme_planned_months = given.programme_planned_months(
            programme_tapeout_months
                + x.programme_fab_months
                + x.programme_assembly_months
                + x.programme_bringup_months
                + x.programme_qualification_months,
        );
        let law = LaunchLaw {
            planned_months: programme_planned_months,
            respin_months: x.respin_months,
            first_probability: x.first_silicon_probability,
            later_probability: x.later_silicon_probability,
            overrun_shape: x.programme_overrun_shape,
            overrun_months: x.programme_overrun_months,
        };
        let programme_spins_expected = law.respins_mean() + 1.0;
        let programme_launch_months_mean = law.months_mean();
        let programme_launch_months_sd = law.months_sd();
        let programme_on_time_probability = if given.wanted.programme_on_time_probability {
            law.on_time_probability(x.programme_deadline_months)
        } else {
            N::zero()
        };

        let programme_fixed_usd = given.programme_fixed_usd(x.programme_ip_usd);
        let metal = x.programme_metal_respin_share;
        let programme_respin_usd = given
            .programme_respin_usd(x.programme_mask_usd * (metal * x.programme_metal_mask_share - metal + 1.0));
        let engineer_usd_per_year = x.programme_staff_usd_per_year + x.programme_eda_usd_per_year;
        let programme_burn_usd_per_month =
            given.programme_burn_usd_per_month(x.programme_headcount * engineer_usd_per_year / MONTHS_PER_YEAR);
        let programme_launch_usd = given.programme_launch_usd(x.programme_software_usd + x.programme_bringup_usd);

        let parts_usd = programme_fixed_usd
            + x.programme_mask_usd
            + law.respins_mean() * programme_respin_usd
            + programme_burn_usd_per_month * programme_launch_months_mean
            + programme_launch_usd;
        let programme_nre_usd = given.programme_nre_usd(parts_usd);
        let programme_nre_scale = given.programme_nre_scale(match given.programme_nre_usd {
            Some(stated_usd) => stated_usd / N::select(N::zero().lt(parts_usd), parts_usd, N::of(f64::NAN)),
            None => N::one(),
        });
        Outputs {
            programme_freeze_months, programme_tapeout_months, programme_planned_months, programme_fixed_usd,
            programme_respin_usd, programme_burn_usd_per_month, programme_launch_usd, programme_nre_usd,
            programme_nre_scale, programme_spins_expected, programme_launch_months_mean, programme_launch_months_sd,
            programme_on_time_probability,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Programme;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const PROGRAMME: [(&str, f64); 13] = [
        ("programme_architecture_months", 4.0),
        ("programme_rtl_months", 8.0),
        ("programme_physical_months", 6.0),
        ("programme_fab_months", 5.0),
        ("programme_assembly_months", 1.5),
        ("programme_bringup_months", 2.0),
        ("programme_qualification_months", 3.25),
        ("programme_deadline_months", 37.3),
        ("programme_headcount", 120.0),
        ("programme_ip_usd", 20e6),
        ("programme_mask_usd", 30e6),
        ("programme_bringup_usd", 15e6),
        ("programme_software_usd", 40e6),
    ];

    #[test]
    fn a_programme_by_hand() {
        // Speed-up 2 of a share of 0.6: squeeze 0.4 + 0.3 = 0.7. Freeze 4 · 0.7 = 2.8, tape-out 18 · 0.7 = 12.6, planned
        // 12.6 + 11.75 = 24.35. Respins 0.76 / 0.6 = 1.266667; launch 24.35 + 6.333333 + 2 · 1.5 = 33.683333.
        // Burn 120 · 460000 / 12 = 4.6 M a month; respin 30 · (0.4 + 0.6 · 0.08) = 13.44 M.
        // NRE 20 + 30 + 1.266667 · 13.44 + 4.6 · 33.683333 + 55 = 276.967333 M.
        let answers = evaluate::<Programme>(&with(&PROGRAMME, &[("design_speedup", 2.0)]), &[]);
        let near =
            |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-8, "{name}: {}", answers[name]);
        near("programme_freeze_months", 2.8);
        near("programme_tapeout_months", 12.6);
        near("programme_planned_months", 24.35);
        near("programme_spins_expected", 2.266_666_667);
        near("programme_launch_months_mean", 33.683_333_33);
        near("programme_respin_usd", 13.44e6);
        near("programme_nre_usd", 276.967_333_3e6);
        near("programme_nre_scale", 1.0);
        // Variance of the respins: E N² - (E N)² = 0.76 · 1.4 / 0.36 - 1.604444 = 1.351111; · 25 + 2 · 2.25 = 38.277778.
        near("programme_launch_months_sd", 6.186_903_73);
    }

    #[test]
    fn limits_and_identities() {
        let certain = with(&PROGRAMME, &[("first_silicon_probability", 1.0), ("programme_overrun_months", 0.0)]);
        let plan = evaluate::<Programme>(&certain, &[]);
        assert_eq!(plan["programme_launch_months_mean"], 29.75);
        assert_eq!(plan["programme_launch_months_sd"], 0.0);
        assert_eq!(plan["programme_spins_expected"], 1.0);
        let on_time = |deadline| {
            evaluate::<Programme>(&with(&certain, &[("programme_deadline_months", deadline)]), &[])["programme_on_time_probability"]
        };
        assert_eq!((on_time(29.7), on_time(29.75), on_time(29.8)), (0.0, 1.0, 1.0));
        // A stated cost scales the parts.
        let once = evaluate::<Programme>(&PROGRAMME, &[]);
        let stated = with(&PROGRAMME, &[("programme_nre_usd", 2.0 * once["programme_nre_usd"])]);
        assert_eq!(evaluate::<Programme>(&stated, &[])["programme_nre_scale"], 2.0);
    }

    #[test]
    fn later_deadlines_are_met_more_often() {
        let mut last = -1.0;
        for months in 20..120 {
            let case = with(&PROGRAMME, &[("programme_deadline_months", f64::from(months))]);
            let chance = evaluate::<Programme>(&case, &[])["programme_on_time_probability"];
            assert!(chance >= last && chance <= 1.0 + 1e-12, "{chance} at {months}"); // a sum of 60 chances
            last = chance;
        }
        assert!(last > 0.999_999);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let squeezed = with(&PROGRAMME, &[("design_speedup", 1.7)]);
        // Without a stated cost the scale is 1.
        check_derivatives::<Programme>(Case { values: &squeezed, choices: &[] }, &["programme_nre_scale"]);
    }
}
