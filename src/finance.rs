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

/// e^y for |y| <= 0.07, the change of a discount factor from the middle of a month to its ends: Taylor's series, its even
/// and its odd terms side by side. Error below 2e-14.
#[inline(always)]
pub fn exp_within_month<N: Number>(y: N) -> N {
    let q = y * y;
    let even = (q * (q * (1.0 / 720.0) + 1.0 / 24.0) + 0.5) * q;
    let odd = q * (q * (q * (1.0 / 5040.0) + 1.0 / 120.0) + 1.0 / 6.0) + 1.0;
    even + odd * y + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Dual;

    #[test]
    fn a_loan_by_hand() {
        // 10 % over 2 years: 0.1 / (1 - 1.21^-1) = 0.1 · 1.21 / 0.21 = 0.576190.
        assert!((capital_recovery_factor(0.1, 2.0) - 0.121 / 0.21).abs() < 1e-15); // two roundings
        assert_eq!(capital_recovery_factor(0.0, 8.0).to_bits(), 0.125_f64.to_bits());
    }

    #[test]
    fn small_rates_join_smoothly() {
        for rate in [1e-9, -1e-9] {
            let (inside, outside) =
                (capital_recovery_factor(rate * 0.999, 5.0), capital_recovery_factor(rate * 1.001, 5.0));
            assert!((outside - inside - rate * 0.002 * 0.6).abs() < 1e-15); // slope (n + 1) / 2n; rounding of 0.2
        }
        for edge in [1e-3, -1e-3] {
            let (inside, outside) =
                (present_value_of_flow(edge * 0.999_999, 1.0), present_value_of_flow(edge * 1.000_001, 1.0));
            // Slope -1/2; 1 - e^-y has lost 1e-16 / 1e-3.
            assert!((outside - inside + edge * 1e-6).abs() < 1e-12, "{edge}");
        }
    }

    #[test]
    fn derivatives_without_interest() {
        // d/dr CRF = (n + 1) / 2n at r = 0, and of the flow's value -n²/2.
        let rate = Dual { value: 0.0, derivative: 1.0 };
        let years = Dual { value: 4.0, derivative: 0.0 };
        assert_eq!(capital_recovery_factor(rate, years).derivative.to_bits(), 0.625_f64.to_bits());
        assert_eq!(present_value_of_flow(rate, years).derivative.to_bits(), (-8.0_f64).to_bits());
    }

    #[test]
    fn half_a_month_of_discounting_is_an_exponential() {
        for i in -70..=70_i16 {
            let y = f64::from(i) / 1000.0;
            // Cut after y^7: 0.07^8 / 8! = 1.4e-14.
            assert!((exp_within_month(y) / core_math::exp(y) - 1.0).abs() < 2e-14, "{y}");
        }
    }

    #[test]
    fn a_deferred_annuity_by_hand() {
        // Rate 0.1 from year 2 for 3: (e^-0.2 - e^-0.5) / 0.1 = (0.8187307531 - 0.6065306597) / 0.1 = 2.122000934.
        assert!((deferred_annuity(0.1, 2.0, 3.0) - 2.122_000_934).abs() < 1e-8); // digits printed
        assert_eq!(deferred_annuity(0.0, 2.0, 3.0).to_bits(), 3.0_f64.to_bits());
    }
}
