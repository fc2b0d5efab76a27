//! What is measured of the software that serves: factors and times of an engine, and its age.
//!
//!     step factor = m_engine · f^months,  months since January 2026
//!
//! m scales the times a layer and a collective, f is the fall of these times from month to month as engines are rebuilt.
//! The constants are fitted, see `serving`. `generic` is the geometric mean of the engines. A fit of one's own is an entry
//! of the catalog `calibrations`, named by `serve_calibration`.

use crate::number::Number;
use crate::variable::{NONE, choices, model};

choices!(
    /// Software that serves.
    ServeEngine { Vllm "vllm", Sglang "sglang", Trtllm "trtllm", Generic "generic" }
);

impl ServeEngine {
    /// This engine's of three numbers, or their geometric mean.
    #[inline(always)]
    fn own<N: Number>(self, vllm: N, sglang: N, trtllm: N) -> N {
        match self {
            ServeEngine::Vllm => vllm,
            ServeEngine::Sglang => sglang,
            ServeEngine::Trtllm => trtllm,
            ServeEngine::Generic => (vllm * sglang * trtllm).pow(N::of(1.0 / 3.0)),
        }
    }
}

model! {
    /// Factors and times of the engine that serves.
    ServingEngine = "serving_engine";
    inputs {
        /// Age of the engine's build.
        serve_engine_months: number "months since 2026-01" [-120.0, 240.0], default 3.5, typical [-3.0, 4.0], Definition "the newest builds of the fit, April 2026";
        /// Factor a month on an engine's times.
        serve_cal_month_factor: number "1" [0.5, 1.5], default 0.933, typical [0.9, 1.0], Measured "fit on serving benchmarks, see serving";
        /// Factor of vLLM on times a layer.
        serve_cal_engine_vllm: number "1" [0.0, 1e3], default 1.16, typical [0.8, 2.0], Measured "fit on serving benchmarks, see serving";
        /// Factor of SGLang on times a layer.
        serve_cal_engine_sglang: number "1" [0.0, 1e3], default 1.41, typical [0.8, 2.0], Measured "fit on serving benchmarks, see serving";
        /// Factor of TensorRT-LLM on times a layer.
        serve_cal_engine_trtllm: number "1" [0.0, 1e3], default 1.0, typical [0.8, 2.0], Definition "what the others are measured against";
        /// Start of an answer in vLLM.
        serve_cal_start_vllm_s: number "s" [0.0, 1e6], default 0.00793, typical [0.0, 0.5], Measured "fit on serving benchmarks, see serving";
        /// Start of an answer in SGLang.
        serve_cal_start_sglang_s: number "s" [0.0, 1e6], default 0.192, typical [0.0, 0.5], Measured "fit on serving benchmarks, see serving";
        /// Start of an answer in TensorRT-LLM.
        serve_cal_start_trtllm_s: number "s" [0.0, 1e6], default 0.013, typical [0.0, 0.5], Measured "fit on serving benchmarks, see serving";
        /// Factor of vLLM on launching a prompt.
        serve_cal_launch_vllm: number "1" [0.0, 1e3], default 0.414, typical [0.2, 3.0], Measured "fit on serving benchmarks, see serving";
        /// Factor of SGLang on launching a prompt.
        serve_cal_launch_sglang: number "1" [0.0, 1e3], default 1.44, typical [0.2, 3.0], Measured "fit on serving benchmarks, see serving";
        /// Factor of TensorRT-LLM on launching a prompt.
        serve_cal_launch_trtllm: number "1" [0.0, 1e3], default 1.0, typical [0.2, 3.0], Definition "what the others are measured against";
    }
    choices {
        /// Software that serves.
        serve_engine: ServeEngine = ServeEngine::Generic, "no engine in particular";
    }
    reads {}
    outputs {
        /// Factor on the times of a step's layers and collectives.
        serve_step_factor: "1" [0.0, 1e6];
        /// Factor on the host's time a sequence.
        serve_host_factor: "1" [0.0, 1e6];
        /// Start of an answer.
        serve_start_s: "s" [0.0, 1e6];
        /// Factor on launching a prompt.
        serve_launch_factor: "1" [0.0, 1e6];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let of = x.serve_engine;
        let factor = of.own(x.serve_cal_engine_vllm, x.serve_cal_engine_sglang, x.serve_cal_engine_trtllm);
        let serve_step_factor = given.serve_step_factor(factor * x.serve_cal_month_factor.pow(x.serve_engine_months));
        let serve_host_factor = given.serve_host_factor(factor);
        let serve_start_s = given.serve_start_s(
            of.own(x.serve_cal_start_vllm_s, x.serve_cal_start_sglang_s, x.serve_cal_start_trtllm_s),
        );
        let serve_launch_factor = given.serve_launch_factor(
            of.own(x.serve_cal_launch_vllm, x.serve_cal_launch_sglang, x.serve_cal_launch_trtllm),
        );
        Outputs { serve_step_factor, serve_host_factor, serve_start_s, serve_launch_factor }
    }
}

