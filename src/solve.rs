//! Break-even by row: the value of one variable at which a target equals a number.
//!
//! The range is cut into stretches, equal in the variable or, over decades, in its logarithm. Where the target passes the
//! number from one end of a stretch to the other, the place is narrowed down to the last digits (Chandrupatla, Advances in
//! Engineering Software 28 (1997) 145: inverse quadratic interpolation where it is safe, halving else). There the
//! target must equal the number; where it does not, it has jumped or gone through infinity. Between two ends on one side
//! nothing is looked for. Only the models between the variable and the target run again; a row's steps depend on no other.

use crate::arena::{Arena, Layout, RowsOf};
use crate::engine;
use crate::gradient::Downstream;
use crate::kernel::BLOCK;
use crate::plan::VariableId;
use crate::request::{Answer, Column, Element, Further, Request, Settings, Stopped, View};
use std::sync::atomic::AtomicBool;

const STRETCHES: usize = 32;
/// Ends further apart than this are cut by logarithm.
const DECADES: f64 = 100.0;
/// Looks at one stretch: more than halving alone would need.
const LOOKS: usize = 128;
/// Of the larger of the number and the target's ends: at a root the target is as near as this.
const NEAR: f64 = 1e-9;
/// The same of the target at the ends of the stretch: more is left at a jump.
const NEAR_IN_STRETCH: f64 = 1e-6;
/// The smallest step, as a share of the range: a root near 0 has digits without end.
const SMALLEST_STEP: f64 = 1e-22;

/// Columns of results: the root, how it went, how many roots, and the target's nearest value.
pub const RESULTS: usize = 4;

/// How the search went on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    OneRoot,
    SeveralRoots,
    /// The target equals the number at neighboring ends of stretches.
    Range,
    StaysAbove,
    StaysBelow,
    Jumps,
    /// Both sides, but with no value of the target in between.
    Gap,
    Unknown,
    Independent,
    NothingToEqual,
}

/// What is looked for.
#[derive(Clone)]
pub struct Search {
    pub variable: VariableId,
    pub low: f64,
    pub high: f64,
    pub equals: Column,
}

impl Search {
    fn end(&self, k: usize) -> f64 {
        let share = k as f64 / STRETCHES as f64;
        if k == 0 {
            self.low
        } else if k == STRETCHES {
            self.high
        } else if 0.0 < self.low && self.low * DECADES <= self.high {
            self.low * crate::math::pow(self.high / self.low, share)
        } else {
            self.low + (self.high - self.low) * share
        }
    }
}

/// A stretch being narrowed: `a` is the newest end, `b` the other side of the root, `c` the end before.
#[derive(Clone, Copy)]
struct Bracket {
    a: f64,
    b: f64,
    c: f64,
    at_a: f64,
    at_b: f64,
    at_c: f64,
    /// Where the next look is, from a to b.
    way: f64,
    open: bool,
}

impl Bracket {
    const NONE: Bracket = Bracket { a: 0.0, b: 0.0, c: 0.0, at_a: 0.0, at_b: 0.0, at_c: 0.0, way: 0.5, open: false };

    fn new(a: f64, b: f64, at_a: f64, at_b: f64) -> Bracket {
        Bracket { a, b, c: a, at_a, at_b, at_c: at_a, way: 0.5, open: true }
    }
    fn next(&self) -> f64 {
        self.a + self.way * (self.b - self.a)
    }
    /// The end where the target is nearer.
    fn best(&self) -> (f64, f64) {
        if self.at_b.abs() < self.at_a.abs() { (self.b, self.at_b) } else { (self.a, self.at_a) }
    }
    fn look(&mut self, x: f64, at_x: f64, smallest_step: f64) {
        if at_x.is_nan() {
            // No value in between: as good as a jump.
            self.open = false;
            return;
        }
        if (at_x < 0.0) == (self.at_a < 0.0) {
            (self.c, self.at_c) = (self.a, self.at_a);
        } else {
            (self.c, self.at_c) = (self.b, self.at_b);
            (self.b, self.at_b) = (self.a, self.at_a);
        }
        (self.a, self.at_a) = (x, at_x);
        let (best, at_best) = self.best();
        let step = (2.0 * f64::EPSILON * best.abs()).max(smallest_step) / (self.b - self.a).abs();
        if at_best == 0.0 || step > 0.5 {
            self.open = false;
            return;
        }
        let place = (self.a - self.b) / (self.c - self.b);
        let height = (self.at_a - self.at_b) / (self.at_c - self.at_b);
        let curved = height * height < place && (1.0 - height) * (1.0 - height) < 1.0 - place;
        let way = self.at_a / (self.at_b - self.at_a) * (self.at_c / (self.at_b - self.at_c))
            + (self.c - self.a) / (self.b - self.a)
                * (self.at_a / (self.at_c - self.at_a))
                * (self.at_b / (self.at_c - self.at_b));
        self.way = if curved && way.is_finite() { way.clamp(step, 1.0 - step) } else { 0.5 };
    }
}

