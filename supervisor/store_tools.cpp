#include "supervisor/store_tools.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/data_paths.h"
#include "common/sqlite.h"
#include "supervisor/fleet/instance_lock.h"
#include "supervisor/restore_running.h"
#include "supervisor/serve.h"
#include "supervisor/store/open_store.h"
#include "supervisor/store/transfer/copy_store.h"

namespace fieldwarden::supervisor {

namespace {

namespace fs = std::filesystem;

int fail(const Error& error) {
    fmt::print(stderr, "error: {}\n", error.message);
    return 1;
}

void print_copied(const transfer::Copied& copied) {
    for (const auto& [table, rows] : copied) {
        if (rows > 0) fmt::print("  {:<16} {:>9}\n", table, rows);
    }
}

// The options by which `serve` finds its store.
class Options {
  public:
    explicit Options(CLI::App& app) {
        app.add_option("--config", config_, "configuration file of the supervisor")->type_name("FILE");
        app.add_option_function<std::string>(
               "--data-dir", [this](const std::string& value) { flags_["server.data_dir"] = value; },
               "data directory of the supervisor")
            ->type_name("DIR");
    }
    [[nodiscard]] Result<ServerSettings> settings() const {
        SettingsProblems problems;
        const auto settings = settings_of_program(config_, flags_, problems);
        if (!problems.errors.empty()) return make_error(ErrorKind::kInvalidArgument, problems.errors.front());
        return settings.server;
    }

  private:
    std::string config_;
    FlagValues flags_;
};

std::optional<int> parse(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    return std::nullopt;
}

// Of the data directory that a store's file lies in; nothing for a file that lies elsewhere or a database.
Result<std::optional<InstanceLock>> lock_directory_of(const std::string& name) {
    if (is_store_url(name)) return std::optional<InstanceLock>{};
    const auto run = fs::path{name}.parent_path() / "run";
    std::error_code ignored;
    if (!fs::is_directory(run, ignored)) return std::optional<InstanceLock>{};
    auto lock = InstanceLock::take((run / "supervisor.lock").string());
    if (!lock) return lock.error();
    return std::optional{std::move(*lock)};
}

// Gone when it goes out of scope, unless it was moved to its place.
class UnfinishedFile {
  public:
    explicit UnfinishedFile(std::string path) : path_(std::move(path)) { remove(); }
    UnfinishedFile(const UnfinishedFile&) = delete;
    UnfinishedFile& operator=(const UnfinishedFile&) = delete;
    ~UnfinishedFile() { remove(); }
    [[nodiscard]] const std::string& path() const { return path_; }
    Status become(const std::string& place) {
        std::error_code error;
        fs::rename(path_, place, error);
        if (!error) return {};
        return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", place, error.message()));
    }

