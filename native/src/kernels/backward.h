// The backward pass of one tile of batch rows over all steps, last first.
#pragma once

#include "common.h"

namespace seqloom {
namespace {

struct BackwardScratch {
    float* direct;   // (rows, Sp): gradient of the state that comes past the recurrent product
    float* through;  // (rows, Sp): what comes through it, still to be multiplied with d_h
    float* dh;       // (rows, Hp): gradient of what the gates give
    float* dc;       // (rows, Hp)
    float* d_h;      // (rows, Sp)
    float* dx;       // (rows, I rounded up to 16)
    float* reset;    // (rows, Sp): gradient of r⊙h̃
    float* gates;    // (rows, blocks Hp): gate gradients of a step, with layer norm
    float* normed;   // (Hp)
    float* shown;    // (Hp)
    float* grads;    // (chunk rows, grad_row)
    float* out;      // (chunk rows, Sp)
    float *a_x, *a_h, *a_reset, *a_out;  // the other side of the weight gradients, for `outer_product`
    StepDraws draws;
    i64 depth;  // rows of a chunk
    i64 size;

    BackwardScratch(const ScanPlan& p, float* base) {
        Carver carver(base);
        depth = p.chunk * p.tile;
        const i64 kept = p.stored ? 0 : depth;
        direct = carver.take(p.tile * p.Sp);
        through = carver.take(p.tile * p.Sp);
        dh = carver.take(p.tile * p.Hp);
        dc = carver.take(p.c0 != nullptr ? p.tile * p.Hp : 0);
        d_h = carver.take(p.d_h != nullptr ? p.tile * p.Sp : 0);
        dx = carver.take(p.dx != nullptr ? p.tile * up(p.I, 16) : 0);
        reset = carver.take(p.reset_after ? 0 : p.tile * p.Sp);
        gates = carver.take(p.layer_norm ? p.tile * p.blocks * p.Hp : 0);
        normed = carver.take(p.Hp);
        shown = carver.take(p.Hp);
        grads = carver.take(kept * p.grad_row);
        out = carver.take(p.has_out ? kept * p.Sp : 0);
        a_x = carver.take(kept * up(p.I, MR));
        a_h = carver.take(kept * up(p.S, MR));
        a_reset = carver.take(p.reset_after ? 0 : kept * up(p.S, MR));
        a_out = carver.take(p.has_out ? kept * up(p.H, MR) : 0);
        draws.carve(carver, p);
        size = carver.used();
    }
};

// One row of the tile at one step.
struct BackwardRow {
    i64 b;
    const float* saved;
    const float* before;  // h_{t-1}, S numbers
    const float* c;       // c_{t-1}, and how many of its numbers are there (the initial state has no padding)
    i64 c_size;
    const float* dh;
    float* dc;
    float* gates;   // gate gradients, blocks Hp
    float* direct;
    const float* zeta_c;
    const float* drop;
};

inline vf load_part(const float* p, i64 n) { return n >= W ? load(p) : n > 0 ? load_n(p, n) : zero(); }
inline void add_to(float* p, vf v) { store(p, load(p) + v); }

// da = dh'⊙φ'
template <bool Plain>
inline void elman_back(const ScanPlan& p, const BackwardRow& row, const float* state) {
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf h = p.zoneout.on ? load(row.saved + j) : load_part(state + j, p.S - j);
        store(row.gates + j, load(row.dh + j) * phi_slope<Plain>(p, h));
    }
}

template <bool Plain>
inline void jordan_back(const ScanPlan& p, const BackwardRow& row) {
    for (i64 j = 0; j < p.Hp; j += W) store(row.gates + j, load(row.dh + j) * phi_slope<Plain>(p, load(row.saved + j)));
}

// da_n = dh'⊙(1−z)⊙d_g⊙φ', da_z = dh'⊙(h − n⊙d_g)⊙σ', du = da_n⊙r, da_r = da_n⊙u⊙σ'; z⊙dh' goes past
template <bool Plain>
inline void gru_back(const ScanPlan& p, const BackwardRow& row) {
    const i64 Hp = p.Hp;
    const vf one = set1(1.0F);
    for (i64 j = 0; j < Hp; j += W) {
        const vf dh = load(row.dh + j);
        const vf n = load(row.saved + j);
        const vf z = load(row.saved + 2 * Hp + j);
        const vf h = load_part(row.before + j, p.S - j);
        vf dn = dh * (one - z);
        vf shown = n;
        if (row.drop != nullptr) {
            const vf d = load(row.drop + j);
            dn = dn * d;
            shown = n * d;
        }
        dn = dn * phi_slope<Plain>(p, n);
        store(row.gates + j, dn);
        store(row.gates + 2 * Hp + j, dh * (planted(Mistake::wrong_sign) ? shown - h : h - shown) * sigma_slope<Plain>(p, z));
        if (p.reset_after) {
            const vf r = load(row.saved + Hp + j);
            const vf u = load(row.saved + 3 * Hp + j);
            store(row.gates + Hp + j, dn * u * sigma_slope<Plain>(p, r));
            store(row.gates + 3 * Hp + j, dn * r);
        }
        store(row.direct + j, fma(dh, z, load(row.direct + j)));
    }
}

// Reset gate before: with dq the gradient of q = r⊙h⊙d_h, da_r = dq⊙h⊙d_h⊙σ', and dq⊙r⊙d_h goes past
template <bool Plain>
inline void gru_reset_back(const ScanPlan& p, const BackwardRow& row, const float* dq, const float* d_h) {
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf r = load(row.saved + p.Hp + j);
        const vf q = d_h == nullptr ? load(dq + j) : load(dq + j) * load(d_h + j);
        store(row.gates + p.Hp + j, q * load_part(row.before + j, p.S - j) * sigma_slope<Plain>(p, r));
        store(row.direct + j, fma(q, r, load(row.direct + j)));
    }
}

