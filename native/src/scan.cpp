// The planner of the recurrent scan: sizes, packed weights, tiles, the order of sums. The arithmetic is in kernels/.
#include "seqloom/scan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "planted.h"
#include "scan_plan.h"
#include "scan_prepare.h"
#include "seqloom/cpu.h"
#include "seqloom/threads.h"
#include "seqloom/workspace.h"

namespace seqloom {

#if defined(SEQLOOM_PLANTED)
Mistake planted_mistake = Mistake::none;
#endif

namespace {

using i64 = std::int64_t;

// Weight gradients larger than this (bytes) leave the cache: they are made after the loop.
constexpr i64 stored_above = i64{512} << 10;

i64 up(i64 n, i64 to) { return (n + to - 1) / to * to; }

const ScanKernels& kernels() {
    switch (current_isa()) {
#if defined(__x86_64__)
        case Isa::avx512: return avx512_kernels();
        case Isa::avx2: return avx2_kernels();
#endif
        default: return portable_kernels();
    }
}

Draw make_draw(double probability, bool training) {
    Draw draw;
    draw.on = probability > 0;
    draw.drawn = draw.on && training && !planted(Mistake::zoneout_mean_in_training);
    draw.probability = static_cast<float>(probability);
    draw.threshold = static_cast<std::uint32_t>(std::min(std::nearbyint(probability * 4294967296.0), 4294967295.0));
    return draw;
}

// Batch rows that one thread takes through all steps. It depends on the problem alone, so that the order of sums does.
i64 tile_rows(const ScanPlan& p) {
    const i64 weights = (p.I + p.S) * p.G * p.Hp * 4;
    const i64 wish = weights <= (i64{96} << 10) ? 16 : 32;  // small weights stay in the first cache beside a small tile
    const i64 target = std::min(wish, up((p.B + 1) / 2, 8));
    const i64 tiles = (p.B + target - 1) / target;
    return (p.B + tiles - 1) / tiles;
}

ScanPlan make_plan(const ScanSettings& s, const ScanArrays& a) {
    ScanPlan p{};
    p.kind = static_cast<CellKind>(s.kind);
    p.activation = static_cast<Activation>(s.activation);
    p.gate_activation = static_cast<Activation>(s.gate_activation);
    p.output_activation = static_cast<Activation>(s.output_activation);
    p.plain = p.activation == Activation::tanh && p.gate_activation == Activation::sigmoid;
    p.reset_after = p.kind != CellKind::gru || s.reset_after;
    p.coupled = s.coupled;
    p.peephole = s.peephole;
    p.layer_norm = s.layer_norm;
    p.has_out = s.has_out;
    p.reverse = s.reverse;
    p.save = s.save;
    p.clip = s.cell_clip > 0;
    p.clip_at = static_cast<float>(s.cell_clip);
    p.epsilon = s.epsilon;
    p.zoneout = make_draw(s.zoneout, s.training);
    p.zoneout_cell = make_draw(s.zoneout_cell, s.training);
    p.candidate = make_draw(s.training ? s.candidate_dropout : 0.0, s.training);
    p.key[0] = s.key[0];
    p.key[1] = s.key[1];
    p.B = s.B;
    p.T = s.T;
    p.I = s.I;
    p.H = s.H;
    p.S = s.S;
    p.Hp = up(p.H, 16);
    p.Sp = up(p.S, 16);
    const bool gru = p.kind == CellKind::gru;
    p.G = gru ? 3 : p.kind == CellKind::lstm ? (p.coupled ? 3 : 4) : 1;
    p.blocks = gru && p.reset_after ? 4 : p.G;
    p.h_block = gru ? 1 : 0;
    p.tile = tile_rows(p);
    p.tiles = (p.B + p.tile - 1) / p.tile;

    i64 at = p.kind == CellKind::elman ? (p.zoneout.on ? p.Hp : 0) : p.blocks * p.Hp;
    p.saved_c = at;
    if (p.kind == CellKind::lstm) at += p.Hp;
    p.saved_hidden = p.kind == CellKind::jordan ? 0 : at;
    if (p.has_out && p.kind == CellKind::lstm) at += p.Hp;
    p.saved_norm = at;
    if (p.layer_norm) at += 2 * p.G * p.Hp + 16;
    p.saved_row = at;

    p.x = a.x;
    p.h0 = a.h0;
    p.c0 = a.c0;
    p.d_x = a.d_x;
    p.d_h = a.d_h;
    p.mask = a.mask;
    p.saved = a.saved;
    p.states = a.states;
    p.h_last = a.h_last;
    p.c_last = a.c_last;
    return p;
}

// Gate of the weights for each block that the inputs feed, and for each that the state feeds.
struct Blocks {
    i64 of_x[4];
    i64 of_h[4];
    explicit Blocks(const ScanPlan& p) : of_x{0, 1, 2, 3}, of_h{0, 1, 2, 3} {
        if (p.kind == CellKind::gru) std::copy_n(std::begin({i64{2}, i64{0}, i64{1}}), 3, of_x);
        if (p.G > 1 && planted(Mistake::swapped_gates)) std::swap(of_x[0], of_x[1]);
    }
};

// Weights made ready for the kernels: places in one block of memory, the matrices packed in parallel.
class Packing {
  public:
    void matrix(PackedMatrix& to, const PackSource& from, i64 columns) {
        to.columns = columns;
        to.depth = 0;
        for (int part = 0; part < from.parts; ++part) to.depth += from.part[part].padded;
        jobs_.push_back({&to, from, take(to.depth * columns)});
    }
    i64 take(i64 floats) {
        const i64 at = size_;
        size_ += up(floats, 16);
        return at;
    }
    i64 size() const { return size_; }
    void run(float* memory, int threads) {
        const ScanKernels& k = kernels();
        std::vector<std::pair<std::size_t, i64>> pieces;
        i64 work = 0;
        for (std::size_t job = 0; job < jobs_.size(); ++job) {
            PackedMatrix& to = *jobs_[job].to;
            to.data = memory + jobs_[job].at;
            work += to.depth * to.columns;
            for (i64 panel = 0; panel < k.panels(to.columns); ++panel) pieces.emplace_back(job, panel);
        }
        parallel_for(static_cast<i64>(pieces.size()), work < (i64{1} << 16) ? 1 : threads, [&](i64 piece) {
            const auto [job, panel] = pieces[static_cast<std::size_t>(piece)];
            k.pack(jobs_[job].from, *jobs_[job].to, memory + jobs_[job].at, panel);
        });
    }

