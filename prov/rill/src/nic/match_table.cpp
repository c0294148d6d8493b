// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/match_table.hpp"

namespace rill::nic {
namespace {

// Few at first: most tables of most jobs hold a handful of receives.
constexpr uint32_t kFirstBuckets = 16;

bool fits(const PostedReceive& r, uint64_t tag, uint64_t source) {
    return ((r.tag ^ tag) & ~r.ignore) == 0 && (r.source == UINT64_MAX || r.source == source);
}

} // namespace

MatchTable::Bucket& MatchTable::MaskClass::bucket(uint64_t tag) {
    uint64_t h = (tag & ~ignore) * 0x9e3779b97f4a7c15ull;
    return table[(h >> 32) & (buckets - 1)];
}

MatchTable::MaskClass& MatchTable::class_of(uint64_t ignore) {
    for (MaskClass& c : classes_)
        if (c.ignore == ignore) return c;
    // A class that lies empty serves the next mask: their number is bounded by what is posted.
    for (MaskClass& c : classes_) {
        if (c.count != 0) continue;
        c.ignore = ignore;
        return c;
    }
    classes_.push_back({ignore, 0, kFirstBuckets, std::make_unique<Bucket[]>(kFirstBuckets)});
    return classes_.back();
}

void MatchTable::grow(MaskClass& c) {
    auto old = std::move(c.table);
    uint32_t old_buckets = c.buckets;
    c.buckets *= 4;
    c.table = std::make_unique<Bucket[]>(c.buckets);
    // Order within a new bucket must stay the order of posting. A new bucket gets its entries from
    // one old bucket only, and that one is in order.
    for (uint32_t i = 0; i < old_buckets; ++i)
        while (PostedReceive* r = old[i].pop_front())
            c.bucket(r->tag).push_back(*r);
}

PostedReceive* MatchTable::post(uint64_t tag, uint64_t ignore, uint64_t source) {
    PostedReceive* r = pool_.make();
    if (!r) return nullptr;
    r->tag = tag;
    r->ignore = ignore;
    r->source = source;
    r->sequence = next_sequence_++;
    MaskClass& c = class_of(ignore);
    if (c.count >= 4 * c.buckets) grow(c);
    ++c.count;
    c.bucket(tag).push_back(*r);
    order_.push_back(*r);
    return r;
}

PostedReceive* MatchTable::find(uint64_t tag, uint64_t source) {
    PostedReceive* best = nullptr;
    for (MaskClass& c : classes_) {
        if (c.count == 0) continue;
        Bucket& b = c.bucket(tag);
        for (PostedReceive* r = b.front(); r; r = b.next(*r)) {
            if (!fits(*r, tag, source)) continue;
            if (!best || r->sequence < best->sequence) best = r;
            break;
        }
    }
    return best;
}

PostedReceive* MatchTable::find_request(uint32_t request) {
    for (PostedReceive* r = order_.front(); r; r = order_.next(*r))
        if (r->request == request) return r;
    return nullptr;
}

void MatchTable::remove(PostedReceive& r) {
    --class_of(r.ignore).count;
    Bucket::remove(r);
    List<PostedReceive, PostOrderTag>::remove(r);
    pool_.free(&r);
}

} // namespace rill::nic
