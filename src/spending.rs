//! When a programme's payments fall due: the expected cost of `risk.rs`, month by month.
//!
//! Every cell of the launch law has its payments as there, discounted to their dates: IP at the decision, staff and tools
//! until launch, masks at the first tape-out, respin j at tape-out + j Tᵣ, the rest at launch. Masks and respins lie a fixed
//! time before launch: of n respins the j-th as long before as the plan's tape-out lies before its launch, and n - j respins.
//! A cell's launches are spread evenly about their mean, on both sides as far as the cell reaches, and so are those payments:
//! part of them fall in one month and the rest in the next. The sum over the months does not hang on the spread.

use crate::finance::present_value_of_flow;
use crate::launch::{Branch, Edges, MOST_RESPINS};
use crate::market::{HORIZON, HORIZON_MONTHS};
use crate::number::Number;
use crate::risk::{Discounts, Payments};
use crate::saving::{Launches, Months, months};

/// Payments gathered by month, branch by branch.
pub struct Spending<'a, N: Number> {
    payments: Payments<N>,
    discounts: &'a Discounts<'a, N>,
    /// From the planned tape-out to the planned launch, and what a payment that long before launch is discounted less.
    lead_months: N,
    lead: N,
    over_a_respin: N,
    /// Masks and respins, and the burn of the months of launch per dollar a month.
    spent_usd: Months<N>,
    last_burn: Months<N>,
    at_launch: Months<N>,
    /// Chance of no launch before the horizon; and by respins, where there would be none even without an overrun.
    never: N,
    too_late: [N::Slot; MOST_RESPINS + 1],
    most_respins: usize,
    /// Launches of one branch: their discounted mass, from where on they lie in their month, and 1 / the width they lie in.
    discounted: Months<N>,
    from: Months<N>,
    per_width: Months<N>,
}

impl<'a, N: Number> Spending<'a, N> {
    #[inline(always)]
    pub fn new(payments: &Payments<N>, discounts: &'a Discounts<'a, N>, planned_months: N) -> Self {
        let lead_months = planned_months - payments.tapeout_months;
        // One that does not fit before the horizon is not read, and might overflow.
        let read = N::select(lead_months.lt(N::of(HORIZON_MONTHS)), lead_months, N::zero());
        Spending {
            payments: *payments,
            discounts,
            lead_months,
            lead: (payments.rate * read).exp(),
            over_a_respin: (payments.rate * payments.respin_months).exp(),
            spent_usd: months::<N>(),
            last_burn: months::<N>(),
            at_launch: months::<N>(),
            never: N::zero(),
            too_late: [N::zero().save(); MOST_RESPINS + 1],
            most_respins: 0,
            discounted: months::<N>(),
            from: months::<N>(),
            per_width: months::<N>(),
        }
    }

