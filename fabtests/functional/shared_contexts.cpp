// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Several handles of one endpoint (aliases, scalable endpoints), and contexts that several endpoints
// share.
#include "harness.hpp"

using namespace functional;

namespace {

// A send through `ep` from a to b is received, and its completion comes to a's queue.
void exchange_by(Pair& pair, fid_ep* ep, uint32_t seed) {
    Bytes out(1000);
    Bytes in(1000);
    Op ops[2];
    fill(out, seed);
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 1)); });
    pair.post(
        [&] { return fi_tsend(ep, out.data(), out.size(), nullptr, pair.to_b(), 1, &ops[1]); });
    check_same(pair.sent(0).context, &ops[1], "the send");
    pair.received(1);
    check_filled(in.data(), in.size(), seed);
}

Endpoint alias_of(const Endpoint& ep, uint64_t flags) {
    fid_ep* made = nullptr;
    check_ok(fi_ep_alias(ep.get(), &made, flags), "fi_ep_alias");
    return Endpoint(made);
}

uint64_t flags_of(const Endpoint& ep, uint64_t side) {
    uint64_t flags = side;
    check_ok(fi_control(ep.id(), FI_GETOPSFLAG, &flags), "FI_GETOPSFLAG");
    return flags;
}

void alias_flags() {
    Config config;
    config.tx_op_flags = FI_TRANSMIT_COMPLETE;
    Pair pair(config);
    Endpoint alias = alias_of(pair.a().ep, FI_TRANSMIT | FI_DELIVERY_COMPLETE);
    check_eq(flags_of(alias, FI_TRANSMIT), FI_DELIVERY_COMPLETE, "flags of the alias");
    check_eq(flags_of(pair.a().ep, FI_TRANSMIT), FI_TRANSMIT_COMPLETE, "flags of the endpoint");
    uint64_t flags = FI_TRANSMIT | FI_INJECT_COMPLETE;
    check_ok(fi_control(alias.id(), FI_SETOPSFLAG, &flags), "FI_SETOPSFLAG");
    check_eq(flags_of(alias, FI_TRANSMIT), FI_INJECT_COMPLETE, "flags that were set");
    check_eq(flags_of(pair.a().ep, FI_TRANSMIT), FI_TRANSMIT_COMPLETE, "again the endpoint's");
    fid_ep* made = nullptr;
    check_refused(fi_ep_alias(pair.a().ep.get(), &made, FI_DELIVERY_COMPLETE), "no direction");
    check_refused(fi_ep_alias(pair.a().ep.get(), &made, FI_TRANSMIT | FI_RECV), "both directions");
    check_refused(fi_ep_alias(pair.a().ep.get(), &made, FI_TRANSMIT | 1ull << 62), "unknown flags");
    check_refused(fi_ep_bind(alias.get(), &pair.a().tx.get()->fid, FI_TRANSMIT),
                  "binding an alias");
    check_refused(fi_enable(alias.get()), "enabling an alias");
}

// The alias differs in what it reports, and in nothing else.
void alias_of_selective() {
    Config config;
    config.tx_bind |= FI_SELECTIVE_COMPLETION;
    Pair pair(config);
    Endpoint loud = alias_of(pair.a().ep, FI_TRANSMIT | FI_COMPLETION);
    Endpoint second = alias_of(loud, FI_TRANSMIT | FI_COMPLETION);
    Bytes out(10);
    Bytes in(10);
    Op ops[3];
    for (int at = 0; at < 3; ++at) {
        pair.post([&] {
            return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, nullptr, 1));
        });
    }
    fid_ep* const ways[] = {pair.a().ep.get(), loud.get(), second.get()};
    for (int at = 0; at < 3; ++at) {
        pair.post([&] {
            return fi_tsend(ways[at], out.data(), out.size(), nullptr, pair.to_b(), 1, &ops[at]);
        });
    }
    check_same(pair.sent(0).context, &ops[1], "the send through the alias");
    check_same(pair.sent(0).context, &ops[2], "the send through an alias of it");
    for (int at = 0; at < 3; ++at) {
        pair.received(1);
    }
    pair.settle();
    check(pair.a().tx.empty(), "the plain send reports nothing");
}

