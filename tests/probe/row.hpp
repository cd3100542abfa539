#pragma once
// A row of the table "Windows and Wine": what is expected of Windows, what Wine has been seen to do, and what the
// system shows on which the program runs.

#include <string>

namespace probe {

// What a row has in its cells. An empty cell was not probed. What is expected of Windows stands in docs/claims.csv,
// with how it is known.
struct row {
    const char* claim; // the id there
    const char* behaviour;
    const char* wine_8;
    const char* wine_10;
};

// Prints `behaviour: found X (documented: Y; reported: Z) [system]`. Under Wine 8 and Wine 10 it also checks that the
// table is right. On Windows it says whether X is what is expected there, and checks nothing: no case can fail before
// somebody has seen what is right. A Wine that nobody has probed has nothing to be compared with.
void compare(const row& cells, const std::string& found);

// `Windows 10.0.19045` or `Wine 8.0`
const std::string& system_name();

// The major version of Wine, 0 on Windows.
int wine();

} // namespace probe