    /// Adds a branch of the launch law, whose edges are made.
    #[inline(always)]
    pub fn add(&mut self, branch: &Branch<N>, edges: &Edges<N>) {
        let begins = branch.months.lt(N::of(HORIZON_MONTHS));
        let beyond = edges.beyond();
        self.never = self.never + beyond;
        self.too_late[branch.respins] = N::select(begins, N::zero(), beyond).save();
        self.most_respins = branch.respins;

        let mut cells = edges.cells();
        while let Some(cell) = cells.next() {
            let month = cell.month;
            let discounted = cell.mass * self.discounts.at(month, cell.offset);
            let burn = cell.mass * present_value_of_flow(self.payments.rate, cell.offset);
            self.at_launch[month] = (N::restore(self.at_launch[month]) + discounted).save();
            self.last_burn[month] = (N::restore(self.last_burn[month]) + burn).save();
            let starts = (branch.months - cell.beginning).positive_part().min(N::one());
            let reach = (cell.offset - starts).min(-cell.offset + 1.0).positive_part();
            let wide = N::zero().lt(reach);
            let per_width = N::select(wide, N::of(0.5) / N::select(wide, reach, N::one()), N::zero());
            self.discounted[month] = discounted.save();
            self.from[month] = (cell.offset - reach).save();
            self.per_width[month] = per_width.save();
        }
        // Where the overrun ends beyond the horizon, all is as if the launch were at the horizon, but for what is due there.
        let taped_out = self.payments.tapeout_months.lt(branch.months);
        let cut = N::select(begins & taped_out, beyond * self.discounts.month(HORIZON), N::zero());
        let mut end = edges.end;
        if !N::shortcut(cut.eq(N::zero())) {
            let mut month = end;
            while month <= HORIZON {
                self.discounted[month] = N::zero().save();
                self.from[month] = N::zero().save();
                self.per_width[month] = N::zero().save();
                month += 1;
            }
            self.discounted[HORIZON] = cut.save();
            end = HORIZON + 1;
        }

        // The masks and each respin, by how many respins follow it.
        let mut lead_months = self.lead_months;
        let mut lead = self.lead;
        let mut following = 0;
        while following <= branch.respins {
            let full_usd = if following == branch.respins { self.payments.mask_usd } else { self.payments.respin_usd };
            self.pay(full_usd * self.payments.scale * lead, lead_months, edges.first, end);
            lead_months = lead_months + self.payments.respin_months;
            // Beyond the horizon the lead is not read; left to grow it would overflow.
            lead = N::select(lead_months.lt(N::of(HORIZON_MONTHS)), lead * self.over_a_respin, lead);
            following += 1;
        }
    }

    /// One payment of the branch, `lead_months` before launch. Rounding puts none before the decision, and what is due at the
    /// horizon counts to the last month.
    #[inline(always)]
    fn pay(&mut self, usd: N, lead_months: N, first: usize, end: usize) {
        let whole = lead_months.floor().positions();
        let rest = lead_months - lead_months.floor();
        let mut month = first;
        while month < end {
            let due = N::restore(self.discounted[month]) * usd;
            let (from, per_width) = (N::restore(self.from[month]), N::restore(self.per_width[month]));
            // The share of launches less than `rest` into the month: their payment lies a month earlier.
            let spread = ((rest - from) * per_width).positive_part().min(N::one());
            let at_once = N::select(from.lt(rest), N::one(), N::zero());
            let early = due * N::select(per_width.eq(N::zero()), at_once, spread);
            early.put(
                &mut self.spent_usd[..HORIZON],
                &whole,
                #[inline(always)]
                |whole| month.saturating_sub(whole + 1),
            );
            (due - early).put(
                &mut self.spent_usd[..HORIZON],
                &whole,
                #[inline(always)]
                |whole| month.saturating_sub(whole),
            );
            month += 1;
        }
    }

    /// Masks and respins of launches too late from the start, each on its planned date.
    #[inline(always)]
    fn pay_too_late(&mut self) {
        let room = -self.payments.tapeout_months + HORIZON_MONTHS;
        let mut probability = N::zero();
        let mut count = self.most_respins + 1;
        while count > 0 {
            count -= 1;
            probability = probability + N::restore(self.too_late[count]);
            let after_tapeout = self.payments.respin_months * (count as f64);
            let paid = after_tapeout.le(room) & N::zero().lt(room);
            let months = self.payments.tapeout_months + after_tapeout;
            let full_usd = if count == 0 { self.payments.mask_usd } else { self.payments.respin_usd };
            let discount = (-(self.payments.rate * N::select(paid, months, N::zero()))).exp();
            let due = N::select(paid, full_usd * self.payments.scale * discount * probability, N::zero());
            due.put(
                &mut self.spent_usd[..HORIZON],
                &months.floor().positions(),
                #[inline(always)]
                |month| month,
            );
        }
    }

