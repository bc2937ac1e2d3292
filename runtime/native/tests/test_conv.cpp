// The convolution over random calls: every instruction set agrees with plain loops in double to rounding, every number of
// threads gives the same bits, gradients asked for one at a time are those of all together, and no byte outside the
// arrays is touched (they are of the exact size; run under sanitizers).
#include "seqloom/conv.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "drawn.h"
#include "seqloom/cpu.h"
#include "seqloom/workspace.h"

using namespace seqloom;
using namespace drawn;

namespace {

template <class Vector>
auto* or_null(Vector& v) {
    return v.empty() ? nullptr : v.data();
}

struct Problem {
    ConvSettings s{};
    Floats x, weight, bias, residual, context, dy;

    Problem(unsigned seed, i64 B, i64 T, i64 I, i64 O, i64 K, i64 d) {
        std::mt19937 random(seed);
        auto flip = [&] { return random() % 2 == 0; };
        auto normal = [&](i64 n, double scale) { return drawn::normal(random, n, scale); };
        s.activation = flip() ? 2 : static_cast<int>(random() % 10);
        s.final_activation = flip() ? 7 : static_cast<int>(random() % 10);
        s.save = true;
        s.dropout = flip() ? 0.0 : 0.3;
        s.key[0] = seed;
        s.key[1] = 7;
        set_sizes(s, B, T, I, O, K, d);
        x = normal(B * T * I, 1.0);
        weight = normal(O * I * K, 1.0 / std::sqrt(static_cast<double>(I * K)));
        if (flip()) bias = normal(O, 1.0);
        if (flip()) residual = normal(B * T * O, 1.0);
        if (flip()) context = normal(B * (K - 1) * d * I, 1.0);
        s.has_residual = !residual.empty();
        dy = normal(B * T * O, 1.0);
    }
    ConvArrays arrays(float* y, float* saved) const {
        return {x.data(), weight.data(), or_null(bias), or_null(residual), or_null(context), y, saved};
    }
};

struct Results {
    Floats y, x, weight, bias, residual, context;
    bool same_bits(const Results& other) const {
        return y == other.y && x == other.x && weight == other.weight && bias == other.bias && residual == other.residual && context == other.context;
    }
};

// `only`: the one gradient that is asked for, or -1 for all.
Results run(const Problem& p, Isa isa, int threads, int only = -1) {
    use_isa(isa);
    Results r{Floats(p.dy.size()), Floats(p.x.size()), Floats(p.weight.size()), Floats(p.bias.size()), Floats(p.residual.size()), Floats(p.context.size())};
    Floats saved(count(p.s.B * p.s.T * conv_saved_row(p.s)));
    const ConvArrays a = p.arrays(r.y.data(), or_null(saved));
    conv_forward(p.s, a, threads);
    auto wanted = [&](int which, Floats& v) { return only < 0 || only == which ? or_null(v) : nullptr; };
    conv_backward(p.s, a, {p.dy.data(), wanted(0, r.x), wanted(1, r.weight), wanted(2, r.bias), wanted(3, r.residual), wanted(4, r.context)}, threads);
    return r;
}

// The sums alone, in double: a without activations, dropout and residual.
std::vector<double> plain_sums(const Problem& p) {
    const ConvSettings& s = p.s;
    const i64 span = (s.K - 1) * s.dilation;
    std::vector<double> a(count(s.B * s.T * s.O));
    for (i64 b = 0; b < s.B; ++b)
        for (i64 t = 0; t < s.T; ++t)
            for (i64 o = 0; o < s.O; ++o) {
                double sum = p.bias.empty() ? 0.0 : p.bias[count(o)];
                for (i64 k = 0; k < s.K; ++k) {
                    const i64 from = t - (s.K - 1 - k) * s.dilation;
                    if (from < 0 && p.context.empty()) continue;
                    const float* row = from >= 0 ? &p.x[count((b * s.T + from) * s.I)] : &p.context[count((b * span + span + from) * s.I)];
                    for (i64 i = 0; i < s.I; ++i) sum += static_cast<double>(row[i]) * p.weight[count((o * s.I + i) * s.K + k)];
                }
                a[count((b * s.T + t) * s.O + o)] = sum;
            }
    return a;
}

bool near(const Floats& found, const Floats& expected) {
    double largest = 1e-6;
    double apart = 0;
    for (std::size_t k = 0; k < found.size(); ++k) {
        largest = std::max(largest, std::fabs(static_cast<double>(expected[k])));
        apart = std::max(apart, std::fabs(static_cast<double>(found[k]) - static_cast<double>(expected[k])));
    }
    return apart <= 2e-5 * largest;
}

void check_sums(Problem p) {
    p.s.activation = p.s.final_activation = 7;
    p.s.dropout = 0;
    p.residual.clear();
    p.s.has_residual = false;
    Floats expected;
    for (const double v : plain_sums(p)) expected.push_back(static_cast<float>(v));
    for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512})
        if (isa <= best_isa()) CHECK(near(run(p, isa, 1).y, expected));
}

