//! The law of the net present value over schedule risk: chances and quantiles.
//!
//! Of every number of respins the value is known at the months' edges and taken as linear between them; the overrun's law is
//! taken as it is. Between two edges the chance of more than a level is then smooth in the level, and a quantile takes a few
//! steps.

use crate::launch::{Branch, Edges, LaunchLaw, Overrun};
use crate::market::HORIZON;
use crate::number::{Number, Positions};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Quantiles that are found at once.
pub const SHARES: usize = 3;

/// A chance rounded to a multiple of 2⁻⁵²: sums of such are exact, so that their order does not matter.
#[inline(always)]
fn whole_quanta<N: Number>(chance: N) -> N {
    (chance + 1.0) - 1.0
}

/// Each row's own entry of a table and the next one.
#[inline(always)]
fn ends<N: Number>(table: &[N::Slot], positions: &Positions) -> [N; 2] {
    let first = N::pick(
        table,
        positions,
        #[inline(always)]
        |cell| cell,
    );
    let next = N::pick(
        table,
        positions,
        #[inline(always)]
        |cell| cell + 1,
    );
    [first, next]
}

/// One branch at the months' beginnings: its value, and the chance of the branch and a later launch. Written from the month in
/// which the first row may launch to the one after which none does.
struct Tables<N: Number> {
    value: [MaybeUninit<N::Slot>; HORIZON + 1],
    later: [MaybeUninit<N::Slot>; HORIZON + 1],
}

/// Months of one branch between whose beginnings the value rises, or falls, on every row.
struct Stretch<N: Number> {
    branch: usize,
    edges: Range<usize>,
    /// The branch's chance and month of launch without an overrun.
    probability: N::Slot,
    starts: N::Slot,
}

/// Launches beyond the horizon: their value and their chance.
struct Never<N: Number> {
    value: N::Slot,
    chance: N::Slot,
}

/// Every branch's net present value and chance at the months' edges.
///
/// What a row finds does not hang on its neighbors, though it goes through their months too: chances are whole quanta, so
/// that their sums are exact however they are cut, and where a row has no chance left its value stands still.
pub struct Outcomes<N: Number> {
    tables: Vec<Tables<N>>,
    stretches: Vec<Stretch<N>>,
    never: Vec<Never<N>>,
}

/// A stretch that a level crosses on some row.
struct Crossing<N> {
    stretch: usize,
    /// Levels for which it is the same, the lower one included.
    low: N,
    high: N,
    /// Value and overrun at the beginning of the cell, and how the overrun moves with the value.
    before: N,
    from: N,
    months_per_usd: N,
    /// The chance above the level is `base` and `sign` times that of a later launch than the one that has the level for its
    /// value, which lies between those of the cell's ends.
    base: N,
    sign: N,
    most: N,
    least: N,
    probability: N,
}

/// All outcomes seen from a level: what it crosses, and the rest.
struct View<N> {
    crossings: Vec<Crossing<N>>,
    rest: Above<N>,
}

/// P(NPV > level), its fall per dollar, and the levels around it between which it is smooth.
#[derive(Clone, Copy)]
struct Above<N> {
    chance: N,
    density: N,
    /// Of the density.
    slope: N,
    low: N,
    high: N,
}

impl<N: Number> View<N> {
    /// From nowhere: no level lies within.
    #[inline(always)]
    fn new() -> Self {
        const ROOM: usize = 32;
        let infinite = N::of(f64::INFINITY);
        let rest = Above { low: infinite, high: -infinite, ..Above::nothing() };
        View { crossings: Vec::with_capacity(ROOM), rest }
    }
}

