#include "common/watch/outputs.hpp"

#include "common/watch/chrome_trace.hpp"
#include "common/watch/depth.hpp"
#include "common/watch/digits.hpp"
#include "common/watch/error_names.hpp"
#include "common/watch/narration.hpp"
#include "common/watch/output_files.hpp"
#include "common/watch/report.hpp"
#include "common/watch/symbols.hpp"
#include "common/watch/trace.hpp"

#include <winsock2.h>

#include <windows.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace iocp::watch {
namespace {

using clock_type = std::chrono::steady_clock;

// More than this in the queue, and whoever may wait is asked to.
constexpr std::size_t roomy = 16'384;
// What is formatted is written at the latest when it is this long.
constexpr std::size_t long_enough = 32'768;
// How long the end waits for a writer that gets nothing done: its pipe may be full and
// never be read.
constexpr std::chrono::seconds patience{5};

using item = std::variant<record, finding>;

class exclusive {
public:
    explicit exclusive(SRWLOCK& lock) : lock_(lock) { ::AcquireSRWLockExclusive(&lock_); }
    ~exclusive() { ::ReleaseSRWLockExclusive(&lock_); }
    exclusive(const exclusive&) = delete;
    exclusive& operator=(const exclusive&) = delete;

    // \return false when it is too late
    bool wait(CONDITION_VARIABLE& condition, clock_type::time_point deadline) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_type::now());
        if (left.count() <= 0) {
            return false;
        }
        ::SleepConditionVariableSRW(&condition, &lock_, static_cast<DWORD>(left.count()),
                                    0);
        return true;
    }
    void wait(CONDITION_VARIABLE& condition) {
        ::SleepConditionVariableSRW(&condition, &lock_, INFINITE, 0);
    }

private:
    SRWLOCK& lock_;
};

} // namespace

// Shared by the program's threads and the writer: whoever is the last to let go of it frees
// it.
struct outputs::state {
    explicit state(settings wanted)
        : how(std::move(wanted)), people(how.only, how.colour), terminal(how.colour) {}

    // For all threads, under the lock.
    SRWLOCK lock = SRWLOCK_INIT;
    CONDITION_VARIABLE arrived = CONDITION_VARIABLE_INIT; // something to write, or the end
    CONDITION_VARIABLE written =
        CONDITION_VARIABLE_INIT; // the writer has got something done
    std::vector<item> queue;
    std::uint64_t taken = 0; // items, since the start
    std::uint64_t done = 0;  // of those, written
    bool closed = false;     // nothing more is taken
    bool lost = false;       // sight of the program, which is still to be said
    bool ended = false;      // everything is written, and the files are closed
    bool released = false;   // nobody will ask any more
    std::uint64_t operations = 0;
    std::uint64_t in_flight = 0;
    std::atomic<std::uint32_t> exact{0};
    std::atomic<std::uint32_t> heuristic{0};
    std::atomic<std::uint64_t> steps{0}; // of the writer, to see whether it gets on

    // For the writer alone; and, when the process ends and the writer with it, for the
    // thread that finishes.
    settings how;
    narration people;
    trace lines;
    chrome_trace chrome;
    symbols names;
    standard_error terminal;
    output_file lines_file;
    output_file chrome_file;
    std::string terminal_text;
    std::string lines_text;
    std::string chrome_text;
    std::vector<item> batch;
    std::size_t next = 0; // in the batch
    std::uint64_t last_moment = 0;
    bool in_symbols = false;
    bool incomplete = false; // there was no memory to write something

    void open();
    void take(const record& what);
    void take(const finding& found);
    void put(item what);
    void run();
    void write_batch();
    void write(const record& what);
    void write(const finding& found);
    void write_out();
    void say_lost();
    void conclude();
    void conclude_text();
    void wait_for_end();
    void end_alone();
};

void outputs::state::open() {
    if (how.trace.empty()) {
        return;
    }
    DWORD error = lines_file.open(how.trace);
    if (error == 0) {
        error = chrome_file.open(how.trace + L".chrome.json");
    }
    if (error != 0) {
        terminal.write("watch: the trace cannot be written: " + error_words(error) + "\n");
    }
    chrome_text = chrome_trace::begin;
}

