// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Accesses that must fail: an error at the initiator, nothing at all at the target.
#include "remote_cases.hpp"

#include <cstdlib>

#include <sys/mman.h>
#include <unistd.h>

namespace functional {

namespace {

constexpr size_t page = 4096;

// Far from where the kernel places what names no address: once unmapped, nothing else comes there.
struct Pages {
    explicit Pages(size_t count) : bytes(count * page) {
        static uintptr_t next = 0x200000000000;
        at =
            static_cast<uint8_t*>(mmap(reinterpret_cast<void*>(next), bytes, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        check(at != MAP_FAILED, "mmap");
        next += 2 * bytes;
    }
    ~Pages() { munmap(at, bytes); }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;

    uint8_t* at;
    size_t bytes;
};

struct Access {
    bool write;
    size_t size;
};

void post_access(Pair& pair, const Access& a, Bytes& local, uint64_t address, uint64_t key,
                 void* context) {
    local.assign(a.size, 0x77);
    fid_ep* ep = pair.a().ep.get();
    pair.post([&] {
        return a.write
                   ? fi_write(ep, local.data(), a.size, nullptr, pair.to_b(), address, key, context)
                   : fi_read(ep, local.data(), a.size, nullptr, pair.to_b(), address, key, context);
    });
}

void must_fail(Pair& pair, const Access& a, uint64_t address, uint64_t key, int want) {
    Bytes local;
    Op op;
    post_access(pair, a, local, address, key, &op);
    const Completion failed = pair.tx_error(0);
    check_same(failed.context, &op, "context of the error");
    if (want) {
        check_eq(failed.err, want, "the error");
    }
    check_eq(failed.flags & (FI_RMA | FI_READ | FI_WRITE), FI_RMA | (a.write ? FI_WRITE : FI_READ),
             "its flags");
}

// The endpoints go on working.
void must_work(Pair& pair, const Target& target) {
    for (const bool write : {true, false}) {
        Bytes local;
        Op op;
        post_access(pair, {write, 32}, local, target.address, target.key, &op);
        check_same(pair.sent(0).context, &op, "an allowed access");
    }
}

int if_rill(int code) {
    return is_rill() ? code : 0;
}

void bad_key(Access a) {
    Pair pair(remote_config());
    Bytes memory(a.size + 64, 0xee);
    Target target(pair.b(), memory.data(), memory.size());
    must_fail(pair, a, target.address, target.key + 1, if_rill(FI_ENOKEY));
    must_work(pair, target);
    check_ok(target.mr.close(), "closing the region");
    memory.assign(memory.size(), 0xee);
    must_fail(pair, a, target.address, target.key, if_rill(FI_ENOKEY));
    check(memory == Bytes(memory.size(), 0xee), "memory of a closed region stays as it is");
}

void bad_range(Access a) {
    Pair pair(remote_config());
    Bytes memory(a.size + 200, 0xee);
    const Target target(pair.b(), memory.data() + 100, a.size);
    for (const int64_t shift : {int64_t{1}, int64_t{-1}, int64_t(a.size), int64_t{1} << 62}) {
        must_fail(pair, a, target.address + static_cast<uint64_t>(shift), target.key, 0);
    }
    const Access longer{a.write, a.size + 1};
    must_fail(pair, longer, target.address, target.key, 0);
    check(memory == Bytes(memory.size(), 0xee), "nothing was touched");
}

void bad_access(Access a) {
    Pair pair(remote_config());
    Bytes memory(a.size, 0xee);
    const Target target(pair.b(), memory.data(), a.size, 4,
                        a.write ? FI_REMOTE_READ : FI_REMOTE_WRITE);
    must_fail(pair, a, target.address, target.key, if_rill(FI_EACCES));
    check(memory == Bytes(memory.size(), 0xee), "nothing was touched");
}

// Pages from the middle on are of another kind.
void bad_page(Access a, int protection) {
    only_rill("others take a signal at the target");
    Pair pair(remote_config());
    const Pages pages(64);
    const Target target(pair.b(), pages.at, pages.bytes);
    must_work(pair, target);
    const size_t middle = pages.bytes / 2;
    check(mprotect(pages.at + middle, middle, protection) == 0, "mprotect");
    must_fail(pair, a, target.address + middle, target.key, FI_EFAULT);
    must_fail(pair, a, target.address + middle - a.size / 2, target.key, FI_EFAULT);
    must_work(pair, target);
    check(mprotect(pages.at, pages.bytes, PROT_READ | PROT_WRITE) == 0, "mprotect");
    must_work(pair, target);
}

void unmapped(Access a) {
    only_rill("others take a signal at the target");
    Pair pair(remote_config());
    const Pages good(1);
    const Target target(pair.b(), good.at, page, 8);
    std::unique_ptr<Pages> pages = std::make_unique<Pages>(64);
    const Target gone(pair.b(), pages->at, pages->bytes, 9);
    pages.reset();
    must_fail(pair, a, gone.address, gone.key, FI_EFAULT);
    must_work(pair, target);
}

// Unmapped while it is being read: the answer is on its way, the rest of it cannot be.
void unmapped_meanwhile() {
    only_rill("others take a signal at the target");
    Pair pair(remote_config());
    constexpr size_t size = 16 << 20;
    const Pages good(1);
    const Target target(pair.b(), good.at, page, 8);
    std::unique_ptr<Pages> pages = std::make_unique<Pages>(size / page);
    const Target gone(pair.b(), pages->at, pages->bytes, 9);
    Bytes local;
    Op op;
    post_access(pair, {false, size}, local, gone.address, gone.key, &op);
    pair.until("the first bytes",
               [&] { return *static_cast<volatile const uint8_t*>(local.data()) != 0x77; });
    check(pair.a().tx.empty(), "the read is not over");
    pages.reset();
    check_eq(pair.tx_error(0).err, FI_EFAULT, "the error");
    must_work(pair, target);
}

// The region is closed while it is being read.
void closed_meanwhile() {
    only_rill("others go on to read");
    Pair pair(remote_config());
    constexpr size_t size = 16 << 20;
    Bytes memory(size);
    Target target(pair.b(), memory.data(), size);
    Bytes local;
    Op op;
    post_access(pair, {false, size}, local, target.address, target.key, &op);
    pair.until("the first bytes",
               [&] { return *static_cast<volatile const uint8_t*>(local.data()) != 0x77; });
    check_ok(target.mr.close(), "closing the region");
    check_eq(pair.tx_error(0).err, FI_ENOKEY, "the error");
}

// A buffer of our own that is not there.
void own_buffer_unmapped() {
    only_rill("others do not look");
    setenv("FI_RILL_SHM", "0", 1); // the kernel looks, when it is the kernel that copies
    Pair pair(remote_config());
    Bytes memory(64 * page);
    const Target target(pair.b(), memory.data(), memory.size());
    std::unique_ptr<Pages> pages = std::make_unique<Pages>(64);
    uint8_t* const gone = pages->at;
    pages.reset();
    Op op;
    pair.post([&] {
        return fi_write(pair.a().ep.get(), gone, 64 * page, nullptr, pair.to_b(), target.address,
                        target.key, &op);
    });
    check_eq(pair.tx_error(0).err, FI_EFAULT, "the error");
    must_work(pair, target);
}

// The endpoint whose memory it is closes, or its process ends.
void target_goes(Access a, bool killed) {
    two_processes(
        [&](Channel& channel) {
            Side side(remote_config());
            const fi_addr_t peer = exchange(side, channel);
            channel.receive();
            Bytes local(a.size, 0x77);
            Op op;
            side.post([&] {
                return a.write
                           ? fi_write(side.ep.get(), local.data(), a.size, nullptr, peer, 0, 7, &op)
                           : fi_read(side.ep.get(), local.data(), a.size, nullptr, peer, 0, 7, &op);
            });
            check_same(side.tx_error().context, &op, "the operation fails");
        },
        [&](Channel& channel) {
            auto side = std::make_unique<Side>(remote_config());
            exchange(*side, channel);
            side.reset();
            channel.send({});
            if (killed) {
                _exit(0);
            }
        });
}

void bad_calls() {
    Pair pair(remote_config());
    fid_ep* ep = pair.a().ep.get();
    Bytes memory(4096);
    const Target target(pair.b(), memory.data(), memory.size());
    const fi_tx_attr& tx = *pair.a().info->tx_attr;
    Op op;
    check_ret(fi_inject_write(ep, memory.data(), tx.inject_size + 1, pair.to_b(), 0, target.key),
              -FI_EMSGSIZE, "more than the inject size");
    std::vector<iovec> iov(tx.iov_limit + 1, {memory.data(), 8});
    check_refused(fi_writev(ep, iov.data(), nullptr, iov.size(), pair.to_b(), 0, target.key, &op),
                  "more pieces than the limit");
    check_refused(fi_readv(ep, iov.data(), nullptr, iov.size(), pair.to_b(), 0, target.key, &op),
                  "more pieces than the limit");
    std::vector<fi_rma_iov> ranges(tx.rma_iov_limit + 1, {0, 8, target.key});
    fi_msg_rma msg{};
    msg.msg_iov = iov.data();
    msg.iov_count = tx.rma_iov_limit + 1;
    msg.rma_iov = ranges.data();
    msg.rma_iov_count = ranges.size();
    msg.addr = pair.to_b();
    check_refused(fi_writemsg(ep, &msg, 0), "more ranges than the limit");
    msg.iov_count = 1;
    msg.rma_iov_count = 2;
    check_refused(fi_readmsg(ep, &msg, 0), "lengths that disagree");
    msg.rma_iov_count = 1;
    check_refused(fi_writemsg(ep, &msg, FI_MULTI_RECV), "a flag of receives");
    check_refused(fi_readmsg(ep, &msg, FI_REMOTE_CQ_DATA), "data with a read");
    check_refused(fi_write(ep, memory.data(), 8, nullptr, 4711, 0, target.key, &op),
                  "an address that is not there");
    pair.settle();
    check(pair.a().tx.empty() && pair.b().rx.empty(), "nothing came of all that");
}

void not_asked_for() {
    Config config = remote_config();
    config.caps = FI_MSG | FI_TAGGED;
    Side side(config);
    const fi_addr_t me = side.insert(side.name());
    Bytes memory(8);
    Op op;
    check_refused(fi_write(side.ep.get(), memory.data(), 8, nullptr, me, 0, 1, &op),
                  "RMA that was not asked for");
    check_refused(fi_read(side.ep.get(), memory.data(), 8, nullptr, me, 0, 1, &op),
                  "RMA that was not asked for");
}

} // namespace

void add_rma_fault_cases(std::vector<Case>& cases) {
    for (const bool write : {true, false}) {
        for (const size_t size : {size_t{32}, size_t{5000}, 20 * page}) {
            const Access a{write, size};
            const std::string what =
                std::string(write ? "write" : "read") + " of " + std::to_string(size) + ", ";
            cases.push_back({what + "bad key", [=] { bad_key(a); }});
            cases.push_back({what + "bad range", [=] { bad_range(a); }});
            cases.push_back({what + "bad access", [=] { bad_access(a); }});
            cases.push_back({what + "no access to pages", [=] { bad_page(a, PROT_NONE); }});
            if (write) {
                cases.push_back({what + "read-only pages", [=] { bad_page(a, PROT_READ); }});
            }
            cases.push_back({what + "unmapped", [=] { unmapped(a); }});
            cases.push_back({what + "target closed", [=] { target_goes(a, false); }});
            cases.push_back({what + "target's process over", [=] { target_goes(a, true); }});
        }
    }
    cases.push_back({"read, unmapped meanwhile", unmapped_meanwhile});
    cases.push_back({"read, region closed meanwhile", closed_meanwhile});
    cases.push_back({"write out of unmapped memory", own_buffer_unmapped});
    cases.push_back({"bad calls", bad_calls});
    cases.push_back({"not asked for", not_asked_for});
}

} // namespace functional
