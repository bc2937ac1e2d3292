// The measuring loops built for avx512.
#define SEQLOOM_AVX512
#include "yardstick_kernels.h"
#include "kernels/yardstick.h"

namespace seqloom {
const YardstickKernels& avx512_yardstick() noexcept { return yardstick; }
}  // namespace seqloom
