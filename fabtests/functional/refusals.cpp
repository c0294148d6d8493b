// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Every operation against everything that it may be called with wrongly, and the code that it
// answers with. RMA and atomic operations are in refusals_remote.cpp.
#include "refusal_cases.hpp"

using namespace functional;

namespace {

struct Operation {
    const char* name;
    Kind kind;
    Form form;
    bool sends;
};

constexpr Operation operations[] = {
    {"fi_send", Kind::msg, Form::plain, true},
    {"fi_sendv", Kind::msg, Form::vector, true},
    {"fi_sendmsg", Kind::msg, Form::message, true},
    {"fi_inject", Kind::msg, Form::inject, true},
    {"fi_senddata", Kind::msg, Form::data, true},
    {"fi_injectdata", Kind::msg, Form::inject_data, true},
    {"fi_recv", Kind::msg, Form::plain, false},
    {"fi_recvv", Kind::msg, Form::vector, false},
    {"fi_recvmsg", Kind::msg, Form::message, false},
    {"fi_tsend", Kind::tagged, Form::plain, true},
    {"fi_tsendv", Kind::tagged, Form::vector, true},
    {"fi_tsendmsg", Kind::tagged, Form::message, true},
    {"fi_tinject", Kind::tagged, Form::inject, true},
    {"fi_tsenddata", Kind::tagged, Form::data, true},
    {"fi_tinjectdata", Kind::tagged, Form::inject_data, true},
    {"fi_trecv", Kind::tagged, Form::plain, false},
    {"fi_trecvv", Kind::tagged, Form::vector, false},
    {"fi_trecvmsg", Kind::tagged, Form::message, false},
};

struct Ground {
    explicit Ground(uint64_t caps = FI_MSG | FI_TAGGED) {
        Config config;
        config.caps = caps;
        side = std::make_unique<Side>(config);
        self = side->insert(side->name());
    }
    Transfer transfer_of(const Operation& one, size_t size = 8) {
        buffer.assign(size, 0);
        Transfer what = transfer(one.kind, buffer, one.sends ? self : FI_ADDR_UNSPEC, &op);
        what.form = one.form;
        return what;
    }
    std::unique_ptr<Side> side;
    fi_addr_t self = FI_ADDR_NOTAVAIL;
    Bytes buffer;
    Op op;
};

ssize_t call(const Side& side, const Operation& one, const Transfer& what) {
    ssize_t ret = -FI_EAGAIN;
    while ((ret = one.sends ? send(side, what) : receive(side, what)) == -FI_EAGAIN) {
    }
    return ret;
}

using Make = std::function<void(Ground&, const Operation&)>;

void for_all(const Make& make, const std::function<bool(const Operation&)>& applies) {
    Ground ground;
    for (const Operation& one : operations) {
        if (applies(one)) {
            make(ground, one);
        }
    }
    stays_silent(*ground.side);
}

bool is_message(const Operation& one) {
    return one.form == Form::message;
}
bool takes_lists(const Operation& one) {
    return one.form == Form::vector || one.form == Form::message;
}

void unknown_flags() {
    for_all(
        [](Ground& ground, const Operation& one) {
            for (const uint64_t flags :
                 {unknown_flag, uint64_t{FI_READ}, uint64_t{FI_REMOTE_READ},
                  uint64_t{one.sends ? FI_PEEK : FI_INJECT}, uint64_t{FI_MULTICAST}}) {
                Transfer what = ground.transfer_of(one);
                what.flags = flags;
                check_ret(call(*ground.side, one, what), -FI_EINVAL, one.name);
            }
        },
        is_message);
}

void flags_that_do_not_go_together() {
    for_all(
        [](Ground& ground, const Operation& one) {
            if (one.sends || one.kind != Kind::tagged) {
                return;
            }
            for (const uint64_t flags :
                 {uint64_t{FI_DISCARD}, uint64_t{FI_PEEK | FI_CLAIM | FI_DISCARD},
                  uint64_t{FI_MULTI_RECV}}) {
                Transfer what = ground.transfer_of(one);
                what.flags = flags;
                check_ret(call(*ground.side, one, what), -FI_EINVAL, one.name);
            }
        },
        is_message);
}

void lists_over_the_limit() {
    for_all(
        [](Ground& ground, const Operation& one) {
            const fi_info& info = *ground.side->info;
            const size_t limit = one.sends ? info.tx_attr->iov_limit : info.rx_attr->iov_limit;
            Transfer what = ground.transfer_of(one, 4 * limit);
            what.iov = split(ground.buffer, limit + 1);
            check_ret(call(*ground.side, one, what), -FI_EINVAL, one.name);
        },
        takes_lists);
}

void too_long() {
    for_all(
        [](Ground& ground, const Operation& one) {
            const fi_info& info = *ground.side->info;
            Transfer what = ground.transfer_of(one);
            what.iov[0].iov_len = is_inject(one.form) ? info.tx_attr->inject_size + 1
                                                      : info.ep_attr->max_msg_size + 1;
            check_ret(call(*ground.side, one, what), -FI_EMSGSIZE, one.name);
            if (one.form == Form::message) {
                what = ground.transfer_of(one, info.tx_attr->inject_size + 1);
                what.flags = FI_INJECT;
                check_ret(call(*ground.side, one, what), -FI_EMSGSIZE, "FI_INJECT");
            }
        },
        [](const Operation& one) { return one.sends; });
}

void unknown_destinations() {
    for_all(
        [](Ground& ground, const Operation& one) {
            for (const fi_addr_t to : {fi_addr_t{1}, fi_addr_t{1} << 40, FI_ADDR_UNSPEC}) {
                Transfer what = ground.transfer_of(one);
                what.peer = to;
                check_ret(call(*ground.side, one, what), -FI_EINVAL, one.name);
            }
        },
        [](const Operation& one) { return one.sends; });
}

void endpoint_not_enabled() {
    Ground ground;
    fid_ep* opened = nullptr;
    check_ok(fi_endpoint(ground.side->domain.get(), ground.side->info.get(), &opened, nullptr),
             "fi_endpoint");
    ground.side->ep = Endpoint(opened); // closes the enabled one
    for (const Operation& one : operations) {
        check_ret(call(*ground.side, one, ground.transfer_of(one)), -FI_EOPBADSTATE, one.name);
    }
    check_ret(fi_cancel(ground.side->ep.id(), &ground.op), -FI_EOPBADSTATE, "fi_cancel");
}

// What the endpoint was not opened for.
void without_the_capability() {
    const std::pair<uint64_t, std::function<bool(const Operation&)>> cases[] = {
        {FI_MSG, [](const Operation& one) { return one.kind == Kind::msg; }},
        {FI_TAGGED, [](const Operation& one) { return one.kind == Kind::tagged; }},
        {FI_MSG | FI_TAGGED | FI_SEND, [](const Operation& one) { return one.sends; }},
        {FI_MSG | FI_TAGGED | FI_RECV, [](const Operation& one) { return !one.sends; }},
    };
    for (const auto& [caps, has] : cases) {
        Ground ground(caps);
        for (const Operation& one : operations) {
            if (!has(one)) {
                check_ret(call(*ground.side, one, ground.transfer_of(one)), -FI_EOPNOTSUPP,
                          one.name);
            }
        }
        stays_silent(*ground.side);
    }
}

void enable_without() {
    Config config;
    Side side(config);
    const auto make = [&] { return open_endpoint(side.domain, *side.info); };
    const auto bind_queue = [&](const Endpoint& ep, uint64_t flags) {
        return fi_ep_bind(ep.get(), &side.rx.get()->fid, flags);
    };
    {
        const Endpoint ep = make();
        check_ok(bind_queue(ep, FI_TRANSMIT | FI_RECV), "bind");
        check_ret(fi_enable(ep.get()), -FI_ENOAV, "no address vector");
    }
    for (const uint64_t flags : {uint64_t{FI_TRANSMIT}, uint64_t{FI_RECV}}) {
        const Endpoint ep = make();
        check_ok(fi_ep_bind(ep.get(), side.av.id(), 0), "bind");
        check_ok(bind_queue(ep, flags), "bind");
        check_ret(fi_enable(ep.get()), -FI_ENOCQ, "one queue of two");
    }
    check_ret(fi_enable(side.ep.get()), -FI_EOPBADSTATE, "enabling it again");
}

void binding() {
    Side side;
    Side other;
    const Endpoint ep = open_endpoint(side.domain, *side.info);
    fid* const queue = &side.rx.get()->fid;
    check_ret(fi_ep_bind(ep.get(), queue, FI_RECV | unknown_flag), -FI_EBADFLAGS, "unknown flag");
    check_ret(fi_ep_bind(ep.get(), queue, 0), -FI_EINVAL, "a queue for no direction");
    check_ret(fi_ep_bind(ep.get(), &other.rx.get()->fid, FI_RECV), -FI_EINVAL,
              "a queue of another domain");
    check_ret(fi_ep_bind(ep.get(), other.av.id(), 0), -FI_EINVAL, "a vector of another domain");
    check_ret(fi_ep_bind(ep.get(), side.av.id(), FI_RECV), -FI_EBADFLAGS, "a vector has no flags");
    check_ret(fi_ep_bind(ep.get(), side.domain.id(), 0), -FI_EINVAL, "a domain");
    check_ok(fi_ep_bind(ep.get(), queue, FI_RECV), "bind");
    check_ret(fi_ep_bind(ep.get(), queue, FI_RECV | FI_TRANSMIT), -FI_EINVAL, "a second time");
    check_ok(fi_ep_bind(ep.get(), side.av.id(), 0), "bind");
    check_ret(fi_ep_bind(ep.get(), side.av.id(), 0), -FI_EINVAL, "a second vector");
    check_ret(fi_ep_bind(side.ep.get(), queue, FI_RECV), -FI_EOPBADSTATE, "an enabled endpoint");
}

void queues() {
    Side side;
    fi_cq_err_entry error{};
    fi_cq_tagged_entry entry{};
    check_ret(fi_cq_readerr(side.rx.get(), &error, unknown_flag), -FI_EBADFLAGS, "fi_cq_readerr");
    check_ret(fi_cq_readerr(side.rx.get(), &error, 0), -FI_EAGAIN, "no error");
    check_ret(fi_cq_sread(side.rx.get(), &entry, 1, nullptr, 0), -FI_ENOSYS, "fi_cq_sread");
    check_ret(fi_cq_signal(side.rx.get()), -FI_ENOSYS, "fi_cq_signal");
    fi_cq_attr attr{};
    fid_cq* cq = nullptr;
    attr.flags = unknown_flag;
    check_ret(fi_cq_open(side.domain.get(), &attr, &cq, nullptr), -FI_EBADFLAGS, "fi_cq_open");
    attr = {};
    attr.wait_obj = FI_WAIT_MUTEX_COND;
    check_ret(fi_cq_open(side.domain.get(), &attr, &cq, nullptr), -FI_ENOSYS, "a mutex");
    attr.wait_obj = FI_WAIT_SET;
    check_ret(fi_cq_open(side.domain.get(), &attr, &cq, nullptr), -FI_EINVAL, "no wait set");
    fi_eq_attr events{};
    events.flags = FI_WRITE;
    fid_eq* opened = nullptr;
    check_ok(fi_eq_open(side.fabric.get(), &events, &opened, nullptr), "fi_eq_open");
    const Eq eq(opened);
    uint32_t event = 0;
    fi_eq_entry data{};
    fi_eq_err_entry failure{};
    check_ret(fi_eq_read(opened, &event, &data, sizeof data, unknown_flag), -FI_EBADFLAGS,
              "fi_eq_read");
    check_ret(fi_eq_readerr(opened, &failure, unknown_flag), -FI_EBADFLAGS, "fi_eq_readerr");
    check_ret(fi_eq_write(opened, FI_NOTIFY, &data, sizeof data, unknown_flag), -FI_EBADFLAGS,
              "fi_eq_write");
    check_ret(fi_eq_sread(opened, &event, &data, sizeof data, 0, 0), -FI_ENOSYS, "fi_eq_sread");
    events.wait_obj = FI_WAIT_MUTEX_COND;
    check_ret(fi_eq_open(side.fabric.get(), &events, &opened, nullptr), -FI_ENOSYS, "a mutex");
}

void cancelling() {
    Ground ground;
    check_ret(fi_cancel(ground.side->ep.id(), &ground.op), -FI_ENOENT, "nothing is posted");
    Transfer claim = transfer(Kind::tagged, ground.buffer, FI_ADDR_UNSPEC, &ground.op);
    claim.form = Form::message;
    claim.flags = FI_CLAIM;
    check_refused(receive(*ground.side, claim), "a claim of what no peek has held");
    stays_silent(*ground.side);
}

} // namespace

void functional::stays_silent(Side& side) {
    for (int pass = 0; pass < 200; ++pass) {
        side.poll();
    }
    check(side.tx.empty() && side.rx.empty(), "what was refused reports nothing");
}

int main(int argc, char** argv) {
    std::vector<Case> cases = {
        {"unknown flags", unknown_flags},
        {"flags that do not go together", flags_that_do_not_go_together},
        {"lists over the limit", lists_over_the_limit},
        {"too long", too_long},
        {"unknown destinations", unknown_destinations},
        {"endpoint not enabled", endpoint_not_enabled},
        {"without the capability", without_the_capability},
        {"enabling without what it needs", enable_without},
        {"binding", binding},
        {"queues", queues},
        {"cancelling", cancelling},
    };
    add_remote_refusal_cases(cases);
    for (Case& one : cases) {
        one.run = [run = std::move(one.run)] {
            only_rill("the codes are its own promise");
            run();
        };
    }
    return run_cases(argc, argv, cases);
}
