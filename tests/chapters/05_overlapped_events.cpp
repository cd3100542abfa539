// Chapter 05 lends buffers and waits for the events of its operations, 64 at most: its own cases are those of
// tests/support/handle_limit.cpp.

#include "tests/support/chapter.hpp"

constinit const support::chapter_info support::chapter{.number = 5, .name = "05_overlapped_events", .client_limit = 62};
