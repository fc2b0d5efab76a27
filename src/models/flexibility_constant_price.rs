//! Flexible or fixed silicon before one shift of algorithms, output worth a constant price.
//!
//!     the shift comes at a time of intensity λ and makes g times more possible; a chip that captures φ of it then makes
//!         exponent   s g^φ             φ of the gain's logarithm, the sense of the captures elsewhere
//!         linear     s (1 + φ (g-1))   φ of what is added
//!         replaced   φ g               φ of the new frontier, whatever its speed-up s was worth before
//!     before = ∫ e^(-(ρ+λ) t) dt,  after = ∫ e^(-ρ t) (1 - e^(-λ t)) dt      from the delay x to x + life
//!     V = s · before + (what it makes then) · after          in years of the flexible chip's first output, for which s = 1
//!     break-even advantage: the s at which both are worth as much
//!
//! With `replaced`, a flexible chip that captures all, and no delay the advantage is 1 + g (1 - φ) after / before. It is
//! harder on the fixed chip than the rest: after the shift even work of the old kind, at which it is s times faster, is worth
//! nothing to it. The choice turns the verdict, so it is one; and so does the price: here the work done grows g times and
//! each piece is worth what it was, in `flexibility` the price falls as the frontier moves. Constant price is the upper
//! bound for what flexibility is worth, unless demand grows by more than the price falls.
//!
//! One shift only. The law is the exponential waiting time of a Poisson process; the joint form is our own. The discount
//! rate ρ is an intensity.

use crate::finance::{deferred_annuity, present_value_of_flow};
use crate::number::Number;
use crate::variable::{INFINITE, choices, model};

choices!(
    /// What a chip makes of a shift of which it captures a share.
    CaptureRule { Exponent "exponent", Linear "linear", Replaced "replaced" }
);

/// Times of total intensity and length below which the powers are summed: seven leave 1e-15.
const SERIES_BELOW: f64 = 1e-2;

/// ∫ e^(-ρ t) (1 - e^(-λ t)) dt from 0 to `length`, as λ / (ρ+λ) · (∫ e^(-ρ t) - e^(-ρ length) e^(-λ t) dt), whose terms
/// do not cancel where λ alone is small; where ρ+λ is, the powers of both.
#[inline(always)]
fn flow_after_shift<N: Number>(discount: N, shift: N, length: N) -> N {
    let total = discount + shift;
    let small = (total * length).lt(N::of(SERIES_BELOW));
    // Σ (-1)^(k+1) h_k length^(k+1) / (k+1)!, h_k = Σ total^i discount^(k-1-i).
    let mut series = N::zero();
    let mut powers = N::one();
    let mut discounts = N::one();
    let mut term = length * length * 0.5;
    let mut k = 1.0;
    while k < 8.0 {
        series = series + powers * term;
        discounts = discounts * discount;
        powers = powers * total + discounts;
        term = -(term * length) / (k + 2.0);
        k += 1.0;
    }
    let divisor = N::select(small, N::one(), total);
    let flow =
        present_value_of_flow(discount, length) - (-(discount * length)).exp() * present_value_of_flow(shift, length);
    shift * N::select(small, series, flow / divisor)
}

/// What a chip makes after the shift: per unit of its speed-up, or with `replaced` whatever that was.
#[inline(always)]
fn captured<N: Number>(rule: CaptureRule, gain: N, capture: N) -> N {
    match rule {
        CaptureRule::Exponent => (gain.ln() * capture).exp(),
        CaptureRule::Linear => capture * (gain - 1.0) + 1.0,
        CaptureRule::Replaced => capture * gain,
    }
}