impl<N: Number> Above<N> {
    #[inline(always)]
    fn nothing() -> Self {
        let infinite = N::of(f64::INFINITY);
        Above { chance: N::zero(), density: N::zero(), slope: N::zero(), low: -infinite, high: infinite }
    }
    /// What is on one side of the level as a whole.
    #[inline(always)]
    fn whole(&mut self, is_above: N::Mask, chance: N, least: N, greatest: N) {
        self.chance = self.chance + N::select(is_above, chance, N::zero());
        self.low = N::select(is_above, self.low, self.low.max(greatest));
        self.high = N::select(is_above, self.high.min(least), self.high);
    }
    #[inline(always)]
    fn crossing(&mut self, crossing: &Crossing<N>, overrun: &Overrun<N>, level: N) {
        self.low = self.low.max(crossing.low);
        self.high = self.high.min(crossing.high);
        let months_per_usd = crossing.months_per_usd;
        let months = crossing.from + months_per_usd * (level - crossing.before);
        let [survival, density, slope] = overrun.survival_and_density(months);
        let probability = crossing.probability;
        let later = whole_quanta(probability * survival);
        let later = later.min(crossing.most).max(crossing.least);
        self.chance = self.chance + (crossing.base + crossing.sign * later);
        let per_usd = probability * months_per_usd.abs();
        self.density = self.density + density * per_usd;
        self.slope = self.slope + slope * per_usd * months_per_usd;
    }
}

/// Outcomes that have a chance of their own at one level: all of it, and its sum with their values.
struct Standing<N> {
    mass: N,
    value: N,
}

impl<N: Number> Standing<N> {
    #[inline(always)]
    fn add(&mut self, here: N::Mask, chance: N, value: N) {
        let here = here & N::zero().lt(chance);
        let value = N::select(here, value, N::zero());
        self.mass = self.mass + N::select(here, chance, N::zero());
        self.value = self.value + chance * value;
    }
}

impl<N: Number> Outcomes<N> {
    #[inline(always)]
    pub fn nothing() -> Self {
        const ROOM: usize = 32;
        Outcomes {
            tables: Vec::with_capacity(ROOM),
            stretches: Vec::with_capacity(2 * ROOM),
            never: Vec::with_capacity(ROOM),
        }
    }

    /// A stretch's values and chances.
    #[inline(always)]
    fn edges(&self, stretch: &Stretch<N>) -> [&[N::Slot]; 2] {
        let tables = &self.tables[stretch.branch];
        let (value, later) = (&tables.value[stretch.edges.clone()], &tables.later[stretch.edges.clone()]);
        // SAFETY: `add_edges` has written what is between a stretch's ends.
        unsafe {
            [
                std::slice::from_raw_parts(value.as_ptr().cast(), value.len()),
                std::slice::from_raw_parts(later.as_ptr().cast(), later.len()),
            ]
        }
    }

    /// Adds a branch, whose edges are made: its value at the beginning of a month, at an offset of a month, and where it is
    /// never launched.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "at most the horizon")]
    pub fn add(
        &mut self,
        branch: &Branch<N>,
        edges: &Edges<N>,
        never: N,
        at_beginning: impl Fn(usize, N) -> N,
        within: impl Fn(usize, N, N) -> N,
    ) {
        let mut later = whole_quanta(branch.probability);
        let possible = N::zero().lt(later);
        if N::shortcut(later.le(N::zero())) {
            return;
        }
        // At the branch's start, in each row's own month.
        let mut value = never;
        let mut month = edges.first;
        let mut beginning = N::of(month as f64);
        let mut running = false;
        while month < edges.end && !running {
            let until_start = branch.months - beginning;
            let starts = N::zero().le(until_start) & until_start.lt(N::one());
            let offset = until_start.positive_part().min(N::one());
            value = N::select(starts, within(month, beginning, offset), value);
            running = N::all(until_start.lt(N::one()));
            month += 1;
            beginning = beginning + 1.0;
        }
        value = N::select(possible, value, N::of(f64::NEG_INFINITY));

        if edges.first < edges.end {
            later = self.add_edges(branch, edges, [value, later, never], at_beginning);
        }
        if N::shortcut(later.le(N::zero())) {
            return;
        }
        // Respins beyond the horizon cost nothing more.
        if let Some(last) = self.never.last_mut()
            && N::shortcut(N::restore(last.value).eq(never))
        {
            last.chance = (N::restore(last.chance) + later).save();
            return;
        }
        self.never.push(Never { value: never.save(), chance: later.save() });
    }

