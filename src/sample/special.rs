//! Gamma and beta distributions, in the logarithm (gamma) or the log odds (beta) of the value, where both ends are smooth.
//!
//! Once for a column, in plain `f64`: what is drawn reads a table made from here.

use crate::math::{exp, ln, ln_1p};
use crate::normal::{Tails, density, tails};

/// The smallest and the largest shape. Below a tenth the quantiles of rare rows leave the range of a `f64`; beyond a million
/// the incomplete functions take many thousands of terms, and a normal distribution is as good.
pub const SHAPES: [f64; 2] = [0.1, 1e6];

/// Terms of a series or fraction. At the largest shape about 10 000 are needed.
const MOST_TERMS: usize = 1_000_000;

/// A distribution over t, the whole line.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Of t = ln x, x gamma distributed with this shape and scale 1.
    Gamma { shape: f64 },
    /// Of t = ln (x / (1 - x)), x beta distributed.
    Beta { a: f64, b: f64 },
}

impl Shape {
    /// Probabilities below and above t. Relative error about 1e-14, 1e-16 of the shape where that is more.
    pub fn tails(self, t: f64) -> Tails<f64> {
        match self {
            Shape::Gamma { shape } => gamma_tails(shape, t),
            Shape::Beta { a, b } => beta_tails(a, b, t),
        }
    }

    /// Density of t.
    pub fn density(self, t: f64) -> f64 {
        match self {
            Shape::Gamma { shape } => gamma_density(shape, t),
            Shape::Beta { a, b } => beta_density(a, b, t),
        }
    }

    /// d ln density / dt.
    fn steepness(self, t: f64) -> f64 {
        match self {
            Shape::Gamma { shape } => shape - exp(t),
            Shape::Beta { a, b } => a / (1.0 + exp(t)) - b / (1.0 + exp(-t)),
        }
    }

    fn mode(self) -> f64 {
        match self {
            Shape::Gamma { shape } => ln(shape),
            Shape::Beta { a, b } => ln(a) - ln(b),
        }
    }

    /// The t with these tails, by Newton's method on the logarithm of the smaller one from `start`.
    ///
    /// The density of t is log-concave, so the logarithm of either tail is concave: after the first step all are on the side
    /// where the next can't overshoot.
    pub fn quantile(self, wanted: Tails<f64>, start: f64) -> f64 {
        const MOST_STEPS: usize = 200;
        /// A step that has changed the logarithm of the tail by this leaves its square.
        const ENOUGH: f64 = 1e-8;
        let lower = wanted.below < wanted.above;
        let goal = ln(wanted.below.min(wanted.above));
        let mut t = start;
        for _ in 0..MOST_STEPS {
            let here = self.tails(t);
            let (tail, slope) = if lower { (here.below, self.density(t)) } else { (here.above, -self.density(t)) };
            let off = goal - ln(tail);
            // A first step from the flat side may go anywhere.
            let longest = 2.0 + 0.5 * t.abs();
            let step = (off * tail / slope).clamp(-longest, longest);
            t += step;
            if off.abs() < ENOUGH {
                break;
            }
        }
        t
    }

    /// The t with the same tails as a normal score, and its first two derivatives by the score.
    fn at(self, score: f64, start: f64) -> [f64; 3] {
        let t = self.quantile(tails(score), start);
        let slope = density(score) / self.density(t);
        [t, slope, slope * (-score - slope * self.steepness(t))]
    }
}

/// ln(1 + d) - d, without the cancellation at small d.
fn ln_1p_minus(d: f64) -> f64 {
    if d.abs() > 0.3 {
        return ln_1p(d) - d;
    }
    // ln(1 + d) = 2 (s + s³/3 + s⁵/5 + ...), s = d / (2 + d); and 2 s - d = -s d.
    let s = d / (2.0 + d);
    let square = s * s;
    let (mut power, mut sum, mut k) = (s * square, 0.0, 3.0);
    while (power / k).abs() > 1e-18 * square {
        sum += power / k;
        power *= square;
        k += 2.0;
    }
    2.0 * sum - s * d
}

