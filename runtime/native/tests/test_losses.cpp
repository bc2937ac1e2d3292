#include "seqloom/losses.h"

#include <cmath>
#include <vector>

#include "check.h"

using namespace seqloom;

int main() {
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{1}, std::int64_t{15}, std::int64_t{1030}, std::int64_t{100'003}}) {
        const auto size = static_cast<std::size_t>(n);
        std::vector<float> y(size);
        std::vector<float> target(size);
        double expected = 0;
        for (std::size_t i = 0; i < size; ++i) {
            y[i] = std::sin(static_cast<float>(i));
            target[i] = std::cos(3.0F * static_cast<float>(i));
            const double d = static_cast<double>(y[i]) - static_cast<double>(target[i]);
            expected += d * d;
        }
        std::vector<float> gradient(size);
        const double alone = squared_error(y.data(), target.data(), n, 2.0F, nullptr, 1);
        CHECK(std::abs(alone - expected) <= 1e-6 * expected);
        for (const int threads : {1, 2, 3}) {
            CHECK(squared_error(y.data(), target.data(), n, 2.0F, gradient.data(), threads) == alone);
            bool same = true;
            for (std::size_t i = 0; i < size; ++i) same = same && gradient[i] == 2.0F * (y[i] - target[i]);
            CHECK(same);
        }
    }
    return check::done("losses");
}
