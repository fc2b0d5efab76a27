//! Quantile functions given by points: which step or piece a probability falls into, and the curve through it.

use super::distribution::Between;
use crate::normal::Tails;

/// Finds the last of a list of rising starts, the first of them 0, that a probability has reached.
#[derive(Clone, Debug)]
pub struct Finder {
    starts: Vec<f64>,
    /// What is found at the multiples of 1 / length, a power of two: from there it is a step or two.
    guide: Vec<usize>,
}

impl Finder {
    pub fn new(starts: Vec<f64>) -> Finder {
        let buckets = starts.len().next_power_of_two();
        let mut at = 0;
        let guide = (0..buckets).map(|bucket| {
            while at + 1 < starts.len() && starts[at + 1] <= bucket as f64 / buckets as f64 {
                at += 1;
            }
            at
        });
        let guide = guide.collect();
        Finder { starts, guide }
    }

    /// For 0 <= p <= 1.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to the number of buckets")]
    pub fn find(&self, p: f64) -> usize {
        let bucket = (p * self.guide.len() as f64) as usize;
        let mut at = self.guide[bucket.min(self.guide.len() - 1)];
        while at + 1 < self.starts.len() && self.starts[at + 1] <= p {
            at += 1;
        }
        at
    }
}

/// A stretch of the curve: value = `powers` · (1, s, s², s³), s = (p - start) / width from 0 to 1.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: f64,
    width: f64,
    powers: [f64; 4],
    end: f64,
}

impl Stretch {
    #[inline(always)]
    fn value(&self, s: f64) -> f64 {
        let [x, slope, square, cube] = self.powers;
        x + s * (slope + s * (square + s * cube))
    }

    /// The probability up to which values come `before` x, of which `start` is one and `end` is none.
    fn probability(&self, x: f64, before: fn(f64, f64) -> bool) -> f64 {
        /// From 1 to far below the last digit of a probability.
        const HALVINGS: usize = 60;
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if before(self.value(middle), x) {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.start + self.width * high
    }
}

/// A quantile function through points.
#[derive(Clone, Debug)]
pub struct Curve {
    finder: Finder,
    stretches: Vec<Stretch>,
}

impl Curve {
    /// Two points at least, probabilities that rise from 0 to 1, values that do not fall.
    pub fn new(points: &[(f64, f64)], between: Between) -> Curve {
        let slopes = match between {
            Between::Line => Vec::new(),
            Between::Cubic => slopes(points),
        };
        let stretches: Vec<Stretch> = points
            .windows(2)
            .enumerate()
            .map(|(k, ends)| {
                let [(start, x), (next, end)] = [ends[0], ends[1]];
                let (width, rise) = (next - start, end - x);
                let powers = match between {
                    Between::Line => [x, rise, 0.0, 0.0],
                    Between::Cubic => {
                        let (from, to) = (slopes[k] * width, slopes[k + 1] * width);
                        [x, from, 3.0 * rise - 2.0 * from - to, from + to - 2.0 * rise]
                    }
                };
                Stretch { start, width, powers, end }
            })
            .collect();
        Curve { finder: Finder::new(stretches.iter().map(|stretch| stretch.start).collect()), stretches }
    }

    #[inline(always)]
    pub fn value(&self, p: f64) -> f64 {
        let stretch = &self.stretches[self.finder.find(p)];
        stretch.value((p - stretch.start) / stretch.width)
    }

    /// P(X < x) and P(X > x).
    pub fn tails(&self, x: f64) -> Tails<f64> {
        let up_to = |before: fn(f64, f64) -> bool| {
            let at = self.stretches.partition_point(|stretch| before(stretch.end, x));
            match self.stretches.get(at) {
                None => 1.0,
                Some(stretch) if !before(stretch.powers[0], x) => stretch.start,
                Some(stretch) => stretch.probability(x, before),
            }
        };
        Tails { below: up_to(|value, x| value < x), above: 1.0 - up_to(|value, x| value <= x) }
    }
}

/// Slopes of the monotone cubic at its points: the weighted harmonic mean of the slopes on either side, 0 where the curve is
/// flat on one; at the ends the parabola's through three points, cut so that nothing falls.
///
/// F. N. Fritsch, J. Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300-304; ends as C. Moler, Numerical Computing with Matlab.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let widths: Vec<f64> = points.windows(2).map(|ends| ends[1].0 - ends[0].0).collect();
    let rises: Vec<f64> = points.windows(2).zip(&widths).map(|(ends, width)| (ends[1].1 - ends[0].1) / width).collect();
    if let [rise] = rises[..] {
        return vec![rise; 2];
    }
    let end = |near: usize, far: usize| {
        let (h, next) = (widths[near], widths[far]);
        let slope = ((2.0 * h + next) * rises[near] - h * rises[far]) / (h + next);
        // No slope falls, so the sign of a fall is cut to 0, and the limit holds where a flat stretch follows.
        if rises[far] == 0.0 { slope.clamp(0.0, 3.0 * rises[near]) } else { slope.max(0.0) }
    };
    let last = rises.len() - 1;
    let mut slopes = vec![end(0, 1)];
    for k in 1..rises.len() {
        let (before, after) = (rises[k - 1], rises[k]);
        let (near, far) = (2.0 * widths[k] + widths[k - 1], widths[k] + 2.0 * widths[k - 1]);
        slopes.push(if before > 0.0 && after > 0.0 { (near + far) / (near / before + far / after) } else { 0.0 });
    }
    slopes.push(end(last, last - 1));
    slopes
}
