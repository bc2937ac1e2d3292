// Lists of numbers and addresses as Python hands them over, which has checked what they are.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <string>
#include <vector>

using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;

inline void expect(std::size_t found, std::size_t wanted, const char* what) {
    if (found != wanted) throw nanobind::value_error((std::string(what) + ": " + std::to_string(wanted) + " wanted, not " + std::to_string(found)).c_str());
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
