// A library for command lines takes words, and so did not see how they were written. What
// stands behind PROGRAM is not ours, though, and is to arrive there character for
// character: so this reads the command line itself, up to there.

#include "common/watch/launcher/options.hpp"

#include "common/watch/launcher/paths.hpp"

#include <cwchar>
#include <optional>
#include <string_view>

namespace iocp::watch {

const char* const help_text =
    "watch [options] PROGRAM [ARGS...]\n"
    "Runs a Windows program (x64) and tells what it does with Winsock and completion "
    "ports.\n"
    "Narration and findings go to standard error. The exit status is the program's own.\n"
    "\n"
    "  --strict             status 3 instead of 0 when a rule was broken\n"
    "  --quiet              findings, and no narration\n"
    "  --only socket=N,...  narrates these sockets alone, numbered as in the narration\n"
    "  --trace FILE         writes a trace to FILE, and one for Perfetto to "
    "FILE.chrome.json\n"
    "  --hash-sends         looks whether send buffers change while they are lent\n"
    "  --colour WHEN        auto, always or never\n"
    "  --linked             PROGRAM has the watch in itself: no DLL is brought in\n"
    "  --help               this text\n";

namespace {

// Takes a command line apart by the rules of the C runtime: spaces part words, except
// within quotation marks, and a backslash is itself, except before a quotation mark.
class word_reader {
public:
    // The first word, the name of this program, has rules of its own: a backslash is always
    // itself.
    explicit word_reader(const wchar_t* command_line) : rest_{command_line} {
        for (bool quoted = false; *rest_ != L'\0' && (quoted || !is_space(*rest_));
             ++rest_) {
            quoted = quoted != (*rest_ == L'"');
        }
    }

    std::optional<std::wstring> next() {
        while (is_space(*rest_)) {
            ++rest_;
        }
        if (*rest_ == L'\0') {
            return std::nullopt;
        }
        std::wstring word;
        bool quoted = false;
        while (*rest_ != L'\0' && (quoted || !is_space(*rest_))) {
            const std::size_t backslashes = std::wcsspn(rest_, L"\\");
            rest_ += backslashes;
            const bool before_quote = *rest_ == L'"';
            word.append(before_quote ? backslashes / 2 : backslashes, L'\\');
            if (before_quote && backslashes % 2 == 0) {
                quoted = !quoted;
                ++rest_;
            } else if (before_quote || backslashes == 0) {
                word += *rest_++;
            }
        }
        return word;
    }

    // All that is left, as it was written.
    const wchar_t* rest() const { return rest_; }

private:
    static bool is_space(wchar_t c) { return c == L' ' || c == L'\t'; }

    const wchar_t* rest_;
};

// The program may have moved to another folder before the watch opens the file.
std::wstring trace_path(const std::wstring& given) {
    if (given.empty() ||
        given.find(L'|') !=
            std::wstring::npos) { // which stands between the watch's settings
        throw usage_error{"--trace takes the path of a file, not '" + utf8(given) + "'"};
    }
    return full_path(given);
}

std::wstring socket_numbers(const std::wstring& given) {
    constexpr std::wstring_view what = L"socket=";
    std::wstring numbers = given.starts_with(what) ? given.substr(what.size()) : L"";
    const bool good = !numbers.empty() &&
                      numbers.find_first_not_of(L"0123456789,") == std::wstring::npos &&
                      numbers.front() != L',' && numbers.back() != L',' &&
                      numbers.find(L",,") == std::wstring::npos;
    if (!good) {
        throw usage_error{"--only takes socket=N or socket=N,M, not '" + utf8(given) + "'"};
    }
    return numbers;
}

colour_when colour(const std::wstring& given) {
    if (given == L"auto") {
        return colour_when::automatic;
    }
    if (given == L"always") {
        return colour_when::always;
    }
    if (given == L"never") {
        return colour_when::never;
    }
    throw usage_error{"--colour takes auto, always or never, not '" + utf8(given) + "'"};
}

} // namespace

options read_options(const wchar_t* command_line) {
    options wanted;
    word_reader words{command_line};
    while (const std::optional<std::wstring> word = words.next()) {
        if (word->empty()) {
            break;
        }
        if (!word->starts_with(L"-")) {
            wanted.program = *word;
            wanted.arguments = words.rest();
            return wanted;
        }
        const std::size_t equals = word->find(L'=');
        const std::wstring name = word->substr(0, equals);
        const auto value = [&] { // of `--name value` or `--name=value`
            if (equals != std::wstring::npos) {
                return word->substr(equals + 1);
            }
            return words.next().value_or(L"");
        };
        if (name == L"--only") {
            wanted.only += (wanted.only.empty() ? L"" : L",") + socket_numbers(value());
        } else if (name == L"--trace") {
            wanted.trace = trace_path(value());
        } else if (name == L"--colour") {
            wanted.colour = colour(value());
        } else if (*word == L"--strict") {
            wanted.strict = true;
        } else if (*word == L"--quiet") {
            wanted.quiet = true;
        } else if (*word == L"--hash-sends") {
            wanted.hash_sends = true;
        } else if (*word == L"--linked") {
            wanted.linked = true;
        } else if (*word == L"--help" || *word == L"-h") {
            wanted.help = true;
            return wanted;
        } else {
            throw usage_error{"there is no option " + utf8(*word)};
        }
    }
    throw usage_error{"which program? watch [options] PROGRAM [ARGS...]"};
}

} // namespace iocp::watch
