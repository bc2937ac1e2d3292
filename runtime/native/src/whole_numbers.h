// Roundings that the planners share. No kernel includes it: an inline function compiled for wide registers could be the
// one that the linker keeps for all.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace seqloom {

inline std::int64_t up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }
inline std::int64_t parts(std::int64_t n, std::int64_t of) { return (n + of - 1) / of; }

// The Philox words below it are that share of all.
inline std::uint32_t threshold_of(double probability) {
    return static_cast<std::uint32_t>(std::min(std::nearbyint(probability * 4294967296.0), 4294967295.0));
}

}  // namespace seqloom
