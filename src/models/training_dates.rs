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

#[cfg(test)]
mod tests {
    use super::TrainingDates;
    use crate::trial::{Case, check_derivatives, evaluate};

    #[test]
    fn age_is_the_days_between_over_those_of_a_year() {
        // 2020-03-01 is day 18322, 2022-03-01 day 19052: 730 days, 730 / 365.25 = 1.99863 years.
        let case = [("train_price_date", 18_322.0), ("train_start_date", 19_052.0)];
        assert_eq!(evaluate::<TrainingDates>(&case, &[])["train_price_age_years"], 730.0 / 365.25);
        let same = [("train_price_date", 19_052.0), ("train_start_date", 19_052.0)];
        assert_eq!(evaluate::<TrainingDates>(&same, &[])["train_price_age_years"], 0.0);
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let values = [("train_price_date", 18_322.0), ("train_start_date", 19_052.0)];
        check_derivatives::<TrainingDates>(Case { values: &values, choices: &[] }, &[]);
    }
}
