// The passes of the causal convolution with its rows turned: the same numbers as in conv_passes.h, of narrow layers whose
// channels would leave much of whole vectors empty.
#pragma once

#include "conv_finish.h"
#include "conv_turned.h"

namespace seqloom {
namespace {

constexpr i64 turned_rows = 64;          // summed before what follows the sums
constexpr i64 turned_most_rows = 1024;   // turned at once
constexpr i64 turned_most_span = 1024;   // of the rows before them
constexpr i64 turned_most_depth = 64;    // channels of a tap

// Whether so much of `columns` is padding, at `depth` products each, that turning pays.
inline bool turning_pays(const ConvPlan& p, i64 columns, i64 depth) {
    const i64 padded = up(columns, W);
    return depth >= gathered_below && depth <= turned_most_depth && 8 * (padded - columns) >= padded && p.span <= turned_most_span &&
           p.taps * depth * (padded - columns) >= 32 * W && p.T >= 2 * W;
}
inline bool turned_forward(const ConvPlan& p) { return turning_pays(p, p.O, p.I); }
inline bool turned_back_input(const ConvPlan& p) { return turning_pays(p, p.I, p.O); }

// Turned rows of `channels` channels: an odd number of lines, so that channels spread over the cache; what a tile reads past
// their end is zero.
struct Turned {
    float* rows;
    i64 ld;
    static i64 length(i64 steps) { return (up(steps + turned_steps, 16) / 16 | 1) * 16; }
    Turned(float* memory, i64 steps) : rows(memory), ld(length(steps)) {}
    void put(const float* from, i64 from_ld, i64 steps, i64 channels, i64 at) const { turn(from, from_ld, steps, channels, rows + at, ld); }
    void close(i64 channels, i64 steps) const {
        for (i64 i = 0; i < channels; ++i) fill_zero(rows + i * ld + steps, ld - steps);
    }
};

// Rows [t0, t1) of x of batch row b, those below 0 from the context.
inline void turn_inputs(const ConvPlan& p, i64 b, i64 t0, i64 t1, const Turned& to) {
    if (t0 < 0) to.put(p.context + (b * p.span + p.span + t0) * p.I, p.I, least(t1, 0) - t0, p.I, 0);
    const i64 first = larger(t0, 0);
    if (first < t1) to.put(p.x + b * p.x_row + first * p.I, p.I, t1 - first, p.I, first - t0);
    to.close(p.I, t1 - t0);
}

// The first row that is read for row t.
inline i64 first_read(const ConvPlan& p, i64 t) {
    const i64 first = t - p.span;
    return p.context == nullptr && first < 0 ? 0 : first;
}

inline i64 turned_chunk(const ConvPlan& p) { return least(p.T, turned_most_rows); }

// Scratch: turned rows, turned sums, sums by rows, then what follows them.
struct TurnedScratch {
    i64 turned, sums, rows, all;
    TurnedScratch(const ConvPlan& p, i64 depth, i64 padded) {
        sums = depth * Turned::length(turned_chunk(p) + p.span);
        rows = sums + padded * Turned::length(turned_rows);
        turned = 0;
        all = rows + turned_rows * padded + W;
    }
};

inline i64 turned_scratch(const ConvPlan& p) {
    i64 floats = 0;
    if (turned_forward(p)) floats = TurnedScratch(p, p.I, p.Op).all + finish_scratch(p);
    if (turned_back_input(p)) floats = larger(floats, TurnedScratch(p, p.O, p.Ip).all);
    return floats;
}

inline void conv_forward_turned(const ConvPlan& p, i64 b, i64 t0, i64 t1, float* scratch) {
    const i64 d = p.dilation;
    const TurnedScratch at(p, p.I, p.Op);
    const Turned sums(scratch + at.sums, turned_rows);
    float* rows = scratch + at.rows;
    fill_zero(sums.rows + p.O * sums.ld, (p.Op - p.O) * sums.ld);
    for (i64 chunk = t0; chunk < t1; chunk += turned_most_rows) {
        const i64 chunk_end = least(t1, chunk + turned_most_rows);
        const i64 first = first_read(p, chunk);
        const Turned x(scratch, chunk_end - first);
        turn_inputs(p, b, first, chunk_end, x);
        for (i64 t = chunk; t < chunk_end;) {
            const i64 reach = p.context != nullptr ? p.taps : least(p.taps, t / d + 1);
            const i64 before = p.taps - reach;
            const i64 end = least(before > 0 ? least(chunk_end, (t / d + 1) * d) : chunk_end, t + turned_rows);
            if (end - t < W && before > 0) {  // too few rows that reach as far
                const TapRows from{p.x + b * p.x_row + (t - p.span) * p.I, p.I, d * p.I, 0, 0};
                taps_product(end - t, p.Op, p.taps, before, p.taps, p.I, from, p.packed, rows, Start::row, p.bias);
            } else {
                const i64 late = planted(Mistake::conv_turned_late) && t > p.span ? 1 : 0;
                const TurnedRows from{x.rows + (t - late - p.span - first), x.ld, d};
                turned_product(end - t, p.O, p.taps, before, p.taps, p.I, from, p.packed, sums.rows, sums.ld, Start::row, p.bias);
                turn(sums.rows, sums.ld, p.Op, end - t, rows, p.Op);
            }
            finish_rows(p, rows, b, t, end, t1, scratch + at.all);
            t = end;
        }
    }
}

// As conv_back_input: rows from 0 on.
inline void conv_back_input_turned(const ConvPlan& p, i64 b, i64 t0, i64 t1, const float* da, float* scratch) {
    const i64 d = p.dilation;
    const TurnedScratch at(p, p.O, p.Ip);
    const Turned sums(scratch + at.sums, turned_rows);
    float* rows = scratch + at.rows;
    fill_zero(sums.rows + p.I * sums.ld, (p.Ip - p.I) * sums.ld);
    for (i64 chunk = t0; chunk < t1; chunk += turned_most_rows) {
        const i64 chunk_end = least(t1, chunk + turned_most_rows);
        const i64 last = least(p.T, chunk_end + p.span);
        const Turned turned(scratch, last - chunk);
        turned.put(da + chunk * p.Op, p.Op, last - chunk, p.O, 0);
        turned.close(p.O, last - chunk);
        for (i64 t = chunk; t < chunk_end;) {
            const i64 ahead = least((p.T - 1 - t) / d, p.taps - 1);  // the largest shift, in dilations
            const i64 end = least(least(chunk_end, p.T - ahead * d), t + turned_rows);
            const i64 first = p.taps - 1 - ahead;
            if (end - t < W && first > 0) {
                const TapRows from{da + (t + p.span) * p.Op, p.Op, -d * p.Op, 0, 0};
                taps_product(end - t, p.Ip, p.taps, first, p.taps, p.O, from, p.packed_back, rows, Start::zero, nullptr);
            } else {
                const TurnedRows from{turned.rows + (t + p.span - chunk), turned.ld, -d};
                turned_product(end - t, p.I, p.taps, first, p.taps, p.O, from, p.packed_back, sums.rows, sums.ld, Start::zero, nullptr);
                turn(sums.rows, sums.ld, p.Ip, end - t, rows, p.Ip);
            }
            put_inputs(p, rows, p.dx + b * p.dx_row + t * p.I, end - t, t1 - t);
            t = end;
        }
    }
}

}  // namespace
}  // namespace seqloom
