// The weight gradients' sums over tiles, and their way back into the order of the weights.
#pragma once

#include <cstdint>

#include "scan_plan.h"
#include "scan_weights.h"
#include "seqloom/scan.h"

namespace seqloom {

// The sums of one strand, or of all of them, in one block of memory.
struct Sums {
    WeightGrads grads{};
    std::int64_t w_x = 0, w_h = 0, w_out = 0, size = 0;

    Sums(const ScanPlan& p, bool matrices, float* memory) {
        const std::int64_t gates = p.G * p.Hp;
        auto take = [&](std::int64_t floats) {
            float* at = memory == nullptr ? nullptr : memory + size;
            size += up(floats, 16);
            return at;
        };
        if (matrices) {
            grads.w_x = take(w_x = up(p.I, 8) * gates);
            grads.w_h = take(w_h = up(p.S, 8) * gates);
            grads.w_out = take(w_out = p.has_out ? up(p.H, 8) * p.Sp : 0);
        }
        grads.blocks = take(p.blocks * p.Hp);
        grads.gain_x = take(p.layer_norm ? gates : 0);
        grads.gain_h = take(p.layer_norm ? gates : 0);
        grads.gain_c = take(p.layer_norm ? p.Hp : 0);
        grads.peephole = take(p.peephole ? 3 * p.Hp : 0);
        grads.bias_out = take(p.has_out ? p.Sp : 0);
    }
};

// Brings the sums from block order into the order of the weights: those of `strands` strands, `first.size` apart, the
// matrices' in `matrices` and `matrix_stride` apart.
void collect_all(const ScanPlan& p, const Weights& w, const ScanGradients& g, const Sums& first, std::int64_t strands, std::int64_t matrix_strands,
                 std::int64_t matrix_stride, const Sums& matrices, int threads);

// The weight gradients after the loop, in pieces that one thread each makes.
void late_gradients(const ScanPlan& p, const WeightGrads& to, int threads);

}  // namespace seqloom
