// The one place where the supervisor's store is opened.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "supervisor/settings.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

// The store that `server.store` names: "" or "sqlite" is <data-dir>/state.db, "postgresql://…" a database.
// kInvalidArgument without the URL's text for anything else.
Result<std::unique_ptr<Store>> open_store(const ServerSettings& settings);
// Whether `server.store` names a store that could be opened; the text never quotes it. Touches no network.
Status check_store_name(const std::string& store);
// By name: a path of an SQLite file, or a URL.
Result<std::unique_ptr<Store>> open_store_at(const std::string& name);

// What open_store_at() would open for these settings.
std::string store_name(const ServerSettings& settings);
bool is_store_url(std::string_view name);
// For messages: the file, or where the database is, without a password.
std::string store_label(const ServerSettings& settings);
std::string store_label(const std::string& name);

// open_store(); while the database cannot be reached it is tried again for `patience`, since after a power
// cut both start at once. `say` gets a line at the first failure.
Result<std::unique_ptr<Store>> open_store_patiently(const ServerSettings& settings,
                                                    std::chrono::seconds patience,
                                                    const std::function<void(const std::string&)>& say);

}  // namespace fieldwarden::supervisor
