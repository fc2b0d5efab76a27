//! The own chip beside the merchant's, month by month: what a unit saves, how much work is left to it, how many are bought.
//!
//!     saving per own unit   u(t) = ratio · price (1-d_m)^t - own price (1-d_a)^t + opex saving;  none bought while u < 0
//!     live(t) = residual + (1 - residual) e^(-η (x - freeze)⁺/12)
//!     month's flow          v = min(addressable · D, peak) / 12 · u · live · (1+r)^-t         (mid-month)

use crate::finance::MONTHS_PER_YEAR;
use crate::market::{MID_MONTH, Market, Month, Path};
use crate::number::Number;

/// The own chip and the market it is bought in.
#[derive(Clone, Copy)]
pub struct OwnChip<N> {
    pub market: Market<N>,
    pub price_usd: N,
    pub decline_per_year: N,
    pub opex_saving_usd: N,
    /// Whether the owner buys merchant chips again once they are cheaper.
    pub stops_when_dearer: bool,
    pub addressable_share: N,
    pub peak_units_per_year: N,
    pub obsolescence_per_year: N,
    pub freeze_months: N,
    pub residual_share: N,
}

/// One month of it.
#[derive(Clone, Copy)]
pub struct OwnMonth<N> {
    chip: OwnChip<N>,
    pub market: Month<N>,
    pub price_usd: Path<N>,
    /// Share of the work that obsolescence has not taken, before the residual.
    fresh: N,
    first_loss: N,
    monthly_loss: N,
    mid_month: f64,
}

impl<N: Number> OwnMonth<N> {
    #[inline(always)]
    pub fn first(chip: &OwnChip<N>) -> Self {
        // Work is lost from the freeze on, first over the part of a month until the next mid-month.
        let loss_per_month = chip.obsolescence_per_year / MONTHS_PER_YEAR;
        let freeze_from_middle = chip.freeze_months - MID_MONTH;
        let to_middle = freeze_from_middle.floor() + 1.0 - freeze_from_middle;
        let to_middle = N::select(freeze_from_middle.lt(N::zero()), -freeze_from_middle, to_middle);
        let mut month = OwnMonth {
            chip: *chip,
            market: Month::first(&chip.market),
            price_usd: Path::new(chip.price_usd, (-chip.decline_per_year).ln_1p()),
            fresh: N::one(),
            first_loss: (-(loss_per_month * to_middle)).exp(),
            monthly_loss: (-loss_per_month).exp(),
            mid_month: MID_MONTH,
        };
        month.lose();
        month
    }
    #[inline(always)]
    fn lose(&mut self) {
        let since_freeze = -self.chip.freeze_months + self.mid_month;
        let begins = since_freeze.le(N::one());
        self.fresh = N::select(begins, self.first_loss, self.fresh * self.monthly_loss);
        self.fresh = N::select(since_freeze.le(N::zero()), N::one(), self.fresh);
    }
    #[inline(always)]
    pub fn step(&mut self) {
        self.market.step();
        self.price_usd.step();
        self.mid_month += 1.0;
        self.lose();
    }
    /// Merchant price of an own unit's work and what that unit saves to run, less its price.
    #[inline(always)]
    fn lead_usd(&self) -> N {
        self.market.price_usd.now - self.price_usd.now + self.chip.opex_saving_usd
    }
    /// What an own unit saves: nothing while none is bought.
    #[inline(always)]
    pub fn unit_saving_usd(&self) -> N {
        let lead_usd = self.lead_usd();
        if self.chip.stops_when_dearer { lead_usd.positive_part() } else { lead_usd }
    }
    /// Share of the work that own units can still do.
    #[inline(always)]
    pub fn live_share(&self) -> N {
        self.chip.residual_share + (-self.chip.residual_share + 1.0) * self.fresh
    }
    /// Own units a year for all work there was at the freeze.
    #[inline(always)]
    pub fn units_per_year(&self) -> N {
        (self.chip.addressable_share * self.market.units_per_year()).min(self.chip.peak_units_per_year)
    }
    /// Own units a year that are bought once the chip is out and ramped.
    #[inline(always)]
    pub fn bought_per_year(&self) -> N {
        let bought = self.units_per_year() * self.live_share();
        if self.chip.stops_when_dearer { N::select(self.lead_usd().lt(N::zero()), N::zero(), bought) } else { bought }
    }
    /// Present value of a dollar for the month's share of every unit a year.
    #[inline(always)]
    pub fn today(&self) -> N {
        self.live_share() * self.market.discount.now / MONTHS_PER_YEAR
    }
    /// Present value of the month's saving, were the chip out and ramped.
    #[inline(always)]
    pub fn saving_usd(&self) -> N {
        self.units_per_year() * self.unit_saving_usd() * self.today()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chip() -> OwnChip<f64> {
        OwnChip {
            market: Market {
                units_per_year: 1200.0,
                growth_per_year: 0.0,
                half_life_months: f64::INFINITY,
                cap_units_per_year: f64::INFINITY,
                price_usd: 10.0,
                decline_per_year: 0.19,
                discount_rate_per_year: 0.0,
            },
            price_usd: 8.0,
            decline_per_year: 0.0,
            opex_saving_usd: 0.0,
            stops_when_dearer: true,
            addressable_share: 0.5,
            peak_units_per_year: 480.0,
            obsolescence_per_year: 1.2,
            freeze_months: 3.2,
            residual_share: 0.25,
        }
    }

    #[test]
    fn months_by_hand() {
        // Month 11 is at 11.5: price 10 · 0.81^(11.5/12) = 8.171431, saving 0.171431; 8.3 months after the freeze, at 0.1 a
        // month, live 0.25 + 0.75 e^-0.83 = 0.577037; min(600, 480) units; 480 / 12 · 0.171431 · 0.577037 = 3.956892.
        let mut month = OwnMonth::first(&chip());
        for _ in 0..11 {
            month.step();
        }
        let near = |got: f64, wanted: f64| assert!((got - wanted).abs() < 1e-6 * wanted, "{got}, not {wanted}");
        near(month.unit_saving_usd(), 0.171_431_5);
        near(month.live_share(), 0.577_037);
        near(month.bought_per_year(), 480.0 * 0.577_037);
        near(month.saving_usd(), 3.956_892);
        // At 13.5 the merchant asks 7.889: none is bought any more.
        month.step();
        month.step();
        assert_eq!((month.unit_saving_usd(), month.bought_per_year(), month.saving_usd()), (0.0, 0.0, 0.0));
        let mut stubborn = OwnMonth::first(&OwnChip { stops_when_dearer: false, ..chip() });
        for _ in 0..13 {
            stubborn.step();
        }
        assert!(stubborn.unit_saving_usd() < 0.0 && stubborn.bought_per_year() > 0.0);
    }

    #[test]
    fn nothing_is_lost_before_the_freeze() {
        let mut month = OwnMonth::first(&chip());
        for k in 0..5 {
            // Mid-months 0.5 to 2.5 lie before 3.2.
            assert_eq!(month.live_share() == 1.0, k < 3, "{k}");
            month.step();
        }
    }
}
