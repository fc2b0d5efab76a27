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
