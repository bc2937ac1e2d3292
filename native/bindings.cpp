// The only translation unit that sees Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <string>
#include <vector>

#include "seqloom/cpu.h"
#include "seqloom/gather.h"
#include "seqloom/scan.h"
#include "seqloom/threads.h"
#include "seqloom/workspace.h"
#if defined(SEQLOOM_PLANTED)
#include "src/planted.h"
#endif

namespace nb = nanobind;
using namespace nb::literals;

namespace {

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

// The scan's arguments come as flat lists in the order of seqloom.ops.native_scan, which has checked them: whole numbers,
// real numbers, and addresses of contiguous arrays (0 where absent).
using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;

void expect(std::size_t found, std::size_t wanted, const char* what) {
    if (found != wanted) throw nb::value_error((std::string(what) + ": " + std::to_string(wanted) + " wanted, not " + std::to_string(found)).c_str());
}

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

// Hands out the addresses of a list one after the other.
class Addresses {
  public:
    explicit Addresses(const Integers& list) : list_(list) {}
    template <class Number>
    Addresses& to(Number*& pointer) {
        pointer = reinterpret_cast<Number*>(static_cast<std::uintptr_t>(list_[at_++]));
        return *this;
    }

  private:
    const Integers& list_;
    std::size_t at_ = 0;
};

seqloom::ScanArrays arrays_from(const Integers& list) {
    expect(list.size(), 20, "addresses");
    seqloom::ScanArrays a{};
    Addresses next(list);
    next.to(a.x).to(a.h0).to(a.c0).to(a.w_x).to(a.w_h).to(a.bias).to(a.bias_h).to(a.peephole).to(a.gain_x).to(a.gain_h).to(a.gain_c);
    next.to(a.w_out).to(a.bias_out).to(a.mask).to(a.d_x).to(a.d_h).to(a.states).to(a.h_last).to(a.c_last).to(a.saved);
    return a;
}

// Memory for a large intermediate result, from the blocks that are kept between calls: new pages would cost a quarter of a
// training step.
using Kept = nb::ndarray<nb::pytorch, float, nb::ndim<1>, nb::device::cpu>;

Kept kept_floats(std::int64_t count) {
    auto* space = new seqloom::Workspace(count);
    const nb::capsule owner(space, [](void* memory) noexcept { delete static_cast<seqloom::Workspace*>(memory); });
    return Kept(space->data(), {static_cast<std::size_t>(count)}, owner);
}

void scan_forward(const Integers& whole, const Reals& real, const Integers& arrays, int threads) {
    const seqloom::ScanSettings settings = settings_from(whole, real);
    const seqloom::ScanArrays found = arrays_from(arrays);
    const nb::gil_scoped_release release;
    seqloom::scan_forward(settings, found, threads);
}

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

}  // namespace

NB_MODULE(_native, m) {
    m.attr("__doc__") = "Native kernels of seqloom; see seqloom.ops.native for the way in.";
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
    m.def("kept_floats", &kept_floats, "count"_a);
    m.def("kept_bytes", &seqloom::workspace_kept);
    m.def("scan_saved_row", [](const Integers& whole, const Reals& real) { return seqloom::scan_saved_row(settings_from(whole, real)); });
    m.def("scan_forward", &scan_forward, "whole"_a, "real"_a, "arrays"_a, "threads"_a);
    m.def("scan_backward", &scan_backward, "whole"_a, "real"_a, "arrays"_a, "gradients"_a, "threads"_a);
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
