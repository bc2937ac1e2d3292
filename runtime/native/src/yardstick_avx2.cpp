// The measuring loops built for avx2.
#define SEQLOOM_AVX2
#include "yardstick_kernels.h"
#include "kernels/yardstick.h"

namespace seqloom {
const YardstickKernels& avx2_yardstick() noexcept { return yardstick; }
}  // namespace seqloom
