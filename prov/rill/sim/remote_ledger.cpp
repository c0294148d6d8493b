// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "sim/remote_ledger.hpp"

#include "sim/naming.hpp"
#include "sim/oracle.hpp"

#include <algorithm>
#include <map>
#include <span>

namespace rill::sim {
namespace {

constexpr uint64_t kReadableKey = 1;
constexpr uint64_t kWordsKey = 2;
constexpr uint64_t kFirstKey = 100; // of the regions that operations write to
constexpr uint64_t kNoKey = 50;
constexpr uint64_t kReadableBytes = 200000;

// Contexts of messages and receives count from 1.
constexpr uint32_t kFirstContext = 1u << 31;

Status add_region(Host& host, uint64_t key, void* memory, uint64_t bytes) {
    const iovec piece{memory, bytes};
    return host.module().driver().register_memory(
        key, false, {.pieces = &piece, .count = 1, .readable = true, .writable = true});
}

} // namespace

uint32_t RemoteLedger::host_of(uint32_t endpoint) const {
    return oracle_.party(endpoint).host;
}

void RemoteLedger::add_host(Host& host) {
    Ground g;
    g.host = &host;
    g.readable = std::make_unique<std::byte[]>(kReadableBytes);
    payload_fill(host.number(), 0, {g.readable.get(), kReadableBytes});
    g.words = std::make_unique<uint64_t[]>(2);
    if (!is_ok(add_region(host, kReadableKey, g.readable.get(), kReadableBytes)) ||
        !is_ok(add_region(host, kWordsKey, g.words.get(), 2 * sizeof(uint64_t))))
        journal_.fail("host %u refuses a memory region", host.number());
    ground_.push_back(std::move(g));
}

void RemoteLedger::draw(RemoteOperation& o, Prng& random) {
    static constexpr RemoteOperation::Kind kinds[] = {
        RemoteOperation::Kind::write, RemoteOperation::Kind::write, RemoteOperation::Kind::read,
        RemoteOperation::Kind::fetch_add, RemoteOperation::Kind::add};
    o.kind = kinds[random.below(std::size(kinds))];
    o.bad_key = random.chance(0.03);
    o.report = random.chance(0.85);
    o.seed = random.next();
    static constexpr uint64_t most[] = {300, 300, 5000, 20000, kReadableBytes};
    o.length = random.below(most[random.below(std::size(most))]);
    const bool write = o.kind == RemoteOperation::Kind::write;
    o.has_data = write && random.chance(0.3);
    if (!write && o.kind != RemoteOperation::Kind::read) o.length = sizeof(uint64_t);
    if (o.bad_key) o.length = std::max<uint64_t>(o.length, 1);
    for (uint64_t left = o.length; left > 0;) {
        const uint64_t piece = random.chance(0.7) ? left : 1 + random.below(left);
        if (o.local.count() + 1 == rdm::kIovMax)
            o.local.add_piece(left);
        else
            o.local.add_piece(piece);
        left = o.local.count() == rdm::kIovMax ? 0 : left - piece;
    }
    if (!write) return o.local.fill_untouched();
    o.local.fill(o.seed);
    o.memory = std::make_unique<std::byte[]>(o.length);
    std::fill_n(o.memory.get(), o.length, kUntouched);
}

void RemoteLedger::act(Host& host, rdm::Endpoint& endpoint, uint32_t from, uint32_t to,
                       Prng& random) {
    RemoteOperation& o = operations_.emplace_back();
    o.id = static_cast<uint32_t>(operations_.size() - 1);
    o.from = from;
    o.to = to;
    draw(o, random);
    const Status s = post(o, host, endpoint, random);
    o.posted = is_ok(s);
    o.posted_at = clock_.now();
    if (o.posted)
        journal_.note("endpoint %u begins remote operation %u of kind %d at %u: %llu bytes", from,
                      o.id, static_cast<int>(o.kind), to,
                      static_cast<unsigned long long>(o.length));
    else
        o.local.release();
    if (o.posted && o.in_advance) o.local.release();
    host.settle();
}

Status RemoteLedger::post(RemoteOperation& o, Host& host, rdm::Endpoint& endpoint, Prng& random) {
    const rdm::SourceId to = oracle_.name_of(host.number(), o.to);
    const bool fence = random.chance(0.1);
    if (o.kind == RemoteOperation::Kind::fetch_add || o.kind == RemoteOperation::Kind::add)
        return post_atomic(o, endpoint, to, fence);
    const bool read = o.kind == RemoteOperation::Kind::read;
    const uint64_t key = o.bad_key ? kNoKey : read ? kReadableKey : kFirstKey + o.id;
    if (!read && !o.bad_key &&
        !is_ok(add_region(*ground_[host_of(o.to)].host, key, o.memory.get(), o.length)))
        journal_.fail("a memory region is refused");
    // In some ranges, which lie one behind the other.
    std::vector<rdm::RemoteMemory> ranges;
    for (uint64_t at = 0; at < o.length || ranges.empty();) {
        const bool last = ranges.size() + 1 == rdm::kRangesMax || random.chance(0.8);
        const uint64_t n = last ? o.length - at : random.below(o.length - at + 1);
        ranges.push_back({at, n, key});
        at += n;
        if (last) break;
    }
    rdm::RmaRequest q;
    q.iov = o.local.iov();
    q.iov_count = o.local.count();
    q.ranges = ranges.data();
    q.range_count = ranges.size();
    q.destination = to;
    q.data = data_of(o.id);
    q.context = context_of(kFirstContext + o.id);
    static constexpr rdm::Level levels[] = {rdm::Level::inject, rdm::Level::transmit,
                                            rdm::Level::delivery};
    q.level = levels[random.below(3)];
    q.read = read;
    q.has_data = o.has_data;
    q.inject = !read && o.length <= rdm::kInjectBytesMax && random.chance(0.5);
    q.fence = fence;
    q.report = o.report;
    o.in_advance = !read && q.level == rdm::Level::inject && o.length <= rdm::kInjectBytesMax;
    return endpoint.rma(q, clock_.now());
}

// Both add 1, to words of their own.
Status RemoteLedger::post_atomic(RemoteOperation& o, rdm::Endpoint& endpoint, rdm::SourceId to,
                                 bool fence) {
    const bool fetches = o.kind == RemoteOperation::Kind::fetch_add;
    const uint64_t one = 1;
    const iovec operand{const_cast<uint64_t*>(&one), sizeof one};
    const iovec result{&o.word, sizeof o.word};
    const rdm::RemoteMemory range{fetches ? 0 : sizeof one, sizeof one,
                                  o.bad_key ? kNoKey : kWordsKey};
    rdm::AtomicRequest q;
    q.operands = &operand;
    q.operand_count = 1;
    q.results = &result;
    q.result_count = fetches ? 1 : 0;
    q.ranges = &range;
    q.range_count = 1;
    q.op = wire::AtomicOp::sum;
    q.type = wire::AtomicType::uint64;
    q.kind = fetches ? wire::AtomicKind::fetch : wire::AtomicKind::base;
    q.destination = to;
    q.context = context_of(kFirstContext + o.id);
    q.fence = fence;
    q.report = o.report;
    return endpoint.atomic(q, clock_.now());
}

void RemoteLedger::completed(uint32_t endpoint, const rdm::Completion& c) {
    const uint64_t id = id_of(c.context) - kFirstContext;
    if (id >= operations_.size()) return journal_.fail("a remote operation that nobody began");
    RemoteOperation& o = operations_[id];
    journal_.mix(id << 8 ^ static_cast<uint64_t>(c.status) ^ o.word << 20);
    journal_.note("remote operation %u: %s", o.id, to_string(c.status));
    if (o.from != endpoint || oracle_.party(endpoint).over)
        return journal_.fail("remote operation %u completes at the wrong endpoint or time", o.id);
    if (o.over) return journal_.fail("remote operation %u completes twice", o.id);
    o.over = true;
    o.status = c.status;
    if (is_ok(c.status))
        check_success(o);
    else
        check_error(o);
    o.local.release();
}

void RemoteLedger::check_success(RemoteOperation& o) {
    if (!o.report) journal_.fail("remote operation %u is told of unasked", o.id);
    if (o.in_advance) return;
    if (o.bad_key) journal_.fail("remote operation %u had a bad key and succeeds", o.id);
    if (o.kind == RemoteOperation::Kind::read &&
        o.local.mismatch(host_of(o.to), 0, o.length) != UINT64_MAX)
        journal_.fail("remote operation %u read wrong bytes", o.id);
    if (o.kind == RemoteOperation::Kind::write &&
        payload_mismatch(o.seed, 0, {o.memory.get(), o.length}) != UINT64_MAX)
        journal_.fail("remote operation %u is complete before its bytes are there", o.id);
}

void RemoteLedger::check_error(const RemoteOperation& o) {
    if (o.bad_key && o.status == Status::bad_key) return;
    Message m; // judged as one of the same fate
    m.id = o.id;
    m.from = o.from;
    m.to = o.to;
    m.status = o.status;
    m.posted_at = o.posted_at;
    oracle_.check_send_error(m);
}

void RemoteLedger::told(uint32_t endpoint, const rdm::Completion& c) {
    const uint64_t id = c.data ^ data_of(0);
    if (id >= operations_.size() || !operations_[id].has_data)
        return journal_.fail("endpoint %u is told of a write that nobody did", endpoint);
    RemoteOperation& o = operations_[id];
    journal_.mix(id);
    if (o.told || o.to != endpoint || c.length != o.length || o.bad_key)
        journal_.fail("endpoint %u is told wrongly of remote operation %u", endpoint, o.id);
    if (payload_mismatch(o.seed, 0, {o.memory.get(), o.length}) != UINT64_MAX)
        journal_.fail("endpoint %u is told of remote operation %u before its bytes are there",
                      endpoint, o.id);
    o.told = true;
}

void RemoteLedger::check_nothing_hangs() {
    for (const RemoteOperation& o : operations_)
        if (o.posted && !o.over && o.report && !oracle_.party(o.from).over)
            journal_.fail("remote operation %u from %u to %u hangs", o.id, o.from, o.to);
}

void RemoteLedger::check_memory() {
    for (const RemoteOperation& o : operations_) {
        if (o.kind != RemoteOperation::Kind::write) continue;
        const std::span bytes(o.memory.get(), o.length);
        const bool untouched = std::ranges::all_of(bytes, [](auto b) { return b == kUntouched; });
        if ((!o.posted || o.bad_key) && !untouched)
            journal_.fail("remote operation %u was refused, and wrote", o.id);
        const bool done = o.over && is_ok(o.status) && !o.in_advance;
        const bool lost = oracle_.reset_between(host_of(o.from), host_of(o.to), o.posted_at);
        if (done && o.has_data && !o.told && !oracle_.party(o.to).over && !lost)
            journal_.fail("remote operation %u: its target was not told", o.id);
    }
    for (uint32_t h = 0; h < ground_.size(); ++h)
        check_words(h);
}

// Every value was fetched once at most, in the order of each endpoint's calls; the words count what
// succeeded, and at most what was begun.
void RemoteLedger::check_words(uint32_t host) {
    uint64_t succeeded[2] = {}, begun[2] = {};
    std::vector<uint64_t> fetched;
    std::map<std::pair<uint32_t, uint32_t>, uint64_t> last;
    for (const RemoteOperation& o : operations_) {
        const bool atomic = o.kind >= RemoteOperation::Kind::fetch_add;
        if (!atomic || !o.posted || o.bad_key || host_of(o.to) != host) continue;
        const bool fetches = o.kind == RemoteOperation::Kind::fetch_add;
        ++begun[!fetches];
        // Silent ones have succeeded if nothing else was said to an endpoint that lives.
        const bool silent = !o.over && !o.report && !oracle_.party(o.from).over;
        if (!(o.over ? is_ok(o.status) : silent)) continue;
        ++succeeded[!fetches];
        if (!fetches) continue;
        fetched.push_back(o.word);
        const auto [it, is_new] = last.try_emplace({o.from, o.to}, o.word);
        if (!is_new && o.word <= it->second)
            journal_.fail("remote operation %u fetched %llu, out of order", o.id,
                          static_cast<unsigned long long>(o.word));
        it->second = o.word;
    }
    std::ranges::sort(fetched);
    if (std::ranges::adjacent_find(fetched) != fetched.end())
        journal_.fail("host %u: a value was fetched twice", host);
    for (int i = 0; i < 2; ++i) {
        const uint64_t word = ground_[host].words[static_cast<size_t>(i)];
        if (word < succeeded[i] || word > begun[i])
            journal_.fail("host %u: word %d is %llu, %llu succeeded of %llu", host, i,
                          static_cast<unsigned long long>(word),
                          static_cast<unsigned long long>(succeeded[i]),
                          static_cast<unsigned long long>(begun[i]));
    }
}

} // namespace rill::sim
