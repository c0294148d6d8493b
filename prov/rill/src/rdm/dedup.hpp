// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/chunker.hpp"
#include "dedup/digest.hpp"
#include "dedup/record_ring.hpp"
#include "nic/admin.hpp"
#include "util/status.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace rill::rdm {

class Driver;
class ReceiveSide;

struct DedupStoreDescription {
    dedup::ChunkerKind chunker = dedup::ChunkerKind::fixed;
    dedup::DigestKind digest = dedup::DigestKind::xxh3_128;
    dedup::ChunkLimits limits;
    uint32_t capacity = 0; // chunks
    bool verify = false;
    std::vector<std::byte> key;
};

// The host's side of dedup: has stores and rings made by admin commands, and makes them again,
// empty, after a reset. Numbers are those of the device.
class Dedup {
public:
    explicit Dedup(Driver& driver) : driver_(driver) {}

    bool is_there() const; // negotiated
    // Whether the device wants to know what is copied by software.
    bool active() const { return !stores_.empty(); }

    // unsupported: the device has no dedup. invalid, no_memory.
    [[nodiscard]] Status open_store(const DedupStoreDescription& d, uint64_t& number);
    void close_store(uint64_t number);
    // `capacity`: records, a power of two. The memory is kept here until it is closed.
    [[nodiscard]] Status open_ring(uint32_t capacity, uint64_t& number);
    void close_ring(uint64_t number);
    dedup::RecordMemory& records(uint64_t ring) { return *rings_.at(ring).memory; }

    // Receives of that side that ask for it report their chunks. address_in_use: attached already.
    [[nodiscard]] Status attach(ReceiveSide& side, uint64_t store, uint64_t ring, uint32_t scope);
    void detach(ReceiveSide& side);
    // A memory region; `ring` 0: what peers write there is not reported. invalid: another region of
    // the store has some of the memory.
    [[nodiscard]] Status attach(uint64_t key, uint64_t store, uint64_t ring, uint32_t scope);
    void detach(uint64_t key);

    [[nodiscard]] Status submit(uint64_t store, uint64_t ring, uint32_t scope, uint32_t stream,
                                std::span<const std::byte> data);
    [[nodiscard]] Status look_up(uint64_t store, std::span<nic::DedupQuery> queries);
    // not_found: the chunk is not known any more (or is not held, release).
    [[nodiscard]] Status use(uint64_t store, dedup::Reference r, nic::DedupUse how,
                             std::span<const std::byte>& chunk);
    [[nodiscard]] Status statistics(uint64_t store, nic::DedupStatistics& out);

    // The device has been reset; queue pairs and regions are there again.
    [[nodiscard]] Status make_again();

private:
    struct Ring {
        std::unique_ptr<dedup::RecordMemory> memory;
        uint64_t at = 0;
    };
    struct Attachment {
        ReceiveSide* side = nullptr; // null: a region
        uint64_t key = 0;
        uint64_t store = 0;
        uint64_t ring = 0;
        uint32_t scope = 0;
    };

    Status tell_store(uint64_t number, const DedupStoreDescription& d);
    Status tell_ring(uint64_t number, Ring& ring);
    Status tell_attachment(const Attachment& a);
    Status attach(const Attachment& a);
    void detach(nic::DedupTarget target, uint64_t id);

    Driver& driver_;
    std::map<uint64_t, DedupStoreDescription> stores_;
    std::map<uint64_t, Ring> rings_;
    std::vector<Attachment> attachments_;
};

} // namespace rill::rdm
