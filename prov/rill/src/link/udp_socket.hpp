// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/status.hpp"
#include "wire/address.hpp"
#include "wire/link.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace rill::link {

// Ports that may be bound, both ends included; 0–0 leaves the choice to the kernel.
struct PortRange {
    uint16_t low = 0;
    uint16_t high = 0;

    bool any() const { return low == 0 && high == 0; }
    bool contains(uint16_t port) const { return any() || (port >= low && port <= high); }
};

std::string to_string(const PortRange& range); // "5000-5015", "any"

struct SocketConfig {
    wire::Address local; // port 0: any one in the range
    PortRange ports;
    std::string interface;   // by which it sends; empty: the routing table decides
    size_t rcvbuf_bytes = 0; // 0: as large as allowed
    uint8_t code_point = 0;  // of what is sent: differentiated services, six bits (RFC 2474)
    bool receives = true;    // false: send only; what arrives is dropped by a filter
};

// What the error queue had to say.
struct SocketError {
    wire::Address to; // where the packet was sent that caused it
    int error = 0;    // errno; 0: it came from our own kernel, and the call that failed told it
};

// One UDP socket with the options that rill needs, and the four system calls on it. Never blocks.
class UdpSocket {
public:
    UdpSocket() = default;
    ~UdpSocket() { close(); }
    UdpSocket(UdpSocket&& other) noexcept { *this = std::move(other); }
    UdpSocket& operator=(UdpSocket&& other) noexcept;

    // On failure nothing is open, and `error` names the address, ports or interface.
    [[nodiscard]] Status open(const SocketConfig& config, std::string& error);
    void close();
    bool is_open() const { return fd_ >= 0; }
    // From now on send() goes to `to`, whatever it is told.
    [[nodiscard]] bool connect(const wire::Address& to);
    int fd() const { return fd_; }
    const wire::Address& address() const { return address_; }

    // sendmsg. segment_bytes 0: one datagram; else the kernel cuts the bytes into datagrams of that
    // size (UDP_SEGMENT). Returns 0 or errno.
    int send(const wire::Address& to, const iovec* iov, size_t iovs, size_t segment_bytes);
    // recvmsg into `buffer`. Returns 0, or errno (EAGAIN: nothing is waiting).
    int receive(std::byte* buffer, size_t buffer_bytes, wire::RxTrain& out);
    // Takes one entry off the error queue; false when it is empty.
    bool next_error(SocketError& out);

    // What the kernel charges at most: getsockopt(SO_RCVBUF).
    size_t receive_buffer_bytes() const { return receive_buffer_bytes_; }
    // Packets dropped for want of room since the last call.
    uint64_t take_drops();

    // False once the kernel refused segmentation on this socket.
    bool segmentation = true;

private:
    [[nodiscard]] Status set_options(const SocketConfig& config, std::string& error);
    [[nodiscard]] Status send_by(const SocketConfig& config, std::string& error);
    [[nodiscard]] Status bind_in_range(const SocketConfig& config, std::string& error);
    void size_receive_buffer(size_t wanted_bytes);
    void refuse_everything();
    void read_controls(const msghdr& message, wire::RxTrain& out);
    void ask_for_marks(bool wanted);
    void note_size(size_t bytes);

    int fd_ = -1;
    bool marks_ = true;         // congestion marks come with the packets
    uint32_t small_in_row_ = 0; // packets while they do
    bool connected_ = false;
    uint32_t drops_seen_ = 0; // SO_RXQ_OVFL as of the last packet: 32 bits that wrap
    uint32_t drops_taken_ = 0;
    size_t receive_buffer_bytes_ = 0;
    wire::Address address_;
};

} // namespace rill::link
