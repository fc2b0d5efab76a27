//! Yield of a die with random defects, and the dies that spare units rescue.
//!
//! λ is the mean number of killing defects on a die. The yield models differ in how the defect density varies from die to
//! die: the share without a defect is the mean of e^(-λx) over the density's law, x of mean 1. Source of the forms:
//! Cunningham, IEEE Transactions on Semiconductor Manufacturing 3 (1990) 60; Stapper, IBM Journal 27 (1983) 549.

use crate::number::Number;
use crate::variable::choices;

choices!(
    /// How defects fall on dies.
    YieldModel {
        Poisson "poisson",
        Murphy "murphy",
        Rectangular "rectangular",
        Moore "moore",
        Seeds "seeds",
        NegativeBinomial "negative_binomial",
        BoseEinstein "bose_einstein",
    }
);

/// The units of a die, some of which may be spare.
#[derive(Clone, Copy)]
pub struct Units<N> {
    /// Identical units.
    pub count: N,
    /// How many of them may be bad.
    pub spare: N,
    /// Their share of the die's area.
    pub share: N,
}

/// Share of dies without a defect. `alpha` is the clustering of the negative binomial, `layers` the critical layers of
/// Bose-Einstein, whose λ is that of one layer.
#[inline(always)]
pub fn perfect_share<N: Number>(model: YieldModel, lambda: N, alpha: N, layers: N) -> N {
    let none = lambda.eq(N::zero());
    let safe = N::select(none, N::one(), lambda);
    match model {
        YieldModel::Poisson => (-lambda).exp(),
        YieldModel::Murphy => {
            let mean = -(-safe).exp_m1() / safe;
            N::select(none, N::one(), mean * mean)
        }
        YieldModel::Rectangular => N::select(none, N::one(), -(-(safe * 2.0)).exp_m1() / (safe * 2.0)),
        YieldModel::Moore => (-lambda.sqrt()).exp(),
        YieldModel::Seeds => N::one() / (lambda + 1.0),
        YieldModel::NegativeBinomial => (-(alpha * (lambda / alpha).ln_1p())).exp(),
        YieldModel::BoseEinstein => (-(layers * lambda.ln_1p())).exp(),
    }
}

/// Share of dies with at least one bad unit, no more than are spare, and nothing else wrong.
#[inline(always)]
pub fn rescued_share<N: Number>(model: YieldModel, lambda: N, alpha: N, layers: N, units: Units<N>) -> N {
    if N::shortcut(units.spare.lt(N::one())) {
        return N::zero();
    }
    match model {
        YieldModel::Poisson => rescued(lambda, units),
        // x gamma: exponential for Seeds, and for Bose-Einstein the sum of the layers' exponentials.
        YieldModel::NegativeBinomial | YieldModel::Seeds | YieldModel::BoseEinstein => {
            let (lambda, shape) = match model {
                YieldModel::NegativeBinomial => (lambda, alpha),
                YieldModel::Seeds => (lambda, N::one()),
                _ => (lambda * layers, layers),
            };
            over_gamma(lambda, shape, units)
        }
        // x uniform on [0, 2].
        YieldModel::Rectangular => over_unit_interval(
            #[inline(always)]
            |s, _| rescued(lambda * s * 2.0, units),
        ),
        // x triangular on [0, 2]: x dx on the first half, (2 - x) dx on the second.
        YieldModel::Murphy => over_unit_interval(
            #[inline(always)]
            |s, rest| rescued(lambda * s, units) * s + rescued(lambda * (s + 1.0), units) * rest,
        ),
        YieldModel::Moore => over_one_sided_stable(lambda, units),
    }
}

