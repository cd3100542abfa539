#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace iocp::watch {

/// How sure a check is.
enum class certainty {
    exact,     ///< it follows from the order of the calls: the program is wrong
    heuristic, ///< it looks wrong; there are right programs that do this
    info       ///< worth knowing, not wrong
};

/// One rule that the watch looks after. Its id is stable: pages, tests and people's notes
/// name it.
struct check {
    const char* id;
    certainty sure;
};

namespace checks {

inline constexpr check overlapped_reused{"overlapped-reused", certainty::exact};
inline constexpr check freed_while_lent{"freed-while-lent", certainty::exact};
inline constexpr check stack_of_ended_thread{"stack-of-ended-thread", certainty::exact};
inline constexpr check memory_overlap{"memory-overlap", certainty::exact};
inline constexpr check no_notification{"no-notification", certainty::heuristic};
inline constexpr check concurrent_send{"concurrent-send", certainty::exact};
inline constexpr check concurrent_receive{"concurrent-receive", certainty::exact};
inline constexpr check close_during_call{"close-during-call", certainty::exact};
inline constexpr check result_wrong_socket{"result-wrong-socket", certainty::exact};
inline constexpr check result_wait_on_port{"result-wait-on-port", certainty::exact};
inline constexpr check acceptex_short_address{"acceptex-short-address", certainty::exact};
inline constexpr check accept_context_missing{"accept-context-missing", certainty::exact};
inline constexpr check connect_context_missing{"connect-context-missing", certainty::exact};
inline constexpr check start_missing{"start-missing", certainty::exact};
inline constexpr check thread_ended_with_io{"thread-ended-with-io", certainty::exact};
inline constexpr check socket_left{"socket-left", certainty::exact};
inline constexpr check event_left{"event-left", certainty::exact};
inline constexpr check operation_left{"operation-left", certainty::exact};
inline constexpr check stack_frame_gone{"stack-frame-gone", certainty::heuristic};
inline constexpr check send_buffer_changed{"send-buffer-changed", certainty::heuristic};
inline constexpr check event_changed{"event-changed", certainty::heuristic};
inline constexpr check packet_of_closed_socket{"packet-of-closed-socket",
                                               certainty::heuristic};
inline constexpr check cancel_of_nothing{"cancel-of-nothing", certainty::heuristic};
inline constexpr check cancel_missing{"cancel-missing", certainty::heuristic};
inline constexpr check listener_deaf{"listener-deaf", certainty::heuristic};
inline constexpr check socket_inherited{"socket-inherited", certainty::heuristic};
inline constexpr check thread_ended_with_event{"thread-ended-with-event",
                                               certainty::heuristic};
inline constexpr check packet_from_elsewhere{"packet-from-elsewhere", certainty::info};
inline constexpr check port_closed_with_waiters{"port-closed-with-waiters",
                                                certainty::info};
inline constexpr check packets_pile_up{"packets-pile-up", certainty::info};
inline constexpr check closed_with_unread_input{"closed-with-unread-input",
                                                certainty::info};
inline constexpr check untracked{"untracked", certainty::info};

} // namespace checks

/// Return addresses, the innermost first; unused ones are null. Capturing costs no symbols,
/// see symbols.hpp.
using call_stack = std::array<void*, 48>;

/// A check that has something to say.
struct finding {
    const check* what = nullptr;
    std::uint64_t nanoseconds = 0; ///< since the start
    std::uint32_t thread = 0;
    std::uint64_t number =
        0; ///< its place among the records: it follows the record of this number
    std::string text{}; ///< one line: what happened
    std::uint64_t operation = 0;
    std::uint32_t socket = 0;
    call_stack here{};      ///< where the rule was broken
    call_stack submitted{}; ///< where the operation was submitted
};

} // namespace iocp::watch
