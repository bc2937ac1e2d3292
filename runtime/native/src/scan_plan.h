// What one call of the recurrent scan needs, as plain data shared by the planner (scan_plan.cpp), the packing of weights and the kernels.
//
// Symbols as in ARCHITECTURE.md, Conventions. B batch, T time, I inputs, H hidden units, S width of the state, G gates.
// Hp and Sp are H and S rounded up to whole blocks of 16 columns, whatever the instruction set; the columns between are
// zero in packed weights and are kept finite everywhere.
//
// Inside, the gates stand in blocks of Hp columns so that the input product and the recurrent product each cover a
// contiguous range:  elman, jordan: h | lstm: i f g o (coupled: f g o) | gru: n r z u with u = the recurrent part of the
// candidate, so that the inputs feed n r z and the state feeds r z u. GRU with the reset gate before: n r z.
#pragma once

#include <cstdint>

namespace seqloom {

enum class CellKind : int { elman = 0, jordan = 1, lstm = 2, gru = 3 };
enum class Activation : int {
    tanh = 0, sigmoid = 1, relu = 2, leaky_relu = 3, elu = 4, softsign = 5, softplus = 6, identity = 7, hard_sigmoid = 8, hard_sigmoid_02 = 9
};

// (depth, columns), columns whole blocks of 16, in panels: see products.h.
struct PackedMatrix {
    const float* data = nullptr;
    std::int64_t depth = 0;
    std::int64_t columns = 0;
};

// Rows of a matrix to pack: row i lies at data + (start + i) * stride; `padded` - `size` rows of zeros follow.
struct PackPart {
    const float* data;
    std::int64_t start;
    std::int64_t size;
    std::int64_t padded;
    std::int64_t stride;
};

// The matrix to pack: its parts under one another; column n is unit n % column_padded of block n / column_padded, and lies
// column_start[block] + unit steps of column_stride into the row.
struct PackSource {
    PackPart part[4];
    int parts;
    std::int64_t column_start[4];
    std::int64_t column_size;
    std::int64_t column_padded;
    std::int64_t column_stride;
};

// A random event at a step: it happens where a Philox word lies below the threshold.
struct Draw {
    float probability = 0.0F;
    std::uint32_t threshold = 0;
    bool on = false;     // the option is set
    bool drawn = false;  // training: drawn at every step; otherwise the mean is used
};

struct ScanPlan {
    CellKind kind;
    Activation activation, gate_activation, output_activation;
    bool plain;  // tanh and sigmoid
    bool reset_after, coupled, peephole, layer_norm, has_out, reverse, save;
    bool by_units;  // a unit's new state hangs on the state before, not on what other units are within the step
    bool clip;
    float clip_at, epsilon;
    Draw zoneout, zoneout_cell, candidate;
    std::uint32_t key[2];

    std::int64_t B, T, I, H, S, Hp, Sp, G;
    std::int64_t blocks;    // of the gate scratch
    std::int64_t h_block;   // the state feeds blocks h_block ... h_block + G - 1, the inputs blocks 0 ... G - 1
    std::int64_t tile;      // batch rows of a tile
    std::int64_t tiles;

    const float *x, *h0, *c0, *d_x, *d_h;
    const std::uint8_t* mask;  // (B, T), or null

    // Saved for the backward pass: saved_row floats for every row and step, in the order of `saved_at`.
    float* saved;
    std::int64_t saved_row;
    std::int64_t saved_c, saved_hidden;  // where c and what the output product read begin
    std::int64_t chunk;                  // steps whose inputs and results are moved, and taken into the weight gradient, at once
    bool stored;                         // the gate gradients of all steps are kept, and the weight gradient follows the loop

    float* states;  // (B, T, S): the state after every step
    float *h_last, *c_last;

    const float* bias;  // blocks * Hp: what the gates start from (with layer norm: what is added after it)
    const float* bias_out;
    const float *gain_x, *gain_h, *gain_c;  // in block order, padded
    const float* peephole_rows;             // (3, Hp): i f o, i unused when coupled

