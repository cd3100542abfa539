#pragma once
/// \file
/// What the narration says, word by word.

#include "common/watch/record.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iocp::watch {

/// `t1`, `s2`: nothing for number 0.
std::string marked(char mark, std::uint64_t number);

/// With four decimals: enough to see what was quick and what took time.
std::string seconds(std::uint64_t nanoseconds);

/// `4,096 bytes`
std::string bytes_words(std::uint64_t bytes);

/// `OVERLAPPED, buffer 4,096 B`
std::string memory_words(const std::vector<lent_memory>& memory);

/// `failed 995 ERROR_OPERATION_ABORTED`
std::string failed_words(std::uint32_t error);

/// How an operation ended, as its packet, its result or its routine says.
std::string ending_words(const record& what);

/// How a submit returned.
/// \param told how the program is told of the end
std::string return_words(const record& returned, told_by told);

/// What tells of the end, when it is not a packet.
const char* told_words(told_by told);

/// A completion key: a number, or the address of what a packet belongs to.
std::string key_words(std::uint64_t key);

/// `IPv4`; nothing for a family without a name here.
const char* family_words(int family);

/// Appends with a comma between.
void join(std::string& words, std::string_view more);

} // namespace iocp::watch
