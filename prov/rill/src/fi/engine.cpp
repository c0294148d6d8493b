// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "fi/engine.hpp"

#include "fi/errors.hpp"
#include "fi/export_directories.hpp"
#include "fi/log.hpp"
#include "fi/place.hpp"
#include "nic/describe.hpp"
#include "transport/context.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sys/random.h>

// There in programs that check for leaks.
extern "C" void __lsan_ignore_object(const void*) __attribute__((weak));

namespace rill::fi {

namespace {

using obs::TunableId;

// Endpoints' ports carry only openings, and looking costs a system call each.
constexpr Duration kLookEvery = std::chrono::microseconds(200);

nic::CardConfig card_config(const Settings& s) {
    nic::CardConfig c;
    c.transport.peer_timeout = std::chrono::milliseconds(s.number(TunableId::peer_timeout));
    c.transport.initial_window_bytes = static_cast<uint32_t>(s.number(TunableId::unscheduled));
    c.transport.max_packet = static_cast<uint32_t>(s.number(TunableId::max_packet));
    c.transport.paths = 1;
    c.transport.paths_max = static_cast<uint16_t>(s.number(TunableId::paths));
    c.transport.strict_open = s.number(TunableId::open) != 0;
    c.type = s.device;
    c.device.envelopes_max = static_cast<uint32_t>(s.number(TunableId::envelopes));
    c.device.bounce_bytes = static_cast<uint64_t>(s.number(TunableId::bounce));
    return c;
}

rdm::ModuleConfig module_config(const Settings& s, size_t send_depth) {
    rdm::ModuleConfig c;
    c.peer_timeout = std::chrono::milliseconds(s.number(TunableId::peer_timeout));
    c.send_depth = static_cast<uint32_t>(
        std::max(send_depth, static_cast<size_t>(s.number(TunableId::tx_size))));
    return c;
}

void leave_behind(const void* object) {
    if (__lsan_ignore_object && object) __lsan_ignore_object(object);
}

// Linux's default: each device answers for the addresses of all.
bool answers_for_others(const std::string& interface) {
    for (const std::string& who : {std::string("all"), interface}) {
        std::ifstream in("/proc/sys/net/ipv4/conf/" + who + "/arp_ignore");
        int value = 0;
        if (in >> value && value != 0) return false;
    }
    return true;
}

// Then the peers send what is for one of two devices in a network to the other, and a link stands
// idle. Nothing that needs no privilege can change that.
void warn_of_shared_network(const std::vector<link::Interface>& interfaces) {
    for (auto a = interfaces.begin(); a != interfaces.end(); ++a)
        for (auto b = std::next(a); b != interfaces.end(); ++b) {
            if (a->address.family != wire::Family::ip4 || network_name(*a) != network_name(*b) ||
                !answers_for_others(a->name))
                continue;
            warn(FI_LOG_DOMAIN,
                 a->name + " and " + b->name +
                     " are in one network, and either answers for the "
                     "other's address, so that peers leave links unused: sysctl -w "
                     "net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2");
            return;
        }
}

} // namespace

Engine::Engine(const std::vector<link::Interface>& interfaces, bool automatic)
    : interfaces_(interfaces), housekeeper_(*this, automatic) {}

int Engine::open(const Settings& settings, const Options& options, std::unique_ptr<Engine>& out) {
    std::unique_ptr<Engine> engine(new Engine(options.interfaces, options.automatic));
    if (settings.number(TunableId::observe)) engine->open_export(settings);
    if (const int failed = engine->open_link(settings, options.code_point)) return failed;
    SipKey secret;
    if (getrandom(&secret, sizeof secret, 0) != static_cast<ssize_t>(sizeof secret)) {
        warn(FI_LOG_DOMAIN, "the kernel gives no random numbers");
        return -FI_EIO;
    }
    engine->card_ = std::make_unique<nic::Card>(card_config(settings), engine->outer_link(), secret,
                                                *engine->counters_, fabric_log());
    engine->module_ = std::make_unique<rdm::Module>(module_config(settings, options.send_depth),
                                                    engine->card_->bus(), fabric_log());
    engine->statistics_ = settings.number(TunableId::stats) != 0;
    engine->housekeeper_.set_period(
        std::chrono::milliseconds(settings.number(TunableId::housekeeper_ms)));
    if (engine->exporter_) {
        engine->publish(now());
        engine->exporter_->announce(nic::words_of(engine->udp_->data_address()));
    }
    out = std::move(engine);
    return 0;
}

// Whoever cannot be looked at works all the same.
void Engine::open_export(const Settings& settings) {
    std::string error;
    exporter_ = obs::Exporter::open(export_directories(),
                                    {settings.device.name, domain_name(interfaces_)}, error);
    if (exporter_) {
        counters_ = &exporter_->counters();
        return;
    }
    static std::atomic<bool> told{false};
    if (!told.exchange(true))
        warn(FI_LOG_DOMAIN, "the device's state is not exported: " + error +
                                " (FI_RILL_OBSERVE=0 says that it need not be)");
}

// Readers ask seldom: the copy is made for them alone.
void Engine::show(Instant now) {
    if (!exporter_) return;
    if (exporter_->commanded()) [[unlikely]] {
        const obs::Command command = exporter_->command();
        exporter_->answer(command, carry_out(command, now));
    }
    if (exporter_->wanted()) [[unlikely]]
        publish(now);
}

Status Engine::carry_out(const obs::Command& command, Instant now) {
    switch (command.kind) {
    case obs::CommandKind::none: return Status::canceled;
    case obs::CommandKind::reset: return module_->reset_device(now);
    case obs::CommandKind::fault:
        if (command.point >= std::size(nic::kFaultPointNames)) return Status::invalid;
        card_->adapter().function(0)->inject(static_cast<nic::FaultPoint>(command.point),
                                             command.times);
        return Status::ok;
    }
    return Status::invalid; // the word is a reader's
}

void Engine::publish(Instant now) {
    nic::describe(card_->adapter(), card_->device(), now, exporter_->fresh_snapshot());
    exporter_->publish(now);
}

int Engine::open_link(const Settings& settings, uint8_t code_point) {
    warn_of_shared_network(interfaces_);
    link::UdpConfig config;
    config.ports = settings.ports;
    ports_ = link::to_string(settings.ports);
    config.rcvbuf_bytes = static_cast<size_t>(settings.number(TunableId::rcvbuf));
    config.paths = static_cast<uint16_t>(settings.number(TunableId::paths));
    config.code_point = code_point;
    config.log = link_log();
    std::vector<link::NicLinks::Nic> nics;
    for (const link::Interface& i : interfaces_)
        nics.push_back({i.address.with_port(0), i.name});
    std::string error;
    const Status status = link::NicLinks::open(config, nics, *counters_, udp_, error);
    if (!is_ok(status)) {
        warn(FI_LOG_DOMAIN, error);
        return status == Status::not_found ? -FI_ENODEV : result_of(status);
    }
    if (settings.number(TunableId::shm)) shm_ = link::shm::ShmLink::open(udp_->link(), *counters_);
    if (settings.impairment.any())
        impaired_ =
            std::make_unique<link::ImpairedLink>(outer_link(), settings.impairment, *counters_);
    return 0;
}

wire::Link& Engine::outer_link() {
    if (impaired_) return *impaired_;
    if (shm_) return *shm_;
    return udp_->link();
}

Engine::~Engine() {
    if (!is_ours()) {
        housekeeper_.forget();
        if (exporter_) exporter_->forget();
        leave_behind(module_.release());
        leave_behind(card_.release());
        return; // the descriptors are closed with the link
    }
    housekeeper_.stop();
    if (!module_) return;
    // A path is known for as long as its peer is.
    if (statistics_) print_paths();
    leave();
    if (statistics_) print_counters();
}

bool Engine::pass(bool everywhere) {
    passes_.store(passes_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    const Instant t = tick();
    const bool look = everywhere || t - last_look_ >= kLookEvery;
    if (look) {
        last_look_ = t;
        show(t);
    }
    const bool moved = module_->progress(t, look);
    tell_listeners();
    idle_passes_ = moved || is_idle() ? 0 : idle_passes_ + 1;
    return moved;
}

bool Engine::quiet_pass(Instant now) {
    last_look_ = now;
    show(now);
    const bool moved = module_->progress(now, true);
    tell_listeners();
    return moved;
}

Instant Engine::next_deadline() const {
    const Instant held = impaired_ ? impaired_->next_release() : kNever;
    return std::min(module_->next_deadline(), held);
}

void Engine::append_descriptors(std::vector<pollfd>& out) {
    for (const int fd : udp_->descriptors())
        out.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    if (shm_) out.push_back({.fd = shm_->arm(), .events = POLLIN, .revents = 0});
}

// Until everything is flushed and the peers know; bounded by the module.
void Engine::leave() {
    Owned own(*this);
    module_->leave(now());
    std::vector<pollfd> on;
    append_descriptors(on);
    for (;;) {
        const Instant t = now();
        if (module_->left(t)) return;
        if (quiet_pass(t)) continue;
        // Nobody else is here: sleeping with the word held is harmless. A limit, in case that
        // left() depends on time alone.
        sleep_on(on, std::min(next_deadline(), t + std::chrono::milliseconds(5)));
    }
}

void Engine::abandon(std::unique_ptr<rdm::Endpoint> endpoint) {
    leave_behind(endpoint.release());
}

void Engine::abandon(std::unique_ptr<rdm::AddressVector> peers) {
    leave_behind(peers.release());
}

// One line for each path that something was sent on, by its addresses; what came is counted by the
// numbers that the peer gave its paths.
void Engine::print_paths() {
    wire::Link& link = udp_->link();
    card_->device().transport().for_each_context([&](const transport::Context& c) {
        for (size_t i = 0; i < std::max(c.tx_paths(), c.rx_paths()); ++i) {
            const bool sends = i < c.tx_paths();
            const size_t nic = sends ? c.tx_path(i).way.nic : 0;
            const wire::Address& remote = sends ? c.remote(c.tx_path(i)) : c.data_address();
            const auto tx = [&](auto field) { return sends ? c.tx_path(i).*field : 0; };
            const auto rx = [&](auto field) { return i < c.rx_paths() ? c.rx_path(i).*field : 0; };
            std::fprintf(stderr,
                         "rill:path %s %s %zu tx_packets %" PRIu64 " tx_bytes %" PRIu64
                         " tx_retransmits %" PRIu64 " rx_packets %" PRIu64 " rx_bytes %" PRIu64
                         "\n",
                         wire::to_string(link.nic_address(nic)).c_str(),
                         wire::to_string(remote).c_str(), i, tx(&transport::Path::tx_packets),
                         tx(&transport::Path::tx_bytes), tx(&transport::Path::tx_retransmits),
                         rx(&transport::RxPath::rx_packets), rx(&transport::RxPath::rx_bytes));
        }
    });
}

void Engine::print_counters() {
    for (size_t i = 0; i < obs::kCounters; ++i)
        std::fprintf(stderr, "rill:counters %s %" PRIu64 "\n", obs::kCounterTable[i].name,
                     counters_->get(static_cast<obs::Counter>(i)));
}

} // namespace rill::fi
