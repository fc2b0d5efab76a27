//! How many units a chip for one kind of work must sell, against buying the newest universal chip.
//!
//!     a specialized chip does g times the work of today's universal chip, for good; universal ones improve as e^(ρ t),
//!     ρ = ln(1 + improvement a year)
//!     years T*:  g ∫ e^(-d t) dt = ∫ e^(ρ t) e^(-d t) dt  from 0 to T*    until then the specialized chip has done more
//!     horizon    T = min(T*, life)
//!     units n*:  unit price + NRE / n* = p ∫ e^(-d t) dt  from 0 to T     p: universal chips a year, for one
//!     some volume pays where the right side is above the unit price
//!
//! Source: Thompson and Spanuth, "The decline of computers as a general purpose technology", CACM 64(3), 2021: specialize if
//! the work done is no less over the time in which the series of universal chips costs as much. Their appendix was not
//! available. Undiscounted and without a life this is n* = K / (T* - T0), K = NRE / p, T0 = unit price / p; K = 1.2 million
//! and T0 = 2.0 years, fitted by us, give their four volumes within 3.5 % and that of the working paper of 2018 within 0.5 %.
//! Any NRE, p and unit price in these two ratios does.
//!
//! We add the life, since at 8 % a year the published T* is 84 years for a chip 100 times faster, and the discount rate d, an
//! intensity, on work and payments alike. Where d is above ρ a chip may be ahead for good. The NRE counts at the decision,
//! undiscounted. Left out: when the units sell (`build` has that), and power.

use crate::finance::present_value_of_flow;
use crate::number::Number;
use crate::variable::{INFINITE, NONE, choices, model};

choices!(
    /// Whether some volume pays, and if none does, why.
    SpecialStatus { Pays "pays", OvertakenTooSoon "overtaken_too_soon", LifeTooShort "life_too_short" }
);

/// Newton steps at most. Chips of our day take three or four, and what is ill-conditioned stops at rounding.
const MOST_STEPS: u32 = 64;

/// Years in which a flow of 1 a year, discounted with `rate`, is worth `amount`: -ln(1 - rate amount) / rate, infinite where
/// it never is. The inverse of `present_value_of_flow`.
#[inline(always)]
fn years_worth<N: Number>(rate: N, amount: N) -> N {
    let share = rate * amount;
    let worth = share.lt(N::one());
    let small = share.abs().lt(N::of(1e-3));
    // -ln(1 - u) / u; the next power is below 2e-16.
    let series = (((share * (1.0 / 5.0) + 0.25) * share + 1.0 / 3.0) * share + 0.5) * share + 1.0;
    let safe = N::select(worth, N::select(small, N::of(0.5), share), N::of(0.5));
    let years = amount * N::select(small, series, -(-safe).ln_1p() / safe);
    N::select(worth, years, N::of(f64::INFINITY))
}

/// What `years` exceed those in which universal chips do as much, and how that rises with them.
#[inline(always)]
fn excess_years<N: Number>(speedup: N, rate: N, discount: N, years: N) -> (N, N) {
    let work = speedup * present_value_of_flow(discount, years);
    let faster_now = speedup * (-(discount * years)).exp() / (-((discount - rate) * work) + 1.0);
    (years - years_worth(discount - rate, work), -faster_now + 1.0)
}

