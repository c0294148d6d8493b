// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/domain.hpp"

namespace rill::fi {

// A shared transmit context. All endpoints of a domain send through one device and its queues, so
// there is nothing more for them to share: it is there to be bound.
class SharedTransmit {
public:
    using Fid = fid_stx;

    static int open(Domain& domain, const fi_tx_attr* attr, fid_stx** out, void* context);

    int close();
    Domain& domain() { return *domain_; }

    Uses uses;

private:
    SharedTransmit(Domain& domain, void* context);

    Face<fid_stx, SharedTransmit> face_{};
    Use<Domain> domain_;
};

} // namespace rill::fi
