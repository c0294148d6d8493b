// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "dedup/store.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace rill::dedup {
namespace {

constexpr size_t kLinesPerSet = 2;

// Digests are uniform already; the scope only has to move them about.
uint64_t mix(const Digest& d, Scope s) {
    uint64_t v;
    std::memcpy(&v, d.bytes.data(), sizeof v);
    return v ^ s * 0x9e3779b97f4a7c15ull;
}

uint32_t tag_of(const Digest& d) {
    uint32_t v;
    std::memcpy(&v, d.bytes.data() + 8, sizeof v);
    return v;
}

void prefetch_set(const void* set) {
    __builtin_prefetch(set);
    __builtin_prefetch(static_cast<const std::byte*>(set) + 64);
}

ptrdiff_t granule_of(const Regions::Region& region, uintptr_t address) {
    return static_cast<ptrdiff_t>((address - region.begin) / Regions::kGranule);
}

} // namespace

// All of the memory is made here, none later.
Store::Store(uint32_t capacity)
    : capacity_(std::max(1u, capacity)), sets_(std::bit_ceil((uint64_t{capacity_} + 7) / 8)),
      entries_(capacity_), lines_(sets_ * kLinesPerSet) {
    for (uint64_t i = 0; i < sets_ * kLinesPerSet; ++i)
        std::fill(std::begin(lines_[i].entry), std::end(lines_[i].entry), kNone);
}

Store::Line* Store::set_of(const Digest& d, Scope s) const {
    return &lines_[(mix(d, s) & (sets_ - 1)) * kLinesPerSet];
}

uint32_t Store::look_up(const Key& key) const {
    const Line* set = set_of(key.digest, key.scope);
    const uint32_t tag = tag_of(key.digest);
    for (size_t l = 0; l < kLinesPerSet; ++l)
        for (size_t i = 0; i < Line::kSlots; ++i) {
            if (set[l].tag[i] != tag || set[l].entry[i] == kNone) continue;
            const Entry& e = entries_[set[l].entry[i]];
            if (e.digest == key.digest && e.scope == key.scope && e.length == key.length)
                return set[l].entry[i];
        }
    return kNone;
}

void Store::warm(std::span<const Key> keys) const {
    for (const Key& k : keys) {
        prefetch_set(set_of(k.digest, k.scope));
    }
    for (const Key& k : keys) {
        const Line* set = set_of(k.digest, k.scope);
        const uint32_t tag = tag_of(k.digest);
        for (size_t l = 0; l < kLinesPerSet; ++l)
            for (size_t i = 0; i < Line::kSlots; ++i)
                if (set[l].tag[i] == tag && set[l].entry[i] != kNone)
                    __builtin_prefetch(&entries_[set[l].entry[i]]);
    }
}

Store::Found Store::find(const Key& key) {
    ++counters_.lookups;
    const uint32_t i = look_up(key);
    if (i == kNone) return {};
    ++counters_.hits;
    Entry& e = entries_[i];
    e.asked_for = true;
    return {reinterpret_cast<const std::byte*>(e.address), e.length, reference_of(i)};
}

Reference Store::insert(const Key& key, const std::byte* bytes) {
    if (key.length < kStoredMin) return {};
    const auto address = reinterpret_cast<uintptr_t>(bytes);
    Regions::Region* region = regions_.find(address, key.length);
    if (!region) return {};
    // The slot first: freeing one frees an entry too.
    const Slot slot = free_slot(set_of(key.digest, key.scope));
    if (!slot.line || (live_ == capacity_ && !evict_one())) {
        ++counters_.refused;
        return {};
    }
    uint32_t i = free_;
    if (i != kNone)
        free_ = entries_[i].next;
    else
        i = unused_++;
    Entry& e = entries_[i];
    uint32_t& list = region->list_at(address);
    e = {.digest = key.digest,
         .address = address,
         .length = key.length,
         .generation = e.generation,
         .scope = key.scope,
         .next = list};
    list = i;
    region->longest = std::max(region->longest, key.length);
    slot.line->tag[slot.at] = tag_of(key.digest);
    slot.line->entry[slot.at] = i;
    ++live_;
    ++counters_.inserted;
    return reference_of(i);
}

// An empty slot of the set. Full: that of a chunk that nobody asked for lately, or of any that is
// not held; no line if all are.
Store::Slot Store::free_slot(Line* set) {
    for (size_t l = 0; l < kLinesPerSet; ++l)
        for (size_t i = 0; i < Line::kSlots; ++i)
            if (set[l].entry[i] == kNone) return {&set[l], i};
    // Only now at the entries, each a cache line far away.
    Slot idle, any;
    for (size_t l = 0; l < kLinesPerSet; ++l)
        for (size_t i = 0; i < Line::kSlots; ++i) {
            Entry& e = entries_[set[l].entry[i]];
            if (e.holds > 0) continue;
            any = {&set[l], i};
            if (!e.asked_for) idle = any;
            e.asked_for = false;
        }
    const Slot chosen = idle.line ? idle : any;
    if (!chosen.line) return {};
    remove(chosen.line->entry[chosen.at]);
    ++counters_.displaced;
    return chosen;
}

