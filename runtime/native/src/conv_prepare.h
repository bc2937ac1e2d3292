// A convolution made ready: what a call does once, and a stream once for all its steps.
#pragma once

#include <cstdint>

#include "conv_plan.h"
#include "seqloom/conv.h"

namespace seqloom {

// The kernels of the instruction set in use.
const ConvKernels& conv_kernels();

ConvPlan conv_plan(const ConvSettings& settings, const ConvArrays& arrays, const ConvKernels& kernels);

// Pack the weights and pad the bias (null: zeros) into `memory` of conv_weight_floats; the plan points into it.
std::int64_t conv_weight_floats(const ConvPlan& plan);
void conv_load_weights(ConvPlan& plan, const ConvKernels& kernels, const float* bias, float* memory, int threads);

// Whether the backward pass takes a sequence at a time, in strands of consecutive ones with sums of their own: strand s
// holds the sequences from s * B / strands on.
bool conv_by_sequences(const ConvPlan& plan);
constexpr std::int64_t conv_strands = 16;

// Weight norm: g / |V| of every channel into `memory` (O); the plan points into it.
void conv_scale(ConvPlan& plan, float* memory);

// The gradients of weights and bias from the strands' sums, `stride` floats apart, added in their order. dgain: under
// weight norm, whose V then has the gradient.
void conv_collect_weights(const ConvPlan& plan, const ConvKernels& kernels, float* out, float* dgain, const float* part, std::int64_t strands,
                          std::int64_t stride, int threads);
void conv_collect_bias(const ConvPlan& plan, float* out, const float* part, std::int64_t strands, std::int64_t stride);

}  // namespace seqloom