  private:
    struct Job {
        PackedMatrix* to;
        PackSource from;
        i64 at;
    };
    std::vector<Job> jobs_;
    i64 size_ = 0;
};

// Weights and their order in one place for both passes.
struct Weights {
    const ScanArrays& a;
    const ScanPlan& p;
    Blocks blocks;
    i64 width;  // of w_x and w_h

    Weights(const ScanArrays& arrays, const ScanPlan& plan) : a(arrays), p(plan), blocks(plan), width(plan.G * plan.H) {}

    PackPart x_rows() const { return {a.w_x, 0, p.I, p.I, width}; }
    PackPart h_rows() const { return {a.w_h, 0, p.S, p.S, width}; }

    // Columns of the gates in `order`, rows of the inputs, of the state, or both.
    PackSource gates(std::initializer_list<PackPart> parts, const i64* order, i64 count) const {
        PackSource source{};
        for (const PackPart& part : parts) source.part[source.parts++] = part;
        for (i64 block = 0; block < count; ++block) source.column_start[block] = order[block] * p.H;
        source.column_size = p.H;
        source.column_padded = p.Hp;
        source.column_stride = 1;
        return source;
    }
    // The transpose: rows of the gates in `order`, columns of the inputs or the state.
    PackSource back(const float* w, const i64* order, i64 count, i64 size, i64 padded) const {
        PackSource source{};
        source.parts = static_cast<int>(count);
        for (i64 block = 0; block < count; ++block) source.part[block] = {w, order[block] * p.H, p.H, p.Hp, 1};
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
    void spread(const float* v, const i64* order, i64 count, float missing, float* to) const {
        for (i64 block = 0; block < count; ++block)
            for (i64 j = 0; j < p.Hp; ++j)
                to[block * p.Hp + j] = j >= p.H ? 0.0F : v == nullptr ? missing : v[order[block] * p.H + j];
    }
    // The gates' starts: both biases, the second one apart where the candidate keeps it inside the reset gate.
    void biases(float* to) const {
        const i64 total = p.blocks * p.Hp;
        std::fill_n(to, total, 0.0F);
        for (i64 block = 0; block < p.G; ++block)
            for (i64 j = 0; j < p.H; ++j) {
                if (a.bias != nullptr) to[block * p.Hp + j] += a.bias[blocks.of_x[block] * p.H + j];
                // Reset before: the state's blocks r z n are the gate blocks 1 2 0.
                const i64 place = (block + p.h_block) % p.blocks;
                if (a.bias_h != nullptr) to[place * p.Hp + j] += a.bias_h[blocks.of_h[block] * p.H + j];
            }
    }
};

// The small vectors that both passes read.
struct Vectors {
    i64 gain_x, gain_h, gain_c, peephole;
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
            const i64 order[3] = {0, 1, 2};
            w.spread(w.a.peephole, order, p.coupled ? 2 : 3, 0.0F, rows + (p.coupled ? p.Hp : 0));
            p.peephole_rows = rows;
        }
    }
};

void pack_forward(ScanPlan& p, const Weights& w, Packing& packing) {
    const i64* x = w.blocks.of_x;
    const i64* h = w.blocks.of_h;
    const i64 gates = p.G * p.Hp;
    if (p.layer_norm) {
        packing.matrix(p.w_x, w.gates({w.x_rows()}, x, p.G), gates);
        packing.matrix(p.w_h, w.gates({w.h_rows()}, h, p.G), gates);
    } else if (p.kind != CellKind::gru) {
        packing.matrix(p.w_all, w.gates({w.x_rows(), w.h_rows()}, x, p.G), gates);
    } else {
        packing.matrix(p.w_n, w.gates({w.x_rows()}, x, 1), p.Hp);
        packing.matrix(p.w_rz, w.gates({w.x_rows(), w.h_rows()}, x + 1, 2), 2 * p.Hp);
        packing.matrix(p.w_u, w.gates({w.h_rows()}, x, 1), p.Hp);
    }
    if (p.has_out) packing.matrix(p.w_out, w.out(), p.Sp);
}

void pack_backward(ScanPlan& p, const Weights& w, Packing& packing) {
    const i64 from_state = p.reset_after ? p.G : 2;
    packing.matrix(p.v_h, w.back(w.a.w_h, w.blocks.of_h, from_state, p.S, p.Sp), p.Sp);
    if (!p.reset_after) packing.matrix(p.v_n, w.back(w.a.w_h, w.blocks.of_x, 1, p.S, p.Sp), p.Sp);
    if (p.dx != nullptr && p.I > 0) packing.matrix(p.v_x, w.back(w.a.w_x, w.blocks.of_x, p.G, p.I, up(p.I, 16)), up(p.I, 16));
    if (p.has_out) packing.matrix(p.v_out, w.out_back(), p.Hp);
}

// The sums of one strand, or of all of them, in one block of memory.
struct Sums {
    WeightGrads grads{};
    i64 w_x = 0, w_h = 0, w_out = 0, size = 0;

