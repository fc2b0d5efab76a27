//! Sobol points by index, with Owen's scrambling: in each dimension a row's digits in base 2 are XORed direction numbers, and
//! each digit is flipped or not by a hash of all digits before it.
//!
//! Points in Gray code order: I. A. Antonov and V. M. Saleev, USSR Comput. Math. Math. Phys. 19 (1979) 252-256. Scrambling:
//! A. B. Owen, Randomly permuted (t,m,s)-nets, 1995; a hash of the reversed digits that carries upward only is such a
//! scrambling, S. Laine and T. Karras, Stratified sampling for stochastic transparency, Comput. Graph. Forum 30 (2011)
//! 1197-1204. The hash here is our own, of 64 bits. Over seeds the flips of the first nine digits are even and in pairs
//! independent (tested), which is all that the variance of a scrambled net rests on.

use super::joe_kuo::TABLE;
use super::philox::{Use, unit, words};
use fearless_simd::Level;
#[cfg(not(debug_assertions))]
use fearless_simd::{Simd, dispatch};

pub use super::joe_kuo::DIMENSIONS;

/// Digits of a point, and of the index of its row.
const DIGITS: usize = 64;

/// One dimension under one seed.
#[derive(Clone, Debug)]
pub struct Dimension {
    /// The first digit in the lowest bit, which spares a reversal before the hash.
    directions: Box<[u64; DIGITS]>,
    keys: [u64; 4],
}

impl Dimension {
    /// Columns below `DIMENSIONS`.
    pub fn new(seed: u64, column: usize) -> Dimension {
        Dimension { directions: Box::new(directions(column)), keys: words(seed, column, 0, Use::Scramble) }
    }

    /// Probabilities of the rows from `first_row` on.
    pub fn fill(&self, level: Level, first_row: u64, probabilities: &mut [f64]) {
        let mut digits = self.digits(first_row);
        let mut row = first_row;
        for place in probabilities.iter_mut() {
            *place = f64::from_bits(digits);
            // The next row's Gray code differs in one bit.
            row = row.wrapping_add(1);
            digits ^= self.directions[row.trailing_zeros() as usize % DIGITS];
        }
        self.scramble(level, probabilities);
    }

