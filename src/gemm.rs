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

/// Lengths of a tile's sides.
const WIDTHS: [f64; 4] = [256.0, 192.0, 128.0, 64.0];
/// Output tiles that kernels come in, by their sides' places in `WIDTHS`: each upright and lying. Those that most often are
/// the fastest come first.
const TILES: [(usize, usize); 7] = [(0, 2), (0, 0), (0, 1), (1, 2), (2, 2), (2, 3), (3, 3)];
/// Not all chips have tiles with a side of 192.
const WIDE: usize = 1;
/// The first of those that are seldom the fastest.
const FIRST_SMALL_TILE: usize = 4;
/// 1 over their area.
const OVER_AREA: [f64; TILES.len()] = {
    let mut over = [0.0; TILES.len()];
    let mut tile = 0;
    while tile < TILES.len() {
        over[tile] = 1.0 / (WIDTHS[TILES[tile].0] * WIDTHS[TILES[tile].1]);
        tile += 1;
    }
    over
};
/// Parts that the depth is cut in, where it is.
const SPLITS: [f64; 2] = [2.0, 4.0];
/// A 32-bit partial sum is written and read.
const PARTIAL_SUM_BYTES: f64 = 8.0;
/// The output is in 16 bits whatever the inputs are.
const OUTPUT_BYTES: f64 = 2.0;
/// 128/Tm + 128/Tn of the tile of 256 × 128, to which the loss of smaller ones is referred.
const REFERENCE_TILE: f64 = 1.5;

/// So that rounding skips nothing.
const BELOW_ROUNDING: f64 = 1.0 - 1e-9;
/// A shade less than 1, by more than a product of two rounds.
const SHADE_BELOW_ONE: f64 = 1.0 - 4.0 * f64::EPSILON;

#[inline(always)]
pub fn ceil<N: Number>(x: N) -> N {
    -(-x).floor()
}

/// ⌈x/y⌉ of a count, from a shade less than 1/y: what y divides comes out just below a whole number, and the rest farther
/// from one than that.
#[inline(always)]
fn ceil_by<N: Number>(x: N, inverse: N) -> N {
    (x * inverse).floor() + 1.0
}

#[inline(always)]
fn divides<N: Number>(x: N, by: f64) -> N::Mask {
    ((x / by).floor() * by).eq(x)
}

impl<N: Number> ByAlignment<N> {
    /// The share at the largest power of two, up to 64, that divides the bytes of a row in both directions.
    #[inline(always)]
    pub fn share(self, columns: N, depth: N, bytes_per_element: N) -> N {
        let across = columns * bytes_per_element;
        let along = depth * bytes_per_element;
        let full = divides(across, 64.0) & divides(along, 64.0);
        if N::shortcut(full) {
            return N::one();
        }
        let steps = [(32.0, self.at_32), (16.0, self.at_16), (8.0, self.at_8), (4.0, self.at_4)];
        let mut share = self.at_2;
        let mut step = steps.len();
        while step > 0 {
            step -= 1;
            let (bytes, reached) = steps[step];
            share = N::select(divides(across, bytes) & divides(along, bytes), reached, share);
        }
        N::select(full, N::one(), share)
    }

    /// How many times as long it takes in place of what share of the rate is left.
    #[inline(always)]
    pub fn slowdown(self) -> Self {
        let one = N::one();
        ByAlignment {
            at_2: one / self.at_2,
            at_4: one / self.at_4,
            at_8: one / self.at_8,
            at_16: one / self.at_16,
            at_32: one / self.at_32,
        }
    }
}

/// How tiles of each width cut one direction of a result.
#[derive(Clone, Copy)]
pub struct Cuts<N> {
    tiles: [N; WIDTHS.len()],
    /// 1 over their number.
    inverse: [N; WIDTHS.len()],
}

impl<N: Number> Cuts<N> {
    #[inline(always)]
    fn of(tiles: [N; WIDTHS.len()]) -> Self {
        let mut cuts = Cuts { tiles, inverse: tiles };
        let mut k = 0;
        while k < WIDTHS.len() {
            cuts.inverse[k] = N::one() / tiles[k];
            k += 1;
        }
        cuts
    }

