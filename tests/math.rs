//! Our elementary functions against correctly rounded ones, and the same bits from one number and from packs on every
//! instruction set of this processor.

use fearless_simd::{Simd, dispatch};
use tapeout::math;
use tapeout::number::{LANES, Number, Pack};
use tapeout::settings::level_named;

const SHORT: u32 = 300_000;
const LONG: u32 = 30_000_000;
/// From the correctly rounded result, in units in the last place.
const MOST_UNITS_OFF: u64 = 1;

/// Xorshift64*: Marsaglia 2003, Vigna 2016.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = f64::from_bits(self.bits() >> 12 | 1023 << 52) - 1.0;
        low + (high - low) * unit
    }
    /// Any double: NaN, infinities and subnormals included.
    fn any(&mut self) -> f64 {
        f64::from_bits(self.bits())
    }
    /// A positive double of any exponent, subnormals included.
    fn any_positive(&mut self) -> f64 {
        f64::from_bits(self.bits() % f64::INFINITY.to_bits())
    }
    fn subnormal(&mut self) -> f64 {
        f64::from_bits(self.bits() >> 12)
    }
    /// Of either sign, its exponent from 2^-60 to 2^59.
    fn ordinary(&mut self) -> f64 {
        let exponent = 1023 - 60 + self.bits() % 120;
        f64::from_bits(self.bits() & (1 << 63 | ((1 << 52) - 1)) | exponent << 52)
    }
}

/// Doubles between two results of one sign; 0 for two NaN; far for anything else.
fn units_apart(a: f64, b: f64) -> u64 {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => 0,
        (false, false) if a.is_sign_negative() == b.is_sign_negative() => a.to_bits().abs_diff(b.to_bits()),
        _ => u64::MAX,
    }
}

type Draw<A> = (&'static str, fn(&mut Random) -> A);

fn check<A: Copy + std::fmt::Debug>(
    name: &str,
    samples: u32,
    ours: fn(A) -> f64,
    right: fn(A) -> f64,
    ranges: &[Draw<A>],
) {
    for (number, (range, draw)) in (1..).zip(ranges) {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number));
        for _ in 0..samples {
            let x = draw(&mut random);
            let (got, wanted) = (ours(x), right(x));
            let off = units_apart(got, wanted);
            assert!(off <= MOST_UNITS_OFF, "{name} of {x:?} ({range}): {got:e}, not {wanted:e}: {off} units off");
        }
    }
}

fn check_exp(samples: u32) {
    check(
        "exp",
        samples,
        math::exp,
        core_math::exp,
        &[
            ("whole range", |r| r.between(-746.0, 710.0)),
            ("near 0", |r| r.between(-1.0, 1.0)),
            ("very near 0", |r| r.between(-1e-3, 1e-3)),
            ("subnormal results", |r| r.between(-745.2, -708.0)),
            ("near overflow", |r| r.between(709.0, 709.79)),
            ("any", Random::any),
            ("ordinary", Random::ordinary),
        ],
    );
}

fn check_exp_m1(samples: u32) {
    check(
        "exp_m1",
        samples,
        math::exp_m1,
        core_math::expm1,
        &[
            ("whole range", |r| r.between(-60.0, 710.0)),
            ("near 0", |r| r.between(-1.0, 1.0)),
            ("very near 0", |r| r.between(-1e-5, 1e-5)),
            ("where it nears -1", |r| r.between(-60.0, -30.0)),
            ("where the 1 is lost", |r| r.between(30.0, 60.0)),
            ("near overflow", |r| r.between(709.0, 709.79)),
            ("subnormals", Random::subnormal),
            ("any", Random::any),
            ("ordinary", Random::ordinary),
        ],
    );
}

fn check_ln(samples: u32) {
    check(
        "ln",
        samples,
        math::ln,
        core_math::log,
        &[
            ("positive", Random::any_positive),
            ("near 1", |r| r.between(0.5, 2.0)),
            ("very near 1", |r| r.between(1.0 - 1e-6, 1.0 + 1e-6)),
            ("about √½ and √2", |r| r.between(0.7, 0.72) * [1.0, 2.0][usize::from(r.bits() > 1 << 63)]),
            ("subnormals", Random::subnormal),
            ("any", Random::any),
        ],
    );
}

fn check_ln_1p(samples: u32) {
    check(
        "ln_1p",
        samples,
        math::ln_1p,
        core_math::log1p,
        &[
            ("near 0", |r| r.between(-1.0, 1.0)),
            ("very near 0", |r| r.between(-1e-9, 1e-9)),
            ("near -1", |r| r.between(-1.0, -1.0 + 1e-6)),
            ("moderate", |r| r.between(1.0, 1e6)),
            ("where the 1 is lost", |r| r.between(1e15, 1e17)),
            ("subnormals", Random::subnormal),
            ("positive", Random::any_positive),
            ("any", Random::any),
            ("ordinary", Random::ordinary),
        ],
    );
}

