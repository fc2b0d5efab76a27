//! Build or buy.
//!
//! Buying is worth 0 and building its net present value; the better one is the decision and its lead the margin. Having both
//! kinds, and only threatening to build, need a model of what the merchant concedes and are not weighed yet.

use crate::variable::{HUGE, choices, model};

choices!(
    /// What to do about an own chip.
    Decision { Buy "buy", Build "build", Dual "dual", Threaten "threaten" }
);

model! {
    /// Build or buy, and by how much.
    BuildOrBuy = "build_or_buy";
    inputs {}
    choices {}
    reads { build_npv_usd }
    outputs {}
    summaries {
        /// How much better the decision is than the runner-up.
        decision_margin_usd: "USD" [0.0, HUGE];
    }
    statuses {
        /// The best choice.
        decision: Decision;
        /// The second best.
        decision_runner_up: Decision;
    }
    equations(x, _given) {
        let builds = N::zero().lt(x.build_npv_usd);
        let (buy, build) = (Decision::Buy.number(), Decision::Build.number());
        Outputs {
            decision_margin_usd: x.build_npv_usd.abs(),
            decision: N::select(builds, build, buy),
            decision_runner_up: N::select(builds, buy, build),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BuildOrBuy, Decision};
    use crate::trial::{Case, check_derivatives, evaluate};
    use crate::variable::Choice;

    #[test]
    fn the_better_one_and_its_lead() {
        for (npv, best, second) in [
            (3e6, Decision::Build, Decision::Buy),
            (-2e6, Decision::Buy, Decision::Build),
            (0.0, Decision::Buy, Decision::Build),
        ] {
            let answers = evaluate::<BuildOrBuy>(&[("build_npv_usd", npv)], &[]);
            assert_eq!(answers["decision"].to_bits(), f64::from(best.code()).to_bits());
            assert_eq!(answers["decision_runner_up"].to_bits(), f64::from(second.code()).to_bits());
            assert_eq!(answers["decision_margin_usd"].to_bits(), npv.abs().to_bits());
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for npv in [3e6, -2e6] {
            check_derivatives::<BuildOrBuy>(Case { values: &[("build_npv_usd", npv)], choices: &[] }, &[]);
        }
    }
}
