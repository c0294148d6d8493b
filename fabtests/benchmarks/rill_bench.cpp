// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Tagged ping-pong, tagged streaming, RMA streaming and atomic round trips over any libfabric provider with reliable datagrams. It
// forks its peer, or meets it on another host, checks the data in an untimed first round, and prints one line of JSON.
#include <algorithm>
#include <cstring>

#include "fabric_endpoint.hpp"
#include "options.hpp"
#include "process_pair.hpp"

namespace bench {
namespace {

// Different for every message and for neighbouring bytes, so that a lost, doubled, shifted or
// overtaken piece shows.
std::byte pattern(std::uint64_t sequence, std::size_t i) {
    return static_cast<std::byte>(sequence * 31 + i * 7 + (i >> 8) * 13);
}

void fill(Operation& operation) {
    for (std::size_t i = 0; i < operation.buffer.size(); ++i)
        operation.buffer[i] = pattern(operation.sequence, i);
}

void verify(const Operation& operation) {
    for (std::size_t i = 0; i < operation.buffer.size(); ++i) {
        if (operation.buffer[i] != pattern(operation.sequence, i))
            fail("check of the data", "message " + std::to_string(operation.sequence) + " of " +
                                          std::to_string(operation.buffer.size()) +
                                          " bytes differs at byte " + std::to_string(i));
    }
}

// Both directions alternate; each side posts its next receive before it answers.
class PingPong {
public:
    PingPong(FabricEndpoint& endpoint, ProcessPair& pair, const Options& options)
        : endpoint_(endpoint), pair_(pair),
          send_(endpoint.make_operations(1, options.size_bytes, false)),
          receive_(endpoint.make_operations(1, options.size_bytes, true)),
          injects_(options.size_bytes <= endpoint.inject_size()) {}

    static constexpr std::uint64_t verified_count = 8;
    static constexpr std::uint64_t first_count = 32;

    double run(const Command& command) {
        post_receive(0);
        if (pair_.is_client())
            pair_.await_ready();
        else
            pair_.signal_ready();
        const double start = seconds_now();
        for (std::uint64_t i = 0; i < command.count; ++i) {
            if (pair_.is_client()) send(i, command.verify);
            await_message();
            if (command.verify) verify(receive_[0]);
            if (i + 1 < command.count) post_receive(i + 1);
            if (!pair_.is_client()) send(i, command.verify);
        }
        const double seconds = seconds_now() - start;
        await_sent();
        return seconds;
    }

private:
    void post_receive(std::uint64_t sequence) {
        receive_[0].sequence = sequence;
        received_ = false;
        endpoint_.receive(receive_[0]);
    }

    void send(std::uint64_t sequence, bool with_pattern) {
        await_sent();
        send_[0].sequence = sequence;
        if (with_pattern) fill(send_[0]);
        if (injects_) {
            endpoint_.inject(send_[0].buffer);
        } else {
            sent_ = false;
            endpoint_.send(send_[0]);
        }
    }

    void progress() {
        if (const Operation* done = endpoint_.poll()) (done->is_receive ? received_ : sent_) = true;
    }
    void await_message() {
        set_phase("waiting for the completion of fi_trecv");
        while (!received_)
            progress();
    }
    void await_sent() {
        set_phase("waiting for the completion of fi_tsend");
        while (!sent_)
            progress();
    }

    FabricEndpoint& endpoint_;
    ProcessPair& pair_;
    std::vector<Operation> send_;
    std::vector<Operation> receive_;
    bool injects_;
    bool sent_ = true;
    bool received_ = false;
};

// The client keeps a window of sends under way; the server keeps twice as many receives posted,
// because a completed send says nothing about the receiver. The clock stops at the server's
// acknowledgement of the last message.
class Stream {
public:
    Stream(FabricEndpoint& endpoint, ProcessPair& pair, const Options& options)
        : endpoint_(endpoint), pair_(pair), gaps_(options.gaps) {
        const auto depth = pair.is_client()
                               ? std::min(options.window, endpoint.send_depth())
                               : std::min(2 * options.window, endpoint.receive_depth());
        data_ = endpoint.make_operations(depth, options.size_bytes, !pair.is_client());
        acknowledgement_ = endpoint.make_operations(1, 1, pair.is_client());
        verified_count = 4 * options.window + 3;
        first_count = 2 * options.window;
    }

