//! How much of a GPU cluster falling costs strand, month by month: one vintage against those that come after it.
//!
//!     price        p = e^(-g t) · scarcity(t), in units of the full cost of compute when the vintage is bought
//!     scarcity     ln = ln(1+μ) 2^(-m/h) + ln(1+shock) 2^(-(m - m_shock)/h) from month m_shock on; m = month of purchase + age
//!     runs         while p > s (running cost); limited by power, until (p - s) < e(t) · (p - newest vintage's full cost)⁺
//!     value        V(t) = ∫ (p - s) e^(-ρ(u-t)) du over what is left of the time in which it runs
//!     cost         K = A(g+ρ, T) - s A(ρ, T), T = ln(1/s) / g: what it costs in competition, without scarcity, as foreseen
//!     stranded     max over year ends 1 to 10 of (book - V/K)⁺
//!
//! The newest vintage sets the price: its full cost falls at g, and scarcity lifts the price above it and fades with a
//! half-life. Prices are those at month ends and log-linear between; every integral is exact for them (`vintage.rs`). After 120 months
//! scarcity stays as it is and the rest is closed form. Without scarcity and without a limit of power this is `fleet_steady`,
//! and computed year by year.
//!
//! Where power is short a new machine earns e(t) times as much from a megawatt, less its full cost: the old one goes when
//! that is more. Without scarcity the newest vintage earns just its cost, and the rule is that of running cost.
//!
//! A row is one vintage. A fleet bought over time is a row for each month of purchase (fleet_vintage_months), each with its
//! own part of one path of scarcity; their dollars add. Unless fleet_foreseen_decline_per_year is given, the buyer foresaw the
//! fall: a stranded share is then a gap between books and market. Where it is given lower, fleet_npv_share is the loss.
//!
//! Sources: full cost and economic life as in Epoch AI's 1 GW data center (May 2026), running cost 0.9 of 8.5 bn USD a year;
//! retirement by the opportunity cost of power, CoreWeave; scarcity as a mean-reverting logarithm, Schwartz, Journal of
//! Finance 52 (1997). H100 rental fell from 8 to 1.70 USD an hour (June 2023 to October 2025) and rose to 2.35 by March 2026
//! (SemiAnalysis): a constant decline has no rise in it, scarcity that returns has. Left out: sale for scrap, contracts that
//! fix the price, and the facility, which outlives the machines.

use crate::finance::{
    MONTHS_PER_YEAR, YEARS_PER_MONTH, deferred_annuity, present_value_between, present_value_of_flow,
};
use crate::market::{HORIZON, HORIZON_MONTHS};
use crate::saving::months;
use crate::variable::{HUGE, INFINITE, NONE, model};
use crate::vintage::{Excess, FleetBook, FleetStatus, Scarcity, YEARS, book_share, life_years, value, value_by_year};

const _: () = assert!(HORIZON == 120, "the page says 120 months");
const MONTHS: usize = 12;
/// A price this far below running cost, in logarithms, is below it however both are rounded.
const SURELY: f64 = 1e-9;

