#include "common/watch/report.hpp"

#include "common/watch/colour.hpp"

namespace iocp::watch {
namespace {

const char* colour_of(certainty sure) {
    switch (sure) {
    case certainty::exact:
        return colours::wrong;
    case certainty::heuristic:
        return colours::perhaps_wrong;
    case certainty::info:
        break;
    }
    return colours::quiet;
}

void list(std::string& to, const char* label, const std::vector<frame>& frames) {
    for (const frame& one : frames) {
        to.append("watch:     ").append(label).append(words(one)).append("\n");
        label = "            ";
    }
}

} // namespace

const char* words(certainty sure) {
    switch (sure) {
    case certainty::exact:
        return "exact";
    case certainty::heuristic:
        return "heuristic";
    case certainty::info:
        break;
    }
    return "info";
}

void report(std::string& to, const finding& found, bool colour) {
    std::string line{"watch: ["};
    line.append(found.what->id)
        .append("] ")
        .append(words(found.what->sure))
        .append(": ")
        .append(found.text);
    paint(to, line, colour ? colour_of(found.what->sure) : nullptr);
    to.append("\n");
}

void report_places(std::string& to, const std::vector<frame>& here,
                   const std::vector<frame>& submitted) {
    list(to, "here:       ", here);
    list(to, "submitted:  ", submitted);
}

} // namespace iocp::watch
