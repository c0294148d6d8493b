// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

// Byte layouts of every packet; prov/rill/docs/protocol.md describes them in prose. Little-endian.
// Each struct below is exactly what lies on the wire; load() and store() move it with memcpy, so
// nothing needs alignment.

#include "util/seq.hpp"
#include "wire/address.hpp"
#include "wire/atomic.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace rill::wire {

static_assert(std::endian::native == std::endian::little,
              "layouts are stored with memcpy; a big-endian port needs byte swaps in load/store");

inline constexpr uint8_t kVersion = 1;

enum class PacketType : uint8_t {
    data = 1,     // takes a PSN, carries records
    control = 2,  // no PSN: acknowledgement, probe
    farewell = 3, // the sender's device closes; repeated until answered
    farewell_ack = 4,
    retry = 5, // answer to an opening from an unproven address: token field is the cookie
    reset = 6, // "I do not know that context": echoes the token of the packet it answers
};

enum PacketFlags : uint16_t {
    kHasHello = 1 << 0,     // a Hello follows the header
    kHasAck = 1 << 1,       // an AckBlock follows (after the Hello), and cumulative_ack is valid
    kAckNow = 1 << 2,       // the receiver answers with an acknowledgement at once
    kRetire = 1 << 3,       // farewell of one context only: the device stays
    kHasAddresses = 1 << 4, // control: an AddressBlock follows (after the AckBlock)
};

struct Header {
    uint8_t version = kVersion;
    PacketType type = PacketType::data;
    uint16_t flags = 0;
    uint32_t context = 0; // the receiver's context id; 0 while it is not known
    uint64_t token = 0;   // what the receiver gave out for that context; 0 while not known
    uint32_t psn = 0;     // data: this packet's; else the next one the sender will use
    uint16_t path = 0;
    uint16_t path_seq = 0;       // fresh for every transmission on the path
    uint32_t timestamp_us = 0;   // sender's clock, echoed back
    uint32_t cumulative_ack = 0; // all PSNs before this one have arrived
};
static_assert(sizeof(Header) == 32);

using DeviceId = std::array<uint8_t, 16>; // random, drawn when the device is opened

enum Features : uint32_t {
    kFeatureAddresses =
        1 << 0, // understands an AddressBlock, and says in acknowledgements that it has it
};

// Who speaks. In every packet of an opening context until the other side has shown, by using the
// context id and token, that it read one.
struct Hello {
    DeviceId device{};
    uint32_t context = 0;      // the sender's id for this context
    uint32_t first_psn = 0;    // the PSN that the sender's numbering starts with
    uint64_t token = 0;        // to be put into the header of everything sent back
    uint64_t cookie = 0;       // what a retry handed out, else 0
    uint32_t features = 0;     // bits understood by the sender; the pair uses the intersection
    uint32_t queue_pair = 0;   // answer: the queue pair whose port was addressed; opening: 0
    uint32_t window_bytes = 0; // first credit, in receive-buffer charge
    uint16_t max_packet = 0;   // largest datagram that the sender takes
    uint16_t data_port = 0;    // where the sender's device receives, at the packet's source address
};
static_assert(sizeof(Hello) == 56);

struct AckBlock {
    uint32_t window_bytes = 0; // credit: charge that may be outstanding, see transport.md
    uint32_t base = 0;         // PSN of bit 0 of the first word
    uint16_t delay_us = 0;     // between the echoed arrival and this packet
    uint8_t echoes = 0;        // Echo entries that follow
    uint8_t words = 0;         // 64-bit words of the bitmap that follow the echoes
    uint8_t addresses = 0;     // of the receiver of this, as many as its sender knows
    uint8_t reserved[3] = {};
};
static_assert(sizeof(AckBlock) == 16);

// The last arrival on one path, once per acknowledgement and path.
struct Echo {
    uint16_t path = 0;
    uint16_t path_seq = 0;
    uint32_t timestamp_us = 0;
    uint32_t marks = 0; // congestion marks seen on the path in total
};
static_assert(sizeof(Echo) == 12);

// Where the sender's device receives, its first address (hello) included; PathAddress entries follow.
struct AddressBlock {
    uint8_t count = 0;
    uint8_t reserved[3] = {};
};
static_assert(sizeof(AddressBlock) == 4);

struct PathAddress {
    uint16_t family = 0; // 4 or 6
    uint16_t port = 0;
    uint8_t ip[16] = {};
};
static_assert(sizeof(PathAddress) == 20);

inline constexpr size_t kAddressesMax = 8;
inline constexpr size_t kWindowPackets =
    4096; // PSNs between the oldest unacknowledged and the newest
