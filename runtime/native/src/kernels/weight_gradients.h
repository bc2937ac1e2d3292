// Weight gradients of large problems, made after the loop: products over all steps and rows of the batch.
#pragma once

#include "common.h"

namespace seqloom {
namespace {

// Row (t, b) of the matrices whose products with the gradients are the weight gradients, from column `start` on.
inline void put_factor(const ScanPlan& p, LateMatrix which, i64 b, i64 step, i64 start, i64 n, float* a, i64 block_stride, i64 k) {
    const i64 t = time_of(p, step);
    if (!kept(p, b, t)) {
        a += k * MR;
        for (i64 i = 0; i < n; i += MR, a += block_stride)
            for (int m = 0; m < MR; ++m) a[m] = 0.0F;
        return;
    }
    const float* d_h = p.d_h == nullptr ? nullptr : p.d_h + b * p.S + start;
    const Tile tile = tile_at(p, b / p.tile);
    const float* saved = saved_at(p, tile, b - tile.first, step);
    switch (which) {
        case LateMatrix::x:
            return put_column(p.x + (b * p.T + t) * p.I + start, p.d_x == nullptr ? nullptr : p.d_x + b * p.I + start, n, a, block_stride, k);
        case LateMatrix::h: return put_column(state_before(p, b, step) + start, d_h, n, a, block_stride, k);
        case LateMatrix::out: return put_column(saved + p.saved_hidden + start, nullptr, n, a, block_stride, k);
        case LateMatrix::reset: break;
    }
    const float* r = saved + p.Hp + start;
    const float* h = state_before(p, b, step) + start;
    a += k * MR;
    for (i64 i = 0; i < n; i += MR, a += block_stride)
        for (i64 m = 0; m < MR; ++m) a[m] = i + m < n ? r[i + m] * h[i + m] * (d_h == nullptr ? 1.0F : d_h[i + m]) : 0.0F;
}

constexpr i64 late_depth = 256;
constexpr i64 late_block = late_depth * MR + 16;  // not a power of two: the blocks of a row fall into different sets of the cache

inline i64 late_scratch(const LatePiece& piece) { return late_block * (up(piece.rows, MR) / MR) + late_depth * NV * W + 32; }

// One piece of a weight gradient as a product over all (t, b), in order.
inline void late_gradient(const ScanPlan& p, const LatePiece& piece, float* scratch) {
    const FlushDenormals flush;
    float* a = scratch;
    float* packed = scratch + up(late_block * (up(piece.rows, MR) / MR), 16);
    const bool out = piece.which == LateMatrix::out;
    const i64 ld = out ? p.Sp : p.grad_row;
    const i64 shift = piece.which == LateMatrix::h ? p.grad_h : 0;
    const float* grads = (out ? p.out_grads : p.grads) + shift + piece.column;
    const Panels panels(piece.columns);
    for (i64 q = 0; q < p.T * p.B; q += late_depth) {
        const i64 depth = least(late_depth, p.T * p.B - q);
        for (i64 k = 0; k < depth; ++k) {
            const i64 t = (q + k) / p.B;
            put_factor(p, piece.which, (q + k) % p.B, p.reverse ? p.T - 1 - t : t, piece.row, piece.rows, a, late_block, k);
        }
        i64 column = 0;
        for (i64 panel = 0; panel < panels.count; ++panel) {
            const i64 width = panels.width(panel) * W;
            for (i64 k = 0; k < depth; ++k)
                for (i64 j = 0; j < width; j += W) store(packed + k * width + j, load(grads + (q + k) * ld + column + j));
            outer_product(piece.rows, width, depth, a, MR, late_block, packed, width, piece.out + column, piece.ld);
            column += width;
        }
    }
}

}  // namespace
}  // namespace seqloom
