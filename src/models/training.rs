//! What one training run costs.
//!
//!     hours     H  = 6 N D a / (peak · MFU) / 3600
//!     hardware  HW = P s · 10^(-k age) · k ln 10 / 8766 · H      (declining balance)
//!     network   IC = HW · φ / (1 - φ)
//!     energy    EN = TDP/1000 · m · f · PUE · H · price per kWh
//!     cost      C  = HW + IC + EN
//!
//! a is 1, or, where `train_sequence_length` and the model's dimensions are given, what MFU counts over 6 N D
//! (`train_flop_ratio`): attention more, the embedding less. MFU may be computed too: `step`.
//! P is the price of the bare chip, s the server's price over the chips in it, k the decline of the server's value in
//! orders of magnitude a year, φ the network's share of the cluster's cost, m the server's power over the chip's, f average
//! over rated power. Source: Cottier, Rahman, Fattorini, Maslej, Besiroglu and Owen, "The rising costs of training
//! frontier AI models", arXiv 2405.21015, and the code published with it. The declining balance writes off the value a
//! server loses while it is used; straight line and annuity spread its price over a book life instead, and rental pays by
//! the hour for everything, network and power included.

use crate::finance::{HOURS_PER_YEAR, capital_recovery_factor};
use crate::flop::TRAINING_FLOP;
use crate::variable::{HUGE, NONE, choices, model};
use std::f64::consts::LN_10;

const SECONDS_PER_HOUR: f64 = 3600.0;
const HOURS_PER_DAY: f64 = 24.0;
const WATTS_PER_KILOWATT: f64 = 1000.0;

choices!(
    /// How the price of the hardware is spread over its life.
    Amortization {
        DecliningBalance "declining_balance",
        StraightLine "straight_line",
        Annuity "annuity",
        Rental "rental",
    }
);
choices!(
    /// The number format that bounds the arithmetic.
    Precision { Bf16 "bf16", Fp8 "fp8", Fp4 "fp4" }
);

