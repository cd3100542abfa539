// Calls in all the ways that a compiler turns inside out when it optimises, and what the watch's symbols say of them.
// The script `compare` reads it and holds it against the compiler's own table of lines; what `note` is told by its
// caller holds whatever that table says.
//
//     program.exe         the stacks that were noted
//     program.exe sweep   every few bytes of its code

#include "_deps/chain.hpp"

#include "common/watch/debug_file.hpp"
#include "common/watch/dwarf.hpp"
#include "common/watch/modules.hpp"
#include "common/watch/stack.hpp"
#include "common/watch/symbols.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

namespace {

namespace watch = iocp::watch;

struct noted {
    unsigned line; // as the program itself knows it
    watch::call_stack calls;
};
std::vector<noted> all;

int remember(unsigned line) {
    all.push_back({line, watch::capture_stack()});
    watch::call_stack& calls = all.back().calls;
    std::rotate(calls.begin(), calls.begin() + 2, calls.end()); // from the caller on
    std::fill(calls.end() - 2, calls.end(), nullptr);
    return static_cast<int>(all.size());
}

// Called through a pointer that may change, so that the compiler cannot put it into its callers.
int (*volatile far_remember)(unsigned) = remember;

int note(unsigned line) {
    return far_remember(line) + 1; // and what follows keeps the call from becoming a jump
}

// --- functions that vanish into each other ---------------------------------------------------------------------------

namespace small {

inline int innermost(int value) {
    return note(__LINE__) + value;
}

inline int middle(int value) {
    const int before = value * 3;
    return innermost(before) - before;
}

inline int outermost(int value) {
    int sum = 0;
    for (int i = 0; i < value; ++i) {
        sum += middle(i);
    }
    return sum;
}

template <typename Value>
Value twice(Value value) {
    value += static_cast<Value>(note(__LINE__));
    return value * 2;
}

class client {
public:
    explicit client(std::string name) : name_(std::move(name)) { length_ = note(__LINE__); }
    ~client() {
        length_ += note(__LINE__);
        length_sum += length_;
    }
    client(const client&) = delete;
    client& operator=(const client&) = delete;
    client(client&& other) noexcept : name_(std::move(other.name_)), length_(other.length_) {}
    client& operator=(client&&) = delete;

    bool operator<(const client& other) const { return note(__LINE__) > 0 && name_ < other.name_; }
    explicit operator bool() const { return note(__LINE__) > 0 && !name_.empty(); }
    int receive(int bytes);

    static inline int length_sum = 0;

private:
    std::string name_;
    int length_ = 0;
};

int client::receive(int bytes) {
    length_ += bytes;
    return note(__LINE__) + length_;
}

} // namespace small

// --- what goes through the standard library --------------------------------------------------------------------------

int through_function() {
    const std::function<int(int)> callback = [](int value) { return note(__LINE__) + value; };
    const std::vector<int> values{3, 1, 2};
    return std::accumulate(values.begin(), values.end(), 0, [&](int sum, int value) { return sum + callback(value); });
}

int through_sort() {
    std::vector<int> values{5, 3, 9};
    std::sort(values.begin(), values.end(), [](int left, int right) { return note(__LINE__) > 0 && left < right; });
    return values.front();
}

int through_deleter() {
    int told = 0;
    {
        const std::shared_ptr<int> shared(new int(7), [&told](int* value) {
            told = note(__LINE__);
            delete value;
        });
        const std::shared_ptr<int> second = shared; // NOLINT: that there are two of them is what is wanted
    }
    return told;
}

int through_containers() {
    std::vector<small::client> clients;
    clients.emplace_back("one");
    clients.emplace_back("two");
    std::map<small::client, int> by_client;
    by_client.try_emplace(small::client("three"), 3);
    by_client.try_emplace(small::client("four"), 4);
    return clients.front().receive(5) + (clients.back() ? 1 : 0);
}

int through_visit() {
    const std::variant<int, std::string> one = std::string("text");
    return std::visit(
        [](const auto& value) {
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
                return note(__LINE__) + static_cast<int>(value.size());
            } else {
                return value;
            }
        },
        one);
}

int through_thread() {
    int told = 0;
    std::thread([&] { told = note(__LINE__); }).join();
    return told;
}

// --- and other shapes ------------------------------------------------------------------------------------------------

int plain_function(int (*callback)(int)) {
    return callback(4) + 1;
}

