// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A host that does whatever it likes to a device: configuration space, registers, admin commands,
// descriptors, doorbells, resets, at any moment; on the other end of the wire is an honest machine. The
// device answers, reports, or stops until it is reset. After a reset nothing is left, another function is as
// it was, and the honest machine still works.
//
// Scatter lists name the process's own memory, as a program's do: the lists are the fuzzer's, the
// addresses in them are right. Everything else in a descriptor may be anything.
#include "nic/config_dump.hpp"
#include "nic/config_image.hpp"
#include "nic/shipped_types.hpp"
#include "test/fuzz/input.hpp"
#include "test/rdm/hosts.hpp"

#include <array>
#include <string>
#include <vector>

using namespace rill;
using namespace rill::test;
using fuzz::expect;
using fuzz::Input;
using nic::Register;

namespace {

constexpr uint32_t kRing = 16;         // entries of the admin and event queues
constexpr uint32_t kCompletions = 256; // of the completion queue
constexpr uint64_t kWindowKey = 7;     // of the region that the honest machine knows

// Memory of the host's, in which a device that reaches too far meets AddressSanitizer.
struct HostMemory {
    std::vector<nic::AdminCommand> commands{kRing};
    std::vector<nic::AdminAnswer> answers{kRing};
    std::vector<nic::AsyncEvent> events{kRing};
    std::vector<nic::SendEntry> sends{nic::kQueueEntries};
    std::vector<nic::ReceiveEntry> receives{nic::kQueueEntries};
    std::vector<nic::CompletionEntry> completions{kCompletions};
    std::vector<iovec> pieces{4};
    std::vector<uint64_t> words{64}; // statistics, and the word of moved packets
    std::vector<std::byte> buffer{64 * 1024};
    std::vector<std::array<iovec, 4>> lists{64};
    std::vector<nic::RemoteRange> ranges{16};
    std::vector<wire::GrantId> fetches{16};
};

class Host {
public:
    Host(Slot& slot, uint16_t number) : slot_(slot), number_(number) {}

    nic::FunctionPort* port() { return slot_.card.bus().port(number_); }
    bool ready() {
        return port() && port()->read(static_cast<uint32_t>(Register::status)) & nic::kStatusReady;
    }
    void set(Register r, uint64_t v) {
        if (port()) port()->write(static_cast<uint32_t>(r), static_cast<uint32_t>(v), now());
    }
    Instant now() const { return slot_.net.now; }

