// A loop over rows, a register of them at a time; what is left over at the end goes through a padded register.
#pragma once
#include "simd.hpp"
#include <array>

template <int IN, int OUT, class F> void over_rows(const void* columns, double* const* out, long count, F function) {
    const double* const* in = static_cast<const double* const*>(columns);
    long whole = count / LANES * LANES;
    std::array<V, IN> x;
    for (long i = 0; i < whole; i += LANES) {
        for (int c = 0; c < IN; c++) x[c] = V(in[c] + i, stdx::element_aligned);
        std::array<V, OUT> y = function(x);
        for (int c = 0; c < OUT; c++) y[c].copy_to(out[c] + i, stdx::element_aligned);
    }
    if (whole == count) return;
    for (int c = 0; c < IN; c++) x[c] = V([&](int l) { return in[c][std::min(whole + l, count - 1)]; });
    std::array<V, OUT> y = function(x);
    for (int c = 0; c < OUT; c++)
        for (long i = whole; i < count; i++) out[c][i] = y[c][int(i - whole)];
}
