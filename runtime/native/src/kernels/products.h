// Small matrix products, one register tile at a time: C (rows, columns) = start + A B.
//
// B is packed in panels of up to NV vectors of columns: panel after panel, in each for every k its columns. The sum over
// k runs in order for every element of C, whatever the tile, so that a row's result does not depend on its neighbours.
#pragma once

#include "../scan_plan.h"
#include "ahead.h"
#include "simd.h"

namespace seqloom {
namespace {

enum class Start { zero, row, add };  // C starts from 0, from one row for all, or from what it holds

// A(m, k) is a[m * lda + k]; with Across it is a[k * lda + m].
template <int M, int N, bool Across>
inline void tile_product(i64 depth, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, Start start, const float* row) {
    vf acc[M][N];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v)
            acc[m][v] = start == Start::zero ? zero() : load(start == Start::row ? row + v * W : c + m * ldc + v * W);
    const float* at[M];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) at[m] = a + m * lda;
    for (i64 k = 0; k < depth; ++k) {
        vf right[N];
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) right[v] = load(b + v * W);
        b += ldb;
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) {
            const vf left = set1(Across ? a[m] : at[m][k]);
#pragma GCC unroll 4
            for (int v = 0; v < N; ++v) acc[m][v] = fma(left, right[v], acc[m][v]);
        }
        if constexpr (Across) a += lda;
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) store(c + m * ldc + v * W, acc[m][v]);
}

template <int N>
inline void panel_product(i64 rows, i64 depth, const float* a, i64 lda, const float* b, float* c, i64 ldc, Start start, const float* row, Ahead* ahead) {
    i64 m = 0;
    for (; m + MR <= rows; m += MR) {
        if (ahead != nullptr) ahead->tick();
        tile_product<MR, N, false>(depth, a + m * lda, lda, b, N * W, c + m * ldc, ldc, start, row);
    }
    if constexpr (MR > 4)
        if (m + 4 <= rows) {
            tile_product<4, N, false>(depth, a + m * lda, lda, b, N * W, c + m * ldc, ldc, start, row);
            m += 4;
        }
    if (m + 2 <= rows) {
        tile_product<2, N, false>(depth, a + m * lda, lda, b, N * W, c + m * ldc, ldc, start, row);
        m += 2;
    }
    if (m < rows) tile_product<1, N, false>(depth, a + m * lda, lda, b, N * W, c + m * ldc, ldc, start, row);
}

// The vectors of a matrix cut into panels of nearly equal width.
struct Panels {
    i64 vectors;
    i64 count;
    explicit Panels(i64 columns) : vectors(columns / W), count((vectors + NV - 1) / NV) {}
    i64 width(i64 panel) const { return vectors / count + (panel < vectors % count ? 1 : 0); }
};

// Register tiles of whole height that `product` makes.
inline i64 register_tiles(i64 rows, const PackedMatrix& w) { return Panels(w.columns).count * (rows / MR); }

// C (rows, w.columns) = start + A (rows, w.depth) · w.
inline void product(i64 rows, const float* a, i64 lda, const PackedMatrix& w, float* c, i64 ldc, Start start, const float* row,
                    Ahead* ahead = nullptr) {
    const Panels panels(w.columns);
    const float* b = w.data;
    for (i64 panel = 0; panel < panels.count; ++panel) {
        const i64 width = panels.width(panel);
        if (width == 3) {
            if constexpr (NV >= 3) panel_product<3>(rows, w.depth, a, lda, b, c, ldc, start, row, ahead);
        } else if (width == 2) {
            panel_product<2>(rows, w.depth, a, lda, b, c, ldc, start, row, ahead);
        } else {
            panel_product<1>(rows, w.depth, a, lda, b, c, ldc, start, row, ahead);
        }
        b += w.depth * width * W;
        c += width * W;
        row += row == nullptr ? 0 : width * W;
    }
}

