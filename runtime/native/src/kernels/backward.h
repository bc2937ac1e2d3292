// The backward pass of one tile of batch rows over all steps, last first.
#pragma once

#include "backward_cells.h"
#include "weight_gradients.h"

namespace seqloom {
namespace {

// Where the rows of one step lie.
struct BackwardStep {
    Tile tile;
    i64 step, t;
    i64 k;         // its first row in the chunk
    float* grads;  // (rows, grad_row)
    float* out;    // (rows, Sp)
    float* gates;  // (rows, blocks Hp): the same as grads, apart from it with layer norm
    i64 gates_ld;
};

// The gradient of h' from that of the state: past the recurrent product, through it, and from outside.
[[gnu::always_inline]] inline void state_back(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, i64 r) {
    const bool keep = kept(p, at.tile.first + r, at.t);
    const float* dy = s.dy + (at.k + r) * p.Sp;
    const float* y = s.after + (at.k + r) * p.Sp;
    const float* drawn = s.draws.hidden == nullptr ? nullptr : s.draws.hidden + r * p.Sp;
    float* direct = s.direct + r * p.Sp;
    for (i64 j = 0; j < p.Sp; j += W) {
        const vf through = load(s.through + r * p.Sp + j);
        const bool pass = p.d_h == nullptr || planted(Mistake::state_mask_lost_backward);
        vf d = load(direct + j) + (pass ? through : through * load(s.d_h + r * p.Sp + j));
        if (p.dy != nullptr) d = d + load(dy + j);
        vf past = d;
        if (keep) {
            past = zero();
            if (p.zoneout.on) {
                const vf z = zeta(p.zoneout, drawn, j);
                past = z * d;
                d = (set1(1.0F) - z) * d;
            }
        } else {
            d = zero();
        }
        store(direct + j, past);
        if (!p.has_out) {
            store(s.dh + r * p.Hp + j, d);
            continue;
        }
        if (p.kind == CellKind::jordan && keep) d = d * slope(p.output_activation, load(y + j));
        store(at.out + r * p.Sp + j, d);
    }
}

[[gnu::always_inline]] inline BackwardRow backward_row(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, i64 r) {
    const bool initial = at.step == 0;
    const float* c = nullptr;
    if (p.kind == CellKind::lstm) c = initial ? p.c0 + (at.tile.first + r) * p.H : saved_at(p, at.tile, r, at.step - 1) + p.saved_c;
    return {p.saved_row == 0 ? nullptr : saved_at(p, at.tile, r, at.step),
            s.factors + (at.k + r) * s.chunk.ld + s.chunk.inputs,
            s.after + (at.k + r) * p.Sp,
            c,
            initial ? p.H : p.Hp,
            s.dh + r * p.Hp,
            s.dc + r * p.Hp,
            at.gates + r * at.gates_ld,
            s.direct + r * p.Sp,
            s.draws.cell == nullptr ? nullptr : s.draws.cell + r * p.Hp,
            s.draws.candidate == nullptr ? nullptr : s.draws.candidate + r * p.Hp};
}

// The columns between H and Hp: an infinite input times a packed zero leaves NaN there, which must not reach a product.
inline void clear_padding(const ScanPlan& p, float* gates) {
    for (i64 block = 0; p.H < p.Hp && block < p.blocks; ++block) fill_zero(gates + block * p.Hp + p.H, p.Hp - p.H);
}

template <bool Plain>
inline void gates_back(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, const WeightGrads& w) {
    const Tile& tile = at.tile;
    const ScanPlan plan = p;  // a copy, as in `forward_gates`
    for (i64 r = 0; r < tile.rows; ++r) state_back(plan, s, at, r);
    if (p.has_out) product(tile.rows, at.out, p.Sp, p.v_out, s.dh, p.Hp, Start::zero, nullptr);
    if (p.layer_norm && p.kind == CellKind::lstm) {
        const auto row_at = [&](i64 r) {
            BackwardRow row = backward_row(p, s, at, r);
            if (!kept(p, tile.first + r, at.t)) row.saved = nullptr;
            return row;
        };
        lstm_show_back<Plain>(p, tile.rows, row_at, s.cell_norm, s.shown, w.gain_c);
    }
    for (i64 r = 0; r < tile.rows; ++r) {
        const BackwardRow row = backward_row(plan, s, at, r);
        if (!kept(plan, tile.first + r, at.t)) {
            fill_zero(row.gates, plan.blocks * plan.Hp);
            continue;
        }
        switch (plan.kind) {
            case CellKind::elman: elman_back<Plain>(plan, row); break;
            case CellKind::jordan: jordan_back<Plain>(plan, row); break;
            case CellKind::gru: gru_back<Plain>(plan, row); break;
            case CellKind::lstm: lstm_back<Plain>(plan, row, s.shown + r * plan.Hp, w.peephole); break;
        }
        if (plan.H < plan.Hp) clear_padding(p, row.gates);
    }
    if (p.reset_after) return;
    product(tile.rows, at.gates, at.gates_ld, p.v_n, s.reset, p.Sp, Start::zero, nullptr);
    for (i64 r = 0; r < tile.rows; ++r) {
        if (!kept(p, tile.first + r, at.t)) continue;
        const BackwardRow row = backward_row(p, s, at, r);
        gru_reset_back<Plain>(p, row, s.reset + r * p.Sp, p.d_h == nullptr ? nullptr : s.d_h + r * p.Sp);
        clear_padding(p, row.gates);
    }
}

// The factors of the weight gradients become h̃ and r⊙h̃.
inline void finish_factors(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at) {
    for (i64 r = 0; r < at.tile.rows; ++r) {
        float* h = s.factors + (at.k + r) * s.chunk.ld + s.chunk.inputs;
        if (p.d_h != nullptr)
            for (i64 j = 0; j < p.Sp; j += W) store(h + j, load(h + j) * load(s.d_h + r * p.Sp + j));
        if (p.reset_after) continue;
        if (!kept(p, at.tile.first + r, at.t)) {
            fill_zero(h + p.Sp, p.Sp);
            continue;
        }
        const float* gate = saved_at(p, at.tile, r, at.step) + p.Hp;
        for (i64 j = 0; j < p.Sp; j += W) store(h + p.Sp + j, load(gate + j) * load(h + j));
    }
}

// Sums over the rows of a step: gradients of the biases.
inline void sum_rows(const float* rows, i64 ld, i64 count, i64 columns, float* sums) {
    for (i64 j = 0; j < columns; j += W) {
        vf total = zero();
        for (i64 r = 0; r < count; ++r) total = total + load(rows + r * ld + j);
        add_to(sums + j, total);
    }
}

// From the gate gradients to those of the two products, made again, through their layer norms.
inline void norms_back(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, const WeightGrads& w) {
    const i64 rows = at.tile.rows;
    const i64 width = p.G * p.Hp;
    const float* h = s.factors + at.k * s.chunk.ld + s.chunk.inputs;
    product(rows, h - p.I, s.chunk.ld, p.w_x, s.part_x, width, Start::zero, nullptr);
    product(rows, h, s.chunk.ld, p.w_h, s.part_h, width, Start::zero, nullptr);
    product_scales(p, rows, s.part_x, s.scale_x);
    product_scales(p, rows, s.part_h, s.scale_h);
    const float* from_state = at.gates + p.h_block * p.Hp;
    product_norms_back(p, rows, at.gates, at.gates_ld, s.part_x, s.scale_x, p.gain_x, w.gain_x, at.grads, p.grad_row);
    product_norms_back(p, rows, from_state, at.gates_ld, s.part_h, s.scale_h, p.gain_h, w.gain_h, at.grads + width, p.grad_row);
    for (i64 r = 0; r < rows; ++r)
        if (!kept(p, at.tile.first + r, at.t)) fill_zero(at.grads + r * p.grad_row, 2 * width);
}

// What the steps low ... high - 1 read, the last step first.
inline void load_chunk(const ScanPlan& p, const BackwardScratch& s, const Tile& tile, i64 low, i64 high) {
    const bool inputs = !p.stored || p.layer_norm;
    const bool before = inputs || p.kind == CellKind::gru;
    for (i64 r = 0; r < tile.rows; ++r) {
        const i64 b = tile.first + r;
        for (i64 step = low; step < high; ++step) {
            const i64 t = time_of(p, step);
            const i64 k = (step - low) * tile.rows + r;
            float* h = s.factors + k * s.chunk.ld + s.chunk.inputs;
            if (inputs) load_input(p, b, t, h - p.I);
            if (before) {
                if (kept(p, b, t)) copy_padded(h, state_before(p, b, step), p.S, p.Sp);
                else fill_zero(h, p.Sp);
            }
            if (p.dy != nullptr) copy_padded(s.dy + k * p.Sp, p.dy + (b * p.T + t) * p.S, p.S, p.Sp);
            if (BackwardScratch::shows_output(p)) copy_padded(s.after + k * p.Sp, p.states + (b * p.T + t) * p.S, p.S, p.Sp);
        }
    }
}

// What a step soon to come reads of what was saved.
inline void ask_for_saved(Ahead& ahead, const ScanPlan& p, const Tile& tile, i64 step) {
    const i64 before = p.kind == CellKind::lstm ? 2 : 1;  // an LSTM's step reads c of the step before
    if (step >= before) ahead.add(saved_at(p, tile, 0, step - before), tile.rows * p.saved_row, false);
}

// What the chunk before `low` reads and writes.
inline void ask_for_chunk(Ahead& ahead, const ScanPlan& p, const Tile& tile, i64 low) {
    const i64 next = least(low, p.chunk);
    const i64 t = p.reverse ? time_of(p, low - 1) : low - next;
    for (i64 r = 0; next > 0 && r < tile.rows; ++r) {
        const i64 at = (tile.first + r) * p.T + t;
        ahead.add(p.x + at * p.I, next * p.I, false);
        ahead.add(p.states + at * p.S, next * p.S, false);
        if (p.dy != nullptr) ahead.add(p.dy + at * p.S, next * p.S, false);
        if (p.dx != nullptr) ahead.add(p.dx + at * p.I, next * p.I, true);
    }
}

inline void inputs_back(const ScanPlan& p, const BackwardScratch& s, const Tile& tile, const float* grads, i64 low, i64 high) {
    const i64 ld = up(p.I, 16);
    product((high - low) * tile.rows, grads, p.grad_row, p.v_x, s.dx, ld, Start::zero, nullptr);
    for (i64 r = 0; r < tile.rows; ++r) {
        const i64 b = tile.first + r;
        for (i64 i = 0; i < high - low; ++i) {
            const i64 step = p.reverse ? high - 1 - i : low + i;
            const i64 t = time_of(p, step);
            float* from = s.dx + ((step - low) * tile.rows + r) * ld;
            if (!kept(p, b, t)) fill_zero(from, p.I);
            else if (p.d_x != nullptr)
                for (i64 j = 0; j < p.I; j += W) store(from + j, load(from + j) * load_part(p.d_x + b * p.I + j, p.I - j));
            copy_in_order(p.dx + (b * p.T + t) * p.I, from, p.I, (high - low - i) * p.I);
        }
    }
}

// The weight gradient's part from the rows of a chunk.
inline void chunk_gradients(const ScanPlan& p, const BackwardScratch& s, const Tile& tile, i64 low, i64 high, const WeightGrads& w, Ahead* ahead) {
    const i64 depth = (high - low) * tile.rows;
    const i64 width = p.G * p.Hp;
    const float* h = s.factors + s.chunk.inputs;
    outer_product(p.I, width, depth, h - p.I, s.chunk.ld, MR, s.grads, p.grad_row, w.w_x, width, ahead);
    outer_product(p.S, p.reset_after ? width : 2 * p.Hp, depth, h, s.chunk.ld, MR, s.grads + p.grad_h, p.grad_row, w.w_h, width,
                  ahead);
    if (!p.reset_after) outer_product(p.S, p.Hp, depth, h + p.Sp, s.chunk.ld, MR, s.grads, p.grad_row, w.w_h + 2 * p.Hp, width);
    if (p.has_out) outer_product(p.H, p.Sp, depth, saved_at(p, tile, 0, low) + p.saved_hidden, p.saved_row, MR, s.out, p.Sp, w.w_out, p.Sp);
}

inline void backward_start(const ScanPlan& p, const BackwardScratch& s, const Tile& tile) {
    fill_zero(s.through, p.tile * p.Sp);
    fill_zero(s.dh, p.tile * p.Hp);
    for (i64 r = 0; r < tile.rows; ++r) {
        const i64 b = tile.first + r;
        if (p.dh_last != nullptr) copy_padded(s.direct + r * p.Sp, p.dh_last + b * p.S, p.S, p.Sp);
        else fill_zero(s.direct + r * p.Sp, p.Sp);
        if (p.d_h != nullptr) copy_padded(s.d_h + r * p.Sp, p.d_h + b * p.S, p.S, p.Sp);
        if (p.c0 == nullptr) continue;
        if (p.dc_last != nullptr && !planted(Mistake::last_cell_gradient_lost)) copy_padded(s.dc + r * p.Hp, p.dc_last + b * p.H, p.H, p.Hp);
        else fill_zero(s.dc + r * p.Hp, p.Hp);
    }
}

inline void backward_finish(const ScanPlan& p, const BackwardScratch& s, const Tile& tile) {
    for (i64 r = 0; r < tile.rows; ++r) {
        const i64 b = tile.first + r;
        for (i64 j = 0; j < p.S; j += W) {
            const vf through = load(s.through + r * p.Sp + j);
            const vf d = load(s.direct + r * p.Sp + j) + (p.d_h == nullptr ? through : through * load(s.d_h + r * p.Sp + j));
            store_part(p.dh0 + b * p.S + j, d, p.S - j);
        }
        if (p.dc0 != nullptr) copy_row(p.dc0 + b * p.H, s.dc + r * p.Hp, p.H);
    }
}

inline void backward_step(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, const WeightGrads& w, Ahead* ahead) {
    const i64 rows = at.tile.rows;
    s.draws.draw(p, at.tile.first, rows, at.t);
    if (p.plain) gates_back<true>(p, s, at, w);
    else gates_back<false>(p, s, at, w);
    finish_factors(p, s, at);
    sum_rows(at.gates, at.gates_ld, rows, (p.blocks - (planted(Mistake::bias_gradient_missing) ? 1 : 0)) * p.Hp, w.blocks);
    if (p.has_out) sum_rows(at.out, p.Sp, rows, p.Sp, w.bias_out);
    if (p.layer_norm) norms_back(p, s, at, w);
    product(rows, at.grads + p.grad_h, p.grad_row, p.v_h, s.through, p.Sp, Start::zero, nullptr, ahead);
}

inline void backward_tile(const ScanPlan& p, i64 index, const WeightGrads& w, float* scratch) {
    const FlushDenormals flush;
    const BackwardScratch s(p, Carver(scratch));
    const Tile tile = tile_at(p, index);
    backward_start(p, s, tile);
    for (i64 high = p.T; high > 0; high -= p.chunk) {
        const i64 low = high > p.chunk ? high - p.chunk : 0;
        // Rows that are kept for after the loop stand in order of t, chunks are single steps then.
        float* grads = p.stored ? p.grads + (time_of(p, low) * p.B + tile.first) * p.grad_row : s.grads;
        float* out = p.stored ? p.out_grads + (time_of(p, low) * p.B + tile.first) * p.Sp : s.out;
        load_chunk(p, s, tile, low, high);
        // Where steps ask for what was saved, the chunk's part is left to the weight gradients' products.
        Ahead chunk;
        const bool saves = p.saved_row > 0;
        const i64 width = p.G * p.Hp;
        const i64 step_tiles = register_tiles(tile.rows, p.v_h);
        ask_for_chunk(chunk, p, tile, low);
        chunk.pace(saves && !p.stored ? outer_tiles(p.I, width) + outer_tiles(p.S, width) : (high - low) * step_tiles);
        for (i64 step = high - 1; step >= low; --step) {
            const i64 k = (step - low) * tile.rows;
            BackwardStep at{tile, step, time_of(p, step), k, grads + k * p.grad_row, out + k * p.Sp, grads + k * p.grad_row, p.grad_row};
            if (p.layer_norm) {
                at.gates = s.gates;
                at.gates_ld = p.blocks * p.Hp;
            }
            if (!saves || p.stored) {  // a chunk of one step where the gradients are stored
                if (saves) {
                    ask_for_saved(chunk, p, tile, step);
                    chunk.pace(step_tiles);
                }
                backward_step(p, s, at, w, &chunk);
                continue;
            }
            Ahead saved;
            ask_for_saved(saved, p, tile, step);
            saved.pace(step_tiles);
            backward_step(p, s, at, w, &saved);
            saved.rest();
        }
        if (p.dx != nullptr) inputs_back(p, s, tile, grads, low, high);
        if (!p.stored && !(low == 0 && planted(Mistake::last_chunk_lost))) chunk_gradients(p, s, tile, low, high, w, &chunk);
        chunk.rest();
    }
    backward_finish(p, s, tile);
}

}  // namespace
}  // namespace seqloom