    /// The months of a branch, from its value and chance at the start; gives its chance beyond the horizon.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "at most the horizon")]
    fn add_edges(
        &mut self,
        branch: &Branch<N>,
        edges: &Edges<N>,
        [mut value, mut later, never]: [N; 3],
        at_beginning: impl Fn(usize, N) -> N,
    ) -> N {
        let number = self.tables.len();
        self.tables.reserve(1);
        // SAFETY: there is room, and what need not be written is so from the start.
        unsafe { self.tables.set_len(number + 1) };
        let tables = &mut self.tables[number];
        let (probability, starts) = (branch.probability.save(), branch.months.save());
        let mut month = edges.first;
        tables.value[month].write(value.save());
        tables.later[month].write(later.save());
        let mut from = month;
        let always = N::zero().eq(N::zero());
        let (mut falls, mut rises) = (always, always);
        let mut beginning = N::of(month as f64);
        while month < edges.end {
            month += 1;
            beginning = beginning + 1.0;
            let moves = branch.months.lt(beginning) & N::zero().lt(later);
            let after = if month == HORIZON { never } else { at_beginning(month, beginning) };
            let after = N::select(moves, after, value);
            let (down, up) = (after.le(value), value.le(after));
            falls = falls & down;
            rises = rises & up;
            if !N::all(falls | rises) {
                self.stretches.push(Stretch { branch: number, edges: from..month, probability, starts });
                from = month - 1;
                (falls, rises) = (down, up);
            }
            value = after;
            later = whole_quanta(branch.probability * edges.survival(month));
            tables.value[month].write(value.save());
            tables.later[month].write(later.save());
        }
        self.stretches.push(Stretch { branch: number, edges: from..month + 1, probability, starts });
        later
    }

    /// The least and the greatest outcome that has a chance. To be called once, when all branches are there.
    #[inline(always)]
    fn range(&mut self) -> [N; 2] {
        let impossible = N::of(f64::NEG_INFINITY);
        let (mut low, mut high) = (N::of(f64::INFINITY), impossible);
        let mut k = 0;
        while k < self.stretches.len() {
            let [values, laters] = self.edges(&self.stretches[k]);
            let (mut value, mut later) = (N::restore(values[0]), N::restore(laters[0]));
            let mut edge = 1;
            while edge < values.len() {
                let (after, rest) = (N::restore(values[edge]), N::restore(laters[edge]));
                let possible = rest.lt(later);
                low = N::select(possible, low.min(value.min(after)), low);
                high = N::select(possible, high.max(value.max(after)), high);
                (value, later) = (after, rest);
                edge += 1;
            }
            k += 1;
        }
        k = 0;
        while k < self.never.len() {
            let never = &mut self.never[k];
            let value = N::restore(never.value);
            let value = N::select(N::zero().lt(N::restore(never.chance)), value, impossible);
            low = N::select(impossible.lt(value), low.min(value), low);
            high = high.max(value);
            never.value = value.save();
            k += 1;
        }
        [low, high]
    }

    /// Where a level crosses a stretch: the edges above it are all at the beginning, or all at the end.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "at most the horizon")]
    fn cross(&self, number: usize, level: N) -> Crossing<N> {
        let stretch = &self.stretches[number];
        let [values, chances] = self.edges(stretch);
        let (mut even, mut odd) = (N::zero(), N::zero());
        let mut k = 0;
        while k + 1 < values.len() {
            even = even + N::select(level.lt(N::restore(values[k])), N::one(), N::zero());
            odd = odd + N::select(level.lt(N::restore(values[k + 1])), N::one(), N::zero());
            k += 2;
        }
        let last = values.len() - 1;
        let (first_value, last_value) = (N::restore(values[0]), N::restore(values[last]));
        let is_last = if k == last { N::one() } else { N::zero() };
        let above = even + odd + N::select(level.lt(last_value), is_last, N::zero());
        let cells = N::of(last as f64);
        let zero = N::zero();
        let (none, all) = (above.le(zero), cells.lt(above));
        let outside = none | all;
        let falls = last_value.lt(first_value);
        let cell = N::select(falls, above - 1.0, cells - above).positive_part().min(cells - 1.0);
        let positions = cell.positions_once();
        let [before, after]: [N; 2] = ends(values, &positions);
        let [most, least]: [N; 2] = ends(chances, &positions);
        let since_start = cell + stretch.edges.start as f64 - N::restore(stretch.starts);
        let (from, to) = (since_start.positive_part(), (since_start + 1.0).positive_part());
        let infinite = N::of(f64::INFINITY);
        let rise = N::select(outside, infinite, after - before);
        let (first_later, last_later) = (N::restore(chances[0]), N::restore(chances[last]));
        let whole = N::select(none, zero, first_later - last_later);
        let low = N::select(none, first_value.max(last_value), -infinite);
        let high = N::select(none, infinite, first_value.min(last_value));
        Crossing {
            stretch: number,
            low: N::select(outside, low, before.min(after)),
            high: N::select(outside, high, before.max(after)),
            before: N::select(outside, zero, before),
            from: N::select(outside, zero, from),
            months_per_usd: ((to - from) / rise),
            base: N::select(outside, whole, N::select(falls, first_later, -last_later)),
            sign: N::select(outside, zero, N::select(falls, N::of(-1.0), N::one())),
            most,
            least,
            probability: N::restore(stretch.probability),
        }
    }