void alias_before_enable() {
    Endpoint alias;
    Config config;
    config.prepare = [&](Side& side) {
        if (!alias.get()) {
            alias = alias_of(side.ep, FI_TRANSMIT | FI_DELIVERY_COMPLETE);
            const uint8_t byte = 0;
            check_refused(fi_tsend(alias.get(), &byte, 1, nullptr, 0, 0, nullptr),
                          "a send before the endpoint is enabled");
        }
    };
    {
        Pair pair(config);
        exchange_by(pair, alias.get(), 4);
        check_ret(fi_close(pair.a().ep.id()), -FI_EBUSY, "closing an endpoint that has an alias");
        check_ok(alias.close(), "closing the alias");
    }
}

// A scalable endpoint with its one context of each direction.
struct Scalable {
    Scalable() {
        info = get_info(make_hints().get());
        check_eq(info->domain_attr->max_ep_tx_ctx, 1u, "max_ep_tx_ctx");
        check_eq(info->domain_attr->max_ep_rx_ctx, 1u, "max_ep_rx_ctx");
        fabric = open_fabric(*info);
        domain = open_domain(fabric, *info);
        av = open_av(domain, FI_AV_TABLE);
        tx_queue = std::make_unique<Cq>(domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_NONE, 0);
        rx_queue = std::make_unique<Cq>(domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_NONE, 0);
        fid_ep* opened = nullptr;
        check_ok(fi_scalable_ep(domain.get(), info.get(), &opened, nullptr), "fi_scalable_ep");
        whole = Endpoint(opened);
        check_ok(fi_scalable_ep_bind(opened, av.id(), 0), "fi_scalable_ep_bind");
        check_ok(fi_tx_context(opened, 0, nullptr, &opened, nullptr), "fi_tx_context");
        tx = Endpoint(opened);
        check_ok(fi_rx_context(whole.get(), 0, nullptr, &opened, nullptr), "fi_rx_context");
        rx = Endpoint(opened);
    }
    void bind_and_enable() {
        check_ok(fi_enable(whole.get()), "enabling the endpoint");
        check_ok(fi_ep_bind(tx.get(), &tx_queue->get()->fid, FI_TRANSMIT), "bind");
        check_ok(fi_enable(tx.get()), "enabling the transmit context");
        check_ok(fi_ep_bind(rx.get(), &rx_queue->get()->fid, FI_RECV), "bind");
        check_ok(fi_enable(rx.get()), "enabling the receive context");
    }
    void poll() {
        tx_queue->poll();
        rx_queue->poll();
    }

    Info info;
    Fabric fabric;
    Domain domain;
    Av av;
    std::unique_ptr<Cq> tx_queue;
    std::unique_ptr<Cq> rx_queue;
    Endpoint whole;
    Endpoint tx;
    Endpoint rx;
};

void scalable_transfers() {
    Scalable here;
    here.bind_and_enable();
    Side side;
    Bytes name(256);
    size_t len = name.size();
    check_ok(fi_getname(here.whole.id(), name.data(), &len), "fi_getname");
    name.resize(len);
    const fi_addr_t there = fi_rx_addr(side.insert(name), 0, 1);
    const Bytes other = side.name();
    fi_addr_t back = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(here.av.get(), other.data(), 1, &back, 0, nullptr), 1, "fi_av_insert");
    for (uint32_t round = 0; round < 20; ++round) {
        Bytes out(round * 997);
        Bytes in(round * 997);
        Bytes returned(round * 997);
        fill(out, round);
        Op ops[4];
        check_ok(
            fi_trecv(here.rx.get(), in.data(), in.size(), nullptr, FI_ADDR_UNSPEC, 1, 0, &ops[0]),
            "receive");
        side.post([&] { return send(side, transfer(Kind::tagged, out, there, &ops[1], 1)); });
        side.until("the message", [&] {
            here.poll();
            return !here.rx_queue->empty();
        });
        check_same(here.rx_queue->take().context, &ops[0], "the receive");
        check_filled(in.data(), in.size(), round);
        side.post([&] {
            return receive(side, transfer(Kind::tagged, returned, FI_ADDR_UNSPEC, &ops[2]));
        });
        check_ok(fi_tsend(here.tx.get(), in.data(), in.size(), nullptr, back, 0, &ops[3]), "send");
        side.until("the answer", [&] {
            here.poll();
            return !side.rx.empty() && !here.tx_queue->empty();
        });
        check_same(here.tx_queue->take().context, &ops[3], "the send");
        side.received();
        side.sent();
        check_filled(returned.data(), returned.size(), round);
    }
}

