//! The net present value of a programme as a random quantity: over the cells of the launch law a saving and a cost each.
//!
//! Payments: IP at the decision; staff and tools monthly until launch; masks at the first tape-out, which is never before
//! plan; respin j at tape-out + j Tᵣ; software port, bring-up and qualification at launch; nothing after the horizon. All
//! discounted continuously at `rate` a month.

use crate::finance::{WithinMonth, flow_series, present_value_of_flow};
use crate::launch::{Branch, Cell, Edges, LaunchLaw, Overrun};
use crate::market::{HORIZON, HORIZON_MONTHS};
use crate::number::Number;
use crate::saving::{Months, Saving, months};

/// Payments of the programme and their dates.
#[derive(Clone, Copy)]
pub struct Payments<N> {
    pub scale: N,
    pub fixed_usd: N,
    pub mask_usd: N,
    pub respin_usd: N,
    pub burn_usd_per_month: N,
    pub launch_usd: N,
    pub tapeout_months: N,
    pub respin_months: N,
    /// Continuous discount rate a month.
    pub rate: N,
}

/// What the payments of all branches share.
#[derive(Clone, Copy)]
pub struct Discounting<N> {
    /// 1 / rate; 0 at no rate.
    per_rate: N,
    /// Whether rate × months is far enough from 0 on all rows for 1 - e^-y to keep its digits.
    far_from_zero: bool,
    /// e^(rate (launch - tape-out)) without respins, and for each respin more.
    lead: N,
    over_a_respin: N,
    /// Discount factors of the horizon and of the planned tape-out.
    horizon: N,
    tapeout: N,
    /// Present value of 1 a month until the horizon.
    whole_burn: N,
}

/// |rate × months| below which 1 - e^-y is taken from its series.
const NEAR_ZERO: f64 = 1e-3;

impl<N: Number> Discounting<N> {
    #[inline(always)]
    pub fn new(payments: &Payments<N>, planned_months: N) -> Self {
        let rate = payments.rate;
        let no_rate = rate.eq(N::zero());
        Discounting {
            per_rate: N::select(no_rate, N::zero(), N::one() / N::select(no_rate, N::one(), rate)),
            far_from_zero: N::shortcut(N::of(NEAR_ZERO).le((rate * planned_months).abs())),
            lead: (rate * (planned_months - payments.tapeout_months)).exp(),
            over_a_respin: (rate * payments.respin_months).exp(),
            horizon: (-(rate * HORIZON_MONTHS)).exp(),
            tapeout: (-(rate * payments.tapeout_months)).exp(),
            whole_burn: present_value_of_flow(rate, N::of(HORIZON_MONTHS)),
        }
    }
}

/// The payments of one branch of the launch law, as functions of the launch month.
#[derive(Clone, Copy)]
struct BranchPayments<N> {
    rate: N,
    far_from_zero: bool,
    burn_usd_per_month: N,
    /// Paid at the decision, and what is paid in proportion to the discount factor of the launch month: masks and respins
    /// lie as far before it as in the plan.
    fixed_usd: N,
    at_launch_usd: N,
    /// The same with the burn, whose present value is (1 - discount) / rate.
    constant_usd: N,
    in_discount_usd: N,
    /// Cost where the launch is after the horizon, whether the overrun or the respins are to blame.
    never_usd: N,
}

