//! How long an answer takes, and what a higher rate of tokens saves of it.
//!
//!     response = time to first token + (tokens - 1) / I + queue and tools
//!     saved    = (tokens - 1) / I · (1 - 1/x)
//!
//! Definitions; I are tokens a second per user after the first (1 / TPOT, as InferenceX has it), x how many times as fast.
//! Both times are given, or those of `serving` on the chips at hand. The first token comes no sooner: prompts are read at
//! another limit than answers are written.

use crate::variable::{INFINITE, model};

model! {
    /// How long an answer takes, and what a higher rate of tokens saves of it.
    SpeedResponse = "speed_response";
    inputs {
        /// Time in queues and tools, which the rate of tokens leaves as it is.
        speed_other_s: number "s" [0.0, 1e6], default 0.0, typical [0.0, 60.0], Definition "the model's answer alone";
    }
    choices {}
    reads { serve_ttft_s serve_output_tokens serve_tokens_per_s_per_user speed_ratio }
    outputs {
        /// Time until the answer is complete, at the base; unless known, all that is saved counts as felt.
        speed_response_s: "s" [0.0, INFINITE], default INFINITE, "a response far longer than what is no longer felt";
        /// Seconds that the speed saves of an answer.
        speed_seconds_saved: "s" [-1e6, 1e6];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let writing_s = (x.serve_output_tokens - 1.0) / x.serve_tokens_per_s_per_user;
        let speed_response_s = given.speed_response_s(x.serve_ttft_s + writing_s + x.speed_other_s);
        let speed_seconds_saved = given.speed_seconds_saved(writing_s * ((x.speed_ratio - 1.0) / x.speed_ratio));
        Outputs { speed_response_s, speed_seconds_saved }
    }
}

#[cfg(test)]
mod tests {
    use super::SpeedResponse;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const ANSWER: [(&str, f64); 5] = [
        ("serve_ttft_s", 0.5),
        ("serve_output_tokens", 501.0),
        ("speed_other_s", 1.0),
        ("serve_tokens_per_s_per_user", 50.0),
        ("speed_ratio", 2.5),
    ];

    #[test]
    fn an_answer_by_hand() {
        // 0.5 + 500 / 50 + 1 = 11.5 s; at 125 a second 4 instead of 10 s.
        let answers = evaluate::<SpeedResponse>(&ANSWER, &[]);
        assert_eq!(answers["speed_response_s"], 11.5);
        assert!((answers["speed_seconds_saved"] - 6.0).abs() < 1e-14); // 3/5 is rounded
    }

    #[test]
    fn limits() {
        let saved = |changes: &[(&str, f64)]| {
            let answers = evaluate::<SpeedResponse>(&with(&ANSWER, changes), &[]);
            (answers["speed_seconds_saved"], answers["speed_response_s"])
        };
        assert_eq!(saved(&[("speed_ratio", 1.0)]).0.to_bits(), 0);
        assert_eq!(saved(&[("serve_output_tokens", 1.0)]), (0.0, 1.5));
        assert!((saved(&[("speed_ratio", 1e6)]).0 - 10.0).abs() < 1e-4); // all but the millionth
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<SpeedResponse>(Case { values: &ANSWER, choices: &[] }, &[]);
    }
}
