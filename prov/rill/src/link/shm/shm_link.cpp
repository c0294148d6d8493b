// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/shm/shm_link.hpp"

#include <algorithm>
#include <array>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace rill::link::shm {

using obs::Counter;
using wire::Address;
using wire::RxTrain;

namespace {

// With a full ring the reader is at it: it frees a train in less than a send to UDP takes.
constexpr Duration kAgainAfter = std::chrono::microseconds(1);
// Trains of one channel before the others have a turn.
constexpr size_t kTrainsInTurn = 4;
// While trains come from memory, or came a moment ago, the link below, whose look costs a system
// call, is looked at in every so-manyth pass only.
constexpr unsigned kPassesBetween = 16;
constexpr unsigned kMoment = 4096; // passes
// Sends to a peer after which a channel is tried for: it may listen later than it sends.
constexpr uint32_t kTries[] = {1, 16, 256, 4096};
constexpr size_t kStrangersMax = 64;
constexpr size_t kEventsPerLook = 16;
constexpr size_t kEndedMax = 64;

} // namespace

std::unique_ptr<ShmLink> ShmLink::open(wire::Link& below, obs::Counters& counters) {
    Fd listener = listen_as(below.data_address());
    Fd events(epoll_create1(EPOLL_CLOEXEC));
    Fd ready(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!listener || !events || !ready) return nullptr;
    std::unique_ptr<ShmLink> link(
        new ShmLink(below, counters, std::move(listener), std::move(events), std::move(ready)));
    return link->watch(link->listener_) ? std::move(link) : nullptr;
}

ShmLink::ShmLink(wire::Link& below, obs::Counters& counters, Fd listener, Fd events, Fd ready)
    : below_(below), counters_(counters), own_(below.data_address()),
      listener_(std::move(listener)), events_(std::move(events)), ready_(std::move(ready)),
      ended_(kEndedMax) {}

ShmLink::~ShmLink() = default;

bool ShmLink::watch(const Fd& fd) {
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.fd = fd.get();
    return epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd.get(), &e) == 0;
}

// ---- sending --------------------------------------------------------------------------------

// Devices of one host may prefer different addresses of it.
bool ShmLink::is_here(const Address& a) const {
    if (a.same_host(own_)) return true;
    for (size_t nic = 1; nic < below_.nics(); ++nic)
        if (a.same_host(below_.nic_address(nic))) return true;
    return false;
}

Channel* ShmLink::channel_to(const Address& to) {
    if (last_ && last_->peer() == to) return last_;
    if (!is_here(to)) return nullptr;
    const auto found = by_peer_.find(to);
    return found == by_peer_.end() ? nullptr : last_ = found->second;
}

// What a peer may answer that does not know us goes by UDP, and so do signs of life: they ask for
// the device, which is its port.
Status ShmLink::send(const wire::TxTrain& train) {
    if (train.from_data_port) return below_.send(train);
    Channel* channel = channel_to(train.to);
    if (!channel) {
        full_ = false;
        consider(train.to);
        return below_.send(train);
    }
    if (const Status s = channel->send(train); !is_ok(s)) {
        full_ = s == Status::again;
        return s;
    }
    counters_.add(Counter::tx_shm_bytes, train.total_bytes);
    return Status::ok;
}

Duration ShmLink::again_after() const {
    return full_ ? kAgainAfter : below_.again_after();
}

// Of two, the one with the smaller address connects. (One that sends to itself stays with UDP.)
void ShmLink::consider(const Address& to) {
    if (!is_here(to) || to <= own_) return;
    const uint32_t sends = ++sends_[to];
    if (std::ranges::find(kTries, sends) != std::end(kTries)) offer_to(to);
}

void ShmLink::offer_to(const Address& to) {
    if (strangers_.size() >= kStrangersMax) return;
    Stranger s;
    s.socket = connect_to(to);
    if (!s.socket) return;
    if (Fd memory = Mapping::make()) s.memory = Mapping::of(std::move(memory));
    if (!s.memory || !send_offer(s.socket, own_, s.memory->fd()) || !watch(s.socket)) return;
    s.offered = true;
    s.peer = to;
    strangers_.push_back(std::move(s));
}

// ---- becoming a channel, and ending ---------------------------------------------------------

