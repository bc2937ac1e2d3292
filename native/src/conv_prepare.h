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

}  // namespace seqloom
