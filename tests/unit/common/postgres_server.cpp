#include "tests/unit/common/postgres_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fieldwarden {

namespace {

// PostgreSQL refuses to run as root: its programs then run as the user it brought with it.
std::vector<std::string> as_postgres(std::vector<std::string> command) {
    if (geteuid() != 0) return command;
    std::vector<std::string> full{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
    full.insert(full.end(), command.begin(), command.end());
    return full;
}

std::string program(const std::string& name) {
    for (const char* version : {"15", "16", "17"}) {
        const auto path = fmt::format("/usr/lib/postgresql/{}/bin/{}", version, name);
        if (std::filesystem::exists(path)) return path;
    }
    return name;
}

void give_to_postgres(const std::filesystem::path& path) {
    if (geteuid() != 0) return;
    const auto* user = getpwnam("postgres");
    ASSERT_NE(user, nullptr);
    ASSERT_EQ(chown(path.c_str(), user->pw_uid, user->pw_gid), 0);
}

std::string percent_encoded(const std::string& text) {
    std::string out;
    for (const char c : text) out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return out;
}

}  // namespace

PostgresServer::PostgresServer()
    : server_(as_postgres({program("postgres"), "-D", "{dir}/data", "-p", "{port}", "-c",
                           "listen_addresses=127.0.0.1", "-c", "unix_socket_directories={dir}", "-c",
                           "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_prepared_transactions=2",
                           "-c", "timezone=Asia/Shanghai", "-c", "datestyle=German"}),
              [this] {
                  return server_.run({"psql", "-X", "-q", "-h", server_.dir(), "-p",
                                      std::to_string(server_.port()), "-U", "root", "-d", "postgres", "-c",
                                      "SELECT 1"}) == 0;
              }) {
    give_to_postgres(server_.dir());
    std::ofstream{server_.file("password")} << "secret-of-root";
    give_to_postgres(server_.file("password"));
    EXPECT_EQ(server_.run(as_postgres({program("initdb"), "-D", server_.file("data"), "-U", "root", "-E",
                                       "UTF8", "--locale=C.UTF-8", "--no-sync", "-A", "scram-sha-256",
                                       "--auth-local=trust", "--pwfile", server_.file("password")})),
              0);
    server_.start();
    sql(fmt::format("CREATE ROLE writer LOGIN PASSWORD '{}'; CREATE DATABASE plant OWNER writer",
                    "right''pass word%"),
        "postgres");
}

std::string PostgresServer::sql(const std::string& statement, const std::string& database) const {
    std::string out;
    EXPECT_EQ(server_.run({"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", server_.dir(), "-p",
                           std::to_string(server_.port()), "-U", "root", "-d", database},
                          statement + ";\n", &out),
              0)
        << statement << "\n"
        << server_.log();
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

void PostgresServer::make_database(const std::string& name) const {
    if (!sql(fmt::format("SELECT 1 FROM pg_database WHERE datname = '{}'", name), "postgres").empty()) return;
    sql(fmt::format("CREATE DATABASE \"{}\" OWNER writer", name), "postgres");
}

std::string PostgresServer::url(const std::string& database, const std::string& password) const {
    return url_over(server_.port(), database, password);
}

std::string PostgresServer::url_over(int port, const std::string& database,
                                     const std::string& password) const {
    return fmt::format("postgresql://writer{}@127.0.0.1:{}/{}",
                       password.empty() ? "" : ":" + percent_encoded(password), port, database);
}

}  // namespace fieldwarden