void ShmLink::look() {
    std::array<epoll_event, kEventsPerLook> events;
    const int n = epoll_wait(events_.get(), events.data(), events.size(), 0);
    if (n > 0) armed_ = false; // what was to wake the sleeper is taken away, or a channel is new
    for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<size_t>(i)].data.fd;
        if (fd == listener_.get()) {
            take_callers();
            continue;
        }
        const auto stranger =
            std::ranges::find(strangers_, fd, [](const Stranger& s) { return s.socket.get(); });
        if (stranger != strangers_.end()) {
            if (!hear(*stranger)) strangers_.erase(stranger);
            continue;
        }
        const auto channel =
            std::ranges::find(channels_, fd, [](const auto& c) { return c->fd(); });
        if (channel != channels_.end() && !(*channel)->drain_socket()) end(**channel, false);
    }
}

void ShmLink::take_callers() {
    while (strangers_.size() < kStrangersMax) {
        Stranger s;
        s.socket = accept_from(listener_);
        if (!s.socket) return;
        if (watch(s.socket)) strangers_.push_back(std::move(s));
    }
    strangers_.erase(strangers_.begin()); // the oldest has had its time
}

bool ShmLink::hear(Stranger& s) {
    if (s.offered) {
        const Talk talk = receive_answer(s.socket);
        if (talk == Talk::done) add_channel(s.peer, std::move(s.socket), std::move(s.memory), 0);
        return talk == Talk::nothing_yet;
    }
    Fd memory;
    const Talk talk = receive_offer(s.socket, s.peer, memory);
    if (talk != Talk::done) return talk == Talk::nothing_yet;
    if (!is_here(s.peer)) return false;
    s.memory = Mapping::of(std::move(memory));
    if (s.memory && send_answer(s.socket))
        add_channel(s.peer, std::move(s.socket), std::move(s.memory), 1);
    return false;
}

void ShmLink::add_channel(const Address& peer, Fd socket, std::unique_ptr<Mapping> memory,
                          size_t ours) {
    channels_.push_back(
        std::make_unique<Channel>(peer, std::move(socket), std::move(memory), ours));
    by_peer_[peer] = channels_.back().get(); // a successor on the same port takes the place
    last_ = nullptr;
    sends_.erase(peer);
    counters_.add(Counter::shm_channels);
}

// Not sent to any more. What it has sent is read first, and what was just read may be in use: the
// channel goes with the next receive() that finds it finished.
void ShmLink::end(Channel& channel, bool broken) {
    channel.end(broken);
    epoll_ctl(events_.get(), EPOLL_CTL_DEL, channel.fd(), nullptr);
    last_ = nullptr;
    const auto found = by_peer_.find(channel.peer());
    if (found == by_peer_.end() || found->second != &channel) return;
    by_peer_.erase(found);
    (void)ended_.push(channel.peer()); // full: the next packet, by UDP, finds out
}

bool ShmLink::next_refusal(Address& refused) {
    if (ended_.empty()) return below_.next_refusal(refused);
    refused = ended_.front();
    ended_.pop();
    return true;
}

// ---- receiving ------------------------------------------------------------------------------

size_t ShmLink::take_trains(std::span<RxTrain> out) {
    size_t filled = 0;
    std::erase_if(channels_, [](const auto& c) { return c->finished(); });
    const size_t n = channels_.size();
    for (size_t i = 0; i < n && filled < out.size(); ++i) {
        Channel& c = *channels_[(first_ + i) % n];
        c.reader().release();
        for (size_t taken = 0; taken < kTrainsInTurn && filled < out.size(); ++taken) {
            RxTrain& train = out[filled];
            train = {};
            const RingReader::Found found = c.reader().next(train);
            if (found == RingReader::Found::broken) end(c, true);
            if (found != RingReader::Found::train) break;
            train.from = c.peer();
            train.file = &c.file();
            ++filled;
        }
    }
    if (n > 1) first_ = (first_ + 1) % n;
    return filled;
}

size_t ShmLink::receive(std::span<RxTrain> out, bool poll_all) {
    size_t filled = take_trains(out);
    idle_ = filled ? 0 : idle_ + 1;
    if (poll_all) look();
    const bool busy = !channels_.empty() && idle_ < kMoment && !below_active_;
    if (busy && !poll_all && ++since_below_ < kPassesBetween) return filled;
    since_below_ = 0;
    const size_t below = below_.receive(out.subspan(filled), poll_all);
    below_active_ = below > 0;
    return filled + below;
}

int ShmLink::arm() {
    armed_ = true;
    bool something = false;
    for (const auto& c : channels_)
        something |= !c->reader().fall_asleep();
    return something ? ready_.get() : events_.get();
}

} // namespace rill::link::shm