    Sums(const ScanPlan& p, bool matrices, float* memory) {
        const i64 gates = p.G * p.Hp;
        auto take = [&](i64 floats) {
            float* at = memory == nullptr ? nullptr : memory + size;
            size += up(floats, 16);
            return at;
        };
        if (matrices) {
            grads.w_x = take(w_x = up(p.I, 8) * gates);
            grads.w_h = take(w_h = up(p.S, 8) * gates);
            grads.w_out = take(w_out = p.has_out ? up(p.H, 8) * p.Sp : 0);
        }
        grads.blocks = take(p.blocks * p.Hp);
        grads.gain_x = take(p.layer_norm ? gates : 0);
        grads.gain_h = take(p.layer_norm ? gates : 0);
        grads.gain_c = take(p.layer_norm ? p.Hp : 0);
        grads.peephole = take(p.peephole ? 3 * p.Hp : 0);
        grads.bias_out = take(p.has_out ? p.Sp : 0);
    }
};

// out[row * ld + start + j] = the sum over strands, in order, of part[strand][row * width + j]
void collect(float* out, i64 rows, i64 ld, i64 start, i64 count, const float* part, i64 width, i64 strands, i64 stride) {
    for (i64 row = 0; row < rows; ++row) {
        float* to = out + row * ld + start;
        const float* from = part + row * width;
        std::copy_n(from, count, to);
        for (i64 strand = 1; strand < strands; ++strand) {
            const float* more = from + strand * stride;
            for (i64 j = 0; j < count; ++j) to[j] += more[j];
        }
    }
}

// Brings the sums from block order into the order of the weights.
void collect_all(const ScanPlan& p, const Weights& w, const ScanGradients& g, const Sums& first, i64 strands, i64 matrix_strands,
                 i64 matrix_stride, const Sums& matrices, int threads) {
    const WeightGrads& s = first.grads;
    const i64 stride = first.size;
    const i64 gates = p.G * p.Hp;
    for (i64 block = 0; block < p.G; ++block) {
        const i64 of_x = w.blocks.of_x[block] * p.H;
        const i64 of_h = w.blocks.of_h[block] * p.H;
        const i64 place = (block + p.h_block) % p.blocks;
        if (g.bias != nullptr) collect(g.bias, 1, 0, of_x, p.H, s.blocks + block * p.Hp, 0, strands, stride);
        if (g.bias_h != nullptr) collect(g.bias_h, 1, 0, of_h, p.H, s.blocks + place * p.Hp, 0, strands, stride);
        if (g.gain_x != nullptr) collect(g.gain_x, 1, 0, of_x, p.H, s.gain_x + block * p.Hp, 0, strands, stride);
        if (g.gain_h != nullptr) collect(g.gain_h, 1, 0, of_h, p.H, s.gain_h + block * p.Hp, 0, strands, stride);
    }
    if (g.gain_c != nullptr) collect(g.gain_c, 1, 0, 0, p.H, s.gain_c, 0, strands, stride);
    if (g.peephole != nullptr) {
        const i64 rows = p.coupled ? 2 : 3;
        collect(g.peephole, rows, p.H, 0, p.H, s.peephole + (p.coupled ? p.Hp : 0), p.Hp, strands, stride);
    }
    if (g.bias_out != nullptr) collect(g.bias_out, 1, 0, 0, p.S, s.bias_out, 0, strands, stride);
    if (g.w_out != nullptr) collect(g.w_out, p.H, p.S, 0, p.S, matrices.grads.w_out, p.Sp, matrix_strands, matrix_stride);
    const i64 rows_x = g.w_x == nullptr ? 0 : p.I;
    const i64 rows_h = g.w_h == nullptr ? 0 : p.S;
    const i64 per_piece = std::max<i64>(1, (i64{1} << 15) / gates);
    const i64 pieces = (rows_x + rows_h + per_piece - 1) / per_piece;
    parallel_for(pieces, threads, [&](i64 piece) {
        for (i64 row = piece * per_piece; row < std::min(rows_x + rows_h, (piece + 1) * per_piece); ++row)
            for (i64 block = 0; block < p.G; ++block) {
                const bool in_x = row < rows_x;
                const i64 at = in_x ? row : row - rows_x;
                collect((in_x ? g.w_x : g.w_h) + at * w.width, 1, 0, (in_x ? w.blocks.of_x : w.blocks.of_h)[block] * p.H, p.H,
                        (in_x ? matrices.grads.w_x : matrices.grads.w_h) + at * gates + block * p.Hp, 0, matrix_strands, matrix_stride);
            }
    });
}

// The weight gradients after the loop, in pieces that one thread each makes.
void late_gradients(const ScanPlan& p, const WeightGrads& to, int threads) {
    const ScanKernels& k = kernels();
    const i64 gates = p.G * p.Hp;
    std::vector<LatePiece> pieces;
    auto cut = [&](LateMatrix which, i64 rows, i64 columns, float* out, i64 ld) {
        for (i64 row = 0; row < rows; row += 256)
            for (i64 column = 0; column < columns; column += 192)
                pieces.push_back({which, row, std::min<i64>(256, rows - row), column, std::min<i64>(192, columns - column), out + row * ld + column, ld});
    };
    cut(LateMatrix::x, p.I, gates, to.w_x, gates);
    cut(LateMatrix::h, p.S, p.reset_after ? gates : 2 * p.Hp, to.w_h, gates);
    if (!p.reset_after) cut(LateMatrix::reset, p.S, p.Hp, to.w_h + 2 * p.Hp, gates);
    if (p.has_out) cut(LateMatrix::out, p.H, p.Sp, to.w_out, p.Sp);
    parallel_for(static_cast<i64>(pieces.size()), threads, [&](i64 piece) {
        const LatePiece& one = pieces[static_cast<std::size_t>(piece)];
        const Workspace scratch(k.late_scratch(one));
        k.late_gradient(p, one, scratch.data());
    });
}

}  // namespace

