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
/// A term below this share of the sum is the last, once terms fall by an eighth or faster.
const NEGLIGIBLE: f64 = 1e-16;
const FALLS: f64 = 7.0 / 8.0;

const NUMBERS: [f64; MOST + 2] = {
    let mut numbers = [0.0; MOST + 2];
    let mut i = 0;
    while i < numbers.len() {
        numbers[i] = i as f64;
        i += 1;
    }
    numbers
};

/// The chance that 1, 2, … defects leave no more units bad than are spare, over that of none. The mask says for which rows
/// the count has ended; others have more defects than are counted.
#[inline(always)]
pub fn rescued_by_count<N: Number>(lambda: N, shape: N, units: Units<N>) -> (N, N::Mask) {
    let clustering = N::one() / shape;
    let by_defect = lambda * units.share / (lambda * clustering + 1.0);
    // The ratio of one chance to the last falls towards this or rises to it.
    let last_ratio = by_defect * clustering;
    let a_unit = N::one() / units.count;
    let (fewest, most) = (-(-units.spare).highest(), units.spare.highest());
    // Ways in which so many defects hit 1, 2, … units, and the chance of one way: n^64 is below 1e256.
    let mut ways = [N::zero().save(); MOST + 1];
    ways[0] = N::one().save();
    let (mut hit, mut followed) = (0, 0);
    let (mut chance, mut of_a_way) = (N::one(), N::one());
    let (mut before, mut rescued) = (N::one(), N::zero());
    let mut ended = N::one().lt(N::zero());
    let mut defects = 0;
    while defects < MOST && !N::all(ended) {
        let ratio = by_defect * (clustering * NUMBERS[defects] + 1.0) / NUMBERS[defects + 1];
        defects += 1;
        chance = chance * ratio;
        of_a_way = of_a_way * (ratio * a_unit);
        // No more defects than there are spare units are all rescued.
        let mut now = chance;
        if fewest < NUMBERS[defects] {
            let mut within = N::zero();
            while followed < defects {
                followed += 1;
                hit += usize::from(NUMBERS[followed] <= most);
                within = N::zero();
                let mut count = hit;
                while count > 0 {
                    let unhit = units.count - NUMBERS[count - 1];
                    let now = N::restore(ways[count]) * NUMBERS[count] + N::restore(ways[count - 1]) * unhit;
                    ways[count] = now.save();
                    within = within + N::select(N::of(NUMBERS[count]).le(units.spare), now, N::zero());
                    count -= 1;
                }
                ways[0] = N::zero().save();
            }
            now = N::select(N::of(NUMBERS[defects]).le(units.spare), chance, of_a_way * within);
        }
        rescued = rescued + N::select(ended, N::zero(), now);
        // The share rescued falls faster and faster: it is the survival of a sum of geometric times, from one unit hit to the
        // next, whose law is log-concave.
        let falls = (now * ratio.max(last_ratio)).le(before * ratio * FALLS);
        ended = ended | (falls & now.le(rescued * NEGLIGIBLE));
        before = now;
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
    fn many_defects_by_the_sum_over_units() {
        // Poisson, u defects on a unit: Σ C(n,j) (e^u - 1)^j, j up to the spare ones.
        let (share, ended) = rescued_by_count(100.0, f64::INFINITY, Units { count: 100.0, spare: 10.0, share: 1.0 });
        let (mut term, mut sum) = (1.0, 0.0);
        for j in 1..=10 {
            term *= (101.0 - f64::from(j)) / f64::from(j) * core_math::expm1(1.0);
            sum += term;
        }
        assert!(ended);
        assert!((share / sum - 1.0).abs() < 1e-14, "{share}, {sum}"); // 64 roundings of a term
    }

    #[test]
    fn more_defects_than_are_counted_are_not_said_to_be_counted() {
        let (_, ended) = rescued_by_count(100.0, f64::INFINITY, Units { count: 100.0, spare: 100.0, share: 1.0 });
        assert!(!ended);
        let (share, ended) = rescued_by_count(0.0, 3.0, Units { count: 100.0, spare: 10.0, share: 1.0 });
        assert!(ended && share == 0.0);
    }
}
