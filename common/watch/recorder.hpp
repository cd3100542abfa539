#pragma once

#include "common/watch/record.hpp"
#include "common/watch/world.hpp"

#include <atomic>
#include <optional>
#include <span>

namespace iocp::watch {

/// When and by whom: what the recorder tells with everything.
struct moment {
    std::uint64_t nanoseconds = 0;
    std::uint32_t thread = 0;
    std::uint64_t number = 0; ///< of the last record
};

/// Who listens to the recorder. All but unlocked() are called with the recorder's lock
/// held, on the thread that does it, and before the world takes it in: what is told of has
/// not happened yet.
class listener {
public:
    listener() = default;
    virtual ~listener() = default;
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    /// A record is made.
    virtual void happened(const record& what) = 0;
    /// An overlapped operation is about to be submitted.
    virtual void submitting(const world& before, const operation& next,
                            const moment& at) = 0;
    /// The submit has returned, and the operation is pending.
    virtual void pending(const operation& one, const moment& at) = 0;
    /// A thread is about to enter a call on a socket.
    virtual void entering(const world& before, const socket_info& socket,
                          const inside& call, const moment& at) = 0;
    /// A thread is about to make a call that is on no socket, such as a wait for packets.
    virtual void calling(const world& before, const moment& at) = 0;
    /// closesocket is about to be called.
    /// \param unread bytes that have come and that nobody has received
    virtual void closing(const world& before, const socket_info& socket,
                         std::uint32_t unread, const moment& at) = 0;
    /// A listening socket has had no accept in flight for a while, and the last one had
    /// failed.
    virtual void deaf(const socket_info& socket, const moment& at) = 0;
    /// The program has posted very many packets to a port that nobody has dequeued.
    virtual void piling_up(const port_info& port, const moment& at) = 0;
    /// A process is about to be started that inherits this socket.
    /// \param others how many more it inherits
    virtual void inheriting(const socket_info& socket, std::size_t others, const char* call,
                            const moment& at) = 0;
    /// CancelIo has been called, and only other threads have operations in flight there.
    virtual void cancelled_nothing(const socket_info& socket, const operation& other,
                                   const moment& at) = 0;
    /// A thread is about to wait for these events.
    virtual void waiting(const world& before, std::span<const HANDLE> events,
                         const moment& at) = 0;
    /// The result of an operation in flight is about to be asked for.
    virtual void asking(const operation& one, const socket_info* asked, bool wait,
                        const moment& at) = 0;
    /// An operation comes back, in whatever way.
    /// \param told the program is told of its end: by its packet, its routine or its
    /// result; false where the system alone says so, and what is there may be the program's
    /// again
    virtual void coming_back(const world& before, const operation& one, bool told,
                             const moment& at) = 0;
    /// A packet was dequeued that belongs to no operation and was not posted.
    virtual void strange_packet(std::uint32_t port, std::uintptr_t overlapped,
                                const moment& at) = 0;
    /// A block of memory is about to be freed, and some of it is lent.
    virtual void freeing(std::span<const operation* const> lent, const char* call,
                         std::uintptr_t begin, std::uintptr_t end, const moment& at) = 0;
    /// A call has taken memory away as a whole, and some of it is lent.
    virtual void vanished(const operation& one, const lent_memory& memory, const char* call,
                          const moment& at) = 0;
    /// A thread has come to its end.
    virtual void thread_ending(const world& before, const thread_info& thread,
                               const moment& at) = 0;
    /// CloseHandle is about to be called for a port.
    virtual void closing_port(const port_info& port, const moment& at) = 0;
    /// A wait for the callbacks of the thread pool, or their end, is about to be asked for,
    /// and a Start is left over.
    /// \param submit the one that it was for; null where there was none
    virtual void left_announced(const pool_io& io, const char* call,
                                const uncancelled* submit, const moment& at) = 0;
    /// A socket's packets will be dequeued inside the system.
    virtual void losing_sight(const socket_info& socket, const char* call,
                              const moment& at) = 0;
    /// The program has come to its normal end, and whatever is open now stays open.
    virtual void ending(const world& before, const moment& at) = 0;
    /// There was no memory for what has to be remembered: from here on what the recorder
    /// knows of the program is not true any more. Once, with the lock held.
    virtual void lost_sight() = 0;
    /// The lock is free again.
    /// \param may_wait false inside free, at a thread's end and wherever else the loader's
    /// lock may be held
    virtual void unlocked(bool may_wait) = 0;
};

/// A call that a thread has entered.
struct ticket {
    const char* call = "";
    SOCKET handle = INVALID_SOCKET;
    std::uint32_t socket = 0;
    std::uint32_t thread = 0;
    std::uint64_t began = 0;
    std::uint64_t operation = 0; ///< 0: none is submitted, or it is not tracked
};

/// What a hook knows of an operation before it is submitted.
struct submission {
    const char* call = "";
    SOCKET handle = INVALID_SOCKET;
    SOCKET accept_handle = INVALID_SOCKET;
    OVERLAPPED* overlapped = nullptr;
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = nullptr;
    std::vector<lent_memory> buffers{};
    std::uint32_t local_address_bytes = 0; ///< AcceptEx
    std::uint32_t remote_address_bytes = 0;
    int family = 0; ///< AcceptEx: of the listening socket
};

/// What a cancel is about. When the call returns another thread may have taken the packet,
/// and closed the socket.
struct asked_to_end {
    std::uint32_t socket = 0;           ///< 0: none that is known
    std::uint64_t operation = 0;        ///< 0: all of the socket, or what is not tracked
    std::optional<std::uint32_t> own{}; ///< CancelIo: how many operations these are
};

/// Layer 2: keeps the world and makes a record of everything that changes it. Its functions
/// are called by the hooks, in the order that each of them says, on the thread that makes
/// the call.
///
/// An operation is recorded before the real call and corrected afterwards: its packet may
/// be dequeued by another thread before the call has returned.
///
/// Nothing that fails here is the program's: no function throws. Where memory is missing
/// the recorder loses sight, says so, and records nothing more.
class recorder {
public:
    /// \param hash_sends remember what send buffers held
    recorder(listener& told, bool hash_sends);

