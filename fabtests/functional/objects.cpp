// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Fabrics, domains, endpoints and queues as objects: order of opening and closing, names, options,
// controls, and that no operation pointer is missing. Address vectors, event queues and memory
// regions are in object_av.cpp and object_eq_mr.cpp.
#include "object_cases.hpp"

#include <array>
#include <cstring>

#include <rdma/fi_atomic.h>
#include <rdma/fi_collective.h>
#include <rdma/fi_rma.h>

using namespace functional;

namespace {

// Every ops structure begins with its size, and is function pointers from there on.
template <class Ops>
void check_ops(const Ops* ops, const char* name) {
    check(ops != nullptr, std::string(name) + " is there");
    check(ops->size >= sizeof(Ops), std::string(name) + " has all operations of API 1.17");
    using Pointer = void (*)();
    const auto* slots =
        reinterpret_cast<const Pointer*>(reinterpret_cast<const char*>(ops) + sizeof(size_t));
    const size_t count = (ops->size - sizeof(size_t)) / sizeof(Pointer);
    for (size_t at = 0; at < count; ++at) {
        check(slots[at] != nullptr,
              std::string(name) + ": operation " + std::to_string(at) + " is NULL");
    }
}

void no_null_operations() {
    Config config;
    config.wait_obj = FI_WAIT_FD;
    Side side(config);
    const Eq eq = open_eq(side.fabric, FI_WAIT_UNSPEC, FI_WRITE);
    uint8_t memory[64];
    const Mr mr = register_memory(side.domain, memory, sizeof memory, 1);
    check_ops(side.fabric.id()->ops, "fi_ops of the fabric");
    check_ops(side.fabric.get()->ops, "fi_ops_fabric");
    check_ops(side.domain.id()->ops, "fi_ops of the domain");
    check_ops(side.domain.get()->ops, "fi_ops_domain");
    check_ops(side.domain.get()->mr, "fi_ops_mr");
    check_ops(side.av.id()->ops, "fi_ops of the address vector");
    check_ops(side.av.get()->ops, "fi_ops_av");
    check_ops(side.rx.get()->fid.ops, "fi_ops of the completion queue");
    check_ops(side.rx.get()->ops, "fi_ops_cq");
    check_ops(eq.id()->ops, "fi_ops of the event queue");
    check_ops(eq.get()->ops, "fi_ops_eq");
    check_ops(mr.id()->ops, "fi_ops of the memory region");
    check_ops(side.ep.id()->ops, "fi_ops of the endpoint");
    check_ops(side.ep.get()->ops, "fi_ops_ep");
    check_ops(side.ep.get()->cm, "fi_ops_cm");
    check_ops(side.ep.get()->msg, "fi_ops_msg");
    check_ops(side.ep.get()->tagged, "fi_ops_tagged");
    check_ops(side.ep.get()->rma, "fi_ops_rma");
    check_ops(side.ep.get()->atomic, "fi_ops_atomic");
    check_ops(side.ep.get()->collective, "fi_ops_collective");
    fi_cntr_attr attr{};
    fid_cntr* cntr = nullptr;
    if (fi_cntr_open(side.domain.get(), &attr, &cntr, nullptr) == 0) {
        const Handle<fid_cntr> counter(cntr);
        check_ops(counter.id()->ops, "fi_ops of the counter");
        check_ops(counter.get()->ops, "fi_ops_cntr");
    }
}

void classes_and_contexts() {
    Side side;
    check_eq(side.fabric.id()->fclass, static_cast<size_t>(FI_CLASS_FABRIC), "fabric");
    check_eq(side.domain.id()->fclass, static_cast<size_t>(FI_CLASS_DOMAIN), "domain");
    check_eq(side.av.id()->fclass, static_cast<size_t>(FI_CLASS_AV), "address vector");
    check_eq(side.rx.get()->fid.fclass, static_cast<size_t>(FI_CLASS_CQ), "completion queue");
    check_eq(side.ep.id()->fclass, static_cast<size_t>(FI_CLASS_EP), "endpoint");
    int mark = 0;
    fid_ep* ep = nullptr;
    check_ok(fi_endpoint(side.domain.get(), side.info.get(), &ep, &mark), "fi_endpoint");
    const Endpoint marked(ep);
    check_same(marked.id()->context, &mark, "context of the endpoint");
}

void busy_while_in_use() {
    Side side;
    check_ret(side.fabric.close(), -FI_EBUSY, "closing a fabric with a domain");
    check_ret(side.domain.close(), -FI_EBUSY, "closing a domain with everything in it");
    check_ret(side.av.close(), -FI_EBUSY, "closing a bound address vector");
    check_ret(side.tx.handle().close(), -FI_EBUSY, "closing a bound transmit queue");
    check_ret(side.rx.handle().close(), -FI_EBUSY, "closing a bound receive queue");
    check_ok(side.ep.close(), "closing the endpoint");
    check_ret(side.domain.close(), -FI_EBUSY, "closing a domain with queues in it");
    check_ok(side.rx.handle().close(), "closing the receive queue");
    check_ok(side.av.close(), "closing the address vector");
    check_ret(side.domain.close(), -FI_EBUSY, "closing a domain with one queue in it");
    check_ok(side.tx.handle().close(), "closing the transmit queue");
    check_ok(side.domain.close(), "closing the domain");
    check_ok(side.fabric.close(), "closing the fabric");
}

// What a refused close left must still work.
void usable_after_refused_close() {
    Pair pair;
    check_ret(pair.b().rx.handle().close(), -FI_EBUSY, "closing a bound queue");
    check_ret(pair.b().av.close(), -FI_EBUSY, "closing a bound address vector");
    check_ret(pair.b().domain.close(), -FI_EBUSY, "closing a domain in use");
    Bytes out(100);
    Bytes in(100);
    Op ops[2];
    fill(out, 1);
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1])); });
    pair.received(1);
    check_filled(in.data(), in.size(), 1);
}