inline constexpr size_t kEchoesMax = 8;
inline constexpr size_t kAckWordsMax = kWindowPackets / 64 + 1; // it may start within a word
inline constexpr size_t kRecordsMax = 64;                       // records in one packet

// ---- records --------------------------------------------------------------------------------

enum class RecordType : uint8_t {
    message = 1,  // envelope and first bytes
    fragment = 2, // further unscheduled bytes
    granted = 3,  // bytes that a grant asked for
    grant = 4,
    done = 5,  // completion notice of the receiver's software module, with a status
    abort = 6, // the sender dropped the message
    write = 7, // bytes for a memory region of the receiver's
    read = 8,  // asks for bytes of one
    atomic = 9,
    answer = 10, // to read and atomic: a status, or the bytes asked for if they are few
};

enum RecordFlags : uint8_t {
    kTagged = 1 << 0,
    kImmediate = 1 << 1, // an 8-byte immediate follows the record
    kSource = 1 << 2,    // a SourceInfo follows (after the immediate): message number 0 of a flow,
                         // also when it is aborted: it may never have left
    kDelivery = 1 << 3,  // done is wanted only when the bytes are in the user's buffer
    kToFetch = 1 << 4,   // granted: the grant names a fetch of the receiver's
    kRemote = 1 << 5,    // abort: of a flow of remote operations
    kUnawaited = 1 << 6, // message: nobody waits for its done, which may come with later ones
};

// Every record starts with these four bytes; `length` counts payload bytes behind the record and
// its optional fields.
struct RecordHeader {
    RecordType type{};
    uint8_t flags = 0; // done: the Status
    uint16_t length = 0;
};

// `flow` is the sender's number for an ordered stream of messages from one of its endpoints to one
// destination address; message numbers count within it. `queue_pair` is the receiver's; 0 means the
// endpoint whose port the packet came to.
struct Message {
    RecordHeader h{RecordType::message};
    uint32_t queue_pair = 0;
    uint32_t flow = 0;
    uint32_t msg_no = 0;
    uint64_t tag = 0;
    uint64_t total = 0;       // message length, bytes
    uint32_t unscheduled = 0; // bytes that the sender sends without a grant, from offset 0
    uint32_t reserved = 0;
};
static_assert(sizeof(Message) == 40);

struct SourceInfo {
    uint16_t family = 0; // 4 or 6
    uint16_t port = 0;
    uint8_t ip[16] = {};
    uint32_t queue_pair = 0; // the sending endpoint's
};
static_assert(sizeof(SourceInfo) == 24);

struct Fragment {
    RecordHeader h{RecordType::fragment};
    uint32_t queue_pair = 0;
    uint32_t flow = 0;
    uint32_t msg_no = 0;
    uint32_t offset = 0;
    uint32_t unscheduled = 0; // as in the message's envelope, which may arrive later
};
static_assert(sizeof(Fragment) == 24);

// Names a receive in progress at the receiver: slot and generation of its inbound table.
struct GrantId {
    uint32_t slot = UINT32_MAX;
    uint32_t generation = 0;
    bool operator==(const GrantId&) const = default;
};

struct Granted {
    RecordHeader h{RecordType::granted};
    uint32_t reserved = 0;
    GrantId grant;
    uint64_t offset = 0; // in the message
};
static_assert(sizeof(Granted) == 24);

// From here on `flow` is the number that the *receiver of the record* uses for its own sends.
struct Grant {
    RecordHeader h{RecordType::grant};
    uint32_t flow = 0;
    uint32_t msg_no = 0;
    GrantId grant;
    uint32_t reserved = 0;
    uint64_t offset = 0;
    uint64_t length = 0;
};
static_assert(sizeof(Grant) == 40);

struct Done {
    RecordHeader h{RecordType::done};
    uint32_t flow = 0;
    uint32_t msg_no = 0; // first of a run
    uint32_t count = 1;
};
static_assert(sizeof(Done) == 16);

struct Abort {
    RecordHeader h{RecordType::abort};
    uint32_t queue_pair = 0;
    uint32_t flow = 0;
    uint32_t msg_no = 0;
};
static_assert(sizeof(Abort) == 16);

// ---- remote operations: on memory regions of the receiver ------------------------------------
//
// Their flows are apart from those of messages; `msg_no` counts operations of either kind. An
// operation on several regions has one record (or more) for each: `total` is the bytes of all of
// them, and it is over when so many have been worked on.

