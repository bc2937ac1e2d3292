// Register tiles of the convolution over rows that were turned: vectors of steps in place of vectors of channels.
//
// Where channels leave much of their last vector empty (25 of 32), vectors of channels multiply zeros. Here a channel's
// steps lie side by side, so that only a sequence's end is padded. The numbers of an output are summed in the order of
// conv_tiles.h, part by part: the bits are those of its tiles.
#pragma once

#include "conv_tiles.h"

namespace seqloom {
namespace {

// A block of `turn`. Where there are eight lanes, halves of rows are put together as they are loaded: half the shuffles of
// `turn_around`.
#if defined(SEQLOOM_AVX512) || defined(SEQLOOM_AVX2)
constexpr i64 turn_width = 8;

inline void turn_block(const float* from, i64 ld, float* to, i64 to_ld) {
    __m256 a[8];
    for (int i = 0; i < 4; ++i) {  // the first halves of two rows in one register, then the last ones
        const float* row = from + i * ld;
        a[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row)), _mm_loadu_ps(row + 4 * ld), 1);
        a[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row + 4)), _mm_loadu_ps(row + 4 * ld + 4), 1);
    }
    for (int half = 0; half < 8; half += 4) {
        const __m256 p = _mm256_unpacklo_ps(a[half], a[half + 1]);
        const __m256 q = _mm256_unpackhi_ps(a[half], a[half + 1]);
        const __m256 r = _mm256_unpacklo_ps(a[half + 2], a[half + 3]);
        const __m256 s = _mm256_unpackhi_ps(a[half + 2], a[half + 3]);
        float* out = to + half * to_ld;
        _mm256_storeu_ps(out, _mm256_shuffle_ps(p, r, 0x44));
        _mm256_storeu_ps(out + to_ld, _mm256_shuffle_ps(p, r, 0xEE));
        _mm256_storeu_ps(out + 2 * to_ld, _mm256_shuffle_ps(q, s, 0x44));
        _mm256_storeu_ps(out + 3 * to_ld, _mm256_shuffle_ps(q, s, 0xEE));
    }
}
#else
constexpr i64 turn_width = W;

inline void turn_block(const float* from, i64 ld, float* to, i64 to_ld) {
    vf rows[W];
    for (i64 i = 0; i < W; ++i) rows[i] = load(from + i * ld);
    turn_around(rows);
    for (i64 j = 0; j < W; ++j) store(to + j * to_ld, rows[j]);
}
#endif

// to[j][i] = from[i][j]. Nothing beyond either is touched: the last blocks lie over those before them.
inline void turn(const float* from, i64 ld, i64 rows, i64 columns, float* to, i64 to_ld) {
    if (rows < turn_width || columns < turn_width) {
        for (i64 i = 0; i < rows; ++i)
            for (i64 j = 0; j < columns; ++j) to[j * to_ld + i] = from[i * ld + j];
        return;
    }
    for (i64 row = 0; row < rows; row += turn_width) {
        const i64 i = least(row, rows - turn_width);
        for (i64 column = 0; column < columns; column += turn_width) {
            const i64 j = least(column, columns - turn_width);
            turn_block(from + i * ld + j, ld, to + j * to_ld + i, to_ld);
        }
    }
}

// Channels that run together over N vectors of steps.
template <int N>
constexpr int turned_channels = W == 16 ? (N == 1 ? 16 : 13) : (N == 1 ? 8 : 6);
constexpr i64 turned_steps = 2 * W;  // of a tile

// Turned rows: step s of channel i at tap k is at a[i * ld + k * tap + s].
struct TurnedRows {
    const float* a;
    i64 ld, tap;
};

