// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// RMA: every form with every completion level and sizes around each switch of protocol.
#include "remote_cases.hpp"

#include <cstring>

using namespace functional;

namespace {

enum class Way { write, read };

struct Variant {
    Way way;
    Form form;
    uint64_t level; // completion flag of the msg form, or FI_INJECT
};

// Over before it has arrived.
bool in_advance(const Variant& v) {
    return is_inject(v.form) || v.level == FI_INJECT || v.level == FI_INJECT_COMPLETE;
}

const char* name_of_level(uint64_t level) {
    switch (level) {
    case FI_INJECT_COMPLETE: return "inject";
    case FI_TRANSMIT_COMPLETE: return "transmit";
    case FI_DELIVERY_COMPLETE: return "delivery";
    default: return "default";
    }
}

struct Transfer {
    std::vector<iovec> iov;
    fi_addr_t peer;
    uint64_t address;
    uint64_t key;
    uint64_t data;
    void* context;
};

ssize_t post_message(fid_ep* ep, const Variant& v, const Transfer& t, std::vector<fi_rma_iov> to,
                     uint64_t flags) {
    fi_msg_rma msg{};
    msg.msg_iov = t.iov.data();
    msg.iov_count = t.iov.size();
    msg.addr = t.peer;
    msg.rma_iov = to.data();
    msg.rma_iov_count = to.size();
    msg.context = t.context;
    msg.data = t.data;
    return v.way == Way::write ? fi_writemsg(ep, &msg, flags) : fi_readmsg(ep, &msg, flags);
}

size_t bytes_of(const std::vector<iovec>& iov) {
    size_t sum = 0;
    for (const iovec& one : iov) {
        sum += one.iov_len;
    }
    return sum;
}

ssize_t post(fid_ep* ep, const Variant& v, const Transfer& t) {
    const iovec& one = t.iov.front();
    const bool write = v.way == Way::write;
    switch (v.form) {
    case Form::plain:
        return write ? fi_write(ep, one.iov_base, one.iov_len, nullptr, t.peer, t.address, t.key,
                                t.context)
                     : fi_read(ep, one.iov_base, one.iov_len, nullptr, t.peer, t.address, t.key,
                               t.context);
    case Form::vector:
        return write ? fi_writev(ep, t.iov.data(), nullptr, t.iov.size(), t.peer, t.address, t.key,
                                 t.context)
                     : fi_readv(ep, t.iov.data(), nullptr, t.iov.size(), t.peer, t.address, t.key,
                                t.context);
    case Form::message:
        return post_message(ep, v, t, {{t.address, bytes_of(t.iov), t.key}},
                            v.level | FI_COMPLETION);
    case Form::inject:
        return fi_inject_write(ep, one.iov_base, one.iov_len, t.peer, t.address, t.key);
    case Form::data:
        return fi_writedata(ep, one.iov_base, one.iov_len, nullptr, t.data, t.peer, t.address,
                            t.key, t.context);
    case Form::inject_data:
        return fi_inject_writedata(ep, one.iov_base, one.iov_len, t.data, t.peer, t.address, t.key);
    }
    return -FI_EINVAL;
}

void check_completion(const Completion& done, const Variant& v, void* context) {
    check_same(done.context, context, "context");
    const uint64_t kind = FI_RMA | (v.way == Way::write ? FI_WRITE : FI_READ);
    check_eq(done.flags & (FI_RMA | FI_WRITE | FI_READ | FI_SEND | FI_RECV), kind, "flags");
}

// One transfer, into or out of the middle of a region whose rest must stay as it is.
void transfer_one(Pair& pair, const Variant& v, size_t size, uint32_t seed) {
    constexpr size_t margin = 64;
    const bool write = v.way == Way::write;
    Bytes local(size);
    Bytes remote(size + 2 * margin, 0xee);
    Bytes pattern(size);
    fill(pattern, seed);
    if (write) {
        local = pattern;
    } else {
        std::copy(pattern.begin(), pattern.end(), remote.begin() + margin);
    }
    const Target target(pair.b(), remote.data(), remote.size());
    Op op;
    Transfer t{{{local.data(), local.size()}}, pair.to_b(), target.address + margin, target.key,
               0xdada000000000000 + seed,      &op};
    if (v.form == Form::vector || v.form == Form::message) {
        t.iov = split(local, 1 + seed % 5);
    }
    pair.post([&] { return post(pair.a().ep.get(), v, t); });
    if (is_inject(v.form) || v.level == FI_INJECT) {
        std::fill(local.begin(), local.end(), 0); // it was copied
    }
    if (!is_inject(v.form)) {
        check_completion(pair.sent(0), v, &op);
    }
    if (carries_data(v.form)) {
        const Completion told = pair.received(1);
        check_eq(told.flags, FI_RMA | FI_REMOTE_WRITE | FI_REMOTE_CQ_DATA, "flags at the target");
        check_eq(told.data, t.data, "data at the target");
    } else if (write && in_advance(v)) {
        const uint8_t* last = remote.data() + margin + size - 1;
        pair.until("a write that was complete in advance to arrive", [&] {
            return size == 0 || *static_cast<volatile const uint8_t*>(last) != 0xee ||
                   pattern.back() == 0xee;
        });
    }
    const uint8_t* got = write ? remote.data() + margin : local.data();
    check_filled(got, size, seed);
    for (size_t at = 0; at < margin; ++at) {
        check(remote[at] == 0xee && remote[margin + size + at] == 0xee, "bytes around the range");
    }
}

void transfers(Variant v) {
    Pair pair(remote_config());
    const bool inject = is_inject(v.form) || v.level == FI_INJECT;
    const size_t limit = pair.a().info->tx_attr->inject_size;
    std::vector<size_t> sizes = {0, 1, 7, 8, 63, 64, limit - 1, limit};
    if (!inject) {
        for (const size_t size : {limit + 1, size_t{1300}, size_t{1472}, size_t{4096}, size_t{8900},
                                  size_t{16383}, size_t{16384}, size_t{16385}, size_t{65400},
                                  size_t{65472}, size_t{65535}, size_t{65536}, size_t{65537},
                                  size_t{200000}, size_t{1 << 20}, size_t{(4 << 20) + 3}}) {
            sizes.push_back(size);
        }
    }
    uint32_t seed = 1;
    for (const size_t size : sizes) {
        if (inject && !carries_data(v.form) && size == 0) {
            continue; // nobody would notice
        }
        transfer_one(pair, v, size, seed++);
    }
}

void borders(Way way) {
    ask_for_small_packets();
    Pair pair(remote_config());
    uint32_t seed = 1;
    for (const size_t size : sizes_at_borders()) {
        transfer_one(pair, {way, Form::plain, 0}, size, seed++);
    }
}

// Several ranges of several regions by one operation.
void several_ranges(Way way, size_t piece) {
    Pair pair(remote_config());
    const size_t ranges = pair.a().info->tx_attr->rma_iov_limit;
    check(ranges >= 8, "rma_iov_limit");
    std::vector<Bytes> remote(ranges);
    std::vector<Target> targets;
    std::vector<fi_rma_iov> to;
    size_t total = 0;
    for (size_t at = 0; at < ranges; ++at) {
        remote[at].resize(at == 2 ? 1 : piece + at * 3);
        if (way == Way::read) {
            fill(remote[at], 100 + static_cast<uint32_t>(at));
        }
        const size_t len = at == 2 ? 0 : remote[at].size();
        targets.emplace_back(pair.b(), remote[at].data(), remote[at].size(), 20 + at);
        to.push_back({targets[at].address, len, targets[at].key});
        total += len;
    }
    Bytes local(total);
    size_t start = 0;
    for (size_t at = 0; at < ranges && way == Way::write; ++at) {
        Bytes part(to[at].len);
        fill(part, 100 + static_cast<uint32_t>(at));
        std::copy(part.begin(), part.end(), local.begin() + static_cast<ssize_t>(start));
        start += part.size();
    }
    Op op;
    const Variant v{way, Form::message, FI_DELIVERY_COMPLETE};
    const Transfer t{split(local, 3), pair.to_b(), 0, 0, 0x51, &op};
    const uint64_t data = way == Way::write ? FI_REMOTE_CQ_DATA : 0;
    pair.post([&] {
        return post_message(pair.a().ep.get(), v, t, to,
                            FI_COMPLETION | FI_DELIVERY_COMPLETE | data);
    });
    check_completion(pair.sent(0), v, &op);
    if (data) {
        check_eq(pair.received(1).data, 0x51u, "one word of data for all ranges");
        check(pair.b().rx.empty(), "told once");
    }
    start = 0;
    for (size_t at = 0; at < ranges; ++at) {
        const uint8_t* got = way == Way::write ? remote[at].data() : local.data() + start;
        check_filled(got, to[at].len, 100 + static_cast<uint32_t>(at));
        start += to[at].len;
    }
}

// Regions made of pieces are one range to the peer.
void region_of_pieces(Way way) {
    Pair pair(remote_config());
    Bytes memory[3] = {Bytes(1000), Bytes(30001), Bytes(5)};
    iovec pieces[3];
    size_t total = 0;
    for (size_t at = 0; at < 3; ++at) {
        pieces[at] = {memory[at].data(), memory[at].size()};
        total += memory[at].size();
    }
    Bytes pattern(total);
    fill(pattern, 9);
    size_t start = 0;
    for (Bytes& part : memory) {
        if (way == Way::read) {
            memcpy(part.data(), pattern.data() + start, part.size());
        }
        start += part.size();
    }
    fid_mr* region = nullptr;
    check_ok(fi_mr_regv(pair.b().domain.get(), pieces, 3, FI_REMOTE_READ | FI_REMOTE_WRITE, 0, 3, 0,
                        &region, nullptr),
             "fi_mr_regv");
    const Mr mr(region);
    Bytes local(total);
    if (way == Way::write) {
        local = pattern;
    }
    Op op;
    const Variant v{way, Form::plain, 0};
    const Transfer t{{{local.data(), total}}, pair.to_b(), 0, fi_mr_key(region), 0, &op};
    pair.post([&] { return post(pair.a().ep.get(), v, t); });
    pair.sent(0);
    start = 0;
    for (const Bytes& part : memory) {
        check(memcmp(part.data(), pattern.data() + start, part.size()) == 0, "each piece");
        start += part.size();
    }
    check(local == pattern, "the whole");
}

// Many at once, more than the queue takes, in both directions.
void many(Way way, size_t size) {
    Pair pair(remote_config());
    constexpr size_t count = 3000;
    Bytes remote(count * size);
    Bytes local(count * size);
    fill(way == Way::write ? local : remote, 5);
    const Target target(pair.b(), remote.data(), remote.size());
    std::vector<Op> ops(count);
    size_t over = 0;
    const auto drain = [&] {
        for (; !pair.a().tx.empty(); ++over) {
            check_eq(pair.a().tx.take().err, 0, "an operation");
        }
    };
    for (size_t at = 0; at < count; ++at) {
        const Variant v{way, Form::plain, 0};
        const Transfer t{{{local.data() + at * size, size}},
                         pair.to_b(),
                         target.address + at * size,
                         target.key,
                         0,
                         &ops[at]};
        pair.post([&] { return post(pair.a().ep.get(), v, t); });
        drain();
    }
    pair.until("all operations", [&] {
        drain();
        return over == count;
    });
    check(local == remote, "all bytes");
}

// To oneself, as to anybody.
void self(size_t size) {
    Side side(remote_config());
    const fi_addr_t me = side.insert(side.name());
    Bytes memory(size), out(size), in(size);
    fill(out, 3);
    const Target target(side, memory.data(), size);
    Op op;
    side.post([&] {
        return fi_write(side.ep.get(), out.data(), size, nullptr, me, target.address, target.key,
                        &op);
    });
    check_same(side.sent().context, &op, "the write");
    check_filled(memory.data(), size, 3);
    side.post([&] {
        return fi_read(side.ep.get(), in.data(), size, nullptr, me, target.address, target.key,
                       &op);
    });
    check_same(side.sent().context, &op, "the read");
    check(in == out, "what was written");
}

// The owner of the memory calls nothing, and is served by its housekeeper.
void target_is_busy(Way way, size_t size) {
    only_rill("it answers for a program that does not call in");
    two_processes(
        [&](Channel& channel) {
            Side side(remote_config());
            const fi_addr_t peer = exchange(side, channel);
            const Bytes word = channel.receive();
            uint64_t where[2];
            memcpy(where, word.data(), sizeof where);
            Bytes local(size);
            if (way == Way::write) {
                fill(local, 8);
            }
            Op op;
            const Variant v{way, Form::plain, 0};
            const Transfer t{{{local.data(), size}}, peer, where[0], where[1], 0, &op};
            side.post([&] { return post(side.ep.get(), v, t); });
            side.sent();
            check_filled(local.data(), size, 8);
            channel.send({});
        },
        [&](Channel& channel) {
            Side side(remote_config());
            exchange(side, channel);
            Bytes memory(size);
            if (way == Way::read) {
                fill(memory, 8);
            }
            const Target target(side, memory.data(), size);
            const uint64_t where[2] = {target.address, target.key};
            Bytes word(sizeof where);
            memcpy(word.data(), where, sizeof where);
            channel.send(word);
            channel.receive();
            check_filled(memory.data(), size, 8);
        });
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases;
    for (const Form form :
         {Form::plain, Form::vector, Form::inject, Form::data, Form::inject_data}) {
        cases.push_back({std::string("write, ") + name_of(form), [=] {
                             transfers({Way::write, form, 0});
                         }});
    }
    for (const Form form : {Form::plain, Form::vector}) {
        cases.push_back({std::string("read, ") + name_of(form), [=] {
                             transfers({Way::read, form, 0});
                         }});
    }
    for (const uint64_t level : {0ull, static_cast<unsigned long long>(FI_INJECT_COMPLETE),
                                 static_cast<unsigned long long>(FI_TRANSMIT_COMPLETE),
                                 static_cast<unsigned long long>(FI_DELIVERY_COMPLETE)}) {
        for (const Way way : {Way::write, Way::read}) {
            cases.push_back({std::string(way == Way::write ? "write" : "read") + ", msg, level " +
                                 name_of_level(level),
                             [=] {
                                 transfers({way, Form::message, level});
                             }});
        }
    }
    cases.push_back({"write, msg, level default, FI_INJECT", [] {
                         transfers({Way::write, Form::message, FI_INJECT});
                     }});
    for (const Way way : {Way::write, Way::read}) {
        const std::string what = way == Way::write ? "write" : "read";
        cases.push_back({what + ", borders of packets and trains", [=] { borders(way); }});
        cases.push_back({what + ", several ranges, short", [=] { several_ranges(way, 5); }});
        cases.push_back({what + ", several ranges, long", [=] { several_ranges(way, 100000); }});
        cases.push_back({what + ", region of pieces", [=] { region_of_pieces(way); }});
        cases.push_back({what + ", many short", [=] { many(way, 8); }});
        cases.push_back({what + ", many long", [=] { many(way, 5000); }});
        cases.push_back({what + ", busy target, short", [=] { target_is_busy(way, 100); }});
        cases.push_back({what + ", busy target, long", [=] { target_is_busy(way, 4 << 20); }});
    }
    for (const size_t size : {8, 5000, 1 << 20}) {
        cases.push_back({"self, " + std::to_string(size), [=] { self(size); }});
    }
    add_rma_fault_cases(cases);
    add_rma_event_cases(cases);
    return run_cases(argc, argv, cases);
}
