//! Dies that spare units rescue, by the number of defects.
//!
//! How many defects fall on a die's redundant units hangs on the law of the defect density; how many units they hit, only on
//! chance (Feller, An Introduction to Probability Theory I, IV.2, "occupancy"):
//!
//!     P(D on redundant units, none elsewhere) = P(0) Πᵢ t (1 + i/a) / (i + 1), i < D,   t = λ f / (1 + λ/a)
//!     P(m of n units hit by D + 1) = P(m by D) m/n + P(m - 1 by D) (n - m + 1)/n
//!
//! for a density with the gamma law of shape a. All terms are positive and nothing cancels.

use crate::defects::Units;
use crate::number::Number;

/// Most defects that are counted one by one.
const MOST: usize = 64;
/// A tail below this share of the sum is not followed.
const NEGLIGIBLE: f64 = 1e-17;

const NUMBERS: [f64; MOST + 2] = {
    let mut numbers = [0.0; MOST + 2];
    let mut i = 0;
    while i < numbers.len() {
        numbers[i] = i as f64;
        i += 1;
    }
    numbers
};

/// The chance that 1, 2, … `defects` defects leave no more units bad than are spare, over that of none. The mask says for
/// which rows the count has ended; others have more defects than are counted.
#[inline(always)]
pub fn rescued_by_count<N: Number>(lambda: N, shape: N, units: Units<N>) -> (N, N::Mask) {
    let clustering = N::one() / shape;
    let by_defect = lambda * units.share / (lambda * clustering + 1.0);
    // The ratio of one chance to the last falls towards this or rises to it.
    let last_ratio = by_defect * clustering;
    let mut chances = [N::zero().save(); MOST + 1];
    // Of any number of defects, and of no more than there are spare units, which all are rescued.
    let mut chance = N::one();
    let mut certain = N::zero();
    let mut ended = N::one().lt(N::zero());
    let mut most = 0;
    while most < MOST && !N::all(ended) {
        let before = NUMBERS[most];
        most += 1;
        let ratio = by_defect * (clustering * before + 1.0) / NUMBERS[most];
        chance = N::select(ended, N::zero(), chance * ratio);
        chances[most] = chance.save();
        certain = certain + N::select(N::of(NUMBERS[most]).le(units.spare), chance, N::zero());
        let next = (by_defect * (clustering * NUMBERS[most] + 1.0) / NUMBERS[most + 1]).max(last_ratio);
        let falls = next.lt(N::one());
        ended = ended | (falls & (chance * next).le((-next + 1.0) * certain * NEGLIGIBLE));
    }
    if N::shortcut(N::of(NUMBERS[most]).le(units.spare)) {
        return (certain, ended);
    }

    // Chances of 1, 2, … units hit, of those that are spare.
    let a_unit = N::one() / units.count;
    let mut hit = [N::zero().save(); MOST + 1];
    let mut new = [N::zero().save(); MOST + 1];
    let last = units.spare.highest();
    let mut rescued = N::zero();
    let mut defects = 1;
    while defects <= most {
        let chance = N::restore(chances[defects]);
        let mut within = N::zero();
        if last >= NUMBERS[defects] {
            let left = (-a_unit * NUMBERS[defects - 1] + 1.0).positive_part();
            new[defects] = N::select(N::of(NUMBERS[defects]).le(units.spare), left, N::zero()).save();
        }
        let mut count = defects;
        while count > 0 {
            if last >= NUMBERS[count] {
                let before = if defects == 1 { N::one() } else { N::restore(hit[count - 1]) };
                let now = N::restore(hit[count]) * (a_unit * NUMBERS[count]) + before * N::restore(new[count]);
                hit[count] = now.save();
                within = within + now;
            }
            count -= 1;
        }
        let within = N::select(N::of(NUMBERS[defects]).le(units.spare), N::one(), within);
        rescued = rescued + chance * within;
        defects += 1;
    }
    (rescued, ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_by_hand() {
        // One of two may be bad: D defects all hit the same one with chance 2^(1-D); Poisson with mean 1 (shape without end):
        // Σ 2^(1-D) / D! = 2 (√e - 1).
        let (share, ended) = rescued_by_count(1.0, f64::INFINITY, Units { count: 2.0, spare: 1.0, share: 1.0 });
        assert!(ended);
        assert!((share / (2.0 * (core_math::exp(0.5) - 1.0)) - 1.0).abs() < 1e-15); // a few roundings
    }

    #[test]
    fn all_spare_is_all_defects() {
        // Shape 1, λ f / (1 + λ) = t: Σ tᴰ = t / (1 - t), however few the units.
        for count in [1.0, 3.0, 200.0] {
            let (share, ended) = rescued_by_count(0.5, 1.0, Units { count, spare: count, share: 0.75 });
            assert!(ended);
            assert!((share / (0.25 / 0.75) - 1.0).abs() < 1e-15, "{count}: {share}"); // a few roundings
        }
    }

    #[test]
    fn more_defects_than_are_counted_are_not_said_to_be_counted() {
        let (_, ended) = rescued_by_count(100.0, f64::INFINITY, Units { count: 100.0, spare: 10.0, share: 1.0 });
        assert!(!ended);
        let (share, ended) = rescued_by_count(0.0, 3.0, Units { count: 100.0, spare: 10.0, share: 1.0 });
        assert!(ended && share == 0.0);
    }
}