/// With defects of constant density: e^-λ Σ_{1 ≤ j ≤ k} C(n,j) (e^u - 1)^j, u the mean number of defects on a unit.
#[inline(always)]
fn rescued<N: Number>(lambda: N, units: Units<N>) -> N {
    /// A unit with more defects than this is bad; beyond, the terms would overflow between two rescalings.
    const MOST_PER_UNIT: f64 = 300.0;
    const LARGE: f64 = 1e150;
    const LN_LARGE: f64 = 345.387_763_949_106_9;
    let on_unit = (lambda * units.share / units.count).min(N::of(MOST_PER_UNIT));
    let elsewhere = lambda * (-units.share + 1.0);
    let odds = on_unit.exp_m1();
    let mut term = N::one();
    let mut total = N::zero();
    let mut log_scale = N::zero();
    let last = units.spare.highest();
    let mut j = 1.0;
    while j <= last {
        term = term * odds * ((units.count - (j - 1.0)).positive_part() / j);
        total = total + N::select(N::of(j).le(units.spare), term, N::zero());
        let large = N::of(LARGE).lt(term.max(total));
        term = N::select(large, term / LARGE, term);
        total = N::select(large, total / LARGE, total);
        log_scale = log_scale + N::select(large, N::of(LN_LARGE), N::zero());
        // Once a term is lost in the total the later ones, which fall, are too.
        if N::all((term * 1e18).lt(total) | units.spare.le(N::of(j))) {
            break;
        }
        j += 1.0;
    }
    total * (log_scale - elsewhere - on_unit * units.count).exp()
}

/// Mean over a gamma law of mean 1 and shape a, against the weight x^(a+1) e^(-ax): the share rescued falls as x does, so
/// that one power of x moves from it to the weight, whose integral then needs no gamma function. Trapezoid rule in t,
/// x = (1 + 1/a) e^z, z = t - e^-t / (a + 1): the tail towards x = 0, long where defects cluster, ends as fast as the other.
#[inline(always)]
fn over_gamma<N: Number>(lambda: N, alpha: N, units: Units<N>) -> N {
    const POINTS: u32 = 160;
    /// The weight is cut where it is e^-40.
    const DEPTH: f64 = 40.0;
    const LN_DEPTH: f64 = 3.688_879_454_113_936;
    let power = alpha + 1.0;
    let largest = N::one() / alpha + 1.0;
    let spread = (N::of(2.0 * DEPTH) / power).sqrt();
    let low = -(N::of(DEPTH) / power + spread).min(N::of(LN_DEPTH));
    let high = spread.min((N::of(DEPTH) / power + 1.0).ln() + 1.5) + N::of(0.5) / power;
    let step = (high - low) / f64::from(POINTS);
    let mut weight_sum = N::zero();
    let mut sum = N::zero();
    let mut i = 0;
    while i <= POINTS {
        let t = low + step * f64::from(i);
        let pull = (-t).exp() / power;
        let z = t - pull;
        let grown = z.exp();
        let weight = (power * (z - grown + 1.0)).exp() * (pull + 1.0);
        let x = largest * grown;
        weight_sum = weight_sum + weight;
        sum = sum + weight * rescued(lambda * x, units) / x;
        i += 1;
    }
    sum / weight_sum
}

/// ∫₀¹ f(s) ds by the trapezoid rule in t, s = 1 / (1 + e^-t); f gets s and 1 - s.
#[inline(always)]
fn over_unit_interval<N: Number>(f: impl Fn(N, N) -> N) -> N {
    const STEP: f64 = 0.25;
    const POINTS: i32 = 160;
    let mut sum = N::zero();
    let mut i = -POINTS;
    while i <= POINTS {
        let t = N::of(f64::from(i) * STEP);
        let s = N::one() / ((-t).exp() + 1.0);
        let rest = N::one() / (t.exp() + 1.0);
        sum = sum + f(s, rest) * s * rest;
        i += 1;
    }
    sum * STEP
}

