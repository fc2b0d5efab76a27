//! How much of a cluster falling costs strand, in closed form: prices that fall at one rate for ever.
//!
//!     T = ln(1/s) / g                              economic life, s the running cost over the first price
//!     V(t) = e^(-gt) A(g+ρ, T-t) - s A(ρ, T-t)     market value; A(x, T) = (1 - e^(-xT)) / x
//!     stranded = max over year ends 1 to 10 of (book - V(t)/V(0))⁺
//!
//! The limit of `fleet` without scarcity, without a limit of power and with books in a straight line; it agrees with the
//! monthly model to rounding. Equations: `vintage.rs`. At a decline of 30 % a year, a discount of 10 % and six years of book life the market values
//! are 61, 35, 18, 8 and 2 % of cost where the books say 83, 67, 50, 33 and 17, and the machine still runs in its seventh
//! year: a long physical life and a large write-down are both true.
//!
//! The first price pays for the fall that follows, so that V(0) is the cost. A stranded share is then a gap between books
//! and market, not a loss: who foresaw the fall has earned it back in the first years' prices.

use crate::variable::{INFINITE, model};
use crate::vintage::{Excess, FleetStatus, YEARS, life_years, value};

model! {
    /// How much of a cluster falling costs strand, at a constant rate.
    FleetSteady = "fleet_steady";
    inputs {}
    choices {}
    reads {
        fleet_opex_share fleet_price_log_fall_per_year fleet_book_life_years fleet_physical_life_years
        fleet_failure_per_year discount_rate_per_year
    }
    outputs {
        /// Years until the price has fallen to the running cost; infinite if never.
        fleet_steady_life_years: "years" [0.0, INFINITE];
        /// Market value over cost at the year end at which books exceed it most; null where it is unbounded.
        fleet_steady_market_value_share: "1" [0.0, INFINITE];
        /// Book value over cost then.
        fleet_steady_book_value_share: "1" [0.0, 1.0];
        /// Excess of books over market then, over cost; 0 where there is none.
        fleet_steady_stranded_share: "1" [0.0, 1.0];
    }
    summaries {
        /// Year end, 1 to 10, at which books exceed the market value most; infinite where they never do.
        fleet_steady_writedown_year: "years" [1.0, INFINITE];
    }
    statuses {
        /// Why there is no value: nothing ends the life and the discount rate does not exceed the rise of the price.
        fleet_steady_status: FleetStatus;
    }
    equations(x, given) {
        let fall = x.fleet_price_log_fall_per_year;
        let rate = x.discount_rate_per_year.ln_1p() + x.fleet_failure_per_year;
        let cost_of_running = x.fleet_opex_share;
        let economic_years = life_years(cost_of_running, fall, x.fleet_physical_life_years);
        let fleet_steady_life_years = given.fleet_steady_life_years(economic_years);
        let cost = value(N::one(), cost_of_running, fall, rate, fleet_steady_life_years);
        let bounded = N::zero().lt(cost) & cost.lt(N::of(INFINITE));
        let mut excess = Excess::none();
        let mut k = 1;
        while k <= YEARS {
            #[expect(clippy::cast_precision_loss, reason = "at most 10")]
            let year = N::of(k as f64);
            let left = (fleet_steady_life_years - year).positive_part();
            // What has failed is worth nothing, and its loss is in the rate of those that live.
            let survives = (-(x.fleet_failure_per_year * year)).exp();
            let market = survives * value((-(fall * year)).exp(), cost_of_running, fall, rate, left) / cost;
            let market = N::select(N::zero().lt(left), market, N::zero());
            let book = (-(year / x.fleet_book_life_years) + 1.0).positive_part();
            excess.look(year, market, book);
            k += 1;
        }
        let fleet_steady_market_value_share =
            given.fleet_steady_market_value_share(N::select(bounded, excess.market, N::of(f64::NAN)));
        let fleet_steady_book_value_share =
            given.fleet_steady_book_value_share(N::select(bounded, excess.book, N::of(f64::NAN)));
        let gap = fleet_steady_book_value_share - fleet_steady_market_value_share;
        let fleet_steady_stranded_share = given.fleet_steady_stranded_share(gap.positive_part());
        Outputs {
            fleet_steady_life_years, fleet_steady_market_value_share, fleet_steady_book_value_share,
            fleet_steady_stranded_share,
            fleet_steady_writedown_year: N::select(bounded, excess.year(), N::of(f64::NAN)),
            fleet_steady_status: N::select(bounded, FleetStatus::Ok.number(), FleetStatus::Unbounded.number()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FleetSteady;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const TREND: [(&str, f64); 4] = [
        ("fleet_opex_share", 0.106),
        ("fleet_price_log_fall_per_year", 0.356_674_943_938_732_4),
        ("fleet_book_life_years", 6.0),
        ("discount_rate_per_year", 0.10),
    ];

    #[test]
    fn thirty_per_cent_a_year() {
        // ρ = ln 1.1 = 0.0953102, T = 6.292329, cost A(0.4519851, T) - 0.106 A(0.0953102, T) = 2.083719 - 0.501624 = 1.582095.
        // Year 3: 0.343 · 1.712877 - 0.106 · 2.825820 = 0.287980: 0.182025 of cost against books of 0.5, the largest gap.
        let answers = evaluate::<FleetSteady>(&TREND, &[]);
        assert!((answers["fleet_steady_life_years"] - 6.292).abs() < 1e-3); // digits printed
        assert!((answers["fleet_steady_market_value_share"] - 0.182_025).abs() < 1e-6);
        assert_eq!(answers["fleet_steady_book_value_share"], 0.5);
        assert!((answers["fleet_steady_stranded_share"] - (0.5 - 0.182_025)).abs() < 1e-6);
        assert_eq!(answers["fleet_steady_writedown_year"], 3.0);
    }

    #[test]
    fn limits_and_monotonicity() {
        let at = |changes: &[(&str, f64)]| evaluate::<FleetSteady>(&with(&TREND, changes), &[]);
        let mut last = 0.0;
        for fall in [0.1, 0.2, 0.3, 0.5, 0.8, 1.5] {
            let stranded = at(&[("fleet_price_log_fall_per_year", fall)])["fleet_steady_stranded_share"];
            assert!(stranded > last || (stranded == 0.0 && last == 0.0), "{stranded} at {fall}");
            last = stranded;
        }
        // A price that does not fall: the machine earns for ever as in the first year, its value stays.
        let still = at(&[("fleet_price_log_fall_per_year", 0.0)]);
        assert!(still["fleet_steady_life_years"].is_infinite());
        assert_eq!(still["fleet_steady_stranded_share"], 0.0);
        assert!((still["fleet_steady_market_value_share"] - 1.0).abs() < 1e-14);
        // One that rises as fast as it is discounted has no value that is a number, unless the machine wears out.
        let rising = [("fleet_price_log_fall_per_year", -0.2)];
        assert_eq!(at(&rising)["fleet_steady_status"], 1.0);
        assert!(at(&rising)["fleet_steady_stranded_share"].is_nan());
        assert_eq!(at(&with(&rising, &[("fleet_physical_life_years", 8.0)]))["fleet_steady_status"], 0.0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(&TREND, &[("fleet_failure_per_year", 0.05), ("fleet_physical_life_years", 30.0)]);
        check_derivatives::<FleetSteady>(Case { values: &case, choices: &[] }, &["fleet_steady_writedown_year"]);
    }
}
