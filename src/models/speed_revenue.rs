//! What a faster response brings in by keeping customers.
//!
//!     revenue' = revenue · e^(η · seconds felt)        felt: max(T, f) - max(T - saved, f)
//!
//! η is the share of revenue, in logs, that a second costs, T the response time before and f what is no longer felt, 0.1 s
//! (Miller 1968; Nielsen, Usability Engineering, 1993). Experiments find 0.015 to 0.022 a second (Brutlag 2009 at Google;
//! Schurman and Brutlag 2009 at Bing), the folklore of Amazon 0.1 (Linden 2006, second hand), observations of sites 0.02 to 0.9
//! (Walmart 2012, Akamai 2017, Deloitte 2020): slow pages differ in more than time. All are web pages of the scale of a second;
//! for answers that take ten the figure is an extrapolation. Saturation below f is a definition, not part of the studies.

use crate::variable::{HUGE, NONE, model};

model! {
    /// What a faster response brings in by keeping customers.
    SpeedRevenue = "speed_revenue";
    inputs {
        /// Revenue at the response time before.
        speed_base_revenue_usd: number "USD" [0.0, HUGE], default NONE, typical [1e6, 1e11], Estimate "property of the service";
        /// Response time below which a further gain is not felt.
        speed_felt_s: number "s" [0.0, 1e3], default 0.1, typical [0.05, 0.2], Judgement "Miller 1968; Nielsen 1993: 0.1 s feels instantaneous";
    }
    choices {}
    reads { speed_seconds_saved speed_response_s speed_conversion_loss_per_s }
    outputs {
        /// Seconds saved of those that are felt.
        speed_felt_seconds_saved: "s" [-1e6, 1e6];
        /// Extra revenue.
        speed_revenue_usd: "USD" [-HUGE, HUGE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        // max(T, f) - max(T - s, f) = s + (f - T)⁺ - (f - T + s)⁺, which holds for an infinite T too.
        let unfelt_before_s = (x.speed_felt_s - x.speed_response_s).positive_part();
        let unfelt_after_s = (x.speed_felt_s - (x.speed_response_s - x.speed_seconds_saved)).positive_part();
        let felt_s = x.speed_seconds_saved - (unfelt_after_s - unfelt_before_s);
        let speed_felt_seconds_saved = given.speed_felt_seconds_saved(felt_s);
        let gain_share = (x.speed_conversion_loss_per_s * speed_felt_seconds_saved).exp_m1();
        let some = N::zero().lt(x.speed_base_revenue_usd);
        let gain_usd = N::select(some, x.speed_base_revenue_usd * gain_share, N::zero());
        Outputs { speed_felt_seconds_saved, speed_revenue_usd: given.speed_revenue_usd(gain_usd) }
    }
}

#[cfg(test)]
mod tests {
    use super::SpeedRevenue;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const PAGE: [(&str, f64); 4] = [
        ("speed_base_revenue_usd", 1e9),
        ("speed_seconds_saved", 0.5),
        ("speed_response_s", 2.0),
        ("speed_conversion_loss_per_s", 0.1),
    ];

    #[test]
    fn half_a_second_by_hand() {
        // e^0.05 - 1 = 0.0512710964.
        let gain = evaluate::<SpeedRevenue>(&PAGE, &[])["speed_revenue_usd"];
        assert!((gain / 51_271_096.4 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_felt_brings_nothing() {
        let felt = |before: f64, saved: f64| {
            let page = with(&PAGE, &[("speed_response_s", before), ("speed_seconds_saved", saved)]);
            evaluate::<SpeedRevenue>(&page, &[])["speed_felt_seconds_saved"]
        };
        assert!((felt(0.3, 0.25) - 0.2).abs() < 1e-15); // down to 0.1 s
        assert!((felt(0.3, 0.5) - 0.2).abs() < 1e-15);
        assert_eq!(felt(0.08, 0.05), 0.0);
        assert!((felt(0.05, -0.2) + 0.15).abs() < 1e-15); // slower: from 0.1 to 0.25
        assert_eq!(felt(f64::INFINITY, 0.5), 0.5);
    }

    #[test]
    fn identities_and_monotonicity() {
        let gain = |changes: &[(&str, f64)]| evaluate::<SpeedRevenue>(&with(&PAGE, changes), &[])["speed_revenue_usd"];
        assert_eq!(gain(&[("speed_base_revenue_usd", 2e9)]), gain(&[]) * 2.0);
        assert_eq!(gain(&[("speed_base_revenue_usd", 0.0)]).to_bits(), 0);
        assert!(gain(&[("speed_seconds_saved", 0.6)]) > gain(&[]));
        assert!(gain(&[("speed_conversion_loss_per_s", 0.2)]) > gain(&[]));
        // There and back: what a delay costs, the same gain wins again.
        let delayed = 1e9 + gain(&[("speed_seconds_saved", -0.5)]);
        assert!((delayed + gain(&[("speed_base_revenue_usd", delayed)]) - 1e9).abs() < 1e-6); // the last digits of 1e9
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<SpeedRevenue>(Case { values: &PAGE, choices: &[] }, &[]);
        let near = with(&PAGE, &[("speed_response_s", 0.45)]);
        check_derivatives::<SpeedRevenue>(Case { values: &near, choices: &[] }, &[]);
    }
}
