// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "harness.hpp"

#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

namespace functional {

// A plain UDP socket on loopback that counts what it sends and what it is answered.
class Datagrams {
public:
    Datagrams();
    ~Datagrams();
    Datagrams(const Datagrams&) = delete;
    Datagrams& operator=(const Datagrams&) = delete;

    sockaddr_in name() const;
    void send(const sockaddr_in& to, std::span<const uint8_t> bytes);
    std::optional<Bytes> receive(); // nothing if nothing has come
    void drain();
    size_t sent_bytes() const { return sent_; }
    size_t received_bytes() const { return received_; }

private:
    int fd_;
    size_t sent_ = 0;
    size_t received_ = 0;
};

// Cases of the program `badinput` about datagrams of strangers.
void add_datagram_cases(std::vector<Case>& cases);

} // namespace functional
