//! When a chip launches: T = T₀ + N Tᵣ + G.
//!
//! T₀ are the planned months; N the respins, P(0) = p₁ and P(n) = (1-p₁) p₂ (1-p₂)^(n-1); G an overrun before tape-out with
//! the Erlang law of shape s and scale θ, F(x) = 1 - e^(-x/θ) Σ_{i<s} (x/θ)^i / i!. Nothing is sampled: the law is cut into
//! cells, one for each number of respins and month, each with its exact mass and mean.

use crate::finance::{MONTHS_PER_YEAR, deferred_annuity, present_value_of_flow};
use crate::market::HORIZON;
use crate::number::Number;
use crate::saving::Months;

/// More respins than this count as this many.
pub const MOST_RESPINS: usize = 59;
/// Probability below which a branch is not followed further: sixty of them are 6e-11 of the whole.
const NEGLIGIBLE: f64 = 1e-12;
/// Probability below which a branch's tail is not: all of it is a cell of the month in which it is left.
const NEGLIGIBLE_TAIL: f64 = 1e-11;
/// Share of its branch that a tail may not exceed, however small the branch.
const LARGEST_TAIL: f64 = 1e-2;
/// Months to which a cell's mean is cut: a tail's lies beyond its month, and rounding decides that of a cell of no mass.
const LATEST_MEAN: f64 = 8.0;
/// Beyond this, e^-z is no longer told from 0.
const FARTHEST: f64 = 700.0;

/// The law of the launch month.
#[derive(Clone, Copy)]
pub struct LaunchLaw<N> {
    pub planned_months: N,
    pub respin_months: N,
    /// Chance that first silicon is good.
    pub first_probability: N,
    /// The same for later silicon.
    pub later_probability: N,
    pub overrun_shape: N,
    pub overrun_months: N,
}

/// The largest shape of an overrun.
pub const LARGEST_SHAPE: usize = 100;
/// 1 / i: a division is dearer than everything else in Erlang's sum.
const INVERSE: [f64; LARGEST_SHAPE + 2] = {
    let mut table = [0.0; LARGEST_SHAPE + 2];
    let mut i = 1;
    while i < table.len() {
        table[i] = 1.0 / i as f64;
        i += 1;
    }
    table
};

/// The shape of the overrun on every row of a pack.
#[derive(Clone, Copy)]
struct Shape<N> {
    rows: N,
    largest: usize,
    /// Whether it is the same on all rows.
    same: bool,
}

impl<N: Number> Shape<N> {
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "0 to 100"
    )]
    fn new(rows: N) -> Self {
        let largest = (rows.highest().max(0.0) as usize).min(LARGEST_SHAPE);
        Shape { rows, largest, same: N::shortcut(rows.eq(N::of(largest as f64))) }
    }
    /// P(G > x) by Erlang's sum, and the next term, e^-z z^s / s!: their sum is the survival of shape s + 1.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "0 to 100")]
    fn survival_and_next(&self, z: N, e_minus_z: N) -> (N, N) {
        let mut term = e_minus_z;
        let mut sum = N::zero();
        let mut i = 0;
        if self.same {
            // The first of the numbers that divide is 1.
            if self.largest > 0 {
                sum = term;
                term = term * z;
                i = 1;
            }
            while i < self.largest {
                sum = sum + term;
                i += 1;
                term = term * (z * INVERSE[i]);
            }
            return (sum, term);
        }
        let mut next = term;
        while i <= self.largest {
            let number = N::of(i as f64);
            sum = sum + N::select(number.lt(self.rows), term, N::zero());
            next = N::select(self.rows.eq(number), term, next);
            i += 1;
            term = term * (z * INVERSE[i]);
        }
        (sum, next)
    }
    /// P(G > x) by Erlang's sum, and its last two terms: the density at x is the last one over θ.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "0 to 100")]
    fn survival_and_last(&self, z: N, e_minus_z: N) -> (N, [N; 2]) {
        let mut term = e_minus_z;
        let (mut sum, mut last) = (N::zero(), [N::zero(); 2]);
        let mut i = 0;
        while i < self.largest {
            if self.same {
                (sum, last) = (sum + term, [last[1], term]);
            } else {
                let counts = N::of(i as f64).lt(self.rows);
                sum = sum + N::select(counts, term, N::zero());
                last = [N::select(counts, last[1], last[0]), N::select(counts, term, last[1])];
            }
            i += 1;
            term = term * (z * INVERSE[i]);
        }
        (sum, last)
    }
}

