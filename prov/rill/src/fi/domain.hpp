// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/engine.hpp"
#include "fi/event_queue.hpp"
#include "fi/fabric.hpp"
#include "fi/memory_region.hpp"
#include "fi/registry.hpp"

#include <memory>
#include <string>

namespace rill::fi {

struct Place;

// A local interface with the engine that runs it. Everything else is opened in one.
class Domain : public Registered {
public:
    using Fid = fid_domain;

    static int open(Fabric& fabric, const fi_info& info, fid_domain** out, void* context);
    ~Domain();

    static bool is_open(const fid_domain* handle);
    // Whether `handle` is one of ours, at that address.
    static bool is_open(const fid_domain* handle, const wire::Address& address);

    // The one of that name that was opened first, or null.
    static fid_domain* first_open(const char* name);

    int close();
    int bind(fid* handle, uint64_t flags);

    Fabric& fabric() { return *fabric_; }
    Engine& engine() { return *engine_; }
    // Keys of memory regions are ours, not the program's.
    bool provider_keys() const { return mr_mode_ & (FI_MR_PROV_KEY | FI_MR_BASIC); }
    // Peers name memory by its address here, not by its offset in the region.
    bool virtual_addresses() const { return mr_mode_ & (FI_MR_VIRT_ADDR | FI_MR_BASIC); }
    // Where registrations are reported; null: they are synchronous.
    EventQueue* registration_events() { return reports_regions_ ? eq_.get() : nullptr; }
    wire::Family family() const { return engine_->interface().address.family; }
    uint32_t api_version() const { return fabric_->api_version(); }
    uint32_t traffic_class() const { return traffic_class_; }
    // False in a forked child: every call but close answers -FI_EOPBADSTATE.
    bool is_ours() const { return engine_->is_ours(); }

    Uses uses;

private:
    Domain(Fabric& fabric, const fi_info& info, const Place& place, std::unique_ptr<Engine> engine,
           void* context);

    Face<fid_domain, Domain> face_{};
    Use<Fabric> fabric_;
    const std::string name_;
    Use<EventQueue> eq_;
    const uint32_t traffic_class_; // of all its endpoints
    bool reports_regions_ = false;
    const int mr_mode_;
    std::unique_ptr<Engine> engine_;
};

} // namespace rill::fi
