// The backward pass of the cells: from the gradient of one row's new state to those of its gates.
#pragma once

#include "draws.h"
#include "norms.h"

namespace seqloom {
namespace {

struct BackwardScratch {
    ChunkRows chunk;
    float* factors;  // (chunk tile, ld): inputs and states before some steps, times d_x and d_h, and r⊙h̃; zero where masked
    float* dy;       // (chunk tile, Sp): gradients of the outputs
    float* after;    // (chunk tile, Sp): the outputs, where the cell's slope needs them
    float* dx;       // (chunk tile, I rounded up to 16)
    float* grads;    // (chunk tile, grad_row)
    float* out;      // (chunk tile, Sp)
    float* direct;   // (rows, Sp): gradient of the state that comes past the recurrent product
    float* through;  // (rows, Sp): what comes through it, still to be multiplied with d_h
    float* dh;       // (rows, Hp): gradient of what the gates give
    float* dc;       // (rows, Hp)
    float* d_h;      // (rows, Sp)
    float* reset;    // (rows, Sp): gradient of r⊙h̃
    float* gates;    // (rows, blocks Hp): gate gradients of a step, with layer norm
    float* part_x;   // (rows, G Hp): the products, made again
    float* part_h;
    float* scale_x;  // (rows)
    float* scale_h;
    float* shown;    // (rows, Hp): gradient of c' through what the cell shows
    CellNorm cell_norm;
    StepDraws draws;
    i64 depth;  // rows of a chunk
    i64 size;

