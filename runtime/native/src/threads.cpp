#include "seqloom/threads.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace seqloom {
namespace {

// One parallel region: threads take the next piece until none is left.
struct Region {
    PieceFunction function;
    void* context;
    std::int64_t pieces;
    std::atomic<std::int64_t> next{0};
    std::mutex failure_lock;
    std::exception_ptr failure;

    void work() noexcept {
        for (;;) {
            const std::int64_t piece = next.fetch_add(1, std::memory_order_relaxed);
            if (piece >= pieces) return;
            try {
                function(context, piece);
            } catch (...) {
                const std::lock_guard guard(failure_lock);
                if (!failure) failure = std::current_exception();
                next.store(pieces, std::memory_order_relaxed);
            }
        }
    }
};

void pause_briefly() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

constexpr int spins = 4000;  // some tens of microseconds: as long as the gap between two calls of a training step

class Pool {
  public:
    // Run the region with up to `helpers` workers besides the caller. False where another caller has the pool.
    bool run(Region& region, int helpers) {
        if (owned_.exchange(true, std::memory_order_acquire)) return false;
        while (static_cast<int>(workers_.size()) < helpers) {
            const int index = static_cast<int>(workers_.size());
            workers_.emplace_back([this, index, seen = round_.load()] { loop(index, seen); });
            workers_.back().detach();  // they sleep until the process ends
            count_.store(index + 1);
        }
        {
            const std::lock_guard guard(lock_);
            region_ = &region;
            helpers_ = helpers;
            busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
            round_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        region.work();
        // Every worker answers every round, so that none still holds the region when it goes out of scope.
        for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin) {
            if (spin < spins) pause_briefly();
            else std::this_thread::yield();
        }
        owned_.store(false, std::memory_order_release);
        return true;
    }

    int workers() const noexcept { return count_.load(); }

  private:
    void loop(int index, std::uint64_t seen) {
        for (;;) {
            for (int spin = 0; spin < spins && round_.load(std::memory_order_acquire) == seen; ++spin) pause_briefly();
            Region* region = nullptr;
            {
                std::unique_lock guard(lock_);
                wake_.wait(guard, [&] { return round_.load(std::memory_order_acquire) != seen; });
                seen = round_.load(std::memory_order_acquire);
                if (index < helpers_) region = region_;
            }
            if (region != nullptr) region->work();
            busy_.fetch_sub(1, std::memory_order_release);
        }
    }

    std::atomic<bool> owned_{false};  // by a caller, perhaps of the same thread (a nested region)
    std::mutex lock_;
    std::condition_variable wake_;
    std::vector<std::thread> workers_;
    std::atomic<int> count_{0};
    std::atomic<std::uint64_t> round_{0};
    std::atomic<int> busy_{0};
    Region* region_ = nullptr;
    int helpers_ = 0;
};

// The pool of this process. A child of fork has none of its parent's threads, and perhaps locked locks: it gets a new
// one, and the parent's copy is left as it is.
std::atomic<Pool*> pool{nullptr};
std::mutex pool_lock;
std::atomic<bool> forked{false};

void after_fork_in_child() noexcept {
    pool.store(nullptr);
    forked.store(true);
    new (&pool_lock) std::mutex;
}

Pool& get_pool() {
    if (Pool* found = pool.load()) return *found;
    const std::lock_guard guard(pool_lock);
    if (pool.load() == nullptr) {
        [[maybe_unused]] static const int registered = pthread_atfork(nullptr, nullptr, after_fork_in_child);
        pool.store(new Pool);
    }
    return *pool.load();
}

using GompParallel = void (*)(void (*)(void*), void*, unsigned, unsigned);
std::atomic<GompParallel> gomp_parallel{nullptr};

struct Search {
    const std::string& hint;
    std::string path;
};

int look_at(dl_phdr_info* info, std::size_t, void* data) {
    auto* search = static_cast<Search*>(data);
    const std::string path = info->dlpi_name == nullptr ? "" : info->dlpi_name;
    const std::string name = path.substr(path.rfind('/') + 1);
    if (name.rfind("libgomp", 0) != 0 || path.find(search->hint) == std::string::npos) return 0;
    search->path = path;
    return 1;
}

}  // namespace

void run_pieces(std::int64_t pieces, int threads, PieceFunction function, void* context) {
    const int useful = static_cast<int>(std::min<std::int64_t>(pieces, std::max(threads, 1)));
    if (useful <= 1) {
        for (std::int64_t piece = 0; piece < pieces; ++piece) function(context, piece);
        return;
    }
    Region region{function, context, pieces, {}, {}, {}};
    const GompParallel shared = gomp_parallel.load();
    if (shared != nullptr && !forked.load()) {
        shared([](void* data) { static_cast<Region*>(data)->work(); }, &region, static_cast<unsigned>(useful), 0);
    } else if (!get_pool().run(region, useful - 1)) {
        region.work();
    }
    if (region.failure) std::rethrow_exception(region.failure);
}

bool share_openmp(const std::string& hint) {
    Search search{hint, {}};
    dl_iterate_phdr(look_at, &search);
    if (search.path.empty()) return false;
    void* library = dlopen(search.path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (library == nullptr) return false;
    void* symbol = dlsym(library, "GOMP_parallel");
    if (symbol == nullptr) return false;
    get_pool();  // registers what a child of fork needs
    gomp_parallel.store(reinterpret_cast<GompParallel>(symbol));
    return true;
}

void stop_sharing_openmp() noexcept { gomp_parallel.store(nullptr); }

bool sharing_openmp() noexcept { return gomp_parallel.load() != nullptr && !forked.load(); }

int own_workers() noexcept {
    const Pool* found = pool.load();
    return found == nullptr ? 0 : found->workers();
}

}  // namespace seqloom