    /// All outcomes seen from a level.
    #[inline(always)]
    fn look(&self, view: &mut View<N>, level: N) {
        view.crossings.clear();
        view.rest = Above::nothing();
        let mut k = 0;
        while k < self.stretches.len() {
            let [values, chances] = self.edges(&self.stretches[k]);
            let end = values.len() - 1;
            let (first, last) = (N::restore(values[0]), N::restore(values[end]));
            let (least, greatest) = (first.min(last), first.max(last));
            let is_above = level.lt(least);
            if N::shortcut(is_above | greatest.le(level)) {
                let chance = N::restore(chances[0]) - N::restore(chances[end]);
                view.rest.whole(is_above, chance, least, greatest);
            } else {
                view.crossings.push(self.cross(k, level));
            }
            k += 1;
        }
        k = 0;
        while k < self.never.len() {
            let value = N::restore(self.never[k].value);
            view.rest.whole(level.lt(value), N::restore(self.never[k].chance), value, value);
            k += 1;
        }
    }

    /// P(NPV > level). What was seen from another level is used again as far as it holds.
    #[inline(always)]
    fn above(&self, view: &mut View<N>, overrun: &Overrun<N>, level: N) -> Above<N> {
        if !N::shortcut(view.rest.low.le(level) & level.lt(view.rest.high)) {
            self.look(view, level);
        }
        let mut above = view.rest;
        let mut k = 0;
        while k < view.crossings.len() {
            let crossing = &view.crossings[k];
            if !N::shortcut(crossing.low.le(level) & level.lt(crossing.high)) {
                view.crossings[k] = self.cross(crossing.stretch, level);
            }
            above.crossing(&view.crossings[k], overrun, level);
            k += 1;
        }
        above
    }

