// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "obs/export_layout.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace rill::obs {

// The tables of a snapshot, one after the other, as they lie in shared memory. Filled table by table.
class Snapshot {
public:
    void clear() {
        bytes_.clear();
        head_ = 0;
    }
    void begin(TableKind kind, size_t entry_bytes) {
        head_ = bytes_.size();
        append(TableHead{kind, static_cast<uint32_t>(entry_bytes), 0});
    }
    // To the table that was begun last.
    template <class T>
    void add(const T& entry) {
        append(entry);
        TableHead head;
        std::memcpy(&head, bytes_.data() + head_, sizeof head);
        ++head.count;
        std::memcpy(bytes_.data() + head_, &head, sizeof head);
    }
    std::span<const std::byte> bytes() const { return bytes_; }

private:
    template <class T>
    void append(const T& what) {
        static_assert(kMayExport<T>);
        bytes_.resize(bytes_.size() + sizeof what);
        std::memcpy(bytes_.data() + bytes_.size() - sizeof what, &what, sizeof what);
    }

    std::vector<std::byte> bytes_;
    size_t head_ = 0; // of the table that was begun last
};

// The entries of one kind in what Snapshot::bytes() gave, here or in another process: those that are
// there whole. Fields that the writer did not have are zero.
template <class T>
std::vector<T> entries_of(std::span<const std::byte> bytes, TableKind kind) {
    std::vector<T> found;
    TableHead head;
    while (bytes.size() >= sizeof head) {
        std::memcpy(&head, bytes.data(), sizeof head);
        bytes = bytes.subspan(sizeof head);
        if (head.entry_bytes == 0) break; // no table of ours
        const uint64_t count = std::min<uint64_t>(head.count, bytes.size() / head.entry_bytes);
        for (uint64_t i = 0; head.kind == kind && i < count; ++i) {
            T& entry = found.emplace_back();
            std::memcpy(&entry, bytes.data() + i * head.entry_bytes,
                        std::min(sizeof entry, size_t{head.entry_bytes}));
        }
        bytes = bytes.subspan(count * head.entry_bytes);
    }
    return found;
}

} // namespace rill::obs
