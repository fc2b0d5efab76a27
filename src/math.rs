//! `exp`, `ln`, `pow`, `exp_m1`, `ln_1p`: one source for a single `f64` and for packs of rows.
//!
//! The standard library's versions come from the C library, which picks other code on other processors. These give the
//! same bits everywhere: only `+ - * /` and bit operations, no fused multiply-add. At most one unit in the last place from
//! the correctly rounded result (tested against `core-math`). The splittings are the classic ones (Cody and Waite;
//! Dekker 1971; the form f - (f²/2 - s (f²/2 + R)) of ln is fdlibm's); the coefficients were fitted for these kernels.

use crate::number::Number;
use std::f64::consts::LOG2_E;

/// Adding and subtracting it rounds to the nearest integer; its low bits then hold that integer.
const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
const LN2_HI: f64 = 0.693_147_180_369_123_8; // 33 bits, so that k * LN2_HI is exact
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;
const THIRD: f64 = 1.0 / 3.0;
const THIRD_LO: f64 = 1.850_371_707_708_594e-17;
const SIGN: u64 = 1 << 63;

/// Numbers whose bits can be worked on, lane by lane.
pub trait Bits: Number {
    fn and_bits(self, bits: u64) -> Self;
    fn or_bits(self, bits: u64) -> Self;
    fn add_bits(self, bits: u64) -> Self;
    fn shift_left<const K: u32>(self) -> Self;
    fn shift_right<const K: u32>(self) -> Self;
}

#[inline(always)]
fn of<N: Bits>(x: f64) -> N {
    N::of(x)
}
/// Nearest integer, for |x| < 2^51.
#[inline(always)]
fn round<N: Bits>(x: N) -> N {
    (x + ROUND) - ROUND
}
/// 2^n for an integer -1023 < n < 1024. No conversion to an integer type: those need AVX-512.
#[inline(always)]
fn pow2<N: Bits>(n: N) -> N {
    (n + (ROUND + 1023.0)).shift_left::<52>()
}
/// The 26 leading bits.
#[inline(always)]
fn top<N: Bits>(x: N) -> N {
    x.and_bits(!((1 << 27) - 1))
}
#[inline(always)]
fn abs<N: Bits>(x: N) -> N {
    x.and_bits(!SIGN)
}
/// Dekker's product: p + e = a b exactly.
#[inline(always)]
fn product<N: Bits>(a: N, b: N) -> (N, N) {
    let (a_hi, b_hi) = (top(a), top(b));
    let (a_lo, b_lo) = (a - a_hi, b - b_hi);
    let p = a * b;
    (p, ((a_hi * b_hi - p) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo)
}
/// s + e = a + b exactly, for |a| >= |b|.
#[inline(always)]
fn sum_ordered<N: Bits>(a: N, b: N) -> (N, N) {
    let s = a + b;
    (s, b - (s - a))
}
/// s + e = a + b exactly.
#[inline(always)]
fn sum<N: Bits>(a: N, b: N) -> (N, N) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}
/// NaN passes.
#[inline(always)]
fn clamp<N: Bits>(x: N, low: f64, high: f64) -> N {
    x.min(of(high)).max(of(low))
}

