// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/udp_link.hpp"

#include "link/sockaddr.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>

namespace rill::link {

using wire::Address;
using wire::PortId;
using wire::RxTrain;
using wire::TxTrain;

namespace {

// Times that a send is repeated because of an error that some earlier packet left behind. Reading
// the queue takes them all; another can come in between, rarely twice.
constexpr int kSendTries = 4;
// Entries of an error queue that one reading takes: it is bounded by the socket's buffer, we need
// not be longer in it than a burst lasts.
constexpr int kErrorsPerReading = 256;
constexpr size_t kRefusals = 64;
constexpr int kRangeShare = 8; // of a port range an eighth, for entropy

// Where the MTU is larger than any Ethernet's (loopback). A train of four makes 65472 bytes: with
// two bytes more than 65473 (IPv6; 65493 IPv4) the headers take it over the device's segmentation
// limit and the kernel cuts it up in software, at 2.7 times the cost. Sizes beyond 8 KiB are
// equally fast (docs/link.md); this one is charged 5 % over its size, 8900 bytes 87 %.
constexpr size_t kPacketBytesLarge = 16368;
// The same where the receive buffer is small: the last size that fits an 8 KiB allocation. The
// buffer divided among many peers then still gives each several packets.
constexpr size_t kPacketBytesSmall = 7800;
constexpr size_t kSmallBuffer = size_t{1} << 20;

bool is_no_room(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

// What an earlier packet's ICMP answer, kept on the socket, makes a send or receive return.
bool may_be_pending(int error) {
    switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENOPROTOOPT:
    case EPROTO:
    case EOPNOTSUPP:
    case EACCES:
    case ENONET:
    case EMSGSIZE: return true;
    default: return false;
    }
}

bool is_segmentation_refusal(int error) {
    return error == EIO || error == EINVAL || error == EOPNOTSUPP;
}

// Where the ports are confined, endpoints come first, and the range is all ranks'.
uint16_t entropy_limit(const UdpConfig& config) {
    uint16_t limit = std::max<uint16_t>(config.paths, 1);
    if (!config.ports.any())
        limit = std::min<uint16_t>(
            limit, std::max((config.ports.high - config.ports.low + 1) / kRangeShare, 1));
    return limit;
}

// The bytes of a train, packet by packet, as pieces of its iovec.
class PacketCutter {
public:
    explicit PacketCutter(const TxTrain& train) : train_(train), left_(train.total_bytes) {}

