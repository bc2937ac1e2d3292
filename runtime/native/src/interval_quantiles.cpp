#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "seqloom/intervals.h"
#include "seqloom/threads.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;

constexpr i64 far = i64{1} << 60;  // sums of three ticks stay within 64 bits

std::size_t index(i64 at) { return static_cast<std::size_t>(at); }

// NumPy's sum of contiguous numbers, in its order: blocks of at most 128, eight sums in each.
double pairwise_sum(const double* a, i64 n) {
    if (n < 8) {
        double sum = 0;
        for (i64 i = 0; i < n; ++i) sum += a[i];
        return sum;
    }
    if (n <= 128) {
        std::array<double, 8> r{};
        std::copy_n(a, 8, r.begin());
        i64 i = 8;
        for (; i + 8 <= n; i += 8)
            for (i64 j = 0; j < 8; ++j) r[index(j)] += a[i + j];
        double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        for (; i < n; ++i) sum += a[i];
        return sum;
    }
    i64 half = n / 2;
    half -= half % 8;
    return pairwise_sum(a, half) + pairwise_sum(a + half, n - half);
}

struct Entry {
    double value;
    i64 place;
};

// Values in rising order, equal ones by place. What lies before a place leaves and later places come in one pass.
class Ordered {
public:
    void update(i64 first, std::vector<Entry>& fresh) {
        std::sort(fresh.begin(), fresh.end(), [](const Entry& a, const Entry& b) {
            return a.value < b.value || (a.value == b.value && a.place < b.place);
        });
        merged_.resize(entries_.size() + fresh.size());
        Entry* to = merged_.data();
        auto next = fresh.begin();
        for (const Entry& entry : entries_) {
            for (; next != fresh.end() && next->value < entry.value; ++next) *to++ = *next;
            *to = entry;
            to += entry.place >= first ? 1 : 0;
        }
        to = std::copy(next, fresh.end(), to);
        merged_.resize(static_cast<std::size_t>(to - merged_.data()));
        std::swap(entries_, merged_);
    }

    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

private:
    std::vector<Entry> entries_;
    std::vector<Entry> merged_;
};

// Of every n-th window from one on: what is sorted already, and the place from which on nothing has come in.
struct Class {
    Ordered sizes;
    Ordered values;
    i64 next = 0;
};

struct Moment {
    i64 now;
    i64 first;  // windows first … end - 1 count
    i64 end;
    i64 stride;
};

std::vector<Moment> moments_of(const IntervalQuantiles& job) {
    std::vector<Moment> found(index(job.moments));
    const i64* last = job.tick + job.count;
    for (i64 r = 0; r < job.moments; ++r) {
        const i64 now = job.now[r];
        const i64 oldest = std::max(job.since, now - job.forgotten) - job.steps[job.K - 1];
        const i64 first = std::lower_bound(job.tick, last, oldest) - job.tick;
        const i64 end = std::max(first, static_cast<i64>(std::lower_bound(job.tick, last, now) - job.tick));
        found[index(r)] = {now, first, end, std::max<i64>(1, (end - first) / job.rows)};
    }
    return found;
}

// The quantiles of one step at all moments.
class StepQuantiles {
public:
    StepQuantiles(const IntervalQuantiles& job, const std::vector<Moment>& moments, i64 k) : job_(job), k_(k), step_(job.steps[k]) {
        low_ = moments.front().first;
        errors_.resize(index(std::max<i64>(0, moments.back().end - low_)));
        for (std::size_t i = 0; i < errors_.size(); ++i) errors_[i] = job.errors[(low_ + static_cast<i64>(i)) * job.K + k];
        for (std::size_t r = 0; r < moments.size(); ++r) at(moments[r], static_cast<i64>(r));
    }

private:
    void at(const Moment& moment, i64 r) {
        if (moment.first == moment.end) {
            for (i64 l = 0; l < job_.L; ++l) put(r, l, 0, 0, 0);
            job_.total[r * job_.K + k_] = 0;
            return;
        }
        if (stride_ != moment.stride) {
            stride_ = moment.stride;
            classes_.assign(index(stride_), {});
        }
        const i64 of = (moment.end - 1) % stride_;
        Class& one = classes_[index(of)];
        const i64 first = moment.first <= of ? 0 : (moment.first - of + stride_ - 1) / stride_;
        const i64 count = (moment.end - 1 - of) / stride_ - first + 1;
        take_in(one, of, first, first + count, moment.now);
        weigh(of, first, count, moment.now);
        job_.total[r * job_.K + k_] = pairwise_sum(weight_.data(), count);
        read(one, first, count, r);
    }

    [[nodiscard]] i64 target(i64 row) const { return job_.tick[row] + step_; }