    std::uint64_t verified_count = 0;
    std::uint64_t first_count = 0;

    double run(const Command& command) {
        const double seconds = pair_.is_client() ? run_client(command) : run_server(command);
        if (gaps_ && !command.verify) tell_gap();
        return seconds;
    }

    // In all runs, as the server saw it; what lies between two runs is none of it.
    [[nodiscard]] double longest_gap_s() const { return longest_gap_s_; }

private:
    double run_client(const Command& command) {
        endpoint_.receive(acknowledgement_[0]);
        free_.clear();
        for (Operation& operation : data_)
            free_.push_back(&operation);
        acknowledged_ = false;
        pair_.await_ready();

        const double start = seconds_now();
        for (std::uint64_t i = 0; i < command.count; ++i) {
            set_phase("waiting for the completion of fi_tsend");
            while (free_.empty())
                progress_client();
            Operation& operation = *free_.back();
            free_.pop_back();
            operation.sequence = i;
            if (command.verify) fill(operation);
            endpoint_.send(operation);
        }
        set_phase("waiting for the server's last acknowledgement");
        while (!acknowledged_)
            progress_client();
        const double seconds = seconds_now() - start;

        set_phase("waiting for the completion of fi_tsend");
        while (free_.size() != data_.size())
            progress_client();
        return seconds;
    }

    double run_server(const Command& command) {
        std::uint64_t posted = 0;
        const auto post = [&](Operation& operation) {
            operation.sequence = posted++;
            endpoint_.receive(operation);
        };
        for (Operation& operation : data_) {
            if (posted < command.count) post(operation);
        }
        pair_.signal_ready();

        set_phase("waiting for the completion of fi_trecv");
        for (std::uint64_t received = 0; received < command.count;) {
            Operation* done = endpoint_.poll();
            if (done == nullptr) continue;
            ++received;
            if (gaps_) clock_arrival(received == 1);
            if (command.verify) verify(*done);
            if (posted < command.count) post(*done);
        }
        endpoint_.send(acknowledgement_[0]);
        set_phase("waiting for the completion of the last acknowledgement");
        while (endpoint_.poll() == nullptr) {
        }
        return 0;
    }

    void clock_arrival(bool is_first) {
        const double now = seconds_now();
        if (!is_first) longest_gap_s_ = std::max(longest_gap_s_, now - last_arrival_s_);
        last_arrival_s_ = now;
    }

    void tell_gap() {
        if (pair_.is_client())
            pair_.read(&longest_gap_s_, sizeof longest_gap_s_);
        else
            pair_.write(&longest_gap_s_, sizeof longest_gap_s_);
    }

    void progress_client() {
        Operation* done = endpoint_.poll();
        if (done == nullptr) return;
        if (done->is_receive)
            acknowledged_ = true;
        else
            free_.push_back(done);
    }

    FabricEndpoint& endpoint_;
    ProcessPair& pair_;
    std::vector<Operation> data_;
    std::vector<Operation> acknowledgement_;
    std::vector<Operation*> free_;
    bool acknowledged_ = false;
    bool gaps_;
    double last_arrival_s_ = 0;
    double longest_gap_s_ = 0;
};

// The client keeps a window of RMA operations under way, or does one atomic operation after another;
// the server only lets its provider run.
class Remote {
public:
    Remote(FabricEndpoint& endpoint, ProcessPair& pair, const Options& options)
        : endpoint_(endpoint), pair_(pair), mode_(options.mode) {
        const std::size_t depth =
            is_round_trip(mode_) ? 1 : std::min(options.window, endpoint.send_depth());
        data_ = endpoint.make_operations(depth, options.size_bytes, false);
        // The same operations of the two sides face each other.
        RemoteMemory mine{};
        if (!pair.is_client()) {
            for (std::size_t i = 0; i < data_.size(); ++i) {
                data_[i].sequence = i;
                if (mode_ == Mode::read) fill(data_[i]);
            }
            mine = endpoint.expose(data_);
        }
        const std::string theirs =
            pair.exchange({reinterpret_cast<const char*>(&mine), sizeof mine});
        std::memcpy(&target_, theirs.data(), sizeof target_);
        verified_count = 4 * depth + 3;
        first_count = 2 * depth;
    }