/// What Stirling's formula lacks of ln Γ(a): ln Γ(a) - (a - 1/2) ln a + a - ln √2π.
fn stirling_rest(a: f64) -> f64 {
    const FROM: f64 = 16.0;
    const SERIES: [f64; 7] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    // rest(a) - rest(a + 1) = (a + 1/2) ln(1 + 1/a) - 1, from Γ(a + 1) = a Γ(a).
    let (mut a, mut sum) = (a, 0.0);
    while a < FROM {
        sum += (a + 0.5) * ln_1p(1.0 / a) - 1.0;
        a += 1.0;
    }
    let (inverse, square) = (1.0 / a, 1.0 / (a * a));
    sum + SERIES.iter().rev().fold(0.0, |series, term| series * square + term) * inverse
}

/// a ln(a / m) + m - a, where ln m is `log` and m - a `beyond`: the exponent of a gamma or binomial density.
///
/// C. Loader, Fast and accurate computation of binomial probabilities, 2000.
fn deviance(a: f64, log: f64, beyond: f64) -> f64 {
    let relative = beyond / a;
    if relative.abs() < 0.3 { -a * ln_1p_minus(relative) } else { a * (ln(a) - log) + beyond }
}

const ROOT_TWO_PI: f64 = 2.506_628_274_631_000_2;

/// x^a e^-x / Γ(a) at x = e^t.
fn gamma_density(a: f64, t: f64) -> f64 {
    exp(-stirling_rest(a) - deviance(a, t, exp(t) - a)) * a.sqrt() / ROOT_TWO_PI
}

/// By the series of the lower or the continued fraction of the upper incomplete gamma function (DLMF 8.7.1, 8.9.2).
fn gamma_tails(a: f64, t: f64) -> Tails<f64> {
    let x = exp(t);
    let density = gamma_density(a, t);
    if x < a + 1.0 {
        let (mut term, mut sum, mut k) = (1.0, 1.0, a);
        for _ in 0..MOST_TERMS {
            k += 1.0;
            term *= x / k;
            sum += term;
            if term < 1e-17 * sum {
                break;
            }
        }
        let below = (density / a * sum).min(1.0);
        Tails { below, above: 1.0 - below }
    } else {
        let fraction = fraction(x + 1.0 - a, |k| (k * (a - k), x + 1.0 - a + 2.0 * k));
        let above = (density / fraction).min(1.0);
        Tails { below: 1.0 - above, above }
    }
}

/// b_0 + a_1 / (b_1 + a_2 / (b_2 + ...)) by Lentz's method, (a_k, b_k) = `terms(k)`.
fn fraction(first: f64, terms: impl Fn(f64) -> (f64, f64)) -> f64 {
    // In place of a 0 that the next step divides by.
    const TINY: f64 = 1e-290;
    let away_from_0 = |x: f64| if x.abs() < TINY { TINY } else { x };
    let mut value = away_from_0(first);
    let (mut c, mut d, mut k) = (value, 0.0, 1.0);
    for _ in 0..MOST_TERMS {
        let (over, next) = terms(k);
        d = 1.0 / away_from_0(next + over * d);
        c = away_from_0(next + over / c);
        value *= c * d;
        if (c * d - 1.0).abs() < 3e-16 {
            break;
        }
        k += 1.0;
    }
    value
}

/// x^a (1 - x)^b / B(a, b) at the log odds t of x.
fn beta_density(a: f64, b: f64, t: f64) -> f64 {
    let total = a + b;
    let (x, rest) = (1.0 / (1.0 + exp(-t)), 1.0 / (1.0 + exp(t)));
    // ln x, also where x is near 1 or 0.
    let (log_x, log_rest) =
        if t < 0.0 { (t - ln_1p(exp(t)), -ln_1p(exp(t))) } else { (-ln_1p(exp(-t)), -t - ln_1p(exp(-t))) };
    // The two expectations are off by the same amount: total x - a = b - total (1 - x).
    let beyond = b * x - a * rest;
    let exponent = deviance(a, ln(total) + log_x, beyond) + deviance(b, ln(total) + log_rest, -beyond);
    let stirling = stirling_rest(total) - stirling_rest(a) - stirling_rest(b);
    exp(stirling - exponent) * (a / total * b).sqrt() / ROOT_TWO_PI
}

