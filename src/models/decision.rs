//! Build, buy, both, or only threaten.
//!
//!     BUY        0
//!     BUILD      NPV of building + what the merchant concedes on what is still bought
//!     DUAL       saving with own units capped at a share of their work - NRE + the same concession on what is then bought
//!     THREATEN   what the merchant concedes to a programme that stops at tape-out - its cost until then
//!
//! The best is the decision, its lead over the second the margin; in a tie the first above wins. Only options that can be
//! worked out on a row are weighed: to threaten needs a stated bargain (`leverage`), DUAL needs build_dual_share, and without
//! either it is buy or build as it stands. A bargain that nobody states concedes nothing. The programme costs the same
//! however few own units are bought, so DUAL beats BUILD only where the merchant concedes more for what it keeps than own
//! units save; a cap that never binds is building, and named so. The net present value rule.

use crate::number::Number;
use crate::variable::{HUGE, choices};

choices!(
    /// What to do about an own chip.
    Decision { Buy "buy", Build "build", Dual "dual", Threaten "threaten" }
);

/// The best option, the second best and the lead of the one over the other; the first named in a tie.
#[inline(always)]
fn ranked<N: Number>(options: &[(Decision, N)]) -> (N, N, N) {
    let (mut best, mut second) = (options[0].0.number::<N>(), options[0].0.number::<N>());
    let (mut best_usd, mut second_usd) = (options[0].1, N::of(f64::NEG_INFINITY));
    let mut k = 1;
    while k < options.len() {
        let (name, usd) = (options[k].0.number::<N>(), options[k].1);
        let leads = best_usd.lt(usd);
        let follows = second_usd.lt(usd);
        second = N::select(leads, best, N::select(follows, name, second));
        second_usd = N::select(leads, best_usd, N::select(follows, usd, second_usd));
        best = N::select(leads, name, best);
        best_usd = N::select(leads, usd, best_usd);
        k += 1;
    }
    (best, second, best_usd - second_usd)
}

