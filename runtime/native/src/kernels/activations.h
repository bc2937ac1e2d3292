// exp, tanh, sigmoid and the other activations on vectors, to within 3 units in the last place; and their slopes,
// written in terms of the activation's own value, so that the backward pass needs no pre-activation.
#pragma once

#include "../planted.h"
#include "../scan_plan.h"
#include "simd.h"

namespace seqloom {
namespace {

// a = n ln 2 + r with |r| <= ln 2 / 2; returns e^r - 1 and sets n. |a| at most 88.
[[gnu::always_inline]] inline vf exp_parts(vf a, vf& n) {
    n = round(a * set1(1.44269504088896341F));
    vf r = fnma(n, set1(0.693359375F), a);
    r = fnma(n, set1(-2.12194440e-4F), r);
    vf q = set1(1.9875691500e-4F);
    q = fma(q, r, set1(1.3981999507e-3F));
    q = fma(q, r, set1(8.3334519073e-3F));
    q = fma(q, r, set1(4.1665795894e-2F));
    q = fma(q, r, set1(1.6666665459e-1F));
    q = fma(q, r, set1(5.0000001201e-1F));
    return fma(q, r * r, r);
}

inline vf clamp(vf a, float low, float high) { return vmax(set1(low), vmin(set1(high), a)); }  // NaN stays NaN

inline vf exp_of(vf a) {
    vf n;
    const vf p = exp_parts(clamp(a, -87.3F, 88.0F), n);
    return scale2(p + set1(1.0F), n);
}

inline vf expm1_of(vf a) {
    vf n;
    const vf p = exp_parts(clamp(a, -40.0F, 88.0F), n);
    const vf power = scale2(set1(1.0F), n);
    return fma(power, p, power - set1(1.0F));
}

// (e^2b - 1) / (e^2b + 1) of b = |a|: on this side the error of the exponential shrinks as the value nears 1.
[[gnu::always_inline]] inline vf tanh_of(vf a) {
    vf n;
    const vf b = abs(a);
    const vf p = exp_parts(vmin(set1(19.0F), b + b), n);
    const vf power = scale2(set1(1.0F), n);
    const vf m = fma(power, p, power - set1(1.0F));  // e^2b - 1, exact for small b too
    return with_sign(m / (m + set1(2.0F)), a);
}

[[gnu::always_inline]] inline vf sigmoid_of(vf a) {
    vf n;
    const vf p = exp_parts(clamp(zero() - a, -40.0F, 88.8F), n);  // e^88.8 is infinite: 0 exactly at minus infinity
    return set1(1.0F) / (set1(1.0F) + scale2(p + set1(1.0F), n));
}

// ln(1 + e^a) = max(a, 0) + ln(1 + u), u = e^-|a|; ln(1 + u) = 2 artanh(s), s = u/(2 + u) <= 1/3.
inline vf softplus_of(vf a) {
    const vf u = exp_of(zero() - abs(a));
    const vf s = u / (u + set1(2.0F));
    const vf s2 = s * s;
    vf q = set1(1.0F / 15.0F);
    q = fma(q, s2, set1(1.0F / 13.0F));
    q = fma(q, s2, set1(1.0F / 11.0F));
    q = fma(q, s2, set1(1.0F / 9.0F));
    q = fma(q, s2, set1(1.0F / 7.0F));
    q = fma(q, s2, set1(1.0F / 5.0F));
    q = fma(q, s2, set1(1.0F / 3.0F));
    const vf log1p = fma(q * s2, s + s, s + s);
    return vmax(zero(), a) + log1p;
}

inline vf activate(Activation which, vf a) {
    switch (which) {
        case Activation::tanh: return tanh_of(a);
        case Activation::sigmoid: return sigmoid_of(a);
        case Activation::relu: return vmax(zero(), a);
        case Activation::leaky_relu: return select(gt(a, zero()), a, a * set1(0.01F));
        case Activation::elu: return select(gt(a, zero()), a, expm1_of(a));
        case Activation::softsign: return a / (set1(1.0F) + abs(a));
        case Activation::softplus: return softplus_of(a);
        case Activation::hard_sigmoid: return clamp(a / set1(6.0F) + set1(0.5F), 0.0F, 1.0F);
        case Activation::hard_sigmoid_02: return clamp(fma(a, set1(0.2F), set1(0.5F)), 0.0F, 1.0F);
        default: return a;
    }
}

// f'(a) from y = f(a).
inline vf slope(Activation which, vf y) {
    const vf one = set1(1.0F);
    switch (which) {
        case Activation::tanh: return fnma(y, y, one);
        case Activation::sigmoid: return y * (one - y);
        case Activation::relu: return select(gt(y, zero()), one, zero());
        case Activation::leaky_relu: return select(gt(y, zero()), one, set1(0.01F));
        case Activation::elu: return select(gt(y, zero()), one, planted(Mistake::elu_slope) ? y : y + one);
        case Activation::softsign: return square(one - abs(y));
        case Activation::softplus: return zero() - expm1_of(zero() - y);
        case Activation::hard_sigmoid: return select(gt(y, zero()), select(gt(one, y), set1(1.0F / 6.0F), zero()), zero());
        case Activation::hard_sigmoid_02: return select(gt(y, zero()), select(gt(one, y), set1(0.2F), zero()), zero());
        default: return one;
    }
}

// By a call, where the activation isn't known to the compiler: inlined at every place they are large code, and long to compile.
[[gnu::noinline]] inline vf activate_any(Activation which, vf a) { return activate(which, a); }

// The activations of a cell: with Plain they are tanh and sigmoid, known to the compiler.
template <bool Plain>
[[gnu::always_inline]] inline vf phi_of(const ScanPlan& p, vf a) {
    if constexpr (Plain) return tanh_of(a);
    else return activate_any(p.activation, a);
}
template <bool Plain>
[[gnu::always_inline]] inline vf sigma_of(const ScanPlan& p, vf a) {
    if constexpr (Plain) return sigmoid_of(a);
    else return activate_any(p.gate_activation, a);
}
template <bool Plain>
[[gnu::always_inline]] inline vf phi_slope(const ScanPlan& p, vf y) {
    if constexpr (Plain) return fnma(y, y, set1(1.0F));
    else return slope(p.activation, y);
}
template <bool Plain>
[[gnu::always_inline]] inline vf sigma_slope(const ScanPlan& p, vf y) {
    if constexpr (Plain) return y * (set1(1.0F) - y);
    else return slope(p.gate_activation, y);
}

}  // namespace
}  // namespace seqloom
