// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// fi_getinfo honours every hint. Addresses are in getinfo_address.cpp, what the environment sets
// in getinfo_tunables.cpp.
#include "getinfo_cases.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

namespace functional {

Info open_hints() {
    Info hints(fi_allocinfo());
    hints->mode = FI_CONTEXT | FI_CONTEXT2;
    hints->ep_attr->type = FI_EP_RDM;
    hints->fabric_attr->prov_name = strdup(provider().c_str());
    return hints;
}

Info ask(const fi_info* hints, int& ret, const char* node, const char* service, uint64_t flags,
         uint32_t version) {
    fi_info* found = nullptr;
    ret = fi_getinfo(version, node, service, flags, hints, &found);
    check((ret == 0) == (found != nullptr), "an answer, or an error");
    return Info(found);
}

Info must(const fi_info* hints, const std::string& what, const char* node, const char* service,
          uint64_t flags) {
    int ret = 0;
    Info info = ask(hints, ret, node, service, flags);
    check_ok(ret, what);
    return info;
}

void must_not(const fi_info* hints, const std::string& what, const char* node, const char* service,
              uint64_t flags) {
    int ret = 0;
    const Info info = ask(hints, ret, node, service, flags);
    check_ret(ret, -FI_ENODATA, what);
}

} // namespace functional

using namespace functional;

