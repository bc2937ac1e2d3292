// Weights on their way into the kernels: their order in blocks of gates, and packing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "planted.h"
#include "scan_plan.h"
#include "seqloom/scan.h"
#include "seqloom/workspace.h"
#include "whole_numbers.h"

namespace seqloom {

const ScanKernels& current_kernels();  // of the instruction set in use
ScanPlan make_plan(const ScanSettings& settings, const ScanArrays& arrays);

// Gate of the weights for each block that the inputs feed, and for each that the state feeds.
struct Blocks {
    std::int64_t of_x[4];
    std::int64_t of_h[4];
    explicit Blocks(const ScanPlan& p) : of_x{0, 1, 2, 3}, of_h{0, 1, 2, 3} {
        if (p.kind == CellKind::gru) std::copy_n(std::begin({std::int64_t{2}, std::int64_t{0}, std::int64_t{1}}), 3, of_x);
        if (p.G > 1 && planted(Mistake::swapped_gates)) std::swap(of_x[0], of_x[1]);
    }
};

// Weights made ready for the kernels: places in one block of memory, the matrices packed in parallel.
class Packing {
  public:
    void matrix(PackedMatrix& to, const PackSource& from, std::int64_t columns) {
        to.columns = columns;
        to.depth = 0;
        for (int part = 0; part < from.parts; ++part) to.depth += from.part[part].padded;
        jobs_.push_back({&to, from, take(to.depth * columns)});
    }
    std::int64_t take(std::int64_t floats) {
        const std::int64_t at = size_;
        size_ += up(floats, 16);
        return at;
    }
    std::int64_t size() const { return size_; }
    void run(float* memory, int threads);

  private:
    struct Job {
        PackedMatrix* to;
        PackSource from;
        std::int64_t at;
    };
    std::vector<Job> jobs_;
    std::int64_t size_ = 0;
};

// Weights and their order in one place for both passes.
struct Weights {
    const ScanArrays& a;
    const ScanPlan& p;
    Blocks blocks;
    std::int64_t width;  // of w_x and w_h
    std::optional<Workspace> centred;  // with layer norm: w_x, then w_h, the mean of each row taken off

    Weights(const ScanArrays& arrays, const ScanPlan& plan);

    PackPart x_rows() const { return {centred ? centred->data() : a.w_x, 0, p.I, p.I, width}; }
    PackPart h_rows() const { return {centred ? centred->data() + p.I * width : a.w_h, 0, p.S, p.S, width}; }

    // Columns of the gates in `order`, rows of the inputs, of the state, or both.
    PackSource gates(std::initializer_list<PackPart> parts, const std::int64_t* order, std::int64_t count) const {
        PackSource source{};
        for (const PackPart& part : parts) source.part[source.parts++] = part;
        for (std::int64_t block = 0; block < count; ++block) source.column_start[block] = order[block] * p.H;
        source.column_size = p.H;
        source.column_padded = p.Hp;
        source.column_stride = 1;
        return source;
    }
    // The transpose: rows of the gates in `order`, columns of the inputs or the state.
    PackSource back(const float* w, const std::int64_t* order, std::int64_t count, std::int64_t size, std::int64_t padded) const {
        PackSource source{};
        source.parts = static_cast<int>(count);
        for (std::int64_t block = 0; block < count; ++block) source.part[block] = {w, order[block] * p.H, p.H, p.Hp, 1};
        source.column_size = size;
        source.column_padded = padded;
        source.column_stride = width;
        return source;
    }
    PackSource out() const {
        PackSource source{};
        source.part[0] = {a.w_out, 0, p.H, p.H, p.S};
        source.parts = 1;
        source.column_size = p.S;
        source.column_padded = p.Sp;
        source.column_stride = 1;
        return source;
    }
    PackSource out_back() const {
        PackSource source{};
        source.part[0] = {a.w_out, 0, p.S, p.Sp, 1};
        source.parts = 1;
        source.column_size = p.H;
        source.column_padded = p.Hp;
        source.column_stride = p.S;
        return source;
    }

    // v (count * H) in block order, padded with zeros; `missing` where v is null.
    void spread(const float* v, const std::int64_t* order, std::int64_t count, float missing, float* to) const {
        for (std::int64_t block = 0; block < count; ++block)
            for (std::int64_t j = 0; j < p.Hp; ++j)
                to[block * p.Hp + j] = j >= p.H ? 0.0F : v == nullptr ? missing : v[order[block] * p.H + j];
    }
    // The gates' starts: both biases, the second one apart where the candidate keeps it inside the reset gate.
    void biases(float* to) const {
        const std::int64_t total = p.blocks * p.Hp;
        std::fill_n(to, total, 0.0F);
        for (std::int64_t block = 0; block < p.G; ++block)
            for (std::int64_t j = 0; j < p.H; ++j) {
                if (a.bias != nullptr) to[block * p.Hp + j] += a.bias[blocks.of_x[block] * p.H + j];
                // Reset before: the state's blocks r z n are the gate blocks 1 2 0.
                const std::int64_t place = (block + p.h_block) % p.blocks;
                if (a.bias_h != nullptr) to[place * p.Hp + j] += a.bias_h[blocks.of_h[block] * p.H + j];
            }
    }
};

// The small vectors that both passes read.
struct Vectors {
    std::int64_t gain_x, gain_h, gain_c, peephole;
    Vectors(Packing& packing, const ScanPlan& p)
        : gain_x(packing.take(p.layer_norm ? p.G * p.Hp : 0)),
          gain_h(packing.take(p.layer_norm ? p.G * p.Hp : 0)),
          gain_c(packing.take(p.layer_norm ? p.Hp : 0)),
          peephole(packing.take(p.peephole ? 3 * p.Hp : 0)) {}
    void fill(ScanPlan& p, const Weights& w, float* memory) const {
        if (p.layer_norm) {
            w.spread(w.a.gain_x, w.blocks.of_x, p.G, 1.0F, memory + gain_x);
            w.spread(w.a.gain_h, w.blocks.of_h, p.G, 1.0F, memory + gain_h);
            w.spread(w.a.gain_c, w.blocks.of_h, 1, 1.0F, memory + gain_c);
            p.gain_x = memory + gain_x;
            p.gain_h = memory + gain_h;
            p.gain_c = memory + gain_c;
        }
        if (p.peephole) {  // rows i f o inside; coupled has f o
            float* rows = memory + peephole;
            std::fill_n(rows, p.Hp, 0.0F);
            const std::int64_t order[3] = {0, 1, 2};
            w.spread(w.a.peephole, order, p.coupled ? 2 : 3, 0.0F, rows + (p.coupled ? p.Hp : 0));
            p.peephole_rows = rows;
        }
    }
};

void pack_forward(ScanPlan& p, const Weights& w, Packing& packing);
void pack_backward(ScanPlan& p, const Weights& w, Packing& packing);

}  // namespace seqloom
