// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The device operations of rdma/fi_ext_rill.h, with good and bad input, and what they say of
// placement.
#include "harness.hpp"

#include <rdma/fi_ext_rill.h>

#include <cstdlib>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace functional;

namespace {

fi_rill_ops_device& operations(const Domain& domain) {
    void* ops = nullptr;
    check_ok(fi_open_ops(domain.id(), FI_RILL_DEVICE_OPS_1, 0, &ops, nullptr), "fi_open_ops");
    check(ops != nullptr, "fi_open_ops gave no operations");
    return *static_cast<fi_rill_ops_device*>(ops);
}

uint32_t config_at(const Domain& domain, uint16_t offset, uint8_t width) {
    uint32_t value = 0;
    check_ok(operations(domain).config_read(domain.get(), 0, offset, width, &value), "config_read");
    return value;
}

uint64_t feature(const Domain& domain, const char* name) {
    uint64_t value = UINT64_MAX;
    check_ok(operations(domain).query(domain.get(), name, &value), name);
    return value;
}

uint64_t counter(const Domain& domain, const char* name) {
    uint64_t value = UINT64_MAX;
    check_ok(operations(domain).counter(domain.get(), name, &value), name);
    return value;
}

fi_rill_placement placement(const Domain& domain) {
    fi_rill_placement p{};
    p.size = sizeof p;
    check_ok(operations(domain).placement(domain.get(), &p), "placement");
    check_eq(p.size, sizeof p, "bytes filled in");
    return p;
}

void opened_by_name() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_device& ops = operations(side.domain);
    check_eq(ops.size, sizeof ops, "size");
}

void names_and_flags() {
    only_rill("an extension of rill");
    Side side;
    int here = 0;
    void* ops = &here;
    for (const char* name : {"", "rill_device_ops_2", "rill_device_ops", "RILL_DEVICE_OPS_1"})
        check_ret(fi_open_ops(side.domain.id(), name, 0, &ops, nullptr), -FI_ENOSYS, name);
    check_ret(fi_open_ops(side.domain.id(), FI_RILL_DEVICE_OPS_1, 1, &ops, nullptr), -FI_EBADFLAGS,
              "flags");
    check_ret(fi_open_ops(side.domain.id(), nullptr, 0, &ops, nullptr), -FI_EINVAL, "no name");
    check_ret(fi_open_ops(side.domain.id(), FI_RILL_DEVICE_OPS_1, 0, nullptr, nullptr), -FI_EINVAL,
              "nowhere to put it");
    check_ret(fi_open_ops(side.fabric.id(), FI_RILL_DEVICE_OPS_1, 0, &ops, nullptr), -FI_ENOSYS,
              "of a fabric");
    check_ret(fi_open_ops(side.ep.id(), FI_RILL_DEVICE_OPS_1, 0, &ops, nullptr), -FI_ENOSYS,
              "of an endpoint");
    check_same(ops, &here, "what a refusal leaves");
}

void configuration_space() {
    only_rill("an extension of rill");
    Side side;
    check_eq(config_at(side.domain, 0x00, 4), 0x0001e1abu, "vendor and device");
    check_eq(config_at(side.domain, 0x00, 2), 0xe1abu, "vendor");
    check_eq(config_at(side.domain, 0x0b, 1), 0x02u, "class");
    check_eq(config_at(side.domain, 0x0a, 2), 0x0208u, "fabric controller");
    check(config_at(side.domain, 0x04, 2) & 4, "it is bus master");
}

void configuration_space_refused() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_device& ops = operations(side.domain);
    fid_domain* domain = side.domain.get();
    uint32_t value = 7;
    check_ret(ops.config_read(domain, 1, 0, 4, &value), -FI_ENODEV, "a virtual function");
    check_ret(ops.config_read(domain, 65535, 0, 4, &value), -FI_ENODEV, "function 65535");
    for (const int width : {0, 3, 5, 8, 255})
        check_ret(ops.config_read(domain, 0, 0, static_cast<uint8_t>(width), &value), -FI_EINVAL,
                  "a width");
    check_ret(ops.config_read(domain, 0, 2, 4, &value), -FI_EINVAL, "unaligned");
    check_ret(ops.config_read(domain, 0, 4096, 1, &value), -FI_EINVAL, "behind the end");
    check_ret(ops.config_read(domain, 0, 65535, 1, &value), -FI_EINVAL, "far behind it");
    check_ret(ops.config_read(domain, 0, 0, 4, nullptr), -FI_EINVAL, "no value");
    check_eq(value, 7u, "what refusals leave");
    // More than the bus lets through at once: refused, and only for so long.
    int answer = 0;
    for (int i = 0; i < 1000000 && answer == 0; ++i)
        answer = ops.config_read(domain, 0, 0, 1, &value);
    check_ret(answer, -FI_EAGAIN, "a million accesses");
    for (int i = 0; i < 1000 && answer != 0; ++i) {
        usleep(1000);
        answer = ops.config_read(domain, 0, 0, 1, &value);
    }
    check_ok(answer, "a while later");
}

