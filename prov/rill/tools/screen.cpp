// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "screen.hpp"

#include "link/clock.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace rill::tools {
namespace {

// ECMA-48 and xterm's private modes, which every terminal emulator of today knows.
constexpr char kEnter[] = "\033[?1049h\033[?25l"; // second screen, no cursor
constexpr char kLeave[] = "\033[?25h\033[?1049l";
constexpr char kHome[] = "\033[H";
constexpr char kClearLine[] = "\033[K";
constexpr char kClearBelow[] = "\033[J";

bool put(const std::string& text) {
    for (size_t done = 0; done < text.size();) {
        const ssize_t n = write(STDOUT_FILENO, text.data() + done, text.size() - done);
        if (n < 0 && errno != EINTR) return false;
        done += n > 0 ? static_cast<size_t>(n) : 0;
    }
    return true;
}

} // namespace

Screen::Screen(bool live) : terminal_(live && isatty(STDOUT_FILENO)) {
    sigset_t mine;
    sigemptyset(&mine);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH})
        sigaddset(&mine, signal);
    sigprocmask(SIG_BLOCK, &mine, nullptr);
    signals_ = Fd(signalfd(-1, &mine, SFD_CLOEXEC));
    std::signal(SIGPIPE, SIG_IGN); // draw() says so
    if (!terminal_) return;
    keys_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (keys_) {
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    put(kEnter);
    measure();
}

Screen::~Screen() {
    if (!terminal_) return;
    put(kLeave);
    if (keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

void Screen::measure() {
    winsize size{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col;
    rows_ = known ? size.ws_row : 24;
    columns_ = known ? size.ws_col : 80;
}

bool Screen::draw(const std::vector<std::string>& lines) {
    std::string text = terminal_ ? kHome : "";
    const size_t shown = std::min(lines.size(), rows_);
    for (size_t i = 0; i < shown; ++i) {
        text += lines[i].substr(0, columns_);
        if (terminal_) text += kClearLine;
        // A line feed in the last row would scroll.
        if (i + 1 < rows_) text += "\n";
    }
    if (terminal_ && shown < rows_) text += kClearBelow;
    return put(text);
}

Screen::Why Screen::wait(Instant until) {
    for (;;) {
        pollfd on[] = {{signals_.get(), POLLIN, 0}, {keys_ ? STDIN_FILENO : -1, POLLIN, 0}};
        const Duration left = std::max(until - link::monotonic_now(), Duration(0));
        // Rounded up: not to spin through the last millisecond.
        const int ready = poll(on, 2, static_cast<int>((left.count() + 999'999) / 1'000'000));
        if (ready == 0) return Why::time;
        if (on[0].revents) {
            signalfd_siginfo what{};
            if (read(signals_.get(), &what, sizeof what) == static_cast<ssize_t>(sizeof what) &&
                what.ssi_signo != SIGWINCH)
                return Why::quit;
            if (terminal_) measure();
            return Why::resized;
        }
        if (on[1].revents) {
            char key = 0;
            if (read(STDIN_FILENO, &key, 1) <= 0) keys_ = false;
            if (key == 'q' || key == 'Q') return Why::quit;
        }
    }
}

} // namespace rill::tools
