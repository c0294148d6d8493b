// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "object_cases.hpp"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace functional {

namespace {

struct Book {
    explicit Book(fi_av_type type, uint64_t flags = 0) : type_(type) {
        config.addr_format = FI_SOCKADDR_IN;
        config.av_type = type;
        info = get_info(make_hints(config).get());
        fabric = open_fabric(*info);
        domain = open_domain(fabric, *info);
        fi_av_attr attr{};
        attr.type = type;
        attr.flags = flags;
        fid_av* opened = nullptr;
        const int ret = fi_av_open(domain.get(), &attr, &opened, nullptr);
        if (flags && ret < 0) {
            throw Skip("no asynchronous address vectors");
        }
        check_ok(ret, "fi_av_open");
        av = Av(opened);
    }
    fi_addr_t insert(const sockaddr_in& addr) {
        fi_addr_t got = FI_ADDR_NOTAVAIL;
        check_ret(fi_av_insert(av.get(), &addr, 1, &got, 0, nullptr), 1, "fi_av_insert");
        check(got != FI_ADDR_NOTAVAIL, "an address");
        return got;
    }
    void expect(fi_addr_t at, const sockaddr_in& want) {
        sockaddr_in got{};
        size_t len = sizeof got;
        check_ok(fi_av_lookup(av.get(), at, &got, &len), "fi_av_lookup");
        check_eq(len, sizeof got, "length of the address");
        check_eq(got.sin_family, want.sin_family, "family");
        check_eq(got.sin_port, want.sin_port, "port");
        check_eq(got.sin_addr.s_addr, want.sin_addr.s_addr, "address");
    }

    fi_av_type type_;
    Config config;
    Info info;
    Fabric fabric;
    Domain domain;
    Av av;
};

sockaddr_in loopback(uint16_t port, uint32_t host = 1) {
    sockaddr_in addr{};
    addr.sin_family = AF_INET;
    addr.sin_port = htons(port);
    addr.sin_addr.s_addr = htonl(0x7f000000 + host);
    return addr;
}

void insert_and_lookup(fi_av_type type) {
    constexpr uint16_t count = 1000;
    Book book(type);
    std::vector<fi_addr_t> addresses;
    for (uint16_t at = 0; at < count; ++at) {
        addresses.push_back(book.insert(loopback(static_cast<uint16_t>(20000 + at))));
        if (type == FI_AV_TABLE) {
            check_eq(addresses.back(), at, "tables count from 0");
        }
    }
    for (uint16_t at = 0; at < count; ++at) {
        book.expect(addresses[at], loopback(static_cast<uint16_t>(20000 + at)));
    }
}

void insert_many(fi_av_type type) {
    constexpr size_t count = 300;
    Book book(type);
    std::vector<sockaddr_in> peers;
    for (size_t at = 0; at < count; ++at) {
        peers.push_back(loopback(static_cast<uint16_t>(30000 + at), 7));
    }
    std::vector<fi_addr_t> addresses(count, FI_ADDR_NOTAVAIL);
    check_ret(fi_av_insert(book.av.get(), peers.data(), count, addresses.data(), 0, nullptr), count,
              "fi_av_insert of many");
    for (size_t at = 0; at < count; ++at) {
        book.expect(addresses[at], peers[at]);
    }
    check_ret(fi_av_insert(book.av.get(), peers.data(), 0, addresses.data(), 0, nullptr), 0,
              "fi_av_insert of none");
}

void table_without_addresses() {
    Book book(FI_AV_TABLE);
    const sockaddr_in peers[] = {loopback(1001), loopback(1002), loopback(1003)};
    check_ret(fi_av_insert(book.av.get(), peers, 3, nullptr, 0, nullptr), 3, "fi_av_insert");
    for (size_t at = 0; at < 3; ++at) {
        book.expect(at, peers[at]);
    }
}

void lookup_truncates() {
    Book book(FI_AV_MAP);
    const fi_addr_t addr = book.insert(loopback(4242));
    uint8_t bytes[sizeof(sockaddr_in)];
    memset(bytes, 0x5a, sizeof bytes);
    size_t len = 4;
    const int ret = fi_av_lookup(book.av.get(), addr, bytes, &len);
    check(ret == 0 || ret == -FI_ETOOSMALL, "a short buffer");
    check_eq(len, sizeof(sockaddr_in), "the length that is needed");
    check_eq(bytes[4], 0x5a, "nothing is written past a short buffer");
}

void remove_and_reuse(fi_av_type type) {
    Book book(type);
    std::vector<fi_addr_t> addresses;
    for (uint16_t at = 0; at < 5; ++at) {
        addresses.push_back(book.insert(loopback(static_cast<uint16_t>(5000 + at))));
    }
    check_ok(fi_av_remove(book.av.get(), &addresses[1], 2, 0), "fi_av_remove");
    if (is_rill()) {
        sockaddr_in unused{};
        size_t len = sizeof unused;
        check_refused(fi_av_lookup(book.av.get(), addresses[1], &unused, &len),
                      "looking up what was removed");
        check_refused(fi_av_remove(book.av.get(), &addresses[1], 1, 0), "removing it twice");
    }
    book.expect(addresses[3], loopback(5003));
    const fi_addr_t again = book.insert(loopback(5001));
    if (type == FI_AV_TABLE) {
        check_eq(again, 1u, "the lowest free index");
    }
    book.expect(again, loopback(5001));
    book.expect(addresses[4], loopback(5004));
}

void by_service() {
    Book book(FI_AV_TABLE);
    fi_addr_t addr = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insertsvc(book.av.get(), "127.0.0.1", "7471", &addr, 0, nullptr), 1,
              "fi_av_insertsvc");
    book.expect(addr, loopback(7471));
    check_ret(fi_av_insertsvc(book.av.get(), "localhost", "7472", &addr, 0, nullptr), 1,
              "fi_av_insertsvc by name");
    book.expect(addr, loopback(7472));
    addr = 5;
    check(fi_av_insertsvc(book.av.get(), "no.such.host.invalid", "1", &addr, 0, nullptr) != 1,
          "a host that does not exist");
    check(fi_av_insertsvc(book.av.get(), "127.0.0.1", "no-such-service", &addr, 0, nullptr) != 1,
          "a service that does not exist");
}

