// The only translation unit that sees Python, with step_target.h, conv_bindings.h and interval_bindings.h.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "seqloom/conv.h"
#include "seqloom/conv_stack.h"
#include "seqloom/conv_stream.h"
#include "seqloom/cpu.h"
#include "seqloom/gather.h"
#include "seqloom/losses.h"
#include "seqloom/optimizers.h"
#include "seqloom/scan.h"
#include "seqloom/stream.h"
#include "seqloom/threads.h"
#include "seqloom/word_vectors.h"
#include "seqloom/workspace.h"
#include "seqloom/yardstick.h"
#include "conv_bindings.h"
#include "interval_bindings.h"
#include "lists.h"
#include "step_target.h"
#if defined(SEQLOOM_PLANTED)
#include "src/planted.h"
#endif

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using conv_bindings::conv_settings_from;

using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Origins = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Cube = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

void gather_windows(const Matrix& matrix, const Origins& origins, std::int64_t offset_first, std::int64_t length, std::int64_t every,
                    Cube& out, int threads) {
    const auto rows = static_cast<std::int64_t>(matrix.shape(0));
    const auto columns = static_cast<std::int64_t>(matrix.shape(1));
    const auto count = static_cast<std::int64_t>(origins.shape(0));
    if (static_cast<std::int64_t>(out.shape(0)) != count || static_cast<std::int64_t>(out.shape(1)) != length ||
        static_cast<std::int64_t>(out.shape(2)) != columns)
        throw nb::value_error(("out must have shape (" + std::to_string(count) + ", " + std::to_string(length) + ", " + std::to_string(columns) +
                               "), not (" + std::to_string(out.shape(0)) + ", " + std::to_string(out.shape(1)) + ", " +
                               std::to_string(out.shape(2)) + ").")
                                  .c_str());
    const seqloom::GatherWindows job{matrix.data(), rows, columns, origins.data(), count, offset_first, length, every, out.data()};
    const nb::gil_scoped_release release;
    seqloom::gather_windows(job, threads);
}

using Table = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Targets = nb::ndarray<const std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::int64_t length(const auto& array, std::size_t axis = 0) { return static_cast<std::int64_t>(array.shape(axis)); }

double negative_sampling(Table& in, Table& out, const Words& inputs, const Origins& starts, const Targets& targets, double rate) {
    if (length(in) != length(out) || length(in, 1) != length(out, 1) || length(starts) != length(targets) + 1)
        throw nb::value_error("expected two tables of one shape, and one start more than examples.");
    const seqloom::NegativeSampling job{in.data(),     out.data(),     length(in),     length(in, 1),  inputs.data(),     length(inputs),
                                        starts.data(), targets.data(), length(targets), length(targets, 1), static_cast<float>(rate)};
    const nb::gil_scoped_release release;
    return seqloom::negative_sampling(job);
}

double glove(Table& word, Table& context, Table& word_squares, Table& context_squares, const Words& left, const Words& right,
             const Numbers& logs, const Numbers& weights, double rate) {
    for (const Table* table : {&context, &word_squares, &context_squares})
        if (length(*table) != length(word) || length(*table, 1) != length(word, 1)) throw nb::value_error("expected four tables of one shape.");
    if (length(right) != length(left) || length(logs) != length(left) || length(weights) != length(left))
        throw nb::value_error("expected four lists of one length.");
    const seqloom::Glove job{word.data(), context.data(), word_squares.data(), context_squares.data(), length(word),  length(word, 1) - 1,
                             left.data(), right.data(),   logs.data(),         weights.data(),         length(left), static_cast<float>(rate)};
    const nb::gil_scoped_release release;
    return seqloom::glove(job);
}

