// The stream of causal convolutions: rings of inputs around the kernels' step.
#include "seqloom/conv_stream.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "conv_prepare.h"
#include "floats.h"

namespace seqloom {

using i64 = std::int64_t;

struct ConvStream::Layer {
    const ConvKernels& kernels;
    ConvPlan plan;
    Floats ring, y, scratch;
    std::unique_ptr<Floats> weights;
    ConvStep now;
    i64 source, residual;

    explicit Layer(const ConvStreamLayer& from)
        : kernels(conv_kernels()),
          // The ring is its context: all taps run.
          plan(conv_plan(from.settings, {nullptr, from.weight, nullptr, nullptr, from.weight, nullptr, nullptr}, kernels)),
          ring((plan.span + 1) * plan.B * plan.I),
          y(plan.B * plan.O),
          scratch(plan.B * plan.Op),
          weights(std::make_unique<Floats>(conv_weight_floats(plan))),
          now{&plan, ring.data(), plan.span + 1, 0, plan.B, nullptr, y.data()},
          source(from.source),
          residual(from.residual) {
        conv_load_weights(plan, kernels, from.bias, weights->data(), 1);
    }

    float* slot(i64 number) const { return ring.data() + number * plan.B * plan.I; }

    void step(const float* x, const float* added) noexcept {
        now.newest = now.newest + 1 == now.slots ? 0 : now.newest + 1;
        std::copy_n(x, plan.B * plan.I, slot(now.newest));
        now.residual = added;
        kernels.step(now, scratch.data());
    }
};

ConvStream::ConvStream(const std::vector<ConvStreamLayer>& layers) {
    if (layers.empty()) throw std::invalid_argument("a stream needs a layer.");
    std::vector<i64> widths{layers.front().settings.I};
    for (const ConvStreamLayer& one : layers) {
        const ConvSettings& s = one.settings;
        const std::string name = "layer " + std::to_string(widths.size()) + " of a stream ";
        if (s.B < 1 || s.I < 1 || s.O < 1 || s.K < 1 || s.dilation < 1 || s.T != 1 || s.save || s.dropout > 0)
            throw std::invalid_argument(name + "must have sizes of 1 or more, one step, nothing saved, no dropout.");
        const auto known = static_cast<i64>(widths.size());
        if (one.weight == nullptr || one.source < 0 || one.source >= known || one.residual >= known)
            throw std::invalid_argument(name + "lacks its weight, or an earlier output to read.");
        const bool fits = widths[static_cast<std::size_t>(one.source)] == s.I &&
                          (one.residual < 0 || widths[static_cast<std::size_t>(one.residual)] == s.O) && s.B == layers.front().settings.B;
        if (!fits) throw std::invalid_argument(name + "does not fit the outputs that it reads.");
        widths.push_back(s.O);
        layers_.push_back(std::make_unique<Layer>(one));
    }
    inputs_ = widths.front();
}

ConvStream::~ConvStream() = default;

i64 ConvStream::batch() const noexcept { return layers_.front()->plan.B; }
i64 ConvStream::inputs() const noexcept { return inputs_; }
i64 ConvStream::outputs() const noexcept { return layers_.back()->plan.O; }

void ConvStream::step(const float* x, float* y) noexcept {
    const auto output = [&](i64 number) { return number == 0 ? x : layers_[static_cast<std::size_t>(number - 1)]->y.data(); };
    for (const auto& layer : layers_) layer->step(output(layer->source), layer->residual < 0 ? nullptr : output(layer->residual));
    std::copy_n(output(static_cast<i64>(layers_.size())), batch() * outputs(), y);
}

void ConvStream::read(i64 layer, float* rows) const {
    const Layer& one = *layers_.at(static_cast<std::size_t>(layer));
    const ConvPlan& p = one.plan;
    for (i64 t = 0; t < p.span; ++t) {
        const float* from = one.slot((one.now.newest + 2 + t) % one.now.slots);
        for (i64 b = 0; b < p.B; ++b) std::copy_n(from + b * p.I, p.I, rows + (b * p.span + t) * p.I);
    }
}

void ConvStream::write(i64 layer, const float* rows) {
    Layer& one = *layers_.at(static_cast<std::size_t>(layer));
    const ConvPlan& p = one.plan;
    one.now.newest = p.span;
    for (i64 t = 0; t < p.span; ++t)
        for (i64 b = 0; b < p.B; ++b) std::copy_n(rows + (b * p.span + t) * p.I, p.I, one.slot(t + 1) + b * p.I);
}

}  // namespace seqloom
