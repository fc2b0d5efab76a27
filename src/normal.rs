//! The normal distribution: from a probability to the score, and from a score to the probabilities on either side.

use crate::number::Number;

/// An outcome's probability of being at most what it is, and of being more. They add up to 1; the smaller is exact to a few
/// units in the last place, which neither alone would be at both ends.
#[derive(Clone, Copy, Debug)]
pub struct Tails<N> {
    pub below: N,
    pub above: N,
}

#[inline(always)]
fn polynomial<N: Number, const K: usize>(x: N, ascending: &[f64; K]) -> N {
    let mut y = N::of(ascending[K - 1]);
    let mut k = K - 1;
    while k > 0 {
        k -= 1;
        y = y * x + ascending[k];
    }
    y
}

/// The standard normal score with these tails, at most 1e-15 off relatively for probabilities from 1e-300 on.
///
/// M. J. Wichura, Algorithm AS 241, routine PPND16, Appl. Stat. 37 (1988) 477-484.
#[inline(always)]
pub fn score<N: Number>(tails: Tails<N>) -> N {
    const CENTRAL: f64 = 0.425;
    const NEAR: f64 = 5.0;
    const A: [f64; 8] = [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const B: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        0.000_774_545_014_278_341_4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        0.000_547_593_808_499_534_5,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        0.000_786_869_131_145_613_3,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_7e-15,
    ];
    let smaller = tails.below.min(tails.above);
    let upper = tails.above.lt(tails.below);
    // The distance from a half, exact where it is used.
    let away = -smaller + 0.5;
    let central = away.le(N::of(CENTRAL));
    let r = -(away * away) + CENTRAL * CENTRAL;
    let (middle_over, middle_under) = (away * polynomial(r, &A), polynomial(r, &B));
    let r = (-smaller.ln()).sqrt();
    let near = r.le(N::of(NEAR));
    let (mut over, mut under) = (polynomial(r - 1.6, &C), polynomial(r - 1.6, &D));
    if !N::shortcut(near) {
        over = N::select(near, over, polynomial(r - NEAR, &E));
        under = N::select(near, under, polynomial(r - NEAR, &F));
    }
    let distance = N::select(central, middle_over, over) / N::select(central, middle_under, under);
    N::select(upper, distance, -distance)
}

/// The probabilities below and above a standard normal score, each within 2e-15 of its value as long as it is above 1e-300.
///
/// W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969) 631-637, in the form for the
/// normal distribution of Algorithm 715, ACM Trans. Math. Softw. 19 (1993) 22-32.
#[inline(always)]
pub fn tails<N: Number>(score: N) -> Tails<N> {
    const CENTRAL: f64 = 0.674_489_75;
    const NEAR: f64 = 5.656_854_249_492_381; // √32
    const INVERSE_ROOT_TWO_PI: f64 = 0.398_942_280_401_432_7;
    const A: [f64; 5] = [
        18_154.981_253_343_56,
        1_067.689_485_460_370_9,
        161.028_231_068_555_87,
        2.235_252_035_460_683_7,
        0.065_682_337_918_207_45,
    ];
    const B: [f64; 5] =
        [45_507.789_335_026_73, 10_260.932_208_618_979, 976.098_551_737_776_7, 47.202_581_904_688_245, 1.0];
    const C: [f64; 9] = [
        9_842.714_838_383_978,
        11_602.651_437_647_35,
        6_848.190_450_536_283,
        2_494.537_585_290_372_6,
        597.270_276_394_800_2,
        93.506_656_132_177_85,
        8.883_149_794_388_377,
        0.398_941_512_088_134_66,
        1.076_557_677_372_019_2e-8,
    ];
    const D: [f64; 9] = [
        19_685.429_676_859_992,
        38_912.003_286_093_27,
        34_900.952_721_145_98,
        18_615.571_640_885_097,
        6_485.558_298_266_761,
        1_519.377_599_407_554_7,
        235.387_901_782_625,
        22.266_688_044_328_117,
        1.0,
    ];
    const P: [f64; 6] = [
        2.911_287_495_116_879_3e-5,
        0.001_421_619_193_227_893_4,
        0.022_235_277_870_649_807,
        0.127_401_161_160_247_36,
        0.215_898_534_057_957,
        0.023_073_441_764_940_174,
    ];
    const Q: [f64; 6] = [
        7.297_515_550_839_662e-5,
        0.003_782_396_332_027_582_4,
        0.065_988_137_868_928_56,
        0.468_238_212_480_865_1,
        1.284_260_096_144_911,
        1.0,
    ];
    // Beyond it both tails are 0 and 1 in double precision.
    let away = score.abs().min(N::of(40.0));
    let square = away * away;
    let middle = away * polynomial(square, &A) / polynomial(square, &B);
    let mut scaled = polynomial(away, &C) / polynomial(away, &D);
    let near = away.le(N::of(NEAR));
    if !N::shortcut(near) {
        let inverse = N::one() / square;
        let rest = inverse * polynomial(inverse, &P) / polynomial(inverse, &Q);
        scaled = N::select(near, scaled, (-rest + INVERSE_ROOT_TWO_PI) / away);
    }
    // e^(-x²/2) in two factors: the square of the first 16ths is exact.
    let coarse = (away * 16.0).floor() / 16.0;
    let fine = (away - coarse) * (away + coarse);
    let tail = (coarse * coarse * -0.5).exp() * (fine * -0.5).exp() * scaled;
    let central = away.le(N::of(CENTRAL));
    let smaller = N::select(central, -middle + 0.5, tail);
    let larger = N::select(central, middle + 0.5, -tail + 1.0);
    let negative = score.lt(N::zero());
    Tails { below: N::select(negative, smaller, larger), above: N::select(negative, larger, smaller) }
}

