// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace bench {

// A UDP socket on loopback with an ephemeral port.
class UdpSocket {
public:
    UdpSocket();
    UdpSocket(const UdpSocket&) = delete;
    UdpSocket& operator=(const UdpSocket&) = delete;
    ~UdpSocket();

    [[nodiscard]] std::string name() const;
    void connect(const std::string& peer_name);

    void enable(int level, int option, const char* option_name);
    // What the kernel really gave, in its own accounting; it may be less than asked for.
    [[nodiscard]] std::size_t set_receive_buffer(int bytes);

    // One train: cut by the kernel into datagrams of `segment` bytes, the last one shorter. False
    // if the kernel has no room for it just now.
    [[nodiscard]] bool send_train(std::span<const std::byte> train, std::size_t segment);

    [[nodiscard]] int descriptor() const { return descriptor_; }

    // What is there, or nothing; coalesced if UDP_GRO is on.
    [[nodiscard]] std::optional<std::size_t> receive(std::span<std::byte> buffer);

    // The same, with the sender's address and the control messages read, as a transport has to.
    [[nodiscard]] std::optional<std::size_t> receive_annotated(std::span<std::byte> buffer);

    // Datagrams that the receive buffer had no room for.
    [[nodiscard]] std::uint32_t dropped() const;

private:
    // What the kernel told along with the last datagrams; read for the cost of reading it.
    struct Annotations {
        int segment = 0;
        std::uint8_t tos = 0;
        std::uint32_t dropped = 0;
    };

    void note(const cmsghdr& header);

    int descriptor_;
    Annotations annotations_;
};

} // namespace bench
