//! What a faster answer costs on the same chips, from the model, the chips and the layouts they may have.
//!
//!     X(I)       most tokens a second and chip with one user getting I or more,  over 12 layouts:
//!                batch / (chips TPOT),  batch the largest that memory holds and for which  TPOT ≤ 1 / I
//!     cost ratio X(I) / X(x I)
//!
//! Times of a token are those of `serving`, whose page has the equations and their errors; the layouts are those of
//! `serving_search`, here with the batch between its loads. A provider who sells I and x I serves each from the layout that
//! is cheapest there. Against the straight line of one configuration (`speed_line`, which goes first where its end is
//! known): an envelope of layouts is flatter, distinct experts of small batches bend it down, and memory ends it on the
//! cheap side: below some speed a slower answer is no cheaper. `speed_reachable_tokens_per_s_per_user` is what one request
//! alone gets: beyond it no x is reached. Rent cancels, and with it what a chip costs.
//!
//! Left out: limits on the time to the first token; more than 8 chips unless `serve_max_chips` says so, since links between
//! machines are slower; guessing in one tier alone; chips made for speed, whose layouts are others.

use crate::serving::{LAYOUTS, Layout, SpeedStatus, machine, machine_names, pieces};
use crate::variable::{INFINITE, model};

/// More sequences than anybody has on one machine, for models that keep nothing of a sequence.
const SEQUENCES_MOST: f64 = 1e9;
/// A speed that one request alone has, as said by `serving` or another's sum of the same parts, is reached however it rounds.
const ROUNDING: f64 = 1e-12;

