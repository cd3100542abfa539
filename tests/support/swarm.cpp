#include "tests/support/swarm.hpp"

#include "tests/support/client.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/pattern.hpp"

#include <algorithm>
#include <vector>

namespace support {

namespace {

class member {
public:
    member(const endpoint& where, std::size_t number, std::size_t total)
        : client_(where), number_(number), total_(total) {}

    SOCKET socket() const { return client_.native(); }

    short wanted() const { return sent_ < total_ ? POLLRDNORM | POLLWRNORM : POLLRDNORM; }

    void send_more() {
        char block[16'384];
        const std::size_t size = std::min(sizeof(block), total_ - sent_);
        for (std::size_t i = 0; i < size; ++i) {
            block[i] = pattern_byte(number_, sent_ + i);
        }
        sent_ += client_.send_some({block, size});
        if (sent_ == total_) {
            client_.shutdown_send();
        }
    }

    // False when the stream has ended, as it should.
    bool receive_more() {
        const auto some = client_.receive_some(65'536);
        if (!some) {
            return true;
        }
        if (some->empty()) {
            if (received_ != total_) {
                throw failure(name() + ": the stream ended after " + std::to_string(received_) + " bytes");
            }
            return false;
        }
        for (const char c : *some) {
            if (received_ == total_ || c != pattern_byte(number_, received_)) {
                throw failure(name() + ": wrong byte at " + std::to_string(received_));
            }
            ++received_;
        }
        return true;
    }

private:
    std::string name() const { return "client " + std::to_string(number_); }

    client client_;
    std::size_t number_;
    std::size_t total_;
    std::size_t sent_ = 0;
    std::size_t received_ = 0;
};

} // namespace

void echo_at_once(const endpoint& where, std::size_t clients, std::size_t bytes_each, std::chrono::milliseconds limit) {
    const deadline until(limit);
    std::vector<member> members;
    members.reserve(clients);
    for (std::size_t i = 0; i < clients; ++i) {
        members.emplace_back(where, i, bytes_each);
    }
    std::vector<WSAPOLLFD> polled;
    while (!members.empty()) {
        polled.clear();
        for (const member& one : members) {
            polled.push_back({one.socket(), one.wanted(), 0});
        }
        const int ready = ::WSAPoll(polled.data(), static_cast<ULONG>(polled.size()), until.milliseconds_left());
        if (ready == SOCKET_ERROR) {
            throw failure("WSAPoll", static_cast<unsigned long>(::WSAGetLastError()));
        }
        if (ready == 0) {
            throw failure(std::to_string(members.size()) + " clients were not served in time");
        }
        // From the back, so that one that has finished can be taken out.
        for (std::size_t i = polled.size(); i-- > 0;) {
            if ((polled[i].revents & POLLWRNORM) != 0) {
                members[i].send_more();
            }
            if ((polled[i].revents & ~POLLWRNORM) != 0 && !members[i].receive_more()) {
                members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
    }
}

} // namespace support
