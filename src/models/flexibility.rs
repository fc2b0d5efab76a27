//! Flexible or fixed silicon where algorithms shift, output worth its market price.
//!
//!     shifts come at intensity λ; each makes the frontier g times better, of which a chip captures g^φ
//!     the price of output falls with the frontier: after N shifts a chip earns g^(-(1-φ) N) of what it did
//!     E[g^(-(1-φ) N(t))] = e^(-δ t),   δ = λ (1 - g^(-(1-φ)))
//!     V(s, φ) = s ∫ e^(-(δ+ρ) t) dt  from the delay x to x + life                        in years of output at first
//!     break-even advantage  s* = V(1, flexible, no delay) / V(1, fixed, x)
//!
//! A fixed chip that is s* times faster, or cheaper for its speed, than the flexible one is worth as much. Above s* it wins.
//! The frontier moves from the decision on, so a fixed chip that comes later by x has missed what shifted until then; both
//! live as long. Once g is large δ is the intensity λ itself: what decides is how often algorithms shift, not by how much,
//! and s* is modest. The law of shifts is Poisson's and the expectation its generating function (Feller 1968, XI.2); the
//! joint form is our own. `flexibility_constant_price` is the same question where output keeps its price, and the answers
//! differ much. The mean gain E[g^(φN)] is no measure of either: with g = 100 it is set by the tail of N.
//!
//! The discount rate ρ is an intensity, e^(-ρ years); ln(1 + r) for a yearly rate r. Left out: what each chip costs (take s
//! as speed at equal cost), demand that grows as price falls, and a fixed chip's successor.

use crate::finance::{deferred_annuity, present_value_of_flow};
use crate::variable::{INFINITE, NONE, model};

