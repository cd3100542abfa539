#include "tests/support/faulty_server.hpp"

#include "tests/support/chapter.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/options.hpp"

#include <thread>

namespace support {

namespace {

constexpr char variable[] = "IOCP_FAULTS";

std::filesystem::path faulty_program() {
    std::filesystem::path program = the_options().program;
    return program.replace_filename(std::string(chapter.name) + "_faulty.exe");
}

} // namespace

void needs_faults::fill(doctest::detail::TestCase& state) const {
    state.m_skip = state.m_skip || the_options().own_program || the_options().watched;
}

faulty_server::faulty_server(const std::string& rules, const std::vector<std::wstring>& arguments)
    : server(faulty_program(), arguments, variable_for_children(variable, rules)) {
    const std::string name = faults::shared_name + std::to_string(process_id());
    mapping_ = ::OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name.c_str());
    if (mapping_ == nullptr) {
        throw failure("OpenFileMappingA " + name, ::GetLastError());
    }
    state_ = static_cast<faults::shared_state*>(::MapViewOfFile(mapping_, FILE_MAP_ALL_ACCESS, 0, 0, 0));
    if (state_ == nullptr) {
        const DWORD code = ::GetLastError();
        ::CloseHandle(mapping_);
        throw failure("MapViewOfFile", code);
    }
}

faulty_server::~faulty_server() {
    ::UnmapViewOfFile(state_);
    ::CloseHandle(mapping_);
}

void faulty_server::wait_for_faults(std::uint32_t count, std::size_t rule) const {
    const deadline until;
    while (faults(rule) < count) {
        if (until.passed()) {
            throw failure("only " + std::to_string(faults(rule)) + " calls were made to fail, not " +
                          std::to_string(count));
        }
        std::this_thread::sleep_for(5ms); // another process counts them: there is nothing to wait for
    }
}

void faulty_server::wait_for_calls(std::uint32_t count, std::size_t rule) const {
    const deadline until;
    while (calls(rule) < count) {
        if (until.passed()) {
            throw failure("only " + std::to_string(calls(rule)) + " calls were made, not " + std::to_string(count));
        }
        std::this_thread::sleep_for(5ms); // another process counts them: there is nothing to wait for
    }
}

finished_program run_to_end_with_faults(const std::string& rules, const std::vector<std::wstring>& arguments) {
    const variable_for_children these(variable, rules);
    return run_to_end(faulty_program(), arguments);
}

} // namespace support