struct LstmValues {
    vf i, f, g, o, c, c_raw, c_new;
    vf shown;  // g⊙d_g
};

inline LstmValues lstm_values(const ScanPlan& p, const BackwardRow& row, i64 j) {
    const i64 at_f = p.coupled ? 0 : p.Hp;
    LstmValues v;
    v.f = load(row.saved + at_f + j);
    v.i = p.coupled ? set1(1.0F) - v.f : load(row.saved + j);
    v.g = load(row.saved + at_f + p.Hp + j);
    v.o = load(row.saved + at_f + 2 * p.Hp + j);
    v.c = load_part(row.c + j, row.c_size - j);
    v.shown = row.drop == nullptr ? v.g : v.g * load(row.drop + j);
    v.c_raw = fma(v.f, v.c, v.i * v.shown);
    v.c_new = p.clip ? clamp(v.c_raw, -p.clip_at, p.clip_at) : v.c_raw;
    return v;
}

// Through h' = o⊙φ(LN(c')): da_o into the gates, the gradient of c' into `shown`.
template <bool Plain>
inline void lstm_show_back(const ScanPlan& p, const BackwardRow& row, float* normed, float* shown, float* d_gain) {
    const i64 at_o = (p.coupled ? 2 : 3) * p.Hp;
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf c = lstm_values(p, row, j).c_new;
        store(normed + j, j + W <= p.H ? c : j < p.H ? c * ones_below(p.H - j) : zero());
    }
    const Moments moment = moments(normed, 1, p.H, p.Hp, p.epsilon);
    normalise(normed, normed, 1, p.H, p.Hp, moment);
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf gain = load(p.gain_c + j);
        const vf y = phi_of<Plain>(p, load(normed + j) * gain);
        const vf dh = load(row.dh + j);
        const vf o = load(row.saved + at_o + j);
        store(row.gates + at_o + j, dh * y * sigma_slope<Plain>(p, o));
        const vf d = dh * o * phi_slope<Plain>(p, y);
        add_to(d_gain + j, d * load(normed + j));
        store(shown + j, d * gain);
    }
    normalise_back(shown, normed, shown, 1, p.H, p.Hp, moment.scale);
}