    ~recorder();

    recorder(const recorder&) = delete;
    recorder& operator=(const recorder&) = delete;

    /// The first record.
    void start(const std::string& program);

    /// Before and after a call on a socket that submits nothing.
    ticket enter(const char* call, SOCKET handle);
    void leave(const ticket& entered, bool ok, std::uint32_t bytes, std::uint32_t error);

    /// A call that is on no socket in particular, or on one that enter() was not called
    /// for. After it.
    void called(const char* call, std::uint64_t began, bool ok, std::uint32_t error);
    std::uint64_t now() const;

    /// Before and after a call that submits an overlapped operation. A success is
    /// immediate, an error may mean pending.
    ticket submit(submission next);
    /// \param bytes how many at once; nothing where the program did not ask for them
    void returned(const ticket& entered, bool immediate, std::optional<std::uint32_t> bytes,
                  std::uint32_t error);

    /// After a socket was made, or a file or a pipe opened for overlapped operations.
    /// \param family AF_INET …, file_handle
    /// \param type SOCK_STREAM, SOCK_DGRAM …, file_handle
    /// \param seen false for another handle of a socket that there was before
    void made_socket(const char* call, SOCKET handle, int family, int type, bool seen,
                     std::uint64_t began);
    /// Before closesocket; put_back after it, when it has failed.
    /// \param unread bytes that have come and that nobody has received
    socket_info closing(const char* call, SOCKET handle, std::uint32_t unread = 0);
    void put_back(const socket_info& socket);
    bool knows(SOCKET handle) const;

    /// After these calls have succeeded.
    void made_port(HANDLE port);
    void associated(HANDLE handle, HANDLE port, std::uint64_t key);
    void skips_packets(HANDLE handle);
    void has_context(SOCKET handle);
    void lingers(SOCKET handle, bool resets);
    void made_event(HANDLE event);
    /// After SO_UPDATE_ACCEPT_CONTEXT has failed: the accept has.
    void context_failed(SOCKET listener);
    /// Before the call.
    void loses_sight(HANDLE handle, const char* call);
    void closing_port(HANDLE port);
    void closing_event(HANDLE event);
    bool is_port(HANDLE handle) const;

    /// Before PostQueuedCompletionStatus; unpost after it, when it has failed.
    void post(HANDLE port, std::uint32_t bytes, std::uint64_t key, OVERLAPPED* overlapped);
    void unpost(HANDLE port, std::uint32_t bytes, std::uint64_t key,
                OVERLAPPED* overlapped);

    /// Around a wait for packets.
    void waits(HANDLE port);
    /// \param error 0 for a success; nothing where the call does not tell, and the
    /// OVERLAPPED has to be asked
    void dequeued(HANDLE port, std::uint64_t key, OVERLAPPED* overlapped,
                  std::uint32_t bytes, std::optional<std::uint32_t> error);
    void wait_ended(HANDLE port, std::uint32_t error, bool worth_a_record);

    /// Around WSAGetOverlappedResult, GetOverlappedResult and GetOverlappedResultEx.
    void asks(SOCKET handle, OVERLAPPED* overlapped, bool wait);
    void answered(SOCKET handle, OVERLAPPED* overlapped, bool ok, std::uint32_t bytes,
                  std::uint32_t error);

    /// Before a wait for these events.
    void waits_for(std::span<const HANDLE> events);
    /// After a wait that has reported these events. Whoever knows that an operation has
    /// ended may take its memory back without asking for the result, as a program does that
    /// has closed the socket before.
    void signalled(std::span<const HANDLE> events);

    /// When a completion routine is entered.
    /// \return the program's own routine
    LPWSAOVERLAPPED_COMPLETION_ROUTINE
    entered_routine(OVERLAPPED* overlapped, std::uint32_t bytes, std::uint32_t error);