void outputs::state::take(const record& what) {
    const exclusive guard{lock};
    if (closed) {
        return;
    }
    operations += what.kind == record_kind::submit ? 1 : 0;
    in_flight += what.kind == record_kind::submit ? 1 : 0;
    in_flight -= what.operation != 0 && what.back ? 1 : 0;
    closed = what.kind == record_kind::end;
    // Where only findings are written a copy of everything else, and a writer that wakes
    // for it, would be half of what the watch costs.
    if (closed || !how.quiet || !how.trace.empty()) {
        put(what);
    }
}

void outputs::state::take(const finding& found) {
    const exclusive guard{lock};
    if (!closed) {
        exact += found.what->sure == certainty::exact ? 1 : 0;
        heuristic += found.what->sure == certainty::heuristic ? 1 : 0;
        put(found);
    }
}

// With the lock held. The writer sleeps only while there is nothing.
void outputs::state::put(item what) {
    queue.push_back(std::move(what));
    ++taken;
    if (queue.size() == 1) {
        ::WakeConditionVariable(&arrived);
    }
}

void outputs::state::write(const record& what) {
    last_moment = what.nanoseconds;
    if (!how.quiet) {
        people.tell(terminal_text, what);
    }
    if (lines_file.is_open()) {
        what.kind == record_kind::end ? lines.end(lines_text, what, exact, heuristic)
                                      : lines.add(lines_text, what);
    }
    if (chrome_file.is_open()) {
        chrome.add(chrome_text, what);
    }
}

void outputs::state::write(const finding& found) {
    if (!how.quiet) {
        people.tell_call_of(terminal_text, found.thread);
    }
    report(terminal_text, found, how.colour);
    write_out(); // looking symbols up may take a while, and the program may not live as
                 // long
    in_symbols = true;
    const std::vector<frame> here = names.frames(found.here);
    const std::vector<frame> submitted = names.frames(found.submitted);
    in_symbols = false;
    report_places(terminal_text, here, submitted);
    if (lines_file.is_open()) {
        lines.add(lines_text, found, here, submitted);
    }
    if (chrome_file.is_open()) {
        chrome.add(chrome_text, found);
    }
    write_out();
}

void outputs::state::write_out() {
    terminal.write(std::exchange(terminal_text, {}));
    lines_file.write(std::exchange(lines_text, {}));
    if (!chrome_text.empty()) {
        chrome_file.write(std::exchange(chrome_text, {}));
        chrome_file.write(chrome_trace::end);
        chrome_file.step_back(sizeof chrome_trace::end - 1);
    }
}

void outputs::state::write_batch() {
    while (next < batch.size()) {
        const item& one = batch[next++]; // first, so that nothing is written twice
        const std::size_t before[] = {terminal_text.size(), lines_text.size(),
                                      chrome_text.size()};
        try {
            std::visit([this](const auto& what) { write(what); }, one);
            if (terminal_text.size() + lines_text.size() + chrome_text.size() >
                long_enough) {
                write_out();
            }
        } catch (const std::exception&) { // the program needs the memory more
            incomplete = true;
            // No half lines.
            terminal_text.resize(std::min(before[0], terminal_text.size()));
            lines_text.resize(std::min(before[1], lines_text.size()));
            chrome_text.resize(std::min(before[2], chrome_text.size()));
        }
        ++steps;
    }
    write_out();
    batch.clear();
    next = 0;
}

// Without a word from memory, of which there may be none.
void outputs::state::say_lost() {
    terminal.write("watch: there is no memory for what it has to remember: from here on "
                   "it sees nothing\n");
}

void outputs::state::conclude() {
    try {
        conclude_text();
    } catch (const std::exception&) {
        incomplete = true;
    }
    if (incomplete) {
        terminal.write(
            "watch: there was no memory to write everything: lines are missing\n");
    }
    write_out();
    lines_file.close();
    chrome_file.close();
    terminal.restore();
}

void outputs::state::conclude_text() {
    if (!how.quiet) {
        people.tell_rest(terminal_text);
    }
    if (chrome_file.is_open()) {
        chrome.add_ends(chrome_text, last_moment);
    }
    if (!how.quiet || exact != 0 || heuristic != 0) {
        terminal_text.append("watch: ")
            .append(with_commas(exact))
            .append(exact == 1 ? " exact finding, " : " exact findings, ");
        terminal_text.append(with_commas(heuristic)).append(" heuristic; ");
        terminal_text.append(with_commas(operations))
            .append(operations == 1 ? " operation, " : " operations, ");
        terminal_text
            .append(in_flight == 0 ? "all back" : with_commas(in_flight) + " not back")
            .append("\n");
    }
}