// C (M channels, N vectors of steps) = start + the sum over taps [k0, k1) and channels; w holds M numbers for each channel
// of tap k0, w_row apart.
template <int M, int N>
inline void turned_tile(i64 k0, i64 k1, i64 depth, const TurnedRows& from, const float* w, i64 w_row, float* c, i64 ldc, Start start,
                        const float* bias) {
    vf acc[M][N];
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
        for (int v = 0; v < N; ++v) acc[m][v] = zero();
    for (i64 k = k0; k < k1; ++k) {
        const float* right = from.a + k * from.tap;
        for (i64 i = 0; i < depth; ++i, right += from.ld, w += w_row) {
            vf b[N];
#pragma GCC unroll 2
            for (int v = 0; v < N; ++v) b[v] = load(right + v * W);
#pragma GCC unroll 16
            for (int m = 0; m < M; ++m) {
                const vf left = set1(w[m]);
#pragma GCC unroll 2
                for (int v = 0; v < N; ++v) acc[m][v] = fma(left, b[v], acc[m][v]);
            }
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 2
        for (int v = 0; v < N; ++v) {
            const vf sum = acc[m][v];
            float* to = c + m * ldc + v * W;
            store(to, start == Start::zero ? sum : sum + (start == Start::row ? set1(bias[m]) : load(to)));
        }
}

template <int M, int N>
inline void turned_of(i64 channels, i64 k0, i64 k1, i64 depth, const TurnedRows& from, const float* w, i64 w_row, float* c, i64 ldc, Start start,
                      const float* bias) {
    if (channels == M) turned_tile<M, N>(k0, k1, depth, from, w, w_row, c, ldc, start, bias);
    else if constexpr (M > 1) turned_of<M - 1, N>(channels, k0, k1, depth, from, w, w_row, c, ldc, start, bias);
}

// One part of the sums of `channels` neighbours over all steps. Sums are written in whole vectors.
template <int N>
inline void turned_columns(i64 channels, i64 steps, i64 k0, i64 k1, i64 depth, const TurnedRows& from, const float* w, i64 w_row, float* c, i64 ldc,
                           Start start, const float* bias) {
    constexpr i64 most = turned_channels<N>;
    const i64 groups = (channels + most - 1) / most;
    for (i64 group = 0, at = 0; group < groups; ++group) {
        const i64 size = channels / groups + (group < channels % groups ? 1 : 0);
        for (i64 s = 0; s < steps; s += N * W)
            turned_of<turned_channels<N>, N>(size, k0, k1, depth, {from.a + s, from.ld, from.tap}, w + at, w_row, c + at * ldc + s, ldc, start,
                                             bias == nullptr ? nullptr : bias + at);
        at += size;
    }
}

// C (columns, steps) = start + taps [k0, k1) of turned rows times packed weights, whose panels hold `taps` for whole vectors
// of columns. A part ends where it does in `taps_panel`.
inline void turned_product(i64 steps, i64 columns, i64 taps, i64 k0, i64 k1, i64 depth, const TurnedRows& from, const float* w, float* c, i64 ldc,
                           Start start, const float* bias) {
    const Panels panels((columns + W - 1) / W * W);
    for (i64 panel = 0, first = 0; panel < panels.count; ++panel) {
        const i64 width = panels.width(panel) * W;
        const i64 whole = part_floats(width) / depth;
        const i64 channels = least(width, columns - first);
        Start from_here = start;
        for (i64 k = k0; k < k1; from_here = Start::add) {
            const i64 end = least((k / whole + 1) * whole, k1);
            const float* part = w + k * depth * width;
            const float* own = bias == nullptr ? nullptr : bias + first;
            const i64 pairs = steps % turned_steps == 0 || steps % turned_steps > W ? steps : steps / turned_steps * turned_steps;
            if (pairs > 0) turned_columns<2>(channels, pairs, k, end, depth, from, part, width, c + first * ldc, ldc, from_here, own);
            if (pairs < steps)
                turned_columns<1>(channels, W, k, end, depth, {from.a + pairs, from.ld, from.tap}, part, width, c + first * ldc + pairs, ldc,
                                  from_here, own);
            k = end;
        }
        w += taps * depth * width;
        first += width;
    }
}

}  // namespace
}  // namespace seqloom
