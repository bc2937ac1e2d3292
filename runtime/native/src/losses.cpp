#include "seqloom/losses.h"

#include <algorithm>
#include <vector>

#include "seqloom/threads.h"

namespace seqloom {
namespace {

constexpr std::int64_t piece = std::int64_t{1} << 15;  // numbers that one thread takes at a time
constexpr std::int64_t row = 1024;                     // numbers summed in float32, in 16 sums side by side
constexpr std::int64_t lanes = 16;

template <bool with_gradient>
double sum_of(const float* __restrict y, const float* __restrict target, std::int64_t n, float scale, float* __restrict gradient) {
    double total = 0;
    for (std::int64_t begin = 0; begin < n; begin += row) {
        const std::int64_t end = std::min(n, begin + row);
        const std::int64_t whole = begin + (end - begin) / lanes * lanes;
        float sums[lanes] = {};
        for (std::int64_t i = begin; i < whole; i += lanes)
            for (std::int64_t k = 0; k < lanes; ++k) {
                const float d = y[i + k] - target[i + k];
                sums[k] += d * d;
                if constexpr (with_gradient) gradient[i + k] = scale * d;
            }
        for (std::int64_t i = whole; i < end; ++i) {
            const float d = y[i] - target[i];
            sums[0] += d * d;
            if constexpr (with_gradient) gradient[i] = scale * d;
        }
        for (const float sum : sums) total += static_cast<double>(sum);
    }
    return total;
}

}  // namespace

double squared_error(const float* y, const float* target, std::int64_t n, float scale, float* gradient, int threads) {
    const std::int64_t pieces = (n + piece - 1) / piece;
    std::vector<double> sums(static_cast<std::size_t>(pieces));
    parallel_for(pieces, threads, [&](std::int64_t k) {
        const std::int64_t begin = k * piece;
        const std::int64_t count = std::min(n - begin, piece);
        sums[static_cast<std::size_t>(k)] = gradient == nullptr ? sum_of<false>(y + begin, target + begin, count, scale, nullptr)
                                                                : sum_of<true>(y + begin, target + begin, count, scale, gradient + begin);
    });
    double total = 0;
    for (const double sum : sums) total += sum;
    return total;
}

}  // namespace seqloom
