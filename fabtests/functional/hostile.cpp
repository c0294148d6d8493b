// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Attacks over real sockets on loopback, one a case. Each shows by counters what was refused, and that
// honest traffic went on meanwhile: every operation of it succeeds, no peer is lost, no byte is changed.
// SECURITY.md says what is promised, and against whom.
#include "attacker.hpp"
#include "remote_cases.hpp"

#include <cstdlib>
#include <random>

namespace functional {

namespace {

constexpr uint64_t region_key = 7;

Config open_to_all() {
    Config config;
    config.caps = FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC;
    config.addr_format = FI_SOCKADDR_IN;
    return config;
}

// Side 0 is the friend, side 1 the victim. They are at work before anybody else comes, over UDP, with a
// memory region that the friend writes.
class Scene {
public:
    static constexpr size_t victim = 1;

    explicit Scene(const char* open = "lax") {
        only_rill("its ports are UDP ports");
        setenv("FI_RILL_SHM", "0", 1);
        setenv("FI_RILL_OPEN", open, 1);
        pair_.emplace(open_to_all());
        memory_.assign(4096, 0xee);
        target_.emplace(pair_->b(), memory_.data(), memory_.size(), region_key);
        honest(20000);
    }

    Pair& pair() { return *pair_; }
    Side& friend_side() { return pair_->a(); }
    Side& victim_side() { return pair_->b(); }

    // A checked message and a checked write.
    void honest(size_t size) {
        const uint32_t round = ++rounds_;
        Bytes out(size), in(size), piece(64);
        Op ops[3];
        fill(out, round);
        fill(piece, round);
        Pair& p = *pair_;
        p.post([&] {
            return receive(p.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], tag(round)));
        });
        p.post([&] {
            return send(p.a(), transfer(Kind::tagged, out, p.to_b(), &ops[1], tag(round)));
        });
        check_same(p.received(victim).context, &ops[0], "the receive");
        check_filled(in.data(), size, round);
        p.sent(0);
        p.post([&] {
            return fi_write(p.a().ep.get(), piece.data(), piece.size(), nullptr, p.to_b(),
                            target_->address + 128, target_->key, &ops[2]);
        });
        check_same(p.sent(0).context, &ops[2], "the write");
        p.until("bytes in the region",
                [&] { return memcmp(memory_.data() + 128, piece.data(), piece.size()) == 0; });
    }
    // At the end: what must not have happened.
    void unharmed() {
        honest(100000);
        pair_->settle();
        check(pair_->b().rx.empty(), "the victim received nothing else");
        check(pair_->a().tx.empty() && pair_->b().tx.empty(), "no operation ended by it");
        for (Side* side : {&friend_side(), &victim_side()}) {
            check_eq(counter(*side, "peers_unreachable"), 0u, "peers unreachable");
        }
        for (size_t at = 0; at < memory_.size(); ++at) {
            const bool ours = at >= 128 && at < 192;
            check(ours || memory_[at] == 0xee, "the region is as it was");
        }
    }
    void keeps_its_peers() {
        for (Side* side : {&friend_side(), &victim_side()}) {
            check_eq(counter(*side, "peers_dead"), 0u, "peers dead");
            check_eq(counter(*side, "peers_gone"), 0u, "peers gone");
        }
    }

private:
    static uint64_t tag(uint32_t round) { return 0x1000000 + round; }

    std::optional<Pair> pair_;
    Bytes memory_;
    std::optional<Target> target_;
    uint32_t rounds_ = 0;
};

// How much a counter of the victim's has grown.
class Growth {
public:
    Growth(const Side& side, const char* name)
        : side_(side), name_(name), before_(counter(side, name)) {}
    uint64_t operator()() const { return counter(side_, name_) - before_; }

private:
    const Side& side_;
    const char* name_;
    uint64_t before_;
};

// ---- outsiders --------------------------------------------------------------------------------

