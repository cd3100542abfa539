#include "tests/support/child.hpp"

#include "tests/support/create_process.hpp"
#include "tests/support/failure.hpp"

namespace support {

namespace {

struct pipe {
    HANDLE read = nullptr;
    HANDLE write = nullptr;
};

// A pipe whose one end, and only that, a child inherits.
pipe make_pipe(HANDLE pipe::*inherited) {
    pipe made;
    if (!::CreatePipe(&made.read, &made.write, nullptr, 0)) {
        throw failure("CreatePipe", ::GetLastError());
    }
    if (!::SetHandleInformation(made.*inherited, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
        throw failure("SetHandleInformation", ::GetLastError());
    }
    return made;
}

HANDLE make_job() {
    const HANDLE job = ::CreateJobObjectW(nullptr, nullptr);
    if (job == nullptr) {
        throw failure("CreateJobObjectW", ::GetLastError());
    }
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (!::SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof(limits))) {
        throw failure("SetInformationJobObject", ::GetLastError());
    }
    return job;
}

} // namespace

drained_pipe::drained_pipe(HANDLE read_end) : read_end_(read_end), reader_([this] { read_to_end(); }) {}

drained_pipe::~drained_pipe() {
    finish();
    ::CloseHandle(read_end_);
}

void drained_pipe::finish() {
    if (reader_.joinable()) {
        reader_.join();
    }
}

void drained_pipe::read_to_end() {
    char buffer[4096];
    DWORD read = 0;
    while (::ReadFile(read_end_, buffer, sizeof(buffer), &read, nullptr) && read != 0) {
        const std::lock_guard lock(mutex_);
        text_.append(buffer, read);
        changed_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

std::string drained_pipe::text() const {
    const std::lock_guard lock(mutex_);
    return text_;
}

std::optional<std::string> drained_pipe::line(std::size_t index, deadline until) const {
    std::optional<std::string> found;
    const auto look = [&] {
        std::size_t start = 0;
        for (std::size_t i = 0;; ++i) {
            const std::size_t end = text_.find('\n', start);
            if (end == std::string::npos) {
                return ended_;
            }
            if (i == index) {
                found = text_.substr(start, end - start);
                return true;
            }
            start = end + 1;
        }
    };
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until.when(), look);
    // Windows programs end lines with \r\n.
    if (found && !found->empty() && found->back() == '\r') {
        found->pop_back();
    }
    return found;
}

std::optional<std::string> drained_pipe::line_beginning(std::string_view start, deadline until) const {
    for (std::size_t i = 0;; ++i) {
        std::optional<std::string> candidate = line(i, until);
        if (!candidate || candidate->starts_with(start)) {
            return candidate;
        }
    }
}

child::child(const std::wstring& command_line, DWORD flags) {
    pipe in = make_pipe(&pipe::read);
    pipe out = make_pipe(&pipe::write);
    pipe err = make_pipe(&pipe::write);
    job_ = make_job();

    STARTUPINFOW startup{};
    startup.cb = sizeof(startup);
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = in.read;
    startup.hStdOutput = out.write;
    startup.hStdError = err.write;
    PROCESS_INFORMATION made{};
    // Suspended, so that it is in the job before it can start anything.
    const BOOL started = create_suspended(command_line, flags, startup, made);
    const DWORD error = ::GetLastError();
    ::CloseHandle(in.read);
    ::CloseHandle(out.write);
    ::CloseHandle(err.write);
    if (!started) {
        throw failure("CreateProcessW", error);
    }
    process_ = made.hProcess;
    write_end_ = in.write;
    out_.emplace(out.read);
    err_.emplace(err.read);
    const bool running =
        ::AssignProcessToJobObject(job_, process_) && ::ResumeThread(made.hThread) != static_cast<DWORD>(-1);
    const DWORD why = ::GetLastError();
    ::CloseHandle(made.hThread);
    if (!running) {
        ::TerminateProcess(process_, 1);
        throw failure("AssignProcessToJobObject or ResumeThread", why);
    }
}

child::~child() {
    end_all();
    ::CloseHandle(process_);
    ::CloseHandle(write_end_);
    ::CloseHandle(job_);
}

void child::write(std::string_view text) {
    DWORD written = 0;
    if (!::WriteFile(write_end_, text.data(), static_cast<DWORD>(text.size()), &written, nullptr)) {
        throw failure("WriteFile to a child", ::GetLastError());
    }
}

std::optional<DWORD> child::wait(deadline until) {
    if (::WaitForSingleObject(process_, static_cast<DWORD>(until.milliseconds_left())) != WAIT_OBJECT_0) {
        return std::nullopt;
    }
    DWORD status = 0;
    if (!::GetExitCodeProcess(process_, &status)) {
        throw failure("GetExitCodeProcess", ::GetLastError());
    }
    end_all();
    return status;
}

void child::end_all() {
    ::TerminateJobObject(job_, 1);
    out_->finish();
    err_->finish();
}

std::wstring quoted(const std::vector<std::wstring>& words) {
    std::wstring line;
    for (const std::wstring& word : words) {
        if (!line.empty()) {
            line += L' ';
        }
        // Backslashes are themselves, except before a quotation mark, where each is doubled.
        line += L'"';
        std::size_t backslashes = 0;
        for (const wchar_t c : word) {
            if (c == L'"') {
                line.append(backslashes + 1, L'\\');
            }
            backslashes = c == L'\\' ? backslashes + 1 : 0;
            line += c;
        }
        line.append(backslashes, L'\\');
        line += L'"';
    }
    return line;
}

} // namespace support
