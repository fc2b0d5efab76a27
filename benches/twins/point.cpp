// Job "point": one layout and load.
#include "serving.hpp"

#define ROWS(X) CHIPS(X) X(serve_concurrency)
JOB(point)

extern "C" void point(const Rows* rows, double* const* out, long count, const Fixed* fixed) {
    const Fixed& f = *fixed;
    double ln_untouched = std::log1p(-f.llm_expert_active_share);
    over_rows<12, 3>(rows, out, count, [&](const std::array<V, 12>& x) INLINE_LAMBDA {
        Load l = load(f, x.data());
        Machine m = machine(f, f.serve_tensor_parallel, f.serve_data_parallel, f.serve_expert_parallel, l);
        Outcome o = outcome(f, ln_untouched, m, l, x[11]);
        Mask fits = m.most >= 1.0;
        return std::array<V, 3>{select(fits, o.tpot_s, V(NAN)), select(fits, o.ttft_s, V(NAN)), select(fits, o.tokens, V(NAN))};
    });
}
