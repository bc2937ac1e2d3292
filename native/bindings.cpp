// The only translation unit that sees Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include "seqloom/cpu.h"
#include "seqloom/gather.h"
#include "seqloom/threads.h"

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
}
