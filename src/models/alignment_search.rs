//! The dimensions nearest to a language model's that suit a chip, or all chips of a basket, best.
//!
//!     neighbor     the best of a lattice:  g = least over the chips of  (parameters / Σ t) / (the model's own)
//!     gain         G = g of the best neighbor, 1 where none is better
//!
//! Σ t is the time of the matrix multiplications of a step (`alignment`), so g is what a neighbor does in a second, a
//! parameter, against the model itself. Over a basket of chips (`align_basket`) it is the least: dimensions gain what
//! they gain where they gain least, and none that are worse on any chip are taken. Each chip is compared with itself,
//! since by throughput as such the slowest chip alone would decide. A basket takes `second_chip` and `third_chip` beside
//! `chip`, all in one number format; `align_worst_chip` says which of them the gain is of. The minimum over a basket is
//! the heuristic of ModernBERT (Warner et al. 2024, arXiv 2412.13663), there by hand over GPUs for inference.
//!
//! The lattice (`lattice.rs`) has hidden widths within `align_reach` of the model's in multiples of 128 (of 64 t on t
//! devices from t > 2 on); heads of 64, 128 or 256 within a factor of two, as wide in all as the hidden width asks, in
//! whole groups of key-value heads as wide as the model's; feed-forward widths within that reach of the same ratio to the
//! hidden width in multiples of 128 t; the vocabulary rounded up to a multiple of 64 t; and the number of layers that
//! leaves the parameters where they were: 135 neighbors. One counts where its parameters are within
//! `align_params_tolerance`, and hidden width over layers is in `align_aspect_low` to `_high` or no farther out than the
//! model's: that dimensions of one size are of one quality is known no further. Latent attention, the number of experts
//! and linear layers stay as they are.

use crate::gemm::{by_alignment, kernels, kernels_of, second_kernels, third_kernels};
use crate::lattice::{Choices, FFNS, HEAD_DIMS, HIDDENS, Lattice, Neighbor, Table, Times};
use crate::layer::{AlignPhase, Dimensions, Step, dimensions, model_layers};
use crate::variable::{HUGE, choices, model};

choices!(
    /// How many chips the dimensions are to suit.
    AlignBasket { One "one", Two "two", Three "three" }
);
choices!(
    /// A chip of the basket.
    AlignChip { First "chip", Second "second_chip", Third "third_chip" }
);

const CHIPS: usize = 3;

