// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/endpoint.hpp"

namespace rill::fi {

// The message forms of all operations, with complete flags (Endpoint::tx_msg_flags and the like are
// the caller's business): what fi_sendmsg and its kin do, and what deferred operations do later.
// `sink`: where the operation reports instead of at the endpoint; null: there.
ssize_t send_message(Endpoint& ep, const fi_msg& msg, uint64_t flags, rdm::CompletionSink* sink);
ssize_t receive_message(Endpoint& ep, const fi_msg& msg, uint64_t flags, rdm::CompletionSink* sink);
ssize_t send_tagged(Endpoint& ep, const fi_msg_tagged& msg, uint64_t flags,
                    rdm::CompletionSink* sink);
ssize_t receive_tagged(Endpoint& ep, const fi_msg_tagged& msg, uint64_t flags,
                       rdm::CompletionSink* sink);
ssize_t write_message(Endpoint& ep, const fi_msg_rma& msg, uint64_t flags,
                      rdm::CompletionSink* sink);
ssize_t read_message(Endpoint& ep, const fi_msg_rma& msg, uint64_t flags,
                     rdm::CompletionSink* sink);
ssize_t atomic_message(Endpoint& ep, const fi_msg_atomic& msg, uint64_t flags,
                       rdm::CompletionSink* sink);
ssize_t fetch_atomic_message(Endpoint& ep, const fi_msg_atomic& msg, const fi_msg_fetch& results,
                             uint64_t flags, rdm::CompletionSink* sink);
ssize_t compare_atomic_message(Endpoint& ep, const fi_msg_atomic& msg,
                               const fi_msg_compare& compares, const fi_msg_fetch& results,
                               uint64_t flags, rdm::CompletionSink* sink);

} // namespace rill::fi
