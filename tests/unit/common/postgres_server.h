// A real PostgreSQL for tests: a cluster of its own in a folder, on a free port of the loopback.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/common/server_process.h"

namespace fieldwarden {

class PostgresServer {
  public:
    // Started, with a role `writer` (its password: kPassword) that owns a database `plant`.
    PostgresServer();

    ServerProcess& process() { return server_; }
    // What psql prints as the superuser, fields separated by '|'.
    std::string sql(const std::string& statement, const std::string& database = "plant") const;
    // A database of `writer`'s, made when it is not there.
    void make_database(const std::string& name) const;
    // As `writer`, over TCP; without the password unless it is given.
    [[nodiscard]] std::string url(const std::string& database, const std::string& password = {}) const;
    // The same over a relay on that port.
    [[nodiscard]] std::string url_over(int port, const std::string& database,
                                       const std::string& password = {}) const;

    static constexpr const char* kPassword = "right'pass word%";

  private:
    ServerProcess server_;
};

}  // namespace fieldwarden
