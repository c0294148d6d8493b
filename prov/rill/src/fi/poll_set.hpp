// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "fi/common.hpp"
#include "fi/completion_queue.hpp"
#include "fi/counter.hpp"
#include "fi/domain.hpp"

#include <mutex>
#include <variant>
#include <vector>

namespace rill::fi {

// Several completion queues and counters of a domain, run and looked at in one call.
class PollSet {
public:
    using Fid = fid_poll;

    static int open(Domain& domain, const fi_poll_attr* attr, fid_poll** out);

    int close();
    int add(fid* handle, uint64_t flags);
    int remove(fid* handle, uint64_t flags);
    int poll(void** contexts, int count);

private:
    struct Member {
        fid* handle = nullptr;
        std::variant<Use<CompletionQueue>, Use<Counter>> object;
    };

    explicit PollSet(Domain& domain);
    int check(const fid* handle, uint64_t flags) const;

    Face<fid_poll, PollSet> face_{};
    Use<Domain> domain_;
    std::mutex mutex_;
    std::vector<Member> members_;
};

} // namespace rill::fi