// Addresses of y, target and gradient (0 where none is wanted), each of n numbers.
double squared_error(const std::vector<std::int64_t>& arrays, std::int64_t n, double scale, int threads) {
    if (arrays.size() != 3) throw nb::value_error("addresses: 3 wanted");
    const auto at = [&](std::size_t k) { return reinterpret_cast<float*>(static_cast<std::uintptr_t>(arrays[k])); };
    const nb::gil_scoped_release release;
    return seqloom::squared_error(at(0), at(1), n, static_cast<float>(scale), at(2), threads);
}

// The scan's arguments come as flat lists in the order of seqloom.ops.native_scan, which has checked them: whole numbers,
// real numbers, and addresses of contiguous arrays (0 where absent).
seqloom::ScanSettings settings_from(const Integers& n, const Reals& r) {
    expect(n.size(), 20, "whole numbers");
    expect(r.size(), 5, "real numbers");
    seqloom::ScanSettings s{};
    s.kind = static_cast<int>(n[0]);
    s.activation = static_cast<int>(n[1]);
    s.gate_activation = static_cast<int>(n[2]);
    s.output_activation = static_cast<int>(n[3]);
    s.reset_after = n[4] != 0;
    s.coupled = n[5] != 0;
    s.peephole = n[6] != 0;
    s.layer_norm = n[7] != 0;
    s.has_out = n[8] != 0;
    s.reverse = n[9] != 0;
    s.training = n[10] != 0;
    seqloom::scan_key(static_cast<std::uint64_t>(n[11]), static_cast<std::uint64_t>(n[12]), static_cast<std::uint32_t>(n[13]), s.key);
    s.save = n[14] != 0;
    s.B = n[15];
    s.T = n[16];
    s.I = n[17];
    s.H = n[18];
    s.S = n[19];
    s.epsilon = static_cast<float>(r[0]);
    s.cell_clip = r[1];
    s.zoneout = r[2];
    s.zoneout_cell = r[3];
    s.candidate_dropout = r[4];
    return s;
}

seqloom::ScanArrays arrays_from(const Integers& list) {
    expect(list.size(), 20, "addresses");
    seqloom::ScanArrays a{};
    Addresses next(list);
    next.to(a.x).to(a.h0).to(a.c0).to(a.w_x).to(a.w_h).to(a.bias).to(a.bias_h).to(a.peephole).to(a.gain_x).to(a.gain_h).to(a.gain_c);
    next.to(a.w_out).to(a.bias_out).to(a.mask).to(a.d_x).to(a.d_h).to(a.states).to(a.h_last).to(a.c_last).to(a.saved);
    return a;
}

// Memory for a large result, from the blocks that are kept between calls: new pages would cost a quarter of a training
// step. It comes back when the last tensor on it goes.
using Kept = nb::ndarray<nb::pytorch, float, nb::device::cpu>;

Kept kept_floats(const std::vector<std::size_t>& shape) {
    seqloom::keep_freed_pages();
    std::int64_t count = 1;
    for (const std::size_t size : shape)
        if (__builtin_mul_overflow(count, size, &count)) throw std::bad_alloc();
    auto* space = new seqloom::Workspace(count);
    const nb::capsule owner(space, [](void* memory) noexcept { delete static_cast<seqloom::Workspace*>(memory); });
    return Kept(space->data(), shape.size(), shape.data(), owner);
}

void scan_forward(const Integers& whole, const Reals& real, const Integers& arrays, int threads) {
    const seqloom::ScanSettings settings = settings_from(whole, real);
    const seqloom::ScanArrays found = arrays_from(arrays);
    const nb::gil_scoped_release release;
    seqloom::scan_forward(settings, found, threads);
}

// A forward pass made ready for a cell and its weights, as `scan_forward` takes them: a call brings sizes and addresses alone.
class ReadyScan {
  public:
    ReadyScan(const Integers& whole, const Reals& real, const Integers& arrays) : settings_(settings_from(whole, real)), arrays_(arrays_from(arrays)) {}

