// The scan over random cells and options: every instruction set gives the same numbers to rounding, every number of
// threads the same bits, and no byte outside the arrays is touched (they are of the exact size; run under sanitizers).
// That the numbers are right is tested from Python against the readable reference.
#include "seqloom/scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"
#include "drawn.h"
#include "seqloom/cpu.h"
#include "seqloom/workspace.h"

using namespace seqloom;
using namespace drawn;

namespace {

struct Problem {
    ScanSettings s{};
    bool has_mask = false, has_d = false;
    Floats x, h0, c0, w_x, w_h, bias, bias_h, peephole, gain_x, gain_h, gain_c, w_out, bias_out, d_x, d_h, dy;
    std::vector<std::uint8_t> mask;

    explicit Problem(unsigned seed, i64 hidden = 0) {
        std::mt19937 random(seed);
        auto below = [&](unsigned n) { return static_cast<i64>(random() % n); };
        auto flip = [&] { return random() % 2 == 0; };
        auto normal = [&](i64 n, float scale) { return drawn::normal(random, n, scale); };
        s.kind = static_cast<int>(below(4));
        const bool lstm = s.kind == 2;
        const bool gru = s.kind == 3;
        const bool jordan = s.kind == 1;
        s.activation = flip() ? 0 : static_cast<int>(below(10));
        s.gate_activation = flip() ? 1 : 8;
        s.output_activation = 1;
        s.reset_after = !gru || flip();
        s.coupled = lstm && flip();
        s.peephole = lstm && flip();
        s.layer_norm = !jordan && s.reset_after && flip();
        s.reverse = flip();
        s.training = flip();
        s.save = true;
        s.epsilon = 1e-3F;
        s.cell_clip = lstm && flip() ? 0.4 : 0.0;
        s.zoneout = jordan || flip() ? 0.0 : 0.2;
        s.zoneout_cell = lstm && flip() ? 0.3 : 0.0;
        s.candidate_dropout = (lstm || gru) && flip() ? 0.25 : 0.0;
        scan_key(seed, 3, 1, s.key);
        s.B = 1 + below(40);
        s.T = 1 + below(9);
        s.I = 1 + below(20);
        s.H = hidden > 0 ? hidden : 1 + below(40);
        s.has_out = jordan || (lstm && flip());
        s.S = s.has_out ? 1 + below(20) : s.H;
        const i64 gates = (lstm ? (s.coupled ? 3 : 4) : gru ? 3 : 1) * s.H;
        x = normal(s.B * s.T * s.I, 1.0F);
        h0 = normal(s.B * s.S, 0.5F);
        if (lstm) c0 = normal(s.B * s.H, 0.5F);
        w_x = normal(s.I * gates, 0.3F);
        w_h = normal(s.S * gates, 0.2F);
        if (flip()) bias = normal(gates, 0.3F);
        if (flip()) bias_h = normal(gates, 0.3F);
        if (s.peephole) peephole = normal((s.coupled ? 2 : 3) * s.H, 0.3F);
        if (s.layer_norm && flip()) gain_x = normal(gates, 1.0F);
        if (s.layer_norm && flip()) gain_h = normal(gates, 1.0F);
        if (s.layer_norm && lstm && flip()) gain_c = normal(s.H, 1.0F);
        if (s.has_out) w_out = normal(s.H * s.S, 0.3F);
        if (jordan && flip()) bias_out = normal(s.S, 0.3F);
        if (flip()) {
            mask.resize(count(s.B * s.T));
            for (auto& keep : mask) keep = random() % 4 != 0;
        }
        if (flip()) d_x = normal(s.B * s.I, 1.0F);
        if (flip()) d_h = normal(s.B * s.S, 1.0F);
        dy = normal(s.B * s.T * s.S, 1.0F);
    }
};

template <class Vector>
auto* or_null(Vector& v) {
    return v.empty() ? nullptr : v.data();
}

// Everything the two passes give, one array after the other.
std::vector<Floats> run(Problem& p, Isa isa, int threads) {
    use_isa(isa);
    const ScanSettings& s = p.s;
    Floats states(count(s.B * s.T * s.S)), h(count(s.B * s.S)), c(p.c0.size());
    Floats saved(count(s.B * s.T * scan_saved_row(s)));
    const ScanArrays a{p.x.data(),         p.h0.data(),       or_null(p.c0),     p.w_x.data(),   p.w_h.data(),    or_null(p.bias), or_null(p.bias_h),
                       or_null(p.peephole), or_null(p.gain_x), or_null(p.gain_h), or_null(p.gain_c), or_null(p.w_out), or_null(p.bias_out),
                       or_null(p.mask),     or_null(p.d_x),    or_null(p.d_h),    states.data(),  h.data(),        or_null(c),      or_null(saved)};
    scan_forward(s, a, threads);
    const std::vector<const Floats*> like{&p.x,        &p.h0,     &p.c0,     &p.w_x,    &p.w_h,   &p.bias,    &p.bias_h,
                                          &p.peephole, &p.gain_x, &p.gain_h, &p.gain_c, &p.w_out, &p.bias_out};
    std::vector<Floats> g;
    for (const Floats* one : like) g.emplace_back(one->size());
    const ScanGradients gradients{p.dy.data(),   h.data(),      or_null(c),    g[0].data(),   g[1].data(),   or_null(g[2]),  g[3].data(),   g[4].data(),
                                  or_null(g[5]), or_null(g[6]), or_null(g[7]), or_null(g[8]), or_null(g[9]), or_null(g[10]), or_null(g[11]), or_null(g[12])};
    scan_backward(s, a, gradients, threads);
    g.push_back(states);
    g.push_back(h);
    g.push_back(c);
    return g;
}

// The final states alone, with nothing saved: first with the outputs of all steps, then without.
bool inference_agrees(Problem& p, Isa isa, const std::vector<Floats>& whole) {
    use_isa(isa);
    ScanSettings s = p.s;
    s.save = false;
    for (const bool every : {true, false}) {
        Floats states(every ? count(s.B * s.T * s.S) : 0), h(count(s.B * s.S)), c(p.c0.size());
        const ScanArrays a{p.x.data(),         p.h0.data(),       or_null(p.c0),     p.w_x.data(),   p.w_h.data(),    or_null(p.bias), or_null(p.bias_h),
                           or_null(p.peephole), or_null(p.gain_x), or_null(p.gain_h), or_null(p.gain_c), or_null(p.w_out), or_null(p.bias_out),
                           or_null(p.mask),     or_null(p.d_x),    or_null(p.d_h),    or_null(states), h.data(),       or_null(c),      nullptr};
        scan_forward(s, a, 2);
        if ((every && states != whole[13]) || h != whole[14] || c != whole[15]) return false;
    }
    return true;
}

// One gradient asked for at a time, from one incoming gradient at a time: the same as when all are.
bool parts_agree(Problem& p, Isa isa) {
    use_isa(isa);
    const ScanSettings& s = p.s;
    Floats states(count(s.B * s.T * s.S)), h(count(s.B * s.S)), c(p.c0.size());
    Floats saved(count(s.B * s.T * scan_saved_row(s)));
    const ScanArrays a{p.x.data(),         p.h0.data(),       or_null(p.c0),     p.w_x.data(),   p.w_h.data(),    or_null(p.bias), or_null(p.bias_h),
                       or_null(p.peephole), or_null(p.gain_x), or_null(p.gain_h), or_null(p.gain_c), or_null(p.w_out), or_null(p.bias_out),
                       or_null(p.mask),     or_null(p.d_x),    or_null(p.d_h),    states.data(),  h.data(),        or_null(c),      or_null(saved)};
    scan_forward(s, a, 2);
    const std::vector<const Floats*> like{&p.x,        &p.w_x,    &p.w_h,    &p.bias,   &p.bias_h, &p.peephole,
                                          &p.gain_x, &p.gain_h, &p.gain_c, &p.w_out, &p.bias_out};
    for (int given = 0; given < (c.empty() ? 2 : 3); ++given) {
        auto backward = [&](std::size_t only) {  // an index of `like`, or all
            std::vector<Floats> g;
            for (std::size_t i = 0; i < like.size(); ++i) g.emplace_back(only == i || only == like.size() ? like[i]->size() : 0);
            Floats dh0(h.size()), dc0(c.size());
            const ScanGradients gradients{given == 0 ? p.dy.data() : nullptr, given == 1 ? h.data() : nullptr, given == 2 ? c.data() : nullptr,
                                          or_null(g[0]), dh0.data(),    or_null(dc0),  or_null(g[1]), or_null(g[2]), or_null(g[3]), or_null(g[4]),
                                          or_null(g[5]), or_null(g[6]), or_null(g[7]), or_null(g[8]), or_null(g[9]), or_null(g[10])};
            scan_backward(s, a, gradients, 2);
            g.push_back(dh0);
            g.push_back(dc0);
            return g;
        };
        const std::vector<Floats> all = backward(like.size());
        for (std::size_t only = 0; only < like.size(); ++only) {
            const std::vector<Floats> part = backward(only);
            for (std::size_t i = 0; i < part.size(); ++i)
                if (!part[i].empty() && part[i] != all[i]) return false;
        }
    }
    return true;
}

bool same_bits(const std::vector<Floats>& a, const std::vector<Floats>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!a[i].empty() && std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)) != 0) return false;
    return true;
}

