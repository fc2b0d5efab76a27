//! How long a chip takes to multiply two matrices: tiles, waves, memory, alignment.
//!
//! C = A B with A of rows × depth and B of depth × columns. The output is cut into tiles, which the chip's units work off
//! in waves; a tile at the edge and a wave that is not full cost as much as whole ones. Tiles of several shapes are tried,
//! and the depth is cut in 1, 2 or 4 where that fills the units; the fastest counts, as a library's heuristic has it.
//!
//!     tiles   C = ⌈rows/Tm⌉ ⌈columns/Tn⌉ q             waves   W = C/S
//!     arith   Tc = ((1-σ)⌈W⌉ + σ W) 2 Tm Tn (depth/q + k₀) (1 + g (128/Tm + 128/Tn - 1.5)) / (e eₐ P/S)
//!     memory  Tm = bytes (1 + u/W) / (e_b B),  bytes = max(each matrix once, r · wave by wave) + 8 q rows columns (q > 1)
//!     time    t = t₀ + (Tc⁴ + Tm⁴)^¼
//!
//! Tile and wave counts: NVIDIA, Matrix Multiplication Background User's Guide, DU-09799-001, section 3; S. Bekman,
//! Machine Learning Engineering, training/performance. Split depth: Osama et al., Stream-K, arXiv 2301.03598. Bandwidth
//! needs bytes in flight (Little's law), so few tiles do not draw all of it: 1 + u/W.

use crate::number::Number;

/// What is known of a chip's matrix kernels in one number format.
#[derive(Clone, Copy)]
pub struct Kernels<N> {
    pub flop_per_s: N,
    pub memory_bytes_per_s: N,
    /// S: streaming multiprocessors, compute units, matrix units.
    pub units: N,
    /// Elements of the largest output tile.
    pub tile_elements: N,
    /// 1 where there are tiles with a side of 192.
    pub wide_tiles: N,
    /// r: how often a wave fetches what it reads.
    pub rereads: N,
    /// e: share of the peak that full waves of the best tile reach.
    pub peak_share: N,
    /// t₀.
    pub launch_s: N,
    /// `e_b`: share of the memory's rate that is reached.
    pub memory_share: N,
    /// σ: 0 where a wave that is not full costs a whole one, 1 where it costs its part.
    pub wave_smoothing: N,
    /// g: what smaller tiles lose by bringing in more operands a result.
    pub tile_loss: N,
    /// k₀: depth that a tile's start and end cost.
    pub prologue_depth: N,
    /// u: waves at which half the bandwidth is drawn.
    pub half_bandwidth_waves: N,
    /// Bytes moved an element of A to bring it into the format.
    pub cast_bytes: N,
    /// Bytes of an element of A and B.
    pub bytes_per_element: N,
}

/// The share of the arithmetic rate that is left by how a row of a matrix is aligned, in bytes.
#[derive(Clone, Copy)]
pub struct ByAlignment<N> {
    pub at_2: N,
    pub at_4: N,
    pub at_8: N,
    pub at_16: N,
    pub at_32: N,
}

/// One multiplication, or as many of the same shape in one launch as `batch` says.
#[derive(Clone, Copy)]
pub struct Shape<N> {
    pub batch: N,
    pub rows: N,
    pub columns: N,
    pub depth: N,
}

/// Output tiles that kernels come in: the first seven on all chips, the last four where sides of 192 are there.
const TILES: [(f64, f64); 11] = [
    (256.0, 256.0),
    (256.0, 128.0),
    (128.0, 256.0),
    (128.0, 128.0),
    (128.0, 64.0),
    (64.0, 128.0),
    (64.0, 64.0),
    (256.0, 192.0),
    (192.0, 256.0),
    (192.0, 128.0),
    (128.0, 192.0),
];
const FIRST_WIDE_TILE: usize = 7;
/// Parts that the depth is cut in.
const SPLITS: [f64; 3] = [1.0, 2.0, 4.0];
/// A 32-bit partial sum is written and read.
const PARTIAL_SUM_BYTES: f64 = 8.0;
/// The output is in 16 bits whatever the inputs are.
const OUTPUT_BYTES: f64 = 2.0;
/// 128/Tm + 128/Tn of the tile of 256 × 128, to which the loss of smaller ones is referred.
const REFERENCE_TILE: f64 = 1.5;