struct Parts {
    Config config;
    Info info = get_info(make_hints(config).get());
    Fabric fabric = open_fabric(*info);
    Domain domain = open_domain(fabric, *info);
    Av av = open_av(domain, FI_AV_MAP);
    Cq cq{domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_NONE, 0};
    Endpoint ep = open_endpoint(domain, *info);

    int bind_av() { return fi_ep_bind(ep.get(), av.id(), 0); }
    int bind_cq(uint64_t flags) { return fi_ep_bind(ep.get(), &cq.get()->fid, flags); }
};

void enable_needs_everything() {
    {
        Parts no_cq;
        check_ok(no_cq.bind_av(), "bind the address vector");
        check_ret(fi_enable(no_cq.ep.get()), -FI_ENOCQ, "enable with no queue");
    }
    {
        Parts no_receive_cq;
        check_ok(no_receive_cq.bind_av(), "bind the address vector");
        check_ok(no_receive_cq.bind_cq(FI_TRANSMIT), "bind for transmit only");
        check_ret(fi_enable(no_receive_cq.ep.get()), -FI_ENOCQ, "enable with no receive queue");
    }
    {
        Parts no_transmit_cq;
        check_ok(no_transmit_cq.bind_av(), "bind the address vector");
        check_ok(no_transmit_cq.bind_cq(FI_RECV), "bind for receive only");
        check_ret(fi_enable(no_transmit_cq.ep.get()), -FI_ENOCQ, "enable with no send queue");
    }
    {
        Parts no_av;
        check_ok(no_av.bind_cq(FI_TRANSMIT | FI_RECV), "bind one queue for both");
        check_ret(fi_enable(no_av.ep.get()), -FI_ENOAV, "enable with no address vector");
        check_ok(no_av.bind_av(), "bind the address vector late");
        check_ok(fi_enable(no_av.ep.get()), "enable with everything");
    }
}

void before_enable() {
    Parts parts;
    check_ok(parts.bind_av(), "bind the address vector");
    check_ok(parts.bind_cq(FI_TRANSMIT | FI_RECV), "bind the queue");
    uint8_t byte = 0;
    Op op;
    check_refused(fi_tsend(parts.ep.get(), &byte, 1, nullptr, 0, 1, &op), "send when disabled");
    check_refused(fi_trecv(parts.ep.get(), &byte, 1, nullptr, FI_ADDR_UNSPEC, 1, 0, &op),
                  "receive when disabled");
}

void bind_is_checked() {
    Parts parts;
    Parts other;
    check_refused(fi_ep_bind(parts.ep.get(), &parts.cq.get()->fid, 0), "a queue bound for nothing");
    check_refused(fi_ep_bind(parts.ep.get(), parts.fabric.id(), 0), "a fabric bound");
    check_refused(fi_ep_bind(parts.ep.get(), &other.cq.get()->fid, FI_TRANSMIT),
                  "a queue of another domain");
    check_refused(fi_ep_bind(parts.ep.get(), other.av.id(), 0),
                  "an address vector of another domain");
}