/// y for which x^y lies where doubles do.
fn exponent_within(x: f64, random: &mut Random) -> (f64, f64) {
    let log = core_math::log(x);
    (x, if log == 0.0 { 1.0 } else { random.between(-745.5, 710.0) / log })
}

fn check_pow(samples: u32) {
    let ours = |(x, y): (f64, f64)| math::pow(x, y);
    let right = |(x, y): (f64, f64)| core_math::pow(x, y);
    check(
        "pow",
        samples,
        ours,
        right,
        &[
            ("ordinary", |r| (r.between(0.01, 100.0), r.between(-50.0, 50.0))),
            ("half to two", |r| (r.between(0.5, 2.0), r.between(-1000.0, 1000.0))),
            ("whole range", |r| exponent_within(r.any_positive(), r)),
            ("very near 1", |r| exponent_within(r.between(1.0 - 1e-8, 1.0 + 1e-8), r)),
            ("subnormal bases", |r| exponent_within(r.subnormal(), r)),
            ("subnormal results", |r| {
                let x = r.between(1.5, 1e6);
                (x, r.between(-745.2, -708.0) / core_math::log(x))
            }),
            ("whole exponents of either sign", |r| (r.between(-20.0, 20.0), r.between(-40.0, 40.0).floor())),
            ("large whole exponents", |r| {
                let bits = r.bits();
                let near_1 = 1.0 + f64::EPSILON * [-0.5, 1.0][usize::from(bits & 1 == 1)];
                (-near_1, r.between(1e15, 9.1e15).floor() * [-1.0, 1.0][usize::from(bits & 2 == 2)])
            }),
            ("small exponents", |r| (r.any_positive(), r.between(-1e-9, 1e-9))),
            ("any", |r| (r.any(), r.any())),
            ("ordinary pairs", |r| (r.ordinary(), r.ordinary())),
        ],
    );
}

#[test]
fn exp_is_rounded_rightly_to_one_unit() {
    check_exp(SHORT);
}
#[test]
fn exp_m1_is_rounded_rightly_to_one_unit() {
    check_exp_m1(SHORT);
}
#[test]
fn ln_is_rounded_rightly_to_one_unit() {
    check_ln(SHORT);
}
#[test]
fn ln_1p_is_rounded_rightly_to_one_unit() {
    check_ln_1p(SHORT);
}
#[test]
fn pow_is_rounded_rightly_to_one_unit() {
    check_pow(SHORT);
}
#[test]
#[ignore = "minutes"]
fn all_are_rounded_rightly_to_one_unit_in_many_samples() {
    check_exp(LONG);
    check_exp_m1(LONG);
    check_ln(LONG);
    check_ln_1p(LONG);
    check_pow(LONG);
}

/// Where functions have their edges.
const SPECIAL: [f64; 34] = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    2.225_073_858_507_201e-308,
    f64::MIN_POSITIVE,
    -f64::MIN_POSITIVE,
    1e-300,
    f64::EPSILON / 2.0,
    -f64::EPSILON / 2.0,
    1.0 / 3.0,
    0.5,
    -0.5,
    1.0 - f64::EPSILON / 2.0,
    1.0,
    -1.0,
    1.0 + f64::EPSILON,
    2.0,
    -2.0,
    3.0,
    -3.0,
    2.5,
    -745.133_219_101_941_1,
    -745.2,
    709.782_712_893_384,
    709.79,
    4_503_599_627_370_497.0,
    -9_007_199_254_740_991.0,
    9_007_199_254_740_992.0,
    1e300,
    f64::MAX,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

#[test]
fn edges_are_those_of_the_standard() {
    type Function = fn(f64) -> f64;
    let functions: [(&str, Function, Function); 4] = [
        ("exp", math::exp, core_math::exp),
        ("exp_m1", math::exp_m1, core_math::expm1),
        ("ln", math::ln, core_math::log),
        ("ln_1p", math::ln_1p, core_math::log1p),
    ];
    for (name, ours, right) in functions {
        for x in SPECIAL {
            let (got, wanted) = (ours(x), right(x));
            assert!(units_apart(got, wanted) <= MOST_UNITS_OFF, "{name}({x:e}) is {got:e}, not {wanted:e}");
        }
    }
    for x in SPECIAL {
        for y in SPECIAL {
            let (got, wanted) = (math::pow(x, y), core_math::pow(x, y));
            assert!(units_apart(got, wanted) <= MOST_UNITS_OFF, "pow({x:e}, {y:e}) is {got:e}, not {wanted:e}");
        }
    }
}