// Each is self-contained, so that it can be placed in whatever order it comes. With kImmediate an
// 8-byte immediate and a SourceInfo follow.
struct Write {
    RecordHeader h{RecordType::write};
    uint32_t queue_pair = 0;
    uint32_t flow = 0;
    uint32_t msg_no = 0;
    uint64_t key = 0;
    uint64_t address = 0; // where the range starts: an offset or a virtual address, by region
    uint64_t length = 0;  // of the range
    uint64_t total = 0;
    uint64_t offset = 0; // of this payload, in the range
};
static_assert(sizeof(Write) == 56);

// Answered by granted records with kToFetch, or by an answer.
struct Read {
    RecordHeader h{RecordType::read};
    uint32_t queue_pair = 0;
    uint32_t flow = 0;
    uint32_t msg_no = 0;
    uint64_t key = 0;
    uint64_t address = 0;
    uint64_t length = 0;
    uint64_t total = 0;
    GrantId fetch;       // of the sender's
    uint64_t offset = 0; // where the range lies in it
};
static_assert(sizeof(Read) == 64);

enum class AtomicKind : uint8_t { base = 0, fetch = 1, compare = 2 };

// The payload: operands (none for AtomicOp::read), then with AtomicKind::compare as many bytes to
// compare with. A base operation ends by done, the others by an answer.
struct Atomic {
    RecordHeader h{RecordType::atomic};
    uint32_t queue_pair = 0;
    uint32_t flow = 0;
    uint32_t msg_no = 0;
    uint64_t key = 0;
    uint64_t address = 0;
    uint64_t length = 0; // bytes of the range that it works on
    uint64_t total = 0;
    GrantId fetch;
    uint32_t offset = 0; // where the result lies in the fetch
    uint32_t order = 0;  // counts atomics of the flow: they are executed in this order
    AtomicOp op{};
    AtomicType type{};
    AtomicKind kind{};
    uint8_t reserved[5] = {};
};
static_assert(sizeof(Atomic) == 72);

struct Answer {
    RecordHeader h{RecordType::answer}; // flags: the Status
    uint32_t reserved = 0;
    GrantId fetch;
    uint64_t offset = 0; // of the payload, in the fetch
};
static_assert(sizeof(Answer) == 24);

// Operands and what they are compared with, of one atomic operation: what fits into the smallest
// packet (512 bytes, with hello) beside the record.
inline constexpr size_t kAtomicBytesMax = 256;

// ---- moving bytes ---------------------------------------------------------------------------

template <class T>
T load(const std::byte* p) {
    T v;
    std::memcpy(static_cast<void*>(&v), p, sizeof v);
    return v;
}
template <class T>
std::byte* store(std::byte* p, const T& v) {
    std::memcpy(p, &v, sizeof v);
    return p + sizeof v;
}

SourceInfo to_source(const Address& a, uint32_t queue_pair);
Address from_source(const SourceInfo& s);
PathAddress to_path_address(const Address& a);
Address from_path_address(const PathAddress& a); // not valid when the family is none that we know

// A packet taken apart, validated: every length lies inside the datagram.
struct PacketView {
    Header header;
    std::optional<Hello> hello;
    std::optional<AckBlock> ack;
    std::array<Echo, kEchoesMax> echoes;  // ack->echoes of them
    std::span<const std::byte> ack_words; // ack->words * 8 bytes
    std::span<const std::byte> addresses; // PathAddress entries
    std::span<const std::byte> records;   // not yet validated: see RecordReader
};

enum class ParseError : uint8_t { none, too_short, version, type, hello, ack, addresses, records };

// Takes a datagram apart. Unknown flag bits are ignored (they announce nothing that must be
// understood); a higher version is an error.
[[nodiscard]] ParseError parse(std::span<const std::byte> datagram, PacketView& out);

// One record, with its optional fields and payload. Exactly one of the typed members is meant,
// according to `type`.
struct RecordView {
    RecordType type{};
    uint8_t flags = 0;
    union {
        Message message;
        Fragment fragment;
        Granted granted;
        Grant grant;
        Done done;
        Abort abort;
        Write write;
        Read read;
        Atomic atomic;
        Answer answer;
    };
    uint64_t immediate = 0;
    SourceInfo source;
    std::span<const std::byte> payload;
    RecordView() : done{} {}
};

// Walks the records of a packet. next() answers false at the end and on a malformed record; ok()
// tells the two apart. Types above the known ones are an error: records are sequenced, and one that
// is not understood would be lost.
class RecordReader {
public:
    explicit RecordReader(std::span<const std::byte> records) : rest_(records) {}
    bool next(RecordView& out);
    bool ok() const { return ok_; }

private:
    std::span<const std::byte> rest_;
    bool ok_ = true;
};

} // namespace rill::wire
