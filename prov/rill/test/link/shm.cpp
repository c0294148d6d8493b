// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/shm/shm_link.hpp"
#include "link/sockaddr.hpp"
#include "link/udp_link.hpp"
#include "util/prng.hpp"

#include <criterion/criterion.h>

#include <atomic>

#include <cstring>
#include <memory>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <thread>
#include <vector>

using namespace rill;
using namespace rill::link;
using namespace rill::link::shm;
using wire::RxTrain;
using wire::TxTrain;

namespace {

// A train of `bytes`, in pieces, whose every byte follows from `number`.
struct Train {
    Train(uint32_t number, size_t bytes, size_t segment) : data(bytes) {
        for (size_t i = 0; i < bytes; ++i)
            data[i] = byte(number, i);
        const size_t cut = bytes / 3;
        iov[0] = {data.data(), cut};
        iov[1] = {data.data() + cut, bytes - cut};
        tx.segment_bytes = segment;
        tx.total_bytes = bytes;
        tx.iov = iov;
    }
    static std::byte byte(uint32_t number, size_t i) {
        return static_cast<std::byte>(number * 7 + i * 13 + (i >> 8));
    }
    static bool is(const RxTrain& got, uint32_t number, size_t bytes) {
        if (got.total_bytes != bytes) return false;
        for (size_t i = 0; i < bytes; ++i)
            if (got.data[i] != byte(number, i)) return false;
        return true;
    }
    std::vector<std::byte> data;
    iovec iov[2];
    TxTrain tx;
};

// The size of the numbered train: all sizes up to the largest come.
size_t size_of(uint32_t number) {
    Prng r(number + 1);
    const uint64_t kind = r.next() % 4;
    return 1 + r.next() % (kind == 0 ? 64 : kind == 1 ? 2000 : wire::kTrainBytesMax);
}

std::unique_ptr<RingMemory> memory() {
    return std::unique_ptr<RingMemory>(new RingMemory());
}

} // namespace

Test(shm_ring, trains_come_whole_and_in_order_however_they_wrap) {
    auto m = memory();
    RingWriter w(*m);
    RingReader r(*m);
    Prng random(5);
    uint32_t written = 0, read = 0;
    while (read < 3000) {
        if (random.next() % 2) {
            Train t(written, size_of(written), 1 + random.next() % 70000);
            if (is_ok(w.write(t.tx))) ++written;
        } else {
            RxTrain out;
            for (size_t n = random.next() % 20; n > 0; --n) {
                if (r.next(out) != RingReader::Found::train) break;
                cr_assert(Train::is(out, read, size_of(read)));
                cr_assert(out.segment_bytes >= 1 && out.segment_bytes <= out.total_bytes);
                ++read;
            }
            r.release();
        }
    }
}

Test(shm_ring, full_is_an_answer_and_costs_nothing) {
    auto m = memory();
    RingWriter w(*m);
    RingReader r(*m);
    uint32_t written = 0;
    while (is_ok(w.write(Train(written, 5000, 5000).tx)))
        ++written;
    cr_assert_gt(written, kRingBytes / 5000 - 3);
    cr_assert_not(is_ok(w.write(Train(0, 5000, 5000).tx)));
    RxTrain out;
    for (int i = 0; i < 3; ++i) // one for the train, the rest for the end of the ring and the zero
        cr_assert_eq(r.next(out), RingReader::Found::train);
    cr_assert_not(is_ok(w.write(Train(0, 5000, 5000).tx)), "read, but still in use");
    r.release();
    cr_assert(is_ok(w.write(Train(written, 5000, 5000).tx)));
    for (uint32_t i = 3; i <= written; ++i) {
        cr_assert_eq(r.next(out), RingReader::Found::train);
        cr_assert(Train::is(out, i, 5000));
    }
    cr_assert_eq(r.next(out), RingReader::Found::nothing);
}

