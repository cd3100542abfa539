// Prints a line for each code that it is given: the code and the text that our programs show for it. docs/errors.rst
// has recorded what it prints (tests/docs/record_errors).

#include "common/error.hpp"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        std::printf("%s %s\n", argv[i], iocp::error_text(std::strtoul(argv[i], nullptr, 10)).c_str());
    }
}
