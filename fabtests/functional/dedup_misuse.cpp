// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Dedup operations used wrongly: each answers with the error that its description names, and changes
// nothing.
#include "dedup_cases.hpp"

#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

namespace functional {
namespace {

void features() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_dedup& ops = dedup_of(side.domain);
    check_eq(ops.size, sizeof ops, "size");
    const std::pair<const char*, uint64_t> known[] = {{"dedup", 1},        {"report", 1},
                                                      {"stores_max", 255}, {"rings_max", 255},
                                                      {"chunk_min", 64},   {"chunk_max", 16 << 20}};
    for (const auto& [name, want] : known) {
        uint64_t value = 99;
        check_ok(ops.query(side.domain.get(), name, &value), name);
        check_eq(value, want, name);
    }
    uint64_t value = 7;
    for (const char* name : {"", "warp", "dedup "})
        check_ret(ops.query(side.domain.get(), name, &value), -FI_ENOENT, name);
    check_ret(ops.query(side.domain.get(), nullptr, &value), -FI_EINVAL, "no name");
    check_ret(ops.query(side.domain.get(), "dedup", nullptr), -FI_EINVAL, "no value");
    check_ret(ops.query(nullptr, "dedup", &value), -FI_EINVAL, "no domain");
    fid_domain foreign{};
    check_ret(ops.query(&foreign, "dedup", &value), -FI_EINVAL, "a foreign domain");
    check_eq(value, 7u, "what refusals leave");
}

void store_attributes() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_dedup& ops = dedup_of(side.domain);
    fid_domain* domain = side.domain.get();
    fid_rill_store* none = nullptr;
    const auto refused = [&](const char* what, auto&& change) {
        fi_rill_store_attr attr = store_attr(FI_RILL_SHA256, 4096);
        change(attr);
        check_ret(ops.store_open(domain, &attr, &none, nullptr), -FI_EINVAL, what);
    };
    refused("a small structure", [](auto& a) { a.size = sizeof a - 8; });
    refused("no structure", [](auto& a) { a.size = 0; });
    refused("a chunker", [](auto& a) { a.chunker = 3; });
    refused("a digest", [](auto& a) { a.digest = 2; });
    refused("little chunks", [](auto& a) { a.min = a.avg = a.max = 63; });
    refused("large chunks", [](auto& a) { a.min = a.avg = a.max = (16 << 20) + 1; });
    refused("fixed chunks of two lengths", [](auto& a) { a.max = 8192; });
    refused("no average", [](auto& a) { a.avg = 0; });
    refused("gear: not a power of two", [](auto& a) {
        a.chunker = FI_RILL_CHUNK_GEAR;
        a.min = 512, a.avg = 3000, a.max = 8192;
    });
    refused("a huge store", [](auto& a) { a.capacity = UINT64_MAX; });
    refused("a long key", [](auto& a) { a.key = &a, a.key_len = 4097; });
    refused("a key that is not there", [](auto& a) { a.key_len = 5; });
    fi_rill_store_attr attr = store_attr(FI_RILL_SHA256, 4096);
    check_ret(ops.store_open(domain, nullptr, &none, nullptr), -FI_EINVAL, "no attributes");
    check_ret(ops.store_open(domain, &attr, nullptr, nullptr), -FI_EINVAL, "nowhere to put it");
    check_ret(ops.store_open(nullptr, &attr, &none, nullptr), -FI_EINVAL, "no domain");
    check_same(none, nullptr, "what refusals leave");
    std::vector<Store> stores;
    attr.capacity = 1;
    for (int i = 0; i < 255; ++i)
        stores.push_back(open_store(side.domain, attr));
    check_ret(ops.store_open(domain, &attr, &none, nullptr), -FI_ENOMEM, "one too many");
}

