// What this machine can do at most, measured: the yardstick of the benchmarks.
#pragma once

#include <cstdint>

namespace seqloom {

// Floating-point operations a second of multiply-adds on numbers that stay in registers, with the instruction set in use and `threads`
// threads at once; a multiply-add counts as two. The best of a few tries of about a millisecond each.
double peak_operations(int threads);

// Bytes a second to and from memory of a[i] = b[i] + s * c[i], as STREAM counts them: three arrays, each moved once. Each array has
// `floats` numbers, which should be more than the last cache holds. Throws std::invalid_argument below 1024 and above 2^28 numbers.
double memory_bandwidth(std::int64_t floats, int threads);

}  // namespace seqloom