    // Forward products. all: [x h] for elman, jordan, lstm; gru: x for n, [x h] for r z, h for u (reset before: r⊙h for n).
    PackedMatrix w_all, w_n, w_rz, w_u, w_out;
    PackedMatrix w_x, w_h;  // with layer norm, which needs them apart, in both passes: the mean of each row taken off

    // Backward.
    const float *dy, *dh_last, *dc_last;  // (B, T, S), (B, S), (B, H), or null
    float *dx, *dh0, *dc0;                // dx may be null
    PackedMatrix v_h, v_x, v_n, v_out;    // transposed weights: gates to state, gates to inputs, n to state, output to hidden
    // Gradients of the products x̃ W_x and h̃ W_h: one row of grad_row floats for every (t, b), the state's from grad_h on.
    // They overlap (the gate blocks), except with layer norm, where they stand one after the other.
    std::int64_t grad_row, grad_h;
    float *grads;        // stored: (T, B, grad_row)
    float *out_grads;    // stored: (T, B, Sp), gradients of the output product
};

// Sums over one strand of tiles; each strand has its own, reduced in order afterwards. Block order, padded columns.
struct WeightGrads {
    float* w_x;     // (I rounded up to 8, G * Hp), blocks 0 ... G - 1
    float* w_h;     // (S rounded up to 8, G * Hp), blocks h_block ...; reset before: r z n
    float* w_out;   // (H rounded up to 8, Sp)
    float* blocks;  // (blocks * Hp): sums of the gate gradients
    float *gain_x, *gain_h, *gain_c, *peephole, *bias_out;
};

// Adds to out (rows, columns) the part of a weight gradient from row `row` and column `column` on.
enum class LateMatrix : int { x = 0, h = 1, reset = 2, out = 3 };
struct LatePiece {
    LateMatrix which;
    std::int64_t row, rows, column, columns;
    float* out;
    std::int64_t ld;
};

// The forward pass of a few rows (scan_few.h): memory that its threads share. B rows of the batch.
struct FewRows {
    const float *w_x, *w_h;  // as they came, (I, G H) and (S, G H)
    std::int64_t of_x[4], of_h[4];  // the weights' gate of each block that the inputs feed, and the state
    std::int64_t chunk;             // steps whose gates are held at once
    int members;                    // threads that may take part
    float* gates;                   // (chunk, B, blocks Hp)
    float* h[2];                    // (B, Sp): the state before a step and after it, in turns
    float* state;                   // (B, Sp)
    float* c;                       // (B, Hp)
};

// Units from ... to - 1, whole cache lines.
struct UnitRange {
    std::int64_t from, to;
};

// The kernels of one instruction set.
struct ScanKernels {
    int lanes;
    std::int64_t (*panels)(std::int64_t columns);
    void (*pack)(const PackSource& from, const PackedMatrix& to, float* out, std::int64_t panel);
    std::int64_t (*forward_scratch)(const ScanPlan&);   // floats for a tile
    std::int64_t (*backward_scratch)(const ScanPlan&);  // floats for a tile
    void (*forward)(const ScanPlan&, std::int64_t tile, float* scratch);
    void (*backward)(const ScanPlan&, std::int64_t tile, const WeightGrads&, float* scratch);
    // Weight gradients after the loop (plan.stored), one piece of one matrix.
    std::int64_t (*late_scratch)(const LatePiece&);  // floats
    void (*late_gradient)(const ScanPlan&, const LatePiece&, float* scratch);
    // A few rows: first and last states, what gates start from at steps low ... high - 1, and steps from ... to - 1.
    void (*few_start)(const ScanPlan&, const FewRows&);
    void (*few_finish)(const ScanPlan&, const FewRows&);
    void (*few_inputs)(const ScanPlan&, const FewRows&, std::int64_t low, std::int64_t high, UnitRange);
    void (*few_steps)(const ScanPlan&, const FewRows&, std::int64_t low, std::int64_t from, std::int64_t to, UnitRange);
};

const ScanKernels& portable_kernels() noexcept;
const ScanKernels& avx2_kernels() noexcept;
const ScanKernels& avx512_kernels() noexcept;

}  // namespace seqloom
