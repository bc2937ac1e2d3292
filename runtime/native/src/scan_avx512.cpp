// The scan kernels built for avx512.
#define SEQLOOM_AVX512
#include "kernels/table.h"

namespace seqloom {
const ScanKernels& avx512_kernels() noexcept { return table; }
}  // namespace seqloom
