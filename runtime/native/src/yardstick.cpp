#include "seqloom/yardstick.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "seqloom/cpu.h"
#include "seqloom/threads.h"
#include "seqloom/workspace.h"
#include "yardstick_kernels.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;
constexpr int tries = 5;
constexpr i64 rounds = i64{1} << 18;  // about a millisecond

const YardstickKernels& current_yardstick() {
    switch (current_isa()) {
#if defined(__x86_64__)
        case Isa::avx512: return avx512_yardstick();
        case Isa::avx2: return avx2_yardstick();
#endif
        default: return portable_yardstick();
    }
}

// The shortest of a few runs, in seconds.
template <class Run>
double shortest(const Run& run) {
    double best = 0;
    for (int k = 0; k < tries; ++k) {
        const auto began = std::chrono::steady_clock::now();
        run();
        const double taken = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        best = k == 0 ? taken : std::min(best, taken);
    }
    return best;
}

}  // namespace

double peak_operations(int threads) {
    const YardstickKernels& kernels = current_yardstick();
    const i64 pieces = std::max(threads, 1);
    std::vector<float> results(static_cast<std::size_t>(pieces));  // so that no loop is without effect
    const double seconds = shortest([&] {
        parallel_for(pieces, threads, [&](i64 piece) { results[static_cast<std::size_t>(piece)] = kernels.multiply_adds(rounds, 0.999F, 0.001F); });
    });
    return static_cast<double>(pieces * rounds * kernels.operations_a_round) / seconds;
}

double memory_bandwidth(i64 floats, int threads) {
    if (floats < 1024 || floats > (i64{1} << 28))
        throw std::invalid_argument("memory_bandwidth: from 1024 to 2^28 numbers are measured, not " + std::to_string(floats) + ".");
    const Workspace memory(3 * floats);
    float* a = memory.data();
    float* b = a + floats;
    float* c = b + floats;
    std::fill_n(a, 3 * floats, 1.0F);
    const i64 pieces = std::max(threads, 1);
    const double seconds = shortest([&] {
        parallel_for(pieces, threads, [&](i64 piece) {
            const i64 end = floats * (piece + 1) / pieces;
            for (i64 i = floats * piece / pieces; i < end; ++i) a[i] = b[i] + 3.0F * c[i];
        });
    });
    return 3.0 * sizeof(float) * static_cast<double>(floats) / seconds;
}

}  // namespace seqloom