    void run(std::int64_t batch, std::int64_t steps, std::uintptr_t x, std::uintptr_t h, std::uintptr_t c, std::uintptr_t states,
             std::uintptr_t h_last, std::uintptr_t c_last, int threads) const {
        seqloom::ScanSettings settings = settings_;
        settings.B = batch;
        settings.T = steps;
        seqloom::ScanArrays a = arrays_;
        a.x = reinterpret_cast<const float*>(x);
        a.h0 = reinterpret_cast<const float*>(h);
        a.c0 = reinterpret_cast<const float*>(c);
        a.states = reinterpret_cast<float*>(states);
        a.h_last = reinterpret_cast<float*>(h_last);
        a.c_last = reinterpret_cast<float*>(c_last);
        const nb::gil_scoped_release release;
        seqloom::scan_forward(settings, a, threads);
    }

  private:
    seqloom::ScanSettings settings_;
    seqloom::ScanArrays arrays_;
};

void scan_backward(const Integers& whole, const Reals& real, const Integers& arrays, const Integers& gradients, int threads) {
    const seqloom::ScanSettings settings = settings_from(whole, real);
    const seqloom::ScanArrays found = arrays_from(arrays);
    expect(gradients.size(), 16, "gradient addresses");
    seqloom::ScanGradients g{};
    Addresses next(gradients);
    next.to(g.states).to(g.h_last).to(g.c_last).to(g.x).to(g.h0).to(g.c0).to(g.w_x).to(g.w_h).to(g.bias).to(g.bias_h).to(g.peephole);
    next.to(g.gain_x).to(g.gain_h).to(g.gain_c).to(g.w_out).to(g.bias_out);
    const nb::gil_scoped_release release;
    seqloom::scan_backward(settings, found, g, threads);
}

// Groups: nine numbers each, in the order of UpdateGroup. Parameters: nine whole numbers each, in the order of UpdatedParameter.
// Clipping: measure, norm, value. They come from seqloom.training.native_optimizers, which has checked them.
double optimizer_step(const std::vector<double>& groups, const Integers& parameters, const std::vector<double>& clipping, int threads) {
    constexpr std::size_t width = 9;
    if (groups.size() % width != 0) throw nb::value_error("groups: nine numbers each wanted");
    if (parameters.size() % width != 0) throw nb::value_error("parameters: nine numbers each wanted");
    expect(clipping.size(), 3, "numbers of clipping");
    std::vector<seqloom::UpdateGroup> shared;
    for (std::size_t k = 0; k < groups.size(); k += width) {
        const double* n = groups.data() + k;
        shared.push_back({static_cast<seqloom::UpdateRule>(static_cast<int>(n[0])), n[1] != 0.0, n[2], n[3], n[4], n[5], n[6], n[7], n[8]});
    }
    std::vector<seqloom::UpdatedParameter> updated(parameters.size() / width);
    for (std::size_t k = 0; k < updated.size(); ++k) {
        const std::int64_t* n = parameters.data() + k * width;
        const auto at = [&](std::size_t i) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(n[i])); };
        updated[k] = {n[0], n[1] != 0, n[2] != 0, n[3], at(4), at(5), at(6), at(7), static_cast<float*>(at(8))};
    }
    const seqloom::Clipping clip{clipping[0] != 0.0, clipping[1], clipping[2]};
    const nb::gil_scoped_release release;
    return seqloom::optimizer_step(shared, updated, clip, threads);
}

class StreamCore {
  public:
    StreamCore(const std::vector<Integers>& whole, const std::vector<Reals>& real, const std::vector<Integers>& arrays, nb::object y, nb::object row)
        : stream_(layers(whole, real, arrays)), target_(std::move(y), std::move(row), stream_.batch(), stream_.outputs()) {}

    nb::object step(nb::handle x, nb::handle out) { return target_.step(stream_, x, out); }

