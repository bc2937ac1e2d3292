// SHA-256 (FIPS 180-4), by which a model folder shows that it is whole.
#pragma once

#include <string>
#include <string_view>

namespace seqloom {

// In lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);

}  // namespace seqloom