    /// Into whole tiles.
    #[inline(always)]
    pub fn whole(extent: N) -> Self {
        let mut tiles = [extent; WIDTHS.len()];
        let mut k = 0;
        while k < WIDTHS.len() {
            tiles[k] = ceil_by(extent, N::of(SHADE_BELOW_ONE / WIDTHS[k]));
            k += 1;
        }
        Self::of(tiles)
    }

    /// Of extents with this mean over a batch: each has a last tile half full.
    #[inline(always)]
    pub fn mean(extent: N, batch: N) -> Self {
        let mut tiles = [extent; WIDTHS.len()];
        let mut k = 0;
        while k < WIDTHS.len() {
            tiles[k] = batch * (extent / WIDTHS[k] + 0.5).max(N::one());
            k += 1;
        }
        Self::of(tiles)
    }

    /// Of a whole batch of such extents.
    #[inline(always)]
    pub fn batch(&self, batch: N) -> Self {
        let mut tiles = self.tiles;
        let mut k = 0;
        while k < WIDTHS.len() {
            tiles[k] = batch * tiles[k];
            k += 1;
        }
        Self::of(tiles)
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

    /// What of them is the same for every multiplication.
    #[inline(always)]
    pub fn rates(&self) -> Rates<N> {
        let one = N::one();
        let byte_s = one / (self.memory_bytes_per_s * self.memory_share);
        let unit_flop_s = self.units / (self.flop_per_s * self.peak_share);
        let a_unit = one / self.units;
        let infinite = N::of(f64::INFINITY);
        let (mut tile_s, mut is_there) = ([infinite; TILES.len()], [true; TILES.len()]);
        let mut tile = 0;
        while tile < TILES.len() {
            let (tall, broad) = (WIDTHS[TILES[tile].0], WIDTHS[TILES[tile].1]);
            let area = tall * broad;
            let there = N::of(area).le(self.tile_elements);
            let wide = TILES[tile].0 == WIDE || TILES[tile].1 == WIDE;
            let there = if wide { there & N::zero().lt(self.wide_tiles) } else { there };
            let loss = self.tile_loss * (128.0 / tall + 128.0 / broad - REFERENCE_TILE) + 1.0;
            tile_s[tile] = N::select(there, loss * (2.0 * area) * unit_flop_s, infinite);
            is_there[tile] = !N::shortcut(infinite.le(tile_s[tile]));
            tile += 1;
        }
        Rates {
            tile_s,
            is_there,
            a_unit,
            waves_a_tile: a_unit * SHADE_BELOW_ONE,
            over_root_of_units: a_unit.sqrt(),
            half_bandwidth_tiles: self.half_bandwidth_waves * self.units,
            input_s: self.bytes_per_element * byte_s,
            output_s: byte_s * OUTPUT_BYTES,
            partial_s: byte_s * PARTIAL_SUM_BYTES,
            wave_s: self.bytes_per_element * self.rereads * 2.0 * byte_s,
            cast_s: self.cast_bytes * byte_s,
            launch_s: self.launch_s,
            sharpness: -self.wave_smoothing + 1.0,
            wave_smoothing: self.wave_smoothing,
            prologue_depth: self.prologue_depth,
            bytes_per_element: self.bytes_per_element,
        }
    }
}

/// A chip's kernels, made ready: what is the same for every multiplication. Times are those of the chip on its own.
#[derive(Clone, Copy)]
pub struct Rates<N> {
    /// Of a tile, a depth; infinite where there is no such tile.
    tile_s: [N; TILES.len()],
    /// Whether any row has it.
    is_there: [bool; TILES.len()],
    /// 1/S, also a shade less, and 1/√S.
    a_unit: N,
    waves_a_tile: N,
    over_root_of_units: N,
    /// Tiles at which half the bandwidth is drawn.
    half_bandwidth_tiles: N,
    /// Of an element of A or B, of the result, of a partial sum.
    input_s: N,
    output_s: N,
    partial_s: N,
    /// Of a product, over the sides of a wave.
    wave_s: N,
    cast_s: N,
    launch_s: N,
    sharpness: N,
    wave_smoothing: N,
    prologue_depth: N,
    pub bytes_per_element: N,
}

/// A multiplication on a chip, and the fourth power of the least time found for it.
struct Launch<'a, N: Number> {
    rates: &'a Rates<N>,
    /// How tiles cut the rows of the whole batch, and the columns.
    rows: &'a Cuts<N>,
    columns: &'a Cuts<N>,
    /// Where nobody asks.
    idle: N::Mask,
    /// Of fetching A and B once and writing the result, and of fetching them by waves, over the sides of one; squares of both.
    once_s: N,
    wave_s: N,
    once_s2: N,
    wave_s2: N,
    /// Of partial sums, a part.
    partial_s: N,
    /// Depths, as long as they seem with rows out of alignment.
    depth: N,
    prologue: N,
    least: N,
    /// What no cut depth is faster than: of each tile upright and lying, and of all.
    cut: [[N; 2]; TILES.len()],
    least_cut: N,
}