impl<N: Number> BranchPayments<N> {
    #[inline(always)]
    fn new(all: &Payments<N>, shared: &Discounting<N>, branch: &Branch<N>, lead: N, respins_discounted: N) -> Self {
        let tapeout_usd = (all.mask_usd + all.respin_usd * respins_discounted) * all.scale;
        let fixed_usd = all.fixed_usd * all.scale;
        let burn_usd_per_month = all.burn_usd_per_month * all.scale;
        let at_launch_usd = tapeout_usd * lead + all.launch_usd * all.scale;
        let burn_at_rate_usd = burn_usd_per_month * shared.per_rate;
        let begins = branch.months.lt(N::of(HORIZON_MONTHS));
        let taped_out = all.tapeout_months.lt(N::select(begins, branch.months, N::of(HORIZON_MONTHS)));
        let discount = N::select(begins, shared.horizon * lead, shared.tapeout);
        BranchPayments {
            rate: all.rate,
            far_from_zero: shared.far_from_zero,
            burn_usd_per_month,
            fixed_usd,
            at_launch_usd,
            constant_usd: fixed_usd + burn_at_rate_usd,
            in_discount_usd: at_launch_usd - burn_at_rate_usd,
            never_usd: fixed_usd
                + burn_usd_per_month * shared.whole_burn
                + N::select(taped_out, tapeout_usd * discount, N::zero()),
        }
    }
    /// Launch at `months`, before the horizon; `discount` is e^(-rate months).
    #[inline(always)]
    fn launched(&self, months: N, discount: N) -> N {
        let cost = self.constant_usd + self.in_discount_usd * discount;
        if self.far_from_zero {
            return cost;
        }
        let y = self.rate * months;
        let near = self.fixed_usd + self.burn_usd_per_month * (flow_series(y) * months) + self.at_launch_usd * discount;
        N::select(y.abs().lt(N::of(NEAR_ZERO)), near, cost)
    }
}

/// Net present value as a random quantity: a saving and a cost for every launch.
pub struct Programme<'a, N: Number> {
    pub law: LaunchLaw<N>,
    pub saving: &'a Saving<'a, N>,
    pub payments: Payments<N>,
    pub discounting: Discounting<N>,
    pub discounts: Discounts<'a, N>,
}

/// Weighted sums over the cells.
#[derive(Clone, Copy)]
pub struct Expected<N> {
    pub saving: N,
    pub cost: N,
    pub sd: N,
}

/// Sums over outcomes. Squares are of deviations from the first possible outcome of the row, so that a single one has none.
struct Sums<N: Number> {
    mass: N,
    saving: N,
    cost: N,
    origin: N,
    square: N,
    /// The rows that have their first outcome, and whether any has none yet.
    begun: N::Mask,
    seeking: bool,
    /// Whether the standard deviation is wanted.
    spread: bool,
}

impl<N: Number> Expected<N> {
    #[inline(always)]
    pub fn nothing() -> Self {
        Expected { saving: N::zero(), cost: N::zero(), sd: N::zero() }
    }
}

impl<N: Number> Sums<N> {
    #[inline(always)]
    fn new(spread: bool) -> Self {
        let zero = N::zero();
        let begun = zero.lt(zero);
        Sums { mass: zero, saving: zero, cost: zero, origin: zero, square: zero, begun, seeking: true, spread }
    }
    /// The outcomes of a branch follow, which have this chance together.
    #[inline(always)]
    fn branch(&mut self, probability: N) {
        self.mass = self.mass + probability;
        self.seeking = !N::shortcut(self.begun);
    }
    #[inline(always)]
    fn add(&mut self, mass: N, saving: N, cost: N) {
        self.saving = self.saving + mass * saving;
        self.cost = self.cost + mass * cost;
        if !self.spread {
            return;
        }
        let value = saving - cost;
        if self.seeking {
            self.origin = N::select(self.begun, self.origin, value);
            self.begun = self.begun | N::zero().lt(mass);
        }
        let deviation = value - self.origin;
        self.square = self.square + mass * deviation * deviation;
    }
    #[inline(always)]
    fn expected(self) -> Expected<N> {
        let mass = N::select(N::zero().lt(self.mass), self.mass, N::one());
        let deviation = (self.saving - self.cost) - self.mass * self.origin;
        let variance = self.square - deviation * deviation / mass;
        Expected { saving: self.saving, cost: self.cost, sd: variance.positive_part().sqrt() }
    }
}

/// Discount factors of the months' beginnings, and of what follows within a month.
pub struct Discounts<'a, N: Number> {
    beginning: &'a Months<N>,
    within: WithinMonth<N>,
}

