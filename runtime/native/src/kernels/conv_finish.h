// What follows the sums of a convolution, and its way back: activations, dropout, residual, and what is saved of them.
#pragma once

#include "../conv_plan.h"
#include "../planted.h"
#include "common.h"
#include "random.h"

namespace seqloom {
namespace {

inline i64 larger(i64 a, i64 b) { return a > b ? a : b; }

constexpr i64 gathered_below = 8;  // channels: with fewer, the taps of a row are laid side by side for the outer product

inline float* saved_of(const ConvPlan& p, i64 b, i64 t) { return p.saved + (b * p.T + t) * p.saved_row; }

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
    const float* draws;     // of this row
};

// What follows the sums, known to the compiler for the layers of a residual block: relu and nothing more, relu whose
// slopes are kept as bits (under dropout), or relu, the residual and relu again.
enum class Finish { any, plain, kept, block };

inline Finish finish_kind(const ConvPlan& p) {
    if (p.activation != Activation::relu) return Finish::any;
    if (p.residual == nullptr && p.final_activation == Activation::identity && !p.save) return Finish::plain;
    if (p.residual == nullptr && p.final_activation == Activation::identity && p.slopes == Slopes::bits) return Finish::kept;
    if (p.residual != nullptr && p.final_activation == Activation::relu && (!p.save || p.slopes == Slopes::bits)) return Finish::block;
    return Finish::any;
}

// Any activation (`activate_any`) and its slope, by a call but for the commonest: inlined side by side into the loops below,
// the compiler would follow every pair of them apart, for half a minute, into 300 KB.
[[gnu::noinline]] vf slope_any(Activation which, vf y) { return slope(which, y); }

template <bool Any>
inline vf activate_as(Activation which, vf a) {
    if (!Any) return activate(which, a);
    if (which == Activation::relu) return vmax(zero(), a);
    return which == Activation::identity ? a : activate_any(which, a);
}
template <bool Any>
inline vf slope_as(Activation which, vf y) {
    return Any ? slope_any(which, y) : slope(which, y);
}

// y = psi(D(phi(a)) + residual) of one row of sums a (Op). Whole: there is room for whole vectors, and what is written past
// the row's end is written again.
template <Finish Kind, bool Drawn, bool Whole>
inline void finish_row(const ConvPlan& p, const float* a, const FinishRow& row) {
    constexpr bool any = Kind == Finish::any;
    const Activation phi = any ? p.activation : Activation::relu;
    const Activation psi = any ? p.final_activation : Kind == Finish::block ? Activation::relu : Activation::identity;
    const bool saves = Kind != Finish::plain && row.saved != nullptr;
    const bool adds = any ? row.residual != nullptr : Kind == Finish::block;
    if (saves) row.saved[p.saved_row - 1] = 0.0F;  // bits beyond the last number
    for (i64 j = 0; j < p.Op; j += W) {
        const i64 left = p.O - j;
        vf u = activate_as<any>(phi, load(a + j));
        const vf d = Drawn ? load(row.draws + j) : set1(1.0F);
        if (saves) {
            if (any && p.slopes == Slopes::floats) store_part(row.saved + j, slope_as<any>(phi, u) * d, left);
            else if (!any || p.slopes == Slopes::bits) put_bits(row.saved, j, gt(vmin(phi == Activation::relu ? u : ones_below(left), d), zero()));
        }
        if (Drawn) u = u * d;
        if (adds) u = u + (Whole ? load(row.residual + j) : load_n(row.residual + j, left));
        u = activate_as<any>(psi, u);
        if (Whole) store(row.y + j, u);
        else store_part(row.y + j, u, left);
    }
}

constexpr i64 drawn_rows = 8;  // of which the draws are made at once

inline i64 finish_scratch(const ConvPlan& p) { return drawn_rows * up(p.O, 4) + 4 * W; }

template <Finish Kind, bool Drawn>
inline void finish_rows_as(const ConvPlan& p, const float* sums, i64 b, i64 t, i64 end, i64 last, float* draws) {
    const RoundKeys keys(p.key);
    const Events events(p.threshold, 0.0F, planted(Mistake::conv_dropout_not_scaled) ? 1.0F : p.keep_scale);
    const i64 units = up(p.O, 4);
    for (; t < end; t += drawn_rows) {
        const i64 rows = least(drawn_rows, end - t);
        if (Drawn) draw_steps(keys, events, stream_conv, b, planted(Mistake::conv_draws_shifted) ? t + 1 : t, rows, units / 4, draws);
        for (i64 row = t; row < t + rows; ++row, sums += p.Op) {
            const float* residual = p.residual == nullptr ? nullptr : p.residual + b * p.residual_row + row * p.O;
            const FinishRow one{residual, p.y + b * p.y_row + row * p.O, p.save ? saved_of(p, b, row) : nullptr, draws + (row - t) * units};
            if ((last - row) * p.O >= p.Op) finish_row<Kind, Drawn, true>(p, sums, one);
            else finish_row<Kind, Drawn, false>(p, sums, one);
        }
    }
}

template <Finish Kind>
inline void finish_rows_of(const ConvPlan& p, const float* sums, i64 b, i64 t, i64 end, i64 last, float* draws) {
    if (p.drawn) finish_rows_as<Kind, true>(p, sums, b, t, end, last, draws);
    else finish_rows_as<Kind, false>(p, sums, b, t, end, last, draws);
}

// Steps [t, end) of batch row b from their sums (Op each); the piece that is written ends with step `last`.
inline void finish_rows(const ConvPlan& p, const float* sums, i64 b, i64 t, i64 end, i64 last, float* draws) {
    switch (finish_kind(p)) {
        case Finish::plain: return finish_rows_of<Finish::plain>(p, sums, b, t, end, last, draws);
        case Finish::kept: return finish_rows_of<Finish::kept>(p, sums, b, t, end, last, draws);
        case Finish::block: return finish_rows_of<Finish::block>(p, sums, b, t, end, last, draws);
        case Finish::any: return finish_rows_of<Finish::any>(p, sums, b, t, end, last, draws);
    }
}

// Part of a row of which `left` numbers are real; with room behind it what stands there is read and written again, which
// is faster than a store under a mask.
inline void put_part(float* to, vf v, i64 left, bool room) {
    if (left >= W) store(to, v);
    else if (room) store(to, select(gt(ones_below(left), zero()), v, load(to)));
    else store_n(to, v, left);
}

// Rows of a gradient of x (Ip each) to where they lie, or added to what does; there is room for `room` rows.
inline void put_inputs(const ConvPlan& p, const float* sums, float* out, i64 rows, i64 room) {
    for (i64 row = 0; row < rows; ++row, sums += p.Ip, out += p.I) {
        if (!p.add_dx) {
            copy_in_order(out, sums, p.I, (room - row) * p.I);
        } else if (p.I < W) {
            store_n(out, load_n(out, p.I) + load(sums), p.I);
        } else {  // the last vector lies over the one before, and is read before that is written
            const i64 at = p.I - W;
            const vf last = load(out + at) + load(sums + at);
            for (i64 j = 0; j < at; j += W) store(out + j, load(out + j) + load(sums + j));
            store(out + at, last);
        }
    }
}

// g phi'(a) from y = phi(a). Where relu cut, nothing comes through, NaN neither; where y is NaN, all does: as in torch.
template <bool Any>
inline vf through_value(Activation which, vf y, vf g) {
    return which == Activation::relu ? select(gt(vmin(y, set1(1.0F)), zero()), g, zero()) : g * slope_as<Any>(which, y);
}

// What the way back of a layer is, known to the compiler for those of `Finish`.
template <Finish Kind>
inline void slopes_rows_as(const ConvPlan& p, i64 b, i64 t, i64 end, i64 last, float* da, float* db) {
    constexpr bool any = Kind == Finish::any;
    const vf scale = set1(p.keep_scale);
    const Activation phi = any ? p.activation : Activation::relu;
    const Activation psi = any ? p.final_activation : Kind == Finish::block ? Activation::relu : Activation::identity;
    const Slopes slopes = any ? p.slopes : Kind == Finish::plain ? Slopes::value : Slopes::bits;
    const bool no_residual = Kind == Finish::plain || Kind == Finish::kept || p.dresidual == nullptr;
    float* dresidual_rows = no_residual ? nullptr : p.dresidual + b * p.dresidual_row;
    for (i64 j = 0; j < p.Op; j += W) {
        const i64 left = p.O - j;
        const bool counts = !planted(Mistake::conv_bias_gradient_half) || j == 0;
        vf sum = load(db + j);
        for (i64 row = t; row < end; ++row) {
            const vf given = load_part(p.dy + b * p.dy_row + row * p.O + j, left);
            const vf y = load_part(p.y + b * p.y_row + row * p.O + j, left);
            vf g = psi == Activation::identity ? given : through_value<any>(psi, y, given);
            if (dresidual_rows != nullptr) {
                float* dresidual = dresidual_rows + row * p.O + j;
                const vf dr = planted(Mistake::conv_residual_gradient) ? given : g;
                put_part(dresidual, p.add_dresidual ? load_part(dresidual, left) + dr : dr, left, (last - row) * p.O >= p.Op);
            }
            switch (slopes) {
                case Slopes::none: break;
                case Slopes::value: g = through_value<any>(phi, y, g * scale); break;
                case Slopes::bits: g = where_bits(saved_of(p, b, row), j, planted(Mistake::conv_dropout_lost_backward) ? g : g * scale); break;
                case Slopes::floats: g = g * load_part(saved_of(p, b, row) + j, left); break;
            }
            store(da + row * p.Op + j, g);
            if (counts) sum = sum + g;
        }
        store(db + j, sum);
    }
}

// da (Op each) of rows [t, end) of batch row b from dy; the residual's gradient where it is wanted, and the sums of the
// bias. The piece that is written ends with row `last`.
inline void slopes_rows(const ConvPlan& p, i64 b, i64 t, i64 end, i64 last, float* da, float* db) {
    const bool relu = p.activation == Activation::relu;
    if (relu && p.final_activation == Activation::relu && p.slopes == Slopes::bits) return slopes_rows_as<Finish::block>(p, b, t, end, last, da, db);
    if (relu && p.final_activation == Activation::identity && p.dresidual == nullptr) {
        if (p.slopes == Slopes::value) return slopes_rows_as<Finish::plain>(p, b, t, end, last, da, db);
        if (p.slopes == Slopes::bits) return slopes_rows_as<Finish::kept>(p, b, t, end, last, da, db);
    }
    slopes_rows_as<Finish::any>(p, b, t, end, last, da, db);
}

}  // namespace
}  // namespace seqloom
