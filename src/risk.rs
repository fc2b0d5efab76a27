//! The net present value of a programme as a random quantity: over the cells of the launch law a saving and a cost each.
//!
//! Payments: IP at the decision; staff and tools monthly until launch; masks at the first tape-out, which is never before
//! plan; respin j at tape-out + j Tᵣ; software port, bring-up and qualification at launch; nothing after the horizon. All
//! discounted continuously at `rate` a month.

use crate::finance::{NEAR_ZERO, WithinMonth, flow_series, present_value_of_flow};
use crate::launch::{Branch, Cell, Edges, LaunchLaw, Overrun};
use crate::market::{HORIZON, HORIZON_MONTHS};
use crate::number::Number;
use crate::outcomes::Outcomes;
use crate::saving::{Launches, Months, Saving, months};

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

    /// What most ask for, on its own: loops that do more are short of registers.
    #[inline(always)]
    fn mean_and_spread(&self, spread: bool, mut each: impl FnMut(&Cell<N>)) -> Expected<N> {
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
                    let Cell { month, beginning, mass, offset } = cell;
                    let cost = self.cost(&payments, month, beginning, offset);
                    sums.add(mass, self.saving.at(month, offset), cost);
                    each(&cell);
                }
                sums.add(edges.beyond(), N::zero(), payments.never_usd);
            },
        );
        sums.expected()
    }

    /// Mean saving, mean cost and, where `spread`, the standard deviation of their difference; and, where `delayed`, the mean
    /// cost with every launch a month later. Every launch to `launches`, without which none is delayed, every outcome to
    /// `outcomes`.
    #[inline(always)]
    pub fn expected(
        &self,
        spread: bool,
        delayed: bool,
        mut launches: Option<&mut Launches<N>>,
        mut outcomes: Option<&mut Outcomes<N>>,
    ) -> (Expected<N>, N) {
        if !delayed && outcomes.is_none() {
            let expected = match launches {
                None => self.mean_and_spread(
                    spread,
                    #[inline(always)]
                    |_| {},
                ),
                Some(launches) => self.mean_and_spread(
                    spread,
                    #[inline(always)]
                    |cell| launches.add(cell.month, cell.offset, cell.mass),
                ),
            };
            return (expected, N::zero());
        }
        let mut sums = Sums::new(spread);
        let mut later_cost = N::zero();
        let overrun = Overrun::new(&self.law);
        let mut tables = [months::<N>(); 2];
        let mut edges = Edges::new(&self.law, &mut tables);
        self.each_branch(
            #[inline(always)]
            |branch, payments| {
                edges.fill(&overrun, branch);
                sums.branch(branch.probability);
                let mut cells = edges.cells();
                // Two loops: with both the processor's registers are short.
                if let Some(launches) = &mut launches {
                    while let Some(Cell { month, beginning, mass, offset }) = cells.next() {
                        let within = self.discounts.within.at(offset);
                        let cost = payments.launched(beginning + offset, self.discounts.month(month) * within);
                        sums.add(mass, self.saving.at(month, offset), cost);
                        launches.add(month, offset, mass);
                        let next = month + 1;
                        let cost = if next == HORIZON {
                            payments.never_usd
                        } else {
                            payments.launched(beginning + 1.0 + offset, self.discounts.month(next) * within)
                        };
                        later_cost = later_cost + mass * cost;
                    }
                } else {
                    while let Some(Cell { month, beginning, mass, offset }) = cells.next() {
                        let cost = self.cost(&payments, month, beginning, offset);
                        sums.add(mass, self.saving.at(month, offset), cost);
                    }
                }
                sums.add(edges.beyond(), N::zero(), payments.never_usd);
                later_cost = later_cost + edges.beyond() * payments.never_usd;
                if let Some(outcomes) = &mut outcomes {
                    outcomes.add(
                        &branch,
                        &edges,
                        -payments.never_usd,
                        #[inline(always)]
                        |month, beginning| {
                            let cost = payments.launched(beginning, self.discounts.month(month));
                            self.saving.at_beginning(month) - cost
                        },
                        #[inline(always)]
                        |month, beginning, offset| {
                            self.saving.at(month, offset) - self.cost(&payments, month, beginning, offset)
                        },
                    );
                }
            },
        );
        (sums.expected(), later_cost)
    }
}
