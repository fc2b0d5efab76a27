//! How much of a chip's life is spent on yesterday's models, and what faster design gives back.
//!
//!     lead      L' = fixed + (L - fixed) / speed-up          from the freeze of the architecture to deployment
//!     on target e^(-λ (L' + τ)) at age τ,  λ = ln 2 / half-life
//!     mis-targeted share = 1 - e^(-λ L') (1 - e^(-λ A)) / (λ A)                  the mean over a life of A years
//!     value retained     = on target + value off target · mis-targeted
//!     recovered          = (e^(-λ L') - e^(-λ L)) / (1 - e^(-λ L))   of what the lead costs
//!
//! The half-life is that of what a chip was designed for: after so many years the models in use still are, with chance one
//! half, what the architecture was frozen for. The share is that of one generation over its whole life; with the cycle of
//! products for the life it is that of the newest generation alone. Fab, packaging and bring-up do not compress: they are a
//! floor under the lead, and where they alone keep the share above one half no speed-up helps.
//!
//! Exponential survival is the definition of a half-life; to join it with lead, life and speed of design is our own, and
//! nobody has measured the half-life: eleven changes of architecture from GPT-3 to DeepSeek-V3.2 were 0.53 years apart, but
//! few stranded a chip. Leads: 15 months for the TPU v1 (Jouppi et al., ISCA 2017), 27 to 33 for OpenAI and Broadcom's
//! first. Left out: that better chips may speed up the design of their successors, for which there are no figures, and that
//! a chip off target may be put to older models at a price.

use crate::finance::present_value_of_flow;
use crate::number::Number;
use crate::variable::{INFINITE, NONE, choices, model};
use std::f64::consts::LN_2;

choices!(
    /// Whether at most half of the life is mis-targeted, and if not, whether faster design could make it so.
    CadenceStatus { OnTarget "on_target", FasterDesignHelps "faster_design_helps", NoSpeedupHelps "no_speedup_helps" }
);

/// (1 - e^-y) / y.
#[inline(always)]
fn mean_decay<N: Number>(y: N) -> N {
    present_value_of_flow(y, N::one())
}

/// 1 - (1 - e^-y) / y, with all digits where y is small.
#[inline(always)]
fn mean_loss<N: Number>(y: N) -> N {
    let small = y.lt(N::of(1e-3));
    let series = y * (((y * (-1.0 / 120.0) + 1.0 / 24.0) * y - 1.0 / 6.0) * y + 0.5);
    N::select(small, series, -mean_decay(y) + 1.0)
}

/// d/dy ln ((1 - e^-y) / y) = 1 / (e^y - 1) - 1 / y, between -1/2 and 0.
#[inline(always)]
fn mean_slope<N: Number>(y: N) -> N {
    let small = y.lt(N::of(1e-2));
    let safe = N::select(small, N::one(), y);
    N::select(small, y * (1.0 / 12.0) - 0.5, N::one() / safe.exp_m1() - N::one() / safe)
}

/// The intensity times mean age at which e^-(lead v) (1 - e^-(life v)) / (life v) = 1/2, with lead + life / 2 = 1.
///
/// The logarithm of the left side is convex and falls from 0 with slope -1, so Newton's method from ln 2 rises to the root
/// without passing it: the error is below 0.11 and falls to 2e-3, 8e-7, 1e-13. The fifth step carries the derivative.
#[inline(always)]
fn half_on_target<N: Number>(lead: N, life: N) -> N {
    let mut v = N::of(LN_2);
    let mut step = 0;
    while step < 5 {
        let y = life * v;
        let above = mean_decay(y).ln() - lead * v + LN_2;
        let slope = life * mean_slope(y) - lead;
        v = v - above / slope.constant();
        step += 1;
    }
    v
}

