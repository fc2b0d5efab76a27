//! What a sweep's rows say together: moments, quantiles, extremes, correlations.
//!
//! Every part of it is the same whatever order the rows come in and however they are divided: sums are exact, counts are
//! whole numbers, and the bins of a quantile are fixed before the first row is counted. Two summaries of different rows add
//! up to that of all, bit for bit.

use std::cmp::Ordering;

/// A sum without rounding: every `f64` is a whole number times 2^-1074, and the sum of them is kept in digits of 32 bits.
/// Rounded once, when it is read. After Neal, "Fast exact summation using small and large superaccumulators" (2015).
#[derive(Clone, Debug)]
pub struct ExactSum {
    /// Digits of 2^32, each with room for 2^30 additions before carries are taken on.
    digits: [i64; DIGITS],
    additions: u32,
}

/// 2098 bits of all finite numbers, and room for 2^64 of them.
const DIGITS: usize = 69;
const DIGIT_BITS: u32 = 32;
const MOST_ADDITIONS: u32 = 1 << 30;

impl Default for ExactSum {
    fn default() -> Self {
        ExactSum { digits: [0; DIGITS], additions: 0 }
    }
}

impl ExactSum {
    /// Adds a finite number.
    #[expect(clippy::cast_possible_truncation, reason = "digits of 32 bits")]
    pub fn add(&mut self, x: f64) {
        let bits = x.to_bits();
        let exponent = (bits >> 52 & 0x7FF) as u32;
        let fraction = bits & ((1 << 52) - 1);
        // Subnormal numbers lack the leading bit and have the least normal exponent.
        let (mantissa, place) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let at = (place / DIGIT_BITS) as usize;
        let shifted = u128::from(mantissa) << (place % DIGIT_BITS);
        let sign = if x.is_sign_negative() { -1 } else { 1 };
        for k in 0..3 {
            self.digits[at + k] += sign * (shifted >> (DIGIT_BITS * k as u32) & 0xFFFF_FFFF) as i64;
        }
        self.additions += 1;
        if self.additions == MOST_ADDITIONS {
            self.carry();
        }
    }

    /// Brings every digit but the last into 0 to 2^32 - 1.
    fn carry(&mut self) {
        let mut carried = 0;
        for digit in &mut self.digits[..DIGITS - 1] {
            let whole = *digit + carried;
            carried = whole >> DIGIT_BITS;
            *digit = whole & 0xFFFF_FFFF;
        }
        self.digits[DIGITS - 1] += carried;
        self.additions = 1;
    }

    pub fn merge(&mut self, other: &ExactSum) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (digit, more) in self.digits.iter_mut().zip(other.digits) {
            *digit += more;
        }
        self.additions = 2;
    }

    /// The sum, rounded to nearest, ties to even.
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        reason = "digits of 32 bits, a mantissa of 53 and an exponent below 2200"
    )]
    pub fn value(&self) -> f64 {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.digits[DIGITS - 1] < 0;
        if negative {
            for digit in &mut sum.digits {
                *digit = -*digit;
            }
            sum.carry();
        }
        let Some(top) = sum.digits.iter().rposition(|digit| *digit != 0) else { return 0.0 };
        // Three digits hold the 53 bits that stay and those that round; below them only whether anything is there counts.
        let low = top.saturating_sub(3);
        let mut leading = 0_u128;
        for digit in sum.digits[low..=top].iter().rev() {
            leading = leading << DIGIT_BITS | *digit as u128;
        }
        let sticky = sum.digits[..low].iter().any(|digit| *digit != 0);
        let width = 128 - leading.leading_zeros();
        // The least place a result can have is 2^-1074: no digit lies below it, so that nothing subnormal is rounded.
        let drop = width.saturating_sub(53);
        let mut mantissa = (leading >> drop) as u64;
        if drop > 0 {
            let half = 1_u128 << (drop - 1);
            let rest = leading & ((1_u128 << drop) - 1);
            let up = rest > half || (rest == half && (sticky || mantissa & 1 == 1));
            mantissa += u64::from(up);
        }
        let exponent = low as i32 * DIGIT_BITS as i32 + drop as i32;
        let size = scaled(mantissa as f64, exponent - 1074);
        if negative { -size } else { size }
    }
}

