// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// The public face of an endpoint; the message machinery is in its two sides.

#include "nic/entries.hpp"
#include "rdm/receive_side.hpp"
#include "rdm/request.hpp"
#include "rdm/send_side.hpp"
#include "util/time.hpp"
#include "wire/address.hpp"

#include <memory>

namespace rill::rdm {

class AddressVector;
class Module;

// A reliable datagram endpoint: sends to any address of its vector, receives from anybody. Or a
// shared receive context: receives are posted to it for the endpoints that share it, which close
// first.
class Endpoint {
public:
    ~Endpoint();
    // Before destruction: nothing more is reported, unfinished sends are aborted at the peers, except
    // those whose payload was copied, which the module goes on flushing.
    void close(Instant now);

    // again: the send queue or the completion queue is full (progress was made in the call);
    // invalid: unknown destination, too many iov entries; too_long: inject over kInjectBytesMax.
    [[nodiscard]] Status send(const SendRequest& request, Instant now);
    // Likewise; invalid also for lists that are not equally long, too_long also for operands over
    // wire::kAtomicBytesMax.
    [[nodiscard]] Status rma(const RmaRequest& request, Instant now);
    [[nodiscard]] Status atomic(const AtomicRequest& request, Instant now);
    [[nodiscard]] Status receive(const RecvRequest& request, Instant now);
    // Looks for an unexpected message; the answer is a completion (not_found: none).
    [[nodiscard]] Status peek(const PeekRequest& request, Instant now);
    // Receives (or drops) what a peek with claim holds for `context`. not_found: nothing is held.
    [[nodiscard]] Status receive_claimed(const RecvRequest& request, bool discard, Instant now);
    // Takes back a posted receive; it completes as canceled. not_found: not posted or matched.
    [[nodiscard]] Status cancel(void* context, Instant now);

    // Where its receives are posted.
    ReceiveSide& receives() { return *receives_; }
    void set_multi_recv_min(size_t bytes);
    const wire::Address& address() const { return address_; }

private:
    friend class Module;
    friend class AddressVector;
    explicit Endpoint(Module& module) : module_(module) {}

    // A peer's operation on our memory is over; `source`: its endpoint, if it says.
    void on_remote(const nic::CompletionEntry& e, const wire::Address& source);
    bool has_room() const { return rx_->has_room(); }

    Module& module_;
    const AddressVector* av_ = nullptr; // null: a shared receive context, which has none
    CompletionSink* rx_ = nullptr;
    uint32_t number_ = 0; // of the queue pair
    wire::Address address_;
    std::unique_ptr<SendSide> sends_;
    std::shared_ptr<ReceiveSide> receives_; // other endpoints' too, if it is a shared one
};

} // namespace rill::rdm
