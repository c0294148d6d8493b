// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/address_vector.hpp"
#include "fi/common.hpp"
#include "fi/domain.hpp"
#include "fi/reporter.hpp"
#include "rdm/endpoint.hpp"

#include <memory>

namespace rill::fi {

// The operations tables of an endpoint: msg.cpp, tagged.cpp, refused_ops.cpp.
extern fi_ops_msg msg_ops;
extern fi_ops_msg refused_msg_ops; // the capability was not asked for
extern fi_ops_tagged tagged_ops;
extern fi_ops_tagged refused_tagged_ops;
extern fi_ops_rma refused_rma_ops;
extern fi_ops_atomic refused_atomic_ops;
extern fi_ops_collective refused_collective_ops;

// A reliable datagram endpoint. Opened, bound and configured first; sending and receiving is
// possible once it is enabled, and binding no more.
class Endpoint {
public:
    using Fid = fid_ep;

    static int open(Domain& domain, const fi_info& info, fid_ep** out, void* context);
    ~Endpoint();

    int close();
    int bind(fid* handle, uint64_t flags);
    int control(int command, void* arg);
    int get_option(int level, int name, void* value, size_t* len);
    int set_option(int level, int name, const void* value, size_t len);
    int set_name(const void* addr, size_t len);
    int get_name(void* addr, size_t* len);
    ssize_t cancel(void* context);

    // What plain calls carry, and what is added to the flags of msg calls: completions that a queue
    // which is not selective writes anyway.
    uint64_t tx_flags() const { return tx_flags_ | tx_always_; }
    uint64_t tx_msg_flags() const { return tx_always_; }
    uint64_t rx_flags() const { return rx_flags_ | rx_always_; }
    uint64_t rx_msg_flags() const { return rx_always_; }

    // `flags` are complete. The request's other fields are the caller's.
    ssize_t send(rdm::SendRequest& request, uint64_t flags);
    // fi_inject and its like: counted, but never a completion except for an error.
    ssize_t inject(rdm::SendRequest& request);
    ssize_t receive(rdm::RecvRequest& request, uint64_t flags);
    ssize_t peek(const rdm::PeekRequest& request);
    ssize_t receive_claimed(const rdm::RecvRequest& request, bool discard);
    // Without FI_DIRECTED_RECV the source that a receive names is ignored.
    fi_addr_t receive_source(fi_addr_t asked) const { return directed_ ? asked : FI_ADDR_UNSPEC; }

private:
    // Takes completions of a side that is not bound and, by the endpoint's capabilities, not used.
    Endpoint(Domain& domain, const fi_info& info, const wire::Address& source, void* context);
    int bind_queue(CompletionQueue& queue, uint64_t flags);
    int bind_counter(Counter& counter, uint64_t flags);
    int bind_vector(AddressVector& vector, uint64_t flags);
    int enable();
    int check_bindings() const;
    int options_flags(uint64_t* flags, bool set);
    template <class F>
    ssize_t post(bool capable, F&& operation);

    Face<fid_ep, Endpoint> face_{};
    Use<Domain> domain_;
    Use<AddressVector> av_;
    Reporter tx_reporter_;
    Reporter rx_reporter_;
    Use<EventQueue> eq_;

    const bool sends_;
    const bool receives_;
    const bool directed_;
    uint64_t tx_flags_;
    uint64_t rx_flags_;
    uint64_t tx_always_ = FI_COMPLETION;
    uint64_t rx_always_ = FI_COMPLETION;
    const size_t inject_bytes_;
    size_t multi_recv_min_;
    wire::Address source_;                    // port 0: any
    std::unique_ptr<rdm::Endpoint> endpoint_; // once enabled
};

} // namespace rill::fi
