//! Where a lab earns and where it loses: its account of one period, line by line, under every way of drawing the lines.
//!
//!     gross         = 1 - inference · (1 - free) - [free users counted] inference · free - host fees - [share counted] share
//!     contribution  = gross - [free users not counted] inference · free - support
//!     operating     = contribution - training · a(L) - research compute · a(Lᵣ) - staff
//!     a(L)          = (1 - e^(-γL)) / (γL),  γ = ln(1 + growth);  1 where it is expensed (L = 0)
//!
//! Lines are shares of revenue. a(L) is what one year is charged of spending that is written off evenly over L years and grew
//! by γ: a lab that triples its spending and writes it off over a year charges 0.607 of what it spends.
//!
//! Four switches are disputed and none is wrong: free users as cost of revenue or as selling; a revenue share (OpenAI's to
//! Microsoft) as a cost, or left out of every subtotal as a payment to an investor; training expensed or written off over
//! 6, 12 or 24 months; research compute expensed or capitalized. The counts say how many of the 24 combinations of the four
//! (training over 6, 12 or 24 months) leave a subtotal positive. "Profitable on inference" is true under k of n definitions,
//! not true or false.
//!
//! Sources: OpenAI 2024, revenue 3.7, inference 1.8, training 3.0, amortized research 1.0 bn USD (Epoch AI, OpenAI compute
//! spend; The Information); gross margin per paying and per all users, Anthropic (The Information, November 2025). Left out:
//! taxes, interest, stock compensation beyond staff. Where a contract's host fee and revenue share overlap is the caller's.

use crate::finance::{MONTHS_PER_YEAR, present_value_of_flow};
use crate::number::Number;
use crate::variable::{HUGE, INFINITE, NONE, model};

/// Lives of a trained model that the counted definitions have.
const COUNTED_LIVES_MONTHS: [f64; 3] = [6.0, 12.0, 24.0];
const DEFINITIONS: f64 = 24.0;
const NEWTON_STEPS: u32 = 12;

#[inline(always)]
fn if_counted<N: Number>(counted: bool, share: N) -> N {
    if counted { share } else { N::zero() }
}

#[inline(always)]
fn one_if<N: Number>(mask: N::Mask) -> N {
    N::select(mask, N::one(), N::zero())
}

/// What a year is charged of this year's spending, written off evenly over `months`.
#[inline(always)]
fn charged_share<N: Number>(growth_log: N, months: N) -> N {
    let years = months / MONTHS_PER_YEAR;
    let written_off = N::zero().lt(years);
    let life = N::select(written_off, years, N::one());
    N::select(written_off, present_value_of_flow(growth_log, life) / life, N::one())
}

/// The x > 0 at which (1 - e^-x) / x is `share`, for a share in (0, 1).
///
/// By Newton's method from the right, where the concave 1 - e^-x - share · x makes every step smaller than the one before:
/// 1/share and, by Padé's approximation, 2/share - 2 both lie there. The last step carries the derivative.
#[inline(always)]
fn life_charged<N: Number>(share: N) -> N {
    let mut x = (N::one() / share).min(N::of(2.0) / share - 2.0).constant();
    let mut step = 0;
    while step <= NEWTON_STEPS {
        let last = step == NEWTON_STEPS;
        let fallen = (-x).exp_m1();
        let slope = fallen + 1.0 - share;
        let excess = -fallen - share * x;
        let next = x - excess / slope.constant();
        x = if last { next } else { next.constant() };
        step += 1;
    }
    x
}