    [[nodiscard]] bool counts(i64 row) const { return target(row) >= job_.since && std::isfinite(errors_[index(row - low_)]); }

    void take_in(Class& one, i64 of, i64 first, i64 end, i64 now) {
        fresh_.clear();
        one.next = std::max(one.next, first);
        for (; one.next < end; ++one.next) {
            const i64 row = of + one.next * stride_;
            if (target(row) > now) break;
            if (counts(row)) fresh_.push_back({errors_[index(row - low_)], one.next});
        }
        one.values.update(first, fresh_);
        for (Entry& entry : fresh_) entry.value = std::fabs(entry.value);
        one.sizes.update(first, fresh_);
    }

    void weigh(i64 of, i64 first, i64 count, i64 now) {
        weight_.resize(index(count));
        for (i64 i = 0; i < count; ++i) {
            const i64 row = of + (first + i) * stride_;
            const i64 age = now - target(row);
            weight_[index(i)] = age >= 0 && counts(row) ? job_.weights[age] : 0.0;
        }
    }

    void read(const Class& one, i64 first, i64 count, i64 r) {
        const Entry* sizes = one.sizes.entries().data();
        const Entry* values = one.values.entries().data();
        const auto known = static_cast<i64>(one.values.entries().size());
        for (auto& mass : mass_) mass.resize(index(known));
        double size = 0;
        double up = 0;
        double down = 0;
        for (i64 i = 0; i < known; ++i) {  // three sums at once, each in its own order
            mass_[0][index(i)] = size += weight_[index(sizes[i].place - first)];
            mass_[1][index(i)] = up += weight_[index(values[i].place - first)];
            mass_[2][index(i)] = down += weight_[index(values[known - 1 - i].place - first)];
        }
        for (i64 l = 0; l < job_.L; ++l) {
            const double level = job_.levels[l];
            const double coming = level >= job_.high ? std::max(job_.shared[k_] / static_cast<double>(stride_), 1.0) : 1.0;
            const double tail = (1 + level) / 2;
            if (known == 0) {  // what weighs nothing is 0, or minus that
                put(r, l, 0.0, 0.0, -0.0);
                continue;
            }
            const i64 middle = std::min(reached(mass_[0], level * (size + coming) - 1e-9), known - 1);
            const i64 above = std::min(reached(mass_[1], tail * (up + coming) - 1e-9), known - 1);
            const double needed = tail * (down + coming) - 1e-9;
            const i64 below = std::min(reached(mass_[2], needed), known - 1);
            // What weighs nothing stands first there, and is enough where no mass is needed.
            const bool none = needed <= 0 && known < count;
            put(r, l, sizes[middle].value, values[above].value, none ? -0.0 : -values[known - 1 - below].value);
        }
    }

    // How many sums lie below what is needed.
    static i64 reached(const std::vector<double>& mass, double needed) { return std::lower_bound(mass.begin(), mass.end(), needed) - mass.begin(); }

    void put(i64 r, i64 l, double middle, double above, double below) {
        const i64 at = (r * job_.L + l) * job_.K + k_;
        job_.middle[at] = middle;
        job_.above[at] = above;
        job_.below[at] = below;
    }

    const IntervalQuantiles& job_;
    i64 k_;
    i64 step_;
    i64 low_ = 0;
    i64 stride_ = 0;
    std::vector<double> errors_;
    std::vector<Class> classes_;
    std::vector<Entry> fresh_;
    std::vector<double> weight_;
    std::array<std::vector<double>, 3> mass_;
};

void check_rising(const i64* values, i64 count, const char* what) {
    for (i64 i = 0; i < count; ++i)
        if (values[i] < -far || values[i] > far || (i > 0 && values[i] < values[i - 1])) throw std::invalid_argument(what);
}

}  // namespace

void interval_quantiles(const IntervalQuantiles& job, int threads) {
    if (job.K < 1 || job.rows < 1 || job.forgotten < 0 || job.forgotten > far || job.since < -far || job.since > far)
        throw std::invalid_argument("intervals need a step, a row, and ticks within 2^60.");
    check_rising(job.tick, job.count, "the windows' ticks must rise and lie within 2^60.");
    check_rising(job.now, job.moments, "the moments must rise and lie within 2^60.");
    check_rising(job.steps, job.K, "the steps must rise and lie within 2^60.");
    if (job.steps[0] < 1) throw std::invalid_argument("the steps must be at least 1.");
    if (job.moments == 0) return;
    const std::vector<Moment> moments = moments_of(job);
    parallel_for(job.K, threads, [&](i64 k) { const StepQuantiles done(job, moments, k); });
}

}  // namespace seqloom
