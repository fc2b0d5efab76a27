//! Yield of a die with random defects, and the dies that spare units rescue.
//!
//! λ is the mean number of killing defects on a die. The yield models differ in how the defect density varies from die to
//! die: the share without a defect is the mean of e^(-λx) over the density's law, x of mean 1. Source of the forms:
//! Cunningham, IEEE Transactions on Semiconductor Manufacturing 3 (1990) 60; Stapper, IBM Journal 27 (1983) 549.

use crate::number::Number;
use crate::occupancy::rescued_by_count;
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

/// Share of dies with at least one bad unit, no more than are spare, and nothing else wrong; `perfect` are those without a
/// defect. Where the density has a gamma law and defects are few, defect by defect; else the mean over the density's law,
/// by quadrature.
#[inline(always)]
pub fn rescued_share<N: Number>(model: YieldModel, lambda: N, alpha: N, layers: N, perfect: N, units: Units<N>) -> N {
    if N::shortcut(units.spare.lt(N::one())) {
        return N::zero();
    }
    // Exponential for Seeds; for Bose-Einstein the sum of the layers' exponentials.
    let gamma = match model {
        YieldModel::BoseEinstein => Some((lambda * layers, layers)),
        YieldModel::Seeds => Some((lambda, N::one())),
        YieldModel::NegativeBinomial => Some((lambda, alpha)),
        YieldModel::Poisson | YieldModel::Murphy | YieldModel::Rectangular | YieldModel::Moore => None,
    };
    let Some((lambda, shape)) = gamma else {
        return rescued_on_average(model, lambda, alpha, units);
    };
    let (ratio, counted) = rescued_by_count(lambda, shape, units);
    let by_count = ratio * perfect;
    if N::shortcut(counted) {
        return by_count;
    }
    N::select(counted, by_count, rescued_on_average(model, lambda, shape, units))
}

/// The mean over the law of the defect density, at points of it.
#[inline(always)]
fn rescued_on_average<N: Number>(model: YieldModel, lambda: N, shape: N, units: Units<N>) -> N {
    let rescue = Rescue::new(units);
    let mut gamma = Gamma::new(shape, units.spare, lambda * units.share);
    let points = match model {
        YieldModel::Poisson => 1,
        YieldModel::Murphy => 2 * UNIT_POINTS,
        YieldModel::Rectangular => UNIT_POINTS,
        YieldModel::Moore => STABLE_POINTS,
        YieldModel::Seeds | YieldModel::NegativeBinomial | YieldModel::BoseEinstein => gamma.most_points(),
    };
    let mut sum = N::zero();
    let mut point = 0;
    while point < points {
        let Point { x, weight, log_weight } = match model {
            YieldModel::Poisson => Point { x: N::one(), weight: N::one(), log_weight: N::zero() },
            // x uniform on [0, 2].
            YieldModel::Rectangular => {
                let (s, rest) = unit_interval::<N>(point);
                Point { x: s * 2.0, weight: s * rest * UNIT_STEP, log_weight: N::zero() }
            }
            // x triangular on [0, 2]: x dx on the first half, (2 - x) dx on the second.
            YieldModel::Murphy if point < UNIT_POINTS => {
                let (s, rest) = unit_interval::<N>(point);
                Point { x: s, weight: s * s * rest * UNIT_STEP, log_weight: N::zero() }
            }
            YieldModel::Murphy => {
                let (s, rest) = unit_interval::<N>(point - UNIT_POINTS);
                Point { x: s + 1.0, weight: s * rest * rest * UNIT_STEP, log_weight: N::zero() }
            }
            YieldModel::Moore => one_sided_stable(point),
            YieldModel::Seeds | YieldModel::NegativeBinomial | YieldModel::BoseEinstein => gamma.point(point),
        };
        sum = sum + weight * rescue.share(lambda * x, log_weight);
        point += 1;
    }
    match model {
        YieldModel::Seeds | YieldModel::NegativeBinomial | YieldModel::BoseEinstein => sum * gamma.step / gamma.whole(),
        _ => sum,
    }
}

/// A defect density, relative to its mean, with its weight: `weight` e^`log_weight`.
struct Point<N> {
    x: N,
    weight: N,
    log_weight: N,
}

/// Spare units up to which the factors of the sum are kept.
const KEPT: usize = 64;

/// With defects of constant density: e^-λ Σ_{1 ≤ j ≤ k} C(n,j) (e^u - 1)^j, u the mean number of defects on a unit.
struct Rescue<N: Number> {
    units: Units<N>,
    /// The most spare units of any row.
    last: f64,
    /// C(n,j) / C(n,j-1), 0 beyond the spare units.
    factors: [N::Slot; KEPT],
    /// Whether no term can be large where a unit has less than one defect: (10⁴ (e - 1))³² / 32! < 1e101.
    moderate: bool,
}

