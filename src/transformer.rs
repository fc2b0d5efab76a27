//! A transformer cut over chips: what one chip holds of it and stores for a token.

use crate::number::Number;
use crate::variable::choices;

/// Bytes of a weight and of an activation: 16 bits, whatever the arithmetic.
pub const HALF: f64 = 2.0;
/// Bytes that scores of attention leave for a head and a pair of tokens: softmax, dropout's mask, dropout. Korthikanti.
const SCORE_BYTES: f64 = 5.0;
/// Bytes of a logit, in 32 bits.
pub const LOGIT_BYTES: f64 = 4.0;

choices!(
    /// What is computed again in the backward pass: nothing, the core of attention, or every layer.
    Recompute { Nothing "none", Selective "selective", Full "full" }
);
choices!(
    /// Whether a step can be taken, and if not, why.
    StepStatus {
        Ok "ok",
        Layers "layers_not_divisible",
        Heads "heads_not_divisible",
        Experts "experts_not_divisible",
        Sequence "sequence_not_divisible",
        Batch "batch_not_divisible",
        Interleave "interleave_impossible",
        Memory "does_not_fit",
    }
);

/// Dimensions of the model and degrees of parallelism.
#[derive(Clone, Copy)]
pub struct Cut<N> {
    pub layers: N,
    pub expert_layers: N,
    pub attention_params: N,
    pub hidden: N,
    pub heads: N,
    pub kv_heads: N,
    pub head_dim: N,
    pub ffn: N,
    pub ffn_matrices: N,
    pub vocab: N,
    pub tied: N,
    pub experts: N,
    pub experts_per_token: N,
    pub shared_experts: N,
    pub expert_ffn: N,
    pub kv_latent: N,
    pub query_latent: N,
    pub rope: N,
    pub value_dim: N,
    pub tensor: N,
    pub pipeline: N,
    pub data: N,
    pub expert: N,
    pub context: N,
    pub sequence_length: N,
    pub micro_batch: N,
    /// 1 where no scores are kept.
    pub flash: N,
    pub sequence_parallel: bool,
    pub dropout: bool,
}

/// The fields of `Cut` from a model's inputs.
macro_rules! cut {
    ($x:ident) => {
        $crate::transformer::Cut {
            layers: $x.llm_layers,
            expert_layers: $x.llm_expert_layers,
            attention_params: $x.llm_attention_params,
            hidden: $x.llm_hidden,
            heads: $x.llm_heads,
            kv_heads: $x.llm_kv_heads,
            head_dim: $x.llm_head_dim,
            ffn: $x.llm_ffn,
            ffn_matrices: $x.llm_ffn_matrices,
            vocab: $x.llm_vocab,
            tied: $x.llm_tied_embeddings,
            experts: $x.llm_experts,
            experts_per_token: $x.llm_experts_per_token,
            shared_experts: $x.llm_shared_experts,
            expert_ffn: $x.llm_expert_ffn,
            kv_latent: $x.llm_kv_latent_dim,
            query_latent: $x.llm_query_latent_dim,
            rope: $x.llm_rope_head_dim,
            value_dim: $x.llm_value_head_dim,
            tensor: $x.train_tensor_parallel,
            pipeline: $x.train_pipeline_parallel,
            data: $x.train_data_parallel,
            expert: $x.train_expert_parallel,
            context: $x.train_context_parallel,
            sequence_length: $x.train_sequence_length,
            micro_batch: $x.train_micro_batch,
            flash: $x.train_chip_flash_attention,
            sequence_parallel: $x.train_sequence_parallel,
            dropout: $x.train_dropout,
        }
    };
}
pub(crate) use cut;

/// Layers of a stage, and where it stands.
#[derive(Clone, Copy)]
pub struct Stage<N> {
    pub dense_layers: N,
    pub expert_layers: N,
    /// Embedding matrices: the first stage's, the last stage's, both where there is one stage.
    pub embeddings: N,
    /// 1 on the last stage, which has the logits.
    pub last: N,
}