/// x 2^n, exact or infinite: what is dropped above is never below the least place.
fn scaled(x: f64, n: i32) -> f64 {
    let (mut x, mut n) = (x, n);
    while n > 1000 {
        x *= f64::from_bits(2023 << 52); // 2^1000
        n -= 1000;
    }
    while n < -1000 {
        // Exact as long as the result is a multiple of 2^-1074, which it is.
        x *= f64::from_bits(1 << 52) * f64::from_bits((1023 + 22) << 52); // 2^-1000
        n += 1000;
    }
    #[expect(clippy::cast_sign_loss, reason = "-1000 to 1000")]
    let factor = f64::from_bits(((1023 + n) as u64) << 52);
    x * factor
}

/// Counts of values between fixed edges. A value equal to an edge that is an atom of the pilot has a bin of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Rising; bin k is [edges[k-1], edges[k]), the first and the last without end.
    edges: Vec<f64>,
    counts: Vec<u64>,
}

/// Ranks of the pilot, in all, that become edges, and how many at each end are all taken.
const INNER_EDGES: usize = 1024;
const OUTER_EDGES: usize = 64;
/// Edges between two neighbours at an end.
const OUTER_PARTS: usize = 8;
/// Doublings of the distance from the pilot's ends, and edges in each.
const TAIL_DOUBLINGS: i32 = 64;
const TAIL_PARTS: i32 = 4;

impl Histogram {
    /// Edges from a pilot: values of the same kind of rows. The better it knows them the narrower the bins.
    pub fn new(pilot: &[f64]) -> Histogram {
        let mut sorted: Vec<f64> = pilot.iter().copied().filter(|x| x.is_finite()).map(|x| x + 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let mut edges = Vec::new();
        let count = sorted.len();
        for (k, value) in sorted.iter().enumerate() {
            let outer = k < OUTER_EDGES || k + OUTER_EDGES >= count;
            let inner = k * INNER_EDGES / count != (k + 1) * INNER_EDGES / count;
            if outer || inner {
                edges.push(*value);
            }
            if outer && k + 1 < count {
                for part in 1..OUTER_PARTS {
                    edges.push(value + (sorted[k + 1] - value) * (part as f64 / OUTER_PARTS as f64));
                }
            }
            // An atom ends right after itself.
            if k > 0 && sorted[k - 1].total_cmp(value) == Ordering::Equal {
                edges.push(*value);
                edges.push(value.next_up());
            }
        }
        if let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) {
            let near = |a: f64, b: f64| if a < b { b - a } else { (last - first).max(last.abs() * 1e-9).max(1e-300) };
            let below = near(first, sorted[(count - 1).min(OUTER_EDGES)]);
            let above = near(sorted[count - 1 - (count - 1).min(OUTER_EDGES)], last);
            for doubling in 0..TAIL_DOUBLINGS {
                for part in 0..TAIL_PARTS {
                    let share = scaled(1.0 + f64::from(part) / f64::from(TAIL_PARTS), doubling - 6);
                    edges.push(first - below * share);
                    edges.push(last + above * share);
                }
            }
        }
        edges.retain(|edge| edge.is_finite());
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        let counts = vec![0; edges.len() + 1];
        Histogram { edges, counts }
    }

    /// Counts a finite value.
    pub fn add(&mut self, x: f64) {
        self.counts[self.edges.partition_point(|edge| *edge <= x)] += 1;
    }

    fn merge(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// The value that `rank` (0 to the count) of all values lie below, and how far its rank may be off.
    fn value(&self, rank: f64, least: f64, greatest: f64) -> (f64, f64) {
        let mut below = 0.0;
        for (bin, &count) in self.counts.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
            let count = count as f64;
            if count > 0.0 && (below + count >= rank || bin + 1 == self.counts.len()) {
                let start = if bin == 0 { least } else { self.edges[bin - 1].max(least) };
                let end = if bin == self.edges.len() { greatest } else { self.edges[bin].min(greatest) };
                // All of an atom is at its value.
                if bin > 0 && bin < self.edges.len() && self.edges[bin - 1].next_up() == self.edges[bin] {
                    return (start, 0.0);
                }
                let share = ((rank - below) / count).clamp(0.0, 1.0);
                return (start + (end - start) * share, count);
            }
            below += count;
        }
        (greatest, 0.0)
    }
}

