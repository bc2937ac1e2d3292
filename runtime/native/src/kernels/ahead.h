// Memory asked for before it is used, while products run.
#pragma once

#include "simd.h"

namespace seqloom {
namespace {

// Ask for n floats to be brought near, to be read or to be written: a store into memory that other cores may hold costs
// more than a load. The empty statement keeps the calls: the compiler takes a function that only asks for one that does
// nothing.
inline void prefetch(const float* p, i64 n) {
    for (i64 j = 0; j < n; j += 16) __builtin_prefetch(p + j, 0, 3);
    asm volatile("");
}
inline void prefetch_to_write(const float* p, i64 n) {
    for (i64 j = 0; j < n; j += 16) __builtin_prefetch(p + j, 1, 3);
    asm volatile("");
}

// What a step asks for, a few lines before each register tile of its products: a core keeps some twenty requests at a
// time, and many at once hold up the loads and stores that follow, while a tile reads only what is near.
class Ahead {
  public:
    // n floats from p on; what is more than the places hold is asked for at once.
    void add(const float* p, i64 n, bool write) {
        if (n <= 0) return;
        if (count_ == places) return write ? prefetch_to_write(p, n) : prefetch(p, n);
        ranges_[count_++] = {p, n, write};
        lines_ += (n + 15) / 16;
    }
    // Share out what was added over the next `tiles` register tiles.
    void pace(i64 tiles) { pace_ = tiles > 0 ? (lines_ + tiles - 1) / tiles : lines_; }
    void tick() { ask(pace_); }
    void rest() { ask(lines_); }

  private:
    struct Range {
        const float* at;
        i64 floats;
        bool write;
    };
    static constexpr int places = 132;  // four arrays of the rows of a tile, and what is saved

    [[gnu::always_inline]] void ask(i64 lines) {
        while (lines > 0 && current_ < count_) {
            Range& range = ranges_[current_];
            const i64 n = range.floats < 16 * lines ? range.floats : 16 * lines;
            if (range.write) prefetch_to_write(range.at, n);
            else prefetch(range.at, n);
            const i64 asked = (n + 15) / 16;
            lines -= asked;
            lines_ -= asked;
            range.at += n;
            range.floats -= n;
            if (range.floats == 0) ++current_;
        }
    }

    Range ranges_[places];
    int count_ = 0;
    int current_ = 0;
    i64 lines_ = 0;
    i64 pace_ = 0;
};

}  // namespace
}  // namespace seqloom