void scan_key(std::uint64_t seed, std::uint64_t call, std::uint32_t layer, std::uint32_t key[2]) noexcept {
    std::uint32_t c[4] = {static_cast<std::uint32_t>(call), static_cast<std::uint32_t>(call >> 32), layer, 0x5EC70017U};
    auto k0 = static_cast<std::uint32_t>(seed);
    auto k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c[0];
        const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c[2];
        const std::uint32_t next[4] = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
                                       static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
        std::copy_n(next, 4, c);
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    key[0] = c[0];
    key[1] = c[1];
}

std::int64_t scan_saved_row(const ScanSettings& settings) {
    return make_plan(settings, ScanArrays{}).saved_row;
}

PreparedScan prepare_forward(const ScanSettings& settings, const ScanArrays& arrays, const std::function<float*(i64)>& memory_of, int threads) {
    ScanPlan p = make_plan(settings, arrays);
    const Weights weights(arrays, p);
    Packing packing;
    pack_forward(p, weights, packing);
    const Vectors vectors(packing, p);
    const i64 bias = packing.take(p.blocks * p.Hp);
    const i64 bias_out = packing.take(p.has_out ? p.Sp : 0);
    float* memory = memory_of(packing.size());
    packing.run(memory, threads);
    vectors.fill(p, weights, memory);
    weights.biases(memory + bias);
    p.bias = memory + bias;
    if (p.has_out) {
        std::fill_n(memory + bias_out, p.Sp, 0.0F);
        if (arrays.bias_out != nullptr) std::copy_n(arrays.bias_out, p.S, memory + bias_out);
        p.bias_out = memory + bias_out;
    }
    return {p, &kernels()};
}

