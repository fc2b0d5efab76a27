// Job "chain": programme, die, package and build over 120 months, by hand. Rows in lanes, structure of arrays; blocks of rows
// are put in the order of planned months and respin, so that the rows of a register launch together. The equations and the
// cells of the launch law are those of src/models/build.rs; what no row changes is made once.
#include "die.hpp"
#include "names.hpp"
#include <algorithm>
#include <memory>

#define ROWS(X) X(build_units_per_year) X(build_merchant_decline_per_year) X(build_performance_ratio) X(wafer_price_usd) \
    X(die_defect_density_per_cm2) X(memory_usd_per_gb) X(programme_architecture_months) X(programme_rtl_months) \
    X(programme_physical_months) X(respin_months) X(programme_headcount) X(train_chip_hours)
#define FIXED(X) X(build_demand_growth_per_year) X(build_demand_half_life_months) X(build_demand_cap_units_per_year) \
    X(build_peak_units_per_year) X(build_addressable_share) X(chip_price_usd) X(build_asic_decline_per_year) \
    X(build_opex_saving_usd) X(build_ramp_months) X(build_life_months) X(build_obsolescence_per_year) \
    X(build_residual_share) X(discount_rate_per_year) X(die_width_mm) X(die_height_mm) X(die_cluster_alpha) \
    X(die_critical_area_ratio) X(die_units) X(die_spare_units) X(die_redundant_share) X(die_systematic_yield) \
    X(die_gross_per_wafer) X(package_dies) X(die_test_usd) X(die_test_coverage) X(package_test_coverage) \
    X(memory_quality) X(package_memory_stacks) X(package_memory_bytes_per_stack) X(package_interposer_usd) \
    X(package_substrate_usd) X(package_assembly_usd) X(package_test_usd) X(package_interposer_yield) X(package_yield) \
    X(package_bond_yield) X(partner_margin_share) X(partner_memory_margin_share) X(partner_royalty_usd) \
    X(programme_fab_months) X(programme_assembly_months) X(programme_bringup_months) X(programme_qualification_months) \
    X(design_speedup) X(design_compressible_share) X(first_silicon_probability) X(later_silicon_probability) \
    X(programme_overrun_shape) X(programme_overrun_months) X(programme_staff_usd_per_year) X(programme_eda_usd_per_year) \
    X(programme_ip_usd) X(programme_mask_usd) X(programme_bringup_usd) X(programme_software_usd) \
    X(programme_metal_respin_share) X(programme_metal_mask_share) X(train_chip_price_usd) X(train_server_overhead) \
    X(train_price_age_years) X(train_value_decline_oom_per_year) X(train_interconnect_share) X(train_chip_tdp_w) \
    X(train_server_power_ratio) X(train_power_utilization) X(train_pue) X(electricity_usd_per_kwh)
JOB(chain)

namespace {
constexpr int HORIZON = 120, MOST_RESPINS = 59, BLOCK = 4096;
constexpr double NEGLIGIBLE = 1e-12;

// What no row changes.
struct Shared {
    double growth[HORIZON], decay[HORIZON], discount[HORIZON], own_price[HORIZON], beginning[HORIZON + 1], within[6];
    double monthly_loss, loss_per_month, rate, squeeze, after_tapeout, lead, horizon_discount, whole_burn;
    double per_month, over_a_month, mean_overrun, respin_usd, fixed_usd, launch_usd, usd_per_hour;
    int ramp_whole, life_whole, shape;
    double ramp_rest, life_rest, by_ramp, at_once, at_end;
    Rescue rescue;
    Bill<V> bill;
    double wholes_yield, stacks_hold, defects_per_density;