/// Years until universal chips that improve with `rate` have done as much as one `speedup` times faster, work discounted
/// with `discount`: infinite where they never have, 0 where they do from the first.
///
/// The root of h(T) = T - (years in which universal chips do what the specialized one does in T). With y = e^(dT) the slope
/// of the latter is g / ((1 - q) y + q), q = g (d - ρ) / d: it falls with T, so h is convex, h(0) = 0, and Newton's method
/// from above comes down to the root without passing it. Above it are the years for all the work there will ever be; and as
/// the mean of e^u on 0 to x = ρT, weighted with e^(-kx), k = d/ρ, is g at the root, above 1 + the mean of u, and that above
/// (1 - e^(-kx/2)) / k: twice the years that g - 1 is worth over ρ, discounted; undiscounted too while k is below 1.
#[inline(always)]
fn catch_up_years<N: Number>(speedup: N, rate: N, discount: N) -> N {
    let faster = N::one().lt(speedup);
    let still = rate.eq(N::zero());
    let g = N::select(faster, speedup, N::of(2.0));
    let rate = N::select(still, N::one(), rate);
    let undiscounted = discount.eq(N::zero());
    let for_ever = years_worth(discount - rate, g / N::select(undiscounted, N::one(), discount));
    let for_ever = N::select(undiscounted, N::of(f64::INFINITY), for_ever);
    let ahead_for_good = still | (rate.lt(discount) & for_ever.eq(N::of(f64::INFINITY)));
    let gained = (g - 1.0) / rate;
    let while_slow = N::select(discount.le(rate), gained * 2.0, N::of(f64::INFINITY));
    let above = (years_worth(discount, gained) * 2.0).min(for_ever).min(while_slow);

    let mut root = N::select(ahead_for_good, N::one(), above).constant();
    let mut settled = ahead_for_good;
    let mut step = 0;
    while step < MOST_STEPS && !N::all(settled) {
        let (excess, slope) = excess_years(g, rate, discount, root);
        let next = N::select(settled, root, root.min(root - excess / slope)).constant();
        settled = settled | (root - next).le(root * 1e-9);
        root = next;
        step += 1;
    }
    // One more carries the derivative.
    let (excess, slope) = excess_years(g, rate, discount, root);
    let rises = N::zero().lt(slope.constant());
    let years = N::select(rises, root - excess / N::select(rises, slope.constant(), N::one()), root);
    N::select(faster, N::select(ahead_for_good, N::of(f64::INFINITY), years), N::zero())
}

