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
        for (i64 r = 0; r < rows; ++r) {
            if (hidden != nullptr) draw_events(p.key, p.zoneout.threshold, stream_hidden, first + r, t, p.Sp, 1.0F, 0.0F, hidden + r * p.Sp);
            if (cell != nullptr) draw_events(p.key, p.zoneout_cell.threshold, stream_cell, first + r, t, p.Hp, 1.0F, 0.0F, cell + r * p.Hp);
            if (candidate != nullptr)
                draw_events(p.key, p.candidate.threshold, stream_candidate, first + r, t, p.Hp, 0.0F,
                            planted(Mistake::dropout_not_scaled) ? 1.0F : 1.0F / (1.0F - p.candidate.probability), candidate + r * p.Hp);
        }
    }
};

// ζ for unit j of a row: drawn, or the mean.
inline vf zeta(const Draw& draw, const float* drawn, i64 j) { return drawn == nullptr ? set1(draw.probability) : load(drawn + j); }

}  // namespace
}  // namespace seqloom
