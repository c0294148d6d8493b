// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/endpoint.hpp"

#include "fi/address.hpp"
#include "fi/attributes.hpp"
#include "fi/errors.hpp"
#include "fi/log.hpp"
#include "fi/traffic_class.hpp"
#include "link/sockaddr.hpp"

#include <cstring>

namespace rill::fi {

namespace {

// A multi-receive buffer is given back when less is left.
constexpr size_t kMultiRecvMin = 64;

Endpoint& ep_of(fid* handle) {
    return object_of<Endpoint>(handle);
}

int close_entry(fid* handle) {
    return guarded([&] { return ep_of(handle).close(); });
}

int bind_entry(fid* handle, fid* what, uint64_t flags) {
    return guarded([&] { return ep_of(handle).bind(what, flags); });
}

int control_entry(fid* handle, int command, void* arg) {
    return guarded([&] { return ep_of(handle).control(command, arg); });
}

ssize_t cancel_entry(fid* handle, void* context) {
    return guarded([&] { return ep_of(handle).cancel(context); });
}

int getopt_entry(fid* handle, int level, int name, void* value, size_t* len) {
    return ep_of(handle).get_option(level, name, value, len);
}

int setopt_entry(fid* handle, int level, int name, const void* value, size_t len) {
    return guarded([&] { return ep_of(handle).set_option(level, name, value, len); });
}

int setname_entry(fid* handle, void* addr, size_t len) {
    return guarded([&] { return ep_of(handle).set_name(addr, len); });
}

int getname_entry(fid* handle, void* addr, size_t* len) {
    return guarded([&] { return ep_of(handle).get_name(addr, len); });
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = bind_entry,
    .control = control_entry,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops_ep ep_ops = {
    .size = sizeof(fi_ops_ep),
    .cancel = cancel_entry,
    .getopt = getopt_entry,
    .setopt = setopt_entry,
    .tx_ctx = no_sys,
    .rx_ctx = no_sys,
    .rx_size_left = no_sys,
    .tx_size_left = no_sys,
};

fi_ops_cm cm_ops = {
    .size = sizeof(fi_ops_cm),
    .setname = setname_entry,
    .getname = getname_entry,
    .getpeer = no_sys,
    .connect = no_sys,
    .listen = no_sys,
    .accept = no_sys,
    .reject = no_sys,
    .shutdown = no_sys,
    .join = no_sys,
};

int tx_ctx_entry(fid_ep* handle, int index, fi_tx_attr* attr, fid_ep** out, void* context) {
    return guarded(
        [&] { return object_of<Endpoint>(handle).open_transmit(index, attr, out, context); });
}

int rx_ctx_entry(fid_ep* handle, int index, fi_rx_attr* attr, fid_ep** out, void* context) {
    return guarded(
        [&] { return object_of<Endpoint>(handle).open_receive(index, attr, out, context); });
}

fi_ops_ep scalable_ep_ops = {
    .size = sizeof(fi_ops_ep),
    .cancel = no_sys,
    .getopt = getopt_entry,
    .setopt = setopt_entry,
    .tx_ctx = tx_ctx_entry,
    .rx_ctx = rx_ctx_entry,
    .rx_size_left = no_sys,
    .tx_size_left = no_sys,
};

// A side is used if its kind of message and its direction are among the capabilities; no direction
// means both.
bool has_side(uint64_t caps, uint64_t side) {
    if (!(caps & (FI_MSG | FI_TAGGED))) return false;
    return (caps & side) || !(caps & (FI_SEND | FI_RECV));
}

// Likewise of remote memory: no direction means all.
bool has_remote_side(uint64_t caps, uint64_t side) {
    if (!(caps & (FI_RMA | FI_ATOMIC))) return false;
    return (caps & side) || !(caps & (FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE));
}

// The address that an endpoint of `info` shall have in the domain.
int source_of(Domain& domain, const fi_info& info, wire::Address& out) {
    const wire::Address& own = domain.engine().interface().address;
    out = own;
    if (!info.src_addr || info.src_addrlen == 0) return 0;
    const wire::Address asked = read_sockaddr(info.src_addr, info.src_addrlen);
    if (asked.family != own.family) return -FI_EINVAL;
    if (!is_wildcard(asked) && !asked.same_host(own)) {
        warn(FI_LOG_EP_CTRL,
             "the domain is at " + link::host_text(own) + ", not at " + link::host_text(asked));
        return -FI_EADDRNOTAVAIL;
    }
    out.port = asked.port;
    return 0;
}

} // namespace

Endpoint::Endpoint(Domain& domain, const fi_info& info, const wire::Address& source, Role role,
                   void* context)
    : role_(role), domain_(domain), core_(*this), has_messages_(info.caps & FI_MSG),
      has_tags_(info.caps & FI_TAGGED), sends_(has_side(info.caps, FI_SEND)),
      receives_(has_side(info.caps, FI_RECV)), reads_(has_remote_side(info.caps, FI_READ)),
      writes_(has_remote_side(info.caps, FI_WRITE)), has_rma_(info.caps & FI_RMA),
      has_atomics_(info.caps & FI_ATOMIC), directed_(info.caps & FI_DIRECTED_RECV),
      tx_flags_(info.tx_attr ? info.tx_attr->op_flags : 0),
      rx_flags_(info.rx_attr ? info.rx_attr->op_flags : 0),
      inject_bytes_(info.tx_attr ? info.tx_attr->inject_size : rdm::kInjectBytesMax),
      multi_recv_min_(kMultiRecvMin), source_(source) {
    set_operations(role == Role::scalable ? FI_CLASS_SEP : FI_CLASS_EP, context);
    if (role == Role::scalable) face_.ops = &scalable_ep_ops;
}

Endpoint::Endpoint(Endpoint& base, Role role, void* context)
    : role_(role), domain_(*base.domain_), base_(base), core_(base.core_),
      has_messages_(base.has_messages_), has_tags_(base.has_tags_),
      sends_(base.sends_ && role != Role::receive),
      receives_(base.receives_ && role != Role::transmit),
      reads_(base.reads_ && role != Role::receive), writes_(base.writes_ && role != Role::receive),
      has_rma_(base.has_rma_), has_atomics_(base.has_atomics_), directed_(base.directed_),
      tx_flags_(base.tx_flags_), rx_flags_(base.rx_flags_), inject_bytes_(base.inject_bytes_),
      multi_recv_min_(base.multi_recv_min_) {
    set_operations(role == Role::transmit  ? FI_CLASS_TX_CTX
                   : role == Role::receive ? FI_CLASS_RX_CTX
                                           : FI_CLASS_EP,
                   context);
}

Endpoint::Endpoint(Domain& domain, const fi_rx_attr& attr, void* context)
    : role_(Role::shared), domain_(domain), core_(*this),
      has_messages_((attr.caps & FI_MSG) || !(attr.caps & FI_TAGGED)),
      has_tags_((attr.caps & FI_TAGGED) || !(attr.caps & FI_MSG)), sends_(false), receives_(true),
      reads_(false), writes_(false), has_rma_(false), has_atomics_(false),
      directed_(attr.caps & FI_DIRECTED_RECV), tx_flags_(0), rx_flags_(attr.op_flags),
      inject_bytes_(0), enabled_(true), multi_recv_min_(kMultiRecvMin) {
    set_operations(FI_CLASS_SRX_CTX, context);
}

void Endpoint::set_operations(size_t fclass, void* context) {
    const bool transfers = role_ != Role::scalable; // its contexts do
    set_face(face_, this, fclass, context, fid_ops);
    face_.ops = &ep_ops;
    face_.cm = &cm_ops;
    face_.msg = has_messages_ && transfers ? &msg_ops : &refused_msg_ops;
    face_.tagged = has_tags_ && transfers ? &tagged_ops : &refused_tagged_ops;
    face_.rma = has_rma_ && transfers ? &rma_ops : &refused_rma_ops;
    face_.atomic = has_atomics_ && transfers ? &atomic_ops : &refused_atomic_ops;
    face_.collective = &refused_collective_ops;
}

int Endpoint::open_as(Role role, Domain& domain, const fi_info& info, fid_ep** out, void* context) {
    if (check_hints(domain.api_version(), &info)) return -FI_EINVAL;
    if (!same_traffic_class(domain.api_version(), info, domain.traffic_class())) {
        warn(FI_LOG_EP_CTRL, "an endpoint has the traffic class of its domain, or none");
        return -FI_EINVAL;
    }
    wire::Address source;
    if (const int failed = source_of(domain, info, source)) return failed;
    *out = &(new Endpoint(domain, info, source, role, context))->face_;
    return 0;
}

int Endpoint::open(Domain& domain, const fi_info& info, fid_ep** out, void* context) {
    return open_as(Role::whole, domain, info, out, context);
}

int Endpoint::open_scalable(Domain& domain, const fi_info& info, fid_ep** out, void* context) {
    return open_as(Role::scalable, domain, info, out, context);
}

int Endpoint::open_shared_receive(Domain& domain, const fi_rx_attr* attr, fid_ep** out,
                                  void* context) {
    const fi_rx_attr none{};
    const fi_rx_attr& a = attr ? *attr : none;
    if (check_receive(a)) return -FI_EINVAL;
    std::unique_ptr<Endpoint> made(new Endpoint(domain, a, context));
    {
        const Owned own(domain.engine());
        const Status status = domain.engine().module().open_shared_receive(made->endpoint_);
        if (!is_ok(status)) return result_of(status);
        made->endpoint_->set_multi_recv_min(made->multi_recv_min_);
    }
    *out = &made.release()->face_;
    return 0;
}

int Endpoint::open_transmit(int index, const fi_tx_attr* attr, fid_ep** out, void* context) {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (index != 0 || (attr && check_transmit(domain_->api_version(), *attr))) return -FI_EINVAL;
    if (transmit_context_) return -FI_EBUSY;
    transmit_context_ = new Endpoint(*this, Role::transmit, context);
    if (attr) transmit_context_->tx_flags_ = attr->op_flags;
    *out = &transmit_context_->face_;
    return 0;
}

int Endpoint::open_receive(int index, const fi_rx_attr* attr, fid_ep** out, void* context) {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (index != 0 || (attr && check_receive(*attr))) return -FI_EINVAL;
    if (receive_context_) return -FI_EBUSY;
    receive_context_ = new Endpoint(*this, Role::receive, context);
    if (attr) receive_context_->rx_flags_ = attr->op_flags;
    *out = &receive_context_->face_;
    return 0;
}

int Endpoint::make_alias(fid** out, uint64_t flags) {
    if (role_ == Role::scalable || role_ == Role::shared) return -FI_EINVAL;
    auto alias = std::unique_ptr<Endpoint>(new Endpoint(*this, Role::alias, face_.fid.context));
    if (const int failed = alias->options_flags(&flags, true)) return failed;
    *out = &alias.release()->face_.fid;
    return 0;
}

Endpoint::~Endpoint() {
    if (core_.transmit_context_ == this) core_.transmit_context_ = nullptr;
    if (core_.receive_context_ == this) core_.receive_context_ = nullptr;
    if (domain_->is_ours()) domain_->engine().triggers().drop(this);
    if (!endpoint_) return;
    // The child of a fork must not touch the module, and nothing may be sent.
    if (!domain_->is_ours()) {
        domain_->engine().abandon(std::move(endpoint_));
        return;
    }
    Engine& engine = domain_->engine();
    {
        const Owned own(engine);
        if (dedup_) engine.module().dedup().detach(endpoint_->receives());
        endpoint_->close(Engine::now());
        endpoint_.reset();
    }
    engine.housekeeper().refresh();
}

int Endpoint::close() {
    if (uses.any()) return -FI_EBUSY;
    delete this;
    return 0;
}

bool Endpoint::is_one(const fid* handle) {
    const bool fits = handle->fclass == FI_CLASS_EP || handle->fclass == FI_CLASS_RX_CTX ||
                      handle->fclass == FI_CLASS_SRX_CTX;
    return fits && handle->ops == &fid_ops;
}

int Endpoint::attach(DedupStore& store, DedupRing* ring, uint32_t scope) {
    if (!is_enabled() || !core_.endpoint_) return -FI_EOPBADSTATE;
    if (!ring || core_.shared_receive_ || &store.domain() != domain_.get()) return -FI_EINVAL;
    if (core_.dedup_) return -FI_EBUSY;
    const Owned own(domain_->engine());
    const Status s = domain_->engine().module().dedup().attach(
        core_.endpoint_->receives(), store.number(), ring->number(), scope);
    if (!is_ok(s)) return result_of(s);
    core_.dedup_.store = Use<DedupStore>(store);
    core_.dedup_.ring = Use<DedupRing>(*ring);
    return 0;
}

// What has begun to be received is reported.
int Endpoint::detach() {
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    if (!core_.dedup_) return -FI_ENOENT;
    const Owned own(domain_->engine());
    domain_->engine().module().dedup().detach(core_.endpoint_->receives());
    core_.dedup_ = {};
    return 0;
}

int Endpoint::bind(fid* handle, uint64_t flags) {
    if (enabled_ || role_ == Role::alias || !domain_->is_ours()) return -FI_EOPBADSTATE;
    const bool is_core = !base_; // a context has queues and counters of its own, and no more
    switch (handle->fclass) {
    case FI_CLASS_CQ: return bind_queue(object_of<CompletionQueue>(handle), flags);
    case FI_CLASS_CNTR: return bind_counter(object_of<Counter>(handle), flags);
    case FI_CLASS_AV: return bind_vector(object_of<AddressVector>(handle), flags);
    case FI_CLASS_EQ:
        if (flags) return -FI_EBADFLAGS;
        if (!is_core || eq_) return -FI_EINVAL;
        eq_ = Use<EventQueue>(object_of<EventQueue>(handle));
        return 0;
    case FI_CLASS_STX_CTX:
        return is_core ? bind_shared_transmit(object_of<SharedTransmit>(handle), flags)
                       : -FI_EINVAL;
    case FI_CLASS_SRX_CTX:
        return is_core ? bind_shared_receive(object_of<Endpoint>(handle), flags) : -FI_EINVAL;
    default: return -FI_EINVAL;
    }
}

// Transmit and receive contexts are bound while their endpoint may be open already.
int Endpoint::bind_queue(CompletionQueue& queue, uint64_t flags) {
    if (flags & ~(FI_TRANSMIT | FI_RECV | FI_SELECTIVE_COMPLETION)) return -FI_EBADFLAGS;
    const bool tx = flags & FI_TRANSMIT;
    const bool rx = flags & FI_RECV;
    if (!tx && !rx) return -FI_EINVAL;
    if (role_ == Role::scalable || (tx && role_ == Role::receive) ||
        (rx && role_ == Role::transmit))
        return -FI_EINVAL;
    if (&queue.domain() != domain_.get()) return -FI_EINVAL;
    const Owned own(domain_->engine());
    if ((tx && core_.tx_reporter_.has_queue()) || (rx && core_.rx_reporter_.has_queue()))
        return -FI_EINVAL;
    const uint64_t always = flags & FI_SELECTIVE_COMPLETION ? 0 : FI_COMPLETION;
    if (tx) {
        core_.tx_reporter_.bind(queue);
        core_.tx_always_ = always;
    }
    if (rx) {
        core_.rx_reporter_.bind(queue);
        core_.rx_always_ = always;
    }
    return 0;
}

int Endpoint::bind_counter(Counter& counter, uint64_t flags) {
    if (flags & ~Reporter::kDirections) return -FI_EBADFLAGS;
    const uint64_t tx = flags & (FI_SEND | FI_READ | FI_WRITE);
    const uint64_t rx = flags & ~tx;
    if (flags == 0 || &counter.domain() != domain_.get()) return -FI_EINVAL;
    if (role_ == Role::scalable || (tx && role_ == Role::receive) ||
        (rx && role_ == Role::transmit))
        return -FI_EINVAL;
    const Owned own(domain_->engine());
    // All or nothing.
    if (core_.tx_reporter_.has_counter(tx) || core_.rx_reporter_.has_counter(rx)) return -FI_EINVAL;
    core_.tx_reporter_.bind(counter, tx);
    core_.rx_reporter_.bind(counter, rx);
    return 0;
}

int Endpoint::bind_vector(AddressVector& vector, uint64_t flags) {
    if (flags) return -FI_EBADFLAGS;
    if (base_ || av_ || &vector.domain() != domain_.get()) return -FI_EINVAL;
    av_ = Use<AddressVector>(vector);
    rx_reporter_.bind(vector);
    return 0;
}

int Endpoint::bind_shared_transmit(SharedTransmit& context, uint64_t flags) {
    if (flags) return -FI_EBADFLAGS;
    if (shared_transmit_ || &context.domain() != domain_.get()) return -FI_EINVAL;
    shared_transmit_ = Use<SharedTransmit>(context);
    return 0;
}

int Endpoint::bind_shared_receive(Endpoint& context, uint64_t flags) {
    if (flags) return -FI_EBADFLAGS;
    if (shared_receive_ || &context.domain() != domain_.get()) return -FI_EINVAL;
    shared_receive_ = Use<Endpoint>(context);
    return 0;
}

int Endpoint::control(int command, void* arg) {
    switch (command) {
    case FI_ENABLE: return enable();
    case FI_GETOPSFLAG: return options_flags(static_cast<uint64_t*>(arg), false);
    case FI_SETOPSFLAG: return options_flags(static_cast<uint64_t*>(arg), true);
    case FI_ALIAS: {
        const auto& wanted = *static_cast<const struct fi_alias*>(arg);
        return domain_->is_ours() ? make_alias(wanted.fid, wanted.flags) : -FI_EOPBADSTATE;
    }
    default: return -FI_ENOSYS;
    }
}

// FI_TRANSMIT or FI_RECV among the flags says whose flags are meant.
int Endpoint::options_flags(uint64_t* flags, bool set) {
    const uint64_t side = *flags & (FI_TRANSMIT | FI_RECV);
    if (side != FI_TRANSMIT && side != FI_RECV) return -FI_EINVAL;
    uint64_t& ours = side == FI_TRANSMIT ? tx_flags_ : rx_flags_;
    const uint64_t allowed = FI_TRIGGER | (side == FI_TRANSMIT ? kTxFlags : kRxFlags);
    const uint64_t given = *flags & ~side;
    if (set && (given & ~allowed)) return -FI_EINVAL;
    if (set)
        ours = given;
    else
        *flags = ours;
    return 0;
}

int Endpoint::check_bindings() const {
    if (!core_.av_) return -FI_ENOAV;
    if (role_ == Role::scalable) return 0; // its contexts have queues
    // A counter will do instead of a queue.
    const bool transmits = sends_ || reads_ || writes_;
    if ((transmits && !core_.tx_reporter_.is_bound()) ||
        (receives_ && !core_.rx_reporter_.is_bound()))
        return -FI_ENOCQ;
    return 0;
}

// A scalable endpoint is open with the first of its handles that is enabled.
int Endpoint::enable() {
    if (role_ == Role::shared) return 0; // from the beginning
    if (enabled_ || role_ == Role::alias || !domain_->is_ours()) return -FI_EOPBADSTATE;
    if (const int failed = check_bindings()) return failed;
    if (!core_.endpoint_)
        if (const int failed = core_.open_core()) return failed;
    enabled_ = true;
    return 0;
}

int Endpoint::open_core() {
    Engine& engine = domain_->engine();
    wire::Address bound = source_;
    {
        const Owned own(engine);
        rdm::Endpoint* const shared = shared_receive_ ? shared_receive_->endpoint_.get() : nullptr;
        const Status status = engine.module().open_endpoint(bound, av_->peers(), tx_reporter_,
                                                            rx_reporter_, endpoint_, shared);
        if (!is_ok(status)) {
            warn(FI_LOG_EP_CTRL, "cannot open an endpoint at " + wire::to_string(source_) +
                                     " (ports: " + engine.ports() + "): " + to_string(status));
            return result_of(status);
        }
        if (!shared) endpoint_->set_multi_recv_min(multi_recv_min_);
    }
    if (!engine.housekeeper().start()) {
        const Owned own(engine);
        endpoint_->close(Engine::now());
        endpoint_.reset();
        return -FI_ENOMEM;
    }
    engine.housekeeper().refresh();
    return 0;
}

rdm::Endpoint* Endpoint::active() {
    rdm::Endpoint* known = active_.load(std::memory_order_relaxed);
    if (known) [[likely]]
        return known;
    const Endpoint* own = this; // an alias may be used when what it stands on may
    while (own->role_ == Role::alias)
        own = own->base_.get();
    if (own->enabled_) {
        known = core_.endpoint_.get();
        active_.store(known, std::memory_order_relaxed);
    }
    return known;
}

int Endpoint::get_option(int level, int name, void* value, size_t* len) {
    if (level != FI_OPT_ENDPOINT) return -FI_ENOPROTOOPT;
    switch (name) {
    case FI_OPT_MIN_MULTI_RECV:
        if (*len < sizeof(size_t)) return -FI_ETOOSMALL;
        std::memcpy(value, &core_.multi_recv_min_, sizeof(size_t));
        *len = sizeof(size_t);
        return 0;
    default: return -FI_ENOPROTOOPT;
    }
}

int Endpoint::set_option(int level, int name, const void* value, size_t len) {
    if (level != FI_OPT_ENDPOINT) return -FI_ENOPROTOOPT;
    if (!domain_->is_ours()) return -FI_EOPBADSTATE;
    switch (name) {
    case FI_OPT_MIN_MULTI_RECV: {
        if (len != sizeof(size_t)) return -FI_EINVAL;
        const Owned own(domain_->engine());
        std::memcpy(&core_.multi_recv_min_, value, sizeof(size_t));
        if (core_.endpoint_) core_.endpoint_->set_multi_recv_min(core_.multi_recv_min_);
        return 0;
    }
    default: return -FI_ENOPROTOOPT;
    }
}

int Endpoint::set_name(const void* addr, size_t len) {
    if (core_.endpoint_ || base_) return -FI_EOPBADSTATE; // a shared context is open, too
    const wire::Address asked = read_sockaddr(addr, len);
    if (!asked.valid()) return -FI_EINVAL;
    if (!is_wildcard(asked) && !asked.same_host(source_)) return -FI_EADDRNOTAVAIL;
    source_.port = asked.port;
    return 0;
}

int Endpoint::get_name(void* addr, size_t* len) {
    if (role_ == Role::shared) return -FI_ENOSYS;
    // The port is known when it is open, or was chosen by the program. Answered in a forked child
    // too: the name is the parent's, and reading it does no harm.
    if (!core_.endpoint_ && core_.source_.port == 0) return -FI_EOPBADSTATE;
    const wire::Address& name = core_.endpoint_ ? core_.endpoint_->address() : core_.source_;
    return write_sockaddr(name, addr, len) ? 0 : -FI_ETOOSMALL;
}

ssize_t Endpoint::cancel(void* context) {
    if (!is_enabled()) return -FI_EOPBADSTATE;
    const Owned own(domain_->engine());
    if (domain_->engine().triggers().cancel(this, context)) return 0;
    const Status status = active()->cancel(context, Engine::now());
    return status == Status::not_found ? -FI_ENOENT : result_of(status);
}

void Endpoint::report(const rdm::Completion& c) {
    constexpr uint32_t receiving = rdm::kRecv | rdm::kRemoteRead | rdm::kRemoteWrite;
    (c.kinds & receiving ? core_.rx_reporter_ : core_.tx_reporter_).complete(c);
}

void Endpoint::report_to_queue(const rdm::Completion& c) {
    (c.kinds & rdm::kRecv ? core_.rx_reporter_ : core_.tx_reporter_).write(c);
}

void Endpoint::release(const rdm::CompletionSink& sink) {
    std::erase_if(kept_, [&](const auto& kept) { return kept.get() == &sink; });
}

} // namespace rill::fi