    /// Levels near the quantiles: each cell's chance is gathered where its middle lies, in steps of the standard deviation.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "a few steps")]
    fn guesses(&self, mean: N, sd: N, shares: &[f64; SHARES]) -> [N; SHARES] {
        const STEPS: usize = 64;
        /// Standard deviations on each side.
        const REACH: f64 = 3.0;
        /// Cells of less chance are passed over.
        const LEAST: f64 = 1e-3;
        let least = N::of(LEAST);
        let width = sd * (2.0 * REACH / STEPS as f64);
        let spreads = N::zero().lt(width);
        let per_width = N::select(spreads, N::one() / N::select(spreads, width, N::one()), N::zero());
        let origin = mean - sd * REACH;
        let mut chances = [N::zero().save(); STEPS];
        let mut k = 0;
        while k < self.stretches.len() {
            let [values, laters] = self.edges(&self.stretches[k]);
            let mut edge = 0;
            let (mut value, mut later) = (N::restore(values[0]), N::restore(laters[0]));
            while edge + 1 < values.len() {
                // What is left of the branch is too little.
                if N::shortcut(later.lt(least)) {
                    break;
                }
                edge += 1;
                let (after, rest) = (N::restore(values[edge]), N::restore(laters[edge]));
                let chance = later - rest;
                let chance = N::select(least.le(chance), chance, N::zero());
                if !N::shortcut(chance.le(N::zero())) {
                    let place = ((value + after) * 0.5 - origin) * per_width;
                    chance.put(
                        &mut chances,
                        &place.positions_once(),
                        #[inline(always)]
                        |step| step,
                    );
                }
                (value, later) = (after, rest);
            }
            k += 1;
        }
        k = 0;
        while k < self.never.len() {
            let place = (N::restore(self.never[k].value) - origin) * per_width;
            N::restore(self.never[k].chance).put(
                &mut chances,
                &place.positions_once(),
                #[inline(always)]
                |step| step,
            );
            k += 1;
        }
        let mut total = N::zero();
        k = 0;
        while k < STEPS {
            total = total + N::restore(chances[k]);
            k += 1;
        }
        let mut guesses = [N::zero(); SHARES];
        let mut before = [N::zero(); SHARES];
        let mut here = [N::one(); SHARES];
        let mut sum = N::zero();
        k = 0;
        while k < STEPS {
            let chance = N::restore(chances[k]);
            let step = N::of(k as f64);
            let mut j = 0;
            while j < SHARES {
                let below = sum.lt(total * shares[j]);
                guesses[j] = N::select(below, step, guesses[j]);
                before[j] = N::select(below, sum, before[j]);
                here[j] = N::select(below, chance, here[j]);
                j += 1;
            }
            sum = sum + chance;
            k += 1;
        }
        let mut j = 0;
        while j < SHARES {
            let some = N::zero().lt(here[j]);
            let part = (total * shares[j] - before[j]) / N::select(some, here[j], N::one());
            guesses[j] = origin + (guesses[j] + part.min(N::one())) * width;
            j += 1;
        }
        guesses
    }

    /// A number with the derivative of a quantile between `below` and `level`. Outcomes there that have a chance of their own
    /// carry it with them; else it moves as P(NPV > level), `above`, does over the density.
    #[inline(always)]
    fn carried(&self, law: &LaunchLaw<N>, above: &Above<N>, below: N, level: N) -> N {
        let certain = law.overrun_shape.eq(N::zero()) | law.overrun_months.le(N::zero());
        let mut standing = Standing { mass: N::zero(), value: N::zero() };
        let mut k = 0;
        while k < self.stretches.len() {
            let [values, chances] = self.edges(&self.stretches[k]);
            let mut edge = 0;
            while edge + 1 < values.len() {
                let (before, after) = (N::restore(values[edge]), N::restore(values[edge + 1]));
                let starts = below.le(before) & before.le(level);
                let ends = below.le(after) & after.le(level);
                let chance = N::restore(chances[edge]) - N::restore(chances[edge + 1]);
                standing.add(starts & (ends | certain), chance, before);
                edge += 1;
            }
            k += 1;
        }
        k = 0;
        while k < self.never.len() {
            let never = N::restore(self.never[k].value);
            standing.add(below.le(never) & never.le(level), N::restore(self.never[k].chance), never);
            k += 1;
        }
        let Standing { mass, value } = standing;
        let smooth = N::of(f64::MIN_POSITIVE).lt(above.density);
        let moved = above.chance / N::select(smooth, above.density.constant(), N::one());
        let stands = N::zero().lt(mass);
        N::select(stands, value / N::select(stands, mass, N::one()), N::select(smooth, moved, N::zero()))
    }

