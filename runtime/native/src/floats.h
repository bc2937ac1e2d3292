// Zeroed floats that start on a cache line.
#pragma once

#include <algorithm>
#include <cstdint>
#include <new>

namespace seqloom {

class Floats {
  public:
    explicit Floats(std::int64_t count) : data_(static_cast<float*>(::operator new(bytes(count), line))) { std::fill_n(data_, count, 0.0F); }
    ~Floats() { ::operator delete(data_, line); }
    Floats(const Floats&) = delete;
    Floats& operator=(const Floats&) = delete;
    float* data() const noexcept { return data_; }

  private:
    static constexpr std::align_val_t line{64};
    static std::size_t bytes(std::int64_t count) { return static_cast<std::size_t>(std::max<std::int64_t>(count, 16)) * sizeof(float); }
    float* data_;
};

}  // namespace seqloom