    BackwardScratch(const ScanPlan& p, Carver carver)
        : chunk(p, p.reset_after ? 0 : p.Sp),
          factors(carver.take(p.chunk * p.tile * chunk.ld)),
          dy(carver.take(p.dy != nullptr ? p.chunk * p.tile * p.Sp : 0)),
          after(carver.take(shows_output(p) ? p.chunk * p.tile * p.Sp : 0)),
          dx(carver.take(p.dx != nullptr ? p.chunk * p.tile * up(p.I, 16) : 0)),
          grads(carver.take(p.stored ? 0 : p.chunk * p.tile * p.grad_row)),
          out(carver.take(p.has_out && !p.stored ? p.chunk * p.tile * p.Sp : 0)),
          direct(carver.take(p.tile * p.Sp)),
          through(carver.take(p.tile * p.Sp)),
          dh(carver.take(p.tile * p.Hp)),
          dc(carver.take(p.c0 != nullptr ? p.tile * p.Hp : 0)),
          d_h(carver.take(p.d_h != nullptr ? p.tile * p.Sp : 0)),
          reset(carver.take(p.reset_after ? 0 : p.tile * p.Sp)),
          gates(carver.take(p.layer_norm ? p.tile * p.blocks * p.Hp : 0)),
          part_x(carver.take(p.layer_norm ? p.tile * p.G * p.Hp : 0)),
          part_h(carver.take(p.layer_norm ? p.tile * p.G * p.Hp : 0)),
          scale_x(carver.take(p.layer_norm ? p.tile : 0)),
          scale_h(carver.take(p.layer_norm ? p.tile : 0)),
          shown(carver.take(p.layer_norm ? p.tile * p.Hp : 0)),
          cell_norm(carver, p),
          depth(p.chunk * p.tile) {
        draws.carve(carver, p);
        size = carver.used();
    }
    // Whether the slope is written in terms of the output itself.
    static bool shows_output(const ScanPlan& p) { return p.kind == CellKind::jordan || (p.kind == CellKind::elman && !p.zoneout.on); }
};

// One row of the tile at one step.
struct BackwardRow {
    const float* saved;
    const float* before;  // h_{t-1}
    const float* after;   // the output
    const float* c;       // c_{t-1}, and how many of its numbers are there (the initial state has no padding)
    i64 c_size;
    const float* dh;
    float* dc;
    float* gates;   // gate gradients, blocks Hp
    float* direct;
    const float* zeta_c;
    const float* drop;
};

inline void add_to(float* p, vf v) { store(p, load(p) + v); }

// da = dh'⊙φ'
template <bool Plain>
[[gnu::always_inline]] inline void elman_back(const ScanPlan& p, const BackwardRow& row) {
    for (i64 j = 0; j < p.Hp; j += W) {
        const vf h = load((p.zoneout.on ? row.saved : row.after) + j);
        store(row.gates + j, load(row.dh + j) * phi_slope<Plain>(p, h));
    }
}

template <bool Plain>
[[gnu::always_inline]] inline void jordan_back(const ScanPlan& p, const BackwardRow& row) {
    for (i64 j = 0; j < p.Hp; j += W) store(row.gates + j, load(row.dh + j) * phi_slope<Plain>(p, load(row.saved + j)));
}

// da_n = dh'⊙(1−z)⊙d_g⊙φ', da_z = dh'⊙(h − n⊙d_g)⊙σ', du = da_n⊙r, da_r = da_n⊙u⊙σ'; z⊙dh' goes past
template <bool Plain>
[[gnu::always_inline]] inline void gru_back(const ScanPlan& p, const BackwardRow& row) {
    const i64 Hp = p.Hp;
    const vf one = set1(1.0F);
    for (i64 j = 0; j < Hp; j += W) {
        const vf dh = load(row.dh + j);
        const vf n = load(row.saved + j);
        const vf z = load(row.saved + 2 * Hp + j);
        const vf h = load(row.before + j);
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
        store(row.gates + p.Hp + j, q * load(row.before + j) * sigma_slope<Plain>(p, r));
        store(row.direct + j, fma(q, r, load(row.direct + j)));
    }
}

struct LstmValues {
    vf i, f, g, o, c, c_raw, c_new;
    vf shown;  // g⊙d_g
};

[[gnu::always_inline]] inline LstmValues lstm_values(const ScanPlan& p, const BackwardRow& row, i64 j) {
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

// Through h' = o⊙φ(LN(c')) for the rows of a step that are not masked: da_o into the gates, the gradient of c' into `shown`.
template <bool Plain, class Rows>
inline void lstm_show_back(const ScanPlan& p, i64 rows, const Rows& row_at, const CellNorm& norm, float* shown, float* d_gain) {
    const i64 at_o = (p.coupled ? 2 : 3) * p.Hp;
    const float count = norm_count(p, 1);
    for (i64 r = 0; r < rows; ++r) {
        const BackwardRow row = row_at(r);
        for (i64 j = 0; j < p.Hp; j += W) store(norm.value + r * p.Hp + j, row.saved == nullptr ? zero() : lstm_values(p, row, j).c_new);
    }
    norm.measure(p, rows);
    for (i64 r = 0; r < rows; ++r) {
        const BackwardRow row = row_at(r);
        if (row.saved == nullptr) continue;
        vf total = zero();
        vf products = zero();
        for (i64 j = 0; j < p.Hp; j += W) {
            const vf gain = load(p.gain_c + j);
            const vf n = norm.normed(p, r, j);
            const vf y = phi_of<Plain>(p, n * gain);
            const vf dh = load(row.dh + j);
            const vf o = load(row.saved + at_o + j);
            store(row.gates + at_o + j, dh * y * sigma_slope<Plain>(p, o));
            const vf d = dh * o * phi_slope<Plain>(p, y);
            add_to(d_gain + j, d * n);
            store(shown + r * p.Hp + j, d * gain);
            total = fma(d, gain, total);
            products = fma(d * gain, n, products);
        }
        norm.mean[r] = sum(total) / count;
        norm.slant[r] = sum(products) / count;
    }
    for (i64 r = 0; r < rows; ++r)
        for (i64 j = 0; j < p.Hp; j += W) {
            float* to = shown + r * p.Hp + j;
            store(to, CellNorm::units(p, j, fnma(norm.normed(p, r, j), set1(norm.slant[r]), load(to) - set1(norm.mean[r])) * set1(norm.scale[r])));
        }
}

template <bool Plain>
[[gnu::always_inline]] inline void lstm_back(const ScanPlan& p, const BackwardRow& row, const float* shown, float* d_peephole) {
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

}  // namespace
}  // namespace seqloom
