// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "nic/device_type.hpp"

#include "nic/shipped_types.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace rill::nic {
namespace {

using Json = nlohmann::json;

struct KindInfo {
    const char* name;
    uint16_t bytes;
    bool extended;         // lies at 0x100 or above
    const char* parameter; // or null
    uint64_t parameter_max;
};

// By CapabilityKind. Lengths are those of the PCI Express Base Specification 4.0, chapters 7 and 9.
constexpr KindInfo kKinds[] = {
    {"power_management", 8, false, nullptr, 0},
    {"pci_express", 60, false, nullptr, 0},
    {"msi_x", 12, false, "vectors", 2048},
    {"vendor", 16, false, nullptr, 0},
    {"advanced_error_reporting", 0x48, true, nullptr, 0},
    {"serial_number", 12, true, "serial", UINT64_MAX},
    {"sr_iov", 0x40, true, "virtual_functions", kVirtualFunctionsMax},
    {"ari", 8, true, nullptr, 0},
    {"vendor_specific", 16, true, nullptr, 0},
};

constexpr std::pair<const char*, Feature> kFeatures[] = {
    {"device_memory", kFeatureDeviceMemory},
    {"statistics", kFeatureStatistics},
    {"async_events", kFeatureAsyncEvents},
    {"moderation", kFeatureModeration},
    {"dedup", kFeatureDedup},
};

[[noreturn]] void fail(const std::string& field, const std::string& why) {
    throw std::invalid_argument(field + ": " + why);
}

// Fields that nobody reads would be options that do nothing.
void only(const Json& object, const std::string& where, std::initializer_list<const char*> names) {
    if (!object.is_object()) fail(where, "expected an object");
    for (const auto& member : object.items())
        if (std::ranges::find(names, member.key()) == names.end())
            fail(where, "unknown field \"" + member.key() + "\"");
}

const Json& field(const Json& object, const std::string& name) {
    const auto it = object.find(name);
    if (it == object.end()) fail(name, "missing");
    return *it;
}

// A number, or a text of the form 0x1f.
uint64_t number(const Json& object, const std::string& name, uint64_t max) {
    const Json& value = field(object, name);
    uint64_t out = 0;
    if (value.is_number_unsigned()) {
        out = value.get<uint64_t>();
    } else if (value.is_string()) {
        const std::string text = value.get<std::string>();
        const char* end = text.data() + text.size();
        if (!text.starts_with("0x")) fail(name, "expected a number or \"0x...\"");
        const auto [rest, failure] = std::from_chars(text.data() + 2, end, out, 16);
        if (failure != std::errc() || rest != end) fail(name, "\"" + text + "\" is no number");
    } else {
        fail(name, "expected a number or \"0x...\"");
    }
    if (out > max) fail(name, std::to_string(out) + " is above " + std::to_string(max));
    return out;
}

std::string text(const Json& object, const std::string& name) {
    const Json& value = field(object, name);
    if (!value.is_string() || value.get<std::string>().empty()) fail(name, "expected a text");
    return value.get<std::string>();
}

Capability read_capability(const Json& entry) {
    const std::string name = text(entry, "kind");
    const auto* info = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](const KindInfo& k) { return k.name == name; });
    if (info == std::end(kKinds)) fail("kind", "unknown capability \"" + name + "\"");
    Capability c;
    c.kind = static_cast<CapabilityKind>(info - kKinds);
    c.at = static_cast<uint16_t>(number(entry, "at", 4096 - info->bytes));
    const bool right_half =
        info->extended ? c.at >= 0x100 : c.at >= 0x40 && c.at + info->bytes <= 0x100;
    if (c.at % 4 != 0 || !right_half) fail(name + ".at", "not a place for this capability");
    if (!info->parameter) {
        only(entry, name, {"kind", "at"});
        return c;
    }
    only(entry, name, {"kind", "at", info->parameter});
    c.value = number(entry, info->parameter, info->parameter_max);
    if (c.value == 0) fail(name + "." + info->parameter, "is 0");
    return c;
}

