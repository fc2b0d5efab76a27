//! A machine bought today that competes with ever cheaper ones, in closed form: prices that fall at a constant rate.
//!
//! A unit of compute sells at p(t) = e^(-gt), in units of the price at purchase, and costs s to run. It runs until p = s:
//!
//!     T = ln(1/s) / g        V(t) = e^(-gt) A(g+ρ, T-t) - s A(ρ, T-t)        A(x, T) = (1 - e^(-xT)) / x
//!
//! V is the value at age t of all it will earn, ρ the discount rate with the hazard of failure, both as intensities. In
//! competition the first price is such that V(0) is what the machine cost.

use crate::finance::present_value_of_flow;
use crate::number::Number;
use crate::variable::choices;
use std::f64::consts::LN_2;

choices!(
    /// How books write a cluster off.
    FleetBook { StraightLine "straight_line", DecliningBalance "declining_balance", Annuity "annuity" }
);

choices!(
    /// Whether a cluster that never retires is worth a number: not where prices rise as fast as they are discounted.
    FleetStatus { Ok "ok", Unbounded "unbounded" }
);

/// Years until the price has fallen to the running cost, or the machine is worn out; infinite where neither happens.
#[inline(always)]
pub fn life_years<N: Number>(running_cost: N, fall_log_per_year: N, most_years: N) -> N {
    let falls = N::zero().lt(fall_log_per_year);
    let years = -running_cost.ln() / N::select(falls, fall_log_per_year, N::one());
    N::select(falls, years.positive_part().min(most_years), most_years)
}

/// What running for `years` from a price of `price` on is worth at its start, in units of the price at purchase.
#[inline(always)]
pub fn value<N: Number>(price: N, running_cost: N, fall_log_per_year: N, rate: N, years: N) -> N {
    price * present_value_of_flow(fall_log_per_year + rate, years) - running_cost * present_value_of_flow(rate, years)
}

/// Year ends that are looked at.
pub const YEARS: usize = 10;

/// The same at year ends 0 to `YEARS` from a price of 1 on, for `life_years` from the purchase: what a whole year earns is in
/// proportion to the price, so that only the year in which it stops, or what follows the last, takes exponentials of its own.
#[inline(always)]
pub fn value_by_year<N: Number>(running_cost: N, fall_log_per_year: N, rate: N, life_years: N) -> [N::Slot; YEARS + 1] {
    #[expect(clippy::cast_precision_loss, reason = "10")]
    let last = life_years.floor().min(N::of(YEARS as f64));
    let last_price = (-(fall_log_per_year * last)).exp();
    let last_value = value(last_price, running_cost, fall_log_per_year, rate, life_years - last);
    let yearly_price = (-fall_log_per_year).exp();
    let yearly_discount = (-rate).exp();
    let earned_of_price = present_value_of_flow(fall_log_per_year + rate, N::one());
    let running = running_cost * present_value_of_flow(rate, N::one());
    let mut by_year = [N::zero().save(); YEARS + 1];
    let mut price = N::one();
    let mut k = 0;
    while k <= YEARS {
        by_year[k] = price.save();
        price = price * yearly_price;
        k += 1;
    }
    let mut left = N::zero();
    while k > 0 {
        k -= 1;
        #[expect(clippy::cast_precision_loss, reason = "at most 10")]
        let year = N::of(k as f64);
        let whole = N::restore(by_year[k]) * earned_of_price - running + yearly_discount * left;
        left = N::select(year.lt(last), whole, N::select(year.eq(last), last_value, N::zero()));
        by_year[k] = left.save();
    }
    by_year
}

/// What books still hold of 1, `age` years after the purchase.
#[inline(always)]
pub fn book_share<N: Number>(book: FleetBook, age: N, life_years: N, rate: N) -> N {
    let left = (life_years - age).positive_part();
    match book {
        FleetBook::StraightLine => left / life_years,
        FleetBook::DecliningBalance => (-(age / life_years)).exp(),
        FleetBook::Annuity => present_value_of_flow(rate, left) / present_value_of_flow(rate, life_years),
    }
}

/// The year end at which books exceed the market value most, the first of equals.
#[derive(Clone, Copy)]
pub struct Excess<N> {
    pub market: N,
    pub book: N,
    pub largest: N,
    year: N,
}

impl<N: Number> Excess<N> {
    #[inline(always)]
    pub fn none() -> Self {
        let never = N::of(f64::INFINITY);
        Excess { market: N::zero(), book: N::zero(), largest: -never, year: never }
    }
    #[inline(always)]
    pub fn look(&mut self, year: N, market: N, book: N) {
        let excess = book - market;
        let larger = self.largest.lt(excess);
        self.market = N::select(larger, market, self.market);
        self.book = N::select(larger, book, self.book);
        self.year = N::select(larger, year, self.year);
        self.largest = N::select(larger, excess, self.largest);
    }
    /// Infinite where they never do.
    #[inline(always)]
    pub fn year(&self) -> N {
        N::select(N::zero().lt(self.largest), self.year, N::of(f64::INFINITY))
    }
}

/// Scarcity at the month ends of a machine's age: two shares, of the path's beginning and of a shock, whose logarithms
/// fade with one half-life. The machine is bought in some month of the path.
#[derive(Clone, Copy)]
pub struct Scarcity<N> {
    since_shock: N,
    monthly_rest: N,
    first_shock_log: N,
    faded_log: N,
    shock_log: N,
    /// 1 once the shock has come.
    shocked: N,
}

