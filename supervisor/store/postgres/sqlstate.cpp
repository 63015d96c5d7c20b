#include "supervisor/store/postgres/sqlstate.h"

#include <algorithm>

namespace fieldwarden::supervisor::postgres {

ErrorKind kind_of(std::string_view sqlstate) {
    const auto group = sqlstate.substr(0, 2);
    if (sqlstate == "57014" || sqlstate == "55P03" || group == "40") return ErrorKind::kBusy;
    if (group == "08" || group == "53" || group == "57" || group == "58" || sqlstate == "25006" ||
        sqlstate == "25P03") {
        return ErrorKind::kUnavailable;
    }
    if (group == "23") return ErrorKind::kConflict;
    if (group == "54") return ErrorKind::kTooLarge;
    if (group == "28" || sqlstate == "3D000" || sqlstate == "42501") return ErrorKind::kInvalidArgument;
    if (group == "XX") return ErrorKind::kCorrupt;
    return ErrorKind::kInternal;
}

std::string_view advice_for(std::string_view sqlstate) {
    const auto group = sqlstate.substr(0, 2);
    if (sqlstate == "57014" || sqlstate == "55P03") {
        return "; something else holds its tables or the server is slow";
    }
    if (sqlstate == "25006")
        return "; the URL must lead to the primary server (target_session_attrs=read-write)";
    if (sqlstate == "42501") return "; grant the user of the URL what is missing";
    if (sqlstate == "3D000") return "; create the database first, or correct its name in server.store";
    if (group == "28")
        return "; check user and password (server.store, PGPASSWORD or ~/.pgpass) and pg_hba.conf";
    if (group == "53") return "; free memory, disk space or connections of the server";
    if (group == "57") return "; check the server's log for why it stops or does not take connections yet";
    return "";
}

Refusal read_refusal(std::string_view text) {
    constexpr std::string_view kMark = ":  ";
    constexpr std::size_t kLength = 5;
    const auto is_state = [](std::string_view part) {
        return std::all_of(part.begin(), part.end(),
                           [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
    };
    for (auto at = text.find(kMark); at != std::string_view::npos; at = text.find(kMark, at + 1)) {
        const auto rest = text.substr(at + kMark.size());
        if (rest.size() < kLength + 2 || rest.substr(kLength, 2) != ": ") continue;
        if (!is_state(rest.substr(0, kLength))) continue;
        const auto message = rest.substr(kLength + 2);
        return {std::string{rest.substr(0, kLength)}, std::string{message.substr(0, message.find('\n'))}};
    }
    return {{}, std::string{text}};
}

std::string failure_of(std::string_view text) {
    std::string said;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with('\t')) continue;
        constexpr std::string_view kEnds = " \r.:;";
        line = line.substr(0, line.find_last_not_of(kEnds) + 1);
        if (line.empty()) continue;
        if (!said.empty()) said += "; ";
        said += line;
    }
    return said;
}

}  // namespace fieldwarden::supervisor::postgres
