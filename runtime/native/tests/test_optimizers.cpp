#include "seqloom/optimizers.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"

using namespace seqloom;

namespace {

template <class Real>
struct Array {
    std::vector<Real> w, g, m, v;
    float step = 0;

    explicit Array(std::size_t n, int seed) : w(n), g(n), m(n), v(n) {
        for (std::size_t i = 0; i < n; ++i) {
            const auto x = static_cast<Real>(i) + static_cast<Real>(1000 * seed);
            w[i] = std::sin(x);
            g[i] = std::cos(3 * x) * static_cast<Real>(0.1);
        }
    }

    UpdatedParameter row(std::int64_t group, bool momentum, bool squares) {
        return {group, sizeof(Real) == 8, step == 0, static_cast<std::int64_t>(w.size()), w.data(), g.data(), momentum ? m.data() : nullptr,
                squares ? v.data() : nullptr, squares ? &step : nullptr};
    }
};

// Adam in double beside the kernel, over several steps with another rate each.
void adam_beside_double(UpdateRule rule) {
    Array<float> a(1003, 1);
    std::vector<double> w(a.w.begin(), a.w.end()), m(w.size()), v(w.size());
    for (int t = 1; t <= 20; ++t) {
        UpdateGroup group{rule, false, 0.01 * t, 0.1, 0, 0, 0.8, 0.95, 1e-6};
        const double norm = optimizer_step({group}, {a.row(0, true, true)}, {true, 0.5, 0.04}, 1);
        double sum = 0;
        for (const float g : a.g) sum += static_cast<double>(g) * static_cast<double>(g);
        CHECK(std::abs(norm - std::sqrt(sum)) < 1e-12);
        for (std::size_t i = 0; i < w.size(); ++i) {
            double g = static_cast<double>(a.g[i]) * (norm > 0.5 ? 0.5 / norm : 1.0);
            g = std::fmin(std::fmax(g, -0.04), 0.04);
            if (rule == UpdateRule::adam) g += 0.1 * w[i];
            if (rule == UpdateRule::adamw) w[i] *= 1 - group.rate * 0.1;
            m[i] = 0.8 * m[i] + 0.2 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            w[i] -= group.rate / (1 - std::pow(0.8, t)) * m[i] / (std::sqrt(v[i] / (1 - std::pow(0.95, t))) + 1e-6);
        }
    }
    // One by one: a largest error over the loop is what GCC 12 for ARM ends in an internal error on.
    for (std::size_t i = 0; i < w.size(); ++i) CHECK(std::abs(static_cast<double>(a.w[i]) - w[i]) < 2e-5);
    CHECK(a.step == 20.0F);
}

// Large arrays of both types: the same bits for any number of threads, and for an array that is cut in two.
void same_bits() {
    std::vector<std::vector<float>> found;
    std::vector<double> norms;
    for (const int threads : {1, 2, 5}) {
        Array<float> a(90'001, 1), c(3, 3);
        Array<double> b(40'000, 2);
        const std::vector<UpdateGroup> groups{{UpdateRule::adam, false, 0.01, 0, 0, 0, 0.9, 0.999, 1e-8},
                                              {UpdateRule::sgd, true, 0.02, 0.1, 0.9, 0, 0, 0, 0},
                                              {UpdateRule::rmsprop, false, 0.03, 0.1, 0.5, 0, 0, 0.9, 1e-8}};
        for (int t = 0; t < 3; ++t) {
            norms.push_back(optimizer_step(groups, {a.row(0, true, true), c.row(1, true, false), b.row(2, true, true)}, {true, 1.0, 0}, threads));
            c.step = 1;  // no longer fresh
        }
        found.push_back(a.w);
        found.back().insert(found.back().end(), c.w.begin(), c.w.end());
        for (const double w : b.w) found.back().push_back(static_cast<float>(w));
    }
    CHECK(found[0] == found[1] && found[0] == found[2]);
    CHECK(norms[0] == norms[3] && norms[0] == norms[6]);
}

// What shares memory is moved one after the other.
void shared_memory() {
    std::vector<float> found[2];
    for (const int threads : {1, 4}) {
        Array<float> a(100'000, 1), b(100'000, 2);
        const UpdateGroup group{UpdateRule::sgd, false, 0.5, 0, 0, 0, 0, 0, 0};
        UpdatedParameter one = a.row(0, false, false), other = b.row(0, false, false);
        other.weight = a.w.data() + 50'000;
        other.n = 50'000;
        optimizer_step({group}, {one, other}, {}, threads);
        found[threads == 1 ? 0 : 1] = a.w;
    }
    CHECK(found[0] == found[1]);
}

// A gradient that is not finite moves nothing where the norm is asked for.
void bad_gradient() {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        Array<float> a(100, 1);
        const std::vector<float> before = a.w;
        a.g[99] = bad;
        const UpdateGroup group{UpdateRule::adam, false, 0.01, 0, 0, 0, 0.9, 0.999, 1e-8};
        CHECK(!std::isfinite(optimizer_step({group}, {a.row(0, true, true)}, {true, 0, 0}, 2)));
        CHECK(a.w == before && a.step == 0.0F);
        optimizer_step({group}, {a.row(0, true, true)}, {}, 2);
        CHECK(a.w[0] != before[0] && a.step == 1.0F);
    }
    // So does one whose square is beyond the range of float32, and only that of a float32 array.
    Array<float> large(10, 1);
    Array<double> wide(10, 1);
    const std::vector<float> before = large.w;
    for (float& g : large.g) g = 1e20F;
    for (double& g : wide.g) g = 1e20;
    const UpdateGroup group{UpdateRule::sgd, false, 1.0, 0, 0, 0, 0, 0, 0};
    CHECK(std::isinf(optimizer_step({group}, {large.row(0, false, false)}, {true, 1.0, 0}, 1)));
    CHECK(large.w == before);
    CHECK(std::abs(optimizer_step({group}, {wide.row(0, false, false)}, {true, 1.0, 0}, 1) / (std::sqrt(10.0) * 1e20) - 1) < 1e-12);
    // A weight that is infinite stays so without decay.
    Array<float> mask(2, 1);
    mask.w[0] = -std::numeric_limits<float>::infinity();
    optimizer_step({group}, {mask.row(0, false, false)}, {}, 1);
    CHECK(mask.w[0] == -std::numeric_limits<float>::infinity());
}

bool refused(const UpdatedParameter& row) {
    try {
        optimizer_step({{UpdateRule::adam, false, 0.01, 0, 0, 0, 0.9, 0.999, 1e-8}}, {row}, {}, 1);
    } catch (const std::logic_error&) {
        return true;
    }
    return false;
}

}  // namespace

int main() {
    adam_beside_double(UpdateRule::adam);
    adam_beside_double(UpdateRule::adamw);
    same_bits();
    shared_memory();
    bad_gradient();
    Array<float> a(4, 1);
    CHECK(refused(a.row(1, true, true)));
    CHECK(refused(a.row(0, false, true)));
    CHECK(refused(a.row(0, true, false)));
    CHECK(!refused(a.row(0, true, true)));
    CHECK(optimizer_step({}, {}, {true, 1, 0}, 2) == 0.0);
    return check::done("optimizers");
}
