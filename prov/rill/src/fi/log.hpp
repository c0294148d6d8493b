// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/log.hpp"
#include "util/log.hpp"

#include <rdma/fabric.h>
#include <rdma/providers/fi_log.h>
#include <rdma/providers/fi_prov.h>

#include <string>

namespace rill::fi {

// The one provider structure; libfabric keeps its own state in it.
extern fi_provider provider;

// Libfabric's log, for the rooms below.
class FabricLog final : public Log {
public:
    bool enabled(LogLevel level) const override;
    void write(LogLevel level, const char* text) override;
};
FabricLog& fabric_log();
link::LogSink link_log();

// The same for this room. Whoever first decides that something is wrong says so.
void warn(fi_log_subsys where, const std::string& text);
void inform(fi_log_subsys where, const std::string& text);

} // namespace rill::fi
