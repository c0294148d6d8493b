// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "sim/events.hpp"
#include "sim/host.hpp"
#include "sim/oracle.hpp"
#include "sim/profile.hpp"
#include "util/prng.hpp"

#include <cstdint>
#include <vector>

namespace rill::sim {

// The program on one endpoint: by seed it sends to anybody (itself too), receives what it guesses or
// knows to come, looks, claims, discards and cancels, until it has done its number of actions.
class Program final : public EventHandler {
public:
    Program(EventQueue& events, Oracle& oracle, Host& host, size_t local, uint32_t endpoint,
            const Profile& profile, uint64_t seed);

    void start() { again_in(profile_.work.think); }
    bool finished() const { return stopped_ || left_ == 0; }
    void stop() { stopped_ = true; }
    uint32_t endpoint() const { return endpoint_; }

    // For the driver: receives for whatever has not been taken; true when there are enough.
    bool sweep();
    // Claims that are still held are received.
    void settle_claims();
    void cancel_all();
    // A word to it, whatever becomes of it.
    void greet(uint32_t to);
    // So many more actions.
    void work_again(uint32_t actions);

    void fire(uint64_t argument) override;

private:
    // What to do next is kept until it is accepted.
    enum class Wish : uint8_t { none, send, receive };

    void act();
    void act_remotely();
    void wish_send();
    void wish_receive();
    void try_wish();
    void give_up();
    Status try_send();
    Status try_receive();
    void look();
    void finish_claim(Receive& r);
    void cancel_some();
    void draw_message(Message& m);
    void draw_receive(Receive& r);
    void aim(Receive& r, const Message& at);
    void loosen(Receive& r);
    uint64_t draw_length();
    uint64_t draw_tag();
    uint32_t draw_destination();
    const Message* some_message_for_me();
    void split(Buffer& buffer, uint64_t bytes);
    rdm::RecvRequest request_of(const Receive& r) const;
    void again_in(Duration mean);
    rdm::Endpoint* endpoint_object() { return host_.endpoint(local_); }

    EventQueue& events_;
    Oracle& oracle_;
    Host& host_;
    size_t local_;
    uint32_t endpoint_;
    const Profile& profile_;
    Prng random_;
    uint32_t left_;
    bool stopped_ = false;
    Wish wish_ = Wish::none;
    uint32_t wish_id_ = 0;
    uint32_t tries_ = 0;
};

} // namespace rill::sim
