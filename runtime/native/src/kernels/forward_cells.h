// The forward pass of the cells: from the gates of one row at one step to its new state.
#pragma once

#include "draws.h"
#include "norms.h"

namespace seqloom {
namespace {

struct ForwardScratch {
    ChunkRows chunk;
    float* xh;      // (chunk tile, ld): the inputs of some steps and the state before each, times d_x and d_h
    float* states;  // (chunk tile, Sp): the states after them
    float* gates;   // (rows, blocks Hp)
    float* h;       // (rows, Sp)
    float* c;       // (rows, Hp)
    float* d_h;     // (rows, Sp)
    float* hidden;  // (rows, Hp): what the output product reads
    float* out;     // (rows, Sp): its result
    float* reset;   // (rows, Sp): r⊙h̃
    float* part_x;  // (rows, G Hp): x̃ W_x and h̃ W_h apart, for layer norm
    float* part_h;
    float* scale_x;  // (rows)
    float* scale_h;
    CellNorm cell_norm;
    StepDraws draws;
    i64 size;

    ForwardScratch(const ScanPlan& p, Carver carver)
        : chunk(p),
          xh(carver.take(p.chunk * p.tile * chunk.ld)),
          states(carver.take(p.states != nullptr ? p.chunk * p.tile * p.Sp : 0)),
          gates(carver.take(p.tile * p.blocks * p.Hp)),
          h(carver.take(p.tile * p.Sp)),
          c(carver.take(p.c0 != nullptr ? p.tile * p.Hp : 0)),
          d_h(carver.take(p.d_h != nullptr ? p.tile * p.Sp : 0)),
          hidden(carver.take(p.has_out ? p.tile * p.Hp : 0)),
          out(carver.take(p.has_out ? p.tile * p.Sp : 0)),
          reset(carver.take(p.reset_after ? 0 : p.tile * p.Sp)),
          part_x(carver.take(p.layer_norm ? p.tile * p.G * p.Hp : 0)),
          part_h(carver.take(p.layer_norm ? p.tile * p.G * p.Hp : 0)),
          scale_x(carver.take(p.layer_norm ? p.tile : 0)),
          scale_h(carver.take(p.layer_norm ? p.tile : 0)),
          cell_norm(carver, p) {
        draws.carve(carver, p);
        size = carver.used();
    }
};

// One row of the tile at one step.
struct ForwardRow {
    float* gates;
    float* h;
    float* c;
    float* saved;     // null where nothing is saved
    float* states;    // null where the outputs of the steps are not wanted
    float* next;      // where h̃ of the next step goes
    const float* d_h;
    const float* zeta_h;
    const float* zeta_c;
    const float* drop;
    i64 first, last;  // the units that are made, in whole vectors
};

// Where the rows of one step lie.
struct ForwardStep {
    Tile tile;
    i64 t;
    float* x;     // (rows, ld): the inputs, then the state before
    float* next;  // (rows, ld): where the state after goes as well
    float* states;  // (rows, Sp)
    float* saved;   // (rows, saved_row)
};

[[gnu::always_inline]] inline ForwardRow forward_row(const ScanPlan& p, const ForwardScratch& s, const ForwardStep& at, i64 r) {
    return {s.gates + r * p.blocks * p.Hp,
            s.h + r * p.Sp,
            s.c + r * p.Hp,
            at.saved == nullptr ? nullptr : at.saved + r * p.saved_row,
            at.states == nullptr ? nullptr : at.states + r * p.Sp,
            at.next + r * s.chunk.ld + s.chunk.inputs,
            p.d_h == nullptr ? nullptr : s.d_h + r * p.Sp,
            s.draws.hidden == nullptr ? nullptr : s.draws.hidden + r * p.Sp,
            s.draws.cell == nullptr ? nullptr : s.draws.cell + r * p.Hp,
            s.draws.candidate == nullptr ? nullptr : s.draws.candidate + r * p.Hp,
            0,
            p.Hp};
}

// Zoneout, then the new state goes to its three places.
[[gnu::always_inline]] inline void emit(const ScanPlan& p, const ForwardRow& row, i64 j, vf h_new) {
    if (p.zoneout.on) {
        const vf z = zeta(p.zoneout, row.zeta_h, j);
        h_new = fma(z, load(row.h + j), (set1(1.0F) - z) * h_new);
    }
    store(row.h + j, h_new);
    if (row.states != nullptr) store(row.states + j, h_new);
    store(row.next + j, row.d_h == nullptr ? h_new : h_new * load(row.d_h + j));
}

// A masked step: the state stays, the output repeats it.
inline void repeat(const ScanPlan& p, const ForwardRow& row) {
    if (row.states != nullptr) copy_row(row.states, row.h, p.Sp);
    for (i64 j = 0; j < p.Sp; j += W) store(row.next + j, row.d_h == nullptr ? load(row.h + j) : load(row.h + j) * load(row.d_h + j));
    if (row.saved == nullptr) return;
    if (p.kind == CellKind::lstm) copy_row(row.saved + p.saved_c, row.c, p.Hp);
    if (p.has_out) fill_zero(row.saved + p.saved_hidden, p.Hp);
}

// What the output product reads.
[[gnu::always_inline]] inline void keep_hidden(const ScanPlan& p, const ForwardRow& row, float* hidden, i64 j, vf h) {
    store(hidden + j, h);
    if (row.saved != nullptr) store(row.saved + p.saved_hidden + j, h);
}

// h' = φ(a)
template <bool Plain>
[[gnu::always_inline]] inline void elman_row(const ScanPlan& p, const ForwardRow& row) {
    const bool save = row.saved != nullptr && p.zoneout.on;
    for (i64 j = row.first; j < row.last; j += W) {
        const vf h = phi_of<Plain>(p, load(row.gates + j));
        if (save) store(row.saved + j, h);
        emit(p, row, j, h);
    }
}

// hidden = φ(a), read by the output product
template <bool Plain>
[[gnu::always_inline]] inline void jordan_row(const ScanPlan& p, const ForwardRow& row, float* hidden) {
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf h = phi_of<Plain>(p, load(row.gates + j));
        keep_hidden(p, row, hidden, j, h);
    }
}

// r = σ(a_r), z = σ(a_z), n = φ(a_n + r⊙u)⊙d_g, h' = (1−z)⊙n + z⊙h; blocks n r z u. What hangs on nothing of the step is
// made for all units first: one unit's activations wait for one another longer than a core looks ahead.
template <bool Plain>
[[gnu::always_inline]] inline void gru_row(const ScanPlan& p, const ForwardRow& row) {
    const i64 Hp = p.Hp;
    float* to = row.saved == nullptr ? row.gates : row.saved;
    for (i64 block = Hp; block <= 2 * Hp; block += Hp)
        for (i64 j = block + row.first; j < block + row.last; j += W) store(to + j, sigma_of<Plain>(p, load(row.gates + j)));
    for (i64 j = row.first; j < row.last; j += W) {
        const vf z = load(to + 2 * Hp + j);
        const vf u = load(row.gates + 3 * Hp + j);
        vf n = phi_of<Plain>(p, fma(load(to + Hp + j), u, load(row.gates + j)));
        if (row.saved != nullptr) {
            store(row.saved + j, n);
            store(row.saved + 3 * Hp + j, u);
        }
        if (row.drop != nullptr) n = n * load(row.drop + j);
        emit(p, row, j, fma(z, load(row.h + j), (set1(1.0F) - z) * n));
    }
}

// The first half of a GRU with the reset gate before: r, and r⊙h̃ for the candidate's product.
template <bool Plain>
inline void gru_reset_row(const ScanPlan& p, const ForwardRow& row, float* reset) {
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf r = sigma_of<Plain>(p, load(row.gates + p.Hp + j));
        store(row.gates + p.Hp + j, r);
        const vf rh = r * load(row.h + j);
        store(reset + j, row.d_h == nullptr ? rh : rh * load(row.d_h + j));
    }
}

