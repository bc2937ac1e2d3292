// The forward pass of one tile of batch rows over all steps.
#pragma once

#include "common.h"

namespace seqloom {
namespace {

struct ForwardScratch {
    i64 ld;           // of xh
    float* xh;        // (rows, I + Sp): the step's inputs times d_x, then the state times d_h
    float* gates;     // (rows, blocks Hp)
    float* h;         // (rows, Sp)
    float* c;         // (rows, Hp)
    float* d_h;       // (rows, Sp)
    float* d_x;       // (rows, I)
    float* hidden;    // (rows, Hp): what the output product reads
    float* out;       // (rows, Sp): its result
    float* reset;     // (rows, Sp): r⊙h̃
    float* part_x;    // (rows, G Hp): x̃ W_x and h̃ W_h apart, for layer norm
    float* part_h;
    float* normed;    // (Hp)
    StepDraws draws;
    i64 size;

    ForwardScratch(const ScanPlan& p, float* base) {
        Carver carver(base);
        ld = p.I + p.Sp;
        xh = carver.take(p.tile * ld);
        gates = carver.take(p.tile * p.blocks * p.Hp);
        h = carver.take(p.tile * p.Sp);
        c = carver.take(p.c0 != nullptr ? p.tile * p.Hp : 0);
        d_h = carver.take(p.d_h != nullptr ? p.tile * p.Sp : 0);
        hidden = carver.take(p.has_out ? p.tile * p.Hp : 0);
        out = carver.take(p.has_out ? p.tile * p.Sp : 0);
        reset = carver.take(p.reset_after ? 0 : p.tile * p.Sp);
        part_x = carver.take(p.layer_norm ? p.tile * p.G * p.Hp : 0);
        part_h = carver.take(p.layer_norm ? p.tile * p.G * p.Hp : 0);
        normed = carver.take(p.Hp);
        draws.carve(carver, p);
        size = carver.used();
    }
};

// One row of the tile at one step.
struct ForwardRow {
    const float* gates;
    float* h;
    float* c;
    float* saved;     // null where nothing is saved
    float* states;    // null where the outputs of the steps are not wanted
    float* next;      // where h̃ of the next step goes
    const float* d_h;
    const float* zeta_h;
    const float* zeta_c;
    const float* drop;
};

inline ForwardRow forward_row(const ScanPlan& p, const ForwardScratch& s, i64 first, i64 r, i64 t) {
    const i64 b = first + r;
    return {s.gates + r * p.blocks * p.Hp,
            s.h + r * p.Sp,
            s.c + r * p.Hp,
            p.save ? saved_at(p, b, t) : nullptr,
            p.states == nullptr ? nullptr : p.states + (b * p.T + t) * p.S,
            s.xh + r * s.ld + p.I,
            p.d_h == nullptr ? nullptr : s.d_h + r * p.Sp,
            s.draws.hidden == nullptr ? nullptr : s.draws.hidden + r * p.Sp,
            s.draws.cell == nullptr ? nullptr : s.draws.cell + r * p.Hp,
            s.draws.candidate == nullptr ? nullptr : s.draws.candidate + r * p.Hp};
}

// Zoneout, then the new state goes to its three places.
inline void emit(const ScanPlan& p, const ForwardRow& row, i64 j, vf h_new) {
    if (p.zoneout.on) {
        const vf z = zeta(p.zoneout, row.zeta_h, j);
        h_new = fma(z, load(row.h + j), (set1(1.0F) - z) * h_new);
    }
    store(row.h + j, h_new);
    if (row.states != nullptr) store_part(row.states + j, h_new, p.S - j);
    store(row.next + j, row.d_h == nullptr ? h_new : h_new * load(row.d_h + j));
}

// A masked step: the state stays, the output repeats it.
inline void repeat(const ScanPlan& p, const ForwardRow& row) {
    if (row.states != nullptr) copy_row(row.states, row.h, p.S);
    if (row.saved != nullptr && p.kind == CellKind::lstm) copy_row(row.saved + p.saved_c, row.c, p.Hp);
}

// What the output product reads.
inline void keep_hidden(const ScanPlan& p, const ForwardRow& row, float* hidden, i64 j, vf h) {
    store(hidden + j, h);
    if (row.saved != nullptr) store(row.saved + p.saved_hidden + j, h);
}

// h' = φ(a)
template <bool Plain>
inline void elman_row(const ScanPlan& p, const ForwardRow& row) {
    const bool save = row.saved != nullptr && p.zoneout.on;
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf h = phi_of<Plain>(p, load(row.gates + j));
        if (save) store(row.saved + j, h);
        emit(p, row, j, h);
    }
}

// hidden = φ(a), read by the output product
template <bool Plain>
inline void jordan_row(const ScanPlan& p, const ForwardRow& row, float* hidden) {
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf h = phi_of<Plain>(p, load(row.gates + j));
        keep_hidden(p, row, hidden, j, h);
    }
}