// What a context may do its alias may, whether or not the endpoint was enabled by itself.
void scalable_alias() {
    Scalable here;
    const Endpoint alias = alias_of(here.tx, FI_TRANSMIT | FI_DELIVERY_COMPLETE);
    check_ret(here.tx.close(), -FI_EBUSY, "closing a context that has an alias");
    Side side;
    const Bytes other = side.name();
    fi_addr_t to = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(here.av.get(), other.data(), 1, &to, 0, nullptr), 1, "fi_av_insert");
    Bytes out(10), in(10);
    Op ops[2];
    const auto send_by_alias = [&] {
        return fi_tsend(alias.get(), out.data(), out.size(), nullptr, to, 0, &ops[0]);
    };
    check_ret(send_by_alias(), -FI_EOPBADSTATE, "not enabled");
    check_ok(fi_ep_bind(here.tx.get(), &here.tx_queue->get()->fid, FI_TRANSMIT), "bind");
    check_ok(fi_enable(here.tx.get()), "enabling the transmit context");
    fill(out, 8);
    side.post([&] { return receive(side, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[1])); });
    check_ok(send_by_alias(), "send");
    side.until("the message", [&] {
        here.poll();
        return !side.rx.empty() && !here.tx_queue->empty();
    });
    check_same(here.tx_queue->take().context, &ops[0], "the send");
    side.received();
    check_filled(in.data(), in.size(), 8);
}

void scalable_refusals() {
    Scalable here;
    here.info->tx_attr->tclass = FI_TC_BULK_DATA;
    fid_ep* whole = nullptr;
    check_refused(fi_scalable_ep(here.domain.get(), here.info.get(), &whole, nullptr),
                  "a traffic class that its domain does not have");
    const uint8_t byte = 0;
    fid_ep* opened = nullptr;
    check_refused(fi_tx_context(here.whole.get(), 1, nullptr, &opened, nullptr), "a second one");
    check_refused(fi_rx_context(here.whole.get(), -1, nullptr, &opened, nullptr), "a wrong index");
    check_ret(fi_tx_context(here.whole.get(), 0, nullptr, &opened, nullptr), -FI_EBUSY,
              "the same one again");
    check_ret(here.whole.close(), -FI_EBUSY, "closing it before its contexts");
    check_refused(fi_send(here.whole.get(), &byte, 1, nullptr, 0, nullptr), "not by itself");
    check_refused(fi_ep_bind(here.whole.get(), &here.tx_queue->get()->fid, FI_TRANSMIT),
                  "queues are for contexts");
    check_refused(fi_ep_bind(here.tx.get(), &here.rx_queue->get()->fid, FI_RECV),
                  "the other direction");
    check_ret(fi_enable(here.tx.get()), -FI_ENOCQ, "no queue is bound");
    check_refused(fi_send(here.tx.get(), &byte, 1, nullptr, 0, nullptr), "not enabled");
    here.bind_and_enable();
    check_refused(fi_send(here.rx.get(), &byte, 1, nullptr, 0, nullptr), "a receive context");
    Bytes in(1);
    check_refused(fi_recv(here.tx.get(), in.data(), 1, nullptr, 0, nullptr), "a transmit context");
    check_ok(here.tx.close(), "closing the transmit context");
    check_ok(fi_tx_context(here.whole.get(), 0, nullptr, &opened, nullptr), "opening it again");
    here.tx = Endpoint(opened);
}

// Two endpoints of one domain that share a receive context and a transmit context, each with a
// queue of its own.
struct Sharing {
    Sharing() {
        Info hints = make_hints();
        hints->ep_attr->tx_ctx_cnt = FI_SHARED_CONTEXT;
        hints->ep_attr->rx_ctx_cnt = FI_SHARED_CONTEXT;
        info = get_info(hints.get());
        check_eq(info->ep_attr->rx_ctx_cnt, FI_SHARED_CONTEXT, "rx_ctx_cnt");
        check(info->domain_attr->max_ep_srx_ctx > 0, "max_ep_srx_ctx");
        fabric = open_fabric(*info);
        domain = open_domain(fabric, *info);
        av = open_av(domain, FI_AV_TABLE);
        fid_ep* srx = nullptr;
        check_ok(fi_srx_context(domain.get(), info->rx_attr, &srx, nullptr), "fi_srx_context");
        receives = Endpoint(srx);
        fid_stx* stx = nullptr;
        check_ok(fi_stx_context(domain.get(), info->tx_attr, &stx, nullptr), "fi_stx_context");
        sends = Handle<fid_stx>(stx);
        for (int each = 0; each < 2; ++each) {
            queues.emplace_back(domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_NONE, 0);
            eps.push_back(open_endpoint(domain, *info));
            check_ok(fi_ep_bind(eps.back().get(), av.id(), 0), "bind the address vector");
            check_ok(fi_ep_bind(eps.back().get(), &queues.back().get()->fid, FI_TRANSMIT | FI_RECV),
                     "bind the queue");
            check_ok(fi_ep_bind(eps.back().get(), receives.id(), 0), "bind the receive context");
            check_ok(fi_ep_bind(eps.back().get(), sends.id(), 0), "bind the transmit context");
            check_ok(fi_enable(eps.back().get()), "fi_enable");
        }
    }
    Bytes name(size_t at) const {
        Bytes bytes(256);
        size_t len = bytes.size();
        check_ok(fi_getname(eps[at].id(), bytes.data(), &len), "fi_getname");
        bytes.resize(len);
        return bytes;
    }
    void poll() {
        for (Cq& queue : queues) {
            queue.poll();
        }
    }

