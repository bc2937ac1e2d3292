// The weights of a convolution on their way into the products and back: packed into panels, weight norm on the way, and
// their gradient turned from the order of its sums, (tap, channel in, channel out), into that of the array, (O, I, K).
//
// Weight norm: W = g V / |V|, one length g for each channel out. Salimans & Kingma, arXiv 1602.07868.
#pragma once

#include "../conv_plan.h"
#include "../planted.h"
#include "ahead.h"
#include "common.h"

namespace seqloom {
namespace {

// The sum over n numbers of a * b, in four sums that go on side by side; the order depends on n alone.
__attribute__((noinline)) float dot(const float* a, const float* b, i64 n) {
    vf sums[4] = {zero(), zero(), zero(), zero()};
    i64 i = 0;
    for (; i + 4 * W <= n; i += 4 * W)
#pragma GCC unroll 4
        for (int s = 0; s < 4; ++s) sums[s] = fma(load(a + i + s * W), load(b + i + s * W), sums[s]);
    for (; i < n; i += W) sums[0] = fma(load_n(a + i, n - i), load_n(b + i, n - i), sums[0]);
    return sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

inline float root(float a) {
#if defined(__x86_64__)
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a)));
#else
    return __builtin_sqrtf(a);
#endif
}

// |V| of rows [0, rows), each `length` long.
inline void norm_rows(const float* v, i64 rows, i64 length, float* norms) {
    for (i64 o = 0; o < rows; ++o) norms[o] = root(dot(v + o * length, v + o * length, length));
}

// W of rows whose |V| is known.
inline void scale_rows(const float* v, const float* gain, const float* norms, i64 rows, i64 length, float* w) {
    for (i64 o = 0; o < rows; ++o, v += length, w += length) {
        const vf scale = set1(gain[o] / norms[o]);
        i64 i = 0;
        for (; i + W <= length; i += W) store(w + i, load(v + i) * scale);
        if (i < length) store_n(w + i, load_n(v + i, length - i) * scale, length - i);
    }
}

// dV and dg of rows from dW, which may lie where dV goes: dg = V . dW / |V|, dV = g / |V| (dW - V dg / |V|).
__attribute__((noinline)) void rows_back(const float* v, const float* gain, const float* norms, const float* dw, i64 rows, i64 length, float* dv, float* dgain) {
    for (i64 o = 0; o < rows; ++o, v += length, dw += length, dv += length) {
        const float along = dot(v, dw, length) / norms[o];
        dgain[o] = along;
        const vf scale = set1(gain[o] / norms[o]);
        const vf back = set1(planted(Mistake::normed_length_fixed) ? 0.0F : along / norms[o]);
        i64 i = 0;
        for (; i + W <= length; i += W) store(dv + i, fnma(load(v + i), back, load(dw + i)) * scale);
        if (i < length) store_n(dv + i, fnma(load_n(v + i, length - i), back, load_n(dw + i, length - i)) * scale, length - i);
    }
}

// The scale of each column of a panel, and |V| where it is kept for the way back.
inline void panel_scale(const ConvPlan& p, i64 first, i64 end) {
    const i64 length = p.I * p.K;
    for (i64 o = first; o < end; ++o) {
        float norm;
        norm_rows(p.weight + o * length, 1, length, &norm);
        if (p.norms != nullptr) p.norms[o] = norm;
        p.scale[o] = p.gain[o] / norm;
    }
}

// W numbers of each of W rows, `stride` apart, turned around; rows and numbers past the last are zeros.
inline void load_square(const float* from, i64 stride, i64 rows, i64 numbers, vf (&square)[W]) {
    if (rows >= W && numbers >= W) {
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) square[r] = load(from + r * stride);
    } else {
        for (int r = 0; r < W; ++r) square[r] = r < rows ? load_n(from + r * stride, numbers) : zero();
    }
}

inline i64 panel_start(i64 columns, i64 panel) {
    const Panels panels(columns);
    i64 first = 0;
    for (i64 before = 0; before < panel; ++before) first += panels.width(before) * W;
    return first;
}

// One panel of weights for the way forward: for each tap and channel in, the panel's columns out.
inline void conv_pack(const ConvPlan& p, float* out, i64 panel) {
    const i64 first = panel_start(p.Op, panel);
    const i64 width = Panels(p.Op).width(panel) * W;
    const i64 row = p.I * p.K;
    float* at = out + first * p.taps * p.I;
    if (p.gain != nullptr) panel_scale(p, first, first + width < p.O ? first + width : p.O);
    vf square[W];
    for (i64 n = 0; n < width; n += W) {
        const i64 rows = p.O - first - n;  // below 1: columns of padding
        i64 k = -p.first_tap, channel = 0;
        for (i64 q = 0; q < row; q += W) {  // W weights of W channels out, q = channel in * K + tap
            load_square(p.weight + (first + n) * row + q, row, rows, row - q, square);
            if (p.gain != nullptr)
                for (int r = 0; r < W && r < rows; ++r) square[r] = square[r] * set1(p.scale[first + n + r]);
            turn_around(square);
            // As many turns as vectors, so that they stay in registers.
#pragma GCC unroll 16
            for (int c = 0; c < W; ++c) {
                const i64 to = planted(Mistake::conv_taps_reversed) ? p.K - 1 - 2 * p.first_tap - k : k;
                if (to >= 0 && q + c < row) store(at + (to * p.I + channel) * width + n, square[c]);
                if (++k == p.taps) {
                    k = -p.first_tap;
                    ++channel;
                }
            }
        }
    }
}