    // Copy a layer's state to two addresses, or from them.
    void read(std::int64_t layer, std::uintptr_t h, std::uintptr_t c) const {
        std::copy_n(stream_.h(layer), stream_.h_size(layer), reinterpret_cast<float*>(h));
        if (stream_.c(layer) != nullptr) std::copy_n(stream_.c(layer), stream_.c_size(layer), reinterpret_cast<float*>(c));
    }
    void write(std::int64_t layer, std::uintptr_t h, std::uintptr_t c) {
        std::copy_n(reinterpret_cast<const float*>(h), stream_.h_size(layer), stream_.h(layer));
        if (stream_.c(layer) != nullptr) std::copy_n(reinterpret_cast<const float*>(c), stream_.c_size(layer), stream_.c(layer));
    }

  private:
    static std::vector<seqloom::StreamLayer> layers(const std::vector<Integers>& whole, const std::vector<Reals>& real,
                                                    const std::vector<Integers>& arrays) {
        expect(real.size(), whole.size(), "layers of real numbers");
        expect(arrays.size(), whole.size(), "layers of addresses");
        std::vector<seqloom::StreamLayer> out;
        for (std::size_t k = 0; k < whole.size(); ++k) out.push_back({settings_from(whole[k], real[k]), arrays_from(arrays[k])});
        return out;
    }

    seqloom::Stream stream_;
    seqloom::StepTarget target_;
};

// Layers come as settings, addresses of weight and bias, and the outputs that they read and add.
class ConvStreamCore {
  public:
    ConvStreamCore(const std::vector<Integers>& whole, const std::vector<Integers>& arrays, const std::vector<Integers>& wires, nb::object y,
                   nb::object row)
        : stream_(layers(whole, arrays, wires)), target_(std::move(y), std::move(row), stream_.batch(), stream_.outputs()) {}

    nb::object step(nb::handle x, nb::handle out) { return target_.step(stream_, x, out); }
    void read(std::int64_t layer, std::uintptr_t rows) const { stream_.read(layer, reinterpret_cast<float*>(rows)); }
    void write(std::int64_t layer, std::uintptr_t rows) { stream_.write(layer, reinterpret_cast<const float*>(rows)); }

  private:
    static std::vector<seqloom::ConvStreamLayer> layers(const std::vector<Integers>& whole, const std::vector<Integers>& arrays,
                                                        const std::vector<Integers>& wires) {
        expect(arrays.size(), whole.size(), "layers of addresses");
        expect(wires.size(), whole.size(), "layers of wires");
        std::vector<seqloom::ConvStreamLayer> out;
        for (std::size_t k = 0; k < whole.size(); ++k) {
            expect(arrays[k].size(), 2, "addresses");
            expect(wires[k].size(), 2, "wires");
            seqloom::ConvStreamLayer one{conv_settings_from(whole[k], 0.0), nullptr, nullptr, wires[k][0], wires[k][1]};
            Addresses(arrays[k]).to(one.weight).to(one.bias);
            out.push_back(one);
        }
        return out;
    }

    seqloom::ConvStream stream_;
    seqloom::StepTarget target_;
};

}  // namespace

