//! What an own unit saves month by month against the merchant work it replaces.
//!
//!     u(t) = ratio · price (1-d_m)^t - own price (1-d_a)^t + opex saving;  none bought while u < 0
//!     live(t) = residual + (1 - residual) e^(-η (x - freeze)⁺/12)

use crate::finance::MONTHS_PER_YEAR;
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
    /// Present value of 1 a year in that month, while there is work.
    pub today: N,
}

/// The months of the market with those of the own unit.
#[derive(Clone, Copy)]
pub struct OwnFlow<N> {
    pub month: Month<N>,
    own_price_usd: Path<N>,
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
        OwnMonth { unit_saving_usd, today: live * self.month.discount.now / MONTHS_PER_YEAR }
    }

    #[inline(always)]
    pub fn step(&mut self) {
        self.month.step();
        self.own_price_usd.step();
        self.mid_month += 1.0;
    }
}