void ring_attributes() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_dedup& ops = dedup_of(side.domain);
    fid_rill_ring* none = nullptr;
    const auto refused = [&](const char* what, int want, size_t size, size_t count, int wait) {
        fi_rill_ring_attr attr{};
        attr.size = size;
        attr.count = count;
        std::memcpy(&attr.wait_obj, &wait, sizeof wait); // may be none of the enumeration's
        check_ret(ops.ring_open(side.domain.get(), &attr, &none, nullptr), want, what);
    };
    constexpr size_t kSize = sizeof(fi_rill_ring_attr);
    refused("a small structure", -FI_EINVAL, kSize - 1, 64, FI_WAIT_NONE);
    refused("too few records", -FI_ETOOSMALL, kSize, FI_RILL_RING_MIN - 1, FI_WAIT_NONE);
    refused("too many records", -FI_EINVAL, kSize, SIZE_MAX, FI_WAIT_NONE);
    refused("a wait set", -FI_ENOSYS, kSize, 64, FI_WAIT_SET);
    refused("no wait object at all", -FI_ENOSYS, kSize, 64, 1000);
    fi_rill_ring_attr attr{};
    attr.size = sizeof attr;
    check_ret(ops.ring_open(side.domain.get(), nullptr, &none, nullptr), -FI_EINVAL, "nothing");
    check_ret(ops.ring_open(side.domain.get(), &attr, nullptr, nullptr), -FI_EINVAL, "nowhere");
    check_same(none, nullptr, "what refusals leave");
    const RecordRing ring = open_ring(side.domain);
    int fd = -1;
    check_ret(fi_control(ring.id(), FI_GETWAIT, &fd), -FI_ENODATA, "no wait object");
    check_ret(fi_control(ring.id(), FI_GETWAIT, nullptr), -FI_EINVAL, "nowhere to put it");
    check_ret(fi_control(ring.id(), FI_ENABLE, &fd), -FI_ENOSYS, "another command");
}