    // As the protocol wants it, from whatever state there is.
    void bring_up(bool with_completions) {
        if (!port()) return;
        (void)nic::assign_addresses(slot_.card.bus().config(), number_, 0xd0000000, now());
        set(Register::control, nic::kControlReset);
        unmap();
        take_entries();
        memory_ = {};
        read_ = written_ = 0;
        set(Register::control, 0);
        expect(port()->read(static_cast<uint32_t>(Register::status)) ==
                   (nic::kStatusReady | nic::kStatusResetFinished),
               "a reset brings a function up from any state");
        map_all();
        set(Register::admin_base_low, at_.commands);
        set(Register::admin_base_high, at_.commands >> 32);
        set(Register::answer_base_low, at_.answers);
        set(Register::answer_base_high, at_.answers >> 32);
        set(Register::event_base_low, at_.events);
        set(Register::event_base_high, at_.events >> 32);
        set(Register::event_size, kRing);
        set(Register::admin_size, kRing);
        follows_ = true;
        (void)ask(nic::AdminOp::set_feature, {15});
        if (with_completions)
            (void)ask(nic::AdminOp::create_completion_queue,
                      {at_.completions, kCompletions, 1, at_.words});
        if (with_completions) give_bounces_back();
    }
    // What the device lent, and a reset left with the host.
    void give_bounces_back() {
        while (!bounces_.empty()) {
            if (!ask(nic::AdminOp::create_shared_receive, {0, at_.sends, at_.receives}) ||
                last_.status != nic::AdminStatus::ok)
                return;
            const auto qp = static_cast<uint32_t>(last_.results[0]);
            nic::ReceiveEntry e;
            e.op = nic::ReceiveOp::give_back;
            e.buffer = bounces_.back();
            bounces_.pop_back();
            memory_.receives[0] = e;
            ring(nic::kReceiveDoorbell, qp, 1, false);
            (void)ask(nic::AdminOp::destroy_queue_pair, {qp});
        }
    }
    // What is mapped may go at any time; here all of it does.
    void unmap() {
        for (const uint64_t at : mapped_)
            if (port()) port()->unmap(at);
        mapped_.clear();
    }
    // False: the function was not able to answer.
    bool ask(nic::AdminOp op, std::initializer_list<uint64_t> arguments) {
        nic::AdminCommand c;
        std::copy(arguments.begin(), arguments.end(), c.arguments);
        c.op = op;
        return command(c);
    }
    bool command(nic::AdminCommand c) {
        if (!follows_ || !ready()) return false;
        const uint16_t phase = written_ / kRing % 2 == 0 ? nic::kPhaseBit : 0;
        c.id_and_phase = static_cast<uint16_t>((written_ & nic::kCommandIdMask) | phase);
        memory_.commands[written_ % kRing] = c;
        set(Register::admin_doorbell, (written_ + 1) & 0xffff);
        const nic::AdminAnswer& a = memory_.answers[written_ % kRing];
        if (a.consumed != written_ + 1) {
            expect(!ready() || !follows_, "a running admin queue answers every command");
            return false;
        }
        expect(a.id_and_phase == c.id_and_phase, "with its id and phase");
        expect(a.status <= nic::AdminStatus::busy, "with a status that there is");
        ++written_;
        last_ = a;
        return true;
    }
    // A queue pair (or a shared receive queue) whose rings lie where they should.
    void create_queue_pair(bool shared, uint64_t shares) {
        wire::Address a = address(slot_.host, queue_pairs_.empty() ? 4000 : 0);
        std::array<uint64_t, nic::kAddressWords> w;
        std::memcpy(w.data(), &a, sizeof a);
        const uint64_t rings = at_.sends, receives = at_.receives;
        const bool done = shared ? ask(nic::AdminOp::create_shared_receive, {0, rings, receives})
                                 : ask(nic::AdminOp::create_queue_pair,
                                       {0, rings, receives, w[0], w[1], w[2], shares});
        if (done && last_.status == nic::AdminStatus::ok)
            queue_pairs_.push_back(static_cast<uint32_t>(last_.results[0]));
    }
    void create_address_handle(uint8_t host) {
        const wire::Address a = address(host, 4000);
        std::array<uint64_t, nic::kAddressWords> w;
        std::memcpy(w.data(), &a, sizeof a);
        (void)ask(nic::AdminOp::create_address_handle, {w[0], w[1], w[2]});
    }
    void register_memory(uint64_t key, uint64_t rights) {
        memory_.pieces[0] = {memory_.buffer.data(), 4096};
        memory_.pieces[1] = {memory_.buffer.data() + 8192, 1000};
        (void)ask(nic::AdminOp::register_memory, {key, rights, 0, at_.pieces, 2});
    }
    void ring(uint32_t doorbell, uint32_t queue_pair, uint16_t written, bool more) {
        if (port())
            port()->write64(doorbell, nic::queue_doorbell(queue_pair, written, more), now());
    }
    void run() {
        if (port()) port()->write64(nic::kRun, nic::kRunReceive | nic::kRunEverywhere, now());
    }

    // ---- what only a fuzzer does
    void any_command(Input& in);
    void any_descriptors(Input& in);
    void any_store(Input& in);
    void any_config(Input& in);
    void read_completions(Input& in);
    void lose_follow() { follows_ = false; }
    bool follows() const { return follows_; }
    uint32_t queue_pair(Input& in) {
        if (queue_pairs_.empty() || in.below(16) == 0) return static_cast<uint32_t>(in.number());
        return queue_pairs_[in.byte() % queue_pairs_.size()];
    }
    HostMemory& memory() { return memory_; }

private:
    struct Places {
        uint64_t commands, answers, events, sends, receives, completions, pieces, words;
    };
    template <class T>
    uint64_t map(std::vector<T>& v) {
        const uint64_t at = port()->map(std::as_writable_bytes(std::span(v)));
        mapped_.push_back(at);
        return at;
    }
    void map_all() {
        at_ = {map(memory_.commands), map(memory_.answers),  map(memory_.events),
               map(memory_.sends),    map(memory_.receives), map(memory_.completions),
               map(memory_.pieces),   map(memory_.words)};
        queue_pairs_.clear();
        sent_.fill(0);
        received_.fill(0);
    }
    void take_entries();
    uint64_t argument(Input& in);
    IovView list(Input& in);
    nic::SendEntry send_entry(Input& in);
    nic::ReceiveEntry receive_entry(Input& in);

