// A stack of convolutions gives the bits of its layers one by one, forward and backward, on any number of threads, and
// touches no byte outside the arrays (they are of the exact size; run under sanitizers).
#include "seqloom/conv_stack.h"

#include <algorithm>
#include <vector>

#include "check.h"
#include "drawn.h"

using namespace seqloom;
using namespace drawn;

namespace {

std::mt19937 source(5);

Floats normal(i64 n) { return drawn::normal(source, n, 0.5F); }

ConvSettings settings(i64 B, i64 T, i64 I, i64 O, i64 K, i64 d, bool residual, double dropout) {
    ConvSettings s = conv_settings(B, T, I, O, K, d, residual);
    s.save = true;
    s.dropout = dropout;
    s.key[0] = 9;
    return s;
}

// One block: a projection of x, a convolution of x, and one of that which adds the projection.
void equals_the_layers(Isa isa, i64 B, i64 T, i64 I, i64 O, i64 K, i64 d) {
    use_isa(isa);
    const Floats x = normal(B * T * I), dy = normal(B * T * O);
    const std::vector<ConvSettings> s{settings(B, T, I, O, 1, 1, false, 0), settings(B, T, I, O, K, d, false, 0.25),
                                      settings(B, T, O, O, K, 2 * d, true, 0.25)};
    // The second and the third under weight norm: w is then what V and g make of it.
    const std::vector<Floats> v{normal(O * I), normal(O * I * K), normal(O * O * K)};
    const Floats gain = normal(O);
    std::vector<Floats> w = v, norms(3, Floats(count(O)));
    for (std::size_t k = 1; k < 3; ++k) weight_norm(v[k].data(), gain.data(), O, s[k].I * K, w[k].data(), norms[k].data(), 1);
    const Floats bias = normal(O);
    const i64 sources[] = {0, 0, 2};
    const i64 residuals[] = {-1, -1, 1};

    std::vector<Floats> y(3, Floats(dy.size())), saved, dw, db(3, Floats(count(O)));
    for (std::size_t k = 0; k < 3; ++k) {
        saved.emplace_back(count(B * T * conv_saved_row(s[k])));
        dw.emplace_back(w[k].size());
        const float* from = k == 2 ? y[1].data() : x.data();
        conv_forward(s[k], {from, w[k].data(), bias.data(), k == 2 ? y[0].data() : nullptr, nullptr, y[k].data(), saved[k].data()}, 1);
    }
    Floats dh(dy.size()), dp(dy.size()), dx(x.size()), other(x.size());
    conv_backward(s[2], {y[1].data(), w[2].data(), bias.data(), y[0].data(), nullptr, y[2].data(), saved[2].data()},
                  {dy.data(), dh.data(), dw[2].data(), db[2].data(), dp.data(), nullptr}, 1);
    conv_backward(s[1], {x.data(), w[1].data(), bias.data(), nullptr, nullptr, y[1].data(), saved[1].data()},
                  {dh.data(), dx.data(), dw[1].data(), db[1].data(), nullptr, nullptr}, 1);
    conv_backward(s[0], {x.data(), w[0].data(), bias.data(), nullptr, nullptr, y[0].data(), saved[0].data()},
                  {dp.data(), other.data(), dw[0].data(), db[0].data(), nullptr, nullptr}, 1);
    for (std::size_t k = 0; k < dx.size(); ++k) dx[k] += other[k];
    std::vector<Floats> dgain(3, Floats(count(O)));
    for (std::size_t k = 1; k < 3; ++k) {
        Floats dv(dw[k].size());
        weight_norm_backward(v[k].data(), gain.data(), norms[k].data(), dw[k].data(), O, s[k].I * K, dv.data(), dgain[k].data(), 3);
        dw[k] = dv;
    }

    for (const int threads : {1, 3}) {
        std::vector<Floats> found(3, Floats(dy.size())), kept, gw, gb(3, Floats(count(O))), lengths = gb, ggain = gb;
        std::vector<ConvStackLayer> layers;
        for (std::size_t k = 0; k < 3; ++k) {
            kept.emplace_back(saved[k].size());
            gw.emplace_back(w[k].size());
        }
        for (std::size_t k = 0; k < 3; ++k)
            layers.push_back({s[k], v[k].data(), bias.data(), sources[k], residuals[k], found[k].data(), kept[k].data(), gw[k].data(), gb[k].data(),
                              k == 0 ? nullptr : gain.data(), k == 0 ? nullptr : lengths[k].data(), k == 0 ? nullptr : ggain[k].data()});
        CHECK(conv_stack_fits(layers) == (B >= 8));
        conv_stack_forward(layers, x.data(), threads);
        CHECK(found == y);
        Floats gx(x.size());
        conv_stack_backward(layers, x.data(), dy.data(), gx.data(), threads);
        CHECK(gx == dx);
        CHECK(gw == dw);
        CHECK(gb == db);
        CHECK(ggain == dgain);
        CHECK(lengths == norms);
        conv_stack_backward(layers, x.data(), dy.data(), nullptr, threads);
        CHECK(gw == dw);
        for (std::size_t k = 0; k < 3; ++k) {  // nothing kept but the last output
            layers[k].settings.save = false;
            layers[k].saved = layers[k].norms = nullptr;
            if (k < 2) layers[k].y = nullptr;
        }
        Floats last(dy.size());
        layers[2].y = last.data();
        conv_stack_forward(layers, x.data(), threads);
        CHECK(last == y[2]);
    }
}

}  // namespace

int main() {
    on_every_isa([](Isa isa) {
        equals_the_layers(isa, 9, 30, 3, 25, 4, 2);
        equals_the_layers(isa, 19, 7, 16, 16, 2, 8);
        equals_the_layers(isa, 8, 1, 1, 1, 3, 1);
        equals_the_layers(isa, 1, 60, 20, 36, 3, 1);  // layer by layer
        equals_the_layers(isa, 3, 9, 5, 4, 2, 4);
    });
    const Floats w = normal(100);
    const ConvStackLayer few{settings(7, 3, 2, 2, 1, 1, false, 0), w.data(), nullptr, 0, -1, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
    CHECK(!conv_stack_fits({few, few}));
    return check::done("conv_stack");
}
