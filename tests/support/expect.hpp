#pragma once

#include <string>
#include <string_view>

namespace support {

/// What a chapter's model does, as tests/expectations.csv says it.
enum class outcome {
    served, ///< at once, whatever the others do
    waits,  ///< only when the client in the way has left, and then it is served
    harmed, ///< something is lost, as the chapter's page explains
};

/// One cell of the table.
struct expectation {
    outcome what = outcome::served;
    std::string how; ///< for harmed: what is lost
};

/// Looks up what the chapter under test does. A failure when the table does not know the behaviour or the chapter.
expectation expect(std::string_view behaviour);

} // namespace support
