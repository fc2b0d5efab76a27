//! How well a matrix fills the tiles and the waves of a chip: arithmetic without a clock.
//!
//!     tiles        C = ⌈rows/Tm⌉ ⌈columns/Tn⌉
//!     waves        ⌈C/S⌉ on S units
//!     efficiency   of tiles: rows columns / (C Tm Tn);   of waves: (C/S) / ⌈C/S⌉;   of both: their product
//!
//! NVIDIA, Matrix Multiplication Background User's Guide, DU-09799-001, section 3; S. Bekman, Machine Learning Engineering,
//! training/performance. Two chips of the same clock differ by the ratio of their waves. This bound is what textbooks have;
//! measured times follow it in part only (`gemm`): on an A100 a shape of high efficiency is worth some 1.3 of one of low
//! efficiency, on an H100 1.1, on a B200 1.16, and these are upper readings, since shapes of low efficiency are also small.

use crate::gemm::ceil;
use crate::variable::{HUGE, NONE, model};

model! {
    /// Tiles and waves of one matrix multiplication.
    GemmTiling = "gemm_tiling";
    inputs {
        /// Rows of an output tile.
        gemm_tile_rows: integer "1" [1.0, 1e6], default NONE, typical [64.0, 256.0], Definition "property of the kernel";
        /// Columns of an output tile.
        gemm_tile_columns: integer "1" [1.0, 1e6], default NONE, typical [64.0, 256.0], Definition "property of the kernel";
    }
    choices {}
    reads { gemm_rows gemm_columns gemm_units }
    outputs {
        /// Output tiles.
        gemm_tiles: "1" [1.0, HUGE];
        /// Waves in which the units work them off.
        gemm_waves: "1" [1.0, HUGE];
        /// Share of the tiles' elements that are elements of the result.
        gemm_tile_efficiency: "1" [0.0, 1.0];
        /// Share of the waves' tiles that are there.
        gemm_wave_efficiency: "1" [0.0, 1.0];
        /// Share of the arithmetic of whole waves of whole tiles that is asked for.
        gemm_quantization_efficiency: "1" [0.0, 1.0];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let whole = ceil(x.gemm_rows / x.gemm_tile_rows) * ceil(x.gemm_columns / x.gemm_tile_columns);
        let gemm_tiles = given.gemm_tiles(whole);
        let gemm_waves = given.gemm_waves(ceil(gemm_tiles / x.gemm_units));
        let covered = gemm_tiles * x.gemm_tile_rows * x.gemm_tile_columns;
        let gemm_tile_efficiency = given.gemm_tile_efficiency(x.gemm_rows * x.gemm_columns / covered);
        let gemm_wave_efficiency = given.gemm_wave_efficiency(gemm_tiles / x.gemm_units / gemm_waves);
        let gemm_quantization_efficiency = given.gemm_quantization_efficiency(gemm_tile_efficiency * gemm_wave_efficiency);
        Outputs { gemm_tiles, gemm_waves, gemm_tile_efficiency, gemm_wave_efficiency, gemm_quantization_efficiency }
    }
}

#[cfg(test)]
mod tests {
    use super::GemmTiling;
    use crate::trial::evaluate;

    fn of(rows: f64, columns: f64, tile: (f64, f64), units: f64, name: &str) -> f64 {
        let case = [
            ("gemm_rows", rows),
            ("gemm_columns", columns),
            ("gemm_tile_rows", tile.0),
            ("gemm_tile_columns", tile.1),
            ("gemm_units", units),
        ];
        evaluate::<GemmTiling>(&case, &[])[name]
    }

    #[test]
    fn a_full_wave_and_one_column_more() {
        assert_eq!(of(2304.0, 1536.0, (256.0, 128.0), 108.0, "gemm_tiles"), 108.0);
        assert_eq!(of(2304.0, 1536.0, (256.0, 128.0), 108.0, "gemm_quantization_efficiency"), 1.0);
        assert_eq!(of(2304.0, 1537.0, (256.0, 128.0), 108.0, "gemm_tiles"), 117.0);
        assert_eq!(of(2304.0, 1537.0, (256.0, 128.0), 108.0, "gemm_waves"), 2.0);
    }

    #[test]
    fn the_efficiencies_are_shares() {
        for columns in [1.0, 127.0, 128.0, 129.0, 5000.0] {
            let both = of(300.0, columns, (256.0, 128.0), 108.0, "gemm_quantization_efficiency");
            assert!(0.0 < both && both <= 1.0);
        }
    }
}
