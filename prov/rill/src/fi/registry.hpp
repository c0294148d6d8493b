// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/list.hpp"

#include <mutex>
#include <type_traits>

namespace rill::fi {

struct RegistryTag;
using Registered = ListHook<RegistryTag>;

// The open objects of one kind in this process: hints may name one by pointer, which must not be
// followed before it is known to be ours. Holds no memory and has no destructor to run, as static
// destructors run before libfabric lets go of the provider.
template <class Object>
class Registry {
public:
    static Registry& instance() {
        static Registry all;
        static_assert(std::is_trivially_destructible_v<Registry>);
        return all;
    }
    void add(Object& object) {
        const std::lock_guard lock(mutex_);
        objects_.push_back(object);
    }
    void remove(Object& object) {
        const std::lock_guard lock(mutex_);
        objects_.remove(object);
    }
    // The one that was opened first of those that satisfy the predicate, which runs under the lock;
    // or null.
    template <class F>
    Object* first(F&& predicate) {
        const std::lock_guard lock(mutex_);
        for (Object* o = objects_.front(); o; o = objects_.next(*o))
            if (predicate(*o)) return o;
        return nullptr;
    }
    template <class F>
    bool any(F&& predicate) {
        return first(predicate) != nullptr;
    }

private:
    std::mutex mutex_;
    List<Object, RegistryTag> objects_;
};

} // namespace rill::fi
