//! The matrix multiplications of a language model's step on one device, and how long they take.
//!
//!     by heads    M × (p a/t + 2 a_kv/t) d × h;   M × h × a d/t
//!     latent      M × r_q × h;  M × a (d + r)/t × r_q;  M × (r_kv + r) × h;  M × a (d + v)/t × r_kv;  M × h × a v/t
//!     linear      M × (2 K + 2 V + 2 heads)/t × h;   M × h × V/t
//!     dense       M × 2 f/t × h (plain: f/t);   M × h × f/t
//!     experts     the same of the width of an expert, a launch for all experts on the device that have tokens
//!     router      M × E × h;   output head, once:  M × V/t × h
//!
//! M tokens of the step, t devices that share a layer; what does not divide is rounded up, since the largest part sets the
//! time. Of E experts over E_p devices one has M k E_p/(E t) tokens in the mean, and with Poisson numbers of tokens a share
//! 1 - exp(-mean) of them has any. Attention's own products (scores, weighted values) run fused and are not among these.
//! Training adds two products for each: by the inputs, M × K × N, and by the weights, N × K × M.

use crate::gemm::{ByAlignment, Cuts, Rates, Shape, ceil};
use crate::number::Number;
use crate::variable::choices;

choices!(
    /// What a step does.
    AlignPhase { Serve "serve", Train "train" }
);

/// Dimensions that a search changes.
#[derive(Clone, Copy)]
pub struct Dimensions<N> {
    pub hidden: N,
    pub heads: N,
    pub kv_heads: N,
    pub head_dim: N,
    pub ffn: N,
    pub expert_ffn: N,
    pub vocab: N,
}

/// Dimensions that it leaves alone, and shares of the layers.
#[derive(Clone, Copy)]
pub struct Kind<N> {
    /// Up-projections of a feed-forward layer: 2 gated, 1 plain.
    pub up_matrices: N,
    pub experts: N,
    pub experts_per_token: N,
    pub shared_experts: N,
    pub kv_latent_dim: N,
    pub query_latent_dim: N,
    pub rope_head_dim: N,
    pub value_head_dim: N,
    pub query_projections: N,
    pub linear_key_dim: N,
    pub linear_value_dim: N,
    pub linear_value_heads: N,
    /// Shares of the layers with attention by heads, latent attention, linear attention; dense and with experts.
    pub by_heads: N,
    pub by_latent: N,
    pub linear: N,
    pub dense: N,
    pub routed: N,
}

/// The step and the devices that share it.
#[derive(Clone, Copy)]
pub struct Step<N> {
    pub tokens: N,
    pub tensor_parallel: N,
    pub expert_parallel: N,
    /// Experts on a device that have tokens, and how many tokens each in the mean.
    busy: N,
    mean_tokens: N,
    cut_tokens: Cuts<N>,
    cut_experts: Cuts<N>,
}

impl<N: Number> Step<N> {
    #[inline(always)]
    pub fn new(kind: &Kind<N>, tokens: N, tensor_parallel: N, expert_parallel: N) -> Self {
        let one = N::one();
        let pooled_tokens = tokens * (expert_parallel / tensor_parallel).max(one);
        let experts = kind.experts.max(one);
        let here = ceil(experts / expert_parallel);
        let mean_tokens = pooled_tokens * kind.experts_per_token / experts;
        let busy = (here * -(-mean_tokens).exp_m1()).max(one);
        let mean_tokens = here * mean_tokens / busy;
        let (cut_tokens, cut_experts) = (Cuts::whole(tokens), Cuts::mean(mean_tokens, busy));
        Step { tokens, tensor_parallel, expert_parallel, busy, mean_tokens, cut_tokens, cut_experts }
    }
}

/// A multiplication and how many of it a layer has in the mean; none where `times` is 0.
#[derive(Clone, Copy)]
pub struct Product<N> {
    pub times: N,
    pub columns: N,
    pub depth: N,
    /// Columns of a part of the result that is used on its own: both halves of a gated layer are to start aligned.
    pub part_columns: N,
    /// Whether its rows are a mean over experts.
    pub ragged: bool,
    /// Whether it leads to the hidden width, which the columns then are, or from it, which the depth then is.
    pub to_hidden: bool,
    pub from_hidden: bool,
}

impl<N: Number> Product<N> {
    #[inline(always)]
    pub fn none() -> Self {
        Self::between(N::zero(), N::one(), N::one())
    }