void objects_of_others() {
    only_rill("an extension of rill");
    Side side(remote_config()), other;
    fi_rill_ops_dedup& ops = dedup_of(side.domain);
    Store store = open_store(side.domain, store_attr(FI_RILL_SHA256, 4096));
    RecordRing ring = open_ring(side.domain);
    const RecordRing far = open_ring(other.domain);
    fid_rill_store foreign{};
    fid_rill_ring foreign_ring{};
    fi_rill_query query{};
    fi_rill_record record{};
    fi_rill_store_statistics statistics{};
    statistics.size = sizeof statistics;
    const void* at = nullptr;
    size_t length = 0;
    fid_rill_store* closed = store.get();
    const fi_rill_store_attr attr = store_attr(FI_RILL_SHA256, 4096);
    Store keeps_another_open = open_store(side.domain, attr);
    check_eq(store.close(), 0, "close");
    for (fid_rill_store* s : {closed, &foreign, static_cast<fid_rill_store*>(nullptr)}) {
        check_ret(ops.attach(s, ring.get(), side.ep.id(), 0), -FI_EINVAL, "attach");
        check_ret(ops.look_up(s, &query, 1), -FI_EINVAL, "look_up");
        check_ret(ops.resolve(s, {1, 0}, &at, &length), -FI_EINVAL, "resolve");
        check_ret(ops.hold(s, {1, 0}), -FI_EINVAL, "hold");
        check_ret(ops.release(s, {1, 0}), -FI_EINVAL, "release");
        check_ret(ops.statistics(s, &statistics), -FI_EINVAL, "statistics");
        check_ret(ops.submit(s, ring.get(), 0, 0, &query, 1), -FI_EINVAL, "submit");
    }
    fid_rill_store* open = keeps_another_open.get();
    for (fid_rill_ring* r : {&foreign_ring, far.get()}) {
        check_ret(ops.attach(open, r, side.ep.id(), 0), -FI_EINVAL, "attach: another's ring");
        check_ret(ops.submit(open, r, 0, 0, &query, 1), -FI_EINVAL, "submit: another's ring");
    }
    check_ret(ops.submit(open, nullptr, 0, 0, &query, 1), -FI_EINVAL, "submit: no ring");
    check_ret(ops.submit(open, ring.get(), 0, 0, nullptr, 1), -FI_EINVAL, "submit: no data");
    check_ret(ops.ring_read(&foreign_ring, &record, 1), -FI_EINVAL, "ring_read");
    check_ret(ops.ring_read(nullptr, &record, 1), -FI_EINVAL, "ring_read");
    check_ret(ops.ring_read(ring.get(), nullptr, 1), -FI_EINVAL, "ring_read: nowhere");
    check_ret(ops.look_up(open, nullptr, 1), -FI_EINVAL, "look_up: nothing");
    check_ret(ops.resolve(open, {1, 0}, nullptr, &length), -FI_EINVAL, "resolve: nowhere");
    check_ret(ops.resolve(open, {1, 0}, &at, &length), -FI_ENOENT, "resolve: no such chunk");
    check_ret(ops.resolve(open, {0, 0}, &at, &length), -FI_ENOENT, "resolve: none");
    check_ret(ops.hold(open, {UINT32_MAX, 7}), -FI_ENOENT, "hold: no such chunk");
    statistics.size = 8;
    check_ret(ops.statistics(open, &statistics), -FI_EINVAL, "statistics: a small structure");
    check_ret(ops.statistics(open, nullptr), -FI_EINVAL, "statistics: nowhere");
    // What cannot be attached.
    check_ret(ops.attach(open, ring.get(), nullptr, 0), -FI_EINVAL, "attach: nothing");
    check_ret(ops.attach(open, ring.get(), side.av.id(), 0), -FI_EINVAL, "attach: a vector");
    check_ret(ops.attach(open, ring.get(), other.ep.id(), 0), -FI_EINVAL, "attach: elsewhere");
    check_ret(ops.attach(open, nullptr, side.ep.id(), 0), -FI_EINVAL, "attach: no ring");
    check_ret(ops.detach(nullptr), -FI_EINVAL, "detach: nothing");
    check_ret(ops.detach(side.av.id()), -FI_EINVAL, "detach: a vector");
    check_ret(ops.detach(side.ep.id()), -FI_ENOENT, "detach: not attached");
    const Endpoint idle = open_endpoint(side.domain, *side.info);
    check_ret(ops.attach(open, ring.get(), idle.id(), 0), -FI_EOPBADSTATE, "attach: not enabled");
}

void what_is_in_use() {
    only_rill("an extension of rill");
    Side side(remote_config());
    fi_rill_ops_dedup& ops = dedup_of(side.domain);
    Store store = open_store(side.domain, store_attr(FI_RILL_SHA256, 4096));
    RecordRing ring = open_ring(side.domain);
    Bytes memory(1 << 16);
    {
        const Target target(side, memory.data(), memory.size(), 1);
        const Target same(side, memory.data() + 4096, 4096, 2);
        check_ok(ops.attach(store.get(), ring.get(), side.ep.id(), 0), "attach");
        check_ret(ops.attach(store.get(), ring.get(), side.ep.id(), 0), -FI_EBUSY, "twice");
        check_ok(ops.attach(store.get(), nullptr, target.mr.id(), 0), "attach a region");
        check_ret(ops.attach(store.get(), nullptr, target.mr.id(), 0), -FI_EBUSY, "twice");
        check_ret(ops.attach(store.get(), nullptr, same.mr.id(), 0), -FI_EINVAL, "its memory");
        check_ret(store.close(), -FI_EBUSY, "close a store in use");
        check_ret(ring.close(), -FI_EBUSY, "close a ring in use");
        check_ret(side.domain.close(), -FI_EBUSY, "close its domain");
        check_ok(ops.detach(side.ep.id()), "detach");
        check_ret(store.close(), -FI_EBUSY, "the region is still attached");
    } // the regions are closed
    check_ok(ring.close(), "close");
    check_ok(store.close(), "close");
}

