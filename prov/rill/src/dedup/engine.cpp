// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/engine.hpp"

#include <cassert>
#include <cstring>

namespace rill::dedup {
namespace {

// What is ready is chunked at once when it has become this long: it should still be in the
// second-level cache.
constexpr size_t kReadyMax = 256 << 10;

bool all_zeros(std::span<const std::byte> d) {
    // Equal to itself one byte further on.
    return d.empty() ||
           (d[0] == std::byte{0} && std::memcmp(d.data(), d.data() + 1, d.size() - 1) == 0);
}

} // namespace

Engine::Engine(Store& store, RecordRing& ring, const EngineSettings& settings, const Cpu& cpu)
    : store_(store), ring_(ring), chunker_(settings.chunker), kind_(settings.digest),
      verify_(settings.verify || settings.digest == DigestKind::xxh3_128), limits_(settings.limits),
      sha256_(cpu, settings.key), xxh3_(cpu, settings.key), streams_(limits_.streams),
      held_(limits_.held_spans) {}

Stream* Engine::open(uint32_t name, Scope scope, uint64_t origin, Instant now, void* owner) {
    Stream* s = streams_.make();
    if (!s) return nullptr;
    s->name = name;
    s->scope = scope;
    s->owner = owner;
    s->cut = chunker_.start(origin);
    s->touched = now;
    touched_.push_back(*s);
    start_chunk(*s);
    return s;
}

void Engine::start_chunk(Stream& s) {
    s.begins = nullptr;
    s.length = 0;
    s.in_one_piece = true;
    s.only_zeros = true;
}

Status Engine::place(Stream& s, uint64_t offset, std::span<const std::byte> data, Instant now) {
    if (data.size() > UINT64_MAX - offset) return Status::invalid;
    if (offset < s.front) {
        const size_t before = std::min<uint64_t>(data.size(), s.front - offset);
        offset += before;
        data = data.subspan(before);
    }
    if (data.empty()) return Status::ok;
    if (offset > s.front) {
        if (!hold_back(s, offset, data)) return Status::again;
    }
    s.touched = now;
    touched_.remove(s);
    touched_.push_back(s);
    store_.overwritten(data);
    if (offset == s.front) {
        take(s, data);
        take_held(s);
    }
    return Status::ok;
}

// Behind the last that begins no later: arrivals mostly grow, so that is looked for from the end.
bool Engine::hold_back(Stream& s, uint64_t offset, std::span<const std::byte> data) {
    HeldSpan* after = s.held.back();
    HeldSpan* behind = nullptr; // the one that will follow
    while (after && after->offset > offset) {
        behind = after;
        after = s.held.previous(*after);
    }
    const auto joins = [](const HeldSpan& h, uint64_t at, const std::byte* bytes) {
        return h.offset + h.data.size() == at && h.data.data() + h.data.size() == bytes;
    };
    if (after && joins(*after, offset, data.data())) {
        after->data = {after->data.data(), after->data.size() + data.size()};
        // It may have closed the gap to the next.
        if (behind && joins(*after, behind->offset, behind->data.data())) {
            after->data = {after->data.data(), after->data.size() + behind->data.size()};
            s.held.remove(*behind);
            held_.free(behind);
        }
        return true;
    }
    if (behind && offset + data.size() == behind->offset &&
        data.data() + data.size() == behind->data.data()) {
        behind->offset = offset;
        behind->data = {data.data(), data.size() + behind->data.size()};
        return true;
    }
    HeldSpan* h = held_.make();
    if (!h) return false;
    h->offset = offset;
    h->data = data;
    s.held.insert_after(after, *h);
    return true;
}

// In order: lengthens what is ready, which stays one piece of memory.
void Engine::take(Stream& s, std::span<const std::byte> data) {
    const bool joins = s.ready.data() + s.ready.size() == data.data();
    if (!s.ready.empty() && (!joins || s.ready.size() >= kReadyMax)) chunk(s);
    s.front += data.size();
    if (s.ready.empty())
        s.ready = data;
    else
        s.ready = {s.ready.data(), s.ready.size() + data.size()};
    if (!ready_.contains(s)) ready_.push_back(s);
}

void Engine::take_held(Stream& s) {
    while (HeldSpan* h = s.held.front()) {
        if (h->offset > s.front) return;
        const size_t before = std::min<uint64_t>(h->data.size(), s.front - h->offset);
        const auto rest = h->data.subspan(before);
        s.held.pop_front();
        held_.free(h);
        if (!rest.empty()) take(s, rest);
    }
}

void Engine::run() {
    while (Stream* s = ready_.front())
        chunk(*s);
    flush();
}

// All that is ready; the digest of an open chunk goes on with what there is of it.
void Engine::chunk(Stream& s) {
    auto rest = s.ready;
    s.ready = {};
    if (ready_.contains(s)) ready_.remove(s);
    counters_.bytes += rest.size();
    while (!rest.empty()) {
        const Cut cut = chunker_.next(s.cut, rest);
        add(s, rest.first(cut.bytes), cut.done, cut.forced ? kForcedCut : 0);
        rest = rest.subspan(cut.bytes);
    }
}

// A piece of the open chunk, which ends with it or stays open.
void Engine::add(Stream& s, std::span<const std::byte> piece, bool ends, uint16_t flags) {
    if (s.queued || completes_ == kBatch || jobs_ == job_.size()) flush();
    if (s.length == 0)
        s.begins = piece.data();
    else if (!piece.empty())
        s.in_one_piece &= s.begins + s.length == piece.data();
    s.only_zeros = s.only_zeros && all_zeros(piece);
    if (!ends) {
        digest(s, piece, nullptr);
        s.length += static_cast<uint32_t>(piece.size());
        return;
    }
    Complete& c = complete_[completes_++];
    const uint32_t length = s.length + static_cast<uint32_t>(piece.size());
    if (s.only_zeros) flags |= kZero;
    if (!s.in_one_piece) flags |= kScattered;
    c = {{{}, s.scope, length}, s.begins, s.name, s.sequence++, flags};
    digest(s, piece, &c);
    start_chunk(s);
}

void Engine::digest(Stream& s, std::span<const std::byte> piece, Complete* complete) {
    switch (kind_) {
    case DigestKind::xxh3_128:
        if (complete && s.length == 0) {
            complete->key.digest = xxh3_.of(piece);
            return;
        }
        if (s.length == 0) xxh3_.begin(s.xxh3);
        xxh3_.update(s.xxh3, piece);
        if (complete) complete->key.digest = xxh3_.finish(s.xxh3);
        return;
    case DigestKind::sha256:
        if (s.length == 0) sha256_.begin(s.sha256);
        if (complete) {
            // The stream goes on with its next chunk before this one's job has run.
            Sha256Progress& p = ended_[completes_ - 1];
            p = s.sha256;
            job_stream_[jobs_] = nullptr;
            job_[jobs_++] = {&p, piece, &complete->key.digest};
        } else {
            s.queued = true;
            job_stream_[jobs_] = &s;
            job_[jobs_++] = {&s.sha256, piece, nullptr};
        }
        return;
    }
}

// Digests side by side, then look-ups together; what the batch found is in the ring after that.
void Engine::flush() {
    if (jobs_ > 0) sha256_.run({job_.data(), jobs_});
    for (size_t i = 0; i < jobs_; ++i)
        if (job_stream_[i]) job_stream_[i]->queued = false;
    jobs_ = 0;
    for (size_t i = 0; i < completes_; ++i)
        keys_[i] = complete_[i].key;
    store_.warm({keys_.data(), completes_});
    for (size_t i = 0; i < completes_; ++i)
        report(complete_[i]);
    completes_ = 0;
}

void Engine::report(const Complete& c) {
    Record r{.digest = c.key.digest,
             .address = reinterpret_cast<uintptr_t>(c.bytes),
             .reference = {},
             .length = c.key.length,
             .stream = c.stream,
             .sequence = c.sequence,
             .flags = c.flags,
             .reserved = 0};
    const bool one_piece = (c.flags & kScattered) == 0;
    const Store::Found found = store_.find(c.key);
    if (!found.reference) {
        if (one_piece) r.reference = store_.insert(c.key, c.bytes);
    } else if (!verify_) {
        r.flags |= kDuplicate;
    } else if (one_piece) {
        // Other bytes than those of its digest: the memory of the known chunk has changed, or the
        // digests collide. The newer takes its place.
        if (std::memcmp(found.bytes, c.bytes, c.key.length) == 0) {
            r.flags |= kDuplicate | kVerified;
        } else {
            ++counters_.mismatches;
            store_.drop(found.reference);
            r.reference = store_.insert(c.key, c.bytes);
        }
    }
    if (r.flags & kDuplicate) {
        r.reference = found.reference;
        ++counters_.duplicates;
        counters_.duplicate_bytes += c.key.length;
    }
    ++counters_.chunks;
    if (!ring_.push(r)) ++counters_.records_dropped;
}

Status Engine::finish(Stream& s) {
    if (!s.held.empty()) return Status::busy;
    chunk(s);
    // An empty stream has one empty chunk, as an empty file has a digest.
    if (s.length > 0 || s.sequence == 0) add(s, {}, true, kLast);
    flush();
    discard(s);
    return Status::ok;
}

void Engine::abort(Stream& s) {
    ++counters_.aborted;
    discard(s);
}

void Engine::discard(Stream& s) {
    if (s.queued) flush();
    while (HeldSpan* h = s.held.pop_front())
        held_.free(h);
    if (ready_.contains(s)) ready_.remove(s);
    touched_.remove(s);
    streams_.free(&s);
}

} // namespace rill::dedup