#[test]
fn whole_powers_add_a_rounding_a_factor() {
    let mut random = Random(9);
    for exponent in [1, 2, 3, 8, 16, 37, 255, 1000] {
        for _ in 0..100 {
            let x = random.between(0.7, 1.3);
            let exponent = f64::from(exponent);
            let off = x.whole_pow(exponent) / core_math::pow(x, exponent) - 1.0;
            assert!(off.abs() <= (exponent + 1.0) * f64::EPSILON / 2.0, "{x}^{exponent}: {off:e}");
        }
    }
    assert_eq!(0.0.whole_pow(0.0), 1.0);
    assert_eq!(0.0.whole_pow(3.0), 0.0);
    assert_eq!(1.5.whole_pow(f64::NAN), 1.0); // of an input that nobody reads: it ends
}

#[test]
fn what_is_exact_comes_out_exact() {
    for power in -1074..=1023_i16 {
        let right = if power < -1022 {
            f64::from_bits(1 << (power + 1074))
        } else {
            f64::from_bits(u64::try_from(power + 1023).expect("a normal exponent") << 52)
        };
        assert_eq!(math::pow(2.0, f64::from(power)).to_bits(), right.to_bits(), "2^{power}");
    }
    assert_eq!(math::pow(-3.0, 5.0), -243.0);
    assert_eq!(math::pow(1.5, 2.0), 2.25);
    assert_eq!(math::exp(0.0), 1.0);
    assert_eq!(math::ln(1.0), 0.0);
}

const OPERATIONS: usize = 20;

/// What models do with numbers, on two of them.
#[inline(always)]
fn operations<N: Number>(x: N, y: N) -> [N; OPERATIONS] {
    [
        x.exp(),
        x.ln(),
        x.exp_m1(),
        x.ln_1p(),
        x.pow(y),
        x.abs().pow(y),
        x.sqrt(),
        x.floor(),
        x.min(y),
        x.max(y),
        N::select(x.lt(y), x, y),
        N::select(x.le(y) & y.eq(y), y, x),
        N::select(x.eq(y) | x.lt(N::zero()), x, y),
        x.abs(),
        x.positive_part(),
        x + y,
        x - y,
        x * y,
        x / y,
        N::restore((-x).save()) * 3.0 - 1.0,
    ]
}

#[inline(always)]
fn pack<S: Simd>(simd: S, x: &[f64; LANES], y: &[f64; LANES]) -> [[f64; LANES]; OPERATIONS] {
    let results = operations(Pack::load(simd, x), Pack::load(simd, y));
    let mut rows = [[0.0; LANES]; OPERATIONS];
    let mut k = 0;
    while k < OPERATIONS {
        results[k].store(&mut rows[k]);
        k += 1;
    }
    rows
}

/// NaN differ in sign and payload between processors and count as one value.
fn bits(x: f64) -> u64 {
    if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() }
}

/// Pairs of edges, of any bits, and of ordinary numbers.
fn pairs(random_packs: usize) -> Vec<([f64; LANES], [f64; LANES])> {
    let mut edges = SPECIAL.iter().flat_map(|x| SPECIAL.iter().map(|y| (*x, *y))).peekable();
    let mut random = Random(88_172_645_463_325_252);
    let mut packs = Vec::new();
    while edges.peek().is_some() || packs.len() < random_packs {
        let pack: [(f64, f64); LANES] = std::array::from_fn(|lane| match edges.next() {
            Some(pair) => pair,
            None if lane % 2 == 0 => (random.any(), random.any()),
            None => (random.ordinary(), random.ordinary()),
        });
        packs.push((pack.map(|pair| pair.0), pack.map(|pair| pair.1)));
    }
    packs
}

#[test]
fn one_number_and_packs_give_the_same_bits_on_every_instruction_set() {
    let packs = pairs(20_000);
    let mut tried = Vec::new();
    for name in ["sse2", "avx2", "avx512", "neon"] {
        let Some(level) = level_named(name) else { continue };
        tried.push(name);
        for (x, y) in &packs {
            let rows = dispatch!(level, simd => pack(simd, x, y));
            for lane in 0..LANES {
                let alone = operations(x[lane], y[lane]);
                for (k, (row, one)) in rows.iter().zip(alone).enumerate() {
                    let (got, wanted) = (row[lane], one);
                    assert!(
                        bits(got) == bits(wanted),
                        "{name}, operation {k} of {:e} and {:e}: {got:e} in a pack, {wanted:e} alone",
                        x[lane],
                        y[lane]
                    );
                }
            }
        }
    }
    assert!(!tried.is_empty(), "no instruction set was tried");
}

#[test]
fn bits_are_the_same_on_every_machine() {
    // Fowler, Noll and Vo's hash of all results, from an x86-64 machine; another processor or compiler must give the same.
    const HASH: u64 = 0x0719_6BF1_1A49_9C95;
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for (x, y) in pairs(20_000) {
        for lane in 0..LANES {
            for result in operations(x[lane], y[lane]) {
                hash = (hash ^ bits(result)).wrapping_mul(0x0000_0100_0000_01B3);
            }
        }
    }
    assert_eq!(hash, HASH, "{hash:#x}");
}