/// A root, or a stretch in which the target passes the number, by position: end k is 2k, the stretch after it 2k + 1.
type Place = usize;

/// One block of rows with their target less the number it should equal.
struct Block<'a> {
    arena: &'a mut Arena,
    layout: &'a Layout,
    down: &'a Downstream,
    settings: &'a Settings,
    slot: usize,
    target: usize,
    equals: [f64; BLOCK],
    rows: usize,
}

impl Block<'_> {
    /// The target less the number at each row's value of the variable; NaN where it is null.
    fn at(&mut self, x: &[f64; BLOCK]) -> [f64; BLOCK] {
        *self.arena.blocks[self.slot] = *x;
        self.arena.at[self.slot] = self.arena.blocks[self.slot].as_mut_ptr();
        for &step in &self.down.steps {
            self.arena.step(self.layout, step, self.settings.level, self.rows);
        }
        let null = |i: usize| self.arena.has_nulls[self.target] && self.arena.nulls[self.target][i] != 0;
        let mut found = [f64::NAN; BLOCK];
        for (i, found) in found[..self.rows].iter_mut().enumerate() {
            // SAFETY: a place has at least the block's rows.
            let value = unsafe { self.arena.at[self.target].add(i).read() };
            *found = if null(i) { f64::NAN } else { value - self.equals[i] };
        }
        found
    }
}

/// What is known of a row's roots.
#[derive(Clone, Copy)]
struct Roots {
    lowest: f64,
    count: u32,
    jumps: bool,
}

/// Solves a block and writes its results from place `first` on.
pub fn block(arena: &mut Arena, layout: &Layout, search: &Search, settings: &Settings, rows_of: RowsOf, rows: usize) {
    let first = layout.outputs[1];
    let target = layout.outputs[0];
    let down = &layout.directions[0];
    let mut equals = [f64::NAN; BLOCK];
    for (i, equals) in equals[..rows].iter_mut().enumerate() {
        let row = rows_of.row(i);
        *equals = if search.equals.is_null(row) { f64::NAN } else { search.equals.value(row) };
    }
    let put = |arena: &mut Arena, i: usize, outcome: Outcome, root: f64, count: u32, nearest: f64| {
        for (k, value) in [root, f64::from(outcome as u8), f64::from(count), nearest].into_iter().enumerate() {
            arena.blocks[first + k][i] = value;
            arena.nulls[first + k][i] = u8::from(value.is_nan());
            arena.has_nulls[first + k] |= value.is_nan();
        }
    };
    (0..RESULTS).for_each(|k| arena.has_nulls[first + k] = false);
    let Some(slot) = down.slot.filter(|_| down.moves[target]) else {
        for i in 0..rows {
            put(arena, i, Outcome::Independent, f64::NAN, 0, f64::NAN);
        }
        return;
    };

    let mut block = Block { arena, layout, down, settings, slot, target, equals, rows };
    let ends: Vec<f64> = (0..=STRETCHES).map(|k| search.end(k)).collect();
    let heights: Vec<[f64; BLOCK]> = ends.iter().map(|end| block.at(&[*end; BLOCK])).collect();
    let next = |i: usize, after: Place| -> Option<Place> {
        (after..=2 * STRETCHES).find(|place| {
            let here = heights[place / 2][i];
            if place % 2 == 0 {
                here == 0.0 && (*place == 0 || heights[place / 2 - 1][i] != 0.0)
            } else {
                let there = heights[place / 2 + 1][i];
                here * there < 0.0 || (here < 0.0 && 0.0 < there) || (there < 0.0 && 0.0 < here)
            }
        })
    };

    let mut roots = [Roots { lowest: f64::NAN, count: 0, jumps: false }; BLOCK];
    let mut places: Vec<Option<Place>> = (0..rows).map(|i| next(i, 0)).collect();
    let smallest_step = (search.high - search.low) * SMALLEST_STEP;
    while places.iter().any(Option::is_some) {
        let mut brackets = vec![Bracket::NONE; BLOCK];
        for (i, place) in places.iter().enumerate() {
            if let Some(place) = place.filter(|place| place % 2 == 1) {
                let (a, b) = (place / 2, place / 2 + 1);
                brackets[i] = Bracket::new(ends[a], ends[b], heights[a][i], heights[b][i]);
            }
        }
        let mut looks = 0;
        while looks < LOOKS && brackets.iter().any(|bracket| bracket.open) {
            let mut x = [search.low; BLOCK];
            for (x, bracket) in x.iter_mut().zip(&brackets).filter(|(_, bracket)| bracket.open) {
                *x = bracket.next();
            }
            let heights = block.at(&x);
            for (i, bracket) in brackets.iter_mut().enumerate().filter(|(_, bracket)| bracket.open) {
                bracket.look(x[i], heights[i], smallest_step);
            }
            looks += 1;
        }
        for (i, place) in places.iter_mut().enumerate() {
            let Some(here) = *place else { continue };
            let root = if here % 2 == 0 {
                Some(ends[here / 2])
            } else {
                let size = |height: f64| if height.is_finite() { height.abs() } else { 0.0 };
                let number = block.equals[i];
                let scale = size(heights[0][i] + number).max(size(heights[STRETCHES][i] + number)).max(number.abs());
                let stretch = size(heights[here / 2][i]).max(size(heights[here / 2 + 1][i]));
                let (x, left) = brackets[i].best();
                let near = left.abs() <= (NEAR * scale).min(NEAR_IN_STRETCH * stretch);
                near.then_some(x)
            };
            match root {
                Some(_) if roots[i].count > 0 => roots[i].count += 1,
                Some(x) => (roots[i].lowest, roots[i].count) = (x, 1),
                None => roots[i].jumps = true,
            }
            *place = next(i, here + 1);
        }
    }

    for (i, found) in roots[..rows].iter().enumerate() {
        let known = || heights.iter().map(|height| height[i]).filter(|height| !height.is_nan());
        let (least, most) =
            known().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), h| (least.min(h), most.max(h)));
        let range = heights.windows(2).any(|two| two[0][i] == 0.0 && two[1][i] == 0.0);
        let number = block.equals[i];
        let (outcome, nearest) = match found.count {
            _ if number.is_nan() => (Outcome::NothingToEqual, f64::NAN),
            0 if known().next().is_none() => (Outcome::Unknown, f64::NAN),
            0 if least > 0.0 => (Outcome::StaysAbove, least + number),
            0 if most < 0.0 => (Outcome::StaysBelow, most + number),
            0 if found.jumps => (Outcome::Jumps, f64::NAN),
            0 => (Outcome::Gap, f64::NAN),
            _ if range => (Outcome::Range, f64::NAN),
            1 => (Outcome::OneRoot, f64::NAN),
            _ => (Outcome::SeveralRoots, f64::NAN),
        };
        put(block.arena, i, outcome, found.lowest, found.count, nearest);
    }
}

