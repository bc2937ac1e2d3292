#include "json.h"

#include <charconv>
#include <cmath>
#include <stdexcept>

namespace seqloom {
namespace {

constexpr int deepest = 64;

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    Json whole() {
        Json found = value(0);
        space();
        if (at_ != text_.size()) fail("the end of the file");
        return found;
    }

  private:
    std::string_view text_;
    std::size_t at_ = 0;

    [[noreturn]] void fail(const std::string& wanted) const { throw std::runtime_error("expected " + wanted + " at byte " + std::to_string(at_)); }
    bool more() const noexcept { return at_ < text_.size(); }
    char here() const noexcept { return more() ? text_[at_] : '\0'; }
    void space() {
        while (more() && (here() == ' ' || here() == '\n' || here() == '\r' || here() == '\t')) ++at_;
    }
    bool take(char c) {
        space();
        if (here() != c || !more()) return false;
        ++at_;
        return true;
    }
    void word(std::string_view expected) {
        if (text_.substr(at_, expected.size()) != expected) fail("a JSON value");
        at_ += expected.size();
    }

    Json value(int depth) {
        if (depth > deepest) fail("fewer than 64 nested brackets");
        space();
        Json found;
        switch (here()) {
            case '{': object(found, depth); break;
            case '[': list(found, depth); break;
            case '"':
                found.type = Json::Type::text;
                found.text = string();
                break;
            case 't':
                word("true");
                found.type = Json::Type::boolean;
                found.truth = true;
                break;
            case 'f':
                word("false");
                found.type = Json::Type::boolean;
                break;
            case 'n': word("null"); break;
            default: number(found);
        }
        return found;
    }

    void object(Json& found, int depth) {
        found.type = Json::Type::object;
        ++at_;
        if (take('}')) return;
        do {
            space();
            if (here() != '"') fail("a name in quotation marks");
            std::string name = string();
            if (!take(':')) fail("':'");
            found.members.emplace_back(std::move(name), value(depth + 1));
        } while (take(','));
        if (!take('}')) fail("',' or '}'");
    }

    void list(Json& found, int depth) {
        found.type = Json::Type::list;
        ++at_;
        if (take(']')) return;
        do found.items.push_back(value(depth + 1));
        while (take(','));
        if (!take(']')) fail("',' or ']'");
    }

    void number(Json& found) {
        const std::size_t first = at_;
        while (more() && (std::string_view("+-.eE").find(here()) != std::string_view::npos || (here() >= '0' && here() <= '9'))) ++at_;
        found.type = Json::Type::number;
        found.text = std::string(text_.substr(first, at_ - first));
        const char* last = found.text.data() + found.text.size();
        const auto [end, error] = std::from_chars(found.text.data(), last, found.number);
        if (error != std::errc() || end != last || !std::isfinite(found.number)) {
            at_ = first;
            fail("a JSON value");
        }
    }

    unsigned hex4() {
        unsigned code = 0;
        const std::string_view digits = text_.substr(at_, 4);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) fail("four hexadecimal digits");
        at_ += 4;
        return code;
    }

    static void append(std::string& out, unsigned code) {
        const auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
        if (code < 0x80U) return put(code);
        if (code < 0x800U) {
            put(0xC0U | code >> 6U);
        } else if (code < 0x10000U) {
            put(0xE0U | code >> 12U);
            put(0x80U | (code >> 6U & 0x3FU));
        } else {
            put(0xF0U | code >> 18U);
            put(0x80U | (code >> 12U & 0x3FU));
            put(0x80U | (code >> 6U & 0x3FU));
        }
        put(0x80U | (code & 0x3FU));
    }

    std::string string() {
        std::string out;
        ++at_;
        while (more() && here() != '"') {
            const char c = text_[at_++];
            if (static_cast<unsigned char>(c) < 0x20U) fail("no control character in a text");
            if (c != '\\') {
                out.push_back(c);
                continue;
            }
            const std::string_view names = "\"\\/bfnrt";
            const std::size_t which = more() ? names.find(here()) : std::string_view::npos;
            if (which != std::string_view::npos) {
                out.push_back("\"\\/\b\f\n\r\t"[which]);
                ++at_;
            } else if (here() == 'u') {
                ++at_;
                unsigned code = hex4();
                if (code >= 0xD800U && code < 0xDC00U && text_.substr(at_, 2) == "\\u") {
                    at_ += 2;
                    const unsigned low = hex4();
                    if (low < 0xDC00U || low > 0xDFFFU) fail("the second half of a surrogate pair");
                    code = 0x10000U + ((code - 0xD800U) << 10U) + (low - 0xDC00U);
                }
                if (code >= 0xD800U && code <= 0xDFFFU) fail("a whole surrogate pair");
                append(out, code);
            } else {
                fail("an escape of JSON");
            }
        }
        if (!more()) fail("a closing quotation mark");
        ++at_;
        return out;
    }
};

[[noreturn]] void wrong(std::string_view what, const char* wanted) {
    throw std::runtime_error("expected " + std::string(wanted) + " under '" + std::string(what) + "'");
}

}  // namespace

const Json& Json::at(std::string_view name) const {
    static const Json nothing;
    if (type != Type::object) wrong(name, "an object that holds a value");
    for (const auto& [key, value] : members)
        if (key == name) return value;
    return nothing;
}

const std::string& Json::as_text(std::string_view what) const {
    if (type != Type::text) wrong(what, "a text");
    return text;
}

bool Json::as_flag(std::string_view what) const {
    if (type != Type::boolean) wrong(what, "true or false");
    return truth;
}

double Json::as_number(std::string_view what) const {
    if (type != Type::number) wrong(what, "a number");
    return number;
}

std::int64_t Json::as_size(std::string_view what, std::int64_t least) const {
    const double value = as_number(what);
    if (value < static_cast<double>(least) || value > 2147483648.0 || std::floor(value) < value) wrong(what, "a whole number in its range");
    return static_cast<std::int64_t>(value);
}

const std::vector<Json>& Json::as_list(std::string_view what) const {
    if (type != Type::list) wrong(what, "a list");
    return items;
}

Json parse_json(std::string_view text) { return Reader(text).whole(); }

}  // namespace seqloom
