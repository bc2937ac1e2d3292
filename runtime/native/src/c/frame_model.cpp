#include "frame_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string_view>

namespace seqloom {
namespace {

// The order of the enumeration Activation.
constexpr std::array<std::string_view, 10> activations = {"tanh",     "sigmoid",  "relu",     "leaky_relu",   "elu",
                                                          "softsign", "softplus", "identity", "hard_sigmoid", "hard_sigmoid_02"};
constexpr int tanh_code = 0, sigmoid_code = 1, relu_code = 2, identity_code = 7;
constexpr int elman = 0, lstm = 2, gru = 3;
constexpr float epsilon = 1e-5F;                            // of the layer norm
constexpr std::int64_t most_numbers = std::int64_t{1} << 31;  // weights of one layer

int activation_code(const Json& name, int usual) {
    if (name.is_null()) return usual;
    const auto found = std::find(activations.begin(), activations.end(), std::string_view(name.as_text("activation")));
    if (found == activations.end()) throw std::runtime_error("model.json: the activation '" + name.text + "' has no compiled form.");
    return static_cast<int>(found - activations.begin());
}

bool flag(const Json& body, std::string_view name) { return !body.at(name).is_null() && body.at(name).as_flag(name); }

void bounded(std::int64_t rows, std::int64_t columns) {
    if (rows != 0 && columns > most_numbers / rows) throw std::runtime_error("model.json: its sizes ask for more than 2^31 weights in a layer.");
}

}  // namespace

FrameModel::FrameModel(const ModelFolder& folder) {
    const Json& header = folder.header();
    const std::string& task = header.at("task").as_text("task");
    if (task != "frame-model")
        throw std::runtime_error("model.json: expected the task 'frame-model', found '" + task + "'; the Python package seqloom_runtime runs it.");
    const Json& network = header.at("network");
    if (network.is_null()) throw std::runtime_error("model.json: this model is a baseline, which has no network to go through step by step.");
    if (!network.at("every_step").as_flag("every_step") || !network.at("head").is_null() || !network.at("joined").is_null())
        throw std::runtime_error("model.json: expected a linear read-out at every step.");
    const Json& body = network.at("body");
    inputs = body.at("inputs").as_size("inputs", 1);
    outputs = network.at("outputs").as_size("outputs", 1);
    if (flag(body, "bidirectional") || flag(body, "reverse"))
        throw std::runtime_error("model.json: the network reads the sequence from its end too, so that it can't go step by step.");
    for (const Json& name : header.at("channels").as_list("channels")) channels.push_back(name.as_text("channels"));
    if (static_cast<std::int64_t>(channels.size()) != inputs) throw std::runtime_error("model.json: its channels are not as many as the network's inputs.");
    const std::string& name = body.at("kind").as_text("kind");
    if (name == "tcn")
        read_convolutions(folder, body);
    else if (name == "rnn" || name == "gru" || name == "lstm")
        read_recurrent(folder, body);
    else
        throw std::runtime_error("model.json: expected a network of the kinds rnn, gru, lstm or tcn, found '" + name + "'.");
    bounded(outputs, width);
    weight = folder.floats("network.output.weight", {outputs, width});
    bias = folder.floats("network.output.bias", {outputs});
    if (folder.has("scale.mean")) {
        mean = folder.doubles("scale.mean", {inputs});
        std = folder.doubles("scale.std", {inputs});
    }
    read_coding(folder);
}

void FrameModel::read_recurrent(const ModelFolder& folder, const Json& body) {
    const std::string& name = body.at("kind").text;
    const int code = name == "rnn" ? elman : name == "gru" ? gru : lstm;
    const Json &stack = body.at("stack"), &each = body.at("activations");
    const bool alike = stack.is_null() || stack.as_list("stack").empty();
    const std::int64_t layers = body.at("layers").as_size("layers", 1);
    if (!alike && static_cast<std::int64_t>(stack.items.size()) != layers) throw std::runtime_error("model.json: its stack has not as many layers as it says.");
    std::int64_t read = inputs;
    for (std::int64_t k = 0; k < layers; ++k) {
        const auto at = static_cast<std::size_t>(k);
        Recurrent layer{};
        ScanSettings& s = layer.settings;
        s.kind = code;
        const bool own = !each.is_null() && at < each.as_list("activations").size();
        s.activation = activation_code(own ? each.items[at] : body.at("activation"), tanh_code);
        s.gate_activation = s.output_activation = sigmoid_code;
        s.reset_after = true;
        s.coupled = flag(body, "coupled");
        s.peephole = flag(body, "peephole");
        s.layer_norm = flag(body, "layer_norm");
        s.epsilon = epsilon;
        s.zoneout = body.at("zoneout").is_null() ? 0.0 : body.at("zoneout").as_number("zoneout");
        s.zoneout_cell = code == lstm ? s.zoneout : 0.0;
        s.B = s.T = 1;
        s.I = read;
        s.H = s.S = alike ? body.at("units").as_size("units", 1) : stack.items[at].as_size("stack", 1);
        const std::int64_t gates = code == elman ? 1 : code == gru ? 3 : s.coupled ? 3 : 4, columns = gates * s.H;
        bounded(s.I + s.H, columns);
        const std::string cell = "network.body.recurrent." + (alike ? "cells." + std::to_string(k) : "layers." + std::to_string(k) + ".cells.0") + ".";
        layer.w_x = folder.floats(cell + "w_x", {s.I, columns});
        layer.w_h = folder.floats(cell + "w_h", {s.H, columns});
        layer.bias = folder.floats(cell + "bias", {columns});
        if (s.peephole) layer.peephole = folder.floats(cell + "peephole", {s.coupled ? 2 : 3, s.H});
        if (s.layer_norm) {
            layer.gain_x = folder.floats(cell + "gain_x", {columns});
            layer.gain_h = folder.floats(cell + "gain_h", {columns});
            if (code == lstm) layer.gain_c = folder.floats(cell + "gain_c", {s.H});
        }
        read = s.S;
        recurrent.push_back(std::move(layer));
    }
    width = read;
}

void FrameModel::read_convolutions(const ModelFolder& folder, const Json& body) {
    const std::int64_t taps = body.at("kernel_size").as_size("kernel_size", 1), base = body.at("dilation").as_size("dilation", 1);
    const int phi = activation_code(body.at("activation"), relu_code);
    std::int64_t read = inputs, node = 0, dilation = 1, level = 0;
    const auto add = [&](const std::string& name, std::int64_t from, std::int64_t into, std::int64_t k, bool normalised, std::int64_t source) {
        bounded(into, from * k);
        Convolution layer{};
        layer.settings.I = from, layer.settings.O = into, layer.settings.K = k, layer.settings.B = layer.settings.T = 1;
        layer.settings.dilation = k == 1 ? 1 : dilation;
        layer.settings.activation = normalised ? phi : identity_code;
        layer.settings.final_activation = identity_code;
        layer.source = source;
        layer.residual = -1;
        layer.bias = folder.floats(name + "bias", {into});
        layer.weight = folder.floats(name + (normalised ? "weight_v" : "weight"), {into, from, k});
        if (normalised) {  // w = g v / |v|, over each channel out
            const std::vector<float> gain = folder.floats(name + "weight_g", {into, 1, 1});
            const auto row = static_cast<std::size_t>(from * k);
            for (std::size_t o = 0; o < gain.size(); ++o) {
                double sum = 0.0;
                float* v = layer.weight.data() + o * row;
                for (std::size_t i = 0; i < row; ++i) sum += double{v[i]} * double{v[i]};
                const double factor = sum > 0.0 ? double{gain[o]} / std::sqrt(sum) : 0.0;
                for (std::size_t i = 0; i < row; ++i) v[i] = static_cast<float>(double{v[i]} * factor);
            }
        }
        convolutions.push_back(std::move(layer));
        return static_cast<std::int64_t>(convolutions.size());
    };
    for (const Json& item : body.at("channels").as_list("channels")) {
        const std::int64_t into = item.as_size("channels", 1);
        const std::string block = "network.body.tcn.network." + std::to_string(level++) + ".";
        const std::int64_t shortcut = into == read ? node : add(block + "downsample.", read, into, 1, false, node);
        const std::int64_t first = add(block + "conv1.", read, into, taps, true, node);
        node = add(block + "conv2.", into, into, taps, true, first);
        convolutions.back().residual = shortcut;
        convolutions.back().settings.has_residual = true;
        convolutions.back().settings.final_activation = phi;
        read = into;
        if (dilation > most_numbers / base) throw std::runtime_error("model.json: its dilations grow beyond 2^31 steps.");
        dilation *= base;
    }
    if (convolutions.empty()) throw std::runtime_error("model.json: expected the channels of at least one level.");
    width = read;
}

void FrameModel::read_coding(const ModelFolder& folder) {
    const Json& coding = folder.header().at("coding");
    const std::string& name = coding.at("kind").as_text("kind");
    std::int64_t count = outputs;
    if (name == "classes") {
        kind = Kind::classes;
        for (const Json& label : coding.at("labels").as_list("labels"))
            classes.push_back(label.type == Json::Type::boolean ? (label.truth ? "true" : "false") : label.text);
        count = static_cast<std::int64_t>(classes.size());
    } else if (name == "binary" || name == "numbers") {
        kind = name == "binary" ? Kind::binary : Kind::numbers;
        count = coding.at("columns").as_size("columns", 1);
    } else {
        throw std::runtime_error("model.json: unknown coding '" + name + "'.");
    }
    if (count != outputs) throw std::runtime_error("model.json: its coding is not for as many outputs as the network has.");
    if (kind == Kind::numbers && folder.has("target.mean")) {
        target_mean = folder.doubles("target.mean", {outputs});
        target_std = folder.doubles("target.std", {outputs});
    }
}

FrameStream::FrameStream(std::shared_ptr<const FrameModel> model, std::int64_t batch) : model_(std::move(model)), batch_(batch) {
    const auto pointer = [](const std::vector<float>& from) { return from.empty() ? nullptr : from.data(); };
    std::vector<StreamLayer> layers;
    for (const FrameModel::Recurrent& from : model_->recurrent) {
        StreamLayer layer{from.settings, {}};
        layer.settings.B = batch;
        ScanArrays& w = layer.weights;
        w.w_x = from.w_x.data(), w.w_h = from.w_h.data(), w.bias = from.bias.data();
        w.peephole = pointer(from.peephole), w.gain_x = pointer(from.gain_x), w.gain_h = pointer(from.gain_h), w.gain_c = pointer(from.gain_c);
        layers.push_back(layer);
    }
    std::vector<ConvStreamLayer> stack;
    for (const FrameModel::Convolution& from : model_->convolutions) {
        ConvStreamLayer layer{from.settings, from.weight.data(), from.bias.data(), from.source, from.residual};
        layer.settings.B = batch;
        context_.push_back(batch * (from.settings.K - 1) * from.settings.dilation * from.settings.I);
        stack.push_back(layer);
    }
    if (!layers.empty()) recurrent_ = std::make_unique<Stream>(layers);
    if (!stack.empty()) convolutions_ = std::make_unique<ConvStream>(stack);
    x_.resize(static_cast<std::size_t>(batch * model_->inputs));
    features_.resize(static_cast<std::size_t>(batch * model_->width));
}

void FrameStream::step(const double* x, double* y) noexcept {
    const FrameModel& m = *model_;
    const auto inputs = static_cast<std::size_t>(m.inputs), outputs = static_cast<std::size_t>(m.outputs), width = static_cast<std::size_t>(m.width);
    for (std::size_t i = 0; i < x_.size(); ++i) {
        const std::size_t c = i % inputs;
        x_[i] = static_cast<float>(m.mean.empty() ? x[i] : (x[i] - m.mean[c]) / m.std[c]);
    }
    if (recurrent_ != nullptr)
        recurrent_->step(x_.data(), features_.data());
    else
        convolutions_->step(x_.data(), features_.data());
    for (std::size_t row = 0; row < static_cast<std::size_t>(batch_); ++row) {
        const float* f = features_.data() + row * width;
        double* o = y + row * outputs;
        double highest = -HUGE_VAL, sum = 0.0;
        for (std::size_t k = 0; k < outputs; ++k) {
            double total = double{m.bias[k]};
            for (std::size_t i = 0; i < width; ++i) total += double{m.weight[k * width + i]} * double{f[i]};
            o[k] = total;
            highest = std::max(highest, total);
        }
        for (std::size_t k = 0; k < outputs; ++k) {
            if (m.kind == FrameModel::Kind::numbers) {
                if (!m.target_mean.empty()) o[k] = o[k] * m.target_std[k] + m.target_mean[k];
            } else if (m.kind == FrameModel::Kind::binary) {
                o[k] = 1.0 / (1.0 + std::exp(-o[k]));
            } else {
                sum += o[k] = std::exp(o[k] - highest);
            }
        }
        if (m.kind == FrameModel::Kind::classes)
            for (std::size_t k = 0; k < outputs; ++k) o[k] /= sum;
    }
}

std::int64_t FrameStream::state_size() const noexcept {
    std::int64_t total = 0;
    if (recurrent_ != nullptr)
        for (std::int64_t k = 0; k < recurrent_->layers(); ++k) total += recurrent_->h_size(k) + (recurrent_->c(k) == nullptr ? 0 : recurrent_->c_size(k));
    for (const std::int64_t size : context_) total += size;
    return total;
}

void FrameStream::get_state(float* state) const {
    if (recurrent_ != nullptr)
        for (std::int64_t k = 0; k < recurrent_->layers(); ++k) {
            state = std::copy_n(recurrent_->h(k), recurrent_->h_size(k), state);
            if (recurrent_->c(k) != nullptr) state = std::copy_n(recurrent_->c(k), recurrent_->c_size(k), state);
        }
    for (std::size_t k = 0; k < context_.size(); state += context_[k], ++k) convolutions_->read(static_cast<std::int64_t>(k), state);
}

void FrameStream::set_state(const float* state) {
    if (recurrent_ != nullptr)
        for (std::int64_t k = 0; k < recurrent_->layers(); ++k) {
            std::copy_n(state, recurrent_->h_size(k), recurrent_->h(k));
            state += recurrent_->h_size(k);
            if (recurrent_->c(k) == nullptr) continue;
            std::copy_n(state, recurrent_->c_size(k), recurrent_->c(k));
            state += recurrent_->c_size(k);
        }
    for (std::size_t k = 0; k < context_.size(); state += context_[k], ++k) convolutions_->write(static_cast<std::int64_t>(k), state);
}

}  // namespace seqloom
