//! How long one matrix multiplication takes on a chip, and what share of the peak it reaches.
//!
//!     time    t = t₀ + (arithmetic⁴ + memory⁴)^¼,   over the tile and the split of the depth that are fastest
//!
//! with arithmetic and memory time by tiles and waves, see `src/gemm.rs`, and the chip's constants of `gemm_kernels`.
//! A published form (tiles, ⌈waves⌉, a hard maximum of arithmetic and memory) misses measured times by 9 to 15 %; waves
//! that in part cost only their part, a split depth, bandwidth that takes enough tiles in flight and matrices fetched wave
//! by wave bring it to 5 to 7 %, see `gemm_kernels`. The exponent 4 is fixed: fits gave 3 to 6.
//!
//! The arithmetic rate falls where rows of a matrix do not start on a multiple of 64 bytes. Measured on an H100: width
//! 10922 (4 bytes) 272.7, 10848 (64 bytes) 395.6, 10944 (128 bytes) 398.4, 11008 (512 bytes) 395.0 TFLOP/s (S. Bekman, Machine
//! Learning Engineering @744d01e, training/performance): 0.685 at 4 bytes and nothing to gain beyond 64. 0.555 at 2 bytes is
//! worked out from a vocabulary of 50257 padded to 50304, reported as 25 % of a GPT-2 training step (A. Karpathy), of whose
//! arithmetic the output head is 31 %. 8 to 32 bytes are not measured: a judgement.
//!
//! Measured cliffs at the edge of a wave are sharper: 2305 rows in place of 2304 on an A100 cost 1.4 to 2.2 times, 1.3 here.
//! Other software differs: the same H100 reached 854 TFLOP/s with one library and 956 with another.

use crate::gemm::{Cuts, Shape, by_alignment, kernels, kernels_of};
use crate::variable::{HUGE, NONE, model};

model! {
    /// Time of one matrix multiplication.
    Gemm = "gemm";
    inputs {
        /// Rows of the result: tokens.
        gemm_rows: integer "1" [1.0, 1e9], default NONE, typical [16.0, 16384.0], Definition "property of the multiplication";
        /// Columns of the result: width of the output.
        gemm_columns: integer "1" [1.0, 1e9], default NONE, typical [512.0, 53248.0], Definition "property of the multiplication";
        /// What is summed over: width of the input.
        gemm_depth: integer "1" [1.0, 1e9], default NONE, typical [512.0, 53248.0], Definition "property of the multiplication";
        /// Share of the arithmetic rate with rows aligned to 2 bytes.
        gemm_align_2_bytes: number "1" [1e-3, 1.0], default 0.555, typical [0.5, 0.69], Estimate "worked out from a vocabulary padded from 50257 to 50304 (A. Karpathy)";
        /// Share of the arithmetic rate with rows aligned to 4 bytes.
        gemm_align_4_bytes: number "1" [1e-3, 1.0], default 0.685, typical [0.65, 0.72], Measured "H100, width 10922 against 10944 (S. Bekman, Machine Learning Engineering)";
        /// Share of the arithmetic rate with rows aligned to 8 bytes.
        gemm_align_8_bytes: number "1" [1e-3, 1.0], default 0.80, typical [0.75, 0.9], Judgement "not measured: between 4 and 64 bytes";
        /// Share of the arithmetic rate with rows aligned to 16 bytes.
        gemm_align_16_bytes: number "1" [1e-3, 1.0], default 0.88, typical [0.8, 0.95], Judgement "not measured: between 4 and 64 bytes";
        /// Share of the arithmetic rate with rows aligned to 32 bytes.
        gemm_align_32_bytes: number "1" [1e-3, 1.0], default 0.97, typical [0.9, 1.0], Judgement "not measured: between 4 and 64 bytes";
    }
    choices {}
    reads { kernels! }
    outputs {
        /// Share of the arithmetic rate that the alignment of the rows leaves.
        gemm_alignment_share: "1" [1e-3, 1.0];
        /// Time of the multiplication.
        gemm_s: "s" [0.0, HUGE];
        /// Arithmetic rate that is reached.
        gemm_flop_per_s: "FLOP/s" [0.0, 1e21];
        /// Share of the peak that is reached.
        gemm_peak_share_reached: "1" [0.0, 10.0];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let alignment = by_alignment!(x);
        let kernels = kernels!([kernels_of] x);
        let shape = Shape { batch: N::one(), rows: x.gemm_rows, columns: x.gemm_columns, depth: x.gemm_depth };
        let gemm_alignment_share =
            given.gemm_alignment_share(alignment.share(shape.columns, shape.depth, x.gemm_bytes_per_element));
        let (cut_rows, cut_columns) = (Cuts::whole(shape.rows), Cuts::whole(shape.columns));
        let (slowdown, idle) = (N::one() / gemm_alignment_share, N::one().lt(N::zero()));
        let gemm_s = given.gemm_s(kernels.rates().seconds(&shape, &cut_rows, &cut_columns, slowdown, idle));
        let gemm_flop_per_s = given.gemm_flop_per_s(shape.flop() / gemm_s);
        let gemm_peak_share_reached = given.gemm_peak_share_reached(gemm_flop_per_s / x.gemm_peak_flop_per_s);
        Outputs { gemm_alignment_share, gemm_s, gemm_flop_per_s, gemm_peak_share_reached }
    }
}

