//! The lattice of a language model's neighbors: dimensions near its own that suit matrix kernels. `alignment_search` says
//! which they are; these are the roundings and the table of multiplications, without variables.

use crate::gemm::{ByAlignment, Cuts, Rates, ceil};
use crate::layer::{Dimensions, Kind, Product, Step};
use crate::number::Number;

pub const HIDDENS: usize = 9;
pub const HEAD_DIMS: [f64; 3] = [64.0, 128.0, 256.0];
pub const FFNS: usize = 5;

/// Where the multiplications of a hidden width stand: attention for each width of heads, latent and linear attention,
/// feed-forward for each of its widths, router, output head.
const LATENT: usize = 2 * HEAD_DIMS.len();
const LINEAR: usize = LATENT + 5;
const FEED_FORWARD: usize = LINEAR + 2;
const FFN_PRODUCTS: usize = 6;
const ROUTER: usize = FEED_FORWARD + FFN_PRODUCTS * FFNS;
const HEAD: usize = ROUTER + 1;
const PRODUCTS: usize = HEAD + 1;

/// The nearest multiple, at least one.
#[inline(always)]
fn nearest_multiple<N: Number>(x: N, step: N) -> N {
    (x / step + 0.5).floor().max(N::one()) * step
}

#[inline(always)]
fn next_multiple<N: Number>(x: N, step: N) -> N {
    ceil(x / step) * step
}

/// So many times as wide, in multiples; none stays none.
#[inline(always)]
fn near<N: Number>(width: N, wider: N, step: N) -> N {
    N::select(N::zero().lt(width), nearest_multiple(width * wider, step), N::zero())
}

/// Place k of `places`, from -1 to 1.
#[inline(always)]
fn moved(k: usize, places: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let (k, middle) = (k as f64, (places - 1) as f64 / 2.0);
    k / middle - 1.0
}

/// A model's own dimensions, and how far its neighbors may be.
#[derive(Clone, Copy)]
pub struct Lattice<N: Number> {
    pub own: Dimensions<N>,
    pub latent: N::Mask,
    pub tensor_parallel: N,
    pub reach: N,
}

impl<N: Number> Lattice<N> {
    /// The hidden width in multiples of 128 (of 64 a device from more than two devices on), the vocabulary of 64 a device.
    #[inline(always)]
    pub fn hidden(&self, k: usize) -> Dimensions<N> {
        let t = self.tensor_parallel;
        let step = N::select(t.le(N::of(2.0)), N::of(128.0), t * 64.0);
        let wider = self.reach * moved(k, HIDDENS) + 1.0;
        Dimensions {
            hidden: nearest_multiple(self.own.hidden * wider, step),
            vocab: next_multiple(self.own.vocab, t * 64.0),
            ..self.own
        }
    }

    /// Heads as wide in all as the hidden width asks, in whole groups of key-value heads and on each device; a latent
    /// cache keeps the width of its heads.
    #[inline(always)]
    pub fn heads(&self, at: &Dimensions<N>, k: usize) -> Dimensions<N> {
        let (own, t) = (&self.own, self.tensor_parallel);
        let head_dim = N::of(HEAD_DIMS[k]);
        let own_width = own.heads * own.head_dim;
        let each_its_own = own.heads.le(own.kv_heads);
        let groups = (own.kv_heads * own.head_dim / head_dim + 0.5).floor().max(N::one());
        // A multiple of the devices and of the groups.
        let on_devices = groups / t;
        let over_devices = t / groups;
        let step = N::select(over_devices.floor().eq(over_devices), t, groups * t);
        let step = N::select(on_devices.floor().eq(on_devices), groups, step);
        let step = N::select(each_its_own, t, step);
        let heads = nearest_multiple(own_width * (at.hidden / own.hidden) / head_dim, step);
        let heads = N::select(self.latent, nearest_multiple(own.heads, t), heads);
        let kv_heads = N::select(each_its_own, heads, groups);
        Dimensions {
            heads,
            kv_heads: N::select(self.latent, own.kv_heads, kv_heads),
            head_dim: N::select(self.latent, own.head_dim, head_dim),
            ..*at
        }
    }

