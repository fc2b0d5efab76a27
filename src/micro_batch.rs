//! One micro-batch of training on one chip: how long each part takes, forward and backward.

use crate::number::Number;
use crate::transformer::{Cut, HALF, LOGIT_BYTES, Recompute, Stage};

/// Multiply and add.
const FLOP_PER_PARAM: f64 = 2.0;
/// Forward, and backward twice its arithmetic.
const PASSES: f64 = 3.0;
/// FlashAttention forms its scores again: backward is two and a half times forward.
const FLASH_PASSES: f64 = 3.5;

/// The work of one micro-batch and the rates at which a chip does it.
#[derive(Clone, Copy)]
pub struct MicroBatch<N: Number> {
    pub cut: Cut<N>,
    pub flash: N::Mask,
    pub recompute: Recompute,
    /// Forward arithmetic of attention proper for a token and a layer, before it is cut.
    pub core_flop: N,
    pub gemm_rate: N,
    pub head_rate: N,
    pub attention_rate: N,
    pub memory_rate: N,
    pub passes: N,
    pub kernel_s: N,
    pub collective_s: N,
    pub gradient_bytes: N,
    pub link: N,
    pub network: N,
    pub link_chips: N,
}

impl<N: Number> MicroBatch<N> {
    /// Forward passes' worth of a step: forward, backward twice, and forward again where everything is computed again.
    #[inline(always)]
    fn rounds(self) -> f64 {
        if self.recompute == Recompute::Full { PASSES + 1.0 } else { PASSES }
    }
    /// As many passes through a collective forward as backward.
    #[inline(always)]
    fn trips(self) -> f64 {
        self.rounds() - 1.0
    }
    #[inline(always)]
    fn traffic_s(self, bytes: N) -> N {
        self.cut.tokens() * bytes * self.passes / PASSES / self.memory_rate
    }
    /// Matrix products of so many parameters on the chip, in so many kernels.
    #[inline(always)]
    fn gemm_s(self, params: N, kernels: N) -> N {
        self.cut.tokens() * params * FLOP_PER_PARAM / self.gemm_rate + kernels * self.kernel_s
    }
    /// Adding to the gradients: read and written once a micro-batch.
    #[inline(always)]
    fn sum_s(self, params: N) -> N {
        params * self.gradient_bytes * 2.0 / self.memory_rate
    }

    #[inline(always)]
    fn attention_s(self) -> N {
        let cut = self.cut;
        let params = cut.attention_layer() / cut.tensor;
        let query = N::select(N::zero().lt(cut.query_latent), N::of(5.0), N::of(4.0));
        let gemm_s = self.gemm_s(params, N::select(cut.latent(), query, N::of(2.0)));
        let core_s = self.cut.tokens() * self.core_flop / cut.tensor / self.attention_rate;
        let scores_s = self.traffic_s(cut.score_bytes());
        let rounds = self.rounds();
        let again = if self.recompute == Recompute::Full { 1.0 } else { 0.0 };
        let core_rounds = N::select(self.flash, N::of(FLASH_PASSES + again), N::of(PASSES + again));
        let selective_s = if self.recompute == Recompute::Selective {
            N::select(self.flash, N::zero(), core_s + scores_s)
        } else {
            N::zero()
        };
        (gemm_s + scores_s + self.traffic_s(cut.attention_bytes())) * rounds
            + core_s * core_rounds
            + selective_s
            + self.sum_s(params)
    }
    #[inline(always)]
    fn dense_s(self) -> N {
        let params = self.cut.dense_layer() / self.cut.tensor;
        let forward_s = self.gemm_s(params, N::of(2.0)) + self.traffic_s(self.cut.dense_bytes());
        forward_s * self.rounds() + self.sum_s(params)
    }
    /// Shared and routed experts; each routed one on a chip is a product of its own.
    #[inline(always)]
    fn expert_s(self) -> N {
        let cut = self.cut;
        let shared = N::select(N::zero().lt(cut.shared_experts), N::of(2.0), N::zero());
        let used = (cut.shared_experts + cut.experts_per_token) * cut.one_expert() / cut.tensor;
        let forward_s = self.gemm_s(used, shared + cut.experts_held() * 2.0) + self.traffic_s(cut.expert_bytes());
        let held = cut.experts_held() * cut.one_expert() + cut.shared_experts * cut.one_expert() / cut.tensor;
        forward_s * self.rounds() + self.sum_s(held)
    }
    /// Output head and loss.
    #[inline(always)]
    fn head_s(self) -> N {
        let params = self.cut.embedding() / self.cut.tensor;
        let product_s = self.cut.tokens() * params * FLOP_PER_PARAM / self.head_rate + self.kernel_s;
        (product_s + self.traffic_s(self.cut.vocab * LOGIT_BYTES / self.cut.tensor)) * PASSES + self.sum_s(params)
    }

