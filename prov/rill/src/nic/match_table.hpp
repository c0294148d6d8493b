// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/entries.hpp"
#include "util/iov.hpp"
#include "util/list.hpp"
#include "util/pool.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace rill::nic {

struct BucketTag;
struct PostOrderTag;

// A receive in the match table.
struct PostedReceive : ListHook<BucketTag>, ListHook<PostOrderTag> {
    uint64_t tag = 0;
    uint64_t ignore = 0;
    uint64_t source = UINT64_MAX;
    uint64_t sequence = 0; // order of posting: the earliest that fits wins
    uint64_t length = 0;   // bytes of the scatter list
    uint64_t used = 0;     // multi-receive: bytes given to messages so far
    uint64_t minimum = 0;
    IovView iov;
    uint32_t request = 0;
    uint32_t watched = UINT32_MAX; // address handle that is watched while this is posted
    bool multi = false;
    bool reports = false; // the chunks of what it takes
};

// Posted receives by what they ignore. Programs use very few distinct ignore masks (MPI: two or
// three), so each mask has a hash table over the bits it does look at, and the earliest hit over
// all of them wins: constant time however many receives are posted.
class MatchTable {
public:
    explicit MatchTable(uint32_t limit) : pool_(limit) {}

    // Null when the table is full.
    [[nodiscard]] PostedReceive* post(uint64_t tag, uint64_t ignore, uint64_t source);
    PostedReceive* find(uint64_t tag, uint64_t source);
    PostedReceive* find_request(uint32_t request);
    void remove(PostedReceive& r);
    uint32_t size() const { return pool_.live(); }
    template <class F>
    void for_each(F&& f) {
        pool_.for_each(f);
    }

private:
    using Bucket = List<PostedReceive, BucketTag>;
    struct MaskClass {
        uint64_t ignore = 0;
        uint32_t count = 0;
        uint32_t buckets = 0; // a power of two
        std::unique_ptr<Bucket[]> table;
        Bucket& bucket(uint64_t tag);
    };

    MaskClass& class_of(uint64_t ignore);
    void grow(MaskClass& c);

    Pool<PostedReceive> pool_;
    std::vector<MaskClass> classes_;
    List<PostedReceive, PostOrderTag> order_;
    uint64_t next_sequence_ = 0;
};

} // namespace rill::nic
