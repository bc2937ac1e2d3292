// The measuring loops of one instruction set.
#pragma once

#include <cstdint>

namespace seqloom {

struct YardstickKernels {
    std::int64_t operations_a_round;  // floating-point operations
    float (*multiply_adds)(std::int64_t rounds, float factor, float more);
};

const YardstickKernels& portable_yardstick() noexcept;
const YardstickKernels& avx2_yardstick() noexcept;
const YardstickKernels& avx512_yardstick() noexcept;

}  // namespace seqloom
