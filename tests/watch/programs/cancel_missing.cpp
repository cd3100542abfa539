// cancel-missing: the thread pool was told of an operation that no callback will come for.
//
// The submit has failed at once, or has succeeded at once in skip mode. CancelThreadpoolIo would take the announcement
// back. Without it something is never freed, and whoever waits for the callbacks waits for one that never comes.

#include "pair.hpp"

#include "common/skip_mode.hpp"

#include <chrono>
#include <future>
#include <utility>

using namespace programs;

namespace {

// [send]
OVERLAPPED overlapped;
char words[] = "hello";

void CALLBACK sent(PTP_CALLBACK_INSTANCE, void*, void*, ULONG, ULONG_PTR, PTP_IO) {}

PTP_IO tie(SOCKET socket) {
    const PTP_IO io = ::CreateThreadpoolIo(reinterpret_cast<HANDLE>(socket), sent, nullptr, nullptr);
    check(io != nullptr, "CreateThreadpoolIo");
    return io;
}

// \return the code, if it has not ended at once
int submit(SOCKET socket) {
    WSABUF buffer{sizeof words, words};
    DWORD bytes = 0;
    // submitted
    return ::WSASend(socket, &buffer, 1, &bytes, 0, &overlapped, nullptr) == 0 ? 0 : ::WSAGetLastError();
}
// [/send]

// A send that fails at once: we have said before that we send no more.
void submit_what_fails(SOCKET socket) {
    check(::shutdown(socket, SD_SEND) == 0, "shutdown");
    check(submit(socket) == WSAESHUTDOWN, "WSASend");
}

void close(pair& sockets) {
    check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket");
}

// [wrong]
void wrong() {
    pair sockets;
    const PTP_IO io = tie(sockets.ours);
    ::StartThreadpoolIo(io);
    submit_what_fails(sockets.ours);
    close(sockets);
    // here
    ::CloseThreadpoolIo(io);
}
// [/wrong]

// [wrong_skip]
void wrong_skip() {
    pair sockets;
    check(iocp::turn_on_skip_mode(sockets.ours), "SetFileCompletionNotificationModes");
    const PTP_IO io = tie(sockets.ours);
    ::StartThreadpoolIo(io);
    check(submit(sockets.ours) == 0, "WSASend"); // at once: nobody calls us
    close(sockets);
    // here
    ::CloseThreadpoolIo(io);
}
// [/wrong_skip]

// [wrong_wait]
void submit_and_wait(SOCKET socket, PTP_IO io) {
    ::StartThreadpoolIo(io);
    submit_what_fails(socket);
    // here
    ::WaitForThreadpoolIoCallbacks(io, FALSE);
}

void wrong_wait() {
    pair sockets;
    const PTP_IO io = tie(sockets.ours);
    std::future<void> waited = std::async(std::launch::async, submit_and_wait, sockets.ours, io);
    constexpr std::chrono::milliseconds a_while{200}; // however long: it would not end
    if (waited.wait_for(a_while) == std::future_status::timeout) {
        harm("The send has failed at once. A thread waits for its callback, which never comes.");
        ::CancelThreadpoolIo(io); // so that this program ends
    }
    waited.get();
    close(sockets);
    ::CloseThreadpoolIo(io);
}
// [/wrong_wait]

// [right]
void right() {
    pair sockets;
    const PTP_IO io = tie(sockets.ours);
    ::StartThreadpoolIo(io);
    submit_what_fails(sockets.ours);
    ::CancelThreadpoolIo(io); // no callback will come
    close(sockets);
    ::WaitForThreadpoolIoCallbacks(io, FALSE);
    ::CloseThreadpoolIo(io);
}
// [/right]

// [right_skip]
void right_skip() {
    pair sockets;
    check(iocp::turn_on_skip_mode(sockets.ours), "SetFileCompletionNotificationModes");
    const PTP_IO io = tie(sockets.ours);
    ::StartThreadpoolIo(io);
    check(submit(sockets.ours) == 0, "WSASend");
    ::CancelThreadpoolIo(io);
    close(sockets);
    ::WaitForThreadpoolIoCallbacks(io, FALSE);
    ::CloseThreadpoolIo(io);
}
// [/right_skip]

// One thread has submitted and is about to cancel, another one waits already.
void right_wait() {
    pair sockets;
    const PTP_IO io = tie(sockets.ours);
    ::StartThreadpoolIo(io);
    submit_what_fails(sockets.ours);
    std::future<void> waited = std::async(std::launch::async, [&] { ::WaitForThreadpoolIoCallbacks(io, FALSE); });
    waited.wait_for(std::chrono::milliseconds{50}); // whether it is inside by then does not matter
    ::CancelThreadpoolIo(io);
    waited.get();
    close(sockets);
    ::CloseThreadpoolIo(io);
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong skip", wrong_skip},
                {"wrong wait", wrong_wait},
                {"right", right},
                {"right skip", right_skip},
                {"right wait", right_wait}});
}
