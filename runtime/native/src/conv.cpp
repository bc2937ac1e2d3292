// The planner of the causal convolution: sizes, packed weights, pieces, the order of sums. The arithmetic is in kernels/.
#include "seqloom/conv.h"

#include <algorithm>
#include <cmath>

#include "conv_prepare.h"
#include "conv_winograd.h"
#include "planted.h"
#include "seqloom/cpu.h"
#include "seqloom/threads.h"
#include "seqloom/workspace.h"
#include "whole_numbers.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;

// Weight gradients larger than this (floats) are made tile by tile over all rows, smaller ones in strands of rows.
constexpr i64 strands_below = i64{32} << 10;
constexpr i64 row_floats = i64{96} << 10;   // of da that one thread keeps between its uses
constexpr i64 small_work = i64{1} << 17;    // products below which one thread is faster

// Strands of whole sequences, of as many of which the weights' gradient is the sum.
constexpr i64 most_strands = conv_strands;

Slopes slopes_kind(const ConvSettings& s) {
    const auto phi = static_cast<Activation>(s.activation);
    const bool drawn = s.dropout > 0;
    const bool hidden = s.has_residual || static_cast<Activation>(s.final_activation) != Activation::identity;
    if (phi == Activation::identity && !drawn) return Slopes::none;
    if (!hidden && (!drawn || phi == Activation::relu)) return Slopes::value;
    return phi == Activation::relu || phi == Activation::identity ? Slopes::bits : Slopes::floats;
}

// The steps of a batch cut into pieces; the cut depends on the sizes alone.
struct Pieces {
    i64 T, rows, per_row, count;
    Pieces(i64 B, i64 steps, i64 wanted) : T(steps), rows(wanted), per_row(parts(T, rows)), count(B * per_row) {}
    i64 b(i64 piece) const { return piece / per_row; }
    i64 t0(i64 piece) const { return piece % per_row * rows; }
    i64 t1(i64 piece) const { return std::min(T, t0(piece) + rows); }
};

// Rows of a piece: a whole sequence where there are enough of them, else enough pieces to share.
i64 piece_rows(const ConvPlan& p) {
    const i64 wanted = parts(16, p.B);
    return std::max<i64>(32, std::min<i64>(2048, up(parts(p.T, wanted), 8)));
}

int useful_threads(const ConvPlan& p, int threads) {
    return static_cast<double>(p.B) * static_cast<double>(p.T) * static_cast<double>(p.taps * p.Ip * p.Op) < static_cast<double>(small_work) ? 1
                                                                                                                                             : threads;
}

void pack_forward(ConvPlan& p, const ConvKernels& k, float* memory, int threads) {
    parallel_for(k.panels(p.Op), threads, [&](i64 panel) { k.pack(p, memory, panel); });
    p.packed = memory;
}

// Rows of weights, some at a time, over threads.
template <typename Run>
void by_rows(i64 rows, i64 length, int threads, const Run& run) {
    const i64 some = std::max<i64>(1, (i64{1} << 14) / length);
    parallel_for(parts(rows, some), threads, [&](i64 piece) { run(piece * some, std::min(some, rows - piece * some)); });
}

// Everything of the backward pass that follows the plan.
struct Backward {
    ConvPlan& p;
    const ConvKernels& k;
    const ConvGradients& g;
    int threads;
    i64 matrix = 0;  // floats of the weights' gradient as it is summed

    void input(i64 b, i64 t0, i64 t1, const float* da, float* scratch) const {
        if (g.context != nullptr && t0 == 0) k.back_input(p, b, -p.span, 0, da, scratch);
        if (g.x != nullptr && p.pairs == 0) k.back_input(p, b, t0, t1, da, scratch);
    }
    void collect(const float* part, i64 strands, i64 stride, const float* bias, i64 bias_strands, i64 bias_stride) const {
        if (g.bias != nullptr) conv_collect_bias(p, g.bias, bias, bias_strands, bias_stride);
        if (g.weight != nullptr) conv_collect_weights(p, k, g.weight, g.gain, part, strands, stride, threads);
    }
    // Whether gradients of inputs are left to the kernel that takes rows one by one: the context's always are.
    bool input_by_rows() const { return g.context != nullptr || (g.x != nullptr && p.pairs == 0); }

