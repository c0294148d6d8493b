// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/fork_guard.hpp"

#include <new>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace rill::fi {

namespace {

std::atomic<uint64_t> fallback_page{0};
// Inherited as it is, so that a child's marks differ from all of its ancestors'.
std::atomic<uint64_t> last_mark{0};

} // namespace

constinit std::atomic<uint64_t>* ProcessMark::page_ = &fallback_page;

void ProcessMark::install() {
    if (page_ != &fallback_page) return;
    const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void* page = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
        if (madvise(page, bytes, MADV_WIPEONFORK) == 0)
            page_ = new (page) std::atomic<uint64_t>(0);
        else
            munmap(page, bytes);
    }
    // For kernels without the advice.
    static bool handler = false;
    if (page_ == &fallback_page && !handler)
        handler = pthread_atfork(nullptr, nullptr,
                                 [] { fallback_page.store(0, std::memory_order_relaxed); }) == 0;
}

ProcessMark ProcessMark::current() {
    uint64_t mark = page_->load(std::memory_order_relaxed);
    if (mark == 0) {
        const uint64_t fresh = last_mark.fetch_add(1, std::memory_order_relaxed) + 1;
        mark = page_->compare_exchange_strong(mark, fresh) ? fresh : mark;
    }
    return ProcessMark(mark);
}

} // namespace rill::fi
