// The forward pass of a few batch rows: weights read where they lie, row by row, and all steps' input products at once.
#pragma once

#include "forward_cells.h"

namespace seqloom {
namespace {

// Vectors of columns in one register tile of M rows: twelve sums hide the latency of each other's products.
template <int M>
constexpr int few_width = M == 1 ? 12 : M == 2 ? 6 : 3;

// Up to W - 1 columns at the end of a gate, whose neighbours in memory belong to another gate or to nobody.
template <int M>
inline void few_tail(i64 depth, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, Start start, const float* row, i64 columns) {
    vf acc[M];
    for (int m = 0; m < M; ++m) acc[m] = load(start == Start::row ? row : c + m * ldc);
    for (i64 k = 0; k < depth; ++k, b += ldb) {
        const vf right = load_n(b, columns);
        for (int m = 0; m < M; ++m) acc[m] = fma(set1(a[m * lda + k]), right, acc[m]);
    }
    for (int m = 0; m < M; ++m) store(c + m * ldc, acc[m]);
}

// One or two rows by up to twelve vectors. Unlike `tile_product` it holds no vector of B, each of which a row or two reads:
// together with the sums they would not fit into the registers.
template <int M, int N>
inline void thin_product(i64 depth, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, Start start, const float* row) {
    vf acc[M][N];
#pragma GCC unroll 2
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 12
        for (int v = 0; v < N; ++v) acc[m][v] = load(start == Start::row ? row + v * W : c + m * ldc + v * W);
    for (i64 k = 0; k < depth; ++k, b += ldb) {
        vf left[M];
#pragma GCC unroll 2
        for (int m = 0; m < M; ++m) left[m] = set1(a[m * lda + k]);
#pragma GCC unroll 12
        for (int v = 0; v < N; ++v) {
            const vf right = load(b + v * W);
#pragma GCC unroll 2
            for (int m = 0; m < M; ++m) acc[m][v] = fma(left[m], right, acc[m][v]);
        }
    }
#pragma GCC unroll 2
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 12
        for (int v = 0; v < N; ++v) store(c + m * ldc + v * W, acc[m][v]);
}

template <int M, int N>
inline bool few_tile(i64 width, i64 depth, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, Start start, const float* row) {
    if constexpr (N <= few_width<M>) {
        if (width < N) return false;
        if constexpr (M <= 2) thin_product<M, N>(depth, a, lda, b, ldb, c, ldc, start, row);
        else tile_product<M, N, false>(depth, a, lda, b, ldb, c, ldc, start, row);
        return true;
    }
    return false;
}

// One tile of `vectors` or fewer; returns how many.
template <int M>
inline i64 few_vectors(i64 vectors, i64 depth, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, Start start, const float* row) {
    if (few_tile<M, 12>(vectors, depth, a, lda, b, ldb, c, ldc, start, row)) return 12;
    if (few_tile<M, 10>(vectors, depth, a, lda, b, ldb, c, ldc, start, row)) return 10;
    if (few_tile<M, 8>(vectors, depth, a, lda, b, ldb, c, ldc, start, row)) return 8;
    if (few_tile<M, 6>(vectors, depth, a, lda, b, ldb, c, ldc, start, row)) return 6;
    if (few_tile<M, 4>(vectors, depth, a, lda, b, ldb, c, ldc, start, row)) return 4;
    if (few_tile<M, 3>(vectors, depth, a, lda, b, ldb, c, ldc, start, row)) return 3;
    if (few_tile<M, 2>(vectors, depth, a, lda, b, ldb, c, ldc, start, row)) return 2;
    tile_product<M, 1, false>(depth, a, lda, b, ldb, c, ldc, start, row);
    return 1;
}

// C (rows, columns) = start + A (rows, depth) · B, row k of B at b + k * ldb. C reaches to whole vectors.
template <int M>
inline void few_product_of(i64 depth, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, Start start, const float* row,
                           i64 columns) {
    i64 vectors = columns / W;
    i64 tiles = (vectors + few_width<M> - 1) / few_width<M>;
    while (vectors > 0) {
        const i64 done = few_vectors<M>((vectors + tiles - 1) / tiles, depth, a, lda, b, ldb, c, ldc, start, row);
        vectors -= done;
        tiles = tiles > 1 ? tiles - 1 : 1;
        b += done * W;
        c += done * W;
        row += row == nullptr ? 0 : done * W;
    }
    if (columns % W > 0) few_tail<M>(depth, a, lda, b, ldb, c, ldc, start, row, columns % W);
}

inline void few_product(i64 rows, i64 depth, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, Start start, const float* row,
                        i64 columns) {
    i64 m = 0;
    for (; m + 4 <= rows; m += 4) few_product_of<4>(depth, a + m * lda, lda, b, ldb, c + m * ldc, ldc, start, row, columns);
    a += m * lda;
    c += m * ldc;
    switch (rows - m) {
        case 3: few_product_of<3>(depth, a, lda, b, ldb, c, ldc, start, row, columns); break;
        case 2: few_product_of<2>(depth, a, lda, b, ldb, c, ldc, start, row, columns); break;
        case 1: few_product_of<1>(depth, a, lda, b, ldb, c, ldc, start, row, columns); break;
        default: break;
    }
}

// Weights larger than a core's second cache are read in turns from the first column and from the last, so that what the
// step before read at last is still there. Columns in pieces that a step's rows share.
inline void few_columns(i64 rows, i64 depth, const float* a, i64 lda, const float* b, i64 ldb, float* c, i64 ldc, i64 columns, bool backwards) {
    constexpr i64 piece = 12 * W;
    const i64 pieces = (columns + piece - 1) / piece;
    if (pieces < 3) return few_product(rows, depth, a, lda, b, ldb, c, ldc, Start::add, nullptr, columns);
    for (i64 i = 0; i < pieces; ++i) {
        const i64 from = (backwards ? pieces - 1 - i : i) * piece;
        few_product(rows, depth, a, lda, b + from, ldb, c + from, ldc, Start::add, nullptr, least(piece, columns - from));
    }
}

inline void few_start(const ScanPlan& p, const FewRows& f) {
    for (i64 b = 0; b < p.B; ++b) {
        copy_padded(f.state + b * p.Sp, p.h0 + b * p.S, p.S, p.Sp);
        copy_padded(f.h[0] + b * p.Sp, p.h0 + b * p.S, p.S, p.Sp);
        if (p.c0 != nullptr) copy_padded(f.c + b * p.Hp, p.c0 + b * p.H, p.H, p.Hp);
    }
}

inline void few_finish(const ScanPlan& p, const FewRows& f) {
    for (i64 b = 0; b < p.B; ++b) {
        copy_row(p.h_last + b * p.S, f.state + b * p.Sp, p.S);
        if (p.c_last != nullptr) copy_row(p.c_last + b * p.H, f.c + b * p.Hp, p.H);
    }
}

// What the gates of some units start from at steps low ... high - 1: bias and inputs.
inline void few_inputs(const ScanPlan& p, const FewRows& f, i64 low, i64 high, UnitRange units) {
    const FlushDenormals flush;
    const i64 ld = p.blocks * p.Hp;
    const i64 columns = least(units.to, p.H) - units.from;
    for (i64 b = 0; b < p.B; ++b) {
        const float* x = p.x + (b * p.T + time_of(p, low)) * p.I;
        float* gates = f.gates + b * ld + units.from;
        for (i64 g = 0; g < p.G; ++g)
            few_product(high - low, p.I, x, p.reverse ? -p.I : p.I, f.w_x + f.of_x[g] * p.H + units.from, p.G * p.H, gates + g * p.Hp, p.B * ld,
                        Start::row, p.bias + g * p.Hp + units.from, columns);
        for (i64 g = p.G; g < p.blocks; ++g)  // gru: u, which the inputs don't feed
            for (i64 step = 0; step < high - low; ++step)
                copy_row(gates + step * p.B * ld + g * p.Hp, p.bias + g * p.Hp + units.from, units.to - units.from);
    }
}

template <bool Plain>
inline void few_cells(const ScanPlan& p, const FewRows& f, float* gates, i64 step, UnitRange units) {
    const i64 last = least(units.to, up(p.H, W));
    for (i64 b = 0; b < p.B; ++b) {
        float* states = p.states == nullptr ? nullptr : p.states + (b * p.T + time_of(p, step)) * p.S;
        const bool direct = p.S % W == 0;
        ForwardRow row{};
        row.gates = gates + b * p.blocks * p.Hp;
        row.h = f.state + b * p.Sp;
        row.c = f.c + b * p.Hp;
        row.states = direct ? states : nullptr;
        row.next = f.h[(step + 1) & 1] + b * p.Sp;
        row.first = units.from;
        row.last = last;
        if constexpr (Plain) cell_row<true>(p, row, nullptr, nullptr);
        else any_cell_row(p, row, nullptr, nullptr);
        if (states != nullptr && !direct) copy_row(states + units.from, row.h + units.from, least(units.to, p.H) - units.from);
    }
}

// Steps from ... to - 1 of some units; `low` is the step that the gates begin with.
inline void few_steps(const ScanPlan& p, const FewRows& f, i64 low, i64 from, i64 to, UnitRange units) {
    const FlushDenormals flush;
    const i64 ld = p.blocks * p.Hp;
    const bool whole = units.from == 0 && units.to == p.H;  // the gates' columns lie side by side, here and in the weights
    const i64 columns = whole ? p.G * p.H : least(units.to, p.H) - units.from;
    for (i64 step = from; step < to; ++step) {
        float* gates = f.gates + (step - low) * p.B * ld;
        const bool backwards = (step & 1) != 0;
        for (i64 i = 0; i < (whole ? 1 : p.G); ++i) {
            const i64 block = backwards && !whole ? p.G - 1 - i : i;
            few_columns(p.B, p.S, f.h[step & 1], p.Sp, f.w_h + f.of_h[block] * p.H + units.from, p.G * p.H,
                        gates + (p.h_block + block) * p.Hp + units.from, ld, columns, backwards);
        }
        if (p.plain) few_cells<true>(p, f, gates, step, units);
        else few_cells<false>(p, f, gates, step, units);
    }
}

}  // namespace
}  // namespace seqloom