/// `RESULTS` columns: the root, null where there is none; the `Outcome` by position; how many roots; the target's least or
/// greatest value where it stays above or below. The request has one output, the target.
///
/// # Errors
/// Where memory is short or the caller stops it.
pub fn solve(request: &Request, search: &Search, settings: &Settings, stop: &AtomicBool) -> Result<Answer, Stopped> {
    let mut request = Request { further: Further::Solve(search.clone()), ..request.clone() };
    // One number for all rows.
    let low = View { element: Element::F64, at: (&raw const search.low).cast(), stride: 0 };
    request.columns.insert(search.variable, Column { values: low, nulls: None });
    let mut answer = engine::evaluate(&request, settings, stop)?;
    // The target where it was looked at last.
    answer.outputs.remove(0);
    answer.nulls.remove(0);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::{Bracket, LOOKS};

    /// Narrows a stretch; the end found, what is left there, and the looks it took.
    fn narrowed(f: impl Fn(f64) -> f64, low: f64, high: f64) -> (f64, f64, usize) {
        let mut bracket = Bracket::new(low, high, f(low), f(high));
        let mut looks = 0;
        while bracket.open && looks < LOOKS {
            let x = bracket.next();
            bracket.look(x, f(x), 1e-22 * (high - low));
            looks += 1;
        }
        let (x, left) = bracket.best();
        (x, left, looks)
    }

    #[test]
    fn roots_are_found_to_the_last_digits() {
        // x³ = 2 and the like, flat ones and steep ones, from either side.
        type Case = (fn(f64) -> f64, f64, f64, f64);
        let cases: [Case; 5] = [
            (|x| x * x * x - 2.0, 0.0, 9.0, 1.259_921_049_894_873_2),
            (|x| 2.0 - x * x * x, 0.0, 9.0, 1.259_921_049_894_873_2),
            (|x| (x - 0.3) * (x - 0.3) * (x - 0.3), 0.0, 1.0, 0.3),
            (|x| 1.0 - 1.0 / x, 1e-9, 1e3, 1.0),
            (|x| x - 1e-12, 0.0, 1e6, 1e-12),
        ];
        for (f, low, high, root) in cases {
            let (x, _, looks) = narrowed(f, low, high);
            assert!((x / root - 1.0).abs() < 1e-15 || f(x) == 0.0, "{x}, not {root}");
            assert!(looks < LOOKS, "{looks} looks for {root}");
        }
    }

    #[test]
    fn smooth_targets_take_few_looks() {
        // Halving alone would take 52.
        let (_, _, looks) = narrowed(|x| crate::math::exp(x) - 5.0, 0.0, 4.0);
        assert!(looks <= 12, "{looks}");
    }

    #[test]
    fn at_a_jump_or_a_pole_much_is_left() {
        let (_, left, looks) = narrowed(|x| if x < 0.7 { -1.0 } else { 2.0 }, 0.0, 1.0);
        assert!(left.abs() >= 1.0 && looks < LOOKS);
        let (_, left, looks) = narrowed(|x| 1.0 / (x - 0.7), 0.0, 1.0);
        assert!(left.abs() > 1e9 && looks < LOOKS);
        assert!(!Bracket::new(0.0, 1.0, -1.0, 1.0).next().is_nan());
    }
}