/// What is the same of a tile however the depth is cut.
#[derive(Clone, Copy)]
struct Tiling<N> {
    waves: N,
    /// Waves at which half the bandwidth is drawn, over these.
    half_bandwidth: N,
    /// Square of the time of its traffic but for partial sums.
    moved_s2: N,
}

/// a⁴ + b⁴ from their squares.
#[inline(always)]
fn fourth_powers<N: Number>(a2: N, b2: N) -> N {
    a2 * a2 + b2 * b2
}

impl<N: Number> Launch<'_, N> {
    /// Whether what takes this fourth power or more is the fastest on no row: it need not be tried.
    #[inline(always)]
    fn is_slower(&self, bound: N) -> bool {
        N::shortcut(self.idle | self.least.le(bound * BELOW_ROUNDING))
    }

    #[inline(always)]
    fn waves(&self, tall: usize, broad: usize) -> N {
        self.rows.tiles[tall] * (self.columns.tiles[broad] * self.rates.waves_a_tile)
    }

    #[inline(always)]
    fn tiling(&self, tile: usize, turned: bool) -> Tiling<N> {
        let (long, short) = TILES[tile];
        let (tall, broad) = if turned { (short, long) } else { (long, short) };
        let over_tiles = self.rows.inverse[tall] * self.columns.inverse[broad];
        // A wave of square outline reads the rows and the columns along its sides.
        let over_wave = over_tiles.max(self.rates.a_unit);
        Tiling {
            waves: self.waves(tall, broad),
            half_bandwidth: over_tiles * self.rates.half_bandwidth_tiles,
            moved_s2: self.once_s2.max(self.wave_s2 * OVER_AREA[tile] * over_wave),
        }
    }

    /// A wave of a tile with the depth in one part or more.
    #[inline(always)]
    fn wave_s(&self, parts: f64, tile: usize) -> N {
        self.rates.tile_s[tile] * (self.depth + if parts == 1.0 { self.prologue } else { self.prologue * parts })
    }

    /// The tile with the depth as it is.
    #[inline(always)]
    fn try_uncut(&mut self, tile: usize, tiling: &Tiling<N>) {
        // Whole waves, and waves of which each tile costs its part.
        let counted = (tiling.waves.floor() + 1.0) * self.rates.sharpness + tiling.waves * self.rates.wave_smoothing;
        let arithmetic_s = counted * self.wave_s(1.0, tile);
        let drawn = tiling.half_bandwidth + 1.0;
        self.least = self.least.min(fourth_powers(arithmetic_s * arithmetic_s, tiling.moved_s2 * (drawn * drawn)));
    }

    /// The tile with the depth cut.
    #[inline(always)]
    fn try_cut(&mut self, tile: usize, tiling: &Tiling<N>) {
        let moved_s = tiling.moved_s2.sqrt();
        let mut split = 0;
        while split < SPLITS.len() {
            let parts = SPLITS[split];
            let whole = ((tiling.waves * parts).floor() + 1.0) * (1.0 / parts);
            let counted = whole * self.rates.sharpness + tiling.waves * self.rates.wave_smoothing;
            let arithmetic_s = counted * self.wave_s(parts, tile);
            let memory_s = (moved_s + self.partial_s * parts) * (tiling.half_bandwidth * (1.0 / parts) + 1.0);
            self.least = self.least.min(fourth_powers(arithmetic_s * arithmetic_s, memory_s * memory_s));
            split += 1;
        }
    }

    /// The time of a tile's traffic in full waves: it takes no less in others.
    #[inline(always)]
    fn full_waves_s(&self, tile: usize) -> N {
        self.once_s.max(self.wave_s * OVER_AREA[tile].sqrt() * self.rates.over_root_of_units)
    }

    /// The tile upright and lying, with the depth as it is; one for each tile, so that its sides are constants.
    #[inline(always)]
    fn try_tile<const TILE: usize>(&mut self) {
        let (long, short) = TILES[TILE];
        let full_waves_s = self.full_waves_s(TILE);
        if TILE < FIRST_SMALL_TILE {
            if TILE > 0 && !self.rates.is_there[TILE] {
                return;
            }
        } else {
            let arithmetic_s = self.waves(long, short).min(self.waves(short, long)) * self.wave_s(1.0, TILE);
            if self.is_slower(fourth_powers(arithmetic_s * arithmetic_s, full_waves_s * full_waves_s)) {
                return;
            }
        }
        // With the depth cut, waves cost their part at least, and partial sums of the fewest parts are moved: with
        // (m + p)² = m² + p (2 m + p).
        let cut_wave_s = self.wave_s(SPLITS[0], TILE);
        let partial_s = self.partial_s * SPLITS[0];
        let partial_s2 = partial_s * (full_waves_s * 2.0 + partial_s);
        let mut turned = 0;
        while turned < if long == short { 1 } else { 2 } {
            let tiling = self.tiling(TILE, turned == 1);
            self.try_uncut(TILE, &tiling);
            let arithmetic_s = tiling.waves * cut_wave_s;
            let cut = fourth_powers(arithmetic_s * arithmetic_s, tiling.moved_s2 + partial_s2);
            self.cut[TILE][turned] = cut;
            self.least_cut = self.least_cut.min(cut);
            turned += 1;
        }
    }

    /// All tiles with the depth cut.
    #[inline(always)]
    fn try_cuts(&mut self) {
        let mut place = 0;
        while place < 2 * TILES.len() {
            let (tile, turned) = (place / 2, place % 2);
            if !self.is_slower(self.cut[tile][turned]) {
                self.try_cut(tile, &self.tiling(tile, turned == 1));
            }
            place += 1;
        }
    }
}

