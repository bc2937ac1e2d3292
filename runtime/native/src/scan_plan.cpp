// The plan of a call: sizes, tiles, what is saved.
#include "scan_plan.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "planted.h"
#include "scan_weights.h"
#include "seqloom/cpu.h"

namespace seqloom {

#if defined(SEQLOOM_PLANTED)
Mistake planted_mistake = Mistake::none;
#endif

namespace {

using i64 = std::int64_t;

// Weight gradients larger than this (bytes) leave the cache: they are made after the loop.
constexpr i64 stored_above = i64{512} << 10;

// The one door through which every call comes, forward, backward and step by step: a number that no kernel is written for
// ends here, so that the switches behind it need no default that would run it as another cell.
CellKind known_kind(int kind) {
    if (kind < static_cast<int>(CellKind::elman) || kind > static_cast<int>(CellKind::gru))
        throw std::invalid_argument("a recurrent cell of kind " + std::to_string(kind) +
                                    " has no kernels: 0 is elman, 1 jordan, 2 lstm, 3 gru.");
    return static_cast<CellKind>(kind);
}

Activation known_activation(int number) {
    if (number < static_cast<int>(Activation::tanh) || number > static_cast<int>(Activation::hard_sigmoid_02))
        throw std::invalid_argument("an activation of number " + std::to_string(number) + " has no kernels: they are 0 to 9.");
    return static_cast<Activation>(number);
}

Draw make_draw(double probability, bool training) {
    Draw draw;
    draw.on = probability > 0;
    draw.drawn = draw.on && training && !planted(Mistake::zoneout_mean_in_training);
    draw.probability = static_cast<float>(probability);
    draw.threshold = threshold_of(probability);
    return draw;
}

// Batch rows that one thread takes through all steps. It depends on the problem alone, so that the order of sums does.
i64 tile_rows(const ScanPlan& p) {
    const i64 weights = (p.I + p.S) * p.G * p.Hp * 4;
    const i64 wish = weights <= (i64{96} << 10) ? 16 : 32;  // small weights stay in the first cache beside a small tile
    const i64 target = std::min(wish, up((p.B + 1) / 2, 8));
    const i64 tiles = (p.B + target - 1) / target;
    return (p.B + tiles - 1) / tiles;
}

}  // namespace

const ScanKernels& current_kernels() {
    switch (current_isa()) {
#if defined(__x86_64__)
        case Isa::avx512: return avx512_kernels();
        case Isa::avx2: return avx2_kernels();
#endif
        default: return portable_kernels();
    }
}

ScanPlan make_plan(const ScanSettings& s, const ScanArrays& a) {
    ScanPlan p{};
    p.kind = known_kind(s.kind);
    p.activation = known_activation(s.activation);
    p.gate_activation = known_activation(s.gate_activation);
    p.output_activation = known_activation(s.output_activation);
    p.plain = p.activation == Activation::tanh && p.gate_activation == Activation::sigmoid;
    p.reset_after = p.kind != CellKind::gru || s.reset_after;
    p.by_units = p.kind != CellKind::jordan && p.reset_after;
    p.coupled = s.coupled;
    p.peephole = s.peephole;
    p.layer_norm = s.layer_norm;
    p.has_out = s.has_out;
    p.reverse = s.reverse;
    p.save = s.save;
    p.clip = s.cell_clip > 0;
    p.clip_at = static_cast<float>(s.cell_clip);
    p.epsilon = s.epsilon;
    p.zoneout = make_draw(s.zoneout, s.training);
    p.zoneout_cell = make_draw(s.zoneout_cell, s.training);
    p.candidate = make_draw(s.training ? s.candidate_dropout : 0.0, s.training);
    p.key[0] = s.key[0];
    p.key[1] = s.key[1];
    p.B = s.B;
    p.T = s.T;
    p.I = s.I;
    p.H = s.H;
    p.S = s.S;
    p.Hp = up(p.H, 16);
    p.Sp = up(p.S, 16);
    const bool gru = p.kind == CellKind::gru;
    p.G = gru ? 3 : p.kind == CellKind::lstm ? (p.coupled ? 3 : 4) : 1;
    p.blocks = gru && p.reset_after ? 4 : p.G;
    p.h_block = gru ? 1 : 0;
    p.tile = tile_rows(p);
    p.tiles = (p.B + p.tile - 1) / p.tile;

    i64 at = p.kind == CellKind::elman ? (p.zoneout.on ? p.Hp : 0) : p.blocks * p.Hp;
    p.saved_c = at;
    if (p.kind == CellKind::lstm) at += p.Hp;
    p.saved_hidden = p.kind == CellKind::jordan ? 0 : at;
    if (p.has_out && p.kind == CellKind::lstm) at += p.Hp;
    p.saved_row = at;
    p.stored = (up(p.I, 8) + up(p.S, 8)) * p.G * p.Hp * 4 > stored_above;
    p.chunk = p.stored ? 1 : std::min(p.T, std::max<i64>(1, 128 / p.tile));

    p.x = a.x;
    p.h0 = a.h0;
    p.c0 = a.c0;
    p.d_x = a.d_x;
    p.d_h = a.d_h;
    p.mask = a.mask;
    p.saved = a.saved;
    p.states = a.states;
    p.h_last = a.h_last;
    p.c_last = a.c_last;
    return p;
}

}  // namespace seqloom
