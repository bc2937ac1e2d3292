// A stack of recurrent layers one step at a time: weights packed once, no allocation in a step.
//
// A step runs the kernels of the scan on a sequence of one step, so that its numbers are those of the whole sequence,
// bit for bit.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "seqloom/scan.h"

namespace seqloom {

// One layer: settings with T = 1, nothing saved and no training; arrays with the weights alone. They are copied.
struct StreamLayer {
    ScanSettings settings;
    ScanArrays weights;
};

class Stream {
  public:
    // Throws std::invalid_argument where there is no layer or their sizes don't fit together. The state starts at zero.
    explicit Stream(const std::vector<StreamLayer>& layers);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    std::int64_t batch() const noexcept;
    std::int64_t inputs() const noexcept;
    std::int64_t outputs() const noexcept;
    std::int64_t layers() const noexcept;

    // x (batch, inputs) in, the last layer's state into y (batch, outputs). One thread at a time.
    void step(const float* x, float* y) noexcept;

    // The state h (batch, S) and c (batch, H) of a layer, to read or to write; c is null but for an lstm.
    float* h(std::int64_t layer) const;
    float* c(std::int64_t layer) const;
    std::int64_t h_size(std::int64_t layer) const;
    std::int64_t c_size(std::int64_t layer) const;

  private:
    struct Layer;
    std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace seqloom
