// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/fork_guard.hpp"
#include "fi/registry.hpp"

#include <string>

namespace rill::fi {

class Fabric : public Registered {
public:
    using Fid = fid_fabric;

    static int open(const fi_fabric_attr& attr, fid_fabric** out, void* context);
    ~Fabric();

    // Whether `handle` is one of ours, with that name.
    static bool is_open(const fid_fabric* handle, const std::string& name);

    // The one of that name that was opened first, or null.
    static fid_fabric* first_open(const char* name);

    int close();
    int try_wait(fid** fids, int count);
    uint32_t api_version() const { return face_.api_version; }
    const std::string& name() const { return name_; }
    // False in a forked child: every call but close answers -FI_EOPBADSTATE.
    bool is_ours() const { return mark_.is_ours(); }

    Uses uses;

private:
    Fabric(const fi_fabric_attr& attr, void* context);

    Face<fid_fabric, Fabric> face_{};
    std::string name_;
    ProcessMark mark_ = ProcessMark::current();
};

} // namespace rill::fi
