// A few rows, all steps: a thread takes some units, reads the whole state of the step before and writes its part of the next
// one. Sums run as in the tiles of scan.cpp (bias, inputs, state, in order for every unit), so the bits are the same.
#include "scan_few.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "scan_weights.h"
#include "seqloom/threads.h"
#include "seqloom/workspace.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;

constexpr i64 most_rows = 8;
constexpr i64 gate_memory = 16 << 10;  // floats of gates made at once: beside the weights, they shall stay in the second cache
constexpr int most_members = 32;
constexpr i64 worth_a_thread = 24 << 10;  // products of a step: two threads where a core's second cache has little room beside the weights
constexpr i64 worth_waking = 3 << 20;     // products of a call

// Threads that go through the steps side by side. Units are cut into pieces; at each step a thread takes its own ones first, whose
// weights its core may still hold, then whatever nobody has begun. So nobody waits for a thread that has not woken, was never
// given, or lost its core to another process, unless in the midst of a piece.
class Team {
  public:
    Team(const ScanPlan& plan, const FewRows& rows) : p_(plan), f_(rows), k_(current_kernels()), pieces_(rows.members > 1 ? 2 * rows.members : 1) {}

    void take_part() {
        const int own = joined_.fetch_add(1, std::memory_order_relaxed);
        // Everything before this step is done, so that what it reads is there.
        for (i64 step = done_.load(std::memory_order_acquire) / pieces_; step < p_.T; ++step) {
            for (int i = 0; i < pieces_; ++i) {
                const int turn = static_cast<int>(step & 1) ^ i;  // every other step backwards: see few_columns
                const int piece = (2 * own + turn) % pieces_;
                i64 expected = step;
                if (!begun_[piece].steps.compare_exchange_strong(expected, step + 1, std::memory_order_acq_rel)) continue;
                run(piece, step);
                done_.fetch_add(1, std::memory_order_acq_rel);
            }
            for (int spin = 0; done_.load(std::memory_order_acquire) < (step + 1) * pieces_; ++spin) pause(spin);
        }
    }

    // All steps on this thread.
    void alone() const {
        const UnitRange all{0, p_.Hp};
        for (i64 low = 0; low < p_.T; low += f_.chunk) {
            const i64 high = std::min(p_.T, low + f_.chunk);
            k_.few_inputs(p_, f_, low, high, all);
            k_.few_steps(p_, f_, low, low, high, all);
        }
    }

  private:
    struct alignas(128) Counter {
        std::atomic<i64> steps{0};
    };

    static void pause(int spin) noexcept {
        if (spin >= 2000) return std::this_thread::yield();
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }

    void run(int piece, i64 step) const {
        const i64 lines = p_.Hp / 16;  // whole cache lines
        const UnitRange units{lines * piece / pieces_ * 16, lines * (piece + 1) / pieces_ * 16};
        const i64 low = step / f_.chunk * f_.chunk;
        if (step == low) k_.few_inputs(p_, f_, low, std::min(p_.T, low + f_.chunk), units);
        k_.few_steps(p_, f_, low, step, step + 1, units);
    }

    const ScanPlan& p_;
    const FewRows& f_;
    const ScanKernels& k_;
    const int pieces_;
    std::atomic<int> joined_{0};
    Counter begun_[2 * most_members];
    alignas(128) std::atomic<i64> done_{0};
};

// Threads worth having: each with products enough in a step to be longer about them than about waiting for the others.
int members_for(const ScanPlan& p, int threads) noexcept {
    const i64 products = p.B * p.S * p.G * p.Hp;
    if (products * p.T < worth_waking) return 1;
    return static_cast<int>(std::clamp<i64>(std::min(products / worth_a_thread, p.Hp / 32), 1, std::min(threads, most_members)));
}

}  // namespace

bool few_rows(const ScanPlan& p) noexcept {
    const bool plain = !p.layer_norm && !p.has_out && !p.peephole && !p.zoneout.on && !p.zoneout_cell.on && !p.candidate.on;
    return p.by_units && plain && !p.save && p.B <= most_rows && p.mask == nullptr && p.d_x == nullptr && p.d_h == nullptr;
}

void forward_few_rows(ScanPlan& p, const ScanArrays& arrays, int threads) {
    const Weights weights(arrays, p);
    FewRows f{};
    f.w_x = arrays.w_x;
    f.w_h = arrays.w_h;
    std::copy_n(weights.blocks.of_x, 4, f.of_x);
    std::copy_n(weights.blocks.of_h, 4, f.of_h);
    const i64 row = p.B * p.blocks * p.Hp;
    f.chunk = std::min(p.T, std::max<i64>(4, gate_memory / row / 4 * 4));
    f.members = members_for(p, threads);
    const i64 state = p.B * p.Sp;
    const Workspace memory(f.chunk * row + p.blocks * p.Hp + 3 * state + p.B * p.Hp);
    f.gates = memory.data();
    float* bias = f.gates + f.chunk * row;
    f.h[0] = bias + p.blocks * p.Hp;
    f.h[1] = f.h[0] + state;
    f.state = f.h[1] + state;
    f.c = f.state + state;
    weights.biases(bias);
    p.bias = bias;
    const ScanKernels& k = current_kernels();
    k.few_start(p, f);
    Team team(p, f);
    if (f.members == 1) team.alone();
    else parallel_for(f.members, threads, [&](i64) { team.take_part(); });
    k.few_finish(p, f);
}

}  // namespace seqloom
