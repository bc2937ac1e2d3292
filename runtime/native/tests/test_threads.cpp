#include "seqloom/threads.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.h"

using namespace seqloom;

namespace {

bool every_piece_once(std::int64_t pieces, int threads) {
    std::vector<std::atomic<int>> hits(static_cast<std::size_t>(pieces));
    parallel_for(pieces, threads, [&](std::int64_t piece) { hits[static_cast<std::size_t>(piece)].fetch_add(1); });
    for (const auto& hit : hits)
        if (hit.load() != 1) return false;
    return true;
}

}  // namespace

int main() {
    for (int threads : {-1, 0, 1, 2, 3, 7})
        for (std::int64_t pieces : {0, 1, 2, 5, 1000}) CHECK(every_piece_once(pieces, threads));
    for (int round = 0; round < 2000; ++round) CHECK(every_piece_once(4, 2 + round % 3));
    CHECK(own_workers() == 6);

    CHECK_THROWS(parallel_for(100, 3, [](std::int64_t piece) { if (piece == 41) throw std::runtime_error("41"); }), std::runtime_error);
    CHECK(every_piece_once(100, 3));

    std::vector<std::thread> callers;
    std::atomic<int> good{0};
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([&] {
            for (int round = 0; round < 200; ++round) good += every_piece_once(8, 3) ? 1 : 0;
        });
    for (auto& caller : callers) caller.join();
    CHECK(good.load() == 800);

    // Nested regions run in the thread that meets them.
    std::atomic<int> inner{0};
    parallel_for(4, 2, [&](std::int64_t) { parallel_for(4, 2, [&](std::int64_t) { ++inner; }); });
    CHECK(inner.load() == 16);

#if !defined(__SANITIZE_THREAD__)  // the thread sanitizer does not allow threads in a child of a threaded parent
    if (std::getenv("SEQLOOM_EMULATED") == nullptr) {  // nor does qemu, which ends such a child by an assertion of its own
        const pid_t child = fork();
        if (child == 0) _exit(own_workers() == 0 && every_piece_once(50, 3) && own_workers() == 2 ? 0 : 1);
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
#endif
    CHECK(every_piece_once(50, 3));
    CHECK(!share_openmp("no such library"));
    CHECK(!sharing_openmp());
    return check::done("threads");
}
