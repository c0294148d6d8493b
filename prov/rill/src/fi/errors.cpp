// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/errors.hpp"

#include <rdma/fi_errno.h>

#include <cstdint>
#include <cstdio>

namespace rill::fi {

int errno_of(Status status) {
    switch (status) {
    case Status::ok: return FI_SUCCESS;
    case Status::again: return FI_EAGAIN;
    case Status::no_memory: return FI_ENOMEM;
    case Status::invalid: return FI_EINVAL;
    case Status::too_long: return FI_EMSGSIZE;
    case Status::not_found: return FI_ENOMSG; // only peeks complete so
    case Status::busy: return FI_EBUSY;
    case Status::unreachable: return FI_EHOSTUNREACH;
    case Status::dead: return FI_ECONNABORTED;
    case Status::gone: return FI_ESHUTDOWN;
    case Status::truncated: return FI_ETRUNC;
    case Status::canceled: return FI_ECANCELED;
    case Status::no_queue_pair: return FI_ECONNREFUSED;
    case Status::aborted: return FI_ECONNRESET;
    case Status::overrun: return FI_EOVERRUN;
    case Status::bad_key: return FI_ENOKEY;
    case Status::bad_range: return FI_EACCES;
    case Status::unsupported: return FI_EOPNOTSUPP;
    case Status::io_error: return FI_EIO;
    case Status::address_in_use: return FI_EADDRINUSE;
    case Status::bad_access: return FI_EACCES;
    case Status::bad_address: return FI_EFAULT;
    }
    return FI_EOTHER;
}

const char* describe_error(int prov_errno, char* buf, size_t len) {
    const char* text = prov_errno >= 0 && prov_errno <= UINT8_MAX
                           ? to_string(static_cast<Status>(prov_errno))
                           : "unknown status";
    if (buf && len) std::snprintf(buf, len, "%s", text);
    return text;
}

} // namespace rill::fi
