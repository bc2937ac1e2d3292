// Losses whose gradient is worked out in the same pass.
#pragma once

#include <cstdint>

namespace seqloom {

// sum over n of (y[i] - target[i])^2, and, where gradient is not null, gradient[i] = scale * (y[i] - target[i]).
// The same bits for any number of threads.
double squared_error(const float* y, const float* target, std::int64_t n, float scale, float* gradient, int threads);

}  // namespace seqloom
