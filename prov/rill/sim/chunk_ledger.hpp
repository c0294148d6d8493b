// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "dedup/chunker.hpp"
#include "rdm/module.hpp"
#include "rdm/request.hpp"
#include "sim/journal.hpp"
#include "util/prng.hpp"

#include <cstdint>
#include <map>
#include <sys/uio.h>
#include <vector>

namespace rill::sim {

// A host's store and ring, and what its receives must be reported as: when a message completes, the
// records of all of its chunks are in the ring, and are those that a computation over its buffer in
// one go gives.
class ChunkLedger {
public:
    // Which chunker, digest and capacity a seed decides.
    ChunkLedger(rdm::Module& module, Journal& journal, uint32_t host, uint64_t seed);

    void attach(rdm::Endpoint& endpoint);
    // About to be posted with `chunks` at an endpoint; for what was refused there is no completion.
    void posted(uint32_t endpoint, const rdm::RecvRequest& request);
    void completed(const rdm::Completion& c);
    // Nothing of it is reported any more.
    void closed(uint32_t endpoint);
    // The device was reset: what had been reported in part will not go on, and streams are numbered anew.
    void reset();

private:
    struct Receive {
        uint32_t endpoint = 0;
        bool multi = false;
        std::vector<iovec> iov;
    };

    void read();
    void check(const Receive& r, const rdm::Completion& c);
    void forget_records(const Receive& r);

    rdm::Module& module_;
    Journal& journal_;
    const uint32_t host_;
    rdm::DedupStoreDescription description_;
    dedup::Chunker chunker_;
    uint64_t store_ = 0, ring_ = 0;
    std::map<const void*, Receive> receives_; // by context
    std::vector<dedup::Record> records_;      // of what has not completed
};

} // namespace rill::sim
