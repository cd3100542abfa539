#pragma once
/// \file
/// Stands for a library that comes as sources, in one of the folders that such have: six calls of its own on the way to
/// the call that the watch asks about.

namespace chain {

template <int Left, typename Question, typename Place>
int link(Question ask, const Place& place) {
    if constexpr (Left == 0) {
        return ask(place) + 1;
    } else {
        return link<Left - 1>(ask, place) + 1;
    }
}

} // namespace chain
