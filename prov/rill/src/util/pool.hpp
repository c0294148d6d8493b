// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace rill {

// Objects of one type in slabs that never move, addressed by pointer or by a handle of slot and
// generation. A handle that outlives its object finds nothing: the generation changes on free.
// `limit` bounds the number of live objects; make() answers null beyond it.
template <class T>
class Pool {
    static constexpr uint32_t kSlabSlots = 64;

public:
    struct Handle {
        uint32_t slot = UINT32_MAX;
        uint32_t generation = 0;
        bool operator==(const Handle&) const = default;
    };

    explicit Pool(uint32_t limit) : limit_(limit) {}
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool() {
        for (uint32_t i = 0; i < slots_in_use_; ++i)
            if (cell(i).live) cell(i).object()->~T();
    }

    template <class... Args>
    [[nodiscard]] T* make(Args&&... args) {
        if (live_ == limit_) return nullptr;
        uint32_t slot;
        if (free_head_ != UINT32_MAX) {
            slot = free_head_;
            free_head_ = cell(slot).next_free;
        } else {
            if (slots_in_use_ == slabs_.size() * kSlabSlots)
                slabs_.push_back(std::make_unique<Cell[]>(kSlabSlots));
            slot = slots_in_use_++;
            cell(slot).slot = slot;
        }
        Cell& c = cell(slot);
        T* object;
        if constexpr (sizeof...(Args) == 0)
            object = new (c.storage) T; // not T(): that would clear an aggregate's buffers as well
        else
            object = new (c.storage) T(std::forward<Args>(args)...);
        c.live = true;
        ++live_;
        return object;
    }

    void free(T* object) {
        Cell& c = *cell_of(object);
        assert(c.live);
        object->~T();
        c.live = false;
        ++c.generation;
        c.next_free = free_head_;
        free_head_ = c.slot;
        --live_;
    }

    Handle handle(const T* object) const {
        const Cell& c = *cell_of(const_cast<T*>(object));
        return {c.slot, c.generation};
    }
    T* find(Handle h) {
        if (h.slot >= slots_in_use_) return nullptr;
        Cell& c = cell(h.slot);
        return c.live && c.generation == h.generation ? c.object() : nullptr;
    }
    // The live object in a slot, or null: for handles that carry no generation.
    T* at(uint32_t slot) {
        return slot < slots_in_use_ && cell(slot).live ? cell(slot).object() : nullptr;
    }
    template <class F>
    void for_each(F&& f) {
        for (uint32_t i = 0; i < slots_in_use_; ++i)
            if (cell(i).live) f(*cell(i).object());
    }
    uint32_t live() const { return live_; }
    uint32_t limit() const { return limit_; }

private:
    struct Cell {
        alignas(T) std::byte storage[sizeof(T)]; // first, so that an object's address is its cell's
        uint32_t slot = 0;
        uint32_t generation = 1;
        uint32_t next_free = UINT32_MAX;
        bool live = false;
        T* object() { return std::launder(reinterpret_cast<T*>(storage)); }
    };
    static Cell* cell_of(T* object) { return reinterpret_cast<Cell*>(object); }
    Cell& cell(uint32_t slot) { return slabs_[slot / kSlabSlots][slot % kSlabSlots]; }

    uint32_t limit_;
    uint32_t live_ = 0;
    uint32_t slots_in_use_ = 0;
    uint32_t free_head_ = UINT32_MAX;
    std::vector<std::unique_ptr<Cell[]>> slabs_;
};

} // namespace rill
