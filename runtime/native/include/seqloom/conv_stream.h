// A stack of causal convolutions one step at a time: weights packed once, the rows that kernels look back on in rings, no
// allocation in a step. The kernels are those of the whole sequence, and give its numbers bit for bit.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "seqloom/conv.h"

namespace seqloom {

// One layer: B rows of the batch, T = 1, no dropout, nothing saved. The arrays are copied. Outputs are numbered: 0 is the
// stack's input, j the j-th layer's output.
struct ConvStreamLayer {
    ConvSettings settings;
    const float* weight;
    const float* bias;      // or null
    std::int64_t source;    // the output that it reads
    std::int64_t residual;  // the output that it adds, or -1
};

class ConvStream {
  public:
    // Throws std::invalid_argument where there is no layer or their sizes don't fit together. The state starts at zero.
    explicit ConvStream(const std::vector<ConvStreamLayer>& layers);
    ~ConvStream();
    ConvStream(const ConvStream&) = delete;
    ConvStream& operator=(const ConvStream&) = delete;

    std::int64_t batch() const noexcept;
    std::int64_t inputs() const noexcept;
    std::int64_t outputs() const noexcept;

    // x (batch, inputs) in, the last layer's output into y (batch, outputs). One thread at a time.
    void step(const float* x, float* y) noexcept;

    // The rows that a layer still looks back on, oldest first: (batch, (K - 1) * dilation, I), copied out and in.
    void read(std::int64_t layer, float* rows) const;
    void write(std::int64_t layer, const float* rows);

  private:
    struct Layer;
    std::vector<std::unique_ptr<Layer>> layers_;
    std::int64_t inputs_ = 0;
};

}  // namespace seqloom
