#pragma once

#include "common/watch/check.hpp"
#include "common/watch/recorder.hpp"

#include <atomic>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace iocp::watch {

/// Who reads what the watch has to say.
class reader {
public:
    reader() = default;
    virtual ~reader() = default;
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;

    /// Called with the recorder's lock held.
    virtual void take(const record& what) = 0;
    virtual void take(const finding& found) = 0;

    /// There will be no more to take but the record of the program's end. With the lock
    /// held, and no memory may be left.
    virtual void lost_sight() = 0;

    /// Called without the lock.
    /// \param urgent something exact was found, and the program may not live much longer
    /// \param may_wait false where the loader's lock may be held
    virtual void settle(bool urgent, bool may_wait) = 0;
};

/// Layer 3: looks at everything that the recorder tells and says where a rule is broken.
class rules final : public listener {
public:
    rules(reader& told, bool hash_sends) : told_(told), hash_sends_(hash_sends) {}

    void happened(const record& what) override;
    void submitting(const world& before, const operation& next, const moment& at) override;
    void pending(const operation& one, const moment& at) override;
    void entering(const world& before, const socket_info& socket, const inside& call,
                  const moment& at) override;
    void calling(const world& before, const moment& at) override;
    void closing(const world& before, const socket_info& socket, std::uint32_t unread,
                 const moment& at) override;
    void deaf(const socket_info& socket, const moment& at) override;
    void piling_up(const port_info& port, const moment& at) override;
    void inheriting(const socket_info& socket, std::size_t others, const char* call,
                    const moment& at) override;
    void cancelled_nothing(const socket_info& socket, const operation& other,
                           const moment& at) override;
    void waiting(const world& before, std::span<const HANDLE> events,
                 const moment& at) override;
    void asking(const operation& one, const socket_info* asked, bool wait,
                const moment& at) override;
    void coming_back(const world& before, const operation& one, bool told,
                     const moment& at) override;
    void strange_packet(std::uint32_t port, std::uintptr_t overlapped,
                        const moment& at) override;
    void freeing(std::span<const operation* const> lent, const char* call,
                 std::uintptr_t begin, std::uintptr_t end, const moment& at) override;
    void vanished(const operation& one, const lent_memory& memory, const char* call,
                  const moment& at) override;
    void thread_ending(const world& before, const thread_info& thread,
                       const moment& at) override;
    void closing_port(const port_info& port, const moment& at) override;
    void left_announced(const pool_io& io, const char* call, const uncancelled* submit,
                        const moment& at) override;
    void losing_sight(const socket_info& socket, const char* call,
                      const moment& at) override;
    void ending(const world& before, const moment& at) override;
    void lost_sight() override;
    void unlocked(bool may_wait) override;

private:
    void say(const check& what, const moment& at, const operation* one,
             std::uint32_t socket, std::string text);
    void say_in_flight(const check& what, const moment& at, const operation& one,
                       std::uint32_t socket, std::string text);
    void say_left(const check& what, const moment& at, std::uint32_t socket,
                  const call_stack& made, std::string text);
    void report(finding found);
    bool look_at_event(const operation& one, bool told, const moment& at);
    static bool may_have_ended(const world& before, const inside& other);
    void look_at_frames(const world& before, const moment& at);

    reader& told_;
    bool hash_sends_;
    bool lost_ = false;                ///< sight of the program: nothing is said any more
    std::atomic<bool> urgent_ = false; ///< said since the lock was last free
    std::set<std::pair<const check*, call_stack>>
        known_;                           ///< what was said, and of which place
    std::set<std::uint64_t> frames_gone_; ///< operations whose frame was found to be gone
    std::set<std::uint64_t> events_changed_; ///< operations whose event was found changed
    std::multimap<std::uint64_t, finding>
        unproved_; ///< by operation: to be said when the program is told of its end
};

} // namespace iocp::watch