    bool done() const { return left_ == 0; }
    // The next packet; empty when it has more pieces than a send takes, or the iovec is too short.
    std::span<const iovec> next() {
        size_t bytes = std::min(train_.segment_bytes, left_);
        size_t pieces = 0;
        left_ -= bytes;
        while (bytes > 0) {
            if (at_ == train_.iov.size() || pieces == pieces_.size()) return {};
            const iovec& v = train_.iov[at_];
            const size_t n = std::min(bytes, v.iov_len - offset_);
            if (n > 0) pieces_[pieces++] = {static_cast<std::byte*>(v.iov_base) + offset_, n};
            bytes -= n;
            offset_ += n;
            if (offset_ == v.iov_len) {
                ++at_;
                offset_ = 0;
            }
        }
        return {pieces_.data(), pieces};
    }

private:
    const TxTrain& train_;
    size_t left_;
    size_t at_ = 0;
    size_t offset_ = 0;
    std::array<iovec, wire::kTrainIovMax> pieces_;
};

} // namespace

UdpLink::UdpLink(const UdpConfig& config, obs::Counters& counters)
    : config_(config), counters_(counters), buffers_(kReceiveSlots * kSlotBytes),
      refusals_(kRefusals), loopback_(is_loopback(config.local)) {
    // An alias (eth0:1) is a label of an address, no device. Binding to the loopback would shut out
    // what a host sends to another of its own addresses.
    config_.interface.resize(std::min(config_.interface.find(':'), config_.interface.size()));
    if (config_.interface == "lo" || loopback_) config_.interface.clear();
}

UdpLink::~UdpLink() = default;

Status UdpLink::open(const UdpConfig& config, obs::Counters& counters,
                     std::unique_ptr<UdpLink>& link, std::string& error) {
    if (!config.ports.any() && (config.ports.low == 0 || config.ports.low > config.ports.high)) {
        error = "port range " + to_string(config.ports) + " is empty or has port 0";
        return Status::invalid;
    }
    try {
        std::unique_ptr<UdpLink> made(new UdpLink(config, counters));
        if (Status s = made->open_sockets(error); !is_ok(s)) return s;
        made->name_small_buffer();
        link = std::move(made);
        return Status::ok;
    } catch (const std::bad_alloc&) {
        error = "no memory for a UDP link";
        return Status::no_memory;
    }
}

Status UdpLink::open_sockets(std::string& error) {
    const uint16_t port = config_.local.port;
    if (port != 0 && !config_.ports.contains(port)) {
        error = "port " + std::to_string(port) + " is outside the port range " +
                to_string(config_.ports);
        return Status::invalid;
    }
    busy_config_ = socket_config(0, false);
    ports_.emplace_back();
    if (Status s = data().open(socket_config(port, true), error); !is_ok(s)) return s;
    entropy_.resize(entropy_limit(config_) - 1u);
    return Status::ok;
}

SocketConfig UdpLink::socket_config(uint16_t port, bool receives) const {
    SocketConfig c;
    c.local = config_.local.with_port(port);
    c.ports = config_.ports;
    c.interface = config_.interface;
    c.rcvbuf_bytes = config_.rcvbuf_bytes;
    c.code_point = config_.code_point;
    c.receives = receives;
    return c;
}

void UdpLink::name_small_buffer() const {
    const size_t bytes = receive_buffer_bytes();
    if (bytes >= kSmallBuffer) return;
    config_.log(Level::warning, "the receive buffer holds only " + std::to_string(bytes >> 10) +
                                    " KiB, which limits bandwidth; raise net.core.rmem_max "
                                    "(sysctl -w net.core.rmem_max=4194304), and FI_RILL_RCVBUF "
                                    "if it is set");
}

Status UdpLink::send(const TxTrain& train) {
    if (train.to.family != config_.local.family || train.total_bytes == 0 || train.iov.empty())
        return Status::invalid;
    UdpSocket* found = socket_for(train);
    if (!found) return Status::io_error;
    UdpSocket& socket = *found;
    const bool single = train.segment_bytes == 0 || train.segment_bytes >= train.total_bytes;
    if (!single) {
        if (socket.segmentation && train.iov.size() <= wire::kTrainIovMax)
            return send_segmented(socket, train);
        return send_singly(socket, train);
    }
    // The kernel says EMSGSIZE to more pieces than this, which would be taken for a long packet.
    if (train.iov.size() > wire::kTrainIovMax) return Status::invalid;
    return judge(send_once(socket, train.to, train.iov, 0), train.to);
}

// Where the ports are confined they are few, and better left to endpoints. Null: a port that cannot
// be had, which makes a path that does not answer.
UdpSocket* UdpLink::socket_for(const TxTrain& train) {
    if (train.path != 0 && train.path <= entropy_.size()) return entropy_socket(train.path);
    if (train.from_data_port || !config_.ports.any()) return &data();
    UdpSocket* connected = busy_.find(train.to, busy_config_);
    return connected ? connected : &data();
}

UdpSocket* UdpLink::entropy_socket(uint16_t path) {
    UdpSocket& socket = entropy_[path - 1u];
    if (socket.is_open()) return &socket;
    std::string error;
    return is_ok(socket.open(socket_config(0, false), error)) ? &socket : nullptr;
}

// Segmentation never fragments: packets over the MTU are EMSGSIZE, EINVAL on older kernels. That is
// no refusal of segmentation as such.
Status UdpLink::send_segmented(UdpSocket& socket, const TxTrain& train) {
    const int error = send_once(socket, train.to, train.iov, train.segment_bytes);
    if (error == EMSGSIZE || error == EINVAL) {
        routes_.forget(train.to);
        if (train.segment_bytes > unfragmented_bytes(train.to)) return Status::too_long;
        if (error == EMSGSIZE) return send_singly(socket, train); // over 64 KiB in all
    }
    if (!is_segmentation_refusal(error)) return judge(error, train.to);
    switch_segmentation_off(socket, error);
    return send_singly(socket, train);
}

void UdpLink::switch_segmentation_off(UdpSocket& socket, int error) {
    socket.segmentation = false;
    const bool first = counters_.get(obs::Counter::tx_segmentation_refused) == 0;
    counters_.add(obs::Counter::tx_segmentation_refused);
    if (!first) return;
    config_.log(Level::warning,
                "UDP segmentation offload refused on " + wire::to_string(socket.address()) + " (" +
                    std::strerror(error) + "): packets are sent one by one, which costs bandwidth");
}

// Once a packet of the train has left, what cannot follow counts as lost on the way: reporting
// anything but ok would have the caller send the first ones again under the same path sequence.
Status UdpLink::send_singly(UdpSocket& socket, const TxTrain& train) {
    PacketCutter cutter(train);
    for (bool first = true; !cutter.done(); first = false) {
        const std::span<const iovec> packet = cutter.next();
        if (packet.empty()) return Status::invalid;
        const Status status = judge(send_once(socket, train.to, packet, 0), train.to);
        if (!is_ok(status)) return first ? status : Status::ok;
    }
    return Status::ok;
}

// One sendmsg, repeated when it returned what another packet's ICMP answer had left behind: such an
// error says nothing about `to`, which may be alive.
int UdpLink::send_once(UdpSocket& socket, const Address& to, std::span<const iovec> iov,
                       size_t segment_bytes) {
    int error = 0;
    for (int tries = 0; tries < kSendTries; ++tries) {
        error = socket.send(to, iov.data(), iov.size(), segment_bytes);
        if (error == 0) return 0;
        if (error == EINTR) continue;
        // The kernel queues its own EMSGSIZE as well: it has to be taken off, or whoever polls the
        // socket finds an error for ever. Nothing from the network queued: the error is this send's
        // (or the queue was full, which the first repetition tells).
        if (!may_be_pending(error) || (!read_errors(socket) && tries > 0)) return error;
    }
    return error;
}

Status UdpLink::judge(int error, const Address& to) {
    if (error == 0) return Status::ok;
    if (is_no_room(error)) return Status::again;
    if (error == EMSGSIZE) {
        routes_.forget(to);
        return Status::too_long;
    }
    if (error == EFAULT) return Status::bad_address; // whose memory it is, the caller finds out
    if (!error_logged_)
        config_.log(Level::warning, "sending to " + wire::to_string(to) + ": " +
                                        std::strerror(error) +
                                        " (further errors are counted only)");
    error_logged_ = true;
    return Status::io_error;
}

size_t UdpLink::receive(std::span<RxTrain> out, bool poll_all) {
    out = out.first(std::min(out.size(), kReceiveSlots));
    size_t filled = 0;
    if (poll_all) {
        look_for_errors();
        filled = receive_ports(out);
    }
    // One system call, even if there is room for more trains: the caller comes again anyway, and
    // to learn that nothing is waiting costs half a microsecond.
    if (filled < out.size() && receive_on(wire::kDataPort, filled, out[filled])) ++filled;
    return filled;
}

// One socket of each kind at a time: what those that only send have to tell is never urgent, as the
// data port hears it too when a peer is asked for a sign of life.
void UdpLink::look_for_errors() {
    if (!entropy_.empty()) {
        UdpSocket& entropy = entropy_[next_errors_++ % entropy_.size()];
        if (entropy.is_open()) read_errors(entropy);
    }
    if (UdpSocket* socket = busy_.next()) read_errors(*socket);
}

size_t UdpLink::receive_ports(std::span<RxTrain> out) {
    const size_t ports = ports_.size() - 1;
    size_t filled = 0;
    for (size_t looked = 0; looked < ports && filled < out.size(); ++looked) {
        const auto id = static_cast<PortId>(1 + next_port_++ % ports);
        if (ports_[id].is_open() && receive_on(id, filled, out[filled])) ++filled;
    }
    return filled;
}

bool UdpLink::receive_on(PortId id, size_t slot, RxTrain& out) {
    UdpSocket& socket = ports_[id];
    std::byte* buffer = buffers_.at(slot * kSlotBytes);
    int error = socket.receive(buffer, kSlotBytes, out);
    // An error of an earlier send stands before the packets: it is taken, and the packets then.
    for (int tries = 0; error != 0 && !is_no_room(error) && tries < kSendTries; ++tries) {
        read_errors(socket);
        error = socket.receive(buffer, kSlotBytes, out);
    }
    if (error != 0) return false;
    out.port = id;
    out.file = buffers_.file();
    drops_ += socket.take_drops();
    return true;
}

bool UdpLink::read_errors(UdpSocket& socket) {
    SocketError entry;
    bool news = false;
    for (int read = 0; read < kErrorsPerReading && socket.next_error(entry); ++read) {
        news |= entry.error != 0;
        if (entry.error == ECONNREFUSED) note_refusal(entry.to);
        if (entry.error == EMSGSIZE) routes_.forget(entry.to); // a router has a smaller MTU
    }
    return news;
}

// Full, or known already: dropped. A port that refuses will do so again.
void UdpLink::note_refusal(const Address& refused) {
    if (!refused.valid()) return;
    for (size_t i = 0; i < refusals_.size(); ++i)
        if (refusals_.at(i) == refused) return;
    (void)refusals_.push(refused);
}

bool UdpLink::next_refusal(Address& refused) {
    if (refusals_.empty()) return false;
    refused = refusals_.front();
    refusals_.pop();
    return true;
}

Status UdpLink::open_port(Address& bound, PortId& id) {
    if (bound.port != 0 && !config_.ports.contains(bound.port)) {
        config_.log(Level::error, "port " + std::to_string(bound.port) +
                                      " is outside the port range " + to_string(config_.ports));
        return Status::invalid;
    }
    SocketConfig config = socket_config(bound.port, true);
    if (bound.valid()) config.local = bound;
    UdpSocket socket;
    std::string error;
    if (Status s = socket.open(config, error); !is_ok(s)) {
        config_.log(Level::error, error);
        return s;
    }
    size_t at = 1;
    while (at < ports_.size() && ports_[at].is_open())
        ++at;
    if (at == ports_.size()) ports_.emplace_back();
    ports_[at] = std::move(socket);
    bound = ports_[at].address();
    id = static_cast<PortId>(at);
    return Status::ok;
}

void UdpLink::close_port(PortId id) {
    if (id == wire::kDataPort || id >= ports_.size()) return;
    ports_[id].close();
    while (ports_.size() > 1 && !ports_.back().is_open())
        ports_.pop_back();
}

std::vector<int> UdpLink::descriptors() const {
    std::vector<int> out;
    for (const UdpSocket& socket : ports_)
        if (socket.is_open()) out.push_back(socket.fd());
    return out;
}

size_t UdpLink::unfragmented_bytes(const Address& to) const {
    return routes_.packet_bytes(config_.local, config_.interface, to);
}

size_t UdpLink::max_packet_bytes(const Address& to) const {
    const bool small = receive_buffer_bytes() < kSmallBuffer;
    return std::min(unfragmented_bytes(to), small ? kPacketBytesSmall : kPacketBytesLarge);
}

size_t UdpLink::packet_bytes_from(size_t, const Address& to) const {
    if (to.family != config_.local.family) return 0;
    return route_mtu(config_.local, config_.interface, to) ? max_packet_bytes(to) : 0;
}

// The kernel charges the descriptor of the packet and the memory behind it, which is allocated in
// powers of two up to 16 KiB and in pages beyond: the figures of docs/link.md, rounded up. Never
// less than what it charged on loopback for a packet alone; in a coalesced train it is less.
size_t UdpLink::charge_bytes(size_t packet_bytes) const {
    constexpr size_t kDescriptor = 256;
    constexpr size_t kOverhead = 384; // headers, head room and the kernel's notes at the end
    size_t charge = 0;
    if (packet_bytes <= 128)
        charge = 832;
    else if (packet_bytes + kOverhead <= 16384)
        charge = kDescriptor + std::bit_ceil(std::max<size_t>(packet_bytes + kOverhead, 1024));
    else
        charge = packet_bytes + 896;
    // A network card's driver sets aside half a page for any packet, however short.
    if (!loopback_) charge = std::max<size_t>(charge, 2304);
    return charge;
}

} // namespace rill::link
