// The recorder: sockets that are tied to the system's thread pool.

#include "common/watch/recorder_lock.hpp"

#include <algorithm>
#include <utility>

namespace iocp::watch {

pool_io* recorder::find_pool_io(PTP_IO io) {
    const auto found = world_.pool_ios.find(io);
    return found == world_.pool_ios.end() ? nullptr : &found->second;
}

void recorder::tell_pool_call(const char* call, const pool_io& io, std::uint64_t began) {
    emit({.kind = record_kind::call,
          .began = began,
          .thread = who().number,
          .call = call,
          .socket = io.socket,
          .result = outcome::ok});
}

bool recorder::has_room_for_pool_io() try {
    const locked guard(*this);
    std::unordered_map<PTP_IO, pool_io> fresh;
    fresh.try_emplace(nullptr);
    spare_pool_ios_.push_back(fresh.extract(nullptr));
    world_.pool_ios.reserve(world_.pool_ios.size() + spare_pool_ios_.size());
    return true;
} catch (const std::exception&) {
    lost_sight();
    return false;
}

void recorder::ties_to_pool(PTP_IO io, SOCKET handle, PTP_WIN32_IO_CALLBACK callback) try {
    const locked guard(*this);
    if (!spare_pool_ios_.empty()) {
        auto fresh = std::move(spare_pool_ios_.back());
        spare_pool_ios_.pop_back();
        fresh.key() = io;
        world_.pool_ios.insert(std::move(fresh));
    }
    pool_io& tied = world_.pool_ios[io];
    tied = {.callback = callback}; // an earlier one had this address
    if (socket_info* const socket = find(handle)) {
        tied.socket = socket->number;
        socket->pool = io;
    }
    tell_pool_call("CreateThreadpoolIo", tied, now());
} catch (const std::exception&) {
    lost_sight();
}

void recorder::ties_something_else(PTP_IO io) try {
    const locked guard(*this);
    world_.pool_ios.erase(io);
} catch (const std::exception&) {
    lost_sight();
}

void recorder::announces(PTP_IO io) try {
    const locked guard(*this);
    if (pool_io* const pool = find_pool_io(io)) {
        ++pool->announced;
        tell_pool_call("StartThreadpoolIo", *pool, now());
    }
} catch (const std::exception&) {
    lost_sight();
}

// Whoever has submitted cancels; if somebody else does, it is for the first that has not
// been cancelled.
void recorder::takes_announcement_back(PTP_IO io) try {
    const locked guard(*this);
    pool_io* const pool = find_pool_io(io);
    if (pool == nullptr) {
        return;
    }
    pool->announced -= pool->announced > 0 ? 1 : 0;
    std::vector<uncancelled>& submits = pool->not_to_come;
    auto whose =
        std::find_if(submits.begin(), submits.end(),
                     [this](const uncancelled& one) { return one.thread == who().number; });
    if (whose == submits.end()) {
        whose = submits.begin();
    }
    if (whose != submits.end()) {
        submits.erase(whose);
    }
    tell_pool_call("CancelThreadpoolIo", *pool, now());
} catch (const std::exception&) {
    lost_sight();
}

// Another thread may be about to cancel what it has submitted, or to submit what it has
// announced. This one is not, and neither is a callback that has returned.
void recorder::waits_for_callbacks(PTP_IO io, bool drops) try {
    const locked guard(*this);
    const thread_info& thread = who();
    told_.calling(world_, at(thread));
    pool_io* const pool = find_pool_io(io);
    if (pool == nullptr || drops || !pool->sure || pool->announced <= pool->in_flight) {
        return;
    }
    const auto forgotten = std::find_if(
        pool->not_to_come.begin(), pool->not_to_come.end(), [&](const uncancelled& one) {
            return one.callback_over || one.thread == thread.number;
        });
    if (forgotten != pool->not_to_come.end()) {
        told_.left_announced(*pool, "WaitForThreadpoolIoCallbacks", &*forgotten,
                             at(thread));
        pool->sure = false; // it is told once
    }
} catch (const std::exception&) {
    lost_sight();
}

// What was dropped will not be told of. Those operations may be in flight all the same, so
// the system is asked about them.
void recorder::waited_for_callbacks(PTP_IO io, bool drops, std::uint64_t began) try {
    const locked guard(*this);
    pool_io* const pool = find_pool_io(io);
    if (pool == nullptr) {
        return;
    }
    if (drops) {
        for (auto& [number, one] : world_.operations) {
            if (one.pool == io && one.told == told_by::pool) {
                one.told = told_by::nothing;
                ++with_event_;
            }
        }
        pool->in_flight = 0;
        pool->announced = 0;
        pool->sure = false; // another thread may have announced something meanwhile
    }
    tell_pool_call("WaitForThreadpoolIoCallbacks", *pool, began);
} catch (const std::exception&) {
    lost_sight();
}

void recorder::closes_pool_io(PTP_IO io) try {
    const locked guard(*this);
    pool_io* const pool = find_pool_io(io);
    if (pool == nullptr) {
        return;
    }
    if (pool->sure && pool->announced > pool->in_flight) {
        told_.left_announced(
            *pool, "CloseThreadpoolIo",
            pool->not_to_come.empty() ? nullptr : &pool->not_to_come.front(), at(who()));
    }
    pool->sure = false;
    tell_pool_call("CloseThreadpoolIo", *pool, now());
} catch (const std::exception&) {
    lost_sight();
}

// The pool ignores the end of what was not announced, so the system is asked about it.
void recorder::submits_to_pool(operation& next) {
    pool_io* const pool = find_pool_io(next.pool);
    if (pool == nullptr || next.told != told_by::pool) {
        return;
    }
    if (world_.is_unannounced(next)) {
        pool->sure = false;
        next.told = told_by::nothing;
        next.socket_seen = false; // which has been said, and is not to be said again
    } else {
        ++pool->in_flight;
    }
}

void recorder::came_back_from_pool(const operation& one) {
    if (pool_io* const pool = find_pool_io(one.pool);
        pool != nullptr && one.told == told_by::pool) {
        pool->in_flight -= pool->in_flight > 0 ? 1 : 0;
    }
}

// The program's callback is called, whatever becomes of the record.
PTP_WIN32_IO_CALLBACK recorder::entered_callback(PTP_IO io, OVERLAPPED* overlapped,
                                                 std::uint32_t bytes, std::uint32_t error) {
    PTP_WIN32_IO_CALLBACK callback = nullptr;
    try {
        const locked guard(*this);
        pool_io* const pool = find_pool_io(io);
        if (pool == nullptr) {
            return nullptr;
        }
        callback = pool->callback;
        pool->announced -= pool->announced > 0 ? 1 : 0;
        if (const operation* const one = world_.with(overlapped)) {
            come_back(one->number, {.kind = record_kind::routine,
                                    .told = told_by::pool,
                                    .result = error == 0 ? outcome::ok : outcome::failed,
                                    .error = error,
                                    .bytes = bytes});
        }
    } catch (const std::exception&) {
        lost_sight();
    }
    return callback;
}

void recorder::left_callback(PTP_IO io) try {
    const locked guard(*this);
    if (pool_io* const pool = find_pool_io(io)) {
        for (uncancelled& one : pool->not_to_come) {
            one.callback_over = one.callback_over || one.thread == who().number;
        }
    }
} catch (const std::exception&) {
    lost_sight();
}

} // namespace iocp::watch
