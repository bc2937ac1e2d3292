// A stream gives the bits of the whole-sequence scan, for every cell, on every instruction set, whatever the batch.
#include "seqloom/stream.h"

#include <algorithm>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"
#include "drawn.h"
#include "seqloom/cpu.h"

using namespace seqloom;
using namespace drawn;

namespace {

// One random layer; every array has its exact size, so that the sanitizers see a step too far.
struct Layer {
    ScanSettings s{};
    Floats w_x, w_h, bias, bias_h, peephole, gain_x, gain_h, gain_c, w_out, bias_out;

    Layer(std::mt19937& random, int kind, i64 batch, i64 inputs, i64 hidden) {
        auto flip = [&] { return random() % 2 == 0; };
        auto normal = [&](i64 n, float scale) { return drawn::normal(random, n, scale); };
        s.kind = kind;
        const bool lstm = kind == 2;
        const bool gru = kind == 3;
        const bool jordan = kind == 1;
        s.activation = flip() ? 0 : 5;
        s.gate_activation = flip() ? 1 : 8;
        s.output_activation = 1;
        s.reset_after = !gru || flip();
        s.coupled = lstm && flip();
        s.peephole = lstm && flip();
        s.layer_norm = !jordan && s.reset_after && flip();
        s.has_out = jordan || (lstm && flip());
        s.epsilon = 1e-5F;
        s.cell_clip = lstm && flip() ? 0.5 : 0.0;
        s.zoneout = jordan || flip() ? 0.0 : 0.25;
        s.zoneout_cell = lstm && flip() ? 0.5 : 0.0;
        s.B = batch;
        s.T = 1;
        s.I = inputs;
        s.H = hidden;
        s.S = s.has_out ? 1 + hidden / 2 : hidden;
        const i64 gates = gru ? 3 : lstm ? (s.coupled ? 3 : 4) : 1;
        w_x = normal(inputs * gates * hidden, 0.3F);
        w_h = normal(s.S * gates * hidden, 0.3F);
        bias = normal(gates * hidden, 0.3F);
        bias_h = normal(gates * hidden, 0.3F);
        peephole = normal(s.peephole ? (s.coupled ? 2 : 3) * hidden : 0, 0.3F);
        gain_x = normal(s.layer_norm ? gates * hidden : 0, 1.0F);
        gain_h = normal(s.layer_norm ? gates * hidden : 0, 1.0F);
        gain_c = normal(s.layer_norm && lstm ? hidden : 0, 1.0F);
        w_out = normal(s.has_out ? hidden * s.S : 0, 0.3F);
        bias_out = normal(jordan ? s.S : 0, 0.3F);
    }
    ScanArrays arrays() const {
        auto at = [](const Floats& v) { return v.empty() ? nullptr : v.data(); };
        ScanArrays a{};
        a.w_x = at(w_x);
        a.w_h = at(w_h);
        a.bias = at(bias);
        a.bias_h = at(bias_h);
        a.peephole = at(peephole);
        a.gain_x = at(gain_x);
        a.gain_h = at(gain_h);
        a.gain_c = at(gain_c);
        a.w_out = at(w_out);
        a.bias_out = at(bias_out);
        return a;
    }
    // The states of all steps from zeros: x (B, T, I) in, (B, T, S) out.
    Floats run(const Floats& x, i64 steps) const {
        ScanSettings whole = s;
        whole.T = steps;
        ScanArrays a = arrays();
        const Floats h0(count(s.B * s.S), 0.0F);
        const Floats c0(count(s.B * s.H), 0.0F);
        Floats states(count(s.B * steps * s.S)), h(h0), c(c0);
        a.x = x.data();
        a.h0 = h0.data();
        a.c0 = s.kind == 2 ? c0.data() : nullptr;
        a.states = states.data();
        a.h_last = h.data();
        a.c_last = s.kind == 2 ? c.data() : nullptr;
        scan_forward(whole, a, 1);
        return states;
    }
};

void compare(unsigned seed, int kind) {
    std::mt19937 random(seed);
    const i64 batches[] = {1, 2, 5, 40};
    const i64 sizes[] = {1, 3, 15, 16, 17, 33};
    const i64 batch = batches[random() % 4];
    const i64 inputs = sizes[random() % 6];
    const i64 hidden = sizes[random() % 6] + 1;
    const i64 steps = 6;
    std::vector<Layer> layers;
    layers.emplace_back(random, kind, batch, inputs, hidden);
    layers.emplace_back(random, kind, batch, layers[0].s.S, hidden);
    std::normal_distribution<float> draw(0.0F, 1.0F);
    Floats x(count(batch * steps * inputs));
    for (float& one : x) one = draw(random);
    const Floats expected = layers[1].run(layers[0].run(x, steps), steps);

    auto core = std::make_unique<Stream>(std::vector<StreamLayer>{{layers[0].s, layers[0].arrays()}, {layers[1].s, layers[1].arrays()}});
    const i64 width = layers[1].s.S;
    CHECK(core->batch() == batch && core->inputs() == inputs && core->outputs() == width && core->layers() == 2);
    for (Layer& layer : layers) layer.w_x.assign(layer.w_x.size(), 1e30F);  // the stream has its own copy
    for (int turn = 0; turn < 2; ++turn) {
        bool same = true;
        for (i64 t = 0; t < steps; ++t) {
            Floats row(count(batch * inputs)), y(count(batch * width));
            for (i64 b = 0; b < batch; ++b)
                for (i64 i = 0; i < inputs; ++i) row[count(b * inputs + i)] = x[count((b * steps + t) * inputs + i)];
            core->step(row.data(), y.data());
            for (i64 b = 0; b < batch; ++b)
                for (i64 j = 0; j < width; ++j) same = same && y[count(b * width + j)] == expected[count((b * steps + t) * width + j)];
        }
        CHECK(same);
        for (i64 layer = 0; layer < 2; ++layer) {
            CHECK(core->h_size(layer) == batch * layers[count(layer)].s.S);
            std::fill_n(core->h(layer), core->h_size(layer), 0.0F);
            CHECK((core->c(layer) != nullptr) == (kind == 2));
            if (kind == 2) std::fill_n(core->c(layer), core->c_size(layer), 0.0F);
        }
    }
}

}  // namespace

int main() {
    for (const char* isa : {"portable", "avx2", "avx512"}) {
        try {
            use_isa(parse_isa(isa));
        } catch (const std::invalid_argument&) {
            continue;
        }
        for (unsigned seed = 0; seed < 30; ++seed)
            for (int kind = 0; kind < 4; ++kind) compare(seed, kind);
    }
    std::mt19937 random(1);
    const Layer first(random, 3, 2, 3, 4);
    const Layer second(random, 3, 2, 5, 4);
    CHECK_THROWS(Stream(std::vector<StreamLayer>{}), std::invalid_argument);
    CHECK_THROWS(Stream(std::vector<StreamLayer>{{first.s, first.arrays()}, {second.s, second.arrays()}}), std::invalid_argument);
    StreamLayer longer{first.s, first.arrays()};
    longer.settings.T = 2;
    CHECK_THROWS(Stream({longer}), std::invalid_argument);
    StreamLayer lacking{first.s, first.arrays()};
    lacking.weights.w_h = nullptr;
    CHECK_THROWS(Stream({lacking}), std::invalid_argument);
    return check::done("stream");
}
