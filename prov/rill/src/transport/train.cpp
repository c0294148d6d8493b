// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "transport/train.hpp"

#include "util/iov.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace rill::transport {
namespace {
// Copied bytes are part of the train, so they never exceed it; and no single packet is larger.
constexpr size_t kScratchBytes = wire::kTrainBytesMax + 1;
} // namespace

TrainBuilder::TrainBuilder() : scratch_(std::make_unique<std::byte[]>(kScratchBytes)) {
    iov_.reserve(wire::kTrainIovMax);
    clear();
}

void TrainBuilder::clear() {
    iov_.clear();
    end_ = last_header_ = scratch_.get();
    packets_ = segment_ = last_ = total_ = 0;
    guarded_ = false;
}

bool TrainBuilder::takes(size_t wire_bytes, size_t parts) const {
    if (packets_ == 0) return true;
    return last_ == segment_ && wire_bytes <= segment_ && packets_ < wire::kTrainPacketsMax &&
           total_ + wire_bytes <= wire::kTrainBytesMax &&
           iov_.size() + 1 + parts <= wire::kTrainIovMax;
}

void TrainBuilder::add(const wire::Header& header, const wire::Hello* hello,
                       std::span<const std::byte> ack, Outgoing* packet) {
    std::byte* start = end_;
    last_header_ = start;
    end_ = wire::store(end_, header);
    if (hello) end_ = wire::store(end_, *hello);
    if (!ack.empty()) std::memcpy(end_, ack.data(), ack.size());
    end_ += ack.size();
    if (packet) {
        std::memcpy(end_, packet->copied, packet->copied_bytes);
        end_ += packet->copied_bytes;
    }
    size_t bytes = static_cast<size_t>(end_ - start);
    // Neighbours in the scratch area are one piece: fewer pieces are cheaper for the kernel.
    if (!iov_.empty() &&
        static_cast<std::byte*>(iov_.back().iov_base) + iov_.back().iov_len == start)
        iov_.back().iov_len += bytes;
    else
        iov_.push_back({start, bytes});
    if (packet && packet->slice.bytes) {
        add_slice(packet->slice);
        guarded_ |= packet->guarded;
        bytes += packet->slice.bytes;
    }
    outgoing_[packets_++] = packet;
    if (packets_ == 1) segment_ = bytes;
    last_ = bytes;
    total_ += bytes;
}

void TrainBuilder::add_slice(const Slice& slice) {
    [[maybe_unused]] const size_t found =
        for_pieces({slice.iov, slice.iov_count}, slice.offset, slice.bytes,
                   [this](std::byte* at, size_t, size_t n) {
                       iov_.push_back({at, n});
                       return true;
                   });
    assert(found == slice.bytes);
}

void TrainBuilder::flag_last(uint16_t flags) {
    auto header = wire::load<wire::Header>(last_header_);
    header.flags = static_cast<uint16_t>(header.flags | flags);
    wire::store(last_header_, header);
}

wire::TxTrain TrainBuilder::train(const wire::Address& to, const Path::Way& way,
                                  bool answerable) const {
    return {to, way.entropy, answerable, segment_, total_, std::span(iov_), guarded_, way.nic};
}

} // namespace rill::transport