    /// The smallest y with P(NPV <= y) >= share, and its derivative, see `carried`. From `guess` by Halley's method between
    /// ends that close in.
    #[inline(always)]
    fn quantile(&self, law: &LaunchLaw<N>, overrun: &Overrun<N>, [least, greatest]: [N; 2], guess: N, share: f64) -> N {
        const HALVINGS: i32 = 50;
        const LAST_DIGIT: f64 = 1.0 / (1_u64 << HALVINGS) as f64;
        /// Where so many steps have not halved the distance the middle is taken.
        const PATIENCE: u32 = 4;
        const MOST_STEPS: u32 = 256;
        /// A step from so near, where nothing bends more and no edge lies between, is the last: what it leaves of the chance is
        /// of the order of NEAR · STRAIGHT².
        const NEAR: f64 = 1e-8;
        const STRAIGHT: f64 = 1e-4;
        const MOST_BEND: f64 = 0.5;
        /// Room for the rounding of a sum of masses that should reach the share exactly.
        const SLACK: f64 = 1e-13;
        let wanted = 1.0 - share + SLACK;
        // Where the quantile is next to 0 its own last digit is nothing to go by.
        let least_digit = (greatest - least) * (LAST_DIGIT * LAST_DIGIT);
        let (mut low, mut high) = (least - (least.abs() * LAST_DIGIT).max(least_digit), greatest);
        let guess = guess.constant();
        let mut at = N::select(low.lt(guess) & guess.lt(high), guess, (low + high) * 0.5);
        // The nearest edges above the lower end and below the upper one.
        let (mut next_edge, mut edge_before) = (least, greatest);
        // The quantile lies between them.
        let (mut below, mut found) = (low, high);
        let mut done = N::one().lt(N::zero());
        let mut largest = N::of(f64::INFINITY);
        let mut view = View::new();
        let mut step = 0;
        loop {
            step += 1;
            let above = self.above(&mut view, overrun, at);
            let excess = above.chance.constant() - wanted;
            let density = above.density.constant();
            let enough = excess.le(N::zero());
            (low, high) = (N::select(enough, low, at), N::select(enough, at, high));
            let steep = N::zero().lt(density);
            let density = N::select(steep, density, N::one());
            let newton = excess / density;
            // Halley's step, where the parabola is near the tangent.
            let bend = above.slope.constant() * newton / (density * 2.0);
            let bends = N::of(MOST_BEND).lt(bend.abs());
            let halley = at + newton / (N::select(bends, N::zero(), bend) + 1.0);
            let smooth = steep & above.low.le(halley) & halley.lt(above.high);
            let near = smooth & excess.abs().le(N::of(NEAR)) & bend.abs().le(N::of(STRAIGHT));
            next_edge = N::select(enough, next_edge, above.high.constant());
            edge_before = N::select(enough, above.low.constant(), edge_before);
            let last_digit = (high.abs() * LAST_DIGIT).max(least_digit);
            let closed = (high - low).le(last_digit);
            let mut inside = steep & low.lt(halley) & halley.lt(high);
            if step % PATIENCE == 0 {
                inside = inside & excess.abs().le(largest);
                largest = excess.abs() * 0.5;
            }
            // Where one edge is left between the ends, the chance may jump there: on it, and then just below.
            let edge = N::select(next_edge.eq(high), high - last_digit * 0.5, next_edge);
            let alone = next_edge.eq(edge_before) & low.lt(edge) & edge.lt(high);
            let otherwise = N::select(alone, edge, (low + high) * 0.5);
            let next = N::select(inside, halley, otherwise);
            below = N::select(done, below, N::select(near, halley, low));
            found = N::select(done, found, N::select(near, halley, high));
            done = done | near | closed;
            if N::all(done) || step == MOST_STEPS {
                break;
            }
            at = N::select(done, at, next);
        }
        if !N::CARRIES {
            return found;
        }
        let above = self.above(&mut view, overrun, found);
        let carried = self.carried(law, &above, below, found);
        found + (carried - carried.constant())
    }

