//! What a claimed fall in cost needs each year, who supplies it, and how far it is from Moore's law.
//!
//!     total = Π fᵢ^(1 - overlapᵢ)      share i = (1 - overlapᵢ) ln fᵢ / ln total      a year: total^(1/years)
//!
//! The overlap is the share, in logs, of a factor that another factor already claims. Definitions only: the source of a
//! factor is the caller's. In real terms a nominal fall is larger by (1 + inflation)^years.

use crate::finance::MONTHS_PER_YEAR;
use crate::variable::{NONE, model};
use std::f64::consts::LN_2;

model! {
    /// What cost-decline claims need each year, who supplies it, how far from Moore.
    Decline = "decline";
    inputs {
        /// Fall in cost from chips, as a factor over the whole period.
        decline_chip_factor: number "1" [1e-9, 1e15], default NONE, typical [1.0, 100.0], Definition "property of the claim";
        /// Fall in cost from processor architecture.
        decline_architecture_factor: number "1" [1e-9, 1e15], default NONE, typical [1.0, 100.0], Definition "property of the claim";
        /// Fall in cost from software and algorithms.
        decline_software_factor: number "1" [1e-9, 1e15], default NONE, typical [1.0, 1e5], Definition "property of the claim";
        /// Share of the chip factor, in logs, that other factors claim too.
        decline_chip_overlap: number "1" [0.0, 1.0], default 0.0, typical [0.0, 0.5], Definition "factors taken as independent";
        /// Share of the architecture factor, in logs, that other factors claim too.
        decline_architecture_overlap: number "1" [0.0, 1.0], default 0.0, typical [0.0, 1.0], Definition "factors taken as independent";
        /// Share of the software factor, in logs, that other factors claim too.
        decline_software_overlap: number "1" [0.0, 1.0], default 0.0, typical [0.0, 0.5], Definition "factors taken as independent";
        /// Length of the period.
        decline_years: number "years" [0.01, 1000.0], default NONE, typical [1.0, 10.0], Definition "property of the claim";
        /// Inflation of the money the cost is counted in.
        inflation_per_year: number "1/year" [-0.5, 10.0], default 0.0, typical [0.0, 0.05], Definition "nominal terms";
        /// Months in which Moore's law doubles.
        moore_doubling_months: number "months" [0.1, 1200.0], default 24.0, typical [18.0, 30.0], Measured "Moore 1975: components per chip double every two years";
    }
    choices {}
    reads {}
    outputs {
        /// Fall in cost over the whole period, as a factor.
        decline_total: "1" [1e-300, 1e300];
        /// The same per year.
        decline_per_year: "1" [0.0, f64::INFINITY];
        /// Months in which the cost halves; infinite where it does not fall.
        decline_halving_months: "months" [0.0, f64::INFINITY];
        /// Share of the fall, in logs, that chips supply.
        decline_share_chip: "1" [-1e6, 1e6];
        /// Share of the fall, in logs, that architecture supplies.
        decline_share_architecture: "1" [-1e6, 1e6];
        /// Share of the fall, in logs, that software supplies.
        decline_share_software: "1" [-1e6, 1e6];
        /// The fall over what Moore's law gives in the same time.
        decline_vs_moore: "1" [0.0, f64::INFINITY];
        /// The fall in real terms.
        decline_real_total: "1" [0.0, f64::INFINITY];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let chip_log = x.decline_chip_factor.ln() * (-x.decline_chip_overlap + 1.0);
        let architecture_log = x.decline_architecture_factor.ln() * (-x.decline_architecture_overlap + 1.0);
        let software_log = x.decline_software_factor.ln() * (-x.decline_software_overlap + 1.0);
        let decline_total = given.decline_total((chip_log + architecture_log + software_log).exp());
        let total_log = decline_total.ln();
        let decline_per_year = given.decline_per_year((total_log / x.decline_years).exp());
        let year_log = decline_per_year.ln();
        let falls = N::zero().lt(year_log);
        let halving_months = N::of(MONTHS_PER_YEAR * LN_2) / N::select(falls, year_log, N::one());
        let decline_halving_months =
            given.decline_halving_months(N::select(falls, halving_months, N::of(f64::INFINITY)));

        let unchanged = total_log.eq(N::zero());
        let whole = N::select(unchanged, N::of(f64::NAN), total_log);
        let decline_share_chip = given.decline_share_chip(chip_log / whole);
        let decline_share_architecture = given.decline_share_architecture(architecture_log / whole);
        let decline_share_software = given.decline_share_software(software_log / whole);

        let moore_log = x.decline_years * (MONTHS_PER_YEAR * LN_2) / x.moore_doubling_months;
        let decline_vs_moore = given.decline_vs_moore((total_log - moore_log).exp());
        let inflation_log = x.inflation_per_year.ln_1p() * x.decline_years;
        let decline_real_total = given.decline_real_total((total_log + inflation_log).exp());
        Outputs {
            decline_total, decline_per_year, decline_halving_months, decline_share_chip, decline_share_architecture,
            decline_share_software, decline_vs_moore, decline_real_total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decline;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const CLAIM: [(&str, f64); 4] = [
        ("decline_chip_factor", 10.0),
        ("decline_architecture_factor", 10.0),
        ("decline_software_factor", 10.0),
        ("decline_years", 5.0),
    ];

    #[test]
    fn a_thousandfold_in_five_years_by_hand() {
        // 10³ = 1000; 1000^(1/5) = 3.981072 a year; halved in 12 ln 2 / ln 3.981072 = 6.020600 months.
        // Moore: 2^(5 / 2) = 5.656854; 1000 / 5.656854 = 176.776695. Each factor supplies a third.
        let answers = evaluate::<Decline>(&CLAIM, &[]);
        let near =
            |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-6, "{name}: {}", answers[name]);
        near("decline_total", 1000.0);
        near("decline_per_year", 3.981_072);
        near("decline_halving_months", 6.020_600);
        near("decline_vs_moore", 176.776_695);
        near("decline_share_chip", 1.0 / 3.0);
        near("decline_real_total", 1000.0);
    }

    #[test]
    fn limits_and_identities() {
        let overlap = evaluate::<Decline>(&with(&CLAIM, &[("decline_architecture_overlap", 1.0)]), &[]);
        assert!((overlap["decline_total"] / 100.0 - 1.0).abs() < 1e-14); // e^(ln 10 + ln 10)
        assert_eq!(overlap["decline_share_architecture"].to_bits(), 0);
        let shares = evaluate::<Decline>(
            &with(&CLAIM, &[("decline_software_factor", 70.0), ("decline_chip_overlap", 0.3)]),
            &[],
        );
        let sum: f64 =
            ["chip", "architecture", "software"].iter().map(|who| shares[&*format!("decline_share_{who}")]).sum();
        assert!((sum - 1.0).abs() < 1e-14); // three rounded quotients
        let still = [
            ("decline_chip_factor", 1.0),
            ("decline_architecture_factor", 1.0),
            ("decline_software_factor", 1.0),
            ("decline_years", 5.0),
        ];
        let still = evaluate::<Decline>(&still, &[]);
        assert_eq!(still["decline_total"].to_bits(), 1.0_f64.to_bits());
        assert_eq!(still["decline_halving_months"].to_bits(), f64::INFINITY.to_bits());
        assert!(still["decline_share_chip"].is_nan());
        // Real terms: (1 + 0.03)⁵ more.
        let real = evaluate::<Decline>(&with(&CLAIM, &[("inflation_per_year", 0.03)]), &[]);
        assert!((real["decline_real_total"] / real["decline_total"] / 1.159_274_074_3 - 1.0).abs() < 1e-12); // its last digit printed
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let claim = with(
            &CLAIM,
            &[
                ("decline_software_factor", 70.0),
                ("decline_chip_overlap", 0.3),
                ("decline_architecture_overlap", 0.2),
                ("decline_software_overlap", 0.1),
                ("inflation_per_year", 0.03),
            ],
        );
        check_derivatives::<Decline>(Case { values: &claim, choices: &[] }, &[]);
    }
}