impl<'a, N: Number> Discounts<'a, N> {
    #[inline(always)]
    pub fn new(beginning: &'a mut Months<N>, rate: N) -> Self {
        let over_a_month = (-rate).exp();
        let mut factor = N::one();
        let mut k = 0;
        while k <= HORIZON {
            beginning[k] = factor.save();
            factor = factor * over_a_month;
            k += 1;
        }
        Discounts { beginning, within: WithinMonth::new(rate) }
    }
    /// At the beginning of `month`.
    #[inline(always)]
    pub fn month(&self, month: usize) -> N {
        N::restore(self.beginning[month])
    }
    /// At `offset` (0 to 1) of `month`.
    #[inline(always)]
    pub fn at(&self, month: usize, offset: N) -> N {
        N::restore(self.beginning[month]) * self.within.at(offset)
    }
}

impl<N: Number> Programme<'_, N> {
    /// Visits every branch with its payments: Σⱼ e^(-rate j Tᵣ) over the respins that fall before the horizon.
    #[inline(always)]
    fn each_branch(&self, mut visit: impl FnMut(Branch<N>, BranchPayments<N>)) {
        let payments = &self.payments;
        let shared = &self.discounting;
        let mut lead = shared.lead;
        let over_a_respin = N::one() / shared.over_a_respin;
        let mut power = N::one();
        let mut respins_discounted = N::zero();
        let room = -payments.tapeout_months + HORIZON_MONTHS;
        let mut branches = self.law.branches();
        while let Some(branch) = branches.next() {
            if branch.respins > 0 {
                // Beyond the horizon the lead is not read; left to grow it would overflow.
                let begins = branch.months.lt(N::of(HORIZON_MONTHS));
                lead = N::select(begins, lead * shared.over_a_respin, lead);
                power = power * over_a_respin;
                #[expect(clippy::cast_precision_loss, reason = "at most 59")]
                let after_tapeout = payments.respin_months * (branch.respins as f64);
                respins_discounted = respins_discounted + N::select(after_tapeout.le(room), power, N::zero());
            }
            visit(branch, BranchPayments::new(payments, shared, &branch, lead, respins_discounted));
        }
    }

    /// Cost of a launch at `offset` of `month`, which begins at `beginning`.
    #[inline(always)]
    fn cost(&self, branch: &BranchPayments<N>, month: usize, beginning: N, offset: N) -> N {
        branch.launched(beginning + offset, self.discounts.at(month, offset))
    }

    /// Saving and cost of one cell with everything `delay` whole months later.
    #[inline(always)]
    fn outcome(&self, cell: &Cell<N>, branch: &BranchPayments<N>, delay: usize) -> (N, N) {
        let month = cell.month + delay;
        if month >= HORIZON {
            return (N::zero(), branch.never_usd);
        }
        #[expect(clippy::cast_precision_loss, reason = "0 or 1")]
        let beginning = cell.beginning + delay as f64;
        (self.saving.at(month, cell.offset), self.cost(branch, month, beginning, cell.offset))
    }

    /// Mean saving, mean cost and standard deviation of their difference, with every launch `delay` months later.
    #[inline(always)]
    pub fn expected(&self, delay: usize, spread: bool, mut each_launch: impl FnMut(&Cell<N>)) -> Expected<N> {
        let mut sums = Sums::new(spread);
        let overrun = Overrun::new(&self.law);
        let mut tables = [months::<N>(); 2];
        let mut edges = Edges::new(&self.law, &mut tables);
        self.each_branch(
            #[inline(always)]
            |branch, payments| {
                edges.fill(&overrun, branch);
                sums.branch(branch.probability);
                let mut cells = edges.cells();
                while let Some(cell) = cells.next() {
                    let (s, c) = self.outcome(&cell, &payments, delay);
                    each_launch(&cell);
                    sums.add(cell.mass, s, c);
                }
                sums.add(edges.beyond(), N::zero(), payments.never_usd);
            },
        );
        sums.expected()
    }

    /// Every cell with the values at its two ends, and every branch's launches beyond the horizon as a cell without width.
    #[inline(always)]
    fn outcomes(&self) -> Vec<Outcome<N>> {
        let overrun = Overrun::new(&self.law);
        let mut tables = [months::<N>(); 2];
        let mut edges = Edges::new(&self.law, &mut tables);
        let mut outcomes = Vec::with_capacity(8 * HORIZON);
        self.each_branch(
            #[inline(always)]
            |branch, payments| {
                let never = -payments.never_usd;
                edges.fill(&overrun, branch);
                let mut at_beginning = never;
                // Whether the branch began on all rows before this month.
                let mut running = false;
                let mut cells = edges.cells();
                while let Some(Cell { month, beginning, mass, .. }) = cells.next() {
                    let since_start = beginning - branch.months;
                    let (start, before) = if running {
                        (N::zero(), at_beginning)
                    } else {
                        let start = (-since_start).positive_part().min(N::one());
                        let began = N::zero().lt(since_start);
                        running = N::all(N::zero().le(since_start));
                        (start, N::select(began, at_beginning, self.value(&payments, month, beginning, start)))
                    };
                    at_beginning =
                        if month + 1 == HORIZON { never } else { self.value(&payments, month, beginning, N::one()) };
                    outcomes.push(Outcome {
                        mass: whole_quanta(mass).save(),
                        before: before.save(),
                        after: at_beginning.save(),
                        from: (since_start + start).save(),
                        to: (since_start + 1.0).save(),
                        survival_before: edges.survival(month).save(),
                        survival_after: edges.survival(month + 1).save(),
                    });
                }
                let (zero, never) = (N::zero().save(), never.save());
                outcomes.push(Outcome {
                    mass: whole_quanta(edges.beyond()).save(),
                    before: never,
                    after: never,
                    from: zero,
                    to: zero,
                    survival_before: zero,
                    survival_after: zero,
                });
            },
        );
        outcomes
    }

    #[inline(always)]
    fn value(&self, payments: &BranchPayments<N>, month: usize, beginning: N, offset: N) -> N {
        self.saving.at(month, offset) - self.cost(payments, month, beginning, offset)
    }

    /// The chance that the NPV of an outcome is above `level`: within a cell NPV is taken as linear and the launch law as it is.
    #[inline(always)]
    fn chance_above(&self, outcome: &Outcome<N>, level: N) -> N {
        let (before, after) = (N::restore(outcome.before), N::restore(outcome.after));
        let starts_above = N::select(level.lt(before), N::one(), N::zero());
        let ends_above = N::select(level.lt(after), N::one(), N::zero());
        let mass = N::restore(outcome.mass);
        let whole = mass * starts_above;
        if N::shortcut(starts_above.eq(ends_above)) {
            return whole;
        }
        let (from, to) = (N::restore(outcome.from), N::restore(outcome.to));
        let rise = after - before;
        let flat = rise.eq(N::zero());
        let way = (level - before) / N::select(flat, N::one(), rise);
        let overrun = from + (to - from) * way;
        let survival = N::restore(outcome.survival_before);
        let width = survival - N::restore(outcome.survival_after);
        let some = N::zero().lt(width);
        let gone = (survival - self.law.overrun_survival(overrun)) / N::select(some, width, N::one());
        let gone = gone.positive_part().min(N::one());
        let part = whole_quanta(mass * N::select(N::zero().lt(starts_above), gone, -gone + 1.0));
        // Without an overrun all mass of a branch is at its start.
        let certain = self.law.overrun_shape.eq(N::zero()) | self.law.overrun_months.le(N::zero());
        N::select(starts_above.eq(ends_above) | certain, whole, part)
    }

    /// P(NPV > level).
    #[inline(always)]
    fn probability_above(&self, outcomes: &[Outcome<N>], level: N) -> N {
        let mut probability = N::zero();
        let mut k = 0;
        while k < outcomes.len() {
            probability = probability + self.chance_above(&outcomes[k], level);
            k += 1;
        }
        probability
    }

    /// The least and the greatest outcome that has a chance.
    #[inline(always)]
    fn range(outcomes: &[Outcome<N>]) -> (N, N) {
        let (mut low, mut high) = (N::of(f64::INFINITY), N::of(f64::NEG_INFINITY));
        let mut k = 0;
        while k < outcomes.len() {
            let outcome = &outcomes[k];
            let (before, after) = (N::restore(outcome.before), N::restore(outcome.after));
            let possible = N::zero().lt(N::restore(outcome.mass));
            low = N::select(possible, low.min(before).min(after), low);
            high = N::select(possible, high.max(before).max(after), high);
            k += 1;
        }
        (low, high)
    }

    /// A number with the derivative of a quantile between `below` and `level`. Outcomes there that have a chance of their own
    /// carry it with them; else it moves as P(NPV > level), `above`, does over the density.
    #[inline(always)]
    fn carried(&self, outcomes: &[Outcome<N>], above: N, below: N, level: N) -> N {
        let (mut density, mut mass, mut value) = (N::zero(), N::zero(), N::zero());
        let certain = self.law.overrun_shape.eq(N::zero()) | self.law.overrun_months.le(N::zero());
        let mut k = 0;
        while k < outcomes.len() {
            let outcome = &outcomes[k];
            let (before, after) = (N::restore(outcome.before), N::restore(outcome.after));
            let starts = below.le(before) & before.le(level);
            let ends = below.le(after) & after.le(level);
            let here = N::select(starts & (ends | certain), N::restore(outcome.mass), N::zero());
            mass = mass + here;
            value = value + here * before;

            let (least, greatest) = (before.min(after), before.max(after));
            if !N::shortcut(level.lt(least) | greatest.le(level)) {
                let crossed = least.le(level) & level.lt(greatest);
                let (from, to) = (N::restore(outcome.from), N::restore(outcome.to));
                let rise = N::select(crossed, after - before, N::one());
                let overrun = from + (to - from) * ((level - before) / rise);
                let width = N::restore(outcome.survival_before) - N::restore(outcome.survival_after);
                let some = crossed & N::zero().lt(width);
                let per_month = N::restore(outcome.mass) / N::select(some, width, N::one());
                let dense = per_month * self.law.overrun_density(overrun) * (to - from) / rise.abs();
                density = density + N::select(some, dense, N::zero());
            }
            k += 1;
        }
        let smooth = N::of(f64::MIN_POSITIVE).lt(density);
        let moved = above / N::select(smooth, density.constant(), N::one());
        let stands = N::zero().lt(mass);
        N::select(stands, value / N::select(stands, mass, N::one()), N::select(smooth, moved, N::zero()))
    }

    /// The smallest y with P(NPV <= y) >= share, and its derivative, see `carried`.
    ///
    /// The bracket shrinks by regula falsi, drawn towards the middle and never further from it than bisection would allow
    /// (ITP: Oliveira and Takahashi, ACM Transactions on Mathematical Software 47 (2020) 5): about ten steps where the law is
    /// smooth, two more than bisection where it jumps. Outcomes that all rows' brackets have left behind are not looked at again.
    #[inline(always)]
    fn quantile(&self, outcomes: &[Outcome<N>], [least, greatest]: [N; 2], share: f64) -> N {
        /// The range shrinks to its last digit.
        const HALVINGS: u32 = 50;
        const LAST_DIGIT: f64 = 1.0 / (1_u64 << HALVINGS) as f64;
        /// The last one is for rounding; a bracket without a number inside shrinks no further.
        const MOST_STEPS: u32 = HALVINGS + 2;
        /// Room for the rounding of a sum of masses that should reach the share exactly.
        const SLACK: f64 = 1e-13;
        /// How strongly a step is drawn towards the middle, relative to the first bracket.
        const DRAW: f64 = 0.2;
        let excess = -(1.0 - share + SLACK);
        let range = greatest - least;
        let some = N::zero().lt(range);
        let draw = N::of(DRAW) / N::select(some, range, N::one());
        let narrow = range * LAST_DIGIT;
        let (mut low, mut high) = (least, greatest);
        let (mut at_low, mut at_high) = (N::of(1.0 + excess), N::of(excess));
        let mut active: Vec<usize> = (0..outcomes.len()).collect();
        let mut settled = N::zero();
        let mut room = range;
        let mut step = 0;
        while step < MOST_STEPS && !N::all((high - low).le(narrow)) {
            step += 1;
            let width = high - low;
            let done = width.le(narrow);
            let middle = (low + high) * 0.5;
            // Regula falsi, then towards the middle, then no further from it than leaves bisection's number of steps.
            let falls = at_low - at_high;
            let guess = low + width * (at_low / N::select(N::zero().lt(falls), falls, N::one()));
            let away = middle - guess;
            let pull = (draw * width * width).min(away.abs());
            let guess = guess + N::select(away.lt(N::zero()), -pull, pull);
            let reach = (room - width * 0.5).positive_part();
            let guess = guess.max(middle - reach).min(middle + reach);
            room = room * 0.5;

            let at = N::select(low.lt(guess) & guess.lt(high), guess, middle);
            let mut above = settled;
            let mut kept = 0;
            let mut k = 0;
            while k < active.len() {
                above = above + self.chance_above(&outcomes[active[k]], at).constant();
                k += 1;
            }
            let value = above + excess;
            let enough = value.le(N::zero());
            let (to_low, to_high) = (N::select(enough, low, at), N::select(enough, at, high));
            let (to_at_low, to_at_high) = (N::select(enough, at_low, value), N::select(enough, value, at_high));
            low = N::select(done, low, to_low);
            high = N::select(done, high, to_high);
            at_low = N::select(done, at_low, to_at_low);
            at_high = N::select(done, at_high, to_at_high);

            k = 0;
            while k < active.len() {
                let outcome = &outcomes[active[k]];
                let (before, after) = (N::restore(outcome.before), N::restore(outcome.after));
                let over = high.lt(before.min(after));
                let left = over | before.max(after).le(low);
                if N::shortcut(left) {
                    settled = settled + N::select(over, N::restore(outcome.mass).constant(), N::zero());
                } else {
                    active[kept] = active[k];
                    kept += 1;
                }
                k += 1;
            }
            active.truncate(kept);
        }
        let above = self.probability_above(outcomes, high);
        let carried = self.carried(outcomes, above, low, high);
        high + (carried - carried.constant())
    }

    /// P(NPV > level), and for each of up to three shares the smallest y with P(NPV <= y) >= share.
    #[inline(always)]
    pub fn probability_and_quantiles(&self, level: N, shares: &[f64]) -> (N, [N; 3]) {
        let outcomes = self.outcomes();
        let probability = self.probability_above(&outcomes, level);
        let mut found = [level; 3];
        if !shares.is_empty() {
            let (least, greatest) = Self::range(&outcomes);
            let range = [least.constant(), greatest.constant()];
            let mut k = 0;
            while k < shares.len() {
                found[k] = self.quantile(&outcomes, range, shares[k]);
                k += 1;
            }
        }
        (probability, found)
    }
}

/// A chance rounded to a multiple of 2⁻⁵²: sums of such are exact, so that their order does not matter.
#[inline(always)]
fn whole_quanta<N: Number>(chance: N) -> N {
    (chance + 1.0) - 1.0
}

/// Launches of one branch in one month, and the net present value at the two ends.
struct Outcome<N: Number> {
    mass: N::Slot,
    before: N::Slot,
    after: N::Slot,
    /// Months of overrun at the two ends, and the chance of more.
    from: N::Slot,
    to: N::Slot,
    survival_before: N::Slot,
    survival_after: N::Slot,
}
