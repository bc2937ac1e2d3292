// Prediction intervals over rolling origins: quantiles of the errors known at many moments, and the walk that follows
// what has been missed. Twins of seqloom_runtime/statistical/recent_quantiles.py and misses.py, to the same bits.
#pragma once

#include <cstdint>

namespace seqloom {

// Weighted conformal quantiles of the errors of one series at `moments` ticks `now`, which rise. Of a window, the error
// of a step counts at a moment if it is finite, its target (tick + step) lies in since … now, and the window's tick is
// at least max(since, now - forgotten) - steps[K - 1] and below `now`. It weighs weights[now - target]; of the windows
// in that range every n-th is taken, from the last one on, where n is their number by `rows`, rounded down, at least 1.
//
// At level a of total mass M the quantile is the smallest value up to which a (M + c) - 1e-9 of the mass lies, or the
// largest value; c is max(shared[k] / n, 1) from the level `high` on, else 1. Equal values stand in order of their rows.
struct IntervalQuantiles {
    const std::int64_t* tick;  // (count), rising
    const double* errors;  // (count, K)
    std::int64_t count;
    const std::int64_t* steps;  // (K), rising, at least 1
    std::int64_t K;
    const std::int64_t* now;  // (moments), rising
    std::int64_t moments;
    std::int64_t since;
    std::int64_t forgotten;
    const double* weights;  // (forgotten + steps[K - 1] + 1)
    std::int64_t rows;
    const double* levels;  // (L)
    std::int64_t L;
    const double* shared;  // (K)
    double high;
    double* middle;  // (moments, L, K): of |error| at the level a
    double* above;  // (moments, L, K): of the error at (1 + a) / 2
    double* below;  // (moments, L, K): of minus the error at (1 + a) / 2
    double* total;  // (moments, K): the sum of all weights, in pairs as NumPy adds them
};

// Throws std::invalid_argument for ticks, steps or moments that don't rise or lie beyond 2^60, and sizes below 1.
void interval_quantiles(const IntervalQuantiles& job, int threads);

// From the tick `start` up to `end`, those of the windows (in order of tick; the first may lie before `before`): ln f of
// a window is `found`, and f grows with what has been missed, as seqloom_runtime/statistical/misses.py says.
struct IntervalWalk {
    const std::int64_t* series;  // (count)
    const std::int64_t* tick;  // (count), rising
    const double* errors;  // (count, K), NaN where unknown
    const std::int64_t* moment;  // (count): which centre and radius are a window's
    std::int64_t count;
    const std::int64_t* steps;  // (K), rising, at least 1
    std::int64_t K;
    const double* centre;  // (moments, S + 1, L, K)
    const double* radius;  // (moments, S + 1, L, K)
    std::int64_t moments;
    std::int64_t S;
    std::int64_t L;
    std::int64_t before;
    std::int64_t start;
    std::int64_t end;
    float pace;
    const double* allowed;  // (L)
    double* factors;  // (S, L), gone on with
    float* missed;  // (steps[K - 1] + 1, S, L): a ring of rows ahead
    float* counted;  // (steps[K - 1] + 1, S)
    double* found;  // (count, L)
    // exp as NumPy has it, asked where the last bits of ours would decide.
    double (*exactly)(void* context, double value);
    void* context;
};

// Throws std::invalid_argument for what doesn't fit together, before anything is written.
void interval_walk(const IntervalWalk& job);

}  // namespace seqloom
