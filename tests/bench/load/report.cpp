#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace {

// The smallest duration that this part of them does not exceed.
double quantile_us(const std::vector<std::chrono::nanoseconds>& sorted, double part) {
    if (sorted.empty()) {
        return 0;
    }
    const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(sorted.size())));
    return static_cast<double>(sorted[rank - 1].count()) / 1000;
}

std::string in_quotes(const std::string& text) {
    std::string result{'"'};
    for (const char one : text) {
        if (one == '"' || one == '\\') {
            result += '\\';
        }
        result += static_cast<unsigned char>(one) < 0x20 ? ' ' : one;
    }
    return result + '"';
}

double per_second(const report& result) {
    return result.seconds > 0 ? static_cast<double>(result.done) / result.seconds : 0;
}

} // namespace

void report::add_error(const std::string& text) {
    if (errors++ == 0) {
        first_error = text;
    }
}

void print_json(report& result) {
    std::sort(result.durations.begin(), result.durations.end());
    std::printf("{\"event\": \"result\", \"mode\": %s, \"clients\": %zu, \"served\": %zu, \"size\": %zu, "
                "\"seconds\": %.6f, \"done\": %llu, \"per_second\": %.1f, "
                "\"p50_us\": %.1f, \"p99_us\": %.1f, \"longest_us\": %.1f, "
                "\"unanswered\": %zu, \"slow\": %s, \"errors\": %zu, \"first_error\": %s}\n",
                in_quotes(result.mode).c_str(), result.clients, result.served, result.size, result.seconds,
                static_cast<unsigned long long>(result.done), per_second(result), quantile_us(result.durations, 0.5),
                quantile_us(result.durations, 0.99), quantile_us(result.durations, 1), result.unanswered,
                result.slow ? "true" : "false", result.errors, in_quotes(result.first_error).c_str());
    std::fflush(stdout);
}

void print_table(report& result) {
    std::sort(result.durations.begin(), result.durations.end());
    std::printf("%-22s%s\n%-22s%zu, of which %zu were served\n%-22s%zu bytes\n", "mode", result.mode.c_str(), "clients",
                result.clients, result.served, "message", result.size);
    std::printf("%-22s%llu in %.3f s, %.1f a second\n", "done", static_cast<unsigned long long>(result.done),
                result.seconds, per_second(result));
    std::printf("%-22s%.1f us\n%-22s%.1f us\n%-22s%.1f us\n", "half take at most", quantile_us(result.durations, 0.5),
                "99 of 100", quantile_us(result.durations, 0.99), "the longest", quantile_us(result.durations, 1));
    if (result.slow) {
        std::printf("%-22s%s\n", "the rest", "given up as too slow");
    }
    std::printf("%-22s%zu\n%-22s%zu%s%s\n", "without an answer", result.unanswered, "errors", result.errors,
                result.errors != 0 ? ", first: " : "", result.first_error.c_str());
    std::fflush(stdout);
}
