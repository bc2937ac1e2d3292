#include "seqloom/stream.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "floats.h"
#include "scan_prepare.h"

namespace seqloom {
namespace {

constexpr int lstm = static_cast<int>(CellKind::lstm);

}  // namespace

struct Stream::Layer {
    PreparedScan scan;
    std::unique_ptr<Floats> weights, scratch;
    Floats h, c;

    explicit Layer(const StreamLayer& from)
        : h(from.settings.B * from.settings.S), c(from.settings.kind == lstm ? from.settings.B * from.settings.H : 0) {
        ScanArrays arrays = from.weights;
        arrays.h0 = arrays.h_last = h.data();  // the kernel reads all of a row's old state before it writes the new one
        arrays.c0 = arrays.c_last = from.settings.kind == lstm ? c.data() : nullptr;
        const auto memory = [this](std::int64_t floats) {
            weights = std::make_unique<Floats>(floats);
            return weights->data();
        };
        scan = prepare_forward(from.settings, arrays, memory, 1);
        scratch = std::make_unique<Floats>(scan.kernels->forward_scratch(scan.plan));
    }

    void step(const float* x) noexcept {
        scan.plan.x = x;
        for (std::int64_t tile = 0; tile < scan.plan.tiles; ++tile) scan.kernels->forward(scan.plan, tile, scratch->data());
    }
};

Stream::Stream(const std::vector<StreamLayer>& layers) {
    if (layers.empty()) throw std::invalid_argument("a stream needs a layer.");
    std::int64_t width = layers.front().settings.I;
    for (std::size_t k = 0; k < layers.size(); ++k) {
        const ScanSettings& s = layers[k].settings;
        if (s.B < 1 || s.I < 1 || s.H < 1 || s.S < 1 || s.T != 1 || s.save || s.training)
            throw std::invalid_argument("layer " + std::to_string(k) + " of a stream must have sizes of 1 or more, one step, nothing saved.");
        const ScanArrays& w = layers[k].weights;
        const bool whole = w.w_x != nullptr && w.w_h != nullptr && (!s.has_out || w.w_out != nullptr) && (!s.peephole || w.peephole != nullptr);
        if (!whole) throw std::invalid_argument("layer " + std::to_string(k) + " of a stream lacks a weight.");
        if (s.I != width || s.B != layers.front().settings.B)
            throw std::invalid_argument("layer " + std::to_string(k) + " takes (" + std::to_string(s.B) + ", " + std::to_string(s.I) + ") inputs, not (" +
                                        std::to_string(layers.front().settings.B) + ", " + std::to_string(width) + ").");
        width = s.S;
        layers_.push_back(std::make_unique<Layer>(layers[k]));
    }
}

Stream::~Stream() = default;

std::int64_t Stream::batch() const noexcept { return layers_.front()->scan.plan.B; }
std::int64_t Stream::inputs() const noexcept { return layers_.front()->scan.plan.I; }
std::int64_t Stream::outputs() const noexcept { return layers_.back()->scan.plan.S; }
std::int64_t Stream::layers() const noexcept { return static_cast<std::int64_t>(layers_.size()); }

void Stream::step(const float* x, float* y) noexcept {
    for (const auto& layer : layers_) {
        layer->step(x);
        x = layer->h.data();
    }
    std::copy_n(x, batch() * outputs(), y);
}

float* Stream::h(std::int64_t layer) const { return layers_.at(static_cast<std::size_t>(layer))->h.data(); }
float* Stream::c(std::int64_t layer) const {
    const Layer& one = *layers_.at(static_cast<std::size_t>(layer));
    return one.scan.plan.kind == CellKind::lstm ? one.c.data() : nullptr;
}
std::int64_t Stream::h_size(std::int64_t layer) const { return batch() * layers_.at(static_cast<std::size_t>(layer))->scan.plan.S; }
std::int64_t Stream::c_size(std::int64_t layer) const { return batch() * layers_.at(static_cast<std::size_t>(layer))->scan.plan.H; }

}  // namespace seqloom