// r = σ(a_r), z = σ(a_z), n = φ(a_n + r⊙u)⊙d_g, h' = (1−z)⊙n + z⊙h; blocks n r z u
template <bool Plain>
inline void gru_row(const ScanPlan& p, const ForwardRow& row) {
    const i64 Hp = p.Hp;
    for (i64 j = 0; j < Hp; j += W) {
        const vf r = sigma_of<Plain>(p, load(row.gates + Hp + j));
        const vf z = sigma_of<Plain>(p, load(row.gates + 2 * Hp + j));
        const vf u = load(row.gates + 3 * Hp + j);
        vf n = phi_of<Plain>(p, fma(r, u, load(row.gates + j)));
        if (row.saved != nullptr) {
            store(row.saved + j, n);
            store(row.saved + Hp + j, r);
            store(row.saved + 2 * Hp + j, z);
            store(row.saved + 3 * Hp + j, u);
        }
        if (row.drop != nullptr) n = n * load(row.drop + j);
        emit(p, row, j, fma(z, load(row.h + j), (set1(1.0F) - z) * n));
    }
}

// The first half of a GRU with the reset gate before: r, and r⊙h̃ for the candidate's product.
template <bool Plain>
inline void gru_reset_row(const ScanPlan& p, const ForwardRow& row, float* gates, float* reset) {
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf r = sigma_of<Plain>(p, load(gates + p.Hp + j));
        store(gates + p.Hp + j, r);
        const vf rh = r * load(row.h + j);
        store(reset + j, row.d_h == nullptr ? rh : rh * load(row.d_h + j));
    }
}

// The second half: n = φ(a_n + (r⊙h̃) W_hn)⊙d_g
template <bool Plain>
inline void gru_before_row(const ScanPlan& p, const ForwardRow& row) {
    const i64 Hp = p.Hp;
    for (i64 j = 0; j < Hp; j += W) {
        const vf z = sigma_of<Plain>(p, load(row.gates + 2 * Hp + j));
        vf n = phi_of<Plain>(p, load(row.gates + j));
        if (row.saved != nullptr) {
            store(row.saved + j, n);
            store(row.saved + Hp + j, load(row.gates + Hp + j));
            store(row.saved + 2 * Hp + j, z);
        }
        if (row.drop != nullptr) n = n * load(row.drop + j);
        emit(p, row, j, fma(z, load(row.h + j), (set1(1.0F) - z) * n));
    }
}

// i, f, g, o and c' as in `ScanPlan`'s symbols; with layer norm c' is finished by `lstm_show_row`
template <bool Plain>
inline void lstm_row(const ScanPlan& p, const ForwardRow& row, float* hidden, float* normed) {
    const i64 Hp = p.Hp;
    const float* a = row.gates;
    const i64 at_f = p.coupled ? 0 : Hp;
    const vf one = set1(1.0F);
    for (i64 j = 0; j < Hp; j += W) {
        const vf c = load(row.c + j);
        vf a_f = load(a + at_f + j);
        if (p.peephole) a_f = fma(load(p.peephole_rows + Hp + j), c, a_f);
        const vf f = sigma_of<Plain>(p, a_f);
        vf i = one - f;
        if (!p.coupled) {
            vf a_i = load(a + j);
            if (p.peephole) a_i = fma(load(p.peephole_rows + j), c, a_i);
            i = sigma_of<Plain>(p, a_i);
        }
        const vf g = phi_of<Plain>(p, load(a + at_f + Hp + j));
        vf c_new = fma(f, c, i * (row.drop == nullptr ? g : g * load(row.drop + j)));
        if (p.clip) c_new = clamp(c_new, -p.clip_at, p.clip_at);
        vf a_o = load(a + at_f + 2 * Hp + j);
        if (p.peephole) a_o = fma(load(p.peephole_rows + 2 * Hp + j), planted(Mistake::peephole_on_old_cell) ? c : c_new, a_o);
        const vf o = sigma_of<Plain>(p, a_o);
        vf c_state = c_new;
        if (p.zoneout_cell.on) {
            const vf z = zeta(p.zoneout_cell, row.zeta_c, j);
            c_state = fma(z, c, (one - z) * c_new);
        }
        store(row.c + j, c_state);
        if (row.saved != nullptr) {
            if (!p.coupled) store(row.saved + j, i);
            store(row.saved + at_f + j, f);
            store(row.saved + at_f + Hp + j, g);
            store(row.saved + at_f + 2 * Hp + j, o);
            store(row.saved + p.saved_c + j, c_state);
        }
        if (p.layer_norm) {
            store(normed + j, c_new);
            store(hidden + j, o);
        } else {
            const vf h = o * phi_of<Plain>(p, c_new);
            if (p.has_out) keep_hidden(p, row, hidden, j, h);
            else emit(p, row, j, h);
        }
    }
}