/// Tokens that a step brings where further ones are guessed and verified.
pub mod speculation {
    use super::NONE;
    use crate::variable::model;

    model! {
        /// Tokens that a step brings where a draft guesses some and the model verifies them.
        Speculation = "serving_speculation";
        inputs {
            /// Tokens that a draft guesses for each step.
            serve_draft_tokens: integer "1" [0.0, 1e3], default NONE, typical [1.0, 5.0], Definition "property of the draft";
            /// Chance that a guess is right if the ones before it were.
            serve_draft_acceptance: number "1" [0.0, 1.0], default NONE, typical [0.5, 0.9], Estimate "measured for a draft and a kind of text";
        }
        choices {}
        reads {}
        outputs {
            /// Tokens that a step brings.
            serve_tokens_per_step: "1" [1e-6, 1e4];
        }
        summaries {}
        statuses {}
        equations(x, given) {
            // 1 + α + … + α^γ: the right guesses, and one token that the model itself brings.
            let alpha = x.serve_draft_acceptance;
            let sure = N::one().le(alpha);
            let doubt = N::select(sure, N::one(), -alpha + 1.0);
            let tokens = (-alpha.pow(x.serve_draft_tokens + 1.0) + 1.0) / doubt;
            let serve_tokens_per_step = given.serve_tokens_per_step(N::select(sure, x.serve_draft_tokens + 1.0, tokens));
            Outputs { serve_tokens_per_step }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServingEngine;
    use super::speculation::Speculation;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    #[test]
    fn an_engine_has_its_constants() {
        let now = [("serve_engine_months", 0.0), ("serve_cal_engine_vllm", 1.2), ("serve_cal_engine_sglang", 1.5)];
        let factor = |engine: &str, months: f64| {
            let case = with(&now, &[("serve_engine_months", months), ("serve_cal_month_factor", 0.9)]);
            evaluate::<ServingEngine>(&case, &[("serve_engine", engine)])["serve_step_factor"]
        };
        assert_eq!(factor("vllm", 0.0).to_bits(), 1.2_f64.to_bits());
        assert_eq!(factor("trtllm", 0.0).to_bits(), 1.0_f64.to_bits());
        assert!((factor("generic", 0.0) - 1.216_440_399).abs() < 1e-9); // the cube root of 1.8
        assert!((factor("sglang", 2.0) / (1.5 * 0.81) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn tokens_of_a_step() {
        let tokens = |draft: f64, chance: f64| {
            let case = [("serve_draft_tokens", draft), ("serve_draft_acceptance", chance)];
            evaluate::<Speculation>(&case, &[])["serve_tokens_per_step"]
        };
        assert_eq!(tokens(0.0, 0.7).to_bits(), 1.0_f64.to_bits());
        assert_eq!(tokens(3.0, 0.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(tokens(3.0, 1.0).to_bits(), 4.0_f64.to_bits());
        assert!((tokens(3.0, 0.5) - 1.875).abs() < 1e-15); // 1 + 1/2 + 1/4 + 1/8
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<ServingEngine>(Case { values: &[("serve_engine_months", 2.0)], choices: &[] }, &[]);
        let case = [("serve_draft_tokens", 3.0), ("serve_draft_acceptance", 0.6)];
        check_derivatives::<Speculation>(Case { values: &case, choices: &[] }, &[]);
    }
}
