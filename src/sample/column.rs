//! A drawn column: a distribution cut to bounds, as a function of a probability or of a normal score.

use super::Invalid;
use super::curve::{Curve, Finder};
use super::distribution::{Between, Distribution};
use super::special::{Piece, ScoreTable, Shape};
use crate::math::{Bits, ln};
use crate::normal::{Tails, score, tails};
use crate::number::{LANES, Pack, Positions};
use fearless_simd::Simd;

/// The least share of a distribution that its bounds may leave: with less, tables would reach beyond the range of a `f64`.
const LEAST_MASS: f64 = 1e-12;

/// Half of the finest step of a probability that is drawn.
const FIRST_PROBABILITY: f64 = 1.0 / 9_007_199_254_740_992.0; // 2^-53

/// Numbers whose rows can be looked up one by one.
pub trait Rows: Bits {
    fn each(self, value: impl Fn(f64) -> f64) -> Self;
    /// Each row's own polynomial.
    fn pieces(table: &[Piece], positions: Positions) -> [Self; 6];
}

impl Rows for f64 {
    #[inline(always)]
    fn each(self, value: impl Fn(f64) -> f64) -> f64 {
        value(self)
    }
    #[inline(always)]
    fn pieces(table: &[Piece], positions: Positions) -> [f64; 6] {
        table[positions.rows[0]]
    }
}

impl<S: Simd> Rows for Pack<S> {
    #[inline(always)]
    fn each(self, value: impl Fn(f64) -> f64) -> Self {
        use crate::number::Number;
        let mut line = self.save();
        let mut row = 0;
        while row < LANES {
            line.0[row] = value(line.0[row]);
            row += 1;
        }
        Self::restore(line)
    }
    #[inline(always)]
    fn pieces(table: &[Piece], positions: Positions) -> [Self; 6] {
        use crate::number::{Line, Number};
        let mut powers = [Line([0.0; LANES]); 6];
        let mut row = 0;
        while row < LANES {
            let piece = &table[positions.rows[row]];
            let mut power = 0;
            while power < 6 {
                powers[power].0[row] = piece[power];
                power += 1;
            }
            row += 1;
        }
        [
            Self::restore(powers[0]),
            Self::restore(powers[1]),
            Self::restore(powers[2]),
            Self::restore(powers[3]),
            Self::restore(powers[4]),
            Self::restore(powers[5]),
        ]
    }
}

/// What a column's value is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// A number even on (0, 1).
    Probability,
    /// A standard normal one.
    Score,
}

/// The quantile function, made ready.
#[derive(Clone, Debug)]
enum Law {
    Uniform {
        low: f64,
        width: f64,
    },
    Loguniform {
        low: f64,
        ln_ratio: f64,
    },
    /// Up to the probability `peak` low + √(`rising` p), then high - √(`falling` (1 - p)).
    Triangular {
        low: f64,
        high: f64,
        peak: f64,
        rising: f64,
        falling: f64,
    },
    Normal {
        mean: f64,
        sd: f64,
    },
    Lognormal {
        ln_mean: f64,
        ln_sd: f64,
    },
    Beta {
        ln_odds: ScoreTable,
        low: f64,
        width: f64,
    },
    Gamma {
        ln: ScoreTable,
        scale: f64,
    },
    Integers {
        low: f64,
        count: f64,
    },
    Discrete {
        finder: Finder,
        values: Vec<f64>,
    },
    Curve(Curve),
}

impl Law {
    fn by_score(&self) -> bool {
        matches!(self, Law::Normal { .. } | Law::Lognormal { .. } | Law::Beta { .. } | Law::Gamma { .. })
    }
}

/// A distribution cut to bounds, and scaled up again to probability 1.
#[derive(Clone, Debug)]
pub struct Column {
    law: Law,
    /// Rounding may not lead out of these.
    low: f64,
    high: f64,
    /// Probabilities outside and inside of the bounds.
    cut: Tails<f64>,
    mass: f64,
    mass_cut: f64,
}

impl Column {
    /// `low` and `high` may be infinite: no bound.
    ///
    /// # Errors
    /// Where the parameters do not describe a distribution, or less than 1e-12 of it lies within the bounds.
    pub fn new(distribution: &Distribution, low: f64, high: f64) -> Result<Column, Invalid> {
        distribution.check()?;
        let [least, greatest] = distribution.support();
        let (from, to) = (low.max(least), high.min(greatest));
        let mass = if low <= high { distribution.within(low, high) } else { 0.0 };
        if mass < LEAST_MASS || mass.is_nan() {
            return Err(Invalid::NothingLeft { low, high, mass });
        }
        let mass_cut = distribution.below(low) + distribution.above(high);
        let cut = Tails { below: distribution.below(low), above: distribution.above(high) };
        let mut column =
            Column { law: Law::Uniform { low: from, width: to - from }, low: from, high: to, cut, mass, mass_cut };
        column.law = match distribution {
            Distribution::Uniform { .. } => {
                column.uncut();
                Law::Uniform { low: from, width: to - from }
            }
            Distribution::Loguniform { .. } => {
                column.uncut();
                Law::Loguniform { low: from, ln_ratio: ln(to / from) }
            }
            Distribution::Triangular { low, mode, high } => {
                let width = high - low;
                Law::Triangular {
                    low: *low,
                    high: *high,
                    peak: (mode - low) / width,
                    rising: width * (mode - low),
                    falling: width * (high - mode),
                }
            }
            Distribution::Normal { mean, sd } => Law::Normal { mean: *mean, sd: *sd },
            Distribution::Lognormal { ln_mean, ln_sd } => Law::Lognormal { ln_mean: *ln_mean, ln_sd: *ln_sd },
            Distribution::Beta { a, b, low, high } => {
                Law::Beta { ln_odds: column.table(Shape::Beta { a: *a, b: *b })?, low: *low, width: high - low }
            }
            Distribution::Gamma { shape, scale } => {
                Law::Gamma { ln: column.table(Shape::Gamma { shape: *shape })?, scale: *scale }
            }
            Distribution::Integers { .. } => {
                column.uncut();
                (column.low, column.high) = (from.ceil(), to.floor());
                Law::Integers { low: column.low, count: column.high - column.low + 1.0 }
            }
            Distribution::Discrete { values, weights } => {
                column.uncut();
                discrete(values, weights, low, high)
            }
            Distribution::Empirical { sample } => {
                let mut sorted = sample.clone();
                sorted.sort_by(f64::total_cmp);
                let last = (sorted.len() - 1) as f64;
                let points: Vec<(f64, f64)> = sorted.iter().enumerate().map(|(k, x)| (k as f64 / last, *x)).collect();
                Law::Curve(Curve::new(&points, Between::Line))
            }
            Distribution::Quantiles { points, between } => Law::Curve(Curve::new(points, *between)),
        };
        Ok(column)
    }