    explicit Shared(const Fixed& f, double most_density)
        : rescue(f.die_cluster_alpha, f.die_units, f.die_spare_units, f.die_redundant_share,
                 f.die_width_mm * f.die_height_mm / 100 * most_density * f.die_critical_area_ratio) {
        rate = std::log1p(f.discount_rate_per_year) / 12;
        for (int k = 0; k < HORIZON; k++) {
            double t = (k + 0.5) / 12;
            growth[k] = std::pow(1 + f.build_demand_growth_per_year, t);
            decay[k] = std::exp2(-(k + 0.5) / f.build_demand_half_life_months);
            discount[k] = std::pow(1 + f.discount_rate_per_year, -t) / 12;
            own_price[k] = std::pow(1 - f.build_asic_decline_per_year, t);
        }
        for (int k = 0; k <= HORIZON; k++) beginning[k] = std::exp(-rate * k);
        // e^(-rate f) within a month: Taylor's polynomial with its last two powers spread over the others (Chebyshev).
        const double seventh[7] = {1, -98, 1568, -9408, 26880, -39424, 28672}, sixth[6] = {-1, 72, -840, 3584, -6912, 6144};
        double term[8] = {1};
        for (int k = 1; k < 8; k++) term[k] = -term[k - 1] * rate / k;
        for (int k = 0; k < 6; k++)
            within[k] = term[k] + term[7] * (seventh[k] / 8192) + (term[6] + term[7] * (seventh[6] / 8192)) * (sixth[k] / 2048);
        loss_per_month = f.build_obsolescence_per_year / 12;
        monthly_loss = std::exp(-loss_per_month);
        squeeze = 1 - f.design_compressible_share + f.design_compressible_share / f.design_speedup;
        after_tapeout = f.programme_fab_months + f.programme_assembly_months + f.programme_bringup_months + f.programme_qualification_months;
        lead = std::exp(rate * after_tapeout);
        horizon_discount = std::exp(-rate * HORIZON);
        whole_burn = -std::expm1(-rate * HORIZON) / rate;
        bool overruns = f.programme_overrun_months > 0;
        shape = overruns ? int(f.programme_overrun_shape) : 0;
        per_month = overruns ? 1 / f.programme_overrun_months : 1;
        over_a_month = std::exp(-std::min(per_month, 700.0));
        mean_overrun = shape * f.programme_overrun_months;
        double metal = f.programme_metal_respin_share;
        respin_usd = f.programme_mask_usd * (metal * f.programme_metal_mask_share - metal + 1);
        fixed_usd = f.programme_ip_usd;
        launch_usd = f.programme_software_usd + f.programme_bringup_usd;
        double ramp = f.build_ramp_months, life = f.build_life_months, reached = std::min(ramp, life);
        ramp_whole = int(reached), life_whole = int(life);
        ramp_rest = reached - ramp_whole, life_rest = life - life_whole;
        by_ramp = ramp > 0 ? 1 / ramp : 0, at_once = ramp > 0 ? 0 : 1, at_end = ramp > 0 ? reached / ramp : 1;
        double k = f.train_value_decline_oom_per_year * M_LN10;
        double hardware = f.train_chip_price_usd * f.train_server_overhead * std::exp(-k * f.train_price_age_years) * k / 8766;
        usd_per_hour = hardware / (1 - f.train_interconnect_share) + f.train_chip_tdp_w / 1000 * f.train_server_power_ratio *
                       f.train_power_utilization * f.train_pue * f.electricity_usd_per_kwh;
        bill = {f.package_dies, f.package_memory_stacks, f.package_memory_bytes_per_stack, f.package_interposer_usd,
                f.package_interposer_yield, f.package_substrate_usd, f.package_assembly_usd, f.package_test_usd, f.package_yield,
                f.package_bond_yield, f.die_test_usd, f.die_test_coverage, f.package_test_coverage, f.memory_quality,
                f.partner_margin_share, f.partner_memory_margin_share, f.partner_royalty_usd};
        wholes_yield = std::pow(f.package_bond_yield, f.package_dies) * f.package_yield;
        stacks_hold = std::pow(f.memory_quality, f.package_memory_stacks);
        defects_per_density = f.die_width_mm * f.die_height_mm / 100 * f.die_critical_area_ratio;
    }
};

struct Piece { V value, slope, curve, ramp_bend, life_bend; };

struct Tables { V flow[2 * HORIZON + 1300]; Piece pieces[HORIZON]; };

struct Answer { V npv, sd; };

// Saving of each month of launch: the flow, its sums from the horizon back, and their pieces.
INLINE void savings(const Fixed& f, const Shared& s, Tables& t, V units, V decline, V ratio, V own_usd, V freeze) {
    V half = exp_(log1p_(-decline) * (0.5 / 12));
    V price = ratio * f.chip_price_usd * half, fall = half * half;
    V middle = freeze - 0.5;
    V to_middle = select(middle < 0.0, -middle, stdx::floor(middle) + 1.0 - middle);
    V first_loss = exp_(-(s.loss_per_month * to_middle)), fresh = 1.0;
    double left = 1 - f.build_residual_share;
    for (int k = 0; k < HORIZON; k++) {
        V demand = stdx::min(units * s.growth[k], V(f.build_demand_cap_units_per_year)) * s.decay[k];
        V bought = stdx::min(f.build_addressable_share * demand, V(f.build_peak_units_per_year));
        V saved = positive(price - own_usd * s.own_price[k] + f.build_opex_saving_usd);
        V since = (k + 0.5) - freeze;
        fresh = select(since <= 1.0, first_loss, fresh * s.monthly_loss);
        fresh = select(since <= 0.0, V(1.0), fresh);
        t.flow[k] = bought * saved * ((f.build_residual_share + left * fresh) * s.discount[k]);
        price = price * fall;
    }
    V a = 0.0, b = 0.0, ramp_a = 0.0, ramp_b = 0.0, life_a = 0.0, ramp_v = 0.0, life_v = 0.0;
    for (int k = HORIZON; k-- > 0;) {
        V v = t.flow[k], after_ramp = ramp_v, after_life = life_v;
        ramp_v = t.flow[k + s.ramp_whole], life_v = t.flow[k + s.life_whole];
        V later = a;
        a = a + v, b = b + (later + a) * 0.5;
        later = ramp_a;
        ramp_a = ramp_a + ramp_v, ramp_b = ramp_b + (later + ramp_a) * 0.5;
        life_a = life_a + life_v;
        double r = s.ramp_rest;
        t.pieces[k] = {
            s.by_ramp * ((b - ramp_b) + r * (ramp_a - r * ramp_v * 0.5)) + s.at_once * a - s.at_end * (life_a - s.life_rest * life_v),
            s.by_ramp * (ramp_a - a - r * ramp_v) - s.at_once * v + s.at_end * life_v,
            s.by_ramp * (v - ramp_v) * 0.5,
            s.by_ramp * (ramp_v - after_ramp) * 0.5,
            s.at_end * (after_life - life_v),
        };
    }
}

// Mean and spread over the cells of the launch law, one for each number of respins and month.
// SHAPE -1 is any shape of the overrun; without BENDS ramp and life are whole months.
template <int SHAPE, bool BENDS>
INLINE Answer over_launches(const Fixed& f, const Shared& s, const Tables& t, V planned, V respin, V burn) {
    int shape = SHAPE >= 0 ? SHAPE : s.shape;
    V tapeout = planned - s.after_tapeout;
    V burn_at_rate = burn / s.rate;
    V grow = exp_(s.rate * respin), shrink = 1.0 / grow, tapeout_discount = exp_(-(s.rate * tapeout));
    V lead = s.lead, shrunk = 1.0, respins_discounted = 0.0;
    V all = 0.0, first_moment = 0.0, second_moment = 0.0, origin = 0.0;
    bool anything = false;
    double at_least = 1;
    for (int n = 0; n <= MOST_RESPINS; n++) {
        if (n > 1 && at_least < NEGLIGIBLE) break;
        double good = n == 0 ? f.first_silicon_probability : f.later_silicon_probability;
        double probability = n == MOST_RESPINS ? at_least : at_least * good;
        at_least *= 1 - good;
        V starts = planned + respin * n;
        Mask begins = starts < double(HORIZON);
        if (n > 0) {
            lead = select(begins, lead * grow, lead);
            shrunk = shrunk * shrink;
            respins_discounted = respins_discounted + select(respin * n <= HORIZON - tapeout, shrunk, V(0.0));
        }
        V tapeout_usd = f.programme_mask_usd + s.respin_usd * respins_discounted;
        V constant = s.fixed_usd + burn_at_rate, in_discount = tapeout_usd * lead + s.launch_usd - burn_at_rate;
        Mask taped_out = tapeout < select(begins, starts, V(double(HORIZON)));
        V never = s.fixed_usd + burn * s.whole_burn +
                  select(taped_out, tapeout_usd * select(begins, s.horizon_discount * lead, tapeout_discount), V(0.0));
        all = all + probability;

        double negligible = probability > 0 ? NEGLIGIBLE / probability : INFINITY;
        int month = std::min(std::max(int(stdx::hmin(starts)), 0), HORIZON);
        V survival = 1.0, survival_next = 1.0, e = 1.0;
        V to = (month + 1.0) - starts;
        auto step = [&](V e_after, V z) INLINE_LAMBDA {
            e = e_after;
            V term = e, sum = 0.0;
            for (int i = 1; i <= shape; i++) sum = sum + term, term = term * (z * (1.0 / i));
            return std::pair<V, V>(sum, sum + term);
        };
        auto cell = [&](V after, V after_next) INLINE_LAMBDA {
            V share = survival - after;
            V mean = s.mean_overrun * (survival_next - after_next) / select(share > 0.0, share, V(1.0));
            V offset = stdx::min(positive(mean + (1.0 - to)), V(1.0));
            survival = after, survival_next = after_next;
            const Piece& p = t.pieces[month];
            V saved = p.value + offset * (p.slope + offset * p.curve);
            if constexpr (BENDS) {
                V past_ramp = positive(offset + (s.ramp_rest - 1)), past_life = positive(offset + (s.life_rest - 1));
                saved = saved + p.ramp_bend * past_ramp * past_ramp + p.life_bend * past_life;
            }
            const double* w = s.within;
            V square = offset * offset;
            V discount = s.beginning[month] * ((w[0] + w[1] * offset) + square * ((w[2] + w[3] * offset) + square * (w[4] + w[5] * offset)));
            V value = saved - (constant + in_discount * discount);
            if (!anything) origin = value, anything = true;
            V deviation = value - origin, weighted = probability * share * deviation;
            first_moment = first_moment + weighted;
            second_moment = second_moment + weighted * deviation;
        };
        V to_edge = stdx::floor(starts) + 1.0 - starts;
        V first_e = exp_(-(to_edge * s.per_month));
        // Until the branch has begun on all rows, then without looking.
        for (; month < HORIZON; month++, to = to + 1.0) {
            Mask begun = to > 0.0;
            V z = positive(to) * s.per_month;
            auto [sum, next] = step(select(begun, select(to <= 1.0, first_e, e * s.over_a_month), V(1.0)), z);
            Mask over = sum < negligible;
            cell(select(begun, select(over, V(0.0), sum), V(1.0)), select(begun, select(over, V(0.0), next), V(1.0)));
            if (stdx::all_of(begun)) { month++, to = to + 1.0; break; }
        }
        for (; month < HORIZON && stdx::any_of(survival > 0.0); month++, to = to + 1.0) {
            auto [sum, next] = step(e * s.over_a_month, to * s.per_month);
            Mask over = sum < negligible;
            cell(select(over, V(0.0), sum), select(over, V(0.0), next));
        }
        if (!anything) origin = -never, anything = true;
        V deviation = -never - origin, weighted = probability * survival * deviation;
        first_moment = first_moment + weighted;
        second_moment = second_moment + weighted * deviation;
    }
    V npv = origin * all + first_moment;
    return {npv, stdx::sqrt(positive(second_moment - first_moment * first_moment / all))};
}

struct Block { double in[12][BLOCK], out[3][BLOCK]; int order[BLOCK]; };
}  // namespace

