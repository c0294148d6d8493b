// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What a system does to a program: no descriptors left, the smallest socket buffers, a full /dev/shm,
// fork and exec in mid-traffic. (SIGKILL, SIGSTOP and a crash
// under MPI are in fabtests/mpi.) An answer where there can be one, and afterwards all works as before.
#include "harness.hpp"

#include <cstdlib>
#include <fstream>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace functional {

namespace {

// Messages both ways, one of them longer than a window.
void works(Pair& pair, uint32_t seed) {
    for (const size_t from : {size_t{0}, size_t{1}}) {
        const size_t to = 1 - from;
        for (const size_t size : {size_t{100}, size_t{300000}}) {
            Bytes out(size), in(size);
            Op ops[2];
            fill(out, seed);
            pair.post([&] {
                return receive(pair[to], transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], size));
            });
            pair.post([&] {
                return send(pair[from],
                            transfer(Kind::tagged, out, pair.address(from, to), &ops[1], size));
            });
            check_same(pair.received(to).context, &ops[0], "the receive");
            check_filled(in.data(), size, seed);
            check_same(pair.sent(from).context, &ops[1], "the send");
        }
    }
}

void over_udp() {
    only_rill("its tunables");
    setenv("FI_RILL_SHM", "0", 1);
}

size_t open_descriptors() {
    size_t n = 0;
    DIR* dir = opendir("/proc/self/fd");
    check(dir != nullptr, "opendir");
    while (readdir(dir)) {
        ++n;
    }
    closedir(dir);
    return n - 3; // ".", ".." and the directory's own
}

// Every number of descriptors that is one too few for a domain and its endpoint is an error, leaves none
// open, and harms nobody who is there.
void out_of_descriptors() {
    only_rill("its refusals");
    Pair pair;
    works(pair, 1);
    Info info = get_info(make_hints().get());
    rlimit before{};
    check_ok(getrlimit(RLIMIT_NOFILE, &before), "getrlimit");
    const size_t used = open_descriptors();
    bool opened = false;
    int refused = 0;
    for (rlim_t more = 0; more < 64 && !opened; ++more) {
        const rlimit few = {used + more, before.rlim_max};
        check_ok(setrlimit(RLIMIT_NOFILE, &few), "setrlimit");
        {
            fid_fabric* fabric = nullptr;
            fid_domain* domain = nullptr;
            fid_ep* ep = nullptr;
            fid_av* av = nullptr;
            fid_cq* cq = nullptr;
            fi_av_attr av_attr{};
            fi_cq_attr cq_attr{};
            int ret = fi_fabric(info->fabric_attr, &fabric, nullptr);
            ret = ret ? ret : fi_domain(fabric, info.get(), &domain, nullptr);
            ret = ret ? ret : fi_endpoint(domain, info.get(), &ep, nullptr);
            ret = ret ? ret : fi_av_open(domain, &av_attr, &av, nullptr);
            ret = ret ? ret : fi_cq_open(domain, &cq_attr, &cq, nullptr);
            ret = ret ? ret : fi_ep_bind(ep, &av->fid, 0);
            ret = ret ? ret : fi_ep_bind(ep, &cq->fid, FI_TRANSMIT | FI_RECV);
            ret = ret ? ret : fi_enable(ep);
            opened = ret == 0;
            refused += ret != 0;
            for (fid* id :
                 {ep ? &ep->fid : nullptr, cq ? &cq->fid : nullptr, av ? &av->fid : nullptr,
                  domain ? &domain->fid : nullptr, fabric ? &fabric->fid : nullptr}) {
                check_ok(id ? fi_close(id) : 0, "fi_close");
            }
        }
        check_ok(setrlimit(RLIMIT_NOFILE, &before), "setrlimit");
        check_eq(open_descriptors(), used, "descriptors left open");
        works(pair, 2 + static_cast<uint32_t>(more));
    }
    check(opened && refused > 3, "it was refused some times, then opened");
    diag("refused with 0 to " + std::to_string(refused - 1) + " descriptors to spare");
}