namespace {

using Change = std::function<void(fi_info&)>;

Info changed(const Change& change) {
    Info hints = open_hints();
    change(*hints);
    return hints;
}

void accepted(const std::string& what, const Change& change,
              const std::function<bool(const fi_info&)>& holds = {}) {
    const Info info = must(changed(change).get(), what);
    for (const fi_info* one = info.get(); one; one = one->next) {
        check(!holds || holds(*one), what + " is in every answer");
    }
}

void rejected(const std::string& what, const Change& change) {
    must_not(changed(change).get(), what);
}

void no_hints() {
    int ret = 0;
    const Info all = ask(nullptr, ret);
    check_ok(ret, "fi_getinfo without hints");
    bool found = false;
    for (const fi_info* one = all.get(); one; one = one->next) {
        const char* name = one->fabric_attr->prov_name;
        found |= name && provider() == name;
    }
    check(found, "the provider is listed");
}

// What is always filled in, whatever was asked.
void complete_answers() {
    const Info info = must(open_hints().get(), "the provider");
    for (const fi_info* one = info.get(); one; one = one->next) {
        check(one->fabric_attr && one->fabric_attr->name, "fabric name");
        check(one->domain_attr && one->domain_attr->name, "domain name");
        check(one->fabric_attr->prov_name && provider() == one->fabric_attr->prov_name,
              "provider name");
        check_eq(one->fabric_attr->api_version, FI_VERSION(1, 17), "API version asked for");
        check_eq(one->ep_attr->type, FI_EP_RDM, "endpoint type");
        check(one->domain_attr->domain == nullptr, "no domain is open");
        check(one->domain_attr->threading != FI_THREAD_UNSPEC, "threading is told");
        check(one->domain_attr->data_progress != FI_PROGRESS_UNSPEC, "data progress is told");
        check(one->domain_attr->control_progress != FI_PROGRESS_UNSPEC, "control progress");
        check(one->domain_attr->resource_mgmt != FI_RM_UNSPEC, "resource management is told");
        check(one->ep_attr->max_msg_size >= 1ull << 32, "messages of 4 GiB");
        check(one->tx_attr->iov_limit >= 1 && one->rx_attr->iov_limit >= 1, "iov limits");
        check_eq(one->ep_attr->tx_ctx_cnt, 1u, "one transmit context");
        check_eq(one->ep_attr->rx_ctx_cnt, 1u, "one receive context");
        check_eq(one->domain_attr->cq_data_size, 8u, "8 bytes of remote CQ data");
    }
    if (is_rill()) {
        check(info->tx_attr->iov_limit >= 8 && info->rx_attr->iov_limit >= 8, "8 pieces");
        check_eq(info->domain_attr->max_ep_tx_ctx, 1u, "no scalable endpoints");
        check(info->next == nullptr ||
                  strcmp(info->domain_attr->name, info->next->domain_attr->name) != 0 ||
                  info->addr_format != info->next->addr_format,
              "nothing is listed twice");
    }
}

// An answer, given back as hints, is answered.
void answers_are_hints() {
    const Info info = must(open_hints().get(), "the provider");
    for (const fi_info* one = info.get(); one; one = one->next) {
        const Info again(fi_dupinfo(one));
        const Info second = must(again.get(), "an answer given back");
        check(strcmp(second->domain_attr->name, one->domain_attr->name) == 0, "same domain");
        check_eq(second->caps & one->caps, one->caps, "same capabilities");
    }
}

void capabilities() {
    const uint64_t primary = FI_MSG | FI_TAGGED | FI_RMA | FI_ATOMIC | FI_DIRECTED_RECV |
                             FI_MULTICAST | FI_COLLECTIVE | FI_VARIABLE_MSG | FI_HMEM;
    const std::pair<const char*, uint64_t> good[] = {
        {"FI_MSG", FI_MSG},
        {"FI_TAGGED", FI_TAGGED},
        {"both", FI_MSG | FI_TAGGED},
        {"send only", FI_MSG | FI_SEND},
        {"receive only", FI_TAGGED | FI_RECV},
        {"send and receive", FI_TAGGED | FI_SEND | FI_RECV},
        {"FI_DIRECTED_RECV", FI_TAGGED | FI_DIRECTED_RECV},
        {"FI_MULTI_RECV", FI_MSG | FI_MULTI_RECV},
        {"FI_SOURCE", FI_MSG | FI_SOURCE},
        {"FI_LOCAL_COMM", FI_MSG | FI_LOCAL_COMM},
    };
    for (const auto& [name, caps] : good) {
        accepted(
            name, [&](fi_info& hints) { hints.caps = caps; },
            [&](const fi_info& info) {
                return (info.caps & caps) == caps && !(info.caps & primary & ~caps);
            });
    }
    accepted(
        "none", [](fi_info& hints) { hints.caps = 0; },
        [](const fi_info& info) { return (info.caps & (FI_MSG | FI_TAGGED)) != 0; });
    const std::pair<const char*, uint64_t> bad[] = {
        {"FI_MULTICAST", FI_MSG | FI_MULTICAST},
        {"FI_HMEM", FI_MSG | FI_HMEM},
        {"FI_VARIABLE_MSG", FI_MSG | FI_VARIABLE_MSG},
        {"FI_RMA_PMEM", FI_MSG | FI_RMA | FI_RMA_PMEM},
        {"an unknown one", FI_MSG | 1ull << 39},
    };
    for (const auto& [name, caps] : bad) {
        rejected(name, [&](fi_info& hints) { hints.caps = caps; });
    }
    if (is_rill()) {
        accepted("FI_REMOTE_COMM", [](fi_info& hints) {
            hints.caps = FI_TAGGED | FI_LOCAL_COMM | FI_REMOTE_COMM | FI_DIRECTED_RECV;
        });
    }
}

void context_capabilities() {
    accepted("tx caps", [](fi_info& hints) { hints.tx_attr->caps = FI_MSG | FI_SEND; });
    accepted("rx caps", [](fi_info& hints) { hints.rx_attr->caps = FI_TAGGED | FI_RECV; });
    rejected("tx caps FI_MULTICAST", [](fi_info& hints) { hints.tx_attr->caps = FI_MULTICAST; });
    rejected("rx caps FI_VARIABLE_MSG",
             [](fi_info& hints) { hints.rx_attr->caps = FI_VARIABLE_MSG; });
}

void modes() {
    for (const uint64_t mode : {0ull, FI_CONTEXT, ~0ull}) {
        accepted(
            "mode", [&](fi_info& hints) { hints.mode = mode; },
            [&](const fi_info& info) {
                return (info.mode & ~mode) == 0 && (info.tx_attr->mode & ~mode) == 0 &&
                       (info.rx_attr->mode & ~mode) == 0 && (info.domain_attr->mode & ~mode) == 0;
            });
    }
    only_rill("it needs none");
    accepted(
        "no mode is needed", [](fi_info& hints) { hints.mode = ~0ull; },
        [](const fi_info& info) { return info.mode == 0; });
}

void address_formats() {
    accepted(
        "FI_SOCKADDR_IN", [](fi_info& hints) { hints.addr_format = FI_SOCKADDR_IN; },
        [](const fi_info& info) { return info.addr_format == FI_SOCKADDR_IN; });
    accepted(
        "FI_SOCKADDR", [](fi_info& hints) { hints.addr_format = FI_SOCKADDR; },
        [](const fi_info& info) {
            return info.addr_format == FI_SOCKADDR || info.addr_format == FI_SOCKADDR_IN ||
                   info.addr_format == FI_SOCKADDR_IN6;
        });
    for (const uint32_t format : {FI_ADDR_PSMX, FI_ADDR_GNI, FI_ADDR_EFA, FI_SOCKADDR_IB}) {
        rejected("a format of others", [&](fi_info& hints) { hints.addr_format = format; });
    }
}

void endpoint_types() {
    accepted("FI_EP_RDM", [](fi_info& hints) { hints.ep_attr->type = FI_EP_RDM; });
    accepted("FI_EP_UNSPEC", [](fi_info& hints) { hints.ep_attr->type = FI_EP_UNSPEC; });
    rejected("FI_EP_MSG", [](fi_info& hints) { hints.ep_attr->type = FI_EP_MSG; });
    rejected("FI_EP_DGRAM", [](fi_info& hints) { hints.ep_attr->type = FI_EP_DGRAM; });
    rejected("a foreign protocol",
             [](fi_info& hints) { hints.ep_attr->protocol = FI_PROTO_PSMX2; });
    rejected("an authorization key", [](fi_info& hints) {
        hints.ep_attr->auth_key_size = 8;
        hints.ep_attr->auth_key = static_cast<uint8_t*>(calloc(1, 8)); // freed with the hints
    });
}

void names() {
    const Info info = must(open_hints().get(), "the provider");
    const std::string domain = info->domain_attr->name;
    const std::string fabric = info->fabric_attr->name;
    accepted(
        "its domain", [&](fi_info& hints) { hints.domain_attr->name = strdup(domain.c_str()); },
        [&](const fi_info& one) { return domain == one.domain_attr->name; });
    accepted(
        "its fabric", [&](fi_info& hints) { hints.fabric_attr->name = strdup(fabric.c_str()); },
        [&](const fi_info& one) { return fabric == one.fabric_attr->name; });
    rejected("no such domain",
             [](fi_info& hints) { hints.domain_attr->name = strdup("no-such-domain"); });
    rejected("no such fabric",
             [](fi_info& hints) { hints.fabric_attr->name = strdup("no-such-fabric"); });
    rejected("half a name",
             [&](fi_info& hints) { hints.domain_attr->name = strdup((domain + "x").c_str()); });
}

void threading() {
    for (const fi_threading level : {FI_THREAD_SAFE, FI_THREAD_FID, FI_THREAD_DOMAIN,
                                     FI_THREAD_COMPLETION, FI_THREAD_ENDPOINT}) {
        accepted(
            "threading", [&](fi_info& hints) { hints.domain_attr->threading = level; },
            [&](const fi_info& info) { return info.domain_attr->threading == level; });
    }
}

void progress() {
    for (const fi_progress mode : {FI_PROGRESS_AUTO, FI_PROGRESS_MANUAL}) {
        accepted(
            "data progress", [&](fi_info& hints) { hints.domain_attr->data_progress = mode; },
            [&](const fi_info& info) { return info.domain_attr->data_progress == mode; });
        accepted(
            "control progress", [&](fi_info& hints) { hints.domain_attr->control_progress = mode; },
            [&](const fi_info& info) { return info.domain_attr->control_progress == mode; });
    }
}

void resource_management() {
    accepted(
        "FI_RM_ENABLED", [](fi_info& hints) { hints.domain_attr->resource_mgmt = FI_RM_ENABLED; },
        [](const fi_info& info) { return info.domain_attr->resource_mgmt == FI_RM_ENABLED; });
    accepted("FI_RM_DISABLED",
             [](fi_info& hints) { hints.domain_attr->resource_mgmt = FI_RM_DISABLED; });
}

void av_types() {
    for (const fi_av_type type : {FI_AV_MAP, FI_AV_TABLE}) {
        accepted(
            "av type", [&](fi_info& hints) { hints.domain_attr->av_type = type; },
            [&](const fi_info& info) {
                return info.domain_attr->av_type == type ||
                       info.domain_attr->av_type == FI_AV_UNSPEC;
            });
    }
}

void mr_modes() {
    const int basic = FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
    for (const int mode : {0, FI_MR_LOCAL, basic, basic | FI_MR_LOCAL | FI_MR_ENDPOINT}) {
        accepted(
            "mr mode", [&](fi_info& hints) { hints.domain_attr->mr_mode = mode; },
            [&](const fi_info& info) { return (info.domain_attr->mr_mode & ~mode) == 0; });
    }
    accepted("FI_MR_SCALABLE", [](fi_info& hints) { hints.domain_attr->mr_mode = FI_MR_SCALABLE; });
    only_rill("others refuse basic registration without local keys");
    // GASNet-EX wants all of the basic bits or none.
    accepted(
        "the basic bits", [&](fi_info& hints) { hints.domain_attr->mr_mode = basic; },
        [&](const fi_info& info) {
            const int left = info.domain_attr->mr_mode & basic;
            return left == 0 || left == basic;
        });
    accepted(
        "FI_MR_BASIC", [](fi_info& hints) { hints.domain_attr->mr_mode = FI_MR_BASIC; },
        [](const fi_info& info) { return info.domain_attr->mr_mode == FI_MR_BASIC; });
}

void orders() {
    accepted(
        "FI_ORDER_SAS",
        [](fi_info& hints) {
            hints.tx_attr->msg_order = FI_ORDER_SAS;
            hints.rx_attr->msg_order = FI_ORDER_SAS;
        },
        [](const fi_info& info) {
            return (info.tx_attr->msg_order & FI_ORDER_SAS) &&
                   (info.rx_attr->msg_order & FI_ORDER_SAS);
        });
    accepted("no order", [](fi_info&) {});
    rejected("an unknown order", [](fi_info& hints) { hints.tx_attr->msg_order = 1ull << 60; });
    rejected("an unknown order", [](fi_info& hints) { hints.rx_attr->msg_order = 1ull << 60; });
}

void operation_flags() {
    for (const uint64_t flags : {FI_COMPLETION, FI_INJECT_COMPLETE, FI_TRANSMIT_COMPLETE,
                                 FI_DELIVERY_COMPLETE, FI_COMPLETION | FI_DELIVERY_COMPLETE}) {
        accepted(
            "tx flags", [&](fi_info& hints) { hints.tx_attr->op_flags = flags; },
            [&](const fi_info& info) { return (info.tx_attr->op_flags & flags) == flags; });
    }
    accepted("rx flags", [](fi_info& hints) {
        hints.caps = FI_MSG | FI_MULTI_RECV;
        hints.rx_attr->op_flags = FI_COMPLETION | FI_MULTI_RECV;
    });
    rejected("FI_COMMIT_COMPLETE",
             [](fi_info& hints) { hints.tx_attr->op_flags = FI_COMMIT_COMPLETE; });
    rejected("an unknown tx flag", [](fi_info& hints) { hints.tx_attr->op_flags = 1ull << 62; });
    rejected("an unknown rx flag", [](fi_info& hints) { hints.rx_attr->op_flags = 1ull << 62; });
}

struct Size {
    const char* name;
    size_t& (*in)(fi_info&);
};

constexpr Size sizes[] = {
    {"inject_size", [](fi_info& info) -> size_t& { return info.tx_attr->inject_size; }},
    {"tx size", [](fi_info& info) -> size_t& { return info.tx_attr->size; }},
    {"tx iov_limit", [](fi_info& info) -> size_t& { return info.tx_attr->iov_limit; }},
    {"rx size", [](fi_info& info) -> size_t& { return info.rx_attr->size; }},
    {"rx iov_limit", [](fi_info& info) -> size_t& { return info.rx_attr->iov_limit; }},
    {"max_msg_size", [](fi_info& info) -> size_t& { return info.ep_attr->max_msg_size; }},
    {"tx_ctx_cnt", [](fi_info& info) -> size_t& { return info.ep_attr->tx_ctx_cnt; }},
    {"rx_ctx_cnt", [](fi_info& info) -> size_t& { return info.ep_attr->rx_ctx_cnt; }},
    {"cq_data_size", [](fi_info& info) -> size_t& { return info.domain_attr->cq_data_size; }},
    {"mr_key_size", [](fi_info& info) -> size_t& { return info.domain_attr->mr_key_size; }},
    {"mr_iov_limit", [](fi_info& info) -> size_t& { return info.domain_attr->mr_iov_limit; }},
    {"max_ep_tx_ctx", [](fi_info& info) -> size_t& { return info.domain_attr->max_ep_tx_ctx; }},
    {"max_ep_rx_ctx", [](fi_info& info) -> size_t& { return info.domain_attr->max_ep_rx_ctx; }},
    {"max_ep_stx_ctx", [](fi_info& info) -> size_t& { return info.domain_attr->max_ep_stx_ctx; }},
    {"max_ep_srx_ctx", [](fi_info& info) -> size_t& { return info.domain_attr->max_ep_srx_ctx; }},
};

void one_size(const Size& size) {
    Info info = must(open_hints().get(), "the provider");
    const size_t limit = size.in(*info);
    if (limit > 0) {
        accepted(
            "1", [&](fi_info& hints) { size.in(hints) = 1; },
            [&](const fi_info& one) { return size.in(const_cast<fi_info&>(one)) >= 1; });
        accepted(
            "the limit itself", [&](fi_info& hints) { size.in(hints) = limit; },
            [&](const fi_info& one) { return size.in(const_cast<fi_info&>(one)) >= limit; });
    }
    if (limit < SIZE_MAX - 1 && limit != FI_SHARED_CONTEXT) {
        // What is answered by default may be less than what can be had, but not that much less.
        rejected("far over the limit", [&](fi_info& hints) { size.in(hints) = SIZE_MAX - 1; });
    }
}

// How many there may be is no exact figure anywhere, but an answer is never less than was asked for.
void counts_of_objects() {
    only_rill("others take any number");
    for (size_t fi_domain_attr::*const count :
         {&fi_domain_attr::cq_cnt, &fi_domain_attr::ep_cnt, &fi_domain_attr::tx_ctx_cnt,
          &fi_domain_attr::rx_ctx_cnt, &fi_domain_attr::cntr_cnt}) {
        accepted(
            "a count", [&](fi_info& hints) { hints.domain_attr->*count = 1000; },
            [&](const fi_info& one) { return one.domain_attr->*count >= 1000; });
        rejected("a count of too many",
                 [&](fi_info& hints) { hints.domain_attr->*count = SIZE_MAX - 1; });
    }
}

void traffic_classes() {
    for (const uint32_t tclass :
         {static_cast<uint32_t>(FI_TC_BEST_EFFORT), static_cast<uint32_t>(FI_TC_LOW_LATENCY),
          static_cast<uint32_t>(FI_TC_BULK_DATA), fi_tc_dscp_set(46)}) {
        int ret = 0;
        const Info hints = changed([&](fi_info& info) { info.tx_attr->tclass = tclass; });
        const Info info = ask(hints.get(), ret);
        check(ret == 0 || ret == -FI_ENODATA, "a traffic class is had, or nothing");
        check(ret != 0 || info->tx_attr->tclass == tclass, "the class that was asked for");
        check(ret == 0 || !is_rill(), "rill has every class");
    }
    if (!is_rill()) {
        return;
    }
    rejected("a class that is neither a label nor a code point",
             [](fi_info& info) { info.tx_attr->tclass = FI_TC_NETWORK_CTRL + 1; });
    rejected("a code point of seven bits",
             [](fi_info& info) { info.domain_attr->tclass = fi_tc_dscp_set(64); });
    rejected("another class than the domain's", [](fi_info& info) {
        info.domain_attr->tclass = FI_TC_BULK_DATA;
        info.tx_attr->tclass = FI_TC_LOW_LATENCY;
    });
    accepted(
        "a class of the domain", [](fi_info& info) { info.domain_attr->tclass = FI_TC_SCAVENGER; },
        [](const fi_info& one) { return one.tx_attr->tclass == FI_TC_SCAVENGER; });
    accepted(
        "a class of the transmit side",
        [](fi_info& info) { info.tx_attr->tclass = FI_TC_LOW_LATENCY; },
        [](const fi_info& one) { return one.domain_attr->tclass == FI_TC_LOW_LATENCY; });
}

void versions() {
    for (uint32_t minor = 0; minor <= 17; ++minor) {
        Info hints = open_hints();
        hints->mode |= FI_LOCAL_MR;
        int ret = 0;
        const std::string name = "API 1." + std::to_string(minor);
        const Info info = ask(hints.get(), ret, nullptr, nullptr, 0, FI_VERSION(1, minor));
        check_ok(ret, name);
        check_eq(info->fabric_attr->api_version, FI_VERSION(1, minor), name);
        fid_fabric* fabric = nullptr;
        check_ok(fi_fabric(info->fabric_attr, &fabric, nullptr), name + ": fi_fabric");
        const Fabric opened(fabric);
        check_eq(opened.get()->api_version, FI_VERSION(1, minor), name + ": of the fabric");
        const Domain domain = open_domain(opened, *info);
    }
}

void open_domain_as_hint() {
    const Config config;
    const Info info = get_info(make_hints(config).get());
    const Fabric fabric = open_fabric(*info);
    const Domain domain = open_domain(fabric, *info);
    accepted(
        "an open domain", [&](fi_info& hints) { hints.domain_attr->domain = domain.get(); },
        [&](const fi_info& one) {
            return strcmp(one.domain_attr->name, info->domain_attr->name) == 0;
        });
}

// Without a hint the answer names what is open already: fi_domain(3), fi_fabric(3).
void open_objects_are_told() {
    const Config config;
    const Info before = get_info(make_hints(config).get());
    check(!before->fabric_attr->fabric && !before->domain_attr->domain, "nothing is open");
    const Fabric fabric = open_fabric(*before);
    Domain first = open_domain(fabric, *before);
    const Domain second = open_domain(fabric, *before);
    const Info info = get_info(make_hints(config).get());
    check_same(info->fabric_attr->fabric, fabric.get(), "the fabric");
    check_same(info->domain_attr->domain, first.get(), "the first domain");
    check_ok(first.close(), "closing it");
    const Info later = get_info(make_hints(config).get());
    check_same(later->domain_attr->domain, second.get(), "the domain that is left");
}

void provider_attributes_only() {
    if (provider().find(';') != std::string::npos) {
        throw Skip("a layered provider is not listed");
    }
    const Info all =
        must(open_hints().get(), "FI_PROV_ATTR_ONLY", nullptr, nullptr, FI_PROV_ATTR_ONLY);
    size_t found = 0;
    for (const fi_info* one = all.get(); one; one = one->next) {
        found += provider() == one->fabric_attr->prov_name ? 1 : 0;
    }
    check_eq(found, 1u, "one answer");
}

std::string sysfs(const fid_nic& nic, const char* file) {
    std::ifstream in(std::string("/sys/class/net/") + nic.device_attr->name + "/" + file);
    std::string value;
    std::getline(in, value);
    return value;
}

void check_nic(const fid_nic* nic, const std::string& what) {
    check(nic != nullptr, what + ": a NIC is told");
    check_eq(nic->fid.fclass, size_t{FI_CLASS_NIC}, what + ": its class");
    check(nic->device_attr && nic->bus_attr && nic->link_attr, what + ": all its parts");
    check(nic->device_attr->name != nullptr, what + ": its name");
    check_eq(std::to_string(nic->link_attr->mtu), sysfs(*nic, "mtu"), what + ": MTU");
    check_eq(std::string(nic->link_attr->address), sysfs(*nic, "address"), what + ": MAC address");
    check_eq(nic->link_attr->state, FI_LINK_UP, what + ": what is offered is up");
    const std::string device = std::filesystem::weakly_canonical(
        std::string("/sys/class/net/") + nic->device_attr->name + "/device");
    const bool is_pci = device.find("/pci") != std::string::npos;
    check_eq(nic->bus_attr->bus_type, is_pci ? FI_BUS_PCI : FI_BUS_UNKNOWN, what + ": bus");
    char address[24];
    const fi_pci_attr& pci = nic->bus_attr->attr.pci;
    snprintf(address, sizeof address, "%04x:%02x:%02x.%x", pci.domain_id, pci.bus_id, pci.device_id,
             pci.function_id);
    check(!is_pci || device.find(address) != std::string::npos, what + ": " + address);
}

// Copies are copies to the last word, and outlive what they were made of.
void nics() {
    Info info = must(open_hints().get(), "the provider");
    std::vector<Info> copies;
    for (const fi_info* one = info.get(); one; one = one->next) {
        if (!is_rill() && !one->nic) continue;
        check_nic(one->nic, one->domain_attr->name);
        check(strstr(one->domain_attr->name, one->nic->device_attr->name) != nullptr,
              "the NIC is one of its domain");
        copies.emplace_back(fi_dupinfo(one));
        copies.emplace_back(fi_dupinfo(copies.back().get()));
        const fid_nic& copy = *copies.back()->nic;
        check(copy.device_attr != one->nic->device_attr &&
                  copy.device_attr->name != one->nic->device_attr->name &&
                  copy.bus_attr != one->nic->bus_attr && copy.link_attr != one->nic->link_attr,
              "nothing is shared with a copy");
    }
    info.reset();
    for (const Info& copy : copies) {
        check_nic(copy->nic, "a copy");
        const std::string text = fi_tostr(copy.get(), FI_TYPE_INFO);
        check(text.find(copy->nic->device_attr->name) != std::string::npos &&
                  text.find("FI_LINK_UP") != std::string::npos,
              "fi_tostr prints it");
    }
}

void asked_often() {
    for (int round = 0; round < 200; ++round) {
        must(open_hints().get(), "asked again");
        rejected("asked again", [](fi_info& hints) { hints.caps = FI_MULTICAST; });
    }
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"no hints", no_hints},
        {"complete answers", complete_answers},
        {"answers are hints", answers_are_hints},
        {"capabilities", capabilities},
        {"capabilities of contexts", context_capabilities},
        {"modes", modes},
        {"address formats", address_formats},
        {"endpoint types", endpoint_types},
        {"names", names},
        {"threading", threading},
        {"progress", progress},
        {"resource management", resource_management},
        {"address vector types", av_types},
        {"memory registration modes", mr_modes},
        {"orders", orders},
        {"operation flags", operation_flags},
        {"traffic classes", traffic_classes},
        {"API versions", versions},
        {"an open domain", open_domain_as_hint},
        {"open objects are told", open_objects_are_told},
        {"counts of objects", counts_of_objects},
        {"provider attributes only", provider_attributes_only},
        {"NICs", nics},
        {"asked often", asked_often},
    };
    for (const Size& size : sizes) {
        cases.push_back({std::string("size: ") + size.name, [&size] { one_size(size); }});
    }
    add_address_cases(cases);
    add_tunable_cases(cases);
    return run_cases(argc, argv, cases);
}
