// Gradients of wide convolutions with fewer products: Winograd's minimal filtering over rows that are a dilation apart.
//
// Two outputs of a filter of three taps, y0 = d0 g0 + d1 g1 + d2 g2 and y1 = d1 g0 + d2 g1 + d3 g2, take four products in
// place of six, F(2, 3) (S. Winograd, Arithmetic complexity of computations, SIAM 1980; A. Lavin and S. Gray, Fast
// algorithms for convolutional neural networks, arXiv 1509.09308, section 4.1):
//   m0 = (d0 - d2) g0   m1 = (d1 + d2) (g0 + g1 + g2) / 2   m2 = (d2 - d1) (g0 - g1 + g2) / 2   m3 = (d3 - d1) g2
//   y0 = m0 + m1 + m2   y1 = m1 - m2 + m3
// Here d are rows of da, g the weights' matrices, y two rows of dx. The weights' gradient is its transpose, F(3, 2): three
// outputs of a filter of two taps, with the same four sums of rows d, now of x, and g two rows of da:
//   m0 = (d0 - d2) g0   m1 = (d1 + d2) (g0 + g1) / 2   m2 = (d2 - d1) (g0 - g1) / 2   m3 = (d3 - d1) g1
//   y0 = m0 + m1 + m2   y1 = m1 - m2   y2 = m1 + m2 + m3
// Pair q of a sequence is the rows t and t + dilation, t = q / dilation * 2 * dilation + q % dilation; rows outside the
// sequence and its context are zeros. Taps go in groups of three, the oldest first; the newest one or two that are left
// are run as always.
#pragma once

#include "../conv_plan.h"
#include "../planted.h"
#include "common.h"
#include "conv_tiles.h"
#include "conv_weights.h"

