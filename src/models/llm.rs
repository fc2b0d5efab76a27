//! What a language model's dimensions come to: parameters, active parameters, bytes of key-value cache.
//!
//!     attention     d e (h p + 2 g) + h e d                                   a layer; p = 2 with an output gate
//!     latent        d q + q h (e + r) + d (c + r) + c h (e + v) + h v d       (MLA; q = 0: d h (e + r) for the query)
//!     linear        d (2 K + 2 V) + 2 d heads + V d + 4 (2 K + V)             (gated delta net; K, V key and value widths)
//!     feed-forward  m d f;   with experts   (E + S) m d fₑ + E d
//!     whole         attention + feed-forward + norms + embedding, once more for an output head of its own
//!     active        the same with the routed experts of one token
//!     cache         2 g e a layer and token, latent c + r; a linear layer has a constant state instead
//!
//! d hidden width, h heads, g key-value heads, e head width, f feed-forward width, m its matrices (3 gated, 2 plain), E,
//! S routed and shared experts, c, q latent widths, r rotary width, v value width. Sources: Vaswani et al., arXiv
//! 1706.03762; DeepSeek-V2, arXiv 2405.04434, section 2.1 (latent attention; the cache holds the rotary part too, which
//! is left out at times); Yang et al., arXiv 2412.06464 (gated delta net). Matrices of a layer: `layer.rs`. Counts of
//! public checkpoints come out to the last digit but for biases, learned positions and routing corrections. Active
//! parameters count the input embedding, as most model cards do; where a card leaves it out (gpt-oss), take
//! `llm_embedding_params` off. Windowed layers hold the cache of their window at most, which `serving` sees to:
//! `llm_kv_bytes_per_token` is what a token adds below the window. Vision towers and modules for predicting further
//! tokens are not counted.

use crate::layer::model_layers;
use crate::variable::{HUGE, INFINITE, NONE, choices, model};

choices!(
    /// Whether the dimensions fit together, and if not, which do not.
    LlmStatus {
        Ok "ok",
        Experts "experts_inconsistent",
        Layers "more_special_layers_than_layers",
        Heads "more_kv_heads_than_heads",
    }
);

/// Taps of the short convolution before a linear layer.
const CONVOLUTION_TAPS: f64 = 4.0;

