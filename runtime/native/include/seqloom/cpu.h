// What the processor can do, and which build of the kernels runs: found once at run time, or forced by name.
#pragma once

#include <string>
#include <string_view>

namespace seqloom {

enum class Isa : int { portable = 0, avx2 = 1, avx512 = 2 };

struct CpuFeatures {
    bool avx2 = false;    // AVX2 and FMA, with the operating system saving the 256-bit registers
    bool avx512 = false;  // AVX-512 F, BW, DQ, VL, with the operating system saving the 512-bit registers
};

// The features of this processor.
const CpuFeatures& cpu_features() noexcept;

// The widest instruction set that this processor runs.
Isa best_isa() noexcept;

// "portable", "avx2" or "avx512".
std::string_view isa_name(Isa isa) noexcept;

// The instruction set for a name; an empty name means the best one.
// Throws std::invalid_argument for an unknown name and for one that this processor can't run.
Isa parse_isa(std::string_view name);

// The instruction set in use: the best one until `use_isa` says otherwise.
Isa current_isa() noexcept;
void use_isa(Isa isa) noexcept;

}  // namespace seqloom
