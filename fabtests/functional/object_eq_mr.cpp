// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "object_cases.hpp"

#include <cstring>

#include <poll.h>

namespace functional {

Eq open_eq(const Fabric& fabric, fi_wait_obj wait_obj, uint64_t flags) {
    fi_eq_attr attr{};
    attr.size = 16;
    attr.wait_obj = wait_obj;
    attr.flags = flags;
    fid_eq* eq = nullptr;
    check_ok(fi_eq_open(fabric.get(), &attr, &eq, nullptr), "fi_eq_open");
    return Eq(eq);
}

Mr register_memory(const Domain& domain, void* memory, size_t size, uint64_t key) {
    fid_mr* mr = nullptr;
    check_ok(fi_mr_reg(domain.get(), memory, size, FI_SEND | FI_RECV, 0, key, 0, &mr, nullptr),
             "fi_mr_reg");
    return Mr(mr);
}

namespace {

struct Ground {
    Config config;
    Info info = get_info(make_hints(config).get());
    Fabric fabric = open_fabric(*info);
    Domain domain = open_domain(fabric, *info);
};

void write_one(const Ground& ground, const Eq& eq, void* context) {
    fi_eq_entry entry{};
    entry.fid = ground.fabric.id();
    entry.context = context;
    entry.data = 77;
    check_ret(fi_eq_write(eq.get(), FI_NOTIFY, &entry, sizeof entry, 0), sizeof entry,
              "fi_eq_write");
}

void eq_write_and_read() {
    Ground ground;
    const Eq eq = open_eq(ground.fabric, FI_WAIT_NONE, FI_WRITE);
    uint32_t event = 0;
    fi_eq_entry entry{};
    check_ret(fi_eq_read(eq.get(), &event, &entry, sizeof entry, 0), -FI_EAGAIN, "empty");
    fi_eq_err_entry error{};
    check_ret(fi_eq_readerr(eq.get(), &error, 0), -FI_EAGAIN, "no error");
    int marks[3];
    for (int& mark : marks) {
        write_one(ground, eq, &mark);
    }
    for (int& mark : marks) {
        for (const uint64_t flags : {FI_PEEK, 0ull}) {
            memset(&entry, 0, sizeof entry);
            check_ret(fi_eq_read(eq.get(), &event, &entry, sizeof entry, flags), sizeof entry,
                      "fi_eq_read");
            check_eq(event, static_cast<uint32_t>(FI_NOTIFY), "the event");
            check_same(entry.context, &mark, "in order, and a peek leaves it there");
            check_eq(entry.data, 77u, "its data");
        }
    }
    check_ret(fi_eq_read(eq.get(), &event, &entry, sizeof entry, 0), -FI_EAGAIN, "empty again");
}

void eq_short_buffer() {
    Ground ground;
    const Eq eq = open_eq(ground.fabric, FI_WAIT_NONE, FI_WRITE);
    write_one(ground, eq, nullptr);
    uint32_t event = 0;
    fi_eq_entry entry{};
    check_ret(fi_eq_read(eq.get(), &event, &entry, 4, 0), -FI_ETOOSMALL, "a short buffer");
    check_ret(fi_eq_read(eq.get(), &event, &entry, sizeof entry, 0), sizeof entry,
              "the event is still there");
}

void eq_without_write() {
    only_rill("fi_eq(3) forbids the call, and does not say what it returns");
    Ground ground;
    const Eq eq = open_eq(ground.fabric, FI_WAIT_NONE, 0);
    fi_eq_entry entry{};
    check_refused(fi_eq_write(eq.get(), FI_NOTIFY, &entry, sizeof entry, 0),
                  "writing to a queue opened without FI_WRITE");
}

void eq_sread(fi_wait_obj wait_obj) {
    Ground ground;
    const Eq eq = open_eq(ground.fabric, wait_obj, FI_WRITE);
    uint32_t event = 0;
    fi_eq_entry entry{};
    for (const int timeout_ms : {0, 1, 30}) {
        check_ret(fi_eq_sread(eq.get(), &event, &entry, sizeof entry, timeout_ms, 0), -FI_EAGAIN,
                  "fi_eq_sread with nothing to come");
    }
    int mark = 0;
    write_one(ground, eq, &mark);
    now_waiting_for("an event that is there");
    check_ret(fi_eq_sread(eq.get(), &event, &entry, sizeof entry, -1, 0), sizeof entry,
              "fi_eq_sread");
    check_same(entry.context, &mark, "its context");
}

void eq_descriptor() {
    Ground ground;
    const Eq eq = open_eq(ground.fabric, FI_WAIT_FD, FI_WRITE);
    int fd = -1;
    check_ok(fi_control(eq.id(), FI_GETWAIT, &fd), "FI_GETWAIT");
    fid* waits[] = {eq.id()};
    check_ok(fi_trywait(ground.fabric.get(), waits, 1), "fi_trywait with nothing there");
    write_one(ground, eq, nullptr);
    pollfd slot{fd, POLLIN, 0};
    now_waiting_for("the descriptor of the event queue");
    check_eq(poll(&slot, 1, -1), 1, "the descriptor is signalled");
    uint32_t event = 0;
    fi_eq_entry entry{};
    check_ret(fi_eq_read(eq.get(), &event, &entry, sizeof entry, 0), sizeof entry, "fi_eq_read");
}

void eq_sread_refused() {
    only_rill("others wait there for ever");
    Ground ground;
    const Eq eq = open_eq(ground.fabric, FI_WAIT_NONE, 0);
    uint32_t event = 0;
    fi_eq_entry entry{};
    check_refused(fi_eq_sread(eq.get(), &event, &entry, sizeof entry, 0, 0),
                  "fi_eq_sread without a wait object");
}

void eq_strerror() {
    Ground ground;
    const Eq eq = open_eq(ground.fabric, FI_WAIT_NONE, 0);
    char text[64] = "";
    check(fi_eq_strerror(eq.get(), 0, nullptr, text, sizeof text) != nullptr, "fi_eq_strerror");
    check(memchr(text, '\0', sizeof text) != nullptr, "the text ends");
}

void eq_bound() {
    Ground ground;
    Eq eq = open_eq(ground.fabric, FI_WAIT_NONE, 0);
    const int ret = fi_domain_bind(ground.domain.get(), eq.id(), 0);
    if (ret == -FI_ENOSYS) {
        throw Skip("no event queues for domains");
    }
    check_ok(ret, "fi_domain_bind");
    check_ret(eq.close(), -FI_EBUSY, "closing an event queue that a domain is bound to");
    check_ok(ground.domain.close(), "closing the domain");
    check_ok(eq.close(), "closing the event queue");
}

void mr_keys() {
    Ground ground;
    if (ground.info->domain_attr->mr_mode & FI_MR_PROV_KEY) {
        throw Skip("keys are the provider's");
    }
    uint8_t memory[256];
    Mr first = register_memory(ground.domain, memory, sizeof memory, 11);
    const Mr second = register_memory(ground.domain, memory, 16, 12);
    check_eq(fi_mr_key(first.get()), 11u, "the key that was asked for");
    check_eq(fi_mr_key(second.get()), 12u, "the key that was asked for");
    fid_mr* mr = nullptr;
    check_ret(fi_mr_reg(ground.domain.get(), memory, 8, FI_SEND, 0, 11, 0, &mr, nullptr),
              -FI_ENOKEY, "a key in use");
    check_ret(ground.domain.close(), -FI_EBUSY, "closing a domain with memory regions");
    check_ok(first.close(), "closing a memory region");
    const Mr again = register_memory(ground.domain, memory, 8, 11);
    check_eq(fi_mr_key(again.get()), 11u, "a key that is free again");
}

void mr_forms() {
    Ground ground;
    uint8_t memory[256];
    const uint64_t access = FI_SEND | FI_RECV | FI_READ | FI_WRITE;
    const size_t limit = std::max<size_t>(1, ground.info->domain_attr->mr_iov_limit);
    std::vector<iovec> iov(limit);
    for (size_t at = 0; at < limit; ++at) {
        iov[at] = {memory + at * 8 % 248, 8};
    }
    fid_mr* mr = nullptr;
    check_ok(fi_mr_regv(ground.domain.get(), iov.data(), limit, access, 0, 1, 0, &mr, nullptr),
             "fi_mr_regv");
    const Mr by_vector(mr);
    fi_mr_attr attr{};
    int mark = 0;
    attr.mr_iov = iov.data();
    attr.iov_count = 1;
    attr.access = access;
    attr.requested_key = 2;
    attr.context = &mark;
    check_ok(fi_mr_regattr(ground.domain.get(), &attr, 0, &mr), "fi_mr_regattr");
    const Mr by_attr(mr);
    check_same(by_attr.id()->context, &mark, "its context");
    check_eq(by_attr.id()->fclass, static_cast<size_t>(FI_CLASS_MR), "its class");
    iov.resize(limit + 1, iov[0]);
    check_refused(
        fi_mr_regv(ground.domain.get(), iov.data(), limit + 1, access, 0, 3, 0, &mr, nullptr),
        "more pieces than the limit");
    check_refused(fi_mr_reg(ground.domain.get(), memory, 8, access, 0, 4, 1ull << 62, &mr, nullptr),
                  "an unknown flag");
}

// Regions need not be backed: windows that cover everything are legal.
void mr_of_everything() {
    Ground ground;
    fid_mr* mr = nullptr;
    check_ok(fi_mr_reg(ground.domain.get(), nullptr, UINTPTR_MAX, FI_SEND | FI_RECV, 0, 5, 0, &mr,
                       nullptr),
             "registering the whole address space");
    const Mr all(mr);
}

// Descriptors are accepted where they are not needed.
void mr_descriptors() {
    Pair pair;
    Bytes out(5000);
    Bytes in(5000);
    fill(out, 3);
    const Mr out_mr = register_memory(pair.a().domain, out.data(), out.size(), 1);
    const Mr in_mr = register_memory(pair.b().domain, in.data(), in.size(), 2);
    Op ops[2];
    pair.post([&] {
        return fi_trecv(pair.b().ep.get(), in.data(), in.size(), fi_mr_desc(in_mr.get()),
                        FI_ADDR_UNSPEC, 1, 0, &ops[0]);
    });
    pair.post([&] {
        return fi_tsend(pair.a().ep.get(), out.data(), out.size(), fi_mr_desc(out_mr.get()),
                        pair.to_b(), 1, &ops[1]);
    });
    pair.received(1);
    pair.sent(0);
    check_filled(in.data(), in.size(), 3);
}

} // namespace

void add_eq_cases(std::vector<Case>& cases) {
    cases.push_back({"eq write and read", eq_write_and_read});
    cases.push_back({"eq short buffer", eq_short_buffer});
    cases.push_back({"eq without FI_WRITE", eq_without_write});
    cases.push_back({"eq sread, unspec", [] { eq_sread(FI_WAIT_UNSPEC); }});
    cases.push_back({"eq sread, fd", [] { eq_sread(FI_WAIT_FD); }});
    cases.push_back({"eq descriptor", eq_descriptor});
    cases.push_back({"eq sread without a wait object", eq_sread_refused});
    cases.push_back({"eq strerror", eq_strerror});
    cases.push_back({"eq bound to a domain", eq_bound});
}

void add_mr_cases(std::vector<Case>& cases) {
    cases.push_back({"mr keys", mr_keys});
    cases.push_back({"mr forms", mr_forms});
    cases.push_back({"mr of everything", mr_of_everything});
    cases.push_back({"mr descriptors", mr_descriptors});
}

} // namespace functional
