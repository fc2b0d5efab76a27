//! The merchant market month by month: how many units of work are demanded and what the merchant asks for them.
//!
//! Real months x run from the decision; flows are constant within a month at their mid-month value.

use crate::finance::{MONTHS_PER_YEAR, YEARS_PER_MONTH};
use crate::number::Number;
use crate::root::root_between;
use crate::saving::{Months, months};
use std::f64::consts::LN_2;

/// Months that are looked at.
pub const HORIZON: usize = 120;
/// The same as a number of months.
pub const HORIZON_MONTHS: f64 = 120.0;
/// Prices of tokens are per million.
pub const TOKENS_PER_MTOK: f64 = 1e6;
/// Where in a month its flows count.
pub const MID_MONTH: f64 = 0.5;

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
        let to_middle = (log_rate_per_year * (MID_MONTH / MONTHS_PER_YEAR)).exp();
        Path { now: start * to_middle, factor: to_middle * to_middle }
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
    /// Present value at merchant prices of the month's work of one own unit a year.
    #[inline(always)]
    pub fn work_usd(&self) -> N {
        self.price_usd.now * self.discount.now * YEARS_PER_MONTH
    }
}

/// A value of the units bought in every month, as a function of today's demand.
pub struct Volume<N: Number> {
    /// Demand per unit of today's demand, and its fading.
    pub growth: Months<N>,
    pub decay: Months<N>,
    /// Present value of one unit a year bought in the month.
    pub worth_usd: Months<N>,
    pub addressable_share: N,
    pub cap_units_per_year: N,
    pub peak_units_per_year: N,
}

/// What is bought in every month: in proportion to today's demand, up to a limit.
struct Steps<'a, N: Number> {
    bought: Months<N>,
    limit: Months<N>,
    worth_usd: &'a Months<N>,
}

impl<N: Number> Steps<'_, N> {
    /// The value of all months, and its slope: that of the months below their limits.
    #[inline(always)]
    fn value_and_slope_usd(&self, units_per_year: N) -> (N, N) {
        let (mut value, mut slope) = (N::zero(), N::zero());
        let mut k = 0;
        while k < HORIZON {
            let (each, limit) = (N::restore(self.bought[k]), N::restore(self.limit[k]));
            let worth_usd = N::restore(self.worth_usd[k]);
            let bought = units_per_year * each;
            value = value + bought.min(limit) * worth_usd;
            slope = slope + N::select(bought.le(limit), each * worth_usd, N::zero());
            k += 1;
        }
        (value, slope)
    }
}

/// Present value of what all demand costs on merchant chips over the horizon, by month.
#[inline(always)]
pub fn merchant_volume<N: Number>(market: &Market<N>) -> Volume<N> {
    let mut month = Month::first(&Market { units_per_year: N::one(), ..*market });
    let mut volume = Volume {
        growth: months::<N>(),
        decay: months::<N>(),
        worth_usd: months::<N>(),
        addressable_share: N::one(),
        cap_units_per_year: market.cap_units_per_year,
        peak_units_per_year: N::of(f64::INFINITY),
    };
    let mut k = 0;
    while k < HORIZON {
        volume.growth[k] = month.growth.now.save();
        volume.decay[k] = month.decay.now.save();
        volume.worth_usd[k] = month.work_usd().save();
        month.step();
        k += 1;
    }
    volume
}

impl<N: Number> Volume<N> {
    /// The value of month `k` at `units_per_year` of today's demand.
    #[inline(always)]
    pub fn month_usd(&self, k: usize, units_per_year: N) -> N {
        let demand =
            (units_per_year * N::restore(self.growth[k])).min(self.cap_units_per_year) * N::restore(self.decay[k]);
        let bought = (self.addressable_share * demand).min(self.peak_units_per_year);
        bought * N::restore(self.worth_usd[k])
    }

    /// The value of all months at `units_per_year` of today's demand.
    #[inline(always)]
    pub fn value_usd(&self, units_per_year: N) -> N {
        let mut total = N::zero();
        let mut k = 0;
        while k < HORIZON {
            total = total + self.month_usd(k, units_per_year);
            k += 1;
        }
        total
    }

    /// The months as they answer to today's demand.
    #[inline(always)]
    fn steps(&self) -> Steps<'_, N> {
        let mut steps = Steps { bought: months::<N>(), limit: months::<N>(), worth_usd: &self.worth_usd };
        let mut k = 0;
        while k < HORIZON {
            let decay = N::restore(self.decay[k]);
            steps.bought[k] = (self.addressable_share * (N::restore(self.growth[k]) * decay)).save();
            // No demand is left of an infinite cap where all of it has faded: the peak, not comparable, stands.
            let limit = self.peak_units_per_year.min(self.addressable_share * (self.cap_units_per_year * decay));
            steps.limit[k] = limit.save();
            k += 1;
        }
        steps
    }

    /// Today's demand at which the value is `target_usd`; infinite where it stays below at `most_units_per_year`.
    ///
    /// The value is piecewise linear, so that the last of Newton's steps is exact and carries the derivative.
    #[inline(always)]
    pub fn units_worth(&self, target_usd: N, most_units_per_year: f64) -> N {
        const LEAST: f64 = 1e-17;
        let (least, most) = (N::of(LEAST), N::of(most_units_per_year));
        let steps = self.steps();
        let (reached, _) = steps.value_and_slope_usd(most);
        let (_, slope) = steps.value_and_slope_usd(least);
        let without_limits = target_usd / N::select(N::zero().lt(slope), slope, N::one());
        let crosses = N::zero().lt(target_usd) & target_usd.le(reached);
        let root = root_between(
            [least, N::select(crosses, most, least)],
            without_limits,
            #[inline(always)]
            |low, high| (low * high).sqrt(),
            #[inline(always)]
            |units| {
                let (value, slope) = steps.value_and_slope_usd(units);
                (value - target_usd, slope)
            },
        );
        let (value, slope) = steps.value_and_slope_usd(root);
        let slope = slope.constant();
        let steps = N::zero().lt(slope);
        let newton = root - (value - target_usd) / N::select(steps, slope, N::one());
        let units = N::select(steps, newton.positive_part(), root);
        N::select(crosses, units, N::select(target_usd.le(N::zero()), N::zero(), N::of(f64::INFINITY)))
    }
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
        assert_eq!(merchant_volume(&none).value_usd(0.0), 0.0);
    }
}
