// The gradients of wide convolutions by pairs of rows: when it pays, and the order of its sums. See kernels/conv_winograd.h.
#pragma once

#include "conv_plan.h"

namespace seqloom {

// Sets the plan's pairs and groups of taps where products by pairs are fewer; as the sizes decide, and they alone.
void conv_pair_up(ConvPlan& plan);

// Whether the weights' gradient too goes by them.
bool conv_weight_by_pairs(const ConvPlan& plan);

// Gradient of x from da (B, T, Op).
void conv_pairs_input(const ConvPlan& plan, const ConvKernels& kernels, const float* da, int threads);

// Gradient of the weights, (tap, channel, Op), from da.
void conv_pairs_weight(const ConvPlan& plan, const ConvKernels& kernels, const float* da, float* dw, int threads);

}  // namespace seqloom
