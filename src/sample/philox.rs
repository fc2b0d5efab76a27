//! Random words by index: Philox4x64-10.
//!
//! J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC '11: ten rounds of a
//! keyed bijection of 256 bits. The words of counter i cost the same for every i, and differ in nothing but i and the key.

/// What the words are for: no two uses share a counter.
#[derive(Clone, Copy)]
pub enum Use {
    Draw = 0,
    Scramble = 1,
    Permutation = 2,
    Jitter = 3,
}

/// Four words that depend on `seed`, the column, an index within it and their use alone.
#[inline]
pub fn words(seed: u64, column: usize, index: u64, purpose: Use) -> [u64; 4] {
    philox([index, column as u64, purpose as u64, 0], [seed, 0])
}

#[inline]
fn philox(counter: [u64; 4], key: [u64; 2]) -> [u64; 4] {
    const ROUNDS: usize = 10;
    const MULTIPLIERS: [u64; 2] = [0xD2E7_470E_E14C_6C93, 0xCA5A_8263_9512_1157];
    // The golden ratio and √3 - 1.
    const KEY_STEPS: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];
    let (mut x, mut key) = (counter, key);
    for _ in 0..ROUNDS {
        let (low_0, high_0) = product(MULTIPLIERS[0], x[0]);
        let (low_1, high_1) = product(MULTIPLIERS[1], x[2]);
        x = [high_1 ^ x[1] ^ key[0], low_1, high_0 ^ x[3] ^ key[1], low_0];
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    x
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn product(a: u64, b: u64) -> (u64, u64) {
    let product = u128::from(a) * u128::from(b);
    (product as u64, (product >> 64) as u64)
}

/// The middle of one of 2^52 equal cells of (0, 1), by the word's leading 52 bits: never 0 or 1, and 1 - u is exact too.
#[inline(always)]
pub fn unit(word: u64) -> f64 {
    const ONE: u64 = 0x3FF0_0000_0000_0000;
    const CELL: f64 = 1.0 / 4_503_599_627_370_496.0; // 2^-52
    f64::from_bits(word >> 12 | ONE) - (1.0 - 0.5 * CELL)
}

/// Rows from `first_row` on, four of a block.
pub fn fill(seed: u64, column: usize, first_row: u64, purpose: Use, rows: usize, mut visit: impl FnMut(usize, u64)) {
    let mut done = 0;
    while done < rows {
        let row = first_row + done as u64;
        let block = words(seed, column, row / 4, purpose);
        let mut lane = (row % 4) as usize;
        while lane < 4 && done < rows {
            visit(done, block[lane]);
            lane += 1;
            done += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_answers() {
        // Known-answer tests of Random123 1.14, philox4x64-10.
        assert_eq!(
            philox([0; 4], [0; 2]),
            [0x1655_4D9E_CA36_314C, 0xDB20_FE9D_672D_0FDC, 0xD7E7_72CE_E186_176B, 0x7E68_B68A_EC7B_A23B]
        );
        assert_eq!(
            philox([u64::MAX; 4], [u64::MAX; 2]),
            [0x87B0_92C3_013F_E90B, 0x438C_3C67_BE8D_0224, 0x9CC7_D7C6_9CD7_77B6, 0xA09C_AEBF_594F_0BA0]
        );
        assert_eq!(
            philox(
                [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89],
                [0x4528_21E6_38D0_1377, 0xBE54_66CF_34E9_0C6C]
            ),
            [0xA528_F454_03E6_1D95, 0x38C7_2DBD_566E_9788, 0xA5A1_610E_72FD_18B5, 0x57BD_43B5_E52B_7FE6]
        );
    }

    #[test]
    fn a_unit_is_inside() {
        assert_eq!(unit(0), 2.0_f64.recip() / 4_503_599_627_370_496.0);
        assert_eq!(1.0 - unit(u64::MAX), unit(0));
        assert_eq!(unit(1 << 63), 0.5 + unit(0));
    }
}
