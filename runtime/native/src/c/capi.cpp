// seqloom/runtime.h: no exception crosses it.
#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>

#include "frame_model.h"
#include "seqloom/runtime.h"

struct seqloom_model {
    std::shared_ptr<const seqloom::FrameModel> held;
};
struct seqloom_stream {
    seqloom::FrameStream held;
    std::vector<float> fresh;  // the state at the beginning
};

namespace {

constexpr std::int64_t most_rows = std::int64_t{1} << 24;

void tell(const std::string& sentence, char* message, std::size_t size) noexcept {
    if (size == 0 || message == nullptr) return;
    const std::size_t count = std::min(sentence.size(), size - 1);
    std::memcpy(message, sentence.data(), count);
    message[count] = '\0';
}

// What `make` returns, or null with a sentence.
template <class Make>
auto guarded(char* message, std::size_t size, const std::string& where, Make make) noexcept -> decltype(make()) {
    try {
        return make();
    } catch (const std::bad_alloc&) {
        tell(where + ": there is not enough memory for it.", message, size);
    } catch (const std::exception& error) {
        const std::string sentence = error.what();
        tell(sentence.rfind(where, 0) == 0 ? sentence : where + ": " + sentence, message, size);
    }
    return nullptr;
}

const char* named(const std::vector<std::string>& names, std::int64_t k) noexcept {
    return k < 0 || k >= static_cast<std::int64_t>(names.size()) ? nullptr : names[static_cast<std::size_t>(k)].c_str();
}

}  // namespace

seqloom_model* seqloom_load(const char* folder, char* message, size_t size) {
    if (folder == nullptr) {
        tell("expected the path of a model folder, got none.", message, size);
        return nullptr;
    }
    return guarded(message, size, folder, [&] { return new seqloom_model{std::make_shared<const seqloom::FrameModel>(seqloom::ModelFolder(folder))}; });
}

void seqloom_free(seqloom_model* model) { delete model; }

int64_t seqloom_inputs(const seqloom_model* model) { return model->held->inputs; }
int64_t seqloom_outputs(const seqloom_model* model) { return model->held->outputs; }
const char* seqloom_kind(const seqloom_model* model) {
    switch (model->held->kind) {
        case seqloom::FrameModel::Kind::numbers: return "numbers";
        case seqloom::FrameModel::Kind::classes: return "classes";
        default: return "binary";
    }
}
const char* seqloom_input_name(const seqloom_model* model, int64_t input) { return named(model->held->channels, input); }
const char* seqloom_class_name(const seqloom_model* model, int64_t output) { return named(model->held->classes, output); }

seqloom_stream* seqloom_open(const seqloom_model* model, int64_t batch, char* message, size_t size) {
    if (batch < 1 || batch > most_rows) {
        tell("batch: expected 1 to " + std::to_string(most_rows) + " sequences, got " + std::to_string(batch) + ".", message, size);
        return nullptr;
    }
    return guarded(message, size, "stream", [&] {
        auto made = std::make_unique<seqloom_stream>(seqloom_stream{seqloom::FrameStream(model->held, batch), {}});
        made->fresh.resize(static_cast<std::size_t>(made->held.state_size()));
        made->held.get_state(made->fresh.data());
        return made.release();
    });
}

void seqloom_close(seqloom_stream* stream) { delete stream; }
void seqloom_step(seqloom_stream* stream, const double* x, double* y) { stream->held.step(x, y); }
void seqloom_reset(seqloom_stream* stream) { stream->held.set_state(stream->fresh.data()); }
int64_t seqloom_state_size(const seqloom_stream* stream) { return stream->held.state_size(); }
void seqloom_get_state(const seqloom_stream* stream, float* state) { stream->held.get_state(state); }
void seqloom_set_state(seqloom_stream* stream, const float* state) { stream->held.set_state(state); }
