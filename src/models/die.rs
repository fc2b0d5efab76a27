//! What one good die costs.
//!
//!     cost = wafer price / (gross dies · sellable yield)
//!     sellable yield = perfect dies + dies whose bad units are no more than are spare
//!
//! Yield models stand in `defects.rs`, what spare units rescue in `occupancy.rs`, the count of dies in `wafer.rs`. A
//! systematic yield multiplies both kinds of good die. A given die_yield replaces the perfect share; what spares rescue is added to it.

use crate::defects::{Units, YieldModel, perfect_share, rescued_share};
use crate::variable::{HUGE, NONE, choices, model};
use crate::wafer::Wafer;

const CM2_PER_MM2: f64 = 0.01;

choices!(
    /// How whole dies on a wafer are counted.
    GrossDieMethod { DeVries "de_vries", Exponential "exponential", Classic "classic", Grid "grid" }
);
choices!(
    /// Whether a wafer gives dies to sell.
    DieStatus { Ok "ok", DoesNotFit "does_not_fit", NoYield "no_yield" }
);

model! {
    /// What one good die costs, salvage included.
    Die = "die";
    inputs {
        /// Width of the die.
        die_width_mm: number "mm" [0.1, 450.0], default NONE, typical [1.0, 26.0], Definition "reticle field 26 × 33 mm";
        /// Height of the die.
        die_height_mm: number "mm" [0.1, 450.0], default NONE, typical [1.0, 33.0], Definition "reticle field 26 × 33 mm";
        /// Price of one processed wafer.
        wafer_price_usd: number "USD" [0.0, 1e9], default NONE, typical [3_000.0, 30_000.0], Estimate "foundry price of the node";
        /// Diameter of the wafer.
        wafer_diameter_mm: number "mm" [25.0, 450.0], default 300.0, typical [200.0, 300.0], Definition "the size of all leading-edge fabs";
        /// Unusable rim of the wafer.
        wafer_edge_mm: number "mm" [0.0, 50.0], default 3.0, typical [2.0, 5.0], Estimate "public die-per-wafer calculators";
        /// Width of the saw street between dies.
        die_scribe_mm: number "mm" [0.0, 5.0], default 0.1, typical [0.05, 0.2], Estimate "public die-per-wafer calculators";
        /// Killing defects per cm²; of one critical layer for bose_einstein.
        die_defect_density_per_cm2: number "1/cm2" [0.0, 100.0], default NONE, typical [0.04, 0.3], Estimate "AnandTech 2020: N5 0.10-0.11 at launch";
        /// Clustering of defects; infinite is poisson.
        die_cluster_alpha: number "1" [0.1, 1e4], default 3.0, typical [1.0, 20.0], Estimate "Ning et al., ISCA 2023: 3; Chiplet Actuary 10; CATCH 2";
        /// Critical layers, for bose_einstein.
        die_critical_layers: integer "1" [1.0, 1000.0], default 10.0, typical [5.0, 30.0], Judgement "an exponent of 10 to 20 is usual";
        /// Area in which a defect kills over the area of the die.
        die_critical_area_ratio: number "1" [0.0, 1.0], default 1.0, typical [0.5, 1.0], Definition "defect densities are quoted for the whole area";
        /// Identical units on the die, spare ones included.
        die_units: integer "1" [1.0, 10_000.0], default 1.0, typical [8.0, 1000.0], Definition "a die without spare units";
        /// Units that may be bad.
        die_spare_units: integer "1" [0.0, 10_000.0], default 0.0, typical [0.0, 20.0], Definition "a die without spare units";
        /// Share of the area in units that have spares.
        die_redundant_share: number "1" [0.0, 1.0], default 0.0, typical [0.0, 0.9], Definition "a die without spare units";
        /// Share of dies left after losses that are not random.
        die_systematic_yield: number "1" [0.0, 1.0], default 1.0, typical [0.85, 1.0], Definition "random defects alone";
    }
    choices {
        /// How whole dies are counted.
        gross_die_method: GrossDieMethod = GrossDieMethod::DeVries, "within 3 % of exact counts for 25 to 858 mm²";
        /// How defects fall on dies.
        yield_model: YieldModel = YieldModel::NegativeBinomial, "the usual choice of foundries and open cost models";
    }
    reads {}
    outputs {
        /// Area of the die.
        die_area_mm2: "mm2" [0.01, 202_500.0];
        /// Whole dies on a wafer.
        die_gross_per_wafer: "1" [0.0, 1e7];
        /// Share of dies without a defect.
        die_yield: "1" [0.0, 1.0];
        /// Share of dies that can be sold, with spare units used.
        die_sellable_yield: "1" [0.0, 1.0];
        /// Cost of one die that can be sold.
        die_cost_usd: "USD" [0.0, HUGE];
    }
    summaries {}
    statuses {
        /// Why there is no cost: the die does not fit on the wafer, or none works.
        die_status: DieStatus;
    }
    equations(x, given) {
        let die_area_mm2 = given.die_area_mm2(x.die_width_mm * x.die_height_mm);
        let wafer = Wafer {
            usable_diameter_mm: x.wafer_diameter_mm - x.wafer_edge_mm * 2.0,
            die_width_mm: x.die_width_mm,
            die_height_mm: x.die_height_mm,
            scribe_mm: x.die_scribe_mm,
        };
        let die_gross_per_wafer = given.die_gross_per_wafer(match x.gross_die_method {
            GrossDieMethod::DeVries => wafer.de_vries(),
            GrossDieMethod::Exponential => wafer.exponential(),
            GrossDieMethod::Classic => wafer.classic(),
            GrossDieMethod::Grid => wafer.grid(),
        });
        let defects_per_die = die_area_mm2 * CM2_PER_MM2 * x.die_defect_density_per_cm2 * x.die_critical_area_ratio;
        let (alpha, layers) = (x.die_cluster_alpha, x.die_critical_layers);
        let perfect = perfect_share(x.yield_model, defects_per_die, alpha, layers);
        let units = Units { count: x.die_units, spare: x.die_spare_units, share: x.die_redundant_share };
        let rescued = rescued_share(x.yield_model, defects_per_die, alpha, layers, perfect, units);
        let die_yield = given.die_yield(perfect * x.die_systematic_yield);
        let die_sellable_yield =
            given.die_sellable_yield((die_yield + rescued * x.die_systematic_yield).min(N::one()));

        // A stated count is taken at its word; a computed one below 1 is none.
        let fits = match given.die_gross_per_wafer {
            Some(stated) => N::zero().lt(stated),
            None => N::one().le(die_gross_per_wafer),
        };
        let works = N::zero().lt(die_sellable_yield);
        let sold_per_wafer = die_gross_per_wafer * die_sellable_yield;
        let priced = fits & N::zero().lt(sold_per_wafer);
        let cost_usd = x.wafer_price_usd / N::select(priced, sold_per_wafer, N::one());
        let die_cost_usd = given.die_cost_usd(N::select(priced, cost_usd, N::of(f64::NAN)));
        let die_status = N::select(
            fits,
            N::select(works, DieStatus::Ok.number(), DieStatus::NoYield.number()),
            DieStatus::DoesNotFit.number(),
        );
        Outputs { die_area_mm2, die_gross_per_wafer, die_yield, die_sellable_yield, die_cost_usd, die_status }
    }
}

