// One step of a stream on NumPy's memory: part of bindings.cpp, the only translation unit that sees Python.
#pragma once
#include <nanobind/nanobind.h>

#include <cstdint>
#include <cstring>
#include <utility>

// Hidden, as all of nanobind is.
namespace seqloom [[gnu::visibility("hidden")]] {

namespace nb = nanobind;

// Contiguous float32 memory of a Python object, by the buffer protocol: for NumPy arrays several times faster than DLPack.
class FloatBuffer {
  public:
    FloatBuffer(PyObject* object, int flags) {
        if (PyObject_CheckBuffer(object) == 0) return;
        if (PyObject_GetBuffer(object, &view_, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags) != 0) {
            PyErr_Clear();
            return;
        }
        held_ = true;
        floats_ = view_.itemsize == sizeof(float) && view_.format != nullptr && std::strcmp(view_.format, "f") == 0;
    }
    ~FloatBuffer() {
        if (held_) PyBuffer_Release(&view_);
    }
    FloatBuffer(const FloatBuffer&) = delete;
    FloatBuffer& operator=(const FloatBuffer&) = delete;
    // Its axes where it has this many rows and columns: 2, or 1 for a single row; 0 otherwise.
    int axes(std::int64_t rows, std::int64_t columns) const {
        if (!floats_) return 0;
        if (view_.ndim == 2) return view_.shape[0] == rows && view_.shape[1] == columns ? 2 : 0;
        return view_.ndim == 1 && rows == 1 && view_.shape[0] == columns ? 1 : 0;
    }
    float* data() const { return static_cast<float*>(view_.buf); }

  private:
    Py_buffer view_{};
    bool held_ = false;
    bool floats_ = false;
};

// A stream's step on plain memory: one of two arrays over the same memory, of shape (batch, outputs) and (outputs).
class StepTarget {
  public:
    StepTarget(nb::object y, nb::object row, std::int64_t batch, std::int64_t outputs)
        : y_(std::move(y)), row_(std::move(row)), target_(y_.ptr(), PyBUF_WRITABLE) {
        if (target_.axes(batch, outputs) != 2) throw nb::value_error("y must be a float32 array (batch, outputs).");
    }

    // The result, or None where x or out is not plain float32 memory of the right shape: then nothing has happened.
    template <class Core>
    nb::object step(Core& core, nb::handle x, nb::handle out) const {
        const FloatBuffer from(x.ptr(), 0);
        const int axes = from.axes(core.batch(), core.inputs());
        if (axes == 0) return nb::none();
        if (out.is_none()) {
            core.step(from.data(), target_.data());
            return axes == 1 ? row_ : y_;
        }
        const FloatBuffer to(out.ptr(), PyBUF_WRITABLE);
        if (to.axes(core.batch(), core.outputs()) != axes) return nb::none();
        core.step(from.data(), to.data());
        return nb::borrow(out);
    }

  private:
    nb::object y_, row_;
    FloatBuffer target_;
};

}  // namespace seqloom
