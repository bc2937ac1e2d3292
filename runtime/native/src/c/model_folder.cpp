#include "model_folder.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>

#include "sha256.h"

namespace seqloom {
namespace {

constexpr std::int64_t most_header = std::int64_t{1} << 28, most_arrays = std::int64_t{1} << 34;  // bytes

std::string read_file(const std::string& path, std::int64_t most) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) throw std::runtime_error(path + ": expected a file of a model folder, found none that can be read.");
    const std::int64_t size = static_cast<std::int64_t>(file.tellg());
    if (size < 0 || size > most)
        throw std::runtime_error(path + ": expected a file of at most " + std::to_string(most) + " bytes, found " + std::to_string(size) + ".");
    std::string bytes(static_cast<std::size_t>(size), '\0');
    file.seekg(0);
    if (!file.read(bytes.data(), size)) throw std::runtime_error(path + ": it could not be read to its end.");
    return bytes;
}

std::string in_words(const std::vector<std::int64_t>& shape) {
    std::string out = "(";
    for (const std::int64_t size : shape) out += std::to_string(size) + ", ";
    return out.substr(0, std::max<std::size_t>(out.size(), 3) - 2) + ")";
}

}  // namespace

ModelFolder::ModelFolder(const std::string& folder) {
    const std::string about = folder + "/model.json", arrays = folder + "/model.safetensors";
    const std::string text = read_file(about, most_header);
    try {
        header_ = parse_json(text);
        if (header_.at("format").as_text("format") != "seqloom model") throw std::runtime_error("this is not a seqloom model");
        if (header_.at("schema").as_size("schema") != 1) throw std::runtime_error("expected schema 1; load it with the version that wrote it");
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(about + ": " + error.what() + ".");
    }
    blob_ = read_file(arrays, most_arrays);
    const Json& recorded = header_.at("files").at("model.safetensors");
    if (recorded.at("bytes").as_number("bytes") != static_cast<double>(blob_.size()) || recorded.at("sha256").as_text("sha256") != sha256(blob_))
        throw std::runtime_error(arrays + ": its size or checksum is not the one that model.json records, so that it was truncated or altered; copy the model again.");
    try {
        read_arrays(arrays);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(arrays + ": not a valid safetensors file: " + error.what() + ".");
    }
}

void ModelFolder::read_arrays(const std::string& path) {
    std::uint64_t length = 0;
    if (blob_.size() < sizeof length) throw std::runtime_error("it ends before its header");
    static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");
    std::memcpy(&length, blob_.data(), sizeof length);
    if (length > blob_.size() - sizeof length) throw std::runtime_error("its header is longer than " + path);
    const std::size_t begin = sizeof length + static_cast<std::size_t>(length), bytes = blob_.size() - begin;
    const Json about = parse_json(std::string_view(blob_).substr(sizeof length, static_cast<std::size_t>(length)));
    if (about.type != Json::Type::object) throw std::runtime_error("expected an object as its header");
    for (const auto& [name, entry] : about.members) {
        if (name == "__metadata__") continue;
        Array found{entry.at("dtype").as_text("dtype"), {}, 0, 0};
        for (const Json& size : entry.at("shape").as_list("shape")) found.shape.push_back(size.as_size("shape"));
        const std::vector<Json>& offsets = entry.at("data_offsets").as_list("data_offsets");
        if (offsets.size() != 2) throw std::runtime_error("expected two data_offsets of " + name);
        const double first = offsets[0].as_number("data_offsets"), last = offsets[1].as_number("data_offsets");
        if (first < 0 || last < first || last > static_cast<double>(bytes)) throw std::runtime_error("the array " + name + " lies outside of the file");
        found.first = begin + static_cast<std::size_t>(first);
        found.last = begin + static_cast<std::size_t>(last);
        arrays_.emplace(name, std::move(found));
    }
}

template <class Number>
std::vector<Number> ModelFolder::numbers(const std::string& name, const std::vector<std::int64_t>& shape, std::string_view type) const {
    const auto found = arrays_.find(name);
    if (found == arrays_.end()) throw std::runtime_error("model.safetensors: expected an array '" + name + "'.");
    const Array& array = found->second;
    if (array.type != type || array.shape != shape)
        throw std::runtime_error("model.safetensors: expected '" + name + "' of shape " + in_words(shape) + " and " + std::string(type) + ", found " +
                                 in_words(array.shape) + " and " + array.type + ".");
    std::size_t count = 1;
    for (const std::int64_t size : shape) {
        const auto n = static_cast<std::size_t>(size);
        if (n != 0 && count > std::numeric_limits<std::size_t>::max() / sizeof(Number) / n) throw std::runtime_error("model.safetensors: '" + name + "' is too large.");
        count *= n;
    }
    if (array.last - array.first != count * sizeof(Number))
        throw std::runtime_error("model.safetensors: '" + name + "' holds " + std::to_string(array.last - array.first) + " bytes, its shape needs " +
                                 std::to_string(count * sizeof(Number)) + ".");
    std::vector<Number> out(count);
    if (count != 0) std::memcpy(out.data(), blob_.data() + array.first, count * sizeof(Number));
    for (const Number value : out)
        if (!std::isfinite(value)) throw std::runtime_error("model.safetensors: '" + name + "' holds NaN or infinity.");
    return out;
}

std::vector<float> ModelFolder::floats(const std::string& name, const std::vector<std::int64_t>& shape) const { return numbers<float>(name, shape, "F32"); }
std::vector<double> ModelFolder::doubles(const std::string& name, const std::vector<std::int64_t>& shape) const {
    return numbers<double>(name, shape, "F64");
}

}  // namespace seqloom
