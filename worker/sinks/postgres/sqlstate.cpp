#include "worker/sinks/postgres/sqlstate.h"

namespace fieldwarden::worker::postgres {

Trouble trouble_of(std::string_view sqlstate, std::string_view constraint) {
    const auto group = sqlstate.substr(0, 2);
    if (sqlstate == "23514" && constraint.empty()) return Trouble::kSchema;
    if (group == "22" || group == "23" || group == "54") return Trouble::kData;
    if (group == "42" || group == "3F" || group == "0A" || group == "2B") return Trouble::kSchema;
    if (group == "28") return Trouble::kSignIn;
    return Trouble::kUnavailable;
}

std::string_view advice_for(const Failure& failure) {
    const std::string_view state = failure.sqlstate;
    if (state == "42501") return "grant the user of the url what is missing";
    if (state == "42P10") return "the table needs a primary key (point_code, ts)";
    if (state.starts_with("53")) return "free memory, disk space or connections of the server";
    if (state == "25006") return "the url must lead to the primary server (target_session_attrs=read-write)";
    if (state == "55P03" || state == "57014") return "something else holds the table or the server is slow";
    switch (failure.trouble) {
        case Trouble::kSignIn:
            return "check user, password and pg_hba.conf";
        case Trouble::kSchema:
            return "the table is looked at again before the next attempt";
        case Trouble::kData:
        case Trouble::kUnavailable:
            return "";
    }
    return "";
}

}  // namespace fieldwarden::worker::postgres
