//! What a chip programme earns in negotiation, deployed or not.
//!
//!     price without a threat   1 = c + (1-b)(w - c),  so w = c + (1-c)/(1-b)         all in units of the merchant's price
//!     price with one           p = c + (1-b)(min(w, max(own + switching, c)) - c)
//!     discount                 d = (1 - p)(1 - shortage)(1 - priced in)
//!     value                    d · spend · [q₁ from today to tape-out, q₂ from there for the contract's years], discounted
//!     threaten                 value - (fixed + burn until tape-out + masks), discounted
//!
//! c is the incumbent's unit cost, b the buyer's power (Nash 1950), w what the buyer would pay without an alternative, q the
//! credibility the incumbent gives the programme, by gate. The threat stops at tape-out: the price then agreed on holds for
//! the contract. Tape-out is at its mean month, overruns included: against the overrun's law the value is less than 0.1 %
//! off at the default overrun. Nothing counts beyond 120 months. In a shortage the seller's cost holds the rent of the scarce
//! package as well, which is the factor 1 - shortage. Allocation, being served earlier, counts only where it is stated.
//!
//! What the merchant price path holds already does not count again. Spending is at the path's prices. The own cost is set
//! against the path's price at launch (`own_cost`), so that a price which falls further leaves the price to be conceded where
//! it is and takes its fall off the discount. And a path that was drawn with the threat in it says by how much: the share
//! priced in. What own units displace earns no discount (`leverage_beside`).
//!
//! A shorter form takes the price for the willingness to pay, w = 1: a buyer with power then has a discount before it has
//! an option. Here the price is what that power has achieved already, and the discount is the option's part alone.
//! The anchor is OpenAI's fleet, some 30 % cheaper without one TPU deployed (SemiAnalysis, November 2025; disputed).

use crate::finance::{MONTHS_PER_YEAR, deferred_annuity, present_value_of_flow};
use crate::market::HORIZON_MONTHS;
use crate::variable::{HUGE, INFINITE, NONE, model};