    /// The probability that the bounds cut off the distribution.
    pub fn mass_cut(&self) -> f64 {
        self.mass_cut
    }

    /// The least and the greatest value, infinite where there is none.
    pub fn range(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// The value at a probability in (0, 1), with the bits that are drawn.
    pub fn quantile(&self, probability: f64) -> f64 {
        self.value(Given::Probability, probability)
    }

    /// The law itself is that of what lies within the bounds.
    fn uncut(&mut self) {
        (self.cut, self.mass) = (Tails { below: 0.0, above: 0.0 }, 1.0);
    }

    /// Tails of the whole distribution at a probability of what is within the bounds.
    #[inline(always)]
    fn tails<N: Rows>(&self, inside: Tails<N>) -> Tails<N> {
        Tails { below: inside.below * self.mass + self.cut.below, above: inside.above * self.mass + self.cut.above }
    }

    fn table(&self, shape: Shape) -> Result<ScoreTable, Invalid> {
        let first = Tails { below: FIRST_PROBABILITY, above: 1.0 - FIRST_PROBABILITY };
        let last = Tails { below: first.above, above: first.below };
        let [start, end] = [first, last].map(|inside| score(self.tails(inside)));
        ScoreTable::new(shape, start, end).ok_or_else(|| {
            Invalid::Parameters(format!("{shape:?} is too steep to tabulate from {} to {}", self.low, self.high))
        })
    }

    /// The value at a probability or a normal score.
    #[inline(always)]
    pub fn value<N: Rows>(&self, given: Given, at: N) -> N {
        let direct = given == Given::Score && self.law.by_score() && self.mass == 1.0;
        let tails = if direct {
            Tails { below: at, above: at }
        } else {
            self.tails(match given {
                Given::Probability => Tails { below: at, above: -at + 1.0 },
                Given::Score => tails(at),
            })
        };
        let score = if self.law.by_score() && !direct { score(tails) } else { at };
        let p = tails.below;
        let value = match &self.law {
            Law::Uniform { low, width } => p * *width + *low,
            Law::Loguniform { low, ln_ratio } => (p * *ln_ratio).exp() * *low,
            Law::Triangular { low, high, peak, rising, falling } => {
                let rises = p.lt(N::of(*peak));
                let root = N::select(rises, p * *rising, tails.above * *falling).sqrt();
                N::select(rises, root + *low, -root + *high)
            }
            Law::Normal { mean, sd } => score * *sd + *mean,
            Law::Lognormal { ln_mean, ln_sd } => (score * *ln_sd + *ln_mean).exp(),
            Law::Beta { ln_odds, low, width } => N::of(*width) / ((-read(ln_odds, score)).exp() + 1.0) + *low,
            Law::Gamma { ln, scale } => read(ln, score).exp() * *scale,
            Law::Integers { low, count } => (p * *count).floor() + *low,
            Law::Discrete { finder, values } => p.each(
                #[inline(always)]
                |p| values[finder.find(p)],
            ),
            Law::Curve(curve) => p.each(
                #[inline(always)]
                |p| curve.value(p),
            ),
        };
        value.max(N::of(self.low)).min(N::of(self.high))
    }
}

/// A table's t at a score; beyond its ends, where nothing is drawn but by a copula once in 1e16 rows, that of the end.
#[inline(always)]
fn read<N: Rows>(table: &ScoreTable, score: N) -> N {
    let last = (table.pieces.len() - 1) as f64;
    let at = ((score - table.start) * table.steps_per_score).max(N::zero()).min(N::of(last + 1.0));
    let piece = at.floor().min(N::of(last));
    let s = at - piece;
    let c = N::pieces(&table.pieces, piece.positions());
    ((((c[5] * s + c[4]) * s + c[3]) * s + c[2]) * s + c[1]) * s + c[0]
}

/// The values within the bounds that have a weight.
fn discrete(values: &[f64], weights: &[f64], low: f64, high: f64) -> Law {
    let (mut left, mut starts, mut sum) = (Vec::new(), Vec::new(), 0.0);
    for (value, weight) in values.iter().zip(weights) {
        if low <= *value && *value <= high && *weight > 0.0 {
            left.push(*value);
            starts.push(sum);
            sum += weight;
        }
    }
    for start in &mut starts {
        *start /= sum;
    }
    Law::Discrete { finder: Finder::new(starts), values: left }
}
