// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/engine.hpp"
#include "nic/admin.hpp"
#include "obs/counters.hpp"
#include "util/iov.hpp"
#include "util/pool.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace rill::nic {

// A store and a ring that work together, with the engine between them.
struct DedupContext;

// What a queue pair or a memory region is attached to. A region's context may be null: chunks in it
// may be referred to, and nothing is reported of what peers write.
struct DedupAttachment {
    DedupContext* context = nullptr;
    uint8_t store = 0; // 0: not attached
    uint8_t ring = 0;
    uint32_t scope = 0;

    explicit operator bool() const { return store != 0; }
};

struct DedupStoreSettings {
    dedup::EngineSettings engine;
    std::vector<std::byte> key;
    uint32_t capacity = 0;
};

// The part of the device that cuts into chunks what has been placed, and reports the chunks. The
// placement engine tells it of bytes as they are placed; records are in the host's ring before an
// entry tells of the message.
class DedupUnit {
public:
    explicit DedupUnit(obs::Counters& counters);
    ~DedupUnit();

    // A message or write, part of which has been placed. Its owner has the one pointer to it, which
    // becomes null when all of it is chunked, or nothing more will be.
    struct Transfer;

    // Whether there is a store: the only thing that the data path asks when there is none.
    bool active() const { return active_; }

    // ---- commands. invalid: the number is out of range or settings are wrong; address_in_use: the
    // number is taken, or something is attached; not_found: there is none; no_memory.
    [[nodiscard]] Status open_store(uint64_t number, DedupStoreSettings settings);
    [[nodiscard]] Status close_store(uint64_t number);
    [[nodiscard]] Status open_ring(uint64_t number, dedup::RingHeader& header, uint32_t capacity);
    [[nodiscard]] Status close_ring(uint64_t number);
    // `ring` 0: no reports.
    [[nodiscard]] Status attach(uint64_t store, uint64_t ring, uint32_t scope,
                                DedupAttachment& attachment);
    void detach(DedupAttachment& attachment);
    // Memory that references into the store may lead to.
    [[nodiscard]] Status attach_memory(const DedupAttachment& a, IovView pieces);
    void detach_memory(const DedupAttachment& a, IovView pieces);
    // Chunks the host's own memory; all records are there on return.
    [[nodiscard]] Status submit(uint64_t store, uint64_t ring, uint32_t scope, uint32_t stream,
                                std::span<const std::byte> data);
    [[nodiscard]] Status look_up(uint64_t store, std::span<DedupQuery> queries);
    // not_found: also of a reference that finds nothing any more.
    [[nodiscard]] Status use(uint64_t store, dedup::Reference r, DedupUse how,
                             std::span<const std::byte>& chunk);
    [[nodiscard]] Status statistics(uint64_t store, DedupStatistics& out) const;
    void clear();

    // ---- data path, while active()
    void set_time(Instant now) { now_ = now; }
    // Bytes of the list have been written: what was known to lie there is not there any more.
    void wrote(IovView list, uint64_t offset, uint64_t bytes) { wrote(list, offset, bytes, 0); }
    // All of a transfer has been placed.
    void placed_whole(const DedupAttachment& a, IovView list, uint64_t base, uint64_t bytes,
                      uint64_t origin);
    // `bytes` of a transfer will be placed in the list from `base` on. Of the first `together` bytes
    // it is not known which are there; `missing` of them are not. They are chunked when all are.
    void begin(const DedupAttachment& a, Transfer*& owner, IovView list, uint64_t base,
               uint64_t bytes, uint64_t origin, uint64_t together = 0, uint64_t missing = 0);
    // `bytes` more at `offset`, of which there may be no room for some.
    void placed(Transfer*& owner, uint64_t offset, uint64_t bytes);
    void abort(Transfer*& owner);
    // Peers' writes of more than one packet, by their flow of remote operations.
    struct RemoteId {
        uint32_t flow = 0, generation = 0; // as in a GrantId
        uint32_t msg_no = 0;
        uint64_t address = 0; // of the range
        auto operator<=>(const RemoteId&) const = default;
    };
    // is_new: nothing of that range has come before.
    Transfer*& remote(const RemoteId& id, bool& is_new) {
        auto [it, made] = remote_.try_emplace(id);
        is_new = made;
        return it->second;
    }
    // Of one operation that is over, or of all of a flow.
    void abort_remote(RemoteId id);
    void abort_flow(uint32_t flow, uint32_t generation);
    // Chunks and digests what has been placed: once per train.
    void run();
    // Ends what nothing has come for.
    void expire();
    Instant deadline() const;
    uint32_t transfers() const { return transfers_.live(); }

private:
    struct StoreSlot;
    struct RingSlot;

    StoreSlot* store(uint64_t number) const;
    RingSlot* ring(uint64_t number) const;
    DedupContext* context(StoreSlot& s, RingSlot& r);
    void drop_contexts(const StoreSlot* s, const RingSlot* r);
    void wrote(IovView list, uint64_t offset, uint64_t bytes, uint8_t except);
    bool place(Transfer& t, uint64_t offset, uint64_t bytes);
    void finish(Transfer*& owner);
    void free(Transfer*& owner);
    void lost(DedupContext& c);
    void count();

    obs::Counters& counters_;
    bool active_ = false;
    Instant now_{};
    std::array<std::unique_ptr<StoreSlot>, kDedupNumberMax + 1> stores_;
    std::array<std::unique_ptr<RingSlot>, kDedupNumberMax + 1> rings_;
    std::vector<uint8_t> open_stores_;
    std::vector<std::unique_ptr<DedupContext>> contexts_;
    Pool<Transfer> transfers_{UINT32_MAX}; // each has a stream, whose number is bounded
    std::map<RemoteId, Transfer*> remote_;
    dedup::Engine::Counters past_; // of contexts that are gone
};

struct DedupUnit::Transfer {
    DedupContext* context = nullptr;
    dedup::Stream* stream = nullptr;
    Transfer** owner = nullptr;
    IovView list;
    uint64_t base = 0;
    uint64_t bytes = 0;
    uint64_t together = 0;
    uint64_t missing = 0; // of `together`
};

} // namespace rill::nic
