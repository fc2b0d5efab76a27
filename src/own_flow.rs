//! What an own unit saves month by month against the merchant work it replaces.
//!
//!     u(t) = ratio · price (1-d_m)^t - own price (1-d_a)^t + opex saving;  none bought while u < 0
//!     live(t) = residual + (1 - residual) e^(-η (x - freeze)⁺/12)
//!     month's flow v = min(addressable · D, peak) / 12 · u · live · (1+r)^-t       (mid-month)

use crate::finance::{MONTHS_PER_YEAR, YEARS_PER_MONTH};
use crate::market::{MID_MONTH, Market, Month, Path};
use crate::number::Number;

/// The own unit and how it loses its work.
#[derive(Clone, Copy)]
pub struct OwnUnits<N> {
    pub price_usd: N,
    pub decline_per_year: N,
    pub opex_saving_usd: N,
    pub freeze_months: N,
    pub obsolescence_per_year: N,
    pub residual_share: N,
    pub stop_when_dearer: bool,
}

/// One month of an own unit.
#[derive(Clone, Copy)]
pub struct OwnMonth<N> {
    /// Saving of one unit bought in the month.
    pub unit_saving_usd: N,
    /// Price of what it replaces and what it saves to run, less its own price: below 0 it is dearer.
    pub lead_usd: N,
    /// Share of the work that is left to it.
    pub live_share: N,
    /// Present value of 1 a year in that month, while there is work.
    pub today: N,
}

/// The months of the market with those of the own unit.
#[derive(Clone, Copy)]
pub struct OwnFlow<N> {
    pub month: Month<N>,
    pub own_price_usd: Path<N>,
    opex_saving_usd: N,
    freeze_months: N,
    residual_share: N,
    stop_when_dearer: bool,
    /// Work is lost from the freeze on, first over the part of a month until the next mid-month.
    first_loss: N,
    monthly_loss: N,
    fresh: N,
    mid_month: f64,
}

impl<N: Number> OwnMonth<N> {
    /// Present value of the month's saving with `units_per_year` for all work that was there at the freeze.
    #[inline(always)]
    pub fn saving_usd(&self, units_per_year: N) -> N {
        units_per_year * self.unit_saving_usd * self.today
    }
}

impl<N: Number> OwnFlow<N> {
    #[inline(always)]
    pub fn new(market: &Market<N>, own: &OwnUnits<N>) -> Self {
        let loss_per_month = own.obsolescence_per_year / MONTHS_PER_YEAR;
        let freeze_from_middle = own.freeze_months - MID_MONTH;
        let to_middle = freeze_from_middle.floor() + 1.0 - freeze_from_middle;
        let to_middle = N::select(freeze_from_middle.lt(N::zero()), -freeze_from_middle, to_middle);
        OwnFlow {
            month: Month::first(market),
            own_price_usd: Path::new(own.price_usd, (-own.decline_per_year).ln_1p()),
            opex_saving_usd: own.opex_saving_usd,
            freeze_months: own.freeze_months,
            residual_share: own.residual_share,
            stop_when_dearer: own.stop_when_dearer,
            first_loss: (-(loss_per_month * to_middle)).exp(),
            monthly_loss: (-loss_per_month).exp(),
            fresh: N::one(),
            mid_month: MID_MONTH,
        }
    }

    /// The month at hand; once each month, for what is lost adds up.
    #[inline(always)]
    pub fn now(&mut self) -> OwnMonth<N> {
        let lead_usd = self.month.price_usd.now - self.own_price_usd.now + self.opex_saving_usd;
        let unit_saving_usd = if self.stop_when_dearer { lead_usd.positive_part() } else { lead_usd };
        let since_freeze = -self.freeze_months + self.mid_month;
        let begins = since_freeze.le(N::one());
        self.fresh = N::select(begins, self.first_loss, self.fresh * self.monthly_loss);
        self.fresh = N::select(since_freeze.le(N::zero()), N::one(), self.fresh);
        let live = self.residual_share + (-self.residual_share + 1.0) * self.fresh;
        let today = live * self.month.discount.now * YEARS_PER_MONTH;
        OwnMonth { unit_saving_usd, lead_usd, live_share: live, today }
    }

    /// Own units a year for all work that was there at the freeze.
    #[inline(always)]
    pub fn units_per_year(&self, addressable_share: N, peak_units_per_year: N) -> N {
        (addressable_share * self.month.units_per_year()).min(peak_units_per_year)
    }

    #[inline(always)]
    pub fn step(&mut self) {
        self.month.step();
        self.own_price_usd.step();
        self.mid_month += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(stop_when_dearer: bool) -> OwnFlow<f64> {
        let market = Market {
            units_per_year: 1200.0,
            growth_per_year: 0.0,
            half_life_months: f64::INFINITY,
            cap_units_per_year: f64::INFINITY,
            price_usd: 10.0,
            decline_per_year: 0.19,
            discount_rate_per_year: 0.0,
        };
        let own = OwnUnits {
            price_usd: 8.0,
            decline_per_year: 0.0,
            opex_saving_usd: 0.0,
            freeze_months: 3.2,
            obsolescence_per_year: 1.2,
            residual_share: 0.25,
            stop_when_dearer,
        };
        OwnFlow::new(&market, &own)
    }
    fn month(flow: &mut OwnFlow<f64>, count: usize) -> OwnMonth<f64> {
        for _ in 0..count {
            flow.now();
            flow.step();
        }
        flow.now()
    }

    #[test]
    fn a_month_by_hand() {
        // Month 11 is at 11.5: price 10 · 0.81^(11.5/12) = 8.171431, saving 0.171431; 8.3 months after the freeze, at 0.1 a
        // month, live 0.25 + 0.75 e^-0.83 = 0.577037; min(600, 480) units; 480 / 12 · 0.171431 · 0.577037 = 3.956892.
        let near = |got: f64, wanted: f64| assert!((got - wanted).abs() < 1e-6 * wanted, "{got}, not {wanted}"); // digits written
        let mut flow = flow(true);
        let own = month(&mut flow, 11);
        near(own.unit_saving_usd, 0.171_431_5);
        near(own.live_share, 0.577_037);
        near(own.saving_usd(flow.units_per_year(0.5, 480.0)), 3.956_892);
    }

    #[test]
    fn dearer_units_save_nothing_where_the_owner_stops() {
        // At 13.5 the merchant asks 7.889.
        let stopped = month(&mut flow(true), 13);
        assert!(stopped.unit_saving_usd == 0.0 && stopped.lead_usd < 0.0);
        assert!(month(&mut flow(false), 13).unit_saving_usd < 0.0);
    }

    #[test]
    fn nothing_is_lost_before_the_freeze() {
        // Mid-months 0.5 to 2.5 lie before 3.2.
        for k in 0..5 {
            assert_eq!(month(&mut flow(true), k).live_share == 1.0, k < 3, "{k}");
        }
    }
}
