// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/chunker.hpp"
#include "dedup/record_ring.hpp"
#include "dedup/store.hpp"
#include "dedup/stream.hpp"
#include "util/pool.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace rill::dedup {

struct EngineLimits {
    uint32_t streams = 1024;
    uint32_t held_spans = 4096; // of all streams
    Duration idle = std::chrono::seconds(30);
};

struct EngineSettings {
    Chunker chunker;
    DigestKind digest = DigestKind::xxh3_128;
    std::span<const std::byte> key; // empty: digests as standard tools print them
    bool verify = false;            // compare bytes with SHA-256 too; with XXH3 that is always done
    EngineLimits limits;
};

// Turns streams of placed fragments into records of chunks, and enters new chunks in the store. One
// digest and one chunker; engines of one store must agree in the digest and its key.
// Single-threaded; time is an argument.
//
// place() only takes note; run() does the work for all streams with data, so that several chunks'
// digests run side by side and their look-ups wait for memory together. Call it once per pass over
// the network, while the data is in the cache, and before a completion is shown.
class Engine {
public:
    struct Counters {
        uint64_t bytes = 0, chunks = 0;
        uint64_t duplicates = 0, duplicate_bytes = 0;
        uint64_t mismatches = 0;      // a known digest, but other bytes: no duplicate
        uint64_t records_dropped = 0; // the ring was full
        uint64_t aborted = 0, expired = 0;
    };

    // Store and ring must outlive the engine.
    Engine(Store& store, RecordRing& ring, const EngineSettings& settings, const Cpu& cpu);

    // `origin`: where the first byte lies in its region (fixed chunks end aligned there); `owner`:
    // kept for whoever asks. Null: as many streams as there may be are open.
    [[nodiscard]] Stream* open(uint32_t name, Scope scope, uint64_t origin, Instant now,
                               void* owner = nullptr);

    // Bytes of the stream that have been placed, in any order; they must stay where they are until
    // the stream has passed them. What came before is ignored. again: no room to hold them back
    // (nothing was taken). invalid: the stream cannot be that long.
    [[nodiscard]] Status place(Stream& s, uint64_t offset, std::span<const std::byte> data,
                               Instant now);

    // Chunks and digests all that is ready; the records are in the ring afterwards.
    void run();

    // All bytes have been placed: ends the last chunk; its record is in the ring, and the stream is
    // gone. busy: there is a gap, and nothing happened.
    [[nodiscard]] Status finish(Stream& s);
    // The stream is gone, its open chunk without a record.
    void abort(Stream& s);
    // Likewise all to which nothing came for as long as the limits say. Calls each(stream).
    template <class Each>
    void expire(Instant now, Each&& each) {
        for (Stream* s = touched_.front(); s && now - s->touched >= limits_.idle;
             s = touched_.front()) {
            each(*s);
            ++counters_.expired;
            discard(*s);
        }
    }
    // When expire() will have something to do; kNever without streams.
    Instant deadline() {
        return touched_.empty() ? kNever : touched_.front()->touched + limits_.idle;
    }

    uint32_t streams() const { return streams_.live(); }
    uint32_t held_spans() const { return held_.live(); }
    const Counters& counters() const { return counters_; }

private:
    // Sixteen digests go side by side; the second half keeps lanes busy when chunks differ in
    // length.
    static constexpr size_t kBatch = 32;

    // A chunk that is complete, or will be when the jobs have run.
    struct Complete {
        Store::Key key;
        const std::byte* bytes = nullptr;
        uint32_t stream = 0;
        uint32_t sequence = 0;
        uint16_t flags = 0;
    };

    bool hold_back(Stream& s, uint64_t offset, std::span<const std::byte> data);
    void take(Stream& s, std::span<const std::byte> data);
    void take_held(Stream& s);
    void chunk(Stream& s);
    void start_chunk(Stream& s);
    void add(Stream& s, std::span<const std::byte> piece, bool ends, uint16_t flags);
    void digest(Stream& s, std::span<const std::byte> piece, Complete* complete);
    void flush();
    void report(const Complete& c);
    void discard(Stream& s);

    Store& store_;
    RecordRing& ring_;
    Chunker chunker_;
    DigestKind kind_;
    bool verify_;
    EngineLimits limits_;
    Sha256 sha256_;
    Xxh3 xxh3_;
    Pool<Stream> streams_;
    Pool<HeldSpan> held_;
    List<Stream, ReadyTag> ready_;
    List<Stream, TouchedTag> touched_; // the longest idle first
    Counters counters_;

    // The batch: jobs on streams' progress or on `ended`, and the chunks that they complete.
    size_t completes_ = 0, jobs_ = 0;
    std::array<Complete, kBatch> complete_;
    std::array<Store::Key, kBatch> keys_; // theirs, side by side for the look-up
    std::array<Sha256Progress, kBatch> ended_;
    std::array<Sha256Job, kBatch + 1> job_;
    std::array<Stream*, kBatch + 1> job_stream_; // null: not on a stream's progress
};

} // namespace rill::dedup
