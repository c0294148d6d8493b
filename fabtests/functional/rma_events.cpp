// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What surrounds RMA: modes of registration, fences, counters at the target, selective completion.
#include "remote_cases.hpp"

#include <cstring>

namespace functional {

namespace {

// An endpoint in a domain that was opened with this mode.
struct ModeSide {
    static Info info(int mode) {
        const Config config = remote_config();
        Info chosen = get_info(make_hints(config).get());
        chosen->domain_attr->mr_mode = mode;
        return chosen;
    }
    explicit ModeSide(int mode) : side(remote_config(), info(mode)) {}
    Side side;
};

void registration_mode(int mode) {
    ModeSide own(mode);
    Side& side = own.side;
    const fi_addr_t me = side.insert(side.name());
    Bytes memory(10000), in(10000), out(10000);
    fill(out, 4);
    fid_mr* region = nullptr;
    check_ok(fi_mr_reg(side.domain.get(), memory.data(), memory.size(),
                       FI_REMOTE_READ | FI_REMOTE_WRITE, 0, 77, 0, &region, nullptr),
             "fi_mr_reg");
    const Mr mr(region);
    const bool ours = mode & (FI_MR_PROV_KEY | FI_MR_BASIC);
    if (!ours) {
        check_eq(fi_mr_key(region), 77u, "the key that was asked for");
    }
    const bool is_virtual = mode & (FI_MR_VIRT_ADDR | FI_MR_BASIC);
    const uint64_t base = is_virtual ? reinterpret_cast<uint64_t>(memory.data()) : 0;
    Op op;
    side.post([&] {
        return fi_write(side.ep.get(), out.data(), 9000, nullptr, me, base + 1000,
                        fi_mr_key(region), &op);
    });
    side.sent();
    check_filled(memory.data() + 1000, 9000, 4);
    side.post([&] {
        return fi_read(side.ep.get(), in.data(), 9000, nullptr, me, base + 1000, fi_mr_key(region),
                       &op);
    });
    side.sent();
    check_filled(in.data(), 9000, 4);
}

// Keys of ours are never given twice.
void keys_are_fresh() {
    only_rill("keys of one program need not be fresh");
    ModeSide own(FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY);
    Bytes memory(64);
    std::vector<uint64_t> seen;
    for (int round = 0; round < 100; ++round) {
        const Target target(own.side, memory.data(), memory.size());
        for (const uint64_t key : seen) {
            check(key != target.key, "a key that was used before");
        }
        seen.push_back(target.key);
    }
}

// A window on everything: addresses are offsets from nothing.
void whole_address_space() {
    Pair pair(remote_config());
    fid_mr* region = nullptr;
    check_ok(fi_mr_reg(pair.b().domain.get(), nullptr, UINTPTR_MAX,
                       FI_REMOTE_READ | FI_REMOTE_WRITE, 0, 1, 0, &region, nullptr),
             "fi_mr_reg");
    const Mr mr(region);
    Bytes memory(100000), out(100000), in(100000);
    fill(out, 6);
    Op op;
    const auto address = reinterpret_cast<uint64_t>(memory.data());
    pair.post([&] {
        return fi_write(pair.a().ep.get(), out.data(), out.size(), nullptr, pair.to_b(), address,
                        fi_mr_key(region), &op);
    });
    pair.sent(0);
    check(memory == out, "written");
    pair.post([&] {
        return fi_read(pair.a().ep.get(), in.data(), in.size(), nullptr, pair.to_b(), address,
                       fi_mr_key(region), &op);
    });
    pair.sent(0);
    check(in == out, "read");
    only_rill("others take a signal at the target");
    pair.post([&] {
        return fi_write(pair.a().ep.get(), out.data(), 8, nullptr, pair.to_b(), 0,
                        fi_mr_key(region), &op);
    });
    check_eq(pair.tx_error(0).err, FI_EFAULT, "a write to address 0");
}

// Of a write and a fenced read of the same bytes, the read comes second, and so does what follows.
void fence(size_t size) {
    Pair pair(remote_config());
    Bytes memory(size);
    const Target target(pair.b(), memory.data(), size);
    constexpr int rounds = 30;
    std::vector<Bytes> in(rounds, Bytes(size)), later(rounds, Bytes(8));
    std::vector<Bytes> out(rounds, Bytes(size));
    Op ops[3];
    fid_ep* ep = pair.a().ep.get();
    for (int round = 0; round < rounds; ++round) {
        fill(out[round], static_cast<uint32_t>(round));
        pair.post([&] {
            return fi_write(ep, out[round].data(), size, nullptr, pair.to_b(), target.address,
                            target.key, &ops[0]);
        });
        const iovec iov{in[round].data(), size};
        const fi_rma_iov range{target.address, size, target.key};
        fi_msg_rma msg{};
        msg.msg_iov = &iov;
        msg.iov_count = 1;
        msg.rma_iov = &range;
        msg.rma_iov_count = 1;
        msg.addr = pair.to_b();
        msg.context = &ops[1];
        pair.post([&] { return fi_readmsg(ep, &msg, FI_FENCE | FI_COMPLETION); });
        pair.post([&] {
            return fi_read(ep, later[round].data(), 8, nullptr, pair.to_b(), target.address,
                           target.key, &ops[2]);
        });
        // The next write must not overtake the reads: wait for them.
        for (int done = 0; done < 3; ++done) {
            pair.sent(0);
        }
        check_filled(in[round].data(), size, static_cast<uint32_t>(round));
        check_filled(later[round].data(), 8, static_cast<uint32_t>(round));
    }
}

// A fenced message comes after the write before it.
void fenced_message() {
    Pair pair(remote_config());
    constexpr size_t size = 300000;
    Bytes memory(size), out(size), word(8), in(8);
    const Target target(pair.b(), memory.data(), size);
    Op ops[3];
    for (uint32_t round = 1; round < 20; ++round) {
        fill(out, round);
        pair.post([&] {
            return fi_recv(pair.b().ep.get(), in.data(), 8, nullptr, FI_ADDR_UNSPEC, &ops[2]);
        });
        pair.post([&] {
            return fi_write(pair.a().ep.get(), out.data(), size, nullptr, pair.to_b(),
                            target.address, target.key, &ops[0]);
        });
        const iovec iov{word.data(), 8};
        fi_msg msg{};
        msg.msg_iov = &iov;
        msg.iov_count = 1;
        msg.addr = pair.to_b();
        msg.context = &ops[1];
        pair.post([&] { return fi_sendmsg(pair.a().ep.get(), &msg, FI_FENCE | FI_COMPLETION); });
        pair.received(1);
        check_filled(memory.data(), size, round);
        pair.sent(0);
        pair.sent(0);
    }
}

// From now on peers' accesses to the region are counted.
void count_accesses(const Target& target, const Counter& writes, const Counter& reads) {
    const int ret = fi_mr_bind(target.mr.get(), writes.id(), FI_REMOTE_WRITE);
    if (ret == -FI_ENOSYS) {
        throw Skip("no counters for regions");
    }
    check_ok(ret, "bind the counter of writes");
    check_ok(fi_mr_bind(target.mr.get(), reads.id(), FI_REMOTE_READ), "bind the counter of reads");
    check_ok(fi_mr_enable(target.mr.get()), "fi_mr_enable");
}

// Counters of the region at the target, and of the initiator.
void counters(size_t size) {
    Pair pair(remote_config());
    Bytes memory(size), local(size);
    const Counter writes = open_counter(pair.b().domain, FI_WAIT_NONE);
    const Counter reads = open_counter(pair.b().domain, FI_WAIT_NONE);
    const Target target(pair.b(), memory.data(), size);
    count_accesses(target, writes, reads);
    Op op;
    for (uint64_t round = 1; round < 6; ++round) {
        pair.post([&] {
            return fi_write(pair.a().ep.get(), local.data(), size, nullptr, pair.to_b(),
                            target.address, target.key, &op);
        });
        pair.sent(0);
        pair.until("the write to be counted", [&] { return fi_cntr_read(writes.get()) == round; });
        for (int twice = 0; twice < 2; ++twice) {
            pair.post([&] {
                return fi_read(pair.a().ep.get(), local.data(), size, nullptr, pair.to_b(),
                               target.address, target.key, &op);
            });
            pair.sent(0);
        }
        pair.until("the reads to be counted",
                   [&] { return fi_cntr_read(reads.get()) == 2 * round; });
    }
    check_eq(fi_cntr_read(writes.get()), 5u, "writes");
    check_eq(fi_cntr_readerr(writes.get()), 0u, "errors");
}

// A region's writes are all that may change it, also those that return what was there.
void counters_of_atomics() {
    Pair pair(remote_config());
    uint64_t memory = 0, result = 0;
    const uint64_t operand = 3;
    const Counter writes = open_counter(pair.b().domain, FI_WAIT_NONE);
    const Counter reads = open_counter(pair.b().domain, FI_WAIT_NONE);
    const Target target(pair.b(), &memory, sizeof memory);
    count_accesses(target, writes, reads);
    Op op;
    fid_ep* const ep = pair.a().ep.get();
    const auto fetch = [&](fi_op what) {
        return fi_fetch_atomic(ep, &operand, 1, nullptr, &result, nullptr, pair.to_b(),
                               target.address, target.key, FI_UINT64, what, &op);
    };
    const struct {
        const char* name;
        uint64_t writes, reads; // so far
        std::function<ssize_t()> call;
    } steps[] = {
        {"base", 1, 0,
         [&] {
             return fi_atomic(ep, &operand, 1, nullptr, pair.to_b(), target.address, target.key,
                              FI_UINT64, FI_SUM, &op);
         }},
        {"fetch", 2, 1, [&] { return fetch(FI_SUM); }},
        {"compare", 3, 2,
         [&] {
             return fi_compare_atomic(ep, &operand, 1, nullptr, &operand, nullptr, &result, nullptr,
                                      pair.to_b(), target.address, target.key, FI_UINT64, FI_CSWAP,
                                      &op);
         }},
        {"read", 3, 3, [&] { return fetch(FI_ATOMIC_READ); }},
    };
    for (const auto& step : steps) {
        pair.post(step.call);
        pair.sent(0);
        pair.settle();
        check_eq(fi_cntr_read(writes.get()), step.writes, std::string(step.name) + ": writes");
        check_eq(fi_cntr_read(reads.get()), step.reads, std::string(step.name) + ": reads");
    }
}

// fi_mr_refresh names pages that are others now: the region stays what it is.
void refreshed() {
    Pair pair(remote_config());
    Bytes memory(5000), local(5000);
    const Target target(pair.b(), memory.data(), memory.size());
    const iovec part{memory.data(), 16};
    const int ret = fi_mr_refresh(target.mr.get(), nullptr, 0, 0);
    if (ret == -FI_ENOSYS) {
        throw Skip("no refresh of regions");
    }
    check_ok(ret, "fi_mr_refresh of all");
    check_ok(fi_mr_refresh(target.mr.get(), &part, 1, 0), "fi_mr_refresh of a part");
    check_refused(fi_mr_refresh(target.mr.get(), nullptr, 1, 0), "a list that is not there");
    check_refused(fi_mr_refresh(target.mr.get(), &part, 1, 1ull << 62), "an unknown flag");
    Op op;
    fill(local, 71);
    pair.post([&] {
        return fi_write(pair.a().ep.get(), local.data(), local.size(), nullptr, pair.to_b(),
                        target.address, target.key, &op);
    });
    pair.sent(0);
    pair.settle();
    check_filled(memory.data(), memory.size(), 71);
}

// Raw keys may be used with every region: fi_mr(3).
void raw_key(int mode) {
    Config config = remote_config();
    Info info = get_info(make_hints(config).get());
    info->domain_attr->mr_mode = mode;
    Side owner(config, std::move(info));
    Side peer(config);
    const fi_addr_t to = peer.insert(owner.name());
    Bytes memory(100), local(100);
    fid_mr* region = nullptr;
    check_ok(fi_mr_reg(owner.domain.get(), memory.data(), memory.size(), FI_REMOTE_WRITE, 0, 99, 0,
                       &region, nullptr),
             "fi_mr_reg");
    const Mr mr(region);
    uint8_t raw[64];
    uint64_t base = 1;
    size_t size = 0;
    check_ret(fi_mr_raw_attr(region, &base, raw, &size, 0), -FI_ETOOSMALL, "no room");
    check_eq(size, owner.info->domain_attr->mr_key_size, "the size that is needed");
    size = sizeof raw;
    check_ok(fi_mr_raw_attr(region, &base, raw, &size, 0), "fi_mr_raw_attr");
    const bool by_address = mode & FI_MR_VIRT_ADDR;
    check_eq(base, by_address ? reinterpret_cast<uint64_t>(memory.data()) : 0, "base address");
    uint64_t key = 0;
    check_refused(fi_mr_map_raw(peer.domain.get(), base, raw, size + 1, &key, 0), "a longer key");
    check_ok(fi_mr_map_raw(peer.domain.get(), base, raw, size, &key, 0), "fi_mr_map_raw");
    Op op;
    fill(local, 72);
    peer.post([&] {
        return fi_write(peer.ep.get(), local.data(), local.size(), nullptr, to, base, key, &op);
    });
    peer.until("the write", [&] {
        owner.poll();
        return !peer.tx.empty();
    });
    check_eq(peer.tx.take().err, 0, "the write by the mapped key");
    check_filled(memory.data(), memory.size(), 72);
    check_ok(fi_mr_unmap_key(peer.domain.get(), key), "fi_mr_unmap_key");
}

void selective() {
    Config config = remote_config();
    config.tx_bind |= FI_SELECTIVE_COMPLETION;
    Pair pair(config);
    Bytes memory(5000), local(5000);
    const Target target(pair.b(), memory.data(), memory.size());
    Op silent, told;
    fid_ep* ep = pair.a().ep.get();
    pair.post([&] {
        return fi_write(ep, local.data(), 5000, nullptr, pair.to_b(), target.address, target.key,
                        &silent);
    });
    const iovec iov{local.data(), 5000};
    const fi_rma_iov range{target.address, 5000, target.key};
    fi_msg_rma msg{};
    msg.msg_iov = &iov;
    msg.iov_count = 1;
    msg.rma_iov = &range;
    msg.rma_iov_count = 1;
    msg.addr = pair.to_b();
    msg.context = &told;
    pair.post([&] { return fi_writemsg(ep, &msg, FI_COMPLETION); });
    check_same(pair.sent(0).context, &told, "the one that asked");
    pair.post([&] {
        return fi_write(ep, local.data(), 5000, nullptr, pair.to_b(), target.address,
                        target.key + 1, &silent);
    });
    check_same(pair.tx_error(0).context, &silent, "errors are always told");
    pair.settle();
    check(pair.a().tx.empty(), "the other is silent");
}

// Data words come in a small queue as fast as the program reads it, and none is lost.
void data_into_small_queue() {
    Config config = remote_config();
    config.cq_size = 4;
    Pair pair(config);
    Bytes memory(8);
    const Target target(pair.b(), memory.data(), memory.size());
    constexpr uint64_t count = 500;
    for (uint64_t at = 0; at < count; ++at) {
        pair.post([&] {
            return fi_inject_writedata(pair.a().ep.get(), memory.data(), 8, at, pair.to_b(),
                                       target.address, target.key);
        });
    }
    std::vector<bool> seen(count);
    for (uint64_t at = 0; at < count; ++at) {
        const uint64_t data = pair.received(1).data;
        check(data < count && !seen[data], "each word once");
        seen[data] = true;
    }
}

} // namespace

void add_rma_event_cases(std::vector<Case>& cases) {
    for (const int mode :
         {0, int{FI_MR_BASIC}, int{FI_MR_SCALABLE}, int{FI_MR_VIRT_ADDR}, int{FI_MR_PROV_KEY},
          int{FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY}}) {
        cases.push_back({"registration mode " + std::to_string(mode), [=] {
                             only_rill("modes of others are not to be chosen");
                             registration_mode(mode);
                         }});
    }
    cases.push_back({"keys are fresh", keys_are_fresh});
    cases.push_back({"whole address space", whole_address_space});
    for (const size_t size : {8, 5000, 400000}) {
        cases.push_back({"fence, " + std::to_string(size), [=] { fence(size); }});
        cases.push_back({"counters, " + std::to_string(size), [=] { counters(size); }});
    }
    cases.push_back({"counters of atomics", counters_of_atomics});
    cases.push_back({"refreshed region", refreshed});
    for (const int mode : {0, int{FI_MR_VIRT_ADDR | FI_MR_PROV_KEY}}) {
        cases.push_back({"raw key, mode " + std::to_string(mode), [=] {
                             only_rill("others have raw keys only where they need them");
                             raw_key(mode);
                         }});
    }
    cases.push_back({"fenced message", fenced_message});
    cases.push_back({"selective completion", selective});
    cases.push_back({"data into a small queue", data_into_small_queue});
}

} // namespace functional