Test(shm_ring, what_no_writer_writes_is_found_and_never_followed) {
    for (uint32_t length : {uint32_t{wire::kTrainBytesMax} + 1, UINT32_MAX - 1, 0x80000000u}) {
        auto m = memory();
        RingReader r(*m);
        reinterpret_cast<RingEntry*>(m->bytes)->bytes = length;
        RxTrain out;
        cr_assert_eq(r.next(out), RingReader::Found::broken);
    }
    // A reader that claims to have read more than was written, or less than before.
    auto m = memory();
    RingWriter w(*m);
    uint32_t n = 0;
    while (is_ok(w.write(Train(n, 60000, 60000).tx)))
        ++n;
    for (uint64_t taken : {UINT64_MAX, uint64_t{2} * kRingBytes}) {
        m->control.taken = taken;
        cr_assert_not(is_ok(w.write(Train(n, 60000, 60000).tx)));
    }
}

// Two threads: every train arrives, and whoever falls asleep is woken.
Test(shm_ring, no_wake_up_is_lost) {
    auto m = memory();
    constexpr uint32_t kTrains = 20000;
    std::atomic<uint32_t> wakes{0};
    std::thread writer([&] {
        RingWriter w(*m);
        for (uint32_t i = 0; i < kTrains; ++i) {
            Train t(i, 1 + i % 300, 300);
            while (!is_ok(w.write(t.tx)))
                std::this_thread::yield();
            if (w.wake_wanted()) {
                wakes.fetch_add(1);
                wakes.notify_one();
            }
            if (i % 64 == 0) std::this_thread::yield();
        }
    });
    RingReader r(*m);
    uint32_t read = 0, slept = 0;
    while (read < kTrains) {
        RxTrain out;
        if (r.next(out) == RingReader::Found::train) {
            cr_assert(Train::is(out, read, 1 + read % 300));
            ++read;
            r.release();
            continue;
        }
        const uint32_t before = wakes.load();
        if (!r.fall_asleep()) continue;
        wakes.wait(before); // hangs, and the test with it, if the wake-up is lost
        ++slept;
    }
    writer.join();
    cr_assert_gt(slept, 0u);
}

namespace {

struct Host {
    Host() {
        UdpConfig c;
        cr_assert(parse_host("127.0.0.1", c.local));
        std::string error;
        cr_assert(is_ok(UdpLink::open(c, counters, udp, error)), "%s", error.c_str());
        shm = ShmLink::open(*udp, counters);
        cr_assert(shm != nullptr);
    }
    // Everything that is there now; true if it is the one train.
    bool takes(uint32_t number, size_t bytes, const wire::Address& from) {
        RxTrain out[16];
        for (int i = 0; i < 100; ++i) {
            const size_t n = shm->receive(out, true);
            if (n == 0) continue;
            return n == 1 && Train::is(out[0], number, bytes) && out[0].from == from;
        }
        return false;
    }
    wire::Address address() const { return udp->data_address(); }

    obs::Counters counters;
    std::unique_ptr<UdpLink> udp;
    std::unique_ptr<ShmLink> shm;
};

void send(Host& from, Host& to, uint32_t number, size_t bytes, bool from_data_port = false) {
    Train t(number, bytes, bytes);
    t.tx.to = to.address();
    t.tx.from_data_port = from_data_port;
    cr_assert(is_ok(from.shm->send(t.tx)));
    cr_assert(to.takes(number, bytes, from.address()));
}

uint64_t shm_bytes(const Host& h) {
    return h.counters.get(obs::Counter::tx_shm_bytes);
}

// Both send until both have a channel: the one with the smaller address has to begin.
void become_acquainted(Host& a, Host& b) {
    for (uint32_t i = 0; i < 3; ++i) {
        send(a, b, i, 100);
        send(b, a, i, 100);
    }
    cr_assert(a.shm->channels() == 1 && b.shm->channels() == 1);
}

} // namespace

Test(shm_link, processes_of_a_host_come_to_share_memory) {
    Host a, b;
    become_acquainted(a, b);
    const uint64_t before = shm_bytes(a);
    send(a, b, 9, 64000);
    cr_assert_eq(shm_bytes(a), before + 64000);
    send(a, b, 10, 500, true); // what must leave from the data port does
    cr_assert_eq(shm_bytes(a), before + 64000);
}