// Every type of packet, for contexts that there may be, with tokens that are guessed.
std::vector<Bytes> guesses(size_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Bytes> list;
    for (size_t i = 0; i < count; ++i) {
        wire::Header h;
        h.type = static_cast<uint8_t>(wire::data + i % 6);
        h.context = static_cast<uint32_t>(i % 3 ? 1 + random() % 8 : random());
        h.token = random();
        h.psn = static_cast<uint32_t>(random());
        h.cumulative = static_cast<uint32_t>(random());
        if (i % 2) {
            h.flags |= wire::has_ack;
        }
        Datagram packet(h);
        if (h.flags & wire::has_ack) {
            packet.add(wire::Ack{});
        }
        if (h.type == wire::data) {
            packet.add(wire::Message{});
        }
        list.push_back(packet);
    }
    return list;
}

void injection_off_the_path() {
    Scene scene;
    AttackSocket ears;
    Insider to_victim(scene.pair(), Scene::victim, ears), to_friend(scene.pair(), 0, ears);
    Spoofer spoofer;
    Growth wrong_context(scene.victim_side(), "drop_context");
    Growth wrong_token(scene.victim_side(), "drop_token");
    size_t sent = 0;
    for (const Bytes& packet : guesses(3000, 5)) {
        // As if the friend's device had sent it, and to the friend as if the victim's had.
        spoofer.send(to_friend.data(), to_victim.data(), packet);
        spoofer.send(to_victim.data(), to_friend.data(), packet);
        if (++sent % 100 == 0) {
            scene.honest(sent);
        }
    }
    scene.unharmed();
    scene.keeps_its_peers();
    check(wrong_context() + wrong_token() > sent / 2, "they are counted");
    diag("refused at the victim: " + std::to_string(wrong_context()) + " without a context, " +
         std::to_string(wrong_token()) + " with a wrong token, of " + std::to_string(sent));
}

// From addresses that nobody has named: nothing is kept of any of them, answers are no longer.
void openings_of_strangers() {
    Scene scene;
    Growth cookies(scene.victim_side(), "drop_cookie");
    Growth accepted(scene.victim_side(), "contexts_accepted");
    AttackSocket stranger("127.0.0.77");
    constexpr size_t openings = 20000;
    size_t before = 0;
    for (size_t i = 0; i < openings; ++i) {
        wire::Header h;
        h.type = i % 2 ? wire::data : wire::control;
        h.flags = wire::has_hello | wire::ack_now;
        h.psn = 1000;
        Datagram packet(h, some_hello(0x57a00000 + i, stranger.port()));
        if (h.type == wire::data) {
            packet.add(wire::Message{});
        }
        stranger.send(address_of(scene.victim_side()), packet);
        if (i % 64 == 0) {
            scene.pair().poll();
            stranger.drain();
        }
        if (i % 1000 == 0) {
            scene.honest(i);
        }
        if (i == openings / 10) {
            before = resident_kb();
        }
    }
    scene.pair().settle();
    stranger.drain();
    const size_t grown = resident_kb() - before;
    scene.unharmed();
    scene.keeps_its_peers();
    check_eq(accepted(), 0u, "contexts for strangers");
    check(cookies() > 0, "they are asked for a cookie");
    check(stranger.received_bytes <= stranger.sent_bytes, "answers are no longer than openings");
    check(grown < openings * 9 / 10 / 10, "less than 100 bytes of memory for an opening");
    diag(std::to_string(cookies()) + " openings answered with " +
         std::to_string(stranger.received_bytes * 100 / stranger.sent_bytes) +
         " % of their bytes; the process grew by " + std::to_string(grown) + " KiB");
}

