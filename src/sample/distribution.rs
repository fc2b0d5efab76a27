//! Distributions of an uncertain input: their parameters, and the probabilities below and above a value.

use super::Invalid;
use super::curve::Curve;
use super::special::{SHAPES, Shape};
use crate::math::{exp, ln};
use crate::normal::{Tails, score, tails};

/// What a column follows before it is cut to its bounds.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    Uniform {
        low: f64,
        high: f64,
    },
    /// The logarithm is uniform.
    Loguniform {
        low: f64,
        high: f64,
    },
    Triangular {
        low: f64,
        mode: f64,
        high: f64,
    },
    Normal {
        mean: f64,
        sd: f64,
    },
    /// The natural logarithm is normal.
    Lognormal {
        ln_mean: f64,
        ln_sd: f64,
    },
    /// Beta distributed on [`low`, `high`].
    Beta {
        a: f64,
        b: f64,
        low: f64,
        high: f64,
    },
    /// Mean `shape` times `scale`.
    Gamma {
        shape: f64,
        scale: f64,
    },
    /// Each whole number from `low` to `high`, both included, equally likely.
    Integers {
        low: i64,
        high: i64,
    },
    /// One of `values` by its weight. A correlation is with the order given.
    Discrete {
        values: Vec<f64>,
        weights: Vec<f64>,
    },
    /// Observed values, with straight lines between neighbors of the sorted sample.
    Empirical {
        sample: Vec<f64>,
    },
    /// Through these (probability, value) points, from probability 0 to 1.
    Quantiles {
        points: Vec<(f64, f64)>,
        between: Between,
    },
}

/// How values between given quantiles are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Straight lines: equal density between two points.
    Line,
    /// A cubic with a continuous slope that rises where the points do (Fritsch and Butland 1984).
    Cubic,
}

/// Whole numbers up to here are exact.
const MOST_INTEGER: u64 = 1 << 53;

fn refuse<T>(what: String) -> Result<T, Invalid> {
    Err(Invalid::Parameters(what))
}

/// Normal scores of two probabilities, 0 < p < q < 1, and two values that rise with them.
fn two_scores(points: [(f64, f64); 2]) -> Result<[f64; 2], Invalid> {
    let [(p, low), (q, high)] = points;
    let rises = 0.0 < p && p < q && q < 1.0 && low < high && low.is_finite() && high.is_finite();
    if !rises {
        return refuse(format!(
            "two quantiles need 0 < p < q < 1 and rising values, not {low} at {p} and {high} at {q}"
        ));
    }
    Ok([p, q].map(|p| score(Tails { below: p, above: 1.0 - p })))
}

