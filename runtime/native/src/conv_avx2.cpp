// The convolution's kernels built for avx2.
#define SEQLOOM_AVX2
#include "kernels/conv_passes.h"

namespace seqloom {
const ConvKernels& avx2_conv_kernels() noexcept { return conv_table; }
}  // namespace seqloom