// The writer.
void outputs::state::run() {
    for (bool more = true; more;) {
        std::uint64_t until = 0;
        bool say = false;
        {
            exclusive guard{lock};
            while (queue.empty() && !closed && !lost) {
                guard.wait(arrived);
            }
            say = std::exchange(lost, false);
            batch.swap(queue);
            until = taken;
            more = !closed || !batch.empty();
            ::WakeAllConditionVariable(&written); // there is room
        }
        write_batch();
        if (say) {
            say_lost();
        }
        const exclusive guard{lock};
        done = until;
        ::WakeAllConditionVariable(&written);
    }
    conclude();
    exclusive guard{lock};
    ended = true;
    ::WakeAllConditionVariable(&written);
    // The process ends next, and this thread with it. If it ended by itself at the same
    // moment, now and then Wine 8.0 would take the whole process down with a segmentation
    // fault.
    while (!released) {
        guard.wait(arrived);
    }
}

void outputs::state::wait_for_end() {
    exclusive guard{lock};
    closed = true;
    ::WakeConditionVariable(&arrived);
    // As long as the writer gets on it is given time; a terminal may be slow.
    std::uint64_t before = steps;
    auto deadline = clock_type::now() + patience;
    while (!ended && (guard.wait(written, deadline) || before != steps)) {
        if (before != steps) {
            before = steps;
            deadline = clock_type::now() + patience;
        }
    }
}

// The writer is gone, and so is every other thread, wherever they were. What they had
// locked stays locked.
void outputs::state::end_alone() {
    if (!::TryAcquireSRWLockExclusive(&lock)) {
        return;
    }
    if (!std::exchange(ended, true)) {
        closed = true;
        if (in_symbols) {
            names.give_up();
        }
        write_batch();
        batch.swap(queue);
        write_batch();
        if (std::exchange(lost, false)) {
            say_lost();
        }
        conclude();
    }
    ::ReleaseSRWLockExclusive(&lock);
}

outputs::outputs(settings wanted) : state_(std::make_shared<state>(std::move(wanted))) {
    state_->open();
    // The writer's share. It begins at the earliest when the loader's lock is free, and
    // nobody waits for that.
    auto share = std::make_unique<std::shared_ptr<state>>(state_);
    const HANDLE writer = ::CreateThread(
        nullptr, 0,
        [](void* share_of_it) -> DWORD {
            const unwatched for_good;
            const std::unique_ptr<std::shared_ptr<state>> mine{
                static_cast<std::shared_ptr<state>*>(share_of_it)};
            (*mine)->run();
            return 0;
        },
        share.get(), 0, nullptr);
    if (writer == nullptr) {
        state_->terminal.write("watch: there is no thread for its output: " +
                               error_words(::GetLastError()) + "\n");
        state_->closed = true;
        state_->ended = true;
        return;
    }
    static_cast<void>(share.release()); // the writer frees it
    ::CloseHandle(writer);
}

outputs::~outputs() {
    state_->wait_for_end();
    const exclusive guard{state_->lock};
    state_->released = true;
    ::WakeConditionVariable(&state_->arrived);
}

void outputs::take(const record& happened) {
    state_->take(happened);
}

void outputs::take(const finding& found) {
    state_->take(found);
}

void outputs::lost_sight() {
    const exclusive guard{state_->lock};
    state_->lost = true;
    ::WakeConditionVariable(&state_->arrived);
}

void outputs::wait_for_room(std::chrono::milliseconds limit) {
    const auto deadline = clock_type::now() + limit;
    exclusive guard{state_->lock};
    while (state_->queue.size() >= roomy && guard.wait(state_->written, deadline)) {
    }
}

void outputs::flush(std::chrono::milliseconds limit) {
    const auto deadline = clock_type::now() + limit;
    exclusive guard{state_->lock};
    const std::uint64_t until = state_->taken;
    while (state_->done < until && !state_->ended &&
           guard.wait(state_->written, deadline)) {
    }
}

bool outputs::is_free() {
    if (!::TryAcquireSRWLockExclusive(&state_->lock)) {
        return false;
    }
    ::ReleaseSRWLockExclusive(&state_->lock);
    return true;
}

void outputs::finish(bool writer_lives) {
    if (writer_lives) {
        state_->wait_for_end();
    } else {
        state_->end_alone();
    }
}

std::uint32_t outputs::exact() const {
    return state_->exact;
}

std::uint32_t outputs::heuristic() const {
    return state_->heuristic;
}

} // namespace iocp::watch
