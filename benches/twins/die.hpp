// Dies, their yield, spare units, and the package: de Vries' count, negative binomial yield.
#pragma once
#include "simd.hpp"
#include <cmath>
#include <vector>

// What spare units rescue: the mean over a gamma law of mean 1 and shape alpha of e^-lx sum_j C(n,j) (e^u - 1)^j, by the
// trapezoid rule of src/defects.rs. Shape and units are the same on all rows, so that points and weights are made once.
struct Rescue {
    std::vector<double> x, weight, choose;
    double on_unit = 0;
    size_t few = 0;

    Rescue(double alpha, double units, double spare, double redundant_share, double most_defects) {
        if (spare < 1) return;
        const double DEPTH = 40, LN_DEPTH = 3.688879454113936, power = alpha + 1;
        double spread = std::sqrt(2 * DEPTH / power);
        double low = -std::min(DEPTH / power + spread, LN_DEPTH);
        double high = std::min(spread, std::log(DEPTH / power + 1) + 1.5) + 0.5 / power;
        double steep = std::sqrt(spare * 0.02 + 1) * std::pow(most_defects * redundant_share * 0.01 + 1, 0.25);
        int count = int((70 / std::pow(alpha, 0.25) + 24) * steep);
        double step = (high - low) / (count - 1);
        double whole = std::exp(std::lgamma(power) + power - power * std::log(power)) * power / alpha;
        for (int i = 0; i < count; i++) {
            double t = low + step * i, pull = std::exp(-t) / power, z = t - pull, grown = std::exp(z);
            x.push_back(power / alpha * grown);
            weight.push_back((pull + 1) * std::exp(power * (z - grown + 1) - z) * step / whole);
        }
        double c = 1;
        for (int j = 1; j <= int(std::min(spare, units)); j++) choose.push_back(c *= (units - j + 1) / j);
        on_unit = redundant_share / units;
        while (few < x.size() && x[few] * on_unit * most_defects < 0.125) few++;
    }

    INLINE V share(V defects) const {
        V total = 0.0;
        size_t i = 0;
        // Where few defects fall on one unit, e^u - 1 by its series.
        for (; i < few; i++) {
            V u = defects * (x[i] * on_unit);
            V high = 1.0 / 24 + u * (1.0 / 120 + u * (1.0 / 720 + u * (1.0 / 5040 + u * (1.0 / 40320))));
            total = total + term(i, u * (1.0 + u * (0.5 + u * (1.0 / 6 + u * high))), defects);
        }
        for (; i < x.size(); i++) total = total + term(i, exp_(defects * (x[i] * on_unit)) - 1.0, defects);
        return total;
    }
    INLINE V term(size_t i, V odds, V defects) const {
        V sum = choose.back();
        for (size_t j = choose.size() - 1; j-- > 0;) sum = sum * odds + choose[j];
        return sum * odds * weight[i] * exp_(-(defects * x[i]));
    }
};

struct DieParts { V yield, sellable, cost_usd; };

INLINE V gross_per_wafer(V width, V height, double scribe, double usable_mm) {
    V cell = (width + scribe) * (height + scribe);
    V radius = positive(usable_mm * 0.5 - stdx::sqrt(cell) * 0.5);
    return radius * radius * M_PI / cell;
}

// (1 + l/alpha)^-alpha.
INLINE V perfect_share(V defects, V alpha) { return exp_(-(alpha * log1p_(defects / alpha))); }

template <class T> struct Bill {
    T dies, stacks, memory_bytes, interposer_usd, interposer_yield, substrate_usd, assembly_usd, test_usd, yield, bond_yield;
    T die_test_usd, die_coverage, coverage, quality, margin, memory_margin, royalty_usd;
};

struct Price { V unit_usd, pass_share; };

INLINE Price packaged(V die_usd, V sellable, V memory_usd_per_gb, V wholes_yield, V stacks_hold, int dies, const Bill<V>& p) {
    V die_pass = (1.0 - p.die_coverage) + sellable * p.die_coverage;
    V known_good = (die_usd * sellable + p.die_test_usd) / die_pass;
    V memory_usd = p.stacks * p.memory_bytes / 1e9 * memory_usd_per_gb;
    V bill = p.dies * known_good + memory_usd + p.interposer_usd / p.interposer_yield + p.substrate_usd + p.assembly_usd + p.test_usd;
    V good = power(sellable / die_pass, dies) * stacks_hold * wholes_yield;
    V pass = (1.0 - p.coverage) + good * p.coverage;
    V unit = bill / pass;
    return {(unit - memory_usd) / (1.0 - p.margin) + memory_usd / (1.0 - p.memory_margin) + p.royalty_usd, pass};
}