// W rows of W columns: row i of `out` (ld apart) is row i of the source, the columns `stride` apart in it.
inline void pack_across(const float* from, i64 stride, i64 rows, i64 columns, float* out, i64 ld) {
    alignas(64) float block[W * W];
    for (i64 n = 0; n < W; ++n) {
        const bool real = n < columns;
        for (i64 i = 0; i < W; ++i) block[i * W + n] = real && i < rows ? from[n * stride + i] : 0.0F;
    }
    for (i64 i = 0; i < W; ++i) store(out + i * ld, load(block + i * W));
}

// Pack one panel of a matrix: see PackSource. A vector of columns never crosses a block; in a transposed source (columns
// far apart) the rows lie side by side, and parts are padded to whole vectors.
inline void pack(const PackSource& from, const PackedMatrix& to, float* out, i64 panel) {
    const Panels panels(to.columns);
    i64 first = 0;
    for (i64 before = 0; before < panel; ++before) first += panels.width(before) * W;
    const i64 width = panels.width(panel) * W;
    float* at = out + first * to.depth;
    for (i64 n = 0; n < width; n += W) {
        const i64 block = (first + n) / from.column_padded;
        const i64 unit = (first + n) % from.column_padded;
        const i64 column = from.column_start[block] + unit;
        const i64 columns = from.column_size - unit;  // real ones, the others are zero
        float* to_row = at + n;
        for (int part = 0; part < from.parts; ++part) {
            const PackPart& rows = from.part[part];
            if (from.column_stride == 1) {
                const float* source = rows.data + rows.start * rows.stride + column;
                for (i64 i = 0; i < rows.padded; ++i, to_row += width, source += rows.stride) {
                    if (i >= rows.size || columns <= 0) store(to_row, zero());
                    else store(to_row, columns >= W ? load(source) : load_n(source, columns));
                }
            } else {
                const float* source = rows.data + rows.start + column * from.column_stride;
                for (i64 i = 0; i < rows.padded; i += W, to_row += W * width)
                    pack_across(source + i, from.column_stride, rows.size - i, columns, to_row, width);
            }
        }
    }
}

// C (up to `height` rows, columns) += Aᵀ B over `depth` rows, MR columns of A at a time: row k of A is at a + k * lda, the
// next MR columns `block` further. C and what is read of A reach to the next multiple of MR.
template <int N>
inline void outer_panel(i64 height, i64 depth, const float* a, i64 lda, i64 block, const float* b, i64 ldb, float* c, i64 ldc, Ahead* ahead) {
    for (i64 m = 0; m < height; m += MR, a += block) {
        if (ahead != nullptr) ahead->tick();
        tile_product<MR, N, true>(depth, a, lda, b, ldb, c + m * ldc, ldc, Start::add, nullptr);
    }
}

// Register tiles that `outer_product` makes.
inline i64 outer_tiles(i64 height, i64 columns) { return Panels(columns).count * ((height + MR - 1) / MR); }

inline void outer_product(i64 height, i64 columns, i64 depth, const float* a, i64 lda, i64 block, const float* b, i64 ldb, float* c, i64 ldc,
                          Ahead* ahead = nullptr) {
    const Panels panels(columns);
    for (i64 panel = 0; panel < panels.count; ++panel) {
        const i64 width = panels.width(panel);
        if (width == 3) {
            if constexpr (NV >= 3) outer_panel<3>(height, depth, a, lda, block, b, ldb, c, ldc, ahead);
        } else if (width == 2) {
            outer_panel<2>(height, depth, a, lda, block, b, ldb, c, ldc, ahead);
        } else {
            outer_panel<1>(height, depth, a, lda, block, b, ldb, c, ldc, ahead);
        }
        b += width * W;
        c += width * W;
    }
}

// Write one row v (length n, times d where given) as row k of an A in blocks of MR columns for `outer_product`.
inline void put_column(const float* v, const float* d, i64 n, float* a, i64 block_stride, i64 k) {
    a += k * MR;
    i64 i = 0;
    for (; i + MR <= n; i += MR, a += block_stride)
        for (int m = 0; m < MR; ++m) a[m] = d == nullptr ? v[i + m] : v[i + m] * d[i + m];
    if (i < n)
        for (int m = 0; m < MR; ++m) a[m] = i + m < n ? (d == nullptr ? v[i + m] : v[i + m] * d[i + m]) : 0.0F;
}

}  // namespace
}  // namespace seqloom
