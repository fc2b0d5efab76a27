//! The sides of a die of which only the area, or the area and one side, is known.

use crate::variable::model;

model! {
    /// The sides of a die from its area: a square, unless one side is given.
    DieShape = "die_shape";
    inputs {}
    choices {}
    reads { die_area_mm2 }
    outputs {
        /// Width of the die.
        die_width_mm: "mm" [0.1, 450.0];
        /// Height of the die.
        die_height_mm: "mm" [0.1, 450.0];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let die_width_mm = given.die_width_mm(match given.die_height_mm {
            Some(die_height_mm) => x.die_area_mm2 / die_height_mm,
            None => x.die_area_mm2.sqrt(),
        });
        let die_height_mm = given.die_height_mm(x.die_area_mm2 / die_width_mm);
        Outputs { die_width_mm, die_height_mm }
    }
}

#[cfg(test)]
mod tests {
    use super::DieShape;
    use crate::trial::{Case, check_derivatives, evaluate};

    #[test]
    fn a_square_unless_a_side_is_given() {
        // 625 mm²: 25 by 25; with a side of 31.25 the other is 20.
        let square = evaluate::<DieShape>(&[("die_area_mm2", 625.0)], &[]);
        assert_eq!((square["die_width_mm"], square["die_height_mm"]), (25.0, 25.0));
        let wide = evaluate::<DieShape>(&[("die_area_mm2", 625.0), ("die_width_mm", 31.25)], &[]);
        assert_eq!(wide["die_height_mm"], 20.0);
        let high = evaluate::<DieShape>(&[("die_area_mm2", 625.0), ("die_height_mm", 31.25)], &[]);
        assert_eq!(high["die_width_mm"], 20.0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<DieShape>(Case { values: &[("die_area_mm2", 610.0)], choices: &[] }, &[]);
    }
}
