// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What an application or the network may do wrong. Datagrams of strangers are in bad_datagrams.cpp.
#include "bad_cases.hpp"

using namespace functional;

namespace {

void unknown_addresses(fi_av_type type) {
    only_rill("others take the caller's word for it");
    Config config;
    config.av_type = type;
    Pair pair(config);
    Bytes out(16);
    Op op;
    const fi_addr_t wrong[] = {1000, 0x7fffffff, FI_ADDR_UNSPEC, FI_ADDR_NOTAVAIL - 1,
                               0xdeadbeefdeadbee8};
    for (const fi_addr_t to : wrong) {
        for (const Kind kind : {Kind::msg, Kind::tagged}) {
            for (const Form form : {Form::plain, Form::vector, Form::message, Form::inject,
                                    Form::data, Form::inject_data}) {
                Transfer what = transfer(kind, out, to, &op);
                what.form = form;
                check_ret(send(pair.a(), what), -FI_EINVAL, "send to an unknown address");
            }
        }
    }
    fi_addr_t gone = pair.to_b();
    check_ok(fi_av_remove(pair.a().av.get(), &gone, 1, 0), "fi_av_remove");
    check_ret(send(pair.a(), transfer(Kind::tagged, out, gone, &op)), -FI_EINVAL,
              "send to a removed address");
    pair.settle();
    check(pair.a().tx.empty(), "what was refused reports nothing");
}

// The provider's last word on an operation that it may have been too busy to look at.
ssize_t decide(Pair& pair, const std::function<ssize_t()>& operation) {
    now_waiting_for("a decision other than -FI_EAGAIN");
    ssize_t ret = -FI_EAGAIN;
    while ((ret = operation()) == -FI_EAGAIN) {
        pair.poll();
    }
    return ret;
}

void too_many_pieces(Kind kind) {
    Pair pair;
    const size_t tx_limit = pair.a().info->tx_attr->iov_limit;
    const size_t rx_limit = pair.a().info->rx_attr->iov_limit;
    Bytes buffer(1000);
    Op op;
    for (const Form form : {Form::vector, Form::message}) {
        Transfer to = transfer(kind, buffer, pair.to_b(), &op);
        to.form = form;
        to.iov = split(buffer, tx_limit + 1);
        check_refused(decide(pair, [&] { return send(pair.a(), to); }),
                      "a send of too many pieces");
        Transfer from = transfer(kind, buffer, FI_ADDR_UNSPEC, &op);
        from.form = form;
        from.iov = split(buffer, rx_limit + 1);
        check_refused(decide(pair, [&] { return receive(pair.a(), from); }),
                      "a receive of too many pieces");
    }
}

void too_long_to_inject(Kind kind) {
    Pair pair;
    Bytes buffer(pair.a().info->tx_attr->inject_size + 1);
    Op op;
    for (const Form form : {Form::inject, Form::inject_data, Form::message}) {
        Transfer to = transfer(kind, buffer, pair.to_b(), &op);
        to.form = form;
        to.flags = form == Form::message ? FI_INJECT : 0;
        check_refused(decide(pair, [&] { return send(pair.a(), to); }),
                      std::string("too long for ") + name_of(form));
    }
}

void too_long_to_send() {
    Pair pair;
    const size_t limit = pair.a().info->ep_attr->max_msg_size;
    if (limit == SIZE_MAX) {
        throw Skip("nothing is too long");
    }
    Bytes byte(1);
    Op op;
    Transfer to = transfer(Kind::tagged, byte, pair.to_b(), &op);
    to.iov[0].iov_len = limit + 1;
    check_refused(send(pair.a(), to), "longer than max_msg_size");
}

void unknown_flags(Kind kind) {
    only_rill("others ignore them");
    Pair pair;
    Bytes buffer(16);
    Op op;
    // Provider bits, and operation flags that belong to other operations.
    for (const uint64_t flags : {1ull << 62, 1ull << 63, 1ull << 40, FI_RMA_PMEM}) {
        Transfer to = transfer(kind, buffer, pair.to_b(), &op);
        to.form = Form::message;
        to.flags = flags;
        check_refused(send(pair.a(), to), "a send with unknown flags");
        Transfer from = transfer(kind, buffer, FI_ADDR_UNSPEC, &op);
        from.form = Form::message;
        from.flags = flags;
        check_refused(receive(pair.a(), from), "a receive with unknown flags");
    }
    Transfer from = transfer(kind, buffer, FI_ADDR_UNSPEC, &op);
    from.form = Form::message;
    from.flags = kind == Kind::tagged ? FI_MULTI_RECV : FI_PEEK;
    check_refused(receive(pair.a(), from), "a flag of the other kind");
    from.flags = FI_CLAIM;
    check_refused(receive(pair.a(), from), "a claim without a peek before it");
}

void unknown_kinds() {
    only_rill("others ignore some");
    Side side;
    fi_cq_attr cq_attr{};
    fid_cq* cq = nullptr;
    cq_attr.format = static_cast<fi_cq_format>(FI_CQ_FORMAT_TAGGED + 1);
    check_refused(fi_cq_open(side.domain.get(), &cq_attr, &cq, nullptr), "unknown format");
    cq_attr = {};
    cq_attr.wait_obj = static_cast<fi_wait_obj>(FI_WAIT_POLLFD + 1);
    check_refused(fi_cq_open(side.domain.get(), &cq_attr, &cq, nullptr), "unknown wait object");
    cq_attr = {};
    cq_attr.flags = 1ull << 62;
    check_refused(fi_cq_open(side.domain.get(), &cq_attr, &cq, nullptr), "unknown queue flag");
    fi_eq_attr eq_attr{};
    fid_eq* eq = nullptr;
    eq_attr.wait_obj = static_cast<fi_wait_obj>(FI_WAIT_POLLFD + 1);
    check_refused(fi_eq_open(side.fabric.get(), &eq_attr, &eq, nullptr), "unknown wait object");
    fi_av_attr av_attr{};
    fid_av* av = nullptr;
    av_attr.type = static_cast<fi_av_type>(FI_AV_TABLE + 1);
    check_refused(fi_av_open(side.domain.get(), &av_attr, &av, nullptr), "unknown av type");
    av_attr = {};
    av_attr.flags = 1ull << 62;
    check_refused(fi_av_open(side.domain.get(), &av_attr, &av, nullptr), "unknown av flag");
    fi_addr_t addr = 0;
    check_refused(fi_av_insert(side.av.get(), side.name().data(), 1, &addr, 1ull << 62, nullptr),
                  "unknown insertion flag");
    check_refused(fi_av_remove(side.av.get(), &addr, 1, 1), "flags of a removal are reserved");
    check_refused(fi_ep_bind(side.ep.get(), &side.rx.get()->fid, 1ull << 62), "unknown bind flag");
}

// Every kind of operation on a peer that is not there ends with an error, in bounded time.
void nobody_listens(Kind kind) {
    only_rill("others refuse to post for as long as the peer is missing");
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    Side side(config);
    const sockaddr_in nobody = Datagrams().name(); // closed again at once: a free port
    fi_addr_t to = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(side.av.get(), &nobody, 1, &to, 0, nullptr), 1, "fi_av_insert");
    Bytes out(100000);
    Op op;
    side.post([&] { return send(side, transfer(kind, out, to, &op)); });
    Completion one = side.tx_error();
    check_same(one.context, &op, "context of the send that failed");
    check(one.err != FI_EAGAIN, "a final error");
    // An inject reports its failure as well, though never its success. Once the peer is known to
    // be dead the provider may also refuse at once.
    Bytes little(8);
    Transfer what = transfer(kind, little, to, nullptr);
    what.form = Form::inject;
    now_waiting_for("an inject to fail");
    ssize_t ret = -FI_EAGAIN;
    while ((ret = send(side, what)) == -FI_EAGAIN) {
        side.poll();
    }
    if (ret == 0) {
        check(side.tx_error().err > 0, "the error of an inject");
    }
}