// A few rows of a plain cell go a way of their own where nothing is saved: the bits of the tiles, for any number of threads.
void few_rows(unsigned seed, i64 batch, i64 steps, i64 hidden) {
    Problem p(seed);
    ScanSettings& s = p.s;
    const bool lstm = s.kind == 2;
    s.kind = s.kind == 1 ? 3 : s.kind;
    s.reset_after = true;
    s.layer_norm = s.peephole = s.has_out = false;
    s.coupled = s.coupled && lstm;
    s.zoneout = s.zoneout_cell = s.candidate_dropout = 0.0;
    s.B = batch;
    s.T = steps;
    s.H = s.S = hidden;
    const i64 gates = (lstm ? (s.coupled ? 3 : 4) : s.kind == 3 ? 3 : 1) * hidden;
    std::mt19937 random(seed);
    p.x = normal(random, batch * steps * s.I, 1.0F);
    p.h0 = normal(random, batch * hidden, 0.5F);
    p.c0 = normal(random, lstm ? batch * hidden : 0, 0.5F);
    p.w_x = normal(random, s.I * gates, 0.3F);
    p.w_h = normal(random, hidden * gates, 0.5F / std::sqrt(static_cast<float>(hidden)));
    if (!p.bias.empty()) p.bias = normal(random, gates, 0.3F);
    if (!p.bias_h.empty()) p.bias_h = normal(random, gates, 0.3F);
    for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
        if (isa > best_isa()) continue;
        std::vector<Floats> kept;
        for (const int threads : {0, 1, 2, 3, 5}) {  // 0: by tiles, as a training step
            use_isa(isa);
            s.save = threads == 0;
            Floats states(count(batch * steps * hidden)), h(count(batch * hidden)), c(p.c0.size());
            Floats saved(s.save ? count(batch * steps * scan_saved_row(s)) : 0);
            ScanArrays a{};
            a.x = p.x.data();
            a.h0 = p.h0.data();
            a.c0 = or_null(p.c0);
            a.w_x = p.w_x.data();
            a.w_h = p.w_h.data();
            a.bias = or_null(p.bias);
            a.bias_h = or_null(p.bias_h);
            a.states = threads == 2 ? nullptr : states.data();
            a.h_last = h.data();
            a.c_last = or_null(c);
            a.saved = or_null(saved);
            scan_forward(s, a, std::max(threads, 1));
            const std::vector<Floats> found{h, c, threads == 2 ? kept[2] : states};
            if (threads == 0) kept = found;
            check::that(same_bits(kept, found), ("few rows, seed " + std::to_string(seed)).c_str(), __FILE__, __LINE__);
        }
    }
}

