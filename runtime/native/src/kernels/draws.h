// The random draws of a step for the rows of a tile: zoneout and candidate dropout.
#pragma once

#include "common.h"
#include "random.h"

namespace seqloom {
namespace {

// The draws of one step for the rows of a tile; null where the option is off or its mean is used.
struct StepDraws {
    float* hidden = nullptr;     // (rows, Sp): 1 where a unit of h keeps its old value
    float* cell = nullptr;       // (rows, Hp)
    float* candidate = nullptr;  // (rows, Hp): 0 or 1 / (1 - p)

    void carve(Carver& carver, const ScanPlan& p) {
        if (p.zoneout.drawn) hidden = carver.take(p.tile * p.Sp);
        if (p.zoneout_cell.drawn) cell = carver.take(p.tile * p.Hp);
        if (p.candidate.drawn) candidate = carver.take(p.tile * p.Hp);
    }
    void draw(const ScanPlan& p, i64 first, i64 rows, i64 t) const {
        if (planted(Mistake::draws_by_row_of_tile)) first = 0;
        if (hidden != nullptr) draw_rows(p.key, p.zoneout.threshold, stream_hidden, first, rows, t, p.Sp, 1.0F, 0.0F, hidden);
        if (cell != nullptr) draw_rows(p.key, p.zoneout_cell.threshold, stream_cell, first, rows, t, p.Hp, 1.0F, 0.0F, cell);
        if (candidate != nullptr) {
            const float kept = planted(Mistake::dropout_not_scaled) ? 1.0F : 1.0F / (1.0F - p.candidate.probability);
            draw_rows(p.key, p.candidate.threshold, stream_candidate, first, rows, t, p.Hp, 0.0F, kept, candidate);
        }
    }
};

// ζ for unit j of a row: drawn, or the mean.
inline vf zeta(const Draw& draw, const float* drawn, i64 j) { return drawn == nullptr ? set1(draw.probability) : load(drawn + j); }

}  // namespace
}  // namespace seqloom