#[inline(always)]
pub fn ceil<N: Number>(x: N) -> N {
    -(-x).floor()
}

impl<N: Number> ByAlignment<N> {
    /// The share at the largest power of two, up to 64, that divides the bytes of a row in both directions.
    #[inline(always)]
    pub fn share(self, columns: N, depth: N, bytes_per_element: N) -> N {
        let across = columns * bytes_per_element;
        let along = depth * bytes_per_element;
        let steps = [(64.0, N::one()), (32.0, self.at_32), (16.0, self.at_16), (8.0, self.at_8), (4.0, self.at_4)];
        let mut share = self.at_2;
        let mut step = steps.len();
        while step > 0 {
            step -= 1;
            let (bytes, reached) = steps[step];
            let divides = ((across / bytes).floor() * bytes).eq(across) & ((along / bytes).floor() * bytes).eq(along);
            share = N::select(divides, reached, share);
        }
        share
    }
}

impl<N: Number> Shape<N> {
    #[inline(always)]
    pub fn flop(self) -> N {
        self.batch * self.rows * self.columns * self.depth * 2.0
    }
}

impl<N: Number> Kernels<N> {
    /// From the constants in the order of the fields.
    #[inline(always)]
    pub fn new(constants: [N; 15]) -> Self {
        let [
            flop_per_s,
            memory_bytes_per_s,
            units,
            tile_elements,
            wide_tiles,
            rereads,
            peak_share,
            launch_s,
            memory_share,
            wave_smoothing,
            tile_loss,
            prologue_depth,
            half_bandwidth_waves,
            cast_bytes,
            bytes_per_element,
        ] = constants;
        Kernels {
            flop_per_s,
            memory_bytes_per_s,
            units,
            tile_elements,
            wide_tiles,
            rereads,
            peak_share,
            launch_s,
            memory_share,
            wave_smoothing,
            tile_loss,
            prologue_depth,
            half_bandwidth_waves,
            cast_bytes,
            bytes_per_element,
        }
    }

    /// Seconds of one launch. `ragged`: the rows are a mean over the batch, and each has a last tile half full.
    #[inline(always)]
    pub fn seconds(self, shape: Shape<N>, alignment_share: N, ragged: bool) -> N {
        let w = self.bytes_per_element;
        let output = shape.batch * shape.rows * shape.columns;
        let inputs = shape.batch * (shape.rows + shape.columns) * shape.depth * w;
        let once_bytes = inputs + output * OUTPUT_BYTES;
        let products = output * shape.depth;
        let wave_bytes = products * w * self.rereads * 2.0;
        let unit_flop_per_s = self.flop_per_s / self.units * self.peak_share * alignment_share;
        let bytes_per_s = self.memory_bytes_per_s * self.memory_share;
        let sharpness = -self.wave_smoothing + 1.0;

        let mut least = N::of(f64::INFINITY);
        let mut tile = 0;
        while tile < TILES.len() {
            let (tall, broad) = TILES[tile];
            let area = tall * broad;
            let there = N::of(area).le(self.tile_elements);
            let there = if tile < FIRST_WIDE_TILE { there } else { there & N::zero().lt(self.wide_tiles) };
            let down = if ragged { (shape.rows / tall + 0.5).max(N::one()) } else { ceil(shape.rows / tall) };
            let whole_tiles = shape.batch * down * ceil(shape.columns / broad);
            let loss = self.tile_loss * (128.0 / tall + 128.0 / broad - REFERENCE_TILE) + 1.0;
            let tile_s_a_depth = loss * (2.0 * area) / unit_flop_per_s;
            // A wave of square outline reads the rows and the columns along its sides.
            let side = (whole_tiles.min(self.units) * area).sqrt();
            let once_or_by_wave = once_bytes.max(wave_bytes / side);
            let mut split = 0;
            while split < SPLITS.len() {
                let parts = SPLITS[split];
                let waves = whole_tiles * parts / self.units;
                let counted = ceil(waves) * sharpness + waves * self.wave_smoothing;
                let arithmetic_s = counted * tile_s_a_depth * (shape.depth / parts + self.prologue_depth);
                let bytes =
                    if split == 0 { once_or_by_wave } else { once_or_by_wave + output * (parts * PARTIAL_SUM_BYTES) };
                let memory_s = bytes * (self.half_bandwidth_waves / waves + 1.0) / bytes_per_s;
                let (a, b) = (arithmetic_s * arithmetic_s, memory_s * memory_s);
                least = N::select(there, least.min(a * a + b * b), least);
                split += 1;
            }
            tile += 1;
        }
        let cast_s = shape.batch * shape.rows * shape.depth * self.cast_bytes / bytes_per_s;
        self.launch_s + cast_s + least.sqrt().sqrt()
    }
}