bool close(const std::vector<Floats>& a, const std::vector<Floats>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        float largest = 1e-3F;
        float error = 0.0F;
        for (std::size_t j = 0; j < a[i].size(); ++j) {
            largest = std::max(largest, std::fabs(a[i][j]));
            error = std::max(error, std::fabs(a[i][j] - b[i][j]));
            if (!std::isfinite(b[i][j])) return false;
        }
        if (error > 5e-3F * largest) return false;
    }
    return true;
}

}  // namespace

int main() {
    for (unsigned seed = 0; seed < 120; ++seed) {
        // The wide ones make their weight gradient after the loop.
        Problem problem(seed, seed % 12 == 0 ? 230 : 0);
        const bool kinked = problem.s.activation != 0 || problem.s.gate_activation != 1 || problem.s.cell_clip > 0;
        const auto portable = run(problem, Isa::portable, 1);
        for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
            if (isa > best_isa()) continue;
            const auto one = run(problem, isa, 1);
            if (seed % 3 == 0) CHECK(inference_agrees(problem, isa, one));
            if (seed % 12 == 6) CHECK(parts_agree(problem, isa));
            // Where an activation has a kink, rounding may choose its side.
            check::that(kinked || close(portable, one), ("instruction sets agree, seed " + std::to_string(seed)).c_str(), __FILE__, __LINE__);
            for (int threads : {2, 3})
                check::that(same_bits(one, run(problem, isa, threads)), ("threads agree, seed " + std::to_string(seed)).c_str(), __FILE__, __LINE__);
        }
    }
    const i64 few_units[] = {1, 7, 16, 20, 33, 48, 100, 224};
    for (unsigned seed = 0; seed < 48; ++seed) few_rows(seed, 1 + seed % 8, 1 + seed * 5 % 23, few_units[seed / 2 % 8]);
    for (unsigned seed = 0; seed < 4; ++seed) few_rows(seed, 2, 90, 240);  // on several threads
    // A number that no kernel is written for is refused by every function, and never runs as another cell.
    for (const int kind : {-1, 4, 99}) {
        Problem unknown(3);
        unknown.s.kind = kind;
        CHECK_THROWS(scan_saved_row(unknown.s), std::invalid_argument);
        CHECK_THROWS(scan_forward(unknown.s, ScanArrays{}, 1), std::invalid_argument);
        CHECK_THROWS(scan_backward(unknown.s, ScanArrays{}, ScanGradients{}, 1), std::invalid_argument);
        Problem odd(3);
        odd.s.gate_activation = kind == 4 ? 10 : kind;
        CHECK_THROWS(scan_saved_row(odd.s), std::invalid_argument);
    }
    // Memory is kept from call to call, but does not grow.
    Problem wide(7);
    CHECK(workspace_kept() <= i64{128} << 20);
    const i64 kept = workspace_kept();
    for (int again = 0; again < 20; ++again) run(wide, best_isa(), 2);
    CHECK(workspace_kept() <= kept + (i64{1} << 20));
    return check::done("scan");
}