model! {
    /// The dimensions nearest to a model's that suit a chip, or a basket of chips, best.
    AlignmentSearch = "alignment_search";
    inputs {
        /// Share by which a neighbor's widths may differ.
        align_reach: number "1" [0.0, 1.0], default 0.3, typical [0.0, 0.3], Judgement "30 % of the hidden width";
        /// Share by which its parameters may differ.
        align_params_tolerance: number "1" [0.0, 1.0], default 0.02, typical [0.01, 0.05], Judgement "models within 2 % are of one size";
        /// Lowest hidden width over layers.
        align_aspect_low: number "1" [0.0, 1e7], default 48.0, typical [32.0, 100.0], Judgement "quality is flat between some 50 and 200 (Kaplan et al., arXiv 2001.08361, figure 5)";
        /// Highest hidden width over layers.
        align_aspect_high: number "1" [0.0, 1e7], default 192.0, typical [128.0, 256.0], Judgement "quality is flat between some 50 and 200 (Kaplan et al., arXiv 2001.08361, figure 5)";
    }
    choices {
        /// What a step does: training multiplies backward too.
        align_phase: AlignPhase = AlignPhase::Serve, "forward alone";
        /// How many chips the dimensions are to suit: chip alone, second_chip too, third_chip too.
        align_basket: AlignBasket = AlignBasket::One, "one chip";
    }
    reads {
        kernels! second_kernels! third_kernels! dimensions! align_tokens align_tensor_parallel align_expert_parallel
    }
    together { llm_kv_latent_dim * 1e13 llm_experts * 1e10 gemm_tile_elements * 1e4 align_tokens * 1.0 }
    outputs {
        /// What the best neighbor gains on the multiplications, a parameter, on the chip of the basket where it gains least.
        align_gemm_gain: "1" [1e-9, HUGE];
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
        /// Time of the multiplications of the best neighbor on the first chip.
        align_best_s: "s" [0.0, 1e40];
    }
    statuses {
        /// The chip of the basket on which the best neighbor gains least.
        align_worst_chip: AlignChip;
    }
    equations(x, given) {
        let (none, one) = (N::zero(), N::one());
        let train = x.align_phase == AlignPhase::Train;
        let chips = match x.align_basket {
            AlignBasket::One => 1,
            AlignBasket::Two => 2,
            AlignBasket::Three => CHIPS,
        };
        let rates = [
            kernels!([kernels_of] x).rates(),
            second_kernels!([kernels_of] x).rates(),
            third_kernels!([kernels_of] x).rates(),
        ];
        let slowdown = by_alignment!(x).slowdown();
        // Null where the dimensions do not fit together.
        let (kind, own, fits) = model_layers!(x);
        let step = Step::new(&kind, x.align_tokens, x.align_tensor_parallel, x.align_expert_parallel);
        let lattice = Lattice {
            own, latent: none.lt(x.llm_kv_latent_dim), tensor_parallel: x.align_tensor_parallel, reach: x.align_reach,
        };
        let embeddings = -x.llm_tied_embeddings + 2.0;
        let own_params = own.params(&kind) * x.llm_layers + own.vocab * own.hidden * embeddings;
        let own_aspect = x.llm_hidden / x.llm_layers;
        let (aspect_low, aspect_high) = (x.align_aspect_low.min(own_aspect), x.align_aspect_high.max(own_aspect));

        let mut own_s = [one; CHIPS];
        let first = AlignChip::First.number();
        let mut best =
            Neighbor { dimensions: own, layers: x.llm_layers, params: own_params, seconds: one, gain: one, chip: first };
        let mut times = [Times::none(); CHIPS];
        let mut products = Table::none();
        // The model itself, then its neighbors by hidden width.
        let mut at = own;
        let mut hidden = 0;
        while hidden <= HIDDENS {
            let itself = hidden == 0;
            let last_hidden = at.hidden;
            at = if itself { own } else { lattice.hidden(hidden - 1) };
            // The same neighbors once more.
            if hidden > 1 && N::shortcut(at.hidden.eq(last_hidden)) {
                hidden += 1;
                continue;
            }
            let (heads, ffns) = if itself { (1, 1) } else { (HEAD_DIMS.len(), FFNS) };
            let mut of_heads = [at; HEAD_DIMS.len()];
            let mut attention_params = [none; HEAD_DIMS.len()];
            let mut k = 0;
            while k < heads && !itself {
                of_heads[k] = lattice.heads(&at, k);
                attention_params[k] = of_heads[k].attention_params(&kind);
                k += 1;
            }
            let mut of_ffns = [at; FFNS];
            let mut other_params = [none; FFNS];
            let mut k = 0;
            while k < ffns && !itself {
                of_ffns[k] = lattice.ffn(&at, k);
                other_params[k] = of_ffns[k].other_params(&kind);
                k += 1;
            }
            // How many layers keep the parameters, and 1 for those of one size and quality.
            let ends_params = at.vocab * at.hidden * embeddings;
            let mut sizes = [(one, own_params, none); HEAD_DIMS.len() * FFNS];
            let mut choices = if itself { Choices::ALL } else { Choices::NONE };
            let mut k = 0;
            while k < heads * ffns && !itself {
                let (head, ffn) = (k / FFNS, k % FFNS);
                let layer_params = attention_params[head] + other_params[ffn];
                let layers = ((own_params - ends_params) / layer_params + 0.5).floor().max(one);
                let params = layers * layer_params + ends_params;
                let aspect = at.hidden / layers;
                let same_size = (params / own_params - 1.0).abs().le(x.align_params_tolerance);
                let counts = same_size & aspect_low.le(aspect) & aspect.le(aspect_high) & lattice.allows_heads(head);
                let counts = N::select(counts, one, none);
                sizes[k] = (layers, params, counts);
                if !N::shortcut(counts.le(none)) {
                    (choices.heads[head], choices.ffns[ffn]) = (true, true);
                }
                k += 1;
            }
            products.fill(&kind, &step, &of_heads[..heads], &of_ffns[..ffns], &choices);
            let mut chip = 0;
            while chip < chips && choices.any() {
                times[chip] = products.times(&step, &rates[chip], slowdown, train);
                if itself {
                    own_s[chip] = times[chip].step_s(x.llm_layers, 0, 0);
                }
                chip += 1;
            }
            if itself {
                best.seconds = own_s[0];
            }
            let mut k = 0;
            while k < heads * ffns && !itself {
                let (head, ffn) = (k / FFNS, k % FFNS);
                let (layers, params, counts) = sizes[k];
                if !N::shortcut(counts.le(none)) {
                    let dimensions =
                        Dimensions { ffn: of_ffns[ffn].ffn, expert_ffn: of_ffns[ffn].expert_ffn, ..of_heads[head] };
                    let (mut gain, mut worst) = (N::of(f64::INFINITY), first);
                    let mut chip = 0;
                    while chip < chips {
                        let on_chip = params * own_s[chip] / (own_params * times[chip].step_s(layers, head, ffn));
                        let less = on_chip.lt(gain);
                        let name = [AlignChip::First, AlignChip::Second, AlignChip::Third][chip];
                        (gain, worst) = (N::select(less, on_chip, gain), N::select(less, name.number(), worst));
                        chip += 1;
                    }
                    let better = best.gain.lt(gain) & none.lt(counts);
                    let seconds = times[0].step_s(layers, head, ffn);
                    best.replace(better, &Neighbor { dimensions, layers, params, seconds, gain, chip: worst });
                }
                k += 1;
            }
            hidden += 1;
        }
        let found = best.dimensions;
        Outputs {
            align_gemm_gain: given.align_gemm_gain(best.gain * fits),
            align_best_layers: best.layers * fits,
            align_best_hidden: found.hidden * fits,
            align_best_heads: found.heads * fits,
            align_best_kv_heads: found.kv_heads * fits,
            align_best_head_dim: found.head_dim * fits,
            align_best_ffn: found.ffn * fits,
            align_best_expert_ffn: found.expert_ffn * fits,
            align_best_vocab: found.vocab * fits,
            align_best_params_ratio: best.params / own_params * fits,
            align_best_s: best.seconds * fits,
            align_worst_chip: best.chip * fits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AlignmentSearch;
    use crate::lattice::smooth::{CHIP, LLAMA_8B};
    use crate::trial::{Case, check_derivatives, evaluate, with};

    fn of(changes: &[(&str, f64)], name: &str) -> f64 {
        evaluate::<AlignmentSearch>(&with(&with(&CHIP, &LLAMA_8B), changes), &[])[name]
    }

    fn near(got: f64, wanted: f64) {
        assert!((got / wanted - 1.0).abs() < 1e-12, "{got}, not {wanted}"); // sums of some forty terms
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
        let after_s = (32.0 * 3.0 * 4096.0 * 14336.0 + rest) * 2.0 * 4096.0 / 1e14;
        near(of(&odd, "align_best_s"), after_s);
        let params = feed_forward + rest + 128_256.0 * 4096.0;
        let ratio = of(&odd, "align_best_params_ratio");
        near(ratio, 1.0 - 32.0 * 3.0 * 4096.0 * 2.0 / params);
        near(of(&odd, "align_gemm_gain"), ratio * before_s / after_s);
    }

    #[test]
    fn where_nothing_is_better_the_model_stays_as_it_is() {
        let stay = [("align_reach", 0.0)];
        assert_eq!(of(&stay, "align_gemm_gain"), 1.0);
        assert_eq!(of(&stay, "align_best_vocab"), 128_256.0);
        // Two bytes of alignment of the head alone.
        let vocab = with(&stay, &[("llm_vocab", 128_255.0)]);
        assert_eq!(of(&vocab, "align_best_vocab"), 128_256.0);
        assert!(of(&vocab, "align_gemm_gain") > 1.0);
        // More experts a token than there are.
        assert!(of(&with(&stay, &[("llm_experts_per_token", 2.0)]), "align_gemm_gain").is_nan());
    }

    /// The same chip under the names of the second and third.
    fn basket(changes: &[(&'static str, f64)], chips: &str) -> crate::trial::Answers {
        let mut case = with(&CHIP, &LLAMA_8B);
        for prefix in ["second", "third"] {
            case = with(&case, &CHIP.map(|(name, x)| (&*format!("{prefix}_{name}").leak(), x)));
        }
        evaluate::<AlignmentSearch>(&with(&case, changes), &[("align_basket", chips)])
    }

    #[test]
    fn a_basket_of_one_chip_is_that_chip() {
        let odd = [("llm_ffn", 14338.0), ("align_reach", 0.0)];
        for chips in ["one", "two", "three"] {
            assert_eq!(basket(&odd, chips)["align_gemm_gain"].to_bits(), of(&odd, "align_gemm_gain").to_bits());
            assert_eq!(basket(&odd, chips)["align_worst_chip"], 0.0);
        }
    }

    #[test]
    fn a_basket_gains_what_it_gains_where_it_gains_least() {
        // On the second chip half of the time is launches, which no alignment saves: it gains less there.
        let odd = [("llm_ffn", 14338.0), ("align_reach", 0.0), ("second_gemm_launch_s", 3e-3)];
        let both = basket(&odd, "two");
        assert_eq!(both["align_worst_chip"], 1.0);
        let second = of(&[("llm_ffn", 14338.0), ("align_reach", 0.0), ("gemm_launch_s", 3e-3)], "align_gemm_gain");
        assert_eq!(both["align_gemm_gain"].to_bits(), second.to_bits());
        assert!(1.0 < second && second < of(&odd[..2], "align_gemm_gain"));
        assert_eq!(both["align_best_ffn"], 14336.0);
        // Where a third chip loses by it, on which small tiles cost twice, the model stays as it is.
        let loses = with(&odd, &[("third_gemm_bytes_per_element", 1.0), ("third_gemm_memory_bytes_per_s", 1.0)]);
        let three = basket(&loses, "three");
        assert!(three["align_gemm_gain"] <= both["align_gemm_gain"]);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let case = with(
            &with(&CHIP, &LLAMA_8B),
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
        ];
        check_derivatives::<AlignmentSearch>(Case { values: &case, choices: &[] }, &constant);
    }
}
