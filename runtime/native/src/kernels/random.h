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

// Counters, and after `philox` the words that belong to them. Only the low half of a lane counts, in the rounds and in the
// words: what stands above it is not cleared.
struct Words {
    vl w[4];
};

// N vectors of counters side by side: one round waits for the one before, and a core does not look far enough ahead to
// begin the next vector meanwhile.
template <int N>
[[gnu::always_inline]] inline void philox(Words (&of)[N], const RoundKeys& keys) {
    const vl none{};
    const vl m0 = none + 0xD2511F53U;
    const vl m1 = none + 0xCD9E8D57U;
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round)
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) {
            vl(&c)[4] = of[n].w;
            const vl p0 = multiply_low(c[0], m0);
            const vl p1 = multiply_low(c[2], m1);
            c[0] = (p1 >> 32) ^ c[1] ^ keys.first[round];
            c[2] = (p0 >> 32) ^ c[3] ^ keys.second[round];
            c[1] = p1;
            c[3] = p0;
        }
}
constexpr int side_by_side = 3;

// Which of WL counters in a row stands in lane i: so that the words of neighbours come together where two vectors of
// pairs are interleaved.
inline std::int64_t counter_of_lane(int i) { return i / 2 + i % 2 * (WL / 2); }

// Even lanes of a and b in turn, and odd ones.
inline vl even_lanes(vl a, vl b) {
#if defined(SEQLOOM_AVX512)
    return (vl)_mm512_unpacklo_epi64((__m512i)a, (__m512i)b);
#elif defined(SEQLOOM_AVX2)
    return (vl)_mm256_unpacklo_epi64((__m256i)a, (__m256i)b);
#else
    return vl{a[0], b[0]};
#endif
}
inline vl odd_lanes(vl a, vl b) {
#if defined(SEQLOOM_AVX512)
    return (vl)_mm512_unpackhi_epi64((__m512i)a, (__m512i)b);
#elif defined(SEQLOOM_AVX2)
    return (vl)_mm256_unpackhi_epi64((__m256i)a, (__m256i)b);
#else
    return vl{a[1], b[1]};
#endif
}

// The numbers of WL counters in the order of their units: yes where the event happens (its word lies below `below`).
struct Events {
    vl below_half;
    vu threshold;
    vf_plain yes, no;

    Events(std::uint32_t below, float when, float otherwise) {
        const vl none{};
        below_half = none + 0xFFFFFFFFU;
        threshold = (vu)none + below;
        yes = (vf_plain)set1(when);
        no = (vf_plain)set1(otherwise);
    }
    [[gnu::always_inline]] void put(const Words& words, float* out, bool second_half) const {
        const vl first = (words.w[0] & below_half) | (words.w[1] << 32);  // words 0 1 of each counter
        const vl second = (words.w[2] & below_half) | (words.w[3] << 32);
        store(out, (vf)((vu)even_lanes(first, second) < threshold ? yes : no));
        if (second_half) store(out + W, (vf)((vu)odd_lanes(first, second) < threshold ? yes : no));
    }
};

// out[r * padded + unit] = yes or no for `rows` rows from `row` on and units 0 ... padded - 1 (whole vectors).
inline void draw_rows(const std::uint32_t key[2], std::uint32_t below, std::uint32_t stream, i64 row, i64 rows, i64 step, i64 padded, float yes,
                      float no, float* out) {
    const RoundKeys keys(key);
    const Events events(below, yes, no);
    const vl none{};
    vl lane;
    for (int i = 0; i < WL; ++i) lane[i] = static_cast<std::uint64_t>(counter_of_lane(i));
    const i64 pieces = (padded + 2 * W - 1) / (2 * W);
    i64 r = 0;
    i64 unit = 0;
    const auto some = [&]<int N>(Words(&words)[N]) {
        float* to[N];
        bool both[N];
        for (int n = 0; n < N; ++n) {
            words[n] = {{lane + static_cast<std::uint64_t>(unit / 4), none + static_cast<std::uint64_t>(step),
                         none + static_cast<std::uint64_t>(row + r), none + stream}};
            to[n] = out + r * padded + unit;
            both[n] = unit + W < padded;
            unit += 2 * W;
            if (unit >= padded) {
                unit = 0;
                ++r;
            }
        }
        philox(words, keys);
        for (int n = 0; n < N; ++n) events.put(words[n], to[n], both[n]);
    };
    Words words[side_by_side];
    Words one[1];
    i64 left = rows * pieces;
    for (; left >= side_by_side; left -= side_by_side) some(words);
    for (; left > 0; --left) some(one);
}

// The steps of one row side by side, 4 * groups units each: no counter is run for padding. Writes up to 2 W - 4 more.
inline void draw_steps(const RoundKeys& keys, const Events& events, std::uint32_t stream, i64 row, i64 step, i64 steps, i64 groups, float* out) {
    const vl none{};
    vl_index group;
    vl_index at;
    for (int i = 0; i < WL; ++i) {
        group[i] = counter_of_lane(i) % groups;
        at[i] = step + counter_of_lane(i) / groups;
    }
    const i64 on = WL % groups;
    const i64 steps_on = WL / groups;
    const auto some = [&]<int N>(Words(&words)[N]) {
        for (int n = 0; n < N; ++n) {
            words[n] = {{(vl)group, (vl)at, none + static_cast<std::uint64_t>(row), none + stream}};
            group += on;
            at += steps_on;
            const vl_index over = (vl_index)(group >= groups);  // -1 where the next step begins
            group -= over & groups;
            at -= over;
        }
        philox(words, keys);
        for (int n = 0; n < N; ++n, out += 2 * W) events.put(words[n], out, true);
    };
    Words words[side_by_side];
    Words one[1];
    i64 left = (steps * groups + WL - 1) / WL;
    for (; left >= side_by_side; left -= side_by_side) some(words);
    for (; left > 0; --left) some(one);
}

}  // namespace
}  // namespace seqloom
