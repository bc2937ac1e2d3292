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
};

struct ConvGradients {
    const float* y;                                        // of the result
    float *x, *weight, *bias, *residual, *context;  // null where not wanted
    bool add_x = false, add_residual = false;       // to what is there
};

// Floats that the forward pass saves for every row and step.
std::int64_t conv_saved_row(const ConvSettings& settings);

// B and T at least 1. The results have the same bits for any number of threads.
void conv_forward(const ConvSettings& settings, const ConvArrays& arrays, int threads);
void conv_backward(const ConvSettings& settings, const ConvArrays& arrays, const ConvGradients& gradients, int threads);

}  // namespace seqloom
