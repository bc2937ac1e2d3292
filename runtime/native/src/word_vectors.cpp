#include "seqloom/word_vectors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace seqloom {
namespace {

// Eight sums side by side: the compiler may not reorder a single one, and the order is the same on every machine.
float dot(const float* a, const float* b, std::int64_t n) {
    std::array<float, 8> sums{};
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (std::size_t l = 0; l < 8; ++l) sums[l] += a[i + static_cast<std::int64_t>(l)] * b[i + static_cast<std::int64_t>(l)];
    float rest = 0;
    for (; i < n; ++i) rest += a[i] * b[i];
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7])) + rest;
}

void add(float* to, const float* from, float scale, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) to[i] += scale * from[i];
}

void check(const std::int32_t* rows, std::int64_t count, std::int64_t limit) {
    for (std::int64_t n = 0; n < count; ++n)
        if (rows[n] < 0 || rows[n] >= limit)
            throw std::out_of_range("word " + std::to_string(rows[n]) + " is not one of " + std::to_string(limit) + ".");
}

}  // namespace

double negative_sampling(const NegativeSampling& job) {
    if (job.count < 0 || job.per < 1 || job.size < 1) throw std::invalid_argument("examples need a target and vectors a number.");
    check(job.inputs, job.inputs_count, job.rows);
    check(job.targets, job.count * job.per, job.rows);
    if (job.starts[0] != 0 || job.starts[job.count] != job.inputs_count) throw std::out_of_range("the examples don't share out the inputs.");
    for (std::int64_t n = 0; n < job.count; ++n)
        if (job.starts[n + 1] < job.starts[n]) throw std::out_of_range("the starts of the examples fall.");
    std::vector<float> mean(static_cast<std::size_t>(job.size));
    std::vector<float> step(static_cast<std::size_t>(job.size));
    double loss = 0;
    for (std::int64_t n = 0; n < job.count; ++n) {
        const std::int64_t first = job.starts[n];
        const std::int64_t own = job.starts[n + 1] - first;
        if (own == 0) continue;
        const float share = 1.0F / static_cast<float>(own);
        std::fill(mean.begin(), mean.end(), 0.0F);
        std::fill(step.begin(), step.end(), 0.0F);
        for (std::int64_t k = 0; k < own; ++k) add(mean.data(), job.in + job.inputs[first + k] * job.size, share, job.size);
        const std::int32_t* targets = job.targets + n * job.per;
        for (std::int64_t k = 0; k < job.per; ++k) {
            if (k > 0 && targets[k] == targets[0]) continue;
            float* out = job.out + targets[k] * job.size;
            const float label = k == 0 ? 1.0F : 0.0F;
            const float score = dot(mean.data(), out, job.size);
            const float tail = std::exp(-std::fabs(score));
            const float chance = score >= 0 ? 1.0F / (1.0F + tail) : tail / (1.0F + tail);
            loss += static_cast<double>(std::log1p(tail) + std::max(k == 0 ? -score : score, 0.0F));
            const float scale = job.rate * (label - chance);
            add(step.data(), out, scale, job.size);
            add(out, mean.data(), scale, job.size);
        }
        for (std::int64_t k = 0; k < own; ++k) add(job.in + job.inputs[first + k] * job.size, step.data(), share, job.size);
    }
    return loss;
}

double glove(const Glove& job) {
    if (job.count < 0 || job.size < 1) throw std::invalid_argument("vectors need a number.");
    check(job.left, job.count, job.rows);
    check(job.right, job.count, job.rows);
    const std::int64_t width = job.size + 1;
    double loss = 0;
    for (std::int64_t n = 0; n < job.count; ++n) {
        float* w = job.word + job.left[n] * width;
        float* c = job.context + job.right[n] * width;
        float* w2 = job.word_squares + job.left[n] * width;
        float* c2 = job.context_squares + job.right[n] * width;
        const float error = dot(w, c, job.size) + w[job.size] + c[job.size] - job.logs[n];
        loss += 0.5 * static_cast<double>(job.weights[n]) * static_cast<double>(error) * static_cast<double>(error);
        const float scale = job.rate * job.weights[n] * error;
        for (std::int64_t i = 0; i < job.size; ++i) {
            const float dw = scale * c[i];
            const float dc = scale * w[i];
            w[i] -= dw / std::sqrt(w2[i]);
            c[i] -= dc / std::sqrt(c2[i]);
            w2[i] += dw * dw;
            c2[i] += dc * dc;
        }
        w[job.size] -= scale / std::sqrt(w2[job.size]);
        c[job.size] -= scale / std::sqrt(c2[job.size]);
        w2[job.size] += scale * scale;
        c2[job.size] += scale * scale;
    }
    return loss;
}

}  // namespace seqloom
