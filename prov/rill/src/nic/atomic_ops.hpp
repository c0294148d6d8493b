// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "wire/packet.hpp"

#include <cstddef>

namespace rill::nic {

// Whether an operation exists for a type, in the form that it is asked in. Complex numbers have no
// order, only integers have bits.
bool is_valid_atomic(wire::AtomicKind kind, wire::AtomicOp op, wire::AtomicType type);

struct AtomicWork {
    wire::AtomicOp op{};
    wire::AtomicType type{};
    size_t count = 0;                   // elements
    std::byte* target = nullptr;        // writable (readable, for AtomicOp::read)
    const std::byte* operand = nullptr; // count elements of any alignment; null: AtomicOp::read
    const std::byte* compare = nullptr; // likewise, where the operation compares
    std::byte* result = nullptr;        // what was there before; null: nobody wants it
};

// Each element by itself is atomic: where the processor has an operation of that size (up to 8
// bytes, on its natural alignment), against anything the process does; else against other calls of
// this function in the process.
void execute(const AtomicWork& work);

} // namespace rill::nic
