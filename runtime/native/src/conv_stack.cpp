// The stack of convolutions: which rows live where while one sequence passes through the layers.
#include "seqloom/conv_stack.h"

#include <algorithm>
#include <stdexcept>

#include "conv_prepare.h"
#include "planted.h"
#include "seqloom/threads.h"
#include "seqloom/workspace.h"
#include "whole_numbers.h"

namespace seqloom {
namespace {

using i64 = std::int64_t;

constexpr i64 cache_floats = i64{224} << 10;  // rows of one sequence that a core keeps near

std::size_t at(i64 n) { return static_cast<std::size_t>(n); }

// Places for the rows of one sequence, each free again after its last use.
class Slots {
  public:
    i64 take() {
        if (free_.empty()) return count_++;
        const i64 slot = free_.back();
        free_.pop_back();
        return slot;
    }
    void give_back(i64 slot) { free_.push_back(slot); }
    i64 count() const { return count_; }

  private:
    std::vector<i64> free_;
    i64 count_ = 0;
};

// What a layer's own call is given.
ConvArrays arrays_of(const ConvStackLayer& one, const float* x, const float* residual, float* y) {
    return {x, one.weight, one.bias, residual, nullptr, y, one.saved, one.gain, one.norms};
}

struct Stack {
    const std::vector<ConvStackLayer>& layers;
    const ConvKernels& kernels;
    std::vector<ConvPlan> plans;
    i64 B, T, widest, scratch;

    explicit Stack(const std::vector<ConvStackLayer>& given)
        : layers(given), kernels(conv_kernels()), B(given.front().settings.B), T(given.front().settings.T), widest(0), scratch(0) {
        for (const ConvStackLayer& one : layers) {
            plans.push_back(conv_plan(one.settings, arrays_of(one, nullptr, nullptr, one.y), kernels));
            widest = std::max(widest, std::max(plans.back().Ip, plans.back().Op));
            scratch = std::max(scratch, kernels.scratch(plans.back()));
        }
    }
    i64 count() const { return static_cast<i64>(layers.size()); }
    i64 row() const { return up(T * widest, 16); }  // floats of a slot
    bool fits() const {
        if (layers.size() < 2 || B < 8 || 6 * T * widest > cache_floats) return false;
        return std::all_of(plans.begin(), plans.end(), conv_by_sequences);
    }

    // The last layer that reads an output; its own number where none does.
    std::vector<i64> last_reader() const {
        std::vector<i64> last(at(count() + 1), 0);
        for (i64 k = 0; k < count(); ++k) {
            last[at(k + 1)] = k;
            last[at(layers[at(k)].source)] = k;
            if (layers[at(k)].residual >= 0) last[at(layers[at(k)].residual)] = k;
        }
        return last;
    }

