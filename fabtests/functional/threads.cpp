// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Several threads: on one endpoint under FI_THREAD_SAFE, each with a domain or with queues of its
// own under FI_THREAD_DOMAIN and FI_THREAD_COMPLETION.
#include "harness.hpp"

#include <atomic>
#include <exception>
#include <memory>
#include <thread>

#include <sched.h>

using namespace functional;

namespace {

// Runs `body` in `count` threads and passes the first failure on.
void in_threads(size_t count, const std::function<void(size_t)>& body) {
    std::vector<std::exception_ptr> failures(count);
    std::vector<std::thread> threads;
    for (size_t at = 0; at < count; ++at) {
        threads.emplace_back([&, at] {
            try {
                body(at);
            } catch (...) {
                failures[at] = std::current_exception();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const std::exception_ptr& failure : failures) {
        if (failure) {
            std::rethrow_exception(failure);
        }
    }
}

// An operation that whichever thread reads its completion marks as done.
struct SharedOp {
    fi_context2 reserved{}; // first: the context that the provider is given
    std::atomic<int> done = 0;
    size_t len = 0;
};

// Reads any queue of the side, on behalf of all threads.
void read_for_all(Side& side) {
    for (fid_cq* cq : {side.tx.get(), side.rx.get()}) {
        fi_cq_tagged_entry entries[4];
        const ssize_t got = fi_cq_read(cq, entries, std::size(entries));
        if (got == -FI_EAGAIN) {
            continue;
        }
        if (got < 0) {
            fail("fi_cq_read gave " + std::to_string(got));
        }
        for (ssize_t at = 0; at < got; ++at) {
            auto* op = static_cast<SharedOp*>(entries[at].op_context);
            op->len = entries[at].len;
            op->done.fetch_add(1, std::memory_order_release);
        }
    }
}

void post_shared(Side& side, const std::function<ssize_t()>& operation) {
    ssize_t ret = -FI_EAGAIN;
    while ((ret = operation()) == -FI_EAGAIN) {
        read_for_all(side);
    }
    check_ok(ret, "posting");
}

void finish_shared(Side& side, SharedOp& op) {
    while (op.done.load(std::memory_order_acquire) == 0) {
        read_for_all(side);
        sched_yield();
    }
    check_eq(op.done.exchange(0), 1, "each operation completes once");
}

constexpr size_t thread_count = 4;
constexpr uint32_t rounds = 150;

size_t size_of(uint32_t round) {
    return round % 25 == 24 ? 150000 : round % 9 * 100;
}

// Half of the threads send, half receive, all on the same two endpoints and queues.
void one_endpoint(fi_progress progress) {
    Config config;
    config.threading = FI_THREAD_SAFE;
    config.progress = progress;
    Pair pair(config);
    now_waiting_for("threads on one endpoint");
    in_threads(2 * thread_count, [&](size_t thread) {
        const bool sends = thread < thread_count;
        const uint64_t tag = thread % thread_count;
        Side& side = sends ? pair.a() : pair.b();
        const auto op = std::make_unique<SharedOp>();
        for (uint32_t round = 0; round < rounds; ++round) {
            Bytes buffer(size_of(round));
            const auto seed = static_cast<uint32_t>(tag * 1000 + round);
            if (sends) {
                fill(buffer, seed);
                post_shared(side, [&] {
                    return send(side, transfer(Kind::tagged, buffer, pair.to_b(), op.get(), tag));
                });
            } else {
                post_shared(side, [&] {
                    return receive(side,
                                   transfer(Kind::tagged, buffer, FI_ADDR_UNSPEC, op.get(), tag));
                });
            }
            finish_shared(side, *op);
            if (!sends) {
                check_eq(op->len, buffer.size(), "length");
                check_filled(buffer.data(), buffer.size(), seed);
            }
        }
    });
}

// One thread sleeps on a queue while another sends.
void sleeper_and_sender() {
    Config config;
    config.threading = FI_THREAD_SAFE;
    config.wait_obj = FI_WAIT_UNSPEC;
    Pair pair(config);
    now_waiting_for("a sleeping thread and a sending one");
    in_threads(2, [&](size_t thread) {
        for (uint32_t round = 0; round < 100; ++round) {
            Bytes buffer(size_of(round));
            Op op;
            if (thread == 0) {
                fill(buffer, round);
                pair.a().post([&] {
                    return send(pair.a(), transfer(Kind::tagged, buffer, pair.to_b(), &op, round));
                });
                pair.a().sent();
                continue;
            }
            ssize_t got = -FI_EAGAIN;
            while ((got = receive(pair.b(), transfer(Kind::tagged, buffer, FI_ADDR_UNSPEC, &op,
                                                     round))) == -FI_EAGAIN) {
                fi_cq_read(pair.b().rx.get(), nullptr, 0);
            }
            check_ok(got, "posting");
            fi_cq_tagged_entry entry{};
            while ((got = fi_cq_sread(pair.b().rx.get(), &entry, 1, nullptr, -1)) == -FI_EAGAIN) {
            }
            check_ret(got, 1, "fi_cq_sread");
            check_same(entry.op_context, &op, "context");
            check_filled(buffer.data(), buffer.size(), round);
        }
    });
}

void play_alone(Pair& pair, size_t thread) {
    for (uint32_t round = 0; round < rounds; ++round) {
        Bytes out(size_of(round));
        Bytes in(size_of(round));
        Op ops[2];
        const auto seed = static_cast<uint32_t>(thread * 1000 + round);
        fill(out, seed);
        pair.post([&] {
            return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], round));
        });
        pair.post([&] {
            return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1], round));
        });
        check_same(pair.received(1).context, &ops[0], "context");
        pair.sent(0);
        check_filled(in.data(), in.size(), seed);
    }
}

