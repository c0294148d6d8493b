// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "link/shm/ring.hpp"
#include "util/fd.hpp"
#include "util/file_memory.hpp"
#include "wire/address.hpp"

#include <memory>

namespace rill::link::shm {

// The memory of a channel: one ring for each direction.
class Mapping {
public:
    // A sealed memfd of the right size: nobody can shrink it under a reader. Empty on failure.
    static Fd make();
    // Null unless `fd` is such a one.
    static std::unique_ptr<Mapping> of(Fd fd);
    ~Mapping();
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    RingMemory& ring(size_t i) { return rings_[i]; }
    const Fd& fd() const { return fd_; }
    const FileMemory& file() const { return file_; }

private:
    Mapping(Fd fd, RingMemory* rings);
    Fd fd_;
    RingMemory* rings_;
    FileMemory file_;
};

// Two processes of a host that have proved to each other that they share it. The socket wakes who
// sleeps, and its end is the end of the peer.
class Channel {
public:
    // `ours`: which of the two rings this side writes.
    Channel(const wire::Address& peer, Fd socket, std::unique_ptr<Mapping> memory, size_t ours)
        : peer_(peer), socket_(std::move(socket)), memory_(std::move(memory)),
          writer_(memory_->ring(ours)), reader_(memory_->ring(1 - ours)) {}

    const wire::Address& peer() const { return peer_; }
    int fd() const { return socket_.get(); }

    // again: no room now; bad_address: memory of a guarded train is not there.
    [[nodiscard]] Status send(const wire::TxTrain& train);
    RingReader& reader() { return reader_; }
    const FileMemory& file() const { return memory_->file(); }
    // Empties the socket of wake-ups. False: the peer is gone.
    bool drain_socket();
    // Nothing more comes: what is in the ring is the last, or if it is `broken` not even that.
    void end(bool broken) {
        gone_ = true;
        broken_ |= broken;
    }
    bool finished() const { return broken_ || (gone_ && reader_.empty()); }

private:
    wire::Address peer_;
    Fd socket_;
    std::unique_ptr<Mapping> memory_;
    RingWriter writer_;
    RingReader reader_;
    bool gone_ = false;
    bool broken_ = false;
};

} // namespace rill::link::shm