impl<N: Number> Scarcity<N> {
    #[inline(always)]
    pub fn new(share: N, shock_share: N, bought_months: N, shock_months: N, half_life_months: N) -> Self {
        let fading_per_month = N::of(LN_2) / half_life_months;
        let since_shock = bought_months - shock_months;
        let before = N::zero().le(since_shock);
        // Its age at the first month end at which it is seen.
        let first_age = N::select(before, since_shock, since_shock - since_shock.floor());
        let first_shock_log = shock_share.ln_1p() * (-(fading_per_month * first_age)).exp();
        Scarcity {
            since_shock,
            monthly_rest: (-fading_per_month).exp(),
            first_shock_log,
            faded_log: share.ln_1p() * (-(fading_per_month * bought_months)).exp(),
            shock_log: N::select(before, first_shock_log, N::zero()),
            shocked: N::select(before, N::one(), N::zero()),
        }
    }
    /// Logarithm of the price over the newest vintage's full cost.
    #[inline(always)]
    pub fn log(&self) -> N {
        self.faded_log + self.shock_log
    }
    /// The highest it can be from now on.
    #[inline(always)]
    pub fn highest_log(&self) -> N {
        let shock_log = N::select(self.shocked.eq(N::one()), self.shock_log, self.first_shock_log);
        self.faded_log.positive_part() + shock_log.positive_part()
    }
    /// On to the month end `age` months after the purchase.
    #[inline(always)]
    pub fn step(&mut self, age: f64) {
        self.faded_log = self.faded_log * self.monthly_rest;
        let due = N::zero().le(self.since_shock + age);
        let again = N::select(self.shocked.eq(N::one()), self.shock_log * self.monthly_rest, self.first_shock_log);
        self.shock_log = N::select(due, again, N::zero());
        self.shocked = N::select(due, N::one(), N::zero());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_by_hand() {
        // ln(1 / 0.106) / -ln 0.7 = 2.2443162 / 0.3566749 = 6.2923.
        let years = life_years(0.106, -core_math::log(0.7), f64::INFINITY);
        assert!((years - 6.2923).abs() < 1e-4); // digits printed
        assert_eq!(life_years(0.106, 0.4, 3.0), 3.0);
        assert!(life_years(0.106, 0.0, f64::INFINITY).is_infinite());
    }

    #[test]
    fn books_by_hand() {
        // Two of five years: 3/5; e^-0.4 = 0.670320; (1 - 1.1^-3) / (1 - 1.1^-5) = 2.486852 / 3.790787 = 0.656025.
        let rate = core_math::log(1.1);
        let held = |book| book_share(book, 2.0, 5.0, rate);
        assert!((held(FleetBook::StraightLine) - 0.6_f64).abs() < 1e-15); // two roundings
        assert!((held(FleetBook::DecliningBalance) - 0.670_320).abs() < 1e-6); // digits printed
        assert!((held(FleetBook::Annuity) - 0.656_025).abs() < 1e-6);
        assert_eq!(book_share(FleetBook::Annuity, 7.0, 5.0, rate), 0.0);
    }

    #[test]
    fn scarcity_by_hand() {
        // Half-life 2 months; bought in month 1 of the path; a shock of e - 1 in month 2.5 is first seen at age 2, half a
        // month old: 2^-0.25 = 0.840896. The path's own e - 1 is 2^-0.5 at the purchase, 2^-1.5 at age 2.
        let share = core_math::expm1(1.0);
        let mut path = Scarcity::new(share, share, 1.0, 2.5, 2.0);
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-6, "{found}"); // digits printed
        near(path.log(), core_math::rsqrt(2.0));
        path.step(1.0);
        near(path.log(), 0.5);
        path.step(2.0);
        near(path.log(), 0.353_553 + 0.840_896);
        path.step(3.0);
        near(path.log(), 0.25 + 0.594_604);
        // Bought after the shock, it is there at once.
        near(Scarcity::new(0.0, share, 4.5, 2.5, 2.0).log(), 0.5);
    }

    #[test]
    fn a_value_by_hand() {
        // Over one year at rates 0.3 and 0.1: (1 - e^-0.4) / 0.4 - 0.5 (1 - e^-0.1) / 0.1 = 0.8241999 - 0.4758129.
        assert!((value(1.0, 0.5, 0.3, 0.1, 1.0) - 0.348_387_0).abs() < 1e-7); // digits printed
        // For ever: 1 / 0.4 - 0.5 / 0.1.
        assert!((value(1.0, 0.5, 0.3, 0.1, f64::INFINITY) - (2.5 - 5.0)).abs() < 1e-14); // two quotients
    }

    #[test]
    fn values_by_year_are_those_of_each() {
        // In the year in which it stops, at its end, after the last one, and for ever.
        for (fall, life) in [(0.3, 2.31), (0.3, 0.4), (0.1, 7.0), (0.05, 13.9), (-0.01, f64::INFINITY)] {
            let by_year = value_by_year(0.5, fall, 0.1, life);
            for (year, found) in by_year.iter().enumerate() {
                let year = f64::from(u8::try_from(year).expect("at most 10"));
                let left = (life - year).max(0.0);
                let wanted = value(core_math::exp(-fall * year), 0.5, fall, 0.1, left);
                assert!((found - wanted).abs() < 1e-14, "{fall} {life} {year}: {found}, {wanted}"); // eleven sums
            }
        }
    }
}
