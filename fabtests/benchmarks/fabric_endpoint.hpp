// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_atomic.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_rma.h>
#include <rdma/fi_tagged.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bench {

struct FidCloser {
    template <typename Fid>
    void operator()(Fid* fid) const {
        fi_close(&fid->fid);
    }
};
template <typename Fid>
using FidPtr = std::unique_ptr<Fid, FidCloser>;

struct InfoFreer {
    void operator()(fi_info* info) const { fi_freeinfo(info); }
};

// One operation that can be under way, with its own part of the buffer. The context comes first
// and belongs to the provider until the completion.
struct Operation {
    fi_context2 context{};
    bool is_receive = false;
    std::uint64_t sequence = 0;
    std::span<std::byte> buffer;
    void* descriptor = nullptr;
};

// Memory of the peer's, as RMA and atomic operations name it.
struct RemoteMemory {
    std::uint64_t address = 0;
    std::uint64_t key = 0;
};

// A reliable datagram endpoint with one completion queue, one peer and one tag: what a tagged
// ping-pong or stream needs of libfabric, and nothing else. Every error ends the process.
class FabricEndpoint {
public:
    // `remote`: with RMA and atomic operations. `counted`: their completions are counted, and come
    // into no queue; the watchdog finds one that failed. `sleeps`: the queue has a descriptor.
    FabricEndpoint(const std::string& provider, const std::string& node, bool remote, bool counted,
                   bool sleeps = false);

    [[nodiscard]] std::string name() const;
    void connect(const std::string& peer_name);

    // Memory for `count` operations of `size` bytes each, registered if the provider wants that.
    [[nodiscard]] std::vector<Operation> make_operations(std::size_t count, std::size_t size,
                                                         bool is_receive);

    void receive(Operation& operation);
    void send(Operation& operation);
    void inject(std::span<const std::byte> data);

    // Lets the peer read and write the memory of these operations, which lies in one piece.
    [[nodiscard]] RemoteMemory expose(std::span<const Operation> operations);
    void write(Operation& operation, const RemoteMemory& to);
    void read(Operation& operation, const RemoteMemory& from);
    // Adds 1 to a 64-bit word; what it was before comes into the operation's buffer.
    void fetch_add(Operation& operation, const RemoteMemory& to);

    // The operation that completed, or null. Polling is what drives manual progress.
    [[nodiscard]] Operation* poll();

    // Returns when there may be a completion: asleep in poll(2) on the queue's descriptor meanwhile.
    void sleep();

    [[nodiscard]] std::size_t inject_size() const { return info_->tx_attr->inject_size; }
    [[nodiscard]] std::size_t send_depth() const { return info_->tx_attr->size; }
    [[nodiscard]] std::size_t receive_depth() const { return info_->rx_attr->size; }

private:
    void open_info(const std::string& provider, const std::string& node, bool remote);
    void open_objects(bool counted, bool sleeps);
    void bind_completions(fid_ep* endpoint, bool counted);
    void read_counter();
    void read_completions();
    [[noreturn]] void fail_completion();
    // True if the provider was busy: it has then been driven, and the call is to be repeated.
    [[nodiscard]] bool busy(const char* call, ssize_t result);

    std::unique_ptr<fi_info, InfoFreer> info_;
    FidPtr<fid_fabric> fabric_;
    FidPtr<fid_domain> domain_;
    FidPtr<fid_av> av_;
    FidPtr<fid_cq> cq_;
    FidPtr<fid_cntr> counter_; // null: everything completes in the queue
    std::uint64_t counted_ = 0;
    std::deque<Operation*> under_way_; // that the counter will count
    // Closed before the queue and the address vector that it is bound to.
    std::vector<std::unique_ptr<std::byte[]>> memory_;
    std::vector<FidPtr<fid_mr>> regions_;
    FidPtr<fid_ep> endpoint_;
    fi_addr_t peer_ = FI_ADDR_UNSPEC;
    std::deque<Operation*> seen_; // completions read from the queue and not yet handed out
};

} // namespace bench
