// Aligned memory that is kept from call to call: fresh pages cost more than small kernels do.
#pragma once

#include <cstdint>

namespace seqloom {

class Workspace {
  public:
    explicit Workspace(std::int64_t floats);
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;
    float* data() const noexcept { return data_; }

  private:
    float* data_ = nullptr;
    std::int64_t bytes_ = 0;
};

// Bytes kept for later calls.
std::int64_t workspace_kept() noexcept;

}  // namespace seqloom
