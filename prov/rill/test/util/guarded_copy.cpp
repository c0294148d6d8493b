// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "util/guarded_copy.hpp"

#include "link/receive_buffers.hpp"

#include <criterion/criterion.h>

#include <algorithm>
#include <array>
#include <sys/mman.h>
#include <vector>

using namespace rill;

namespace {

constexpr size_t kPage = 4096;

// Three pages, whose middle one is what a test makes of it.
struct Pages {
    std::byte* at = static_cast<std::byte*>(
        mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ~Pages() { munmap(at, 3 * kPage); }
    void protect(int how) const { cr_assert_eq(mprotect(at + kPage, kPage, how), 0); }
    iovec all() const { return {at, 3 * kPage}; }
};

// Into the list's bytes from `offset` on.
bool scatter_guarded(IovView list, uint64_t offset, std::span<const std::byte> data) {
    std::vector<GuardedPiece> pieces;
    for_pieces(list, offset, data.size(), [&](std::byte* at, size_t pos, size_t n) {
        pieces.push_back({at, data.data() + pos, n});
        return true;
    });
    return guarded_scatter(pieces);
}

} // namespace

Test(guarded_copy, bytes_arrive_through_a_list) {
    cr_assert(guarded_copies_work());
    std::array<std::byte, 3> a{};
    std::array<std::byte, 5> b{};
    const iovec list[] = {{a.data(), 3}, {nullptr, 0}, {b.data(), 5}};
    const std::vector<std::byte> in{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    cr_assert(scatter_guarded({list, 3}, 2, in));
    cr_assert_eq(a[2], std::byte{1});
    cr_assert_eq(b[2], std::byte{4});
    std::vector<std::byte> out(4);
    cr_assert(guarded_gather({list, 3}, 2, out));
    cr_assert(out == in);
    cr_assert_not(guarded_gather({list, 3}, 5, out), "the list does not cover that");
}

Test(guarded_copy, many_pieces_arrive_each_at_its_place) {
    constexpr size_t count = 300; // more than two calls take
    std::vector<std::byte> from(count * 3), to(count * 5), gathered(count * 3);
    for (size_t i = 0; i < from.size(); ++i)
        from[i] = std::byte(i * 7 + 1);
    std::vector<GuardedPiece> pieces;
    std::vector<iovec> list;
    for (size_t i = 0; i < count; ++i) {
        pieces.push_back({&to[i * 5], &from[i * 3], 3});
        list.push_back({&to[i * 5], 3});
    }
    cr_assert(guarded_scatter(pieces));
    for (size_t i = 0; i < count; ++i) {
        cr_assert(std::equal(&from[i * 3], &from[i * 3] + 3, &to[i * 5]), "piece %zu", i);
        cr_assert(to[i * 5 + 3] == std::byte{0}, "the gap after piece %zu", i);
    }
    const IovView all{list.data(), count};
    cr_assert(guarded_gather(all, 0, gathered));
    cr_assert(gathered == from);
    cr_assert(scatter_guarded(all, 0, from));

    Pages pages;
    pages.protect(PROT_READ);
    pieces[120].to = pages.at + kPage;
    list[120].iov_base = pages.at + kPage;
    cr_assert_not(guarded_scatter(pieces));
    cr_assert_not(scatter_guarded(all, 0, from));
    cr_assert(guarded_gather(all, 0, gathered), "it can be read");
    cr_assert(guarded_scatter(std::span(pieces).first(120)));
    cr_assert(guarded_scatter(std::span(pieces).subspan(121)));
}

// Payload between headers, as it lies in a receive buffer.
Test(guarded_copy, pieces_come_out_of_a_file_as_out_of_memory) {
    constexpr size_t kBytes = 64 * 1024;
    link::ReceiveBuffers buffers(kBytes);
    const FileMemory* file = buffers.file();
    cr_assert_not_null(file);
    std::byte* const from = buffers.at(0);
    for (size_t i = 0; i < kBytes; ++i)
        from[i] = std::byte(i * 7 + i / 251);
    for (const size_t header : {size_t{0}, size_t{80}, size_t{256}, size_t{257}, size_t{5000}}) {
        std::vector<std::byte> to(kBytes), elsewhere(900, std::byte{9});
        std::vector<GuardedPiece> pieces;
        for (size_t at = header; at + 900 <= kBytes; at += 900 + header)
            pieces.push_back({&to[at], from + at, 900});
        const auto arrived = [&] {
            return std::all_of(pieces.begin(), pieces.end(), [](const GuardedPiece& p) {
                return std::equal(p.from, p.from + p.bytes, p.to);
            });
        };
        cr_assert(guarded_scatter(pieces, file));
        cr_assert(arrived(), "%zu bytes between the pieces", header);
        std::fill(to.begin(), to.end(), std::byte{0});
        std::swap(pieces.front(), pieces.back()); // in no order
        cr_assert(guarded_scatter(pieces, file));
        cr_assert(arrived(), "%zu bytes between them, in no order", header);
        pieces[1].from = elsewhere.data(); // not the file's
        cr_assert(guarded_scatter(pieces, file));
        cr_assert(arrived());
    }
    Pages pages;
    pages.protect(PROT_READ);
    const GuardedPiece into[] = {{pages.at, from, kPage}, {pages.at + kPage, from + kPage, kPage}};
    cr_assert_not(guarded_scatter(into, file));
    cr_assert(guarded_scatter(std::span(into).first(1), file));
    cr_assert(guarded_scatter({}, file));
}

Test(guarded_copy, memory_that_is_gone_is_an_answer) {
    Pages pages;
    const iovec all = pages.all();
    std::vector<std::byte> bytes(2 * kPage);
    for (const int how : {PROT_NONE, PROT_READ}) {
        pages.protect(how);
        cr_assert_not(scatter_guarded({&all, 1}, 100, bytes));
        cr_assert_not(is_writable({&all, 1}, 100, bytes.size()));
        cr_assert_eq(guarded_gather({&all, 1}, 100, bytes), how == PROT_READ);
        cr_assert_eq(is_readable({&all, 1}, 100, bytes.size()), how == PROT_READ);
    }
    munmap(pages.at + kPage, kPage);
    cr_assert_not(scatter_guarded({&all, 1}, kPage - 1, std::span(bytes).first(2)));
    cr_assert_not(guarded_gather({&all, 1}, kPage - 1, std::span(bytes).first(2)));
    cr_assert(scatter_guarded({&all, 1}, kPage - 2, std::span(bytes).first(2)));
    cr_assert(is_writable(pages.at, kPage) && is_readable(pages.at, kPage));
    cr_assert_not(is_writable(pages.at, kPage + 1));
    cr_assert_not(is_readable(pages.at, kPage + 1));
    cr_assert_not(is_writable(nullptr, 8));
}

Test(guarded_copy, looking_changes_nothing) {
    Pages pages;
    for (size_t i = 0; i < 3 * kPage; ++i)
        pages.at[i] = std::byte(i * 7);
    cr_assert(is_writable(pages.at + 1, 3 * kPage - 2));
    for (size_t i = 0; i < 3 * kPage; ++i)
        cr_assert_eq(pages.at[i], std::byte(i * 7));
}
