//! Work of an own chip over that of a merchant chip, from serving the same load on both.
//!
//!     ratio = own tokens a second and chip · own utilization / (tokens a second and chip · utilization)
//!
//! Both sides come from `serving`, each with its own layout; `own_load` says what is the same on both. Output tokens are
//! counted, at the load's own lengths of prompt and answer. The ratio holds for that load: another has another. Definition.

use crate::variable::model;

model! {
    /// Work of an own chip over that of a merchant chip, at the same load.
    OwnPerformance = "own_performance";
    inputs {}
    choices {}
    reads { asic_serve_tokens_per_s_per_chip asic_serve_utilization serve_tokens_per_s_per_chip serve_utilization }
    outputs {
        /// Work of one own unit over that of one merchant chip at the decision.
        build_performance_ratio: "1" [1e-4, 1e4], default 1.0, "equal chips";
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let own = x.asic_serve_tokens_per_s_per_chip * x.asic_serve_utilization;
        let merchant = x.serve_tokens_per_s_per_chip * x.serve_utilization;
        let serves = N::zero().lt(merchant);
        let ratio = own / N::select(serves, merchant, N::one());
        let build_performance_ratio = given.build_performance_ratio(N::select(serves, ratio, N::of(f64::NAN)));
        Outputs { build_performance_ratio }
    }
}

#[cfg(test)]
mod tests {
    use super::OwnPerformance;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const CASE: [(&str, f64); 4] = [
        ("asic_serve_tokens_per_s_per_chip", 900.0),
        ("asic_serve_utilization", 0.5),
        ("serve_tokens_per_s_per_chip", 300.0),
        ("serve_utilization", 0.75),
    ];

    #[test]
    fn a_case_by_hand() {
        let ratio =
            |changes: &[(&str, f64)]| evaluate::<OwnPerformance>(&with(&CASE, changes), &[])["build_performance_ratio"];
        assert_eq!(ratio(&[]).to_bits(), 2.0_f64.to_bits()); // 450 / 225
        assert!(ratio(&[("serve_tokens_per_s_per_chip", 0.0)]).is_nan());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<OwnPerformance>(Case { values: &CASE, choices: &[] }, &[]);
    }
}
