// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// One operation of more than 4 GiB. Lists that name the same memory fifteen times keep the memory
// that it takes to 560 MiB; the last piece, which holds the 4 GiB boundary, is nobody else's.
#include "remote_cases.hpp"

#include <algorithm>
#include <cstring>

using namespace functional;

namespace {

constexpr size_t mib = size_t{1} << 20;
constexpr size_t repeats = 15;
constexpr size_t body = 273 * mib; // times 15: 1 MiB less than 4 GiB
constexpr size_t tail = 4 * mib;
static_assert(repeats * body < (size_t{1} << 32) && repeats * body + tail > (size_t{1} << 32));

struct Memory {
    Bytes repeated = Bytes(body);
    Bytes last = Bytes(tail);

    void fill_all(uint32_t seed) {
        std::memset(repeated.data(), static_cast<int>(seed), body);
        fill(last, seed);
    }
    void clear() {
        std::memset(repeated.data(), 0, body);
        std::memset(last.data(), 0, tail);
    }
    void check_all(uint32_t seed) const {
        check_filled(last.data(), tail, seed);
        const auto other = [seed](uint8_t byte) { return byte != static_cast<uint8_t>(seed); };
        check(std::none_of(repeated.begin(), repeated.end(), other), "the bytes before the last");
    }
    std::vector<iovec> list() {
        std::vector<iovec> all(repeats, {repeated.data(), body});
        all.push_back({last.data(), tail});
        return all;
    }
};

void remote() {
    Pair pair(remote_config());
    Memory local, there;
    const std::vector<iovec> from = local.list(), to = there.list();
    fid_mr* opened = nullptr;
    check_ok(fi_mr_regv(pair.b().domain.get(), to.data(), to.size(),
                        FI_REMOTE_READ | FI_REMOTE_WRITE, 0, 7, 0, &opened, nullptr),
             "fi_mr_regv");
    const Mr region(opened);
    const fi_rma_iov range{0, repeats * body + tail, fi_mr_key(opened)};
    Op op;
    fi_msg_rma msg{};
    msg.msg_iov = from.data();
    msg.iov_count = from.size();
    msg.addr = pair.to_b();
    msg.rma_iov = &range;
    msg.rma_iov_count = 1;
    msg.context = &op;
    fid_ep* ep = pair.a().ep.get();

    local.fill_all(3);
    pair.post([&] { return fi_writemsg(ep, &msg, FI_COMPLETION | FI_DELIVERY_COMPLETE); });
    pair.sent(0);
    there.check_all(3);
    there.fill_all(4);
    local.clear();
    pair.post([&] { return fi_readmsg(ep, &msg, FI_COMPLETION); });
    pair.sent(0);
    local.check_all(4);

    // Across the boundary, and nothing beside it.
    constexpr uint64_t boundary = uint64_t{1} << 32;
    uint8_t* const at = there.last.data() + (boundary - repeats * body);
    Bytes small(16, 0xab);
    pair.post([&] {
        return fi_write(ep, small.data(), small.size(), nullptr, pair.to_b(), boundary - 8,
                        range.key, &op);
    });
    pair.sent(0);
    pair.until("the write to arrive",
               [&] { return *static_cast<volatile const uint8_t*>(at + 7) == 0xab; });
    check(std::all_of(at - 8, at + 8, [](uint8_t byte) { return byte == 0xab; }), "16 bytes");
    Bytes expected(tail);
    fill(expected, 4);
    const size_t offset = boundary - repeats * body;
    check(at[-9] == expected[offset - 9] && at[8] == expected[offset + 8], "the bytes beside them");
}

void message() {
    Pair pair;
    Memory out, in;
    out.fill_all(5);
    Op ops[2];
    Transfer from{.context = &ops[0], .iov = in.list()};
    from.form = Form::vector;
    Transfer to{.peer = pair.to_b(), .context = &ops[1], .iov = out.list()};
    to.form = Form::vector;
    pair.post([&] { return receive(pair.b(), from); });
    pair.post([&] { return send(pair.a(), to); });
    check_eq(pair.received(1).len, repeats * body + tail, "bytes received");
    pair.sent(0);
    in.check_all(5);
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<Case> cases = {{"RMA", remote}, {"message", message}};
    return run_cases(argc, argv, cases);
}