// One panel of weights for the way back: for each tap and channel out, the panel's columns in.
inline void conv_pack_back(const ConvPlan& p, float* out, i64 panel) {
    const i64 first = panel_start(p.Ip, panel);
    const i64 width = Panels(p.Ip).width(panel) * W;
    float* at = out + first * p.taps * p.O;
    const i64 whole = p.O * p.I * p.K;
    vf square[W];
    for (i64 o = 0; o < p.O; ++o) {
        const vf scale = set1(p.gain == nullptr ? 1.0F : p.scale[o]);
        for (i64 n = 0; n < width; n += W) {
            const i64 begin = (o * p.I + first + n) * p.K + p.first_tap;
            const i64 rows = p.I - first - n;
            for (i64 k = 0; k < p.taps; k += W) {
                // Past a channel's taps lie those of the next: read along, never stored. Past the array nothing may be read.
                const bool inside = begin + k + (W - 1) * p.K + W <= whole;
                load_square(p.weight + begin + k, p.K, rows, inside ? W : p.taps - k, square);
                turn_around(square);
                float* to = at + (k * p.O + o) * width + n;
#pragma GCC unroll 16
                for (int c = 0; c < W; ++c)
                    if (k + c < p.taps) store(to + c * p.O * width, square[c] * scale);
            }
        }
    }
}

// Where the sums of W numbers of a row lie, q = channel in * K + tap from `q` on; -1 for taps that are not run.
struct SumsOf {
    i64 k, channel;
    i64 at[W];
    bool all = true;

    explicit SumsOf(const ConvPlan& p) : k(-p.first_tap), channel(0) {}
    void next(const ConvPlan& p, i64 some) {
        all = some == W;
        for (i64 c = 0; c < some; ++c) {
            at[c] = k < 0 ? -1 : (k * p.I + channel) * p.Op;
            all = all && k >= 0;
            if (++k == p.taps) {
                k = -p.first_tap;
                ++channel;
            }
        }
        for (i64 c = some; c < W; ++c) at[c] = -1;
    }
};

// The sums of W numbers of W channels out, over all strands in their order, turned around.
inline void sums_square(const SumsOf& from, const float* part, i64 strands, i64 stride, vf (&square)[W]) {
    if (from.all) {
#pragma GCC unroll 16
        for (int c = 0; c < W; ++c) square[c] = load(part + from.at[c]);
        for (i64 strand = 1; strand < strands; ++strand)
#pragma GCC unroll 16
            for (int c = 0; c < W; ++c) square[c] = square[c] + load(part + strand * stride + from.at[c]);
    } else {
        for (int c = 0; c < W; ++c) {
            square[c] = from.at[c] < 0 ? zero() : load(part + from.at[c]);
            for (i64 strand = 1; strand < strands && from.at[c] >= 0; ++strand) square[c] = square[c] + load(part + strand * stride + from.at[c]);
        }
    }
    turn_around(square);
}

// The gradient of rows [o0, o1) of the weights from sums in the order (tap, channel in, Op); under weight norm that of V, and
// of g into dgain.
inline void conv_collect(const ConvPlan& p, const float* part, i64 strands, i64 stride, i64 o0, i64 o1, float* out, float* dgain) {
    const i64 row = p.I * p.K;
    const i64 end = o1 < p.O ? o1 : p.O;
    vf square[W];
    SumsOf from(p);
    for (i64 q = 0; q < row; q += W) {
        const i64 some = row - q < W ? row - q : W;
        from.next(p, some);
        for (i64 o = o0; o < o1; o += W) {  // whole vectors: the sums are padded to them
            sums_square(from, part + o, strands, stride, square);
            float* to = out + o * row + q;
            if (some == W && o + W <= end) {
                // Each of the rows is a stream of stores of its own, more than are asked for ahead by themselves.
                if (q % 16 == 0)
                    for (int r = 0; r < W; ++r) prefetch_to_write(to + r * row + 64, 1);
#pragma GCC unroll 16
                for (int r = 0; r < W; ++r) store(to + r * row, square[r]);
            } else {
                for (int r = 0; r < W && o + r < end; ++r) store_part(to + r * row, square[r], some);
            }
        }
    }
    if (p.gain != nullptr)
        rows_back(p.weight + o0 * row, p.gain + o0, p.norms + o0, out + o0 * row, end - o0, row, out + o0 * row, dgain + o0);
}

}  // namespace
}  // namespace seqloom
