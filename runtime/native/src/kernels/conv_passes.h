// The passes of the causal convolution over pieces of one batch row, and a stream's step.
//
// A piece is cut where the set of taps that reach a row changes (every `dilation` rows at the start, and at the end on
// the way back), so that inside a part all rows run the same taps, and none multiplies padding.
#pragma once

#include "conv_finish.h"
#include "conv_tiles.h"
#include "conv_weights.h"
#include "conv_winograd.h"

namespace seqloom {
namespace {

inline i64 smaller(i64 a, i64 b) { return a < b ? a : b; }
inline i64 larger(i64 a, i64 b) { return a > b ? a : b; }

// Rows that run together: more where the weights are larger than a cache.
inline i64 rows_at_once(const ConvPlan& p) {
    const i64 floats = p.taps * p.Ip * p.Op;
    return floats <= 2 * panel_floats ? 32 : floats <= 32 * panel_floats ? 64 : 128;
}

constexpr i64 outer_depth = 128;   // rows of one outer product
constexpr i64 gathered_below = 8;  // channels: with fewer, the taps of a row are laid side by side for the outer product

inline i64 gathered_rows(const ConvPlan& p) { return larger(8, smaller(outer_depth, 16384 / (p.taps * p.I))); }

inline i64 conv_scratch(const ConvPlan& p) {
    const i64 sums = rows_at_once(p) * larger(p.Op, p.Ip);
    const i64 gathered = p.I < gathered_below ? gathered_rows(p) * p.taps * p.I : 0;
    return larger(sums + p.Op + 16, gathered);
}

inline float* saved_of(const ConvPlan& p, i64 b, i64 t) { return p.saved + (b * p.T + t) * p.saved_row; }

inline void conv_forward_piece(const ConvPlan& p, i64 b, i64 t0, i64 t1, float* scratch) {
    const FlushDenormals guard;
    const i64 d = p.dilation;
    const i64 block = rows_at_once(p);
    float* draws = scratch + block * p.Op;
    for (i64 t = t0; t < t1;) {
        const i64 reach = smaller(p.taps, t / d + 1);  // taps that stay inside x, the last ones
        const i64 before = p.taps - reach;
        const i64 end = smaller(before > 0 ? smaller(t1, (t / d + 1) * d) : t1, t + block);
        const i64 late = planted(Mistake::conv_late_by_one) && t > (reach - 1) * d ? 1 : 0;
        TapRows rows{p.x + b * p.x_row + (t - late - p.span) * p.I, p.I, d * p.I, 0, 0};
        const bool reaches_context = before > 0 && p.context != nullptr;
        if (reaches_context) {
            const float* older = p.context + (b * p.span + t) * p.I;
            rows = {older, p.I, d * p.I, before, rows.a - older};
        }
        taps_product(end - t, p.Op, p.taps, reaches_context ? 0 : before, p.taps, p.I, rows, p.packed, scratch, Start::row, p.bias);
        for (i64 row = t; row < end; ++row) {
            const float* residual = p.residual == nullptr ? nullptr : p.residual + b * p.residual_row + row * p.O;
            float* y = p.y + b * p.y_row + row * p.O;
            finish_row(p, scratch + (row - t) * p.Op, {residual, y, p.save ? saved_of(p, b, row) : nullptr, draws, b, row});
        }
        t = end;
    }
}

inline void conv_back_slopes(const ConvPlan& p, i64 b, i64 t0, i64 t1, float* da, float* db) {
    const FlushDenormals guard;
    for (i64 t = t0; t < t1; ++t) {
        float* dresidual = p.dresidual == nullptr ? nullptr : p.dresidual + b * p.dresidual_row + t * p.O;
        const float* saved = p.saved == nullptr ? nullptr : saved_of(p, b, t);
        slopes_row(p, p.dy + b * p.dy_row + t * p.O, p.y + b * p.y_row + t * p.O, saved, da + t * p.Op, dresidual, db);
    }
}

// Row t feeds the outputs t + shift of all taps whose output exists: 0 <= t + shift < T.
inline void conv_back_input(const ConvPlan& p, i64 b, i64 t0, i64 t1, const float* da, float* scratch) {
    const FlushDenormals guard;
    const i64 d = p.dilation;
    const i64 block = rows_at_once(p);
    for (i64 t = t0; t < t1;) {
        const i64 ahead = smaller((p.T - 1 - t) / d, p.taps - 1);  // the largest shift, in dilations
        const i64 least = t < 0 ? (-t + d - 1) / d : 0;            // the smallest one
        i64 end = smaller(smaller(t1, p.T - ahead * d), t + block);
        if (t < 0) end = smaller(end, -(least - 1) * d);
        const i64 first = p.taps - 1 - ahead;
        const i64 taps = larger(0, ahead - least + 1);
        if (taps > 0) {
            const TapRows rows{da + (t + p.span) * p.Op, p.Op, -d * p.Op, 0, 0};
            taps_product(end - t, p.Ip, p.taps, first, first + taps, p.O, rows, p.packed_back, scratch, Start::zero, nullptr);
        } else {
            fill_zero(scratch, (end - t) * p.Ip);
        }
        float* out = t < 0 ? p.dcontext + (b * p.span + p.span + t) * p.I : p.dx + b * p.dx_row + t * p.I;
        for (i64 row = 0; row < end - t; ++row)
            for (i64 j = 0; j < p.Ip; j += W) {
                const vf v = load(scratch + row * p.Ip + j);
                float* to = out + row * p.I + j;
                store_part(to, p.add_dx ? load_n(to, p.I - j) + v : v, p.I - j);
            }
        t = end;
    }
}

// The inputs of row t's taps [k0, k1), one beside the other; zero before the first row.
inline void gather_taps(const ConvPlan& p, i64 b, i64 t, i64 k0, i64 k1, float* out) {
    for (i64 k = k0; k < k1; ++k) {
        const i64 from = t - (p.taps - 1 - k) * p.dilation;
        const float* row = from >= 0 ? p.x + b * p.x_row + from * p.I : p.context == nullptr ? nullptr : p.context + (b * p.span + p.span + from) * p.I;
        for (i64 i = 0; i < p.I; ++i) *out++ = row == nullptr ? 0.0F : row[i];
    }
}

inline void conv_back_weight(const ConvPlan& p, i64 b, i64 t0, i64 t1, i64 k0, i64 k1, i64 i0, i64 i1, const float* da, float* dw, float* scratch) {
    const FlushDenormals guard;
    if (p.I < gathered_below) {
        const i64 width = (k1 - k0) * p.I;
        const i64 depth = gathered_rows(p);
        for (i64 t = t0; t < t1; t += depth) {
            const i64 rows = smaller(depth, t1 - t);
            for (i64 row = 0; row < rows; ++row) gather_taps(p, b, t + row, k0, k1, scratch + row * width);
            outer_sums(width, p.Op, rows, scratch, width, da + t * p.Op, p.Op, dw + k0 * p.I * p.Op, p.Op);
        }
        return;
    }
    for (i64 t = t0; t < t1; t += outer_depth) {
        const i64 end = smaller(t1, t + outer_depth);
        for (i64 k = k0; k < k1; ++k) {
            const i64 shift = (p.taps - 1 - k) * p.dilation;
            float* to = dw + (k * p.I + i0) * p.Op;
            const i64 inside = larger(t, smaller(shift, end));  // rows from here on read x, those before the context
            if (p.context != nullptr && t < inside && !planted(Mistake::conv_context_lost_backward)) {
                const float* a = p.context + (b * p.span + p.span + t - shift) * p.I + i0;
                outer_sums(i1 - i0, p.Op, inside - t, a, p.I, da + t * p.Op, p.Op, to, p.Op);
            }
            if (inside < end) {
                const float* a = p.x + b * p.x_row + (inside - shift) * p.I + i0;
                outer_sums(i1 - i0, p.Op, end - inside, a, p.I, da + inside * p.Op, p.Op, to, p.Op);
            }
        }
    }
}

// A stream's step: the taps lie in a ring, so they are one or two runs of slots that are a dilation apart.
inline void conv_step(const ConvStep& s, float* scratch) {
    const FlushDenormals guard;
    const ConvPlan& p = *s.plan;
    const i64 slot = s.batch * p.I;
    const i64 oldest = s.newest + 1 == s.slots ? 0 : s.newest + 1;
    const i64 run = smaller(p.taps, (s.slots - oldest + p.dilation - 1) / p.dilation);
    const TapRows rows{s.ring + oldest * slot, p.I, p.dilation * slot, run, -s.slots * slot};
    taps_product(s.batch, p.Op, p.taps, 0, p.taps, p.I, rows, p.packed, scratch, Start::row, p.bias);
    for (i64 row = 0; row < s.batch; ++row) {
        const float* residual = s.residual == nullptr ? nullptr : s.residual + row * p.O;
        finish_row(p, scratch + row * p.Op, {residual, s.y + row * p.O, nullptr, nullptr, row, 0});
    }
}

inline i64 conv_panels(i64 columns) { return Panels(columns).count; }

constexpr ConvKernels conv_table{W,
                                 conv_panels,
                                 conv_pack,
                                 conv_pack_back,
                                 conv_collect,
                                 norm_rows,
                                 scale_rows,
                                 rows_back,
                                 conv_scratch,
                                 conv_forward_piece,
                                 conv_back_slopes,
                                 conv_back_input,
                                 conv_back_weight,
                                 conv_step,
                                 pairs_scratch,
                                 pairs_pack,
                                 pairs_input,
                                 pairs_weight,
                                 pairs_taps};

}  // namespace
}  // namespace seqloom
