// The only translation unit that sees Python.
#include <nanobind/nanobind.h>

NB_MODULE(_native, m) { m.attr("__doc__") = "Native kernels of seqloom."; }