impl<N: Number> LaunchLaw<N> {
    /// Without an overrun the shape counts as 0: all mass at the start.
    #[inline(always)]
    fn shape(&self) -> N {
        N::select(self.overrun_months.le(N::zero()), N::zero(), self.overrun_shape)
    }
    #[inline(always)]
    fn per_month(&self) -> N {
        let none = self.overrun_months.le(N::zero());
        N::select(none, N::one(), N::one() / N::select(none, N::one(), self.overrun_months))
    }
    /// P(G > x).
    #[inline(always)]
    pub fn overrun_survival(&self, x: N) -> N {
        let z = (x.positive_part() * self.per_month()).min(N::of(FARTHEST));
        let (survival, _) = Shape::new(self.shape()).survival_and_next(z, (-z).exp());
        N::select(x.lt(N::zero()), N::one(), survival)
    }
    #[inline(always)]
    pub fn respins_mean(&self) -> N {
        (-self.first_probability + 1.0) / self.later_probability
    }
    #[inline(always)]
    pub fn months_mean(&self) -> N {
        self.planned_months + self.respins_mean() * self.respin_months + self.overrun_shape * self.overrun_months
    }
    #[inline(always)]
    pub fn months_sd(&self) -> N {
        let p = self.later_probability;
        let second_moment = (-self.first_probability + 1.0) * (-p + 2.0) / (p * p);
        let mean = self.respins_mean();
        let respins_variance = (second_moment - mean * mean).positive_part();
        let overrun_variance = self.overrun_shape * self.overrun_months * self.overrun_months;
        (respins_variance * self.respin_months * self.respin_months + overrun_variance).sqrt()
    }
    /// P(T <= deadline).
    #[inline(always)]
    pub fn on_time_probability(&self, deadline_months: N) -> N {
        /// Respins until even the smallest chance of later silicon leaves nothing.
        const MOST: usize = 3000;
        let mut probability = N::zero();
        let mut branches = Branches { law: *self, respins: 0, most: MOST, at_least: N::one() };
        while let Some(branch) = branches.next() {
            let overrun = deadline_months - branch.months;
            // Without an overrun the launch is at the branch's month itself, which is in time.
            probability = probability + branch.probability * (-self.overrun_survival(overrun) + 1.0);
            if N::shortcut(overrun.lt(N::zero())) {
                break;
            }
        }
        probability
    }
    /// 0, 1, 2, … respins, while any row still has a chance of that many.
    #[inline(always)]
    pub fn branches(self) -> Branches<N> {
        Branches { law: self, respins: 0, most: MOST_RESPINS, at_least: N::one() }
    }
}

/// A number of respins: its chance and the month of launch without an overrun.
#[derive(Clone, Copy)]
pub struct Branch<N> {
    pub respins: usize,
    pub probability: N,
    pub months: N,
}

pub struct Branches<N> {
    law: LaunchLaw<N>,
    respins: usize,
    most: usize,
    /// Chance of as many respins or more.
    at_least: N,
}

impl<N: Number> Iterator for Branches<N> {
    type Item = Branch<N>;
    #[inline(always)]
    fn next(&mut self) -> Option<Branch<N>> {
        let negligible = self.at_least.lt(N::of(NEGLIGIBLE));
        if self.respins > self.most || (self.respins > 1 && N::all(negligible)) {
            return None;
        }
        let good = if self.respins == 0 { self.law.first_probability } else { self.law.later_probability };
        let stops_here = if self.respins == self.most { self.at_least } else { self.at_least * good };
        #[expect(clippy::cast_precision_loss, reason = "at most 3000")]
        let count = self.respins as f64;
        let branch = Branch {
            respins: self.respins,
            probability: N::select(negligible, N::zero(), stops_here),
            months: self.law.planned_months + self.law.respin_months * count,
        };
        self.at_least = self.at_least * (-good + 1.0);
        self.respins += 1;
        Some(branch)
    }
}