void scan_forward(const ScanSettings& settings, const ScanArrays& arrays, int threads) {
    std::optional<Workspace> memory;
    const auto memory_of = [&memory](i64 floats) { return memory.emplace(floats).data(); };
    const PreparedScan prepared = prepare_forward(settings, arrays, memory_of, threads);
    const ScanPlan& p = prepared.plan;
    const ScanKernels& k = *prepared.kernels;
    const i64 scratch = k.forward_scratch(p);
    parallel_for(p.tiles, threads, [&](i64 tile) {
        const Workspace space(scratch);
        k.forward(p, tile, space.data());
    });
}

void scan_backward(const ScanSettings& settings, const ScanArrays& arrays, const ScanGradients& gradients, int threads) {
    ScanPlan p = make_plan(settings, arrays);
    p.dy = gradients.states;
    p.dh_last = gradients.h_last;
    p.dc_last = gradients.c_last;
    p.dx = p.I > 0 ? gradients.x : nullptr;
    p.dh0 = gradients.h0;
    p.dc0 = gradients.c0;
    const i64 gates = p.G * p.Hp;
    p.grad_row = p.layer_norm ? 2 * gates : p.blocks * p.Hp;
    p.grad_h = p.layer_norm ? gates : p.h_block * p.Hp;
    p.stored = (up(p.I, 8) + up(p.S, 8)) * gates * 4 > stored_above;
    p.chunk = std::min(p.T, std::max<i64>(1, 128 / p.tile));

    const Weights weights(arrays, p);
    Packing packing;
    pack_backward(p, weights, packing);
    const Vectors vectors(packing, p);
    // Strands: runs of tiles that share sums, a number that depends on the problem alone.
    const i64 strands = std::min<i64>(p.tiles, 32);
    const Sums one(p, !p.stored, nullptr);
    const Sums late(p, true, nullptr);
    const i64 at_sums = packing.take(strands * one.size);
    const i64 at_late = packing.take(p.stored ? late.size : 0);
    const Workspace memory(packing.size());
    const Workspace grads(p.stored ? p.T * p.B * p.grad_row : 0);
    const Workspace out_grads(p.stored && p.has_out ? p.T * p.B * p.Sp : 0);
    p.grads = grads.data();
    p.out_grads = out_grads.data();
    packing.run(memory.data(), threads);
    vectors.fill(p, weights, memory.data());

    const ScanKernels& k = kernels();
    const i64 scratch = k.backward_scratch(p);
    parallel_for(strands, threads, [&](i64 strand) {
        float* at = memory.data() + at_sums + strand * one.size;
        std::fill_n(at, one.size, 0.0F);
        const Sums sums(p, !p.stored, at);
        const Workspace space(scratch);
        for (i64 tile = strand; tile < p.tiles; tile += strands) k.backward(p, tile, sums.grads, space.data());
    });
    const Sums first(p, !p.stored, memory.data() + at_sums);
    if (p.stored) {
        std::fill_n(memory.data() + at_late, late.size, 0.0F);
        const Sums matrices(p, true, memory.data() + at_late);
        late_gradients(p, matrices.grads, threads);
        collect_all(p, weights, gradients, first, strands, 1, 0, matrices, threads);
    } else {
        const i64 kept = strands - (planted(Mistake::last_strand_lost) && strands > 1 ? 1 : 0);
        collect_all(p, weights, gradients, first, strands, kept, first.size, first, threads);
    }
}

}  // namespace seqloom
