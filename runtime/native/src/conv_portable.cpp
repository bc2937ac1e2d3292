// The convolution's kernels built for portable.
#define SEQLOOM_PORTABLE
#include "kernels/conv_passes.h"

namespace seqloom {
const ConvKernels& portable_conv_kernels() noexcept { return conv_table; }
}  // namespace seqloom
