// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "link/hardware.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rill::link {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

// ETHTOOL_GDRVINFO, which every driver answers, in any namespace.
bool ask_driver(const std::string& device, ethtool_drvinfo& out) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    ifreq request{};
    device.copy(request.ifr_name, IFNAMSIZ - 1);
    out = {};
    out.cmd = ETHTOOL_GDRVINFO;
    request.ifr_data = reinterpret_cast<char*>(&out);
    const bool told = ioctl(fd, SIOCETHTOOL, &request) == 0;
    ::close(fd);
    return told;
}

} // namespace

std::optional<Hardware::Pci> pci_in(const std::string& path) {
    std::optional<Hardware::Pci> found;
    for (const fs::path& part : fs::path(path)) {
        unsigned domain = 0, bus = 0, device = 0, function = 0;
        int length = 0;
        const std::string name = part.string();
        if (std::sscanf(name.c_str(), "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function,
                        &length) == 4 &&
            static_cast<size_t>(length) == name.size())
            found = Hardware::Pci{static_cast<uint16_t>(domain), static_cast<uint8_t>(bus),
                                  static_cast<uint8_t>(device), static_cast<uint8_t>(function)};
    }
    return found;
}

Hardware describe_hardware(const Interface& interface) {
    Hardware out;
    const std::string name = device_of(interface.name);
    const fs::path sysfs = fs::path("/sys/class/net") / name;
    std::error_code error;
    out.mac = first_line(sysfs / "address");
    out.has_carrier = first_line(sysfs / "carrier") == "1";
    ethtool_drvinfo driver;
    if (ask_driver(name, driver)) {
        out.driver = driver.driver;
        out.firmware = driver.fw_version;
    }
    fs::path device = fs::canonical(sysfs / "device", error);
    if (error) return out;
    out.pci = pci_in(device.string());
    while (out.pci && !pci_in(device.filename().string()))
        device = device.parent_path();
    out.vendor = first_line(device / "vendor");
    out.device = first_line(device / "device");
    out.revision = first_line(device / "revision");
    return out;
}

} // namespace rill::link
