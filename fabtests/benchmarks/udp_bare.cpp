// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What UDP itself gives on loopback, with no protocol above it: the limit that a transport over
// UDP is measured against. Ping-pong, and a stream sent in segmentation-offload trains and received
// coalesced, with just enough credit that the socket buffer never overflows. In a stream, messages
// smaller than a segment are a datagram each and share trains; larger ones are a stream of bytes.
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "options.hpp"
#include "process_pair.hpp"
#include "udp_socket.hpp"

namespace bench {
namespace {

// The largest payload of a UDP datagram over IPv4, and so of a train.
constexpr std::size_t train_bytes_max = 65507;
// Kernels before 6.8 refuse more.
constexpr std::size_t train_segments_max = 64;
constexpr int receive_buffer_wanted = 4 << 20;
// Nothing is repeated here: silence of this length means loss.
constexpr double silence_s_max = 5;
// Reading the clock at every empty poll would cost as much as the poll.
constexpr unsigned polls_per_clock = 1024;

// Tells the sender of a transfer how much of it has arrived. Cumulative within the transfer.
struct Credit {
    std::uint64_t transfer = 0;
    std::uint64_t bytes = 0;
};

std::byte pattern(std::size_t i) {
    return static_cast<std::byte>(i * 7 + (i >> 8) * 13);
}

// Carries byte transfers both ways, one at a time.
class BareUdp {
public:
    BareUdp(ProcessPair& pair, const Options& options)
        : segment_(std::min(options.segment, options.size_bytes)),
          train_(segment_ * std::min(train_segments_max, train_bytes_max / segment_)),
          annotated_(options.rill_options) {
        const std::size_t receive_buffer = configure(options);
        // Half of the buffer, in what the kernel charges: twice the payload for large datagrams,
        // 832 bytes for the smallest.
        const std::size_t charge = std::max<std::size_t>(832, 2 * segment_);
        window_ = std::max(receive_buffer / 2 / charge * segment_, train_);

        // The memory that the same messages would lie in, and whole trains, so that none wraps.
        const std::size_t touched = std::max(options.window * options.size_bytes, train_);
        outgoing_.resize((touched + train_ - 1) / train_ * train_);
        for (std::size_t i = 0; i < outgoing_.size(); ++i)
            outgoing_[i] = pattern(i);
        incoming_.resize(std::max(touched, std::size_t{1} << 16));
        connect(pair);
    }

    // With `acknowledged`, returns when all has arrived; otherwise when all has left.
    void send(std::uint64_t total, bool acknowledged) {
        ++sending_;
        std::uint64_t sent = 0;
        credited_ = 0;
        while (sent < total) {
            const std::size_t size = std::min<std::uint64_t>(train_, total - sent);
            while (sent + size > credited_ + window_)
                await_credit();
            const std::span train(outgoing_.data() + sent % outgoing_.size(), size);
            while (!data_out().send_train(train, segment_)) {
            }
            sent += size;
        }
        while (acknowledged && credited_ < total)
            await_credit();
    }

    void receive(std::uint64_t total, bool acknowledged, bool verified) {
        ++receiving_;
        // Often enough that what is not yet told never keeps the next train back.
        const std::uint64_t step = std::min(window_ / 4, window_ - train_ + 1);
        std::uint64_t told = 0;
        std::size_t position = 0;
        for (std::uint64_t received = 0; received < total;) {
            // Room for a whole train at every receive, or it would be cut off.
            if (incoming_.size() - position < (std::size_t{1} << 16)) position = 0;
            const std::span buffer(incoming_.data() + position, incoming_.size() - position);
            const std::size_t got = await_data(buffer);
            if (verified) verify(buffer.first(got), received);
            received += got;
            position += got;
            const bool ends = acknowledged && received == total;
            // A transfer within the window needs no credit, and pays for none.
            if (ends || (total > window_ && received - told >= step)) {
                tell({receiving_, received});
                told = received;
            }
        }
    }

private:
    [[nodiscard]] UdpSocket& data_out() { return annotated_ ? connected_ : data_; }

    std::size_t configure(const Options& options) {
        const std::size_t given = data_.set_receive_buffer(receive_buffer_wanted);
        if (annotated_ || options.mode == Mode::stream || options.size_bytes > segment_)
            data_.enable(SOL_UDP, UDP_GRO, "UDP_GRO");
        if (annotated_) {
            data_.enable(IPPROTO_IP, IP_RECVTOS, "IP_RECVTOS");
            data_.enable(SOL_SOCKET, SO_RXQ_OVFL, "SO_RXQ_OVFL");
        }
        return given;
    }