// The clock (second chance): whoever was asked for since the hand last passed stays for another
// round.
bool Store::evict_one() {
    for (uint64_t steps = 2 * uint64_t{capacity_}; steps > 0; --steps) {
        const uint32_t i = hand_;
        hand_ = hand_ + 1 == capacity_ ? 0 : hand_ + 1;
        Entry& e = entries_[i];
        if (e.address == 0 || e.holds > 0) continue;
        if (e.asked_for) {
            e.asked_for = false;
            continue;
        }
        remove(i);
        ++counters_.evicted;
        return true;
    }
    return false;
}

Store::Slot Store::slot_of(uint32_t entry) const {
    Line* set = set_of(entries_[entry].digest, entries_[entry].scope);
    for (size_t l = 0; l < kLinesPerSet; ++l)
        for (size_t i = 0; i < Line::kSlots; ++i)
            if (set[l].entry[i] == entry) return {&set[l], i};
    return {};
}

void Store::remove(uint32_t i) {
    Entry& e = entries_[i];
    const Slot slot = slot_of(i);
    slot.line->entry[slot.at] = kNone;
    uint32_t* link = &regions_.find(e.address, e.length)->list_at(e.address);
    while (*link != i)
        link = &entries_[*link].next;
    *link = e.next;
    e.address = 0;
    e.holds = 0;
    ++e.generation;
    e.next = free_;
    free_ = i;
    --live_;
}

Reference Store::reference_of(uint32_t i) const {
    return {i + 1, entries_[i].generation};
}

Store::Entry* Store::entry_of(Reference r) const {
    if (r.place == 0 || r.place > unused_) return nullptr;
    Entry& e = entries_[r.place - 1];
    return e.address != 0 && e.generation == r.generation ? &e : nullptr;
}

Store::Found Store::resolve(Reference r) const {
    const Entry* e = entry_of(r);
    if (!e) return {};
    return {reinterpret_cast<const std::byte*>(e->address), e->length, r};
}

Status Store::hold(Reference r) {
    Entry* e = entry_of(r);
    if (!e) return Status::not_found;
    if (e->holds == UINT16_MAX) return Status::again;
    ++e->holds;
    return Status::ok;
}

Status Store::release(Reference r) {
    Entry* e = entry_of(r);
    if (!e) return Status::not_found;
    if (e->holds == 0) return Status::invalid;
    --e->holds;
    return Status::ok;
}

void Store::drop(Reference r) {
    if (!entry_of(r)) return;
    remove(r.place - 1);
    ++counters_.overwritten;
}

Status Store::attach(std::span<const std::byte> memory) {
    return regions_.attach(memory) ? Status::ok : Status::invalid;
}

Status Store::detach(const std::byte* begin) {
    const auto address = reinterpret_cast<uintptr_t>(begin);
    Regions::Region* region = regions_.beginning_at(address);
    if (!region) return Status::not_found;
    counters_.overwritten += remove_in(*region, region->begin, region->end);
    regions_.detach(address);
    return Status::ok;
}

void Store::overwritten(std::span<const std::byte> memory) {
    if (live_ == 0) return;
    const auto begin = reinterpret_cast<uintptr_t>(memory.data());
    regions_.for_each_in(begin, memory.size(), [&](Regions::Region& region) {
        counters_.overwritten += remove_in(region, begin, begin + memory.size());
    });
}

// Chunks that reach into [begin, end) may begin as far in front of it as a chunk is long. What a
// fragment overwrites is many chunks with three cache lines each: they are asked for together, and
// then removed.
uint64_t Store::remove_in(Regions::Region& region, uintptr_t begin, uintptr_t end) {
    begin = std::max(begin, region.begin);
    end = std::min(end, region.end);
    const uintptr_t from = begin - std::min<uintptr_t>(region.longest, begin - region.begin);
    const auto first = region.first_of.begin() + granule_of(region, from);
    const auto last = region.first_of.begin() + granule_of(region, end - 1) + 1;
    for (auto it = first; it != last; ++it)
        if (*it != kNone) __builtin_prefetch(&entries_[*it]);
    for (auto it = first; it != last; ++it) {
        if (*it == kNone) continue;
        const Entry& e = entries_[*it];
        prefetch_set(set_of(e.digest, e.scope));
    }
    uint64_t removed = 0;
    for (auto it = first; it != last; ++it)
        for (uint32_t i = *it; i != kNone;) {
            const Entry& e = entries_[i];
            const uint32_t next = e.next;
            if (e.address < end && begin < e.address + e.length) {
                remove(i);
                ++removed;
            }
            i = next;
        }
    return removed;
}

} // namespace rill::dedup
