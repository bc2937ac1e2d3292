// One vector type and what the kernels need of it, for the instruction set that this file is compiled for.
//
// Everything is in an unnamed namespace: the same source is compiled once for each instruction set, and a function that
// the linker could merge between them would bring wide instructions into the narrow build. For the same reason the
// kernels use no function of the standard library.
#pragma once

#include <cstdint>

#if defined(SEQLOOM_AVX512) || defined(SEQLOOM_AVX2) || defined(__x86_64__)
#include <immintrin.h>
#endif

namespace seqloom {
namespace {

using i64 = std::int64_t;

#if defined(SEQLOOM_AVX512)

constexpr int W = 16;       // lanes
constexpr int MR = 8;       // rows of a register tile
constexpr int NV = 3;       // vectors of a register tile
using vf = __m512;
using vm = __mmask16;

inline vf set1(float a) { return _mm512_set1_ps(a); }
inline vf load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, vf v) { _mm512_storeu_ps(p, v); }
inline vm lanes(i64 n) { return static_cast<vm>(n >= 16 ? 0xFFFFU : (1U << n) - 1U); }
inline vf load_n(const float* p, i64 n) { return _mm512_maskz_loadu_ps(lanes(n), p); }
inline void store_n(float* p, vf v, i64 n) { _mm512_mask_storeu_ps(p, lanes(n), v); }
inline vf fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
inline vf fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }  // c - a*b
inline vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }              // b where either is NaN
inline vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }              // b where either is NaN
inline vm gt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
inline vf select(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
inline vf abs(vf a) { return _mm512_abs_ps(a); }
inline vf with_sign(vf a, vf b) { return _mm512_or_ps(a, _mm512_and_ps(b, _mm512_set1_ps(-0.0F))); }  // a >= 0, with b's sign
inline vf round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline vf scale2(vf a, vf n) { return _mm512_scalef_ps(a, n); }  // a * 2^n
inline vf interleave_low(vf a, vf b) {
    return _mm512_permutex2var_ps(a, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), b);
}
inline vf interleave_high(vf a, vf b) {
    return _mm512_permutex2var_ps(a, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), b);
}

#elif defined(SEQLOOM_AVX2)

constexpr int W = 8;
constexpr int MR = 4;
constexpr int NV = 3;
using vf = __m256;
using vm = __m256;

inline vf set1(float a) { return _mm256_set1_ps(a); }
inline vf load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, vf v) { _mm256_storeu_ps(p, v); }
inline __m256i lanes(i64 n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n < 8 ? n : 8)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline vf load_n(const float* p, i64 n) { return _mm256_maskload_ps(p, lanes(n)); }
inline void store_n(float* p, vf v, i64 n) { _mm256_maskstore_ps(p, lanes(n), v); }
inline vf fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
inline vf fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
inline vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
inline vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
inline vm gt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
inline vf select(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
inline vf abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a); }
inline vf with_sign(vf a, vf b) { return _mm256_or_ps(a, _mm256_and_ps(b, _mm256_set1_ps(-0.0F))); }
inline vf round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline vf scale2(vf a, vf n) {  // n whole and in [-126, 127]
    const __m256i bits = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return a * _mm256_castsi256_ps(bits);
}
inline vf interleave_low(vf a, vf b) { return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20); }
inline vf interleave_high(vf a, vf b) { return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31); }

#else  // portable: four lanes in the compiler's own vectors (SSE2 on x86-64, NEON on ARM)

constexpr int W = 4;
constexpr int MR = 4;
constexpr int NV = 2;
typedef float vf __attribute__((vector_size(16)));
typedef std::int32_t vm __attribute__((vector_size(16)));
typedef float vf_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

inline vf set1(float a) { return vf{a, a, a, a}; }
inline vf load(const float* p) { return *reinterpret_cast<const vf_unaligned*>(p); }
inline void store(float* p, vf v) { *reinterpret_cast<vf_unaligned*>(p) = v; }
inline vf load_n(const float* p, i64 n) {
    if (n >= 4) return load(p);
    vf v{0, 0, 0, 0};
    for (i64 i = 0; i < n; ++i) v[i] = p[i];
    return v;
}
inline void store_n(float* p, vf v, i64 n) {
    if (n >= 4) return store(p, v);
    for (i64 i = 0; i < n; ++i) p[i] = v[i];
}
inline vf fma(vf a, vf b, vf c) { return a * b + c; }
inline vf fnma(vf a, vf b, vf c) { return c - a * b; }
inline vf vmin(vf a, vf b) { return a < b ? a : b; }
inline vf vmax(vf a, vf b) { return a > b ? a : b; }
inline vm gt(vf a, vf b) { return a > b; }
inline vf select(vm m, vf a, vf b) { return m ? a : b; }
inline vf abs(vf a) { return (vf)((vm)a & 0x7FFFFFFF); }
inline vf with_sign(vf a, vf b) { return (vf)((vm)a | ((vm)b & static_cast<std::int32_t>(0x80000000U))); }
inline vf round(vf a) {  // |a| below 2^22
    const vf big = set1(12582912.0F);
    return (a + big) - big;
}
inline vf scale2(vf a, vf n) {  // n whole and in [-126, 127]
    return a * (vf)((__builtin_convertvector(n, vm) + 127) << 23);
}
inline vf interleave_low(vf a, vf b) { return vf{a[0], b[0], a[1], b[1]}; }
inline vf interleave_high(vf a, vf b) { return vf{a[2], b[2], a[3], b[3]}; }

#endif

inline vf zero() { return set1(0.0F); }

// W vectors as rows of a square, turned around. Taking rows r and r + W / 2 lane by lane moves the highest bit of the row's
// number behind the lowest of the lane's, so that log2(W) such steps exchange the two.
inline void turn_around(vf (&rows)[W]) {
#pragma GCC unroll 4
    for (int step = 1; step < W; step *= 2) {
        vf next[W];
#pragma GCC unroll 8
        for (int r = 0; r < W / 2; ++r) {
            next[2 * r] = interleave_low(rows[r], rows[r + W / 2]);
            next[2 * r + 1] = interleave_high(rows[r], rows[r + W / 2]);
        }
#pragma GCC unroll 16
        for (int r = 0; r < W; ++r) rows[r] = next[r];
    }
}
inline vf square(vf a) { return a * a; }

// Sum of the lanes, always in the same order: halves added until one is left.
inline float sum(vf v) {
#if defined(SEQLOOM_AVX512) || defined(SEQLOOM_AVX2)
#if defined(SEQLOOM_AVX512)
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
#else
    const __m256 eight = v;
#endif
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
    return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

// 1 in the first n lanes, 0 in the others.
inline vf ones_below(i64 n) {
#if defined(SEQLOOM_AVX512)
    return _mm512_maskz_mov_ps(lanes(n), set1(1.0F));
#elif defined(SEQLOOM_AVX2)
    return _mm256_and_ps(_mm256_castsi256_ps(lanes(n)), set1(1.0F));
#else
    return vm{0, 1, 2, 3} < static_cast<std::int32_t>(n) ? set1(1.0F) : zero();
#endif
}

// Denormals flushed to zero while an object of this lives.
class FlushDenormals {
  public:
#if defined(__x86_64__)
    FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040U); }
    ~FlushDenormals() { _mm_setcsr(before_); }

  private:
    unsigned before_;
#else
    FlushDenormals() {}
#endif
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace
}  // namespace seqloom
