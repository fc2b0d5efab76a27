//! What dimensions that suit the chip are worth to a language model, and the nearest ones that do.
//!
//!     efficiency   η = Σ FLOP / (P Σ t)      over the matrix multiplications of a step on one device
//!     neighbor     the fastest of a lattice:  score = parameters / Σ t
//!     gain         G = score of the neighbor / score of the model;  of the whole step  1 / (1 - s + s/G)
//!
//! P peak rate, t time of a multiplication (`gemm`), s the share of the step that goes into multiplications. The products of
//! a step are those of `src/layer.rs`: attention by heads, latent or linear, plain or gated feed-forward, experts, output
//! head, each divided over the devices that share a layer (Anthony et al. 2024, arXiv 2401.14489; DeepSeek-V2, arXiv
//! 2405.04434). Attention's own products, norms and communication are not among them: they are in 1 - s.
//!
//! The lattice has hidden widths within `align_reach` of the model's in multiples of 128 (of 64 t from t > 2 on); heads of
//! 64, 128 or 256 within a factor of two, as wide in all as the hidden width asks, in whole groups of key-value heads as wide
//! as the model's; feed-forward widths within that reach of the same
//! ratio to the hidden width in multiples of 128 t; the vocabulary rounded up to a multiple of 64 t; and the number of layers
//! that leaves the parameters where they were. A neighbor counts where its parameters are within `align_params_tolerance`,
//! and hidden width over layers is in `align_aspect_low` to `_high` or no farther out than the model's: that dimensions of
//! one size are of one quality is known no further. Latent attention, the number of
//! experts and linear layers stay as they are. In a model
//! with several kinds of layers the mixture is kept, and a layer is the mean one.
//!
//! The times miss measurements by 7 % in the mean (`gemm_kernels`), so a gain below that is none that the model can tell:
//! `align_status` says so, and `align_needed_gemm_share` is the share s from which on the gain is above it. Published gains
//! reach 1.39 for models of one size (Anthony et al.) and 1.25 from padding a vocabulary of 50257.

use crate::gemm::{ByAlignment, Kernels};
use crate::layer::{Dimensions, Kind, Product, Step};
use crate::number::Number;
use crate::variable::{HUGE, INFINITE, NONE, choices, model};

choices!(
    /// What the search found.
    AlignStatus {
        Gain "gain",
        WithinError "gain_within_model_error",
        NoneNearby "none_better_nearby",
        Unfit "dimensions_inconsistent",
    }
);
choices!(
    /// What a step does.
    AlignPhase { Serve "serve", Train "train" }
);

const HIDDEN_STEPS: usize = 9;
const HEAD_DIMS: [f64; 3] = [64.0, 128.0, 256.0];
const FFN_STEPS: usize = 5;
/// Where the products of a candidate width stand: attention for each width of heads, latent and linear attention, feed-forward
/// for each of its widths, router, output head.
const LATENT: usize = 2 * HEAD_DIMS.len();
const LINEAR: usize = LATENT + 5;
const FEED_FORWARD: usize = LINEAR + 2;
const ROUTER: usize = FEED_FORWARD + 6 * FFN_STEPS;
const HEAD: usize = ROUTER + 1;
const PRODUCTS: usize = HEAD + 1;

/// The nearest multiple, at least one.
#[inline(always)]
fn nearest_multiple<N: Number>(x: N, step: N) -> N {
    (x / step + 0.5).floor().max(N::one()) * step
}

#[inline(always)]
fn next_multiple<N: Number>(x: N, step: N) -> N {
    crate::gemm::ceil(x / step) * step
}

