// A few rows, all steps: each thread owns some units, reads the whole state of the step before and writes its part of the
// next one. Sums run as in the tiles of scan.cpp (bias, inputs, state, in order for every unit), so the bits are the same.
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
constexpr i64 worth_a_thread = 48 << 10;  // products of a step: two threads where the weights outgrow a core's cache
constexpr i64 worth_waking = 2 << 20;     // products of a call

// Threads that go through the steps side by side. The first that comes leads; others take part from the next chunk of steps
// on, so that nobody waits for a thread that has not woken, or that will never be given.
class Team {
  public:
    Team(const ScanPlan& plan, const FewRows& rows) : p_(plan), f_(rows), k_(current_kernels()) {}

    void take_part() {
        if (!led_.exchange(true, std::memory_order_acq_rel)) return lead();
        const int own = registered_.fetch_add(1, std::memory_order_acq_rel) + 1;
        if (own < most_members) follow(own);
    }

  private:
    struct alignas(128) Counter {
        std::atomic<i64> steps{0};
    };

    static void wait_for(const std::atomic<i64>& word, i64 value) noexcept {
        for (int spin = 0; word.load(std::memory_order_acquire) < value; ++spin) pause(spin);
    }
    static void pause(int spin) noexcept {
#if defined(__x86_64__)
        if (spin < 2000) return __builtin_ia32_pause();
#endif
        if (spin >= 2000) std::this_thread::yield();
    }

    // The units of a member: whole cache lines.
    UnitRange units(int member, int members) const noexcept {
        const i64 lines = p_.Hp / 16;
        return {lines * member / members * 16, lines * (member + 1) / members * 16};
    }

    void lead() {
        int members = 1;
        for (i64 low = 0; low < p_.T; low += f_.chunk) {
            const i64 high = std::min(p_.T, low + f_.chunk);
            steps(low, high, 0, members);
            for (int other = 1; other < members; ++other) wait_for(done_[other].steps, high);
            members = std::min({1 + registered_.load(std::memory_order_acquire), f_.members, most_members});
            // What the followers wait for at the start of a chunk: everything before it is done, and so many take part.
            opened_.store(high * 64 + members, std::memory_order_release);
        }
    }

    void follow(int own) {
        for (i64 low = 0;;) {
            i64 word = opened_.load(std::memory_order_acquire);
            for (int spin = 0; word / 64 < std::max<i64>(low, 1) || (word % 64 <= own && word / 64 < p_.T); ++spin) {
                pause(spin);
                word = opened_.load(std::memory_order_acquire);
            }
            low = word / 64;
            if (low >= p_.T) return;
            const i64 high = std::min(p_.T, low + f_.chunk);
            done_[own].steps.store(low, std::memory_order_release);
            steps(low, high, own, static_cast<int>(word % 64));
            low = high;
        }
    }

    void steps(i64 low, i64 high, int own, int members) {
        const UnitRange range = units(own, members);
        k_.few_inputs(p_, f_, low, high, range);
        if (members == 1) return k_.few_steps(p_, f_, low, low, high, range);
        for (i64 step = low; step < high; ++step) {
            if (step > low)
                for (int other = 0; other < members; ++other)
                    if (other != own) wait_for(done_[other].steps, step);
            k_.few_steps(p_, f_, low, step, step + 1, range);
            done_[own].steps.store(step + 1, std::memory_order_release);
        }
    }

    const ScanPlan& p_;
    const FewRows& f_;
    const ScanKernels& k_;
    std::atomic<bool> led_{false};
    std::atomic<int> registered_{0};
    Counter done_[most_members];
    alignas(128) std::atomic<i64> opened_{0};
};

// Threads worth having: each with products enough in a step to be longer about them than about waiting for the others.
int members_for(const ScanPlan& p, int threads) noexcept {
    const i64 products = p.B * p.S * p.G * p.Hp;
    if (products * p.T < worth_waking) return 1;
    return static_cast<int>(std::clamp<i64>(std::min(products / worth_a_thread, p.Hp / 16), 1, std::min(threads, most_members)));
}

}  // namespace

bool few_rows(const ScanPlan& p) noexcept {
    const bool cell = p.kind == CellKind::elman || p.kind == CellKind::lstm || (p.kind == CellKind::gru && p.reset_after);
    const bool plain = !p.layer_norm && !p.has_out && !p.peephole && !p.zoneout.on && !p.zoneout_cell.on && !p.candidate.on;
    return cell && plain && !p.save && p.B <= most_rows && p.mask == nullptr && p.d_x == nullptr && p.d_h == nullptr;
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
    parallel_for(f.members, threads, [&](i64) { team.take_part(); });
    k.few_finish(p, f);
}

}  // namespace seqloom