void flags_without_a_store() {
    only_rill("an extension of rill");
    Side side;
    Bytes buffer(64);
    Op op;
    for (const Kind kind : {Kind::msg, Kind::tagged}) {
        Transfer t = transfer(kind, buffer, FI_ADDR_UNSPEC, &op);
        t.form = Form::message;
        t.flags = FI_COMPLETION | FI_RILL_REPORT_CHUNKS;
        check_ret(receive(side, t), -FI_EOPBADSTATE, "a receive that reports");
        t.flags = FI_COMPLETION | 1ULL << 61;
        check_ret(receive(side, t), -FI_EINVAL, "a receive with an unknown flag");
        t.peer = side.insert(side.name());
        t.flags = FI_COMPLETION | FI_RILL_REPORT_CHUNKS;
        check_ret(send(side, t), -FI_EINVAL, "a send that reports");
    }
}

void a_device_without_dedup() {
    only_rill("an extension of rill");
    setenv("FI_RILL_DEVICE", "rill-lite", 1);
    Side side;
    const fi_rill_ops_dedup& ops = dedup_of(side.domain);
    uint64_t value = 7;
    check_ok(ops.query(side.domain.get(), "dedup", &value), "query");
    check_eq(value, 0u, "dedup");
    const fi_rill_store_attr attr = store_attr(FI_RILL_SHA256, 4096);
    fi_rill_ring_attr ring_attr{};
    ring_attr.size = sizeof ring_attr;
    fid_rill_store* store = nullptr;
    fid_rill_ring* ring = nullptr;
    check_ret(ops.store_open(side.domain.get(), &attr, &store, nullptr), -FI_EOPNOTSUPP, "store");
    check_ret(ops.ring_open(side.domain.get(), &ring_attr, &ring, nullptr), -FI_EOPNOTSUPP, "ring");
}

void in_a_child() {
    only_rill("an extension of rill");
    Side side;
    fi_rill_ops_dedup& ops = dedup_of(side.domain);
    const Store store = open_store(side.domain, store_attr(FI_RILL_SHA256, 4096));
    const RecordRing ring = open_ring(side.domain);
    const pid_t child = fork();
    if (child == 0) {
        fi_rill_record r;
        fi_rill_query q{};
        uint64_t value = 0;
        fid_rill_store* none = nullptr;
        const fi_rill_store_attr attr = store_attr(FI_RILL_SHA256, 4096);
        const bool refused =
            ops.query(side.domain.get(), "dedup", &value) == -FI_EOPBADSTATE &&
            ops.store_open(side.domain.get(), &attr, &none, nullptr) == -FI_EOPBADSTATE &&
            ops.ring_read(ring.get(), &r, 1) == -FI_EOPBADSTATE &&
            ops.look_up(store.get(), &q, 1) == -FI_EOPBADSTATE &&
            ops.attach(store.get(), ring.get(), side.ep.id(), 0) == -FI_EOPBADSTATE &&
            ops.submit(store.get(), ring.get(), 0, 0, &q, 1) == -FI_EOPBADSTATE;
        _exit(refused ? 0 : 1);
    }
    int status = 1;
    check_eq(waitpid(child, &status, 0), child, "waitpid");
    check_eq(status, 0, "the child's calls were refused");
}

} // namespace

void add_dedup_misuse_cases(std::vector<Case>& cases) {
    const std::vector<Case> mine = {
        {"features by name", features},
        {"a store's attributes", store_attributes},
        {"a ring's attributes", ring_attributes},
        {"closed, foreign and missing objects", objects_of_others},
        {"what is in use", what_is_in_use},
        {"flags without a store", flags_without_a_store},
        {"a device without dedup", a_device_without_dedup},
        {"dedup in a forked child", in_a_child},
    };
    cases.insert(cases.end(), mine.begin(), mine.end());
}

} // namespace functional
