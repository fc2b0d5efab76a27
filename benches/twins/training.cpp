// Job "training": the closed form, rows in lanes.
#include "lanes.hpp"
#include "names.hpp"
#include <cmath>

#define ROWS(X) X(train_chip_hours) X(train_chip_price_usd) X(train_server_overhead) X(train_price_age_years) \
    X(train_value_decline_oom_per_year) X(train_interconnect_share) X(train_chip_tdp_w) X(train_server_power_ratio) \
    X(train_power_utilization) X(train_pue) X(electricity_usd_per_kwh) X(train_price_index_ratio)
#define FIXED(X)
JOB(training)

extern "C" void training(const Rows* rows, double* const* out, long count, const Fixed*) {
    over_rows<12, 2>(rows, out, count, [](const std::array<V, 12>& x) INLINE_LAMBDA {
        auto [hours, chip_usd, overhead, age, decline, network, tdp_w, server_ratio, load, pue, usd_per_kwh, index] = x;
        V rate = decline * M_LN10;
        V hardware = chip_usd * overhead * exp_(-(rate * age)) * rate * (1 / 8766.0) * hours;
        V energy = tdp_w * 1e-3 * server_ratio * load * pue * hours * usd_per_kwh;
        V cost = hardware / (1.0 - network) + energy;
        return std::array<V, 2>{cost, cost * index};
    });
}
