#include "scan_weights.h"

#include "seqloom/threads.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;

void take_off_mean(const float* from, i64 rows, i64 width, float* to) {
    for (i64 row = 0; row < rows; ++row, from += width, to += width) {
        double mean = 0;
        for (i64 j = 0; j < width; ++j) mean += static_cast<double>(from[j]);
        mean /= static_cast<double>(width);
        for (i64 j = 0; j < width; ++j) to[j] = static_cast<float>(static_cast<double>(from[j]) - mean);
    }
}

void pack_apart(ScanPlan& p, const Weights& w, Packing& packing) {
    packing.matrix(p.w_x, w.gates({w.x_rows()}, w.blocks.of_x, p.G), p.G * p.Hp);
    packing.matrix(p.w_h, w.gates({w.h_rows()}, w.blocks.of_h, p.G), p.G * p.Hp);
}

}  // namespace

Weights::Weights(const ScanArrays& arrays, const ScanPlan& plan) : a(arrays), p(plan), blocks(plan), width(plan.G * plan.H) {
    if (!p.layer_norm) return;
    centred.emplace((p.I + p.S) * width);
    take_off_mean(a.w_x, p.I, width, centred->data());
    take_off_mean(a.w_h, p.S, width, centred->data() + p.I * width);
}

void Packing::run(float* memory, int threads) {
    const ScanKernels& k = current_kernels();
    std::vector<std::pair<std::size_t, i64>> pieces;
    i64 work = 0;
    for (std::size_t job = 0; job < jobs_.size(); ++job) {
        PackedMatrix& to = *jobs_[job].to;
        to.data = memory + jobs_[job].at;
        work += to.depth * to.columns;
        for (i64 panel = 0; panel < k.panels(to.columns); ++panel) pieces.emplace_back(job, panel);
    }
    parallel_for(static_cast<i64>(pieces.size()), work < (i64{1} << 16) ? 1 : threads, [&](i64 piece) {
        const auto [job, panel] = pieces[static_cast<std::size_t>(piece)];
        k.pack(jobs_[job].from, *jobs_[job].to, memory + jobs_[job].at, panel);
    });
}
void pack_forward(ScanPlan& p, const Weights& w, Packing& packing) {
    const i64* x = w.blocks.of_x;
    const i64 gates = p.G * p.Hp;
    if (p.layer_norm) {
        pack_apart(p, w, packing);
    } else if (p.kind != CellKind::gru) {
        packing.matrix(p.w_all, w.gates({w.x_rows(), w.h_rows()}, x, p.G), gates);
    } else {
        packing.matrix(p.w_n, w.gates({w.x_rows()}, x, 1), p.Hp);
        packing.matrix(p.w_rz, w.gates({w.x_rows(), w.h_rows()}, x + 1, 2), 2 * p.Hp);
        packing.matrix(p.w_u, w.gates({w.h_rows()}, x, 1), p.Hp);
    }
    if (p.has_out) packing.matrix(p.w_out, w.out(), p.Sp);
}

void pack_backward(ScanPlan& p, const Weights& w, Packing& packing) {
    if (p.layer_norm) pack_apart(p, w, packing);
    const i64 from_state = p.reset_after ? p.G : 2;
    packing.matrix(p.v_h, w.back(w.a.w_h, w.blocks.of_h, from_state, p.S, p.Sp), p.Sp);
    if (!p.reset_after) packing.matrix(p.v_n, w.back(w.a.w_h, w.blocks.of_x, 1, p.S, p.Sp), p.Sp);
    if (p.dx != nullptr && p.I > 0) packing.matrix(p.v_x, w.back(w.a.w_x, w.blocks.of_x, p.G, p.I, up(p.I, 16)), up(p.I, 16));
    if (p.has_out) packing.matrix(p.v_out, w.out_back(), p.Hp);
}

}  // namespace seqloom