// In the name of a host that the victim knows: some are let in, and wait for a proof that never comes.
void openings_in_a_known_name() {
    Scene scene;
    AttackSocket mute;
    Spoofer spoofer;
    Growth accepted(scene.victim_side(), "contexts_accepted");
    Growth cookies(scene.victim_side(), "drop_cookie");
    constexpr size_t openings = 5000;
    size_t sent = 0;
    const size_t before = resident_kb();
    for (size_t i = 0; i < openings; ++i) {
        wire::Header h;
        h.type = wire::control;
        h.flags = wire::has_hello | wire::ack_now;
        h.psn = 1000;
        const Datagram packet(h, some_hello(0x6a500000 + i, mute.port()));
        spoofer.send(mute.name(), address_of(scene.victim_side()), packet);
        sent += packet.size();
        if (i % 64 == 0) {
            // Ports of endpoints are looked at now and then, and one opening is taken at a time.
            for (int j = 0; j < 10000 && accepted() + cookies() < i; ++j)
                for (int k = 0; k < 100; ++k)
                    scene.pair().poll();
            mute.drain();
        }
        if (i % 500 == 0) {
            scene.honest(i);
        }
    }
    scene.unharmed();
    mute.drain();
    scene.keeps_its_peers();
    check(accepted() <= 128, "at most 128 wait for a proof");
    check(cookies() > 0, "the others are asked for a cookie");
    check(mute.received_bytes <= 3 * sent, "answers are at most three times as long");
    diag(std::to_string(accepted()) + " let in, " + std::to_string(cookies()) +
         " asked for a cookie; answered with " + std::to_string(mute.received_bytes * 100 / sent) +
         " % of their bytes; the process grew by " + std::to_string(resident_kb() - before) +
         " KiB");
}

// One opening that says: I am at the friend's address now. The friend's operations do not notice.
void newer_incarnation_against_a_busy_context() {
    for (const char* open : {"lax", "strict"}) {
        Scene scene(open);
        AttackSocket ears;
        Insider to_friend(scene.pair(), 0, ears);
        Spoofer spoofer;
        Growth accepted(scene.victim_side(), "contexts_accepted");
        const uint16_t port = to_friend.data().sin_port;
        for (uint64_t i = 0; i < 200; ++i) {
            wire::Header h;
            h.type = i % 2 ? wire::data : wire::control;
            h.flags = wire::has_hello | wire::ack_now;
            h.psn = 1000;
            const Datagram packet(h, some_hello(0xbadc0de00 + i, port));
            // To the endpoint, where openings go, as from the friend's own device.
            Bytes out(200000), in(200000);
            Op ops[2];
            Pair& p = scene.pair();
            p.post([&] {
                return receive(p.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], i));
            });
            p.post([&] { return send(p.a(), transfer(Kind::tagged, out, p.to_b(), &ops[1], i)); });
            spoofer.send(to_friend.data(), address_of(p.b()), packet); // in the middle of it
            p.received(Scene::victim);
            p.sent(0);
        }
        scene.unharmed();
        // Those who claimed to be there are not: the friend's device says so. It is no death of the friend.
        check_eq(counter(scene.friend_side(), "peers_dead"), 0u, "peers dead, at the friend");
        check_eq(counter(scene.victim_side(), "peers_gone"), 0u, "peers gone");
        diag(std::string(open) + ": " + std::to_string(accepted()) + " let in, " +
             std::to_string(counter(scene.victim_side(), "peers_dead")) + " found to be nobody");
    }
}

// ---- insiders ---------------------------------------------------------------------------------

// The next packet of an insider, with a whole message.
Datagram message_of(Insider& insider, uint32_t msg_no, uint64_t tag, uint16_t length) {
    wire::Message m;
    m.queue_pair = insider.queue_pair();
    m.msg_no = msg_no;
    m.tag = tag;
    m.length = length;
    m.total = m.unscheduled = length;
    wire::Source s;
    s.port = ntohs(insider.port());
    if (msg_no == 0) {
        m.flags |= wire::has_source;
    }
    Datagram packet = insider.packet();
    packet.add(m);
    if (msg_no == 0) {
        packet.add(s);
    }
    return packet.pad(length);
}