    // Strands of consecutive pieces, each with sums of its own; da is made where it is used, a sequence at a time.
    void by_sequences() const {
        const i64 strands = std::min(p.B, most_strands);
        const i64 stride = up(matrix, 16) + p.Op;
        Workspace sums(strands * stride);
        parallel_for(strands, threads, [&](i64 strand) {
            float* dw = sums.data() + strand * stride;
            float* db = dw + up(matrix, 16);
            std::fill_n(dw, stride, 0.0F);
            Workspace space(up(p.T * p.Op, 16) + k.scratch(p));
            float* da = space.data();
            float* scratch = da + up(p.T * p.Op, 16);
            for (i64 b = strand * p.B / strands; b < (strand + 1) * p.B / strands; ++b) {
                k.back_slopes(p, b, 0, p.T, da, db);
                if (input_by_rows()) input(b, 0, p.T, da, scratch);
                if (planted(Mistake::conv_last_strand_lost) && b == p.B - 1) break;
                if (g.weight != nullptr) k.back_weight(p, b, 0, p.T, 0, p.taps, 0, p.I, da, dw, scratch);
            }
        });
        collect(sums.data(), strands, stride, sums.data() + up(matrix, 16), strands, stride);
    }

    // da of everything first; then rows of x and pieces of the weights' gradient in any order.
    void in_phases() const {
        const Pieces pieces(p.B, p.T, std::min<i64>(piece_rows(p), 512));
        const i64 strands = std::min(pieces.count, most_strands);
        const bool tiles = matrix > strands_below;
        const i64 stride = up(matrix, 16);
        const i64 all = p.B * p.T * p.Op;
        Workspace space(all + strands * p.Op + (g.weight == nullptr ? 0 : tiles ? stride : strands * stride));
        float* da = space.data();
        float* db = da + all;
        float* dw = db + strands * p.Op;
        const auto first = [&](i64 strand) { return strand * pieces.count / strands; };
        parallel_for(strands, threads, [&](i64 strand) {
            std::fill_n(db + strand * p.Op, p.Op, 0.0F);
            for (i64 piece = first(strand); piece < first(strand + 1); ++piece)
                k.back_slopes(p, pieces.b(piece), pieces.t0(piece), pieces.t1(piece), da + pieces.b(piece) * p.T * p.Op, db + strand * p.Op);
        });
        if (p.pairs > 0 && g.x != nullptr) conv_pairs_input(p, k, da, threads);
        if (input_by_rows())
            parallel_for(pieces.count, threads, [&](i64 piece) {
                Workspace scratch(k.scratch(p));
                input(pieces.b(piece), pieces.t0(piece), pieces.t1(piece), da + pieces.b(piece) * p.T * p.Op, scratch.data());
            });
        if (g.weight != nullptr && conv_weight_by_pairs(p)) conv_pairs_weight(p, k, da, dw, threads);
        else if (g.weight != nullptr && tiles) weight_tiles(da, dw);
        if (g.weight != nullptr && !tiles)
            parallel_for(strands, threads, [&](i64 strand) {
                std::fill_n(dw + strand * stride, matrix, 0.0F);
                Workspace scratch(k.scratch(p));
                const i64 last = first(strand + 1) - (planted(Mistake::conv_last_strand_lost) && strand == strands - 1 ? 1 : 0);
                for (i64 piece = first(strand); piece < last; ++piece)
                    k.back_weight(p, pieces.b(piece), pieces.t0(piece), pieces.t1(piece), 0, p.taps, 0, p.I, da + pieces.b(piece) * p.T * p.Op,
                                  dw + strand * stride, scratch.data());
            });
        collect(dw, tiles ? 1 : strands, stride, db, strands, p.Op);
    }