model! {
    /// Flexible or fixed silicon where algorithms shift and output is worth its market price.
    Flexibility = "flexibility";
    inputs {
        /// Intensity at which algorithms shift.
        flex_shift_per_year: number "1/year" [0.0, 100.0], default NONE, typical [0.05, 0.8], Judgement "eleven architecture changes since GPT-3 were 0.53 years apart; shifts that strand a chip are rarer";
        /// How many times better a shift makes what is possible.
        flex_gain: number "1" [1.0, 1e12], default NONE, typical [3.0, 100.0], Judgement "100 was gathered over years, not in one event";
        /// Share of a shift's gain, in logs, that the flexible chip captures.
        flex_flexible_capture: number "1" [0.0, 1.0], default NONE, typical [0.7, 1.0], Judgement "no measurements";
        /// Share of a shift's gain, in logs, that the fixed chip captures.
        flex_fixed_capture: number "1" [0.0, 1.0], default NONE, typical [0.0, 0.6], Judgement "no measurements";
        /// Years that either chip is in service.
        flex_life_years: number "years" [0.01, 1000.0], default NONE, typical [2.0, 6.0], Estimate "4 in InferenceMAX's cost of ownership";
        /// Discount rate, as an intensity: e^(-rate years).
        flex_discount_per_year: number "1/year" [0.0, 10.0], default 0.10, typical [0.08, 0.14], Judgement "cost of capital 9-14 %";
        /// Years by which the fixed chip comes later.
        flex_delay_years: number "years" [0.0, 100.0], default 0.0, typical [0.0, 1.0], Definition "both at the same time";
    }
    choices {}
    reads { special_speedup }
    outputs {
        /// Present value of the flexible chip, in years of its first output.
        flex_flexible_value_years: "years" [1e-6, 1000.0];
        /// Present value of a fixed chip that is as fast, in years of the flexible one's first output.
        flex_fixed_value_years: "years" [0.0, 1000.0];
        /// How many times faster the fixed chip must be to be worth as much as the flexible one.
        flex_breakeven_advantage: "1" [0.0, INFINITE];
        /// Value of the flexible chip over that of a fixed one with its own speed-up: above 1 flexibility wins.
        flex_value_ratio: "1" [0.0, INFINITE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let gain_log = x.flex_gain.ln();
        // 1 - g^-(1-φ): the share of its earnings that a chip loses with each shift.
        let flexible_loss = -(-(gain_log * (-x.flex_flexible_capture + 1.0))).exp_m1();
        let fixed_loss = -(-(gain_log * (-x.flex_fixed_capture + 1.0))).exp_m1();
        let flexible_fall_per_year = x.flex_shift_per_year * flexible_loss + x.flex_discount_per_year;
        let fixed_fall_per_year = x.flex_shift_per_year * fixed_loss + x.flex_discount_per_year;
        let flex_flexible_value_years =
            given.flex_flexible_value_years(present_value_of_flow(flexible_fall_per_year, x.flex_life_years));
        let flex_fixed_value_years = given.flex_fixed_value_years(
            deferred_annuity(fixed_fall_per_year, x.flex_delay_years, x.flex_life_years),
        );
        let flex_breakeven_advantage =
            given.flex_breakeven_advantage(flex_flexible_value_years / flex_fixed_value_years);
        let flex_value_ratio = given.flex_value_ratio(flex_breakeven_advantage / x.special_speedup);
        Outputs { flex_flexible_value_years, flex_fixed_value_years, flex_breakeven_advantage, flex_value_ratio }
    }
}

#[cfg(test)]
mod tests {
    use super::Flexibility;
    use crate::trial::{Case, check_derivatives, evaluate, gradient, with};

    const CHIPS: [(&str, f64); 7] = [
        ("flex_shift_per_year", 0.5),
        ("flex_gain", 10.0),
        ("flex_flexible_capture", 0.9),
        ("flex_fixed_capture", 0.1),
        ("flex_life_years", 4.0),
        ("flex_discount_per_year", 0.1),
        ("special_speedup", 2.0),
    ];

    fn advantage(changes: &[(&'static str, f64)]) -> f64 {
        evaluate::<Flexibility>(&with(&CHIPS, changes), &[])["flex_breakeven_advantage"]
    }

    #[test]
    fn two_chips_by_hand() {
        // Losses a shift 1 - 10^-0.1 = 0.2056718 and 1 - 10^-0.9 = 0.8741075; falls a year 0.2028359 and 0.5370537;
        // (1 - e^-0.8113436) / 0.2028359 = 2.739847, (1 - e^-2.1482150) / 0.5370537 = 1.644729: together 1.665835.
        let answers = evaluate::<Flexibility>(&CHIPS, &[]);
        assert!((answers["flex_breakeven_advantage"] - 1.665_835).abs() < 1e-6); // digits of the factors
        let half = answers["flex_breakeven_advantage"] / 2.0;
        assert_eq!(answers["flex_value_ratio"].to_bits(), half.to_bits());
        // A year late: e^0.5370537 = 1.710958 times as much.
        assert!((advantage(&[("flex_delay_years", 1.0)]) / advantage(&[]) - 1.710_958).abs() < 5e-7);
    }

    #[test]
    fn limits_and_identities() {
        let one = 1.0_f64.to_bits();
        assert_eq!(advantage(&[("flex_shift_per_year", 0.0)]).to_bits(), one);
        assert_eq!(advantage(&[("flex_gain", 1.0)]).to_bits(), one);
        assert_eq!(advantage(&[("flex_fixed_capture", 0.9)]).to_bits(), one);
        // However large the gain, what is lost is all there is: the intensity decides.
        let all = [("flex_flexible_capture", 1.0), ("flex_fixed_capture", 0.0)];
        let (large, vast) =
            (advantage(&with(&all, &[("flex_gain", 1e6)])), advantage(&with(&all, &[("flex_gain", 1e12)])));
        assert!((vast / large - 1.0).abs() < 1e-6); // 1e-6 of a shift's loss
        // Without discount or loss, a year of value a year.
        let calm = with(&CHIPS, &[("flex_shift_per_year", 0.0), ("flex_discount_per_year", 0.0)]);
        assert_eq!(evaluate::<Flexibility>(&calm, &[])["flex_fixed_value_years"].to_bits(), 4.0_f64.to_bits());
    }

    #[test]
    fn what_favors_flexibility() {
        let values = with(&CHIPS, &[("flex_delay_years", 0.5)]);
        for (input, sign) in [
            ("flex_shift_per_year", 1.0),
            ("flex_gain", 1.0),
            ("flex_flexible_capture", 1.0),
            ("flex_fixed_capture", -1.0),
            ("flex_life_years", 1.0),
            ("flex_delay_years", 1.0),
        ] {
            let slope = gradient::<Flexibility>(Case { values: &values, choices: &[] }, input);
            assert!(slope["flex_breakeven_advantage"] * sign > 0.0, "{input}");
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let values = with(&CHIPS, &[("flex_delay_years", 0.5)]);
        check_derivatives::<Flexibility>(Case { values: &values, choices: &[] }, &[]);
    }
}
