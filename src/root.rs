//! Where a function crosses 0, row by row.

use crate::number::Number;

/// Enough for the middles alone to bring the ends together.
const MOST_STEPS: u32 = 256;
/// Where so many steps have not halved the value the middle is taken, so that the ends come together whatever the function does.
const PATIENCE: u32 = 5;
/// A step this small, relative to the root, is the last: one more, which carries the derivative, is the caller's.
const NEAR: f64 = 1e-11;

/// The root between two ends of an `at` that is below 0 at the lower one and not at the upper; nothing is looked for where the
/// ends are one. Newton's method from
/// `first`, kept between ends that close in. `at` gives value and slope, `middle` lies between two ends. A constant.
#[inline(always)]
pub fn root_between<N: Number>(
    [low, high]: [N; 2],
    first: N,
    middle: impl Fn(N, N) -> N,
    at: impl Fn(N) -> (N, N),
) -> N {
    let (mut low, mut high) = (low.constant(), high.constant());
    let first = first.constant();
    let mut root = N::select(low.lt(first) & first.lt(high), first, middle(low, high));
    let mut settled = high.le(low);
    let mut largest = N::of(f64::INFINITY);
    let mut step = 0;
    while step < MOST_STEPS && !N::all(settled) {
        step += 1;
        let (value, slope) = at(root);
        let (value, slope) = (value.constant(), slope.constant());
        let over = N::zero().le(value);
        (low, high) = (N::select(over, low, root), N::select(over, root, high));
        let rises = N::zero().lt(slope);
        let newton = root - value / N::select(rises, slope, N::one());
        let error = root.abs() * NEAR;
        let near = rises & (newton - root).abs().le(error);
        let closed = (high - low).le(error);
        let mut inside = rises & low.lt(newton) & newton.lt(high);
        if step % PATIENCE == 0 {
            inside = inside & value.abs().le(largest);
            largest = value.abs() * 0.5;
        }
        let inside = near | inside;
        let next = N::select(inside, newton, N::select(closed, high, middle(low, high)));
        root = N::select(settled, root, next);
        settled = settled | near | closed;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::root_between;
    use std::cell::Cell;

    #[test]
    fn smooth_roots_take_a_few_steps() {
        let steps = Cell::new(0);
        let root = root_between([0.0, 10.0], 9.0, f64::midpoint, |x: f64| {
            steps.set(steps.get() + 1);
            (x * x - 2.0, x * 2.0)
        });
        assert!((root - 2.0_f64.sqrt()).abs() < 1e-11 && steps.get() < 9, "{root} after {}", steps.get());
    }

    #[test]
    fn jumps_and_flat_stretches_are_closed_in() {
        let jump = root_between([0.0, 10.0], 5.0, f64::midpoint, |x: f64| (if x < 3.3 { -1.0 } else { 1.0 }, 0.0));
        assert!((jump - 3.3).abs() < 1e-10);
        // The lowest of the points at which a flat stretch reaches 0.
        let flat = |x: f64| ((x.min(2.0) - 2.0), if x < 2.0 { 1.0 } else { 0.0 });
        let found = root_between([0.0, 10.0], 7.0, f64::midpoint, flat);
        assert!((found - 2.0).abs() < 1e-10, "{found}");
    }
}
