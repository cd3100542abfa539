#pragma once
// A row of the table "Windows and Wine": what Microsoft documents of Windows, what Wine has been seen to do, and what
// the system shows on which the program runs.

#include <string>

namespace probe {

// What a row has in its cells. An empty cell was not probed.
struct row {
    const char* behaviour;
    const char* documented; // of Windows, in short; the page names the source
    const char* wine_8;
    const char* wine_10;
};

// Prints `behaviour: found X (documented: Y) [system]`. Under Wine 8 and Wine 10 it also checks that the table is
// right; on Windows, and under a Wine that nobody has probed, there is nothing to check yet.
void compare(const row& cells, const std::string& found);

// `Windows 10.0.19045` or `Wine 8.0`
const std::string& system_name();

// The major version of Wine, 0 on Windows.
int wine();

} // namespace probe