/// e^r - 1 - r + c for |r| <= ln 2 / 2. What waits for the last power of r is kept short, here and in `ln_rest`.
#[inline(always)]
fn exp_tail<N: Bits>(r: N, c: N) -> N {
    const C: [f64; 10] = [
        0.166_666_666_666_666_69,
        0.041_666_666_666_666_664,
        0.008_333_333_333_330_062,
        0.001_388_888_888_888_655_2,
        0.000_198_412_698_630_536_18,
        2.480_158_731_714_449_8e-5,
        2.755_726_845_999_706_4e-6,
        2.755_728_296_954_995e-7,
        2.510_038_549_551_032e-8,
        2.091_123_663_026_154_5e-9,
    ];
    let q = r * r;
    let q2 = q * q;
    let low = (r * C[1] + C[0]) + (r * C[3] + C[2]) * q;
    let high = (r * C[5] + C[4]) + (r * C[7] + C[6]) * q;
    let p = (low + q2 * high) + (q2 * q2) * (r * C[9] + C[8]);
    (q * 0.5 + c) + (q * r) * p
}
/// x = n ln 2 + r + e.
#[inline(always)]
fn reduce<N: Bits>(x: N) -> (N, N, N) {
    let n = round(x * LOG2_E);
    let a = x - n * LN2_HI;
    let b = n * LN2_LO;
    let r = a - b;
    (n, r, (a - r) - b)
}
/// m 2^n in two steps, which is right for subnormal results and near 2^1024.
#[inline(always)]
fn scale<N: Bits>(m: N, n: N) -> N {
    let half = round(n * 0.5);
    m * pow2(half) * pow2(n - half)
}
/// e^(x + tail), -746 <= x <= 710.
#[inline(always)]
fn exp_sum<N: Bits>(x: N, tail: N) -> N {
    let (n, r, e) = reduce(x);
    let (hi, lo) = sum_ordered(of::<N>(1.0), r);
    let t = exp_tail(r, of(0.0));
    // (hi + t), not hi: else pow is 50 units off.
    scale(hi + (lo + (t + (e + tail) * (hi + t))), n)
}

#[inline(always)]
pub fn exp<N: Bits>(x: N) -> N {
    let (n, r, e) = reduce(clamp(x, -746.0, 710.0));
    let (hi, lo) = sum_ordered(of::<N>(1.0), r);
    scale(hi + exp_tail(r, lo + e * hi), n)
}

#[inline(always)]
pub fn exp_m1<N: Bits>(x: N) -> N {
    let (n, r, e) = reduce(clamp(x, -60.0, 710.0));
    let tail = exp_tail(r, e + e * r);
    let t = pow2(n - 1.0);
    let (hi, lo) = sum(t - 0.5, t * r);
    let m = (hi + (lo + t * tail)) * 2.0;
    N::select(abs(x).lt(of(1e-300)), x, m)
}

/// x = 2^k m, m in [√½, √2).
#[inline(always)]
fn split<N: Bits>(x: N) -> (N, N) {
    const SQRT_HALF: u64 = 0x3FE6_A09E_667F_3BCD;
    let small = x.lt(of(f64::MIN_POSITIVE));
    let y = N::select(small, x * 18_014_398_509_481_984.0, x); // 2^54
    let b = y.add_bits((1023_u64 << 52).wrapping_sub(SQRT_HALF));
    let k = b.shift_right::<52>().or_bits(0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 1023.0);
    let m = b.and_bits(0x000F_FFFF_FFFF_FFFF).add_bits(SQRT_HALF);
    (N::select(small, k - 54.0, k), m)
}
/// f²/2 and s (f²/2 + R) of ln(1 + f), s = f / (2 + f).
#[inline(always)]
fn ln_rest<N: Bits>(f: N) -> (N, N) {
    let s = f / (f + 2.0);
    let z = s * s;
    let w = z * z;
    let w2 = w * w;
    let even = (w * 0.222_222_111_257_232_62 + 0.399_999_999_998_993_8) + w2 * 0.153_316_996_346_422_76;
    let odd = (w * 0.285_714_286_260_310_65 + 0.666_666_666_666_667)
        + w2 * (w * 0.146_167_211_662_876 + 0.181_828_897_861_579_9);
    let half = f * 0.5 * f;
    (half, s * (half + (w * even + z * odd)))
}
#[inline(always)]
fn ln_edges<N: Bits>(x: N, y: N) -> N {
    let y = N::select(x.lt(of(f64::INFINITY)), y, x);
    let y = N::select(x.lt(of(0.0)), of(f64::NAN), y);
    N::select(x.eq(of(0.0)), of(f64::NEG_INFINITY), y)
}

#[inline(always)]
pub fn ln<N: Bits>(x: N) -> N {
    let (k, m) = split(x);
    let f = m - 1.0;
    let (half, rest) = ln_rest(f);
    ln_edges(x, k * LN2_HI - ((half - (rest + k * LN2_LO)) - f))
}

#[inline(always)]
pub fn ln_1p<N: Bits>(x: N) -> N {
    let (u, e) = sum(of::<N>(1.0), x);
    let (k, m) = split(u);
    let f = m - 1.0;
    let e = N::select(u.lt(of(9_007_199_254_740_992.0)), e / u, of(0.0));
    let (half, rest) = ln_rest(f);
    let y = k * LN2_HI - ((half - (rest + (k * LN2_LO + e))) - f);
    N::select(x.eq(of(0.0)), x, ln_edges(u, y))
}

