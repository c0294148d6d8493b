// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/fork_guard.hpp"
#include "fi/housekeeper.hpp"
#include "fi/ownership.hpp"
#include "fi/settings.hpp"
#include "fi/trigger.hpp"
#include "link/fast_clock.hpp"
#include "link/impaired_link.hpp"
#include "link/interfaces.hpp"
#include "link/nic_links.hpp"
#include "link/shm/shm_link.hpp"
#include "nic/card.hpp"
#include "obs/counters.hpp"
#include "obs/exporter.hpp"
#include "rdm/address_vector.hpp"
#include "rdm/endpoint.hpp"
#include "rdm/module.hpp"

#include <atomic>
#include <memory>
#include <poll.h>
#include <sched.h>
#include <string>
#include <vector>

namespace rill::fi {

// Who wants to look after every pass of the device.
class PassListener {
public:
    virtual ~PassListener() = default;
    virtual void passed() = 0;
};

// What a domain runs on: a link, the device and the module above it, the word that says who runs
// them, and the thread that does when the program does not. Everything but the word, the fork mark
// and the housekeeper is touched by the owner only.
class Engine {
public:
    struct Options {
        std::vector<link::Interface> interfaces; // at least one; endpoints are at the first
        bool automatic = false;                  // progress
        size_t send_depth = 0;                   // operations in flight that endpoints are promised
        uint8_t code_point = 0;                  // differentiated services, of every packet
    };
    // A code and a warning that names the thing when the interface or a port cannot be had.
    [[nodiscard]] static int open(const Settings& settings, const Options& options,
                                  std::unique_ptr<Engine>& out);
    ~Engine();

    // False in a forked child: nothing may be called but the destructor.
    bool is_ours() const { return mark_.is_ours(); }
    rdm::Module& module() { return *module_; }
    nic::Bus& bus() { return card_->bus(); } // where the module finds its device
    const nic::DeviceType& device_type() const { return card_->adapter().type(); }
    const obs::Counters& counters() const { return *counters_; }
    const link::Interface& interface() const { return interfaces_.front(); } // of its endpoints
    const std::string& ports() const { return ports_; } // what FI_RILL_PORT_RANGE allows
    Housekeeper& housekeeper() { return housekeeper_; }
    Ownership& ownership() { return ownership_; }
    Triggers& triggers() { return triggers_; }

    // In a forked child: what belongs to the module cannot be freed safely, as another thread of
    // the parent may have been in the middle of a change. It stays behind.
    void abandon(std::unique_ptr<rdm::Endpoint> endpoint);
    void abandon(std::unique_ptr<rdm::AddressVector> peers);

    // Below: for the owner.

    static Instant now() { return link::monotonic_now(); }
    // The clock, read and remembered, for the owner.
    Instant tick() { return recent_ = clock_.now(); }
    // The time of the last tick(): exact enough for what sends nothing, 20 ns cheaper.
    Instant recent() const { return recent_; }
    // A pass of the device on behalf of the program: the housekeeper sees that it is there. True
    // when something moved. `everywhere`: after a sleep, which any descriptor may have ended.
    bool pass(bool everywhere = false);
    // After a pass: whether it is time to give way, see Polling.
    bool is_idle() const { return idle_passes_ >= kIdlePasses; }
    // A pass on behalf of nobody, looking everywhere; true when something moved.
    bool quiet_pass(Instant now);
    void listen(PassListener& listener) { listeners_.push_back(&listener); }
    void stop_listening(PassListener& listener) { std::erase(listeners_, &listener); }
    // When somebody must make a pass although nothing arrives.
    Instant next_deadline() const;
    // Appends what to wait on for packets, for one sleep that follows.
    void append_descriptors(std::vector<pollfd>& out);
    // What a reader of the device's exported state rings when nobody passes; -1: there is no export.
    // Whether packets wake who sleeps on the descriptors that were appended last.
    bool wakes_sleepers() const { return !shm_ || shm_->armed(); }
    int bell() const { return exporter_ ? exporter_->bell() : -1; }
    void clear_bell() { exporter_->clear_bell(); }
    // How many passes the program made. Any thread may read it.
    uint64_t passes() const { return passes_.load(std::memory_order_relaxed); }

private:
    friend class Housekeeper;
    Engine(const std::vector<link::Interface>& interfaces, bool automatic);

    // Some 100 us over UDP, 30 over shared memory: longer than an awake peer takes to answer.
    static constexpr uint32_t kIdlePasses = 256;

    wire::Link& outer_link();
    void open_export(const Settings& settings);
    void show(Instant now);
    Status carry_out(const obs::Command& command, Instant now);
    void publish(Instant now);
    [[nodiscard]] int open_link(const Settings& settings, uint8_t code_point);
    void tell_listeners() {
        for (PassListener* l : listeners_)
            l->passed();
    }
    void leave();
    void print_paths();
    void print_counters();

    Ownership ownership_;
    std::atomic<uint64_t> passes_{0};
    uint32_t idle_passes_ = 0; // of the program, in a row
    link::FastClock clock_;
    Instant recent_{};
    Instant last_look_{}; // at the endpoints' ports
    ProcessMark mark_ = ProcessMark::current();

    std::vector<link::Interface> interfaces_;
    std::string ports_;
    bool statistics_ = false;
    std::unique_ptr<obs::Exporter> exporter_; // null: nobody may look
    obs::Counters own_counters_;
    obs::Counters* counters_ = &own_counters_; // or the exporter's
    std::unique_ptr<link::NicLinks> udp_;
    std::unique_ptr<link::shm::ShmLink> shm_;
    std::unique_ptr<link::ImpairedLink> impaired_;
    std::unique_ptr<nic::Card> card_; // what the module drives, over its bus
    std::unique_ptr<rdm::Module> module_;
    std::vector<PassListener*> listeners_;
    Triggers triggers_{*this};
    Housekeeper housekeeper_;
};

// The engine, owned for as long as this lives. Every call that touches the module is made so. What
// became due for posting meanwhile is posted at the end.
class Owned {
public:
    explicit Owned(Engine& engine) : engine_(engine) { engine_.ownership().take(); }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() {
        // What the call left behind may be due before the housekeeper meant to wake up.
        if (engine_.housekeeper().sleeps_on_duty()) engine_.housekeeper().reconsider();
        engine_.ownership().release();
        if (engine_.triggers().due()) [[unlikely]]
            engine_.triggers().run();
    }

private:
    Engine& engine_;
};

// A call that a program makes again and again until something has come; declared before Owned. When
// nothing has come for long, the processor may be what the awaited thread lacks: with 32 threads
// that poll on each of two processors, a round trip took a turn of them all, 47 ms, and takes 1.4.
class Polling {
public:
    Polling() = default;
    Polling(const Polling&) = delete;
    Polling& operator=(const Polling&) = delete;
    ~Polling() {
        if (gives_way_) [[unlikely]]
            sched_yield();
    }
    // For the owner.
    void pass(Engine& engine) {
        engine.pass();
        gives_way_ = engine.is_idle();
    }

private:
    bool gives_way_ = false;
};

} // namespace rill::fi