// The very packets once more, many times: nothing is received a second time.
void replayed_packets() {
    Scene scene;
    AttackSocket socket;
    Insider insider(scene.pair(), Scene::victim, socket);
    Growth duplicates(scene.victim_side(), "rx_duplicates");
    constexpr uint64_t tag = 99;
    constexpr uint32_t messages = 5;
    Bytes room(messages * 64);
    Op ops[messages + 1];
    std::vector<Bytes> seen;
    for (uint32_t n = 0; n < messages; ++n) {
        scene.pair().post([&] {
            return fi_trecv(scene.victim_side().ep.get(), room.data() + 64 * n, 64, nullptr,
                            FI_ADDR_UNSPEC, tag, 0, &ops[n]);
        });
        const Datagram packet = message_of(insider, n, tag, 40);
        seen.push_back(packet);
        insider.put(packet);
        check_same(scene.pair().received(Scene::victim).context, &ops[n], "the message, once");
    }
    scene.pair().post([&] {
        return fi_trecv(scene.victim_side().ep.get(), room.data(), 64, nullptr, FI_ADDR_UNSPEC, tag,
                        0, &ops[messages]);
    });
    constexpr size_t rounds = 200;
    for (size_t round = 0; round < rounds; ++round) {
        for (const Bytes& packet : seen) {
            insider.send(packet);
        }
        scene.pair().poll();
        socket.drain();
        if (round % 50 == 0) {
            scene.honest(round);
        }
    }
    scene.unharmed(); // the receive is still waiting
    check(duplicates() > 0, "copies are counted");
    diag(std::to_string(duplicates()) + " copies refused, of " +
         std::to_string(rounds * seen.size()));
    check_ok(fi_cancel(&scene.victim_side().ep.get()->fid, &ops[messages]), "fi_cancel");
    check_eq(scene.pair().rx_error(Scene::victim).err, FI_ECANCELED, "nobody took it");
}

// The packets of a context that is over, its opening among them.
void replay_from_a_context_that_is_over() {
    Scene scene;
    AttackSocket socket;
    constexpr uint64_t tag = 98;
    Bytes room(64);
    Op ops[2];
    Datagram whole = [&] {
        Insider insider(scene.pair(), Scene::victim, socket);
        scene.pair().post([&] {
            return receive(scene.victim_side(),
                           transfer(Kind::tagged, room, FI_ADDR_UNSPEC, &ops[0], tag));
        });
        const Datagram packet = message_of(insider, 0, tag, 40);
        insider.put(packet);
        check_same(scene.pair().received(Scene::victim).context, &ops[0], "the message");
        insider.put(Datagram(insider.header(wire::farewell)));
        return packet;
    }();
    check_eq(counter(scene.victim_side(), "peers_gone"), 1u, "he took leave");
    Growth dropped(scene.victim_side(), "drop_context");
    Growth accepted(scene.victim_side(), "contexts_accepted");
    scene.pair().post([&] {
        return receive(scene.victim_side(),
                       transfer(Kind::tagged, room, FI_ADDR_UNSPEC, &ops[1], tag));
    });
    for (size_t round = 0; round < 200; ++round) {
        socket.send(address_of(scene.victim_side()), whole);
        scene.pair().poll();
    }
    scene.unharmed();
    check(dropped() > 0, "they are counted");
    check_eq(accepted(), 0u, "no context came of them");
    check_ok(fi_cancel(&scene.victim_side().ep.get()->fid, &ops[1]), "fi_cancel");
    check_eq(scene.pair().rx_error(Scene::victim).err, FI_ECANCELED, "nobody took it");
}

// A context's number and its token belong together: one of them is no use.
void tokens_of_another_context() {
    Scene scene;
    AttackSocket socket;
    Insider insider(scene.pair(), Scene::victim, socket);
    Growth wrong(scene.victim_side(), "drop_token");
    Growth missing(scene.victim_side(), "drop_context");
    constexpr uint32_t contexts = 64;
    for (uint32_t round = 0; round < 10; ++round) {
        for (uint32_t id = 0; id < contexts; ++id) {
            for (const auto type : {wire::data, wire::control, wire::farewell}) {
                wire::Header h = insider.header(type, wire::ack_now);
                if (h.context == id || id == 0) {
                    continue;
                }
                h.context = id;
                Datagram packet(h);
                if (type == wire::data) {
                    packet.add(wire::Message{});
                }
                insider.send(packet);
            }
            scene.pair().poll();
        }
        socket.drain();
        scene.honest(round);
    }
    scene.unharmed();
    scene.keeps_its_peers();
    check(wrong() + missing() > 1000, "all of them are counted");
    diag(std::to_string(wrong()) + " with a wrong token, " + std::to_string(missing()) +
         " without a context");
}