model! {
    /// How many units a specialized chip must sell, against buying the newest universal chip.
    Specialization = "specialization";
    inputs {
        /// Speed of the specialized or fixed chip over the universal or flexible one of its day, at its own work.
        special_speedup: number "1" [1e-3, 1e9], default NONE, typical [1.2, 100.0], VendorClaim "FAST 1.5 and Bitcoin miners 1.7 measured, Etched 11-22 and Taalas 8-74 claimed";
        /// Improvement of universal chips at equal price: as (1 + improvement)^years.
        special_improvement_per_year: number "1/year" [0.0, 1000.0], default NONE, typical [0.08, 0.48], Measured "Thompson and Spanuth 2021: 48 % in the decades before 2004, 8 % from 2008 to 2013";
        /// What it costs a year to stay on the newest universal chip, for one chip.
        special_universal_usd_per_year: number "USD/year" [1e-6, 1e12], default NONE, typical [25.0, 20_000.0], Estimate "price over the time until it is replaced";
        /// Years that the specialized chip can serve.
        special_life_years: number "years" [0.01, INFINITE], default INFINITE, typical [3.0, 8.0], Definition "no limit, as published";
        /// Discount rate of work and payments, as an intensity: e^(-rate years).
        special_discount_per_year: number "1/year" [0.0, 10.0], default 0.0, typical [0.0, 0.14], Definition "undiscounted, as published";
    }
    choices {}
    reads { programme_nre_usd asic_unit_price_usd }
    outputs {
        /// Years until the newest universal chips have done as much work in all; infinite where they never have.
        special_breakeven_years: "years" [0.0, INFINITE];
        /// Years over which the specialized chip is compared: until then, and no longer than its life.
        special_horizon_years: "years" [0.0, INFINITE];
        /// Units from which the specialized chip costs no more than the universal ones in its place; infinite where no volume pays.
        special_breakeven_units: "1" [0.0, INFINITE];
        /// Speed-up from which some volume pays; infinite where the life is too short for any.
        special_breakeven_speedup: "1" [1.0, INFINITE];
    }
    summaries {}
    statuses {
        /// Whether some volume pays, and if none does, why.
        special_status: SpecialStatus;
    }
    equations(x, given) {
        let rate = x.special_improvement_per_year.ln_1p();
        let discount = x.special_discount_per_year;
        let catch_up = if given.special_breakeven_years.is_none() {
            catch_up_years(x.special_speedup, rate, discount)
        } else {
            N::zero()
        };
        let special_breakeven_years = given.special_breakeven_years(catch_up);
        let special_horizon_years = given.special_horizon_years(special_breakeven_years.min(x.special_life_years));

        let for_good = special_horizon_years.eq(N::of(f64::INFINITY));
        let years = N::select(for_good, N::one(), special_horizon_years);
        let paid_years = N::select(for_good, N::one() / discount, present_value_of_flow(discount, years));
        let universal_usd = x.special_universal_usd_per_year * paid_years;
        let room_usd = universal_usd - x.asic_unit_price_usd;
        let pays = N::zero().lt(room_usd);
        let units = x.programme_nre_usd / N::select(pays, room_usd, N::one());
        let special_breakeven_units =
            given.special_breakeven_units(N::select(pays, units, N::of(f64::INFINITY)));

        // Universal chips cost the bare unit price after so long; the chip must be ahead until then.
        let price_years = years_worth(discount, x.asic_unit_price_usd / x.special_universal_usd_per_year);
        let outlasts = price_years.lt(x.special_life_years);
        let years = N::select(outlasts, price_years, N::one());
        let needed = present_value_of_flow((discount - rate) * years, N::one())
            / present_value_of_flow(discount * years, N::one());
        let special_breakeven_speedup =
            given.special_breakeven_speedup(N::select(outlasts, needed, N::of(f64::INFINITY)));

        let special_status = N::select(
            special_breakeven_units.lt(N::of(f64::INFINITY)),
            SpecialStatus::Pays.number(),
            N::select(outlasts, SpecialStatus::OvertakenTooSoon.number(), SpecialStatus::LifeTooShort.number()),
        );
        Outputs {
            special_breakeven_years, special_horizon_years, special_breakeven_units, special_breakeven_speedup,
            special_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Specialization;
    use crate::trial::{Answers, Case, check_derivatives, evaluate, gradient, with};

    /// Thompson and Spanuth: NRE over yearly cost 1.2 million, unit price over it 2 years.
    const CHIP: [(&str, f64); 5] = [
        ("special_speedup", 2.0),
        ("special_improvement_per_year", 0.48),
        ("programme_nre_usd", 30e6),
        ("special_universal_usd_per_year", 25.0),
        ("asic_unit_price_usd", 50.0),
    ];

    fn at(changes: &[(&'static str, f64)]) -> Answers {
        evaluate::<Specialization>(&with(&CHIP, changes), &[])
    }

    #[test]
    fn one_chip_by_hand() {
        // (e^x - 1) / x = 2 at x = 1.256431; ρ = ln 1.48 = 0.392042: 3.204838 years. 1.2 million / 1.204838 = 995,985.
        // Some volume pays from (e^0.784084 - 1) / 0.784084 = 1.518204 on.
        let answers = at(&[]);
        assert!((answers["special_breakeven_years"] - 3.204_84).abs() < 5e-6);
        assert!((answers["special_breakeven_units"] / 995_985.0 - 1.0).abs() < 1e-5); // digits of the years
        assert!((answers["special_breakeven_speedup"] - 1.518_204).abs() < 5e-6);
    }

    #[test]
    fn the_work_done_by_then_is_equal() {
        for (speedup, improvement, discount) in [
            (1.000_1, 0.48, 0.0),
            (1.5, 0.08, 0.2),
            (100.0, 0.08, 0.0),
            (100.0, 0.48, 0.05),
            (1e6, 9.0, 1.7),
            (1e9, 1e-6, 0.0),
            (30.0, 0.5, 0.405_465_108_108_164_4), // a discount rate of ln 1.5
        ] {
            let years = at(&[
                ("special_speedup", speedup),
                ("special_improvement_per_year", improvement),
                ("special_discount_per_year", discount),
            ])["special_breakeven_years"];
            // By Simpson's rule on 4,000 parts.
            let rate = core_math::log(1.0 + improvement);
            let (parts, mut special, mut universal) = (4000_u16, 0.0, 0.0);
            for part in 0..=parts {
                let weight = if part == 0 || part == parts {
                    1.0
                } else if part % 2 == 1 {
                    4.0
                } else {
                    2.0
                };
                let t = years * f64::from(part) / f64::from(parts);
                special += weight * speedup * core_math::exp(-discount * t);
                universal += weight * core_math::exp((rate - discount) * t);
            }
            assert!((special / universal - 1.0).abs() < 1e-8, "{speedup} {improvement}: {years}"); // (y / 4000)⁴ / 180
        }
    }

    #[test]
    fn lives_discounts_and_what_never_pays() {
        let [pays, overtaken, short] = [0.0, 1.0, 2.0_f64].map(f64::to_bits);
        // A life below 3.2 years is the horizon: 30 M / (25 · 2.5 - 50).
        let lived = at(&[("special_life_years", 2.5)]);
        assert_eq!(lived["special_breakeven_units"].to_bits(), 2.4e6_f64.to_bits());
        assert_eq!(lived["special_status"].to_bits(), pays);
        let too_short = at(&[("special_life_years", 2.0)]);
        assert!(too_short["special_breakeven_units"].is_infinite());
        assert!(too_short["special_breakeven_speedup"].is_infinite());
        assert_eq!(too_short["special_status"].to_bits(), short);
        let slow = at(&[("special_speedup", 1.5)]);
        assert!(slow["special_breakeven_units"].is_infinite());
        assert_eq!(slow["special_status"].to_bits(), overtaken);
        assert_eq!(at(&[("special_speedup", 1.0)])["special_breakeven_years"].to_bits(), 0);
        // Just above the break-even speed-up some volume pays, just below none does.
        let edge = at(&[("special_discount_per_year", 0.07)])["special_breakeven_speedup"];
        for (share, status) in [(1.0 + 1e-9, pays), (1.0 - 1e-9, overtaken)] {
            let there = at(&[("special_discount_per_year", 0.07), ("special_speedup", edge * share)]);
            assert_eq!(there["special_status"].to_bits(), status, "{share}");
        }
        // Ahead for good: work without improvement, or discounted faster than universal chips improve.
        let still = at(&[("special_improvement_per_year", 0.0)]);
        assert!(still["special_breakeven_years"].is_infinite());
        assert_eq!(still["special_breakeven_units"].to_bits(), 0);
        // 2 / 0.5 against 1 / (0.5 - 0.392): ahead at 4 years' worth only where the latter is less.
        assert!(at(&[("special_discount_per_year", 0.5)])["special_breakeven_years"].is_finite());
        let impatient = at(&[("special_discount_per_year", 0.8)]);
        assert!(impatient["special_breakeven_years"].is_infinite());
        // 25 / 0.8 = 31.25 for good is below the unit price.
        assert_eq!(impatient["special_status"].to_bits(), short);
    }

    #[test]
    fn faster_chips_need_fewer_units_and_faster_rivals_more() {
        let values = with(&CHIP, &[("special_discount_per_year", 0.05)]);
        for (input, sign) in [
            ("special_speedup", -1.0),
            ("special_improvement_per_year", 1.0),
            ("programme_nre_usd", 1.0),
            ("asic_unit_price_usd", 1.0),
            ("special_universal_usd_per_year", -1.0),
        ] {
            let slope = gradient::<Specialization>(Case { values: &values, choices: &[] }, input);
            assert!(slope["special_breakeven_units"] * sign > 0.0, "{input}");
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for (discount, life) in [(0.05, f64::INFINITY), (0.3, f64::INFINITY), (0.39, 2.9), (0.45, 20.0)] {
            let values = with(
                &CHIP,
                &[("special_discount_per_year", discount), ("special_life_years", life), ("asic_unit_price_usd", 20.0)],
            );
            check_derivatives::<Specialization>(Case { values: &values, choices: &[] }, &[]);
        }
    }
}