model! {
    /// What one training run costs: hardware, network and energy.
    Training = "training";
    inputs {
        /// Parameters that take part in each token.
        llm_active_params: number "1" [0.0, HUGE], default NONE, typical [1e9, 1e12], Definition "property of the model";
        /// Tokens trained on.
        train_tokens: number "tokens" [0.0, HUGE], default NONE, typical [1e12, 1e14], Definition "property of the run";
        /// Peak dense bf16 rate of one training chip.
        train_chip_flop_per_s_bf16: number "FLOP/s" [1.0, 1e21], default NONE, typical [1e14, 5e15], VendorClaim "data sheet";
        /// Peak dense fp8 rate of one training chip.
        train_chip_flop_per_s_fp8: number "FLOP/s" [1.0, 1e21], default NONE, typical [1e14, 1e16], VendorClaim "data sheet";
        /// Peak dense fp4 rate of one training chip.
        train_chip_flop_per_s_fp4: number "FLOP/s" [1.0, 1e21], default NONE, typical [1e15, 2e16], VendorClaim "data sheet";
        /// Share of the peak that does the model's own arithmetic.
        train_mfu: number "1" [1e-6, 1.0], default NONE, typical [0.30, 0.45], Measured "0.375 where nothing is known: Cottier et al. 2024";
        /// Price of one bare training chip when it was bought; a server's price per chip over train_server_overhead.
        train_chip_price_usd: number "USD" [0.0, 1e9], default NONE, typical [5e3, 60e3], ListPrice "price of the chip";
        /// Price of a server over the price of the chips in it.
        train_server_overhead: number "1" [1.0, 10.0], default 1.64, typical [1.3, 2.1], Estimate "Cottier et al. 2024: A100 1.66, V100 1.69, P100 1.54, others 1.64";
        /// Decline of a server's value, in orders of magnitude a year.
        train_value_decline_oom_per_year: number "1/year" [0.0, 5.0], default 0.14, typical [0.10, 0.18], Measured "Cottier et al. 2024: performance per dollar of AI hardware";
        /// The network's share of the cluster's cost.
        train_interconnect_share: number "1" [0.0, 0.95], default 0.19, typical [0.07, 0.32], Estimate "Cottier et al. 2024";
        /// Rated power of one training chip.
        train_chip_tdp_w: number "W" [0.0, 1e6], default 700.0, typical [250.0, 1400.0], VendorClaim "H100 SXM data sheet; energy is about 9 % of the cost";
        /// Rated power of a server over that of the chips in it.
        train_server_power_ratio: number "1" [1.0, 10.0], default 1.8, typical [1.47, 2.1], Estimate "Cottier et al. 2024: H100 1.82, A100 2.03, other GPU 1.8, TPU v4 1.56";
        /// Average power drawn over rated power.
        train_power_utilization: number "1" [0.0, 1.5], default 0.75, typical [0.43, 1.0], Measured "Cottier et al. 2024: GPU 0.75, TPU 0.43";
        /// Power of the site over power of the servers.
        train_pue: number "1" [1.0, 5.0], default 1.25, typical [1.05, 1.4], Measured "Cottier et al. 2024: hyperscalers 1.10, others 1.25";
        /// Price of electricity.
        electricity_usd_per_kwh: number "USD/kWh" [0.0, 100.0], default 0.0826, typical [0.04, 0.25], Measured "EIA, US industrial average 2025";
        /// Years over which straight line and annuity write a server off.
        train_book_life_years: number "years" [0.01, 100.0], default 5.0, typical [3.0, 6.0], Measured "10-K filings 2023-2025: 5 to 6 years";
        /// Rent of one training chip, everything included.
        train_chip_rent_usd_per_hour: number "USD/h" [0.0, 1e6], default NONE, typical [0.5, 10.0], ListPrice "cloud price lists";
        /// Chips that train at the same time.
        train_chips: number "1" [1.0, 1e12], default NONE, typical [1e3, 2e5], Definition "property of the run";
        /// Producer price index of the target month over that of the run's.
        train_price_index_ratio: number "1" [1e-6, 1e6], default 1.0, typical [0.9, 1.2], Measured "BLS series PCU518210518210";
    }
    choices {
        /// Number format of the run.
        train_precision: Precision = Precision::Bf16, "most published runs up to 2024";
        /// How the hardware's price is spread over its life.
        train_amortization: Amortization = Amortization::DecliningBalance, "Cottier et al. 2024";
    }
    reads { discount_rate_per_year train_price_age_years train_flop_ratio }
    outputs {
        /// Peak rate of one training chip in the precision of the run.
        train_chip_flop_per_s: "FLOP/s" [1.0, 1e21];
        /// Arithmetic of the run.
        train_flop: "FLOP" [0.0, 1e40];
        /// Chip-hours of the run.
        train_chip_hours: "h" [0.0, HUGE];
        /// Length of the run.
        train_days: "days" [0.0, HUGE];
        /// Cost of the chips alone.
        train_chip_usd: "USD" [0.0, HUGE];
        /// Cost of the rest of the servers.
        train_server_usd: "USD" [0.0, HUGE];
        /// Cost of chips and servers.
        train_hardware_usd: "USD" [0.0, HUGE];
        /// Cost of the network between servers.
        train_interconnect_usd: "USD" [0.0, HUGE];
        /// Cost of electricity.
        train_energy_usd: "USD" [0.0, HUGE];
        /// Cost of the run in dollars of its time.
        train_cost_usd: "USD" [0.0, HUGE];
        /// Cost of the run in dollars of the target month.
        train_cost_real_usd: "USD" [0.0, HUGE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let train_chip_flop_per_s = given.train_chip_flop_per_s(match x.train_precision {
            Precision::Bf16 => x.train_chip_flop_per_s_bf16,
            Precision::Fp8 => x.train_chip_flop_per_s_fp8,
            Precision::Fp4 => x.train_chip_flop_per_s_fp4,
        });
        let train_flop =
            given.train_flop(x.llm_active_params * x.train_tokens * TRAINING_FLOP * x.train_flop_ratio);
        let train_chip_hours = given.train_chip_hours(train_flop / (train_chip_flop_per_s * x.train_mfu) / SECONDS_PER_HOUR);
        let train_days = given.train_days(train_chip_hours / x.train_chips / HOURS_PER_DAY);

        let server_price_usd = x.train_chip_price_usd * x.train_server_overhead;
        let rented = x.train_amortization == Amortization::Rental;
        let usd_per_hour = match x.train_amortization {
            Amortization::DecliningBalance => {
                let decline_per_year = x.train_value_decline_oom_per_year * LN_10;
                let value_at_start_usd = server_price_usd * (-(decline_per_year * x.train_price_age_years)).exp();
                value_at_start_usd * (decline_per_year / HOURS_PER_YEAR)
            }
            Amortization::StraightLine => server_price_usd / (x.train_book_life_years * HOURS_PER_YEAR),
            Amortization::Annuity => {
                server_price_usd * capital_recovery_factor(x.discount_rate_per_year, x.train_book_life_years) / HOURS_PER_YEAR
            }
            Amortization::Rental => x.train_chip_rent_usd_per_hour,
        };
        let server_and_chip_usd = usd_per_hour * train_chip_hours;
        let chip_alone_usd = if rented { server_and_chip_usd } else { server_and_chip_usd / x.train_server_overhead };
        let train_chip_usd = given.train_chip_usd(chip_alone_usd);
        let train_server_usd = given.train_server_usd(server_and_chip_usd - chip_alone_usd);
        let train_hardware_usd = given.train_hardware_usd(train_chip_usd + train_server_usd);
        let network_over_hardware = x.train_interconnect_share / (-x.train_interconnect_share + 1.0);
        let train_interconnect_usd =
            given.train_interconnect_usd(if rented { N::zero() } else { train_hardware_usd * network_over_hardware });
        let kilowatts = x.train_chip_tdp_w / WATTS_PER_KILOWATT * x.train_server_power_ratio * x.train_power_utilization * x.train_pue;
        let train_energy_usd =
            given.train_energy_usd(if rented { N::zero() } else { kilowatts * train_chip_hours * x.electricity_usd_per_kwh });
        let train_cost_usd = given.train_cost_usd(train_hardware_usd + train_interconnect_usd + train_energy_usd);
        let train_cost_real_usd = given.train_cost_real_usd(train_cost_usd * x.train_price_index_ratio);
        Outputs {
            train_chip_flop_per_s, train_flop, train_chip_hours, train_days, train_chip_usd, train_server_usd,
            train_hardware_usd, train_interconnect_usd, train_energy_usd, train_cost_usd, train_cost_real_usd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Training;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const RUN: [(&str, f64); 10] = [
        ("llm_active_params", 1e9),
        ("train_tokens", 1e12),
        ("train_chip_flop_per_s_bf16", 1e15),
        ("train_mfu", 0.4),
        ("train_chip_price_usd", 25_000.0),
        ("train_server_overhead", 1.6),
        ("train_price_age_years", 1.5),
        ("train_chips", 100.0),
        ("train_chip_rent_usd_per_hour", 2.0),
        ("train_price_index_ratio", 1.1),
    ];

    #[test]
    fn a_run_by_hand() {
        // 6 · 1e9 · 1e12 = 6e21 FLOP; / (1e15 · 0.4) = 1.5e7 s = 4166.67 h; / 100 chips / 24 = 1.736 days.
        // Straight line: 25000 · 1.6 / (5 · 8766) = 0.912617 USD/h; · 4166.67 = 3802.57 USD of hardware.
        // Network: · 0.19 / 0.81 = 891.96. Energy: 0.7 · 1.8 · 0.75 · 1.25 · 4166.67 · 0.0826 = 406.55. Sum 5101.08.
        let answers = evaluate::<Training>(&RUN, &[("train_amortization", "straight_line")]);
        let near = |name: &str, wanted: f64| {
            let got = answers[name];
            // The hand's own rounding.
            assert!((got - wanted).abs() < 1e-5 * wanted, "{name}: {got}, not {wanted}");
        };
        near("train_flop", 6e21);
        near("train_chip_hours", 4166.667);
        near("train_days", 1.736_111);
        near("train_hardware_usd", 3802.57);
        near("train_interconnect_usd", 891.96);
        near("train_energy_usd", 406.547);
        near("train_cost_usd", 5101.08);
        assert_eq!(answers["train_cost_real_usd"], answers["train_cost_usd"] * 1.1);
    }

    #[test]
    fn identities() {
        for amortization in ["declining_balance", "straight_line", "annuity"] {
            let choices = [("train_amortization", amortization)];
            let once = evaluate::<Training>(&RUN, &choices);
            let dearer = evaluate::<Training>(&with(&RUN, &[("train_chip_price_usd", 50_000.0)]), &choices);
            let longer = evaluate::<Training>(&with(&RUN, &[("train_tokens", 2e12)]), &choices);
            let better = evaluate::<Training>(&with(&RUN, &[("train_mfu", 0.8)]), &choices);
            assert_eq!(dearer["train_hardware_usd"], once["train_hardware_usd"] * 2.0);
            assert_eq!(dearer["train_energy_usd"], once["train_energy_usd"]);
            assert_eq!(longer["train_cost_usd"], once["train_cost_usd"] * 2.0);
            assert_eq!(better["train_cost_usd"], once["train_cost_usd"] / 2.0);
            // With a server that is its chips and no network the hardware is the chips.
            let bare = with(&RUN, &[("train_server_overhead", 1.0), ("train_interconnect_share", 0.0)]);
            let bare = evaluate::<Training>(&bare, &choices);
            assert_eq!(bare["train_server_usd"], 0.0);
            assert_eq!(bare["train_hardware_usd"], bare["train_chip_usd"]);
            assert_eq!(bare["train_interconnect_usd"], 0.0);
        }
        let rented = evaluate::<Training>(&RUN, &[("train_amortization", "rental")]);
        assert_eq!(rented["train_cost_usd"], rented["train_chip_hours"] * 2.0);
    }

    #[test]
    fn an_annuity_without_interest_is_a_straight_line() {
        let run = with(&RUN, &[("discount_rate_per_year", 0.0)]);
        let annuity = evaluate::<Training>(&run, &[("train_amortization", "annuity")])["train_hardware_usd"];
        let line = evaluate::<Training>(&run, &[("train_amortization", "straight_line")])["train_hardware_usd"];
        assert!((annuity / line - 1.0).abs() < 1e-15); // 1/5 · x against x / 5
    }

    #[test]
    fn hours_alone_price_a_run() {
        let run = [("train_chip_hours", 1000.0), ("train_chip_price_usd", 25_000.0), ("train_price_age_years", 0.0)];
        let answers = evaluate::<Training>(&run, &[]);
        assert!(answers["train_cost_usd"] > 0.0);
        assert!(std::panic::catch_unwind(|| evaluate::<Training>(&run, &[])["train_flop"]).is_err());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for amortization in ["declining_balance", "straight_line", "annuity", "rental"] {
            let rented = amortization == "rental";
            let constant: &[&str] =
                if rented { &["train_server_usd", "train_interconnect_usd", "train_energy_usd"] } else { &[] };
            let choices = [("train_amortization", amortization)];
            check_derivatives::<Training>(Case { values: &RUN, choices: &choices }, constant);
        }
    }
}
