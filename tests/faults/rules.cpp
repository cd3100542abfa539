#include "tests/faults/rules.hpp"

#include "tests/faults/faults.hpp"

#include <winsock2.h>

#include <windows.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string_view>

namespace faults {

namespace {

constexpr std::uint32_t hang = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t for_ever = std::numeric_limits<std::uint32_t>::max();

struct rule {
    std::size_t what = 0;
    std::uint32_t code = 0; // for `new` the least size
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t period = 1;
    bool switched = false;
};

constinit rule rules[max_rules];
constinit std::size_t rule_count = 0;
constinit shared_state* shared = nullptr;

[[noreturn]] void give_up(std::string_view what, std::string_view where) {
    std::fprintf(stderr, "IOCP_FAULTS: %.*s: %.*s\n", static_cast<int>(what.size()), what.data(),
                 static_cast<int>(where.size()), where.data());
    std::fflush(stderr);
    ::ExitProcess(120);
}

// Cuts off a number, which must be there.
std::uint32_t number(std::string_view& text, std::string_view whole) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) {
        give_up("a number is missing", whole);
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool cut(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) {
        return false;
    }
    text.remove_prefix(1);
    return true;
}

rule parse(const std::string_view whole, const char* const* known, std::size_t count) {
    std::string_view text = whole;
    rule made;
    const std::string_view name = text.substr(0, text.find(':'));
    text.remove_prefix(name.size());
    while (made.what < count && name != known[made.what]) {
        ++made.what;
    }
    if (made.what == count) {
        give_up("nothing that can fail", whole);
    }
    if (!cut(text, ':')) {
        give_up("NAME:CODE:FIRST-LAST/PERIOD@ is meant", whole);
    }
    if (text.starts_with("hang")) {
        text.remove_prefix(4);
        made.code = hang;
    } else {
        made.code = number(text, whole);
    }
    if (made.code == none && name != "new") {
        give_up("0 is no error", whole);
    }
    if (!cut(text, ':')) {
        give_up("NAME:CODE:FIRST-LAST/PERIOD@ is meant", whole);
    }
    made.first = made.last = number(text, whole);
    if (cut(text, '-')) {
        made.last = text.empty() || text.front() == '/' || text.front() == '@' ? for_ever : number(text, whole);
    }
    if (cut(text, '/')) {
        made.period = number(text, whole);
    }
    made.switched = cut(text, '@');
    if (!text.empty() || made.period == 0) {
        give_up("NAME:CODE:FIRST-LAST/PERIOD@ is meant", whole);
    }
    return made;
}

void share() {
    char name[64];
    std::snprintf(name, sizeof name, "%s%lu", shared_name, ::GetCurrentProcessId());
    // The handle is left open, for the life of the process: with it the name would go.
    const HANDLE mapping =
        ::CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, sizeof(shared_state), name);
    void* const view = mapping == nullptr ? nullptr : ::MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    if (view == nullptr) {
        give_up("no shared memory", name);
    }
    shared = static_cast<shared_state*>(view);
}

// Counts one call. true: the rule wants it to fail.
bool counts(const rule& one) noexcept {
    shared_state::rule& seen = shared->rules[&one - rules];
    if (one.switched && shared->on.load() == 0) {
        return false;
    }
    const std::uint32_t call = ++seen.calls;
    if (call < one.first || call > one.last || (call - one.first) % one.period != 0) {
        return false;
    }
    ++seen.faults;
    return true;
}

} // namespace

void read_rules(const char* const* known, std::size_t count) {
    static char given[1024];
    const DWORD length = ::GetEnvironmentVariableA("IOCP_FAULTS", given, sizeof given);
    if (length >= sizeof given) {
        give_up("too long", "");
    }
    share();
    std::string_view rest(given, length);
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find(' '));
        rest.remove_prefix(one.size());
        cut(rest, ' ');
        if (one.empty()) {
            continue;
        }
        if (rule_count == max_rules) {
            give_up("too many rules", one);
        }
        rules[rule_count] = parse(one, known, count);
        ++rule_count;
    }
}

std::uint32_t fault_of(std::size_t what) noexcept {
    for (std::size_t i = 0; i < rule_count; ++i) {
        if (rules[i].what == what && counts(rules[i])) {
            while (rules[i].code == hang) {
                ::Sleep(INFINITE);
            }
            return rules[i].code;
        }
    }
    return none;
}

bool allocation_fails(std::size_t what, std::size_t size) noexcept {
    for (std::size_t i = 0; i < rule_count; ++i) {
        if (rules[i].what == what && size >= rules[i].code && counts(rules[i])) {
            return true;
        }
    }
    return false;
}

} // namespace faults