extern "C" void chain(const Rows* rows, double* const* out, long count, const Fixed* fixed) {
    const Fixed& f = *fixed;
    double most_density = 0;
    for (long i = 0; i < count; i++) most_density = std::max(most_density, rows->die_defect_density_per_cm2[i]);
    Shared s(f, most_density);
    bool usual = s.shape == 2 && s.ramp_rest == 0 && s.life_rest == 0;
    auto tables = std::make_unique<Tables>();
    auto block = std::make_unique<Block>();
    Tables& t = *tables;
    Block& b = *block;
    std::fill(std::begin(t.flow), std::end(t.flow), V(0.0));
    const double* const* columns = reinterpret_cast<const double* const*>(rows);
    for (long start = 0; start < count; start += BLOCK) {
        int n = int(std::min<long>(BLOCK, count - start)), padded = (n + LANES - 1) / LANES * LANES;
        const double* planned = rows->programme_architecture_months + start;
        const double *rtl = rows->programme_rtl_months + start, *physical = rows->programme_physical_months + start;
        const double* respin = rows->respin_months + start;
        // Strips by respin, then by planned months within each.
        for (int i = 0; i < n; i++) b.order[i] = i;
        int strips = std::max(1, int(std::sqrt(n / LANES))), length = (n + strips - 1) / strips;
        std::sort(b.order, b.order + n, [&](int i, int j) { return respin[i] < respin[j]; });
        for (int from = 0; from < n; from += length)
            std::sort(b.order + from, b.order + std::min(n, from + length),
                      [&](int i, int j) { return planned[i] + rtl[i] + physical[i] < planned[j] + rtl[j] + physical[j]; });
        for (int c = 0; c < 12; c++)
            for (int i = 0; i < padded; i++) b.in[c][i] = columns[c][start + b.order[std::min(i, n - 1)]];
        for (int i = 0; i < padded; i += LANES) {
            auto in = [&](int c) { return V(&b.in[c][i], stdx::element_aligned); };
            V freeze = in(6) * s.squeeze, planned = (in(6) + in(7) + in(8)) * s.squeeze + s.after_tapeout;
            V defects = in(4) * s.defects_per_density;
            V perfect = perfect_share(defects, f.die_cluster_alpha);
            V sellable = stdx::min(perfect * f.die_systematic_yield + s.rescue.share(defects) * f.die_systematic_yield, V(1.0));
            V die_usd = in(3) / (f.die_gross_per_wafer * sellable);
            Price price = packaged(die_usd, sellable, in(5), s.wholes_yield, s.stacks_hold, int(f.package_dies), s.bill);
            savings(f, s, t, in(0), in(1), in(2), price.unit_usd, freeze);
            V burn = in(10) * ((f.programme_staff_usd_per_year + f.programme_eda_usd_per_year) / 12);
            Answer answer = usual ? over_launches<2, false>(f, s, t, planned, in(9), burn)
                                  : over_launches<-1, true>(f, s, t, planned, in(9), burn);
            answer.npv.copy_to(&b.out[0][i], stdx::element_aligned);
            answer.sd.copy_to(&b.out[1][i], stdx::element_aligned);
            (in(11) * s.usd_per_hour).copy_to(&b.out[2][i], stdx::element_aligned);
        }
        for (int i = 0; i < n; i++) {
            long row = start + b.order[i];
            for (int c = 0; c < 3; c++) out[c][row] = b.out[c][i];
            out[3][row] = b.out[0][i] > 0;
        }
    }
}
