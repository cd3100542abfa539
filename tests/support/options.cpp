#include "tests/support/options.hpp"

#include "tests/support/chapter.hpp"
#include "tests/support/csv.hpp"
#include "tests/support/failure.hpp"

#include <winsock2.h>

#include <windows.h>

#include <shellapi.h>

namespace support {

namespace {

std::filesystem::path own_folder() {
    std::wstring buffer(32'768, L'\0');
    const DWORD length = ::GetModuleFileNameW(nullptr, buffer.data(), static_cast<DWORD>(buffer.size()));
    if (length == 0 || length == buffer.size()) {
        throw failure("GetModuleFileNameW", ::GetLastError());
    }
    buffer.resize(length);
    return std::filesystem::path(buffer).parent_path();
}

std::string to_utf8(const std::wstring& text) {
    const int length =
        ::WideCharToMultiByte(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), nullptr, 0, nullptr, nullptr);
    std::string result(static_cast<std::size_t>(length), '\0');
    ::WideCharToMultiByte(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), result.data(), length, nullptr,
                          nullptr);
    return result;
}

std::vector<std::wstring> command_line() {
    int count = 0;
    wchar_t** const given = ::CommandLineToArgvW(::GetCommandLineW(), &count);
    if (given == nullptr) {
        throw failure("CommandLineToArgvW", ::GetLastError());
    }
    std::vector<std::wstring> words(given, given + count);
    ::LocalFree(given);
    return words;
}

void parse(const std::vector<std::wstring>& words, options& into) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::wstring& word = words[i];
        if (word == L"--") {
            into.extra_arguments.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
            return;
        }
        if (word == L"--watched") {
            into.watched = true;
        } else if (word == L"--program" || word == L"--has") {
            if (++i == words.size()) {
                throw failure(to_utf8(word) + " needs a value");
            }
            if (word == L"--program") {
                into.program = std::filesystem::absolute(words[i]);
                into.own_program = true;
            } else {
                const std::string list = to_utf8(words[i]);
                for (const std::string_view feature : csv_cells(list)) {
                    into.has.emplace_back(feature);
                }
            }
        } else {
            into.for_doctest.push_back(to_utf8(word));
        }
    }
}

options read_options() {
    options result;
    try {
        const std::filesystem::path folder = own_folder();
        result.ctrl_c = folder / "ctrl_c.exe";
        parse(command_line(), result);
        if (!result.own_program) {
            result.program = folder / (std::string(chapter.name) + (result.watched ? "_watched.exe" : ".exe"));
        }
    } catch (const std::exception& problem) {
        result.mistake = problem.what();
    }
    return result;
}

} // namespace

const options& the_options() {
    static const options instance = read_options();
    return instance;
}

} // namespace support
