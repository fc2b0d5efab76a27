//! Equations of finance that several models share.

use crate::number::Number;

pub const MONTHS_PER_YEAR: f64 = 12.0;
/// Hours in a year of 365.25 days.
pub const HOURS_PER_YEAR: f64 = 8766.0;

/// Capital recovery factor r / (1 - (1+r)^-n): the yearly payment that repays 1 over n years. 1/n without interest.
#[inline(always)]
pub fn capital_recovery_factor<N: Number>(rate_per_year: N, years: N) -> N {
    let log = rate_per_year.ln_1p();
    let repaid = -(-(log * years)).exp_m1();
    // Below 1e-9 the factor is (1 + r (n + 1) / 2) / n to the last digit.
    let small = rate_per_year.abs().lt(N::of(1e-9));
    let without_interest = (rate_per_year * (years + 1.0) * 0.5 + 1.0) / years;
    N::select(small, without_interest, N::select(small, N::one(), rate_per_year) / N::select(small, N::one(), repaid))
}

/// (1 - e^-y) / y for |y| below 1e-3; the next term is below 1e-17. It keeps the derivative right at a rate of 0.
#[inline(always)]
pub fn flow_series<N: Number>(y: N) -> N {
    (((y * (1.0 / 120.0) - 1.0 / 24.0) * y + 1.0 / 6.0) * y - 0.5) * y + 1.0
}

/// (1 - e^-y) / y times `length`, y = rate × length: the present value of a unit flow over `length`.
#[inline(always)]
pub fn present_value_of_flow<N: Number>(rate: N, length: N) -> N {
    let y = rate * length;
    let small = y.abs().lt(N::of(1e-3));
    let divisor = N::select(small, N::one(), rate);
    N::select(small, flow_series(y) * length, -(-y).exp_m1() / divisor)
}

/// Annuity of an exponential flow from `start` on for `length` years: (e^-xT - e^-x(T+L)) / x.
#[inline(always)]
pub fn deferred_annuity<N: Number>(rate: N, start: N, length: N) -> N {
    (-(rate * start)).exp() * present_value_of_flow(rate, length)
}

/// e^y for |y| <= 0.14, the change of a discount factor within a month: Taylor's series to the last digit, its even and
/// its odd terms side by side.
#[inline(always)]
pub fn exp_within_month<N: Number>(y: N) -> N {
    const EVEN: [f64; 5] = [0.5, 1.0 / 24.0, 1.0 / 720.0, 1.0 / 40_320.0, 1.0 / 3_628_800.0];
    const ODD: [f64; 4] = [1.0 / 6.0, 1.0 / 120.0, 1.0 / 5040.0, 1.0 / 362_880.0];
    let q = y * y;
    let q2 = q * q;
    let even = (q * EVEN[1] + EVEN[0]) + q2 * ((q * EVEN[3] + EVEN[2]) + q2 * EVEN[4]);
    let odd = (q * ODD[0] + 1.0) + q2 * ((q * ODD[2] + ODD[1]) + q2 * ODD[3]);
    (even * q + odd * y) + 1.0
}