template <bool Plain>
inline void lstm_back(const ScanPlan& p, const BackwardRow& row, const float* shown, float* d_peephole) {
    const i64 Hp = p.Hp;
    const i64 at_f = p.coupled ? 0 : Hp;
    const vf one = set1(1.0F);
    for (i64 j = 0; j < Hp; j += W) {
        const LstmValues v = lstm_values(p, row, j);
        vf dc = load(row.dc + j);
        vf dc_before = zero();
        if (p.zoneout_cell.on) {
            const vf z = zeta(p.zoneout_cell, row.zeta_c, j);
            dc_before = z * dc;
            dc = (one - z) * dc;
        }
        vf da_o;
        if (p.layer_norm) {
            da_o = load(row.gates + at_f + 2 * Hp + j);
            dc = dc + load(shown + j);
        } else {
            const vf dh = load(row.dh + j);
            const vf y = phi_of<Plain>(p, v.c_new);
            da_o = dh * y * sigma_slope<Plain>(p, v.o);
            dc = fma(dh * v.o, phi_slope<Plain>(p, y), dc);
            store(row.gates + at_f + 2 * Hp + j, da_o);
        }
        if (p.peephole) {
            dc = fma(load(p.peephole_rows + 2 * Hp + j), da_o, dc);
            add_to(d_peephole + 2 * Hp + j, da_o * v.c_new);
        }
        if (p.clip && !planted(Mistake::clip_gradient_not_cut)) dc = select(gt(set1(p.clip_at), abs(v.c_raw)), dc, zero());
        vf da_f = dc * (p.coupled && !planted(Mistake::coupled_gradient) ? v.c - v.shown : v.c) * sigma_slope<Plain>(p, v.f);
        if (planted(Mistake::wrong_sign)) da_f = zero() - da_f;
        dc_before = fma(dc, v.f, dc_before);
        if (p.peephole) {
            dc_before = fma(load(p.peephole_rows + Hp + j), da_f, dc_before);
            add_to(d_peephole + Hp + j, da_f * v.c);
        }
        if (!p.coupled) {
            const vf da_i = dc * v.shown * sigma_slope<Plain>(p, v.i);
            store(row.gates + j, da_i);
            if (p.peephole) {
                dc_before = fma(load(p.peephole_rows + j), da_i, dc_before);
                add_to(d_peephole + j, da_i * v.c);
            }
        }
        vf dg = dc * v.i;
        if (row.drop != nullptr) dg = dg * load(row.drop + j);
        store(row.gates + at_f + j, da_f);
        store(row.gates + at_f + Hp + j, dg * phi_slope<Plain>(p, v.g));
        store(row.dc + j, dc_before);
    }
}

// Where the rows of one step lie.
struct BackwardStep {
    i64 first, rows, step, t;
    float* grads;  // (rows, grad_row)
    float* out;    // (rows, Sp)
    float* gates;  // (rows, blocks Hp): the same as grads, apart from it with layer norm
    i64 gates_ld;
};

// The gradient of h' from that of the state: past the recurrent product, through it, and from outside.
inline void state_back(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, i64 r) {
    const i64 b = at.first + r;
    const bool keep = kept(p, b, at.t);
    const float* dy = p.dy == nullptr ? nullptr : p.dy + (b * p.T + at.t) * p.S;
    const float* y = p.states == nullptr ? nullptr : p.states + (b * p.T + at.t) * p.S;
    const float* drawn = s.draws.hidden == nullptr ? nullptr : s.draws.hidden + r * p.Sp;
    float* direct = s.direct + r * p.Sp;
    for (i64 j = 0; j < p.Sp; j += W) {
        const vf through = load(s.through + r * p.Sp + j);
        const bool pass = p.d_h == nullptr || planted(Mistake::state_mask_lost_backward);
        vf d = load(direct + j) + (pass ? through : through * load(s.d_h + r * p.Sp + j));
        if (dy != nullptr) d = d + load_part(dy + j, p.S - j);
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
        if (p.kind == CellKind::jordan && keep) d = d * slope(p.output_activation, load_part(y + j, p.S - j));
        store(at.out + r * p.Sp + j, d);
    }
}

template <bool Plain>
inline BackwardRow backward_row(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, i64 r) {
    const i64 b = at.first + r;
    const bool initial = at.step == 0;
    const float* c = nullptr;
    if (p.kind == CellKind::lstm) c = initial ? p.c0 + b * p.H : saved_at(p, b, time_of(p, at.step - 1)) + p.saved_c;
    return {b,
            p.saved_row == 0 ? nullptr : saved_at(p, b, at.t),
            state_before(p, b, at.step),
            c,
            initial ? p.H : p.Hp,
            s.dh + r * p.Hp,
            s.dc + r * p.Hp,
            at.gates + r * at.gates_ld,
            s.direct + r * p.Sp,
            s.draws.cell == nullptr ? nullptr : s.draws.cell + r * p.Hp,
            s.draws.candidate == nullptr ? nullptr : s.draws.candidate + r * p.Hp};
}

