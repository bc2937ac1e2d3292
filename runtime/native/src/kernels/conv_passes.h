// The passes of the causal convolution over pieces of one batch row, and a stream's step.
//
// A piece is cut where the set of taps that reach a row changes (every `dilation` rows at the start, and at the end on
// the way back), so that inside a part all rows run the same taps, and none multiplies padding.
#pragma once

#include "conv_finish.h"
#include "conv_tiles.h"
#include "conv_turned_passes.h"
#include "conv_weights.h"
#include "conv_winograd.h"

namespace seqloom {
namespace {

// Rows that run together: more where the weights are larger than a cache.
inline i64 rows_at_once(const ConvPlan& p) {
    const i64 floats = p.taps * p.Ip * p.Op;
    return floats <= 2 * panel_floats ? 32 : floats <= 32 * panel_floats ? 64 : 128;
}

constexpr i64 slopes_at_once = 1024;  // floats of da: rows whose columns are taken one vector after the other
constexpr i64 outer_depth = 128;      // rows of one outer product

inline i64 gathered_rows(const ConvPlan& p) { return larger(8, least(outer_depth, 16384 / (p.taps * p.I))); }

// Columns of da that fill no whole vector are taken apart from the others where that costs less than a vector of them:
// vectors of x's channels in place of theirs, and one number of da for each tap.
constexpr i64 apart_width(i64 channels) { return channels >= 2 * W ? 2 * W : W; }
inline i64 apart_panels(const ConvPlan& p) { return (p.I + apart_width(p.I) - 1) / apart_width(p.I); }
inline bool columns_apart(const ConvPlan& p) {
    const i64 some = p.O % W;
    return some > 0 && p.O > W && p.I >= W && p.I >= gathered_below && p.I <= 64 && 5 * some * apart_panels(p) * apart_width(p.I) <= 4 * p.I * W;
}

inline i64 conv_scratch(const ConvPlan& p) {
    const i64 sums = rows_at_once(p) * larger(p.Op, p.Ip);
    const i64 gathered = p.I < gathered_below ? gathered_rows(p) * p.taps * p.I : 0;
    const i64 apart = columns_apart(p) ? p.taps * apart_width(p.I) : 0;
    return larger(larger(sums + finish_scratch(p), larger(gathered, apart)), turned_scratch(p));
}

inline void conv_forward_piece(const ConvPlan& p, i64 b, i64 t0, i64 t1, float* scratch) {
    const FlushDenormals guard;
    if (turned_forward(p)) return conv_forward_turned(p, b, t0, t1, scratch);
    const i64 d = p.dilation;
    const i64 block = rows_at_once(p);
    for (i64 t = t0; t < t1;) {
        const i64 reach = least(p.taps, t / d + 1);  // taps that stay inside x, the last ones
        const i64 before = p.taps - reach;
        const i64 end = least(before > 0 ? least(t1, (t / d + 1) * d) : t1, t + block);
        const i64 late = planted(Mistake::conv_late_by_one) && t > (reach - 1) * d ? 1 : 0;
        TapRows rows{p.x + b * p.x_row + (t - late - p.span) * p.I, p.I, d * p.I, 0, 0};
        const bool reaches_context = before > 0 && p.context != nullptr;
        if (reaches_context) {
            const float* older = p.context + (b * p.span + t) * p.I;
            rows = {older, p.I, d * p.I, before, rows.a - older};
        }
        taps_product(end - t, p.Op, p.taps, reaches_context ? 0 : before, p.taps, p.I, rows, p.packed, scratch, Start::row, p.bias);
        finish_rows(p, scratch, b, t, end, t1, scratch + block * p.Op);
        t = end;
    }
}

inline void conv_back_slopes(const ConvPlan& p, i64 b, i64 t0, i64 t1, float* da, float* db) {
    const FlushDenormals guard;
    const i64 rows = larger(1, slopes_at_once / p.Op);
    for (i64 t = t0; t < t1; t += rows) slopes_rows(p, b, t, least(t1, t + rows), t1, da, db);
}

// Row t feeds the outputs t + shift of all taps whose output exists: 0 <= t + shift < T.
inline void conv_back_input(const ConvPlan& p, i64 b, i64 t0, i64 t1, const float* da, float* scratch) {
    const FlushDenormals guard;
    if (t0 >= 0 && turned_back_input(p)) return conv_back_input_turned(p, b, t0, t1, da, scratch);
    const i64 d = p.dilation;
    const i64 block = rows_at_once(p);
    for (i64 t = t0; t < t1;) {
        const i64 ahead = least((p.T - 1 - t) / d, p.taps - 1);  // the largest shift, in dilations
        const i64 behind = t < 0 ? (-t + d - 1) / d : 0;           // the smallest one
        i64 end = least(least(t1, p.T - ahead * d), t + block);
        if (t < 0) end = least(end, -(behind - 1) * d);
        const i64 first = p.taps - 1 - ahead;
        const i64 taps = larger(0, ahead - behind + 1);
        if (taps > 0) {
            const TapRows rows{da + (t + p.span) * p.Op, p.Op, -d * p.Op, 0, 0};
            taps_product(end - t, p.Ip, p.taps, first, first + taps, p.O, rows, p.packed_back, scratch, Start::zero, nullptr);
        } else {
            fill_zero(scratch, (end - t) * p.Ip);
        }
        float* out = t < 0 ? p.dcontext + (b * p.span + p.span + t) * p.I : p.dx + b * p.dx_row + t * p.I;
        put_inputs(p, scratch, out, end - t, t1 - t);
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

// The weights' gradient of column o of da, `wide` channels of x from i on: sums (taps from the newest, wide) of rows [t0, t1)
// of da. Row u of x meets those of da that lie u + a tap's shift; a run of rows meets the same taps.
inline void column_sums(const ConvPlan& p, i64 b, i64 t0, i64 t1, i64 o, i64 i, const float* da, float* sums) {
    const i64 d = p.dilation;
    const i64 wide = apart_width(p.I);
    fill_zero(sums, p.taps * wide);
    const bool context = p.context != nullptr && !planted(Mistake::conv_context_lost_backward);
    for (i64 u = context ? t0 - p.span : larger(0, t0 - p.span); u < t1;) {
        const i64 first = u < t0 ? (t0 - u + d - 1) / d : 0;
        const i64 taps = least(p.taps, (t1 - u - 1) / d + 1);
        i64 end = least(t1 - (taps - 1) * d, u + outer_depth);
        if (first > 0) end = least(end, t0 - (first - 1) * d);
        if (u < 0) end = least(end, 0);
        if (taps < p.taps && planted(Mistake::conv_last_channels_short)) break;
        const float* x = u < 0 ? p.context + (b * p.span + p.span + u) * p.I : p.x + b * p.x_row + u * p.I;
        const float* from = da + (u + first * d) * p.Op + o;
        if (wide == W) outer_columns<1, true>(taps - first, end - u, from, p.Op, d * p.Op, x + i, p.I, sums + first * wide, wide);
        else outer_columns<2, true>(taps - first, end - u, from, p.Op, d * p.Op, x + i, p.I, sums + first * wide, wide);
        u = end;
    }
}

inline void back_columns_apart(const ConvPlan& p, i64 b, i64 t0, i64 t1, const float* da, float* dw, float* sums) {
    const i64 wide = apart_width(p.I);
    for (i64 o = p.O / W * W; o < p.O; ++o)
        for (i64 panel = 0; panel < apart_panels(p); ++panel) {
            const i64 at = least(panel * wide, p.I - wide);  // the last panel lies over the one before
            column_sums(p, b, t0, t1, o, at, da, sums);
            for (i64 k = 0; k < p.taps; ++k)
                for (i64 i = panel * wide; i < at + wide; ++i) dw[(k * p.I + i) * p.Op + o] += sums[(p.taps - 1 - k) * wide + i - at];
        }
}

inline void conv_back_weight(const ConvPlan& p, i64 b, i64 t0, i64 t1, i64 k0, i64 k1, i64 i0, i64 i1, const float* da, float* dw, float* scratch) {
    const FlushDenormals guard;
    if (p.I < gathered_below) {
        const i64 width = (k1 - k0) * p.I;
        const i64 depth = gathered_rows(p);
        for (i64 t = t0; t < t1; t += depth) {
            const i64 rows = least(depth, t1 - t);
            for (i64 row = 0; row < rows; ++row) gather_taps(p, b, t + row, k0, k1, scratch + row * width);
            outer_sums(width, p.Op, rows, scratch, width, da + t * p.Op, p.Op, dw + k0 * p.I * p.Op, p.Op);
        }
        return;
    }
    const bool apart = columns_apart(p) && k1 - k0 == p.taps && i1 - i0 == p.I;
    const i64 columns = apart ? p.O / W * W : p.Op;
    if (apart) back_columns_apart(p, b, t0, t1, da, dw, scratch);
    for (i64 t = t0; t < t1; t += outer_depth) {
        const i64 end = least(t1, t + outer_depth);
        for (i64 k = k0; k < k1; ++k) {
            const i64 shift = (p.taps - 1 - k) * p.dilation;
            float* to = dw + (k * p.I + i0) * p.Op;
            const i64 inside = larger(t, least(shift, end));  // rows from here on read x, those before the context
            if (p.context != nullptr && t < inside && !planted(Mistake::conv_context_lost_backward)) {
                const float* a = p.context + (b * p.span + p.span + t - shift) * p.I + i0;
                outer_sums(i1 - i0, columns, inside - t, a, p.I, da + t * p.Op, p.Op, to, p.Op);
            }
            if (inside < end) {
                const float* a = p.x + b * p.x_row + (inside - shift) * p.I + i0;
                outer_sums(i1 - i0, columns, end - inside, a, p.I, da + inside * p.Op, p.Op, to, p.Op);
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
    const i64 run = least(p.taps, (s.slots - oldest + p.dilation - 1) / p.dilation);
    const TapRows rows{s.ring + oldest * slot, p.I, p.dilation * slot, run, -s.slots * slot};
    taps_product(s.batch, p.Op, p.taps, 0, p.taps, p.I, rows, p.packed, scratch, Start::row, p.bias);
    for (i64 row = 0; row < s.batch; ++row) {
        const float* residual = s.residual == nullptr ? nullptr : s.residual + row * p.O;
        finish_row<Finish::any, false, false>(p, scratch + row * p.Op, {residual, s.y + row * p.O, nullptr, nullptr});
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
