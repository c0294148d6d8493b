// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/impair.hpp"
#include "util/prng.hpp"

#include <criterion/criterion.h>
#include <vector>

using namespace rill;
using namespace rill::link;

namespace {

// Refused, with the word in the text, and the output untouched.
void refuses(const char* text, const char* word) {
    Impairment out;
    out.loss = 0.25;
    std::string error;
    cr_assert(!parse_impairment(text, out, error), "'%s' was taken", text);
    cr_assert(error.find('\'' + std::string(word) + '\'') != std::string::npos,
              "'%s': the error '%s' does not name '%s'", text, error.c_str(), word);
    cr_assert(out.loss == 0.25 && out.seed == 1, "'%s' changed the output", text);
}

} // namespace

Test(parse, takes_every_key_in_any_order) {
    Impairment i;
    std::string error;
    cr_assert(parse_impairment("loss=0.01,dup=0.005,reorder=0.02,corrupt=0.001,delay_us=50,seed=7",
                               i, error));
    cr_assert(i.loss == 0.01 && i.dup == 0.005 && i.reorder == 0.02 && i.corrupt == 0.001);
    cr_assert(i.delay == std::chrono::microseconds(50) && i.seed == 7 && i.any());
    cr_assert(parse_impairment("seed=18446744073709551615,loss=1", i, error));
    cr_assert(i.seed == UINT64_MAX && i.loss == 1 && i.dup == 0, "nothing of before is left");
    cr_assert(parse_impairment("loss=0,delay_us=1000000,dup=1e-3", i, error));
    cr_assert(i.dup == 0.001 && i.delay == std::chrono::seconds(1));
}

Test(parse, empty_text_impairs_nothing) {
    Impairment i;
    std::string error;
    cr_assert(parse_impairment("", i, error) && !i.any());
}

Test(parse, names_the_offending_word) {
    refuses("loss", "loss");
    refuses("loss=0.1,", "");
    refuses(",loss=0.1", "");
    refuses("loss=0.1,,dup=0.1", "");
    refuses("loss=", "loss=");
    refuses("=0.1", "=0.1");
    refuses("los=0.1", "los=0.1");
    refuses("Loss=0.1", "Loss=0.1");
    refuses("dup=0.1,latency=5", "latency=5");
    refuses("loss=0.1;dup=0.2", "loss=0.1;dup=0.2");
    refuses("loss=0.1, dup=0.2", " dup=0.2");
    refuses("loss=0.1 ", "loss=0.1 ");
    refuses("loss=1%", "loss=1%");
    refuses("loss=0,1", "1");
    refuses("loss=0.1,loss=0.1", "loss=0.1");
}

Test(parse, refuses_what_is_out_of_range) {
    refuses("loss=1.01", "loss=1.01");
    refuses("loss=-0.1", "loss=-0.1");
    refuses("loss=-0", "loss=-0");
    refuses("dup=nan", "dup=nan");
    refuses("dup=-nan", "dup=-nan");
    refuses("reorder=inf", "reorder=inf");
    refuses("corrupt=1e999", "corrupt=1e999");
    refuses("delay_us=-1", "delay_us=-1");
    refuses("delay_us=0.5", "delay_us=0.5");
    refuses("delay_us=1000001", "delay_us=1000001");
    refuses("seed=18446744073709551616", "seed=18446744073709551616");
    refuses("seed=0x7", "seed=0x7");
}

Test(checksum, is_rfc_1071s) {
    // The example of RFC 1071, section 3: the sum is ddf2.
    const unsigned char raw[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    const auto bytes = std::as_bytes(std::span(raw));
    cr_assert_eq(internet_checksum(bytes), 0xffff - 0xddf2);
    cr_assert_eq(internet_checksum(bytes.first(1)), 0xffff);
    cr_assert_eq(internet_checksum({}), 0xffff);
}

// Why corruption by up to 15 bits never gets past the kernel: every length at every place.
Test(checksum, finds_every_burst_below_16_bits) {
    Prng prng(1);
    std::vector<std::byte> packet(37);
    for (std::byte& b : packet)
        b = std::byte(prng.below(4) ? prng.next() : 0);
    const uint16_t sent = internet_checksum(packet);
    for (size_t length = 1; length <= 15; ++length)
        for (size_t first = 0; first + length <= packet.size() * 8; ++first)
            for (int round = 0; round < 8; ++round) {
                std::vector<std::byte> hit = packet;
                flip_burst(hit, first, length, prng);
                cr_assert(hit != packet);
                cr_assert_neq(internet_checksum(hit), sent, "%zu bits from bit %zu", length, first);
            }
}

Test(checksum, does_not_find_every_burst_of_16_bits) {
    // 0000 and ffff are the same number in ones' complement: this one gets past.
    std::vector<std::byte> packet(8);
    packet[0] = std::byte(0x12);
    const uint16_t sent = internet_checksum(packet);
    packet[4] = packet[5] = std::byte(0xff);
    cr_assert_eq(internet_checksum(packet), sent);
}
