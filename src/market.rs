//! The merchant market month by month: how many units of work are demanded and what the merchant asks for them.
//!
//! Real months x run from the decision; flows are constant within a month at their mid-month value.

use crate::finance::MONTHS_PER_YEAR;
use crate::number::Number;
use std::f64::consts::LN_2;

/// Months that are looked at.
pub const HORIZON: usize = 120;
/// The same as a number of months.
pub const HORIZON_MONTHS: f64 = 120.0;
const MID_MONTH: f64 = 0.5;

/// Demand and price at the decision and how they change.
#[derive(Clone, Copy)]
pub struct Market<N> {
    pub units_per_year: N,
    pub growth_per_year: N,
    pub half_life_months: N,
    pub cap_units_per_year: N,
    /// Merchant price of the work of one own unit.
    pub price_usd: N,
    pub decline_per_year: N,
    pub discount_rate_per_year: N,
}

/// A quantity that changes by the same factor every month, at mid-month.
#[derive(Clone, Copy)]
pub struct Path<N> {
    pub now: N,
    factor: N,
}

impl<N: Number> Path<N> {
    /// `start` e^(rate t) with t in years.
    #[inline(always)]
    pub fn new(start: N, log_rate_per_year: N) -> Self {
        let monthly = log_rate_per_year / MONTHS_PER_YEAR;
        Path { now: start * (monthly * MID_MONTH).exp(), factor: monthly.exp() }
    }
    #[inline(always)]
    pub fn step(&mut self) {
        self.now = self.now * self.factor;
    }
}

/// One month of the market.
#[derive(Clone, Copy)]
pub struct Month<N> {
    /// Demand without the cap, in units a year.
    pub growth: Path<N>,
    pub decay: Path<N>,
    pub price_usd: Path<N>,
    pub discount: Path<N>,
    cap: N,
}

impl<N: Number> Month<N> {
    #[inline(always)]
    pub fn first(market: &Market<N>) -> Self {
        let decay_per_year = -(N::of(LN_2 * MONTHS_PER_YEAR) / market.half_life_months);
        Month {
            growth: Path::new(market.units_per_year, market.growth_per_year.ln_1p()),
            decay: Path::new(N::one(), decay_per_year),
            price_usd: Path::new(market.price_usd, (-market.decline_per_year).ln_1p()),
            discount: Path::new(N::one(), -market.discount_rate_per_year.ln_1p()),
            cap: market.cap_units_per_year,
        }
    }
    #[inline(always)]
    pub fn step(&mut self) {
        self.growth.step();
        self.decay.step();
        self.price_usd.step();
        self.discount.step();
    }
    /// Units of work demanded, a year.
    #[inline(always)]
    pub fn units_per_year(&self) -> N {
        self.growth.now.min(self.cap) * self.decay.now
    }
    /// Demand at its cap.
    #[inline(always)]
    pub fn capped_units_per_year(&self) -> N {
        self.cap * self.decay.now
    }
}

/// Present value of what all demand costs on merchant chips over the horizon.
#[inline(always)]
pub fn lifetime_spend_usd<N: Number>(market: &Market<N>) -> N {
    let mut month = Month::first(market);
    let mut spend = N::zero();
    let mut k = 0;
    while k < HORIZON {
        spend = spend + month.units_per_year() * month.price_usd.now * month.discount.now;
        month.step();
        k += 1;
    }
    spend / MONTHS_PER_YEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market() -> Market<f64> {
        Market {
            units_per_year: 1000.0,
            growth_per_year: 0.5,
            half_life_months: 12.0,
            cap_units_per_year: 1200.0,
            price_usd: 10.0,
            decline_per_year: 0.19,
            discount_rate_per_year: 0.1,
        }
    }

    #[test]
    fn a_path_keeps_its_rate() {
        // Steps multiply; after k of them at mid-month k the rounding is a few hundred units.
        let mut month = Month::first(&market());
        for k in 0..HORIZON {
            let years = (k as f64 + 0.5) / 12.0;
            let right = 10.0 * core_math::pow(0.81, years);
            assert!((month.price_usd.now / right - 1.0).abs() < 1e-13);
            let demand = (1000.0 * core_math::pow(1.5, years)).min(1200.0) * core_math::exp2(-years);
            assert!((month.units_per_year() / demand - 1.0).abs() < 1e-13);
            month.step();
        }
    }

    #[test]
    fn limits() {
        let lasting = Market { half_life_months: f64::INFINITY, growth_per_year: 0.0, ..market() };
        let mut month = Month::first(&lasting);
        month.step();
        assert_eq!(month.decay.now, 1.0);
        assert_eq!(month.units_per_year(), 1000.0);
        let none = Market { units_per_year: 0.0, ..market() };
        assert_eq!(lifetime_spend_usd(&none), 0.0);
    }
}
