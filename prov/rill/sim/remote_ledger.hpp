// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "rdm/request.hpp"
#include "sim/host.hpp"
#include "sim/journal.hpp"
#include "sim/payload.hpp"
#include "util/prng.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace rill::sim {

class Oracle;

// An operation on remote memory, from its program's side.
struct RemoteOperation {
    enum class Kind : uint8_t { write, read, fetch_add, add };

    uint32_t id = 0;
    uint32_t from = 0; // endpoints
    uint32_t to = 0;
    Kind kind = Kind::write;
    bool bad_key = false; // must be refused
    bool has_data = false;
    bool told = false; // the target has been told of its data
    bool report = true;
    bool posted = false;
    bool over = false;
    bool in_advance = false; // completes when its bytes are copied
    Status status = Status::ok;
    uint64_t seed = 0;
    uint64_t length = 0;
    uint64_t word = 0; // operand of an atomic, and what it fetched
    Instant posted_at{};
    Buffer local;
    std::unique_ptr<std::byte[]> memory; // write: the target's, an allocation of its own
};

// Draws operations on remote memory, and judges them: bytes are equal, atomics are executed once and
// in order, refused ones touch nothing, everything ends.
class RemoteLedger {
public:
    RemoteLedger(const EventQueue& clock, Journal& journal, Oracle& oracle)
        : clock_(clock), journal_(journal), oracle_(oracle) {}

    // What every host has for all others to read, and to count in.
    void add_host(Host& host);
    // One operation of an endpoint, to a destination that it can name.
    void act(Host& host, rdm::Endpoint& endpoint, uint32_t from, uint32_t to, Prng& random);

    void completed(uint32_t endpoint, const rdm::Completion& c);
    void told(uint32_t endpoint, const rdm::Completion& c);

    void check_nothing_hangs();
    // Once nothing moves any more.
    void check_memory();
    uint64_t operations() const { return operations_.size(); }

private:
    struct Ground {
        Host* host = nullptr;
        std::unique_ptr<std::byte[]> readable;
        std::unique_ptr<uint64_t[]> words; // fetch_add and add count here
    };

    void draw(RemoteOperation& o, Prng& random);
    Status post(RemoteOperation& o, Host& host, rdm::Endpoint& endpoint, Prng& random);
    Status post_atomic(RemoteOperation& o, rdm::Endpoint& endpoint, rdm::SourceId to, bool fence);
    void check_success(RemoteOperation& o);
    void check_error(const RemoteOperation& o);
    void check_words(uint32_t host);
    uint32_t host_of(uint32_t endpoint) const;

    const EventQueue& clock_;
    Journal& journal_;
    Oracle& oracle_;
    std::vector<Ground> ground_; // by host
    std::deque<RemoteOperation> operations_;
};

} // namespace rill::sim
