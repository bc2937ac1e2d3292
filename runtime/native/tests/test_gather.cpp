#include "seqloom/gather.h"

#include <stdexcept>
#include <vector>

#include "check.h"

using namespace seqloom;

int main() {
    const std::int64_t rows = 500;
    const std::int64_t columns = 7;
    std::vector<float> matrix(static_cast<std::size_t>(rows * columns));
    for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<float>(i) * 0.5F;
    std::vector<std::int64_t> origins;
    for (std::int64_t n = 0; n < 3000; ++n) origins.push_back(60 + (n * 37) % 400);
    const auto count = static_cast<std::int64_t>(origins.size());
    for (std::int64_t every : {1, 6}) {
        const std::int64_t length = 10;
        const std::int64_t first = -length * every + every;
        for (int threads : {1, 2, 3}) {
            std::vector<float> out(static_cast<std::size_t>(count * length * columns), -1.0F);
            gather_windows({matrix.data(), rows, columns, origins.data(), count, first, length, every, out.data()}, threads);
            bool same = true;
            for (std::int64_t n = 0; n < count; ++n)
                for (std::int64_t l = 0; l < length; ++l)
                    for (std::int64_t c = 0; c < columns; ++c)
                        same = same && out[static_cast<std::size_t>((n * length + l) * columns + c)] ==
                                           matrix[static_cast<std::size_t>((origins[static_cast<std::size_t>(n)] + first + l * every) * columns + c)];
            CHECK(same);
        }
    }
    float none = 0;
    const std::int64_t low = 3;
    const std::int64_t high = 499;
    const std::int64_t huge = INT64_MAX;
    CHECK_THROWS(gather_windows({matrix.data(), rows, columns, &low, 1, -4, 1, 1, &none}, 1), std::out_of_range);
    CHECK_THROWS(gather_windows({matrix.data(), rows, columns, &high, 1, 0, 2, 1, &none}, 1), std::out_of_range);
    CHECK_THROWS(gather_windows({matrix.data(), rows, columns, &huge, 1, 1, 2, 1, &none}, 1), std::out_of_range);
    CHECK_THROWS(gather_windows({matrix.data(), rows, columns, &low, 1, 0, INT64_MAX, INT64_MAX, &none}, 1), std::invalid_argument);
    CHECK_THROWS(gather_windows({matrix.data(), rows, columns, &low, 1, 0, 1, 0, &none}, 1), std::invalid_argument);
    gather_windows({matrix.data(), rows, columns, &low, 0, 0, 5, 1, &none}, 2);
    gather_windows({matrix.data(), rows, columns, &low, 1, 0, 0, 1, &none}, 2);
    return check::done("gather");
}
