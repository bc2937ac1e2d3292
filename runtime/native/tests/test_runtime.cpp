// seqloom/runtime.h on folders made here: JSON, checksums, damage. The numbers are compared with Python's in tests/runtime.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "check.h"
#include "json.h"
#include "seqloom/runtime.h"
#include "sha256.h"

namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string arrays(const std::string& about, const std::string& numbers) {
    const std::uint64_t length = about.size();
    std::string out(sizeof length, '\0');
    std::memcpy(out.data(), &length, sizeof length);
    return out + about + numbers;
}

// A GRU of one input, one unit and one output, all weights 0 but the read-out's bias of 0.5.
std::string safetensors() {
    std::string numbers(11 * 4 + 4, '\0');
    const float half = 0.5F;
    std::memcpy(numbers.data() + 9 * 4, &half, sizeof half);
    return arrays(
        R"({"network.body.recurrent.cells.0.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},)"
        R"("network.body.recurrent.cells.0.w_h":{"dtype":"F32","shape":[1,3],"data_offsets":[12,24]},)"
        R"("network.body.recurrent.cells.0.w_x":{"dtype":"F32","shape":[1,3],"data_offsets":[24,36]},)"
        R"("network.output.bias":{"dtype":"F32","shape":[1],"data_offsets":[36,40]},)"
        R"("network.output.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[40,44]}})",
        numbers);
}

std::string header(const std::string& blob, const std::string& kind = "gru", const std::string& units = "1") {
    return R"({"format":"seqloom model","schema":1,"task":"frame-model","files":{"model.safetensors":{"bytes":)" + std::to_string(blob.size()) +
           R"(,"sha256":")" + seqloom::sha256(blob) + R"("}},"channels":["level"],"coding":{"kind":"numbers","columns":1,"flat":true},)" +
           R"("network":{"body":{"kind":")" + kind + R"(","inputs":1,"units":)" + units + R"(,"layers":1},"outputs":1,"every_step":true}})";
}

std::string refused(const fs::path& folder) {
    char message[400] = "";
    seqloom_model* model = seqloom_load(folder.c_str(), message, sizeof message);
    CHECK(model == nullptr);
    seqloom_free(model);
    return message;
}

void json_is_read_strictly() {
    const seqloom::Json found = seqloom::parse_json(R"( {"a": [1, -2.5e1, true, null], "b\n": "\u00e9\ud83d\ude00\\"} )");
    CHECK(found.at("a").as_list("a").size() == 4);
    CHECK(found.at("a").items[1].as_number("a") == -25.0);
    CHECK(found.at("b\n").as_text("b") == "\xc3\xa9\xf0\x9f\x98\x80\\");
    CHECK(found.at("c").is_null());
    for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "nul", "\"\\x\"", "\"\\ud800\"", "1 2", "1e999", "NaN", "\"a\nb\"", "+1", "'a'"})
        CHECK_THROWS(seqloom::parse_json(text), std::runtime_error);
    CHECK_THROWS(seqloom::parse_json(std::string(100000, '[')), std::runtime_error);
    CHECK_THROWS(found.at("a").at("x"), std::runtime_error);
    CHECK_THROWS(found.at("a").items[1].as_size("a"), std::runtime_error);
}

void checksums_are_those_of_the_standard() {
    CHECK(seqloom::sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(seqloom::sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(seqloom::sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(seqloom::sha256(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

void a_folder_streams(const fs::path& folder) {
    const std::string blob = safetensors();
    write(folder / "model.safetensors", blob);
    write(folder / "model.json", header(blob));
    char message[400] = "";
    seqloom_model* model = seqloom_load(folder.c_str(), message, sizeof message);
    CHECK(model != nullptr);
    if (model == nullptr) {
        std::fprintf(stderr, "%s\n", message);
        return;
    }
    CHECK(seqloom_inputs(model) == 1 && seqloom_outputs(model) == 1);
    CHECK(std::string(seqloom_kind(model)) == "numbers" && std::string(seqloom_input_name(model, 0)) == "level");
    CHECK(seqloom_input_name(model, 1) == nullptr && seqloom_class_name(model, 0) == nullptr);
    CHECK(seqloom_open(model, 0, message, sizeof message) == nullptr && std::strncmp(message, "batch: expected", 15) == 0);
    seqloom_stream* stream = seqloom_open(model, 2, message, sizeof message);
    seqloom_free(model);  // the stream goes on
    const double x[2] = {3.0, -4.0};
    double y[2] = {};
    seqloom_step(stream, x, y);
    CHECK(y[0] == 0.5 && y[1] == 0.5);
    CHECK(seqloom_state_size(stream) == 2);
    const float put[2] = {0.25F, -1.0F};
    float got[2] = {};
    seqloom_set_state(stream, put);
    seqloom_get_state(stream, got);
    CHECK(got[0] == 0.25F && got[1] == -1.0F);
    seqloom_reset(stream);
    seqloom_get_state(stream, got);
    CHECK(got[0] == 0.0F && got[1] == 0.0F);
    seqloom_close(stream);
}

void damage_is_told(const fs::path& folder) {
    const std::string blob = safetensors();
    CHECK(refused(folder / "nothing").find("expected a file of a model folder") != std::string::npos);
    for (std::size_t cut = 0; cut < blob.size(); cut += 7) {
        write(folder / "model.safetensors", blob.substr(0, cut));
        CHECK(refused(folder).find("truncated or altered") != std::string::npos);
        const std::string about = header(blob.substr(0, cut));  // with the checksum of what is left
        write(folder / "model.json", about);
        CHECK(!refused(folder).empty());
        write(folder / "model.json", header(blob));
    }
    write(folder / "model.safetensors", blob);
    const std::string whole = header(blob);
    for (std::size_t at = 0; at < whole.size(); ++at) {  // a byte altered: refused, or as good as before, never worse
        std::string other = whole;
        other[at] = other[at] == '1' ? '7' : '1';
        write(folder / "model.json", other);
        char message[400] = "";
        seqloom_free(seqloom_load(folder.c_str(), message, sizeof message));
    }
    write(folder / "model.json", header(blob, "gru", "2000000000"));
    CHECK(!refused(folder).empty());
    write(folder / "model.json", header(blob, "conv"));
    CHECK(refused(folder).find("expected a network of the kinds") != std::string::npos);
    const std::string beyond = arrays(R"({"network.output.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}})", "abcd");
    write(folder / "model.safetensors", beyond);
    write(folder / "model.json", header(beyond));
    CHECK(refused(folder).find("lies outside of the file") != std::string::npos);
}

}  // namespace

int main() {
    const fs::path folder = fs::temp_directory_path() / ("seqloom_runtime_" + std::to_string(static_cast<unsigned long long>(fs::file_time_type::clock::now().time_since_epoch().count())));
    fs::create_directory(folder);
    json_is_read_strictly();
    checksums_are_those_of_the_standard();
    a_folder_streams(folder);
    damage_is_told(folder);
    fs::remove_all(folder);
    return check::done("runtime");
}
