// Rows in the lanes of a vector register, and the elementary functions of a row that the twins need.
#pragma once
#include <experimental/simd>
#include <bit>
#include <cstdint>

namespace stdx = std::experimental;
using V = stdx::native_simd<double>;
using Mask = V::mask_type;
constexpr int LANES = int(V::size());
#define INLINE_LAMBDA __attribute__((always_inline))
#define INLINE inline __attribute__((always_inline))

INLINE V select(Mask m, V yes, V no) { where(m, no) = yes; return no; }
INLINE V positive(V x) { return stdx::max(x, V(0.0)); }

// Bits of a vector, and back.
typedef double Raw __attribute__((vector_size(sizeof(double) * LANES)));
typedef int64_t Bits __attribute__((vector_size(sizeof(double) * LANES)));
INLINE Bits bits(V x) { return std::bit_cast<Bits>(x); }
INLINE V from_bits(Bits b) { return std::bit_cast<V>(b); }

constexpr double ROUND = 6755399441055744.0;  // 1.5 * 2^52: adding and subtracting it rounds to an integer

// e^x for -708 < x < 709 (cut there): Cody and Waite's reduction, then the series to r^11 on |r| <= ln 2 / 2.
INLINE V exp_(V x) {
    x = stdx::min(stdx::max(x, V(-708.0)), V(709.0));
    V shifted = x * 1.4426950408889634 + ROUND;
    V n = shifted - ROUND;
    V r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    V r2 = r * r, r4 = r2 * r2;
    V a = (1.0 + r) + r2 * (0.5 + r * (1.0 / 6));
    V b = (1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720 + r * (1.0 / 5040));
    V c = (1.0 / 40320 + r * (1.0 / 362880)) + r2 * (1.0 / 3628800 + r * (1.0 / 39916800));
    V p = a + r4 * (b + r4 * c);
    return from_bits(bits(p) + (bits(shifted) << 52));
}

// ln x for normal x: x = 2^k m, m in [sqrt 1/2, sqrt 2), atanh series of (m - 1) / (m + 1).
INLINE V log_(V x) {
    constexpr int64_t HALF = 0x3FE6A09E667F3BCD;
    Bits b = bits(x) - HALF;
    Bits k = b >> 52;
    V m = from_bits((b & 0x000FFFFFFFFFFFFF) + HALF);
    V s = (m - 1.0) / (m + 1.0);
    V z = s * s, z2 = z * z, z4 = z2 * z2;
    V low = (2.0 / 3 + z * (2.0 / 5)) + z2 * (2.0 / 7 + z * (2.0 / 9));
    V high = (2.0 / 11 + z * (2.0 / 13)) + z2 * (2.0 / 15 + z * (2.0 / 17 + z * (2.0 / 19)));
    V kd = from_bits(k + 0x4338000000000000) - ROUND;
    return kd * 0.693147180369123816490 + (2.0 * s + (s * z * (low + z4 * high) + kd * 1.90821492927058770002e-10));
}

// ln(1 + x) for |x| < 1: what 1 + x loses comes back as a correction.
INLINE V log1p_(V x) {
    V u = 1.0 + x;
    return log_(u) + (x - (u - 1.0)) / u;
}

// A power with a whole exponent that all rows share.
INLINE V power(V x, int n) {
    V y = 1.0;
    for (; n; n >>= 1, x = x * x) if (n & 1) y = y * x;
    return y;
}