/// Where a rising function of the logarithm of a shape crosses 0, by halving; the nearer end where it does not.
fn halved(rising: impl Fn(f64) -> f64) -> f64 {
    /// From a range of 16 to the last digit.
    const HALVINGS: usize = 60;
    let (mut low, mut high) = (ln(SHAPES[0]), ln(SHAPES[1]));
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if rising(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    exp(high).clamp(SHAPES[0], SHAPES[1])
}

/// How far a fitted distribution's quantiles may be off in probability before it is no fit.
const FIT: f64 = 1e-9;

impl Distribution {
    /// Beta on [`low`, `high`] with its peak at `mode`, as in project planning: shapes add up to 6.
    ///
    /// Malcolm, Roseboom, Clark, Fazar, Oper. Res. 7 (1959) 646-669.
    pub fn pert(low: f64, mode: f64, high: f64) -> Distribution {
        let share = (mode - low) / (high - low);
        Distribution::Beta { a: 1.0 + 4.0 * share, b: 5.0 - 4.0 * share, low, high }
    }

    pub fn exponential(mean: f64) -> Distribution {
        Distribution::Gamma { shape: 1.0, scale: mean }
    }

    /// The normal distribution with these two (probability, value) points.
    ///
    /// # Errors
    /// Unless probabilities and values rise.
    pub fn normal_from_quantiles(points: [(f64, f64); 2]) -> Result<Distribution, Invalid> {
        let [p, q] = two_scores(points)?;
        let [(_, low), (_, high)] = points;
        Ok(Distribution::Normal { mean: (low * q - high * p) / (q - p), sd: (high - low) / (q - p) })
    }

    /// The lognormal distribution with these two (probability, value) points.
    ///
    /// # Errors
    /// Unless probabilities and values rise, and values are positive.
    pub fn lognormal_from_quantiles(points: [(f64, f64); 2]) -> Result<Distribution, Invalid> {
        let [p, q] = two_scores(points)?;
        let [(_, low), (_, high)] = points;
        if low <= 0.0 {
            return refuse(format!("lognormal needs positive values, not {low}"));
        }
        let (low, high) = (ln(low), ln(high));
        Ok(Distribution::Lognormal { ln_mean: (low * q - high * p) / (q - p), ln_sd: (high - low) / (q - p) })
    }

    /// The gamma distribution with these two (probability, value) points.
    ///
    /// # Errors
    /// Unless probabilities and values rise and values are positive, or if the shape would be out of range.
    pub fn gamma_from_quantiles(points: [(f64, f64); 2]) -> Result<Distribution, Invalid> {
        two_scores(points)?;
        let [(p, low), (q, high)] = points;
        if low <= 0.0 {
            return refuse(format!("gamma needs positive values, not {low}"));
        }
        let at = |shape: f64, p: f64| Shape::Gamma { shape }.quantile(Tails { below: p, above: 1.0 - p }, ln(shape));
        // The larger the shape, the nearer the two are on a logarithmic scale.
        let wanted = ln(high) - ln(low);
        let shape = halved(|log| wanted - (at(exp(log), q) - at(exp(log), p)));
        let fitted = Distribution::Gamma { shape, scale: exp(ln(low) - at(shape, p)) };
        fitted.fits(points)
    }

    /// The beta distribution on [0, 1] with these two (probability, value) points.
    ///
    /// # Errors
    /// Unless probabilities and values rise and values are inside (0, 1), or if a shape would be out of range.
    pub fn beta_from_quantiles(points: [(f64, f64); 2]) -> Result<Distribution, Invalid> {
        two_scores(points)?;
        let [(p, low), (q, high)] = points;
        if low <= 0.0 || high >= 1.0 {
            return refuse(format!("beta needs values inside (0, 1), not {low} and {high}"));
        }
        let odds = |x: f64| ln(x) - ln(1.0 - x);
        // A larger b moves mass down; with the lower quantile held, a larger a narrows what is between the two.
        let other = |a: f64| halved(|log| Shape::Beta { a, b: exp(log) }.tails(odds(low)).below - p);
        let a = halved(|log| Shape::Beta { a: exp(log), b: other(exp(log)) }.tails(odds(high)).below - q);
        let fitted = Distribution::Beta { a, b: other(a), low: 0.0, high: 1.0 };
        fitted.fits(points)
    }

    fn fits(self, points: [(f64, f64); 2]) -> Result<Distribution, Invalid> {
        for (p, x) in points {
            if (self.below(x) - p).abs() > FIT {
                return refuse(format!("no {} between permitted shapes has {x} at probability {p}", self.name()));
            }
        }
        Ok(self)
    }

    pub fn name(&self) -> &'static str {
        match self {
            Distribution::Uniform { .. } => "uniform",
            Distribution::Loguniform { .. } => "loguniform",
            Distribution::Triangular { .. } => "triangular",
            Distribution::Normal { .. } => "normal",
            Distribution::Lognormal { .. } => "lognormal",
            Distribution::Beta { .. } => "beta",
            Distribution::Gamma { .. } => "gamma",
            Distribution::Integers { .. } => "integers",
            Distribution::Discrete { .. } => "discrete",
            Distribution::Empirical { .. } => "empirical",
            Distribution::Quantiles { .. } => "quantiles",
        }
    }

    /// # Errors
    /// Where the parameters do not describe a distribution.
    pub fn check(&self) -> Result<(), Invalid> {
        let name = self.name();
        let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
        let shape = |shape: f64| (SHAPES[0]..=SHAPES[1]).contains(&shape);
        let range = |low: f64, high: f64| finite(&[low, high, high - low]) && low < high;
        match self {
            Distribution::Uniform { low, high } if !range(*low, *high) => {
                refuse(format!("{name} needs low < high, not {low} and {high}"))
            }
            Distribution::Loguniform { low, high } if !(range(*low, *high) && *low > 0.0) => {
                refuse(format!("{name} needs 0 < low < high, not {low} and {high}"))
            }
            Distribution::Triangular { low, mode, high } if !(range(*low, *high) && low <= mode && mode <= high) => {
                refuse(format!("{name} needs low <= mode <= high and low < high, not {low}, {mode}, {high}"))
            }
            Distribution::Normal { mean, sd } if !(finite(&[*mean, *sd]) && *sd > 0.0) => {
                refuse(format!("{name} needs a finite mean and a positive sd, not {mean} and {sd}"))
            }
            Distribution::Lognormal { ln_mean, ln_sd } if !(finite(&[*ln_mean, *ln_sd]) && *ln_sd > 0.0) => {
                refuse(format!("{name} needs a finite ln_mean and a positive ln_sd, not {ln_mean} and {ln_sd}"))
            }
            Distribution::Beta { a, b, low, high } if !(range(*low, *high) && shape(*a) && shape(*b)) => {
                refuse(format!(
                    "{name} needs low < high and two shapes of {} to {}, not {a} and {b} on {low} to {high}",
                    SHAPES[0], SHAPES[1]
                ))
            }
            Distribution::Gamma { shape: given, scale } if !(shape(*given) && scale.is_finite() && *scale > 0.0) => {
                refuse(format!(
                    "{name} needs a shape of {} to {} and a positive scale, not {given} and {scale}",
                    SHAPES[0], SHAPES[1]
                ))
            }
            Distribution::Integers { low, high }
                if low > high || low.unsigned_abs().max(high.unsigned_abs()) > MOST_INTEGER / 2 =>
            {
                refuse(format!("{name} needs low <= high within 2^52 of 0, not {low} and {high}"))
            }
            Distribution::Discrete { values, weights }
                if values.is_empty()
                    || weights.len() != values.len()
                    || !finite(values)
                    || weights.iter().any(|weight| !(weight.is_finite() && *weight >= 0.0))
                    || !(weights.iter().sum::<f64>() > 0.0 && weights.iter().sum::<f64>().is_finite()) =>
            {
                refuse(format!("{name} needs finite values and a weight >= 0 for each, not {values:?} and {weights:?}"))
            }
            Distribution::Empirical { sample } if sample.len() < 2 || !finite(sample) => {
                refuse(format!("{name} needs two finite values or more"))
            }
            Distribution::Quantiles { points, .. }
                if points.len() < 2
                    || points[0].0 != 0.0
                    || points[points.len() - 1].0 != 1.0
                    || points.iter().any(|point| !point.1.is_finite())
                    || !points.windows(2).all(|ends| ends[0].0 < ends[1].0 && ends[0].1 <= ends[1].1) =>
            {
                refuse(format!(
                    "{name} needs probabilities that rise from 0 to 1 and values that do not fall, not {points:?}"
                ))
            }
            _ => Ok(()),
        }
    }

    /// The least and the greatest value, infinite where there is none.
    pub fn support(&self) -> [f64; 2] {
        match self {
            Distribution::Uniform { low, high }
            | Distribution::Loguniform { low, high }
            | Distribution::Triangular { low, high, .. }
            | Distribution::Beta { low, high, .. } => [*low, *high],
            Distribution::Normal { .. } => [f64::NEG_INFINITY, f64::INFINITY],
            Distribution::Lognormal { .. } | Distribution::Gamma { .. } => [0.0, f64::INFINITY],
            Distribution::Integers { low, high } => [*low as f64, *high as f64],
            Distribution::Discrete { values: sample, .. } | Distribution::Empirical { sample } => [
                sample.iter().copied().fold(f64::INFINITY, f64::min),
                sample.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ],
            Distribution::Quantiles { points, .. } => [points[0].1, points[points.len() - 1].1],
        }
    }

    /// P(X < x).
    pub fn below(&self, x: f64) -> f64 {
        self.tails(x).below
    }

    /// P(X > x).
    pub fn above(&self, x: f64) -> f64 {
        self.tails(x).above
    }

    /// Probability of [`low`, `high`], without the loss of digits where both lie in one tail.
    pub fn within(&self, low: f64, high: f64) -> f64 {
        let (lower, upper) = (self.tails(low), self.tails(high));
        let smooth = !matches!(
            self,
            Distribution::Integers { .. }
                | Distribution::Discrete { .. }
                | Distribution::Empirical { .. }
                | Distribution::Quantiles { .. }
        );
        let mass = if smooth && lower.above < 0.5 {
            lower.above - upper.above
        } else if smooth && upper.below < 0.5 {
            upper.below - lower.below
        } else {
            1.0 - lower.below - upper.above
        };
        mass.max(0.0)
    }

    /// P(X < x) and P(X > x), which leave out the probability of x itself. Of valid parameters, and x not NaN.
    fn tails(&self, x: f64) -> Tails<f64> {
        let [least, greatest] = self.support();
        if x < least || x == f64::NEG_INFINITY {
            return Tails { below: 0.0, above: 1.0 };
        }
        if x > greatest || x == f64::INFINITY {
            return Tails { below: 1.0, above: 0.0 };
        }
        match self {
            Distribution::Uniform { low, high } => share(x - low, high - x),
            Distribution::Loguniform { low, high } => share(ln(x) - ln(*low), ln(*high) - ln(x)),
            Distribution::Triangular { low, mode, high } => {
                let width = high - low;
                if x < *mode {
                    let below = (x - low) / width * ((x - low) / (mode - low));
                    Tails { below, above: 1.0 - below }
                } else if x < *high {
                    let above = (high - x) / width * ((high - x) / (high - mode));
                    Tails { below: 1.0 - above, above }
                } else {
                    Tails { below: 1.0, above: 0.0 }
                }
            }
            Distribution::Normal { mean, sd } => tails((x - mean) / sd),
            Distribution::Lognormal { ln_mean, ln_sd } => tails((ln(x) - ln_mean) / ln_sd),
            Distribution::Beta { a, b, low, high } => Shape::Beta { a: *a, b: *b }.tails(ln(x - low) - ln(high - x)),
            Distribution::Gamma { shape, scale } => Shape::Gamma { shape: *shape }.tails(ln(x) - ln(*scale)),
            Distribution::Integers { low, high } => {
                let count = (high - low + 1) as f64;
                Tails { below: (x.ceil() - *low as f64) / count, above: (*high as f64 - x.floor()) / count }
            }
            Distribution::Discrete { values, weights } => {
                let sum = |counts: fn(f64, f64) -> bool| -> f64 {
                    values.iter().zip(weights).filter(|(value, _)| counts(**value, x)).map(|(_, weight)| weight).sum()
                };
                let total: f64 = weights.iter().sum();
                Tails { below: sum(|value, x| value < x) / total, above: sum(|value, x| value > x) / total }
            }
            Distribution::Empirical { sample } => Tails {
                below: rank(sample, x, |value, x| value < x),
                above: 1.0 - rank(sample, x, |value, x| value <= x),
            },
            Distribution::Quantiles { points, between } => Curve::new(points, *between).tails(x),
        }
    }
}

fn share(below: f64, above: f64) -> Tails<f64> {
    Tails { below: below / (below + above), above: above / (below + above) }
}

/// The place of x in a sorted sample, from 0 at its first value to 1 at its last, after those that come `before` it.
fn rank(sample: &[f64], x: f64, before: fn(f64, f64) -> bool) -> f64 {
    let (mut count, mut last, mut next) = (0_usize, f64::NEG_INFINITY, f64::INFINITY);
    for value in sample {
        if before(*value, x) {
            count += 1;
            last = last.max(*value);
        } else {
            next = next.min(*value);
        }
    }
    if count == 0 || count == sample.len() {
        return if count == 0 { 0.0 } else { 1.0 };
    }
    ((count - 1) as f64 + (x - last) / (next - last)) / (sample.len() - 1) as f64
}