/// By the continued fraction of the incomplete beta function (DLMF 8.17.22), on the side where it converges fast.
fn beta_tails(a: f64, b: f64, t: f64) -> Tails<f64> {
    let (x, rest) = (1.0 / (1.0 + exp(-t)), 1.0 / (1.0 + exp(t)));
    let density = beta_density(a, b, t);
    if x < (a + 1.0) / (a + b + 2.0) {
        let below = (density / (a * beta_fraction(a, b, x))).min(1.0);
        Tails { below, above: 1.0 - below }
    } else {
        let above = (density / (b * beta_fraction(b, a, rest))).min(1.0);
        Tails { below: 1.0 - above, above }
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    fraction(1.0, |k| {
        let m = (k / 2.0).floor();
        let over = if k % 2.0 == 0.0 {
            m * (b - m) * x / ((a + k - 1.0) * (a + k))
        } else {
            -(a + m) * (a + b + m) * x / ((a + k - 1.0) * (a + k))
        };
        (over, 1.0)
    })
}

/// Coefficients of t over a step of the normal score, of the powers of the share of the step.
pub type Piece = [f64; 6];

/// t as a function of the normal score, in equal steps from `start`: a polynomial each that has t and two derivatives right
/// at both ends.
#[derive(Clone, Debug)]
pub struct ScoreTable {
    pub start: f64,
    pub steps_per_score: f64,
    pub pieces: Vec<Piece>,
}

impl ScoreTable {
    /// Off by at most 1e-10 from `start` to `end`, where t has been compared in the middle of each step.
    ///
    /// `None` if 8192 steps are not enough; between the permitted shapes they are.
    pub fn new(shape: Shape, start: f64, end: f64) -> Option<ScoreTable> {
        const FEWEST: usize = 64;
        const MOST: usize = 8192;
        const TOLERANCE: f64 = 1e-10;
        let mut steps = FEWEST;
        let mut known = shape.at(start, shape.mode());
        let mut knots = Vec::with_capacity(MOST + 1);
        knots.push(known);
        let score = |steps: usize, at: f64| start + (end - start) / steps as f64 * at;
        for step in 1..=steps {
            let width = (end - start) / steps as f64;
            known = shape.at(score(steps, step as f64), known[0] + width * (known[1] + 0.5 * width * known[2]));
            knots.push(known);
        }
        while steps <= MOST {
            let width = (end - start) / steps as f64;
            let pieces: Vec<Piece> = knots.windows(2).map(|ends| piece(ends[0], ends[1], width)).collect();
            let guesses = pieces.iter().map(|piece| piece.iter().rev().fold(0.0, |t, c| t * 0.5 + c));
            let middles: Vec<[f64; 3]> = guesses
                .clone()
                .enumerate()
                .map(|(step, guess)| shape.at(score(steps, step as f64 + 0.5), guess))
                .collect();
            if guesses.zip(&middles).all(|(guess, middle)| (guess - middle[0]).abs() <= TOLERANCE) {
                return Some(ScoreTable { start, steps_per_score: 1.0 / width, pieces });
            }
            let last = knots[steps];
            knots = knots.iter().zip(&middles).flat_map(|(knot, middle)| [*knot, *middle]).collect();
            knots.push(last);
            steps *= 2;
        }
        None
    }
}

/// The polynomial of degree five with these values, slopes and curvatures at both ends of a step of `width`.
fn piece(from: [f64; 3], to: [f64; 3], width: f64) -> Piece {
    let (slope, curvature) = (from[1] * width, from[2] * width * width);
    let rise = to[0] - from[0] - slope - 0.5 * curvature;
    let turn = to[1] * width - slope - curvature;
    let bend = to[2] * width * width - curvature;
    [
        from[0],
        slope,
        0.5 * curvature,
        10.0 * rise - 4.0 * turn + 0.5 * bend,
        -15.0 * rise + 7.0 * turn - bend,
        6.0 * rise - 3.0 * turn + 0.5 * bend,
    ]
}
