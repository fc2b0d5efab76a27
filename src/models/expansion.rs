//! How many workloads are large enough for a chip of their own.
//!
//!     count = n · P(V > V*)         share of spending = E[V; V > V*] / E[V]
//!     Pareto     P(V > v) = (v / m)^-α · A(α, H/v) / A(α, H/m),   A(a, q) = (1 - q^-a) / a;  spending: α - 1 for α
//!     lognormal  P(V > v) = Φ(-z), z = ln(v / median) / σ;         spending: Φ(σ - z)
//!
//! V is what a workload spends a year on merchant chips and V* the least that pays for a chip, from expansion_by_build or
//! expansion_by_delay. Pareto from m up, cut off at the largest workload H where there is one: without it and with α of 1
//! or less the mean is infinite, the few largest workloads are all of the spending, and the share is 1. Within the range
//! and far from H the count goes with V*^-α, so that half the threshold gives 2^α as many (definition; Gabaix 2009 for
//! power laws in economics). Which of the two laws holds, and α, nobody has measured: judgement.
//!
//! Left out: workloads that differ in more than their spending (let rows differ), workloads that share a chip, and demand
//! that cheaper inference creates.

use crate::finance::present_value_of_flow;
use crate::normal::tails;
use crate::number::Number;
use crate::variable::{INFINITE, NONE, choices, model};

choices!(
    /// How spending is spread over workloads.
    ExpansionPopulation { Pareto "pareto", Lognormal "lognormal" }
);

/// A population with a Pareto tail from `least` to `most`.
#[derive(Clone, Copy)]
struct Pareto<N> {
    alpha: N,
    least: N,
    most: N,
}

impl<N: Number> Pareto<N> {
    /// Share of the population's moment above `spend`: of order 0 by count, of order 1 by spending.
    #[inline(always)]
    fn share_above(&self, order: f64, spend: N) -> N {
        let exponent = self.alpha - order;
        let inside = self.least.lt(spend) & spend.lt(self.most);
        let at = N::select(inside, spend, self.least);
        let tail = (-(exponent * (at / self.least).ln())).exp();
        // What the cut takes off: (1 - q^-a) / a is the value of a unit flow over ln q at the rate a.
        let is_cut = inside & self.most.lt(N::of(INFINITE));
        let most = N::select(is_cut, self.most, at * 2.0);
        let beyond = present_value_of_flow(exponent, ((most - at) / at).ln_1p());
        let whole = present_value_of_flow(exponent, ((most - self.least) / self.least).ln_1p());
        let endless = N::select(N::zero().lt(exponent), tail, N::one());
        let share = N::select(is_cut, tail * (beyond / whole), endless);
        N::select(inside, share, N::select(spend.le(self.least), N::one(), N::zero()))
    }
}

/// The same share of a lognormal population.
#[inline(always)]
fn lognormal_share_above<N: Number>(median: N, log_sd: N, order: f64, spend: N) -> N {
    let some = N::zero().lt(spend) & spend.lt(N::of(INFINITE)) & N::zero().lt(log_sd);
    let at = N::select(some, spend, median);
    let score = (at / median).ln() / N::select(some, log_sd, N::one());
    let share = tails(score - log_sd * order).above;
    // Without spread all are at the median.
    let reached = N::zero().lt(log_sd) & spend.lt(N::of(INFINITE)) | spend.le(median);
    N::select(some, share, N::select(reached, N::one(), N::zero()))
}

model! {
    /// How many workloads are large enough for a chip of their own.
    Expansion = "expansion";
    inputs {
        /// Workloads in the population.
        expansion_workloads: number "1" [0.0, 1e12], default NONE, typical [100.0, 10_000.0], Judgement "no count is published";
        /// Tail exponent of the Pareto law: twice the spending is 2^-alpha as frequent.
        expansion_pareto_alpha: number "1" [0.01, 100.0], default NONE, typical [0.9, 1.4], Judgement "firm sizes are near 1 (Axtell 2001)";
        /// Smallest yearly spending in a Pareto population.
        expansion_minimum_usd_per_year: number "USD/year" [1e-3, 1e15], default NONE, typical [1e6, 1e8], Judgement "below it nobody thinks of a chip";
        /// Largest yearly spending in a Pareto population.
        expansion_maximum_usd_per_year: number "USD/year" [1e-3, INFINITE], default INFINITE, typical [1e10, 1e12], Definition "no largest workload";
        /// Median yearly spending of a lognormal population.
        expansion_median_usd_per_year: number "USD/year" [1e-3, 1e15], default NONE, typical [1e6, 1e8], Judgement "no distribution is published";
        /// Standard deviation of the logarithm of spending in a lognormal population.
        expansion_log_sd: number "1" [0.0, 20.0], default NONE, typical [1.0, 2.5], Judgement "no distribution is published";
    }
    choices {
        /// How spending is spread over workloads.
        expansion_population: ExpansionPopulation = ExpansionPopulation::Pareto, "the heavier tail";
    }
    reads { expansion_threshold_usd }
    outputs {
        /// Workloads that a chip of their own pays for.
        expansion_viable_count: "1" [0.0, 1e12];
        /// Their share of what all workloads spend.
        expansion_viable_share: "1" [0.0, 1.0];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let threshold_usd = x.expansion_threshold_usd;
        let [by_count, by_spending] = match x.expansion_population {
            ExpansionPopulation::Pareto => {
                let population = Pareto {
                    alpha: x.expansion_pareto_alpha,
                    least: x.expansion_minimum_usd_per_year,
                    most: x.expansion_maximum_usd_per_year,
                };
                [population.share_above(0.0, threshold_usd), population.share_above(1.0, threshold_usd)]
            }
            ExpansionPopulation::Lognormal => {
                let (median, log_sd) = (x.expansion_median_usd_per_year, x.expansion_log_sd);
                [
                    lognormal_share_above(median, log_sd, 0.0, threshold_usd),
                    lognormal_share_above(median, log_sd, 1.0, threshold_usd),
                ]
            }
        };
        let expansion_viable_count = given.expansion_viable_count(x.expansion_workloads * by_count);
        let expansion_viable_share = given.expansion_viable_share(by_spending);
        Outputs { expansion_viable_count, expansion_viable_share }
    }
}

