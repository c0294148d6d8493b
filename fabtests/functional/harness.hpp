// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// libfabric objects that close themselves, and what every case needs to move checked data between
// endpoints: a `Side` is one endpoint with all it stands on, a `Group` is several in one process.
#pragma once

#include "tap.hpp"

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_tagged.h>

namespace functional {

struct InfoFree {
    void operator()(fi_info* info) const { fi_freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, InfoFree>;
using Bytes = std::vector<uint8_t>;

template <class T>
class Handle {
public:
    Handle() = default;
    explicit Handle(T* object) : object_(object) {}
    Handle(Handle&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        reset();
        object_ = std::exchange(other.object_, nullptr);
        return *this;
    }
    ~Handle() { reset(); }

    T* get() const { return object_; }
    fid* id() const { return &object_->fid; }
    // Leaves the object open when the provider refuses.
    int close() {
        const int ret = fi_close(id());
        if (ret == 0) {
            object_ = nullptr;
        }
        return ret;
    }

private:
    void reset() {
        if (object_) {
            note_close(close());
        }
        object_ = nullptr;
    }
    T* object_ = nullptr;
};

using Fabric = Handle<fid_fabric>;
using Domain = Handle<fid_domain>;
using Av = Handle<fid_av>;
using Eq = Handle<fid_eq>;
using Counter = Handle<fid_cntr>;
using Mr = Handle<fid_mr>;
using WaitSet = Handle<fid_wait>;
using Endpoint = Handle<fid_ep>;

struct Side;

struct Config {
    uint64_t caps = FI_MSG | FI_TAGGED | FI_MULTI_RECV | FI_SOURCE | FI_DIRECTED_RECV;
    uint32_t addr_format = FI_FORMAT_UNSPEC;
    fi_threading threading = FI_THREAD_DOMAIN;
    fi_progress progress = FI_PROGRESS_MANUAL;
    fi_av_type av_type = FI_AV_MAP;
    fi_cq_format format = FI_CQ_FORMAT_TAGGED;
    fi_wait_obj wait_obj = FI_WAIT_NONE;
    size_t cq_size = 0;
    uint64_t tx_bind = FI_TRANSMIT; // 0: no queue is bound
    uint64_t rx_bind = FI_RECV;
    uint64_t tx_op_flags = 0;
    uint64_t rx_op_flags = 0;
    size_t min_multi_recv = 0;          // 0 keeps the provider's default
    std::function<void(Side&)> prepare; // before the endpoint is enabled
};

Info make_hints(const Config& config = {});
// The first match; fails when there is none.
Info get_info(const fi_info* hints, const char* node = nullptr, const char* service = nullptr,
              uint64_t flags = 0);
Fabric open_fabric(const fi_info& info);
Domain open_domain(const Fabric& fabric, fi_info& info);
Av open_av(const Domain& domain, fi_av_type type, size_t count = 0);
Counter open_counter(const Domain& domain, fi_wait_obj wait_obj = FI_WAIT_NONE);
Endpoint open_endpoint(const Domain& domain, fi_info& info);

struct Completion {
    void* context = nullptr;
    uint64_t flags = 0;
    size_t len = 0;
    void* buf = nullptr;
    uint64_t data = 0;
    uint64_t tag = 0;
    fi_addr_t source = FI_ADDR_NOTAVAIL;
    int err = 0; // positive for what came through fi_cq_readerr
    int prov_errno = 0;
    size_t olen = 0;
};

class Cq {
public:
    Cq(const Domain& domain, fi_cq_format format, fi_wait_obj wait_obj, size_t size);

    fid_cq* get() const { return cq_.get(); }
    Handle<fid_cq>& handle() { return cq_; }
    // Moves everything that can be read now to `done`; true if there was anything.
    bool poll();
    Completion take();
    bool empty() const { return done_.empty(); }
    size_t count() const { return done_.size(); }

private:
    Handle<fid_cq> cq_;
    fi_cq_format format_;
    std::deque<Completion> done_;
};

// One endpoint, enabled, in a fabric and domain of its own.
struct Side {
    explicit Side(const Config& config = {});
    Side(const Config& config, Info chosen);

    Bytes name() const;
    fi_addr_t insert(const Bytes& peer);
    bool poll();
    void until(const char* what, const std::function<bool()>& done);
    Completion sent(); // the next completion of each queue; an error is a failure
    Completion received();
    Completion tx_error(); // the next completion, which must be an error
    Completion rx_error();
    void post(const std::function<ssize_t()>& operation);

    Info info;
    Fabric fabric;
    Domain domain;
    Av av;
    Cq tx;
    Cq rx;
    Endpoint ep;
};

class Group {
public:
    explicit Group(size_t sides, const Config& config = {});

    Side& operator[](size_t at) { return *sides_[at]; }
    size_t size() const { return sides_.size(); }
    // The address by which side `from` knows side `to`.
    fi_addr_t address(size_t from, size_t to) const { return addresses_[from][to]; }

    bool poll();
    void until(const char* what, const std::function<bool()>& done);
    Completion sent(size_t side);
    Completion received(size_t side);
    Completion tx_error(size_t side);
    Completion rx_error(size_t side);
    // Posts, driving all sides while the provider answers -FI_EAGAIN.
    void post(const std::function<ssize_t()>& operation);
    // Passes to give what must not happen a chance to happen.
    void settle();

private:
    Completion next(size_t side, Cq Side::*queue, const char* what);
    std::vector<std::unique_ptr<Side>> sides_;
    std::vector<std::vector<fi_addr_t>> addresses_;
};

// Two endpoints in two domains, driven by one thread.
struct Pair : Group {
    explicit Pair(const Config& config = {}) : Group(2, config) {}
    Side& a() { return (*this)[0]; }
    Side& b() { return (*this)[1]; }
    fi_addr_t to_a() const { return address(1, 0); }
    fi_addr_t to_b() const { return address(0, 1); }
};

// For two processes: sends our name, inserts the other's.
fi_addr_t exchange(Side& side, Channel& channel);

// Operation contexts, big enough for providers that ask for FI_CONTEXT or FI_CONTEXT2.
struct Op {
    fi_context2 reserved{};
};

enum class Kind { msg, tagged };
enum class Form { plain, vector, message, inject, data, inject_data };
const char* name_of(Kind kind);
const char* name_of(Form form);
bool carries_data(Form form);
bool is_inject(Form form); // no completion on success

struct Transfer {
    Kind kind = Kind::tagged;
    Form form = Form::plain;
    fi_addr_t peer = FI_ADDR_UNSPEC;
    uint64_t tag = 0;
    uint64_t ignore = 0;
    uint64_t data = 0;
    uint64_t flags = 0; // of the message form
    void* context = nullptr;
    std::vector<iovec> iov;
};

Transfer transfer(Kind kind, Bytes& buffer, fi_addr_t peer, void* context, uint64_t tag = 0);
ssize_t send(const Side& side, const Transfer& what);
ssize_t receive(const Side& side, const Transfer& what);

// Sizes around the borders of the protocol, where packets of `bytes_per_packet` are asked for. What
// fits into one packet or one train depends on headers: near them every size is among these.
constexpr size_t bytes_per_packet = 8928;
void ask_for_small_packets(); // before the first domain of a case is opened
std::vector<size_t> sizes_at_borders();

void fill(Bytes& buffer, uint32_t seed);
void check_filled(const uint8_t* bytes, size_t size, uint32_t seed, Where where = here());
// Cuts the buffer into `pieces` of uneven length, some of them empty when it is short.
std::vector<iovec> split(Bytes& buffer, size_t pieces);

} // namespace functional
