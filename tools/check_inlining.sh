#!/bin/sh
# Fails if vector code in a built library (Linux or macOS, not stripped) was left behind a function call: a helper without
# #[inline(always)] makes every vector instruction in it a call, up to 27 times slower on AVX2, with the same bits and no
# warning. Builds nothing.
#
# usage: tools/check_inlining.sh LIBRARY [CRATE]
#
# Two traces tell it. The instructions themselves: fearless_simd 1.2 wraps each in a function named __fearless_simd_kernel,
# around core::arch; xsave is only the detection of the processor. And any function of the files that hold equations, which
# have none of their own in a good build: their names are gone with the inlining. Left are each model's entries, one for an
# instruction set, one that chooses among them and one in dual numbers, and the tracer of needs.
set -eu
library=$1
crate=${2:-tapeout}
equations='(math|number|finance|flop|gemm|lattice|layer|market|micro_batch|occupancy|outcomes|own_flow|launch|risk|root|saving|scaling_law|serving|spending|transformer|vintage|wafer|defects|models(::[a-z_]+)*)'

symbols=$(nm -C "$library")
if ! printf '%s\n' "$symbols" | grep -Eq '::vectorize::vectorize_|vectorize_neon|fearless_simd'; then
    echo "$library: no vector code to be seen; is it stripped?" >&2
    exit 2
fi
lost=$(printf '%s\n' "$symbols" | grep -Ev "::(sse2|avx2|avx512|neon)::run$|variable::Model>::run(_dual)?$|<$crate::number::Needs" | grep -E \
    -e '__fearless_simd_kernel' \
    -e 'core_arch::(x86::(sse|avx|fma)|x86_64::(sse|avx)|aarch64::neon|arm_shared::neon)' \
    -e " [tTwW] (<)?$crate::$equations::" \
    -e " [tTwW] <$crate::number::(Pack|Dual)" || true)
if [ -n "$lost" ]; then
    echo "$library: not inlined:" >&2
    printf '%s\n' "$lost" | sed 's/^[0-9a-f]* *[a-zA-Z] /    /' | sort | uniq -c >&2
    exit 1
fi
echo "$library: all vector code is inlined"