void registers() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_device& ops = operations(side.domain);
    uint32_t value = 0;
    check_ok(ops.register_read(side.domain.get(), 0, 0x48, &value), "status");
    check_eq(value, 5u, "ready, reset finished");
    check_ok(ops.register_read(side.domain.get(), 0, 0x00, &value), "version");
    check_eq(value >> 16, 1u, "of the map");
    check_ok(ops.register_read(side.domain.get(), 0, 0xfffc, &value), "nothing there");
    check_eq(value, 0u, "nothing");
    value = 7;
    check_ret(ops.register_read(side.domain.get(), 0, 0x10000, &value), -FI_EINVAL, "beyond BAR0");
    check_ret(ops.register_read(side.domain.get(), 0, UINT32_MAX, &value), -FI_EINVAL, "the last");
    check_ret(ops.register_read(side.domain.get(), 0, 0x49, &value), -FI_EINVAL, "unaligned");
    check_ret(ops.register_read(side.domain.get(), 4, 0x48, &value), -FI_ENODEV, "function 4");
    check_ret(ops.register_read(side.domain.get(), 0, 0x48, nullptr), -FI_EINVAL, "no value");
    check_eq(value, 7u, "what refusals leave");
}

void features_of(const char* type, uint64_t device_memory, uint64_t queue_pairs) {
    only_rill("an extension of rill");
    setenv("FI_RILL_DEVICE", type, 1);
    Side side;
    check_eq(feature(side.domain, "device_memory"), device_memory, "device_memory");
    check_eq(feature(side.domain, "async_events"), 1u, "async_events");
    check_eq(feature(side.domain, "functions"), 1u, "functions");
    check_eq(feature(side.domain, "queue_pairs_max"), queue_pairs, "queue_pairs_max");
    check_eq(feature(side.domain, "device_memory_bytes"), device_memory * (16u << 20),
             "device_memory_bytes");
    uint64_t value = 7;
    const fi_rill_ops_device& ops = operations(side.domain);
    for (const char* name : {"", "warp", "device_memory "})
        check_ret(ops.query(side.domain.get(), name, &value), -FI_ENOENT, name);
    check_ret(ops.query(side.domain.get(), nullptr, &value), -FI_EINVAL, "no name");
    check_ret(ops.query(side.domain.get(), "functions", nullptr), -FI_EINVAL, "no value");
    check_eq(value, 7u, "what refusals leave");
}

void counters_by_name() {
    only_rill("an extension of rill");
    Pair pair;
    check_eq(counter(pair.a().domain, "tx_packets"), 0u, "before anything was sent");
    Bytes out(100), in(100);
    Op ops[2];
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 1)); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1], 1)); });
    pair.received(1);
    pair.sent(0);
    check(counter(pair.a().domain, "tx_packets") > 0, "packets were sent");
    check(counter(pair.b().domain, "rx_bytes") >= 100, "bytes were received");
    check_eq(counter(pair.a().domain, "contexts_opened"), 1u, "contexts_opened");
    uint64_t value = 7;
    const fi_rill_ops_device& device = operations(pair.a().domain);
    for (const char* name : {"", "tx_packet", "tx_packets2"})
        check_ret(device.counter(pair.a().domain.get(), name, &value), -FI_ENOENT, name);
    check_ret(device.counter(pair.a().domain.get(), nullptr, &value), -FI_EINVAL, "no name");
    check_ret(device.counter(pair.a().domain.get(), "tx_packets", nullptr), -FI_EINVAL, "no value");
    check_eq(value, 7u, "what refusals leave");
}

void foreign_domains() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_device& ops = operations(side.domain);
    uint32_t value = 7;
    fid_domain foreign{};
    foreign.fid.fclass = FI_CLASS_DOMAIN;
    auto* fabric = reinterpret_cast<fid_domain*>(side.fabric.get());
    for (fid_domain* wrong : {static_cast<fid_domain*>(nullptr), &foreign, fabric})
        check_ret(ops.register_read(wrong, 0, 0x48, &value), -FI_EINVAL, "no domain of rill");
    check_eq(value, 7u, "what refusals leave");
}