    /// Whether heads so wide are within a factor of two of the model's; heads far from all three have the nearest.
    #[inline(always)]
    pub fn allows_heads(&self, k: usize) -> N::Mask {
        let (own, head_dim) = (self.own.head_dim, N::of(HEAD_DIMS[k]));
        let within = (own * 0.5).le(head_dim) & head_dim.le(own * 2.0);
        let never = N::one().lt(N::zero());
        let smallest = if k == 0 { own.lt(N::of(32.0)) } else { never };
        let largest = if k + 1 == HEAD_DIMS.len() { N::of(512.0).lt(own) } else { never };
        within | smallest | largest | self.latent
    }

    /// Feed-forward widths in multiples of 128 a device.
    #[inline(always)]
    pub fn ffn(&self, at: &Dimensions<N>, k: usize) -> Dimensions<N> {
        let (own, step) = (&self.own, self.tensor_parallel * 128.0);
        let wider = at.hidden / own.hidden * (self.reach * moved(k, FFNS) + 1.0);
        let (ffn, expert_ffn) = (near(own.ffn, wider, step), near(own.expert_ffn, wider, step));
        Dimensions { ffn, expert_ffn, ..*at }
    }
}

/// The multiplications of a hidden width: of each of some choices of heads and of feed-forward widths once.
pub struct Table<N> {
    products: [Product<N>; PRODUCTS],
    cut_hidden: Cuts<N>,
}

impl<N: Number> Table<N> {
    #[inline(always)]
    pub fn none() -> Self {
        Table { products: [Product::none(); PRODUCTS], cut_hidden: Cuts::whole(N::one()) }
    }

    /// Of these choices, as far as anybody asks for them.
    #[inline(always)]
    pub fn fill(
        &mut self,
        kind: &Kind<N>,
        step: &Step<N>,
        heads: &[Dimensions<N>],
        ffns: &[Dimensions<N>],
        choices: &Choices,
    ) {
        let at = &heads[0];
        let products = &mut self.products;
        let mut k = 0;
        while k < heads.len() {
            [products[2 * k], products[2 * k + 1]] =
                if choices.heads[k] { heads[k].by_heads(kind, step) } else { [Product::none(); 2] };
            k += 1;
        }
        let latent = at.by_latent(kind, step);
        let mut k = 0;
        while k < latent.len() {
            products[LATENT + k] = latent[k];
            k += 1;
        }
        [products[LINEAR], products[LINEAR + 1]] = at.linear(kind, step);
        let mut k = 0;
        while k < ffns.len() {
            let parts =
                if choices.ffns[k] { ffns[k].feed_forward(kind, step) } else { [Product::none(); FFN_PRODUCTS] };
            let mut part = 0;
            while part < parts.len() {
                products[FEED_FORWARD + FFN_PRODUCTS * k + part] = parts[part];
                part += 1;
            }
            k += 1;
        }
        products[ROUTER] = at.router(kind);
        products[HEAD] = at.head(step);
        self.cut_hidden = Cuts::whole(at.hidden);
    }

    #[inline(always)]
    pub fn times(&self, step: &Step<N>, rates: &Rates<N>, slowdown: ByAlignment<N>, train: bool) -> Times<N> {
        let mut seconds = [N::zero(); PRODUCTS];
        let mut parts = [N::zero(); PARTS];
        let mut k = 0;
        while k < PRODUCTS {
            let (product, before) = (&self.products[k], k - choice_before(k));
            if product.is_idle() {
                k += 1;
                continue;
            }
            // Heads of other widths and feed-forward widths near each other often come to the same matrices.
            seconds[k] = if before < k && product.is(&self.products[before]) {
                seconds[before]
            } else {
                product.seconds(step, &self.cut_hidden, rates, slowdown, train)
            };
            parts[part(k)] = parts[part(k)] + seconds[k];
            k += 1;
        }
        Times(parts)
    }

    /// Arithmetic of all of it, once a layer but for the head.
    #[inline(always)]
    pub fn flop(&self, step: &Step<N>, layers: N, train: bool) -> N {
        let mut flop = N::zero();
        let mut k = 0;
        while k < PRODUCTS {
            flop = flop + self.products[k].flop(step, train) * if k == HEAD { N::one() } else { layers };
            k += 1;
        }
        flop
    }
}

/// Choices of a hidden width that anybody asks for.
#[derive(Clone, Copy)]
pub struct Choices {
    pub heads: [bool; HEAD_DIMS.len()],
    pub ffns: [bool; FFNS],
}

impl Choices {
    pub const ALL: Choices = Choices { heads: [true; HEAD_DIMS.len()], ffns: [true; FFNS] };
    pub const NONE: Choices = Choices { heads: [false; HEAD_DIMS.len()], ffns: [false; FFNS] };