    /// From digits to probabilities: each row for itself, so that the compiler makes vectors of it.
    #[cfg(not(debug_assertions))]
    fn scramble(&self, level: Level, places: &mut [f64]) {
        dispatch!(level, simd => simd.vectorize(#[inline(always)] || self.scramble_each(places)));
    }

    #[cfg(debug_assertions)]
    fn scramble(&self, _: Level, places: &mut [f64]) {
        self.scramble_each(places);
    }

    #[inline(always)]
    fn scramble_each(&self, places: &mut [f64]) {
        for place in places {
            *place = unit(self.scrambled(place.to_bits()));
        }
    }

    /// The plain Sobol point of a row, its first digit lowest.
    fn digits(&self, row: u64) -> u64 {
        let mut gray = row ^ (row >> 1);
        let mut digits = 0;
        while gray != 0 {
            digits ^= self.directions[gray.trailing_zeros() as usize];
            gray &= gray - 1;
        }
        digits
    }

    /// Sums and products carry upward alone, and every step can be undone: a digit is flipped by a function of lower ones.
    #[inline(always)]
    fn scrambled(&self, digits: u64) -> u64 {
        // Even, so that a bit of the product depends on lower bits only.
        const STIRS: [u64; 3] = [0x9E37_79B9_7F4A_7C16, 0xD134_2543_DE82_EF94, 0x2545_F491_4F6C_DD1C];
        let mut x = digits.wrapping_add(self.keys[0]);
        x ^= x.wrapping_mul(STIRS[0]);
        x = x.wrapping_mul(self.keys[1] | 1);
        x ^= x.wrapping_mul(STIRS[1]);
        x = x.wrapping_add(self.keys[2]);
        x ^= x.wrapping_mul(STIRS[2]);
        x = x.wrapping_mul(self.keys[3] | 1);
        x.reverse_bits()
    }
}

/// A dimension's direction numbers, by the recurrence of its polynomial: Joe and Kuo's equation 2.
fn directions(dimension: usize) -> [u64; DIGITS] {
    let mut m = [1_u64; DIGITS];
    if dimension > 0 {
        let mut at = 0;
        for _ in 1..dimension {
            at += 1 + degree(TABLE[at]);
        }
        let (polynomial, degree) = (TABLE[at], degree(TABLE[at]));
        for k in 0..degree {
            m[k] = u64::from(TABLE[at + 1 + k]);
        }
        for k in degree..DIGITS {
            m[k] = m[k - degree];
            for j in 1..=degree {
                if polynomial >> (degree - j) & 1 == 1 {
                    m[k] ^= m[k - j] << j;
                }
            }
        }
    }
    let mut k = 0;
    m.map(|number| {
        k += 1;
        (number << (DIGITS - k)).reverse_bits()
    })
}

fn degree(polynomial: u16) -> usize {
    polynomial.ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unscrambled_points_of_joe_and_kuo() {
        // 1024 times the coordinates of rows 1, 2, 3, 5, 7, 100, 1000 by scipy 1.17.1, qmc.Sobol(256, scramble=False).
        const ROWS: [u64; 7] = [1, 2, 3, 5, 7, 100, 1000];
        for (dimension, points) in [
            (0, [512, 768, 256, 896, 128, 424, 225]),
            (1, [512, 256, 768, 896, 640, 264, 99]),
            (2, [512, 256, 768, 128, 384, 792, 531]),
            (3, [512, 256, 768, 384, 128, 744, 693]),
            (7, [512, 768, 256, 384, 640, 488, 921]),
            (50, [512, 256, 768, 640, 896, 904, 361]),
            (128, [512, 256, 768, 640, 896, 264, 913]),
            (255, [512, 768, 256, 896, 128, 584, 255]),
        ] {
            let plain = Dimension::new(0, dimension);
            assert_eq!(ROWS.map(|row| plain.digits(row).reverse_bits() >> 54), points, "dimension {dimension}");
        }
    }

    #[test]
    fn the_table_ends_with_the_last_dimension() {
        let (mut at, mut dimensions) = (0, 1);
        while at < TABLE.len() {
            for k in 0..degree(TABLE[at]) {
                assert!(TABLE[at + 1 + k] % 2 == 1 && TABLE[at + 1 + k] >> (k + 1) == 0, "dimension {dimensions}");
            }
            at += 1 + degree(TABLE[at]);
            dimensions += 1;
        }
        assert_eq!((at, dimensions), (TABLE.len(), DIMENSIONS));
    }

    #[test]
    fn every_interval_has_one_point_in_every_dimension() {
        const ROWS: usize = 1 << 12;
        let mut points = vec![0.0; ROWS];
        for column in 0..DIMENSIONS {
            // Any aligned run of rows is a net, not the first alone.
            for first_row in [0, 5 << 12, 1 << 52] {
                Dimension::new(11, column).fill(Level::new(), first_row, &mut points);
                for bits in 0..=12 {
                    let mut hit = vec![false; 1 << bits];
                    for point in &points[..1 << bits] {
                        let interval = cell(*point, bits);
                        assert!(!hit[interval], "column {column}, 2^{bits} rows");
                        hit[interval] = true;
                    }
                }
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^bits")]
    fn cell(point: f64, bits: usize) -> usize {
        (point * (1_u64 << bits) as f64) as usize
    }

    #[test]
    fn the_first_two_dimensions_are_a_net() {
        for seed in 0..20 {
            for bits in 0..=10 {
                let mut points = [vec![0.0; 1 << bits], vec![0.0; 1 << bits]];
                for (column, points) in points.iter_mut().enumerate() {
                    Dimension::new(seed, column).fill(Level::new(), 0, points);
                }
                for wide in 0..=bits {
                    let mut hit = vec![false; 1 << bits];
                    for (x, y) in points[0].iter().zip(&points[1]) {
                        let rectangle = cell(*x, wide) << (bits - wide) | cell(*y, bits - wide);
                        assert!(!hit[rectangle], "seed {seed}, 2^{bits} rows, 2^{wide} columns");
                        hit[rectangle] = true;
                    }
                }
            }
        }
    }

    #[test]
    fn any_row_alone_is_the_same() {
        for column in [0, 1, 100, 255] {
            let dimension = Dimension::new(3, column);
            for first_row in [0, 1, 7, 1_000_000_007, (1 << 40) - 3, u64::MAX - 100] {
                let mut run = [0.0; 77];
                dimension.fill(Level::new(), first_row, &mut run);
                for (offset, point) in run.iter().enumerate() {
                    let mut alone = [0.0];
                    dimension.fill(Level::new(), first_row + offset as u64, &mut alone);
                    assert_eq!(alone[0].to_bits(), point.to_bits());
                }
            }
        }
    }

    /// Flips of a digit at each of the nodes before it, +1 or -1, of one seed.
    fn flips(dimension: &Dimension) -> Vec<f64> {
        let mut flips = Vec::new();
        for digit in 0..9_u32 {
            for before in 0..1_u64 << digit {
                flips.push(if dimension.scrambled(before) << digit >> 63 == 1 { 1.0 } else { -1.0 });
            }
        }
        flips
    }

    #[test]
    fn flips_are_even_and_independent_in_pairs() {
        const SEEDS: u64 = 2000;
        let mut all = Vec::new();
        for seed in 0..SEEDS {
            all.push(flips(&Dimension { directions: Box::new([0; DIGITS]), keys: words(seed, 0, 0, Use::Scramble) }));
        }
        let nodes = all[0].len();
        let (mut farthest, mut squares) = (0.0_f64, 0.0);
        for a in 0..nodes {
            let mean: f64 = all.iter().map(|flips| flips[a]).sum();
            // 5 standard deviations: 511 means pass with probability 0.9997.
            assert!(mean.abs() < 5.0 * (SEEDS as f64).sqrt(), "node {a}");
            for b in 0..a {
                let together: f64 = all.iter().map(|flips| flips[a] * flips[b]).sum();
                let score = together / (SEEDS as f64).sqrt();
                farthest = farthest.max(score.abs());
                squares += score * score;
            }
        }
        // The largest of 130 305 scores is beyond 6 with probability 3e-4; their mean square has a standard deviation of
        // at least √(2 / 130 305) = 0.004, as sums over pairs are not independent in fours.
        let pairs = (nodes * (nodes - 1) / 2) as f64;
        assert!(farthest < 6.0, "{farthest}");
        assert!((squares / pairs - 1.0).abs() < 0.02, "{}", squares / pairs);
    }

    #[test]
    fn a_mean_varies_as_theory_says() {
        // One point in each of n intervals, even within: the mean of x has variance n^-3 / 12.
        const SEEDS: u64 = 4000;
        let mut points = [0.0; 64];
        let (mut sum, mut squares) = (0.0, 0.0);
        for seed in 0..SEEDS {
            Dimension::new(seed, 5).fill(Level::new(), 0, &mut points);
            let error = points.iter().sum::<f64>() / 64.0 - 0.5;
            sum += error;
            squares += error * error;
        }
        let variance = 1.0 / 12.0 / (64.0 * 64.0 * 64.0);
        // Four standard deviations: of the mean, and of a variance of 4000 numbers nearly normal, √(2 / 4000).
        assert!(sum.abs() < 4.0 * (variance * SEEDS as f64).sqrt(), "{sum}");
        assert!((squares / SEEDS as f64 / variance - 1.0).abs() < 4.0 * (2.0 / SEEDS as f64).sqrt());
    }
}
