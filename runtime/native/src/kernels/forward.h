// The forward pass of one tile of batch rows over all steps.
#pragma once

#include "forward_cells.h"

namespace seqloom {
namespace {

inline void forward_products(const ScanPlan& p, const ForwardScratch& s, const ForwardStep& at, Ahead* ahead) {
    const i64 ld = p.blocks * p.Hp;
    const i64 rows = at.tile.rows;
    const float* x = at.x + s.chunk.inputs - p.I;
    const float* h = at.x + s.chunk.inputs;
    if (p.layer_norm) {
        product(rows, x, s.chunk.ld, p.w_x, s.part_x, p.G * p.Hp, Start::zero, nullptr, ahead);
        product(rows, h, s.chunk.ld, p.w_h, s.part_h, p.G * p.Hp, Start::zero, nullptr, ahead);
        product_scales(p, rows, s.part_x, s.scale_x);
        product_scales(p, rows, s.part_h, s.scale_h);
        normalised_gates(p, rows, s.part_x, s.part_h, s.scale_x, s.scale_h, s.gates);
    } else if (p.kind != CellKind::gru) {
        product(rows, x, s.chunk.ld, p.w_all, s.gates, ld, Start::row, p.bias, ahead);
    } else {
        product(rows, x, s.chunk.ld, p.w_n, s.gates, ld, Start::row, p.bias, ahead);
        product(rows, x, s.chunk.ld, p.w_rz, s.gates + p.Hp, ld, Start::row, p.bias + p.Hp, ahead);
        if (p.reset_after) product(rows, h, s.chunk.ld, p.w_u, s.gates + 3 * p.Hp, ld, Start::row, p.bias + 3 * p.Hp, ahead);
    }
}

template <bool Plain>
inline void forward_gates(const ScanPlan& p, const ForwardScratch& s, const ForwardStep& at) {
    if (!p.reset_after) {
        for (i64 r = 0; r < at.tile.rows; ++r) gru_reset_row<Plain>(p, forward_row(p, s, at, r), s.reset + r * p.Sp);
        product(at.tile.rows, s.reset, p.Sp, p.w_u, s.gates, p.blocks * p.Hp, Start::add, nullptr);
    }
    const bool show = p.layer_norm && p.kind == CellKind::lstm;
    // A copy: the compiler can't know that the rows' stores leave the plan as it is, and would read it again after each.
    const ScanPlan plan = p;
    for (i64 r = 0; r < at.tile.rows; ++r) {
        const ForwardRow row = forward_row(plan, s, at, r);
        if (!kept(plan, at.tile.first + r, at.t)) {
            repeat(p, row);
            continue;
        }
        float* shown = show ? s.cell_norm.value + r * plan.Hp : nullptr;
        if constexpr (Plain) cell_row<true>(plan, row, s.hidden + r * plan.Hp, shown);
        else any_cell_row(p, row, s.hidden + r * plan.Hp, shown);
    }
    if (!show) return;
    s.cell_norm.measure(p, at.tile.rows);
    for (i64 r = 0; r < at.tile.rows; ++r)
        if (kept(p, at.tile.first + r, at.t)) lstm_show_row<Plain>(p, forward_row(p, s, at, r), s.hidden + r * p.Hp, s.cell_norm, r);
}

// Jordan: y = ψ(hidden V + c); LSTM with projection: h' = hidden W_p
inline void forward_output(const ScanPlan& p, const ForwardScratch& s, const ForwardStep& at) {
    product(at.tile.rows, s.hidden, p.Hp, p.w_out, s.out, p.Sp, Start::row, p.bias_out);
    for (i64 r = 0; r < at.tile.rows; ++r) {
        if (!kept(p, at.tile.first + r, at.t)) continue;
        const ForwardRow row = forward_row(p, s, at, r);
        for (i64 j = 0; j < p.Sp; j += W) {
            const vf out = load(s.out + r * p.Sp + j);
            emit(p, row, j, p.kind == CellKind::jordan ? activate_any(p.output_activation, out) : out);
        }
    }
}

inline void forward_start(const ScanPlan& p, const ForwardScratch& s, const Tile& tile) {
    for (i64 r = 0; r < tile.rows; ++r) {
        const i64 b = tile.first + r;
        float* h = s.h + r * p.Sp;
        float* next = s.xh + r * s.chunk.ld + s.chunk.inputs;
        copy_padded(h, p.h0 + b * p.S, p.S, p.Sp);
        if (p.d_h != nullptr) copy_padded(s.d_h + r * p.Sp, p.d_h + b * p.S, p.S, p.Sp);
        for (i64 j = 0; j < p.Sp; j += W) store(next + j, p.d_h == nullptr ? load(h + j) : load(h + j) * load(s.d_h + r * p.Sp + j));
        if (p.c0 != nullptr) copy_padded(s.c + r * p.Hp, p.c0 + b * p.H, p.H, p.Hp);
        if (p.has_out) fill_zero(s.hidden + r * p.Hp, p.Hp);
    }
}

// What the next step saves, and what the chunk after `high` reads and writes, a few rows of the tile at each of the `steps`
// steps before it.
inline Ahead forward_ahead(const ScanPlan& p, const Tile& tile, const ForwardStep& at, i64 high, i64 part, i64 steps) {
    Ahead ahead;
    const i64 saved = tile.rows * p.saved_row;
    if (at.saved != nullptr && high - steps + part + 1 < p.T) ahead.add(at.saved + saved, saved, true);
    const i64 next = least(p.T, high + p.chunk) - high;
    if (next > 0) {
        const i64 t = p.reverse ? time_of(p, high + next - 1) : high;
        for (i64 r = tile.rows * part / steps; r < tile.rows * (part + 1) / steps; ++r) {
            const i64 first = (tile.first + r) * p.T + t;
            ahead.add(p.x + first * p.I, next * p.I, false);
            if (p.states != nullptr) ahead.add(p.states + first * p.S, next * p.S, true);
        }
    }
    i64 tiles = 0;
    const PackedMatrix* const matrices[] = {&p.w_all, &p.w_n, &p.w_rz, &p.w_u, &p.w_x, &p.w_h};
    for (const PackedMatrix* w : matrices) tiles += register_tiles(tile.rows, *w);
    ahead.pace(tiles);
    return ahead;
}

// Steps low ... high - 1. The last one leaves its state where the first of the next chunk reads it.
inline void forward_chunk(const ScanPlan& p, const ForwardScratch& s, const Tile& tile, i64 low, i64 high) {
    const i64 x_step = tile.rows * s.chunk.ld;
    for (i64 r = 0; r < tile.rows; ++r) {
        float* x = s.xh + r * s.chunk.ld + s.chunk.inputs - p.I;
        const vf h = load(x + p.I);  // already there, and the inputs are stored in whole vectors
        for (i64 step = low; step < high; ++step) load_input(p, tile.first + r, time_of(p, step), x + (step - low) * x_step);
        store(x + p.I, h);
    }
    for (i64 step = low; step < high; ++step) {
        ForwardStep at{tile, time_of(p, step), s.xh + (step - low) * x_step, nullptr, nullptr, nullptr};
        at.next = step + 1 < high ? at.x + x_step : s.xh;
        if (p.states != nullptr) at.states = s.states + (step - low) * tile.rows * p.Sp;
        if (p.save) at.saved = saved_at(p, tile, 0, step);
        Ahead ahead = forward_ahead(p, tile, at, high, step - low, high - low);
        forward_products(p, s, at, &ahead);
        ahead.rest();
        s.draws.draw(p, tile.first, tile.rows, at.t);
        if (p.plain) forward_gates<true>(p, s, at);
        else forward_gates<false>(p, s, at);
        if (p.has_out) forward_output(p, s, at);
    }
    if (p.states == nullptr) return;
    for (i64 r = 0; r < tile.rows; ++r)
        for (i64 i = 0; i < high - low; ++i) {
            const i64 step = p.reverse ? high - 1 - i : low + i;
            copy_in_order(p.states + ((tile.first + r) * p.T + time_of(p, step)) * p.S, s.states + ((step - low) * tile.rows + r) * p.Sp, p.S,
                          (high - low - i) * p.S);
        }
}

inline void forward_tile(const ScanPlan& p, i64 index, float* scratch) {
    const FlushDenormals flush;
    const ForwardScratch s(p, Carver(scratch));
    const Tile tile = tile_at(p, index);
    forward_start(p, s, tile);
    for (i64 low = 0; low < p.T; low += p.chunk) forward_chunk(p, s, tile, low, least(p.T, low + p.chunk));
    for (i64 r = 0; r < tile.rows; ++r) {
        const i64 b = tile.first + r;
        copy_row(p.h_last + b * p.S, s.h + r * p.Sp, p.S);
        if (planted(Mistake::last_state_of_masked_row) && !kept(p, b, time_of(p, p.T - 1))) fill_zero(p.h_last + b * p.S, p.S);
        if (p.c_last != nullptr) copy_row(p.c_last + b * p.H, s.c + r * p.Hp, p.H);
    }
}

}  // namespace
}  // namespace seqloom
