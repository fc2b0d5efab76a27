//! How old the hardware's price is when the run starts.

use crate::variable::{NONE, model};

const DAYS_PER_YEAR: f64 = 365.25;

model! {
    /// The age of the hardware's price from two dates.
    TrainingDates = "training_dates";
    inputs {
        /// Date at which the chip cost train_chip_price_usd.
        train_price_date: date "date" [-40_000.0, 80_000.0], default NONE, typical [NONE, NONE], ListPrice "date of the quotation";
        /// First day of the run.
        train_start_date: date "date" [-40_000.0, 80_000.0], default NONE, typical [NONE, NONE], Definition "property of the run";
    }
    choices {}
    reads {}
    outputs {
        /// Years from the price's date to the start of the run.
        train_price_age_years: "years" [-50.0, 50.0], default 0.0, "without dates the price is taken as that of the start";
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let train_price_age_years = given.train_price_age_years((x.train_start_date - x.train_price_date) / DAYS_PER_YEAR);
        Outputs { train_price_age_years }
    }
}
