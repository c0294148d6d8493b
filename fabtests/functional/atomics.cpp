// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Atomic operations: the whole matrix of operations and types in every form, against values computed
// here; their order; that each is executed once; what must fail.
#include "atomic_reference.hpp"
#include "remote_cases.hpp"

#include <cstring>

#include <sys/mman.h>

using namespace functional;

namespace {

enum class Form3 { plain, vector, message, inject };
const char* name_of(Form3 form) {
    switch (form) {
    case Form3::plain: return "plain";
    case Form3::vector: return "vector";
    case Form3::message: return "msg";
    case Form3::inject: return "inject";
    }
    return "";
}

// One operation on `count` elements, by any form.
struct Atomic {
    AtomicForm kind;
    Form3 form;
    fi_op op;
    fi_datatype type;
    size_t count;
    Bytes* operand;
    Bytes* compare;
    Bytes* result;
    fi_addr_t peer;
    uint64_t address;
    uint64_t key;
    uint64_t flags;
    void* context;
};

// In two pieces, where there is enough for two.
std::vector<fi_ioc> pieces(Bytes& bytes, size_t count, size_t element) {
    if (count < 2) {
        return {{bytes.data(), count}};
    }
    return {{bytes.data(), 1}, {bytes.data() + element, count - 1}};
}

ssize_t post_plain(fid_ep* ep, const Atomic& a) {
    const void* in = a.op == FI_ATOMIC_READ ? nullptr : a.operand->data();
    switch (a.kind) {
    case AtomicForm::base:
        if (a.form == Form3::inject) {
            return fi_inject_atomic(ep, in, a.count, a.peer, a.address, a.key, a.type, a.op);
        }
        return fi_atomic(ep, in, a.count, nullptr, a.peer, a.address, a.key, a.type, a.op,
                         a.context);
    case AtomicForm::fetch:
        return fi_fetch_atomic(ep, in, a.count, nullptr, a.result->data(), nullptr, a.peer,
                               a.address, a.key, a.type, a.op, a.context);
    case AtomicForm::compare:
        return fi_compare_atomic(ep, in, a.count, nullptr, a.compare->data(), nullptr,
                                 a.result->data(), nullptr, a.peer, a.address, a.key, a.type, a.op,
                                 a.context);
    }
    return -FI_EINVAL;
}

ssize_t post(fid_ep* ep, const Atomic& a) {
    if (a.form == Form3::plain || a.form == Form3::inject) {
        return post_plain(ep, a);
    }
    const size_t element = bytes_of(a.type);
    const bool reads = a.op == FI_ATOMIC_READ;
    std::vector<fi_ioc> in = reads ? std::vector<fi_ioc>() : pieces(*a.operand, a.count, element);
    std::vector<fi_ioc> with, out;
    if (a.kind != AtomicForm::base) {
        out = pieces(*a.result, a.count, element);
    }
    if (a.kind == AtomicForm::compare) {
        with = pieces(*a.compare, a.count, element);
    }
    // The target in two ranges as well, cut elsewhere.
    std::vector<fi_rma_ioc> to = {{a.address, a.count, a.key}};
    if (a.count > 2) {
        to = {{a.address, a.count - 1, a.key}, {a.address + (a.count - 1) * element, 1, a.key}};
    }
    fi_msg_atomic msg{};
    msg.msg_iov = in.data();
    msg.iov_count = in.size();
    msg.addr = a.peer;
    msg.rma_iov = to.data();
    msg.rma_iov_count = to.size();
    msg.datatype = a.type;
    msg.op = a.op;
    msg.context = a.context;
    const bool message = a.form == Form3::message;
    switch (a.kind) {
    case AtomicForm::base:
        return message ? fi_atomicmsg(ep, &msg, a.flags | FI_COMPLETION)
                       : fi_atomicv(ep, in.data(), nullptr, in.size(), a.peer, a.address, a.key,
                                    a.type, a.op, a.context);
    case AtomicForm::fetch:
        return message ? fi_fetch_atomicmsg(ep, &msg, out.data(), nullptr, out.size(),
                                            a.flags | FI_COMPLETION)
                       : fi_fetch_atomicv(ep, in.data(), nullptr, in.size(), out.data(), nullptr,
                                          out.size(), a.peer, a.address, a.key, a.type, a.op,
                                          a.context);
    case AtomicForm::compare:
        return message
                   ? fi_compare_atomicmsg(ep, &msg, with.data(), nullptr, with.size(), out.data(),
                                          nullptr, out.size(), a.flags | FI_COMPLETION)
                   : fi_compare_atomicv(ep, in.data(), nullptr, in.size(), with.data(), nullptr,
                                        with.size(), out.data(), nullptr, out.size(), a.peer,
                                        a.address, a.key, a.type, a.op, a.context);
    }
    return -FI_EINVAL;
}

// What the endpoint says it can do; 0: not this.
size_t limit_of(fid_ep* ep, AtomicForm kind, fi_op op, fi_datatype type) {
    size_t count = 0;
    int ret = 0;
    switch (kind) {
    case AtomicForm::base: ret = fi_atomicvalid(ep, type, op, &count); break;
    case AtomicForm::fetch: ret = fi_fetch_atomicvalid(ep, type, op, &count); break;
    case AtomicForm::compare: ret = fi_compare_atomicvalid(ep, type, op, &count); break;
    }
    return ret == 0 ? count : 0;
}

// Every operation and type of one form.
void matrix(AtomicForm kind, Form3 form, uint64_t flags) {
    Pair pair(remote_config());
    fid_ep* ep = pair.a().ep.get();
    Bytes memory(4096);
    const Target target(pair.b(), memory.data(), memory.size());
    uint32_t seed = 1;
    size_t done = 0;
    for (const fi_datatype type : all_atomic_types) {
        for (int number = FI_MIN; number <= FI_MSWAP; ++number) {
            const auto op = static_cast<fi_op>(number);
            const size_t limit = limit_of(ep, kind, op, type);
            const bool exists = atomic_exists(kind, op, type);
            if (is_rill()) {
                check_eq(limit > 0, exists,
                         "is there operation " + std::to_string(op) + " for type " +
                             std::to_string(type));
            }
            if (limit == 0 || !exists) {
                continue;
            }
            for (const size_t count : {size_t{1}, std::min<size_t>(limit, 3), limit}) {
                const size_t bytes = count * bytes_of(type);
                Bytes operand(bytes), compare(bytes), result(bytes, 0xdd), seen(bytes);
                fill_elements(type, operand, seed++);
                fill_elements(type, compare, seed++);
                Bytes before(bytes);
                fill_elements(type, before, seed++);
                // Half of the comparisons hit.
                memcpy(before.data(), compare.data(), (count + 1) / 2 * bytes_of(type));
                std::fill(memory.begin(), memory.end(), 0xee);
                memcpy(memory.data() + 64, before.data(), bytes);
                Op context;
                const Atomic a{kind,       form,     op,      type,        count,
                               &operand,   &compare, &result, pair.to_b(), target.address + 64,
                               target.key, flags,    &context};
                pair.post([&] { return post(ep, a); });
                const Bytes want = atomic_reference(op, type, before, operand, compare);
                if (form == Form3::inject || (flags & FI_INJECT)) {
                    std::fill(operand.begin(), operand.end(), 0);
                }
                // A result is there when the operation is over, whatever the level.
                const bool in_advance = form == Form3::inject ||
                                        (kind == AtomicForm::base && (flags & FI_INJECT_COMPLETE));
                Op look_context;
                if (in_advance) {
                    // A fetch after it, which the order of atomics puts behind it.
                    const Atomic look{AtomicForm::fetch,
                                      Form3::plain,
                                      FI_ATOMIC_READ,
                                      type,
                                      1,
                                      &operand,
                                      nullptr,
                                      &seen,
                                      pair.to_b(),
                                      target.address + 64,
                                      target.key,
                                      0,
                                      &look_context};
                    pair.post([&] { return post(ep, look); });
                }
                if (form != Form3::inject) {
                    const Completion over = pair.sent(0);
                    check_same(over.context, &context, "context");
                    const uint64_t direction = kind == AtomicForm::base ? FI_WRITE : FI_READ;
                    check_eq(over.flags & (FI_ATOMIC | FI_RMA | FI_READ | FI_WRITE),
                             FI_ATOMIC | direction, "flags");
                }
                if (in_advance) {
                    check_same(pair.sent(0).context, &look_context, "context of the fetch");
                }
                const std::string what = "operation " + std::to_string(op) + " on " +
                                         std::to_string(count) + " of type " + std::to_string(type);
                check(same_elements(type, memory.data() + 64, want.data(), count), what);
                if (kind != AtomicForm::base) {
                    check(same_elements(type, result.data(), before.data(), count),
                          what + ": result");
                }
                check(memory[63] == 0xee && memory[64 + bytes] == 0xee, "bytes around it");
                ++done;
            }
        }
    }
    check(done > 0, "something was tried");
}

void query() {
    Side side(remote_config());
    for (const fi_datatype type : all_atomic_types) {
        for (int number = FI_MIN; number <= FI_MSWAP; ++number) {
            const auto op = static_cast<fi_op>(number);
            for (const auto& [kind, flags] :
                 {std::pair{AtomicForm::base, uint64_t{0}},
                  std::pair{AtomicForm::fetch, uint64_t{FI_FETCH_ATOMIC}},
                  std::pair{AtomicForm::compare, uint64_t{FI_COMPARE_ATOMIC}}}) {
                fi_atomic_attr attr{};
                const int ret = fi_query_atomic(side.domain.get(), type, op, &attr, flags);
                const size_t limit = limit_of(side.ep.get(), kind, op, type);
                check_eq(ret == 0, limit > 0, "fi_query_atomic and fi_atomicvalid agree");
                if (ret == 0) {
                    check_eq(attr.count, limit, "count");
                    check_eq(attr.size, bytes_of(type), "size");
                }
            }
        }
    }
    fi_atomic_attr attr{};
    check_ret(fi_query_atomic(side.domain.get(), FI_UINT64, FI_SUM, &attr, FI_TAGGED),
              -FI_EOPNOTSUPP, "on receive buffers");
    check_refused(fi_query_atomic(side.domain.get(), FI_UINT64, FI_SUM, &attr,
                                  FI_FETCH_ATOMIC | FI_COMPARE_ATOMIC),
                  "fetching and comparing");
    size_t count = 0;
    check_refused(fi_atomicvalid(side.ep.get(), static_cast<fi_datatype>(200), FI_SUM, &count),
                  "an unknown type");
    check_refused(fi_atomicvalid(side.ep.get(), FI_INT32, static_cast<fi_op>(200), &count),
                  "an unknown operation");
}

// Sums of many, from two endpoints at once: each is executed once, and nothing is lost between.
void counted_once(size_t each) {
    Group group(3, remote_config());
    alignas(8) uint64_t word = 0;
    fid_mr* region = nullptr;
    check_ok(fi_mr_reg(group[2].domain.get(), &word, sizeof word, FI_REMOTE_READ | FI_REMOTE_WRITE,
                       0, 5, 0, &region, nullptr),
             "fi_mr_reg");
    const Mr mr(region);
    const uint64_t key = fi_mr_key(region);
    const uint64_t one = 1;
    std::vector<uint64_t> seen(2 * each);
    std::vector<Op> ops(2 * each);
    size_t over = 0;
    const auto drain = [&] {
        for (const size_t side : {0, 1}) {
            for (; !group[side].tx.empty(); ++over) {
                check_eq(group[side].tx.take().err, 0, "an operation");
            }
        }
    };
    for (size_t at = 0; at < 2 * each; ++at) {
        const size_t side = at % 2;
        group.post([&] {
            return fi_fetch_atomic(group[side].ep.get(), &one, 1, nullptr, &seen[at], nullptr,
                                   group.address(side, 2), 0, key, FI_UINT64, FI_SUM, &ops[at]);
        });
        drain();
    }
    group.until("all sums", [&] {
        drain();
        return over == 2 * each;
    });
    check_eq(word, 2 * each, "the sum");
    std::vector<bool> had(2 * each);
    for (const uint64_t value : seen) {
        check(value < 2 * each && !had[value], "every value was seen once");
        had[value] = true;
    }
    for (size_t at = 2; at < 2 * each; ++at) {
        check(seen[at] > seen[at - 2], "in the order of one endpoint's calls");
    }
}

// Base, fetching and comparing operations of one endpoint happen in the order of the calls.
void in_order() {
    Pair pair(remote_config());
    alignas(8) uint64_t words[2] = {0, 0};
    const Target target(pair.b(), words, sizeof words);
    fid_ep* ep = pair.a().ep.get();
    constexpr uint64_t rounds = 300;
    std::vector<uint64_t> seen(rounds), old(rounds);
    std::vector<Op> ops(3 * rounds);
    size_t over = 0;
    const auto drain = [&] {
        for (; !pair.a().tx.empty(); ++over) {
            check_eq(pair.a().tx.take().err, 0, "an operation");
        }
    };
    for (uint64_t round = 0; round < rounds; ++round) {
        const uint64_t value = round + 1;
        pair.post([&] {
            return fi_atomic(ep, &value, 1, nullptr, pair.to_b(), target.address, target.key,
                             FI_UINT64, FI_ATOMIC_WRITE, &ops[3 * round]);
        });
        pair.post([&] {
            return fi_fetch_atomic(ep, nullptr, 1, nullptr, &seen[round], nullptr, pair.to_b(),
                                   target.address, target.key, FI_UINT64, FI_ATOMIC_READ,
                                   &ops[3 * round + 1]);
        });
        // Succeeds only straight behind the write above.
        const uint64_t next = 1000 + round;
        pair.post([&] {
            return fi_compare_atomic(ep, &next, 1, nullptr, &value, nullptr, &old[round], nullptr,
                                     pair.to_b(), target.address, target.key, FI_UINT64, FI_CSWAP,
                                     &ops[3 * round + 2]);
        });
        drain();
    }
    pair.until("all operations", [&] {
        drain();
        return over == 3 * rounds;
    });
    for (uint64_t round = 0; round < rounds; ++round) {
        check_eq(seen[round], round + 1, "a read behind a write");
        check_eq(old[round], round + 1, "a swap behind both");
    }
    check_eq(words[0], 1000 + rounds - 1, "the last swap");
}

void self() {
    Side side(remote_config());
    const fi_addr_t me = side.insert(side.name());
    alignas(8) uint64_t word = 40;
    const Target target(side, &word, sizeof word);
    const uint64_t two = 2;
    uint64_t old = 0;
    Op op;
    side.post([&] {
        return fi_fetch_atomic(side.ep.get(), &two, 1, nullptr, &old, nullptr, me, target.address,
                               target.key, FI_UINT64, FI_SUM, &op);
    });
    side.sent();
    check_eq(old, 40u, "before");
    check_eq(word, 42u, "after");
}

void must_fail(Pair& pair, bool fetch, uint64_t address, uint64_t key, int want) {
    const uint64_t one = 1;
    uint64_t old = 0;
    Op op;
    fid_ep* ep = pair.a().ep.get();
    pair.post([&] {
        return fetch ? fi_fetch_atomic(ep, &one, 1, nullptr, &old, nullptr, pair.to_b(), address,
                                       key, FI_UINT64, FI_SUM, &op)
                     : fi_atomic(ep, &one, 1, nullptr, pair.to_b(), address, key, FI_UINT64, FI_SUM,
                                 &op);
    });
    const Completion failed = pair.tx_error(0);
    check_same(failed.context, &op, "context of the error");
    if (is_rill()) {
        check_eq(failed.err, want, "the error");
    }
}

void faults(bool fetch) {
    Pair pair(remote_config());
    constexpr size_t page = 4096;
    auto* memory = static_cast<uint8_t*>(
        mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    check(memory != MAP_FAILED, "mmap");
    const Target target(pair.b(), memory, 3 * page);
    const Target readable(pair.b(), memory, page, 9, FI_REMOTE_READ);
    must_fail(pair, fetch, target.address, target.key + 1, FI_ENOKEY);
    must_fail(pair, fetch, target.address + 3 * page - 4, target.key, FI_EACCES);
    must_fail(pair, fetch, readable.address, readable.key, FI_EACCES);
    if (is_rill()) {
        check(mprotect(memory + page, page, PROT_READ) == 0, "mprotect");
        must_fail(pair, fetch, target.address + page, target.key, FI_EFAULT);
        check(munmap(memory + 2 * page, page) == 0, "munmap");
        must_fail(pair, fetch, target.address + 2 * page + 8, target.key, FI_EFAULT);
    }
    // What follows is executed: a failed one leaves no gap in the order.
    const uint64_t one = 1;
    uint64_t old = 7;
    Op op;
    pair.post([&] {
        return fi_fetch_atomic(pair.a().ep.get(), &one, 1, nullptr, &old, nullptr, pair.to_b(),
                               target.address, target.key, FI_UINT64, FI_SUM, &op);
    });
    pair.sent(0);
    check_eq(old, 0u, "the memory stayed as it was");
    munmap(memory, 2 * page);
}

void bad_calls() {
    Pair pair(remote_config());
    fid_ep* ep = pair.a().ep.get();
    Bytes memory(8192);
    Op op;
    size_t limit = limit_of(ep, AtomicForm::base, FI_SUM, FI_INT64);
    check_refused(
        fi_atomic(ep, memory.data(), limit + 1, nullptr, pair.to_b(), 0, 1, FI_INT64, FI_SUM, &op),
        "more elements than there can be");
    check_refused(
        fi_atomic(ep, memory.data(), 0, nullptr, pair.to_b(), 0, 1, FI_INT64, FI_SUM, &op),
        "no elements");
    check_refused(
        fi_atomic(ep, memory.data(), 1, nullptr, pair.to_b(), 0, 1, FI_FLOAT, FI_BOR, &op),
        "an operation that the type does not have");
    check_refused(
        fi_atomic(ep, memory.data(), 1, nullptr, pair.to_b(), 0, 1, FI_INT64, FI_CSWAP, &op),
        "a comparing operation with nothing to compare with");
    check_refused(fi_fetch_atomic(ep, memory.data(), 1, nullptr, memory.data(), nullptr,
                                  pair.to_b(), 0, 1, static_cast<fi_datatype>(99), FI_SUM, &op),
                  "an unknown type");
    pair.settle();
    check(pair.a().tx.empty(), "nothing came of all that");
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases;
    constexpr std::pair<const char*, uint64_t> levels[] = {
        {"inject complete", FI_INJECT_COMPLETE},
        {"transmit complete", FI_TRANSMIT_COMPLETE},
        {"delivery complete", FI_DELIVERY_COMPLETE},
    };
    for (const auto& [kind, kind_name] :
         {std::pair{AtomicForm::base, "base"}, std::pair{AtomicForm::fetch, "fetch"},
          std::pair{AtomicForm::compare, "compare"}}) {
        for (const Form3 form : {Form3::plain, Form3::vector, Form3::message, Form3::inject}) {
            if (form == Form3::inject && kind != AtomicForm::base) {
                continue;
            }
            cases.push_back({std::string(kind_name) + ", " + name_of(form),
                             [=, kind = kind] { matrix(kind, form, 0); }});
        }
        for (const auto& [level_name, level] : levels) {
            cases.push_back(
                {std::string(kind_name) + ", msg, " + level_name,
                 [=, kind = kind, level = level] { matrix(kind, Form3::message, level); }});
        }
    }
    cases.push_back(
        {"base, msg, FI_INJECT", [] { matrix(AtomicForm::base, Form3::message, FI_INJECT); }});
    cases.push_back({"query", query});
    cases.push_back({"counted once", [] { counted_once(2000); }});
    cases.push_back({"in order", in_order});
    cases.push_back({"self", self});
    cases.push_back({"faults, base", [] { faults(false); }});
    cases.push_back({"faults, fetch", [] { faults(true); }});
    cases.push_back({"bad calls", bad_calls});
    return run_cases(argc, argv, cases);
}
