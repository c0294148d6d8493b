// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// How long one 64 B packet takes to a program that is asleep in poll(2): on the descriptor of a
// completion queue, under manual progress, and on that of a bare UDP socket. From just before the send
// until the payload can be read, which includes what a wake-up costs the kernel; both in turn, in the
// same two processes.
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "fabric_endpoint.hpp"
#include "process_pair.hpp"
#include "udp_socket.hpp"

namespace bench {
namespace {

constexpr std::size_t payload_bytes = 64;

struct WakeUpOptions {
    std::string provider = "rill";
    std::string node = "127.0.0.1";
    std::chrono::milliseconds sleep{1};
    unsigned count = 1000;
};

// Of one clock for all processes of a host.
std::int64_t now_ns() {
    return std::chrono::steady_clock::now().time_since_epoch().count();
}

void put_time(std::span<std::byte> payload) {
    const std::int64_t sent = now_ns();
    std::memcpy(payload.data(), &sent, sizeof sent);
}

std::int64_t age_ns(std::span<const std::byte> payload) {
    const std::int64_t now = now_ns();
    std::int64_t sent = 0;
    std::memcpy(&sent, payload.data(), sizeof sent);
    return now - sent;
}

class Sleepers {
public:
    Sleepers(FabricEndpoint& endpoint, ProcessPair& pair, const WakeUpOptions& options)
        : endpoint_(endpoint), pair_(pair), options_(options),
          operation_(endpoint.make_operations(1, payload_bytes, !pair.is_client())) {
        socket_.connect(pair.exchange(socket_.name()));
    }

    void send_all() {
        for (unsigned i = 0; i < options_.count; ++i) {
            await_sleeper();
            put_time(operation_[0].buffer);
            endpoint_.send(operation_[0]);
            while (endpoint_.poll() == nullptr) {
            }
            await_sleeper();
            std::array<std::byte, payload_bytes> payload{};
            put_time(payload);
            while (!socket_.send_train(payload, payload.size())) {
            }
        }
    }

    void sleep_all() {
        std::vector<std::int64_t> fabric, udp;
        for (unsigned i = 0; i < options_.count; ++i) {
            fabric.push_back(sleep_on_fabric());
            udp.push_back(sleep_on_udp());
        }
        report(fabric, udp);
    }

private:
    // It has said that it goes to sleep, and does so while we sleep longer.
    void await_sleeper() {
        pair_.await_ready();
        std::this_thread::sleep_for(options_.sleep);
    }

    std::int64_t sleep_on_fabric() {
        set_phase("asleep on the completion queue");
        endpoint_.receive(operation_[0]);
        pair_.signal_ready();
        while (endpoint_.poll() == nullptr)
            endpoint_.sleep();
        return age_ns(operation_[0].buffer);
    }

    std::int64_t sleep_on_udp() {
        set_phase("asleep on the socket");
        std::array<std::byte, payload_bytes> payload{};
        pair_.signal_ready();
        while (!socket_.receive(payload)) {
            pollfd wait{socket_.descriptor(), POLLIN, 0};
            if (::poll(&wait, 1, -1) < 0) fail_errno("poll");
        }
        return age_ns(payload);
    }

    void report(std::vector<std::int64_t>& fabric, std::vector<std::int64_t>& udp) const {
        const auto at = [](std::vector<std::int64_t>& all, double share) {
            const auto n = static_cast<std::ptrdiff_t>(share * static_cast<double>(all.size() - 1));
            std::nth_element(all.begin(), all.begin() + n, all.end());
            return static_cast<double>(all[static_cast<std::size_t>(n)]) / 1000;
        };
        const double ours = at(fabric, 0.5), bare = at(udp, 0.5);
        std::printf(
            "asleep for %lld ms, %u times: median %.1f us, bare UDP %.1f us, more by %.1f us; "
            "95 %% within %.1f and %.1f us\n",
            static_cast<long long>(options_.sleep.count()), options_.count, ours, bare, ours - bare,
            at(fabric, 0.95), at(udp, 0.95));
    }

    FabricEndpoint& endpoint_;
    ProcessPair& pair_;
    const WakeUpOptions& options_;
    UdpSocket socket_;
    std::vector<Operation> operation_;
};

[[noreturn]] void show_usage() {
    std::fputs("usage: wake_up [--sleep MS] [--count N] [--provider NAME] [--node ADDRESS]\n"
               "  --sleep MS      how long the sleeper sleeps before each packet (1)\n"
               "  --count N       packets of either kind (1000)\n",
               stderr);
    std::exit(exit_usage);
}

WakeUpOptions parse(int argc, char** argv) {
    WakeUpOptions options;
    for (int i = 1; i < argc; i += 2) {
        const std::string word = argv[i];
        if (i + 1 == argc) show_usage();
        if (word == "--sleep")
            options.sleep = std::chrono::milliseconds(std::atol(argv[i + 1]));
        else if (word == "--count")
            options.count = static_cast<unsigned>(std::atol(argv[i + 1]));
        else if (word == "--provider")
            options.provider = argv[i + 1];
        else if (word == "--node")
            options.node = argv[i + 1];
        else
            show_usage();
    }
    if (options.count == 0) show_usage();
    return options;
}

} // namespace
} // namespace bench

int main(int argc, char** argv) {
    using namespace bench;
    const WakeUpOptions options = parse(argc, argv);
    const auto all = 2 * options.count * (options.sleep + std::chrono::milliseconds(1));
    const auto watchdog_s = 20 + static_cast<unsigned>(all.count() / 1000);
    ProcessPair pair = ProcessPair::start({"wake_up", options.provider, {}, watchdog_s, {}, {}});
    {
        FabricEndpoint endpoint(options.provider, options.node, false, false, true);
        endpoint.connect(pair.exchange(endpoint.name()));
        Sleepers sleepers(endpoint, pair, options);
        if (pair.is_client())
            sleepers.send_all();
        else
            sleepers.sleep_all();
        set_phase("closing the endpoint");
    }
    pair.join();
    return 0;
}