model! {
    /// What a faster answer costs on the same chips, from the model, the chips and their layouts.
    SpeedServing = "speed_serving";
    inputs {}
    choices {
        /// Whether a draft guesses tokens that a step verifies.
        serve_speculative: bool = false, "one token a step and sequence";
        /// Whether prompts have machines of their own.
        serve_disaggregated: bool = false, "prompts between the steps of the same machine";
    }
    reads { machine_names! speed_ratio serve_tokens_per_s_per_user serve_max_chips }
    outputs {
        /// Most tokens a second and chip at the base.
        speed_base_tokens_per_s_per_chip: "tokens/s" [0.0, INFINITE];
        /// Most tokens a second and chip at the speed; 0 if the chips don't reach it.
        speed_fast_tokens_per_s_per_chip: "tokens/s" [0.0, INFINITE];
        /// Cost of a token at the speed over that at the base; infinite if the chips don't reach it.
        speed_cost_ratio: "1" [0.0, INFINITE];
        /// Tokens a second of one request alone, in the layout that is fastest; null if the model fits none.
        speed_reachable_tokens_per_s_per_user: "tokens/s" [0.0, INFINITE];
    }
    summaries {}
    statuses {
        /// Whether the chips reach the speed.
        speed_status: SpeedStatus;
    }
    equations(x, given) {
        let (weights, sequence, chip, calibration, _, guess, _) = pieces!(x);
        let kv_bytes = sequence.held_bytes();
        let base_s = N::one() / x.serve_tokens_per_s_per_user;
        let fast_s = base_s / x.speed_ratio;
        let (mut base, mut fast, mut reachable) = (N::zero(), N::zero(), N::zero());
        let mut k = 0;
        while k < LAYOUTS.len() {
            let (tensor, data, expert) = LAYOUTS[k];
            let layout = Layout { tensor: N::of(tensor), data: N::of(data), expert: N::of(expert) };
            let machine = machine(&weights, &sequence, &chip, &layout, &calibration, &guess, x.serve_disaggregated);
            let most = machine.sequences_most(&chip, machine.weight_bytes, kv_bytes);
            let possible = N::one().le(most) & machine.chips.le(x.serve_max_chips);
            let most = N::select(possible, machine.batch(N::of(SEQUENCES_MOST), most), N::one());
            // The load of one request, of whose time its own prompt has a part.
            let few = machine.batch(N::one(), N::one());
            let alone_s = machine.tpot_s(few);
            reachable = N::select(possible, reachable.max(N::one() / alone_s), reachable);
            let mut tier = 0;
            // Where no row can, there is nothing to look at.
            let nowhere = N::shortcut(N::select(possible, N::one(), N::zero()).eq(N::zero()));
            while tier < 2 && !nowhere {
                let tpot_s = if tier == 0 { base_s } else { fast_s };
                let served = possible & (alone_s * (1.0 - ROUNDING)).le(tpot_s);
                let batch = machine.sequences_within(tpot_s, few, most);
                let taken_s = machine.tpot_s(batch);
                let prompt_machines = machine.prompt_machines(batch, taken_s);
                let throughput = machine.tokens_per_s_per_chip(batch, taken_s, prompt_machines);
                let throughput = N::select(served, throughput, N::zero());
                (base, fast) = if tier == 0 { (base.max(throughput), fast) } else { (base, fast.max(throughput)) };
                tier += 1;
            }
            k += 1;
        }
        let speed_base_tokens_per_s_per_chip = given.speed_base_tokens_per_s_per_chip(base);
        let speed_fast_tokens_per_s_per_chip = given.speed_fast_tokens_per_s_per_chip(fast);
        let reached = N::zero().lt(speed_fast_tokens_per_s_per_chip);
        let has_base = N::zero().lt(speed_base_tokens_per_s_per_chip);
        let ratio = speed_base_tokens_per_s_per_chip
            / N::select(reached, speed_fast_tokens_per_s_per_chip, N::one());
        let ratio = N::select(reached, ratio, N::of(INFINITE));
        let speed_cost_ratio = given.speed_cost_ratio(N::select(has_base, ratio, N::of(f64::NAN)));
        let somewhere = N::zero().lt(reachable);
        let speed_reachable_tokens_per_s_per_user =
            given.speed_reachable_tokens_per_s_per_user(N::select(somewhere, reachable, N::of(f64::NAN)));
        let status = N::select(reached, SpeedStatus::Ok.number(), SpeedStatus::BeyondLimit.number());
        let speed_status = N::select(has_base, status, SpeedStatus::BaseBeyondLimit.number());
        Outputs {
            speed_base_tokens_per_s_per_chip, speed_fast_tokens_per_s_per_chip, speed_cost_ratio,
            speed_reachable_tokens_per_s_per_user, speed_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SpeedServing;
    use crate::trial::{Answers, Case, check_derivatives, evaluate, with};

    /// A billion dense weights of a byte, no prompts, and a chip that reaches all of its data sheet: 1 ms to read the
    /// weights, 10 µs for the cache of each sequence.
    const ROUND: [(&str, f64); 46] = [
        ("llm_layers", 10.0),
        ("llm_hidden", 1000.0),
        ("llm_kv_heads", 4.0),
        ("llm_attention_params", 0.5e9),
        ("llm_dense_params", 0.5e9),
        ("llm_expert_params", 0.0),
        ("llm_expert_active_share", 0.0),
        ("llm_embedding_params", 0.0),
        ("llm_expert_layers", 0.0),
        ("llm_kv_bytes_per_token", 10e3),
        ("llm_kv_bytes_per_element", 1.0),
        ("llm_state_bytes", 0.0),
        ("llm_attention_flop_per_pair", 0.0),
        ("chip_flop_per_s_bf16", 1e20),
        ("chip_memory_bytes", 2e9),
        ("chip_memory_bytes_per_s", 1e12),
        ("chip_link_bytes_per_s", 1e11),
        ("serve_attention_weight_bytes", 1.0),
        ("serve_dense_weight_bytes", 1.0),
        ("serve_expert_weight_bytes", 1.0),
        ("serve_head_weight_bytes", 1.0),
        ("serve_attention_flop_per_s", 1e20),
        ("serve_dense_flop_per_s", 1e20),
        ("serve_expert_flop_per_s", 1e20),
        ("serve_step_factor", 1.0),
        ("serve_host_factor", 1.0),
        ("serve_start_s", 0.0),
        ("serve_launch_factor", 1.0),
        ("serve_memory_share", 1.0),
        ("serve_input_tokens", 0.0),
        ("serve_output_tokens", 2000.0),
        ("serve_draft_tokens", 0.0),
        ("serve_tokens_per_step", 1.0),
        ("serve_cal_weight_read_share", 1.0),
        ("serve_cal_expert_read_share", 1.0),
        ("serve_cal_kv_read_share", 1.0),
        ("serve_cal_decode_flop_share", 1.0),
        ("serve_cal_layer_s", 0.0),
        ("serve_cal_expert_layer_s", 0.0),
        ("serve_cal_collective_s", 0.0),
        ("serve_cal_host_s", 0.0),
        ("serve_cal_expert_slice", 0.0),
        ("serve_max_chips", 1.0),
        ("serve_tokens_per_s_per_user", 600.0),
        ("speed_ratio", 1.5),
        ("serve_kv_bytes_per_element", 1.0),
    ];

    fn at(changes: &[(&str, f64)]) -> Answers {
        evaluate::<SpeedServing>(&with(&ROUND, changes), &[])
    }

    fn close(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-9, "{got} is not {want}"); // arithmetic hidden behind reading
    }

    #[test]
    fn the_fastest_speed_is_reached_however_it_rounds() {
        for tokens in [100.0, 310.0, 733.0, 4321.0] {
            let fastest = at(&[("serve_output_tokens", tokens)])["speed_reachable_tokens_per_s_per_user"];
            for nearly in [fastest, fastest * (1.0 + 3e-16), fastest * (1.0 - 3e-16)] {
                let answers = at(&[("serve_output_tokens", tokens), ("serve_tokens_per_s_per_user", nearly)]);
                assert!(answers["speed_base_tokens_per_s_per_chip"] > 0.0, "{tokens}: {nearly}");
            }
        }
    }

    #[test]
    fn one_layout_by_hand() {
        // 600 tokens a second leave 1/600 - 0.001 s for 66.67 sequences, 900 leave 11.11: 40,000 and 10,000 tokens a second.
        let answers = at(&[]);
        close(answers["speed_base_tokens_per_s_per_chip"], 40_000.0);
        close(answers["speed_fast_tokens_per_s_per_chip"], 10_000.0);
        // The line: (1 - 0.6) / (1 - 0.9), but for the one sequence that is always there.
        close(answers["speed_cost_ratio"], 4.0);
        close(answers["speed_reachable_tokens_per_s_per_user"], 1.0 / 1.01e-3);
        assert_eq!(answers["speed_status"], 0.0);
    }

    #[test]
    fn memory_ends_the_cheap_side() {
        // Room for a hundred sequences of 1,000 tokens on the mean: 100 / 2 ms, however slow they may be.
        for slow in [500.0, 100.0, 1.0] {
            close(at(&[("serve_tokens_per_s_per_user", slow)])["speed_base_tokens_per_s_per_chip"], 50_000.0);
        }
        let same = at(&[("serve_tokens_per_s_per_user", 100.0), ("speed_ratio", 4.0)]);
        assert_eq!(same["speed_cost_ratio"], 1.0);
    }

    #[test]
    fn more_chips_reach_more_and_cost_no_more() {
        let (one, eight) = (at(&[]), at(&[("serve_max_chips", 8.0)]));
        assert!(eight["speed_cost_ratio"] < one["speed_cost_ratio"]);
        assert!(eight["speed_reachable_tokens_per_s_per_user"] > one["speed_reachable_tokens_per_s_per_user"] * 3.0);
    }

    #[test]
    fn what_the_chips_do_not_reach() {
        let beyond = at(&[("speed_ratio", 1.7)]);
        assert_eq!((beyond["speed_status"], beyond["speed_fast_tokens_per_s_per_chip"]), (1.0, 0.0));
        assert!(beyond["speed_cost_ratio"].is_infinite());
        let no_base = at(&[("serve_tokens_per_s_per_user", 1000.0)]);
        assert!(no_base["speed_cost_ratio"].is_nan());
        assert_eq!(no_base["speed_status"], 2.0);
        let large = at(&[("chip_memory_bytes", 0.5e9)]);
        assert!(large["speed_reachable_tokens_per_s_per_user"].is_nan());
        assert_eq!(large["speed_status"], 2.0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let slow = [
            ("chip_flop_per_s_bf16", 1e12),
            ("serve_attention_flop_per_s", 1e12),
            ("serve_dense_flop_per_s", 1e12),
            ("serve_expert_flop_per_s", 1e12),
            ("chip_memory_bytes_per_s", 1e9),
            ("chip_link_bytes_per_s", 1e8),
            ("chip_memory_bytes", 1e12),
            ("serve_input_tokens", 1000.0),
            ("llm_attention_flop_per_pair", 4e4),
            ("llm_expert_params", 8e9),
            ("llm_expert_active_share", 0.25),
            ("llm_expert_layers", 10.0),
            ("llm_experts_per_token", 2.0),
            ("llm_expert_ffn", 2000.0),
            ("serve_cal_expert_slice", 100.0),
            ("serve_cal_layer_s", 40e-3),
            ("serve_cal_collective_s", 6e-3),
            ("serve_cal_host_s", 15e-3),
            ("serve_tokens_per_s_per_user", 0.05),
            ("serve_max_chips", 8.5), // between layouts
        ];
        check_derivatives::<SpeedServing>(Case { values: &with(&ROUND, &slow), choices: &[] }, &[]);
    }
}
