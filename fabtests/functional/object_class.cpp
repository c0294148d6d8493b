// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The traffic class that was asked for is in the IP header of what is sent.
#include "object_cases.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace functional {

namespace {

// A UDP socket on loopback that tells the service field of what comes.
class Onlooker {
public:
    Onlooker() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        const int on = 1;
        check_ok(setsockopt(fd_, IPPROTO_IP, IP_RECVTOS, &on, sizeof on), "IP_RECVTOS");
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        check_ok(bind(fd_, reinterpret_cast<const sockaddr*>(&any), sizeof any), "bind");
        socklen_t len = sizeof name;
        check_ok(getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &len), "getsockname");
    }
    ~Onlooker() { close(fd_); }
    Onlooker(const Onlooker&) = delete;
    Onlooker& operator=(const Onlooker&) = delete;

    // Whether a datagram was there; its code point, the upper six bits of the field, in `out`.
    bool take(uint8_t& out) {
        uint8_t packet[64];
        alignas(cmsghdr) uint8_t control[64];
        iovec iov = {packet, sizeof packet};
        msghdr message{};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        if (recvmsg(fd_, &message, 0) < 0) {
            return false;
        }
        const cmsghdr* c = CMSG_FIRSTHDR(&message);
        check(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS, "a service field");
        out = *CMSG_DATA(c) >> 2;
        return true;
    }

    sockaddr_in name{};

private:
    int fd_;
};

uint8_t code_point_sent(uint32_t of_domain, uint32_t of_endpoint) {
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    Info hints = make_hints(config);
    hints->domain_attr->tclass = of_domain;
    hints->tx_attr->tclass = of_endpoint;
    Side side(config, get_info(hints.get()));
    Onlooker onlooker;
    fi_addr_t to = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(side.av.get(), &onlooker.name, 1, &to, 0, nullptr), 1, "fi_av_insert");
    Bytes out(64);
    Op op;
    side.post([&] { return send(side, transfer(Kind::tagged, out, to, &op)); });
    uint8_t seen = 0;
    side.until("the first packet", [&] { return onlooker.take(seen); });
    return seen;
}

void class_on_the_wire() {
    only_rill("its packets are UDP datagrams, and which code points labels have is its own choice");
    const struct {
        uint32_t tclass;
        int code_point;
    } expected[] = {{FI_TC_BEST_EFFORT, 0}, {FI_TC_LOW_LATENCY, 18}, {FI_TC_DEDICATED_ACCESS, 46},
                    {FI_TC_BULK_DATA, 10},  {FI_TC_SCAVENGER, 1},    {FI_TC_NETWORK_CTRL, 48},
                    {FI_TC_UNSPEC, 0},      {fi_tc_dscp_set(63), 63}};
    for (const auto& one : expected) {
        const std::string name = "class " + std::to_string(one.tclass);
        check_eq<int>(code_point_sent(one.tclass, FI_TC_UNSPEC), one.code_point,
                      name + " of the domain");
        check_eq<int>(code_point_sent(FI_TC_UNSPEC, one.tclass), one.code_point,
                      name + " of the transmit side");
    }
}

void endpoint_of_another_class() {
    only_rill("one class a domain is its own limit");
    const Info info = get_info(make_hints().get());
    const Fabric fabric = open_fabric(*info);
    const Domain domain = open_domain(fabric, *info);
    info->domain_attr->tclass = info->tx_attr->tclass = FI_TC_BULK_DATA;
    fid_ep* ep = nullptr;
    check_ret(fi_endpoint(domain.get(), info.get(), &ep, nullptr), -FI_EINVAL,
              "an endpoint of another class than its domain");
    info->domain_attr->tclass = info->tx_attr->tclass = FI_TC_BEST_EFFORT;
    const Endpoint same = open_endpoint(domain, *info);
}

} // namespace

void add_class_cases(std::vector<Case>& cases) {
    cases.push_back({"traffic class on the wire", class_on_the_wire});
    cases.push_back({"traffic class of the domain only", endpoint_of_another_class});
}

} // namespace functional
