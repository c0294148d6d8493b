// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/address_range.hpp"

#include "fi/log.hpp"
#include "link/sockaddr.hpp"

#include <rdma/fi_errno.h>

#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>

namespace rill::fi {

namespace {

// More than a vector could ever be meant to hold: refuses counts that are plainly garbage.
constexpr size_t kRangeMax = size_t{1} << 24;

wire::Address resolve_one(const std::string& node, const char* service, wire::Family family) {
    link::ResolveOptions options;
    options.family = family;
    std::vector<wire::Address> found;
    return resolve_service(node.c_str(), service, options, found) ? found.front() : wire::Address{};
}

// The next address up, carrying over bytes.
void count_up(wire::Address& a) {
    const size_t bytes = a.family == wire::Family::ip6 ? 16 : 4;
    for (size_t at = bytes; at-- > 0;)
        if (++a.ip[at] != 0) return;
}

// "node07" -> "node08"; the end of the name is a number of any length.
std::string counted_name(const std::string& name, size_t digits, size_t n) {
    const std::string stem = name.substr(0, name.size() - digits);
    const std::string number = std::to_string(std::stoull(name.substr(stem.size())) + n);
    return stem + std::string(number.size() < digits ? digits - number.size() : 0, '0') + number;
}

size_t trailing_digits(const std::string& name) {
    size_t digits = 0;
    while (digits < name.size() && digits < 18 &&
           std::isdigit(static_cast<unsigned char>(name[name.size() - 1 - digits])))
        ++digits;
    return digits;
}

} // namespace

bool resolve_service(const char* node, const char* service, const link::ResolveOptions& options,
                     std::vector<wire::Address>& out) {
    const std::string_view text = service ? service : "";
    const bool number = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
    if (number && (text.size() > 5 || std::stoul(std::string(text)) > UINT16_MAX)) {
        inform(FI_LOG_CORE, "service " + std::string(text) + " is not a port");
        return false;
    }
    std::string error;
    const bool found = is_ok(link::resolve(node, service, options, out, error)) && !out.empty();
    if (!found) inform(FI_LOG_CORE, error);
    return found;
}

int expand_names(const char* node, size_t nodes, const char* service, size_t services,
                 wire::Family family, std::vector<wire::Address>& out) {
    if (!node || !service || nodes == 0 || services == 0) return -FI_EINVAL;
    if (nodes > kRangeMax || services > UINT16_MAX || nodes * services > kRangeMax)
        return -FI_EINVAL;
    const std::string name = node;
    wire::Address counted;
    const bool numeric = link::parse_host(name, counted);
    const size_t digits = trailing_digits(name);
    if (!numeric && nodes > 1 && digits == 0) {
        warn(FI_LOG_AV, "node \"" + name + "\" has no number at its end to count up");
        return -FI_EINVAL;
    }
    wire::Address first = resolve_one(name, service, family);
    for (size_t n = 0; n < nodes; ++n) {
        if (n > 0 && numeric) count_up(first);
        if (n > 0 && !numeric) first = resolve_one(counted_name(name, digits, n), service, family);
        for (size_t s = 0; s < services; ++s) {
            const size_t port = first.port + s;
            out.push_back(first.valid() && port <= UINT16_MAX
                              ? first.with_port(static_cast<uint16_t>(port))
                              : wire::Address{});
        }
    }
    return 0;
}

} // namespace rill::fi
