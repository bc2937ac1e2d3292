#include "seqloom/workspace.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace seqloom {
namespace {

constexpr int slots = 16;
constexpr std::int64_t largest_kept = std::int64_t{128} << 20;  // bytes, all slots together
constexpr std::int64_t page = 4096;

struct Block {
    void* memory = nullptr;
    std::int64_t bytes = 0;
};
Block kept[slots];
std::int64_t kept_bytes = 0;
std::mutex kept_lock;

}  // namespace

Workspace::Workspace(std::int64_t floats) {
    if (floats < 0 || floats > (std::int64_t{1} << 60)) throw std::bad_alloc();
    bytes_ = (floats * 4 + page) / page * page;
    {
        // try_lock: whoever forks while another thread is here must not wait in the child.
        const std::unique_lock guard(kept_lock, std::try_to_lock);
        if (guard.owns_lock()) {
            Block* best = nullptr;
            for (Block& block : kept)
                if (block.bytes >= bytes_ && block.bytes <= 4 * bytes_ + 16 * page && (best == nullptr || block.bytes < best->bytes)) best = &block;
            if (best != nullptr) {
                data_ = static_cast<float*>(best->memory);
                bytes_ = best->bytes;
                kept_bytes -= bytes_;
                *best = Block{};
                return;
            }
        }
    }
    data_ = static_cast<float*>(std::aligned_alloc(static_cast<std::size_t>(page), static_cast<std::size_t>(bytes_)));
    if (data_ == nullptr) throw std::bad_alloc();
}

Workspace::~Workspace() {
    const std::unique_lock guard(kept_lock, std::try_to_lock);
    if (guard.owns_lock() && bytes_ <= largest_kept / 2) {
        Block* place = nullptr;
        for (Block& block : kept) {
            if (block.memory == nullptr) {
                place = &block;
                break;
            }
            if (place == nullptr || block.bytes < place->bytes) place = &block;
        }
        if (kept_bytes - place->bytes + bytes_ <= largest_kept && (place->memory == nullptr || place->bytes < bytes_)) {
            std::free(place->memory);
            kept_bytes += bytes_ - place->bytes;
            *place = Block{data_, bytes_};
            return;
        }
    }
    std::free(data_);
}

namespace {

bool settings_are_ours() noexcept {
    const char* own = std::getenv("SEQLOOM_KEEP_PAGES");
    if (own != nullptr && std::strcmp(own, "0") == 0) return false;
    const char* tunables = std::getenv("GLIBC_TUNABLES");
    return std::getenv("MALLOC_TRIM_THRESHOLD_") == nullptr && std::getenv("MALLOC_MMAP_THRESHOLD_") == nullptr &&
           (tunables == nullptr || std::strstr(tunables, "glibc.malloc") == nullptr);
}

}  // namespace

bool keep_freed_pages() noexcept {
#if defined(__GLIBC__)
    static const bool kept = settings_are_ours() && mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1 && mallopt(M_TRIM_THRESHOLD, 128 << 20) == 1;
    return kept;
#else
    return false;
#endif
}

std::int64_t workspace_kept() noexcept {
    const std::lock_guard guard(kept_lock);
    return kept_bytes;
}

}  // namespace seqloom
