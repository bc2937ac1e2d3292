// The scan kernels built for portable.
#define SEQLOOM_PORTABLE
#include "kernels/table.h"

namespace seqloom {
const ScanKernels& portable_kernels() noexcept { return table; }
}  // namespace seqloom
