//! Bytes of a weight, and the rate at which a chip multiplies it, in the number format a model is served in.
//!
//!     bytes   bf16 2;  fp8 1;  fp4 0.5625 = 4 bits and an 8-bit scale for 16 of them;  output head 2 in all
//!     rate    P̃ = P₁₆ (P / P₁₆)^γ,  P the peak of the narrowest format that holds the weight
//!
//! Peaks are those of data sheets, without sparsity. γ is fitted on measured serving (`serving`): a narrower format gains
//! less than its peak says. With weights in 4 bits alone arithmetic is in 16 bits (γ plays no part); so run 4-bit
//! checkpoints on chips without 4-bit arithmetic. Checkpoints differ: those of mixtures of experts in 4 bits mostly keep
//! attention in 16 bits, so give `serve_attention_weight_bytes` 2.0 for them, or what the checkpoint has. Sources: NVIDIA, NVFP4 format;
//! OCP Microscaling formats 1.0 (4.25 bits, 0.53125 bytes, for MXFP4).

use crate::number::Number;
use crate::variable::{INFINITE, NONE, choices, model};

choices!(
    /// Number format of most weights.
    ServePrecision { Bf16 "bf16", Fp8 "fp8", Fp4 "fp4" }
);

const BF16_BYTES: f64 = 2.0;
const FP8_BYTES: f64 = 1.0;
/// Four bits, and eight for each group of sixteen.
const FP4_BYTES: f64 = 0.5625;
/// More than this is multiplied in 16 bits, and more than `NARROW` in 8.
const WIDE: f64 = 1.0;
const NARROW: f64 = 0.6;

/// What of a narrower format's peak is gained.
#[inline(always)]
fn gained<N: Number>(sixteen: N, peak: N, exponent: N) -> N {
    sixteen * ((peak / sixteen).ln() * exponent).exp()
}

/// The rate, of those in 16, 8 and 4 bits, for weights of that width.
#[inline(always)]
fn rate<N: Number>([sixteen, eight, four]: [N; 3], weight_bytes: N) -> N {
    let at_most_eight = N::select(N::of(NARROW).lt(weight_bytes), eight, four);
    N::select(N::of(WIDE).lt(weight_bytes), sixteen, at_most_eight)
}

