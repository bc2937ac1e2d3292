// Cuts windows out of a table: one memory-bound copy for a whole batch.
#pragma once

#include <cstdint>

namespace seqloom {

// out[n, l, :] = matrix[origins[n] + offset_first + l * every, :] for l in [0, length), n in [0, count).
struct GatherWindows {
    const float* matrix;  // (rows, columns)
    std::int64_t rows;
    std::int64_t columns;
    const std::int64_t* origins;  // (count)
    std::int64_t count;
    std::int64_t offset_first;
    std::int64_t length;
    std::int64_t every;
    float* out;  // (count, length, columns)
};

// Throws std::out_of_range, naming the first window that reaches outside the table, before anything is written.
void gather_windows(const GatherWindows& job, int threads);

}  // namespace seqloom