void symmetric() {
    Book book(FI_AV_TABLE);
    fi_addr_t got[4];
    const int ret = fi_av_insertsym(book.av.get(), "127.0.0.1", 2, "6000", 2, got, 0, nullptr);
    if (ret == -FI_ENOSYS) {
        throw Skip("no symmetric insertion");
    }
    check_ret(ret, 4, "fi_av_insertsym");
    // All services of a node before the next node.
    book.expect(got[0], loopback(6000, 1));
    book.expect(got[1], loopback(6001, 1));
    book.expect(got[2], loopback(6000, 2));
    book.expect(got[3], loopback(6001, 2));
}

void wrong_family(bool by_context) {
    Book book(FI_AV_TABLE);
    sockaddr_in peers[] = {loopback(1), loopback(2), loopback(3)};
    peers[1].sin_family = AF_UNIX;
    fi_addr_t got[3] = {7, 7, 7};
    int errors[3] = {-1, -1, -1};
    const int ret = fi_av_insert(book.av.get(), peers, 3, got, by_context ? FI_SYNC_ERR : 0,
                                 by_context ? errors : nullptr);
    check(ret < 3, "not all were inserted");
    check_eq(got[1], FI_ADDR_NOTAVAIL, "the address of the one that failed");
    if (by_context) {
        check_eq(errors[0], 0, "status of the first");
        check(errors[1] > 0, "status of the one that failed");
    }
    book.expect(got[0], peers[0]);
}

void printable() {
    Book book(FI_AV_MAP);
    const sockaddr_in addr = loopback(7471);
    char text[128] = "";
    size_t len = sizeof text;
    check_same(fi_av_straddr(book.av.get(), &addr, text, &len), text, "returns the buffer");
    const std::string whole = text;
    check(whole.find("127.0.0.1") != std::string::npos, "host in " + whole);
    check(whole.find("7471") != std::string::npos, "port in " + whole);
    check(len >= whole.size() && len <= whole.size() + 1, "length of the text");
    const size_t needed = len;
    char small[8];
    memset(small, 0x5a, sizeof small);
    len = 6;
    fi_av_straddr(book.av.get(), &addr, small, &len);
    check_eq(len, needed, "the length that is needed");
    check_eq(small[5], '\0', "a short text ends");
    check_eq(small[6], 0x5a, "nothing is written past a short buffer");
}

