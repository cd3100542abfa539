// Chapter 04 waits for event objects, and one wait takes 64 of them at most: its own cases are those of
// tests/support/handle_limit.cpp.

#include "tests/support/chapter.hpp"

constinit const support::chapter_info support::chapter{.number = 4, .name = "04_event_select", .client_limit = 62};