// Of packets that were never sent, in every way of saying it.
void forged_acknowledgements() {
    Scene scene;
    AttackSocket socket;
    Insider insider(scene.pair(), Scene::victim, socket);
    Growth malformed(scene.victim_side(), "drop_malformed");
    std::mt19937_64 random(6);
    for (uint32_t i = 0; i < 400; ++i) {
        wire::Header h = insider.header(wire::control, wire::has_ack | wire::ack_now);
        h.cumulative = insider.theirs() + (i % 2 ? static_cast<uint32_t>(random()) : i);
        wire::Ack ack;
        ack.base = (insider.theirs() + static_cast<uint32_t>(random() % 10000)) & ~63u;
        ack.words = static_cast<uint8_t>(i % 65);
        Datagram packet(h, ack);
        for (unsigned n = 0; n < ack.words; ++n) {
            packet.add(~uint64_t{0});
        }
        insider.send(packet);
        scene.pair().poll();
        if (i % 40 == 0) {
            scene.honest(i * 100);
        }
    }
    socket.drain();
    scene.unharmed();
    scene.keeps_its_peers();
    check(malformed() > 0, "they are counted");
    diag(std::to_string(malformed()) + " refused");
}

// Credit is what the receiver can take: too much of it floods only himself, none of it starves only
// what is for him. (Nor does he read: the slow reader.)
void forged_credit() {
    setenv("FI_RILL_PEER_TIMEOUT", "500", 1);
    Scene scene;
    for (const uint32_t window : {0u, 1u, UINT32_MAX}) {
        AttackSocket socket;
        Insider insider(scene.pair(), Scene::victim, socket);
        // He says where he is, so that the victim's sends to him go through this context.
        const sockaddr_in there = socket.name();
        fi_addr_t him = FI_ADDR_NOTAVAIL;
        check_ret(fi_av_insert(scene.victim_side().av.get(), &there, 1, &him, 0, nullptr), 1,
                  "fi_av_insert");
        Bytes room(64), out(1 << 20);
        Op receive_op, op;
        scene.pair().post([&] {
            return receive(scene.victim_side(),
                           transfer(Kind::tagged, room, FI_ADDR_UNSPEC, &receive_op, 5));
        });
        insider.put(message_of(insider, 0, 5, 8));
        scene.pair().received(Scene::victim);
        wire::Ack ack;
        ack.window_bytes = window;
        wire::Header h = insider.header(wire::control, wire::has_ack);
        h.cumulative = insider.theirs();
        insider.put(Datagram(h, ack));
        const uint64_t before = counter(scene.victim_side(), "tx_bytes");
        scene.pair().post(
            [&] { return send(scene.victim_side(), transfer(Kind::tagged, out, him, &op, 1)); });
        for (uint32_t n = 0; n < 20; ++n) {
            scene.honest(30000);
        }
        const uint64_t sent = counter(scene.victim_side(), "tx_bytes") - before;
        check(sent < (4u << 20), "nobody is flooded with what was never acknowledged");
        const Completion failed = scene.pair().tx_error(Scene::victim);
        check_same(failed.context, &op, "what was for him fails");
        diag("credit " + std::to_string(window) + ": " + std::to_string(sent) +
             " bytes left meanwhile");
    }
    scene.unharmed();
}

