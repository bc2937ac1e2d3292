// The recurrent scan: packed weights, tiles over threads, the order of sums. The arithmetic is in kernels/.
#include "seqloom/scan.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "planted.h"
#include "scan_few.h"
#include "scan_plan.h"
#include "scan_prepare.h"
#include "scan_sums.h"
#include "scan_weights.h"
#include "seqloom/threads.h"
#include "seqloom/workspace.h"

namespace seqloom {

using i64 = std::int64_t;

void scan_key(std::uint64_t seed, std::uint64_t call, std::uint32_t layer, std::uint32_t key[2]) noexcept {
    std::uint32_t c[4] = {static_cast<std::uint32_t>(call), static_cast<std::uint32_t>(call >> 32), layer, 0x5EC70017U};
    auto k0 = static_cast<std::uint32_t>(seed);
    auto k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c[0];
        const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c[2];
        const std::uint32_t next[4] = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
                                       static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
        std::copy_n(next, 4, c);
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    key[0] = c[0];
    key[1] = c[1];
}

std::int64_t scan_saved_row(const ScanSettings& settings) {
    return make_plan(settings, ScanArrays{}).saved_row;
}

PreparedScan prepare_forward(const ScanSettings& settings, const ScanArrays& arrays, const std::function<float*(i64)>& memory_of, int threads) {
    ScanPlan p = make_plan(settings, arrays);
    const Weights weights(arrays, p);
    Packing packing;
    pack_forward(p, weights, packing);
    const Vectors vectors(packing, p);
    const i64 bias = packing.take(p.blocks * p.Hp);
    const i64 bias_out = packing.take(p.has_out ? p.Sp : 0);
    float* memory = memory_of(packing.size());
    packing.run(memory, threads);
    vectors.fill(p, weights, memory);
    weights.biases(memory + bias);
    p.bias = memory + bias;
    if (p.has_out) {
        std::fill_n(memory + bias_out, p.Sp, 0.0F);
        if (arrays.bias_out != nullptr) std::copy_n(arrays.bias_out, p.S, memory + bias_out);
        p.bias_out = memory + bias_out;
    }
    return {p, &current_kernels()};
}

void scan_forward(const ScanSettings& settings, const ScanArrays& arrays, int threads) {
    ScanPlan plan = make_plan(settings, arrays);
    if (few_rows(plan)) return forward_few_rows(plan, arrays, threads);
    std::optional<Workspace> memory;
    const auto memory_of = [&memory](i64 floats) { return memory.emplace(floats).data(); };
    const PreparedScan prepared = prepare_forward(settings, arrays, memory_of, threads);
    const ScanPlan& p = prepared.plan;
    const ScanKernels& k = *prepared.kernels;
    const i64 scratch = k.forward_scratch(p);
    parallel_for(p.tiles, threads, [&](i64 tile) {
        const Workspace space(scratch);
        k.forward(p, tile, space.data());
    });
}

void scan_backward(const ScanSettings& settings, const ScanArrays& arrays, const ScanGradients& gradients, int threads) {
    ScanPlan p = make_plan(settings, arrays);
    p.dy = gradients.states;
    p.dh_last = gradients.h_last;
    p.dc_last = gradients.c_last;
    p.dx = p.I > 0 ? gradients.x : nullptr;
    p.dh0 = gradients.h0;
    p.dc0 = gradients.c0;
    const i64 gates = p.G * p.Hp;
    p.grad_row = p.layer_norm ? 2 * gates : p.blocks * p.Hp;
    p.grad_h = p.layer_norm ? gates : p.h_block * p.Hp;

    const Weights weights(arrays, p);
    Packing packing;
    pack_backward(p, weights, packing);
    const Vectors vectors(packing, p);
    // Strands: runs of tiles that share sums, a number that depends on the problem alone.
    const i64 strands = std::min<i64>(p.tiles, 32);
    const Sums one(p, !p.stored, nullptr);
    const Sums late(p, true, nullptr);
    const i64 at_sums = packing.take(strands * one.size);
    const i64 at_late = packing.take(p.stored ? late.size : 0);
    const Workspace memory(packing.size());
    const Workspace grads(p.stored ? p.T * p.B * p.grad_row : 0);
    const Workspace out_grads(p.stored && p.has_out ? p.T * p.B * p.Sp : 0);
    p.grads = grads.data();
    p.out_grads = out_grads.data();
    packing.run(memory.data(), threads);
    vectors.fill(p, weights, memory.data());

    const ScanKernels& k = current_kernels();
    const i64 scratch = k.backward_scratch(p);
    parallel_for(strands, threads, [&](i64 piece) {
        const i64 strand = strands - 1 - piece;
        float* at = memory.data() + at_sums + strand * one.size;
        std::fill_n(at, one.size, 0.0F);
        const Sums sums(p, !p.stored, at);
        const Workspace space(scratch);
        for (i64 tile = strand; tile < p.tiles; tile += strands) k.backward(p, tile, sums.grads, space.data());
    });
    const Sums first(p, !p.stored, memory.data() + at_sums);
    if (p.stored) {
        std::fill_n(memory.data() + at_late, late.size, 0.0F);
        const Sums matrices(p, true, memory.data() + at_late);
        late_gradients(p, matrices.grads, threads);
        collect_all(p, weights, gradients, first, strands, 1, 0, matrices, threads);
    } else {
        const i64 kept = strands - (planted(Mistake::last_strand_lost) && strands > 1 ? 1 : 0);
        collect_all(p, weights, gradients, first, strands, kept, first.size, first, threads);
    }
}

}  // namespace seqloom
