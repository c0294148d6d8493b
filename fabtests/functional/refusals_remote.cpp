// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The same for operations on a peer's memory. What only the peer can find wrong ends in a completion
// with an error, whatever the form of the call.
#include "refusal_cases.hpp"
#include "remote_cases.hpp"

namespace functional {

namespace {

constexpr size_t word = sizeof(uint64_t); // of every piece and every element

// What an operation is called with: all of it right, until a case makes something of it wrong.
struct Call {
    fid_ep* ep = nullptr;
    fi_addr_t to = FI_ADDR_NOTAVAIL;
    uint64_t key = 0;
    uint64_t flags = 0;
    size_t pieces = 1;
    size_t ranges = 1;
    size_t bytes = word; // of a piece
    uint64_t* memory = nullptr;
    void* context = nullptr;

    std::vector<iovec> list() const { return std::vector<iovec>(pieces, {memory, bytes}); }
    std::vector<fi_ioc> elements() const {
        return std::vector<fi_ioc>(pieces, {memory, bytes / word});
    }
    uint64_t total() const { return pieces * bytes; }
};

ssize_t rma_message(const Call& c, bool write) {
    const std::vector<iovec> list = c.list();
    const std::vector<fi_rma_iov> to(c.ranges, {0, c.total() / c.ranges, c.key});
    fi_msg_rma msg{};
    msg.msg_iov = list.data();
    msg.iov_count = list.size();
    msg.addr = c.to;
    msg.rma_iov = to.data();
    msg.rma_iov_count = to.size();
    msg.context = c.context;
    return write ? fi_writemsg(c.ep, &msg, c.flags) : fi_readmsg(c.ep, &msg, c.flags);
}

enum class Atomically { base, fetch, compare };

ssize_t atomic_list(const Call& c, Atomically kind) {
    std::vector<fi_ioc> list = c.elements();
    fi_ioc* const at = list.data();
    const size_t n = list.size();
    switch (kind) {
    case Atomically::base:
        return fi_atomicv(c.ep, at, nullptr, n, c.to, 0, c.key, FI_UINT64, FI_SUM, c.context);
    case Atomically::fetch:
        return fi_fetch_atomicv(c.ep, at, nullptr, n, at, nullptr, n, c.to, 0, c.key, FI_UINT64,
                                FI_SUM, c.context);
    case Atomically::compare:
        return fi_compare_atomicv(c.ep, at, nullptr, n, at, nullptr, n, at, nullptr, n, c.to, 0,
                                  c.key, FI_UINT64, FI_CSWAP, c.context);
    }
    return -FI_EINVAL;
}

ssize_t atomic_message(const Call& c, Atomically kind) {
    std::vector<fi_ioc> list = c.elements();
    const std::vector<fi_rma_ioc> to(c.ranges, {0, c.total() / word / c.ranges, c.key});
    fi_ioc* const at = list.data();
    const size_t n = list.size();
    fi_msg_atomic msg{};
    msg.msg_iov = at;
    msg.iov_count = n;
    msg.addr = c.to;
    msg.rma_iov = to.data();
    msg.rma_iov_count = to.size();
    msg.datatype = FI_UINT64;
    msg.op = kind == Atomically::compare ? FI_CSWAP : FI_SUM;
    msg.context = c.context;
    switch (kind) {
    case Atomically::base: return fi_atomicmsg(c.ep, &msg, c.flags);
    case Atomically::fetch: return fi_fetch_atomicmsg(c.ep, &msg, at, nullptr, n, c.flags);
    case Atomically::compare:
        return fi_compare_atomicmsg(c.ep, &msg, at, nullptr, n, at, nullptr, n, c.flags);
    }
    return -FI_EINVAL;
}

enum class Takes { buffer, copy, list, message };

struct Operation {
    const char* name;
    Takes takes;
    bool atomic;
    uint64_t needs; // of FI_READ and FI_WRITE
    ssize_t (*call)(const Call& c);
};

const Operation operations[] = {
    {"fi_write", Takes::buffer, false, FI_WRITE,
     [](const Call& c) {
         return fi_write(c.ep, c.memory, c.bytes, nullptr, c.to, 0, c.key, c.context);
     }},
    {"fi_writev", Takes::list, false, FI_WRITE,
     [](const Call& c) {
         return fi_writev(c.ep, c.list().data(), nullptr, c.pieces, c.to, 0, c.key, c.context);
     }},
    {"fi_writemsg", Takes::message, false, FI_WRITE,
     [](const Call& c) { return rma_message(c, true); }},
    {"fi_inject_write", Takes::copy, false, FI_WRITE,
     [](const Call& c) { return fi_inject_write(c.ep, c.memory, c.bytes, c.to, 0, c.key); }},
    {"fi_writedata", Takes::buffer, false, FI_WRITE,
     [](const Call& c) {
         return fi_writedata(c.ep, c.memory, c.bytes, nullptr, 1, c.to, 0, c.key, c.context);
     }},
    {"fi_inject_writedata", Takes::copy, false, FI_WRITE,
     [](const Call& c) { return fi_inject_writedata(c.ep, c.memory, c.bytes, 1, c.to, 0, c.key); }},
    {"fi_read", Takes::buffer, false, FI_READ,
     [](const Call& c) {
         return fi_read(c.ep, c.memory, c.bytes, nullptr, c.to, 0, c.key, c.context);
     }},
    {"fi_readv", Takes::list, false, FI_READ,
     [](const Call& c) {
         return fi_readv(c.ep, c.list().data(), nullptr, c.pieces, c.to, 0, c.key, c.context);
     }},
    {"fi_readmsg", Takes::message, false, FI_READ,
     [](const Call& c) { return rma_message(c, false); }},
    {"fi_atomic", Takes::buffer, true, FI_WRITE,
     [](const Call& c) {
         return fi_atomic(c.ep, c.memory, c.bytes / word, nullptr, c.to, 0, c.key, FI_UINT64,
                          FI_SUM, c.context);
     }},
    {"fi_atomicv", Takes::list, true, FI_WRITE,
     [](const Call& c) { return atomic_list(c, Atomically::base); }},
    {"fi_atomicmsg", Takes::message, true, FI_WRITE,
     [](const Call& c) { return atomic_message(c, Atomically::base); }},
    {"fi_inject_atomic", Takes::copy, true, FI_WRITE,
     [](const Call& c) {
         return fi_inject_atomic(c.ep, c.memory, c.bytes / word, c.to, 0, c.key, FI_UINT64, FI_SUM);
     }},
    {"fi_fetch_atomic", Takes::buffer, true, FI_READ,
     [](const Call& c) {
         return fi_fetch_atomic(c.ep, c.memory, c.bytes / word, nullptr, c.memory, nullptr, c.to, 0,
                                c.key, FI_UINT64, FI_SUM, c.context);
     }},
    {"fi_fetch_atomicv", Takes::list, true, FI_READ,
     [](const Call& c) { return atomic_list(c, Atomically::fetch); }},
    {"fi_fetch_atomicmsg", Takes::message, true, FI_READ,
     [](const Call& c) { return atomic_message(c, Atomically::fetch); }},
    {"fi_compare_atomic", Takes::buffer, true, FI_READ,
     [](const Call& c) {
         return fi_compare_atomic(c.ep, c.memory, c.bytes / word, nullptr, c.memory, nullptr,
                                  c.memory, nullptr, c.to, 0, c.key, FI_UINT64, FI_CSWAP,
                                  c.context);
     }},
    {"fi_compare_atomicv", Takes::list, true, FI_READ,
     [](const Call& c) { return atomic_list(c, Atomically::compare); }},
    {"fi_compare_atomicmsg", Takes::message, true, FI_READ,
     [](const Call& c) { return atomic_message(c, Atomically::compare); }},
};

// An endpoint that may do everything to itself.
struct Ground {
    explicit Ground(uint64_t caps = remote_config().caps) {
        Config config;
        config.caps = caps;
        side = std::make_unique<Side>(config);
        self = side->insert(side->name());
        if (caps & (FI_RMA | FI_ATOMIC)) {
            target = std::make_unique<Target>(*side, memory.data(), memory.size() * word);
        }
    }
    Call right() {
        Call c;
        c.ep = side->ep.get();
        c.to = self;
        c.key = target ? target->key : 0;
        c.memory = memory.data();
        c.context = &op;
        return c;
    }
    // What the operation answers once it has looked at the call.
    ssize_t answer(const Operation& one, const Call& c) {
        now_waiting_for("a decision other than -FI_EAGAIN");
        ssize_t ret = -FI_EAGAIN;
        while ((ret = one.call(c)) == -FI_EAGAIN) {
            side->poll();
        }
        return ret;
    }
    void refuses(const Operation& one, const Call& c, ssize_t code) {
        check_ret(answer(one, c), code, one.name);
    }

