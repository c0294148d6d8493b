// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <sys/mman.h>
#include <type_traits>

namespace rill::dedup {

// An array that never grows, in huge pages where the system has them: look-ups go to random places
// in it, and with small pages each misses the TLB as well as the cache.
template <class T>
class HugeArray {
    static_assert(std::is_trivially_destructible_v<T>);
    static constexpr size_t kHugePage = 2 << 20;

public:
    explicit HugeArray(size_t count) {
        size_t bytes = count * sizeof(T);
        size_t alignment = alignof(T) < 64 ? 64 : alignof(T);
        if (bytes >= kHugePage) alignment = kHugePage;
        bytes = (bytes + alignment - 1) / alignment * alignment;
        void* memory = std::aligned_alloc(alignment, bytes);
        if (!memory) throw std::bad_alloc();
        if (alignment == kHugePage) (void)madvise(memory, bytes, MADV_HUGEPAGE); // only advice
        items_.reset(static_cast<T*>(memory));
        std::uninitialized_value_construct_n(items_.get(), count);
    }
    T& operator[](size_t i) const { return items_.get()[i]; }

private:
    struct Free {
        void operator()(T* p) const { std::free(p); }
    };
    std::unique_ptr<T, Free> items_;
};

} // namespace rill::dedup
