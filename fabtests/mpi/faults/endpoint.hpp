// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A reliable datagram endpoint with what it needs, for programs that start and lose processes.
// Anything that goes wrong in opening it ends the process with a word on standard error.

#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_tagged.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace faults {

using Clock = std::chrono::steady_clock;
using Address = std::vector<std::byte>;

struct Completion {
    int error;          // 0, or libfabric's positive code
    int provider_error; // as the provider said
    size_t bytes;
    Clock::time_point when;
};

// One operation under way; must not move until it is complete or the endpoint is closed.
struct Operation {
    fi_context2 context; // first, so that the completion's context is the operation's address
    std::string name;
};

class Endpoint {
public:
    Endpoint();
    ~Endpoint() { close(); }
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;

    [[nodiscard]] Address address() const;
    [[nodiscard]] fi_addr_t add(const Address& peer);
    [[nodiscard]] std::string provider() const { return info->fabric_attr->prov_name; }
    [[nodiscard]] size_t inject_bytes_max() const { return info->tx_attr->inject_size; }

    // 0 or libfabric's negative code; a full queue is waited out.
    int send(Operation& operation, std::span<const std::byte> data, fi_addr_t to, uint64_t tag);
    int receive(Operation& operation, std::span<std::byte> data, fi_addr_t from, uint64_t tag);
    int inject(std::span<const std::byte> data, fi_addr_t to, uint64_t tag);
    int cancel(Operation& operation) {
        return static_cast<int>(fi_cancel(&endpoint->fid, &operation));
    }

    // Takes what is in the completion queue; never waits.
    void progress();

    // Null while it is under way.
    [[nodiscard]] const Completion* done(const Operation& operation) const;

    // False when it is not complete by then.
    bool wait(const Operation& operation, Clock::time_point deadline);

    void close();

private:
    template <class Post>
    int post(Post call);

    fi_info* info = nullptr;
    fid_fabric* fabric = nullptr;
    fid_domain* domain = nullptr;
    fid_av* addresses = nullptr;
    fid_cq* queue = nullptr;
    fid_ep* endpoint = nullptr;
    std::map<const Operation*, Completion> completions;
};

[[noreturn, gnu::format(printf, 1, 2)]] void die(const char* format, ...);

// Data that says whether it is the right one.
void fill(std::span<std::byte> data, uint64_t seed);
[[nodiscard]] bool holds(std::span<const std::byte> data, uint64_t seed);

} // namespace faults