/// The constants of a chip's kernels by name.
macro_rules! kernels {
    ([$($then:tt)+] $($rest:tt)*) => {
        $($then)+! {
            [
                gemm_peak_flop_per_s gemm_memory_bytes_per_s gemm_units gemm_tile_elements gemm_wide_tiles
                gemm_rereads gemm_peak_share gemm_launch_s gemm_memory_share gemm_wave_smoothing
                gemm_tile_loss gemm_prologue_depth gemm_half_bandwidth_waves gemm_cast_bytes
                gemm_bytes_per_element
            ]
            $($rest)*
        }
    };
}
pub(crate) use kernels;

/// The same of a second chip.
macro_rules! second_kernels {
    ([$($then:tt)+] $($rest:tt)*) => {
        $($then)+! {
            [
                second_gemm_peak_flop_per_s second_gemm_memory_bytes_per_s second_gemm_units
                second_gemm_tile_elements second_gemm_wide_tiles second_gemm_rereads second_gemm_peak_share
                second_gemm_launch_s second_gemm_memory_share second_gemm_wave_smoothing
                second_gemm_tile_loss second_gemm_prologue_depth second_gemm_half_bandwidth_waves
                second_gemm_cast_bytes second_gemm_bytes_per_element
            ]
            $($rest)*
        }
    };
}
pub(crate) use second_kernels;

/// The same of a third chip.
macro_rules! third_kernels {
    ([$($then:tt)+] $($rest:tt)*) => {
        $($then)+! {
            [
                third_gemm_peak_flop_per_s third_gemm_memory_bytes_per_s third_gemm_units
                third_gemm_tile_elements third_gemm_wide_tiles third_gemm_rereads third_gemm_peak_share
                third_gemm_launch_s third_gemm_memory_share third_gemm_wave_smoothing third_gemm_tile_loss
                third_gemm_prologue_depth third_gemm_half_bandwidth_waves third_gemm_cast_bytes
                third_gemm_bytes_per_element
            ]
            $($rest)*
        }
    };
}
pub(crate) use third_kernels;

/// `Kernels` from what a model reads: `kernels! { [kernels_of] x }`.
macro_rules! kernels_of {
    ([$($name:ident)*] $x:ident) => {
        $crate::gemm::Kernels::new([$($x.$name),*])
    };
}
pub(crate) use kernels_of;

/// `ByAlignment` from what a model reads.
macro_rules! by_alignment {
    ($x:ident) => {
        $crate::gemm::ByAlignment {
            at_2: $x.gemm_align_2_bytes,
            at_4: $x.gemm_align_4_bytes,
            at_8: $x.gemm_align_8_bytes,
            at_16: $x.gemm_align_16_bytes,
            at_32: $x.gemm_align_32_bytes,
        }
    };
}
pub(crate) use by_alignment;