// Lengths beyond the packet, offsets beyond the message, sums that wrap.
void oversize_lengths_and_offsets() {
    Scene scene;
    AttackSocket socket;
    Insider insider(scene.pair(), Scene::victim, socket);
    Growth malformed(scene.victim_side(), "drop_malformed");
    Growth grants(scene.victim_side(), "drop_bad_grant");
    constexpr uint64_t huge[] = {1,        4096,       0xffff,         1u << 20,
                                 1u << 31, UINT32_MAX, UINT64_MAX / 2, UINT64_MAX};
    uint32_t no = 1;
    const auto put = [&](auto record, size_t payload) {
        Datagram packet = insider.packet();
        packet.add(record).pad(payload);
        insider.put(packet);
    };
    for (const uint64_t big : huge) {
        const auto word = static_cast<uint32_t>(big);
        wire::Message m;
        m.queue_pair = insider.queue_pair();
        m.msg_no = ++no;
        m.length = static_cast<uint16_t>(big | 64); // more than there is
        m.total = m.unscheduled = word;
        put(m, 32);
        m.length = 32; // more than was announced
        m.unscheduled = 16;
        m.total = big;
        put(m, 32);
        wire::Fragment f;
        f.queue_pair = insider.queue_pair();
        f.msg_no = ++no;
        f.length = 32;
        f.offset = word;
        f.unscheduled = 64;
        put(f, 32);
        f.offset = 0;
        f.unscheduled = word | 1u << 30; // memory that nobody will fill
        put(f, 32);
        // A fragment that announces little, then the envelope with more than that.
        f.msg_no = ++no;
        f.unscheduled = 33;
        put(f, 32);
        m = {};
        m.queue_pair = insider.queue_pair();
        m.msg_no = no;
        m.length = 1000;
        m.unscheduled = 1000;
        m.total = 2000;
        put(m, 1000);
        wire::Granted g;
        g.length = 32;
        g.slot = static_cast<uint32_t>(no % 4);
        g.generation = 1;
        g.offset = big;
        put(g, 32);
        scene.honest(big % 5000);
    }
    scene.unharmed();
    scene.keeps_its_peers();
    check(malformed() > 0 && grants() > 0, "they are counted");
    diag(std::to_string(malformed()) + " malformed, " + std::to_string(grants()) +
         " without a grant");
}

// That a message of the friend's to the victim has arrived, or is wanted: it is not his to say.
void notices_about_others_messages() {
    Scene scene;
    AttackSocket socket;
    Pair& p = scene.pair();
    Insider insider(p, 0, socket); // with the friend, who sends
    Growth dropped(scene.friend_side(), "drop_bad_notice");
    constexpr uint64_t tag = 77;
    Bytes out(300000), in(300000);
    Op ops[2];
    fill(out, 1);
    p.post([&] { return send(p.a(), transfer(Kind::tagged, out, p.to_b(), &ops[0], tag)); });
    const uint64_t before = counter(scene.friend_side(), "tx_bytes");
    uint64_t said = 0;
    for (uint32_t generation = 0; generation < 4; ++generation) {
        for (uint32_t slot = 0; slot < 8; ++slot) {
            for (uint32_t first = 0; first < 64; first += 8) {
                Datagram packet = insider.packet();
                for (uint32_t n = first; n < first + 8; ++n) {
                    wire::Grant g;
                    g.flow = generation << 20 | slot;
                    g.msg_no = n;
                    g.range = out.size();
                    wire::Done d;
                    d.flow = g.flow;
                    d.msg_no = n;
                    d.status = static_cast<uint8_t>(n % 3);
                    packet.add(g).add(d);
                    said += 2;
                }
                insider.send(packet);
                p.poll();
                socket.drain();
            }
        }
    }
    p.settle();
    check(p.a().tx.empty(), "the send is as unfinished as it was");
    check_eq(dropped(), said, "all of it is counted");
    check(counter(scene.friend_side(), "tx_bytes") - before < 2 * out.size(),
          "nothing was sent because he asked");
    p.post(
        [&] { return receive(p.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[1], tag)); });
    check_same(p.received(Scene::victim).context, &ops[1], "the receive");
    check_filled(in.data(), in.size(), 1);
    check_same(p.sent(0).context, &ops[0], "the send");
    scene.unharmed();
    scene.keeps_its_peers();
}