void check_all(const Problem& p) {
    const Results portable = run(p, Isa::portable, 1);
    for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
        if (isa > best_isa()) continue;
        const Results one = run(p, isa, 1);
        CHECK(one.same_bits(run(p, isa, 3)));
        // A number beside a kink may fall on its other side in another order of sums; the smooth calls are compared whole.
        CHECK(near(one.y, portable.y));
        const bool smooth = p.s.activation <= 1 || p.s.activation == 7;
        if (smooth && (p.s.final_activation <= 1 || p.s.final_activation == 7)) {
            CHECK(near(one.x, portable.x));
            CHECK(near(one.weight, portable.weight));
            CHECK(near(one.context, portable.context));
        }
        const Results parts[] = {run(p, isa, 2, 0), run(p, isa, 2, 1), run(p, isa, 2, 2), run(p, isa, 2, 3), run(p, isa, 2, 4)};
        CHECK(parts[0].x == one.x);
        CHECK(parts[1].weight == one.weight);
        CHECK(parts[2].bias == one.bias);
        CHECK(parts[3].residual == one.residual);
        CHECK(parts[4].context == one.context);
    }
}

}  // namespace

int main() {
    std::mt19937 random(1);
    auto among = [&](std::initializer_list<i64> list) { return list.begin()[random() % list.size()]; };
    for (unsigned seed = 0; seed < 40; ++seed) {
        const Problem p(seed, among({1, 2, 3, 9, 17}), among({1, 2, 7, 16, 33}), among({1, 3, 8, 17, 25}), among({1, 5, 16, 33, 50}),
                        among({1, 2, 3, 8}), among({1, 2, 5, 40}));
        check_sums(p);
        check_all(p);
    }
    // Channels that fill no whole vectors, with enough products for rows to be turned and columns taken apart.
    for (unsigned seed = 200; seed < 230; ++seed) {
        const i64 d = among({1, 2, 3, 7, 8, 17, 33});
        const Problem p(seed, among({1, 2, 9}), among({31, 64, 65, 150}), 1 + static_cast<i64>(random() % 40), 1 + static_cast<i64>(random() % 40),
                        among({3, 5, 7, 9}), d);
        check_sums(p);
        check_all(p);
    }
    check_all(Problem(104, 2, 1100, 10, 25, 4, 70));
    check_all(Problem(105, 9, 300, 25, 25, 7, 40));
    // Sequences cut in pieces, weights by tiles, sums of many parts, gathered taps.
    check_all(Problem(100, 1, 900, 2, 24, 8, 30));
    check_all(Problem(101, 2, 21, 150, 100, 3, 2));
    check_all(Problem(102, 3, 40, 70, 40, 5, 3));
    check_sums(Problem(103, 2, 9, 260, 130, 2, 1));
    // Gradients by pairs of rows: groups of three taps and what is left of them, blocks that end early, few channels.
    for (unsigned seed = 104; seed < 112; ++seed)
        check_all(Problem(seed, among({2, 3}), among({49, 60, 71}), among({97, 110}), among({120, 131}), among({3, 4, 5, 6}), among({1, 3, 8})));
    check_all(Problem(112, 3, 32, 48, 250, 3, 2));
    return check::done("conv");
}