// Nothing is shared below the process: each thread opens, talks and closes on its own.
void domains_of_their_own(fi_threading threading) {
    Config config;
    config.threading = threading;
    now_waiting_for("threads with domains of their own");
    in_threads(thread_count, [&](size_t thread) {
        for (int life = 0; life < 3; ++life) {
            Pair pair(config);
            play_alone(pair, thread);
        }
    });
}

// Endpoints of different threads talk to each other across domains.
void domains_that_talk(fi_threading threading) {
    Config config;
    config.threading = threading;
    Group group(thread_count, config);
    std::atomic<size_t> finished = 0;
    now_waiting_for("threads that talk across domains");
    in_threads(thread_count, [&](size_t thread) {
        Side& side = group[thread];
        const size_t next = (thread + 1) % thread_count;
        const size_t previous = (thread + thread_count - 1) % thread_count;
        for (uint32_t round = 0; round < rounds; ++round) {
            Bytes out(size_of(round));
            Bytes in(size_of(round));
            Op ops[2];
            fill(out, static_cast<uint32_t>(thread * 1000 + round));
            side.post([&] {
                return receive(side, transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], round));
            });
            side.post([&] {
                return send(
                    side, transfer(Kind::tagged, out, group.address(thread, next), &ops[1], round));
            });
            check_eq(side.received().source, group.address(thread, previous), "source");
            side.sent();
            check_filled(in.data(), in.size(), static_cast<uint32_t>(previous * 1000 + round));
        }
        // Under manual progress the neighbours may still need this side to be run.
        ++finished;
        while (finished < thread_count) {
            side.poll();
            sched_yield();
        }
    });
}

// FI_THREAD_COMPLETION: threads share a domain, and nothing that ends in the same queue.
void queues_of_their_own() {
    Config config;
    config.threading = FI_THREAD_COMPLETION;
    Side ground(config);
    now_waiting_for("threads with queues of their own in one domain");
    in_threads(thread_count, [&](size_t thread) {
        Cq cq(ground.domain, FI_CQ_FORMAT_TAGGED, FI_WAIT_NONE, 0);
        Av av = open_av(ground.domain, FI_AV_MAP);
        Endpoint ep = open_endpoint(ground.domain, *ground.info);
        check_ok(fi_ep_bind(ep.get(), av.id(), 0), "bind");
        check_ok(fi_ep_bind(ep.get(), &cq.get()->fid, FI_TRANSMIT | FI_RECV), "bind");
        check_ok(fi_enable(ep.get()), "enable");
        Bytes name(256);
        size_t len = name.size();
        check_ok(fi_getname(ep.id(), name.data(), &len), "fi_getname");
        fi_addr_t self = FI_ADDR_NOTAVAIL;
        check_ret(fi_av_insert(av.get(), name.data(), 1, &self, 0, nullptr), 1, "fi_av_insert");
        for (uint32_t round = 0; round < rounds; ++round) {
            Bytes out(size_of(round));
            Bytes in(size_of(round));
            Op ops[2];
            fill(out, static_cast<uint32_t>(thread * 1000 + round));
            check_ok(fi_trecv(ep.get(), in.data(), in.size(), nullptr, FI_ADDR_UNSPEC, round, 0,
                              &ops[0]),
                     "posting");
            while (fi_tsend(ep.get(), out.data(), out.size(), nullptr, self, round, &ops[1])) {
                cq.poll();
            }
            while (cq.count() < 2) {
                cq.poll();
            }
            check_eq(cq.take().err + cq.take().err, 0, "both end well");
            check_filled(in.data(), in.size(), static_cast<uint32_t>(thread * 1000 + round));
        }
    });
}

void opened_and_closed_together() {
    Config config;
    config.threading = FI_THREAD_SAFE;
    now_waiting_for("threads that open and close");
    in_threads(thread_count, [&](size_t) {
        for (int round = 0; round < 15; ++round) {
            const Side side(config);
            check(!side.name().empty(), "a name");
        }
    });
}

} // namespace

int main(int argc, char** argv) {
    const Case cases[] = {
        {"one endpoint, manual progress", [] { one_endpoint(FI_PROGRESS_MANUAL); }},
        {"one endpoint, automatic progress", [] { one_endpoint(FI_PROGRESS_AUTO); }},
        {"sleeper and sender", sleeper_and_sender},
        {"domains of their own, FI_THREAD_DOMAIN", [] { domains_of_their_own(FI_THREAD_DOMAIN); }},
        {"domains of their own, FI_THREAD_COMPLETION",
         [] { domains_of_their_own(FI_THREAD_COMPLETION); }},
        {"domains of their own, FI_THREAD_SAFE", [] { domains_of_their_own(FI_THREAD_SAFE); }},
        {"domains that talk, FI_THREAD_DOMAIN", [] { domains_that_talk(FI_THREAD_DOMAIN); }},
        {"domains that talk, FI_THREAD_SAFE", [] { domains_that_talk(FI_THREAD_SAFE); }},
        {"queues of their own, FI_THREAD_COMPLETION", queues_of_their_own},
        {"opened and closed together", opened_and_closed_together},
    };
    return run_cases(argc, argv, cases);
}
