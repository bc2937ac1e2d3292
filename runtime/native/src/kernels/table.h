// The kernels of the instruction set that this file is compiled for, as a table.
#pragma once

#include "backward.h"
#include "few_rows.h"
#include "forward.h"

namespace seqloom {
namespace {

inline i64 forward_scratch_size(const ScanPlan& p) { return ForwardScratch(p, Carver(nullptr)).size; }
inline i64 backward_scratch_size(const ScanPlan& p) { return BackwardScratch(p, Carver(nullptr)).size; }
inline i64 panel_count(i64 columns) { return Panels(columns).count; }

constexpr ScanKernels table{W,        panel_count,   pack,         forward_scratch_size, backward_scratch_size, forward_tile,
                            backward_tile, late_scratch, late_gradient,         few_start,             few_finish,
                            few_inputs,    few_steps};

}  // namespace
}  // namespace seqloom
