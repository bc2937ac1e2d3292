#include "seqloom/cpu.h"

#include <stdexcept>

#include "check.h"

int main() {
    using namespace seqloom;
    CHECK(parse_isa("") == best_isa());
    CHECK(parse_isa("portable") == Isa::portable);
    CHECK_THROWS(parse_isa("sse9"), std::invalid_argument);
    CHECK(current_isa() == best_isa());
    use_isa(Isa::portable);
    CHECK(current_isa() == Isa::portable);
    CHECK(isa_name(Isa::avx512) == "avx512");
    if (best_isa() < Isa::avx512) CHECK_THROWS(parse_isa("avx512"), std::invalid_argument);
    return check::done("cpu");
}
