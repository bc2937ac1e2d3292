// Layer norm of the rows of a tile. The weights of the two products are packed with the mean of every row taken off, so
// that what the products give has mean 0 and only its deviation is left to find.
//
// Every loop goes over rows that know nothing of one another, so that their sums don't wait for each other.
#pragma once

#include "common.h"

namespace seqloom {
namespace {

inline float inverse_deviation(float squares, float count, float epsilon) { return 1.0F / __builtin_sqrtf(squares / count + epsilon); }

inline float norm_count(const ScanPlan& p, i64 blocks) { return static_cast<float>(blocks * (planted(Mistake::norm_over_padding) ? p.Hp : p.H)); }

// scale[r] = 1 / deviation of row r of a product (rows, G Hp).
inline void product_scales(const ScanPlan& p, i64 rows, const float* part, float* scale) {
    const i64 width = p.G * p.Hp;
    const float count = norm_count(p, p.G);
    for (i64 r = 0; r < rows; ++r) {
        vf squares = zero();
        for (i64 j = 0; j < width; j += W) squares = fma(load(part + r * width + j), load(part + r * width + j), squares);
        scale[r] = inverse_deviation(sum(squares), count, p.epsilon);
    }
}

// LN_x(x̃ W_x) + LN_h(h̃ W_h) + b into the gate blocks.
inline void normalised_gates(const ScanPlan& p, i64 rows, const float* part_x, const float* part_h, const float* scale_x, const float* scale_h,
                             float* gates) {
    const i64 width = p.G * p.Hp;
    const i64 shift = p.h_block * p.Hp;
    for (i64 r = 0; r < rows; ++r, part_x += width, part_h += width, gates += p.blocks * p.Hp) {
        const vf by_x = set1(scale_x[r]);
        const vf by_h = set1(scale_h[r]);
        for (i64 j = 0; j < p.blocks * p.Hp; j += W) {
            vf a = load(p.bias + j);
            if (j < width) a = fma(load(part_x + j) * by_x, load(p.gain_x + j), a);
            if (j >= shift)
                a = fma(load(part_h + j - shift) * by_h, planted(Mistake::gain_not_used) ? set1(1.0F) : load(p.gain_h + j - shift), a);
            store(gates + j, a);
        }
    }
}

// From gradients d of gain⊙n to those of the product behind n = part * scale, for R rows: with g = d⊙gain,
// (g - mean(g) - n mean(g n)) * scale. Adds d⊙n to the gain's gradient.
template <int R>
inline void product_norm_back(const ScanPlan& p, const float* d, i64 d_ld, const float* part, const float* scale, const float* gain, float* d_gain,
                              float* out, i64 out_ld) {
    const i64 width = p.G * p.Hp;
    vf total[R];
    vf products[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) total[r] = products[r] = zero();
    for (i64 j = 0; j < width; j += W) {
        const vf by = load(gain + j);
        vf sums = load(d_gain + j);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const vf one = load(d + r * d_ld + j);
            const vf n = load(part + r * width + j) * set1(scale[r]);
            const vf g = one * by;
            sums = fma(one, n, sums);
            total[r] = total[r] + g;
            products[r] = fma(g, n, products[r]);
        }
        store(d_gain + j, sums);
    }
    const float count = norm_count(p, p.G);
    float mean[R];
    float slant[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        mean[r] = sum(total[r]) / count * scale[r];
        slant[r] = sum(products[r]) / count * scale[r] * scale[r];
    }
    for (int r = 0; r < R; ++r, d += d_ld, part += width, out += out_ld)
        for (i64 j = 0; j < width; j += W) {
            const vf g = fma(load(d + j) * load(gain + j), set1(scale[r]), zero() - set1(mean[r]));
            store(out + j, fnma(load(part + j), set1(slant[r]), g));
        }
}

inline void product_norms_back(const ScanPlan& p, i64 rows, const float* d, i64 d_ld, const float* part, const float* scale, const float* gain,
                               float* d_gain, float* out, i64 out_ld) {
    const i64 width = p.G * p.Hp;
    i64 r = 0;
    for (; r + MR <= rows; r += MR)
        product_norm_back<MR>(p, d + r * d_ld, d_ld, part + r * width, scale + r, gain, d_gain, out + r * out_ld, out_ld);
    for (; r < rows; ++r) product_norm_back<1>(p, d + r * d_ld, d_ld, part + r * width, scale + r, gain, d_gain, out + r * out_ld, out_ld);
}

// Statistics of the cell states of a tile.
struct CellNorm {
    float* value;  // (rows, Hp): c', then its deviations from the mean, zero past column H
    float* scale;  // (rows)
    float* slant;  // (rows): backward only, as is mean
    float* mean;

    CellNorm(Carver& carver, const ScanPlan& p) {
        const i64 rows = p.layer_norm && p.kind == CellKind::lstm ? p.tile : 0;
        value = carver.take(rows * p.Hp);
        scale = carver.take(rows);
        slant = carver.take(rows);
        mean = carver.take(rows);
    }
    // The columns of a vector that are units of the cell.
    static vf units(const ScanPlan& p, i64 j, vf v) { return j + W <= p.H ? v : v * ones_below(p.H > j ? p.H - j : 0); }

    void measure(const ScanPlan& p, i64 rows) const {
        const float count = norm_count(p, 1);
        for (i64 r = 0; r < rows; ++r) {
            vf total = zero();
            for (i64 j = 0; j < p.Hp; j += W) total = total + units(p, j, load(value + r * p.Hp + j));
            mean[r] = sum(total) / count;
        }
        for (i64 r = 0; r < rows; ++r) {
            vf squares = zero();
            for (i64 j = 0; j < p.Hp; j += W) {
                const vf away = units(p, j, load(value + r * p.Hp + j) - set1(mean[r]));
                store(value + r * p.Hp + j, away);
                squares = fma(away, away, squares);
            }
            scale[r] = inverse_deviation(sum(squares), count, p.epsilon);
        }
    }
    vf normed(const ScanPlan& p, i64 r, i64 j) const { return load(value + r * p.Hp + j) * set1(scale[r]); }
};

}  // namespace
}  // namespace seqloom
