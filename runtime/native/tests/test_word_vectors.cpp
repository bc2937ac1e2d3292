#include "seqloom/word_vectors.h"

#include <cmath>
#include <stdexcept>
#include <vector>

#include "check.h"

using namespace seqloom;

int main() {
    // Three words of two numbers; h = (1, 0), the right row scores 0, so it moves by half of h and back.
    std::vector<float> in{1, 0, 0, 1, 1, 1};
    std::vector<float> out(6, 0.0F);
    std::vector<std::int32_t> inputs{0};
    std::vector<std::int64_t> starts{0, 1, 1};  // the second example has no inputs
    std::vector<std::int32_t> targets{1, 2, 1, 0, 0, 0};
    NegativeSampling job{in.data(), out.data(), 3, 2, inputs.data(), 1, starts.data(), targets.data(), 2, 3, 1.0F};
    const double loss = negative_sampling(job);
    CHECK(std::fabs(loss - 2 * std::log(2.0)) < 1e-6);  // the drawn row that equals the right one is passed over
    CHECK(out[2] == 0.5F && out[4] == -0.5F && out[0] == 0.0F && in[0] == 1.0F);
    const std::vector<float> before = in;
    inputs[0] = 3;
    CHECK_THROWS(negative_sampling(job), std::out_of_range);
    inputs[0] = 0;
    targets[5] = -1;
    CHECK_THROWS(negative_sampling(job), std::out_of_range);
    targets[5] = 0;
    starts[1] = 2;
    CHECK_THROWS(negative_sampling(job), std::out_of_range);
    starts = {0, 0, 0};
    CHECK_THROWS(negative_sampling(job), std::out_of_range);
    CHECK(in == before);

    // One pair: w = (1, 0 | 0), c = (1, 0 | 0), log 3: the error is −2.
    std::vector<float> word{1, 0, 0, 0, 0, 0};
    std::vector<float> context{0, 0, 0, 1, 0, 0};
    std::vector<float> word_squares(6, 1.0F);
    std::vector<float> context_squares(6, 1.0F);
    std::vector<std::int32_t> left{0};
    std::vector<std::int32_t> right{1};
    std::vector<float> logs{3};
    std::vector<float> weights{0.5F};
    Glove pair{word.data(), context.data(), word_squares.data(), context_squares.data(), 2, 2, left.data(), right.data(), logs.data(),
               weights.data(), 1, 0.1F};
    CHECK(std::fabs(glove(pair) - 1.0) < 1e-6);
    CHECK(std::fabs(word[0] - 1.1F) < 1e-6 && std::fabs(word[2] - 0.1F) < 1e-6 && std::fabs(context[3] - 1.1F) < 1e-6);
    CHECK(std::fabs(word_squares[0] - 1.01F) < 1e-6 && word_squares[1] == 1.0F);
    right[0] = 2;
    CHECK_THROWS(glove(pair), std::out_of_range);
    return check::done("word vectors");
}
