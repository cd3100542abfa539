// Chapter 17: the end. First nobody new, then everybody finishes, then, at the deadline,
// the rest is cut off; the workers stop, what is still lent comes back, and only then the
// memory goes.

#include "server.hpp"

#include "common/error.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

// [shut_down]
void server::shut_down() {
    stopped_at_ = clock_type::now();
    stopping_ = true;
    acceptor_->stop();
    while (!live_.wait_until_empty(stopping_tick)) {
        out_of_time_ =
            clock_type::now() - stopped_at_ >= std::chrono::seconds{how_.grace_s};
        post_tick(); // finishes those that are at rest; when the time is up, closes all
    }
}
// [/shut_down]

// [drain]
server::~server() {
    threads_.clear(); // one packet for each worker, and all are joined: from here on there
                      // is only this thread
    acceptor_->stop();
    acceptor_->close();
    live_.for_each([](connection& c) { c.close_now(); });
    drain();
    const auto outstanding = books_.outstanding.load();
    if (outstanding != 0 || live_.size() != 0) {
        std::fprintf(stderr,
                     "at the end %lld operations and %zu connections were still there\n",
                     static_cast<long long>(outstanding), live_.size());
        std::abort(); // to free what is lent would be worse
    }
}

void server::drain() {
    while (books_.outstanding > 0) {
        for (worker& w : workers_) { // its port, and what it had left over
            constexpr DWORD wait_ms = 10;
            if (!w.step(wait_ms)) {
                return;
            }
        }
    }
}
// [/drain]
