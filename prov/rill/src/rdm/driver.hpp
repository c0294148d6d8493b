// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "nic/adapter.hpp"
#include "util/log.hpp"

#include <initializer_list>
#include <memory>
#include <unordered_map>
#include <vector>

namespace rill::rdm {

// The host's side of a device: finds function 0 in configuration space, brings it up through its
// registers, and has queue pairs and address handles made by admin commands.
class Driver {
public:
    Driver(nic::Adapter& adapter, Log& log) : adapter_(adapter), log_(log) {}

    // Places the address registers, does the reset handshake, starts the queues, takes the features
    // that it knows. io_error, with a warning that says where it stopped.
    [[nodiscard]] Status bring_up(Instant now);

    // `bound` as in Module::open_endpoint. The send queue lies in device memory as long as there is
    // some, else in the host's. `shared`: the queue pair whose receives are taken, or 0.
    [[nodiscard]] Status create_queue_pair(wire::Address& bound, uint32_t shared, uint32_t& number);
    [[nodiscard]] Status create_shared_receive(uint32_t& number);
    void destroy_queue_pair(uint32_t number, Instant now);
    [[nodiscard]] Status create_address_handle(const wire::Address& address, uint32_t& handle);
    void destroy_address_handle(uint32_t handle);

private:
    static constexpr uint32_t kEntries = 32; // of each queue: there is one command at a time
    struct SendQueue {
        nic::QueuePlace place{};
        uint64_t at = 0;
        std::unique_ptr<std::byte[]> memory; // host_memory
    };

    uint32_t read(nic::Register r) const { return function_->read(static_cast<uint32_t>(r)); }
    void write(nic::Register r, uint64_t value) {
        function_->write(static_cast<uint32_t>(r), static_cast<uint32_t>(value), now_);
    }
    nic::AdminStatus ask(nic::AdminOp op, std::initializer_list<uint64_t> arguments,
                         nic::AdminAnswer& answer);
    void drain_events();
    Status give_up(const char* where);
    SendQueue make_send_queue();
    void free_send_queue(const SendQueue& queue);

    nic::Adapter& adapter_;
    Log& log_;
    nic::Function* function_ = nullptr;
    Instant now_{};
    uint32_t features_ = 0;
    uint32_t written_ = 0; // commands
    uint32_t events_read_ = 0;
    std::vector<nic::AdminCommand> commands_;
    std::vector<nic::AdminAnswer> answers_;
    std::vector<nic::AsyncEvent> events_;
    std::unordered_map<uint32_t, SendQueue> send_queues_; // by queue pair
};

} // namespace rill::rdm