    #[inline(always)]
    fn between(times: N, columns: N, depth: N) -> Self {
        let one = N::one();
        let (columns, depth) = (columns.max(one), depth.max(one));
        Product { times, columns, depth, part_columns: columns, ragged: false, to_hidden: false, from_hidden: false }
    }
    #[inline(always)]
    fn from_hidden(times: N, columns: N, hidden: N) -> Self {
        Product { from_hidden: true, ..Self::between(times, columns, hidden) }
    }
    #[inline(always)]
    fn to_hidden(times: N, hidden: N, depth: N) -> Self {
        Product { to_hidden: true, ..Self::between(times, hidden, depth) }
    }

    #[inline(always)]
    fn in_parts_of(self, columns: N) -> Self {
        Product { part_columns: columns.max(N::one()), ..self }
    }
    #[inline(always)]
    fn of_experts(self) -> Self {
        Product { ragged: true, ..self }
    }

    #[inline(always)]
    fn shape(&self, step: &Step<N>) -> Shape<N> {
        let (batch, rows) = if self.ragged { (step.busy, step.mean_tokens) } else { (N::one(), step.tokens) };
        Shape { batch, rows, columns: self.columns, depth: self.depth }
    }

    /// Whether no row has it.
    #[inline(always)]
    pub fn is_idle(&self) -> bool {
        N::shortcut(self.times.le(N::zero()))
    }

    /// Whether it is the same as another of its kind.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> bool {
        let (times, columns) = (self.times.eq(other.times), self.columns.eq(other.columns));
        N::shortcut(times & columns & self.depth.eq(other.depth) & self.part_columns.eq(other.part_columns))
    }

    /// Seconds of all of it, forward alone or forward and backward. `hidden`: how tiles cut the hidden width.
    #[inline(always)]
    pub fn seconds(
        &self,
        step: &Step<N>,
        hidden: &Cuts<N>,
        rates: &Rates<N>,
        slowdown: ByAlignment<N>,
        train: bool,
    ) -> N {
        let idle = self.times.le(N::zero());
        let shape = self.shape(step);
        let Shape { batch, rows, columns, depth } = shape;
        let forward = slowdown.share(self.part_columns, depth, rates.bytes_per_element);
        let cut_rows = if self.ragged { &step.cut_experts } else { &step.cut_tokens };
        let (own_columns, own_depth, batches);
        let cut_columns = if self.to_hidden {
            hidden
        } else {
            own_columns = Cuts::whole(columns);
            &own_columns
        };
        let cut_depth = if self.from_hidden | !train {
            hidden
        } else {
            own_depth = Cuts::whole(depth);
            &own_depth
        };
        let cut_weights = if self.ragged & train {
            batches = cut_columns.batch(batch);
            &batches
        } else {
            cut_columns
        };
        let mut seconds = N::zero();
        let mut pass = 0;
        while pass < if train { 3 } else { 1 } {
            let (shape, across, along) = match pass {
                0 => (shape, cut_rows, cut_columns),
                1 => (Shape { batch, rows, columns: depth, depth: columns }, cut_rows, cut_depth),
                _ => (Shape { batch, rows: columns, columns: depth, depth: rows }, cut_weights, cut_depth),
            };
            let tokens = pass == 2 && !self.ragged;
            let slower =
                if tokens { forward.max(slowdown.share(depth, rows, rates.bytes_per_element)) } else { forward };
            seconds = seconds + rates.seconds(&shape, across, along, slower, idle);
            pass += 1;
        }
        N::select(idle, N::zero(), seconds * self.times)
    }
    #[inline(always)]
    pub fn flop(&self, step: &Step<N>, train: bool) -> N {
        self.shape(step).flop() * self.times * if train { 3.0 } else { 1.0 }
    }
}

impl<N: Number> Dimensions<N> {
    #[inline(always)]
    pub fn by_heads(&self, kind: &Kind<N>, step: &Step<N>) -> [Product<N>; 2] {
        let heads = ceil(self.heads / step.tensor_parallel);
        let kv_heads = ceil(self.kv_heads / step.tensor_parallel);
        let columns = (heads * kind.query_projections + kv_heads * 2.0) * self.head_dim;
        [
            Product::from_hidden(kind.by_heads, columns, self.hidden),
            Product::to_hidden(kind.by_heads, self.hidden, heads * self.head_dim),
        ]
    }
    /// Parameters of the matrices of a layer with attention by heads.
    #[inline(always)]
    pub fn by_heads_params(&self, kind: &Kind<N>) -> N {
        let heads = self.heads * (kind.query_projections + 1.0) + self.kv_heads * 2.0;
        self.hidden * self.head_dim * heads
    }

