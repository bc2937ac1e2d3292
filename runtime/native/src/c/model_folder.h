// A model folder (docs/files.md): model.json, and the arrays of model.safetensors, whose size and checksum it records.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "json.h"

namespace seqloom {

class ModelFolder {
  public:
    // Throws std::runtime_error, naming the file, where one is missing, too large, altered, or not what it should be.
    explicit ModelFolder(const std::string& folder);

    const Json& header() const noexcept { return header_; }
    bool has(const std::string& name) const { return arrays_.count(name) != 0; }
    // The array of that name, finite, of that shape; throws std::runtime_error otherwise.
    std::vector<float> floats(const std::string& name, const std::vector<std::int64_t>& shape) const;
    std::vector<double> doubles(const std::string& name, const std::vector<std::int64_t>& shape) const;

  private:
    struct Array {
        std::string type;
        std::vector<std::int64_t> shape;
        std::size_t first, last;  // bytes of blob_
    };
    template <class Number>
    std::vector<Number> numbers(const std::string& name, const std::vector<std::int64_t>& shape, std::string_view type) const;
    void read_arrays(const std::string& path);

    Json header_;
    std::string blob_;
    std::map<std::string, Array> arrays_;
};

}  // namespace seqloom