void nobody_listens_others_do() {
    only_rill("others block on the missing peer");
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    Pair pair(config);
    const sockaddr_in nobody = Datagrams().name();
    fi_addr_t dead = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(pair.a().av.get(), &nobody, 1, &dead, 0, nullptr), 1, "fi_av_insert");
    std::vector<Op> ops(300);
    Bytes out(1000);
    Bytes in(1000);
    fill(out, 1);
    size_t failed = 0;
    size_t good = 0;
    for (size_t at = 0; at < 100; ++at) {
        pair.post([&] {
            return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[at], 1));
        });
        // The dead peer may be refused at once after it is known.
        pair.a().post([&] {
            pair.poll();
            const ssize_t ret =
                send(pair.a(), transfer(Kind::tagged, out, dead, &ops[100 + at], 1));
            failed += ret < 0 && ret != -FI_EAGAIN ? 1 : 0;
            return ret == -FI_EAGAIN ? ret : 0;
        });
        pair.post([&] {
            return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[200 + at], 1));
        });
    }
    while (failed + good < 200) {
        pair.until("every send to end", [&] { return !pair.a().tx.empty(); });
        const Completion one = pair.a().tx.take();
        const auto at = static_cast<size_t>(static_cast<const Op*>(one.context) - ops.data());
        check_eq(one.err == 0, at >= 200, "live sends succeed, dead ones fail");
        one.err ? ++failed : ++good;
    }
    check_eq(good, 100u, "sends to the live peer");
    for (size_t at = 0; at < 100; ++at) {
        pair.received(1);
    }
}

// A peer that took leave is gone: what is sent to it later fails.
void peer_left(Kind kind) {
    only_rill("others refuse to post");
    auto left = std::make_unique<Side>();
    Side side;
    const fi_addr_t to = side.insert(left->name());
    Bytes out(50);
    Bytes in(50);
    Op ops[3];
    left->post([&] { return receive(*left, transfer(kind, in, FI_ADDR_UNSPEC, &ops[0])); });
    side.post([&] { return send(side, transfer(kind, out, to, &ops[1])); });
    now_waiting_for("a message before the peer leaves");
    while (left->rx.empty() || side.tx.empty()) {
        left->poll();
        side.poll();
    }
    check_eq(side.tx.take().err, 0, "the send before");
    left.reset();
    now_waiting_for("a send to a peer that left to fail");
    ssize_t ret = -FI_EAGAIN;
    while ((ret = send(side, transfer(kind, out, to, &ops[2]))) == -FI_EAGAIN) {
        side.poll();
    }
    if (ret == 0) {
        check_same(side.tx_error().context, &ops[2], "the send after");
    }
}

