// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/operations.hpp"

#include <rdma/fi_trigger.h>

#include <memory>
#include <type_traits>
#include <vector>

namespace rill::fi {

// A copy of fi_msg, fi_msg_tagged and their like, with the lists that it points to. The buffers
// stay the program's, except those of an injected message, whose bytes are copied too.
template <class Message>
class StoredMessage {
    using Piece = std::remove_const_t<std::remove_pointer_t<decltype(Message::msg_iov)>>;

public:
    explicit StoredMessage(const Message& m)
        : message_(m), pieces_(m.msg_iov, m.msg_iov + m.iov_count) {
        message_.msg_iov = pieces_.data();
        message_.desc = nullptr; // needed by no operation of ours
        if constexpr (requires { m.rma_iov; }) {
            using Target = std::remove_const_t<std::remove_pointer_t<decltype(m.rma_iov)>>;
            auto targets =
                std::make_shared<std::vector<Target>>(m.rma_iov, m.rma_iov + m.rma_iov_count);
            message_.rma_iov = targets->data();
            targets_ = std::move(targets);
        }
    }
    StoredMessage(const StoredMessage&) = delete;
    StoredMessage& operator=(const StoredMessage&) = delete;

    void copy_payload() requires std::is_same_v<Piece, iovec> {
        for (const iovec& piece : pieces_) {
            const auto* from = static_cast<const std::byte*>(piece.iov_base);
            payload_.insert(payload_.end(), from, from + piece.iov_len);
        }
        pieces_.assign(1, {payload_.data(), payload_.size()});
        message_.msg_iov = pieces_.data();
        message_.iov_count = 1;
    }
    const Message& message() const { return message_; }

private:
    Message message_;
    std::vector<Piece> pieces_;
    std::vector<std::byte> payload_;
    std::shared_ptr<void> targets_;
};

// Where FI_TRIGGER sends an operation: checks the triggered context, and leaves the rest to the
// endpoint. The fields of a completion that fails before it is posted are the caller's.
class TriggeredOperation {
public:
    // -FI_EINVAL: no threshold or a counter of another domain; -FI_ENOSYS: another kind of trigger.
    [[nodiscard]] int read(Endpoint& ep, void* context);
    void submit(Endpoint& ep, const rdm::Completion& on_failure, std::function<ssize_t()> post);

private:
    Counter* counter_ = nullptr;
    uint64_t threshold_ = 0;
};

// An operation with FI_TRIGGER among its flags: `post` is one of the above. `allowed`: flags that it
// may have; `kinds`: rdm::CompletionKind of its completion.
template <class Message, class Post>
ssize_t submit_triggered(Endpoint& ep, const Message& msg, uint64_t flags, uint64_t allowed,
                         uint32_t kinds, Post post) {
    const uint64_t plain = flags & ~FI_TRIGGER;
    if ((plain & ~allowed) || msg.iov_count > rdm::kIovMax) return -FI_EINVAL;
    TriggeredOperation operation;
    if (const int failed = operation.read(ep, msg.context)) return failed;
    auto stored = std::make_shared<StoredMessage<Message>>(msg);
    if constexpr (requires { stored->copy_payload(); }) {
        if (plain & FI_INJECT) stored->copy_payload();
    } else {
        if (plain & FI_INJECT) return -FI_EINVAL;
    }
    rdm::Completion failure;
    failure.context = msg.context;
    failure.kinds = kinds;
    operation.submit(ep, failure, [&ep, stored, plain, post]() -> ssize_t {
        return post(ep, stored->message(), plain, nullptr);
    });
    return 0;
}

} // namespace rill::fi