void smallest_socket_buffers() {
    over_udp();
    setenv("FI_RILL_RCVBUF", "1", 1); // the kernel's minimum
    Pair pair;
    works(pair, 3);
}

// A tmpfs of our own, of one page, in a mount namespace of our own.
void full_dev_shm() {
    only_rill("its shared memory");
    if (unshare(CLONE_NEWNS) != 0) {
        throw Skip("a mount namespace takes CAP_SYS_ADMIN");
    }
    check_ok(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "mount, private");
    check_ok(mount("rill-test", "/dev/shm", "tmpfs", 0, "size=4k"), "mount /dev/shm");
    const int fd = open("/dev/shm/fill", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    const Bytes page(4096, 1);
    check_eq(write(fd, page.data(), page.size()), static_cast<ssize_t>(page.size()), "fill it");
    check_eq(write(fd, page.data(), 1), -1, "it is full");
    close(fd);
    unsetenv("XDG_RUNTIME_DIR");
    Pair pair;
    works(pair, 4);
}

// While a long message is under way. The child closes what it has inherited and ends.
void fork_in_mid_traffic() {
    only_rill("a child may close what it has inherited");
    Pair pair;
    Bytes out(4 << 20), in(4 << 20);
    Op ops[2];
    fill(out, 5);
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 1)); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1], 1)); });
    fflush(stdout);
    std::vector<pid_t> children;
    for (int n = 0; n < 4; ++n) {
        pair.poll();
        const pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) {
            std::fill(out.begin(), out.end(), uint8_t{0}); // its own copy
            _exit(pair.a().ep.close() == 0 ? 0 : 1);
        }
        children.push_back(child);
    }
    pair.received(1);
    pair.sent(0);
    check_filled(in.data(), in.size(), 5);
    for (const pid_t child : children) {
        int status = -1;
        check_eq(waitpid(child, &status, 0), child, "waitpid");
        check_eq(status, 0, "the child's end");
    }
    works(pair, 6);
}

// Another program in our place: nothing of rill's goes with it, and the peer learns that we are gone.
void exec_in_mid_traffic() {
    only_rill("its descriptors");
    setenv("FI_RILL_PEER_TIMEOUT", "3000", 1);
    two_processes(
        [](Channel& channel) {
            Side side;
            const fi_addr_t peer = exchange(side, channel);
            Bytes in(64), out(1 << 20);
            Op ops[2];
            side.post([&] { return receive(side, transfer(Kind::tagged, in, peer, &ops[0], 1)); });
            side.received();
            side.post([&] { return send(side, transfer(Kind::tagged, out, peer, &ops[1], 2)); });
            const Completion failed = side.tx_error(); // its receive is not there any more
            check_same(failed.context, &ops[1], "the send");
            check(failed.err != 0, "an error");
        },
        [](Channel& channel) {
            Side side;
            const fi_addr_t peer = exchange(side, channel);
            Bytes out(64);
            Op op;
            side.post([&] { return send(side, transfer(Kind::tagged, out, peer, &op, 1)); });
            side.sent();
            // Standard streams, the channel and what the shell itself opens; a socket it has none but
            // the channel.
            execl("/bin/sh", "sh", "-c",
                  "test $(ls -l /proc/self/fd | grep -c socket) -le 1 && "
                  "! ls -l /proc/self/fd | grep -q -e rill -e eventfd -e timerfd -e memfd",
                  nullptr);
            fail("execl");
        });
}

const Case cases[] = {
    {"out of descriptors", out_of_descriptors},
    {"the smallest socket buffers", smallest_socket_buffers},
    {"a full /dev/shm", full_dev_shm},
    {"fork in mid-traffic", fork_in_mid_traffic},
    {"exec in mid-traffic", exec_in_mid_traffic},
};

} // namespace

} // namespace functional

int main(int argc, char** argv) {
    return functional::run_cases(argc, argv, functional::cases);
}