NB_MODULE(_native, m) {
    m.attr("__doc__") = "Native kernels of seqloom; see seqloom_runtime.native for the way in.";
    m.def("cpu_features", [] {
        const seqloom::CpuFeatures& found = seqloom::cpu_features();
        nb::dict out;
        out["avx2"] = found.avx2;
        out["avx512"] = found.avx512;
        return out;
    });
    m.def("use_isa", [](const std::string& name) { seqloom::use_isa(seqloom::parse_isa(name)); }, "name"_a);
    m.def("isa", [] { return std::string(seqloom::isa_name(seqloom::current_isa())); });
    m.def("share_openmp", &seqloom::share_openmp, "hint"_a);
    m.def("stop_sharing_openmp", &seqloom::stop_sharing_openmp);
    m.def("sharing_openmp", &seqloom::sharing_openmp);
    m.def("own_workers", &seqloom::own_workers);
    m.def("gather_windows", &gather_windows, "matrix"_a.noconvert(), "origins"_a.noconvert(), "offset_first"_a, "length"_a, "every"_a,
          "out"_a.noconvert(), "threads"_a = 1);
    m.def("negative_sampling", &negative_sampling, "in"_a.noconvert(), "out"_a.noconvert(), "inputs"_a.noconvert(), "starts"_a.noconvert(),
          "targets"_a.noconvert(), "rate"_a);
    m.def("glove", &glove, "word"_a.noconvert(), "context"_a.noconvert(), "word_squares"_a.noconvert(), "context_squares"_a.noconvert(),
          "left"_a.noconvert(), "right"_a.noconvert(), "logs"_a.noconvert(), "weights"_a.noconvert(), "rate"_a);
    interval_bindings::define(m);
    m.def("squared_error", &squared_error, "arrays"_a, "n"_a, "scale"_a, "threads"_a);
    m.def("optimizer_step", &optimizer_step, "groups"_a, "parameters"_a, "clipping"_a, "threads"_a);
    m.def("peak_operations", &seqloom::peak_operations, "threads"_a, nb::call_guard<nb::gil_scoped_release>());
    m.def("memory_bandwidth", &seqloom::memory_bandwidth, "floats"_a, "threads"_a, nb::call_guard<nb::gil_scoped_release>());
    m.def("kept_floats", &kept_floats, "shape"_a);
    m.def("kept_bytes", &seqloom::workspace_kept);
    m.def("scan_saved_row", [](const Integers& whole, const Reals& real) { return seqloom::scan_saved_row(settings_from(whole, real)); });
    m.def("scan_forward", &scan_forward, "whole"_a, "real"_a, "arrays"_a, "threads"_a);
    nb::class_<ReadyScan>(m, "ReadyScan")
        .def(nb::init<const Integers&, const Reals&, const Integers&>(), "whole"_a, "real"_a, "arrays"_a)
        .def("run", &ReadyScan::run);
    m.def("scan_backward", &scan_backward, "whole"_a, "real"_a, "arrays"_a, "gradients"_a, "threads"_a);
    conv_bindings::define(m);
    nb::class_<StreamCore>(m, "StreamCore")
        .def(nb::init<const std::vector<Integers>&, const std::vector<Reals>&, const std::vector<Integers>&, nb::object, nb::object>(), "whole"_a,
             "real"_a, "arrays"_a, "y"_a, "row"_a)
        .def("step", &StreamCore::step, nb::arg("x").none(), nb::arg("out").none())
        .def("read", &StreamCore::read, "layer"_a, "h"_a, "c"_a)
        .def("write", &StreamCore::write, "layer"_a, "h"_a, "c"_a);
    nb::class_<ConvStreamCore>(m, "ConvStreamCore")
        .def(nb::init<const std::vector<Integers>&, const std::vector<Integers>&, const std::vector<Integers>&, nb::object, nb::object>(), "whole"_a,
             "arrays"_a, "wires"_a, "y"_a, "row"_a)
        .def("step", &ConvStreamCore::step, nb::arg("x").none(), nb::arg("out").none())
        .def("read", &ConvStreamCore::read, "layer"_a, "rows"_a)
        .def("write", &ConvStreamCore::write, "layer"_a, "rows"_a);
#if defined(SEQLOOM_PLANTED)
    m.def("mistakes", [] {
        std::vector<std::string> names{"none"};
#define SEQLOOM_MISTAKE(name) names.emplace_back(#name);
        SEQLOOM_MISTAKES(SEQLOOM_MISTAKE)
#undef SEQLOOM_MISTAKE
        return names;
    });
    m.def("plant", [](int which) { seqloom::planted_mistake = static_cast<seqloom::Mistake>(which); }, "which"_a);
#endif
}