    /// P(NPV > level), and for each of the shares the smallest y with P(NPV <= y) >= share. The mean and the standard
    /// deviation tell where to look.
    #[inline(always)]
    pub fn probability_and_quantiles(
        &mut self,
        law: &LaunchLaw<N>,
        level: N,
        shares: Option<&[f64; SHARES]>,
        [mean, sd]: [N; 2],
    ) -> (N, [N; SHARES]) {
        let overrun = Overrun::new(law);
        let probability = self.above(&mut View::new(), &overrun, level).chance;
        let mut found = [level; SHARES];
        if let Some(shares) = shares {
            let [least, greatest] = self.range();
            let range = [least.constant(), greatest.constant()];
            let guesses = self.guesses(mean, sd, shares);
            let mut k = 0;
            while k < SHARES {
                found[k] = self.quantile(law, &overrun, range, guesses[k], shares[k]);
                k += 1;
            }
        }
        (probability, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saving::months;

    const SHARES_BELOW: [f64; SHARES] = [0.05, 0.5, 0.95];
    const LAW: LaunchLaw<f64> = LaunchLaw {
        planned_months: 10.0,
        respin_months: 6.0,
        first_probability: 1.0,
        later_probability: 1.0,
        overrun_shape: 1.0,
        overrun_months: 2.0,
    };

    /// The outcomes of a law whose value hangs on the launch month alone.
    fn outcomes(law: &LaunchLaw<f64>, value: impl Fn(f64) -> f64) -> Outcomes<f64> {
        let overrun = Overrun::new(law);
        let mut tables = [months::<f64>(); 2];
        let mut edges = Edges::new(law, &mut tables);
        let mut outcomes = Outcomes::nothing();
        for branch in law.branches() {
            edges.fill(&overrun, branch);
            let within = |_, beginning: f64, offset: f64| value(beginning + offset);
            outcomes.add(&branch, &edges, value(120.0), |_, beginning| value(beginning), within);
        }
        outcomes
    }

    #[test]
    fn an_exponential_overrun_has_its_quantiles() {
        // 100 - 3 (10 + 2 ln(1/share)): launches later than that have a share below.
        let falling = |x: f64| 100.0 - 3.0 * x;
        let mut falls = outcomes(&LAW, falling);
        let (above, found) = falls.probability_and_quantiles(&LAW, 61.0, Some(&SHARES_BELOW), [64.0, 6.0]);
        // Later than 13 with e^-1.5.
        assert!((above - (1.0 - core_math::exp(-1.5))).abs() < 1e-14); // its tail is cut at 1e-11 of the law, not here
        for (found, share) in found.iter().zip(SHARES_BELOW) {
            let right = falling(10.0 - 2.0 * core_math::log(share));
            assert!((found - right).abs() < 2e-11, "{share}: {found}, not {right}"); // room of 1e-13 over a density of 0.05 / 6
        }
        // Upside down the same launches are the others' share.
        let mut rises = outcomes(&LAW, |x| -falling(x));
        let (below, risen) = rises.probability_and_quantiles(&LAW, -61.0, Some(&SHARES_BELOW), [-64.0, 6.0]);
        assert!((above + below - 1.0).abs() < 1e-14);
        for (found, risen) in found.iter().zip(risen.iter().rev()) {
            assert!((found + risen).abs() < 1e-10, "{found}, {risen}");
        }
    }

    #[test]
    fn a_peak_is_crossed_twice() {
        // Above 1.5 of 2 - |x - 12| lies what launches from 11.5 to 12.5; respins launch later, at 16 and after.
        let law = LaunchLaw { first_probability: 0.5, ..LAW };
        let mut peak = outcomes(&law, |x| 2.0 - (x - 12.0).abs());
        let (above, found) = peak.probability_and_quantiles(&law, 1.5, Some(&SHARES_BELOW), [-3.0, 4.0]);
        let right = 0.5 * (core_math::exp(-0.75) - core_math::exp(-1.25));
        assert!((above - right).abs() < 1e-14, "{above}, not {right}");
        for (found, share) in found.iter().zip(SHARES_BELOW) {
            let (above, _) = peak.probability_and_quantiles(&law, *found, None, [-3.0, 4.0]);
            assert!((above + share - 1.0).abs() < 2e-13, "{share}: {above}"); // the room there is
        }
    }

    #[test]
    fn without_an_overrun_the_outcomes_are_the_quantiles() {
        // Launch at 10 with 0.3, at 16 with 0.35, at 22 with 0.35 · 0.5, …
        let law = LaunchLaw { first_probability: 0.3, later_probability: 0.5, overrun_months: 0.0, ..LAW };
        let mut steps = outcomes(&law, |x| 100.0 - x);
        let (above, found) = steps.probability_and_quantiles(&law, 84.0, Some(&SHARES_BELOW), [82.0, 8.0]);
        assert!((above - 0.3).abs() < 1e-15); // a quantum
        // Below 66, 0.7 / 2⁴ = 0.044 are left; below 90, 0.7.
        for (found, right) in found.iter().zip([66.0_f64, 84.0, 90.0]) {
            assert_eq!(found.to_bits(), right.to_bits(), "{found}, not {right}"); // a launch's own value
        }
    }
}