    Info info;
    Fabric fabric;
    Domain domain;
    Av av;
    Endpoint receives;
    Handle<fid_stx> sends;
    std::deque<Cq> queues;
    std::vector<Endpoint> eps;
};

// Messages to either endpoint take what is posted to the context, in order, and complete in the
// queue of the endpoint that they were sent to.
void shared_receives(size_t size, bool posted_first) {
    Sharing here;
    Side side;
    const fi_addr_t to[] = {side.insert(here.name(0)), side.insert(here.name(1))};
    std::vector<Op> ops(20);
    std::vector<Bytes> in(10, Bytes(size));
    const auto post_all = [&] {
        for (size_t at = 0; at < in.size(); ++at) {
            check_ok(fi_recv(here.receives.get(), in[at].data(), size, nullptr, FI_ADDR_UNSPEC,
                             &ops[at]),
                     "receive");
        }
    };
    if (posted_first) {
        post_all();
    }
    std::vector<Bytes> out;
    for (uint32_t at = 0; at < in.size(); ++at) {
        out.emplace_back(size);
        fill(out.back(), at);
    }
    for (size_t at = 0; at < in.size(); ++at) {
        side.post([&] {
            here.poll();
            return send(side, transfer(Kind::msg, out[at], to[at % 3 == 0], &ops[10 + at]));
        });
        if (posted_first) { // one after the other, so that the order is known
            side.until("the message", [&] {
                here.poll();
                return !here.queues[at % 3 == 0].empty();
            });
            const Completion one = here.queues[at % 3 == 0].take();
            check_same(one.context, &ops[at], "the next receive");
            check_filled(in[at].data(), size, static_cast<uint32_t>(at));
        }
    }
    if (!posted_first) {
        post_all();
        size_t counts[2] = {0, 0};
        side.until("all messages", [&] {
            here.poll();
            for (size_t which : {0, 1}) {
                for (; !here.queues[which].empty(); ++counts[which]) {
                    const Completion one = here.queues[which].take();
                    check_eq(one.err, 0, "error");
                    check_eq(one.len, size, "length");
                }
            }
            return counts[0] + counts[1] == in.size();
        });
        check_eq(counts[1], 4u, "messages to the second endpoint");
    }
    for (size_t at = 0; at < in.size(); ++at) {
        side.until("the sends", [&] {
            here.poll();
            return !side.tx.empty();
        });
        side.sent();
    }
}

void shared_tags_and_sends() {
    Sharing here;
    Side side;
    const fi_addr_t to[] = {side.insert(here.name(0)), side.insert(here.name(1))};
    const Bytes name = side.name();
    fi_addr_t back = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(here.av.get(), name.data(), 1, &back, 0, nullptr), 1, "fi_av_insert");
    for (size_t which : {0, 1}) {
        Bytes out(100);
        Bytes in(100);
        Bytes returned(100);
        Op ops[4];
        fill(out, 9);
        check_ok(fi_trecv(here.receives.get(), in.data(), in.size(), nullptr, back, 5, 0, &ops[0]),
                 "receive from one peer");
        side.post([&] { return send(side, transfer(Kind::tagged, out, to[which], &ops[1], 5)); });
        side.until("the message", [&] {
            here.poll();
            return !here.queues[which].empty();
        });
        check_eq(here.queues[which].take().source, back, "its source");
        check_filled(in.data(), in.size(), 9);
        side.sent();
        side.post([&] {
            return receive(side, transfer(Kind::tagged, returned, FI_ADDR_UNSPEC, &ops[2]));
        });
        check_ok(fi_tsend(here.eps[which].get(), in.data(), in.size(), nullptr, back, 0, &ops[3]),
                 "send");
        side.until("the answer", [&] {
            here.poll();
            return !side.rx.empty() && !here.queues[which].empty();
        });
        check_same(here.queues[which].take().context, &ops[3], "the send");
        side.received();
    }
}

