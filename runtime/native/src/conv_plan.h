// What one call of the causal convolution needs, as plain data shared by the planner (conv.cpp) and the kernels.
//
// Symbols as in seqloom/conv.h. Ip and Op are I and O rounded up to whole vectors. Only taps that reach a row are run:
// without a context those from `first_tap` on. A tap's shift is how many rows back it looks.
#pragma once

#include <cstdint>

#include "scan_plan.h"

namespace seqloom {

// What the backward pass is told of phi and the dropout: phi'(a) * D for every number of the output.
enum class Slopes : int {
    none,   // 1 everywhere
    value,  // from y: phi'(y) with nothing between phi and y; of relu with dropout y is above zero where it let pass
    bits,   // one bit each: 0, or 1 / (1 - p)
    floats  // one number each
};

struct ConvPlan {
    Activation activation, final_activation;
    Slopes slopes;
    bool save;
    bool drawn;               // dropout
    float keep_scale;         // 1 / (1 - p)
    std::uint32_t threshold;  // of its events
    std::uint32_t key[2];

    std::int64_t B, T, I, O, K, dilation;
    std::int64_t Ip, Op;
    std::int64_t first_tap, taps;  // those that are run: first_tap ... K - 1
    std::int64_t span;             // rows that they look back: (taps - 1) * dilation
    std::int64_t saved_row;
    std::int64_t pairs, pair_groups;  // of a sequence, and groups of three taps, where the gradients go by pairs; else 0

    const float *x, *weight, *residual, *context;
    const float* bias;  // (Op), padded with zeros
    const float* gain;  // (O), the g of weight norm, whose V is `weight`; null where the weights are plain
    float* norms;       // (O), |V|, which the forward pass writes where it isn't null
    float* scale;       // (O), g / |V|
    float *y, *saved;
    std::int64_t x_row, y_row, residual_row;  // floats from one batch row to the next; 0 where each is written over the last

    const float* packed;       // forward: in panels of columns out, for each tap, for each channel in
    const float* packed_back;  // backward: in panels of columns in, for each tap, for each channel out

    const float* dy;
    float *dx, *dresidual, *dcontext;
    std::int64_t dy_row, dx_row, dresidual_row;
    bool add_dx, add_dresidual;  // to what is there
};

// One layer's step of a stream: rows of the batch, the input of every tap in a ring of slots (batch, I).
struct ConvStep {
    const ConvPlan* plan;
    const float* ring;
    std::int64_t slots, newest;  // span + 1, and where the present lies
    std::int64_t batch;
    const float* residual;  // (batch, O) or null
    float* y;               // (batch, O)
};

// The kernels of one instruction set. Pieces of batch row b cover its steps [t0, t1). da is the gradient of a, (rows, Op)
// with zeros between O and Op; `da` points to step 0 of the batch row.
struct ConvKernels {
    std::int64_t width;  // lanes of a vector
    std::int64_t (*panels)(std::int64_t columns);
    // Pack one panel of the weights into its place in `out`.
    void (*pack)(const ConvPlan&, float* out, std::int64_t panel);
    void (*pack_back)(const ConvPlan&, float* out, std::int64_t panel);
    // The gradient of channels out [o0, o1), o0 a multiple of `width`, from the strands' sums; dgain under weight norm alone.
    void (*collect)(const ConvPlan&, const float* part, std::int64_t strands, std::int64_t stride, std::int64_t o0, std::int64_t o1, float* out,
                    float* dgain);
    // Weight norm of plain rows: |V|, W, and from dW the gradients of V and g.
    void (*norms)(const float* v, std::int64_t rows, std::int64_t length, float* norms);
    void (*normed)(const float* v, const float* gain, const float* norms, std::int64_t rows, std::int64_t length, float* w);
    void (*normed_back)(const float* v, const float* gain, const float* norms, const float* dw, std::int64_t rows, std::int64_t length, float* dv,
                        float* dgain);

    std::int64_t (*scratch)(const ConvPlan&);  // floats, for any of the functions below
    void (*forward)(const ConvPlan&, std::int64_t b, std::int64_t t0, std::int64_t t1, float* scratch);
    // da from dy, the gradient of the residual, and the bias's sums added to db (Op).
    void (*back_slopes)(const ConvPlan&, std::int64_t b, std::int64_t t0, std::int64_t t1, float* da, float* db);
    // Gradient of rows [t0, t1) of x; rows below 0 are the context's.
    void (*back_input)(const ConvPlan&, std::int64_t b, std::int64_t t0, std::int64_t t1, const float* da, float* scratch);
    // Add to dw, (tap, channel, Op), channels [i0, i1) of taps [k0, k1) alone.
    void (*back_weight)(const ConvPlan&, std::int64_t b, std::int64_t t0, std::int64_t t1, std::int64_t k0, std::int64_t k1, std::int64_t i0,
                        std::int64_t i1, const float* da, float* dw, float* scratch);
    void (*step)(const ConvStep&, float* scratch);

    // The same gradients by pairs of rows (kernels/conv_winograd.h), counted over all sequences; da is that of all.
    std::int64_t (*pairs_scratch)(const ConvPlan&);
    void (*pairs_pack)(const ConvPlan&, float* out, std::int64_t panel);
    void (*pairs_input)(const ConvPlan&, const float* packed, std::int64_t q0, std::int64_t q1, const float* da, float* scratch);
    // Add product `which` of a group of taps over all pairs to out (channel, Op), channels [i0, i1) alone.
    void (*pairs_weight)(const ConvPlan&, std::int64_t group, int which, std::int64_t i0, std::int64_t i1, const float* da, float* out,
                         float* scratch);
    // A group's products into its three taps, n numbers: the first three where the taps belong, `last` apart.
    void (*pairs_taps)(float* const* taps, const float* last, std::int64_t n);
};

const ConvKernels& portable_conv_kernels() noexcept;
const ConvKernels& avx2_conv_kernels() noexcept;
const ConvKernels& avx512_conv_kernels() noexcept;

}  // namespace seqloom
