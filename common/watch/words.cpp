#include "common/watch/words.hpp"

#include "common/watch/digits.hpp"
#include "common/watch/error_names.hpp"
#include "common/watch/trace.hpp"

#include <winsock2.h>

#include <algorithm>
#include <cstddef>

namespace iocp::watch {

namespace {

bool has_room(const std::vector<lent_memory>& memory) {
    return std::any_of(memory.begin(), memory.end(), [](const lent_memory& one) {
        return !one.overlapped && one.bytes != 0;
    });
}

// What was moved; nothing for a call that moves bytes only as an extra, such as AcceptEx,
// and has not.
std::string moved_words(const record& what) {
    return what.bytes != 0 || transfers(what.call) ? ", " + bytes_words(what.bytes) : "";
}

} // namespace

std::string marked(char mark, std::uint64_t number) {
    return number == 0 ? std::string{} : mark + std::to_string(number);
}

std::string seconds(std::uint64_t nanoseconds) {
    const std::uint64_t ten_thousandths = nanoseconds / 100'000;
    std::string digits = std::to_string(ten_thousandths);
    if (digits.size() < 5) {
        digits.insert(0, 5 - digits.size(), '0');
    }
    return digits.insert(digits.size() - 4, 1, '.');
}

std::string bytes_words(std::uint64_t bytes) {
    return with_commas(bytes) + (bytes == 1 ? " byte" : " bytes");
}

std::string memory_words(const std::vector<lent_memory>& memory) {
    std::string words;
    std::size_t buffers = 0;
    std::uint64_t bytes = 0;
    bool more = false;
    for (const lent_memory& one : memory) {
        if (one.overlapped) {
            words = "OVERLAPPED";
        } else if (one.part != nullptr) {
            more = true;
        } else if (one.bytes != 0) {
            ++buffers;
            bytes += one.bytes;
        }
    }
    if (buffers != 0) {
        words.append(words.empty() ? "" : ", ");
        words.append(buffers == 1 ? "buffer " : std::to_string(buffers) + " buffers ");
        words.append(with_commas(bytes)).append(" B");
    }
    return words.append(more ? ", address" : "");
}

std::string failed_words(std::uint32_t error) {
    return "failed " + error_words(error);
}

std::string ending_words(const record& what) {
    std::string words = what.operation == 0 ? std::string{} : std::string{what.call} + ": ";
    if (what.result == outcome::failed) {
        return words + failed_words(what.error);
    }
    words.append("success").append(moved_words(what));
    if (what.bytes == 0 && std::string_view{what.call} == "WSARecv") {
        words.append(has_room(what.memory) ? ": end of stream" : " asked for");
    }
    return words;
}

std::string return_words(const record& returned, told_by told) {
    switch (returned.result) {
    case outcome::pending:
        return "pending";
    case outcome::failed:
        return failed_words(returned.error);
    default:
        break;
    }
    if (returned.back) {
        return "done at once" + moved_words(returned);
    }
    // The program may not have asked for the number of bytes: what it waits for will tell.
    std::string words = "done at once";
    words.append(returned.bytes == 0 ? "" : ", " + bytes_words(returned.bytes));
    switch (told) {
    case told_by::port:
        return words + ", packet to come";
    case told_by::event:
        return words + ", result to be read";
    case told_by::routine:
        return words + ", routine to come";
    case told_by::pool:
        return words + ", callback to come";
    case told_by::nothing:
        break;
    }
    return words;
}

const char* told_words(told_by told) {
    switch (told) {
    case told_by::event:
        return "ends with an event";
    case told_by::routine:
        return "ends with a routine";
    case told_by::pool:
        return "ends in the thread pool";
    case told_by::nothing:
        return "nothing will tell of its end";
    case told_by::port:
        break;
    }
    return "";
}

std::string key_words(std::uint64_t key) {
    return "key " + (key > 0xFFFF'FFFF ? hexadecimal(key) : std::to_string(key));
}

const char* family_words(int family) {
    return family == AF_INET ? "IPv4" : family == AF_INET6 ? "IPv6" : "";
}

void join(std::string& words, std::string_view more) {
    if (!more.empty()) {
        words.append(words.empty() ? "" : ", ").append(more);
    }
}

} // namespace iocp::watch
