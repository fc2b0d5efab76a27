//! What an hour of the own chip costs, as the rent of the merchant chip would be at its price.
//!
//!     own rent = merchant rent · (share · own price / merchant price + (1 - share) · power ratio)
//!
//!     power ratio = own rated power / merchant rated power;  1 where either is not known
//!
//! A rent pays for the chip and, with the rest, for power, building, network and staff; `inference_accelerator_share` is what
//! pays for the chip, as in `demand`. The chip's part moves with its price, the rest with its power. So both chips' costs of a
//! token have the same basis, a buyer's margin and utilization included, and with a share of 1 their ratio is that of
//! prices over that of performance, as `build` has it. Definition. Where the own chip's rent is known otherwise, give it as
//! `asic_rent_usd_per_hour`.

use crate::variable::model;

model! {
    /// What an hour of the own chip costs, on the basis of the merchant chip's rent.
    OwnRent = "own_rent";
    inputs {}
    choices {}
    reads { asic_power_ratio chip_rent_usd_per_hour inference_accelerator_share asic_unit_price_usd chip_price_usd }
    outputs {
        /// Rent of the own chip, everything included.
        asic_rent_usd_per_hour: "USD/h" [0.0, 1e6];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let priced = N::zero().lt(x.chip_price_usd);
        let price_ratio = x.asic_unit_price_usd / N::select(priced, x.chip_price_usd, N::one());
        let price_ratio = N::select(priced, price_ratio, N::of(f64::NAN));
        let share = x.inference_accelerator_share;
        let asic_rent_usd_per_hour = given.asic_rent_usd_per_hour(
            x.chip_rent_usd_per_hour * (share * price_ratio + (-share + 1.0) * x.asic_power_ratio),
        );
        Outputs { asic_rent_usd_per_hour }
    }
}

/// Power of the own chip over that of the merchant chip.
pub mod power_ratio {
    use crate::variable::{INFINITE, model};

    model! {
        /// Power of the own chip over that of the merchant chip.
        OwnPowerRatio = "own_power_ratio";
        inputs {}
        choices {}
        reads { asic_tdp_w chip_tdp_w }
        outputs {
            /// Rated power of the own chip over that of the merchant chip.
            asic_power_ratio: "1" [0.0, INFINITE], default 1.0, "equal power";
        }
        summaries {}
        statuses {}
        equations(x, given) {
            let powered = N::zero().lt(x.chip_tdp_w);
            let ratio = x.asic_tdp_w / N::select(powered, x.chip_tdp_w, N::one());
            let asic_power_ratio = given.asic_power_ratio(N::select(powered, ratio, N::of(f64::NAN)));
            Outputs { asic_power_ratio }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::OwnRent;
    use super::power_ratio::OwnPowerRatio;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const CASE: [(&str, f64); 5] = [
        ("asic_power_ratio", 1.2),
        ("chip_rent_usd_per_hour", 2.0),
        ("inference_accelerator_share", 0.5),
        ("asic_unit_price_usd", 12_000.0),
        ("chip_price_usd", 30_000.0),
    ];
    const POWER: [(&str, f64); 2] = [("asic_tdp_w", 840.0), ("chip_tdp_w", 700.0)];

    fn rent(changes: &[(&str, f64)]) -> f64 {
        evaluate::<OwnRent>(&with(&CASE, changes), &[])["asic_rent_usd_per_hour"]
    }

    #[test]
    fn a_case_by_hand() {
        // 2 · (0.5 · 0.4 + 0.5 · 1.2) = 1.6
        assert!((rent(&[]) - 1.6).abs() < 1e-15);
        assert_eq!(evaluate::<OwnPowerRatio>(&POWER, &[])["asic_power_ratio"].to_bits(), 1.2_f64.to_bits());
    }

    #[test]
    fn limits() {
        let same = [("asic_power_ratio", 1.0), ("asic_unit_price_usd", 30_000.0)];
        assert_eq!(rent(&same).to_bits(), 2.0_f64.to_bits());
        assert!((rent(&[("inference_accelerator_share", 1.0)]) - 0.8).abs() < 1e-15);
        assert!((rent(&[("inference_accelerator_share", 0.0)]) - 2.4).abs() < 1e-15);
        assert!(rent(&[("chip_price_usd", 0.0)]).is_nan());
        assert!(evaluate::<OwnPowerRatio>(&with(&POWER, &[("chip_tdp_w", 0.0)]), &[])["asic_power_ratio"].is_nan());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        check_derivatives::<OwnRent>(Case { values: &CASE, choices: &[] }, &[]);
        check_derivatives::<OwnPowerRatio>(Case { values: &POWER, choices: &[] }, &[]);
    }
}
