// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// After fork(2) a child has every object and may use none; the parent goes on as if nothing was.
#include "harness.hpp"

#include <csignal>
#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

using namespace functional;

namespace {

void traffic(Pair& pair, uint32_t round, size_t size) {
    Bytes out(size);
    Bytes in(size);
    Op ops[2];
    fill(out, round);
    pair.post([&] {
        return receive(pair.b(), transfer(Kind::tagged, in, FI_ADDR_UNSPEC, &ops[0], round));
    });
    pair.post(
        [&] { return send(pair.a(), transfer(Kind::tagged, out, pair.to_b(), &ops[1], round)); });
    pair.received(1);
    pair.sent(0);
    check_filled(in.data(), size, round);
}

// Runs `body` in a forked child while the parent keeps talking.
void fork_amid_traffic(Pair& pair, const std::function<void()>& body) {
    traffic(pair, 0, 50000);
    fflush(stdout);
    const pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        alarm(60); // alarms are not inherited, and a child that hangs must end
        try {
            body();
            _exit(EXIT_SUCCESS);
        } catch (const std::exception& failure) {
            diag(std::string("in the child: ") + failure.what());
            _exit(EXIT_FAILURE);
        }
    }
    uint32_t round = 1;
    int status = 0;
    now_waiting_for("the forked child to end");
    while (waitpid(child, &status, WNOHANG) == 0) {
        ++round;
        traffic(pair, round, round % 8 == 0 ? 300000 : round % 5000);
    }
    for (uint32_t more = 0; more < 50; ++more) {
        traffic(pair, ++round, more * 1000);
    }
    check(WIFEXITED(status), "the child was not killed");
    check_eq(WEXITSTATUS(status), EXIT_SUCCESS, "status of the child");
}

void transfers_are_refused() {
    only_rill("inherited objects answer an error");
    Pair pair;
    fork_amid_traffic(pair, [&] {
        Bytes buffer(64);
        Op op;
        for (const Kind kind : {Kind::msg, Kind::tagged}) {
            for (const Form form : {Form::plain, Form::vector, Form::message, Form::inject,
                                    Form::data, Form::inject_data}) {
                Transfer to = transfer(kind, buffer, pair.to_b(), &op);
                to.form = form;
                check_refused(send(pair.a(), to), "a send in the child");
                Transfer from = transfer(kind, buffer, FI_ADDR_UNSPEC, &op);
                from.form = form;
                check_refused(receive(pair.b(), from), "a receive in the child");
            }
        }
        check_refused(fi_cancel(pair.a().ep.id(), &op), "fi_cancel in the child");
    });
}

void queues_are_refused() {
    only_rill("inherited objects answer an error");
    Config config;
    config.wait_obj = FI_WAIT_FD;
    Pair pair(config);
    fork_amid_traffic(pair, [&] {
        fid_cq* cq = pair.a().rx.get();
        fi_cq_tagged_entry entry;
        fi_cq_err_entry error{};
        check_refused(fi_cq_read(cq, &entry, 1), "fi_cq_read in the child");
        check_refused(fi_cq_read(cq, nullptr, 0), "fi_cq_read with count 0 in the child");
        check_refused(fi_cq_readerr(cq, &error, 0), "fi_cq_readerr in the child");
        check_refused(fi_cq_sread(cq, &entry, 1, nullptr, 10), "fi_cq_sread in the child");
        check_refused(fi_cq_signal(cq), "fi_cq_signal in the child");
        fid* waits[] = {&cq->fid};
        check_refused(fi_trywait(pair.a().fabric.get(), waits, 1), "fi_trywait in the child");
    });
}

void opening_is_refused() {
    only_rill("inherited objects answer an error");
    const Config config;
    Pair pair(config);
    fork_amid_traffic(pair, [&] {
        Side& side = pair.a();
        fid_ep* ep = nullptr;
        fid_domain* domain = nullptr;
        fid_av* av = nullptr;
        fid_cq* cq = nullptr;
        fi_cq_attr cq_attr{};
        fi_av_attr av_attr{};
        check_refused(fi_domain(side.fabric.get(), side.info.get(), &domain, nullptr),
                      "fi_domain in the child");
        check_refused(fi_endpoint(side.domain.get(), side.info.get(), &ep, nullptr),
                      "fi_endpoint in the child");
        check_refused(fi_cq_open(side.domain.get(), &cq_attr, &cq, nullptr),
                      "fi_cq_open in the child");
        check_refused(fi_av_open(side.domain.get(), &av_attr, &av, nullptr),
                      "fi_av_open in the child");
        fi_addr_t addr = 0;
        check_refused(fi_av_insert(side.av.get(), pair.b().name().data(), 1, &addr, 0, nullptr),
                      "fi_av_insert in the child");
    });
}

// A farewell by the child would end the parent's traffic.
void closing_is_harmless() {
    only_rill("closing in a child sends nothing");
    Pair pair;
    fork_amid_traffic(pair, [&] {
        for (size_t at = 0; at < 2; ++at) {
            check_ok(pair[at].ep.close(), "closing an endpoint in the child");
            check_ok(pair[at].rx.handle().close(), "closing a queue in the child");
            check_ok(pair[at].tx.handle().close(), "closing a queue in the child");
            check_ok(pair[at].av.close(), "closing an address vector in the child");
            check_ok(pair[at].domain.close(), "closing a domain in the child");
            check_ok(pair[at].fabric.close(), "closing a fabric in the child");
        }
    });
}

void child_that_only_exits() {
    Pair pair;
    fork_amid_traffic(pair, [] {});
}

void child_that_executes() {
    Pair pair;
    fork_amid_traffic(pair, [] {
        execl("/bin/true", "true", static_cast<char*>(nullptr));
        fail("execl");
    });
}

// exit(3) runs destructors of libraries, the provider's among them.
void child_that_exits_in_full() {
    only_rill("its destructors know that they are in a child");
    Pair pair;
    fork_amid_traffic(pair, [] { exit(EXIT_SUCCESS); });
}

void auto_progress() {
    only_rill("its thread is not in the child");
    Config config;
    config.progress = FI_PROGRESS_AUTO;
    Pair pair(config);
    fork_amid_traffic(pair, [&] {
        fi_cq_tagged_entry entry;
        check_refused(fi_cq_read(pair.a().rx.get(), &entry, 1), "fi_cq_read in the child");
        check_ok(pair.a().ep.close(), "closing an endpoint in the child");
    });
}

} // namespace

int main(int argc, char** argv) {
    const Case cases[] = {
        {"transfers are refused", transfers_are_refused},
        {"queues are refused", queues_are_refused},
        {"opening is refused", opening_is_refused},
        {"closing is harmless", closing_is_harmless},
        {"a child that only exits", child_that_only_exits},
        {"a child that executes", child_that_executes},
        {"a child that exits in full", child_that_exits_in_full},
        {"automatic progress", auto_progress},
    };
    return run_cases(argc, argv, cases);
}