impl<N: Number> Cut<N> {
    /// Tokens of a micro-batch that a chip works on.
    #[inline(always)]
    pub fn tokens(self) -> N {
        self.sequence_length * self.micro_batch / self.context
    }
    #[inline(always)]
    pub fn latent(self) -> N::Mask {
        N::zero().lt(self.kv_latent)
    }
    #[inline(always)]
    pub fn alone(self) -> N::Mask {
        self.pipeline.le(N::one())
    }
    #[inline(always)]
    fn value_dim(self) -> N {
        N::select(N::zero().lt(self.value_dim) & self.latent(), self.value_dim, self.head_dim)
    }
    /// How many chips share what lies between the split matrices.
    #[inline(always)]
    pub fn shared_by(self) -> N {
        if self.sequence_parallel { self.tensor } else { N::one() }
    }

    // Parameters.

    #[inline(always)]
    pub fn attention_layer(self) -> N {
        self.attention_params / self.layers
    }
    #[inline(always)]
    pub fn dense_layer(self) -> N {
        self.ffn_matrices * self.hidden * self.ffn
    }
    #[inline(always)]
    pub fn one_expert(self) -> N {
        self.ffn_matrices * self.hidden * self.expert_ffn
    }
    /// Shared experts and router of a layer.
    #[inline(always)]
    pub fn shared_layer(self) -> N {
        self.shared_experts * self.one_expert() + self.experts * self.hidden
    }
    /// Routed experts of a layer that a chip holds.
    #[inline(always)]
    pub fn experts_held(self) -> N {
        self.experts / self.expert
    }
    #[inline(always)]
    pub fn embedding(self) -> N {
        self.vocab * self.hidden
    }
    /// Chips that hold the same of everything but the routed experts.
    #[inline(always)]
    pub fn replicas(self) -> N {
        self.data * self.context
    }
    /// Chips that hold the same routed experts.
    #[inline(always)]
    pub fn expert_replicas(self) -> N {
        (self.data * self.context * self.tensor / self.expert).max(N::one())
    }

    // Bytes stored for a token and a layer: Korthikanti et al. 2022, section 4, with each width its own.

    /// Attention and both norms without scores: (8 + 2 with dropout) d, and 8 d over the tensor ranks in a plain block.
    #[inline(always)]
    pub fn attention_bytes(self) -> N {
        let queries = self.heads * (self.head_dim + self.rope);
        let latents = (self.query_latent + self.kv_latent + self.rope) * (HALF * 2.0);
        let by_latent = latents + (queries * (HALF * 2.0) + self.heads * self.value_dim() * HALF) / self.tensor;
        let by_heads = (self.heads + self.kv_heads * 2.0) * self.head_dim * HALF / self.tensor;
        let core = self.heads * self.value_dim() * HALF / self.tensor;
        let between = self.hidden * if self.dropout { HALF * 4.0 + 2.0 } else { HALF * 4.0 };
        between / self.shared_by() + N::select(self.latent(), by_latent, by_heads) + core
    }
    #[inline(always)]
    pub fn score_bytes(self) -> N {
        let kept = self.heads * self.sequence_length * SCORE_BYTES / self.tensor;
        kept * (-self.flash + 1.0)
    }
    /// What enters and what leaves the activation function.
    #[inline(always)]
    pub fn dense_bytes(self) -> N {
        self.ffn_matrices * self.ffn * HALF / self.tensor
    }
    /// Tokens as the experts get them and give them back, and what is between.
    #[inline(always)]
    pub fn expert_bytes(self) -> N {
        let sent = self.hidden * self.experts_per_token * (HALF * 2.0);
        let used = self.experts_per_token + self.shared_experts;
        (sent + self.ffn_matrices * self.expert_ffn * used * HALF) / self.tensor
    }

    // Stages. Dense layers of a model with experts come first.