    /// What is spent in every month. `launches`: those of all branches added.
    #[inline(always)]
    pub fn by_month(mut self, launches: &Launches<N>) -> Months<N> {
        let payments = self.payments;
        if !N::shortcut(self.never.eq(N::zero())) {
            self.pay_too_late();
        }
        let mut running = self.never;
        let mut month = 0;
        while month < HORIZON {
            running = running + launches.mass(month);
            month += 1;
        }
        let a_month = present_value_of_flow(payments.rate, N::one());
        let mut at_decision = payments.fixed_usd * payments.scale * running;
        let mut month = 0;
        while month < HORIZON {
            running = running - launches.mass(month);
            let burn =
                (running.positive_part() * a_month + N::restore(self.last_burn[month])) * self.discounts.month(month);
            let due = payments.burn_usd_per_month * burn + payments.launch_usd * N::restore(self.at_launch[month]);
            let spent = N::restore(self.spent_usd[month]) + due * payments.scale + at_decision;
            // A month in which next to nothing is paid may be a rounding below 0.
            self.spent_usd[month] = spent.positive_part().save();
            at_decision = N::zero();
            month += 1;
        }
        self.spent_usd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::{LaunchLaw, Overrun};

    /// What is spent by a programme with masks of 1 USD alone, taped out at 4.6 and launched from 10 on.
    fn masks(law: LaunchLaw<f64>) -> Months<f64> {
        let payments = Payments {
            scale: 1.0,
            fixed_usd: 0.0,
            mask_usd: 1.0,
            respin_usd: 0.0,
            burn_usd_per_month: 0.0,
            launch_usd: 0.0,
            tapeout_months: 4.6,
            respin_months: law.respin_months,
            rate: 0.0,
        };
        let mut beginnings = months::<f64>();
        let discounts = Discounts::new(&mut beginnings, 0.0);
        let mut spending = Spending::new(&payments, &discounts, law.planned_months);
        let mut launches = Launches::new(0.0, 12.0);
        let overrun = Overrun::new(&law);
        let mut tables = [months::<f64>(); 2];
        let mut edges = Edges::new(&law, &mut tables);
        for branch in law.branches() {
            edges.fill(&overrun, branch);
            for cell in edges.cells() {
                launches.add(cell.month, cell.offset, cell.mass);
            }
            spending.add(&branch, &edges);
        }
        spending.by_month(&launches)
    }

    const LAW: LaunchLaw<f64> = LaunchLaw {
        planned_months: 10.0,
        respin_months: 6.3,
        first_probability: 1.0,
        later_probability: 1.0,
        overrun_shape: 1.0,
        overrun_months: 1.0,
    };

    #[test]
    fn a_month_of_launches_pays_in_two_months() {
        // Launches in month 10: 1 - e^-1 = 0.632121, on average at 0.418023, so from 0 to 0.836047. Of these 0.4 / 0.836047 =
        // 0.478442 are before 10.4, with masks before 5: 0.302433. The others pay in month 5, and so does 0.478442 of month
        // 11's 0.232544: 0.440946. The law itself has 1 - e^-0.4 = 0.3297 and e^-0.4 - e^-1.4 = 0.4237.
        let spent = masks(LAW);
        let near = |got: f64, wanted: f64| assert!((got - wanted).abs() < 1e-6, "{got}, not {wanted}"); // digits written
        assert_eq!(spent[3].to_bits(), 0);
        near(spent[4], 0.302_433);
        near(spent[5], 0.440_946);
        near(spent.iter().sum(), 1.0);
    }

    #[test]
    fn whatever_the_respins_masks_are_due_at_the_tapeout() {
        // They lengthen the way to the launch, not to the tape-out: a sure date stays in its month.
        let sure = LaunchLaw { overrun_months: 0.0, first_probability: 0.3, later_probability: 0.5, ..LAW };
        let spent = masks(sure);
        assert!((spent[4] - 1.0).abs() < 1e-10); // the chance of sixty branches
        assert!(spent.iter().enumerate().all(|(k, usd)| k == 4 || *usd == 0.0));
    }
}
