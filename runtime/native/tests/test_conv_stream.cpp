// A stream of convolutions gives the bits of the whole sequence, with its state taken out and put back; layers that don't
// fit are refused.
#include "seqloom/conv_stream.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "check.h"
#include "drawn.h"

using namespace seqloom;
using namespace drawn;

namespace {

std::mt19937 source(3);

Floats normal(i64 n) { return drawn::normal(source, n, 0.5F); }

Floats rows_at(const Floats& x, i64 B, i64 T, i64 width, i64 t) {
    Floats out(count(B * width));
    for (i64 b = 0; b < B; ++b) std::copy_n(x.data() + (b * T + t) * width, width, out.data() + b * width);
    return out;
}

// Two convolutions of which the second adds the first's output, over the whole sequence and step by step.
void equals_the_whole(Isa isa, i64 B, i64 T, i64 I, i64 O, i64 K, i64 d) {
    use_isa(isa);
    const Floats x = normal(B * T * I), w1 = normal(O * I * K), b1 = normal(O), w2 = normal(O * O * K);
    Floats h(count(B * T * O)), y(count(B * T * O));
    conv_forward(conv_settings(B, T, I, O, K, d, false), {x.data(), w1.data(), b1.data(), nullptr, nullptr, h.data(), nullptr}, 2);
    conv_forward(conv_settings(B, T, O, O, K, d, true), {h.data(), w2.data(), nullptr, h.data(), nullptr, y.data(), nullptr}, 1);
    const std::vector<ConvStreamLayer> layers{{conv_settings(B, 1, I, O, K, d, false), w1.data(), b1.data(), 0, -1},
                                              {conv_settings(B, 1, O, O, K, d, true), w2.data(), nullptr, 1, 1}};
    ConvStream stream(layers);
    ConvStream other(layers);
    Floats found(count(B * O));
    for (i64 t = 0; t < T; ++t) {
        ConvStream& one = t < T / 2 ? stream : other;
        if (t == T / 2)  // the rest in another stream, from the state of the first
            for (i64 layer = 0; layer < 2; ++layer) {
                Floats rows(count(B * (K - 1) * d * (layer == 0 ? I : O)));
                stream.read(layer, rows.data());
                other.write(layer, rows.data());
            }
        one.step(rows_at(x, B, T, I, t).data(), found.data());
        CHECK(found == rows_at(y, B, T, O, t));
    }
}

}  // namespace

int main() {
    on_every_isa([](Isa isa) {
        equals_the_whole(isa, 1, 30, 25, 25, 7, 4);
        equals_the_whole(isa, 5, 20, 3, 17, 2, 9);
        equals_the_whole(isa, 11, 9, 40, 33, 1, 1);
        equals_the_whole(isa, 2, 24, 70, 9, 5, 3);
    });
    const Floats w = normal(1000);
    const ConvStreamLayer good{conv_settings(1, 1, 3, 4, 2, 1, false), w.data(), nullptr, 0, -1};
    CHECK(ConvStream({good}).outputs() == 4);
    CHECK_THROWS(ConvStream(std::vector<ConvStreamLayer>{}), std::invalid_argument);
    auto refused = [&](auto change) {
        ConvStreamLayer bad = good;
        change(bad);
        CHECK_THROWS(ConvStream({bad}), std::invalid_argument);
    };
    refused([](ConvStreamLayer& l) { l.weight = nullptr; });
    refused([](ConvStreamLayer& l) { l.source = 1; });
    refused([](ConvStreamLayer& l) { l.source = -1; });
    refused([](ConvStreamLayer& l) { l.residual = 0; });
    refused([](ConvStreamLayer& l) { l.settings.T = 2; });
    refused([](ConvStreamLayer& l) { l.settings.O = 0; });
    refused([](ConvStreamLayer& l) { l.settings.dropout = 0.5; });
    ConvStreamLayer second = good;
    second.source = 1;  // 4 channels where it takes 3
    CHECK_THROWS(ConvStream({good, second}), std::invalid_argument);
    return check::done("conv_stream");
}
