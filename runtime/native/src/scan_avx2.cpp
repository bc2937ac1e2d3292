// The scan kernels built for avx2.
#define SEQLOOM_AVX2
#include "kernels/table.h"

namespace seqloom {
const ScanKernels& avx2_kernels() noexcept { return table; }
}  // namespace seqloom
