#include "conv_winograd.h"

#include <algorithm>

#include "planted.h"
#include "seqloom/threads.h"
#include "seqloom/workspace.h"
#include "whole_numbers.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;

constexpr i64 group_taps = 3;
constexpr i64 group_products = 4;
constexpr i64 least_channels = 48;  // with fewer, the sums of rows take longer than the products they save
constexpr i64 least_pairs = 48;     // with fewer, a fourth matrix of sums takes longer than the rows it saves

}  // namespace

void conv_pair_up(ConvPlan& p) {
    const i64 d = p.dilation;
    const i64 groups = p.taps / group_taps;
    const i64 pairs = p.T / (2 * d) * d + std::min(p.T % (2 * d), d);
    i64 products = 0;  // of rows and taps of the groups
    for (i64 k = 0; k < groups * group_taps; ++k) products += std::max<i64>(0, p.T - (p.taps - 1 - k) * d);
    if (groups == 0 || std::min(p.I, p.O) < least_channels) return;
    if (group_products * groups * pairs * 8 > products * 7) return;  // an eighth less pays for the sums of rows
    p.pairs = pairs;
    p.pair_groups = groups;
}

bool conv_weight_by_pairs(const ConvPlan& p) { return p.B * p.pairs >= least_pairs; }

void conv_pairs_input(const ConvPlan& p, const ConvKernels& k, const float* da, int threads) {
    const i64 all = p.B * p.pairs;
    const i64 groups = p.pair_groups * group_products * p.O * p.Ip;
    const i64 rest = p.taps % group_taps;
    ConvPlan newest = p;  // the taps beside the groups
    newest.first_tap = p.K - rest;
    newest.taps = rest;
    Workspace packed(groups + rest * p.O * p.Ip);
    parallel_for(k.panels(p.Ip), threads, [&](i64 panel) {
        k.pairs_pack(p, packed.data(), panel);
        if (rest > 0) k.pack_back(newest, packed.data() + groups, panel);
    });
    // Every row's sums are its own, so that the cut may go by the threads.
    const i64 rows = up(parts(all, up(parts(all, 128), threads)), 4);
    parallel_for(parts(all, rows), threads, [&](i64 piece) {
        Workspace scratch(k.pairs_scratch(p));
        k.pairs_input(p, packed.data(), piece * rows, std::min(all, (piece + 1) * rows), da, scratch.data());
    });
}

void conv_pairs_weight(const ConvPlan& p, const ConvKernels& k, const float* da, float* dw, int threads) {
    const i64 rest = p.taps % group_taps;
    const i64 matrices = p.pair_groups * group_products;
    const i64 size = p.I * p.Op;
    Workspace last(p.pair_groups * size);  // the groups' fourth products; the others lie where their taps will
    const i64 wanted = std::max<i64>(1, parts(std::max<i64>(8, threads), matrices + rest));
    const i64 channels = std::max<i64>(std::min<i64>(8, p.I), std::min<i64>(320, up(parts(p.I, wanted), 8)));
    const i64 per_tap = parts(p.I, channels);
    const i64 rows = planted(Mistake::conv_last_strand_lost) ? p.B - 1 : p.B;
    parallel_for((matrices + rest) * per_tap, threads, [&](i64 piece) {
        const i64 matrix = piece / per_tap;
        const i64 i0 = piece % per_tap * channels;
        const i64 i1 = std::min(p.I, i0 + channels);
        if (matrix >= matrices) {
            const i64 tap = p.taps - rest + matrix - matrices;
            std::fill_n(dw + tap * size + i0 * p.Op, (i1 - i0) * p.Op, 0.0F);
            Workspace scratch(k.scratch(p));
            for (i64 b = 0; b < rows; ++b) k.back_weight(p, b, 0, p.T, tap, tap + 1, i0, i1, da + b * p.T * p.Op, dw, scratch.data());
            return;
        }
        const i64 group = matrix / group_products;
        const i64 which = matrix % group_products;
        float* out = which < group_taps ? dw + (group * group_taps + which) * size : last.data() + group * size;
        std::fill_n(out + i0 * p.Op, (i1 - i0) * p.Op, 0.0F);
        Workspace scratch(k.pairs_scratch(p));
        k.pairs_weight(p, group, static_cast<int>(which), i0, i1, da, out, scratch.data());
    });
    const i64 per_group = parts(p.I, 32);
    parallel_for(p.pair_groups * per_group, threads, [&](i64 piece) {
        const i64 group = piece / per_group;
        const i64 first = piece % per_group * 32 * p.Op;
        float* taps[group_taps];
        for (i64 tap = 0; tap < group_taps; ++tap) taps[tap] = dw + (group * group_taps + tap) * size + first;
        k.pairs_taps(taps, last.data() + group * size + first, std::min(32 * p.Op, size - first));
    });
}

}  // namespace seqloom
