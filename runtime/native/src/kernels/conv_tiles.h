// Register tiles of the convolution: rows times packed taps, and sums of outer products over rows.
//
// Every element's sum runs in one order, over taps from the oldest and over channels within one, whatever the tile it lies
// in. Long sums are made of parts, each summed on its own, so that rounding grows with the part and not with the whole.
#pragma once

#include "products.h"
#include "simd.h"

namespace seqloom {
namespace {

// Rows of a forward tile that is N vectors wide, and channels of an outer tile: what the registers hold.
template <int N>
constexpr int tile_rows = N == 1 ? 8 : N == 2 ? (W == 16 ? 8 : 6) : MR;
template <int N>
constexpr int outer_rows = W == 16 ? (N == 1 ? 14 : N == 2 ? 13 : 8) : (N == 1 ? 8 : N == 2 ? 6 : 4);

// Consecutive taps of consecutive rows: row m, tap k, channel i is at a[m * row + k * tap + i], `jump` further from tap
// `split` on: the older taps may lie in another array, or behind the end of a ring.
struct TapRows {
    const float* a;
    i64 row, tap;
    i64 split, jump;
};

// C (M rows, N vectors) = start + the sum over taps [k0, k1) and channels; w holds N vectors for each channel of tap k0,
// taps w_tap apart.
template <int M, int N>
inline void taps_tile(i64 k0, i64 k1, i64 depth, const TapRows& from, i64 m0, const float* w, i64 w_tap, float* c, i64 ldc, Start start,
                      const float* bias) {
    vf acc[M][N];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) acc[m][v] = zero();
    const float* at[M];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) at[m] = from.a + (m0 + m) * from.row;
    for (i64 k = k0; k < k1; ++k, w += w_tap) {
        const float* right = w;
        const i64 shift = k * from.tap + (k < from.split ? 0 : from.jump);
        for (i64 i = shift; i < shift + depth; ++i, right += N * W) {
            vf b[N];
#pragma GCC unroll 4
            for (int v = 0; v < N; ++v) b[v] = load(right + v * W);
#pragma GCC unroll 8
            for (int m = 0; m < M; ++m) {
                const vf left = set1(at[m][i]);
#pragma GCC unroll 4
                for (int v = 0; v < N; ++v) acc[m][v] = fma(left, b[v], acc[m][v]);
            }
        }
    }
    c += m0 * ldc;
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) {
            const vf sum = acc[m][v];
            store(c + m * ldc + v * W, start == Start::zero ? sum : sum + load(start == Start::row ? bias + v * W : c + m * ldc + v * W));
        }
}

template <int N>
inline void taps_rows(i64 rows, i64 k0, i64 k1, i64 depth, const TapRows& from, const float* w, i64 w_tap, float* c, i64 ldc, Start start,
                      const float* bias) {
    constexpr int M = tile_rows<N>;
    i64 m = 0;
    for (; m + M <= rows; m += M) taps_tile<M, N>(k0, k1, depth, from, m, w, w_tap, c, ldc, start, bias);
    if (m + 4 <= rows) {
        taps_tile<4, N>(k0, k1, depth, from, m, w, w_tap, c, ldc, start, bias);
        m += 4;
    }
    if (m + 2 <= rows) {
        taps_tile<2, N>(k0, k1, depth, from, m, w, w_tap, c, ldc, start, bias);
        m += 2;
    }
    if (m < rows) taps_tile<1, N>(k0, k1, depth, from, m, w, w_tap, c, ldc, start, bias);
}

constexpr i64 panel_floats = 6144;  // of weights that stay in the first cache beside the rows
constexpr i64 part_products = 192;  // of one sum

// Products of a part of the sums of a panel that is `width` floats wide.
constexpr i64 part_floats(i64 width) { return panel_floats / width < part_products ? panel_floats / width : part_products; }

