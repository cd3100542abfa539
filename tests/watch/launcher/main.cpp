#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "tests/support/child.hpp"
#include "tests/support/failure.hpp"

#include <winsock2.h>

#include <windows.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using support::child;
using support::deadline;
using words = std::vector<std::wstring>;
namespace fs = std::filesystem;

fs::path own_folder() {
    std::wstring path(32'768, L'\0');
    const DWORD length = ::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size()));
    if (length == 0 || length == path.size()) {
        throw support::failure("GetModuleFileNameW", ::GetLastError());
    }
    path.resize(length);
    return fs::path(path).parent_path();
}

std::wstring beside(const wchar_t* name) {
    return (own_folder() / name).wstring();
}

const std::wstring watch = beside(L"watch.exe");
const std::wstring launched = beside(L"launched.exe");

// A folder of this test's own, with a name that no code page holds, gone at the end.
class scratch_folder {
public:
    scratch_folder()
        : path_{fs::temp_directory_path() / (L"watch \u00fc\u65e5 " + std::to_wstring(::GetCurrentProcessId()))} {
        fs::create_directories(path_);
    }
    ~scratch_folder() {
        std::error_code ignored; // it is only a folder for temporary files
        fs::remove_all(path_, ignored);
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    std::wstring file(const wchar_t* name, const std::string& content) const {
        std::ofstream{path_ / name, std::ios::binary} << content;
        return (path_ / name).wstring();
    }
    std::wstring copy(const std::wstring& from, const wchar_t* name) const {
        fs::copy_file(from, path_ / name);
        return (path_ / name).wstring();
    }
    std::wstring path() const { return path_.wstring(); }

private:
    fs::path path_;
};

struct finished {
    DWORD status;
    std::string out;
    std::string err;
};

std::string without_carriage_returns(std::string text) {
    std::erase(text, '\r');
    return text;
}

finished run_line(const std::wstring& command_line) {
    child program{command_line, 0};
    const std::optional<DWORD> status = program.wait(deadline());
    if (!status) {
        program.end_all();
        throw support::failure("it did not end; it wrote: " + program.out().text() + program.err().text());
    }
    return {*status, without_carriage_returns(program.out().text()), without_carriage_returns(program.err().text())};
}

finished run(const words& command) {
    return run_line(support::quoted(command));
}

std::string bytes_of(const void* from, std::size_t count) {
    return {static_cast<const char*>(from), count};
}

// As much of a program as its headers.
std::string headers(WORD machine, WORD more_characteristics = 0) {
    IMAGE_DOS_HEADER dos{};
    dos.e_magic = IMAGE_DOS_SIGNATURE;
    dos.e_lfanew = sizeof dos;
    const DWORD signature = IMAGE_NT_SIGNATURE;
    IMAGE_FILE_HEADER header{};
    header.Machine = machine;
    header.Characteristics = static_cast<WORD>(IMAGE_FILE_EXECUTABLE_IMAGE | more_characteristics);
    return bytes_of(&dos, sizeof dos) + bytes_of(&signature, sizeof signature) + bytes_of(&header, sizeof header);
}

// One line that begins so and holds `what`, and status 1: the program was not started.
void check_refused(const finished& was, const char* what) {
    CHECK(was.status == 1);
    CHECK(was.out.empty());
    CHECK(was.err.starts_with("watch: "));
    CHECK(was.err.find('\n') == was.err.size() - 1);
    CHECK_MESSAGE(was.err.find(what) != std::string::npos, was.err);
}

} // namespace

TEST_CASE("a program that is not there is refused with one line") {
    check_refused(run({watch, L"no\\such.exe"}), "no\\such.exe: no such file");
}

TEST_CASE("a text file is refused as not a program") {
    const scratch_folder folder;
    check_refused(run({watch, folder.file(L"text.exe", "This is no program, long as it may be. MZ\n")}),
                  "not a Windows program");
    check_refused(run({watch, folder.file(L"empty.exe", "")}), "not a Windows program");
    check_refused(run({watch, folder.file(L"dos.exe", "MZ" + std::string(200, '\xff'))}), "not a Windows program");
}

TEST_CASE("a folder is refused") {
    check_refused(run({watch, own_folder().wstring()}), "a folder, not a program");
}