// The second half: n = φ(a_n + (r⊙h̃) W_hn)⊙d_g
template <bool Plain>
[[gnu::always_inline]] inline void gru_before_row(const ScanPlan& p, const ForwardRow& row) {
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

// i, f, g and, without peepholes, o of all units, in blocks as the gates: no unit waits for another.
template <bool Plain>
[[gnu::always_inline]] inline void lstm_gates(const ScanPlan& p, const ForwardRow& row, float* to) {
    const float* a = row.gates;
    const i64 at_f = p.coupled ? 0 : p.Hp;
    const i64 at_g = at_f + p.Hp;
    for (i64 j = row.first; j < row.last; j += W) {
        vf a_f = load(a + at_f + j);
        if (p.peephole) a_f = fma(load(p.peephole_rows + p.Hp + j), load(row.c + j), a_f);
        store(to + at_f + j, sigma_of<Plain>(p, a_f));
        if (p.coupled) continue;
        vf a_i = load(a + j);
        if (p.peephole) a_i = fma(load(p.peephole_rows + j), load(row.c + j), a_i);
        store(to + j, sigma_of<Plain>(p, a_i));
    }
    for (i64 j = at_g + row.first; j < at_g + row.last; j += W) store(to + j, phi_of<Plain>(p, load(a + j)));
    if (p.peephole) return;
    for (i64 j = at_g + p.Hp + row.first; j < at_g + p.Hp + row.last; j += W) store(to + j, sigma_of<Plain>(p, load(a + j)));
}

// i, f, g, o and c' as in `ScanPlan`'s symbols; with layer norm the rest is for `lstm_show_row`, which finds c' in
// `shown` and o in the gates
template <bool Plain>
[[gnu::always_inline]] inline void lstm_row(const ScanPlan& p, const ForwardRow& row, float* hidden, float* shown) {
    float* to = row.saved == nullptr ? row.gates : row.saved;
    lstm_gates<Plain>(p, row, to);
    const i64 at_f = p.coupled ? 0 : p.Hp;
    const i64 at_g = at_f + p.Hp;
    const i64 at_o = at_g + p.Hp;
    const vf one = set1(1.0F);
    for (i64 j = row.first; j < row.last; j += W) {
        const vf c = load(row.c + j);
        const vf f = load(to + at_f + j);
        const vf g = load(to + at_g + j);
        const vf i = p.coupled ? one - f : load(to + j);
        vf c_new = fma(f, c, i * (row.drop == nullptr ? g : g * load(row.drop + j)));
        if (p.clip) c_new = clamp(c_new, -p.clip_at, p.clip_at);
        vf o;
        if (p.peephole) {
            const vf shows = planted(Mistake::peephole_on_old_cell) ? c : c_new;
            o = sigma_of<Plain>(p, fma(load(p.peephole_rows + 2 * p.Hp + j), shows, load(row.gates + at_o + j)));
            if (row.saved != nullptr) store(row.saved + at_o + j, o);
        } else {
            o = load(to + at_o + j);
        }
        vf c_state = c_new;
        if (p.zoneout_cell.on) {
            const vf z = zeta(p.zoneout_cell, row.zeta_c, j);
            c_state = fma(z, c, (one - z) * c_new);
        }
        store(row.c + j, c_state);
        if (row.saved != nullptr) store(row.saved + p.saved_c + j, c_state);
        if (p.layer_norm) {
            store(shown + j, c_new);
            store(row.gates + at_o + j, o);
        } else {
            const vf h = o * phi_of<Plain>(p, c_new);
            if (p.has_out) keep_hidden(p, row, hidden, j, h);
            else emit(p, row, j, h);
        }
    }
}

// h' = o⊙φ(LN(c'))
template <bool Plain>
inline void lstm_show_row(const ScanPlan& p, const ForwardRow& row, float* hidden, const CellNorm& norm, i64 r) {
    const float* o = row.gates + (p.coupled ? 2 : 3) * p.Hp;
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf h = load(o + j) * phi_of<Plain>(p, norm.normed(p, r, j) * load(p.gain_c + j));
        if (p.has_out) keep_hidden(p, row, hidden, j, h);
        else emit(p, row, j, h);
    }
}

// One row of a step. hidden: (Hp), what a jordan or projected cell shows; shown: (Hp), an lstm's under layer norm.
template <bool Plain>
[[gnu::always_inline]] inline void cell_row(const ScanPlan& p, const ForwardRow& row, float* hidden, float* shown) {
    switch (p.kind) {
        case CellKind::elman: elman_row<Plain>(p, row); break;
        case CellKind::jordan: jordan_row<Plain>(p, row, hidden); break;
        case CellKind::gru:
            if (p.reset_after) gru_row<Plain>(p, row);
            else gru_before_row<Plain>(p, row);
            break;
        case CellKind::lstm: lstm_row<Plain>(p, row, hidden, shown); break;
    }
}

// With any activations; a call, for its code is large.
[[gnu::noinline]] inline void any_cell_row(const ScanPlan& p, const ForwardRow& row, float* hidden, float* shown) {
    cell_row<false>(p, row, hidden, shown);
}

}  // namespace
}  // namespace seqloom
