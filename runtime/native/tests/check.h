// A test is a plain program: CHECK counts and reports what is false, main returns `failures() != 0`.
#pragma once

#include <cstdio>

namespace check {

inline int& failures() {
    static int count = 0;
    return count;
}

inline void that(bool holds, const char* text, const char* file, int line) {
    if (holds) return;
    ++failures();
    std::fprintf(stderr, "%s:%d: false: %s\n", file, line, text);
}

inline int done(const char* name) {
    std::printf("%s: %s\n", name, failures() == 0 ? "ok" : "FAILED");
    return failures() == 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)
#define CHECK_THROWS(expression, type)                                          \
    do {                                                                        \
        bool thrown_ = false;                                                   \
        try {                                                                   \
            expression;                                                         \
        } catch (const type&) {                                                 \
            thrown_ = true;                                                     \
        }                                                                       \
        check::that(thrown_, #expression " throws " #type, __FILE__, __LINE__); \
    } while (false)