TEST_CASE("a 32-bit program is refused before it is started") {
    const scratch_folder folder;
    check_refused(run({watch, folder.file(L"old.exe", headers(IMAGE_FILE_MACHINE_I386))}), "a 32-bit program");
}

TEST_CASE("a program for another processor and a DLL are refused") {
    const scratch_folder folder;
    check_refused(run({watch, folder.file(L"arm.exe", headers(IMAGE_FILE_MACHINE_ARM64))}), "another processor");
    check_refused(run({watch, folder.file(L"lib.exe", headers(IMAGE_FILE_MACHINE_AMD64, IMAGE_FILE_DLL))}),
                  "a DLL, not a program");
}

TEST_CASE("a program that the system cannot start is refused with the system's word for it") {
    const scratch_folder folder;
    check_refused(run({watch, folder.file(L"half.exe", headers(IMAGE_FILE_MACHINE_AMD64))}), "CreateProcessW");
}

TEST_CASE("without its DLL the launcher says where it looks for it") {
    const scratch_folder folder;
    check_refused(run({folder.copy(watch, L"alone.exe"), launched, L"status", L"0"}), "watch.dll: no such file");
}

TEST_CASE("a file that is not the watch under its DLL's name is found out") {
    const scratch_folder folder;
    folder.file(L"watch.dll", "This is no DLL.\n");
    check_refused(run({folder.copy(watch, L"watch.exe"), launched, L"words", L"not to be seen"}),
                  "could not bring watch.dll in");
}

TEST_CASE("a program that ends before the watch is in says so") {
    check_refused(run({watch, beside(L"ends_early.exe")}), "ended before the watch was in, with status 0x00000009");
}

TEST_CASE("a program without one of its DLLs says so") {
    ::SetErrorMode(SEM_FAILCRITICALERRORS); // inherited: no window tells of the DLL
    const scratch_folder folder;
    check_refused(run({watch, folder.copy(beside(L"ends_early.exe"), L"lone.exe")}), "a DLL that it needs is missing");
}

TEST_CASE("a linked program without the watch is found out") {
    check_refused(run({watch, L"--linked", launched, L"status", L"4"}), "no watch in itself");
}

TEST_CASE("a bad option ends with status 2 and one line") {
    for (const words& bad : {words{L"--frob"},
                             {L"--only", L"3"},
                             {L"--only", L"socket=3,,4"},
                             {L"--only=socket="},
                             {L"--trace", L""},
                             {L"--trace", L"a|b"},
                             {L"--colour", L"blue"},
                             {L"--strict=no"},
                             {}}) {
        words all{watch};
        all.insert(all.end(), bad.begin(), bad.end());
        if (!bad.empty()) {
            all.insert(all.end(), {launched, L"status", L"0"});
        }
        const finished was = run(all);
        CAPTURE(was.err);
        CHECK(was.status == 2);
        CHECK(was.out.empty());
        CHECK(was.err.starts_with("watch: "));
        CHECK(was.err.find('\n') == was.err.size() - 1);
    }
}

TEST_CASE("options are taken apart as the C runtime does it") {
    const finished was = run_line(L'"' + watch + LR"(" --quiet --colour "two \\\"words\\" ")" + launched + L'"');
    CHECK(was.status == 2);
    CHECK_MESSAGE(was.err.find(R"(not 'two \"words\')") != std::string::npos, was.err);
}

TEST_CASE("help names every option") {
    const finished was = run({watch, L"--help"});
    CHECK(was.status == 0);
    CHECK(was.err.empty());
    for (const char* option : {"--strict", "--quiet", "--only", "--trace", "--hash-sends", "--colour", "--linked"}) {
        CHECK(was.out.find(option) != std::string::npos);
    }
}

TEST_CASE("the program's exit status is passed on") {
    CHECK(run({watch, L"--quiet", launched, L"status", L"0"}).status == 0);
    CHECK(run({watch, L"--quiet", launched, L"status", L"77"}).status == 77);
    CHECK(run({watch, L"--quiet", L"--strict", launched, L"status", L"1"}).status == 1);
}

TEST_CASE("a crash is passed on as the status that it has without the watch") {
    CHECK(run({watch, L"--quiet", launched, L"crash"}).status == static_cast<DWORD>(EXCEPTION_ACCESS_VIOLATION));
}

