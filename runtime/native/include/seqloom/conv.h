// Dilated causal convolution over (B, T, C) with what follows it, forward and backward, float32, plain arrays of C order.
//
// y = psi(D(phi(a)) + residual), a[b, t, :] = bias + sum over k of x[b, t - (K - 1 - k) * dilation, :] . W[:, :, k]^T.
// B batch, T time, I channels in, O channels out, K taps; the weight lies as torch's Conv1d has it, (O, I, K). Rows
// before x are those of the context (B, (K - 1) * dilation, I), zero without one.
#pragma once

#include <cstdint>

namespace seqloom {

struct ConvSettings {
    int activation, final_activation;  // phi and psi: Activation
    bool has_residual;
    bool save;             // forward: keep what the backward pass needs
    double dropout;        // 0: none is drawn
    std::uint32_t key[2];  // of its random numbers
    std::int64_t B, T, I, O, K, dilation;
};

struct ConvArrays {
    const float *x, *weight, *bias, *residual, *context;  // the last three may be null
    float* y;                                             // (B, T, O)
    float* saved;                                         // B * T * conv_saved_row numbers
    // Weight norm: g (O), and `weight` is V; null where the weights are plain. norms (O) is |V|: written by the forward pass
    // unless null, read by the backward pass.
    const float* gain = nullptr;
    float* norms = nullptr;
};

struct ConvGradients {
    const float* y;                                        // of the result
    float *x, *weight, *bias, *residual, *context;  // null where not wanted
    bool add_x = false, add_residual = false;       // to what is there
    float* gain = nullptr;                          // under weight norm wanted with that of the weight (V)
};

// Floats that the forward pass saves for every row and step.
std::int64_t conv_saved_row(const ConvSettings& settings);

// B and T at least 1. The results have the same bits for any number of threads.
void conv_forward(const ConvSettings& settings, const ConvArrays& arrays, int threads);
void conv_backward(const ConvSettings& settings, const ConvArrays& arrays, const ConvGradients& gradients, int threads);

// Weight norm alone: W = g V / |V| of `rows` rows, and |V|; from dW the gradients of V and g. The same bits as inside a call.
void weight_norm(const float* v, const float* gain, std::int64_t rows, std::int64_t length, float* w, float* norms, int threads);
void weight_norm_backward(const float* v, const float* gain, const float* norms, const float* dw, std::int64_t rows, std::int64_t length, float* dv,
                          float* dgain, int threads);

}  // namespace seqloom