    Slot& slot_;
    uint16_t number_;
    HostMemory memory_;
    Places at_{};
    std::vector<uint64_t> mapped_;
    uint32_t written_ = 0; // admin commands
    bool follows_ = false; // the admin queue is as bring_up() made it
    nic::AdminAnswer last_;
    std::vector<uint32_t> queue_pairs_;
    std::array<uint16_t, 64> sent_{}, received_{}; // by queue pair number
    uint32_t read_ = 0;                            // completion entries
    std::vector<void*> bounces_;                   // buffers that the device lent us
    size_t next_list_ = 0, next_range_ = 0;
};

uint64_t Host::argument(Input& in) {
    switch (in.below(8)) {
    case 0: return at_.sends;
    case 1: return at_.receives + 64 * in.below(128);
    case 2: return at_.completions;
    case 3: return at_.pieces;
    case 4: return at_.words + 8 * in.below(128);
    default: return in.number();
    }
}

void Host::any_command(Input& in) {
    nic::AdminCommand c;
    c.op = static_cast<nic::AdminOp>(in.below(28));
    const unsigned used = in.below(8);
    for (unsigned i = 0; i < used; ++i)
        c.arguments[i] = argument(in);
    if (in.below(16) == 0) c.reserved[in.below(5)] = in.byte();
    const bool pieces = in.below(4) == 0;
    for (iovec& v : memory_.pieces) {
        if (!pieces) break;
        const size_t from = in.take<uint16_t>(), n = in.take<uint16_t>();
        v = {memory_.buffer.data() + from % memory_.buffer.size(), 0};
        v.iov_len = std::min(n, memory_.buffer.size() - from % memory_.buffer.size());
    }
    take_entries();
    const bool made = command(c) && last_.status == nic::AdminStatus::ok;
    if (made && c.op == nic::AdminOp::destroy_completion_queue) {
        memory_.completions.assign(kCompletions, {});
        read_ = 0;
    }
    if (made &&
        (c.op == nic::AdminOp::create_queue_pair || c.op == nic::AdminOp::create_shared_receive))
        queue_pairs_.push_back(static_cast<uint32_t>(last_.results[0]));
    const size_t number = last_.results[0];
    if (made && c.op == nic::AdminOp::create_queue_pair && number < sent_.size())
        sent_[number] = received_[number] = 0;
}

// The lists stay where they are until all of them have been used: the device refers to them.
IovView Host::list(Input& in) {
    auto& l = memory_.lists[next_list_++ % memory_.lists.size()];
    const uint8_t count = in.below(5);
    for (uint8_t i = 0; i < count; ++i) {
        const size_t from = in.take<uint16_t>(), n = in.take<uint16_t>();
        l[i % 4] = {memory_.buffer.data() + from, std::min(n, memory_.buffer.size() - from)};
    }
    if (in.below(32) == 0) return {nullptr, count};
    return {l.data(), std::min<uint32_t>(count, 4)};
}

nic::SendEntry Host::send_entry(Input& in) {
    nic::SendEntry e;
    e.op = static_cast<nic::SendOp>(in.below(15));
    e.flags = in.byte();
    e.status = in.below(4) ? 0 : in.byte();
    const IovView iov = list(in);
    e.iov = iov.entries;
    e.iov_count = static_cast<uint8_t>(iov.count);
    e.request = in.byte();
    e.target = static_cast<uint32_t>(in.below(4) ? in.below(4) : in.number());
    e.flow = in.below(4);
    e.msg_no = in.below(8);
    e.count = in.below(4);
    e.tag = in.number();
    e.immediate = in.number();
    e.length = in.below(4) ? total_bytes(iov.entries ? iov : IovView{}) : in.number();
    e.grant = {static_cast<uint32_t>(in.number()), in.below(4)};
    const bool ranged =
        e.op == nic::SendOp::write || e.op == nic::SendOp::read || e.op == nic::SendOp::atomic;
    if (ranged && in.below(32) != 0) {
        nic::RemoteRange& r = memory_.ranges[next_range_++ % memory_.ranges.size()];
        r.key = in.below(4) ? kWindowKey : in.number();
        r.address = in.number();
        r.length = in.below(2) ? e.length : in.number();
        r.total = in.below(2) ? r.length : in.number();
        r.offset = in.below(4) ? 0 : in.number();
        r.order = in.below(4);
        r.op = static_cast<wire::AtomicOp>(in.byte());
        r.type = static_cast<wire::AtomicType>(in.byte());
        r.kind = static_cast<wire::AtomicKind>(in.below(4));
        e.remote = &r;
    } else if (ranged) {
        e.remote = nullptr;
    }
    if (e.op == nic::SendOp::open_fetch)
        e.fetch = in.below(32) ? &memory_.fetches[in.below(16)] : nullptr;
    const bool fetches = e.op == nic::SendOp::read || e.op == nic::SendOp::atomic ||
                         e.op == nic::SendOp::close_fetch;
    if (fetches && in.below(4)) e.grant = memory_.fetches[in.below(16)];
    return e;
}

nic::ReceiveEntry Host::receive_entry(Input& in) {
    nic::ReceiveEntry e;
    e.op = static_cast<nic::ReceiveOp>(in.below(12));
    e.flags = in.byte();
    const IovView iov = list(in);
    e.iov = iov.entries;
    e.iov_count = static_cast<uint8_t>(iov.count);
    e.request = in.byte();
    e.flow = static_cast<uint32_t>(in.below(4) ? in.below(4) : in.number());
    e.msg_no = in.below(8);
    e.tag = in.below(2) ? in.below(4) : in.number();
    e.ignore = in.below(2) ? 0 : in.number();
    e.source = in.below(2) ? UINT64_MAX : in.number();
    e.minimum = in.number();
    e.inbound = {static_cast<uint32_t>(in.below(4) ? in.below(4) : in.number()), in.below(4)};
    if (e.op == nic::ReceiveOp::give_back) {
        e.buffer = nullptr;
        if (!bounces_.empty()) {
            e.buffer = bounces_.back();
            bounces_.pop_back();
        }
    }
    return e;
}

void Host::any_descriptors(Input& in) {
    const uint32_t qp = queue_pair(in);
    const bool send = in.below(2);
    uint16_t none = 0;
    uint16_t& head = qp < sent_.size() ? (send ? sent_ : received_)[qp] : none;
    const uint8_t count = 1 + in.below(8);
    for (uint8_t i = 0; i < count; ++i) {
        // One pair of rings serves all queue pairs, at the place where this one is.
        const size_t at = static_cast<uint16_t>(head + i) % nic::kQueueEntries;
        if (send)
            memory_.sends[at] = send_entry(in);
        else
            memory_.receives[at] = receive_entry(in);
    }
    const uint16_t wrong = in.below(16) ? 0 : in.take<uint16_t>();
    head = static_cast<uint16_t>(head + count);
    ring(send ? nic::kSendDoorbell : nic::kReceiveDoorbell, qp, static_cast<uint16_t>(head + wrong),
         in.below(4) == 0);
}

void Host::take_entries() {
    for (uint32_t n = 0; n < kCompletions; ++n, ++read_) {
        const nic::CompletionEntry& e = memory_.completions[read_ % kCompletions];
        if (e.phase != (read_ / kCompletions % 2 == 0)) break;
        const bool lent = e.kind == nic::EntryKind::unexpected || e.kind == nic::EntryKind::early;
        if (lent && e.buffer) bounces_.push_back(e.buffer);
    }
}

void Host::read_completions(Input& in) {
    take_entries();
    nic::CompletionDoorbell d;
    d.consumer = read_;
    d.sequence = in.byte();
    d.count = in.below(2) ? 0 : in.byte();
    d.micros = in.below(2) ? 0 : in.byte();
    d.arm = in.below(2);
    if (port()) port()->write64(nic::kCompletionDoorbell, d.value(), now());
}

void Host::any_store(Input& in) {
    nic::FunctionPort* p = port();
    if (!p) return;
    const uint32_t offset =
        in.below(8) ? 0x1000 + 8 * in.below(6) : static_cast<uint32_t>(in.number());
    if (in.below(2)) {
        p->write64(offset, in.below(2) ? in.number() : in.take<uint64_t>(), now());
        (void)p->read64(offset);
        return;
    }
    const uint32_t at = in.below(8) ? 4 * in.below(0x16) : static_cast<uint32_t>(in.number());
    lose_follow(); // of the admin queue it is not known what becomes
    p->write(at, static_cast<uint32_t>(argument(in)), now());
    (void)p->read(at);
}

void Host::any_config(Input& in) {
    nic::ConfigAccess a;
    a.function = in.below(4) ? number_ : in.below(8);
    a.offset = static_cast<uint16_t>(in.below(8) ? in.byte() & ~1u : in.number());
    a.width = in.below(4) ? 2 : in.byte();
    a.write = in.below(2);
    a.value = static_cast<uint32_t>(in.number());
    if (a.write) lose_follow();
    uint32_t value = 0;
    const Status s = slot_.card.bus().config().access(a, now(), value);
    const uint32_t ones = UINT32_MAX >> (32 - 8 * std::clamp<uint32_t>(a.width, 1, 4));
    expect(is_ok(s) || a.write || value == ones, "a failed read gives all ones");
}

// The bench: a device that is done things to, and beside it an honest machine.
class Bench {
public:
    Bench()
        : payloads_(fuzz::payloads()), net_(1), slot_(net_, 1), honest_(net_, 2), one_(slot_, 0),
          other_(slot_, 1) {
        peer_ = honest_.name(1);
        one_.bring_up(true);
        one_.register_memory(kWindowKey, nic::kRegionReadable | nic::kRegionWritable);
        one_.create_queue_pair(false, 0);
        one_.create_address_handle(2);
    }
    void step(Input& in);
    void settle();

private:
    void time_goes_by(Duration d) {
        const Instant end = net_.now + d;
        const Duration step = std::max<Duration>(500us, d / 100);
        for (; net_.now < end; net_.now += step) {
            net_.deliver();
            honest_.module.progress(net_.now, true);
            one_.run();
        }
    }
    void virtual_function(Input& in);
    void honest_traffic(Input& in);