model! {
    /// What a chip programme earns in negotiation, deployed or not.
    Leverage = "leverage";
    inputs {
        /// Spending on merchant chips a year that the bargain is about, before own units displace any.
        leverage_spend_usd_per_year: number "USD/year" [0.0, 1e16], default NONE, typical [0.5e9, 20e9], Leak "Anthropic's 2.7 bn of 2025 to a hyperscaler's";
        /// The incumbent's cost of a unit over its price, at the date of the bargain.
        leverage_marginal_cost_share: number "1" [0.0, 1.0], default 0.27, typical [0.18, 0.45], Estimate "gross margin of 70-75 %; B200 6,400 of 35,000 USD";
        /// Share of the gain from trade that the buyer gets.
        leverage_buyer_power: number "1" [0.0, 0.99], default 0.15, typical [0.0, 0.6], Judgement "small: one seller, many buyers";
        /// Cost of the own unit for the same work over the merchant's price, at launch.
        leverage_own_cost_share: number "1" [0.0, INFINITE], default NONE, typical [0.3, 1.1], Estimate "own unit price over the merchant's at launch";
        /// Cost of moving the work over, over the merchant's price.
        leverage_switching_share: number "1" [0.0, 1e6], default 0.15, typical [0.05, 0.35], Judgement "port, qualification and two stacks at once";
        /// Share of the discount conceded once the programme is announced.
        leverage_credibility_announced: number "1" [0.0, 1.0], default 0.1, typical [0.05, 0.2], Judgement "most announced programmes do not ship";
        /// Share of the discount conceded once it has taped out.
        leverage_credibility_tapeout: number "1" [0.0, 1.0], default 0.3, typical [0.3, 0.8], Judgement "silicon is to come, volume is not shown";
        /// Share of the price discount that scarcity of the merchant's chips takes away.
        leverage_shortage_share: number "1" [0.0, 1.0], default 0.0, typical [0.0, 1.0], Definition "supply is not short";
        /// Share of the discount that the stated merchant prices hold already.
        leverage_priced_in_share: number "1" [0.0, 1.0], default 0.0, typical [0.0, 1.0], Definition "the price path is one without the threat";
        /// Years for which the price agreed on at tape-out holds.
        leverage_contract_years: number "years" [0.0, 100.0], default 3.0, typical [1.0, 5.0], Judgement "supply agreements of one to five years";
        /// Months by which the incumbent delivers earlier.
        leverage_allocation_months: number "months" [0.0, 120.0], default 0.0, typical [0.0, 6.0], Definition "no earlier delivery is stated";
        /// What a month of earlier delivery earns.
        leverage_allocation_usd_per_month: number "USD/month" [0.0, 1e15], default 0.0, typical [0.0, 1e9], Definition "no earlier delivery is stated";
    }
    choices {}
    reads {
        chip_price_usd discount_rate_per_year programme_tapeout_months programme_overrun_shape programme_overrun_months
        programme_fixed_usd programme_mask_usd programme_burn_usd_per_month programme_nre_scale
    }
    outputs {
        /// Discount on the merchant's price for a buyer whose programme is fully believed.
        leverage_discount: "1" [0.0, 1.0];
        /// Price to which the incumbent would then come down, today.
        leverage_conceded_price_usd: "USD" [0.0, HUGE];
        /// Cost of the own unit over the merchant's price from which on there is no discount.
        leverage_own_cost_limit_share: "1" [0.0, HUGE];
        /// Present value of what the incumbent concedes to a programme that stops at tape-out.
        leverage_value_usd: "USD" [0.0, HUGE];
        /// Present value of the programme's cost up to its tape-out.
        leverage_cost_usd: "USD" [0.0, HUGE];
        /// Net present value of threatening: pay until tape-out, take the discount, stop.
        build_threaten_npv_usd: "USD" [-HUGE, HUGE];
    }
    summaries {
        /// Spending a year on merchant chips at which threatening is worth 0; infinite where nothing is conceded.
        leverage_breakeven_spend_usd: "USD" [0.0, INFINITE];
    }
    statuses {}
    equations(x, given) {
        let seller_share = -x.leverage_buyer_power + 1.0;
        let margin = -x.leverage_marginal_cost_share + 1.0;
        let willingness = x.leverage_marginal_cost_share + margin / seller_share;
        let leverage_own_cost_limit_share =
            given.leverage_own_cost_limit_share((willingness - x.leverage_switching_share).positive_part());

        // The seller does not go below its cost, and does not come down for an option dearer than the willingness to pay.
        let outside = x.leverage_own_cost_share + x.leverage_switching_share;
        let kept_margin = seller_share * (outside - x.leverage_marginal_cost_share).positive_part();
        let in_plenty = (margin - kept_margin).positive_part();
        let leverage_discount = given.leverage_discount(
            in_plenty * (-x.leverage_shortage_share + 1.0) * (-x.leverage_priced_in_share + 1.0),
        );
        let leverage_conceded_price_usd =
            given.leverage_conceded_price_usd(x.chip_price_usd * (-leverage_discount + 1.0));

        let horizon = N::of(HORIZON_MONTHS);
        let rate = x.discount_rate_per_year.ln_1p() / MONTHS_PER_YEAR;
        let mean_tapeout_months = x.programme_tapeout_months + x.programme_overrun_shape * x.programme_overrun_months;
        let tapeout_months = mean_tapeout_months.min(horizon);
        let contract_months = (x.leverage_contract_years * MONTHS_PER_YEAR).min(horizon - tapeout_months);
        let until_tapeout_months = present_value_of_flow(rate, tapeout_months);
        let in_contract_months = deferred_annuity(rate, tapeout_months, contract_months);
        let at_tapeout = (-(rate * tapeout_months)).exp();
        let at_tapeout = N::select(mean_tapeout_months.lt(horizon), at_tapeout, N::zero());

        let believed_years = (x.leverage_credibility_announced * until_tapeout_months
            + x.leverage_credibility_tapeout * in_contract_months)
            / MONTHS_PER_YEAR;
        let value_of_a_dollar_a_year = leverage_discount * believed_years;
        let allocation_usd = x.leverage_allocation_months * x.leverage_allocation_usd_per_month
            * x.leverage_credibility_tapeout
            * at_tapeout;
        let leverage_value_usd =
            given.leverage_value_usd(x.leverage_spend_usd_per_year * value_of_a_dollar_a_year + allocation_usd);
        let paid_usd = x.programme_fixed_usd
            + x.programme_burn_usd_per_month * until_tapeout_months
            + x.programme_mask_usd * at_tapeout;
        let leverage_cost_usd = given.leverage_cost_usd(x.programme_nre_scale * paid_usd);
        let build_threaten_npv_usd = given.build_threaten_npv_usd(leverage_value_usd - leverage_cost_usd);

        let lacking_usd = (leverage_cost_usd - allocation_usd).positive_part();
        let concedes = N::zero().lt(value_of_a_dollar_a_year);
        let spend_usd = lacking_usd / N::select(concedes, value_of_a_dollar_a_year, N::one());
        let nothing_lacks = lacking_usd.le(N::zero());
        let leverage_breakeven_spend_usd =
            N::select(concedes | nothing_lacks, spend_usd, N::of(INFINITE));
        Outputs {
            leverage_discount, leverage_conceded_price_usd, leverage_own_cost_limit_share, leverage_value_usd,
            leverage_cost_usd, build_threaten_npv_usd, leverage_breakeven_spend_usd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Leverage;
    use crate::models::own_cost::OwnCost;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    /// Tape-out in month 12, a contract of two years, no discounting.
    const PLAIN: [(&str, f64); 19] = [
        ("leverage_spend_usd_per_year", 4e9),
        ("leverage_marginal_cost_share", 0.25),
        ("leverage_buyer_power", 0.25),
        ("leverage_own_cost_share", 0.5),
        ("leverage_switching_share", 0.15),
        ("leverage_credibility_announced", 0.1),
        ("leverage_credibility_tapeout", 0.5),
        ("leverage_shortage_share", 0.5),
        ("leverage_contract_years", 2.0),
        ("leverage_allocation_months", 2.0),
        ("leverage_allocation_usd_per_month", 30e6),
        ("chip_price_usd", 40_000.0),
        ("discount_rate_per_year", 0.0),
        ("programme_tapeout_months", 9.0),
        ("programme_overrun_months", 1.5),
        ("programme_fixed_usd", 60e6),
        ("programme_mask_usd", 20e6),
        ("programme_burn_usd_per_month", 10e6),
        ("programme_nre_scale", 1.0),
    ];

    fn near(got: f64, wanted: f64) {
        assert!((got / wanted - 1.0).abs() < 1e-13, "{got}, not {wanted}"); // a few roundings
    }

    #[test]
    fn a_bargain_by_hand() {
        // w = 0.25 + 0.75 / 0.75 = 1.25. The option costs 0.65: price 0.25 + 0.75 · 0.4 = 0.55, discount 0.45, in the
        // shortage 0.225. Believed for 0.1 · 1 + 0.5 · 2 = 1.1 years: 4 bn · 0.225 · 1.1 = 990 M, and 2 · 30 · 0.5 = 30 M.
        // Paid 60 + 12 · 10 + 20 = 200 M. Break-even (200 - 30) / (0.225 · 1.1) = 686.87 M a year.
        let answers = evaluate::<Leverage>(&PLAIN, &[]);
        near(answers["leverage_own_cost_limit_share"], 1.1);
        near(answers["leverage_discount"], 0.225);
        near(answers["leverage_conceded_price_usd"], 31_000.0);
        near(answers["leverage_value_usd"], 1020e6);
        near(answers["leverage_cost_usd"], 200e6);
        near(answers["build_threaten_npv_usd"], 820e6);
        near(answers["leverage_breakeven_spend_usd"], 170e6 / 0.2475);
    }

    #[test]
    fn limits() {
        let of = |changes: &[(&str, f64)], name: &str| evaluate::<Leverage>(&with(&PLAIN, changes), &[])[name];
        // An option at or below the seller's cost, or without end dear; a shortage; a path that holds the threat.
        near(of(&[("leverage_own_cost_share", 0.1)], "leverage_discount"), 0.375);
        near(of(&[("leverage_own_cost_share", 0.0)], "leverage_discount"), 0.375);
        for none in [
            [("leverage_own_cost_share", 1.2)],
            [("leverage_own_cost_share", f64::INFINITY)],
            [("leverage_shortage_share", 1.0)],
            [("leverage_priced_in_share", 1.0)],
        ] {
            let changes = with(&[("leverage_allocation_months", 0.0)], &none);
            assert_eq!(of(&changes, "leverage_discount"), 0.0);
            assert_eq!(of(&changes, "leverage_value_usd"), 0.0);
            assert_eq!(of(&changes, "build_threaten_npv_usd"), -200e6);
            assert_eq!(of(&changes, "leverage_breakeven_spend_usd"), f64::INFINITY);
        }
        // What costs nothing needs no spending.
        assert_eq!(of(&[("programme_nre_scale", 0.0)], "leverage_breakeven_spend_usd"), 0.0);
        // Nothing beyond the horizon: tape-out at month 130 is never paid for, nor believed.
        let late = [("programme_tapeout_months", 127.0), ("leverage_contract_years", 50.0)];
        near(of(&late, "leverage_value_usd"), 4e9 * 0.225 * 0.1 * 10.0);
        near(of(&late, "leverage_cost_usd"), 60e6 + 1200e6);
    }

    #[test]
    fn the_breakeven_spend_breaks_even() {
        let discounted = with(&PLAIN, &[("discount_rate_per_year", 0.12)]);
        let spend = evaluate::<Leverage>(&discounted, &[])["leverage_breakeven_spend_usd"];
        let there = evaluate::<Leverage>(&with(&discounted, &[("leverage_spend_usd_per_year", spend)]), &[]);
        assert!(there["build_threaten_npv_usd"].abs() < 1e-13 * there["leverage_cost_usd"]); // the rounding of 200 M
    }

    #[test]
    fn the_discount_vanishes_at_the_limit() {
        let at = |own: f64| evaluate::<Leverage>(&with(&PLAIN, &[("leverage_own_cost_share", own)]), &[])["leverage_discount"];
        let limit = evaluate::<Leverage>(&PLAIN, &[])["leverage_own_cost_limit_share"];
        assert!(at(limit - 1e-9) > 0.0);
        assert!(at(limit + 1e-9) == 0.0);
    }

    #[test]
    fn a_price_that_falls_anyway_is_not_conceded_again() {
        // The whole gain is the seller's and switching is free: it concedes the own cost, wherever its own path has led.
        // 12,000 USD at launch in month 24 against 40,000 (1-d)² of the path.
        let conceded = |decline: f64| {
            let launch = [
                ("asic_unit_price_usd", 12_000.0),
                ("chip_price_usd", 40_000.0),
                ("build_merchant_decline_per_year", decline),
                ("programme_planned_months", 24.0),
                ("first_silicon_probability", 1.0),
                ("programme_overrun_months", 0.0),
            ];
            let own = evaluate::<OwnCost>(&launch, &[])["leverage_own_cost_share"];
            let bargain = [
                ("leverage_own_cost_share", own),
                ("leverage_buyer_power", 0.0),
                ("leverage_switching_share", 0.0),
                ("leverage_shortage_share", 0.0),
            ];
            let discount = evaluate::<Leverage>(&with(&PLAIN, &bargain), &[])["leverage_discount"];
            (discount, 40_000.0 * (1.0 - decline) * (1.0 - decline) * (1.0 - discount))
        };
        let mut last = 1.0;
        for decline in [0.0, 0.1, 0.2, 0.3, 0.4] {
            let (discount, price) = conceded(decline);
            near(price, 12_000.0);
            assert!(discount < last);
            last = discount;
        }
        // 40,000 · 0.5² is below 12,000: the path has given all there was.
        assert_eq!(conceded(0.5).0, 0.0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let discounted = with(&PLAIN, &[("discount_rate_per_year", 0.12), ("leverage_priced_in_share", 0.2)]);
        check_derivatives::<Leverage>(Case { values: &discounted, choices: &[] }, &[]);
    }
}