    #[inline(always)]
    pub fn any(&self) -> bool {
        self.heads != Self::NONE.heads
    }
}

/// Multiplications whose times add up: those of each choice of heads, of each feed-forward width, the output head, and the
/// rest of a layer.
const OF_FFNS: usize = HEAD_DIMS.len();
const OF_HEAD: usize = OF_FFNS + FFNS;
const REST: usize = OF_HEAD + 1;
const PARTS: usize = REST + 1;

#[inline(always)]
fn part(product: usize) -> usize {
    match product {
        HEAD => OF_HEAD,
        k if k < LATENT => k / 2,
        k if k < FEED_FORWARD || k == ROUTER => REST,
        k => OF_FFNS + (k - FEED_FORWARD) / FFN_PRODUCTS,
    }
}

/// How many places before it the same multiplication of the choice before is.
#[inline(always)]
fn choice_before(product: usize) -> usize {
    match product {
        0 | 1 | ROUTER | HEAD => 0,
        k if k < LATENT => 2,
        k if k < FEED_FORWARD + FFN_PRODUCTS => 0,
        _ => FFN_PRODUCTS,
    }
}

/// How long they take.
#[derive(Clone, Copy)]
pub struct Times<N>([N; PARTS]);

impl<N: Number> Times<N> {
    #[inline(always)]
    pub fn none() -> Self {
        Times([N::zero(); PARTS])
    }

    /// A step of so many layers, each with these heads and this feed-forward width.
    #[inline(always)]
    pub fn step_s(&self, layers: N, heads: usize, ffn: usize) -> N {
        (self.0[REST] + self.0[heads] + self.0[OF_FFNS + ffn]) * layers + self.0[OF_HEAD]
    }
}

/// Dimensions, and what they gain on the chip of a basket where they gain least.
pub struct Neighbor<N> {
    pub dimensions: Dimensions<N>,
    pub layers: N,
    pub params: N,
    pub seconds: N,
    pub gain: N,
    pub chip: N,
}

impl<N: Number> Neighbor<N> {
    #[inline(always)]
    pub fn replace(&mut self, better: N::Mask, found: &Neighbor<N>) {
        let (old, new) = (&mut self.dimensions, &found.dimensions);
        old.hidden = N::select(better, new.hidden, old.hidden);
        old.heads = N::select(better, new.heads, old.heads);
        old.kv_heads = N::select(better, new.kv_heads, old.kv_heads);
        old.head_dim = N::select(better, new.head_dim, old.head_dim);
        old.ffn = N::select(better, new.ffn, old.ffn);
        old.expert_ffn = N::select(better, new.expert_ffn, old.expert_ffn);
        old.vocab = N::select(better, new.vocab, old.vocab);
        self.layers = N::select(better, found.layers, self.layers);
        self.params = N::select(better, found.params, self.params);
        self.seconds = N::select(better, found.seconds, self.seconds);
        self.gain = N::select(better, found.gain, self.gain);
        self.chip = N::select(better, found.chip, self.chip);
    }
}

#[cfg(test)]
/// Cases by hand for the tests of models that work with it.
pub mod smooth {
    /// A chip of round numbers without edges: time is arithmetic at 1e14 FLOP/s, and alignment counts.
    pub const CHIP: [(&str, f64); 15] = [
        ("gemm_peak_flop_per_s", 1e14),
        ("gemm_memory_bytes_per_s", 1e18),
        ("gemm_units", 1.0),
        ("gemm_tile_elements", 4096.0),
        ("gemm_wide_tiles", 0.0),
        ("gemm_rereads", 0.0),
        ("gemm_peak_share", 1.0),
        ("gemm_launch_s", 0.0),
        ("gemm_memory_share", 1.0),
        ("gemm_wave_smoothing", 1.0),
        ("gemm_tile_loss", 0.0),
        ("gemm_prologue_depth", 0.0),
        ("gemm_half_bandwidth_waves", 0.0),
        ("gemm_cast_bytes", 0.0),
        ("gemm_bytes_per_element", 2.0),
    ];
    pub const LLAMA_8B: [(&str, f64); 8] = [
        ("llm_layers", 32.0),
        ("llm_hidden", 4096.0),
        ("llm_heads", 32.0),
        ("llm_kv_heads", 8.0),
        ("llm_head_dim", 128.0),
        ("llm_ffn", 14336.0),
        ("llm_vocab", 128_256.0),
        ("align_tokens", 4096.0),
    ];
}
