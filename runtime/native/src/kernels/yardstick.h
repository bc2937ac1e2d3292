// Multiply-adds that wait for nothing: enough sums in registers to keep every unit of the processor busy.
#pragma once

#include "simd.h"

namespace seqloom {
namespace {

constexpr int sums_at_once = 12;
constexpr i64 operations_a_round = i64{2} * sums_at_once * W;

inline float multiply_adds(i64 rounds, float factor, float more) {
    vf sums[sums_at_once];
    for (int k = 0; k < sums_at_once; ++k) sums[k] = set1(static_cast<float>(k));
    const vf by = set1(factor);
    const vf plus = set1(more);
    for (i64 round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
        for (int k = 0; k < sums_at_once; ++k) sums[k] = fma(sums[k], by, plus);
    }
    vf total = zero();
    for (int k = 0; k < sums_at_once; ++k) total = total + sums[k];
    return sum(total);
}

constexpr YardstickKernels yardstick{operations_a_round, multiply_adds};

}  // namespace
}  // namespace seqloom