void placement_sizes() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_device& ops = operations(side.domain);
    fi_rill_placement p{};
    for (const size_t size : {size_t{0}, size_t{8}, size_t{15}}) {
        p.size = size;
        check_ret(ops.placement(side.domain.get(), &p), -FI_EINVAL, "too short");
        check_eq(p.size, size, "left alone");
    }
    check_ret(ops.placement(side.domain.get(), nullptr), -FI_EINVAL, "none");
    // A caller of an earlier release has a shorter structure, one of a later release a longer.
    p.size = offsetof(fi_rill_placement, indirect_packets);
    p.indirect_packets = 7;
    check_ok(ops.placement(side.domain.get(), &p), "a shorter structure");
    check_eq(p.size, offsetof(fi_rill_placement, indirect_packets), "bytes filled in");
    check_eq(p.indirect_packets, 7u, "what is behind it");
    p.size = sizeof p + 64;
    check_ok(ops.placement(side.domain.get(), &p), "a longer structure");
    check_eq(p.size, sizeof p, "bytes filled in");
}

// Steady streaming: messages whose receives are posted before they are sent are placed directly, all
// of them but what overtakes its predecessors. The first message of a conversation and what comes with
// it waits until the software knows whose it is, and is no part of that.
void posted_ahead(size_t size) {
    only_rill("counters of rill");
    constexpr size_t kWindow = 32;
    // A queue that runs full in slow start makes a handful of messages overtake another, once.
    const size_t rounds = size < (1 << 20) ? 32 : 8;
    Pair pair;
    std::vector<Bytes> in(kWindow, Bytes(size));
    Bytes out(size);
    fill(out, 1);
    std::vector<Op> ops(2 * kWindow);
    pair.post([&] {
        return receive(pair.b(), transfer(Kind::tagged, in[0], FI_ADDR_UNSPEC, &ops[0], 0));
    });
    pair.post(
        [&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[kWindow], 0)); });
    pair.received(1);
    pair.sent(0);
    const fi_rill_placement before = placement(pair.b().domain);
    for (size_t round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < kWindow; ++i)
            pair.post([&] {
                return receive(pair.b(), transfer(Kind::tagged, in[i], FI_ADDR_UNSPEC, &ops[i], i));
            });
        for (size_t i = 0; i < kWindow; ++i)
            pair.post([&] {
                return send(pair.a(),
                            transfer(Kind::tagged, out, pair.to_b(), &ops[kWindow + i], i));
            });
        for (size_t i = 0; i < kWindow; ++i) {
            pair.received(1);
            pair.sent(0);
        }
    }
    for (const Bytes& buffer : in)
        check_filled(buffer.data(), size, 1);
    const fi_rill_placement p = placement(pair.b().domain);
    const uint64_t direct = p.direct_bytes - before.direct_bytes;
    const uint64_t all = direct + p.indirect_bytes - before.indirect_bytes;
    diag(std::to_string(direct) + " of " + std::to_string(all) + " bytes direct");
    check_eq(all, rounds * kWindow * size, "bytes placed");
    check(direct * 100 >= all * 99, "at least 99 % of bytes go direct");
    check_eq(p.direct_bytes, counter(pair.b().domain, "rx_direct_bytes"), "the same by name");
}

void unexpected() {
    only_rill("counters of rill");
    Pair pair;
    Bytes out(1000), in(1000);
    fill(out, 3);
    Op ops[2];
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[0], 1)); });
    pair.until("the message to arrive",
               [&] { return placement(pair.b().domain).indirect_packets; });
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[1], 1)); });
    pair.received(1);
    pair.sent(0);
    check_filled(in.data(), in.size(), 3);
    const fi_rill_placement p = placement(pair.b().domain);
    check_eq(p.indirect_bytes, 1000u, "bytes through a bounce buffer");
    check_eq(p.direct_bytes, 0u, "bytes placed directly");
}

