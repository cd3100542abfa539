#include "common/watch/function_names.hpp"

#if defined(__GNUC__)
#include <cxxabi.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <utility>

namespace iocp::watch {
namespace {

constexpr std::string_view sign = "operator";
// Those with brackets that are none, the longest first.
constexpr std::string_view signs[] = {"<=>", "<<=", ">>=", "->*", "<<", ">>",
                                      "<=",  ">=",  "->",  "<",   ">"};

void erase_all(std::string& text, std::string_view part) {
    for (std::size_t at = text.find(part); at != std::string::npos;
         at = text.find(part, at)) {
        text.erase(at, part.size());
    }
}

#if defined(__GNUC__)
// `std::vector<int>::at(unsigned long)`; empty for a name of C.
std::string demangled(const std::string& name) {
    if (!name.starts_with("_Z")) { // it would take it for a type
        return {};
    }
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text{
        abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free};
    return status == 0 && text != nullptr ? std::string{text.get()} : std::string{};
}

// Without what is around a name in a declaration: parameters, the type of the result before
// it, and what it promises after it.
std::string without_types(const std::string& text) {
    std::string name;
    std::size_t depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        constexpr std::string_view call = "operator()";
        if (depth == 0 && text.compare(i, call.size(), call) == 0) {
            name.append(call);
            i += call.size() - 1;
        } else if (text[i] == '(') {
            ++depth;
        } else if (text[i] == ')' && depth != 0) {
            --depth;
        } else if (depth == 0) {
            name += text[i];
        }
    }
    if (name.ends_with(" const")) {
        name.erase(name.size() - std::string_view(" const").size());
    }
    const std::size_t space = name.rfind(' ', name.find(sign));
    return space == std::string::npos ? name : name.substr(space + 1);
}
#endif

// A lambda's call is told as the lambda.
std::string without_call(std::string function) {
    constexpr std::string_view call = "::operator()";
    if (function.ends_with("lambda::operator()")) {
        function.erase(function.size() - call.size());
    }
    return function;
}

} // namespace

std::string readable(std::string_view name) {
    std::string function{name};
    erase_all(function, "`anonymous namespace'::");
    erase_all(function, "(anonymous namespace)::");
    std::string words;
    std::size_t depth = 0;
    for (std::size_t i = 0; i < function.size(); ++i) {
        if (depth == 0 && function.compare(i, sign.size(), sign) == 0) {
            words.append(sign);
            i += sign.size() - 1;
            const auto* const its =
                std::find_if(std::begin(signs), std::end(signs), [&](std::string_view one) {
                    return function.compare(i + 1, one.size(), one) == 0;
                });
            if (its != std::end(signs)) {
                words.append(*its);
                i += its->size();
            }
        } else if (function[i] == '<' || function[i] == '{') {
            if (depth++ == 0 && (words.empty() || words.ends_with("::"))) {
                words.append("lambda"); // <lambda(int)>, <lambda_1>, {lambda()#1}: its
                                        // place in the source tells which
            }
        } else if ((function[i] == '>' || function[i] == '}') && depth != 0) {
            --depth;
        } else if (depth == 0) {
            words += function[i];
        }
    }
    return without_call(std::move(words));
}

std::string with_enclosing(const std::string& around, const std::string& name) {
    if (around.empty() || name.empty()) {
        return around + name;
    }
    return without_call(around + "::" + name);
}

std::string of_linker(std::string_view name) {
    // A part of a function that the compiler has put elsewhere, or a copy made for some of
    // its calls.
    std::string whole{name.substr(0, name.find('.'))};
#if defined(__GNUC__)
    if (const std::string text = demangled(whole); !text.empty()) {
        return without_call(without_types(readable(text)));
    }
#endif
    return whole;
}

bool is_thunk(std::string_view function) {
    return function.ends_with("lambda::_FUN") || function.ends_with("lambda::__invoke");
}

bool is_of_library(std::string_view function) {
    constexpr std::string_view names[] = {
        "std::", "__gnu_cxx::", "__cxxabiv1::", "operator new", "operator delete"};
    return std::any_of(std::begin(names), std::end(names),
                       [&](std::string_view one) { return function.starts_with(one); });
}

} // namespace iocp::watch