// Ask for what row b needs at an earlier step: a step is too short to wait for memory, and the rows lie too far apart for
// the processor to guess.
inline void prefetch_step(const ScanPlan& p, i64 b, i64 step) {
    const i64 t = time_of(p, step);
    if (p.saved_row > 0) prefetch(saved_at(p, b, t), p.saved_row);
    if (p.dy != nullptr) prefetch(p.dy + (b * p.T + t) * p.S, p.S);
    if (p.kind != CellKind::lstm || !p.stored) prefetch(state_before(p, b, step), p.S);
    if (!p.stored) prefetch(p.x + (b * p.T + t) * p.I, p.I);
}

// The columns between H and Hp: an infinite input times a packed zero leaves NaN there, which must not reach a product.
inline void clear_padding(const ScanPlan& p, float* gates) {
    for (i64 block = 0; p.H < p.Hp && block < p.blocks; ++block) fill_zero(gates + block * p.Hp + p.H, p.Hp - p.H);
}

template <bool Plain>
inline void gates_back(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, const WeightGrads& w) {
    for (i64 r = 0; r < at.rows; ++r) state_back(p, s, at, r);
    if (p.has_out) product(at.rows, at.out, p.Sp, p.v_out, s.dh, p.Hp, Start::zero, nullptr);
    for (i64 r = 0; r < at.rows; ++r) {
        if (at.step > 0) prefetch_step(p, at.first + r, at.step - 1);
        const BackwardRow row = backward_row<Plain>(p, s, at, r);
        if (!kept(p, row.b, at.t)) {
            fill_zero(row.gates, p.blocks * p.Hp);
            continue;
        }
        switch (p.kind) {
            case CellKind::elman: elman_back<Plain>(p, row, p.states + (row.b * p.T + at.t) * p.S); break;
            case CellKind::jordan: jordan_back<Plain>(p, row); break;
            case CellKind::gru: gru_back<Plain>(p, row); break;
            default:
                if (p.layer_norm) lstm_show_back<Plain>(p, row, s.normed, s.shown, w.gain_c);
                lstm_back<Plain>(p, row, s.shown, w.peephole);
        }
        clear_padding(p, row.gates);
    }
    if (p.reset_after) return;
    product(at.rows, at.gates, at.gates_ld, p.v_n, s.reset, p.Sp, Start::zero, nullptr);
    for (i64 r = 0; r < at.rows; ++r) {
        const BackwardRow row = backward_row<Plain>(p, s, at, r);
        if (!kept(p, row.b, at.t)) continue;
        gru_reset_back<Plain>(p, row, s.reset + r * p.Sp, p.d_h == nullptr ? nullptr : s.d_h + r * p.Sp);
        clear_padding(p, row.gates);
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

// From the gate gradients to those of the two products, through their layer norms.
inline void norms_back(const ScanPlan& p, const BackwardStep& at, i64 r, const WeightGrads& w) {
    const i64 width = p.G * p.Hp;
    float* out = at.grads + r * p.grad_row;
    if (!kept(p, at.first + r, at.t)) return fill_zero(out, 2 * width);
    const float* saved = saved_at(p, at.first + r, at.t) + p.saved_norm;
    for (int side = 0; side < 2; ++side) {
        const float* d = at.gates + r * at.gates_ld + (side == 0 ? 0 : p.h_block * p.Hp);
        const float* n = saved + side * width;
        const float* gain = side == 0 ? p.gain_x : p.gain_h;
        float* d_gain = side == 0 ? w.gain_x : w.gain_h;
        float* to = out + side * width;
        for (i64 j = 0; j < width; j += W) {
            const vf v = load(d + j);
            add_to(d_gain + j, v * load(n + j));
            store(to + j, v * load(gain + j));
        }
        normalise_back(to, n, to, p.G, p.H, p.Hp, saved[2 * width + side]);
    }
}

inline void inputs_back(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at) {
    const i64 ld = up(p.I, 16);
    product(at.rows, at.grads, p.grad_row, p.v_x, s.dx, ld, Start::zero, nullptr);
    for (i64 r = 0; r < at.rows; ++r) {
        const i64 b = at.first + r;
        float* to = p.dx + (b * p.T + at.t) * p.I;
        if (!kept(p, b, at.t)) {
            fill_zero(to, p.I);
            continue;
        }
        const float* d = p.d_x == nullptr ? nullptr : p.d_x + b * p.I;
        for (i64 j = 0; j < p.I; j += W) {
            const vf v = load(s.dx + r * ld + j);
            store_part(to + j, d == nullptr ? v : v * load_part(d + j, p.I - j), p.I - j);
        }
    }
}

// Row (t, b) of the matrices whose products with the gradients are the weight gradients, from column `start` on.
inline void put_factor(const ScanPlan& p, LateMatrix which, i64 b, i64 step, i64 start, i64 n, float* a, i64 block_stride, i64 k) {
    const i64 t = time_of(p, step);
    if (!kept(p, b, t)) {
        a += k * MR;
        for (i64 i = 0; i < n; i += MR, a += block_stride)
            for (int m = 0; m < MR; ++m) a[m] = 0.0F;
        return;
    }
    const float* d_h = p.d_h == nullptr ? nullptr : p.d_h + b * p.S + start;
    switch (which) {
        case LateMatrix::x:
            return put_column(p.x + (b * p.T + t) * p.I + start, p.d_x == nullptr ? nullptr : p.d_x + b * p.I + start, n, a, block_stride, k);
        case LateMatrix::h: return put_column(state_before(p, b, step) + start, d_h, n, a, block_stride, k);
        case LateMatrix::out: return put_column(saved_at(p, b, t) + p.saved_hidden + start, nullptr, n, a, block_stride, k);
        case LateMatrix::reset: break;
    }
    const float* r = saved_at(p, b, t) + p.Hp + start;
    const float* h = state_before(p, b, step) + start;
    a += k * MR;
    for (i64 i = 0; i < n; i += MR, a += block_stride)
        for (i64 m = 0; m < MR; ++m) a[m] = i + m < n ? r[i + m] * h[i + m] * (d_h == nullptr ? 1.0F : d_h[i + m]) : 0.0F;
}

// The weight gradient's part from the rows of a chunk.
inline void chunk_gradients(const ScanPlan& p, const BackwardScratch& s, i64 depth, const WeightGrads& w) {
    const i64 stride = s.depth * MR;
    const i64 width = p.G * p.Hp;
    outer_product(p.I, width, depth, s.a_x, stride, s.grads, p.grad_row, w.w_x, width);
    const i64 from_state = p.reset_after ? width : 2 * p.Hp;
    outer_product(p.S, from_state, depth, s.a_h, stride, s.grads + p.grad_h, p.grad_row, w.w_h, width);
    if (!p.reset_after) outer_product(p.S, p.Hp, depth, s.a_reset, stride, s.grads, p.grad_row, w.w_h + 2 * p.Hp, width);
    if (p.has_out) outer_product(p.H, p.Sp, depth, s.a_out, stride, s.out, p.Sp, w.w_out, p.Sp);
}

inline void put_factors(const ScanPlan& p, const BackwardScratch& s, const BackwardStep& at, i64 k) {
    const i64 stride = s.depth * MR;
    for (i64 r = 0; r < at.rows; ++r, ++k) {
        put_factor(p, LateMatrix::x, at.first + r, at.step, 0, p.I, s.a_x, stride, k);
        put_factor(p, LateMatrix::h, at.first + r, at.step, 0, p.S, s.a_h, stride, k);
        if (!p.reset_after) put_factor(p, LateMatrix::reset, at.first + r, at.step, 0, p.S, s.a_reset, stride, k);
        if (p.has_out) put_factor(p, LateMatrix::out, at.first + r, at.step, 0, p.H, s.a_out, stride, k);
    }
}

inline void backward_start(const ScanPlan& p, const BackwardScratch& s, i64 first, i64 rows) {
    fill_zero(s.through, p.tile * p.Sp);
    fill_zero(s.dh, p.tile * p.Hp);
    for (i64 r = 0; r < rows; ++r) {
        const i64 b = first + r;
        if (p.dh_last != nullptr) copy_padded(s.direct + r * p.Sp, p.dh_last + b * p.S, p.S, p.Sp);
        else fill_zero(s.direct + r * p.Sp, p.Sp);
        if (p.d_h != nullptr) copy_padded(s.d_h + r * p.Sp, p.d_h + b * p.S, p.S, p.Sp);
        if (p.c0 == nullptr) continue;
        if (p.dc_last != nullptr && !planted(Mistake::last_cell_gradient_lost)) copy_padded(s.dc + r * p.Hp, p.dc_last + b * p.H, p.H, p.Hp);
        else fill_zero(s.dc + r * p.Hp, p.Hp);
    }
}

inline void backward_finish(const ScanPlan& p, const BackwardScratch& s, i64 first, i64 rows) {
    for (i64 r = 0; r < rows; ++r) {
        const i64 b = first + r;
        for (i64 j = 0; j < p.S; j += W) {
            const vf through = load(s.through + r * p.Sp + j);
            const vf d = load(s.direct + r * p.Sp + j) + (p.d_h == nullptr ? through : through * load(s.d_h + r * p.Sp + j));
            store_part(p.dh0 + b * p.S + j, d, p.S - j);
        }
        if (p.dc0 != nullptr) copy_row(p.dc0 + b * p.H, s.dc + r * p.Hp, p.H);
    }
}

inline void backward_tile(const ScanPlan& p, i64 tile, const WeightGrads& w, float* scratch) {
    const FlushDenormals flush;
    const BackwardScratch s(p, scratch);
    const i64 first = tile * p.tile;
    const i64 rows = least(p.tile, p.B - first);
    backward_start(p, s, first, rows);
    i64 depth = 0;
    for (i64 step = p.T - 1; step >= 0; --step) {
        const i64 t = time_of(p, step);
        BackwardStep at{first, rows, step, t, nullptr, nullptr, nullptr, p.grad_row};
        at.grads = p.stored ? p.grads + (t * p.B + first) * p.grad_row : s.grads + depth * p.grad_row;
        at.out = p.stored ? (p.has_out ? p.out_grads + (t * p.B + first) * p.Sp : nullptr) : s.out + depth * p.Sp;
        at.gates = p.layer_norm ? s.gates : at.grads;
        if (p.layer_norm) at.gates_ld = p.blocks * p.Hp;
        s.draws.draw(p, first, rows, t);
        if (p.plain) gates_back<true>(p, s, at, w);
        else gates_back<false>(p, s, at, w);
        sum_rows(at.gates, at.gates_ld, rows, (p.blocks - (planted(Mistake::bias_gradient_missing) ? 1 : 0)) * p.Hp, w.blocks);
        if (p.has_out) sum_rows(at.out, p.Sp, rows, p.Sp, w.bias_out);
        if (p.layer_norm)
            for (i64 r = 0; r < rows; ++r) norms_back(p, at, r, w);
        product(rows, at.grads + p.grad_h, p.grad_row, p.v_h, s.through, p.Sp, Start::zero, nullptr);
        if (p.dx != nullptr) inputs_back(p, s, at);
        if (p.stored) continue;
        put_factors(p, s, at, depth);
        depth += rows;
        if (depth + rows > s.depth || (step == 0 && !planted(Mistake::last_chunk_lost))) {
            chunk_gradients(p, s, depth, w);
            depth = 0;
        }
    }
    backward_finish(p, s, first, rows);
}

constexpr i64 late_depth = 256;

inline i64 late_scratch(const LatePiece& piece) { return late_depth * (up(piece.rows, MR) + NV * W) + 32; }

// One piece of a weight gradient as a product over all (t, b), in order.
inline void late_gradient(const ScanPlan& p, const LatePiece& piece, float* scratch) {
    const FlushDenormals flush;
    float* a = scratch;
    float* packed = scratch + up(late_depth * up(piece.rows, MR), 16);
    const bool out = piece.which == LateMatrix::out;
    const i64 ld = out ? p.Sp : p.grad_row;
    const i64 shift = piece.which == LateMatrix::h ? p.grad_h : 0;
    const float* grads = (out ? p.out_grads : p.grads) + shift + piece.column;
    const Panels panels(piece.columns);
    for (i64 q = 0; q < p.T * p.B; q += late_depth) {
        const i64 depth = least(late_depth, p.T * p.B - q);
        for (i64 k = 0; k < depth; ++k) {
            const i64 t = (q + k) / p.B;
            put_factor(p, piece.which, (q + k) % p.B, p.reverse ? p.T - 1 - t : t, piece.row, piece.rows, a, late_depth * MR, k);
        }
        i64 column = 0;
        for (i64 panel = 0; panel < panels.count; ++panel) {
            const i64 width = panels.width(panel) * W;
            for (i64 k = 0; k < depth; ++k)
                for (i64 j = 0; j < width; j += W) store(packed + k * width + j, load(grads + (q + k) * ld + column + j));
            outer_product(piece.rows, width, depth, a, late_depth * MR, packed, width, piece.out + column, piece.ld);
            column += width;
        }
    }
}

}  // namespace
}  // namespace seqloom