    #[inline(always)]
    pub fn by_latent(&self, kind: &Kind<N>, step: &Step<N>) -> [Product<N>; 5] {
        let heads = ceil(self.heads / step.tensor_parallel);
        let query_dim = self.head_dim + kind.rope_head_dim;
        let compressed = N::zero().lt(kind.query_latent_dim);
        let by_compressed = N::select(compressed, kind.by_latent, N::zero());
        let query_depth = N::select(compressed, kind.query_latent_dim, self.hidden);
        [
            Product::from_hidden(by_compressed, kind.query_latent_dim, self.hidden),
            Product::between(kind.by_latent, heads * query_dim, query_depth),
            Product::from_hidden(kind.by_latent, kind.kv_latent_dim + kind.rope_head_dim, self.hidden),
            Product::between(kind.by_latent, heads * (self.head_dim + kind.value_head_dim), kind.kv_latent_dim),
            Product::to_hidden(kind.by_latent, self.hidden, heads * kind.value_head_dim),
        ]
    }
    /// Of one with latent attention.
    #[inline(always)]
    pub fn by_latent_params(&self, kind: &Kind<N>) -> N {
        let query = self.heads * (self.head_dim + kind.rope_head_dim);
        let compressed = N::zero().lt(kind.query_latent_dim);
        let query = N::select(compressed, kind.query_latent_dim * (self.hidden + query), self.hidden * query);
        let cache = self.hidden * (kind.kv_latent_dim + kind.rope_head_dim)
            + kind.kv_latent_dim * self.heads * (self.head_dim + kind.value_head_dim);
        query + cache + self.hidden * self.heads * kind.value_head_dim
    }

    #[inline(always)]
    pub fn linear(&self, kind: &Kind<N>, step: &Step<N>) -> [Product<N>; 2] {
        let width = (kind.linear_key_dim + kind.linear_value_dim + kind.linear_value_heads) * 2.0;
        let values = ceil(kind.linear_value_dim / step.tensor_parallel);
        [
            Product::from_hidden(kind.linear, ceil(width / step.tensor_parallel), self.hidden),
            Product::to_hidden(kind.linear, self.hidden, values),
        ]
    }
    /// Of one with linear attention.
    #[inline(always)]
    pub fn linear_params(&self, kind: &Kind<N>) -> N {
        let width = kind.linear_key_dim * 2.0 + kind.linear_value_dim * 3.0 + kind.linear_value_heads * 2.0;
        self.hidden * width
    }

    #[inline(always)]
    fn up(&self, kind: &Kind<N>, times: N, part: N) -> Product<N> {
        Product::from_hidden(times, part * kind.up_matrices, self.hidden).in_parts_of(part)
    }

    /// Dense, shared and routed feed-forward layers, each up and down.
    #[inline(always)]
    pub fn feed_forward(&self, kind: &Kind<N>, step: &Step<N>) -> [Product<N>; 6] {
        let one = N::one();
        let none = N::zero();
        let part = ceil(self.ffn / step.tensor_parallel);
        let shared_part = ceil(kind.shared_experts * self.expert_ffn / step.tensor_parallel);
        let expert_part = ceil(self.expert_ffn / (step.tensor_parallel / step.expert_parallel).max(one));
        let dense = N::select(none.lt(self.ffn), kind.dense, none);
        let shared = N::select(none.lt(kind.shared_experts), kind.routed, none);
        [
            self.up(kind, dense, part),
            Product::to_hidden(dense, self.hidden, part),
            self.up(kind, shared, shared_part),
            Product::to_hidden(shared, self.hidden, shared_part),
            self.up(kind, kind.routed, expert_part).of_experts(),
            Product::to_hidden(kind.routed, self.hidden, expert_part).of_experts(),
        ]
    }

    /// Of feed-forward matrices of a width.
    #[inline(always)]
    pub fn feed_forward_params(&self, kind: &Kind<N>, width: N) -> N {
        self.hidden * (kind.up_matrices + 1.0) * width
    }

    /// Parameters of the mean layer's attention.
    #[inline(always)]
    pub fn attention_params(&self, kind: &Kind<N>) -> N {
        kind.by_heads * self.by_heads_params(kind)
            + kind.by_latent * self.by_latent_params(kind)
            + kind.linear * self.linear_params(kind)
    }

