// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/seq.hpp"
#include "util/time.hpp"

#include <cstdint>

namespace rill::transport {

// Whether a path may carry data. One that swallows packets while others progress, and one that was
// never used, is asked by a probe first:
//
//   up --swallowed--> suspect --answered--> up
//                        |
//                        +--unanswered--> down --answered, and two more--> up
//
// A path that nobody needs rests. It is tried out when others have queues:
//
//   resting --try_out--> trial --answered three times--> up
//                          +--unanswered, or rest()--> resting
class PathHealth {
public:
    enum class State : uint8_t { up, suspect, down, resting, trial };

    State state() const { return state_; }
    bool up() const { return state_ == State::up; }
    // No data from now on; the first probe is due at once.
    void suspect(Instant now);
    // No data from now on, and no probes.
    void rest();
    void try_out(Instant now);
    // A trial whose last probe was not answered until the next was due is over.
    bool trial_failed() const { return state_ == State::trial && probed_; }
    // Whether something sent as `seq` answers the last probe.
    bool is_answer(uint16_t seq) const;
    // When the next probe is due; kNever while the path is up.
    Instant next_probe() const { return next_probe_; }
    // A probe is about to leave as transmission `seq`. True when it is the second time-out of the
    // path: what is still out on it is lost.
    bool probing(uint16_t seq, Instant now);
    // Something sent as `seq` has arrived. True when the path is up again. After the first good
    // probe of one that was down, the next two are due at once.
    bool answered(uint16_t seq, Instant now);

private:
    State state_ = State::up;
    bool probed_ = false;
    uint8_t good_ = 0; // probes answered in a row
    uint16_t probe_seq_ = 0;
    Duration interval_{};
    Instant next_probe_ = kNever;
};

} // namespace rill::transport
