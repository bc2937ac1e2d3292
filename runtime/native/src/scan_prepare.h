// A forward pass made ready once: what scan_forward does for every call, kept by a stream for all its steps.
#pragma once

#include <cstdint>
#include <functional>

#include "scan_plan.h"
#include "seqloom/scan.h"

namespace seqloom {

struct PreparedScan {
    ScanPlan plan;
    const ScanKernels* kernels;  // those that the weights are packed for
};

// The plan of a call with its weights packed. `memory` gives the floats that it asks for, once; the plan points into them.
PreparedScan prepare_forward(const ScanSettings& settings, const ScanArrays& arrays, const std::function<float*(std::int64_t)>& memory,
                             int threads);

}  // namespace seqloom
