// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "harness.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace functional {

namespace {

uint8_t pattern(uint32_t seed, size_t at) {
    return static_cast<uint8_t>(seed * 101 + at * 167 + (at >> 8) * 59 + (at >> 16) * 31);
}

fi_msg as_message(const Transfer& what) {
    fi_msg message{};
    message.msg_iov = what.iov.data();
    message.iov_count = what.iov.size();
    message.addr = what.peer;
    message.context = what.context;
    message.data = what.data;
    return message;
}

fi_msg_tagged as_tagged_message(const Transfer& what) {
    fi_msg_tagged message{};
    message.msg_iov = what.iov.data();
    message.iov_count = what.iov.size();
    message.addr = what.peer;
    message.tag = what.tag;
    message.ignore = what.ignore;
    message.context = what.context;
    message.data = what.data;
    return message;
}

ssize_t send_msg(fid_ep* ep, const Transfer& what) {
    const iovec& one = what.iov.front();
    switch (what.form) {
    case Form::plain:
        return fi_send(ep, one.iov_base, one.iov_len, nullptr, what.peer, what.context);
    case Form::vector:
        return fi_sendv(ep, what.iov.data(), nullptr, what.iov.size(), what.peer, what.context);
    case Form::message: {
        const fi_msg message = as_message(what);
        return fi_sendmsg(ep, &message, what.flags);
    }
    case Form::inject: return fi_inject(ep, one.iov_base, one.iov_len, what.peer);
    case Form::data:
        return fi_senddata(ep, one.iov_base, one.iov_len, nullptr, what.data, what.peer,
                           what.context);
    case Form::inject_data:
        return fi_injectdata(ep, one.iov_base, one.iov_len, what.data, what.peer);
    }
    return -FI_EINVAL;
}

ssize_t send_tagged(fid_ep* ep, const Transfer& what) {
    const iovec& one = what.iov.front();
    switch (what.form) {
    case Form::plain:
        return fi_tsend(ep, one.iov_base, one.iov_len, nullptr, what.peer, what.tag, what.context);
    case Form::vector:
        return fi_tsendv(ep, what.iov.data(), nullptr, what.iov.size(), what.peer, what.tag,
                         what.context);
    case Form::message: {
        const fi_msg_tagged message = as_tagged_message(what);
        return fi_tsendmsg(ep, &message, what.flags);
    }
    case Form::inject: return fi_tinject(ep, one.iov_base, one.iov_len, what.peer, what.tag);
    case Form::data:
        return fi_tsenddata(ep, one.iov_base, one.iov_len, nullptr, what.data, what.peer, what.tag,
                            what.context);
    case Form::inject_data:
        return fi_tinjectdata(ep, one.iov_base, one.iov_len, what.data, what.peer, what.tag);
    }
    return -FI_EINVAL;
}

} // namespace

const char* name_of(Kind kind) {
    return kind == Kind::msg ? "message" : "tagged";
}

const char* name_of(Form form) {
    switch (form) {
    case Form::plain: return "plain";
    case Form::vector: return "vector";
    case Form::message: return "msg";
    case Form::inject: return "inject";
    case Form::data: return "data";
    case Form::inject_data: return "injectdata";
    }
    return "";
}

bool carries_data(Form form) {
    return form == Form::data || form == Form::inject_data;
}

bool is_inject(Form form) {
    return form == Form::inject || form == Form::inject_data;
}

Transfer transfer(Kind kind, Bytes& buffer, fi_addr_t peer, void* context, uint64_t tag) {
    Transfer what;
    what.kind = kind;
    what.peer = peer;
    what.context = context;
    what.tag = tag;
    what.iov = {{buffer.data(), buffer.size()}};
    return what;
}

ssize_t send(const Side& side, const Transfer& what) {
    return what.kind == Kind::msg ? send_msg(side.ep.get(), what)
                                  : send_tagged(side.ep.get(), what);
}

ssize_t receive(const Side& side, const Transfer& what) {
    fid_ep* ep = side.ep.get();
    const iovec& one = what.iov.front();
    const bool tagged = what.kind == Kind::tagged;
    if (what.form == Form::message) {
        const fi_msg plain = as_message(what);
        const fi_msg_tagged with_tag = as_tagged_message(what);
        return tagged ? fi_trecvmsg(ep, &with_tag, what.flags) : fi_recvmsg(ep, &plain, what.flags);
    }
    if (what.form == Form::vector) {
        return tagged ? fi_trecvv(ep, what.iov.data(), nullptr, what.iov.size(), what.peer,
                                  what.tag, what.ignore, what.context)
                      : fi_recvv(ep, what.iov.data(), nullptr, what.iov.size(), what.peer,
                                 what.context);
    }
    return tagged ? fi_trecv(ep, one.iov_base, one.iov_len, nullptr, what.peer, what.tag,
                             what.ignore, what.context)
                  : fi_recv(ep, one.iov_base, one.iov_len, nullptr, what.peer, what.context);
}

void ask_for_small_packets() {
    setenv("FI_RILL_MAX_PACKET", std::to_string(bytes_per_packet).c_str(), 1);
}

std::vector<size_t> sizes_at_borders() {
    constexpr size_t headers_max = 128;
    constexpr size_t packets_per_train = 65472 / bytes_per_packet; // what one sendmsg takes
    std::vector<size_t> list;
    for (const size_t packets : {size_t{1}, packets_per_train}) {
        const size_t past = packets * bytes_per_packet + 2;
        for (size_t size = packets * (bytes_per_packet - headers_max); size < past; ++size) {
            list.push_back(size);
        }
    }
    // Before the first credit, and without a grant.
    for (const size_t border : {size_t{16} << 10, size_t{64} << 10}) {
        list.insert(list.end(), {border - 1, border, border + 1});
    }
    return list;
}

void fill(Bytes& buffer, uint32_t seed) {
    for (size_t at = 0; at < buffer.size(); ++at) {
        buffer[at] = pattern(seed, at);
    }
}

void check_filled(const uint8_t* bytes, size_t size, uint32_t seed, Where where) {
    for (size_t at = 0; at < size; ++at) {
        if (bytes[at] != pattern(seed, at)) {
            fail("wrong byte at " + std::to_string(at) + " of " + std::to_string(size), where);
        }
    }
}

std::vector<iovec> split(Bytes& buffer, size_t pieces) {
    std::vector<iovec> iov;
    size_t at = 0;
    for (size_t piece = 0; piece < pieces; ++piece) {
        const size_t left = buffer.size() - at;
        const size_t share = left / (pieces - piece);
        // Odd on purpose: pieces that end on no boundary anybody could have hoped for.
        const size_t uneven = std::min(left, share + piece % 3);
        const size_t len = piece + 1 == pieces ? left : uneven;
        iov.push_back({buffer.data() + at, len});
        at += len;
    }
    return iov;
}

} // namespace functional
