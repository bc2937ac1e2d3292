// The yardstick gives rates that a machine can have, and refuses arrays that it can't measure.
#include "seqloom/yardstick.h"

#include <stdexcept>

#include "check.h"
#include "seqloom/cpu.h"

using namespace seqloom;

int main() {
    for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
        if (isa > best_isa()) continue;
        use_isa(isa);
        for (const int threads : {1, 2}) {
            const double peak = peak_operations(threads);
            CHECK(peak > 1e6 && peak < 1e14);
        }
    }
    const double bandwidth = memory_bandwidth(1 << 16, 2);
    CHECK(bandwidth > 1e6 && bandwidth < 1e14);
    for (const std::int64_t floats : {std::int64_t{-1}, std::int64_t{0}, (std::int64_t{1} << 28) + 1})
        CHECK_THROWS(memory_bandwidth(floats, 1), std::invalid_argument);
    return check::done("yardstick");
}