    /// Rate within a group of so many chips.
    #[inline(always)]
    fn rate(self, chips: N) -> N {
        N::select(chips.le(self.link_chips), self.link, self.network)
    }
    /// Gathers and scatters of the tensor ranks, and keys and values of the context ranks, of a layer.
    #[inline(always)]
    fn around_s(self) -> N {
        let cut = self.cut;
        let bytes = self.cut.tokens() * cut.hidden * HALF * (cut.tensor - 1.0) / cut.tensor;
        let once_s = bytes / self.rate(cut.tensor) + self.collective_s;
        let times = self.trips() * 4.0 + if cut.sequence_parallel { 2.0 } else { 0.0 };
        let tensor_s = N::select(N::one().lt(cut.tensor), once_s * times, N::zero());
        let by_heads = cut.kv_heads * cut.head_dim * 2.0 / cut.tensor;
        let elements = N::select(cut.latent(), cut.kv_latent + cut.rope, by_heads);
        let others = cut.context - 1.0;
        let context_s = self.cut.tokens() * elements * HALF * others / self.rate(cut.tensor * cut.context);
        tensor_s + context_s * self.rounds()
    }
    /// To the experts and back, of a layer.
    #[inline(always)]
    fn exchange_s(self) -> N {
        let cut = self.cut;
        let bytes = self.cut.tokens() * cut.experts_per_token * cut.hidden * HALF / cut.tensor;
        let near = cut.expert.min(self.link_chips);
        let link_s = bytes * (near - 1.0) / cut.expert / self.link;
        let network_s = bytes * (cut.expert - near) / cut.expert / self.network;
        let once_s = link_s + network_s + self.collective_s;
        N::select(N::one().lt(cut.expert), once_s * (self.trips() * 2.0), N::zero())
    }

    /// Seconds of each part, forward and backward.
    #[inline(always)]
    pub fn times(self, chips: N, interleave: N) -> Times<N> {
        let cut = self.cut;
        let hop_bytes = cut.tokens() * cut.hidden * (HALF * 2.0) / cut.tensor * interleave;
        Times {
            attention_s: self.attention_s(),
            dense_s: self.dense_s(),
            expert_s: self.expert_s(),
            head_s: self.head_s(),
            around_s: self.around_s(),
            exchange_s: self.exchange_s(),
            hop_s: N::select(cut.alone(), N::zero(), hop_bytes / self.rate(chips)),
        }
    }
    /// Parameters on a chip of the mean stage: all but the routed experts, and these.
    #[inline(always)]
    pub fn mean_held(self) -> (N, N) {
        let cut = self.cut;
        let layers = cut.layers * cut.attention_layer()
            + (cut.layers - cut.expert_layers) * cut.dense_layer()
            + cut.expert_layers * cut.shared_layer();
        let everyone = (layers / cut.pipeline + cut.first_stage().embeddings * cut.embedding()) / cut.tensor;
        (everyone, cut.expert_layers * cut.experts_held() * cut.one_expert() / cut.pipeline)
    }
    /// Seconds a byte that a group reduces or gathers; its chips lie `apart`. All links or ports of a server carry it.
    #[inline(always)]
    pub fn over(self, replicas: N, apart: N) -> N {
        let near = (self.link_chips / apart).max(N::one()).min(replicas);
        let rate = N::select(replicas.le(near), self.link, self.link.min(near * self.network));
        (replicas - 1.0) / replicas / rate
    }
}

/// Seconds of a micro-batch, forward and backward.
#[derive(Clone, Copy)]
pub struct Times<N> {
    /// Attention and norms of a layer.
    pub attention_s: N,
    /// Its feed-forward part, where dense.
    pub dense_s: N,
    /// Its experts.
    pub expert_s: N,
    /// Output head and loss.
    pub head_s: N,
    /// Communication of a layer's tensor and context ranks.
    pub around_s: N,
    /// Tokens to a layer's experts and back.
    pub exchange_s: N,
    /// From stage to stage.
    pub hop_s: N,
}

/// What a stage computes and what it says.
#[derive(Clone, Copy)]
pub struct StageTime<N> {
    pub compute_s: N,
    pub talk_s: N,
}

impl<N: Number> Times<N> {
    #[inline(always)]
    pub fn stage(self, stage: Stage<N>) -> StageTime<N> {
        let layers = stage.dense_layers + stage.expert_layers;
        StageTime {
            compute_s: layers * self.attention_s
                + stage.dense_layers * self.dense_s
                + stage.expert_layers * self.expert_s
                + stage.last * self.head_s,
            talk_s: layers * self.around_s + stage.expert_layers * self.exchange_s + self.hop_s,
        }
    }
    /// The sum over all stages.
    #[inline(always)]
    pub fn pipeline(self, cut: Cut<N>) -> StageTime<N> {
        StageTime {
            compute_s: cut.layers * self.attention_s
                + (cut.layers - cut.expert_layers) * self.dense_s
                + cut.expert_layers * self.expert_s
                + self.head_s,
            talk_s: cut.layers * self.around_s + cut.expert_layers * self.exchange_s + cut.pipeline * self.hop_s,
        }
    }
}