model! {
    /// Bytes and arithmetic rates of weights in the format they are served in.
    ServingFormat = "serving_format";
    inputs {
        /// Peak rate of the serving chip in 16-bit floating point, without sparsity.
        chip_flop_per_s_bf16: number "FLOP/s" [1.0, 1e21], default NONE, typical [1e14, 5e15], VendorClaim "data sheet of the chip";
        /// Peak rate in 8-bit floating point, without sparsity.
        chip_flop_per_s_fp8: number "FLOP/s" [1.0, 1e21], default NONE, typical [2e14, 1e16], VendorClaim "data sheet of the chip";
        /// Peak rate in 4-bit floating point, without sparsity.
        chip_flop_per_s_fp4: number "FLOP/s" [1.0, 1e21], default NONE, typical [2e15, 2e16], VendorClaim "data sheet of the chip";
        /// What a narrower format gains of its peak, as an exponent.
        serve_cal_format_exponent: number "1" [0.0, 2.0], default 0.846, typical [0.7, 1.0], Measured "fit on serving benchmarks, see serving";
    }
    choices {
        /// Number format of the weights.
        serve_precision: ServePrecision = ServePrecision::Fp8, "what most measured deployments of 2025 and 2026 run";
        /// Whether weights alone are narrow, and arithmetic in 16 bits.
        serve_weight_only: bool = false, "arithmetic in the format of the weights";
    }
    reads {}
    outputs {
        /// Bytes of an attention weight.
        serve_attention_weight_bytes: "bytes" [0.0, 64.0];
        /// Bytes of a weight of dense feed-forward layers and shared experts.
        serve_dense_weight_bytes: "bytes" [0.0, 64.0];
        /// Bytes of a weight of routed experts.
        serve_expert_weight_bytes: "bytes" [0.0, 64.0];
        /// Bytes of a weight of the output head.
        serve_head_weight_bytes: "bytes" [0.0, 64.0];
        /// Rate of arithmetic with attention weights, before the share reached.
        serve_attention_flop_per_s: "FLOP/s" [1.0, INFINITE];
        /// Rate of arithmetic with dense weights, before the share reached.
        serve_dense_flop_per_s: "FLOP/s" [1.0, INFINITE];
        /// Rate of arithmetic with expert weights, before the share reached.
        serve_expert_flop_per_s: "FLOP/s" [1.0, INFINITE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let bytes = match x.serve_precision {
            ServePrecision::Bf16 => BF16_BYTES,
            ServePrecision::Fp8 => FP8_BYTES,
            ServePrecision::Fp4 => FP4_BYTES,
        };
        let serve_attention_weight_bytes = given.serve_attention_weight_bytes(N::of(bytes));
        let serve_dense_weight_bytes = given.serve_dense_weight_bytes(N::of(bytes));
        let serve_expert_weight_bytes = given.serve_expert_weight_bytes(N::of(bytes));
        let serve_head_weight_bytes = given.serve_head_weight_bytes(N::of(BF16_BYTES));

        // Only the peaks that the format may use are read: a chip without 4-bit arithmetic needs none of its peak.
        let sixteen = x.chip_flop_per_s_bf16;
        let narrow = !x.serve_weight_only && x.serve_precision != ServePrecision::Bf16;
        let exponent = x.serve_cal_format_exponent;
        let eight = if narrow { gained(sixteen, x.chip_flop_per_s_fp8, exponent) } else { sixteen };
        let narrowest = narrow && x.serve_precision == ServePrecision::Fp4;
        let four = if narrowest { gained(sixteen, x.chip_flop_per_s_fp4, exponent) } else { eight };
        let rates = [sixteen, eight, four];
        let serve_attention_flop_per_s = given.serve_attention_flop_per_s(rate(rates, serve_attention_weight_bytes));
        let serve_dense_flop_per_s = given.serve_dense_flop_per_s(rate(rates, serve_dense_weight_bytes));
        let serve_expert_flop_per_s = given.serve_expert_flop_per_s(rate(rates, serve_expert_weight_bytes));
        Outputs {
            serve_attention_weight_bytes, serve_dense_weight_bytes, serve_expert_weight_bytes, serve_head_weight_bytes,
            serve_attention_flop_per_s, serve_dense_flop_per_s, serve_expert_flop_per_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServingFormat;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const B200: [(&str, f64); 4] = [
        ("chip_flop_per_s_bf16", 2250e12),
        ("chip_flop_per_s_fp8", 4500e12),
        ("chip_flop_per_s_fp4", 9000e12),
        ("serve_cal_format_exponent", 1.0),
    ];

    #[test]
    fn a_format_has_its_bytes_and_its_peak() {
        for (precision, bytes, peak) in [("bf16", 2.0, 2250e12), ("fp8", 1.0, 4500e12), ("fp4", 0.5625, 9000e12)] {
            let answers = evaluate::<ServingFormat>(&B200, &[("serve_precision", precision)]);
            assert_eq!(answers["serve_expert_weight_bytes"].to_bits(), f64::to_bits(bytes));
            assert!((answers["serve_expert_flop_per_s"] / peak - 1.0).abs() < 1e-15); // two roundings around pow
        }
    }

    #[test]
    fn narrow_weights_alone_are_multiplied_in_sixteen_bits() {
        let alone = evaluate::<ServingFormat>(&B200[..1], &[("serve_precision", "fp4"), ("serve_weight_only", "true")]);
        assert_eq!(alone["serve_expert_flop_per_s"].to_bits(), 2250e12_f64.to_bits());
        assert_eq!(alone["serve_expert_weight_bytes"].to_bits(), 0.5625_f64.to_bits());
        // Attention kept in 16 bits in a 4-bit checkpoint.
        let mixed = with(&B200, &[("serve_attention_weight_bytes", 2.0)]);
        let answers = evaluate::<ServingFormat>(&mixed, &[("serve_precision", "fp4")]);
        assert_eq!(answers["serve_attention_flop_per_s"].to_bits(), 2250e12_f64.to_bits());
        assert!(answers["serve_dense_flop_per_s"] > 8999e12);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let skip = [
            "serve_attention_weight_bytes",
            "serve_dense_weight_bytes",
            "serve_expert_weight_bytes",
            "serve_head_weight_bytes",
        ];
        let partly = with(&B200, &[("serve_cal_format_exponent", 0.8)]);
        check_derivatives::<ServingFormat>(Case { values: &partly, choices: &[("serve_precision", "fp4")] }, &skip);
    }
}
