// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "harness.hpp"

#include <cstring>

#include <sched.h>

namespace functional {

namespace {

constexpr int settle_passes = 2000;

Cq open_cq(const Domain& domain, const Config& config) {
    return {domain, config.format, config.wait_obj, config.cq_size};
}

// Any format fits into the largest; the shorter ones are its beginning.
Completion to_completion(const void* at, fi_cq_format format, fi_addr_t source) {
    Completion one;
    one.source = source;
    fi_cq_tagged_entry entry{};
    switch (format) {
    case FI_CQ_FORMAT_CONTEXT: memcpy(&entry, at, sizeof(fi_cq_entry)); break;
    case FI_CQ_FORMAT_MSG: memcpy(&entry, at, sizeof(fi_cq_msg_entry)); break;
    case FI_CQ_FORMAT_DATA: memcpy(&entry, at, sizeof(fi_cq_data_entry)); break;
    case FI_CQ_FORMAT_TAGGED: memcpy(&entry, at, sizeof(fi_cq_tagged_entry)); break;
    case FI_CQ_FORMAT_UNSPEC: fail("a completion of unspecified format");
    }
    one.context = entry.op_context;
    one.flags = entry.flags;
    one.len = entry.len;
    one.buf = entry.buf;
    one.data = entry.data;
    one.tag = entry.tag;
    return one;
}

size_t entry_size(fi_cq_format format) {
    switch (format) {
    case FI_CQ_FORMAT_CONTEXT: return sizeof(fi_cq_entry);
    case FI_CQ_FORMAT_MSG: return sizeof(fi_cq_msg_entry);
    case FI_CQ_FORMAT_DATA: return sizeof(fi_cq_data_entry);
    case FI_CQ_FORMAT_TAGGED:
    case FI_CQ_FORMAT_UNSPEC: break;
    }
    return sizeof(fi_cq_tagged_entry);
}

Completion read_error(fid_cq* cq) {
    fi_cq_err_entry entry{};
    const ssize_t got = fi_cq_readerr(cq, &entry, 0);
    check_ret(got, 1, "fi_cq_readerr after -FI_EAVAIL");
    check(entry.err > 0, "an error entry without an error code");
    Completion one;
    one.context = entry.op_context;
    one.flags = entry.flags;
    one.len = entry.len;
    one.buf = entry.buf;
    one.data = entry.data;
    one.tag = entry.tag;
    one.err = entry.err;
    one.prov_errno = entry.prov_errno;
    one.olen = entry.olen;
    return one;
}

Completion good(Completion one, const char* what) {
    if (one.err) {
        fail(std::string(what) + " ended with " + fi_strerror(one.err));
    }
    return one;
}

Completion bad(Completion one, const char* what) {
    check(one.err != 0, std::string(what) + " succeeded where an error was due");
    return one;
}

} // namespace

Info make_hints(const Config& config) {
    Info hints(fi_allocinfo());
    hints->caps = config.caps;
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->addr_format = config.addr_format;
    hints->ep_attr->type = FI_EP_RDM;
    hints->fabric_attr->prov_name = strdup(provider().c_str());
    hints->domain_attr->threading = config.threading;
    hints->domain_attr->control_progress = config.progress;
    hints->domain_attr->data_progress = config.progress;
    hints->domain_attr->av_type = config.av_type;
    hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
    hints->domain_attr->cq_data_size = sizeof(uint64_t);
    hints->tx_attr->msg_order = FI_ORDER_SAS;
    hints->rx_attr->msg_order = FI_ORDER_SAS;
    hints->tx_attr->op_flags = config.tx_op_flags;
    hints->rx_attr->op_flags = config.rx_op_flags;
    return hints;
}

Info get_info(const fi_info* hints, const char* node, const char* service, uint64_t flags) {
    fi_info* found = nullptr;
    check_ok(fi_getinfo(FI_VERSION(1, 17), node, service, flags, hints, &found), "fi_getinfo");
    return Info(found);
}

Fabric open_fabric(const fi_info& info) {
    fid_fabric* fabric = nullptr;
    check_ok(fi_fabric(info.fabric_attr, &fabric, nullptr), "fi_fabric");
    return Fabric(fabric);
}

Domain open_domain(const Fabric& fabric, fi_info& info) {
    fid_domain* domain = nullptr;
    check_ok(fi_domain(fabric.get(), &info, &domain, nullptr), "fi_domain");
    return Domain(domain);
}

Av open_av(const Domain& domain, fi_av_type type, size_t count) {
    fi_av_attr attr{};
    attr.type = type;
    attr.count = count;
    fid_av* av = nullptr;
    check_ok(fi_av_open(domain.get(), &attr, &av, nullptr), "fi_av_open");
    return Av(av);
}

Counter open_counter(const Domain& domain, fi_wait_obj wait_obj) {
    fi_cntr_attr attr{};
    attr.events = FI_CNTR_EVENTS_COMP;
    attr.wait_obj = wait_obj;
    fid_cntr* counter = nullptr;
    check_ok(fi_cntr_open(domain.get(), &attr, &counter, nullptr), "fi_cntr_open");
    return Counter(counter);
}

Endpoint open_endpoint(const Domain& domain, fi_info& info) {
    fid_ep* ep = nullptr;
    check_ok(fi_endpoint(domain.get(), &info, &ep, nullptr), "fi_endpoint");
    return Endpoint(ep);
}

Cq::Cq(const Domain& domain, fi_cq_format format, fi_wait_obj wait_obj, size_t size)
    : format_(format) {
    fi_cq_attr attr{};
    attr.size = size;
    attr.format = format;
    attr.wait_obj = wait_obj;
    fid_cq* cq = nullptr;
    check_ok(fi_cq_open(domain.get(), &attr, &cq, nullptr), "fi_cq_open");
    cq_ = Handle<fid_cq>(cq);
}

bool Cq::poll() {
    constexpr size_t batch = 8;
    fi_cq_tagged_entry entries[batch];
    fi_addr_t sources[batch];
    bool any = false;
    for (;;) {
        const ssize_t got = fi_cq_readfrom(get(), entries, batch, sources);
        if (got == -FI_EAGAIN) {
            return any;
        }
        any = true;
        if (got == -FI_EAVAIL) {
            done_.push_back(read_error(get()));
            continue;
        }
        check(got > 0 && static_cast<size_t>(got) <= batch,
              "fi_cq_readfrom gave " + std::to_string(got));
        const auto* at = reinterpret_cast<const uint8_t*>(entries);
        for (ssize_t index = 0; index < got; ++index) {
            done_.push_back(to_completion(at, format_, sources[index]));
            at += entry_size(format_);
        }
    }
}

Completion Cq::take() {
    const Completion one = done_.front();
    done_.pop_front();
    return one;
}

Side::Side(const Config& config) : Side(config, get_info(make_hints(config).get())) {}

Side::Side(const Config& config, Info chosen)
    : info(std::move(chosen)), fabric(open_fabric(*info)), domain(open_domain(fabric, *info)),
      av(open_av(domain, config.av_type)), tx(open_cq(domain, config)), rx(open_cq(domain, config)),
      ep(open_endpoint(domain, *info)) {
    check_ok(fi_ep_bind(ep.get(), av.id(), 0), "bind the address vector");
    if (config.tx_bind) {
        check_ok(fi_ep_bind(ep.get(), &tx.get()->fid, config.tx_bind), "bind the transmit queue");
    }
    if (config.rx_bind) {
        check_ok(fi_ep_bind(ep.get(), &rx.get()->fid, config.rx_bind), "bind the receive queue");
    }
    if (config.min_multi_recv > 0) {
        check_ok(fi_setopt(ep.id(), FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &config.min_multi_recv,
                           sizeof config.min_multi_recv),
                 "FI_OPT_MIN_MULTI_RECV");
    }
    if (config.prepare) {
        config.prepare(*this);
    }
    check_ok(fi_enable(ep.get()), "fi_enable");
}

Bytes Side::name() const {
    Bytes bytes(256);
    size_t len = bytes.size();
    check_ok(fi_getname(ep.id(), bytes.data(), &len), "fi_getname");
    bytes.resize(len);
    return bytes;
}

fi_addr_t Side::insert(const Bytes& peer) {
    fi_addr_t addr = FI_ADDR_NOTAVAIL;
    check_ret(fi_av_insert(av.get(), peer.data(), 1, &addr, 0, nullptr), 1, "fi_av_insert");
    return addr;
}

bool Side::poll() {
    const bool sent_some = tx.poll();
    const bool received_some = rx.poll();
    return sent_some || received_some;
}

void Side::until(const char* what, const std::function<bool()>& done) {
    now_waiting_for(what);
    while (!done()) {
        if (!poll()) {
            sched_yield();
        }
    }
}

Completion Side::sent() {
    until("a send to complete", [&] { return !tx.empty(); });
    return good(tx.take(), "send");
}

Completion Side::received() {
    until("a receive to complete", [&] { return !rx.empty(); });
    return good(rx.take(), "receive");
}

Completion Side::tx_error() {
    until("a send to fail", [&] { return !tx.empty(); });
    return bad(tx.take(), "send");
}

Completion Side::rx_error() {
    until("a receive to fail", [&] { return !rx.empty(); });
    return bad(rx.take(), "receive");
}

void Side::post(const std::function<ssize_t()>& operation) {
    now_waiting_for("room to post");
    ssize_t ret = -FI_EAGAIN;
    while ((ret = operation()) == -FI_EAGAIN) {
        poll();
    }
    check_ok(ret, "posting");
}

Group::Group(size_t sides, const Config& config) {
    for (size_t at = 0; at < sides; ++at) {
        sides_.push_back(std::make_unique<Side>(config));
    }
    for (auto& from : sides_) {
        addresses_.emplace_back();
        for (auto& to : sides_) {
            addresses_.back().push_back(from->insert(to->name()));
        }
    }
}

bool Group::poll() {
    bool any = false;
    for (auto& side : sides_) {
        any |= side->poll();
    }
    return any;
}

void Group::until(const char* what, const std::function<bool()>& done) {
    now_waiting_for(what);
    while (!done()) {
        if (!poll()) {
            sched_yield();
        }
    }
}

Completion Group::next(size_t side, Cq Side::*queue, const char* what) {
    Cq& cq = (*sides_[side]).*queue;
    until(what, [&] { return !cq.empty(); });
    return cq.take();
}

Completion Group::sent(size_t side) {
    return good(next(side, &Side::tx, "a send to complete"), "send");
}

Completion Group::received(size_t side) {
    return good(next(side, &Side::rx, "a receive to complete"), "receive");
}

Completion Group::tx_error(size_t side) {
    return bad(next(side, &Side::tx, "a send to fail"), "send");
}

Completion Group::rx_error(size_t side) {
    return bad(next(side, &Side::rx, "a receive to fail"), "receive");
}

void Group::post(const std::function<ssize_t()>& operation) {
    now_waiting_for("room to post");
    ssize_t ret = -FI_EAGAIN;
    while ((ret = operation()) == -FI_EAGAIN) {
        poll();
    }
    check_ok(ret, "posting");
}

void Group::settle() {
    for (int pass = 0; pass < settle_passes; ++pass) {
        poll();
    }
}

fi_addr_t exchange(Side& side, Channel& channel) {
    channel.send(side.name());
    return side.insert(channel.receive());
}

} // namespace functional
