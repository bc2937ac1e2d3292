// Runs numbered pieces of work on several threads.
//
// Which thread runs which piece is not fixed, so a piece must not depend on it: our results have the same bits for any
// number of threads because pieces are cut by the sizes of the problem alone and their sums are added in a fixed order.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace seqloom {

using PieceFunction = void (*)(void* context, std::int64_t piece);

// Call function(context, piece) for every piece in [0, pieces) on at most `threads` threads, this one among them.
// Returns when all are done; the first exception of a piece is thrown again here. Safe from several threads at once (a
// second caller runs its own pieces itself) and after fork (the child starts threads of its own).
void run_pieces(std::int64_t pieces, int threads, PieceFunction function, void* context);

template <class Body>
void parallel_for(std::int64_t pieces, int threads, Body&& body) {
    using Plain = std::remove_reference_t<Body>;
    run_pieces(
        pieces, threads, [](void* context, std::int64_t piece) { (*static_cast<Plain*>(context))(piece); },
        const_cast<void*>(static_cast<const void*>(&body)));
}

// Take the workers of an OpenMP runtime that is already loaded (GNU's, of the library whose path contains `hint`)
// instead of our own: after an operation of that runtime's other user its workers still spin and would take the cores
// from ours. Returns whether one was found. In a child of fork our own threads are used all the same.
bool share_openmp(const std::string& hint);
void stop_sharing_openmp() noexcept;
bool sharing_openmp() noexcept;

// Number of our own worker threads that are alive in this process.
int own_workers() noexcept;

}  // namespace seqloom
