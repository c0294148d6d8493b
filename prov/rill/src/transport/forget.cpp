// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/transport.hpp"

namespace rill::transport {
namespace {

// Records that are whole in the copied part; the one whose payload is the slice is the last, and
// is not.
uint16_t whole_records(const Outgoing& packet) {
    std::span copied(packet.copied, packet.copied_bytes);
    wire::RecordReader reader(copied);
    wire::RecordView record;
    const std::byte* end = copied.data();
    while (reader.next(record))
        end = record.payload.data() + record.payload.size();
    return static_cast<uint16_t>(end - copied.data());
}

} // namespace

// Looks at every packet in flight: an endpoint closes once, and its unfinished sends are few.
void Transport::forget(void* owner) {
    contexts_.for_each([&](Context& context) {
        const SendWindow& window = context.window_;
        for (Psn psn = window.base(); psn < window.next(); ++psn) {
            Outgoing* packet = window.find(psn);
            if (!packet || packet->owner != owner) continue;
            packet->copied_bytes = whole_records(*packet); // others' small records stay
            packet->slice = {};
            packet->owner = nullptr;
            client_.slice_released(owner);
        }
    });
}

} // namespace rill::transport