void names() {
    Side side;
    const Bytes name = side.name();
    check(!name.empty(), "a name");
    size_t len = 0;
    check_ret(fi_getname(side.ep.id(), nullptr, &len), -FI_ETOOSMALL, "with no buffer");
    check_eq(len, name.size(), "the length that is needed");
    Bytes small(name.size(), 0x5a);
    len = 3;
    check_ret(fi_getname(side.ep.id(), small.data(), &len), -FI_ETOOSMALL, "a short buffer");
    check_eq(len, name.size(), "the length that is needed");
    check_eq(small[3], 0x5a, "nothing is written past a short buffer");
    check(std::equal(small.begin(), small.begin() + 3, name.begin()), "what fits is there");
    len = name.size();
    Bytes again(len);
    check_ok(fi_getname(side.ep.id(), again.data(), &len), "an exact buffer");
    check(again == name, "the name stays the same");
    Side other;
    check(other.name() != name, "another endpoint has another name");
}

void options() {
    Side side;
    size_t value = 0;
    size_t len = sizeof value;
    check_ok(fi_getopt(side.ep.id(), FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, &len),
             "the default FI_OPT_MIN_MULTI_RECV");
    check(value > 0, "a default");
    len = 1;
    check_refused(fi_getopt(side.ep.id(), FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, &len),
                  "a short buffer");
    len = sizeof value;
    check_refused(fi_getopt(side.ep.id(), FI_OPT_ENDPOINT, 9999, &value, &len),
                  "an unknown option");
    check_refused(fi_setopt(side.ep.id(), FI_OPT_ENDPOINT, 9999, &value, sizeof value),
                  "an unknown option");
    check_refused(fi_setopt(side.ep.id(), 9999, FI_OPT_MIN_MULTI_RECV, &value, sizeof value),
                  "an unknown level");
}

void operation_flags() {
    Config config;
    config.tx_op_flags = FI_TRANSMIT_COMPLETE;
    Side side(config);
    uint64_t flags = FI_TRANSMIT;
    const int ret = fi_control(side.ep.id(), FI_GETOPSFLAG, &flags);
    if (ret == -FI_ENOSYS && !is_rill()) {
        throw Skip("no FI_GETOPSFLAG");
    }
    check_ok(ret, "FI_GETOPSFLAG");
    check((flags & FI_TRANSMIT_COMPLETE) != 0, "the flags of the endpoint");
    flags = FI_TRANSMIT | FI_DELIVERY_COMPLETE;
    check_ok(fi_control(side.ep.id(), FI_SETOPSFLAG, &flags), "FI_SETOPSFLAG");
    flags = FI_TRANSMIT;
    check_ok(fi_control(side.ep.id(), FI_GETOPSFLAG, &flags), "FI_GETOPSFLAG");
    check((flags & FI_DELIVERY_COMPLETE) != 0 && !(flags & FI_TRANSMIT_COMPLETE),
          "the flags that were set");
    flags = 0;
    check_refused(fi_control(side.ep.id(), FI_GETOPSFLAG, &flags), "neither direction");
    flags = FI_TRANSMIT | FI_RECV;
    check_refused(fi_control(side.ep.id(), FI_GETOPSFLAG, &flags), "both directions");
}

void unknown_controls() {
    Side side;
    std::array<uint64_t, 16> room{};
    const std::pair<const char*, fid*> objects[] = {
        {"fabric", side.fabric.id()}, {"domain", side.domain.id()}, {"av", side.av.id()},
        {"cq", &side.rx.get()->fid},  {"ep", side.ep.id()},
    };
    for (const auto& [name, object] : objects) {
        check_refused(fi_control(object, 9999, room.data()), name);
        void* ops = nullptr;
        check_refused(fi_open_ops(object, "no such operations", 0, &ops, nullptr), name);
        check_refused(fi_set_ops(object, "no such operations", 0, room.data(), nullptr), name);
    }
}

void alias() {
    Pair pair;
    fid_ep* made = nullptr;
    const int ret = fi_ep_alias(pair.a().ep.get(), &made, FI_TRANSMIT | FI_DELIVERY_COMPLETE);
    if (ret == -FI_ENOSYS && !is_rill()) {
        throw Skip("no aliases");
    }
    check_ok(ret, "fi_ep_alias");
    Endpoint other(made);
    Bytes out(10);
    Bytes in(10);
    Op ops[2];
    fill(out, 1);
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0])); });
    pair.post([&] {
        return fi_tsend(other.get(), out.data(), out.size(), nullptr, pair.to_b(), 0, &ops[1]);
    });
    check_same(pair.sent(0).context, &ops[1], "a send through the alias");
    check_filled(in.data(), in.size(), 1);
    check_ret(pair.a().ep.close(), -FI_EBUSY, "closing an endpoint that has an alias");
    check_ok(other.close(), "closing the alias");
}

// What lists as many objects as the application likes must not lose count when they go.
// Numbers that none of libfabric's enums has, where a program may write any.
template <class Enum>
void set_number(Enum& where, int number) {
    static_assert(sizeof where == sizeof number);
    memcpy(&where, &number, sizeof number);
}

