// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// What rill-checkpoint needs of libfabric: one endpoint, its queue, and rill's dedup operations.

#include "checkpoint/messages.hpp"

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_ext_rill.h>
#include <rdma/fi_tagged.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace checkpoint {

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Throws with the text of the error unless the call succeeded.
void must(ssize_t result, const char* what);

struct Close {
    template <class Object>
    void operator()(Object* object) const {
        (void)fi_close(&object->fid);
    }
};
template <class Object>
using Handle = std::unique_ptr<Object, Close>;

// A send or receive on its way; its address is the operation's context.
struct Operation {
    fi_context2 reserved{};
    Kind kind{};
    size_t number = 0; // which of them
    bool flying = false;
};

struct Event {
    Operation* operation = nullptr;
    uint64_t data = 0; // that came with a message
    size_t bytes = 0;
    int error = 0; // positive fabric errno
};

// A domain of rill: where local memory can be chunked, or an endpoint opened.
class Fabric {
public:
    // The domain from which `host` can be reached, or that has this address (`local`); empty: any.
    Fabric(const std::string& host, const std::string& port, bool local);

    void open_endpoint();
    fi_addr_t insert(const void* address);
    fi_addr_t destination(); // that `host` named
    std::vector<char> name() const;
    std::string printable_name() const;

    // Retries while the queue is full.
    void send(const void* data, size_t bytes, fi_addr_t to, uint64_t tag, Operation& op);
    void send_data(const void* data, size_t bytes, uint64_t with, fi_addr_t to, uint64_t tag,
                   Operation& op);
    void receive(void* into, size_t bytes, fi_addr_t from, uint64_t tag, Operation& op,
                 uint64_t flags = 0);
    void cancel(Operation& op) { (void)fi_cancel(&endpoint_->fid, &op.reserved); }
    // The next event, for which at most so long is waited (-1: without limit).
    std::optional<Event> next(int milliseconds);

    fi_rill_ops_dedup& dedup() { return *dedup_; }
    fid_domain* domain() { return domain_.get(); }
    fid_ep* endpoint() { return endpoint_.get(); }

private:
    struct FreeInfo {
        void operator()(fi_info* info) const { fi_freeinfo(info); }
    };
    template <class Post>
    void post(Operation& op, Post&& post);

    std::unique_ptr<fi_info, FreeInfo> info_;
    Handle<fid_fabric> fabric_;
    Handle<fid_domain> domain_;
    fi_rill_ops_dedup* dedup_ = nullptr;
    Handle<fid_av> peers_;
    Handle<fid_cq> queue_;
    Handle<fid_ep> endpoint_; // last: closed first
};

} // namespace checkpoint