void in_a_child() {
    only_rill("an extension of rill");
    Side side;
    const fi_rill_ops_device& ops = operations(side.domain);
    fflush(stdout);
    const pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        void* again = nullptr;
        uint32_t value = 0;
        const bool refused =
            fi_open_ops(side.domain.id(), FI_RILL_DEVICE_OPS_1, 0, &again, nullptr) ==
                -FI_EOPBADSTATE &&
            ops.register_read(side.domain.get(), 0, 0x48, &value) == -FI_EOPBADSTATE;
        _exit(refused ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status = 0;
    check_eq(waitpid(child, &status, 0), child, "waitpid");
    check(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS, "refused in a child");
    check_eq(config_at(side.domain, 0, 2), 0xe1abu, "the parent goes on");
}

// One directory for exports, and it is this case's.
struct ExportPlace {
    ExportPlace() {
        char name[] = "/tmp/rill-device.XXXXXX";
        check(mkdtemp(name) != nullptr, "mkdtemp");
        path = name;
        setenv("XDG_RUNTIME_DIR", name, 1);
    }
    ~ExportPlace() {
        rmdir((path + "/rill").c_str());
        rmdir(path.c_str());
    }
    std::string file() const { return path + "/rill/" + std::to_string(getpid()) + "-0"; }
    bool is_there() const { return access(file().c_str(), F_OK) == 0; }
    std::string path;
};

void traffic() {
    Pair pair;
    Bytes out(5000), in(5000);
    fill(out, 9);
    Op ops[2];
    pair.post(
        [&] { return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], 1)); });
    pair.post([&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1], 1)); });
    pair.received(1);
    pair.sent(0);
    check_filled(in.data(), in.size(), 9);
}

void export_comes_and_goes() {
    only_rill("files of rill");
    ExportPlace place;
    {
        Side side;
        struct stat s {};
        check_eq(stat(place.file().c_str(), &s), 0, "the file is there");
        check_eq(s.st_mode & 0777, 0600u, "its mode");
        check_eq(stat((place.path + "/rill").c_str(), &s), 0, "the directory is there");
        check_eq(s.st_mode & 0777, 0700u, "its mode");
    }
    check(!place.is_there(), "the file went with the domain");
    check_eq(access((place.file() + ".bell").c_str(), F_OK), -1, "and so did its bell");
}

void export_and_fork() {
    only_rill("files of rill");
    ExportPlace place;
    Side side;
    fflush(stdout);
    const pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        side.ep.close();
        side.domain.close();
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    check_eq(waitpid(child, &status, 0), child, "waitpid");
    check(place.is_there(), "a child that closes its copy leaves the parent's file");
}

void export_switched_off() {
    only_rill("files of rill");
    ExportPlace place;
    setenv("FI_RILL_OBSERVE", "0", 1);
    Side side;
    check(!place.is_there(), "no file");
    check_eq(counter(side.domain, "tx_packets"), 0u, "counters are there all the same");
}

// As when the file system is full: no file may be longer than that. Neither of the two places takes
// it, and everything works.
void export_without_room() {
    only_rill("files of rill");
    ExportPlace place;
    signal(SIGXFSZ, SIG_IGN);
    const rlimit little = {4096, RLIM_INFINITY};
    check_eq(setrlimit(RLIMIT_FSIZE, &little), 0, "setrlimit");
    setenv("FI_RILL_SHM", "0", 1); // would want a larger file too
    {
        Side side;
        check(!place.is_there(), "what could not be filled is gone");
    }
    traffic();
}

// A directory that others may write to is not ours, whoever made it.
void export_directory_of_others() {
    only_rill("files of rill");
    ExportPlace place;
    check_eq(mkdir((place.path + "/rill").c_str(), 0700), 0, "mkdir");
    check_eq(chmod((place.path + "/rill").c_str(), 0777), 0, "chmod");
    traffic();
    check(!place.is_there(), "no file there");
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<Case> cases = {
        {"fi_open_ops by name", opened_by_name},
        {"fi_open_ops: wrong names, flags and objects", names_and_flags},
        {"configuration space", configuration_space},
        {"configuration space: refused accesses", configuration_space_refused},
        {"registers", registers},
        {"features and limits of rill-std", [] { features_of("rill-std", 1, 4096); }},
        {"features and limits of rill-lite", [] { features_of("rill-lite", 0, 16); }},
        {"counters by name", counters_by_name},
        {"operations on domains that are not rill's", foreign_domains},
        {"placement: sizes of the structure", placement_sizes},
        {"placement: posted ahead, 64 B", [] { posted_ahead(64); }},
        {"placement: posted ahead, 64 KiB", [] { posted_ahead(65536); }},
        {"placement: posted ahead, 1 MiB", [] { posted_ahead(1 << 20); }},
        {"placement: an unexpected message", unexpected},
        {"operations in a forked child", in_a_child},
        {"export: comes and goes with the domain", export_comes_and_goes},
        {"export: is not a forked child's", export_and_fork},
        {"export: switched off", export_switched_off},
        {"export: no room for it", export_without_room},
        {"export: a directory that others write to", export_directory_of_others},
    };
    return run_cases(argc, argv, cases);
}
