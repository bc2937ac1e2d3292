// Philox4x32-10 on vectors: the numbers of seqloom.ops.philox, bit for bit.
//
// Counter of a number: (unit / 4, step, row, stream); it is word unit % 4 of the result.
#pragma once

#include "../scan_plan.h"
#include "simd.h"

namespace seqloom {
namespace {

constexpr std::uint32_t stream_hidden = 0;
constexpr std::uint32_t stream_cell = 1;
constexpr std::uint32_t stream_candidate = 2;
constexpr std::uint32_t stream_conv = 3;

constexpr int WL = W / 2;  // 64-bit lanes
typedef std::uint64_t vl __attribute__((vector_size(WL * 8)));
typedef std::int64_t vl_index __attribute__((vector_size(WL * 8)));
typedef std::uint32_t vu __attribute__((vector_size(W * 4)));
typedef float vf_plain __attribute__((vector_size(W * 4)));

// Product of the low halves of 64-bit lanes.
inline vl multiply_low(vl a, vl b) {
#if defined(SEQLOOM_AVX512)
    return (vl)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(SEQLOOM_AVX2)
    return (vl)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
    return (vl)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xFFFFFFFFU) * (b & 0xFFFFFFFFU);
#endif
}

struct Words {
    vl w[4];
};

// The keys of the ten rounds, in every lane.
struct RoundKeys {
    vl first[10], second[10];
    explicit RoundKeys(const std::uint32_t key[2]) {
        const vl none{};
        std::uint32_t k0 = key[0];
        std::uint32_t k1 = key[1];
        for (int round = 0; round < 10; ++round) {
            first[round] = none + k0;
            second[round] = none + k1;
            k0 += 0x9E3779B9U;
            k1 += 0xBB67AE85U;
        }
    }
};

// Only the low half of a lane counts, in the rounds and in the words: what stands above it is not cleared.
inline Words philox(vl c0, vl c1, std::uint64_t row, std::uint64_t stream, const RoundKeys& keys) {
    const vl none{};
    vl c2 = none + row;
    vl c3 = none + stream;
    const vl m0 = none + 0xD2511F53U;
    const vl m1 = none + 0xCD9E8D57U;
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
        const vl p0 = multiply_low(c0, m0);
        const vl p1 = multiply_low(c2, m1);
        c0 = (p1 >> 32) ^ c1 ^ keys.first[round];
        c2 = (p0 >> 32) ^ c3 ^ keys.second[round];
        c1 = p1;
        c3 = p0;
    }
    return {{c0, c1, c2, c3}};
}

// Lanes of a, and from WL on of b, by number.
inline vl shuffled(vl a, vl b, vl_index at) {
#if defined(__clang__)  // has no shuffle by a vector
    vl y;
    for (int i = 0; i < WL; ++i) y[i] = at[i] < WL ? a[at[i]] : b[at[i] - WL];
    return y;
#else
    return __builtin_shuffle(a, b, at);
#endif
}

// The numbers of WL counters in the order of their units: yes where the event happens (its word lies below `below`).
struct Events {
    vl_index low, high;
    vl below_half;
    vu threshold;
    vf_plain yes, no;

    Events(std::uint32_t below, float when, float otherwise) {
        const vl none{};
        for (int i = 0; i < WL; ++i) {
            low[i] = i / 2 + (i % 2) * WL;
            high[i] = WL / 2 + i / 2 + (i % 2) * WL;
        }
        below_half = none + 0xFFFFFFFFU;
        threshold = (vu)none + below;
        yes = (vf_plain)set1(when);
        no = (vf_plain)set1(otherwise);
    }
    void put(const Words& words, float* out, bool second_half) const {
        const vl first = (words.w[0] & below_half) | (words.w[1] << 32);  // words 0 1 of each counter
        const vl second = (words.w[2] & below_half) | (words.w[3] << 32);
        const vu a = (vu)shuffled(first, second, low);
        const vu b = (vu)shuffled(first, second, high);
        store(out, (vf)(a < threshold ? yes : no));
        if (second_half) store(out + W, (vf)(b < threshold ? yes : no));
    }
};

// out[r * padded + unit] = yes or no for `rows` rows from `row` on and units 0 ... padded - 1 (whole vectors).
inline void draw_rows(const std::uint32_t key[2], std::uint32_t below, std::uint32_t stream, i64 row, i64 rows, i64 step, i64 padded, float yes,
                      float no, float* out) {
    const RoundKeys keys(key);
    const Events events(below, yes, no);
    const vl none{};
    vl lane;
    for (int i = 0; i < WL; ++i) lane[i] = static_cast<std::uint64_t>(i);
    for (i64 r = 0; r < rows; ++r, out += padded)
        for (i64 unit = 0; unit < padded; unit += 2 * W) {
            const vl counters = lane + static_cast<std::uint64_t>(unit / 4);
            events.put(philox(counters, none + static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(row + r), stream, keys), out + unit,
                       unit + W < padded);
        }
}

// The steps of one row side by side, 4 * groups units each: no counter is run for padding. Writes up to 2 W - 4 more.
inline void draw_steps(const RoundKeys& keys, const Events& events, std::uint32_t stream, i64 row, i64 step, i64 steps, i64 groups, float* out) {
    vl_index group;
    vl_index at;
    for (int i = 0; i < WL; ++i) {
        group[i] = i % groups;
        at[i] = step + i / groups;
    }
    const i64 on = WL % groups;
    const i64 steps_on = WL / groups;
    for (i64 counter = 0; counter < steps * groups; counter += WL, out += 2 * W) {
        events.put(philox((vl)group, (vl)at, static_cast<std::uint64_t>(row), stream, keys), out, true);
        group += on;
        at += steps_on;
        const vl_index over = (vl_index)(group >= groups);  // -1 where the next step begins
        group -= over & groups;
        at -= over;
    }
}

}  // namespace
}  // namespace seqloom