/// The overrun's law, as every branch uses it.
#[derive(Clone, Copy)]
pub struct Overrun<N> {
    shape: Shape<N>,
    per_month: N,
    /// e^(-1/θ).
    over_a_month: N,
}

impl<N: Number> Overrun<N> {
    #[inline(always)]
    pub fn new(law: &LaunchLaw<N>) -> Self {
        let per_month = law.per_month();
        Overrun { shape: Shape::new(law.shape()), per_month, over_a_month: (-per_month.min(N::of(FARTHEST))).exp() }
    }
    /// P(G > x) at x ≥ 0, the density there a month, and its slope; without an overrun all are 0.
    #[inline(always)]
    pub fn survival_and_density(&self, x: N) -> [N; 3] {
        let z = (x * self.per_month).min(N::of(FARTHEST));
        let (survival, [before_last, last]) = self.shape.survival_and_last(z, (-z).exp());
        [survival, last * self.per_month, (before_last - last) * self.per_month * self.per_month]
    }
}

/// The month in which the first of the rows launches, cut to the horizon.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a month, cut to the horizon")]
pub fn month_of_first<N: Number>(launch_months: N) -> usize {
    ((-((-launch_months).highest())).max(0.0) as usize).min(HORIZON)
}

/// The overrun's survival at the months' edges after the start of one branch, and its mean between them. The cells between
/// the edges are what a branch adds to the law. They are made before they are read: a longer chain of operations would keep
/// the processor waiting.
pub struct Edges<'a, N: Number> {
    branch: Branch<N>,
    mean: N,
    /// The first month in which any row may launch, and the month after the last.
    pub first: usize,
    pub end: usize,
    /// P(G > x) at each month's beginning.
    survival: &'a mut Months<N>,
    /// Mean launch within each month, 0 to 1; beyond it for a tail.
    offset: &'a mut Months<N>,
}

/// A month in which a branch may launch.
#[derive(Clone, Copy)]
pub struct Cell<N> {
    pub month: usize,
    /// The month as a number.
    pub beginning: N,
    /// Chance of this branch and this month.
    pub mass: N,
    /// Mean launch within the month, 0 to 1; beyond it for a tail.
    pub offset: N,
}

/// The cells of a branch, one after the other.
pub struct Cells<'a, N: Number> {
    edges: &'a Edges<'a, N>,
    month: usize,
    beginning: N,
    survival: N,
}

impl<N: Number> Iterator for Cells<'_, N> {
    type Item = Cell<N>;
    #[inline(always)]
    fn next(&mut self) -> Option<Cell<N>> {
        let (edges, month, beginning, before) = (self.edges, self.month, self.beginning, self.survival);
        if month >= edges.end {
            return None;
        }
        self.survival = edges.survival(month + 1);
        (self.month, self.beginning) = (month + 1, beginning + 1.0);
        let mass = edges.branch.probability * (before - self.survival);
        Some(Cell { month, beginning, mass, offset: N::restore(edges.offset[month]) })
    }
}

