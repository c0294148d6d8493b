// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// fi_setopt and fi_getopt: an option is honoured, or it is refused.
#include "harness.hpp"

using namespace functional;

namespace {

struct Option {
    const char* name;
    int number;
};

constexpr Option unsupported[] = {
    {"FI_OPT_CM_DATA_SIZE", FI_OPT_CM_DATA_SIZE},
    {"FI_OPT_BUFFERED_MIN", FI_OPT_BUFFERED_MIN},
    {"FI_OPT_BUFFERED_LIMIT", FI_OPT_BUFFERED_LIMIT},
    {"FI_OPT_SEND_BUF_SIZE", FI_OPT_SEND_BUF_SIZE},
    {"FI_OPT_RECV_BUF_SIZE", FI_OPT_RECV_BUF_SIZE},
    {"FI_OPT_TX_SIZE", FI_OPT_TX_SIZE},
    {"FI_OPT_RX_SIZE", FI_OPT_RX_SIZE},
    {"FI_OPT_FI_HMEM_P2P", FI_OPT_FI_HMEM_P2P},
    {"FI_OPT_XPU_TRIGGER", FI_OPT_XPU_TRIGGER},
    {"an unknown one", 9999},
    {"a provider's own", -1000},
};

void refused(const Option& option) {
    only_rill("others may have it");
    Side side;
    char room[64] = {};
    size_t len = sizeof room;
    check_ret(fi_getopt(side.ep.id(), FI_OPT_ENDPOINT, option.number, room, &len), -FI_ENOPROTOOPT,
              "fi_getopt");
    check_eq(len, sizeof room, "the length is left alone");
    check_ret(fi_setopt(side.ep.id(), FI_OPT_ENDPOINT, option.number, room, sizeof(size_t)),
              -FI_ENOPROTOOPT, "fi_setopt");
}

size_t minimum_of(const Side& side) {
    size_t value = 0;
    size_t len = sizeof value;
    check_ok(fi_getopt(side.ep.id(), FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, &len),
             "fi_getopt");
    check_eq(len, sizeof value, "its length");
    return value;
}

int set_minimum(const Side& side, size_t value) {
    return fi_setopt(side.ep.id(), FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, sizeof value);
}

void set_before_and_after_enable() {
    Config config;
    config.prepare = [](Side& side) {
        check_ok(set_minimum(side, 100), "before the endpoint is enabled");
        check_eq(minimum_of(side), 100u, "what was set");
    };
    Side side(config);
    check_eq(minimum_of(side), 100u, "enabled");
    for (const size_t value : {size_t{1}, size_t{64}, size_t{1} << 20}) {
        check_ok(set_minimum(side, value), "fi_setopt");
        check_eq(minimum_of(side), value, "what was set");
    }
}

void wrong_sizes() {
    Side side;
    const size_t before = minimum_of(side);
    size_t value = 5;
    for (const size_t len : {size_t{0}, size_t{4}, sizeof value + 1}) {
        check_refused(fi_setopt(side.ep.id(), FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, len),
                      "a wrong length");
    }
    size_t len = sizeof value - 1;
    check_ret(fi_getopt(side.ep.id(), FI_OPT_ENDPOINT, FI_OPT_MIN_MULTI_RECV, &value, &len),
              -FI_ETOOSMALL, "a short buffer");
    check_refused(
        fi_setopt(side.ep.id(), FI_OPT_ENDPOINT + 1, FI_OPT_MIN_MULTI_RECV, &value, sizeof value),
        "an unknown level");
    check_eq(minimum_of(side), before, "nothing has changed");
}

} // namespace

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"FI_OPT_MIN_MULTI_RECV before and after enabling", set_before_and_after_enable},
        {"wrong sizes and levels", wrong_sizes},
    };
    for (const Option& option : unsupported) {
        cases.push_back({std::string("refused: ") + option.name, [&] { refused(option); }});
    }
    return run_cases(argc, argv, cases);
}
