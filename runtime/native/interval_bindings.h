// Prediction intervals as Python calls them: shapes are checked here, ticks and places in the core. Part of bindings.cpp.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>

#include "seqloom/intervals.h"

namespace interval_bindings {

namespace nb = nanobind;
using namespace nb::literals;

template <class Number, int axes>
using Array = nb::ndarray<Number, nb::ndim<axes>, nb::c_contig, nb::device::cpu>;
template <int axes>
using Ticks = Array<const std::int64_t, axes>;
template <int axes>
using Numbers = Array<const double, axes>;
template <int axes>
using Results = Array<double, axes>;

inline std::int64_t extent(const auto& array, std::size_t axis = 0) { return static_cast<std::int64_t>(array.shape(axis)); }

inline void expect(bool holds, const char* what) {
    if (!holds) throw nb::value_error(what);
}

// out: the quantiles of |error|, error and minus error.
inline void quantiles(const Ticks<1>& tick, const Numbers<2>& errors, const Ticks<1>& steps, const Ticks<1>& now, std::int64_t since,
                      const Numbers<1>& weights, std::int64_t rows, const Numbers<1>& levels, const Numbers<1>& shared, double high,
                      Results<4>& out, Results<2>& total, int threads) {
    const std::int64_t K = extent(steps);
    const std::int64_t L = extent(levels);
    const std::int64_t R = extent(now);
    expect(K > 0 && extent(errors) == extent(tick) && extent(errors, 1) == K && extent(shared) == K, "errors (N, K) of ticks (N,) and steps (K,) expected.");
    expect(extent(out) == 3 && extent(out, 1) == R && extent(out, 2) == L && extent(out, 3) == K, "out of shape (3, R, L, K) expected.");
    expect(extent(total) == R && extent(total, 1) == K, "total of shape (R, K) expected.");
    const std::int64_t forgotten = extent(weights) - steps.data()[K - 1] - 1;
    expect(steps.data()[K - 1] >= 0 && forgotten >= 0, "weights of every age expected.");
    const seqloom::IntervalQuantiles job{.tick = tick.data(), .errors = errors.data(), .count = extent(tick), .steps = steps.data(), .K = K,
                                         .now = now.data(), .moments = R, .since = since, .forgotten = forgotten, .weights = weights.data(),
                                         .rows = rows, .levels = levels.data(), .L = L, .shared = shared.data(), .high = high,
                                         .middle = out.data(), .above = out.data() + R * L * K, .below = out.data() + 2 * R * L * K,
                                         .total = total.data()};
    const nb::gil_scoped_release release;
    seqloom::interval_quantiles(job, threads);
}

inline double asked(void* function, double value) {
    const nb::gil_scoped_acquire acquire;
    return nb::cast<double>((*static_cast<const nb::callable*>(function))(value));
}

inline void walk(const Ticks<1>& series, const Ticks<1>& tick, const Numbers<2>& errors, const Ticks<1>& moment, const Ticks<1>& steps,
                 const Numbers<4>& centre, const Numbers<4>& radius, const Ticks<1>& range, double pace, const Numbers<1>& allowed,
                 Results<2>& factors, Array<float, 3>& missed, Array<float, 2>& counted, Results<2>& found, const nb::callable& exactly) {
    const std::int64_t N = extent(tick);
    const std::int64_t K = extent(steps);
    const std::int64_t S = extent(factors);
    const std::int64_t L = extent(factors, 1);
    expect(extent(series) == N && extent(errors) == N && extent(moment) == N && extent(found) == N && extent(found, 1) == L && extent(errors, 1) == K,
           "series, ticks, errors (N, K), moments and found (N, L) of the same windows expected.");
    for (const auto* part : {&centre, &radius})
        expect(extent(*part) == extent(centre) && extent(*part, 1) == S + 1 && extent(*part, 2) == L && extent(*part, 3) == K,
               "centre and radius of shape (R, S + 1, L, K) expected.");
    const std::int64_t ring = K > 0 ? steps.data()[K - 1] + 1 : 0;
    expect(extent(missed) == ring && extent(missed, 1) == S && extent(missed, 2) == L && extent(counted) == ring && extent(counted, 1) == S,
           "missed (H + 1, S, L) and counted (H + 1, S) expected.");
    expect(extent(allowed) == L && extent(range) == 3, "a share for each level, and three ticks, expected.");
    const seqloom::IntervalWalk job{.series = series.data(), .tick = tick.data(), .errors = errors.data(), .moment = moment.data(), .count = N,
                                    .steps = steps.data(), .K = K, .centre = centre.data(), .radius = radius.data(), .moments = extent(centre),
                                    .S = S, .L = L, .before = range.data()[0], .start = range.data()[1], .end = range.data()[2],
                                    .pace = static_cast<float>(pace), .allowed = allowed.data(), .factors = factors.data(),
                                    .missed = missed.data(), .counted = counted.data(), .found = found.data(), .exactly = asked,
                                    .context = const_cast<nb::callable*>(&exactly)};
    const nb::gil_scoped_release release;
    seqloom::interval_walk(job);
}

inline void define(nb::module_& m) {
    m.def("interval_quantiles", &quantiles, "tick"_a.noconvert(), "errors"_a.noconvert(), "steps"_a.noconvert(), "now"_a.noconvert(), "since"_a,
          "weights"_a.noconvert(), "rows"_a, "levels"_a.noconvert(), "shared"_a.noconvert(), "high"_a, "out"_a.noconvert(), "total"_a.noconvert(),
          "threads"_a);
    m.def("interval_walk", &walk, "series"_a.noconvert(), "tick"_a.noconvert(), "errors"_a.noconvert(), "moment"_a.noconvert(),
          "steps"_a.noconvert(), "centre"_a.noconvert(), "radius"_a.noconvert(), "range"_a.noconvert(), "pace"_a, "allowed"_a.noconvert(),
          "factors"_a.noconvert(), "missed"_a.noconvert(), "counted"_a.noconvert(), "found"_a.noconvert(), "exactly"_a);
}

}  // namespace interval_bindings