impl<'a, N: Number> Edges<'a, N> {
    #[inline(always)]
    pub fn new(law: &LaunchLaw<N>, [survival, offset]: &'a mut [Months<N>; 2]) -> Self {
        Edges {
            branch: Branch { respins: 0, probability: N::zero(), months: N::zero() },
            mean: law.shape() * law.overrun_months,
            first: 0,
            end: 0,
            survival,
            offset,
        }
    }
    /// Makes the cells of a branch.
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "at most the horizon")]
    pub fn fill(&mut self, overrun: &Overrun<N>, branch: Branch<N>) {
        let (probability, starts) = (branch.probability, branch.months);
        let mut month = month_of_first(starts);
        self.branch = branch;
        self.first = month;
        self.end = month;
        self.survival[month] = N::one().save();
        if month == HORIZON {
            return;
        }
        let possible = N::zero().lt(probability);
        let negligible = N::of(NEGLIGIBLE_TAIL) / N::select(possible, probability, N::one());
        let negligible = N::select(possible, negligible.min(N::of(LARGEST_TAIL)), N::of(f64::INFINITY));
        let to_edge = starts.floor() + 1.0 - starts;
        // e^(-x/θ) at the first month's edge after the branch's start.
        let to_first_edge = (-(to_edge * overrun.per_month).min(N::of(FARTHEST))).exp();
        let mut since_start = -starts + month as f64;
        let mut e_minus_z = N::one();
        // P(G > x) for shapes s and s + 1.
        let (mut survival, mut survival_next) = (N::one(), N::one());
        // Whether the branch has begun on all rows.
        let mut running = false;
        while month < HORIZON {
            let (before, before_next, beginning) = (survival, survival_next, since_start);
            since_start = since_start + 1.0;
            let e_after = e_minus_z * overrun.over_a_month;
            let begun = N::zero().lt(since_start);
            let (to, e) = if running {
                (since_start, e_after)
            } else {
                let after_first = N::select(since_start.le(N::one()), to_first_edge, e_after);
                (since_start.positive_part(), N::select(begun, after_first, N::one()))
            };
            e_minus_z = e;
            let z = (to * overrun.per_month).min(N::of(FARTHEST));
            let next_term;
            (survival, next_term) = overrun.shape.survival_and_next(z, e_minus_z);
            let over = survival.lt(negligible);
            survival_next = N::select(over, N::zero(), survival + next_term);
            survival = N::select(over, N::zero(), survival);
            if !running {
                survival_next = N::select(begun, survival_next, N::one());
                survival = N::select(begun, survival, N::one());
                running = N::all(begun);
            }
            let share = before - survival;
            let weighted = self.mean * (before_next - survival_next);
            let mean = weighted / N::select(N::zero().lt(share), share, N::one());
            self.offset[month] = (mean - beginning).positive_part().min(N::of(LATEST_MEAN)).save();
            month += 1;
            self.survival[month] = survival.save();
            if N::all(survival.le(N::zero())) {
                break;
            }
        }
        self.end = month;
    }
    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "at most the horizon")]
    pub fn cells(&self) -> Cells<'_, N> {
        Cells {
            edges: self,
            month: self.first,
            beginning: N::of(self.first as f64),
            survival: self.survival(self.first),
        }
    }
    /// P(G > x) at the beginning of `month`.
    #[inline(always)]
    pub fn survival(&self, month: usize) -> N {
        N::restore(self.survival[month])
    }
    /// Chance of this branch and a launch after the horizon.
    #[inline(always)]
    pub fn beyond(&self) -> N {
        self.branch.probability * self.survival(self.end)
    }
}

/// Saving per unit a year of a chip launched at `launch_months` that serves `life_years`, by continuous intensities a year:
/// p₀ A(r+h+g) - c A(r+h) with A(x) = (e^(-xT) - e^(-x(T+L))) / x.
#[inline(always)]
pub fn constant_path_saving_usd<N: Number>(
    chip_price_usd: N,
    unit_price_usd: N,
    merchant_decline: N,
    launch_months: N,
    life_years: N,
    discount: N,
    hazard: N,
) -> N {
    let launch_years = launch_months / MONTHS_PER_YEAR;
    chip_price_usd * deferred_annuity(discount + hazard + merchant_decline, launch_years, life_years)
        - unit_price_usd * deferred_annuity(discount + hazard, launch_years, life_years)
}

/// E e^(-aT), T in years: e^(-aT₀) [p₁ + (1-p₁) p₂ z / (1 - (1-p₂) z)] (1 + aθ)^-s, z = e^(-a Tᵣ).
#[inline(always)]
fn discounted<N: Number>(law: &LaunchLaw<N>, rate_per_year: N) -> N {
    let a = rate_per_year / MONTHS_PER_YEAR;
    let z = (-(a * law.respin_months)).exp();
    let p2 = law.later_probability;
    let respins = law.first_probability + (-law.first_probability + 1.0) * p2 * z / (-((-p2 + 1.0) * z) + 1.0);
    let overrun = (-(law.overrun_shape * (a * law.overrun_months).ln_1p())).exp();
    (-(a * law.planned_months)).exp() * respins * overrun
}

