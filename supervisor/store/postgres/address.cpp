#include "supervisor/store/postgres/address.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>

namespace fieldwarden::supervisor::postgres {

namespace {

using Options = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

std::string value_of(const Options& options, std::string_view keyword) {
    for (const auto* option = options.get(); option != nullptr && option->keyword != nullptr; ++option) {
        if (option->keyword == keyword && option->val != nullptr) return option->val;
    }
    return {};
}

// Of at most 63 bytes, which is what the server keeps.
std::string unique_name() {
    std::array<char, 33> host{};
    ::gethostname(host.data(), host.size() - 1);
    std::random_device random;
    return fmt::format("fieldwarden {} pid {} {:08x}", host.data(), ::getpid(), random());
}

}  // namespace

Result<Address> read_address(std::string_view url) {
    // libpq's own words about a URL that does not parse may quote it, with its password: they are not shown.
    const Options parsed{PQconninfoParse(std::string{url}.c_str(), nullptr), &PQconninfoFree};
    // A password with '@' or ':' in it that is not written as %40 or %3A would end up in the host and the
    // port, which messages show.
    if (parsed == nullptr || value_of(parsed, "host").find('@') != std::string::npos ||
        value_of(parsed, "port").find_first_not_of("0123456789,") != std::string::npos) {
        return make_error(ErrorKind::kInvalidArgument,
                          "the URL of the store does not parse; it is written as "
                          "postgresql://user@host:5432/database, special characters in it as %XX, and the "
                          "parameters behind '?' are those of libpq");
    }
    Address address;
    address.name = unique_name();
    // The name tells this opening from others, and texts are UTF-8: neither is the URL's to choose.
    for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
        const std::string_view keyword = option->keyword;
        if (option->val == nullptr || keyword == "application_name" || keyword == "client_encoding") continue;
        address.connection.emplace_back(keyword, option->val);
    }
    const auto add = [&](std::string_view keyword, std::string_view value) {
        if (value_of(parsed, keyword).empty()) address.connection.emplace_back(keyword, value);
    };
    // A server that vanished is noticed by the kernel even while nobody waits for it.
    add("keepalives_idle", "10");
    add("keepalives_interval", "5");
    add("keepalives_count", "3");
    add("tcp_user_timeout", "10000");
    address.connection.emplace_back("application_name", address.name);
    address.connection.emplace_back("client_encoding", "UTF8");

    const Options defaults{PQconndefaults(), &PQconninfoFree};
    const auto shown = [&](std::string_view keyword, std::string_view fallback) {
        auto value = value_of(parsed, keyword);
        if (value.empty()) value = value_of(defaults, keyword);
        return value.empty() ? std::string{fallback} : value;
    };
    address.label = fmt::format("postgres {}:{}/{}", shown("host", shown("hostaddr", "local socket")),
                                shown("port", "5432"), shown("dbname", shown("user", "?")));
    return address;
}

}  // namespace fieldwarden::supervisor::postgres