/// `options!(...)` is a model, in a module of its own, that ranks buying and the options it names, each a sum of what it reads.
macro_rules! options {
    ($(#[doc = $about:literal])+ $module:ident: $model:ident = $name:literal;
     $( $option:ident = $first:ident $( + $more:ident )* );+ $(;)?) => {
        pub mod $module {
            use super::{Decision, HUGE, ranked};
            use crate::variable::model;

            model! {
                $(#[doc = $about])+
                $model = $name;
                inputs {}
                choices {}
                reads { $( $first $( $more )* )+ }
                outputs {}
                summaries {
                    /// How much better the decision is than the runner-up.
                    decision_margin_usd: "USD" [0.0, HUGE];
                }
                statuses {
                    /// The best choice.
                    decision: Decision;
                    /// The second best.
                    decision_runner_up: Decision;
                }
                equations(x, _given) {
                    let (decision, decision_runner_up, decision_margin_usd) = ranked(&[
                        (Decision::Buy, N::zero()),
                        $( (Decision::$option, x.$first $( + x.$more )*) ),+
                    ]);
                    Outputs { decision_margin_usd, decision, decision_runner_up }
                }
            }
        }
    };
}

options! {
    /// Build, buy, both, or only threaten.
    four_ways: FourWays = "four_ways";
    Build = build_npv_usd + build_leverage_usd;
    Dual = build_dual_npv_usd;
    Threaten = build_threaten_npv_usd;
}

options! {
    /// Build, buy or only threaten, where no share is stated for having both.
    or_threaten: BuildBuyOrThreaten = "build_buy_or_threaten";
    Build = build_npv_usd + build_leverage_usd;
    Threaten = build_threaten_npv_usd;
}

options! {
    /// Build, buy or both, where no bargain is stated.
    or_both: BuildBuyOrBoth = "build_buy_or_both";
    Build = build_npv_usd + build_leverage_usd;
    Dual = build_dual_npv_usd;
}

/// Without a bargain and without a share.
pub mod build_or_buy {
    use super::{Decision, HUGE};
    use crate::variable::model;

    model! {
        /// Build or buy, and by how much.
        BuildOrBuy = "build_or_buy";
        inputs {}
        choices {}
        reads { build_npv_usd }
        outputs {}
        summaries {
            /// How much better the decision is than the runner-up.
            decision_margin_usd: "USD" [0.0, HUGE];
        }
        statuses {
            /// The best choice.
            decision: Decision;
            /// The second best.
            decision_runner_up: Decision;
        }
        equations(x, _given) {
            let builds = N::zero().lt(x.build_npv_usd);
            let (buy, build) = (Decision::Buy.number(), Decision::Build.number());
            Outputs {
                decision_margin_usd: x.build_npv_usd.abs(),
                decision: N::select(builds, build, buy),
                decision_runner_up: N::select(builds, buy, build),
            }
        }
    }
}

/// Own units capped at a share.
pub mod dual {
    use super::HUGE;
    use crate::variable::model;

    model! {
        /// Having both: own units capped at a share of the work they can do.
        Dual = "dual";
        inputs {}
        choices {}
        reads { build_dual_saving_usd programme_nre_pv_usd build_dual_leverage_usd }
        outputs {
            /// Expected net present value of having both, with what the merchant concedes where a bargain is stated.
            build_dual_npv_usd: "USD" [-HUGE, HUGE];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let build_dual_npv_usd = given.build_dual_npv_usd(
                x.build_dual_saving_usd - x.programme_nre_pv_usd + x.build_dual_leverage_usd,
            );
            Outputs { build_dual_npv_usd }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::build_or_buy::BuildOrBuy;
    use super::dual::Dual;
    use super::four_ways::FourWays;
    use super::or_both::BuildBuyOrBoth;
    use super::or_threaten::BuildBuyOrThreaten;
    use super::{Decision, ranked};
    use crate::trial::{Answers, Case, check_derivatives, evaluate};
    use crate::variable::Choice;

    fn is(answers: &Answers, best: Decision, second: Decision, margin: f64) {
        assert_eq!(answers["decision"].to_bits(), f64::from(best.code()).to_bits());
        assert_eq!(answers["decision_runner_up"].to_bits(), f64::from(second.code()).to_bits());
        assert_eq!(answers["decision_margin_usd"].to_bits(), margin.to_bits());
    }

    #[test]
    fn the_better_one_and_its_lead() {
        for (npv, best, second) in [
            (3e6, Decision::Build, Decision::Buy),
            (-2e6, Decision::Buy, Decision::Build),
            (0.0, Decision::Buy, Decision::Build),
        ] {
            is(&evaluate::<BuildOrBuy>(&[("build_npv_usd", npv)], &[]), best, second, npv.abs());
        }
    }

    #[test]
    fn every_order_of_four() {
        const NAMES: [Decision; 4] = [Decision::Buy, Decision::Build, Decision::Dual, Decision::Threaten];
        for order in 0..256_usize {
            let value = |k: usize| f64::from(u8::try_from(order >> (2 * k) & 3).expect("0 to 3"));
            let options: Vec<(Decision, f64)> = (0..4).map(|k| (NAMES[k], value(k))).collect();
            let (best, second, lead): (f64, f64, f64) = ranked(&options);
            // Stable: the first named of equals comes first.
            let mut sorted = options.clone();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
            let code = |k: usize| f64::from(sorted[k].0.code());
            assert_eq!((best, second, lead), (code(0), code(1), sorted[0].1 - sorted[1].1), "{options:?}");
        }
    }

    #[test]
    fn a_concession_turns_the_decision() {
        let values = |build: f64, leverage: f64, dual: f64, threaten: f64| {
            [
                ("build_npv_usd", build),
                ("build_leverage_usd", leverage),
                ("build_dual_npv_usd", dual),
                ("build_threaten_npv_usd", threaten),
            ]
        };
        let all = values(-50e6, 80e6, 20e6, 10e6);
        is(&evaluate::<FourWays>(&all, &[]), Decision::Build, Decision::Dual, 10e6);
        is(&evaluate::<FourWays>(&values(-50e6, 0.0, -5e6, -9e6), &[]), Decision::Buy, Decision::Dual, 5e6);
        let without_dual = [all[0], all[1], all[3]];
        is(&evaluate::<BuildBuyOrThreaten>(&without_dual, &[]), Decision::Build, Decision::Threaten, 20e6);
        is(&evaluate::<BuildBuyOrBoth>(&all[..3], &[]), Decision::Build, Decision::Dual, 10e6);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for npv in [3e6, -2e6] {
            check_derivatives::<BuildOrBuy>(Case { values: &[("build_npv_usd", npv)], choices: &[] }, &[]);
        }
        let all = [
            ("build_npv_usd", -50e6),
            ("build_leverage_usd", 80e6),
            ("build_dual_npv_usd", 20e6),
            ("build_threaten_npv_usd", 10e6),
        ];
        check_derivatives::<FourWays>(Case { values: &all, choices: &[] }, &[]);
        check_derivatives::<BuildBuyOrBoth>(Case { values: &all[..3], choices: &[] }, &[]);
        let both =
            [("build_dual_saving_usd", 300e6), ("programme_nre_pv_usd", 250e6), ("build_dual_leverage_usd", 40e6)];
        check_derivatives::<Dual>(Case { values: &both, choices: &[] }, &[]);
    }
}
