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

/// Share of dies with at least one bad unit, no more than are spare, and nothing else wrong: the mean over the law of the
/// defect density, at the points of `density`.
#[inline(always)]
pub fn rescued_share<N: Number>(model: YieldModel, lambda: N, alpha: N, layers: N, units: Units<N>) -> N {
    if N::shortcut(units.spare.lt(N::one())) {
        return N::zero();
    }
    // Exponential for Seeds; for Bose-Einstein the sum of the layers' exponentials.
    let (lambda, shape) = match model {
        YieldModel::BoseEinstein => (lambda * layers, layers),
        YieldModel::Seeds => (lambda, N::one()),
        _ => (lambda, alpha),
    };
    let points = match model {
        YieldModel::Poisson => 1,
        YieldModel::Murphy => 2 * UNIT_POINTS,
        YieldModel::Rectangular => UNIT_POINTS,
        YieldModel::Moore => STABLE_POINTS,
        YieldModel::Seeds | YieldModel::NegativeBinomial | YieldModel::BoseEinstein => GAMMA_POINTS,
    };
    let mut weights = N::zero();
    let mut sum = N::zero();
    let mut point = 0;
    while point < points {
        let (x, weight, in_whole) = match model {
            YieldModel::Poisson => (N::one(), N::one(), N::one()),
            // x uniform on [0, 2].
            YieldModel::Rectangular => {
                let (s, rest) = unit_interval::<N>(point);
                (s * 2.0, s * rest * UNIT_STEP, N::zero())
            }
            // x triangular on [0, 2]: x dx on the first half, (2 - x) dx on the second.
            YieldModel::Murphy if point < UNIT_POINTS => {
                let (s, rest) = unit_interval::<N>(point);
                (s, s * s * rest * UNIT_STEP, N::zero())
            }
            YieldModel::Murphy => {
                let (s, rest) = unit_interval::<N>(point - UNIT_POINTS);
                (s + 1.0, s * rest * rest * UNIT_STEP, N::zero())
            }
            YieldModel::Moore => {
                let (x, weight) = one_sided_stable(point);
                (x, weight, N::zero())
            }
            YieldModel::Seeds | YieldModel::NegativeBinomial | YieldModel::BoseEinstein => {
                let (x, weight) = gamma(shape, point);
                (x, weight / x, weight)
            }
        };
        weights = weights + in_whole;
        sum = sum + weight * rescued(lambda * x, units);
        point += 1;
    }
    let normal = matches!(model, YieldModel::Rectangular | YieldModel::Murphy | YieldModel::Moore);
    if normal { sum } else { sum / weights }
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

const GAMMA_POINTS: i32 = 161;

/// A point and its weight for a mean over a gamma law of mean 1 and shape a, against x^(a+1) e^(-ax): the share rescued falls
/// as x does, so that one power of x moves from it to the weight, whose integral then needs no gamma function. Trapezoid
/// rule in t, x = (1 + 1/a) e^z, z = t - e^-t / (a + 1): the tail towards x = 0, long where defects cluster, ends as fast as
/// the other.
#[inline(always)]
fn gamma<N: Number>(shape: N, point: i32) -> (N, N) {
    /// The weight is cut where it is e^-40.
    const DEPTH: f64 = 40.0;
    const LN_DEPTH: f64 = 3.688_879_454_113_936;
    let power = shape + 1.0;
    let largest = N::one() / shape + 1.0;
    let spread = (N::of(2.0 * DEPTH) / power).sqrt();
    let low = -(N::of(DEPTH) / power + spread).min(N::of(LN_DEPTH));
    let high = spread.min((N::of(DEPTH) / power + 1.0).ln() + 1.5) + N::of(0.5) / power;
    let t = low + (high - low) * (f64::from(point) / f64::from(GAMMA_POINTS - 1));
    let pull = (-t).exp() / power;
    let z = t - pull;
    let grown = z.exp();
    (largest * grown, (power * (z - grown + 1.0)).exp() * (pull + 1.0))
}

const UNIT_STEP: f64 = 0.25;
const UNIT_POINTS: i32 = 321;

/// A point s of [0, 1] and 1 - s, whose product is its weight: trapezoid rule in t, s = 1 / (1 + e^-t).
#[inline(always)]
fn unit_interval<N: Number>(point: i32) -> (N, N) {
    let t = N::of(f64::from(point - UNIT_POINTS / 2) * UNIT_STEP);
    (N::one() / ((-t).exp() + 1.0), N::one() / (t.exp() + 1.0))
}

const STABLE_POINTS: i32 = 651;

/// A point and its weight for a mean over x = 1 / (2 z²), z standard normal, whose e^(-λx) has the mean e^-√λ: the law behind
/// Moore's form. Trapezoid rule in y, z = e^y, from e^-38 to e^2.6.
#[inline(always)]
fn one_sided_stable<N: Number>(point: i32) -> (N, N) {
    const STEP: f64 = 0.0625;
    const FIRST: i32 = -608;
    const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
    let y = N::of(f64::from(point + FIRST) * STEP);
    let square = (y * 2.0).exp();
    (N::of(0.5) / square, (y - square * 0.5).exp() * (STEP * SQRT_2_OVER_PI))
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
