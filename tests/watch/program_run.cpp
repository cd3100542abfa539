#include "program_run.hpp"

#include "tests/support/child.hpp"
#include "tests/support/deadline.hpp"
#include "tests/support/failure.hpp"

#include <filesystem>
#include <optional>
#include <sstream>

namespace watch_tests {

namespace {

std::filesystem::path own_folder() {
    std::wstring path(32'768, L'\0');
    path.resize(::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
    return std::filesystem::path(path).parent_path();
}

std::vector<std::wstring> words_of(const std::string& text) {
    std::vector<std::wstring> words;
    std::istringstream stream(text);
    for (std::string word; stream >> word;) {
        words.emplace_back(word.begin(), word.end());
    }
    return words;
}

// \return what comes after `start`; nothing when the line begins in another way
std::string after(const std::string& line, const std::string& start) {
    return line.starts_with(start) ? line.substr(line.find_first_not_of(' ', start.size())) : std::string();
}

std::vector<said> findings_in(const std::string& text) {
    std::vector<said> findings;
    std::vector<std::string>* frames = nullptr;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        if (line.starts_with("watch: [")) {
            const std::size_t end = line.find(']');
            const std::size_t colon = line.find(':', end);
            findings.push_back({line.substr(8, end - 8), line.substr(end + 2, colon - end - 2), {}, {}});
            frames = nullptr;
        } else if (!findings.empty()) {
            said& last = findings.back();
            std::string frame = after(line, "watch:     here:");
            if (!frame.empty()) {
                frames = &last.here;
            } else if (frame = after(line, "watch:     submitted:"); !frame.empty()) {
                frames = &last.submitted;
            } else {
                frame = after(line, "watch:      ");
            }
            if (frames != nullptr && !frame.empty()) {
                frames->push_back(frame);
            }
        }
    }
    return findings;
}

} // namespace

outcome run(way how, const std::string& program, const std::string& arguments, bool hash_sends) {
    const std::filesystem::path folder = own_folder();
    const std::wstring name(program.begin(), program.end());
    std::vector<std::wstring> words;
    if (how == way::linked) {
        ::SetEnvironmentVariableW(L"IOCP_WATCH", hash_sends ? L"quiet|strict|hash-sends" : L"quiet|strict");
        words.push_back((folder / (L"watch_" + name + L"_watched.exe")).wstring());
    } else {
        ::SetEnvironmentVariableW(L"IOCP_WATCH", nullptr);
        words = {(folder / "watch.exe").wstring(), L"--quiet", L"--strict"};
        if (hash_sends) {
            words.emplace_back(L"--hash-sends");
        }
        words.push_back((folder / (L"watch_" + name + L".exe")).wstring());
    }
    for (const std::wstring& word : words_of(arguments)) {
        words.push_back(word);
    }
    support::child child(support::quoted(words), 0);
    const std::optional<DWORD> status = child.wait(support::deadline());
    if (!status) {
        throw support::failure(program + " " + arguments + " does not end");
    }
    return {*status, child.out().text(), child.err().text(), findings_in(child.err().text())};
}

} // namespace watch_tests