void asynchronous() {
    Book book(FI_AV_TABLE, FI_EVENT);
    const sockaddr_in peers[] = {loopback(1), loopback(2), loopback(3)};
    fi_addr_t got[3] = {};
    int mark = 0;
    check_ret(fi_av_insert(book.av.get(), peers, 3, got, 0, &mark), -FI_ENOEQ,
              "inserting before an event queue is bound");
    Eq eq = open_eq(book.fabric, FI_WAIT_UNSPEC, 0);
    check_ok(fi_av_bind(book.av.get(), eq.id(), 0), "fi_av_bind");
    check_ret(eq.close(), -FI_EBUSY, "closing a bound event queue");
    check_ok(fi_av_insert(book.av.get(), peers, 3, got, 0, &mark), "fi_av_insert");
    uint32_t event = 0;
    fi_eq_entry entry{};
    now_waiting_for("the event of an insertion");
    ssize_t ret = -FI_EAGAIN;
    while ((ret = fi_eq_read(eq.get(), &event, &entry, sizeof entry, 0)) == -FI_EAGAIN) {
    }
    check_ret(ret, sizeof entry, "fi_eq_read");
    check_eq(event, static_cast<uint32_t>(FI_AV_COMPLETE), "the event");
    check_same(entry.fid, book.av.id(), "whose");
    check_same(entry.context, &mark, "its context");
    check_eq(entry.data, 3u, "addresses inserted");
    book.expect(got[2], peers[2]);
    // The address vector must go before the queue that it reports to.
    check_ok(book.av.close(), "closing the address vector");
}

// One error for each address that fails, and then what became of the others.
void asynchronous_failure() {
    Book book(FI_AV_TABLE, FI_EVENT);
    Eq eq = open_eq(book.fabric, FI_WAIT_UNSPEC, 0);
    check_ok(fi_av_bind(book.av.get(), eq.id(), 0), "fi_av_bind");
    const sockaddr_in peers[] = {loopback(1), loopback(0), loopback(3)};
    fi_addr_t got[3] = {};
    int mark = 0;
    check_ok(fi_av_insert(book.av.get(), peers, 3, got, 0, &mark), "fi_av_insert");
    check_eq(got[1], FI_ADDR_NOTAVAIL, "the address that failed");
    uint32_t event = 0;
    fi_eq_entry entry{};
    now_waiting_for("the event of an insertion");
    ssize_t ret = -FI_EAGAIN;
    while ((ret = fi_eq_read(eq.get(), &event, &entry, sizeof entry, 0)) == -FI_EAGAIN) {
    }
    check_ret(ret, -FI_EAVAIL, "fi_eq_read before the error is read");
    char details[16];
    fi_eq_err_entry error{};
    error.err_data = details;
    error.err_data_size = sizeof details;
    check_ret(fi_eq_readerr(eq.get(), &error, 0), sizeof error, "fi_eq_readerr");
    check_same(error.fid, book.av.id(), "whose");
    check_same(error.context, &mark, "its context");
    check_eq(error.data, 1u, "the index of the address");
    check(error.err > 0, "a positive code");
    check_same(error.err_data, details, "a buffer for details stays the caller's");
    check(error.err_data_size <= sizeof details, "err_data_size within what was offered");
    now_waiting_for("the event of the others");
    while ((ret = fi_eq_read(eq.get(), &event, &entry, sizeof entry, 0)) == -FI_EAGAIN) {
    }
    check_ret(ret, sizeof entry, "fi_eq_read");
    check_eq(entry.data, 2u, "addresses inserted");
    book.expect(got[2], peers[2]);
    check_ok(book.av.close(), "closing the address vector");
}

} // namespace

void add_av_cases(std::vector<Case>& cases) {
    const std::pair<const char*, fi_av_type> types[] = {{"map", FI_AV_MAP}, {"table", FI_AV_TABLE}};
    for (const auto& [name, type] : types) {
        const auto add = [&, type = type](const char* what, void (*run)(fi_av_type)) {
            cases.push_back({std::string("av ") + what + ", " + name, [=] { run(type); }});
        };
        add("insert and lookup", insert_and_lookup);
        add("insert many", insert_many);
        add("remove and reuse", remove_and_reuse);
    }
    cases.push_back({"av table without addresses", table_without_addresses});
    cases.push_back({"av lookup truncates", lookup_truncates});
    cases.push_back({"av insertsvc", by_service});
    cases.push_back({"av insertsym", symmetric});
    cases.push_back({"av wrong family", [] { wrong_family(false); }});
    cases.push_back({"av wrong family, FI_SYNC_ERR", [] { wrong_family(true); }});
    cases.push_back({"av straddr", printable});
    cases.push_back({"av asynchronous", asynchronous});
    cases.push_back({"av asynchronous, a failure", asynchronous_failure});
}

} // namespace functional
