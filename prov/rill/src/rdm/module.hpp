// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/device.hpp"
#include "obs/counters.hpp"
#include "rdm/driver.hpp"
#include "rdm/receive_side.hpp"
#include "rdm/request.hpp"
#include "rdm/send_side.hpp"
#include "transport/transport.hpp"
#include "util/log.hpp"
#include "util/pool.hpp"
#include "util/siphash.hpp"
#include "util/time.hpp"
#include "wire/link.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

namespace rill::rdm {

class AddressVector;
class Endpoint;

struct ModuleConfig {
    transport::Config transport;
    nic::Config device;
    nic::DeviceType type = nic::default_device_type();
    uint32_t send_depth = 1024; // operations of an endpoint whose message has not left entirely
    uint32_t pending_depth = 1u << 20; // sends of a domain that wait for a grant or notice
    uint32_t receive_depth = 1u << 20; // posted receives of an endpoint
};

// The software above one device: what a libfabric domain is made of. Single-threaded: whoever calls
// owns it. Nothing here blocks, reads a clock or touches a socket except through the link.
class Module {
public:
    // Throws std::runtime_error when the device does not come up; the log says why.
    Module(const ModuleConfig& config, wire::Link& link, const SipKey& secret,
           obs::Counters& counters, Log& log);
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
    bool outstanding() const { return device_->outstanding(); }

    // Leaving: messages that were completed in advance are flushed (200 ms at most), then farewells
    // are exchanged (200 ms at most). Call progress() until left() is true.
    void leave(Instant now);
    bool left(Instant now) const;

    // Who is told of peers' accesses to the region of that key; null: nobody any more.
    void watch_memory(uint64_t key, const RegionEvents* events);

    nic::Device& device() { return *device_; }
    nic::Adapter& adapter() { return adapter_; }
    Driver& driver() { return driver_; }
    const ModuleConfig& config() const { return config_; }

    // ---- for the two sides of an endpoint
    Pool<SendOperation>& send_operations() { return send_operations_; }
    Pool<ReceiveOperation>& receive_operations() { return receive_operations_; }
    Pool<Arrival>& arrivals() { return arrivals_; }
    SendFlowTable& send_flows() { return send_flows_; }
    void post_send(uint32_t queue_pair, const nic::SendEntry& e, Instant now);
    void post_receive(uint32_t queue_pair, const nic::ReceiveEntry& e);
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

    ReceiveFlow& receive_flow(uint32_t slot);
    void dispatch(const nic::CompletionEntry& e, Instant now);
    void on_event(const nic::Event& e, Instant now);
    void on_remote(const nic::CompletionEntry& e, Instant now);
    void count_access(const nic::CompletionEntry& e);
    bool retry_deferred(Instant now);
    void forget_deferred(uint32_t queue_pair);
    void names_changed(const AddressVector& av);
    Duration review_interval() const { return config_.transport.peer_timeout / 16; }
    Instant review_deadline() const;
    void review(Instant now);

    ModuleConfig config_;
    Log& log_;
    struct NoInterrupts : nic::InterruptSink { // the driver looks by itself
        void raise(uint16_t, uint16_t) override {}
    };
    std::unique_ptr<nic::Device> device_;
    NoInterrupts interrupts_;
    nic::Adapter adapter_;
    Driver driver_;
    std::vector<Endpoint*> endpoints_; // by queue pair number; null: closed
    Pool<SendOperation> send_operations_;
    Pool<ReceiveOperation> receive_operations_{UINT32_MAX};
    Pool<Arrival> arrivals_{UINT32_MAX}; // bounded by the device's inbound and bounce limits
    SendFlowTable send_flows_;
    Pool<ReceiveFlow> receive_flows_{UINT32_MAX};
    std::vector<ReceiveFlow*> flow_by_slot_;
    std::vector<Arrival*> arrival_by_inbound_;
    std::unordered_map<uint64_t, const RegionEvents*> region_events_;
    std::deque<nic::CompletionEntry> deferred_; // `remote` ones that wait for room in a queue
    uint32_t fences_ = 0; // destinations that something waits for behind a fence
    bool review_wanted_ = false;
    uint32_t watched_flows_ = 0; // as of the last review
    Instant reviewed_at_{};
    bool leaving_ = false;
    bool farewell_ = false;
    Instant flush_until_{};
};

} // namespace rill::rdm