    // Of the way back: scales under weight norm, then packed weights.
    static i64 back_floats(const ConvPlan& p) { return up(p.O, 16) + p.taps * p.O * p.Ip; }
    // Packed weights of all layers in one block, for one way or the other.
    i64 packed_floats(bool back) const {
        i64 floats = 0;
        for (const ConvPlan& p : plans) floats += up(back ? back_floats(p) : conv_weight_floats(p), 16);
        return floats;
    }
};

// The plan with its sources where they lie: `rows` holds where each output begins, or null for the whole array.
void point(ConvPlan& p, const ConvStackLayer& layer, const Stack& stack, const float* x, const std::vector<float*>& rows) {
    const auto output = [&](i64 number, const float*& from, i64& stride, i64 width) {
        const float* whole = number == 0 ? x : stack.layers[at(number - 1)].y;
        from = rows[at(number)] == nullptr ? whole : rows[at(number)];
        stride = rows[at(number)] == nullptr ? stack.T * width : 0;
    };
    output(layer.source, p.x, p.x_row, p.I);
    if (layer.residual >= 0) output(layer.residual, p.residual, p.residual_row, p.O);
}

// The slot of every output that has no array of its own, -1 of the others; input first.
std::vector<i64> output_slots(const Stack& stack, Slots& slots) {
    std::vector<i64> slot(at(stack.count() + 1), -1);
    const std::vector<i64> last = stack.last_reader();
    for (i64 k = 0; k < stack.count(); ++k) {
        if (stack.layers[at(k)].y == nullptr) slot[at(k + 1)] = slots.take();
        for (i64 number = 0; number <= k + 1; ++number)
            if (slot[at(number)] >= 0 && last[at(number)] == k) slots.give_back(slot[at(number)]);
    }
    return slot;
}

void forward_by_layers(const Stack& stack, const float* x, int threads) {
    Slots slots;
    const std::vector<i64> slot = output_slots(stack, slots);
    Workspace space(slots.count() * stack.B * stack.row());
    const auto output = [&](i64 number) -> float* {
        if (slot[at(number)] >= 0) return space.data() + slot[at(number)] * stack.B * stack.row();
        return stack.layers[at(number - 1)].y;
    };
    const auto input = [&](i64 number) -> const float* { return number == 0 ? x : output(number); };
    for (i64 k = 0; k < stack.count(); ++k) {
        const ConvStackLayer& one = stack.layers[at(k)];
        const float* residual = one.residual < 0 ? nullptr : input(one.residual);
        conv_forward(one.settings, arrays_of(one, input(one.source), residual, output(k + 1)), threads);
    }
}

}  // namespace

bool conv_stack_fits(const std::vector<ConvStackLayer>& layers) { return Stack(layers).fits(); }

void conv_stack_forward(const std::vector<ConvStackLayer>& layers, const float* x, int threads) {
    Stack stack(layers);
    if (!stack.fits()) return forward_by_layers(stack, x, threads);
    Workspace weights(stack.packed_floats(false));
    std::vector<float*> packed;
    for (i64 used = 0; const ConvPlan& p : stack.plans) {
        packed.push_back(weights.data() + used);
        used += up(conv_weight_floats(p), 16);
    }
    parallel_for(stack.count(), threads, [&](i64 k) { conv_load_weights(stack.plans[at(k)], stack.kernels, layers[at(k)].bias, packed[at(k)], 1); });

    Slots slots;
    const std::vector<i64> slot = output_slots(stack, slots);
    parallel_for(stack.B, threads, [&](i64 b) {
        Workspace space(slots.count() * stack.row() + stack.scratch);
        std::vector<float*> rows(slot.size(), nullptr);
        for (std::size_t number = 0; number < slot.size(); ++number)
            if (slot[number] >= 0) rows[number] = space.data() + slot[number] * stack.row();
        for (i64 k = 0; k < stack.count(); ++k) {
            ConvPlan p = stack.plans[at(k)];
            point(p, layers[at(k)], stack, x, rows);
            if (rows[at(k + 1)] != nullptr) {
                p.y = rows[at(k + 1)];
                p.y_row = 0;
            }
            stack.kernels.forward(p, b, 0, stack.T, space.data() + slots.count() * stack.row());
        }
    });
}

namespace {

// How one layer's gradient moves on the way back: where dy lies, and whether its outgoing ones are the first of theirs.
struct Step {
    i64 dy, dx, dresidual;  // slots; -1: the stack's own arrays, -2: not wanted
    bool runs, add_dx, add_dresidual;
};

// The order of the way back: gradients of an output wait in a slot from its last reader to the layer that made it.
std::vector<Step> steps_back(const Stack& stack, bool wants_dx, Slots& slots) {
    std::vector<i64> slot(at(stack.count() + 1), -2);
    slot.back() = -1;  // the given gradient
    std::vector<Step> steps(stack.layers.size());
    bool dx_begun = false;
    const auto outgoing = [&](i64 number, i64& place, bool& add) {
        if (number == 0) {
            place = wants_dx ? -1 : -2;
            add = dx_begun;
            dx_begun = true;
            return;
        }
        add = slot[at(number)] != -2;
        if (!add) slot[at(number)] = slots.take();
        place = slot[at(number)];
    };
    for (i64 k = stack.count() - 1; k >= 0; --k) {
        Step& step = steps[at(k)];
        const ConvStackLayer& layer = stack.layers[at(k)];
        step.dy = slot[at(k + 1)];
        step.runs = step.dy != -2;  // what nothing reads has no gradient
        step.dx = step.dresidual = -2;
        if (!step.runs) continue;
        if (layer.residual >= 0) outgoing(layer.residual, step.dresidual, step.add_dresidual);
        outgoing(layer.source, step.dx, step.add_dx);
        if (step.dy >= 0) slots.give_back(step.dy);
    }
    return steps;
}

// The gradient of an input that no layer reads is zero.
void clear_unread(const Stack& stack, const std::vector<Step>& steps, float* dx) {
    if (dx != nullptr && std::none_of(steps.begin(), steps.end(), [](const Step& s) { return s.dx == -1 || s.dresidual == -1; }))
        std::fill_n(dx, stack.B * stack.T * stack.plans.front().I, 0.0F);
}

void backward_by_layers(const Stack& stack, const float* x, const float* dy, float* dx, int threads) {
    Slots slots;
    const std::vector<Step> steps = steps_back(stack, dx != nullptr, slots);
    Workspace space(slots.count() * stack.B * stack.row());
    const auto slot = [&](i64 number) { return number == -2 ? nullptr : number == -1 ? dx : space.data() + number * stack.B * stack.row(); };
    const auto input = [&](i64 number) { return number == 0 ? x : stack.layers[at(number - 1)].y; };
    for (i64 k = stack.count() - 1; k >= 0; --k) {
        const Step& step = steps[at(k)];
        const ConvStackLayer& one = stack.layers[at(k)];
        const ConvSettings& s = one.settings;
        if (!step.runs) {
            if (one.dweight != nullptr) std::fill_n(one.dweight, s.O * s.I * s.K, 0.0F);
            if (one.dbias != nullptr) std::fill_n(one.dbias, s.O, 0.0F);
            if (one.dgain != nullptr) std::fill_n(one.dgain, s.O, 0.0F);
            continue;
        }
        const float* residual = one.residual < 0 ? nullptr : input(one.residual);
        const float* given = step.dy == -1 ? dy : slot(step.dy);
        conv_backward(s, arrays_of(one, input(one.source), residual, one.y),
                      {given, slot(step.dx), one.dweight, one.dbias, slot(step.dresidual), nullptr, step.add_dx, step.add_dresidual, one.dgain},
                      threads);
    }
    clear_unread(stack, steps, dx);
}

}  // namespace

void conv_stack_backward(const std::vector<ConvStackLayer>& layers, const float* x, const float* dy, float* dx, int threads) {
    Stack stack(layers);
    if (!stack.fits()) return backward_by_layers(stack, x, dy, dx, threads);
    const ConvKernels& kernels = stack.kernels;
    Workspace weights(stack.packed_floats(true));
    i64 used = 0;
    for (ConvPlan& p : stack.plans) {
        conv_scale(p, weights.data() + used);
        p.packed_back = weights.data() + used + up(p.O, 16);
        used += up(Stack::back_floats(p), 16);
    }
    parallel_for(stack.count(), threads, [&](i64 k) {
        const ConvPlan& p = stack.plans[at(k)];
        for (i64 panel = 0; panel < kernels.panels(p.Ip); ++panel) kernels.pack_back(p, const_cast<float*>(p.packed_back), panel);
    });
    Slots slots;
    const std::vector<Step> steps = steps_back(stack, dx != nullptr, slots);

    // The sums of a strand: for each layer its weights', then its bias's.
    std::vector<i64> sums_at;
    i64 stride = 0;
    for (const ConvPlan& p : stack.plans) {
        sums_at.push_back(stride);
        stride += up(p.taps * p.I * p.Op, 16) + up(p.Op, 16);
    }
    const i64 strands = std::min(stack.B, conv_strands);
    Workspace sums(strands * stride);
    const std::vector<float*> no_rows(layers.size() + 1, nullptr);
    parallel_for(strands, threads, [&](i64 strand) {
        float* own = sums.data() + strand * stride;
        std::fill_n(own, stride, 0.0F);
        Workspace space((slots.count() + 1) * stack.row() + stack.scratch);
        float* da = space.data() + slots.count() * stack.row();
        float* scratch = da + stack.row();
        const auto slot = [&](i64 number) { return space.data() + number * stack.row(); };
        for (i64 b = strand * stack.B / strands; b < (strand + 1) * stack.B / strands; ++b)
            for (i64 k = stack.count() - 1; k >= 0; --k) {
                const Step& step = steps[at(k)];
                if (!step.runs) continue;
                ConvPlan p = stack.plans[at(k)];
                point(p, layers[at(k)], stack, x, no_rows);
                p.dy = step.dy == -1 ? dy : slot(step.dy);
                p.dy_row = step.dy == -1 ? stack.T * p.O : 0;
                p.dresidual = step.dresidual == -2 ? nullptr : step.dresidual == -1 ? dx : slot(step.dresidual);
                p.dresidual_row = step.dresidual == -1 ? stack.T * p.O : 0;
                p.add_dresidual = step.add_dresidual;
                p.dx = step.dx == -2 ? nullptr : step.dx == -1 ? dx : slot(step.dx);
                p.dx_row = step.dx == -1 ? stack.T * p.I : 0;
                p.add_dx = step.add_dx;
                float* dw = own + sums_at[at(k)];
                kernels.back_slopes(p, b, 0, stack.T, da, dw + up(p.taps * p.I * p.Op, 16));
                if (p.dx != nullptr) kernels.back_input(p, b, 0, stack.T, da, scratch);
                if (layers[at(k)].dweight != nullptr && !(planted(Mistake::conv_last_strand_lost) && b == stack.B - 1))
                    kernels.back_weight(p, b, 0, stack.T, 0, p.taps, 0, p.I, da, dw, scratch);
            }
    });
    clear_unread(stack, steps, dx);
    for (i64 k = 0; k < stack.count(); ++k) {
        const ConvPlan& p = stack.plans[at(k)];
        const float* part = sums.data() + sums_at[at(k)];
        if (layers[at(k)].dweight != nullptr) conv_collect_weights(p, kernels, layers[at(k)].dweight, layers[at(k)].dgain, part, strands, stride, threads);
        if (layers[at(k)].dbias != nullptr) conv_collect_bias(p, layers[at(k)].dbias, part + up(p.taps * p.I * p.Op, 16), strands, stride);
    }
}

}  // namespace seqloom