// h' = o⊙φ(LN(c')) with o in `hidden` and c' in `normed`
template <bool Plain>
inline void lstm_show_row(const ScanPlan& p, const ForwardRow& row, float* hidden, float* normed) {
    const vf tail = ones_below(p.H % W);
    if (p.H % W != 0) store(normed + p.H / W * W, load(normed + p.H / W * W) * tail);
    for (i64 j = up(p.H, W); j < p.Hp; j += W) store(normed + j, zero());
    normalise(normed, normed, 1, p.H, p.Hp, moments(normed, 1, p.H, p.Hp, p.epsilon));
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf h = load(hidden + j) * phi_of<Plain>(p, load(normed + j) * load(p.gain_c + j));
        if (p.has_out) keep_hidden(p, row, hidden, j, h);
        else emit(p, row, j, h);
    }
}

// The step's inputs times d_x; zeros where the step is masked, so that nothing of it is read.
inline void load_inputs(const ScanPlan& p, const ForwardScratch& s, i64 first, i64 rows, i64 t) {
    for (i64 r = 0; r < rows; ++r) {
        const i64 b = first + r;
        const float* x = p.x + (b * p.T + (planted(Mistake::late_by_one) && t > 0 ? t - 1 : t)) * p.I;
        float* to = s.xh + r * s.ld;
        if (!kept(p, b, t)) {
            fill_zero(to, p.I);
        } else if (p.d_x == nullptr) {
            copy_row(to, x, p.I);
        } else {
            const float* d = p.d_x + b * p.I;
            for (i64 j = 0; j < p.I; j += W) store_n(to + j, load_n(x + j, p.I - j) * load_n(d + j, p.I - j), p.I - j);
        }
    }
}

// LN_x(x̃ W_x) and LN_h(h̃ W_h) into the gate blocks.
inline void normalise_gates(const ScanPlan& p, const ForwardScratch& s, i64 r, float* saved) {
    const i64 width = p.G * p.Hp;
    float* from[2] = {s.part_x + r * width, s.part_h + r * width};
    for (int side = 0; side < 2; ++side) {
        const Moments moment = moments(from[side], p.G, p.H, p.Hp, p.epsilon);
        normalise(from[side], from[side], p.G, p.H, p.Hp, moment);
        if (saved == nullptr) continue;
        copy_row(saved + p.saved_norm + side * width, from[side], width);
        saved[p.saved_norm + 2 * width + side] = moment.scale;
    }
    float* gates = s.gates + r * p.blocks * p.Hp;
    const i64 shift = p.h_block * p.Hp;
    for (i64 j = 0; j < p.blocks * p.Hp; j += W) {
        vf a = load(p.bias + j);
        if (j < width) a = fma(load(from[0] + j), load(p.gain_x + j), a);
        if (j >= shift) a = fma(load(from[1] + j - shift), planted(Mistake::gain_not_used) ? set1(1.0F) : load(p.gain_h + j - shift), a);
        store(gates + j, a);
    }
}

inline void forward_products(const ScanPlan& p, const ForwardScratch& s, i64 rows) {
    const i64 ld = p.blocks * p.Hp;
    if (p.layer_norm) {
        product(rows, s.xh, s.ld, p.w_x, s.part_x, p.G * p.Hp, Start::zero, nullptr);
        product(rows, s.xh + p.I, s.ld, p.w_h, s.part_h, p.G * p.Hp, Start::zero, nullptr);
    } else if (p.kind != CellKind::gru) {
        product(rows, s.xh, s.ld, p.w_all, s.gates, ld, Start::row, p.bias);
    } else {
        product(rows, s.xh, s.ld, p.w_n, s.gates, ld, Start::row, p.bias);
        product(rows, s.xh, s.ld, p.w_rz, s.gates + p.Hp, ld, Start::row, p.bias + p.Hp);
        if (p.reset_after) product(rows, s.xh + p.I, s.ld, p.w_u, s.gates + 3 * p.Hp, ld, Start::row, p.bias + 3 * p.Hp);
    }
}