void unknown_enum_values() {
    const Info info = get_info(make_hints().get());
    const Fabric fabric = open_fabric(*info);
    const Domain domain = open_domain(fabric, *info);
    for (const int number : {-1, 99, 1 << 30}) {
        const std::string name = " " + std::to_string(number);
        fi_cq_attr cq_attr{};
        fid_cq* cq = nullptr;
        set_number(cq_attr.format, number);
        check_refused(fi_cq_open(domain.get(), &cq_attr, &cq, nullptr), "CQ format" + name);
        cq_attr = {};
        set_number(cq_attr.wait_obj, number);
        check_refused(fi_cq_open(domain.get(), &cq_attr, &cq, nullptr), "CQ wait object" + name);
        cq_attr = {};
        set_number(cq_attr.wait_cond, number);
        check_refused(fi_cq_open(domain.get(), &cq_attr, &cq, nullptr), "CQ condition" + name);
        fi_eq_attr eq_attr{};
        fid_eq* eq = nullptr;
        set_number(eq_attr.wait_obj, number);
        check_refused(fi_eq_open(fabric.get(), &eq_attr, &eq, nullptr), "EQ wait object" + name);
        fi_cntr_attr counter_attr{};
        fid_cntr* counter = nullptr;
        set_number(counter_attr.events, number);
        check_refused(fi_cntr_open(domain.get(), &counter_attr, &counter, nullptr),
                      "counter events" + name);
        counter_attr = {};
        set_number(counter_attr.wait_obj, number);
        check_refused(fi_cntr_open(domain.get(), &counter_attr, &counter, nullptr),
                      "counter wait object" + name);
        fi_wait_attr wait_attr{};
        fid_wait* wait = nullptr;
        set_number(wait_attr.wait_obj, number);
        check_refused(fi_wait_open(fabric.get(), &wait_attr, &wait), "wait set" + name);
        fi_av_attr av_attr{};
        fid_av* av = nullptr;
        set_number(av_attr.type, number);
        check_refused(fi_av_open(domain.get(), &av_attr, &av, nullptr), "AV type" + name);
    }
}

void opened_and_closed_often() {
    Config config;
    config.av_type = FI_AV_UNSPEC;
    const Info info = get_info(make_hints(config).get());
    const Fabric fabric = open_fabric(*info);
    for (int round = 0; round < 40; ++round) {
        Domain domain = open_domain(fabric, *info);
        Av av = open_av(domain, round % 2 ? FI_AV_MAP : FI_AV_TABLE);
        Cq cq(domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_FD, 16);
        for (int each = 0; each < 4; ++each) {
            Endpoint ep = open_endpoint(domain, *info);
            check_ok(fi_ep_bind(ep.get(), av.id(), 0), "bind");
            check_ok(fi_ep_bind(ep.get(), &cq.get()->fid, FI_TRANSMIT | FI_RECV), "bind");
            check_ok(fi_enable(ep.get()), "enable");
            check_ok(ep.close(), "close");
        }
    }
}

void closed_with_work_left() {
    Pair pair;
    std::vector<Bytes> buffers(64, Bytes(100000));
    std::vector<Op> ops(128);
    for (size_t at = 0; at < 64; ++at) {
        pair.post([&] {
            return receive(pair.a(),
                           transfer(Kind::tagged, buffers[at], FI_ADDR_UNSPEC, &ops[at], 1000));
        });
        pair.post([&] {
            return send(pair.a(),
                        transfer(Kind::tagged, buffers[at], pair.to_b(), &ops[64 + at], at));
        });
    }
    check_ok(pair.a().ep.close(), "closing with operations outstanding");
    fi_cq_tagged_entry entry;
    const ssize_t got = fi_cq_read(pair.a().rx.get(), &entry, 1);
    check_ret(got, -FI_EAGAIN, "nothing is reported for discarded receives");
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"no operation is NULL", no_null_operations},
        {"classes and contexts", classes_and_contexts},
        {"busy while in use", busy_while_in_use},
        {"usable after a refused close", usable_after_refused_close},
        {"enable needs queues and an address vector", enable_needs_everything},
        {"no transfers before enable", before_enable},
        {"bind is checked", bind_is_checked},
        {"names", names},
        {"options", options},
        {"operation flags", operation_flags},
        {"unknown controls", unknown_controls},
        {"alias", alias},
        {"enums of no known value", unknown_enum_values},
        {"opened and closed often", opened_and_closed_often},
        {"closed with work left", closed_with_work_left},
    };
    add_class_cases(cases);
    add_av_cases(cases);
    add_eq_cases(cases);
    add_mr_cases(cases);
    return run_cases(argc, argv, cases);
}
