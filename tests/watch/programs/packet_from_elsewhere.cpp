// packet-from-elsewhere: a packet comes that no call of this program has brought about.
//
// A job sends its news to a port, too. Its packet has a process id where others have an OVERLAPPED: a worker that casts
// every pointer to its own structure reads memory that is not there. The key tells them apart.

#include "pair.hpp"

using namespace programs;

namespace {

constexpr ULONG_PTR job_key = 1;
constexpr ULONG_PTR own_key = 2;

// [wrong]
void wrong() {
    const iocp::unique_handle port = iocp::make_port(0);
    const iocp::unique_handle job{::CreateJobObjectW(nullptr, nullptr)};
    check(job.get() != nullptr, "CreateJobObjectW");
    JOBOBJECT_ASSOCIATE_COMPLETION_PORT news{reinterpret_cast<void*>(job_key), port.get()};
    check(::SetInformationJobObject(job.get(), JobObjectAssociateCompletionPortInformation, &news, sizeof news),
          "SetInformationJobObject");
    check(::AssignProcessToJobObject(job.get(), ::GetCurrentProcess()), "AssignProcessToJobObject");
    // here: JOB_OBJECT_MSG_NEW_PROCESS
    dequeue(port);
}
// [/wrong]

// [right]
void right() {
    const iocp::unique_handle port = iocp::make_port(0);
    OVERLAPPED news{}; // a packet of our own may have one, and here it is one
    check(::PostQueuedCompletionStatus(port.get(), 0, own_key, &news), "PostQueuedCompletionStatus");
    dequeue(port);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
