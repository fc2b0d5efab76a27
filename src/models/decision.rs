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