model! {
    /// How much of a chip's life is spent on yesterday's models; what faster design gives back.
    Cadence = "cadence";
    inputs {
        /// Years after which what a chip was designed for is, with chance one half, no longer what runs; infinite where it lasts.
        cadence_half_life_years: number "years" [0.001, INFINITE], default NONE, typical [1.0, 10.0], Judgement "eleven architecture changes since GPT-3 were 0.53 years apart, but few strand a chip; nobody has measured it";
        /// Years from the freeze of the architecture to deployment, as design goes today.
        cadence_lead_years: number "years" [0.0, 100.0], default NONE, typical [1.25, 3.0], Estimate "TPU v1 15 months (ISCA 2017), OpenAI and Broadcom's first 27-33 months";
        /// Part of the lead that faster design leaves as it is: fab, packaging, bring-up. A shorter lead is all of it.
        cadence_fixed_years: number "years" [0.0, 100.0], default 1.0, typical [0.7, 1.5], Estimate "20 weeks at 5 nm and 6 of packaging (Ning et al., ISCA 2023), and bring-up";
        /// Years in service.
        cadence_life_years: number "years" [0.0, 1000.0], default NONE, typical [3.0, 6.0], Estimate "4 in InferenceMAX's cost of ownership, 5 to 6 in annual reports";
        /// Value off target over that on target.
        cadence_off_target_value: number "1" [0.0, 1.0], default NONE, typical [0.2, 0.9], Judgement "a chip that runs the new models, but not as it was designed to";
    }
    choices {}
    reads { design_speedup }
    outputs {
        /// Years from the freeze of the architecture to deployment, with design as fast as it is.
        cadence_effective_lead_years: "years" [0.0, 1000.0];
        /// Share of its life that a chip spends on other models than it was designed for.
        cadence_mistargeted_share: "1" [0.0, 1.0];
        /// Value over the life, over that of a chip always on target.
        cadence_value_retained: "1" [0.0, 1.0];
        /// Share of what the lead costs that faster design gives back; null where there is no lead.
        cadence_recovered_share: "1" [-INFINITE, 1.0];
        /// Half-life at which half of the life is mis-targeted: a shorter one makes it more.
        cadence_breakeven_half_life_years: "years" [0.0, INFINITE];
        /// Lead at which half of the life is mis-targeted: a longer one makes it more; null where with none at all it is more.
        cadence_breakeven_lead_years: "years" [0.0, INFINITE];
        /// Speed-up of design at which half of the life is mis-targeted; infinite where none helps.
        cadence_breakeven_speedup: "1" [0.0, INFINITE];
    }
    summaries {}
    statuses {
        /// Whether at most half of the life is mis-targeted, and if not, whether faster design could make it so.
        cadence_status: CadenceStatus;
    }
    equations(x, given) {
        let fixed_years = x.cadence_lead_years.min(x.cadence_fixed_years);
        let design_years = x.cadence_lead_years - fixed_years;
        let cadence_effective_lead_years = given.cadence_effective_lead_years(fixed_years + design_years / x.design_speedup);

        let shift_per_year = N::of(LN_2) / x.cadence_half_life_years;
        let shifts_in_lead = shift_per_year * cadence_effective_lead_years;
        let shifts_in_service = shift_per_year * x.cadence_life_years;
        let off_at_deployment = -(-shifts_in_lead).exp_m1();
        let lost_in_service = (-shifts_in_lead).exp() * mean_loss(shifts_in_service);
        let cadence_mistargeted_share = given.cadence_mistargeted_share(off_at_deployment + lost_in_service);
        let cadence_value_retained = given.cadence_value_retained(
            (-cadence_mistargeted_share + 1.0) + x.cadence_off_target_value * cadence_mistargeted_share,
        );

        // Both differences as flows, which have a limit at λ = 0; the upper one from the earlier of the two deployments.
        let saved_years = x.cadence_lead_years - cadence_effective_lead_years;
        let earlier = (-(shift_per_year * cadence_effective_lead_years.min(x.cadence_lead_years))).exp();
        let between = earlier * present_value_of_flow(shift_per_year, saved_years.abs());
        let recovered = N::select(saved_years.lt(N::zero()), -between, between);
        let no_lead = x.cadence_lead_years.eq(N::zero());
        let lost_to_lead = present_value_of_flow(shift_per_year, x.cadence_lead_years);
        let cadence_recovered_share =
            given.cadence_recovered_share(recovered / N::select(no_lead, N::of(f64::NAN), lost_to_lead));

        let mean_age_years = cadence_effective_lead_years + x.cadence_life_years * 0.5;
        let ageless = mean_age_years.eq(N::zero());
        let unit_years = N::select(ageless, N::one(), mean_age_years);
        let at_half = half_on_target(
            N::select(ageless, N::one(), cadence_effective_lead_years / unit_years),
            x.cadence_life_years / unit_years,
        );
        let cadence_breakeven_half_life_years =
            given.cadence_breakeven_half_life_years(mean_age_years * LN_2 / at_half);

        // e^-λL* (1 - e^-λA) / (λA) = 1/2.
        let room = mean_decay(shifts_in_service).ln() + LN_2;
        let lasts = shift_per_year.eq(N::zero());
        let longest = room / N::select(lasts, N::one(), shift_per_year);
        let longest = N::select(lasts, N::of(f64::INFINITY), longest);
        let cadence_breakeven_lead_years = given.cadence_breakeven_lead_years(
            N::select(N::zero().le(room), longest, N::of(f64::NAN)),
        );
        // A null lead is not above the fixed part.
        let design_room_years = cadence_breakeven_lead_years - fixed_years;
        let reachable = N::zero().lt(design_room_years);
        let needed = design_years / N::select(reachable, design_room_years, N::one());
        let cadence_breakeven_speedup =
            given.cadence_breakeven_speedup(N::select(reachable, needed, N::of(f64::INFINITY)));

        let none_helps = cadence_breakeven_speedup.eq(N::of(f64::INFINITY));
        let cadence_status = N::select(
            cadence_mistargeted_share.le(N::of(0.5)),
            CadenceStatus::OnTarget.number(),
            N::select(none_helps, CadenceStatus::NoSpeedupHelps.number(), CadenceStatus::FasterDesignHelps.number()),
        );
        Outputs {
            cadence_effective_lead_years, cadence_mistargeted_share, cadence_value_retained, cadence_recovered_share,
            cadence_breakeven_half_life_years, cadence_breakeven_lead_years, cadence_breakeven_speedup, cadence_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cadence;
    use crate::trial::{Case, check_derivatives, evaluate, gradient, with};

    const CHIP: [(&str, f64); 4] = [
        ("cadence_half_life_years", 3.0),
        ("cadence_lead_years", 2.5),
        ("cadence_life_years", 4.0),
        ("cadence_off_target_value", 0.6),
    ];

    fn near(got: f64, wanted: f64, digits: f64) {
        assert!((got - wanted).abs() <= digits, "{got}, not {wanted}");
    }

    #[test]
    fn one_chip_by_hand() {
        // λ = 0.2310491; at deployment e^-0.5776227 = 0.5612310 are on target; over the life (1 - e^-0.9241962) / 0.9241962
        // = 0.6526187 of that: 0.3662699 (to the digits of the factors). Value 0.3662711 + 0.6 · 0.6337289 = 0.7465084.
        let answers = evaluate::<Cadence>(&CHIP, &[]);
        near(answers["cadence_mistargeted_share"], 0.633_728_9, 5e-8);
        near(answers["cadence_value_retained"], 0.746_508_4, 5e-8);
        // Even design in no time leaves one year: 1 - e^-0.2310491 · 0.6526207 = 0.4820148.
        let instant = evaluate::<Cadence>(&with(&CHIP, &[("design_speedup", 1e6)]), &[]);
        near(instant["cadence_mistargeted_share"], 0.482_015, 2e-6);
        near(instant["cadence_effective_lead_years"], 1.0, 2e-6);
    }

    #[test]
    fn thresholds_are_where_the_share_is_one_half() {
        let answers = evaluate::<Cadence>(&CHIP, &[]);
        for (input, output) in [
            ("cadence_half_life_years", "cadence_breakeven_half_life_years"),
            ("cadence_lead_years", "cadence_breakeven_lead_years"),
            ("design_speedup", "cadence_breakeven_speedup"),
        ] {
            let there = evaluate::<Cadence>(&with(&CHIP, &[(input, answers[output])]), &[]);
            near(there["cadence_mistargeted_share"], 0.5, 4e-16); // a rounding of 1/2 in each of four terms
        }
        near(answers["cadence_breakeven_half_life_years"], 4.395_21, 5e-6);
        let sooner = evaluate::<Cadence>(&with(&CHIP, &[("cadence_lead_years", 1.25)]), &[]);
        near(sooner["cadence_breakeven_half_life_years"], 3.102_01, 5e-6);
    }

    #[test]
    fn where_nothing_helps_it_says_so() {
        let at = |changes: &[(&'static str, f64)]| evaluate::<Cadence>(&with(&CHIP, changes), &[]);
        let [on_target, faster_helps, none_helps] = [0.0, 1.0, 2.0_f64].map(f64::to_bits);
        assert_eq!(at(&[])["cadence_status"].to_bits(), faster_helps);
        assert_eq!(at(&[("cadence_half_life_years", 10.0)])["cadence_status"].to_bits(), on_target);
        let floor = at(&[("cadence_half_life_years", 2.0)]);
        assert!(floor["cadence_breakeven_speedup"].is_infinite());
        assert_eq!(floor["cadence_status"].to_bits(), none_helps);
        assert!(at(&[("cadence_half_life_years", 1.0)])["cadence_breakeven_lead_years"].is_nan());
        let lasting = at(&[("cadence_half_life_years", f64::INFINITY), ("design_speedup", 2.0)]);
        assert_eq!(lasting["cadence_mistargeted_share"].to_bits(), 0);
        assert!(lasting["cadence_breakeven_lead_years"].is_infinite());
        // Of a cost that goes to nothing, the share of the lead that is saved: 0.75 of 2.5 years.
        near(lasting["cadence_recovered_share"], 0.3, 1e-16);
    }

    #[test]
    fn limits_and_identities() {
        let at = |changes: &[(&'static str, f64)]| evaluate::<Cadence>(&with(&CHIP, changes), &[]);
        // In service for a moment: one half after the half-life.
        let moment = at(&[("cadence_lead_years", 3.0), ("cadence_life_years", 0.0)]);
        near(moment["cadence_mistargeted_share"], 0.5, 1e-16);
        near(moment["cadence_breakeven_half_life_years"], 3.0, 1e-15);
        let none = at(&[("cadence_lead_years", 0.0), ("cadence_life_years", 0.0)]);
        assert_eq!(none["cadence_mistargeted_share"].to_bits(), 0);
        assert_eq!(none["cadence_breakeven_half_life_years"].to_bits(), 0);
        assert!(none["cadence_recovered_share"].is_nan());
        // What is recovered is the part of the way from the share as it is to that without a lead.
        let [slow, fast, free] =
            [&[("design_speedup", 1.0)], &[("design_speedup", 3.0)], &[("cadence_lead_years", 0.0)]]
                .map(|change| at(change)["cadence_mistargeted_share"]);
        near(at(&[("design_speedup", 3.0)])["cadence_recovered_share"], (slow - fast) / (slow - free), 1e-15);
        let slower = at(&[("design_speedup", 0.5)]);
        near(slower["cadence_recovered_share"], (slow - slower["cadence_mistargeted_share"]) / (slow - free), 1e-15);
        // A lead that is fixed altogether does not compress.
        let fixed = at(&[("cadence_lead_years", 0.8), ("design_speedup", 4.0)]);
        assert_eq!(fixed["cadence_effective_lead_years"].to_bits(), 0.8_f64.to_bits());
        // Slow decay keeps its digits: to first order λ (L + A / 2).
        let slow = at(&[("cadence_half_life_years", 1e12)]);
        near(slow["cadence_mistargeted_share"] / (std::f64::consts::LN_2 * 4.5e-12), 1.0, 1e-11);
    }

    #[test]
    fn more_of_the_life_is_lost_to_leads_and_lives_and_less_to_speed() {
        let case = Case { values: &with(&CHIP, &[("design_speedup", 1.7)]), choices: &[] };
        for (input, sign) in [
            ("cadence_half_life_years", -1.0),
            ("cadence_lead_years", 1.0),
            ("cadence_fixed_years", 1.0),
            ("cadence_life_years", 1.0),
            ("design_speedup", -1.0),
        ] {
            let slopes = gradient::<Cadence>(case, input);
            assert!(slopes["cadence_mistargeted_share"] * sign > 0.0, "{input}");
            assert!(slopes["cadence_value_retained"] * sign < 0.0, "{input}");
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for speedup in [0.8, 1.0, 2.3] {
            let values = with(&CHIP, &[("design_speedup", speedup)]);
            check_derivatives::<Cadence>(Case { values: &values, choices: &[] }, &[]);
        }
    }
}
