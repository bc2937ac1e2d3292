#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "seqloom/intervals.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;

constexpr i64 far = i64{1} << 60;
constexpr double close_by = 1e-14;  // how far two machines' exp may lie from each other, and more

void check(const IntervalWalk& job) {
    if (job.K < 1 || job.L < 1 || job.S < 1) throw std::invalid_argument("a walk needs a series, a level and a step.");
    if (job.before < -far || job.end > far || job.start < job.before) throw std::invalid_argument("a walk's ticks must lie within 2^60, behind its beginning.");
    for (i64 k = 0; k < job.K; ++k)
        if (job.steps[k] < 1 || job.steps[k] > far || (k > 0 && job.steps[k] <= job.steps[k - 1])) throw std::invalid_argument("steps must rise from 1 on.");
    for (i64 n = 0; n < job.count; ++n) {
        const i64 tick = job.tick[n];
        const bool early = tick < job.start && !(job.start == job.before && tick >= -far);
        if (early || tick >= job.end || (n > 0 && tick < job.tick[n - 1])) throw std::invalid_argument("windows must lie in order between a walk's ticks.");
        if (job.series[n] < 0 || job.series[n] >= job.S) throw std::invalid_argument("a window is of no series of the walk.");
        if (job.moment[n] < 0 || job.moment[n] >= job.moments) throw std::invalid_argument("a window has no quantiles.");
    }
}

// The f below which the error lies beyond the end on its side; infinite where it always does.
double threshold(double error, double centre, double reach) {
    constexpr double always = std::numeric_limits<double>::infinity();
    if (error == 0) return -always;  // the forecast itself is always held
    const double beyond = error < 0 ? centre - error : error - centre;
    if (reach > 0) return beyond / reach;
    return beyond > 0 ? always : -always;
}

class Walk {
public:
    explicit Walk(const IntervalWalk& job) : job_(job), ring_(job.steps[job.K - 1] + 1), grown_(static_cast<std::size_t>(job.L)) {}

    void run() {
        i64 n = 0;
        for (i64 now = job_.start; now < job_.end; ++now) {
            if (now > job_.before) follow((now - job_.before) % ring_);
            for (; n < job_.count && job_.tick[n] <= now; ++n) look_at(n);
        }
    }

private:
    // ln f takes in what became known in this row, and the row's place in the ring is free again.
    void follow(i64 slot) {
        float* missed = job_.missed + slot * job_.S * job_.L;
        float* counted = job_.counted + slot * job_.S;
        for (i64 s = 0; s < job_.S; ++s) {
            const float count = counted[s] > 1.0F ? counted[s] : 1.0F;
            for (i64 l = 0; l < job_.L; ++l) {
                const float change = job_.pace * missed[s * job_.L + l] / count;
                job_.factors[s * job_.L + l] += static_cast<double>(change);
                missed[s * job_.L + l] = 0;
            }
            counted[s] = 0;
        }
    }

    void look_at(i64 n) {
        const i64 s = job_.series[n];
        const double* factors = job_.factors + s * job_.L;
        for (i64 l = 0; l < job_.L; ++l) {
            job_.found[n * job_.L + l] = factors[l];
            grown_[static_cast<std::size_t>(l)] = std::exp(factors[l]);
        }
        const i64 base = (job_.moment[n] * (job_.S + 1) + s) * job_.L * job_.K;
        const i64 after = job_.tick[n] - job_.before;
        for (i64 k = 0; k < job_.K; ++k) {
            const double error = job_.errors[n * job_.K + k];
            const i64 when = after + job_.steps[k];
            if (when <= 0 || !std::isfinite(error)) continue;
            const i64 slot = (when % ring_) * job_.S + s;
            job_.counted[slot] += 1.0F;
            bool wrong = true;
            for (i64 l = 0; l < job_.L; ++l) {
                const i64 at = base + l * job_.K + k;
                wrong = wrong && below(factors[l], grown_[static_cast<std::size_t>(l)], threshold(error, job_.centre[at], job_.radius[at]));
                float& missed = job_.missed[slot * job_.L + l];
                missed = static_cast<float>(static_cast<double>(missed) + ((wrong ? 1.0 : 0.0) - job_.allowed[l]));
            }
        }
    }

    [[nodiscard]] bool below(double factor, double grown, double limit) const {
        if (factor != 0 && std::fabs(grown - limit) <= close_by * grown) return job_.exactly(job_.context, factor) < limit;
        return grown < limit;
    }

    const IntervalWalk& job_;
    i64 ring_;
    std::vector<double> grown_;  // f of the window's levels
};

}  // namespace

void interval_walk(const IntervalWalk& job) {
    check(job);
    Walk(job).run();
}

}  // namespace seqloom
