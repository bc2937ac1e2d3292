// A stack of causal convolutions on whole sequences in one call: a sequence at a time through all its layers, so that what
// passes between them stays in a core's own cache, or layer by layer. The numbers are those of single layers, bit for bit.
#pragma once

#include <cstdint>
#include <vector>

#include "seqloom/conv.h"

namespace seqloom {

// One layer. Outputs are numbered: 0 is the stack's input, j the j-th layer's output. No layer has a context.
struct ConvStackLayer {
    ConvSettings settings;
    const float* weight;
    const float* bias;      // or null
    std::int64_t source;    // the output that it reads
    std::int64_t residual;  // the output that it adds, or -1
    float* y;               // (B, T, O); null without save for all but the last
    float* saved;           // as conv_forward's
    float *dweight, *dbias;  // backward: null where not wanted
    const float* gain;       // weight norm, as in ConvArrays; or null
    float *norms, *dgain;
};

// Whether a sequence at a time runs through all layers: there are enough to share, each of which a core's cache holds.
bool conv_stack_fits(const std::vector<ConvStackLayer>& layers);

// x (B, T, inputs) to the last layer's y.
void conv_stack_forward(const std::vector<ConvStackLayer>& layers, const float* x, int threads);
// dy, the gradient of the last layer's y; dx is null where not wanted.
void conv_stack_backward(const std::vector<ConvStackLayer>& layers, const float* x, const float* dy, float* dx, int threads);

}  // namespace seqloom
