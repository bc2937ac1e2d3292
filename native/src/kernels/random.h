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

inline Words philox(vl c0, std::uint64_t step, std::uint64_t row, std::uint64_t stream, const std::uint32_t key[2]) {
    const vl none = c0 ^ c0;
    vl c1 = none + step;
    vl c2 = none + row;
    vl c3 = none + stream;
    const vl low = none + 0xFFFFFFFFU;
    const vl m0 = none + 0xD2511F53U;
    const vl m1 = none + 0xCD9E8D57U;
    std::uint32_t k0 = key[0];
    std::uint32_t k1 = key[1];
    for (int round = 0; round < 10; ++round) {
        const vl p0 = multiply_low(c0, m0);
        const vl p1 = multiply_low(c2, m1);
        c0 = (p1 >> 32) ^ c1 ^ (none + k0);
        c2 = (p0 >> 32) ^ c3 ^ (none + k1);
        c1 = p1 & low;
        c3 = p0 & low;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    return {{c0, c1, c2, c3}};
}

// out[unit] = yes where the event happens (its word lies below `below`), else no, for units 0 ... padded - 1 (whole vectors).
inline void draw_events(const std::uint32_t key[2], std::uint32_t below, std::uint32_t stream, i64 row, i64 step, i64 padded, float yes, float no,
                        float* out) {
    vl lane;
    vl_index low;
    vl_index high;
    for (int i = 0; i < WL; ++i) {
        lane[i] = static_cast<std::uint64_t>(i);
        low[i] = i / 2 + (i % 2) * WL;
        high[i] = WL / 2 + i / 2 + (i % 2) * WL;
    }
    const vu threshold = (vu)(lane ^ lane) + below;
    const vf_plain when = (vf_plain)set1(yes);
    const vf_plain otherwise = (vf_plain)set1(no);
    for (i64 unit = 0; unit < padded; unit += 2 * W) {
        const Words words =
            philox(lane + static_cast<std::uint64_t>(unit / 4), static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(row), stream, key);
        const vl first = words.w[0] | (words.w[1] << 32);  // words 0 1 of each counter
        const vl second = words.w[2] | (words.w[3] << 32);
        const vu a = (vu)__builtin_shuffle(first, second, low);
        const vu b = (vu)__builtin_shuffle(first, second, high);
        store(out + unit, (vf)(a < threshold ? when : otherwise));
        if (unit + W < padded) store(out + unit + W, (vf)(b < threshold ? when : otherwise));
    }
}

}  // namespace
}  // namespace seqloom
