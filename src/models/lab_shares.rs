//! The lines of a lab's account as shares, where they are known in dollars, and revenue where only tokens are.
//!
//!     share = line / revenue;   free users: their inference / all inference
//!     revenue = cached · price + input · price + output · price
//!
//! Definitions. Revenue at list prices is a ceiling: DeepSeek's 562,027 USD a day (open-infra-index, day 6, February 2025)
//! counts every token as billed, and its own account says that much less was.

use crate::variable::{HUGE, NONE, choices, model};

choices!(
    /// Whether the lines are possible.
    LabSharesStatus { Ok "ok", FreeAboveAll "free_above_all" }
);

model! {
    /// The lines of a lab's account as shares of its revenue.
    LabShares = "lab_shares";
    inputs {
        /// Cost of all inference, free users included.
        lab_inference_usd: number "USD" [0.0, 1e15], default NONE, typical [1e8, 2e10], Leak "OpenAI 1.8 bn in 2024, 8.4 in 2025";
        /// Cost of inference for free users.
        lab_free_inference_usd: number "USD" [0.0, 1e15], default NONE, typical [1e7, 5e9], Judgement "not published";
        /// Fees to hosts, stores and payment services.
        lab_host_fee_usd: number "USD" [0.0, 1e15], default NONE, typical [1e6, 1e9], Judgement "1 to 6 % of revenue";
        /// Support, sales, marketing and administration.
        lab_support_usd: number "USD" [0.0, 1e15], default NONE, typical [1e7, 1e10], Leak "OpenAI H1 2025: sales and marketing 2.0 of 4.3 bn";
        /// Training of the models that are sold.
        lab_training_usd: number "USD" [0.0, 1e15], default NONE, typical [1e8, 2e10], Leak "OpenAI 2024: 3.0 bn";
        /// Compute of research beside the training of models that are sold.
        lab_research_compute_usd: number "USD" [0.0, 1e15], default NONE, typical [1e7, 1e10], Leak "OpenAI 2024: 1.0 bn amortized, 2.0 incurred by Epoch AI's reading";
        /// Staff.
        lab_staff_usd: number "USD" [0.0, 1e15], default NONE, typical [1e7, 1e10], Judgement "8 to 60 % of revenue";
    }
    choices {}
    reads { lab_revenue_usd }
    outputs {
        /// Cost of all inference over revenue.
        lab_inference_share: "1" [0.0, HUGE];
        /// Inference for free users over all inference.
        lab_free_inference_share: "1" [0.0, 1.0];
        /// Fees to hosts, stores and payment services over revenue.
        lab_host_fee_share: "1" [0.0, HUGE];
        /// Support, sales, marketing and administration over revenue.
        lab_support_share: "1" [0.0, HUGE];
        /// Training over revenue.
        lab_training_share: "1" [0.0, HUGE];
        /// Research compute over revenue.
        lab_research_compute_share: "1" [0.0, HUGE];
        /// Staff over revenue.
        lab_staff_share: "1" [0.0, HUGE];
    }
    summaries {}
    statuses {
        /// Whether free users cost more than all users, which leaves no share.
        lab_shares_status: LabSharesStatus;
    }
    equations(x, given) {
        let lab_inference_share = given.lab_inference_share(x.lab_inference_usd / x.lab_revenue_usd);
        // No inference has no free part; a part above the whole has no meaning.
        let possible = x.lab_free_inference_usd.le(x.lab_inference_usd);
        let some = N::zero().lt(x.lab_inference_usd);
        let part = x.lab_free_inference_usd / N::select(some, x.lab_inference_usd, N::one());
        let lab_free_inference_share = given.lab_free_inference_share(N::select(possible, part, N::of(f64::NAN)));
        let lab_host_fee_share = given.lab_host_fee_share(x.lab_host_fee_usd / x.lab_revenue_usd);
        let lab_support_share = given.lab_support_share(x.lab_support_usd / x.lab_revenue_usd);
        let lab_training_share = given.lab_training_share(x.lab_training_usd / x.lab_revenue_usd);
        let lab_research_compute_share = given.lab_research_compute_share(x.lab_research_compute_usd / x.lab_revenue_usd);
        let lab_staff_share = given.lab_staff_share(x.lab_staff_usd / x.lab_revenue_usd);
        let lab_shares_status =
            N::select(possible, LabSharesStatus::Ok.number(), LabSharesStatus::FreeAboveAll.number());
        Outputs {
            lab_inference_share, lab_free_inference_share, lab_host_fee_share, lab_support_share, lab_training_share,
            lab_research_compute_share, lab_staff_share, lab_shares_status,
        }
    }
}

/// Revenue from tokens.
pub mod tokens {
    use crate::variable::{NONE, model};

    const TOKENS_PER_MTOK: f64 = 1e6;