// Every send ends when the peer dies without a word, and a later one fails.
void peer_killed_with_work_left() {
    only_rill("it bounds the time");
    constexpr size_t count = 20;
    const auto doomed = [](Channel& channel) {
        Side side;
        exchange(side, channel);
        channel.sync();
        channel.receive();
        _exit(0); // no destructor runs: the peer must not hear a farewell
    };
    const auto survivor = [](Channel& channel) {
        Side side;
        const fi_addr_t peer = exchange(side, channel);
        Bytes out(1 << 20);
        std::vector<Op> ops(count + 1);
        channel.sync();
        for (size_t at = 0; at < count; ++at) {
            side.post([&] { return send(side, transfer(Kind::tagged, out, peer, &ops[at], at)); });
        }
        channel.send({});
        size_t ended = 0;
        side.until("sends to a dead peer to end", [&] {
            for (; !side.tx.empty(); ++ended) {
                side.tx.take();
            }
            return ended == count;
        });
        ssize_t ret = -FI_EAGAIN;
        while ((ret = send(side, transfer(Kind::tagged, out, peer, &ops[count]))) == -FI_EAGAIN) {
            side.poll();
        }
        if (ret == 0) {
            side.tx_error();
        }
    };
    two_processes(survivor, doomed);
}

Info fixed_service(const Config& config, const std::string& port) {
    return get_info(make_hints(config).get(), "127.0.0.1", port.c_str(), FI_SOURCE);
}

// The first error on the way to an enabled endpoint, or 0.
int bring_up(Info info, const Config& config) {
    const Fabric fabric = open_fabric(*info);
    fid_domain* opened_domain = nullptr;
    int ret = fi_domain(fabric.get(), info.get(), &opened_domain, nullptr);
    if (ret) {
        return ret;
    }
    const Domain domain(opened_domain);
    const Av av = open_av(domain, config.av_type);
    const Cq cq(domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_NONE, 0);
    fid_ep* opened = nullptr;
    ret = fi_endpoint(domain.get(), info.get(), &opened, nullptr);
    if (ret) {
        return ret;
    }
    const Endpoint ep(opened);
    check_ok(fi_ep_bind(ep.get(), av.id(), 0), "bind");
    check_ok(fi_ep_bind(ep.get(), &cq.get()->fid, FI_TRANSMIT | FI_RECV), "bind");
    return fi_enable(ep.get());
}

void port_in_use_by_socket() {
    only_rill("its ports are UDP ports");
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    const Datagrams taken;
    const std::string port = std::to_string(ntohs(taken.name().sin_port));
    check_ret(bring_up(fixed_service(config, port), config), -FI_EADDRINUSE,
              "a service whose port is taken");
}

void port_in_use_by_endpoint() {
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    const Datagrams free_port;
    const std::string port = std::to_string(ntohs(Datagrams().name().sin_port));
    const Side first(config, fixed_service(config, port));
    sockaddr_in name{};
    memcpy(&name, first.name().data(), sizeof name);
    check_eq(std::to_string(ntohs(name.sin_port)), port, "the port that was asked for");
    check_ret(bring_up(fixed_service(config, port), config), -FI_EADDRINUSE,
              "a service that another endpoint has");
}

void port_is_free_again() {
    Config config;
    config.addr_format = FI_SOCKADDR_IN;
    const std::string port = std::to_string(ntohs(Datagrams().name().sin_port));
    for (int round = 0; round < 3; ++round) {
        check_ok(bring_up(fixed_service(config, port), config), "the port, after a close");
    }
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"unknown addresses, map", [] { unknown_addresses(FI_AV_MAP); }},
        {"unknown addresses, table", [] { unknown_addresses(FI_AV_TABLE); }},
        {"too long to send", too_long_to_send},
        {"unknown kinds", unknown_kinds},
        {"nobody listens, others do", nobody_listens_others_do},
        {"peer killed with work left", peer_killed_with_work_left},
        {"port in use by a socket", port_in_use_by_socket},
        {"port in use by an endpoint", port_in_use_by_endpoint},
        {"port is free again", port_is_free_again},
    };
    for (const Kind kind : {Kind::msg, Kind::tagged}) {
        const std::string prefix = std::string(name_of(kind)) + ": ";
        const auto add = [&](const char* name, void (*run)(Kind)) {
            cases.push_back({prefix + name, [=] { run(kind); }});
        };
        add("too many pieces", too_many_pieces);
        add("too long to inject", too_long_to_inject);
        add("unknown flags", unknown_flags);
        add("nobody listens", nobody_listens);
        add("peer left", peer_left);
    }
    add_datagram_cases(cases);
    return run_cases(argc, argv, cases);
}