/// The density of a standard normal score.
pub fn density(score: f64) -> f64 {
    const INVERSE_ROOT_TWO_PI: f64 = 0.398_942_280_401_432_7;
    crate::math::exp(-0.5 * score * score) * INVERSE_ROOT_TWO_PI
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_probabilities() {
        // By mpmath 1.4.1 in 60 digits.
        for (smaller, expected) in [
            (1e-300, -37.047_096_299_361_2),
            (1e-200, -30.205_594_179_579_64),
            (1e-100, -21.273_453_560_965_326),
            (1e-50, -14.933_337_534_788_489),
            (1e-20, -9.262_340_089_798_407),
            (1e-16, -8.222_082_216_130_435),
            (1e-12, -7.034_483_825_301_132),
            (1.3e-11, -6.667_611_456_510_741),
            (1.5e-11, -6.646_570_887_477_113),
            (1e-9, -5.997_807_015_007_686_5),
            (1e-6, -4.753_424_308_822_899),
            (0.001, -3.090_232_306_167_813_6),
            (0.02, -2.053_748_910_631_823),
            (0.074_9, -1.440_238_267_527_963_7),
            (0.075_1, -1.438_825_392_752_54),
            (0.2, -0.841_621_233_572_914_2),
            (0.4, -0.253_347_103_135_799_7),
            (0.45, -0.125_661_346_855_074_02),
            (0.499, -0.002_506_630_899_571_766),
        ] {
            let found = score(Tails { below: smaller, above: 1.0 - smaller });
            assert!((found / expected - 1.0).abs() < 1e-15, "{smaller}: {found}");
            assert_eq!(score(Tails { below: 1.0 - smaller, above: smaller }), -found);
        }
        assert_eq!(score(Tails { below: 0.5, above: 0.5 }), 0.0);
    }

    #[test]
    fn tails_of_scores() {
        // By mpmath 1.4.1 in 60 digits.
        for (at, expected) in [
            (0.1, 0.460_172_162_722_971),
            (0.5, 0.308_537_538_725_986_9),
            (0.674, 0.250_155_656_840_322_6),
            (0.675, 0.249_837_882_471_777),
            (1.0, 0.158_655_253_931_457_05),
            (1.96, 0.024_997_895_148_220_435),
            (2.5, 0.006_209_665_325_776_135),
            (3.0, 0.001_349_898_031_630_094_6),
            (4.0, 3.167_124_183_311_992_4e-5),
            (5.0, 2.866_515_718_791_939e-7),
            (5.65, 8.022_391_850_663_497e-9),
            (5.66, 7.568_649_751_997_714e-9),
            (6.0, 9.865_876_450_376_98e-10),
            (7.0, 1.279_812_543_885_835e-12),
            (8.3, 5.205_569_744_890_254e-17),
            (10.0, 7.619_853_024_160_525e-24),
            (15.0, 3.670_966_199_312_751e-51),
            (20.0, 2.753_624_118_606_233_7e-89),
            (30.0, 4.906_713_927_148_187e-198),
            (37.0, 5.725_571_222_524_577e-300),
        ] {
            let found = tails::<f64>(at);
            assert!((found.above / expected - 1.0).abs() < 2e-15, "{at}: {}", found.above);
            assert!((found.below + found.above - 1.0).abs() < 2e-16);
            assert_eq!((tails(-at).below, tails(-at).above), (found.above, found.below));
        }
        assert_eq!((tails(0.0).below, tails(f64::INFINITY).above, tails(f64::NEG_INFINITY).above), (0.5, 0.0, 1.0));
    }

    #[test]
    fn there_and_back() {
        for i in -820..=820_i16 {
            let at = f64::from(i) / 100.0;
            // A probability's last digit, 1e-16 of it, is 1e-16 / |score| of the score in a tail.
            assert!((score(tails(at)) - at).abs() < 4e-15 * at.abs().max(0.3), "{at}");
        }
    }
}
