// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/endpoint.hpp"

namespace rill::fi {

// Operations with FI_TRIGGER among their flags, of the call or of the endpoint by default. The lists
// that the request points to are copied; the buffers stay the program's, except those of an injected
// operation, whose bytes are copied too. The request's context is the trigger, an
// fi_triggered_context.
//
// -FI_EINVAL: no context, no counter, or one of another domain; -FI_ENOSYS: another kind of trigger;
// -FI_EOPBADSTATE: the endpoint is not enabled. What is wrong with the operation beyond its flags and
// lists fails when it is due.
ssize_t submit_triggered(Endpoint& ep, const rdm::SendRequest& r, uint64_t flags);
ssize_t submit_triggered(Endpoint& ep, const rdm::RecvRequest& r, uint64_t flags);
ssize_t submit_triggered(Endpoint& ep, const rdm::RmaRequest& r, uint64_t flags);
ssize_t submit_triggered(Endpoint& ep, const rdm::AtomicRequest& r, uint64_t flags);

} // namespace rill::fi