    // One tap's channels in parts, each over all rows: no sums to add up.
    void weight_tiles(const float* da, float* dw) const {
        const i64 wanted = std::max<i64>(1, parts(8, p.taps));
        const i64 channels = std::max<i64>(std::min<i64>(8, p.I), std::min<i64>(160, up(parts(p.I, wanted), 8)));
        const i64 per_tap = parts(p.I, channels);
        parallel_for(p.taps * per_tap, threads, [&](i64 piece) {
            const i64 tap = piece / per_tap;
            const i64 i0 = piece % per_tap * channels;
            const i64 i1 = std::min(p.I, i0 + channels);
            std::fill_n(dw + (tap * p.I + i0) * p.Op, (i1 - i0) * p.Op, 0.0F);
            Workspace scratch(k.scratch(p));
            const i64 rows = planted(Mistake::conv_last_strand_lost) ? p.B - 1 : p.B;
            for (i64 b = 0; b < rows; ++b) k.back_weight(p, b, 0, p.T, tap, tap + 1, i0, i1, da + b * p.T * p.Op, dw, scratch.data());
        });
    }
};

}  // namespace

const ConvKernels& conv_kernels() {
    switch (current_isa()) {
#if defined(__x86_64__)
        case Isa::avx512: return avx512_conv_kernels();
        case Isa::avx2: return avx2_conv_kernels();
#endif
        default: return portable_conv_kernels();
    }
}

ConvPlan conv_plan(const ConvSettings& s, const ConvArrays& a, const ConvKernels& kernels) {
    ConvPlan p{};
    p.activation = static_cast<Activation>(s.activation);
    p.final_activation = static_cast<Activation>(s.final_activation);
    p.slopes = slopes_kind(s);
    p.saved_row = conv_saved_row(s);
    p.save = s.save && p.saved_row > 0;
    p.drawn = s.dropout > 0;
    p.keep_scale = p.drawn ? 1.0F / (1.0F - static_cast<float>(s.dropout)) : 1.0F;
    p.threshold = threshold_of(s.dropout);
    p.key[0] = s.key[0];
    p.key[1] = s.key[1];
    p.B = s.B;
    p.T = s.T;
    p.I = s.I;
    p.O = s.O;
    p.K = s.K;
    p.dilation = s.dilation;
    p.Ip = up(p.I, kernels.width);
    p.Op = up(p.O, kernels.width);
    p.first_tap = a.context != nullptr ? 0 : std::max<i64>(0, p.K - 1 - (p.T - 1) / p.dilation);
    p.taps = p.K - p.first_tap;
    p.span = (p.taps - 1) * p.dilation;
    p.x = a.x;
    p.weight = a.weight;
    p.residual = a.residual;
    p.context = a.context;
    p.y = a.y;
    p.saved = a.saved;
    p.gain = a.gain;
    p.norms = a.norms;
    p.x_row = p.dx_row = p.T * p.I;
    p.y_row = p.residual_row = p.dy_row = p.dresidual_row = p.T * p.O;
    return p;
}

void conv_scale(ConvPlan& p, float* memory) {
    p.scale = memory;
    if (p.gain == nullptr) return;
    for (i64 o = 0; o < p.O; ++o) memory[o] = p.gain[o] / p.norms[o];
}

void conv_collect_weights(const ConvPlan& p, const ConvKernels& kernels, float* out, float* dgain, const float* part, i64 strands, i64 stride,
                          int threads) {
    constexpr i64 block = 16;  // of every set of sums a line
    parallel_for(parts(p.Op, block), threads, [&](i64 piece) {
        kernels.collect(p, part, strands, stride, piece * block, std::min(p.Op, (piece + 1) * block), out, dgain);
    });
}

