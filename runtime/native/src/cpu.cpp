#include "seqloom/cpu.h"

#include <atomic>
#include <stdexcept>

namespace seqloom {
namespace {

CpuFeatures detect() noexcept {
    CpuFeatures found;
#if defined(__x86_64__)
    // The builtin also asks the operating system (XGETBV) whether it saves the wide registers.
    __builtin_cpu_init();
    found.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    found.avx512 = found.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return found;
}

std::atomic<int> chosen{-1};

}  // namespace

const CpuFeatures& cpu_features() noexcept {
    static const CpuFeatures features = detect();
    return features;
}

Isa best_isa() noexcept {
    const CpuFeatures& features = cpu_features();
    return features.avx512 ? Isa::avx512 : features.avx2 ? Isa::avx2 : Isa::portable;
}

std::string_view isa_name(Isa isa) noexcept {
    switch (isa) {
        case Isa::avx512: return "avx512";
        case Isa::avx2: return "avx2";
        default: return "portable";
    }
}

Isa parse_isa(std::string_view name) {
    if (name.empty()) return best_isa();
    for (Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
        if (name != isa_name(isa)) continue;
        if (isa > best_isa())
            throw std::invalid_argument("the instruction set '" + std::string(name) + "' is not available on this processor; the widest is '" +
                                        std::string(isa_name(best_isa())) + "'.");
        return isa;
    }
    throw std::invalid_argument("the instruction set must be portable, avx2 or avx512, not '" + std::string(name) + "'.");
}

Isa current_isa() noexcept {
    const int value = chosen.load(std::memory_order_relaxed);
    return value < 0 ? best_isa() : static_cast<Isa>(value);
}

void use_isa(Isa isa) noexcept { chosen.store(static_cast<int>(isa), std::memory_order_relaxed); }

}  // namespace seqloom