model! {
    /// Flexible or fixed silicon before one shift of algorithms, output worth a constant price.
    FlexibilityConstantPrice = "flexibility_constant_price";
    inputs {}
    choices {
        /// What a chip makes of a shift: its speed times the gain to the power of its capture, or times 1 plus its share of what is added, or its share of the new frontier in place of its speed.
        flex_capture_rule: CaptureRule = CaptureRule::Exponent, "the sense of the captures in the other form";
    }
    reads {
        flex_shift_per_year flex_gain flex_flexible_capture flex_fixed_capture flex_life_years flex_discount_per_year
        flex_delay_years special_speedup
    }
    outputs {
        /// Present value of the flexible chip at a constant price, in years of its first output.
        flex_constant_price_flexible_value_years: "years" [1e-6, 1e15];
        /// How many times faster the fixed chip must be at first to be worth as much as the flexible one; 0 where it always is.
        flex_constant_price_breakeven_advantage: "1" [0.0, INFINITE];
        /// Value of the flexible chip over that of a fixed one with its own speed-up: above 1 flexibility wins.
        flex_constant_price_value_ratio: "1" [0.0, INFINITE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let (shift, discount, life_years) = (x.flex_shift_per_year, x.flex_discount_per_year, x.flex_life_years);
        let before_years = present_value_of_flow(discount + shift, life_years);
        let after_years = flow_after_shift(discount, shift, life_years);
        // Later by x: what has not shifted by then, and what may still.
        let fixed_before_years = deferred_annuity(discount + shift, x.flex_delay_years, life_years);
        let shifted = -(-(shift * x.flex_delay_years)).exp_m1();
        let unshifted = (-(shift * x.flex_delay_years)).exp();
        let fixed_after_years = (-(discount * x.flex_delay_years)).exp()
            * (shifted * present_value_of_flow(discount, life_years) + unshifted * after_years);

        let flexible_then = captured(x.flex_capture_rule, x.flex_gain, x.flex_flexible_capture);
        let fixed_then = captured(x.flex_capture_rule, x.flex_gain, x.flex_fixed_capture);
        let flex_constant_price_flexible_value_years =
            given.flex_constant_price_flexible_value_years(before_years + flexible_then * after_years);
        // The fixed chip's value, a line in its speed-up.
        let fixed_then_years = fixed_then * fixed_after_years;
        let (whatever_speed_years, per_speed_years) = match x.flex_capture_rule {
            CaptureRule::Replaced => (fixed_then_years, fixed_before_years),
            CaptureRule::Exponent | CaptureRule::Linear => (N::zero(), fixed_before_years + fixed_then_years),
        };
        let missing_years = flex_constant_price_flexible_value_years - whatever_speed_years;
        let missing = N::zero().lt(missing_years);
        let needed = N::select(missing, missing_years / per_speed_years, N::zero());
        let flex_constant_price_breakeven_advantage = given.flex_constant_price_breakeven_advantage(needed);
        let fixed_value_years = whatever_speed_years + x.special_speedup * per_speed_years;
        let flex_constant_price_value_ratio =
            given.flex_constant_price_value_ratio(flex_constant_price_flexible_value_years / fixed_value_years);
        Outputs {
            flex_constant_price_flexible_value_years, flex_constant_price_breakeven_advantage,
            flex_constant_price_value_ratio,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FlexibilityConstantPrice, flow_after_shift};
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const CHIPS: [(&str, f64); 7] = [
        ("flex_shift_per_year", 0.2),
        ("flex_gain", 100.0),
        ("flex_flexible_capture", 1.0),
        ("flex_fixed_capture", 0.0),
        ("flex_life_years", 4.0),
        ("flex_discount_per_year", 0.1),
        ("special_speedup", 5.0),
    ];
    const RULES: [&str; 3] = ["exponent", "linear", "replaced"];

    fn advantage(rule: &str, changes: &[(&'static str, f64)]) -> f64 {
        let values = with(&CHIPS, changes);
        let answers = evaluate::<FlexibilityConstantPrice>(&values, &[("flex_capture_rule", rule)]);
        answers["flex_constant_price_breakeven_advantage"]
    }

    #[test]
    fn one_shift_by_hand() {
        // a = (1 - e^-0.4) / 0.1 = 3.29680, before = (1 - e^-1.2) / 0.3 = 2.32935, after = 0.967447, after / before 0.4153287.
        // Replaced: 1 + 100 · 0.4153287 = 42.53287; half captured 1 + 50 · 0.4153287 = 21.76643.
        assert!((advantage("replaced", &[]) - 42.532_87).abs() < 1e-4); // digits of the quotient
        assert!((advantage("replaced", &[("flex_fixed_capture", 0.5)]) - 21.766_43).abs() < 1e-4);
        // Exponent and linear alike where nothing is captured: the fixed chip earns all along, (before + 100 after) / a.
        for rule in ["exponent", "linear"] {
            assert!((advantage(rule, &[]) - 99.074_04 / 3.296_80).abs() < 1e-3, "{rule}");
        }
        // Half captured: 10 or 50.5 times after the shift.
        let half = [("flex_fixed_capture", 0.5)];
        assert!((advantage("exponent", &half) - 99.074_04 / 12.003_82).abs() < 1e-3);
        assert!((advantage("linear", &half) - 99.074_04 / 51.185_42).abs() < 1e-3);
    }

    #[test]
    fn limits_and_identities() {
        for rule in RULES {
            assert_eq!(advantage(rule, &[("flex_shift_per_year", 0.0)]).to_bits(), 1.0_f64.to_bits(), "{rule}");
            assert!((advantage(rule, &[("flex_fixed_capture", 1.0)]) - 1.0).abs() < 1e-14, "{rule}"); // 42 - 41
            // At the break-even both are worth as much.
            let there = advantage(rule, &[("flex_delay_years", 0.5)]);
            let values = with(&CHIPS, &[("flex_delay_years", 0.5), ("special_speedup", there)]);
            let answers = evaluate::<FlexibilityConstantPrice>(&values, &[("flex_capture_rule", rule)]);
            assert!((answers["flex_constant_price_value_ratio"] - 1.0).abs() < 1e-14, "{rule}"); // sums of four terms
        }
        // A fixed chip that comes after the shift and captures more of it needs no speed.
        let late = [("flex_delay_years", 20.0), ("flex_fixed_capture", 1.0), ("flex_flexible_capture", 0.0)];
        assert_eq!(advantage("replaced", &late).to_bits(), 0);
    }

    #[test]
    fn the_flow_after_a_shift_keeps_its_digits() {
        // Where both intensities go to 0: λ length² / 2 - λ (2 ρ + λ) length³ / 6.
        let tiny = flow_after_shift(1e-9, 1e-7, 4.0);
        assert!((tiny / (8e-7 - 1.02e-7 * 1e-7 * 64.0 / 6.0) - 1.0).abs() < 1e-13); // the next power
        // Where the two ways meet, they agree.
        for discount in [0.0, 1e-3, 2.4e-3] {
            let shift = 2.5e-3 - discount;
            let (inside, outside) = (
                flow_after_shift(discount, shift * 0.999_999, 4.0),
                flow_after_shift(discount, shift * 1.000_001, 4.0),
            );
            assert!((outside / inside - 1.000_002).abs() < 1e-7, "{discount}"); // the slope is 1 but for a percent
        }
        // Certain at once: all the value.
        assert!((flow_after_shift(0.1, 1e6, 4.0) / 3.296_799_5 - 1.0).abs() < 1e-6); // 1 / (λ life)
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let values =
            with(&CHIPS, &[("flex_delay_years", 0.5), ("flex_flexible_capture", 0.9), ("flex_fixed_capture", 0.2)]);
        for rule in RULES {
            check_derivatives::<FlexibilityConstantPrice>(
                Case { values: &values, choices: &[("flex_capture_rule", rule)] },
                &[],
            );
        }
    }
}
