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

// Have glibc's allocator keep up to 128 MiB of freed memory for the arrays that come next, torch's among them, instead of
// giving 4 MiB back at every turn: asking for the pages again takes longer than the loss of a training step. Once a
// process, and not where the user has set the allocator's thresholds or SEQLOOM_KEEP_PAGES=0. Whether it does.
bool keep_freed_pages() noexcept;

// Bytes kept for later calls.
std::int64_t workspace_kept() noexcept;

}  // namespace seqloom