    #[inline(always)]
    fn stage_layers(self) -> N {
        self.layers / self.pipeline
    }
    #[inline(always)]
    pub fn first_stage(self) -> Stage<N> {
        let dense = (self.layers - self.expert_layers).min(self.stage_layers());
        let embeddings = N::select(self.alone(), -self.tied + 2.0, N::one());
        let last = N::select(self.alone(), N::one(), N::zero());
        Stage { dense_layers: dense, expert_layers: self.stage_layers() - dense, embeddings, last }
    }
    #[inline(always)]
    pub fn last_stage(self) -> Stage<N> {
        let dense = (self.stage_layers() - self.expert_layers).positive_part();
        let embeddings = N::select(self.alone(), -self.tied + 2.0, N::one());
        Stage { dense_layers: dense, expert_layers: self.stage_layers() - dense, embeddings, last: N::one() }
    }
    /// Parameters of a stage on one chip: all but the routed experts, and these.
    #[inline(always)]
    pub fn held(self, stage: Stage<N>) -> (N, N) {
        let layers = stage.dense_layers + stage.expert_layers;
        let everyone = layers * self.attention_layer()
            + stage.dense_layers * self.dense_layer()
            + stage.expert_layers * self.shared_layer()
            + stage.embeddings * self.embedding();
        (everyone / self.tensor, stage.expert_layers * self.experts_held() * self.one_expert())
    }
}

#[inline(always)]
fn divides<N: Number>(part: N, whole: N) -> N::Mask {
    ((whole / part).floor() * part).eq(whole)
}

/// What decides whether a layout is possible.
#[derive(Clone, Copy)]
pub struct Layout<N> {
    pub layers: N,
    pub heads: N,
    pub experts: N,
    pub tensor: N,
    pub pipeline: N,
    pub data: N,
    pub expert: N,
    pub context: N,
    pub interleave: N,
    pub sequence_length: N,
    pub micro_batch: N,
    pub global_batch: N,
    pub sequence_parallel: bool,
}

/// The fields of `Layout` from a model's inputs.
macro_rules! layout {
    ($x:ident) => {
        $crate::transformer::Layout {
            layers: $x.llm_layers,
            heads: $x.llm_heads,
            experts: $x.llm_experts,
            tensor: $x.train_tensor_parallel,
            pipeline: $x.train_pipeline_parallel,
            data: $x.train_data_parallel,
            expert: $x.train_expert_parallel,
            context: $x.train_context_parallel,
            interleave: $x.train_interleave,
            sequence_length: $x.train_sequence_length,
            micro_batch: $x.train_micro_batch,
            global_batch: $x.train_global_batch,
            sequence_parallel: $x.train_sequence_parallel,
        }
    };
}
pub(crate) use layout;

impl<N: Number> Layout<N> {
    /// The first reason why the layout is impossible, else `Ok`.
    #[inline(always)]
    pub fn status(self) -> N {
        let across = self.data * self.micro_batch;
        let slices = if self.sequence_parallel { self.context * self.tensor } else { self.context };
        let ranks = self.data * self.context * self.tensor;
        let spread = divides(self.expert, self.experts) & divides(self.expert, ranks) & N::zero().lt(self.experts);
        let woven = N::one().lt(self.pipeline) & divides(self.pipeline, self.global_batch / across);
        let status =
            N::select(self.interleave.le(N::one()) | woven, StepStatus::Ok.number(), StepStatus::Interleave.number());
        let status = N::select(divides(across, self.global_batch), status, StepStatus::Batch.number());
        let status = N::select(divides(slices, self.sequence_length), status, StepStatus::Sequence.number());
        let status = N::select(self.expert.le(N::one()) | spread, status, StepStatus::Experts.number());
        let status = N::select(divides(self.tensor, self.heads), status, StepStatus::Heads.number());
        N::select(divides(self.pipeline * self.interleave, self.layers), status, StepStatus::Layers.number())
    }
}
