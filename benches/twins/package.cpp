// Job "package": die and package, rows in lanes.
#include "die.hpp"
#include "lanes.hpp"
#include "names.hpp"

#define ROWS(X) X(die_width_mm) X(die_height_mm) X(wafer_price_usd) X(die_defect_density_per_cm2) X(die_cluster_alpha) \
    X(die_systematic_yield) X(die_test_usd) X(memory_usd_per_gb) X(package_interposer_usd) X(package_substrate_usd) \
    X(package_assembly_usd) X(package_yield) X(partner_margin_share)
#define FIXED(X) X(die_scribe_mm) X(wafer_diameter_mm) X(wafer_edge_mm) X(die_critical_area_ratio) X(package_dies) \
    X(package_memory_stacks) X(package_memory_bytes_per_stack) X(package_interposer_yield) X(package_test_usd) \
    X(package_bond_yield) X(die_test_coverage) X(package_test_coverage) X(memory_quality) X(partner_memory_margin_share) \
    X(partner_royalty_usd)
JOB(package)

extern "C" void package(const Rows* rows, double* const* out, long count, const Fixed* fixed) {
    const Fixed& f = *fixed;
    double usable = f.wafer_diameter_mm - 2 * f.wafer_edge_mm;
    double bonds_hold = std::pow(f.package_bond_yield, f.package_dies);
    double stacks_hold = std::pow(f.memory_quality, f.package_memory_stacks);
    over_rows<13, 4>(rows, out, count, [&](const std::array<V, 13>& x) INLINE_LAMBDA {
        auto [width, height, wafer_usd, density, alpha, systematic, die_test_usd, memory_usd_per_gb, interposer_usd,
              substrate_usd, assembly_usd, package_yield, margin] = x;
        V gross = gross_per_wafer(width, height, f.die_scribe_mm, usable);
        V yield = perfect_share(width * height * (0.01 * f.die_critical_area_ratio) * density, alpha) * systematic;
        V die_usd = wafer_usd / (gross * yield);
        Bill<V> bill{f.package_dies, f.package_memory_stacks, f.package_memory_bytes_per_stack, interposer_usd,
                     f.package_interposer_yield, substrate_usd, assembly_usd, f.package_test_usd, package_yield,
                     f.package_bond_yield, die_test_usd, f.die_test_coverage, f.package_test_coverage, f.memory_quality,
                     margin, f.partner_memory_margin_share, f.partner_royalty_usd};
        Price price = packaged(die_usd, yield, memory_usd_per_gb, bonds_hold * package_yield, stacks_hold, int(f.package_dies), bill);
        return std::array<V, 4>{yield, die_usd, price.pass_share, price.unit_usd};
    });
}