/// Mean and standard deviation of the constant-path saving when the launch follows `law`.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the closed form's own variables")]
pub fn stochastic_saving<N: Number>(
    law: &LaunchLaw<N>,
    chip_price_usd: N,
    unit_price_usd: N,
    merchant_decline: N,
    units_per_year: N,
    life_years: N,
    discount: N,
    hazard: N,
) -> (N, N) {
    let (a, b) = (discount + hazard + merchant_decline, discount + hazard);
    let merchant = units_per_year * chip_price_usd * present_value_of_flow(a, life_years);
    let own = -(units_per_year * unit_price_usd * present_value_of_flow(b, life_years));
    let (phi_a, phi_b) = (discounted(law, a), discounted(law, b));
    let mean = merchant * phi_a + own * phi_b;
    let variance = merchant * merchant * (discounted(law, a + a) - phi_a * phi_a)
        + merchant * own * 2.0 * (discounted(law, a + b) - phi_a * phi_b)
        + own * own * (discounted(law, b + b) - phi_b * phi_b);
    (mean, variance.positive_part().sqrt())
}

/// Share of a triangular window's revenue lost by entering late: D (3W - D) / (2 W²), W half the window.
#[inline(always)]
pub fn triangular_delay_loss_share<N: Number>(delay: N, half_window: N) -> N {
    delay * (half_window * 3.0 - delay) / (half_window * half_window * 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saving::months;

    fn law(shape: f64, months: f64) -> LaunchLaw<f64> {
        LaunchLaw {
            planned_months: 18.3,
            respin_months: 6.1,
            first_probability: 0.24,
            later_probability: 0.6,
            overrun_shape: shape,
            overrun_months: months,
        }
    }

    #[test]
    fn an_overrun_by_hand() {
        // Shape 2, scale 1.5, three months: e^-2 (1 + 2) = 0.406006.
        assert!((law(2.0, 1.5).overrun_survival(3.0) - 3.0 * core_math::exp(-2.0)).abs() < 1e-15);
        assert_eq!(law(2.0, 1.5).overrun_survival(-1.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(law(0.0, 1.5).overrun_survival(0.0).to_bits(), 0);
    }

    #[test]
    fn the_cells_hold_the_whole_law() {
        // What does not launch within the horizon is beyond it; here only the last respins are.
        for (shape, scale) in [(0.0, 1.5), (1.0, 0.5), (2.0, 1.5), (4.0, 1.5), (9.0, 0.7)] {
            let law = LaunchLaw { respin_months: 1.3, ..law(shape, scale) };
            let overrun = Overrun::new(&law);
            let mut tables = [months::<f64>(); 2];
            let mut edges = Edges::new(&law, &mut tables);
            let (mut mass, mut mean) = (0.0, 0.0);
            let mut branches = law.branches();
            while let Some(branch) = branches.next() {
                edges.fill(&overrun, branch);
                for cell in edges.cells() {
                    // The tail is in the last cell. Elsewhere a mean has the rounding of a difference of survivals.
                    let last = cell.month + 1 == edges.end;
                    let latest = if last { LATEST_MEAN } else { LATEST_MEAN.min(1.0 + 1e-14 / cell.mass) };
                    assert!(cell.mass >= 0.0 && cell.offset >= 0.0 && cell.offset <= latest);
                    mass += cell.mass;
                    mean += cell.mass * (cell.beginning + cell.offset);
                }
                assert!(edges.beyond() < 1e-12);
                mass += edges.beyond();
            }
            // What is negligible is dropped: 1e-13 a branch.
            assert!((mass - 1.0).abs() < 1e-11, "{shape}: {mass}");
            assert!((mean / law.months_mean() - 1.0).abs() < 1e-11, "{shape}: {mean}, {}", law.months_mean());
        }
    }
}
