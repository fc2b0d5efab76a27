//! The constants of a chip's matrix kernels in the number format asked for.
//!
//! The chip catalog has them for each format: seven fitted constants (eight in 8 bits, which pay for bringing activations
//! into the format) and what is known of the chip: units, largest tile, tiles with a side of 192, how often a wave fetches
//! what it reads. Fitted on measured times of 16 to 16,384 rows and of 512 to 16,384 columns and depth (ai-dynamo/
//! aiconfigurator @095f58a, Apache-2.0, with sglang 0.5.10, vLLM 0.24.0 and TensorRT-LLM 1.3.0rc20) by least squares of the
//! logarithm of time. On shapes of depth and columns that the fit had not seen, the mean error is:
//!
//!     A100 SXM   16 bits 6.8 %              H100 SXM   16 bits 6.5 %, 8 bits 4.9 %
//!     B200 SXM   16 bits 6.8 %, 8 bits 4.9 %
//!
//! `docs/accuracy.md` has them by size and software. Constants belong to the software as much as to the chip and
//! hold as a set; `chip_gemm_launch_s` in 8 bits holds a launch of the conversion. H200 and H800 have those of the H100,
//! GB200 those of the B200, with their own bandwidth and units. Times in 8 bits are with the conversion of 16-bit activations,
//! as measured; multiplications of what is in 8 bits already are faster: the best shapes published for B200 and GB200 take
//! 0.57 of these times (S. Bekman, Machine Learning Engineering). There is no measurement in 4 bits.

use crate::variable::{NONE, choices, model};

choices!(
    /// The number format of weights and activations.
    GemmPrecision {
        Bf16 "bf16",
        Fp8 "fp8",
    }
);

