//! Equations of finance that several models share.

use crate::number::Number;

pub const MONTHS_PER_YEAR: f64 = 12.0;
/// For the months' loops, where a division costs as much as all else.
pub const YEARS_PER_MONTH: f64 = 1.0 / MONTHS_PER_YEAR;
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

/// |y| below which 1 - e^-y is taken from its series.
pub const NEAR_ZERO: f64 = 1e-3;

/// (1 - e^-y) / y for |y| below `NEAR_ZERO`; the next term is below 1e-17. It keeps the derivative right at a rate of 0.
#[inline(always)]
pub fn flow_series<N: Number>(y: N) -> N {
    (((y * (1.0 / 120.0) - 1.0 / 24.0) * y + 1.0 / 6.0) * y - 0.5) * y + 1.0
}

/// (1 - e^-y) / y times `length`, y = rate × length: the present value of a unit flow over `length`.
#[inline(always)]
pub fn present_value_of_flow<N: Number>(rate: N, length: N) -> N {
    let y = rate * length;
    let small = y.abs().lt(N::of(NEAR_ZERO));
    let divisor = N::select(small, N::one(), rate);
    N::select(small, flow_series(y) * length, -(-y).exp_m1() / divisor)
}

/// Present value of a flow over one period at whose beginning it is `first`, and at whose end, discounted, `last`, a factor of
/// e^-y lower: with both known it takes no exponential.
#[inline(always)]
pub fn present_value_between<N: Number>(first: N, last: N, y: N) -> N {
    let small = y.abs().lt(N::of(NEAR_ZERO));
    N::select(small, first * flow_series(y), (first - last) / N::select(small, N::one(), y))
}

/// Annuity of an exponential flow from `start` on for `length` years: (e^-xT - e^-x(T+L)) / x.
#[inline(always)]
pub fn deferred_annuity<N: Number>(rate: N, start: N, length: N) -> N {
    (-(rate * start)).exp() * present_value_of_flow(rate, length)
}

/// e^(-rate f) for a share 0 to 1 of a month, as a polynomial in f of degree 5: Taylor's to degree 7, whose last two powers
/// are replaced by what is nearest to them on 0 to 1 (Chebyshev). Error below rate⁶ / 9e5 (rate a month):
/// 6e-12 at 400 % a year. At rates up to 15 % a year two more powers are replaced: error below rate⁴ / 3072, 6e-12 too.
#[derive(Clone, Copy)]
pub struct WithinMonth<N> {
    terms: [N; 6],
    /// Whether the last two are 0 on all rows.
    cubic: bool,
}

impl<N: Number> WithinMonth<N> {
    #[inline(always)]
    pub fn new(rate: N) -> Self {
        /// f⁷ and f⁶ less the Chebyshev polynomials of 0 to 1 over their leading coefficients, 8192 and 2048.
        const SEVENTH: [f64; 7] = [1.0, -98.0, 1568.0, -9408.0, 26880.0, -39424.0, 28672.0];
        const SIXTH: [f64; 6] = [-1.0, 72.0, -840.0, 3584.0, -6912.0, 6144.0];
        /// The same for f⁵ and f⁴, over 512 and 128.
        const FIFTH: [f64; 5] = [1.0, -50.0, 400.0, -1120.0, 1280.0];
        const FOURTH: [f64; 4] = [-1.0, 32.0, -160.0, 256.0];
        /// 15 % a year.
        const LOW: f64 = 0.0117;
        let mut terms = [N::one(); 8];
        let mut k = 1;
        while k < 8 {
            #[expect(clippy::cast_precision_loss, reason = "at most 7")]
            let by = 1.0 / (k as f64);
            terms[k] = -(terms[k - 1] * rate * by);
            k += 1;
        }
        let sixth = terms[6] + terms[7] * (SEVENTH[6] / 8192.0);
        let mut within = [N::zero(); 6];
        let mut k = 0;
        while k < 6 {
            within[k] = terms[k] + terms[7] * (SEVENTH[k] / 8192.0) + sixth * (SIXTH[k] / 2048.0);
            k += 1;
        }
        let low = rate.abs().le(N::of(LOW));
        let fourth = within[4] + within[5] * (FIFTH[4] / 512.0);
        k = 0;
        while k < 4 {
            let cubic = within[k] + within[5] * (FIFTH[k] / 512.0) + fourth * (FOURTH[k] / 128.0);
            within[k] = N::select(low, cubic, within[k]);
            k += 1;
        }
        within[4] = N::select(low, N::zero(), within[4]);
        within[5] = N::select(low, N::zero(), within[5]);
        WithinMonth { terms: within, cubic: N::shortcut(low) }
    }
    #[inline(always)]
    pub fn at(&self, share: N) -> N {
        let [k0, k1, k2, k3, k4, k5] = self.terms;
        let square = share * share;
        let low = k2 + k3 * share;
        let rest = if self.cubic { low } else { low + square * (k4 + k5 * share) };
        (k0 + k1 * share) + square * rest
    }
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
    fn discounting_within_a_month_is_an_exponential() {
        for i in -60..=134_i16 {
            let rate = f64::from(i) / 1000.0;
            let within = WithinMonth::new(rate);
            for j in 0..=100_u8 {
                let share = f64::from(j) / 100.0;
                let error = (within.at(share) - core_math::exp(-rate * share)).abs();
                // Chebyshev's remainder is rate⁶ / (720 · 2048), what Taylor's leaves rate⁸ / 40320; and three roundings.
                let power = |n: f64| core_math::pow(rate.abs(), n);
                // With two powers less it is rate⁴ / (24 · 128).
                let cubic = if rate.abs() < 0.0117 { power(4.0) / 3072.0 * 1.01 } else { 0.0 };
                assert!(error < cubic + power(6.0) / 9e5 + 4e-16, "{rate} {share}: {error}");
            }
        }
    }

    #[test]
    fn a_deferred_annuity_by_hand() {
        // Rate 0.1 from year 2 for 3: (e^-0.2 - e^-0.5) / 0.1 = (0.8187307531 - 0.6065306597) / 0.1 = 2.122000934.
        assert!((deferred_annuity(0.1, 2.0, 3.0) - 2.122_000_934).abs() < 1e-8); // digits printed
        assert_eq!(deferred_annuity(0.0, 2.0, 3.0).to_bits(), 3.0_f64.to_bits());
    }
}
