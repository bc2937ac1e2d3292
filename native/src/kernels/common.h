// What forward and backward share: scratch memory, the inputs of a step, layer norm, the random draws of a step.
#pragma once

#include "../planted.h"
#include "../scan_plan.h"
#include "activations.h"
#include "products.h"
#include "random.h"
#include "simd.h"

namespace seqloom {
namespace {

inline i64 up(i64 n, i64 to) { return (n + to - 1) / to * to; }
inline i64 least(i64 a, i64 b) { return a < b ? a : b; }

// Hands out pieces of one block of memory; with a null base it only measures.
class Carver {
  public:
    explicit Carver(float* base) : base_(base) {}
    float* take(i64 n) {
        float* at = base_ == nullptr ? nullptr : base_ + used_;
        used_ += up(n, 16);
        return at;
    }
    i64 used() const { return used_; }

  private:
    float* base_;
    i64 used_ = 0;
};

inline void copy_row(float* to, const float* from, i64 n) {
    for (i64 j = 0; j < n; j += W) store_n(to + j, load_n(from + j, n - j), n - j);
}
inline void fill_zero(float* to, i64 n) {
    for (i64 j = 0; j < n; j += W) store_n(to + j, zero(), n - j);
}
// The first n numbers of a row, zeros up to `padded` (a multiple of 16).
inline void copy_padded(float* to, const float* from, i64 n, i64 padded) {
    for (i64 j = 0; j < padded; j += W) store(to + j, n > j ? load_n(from + j, n - j) : zero());
}
inline void store_part(float* to, vf v, i64 n) {
    if (n >= W) store(to, v);
    else if (n > 0) store_n(to, v, n);
}

// Ask for n floats to be brought near (into the second cache: the first one holds the weights).
inline void prefetch(const float* p, i64 n) {
    for (i64 j = 0; j < n; j += 16) __builtin_prefetch(p + j, 0, 2);
}

inline bool kept(const ScanPlan& p, i64 b, i64 t) { return p.mask == nullptr || p.mask[b * p.T + t] != 0 || planted(Mistake::forgotten_mask); }
inline i64 time_of(const ScanPlan& p, i64 step) { return p.reverse ? p.T - 1 - step : step; }

// h_{t-1} of batch row b: the output of the step before in running order, or the initial state.
inline const float* state_before(const ScanPlan& p, i64 b, i64 step) {
    if (planted(Mistake::reverse_state) && p.reverse && step > 0) return p.states + (b * p.T + (p.T - 1 - step > 0 ? p.T - 2 - step : 0)) * p.S;
    return step == 0 ? p.h0 + b * p.S : p.states + (b * p.T + time_of(p, step - 1)) * p.S;
}
inline float* saved_at(const ScanPlan& p, i64 b, i64 t) { return p.saved + (t * p.B + b) * p.saved_row; }

// The draws of one step for the rows of a tile; null where the option is off or its mean is used.
struct StepDraws {
    float* hidden = nullptr;     // (rows, Sp): 1 where a unit of h keeps its old value
    float* cell = nullptr;       // (rows, Hp)
    float* candidate = nullptr;  // (rows, Hp): 0 or 1 / (1 - p)

    void carve(Carver& carver, const ScanPlan& p) {
        if (p.zoneout.drawn) hidden = carver.take(p.tile * p.Sp);
        if (p.zoneout_cell.drawn) cell = carver.take(p.tile * p.Hp);
        if (p.candidate.drawn) candidate = carver.take(p.tile * p.Hp);
    }
    void draw(const ScanPlan& p, i64 first, i64 rows, i64 t) const {
        if (planted(Mistake::draws_by_row_of_tile)) first = 0;
        for (i64 r = 0; r < rows; ++r) {
            if (hidden != nullptr) draw_events(p.key, p.zoneout.threshold, stream_hidden, first + r, t, p.Sp, 1.0F, 0.0F, hidden + r * p.Sp);
            if (cell != nullptr) draw_events(p.key, p.zoneout_cell.threshold, stream_cell, first + r, t, p.Hp, 1.0F, 0.0F, cell + r * p.Hp);
            if (candidate != nullptr)
                draw_events(p.key, p.candidate.threshold, stream_candidate, first + r, t, p.Hp, 0.0F,
                            planted(Mistake::dropout_not_scaled) ? 1.0F : 1.0F / (1.0F - p.candidate.probability), candidate + r * p.Hp);
        }
    }
};

// ζ for unit j of a row: drawn, or the mean.
inline vf zeta(const Draw& draw, const float* drawn, i64 j) { return drawn == nullptr ? set1(draw.probability) : load(drawn + j); }

struct Moments {
    float mean;
    float scale;  // 1 / sqrt(variance + epsilon)
};

// Over `blocks` blocks of `size` numbers, `padded` apart, the numbers between being zero.
inline Moments moments(const float* a, i64 blocks, i64 size, i64 padded, float epsilon) {
    const float count = static_cast<float>(blocks * (planted(Mistake::norm_over_padding) ? padded : size));
    vf total = zero();
    for (i64 j = 0; j < blocks * padded; j += W) total = total + load(a + j);
    const float mean = sum(total) / count;
    const vf m = set1(mean);
    const vf tail = ones_below(size % W);
    vf squares = zero();
    for (i64 block = 0; block < blocks; ++block) {
        const float* v = a + block * padded;
        i64 j = 0;
        for (; j + W <= size; j += W) squares = fma(load(v + j) - m, load(v + j) - m, squares);
        if (j < size) squares = fma(square(load(v + j) - m), tail, squares);
    }
    return {mean, 1.0F / __builtin_sqrtf(sum(squares) / count + epsilon)};
}

// out = (a - mean) * scale, zero in the columns between. `out` may be `a`.
inline void normalise(const float* a, float* out, i64 blocks, i64 size, i64 padded, Moments moment) {
    const vf m = set1(moment.mean);
    const vf s = set1(moment.scale);
    const vf tail = ones_below(size % W);
    for (i64 block = 0; block < blocks; ++block)
        for (i64 j = 0; j < padded; j += W) {
            const i64 at = block * padded + j;
            const vf v = (load(a + at) - m) * s;
            store(out + at, j + W <= size ? v : j < size ? v * tail : zero());
        }
}

// Gradient of a normalised row: out = (g - mean(g) - n mean(g n)) * scale with n the normalised row, zero between blocks.
inline void normalise_back(const float* g, const float* n, float* out, i64 blocks, i64 size, i64 padded, float scale) {
    vf total = zero();
    vf products = zero();
    for (i64 j = 0; j < blocks * padded; j += W) {
        total = total + load(g + j);
        products = fma(load(g + j), load(n + j), products);
    }
    const float count = static_cast<float>(blocks * size);
    const vf mean = set1(sum(total) / count);
    const vf slant = set1(sum(products) / count);
    const vf s = set1(scale);
    const vf tail = ones_below(size % W);
    for (i64 block = 0; block < blocks; ++block)
        for (i64 j = 0; j < padded; j += W) {
            const i64 at = block * padded + j;
            const vf v = (load(g + at) - mean - load(n + at) * slant) * s;
            store(out + at, j + W <= size ? v : j < size ? v * tail : zero());
        }
}

}  // namespace
}  // namespace seqloom
