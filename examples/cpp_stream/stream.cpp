// Goes through a sequence one step at a time by a model that seqloom saved: no Python, no torch.
//
//     stream MODEL_FOLDER < rows.csv
//
// Each line holds the numbers of one step, separated by commas; each line that comes out those of the model, at once.
#include <seqloom/runtime.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

// The numbers of a line; false where it doesn't hold as many as x has places.
bool read_row(const std::string& line, std::vector<double>& x) {
    const char* at = line.c_str();
    for (std::size_t i = 0; i < x.size(); ++i) {
        char* end = nullptr;
        x[i] = std::strtod(at, &end);
        if (end == at || *end != (i + 1 < x.size() ? ',' : '\0')) return false;
        at = end + 1;
    }
    return true;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::cerr << "usage: stream MODEL_FOLDER < rows.csv\n";
        return 2;
    }
    char message[500];
    const std::unique_ptr<seqloom_model, decltype(&seqloom_free)> model(seqloom_load(arguments[1], message, sizeof message), seqloom_free);
    if (!model) {
        std::cerr << message << '\n';
        return 2;
    }
    const std::unique_ptr<seqloom_stream, decltype(&seqloom_close)> stream(seqloom_open(model.get(), 1, message, sizeof message), seqloom_close);
    if (!stream) {
        std::cerr << message << '\n';
        return 2;
    }
    std::vector<double> x(static_cast<std::size_t>(seqloom_inputs(model.get()))), y(static_cast<std::size_t>(seqloom_outputs(model.get())));
    std::string line;
    for (std::int64_t number = 1; std::getline(std::cin, line); ++number) {
        if (!read_row(line, x)) {
            std::cerr << "line " << number << ": expected " << x.size() << " numbers separated by commas, got '" << line.substr(0, 60) << "'\n";
            return 2;
        }
        seqloom_step(stream.get(), x.data(), y.data());
        for (std::size_t k = 0; k < y.size(); ++k) std::printf(k == 0 ? "%.9g" : ",%.9g", y[k]);
        std::printf("\n");
    }
    return 0;
}