// One panel, taps [k0, k1): the weights in parts that the first cache holds, every part over all rows. The parts begin at
// the same taps wherever the range does, so that taps that are left out and taps of zeros give the same bits.
template <int N>
inline void taps_panel(i64 rows, i64 k0, i64 k1, i64 depth, const TapRows& from, const float* w, float* c, i64 ldc, Start start, const float* bias) {
    const i64 w_tap = depth * N * W;
    const i64 most = part_floats(N * W);
    const i64 whole = most / depth;  // taps of a part
    if (whole >= 1) {
        for (i64 k = k0; k < k1; start = Start::add) {
            const i64 end = (k / whole + 1) * whole < k1 ? (k / whole + 1) * whole : k1;
            taps_rows<N>(rows, k, end, depth, from, w + k * w_tap, w_tap, c, ldc, start, bias);
            k = end;
        }
        return;
    }
    const i64 parts = (depth + most - 1) / most;
    const i64 size = (depth + parts - 1) / parts;
    for (i64 k = k0; k < k1; ++k)
        for (i64 i = 0; i < depth; i += size, start = Start::add) {
            const TapRows part{from.a + i, from.row, from.tap, from.split, from.jump};
            taps_rows<N>(rows, k, k + 1, depth - i < size ? depth - i : size, part, w + k * w_tap + i * N * W, w_tap, c, ldc, start, bias);
        }
}

// C (rows, columns) = start + taps [k0, k1) of rows times packed weights, whose panels hold `taps`.
inline void taps_product(i64 rows, i64 columns, i64 taps, i64 k0, i64 k1, i64 depth, const TapRows& from, const float* w, float* c, Start start,
                         const float* bias) {
    const Panels panels(columns);
    const i64 ldc = columns;
    for (i64 panel = 0; panel < panels.count; ++panel) {
        const i64 width = panels.width(panel);
        if (width == 3) {
            if constexpr (NV >= 3) taps_panel<3>(rows, k0, k1, depth, from, w, c, ldc, start, bias);
        } else if (width == 2) {
            taps_panel<2>(rows, k0, k1, depth, from, w, c, ldc, start, bias);
        } else {
            taps_panel<1>(rows, k0, k1, depth, from, w, c, ldc, start, bias);
        }
        w += taps * depth * width * W;
        c += width * W;
        bias += bias == nullptr ? 0 : width * W;
    }
}

// C (M, N vectors) += the sum over rows of a[row][m] b[row][vector]; the columns of A are `apart` from each other, or
// neighbours where Apart is false.
template <int M, int N, bool Apart>
inline void outer_tile(i64 rows, const float* a, i64 lda, i64 apart, const float* b, i64 ldb, float* c, i64 ldc) {
    vf acc[M][N];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) acc[m][v] = zero();
    for (i64 row = 0; row < rows; ++row, a += lda, b += ldb) {
        vf right[N];
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) right[v] = load(b + v * W);
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
            const vf left = set1(a[Apart ? m * apart : m]);
#pragma GCC unroll 4
            for (int v = 0; v < N; ++v) acc[m][v] = fma(left, right[v], acc[m][v]);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int v = 0; v < N; ++v) store(c + m * ldc + v * W, load(c + m * ldc + v * W) + acc[m][v]);
}

template <int M, int N, bool Apart>
inline void outer_of(i64 count, i64 rows, const float* a, i64 lda, i64 apart, const float* b, i64 ldb, float* c, i64 ldc) {
    if (count == M) outer_tile<M, N, Apart>(rows, a, lda, apart, b, ldb, c, ldc);
    else if constexpr (M > 1) outer_of<M - 1, N, Apart>(count, rows, a, lda, apart, b, ldb, c, ldc);
}

// C (count, columns) += Aᵀ B over rows; A (rows, count) and B (rows, columns, whole vectors) read where they lie.
template <int N, bool Apart = false>
inline void outer_columns(i64 count, i64 rows, const float* a, i64 lda, i64 apart, const float* b, i64 ldb, float* c, i64 ldc) {
    constexpr i64 most = outer_rows<N>;
    const i64 tiles = (count + most - 1) / most;
    for (i64 tile = 0, at = 0; tile < tiles; ++tile) {
        const i64 size = count / tiles + (tile < count % tiles ? 1 : 0);
        outer_of<outer_rows<N>, N, Apart>(size, rows, a + at * apart, lda, apart, b, ldb, c + at * ldc, ldc);
        at += size;
    }
}

inline void outer_sums(i64 count, i64 columns, i64 rows, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc) {
    const Panels panels(columns);
    for (i64 panel = 0; panel < panels.count; ++panel) {
        const i64 width = panels.width(panel);
        if (width == 3) {
            if constexpr (NV >= 3) outer_columns<3>(count, rows, a, lda, 1, b, ldb, c, ldc);
        } else if (width == 2) {
            outer_columns<2>(count, rows, a, lda, 1, b, ldb, c, ldc);
        } else {
            outer_columns<1>(count, rows, a, lda, 1, b, ldb, c, ldc);
        }
        b += width * W;
        c += width * W;
    }
}

}  // namespace
}  // namespace seqloom
