// What follows the sums of a convolution, and its way back: activations, dropout, residual, and what is saved of them.
#pragma once

#include "../conv_plan.h"
#include "../planted.h"
#include "common.h"
#include "random.h"

namespace seqloom {
namespace {

// One bit for each number of a row, 32 to a float's place, lowest first, the same for every instruction set.
inline void put_bits(float* row, i64 j, vm m) {
    auto* bytes = reinterpret_cast<unsigned char*>(row);
#if defined(SEQLOOM_AVX512)
    const auto bits = static_cast<std::uint16_t>(m);
    __builtin_memcpy(bytes + j / 8, &bits, 2);
#elif defined(SEQLOOM_AVX2)
    bytes[j / 8] = static_cast<unsigned char>(_mm256_movemask_ps(m));
#else
    const int bits = (m[0] & 1) | (m[1] & 2) | (m[2] & 4) | (m[3] & 8);
    bytes[j / 8] = static_cast<unsigned char>(j % 8 == 0 ? bits : bytes[j / 8] | (bits << 4));
#endif
}

// `on` where the bit is set, zero elsewhere.
inline vf where_bits(const float* row, i64 j, vf on) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(row);
#if defined(SEQLOOM_AVX512)
    std::uint16_t bits;
    __builtin_memcpy(&bits, bytes + j / 8, 2);
    return _mm512_maskz_mov_ps(bits, on);
#elif defined(SEQLOOM_AVX2)
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(bytes[j / 8]), lane), lane);
    return _mm256_and_ps(_mm256_castsi256_ps(set), on);
#else
    const int bits = bytes[j / 8] >> (j % 8);
    return (vf)(vm{-(bits & 1), -(bits >> 1 & 1), -(bits >> 2 & 1), -(bits >> 3 & 1)} & (vm)on);
#endif
}

// Where a row's results go and what it needs besides its sums.
struct FinishRow {
    const float* residual;  // (O) or null
    float* y;               // (O)
    float* saved;           // null where nothing is saved
    float* draws;           // (Op) of scratch
    i64 b, t;
};

// y = psi(D(phi(a)) + residual) of one row of sums a (Op).
inline void finish_row(const ConvPlan& p, const float* a, const FinishRow& row) {
    if (p.drawn) {
        const float on = planted(Mistake::conv_dropout_not_scaled) ? 1.0F : p.keep_scale;
        const i64 step = planted(Mistake::conv_draws_shifted) ? row.t + 1 : row.t;
        draw_events(p.key, p.threshold, stream_conv, row.b, step, p.Op, 0.0F, on, row.draws);
    }
    if (row.saved != nullptr) row.saved[p.saved_row - 1] = 0.0F;  // bits beyond the last number
    for (i64 j = 0; j < p.Op; j += W) {
        vf u = activate(p.activation, load(a + j));
        if (row.saved != nullptr) {
            const vf d = p.drawn ? load(row.draws + j) : set1(1.0F);
            if (p.slopes == Slopes::floats) store_part(row.saved + j, slope(p.activation, u) * d, p.O - j);
            else if (p.slopes == Slopes::bits) put_bits(row.saved, j, p.activation == Activation::relu ? gt(vmin(u, d), zero()) : gt(d, zero()));
        }
        if (p.drawn) u = u * load(row.draws + j);
        if (row.residual != nullptr) u = u + load_n(row.residual + j, p.O - j);
        store_part(row.y + j, activate(p.final_activation, u), p.O - j);
    }
}

// g phi'(a) from y = phi(a). Where relu cut, nothing comes through, NaN neither; where y is NaN, all does: as in torch.
inline vf through_value(Activation which, vf y, vf g) {
    return which == Activation::relu ? select(gt(vmin(y, set1(1.0F)), zero()), g, zero()) : g * slope(which, y);
}

// da (Op) of one row from dy; the residual's gradient where it is wanted, and the sums of the bias.
inline void slopes_row(const ConvPlan& p, const float* dy, const float* y, const float* saved, float* da, float* dresidual, float* db) {
    const vf scale = set1(p.keep_scale);
    for (i64 j = 0; j < p.Op; j += W) {
        const i64 left = p.O - j;
        vf g = load_n(dy + j, left);
        const vf given = g;
        if (p.final_activation != Activation::identity) g = g * slope(p.final_activation, load_n(y + j, left));
        if (dresidual != nullptr) {
            const vf dr = planted(Mistake::conv_residual_gradient) ? given : g;
            store_part(dresidual + j, p.add_dresidual ? load_n(dresidual + j, left) + dr : dr, left);
        }
        switch (p.slopes) {
            case Slopes::none: break;
            case Slopes::value: g = through_value(p.activation, load_n(y + j, left), g * scale); break;
            case Slopes::bits: g = where_bits(saved, j, planted(Mistake::conv_dropout_lost_backward) ? g : g * scale); break;
            case Slopes::floats: g = g * load_n(saved + j, left); break;
        }
        store(da + j, g);
        if (!planted(Mistake::conv_bias_gradient_half) || j == 0) store(db + j, load(db + j) + g);
    }
}

}  // namespace
}  // namespace seqloom