impl<N: Number> Rescue<N> {
    #[inline(always)]
    fn new(units: Units<N>) -> Self {
        let mut rescue = Rescue {
            units,
            last: units.spare.highest(),
            factors: [N::zero().save(); KEPT],
            moderate: N::shortcut(units.spare.le(N::of(32.0)) & units.count.le(N::of(1e4))),
        };
        let mut j = 0;
        while j < KEPT && rescue.last > j as f64 {
            rescue.factors[j] = rescue.factor(j).save();
            j += 1;
        }
        rescue
    }
    #[inline(always)]
    fn factor(&self, j: usize) -> N {
        let before = j as f64;
        let factor = (self.units.count - before).positive_part() / (before + 1.0);
        N::select(N::of(before).lt(self.units.spare), factor, N::zero())
    }
    /// The share times e^`log_weight`.
    #[inline(always)]
    fn share(&self, lambda: N, log_weight: N) -> N {
        /// A unit with more defects than this is bad; beyond, the terms would overflow between two rescalings.
        const MOST_PER_UNIT: f64 = 300.0;
        const LARGE: f64 = 1e150;
        const LN_LARGE: f64 = 345.387_763_949_106_9;
        let units = &self.units;
        let on_unit = (lambda * units.share / units.count).min(N::of(MOST_PER_UNIT));
        let elsewhere = lambda * (-units.share + 1.0);
        let exponent = log_weight - elsewhere - on_unit * units.count;
        let odds = on_unit.exp_m1();
        let mut term = N::one();
        let mut total = N::zero();
        let mut j = 0;
        if self.moderate && N::shortcut(on_unit.le(N::one())) {
            while self.last > j as f64 {
                term = term * (odds * N::restore(self.factors[j]));
                total = total + term;
                j += 1;
            }
            return total * exponent.exp();
        }
        let mut log_scale = N::zero();
        while self.last > j as f64 {
            term = term * (odds * if j < KEPT { N::restore(self.factors[j]) } else { self.factor(j) });
            total = total + term;
            let large = N::of(LARGE).lt(term.max(total));
            term = N::select(large, term / LARGE, term);
            total = N::select(large, total / LARGE, total);
            log_scale = log_scale + N::select(large, N::of(LN_LARGE), N::zero());
            // Once a term is lost in the total the later ones, which fall, are too.
            if N::all((term * 1e18).lt(total) | term.eq(N::zero())) {
                break;
            }
            j += 1;
        }
        total * (log_scale + exponent).exp()
    }
}

/// Points for a mean over a gamma law of mean 1 and shape a, against x^(a+1) e^(-ax): the share rescued falls as x does, so
/// that one power of x moves from it to the weight. Trapezoid rule in t, x = (1 + 1/a) e^z, z = t - e^-t / (a + 1): the
/// tail towards x = 0, long where defects cluster, ends as fast as the other.
struct Gamma<N> {
    /// a + 1.
    power: N,
    count: N,
    low: N,
    step: N,
    /// e^-t / power at the next point, and its factor from point to point.
    pull: N,
    fall: N,
}

