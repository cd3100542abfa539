#pragma once

#include <string>
#include <string_view>

namespace iocp::watch {

/// What a person calls a function or a class: without template arguments, without the names
/// that compilers have for a namespace without one, and `lambda` for what they call the
/// class of one.
std::string readable(std::string_view name);

/// A function or class in the one that encloses it. A lambda's call is `lambda`, too.
std::string with_enclosing(const std::string& around, const std::string& name);

/// The same from the name that a compiler gives the linker.
std::string of_linker(std::string_view name);

/// What a compiler makes of a lambda so that it can be passed as a plain function: it has
/// the lambda's line and calls it.
bool is_thunk(std::string_view function);

/// Whether it belongs to the C++ library, by its name.
bool is_of_library(std::string_view function);

} // namespace iocp::watch
