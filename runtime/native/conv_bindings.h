// The convolution, its stack and weight norm as Python calls them. Part of bindings.cpp.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <vector>

#include "lists.h"
#include "seqloom/conv.h"
#include "seqloom/conv_stack.h"
#include "seqloom/scan.h"

namespace conv_bindings {

namespace nb = nanobind;
using namespace nb::literals;

// The convolution's arguments, in the order of seqloom.ops.native_conv, which has checked them.
inline seqloom::ConvSettings conv_settings_from(const Integers& n, double dropout) {
    expect(n.size(), 13, "whole numbers");
    seqloom::ConvSettings s{};
    s.activation = static_cast<int>(n[0]);
    s.final_activation = static_cast<int>(n[1]);
    s.dilation = n[2];
    seqloom::scan_key(static_cast<std::uint64_t>(n[3]), static_cast<std::uint64_t>(n[4]), static_cast<std::uint32_t>(n[5]), s.key);
    s.has_residual = n[6] != 0;
    s.save = n[7] != 0;
    s.B = n[8];
    s.T = n[9];
    s.I = n[10];
    s.O = n[11];
    s.K = n[12];
    s.dropout = dropout;
    return s;
}

inline seqloom::ConvArrays conv_arrays_from(const Integers& list) {
    expect(list.size(), 7, "addresses");
    seqloom::ConvArrays a{};
    Addresses next(list);
    next.to(a.x).to(a.weight).to(a.bias).to(a.residual).to(a.context).to(a.y).to(a.saved);
    return a;
}

inline void conv_forward(const Integers& whole, double dropout, const Integers& arrays, int threads) {
    const seqloom::ConvSettings settings = conv_settings_from(whole, dropout);
    const seqloom::ConvArrays found = conv_arrays_from(arrays);
    const nb::gil_scoped_release release;
    seqloom::conv_forward(settings, found, threads);
}

inline void conv_backward(const Integers& whole, double dropout, const Integers& arrays, const Integers& gradients, int threads) {
    const seqloom::ConvSettings settings = conv_settings_from(whole, dropout);
    const seqloom::ConvArrays found = conv_arrays_from(arrays);
    expect(gradients.size(), 6, "gradient addresses");
    seqloom::ConvGradients g{};
    Addresses(gradients).to(g.y).to(g.x).to(g.weight).to(g.bias).to(g.residual).to(g.context);
    const nb::gil_scoped_release release;
    seqloom::conv_backward(settings, found, g, threads);
}

// A stack's layers: settings of each, the outputs that they read and add, and addresses of weight, bias, y, saved, the
// gradients of weight and bias, and of weight norm g, |V| and the gradient of g.
inline std::vector<seqloom::ConvStackLayer> stack_layers(const std::vector<Integers>& whole, const Reals& dropouts, const std::vector<Integers>& wires,
                                                  const std::vector<Integers>& arrays) {
    expect(dropouts.size(), whole.size(), "dropouts");
    expect(wires.size(), whole.size(), "layers of wires");
    expect(arrays.size(), whole.size(), "layers of addresses");
    std::vector<seqloom::ConvStackLayer> out;
    for (std::size_t k = 0; k < whole.size(); ++k) {
        expect(wires[k].size(), 2, "wires");
        expect(arrays[k].size(), 9, "addresses");
        seqloom::ConvStackLayer one{};
        one.settings = conv_settings_from(whole[k], dropouts[k]);
        one.source = wires[k][0];
        one.residual = wires[k][1];
        Addresses(arrays[k]).to(one.weight).to(one.bias).to(one.y).to(one.saved).to(one.dweight).to(one.dbias).to(one.gain).to(one.norms).to(one.dgain);
        out.push_back(one);
    }
    return out;
}

inline void conv_stack_forward(const std::vector<Integers>& whole, const Reals& dropouts, const std::vector<Integers>& wires,
                        const std::vector<Integers>& arrays, std::uintptr_t x, int threads) {
    const std::vector<seqloom::ConvStackLayer> layers = stack_layers(whole, dropouts, wires, arrays);
    const nb::gil_scoped_release release;
    seqloom::conv_stack_forward(layers, reinterpret_cast<const float*>(x), threads);
}

inline void conv_stack_backward(const std::vector<Integers>& whole, const Reals& dropouts, const std::vector<Integers>& wires,
                         const std::vector<Integers>& arrays, std::uintptr_t x, std::uintptr_t dy, std::uintptr_t dx, int threads) {
    const std::vector<seqloom::ConvStackLayer> layers = stack_layers(whole, dropouts, wires, arrays);
    const nb::gil_scoped_release release;
    seqloom::conv_stack_backward(layers, reinterpret_cast<const float*>(x), reinterpret_cast<const float*>(dy), reinterpret_cast<float*>(dx), threads);
}

// Weight norm of (rows, length): addresses of V, g, then W and |V|, or |V|, dW, dV and dg. From seqloom.ops.weight_norm.
inline void weight_norm(const Integers& arrays, std::int64_t rows, std::int64_t length, int threads) {
    expect(arrays.size(), 4, "addresses");
    const float *v = nullptr, *gain = nullptr;
    float *w = nullptr, *norms = nullptr;
    Addresses(arrays).to(v).to(gain).to(w).to(norms);
    const nb::gil_scoped_release release;
    seqloom::weight_norm(v, gain, rows, length, w, norms, threads);
}

inline void weight_norm_backward(const Integers& arrays, std::int64_t rows, std::int64_t length, int threads) {
    expect(arrays.size(), 6, "addresses");
    const float *v = nullptr, *gain = nullptr, *norms = nullptr, *dw = nullptr;
    float *dv = nullptr, *dgain = nullptr;
    Addresses(arrays).to(v).to(gain).to(norms).to(dw).to(dv).to(dgain);
    const nb::gil_scoped_release release;
    seqloom::weight_norm_backward(v, gain, norms, dw, rows, length, dv, dgain, threads);
}

inline void define(nb::module_& m) {
    m.def("conv_saved_row", [](const Integers& whole, double dropout) { return seqloom::conv_saved_row(conv_settings_from(whole, dropout)); });
    m.def("conv_forward", &conv_forward, "whole"_a, "dropout"_a, "arrays"_a, "threads"_a);
    m.def("conv_backward", &conv_backward, "whole"_a, "dropout"_a, "arrays"_a, "gradients"_a, "threads"_a);
    m.def(
        "conv_stack_fits",
        [](const std::vector<Integers>& whole, const Reals& dropouts, const std::vector<Integers>& wires) {
            return seqloom::conv_stack_fits(stack_layers(whole, dropouts, wires, std::vector<Integers>(whole.size(), Integers(9, 0))));
        },
        "whole"_a, "dropouts"_a, "wires"_a);
    m.def("weight_norm", &weight_norm, "arrays"_a, "rows"_a, "length"_a, "threads"_a);
    m.def("weight_norm_backward", &weight_norm_backward, "arrays"_a, "rows"_a, "length"_a, "threads"_a);
    m.def("conv_stack_forward", &conv_stack_forward, "whole"_a, "dropouts"_a, "wires"_a, "arrays"_a, "x"_a, "threads"_a);
    m.def("conv_stack_backward", &conv_stack_backward, "whole"_a, "dropouts"_a, "wires"_a, "arrays"_a, "x"_a, "dy"_a, "dx"_a, "threads"_a);
}

}  // namespace conv_bindings
