// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/address_vector.hpp"
#include "fi/common.hpp"
#include "fi/dedup.hpp"
#include "fi/domain.hpp"
#include "fi/reporter.hpp"
#include "fi/shared_transmit.hpp"
#include "rdm/endpoint.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace rill::fi {

// The operations tables of an endpoint: msg.cpp, tagged.cpp, rma.cpp, atomic.cpp, refused_ops.cpp.
extern fi_ops_msg msg_ops;
extern fi_ops_msg refused_msg_ops; // the capability was not asked for
extern fi_ops_tagged tagged_ops;
extern fi_ops_tagged refused_tagged_ops;
extern fi_ops_rma rma_ops;
extern fi_ops_rma refused_rma_ops;
extern fi_ops_atomic atomic_ops;
extern fi_ops_atomic refused_atomic_ops;
extern fi_ops_collective refused_collective_ops;

// A reliable datagram endpoint. Opened, bound and configured first; sending and receiving is
// possible once it is enabled, and binding no more.
class Endpoint {
public:
    using Fid = fid_ep;

    static int open(Domain& domain, const fi_info& info, fid_ep** out, void* context);
    static int open_scalable(Domain& domain, const fi_info& info, fid_ep** out, void* context);
    static int open_shared_receive(Domain& domain, const fi_rx_attr* attr, fid_ep** out,
                                   void* context);
    ~Endpoint();

    // The only context of a direction: -FI_EINVAL for another index, -FI_EBUSY when it is open.
    int open_transmit(int index, const fi_tx_attr* attr, fid_ep** out, void* context);
    int open_receive(int index, const fi_rx_attr* attr, fid_ep** out, void* context);

    int close();
    int bind(fid* handle, uint64_t flags);
    int control(int command, void* arg);
    int get_option(int level, int name, void* value, size_t* len);
    int set_option(int level, int name, const void* value, size_t len);
    int set_name(const void* addr, size_t len);
    int get_name(void* addr, size_t* len);
    ssize_t cancel(void* context);
    // dedup: whether the handle is that of an endpoint or shared receive context of rill.
    static bool is_one(const fid* handle);
    int attach(DedupStore& store, DedupRing* ring, uint32_t scope);
    int detach();
    Domain& domain() { return *domain_; }
    bool is_enabled() { return active() && domain_->is_ours(); }
    // The endpoint itself, if this is another face of one.
    Endpoint& core() { return core_; }

    // What plain calls carry, and what is added to the flags of msg calls: completions that a queue
    // which is not selective writes anyway.
    uint64_t tx_flags() const { return tx_flags_ | core_.tx_always_; }
    uint64_t tx_msg_flags() const { return core_.tx_always_; }
    uint64_t rx_flags() const { return rx_flags_ | core_.rx_always_; }
    uint64_t rx_msg_flags() const { return core_.rx_always_; }

    // `flags` are complete. The request's other fields are the caller's.
    ssize_t send(rdm::SendRequest& request, uint64_t flags);
    // fi_inject and its like: counted, but never a completion except for an error.
    ssize_t inject(rdm::SendRequest& request);
    // Likewise; lengths that disagree are -FI_EINVAL.
    ssize_t rma(rdm::RmaRequest& request, uint64_t flags);
    ssize_t inject_write(rdm::RmaRequest& request);
    ssize_t atomic(rdm::AtomicRequest& request, uint64_t flags);
    ssize_t inject_atomic(rdm::AtomicRequest& request);
    ssize_t receive(rdm::RecvRequest& request, uint64_t flags);
    ssize_t peek(const rdm::PeekRequest& request);
    ssize_t receive_claimed(rdm::RecvRequest& request, uint64_t flags, bool discard);
    // What an operation reports that never reached the device, with the engine owned.
    void report(const rdm::Completion& c);
    void report_to_queue(const rdm::Completion& c);
    // Sinks of deferred operations in flight, with the engine owned: they live as long as the
    // operation, and no longer than the endpoint.
    void keep(std::unique_ptr<rdm::CompletionSink> sink) { kept_.push_back(std::move(sink)); }
    void release(const rdm::CompletionSink& sink);

    // Without FI_DIRECTED_RECV the source that a receive names is ignored.
    fi_addr_t receive_source(fi_addr_t asked) const { return directed_ ? asked : FI_ADDR_UNSPEC; }

    Uses uses;

private:
    // A handle of an endpoint. The others than `whole` and `scalable` stand on one of those, the
    // core, and share all it has; what they have of their own is flags and a direction.
    enum class Role {
        whole,    // fi_endpoint
        alias,    // fi_ep_alias: other default flags
        scalable, // fi_scalable_ep: of one transmit and one receive context
        transmit, // fi_tx_context
        receive,  // fi_rx_context
        shared,   // fi_srx_context: receives for other endpoints, and is none itself
    };

    Endpoint(Domain& domain, const fi_info& info, const wire::Address& source, Role role,
             void* context);
    Endpoint(Endpoint& base, Role role, void* context);
    Endpoint(Domain& domain, const fi_rx_attr& attr, void* context);
    static int open_as(Role role, Domain& domain, const fi_info& info, fid_ep** out, void* context);
    void set_operations(size_t fclass, void* context);
    int bind_queue(CompletionQueue& queue, uint64_t flags);
    int bind_counter(Counter& counter, uint64_t flags);
    int bind_vector(AddressVector& vector, uint64_t flags);
    int bind_shared_transmit(SharedTransmit& context, uint64_t flags);
    int bind_shared_receive(Endpoint& context, uint64_t flags);
    int enable();
    int check_bindings() const;
    int open_core();
    int make_alias(fid** out, uint64_t flags);
    int options_flags(uint64_t* flags, bool set);
    // With a shared receive context, receives are posted there.
    bool may_receive() const { return receives_ && !core_.shared_receive_; }
    // The endpoint in the device, once this handle may use it.
    rdm::Endpoint* active();
    template <class F>
    ssize_t post(bool capable, F&& operation);
    bool may_report(uint64_t flags) const;

    Face<fid_ep, Endpoint> face_{};
    const Role role_;
    Use<Domain> domain_;
    Use<Endpoint> base_; // what an alias or context stands on: itself maybe one of those
    Endpoint& core_;     // the last of them, or this

    // Of this handle.
    const bool has_messages_;
    const bool has_tags_;
    const bool sends_;
    const bool receives_;
    const bool reads_;  // remote memory
    const bool writes_; // likewise
    const bool has_rma_;
    const bool has_atomics_;
    const bool directed_;
    uint64_t tx_flags_;
    uint64_t rx_flags_;
    const size_t inject_bytes_;
    bool enabled_ = false;
    std::atomic<rdm::Endpoint*> active_{nullptr}; // of the core, once it is found; see active()

    // Of the core.
    Use<AddressVector> av_;
    Reporter tx_reporter_;
    Reporter rx_reporter_;
    Use<EventQueue> eq_;
    DedupAttached dedup_;
    Use<SharedTransmit> shared_transmit_;
    Use<Endpoint> shared_receive_; // where its receives are posted
    uint64_t tx_always_ = FI_COMPLETION;
    uint64_t rx_always_ = FI_COMPLETION;
    size_t multi_recv_min_;
    wire::Address source_; // port 0: any
    Endpoint* transmit_context_ = nullptr;
    Endpoint* receive_context_ = nullptr;
    std::unique_ptr<rdm::Endpoint> endpoint_; // once enabled
    std::vector<std::unique_ptr<rdm::CompletionSink>> kept_;
};

} // namespace rill::fi
