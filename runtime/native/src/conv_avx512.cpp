// The convolution's kernels built for avx512.
#define SEQLOOM_AVX512
#include "kernels/conv_passes.h"

namespace seqloom {
const ConvKernels& avx512_conv_kernels() noexcept { return conv_table; }
}  // namespace seqloom