int through_thunk() {
    return plain_function([](int value) { return note(__LINE__) + value; });
}

int nested_lambdas() {
    const auto outer = [](int value) {
        const auto inner = [](int deeper) { return note(__LINE__) + deeper; };
        return inner(value) + 1;
    };
    return outer(2);
}

int local_class() {
    struct local {
        int value = 1;
        int call() const { return note(__LINE__) + value; }
    };
    return local{}.call();
}

int seldom(int value) {
    if (value > 1'000) {
        const int sum = note(__LINE__) + value;
        throw std::runtime_error("too much: " + std::to_string(sum));
    }
    return value;
}

int caught() {
    try {
        return seldom(2'000);
    } catch (const std::runtime_error& problem) {
        return note(__LINE__) + static_cast<int>(std::string_view(problem.what()).size());
    }
}

int counting_down(int left, int step) {
    if (left <= 0) {
        return note(__LINE__);
    }
    return counting_down(left - step, step) + left;
}

int others() {
    return chain::link<6>(far_remember, unsigned{__LINE__}) + 1;
}

// --- what is said of them --------------------------------------------------------------------------------------------

const auto* const own_base = reinterpret_cast<const char*>(::GetModuleHandleW(nullptr));

std::uint64_t in_file(const void* address, const watch::debug_file& file) {
    return static_cast<std::uint64_t>(static_cast<const char*>(address) - own_base) + file.preferred_base();
}

void print_levels(watch::dwarf& tables, std::uint64_t address) {
    std::printf("address %llx\n", address);
    for (const watch::level& one : tables.at(address)) {
        std::printf("level %s|%s|%u\n", one.function.c_str(), one.path.c_str(), one.line);
    }
}

void print_stacks(watch::dwarf& tables, const watch::debug_file& file) {
    watch::symbols names;
    for (const noted& one : all) {
        std::printf("stack %u\n", one.line);
        for (const watch::frame& frame : names.frames(one.calls)) {
            std::printf("frame %s|%s|%u\n", frame.function.c_str(), frame.file.c_str(), frame.line);
        }
        for (void* const address : one.calls) {
            MEMORY_BASIC_INFORMATION memory{};
            if (address != nullptr && ::VirtualQuery(address, &memory, sizeof(memory)) != 0 &&
                memory.AllocationBase == own_base) {
                print_levels(tables, in_file(address, file) - 1);
            }
        }
    }
}

void sweep(watch::dwarf& tables, const watch::debug_file& file) {
    DWORD64 base = 0;
    const auto* const dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(own_base);
    const auto* const header = reinterpret_cast<const IMAGE_NT_HEADERS64*>(own_base + dos->e_lfanew);
    const IMAGE_SECTION_HEADER& code = *IMAGE_FIRST_SECTION(header);
    const char* const begin = own_base + code.VirtualAddress;
    // What was compiled for this test is looked at closely; of the rest a part will do.
    const RUNTIME_FUNCTION* before = nullptr;
    bool is_near = false;
    for (const char* at = begin; at < begin + code.Misc.VirtualSize; at += is_near ? 3 : 97) {
        const RUNTIME_FUNCTION* const function =
            ::RtlLookupFunctionEntry(reinterpret_cast<DWORD64>(at), &base, nullptr);
        if (function != before) {
            before = function;
            const std::vector<watch::level> levels = tables.at(in_file(at, file));
            is_near = !levels.empty() && levels.back().path.find("places/program.cpp") != std::string::npos;
        }
        if (function != nullptr) {
            print_levels(tables, in_file(at, file));
        }
    }
}

} // namespace

int main(int count, char** arguments) try {
    int sum = small::outermost(2) + small::twice(4) + static_cast<int>(small::twice(4LL));
    sum += through_function() + through_sort() + through_deleter() + through_containers() + through_visit();
    sum += through_thread() + through_thunk() + nested_lambdas() + local_class() + caught();
    sum += counting_down(4, 1) + counting_down(9, 3) + others();

    const watch::debug_file file(watch::path_of(nullptr), own_base);
    watch::dwarf tables(file.sections());
    if (count > 1 && std::string_view(arguments[1]) == "sweep") {
        sweep(tables, file);
    } else {
        print_stacks(tables, file);
    }
    return sum + small::client::length_sum > 0 ? 0 : 1;
} catch (const std::exception& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 1;
}
