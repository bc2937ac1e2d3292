// The recurrent scan: forward and backward, float32, over a batch of sequences. Everything is a plain array of C order.
//
// Shapes and symbols as in ARCHITECTURE.md, Conventions: B batch, T time, I inputs, H hidden units, G gates, S width of
// the state (H; with projection and for the Jordan cell the output's). Gate order of the weights: lstm i f g o (coupled:
// f g o), gru r z n.
#pragma once

#include <cstdint>

namespace seqloom {

struct ScanSettings {
    int kind;  // CellKind: 0 elman, 1 jordan, 2 lstm, 3 gru
    int activation, gate_activation, output_activation;  // Activation
    bool reset_after, coupled, peephole, layer_norm;
    bool has_out;  // a product with w_out between the cell and its state: Jordan, LSTM with projection
    bool reverse;
    bool training;  // draw zoneout and candidate dropout; otherwise their means are used
    bool save;      // forward: keep what the backward pass needs
    float epsilon;
    double cell_clip;  // 0: none
    double zoneout, zoneout_cell, candidate_dropout;
    std::uint32_t key[2];  // of the random numbers
    std::int64_t B, T, I, H, S;
};

struct ScanArrays {
    const float *x, *h0, *c0;
    const float *w_x, *w_h, *bias, *bias_h, *peephole, *gain_x, *gain_h, *gain_c, *w_out, *bias_out;  // null where absent
    const std::uint8_t* mask;                                                                         // (B, T) or null
    const float *d_x, *d_h;                                                                           // (B, I), (B, S) or null
    float* states;  // (B, T, S): the state after every step; null without save where only the last is wanted
    float *h_last, *c_last;
    float* saved;  // T * B * saved_row floats
};

struct ScanGradients {
    const float *states, *h_last, *c_last;  // of the results, null where zero
    float *x, *h0, *c0;                     // x may be null
    float *w_x, *w_h, *bias, *bias_h, *peephole, *gain_x, *gain_h, *gain_c, *w_out, *bias_out;  // null where not wanted
};

// The key of one scan's random numbers from a seed, the number of the call and the layer (see seqloom.ops.philox).
void scan_key(std::uint64_t seed, std::uint64_t call, std::uint32_t layer, std::uint32_t key[2]) noexcept;

// Floats that the forward pass saves for every batch row and step.
std::int64_t scan_saved_row(const ScanSettings& settings);

// B and T at least 1. Every function here throws std::invalid_argument for a kind or an activation without kernels.
// The results have the same bits for any number of threads.
void scan_forward(const ScanSettings& settings, const ScanArrays& arrays, int threads);
void scan_backward(const ScanSettings& settings, const ScanArrays& arrays, const ScanGradients& gradients, int threads);

}  // namespace seqloom