Test(shm_link, who_sleeps_is_woken) {
    Host a, b;
    become_acquainted(a, b);
    pollfd on = {b.shm->arm(), POLLIN, 0};
    cr_assert_eq(poll(&on, 1, 0), 0);
    Train t(1, 200, 200);
    t.tx.to = b.address();
    cr_assert(is_ok(a.shm->send(t.tx)));
    cr_assert_eq(poll(&on, 1, 5000), 1);
    cr_assert(b.takes(1, 200, a.address()));
    // What came before the sleep keeps one from it.
    cr_assert(is_ok(a.shm->send(t.tx)));
    on = {b.shm->arm(), POLLIN, 0};
    cr_assert_eq(poll(&on, 1, 0), 1);
    cr_assert(b.takes(1, 200, a.address()));
    on = {b.shm->arm(), POLLIN, 0};
    cr_assert_eq(poll(&on, 1, 0), 0);
    // A pass of somebody else meanwhile does not take the wake-up away, or says so.
    RxTrain out[4];
    cr_assert_eq(b.shm->receive(out, true), 0u);
    cr_assert(b.shm->armed());
    cr_assert(is_ok(a.shm->send(t.tx)));
    cr_assert_eq(poll(&on, 1, 5000), 1);
    cr_assert(b.takes(1, 200, a.address()));
    cr_assert_not(b.shm->armed());
}

Test(shm_link, the_end_of_a_peer_is_a_refusal_and_what_it_sent_is_read) {
    Host a;
    auto b = std::make_unique<Host>();
    become_acquainted(a, *b);
    const wire::Address gone = b->address();
    Train t(3, 3000, 3000);
    t.tx.to = a.address();
    cr_assert(is_ok(b->shm->send(t.tx)));
    b.reset();
    RxTrain out[4];
    cr_assert_eq(a.shm->receive(out, true), 1u);
    cr_assert(Train::is(out[0], 3, 3000));
    wire::Address refused;
    cr_assert(a.shm->next_refusal(refused) && refused == gone);
    cr_assert_eq(a.shm->channels(), 0u);
    cr_assert_eq(a.shm->receive(out, true), 0u);
    t.tx.to = gone;
    cr_assert(is_ok(a.shm->send(t.tx)), "by UDP, to nobody");
}

Test(shm_link, a_full_ring_is_answered_with_again_for_a_moment) {
    Host a, b;
    become_acquainted(a, b);
    Train t(1, 60000, 60000);
    t.tx.to = b.address();
    Status s = Status::ok;
    for (int i = 0; i < 100 && is_ok(s); ++i)
        s = a.shm->send(t.tx);
    cr_assert_eq(s, Status::again);
    cr_assert_lt(a.shm->again_after().count(), a.udp->again_after().count());
    RxTrain out[16];
    cr_assert_gt(b.shm->receive(out, false), 0u);
    (void)b.shm->receive({out, 1}, false);
    cr_assert(is_ok(a.shm->send(t.tx)));
}

Test(shm_link, strangers_who_say_nothing_or_nonsense_get_nowhere) {
    Host a;
    std::vector<Fd> silent;
    for (int i = 0; i < 100; ++i) {
        silent.push_back(connect_to(a.address()));
        RxTrain out[1];
        (void)a.shm->receive(out, true);
    }
    Fd liar = connect_to(a.address());
    cr_assert(static_cast<bool>(liar));
    cr_assert_eq(::send(liar.get(), "nonsense", 8, MSG_NOSIGNAL), 8);
    Fd small(memfd_create("small", MFD_ALLOW_SEALING | MFD_CLOEXEC));
    Fd thief = connect_to(a.address());
    wire::Address name = a.address().with_port(1);
    cr_assert(send_offer(thief, name, small), "of memory that is too short");
    for (int i = 0; i < 10; ++i) {
        RxTrain out[1];
        (void)a.shm->receive(out, true);
    }
    cr_assert_eq(a.shm->channels(), 0u);
    Host b;
    become_acquainted(a, b);
}