model! {
    /// Sizes of a language model from its dimensions.
    Llm = "llm_size";
    inputs {
        /// Layers.
        llm_layers: integer "1" [1.0, 1e4], default NONE, typical [16.0, 128.0], Definition "property of the model";
        /// Width of the residual stream.
        llm_hidden: integer "1" [1.0, 1e7], default NONE, typical [1024.0, 20480.0], Definition "property of the model";
        /// Query heads of a layer.
        llm_heads: integer "1" [1.0, 1e5], default NONE, typical [16.0, 160.0], Definition "property of the model";
        /// Key-value heads of a layer; not read with a latent cache.
        llm_kv_heads: integer "1" [1.0, 1e5], default NONE, typical [1.0, 128.0], Definition "property of the model";
        /// Width of a head, without the rotary part of a latent one.
        llm_head_dim: integer "1" [1.0, 1e5], default NONE, typical [64.0, 256.0], Definition "property of the model";
        /// Width of the dense feed-forward layers; 0 where no layer is dense.
        llm_ffn: integer "1" [0.0, 1e8], default NONE, typical [2048.0, 81920.0], Definition "property of the model";
        /// Matrices of a feed-forward layer: 3 gated, 2 plain.
        llm_ffn_matrices: integer "1" [1.0, 10.0], default 3.0, typical [2.0, 3.0], Definition "gated, as all large open models since 2023";
        /// Entries of the vocabulary.
        llm_vocab: integer "1" [1.0, 1e8], default NONE, typical [32e3, 256e3], Definition "property of the model";
        /// 1 where the output head is the input embedding.
        llm_tied_embeddings: integer "1" [0.0, 1.0], default 0.0, typical [0.0, 1.0], Definition "a head of its own, as all large open models since 2023";
        /// Routed experts of a layer.
        llm_experts: integer "1" [0.0, 1e6], default 0.0, typical [0.0, 512.0], Definition "a dense model";
        /// Routed experts that a token goes through.
        llm_experts_per_token: integer "1" [0.0, 1e6], default 0.0, typical [0.0, 10.0], Definition "a dense model";
        /// Experts that every token goes through.
        llm_shared_experts: integer "1" [0.0, 1e6], default 0.0, typical [0.0, 2.0], Definition "a dense model";
        /// Width of an expert.
        llm_expert_ffn: integer "1" [0.0, 1e8], default 0.0, typical [512.0, 16384.0], Definition "a dense model";
        /// Layers with a dense feed-forward part in a model with experts.
        llm_dense_layers: integer "1" [0.0, 1e4], default 0.0, typical [0.0, 3.0], Definition "experts in every layer";
        /// Width of the latent key-value cache; 0 for a cache by heads.
        llm_kv_latent_dim: integer "1" [0.0, 1e6], default 0.0, typical [0.0, 512.0], Definition "a cache by heads";
        /// Width of the latent query; 0 for none.
        llm_query_latent_dim: integer "1" [0.0, 1e6], default 0.0, typical [0.0, 2048.0], Definition "a cache by heads";
        /// Width of the rotary part of a head with a latent cache.
        llm_rope_head_dim: integer "1" [0.0, 1e5], default 0.0, typical [0.0, 64.0], Definition "a cache by heads";
        /// Width of a value head with a latent cache; 0 for the head's.
        llm_value_head_dim: integer "1" [0.0, 1e5], default 0.0, typical [0.0, 256.0], Definition "as wide as the head";
        /// Projections of the query: 2 where a gate of the output is projected beside it.
        llm_query_projections: integer "1" [1.0, 2.0], default 1.0, typical [1.0, 2.0], Definition "no output gate";
        /// Layers whose attention reaches back over a window.
        llm_window_layers: integer "1" [0.0, 1e4], default 0.0, typical [0.0, 60.0], Definition "attention over the whole context";
        /// Tokens of that window.
        llm_window_tokens: number "1" [1.0, INFINITE], default INFINITE, typical [128.0, 8192.0], Definition "attention over the whole context";
        /// Layers with linear attention.
        llm_linear_layers: integer "1" [0.0, 1e4], default 0.0, typical [0.0, 60.0], Definition "no linear attention";
        /// Key heads of a linear layer.
        llm_linear_key_heads: integer "1" [0.0, 1e5], default 0.0, typical [0.0, 32.0], Definition "no linear attention";
        /// Value heads of a linear layer.
        llm_linear_value_heads: integer "1" [0.0, 1e5], default 0.0, typical [0.0, 64.0], Definition "no linear attention";
        /// Width of a head of a linear layer.
        llm_linear_head_dim: integer "1" [0.0, 1e5], default 0.0, typical [0.0, 256.0], Definition "no linear attention";
        /// Bytes of an element of the key-value cache.
        llm_kv_bytes_per_element: number "bytes" [0.0, 64.0], default 2.0, typical [1.0, 2.0], Definition "16 bits, as the checkpoints";
    }
    choices {}
    reads {}
    outputs {
        /// Parameters of all attention layers, linear ones included.
        llm_attention_params: "1" [0.0, INFINITE];
        /// Parameters of all dense feed-forward layers, shared experts and routers.
        llm_dense_params: "1" [0.0, INFINITE];
        /// Parameters of all routed experts.
        llm_expert_params: "1" [0.0, INFINITE];
        /// Share of the routed experts' parameters that a token goes through.
        llm_expert_active_share: "1" [0.0, 1.0];
        /// Parameters of the embedding; the output head has as many.
        llm_embedding_params: "1" [0.0, INFINITE];
        /// Layers with experts.
        llm_expert_layers: "1" [0.0, 1e4];
        /// Parameters.
        llm_params: "1" [0.0, HUGE];
        /// Parameters that a token goes through.
        llm_active_params: "1" [0.0, HUGE];
        /// What a token adds to the key-value cache.
        llm_kv_bytes_per_token: "bytes" [0.0, HUGE];
        /// Constant state of the linear layers, a sequence.
        llm_state_bytes: "bytes" [0.0, HUGE];
        /// Arithmetic of attention for a pair of tokens, all layers that hold a cache.
        llm_attention_flop_per_pair: "FLOP" [0.0, HUGE];
    }
    summaries {}
    statuses {
        /// Whether the dimensions fit together.
        llm_status: LlmStatus;
    }
    equations(x, given) {
        let routed = N::zero().lt(x.llm_experts);
        let latent = N::zero().lt(x.llm_kv_latent_dim);
        let cached_layers = x.llm_layers - x.llm_linear_layers;

        // What does not fit together has no size.
        let used = N::zero().lt(x.llm_experts_per_token) & N::zero().lt(x.llm_expert_ffn);
        let experts_fit = x.llm_experts_per_token.le(x.llm_experts) & (x.llm_experts.le(N::zero()) | used);
        let layers_fit = x.llm_dense_layers.le(x.llm_layers) & x.llm_window_layers.le(cached_layers)
            & N::zero().le(cached_layers);
        let heads_fit = x.llm_kv_heads.le(x.llm_heads) | latent;
        let llm_status = N::select(heads_fit, LlmStatus::Ok.number(), LlmStatus::Heads.number());
        let llm_status = N::select(layers_fit, llm_status, LlmStatus::Layers.number());
        let llm_status = N::select(experts_fit, llm_status, LlmStatus::Experts.number());
        let fits = N::select(llm_status.eq(N::zero()), N::one(), N::of(f64::NAN));

        // One layer's attention.
        let value_dim = N::select(N::zero().lt(x.llm_value_head_dim) & latent, x.llm_value_head_dim, x.llm_head_dim);
        let query_key_dim = N::select(latent, x.llm_head_dim + x.llm_rope_head_dim, x.llm_head_dim);
        // Matrices, norms of the latent widths, short convolutions.
        let (kind, own, _) = model_layers!(x);
        let by_latent = own.by_latent_params(&kind) + x.llm_query_latent_dim + x.llm_kv_latent_dim;
        let linear_keys = x.llm_linear_key_heads * x.llm_linear_head_dim;
        let linear_values = x.llm_linear_value_heads * x.llm_linear_head_dim;
        let linear = own.linear_params(&kind) + (linear_keys * 2.0 + linear_values) * CONVOLUTION_TAPS;
        let one_layer = N::select(latent, by_latent, own.by_heads_params(&kind));
        let norms = x.llm_hidden * (x.llm_layers * 2.0 + 1.0);
        let llm_attention_params = given.llm_attention_params(
            (cached_layers * one_layer + x.llm_linear_layers * linear + norms) * fits,
        );

        // Feed-forward.
        let llm_expert_layers =
            given.llm_expert_layers(N::select(routed, x.llm_layers - x.llm_dense_layers, N::zero()) * fits);
        let one_expert = own.feed_forward_params(&kind, x.llm_expert_ffn);
        let always = x.llm_shared_experts * one_expert + x.llm_experts * x.llm_hidden;
        let llm_dense_params = given.llm_dense_params(
            (x.llm_layers - llm_expert_layers) * own.feed_forward_params(&kind, x.llm_ffn)
                + llm_expert_layers * always,
        );
        let llm_expert_params = given.llm_expert_params(llm_expert_layers * x.llm_experts * one_expert);
        let share = x.llm_experts_per_token / N::select(routed, x.llm_experts, N::one());
        let llm_expert_active_share = given.llm_expert_active_share(share * fits);

        let llm_embedding_params = given.llm_embedding_params(x.llm_vocab * x.llm_hidden * fits);
        let embeddings = llm_embedding_params * (-x.llm_tied_embeddings + 2.0);
        let everyone = llm_attention_params + llm_dense_params + embeddings;
        let llm_params = given.llm_params(everyone + llm_expert_params);
        let llm_active_params = given.llm_active_params(everyone + llm_expert_params * llm_expert_active_share);

        // What a sequence keeps.
        let elements = N::select(latent, x.llm_kv_latent_dim + x.llm_rope_head_dim, x.llm_kv_heads * x.llm_head_dim * 2.0);
        let llm_kv_bytes_per_token =
            given.llm_kv_bytes_per_token(cached_layers * elements * x.llm_kv_bytes_per_element * fits);
        let state = linear_values * x.llm_linear_head_dim + (linear_keys * 2.0 + linear_values) * (CONVOLUTION_TAPS - 1.0);
        let llm_state_bytes = given.llm_state_bytes(x.llm_linear_layers * state * x.llm_kv_bytes_per_element * fits);
        let llm_attention_flop_per_pair = given
            .llm_attention_flop_per_pair(cached_layers * x.llm_heads * (query_key_dim + value_dim) * 2.0 * fits);
        Outputs {
            llm_attention_params, llm_dense_params, llm_expert_params, llm_expert_active_share, llm_embedding_params,
            llm_expert_layers, llm_params, llm_active_params, llm_kv_bytes_per_token, llm_state_bytes,
            llm_attention_flop_per_pair, llm_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Llm, LlmStatus};
    use crate::trial::{evaluate, with};

    const LLAMA_8B: [(&str, f64); 7] = [
        ("llm_layers", 32.0),
        ("llm_hidden", 4096.0),
        ("llm_heads", 32.0),
        ("llm_kv_heads", 8.0),
        ("llm_head_dim", 128.0),
        ("llm_ffn", 14336.0),
        ("llm_vocab", 128_256.0),
    ];

    #[test]
    fn a_dense_model_to_the_last_parameter() {
        // The checkpoint of Llama 3.1 8B has 8,030,261,248 parameters; its cache 2 · 8 · 128 · 32 · 2 bytes a token.
        let answers = evaluate::<Llm>(&LLAMA_8B, &[]);
        assert_eq!(answers["llm_params"].to_bits(), 8_030_261_248_f64.to_bits());
        assert_eq!(answers["llm_active_params"].to_bits(), answers["llm_params"].to_bits());
        assert_eq!(answers["llm_kv_bytes_per_token"].to_bits(), 131_072_f64.to_bits());
        // 4 h e a layer.
        assert_eq!(answers["llm_attention_flop_per_pair"].to_bits(), f64::from(4 * 4096 * 32).to_bits());
    }

    #[test]
    fn experts_and_a_latent_cache_to_the_last_parameter() {
        // The checkpoint of DeepSeek-V3 has 671,026,419,200 parameters without its module for further tokens, of which
        // 58 · 256 are corrections of the routing.
        let deepseek = with(
            &LLAMA_8B,
            &[
                ("llm_layers", 61.0),
                ("llm_hidden", 7168.0),
                ("llm_heads", 128.0),
                ("llm_kv_heads", 128.0),
                ("llm_ffn", 18432.0),
                ("llm_vocab", 129_280.0),
                ("llm_experts", 256.0),
                ("llm_experts_per_token", 8.0),
                ("llm_shared_experts", 1.0),
                ("llm_expert_ffn", 2048.0),
                ("llm_dense_layers", 3.0),
                ("llm_kv_latent_dim", 512.0),
                ("llm_query_latent_dim", 1536.0),
                ("llm_rope_head_dim", 64.0),
                ("llm_value_head_dim", 128.0),
            ],
        );
        let answers = evaluate::<Llm>(&deepseek, &[]);
        assert_eq!(answers["llm_params"].to_bits(), (671_026_419_200_f64 - 58.0 * 256.0).to_bits());
        assert_eq!(answers["llm_kv_bytes_per_token"].to_bits(), 70_272_f64.to_bits());
        let wrong = evaluate::<Llm>(&with(&deepseek, &[("llm_experts_per_token", 300.0)]), &[]);
        assert!(wrong["llm_params"].is_nan());
        assert_eq!(wrong["llm_status"].to_bits(), LlmStatus::Experts.number::<f64>().to_bits());
    }

    #[test]
    fn dimensions_that_do_not_fit_have_no_size() {
        for (change, status) in [
            (("llm_linear_layers", 40.0), LlmStatus::Layers),
            (("llm_kv_heads", 64.0), LlmStatus::Heads),
            (("llm_experts", 8.0), LlmStatus::Experts),
        ] {
            let answers = evaluate::<Llm>(&with(&LLAMA_8B, &[change]), &[]);
            assert!(answers["llm_active_params"].is_nan(), "{change:?}");
            assert_eq!(answers["llm_status"].to_bits(), status.number::<f64>().to_bits(), "{change:?}");
        }
    }

    #[test]
    fn a_linear_layer_has_a_state_and_no_cache() {
        let linear = [
            ("llm_linear_layers", 24.0),
            ("llm_linear_key_heads", 16.0),
            ("llm_linear_value_heads", 32.0),
            ("llm_linear_head_dim", 128.0),
        ];
        let answers = evaluate::<Llm>(&with(&LLAMA_8B, &linear), &[]);
        assert_eq!(answers["llm_kv_bytes_per_token"].to_bits(), (131_072.0_f64 / 4.0).to_bits());
        // 24 layers of 32 heads of 128², and three taps of 2 · 2048 + 4096, of 2 bytes.
        assert_eq!(answers["llm_state_bytes"].to_bits(), f64::from(24 * (32 * 16384 + 3 * 8192) * 2).to_bits());
    }
}
