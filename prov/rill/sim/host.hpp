// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "obs/counters.hpp"
#include "rdm/address_vector.hpp"
#include "rdm/endpoint.hpp"
#include "rdm/module.hpp"
#include "sim/chunk_ledger.hpp"
#include "sim/events.hpp"
#include "sim/journal.hpp"
#include "sim/network.hpp"
#include "sim/stack.hpp"
#include "util/prng.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace rill::sim {

// Who hears of completions, once the call that made them is over.
class CompletionListener {
public:
    virtual ~CompletionListener() = default;
    virtual void sent(uint32_t endpoint, const rdm::Completion& c) = 0;
    virtual void received(uint32_t endpoint, const rdm::Completion& c) = 0;
};

// One complete stack, run by events as the thread of a provider would run it: when packets wait, and
// when the stack itself has said that it wants to run; never otherwise, so that a deadline which it
// forgets to name shows as an operation that hangs.
class Host final : public EventHandler {
public:
    enum class State : uint8_t { running, leaving, left, crashed };

    Host(EventQueue& events, Journal& journal, SimLink& link, const Stack& stack,
         CompletionListener& listener, uint64_t seed);
    ~Host() override;

    State state() const { return state_; }
    bool running() const { return state_ == State::running; }
    Instant stalled_until() const { return stalled_until_; }
    uint32_t number() const { return link_.host(); }

    rdm::Module& module() { return *module_; }
    nic::Device& device() { return card_->device(); }
    rdm::AddressVector& addresses() { return *addresses_; }
    obs::Counters& counters() { return counters_; }
    // Null when it is closed.
    rdm::Endpoint* endpoint(size_t i) { return endpoints_[i].endpoint.get(); }
    size_t endpoints() const { return endpoints_.size(); }
    uint64_t passes() const { return passes_; }
    // Null: its device reports no chunks.
    ChunkLedger* chunks() { return chunks_.get(); }

    // `number` is the endpoint's in the whole run.
    void open_endpoint(uint32_t number);
    // After every call into the stack: passes completions on, and looks at its deadline anew.
    void settle();
    // Likewise, but the stack is run first, as a program does that has got `again`.
    void run_and_settle();

    void stall(Duration length);
    void crash(SimLink::Power how);
    void close_endpoint(size_t i);
    void leave();
    // At the end of a run: nothing is told to anybody.
    void destroy();

    void fire(uint64_t argument) override;

private:
    struct Sink final : rdm::CompletionSink {
        Host* host = nullptr;
        uint32_t endpoint = 0;
        bool is_receive = false;
        void complete(const rdm::Completion& c) override;
        bool has_room() const override;
    };
    struct Slot {
        std::unique_ptr<Sink> tx, rx;
        std::unique_ptr<rdm::Endpoint> endpoint;
    };
    struct Pending {
        uint32_t endpoint;
        bool is_receive;
        rdm::Completion completion;
    };

    void wake_at(Instant when);
    void pass();
    void watch_for_spinning(bool moved, Instant next);

    EventQueue& events_;
    Journal& journal_;
    SimLink& link_;
    CompletionListener& listener_;
    HostLog log_;
    Prng random_;
    obs::Counters counters_;
    std::unique_ptr<nic::Card> card_;
    std::unique_ptr<rdm::Module> module_;
    std::unique_ptr<rdm::AddressVector> addresses_;
    std::unique_ptr<ChunkLedger> chunks_;
    std::vector<Slot> endpoints_;
    std::vector<Pending> completions_;
    State state_ = State::running;
    Instant stalled_until_{};
    Instant leave_by_ = kNever;
    Instant wake_ = kNever;
    uint64_t wakes_ = 0; // the number of the wake-up in force; older ones mean nothing
    uint64_t passes_ = 0;
    uint32_t idle_passes_ = 0; // one after another that did nothing and wanted another at once
};

} // namespace rill::sim