impl<N: Number> Gamma<N> {
    /// Few points where the law is narrow; more where many spare units make the share fall steeply, or where so many
    /// `redundant_defects` are expected on them that it falls far from the law's middle. Error of the mean below 1e-12.
    #[inline(always)]
    fn new(shape: N, spare: N, redundant_defects: N) -> Self {
        /// The weight is cut where it is e^-40.
        const DEPTH: f64 = 40.0;
        const LN_DEPTH: f64 = 3.688_879_454_113_936;
        let power = shape + 1.0;
        let spread = (N::of(2.0 * DEPTH) / power).sqrt();
        let low = -(N::of(DEPTH) / power + spread).min(N::of(LN_DEPTH));
        let high = spread.min((N::of(DEPTH) / power + 1.0).ln() + 1.5) + N::of(0.5) / power;
        let clustering = N::of(70.0) / shape.sqrt().sqrt() + 24.0;
        let steepness = (spare * 0.02 + 1.0).sqrt() * (redundant_defects * 0.01 + 1.0).sqrt().sqrt();
        let count = (clustering * steepness).floor();
        let step = (high - low) / (count - 1.0);
        Gamma { power, count, low, step, pull: (-low).exp() / power, fall: (-step).exp() }
    }
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
    fn most_points(&self) -> i32 {
        self.count.highest() as i32
    }
    /// Point after point, from the first on. Rows with fewer points have no weight at the rest.
    #[inline(always)]
    fn point(&mut self, point: i32) -> Point<N> {
        let number = N::of(f64::from(point));
        let z = self.low + self.step * number.min(self.count - 1.0) - self.pull;
        let grown = z.exp();
        let weight = N::select(number.lt(self.count), self.pull + 1.0, N::zero());
        self.pull = self.pull * self.fall;
        // 1 / x goes with the weight.
        let log_weight = self.power * (z - grown + 1.0) - z;
        Point { x: self.largest() * grown, weight, log_weight }
    }
    #[inline(always)]
    fn largest(&self) -> N {
        self.power / (self.power - 1.0)
    }
    /// The weights' integral with that of 1 / x: Γ(p) e^p p^-p (1 + 1/a), p = a + 1; Γ(p + 8) by Stirling's series.
    #[inline(always)]
    fn whole(&self) -> N {
        const SHIFT: f64 = 8.0;
        const TWO_PI: f64 = 2.0 * std::f64::consts::PI;
        const SERIES: [f64; 7] =
            [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
        let shifted = self.power + SHIFT;
        let inverse = N::one() / shifted;
        let square = inverse * inverse;
        let mut series = N::zero();
        let mut k = SERIES.len();
        while k > 0 {
            k -= 1;
            series = series * square + SERIES[k];
        }
        let mut factors = N::one();
        let mut i = 0.0;
        while i < SHIFT {
            factors = factors * (shifted / (self.power + i));
            i += 1.0;
        }
        let exponent = self.power * (N::of(SHIFT) / self.power).ln_1p() - SHIFT + series * inverse;
        (inverse * TWO_PI).sqrt() * factors * exponent.exp() * self.largest()
    }
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
fn one_sided_stable<N: Number>(point: i32) -> Point<N> {
    const STEP: f64 = 0.0625;
    const FIRST: i32 = -608;
    const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
    let y = N::of(f64::from(point + FIRST) * STEP);
    let square = (y * 2.0).exp();
    Point { x: N::of(0.5) / square, weight: N::of(STEP * SQRT_2_OVER_PI), log_weight: y - square * 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variable::Choice;

    fn models() -> impl Iterator<Item = YieldModel> {
        (0..YieldModel::NAMES.len()).map(|code| YieldModel::from_code(u8::try_from(code).expect("few")))
    }
    fn rescued(model: YieldModel, lambda: f64, alpha: f64, layers: f64, units: Units<f64>) -> f64 {
        rescued_share(model, lambda, alpha, layers, perfect_share(model, lambda, alpha, layers), units)
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
            assert!(rescued(model, 0.0, 3.0, 10.0, units(16.0, 2.0, 0.6)).abs() < 1e-15, "{model:?}");
        }
    }

    #[test]
    fn a_rescue_by_hand() {
        // Two units that are the whole die, one may be bad, λ = 1, a unit survives with p = e^-1/2 = 0.606531:
        // exactly one bad is 2 p (1 - p) = 0.477302.
        let p = core_math::exp(-0.5);
        let share = rescued(YieldModel::Poisson, 1.0, 3.0, 10.0, units(2.0, 1.0, 1.0));
        assert!((share - 2.0 * p * (1.0 - p)).abs() < 1e-15); // a few roundings
        // Half of the area has no spares: λ = 0.5 there, and 0.25 on each unit.
        let p = core_math::exp(-0.25);
        let share = rescued(YieldModel::Poisson, 1.0, 3.0, 10.0, units(2.0, 1.0, 0.5));
        assert!((share - core_math::exp(-0.5) * 2.0 * p * (1.0 - p)).abs() < 1e-15);
    }

    #[test]
    fn all_units_spare_rescues_what_their_area_loses() {
        // With every unit allowed to be bad only the rest of the area counts: perfect + rescued = share for λ (1 - f).
        for model in models() {
            let (lambda, share) = (0.8, 0.6);
            let whole = perfect_share(model, lambda, 3.0, 10.0);
            let rescued = rescued(model, lambda, 3.0, 10.0, units(8.0, 8.0, share));
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
        let seeds = rescued(YieldModel::Seeds, 0.7, 9.0, 10.0, spare);
        let cluster = rescued(YieldModel::NegativeBinomial, 0.7, 1.0, 10.0, spare);
        assert!((seeds / cluster - 1.0).abs() < 1e-15); // 1 / (1 + λ) by a logarithm there
    }
}
