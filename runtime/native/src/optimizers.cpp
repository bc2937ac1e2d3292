#include "seqloom/optimizers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <stdexcept>
#include <utility>

#include "planted.h"
#include "seqloom/threads.h"

namespace seqloom {
namespace {

constexpr std::int64_t piece = std::int64_t{1} << 14;       // numbers that one thread takes at a time
constexpr std::int64_t worth_threads = std::int64_t{1} << 16;  // numbers from which on waking threads pays

struct Piece {
    const UpdatedParameter* parameter;
    std::int64_t begin;
    std::int64_t end;
};

// Eight sums side by side, so that the compiler has something to put next to each other; their order is fixed.
template <class Real>
double sum_of_squares(const Real* g, std::int64_t n) {
    std::array<double, 8> sums{};
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (std::size_t l = 0; l < 8; ++l) {
            const auto x = static_cast<double>(g[i + static_cast<std::int64_t>(l)]);
            sums[l] += x * x;
        }
    for (; i < n; ++i) sums[0] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

// The gradient after clipping, and after the decay that goes into it.
template <class Real>
struct Clipped {
    Real scale;
    Real limit;
    Real decay;

    Real operator()(Real g, Real w) const {
        const Real scaled = g * scale;
        const Real low = scaled < -limit ? -limit : scaled;
        const Real cut = low > limit ? limit : low;
        return decay != Real{0} ? cut + decay * w : cut;  // 0 * infinity would be NaN
    }
};

// m' = b1 m + (1 - b1) g, v' = b2 v + (1 - b2) g^2, w' = w - (rate / (1 - b1^t)) m' / (sqrt(v') / sqrt(1 - b2^t) + eps);
// adamw: w is first times 1 - rate * decay. Kingma & Ba, arXiv 1412.6980; Loshchilov & Hutter, arXiv 1711.05101.
template <class Real>
void adam(const UpdateGroup& group, const UpdatedParameter& p, double step, const Clipped<Real>& clipped, std::int64_t begin, std::int64_t end) {
    const auto corrected = [&](double decay) { return planted(Mistake::optimizer_bias_kept) ? 1.0 : 1.0 - std::pow(decay, step); };
    const auto b1 = static_cast<Real>(group.decay);
    const auto new1 = static_cast<Real>(1.0 - group.decay);
    const auto b2 = static_cast<Real>(group.square_decay);
    const auto new2 = static_cast<Real>(1.0 - group.square_decay);
    const auto rate = static_cast<Real>(group.rate / corrected(group.decay));
    const auto root = static_cast<Real>(std::sqrt(corrected(group.square_decay)));
    const auto epsilon = static_cast<Real>(group.epsilon);
    const auto kept = static_cast<Real>(group.rule == UpdateRule::adamw ? 1.0 - group.rate * group.weight_decay : 1.0);
    Real* __restrict w = static_cast<Real*>(p.weight);
    const Real* __restrict g = static_cast<const Real*>(p.gradient);
    Real* __restrict m = static_cast<Real*>(p.first);
    Real* __restrict v = static_cast<Real*>(p.second);
    for (std::int64_t i = begin; i < end; ++i) {
        const Real gradient = clipped(g[i], w[i]);
        m[i] = b1 * m[i] + new1 * gradient;
        v[i] = b2 * v[i] + new2 * gradient * gradient;
        w[i] = kept * w[i] - rate * m[i] / (std::sqrt(v[i]) / root + epsilon);
    }
}

// v' = a v + (1 - a) g^2, d = g / (sqrt(v') + eps); b' = mu b + d, w' = w - rate b', without momentum w - rate d.
// Hinton, Srivastava & Swersky, lecture 6e (2012).
template <class Real>
void rmsprop(const UpdateGroup& group, const UpdatedParameter& p, const Clipped<Real>& clipped, std::int64_t begin, std::int64_t end) {
    const auto a = static_cast<Real>(group.square_decay);
    const auto fresh = static_cast<Real>(1.0 - group.square_decay);
    const auto rate = static_cast<Real>(group.rate);
    const auto mu = static_cast<Real>(group.momentum);
    const auto epsilon = static_cast<Real>(group.epsilon);
    Real* __restrict w = static_cast<Real*>(p.weight);
    const Real* __restrict g = static_cast<const Real*>(p.gradient);
    Real* __restrict b = static_cast<Real*>(p.first);
    Real* __restrict v = static_cast<Real*>(p.second);
    for (std::int64_t i = begin; i < end; ++i) {
        const Real gradient = clipped(g[i], w[i]);
        v[i] = a * v[i] + fresh * gradient * gradient;
        Real d = gradient / (std::sqrt(v[i]) + epsilon);
        if (b != nullptr) d = b[i] = mu * b[i] + d;
        w[i] -= rate * d;
    }
}

// b' = mu b + (1 - dampening) g, w' = w - rate b', with Nesterov's momentum w - rate (g + mu b'). Sutskever et al., ICML 2013.
template <class Real>
void sgd(const UpdateGroup& group, const UpdatedParameter& p, const Clipped<Real>& clipped, std::int64_t begin, std::int64_t end) {
    const auto rate = static_cast<Real>(group.rate);
    const auto mu = static_cast<Real>(group.momentum);
    const auto taken = static_cast<Real>(1.0 - group.dampening);
    const bool nesterov = group.nesterov && !planted(Mistake::optimizer_nesterov_lost);
    Real* __restrict w = static_cast<Real*>(p.weight);
    const Real* __restrict g = static_cast<const Real*>(p.gradient);
    Real* __restrict b = static_cast<Real*>(p.first);
    for (std::int64_t i = begin; i < end; ++i) {
        Real d = clipped(g[i], w[i]);
        if (b != nullptr) {
            b[i] = p.fresh ? d : mu * b[i] + taken * d;
            d = nesterov ? d + mu * b[i] : b[i];
        }
        w[i] -= rate * d;
    }
}

template <class Real>
void update(const UpdateGroup& group, const Piece& part, double scale, double limit) {
    const UpdatedParameter& p = *part.parameter;
    // AdamW's decay goes to the weight, not into the gradient.
    const double decay = group.rule == UpdateRule::adamw ? 0.0 : group.weight_decay;
    const Clipped<Real> clipped{static_cast<Real>(scale), static_cast<Real>(limit), static_cast<Real>(decay)};
    if (group.rule == UpdateRule::sgd) return sgd(group, p, clipped, part.begin, part.end);
    if (group.rule == UpdateRule::rmsprop) return rmsprop(group, p, clipped, part.begin, part.end);
    adam(group, p, static_cast<double>(*p.step), clipped, part.begin, part.end);
}

// Whether two parameters share memory: then they are taken one after the other, or threads would write over each other.
bool overlapping(const std::vector<UpdatedParameter>& parameters) {
    std::vector<std::pair<const char*, const char*>> places;
    for (const UpdatedParameter& p : parameters) {
        const auto* begin = static_cast<const char*>(p.weight);
        places.emplace_back(begin, begin + p.n * (p.wide ? 8 : 4));
    }
    std::sort(places.begin(), places.end(), std::less<>());
    for (std::size_t k = 1; k < places.size(); ++k)
        if (std::less<>()(places[k].first, places[k - 1].second)) return true;
    return false;
}

void check(const std::vector<UpdateGroup>& groups, const std::vector<UpdatedParameter>& parameters) {
    for (const UpdatedParameter& p : parameters) {
        if (p.group < 0 || p.group >= static_cast<std::int64_t>(groups.size())) throw std::out_of_range("a parameter belongs to no group.");
        const UpdateGroup& group = groups[static_cast<std::size_t>(p.group)];
        const bool momentum = group.rule == UpdateRule::adam || group.rule == UpdateRule::adamw || group.momentum != 0;
        const bool squares = group.rule != UpdateRule::sgd;
        if (p.n < 0 || (p.n > 0 && (p.weight == nullptr || p.gradient == nullptr || (momentum != (p.first != nullptr)) ||
                                    (squares && (p.second == nullptr || p.step == nullptr)))))
            throw std::invalid_argument("a parameter lacks an array of its rule.");
    }
}

}  // namespace

double optimizer_step(const std::vector<UpdateGroup>& groups, const std::vector<UpdatedParameter>& parameters, const Clipping& clipping,
                      int threads) {
    check(groups, parameters);
    std::vector<Piece> pieces;
    std::int64_t total = 0;
    for (const UpdatedParameter& p : parameters) {
        total += p.n;
        for (std::int64_t begin = 0; begin < p.n; begin += piece) pieces.push_back({&p, begin, std::min(p.n, begin + piece)});
    }
    const auto count = static_cast<std::int64_t>(pieces.size());
    const int used = total < worth_threads ? 1 : threads;
    double norm = 0;
    double scale = 1;
    if (clipping.measure) {
        std::vector<double> sums(pieces.size());
        parallel_for(count, used, [&](std::int64_t k) {
            const auto at = static_cast<std::size_t>(k);
            const Piece& part = pieces[at];
            const std::int64_t n = part.end - part.begin;
            sums[at] = part.parameter->wide ? sum_of_squares(static_cast<const double*>(part.parameter->gradient) + part.begin, n)
                                            : sum_of_squares(static_cast<const float*>(part.parameter->gradient) + part.begin, n);
        });
        double sum = 0;
        for (const double one : sums) sum += one;
        if (planted(Mistake::optimizer_piece_unmeasured) && !sums.empty()) sum -= sums.back();
        norm = std::sqrt(sum);
        // Adam's and RMSprop's squares would be infinite, and their steps 0 from then on.
        const bool narrow = std::any_of(parameters.begin(), parameters.end(), [](const UpdatedParameter& p) { return !p.wide; });
        if (narrow && sum > static_cast<double>(std::numeric_limits<float>::max())) norm = std::numeric_limits<double>::infinity();
        if (!std::isfinite(norm)) return norm;
        if (clipping.norm > 0 && norm > clipping.norm) scale = clipping.norm / norm;
    }
    const double limit = clipping.value > 0 ? clipping.value : std::numeric_limits<double>::infinity();
    for (const UpdatedParameter& p : parameters)
        if (p.step != nullptr) *p.step += 1.0F;
    parallel_for(count, used > 1 && overlapping(parameters) ? 1 : used, [&](std::int64_t k) {
        const Piece& part = pieces[static_cast<std::size_t>(k)];
        const UpdateGroup& group = groups[static_cast<std::size_t>(part.parameter->group)];
        if (part.parameter->wide)
            update<double>(group, part, scale, limit);
        else
            update<float>(group, part, scale, limit);
    });
    return norm;
}

}  // namespace seqloom