void read_capabilities(const Json& list, DeviceType& type) {
    if (!list.is_array()) fail("capabilities", "expected a list");
    for (const Json& entry : list) {
        if (!entry.is_object()) fail("capabilities", "expected objects");
        type.capabilities.push_back(read_capability(entry));
    }
    auto& all = type.capabilities;
    std::sort(all.begin(), all.end(),
              [](const Capability& a, const Capability& b) { return a.at < b.at; });
    for (size_t i = 0; i < all.size(); ++i) {
        const std::string name = kKinds[static_cast<size_t>(all[i].kind)].name;
        if (i > 0 && all[i - 1].at + capability_bytes(all[i - 1].kind) > all[i].at)
            fail(name, "overlaps the capability before it");
        if (type.find(all[i].kind) != &all[i]) fail(name, "is there twice");
    }
    const bool extended =
        std::any_of(all.begin(), all.end(), [](const Capability& c) { return c.at >= 0x100; });
    if (!type.find(CapabilityKind::pci_express)) fail("capabilities", "pci_express is missing");
    // The list of extended capabilities begins at 0x100: PCI Express Base 4.0, 7.6.
    if (extended &&
        std::none_of(all.begin(), all.end(), [](const Capability& c) { return c.at == 0x100; }))
        fail("capabilities", "extended ones begin at 0x100");
}

void read_image(const Json& image, DeviceType& type) {
    only(image, "image",
         {"vendor_id", "device_id", "virtual_device_id", "subsystem_vendor_id", "subsystem_id",
          "revision", "class", "device_memory_bytes", "capabilities"});
    const auto id = [&](const char* name) {
        return static_cast<uint16_t>(number(image, name, 0xfffe)); // 0xffff: nobody is there
    };
    type.vendor_id = id("vendor_id");
    type.device_id = id("device_id");
    type.subsystem_vendor_id = id("subsystem_vendor_id");
    type.subsystem_id = id("subsystem_id");
    type.revision = static_cast<uint8_t>(number(image, "revision", 0xff));
    type.class_code = static_cast<uint32_t>(number(image, "class", 0xffffff));
    type.device_memory_bytes =
        static_cast<uint32_t>(number(image, "device_memory_bytes", kDeviceMemoryMax));
    const uint32_t memory = type.device_memory_bytes;
    if (memory != 0 && (!std::has_single_bit(memory) || memory < 4096))
        fail("device_memory_bytes", "expected 0 or a power of two from 4096 on");
    read_capabilities(field(image, "capabilities"), type);
    if (type.find(CapabilityKind::sr_iov)) type.virtual_device_id = id("virtual_device_id");
}

void read_features(const Json& list, DeviceType& type) {
    if (!list.is_array()) fail("features", "expected a list");
    for (const Json& entry : list) {
        const auto* known = std::find_if(std::begin(kFeatures), std::end(kFeatures),
                                         [&](const auto& f) { return entry == f.first; });
        if (known == std::end(kFeatures)) fail("features", "unknown feature " + entry.dump());
        type.features |= known->second;
    }
    if ((type.features & kFeatureDeviceMemory) && type.device_memory_bytes == 0)
        fail("features", "device_memory without device_memory_bytes");
}

} // namespace

uint16_t capability_bytes(CapabilityKind kind) {
    return kKinds[static_cast<size_t>(kind)].bytes;
}

const Capability* DeviceType::find(CapabilityKind kind) const {
    for (const Capability& c : capabilities)
        if (c.kind == kind) return &c;
    return nullptr;
}

uint16_t DeviceType::virtual_functions() const {
    const Capability* c = find(CapabilityKind::sr_iov);
    return c ? static_cast<uint16_t>(c->value) : 0;
}

bool read_device_type(std::string_view json, DeviceType& out, std::string& error) {
    try {
        const Json file = Json::parse(json);
        DeviceType type;
        only(file, "device type", {"name", "description", "image", "limits", "features"});
        type.name = text(file, "name");
        type.description = text(file, "description");
        read_image(field(file, "image"), type);
        const Json& limits = field(file, "limits");
        only(limits, "limits", {"queue_pairs", "address_handles"});
        type.queue_pairs_max = static_cast<uint32_t>(number(limits, "queue_pairs", 1 << 16));
        type.address_handles_max =
            static_cast<uint32_t>(number(limits, "address_handles", 1u << 30));
        if (type.queue_pairs_max == 0) fail("queue_pairs", "is 0");
        if (type.address_handles_max == 0) fail("address_handles", "is 0");
        read_features(field(file, "features"), type);
        out = std::move(type);
        return true;
    } catch (const std::exception& e) {
        error = e.what();
        return false;
    }
}

const DeviceType& default_device_type() {
    static const DeviceType type = [] {
        DeviceType read;
        std::string error;
        if (!read_device_type(shipped_device_types().front(), read, error))
            throw std::invalid_argument(error);
        return read;
    }();
    return type;
}

} // namespace rill::nic