    // With rill's options the receiving socket is unconnected, and a second one sends.
    void connect(ProcessPair& pair) {
        const std::string peer = pair.exchange(data_.name());
        data_out().connect(peer);
        credit_.connect(pair.exchange(credit_.name()));
    }

    std::size_t await_data(std::span<std::byte> buffer) {
        return await("waiting for data", [&] {
            return annotated_ ? data_.receive_annotated(buffer) : data_.receive(buffer);
        });
    }

    void await_credit() {
        Credit credit;
        await("waiting for credit",
              [&] { return credit_.receive(std::as_writable_bytes(std::span(&credit, 1))); });
        if (credit.transfer == sending_) credited_ = credit.bytes;
    }

    void tell(const Credit& credit) {
        const auto bytes = std::as_bytes(std::span(&credit, 1));
        while (!credit_.send_train(bytes, bytes.size())) {
        }
    }

    template <typename Poll>
    std::size_t await(const char* what, Poll&& poll) {
        set_phase(what);
        double start = 0;
        for (unsigned polls = 0;; ++polls) {
            if (const auto got = poll()) return *got;
            if (polls % polls_per_clock != polls_per_clock - 1) continue;
            const double now = seconds_now();
            if (start == 0) start = now;
            if (now - start > silence_s_max)
                fail(what, "nothing came; dropped for want of buffer: " +
                               std::to_string(data_.dropped()));
        }
    }

    void verify(std::span<const std::byte> piece, std::uint64_t offset) const {
        for (std::size_t i = 0; i < piece.size(); ++i) {
            if (piece[i] != pattern((offset + i) % outgoing_.size()))
                fail("check of the data", "differs at byte " + std::to_string(offset + i));
        }
    }

    std::size_t segment_;
    std::size_t train_;
    bool annotated_;
    std::size_t window_ = 0; // bytes that may be under way
    UdpSocket data_;
    UdpSocket connected_; // sends, if data_ is unconnected
    UdpSocket credit_;    // apart, so that credit is never coalesced with data
    std::vector<std::byte> outgoing_;
    std::vector<std::byte> incoming_;
    std::uint64_t sending_ = 0;
    std::uint64_t receiving_ = 0;
    std::uint64_t credited_ = 0;
};

double run(BareUdp& udp, ProcessPair& pair, const Options& options, const Command& command) {
    if (pair.is_client())
        pair.await_ready();
    else
        pair.signal_ready();
    const double start = seconds_now();
    if (options.mode == Mode::stream) {
        const std::uint64_t total = command.count * options.size_bytes;
        if (pair.is_client())
            udp.send(total, true);
        else
            udp.receive(total, true, command.verify);
        return seconds_now() - start;
    }
    for (std::uint64_t i = 0; i < command.count; ++i) {
        if (pair.is_client()) udp.send(options.size_bytes, false);
        udp.receive(options.size_bytes, false, command.verify);
        if (!pair.is_client()) udp.send(options.size_bytes, false);
    }
    return seconds_now() - start;
}

void serve(BareUdp& udp, ProcessPair& pair, const Options& options) {
    for (;;) {
        Command command;
        pair.read(&command, sizeof command);
        if (command.quit) return;
        run(udp, pair, options, command);
    }
}

Sample drive(BareUdp& udp, ProcessPair& pair, const Options& options) {
    const auto order = [&](const Command& command) {
        pair.order(command);
        return run(udp, pair, options, command);
    };
    order({.count = 4 * options.window + 3, .verify = true});
    const Sample sample =
        measure(options.load, 32, [&](std::uint64_t count) { return order({.count = count}); });
    pair.order({.quit = true});
    return sample;
}

} // namespace
} // namespace bench

int main(int argc, char** argv) {
    using namespace bench;
    const Options options = parse_options(Program::udp_bare, argc, argv);
    ProcessPair pair =
        ProcessPair::start({"udp_bare",
                            options.rill_options ? "rill's socket options" : "connected sockets",
                            options.cpus,
                            options.watchdog_s,
                            {},
                            {}});
    BareUdp udp(pair, options);
    if (pair.is_client())
        print_result(options, drive(udp, pair, options));
    else
        serve(udp, pair, options);
    pair.join();
    return 0;
}
