// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// The commands of rill-checkpoint. Each returns the exit status; what goes wrong is an exception.
namespace checkpoint {

struct SendOptions {
    std::string host, port, snapshot;
    std::vector<std::string> paths;
    bool progress = false;
};
int send(const SendOptions& options);

struct ReceiveOptions {
    std::string store;
    std::string host, port; // of our own; empty: any
    uint32_t average = 8192;
    uint64_t sessions = 0; // after so many it ends; 0: never
};
int receive(const ReceiveOptions& options);

int restore(const std::string& store, const std::string& snapshot, const std::string& to);
int list(const std::string& store);

} // namespace checkpoint