model! {
    /// The constants of a chip's matrix kernels in the number format asked for.
    GemmKernels = "gemm_kernels";
    inputs {
        /// Peak rate in 16 bits, dense.
        chip_flop_per_s_bf16: number "FLOP/s" [1.0, 1e21], default NONE, typical [1e14, 5e15], VendorClaim "data sheet of the chip";
        /// Peak rate in 8 bits, dense.
        chip_flop_per_s_fp8: number "FLOP/s" [1.0, 1e21], default NONE, typical [2e14, 1e16], VendorClaim "data sheet of the chip";
        /// Rate of the memory.
        chip_memory_bytes_per_s: number "bytes/s" [1.0, 1e18], default NONE, typical [1e12, 1e13], VendorClaim "data sheet of the chip";
        /// Units that work off output tiles: streaming multiprocessors, compute units, matrix units.
        chip_gemm_units: integer "1" [1.0, 1e7], default NONE, typical [2.0, 304.0], VendorClaim "property of the chip";
        /// Elements of the largest output tile.
        chip_gemm_tile_elements: integer "1" [4096.0, 1e7], default NONE, typical [32768.0, 65536.0], Estimate "tiles of the vendor's kernels";
        /// 1 where kernels have tiles with a side of 192.
        chip_gemm_wide_tiles: integer "1" [0.0, 1.0], default NONE, typical [0.0, 1.0], Estimate "tiles of the vendor's kernels";
        /// How often a wave of tiles fetches what it reads.
        chip_gemm_rereads: number "1" [0.0, 100.0], default NONE, typical [1.0, 2.0], Estimate "near what free fits give: 0.8 to 1.0 on an A100, 1.6 to 2.4 on later chips";
        /// Share of the peak in 16 bits that full waves of the best tile reach.
        chip_gemm_peak_share_bf16: number "1" [1e-6, 10.0], default NONE, typical [0.7, 0.9], Measured "fitted on measured times";
        /// Time of a launch in 16 bits.
        chip_gemm_launch_s_bf16: number "s" [0.0, 1.0], default NONE, typical [2e-6, 6e-6], Measured "fitted on measured times";
        /// Share of the memory's rate that is reached in 16 bits.
        chip_gemm_memory_share_bf16: number "1" [1e-6, 10.0], default NONE, typical [0.75, 0.95], Measured "fitted on measured times";
        /// What of a wave that is not full costs its part only, in 16 bits; 0: it costs a whole wave.
        chip_gemm_wave_smoothing_bf16: number "1" [0.0, 1.0], default NONE, typical [0.4, 1.0], Measured "fitted on measured times";
        /// Loss of smaller tiles in 16 bits, by 128 over each side.
        chip_gemm_tile_loss_bf16: number "1" [0.0, 1.5], default NONE, typical [0.0, 0.25], Measured "fitted on measured times";
        /// Depth that start and end of a tile cost, in 16 bits.
        chip_gemm_prologue_depth_bf16: number "1" [0.0, 1e6], default NONE, typical [50.0, 160.0], Measured "fitted on measured times";
        /// Waves of tiles at which half of the bandwidth is drawn, in 16 bits.
        chip_gemm_half_bandwidth_waves_bf16: number "1" [0.0, 1e6], default NONE, typical [0.05, 0.3], Measured "fitted on measured times";
        /// Share of the peak in 8 bits that full waves of the best tile reach.
        chip_gemm_peak_share_fp8: number "1" [1e-6, 10.0], default NONE, typical [0.65, 0.8], Measured "fitted on measured times";
        /// Time of a launch in 8 bits, the conversion's included.
        chip_gemm_launch_s_fp8: number "s" [0.0, 1.0], default NONE, typical [1e-5, 1.6e-5], Measured "fitted on measured times";
        /// Share of the memory's rate that is reached in 8 bits.
        chip_gemm_memory_share_fp8: number "1" [1e-6, 10.0], default NONE, typical [0.8, 0.9], Measured "fitted on measured times";
        /// What of a wave that is not full costs its part only, in 8 bits; 0: it costs a whole wave.
        chip_gemm_wave_smoothing_fp8: number "1" [0.0, 1.0], default NONE, typical [0.8, 1.0], Measured "fitted on measured times";
        /// Loss of smaller tiles in 8 bits, by 128 over each side.
        chip_gemm_tile_loss_fp8: number "1" [0.0, 1.5], default NONE, typical [0.0, 0.2], Measured "fitted on measured times";
        /// Depth that start and end of a tile cost, in 8 bits.
        chip_gemm_prologue_depth_fp8: number "1" [0.0, 1e6], default NONE, typical [200.0, 300.0], Measured "fitted on measured times";
        /// Waves of tiles at which half of the bandwidth is drawn, in 8 bits.
        chip_gemm_half_bandwidth_waves_fp8: number "1" [0.0, 1e6], default NONE, typical [0.1, 0.8], Measured "fitted on measured times";
        /// Bytes moved an activation to bring it into 8 bits.
        chip_gemm_cast_bytes_fp8: number "bytes" [0.0, 1e4], default NONE, typical [3.0, 9.0], Measured "fitted on measured times";
    }
    choices {
        /// Number format of weights and activations in matrix multiplications.
        gemm_precision: GemmPrecision = GemmPrecision::Bf16, "16 bits, in which models are trained";
    }
    reads {}
    outputs {
        /// Peak rate in the format asked for.
        gemm_peak_flop_per_s: "FLOP/s" [1.0, 1e21];
        /// Rate of the memory.
        gemm_memory_bytes_per_s: "bytes/s" [1.0, 1e18];
        /// Units that work off output tiles.
        gemm_units: "1" [1.0, 1e7];
        /// Elements of the largest output tile.
        gemm_tile_elements: "1" [4096.0, 1e7];
        /// 1 where there are tiles with a side of 192.
        gemm_wide_tiles: "1" [0.0, 1.0];
        /// How often a wave of tiles fetches what it reads.
        gemm_rereads: "1" [0.0, 100.0];
        /// Share of the peak that full waves of the best tile reach.
        gemm_peak_share: "1" [1e-6, 10.0];
        /// Time of a launch.
        gemm_launch_s: "s" [0.0, 1.0];
        /// Share of the memory's rate that is reached.
        gemm_memory_share: "1" [1e-6, 10.0];
        /// What of a wave that is not full costs its part only.
        gemm_wave_smoothing: "1" [0.0, 1.0];
        /// Loss of smaller tiles, by 128 over each side.
        gemm_tile_loss: "1" [0.0, 1.5];
        /// Depth that start and end of a tile cost.
        gemm_prologue_depth: "1" [0.0, 1e6];
        /// Waves of tiles at which half of the bandwidth is drawn.
        gemm_half_bandwidth_waves: "1" [0.0, 1e6];
        /// Bytes moved an activation to bring it into the format.
        gemm_cast_bytes: "bytes" [0.0, 1e4];
        /// Bytes of an element of weights and activations.
        gemm_bytes_per_element: "bytes" [0.5, 8.0];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let narrow = x.gemm_precision == GemmPrecision::Fp8;
        let peak = if narrow { x.chip_flop_per_s_fp8 } else { x.chip_flop_per_s_bf16 };
        let peak_share = if narrow { x.chip_gemm_peak_share_fp8 } else { x.chip_gemm_peak_share_bf16 };
        let launch_s = if narrow { x.chip_gemm_launch_s_fp8 } else { x.chip_gemm_launch_s_bf16 };
        let memory_share = if narrow { x.chip_gemm_memory_share_fp8 } else { x.chip_gemm_memory_share_bf16 };
        let smoothing = if narrow { x.chip_gemm_wave_smoothing_fp8 } else { x.chip_gemm_wave_smoothing_bf16 };
        let tile_loss = if narrow { x.chip_gemm_tile_loss_fp8 } else { x.chip_gemm_tile_loss_bf16 };
        let prologue = if narrow { x.chip_gemm_prologue_depth_fp8 } else { x.chip_gemm_prologue_depth_bf16 };
        let half_waves =
            if narrow { x.chip_gemm_half_bandwidth_waves_fp8 } else { x.chip_gemm_half_bandwidth_waves_bf16 };
        let cast_bytes = if narrow { x.chip_gemm_cast_bytes_fp8 } else { N::zero() };
        // A constant of the format, known as soon as the chip is: the outputs stand or fall together.
        let bytes = N::select(N::zero().lt(peak), N::of(if narrow { 1.0 } else { 2.0 }), N::zero());
        let gemm_peak_flop_per_s = given.gemm_peak_flop_per_s(peak);
        let gemm_memory_bytes_per_s = given.gemm_memory_bytes_per_s(x.chip_memory_bytes_per_s);
        let gemm_units = given.gemm_units(x.chip_gemm_units);
        let gemm_tile_elements = given.gemm_tile_elements(x.chip_gemm_tile_elements);
        let gemm_wide_tiles = given.gemm_wide_tiles(x.chip_gemm_wide_tiles);
        let gemm_rereads = given.gemm_rereads(x.chip_gemm_rereads);
        let gemm_peak_share = given.gemm_peak_share(peak_share);
        let gemm_launch_s = given.gemm_launch_s(launch_s);
        let gemm_memory_share = given.gemm_memory_share(memory_share);
        let gemm_wave_smoothing = given.gemm_wave_smoothing(smoothing);
        let gemm_tile_loss = given.gemm_tile_loss(tile_loss);
        let gemm_prologue_depth = given.gemm_prologue_depth(prologue);
        let gemm_half_bandwidth_waves = given.gemm_half_bandwidth_waves(half_waves);
        let gemm_cast_bytes = given.gemm_cast_bytes(cast_bytes + peak * 0.0);
        let gemm_bytes_per_element = given.gemm_bytes_per_element(bytes);
        Outputs {
            gemm_peak_flop_per_s, gemm_memory_bytes_per_s, gemm_units, gemm_tile_elements, gemm_wide_tiles, gemm_rereads,
            gemm_peak_share, gemm_launch_s, gemm_memory_share, gemm_wave_smoothing, gemm_tile_loss, gemm_prologue_depth,
            gemm_half_bandwidth_waves, gemm_cast_bytes, gemm_bytes_per_element,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GemmKernels;
    use crate::trial::evaluate;

    #[test]
    fn the_format_decides() {
        let chip: Vec<(&str, f64)> = vec![
            ("chip_flop_per_s_bf16", 1e15),
            ("chip_flop_per_s_fp8", 2e15),
            ("chip_gemm_launch_s_bf16", 3e-6),
            ("chip_gemm_launch_s_fp8", 12e-6),
            ("chip_gemm_cast_bytes_fp8", 6.0),
        ];
        let wide = evaluate::<GemmKernels>(&chip, &[]);
        assert_eq!(wide["gemm_peak_flop_per_s"], 1e15);
        assert_eq!(wide["gemm_launch_s"], 3e-6);
        assert_eq!(wide["gemm_cast_bytes"], 0.0);
        assert_eq!(wide["gemm_bytes_per_element"], 2.0);
        let narrow = evaluate::<GemmKernels>(&chip, &[("gemm_precision", "fp8")]);
        assert_eq!(narrow["gemm_peak_flop_per_s"], 2e15);
        assert_eq!(narrow["gemm_launch_s"], 12e-6);
        assert_eq!(narrow["gemm_cast_bytes"], 6.0);
        assert_eq!(narrow["gemm_bytes_per_element"], 1.0);
    }
}
