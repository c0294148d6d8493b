// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Tables of what an endpoint does not do: not asked for (-FI_EOPNOTSUPP), or not there yet
// (-FI_ENOSYS).
#include "fi/endpoint.hpp"

#include <rdma/fi_collective.h>

namespace rill::fi {

fi_ops_msg refused_msg_ops = {
    .size = sizeof(fi_ops_msg),
    .recv = no_support,
    .recvv = no_support,
    .recvmsg = no_support,
    .send = no_support,
    .sendv = no_support,
    .sendmsg = no_support,
    .inject = no_support,
    .senddata = no_support,
    .injectdata = no_support,
};

fi_ops_tagged refused_tagged_ops = {
    .size = sizeof(fi_ops_tagged),
    .recv = no_support,
    .recvv = no_support,
    .recvmsg = no_support,
    .send = no_support,
    .sendv = no_support,
    .sendmsg = no_support,
    .inject = no_support,
    .senddata = no_support,
    .injectdata = no_support,
};

fi_ops_rma refused_rma_ops = {
    .size = sizeof(fi_ops_rma),
    .read = no_sys,
    .readv = no_sys,
    .readmsg = no_sys,
    .write = no_sys,
    .writev = no_sys,
    .writemsg = no_sys,
    .inject = no_sys,
    .writedata = no_sys,
    .injectdata = no_sys,
};

fi_ops_atomic refused_atomic_ops = {
    .size = sizeof(fi_ops_atomic),
    .write = no_sys,
    .writev = no_sys,
    .writemsg = no_sys,
    .inject = no_sys,
    .readwrite = no_sys,
    .readwritev = no_sys,
    .readwritemsg = no_sys,
    .compwrite = no_sys,
    .compwritev = no_sys,
    .compwritemsg = no_sys,
    .writevalid = no_support,
    .readwritevalid = no_support,
    .compwritevalid = no_support,
};

fi_ops_collective refused_collective_ops = {
    .size = sizeof(fi_ops_collective),
    .barrier = no_sys,
    .broadcast = no_sys,
    .alltoall = no_sys,
    .allreduce = no_sys,
    .allgather = no_sys,
    .reduce_scatter = no_sys,
    .reduce = no_sys,
    .scatter = no_sys,
    .gather = no_sys,
    .msg = no_sys,
    .barrier2 = no_sys,
};

} // namespace rill::fi