model! {
    /// What dimensions that suit the chip are worth, and the nearest ones that do.
    Alignment = "alignment";
    inputs {
        /// Tokens of a step that a device, or the devices that share its layers, work on.
        align_tokens: integer "1" [1.0, 1e8], default NONE, typical [16.0, 16384.0], Definition "property of the step";
        /// Devices that share each layer.
        align_tensor_parallel: integer "1" [1.0, 1e4], default 1.0, typical [1.0, 8.0], Definition "one device";
        /// Devices that the experts are spread over.
        align_expert_parallel: integer "1" [1.0, 1e5], default 1.0, typical [1.0, 64.0], Definition "all experts on each device";
        /// Share of a step that goes into these multiplications.
        align_gemm_share: number "1" [0.0, 1.0], default 1.0, typical [0.5, 0.9], Definition "the multiplications alone";
        /// Share by which a neighbor's widths may differ.
        align_reach: number "1" [0.0, 1.0], default 0.3, typical [0.0, 0.3], Judgement "30 % of the hidden width";
        /// Share by which its parameters may differ.
        align_params_tolerance: number "1" [0.0, 1.0], default 0.02, typical [0.01, 0.05], Judgement "models within 2 % are of one size";
        /// Lowest hidden width over layers.
        align_aspect_low: number "1" [0.0, 1e7], default 48.0, typical [32.0, 100.0], Judgement "quality is flat between some 50 and 200 (Kaplan et al., arXiv 2001.08361, figure 5)";
        /// Highest hidden width over layers.
        align_aspect_high: number "1" [0.0, 1e7], default 192.0, typical [128.0, 256.0], Judgement "quality is flat between some 50 and 200 (Kaplan et al., arXiv 2001.08361, figure 5)";
        /// Gain over 1 that the model can't tell from its error.
        align_model_error: number "1" [0.0, 1.0], default 0.07, typical [0.05, 0.1], Measured "mean error of the times of single multiplications, see gemm_kernels";
    }
    choices {
        /// What a step does: training multiplies backward too.
        align_phase: AlignPhase = AlignPhase::Serve, "forward alone";
    }
    reads {
        llm_layers llm_hidden llm_heads llm_kv_heads llm_head_dim llm_ffn llm_ffn_matrices llm_vocab llm_tied_embeddings
        llm_experts llm_experts_per_token llm_shared_experts llm_expert_ffn llm_dense_layers llm_kv_latent_dim
        llm_query_latent_dim llm_rope_head_dim llm_value_head_dim llm_query_projections llm_linear_layers
        llm_linear_key_heads llm_linear_value_heads llm_linear_head_dim
        gemm_align_2_bytes gemm_align_4_bytes gemm_align_8_bytes gemm_align_16_bytes gemm_align_32_bytes
        gemm_peak_flop_per_s gemm_memory_bytes_per_s gemm_units gemm_tile_elements gemm_wide_tiles gemm_rereads
        gemm_peak_share gemm_launch_s gemm_memory_share gemm_wave_smoothing gemm_tile_loss gemm_prologue_depth
        gemm_half_bandwidth_waves gemm_cast_bytes gemm_bytes_per_element
    }
    outputs {
        /// Arithmetic of the multiplications of a step on one device.
        align_flop: "FLOP" [0.0, 1e40];
        /// Time of the multiplications of a step on one device.
        align_s: "s" [0.0, 1e40];
        /// Share of the peak rate that they reach.
        align_efficiency: "1" [0.0, 10.0];
        /// What the best neighbor gains on the multiplications, a parameter.
        align_gemm_gain: "1" [1e-9, HUGE];
        /// What it gains on the whole step, a parameter.
        align_gain: "1" [1e-9, HUGE];
    }
    summaries {
        /// Layers of the best neighbor; the model's own dimensions where none is better.
        align_best_layers: "1" [0.0, HUGE];
        /// Hidden width of the best neighbor.
        align_best_hidden: "1" [0.0, HUGE];
        /// Query heads of the best neighbor.
        align_best_heads: "1" [0.0, HUGE];
        /// Key-value heads of the best neighbor.
        align_best_kv_heads: "1" [0.0, HUGE];
        /// Width of a head of the best neighbor.
        align_best_head_dim: "1" [0.0, HUGE];
        /// Width of the dense feed-forward layers of the best neighbor.
        align_best_ffn: "1" [0.0, HUGE];
        /// Width of an expert of the best neighbor.
        align_best_expert_ffn: "1" [0.0, HUGE];
        /// Entries of the vocabulary of the best neighbor.
        align_best_vocab: "1" [0.0, HUGE];
        /// Parameters of the best neighbor over the model's.
        align_best_params_ratio: "1" [0.0, HUGE];
        /// Time of the multiplications of the best neighbor.
        align_best_s: "s" [0.0, 1e40];
        /// Share of the step in multiplications from which on the gain is above the model's error; infinite where none is.
        align_needed_gemm_share: "1" [0.0, INFINITE];
    }
    statuses {
        /// Whether a neighbor is better by more than the model's error.
        align_status: AlignStatus;
    }
    equations(x, given) {
        let (none, one) = (N::zero(), N::one());
        let train = x.align_phase == AlignPhase::Train;
        let wanted = given.wanted;
        let searching = wanted.align_gemm_gain || wanted.align_gain || wanted.align_best_layers || wanted.align_best_hidden
            || wanted.align_best_heads || wanted.align_best_kv_heads || wanted.align_best_head_dim || wanted.align_best_ffn
            || wanted.align_best_expert_ffn || wanted.align_best_vocab || wanted.align_best_params_ratio
            || wanted.align_best_s || wanted.align_needed_gemm_share || wanted.align_status;
        let alignment = ByAlignment {
            at_2: x.gemm_align_2_bytes,
            at_4: x.gemm_align_4_bytes,
            at_8: x.gemm_align_8_bytes,
            at_16: x.gemm_align_16_bytes,
            at_32: x.gemm_align_32_bytes,
        };
        let kernels = Kernels {
            flop_per_s: x.gemm_peak_flop_per_s,
            memory_bytes_per_s: x.gemm_memory_bytes_per_s,
            units: x.gemm_units,
            tile_elements: x.gemm_tile_elements,
            wide_tiles: x.gemm_wide_tiles,
            rereads: x.gemm_rereads,
            peak_share: x.gemm_peak_share,
            launch_s: x.gemm_launch_s,
            memory_share: x.gemm_memory_share,
            wave_smoothing: x.gemm_wave_smoothing,
            tile_loss: x.gemm_tile_loss,
            prologue_depth: x.gemm_prologue_depth,
            half_bandwidth_waves: x.gemm_half_bandwidth_waves,
            cast_bytes: x.gemm_cast_bytes,
            bytes_per_element: x.gemm_bytes_per_element,
        };
        let routed = none.lt(x.llm_experts);
        let latent = none.lt(x.llm_kv_latent_dim);
        let used = none.lt(x.llm_experts_per_token) & none.lt(x.llm_expert_ffn);
        let fits = x.llm_experts_per_token.le(x.llm_experts) & (x.llm_experts.le(none) | used)
            & x.llm_dense_layers.le(x.llm_layers) & x.llm_linear_layers.le(x.llm_layers)
            & (x.llm_kv_heads.le(x.llm_heads) | latent);
        // Null where the dimensions do not fit together.
        let answer = N::select(fits, one, N::of(f64::NAN));
        let linear = x.llm_linear_layers / x.llm_layers;
        let expert_layers = N::select(routed, one - x.llm_dense_layers / x.llm_layers, none);
        let kind = Kind {
            up_matrices: x.llm_ffn_matrices - 1.0,
            experts: x.llm_experts,
            experts_per_token: x.llm_experts_per_token,
            shared_experts: x.llm_shared_experts,
            kv_latent_dim: x.llm_kv_latent_dim,
            query_latent_dim: x.llm_query_latent_dim,
            rope_head_dim: x.llm_rope_head_dim,
            value_head_dim: N::select(none.lt(x.llm_value_head_dim), x.llm_value_head_dim, x.llm_head_dim),
            query_projections: x.llm_query_projections,
            linear_key_dim: x.llm_linear_key_heads * x.llm_linear_head_dim,
            linear_value_dim: x.llm_linear_value_heads * x.llm_linear_head_dim,
            linear_value_heads: x.llm_linear_value_heads,
            by_heads: N::select(latent, none, one - linear),
            by_latent: N::select(latent, one - linear, none),
            linear,
            dense: one - expert_layers,
            routed: expert_layers,
        };
        let step = Step {
            tokens: x.align_tokens,
            tensor_parallel: x.align_tensor_parallel,
            expert_parallel: x.align_expert_parallel,
        };
        let t = x.align_tensor_parallel;
        let own = Dimensions {
            hidden: x.llm_hidden,
            heads: x.llm_heads,
            kv_heads: x.llm_kv_heads,
            head_dim: x.llm_head_dim,
            ffn: x.llm_ffn,
            expert_ffn: x.llm_expert_ffn,
            vocab: x.llm_vocab,
        };
        let embeddings = -x.llm_tied_embeddings + 2.0;
        let hidden_step = N::select(t.le(N::of(2.0)), N::of(128.0), t * 64.0);
        let ffn_step = t * 128.0;
        let vocab = next_multiple(x.llm_vocab, t * 64.0);
        let own_aspect = x.llm_hidden / x.llm_layers;
        let (aspect_low, aspect_high) = (x.align_aspect_low.min(own_aspect), x.align_aspect_high.max(own_aspect));

        let mut align_flop = none;
        let (mut own_s, mut own_params) = (one, one);
        let (mut best, mut best_layers, mut best_s, mut best_params) = (own, x.llm_layers, one, one);
        let mut best_score = none;
        // The model itself, then its neighbors by hidden width.
        let mut width = 0;
        while width <= if searching { HIDDEN_STEPS } else { 0 } {
            let itself = width == 0;
            let (head_dims, ffns) = if itself { (1, 1) } else { (HEAD_DIMS.len(), FFN_STEPS) };
            #[expect(clippy::cast_precision_loss, reason = "a small count")]
            let moved = (width as f64 - 1.0) / ((HIDDEN_STEPS - 1) as f64 / 2.0) - 1.0;
            let hidden = nearest_multiple(x.llm_hidden * (x.align_reach * moved + 1.0), hidden_step);
            let at = if itself { own } else { Dimensions { hidden, vocab, ..own } };
            let scale = at.hidden / x.llm_hidden;

            let mut products = [Product::none(); PRODUCTS];
            let mut attention = [at; HEAD_DIMS.len()];
            let mut k = 0;
            while k < head_dims {
                if !itself {
                    let by_heads = N::of(HEAD_DIMS[k]);
                    let own_width = x.llm_heads * x.llm_head_dim;
                    let each_its_own = x.llm_heads.le(x.llm_kv_heads);
                    let groups = (x.llm_kv_heads * x.llm_head_dim / by_heads + 0.5).floor().max(one);
                    // Heads in whole groups on each device: a multiple of t and of the groups.
                    let on_devices = groups / t;
                    let over_devices = t / groups;
                    let heads_step = N::select(over_devices.floor().eq(over_devices), t, groups * t);
                    let heads_step = N::select(on_devices.floor().eq(on_devices), groups, heads_step);
                    let heads_step = N::select(each_its_own, t, heads_step);
                    let head_dim = N::select(latent, x.llm_head_dim, by_heads);
                    let heads = nearest_multiple(own_width * scale / by_heads, heads_step);
                    let heads = N::select(latent, nearest_multiple(x.llm_heads, t), heads);
                    let kv_heads = N::select(each_its_own, heads, groups);
                    let kv_heads = N::select(latent, x.llm_kv_heads, kv_heads);
                    attention[k] = Dimensions { heads, kv_heads, head_dim, ..at };
                }
                let [query, output] = attention[k].by_heads(&kind, &step);
                products[2 * k] = query;
                products[2 * k + 1] = output;
                k += 1;
            }
            let by_latent = attention[0].by_latent(&kind, &step);
            let mut k = 0;
            while k < by_latent.len() {
                products[LATENT + k] = by_latent[k];
                k += 1;
            }
            let [inward, outward] = at.linear(&kind, &step);
            products[LINEAR] = inward;
            products[LINEAR + 1] = outward;
            let mut feed_forward = [at; FFN_STEPS];
            let mut k = 0;
            while k < ffns {
                if !itself {
                    #[expect(clippy::cast_precision_loss, reason = "a small count")]
                    let moved = k as f64 / ((FFN_STEPS - 1) as f64 / 2.0) - 1.0;
                    let wider = scale * (x.align_reach * moved + 1.0);
                    let ffn = N::select(none.lt(x.llm_ffn), nearest_multiple(x.llm_ffn * wider, ffn_step), none);
                    let expert_ffn = nearest_multiple(x.llm_expert_ffn * wider, ffn_step);
                    let expert_ffn = N::select(none.lt(x.llm_expert_ffn), expert_ffn, none);
                    feed_forward[k] = Dimensions { ffn, expert_ffn, ..at };
                }
                let parts = feed_forward[k].feed_forward(&kind, &step);
                let mut part = 0;
                while part < parts.len() {
                    products[FEED_FORWARD + 6 * k + part] = parts[part];
                    part += 1;
                }
                k += 1;
            }
            products[ROUTER] = at.router(&kind, &step);
            products[HEAD] = at.head(&step);

            let mut seconds = [none; PRODUCTS];
            let mut flop = none;
            let mut k = 0;
            while k < PRODUCTS {
                seconds[k] = products[k].seconds(kernels, alignment, train);
                if itself {
                    flop = flop + products[k].flop(train) * if k == HEAD { one } else { x.llm_layers };
                }
                k += 1;
            }
            let mut common_s = seconds[LINEAR] + seconds[LINEAR + 1] + seconds[ROUTER];
            let mut k = LATENT;
            while k < LINEAR {
                common_s = common_s + seconds[k];
                k += 1;
            }
            let ends_params = at.vocab * at.hidden * embeddings;

            let mut head_dim = 0;
            while head_dim < head_dims {
                let heads = &attention[head_dim];
                let attention_params = heads.by_heads_params(&kind) + heads.by_latent_params(&kind) + at.linear_params(&kind);
                let attention_s = common_s + seconds[2 * head_dim] + seconds[2 * head_dim + 1];
                let (low, high) = (x.llm_head_dim * 0.5, x.llm_head_dim * 2.0);
                let within = low.le(heads.head_dim) & heads.head_dim.le(high);
                // Heads far from all three have the nearest.
                let smallest = if head_dim == 0 { x.llm_head_dim.lt(N::of(32.0)) } else { one.lt(none) };
                let largest = if head_dim + 1 == HEAD_DIMS.len() { N::of(512.0).lt(x.llm_head_dim) } else { one.lt(none) };
                let allowed = within | smallest | largest | latent;
                let mut ffn = 0;
                while ffn < ffns {
                    let mut layer_s = attention_s;
                    let mut part = 0;
                    while part < 6 {
                        layer_s = layer_s + seconds[FEED_FORWARD + 6 * ffn + part];
                        part += 1;
                    }
                    let layer_params = attention_params + feed_forward[ffn].feed_forward_params(&kind);
                    if itself {
                        align_flop = given.align_flop(flop * answer);
                        own_s = given.align_s((layer_s * x.llm_layers + seconds[HEAD]) * answer);
                        own_params = layer_params * x.llm_layers + ends_params;
                        (best_s, best_params) = (own_s, own_params);
                        best_score = own_params / own_s;
                    } else {
                        let layers = ((own_params - ends_params) / layer_params + 0.5).floor().max(one);
                        let params = layers * layer_params + ends_params;
                        let total_s = layers * layer_s + seconds[HEAD];
                        let score = params / total_s;
                        let aspect = at.hidden / layers;
                        let same_size = (params / own_params - 1.0).abs().le(x.align_params_tolerance);
                        let better = best_score.lt(score) & same_size & aspect_low.le(aspect) & aspect.le(aspect_high) & allowed;
                        let found = Dimensions {
                            ffn: feed_forward[ffn].ffn, expert_ffn: feed_forward[ffn].expert_ffn, ..*heads
                        };
                        best.hidden = N::select(better, found.hidden, best.hidden);
                        best.heads = N::select(better, found.heads, best.heads);
                        best.kv_heads = N::select(better, found.kv_heads, best.kv_heads);
                        best.head_dim = N::select(better, found.head_dim, best.head_dim);
                        best.ffn = N::select(better, found.ffn, best.ffn);
                        best.expert_ffn = N::select(better, found.expert_ffn, best.expert_ffn);
                        best.vocab = N::select(better, found.vocab, best.vocab);
                        best_layers = N::select(better, layers, best_layers);
                        best_s = N::select(better, total_s, best_s);
                        best_params = N::select(better, params, best_params);
                        best_score = N::select(better, score, best_score);
                    }
                    ffn += 1;
                }
                head_dim += 1;
            }
            width += 1;
        }

        let align_s = own_s;
        let align_efficiency = given.align_efficiency(align_flop / (align_s * x.gemm_peak_flop_per_s));
        let align_gemm_gain = given.align_gemm_gain(best_score * own_s / own_params);
        let kept = one - x.align_gemm_share + x.align_gemm_share / align_gemm_gain;
        let align_gain = given.align_gain(one / kept);
        let threshold = x.align_model_error + 1.0;
        let gains = one.lt(align_gemm_gain);
        let needed = (one - one / threshold) / (one - one / N::select(gains, align_gemm_gain, N::of(2.0)));
        let align_needed_gemm_share = N::select(gains, needed, N::of(INFINITE)) * answer;
        let status = N::select(threshold.lt(align_gain), AlignStatus::Gain.number(), AlignStatus::WithinError.number());
        let status = N::select(gains, status, AlignStatus::NoneNearby.number());
        let align_status = N::select(fits, status, AlignStatus::Unfit.number());
        Outputs {
            align_flop, align_s, align_efficiency, align_gemm_gain, align_gain,
            align_best_layers: best_layers * answer,
            align_best_hidden: best.hidden * answer,
            align_best_heads: best.heads * answer,
            align_best_kv_heads: best.kv_heads * answer,
            align_best_head_dim: best.head_dim * answer,
            align_best_ffn: best.ffn * answer,
            align_best_expert_ffn: best.expert_ffn * answer,
            align_best_vocab: best.vocab * answer,
            align_best_params_ratio: best_params / own_params * answer,
            align_best_s: best_s * answer,
            align_needed_gemm_share, align_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Alignment;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    /// A chip of round numbers without edges: time is arithmetic at 1e14 FLOP/s, and alignment counts.
    const SMOOTH: [(&str, f64); 15] = [
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
    const LLAMA_8B: [(&str, f64); 8] = [
        ("llm_layers", 32.0),
        ("llm_hidden", 4096.0),
        ("llm_heads", 32.0),
        ("llm_kv_heads", 8.0),
        ("llm_head_dim", 128.0),
        ("llm_ffn", 14336.0),
        ("llm_vocab", 128_256.0),
        ("align_tokens", 4096.0),
    ];

    fn of(changes: &[(&str, f64)], name: &str) -> f64 {
        evaluate::<Alignment>(&with(&with(&SMOOTH, &LLAMA_8B), changes), &[])[name]
    }

    fn near(got: f64, wanted: f64) {
        assert!((got / wanted - 1.0).abs() < 1e-12, "{got}, not {wanted}"); // sums of some forty terms
    }

    #[test]
    fn two_flop_a_parameter_and_token() {
        // All matrices but the input embedding: 8,030,261,248 parameters less 65 norms of 4096 less 128,256 · 4096.
        let matrices = 8_030_261_248.0 - 65.0 * 4096.0 - 128_256.0 * 4096.0;
        near(of(&[], "align_flop"), 2.0 * 4096.0 * matrices);
        near(of(&[], "align_efficiency"), 1.0);
        near(of(&[("align_tensor_parallel", 8.0)], "align_flop"), 2.0 * 4096.0 * matrices / 8.0);
        let train = evaluate::<Alignment>(&with(&SMOOTH, &LLAMA_8B), &[("align_phase", "train")]);
        near(train["align_flop"], 6.0 * 4096.0 * matrices);
    }

    #[test]
    fn experts_and_latent_attention_count_what_a_token_goes_through() {
        // DeepSeek-V3: 671,026,404,352 parameters but routing corrections; matrices of a token, the input embedding left out.
        let deepseek = [
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
        ];
        let attention =
            7168.0 * 1536.0 + 1536.0 * 128.0 * 192.0 + 7168.0 * 576.0 + 512.0 * 128.0 * 256.0 + 128.0 * 128.0 * 7168.0;
        let expert = 3.0 * 7168.0 * 2048.0;
        let token = 61.0 * attention
            + 3.0 * 3.0 * 7168.0 * 18432.0
            + 58.0 * (9.0 * expert + 256.0 * 7168.0)
            + 7168.0 * 129_280.0;
        near(of(&deepseek, "align_flop"), 2.0 * 4096.0 * token);
        // A device of 64 that each bring 4096 tokens has 4 experts, and as much work.
        let spread = with(&deepseek, &[("align_expert_parallel", 64.0)]);
        near(of(&spread, "align_flop"), 2.0 * 4096.0 * token);
    }

    #[test]
    fn an_odd_width_gains_what_its_alignment_costs() {
        // On this chip nothing but alignment counts, and 14336 = 2 · 7 · 1024: 14338 is aligned to 4 bytes.
        let odd = [("llm_ffn", 14338.0), ("align_reach", 0.0)];
        assert_eq!(of(&odd, "align_best_ffn"), 14336.0);
        assert_eq!(of(&odd, "align_best_hidden"), 4096.0);
        assert_eq!(of(&odd, "align_best_layers"), 32.0);
        let feed_forward = 32.0 * 3.0 * 4096.0 * 14338.0;
        let rest = 32.0 * 4096.0 * 128.0 * 80.0 + 128_256.0 * 4096.0;
        // Tiles of 64 × 64: up is 28,676 columns in 449 tiles, down as deep as it is.
        let up = 32.0 * 4096.0 * 449.0 * 64.0;
        let down = 32.0 * 4096.0 * 14338.0;
        let before_s = ((up + down) / 0.685 + rest) * 2.0 * 4096.0 / 1e14;
        near(of(&odd, "align_s"), before_s);
        let after_s = (32.0 * 3.0 * 4096.0 * 14336.0 + rest) * 2.0 * 4096.0 / 1e14;
        near(of(&odd, "align_best_s"), after_s);
        let params = feed_forward + rest + 128_256.0 * 4096.0;
        let ratio = of(&odd, "align_best_params_ratio");
        near(ratio, 1.0 - 32.0 * 3.0 * 4096.0 * 2.0 / params);
        near(of(&odd, "align_gemm_gain"), ratio * before_s / after_s);
        assert_eq!(of(&odd, "align_status"), 0.0);
        // Where half of the step is spent elsewhere, half as much time is saved.
        let half = with(&odd, &[("align_gemm_share", 0.5)]);
        near(of(&half, "align_gain"), 1.0 / (0.5 + 0.5 / of(&odd, "align_gemm_gain")));
        let at = with(&odd, &[("align_gemm_share", of(&odd, "align_needed_gemm_share"))]);
        near(of(&at, "align_gain"), 1.07);
    }

    #[test]
    fn nothing_to_gain_is_said() {
        let stay = [("align_reach", 0.0)];
        assert_eq!(of(&stay, "align_gain"), 1.0);
        assert_eq!(of(&stay, "align_status"), 2.0);
        assert_eq!(of(&stay, "align_needed_gemm_share"), f64::INFINITY);
        assert_eq!(of(&stay, "align_best_vocab"), 128_256.0);
        // Two bytes of alignment of the head alone: some gain, within the error.
        let vocab = with(&stay, &[("llm_vocab", 128_255.0)]);
        assert_eq!(of(&vocab, "align_best_vocab"), 128_256.0);
        assert!(of(&vocab, "align_gain") > 1.0);
        assert_eq!(of(&vocab, "align_status"), 1.0);
        // More experts a token than there are.
        let unfit = with(&stay, &[("llm_experts_per_token", 2.0)]);
        assert_eq!(of(&unfit, "align_status"), 3.0);
        assert!(of(&unfit, "align_gain").is_nan() && of(&unfit, "align_s").is_nan());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(
            &with(&SMOOTH, &LLAMA_8B),
            &[
                ("gemm_memory_bytes_per_s", 2e12),
                ("gemm_units", 107.3), // between steps of waves and of tiles that are there
                ("gemm_tile_elements", 40_000.0),
                ("gemm_launch_s", 1e-4), // enough of the time for a difference to show
                ("gemm_wave_smoothing", 0.5),
                ("gemm_tile_loss", 0.2),
                ("gemm_prologue_depth", 100.0),
                ("llm_ffn", 14338.0),
                // The bytes of an element, moved, change no share of the rate.
                ("gemm_align_2_bytes", 1.0),
                ("gemm_align_4_bytes", 1.0),
                ("gemm_align_8_bytes", 1.0),
                ("gemm_align_16_bytes", 1.0),
                ("gemm_align_32_bytes", 1.0),
                ("align_reach", 0.1),
                ("align_gemm_share", 0.7),
            ],
        );
        let constant = [
            "align_best_layers",
            "align_best_hidden",
            "align_best_heads",
            "align_best_kv_heads",
            "align_best_head_dim",
            "align_best_ffn",
            "align_best_expert_ffn",
            "align_best_vocab",
            "align_best_params_ratio",
            "align_flop",
        ];
        check_derivatives::<Alignment>(Case { values: &case, choices: &[] }, &constant);
    }
}