#[cfg(test)]
mod tests {
    use super::Die;
    use crate::defects::YieldModel;
    use crate::trial::{Case, check_derivatives, evaluate, with};
    use crate::variable::Choice;

    const DIE: [(&str, f64); 4] = [
        ("die_width_mm", 25.5),
        ("die_height_mm", 31.25),
        ("wafer_price_usd", 17_000.0),
        ("die_defect_density_per_cm2", 0.1),
    ];
    const SPARE: [(&str, f64); 3] = [("die_units", 16.0), ("die_spare_units", 2.0), ("die_redundant_share", 0.6)];

    #[test]
    fn a_die_by_hand() {
        // 10 · 10 mm, no street: cell 100 mm², usable 294 mm; π (147 - 5)² / 100 = 633.47 dies.
        // λ = 1 cm² · 0.3 = 0.3; α = 3: (1 + 0.1)^-3 = 0.751315; 6000 / (633.47 · 0.751315) = 12.6068 USD.
        let die = [
            ("die_width_mm", 10.0),
            ("die_height_mm", 10.0),
            ("die_scribe_mm", 0.0),
            ("wafer_price_usd", 6000.0),
            ("die_defect_density_per_cm2", 0.3),
        ];
        let answers = evaluate::<Die>(&die, &[]);
        let near =
            |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-5, "{name}: {}", answers[name]);
        near("die_area_mm2", 100.0);
        near("die_gross_per_wafer", 633.471);
        near("die_yield", 0.751_315);
        near("die_cost_usd", 12.606_8);
    }

    #[test]
    fn identities_and_limits() {
        for model in YieldModel::NAMES {
            let choices = [("yield_model", *model)];
            let once = evaluate::<Die>(&DIE, &choices);
            let dearer = evaluate::<Die>(&with(&DIE, &[("wafer_price_usd", 34_000.0)]), &choices);
            assert_eq!(dearer["die_cost_usd"], once["die_cost_usd"] * 2.0);
            // Without defects all dies are good.
            let clean = evaluate::<Die>(&with(&DIE, &[("die_defect_density_per_cm2", 0.0)]), &choices);
            assert_eq!(clean["die_yield"], 1.0, "{model}");
            assert_eq!(clean["die_cost_usd"], 17_000.0 / clean["die_gross_per_wafer"]);
            // A systematic yield halves both kinds of good die.
            let spare = with(&DIE, &SPARE);
            let whole = evaluate::<Die>(&spare, &choices)["die_sellable_yield"];
            let half = evaluate::<Die>(&with(&spare, &[("die_systematic_yield", 0.5)]), &choices)["die_sellable_yield"];
            assert_eq!(half, whole * 0.5, "{model}");
        }
    }

    #[test]
    fn more_defects_cost_more_and_spares_cost_less() {
        for model in YieldModel::NAMES {
            let choices = [("yield_model", *model)];
            let mut last = 0.0;
            for density in [0.0, 0.01, 0.05, 0.1, 0.5, 2.0] {
                let cost =
                    evaluate::<Die>(&with(&DIE, &[("die_defect_density_per_cm2", density)]), &choices)["die_cost_usd"];
                assert!(cost > last, "{model} at {density}");
                last = cost;
            }
            let mut last = 0.0;
            for spares in [0.0, 1.0, 2.0, 4.0, 16.0] {
                let die = with(&with(&DIE, &SPARE), &[("die_spare_units", spares)]);
                let sellable = evaluate::<Die>(&die, &choices)["die_sellable_yield"];
                assert!(sellable > last && sellable <= 1.0, "{model} with {spares} spares: {sellable}");
                last = sellable;
            }
        }
    }

    #[test]
    fn no_cost_where_there_is_no_die() {
        let large = evaluate::<Die>(&with(&DIE, &[("die_width_mm", 300.0), ("die_height_mm", 300.0)]), &[]);
        assert!(large["die_cost_usd"].is_nan());
        assert_eq!(large["die_status"].to_bits(), 1.0_f64.to_bits());
        let dead = evaluate::<Die>(&with(&DIE, &[("die_yield", 0.0)]), &[]);
        assert!(dead["die_cost_usd"].is_nan());
        assert_eq!(dead["die_status"].to_bits(), 2.0_f64.to_bits());
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let spare = with(&DIE, &SPARE);
        for model in YieldModel::NAMES {
            for method in ["de_vries", "exponential", "classic", "grid"] {
                let choices = [("yield_model", *model), ("gross_die_method", method)];
                // The exact count is a whole number.
                let constant: &[&str] = if method == "grid" { &["die_gross_per_wafer"] } else { &[] };
                if method == "de_vries" || *model == "poisson" {
                    check_derivatives::<Die>(Case { values: &spare, choices: &choices }, constant);
                }
            }
        }
    }
}
