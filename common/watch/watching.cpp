#include "common/watch/watching.hpp"

#include "common/watch/depth.hpp"
#include "common/watch/hooks.hpp"
#include "common/watch/modules.hpp"
#include "common/watch/outputs.hpp"
#include "common/watch/recorder.hpp"
#include "common/watch/rules.hpp"
#include "common/watch/told.hpp"

#include <atomic>
#include <chrono>

namespace iocp::watch {

namespace {

using namespace std::chrono_literals;

// How long a thread of the program waits for the writing thread, at the most. Where the
// loader's lock may be held the writer may be waiting for this very thread.
constexpr auto room_patience = 100ms;
constexpr auto report_patience = 2'000ms;
constexpr auto report_patience_where_locked = 300ms;

// The launcher's memory, when there is one.
told* map_told(void* mapping) {
    if (mapping == nullptr) {
        return nullptr;
    }
    auto* const shared =
        static_cast<told*>(::MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, sizeof(told)));
    return shared != nullptr && shared->version == told_version ? shared : nullptr;
}

// Passes what the rules say on to the outputs, and the number of findings to the launcher.
class passing : public reader {
public:
    explicit passing(const settings& wanted) : told_(map_told(wanted.tell)), out_(wanted) {}

    void take(const record& what) override { out_.take(what); }

    void take(const finding& found) override {
        out_.take(found);
        if (told_ != nullptr) {
            std::atomic_ref(told_->exact).store(out_.exact());
            std::atomic_ref(told_->heuristic).store(out_.heuristic());
        }
    }

    void lost_sight() override {
        unwatched::for_good();
        out_.lost_sight();
    }

    void settle(bool urgent, bool may_wait) override {
        if (urgent) {
            out_.flush(may_wait ? report_patience : report_patience_where_locked);
        } else if (may_wait) {
            out_.wait_for_room(room_patience);
        }
    }

    void ready() {
        if (told_ != nullptr) {
            std::atomic_ref(told_->ready).store(1);
        }
    }

    bool has_launcher() const { return told_ != nullptr; }
    outputs& out() { return out_; }

private:
    told* told_;
    outputs out_;
};

struct layers {
    explicit layers(const settings& wanted)
        : strict(wanted.strict), pass(wanted), rule(pass, wanted.hash_sends),
          record(rule, wanted.hash_sends) {}

    bool strict;
    passing pass;
    rules rule;
    recorder record;
    std::atomic<bool> ended = false;
};

layers* all = nullptr;

// What was found so far is written as long as the writer lives. The program's destructors
// are still to run.
void before_exit() {
    all->pass.out().flush(report_patience);
}

void at_exit_process() {
    if (end_of_program(false, true)) {
        ::TerminateProcess(::GetCurrentProcess(), status_when_strict);
    }
}

} // namespace

void begin_watching(HMODULE own) {
    unwatched::prepare();
    const unwatched depth;
    try {
        all = new layers(settings::from_environment());
        all->record.start(utf8(base_name(path_of(nullptr))));
        install_hooks(all->record, own, &before_exit, &at_exit_process);
        all->pass.ready();
    } catch (const std::exception&) { // no memory: then there is no watch
        if (all != nullptr) {
            all->record.lost_sight();
        }
    }
}

void end_of_thread() {
    const unwatched depth;
    if (depth.is_watched() && all != nullptr && !all->ended) {
        all->record.thread_ends();
    }
}

void tell_of_threads(PFLS_CALLBACK_FUNCTION ended) {
    if (all != nullptr) {
        all->record.follow_threads(ended);
    }
}

bool end_of_program(bool count_what_is_left, bool others_live) {
    const unwatched depth;
    if (all == nullptr || all->ended.exchange(true)) {
        return false;
    }
    if (!others_live && !all->pass.out().is_free()) {
        return false;
    }
    all->record.program_ends(count_what_is_left, others_live);
    all->pass.out().finish(others_live);
    return all->strict && hooks().exit_status == 0 && !all->pass.has_launcher() &&
           all->pass.out().exact() > 0;
}

} // namespace iocp::watch
