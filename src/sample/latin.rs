//! Latin hypercube by index: over the rows of a sample each column has one point in each of as many equal strata.
//!
//! M. D. McKay, R. J. Beckman, W. J. Conover, Technometrics 21 (1979) 239-245. Which stratum a row has is a keyed permutation,
//! computed for the row alone; the place within it is drawn by Philox.

use super::philox::{Use, fill, unit, words};

/// Below six, orders of seven rows are not equally likely; with eight, a chi-square over all orders finds nothing.
const ROUNDS: usize = 8;

/// One column under one seed.
#[derive(Clone, Debug)]
pub struct Strata {
    seed: u64,
    column: usize,
    samples: u64,
    /// Ones in as many bits as the last stratum needs.
    mask: u64,
    keys: [(u64, u64); ROUNDS],
    /// 2^128 / `samples`, rounded up: the width of a stratum in 2^-128.
    width: u128,
}

impl Strata {
    /// For `samples` > 0 rows.
    pub fn new(seed: u64, column: usize, samples: u64) -> Strata {
        let mut keys = [(0, 0); ROUNDS];
        for (round, key) in keys.iter_mut().enumerate() {
            let words = words(seed, column, round as u64, Use::Permutation);
            // Odd factors have an inverse.
            *key = (words[0] | 1, words[1]);
        }
        let mask = u64::MAX >> (samples - 1).leading_zeros().min(63);
        let width = (u128::MAX / u128::from(samples)).saturating_add(1);
        Strata { seed, column, samples, mask, keys, width }
    }

    /// Probabilities of the rows from `first_row` on, below `samples`.
    ///
    /// A point lies in its stratum but for the rounding to the middle of one of 2^52 cells.
    pub fn fill(&self, first_row: u64, probabilities: &mut [f64]) {
        let rows = probabilities.len();
        fill(self.seed, self.column, first_row, Use::Jitter, rows, |offset, word| {
            probabilities[offset] = unit(self.start(self.stratum(first_row + offset as u64)) + self.place(word));
        });
    }

    /// Where a stratum begins, in 2^-64. The next begins at least `place` + 1 later.
    fn start(&self, stratum: u64) -> u64 {
        (u128::from(stratum).wrapping_mul(self.width) >> 64) as u64
    }

    fn place(&self, word: u64) -> u64 {
        ((u128::from(word) * (self.width >> 64)) >> 64) as u64
    }

    fn stratum(&self, row: u64) -> u64 {
        let mut stratum = self.shuffled(row);
        // The permutation of 2^bits numbers is followed until it comes back below `samples`. It does: its cycle leads back
        // to `row` itself. More than half of the numbers are below, so two steps do on average.
        while stratum >= self.samples {
            stratum = self.shuffled(stratum);
        }
        stratum
    }

    /// A permutation of 0 to `mask`: each step can be undone.
    fn shuffled(&self, x: u64) -> u64 {
        let half = ((64 - self.mask.leading_zeros()) / 2).max(1);
        let mut x = x;
        for (factor, offset) in self.keys {
            x = x.wrapping_mul(factor).wrapping_add(offset) & self.mask;
            x ^= x >> half;
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(seed: u64, column: usize, samples: u64, rows: usize) -> Vec<f64> {
        let mut points = vec![0.0; rows];
        Strata::new(seed, column, samples).fill(0, &mut points);
        points
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to samples")]
    fn every_stratum_has_one_point() {
        for samples in [1, 2, 3, 4, 5, 7, 8, 9, 100, 1000, 1024, 4097, 99_991] {
            for column in 0..5 {
                let points = points(17, column, samples as u64, samples);
                let mut hit = vec![false; samples];
                for point in points {
                    let stratum = (point * samples as f64) as usize;
                    assert!(!hit[stratum], "{samples} samples, column {column}, {point}");
                    hit[stratum] = true;
                }
            }
        }
    }

    #[test]
    fn strata_of_many_rows_are_in_range_and_differ() {
        for samples in [1_000_000_000_000, u64::MAX, (1 << 63) + 1] {
            let strata = Strata::new(1, 2, samples);
            let mut seen: Vec<u64> = (samples - 1000..samples).map(|row| strata.stratum(row)).collect();
            assert!(seen.iter().all(|stratum| *stratum < samples));
            assert!(seen.iter().all(|stratum| strata.start(*stratum).checked_add(strata.place(u64::MAX)).is_some()));
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 1000);
        }
    }

    #[test]
    fn orders_of_few_rows_are_equally_likely() {
        // Five strata in each of 120 orders 100 times; chi-square with 119 degrees of freedom: mean 119, sd √238 = 15.4.
        let mut counts = std::collections::HashMap::new();
        for seed in 0..12_000 {
            let strata = Strata::new(seed, 0, 5);
            *counts.entry([0, 1, 2, 3, 4].map(|row| strata.stratum(row))).or_insert(0.0) += 1.0;
        }
        assert_eq!(counts.len(), 120);
        let chi_square: f64 = counts.values().map(|count: &f64| (count - 100.0) * (count - 100.0) / 100.0).sum();
        assert!((chi_square - 119.0).abs() < 4.0 * 15.4, "{chi_square}");
    }

    #[test]
    fn columns_are_not_correlated() {
        // The correlation of two random orders of n has variance 1 / (n - 1); 300 pairs, four standard deviations.
        let (samples, mut sum, mut squares) = (200, 0.0, 0.0);
        for seed in 0..300 {
            let (x, y) = (points(seed, 0, 200, samples), points(seed, 1, 200, samples));
            let correlation = x.iter().zip(&y).map(|(x, y)| (x - 0.5) * (y - 0.5)).sum::<f64>() * 12.0 / samples as f64;
            sum += correlation;
            squares += correlation * correlation;
        }
        assert!(sum.abs() < 4.0 * (300.0_f64 / 199.0).sqrt(), "{sum}");
        assert!((squares * 199.0 / 300.0 - 1.0).abs() < 4.0 * (2.0_f64 / 300.0).sqrt(), "{squares}");
    }
}
