#include "scan_sums.h"

#include <algorithm>
#include <vector>

#include "seqloom/threads.h"
#include "seqloom/workspace.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;

// out[row * ld + start + j] = the sum over strands, in order, of part[strand][row * width + j]
void collect(float* out, i64 rows, i64 ld, i64 start, i64 count, const float* part, i64 width, i64 strands, i64 stride) {
    for (i64 row = 0; row < rows; ++row) {
        float* to = out + row * ld + start;
        const float* from = part + row * width;
        std::copy_n(from, count, to);
        for (i64 strand = 1; strand < strands; ++strand) {
            const float* more = from + strand * stride;
            for (i64 j = 0; j < count; ++j) to[j] += more[j];
        }
    }
}

}  // namespace

void collect_all(const ScanPlan& p, const Weights& w, const ScanGradients& g, const Sums& first, i64 strands, i64 matrix_strands,
                 i64 matrix_stride, const Sums& matrices, int threads) {
    const WeightGrads& s = first.grads;
    const i64 stride = first.size;
    const i64 gates = p.G * p.Hp;
    for (i64 block = 0; block < p.G; ++block) {
        const i64 of_x = w.blocks.of_x[block] * p.H;
        const i64 of_h = w.blocks.of_h[block] * p.H;
        const i64 place = (block + p.h_block) % p.blocks;
        if (g.bias != nullptr) collect(g.bias, 1, 0, of_x, p.H, s.blocks + block * p.Hp, 0, strands, stride);
        if (g.bias_h != nullptr) collect(g.bias_h, 1, 0, of_h, p.H, s.blocks + place * p.Hp, 0, strands, stride);
        if (g.gain_x != nullptr) collect(g.gain_x, 1, 0, of_x, p.H, s.gain_x + block * p.Hp, 0, strands, stride);
        if (g.gain_h != nullptr) collect(g.gain_h, 1, 0, of_h, p.H, s.gain_h + block * p.Hp, 0, strands, stride);
    }
    if (g.gain_c != nullptr) collect(g.gain_c, 1, 0, 0, p.H, s.gain_c, 0, strands, stride);
    if (g.peephole != nullptr) {
        const i64 rows = p.coupled ? 2 : 3;
        collect(g.peephole, rows, p.H, 0, p.H, s.peephole + (p.coupled ? p.Hp : 0), p.Hp, strands, stride);
    }
    if (g.bias_out != nullptr) collect(g.bias_out, 1, 0, 0, p.S, s.bias_out, 0, strands, stride);
    if (g.w_out != nullptr) collect(g.w_out, p.H, p.S, 0, p.S, matrices.grads.w_out, p.Sp, matrix_strands, matrix_stride);
    const i64 rows_x = g.w_x == nullptr ? 0 : p.I;
    const i64 rows_h = g.w_h == nullptr ? 0 : p.S;
    const i64 per_piece = std::max<i64>(1, (i64{1} << 15) / gates);
    const i64 pieces = (rows_x + rows_h + per_piece - 1) / per_piece;
    parallel_for(pieces, threads, [&](i64 piece) {
        for (i64 row = piece * per_piece; row < std::min(rows_x + rows_h, (piece + 1) * per_piece); ++row)
            for (i64 block = 0; block < p.G; ++block) {
                const bool in_x = row < rows_x;
                const i64 at = in_x ? row : row - rows_x;
                collect((in_x ? g.w_x : g.w_h) + at * w.width, 1, 0, (in_x ? w.blocks.of_x : w.blocks.of_h)[block] * p.H, p.H,
                        (in_x ? matrices.grads.w_x : matrices.grads.w_h) + at * gates + block * p.Hp, 0, matrix_strands, matrix_stride);
            }
    });
}

void late_gradients(const ScanPlan& p, const WeightGrads& to, int threads) {
    const ScanKernels& k = current_kernels();
    const i64 gates = p.G * p.Hp;
    std::vector<LatePiece> pieces;
    auto cut = [&](LateMatrix which, i64 rows, i64 columns, float* out, i64 ld) {
        for (i64 row = 0; row < rows; row += 256)
            for (i64 column = 0; column < columns; column += 192)
                pieces.push_back({which, row, std::min<i64>(256, rows - row), column, std::min<i64>(192, columns - column), out + row * ld + column, ld});
    };
    cut(LateMatrix::x, p.I, gates, to.w_x, gates);
    cut(LateMatrix::h, p.S, p.reset_after ? gates : 2 * p.Hp, to.w_h, gates);
    if (!p.reset_after) cut(LateMatrix::reset, p.S, p.Hp, to.w_h + 2 * p.Hp, gates);
    if (p.has_out) cut(LateMatrix::out, p.H, p.Sp, to.w_out, p.Sp);
    parallel_for(static_cast<i64>(pieces.size()), threads, [&](i64 piece) {
        const LatePiece& one = pieces[static_cast<std::size_t>(piece)];
        const Workspace scratch(k.late_scratch(one));
        k.late_gradient(p, one, scratch.data());
    });
}

}  // namespace seqloom
