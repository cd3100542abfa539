#include "tests/support/flood.hpp"

#include "tests/support/client.hpp"
#include "tests/support/failure.hpp"

#include <string>
#include <utility>
#include <vector>

namespace support {

namespace {

void keep_busy(std::vector<client> clients, const std::atomic<bool>& stop, std::atomic<std::size_t>& came) {
    const std::string block(65'536, 'b');
    std::vector<WSAPOLLFD> polled;
    for (const client& one : clients) {
        polled.push_back({one.native(), POLLRDNORM | POLLWRNORM, 0});
    }
    // The time-out is how long stop may go unseen when the server takes and gives nothing.
    while (!stop && ::WSAPoll(polled.data(), static_cast<ULONG>(polled.size()), 50) != SOCKET_ERROR) {
        for (std::size_t i = 0; i < clients.size(); ++i) {
            if ((polled[i].revents & POLLWRNORM) != 0) {
                clients[i].send_some(block);
            }
            if ((polled[i].revents & POLLRDNORM) != 0) {
                came += clients[i].receive_some(block.size()).value_or("").size();
            }
        }
    }
}

} // namespace

flood::flood(const endpoint& where, std::size_t clients) {
    std::vector<client> all;
    for (std::size_t i = 0; i < clients; ++i) {
        all.emplace_back(where);
        all.back().exchange("here");
    }
    thread_ = std::thread([this, all = std::move(all)]() mutable {
        try {
            keep_busy(std::move(all), stop_, came_);
        } catch (const failure&) {
            // The server has cut one of them: the case that looks at the others finds out.
        }
    });
}

void flood::wait_until_more(std::size_t bytes) const {
    std::size_t last = came_;
    const std::size_t wanted = last + bytes;
    for (deadline until; came_ < wanted; std::this_thread::sleep_for(1ms)) {
        if (came_ != last) {
            last = came_;
            until = deadline();
        } else if (until.passed()) {
            throw failure("of " + std::to_string(bytes) + " bytes of a busy client " + std::to_string(wanted - came_) +
                          " have not come back in time");
        }
    }
}

flood::~flood() {
    stop_ = true;
    thread_.join();
}

} // namespace support
