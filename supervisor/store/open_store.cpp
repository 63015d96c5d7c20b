#include "supervisor/store/open_store.h"

#include <fmt/format.h>

#include <thread>

#include "supervisor/store/postgres/address.h"
#include "supervisor/store/transfer/row_store.h"

namespace fieldwarden::supervisor {

bool is_store_url(std::string_view name) {
    return name.starts_with("postgresql://") || name.starts_with("postgres://");
}

std::string store_name(const ServerSettings& settings) {
    const auto& store = settings.store;
    return store.empty() || store == "sqlite" ? settings.data_dir + "/state.db" : store;
}

Status check_store_name(const std::string& store) {
    if (store.empty() || store == "sqlite") return {};
    if (!is_store_url(store)) {
        return make_error(
            ErrorKind::kInvalidArgument,
            "is neither empty, \"sqlite\" nor a URL such as postgresql://user@host:5432/database "
            "(the value is not shown, it may hold a password)");
    }
    if (const auto address = postgres::read_address(store); !address) return address.error();
    return {};
}

Result<std::unique_ptr<Store>> open_store_at(const std::string& name) {
    return is_store_url(name) ? open_postgres_store(name) : open_sqlite_store(name);
}

Result<std::unique_ptr<Store>> open_store(const ServerSettings& settings) {
    return open_store_at(store_name(settings));
}

std::string store_label(const std::string& name) {
    if (!is_store_url(name)) return name;
    const auto address = postgres::read_address(name);
    return address ? address->label : std::string{"postgres"};
}

std::string store_label(const ServerSettings& settings) {
    return store_label(store_name(settings));
}

Result<std::unique_ptr<Store>> open_store_patiently(const ServerSettings& settings,
                                                    std::chrono::seconds patience,
                                                    const std::function<void(const std::string&)>& say) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (bool said = false;;) {
        auto store = open_store(settings);
        if (store || store.error().kind != ErrorKind::kUnavailable) return store;
        if (std::chrono::steady_clock::now() >= deadline) {
            return make_error(ErrorKind::kUnavailable,
                              fmt::format("{}; tried for {} s", store.error().message, patience.count()));
        }
        if (!said) {
            say(fmt::format("{}; trying again for {} s", store.error().message, patience.count()));
        }
        said = true;
        std::this_thread::sleep_for(std::chrono::seconds{1});
    }
}

namespace transfer {

Result<std::unique_ptr<RowSource>> open_row_source(const std::string& name, Sharing sharing) {
    return is_store_url(name) ? open_postgres_source(name, sharing) : open_sqlite_source(name);
}

Result<std::unique_ptr<RowTarget>> open_row_target(const std::string& name) {
    return is_store_url(name) ? open_postgres_target(name) : open_sqlite_target(name);
}

}  // namespace transfer

}  // namespace fieldwarden::supervisor
