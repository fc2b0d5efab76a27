//! What one finished accelerator costs and what a design partner charges for it.
//!
//!     known good die  = (die cost · sellable + die test) / Yt,   Yt = (1 - die coverage) + sellable · die coverage
//!     bill            = dies · known good die + memory + interposer / its yield + substrate + assembly + test
//!     pass            = 1 - (1 - Ya) · package coverage,   Ya = (sellable/Yt)^dies · q^stacks · bond^dies · package yield
//!     unit cost       = bill / pass
//!     unit price      = (unit cost - memory) / (1 - m) + memory / (1 - m_memory) + royalty
//!
//! Test coverage below 1 lets bad dies through, whose cost is the whole package. Chip-first assembly commits dies and
//! memory before the interposer is proven, so that its losses and those of bonding take the whole bill with them. Source of
//! the assembly equations: Graening, Pal and Gupta, "CATCH", 2025, restated. Memory bought through the partner carries a
//! margin of its own: passed through or not is worth thousands of dollars a unit.

use crate::variable::{HUGE, NONE, model};

const BYTES_PER_GB: f64 = 1e9;

model! {
    /// What one finished accelerator costs and what the design partner charges.
    Package = "package";
    inputs {
        /// Compute dies in the package.
        package_dies: integer "1" [0.0, 1000.0], default 1.0, typical [1.0, 16.0], Definition "one compute die";
        /// Test of one die.
        die_test_usd: number "USD" [0.0, 1e6], default NONE, typical [5.0, 50.0], Judgement "small beside the die";
        /// Share of bad dies that the die test finds.
        die_test_coverage: number "1" [0.0, 1.0], default 0.99, typical [0.9, 1.0], Estimate "CATCH 2025";
        /// Memory stacks in the package.
        package_memory_stacks: integer "1" [0.0, 1000.0], default NONE, typical [0.0, 16.0], Definition "property of the package";
        /// Bytes of one memory stack.
        package_memory_bytes_per_stack: number "bytes" [0.0, 1e15], default NONE, typical [16e9, 64e9], VendorClaim "memory generation";
        /// Price of memory per 10^9 bytes.
        memory_usd_per_gb: number "USD/GB" [0.0, 1e6], default NONE, typical [8.0, 20.0], Estimate "memory generation";
        /// Share of memory stacks that are good when they arrive.
        memory_quality: number "1" [0.0, 1.0], default 0.999, typical [0.99, 1.0], Judgement "tested by the maker";
        /// Price of the interposer and its assembly service.
        package_interposer_usd: number "USD" [0.0, 1e7], default NONE, typical [200.0, 1500.0], Estimate "Epoch AI 2026: 1,100 for package and substrate of B200";
        /// Share of interposers that are good.
        package_interposer_yield: number "1" [0.01, 1.0], default 0.98, typical [0.95, 0.99], VendorClaim "TSMC 2026: above 98 %";
        /// Price of the substrate.
        package_substrate_usd: number "USD" [0.0, 1e7], default NONE, typical [50.0, 400.0], Estimate "property of the package";
        /// Assembly of one package.
        package_assembly_usd: number "USD" [0.0, 1e7], default NONE, typical [100.0, 600.0], Estimate "property of the package";
        /// Test, module and other parts of one package.
        package_test_usd: number "USD" [0.0, 1e7], default NONE, typical [200.0, 1000.0], Estimate "Epoch AI 2026: 480 for B200";
        /// Share of packages that survive the rest of assembly.
        package_yield: number "1" [0.01, 1.0], default 0.97, typical [0.85, 0.99], Estimate "TSMC 2026 above 98 %; early B200 about 85 %";
        /// Share of bonds that hold, per die.
        package_bond_yield: number "1" [0.01, 1.0], default 0.995, typical [0.95, 0.999], Estimate "Chiplet Actuary 0.95; above 0.99 in 2026";
        /// Share of bad packages that the package test finds.
        package_test_coverage: number "1" [0.0, 1.0], default 0.995, typical [0.9, 1.0], Estimate "CATCH 2025";
        /// Partner's gross margin on silicon, package and their losses.
        partner_margin_share: number "1" [0.0, 0.95], default NONE, typical [0.0, 0.67], Estimate "Broadcom semiconductors about 67 %, Marvell 60 %; custom chips 45-55 %";
        /// Partner's gross margin on memory: 0 where it is passed through.
        partner_memory_margin_share: number "1" [0.0, 0.95], default NONE, typical [0.0, 0.55], Judgement "property of the contract";
        /// Royalty per unit.
        partner_royalty_usd: number "USD" [0.0, HUGE], default 0.0, typical [0.0, 500.0], Definition "no royalty unless agreed";
    }
    choices {
        /// Whether dies are committed before the interposer is made.
        package_chip_first: bool = false, "CoWoS is chip-last";
    }
    reads { die_cost_usd die_sellable_yield }
    outputs {
        /// Cost of one die that passed its test.
        die_known_good_usd: "USD" [0.0, HUGE];
        /// Price of the memory in one package.
        asic_memory_usd: "USD" [0.0, HUGE];
        /// Bill of materials of one package, before losses at its test.
        asic_bom_usd: "USD" [0.0, HUGE];
        /// Share of packages that pass their test.
        package_pass_share: "1" [0.0, 1.0];
        /// Cost of packages that fail, per package that passes.
        asic_package_loss_usd: "USD" [0.0, HUGE];
        /// Cost of one finished accelerator.
        asic_unit_cost_usd: "USD" [0.0, HUGE];
        /// Price the partner charges for it.
        asic_unit_price_usd: "USD" [0.0, HUGE];
    }
    summaries {}
    statuses {}
    equations(x, given) {
        let die_pass_share = (-x.die_test_coverage + 1.0) + x.die_sellable_yield * x.die_test_coverage;
        let tests_something = N::zero().lt(die_pass_share);
        let die_pass_share = N::select(tests_something, die_pass_share, N::of(f64::NAN));
        let untested_die_usd = x.die_cost_usd * x.die_sellable_yield;
        let die_known_good_usd = given.die_known_good_usd((untested_die_usd + x.die_test_usd) / die_pass_share);
        let good_when_passed = x.die_sellable_yield / die_pass_share;

        let memory_gb = x.package_memory_stacks * x.package_memory_bytes_per_stack / BYTES_PER_GB;
        let asic_memory_usd = given.asic_memory_usd(memory_gb * x.memory_usd_per_gb);
        let parts_usd = x.package_dies * die_known_good_usd
            + asic_memory_usd
            + x.package_interposer_usd / x.package_interposer_yield
            + x.package_substrate_usd
            + x.package_assembly_usd
            + x.package_test_usd;
        let asic_bom_usd = given.asic_bom_usd(if x.package_chip_first {
            parts_usd / (x.package_interposer_yield * x.package_bond_yield.whole_pow(x.package_dies))
        } else {
            parts_usd
        });

        let package_good = (good_when_passed * x.package_bond_yield).whole_pow(x.package_dies)
            * x.memory_quality.whole_pow(x.package_memory_stacks)
            * x.package_yield;
        let package_pass_share = given.package_pass_share((-x.package_test_coverage + 1.0) + package_good * x.package_test_coverage);
        let some_pass = N::zero().lt(package_pass_share);
        let failed_per_passed = (-package_pass_share + 1.0) / N::select(some_pass, package_pass_share, N::of(f64::NAN));
        let asic_package_loss_usd = given.asic_package_loss_usd(asic_bom_usd * failed_per_passed);
        let asic_unit_cost_usd = given.asic_unit_cost_usd(asic_bom_usd + asic_package_loss_usd);

        let silicon_usd = asic_unit_cost_usd - asic_memory_usd;
        let asic_unit_price_usd = given.asic_unit_price_usd(
            silicon_usd / (-x.partner_margin_share + 1.0)
                + asic_memory_usd / (-x.partner_memory_margin_share + 1.0)
                + x.partner_royalty_usd,
        );
        Outputs {
            die_known_good_usd, asic_memory_usd, asic_bom_usd, package_pass_share, asic_package_loss_usd,
            asic_unit_cost_usd, asic_unit_price_usd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Package;
    use crate::trial::{Case, check_derivatives, evaluate, with};

    const PACKAGE: [(&str, f64); 14] = [
        ("die_cost_usd", 300.0),
        ("die_sellable_yield", 0.8),
        ("package_dies", 2.0),
        ("die_test_usd", 10.0),
        ("package_memory_stacks", 8.0),
        ("package_memory_bytes_per_stack", 24e9),
        ("memory_usd_per_gb", 12.5),
        ("package_interposer_usd", 490.0),
        ("package_substrate_usd", 100.0),
        ("package_assembly_usd", 150.0),
        ("package_test_usd", 250.0),
        ("partner_margin_share", 0.5),
        ("partner_memory_margin_share", 0.2),
        ("partner_royalty_usd", 5.0),
    ];
    /// Nothing fails and every test sees everything.
    const PERFECT: [(&str, f64); 7] = [
        ("die_sellable_yield", 1.0),
        ("memory_quality", 1.0),
        ("package_interposer_yield", 1.0),
        ("package_yield", 1.0),
        ("package_bond_yield", 1.0),
        ("package_test_coverage", 1.0),
        ("die_test_coverage", 1.0),
    ];

    #[test]
    fn without_losses_a_package_is_its_parts() {
        // 2 · (300 + 10) + 8 · 24 · 12.5 + 490 + 100 + 150 + 250 = 620 + 2400 + 990 = 4010.
        // Price: (4010 - 2400) / 0.5 + 2400 / 0.8 + 5 = 3220 + 3000 + 5 = 6225.
        let answers = evaluate::<Package>(&with(&PACKAGE, &PERFECT), &[]);
        assert_eq!(answers["asic_memory_usd"], 2400.0);
        assert_eq!(answers["asic_unit_cost_usd"], 4010.0);
        assert_eq!(answers["asic_package_loss_usd"], 0.0);
        assert_eq!(answers["asic_unit_price_usd"], 6225.0);
        let first = evaluate::<Package>(&with(&PACKAGE, &PERFECT), &[("package_chip_first", "true")]);
        assert_eq!(first["asic_unit_cost_usd"], 4010.0);
    }

    #[test]
    fn losses_by_hand() {
        // Yt = 1 - 0.2 · 0.99 = 0.802; known good (300 · 0.8 + 10) / 0.802 = 311.721; escapes 0.8 / 0.802 = 0.997506.
        // Bill 623.441 + 2400 + 490 / 0.98 + 500 = 4023.441. Ya = 0.997506² · 0.999⁸ · 0.995² · 0.97 = 0.947923;
        // pass 1 - 0.052077 · 0.995 = 0.948183; unit cost 4023.441 / 0.948183 = 4243.32.
        let answers = evaluate::<Package>(&PACKAGE, &[]);
        let near =
            |name: &str, wanted: f64| assert!((answers[name] / wanted - 1.0).abs() < 1e-5, "{name}: {}", answers[name]);
        near("die_known_good_usd", 311.721);
        near("asic_bom_usd", 4023.441);
        near("package_pass_share", 0.948_183);
        near("asic_unit_cost_usd", 4243.32);
    }

    #[test]
    fn twice_all_prices_is_twice_the_cost() {
        let usd = |name: &str| name.contains("usd");
        let twice: Vec<_> = PACKAGE.iter().map(|(n, v)| (*n, if usd(n) { v * 2.0 } else { *v })).collect();
        for chip_first in ["false", "true"] {
            let choices = [("package_chip_first", chip_first)];
            let (once, twice) = (evaluate::<Package>(&PACKAGE, &choices), evaluate::<Package>(&twice, &choices));
            assert_eq!(twice["asic_unit_price_usd"], once["asic_unit_price_usd"] * 2.0);
            assert_eq!(twice["package_pass_share"], once["package_pass_share"]);
        }
    }

    #[test]
    fn every_yield_that_falls_costs() {
        let cost = |changes: &[(&str, f64)], first| {
            evaluate::<Package>(&with(&PACKAGE, changes), &[("package_chip_first", first)])["asic_unit_cost_usd"]
        };
        for first in ["false", "true"] {
            for name in [
                "die_sellable_yield",
                "memory_quality",
                "package_interposer_yield",
                "package_yield",
                "package_bond_yield",
            ] {
                // A die's price is per die that can be sold: the wafer's is in it.
                let lower = if name == "die_sellable_yield" {
                    [(name, 0.7), ("die_cost_usd", 300.0 * 0.8 / 0.7)]
                } else {
                    [(name, 0.9); 2]
                };
                assert!(cost(&lower, first) > cost(&[], first), "{name}");
            }
        }
        assert!(cost(&[], "true") > cost(&[], "false"));
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for chip_first in ["false", "true"] {
            check_derivatives::<Package>(
                Case { values: &PACKAGE, choices: &[("package_chip_first", chip_first)] },
                &[],
            );
        }
    }
}