#[cfg(test)]
mod tests {
    use super::Gemm;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    /// A chip of round numbers: 100 units of 1e12 FLOP/s, 1e12 bytes/s, tiles of 256 × 128, whole waves only.
    pub const CHIP: [(&str, f64); 15] = [
        ("gemm_peak_flop_per_s", 1e14),
        ("gemm_memory_bytes_per_s", 1e12),
        ("gemm_units", 100.0),
        ("gemm_tile_elements", 32768.0),
        ("gemm_wide_tiles", 0.0),
        ("gemm_rereads", 0.0),
        ("gemm_peak_share", 1.0),
        ("gemm_launch_s", 0.0),
        ("gemm_memory_share", 1.0),
        ("gemm_wave_smoothing", 0.0),
        ("gemm_tile_loss", 0.0),
        ("gemm_prologue_depth", 0.0),
        ("gemm_half_bandwidth_waves", 0.0),
        ("gemm_cast_bytes", 0.0),
        ("gemm_bytes_per_element", 2.0),
    ];

    fn seconds(changes: &[(&str, f64)]) -> f64 {
        evaluate::<Gemm>(&with(&CHIP, changes), &[])["gemm_s"]
    }

    fn near(got: f64, wanted: f64) {
        assert!((got / wanted - 1.0).abs() < 1e-13, "{got}, not {wanted}"); // a few roundings
    }

    #[test]
    fn one_wave_by_hand() {
        // 2560 × 1280 in 10 × 10 tiles of 256 × 128: one wave of 2 · 256 · 128 · 4096 FLOP at 1e12 a unit. Each matrix once:
        // 2 (2560 + 1280) 4096 + 2 · 2560 · 1280 bytes at 1e12.
        let arithmetic: f64 = 2.0 * 256.0 * 128.0 * 4096.0 / 1e12;
        let memory: f64 = (2.0 * (2560.0 + 1280.0) * 4096.0 + 2.0 * 2560.0 * 1280.0) / 1e12;
        let shape = [("gemm_rows", 2560.0), ("gemm_columns", 1280.0), ("gemm_depth", 4096.0)];
        let (a, b) = (arithmetic * arithmetic, memory * memory);
        near(seconds(&shape), (a * a + b * b).sqrt().sqrt());
        // The same, as the launch and the conversion of 3 bytes an activation are added.
        let more = with(&shape, &[("gemm_launch_s", 1e-5), ("gemm_cast_bytes", 3.0)]);
        near(seconds(&more), seconds(&shape) + 1e-5 + 2560.0 * 4096.0 * 3.0 / 1e12);
    }

    #[test]
    fn limits() {
        // Without a memory the arithmetic stands alone, and where waves cost their part it is that of whole tiles.
        let arithmetic = [("gemm_memory_bytes_per_s", 1e18), ("gemm_wave_smoothing", 1.0)];
        let shape = [("gemm_rows", 4096.0), ("gemm_columns", 8192.0), ("gemm_depth", 4096.0)];
        near(seconds(&with(&arithmetic, &shape)), 2.0 * 4096.0 * 8192.0 * 4096.0 / 1e14);
        // One row more is one row of tiles more, the smallest.
        let edge = with(&shape, &[("gemm_rows", 4097.0)]);
        near(seconds(&with(&arithmetic, &edge)), 2.0 * 4160.0 * 8192.0 * 4096.0 / 1e14);
    }

    #[test]
    fn alignment_counts_to_64_bytes_in_both_directions() {
        let share = |columns: f64, depth: f64| {
            let shape = [("gemm_rows", 1.0), ("gemm_columns", columns), ("gemm_depth", depth)];
            evaluate::<Gemm>(&with(&CHIP, &shape), &[])["gemm_alignment_share"]
        };
        assert_eq!(share(50257.0, 768.0), 0.555);
        assert_eq!(share(10922.0, 4096.0), 0.685);
        assert_eq!(share(4096.0, 10922.0), 0.685);
        assert_eq!(share(10924.0, 4096.0), 0.80);
        assert_eq!(share(8.0, 16.0), 0.88);
        assert_eq!(share(16.0, 16.0), 0.97);
        assert_eq!(share(32.0, 4096.0), 1.0);
    }

    #[test]
    fn more_is_never_faster_and_a_chip_never_beats_its_peak() {
        for depth in [64.0, 1000.0, 4096.0, 16384.0] {
            let mut last = 0.0;
            for rows in [1.0, 100.0, 128.0, 129.0, 2304.0, 2305.0, 10_000.0] {
                let shape = [("gemm_rows", rows), ("gemm_columns", 1536.0), ("gemm_depth", depth)];
                let now = seconds(&shape);
                assert!(now >= last);
                assert!(2.0 * rows * 1536.0 * depth / now <= 1e14);
                last = now;
            }
        }
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = [
            ("gemm_rows", 1000.0),
            ("gemm_columns", 1500.0),
            ("gemm_depth", 3000.0),
            ("gemm_peak_share", 0.8),
            ("gemm_launch_s", 4e-6),
            ("gemm_memory_share", 0.8),
            ("gemm_wave_smoothing", 0.6),
            ("gemm_tile_loss", 0.2),
            ("gemm_prologue_depth", 140.0),
            ("gemm_half_bandwidth_waves", 0.1),
            ("gemm_rereads", 1.0),
            ("gemm_units", 107.3), // between steps of waves and of tiles that are there
            ("gemm_tile_elements", 40_000.0),
        ];
        // What alignment leaves is constant between steps of the bytes of an element.
        let given = with(&with(&CHIP, &case), &[("gemm_alignment_share", 0.8)]);
        check_derivatives::<Gemm>(Case { values: &given, choices: &[] }, &["gemm_alignment_share"]);
    }
}