/// Mean over x = 1 / (2 z²), z standard normal, whose e^(-λx) has the mean e^-√λ: the law behind Moore's form. Trapezoid
/// rule in y, z = e^y.
#[inline(always)]
fn over_one_sided_stable<N: Number>(lambda: N, units: Units<N>) -> N {
    const STEP: f64 = 0.0625;
    /// e^-38 at the left end, e^(-e^5.2 / 2) at the right.
    const FIRST: i32 = -608;
    const LAST: i32 = 42;
    const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
    let mut sum = N::zero();
    let mut i = FIRST;
    while i <= LAST {
        let y = N::of(f64::from(i) * STEP);
        let square = (y * 2.0).exp();
        let weight = (y - square * 0.5).exp();
        sum = sum + weight * rescued(lambda * 0.5 / square, units);
        i += 1;
    }
    sum * (STEP * SQRT_2_OVER_PI)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variable::Choice;

    fn models() -> impl Iterator<Item = YieldModel> {
        (0..YieldModel::NAMES.len()).map(|code| YieldModel::from_code(u8::try_from(code).expect("few")))
    }
    fn units(count: f64, spare: f64, share: f64) -> Units<f64> {
        Units { count, spare, share }
    }

    #[test]
    fn perfect_shares_by_hand() {
        // λ = 1: e^-1; (1 - e^-1)²; (1 - e^-2) / 2; e^-1; 1/2; (1 + 1/3)^-3 = 27/64; 2^-10.
        let e = core_math::exp(-1.0);
        let right = [e, (1.0 - e) * (1.0 - e), (1.0 - e * e) / 2.0, e, 0.5, 27.0 / 64.0, 1.0 / 1024.0];
        for (model, right) in models().zip(right) {
            let share = perfect_share(model, 1.0, 3.0, 10.0);
            assert!((share / right - 1.0).abs() < 5e-15, "{model:?}: {share}"); // exp of a product, ten times a logarithm
        }
    }

    #[test]
    fn no_defects_are_no_losses_and_nothing_to_rescue() {
        for model in models() {
            assert_eq!(perfect_share(model, 0.0, 3.0, 10.0).to_bits(), 1.0_f64.to_bits(), "{model:?}");
            assert!(rescued_share(model, 0.0, 3.0, 10.0, units(16.0, 2.0, 0.6)).abs() < 1e-15, "{model:?}");
        }
    }

    #[test]
    fn a_rescue_by_hand() {
        // Two units that are the whole die, one may be bad, λ = 1, a unit survives with p = e^-1/2 = 0.606531:
        // exactly one bad is 2 p (1 - p) = 0.477302.
        let p = core_math::exp(-0.5);
        let share = rescued_share(YieldModel::Poisson, 1.0, 3.0, 10.0, units(2.0, 1.0, 1.0));
        assert!((share - 2.0 * p * (1.0 - p)).abs() < 1e-15); // a few roundings
        // Half of the area has no spares: λ = 0.5 there, and 0.25 on each unit.
        let p = core_math::exp(-0.25);
        let share = rescued_share(YieldModel::Poisson, 1.0, 3.0, 10.0, units(2.0, 1.0, 0.5));
        assert!((share - core_math::exp(-0.5) * 2.0 * p * (1.0 - p)).abs() < 1e-15);
    }

    #[test]
    fn all_units_spare_rescues_what_their_area_loses() {
        // With every unit allowed to be bad only the rest of the area counts: perfect + rescued = share for λ (1 - f).
        for model in models() {
            let (lambda, share) = (0.8, 0.6);
            let whole = perfect_share(model, lambda, 3.0, 10.0);
            let rescued = rescued_share(model, lambda, 3.0, 10.0, units(8.0, 8.0, share));
            let rest = perfect_share(model, lambda * (1.0 - share), 3.0, 10.0);
            assert!((whole + rescued - rest).abs() < 1e-12, "{model:?}: {whole} + {rescued}, {rest}"); // quadrature
        }
    }

    #[test]
    fn strong_clustering_helps_and_none_is_poisson() {
        let poisson = perfect_share(YieldModel::Poisson, 0.7, 3.0, 10.0);
        let mut last = 1.0;
        for alpha in [0.5, 1.0, 3.0, 10.0, 100.0, 1e4] {
            let here = perfect_share(YieldModel::NegativeBinomial, 0.7, alpha, 10.0);
            assert!(here < last && here > poisson);
            last = here;
        }
        // λ² / 2α of it.
        assert!((last / poisson - 1.0).abs() < 3e-5);
    }

    #[test]
    fn seeds_are_a_cluster_of_one() {
        let spare = units(16.0, 3.0, 0.6);
        let seeds = rescued_share(YieldModel::Seeds, 0.7, 9.0, 10.0, spare);
        let cluster = rescued_share(YieldModel::NegativeBinomial, 0.7, 1.0, 10.0, spare);
        assert_eq!(seeds.to_bits(), cluster.to_bits());
    }
}
