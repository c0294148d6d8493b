// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// operations NAME ROUNDS: one operation over and over, between two endpoints of this process that one
// thread drives, so that a round executes the same code each time. `count` runs it under callgrind,
// which collects only in the two functions below.
#include "functional/harness.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>

#include <dlfcn.h>
#include <rdma/fi_atomic.h>
#include <rdma/fi_rma.h>

using namespace functional;

// What one side does in a round, and nothing else (callgrind: --toggle-collect).
extern "C" {
[[gnu::noinline]] ssize_t initiator(const std::function<ssize_t()>& call) {
    return call();
}
[[gnu::noinline]] ssize_t target(const std::function<ssize_t()>& call) {
    const ssize_t ret = call();
    asm volatile(""); // not the same function as the other
    return ret;
}
}

namespace {

constexpr size_t bytes = 64;
constexpr uint64_t tag = 7;
constexpr int warm_up = 100; // rounds in which addresses, paths and windows are learned
// Longer than an acknowledgement waits for company.
constexpr auto notice_time = std::chrono::milliseconds(1);
constexpr auto patience = std::chrono::seconds(5);

// Lines are looked up when callgrind writes its file, which is after libfabric has unloaded the
// provider: so it stays.
void keep_provider_loaded() {
    const char* path = std::getenv("FI_PROVIDER_PATH");
    const std::string module = std::string(path ? path : ".") + "/librill-fi.so";
    if (!dlopen(module.c_str(), RTLD_NOW | RTLD_NODELETE)) {
        fail(dlerror());
    }
}

class Operations {
public:
    Operations() : pair_(config()), memory_(bytes), local_(bytes) {
        fid_mr* region = nullptr;
        check_ok(fi_mr_reg(pair_.b().domain.get(), memory_.data(), memory_.size(),
                           FI_REMOTE_READ | FI_REMOTE_WRITE, 0, 0, 0, &region, nullptr),
                 "fi_mr_reg");
        region_ = Mr(region);
    }

    // False: there is none of that name.
    bool run(std::string_view name, long rounds) {
        void (Operations::*round)(bool) = name == "message"     ? &Operations::message
                                          : name == "read"      ? &Operations::read
                                          : name == "fetch_add" ? &Operations::fetch_add
                                          : name == "look"      ? &Operations::look
                                                                : nullptr;
        if (!round) {
            return false;
        }
        for (long i = -warm_up; i < rounds; ++i) {
            (this->*round)(i >= 0);
        }
        std::printf("in vain: initiator %ld, target %ld\n", vain_[0], vain_[1]);
        return true;
    }

private:
    static Config config() {
        Config c;
        c.caps = FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC;
        return c;
    }
    using Call = std::function<ssize_t()>;
    // On a busy machine a packet may take its time: looks that find nothing are counted for themselves.
    void step(ssize_t (*side)(const Call&), bool counted, const Call& call, ssize_t want) {
        const auto end = std::chrono::steady_clock::now() + patience;
        ssize_t ret = counted ? side(call) : call();
        while (ret != want && std::chrono::steady_clock::now() < end) {
            vain_[side == target] += counted;
            ret = counted ? side(call) : call();
        }
        check_ret(ret, want, "a step of a round");
    }
    void at_initiator(bool counted, const Call& call, ssize_t want = 0) {
        step(initiator, counted, call, want);
    }
    void at_target(bool counted, const Call& call, ssize_t want = 0) {
        step(target, counted, call, want);
    }
    static ssize_t look_at(const Cq& queue) {
        fi_cq_tagged_entry entry;
        return fi_cq_read(queue.get(), &entry, 1);
    }

    // There and back, of which one process is counted: it posts a receive, sends, and looks until the
    // answer is there, with which the notice for its send has come.
    void message(bool counted) {
        at_initiator(counted, [&] { return receive(0); });
        at_initiator(counted, [&] { return send(0); });
        uncounted([&] { return receive(1); }, 0);
        uncounted([&] { return look_at(pair_.b().rx); }, 1);
        uncounted([&] { return send(1); }, 0);
        at_initiator(
            counted, [&] { return look_at(pair_.a().rx); }, 1);
        uncounted([&] { return look_at(pair_.a().tx); }, 1);
        (void)look_at(pair_.b().tx);
    }
    ssize_t receive(size_t side) {
        return fi_trecv(pair_[side].ep.get(), local_.data(), bytes, nullptr, FI_ADDR_UNSPEC, tag, 0,
                        &op_);
    }
    ssize_t send(size_t side) {
        return fi_tsend(pair_[side].ep.get(), memory_.data(), bytes, nullptr,
                        pair_.address(side, 1 - side), tag, &op_);
    }
    void uncounted(const Call& call, ssize_t want) { step(initiator, false, call, want); }
    void read(bool counted) {
        remote(counted, [&] {
            return fi_read(pair_.a().ep.get(), local_.data(), bytes, nullptr, pair_.to_b(), 0,
                           fi_mr_key(region_.get()), &op_);
        });
    }
    void fetch_add(bool counted) {
        remote(counted, [&] {
            return fi_fetch_atomic(pair_.a().ep.get(), &one_, 1, nullptr, local_.data(), nullptr,
                                   pair_.to_b(), 0, fi_mr_key(region_.get()), FI_UINT64, FI_SUM,
                                   &op_);
        });
    }
    void remote(bool counted, const Call& post) {
        at_initiator(counted, post);
        at_target(
            counted, [&] { return look_at(pair_.b().rx); }, -FI_EAGAIN);
        let_target_answer();
        finish(counted);
    }
    void finish(bool counted) {
        at_initiator(
            counted,
            [&] {
                if (!counted) {
                    (void)look_at(pair_.b().rx);
                }
                return look_at(pair_.a().tx);
            },
            1);
    }
    void look(bool counted) {
        at_initiator(
            counted, [&] { return look_at(pair_.a().rx); }, -FI_EAGAIN);
    }
    // What it has to say waits for company: its time comes.
    void let_target_answer() {
        const auto end = std::chrono::steady_clock::now() + notice_time;
        do {
            (void)look_at(pair_.b().tx);
        } while (std::chrono::steady_clock::now() < end);
    }

    long vain_[2] = {}; // looks in vain while counted: initiator, target
    Pair pair_;
    Bytes memory_, local_;
    Mr region_;
    Op op_;
    uint64_t one_ = 1;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s message|read|fetch_add|look ROUNDS\n", argv[0]);
        return 2;
    }
    try {
        keep_provider_loaded();
        if (!Operations().run(argv[1], std::atol(argv[2]))) {
            fail(std::string("no such operation: ") + argv[1]);
        }
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
        return 1;
    }
    return 0;
}
