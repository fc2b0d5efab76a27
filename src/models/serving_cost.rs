//! What a token costs to serve, in money and energy.
//!
//!     cost      rent / 3600 / (tokens a second and chip · utilization),  by output token, by token of both kinds, and
//!               input and output apart: each carries the time the chips spend on it
//!     energy    chip power · server ratio · power share · PUE / (tokens a second and chip · utilization)
//!
//! `serve_usd_per_mtok` puts all cost on output tokens. Apart, input tokens carry the share of the chips' time that goes to
//! prompts, output tokens the rest; both bills together are the same rent. Input tokens out of a cache count as input. Utilization is
//! mean over provisioned load; DeepSeek reports 226.75 of 278 nodes, 0.816 (open-infra-index, day 6, 2025). Rent includes
//! power; energy is told apart from it and not added. Power: as `training` has it. Left out: what is idle by failures, margins.

use crate::variable::{INFINITE, NONE, model};

const SECONDS_PER_HOUR: f64 = 3600.0;
const TOKENS_PER_MTOK: f64 = 1e6;

model! {
    /// What a token costs to serve, in money and energy.
    ServingCost = "serving_cost";
    inputs {
        /// Rent of the serving chip, everything included.
        chip_rent_usd_per_hour: number "USD/h" [0.0, 1e6], default NONE, typical [0.5, 10.0], ListPrice "cloud price lists";
        /// Rated power of the serving chip.
        chip_tdp_w: number "W" [0.0, 1e6], default NONE, typical [250.0, 1400.0], VendorClaim "data sheet of the chip";
        /// Mean load over the load that the chips are provisioned for.
        serve_utilization: number "1" [1e-6, 1.0], default 1.0, typical [0.3, 0.9], Definition "chips always at the stated load";
        /// Rated power of a server over that of the chips in it.
        serve_server_power_ratio: number "1" [1.0, 10.0], default 1.8, typical [1.47, 2.5], Estimate "Cottier et al. 2024: H100 1.82, A100 2.03, other GPU 1.8";
        /// Average power drawn over rated power.
        serve_power_utilization: number "1" [0.0, 1.5], default 0.75, typical [0.43, 1.0], Measured "Cottier et al. 2024, of training: GPU 0.75, TPU 0.43";
        /// Power of the site over power of the servers.
        serve_pue: number "1" [1.0, 5.0], default 1.25, typical [1.05, 1.4], Measured "Cottier et al. 2024: hyperscalers 1.10, others 1.25";
    }
    choices {}
    reads { serve_tokens_per_s_per_chip serve_prompt_share serve_input_tokens serve_output_tokens }
    outputs {
        /// Energy of an output token, at the site's meter.
        serve_joules_per_token: "J" [0.0, INFINITE];
        /// Cost of a million output tokens, their prompts included.
        serve_usd_per_mtok: "USD/Mtok" [0.0, 1e9], typical [0.3, 4.0], Judgement "models of the size that is served widely";
        /// Cost of a million tokens of both kinds.
        serve_total_usd_per_mtok: "USD/Mtok" [0.0, INFINITE];
        /// Cost of a million input tokens.
        serve_input_usd_per_mtok: "USD/Mtok" [0.0, INFINITE];
        /// Cost of a million output tokens, without their prompts.
        serve_output_usd_per_mtok: "USD/Mtok" [0.0, INFINITE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let tokens_per_s = x.serve_tokens_per_s_per_chip * x.serve_utilization;
        let site_w = x.chip_tdp_w * x.serve_server_power_ratio * x.serve_power_utilization * x.serve_pue;
        let serve_joules_per_token = given.serve_joules_per_token(site_w / tokens_per_s);
        let usd_per_s = x.chip_rent_usd_per_hour / SECONDS_PER_HOUR;
        let serve_usd_per_mtok = given.serve_usd_per_mtok(usd_per_s / tokens_per_s * TOKENS_PER_MTOK);
        let answers = x.serve_output_tokens / (x.serve_input_tokens + x.serve_output_tokens);
        let serve_total_usd_per_mtok = given.serve_total_usd_per_mtok(serve_usd_per_mtok * answers);
        let outputs_per_input = x.serve_output_tokens / x.serve_input_tokens;
        let prompted = N::zero().lt(x.serve_input_tokens);
        let of_input = serve_usd_per_mtok * x.serve_prompt_share * outputs_per_input;
        let serve_input_usd_per_mtok = given.serve_input_usd_per_mtok(N::select(prompted, of_input, N::zero()));
        let serve_output_usd_per_mtok =
            given.serve_output_usd_per_mtok(serve_usd_per_mtok * (-x.serve_prompt_share + 1.0));
        Outputs {
            serve_joules_per_token, serve_usd_per_mtok, serve_total_usd_per_mtok, serve_input_usd_per_mtok,
            serve_output_usd_per_mtok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServingCost;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const CASE: [(&str, f64); 6] = [
        ("chip_rent_usd_per_hour", 3.6),
        ("chip_tdp_w", 1000.0),
        ("serve_tokens_per_s_per_chip", 500.0),
        ("serve_prompt_share", 0.25),
        ("serve_input_tokens", 4000.0),
        ("serve_output_tokens", 1000.0),
    ];

    #[test]
    fn a_case_by_hand() {
        // 1e-3 USD a second over 500 tokens: 2 USD a million; 1000 W · 1.8 · 0.75 · 1.25 / 500 = 3.375 J.
        let answers = evaluate::<ServingCost>(&CASE, &[]);
        assert!((answers["serve_usd_per_mtok"] - 2.0).abs() < 1e-14);
        assert!((answers["serve_joules_per_token"] - 3.375).abs() < 1e-14);
        assert!((answers["serve_total_usd_per_mtok"] - 0.4).abs() < 1e-14);
        assert!((answers["serve_input_usd_per_mtok"] - 0.125).abs() < 1e-14);
        assert!((answers["serve_output_usd_per_mtok"] - 1.5).abs() < 1e-14);
    }

    #[test]
    fn both_bills_are_the_rent() {
        let answers = evaluate::<ServingCost>(&CASE, &[]);
        let bills = answers["serve_input_usd_per_mtok"] * 4.0 + answers["serve_output_usd_per_mtok"];
        assert!((bills / answers["serve_usd_per_mtok"] - 1.0).abs() < 1e-15);
        let half = evaluate::<ServingCost>(&with(&CASE, &[("serve_utilization", 0.5)]), &[]);
        assert_eq!(half["serve_usd_per_mtok"].to_bits(), (answers["serve_usd_per_mtok"] * 2.0).to_bits());
        let unprompted = evaluate::<ServingCost>(&with(&CASE, &[("serve_input_tokens", 0.0)]), &[]);
        assert_eq!(unprompted["serve_input_usd_per_mtok"].to_bits(), 0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<ServingCost>(Case { values: &CASE, choices: &[] }, &[]);
    }
}
