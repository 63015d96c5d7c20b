#include "supervisor/restore_running.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "common/host_port.h"
#include "supervisor/cli/verbs.h"
#include "supervisor/listen_address.h"
#include "supervisor/store/open_store.h"
#include "supervisor/store/transfer/copy_store.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

namespace {

namespace fs = std::filesystem;

// Only its owner may look into it: what lies there holds secrets. Gone with the object.
class PrivateFolder {
  public:
    static Result<PrivateFolder> make() {
        std::error_code error;
        auto parent = fs::temp_directory_path(error);
        if (error) parent = "/tmp";
        auto path = (parent / "fieldwarden-restore-XXXXXX").string();
        if (::mkdtemp(path.data()) == nullptr) {
            return make_error(ErrorKind::kIo,
                              fmt::format("{}: cannot be created: {}", path, errno_text(errno)));
        }
        return PrivateFolder{std::move(path)};
    }
    PrivateFolder(PrivateFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    PrivateFolder& operator=(PrivateFolder&&) = delete;
    ~PrivateFolder() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

  private:
    explicit PrivateFolder(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// Through a copy, because a backup of an earlier version has tables of its time.
Result<PlantPtr> plant_of(const std::string& backup, const PrivateFolder& folder) {
    const auto place = folder.file("state.db");
    {
        auto source = transfer::open_row_source(backup, transfer::Sharing::kShared);
        if (!source) return source.error();
        auto target = transfer::open_row_target(place);
        if (!target) return target.error();
        if (auto copied = transfer::copy_store(**source, **target); !copied) return copied.error();
    }
    auto store = open_store_at(place);
    if (!store) return store.error();
    return (*store)->load_plant();
}

// Where the supervisor with these settings answers on its own machine.
std::string own_address(const ServerSettings& settings) {
    const auto listen = parse_listen_address(settings.listen);
    if (!listen) return settings.listen;
    const bool everywhere = listen->host == "0.0.0.0" || listen->host == "::";
    return everywhere ? fmt::format("127.0.0.1:{}", listen->port) : settings.listen;
}

}  // namespace

int restore_into_running(const ServerSettings& settings, const std::string& backup, bool replace) {
    const auto folder = PrivateFolder::make();
    if (!folder) return cli::fail(folder.error());
    const auto plant = plant_of(backup, *folder);
    if (!plant) return cli::fail(plant.error());
    cli::ImportArguments import;
    import.file = folder->file("configuration.xlsx");
    if (const auto written = write_export(**plant, import.file, Language::kEnglish, ExportSecrets::kClear);
        !written)
        return cli::fail(written.error());
    import.name = fs::path{backup}.filename().string() + ".xlsx";
    import.replace = true;
    import.apply = replace;
    import.noun = "backup";
    import.apply_flag = "--replace";
    import.if_refused = "Restore all of the backup instead: stop the supervisor and do this again.";

    fmt::print(
        "The supervisor runs, so what a workbook holds is brought back; accounts, alert rules and records "
        "stay as they are.\n");
    cli::Common common;
    common.data_dir = settings.data_dir;
    common.language = "en";
    if (std::getenv("FIELDWARDEN_SERVER") == nullptr) common.server = own_address(settings);
    auto session = cli::open_session(cli::with_environment(std::move(common)));
    return cli::import_workbook(session, import);
}

}  // namespace fieldwarden::supervisor
