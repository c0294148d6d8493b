// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/shared_transmit.hpp"

#include "fi/attributes.hpp"

namespace rill::fi {

namespace {

int close_entry(fid* handle) {
    return guarded([&] { return object_of<SharedTransmit>(handle).close(); });
}

fi_ops fid_ops = {
    .size = sizeof(fi_ops),
    .close = close_entry,
    .bind = no_sys,
    .control = no_sys,
    .ops_open = no_sys,
    .tostr = no_sys,
    .ops_set = no_sys,
};

fi_ops_ep stx_ops = {
    .size = sizeof(fi_ops_ep),
    .cancel = no_sys,
    .getopt = no_sys,
    .setopt = no_sys,
    .tx_ctx = no_sys,
    .rx_ctx = no_sys,
    .rx_size_left = no_sys,
    .tx_size_left = no_sys,
};

} // namespace

SharedTransmit::SharedTransmit(Domain& domain, void* context) : domain_(domain) {
    set_face(face_, this, FI_CLASS_STX_CTX, context, fid_ops);
    face_.ops = &stx_ops;
}

int SharedTransmit::open(Domain& domain, const fi_tx_attr* attr, fid_stx** out, void* context) {
    if (attr && check_transmit(domain.api_version(), *attr)) return -FI_EINVAL;
    *out = &(new SharedTransmit(domain, context))->face_;
    return 0;
}

int SharedTransmit::close() {
    if (uses.any()) return -FI_EBUSY;
    delete this;
    return 0;
}

} // namespace rill::fi
