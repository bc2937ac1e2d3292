// Random arrays of exactly their size, so that the sanitizers see a step too far, and what the tests draw them for.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "seqloom/conv.h"
#include "seqloom/cpu.h"

namespace drawn {

using Floats = std::vector<float>;
using i64 = std::int64_t;

inline std::size_t count(i64 n) { return static_cast<std::size_t>(n); }

template <class Scale>
Floats normal(std::mt19937& random, i64 n, Scale scale) {
    std::normal_distribution<Scale> draw(Scale{0}, scale);
    Floats v(count(n));
    for (float& one : v) one = static_cast<float>(draw(random));
    return v;
}

inline void set_sizes(seqloom::ConvSettings& s, i64 B, i64 T, i64 I, i64 O, i64 K, i64 dilation) {
    s.B = B;
    s.T = T;
    s.I = I;
    s.O = O;
    s.K = K;
    s.dilation = dilation;
}

// A relu, behind a residual too.
inline seqloom::ConvSettings conv_settings(i64 B, i64 T, i64 I, i64 O, i64 K, i64 dilation, bool residual) {
    seqloom::ConvSettings s{};
    s.activation = 2;
    s.final_activation = residual ? 2 : 7;
    s.has_residual = residual;
    set_sizes(s, B, T, I, O, K, dilation);
    return s;
}

// Calls `test` with each instruction set of this machine.
template <class Test>
void on_every_isa(Test test) {
    using seqloom::Isa;
    for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512})
        if (isa <= seqloom::best_isa()) test(isa);
}

}  // namespace drawn