void shared_refusals() {
    Sharing here;
    Bytes byte(1);
    Op op;
    check_refused(fi_recv(here.eps[0].get(), byte.data(), 1, nullptr, FI_ADDR_UNSPEC, &op),
                  "receives are posted to the context");
    check_refused(fi_send(here.receives.get(), byte.data(), 1, nullptr, 0, &op),
                  "a receive context sends nothing");
    check_ret(here.receives.close(), -FI_EBUSY, "closing a bound receive context");
    check_ret(here.sends.close(), -FI_EBUSY, "closing a bound transmit context");
    const Av other = open_av(here.domain, FI_AV_TABLE);
    const Endpoint ep = open_endpoint(here.domain, *here.info);
    check_ok(fi_ep_bind(ep.get(), here.receives.id(), 0), "bind the receive context");
    check_refused(fi_ep_bind(ep.get(), here.receives.id(), 0), "a second time");
    check_ok(fi_ep_bind(ep.get(), other.id(), 0), "bind another address vector");
    check_ok(fi_ep_bind(ep.get(), &here.queues[0].get()->fid, FI_TRANSMIT | FI_RECV), "bind");
    check_refused(fi_enable(ep.get()), "endpoints that share receives share the address vector");
}

// One endpoint of two closes, with messages on the way: the other goes on.
void one_of_two_closes() {
    Sharing here;
    Side side;
    const fi_addr_t to[] = {side.insert(here.name(0)), side.insert(here.name(1))};
    Bytes large(1 << 20);
    Bytes in(1 << 20);
    Bytes out(300);
    Op ops[6];
    check_ok(fi_recv(here.receives.get(), in.data(), in.size(), nullptr, FI_ADDR_UNSPEC, &ops[0]),
             "receive");
    side.post([&] { return send(side, transfer(Kind::msg, large, to[0], &ops[1])); });
    side.post([&] { return send(side, transfer(Kind::msg, large, to[0], &ops[2])); });
    for (int pass = 0; pass < 100; ++pass) {
        here.poll();
    }
    here.eps[0] = open_endpoint(here.domain, *here.info); // closes it
    for (int each = 0; each < 2; ++each) {
        side.until("the sends to end, somehow", [&] {
            here.poll();
            return !side.tx.empty();
        });
        side.tx.take();
    }
    here.poll();
    if (here.queues[0].empty()) { // nothing had taken the receive
        check_ok(fi_cancel(here.receives.id(), &ops[0]), "taking back the receive");
    } else {
        check_same(here.queues[0].take().context, &ops[0], "the receive that a message had taken");
    }
    check_ok(fi_recv(here.receives.get(), in.data(), in.size(), nullptr, FI_ADDR_UNSPEC, &ops[3]),
             "receive");
    fill(out, 2);
    side.post([&] { return send(side, transfer(Kind::msg, out, to[1], &ops[4])); });
    side.until("a message to the other", [&] {
        here.poll();
        while (!here.queues[1].empty()) {
            if (here.queues[1].take().context == &ops[3]) {
                return true;
            }
        }
        return false;
    });
    check_filled(in.data(), out.size(), 2);
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"alias: flags", alias_flags},
        {"alias: of a selective endpoint", alias_of_selective},
        {"alias: before the endpoint is enabled", alias_before_enable},
        {"scalable endpoint: transfers", scalable_transfers},
        {"scalable endpoint: an alias of a context", scalable_alias},
        {"scalable endpoint: refusals", scalable_refusals},
        {"shared: tags and sends", shared_tags_and_sends},
        {"shared: refusals", shared_refusals},
        {"shared: one of two closes", one_of_two_closes},
    };
    for (const size_t size : {size_t{0}, size_t{8}, size_t{200000}}) {
        const std::string name = "shared: receives of " + std::to_string(size) + " bytes, ";
        cases.push_back({name + "posted", [=] { shared_receives(size, true); }});
        cases.push_back({name + "unexpected", [=] { shared_receives(size, false); }});
    }
    return run_cases(argc, argv, cases);
}