    /// Of its feed-forward matrices and router.
    #[inline(always)]
    pub fn other_params(&self, kind: &Kind<N>) -> N {
        let experts = (kind.experts + kind.shared_experts) * self.feed_forward_params(kind, self.expert_ffn);
        kind.dense * self.feed_forward_params(kind, self.ffn) + kind.routed * (experts + kind.experts * self.hidden)
    }

    /// Parameters of the mean layer's matrices.
    #[inline(always)]
    pub fn params(&self, kind: &Kind<N>) -> N {
        self.attention_params(kind) + self.other_params(kind)
    }

    #[inline(always)]
    pub fn router(&self, kind: &Kind<N>) -> Product<N> {
        Product::from_hidden(kind.routed, kind.experts, self.hidden)
    }

    #[inline(always)]
    pub fn head(&self, step: &Step<N>) -> Product<N> {
        Product::from_hidden(N::one(), ceil(self.vocab / step.tensor_parallel), self.hidden)
    }
}

/// What `model_layers` reads, with the shares of the rate that alignment leaves.
macro_rules! dimensions {
    ([$($then:tt)+] $($rest:tt)*) => {
        $($then)+! {
            [
                llm_layers llm_hidden llm_heads llm_kv_heads llm_head_dim llm_ffn llm_ffn_matrices llm_vocab
                llm_tied_embeddings llm_experts llm_experts_per_token llm_shared_experts llm_expert_ffn
                llm_dense_layers llm_kv_latent_dim llm_query_latent_dim llm_rope_head_dim llm_value_head_dim
                llm_query_projections llm_linear_layers llm_linear_key_heads llm_linear_value_heads
                llm_linear_head_dim gemm_align_2_bytes gemm_align_4_bytes gemm_align_8_bytes
                gemm_align_16_bytes gemm_align_32_bytes
            ]
            $($rest)*
        }
    };
}
pub(crate) use dimensions;

/// A model's dimensions and kinds of layers from what is read; 1 where they fit together, else null.
macro_rules! model_layers {
    ($x:ident) => {{
        let (none, one) = (N::zero(), N::one());
        let routed = none.lt($x.llm_experts);
        let latent = none.lt($x.llm_kv_latent_dim);
        let used = none.lt($x.llm_experts_per_token) & none.lt($x.llm_expert_ffn);
        let fits = $x.llm_experts_per_token.le($x.llm_experts)
            & ($x.llm_experts.le(none) | used)
            & $x.llm_dense_layers.le($x.llm_layers)
            & $x.llm_linear_layers.le($x.llm_layers)
            & ($x.llm_kv_heads.le($x.llm_heads) | latent);
        let linear = $x.llm_linear_layers / $x.llm_layers;
        let expert_layers = N::select(routed, one - $x.llm_dense_layers / $x.llm_layers, none);
        let kind = $crate::layer::Kind {
            up_matrices: $x.llm_ffn_matrices - 1.0,
            experts: $x.llm_experts,
            experts_per_token: $x.llm_experts_per_token,
            shared_experts: $x.llm_shared_experts,
            kv_latent_dim: $x.llm_kv_latent_dim,
            query_latent_dim: $x.llm_query_latent_dim,
            rope_head_dim: $x.llm_rope_head_dim,
            value_head_dim: N::select(none.lt($x.llm_value_head_dim), $x.llm_value_head_dim, $x.llm_head_dim),
            query_projections: $x.llm_query_projections,
            linear_key_dim: $x.llm_linear_key_heads * $x.llm_linear_head_dim,
            linear_value_dim: $x.llm_linear_value_heads * $x.llm_linear_head_dim,
            linear_value_heads: $x.llm_linear_value_heads,
            by_heads: N::select(latent, none, one - linear),
            by_latent: N::select(latent, one - linear, none),
            linear,
            dense: one - expert_layers,
            routed: expert_layers,
        };
        let own = $crate::layer::Dimensions {
            hidden: $x.llm_hidden,
            heads: $x.llm_heads,
            kv_heads: $x.llm_kv_heads,
            head_dim: $x.llm_head_dim,
            ffn: $x.llm_ffn,
            expert_ffn: $x.llm_expert_ffn,
            vocab: $x.llm_vocab,
        };
        (kind, own, N::select(fits, one, N::of(f64::NAN)))
    }};
}
pub(crate) use model_layers;