    model! {
        /// Revenue of tokens at their prices.
        LabTokens = "lab_tokens";
        inputs {
            /// Input tokens of the period that were found in a cache.
            lab_cached_tokens: number "1" [0.0, 1e21], default NONE, typical [1e11, 1e15], VendorClaim "DeepSeek, 24 h in February 2025: 342 bn";
            /// Other input tokens of the period.
            lab_input_tokens: number "1" [0.0, 1e21], default NONE, typical [1e11, 1e15], VendorClaim "DeepSeek, 24 h in February 2025: 266 bn";
            /// Output tokens of the period.
            lab_output_tokens: number "1" [0.0, 1e21], default NONE, typical [1e11, 1e15], VendorClaim "DeepSeek, 24 h in February 2025: 168 bn";
            /// Price of cached input.
            lab_cached_usd_per_mtok: number "USD/Mtok" [0.0, 1e9], default NONE, typical [0.01, 2.0], ListPrice "DeepSeek R1: 0.14";
            /// Price of other input.
            lab_input_usd_per_mtok: number "USD/Mtok" [0.0, 1e9], default NONE, typical [0.1, 15.0], ListPrice "DeepSeek R1: 0.55";
            /// Price of output.
            lab_output_usd_per_mtok: number "USD/Mtok" [0.0, 1e9], default NONE, typical [0.4, 75.0], ListPrice "DeepSeek R1: 2.19";
        }
        choices {}
        reads {}
        outputs {
            /// Revenue of the period.
            lab_revenue_usd: "USD" [1e-6, 1e25];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let cached_usd = x.lab_cached_tokens / TOKENS_PER_MTOK * x.lab_cached_usd_per_mtok;
            let input_usd = x.lab_input_tokens / TOKENS_PER_MTOK * x.lab_input_usd_per_mtok;
            let output_usd = x.lab_output_tokens / TOKENS_PER_MTOK * x.lab_output_usd_per_mtok;
            let sold_usd = cached_usd + input_usd + output_usd;
            // Shares of no revenue are none.
            let some = N::zero().lt(sold_usd);
            let lab_revenue_usd = given.lab_revenue_usd(N::select(some, sold_usd, N::of(f64::NAN)));
            Outputs { lab_revenue_usd }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LabShares;
    use super::tokens::LabTokens;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const LINES: [(&str, f64); 8] = [
        ("lab_revenue_usd", 10.0),
        ("lab_inference_usd", 5.0),
        ("lab_free_inference_usd", 1.0),
        ("lab_host_fee_usd", 0.3),
        ("lab_support_usd", 2.0),
        ("lab_training_usd", 8.0),
        ("lab_research_compute_usd", 3.0),
        ("lab_staff_usd", 2.5),
    ];
    const TOKENS: [(&str, f64); 6] = [
        ("lab_cached_tokens", 342e9),
        ("lab_input_tokens", 266e9),
        ("lab_output_tokens", 168e9),
        ("lab_cached_usd_per_mtok", 0.14),
        ("lab_input_usd_per_mtok", 0.55),
        ("lab_output_usd_per_mtok", 2.19),
    ];

    #[test]
    fn shares_by_hand() {
        let shares = evaluate::<LabShares>(&LINES, &[]);
        assert_eq!(shares["lab_inference_share"], 0.5);
        assert_eq!(shares["lab_free_inference_share"], 0.2);
        assert_eq!(shares["lab_training_share"], 0.8);
        // All lines and revenue in another currency: the same shares.
        let doubled: Vec<_> = LINES.iter().map(|(name, usd)| (*name, usd * 2.0)).collect();
        assert_eq!(evaluate::<LabShares>(&doubled, &[])["lab_staff_share"], shares["lab_staff_share"]);
    }

    #[test]
    fn free_users_cost_no_more_than_all_users() {
        let none = with(&LINES, &[("lab_inference_usd", 0.0), ("lab_free_inference_usd", 0.0)]);
        assert_eq!(evaluate::<LabShares>(&none, &[])["lab_free_inference_share"], 0.0);
        let impossible = evaluate::<LabShares>(&with(&LINES, &[("lab_free_inference_usd", 6.0)]), &[]);
        assert!(impossible["lab_free_inference_share"].is_nan());
        assert_eq!(impossible["lab_shares_status"], 1.0);
    }

    #[test]
    fn a_day_of_tokens_by_hand() {
        // 342,000 · 0.14 + 266,000 · 0.55 + 168,000 · 2.19 = 47,880 + 146,300 + 367,920 = 562,100.
        let revenue = evaluate::<LabTokens>(&TOKENS, &[])["lab_revenue_usd"];
        assert!((revenue / 562_100.0 - 1.0).abs() < 1e-15); // five roundings
        let nothing = TOKENS.map(|(name, value)| (name, if name.ends_with("tokens") { 0.0 } else { value }));
        assert!(evaluate::<LabTokens>(&nothing, &[])["lab_revenue_usd"].is_nan());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<LabShares>(Case { values: &LINES, choices: &[] }, &[]);
        check_derivatives::<LabTokens>(Case { values: &TOKENS, choices: &[] }, &[]);
    }
}
