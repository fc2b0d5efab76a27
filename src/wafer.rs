//! How many whole dies a round wafer holds.

use crate::number::Number;
use std::f64::consts::PI;

/// What the count depends on, in mm: the usable diameter, the die and the distance from die to die.
#[derive(Clone, Copy)]
pub struct Wafer<N> {
    pub usable_diameter_mm: N,
    pub die_width_mm: N,
    pub die_height_mm: N,
    pub scribe_mm: N,
}

impl<N: Number> Wafer<N> {
    #[inline(always)]
    fn pitch_mm(self) -> (N, N) {
        (self.die_width_mm + self.scribe_mm, self.die_height_mm + self.scribe_mm)
    }
    #[inline(always)]
    fn cell_mm2(self) -> N {
        let (across, up) = self.pitch_mm();
        across * up
    }

    /// π/A (D/2 - √A/2)². De Vries, IEEE Transactions on Semiconductor Manufacturing 18 (2005) 136: a radius shortened by
    /// half a die. Within 3 % of the exact count from 25 to 858 mm².
    #[inline(always)]
    pub fn de_vries(self) -> N {
        let cell = self.cell_mm2();
        let radius = (self.usable_diameter_mm * 0.5 - cell.sqrt() * 0.5).positive_part();
        radius * radius * PI / cell
    }

    /// π D²/(4A) exp(-2 √A / D).
    #[inline(always)]
    pub fn exponential(self) -> N {
        let (cell, d) = (self.cell_mm2(), self.usable_diameter_mm);
        let empty = d.le(N::zero());
        let safe = N::select(empty, N::one(), d);
        N::select(empty, N::zero(), safe * safe * (PI / 4.0) / cell * (-(cell.sqrt() * 2.0 / safe)).exp())
    }

    /// π D²/(4A) - π D/√(2A), the textbook form. 8 % low for the largest dies; kept to reproduce what others print.
    #[inline(always)]
    pub fn classic(self) -> N {
        let (cell, d) = (self.cell_mm2(), self.usable_diameter_mm.positive_part());
        (d * d * (PI / 4.0) / cell - d * PI / (cell * 2.0).sqrt()).positive_part()
    }

    /// The exact count: the most whole dies that any of 64 × 64 shifts of the regular grid places inside the usable circle.
    /// Shifts are of the dies' centers; a shift and its mirror image hold the same, which leaves 33 × 33 to try.
    #[inline(always)]
    pub fn grid(self) -> N {
        const PHASES: u32 = 64;
        /// Corners that touch the edge but for rounding count as inside.
        const SLACK: f64 = 1e-9;
        let radius = self.usable_diameter_mm.positive_part() * 0.5;
        let (across, up) = self.pitch_mm();
        let rows = (radius / up).highest().ceil() + 1.0;
        let mut best = N::zero();
        let mut row_phase = 0;
        while row_phase <= PHASES / 2 {
            let mut column_phase = 0;
            while column_phase <= PHASES / 2 {
                let column = f64::from(column_phase) / f64::from(PHASES);
                let mut count = N::zero();
                let mut row = -rows;
                while row <= rows {
                    let center = up * (row + f64::from(row_phase) / f64::from(PHASES));
                    let farthest = center.abs() + self.die_height_mm * 0.5;
                    let square = radius * radius - farthest * farthest;
                    let reach = (square.positive_part().sqrt() - self.die_width_mm * 0.5) / across;
                    let right = (reach - column + SLACK).floor();
                    let left = (reach + column + SLACK).floor();
                    let fits = N::zero().le(square) & N::zero().le(reach + SLACK);
                    count = count + N::select(fits, (right + left + 1.0).positive_part(), N::zero());
                    row += 1.0;
                }
                best = best.max(count);
                column_phase += 1;
            }
            row_phase += 1;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::Wafer;

    fn wafer(width: f64, height: f64) -> Wafer<f64> {
        Wafer { usable_diameter_mm: 294.0, die_width_mm: width, die_height_mm: height, scribe_mm: 0.1 }
    }

    #[test]
    fn exact_counts_by_hand() {
        // Usable diameter 10, dies of 7 by 7: the diagonal is 9.899, so one fits, and only one.
        let one = Wafer { usable_diameter_mm: 10.0, die_width_mm: 7.0, die_height_mm: 7.0, scribe_mm: 0.0 };
        assert_eq!(one.grid().to_bits(), 1.0_f64.to_bits());
        // 7.2 by 7.2: the diagonal is 10.18.
        assert_eq!(Wafer { die_width_mm: 7.2, die_height_mm: 7.2, ..one }.grid().to_bits(), 0.0_f64.to_bits());
        // Four of 3.5 by 3.5 about the center are the same square.
        assert!(Wafer { die_width_mm: 3.5, die_height_mm: 3.5, ..one }.grid() >= 4.0);
    }

    #[test]
    fn turning_the_wafer_changes_nothing() {
        for (width, height) in [(25.0, 33.0), (10.0, 12.0), (14.0, 26.0)] {
            assert_eq!(wafer(width, height).grid().to_bits(), wafer(height, width).grid().to_bits());
        }
    }

    #[test]
    fn de_vries_is_within_three_percent_of_the_count() {
        for (width, height) in [(5.0, 5.0), (10.0, 10.0), (15.0, 20.0), (20.0, 25.0), (26.0, 33.0)] {
            let (approximate, exact) = (wafer(width, height).de_vries(), wafer(width, height).grid());
            assert!((approximate / exact - 1.0).abs() < 0.03, "{width} × {height}: {approximate}, {exact}");
        }
    }

    #[test]
    fn larger_dies_are_fewer_and_none_fits_beyond_the_wafer() {
        let counts: [fn(Wafer<f64>) -> f64; 4] = [Wafer::de_vries, Wafer::exponential, Wafer::classic, Wafer::grid];
        for count in counts {
            let mut last = f64::INFINITY;
            for side in [2.0, 5.0, 10.0, 20.0, 40.0, 100.0] {
                let here = count(wafer(side, side));
                assert!(here < last && here >= 0.0, "{side}: {here}");
                last = here;
            }
        }
        assert_eq!(wafer(300.0, 300.0).grid().to_bits(), 0.0_f64.to_bits());
        assert_eq!(wafer(600.0, 600.0).de_vries().to_bits(), 0.0_f64.to_bits());
    }
}
