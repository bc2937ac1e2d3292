// Stochastic gradient steps of word vectors, one example after another: word2vec with negative sampling, and GloVe.
#pragma once

#include <cstdint>

namespace seqloom {

// Example n reads the mean h of the rows inputs[starts[n]] … inputs[starts[n + 1] - 1] of `in` and tells the row
// targets[n, 0] of `out` from the others, by −log σ(h·o) and −log σ(−h·o) (Mikolov et al. 2013, eq. 4). A row that was
// drawn although it is the right one is passed over, and an example without inputs too.
struct NegativeSampling {
    float* in;  // (rows, size)
    float* out;  // (rows, size)
    std::int64_t rows;
    std::int64_t size;
    const std::int32_t* inputs;
    std::int64_t inputs_count;
    const std::int64_t* starts;  // (count + 1)
    const std::int32_t* targets;  // (count, per)
    std::int64_t count;
    std::int64_t per;
    float rate;
};

// Returns the sum of the losses, each before its step. Throws std::out_of_range before anything is written.
double negative_sampling(const NegativeSampling& job);

// Example n: weights[n]·(w_i·c_j + b_i + d_j − logs[n])² / 2 with i = left[n], j = right[n], by AdaGrad whose sums start at
// 1 and hold the squares of rate times gradient (Pennington et al. 2014, and their program).
struct Glove {
    float* word;  // (rows, size + 1), the last column is the bias
    float* context;  // (rows, size + 1)
    float* word_squares;  // (rows, size + 1)
    float* context_squares;  // (rows, size + 1)
    std::int64_t rows;
    std::int64_t size;
    const std::int32_t* left;  // (count)
    const std::int32_t* right;  // (count)
    const float* logs;  // (count)
    const float* weights;  // (count)
    std::int64_t count;
    float rate;
};

double glove(const Glove& job);

}  // namespace seqloom
