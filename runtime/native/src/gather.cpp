#include "seqloom/gather.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "seqloom/threads.h"

namespace seqloom {
namespace {

void check(const GatherWindows& job) {
    if (job.length < 0 || job.every < 1)
        throw std::invalid_argument("a window needs length >= 0 and every >= 1, not length " + std::to_string(job.length) + " and every " +
                                    std::to_string(job.every) + ".");
    if (job.length == 0) return;
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(job.length - 1, job.every, &reach))
        throw std::invalid_argument("the window's length times its step overflows 64 bits.");
    for (std::int64_t n = 0; n < job.count; ++n) {
        std::int64_t first = 0;
        std::int64_t last = 0;
        const bool overflow = __builtin_add_overflow(job.origins[n], job.offset_first, &first) || __builtin_add_overflow(first, reach, &last);
        if (overflow || first < 0 || last >= job.rows)
            throw std::out_of_range("window " + std::to_string(n) + " with origin " + std::to_string(job.origins[n]) + " needs rows " +
                                    (overflow ? std::string("beyond 64 bits") : std::to_string(first) + " to " + std::to_string(last)) +
                                    ", but the table has rows 0 to " + std::to_string(job.rows - 1) + ".");
    }
}

}  // namespace

void gather_windows(const GatherWindows& job, int threads) {
    check(job);
    const std::int64_t window = job.length * job.columns;
    if (window == 0 || job.count == 0) return;
    const std::int64_t per_piece = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / window);  // about 256 KiB each
    const std::int64_t pieces = (job.count + per_piece - 1) / per_piece;
    parallel_for(pieces, threads, [&](std::int64_t piece) {
        const std::int64_t end = std::min(job.count, (piece + 1) * per_piece);
        for (std::int64_t n = piece * per_piece; n < end; ++n) {
            const float* from = job.matrix + (job.origins[n] + job.offset_first) * job.columns;
            float* to = job.out + n * window;
            if (job.every == 1) {
                std::memcpy(to, from, static_cast<std::size_t>(window) * sizeof(float));
                continue;
            }
            for (std::int64_t l = 0; l < job.length; ++l)
                std::memcpy(to + l * job.columns, from + l * job.every * job.columns, static_cast<std::size_t>(job.columns) * sizeof(float));
        }
    });
}

}  // namespace seqloom
