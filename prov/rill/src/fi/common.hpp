// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// What every object at the C edge needs: faces, guards, refusals.

#include <rdma/fabric.h>
#include <rdma/fi_atomic.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include <rdma/fi_tagged.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace rill::fi {

// The C structure that libfabric's users hold, followed by the way back to our object. The object
// itself need not be of standard layout. The only casts from a fid are in this file.
template <class Fid, class Object>
struct Face : Fid {
    Object* object = nullptr;
};

// An object class names its structure as `using Fid = fid_ep;` and keeps a Face<Fid, Object>.
template <class Object>
Object& object_of(typename Object::Fid* handle) {
    return *static_cast<Face<typename Object::Fid, Object>*>(handle)->object;
}
// A `fid` is the first member of every such structure (C layout).
template <class Object>
Object& object_of(fid* handle) {
    return object_of<Object>(reinterpret_cast<typename Object::Fid*>(handle));
}

template <class Fid, class Object>
void set_face(Face<Fid, Object>& face, Object* object, size_t fclass, void* context, fi_ops& ops) {
    face.object = object;
    face.fid.fclass = fclass;
    face.fid.context = context;
    face.fid.ops = &ops;
}

// What a C program wrote where an enum stands. It may be any number, and to load one that is none
// of the enum's is undefined in C++ (UBSan ends the program).
template <class Enum>
int number_of(const Enum& written) {
    static_assert(std::is_enum_v<Enum> && sizeof(Enum) == sizeof(int));
    int number;
    std::memcpy(&number, &written, sizeof number);
    return number;
}

// Runs a call from C: no exception crosses the edge.
template <class F>
auto guarded(F&& f) noexcept -> std::invoke_result_t<F> {
    try {
        return f();
    } catch (const std::bad_alloc&) {
        return -FI_ENOMEM;
    } catch (...) {
        return -FI_EOTHER;
    }
}

// Fills any pointer of an operations table with a function that answers `Code`: no table has a
// null entry, whatever the signature.
template <int Code>
struct Refusal {
    template <class R, class... A>
    using Function = R (*)(A...);
    template <class R, class... A>
    constexpr operator Function<R, A...>() const {
        return [](A...) -> R { return static_cast<R>(Code); };
    }
};
inline constexpr Refusal<-FI_ENOSYS> no_sys{};
inline constexpr Refusal<-FI_EOPNOTSUPP> no_support{};

// How many other objects stand on this one: it cannot be closed before them.
class Uses {
public:
    void add() { count_.fetch_add(1, std::memory_order_relaxed); }
    void drop() { count_.fetch_sub(1, std::memory_order_acq_rel); }
    bool any() const { return count_.load(std::memory_order_acquire) != 0; }

private:
    std::atomic<uint32_t> count_{0};
};

// A use, for as long as it is held.
template <class Object>
class Use {
public:
    Use() = default;
    explicit Use(Object& object) : object_(&object) { object.uses.add(); }
    Use(Use&& o) noexcept : object_(o.object_) { o.object_ = nullptr; }
    Use& operator=(Use&& o) noexcept {
        std::swap(object_, o.object_);
        return *this;
    }
    ~Use() {
        if (object_) object_->uses.drop();
    }

    Object* get() const { return object_; }
    Object* operator->() const { return object_; }
    Object& operator*() const { return *object_; }
    explicit operator bool() const { return object_ != nullptr; }

private:
    Object* object_ = nullptr;
};

} // namespace rill::fi
