// A sink's configuration, read once: where the server is, how to sign in and which table to fill.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "worker/sinks/postgres/table_name.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker::postgres {

struct Settings {
    // Keywords and values of a connection (libpq, "Parameter Key Words"): those of the url, then ours where
    // it says nothing. Holds the password: never shown.
    std::vector<std::pair<std::string, std::string>> connection;
    std::string label;  // "postgres 10.0.0.7:5432/plant, table points": for messages, without secrets
    TableName table;
    std::chrono::milliseconds timeout{10'000};         // of one answer
    std::chrono::milliseconds connect_timeout{5'000};  // of one connection, to the end of signing in
    Sink::Limits limits;
};

// kInvalidArgument names the sink and what does not parse.
Result<Settings> read_settings(const SinkConfig& config, const SinkContext& context);

}  // namespace fieldwarden::worker::postgres
