// A model that says something at every step: scaled inputs, a recurrent network or a TCN, a linear read-out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model_folder.h"
#include "seqloom/conv_stream.h"
#include "seqloom/stream.h"

namespace seqloom {

// What a folder says, read once and never changed.
class FrameModel {
  public:
    // Throws std::runtime_error in a sentence for a folder of another task, or a network that can't go step by step here.
    explicit FrameModel(const ModelFolder& folder);

    enum class Kind : int { numbers, classes, binary };
    Kind kind;
    std::int64_t inputs, outputs, width;  // width: of the body's features
    std::vector<std::string> channels, classes;
    std::vector<double> mean, std, target_mean, target_std;  // empty where nothing is scaled
    std::vector<float> weight, bias;                         // of the read-out, (outputs, width)

    struct Recurrent {
        ScanSettings settings;
        std::vector<float> w_x, w_h, bias, peephole, gain_x, gain_h, gain_c;
    };
    struct Convolution {
        ConvSettings settings;
        std::vector<float> weight, bias;
        std::int64_t source, residual;
    };
    std::vector<Recurrent> recurrent;
    std::vector<Convolution> convolutions;

  private:
    void read_recurrent(const ModelFolder& folder, const Json& body);
    void read_convolutions(const ModelFolder& folder, const Json& body);
    void read_coding(const ModelFolder& folder);
};

// One way through a model for a batch of sequences; the model may go before it does.
class FrameStream {
  public:
    FrameStream(std::shared_ptr<const FrameModel> model, std::int64_t batch);
    void step(const double* x, double* y) noexcept;
    std::int64_t state_size() const noexcept;
    void get_state(float* state) const;
    void set_state(const float* state);

  private:
    std::shared_ptr<const FrameModel> model_;
    std::int64_t batch_;
    std::unique_ptr<Stream> recurrent_;
    std::unique_ptr<ConvStream> convolutions_;
    std::vector<std::int64_t> context_;  // floats of each convolution's rows
    std::vector<float> x_, features_;
};

}  // namespace seqloom