    std::vector<uint64_t> memory = std::vector<uint64_t>(8192);
    std::unique_ptr<Side> side;
    std::unique_ptr<Target> target;
    fi_addr_t self = FI_ADDR_NOTAVAIL;
    Op op;
};

void for_all(const std::function<void(Ground&, const Operation&, Call)>& wrong) {
    Ground ground;
    for (const Operation& one : operations) {
        wrong(ground, one, ground.right());
    }
    stays_silent(*ground.side);
    check(ground.memory == std::vector<uint64_t>(ground.memory.size()), "nothing was touched");
}

void unknown_flags() {
    for_all([](Ground& ground, const Operation& one, Call c) {
        if (one.takes != Takes::message) {
            return;
        }
        for (const uint64_t flags : {unknown_flag, uint64_t{FI_PEEK}, uint64_t{FI_MULTI_RECV},
                                     uint64_t{FI_REMOTE_READ}, uint64_t{FI_MULTICAST}}) {
            c.flags = flags;
            ground.refuses(one, c, -FI_EINVAL);
        }
        // Data goes with writes only.
        if (one.atomic || (one.needs & FI_READ)) {
            c.flags = FI_REMOTE_CQ_DATA;
            ground.refuses(one, c, -FI_EINVAL);
        }
    });
}

void lists_over_the_limit() {
    for_all([](Ground& ground, const Operation& one, Call c) {
        const fi_tx_attr& tx = *ground.side->info->tx_attr;
        if (one.takes == Takes::list || one.takes == Takes::message) {
            c.pieces = tx.iov_limit + 1;
            ground.refuses(one, c, -FI_EINVAL);
        }
        if (one.takes == Takes::message) {
            c = ground.right();
            c.ranges = tx.rma_iov_limit + 1;
            c.bytes = c.ranges * word;
            ground.refuses(one, c, -FI_EINVAL);
        }
    });
}

void lengths_that_disagree() {
    for_all([](Ground& ground, const Operation& one, Call c) {
        if (one.takes == Takes::message) {
            c.ranges = 3; // into which a word does not divide
            ground.refuses(one, c, -FI_EINVAL);
        }
    });
}

void too_long() {
    for_all([](Ground& ground, const Operation& one, Call c) {
        const fi_info& info = *ground.side->info;
        if (one.atomic) {
            c.bytes = ground.memory.size() * word; // 64 KiB: no packet takes it
        } else {
            c.bytes = one.takes == Takes::copy ? info.tx_attr->inject_size + 1
                                               : info.ep_attr->max_msg_size + 1;
        }
        ground.refuses(one, c, -FI_EMSGSIZE);
    });
}

void unknown_destinations() {
    for_all([](Ground& ground, const Operation& one, Call c) {
        for (const fi_addr_t to : {fi_addr_t{1}, fi_addr_t{1} << 40, FI_ADDR_UNSPEC}) {
            c.to = to;
            ground.refuses(one, c, -FI_EINVAL);
        }
    });
}

void endpoint_not_enabled() {
    Ground ground;
    fid_ep* opened = nullptr;
    check_ok(fi_endpoint(ground.side->domain.get(), ground.side->info.get(), &opened, nullptr),
             "fi_endpoint");
    ground.side->ep = Endpoint(opened); // closes the enabled one
    for (const Operation& one : operations) {
        ground.refuses(one, ground.right(), -FI_EOPBADSTATE);
    }
}

void without_the_capability() {
    for (const uint64_t caps :
         {uint64_t{FI_MSG}, uint64_t{FI_MSG | FI_RMA}, uint64_t{FI_MSG | FI_ATOMIC},
          uint64_t{FI_RMA | FI_ATOMIC | FI_READ | FI_REMOTE_READ | FI_REMOTE_WRITE},
          uint64_t{FI_RMA | FI_ATOMIC | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE}}) {
        Ground ground(caps);
        for (const Operation& one : operations) {
            const bool kind = caps & (one.atomic ? FI_ATOMIC : FI_RMA);
            const bool direction = !(caps & (FI_READ | FI_WRITE)) || (caps & one.needs);
            if (!kind || !direction) {
                ground.refuses(one, ground.right(), -FI_EOPNOTSUPP);
            }
        }
        stays_silent(*ground.side);
    }
}

// The peer's refusal reaches whoever called, in the forms as well that report no success.
void fails(const std::function<void(Ground&, Call&)>& make_wrong, int code) {
    Ground ground;
    for (const Operation& one : operations) {
        Call c = ground.right();
        make_wrong(ground, c);
        ground.refuses(one, c, 0);
        const Completion failed = ground.side->tx_error();
        check_eq(failed.err, code, one.name);
        check_same(failed.context, one.takes == Takes::copy ? nullptr : c.context, one.name);
    }
    stays_silent(*ground.side);
    check(ground.memory == std::vector<uint64_t>(ground.memory.size()), "nothing was touched");
}

void unknown_key() {
    fails([](Ground&, Call& c) { c.key += 1; }, FI_ENOKEY);
    fails([](Ground&, Call& c) { c.key = ~uint64_t{0}; }, FI_ENOKEY);
}

void outside_the_region() {
    fails(
        [](Ground& ground, Call& c) {
            ground.target.reset();
            ground.target = std::make_unique<Target>(*ground.side, ground.memory.data(), word / 2);
            c.key = ground.target->key;
        },
        FI_EACCES);
}

} // namespace

void add_remote_refusal_cases(std::vector<Case>& cases) {
    const std::pair<const char*, void (*)()> all[] = {
        {"unknown flags", unknown_flags},
        {"lists over the limit", lists_over_the_limit},
        {"lengths that disagree", lengths_that_disagree},
        {"too long", too_long},
        {"unknown destinations", unknown_destinations},
        {"endpoint not enabled", endpoint_not_enabled},
        {"without the capability", without_the_capability},
        {"unknown key", unknown_key},
        {"outside the region", outside_the_region},
    };
    for (const auto& [name, run] : all) {
        cases.push_back({std::string("remote memory: ") + name, run});
    }
}

} // namespace functional