impl<N: Number> Rates<N> {
    /// Seconds of one launch, from how tiles cut the rows of the whole batch and the columns, and how many times as long
    /// alignment makes it take. `idle`: where nobody asks.
    #[inline(always)]
    pub fn seconds(&self, shape: &Shape<N>, rows: &Cuts<N>, columns: &Cuts<N>, slowdown: N, idle: N::Mask) -> N {
        let all_rows = shape.batch * shape.rows;
        let output = all_rows * shape.columns;
        let inputs = (all_rows + shape.batch * shape.columns) * shape.depth;
        let once_s = inputs * self.input_s + output * self.output_s;
        let wave_s = output * shape.depth * self.wave_s;
        let infinite = N::of(f64::INFINITY);
        let mut launch = Launch {
            rates: self,
            rows,
            columns,
            idle,
            once_s,
            wave_s,
            once_s2: once_s * once_s,
            wave_s2: wave_s * wave_s,
            partial_s: output * self.partial_s,
            depth: shape.depth * slowdown,
            prologue: self.prologue_depth * slowdown,
            least: infinite,
            cut: [[infinite; 2]; TILES.len()],
            least_cut: infinite,
        };
        launch.try_tile::<0>();
        launch.try_tile::<1>();
        launch.try_tile::<2>();
        launch.try_tile::<3>();
        launch.try_tile::<4>();
        launch.try_tile::<5>();
        launch.try_tile::<6>();
        if !launch.is_slower(launch.least_cut) {
            launch.try_cuts();
        }
        self.launch_s + all_rows * shape.depth * self.cast_s + launch.least.sqrt().sqrt()
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