template <bool Plain>
inline void forward_gates(const ScanPlan& p, const ForwardScratch& s, i64 first, i64 rows, i64 t) {
    if (!p.reset_after) {
        for (i64 r = 0; r < rows; ++r)
            gru_reset_row<Plain>(p, forward_row(p, s, first, r, t), s.gates + r * p.blocks * p.Hp, s.reset + r * p.Sp);
        product(rows, s.reset, p.Sp, p.w_u, s.gates, p.blocks * p.Hp, Start::add, nullptr);
    }
    for (i64 r = 0; r < rows; ++r) {
        const ForwardRow row = forward_row(p, s, first, r, t);
        if (!kept(p, first + r, t)) {
            repeat(p, row);
            continue;
        }
        float* hidden = p.has_out ? s.hidden + r * p.Hp : s.gates + r * p.blocks * p.Hp;  // else: the gates are used up
        switch (p.kind) {
            case CellKind::elman: elman_row<Plain>(p, row); break;
            case CellKind::jordan: jordan_row<Plain>(p, row, hidden); break;
            case CellKind::gru:
                if (p.reset_after) gru_row<Plain>(p, row);
                else gru_before_row<Plain>(p, row);
                break;
            default:
                lstm_row<Plain>(p, row, hidden, s.normed);
                if (p.layer_norm) lstm_show_row<Plain>(p, row, hidden, s.normed);
        }
    }
}

// Jordan: y = ψ(hidden V + c); LSTM with projection: h' = hidden W_p
inline void forward_output(const ScanPlan& p, const ForwardScratch& s, i64 first, i64 rows, i64 t) {
    product(rows, s.hidden, p.Hp, p.w_out, s.out, p.Sp, Start::row, p.bias_out);
    for (i64 r = 0; r < rows; ++r) {
        if (!kept(p, first + r, t)) continue;
        const ForwardRow row = forward_row(p, s, first, r, t);
        for (i64 j = 0; j < p.Sp; j += W) {
            const vf out = load(s.out + r * p.Sp + j);
            emit(p, row, j, p.kind == CellKind::jordan ? activate(p.output_activation, out) : out);
        }
    }
}

inline void forward_start(const ScanPlan& p, const ForwardScratch& s, i64 first, i64 rows) {
    for (i64 r = 0; r < rows; ++r) {
        const i64 b = first + r;
        float* h = s.h + r * p.Sp;
        float* next = s.xh + r * s.ld + p.I;
        copy_padded(h, p.h0 + b * p.S, p.S, p.Sp);
        if (p.d_h != nullptr) copy_padded(s.d_h + r * p.Sp, p.d_h + b * p.S, p.S, p.Sp);
        for (i64 j = 0; j < p.Sp; j += W) store(next + j, p.d_h == nullptr ? load(h + j) : load(h + j) * load(s.d_h + r * p.Sp + j));
        if (p.c0 != nullptr) copy_padded(s.c + r * p.Hp, p.c0 + b * p.H, p.H, p.Hp);
        if (p.has_out) fill_zero(s.hidden + r * p.Hp, p.Hp);
    }
}

inline void forward_tile(const ScanPlan& p, i64 tile, float* scratch) {
    const FlushDenormals flush;
    const ForwardScratch s(p, scratch);
    const i64 first = tile * p.tile;
    const i64 rows = least(p.tile, p.B - first);
    forward_start(p, s, first, rows);
    for (i64 step = 0; step < p.T; ++step) {
        const i64 t = time_of(p, step);
        load_inputs(p, s, first, rows, t);
        forward_products(p, s, rows);
        if (p.layer_norm)
            for (i64 r = 0; r < rows; ++r) normalise_gates(p, s, r, p.save ? saved_at(p, first + r, t) : nullptr);
        s.draws.draw(p, first, rows, t);
        if (p.plain) forward_gates<true>(p, s, first, rows, t);
        else forward_gates<false>(p, s, first, rows, t);
        if (p.has_out) forward_output(p, s, first, rows, t);
    }
    for (i64 r = 0; r < rows; ++r) {
        copy_row(p.h_last + (first + r) * p.S, s.h + r * p.Sp, p.S);
        if (planted(Mistake::last_state_of_masked_row) && !kept(p, first + r, time_of(p, p.T - 1))) fill_zero(p.h_last + (first + r) * p.S, p.S);
        if (p.c_last != nullptr) copy_row(p.c_last + (first + r) * p.H, s.c + r * p.Hp, p.H);
    }
}

}  // namespace
}  // namespace seqloom
