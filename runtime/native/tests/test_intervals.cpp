#include "seqloom/intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "check.h"

using namespace seqloom;

namespace {

using i64 = std::int64_t;
using Doubles = std::vector<double>;
using Ticks = std::vector<i64>;

std::size_t z(i64 n) { return static_cast<std::size_t>(n); }

const double unknown = std::numeric_limits<double>::quiet_NaN();

struct Case {
    Ticks tick;
    Doubles errors;
    Ticks steps{1, 2, 5};
    Ticks now;
    i64 since;
    i64 forgotten = 60;
    Doubles weights;
    i64 rows;
    Doubles levels{0.5, 0.9, 0.99};
    Doubles shared{1.0, 1.5, 2.5};
    Doubles out;
    Doubles total;

    IntervalQuantiles job() {
        const i64 size = static_cast<i64>(now.size() * levels.size() * steps.size());
        out.assign(z(3 * size), unknown);
        total.assign(now.size() * steps.size(), unknown);
        return {tick.data(), errors.data(), static_cast<i64>(tick.size()), steps.data(), static_cast<i64>(steps.size()), now.data(),
                static_cast<i64>(now.size()), since, forgotten, weights.data(), rows, levels.data(), static_cast<i64>(levels.size()), shared.data(),
                0.9, out.data(), out.data() + size, out.data() + 2 * size, total.data()};
    }
};

Case drawn(unsigned seed, i64 count, i64 rows) {
    std::mt19937 random(seed);
    Case made;
    i64 at = 3;
    for (i64 n = 0; n < count; ++n) made.tick.push_back(at += 1 + random() % 7 / 6);
    for (i64 n = 0; n < count * 3; ++n) {
        const double value = std::round(std::normal_distribution<double>(0.3, seed % 2 == 0 ? 2.0 : 1e6)(random));
        made.errors.push_back(random() % 10 == 0 ? unknown : value);
    }
    for (i64 moment = 0; moment < at + 20; moment += 7) made.now.push_back(moment);
    made.since = 9;
    made.rows = rows;
    for (i64 age = 0; age <= made.forgotten + 5; ++age) made.weights.push_back(std::pow(0.5, static_cast<double>(age) / 6));
    return made;
}

// The quantile of values with weights, looked for in the plainest way; a NaN where there are none.
double plainly(std::vector<std::pair<double, double>> known, double level, double coming) {
    std::stable_sort(known.begin(), known.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    double all = 0;
    for (const auto& [value, weight] : known) all += weight;
    double mass = 0;
    for (const auto& [value, weight] : known)
        if ((mass += weight) >= level * (all + coming) - 1e-9) return value;
    return known.empty() ? unknown : known.back().first;
}

void check_quantiles(Case made) {
    const auto size = static_cast<i64>(made.now.size() * 9);
    interval_quantiles(made.job(), 1);
    const Doubles alone = made.out;
    for (const int threads : {2, 3}) {
        interval_quantiles(made.job(), threads);
        CHECK(made.out == alone);
    }
    bool same = true;
    for (std::size_t r = 0; r < made.now.size(); ++r) {
        const i64 now = made.now[r];
        const i64 oldest = std::max(made.since, now - made.forgotten) - made.steps.back();
        Ticks inside;
        for (i64 n = 0; n < static_cast<i64>(made.tick.size()); ++n)
            if (made.tick[z(n)] >= oldest && made.tick[z(n)] < now) inside.push_back(n);
        const i64 stride = std::max<i64>(1, static_cast<i64>(inside.size()) / made.rows);
        for (i64 k = 0; k < 3; ++k) {
            std::vector<std::pair<double, double>> up;
            for (i64 i = 0; i < static_cast<i64>(inside.size()); ++i) {
                const i64 n = inside[z(i)];
                const i64 age = now - made.tick[z(n)] - made.steps[z(k)];
                const double error = made.errors[z(n * 3 + k)];
                const bool taken = (static_cast<i64>(inside.size()) - 1 - i) % stride == 0;
                if (taken && age >= 0 && now - age >= made.since && std::isfinite(error)) up.emplace_back(error, made.weights[z(age)]);
            }
            auto middle = up;
            auto down = up;
            for (auto& one : middle) one.first = std::fabs(one.first);
            std::reverse(down.begin(), down.end());  // equal values in the other order too
            for (auto& one : down) one.first = -one.first;
            for (i64 l = 0; l < 3; ++l) {
                const double level = made.levels[z(l)];
                const double coming = level >= 0.9 ? std::max(made.shared[z(k)] / static_cast<double>(stride), 1.0) : 1.0;
                const i64 at = (static_cast<i64>(r) * 3 + l) * 3 + k;
                const double expected[] = {plainly(middle, level, coming), plainly(up, (1 + level) / 2, coming), plainly(down, (1 + level) / 2, coming)};
                for (i64 side = 0; side < 3; ++side)
                    same = same && alone[z(side * size + at)] == (up.empty() ? 0.0 : expected[side]);
            }
        }
    }
    CHECK(same);
}

double as_libm(void* asked, double value) {
    ++*static_cast<int*>(asked);
    return std::exp(value);
}

// One series, one level, steps 1 and 2: errors of 3 beyond a radius of 1 are missed until f has grown to them.
void check_walk() {
    const Ticks steps{1, 2};
    const i64 count = 400;
    Ticks tick;
    for (i64 n = 0; n < count; ++n) tick.push_back(100 + n);
    const Ticks none(z(count), 0);
    const Doubles errors(z(2 * count), 3.0);
    const Doubles centre(4, 0.0);
    const Doubles radius(4, 1.0);
    const double allowed = 0.1;
    const auto walk = [&](i64 cut) {
        double factor = 0;
        std::vector<float> missed(3);
        std::vector<float> counted(3);
        Doubles found(z(count));
        int asked = 0;
        for (const auto& [from, to] : {std::pair<i64, i64>{0, cut}, std::pair<i64, i64>{cut, count}})
            interval_walk({none.data(), tick.data() + from, errors.data() + 2 * from, none.data(), to - from, steps.data(), 2, centre.data(), radius.data(), 1, 1, 1,
                           100, 100 + from, 100 + to, 0.1F, &allowed, &factor, missed.data(), counted.data(), found.data() + from, as_libm, &asked});
        return found;
    };
    const Doubles found = walk(count);
    CHECK(found[0] == 0 && found[1] == static_cast<double>(0.1F * static_cast<float>(0.9)));
    CHECK(std::abs(std::exp(found.back()) - 3.0) < 0.4);
    for (const i64 cut : {1, 2, 57, 399}) CHECK(walk(cut) == found);
}

void check_close_call() {
    const i64 at = 0;
    const i64 step = 1;
    const double error = std::exp(0.3);
    const Doubles centre(2, 0.0);
    const Doubles radius(2, 1.0);
    const double allowed = 0.5;
    double factor = 0.3;
    std::vector<float> missed(2);
    std::vector<float> counted(2);
    double found = 0;
    int asked = 0;
    interval_walk({&at, &at, &error, &at, 1, &step, 1, centre.data(), radius.data(), 1, 1, 1, 0, 0, 1, 0.04F, &allowed, &factor, missed.data(), counted.data(),
                   &found, as_libm, &asked});
    CHECK(asked == 1);
    CHECK(missed[1] == -0.5F && counted[1] == 1.0F);  // an error at the end of the interval is held
}

void check_refusals() {
    Case made = drawn(1, 30, 500);
    std::swap(made.tick[3], made.tick[4]);
    made.tick[3] += 1;
    CHECK_THROWS(interval_quantiles(made.job(), 1), std::invalid_argument);
    made = drawn(1, 30, 500);
    made.now[2] = i64{1} << 61;
    CHECK_THROWS(interval_quantiles(made.job(), 1), std::invalid_argument);
    made = drawn(1, 30, 500);
    made.steps[0] = 0;
    CHECK_THROWS(interval_quantiles(made.job(), 1), std::invalid_argument);
    const i64 step = 1;
    const Doubles two(2, 0.0);
    const double error = 1;
    double factor = 0;
    float ring[2] = {0, 0};
    double found = 0;
    const auto refused = [&](i64 series, i64 tick, i64 moment) {
        CHECK_THROWS(interval_walk({&series, &tick, &error, &moment, 1, &step, 1, two.data(), two.data(), 1, 1, 1, 5, 6, 9, 0.1F, two.data(), &factor, ring, ring, &found,
                                    as_libm, nullptr}),
                     std::invalid_argument);
    };
    refused(1, 7, 0);
    refused(-1, 7, 0);
    refused(0, 9, 0);
    refused(0, 5, 0);
    refused(0, 7, 1);
}

}  // namespace

int main() {
    for (unsigned seed = 0; seed < 6; ++seed)
        for (const i64 count : {0, 1, 5, 40, 300})
            for (const i64 rows : {500, 10, 3}) check_quantiles(drawn(seed, count, rows));
    check_walk();
    check_close_call();
    check_refusals();
    return check::done("intervals");
}