/// ln x as an unevaluated sum of two numbers, about 65 bits.
#[inline(always)]
fn ln_long<N: Bits>(x: N) -> (N, N) {
    const P: [f64; 8] = [
        0.2,
        0.142_857_142_857_146_85,
        0.111_111_111_108_277_7,
        0.090_909_091_677_356_17,
        0.076_922_974_770_693_92,
        0.066_674_025_747_831_49,
        0.058_531_120_683_306_46,
        0.058_616_531_106_605_106,
    ];
    let (k, m) = split(x);
    let f = m - 1.0;
    let (d, d_lo) = sum_ordered(of::<N>(1.0), m);
    let inverse = of::<N>(1.0) / d;
    let s = f * inverse;
    let (p, e) = product(s, d);
    let s_lo = (((f - p) - e) - s * d_lo) * inverse;
    let (z, e) = product(s, s);
    let z_lo = e + s * 2.0 * s_lo;
    let (u, e) = product(z, of(THIRD));
    let u_lo = e + z_lo * THIRD + z * THIRD_LO;
    let z2 = z * z;
    let low = (z * P[1] + P[0]) + z2 * (z * P[3] + P[2]);
    let high = (z * P[5] + P[4]) + z2 * (z * P[7] + P[6]);
    let w = z2 * (low + (z2 * z2) * high);
    let (v, e) = sum_ordered(u, w);
    let v_lo = e + u_lo;
    let (a, a_lo) = (s * 2.0, s_lo * 2.0);
    let (b, e) = product(a, v);
    let b_lo = e + (a * v_lo + a_lo * v);
    let (l, e) = sum_ordered(a, b);
    let l_lo = e + (a_lo + b_lo);
    let (h, e) = sum_ordered(k * LN2_HI, l);
    sum_ordered(h, e + (l_lo + k * LN2_LO))
}

#[inline(always)]
fn pow_positive<N: Bits>(x: N, y: N) -> N {
    let (h, l) = ln_long(x);
    let bounded = clamp(y, -1e20, 1e20);
    let (p, e) = product(h, bounded);
    let e = e + l * bounded;
    let outside = of::<N>(710.0).lt(p) | p.lt(of(-746.0));
    let r = exp_sum(clamp(p, -746.0, 710.0), N::select(outside, of(0.0), e));
    let (zero, infinity) = (of::<N>(0.0), of::<N>(f64::INFINITY));
    let up = zero.lt(y);
    let r = N::select(x.eq(zero), N::select(up, zero, infinity), r);
    let r = N::select(x.eq(infinity), N::select(up, infinity, zero), r);
    let r = N::select(zero.le(x) & y.eq(y), r, of(f64::NAN));
    N::select(y.eq(zero) | x.eq(of(1.0)), of(1.0), r)
}
/// Whether v has no fraction.
#[inline(always)]
fn whole<N: Bits>(v: N) -> N::Mask {
    const NO_FRACTION_FROM: f64 = 4_503_599_627_370_496.0; // 2^52
    let v = abs(v);
    of::<N>(NO_FRACTION_FROM).le(v) | ((v + NO_FRACTION_FROM) - NO_FRACTION_FROM).eq(v)
}

/// x^y with the special values of C's `pow`.
#[inline(always)]
pub fn pow<N: Bits>(x: N, y: N) -> N {
    let magnitude = abs(x);
    let r = pow_positive(magnitude, y);
    let (zero, one) = (of::<N>(0.0), of::<N>(1.0));
    let (whole, even) = (whole(y), whole(y * 0.5));
    let sign = x.and_bits(SIGN).or_bits(0x3FF0_0000_0000_0000);
    let impossible = x.lt(zero) & magnitude.lt(of(f64::INFINITY));
    let r = N::select(whole, N::select(even, r, r * sign), N::select(impossible, of(f64::NAN), r));
    let r = N::select(x.eq(x) & y.eq(y), r, of(f64::NAN));
    N::select(y.eq(zero) | x.eq(one), one, r)
}