#[cfg(test)]
mod tests {
    use super::Expansion;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const PARETO: [(&str, f64); 5] = [
        ("expansion_workloads", 1000.0),
        ("expansion_pareto_alpha", 1.5),
        ("expansion_minimum_usd_per_year", 10e6),
        ("expansion_maximum_usd_per_year", f64::INFINITY),
        ("expansion_threshold_usd", 40e6),
    ];
    const LOGNORMAL: [(&str, f64); 4] = [
        ("expansion_workloads", 1000.0),
        ("expansion_median_usd_per_year", 10e6),
        ("expansion_log_sd", 2.0),
        ("expansion_threshold_usd", 40e6),
    ];
    const IS_LOGNORMAL: [(&str, &str); 1] = [("expansion_population", "lognormal")];

    fn both(values: &[(&str, f64)], choices: &[(&str, &str)]) -> (f64, f64) {
        let answers = evaluate::<Expansion>(values, choices);
        (answers["expansion_viable_count"], answers["expansion_viable_share"])
    }
    fn close(got: (f64, f64), wanted: (f64, f64), digits: f64) {
        assert!((got.0 / wanted.0 - 1.0).abs() < digits && (got.1 / wanted.1 - 1.0).abs() < digits, "{got:?}");
    }

    #[test]
    fn populations_by_hand() {
        // 4^-1.5 = 1/8 of 1000, 4^-0.5 = 1/2 of the spending. Cut at 160 M: (1/8 - 1/64) / (1 - 1/64), (1/2 - 1/4) / (1 - 1/4).
        close(both(&PARETO, &[]), (125.0, 0.5), 1e-14);
        let cut = with(&PARETO, &[("expansion_maximum_usd_per_year", 160e6)]);
        close(both(&cut, &[]), (1000.0 / 9.0, 1.0 / 3.0), 1e-14);
        // ln 4 / 2 = 0.693147: Φ(-0.693147) = 0.244108, Φ(2 - 0.693147) = 0.904370.
        close(both(&LOGNORMAL, &IS_LOGNORMAL), (244.108_3, 0.904_370), 1e-5);
    }

    #[test]
    fn at_the_mean_s_edge_spending_is_spread_evenly_in_logs() {
        // α = 1 between 10 and 160: ln(160/40) / ln(160/10) = 1/2; and nothing jumps beside it.
        for (alpha, digits) in [(1.0, 1e-14), (1.0 + 1e-9, 1e-8), (1.0 - 1e-9, 1e-8)] {
            let even = [("expansion_pareto_alpha", alpha), ("expansion_maximum_usd_per_year", 160e6)];
            let share = both(&with(&PARETO, &even), &[]).1;
            assert!((share - 0.5).abs() < digits, "{share}");
        }
        assert_eq!(both(&with(&PARETO, &[("expansion_pareto_alpha", 1.0)]), &[]).1, 1.0);
    }

    #[test]
    fn limits_and_identities() {
        for (values, choices) in [(&PARETO[..], &[][..]), (&LOGNORMAL[..], &IS_LOGNORMAL[..])] {
            let at = |threshold: f64| both(&with(values, &[("expansion_threshold_usd", threshold)]), choices);
            assert_eq!(at(0.0), (1000.0, 1.0));
            assert_eq!(at(f64::INFINITY), (0.0, 0.0));
            assert!(at(50e6) < at(40e6) && at(50e6).1 < at(40e6).1);
        }
        // Half the threshold, 2^α as many.
        let half = both(&with(&PARETO, &[("expansion_threshold_usd", 20e6)]), &[]).0;
        assert!((half / 125.0 - core_math::pow(2.0, 1.5)).abs() < 1e-13);
        // A population of one size, and one beyond its own end.
        let alike = with(&LOGNORMAL, &[("expansion_log_sd", 0.0)]);
        assert_eq!(both(&alike, &IS_LOGNORMAL), (0.0, 0.0));
        assert_eq!(both(&with(&alike, &[("expansion_threshold_usd", 10e6)]), &IS_LOGNORMAL), (1000.0, 1.0));
        for least in [160e6, 200e6] {
            let point = [("expansion_minimum_usd_per_year", least), ("expansion_maximum_usd_per_year", 160e6)];
            assert_eq!(both(&with(&PARETO, &point), &[]), (1000.0, 1.0));
            let above = with(&PARETO, &[point[0], point[1], ("expansion_threshold_usd", 201e6)]);
            assert_eq!(both(&above, &[]), (0.0, 0.0));
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<Expansion>(Case { values: &PARETO, choices: &[] }, &[]);
        let cut = with(&PARETO, &[("expansion_maximum_usd_per_year", 160e6)]);
        check_derivatives::<Expansion>(Case { values: &cut, choices: &[] }, &[]);
        for threshold in [9e6, 40e6, 40e9] {
            let values = with(&LOGNORMAL, &[("expansion_threshold_usd", threshold)]);
            check_derivatives::<Expansion>(Case { values: &values, choices: &IS_LOGNORMAL }, &[]);
        }
    }
}
