#pragma once

#include "common/watch/check.hpp"
#include "common/watch/record.hpp"
#include "common/watch/settings.hpp"

#include <chrono>
#include <memory>

namespace iocp::watch {

/// Writes what the watch has seen: the narration and the findings to standard error, the
/// trace to its files.
///
/// take() may be called with locks held, inside free and inside DllMain: it only puts a
/// copy into a queue. A thread of its own takes from the queue, looks symbols up, formats
/// and writes. It uses system calls that the program's import tables do not lead to the
/// watch (see depth.hpp), so that the watch does not watch itself.
class outputs {
public:
    explicit outputs(settings wanted);
    ~outputs();

    outputs(const outputs&) = delete;
    outputs& operator=(const outputs&) = delete;

    /// After the record of the program's end nothing is taken any more.
    void take(const record& happened);
    void take(const finding& found);

    /// Says that from here on nothing is seen. No memory may be left.
    void lost_sight();

    /// Waits while very much is still to be written, at the longest for `limit`, so that a
    /// program that is faster than its terminal does not fill the memory. With no lock held
    /// and not in free, at a thread's end or in DllMain.
    void wait_for_room(std::chrono::milliseconds limit);

    /// Waits until all that was taken before is written, at the longest for `limit`: in
    /// DllMain the writing thread may be waiting for the lock that this thread holds.
    void flush(std::chrono::milliseconds limit);

    /// Where every other thread is gone: whether none of them had this locked. What was
    /// locked then stays so.
    bool is_free();

    /// Writes what is left and ends the files. No other thread needs to be alive any more:
    /// when the process ends, Windows has ended them all before a DLL is told.
    ///
    /// \param writer_lives false in the last call of DllMain
    void finish(bool writer_lives);

    /// How many findings of each certainty were taken.
    std::uint32_t exact() const;
    std::uint32_t heuristic() const;

private:
    struct state;
    std::shared_ptr<state> state_; ///< shared with the writing thread
};

} // namespace iocp::watch
