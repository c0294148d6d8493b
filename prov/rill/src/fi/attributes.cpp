// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/attributes.hpp"

#include "fi/address.hpp"
#include "fi/common.hpp"
#include "fi/log.hpp"
#include "fi/traffic_class.hpp"
#include "rdm/request.hpp"

#include <rdma/fi_domain.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <strings.h>

namespace rill::fi {

namespace {

using obs::TunableId;

constexpr uint64_t kMessageDirections = FI_SEND | FI_RECV;
constexpr uint64_t kRemoteDirections = FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE;
constexpr uint64_t kPrimaryCaps = FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC | FI_DIRECTED_RECV |
                                  FI_AV_USER_ID | kMessageDirections | kRemoteDirections;
constexpr uint64_t kSecondaryCaps = FI_MULTI_RECV | FI_SOURCE | FI_TRIGGER | FI_SHARED_AV |
                                    FI_LOCAL_COMM | FI_REMOTE_COMM | FI_RMA_EVENT | FI_FENCE;
constexpr uint64_t kDomainCaps = FI_SHARED_AV | FI_AV_USER_ID | FI_LOCAL_COMM | FI_REMOTE_COMM;
constexpr uint64_t kTxCaps =
    FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC | FI_SEND | FI_READ | FI_WRITE | FI_FENCE | FI_TRIGGER;
constexpr uint64_t kRxCaps = FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC | FI_RECV | FI_REMOTE_READ |
                             FI_REMOTE_WRITE | FI_DIRECTED_RECV | FI_MULTI_RECV | FI_SOURCE |
                             FI_RMA_EVENT | FI_TRIGGER;

// Messages match in order; atomics are executed in order; RMA comes as the network brings it.
constexpr uint64_t kOrder = FI_ORDER_SAS | FI_ORDER_ATOMIC_RAR | FI_ORDER_ATOMIC_RAW |
                            FI_ORDER_ATOMIC_WAR | FI_ORDER_ATOMIC_WAW;

// "No structure in the tag": alternating bits, fi_endpoint(3).
constexpr uint64_t kTagFormat = 0xaaaaaaaaaaaaaaaaull;
constexpr uint32_t kProtocol = FI_PROV_SPECIFIC | 0x7111;
constexpr uint32_t kProtocolVersion = 1;
constexpr size_t kCountMax = 65536; // endpoints, queues: whatever memory and ports allow
constexpr size_t kRegionsMax = 1 << 20;

int no(const char* what) {
    inform(FI_LOG_CORE, std::string("hints ask for something else: ") + what);
    return -FI_ENODATA;
}

// Capabilities of an answer: what was asked for of the primary ones, and all secondary ones that
// we have; a kind of operation without a direction means all of them.
uint64_t answer_caps(uint64_t asked, uint64_t have) {
    if (!asked) return have;
    uint64_t caps = (asked & kPrimaryCaps) | (have & kSecondaryCaps);
    const bool remote = caps & (FI_RMA | FI_ATOMIC);
    if (!(caps & kMessageDirections) && ((caps & (FI_MSG | FI_TAGGED)) || !remote))
        caps |= kMessageDirections;
    if (!(caps & kRemoteDirections) && remote) caps |= kRemoteDirections;
    return caps & have;
}

int check_mr_mode(uint32_t version, int mode) {
    // We need none of the bits, so any set of them will do; but the two legacy values are not bits.
    const bool basic = mode & FI_MR_BASIC;
    const bool scalable = mode & FI_MR_SCALABLE;
    if ((basic || scalable) && (mode & ~(basic ? FI_MR_BASIC : FI_MR_SCALABLE)))
        return no("mr_mode: FI_MR_BASIC and FI_MR_SCALABLE stand alone");
    if (FI_VERSION_LT(version, FI_VERSION(1, 5)) && mode > FI_MR_SCALABLE)
        return no("mr_mode: a value that this API version does not have");
    return 0;
}

// FI_PROGRESS_CONTROL_UNIFIED came with 2.0: control operations progress as data does. Ours need
// no progress.
constexpr int kControlUnified = 3;

bool within(int number, int first, int last) {
    return number >= first && number <= last;
}

int check_enums(uint32_t version, const fi_domain_attr& a) {
    const int control_last =
        FI_VERSION_GE(version, FI_VERSION(2, 0)) ? kControlUnified : FI_PROGRESS_MANUAL;
    if (!within(number_of(a.threading), FI_THREAD_UNSPEC, FI_THREAD_ENDPOINT))
        return no("threading");
    if (!within(number_of(a.control_progress), FI_PROGRESS_UNSPEC, control_last))
        return no("control_progress");
    if (!within(number_of(a.data_progress), FI_PROGRESS_UNSPEC, FI_PROGRESS_MANUAL))
        return no("data_progress");
    if (!within(number_of(a.resource_mgmt), FI_RM_UNSPEC, FI_RM_ENABLED))
        return no("resource_mgmt");
    if (!within(number_of(a.av_type), FI_AV_UNSPEC, FI_AV_TABLE)) return no("av_type");
    return 0;
}

int check_domain(uint32_t version, const fi_domain_attr& a) {
    if (const int failed = check_enums(version, a)) return failed;
    if (const int failed = check_mr_mode(version, a.mr_mode)) return failed;
    if (a.cq_data_size > sizeof(uint64_t)) return no("cq_data_size over 8");
    if (a.mr_key_size > sizeof(uint64_t)) return no("mr_key_size over 8");
    if (a.max_ep_tx_ctx > 1 || a.max_ep_rx_ctx > 1) return no("several contexts per endpoint");
    if (std::max({a.cq_cnt, a.ep_cnt, a.tx_ctx_cnt, a.rx_ctx_cnt}) > kCountMax)
        return no("more queues, endpoints or contexts");
    if (a.max_ep_stx_ctx > kCountMax || a.max_ep_srx_ctx > kCountMax)
        return no("more shared contexts");
    // The rest of the structure came with 1.5.
    if (FI_VERSION_LT(version, FI_VERSION(1, 5))) return 0;
    if (a.cntr_cnt > kCountMax) return no("cntr_cnt");
    if (a.mr_iov_limit > rdm::kIovMax) return no("mr_iov_limit");
    if (a.caps & ~kDomainCaps) return no("domain caps");
    if (a.auth_key_size > 0) return no("domain authentication key");
    if (a.max_err_data > 0) return no("max_err_data");
    if (a.mr_cnt > kRegionsMax) return no("mr_cnt");
    if (FI_VERSION_GE(version, FI_VERSION(1, 9)) && !is_traffic_class(a.tclass))
        return no("tclass");
    return 0;
}

int check_endpoint(const fi_ep_attr& a, uint64_t caps) {
    const int type = number_of(a.type);
    if (type != FI_EP_UNSPEC && type != FI_EP_RDM) return no("endpoint type");
    if (a.protocol != FI_PROTO_UNSPEC && a.protocol != kProtocol) return no("protocol");
    if (a.protocol_version > kProtocolVersion) return no("protocol_version");
    if (a.max_msg_size > kMessageMax) return no("max_msg_size");
    if (a.tx_ctx_cnt > 1 && a.tx_ctx_cnt != FI_SHARED_CONTEXT)
        return no("several transmit contexts");
    if (a.rx_ctx_cnt > 1 && a.rx_ctx_cnt != FI_SHARED_CONTEXT)
        return no("several receive contexts");
    if (a.auth_key_size > 0) return no("endpoint authentication key");
    const size_t ordered =
        std::max({a.max_order_raw_size, a.max_order_war_size, a.max_order_waw_size});
    if ((caps & (FI_RMA | FI_ATOMIC)) && ordered > wire::kAtomicBytesMax) return no("data order");
    return 0;
}

// The framework compares provider names too, but also asks on behalf of layers above us.
int check_fabric(const fi_fabric_attr& a) {
    if (a.prov_name && strcasecmp(a.prov_name, provider.name) != 0) return no("provider name");
    if (a.prov_version > provider.version) return no("prov_version");
    return 0;
}

void fill_domain(fi_domain_attr& a, uint32_t version, const fi_domain_attr* h, uint64_t caps) {
    a.threading = FI_THREAD_SAFE;
    a.control_progress = FI_PROGRESS_AUTO; // every control operation is done when it returns
    a.data_progress = FI_PROGRESS_MANUAL;
    a.resource_mgmt = FI_RM_ENABLED;
    a.av_type = FI_AV_UNSPEC;
    a.mr_mode = FI_VERSION_LT(version, FI_VERSION(1, 5)) ? FI_MR_SCALABLE : 0;
    a.mr_key_size = sizeof(uint64_t);
    a.cq_data_size = sizeof(uint64_t);
    a.cq_cnt = a.ep_cnt = a.tx_ctx_cnt = a.rx_ctx_cnt = kCountMax;
    // More than one makes Open MPI's one-sided component use scalable endpoints.
    a.max_ep_tx_ctx = a.max_ep_rx_ctx = 1;
    a.max_ep_stx_ctx = a.max_ep_srx_ctx = kCountMax;
    a.cntr_cnt = kCountMax;
    a.mr_iov_limit = rdm::kIovMax;
    a.mr_cnt = kRegionsMax;
    a.caps = caps & kDomainCaps;
    if (!h) return;
    if (h->threading != FI_THREAD_UNSPEC) a.threading = h->threading;
    if (h->control_progress != FI_PROGRESS_UNSPEC) a.control_progress = h->control_progress;
    if (h->data_progress != FI_PROGRESS_UNSPEC) a.data_progress = h->data_progress;
    if (h->av_type != FI_AV_UNSPEC) a.av_type = h->av_type;
    if (h->mr_mode & (FI_MR_BASIC | FI_MR_SCALABLE)) a.mr_mode = h->mr_mode;
}

void fill_endpoint(fi_ep_attr& a, const fi_ep_attr* h, uint64_t caps) {
    a.type = FI_EP_RDM;
    a.protocol = kProtocol;
    a.protocol_version = kProtocolVersion;
    a.max_msg_size = kMessageMax;
    a.tx_ctx_cnt = h && h->tx_ctx_cnt == FI_SHARED_CONTEXT ? FI_SHARED_CONTEXT : 1;
    a.rx_ctx_cnt = h && h->rx_ctx_cnt == FI_SHARED_CONTEXT ? FI_SHARED_CONTEXT : 1;
    if (caps & FI_ATOMIC) // only atomics are in order
        a.max_order_raw_size = a.max_order_war_size = a.max_order_waw_size = wire::kAtomicBytesMax;
    a.mem_tag_format = h && h->mem_tag_format ? h->mem_tag_format : kTagFormat;
}

void fill_tx(fi_tx_attr& a, const fi_tx_attr* h, uint64_t caps, const Settings& s) {
    a.caps = caps & kTxCaps;
    a.msg_order = caps & FI_ATOMIC ? kOrder : FI_ORDER_SAS;
    a.inject_size = rdm::kInjectBytesMax;
    a.size = static_cast<size_t>(s.number(TunableId::tx_size));
    a.iov_limit = rdm::kIovMax;
    a.rma_iov_limit = caps & (FI_RMA | FI_ATOMIC) ? rdm::kRangesMax : 0;
    if (!h) return;
    a.op_flags = h->op_flags;
    if (h->inject_size) a.inject_size = h->inject_size;
    if (h->size) a.size = h->size;
    if (h->iov_limit) a.iov_limit = h->iov_limit;
}

void fill_rx(fi_rx_attr& a, const fi_rx_attr* h, uint64_t caps, const Settings& s) {
    a.caps = caps & kRxCaps;
    a.msg_order = caps & FI_ATOMIC ? kOrder : FI_ORDER_SAS;
    a.size = static_cast<size_t>(s.number(TunableId::rx_size));
    a.iov_limit = rdm::kIovMax;
    if (!h) return;
    a.op_flags = h->op_flags;
    if (h->size) a.size = h->size;
    if (h->iov_limit) a.iov_limit = h->iov_limit;
}

} // namespace

int check_transmit(uint32_t version, const fi_tx_attr& a) {
    // Receive-side capabilities here are a habit of old programs, and mean nothing.
    if (a.caps & ~(kTxCaps | kRxCaps | kDomainCaps)) return no("tx_attr caps");
    if (a.op_flags & ~(kTxFlags | FI_TRIGGER)) return no("tx_attr op_flags");
    if (a.msg_order & ~kOrder) return no("tx_attr msg_order");
    if (a.comp_order != FI_ORDER_NONE) return no("tx_attr comp_order");
    if (a.inject_size > rdm::kInjectBytesMax) return no("inject_size");
    if (a.size > kQueueSizeMax) return no("tx_attr size");
    if (a.iov_limit > rdm::kIovMax) return no("tx_attr iov_limit");
    if (a.rma_iov_limit > rdm::kRangesMax) return no("rma_iov_limit");
    if (FI_VERSION_GE(version, FI_VERSION(1, 9)) && !is_traffic_class(a.tclass))
        return no("tclass");
    return 0;
}

int check_receive(const fi_rx_attr& a) {
    if (a.caps & ~(kTxCaps | kRxCaps | kDomainCaps)) return no("rx_attr caps");
    if (a.op_flags & ~(kRxFlags | FI_TRIGGER)) return no("rx_attr op_flags");
    if (a.msg_order & ~kOrder) return no("rx_attr msg_order");
    if (a.comp_order != FI_ORDER_NONE) return no("rx_attr comp_order");
    if (a.size > kQueueSizeMax) return no("rx_attr size");
    if (a.iov_limit > rdm::kIovMax) return no("rx_attr iov_limit");
    return 0;
}

int check_hints(uint32_t version, const fi_info* hints) {
    if (!hints) return 0;
    int failed = 0;
    wire::Family family;
    // First what most often differs: others ask for their own kind of endpoint beneath them.
    if (hints->ep_attr) failed = check_endpoint(*hints->ep_attr, hints->caps);
    if (failed) return failed;
    if (hints->caps & ~(kPrimaryCaps | kSecondaryCaps)) return no("capabilities");
    if (!family_of(hints->addr_format, family)) return no("addr_format");
    if (hints->fabric_attr) failed = check_fabric(*hints->fabric_attr);
    if (!failed && hints->domain_attr) failed = check_domain(version, *hints->domain_attr);
    if (!failed && hints->tx_attr) failed = check_transmit(version, *hints->tx_attr);
    if (!failed && hints->rx_attr) failed = check_receive(*hints->rx_attr);
    if (!failed && !same_traffic_class(version, *hints, traffic_class_of(version, *hints)))
        failed = no("a transmit side of another traffic class than its domain");
    return failed;
}

void fill_attributes(fi_info& info, uint32_t version, const fi_info* hints,
                     const Settings& settings) {
    info.caps = answer_caps(hints ? hints->caps : 0, kPrimaryCaps | kSecondaryCaps);
    fill_domain(*info.domain_attr, version, hints ? hints->domain_attr : nullptr, info.caps);
    fill_endpoint(*info.ep_attr, hints ? hints->ep_attr : nullptr, info.caps);
    fill_tx(*info.tx_attr, hints ? hints->tx_attr : nullptr, info.caps, settings);
    fill_rx(*info.rx_attr, hints ? hints->rx_attr : nullptr, info.caps, settings);
    info.fabric_attr->prov_version = provider.version;
    info.fabric_attr->api_version = version;
    if (FI_VERSION_GE(version, FI_VERSION(1, 9)) && hints)
        info.domain_attr->tclass = info.tx_attr->tclass = traffic_class_of(version, *hints);
}

} // namespace rill::fi
