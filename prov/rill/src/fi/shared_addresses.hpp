// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "wire/address.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace rill::fi {

// The addresses of an address vector that processes of this host share by name, in POSIX shared
// memory: a list that only grows. Each process keeps its own vector in step with it, so that an
// index means the same address in all of them.
//
// A process that has it open holds a shared lock on the memory object. Who finds no other lock on
// opening starts with an empty list, whatever a crashed program has left behind; who finds none on
// closing removes the object.
class SharedAddresses {
public:
    static constexpr uint32_t kCapacity = 1 << 20;

    // `name` is the program's, `domain` tells same names of different domains apart. Not to be
    // created: -FI_ENOENT if there is none. -FI_EINVAL: a name that cannot be one, or of the other
    // family.
    [[nodiscard]] static int open(const std::string& name, const std::string& domain,
                                  wire::Family family, bool create,
                                  std::unique_ptr<SharedAddresses>& out);
    ~SharedAddresses();
    SharedAddresses(const SharedAddresses&) = delete;
    SharedAddresses& operator=(const SharedAddresses&) = delete;

    uint32_t size() const;
    wire::Address at(uint32_t index) const; // index < size()
    // The indices themselves, as fi_addr_t, as far as size() goes: what fi_av_attr::map_addr names.
    void* map_address() const;

    // Keeps other processes from appending while it lives.
    class Writing {
    public:
        explicit Writing(SharedAddresses& of);
        Writing(const Writing&) = delete;
        Writing& operator=(const Writing&) = delete;
        ~Writing();

    private:
        SharedAddresses& of_;
    };
    // While Writing. False when it is full.
    [[nodiscard]] bool append(const wire::Address& address);

private:
    struct Table;

    SharedAddresses(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
    int map(wire::Family family, bool fresh);

    const std::string path_;
    const int fd_;
    Table* table_ = nullptr;
};

} // namespace rill::fi
