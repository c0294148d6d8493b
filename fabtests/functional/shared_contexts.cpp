// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Several handles of one endpoint: aliases and scalable endpoints.
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

void scalable_refusals() {
    Scalable here;
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

} // namespace

int main(int argc, char** argv) {
    const std::vector<Case> cases = {
        {"alias: flags", alias_flags},
        {"alias: of a selective endpoint", alias_of_selective},
        {"alias: before the endpoint is enabled", alias_before_enable},
        {"scalable endpoint: transfers", scalable_transfers},
        {"scalable endpoint: refusals", scalable_refusals},
    };
    return run_cases(argc, argv, cases);
}
