// Job "search": the cheapest of 12 layouts and 16 loads within limits.
#include "serving.hpp"

#define ROWS(X) CHIPS(X) X(serve_max_tpot_s)
JOB(search)

namespace {
constexpr double LAYOUTS[12][3] = {{1, 1, 1}, {2, 1, 1}, {4, 1, 1}, {8, 1, 1}, {16, 1, 1}, {2, 1, 2}, {4, 1, 4}, {8, 1, 8},
                                   {16, 1, 16}, {1, 8, 8}, {1, 16, 16}, {1, 32, 32}};
constexpr double LOADS[16] = {1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048};
}  // namespace

extern "C" void search(const Rows* rows, double* const* out, long count, const Fixed* fixed) {
    const Fixed& f = *fixed;
    double ln_untouched = std::log1p(-f.llm_expert_active_share);
    over_rows<12, 4>(rows, out, count, [&](const std::array<V, 12>& x) INLINE_LAMBDA {
        Load l = load(f, x.data());
        V best = -INFINITY, at = NAN, tensor = NAN, data = NAN, expert = NAN;
        for (auto [t, d, e] : LAYOUTS) {
            if (t * d > f.serve_max_chips) continue;
            Machine m = machine(f, t, d, e, l);
            Mask fits = m.most >= 1.0;
            if (stdx::none_of(fits)) continue;
            for (double concurrency : LOADS) {
                Outcome o = outcome(f, ln_untouched, m, l, concurrency);
                Mask kept = fits && o.tpot_s <= x[11] && o.ttft_s <= f.serve_max_ttft_s && o.tokens > best;
                best = select(kept, o.tokens, best);
                at = select(kept, V(concurrency), at);
                tensor = select(kept, V(t), tensor), data = select(kept, V(d), data), expert = select(kept, V(e), expert);
            }
        }
        return std::array<V, 4>{at, tensor, data, expert};
    });
}