// Memory that he was not told of, and places outside of what he was told of.
void guessed_keys() {
    Scene scene;
    AttackSocket socket;
    Insider insider(scene.pair(), Scene::victim, socket);
    Growth refused(scene.victim_side(), "remote_refused");
    std::mt19937_64 random(7);
    uint32_t sent = 0;
    const auto put_write = [&](uint64_t key, uint64_t address, uint64_t range, uint64_t offset) {
        wire::Write w;
        w.queue_pair = insider.queue_pair();
        w.msg_no = sent++;
        w.length = 32;
        w.key = key;
        w.address = address;
        w.range = w.total = range;
        w.offset = offset;
        Datagram packet = insider.packet();
        packet.add(w).pad(32);
        insider.send(packet);
        scene.pair().poll();
    };
    const auto put_read = [&](uint64_t key, uint64_t address, uint64_t range) {
        wire::Read r;
        r.queue_pair = insider.queue_pair();
        r.msg_no = sent++;
        r.key = key;
        r.address = address;
        r.range = r.total = range;
        Datagram packet = insider.packet();
        packet.add(r);
        insider.send(packet);
        scene.pair().poll();
    };
    for (uint64_t i = 0; i < 1000; ++i) {
        const uint64_t key = i < 500 && i != region_key ? i : random();
        put_write(key, 0, 32, 0);
        put_read(key, 0, 32);
        if (i % 100 == 0) {
            scene.honest(i * 10);
            socket.drain();
        }
    }
    scene.pair().settle();
    const uint64_t by_key = refused();
    constexpr uint64_t length = 4096;
    for (const uint64_t at :
         {length - 31, length, uint64_t{1} << 32, UINT64_MAX - 15, UINT64_MAX}) {
        put_write(region_key, at, 32, 0);
        put_read(region_key, at, 32);
        put_read(region_key, at, UINT64_MAX - at);
        put_write(region_key, 64, at, at - 32);
    }
    scene.unharmed(); // which looks at the region
    scene.keeps_its_peers();
    check_eq(by_key, 2000u, "every guess is refused");
    check(refused() > by_key, "so is every place outside");
    diag(std::to_string(refused()) + " of " + std::to_string(sent) + " accesses refused");
}

// ---- other versions ---------------------------------------------------------------------------

// Of a higher version nothing is understood, and nothing is said. What the same version may add one day
// (flags, features, trailing fields) is passed over.
void versions_mixed() {
    Scene scene;
    AttackSocket socket;
    Growth versions(scene.victim_side(), "drop_version");
    for (const uint8_t version : {0, 2, 255}) {
        wire::Header h;
        h.version = version;
        h.flags = wire::has_hello | wire::ack_now;
        socket.send(address_of(scene.victim_side()), Datagram(h, some_hello(1, socket.port())));
    }
    scene.pair().settle();
    check_eq(versions(), 3u, "packets of other versions");
    socket.drain();
    check_eq(socket.received_bytes, 0u, "answers to them");
    Insider later(scene.pair(), Scene::victim, socket, 0xffe0, ~1u, 24);
    constexpr uint64_t tag = 3;
    Bytes room(40);
    Op op;
    scene.pair().post([&] {
        return receive(scene.victim_side(), transfer(Kind::tagged, room, FI_ADDR_UNSPEC, &op, tag));
    });
    later.put(message_of(later, 0, tag, 40));
    check_same(scene.pair().received(Scene::victim).context, &op, "his message");
    scene.unharmed();
    scene.keeps_its_peers();
}

const Case cases[] = {
    {"versions: mixed", versions_mixed},
    {"outsider: packets off the path, in a peer's name", injection_off_the_path},
    {"outsider: openings of strangers", openings_of_strangers},
    {"outsider: openings in a known host's name", openings_in_a_known_name},
    {"outsider: a newer incarnation against a busy context",
     newer_incarnation_against_a_busy_context},
    {"insider: replayed packets", replayed_packets},
    {"insider: replay from a context that is over", replay_from_a_context_that_is_over},
    {"insider: tokens of another context", tokens_of_another_context},
    {"insider: forged acknowledgements", forged_acknowledgements},
    {"insider: forged credit, and he never reads", forged_credit},
    {"insider: oversize lengths and offsets", oversize_lengths_and_offsets},
    {"insider: notices about others' messages", notices_about_others_messages},
    {"insider: guessed keys", guessed_keys},
};

} // namespace

} // namespace functional

int main(int argc, char** argv) {
    return functional::run_cases(argc, argv, functional::cases);
}
