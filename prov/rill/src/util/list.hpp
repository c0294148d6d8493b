// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>

namespace rill {

// Doubly linked intrusive list. An element derives from ListHook<Tag> once per list that it can be
// on; membership costs no allocation, and removal needs only the element.
template <class Tag>
struct ListHook {
    ListHook* prev = nullptr;
    ListHook* next = nullptr;

    ListHook() = default;
    ListHook(const ListHook&) = delete;
    ListHook& operator=(const ListHook&) = delete;

    bool linked() const { return next != nullptr; }
    void unlink() {
        if (!next) return;
        prev->next = next;
        next->prev = prev;
        prev = next = nullptr;
    }
};

template <class T, class Tag>
class List {
    using Hook = ListHook<Tag>;

public:
    List() { head_.prev = head_.next = &head_; }
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    bool empty() const { return head_.next == &head_; }
    T* back() { return empty() ? nullptr : cast(head_.prev); }
    T* front() { return empty() ? nullptr : cast(head_.next); }
    void push_back(T& e) { insert_before(&head_, e); }
    void push_front(T& e) { insert_before(head_.next, e); }
    // Null: at the front.
    void insert_after(T* at, T& e) {
        insert_before(at ? static_cast<Hook&>(*at).next : head_.next, e);
    }
    T* pop_front() {
        T* e = front();
        if (e) static_cast<Hook*>(e)->unlink();
        return e;
    }
    static void remove(T& e) { static_cast<Hook&>(e).unlink(); }
    static bool contains(const T& e) { return static_cast<const Hook&>(e).linked(); }
    // The element after `e`, or null at the end: iteration that survives removal of `e` takes
    // next() first.
    T* next(T& e) {
        Hook* n = static_cast<Hook&>(e).next;
        return n == &head_ ? nullptr : cast(n);
    }
    T* previous(T& e) {
        Hook* p = static_cast<Hook&>(e).prev;
        return p == &head_ ? nullptr : cast(p);
    }

private:
    static T* cast(Hook* h) { return static_cast<T*>(h); }
    static void insert_before(Hook* at, T& e) {
        Hook& h = e;
        h.prev = at->prev;
        h.next = at;
        at->prev->next = &h;
        at->prev = &h;
    }

    Hook head_;
};

} // namespace rill
