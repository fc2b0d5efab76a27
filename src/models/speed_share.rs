//! What speed does to a market share, if buyers weigh price and speed.
//!
//!     u = α q - β ln price + γ ln speed,   γ = θ β        share = e^u / Σ e^u
//!
//! Multinomial logit (McFadden 1974). With the rivals as they are, the odds of the share are multiplied by
//! e^Δu = x^(θβ) · (price ratio)^-β · e^Δq. The exponent θ of price in speed ties γ to β: at a price ratio of x^θ the share
//! stays where it was. β is measured by a price elasticity, which is -β (1 - share): -1.11 for open models across hosts
//! (NBER, The Emerging Market for Intelligence, 2025), where switching is easy. Logit has no substitutes that are closer than
//! others, and no time to switch.

use crate::variable::{INFINITE, NONE, model};

model! {
    /// What speed does to a market share, if buyers weigh price and speed.
    SpeedShare = "speed_share";
    inputs {
        /// Share of the market before.
        speed_share_before: number "1" [0.0, 1.0], default NONE, typical [0.01, 0.6], Estimate "property of the market";
        /// How buyers weigh the logarithm of the price.
        speed_price_sensitivity: number "1" [0.001, 1000.0], default NONE, typical [0.5, 5.0], Estimate "NBER 2025: elasticity -1.11 across hosts of open models";
        /// Own price after over before, the rivals' unchanged.
        speed_price_ratio: number "1" [1e-6, 1e6], default 1.0, typical [1.0, 10.0], Definition "the price stays";
        /// Gain of utility from quality, in units of the logit.
        speed_quality_gain: number "1" [-50.0, 50.0], default 0.0, typical [-1.0, 1.0], Definition "the quality stays";
    }
    choices {}
    reads { speed_ratio speed_price_exponent }
    outputs {
        /// Share of the market after.
        speed_share_after: "1" [0.0, 1.0];
        /// Revenue after over before, in a market of the same size.
        speed_share_revenue_ratio: "1" [0.0, INFINITE];
        /// The price ratio at which the share stays.
        speed_share_breakeven_price_ratio: "1" [0.0, INFINITE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let speed_worth_log = x.speed_price_exponent * x.speed_ratio.ln();
        let offer_log = speed_worth_log - x.speed_price_ratio.ln();
        let utility_gain = x.speed_price_sensitivity * offer_log + x.speed_quality_gain;
        // share' / share, which is there for a share of 0 too; of e^Δu and e^-Δu the one that is not above 1.
        let rises = N::zero().le(utility_gain);
        let less = (-utility_gain.abs()).exp();
        let (own, rivals) = (N::select(rises, N::one(), less), N::select(rises, less, N::one()));
        let others = -x.speed_share_before + 1.0;
        let growth = own / (x.speed_share_before * own + others * rivals);
        let growth = N::select(N::zero().lt(others), growth, N::one());
        let speed_share_after = given.speed_share_after(x.speed_share_before * growth);
        let some = N::zero().lt(x.speed_share_before);
        let share = N::select(some, x.speed_share_before, N::one());
        let growth = N::select(some, speed_share_after / share, growth);
        let speed_share_revenue_ratio = given.speed_share_revenue_ratio(x.speed_price_ratio * growth);
        let speed_share_breakeven_price_ratio = given.speed_share_breakeven_price_ratio(
            (speed_worth_log + x.speed_quality_gain / x.speed_price_sensitivity).exp(),
        );
        Outputs { speed_share_after, speed_share_revenue_ratio, speed_share_breakeven_price_ratio }
    }
}

#[cfg(test)]
mod tests {
    use super::SpeedShare;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const OFFER: [(&str, f64); 5] = [
        ("speed_share_before", 0.2),
        ("speed_price_sensitivity", 1.5),
        ("speed_price_ratio", 2.0),
        ("speed_ratio", 4.0),
        ("speed_price_exponent", 1.0),
    ];

    #[test]
    fn an_offer_by_hand() {
        // Odds 1/4 · (4 / 2)^1.5 = 0.707107: a share of 0.414214. Revenue 2 · 0.414214 / 0.2 = 4.142136. It stays at price 4.
        let answers = evaluate::<SpeedShare>(&OFFER, &[]);
        let near =
            |name: &str, wanted: f64| assert!((answers[name] - wanted).abs() < 1e-6, "{name}: {}", answers[name]);
        near("speed_share_after", 0.414_214);
        near("speed_share_revenue_ratio", 4.142_136);
        near("speed_share_breakeven_price_ratio", 4.0);
    }

    #[test]
    fn identities_and_limits() {
        let after = |changes: &[(&str, f64)]| evaluate::<SpeedShare>(&with(&OFFER, changes), &[])["speed_share_after"];
        for quality in [0.0, 0.7] {
            let offer = with(&OFFER, &[("speed_quality_gain", quality)]);
            let stays = evaluate::<SpeedShare>(&offer, &[])["speed_share_breakeven_price_ratio"];
            let there = evaluate::<SpeedShare>(&with(&offer, &[("speed_price_ratio", stays)]), &[]);
            assert!((there["speed_share_after"] - 0.2).abs() < 1e-15); // roundings
        }
        assert!(after(&[("speed_ratio", 5.0)]) > after(&[]));
        assert!(after(&[("speed_price_ratio", 2.1)]) < after(&[]));
        assert_eq!((after(&[("speed_share_before", 0.0)]), after(&[("speed_share_before", 1.0)])), (0.0, 1.0));
        assert!(after(&[("speed_price_sensitivity", 1000.0)]) > 1.0 - 1e-15);
        assert!(after(&[("speed_price_sensitivity", 1000.0), ("speed_price_ratio", 1e6)]) < 1e-300);
        // The elasticity is -β (1 - share): -1.2 here.
        let step = after(&[("speed_price_ratio", 2.0 * 1.000_001)]) / after(&[("speed_price_ratio", 2.0 / 1.000_001)]);
        assert!((core_math::log(step) / core_math::log(1.000_001) / 2.0 + 1.5 * (1.0 - after(&[]))).abs() < 1e-9);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let offer = with(&OFFER, &[("speed_quality_gain", 0.3)]);
        check_derivatives::<SpeedShare>(Case { values: &offer, choices: &[] }, &[]);
    }
}