namespace seqloom {
namespace {

constexpr i64 pairs_at_once = 128;   // of the input's gradient: as many as read the weights' matrices once
constexpr i64 pairs_of_outer = 128;  // of one outer product
constexpr int in_group = 3;          // taps

inline i64 pair_scratch_rows(const ConvPlan& p) {
    const i64 rest = p.taps % in_group;
    return pairs_at_once * (p.pair_groups > rest ? p.pair_groups : rest);
}

inline i64 pairs_scratch(const ConvPlan& p) {
    const i64 input = pair_scratch_rows(p) * p.Op + 2 * pairs_at_once * p.Ip;
    const i64 weight = pairs_of_outer * (p.Op + p.Ip);
    return (input > weight ? input : weight) + (p.Ip > p.Op ? p.Ip : p.Op);
}

struct PairPlace {
    i64 b, t;
    PairPlace(const ConvPlan& p, i64 pair) : b(pair / p.pairs) {
        const i64 q = pair % p.pairs;
        t = q / p.dilation * 2 * p.dilation + q % p.dilation;
    }
};

// The two rows whose sum or difference is factor `which` of d.
inline void pair_rows(int which, int& first, int& second, bool& minus) {
    first = which;
    second = which < 2 ? 2 : 1;
    minus = which != 1;
}

// out = a + b or a - b of n numbers.
inline void pair_sum(const float* a, const float* b, bool minus, i64 n, float* out) {
    i64 j = 0;
    if (minus)
        for (; j + W <= n; j += W) store(out + j, load(a + j) - load(b + j));
    else
        for (; j + W <= n; j += W) store(out + j, load(a + j) + load(b + j));
    if (j < n) store(out + j, minus ? load_n(a + j, n - j) - load_n(b + j, n - j) : load_n(a + j, n - j) + load_n(b + j, n - j));
}

// One panel of the four matrices of every group of taps, matrix after matrix, each for `taps_product` with a tap a group.
inline void pairs_pack(const ConvPlan& p, float* out, i64 panel) {
    const i64 first = panel_start(p.Ip, panel);
    const i64 width = Panels(p.Ip).width(panel) * W;
    const i64 matrix = p.pair_groups * p.O * p.Ip;
    const i64 whole = p.O * p.I * p.K;
    const vf half = set1(0.5F);
    vf square[W];
    for (i64 group = 0; group < p.pair_groups; ++group)
        for (i64 o = 0; o < p.O; ++o) {
            const vf scale = set1(p.gain == nullptr ? 1.0F : p.scale[o]);
            for (i64 n = 0; n < width; n += W) {
                const i64 begin = (o * p.I + first + n) * p.K + p.first_tap + group * in_group;
                const float* from = p.weight + begin;
                // A panel's rows lie too far apart to be asked for ahead by themselves.
                __builtin_prefetch(from + 8 * p.I * p.K);
                __builtin_prefetch(from + 8 * p.I * p.K + 16);
                // Past a group's taps lie others: read along, never used. Past the array nothing may be read.
                const bool inside = begin + (W - 1) * p.K + W <= whole;
                load_square(from, p.K, p.I - first - n, inside ? W : in_group, square);
                turn_around(square);
                const vf oldest = square[0] * scale;
                const vf newest = square[2] * scale;
                const vf even = half * (newest + oldest);
                const vf odd = half * (square[1] * scale);
                float* at = out + first * p.pair_groups * p.O + (group * p.O + o) * width + n;
                store(at, newest);
                store(at + matrix, even + odd);
                store(at + 2 * matrix, even - odd);
                store(at + 3 * matrix, oldest);
            }
        }
}

// Row t of da in sequence b, zeros behind the last.
inline const float* pair_da(const ConvPlan& p, const float* da, i64 b, i64 t, const float* zeros) {
    return t < p.T ? da + (b * p.T + t) * p.Op : zeros;
}

// Rows of one factor of d, of every group in turn, for `taps_product` with a tap for each group.
inline void pair_factors(const ConvPlan& p, int which, i64 q0, i64 count, const float* da, const float* zeros, float* out) {
    int first, second;
    bool minus;
    pair_rows(which, first, second, minus);
    for (i64 group = 0; group < p.pair_groups; ++group) {
        const i64 shift = (p.taps - in_group * (group + 1)) * p.dilation;  // of the group's newest tap
        for (i64 q = 0; q < count; ++q) {
            const PairPlace at(p, q0 + q);
            const float* a = pair_da(p, da, at.b, at.t + shift + first * p.dilation, zeros);
            const float* b = pair_da(p, da, at.b, at.t + shift + second * p.dilation, zeros);
            pair_sum(a, b, minus, p.Op, out + (group * pairs_at_once + q) * p.Op);
        }
    }
}

// Rows of da for the taps beside the groups, of the earlier or the later row of each pair.
inline void pair_rest(const ConvPlan& p, i64 half, i64 q0, i64 count, const float* da, const float* zeros, float* out) {
    const i64 rest = p.taps % in_group;
    for (i64 k = 0; k < rest; ++k)
        for (i64 q = 0; q < count; ++q) {
            const PairPlace at(p, q0 + q);
            const float* from = pair_da(p, da, at.b, at.t + (half + rest - 1 - k) * p.dilation, zeros);
            float* to = out + (k * pairs_at_once + q) * p.Op;
            for (i64 j = 0; j < p.Op; j += W) store(to + j, load(from + j));
        }
}

// Gradient of the rows of x of pairs [q0, q1), counted over all sequences; da of all of them.
inline void pairs_block(const ConvPlan& p, const float* packed, i64 q0, i64 q1, const float* da, float* scratch) {
    const i64 count = q1 - q0;
    const i64 matrix = p.pair_groups * p.O * p.Ip;
    float* rows = scratch;
    float* sums[2];
    sums[0] = rows + pair_scratch_rows(p) * p.Op;
    sums[1] = sums[0] + pairs_at_once * p.Ip;
    float* zeros = sums[1] + pairs_at_once * p.Ip;
    fill_zero(zeros, p.Op);
    const TapRows from{rows, p.Op, pairs_at_once * p.Op, 0, 0};
    const auto product = [&](int which, float* to, Start start) {
        pair_factors(p, which, q0, count, da, zeros, rows);
        taps_product(count, p.Ip, p.pair_groups, 0, p.pair_groups, p.O, from, packed + which * matrix, to, start, nullptr);
    };
    product(1, sums[0], Start::zero);
    product(2, sums[1], Start::zero);
    for (i64 j = 0; j < count * p.Ip; j += W) {
        const vf u = load(sums[0] + j);
        const vf v = load(sums[1] + j);
        store(sums[0] + j, u + v);
        store(sums[1] + j, u - v);
    }
    product(0, sums[0], Start::add);
    product(3, sums[1], Start::add);
    const i64 rest = p.taps % in_group;
    for (i64 half = 0; half < 2 && rest > 0; ++half) {
        pair_rest(p, half, q0, count, da, zeros, rows);
        taps_product(count, p.Ip, rest, 0, rest, p.O, from, packed + 4 * matrix, sums[half], Start::add, nullptr);
    }
    for (i64 q = q0; q < q1; ++q) {
        const PairPlace at(p, q);
        for (i64 half = 0; half < 2 && at.t + half * p.dilation < p.T; ++half) {
            const float* from = sums[half] + (q - q0) * p.Ip;
            float* to = p.dx + at.b * p.dx_row + (at.t + half * p.dilation) * p.I;
            for (i64 j = 0; j < p.Ip; j += W) {
                const vf v = load(from + j);
                store_part(to + j, p.add_dx ? load_n(to + j, p.I - j) + v : v, p.I - j);
            }
        }
    }
}

inline void pairs_input(const ConvPlan& p, const float* packed, i64 q0, i64 q1, const float* da, float* scratch) {
    const FlushDenormals guard;
    for (i64 q = q0; q < q1; q += pairs_at_once) pairs_block(p, packed, q, q + pairs_at_once < q1 ? q + pairs_at_once : q1, da, scratch);
}

// Row q of a factor of the weights' products, made of two rows of da, into panels of `pairs_of_outer` rows of columns.
inline void pair_columns(const ConvPlan& p, int which, const float* now, const float* later, i64 q, float* out) {
    const vf half = set1(planted(Mistake::conv_pairs_not_halved) ? 1.0F : 0.5F);
    const Panels panels(p.Op);
    for (i64 panel = 0, j = 0; panel < panels.count; ++panel) {
        const i64 width = panels.width(panel) * W;
        float* to = out + j * pairs_of_outer + q * width;
        for (i64 n = 0; n < width; n += W, j += W) {
            if (which == 0) store(to + n, load(now + j));
            else if (which == 1) store(to + n, half * (load(now + j) + load(later + j)));
            else if (which == 2) store(to + n, half * (load(now + j) - load(later + j)));
            else store(to + n, load(later + j));
        }
    }
}

// C (channels, columns) += the sum over rows of A (rows, lda) and B in panels of `pairs_of_outer` rows.
inline void outer_of_panels(i64 channels, i64 columns, i64 rows, const float* a, i64 lda, const float* b, float* c) {
    const Panels panels(columns);
    const i64 ldc = columns;
    for (i64 panel = 0; panel < panels.count; ++panel) {
        const i64 width = panels.width(panel);
        if (width == 3) {
            if constexpr (NV >= 3) outer_columns<3>(channels, rows, a, lda, 1, b, 3 * W, c, ldc);
        } else if (width == 2) {
            outer_columns<2>(channels, rows, a, lda, 1, b, 2 * W, c, ldc);
        } else {
            outer_columns<1>(channels, rows, a, lda, 1, b, W, c, ldc);
        }
        b += pairs_of_outer * width * W;
        c += width * W;
    }
}

// Add product `which` of a group of taps over all pairs to out (channel, Op), channels [i0, i1) alone.
inline void pairs_weight(const ConvPlan& p, i64 group, int which, i64 i0, i64 i1, const float* da, float* out, float* scratch) {
    const FlushDenormals guard;
    const i64 channels = i1 - i0;
    const i64 width = (channels + W - 1) / W * W;
    float* left = scratch;
    float* right = left + pairs_of_outer * width;
    float* zeros = right + pairs_of_outer * p.Op;
    fill_zero(zeros, p.Ip > p.Op ? p.Ip : p.Op);
    int first, second;
    bool minus;
    pair_rows(which, first, second, minus);
    const i64 shift = (p.taps - in_group * group - 1) * p.dilation;  // of the group's oldest tap
    const i64 all = p.B * p.pairs;
    for (i64 q0 = 0; q0 < all; q0 += pairs_of_outer) {
        const i64 count = all - q0 < pairs_of_outer ? all - q0 : pairs_of_outer;
        for (i64 q = 0; q < count; ++q) {
            const PairPlace at(p, q0 + q);
            const auto x = [&](int step) -> const float* {
                const i64 t = at.t - shift + step * p.dilation;
                if (t >= p.T || (t < 0 && p.context == nullptr)) return zeros;
                return (t < 0 ? p.context + (at.b * p.span + p.span + t) * p.I : p.x + at.b * p.x_row + t * p.I) + i0;
            };
            pair_sum(x(first), x(second), minus, channels, left + q * width);
            const float* now = da + (at.b * p.T + at.t) * p.Op;
            pair_columns(p, which, now, at.t + p.dilation < p.T ? now + p.dilation * p.Op : zeros, q, right);
        }
        outer_of_panels(channels, p.Op, count, left, width, right, out + i0 * p.Op);
    }
}

// The products of one group, three where the taps belong and the last apart, into the three taps: n floats.
inline void pairs_taps(float* const* taps, const float* last, i64 n) {
    const FlushDenormals guard;
    for (i64 j = 0; j < n; j += W) {
        const vf u = load(taps[1] + j);
        const vf v = load(taps[2] + j);
        store(taps[0] + j, load(taps[0] + j) + (u + v));
        store(taps[1] + j, u - v);
        store(taps[2] + j, (u + v) + load(last + j));
    }
}

}  // namespace
}  // namespace seqloom
