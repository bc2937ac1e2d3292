// The forward pass of a few rows without a gradient (scan_few.cpp, kernels/few_rows.h): tiles of rows would leave all
// threads but one idle, and packing weights costs as much as many steps.
#pragma once

#include <cstdint>

#include "scan_plan.h"
#include "seqloom/scan.h"

namespace seqloom {

// Whether a call goes this way: few rows, nothing saved, and a cell without normalisation, masks or draws.
bool few_rows(const ScanPlan& plan) noexcept;

void forward_few_rows(ScanPlan& plan, const ScanArrays& arrays, int threads);

}  // namespace seqloom
