// JSON of a bounded size and depth, as model.json is written: read whole, looked up by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace seqloom {

struct Json {
    enum class Type : int { null, boolean, number, text, list, object };
    Type type = Type::null;
    bool truth = false;
    double number = 0.0;
    std::string text;  // of a text its characters in UTF-8, of a number as it was written
    std::vector<Json> items;
    std::vector<std::pair<std::string, Json>> members;

    // The member of that name, or one of type null where it is missing; throws std::runtime_error where this is no object.
    const Json& at(std::string_view name) const;
    bool is_null() const noexcept { return type == Type::null; }
    // The value in that form; `what` names it in the sentence of the std::runtime_error that is thrown otherwise.
    const std::string& as_text(std::string_view what) const;
    bool as_flag(std::string_view what) const;
    double as_number(std::string_view what) const;
    std::int64_t as_size(std::string_view what, std::int64_t least = 0) const;  // at most 2^31
    const std::vector<Json>& as_list(std::string_view what) const;
};

// Throws std::runtime_error, naming the byte, for what is not JSON, or brackets nested more than 64 deep.
Json parse_json(std::string_view text);

}  // namespace seqloom