    // What the honest send; it stays until everybody has gone.
    std::vector<std::string> payloads_;
    Net net_;
    Slot slot_;
    Machine honest_;
    Host one_, other_;
    rdm::SourceId peer_ = 0;
    std::string room_ = std::string(20000, '-');
    std::string window_ = std::string(4096, 'w');
};

void Bench::honest_traffic(Input& in) {
    switch (in.below(4)) {
    case 0: (void)honest_.receive(room_, in.below(4)); return;
    case 1: {
        const iovec v{window_.data(), 1 + size_t{in.take<uint16_t>()} % window_.size()};
        const rdm::RemoteMemory range{in.below(4) ? 0 : in.number(), v.iov_len, kWindowKey};
        rdm::RmaRequest r;
        r.iov = &v;
        r.iov_count = 1;
        r.ranges = &range;
        r.range_count = 1;
        r.destination = peer_;
        r.read = in.below(2);
        (void)honest_.endpoint->rma(r, net_.now);
        return;
    }
    default: {
        (void)honest_.send(peer_, payloads_[in.below(8)], in.below(4));
    }
    }
}

void Bench::virtual_function(Input& in) {
    nic::ConfigPort& config = slot_.card.bus().config();
    if (!other_.port()) {
        (void)nic::enable_virtual(config, 2, net_.now);
        other_.bring_up(false);
        return;
    }
    switch (in.below(4)) {
    case 0: other_.bring_up(in.below(8) == 0); break;
    case 1: other_.create_queue_pair(in.below(2), 0); break;
    default: other_.any_command(in);
    }
}

void Bench::step(Input& in) {
    switch (in.below(20)) {
    case 0: return one_.bring_up(in.below(8) != 0);
    case 1: return one_.create_queue_pair(in.below(4) == 0, in.below(4) ? 0 : in.below(4));
    case 2: return one_.create_address_handle(1 + in.below(3));
    case 3: return one_.register_memory(in.below(2) ? kWindowKey : in.number(), in.number());
    case 4:
    case 5: return one_.any_command(in);
    case 6: return one_.any_store(in);
    case 7: return one_.any_config(in);
    case 8: return virtual_function(in);
    case 9: return in.below(8) == 0 ? one_.unmap() : one_.run();
    case 10:
    case 11: return honest_traffic(in);
    case 12:
    case 13: return time_goes_by(in.below(8) ? 500us * in.byte() : 1s * in.below(30));
    case 14: return one_.read_completions(in);
    default: return one_.any_descriptors(in);
    }
}

// Nothing of it lasts.
void Bench::settle() {
    one_.bring_up(true);
    const nic::Device::Usage u = slot_.card.device().usage();
    expect(u.inbound == 0 && u.partials == 0 && u.early_atomics == 0 && u.fetches == 0,
           "a reset leaves nothing under way");
    expect(u.works == 0, "a reset leaves no work");
    one_.register_memory(kWindowKey, nic::kRegionReadable | nic::kRegionWritable);
    one_.create_queue_pair(false, 0);
    expect(one_.follows() && one_.ready(), "a device works again after a reset");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input in(data, size);
    Bench bench;
    for (int steps = 0; steps < 400 && !in.empty(); ++steps)
        bench.step(in);
    bench.settle();
    return 0;
}