  private:
    void remove() {
        std::error_code ignored;
        for (const char* part : {"", "-wal", "-shm", "-journal"}) fs::remove(path_ + part, ignored);
    }
    std::string path_;
};

Result<transfer::Copied> copy(const std::string& from, transfer::Sharing sharing, const std::string& to) {
    auto source = transfer::open_row_source(from, sharing);
    if (!source) return source.error();
    auto target = transfer::open_row_target(to);
    if (!target) return target.error();
    return transfer::copy_store(**source, **target);
}

Status note_history_files(const std::string& backup, const std::string& data_dir) {
    auto database = SqlDatabase::open(backup, SqlDatabase::Mode::kReadWrite);
    if (!database) return database.error();
    const auto made = database->execute(
        "CREATE TABLE history_files (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID");
    if (!made) return made;
    auto insert = database->prepare("INSERT INTO history_files VALUES (?, ?)");
    if (!insert) return insert.error();
    std::error_code error;
    for (fs::directory_iterator at{data_dir + "/history", error}, end; !error && at != end;
         at.increment(error)) {
        if (at->path().extension() != ".db") continue;
        std::error_code gone;
        const auto bytes = at->file_size(gone);
        if (gone) continue;
        const auto noted =
            insert->bind(at->path().filename().string(), static_cast<std::int64_t>(bytes)).run();
        if (!noted) return noted;
    }
    return {};
}

// The history files that the backup knows and the data directory lacks; nothing from a file that is no
// backup.
Result<std::vector<std::string>> missing_history(const std::string& backup, const std::string& data_dir) {
    auto database = SqlDatabase::open(backup, SqlDatabase::Mode::kReadOnly);
    if (!database) return database.error();
    const auto noted = database->integer("SELECT count(*) FROM sqlite_schema WHERE name = 'history_files'");
    if (!noted) return noted.error();
    std::vector<std::string> missing;
    if (*noted == 0) return missing;
    auto names = database->prepare("SELECT name FROM history_files ORDER BY name");
    if (!names) return names.error();
    for (;;) {
        const auto more = names->step();
        if (!more) return more.error();
        if (!*more) return missing;
        std::error_code ignored;
        if (!fs::exists(fs::path{data_dir} / "history" / names->string(0), ignored))
            missing.push_back(names->string(0));
    }
}

Result<transfer::Copied> write_backup(const ServerSettings& settings, const std::string& file) {
    std::error_code ignored;
    if (fs::exists(file, ignored)) {
        return make_error(ErrorKind::kConflict,
                          fmt::format("{} is there already and stays as it is; name another file", file));
    }
    UnfinishedFile unfinished{file + ".part"};
    auto copied = copy(store_name(settings), transfer::Sharing::kShared, unfinished.path());
    if (!copied) return copied;
    if (const auto noted = note_history_files(unfinished.path(), settings.data_dir); !noted)
        return noted.error();
    if (const auto placed = unfinished.become(file); !placed) return placed.error();
    return copied;
}

// A store's file with the log that SQLite keeps beside it.
Status move_store(const std::string& path, const std::string& aside) {
    for (const std::string part : {"-wal", "-shm", ""}) {
        std::error_code error;
        if (!fs::exists(path + part, error)) continue;
        fs::rename(path + part, aside + part, error);
        if (error) {
            return make_error(ErrorKind::kIo, fmt::format("cannot move {} to {}: {}", path + part,
                                                          aside + part, error.message()));
        }
    }
    return {};
}

std::string free_name(const std::string& wanted) {
    std::error_code ignored;
    auto name = wanted;
    for (int n = 2; fs::exists(name, ignored); ++n) name = fmt::format("{}.{}", wanted, n);
    return name;
}

// The data directory is locked. `replaced` becomes the name under which the former store is kept.
Result<transfer::Copied> bring_back(const ServerSettings& settings, const std::string& file, bool replace,
                                    std::string& replaced) {
    const auto store = store_name(settings);
    if (is_store_url(store)) return copy(file, transfer::Sharing::kShared, store);
    std::error_code ignored;
    const bool there = fs::exists(store, ignored);
    if (there && !replace) {
        return make_error(
            ErrorKind::kConflict,
            fmt::format("{} is there already and stays as it is; --replace puts it aside and the "
                        "backup in its place",
                        store));
    }
    UnfinishedFile unfinished{store + ".part"};
    auto copied = copy(file, transfer::Sharing::kShared, unfinished.path());
    if (!copied) return copied;
    if (there) {
        replaced = free_name(store + ".before-restore");
        if (const auto moved = move_store(store, replaced); !moved) return moved.error();
    }
    if (const auto placed = unfinished.become(store); !placed) {
        // Rather the former store than none: a supervisor would begin an empty one.
        if (there) static_cast<void>(move_store(replaced, store));
        return placed.error();
    }
    return copied;
}

}  // namespace

int backup_main(int argc, char** argv) {
    CLI::App app{"Write configuration, accounts and records into one file, also while the supervisor runs.",
                 "fieldwarden backup"};
    app.footer(
        "The file holds secrets of devices and sinks: keep it where only you can read it. Samples are not in "
        "it;\n"
        "copy the folder history/ of the data directory with your usual means.\n"
        "Example:  fieldwarden backup /var/backups/plant.fwbackup");
    const Options options{app};
    std::string file;
    app.add_option("FILE", file, "file to write")->required();
    if (const auto ended = parse(app, argc, argv)) return *ended;
    const auto settings = options.settings();
    if (!settings) return fail(settings.error());
    const auto copied = write_backup(*settings, file);
    if (!copied) return fail(copied.error());
    fmt::print("{}: rows of {}\n", file, store_label(*settings));
    print_copied(*copied);
    return 0;
}

int restore_main(int argc, char** argv) {
    CLI::App app{"Bring back what `fieldwarden backup` wrote.", "fieldwarden restore"};
    app.footer(
        "While the supervisor runs: what a workbook holds, as an import that replaces. Tells what would "
        "change;\n"
        "--replace applies it, and tasks that stay as they are go on. Stopped: all of it, also accounts, "
        "alert\n"
        "rules and records.\n"
        "Examples:  fieldwarden restore plant.fwbackup\n"
        "           systemctl stop fieldwarden && fieldwarden restore plant.fwbackup --replace");
    const Options options{app};
    std::string file;
    bool replace = false;
    app.add_option("FILE", file, "backup to read")->required();
    app.add_flag("--replace", replace,
                 "take the place of what is there (stopped: state.db is put aside; a database must be "
                 "empty: drop its schema fieldwarden)");
    if (const auto ended = parse(app, argc, argv)) return *ended;
    const auto settings = options.settings();
    if (!settings) return fail(settings.error());
    const auto lock = InstanceLock::take(settings->data_dir + "/run/supervisor.lock");
    if (!lock && lock.error().kind != ErrorKind::kConflict) return fail(lock.error());
    if (!lock) {
        if (const int code = restore_into_running(*settings, file, replace); code != 0) return code;
    } else {
        std::string replaced;
        const auto copied = bring_back(*settings, file, replace, replaced);
        if (!copied) return fail(copied.error());
        fmt::print("{} holds again what {} was written from\n", store_label(*settings), file);
        print_copied(*copied);
        if (!replaced.empty()) fmt::print("the former store is kept as {}\n", replaced);
    }
    const auto missing = missing_history(file, settings->data_dir);
    if (!missing) return fail(missing.error());
    if (!missing->empty()) {
        fmt::print("{} files of the history are not in {}/history, so their samples cannot be shown:\n",
                   missing->size(), settings->data_dir);
        constexpr std::size_t kMostNamed = 20;
        for (std::size_t i = 0; i < std::min(missing->size(), kMostNamed); ++i)
            fmt::print("  {}\n", missing->at(i));
        if (missing->size() > kMostNamed) fmt::print("  and {} more\n", missing->size() - kMostNamed);
    }
    return 0;
}

int migrate_store_main(int argc, char** argv) {
    CLI::App app{"Copy everything of one store into another, empty one. The supervisor must be stopped.",
                 "fieldwarden migrate-store"};
    app.footer(
        "A password belongs into PGPASSWORD or ~/.pgpass rather than into the URL, where other users see "
        "it.\n"
        "Example:  fieldwarden migrate-store --from /var/lib/fieldwarden/state.db \\\n"
        "              --to postgresql://fieldwarden@db.plant:5432/fieldwarden\n"
        "Then name the new one in `server.store` of the configuration file.");
    std::string from;
    std::string to;
    app.add_option("--from", from, "path of a state.db, or URL of a PostgreSQL database")->required();
    app.add_option("--to", to, "likewise; it must be empty")->required();
    if (const auto ended = parse(app, argc, argv)) return *ended;
    std::vector<std::optional<InstanceLock>> locks;
    for (const auto& [option, name] : {std::pair{"--from", from}, std::pair{"--to", to}}) {
        // Else a URL of something else would be taken for a path.
        const auto known = name.find("://") == std::string::npos ? Status{} : check_store_name(name);
        if (!known)
            return fail(make_error(known.error().kind, fmt::format("{} {}", option, known.error().message)));
        auto lock = lock_directory_of(name);
        if (!lock) return fail(lock.error());
        locks.push_back(std::move(*lock));
    }
    if (!is_store_url(to)) {
        // Under another name first, so that a copy that fails leaves nothing behind.
        std::error_code ignored;
        if (fs::exists(to, ignored)) {
            return fail(
                make_error(ErrorKind::kConflict,
                           fmt::format("{} is there already and stays as it is; name another file", to)));
        }
        UnfinishedFile unfinished{to + ".part"};
        const auto copied = copy(from, transfer::Sharing::kAlone, unfinished.path());
        if (!copied) return fail(copied.error());
        if (const auto placed = unfinished.become(to); !placed) return fail(placed.error());
        print_copied(*copied);
    } else {
        const auto copied = copy(from, transfer::Sharing::kAlone, to);
        if (!copied) return fail(copied.error());
        print_copied(*copied);
    }
    fmt::print("{} holds what {} held; name it in `server.store` and start the supervisor\n", store_label(to),
               store_label(from));
    return 0;
}

}  // namespace fieldwarden::supervisor
