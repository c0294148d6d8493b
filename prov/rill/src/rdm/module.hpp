// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "rdm/dedup.hpp"
#include "rdm/driver.hpp"
#include "rdm/receive_side.hpp"
#include "rdm/request.hpp"
#include "rdm/send_side.hpp"
#include "util/log.hpp"
#include "util/pool.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace rill::rdm {

class AddressVector;
class Endpoint;

struct ModuleConfig {
    Duration peer_timeout = std::chrono::seconds(10); // as the device's; 0: never
    uint32_t send_depth = 1024; // operations of an endpoint whose message has not left entirely
    uint32_t pending_depth = 1u << 20; // sends of a domain that wait for a grant or notice
    uint32_t receive_depth = 1u << 20; // posted receives of an endpoint
};

// The software above one device: what a libfabric domain is made of. Single-threaded: whoever calls
// owns it. Nothing here blocks, reads a clock or touches a socket except through the link.
class Module {
public:
    // Of function 0 on the bus. Throws std::runtime_error when it does not come up; the log says why.
    Module(const ModuleConfig& config, nic::Bus& bus, Log& log);
    ~Module();

    // Opens an endpoint at `bound` (port 0: any), which becomes the address it has.
    // `shared`: the shared receive context whose receives its messages take; all endpoints of one
    // have the same vector. address_in_use, no_memory; invalid: another vector.
    [[nodiscard]] Status open_endpoint(wire::Address& bound, const AddressVector& av,
                                       CompletionSink& tx, CompletionSink& rx,
                                       std::unique_ptr<Endpoint>& out, Endpoint* shared = nullptr);
    // Opens a shared receive context, for open_endpoint() to name. no_memory.
    [[nodiscard]] Status open_shared_receive(std::unique_ptr<Endpoint>& out);

    // One pass: receive, timers, matching, sending. True when packets moved or operations completed.
    // poll_all: see Link::receive.
    bool progress(Instant now, bool poll_all);
    // When progress() has something to do even if nothing arrives; kNever: nothing.
    Instant next_deadline() const;
    // Sends or openings that wait for the peer: a housekeeper must not fall asleep for good.
    bool outstanding() const { return driver_.outstanding(); }

    // Leaving: messages that were completed in advance are flushed (200 ms at most), then farewells
    // are exchanged (200 ms at most). Call progress() until left() is true.
    void leave(Instant now);
    bool left(Instant now) const;

    // Who is told of peers' accesses to the region of that key; null: nobody any more.
    void watch_memory(uint64_t key, const RegionEvents* events);

    // Resets the device: whatever is under way ends with io_error, also at the peers', who learn that
    // this device is gone; unexpected messages are lost. Then queue pairs, address handles and memory
    // regions are made again, and everything can be used as before. A device that has stopped by
    // itself is found in progress(), and reset like this. io_error: it does not come up; progress()
    // tries again.
    Status reset_device(Instant now); // reset.cpp
    // Nothing can be posted for now; progress() is working on it.
    bool down() const { return driver_.down(); }

    Driver& driver() { return driver_; }
    Dedup& dedup() { return dedup_; }
    const ModuleConfig& config() const { return config_; }

    // ---- for the two sides of an endpoint
    Pool<SendOperation>& send_operations() { return send_operations_; }
    Pool<ReceiveOperation>& receive_operations() { return receive_operations_; }
    Pool<Arrival>& arrivals() { return arrivals_; }
    SendFlowTable& send_flows() { return send_flows_; }
    // more: the device may hear of it with what follows in this call, or in the next pass if it is a
    // completion notice, which waits for company anyway.
    void post_send(uint32_t queue_pair, const nic::SendEntry& e, bool more, Instant now) {
        hurry_ |= more && e.op != nic::SendOp::done;
        if (!driver_.down()) [[likely]]
            driver_.post_send(queue_pair, e, more, now);
    }
    void post_receive(uint32_t queue_pair, const nic::ReceiveEntry& e) {
        if (!driver_.down()) [[likely]]
            driver_.post_receive(queue_pair, e);
    }
    void ring(Instant now) {
        if (!driver_.down()) driver_.ring(now);
    }
    void flush(Instant now) {
        hurry_ = false;
        if (!driver_.down()) driver_.flush(now);
    }
    // Of what belongs to no endpoint, or to one that is closed.
    uint32_t control_queue() const { return driver_.control_queue(); }
    void release_bounce(void* buffer);
    bool drain(Instant now); // the device's completion ring and events
    // A peer may be silent because it is dead: from the next review on it is watched.
    void want_review() { review_wanted_ = true; }
    void count_fence(int change) { fences_ = static_cast<uint32_t>(int(fences_) + change); }
    void free_send_flow(SendFlow& f);
    void set_arrival(wire::GrantId inbound, Arrival* a);
    template <class F>
    void for_each_flow(F&& f) {
        receive_flows_.for_each(f);
    }
    void release_flow(ReceiveFlow& f); // with the device's
    void drop_flow(ReceiveFlow& f);

private:
    friend class Endpoint;
    friend class AddressVector;

    void on_flow(const nic::CompletionEntry& e);
    void on_destination_ended(const nic::CompletionEntry& e, Instant now);
    void on_remote_source(const nic::CompletionEntry& e);
    void watch(uint32_t handle, bool on);
    void drop_everything(Instant now);
    [[nodiscard]] Status make_again();
    bool recover(Instant now);
    void dispatch(const nic::CompletionEntry& e, Instant now);
    void dispatch_end(const nic::CompletionEntry& e, Instant now);
    void on_remote(const nic::CompletionEntry& e, Instant now);
    void count_access(const nic::CompletionEntry& e);
    bool retry_deferred(Instant now);
    void forget_deferred(uint32_t queue_pair);
    void names_changed(const AddressVector& av);
    Duration review_interval() const { return config_.peer_timeout / 16; }
    Instant review_deadline() const;
    void review(Instant now);

    ModuleConfig config_;
    Log& log_;
    Driver driver_;
    Dedup dedup_{driver_};
    std::vector<Endpoint*> endpoints_; // by queue pair number; null: closed
    std::vector<Endpoint*> open_;      // in order of opening, shared receive contexts among them
    std::vector<AddressVector*> vectors_;
    Pool<SendOperation> send_operations_;
    Pool<ReceiveOperation> receive_operations_{UINT32_MAX};
    Pool<Arrival> arrivals_{UINT32_MAX}; // bounded by the device's inbound and bounce limits
    SendFlowTable send_flows_;
    Pool<ReceiveFlow> receive_flows_{UINT32_MAX};
    std::vector<ReceiveFlow*> flow_by_slot_;
    std::vector<Arrival*> arrival_by_inbound_;
    struct RemoteSource {
        uint32_t generation = 0;
        wire::Address address;
    };
    std::vector<RemoteSource> remote_sources_; // by slot of the flow of remote operations
    std::vector<void*> bounces_; // the device is down: it gets them when it is up again
    Instant retry_at_{};         // down: when the next reset is tried
    std::unordered_map<uint64_t, const RegionEvents*> region_events_;
    std::deque<nic::CompletionEntry> ended_;    // flows and destinations, until the queue is empty
    std::deque<nic::CompletionEntry> deferred_; // `remote` ones that wait for room in a queue
    uint32_t fences_ = 0; // destinations that something waits for behind a fence
    bool hurry_ = false;  // something was posted that should leave in this pass
    bool review_wanted_ = false;
    uint32_t watched_flows_ = 0; // as of the last review
    Instant reviewed_at_{};
    bool leaving_ = false;
    bool farewell_ = false;
    Instant flush_until_{};
};

} // namespace rill::rdm