void conv_collect_bias(const ConvPlan& p, float* out, const float* part, i64 strands, i64 stride) {
    std::copy_n(part, p.O, out);
    for (i64 strand = 1; strand < strands; ++strand)
        for (i64 o = 0; o < p.O; ++o) out[o] += part[strand * stride + o];
}

bool conv_by_sequences(const ConvPlan& p) { return p.B >= 8 && p.T * p.Op <= row_floats && p.taps * p.I * p.Op <= strands_below; }

i64 conv_weight_floats(const ConvPlan& p) { return up(p.taps * p.I * p.Op, 16) + 2 * up(p.Op, 16); }

void conv_load_weights(ConvPlan& p, const ConvKernels& kernels, const float* bias, float* memory, int threads) {
    float* padded = memory + up(p.taps * p.I * p.Op, 16);
    std::fill_n(padded, p.Op, 0.0F);
    if (bias != nullptr) std::copy_n(bias, p.O, padded);
    p.bias = padded;
    p.scale = padded + up(p.Op, 16);
    pack_forward(p, kernels, memory, threads);
}

i64 conv_saved_row(const ConvSettings& settings) {
    switch (slopes_kind(settings)) {
        case Slopes::bits: return parts(settings.O, 32);
        case Slopes::floats: return settings.O;
        default: return 0;
    }
}

void conv_forward(const ConvSettings& settings, const ConvArrays& arrays, int threads) {
    const ConvKernels& k = conv_kernels();
    ConvPlan p = conv_plan(settings, arrays, k);
    threads = useful_threads(p, threads);
    Workspace weights(conv_weight_floats(p));
    conv_load_weights(p, k, arrays.bias, weights.data(), threads);
    const Pieces pieces(p.B, p.T, piece_rows(p));
    parallel_for(pieces.count, threads, [&](i64 piece) {
        Workspace scratch(k.scratch(p));
        k.forward(p, pieces.b(piece), pieces.t0(piece), pieces.t1(piece), scratch.data());
    });
}

void conv_backward(const ConvSettings& settings, const ConvArrays& arrays, const ConvGradients& g, int threads) {
    const ConvKernels& k = conv_kernels();
    ConvPlan p = conv_plan(settings, arrays, k);
    p.dy = g.y;
    p.dx = g.x;
    p.dcontext = g.context;
    p.dresidual = g.residual;
    p.add_dx = g.add_x;
    p.add_dresidual = g.add_residual;
    threads = useful_threads(p, threads);
    const bool sequences = conv_by_sequences(p);
    const i64 matrix = p.taps * p.I * p.Op;
    if (!sequences && matrix > strands_below) conv_pair_up(p);
    const Backward pass{p, k, g, threads, g.weight == nullptr ? 0 : matrix};
    Workspace packed(up(p.O, 16) + (pass.input_by_rows() ? p.taps * p.O * p.Ip : 0));
    conv_scale(p, packed.data());
    float* panels = packed.data() + up(p.O, 16);
    if (pass.input_by_rows()) parallel_for(k.panels(p.Ip), threads, [&](i64 panel) { k.pack_back(p, panels, panel); });
    p.packed_back = panels;
    if (sequences) pass.by_sequences();
    else pass.in_phases();
}

void weight_norm(const float* v, const float* gain, i64 rows, i64 length, float* w, float* norms, int threads) {
    const ConvKernels& k = conv_kernels();
    by_rows(rows, length, threads, [&](i64 o, i64 some) {
        k.norms(v + o * length, some, length, norms + o);
        k.normed(v + o * length, gain + o, norms + o, some, length, w + o * length);
    });
}

void weight_norm_backward(const float* v, const float* gain, const float* norms, const float* dw, i64 rows, i64 length, float* dv, float* dgain,
                          int threads) {
    const ConvKernels& k = conv_kernels();
    by_rows(rows, length, threads, [&](i64 o, i64 some) {
        k.normed_back(v + o * length, gain + o, norms + o, dw + o * length, some, length, dv + o * length, dgain + o);
    });
}

}  // namespace seqloom