/// Rows that are kept at each end.
pub const EXTREMES: usize = 5;

/// What is known of one column of numbers.
#[derive(Clone, Debug)]
pub struct Column {
    /// Deviations are from here: a value like the others, so that their squares lose no digits.
    pivot: f64,
    pub finite: u64,
    pub nulls: u64,
    pub below_all: u64,
    pub above_all: u64,
    deviation: ExactSum,
    square: ExactSum,
    histogram: Histogram,
    /// The least and the greatest values with their rows, the outermost first.
    pub least: Vec<(f64, u64)>,
    pub greatest: Vec<(f64, u64)>,
}

impl Column {
    /// For values of the kind of `pilot`.
    pub fn new(pilot: &[f64]) -> Column {
        let mut finite: Vec<f64> = pilot.iter().copied().filter(|x| x.is_finite()).collect();
        finite.sort_by(f64::total_cmp);
        Column {
            pivot: finite.get(finite.len() / 2).copied().unwrap_or(0.0),
            finite: 0,
            nulls: 0,
            below_all: 0,
            above_all: 0,
            deviation: ExactSum::default(),
            square: ExactSum::default(),
            histogram: Histogram::new(pilot),
            least: Vec::new(),
            greatest: Vec::new(),
        }
    }

    /// Adds rows from `first_row` on; NaN is null.
    pub fn add(&mut self, first_row: u64, values: &[f64]) {
        for (k, &x) in values.iter().enumerate() {
            if x.is_nan() {
                self.nulls += 1;
                continue;
            }
            let row = first_row + k as u64;
            keep(&mut self.least, (x, row), |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            keep(&mut self.greatest, (x, row), |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            if x.is_infinite() {
                *(if x < 0.0 { &mut self.below_all } else { &mut self.above_all }) += 1;
                continue;
            }
            let x = x + 0.0;
            self.finite += 1;
            let deviation = x - self.pivot;
            self.deviation.add(deviation);
            // Squares of what no longer has any are the largest there are.
            self.square.add((deviation * deviation).min(f64::MAX));
            self.histogram.add(x);
        }
    }

    /// # Panics
    /// Where the other is not of the same sweep and column.
    pub fn merge(&mut self, other: &Column) {
        assert!(self.like(other), "a column of another sweep");
        self.finite += other.finite;
        self.nulls += other.nulls;
        self.below_all += other.below_all;
        self.above_all += other.above_all;
        self.deviation.merge(&other.deviation);
        self.square.merge(&other.square);
        self.histogram.merge(&other.histogram);
        for &row in &other.least {
            keep(&mut self.least, row, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        for &row in &other.greatest {
            keep(&mut self.greatest, row, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        }
    }

    /// Whether the other was made from the same pilot.
    pub fn like(&self, other: &Column) -> bool {
        self.pivot.to_bits() == other.pivot.to_bits() && self.histogram.edges == other.histogram.edges
    }

    /// Rows that have a value.
    pub fn rows(&self) -> u64 {
        self.finite + self.below_all + self.above_all
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    pub fn mean(&self) -> f64 {
        match (self.below_all, self.above_all, self.finite) {
            (0, 0, 0) => f64::NAN,
            (0, 0, finite) => self.pivot + self.deviation.value() / finite as f64,
            (0, _, _) => f64::INFINITY,
            (_, 0, _) => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }

    /// Standard deviation of the sample, NaN of fewer than two values or where one is infinite.
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    pub fn sd(&self) -> f64 {
        if self.below_all + self.above_all > 0 || self.finite < 2 {
            return f64::NAN;
        }
        let count = self.finite as f64;
        let deviation = self.deviation.value();
        ((self.square.value() - deviation * (deviation / count)) / (count - 1.0)).max(0.0).sqrt()
    }

    /// The value below which `share` of all values lie, null ones left out, and how far its share may be off.
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    pub fn quantile(&self, share: f64) -> (f64, f64) {
        let count = self.rows() as f64;
        let rank = share * count - self.below_all as f64;
        if count == 0.0 {
            return (f64::NAN, 0.0);
        }
        if rank < 0.0 || (self.finite == 0 && self.above_all == 0) {
            return (f64::NEG_INFINITY, 0.0);
        }
        if rank > self.finite as f64 || self.finite == 0 {
            return (f64::INFINITY, 0.0);
        }
        let finite = |rows: &[(f64, u64)]| rows.iter().map(|row| row.0).find(|x| x.is_finite());
        // Where infinite values have displaced the finite ends the outermost edges stand in.
        let edges = &self.histogram.edges;
        let least = finite(&self.least).unwrap_or_else(|| edges.first().copied().unwrap_or(f64::NEG_INFINITY));
        let greatest = finite(&self.greatest).unwrap_or_else(|| edges.last().copied().unwrap_or(f64::INFINITY));
        let (value, off) = self.histogram.value(rank, least, greatest);
        (value, off / count)
    }
}

/// Puts a row in its place among the `EXTREMES` first of an order.
fn keep(rows: &mut Vec<(f64, u64)>, row: (f64, u64), order: impl Fn(&(f64, u64), &(f64, u64)) -> Ordering) {
    if rows.len() == EXTREMES && order(&rows[EXTREMES - 1], &row) == Ordering::Less {
        return;
    }
    let at = rows.partition_point(|kept| order(kept, &row) == Ordering::Less);
    rows.insert(at, row);
    rows.truncate(EXTREMES);
}

/// Sums of two columns together, over the rows on which both are finite.
#[derive(Clone, Debug)]
pub struct Pair {
    pivots: [f64; 2],
    pub count: u64,
    sums: [ExactSum; 5],
}

impl Pair {
    /// For the columns' pivots.
    pub fn new(first: &Column, second: &Column) -> Pair {
        Pair { pivots: [first.pivot, second.pivot], count: 0, sums: std::array::from_fn(|_| ExactSum::default()) }
    }
    pub fn add(&mut self, first: &[f64], second: &[f64]) {
        for (x, y) in first.iter().zip(second) {
            if x.is_finite() && y.is_finite() {
                let (x, y) = (x - self.pivots[0], y - self.pivots[1]);
                self.count += 1;
                for (sum, term) in self.sums.iter_mut().zip([x, y, x * x, y * y, x * y]) {
                    sum.add(term.clamp(f64::MIN, f64::MAX));
                }
            }
        }
    }
    pub fn merge(&mut self, other: &Pair) {
        self.count += other.count;
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            sum.merge(more);
        }
    }
    /// Pearson's correlation, NaN where one of the columns does not vary.
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    pub fn correlation(&self) -> f64 {
        let count = self.count as f64;
        let [x, y, xx, yy, xy] = std::array::from_fn(|k| self.sums[k].value());
        let (spread_x, spread_y) = (xx - x * (x / count), yy - y * (y / count));
        if spread_x > 0.0 && spread_y > 0.0 {
            ((xy - x * (y / count)) / (spread_x.sqrt() * spread_y.sqrt())).clamp(-1.0, 1.0)
        } else {
            f64::NAN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::LANES;

    /// A fixed stream of numbers of many sizes.
    fn numbers(count: usize) -> Vec<f64> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let x = f64::from_bits(state);
                if x.is_finite() { x } else { 1.0 }
            })
            .collect()
    }

    #[test]
    fn sums_by_hand() {
        let sum = |values: &[f64]| {
            let mut sum = ExactSum::default();
            for x in values {
                sum.add(*x);
            }
            sum.value()
        };
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[1e308, 1.0, -1e308]), 1.0);
        assert_eq!(sum(&[5e-324, 5e-324]), 1e-323);
        assert_eq!(sum(&[-1.5, 0.25]), -1.25);
        // Half way between 1 and its neighbour goes to the even one, any more goes up.
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum(&[1.0, half]), 1.0);
        assert_eq!(sum(&[1.0, half, 5e-324]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[f64::MIN_POSITIVE, -5e-324]), f64::MIN_POSITIVE - 5e-324);
    }

    #[test]
    fn a_sum_does_not_depend_on_order_or_parts() {
        let values = numbers(10_000);
        let mut forward = ExactSum::default();
        for x in &values {
            forward.add(*x);
        }
        let mut parts = ExactSum::default();
        for part in values.chunks(777).rev() {
            let mut sum = ExactSum::default();
            for x in part.iter().rev() {
                sum.add(*x);
            }
            parts.merge(&sum);
        }
        assert_eq!(forward.value().to_bits(), parts.value().to_bits());
        // Together with its opposite nothing is left.
        for x in &values {
            forward.add(-x);
        }
        assert_eq!(forward.value().to_bits(), 0);
    }

    /// Standard exponential, by index.
    fn exponential(count: usize) -> Vec<f64> {
        (0..count).map(|i| -core_math::log1p(-(i as f64 * 0.618_033_988_749_895).fract())).collect()
    }

    #[test]
    fn moments_and_quantiles() {
        let values = exponential(100_000);
        let mut column = Column::new(&values[..4096]);
        column.add(0, &values);
        assert!((column.mean() - 1.0).abs() < 1e-3);
        assert!((column.sd() - 1.0).abs() < 3e-3);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        for share in [0.0001, 0.001, 0.05, 0.5, 0.95, 0.999, 0.9999] {
            let (value, off) = column.quantile(share);
            let rank = sorted.partition_point(|x| *x < value) as f64 / sorted.len() as f64;
            assert!((rank - share).abs() <= off + 1e-5, "{share}: rank {rank}, off {off}");
            // A bin holds about a thousandth, in the tails far less.
            assert!(off < 0.002 && (share > 0.01 && share < 0.99 || off < 4e-4), "{share}: {off}");
        }
        assert_eq!(column.least[0], (sorted[0], 0));
        assert_eq!(column.greatest[0].0, sorted[sorted.len() - 1]);
    }

    #[test]
    fn an_atom_is_its_own_quantile() {
        let values: Vec<f64> = (0..1000 * LANES).map(|i| if i % 3 == 0 { -7.0 } else { i as f64 }).collect();
        let mut column = Column::new(&values[..900]);
        column.add(0, &values);
        assert_eq!(column.quantile(0.2), (-7.0, 0.0));
    }

    #[test]
    fn infinite_and_missing_values() {
        let mut column = Column::new(&[1.0, 2.0]);
        column.add(10, &[1.0, f64::NAN, f64::INFINITY, 2.0, 3.0]);
        assert_eq!((column.finite, column.nulls, column.above_all), (3, 1, 1));
        assert_eq!(column.mean(), f64::INFINITY);
        assert!(column.sd().is_nan());
        assert_eq!(column.quantile(0.9).0, f64::INFINITY);
        assert_eq!(column.greatest[0], (f64::INFINITY, 12));
        assert!(Column::new(&[]).mean().is_nan());
    }

    #[test]
    fn parts_add_up_bit_for_bit() {
        let (x, y) = (exponential(5000), numbers(5000));
        let pilot = &x[..256];
        let (mut whole, mut pair) = (Column::new(pilot), Pair::new(&Column::new(pilot), &Column::new(&y[..256])));
        whole.add(0, &x);
        pair.add(&x, &y);
        let (mut sum, mut pairs) = (Column::new(pilot), Pair::new(&Column::new(pilot), &Column::new(&y[..256])));
        for start in [3000_usize, 0, 1500] {
            let end = if start == 3000 { 5000 } else { start + 1500 };
            let (mut part, mut two) = (Column::new(pilot), Pair::new(&Column::new(pilot), &Column::new(&y[..256])));
            part.add(start as u64, &x[start..end]);
            two.add(&x[start..end], &y[start..end]);
            sum.merge(&part);
            pairs.merge(&two);
        }
        assert_eq!(sum.mean().to_bits(), whole.mean().to_bits());
        assert_eq!(sum.sd().to_bits(), whole.sd().to_bits());
        assert_eq!(sum.quantile(0.3), whole.quantile(0.3));
        assert_eq!((&sum.least, &sum.greatest), (&whole.least, &whole.greatest));
        assert_eq!(pairs.correlation().to_bits(), pair.correlation().to_bits());
    }

    #[test]
    fn a_correlation_by_hand() {
        // (1, 2), (2, 1), (3, 4): deviations (-1, -1/3), (0, -4/3), (1, 5/3); 2 / sqrt(2 · 14/3) = 0.654654.
        let (x, y) = ([1.0, 2.0, 3.0], [2.0, 1.0, 4.0]);
        let mut pair = Pair::new(&Column::new(&x), &Column::new(&y));
        pair.add(&x, &y);
        assert!((pair.correlation() - 2.0 / (28.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    }
}
