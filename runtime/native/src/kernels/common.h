// What forward and backward share: scratch memory, where the rows of a tile lie.
#pragma once

#include "../planted.h"
#include "../scan_plan.h"
#include "activations.h"
#include "products.h"
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
    i64 j = 0;
    for (; j + W <= n; j += W) store(to + j, load(from + j));
    if (j < n) store_n(to + j, load_n(from + j, n - j), n - j);
}
inline void fill_zero(float* to, i64 n) {
    i64 j = 0;
    for (; j + W <= n; j += W) store(to + j, zero());
    if (j < n) store_n(to + j, zero(), n - j);
}
// The first n numbers of a row, zeros up to `padded` (a multiple of 16).
inline void copy_padded(float* to, const float* from, i64 n, i64 padded) {
    i64 j = 0;
    for (; j + W <= n; j += W) store(to + j, load(from + j));
    for (; j < padded; j += W) store(to + j, n > j ? load_n(from + j, n - j) : zero());
}
inline vf load_part(const float* p, i64 n) { return n >= W ? load(p) : n > 0 ? load_n(p, n) : zero(); }
inline void store_part(float* to, vf v, i64 n) {
    if (n >= W) store(to, v);
    else if (n > 0) store_n(to, v, n);
}

inline bool kept(const ScanPlan& p, i64 b, i64 t) { return p.mask == nullptr || p.mask[b * p.T + t] != 0 || planted(Mistake::forgotten_mask); }
inline i64 time_of(const ScanPlan& p, i64 step) { return p.reverse ? p.T - 1 - step : step; }

// h_{t-1} of batch row b: the output of the step before in running order, or the initial state.
inline const float* state_before(const ScanPlan& p, i64 b, i64 step) {
    if (planted(Mistake::reverse_state) && p.reverse && step > 0) return p.states + (b * p.T + (p.T - 1 - step > 0 ? p.T - 2 - step : 0)) * p.S;
    return step == 0 ? p.h0 + b * p.S : p.states + (b * p.T + time_of(p, step - 1)) * p.S;
}

// The batch rows of a tile.
struct Tile {
    i64 first, rows;
};
inline Tile tile_at(const ScanPlan& p, i64 index) { return {index * p.tile, least(p.tile, p.B - index * p.tile)}; }

// Row r of a tile at a step in the values saved for the backward pass: tile by tile, in each step by step.
inline float* saved_at(const ScanPlan& p, const Tile& tile, i64 r, i64 step) {
    return p.saved + (tile.first * p.T + step * tile.rows + r) * p.saved_row;
}

// Inputs and results of the steps lie far apart in memory, each row of the batch in pages of its own. They are moved a few
// steps (p.chunk) at a time between there and these rows: x times d_x, which ends where h begins, then h.
struct ChunkRows {
    i64 inputs;  // columns before h: I rounded up to 16
    i64 ld;
    explicit ChunkRows(const ScanPlan& p, i64 more = 0) : inputs(up(p.I, 16)), ld(inputs + p.Sp + more) {
        if (ld / 16 % 2 == 0) ld += 16;  // an odd number of cache lines: rows spread over all sets of the cache
    }
};

// x_t times d_x; zeros where the step is masked, so that nothing of it is read. Whole vectors: up to W - 1 zeros follow.
inline void load_input(const ScanPlan& p, i64 b, i64 t, float* to) {
    const float* x = p.x + (b * p.T + (planted(Mistake::late_by_one) && t > 0 ? t - 1 : t)) * p.I;
    const float* d = p.d_x == nullptr ? nullptr : p.d_x + b * p.I;
    const bool keep = kept(p, b, t);
    for (i64 j = 0; j < p.I; j += W) {
        vf v = zero();
        if (keep) v = d == nullptr ? load_part(x + j, p.I - j) : load_part(x + j, p.I - j) * load_part(d + j, p.I - j);
        store(to + j, v);
    }
}

// One of several rows of n numbers to where they lie side by side, first to last: with room for whole vectors, what a row
// writes past its end is overwritten by the next ones. A store under a mask into memory that is not near waits for it.
inline void copy_in_order(float* to, const float* from, i64 n, i64 room) {
    if (room < up(n, W)) return copy_row(to, from, n);
    for (i64 j = 0; j < n; j += W) store(to + j, load(from + j));
}

}  // namespace
}  // namespace seqloom
