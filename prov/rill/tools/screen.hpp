// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include "util/fd.hpp"
#include "util/time.hpp"

#include <cstddef>
#include <string>
#include <termios.h>
#include <vector>

namespace rill::tools {

// Where a live view is drawn. On a terminal, the second screen, which leaves what was there before as
// it was; each line is overwritten in place, so nothing flickers. Elsewhere, lines that are printed.
class Screen {
public:
    explicit Screen(bool live); // false: lines are printed on a terminal too
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    // SIZE_MAX each where nothing limits it.
    size_t rows() const { return rows_; }
    size_t columns() const { return columns_; }
    // Cuts what does not fit. False: nobody reads it any more.
    [[nodiscard]] bool draw(const std::vector<std::string>& lines);

    enum class Why { time, resized, quit };
    // quit: `q`, Ctrl-C, SIGTERM or SIGHUP.
    Why wait(Instant until);

private:
    void measure();

    const bool terminal_;
    bool keys_ = false; // are read from standard input
    termios before_{};
    Fd signals_;
    size_t rows_ = SIZE_MAX;
    size_t columns_ = SIZE_MAX;
};

} // namespace rill::tools