model! {
    /// Where a lab earns and where it loses.
    Lab = "lab";
    inputs {
        /// Payment to an investor or partner by revenue, over revenue.
        lab_revenue_share: number "1" [0.0, 1.0], default NONE, typical [0.0, 0.2], Leak "OpenAI to Microsoft: 0.20";
        /// Months over which a training run is written off; 0 where it is expensed.
        lab_training_life_months: number "months" [0.0, 1200.0], default 0.0, typical [6.0, 24.0], Definition "expensed as it is spent";
        /// Months over which capitalized research compute is written off.
        lab_research_life_months: number "months" [0.0, 1200.0], default 36.0, typical [24.0, 60.0], Judgement "OpenAI amortizes over multiple years; Epoch AI infers two";
        /// Growth of spending on training and research compute.
        lab_compute_growth_per_year: number "1/year" [-0.99, 1000.0], default 0.0, typical [0.5, 9.0], Definition "constant spending";
    }
    choices {
        /// Whether inference of free users is cost of revenue; else it is a cost of selling.
        lab_count_free_users: bool = true, "all inference is cost of revenue";
        /// Whether the revenue share is a cost; else it is left out as a payment to an investor.
        lab_count_revenue_share: bool = true, "it is paid";
        /// Whether research compute is written off over its life; else it is expensed.
        lab_capitalize_research: bool = false, "expensed as it is spent";
    }
    reads {
        lab_revenue_usd lab_inference_share lab_free_inference_share lab_host_fee_share lab_support_share
        lab_training_share lab_research_compute_share lab_staff_share
    }
    outputs {
        /// Cost of revenue over revenue.
        lab_cost_of_revenue_share: "1" [0.0, HUGE];
        /// What is left of revenue after its cost.
        lab_gross_margin: "1" [-HUGE, 1.0];
        /// Profit over cost of revenue; infinite where nothing is spent.
        lab_gross_markup: "1" [-1.0, INFINITE];
        /// What is left after inference of free users and support, sales and administration.
        lab_contribution_margin: "1" [-HUGE, 1.0];
        /// Charge of the period for training, over revenue.
        lab_training_charge_share: "1" [0.0, HUGE];
        /// Charge of the period for research compute, over revenue.
        lab_research_charge_share: "1" [0.0, HUGE];
        /// What is left after training, research compute and staff.
        lab_operating_margin: "1" [-HUGE, 1.0];
        /// Revenue less its cost.
        lab_gross_usd: "USD" [-HUGE, HUGE];
        /// The same less inference of free users and support.
        lab_contribution_usd: "USD" [-HUGE, HUGE];
        /// The same less training, research compute and staff.
        lab_operating_usd: "USD" [-HUGE, HUGE];
        /// Revenue of a year over the training of the year before; null where next to nothing is spent on training.
        lab_revenue_multiple: "1" [0.0, HUGE];
    }
    summaries {
        /// Inference over revenue at which the gross margin is 0; infinite where inference is no cost of revenue.
        lab_breakeven_gross_inference_share: "1" [-HUGE, INFINITE];
        /// Inference over revenue at which the contribution is 0; below 0 where not even free inference is enough.
        lab_breakeven_contribution_inference_share: "1" [-HUGE, HUGE];
        /// Inference over revenue at which the operating result is 0; below 0 where not even free inference is enough.
        lab_breakeven_operating_inference_share: "1" [-HUGE, HUGE];
        /// Spending on training over revenue at which the operating result is 0; below 0 where not even free training is enough.
        lab_breakeven_training_share: "1" [-HUGE, HUGE];
        /// Shortest write-off of training at which the operating result is not negative; infinite where none is long enough.
        lab_breakeven_training_life_months: "months" [0.0, INFINITE];
        /// Of the 24 definitions, how many leave a gross profit.
        lab_gross_positive_count: "1" [0.0, DEFINITIONS];
        /// Of the 24 definitions, how many leave a positive contribution.
        lab_contribution_positive_count: "1" [0.0, DEFINITIONS];
        /// Of the 24 definitions, how many leave an operating profit.
        lab_operating_positive_count: "1" [0.0, DEFINITIONS];
        /// Of the 24 definitions, how many leave a gross profit and an operating loss.
        lab_earns_and_loses_count: "1" [0.0, DEFINITIONS];
    }
    statuses {}
    equations(x, given) {
        let free_share = x.lab_inference_share * x.lab_free_inference_share;
        let paid_share = x.lab_inference_share - free_share;
        let always_share = paid_share + x.lab_host_fee_share;
        let lab_cost_of_revenue_share = given.lab_cost_of_revenue_share(
            always_share
                + if_counted(x.lab_count_free_users, free_share)
                + if_counted(x.lab_count_revenue_share, x.lab_revenue_share),
        );
        let lab_gross_margin = given.lab_gross_margin(-lab_cost_of_revenue_share + 1.0);
        let some_cost = N::zero().lt(lab_cost_of_revenue_share);
        let markup = lab_gross_margin / N::select(some_cost, lab_cost_of_revenue_share, N::one());
        let lab_gross_markup = given.lab_gross_markup(N::select(some_cost, markup, N::of(INFINITE)));
        let sold_share = if_counted(!x.lab_count_free_users, free_share) + x.lab_support_share;
        let lab_contribution_margin = given.lab_contribution_margin(lab_gross_margin - sold_share);

        let growth_log = x.lab_compute_growth_per_year.ln_1p();
        let training_charged = charged_share(growth_log, x.lab_training_life_months);
        let research_charged = charged_share(growth_log, x.lab_research_life_months);
        let lab_training_charge_share = given.lab_training_charge_share(x.lab_training_share * training_charged);
        let research_used = if x.lab_capitalize_research { research_charged } else { N::one() };
        let lab_research_charge_share = given.lab_research_charge_share(x.lab_research_compute_share * research_used);
        let before_training = lab_contribution_margin - lab_research_charge_share - x.lab_staff_share;
        let lab_operating_margin = given.lab_operating_margin(before_training - lab_training_charge_share);
        let lab_gross_usd = given.lab_gross_usd(x.lab_revenue_usd * lab_gross_margin);
        let lab_contribution_usd = given.lab_contribution_usd(x.lab_revenue_usd * lab_contribution_margin);
        let lab_operating_usd = given.lab_operating_usd(x.lab_revenue_usd * lab_operating_margin);
        let trains = N::zero().lt(x.lab_training_share);
        let training_share = N::select(trains, x.lab_training_share, N::one());
        let multiple = (x.lab_compute_growth_per_year + 1.0) / training_share;
        let lab_revenue_multiple = given
            .lab_revenue_multiple(N::select(trains & multiple.lt(N::of(HUGE)), multiple, N::of(f64::NAN)));

        // Where a subtotal turns: each falls in proportion to inference, and the result in proportion to training.
        let counted_inference =
            if x.lab_count_free_users { N::one() } else { -x.lab_free_inference_share + 1.0 };
        let bites = N::zero().lt(counted_inference);
        let gross_room = lab_gross_margin / N::select(bites, counted_inference, N::one());
        let lab_breakeven_gross_inference_share =
            N::select(bites, x.lab_inference_share + gross_room, N::of(INFINITE));
        let lab_breakeven_contribution_inference_share = x.lab_inference_share + lab_contribution_margin;
        let lab_breakeven_operating_inference_share = x.lab_inference_share + lab_operating_margin;
        let room_for_training = lab_operating_margin + lab_training_charge_share;
        let lab_breakeven_training_share = room_for_training / training_charged;
        let bearable = room_for_training / training_share;
        let grows = N::zero().lt(growth_log);
        let within = N::zero().lt(bearable) & bearable.lt(N::one()) & grows & trains;
        let life = if given.wanted.lab_breakeven_training_life_months {
            life_charged(N::select(within, bearable, N::of(0.5)))
        } else {
            N::zero()
        };
        let life_years = life / N::select(grows, growth_log, N::one());
        let at_once = N::select(trains, training_share, N::zero()).le(room_for_training);
        let never_or_at_once = N::select(at_once, N::zero(), N::of(INFINITE));
        let lab_breakeven_training_life_months = N::select(within, life_years * MONTHS_PER_YEAR, never_or_at_once);

        // The 24 definitions.
        let wants_counts = given.wanted.lab_gross_positive_count
            || given.wanted.lab_contribution_positive_count
            || given.wanted.lab_operating_positive_count
            || given.wanted.lab_earns_and_loses_count;
        let (mut gross_count, mut contribution_count) = (N::zero(), N::zero());
        let (mut operating_count, mut both_count) = (N::zero(), N::zero());
        let mut l = 0;
        while wants_counts && l < COUNTED_LIVES_MONTHS.len() {
            let training = x.lab_training_share * charged_share(growth_log, N::of(COUNTED_LIVES_MONTHS[l]));
            let mut k = 0;
            while k < 8 {
                let (free, shared, capitalized) = (k & 1 == 0, k & 2 == 0, k & 4 == 0);
                let costs = always_share + if_counted(free, free_share) + if_counted(shared, x.lab_revenue_share);
                let gross = -costs + 1.0;
                let contribution = gross - if_counted(!free, free_share) - x.lab_support_share;
                let research = x.lab_research_compute_share * if capitalized { research_charged } else { N::one() };
                let operating = contribution - research - x.lab_staff_share - training;
                gross_count = gross_count + one_if::<N>(N::zero().lt(gross));
                contribution_count = contribution_count + one_if::<N>(N::zero().lt(contribution));
                operating_count = operating_count + one_if::<N>(N::zero().lt(operating));
                both_count = both_count + one_if::<N>(N::zero().lt(gross) & operating.lt(N::zero()));
                k += 1;
            }
            l += 1;
        }
        Outputs {
            lab_cost_of_revenue_share, lab_gross_margin, lab_gross_markup, lab_contribution_margin,
            lab_training_charge_share, lab_research_charge_share, lab_operating_margin, lab_gross_usd,
            lab_contribution_usd, lab_operating_usd, lab_revenue_multiple, lab_breakeven_gross_inference_share,
            lab_breakeven_contribution_inference_share, lab_breakeven_operating_inference_share,
            lab_breakeven_training_share, lab_breakeven_training_life_months, lab_gross_positive_count: gross_count,
            lab_contribution_positive_count: contribution_count, lab_operating_positive_count: operating_count,
            lab_earns_and_loses_count: both_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lab;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const OPENAI_2024: [(&str, f64); 9] = [
        ("lab_revenue_usd", 3.7e9),
        ("lab_inference_share", 1.8 / 3.7),
        ("lab_free_inference_share", 0.0),
        ("lab_host_fee_share", 0.0),
        ("lab_revenue_share", 0.2),
        ("lab_support_share", 0.0),
        ("lab_training_share", 3.0 / 3.7),
        ("lab_research_compute_share", 1.0 / 3.7),
        ("lab_staff_share", 0.0),
    ];
    const LAB: [(&str, f64); 10] = [
        ("lab_revenue_usd", 10.0),
        ("lab_inference_share", 0.5),
        ("lab_free_inference_share", 0.2),
        ("lab_host_fee_share", 0.03),
        ("lab_revenue_share", 0.2),
        ("lab_support_share", 0.1),
        ("lab_training_share", 0.16),
        ("lab_research_compute_share", 0.05),
        ("lab_staff_share", 0.02),
        ("lab_compute_growth_per_year", 2.0),
    ];

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}"); // nine digits of the hand's result
    }

    #[test]
    fn openai_2024_by_hand() {
        // (3.7 - 1.8) / 3.7 = 0.513514 before the share, 0.313514 after; 3.7 - 1.8 - 0.74 - 3.0 - 1.0 = -2.84 bn.
        let left_out = evaluate::<Lab>(&OPENAI_2024, &[("lab_count_revenue_share", "false")]);
        near(left_out["lab_gross_margin"], 1.9 / 3.7);
        let counted = evaluate::<Lab>(&OPENAI_2024, &[]);
        near(counted["lab_gross_margin"], 1.9 / 3.7 - 0.2);
        near(counted["lab_operating_usd"] / 1e9, -2.84);
    }

    #[test]
    fn a_year_of_tripling_by_hand() {
        // a(1 year) at growth 200 %: (1 - 1/3) / ln 3 = 0.6068261510. Gross 1 - 0.5 - 0.03 - 0.2 = 0.27, contribution 0.17.
        // Operating 0.17 - 0.16 · 0.606826151 - 0.05 - 0.02 = 0.00290781584.
        let answers = evaluate::<Lab>(&with(&LAB, &[("lab_training_life_months", 12.0)]), &[]);
        near(answers["lab_gross_margin"], 0.27);
        near(answers["lab_contribution_margin"], 0.17);
        near(answers["lab_operating_margin"], 0.002_907_815_84);
        near(answers["lab_breakeven_gross_inference_share"], 0.77);
        near(answers["lab_breakeven_contribution_inference_share"], 0.67);
        near(answers["lab_breakeven_training_share"], 0.1 / 0.606_826_151);
        near(answers["lab_revenue_multiple"], 3.0 / 0.16);
    }

    #[test]
    fn what_breaks_even_is_zero_there() {
        for free in ["true", "false"] {
            let choices = [("lab_count_free_users", free)];
            let base = with(&LAB, &[("lab_training_life_months", 9.0)]);
            let once = evaluate::<Lab>(&base, &choices);
            let at = |name: &'static str, value: f64| evaluate::<Lab>(&with(&base, &[(name, value)]), &choices);
            for (output, turns) in [
                ("lab_gross_margin", "lab_breakeven_gross_inference_share"),
                ("lab_contribution_margin", "lab_breakeven_contribution_inference_share"),
                ("lab_operating_margin", "lab_breakeven_operating_inference_share"),
            ] {
                near(at("lab_inference_share", once[turns])[output], 0.0);
            }
            near(at("lab_training_share", once["lab_breakeven_training_share"])["lab_operating_margin"], 0.0);
            let life = once["lab_breakeven_training_life_months"];
            assert!(life > 6.0 && life < 24.0, "{life}");
            near(at("lab_training_life_months", life)["lab_operating_margin"], 0.0);
        }
    }

    #[test]
    fn limits_and_counts() {
        // Constant spending is charged in full, however long it is written off.
        let still = evaluate::<Lab>(
            &with(&LAB, &[("lab_compute_growth_per_year", 0.0), ("lab_training_life_months", 24.0)]),
            &[],
        );
        near(still["lab_training_charge_share"], 0.16);
        assert_eq!(still["lab_breakeven_training_life_months"].to_bits(), f64::INFINITY.to_bits());
        // Gross is positive in all 24. Contribution is 0.17, or 0.37 without the share. Where the share is counted the
        // result is positive at 12 and 24 months (charges 0.0971, 0.0647) with research expensed and at 6, 12, 24 (0.1231)
        // with research at (1 - 1/27) / (3 ln 3) = 0.2922: 5 of 6; without the share always. Each for free users in or out.
        let counts = evaluate::<Lab>(&LAB, &[]);
        near(counts["lab_gross_positive_count"], 24.0);
        near(counts["lab_contribution_positive_count"], 24.0);
        near(counts["lab_operating_positive_count"], 22.0);
        near(counts["lab_earns_and_loses_count"], 2.0);
        let nothing = evaluate::<Lab>(&with(&LAB, &[("lab_training_share", 0.0)]), &[]);
        assert!(nothing["lab_revenue_multiple"].is_nan());
        assert_eq!(nothing["lab_breakeven_training_life_months"].to_bits(), 0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let counts = ["lab_gross_positive_count", "lab_contribution_positive_count", "lab_operating_positive_count"];
        let skip = [counts[0], counts[1], counts[2], "lab_earns_and_loses_count"];
        let values = with(&LAB, &[("lab_training_life_months", 9.0)]);
        let choices = [("lab_count_free_users", "false"), ("lab_capitalize_research", "true")];
        let tight = with(&values, &[("lab_staff_share", 0.06), ("lab_support_share", 0.12)]);
        check_derivatives::<Lab>(Case { values: &tight, choices: &choices }, &skip);
        check_derivatives::<Lab>(Case { values: &values, choices: &[] }, &skip);
    }
}
