// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/nic_links.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <unistd.h>

namespace rill::link {

using wire::Address;
using wire::RxTrain;

namespace {
// The busiest address is read without asking which of them have something. Of so many calls, one
// asks all the same, so that the others are not forgotten while it is never empty.
constexpr unsigned kTurns = 4;
} // namespace

NicLinks::~NicLinks() {
    if (events_ >= 0) ::close(events_);
}

Status NicLinks::open(const UdpConfig& config, const std::vector<Nic>& nics,
                      obs::Counters& counters, std::unique_ptr<NicLinks>& links,
                      std::string& error) {
    std::unique_ptr<NicLinks> made(new NicLinks);
    for (const Nic& nic : nics) {
        if (made->links_.size() == kNicsMax) break;
        UdpConfig own = config;
        own.local = nic.local;
        own.interface = nic.interface;
        std::unique_ptr<UdpLink> link;
        const Status status = UdpLink::open(own, counters, link, error);
        if (is_ok(status))
            made->links_.push_back(std::move(link));
        else if (made->links_.empty())
            return status;
        else
            config.log(Level::warning, "not used: " + error);
    }
    if (made->links_.empty()) return Status::invalid;
    if (made->links_.size() > 1 && !made->watch()) {
        error = std::string("epoll: ") + std::strerror(errno);
        return Status::no_memory;
    }
    links = std::move(made);
    return Status::ok;
}

bool NicLinks::watch() {
    events_ = epoll_create1(EPOLL_CLOEXEC);
    if (events_ < 0) return false;
    for (size_t nic = 0; nic < links_.size(); ++nic) {
        epoll_event e{};
        e.events = EPOLLIN;
        e.data.u64 = nic;
        if (epoll_ctl(events_, EPOLL_CTL_ADD, links_[nic]->descriptors().front(), &e) != 0)
            return false;
    }
    return true;
}

Status NicLinks::send(const wire::TxTrain& train) {
    if (train.nic >= links_.size()) return Status::invalid;
    return links_[train.nic]->send(train);
}

size_t NicLinks::receive_from(size_t nic, std::span<RxTrain> out, bool poll_all) {
    const size_t filled = links_[nic]->receive(out, poll_all);
    for (RxTrain& train : out.first(filled))
        train.nic = static_cast<uint8_t>(nic);
    return filled;
}

size_t NicLinks::receive_ready(std::span<RxTrain> out, size_t except) {
    std::array<epoll_event, kNicsMax> events;
    const int ready = epoll_wait(events_, events.data(), static_cast<int>(events.size()), 0);
    size_t filled = 0;
    for (int i = 0; i < ready && filled < out.size(); ++i) {
        const size_t nic = events[static_cast<size_t>(i)].data.u64;
        if (nic == except) continue; // what it handed out must stay until the next call
        const size_t brought = receive_from(nic, out.subspan(filled), false);
        if (brought) busy_ = nic;
        filled += brought;
    }
    return filled;
}

size_t NicLinks::receive(std::span<RxTrain> out, bool poll_all) {
    size_t filled = 0;
    if (poll_all) {
        // Every error queue and every port.
        for (size_t nic = 0; nic < links_.size() && filled < out.size(); ++nic)
            filled += receive_from(nic, out.subspan(filled), true);
        return filled;
    }
    const size_t busy = busy_;
    filled = receive_from(busy, out, false);
    if (filled == 0 || ++turn_ % kTurns == 0) filled += receive_ready(out.subspan(filled), busy);
    return filled;
}

bool NicLinks::next_refusal(Address& refused) {
    for (auto& link : links_)
        if (link->next_refusal(refused)) return true;
    return false;
}

size_t NicLinks::receive_buffer_bytes() const {
    size_t least = SIZE_MAX;
    for (auto& link : links_)
        least = std::min(least, link->receive_buffer_bytes());
    return least;
}

uint64_t NicLinks::receive_drops() const {
    uint64_t drops = 0;
    for (auto& link : links_)
        drops += link->receive_drops();
    return drops;
}

std::vector<int> NicLinks::descriptors() const {
    std::vector<int> all;
    for (auto& link : links_)
        for (int fd : link->descriptors())
            all.push_back(fd);
    return all;
}

} // namespace rill::link