    /// Before CreateThreadpoolIo.
    /// \return whether there is memory to remember what it makes
    bool has_room_for_pool_io();
    /// After CreateThreadpoolIo: for a socket that is known, or for something else, of
    /// which nothing is kept.
    void ties_to_pool(PTP_IO io, SOCKET handle, PTP_WIN32_IO_CALLBACK callback);
    void ties_something_else(PTP_IO io);
    /// Before StartThreadpoolIo, CancelThreadpoolIo and CloseThreadpoolIo.
    void announces(PTP_IO io);
    void takes_announcement_back(PTP_IO io);
    void closes_pool_io(PTP_IO io);
    /// Around WaitForThreadpoolIoCallbacks.
    /// \param drops whether callbacks that have not begun are dropped
    void waits_for_callbacks(PTP_IO io, bool drops);
    void waited_for_callbacks(PTP_IO io, bool drops, std::uint64_t began);
    /// Around a callback of the thread pool.
    /// \return the program's own
    PTP_WIN32_IO_CALLBACK entered_callback(PTP_IO io, OVERLAPPED* overlapped,
                                           std::uint32_t bytes, std::uint32_t error);
    void left_callback(PTP_IO io);

    /// Before CancelIoEx.
    /// \param overlapped the one that is asked to end; null for all of the socket
    asked_to_end asks_to_end(SOCKET handle, const OVERLAPPED* overlapped);
    /// Before CancelIo, which asks only what this thread has submitted to end.
    asked_to_end asks_own_to_end(SOCKET handle);
    /// After the one or the other has returned `asked`, and the call has been made.
    void cancelled(const char* call, SOCKET handle, const asked_to_end& asked, bool ok,
                   std::uint32_t error);

    /// Before a process is started that inherits handles.
    void starts_process(const char* call);

    /// Before memory is freed. Cheap when nothing near it is lent.
    void freeing(const char* call, const void* block, std::size_t bytes);

    /// Around a call that takes memory away, of which is not known what belongs to it: a
    /// fiber's stack, a heap, a view of a file.
    void before_vanishing();
    void vanished(const char* call);

    /// On the thread that ends.
    void thread_ends();

    /// Where there is no DllMain that hears of it: `ended` is called on each thread that
    /// ends, by way of fiber local storage, whose callbacks reach a program, too.
    void follow_threads(PFLS_CALLBACK_FUNCTION ended);

    /// There was no memory for a hook to tell what it has seen.
    void lost_sight() noexcept;

    /// At the program's end.
    /// \param count_what_is_left say what is still open
    /// \param others_live false when other threads may have been ended inside the watch
    void program_ends(bool count_what_is_left, bool others_live);

private:
    class locked;

    thread_info& who();
    socket_info* find(SOCKET handle);
    socket_info& find_or_add(SOCKET handle);
    port_info& find_or_add_port(HANDLE port);
    void emit(record what);
    moment at(const thread_info& thread) const;
    void come_back(std::uint64_t number, record what);
    void leave_socket(const ticket& entered);
    std::uint32_t code_of(ULONG_PTR status) const;
    bool is_told_later(const operation& one) const;
    void settle(const std::vector<const operation*>& operations);
    void settle(std::uint64_t number);
    void settle_all();
    void take_back_orphans(std::uint32_t thread);
    void accept_ended(SOCKET listener, bool failed);
    void forget_guess(SOCKET handle, std::uint32_t number);
    void look_for_deaf_ones();
    pool_io* find_pool_io(PTP_IO io);
    void tell_pool_call(const char* call, const pool_io& io, std::uint64_t began);
    void submits_to_pool(operation& next);
    void came_back_from_pool(const operation& one);

    listener& told_;
    bool hash_sends_;
    mutable SRWLOCK lock_ = SRWLOCK_INIT;
    ULONG(WINAPI* to_code_)(LONG status); ///< RtlNtStatusToDosError
    world world_;
    std::vector<decltype(world::pool_ios)::node_type> spare_pool_ios_; ///< to be filled in
    std::uint64_t frequency_ = 0;
    std::uint64_t began_ = 0;
    std::uint64_t records_ = 0;
    std::uint64_t operations_ = 0;
    std::atomic<std::size_t> with_event_ =
        0; ///< operations in flight that no packet and no routine tells of
    std::atomic<std::size_t> in_flight_ = 0;
    std::uint32_t sockets_ = 0;
    std::uint32_t ports_ = 0;
    std::uint32_t events_ = 0;
    std::uint32_t threads_ = 0;
    std::uint64_t dequeues_ = 0; // calls that have ended
    bool ended_ = false;
    std::atomic<bool> lost_ = false; ///< sight of the program
    DWORD thread_end_slot_ = FLS_OUT_OF_INDEXES;
    DWORD identity_slot_ = TLS_OUT_OF_INDEXES;
    thread_info after_its_end_; ///< a thread that calls when its end was told
};

/// FNV-1a over what a send lends, to see whether it changes.
std::uint64_t hash_of(const std::vector<lent_memory>& memory);

} // namespace iocp::watch