    std::uint64_t verified_count = 0;
    std::uint64_t first_count = 0;

    double run(const Command& command) {
        if (!pair_.is_client()) return 0; // whatever there is to do, serve() polls for
        free_.clear();
        for (std::size_t i = 0; i < data_.size(); ++i) {
            data_[i].sequence = i;
            if (command.verify && mode_ == Mode::write) fill(data_[i]);
            free_.push_back(&data_[i]);
        }
        const double start = seconds_now();
        for (std::uint64_t i = 0; i < command.count; ++i) {
            while (free_.empty())
                progress();
            Operation& operation = *free_.back();
            free_.pop_back();
            post(operation);
        }
        while (free_.size() != data_.size())
            progress();
        const double seconds = seconds_now() - start;
        if (command.verify) check_data();
        return seconds;
    }

private:
    RemoteMemory place_of(const Operation& operation) const {
        return {target_.address + operation.sequence * operation.buffer.size(), target_.key};
    }

    void post(Operation& operation) {
        set_phase("waiting for the completion of a remote operation");
        switch (mode_) {
        case Mode::write: return endpoint_.write(operation, place_of(operation));
        case Mode::read: return endpoint_.read(operation, place_of(operation));
        default: endpoint_.fetch_add(operation, target_);
        }
    }

    void progress() {
        if (Operation* done = endpoint_.poll()) free_.push_back(done);
    }

    // What was written is read back.
    void check_data() {
        for (Operation& operation : data_) {
            if (is_round_trip(mode_)) return;
            std::fill(operation.buffer.begin(), operation.buffer.end(), std::byte{0});
            endpoint_.read(operation, place_of(operation));
            while (endpoint_.poll() == nullptr) {
            }
            verify(operation);
        }
    }

    FabricEndpoint& endpoint_;
    ProcessPair& pair_;
    Mode mode_;
    RemoteMemory target_;
    std::vector<Operation> data_;
    std::vector<Operation*> free_;
};

template <typename Test>
void serve(Test& test, FabricEndpoint& endpoint, ProcessPair& pair) {
    for (;;) {
        Command command;
        set_phase("waiting for the client's next command");
        while (!pair.try_command(command)) {
            // Under manual progress, acknowledgements and repetitions leave only when polled.
            if (endpoint.poll() != nullptr)
                fail("fi_cq_read", "a completion that nothing was posted for");
        }
        if (command.quit) return;
        test.run(command);
    }
}

template <typename Test>
Sample drive(Test& test, ProcessPair& pair, const Load& load) {
    const auto run = [&](const Command& command) {
        pair.order(command);
        return test.run(command);
    };
    run({.count = test.verified_count, .verify = true});
    Sample sample =
        measure(load, test.first_count, [&](std::uint64_t count) { return run({.count = count}); });
    if constexpr (requires { test.longest_gap_s(); }) sample.longest_gap_s = test.longest_gap_s();
    pair.order({.quit = true});
    return sample;
}

template <typename Test>
void run_test(FabricEndpoint& endpoint, ProcessPair& pair, const Options& options) {
    Test test(endpoint, pair, options);
    if (pair.is_client())
        print_result(options, drive(test, pair, options.load));
    else
        serve(test, endpoint, pair);
    set_phase("closing the endpoint");
}

} // namespace
} // namespace bench

int main(int argc, char** argv) {
    using namespace bench;
    const Options options = parse_options(Program::rill_bench, argc, argv);
    ProcessPair pair = ProcessPair::start({"rill_bench", options.provider, options.cpus,
                                           options.watchdog_s, options.listen, options.connect});
    {
        const bool remote = options.mode != Mode::pingpong && options.mode != Mode::stream;
        FabricEndpoint endpoint(options.provider, options.node, remote,
                                options.mode == Mode::counted_add);
        endpoint.connect(pair.exchange(endpoint.name()));
        if (options.mode == Mode::pingpong)
            run_test<PingPong>(endpoint, pair, options);
        else if (remote)
            run_test<Remote>(endpoint, pair, options);
        else
            run_test<Stream>(endpoint, pair, options);
    }
    pair.join();
    return 0;
}
