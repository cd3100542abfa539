#include "tests/support/server.hpp"

#include "tests/support/chapter.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/options.hpp"

#include <doctest/doctest.h>

#include <psapi.h>
#include <tlhelp32.h>

#include <charconv>

namespace support {

namespace {

std::wstring server_command_line(const std::filesystem::path& program, const std::vector<std::wstring>& arguments) {
    const options& options = the_options();
    std::vector<std::wstring> words{options.ctrl_c.wstring(), program.wstring(), L"--port", L"0"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    words.insert(words.end(), options.extra_arguments.begin(), options.extra_arguments.end());
    return quoted(words);
}

// With the watch in the program a broken rule is written to its standard error, whatever its exit status is.
void check_keeps_the_rules(const std::string& err) {
    if (err.find("] exact: ") != std::string::npos) {
        FAIL_CHECK("the watch says that it breaks a rule: " << err);
    }
}

// Does a thread begin in ntdll, as those of its thread pool do? That is at the same place in every process.
bool is_of_the_system(DWORD thread_id) {
    constexpr int win32_start_address = 9; // ThreadQuerySetWin32StartAddress
    using query = LONG(WINAPI*)(HANDLE, int, void*, ULONG, ULONG*);
    const HMODULE ntdll = ::GetModuleHandleW(L"ntdll.dll");
    const auto ask =
        reinterpret_cast<query>(reinterpret_cast<void (*)()>(::GetProcAddress(ntdll, "NtQueryInformationThread")));
    const HANDLE thread = ::OpenThread(THREAD_QUERY_INFORMATION, FALSE, thread_id);
    if (thread == nullptr) {
        return false; // it has gone, or is none of ours
    }
    char* start = nullptr;
    const bool known = ask != nullptr && ask(thread, win32_start_address, &start, sizeof start, nullptr) >= 0;
    ::CloseHandle(thread);
    MODULEINFO place{};
    return known && ::GetModuleInformation(::GetCurrentProcess(), ntdll, &place, sizeof place) &&
           start >= static_cast<char*>(place.lpBaseOfDll) &&
           start < static_cast<char*>(place.lpBaseOfDll) + place.SizeOfImage;
}

// The helper's own line comes first, then the server's.
constexpr std::size_t helper_line = 0;
constexpr std::size_t first_server_line = 1;
constexpr std::string_view pid_start = "pid ";
constexpr std::string_view no_console = "no console";
constexpr std::string_view listening_start = "listening on ";

// The helper gets its console from the system as it starts. One that got none has started nothing: another takes its
// place, with a console of its own. The last one that is tried may have none either, and then says so instead of its
// pid.
std::unique_ptr<child> start_helper(const std::wstring& command_line, deadline until) {
    constexpr int tries = 3;
    std::unique_ptr<child> helper;
    for (int left = tries; left != 0; --left) {
        helper = std::make_unique<child>(command_line, CREATE_NO_WINDOW);
        if (helper->out().line(helper_line, until) != no_console) {
            break;
        }
    }
    return helper;
}

} // namespace

variable_for_children::variable_for_children(const char* name, const std::string& value) : name_(name) {
    if (!::SetEnvironmentVariableA(name, value.c_str())) {
        throw failure("SetEnvironmentVariableA", ::GetLastError());
    }
}

variable_for_children::~variable_for_children() {
    ::SetEnvironmentVariableA(name_, nullptr);
}

finished_program run_to_end(const std::vector<std::wstring>& arguments) {
    return run_to_end(the_options().program, arguments);
}

finished_program run_to_end(const std::filesystem::path& path, const std::vector<std::wstring>& arguments) {
    std::vector<std::wstring> words{path.wstring()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    child program(quoted(words), 0);
    const std::optional<DWORD> status = program.wait(deadline());
    if (!status) {
        throw failure("the program did not end; its output: " + program.out().text() + program.err().text());
    }
    if (the_options().watched) {
        check_keeps_the_rules(program.err().text());
    }
    return {*status, program.out().text(), program.err().text()};
}

server::server(const std::vector<std::wstring>& arguments) {
    start(the_options().program, arguments);
}

server::server(const std::filesystem::path& program, const std::vector<std::wstring>& arguments,
               const variable_for_children&) {
    start(program, arguments);
}

void server::start(const std::filesystem::path& program, const std::vector<std::wstring>& arguments) {
    const deadline until;
    helper_ = start_helper(server_command_line(program, arguments), until);
    const std::optional<std::string> pid = helper_->out().line(helper_line, until);
    const std::optional<std::string> first = helper_->out().line(first_server_line, until);
    if (!pid || !pid->starts_with(pid_start) || !first || !first->starts_with(listening_start)) {
        helper_->end_all();
        throw failure("no server: it wrote \"" + helper_->out().text() + "\" and \"" + err() + "\"");
    }
    std::from_chars(pid->data() + pid_start.size(), pid->data() + pid->size(), process_id_);
    process_ = ::OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, FALSE, process_id_);
    if (process_ == nullptr) {
        throw failure("OpenProcess", ::GetLastError());
    }
    where_ = parse_endpoint(std::string_view(*first).substr(listening_start.size()));
}

void needs_second_program::fill(doctest::detail::TestCase& state) const {
    state.m_skip = state.m_skip || the_options().own_program;
}

second_program::second_program(const std::string& name, const std::vector<std::wstring>& arguments)
    : server(the_options().program.parent_path() / (name + (the_options().watched ? "_watched.exe" : ".exe")),
             arguments) {}

server::~server() {
    if (the_options().watched) {
        check_keeps_the_rules(err());
    }
    ::CloseHandle(process_);
}

void server::press_ctrl_c() {
    helper_->write("c");
}

std::optional<DWORD> server::wait(std::chrono::milliseconds limit) {
    return helper_->wait(deadline(limit));
}

std::string server::out() const {
    const std::string all = helper_->out().text();
    const std::size_t end = all.find('\n');
    return end == std::string::npos ? std::string() : all.substr(end + 1);
}

std::string server::err() const {
    return helper_->err().text();
}

std::optional<std::string> server::line_beginning(std::string_view start) const {
    return helper_->out().line_beginning(start, deadline());
}

std::optional<std::string> server::error_beginning(std::string_view start) const {
    return helper_->err().line_beginning(start, deadline());
}

std::size_t server::memory() const {
    PROCESS_MEMORY_COUNTERS counters{};
    counters.cb = sizeof(counters);
    if (!::GetProcessMemoryInfo(process_, &counters, sizeof(counters))) {
        throw failure("GetProcessMemoryInfo", ::GetLastError());
    }
    return counters.PagefileUsage;
}

DWORD server::handles() const {
    DWORD count = 0;
    if (!::GetProcessHandleCount(process_, &count)) {
        throw failure("GetProcessHandleCount", ::GetLastError());
    }
    return count;
}

std::size_t server::threads() const {
    const HANDLE snapshot = ::CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    if (snapshot == INVALID_HANDLE_VALUE) {
        throw failure("CreateToolhelp32Snapshot", ::GetLastError());
    }
    std::size_t count = 0;
    THREADENTRY32 thread{};
    thread.dwSize = sizeof(thread);
    for (BOOL more = ::Thread32First(snapshot, &thread); more; more = ::Thread32Next(snapshot, &thread)) {
        count += thread.th32OwnerProcessID == process_id_ && !is_of_the_system(thread.th32ThreadID) ? 1 : 0;
    }
    ::CloseHandle(snapshot);
    return count;
}

void check_stops(server& running) {
    if (has("ctrl-c")) {
        running.press_ctrl_c();
        check_ends(running);
    }
}

void check_ends(server& running, std::chrono::milliseconds limit) {
    const std::optional<DWORD> status = running.wait(limit);
    INFO("stderr of the server: ", running.err());
    if (!status) {
        FAIL("after Ctrl+C it still runs, " << limit.count() / 1000 << " seconds later");
    } else if (*status != 0 && (chapter.handles_ctrl_c || *status != STATUS_CONTROL_C_EXIT)) {
        // (Windows documents STATUS_CONTROL_C_EXIT for a program without a handler, such as chapter 01. Wine gives 0.)
        FAIL_CHECK("after Ctrl+C it has ended with status " << *status << " and not 0");
    }
}

} // namespace support