model! {
    /// How much of a GPU cluster falling costs strand, month by month.
    Fleet = "fleet";
    inputs {
        /// Years over which books write the cluster off; of a declining balance, the mean life.
        fleet_book_life_years: number "years" [0.1, 100.0], default NONE, typical [4.0, 6.0], Measured "10-K filings: Amazon 5, Meta 5.5, Microsoft, Alphabet, Oracle and CoreWeave 6, Nebius 4";
        /// Years after which the machines are worn out.
        fleet_physical_life_years: number "years" [0.1, INFINITE], default INFINITE, typical [6.0, 12.0], Definition "they do not wear out";
        /// Hazard of a machine's failure.
        fleet_failure_per_year: number "1/year" [0.0, 10.0], default 0.0, typical [0.0, 0.09], Definition "no machine fails; 0.09 is one reading of Llama 3's interruptions";
        /// Month of the path of scarcity in which the cluster is bought.
        fleet_vintage_months: number "months" [0.0, 1200.0], default 0.0, typical [0.0, 60.0], Definition "the path begins with the purchase";
        /// Price above the newest vintage's full cost at the path's beginning, over that cost.
        fleet_scarcity_share: number "1" [-0.99, 100.0], default 0.0, typical [-0.3, 2.0], Definition "the price is the full cost";
        /// The same added in the month of the shock.
        fleet_shock_share: number "1" [-0.99, 100.0], default 0.0, typical [-0.3, 1.0], Definition "no shock";
        /// Month of the path in which scarcity is added.
        fleet_shock_months: number "months" [0.0, 1200.0], default 0.0, typical [0.0, 60.0], Definition "at the path's beginning";
        /// Months in which scarcity halves, in logarithms.
        fleet_scarcity_half_life_months: number "months" [0.1, INFINITE], default INFINITE, typical [3.0, 24.0], Definition "it stays";
        /// Growth of the work a new machine does with a watt.
        fleet_efficiency_growth_per_year: number "1/year" [-0.9, 10.0], default NONE, typical [0.2, 0.6], Measured "Epoch AI, Machine Learning Hardware: leading chips 50 % more efficient a year";
        /// Excess of books over the market value, over cost, from which on it is written down.
        fleet_writedown_trigger_share: number "1" [0.0, 1.0], default 0.0, typical [0.0, 0.3], Definition "any excess";
        /// Age for which value and price are asked.
        fleet_age_months: integer "months" [0.0, 120.0], default NONE, typical [12.0, 60.0], Definition "property of the question";
    }
    choices {
        /// How books write the cluster off.
        fleet_book: FleetBook = FleetBook::StraightLine, "as the 10-K filings of cloud companies do";
        /// Whether the site's power is what is short, so that a new machine must take an old one's place.
        fleet_power_limited: bool = false, "there is power for both";
    }
    reads {
        fleet_opex_share fleet_price_log_fall_per_year fleet_vintage_log_fall_per_year fleet_capex_usd
        discount_rate_per_year
    }
    outputs {
        /// Fall of the price that the buyer foresaw; as it comes, unless given.
        fleet_foreseen_decline_per_year: "1/year" [-22_000.0, 0.999_999_99];
        /// Market value over cost at the year end at which books exceed it most; null where it is unbounded.
        fleet_market_value_share: "1" [0.0, INFINITE];
        /// Book value over cost then.
        fleet_book_value_share: "1" [0.0, 1.0];
        /// Excess of books over market then, over cost; 0 where there is none.
        fleet_stranded_share: "1" [0.0, 1.0];
        /// The same in dollars.
        fleet_stranded_usd: "USD" [0.0, HUGE];
    }
    summaries {
        /// Years until the cluster stops for good; infinite if never.
        fleet_economic_life_years: "years" [0.0, INFINITE];
        /// Year end, 1 to 10, at which books exceed the market value most; infinite where they never do.
        fleet_writedown_year: "years" [1.0, INFINITE];
        /// First year end, 1 to 10, at which they do by more than the trigger; infinite if none.
        fleet_first_writedown_year: "years" [1.0, INFINITE];
        /// Present value of all the cluster earns over its cost, less 1.
        fleet_npv_share: "1" [-1.0, INFINITE];
        /// Price of compute at the age asked over that at the purchase.
        fleet_rent_ratio: "1" [0.0, INFINITE];
        /// Market value over cost at the age asked.
        fleet_value_at_age_share: "1" [0.0, INFINITE];
        /// Book value over cost at the age asked.
        fleet_book_at_age_share: "1" [0.0, 1.0];
    }
    statuses {
        /// Why there is no value: nothing ends the life and the discount rate does not exceed the rise of the price.
        fleet_status: FleetStatus;
    }
    equations(x, given) {
        let fall = x.fleet_price_log_fall_per_year;
        let rate = x.discount_rate_per_year.ln_1p();
        let risky_rate = rate + x.fleet_failure_per_year;
        let running = x.fleet_opex_share;
        let running_log = running.ln();
        let worn_out = x.fleet_physical_life_years;

        // Cost: what is earned back in competition under the fall foreseen.
        let foreseen = match given.fleet_foreseen_decline_per_year {
            Some(decline) => -(-decline).ln_1p(),
            None => fall,
        };
        let fleet_foreseen_decline_per_year = given.fleet_foreseen_decline_per_year(-(-foreseen).exp_m1());
        let foreseen_years = life_years(running, foreseen, worn_out);
        let cost = value(N::one(), running, foreseen, risky_rate, foreseen_years);

        // Without scarcity whole years are alike. A derivative by what there is none of takes the months all the same.
        let is_steady = x.fleet_scarcity_share.eq(N::zero()) & x.fleet_shock_share.eq(N::zero());
        let may_be_steady = !(x.fleet_power_limited || N::CARRIES);
        let asked_years = x.fleet_age_months / MONTHS_PER_YEAR;
        let mut market_by = [N::zero().save(); YEARS + 1];
        let mut asked_worth = N::zero();
        let mut fleet_economic_life_years = N::zero();
        let mut risen_log = N::zero();

        if !(may_be_steady && N::shortcut(is_steady)) {
            // Month by month: what a running machine earns in it, and until when it runs.
            let monthly_rate = risky_rate / MONTHS_PER_YEAR;
            let monthly_discount = (-monthly_rate).exp();
            let monthly_running = running * present_value_of_flow(monthly_rate, N::one());
            let worn_out_months = worn_out * MONTHS_PER_YEAR;
            let efficiency_path = if x.fleet_power_limited {
                (x.fleet_efficiency_growth_per_year.ln_1p() / MONTHS_PER_YEAR).exp()
            } else {
                N::one()
            };
            let monthly_vintage = (-(x.fleet_vintage_log_fall_per_year / MONTHS_PER_YEAR)).exp();
            let mut efficiency = N::one();
            let mut vintage_cost = N::one();
            let mut scarcity = Scarcity::new(
                x.fleet_scarcity_share,
                x.fleet_shock_share,
                x.fleet_vintage_months,
                x.fleet_shock_months,
                x.fleet_scarcity_half_life_months,
            );
            if given.wanted.fleet_rent_ratio {
                // As if bought then.
                let then = Scarcity::new(
                    x.fleet_scarcity_share,
                    x.fleet_shock_share,
                    x.fleet_vintage_months + x.fleet_age_months,
                    x.fleet_shock_months,
                    x.fleet_scarcity_half_life_months,
                );
                risen_log = then.log() - scarcity.log();
            }
            let mut price_log = scarcity.log();
            let mut price = price_log.exp();
            let mut lead = price - running - (price - vintage_cost).positive_part();
            let mut stands = N::one();
            let mut life_months = N::zero();
            let mut earned = months::<N>();
            let mut k = 0;
            while k < HORIZON {
                #[expect(clippy::cast_precision_loss, reason = "at most 120")]
                let (now, next) = (k as f64, (k + 1) as f64);
                scarcity.step(next);
                let fallen_log = fall * (next / MONTHS_PER_YEAR);
                let next_log = scarcity.log() - fallen_log;
                let next_price = next_log.exp();

                // The part of the month in which it runs.
                let runs = running.lt(price);
                let runs_next = running.lt(next_price);
                let crossing = (price_log - running_log) / (price_log - next_log);
                let mut begin = N::select(runs, N::zero(), N::select(runs_next, crossing, N::one()));
                let mut end = N::select(runs_next, N::one(), N::select(runs, crossing, N::zero()));
                if x.fleet_power_limited {
                    efficiency = efficiency * efficiency_path;
                    vintage_cost = vintage_cost * monthly_vintage;
                    let next_lead = next_price - running - efficiency * (next_price - vintage_cost).positive_part();
                    let stays = N::zero().le(next_lead);
                    let replaced = lead / (lead - next_lead);
                    let alive = stands.eq(N::one());
                    begin = N::zero();
                    end = N::select(alive, N::select(stays, N::one(), replaced), N::zero());
                    stands = N::select(stays, stands, N::zero());
                    lead = next_lead;
                }
                end = end.min((worn_out_months - now).positive_part());
                begin = begin.min(end);
                let length = end - begin;
                let works = N::zero().lt(length);
                life_months = N::select(works, end + now, life_months);

                // What it earns in it, exactly.
                let price_rate = price_log - next_log + monthly_rate;
                let whole = present_value_between(price, next_price * monthly_discount, price_rate) - monthly_running;
                let is_whole = length.eq(N::one());
                let earns = if N::shortcut(is_whole | length.le(N::zero())) {
                    whole
                } else {
                    let part = price * deferred_annuity(price_rate, begin, length)
                        - running * deferred_annuity(monthly_rate, begin, length);
                    N::select(is_whole, whole, part)
                };
                earned[k] = N::select(works, earns * YEARS_PER_MONTH, N::zero()).save();
                price_log = next_log;
                price = next_price;
                k += 1;

                // Where it never runs again all that follows is 0.
                let highest_log = scarcity.highest_log() - fallen_log;
                let priced_out = N::zero().le(fall) & highest_log.le(running_log - SURELY);
                if N::shortcut(priced_out | stands.eq(N::zero()) | worn_out_months.le(N::of(next))) {
                    break;
                }
            }

            // What is left after the horizon, with scarcity as it is then.
            let later_most_years = (worn_out - HORIZON_MONTHS / MONTHS_PER_YEAR).positive_part();
            let scarce_log = price_log - running_log;
            let falls = N::zero().lt(fall);
            let later_years = scarce_log.positive_part() / N::select(falls, fall, N::one());
            let later_years = N::select(falls, later_years.min(later_most_years), later_most_years);
            let still = running.lt(price) & stands.eq(N::one()) & N::zero().lt(later_years);
            let later = value(price, running, fall, risky_rate, later_years);
            let mut worth = N::select(still, later, N::zero());
            fleet_economic_life_years =
                N::select(still, later_years + HORIZON_MONTHS / MONTHS_PER_YEAR, life_months / MONTHS_PER_YEAR);

            // Backward: what a machine that still works is worth at the month's beginning, and at year ends what all are.
            asked_worth = worth;
            loop {
                if k.is_multiple_of(MONTHS) {
                    market_by[k / MONTHS] = worth.save();
                }
                if given.wanted.fleet_value_at_age_share {
                    #[expect(clippy::cast_precision_loss, reason = "at most 120")]
                    let asked = x.fleet_age_months.eq(N::of(k as f64));
                    asked_worth = N::select(asked, worth, asked_worth);
                }
                if k == 0 {
                    break;
                }
                k -= 1;
                worth = N::restore(earned[k]) + monthly_discount * worth;
            }
        }
        if may_be_steady {
            let years = life_years(running, fall, worn_out);
            let steady_by = value_by_year(running, fall, risky_rate, years);
            let mut k = 0;
            while k <= YEARS {
                market_by[k] = N::select(is_steady, N::restore(steady_by[k]), N::restore(market_by[k])).save();
                k += 1;
            }
            fleet_economic_life_years = N::select(is_steady, years, fleet_economic_life_years);
            if given.wanted.fleet_value_at_age_share {
                let price = (-(fall * asked_years)).exp();
                let left_years = (years - asked_years).positive_part();
                asked_worth =
                    N::select(is_steady, value(price, running, fall, risky_rate, left_years), asked_worth);
            }
        }
        let worth = N::restore(market_by[0]);
        let unknown = N::of(f64::NAN);
        let bounded = N::zero().lt(cost) & cost.lt(N::of(INFINITE)) & worth.lt(N::of(INFINITE));
        let survival = -x.fleet_failure_per_year;

        // Year ends: market value against books.
        let mut excess = Excess::none();
        let mut first_year = N::of(INFINITE);
        let mut k = 1;
        while k <= YEARS {
            #[expect(clippy::cast_precision_loss, reason = "at most 10")]
            let year = N::of(k as f64);
            let market = N::restore(market_by[k]) * (survival * year).exp() / cost;
            let book = book_share(x.fleet_book, year, x.fleet_book_life_years, rate);
            excess.look(year, market, book);
            let written_down = x.fleet_writedown_trigger_share.lt(book - market);
            first_year = first_year.min(N::select(written_down, year, N::of(INFINITE)));
            k += 1;
        }
        let fleet_market_value_share = given.fleet_market_value_share(N::select(bounded, excess.market, unknown));
        let fleet_book_value_share = given.fleet_book_value_share(N::select(bounded, excess.book, unknown));
        let fleet_stranded_share =
            given.fleet_stranded_share((fleet_book_value_share - fleet_market_value_share).positive_part());
        let fleet_stranded_usd = given.fleet_stranded_usd(x.fleet_capex_usd * fleet_stranded_share);

        let asked_share = asked_worth * (survival * asked_years).exp() / cost;
        Outputs {
            fleet_foreseen_decline_per_year, fleet_market_value_share, fleet_book_value_share, fleet_stranded_share,
            fleet_stranded_usd, fleet_economic_life_years,
            fleet_writedown_year: N::select(bounded, excess.year(), unknown),
            fleet_first_writedown_year: N::select(bounded, first_year, unknown),
            fleet_npv_share: N::select(bounded, worth / cost - 1.0, unknown),
            fleet_rent_ratio: (risen_log - fall * asked_years).exp(),
            fleet_value_at_age_share: N::select(bounded, asked_share, unknown),
            fleet_book_at_age_share: book_share(x.fleet_book, asked_years, x.fleet_book_life_years, rate),
            fleet_status: N::select(bounded, FleetStatus::Ok.number(), FleetStatus::Unbounded.number()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fleet;
    use crate::models::fleet_steady::FleetSteady;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const TREND: [(&str, f64); 8] = [
        ("fleet_opex_share", 0.106),
        ("fleet_price_log_fall_per_year", 0.356_674_943_938_732_4),
        ("fleet_vintage_log_fall_per_year", 0.356_674_943_938_732_4),
        ("fleet_book_life_years", 6.0),
        ("discount_rate_per_year", 0.105_170_918_075_647_6),
        ("fleet_capex_usd", 38e9),
        ("fleet_efficiency_growth_per_year", 0.5),
        ("fleet_age_months", 24.0),
    ];

    fn near(found: f64, wanted: f64, within: f64) {
        assert!((found - wanted).abs() < within, "{found} is not {wanted}");
    }

    #[test]
    fn thirty_per_cent_a_year_by_hand() {
        // Rates 0.356675 and 0.1 as intensities, T = 6.292. Market 61, 35, 18, 8, 2 % of cost, books 83, 67, 50, 33, 17 %.
        for (year, market, book) in [
            (1.0, 0.6114, 5.0 / 6.0),
            (2.0, 0.3513, 4.0 / 6.0),
            (3.0, 0.1825, 0.5),
            (4.0, 0.0790, 2.0 / 6.0),
            (5.0, 0.0226, 1.0 / 6.0),
        ] {
            let answers = evaluate::<Fleet>(&with(&TREND, &[("fleet_age_months", year * 12.0)]), &[]);
            near(answers["fleet_value_at_age_share"], market, 1e-4); // digits printed
            near(answers["fleet_book_at_age_share"], book, 1e-15);
            near(answers["fleet_economic_life_years"], 6.292, 1e-3);
            near(answers["fleet_stranded_share"], 0.5 - 0.1825, 1e-4);
            near(answers["fleet_npv_share"], 0.0, 1e-13); // 120 sums
            assert_eq!(answers["fleet_writedown_year"], 3.0);
            assert_eq!(answers["fleet_first_writedown_year"], 1.0);
            assert_eq!(answers["fleet_stranded_usd"], answers["fleet_stranded_share"] * 38e9);
        }
    }

    #[test]
    fn without_scarcity_it_is_the_closed_form() {
        for (opex, fall) in
            [(0.106, 0.36), (0.25, 0.1), (0.02, 0.9), (0.5, 0.01), (0.106, 0.0), (0.3, -0.05), (0.8, 3.0)]
        {
            for (rate, failure, worn_out) in [(0.1, 0.0, f64::INFINITY), (0.0, 0.0, 9.3), (0.2, 0.09, 14.0)] {
                let constant = [
                    ("fleet_opex_share", opex),
                    ("fleet_price_log_fall_per_year", fall),
                    ("discount_rate_per_year", rate),
                    ("fleet_failure_per_year", failure),
                    ("fleet_physical_life_years", worn_out),
                ];
                // The least there is of scarcity takes the months one by one.
                let scarce = [("fleet_scarcity_share", 1e-300)];
                let monthly = evaluate::<Fleet>(&with(&with(&TREND, &constant), &scarce), &[]);
                let yearly = evaluate::<Fleet>(&with(&TREND, &constant), &[]);
                let book = with(&constant, &[("fleet_book_life_years", 6.0)]);
                let closed = evaluate::<FleetSteady>(&book, &[]);
                // 120 sums of parts, and a cost that is a difference of two.
                for (name, steady) in [
                    ("fleet_economic_life_years", "fleet_steady_life_years"),
                    ("fleet_market_value_share", "fleet_steady_market_value_share"),
                    ("fleet_stranded_share", "fleet_steady_stranded_share"),
                ] {
                    for found in [monthly[name], yearly[name]] {
                        let wanted = closed[steady];
                        assert!(
                            found == wanted || (found - wanted).abs() < 1e-11 * wanted.max(1.0),
                            "{name} {opex} {fall}: {found} {wanted}"
                        );
                    }
                }
                for name in ["fleet_npv_share", "fleet_value_at_age_share", "fleet_rent_ratio"] {
                    assert!(
                        (monthly[name] - yearly[name]).abs() < 1e-11 * yearly[name].max(1.0),
                        "{name} {opex} {fall}"
                    );
                }
                assert_eq!(monthly["fleet_writedown_year"], closed["fleet_steady_writedown_year"]);
                assert_eq!(yearly["fleet_writedown_year"], closed["fleet_steady_writedown_year"]);
            }
        }
    }

    #[test]
    fn rents_fall_and_rise_again() {
        // H100: 8 USD an hour in June 2023, 1.70 in October 2025, 2.35 in March 2026; purchase prices fell 14 % a year.
        // Scarcity 2.31 with a half-life of 3.7 months leaves e^(-1.197 (1 - 2^(-28/3.7))) · 0.86^(28/12) = 0.2137 of the
        // rent after 28 months: 1.71. A shock of 48 % in month 33 lifts it to 2.35 or so.
        let at = |months: f64, shock: f64| {
            let path = [
                ("fleet_price_log_fall_per_year", -core_math::log(0.86)),
                ("fleet_scarcity_share", 2.31),
                ("fleet_scarcity_half_life_months", 3.7),
                ("fleet_shock_months", 33.0),
                ("fleet_shock_share", shock),
                ("fleet_age_months", months),
            ];
            evaluate::<Fleet>(&with(&TREND, &path), &[])["fleet_rent_ratio"] * 8.0
        };
        near(at(0.0, 0.48), 8.0, 1e-14);
        near(at(28.0, 0.48), 1.71, 0.005);
        near(at(33.0, 0.48), 2.35, 0.02);
        assert!(at(33.0, 0.0) < at(28.0, 0.0));
    }

    #[test]
    fn scarce_power_retires_early_only_where_compute_is_scarce() {
        let limited = [("fleet_power_limited", "true")];
        let life = |changes: &[(&str, f64)], choices: &[(&str, &str)]| {
            evaluate::<Fleet>(&with(&TREND, changes), choices)["fleet_economic_life_years"]
        };
        // Without scarcity a new machine earns just its cost. Straight instead of exponential within the last month.
        near(life(&[], &limited), life(&[], &[]), 1e-3);
        // At a lasting scarcity of 0.2: 1.2 q - 0.106 = 1.5^t · 0.2 q, q = 0.7^t. At t = 3.5 0.238369 against 0.237243, at 4
        // 0.182120 against 0.243101; they meet at 3.508395.
        near(life(&[("fleet_scarcity_share", 0.2)], &limited), 3.508_395, 3e-4); // the chord of a month: (D″/D′) / 12² / 8
        assert!(life(&[("fleet_scarcity_share", 0.2)], &[]) > 6.7);
    }

    #[test]
    fn limits_and_monotonicity() {
        let at = |changes: &[(&str, f64)]| evaluate::<Fleet>(&with(&TREND, changes), &[]);
        // A machine that stands in a glut and is switched on again when the glut fades.
        let glut = at(&[("fleet_scarcity_share", -0.95), ("fleet_scarcity_half_life_months", 6.0)]);
        assert!(glut["fleet_npv_share"] < -0.2 && glut["fleet_economic_life_years"] > 5.0);
        assert!(at(&[("fleet_scarcity_share", 0.5)])["fleet_npv_share"] > 0.5);
        // Who foresaw half the fall paid too much.
        let surprised = at(&[("fleet_foreseen_decline_per_year", 0.15)]);
        assert!(surprised["fleet_npv_share"] < -0.2);
        assert!(surprised["fleet_stranded_share"] > at(&[])["fleet_stranded_share"]);
        // A later vintage sees the shock at another age: bought in its month, it is there at the purchase.
        let shock =
            [("fleet_shock_months", 10.0), ("fleet_shock_share", 1.0), ("fleet_scarcity_half_life_months", 12.0)];
        let bought_then = at(&with(&shock, &[("fleet_vintage_months", 10.0), ("fleet_age_months", 12.0)]));
        near(bought_then["fleet_rent_ratio"], 0.7 * core_math::rsqrt(2.0), 1e-12);
        let worn = at(&[("fleet_physical_life_years", 2.0)]);
        assert_eq!((worn["fleet_economic_life_years"], worn["fleet_value_at_age_share"]), (2.0, 0.0));
        let trigger = at(&[("fleet_writedown_trigger_share", 0.3)]);
        assert_eq!(trigger["fleet_first_writedown_year"], 2.0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let path = [
            ("fleet_scarcity_share", 0.4),
            ("fleet_scarcity_half_life_months", 9.0),
            ("fleet_shock_share", 0.3),
            ("fleet_shock_months", 20.3),
            ("fleet_vintage_months", 5.1),
            ("fleet_failure_per_year", 0.05),
            ("fleet_physical_life_years", 30.0),
        ];
        let case = with(&TREND, &path);
        let skip = ["fleet_writedown_year", "fleet_first_writedown_year"];
        for (book, limited) in [("straight_line", "false"), ("declining_balance", "true"), ("annuity", "false")] {
            let choices = [("fleet_book", book), ("fleet_power_limited", limited)];
            check_derivatives::<Fleet>(Case { values: &case, choices: &choices }, &skip);
        }
    }
}
