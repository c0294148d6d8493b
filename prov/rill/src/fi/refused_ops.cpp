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
    .read = no_support,
    .readv = no_support,
    .readmsg = no_support,
    .write = no_support,
    .writev = no_support,
    .writemsg = no_support,
    .inject = no_support,
    .writedata = no_support,
    .injectdata = no_support,
};

fi_ops_atomic refused_atomic_ops = {
    .size = sizeof(fi_ops_atomic),
    .write = no_support,
    .writev = no_support,
    .writemsg = no_support,
    .inject = no_support,
    .readwrite = no_support,
    .readwritev = no_support,
    .readwritemsg = no_support,
    .compwrite = no_support,
    .compwritev = no_support,
    .compwritemsg = no_support,
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
