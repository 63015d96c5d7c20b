#include "worker/sinks/postgres/settings.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "common/sink_options.h"

namespace fieldwarden::worker::postgres {

namespace {

using Connection = std::vector<std::pair<std::string, std::string>>;

const std::string* find(const Connection& connection, std::string_view keyword) {
    const auto found = std::find_if(connection.begin(), connection.end(),
                                    [&](const auto& each) { return each.first == keyword; });
    return found == connection.end() ? nullptr : &found->second;
}

std::string value_or(const Connection& connection, std::string_view keyword, std::string_view fallback) {
    const auto* value = find(connection, keyword);
    return value == nullptr ? std::string{fallback} : *value;
}

}  // namespace

Result<Settings> read_settings(const SinkConfig& config, const SinkContext& context) {
    const auto refuse = [&](std::string why) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("sink {}: {}", config.sink_code, std::move(why)));
    };
    Settings settings;
    auto table = parse_table_name(text_option(config, "table"));
    if (!table) return refuse(table.error().message);
    settings.table = std::move(*table);

    // libpq's own words about a url that does not parse may quote it, with its password: they are not shown.
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed{
        PQconninfoParse(config.url.c_str(), nullptr), &PQconninfoFree};
    if (parsed == nullptr) {
        return refuse(
            "the url does not parse; it is written as postgresql://user@host:5432/database, special "
            "characters "
            "in it as %XX, and the parameters behind '?' are those of libpq");
    }
    auto& connection = settings.connection;
    for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr) connection.emplace_back(option->keyword, option->val);
    }
    settings.timeout = std::chrono::milliseconds{integer_option(config, "timeout_ms")};
    settings.connect_timeout = std::chrono::milliseconds{integer_option(config, "connect_timeout_ms")};
    settings.limits.samples = static_cast<std::size_t>(integer_option(config, "batch_samples"));
    settings.limits.linger = std::chrono::milliseconds{integer_option(config, "linger_ms")};

    const auto add = [&](std::string_view keyword, std::string value) {
        if (find(connection, keyword) == nullptr) connection.emplace_back(keyword, std::move(value));
    };
    if (auto password = text_option(config, "password"); !password.empty()) {
        std::erase_if(connection, [](const auto& each) { return each.first == "password"; });
        connection.emplace_back("password", std::move(password));
    }
    // A server that vanished is noticed by the kernel even while nobody waits for it.
    add("keepalives_idle", "30");
    add("keepalives_interval", "10");
    add("keepalives_count", "3");
    add("tcp_user_timeout", std::to_string(settings.timeout.count()));
    add("application_name", fmt::format("fieldwarden {}/{}", context.task_code, config.sink_code));
    std::erase_if(connection, [](const auto& each) { return each.first == "client_encoding"; });
    connection.emplace_back("client_encoding", "UTF8");

    settings.label =
        fmt::format("postgres {}:{}/{}, table {}",
                    value_or(connection, "host", value_or(connection, "hostaddr", "local socket")),
                    value_or(connection, "port", "5432"),
                    value_or(connection, "dbname", value_or(connection, "user", "?")), settings.table.shown);
    return settings;
}

}  // namespace fieldwarden::worker::postgres