TEST_CASE("every argument arrives as it was given") {
    const words given{L"plain", L"two words",       L"",         L"a\"quote",  L"back\\slash", L"ends in \\",
                      L"\\\\",  L"\\\\\"mixed\\\"", L"--strict", L"--trace=x", L"%PATH%",      L"t\tab",
                      L"*",     L"\u00fc\u65e5"};
    words all{watch, L"--quiet", L"--only", L"socket=1,2", launched, L"words"};
    all.insert(all.end(), given.begin(), given.end());
    const finished was = run(all);
    CHECK(was.status == 0);
    CHECK(was.out ==
          "plain\ntwo words\n\na\"quote\nback\\slash\nends in \\\n\\\\\n\\\\\"mixed\\\"\n--strict\n--trace=x\n"
          "%PATH%\nt\tab\n*\n\xc3\xbc\xe6\x97\xa5\n");
}

TEST_CASE("what follows the program is not even quoted anew") {
    const finished was = run_line(L'"' + watch + L"\" --quiet  \"" + launched + L"\"  command-line   a\"b c\"d '\\\" ");
    CHECK(was.status == 0);
    CHECK(was.out.ends_with("launched.exe\"  command-line   a\"b c\"d '\\\" \n"));
}

TEST_CASE("an ending of .exe may be left out") {
    CHECK(run({watch, L"--quiet", beside(L"launched"), L"status", L"6"}).status == 6);
}

TEST_CASE("names of files may be in any script") {
    const scratch_folder folder;
    const std::wstring there = folder.copy(watch, L"watch.exe");
    folder.copy(beside(L"watch.dll"), L"watch.dll");
    const finished was = run({there, L"--quiet", folder.copy(launched, L"\u00e9\u4e16.exe"), L"words", L"yes"});
    CHECK(was.err == "");
    CHECK(was.status == 0);
    CHECK(was.out == "yes\n");
}

TEST_CASE("the program has the launcher's standard input") {
    child running{support::quoted({watch, L"--quiet", launched, L"greet"}), 0};
    running.write("x");
    CHECK(running.wait(deadline()) == 0u);
    CHECK(without_carriage_returns(running.out().text()) == "still here\n");
}

TEST_CASE("the launcher survives Ctrl+C and waits for the program") {
    child helper{support::quoted({beside(L"ctrl_c.exe"), watch, L"--quiet", launched, L"wait", L"7"}),
                 CREATE_NO_WINDOW};
    const deadline until;
    REQUIRE(helper.out().line_beginning("waiting", until));
    helper.write("c");
    CHECK(helper.out().line_beginning("pressed", until));
    CHECK(helper.wait(until) == 7u);
}

TEST_CASE("the program ends when the launcher is killed") {
    child launcher{support::quoted({watch, L"--quiet", launched, L"wait"}), 0};
    const deadline until;
    REQUIRE(launcher.out().line_beginning("waiting", until));
    REQUIRE(::TerminateProcess(launcher.process(), 1));
    // The pipe ends with its last writer, which is the program.
    CHECK_FALSE(launcher.out().line_beginning("never", until));
    CHECK_FALSE(until.passed());
}

TEST_CASE("what the program has started outlives it as it does without the watch") {
    child launcher{support::quoted({watch, L"--quiet", launched, L"leave"}), 0};
    const deadline until;
    REQUIRE(::WaitForSingleObject(launcher.process(), static_cast<DWORD>(until.milliseconds_left())) == WAIT_OBJECT_0);
    launcher.write("x");
    CHECK(launcher.out().line_beginning("still here", until));
}

TEST_CASE("with strict a broken rule makes status 3 out of 0") {
    const finished strict = run({watch, L"--strict", L"--quiet", launched, L"break", L"0"});
    CAPTURE(strict.err);
    CHECK(strict.status == 3);
    CHECK(strict.err.find("watch: [overlapped-reused] exact: ") != std::string::npos);
    CHECK(run({watch, L"--quiet", launched, L"break", L"0"}).status == 0);
    CHECK(run({watch, L"--strict", L"--quiet", launched, L"break", L"5"}).status == 5);
    CHECK(run({watch, L"--strict", L"--quiet", launched, L"status", L"0"}).status == 0);
}
