// What the verbs do, one function each; cli.cpp reads the command line and calls them. Every one returns the
// process's exit code.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "supervisor/cli/api_client.h"

namespace fieldwarden::supervisor::cli {

// Options every verb takes.
struct Common {
    std::string server;
    std::string token;     // empty: <data_dir>/admin.token
    std::string data_dir;  // empty: the default of `fieldwarden serve`
    std::string ca_file;   // PEM; empty: the system's authorities
    std::string language;  // en | zh
    bool json = false;
};

struct Session {
    Common common;
    ApiClient api;
    bool colour;
};
// What no flag gave, from the environment.
Common with_environment(Common common);
Session open_session(const Common& common);
std::string data_dir_of(const Common& common);

// Prints the error to standard error; the exit code that goes with it.
int fail(const Error& error);
// `value` as one JSON text on standard output.
int print_json(const Json& value);

struct ImportArguments {
    std::string file;
    bool apply = false;
    bool replace = false;
    // How the file is told of.
    std::string name;  // empty: the file's own
    std::string noun = "workbook";
    std::string apply_flag = "--apply";
    std::string if_refused = "Mend the cells above and import it again.";
};
int import_workbook(Session& session, const ImportArguments& arguments);
// GET `path` into a file: export and template.
int download_workbook(Session& session, const std::string& path, const std::string& file);

int show_status(Session& session, const std::optional<std::string>& task);
int show_sessions(Session& session, const std::optional<std::string>& task, unsigned limit);
int show_timeline(Session& session, std::int64_t id);
int show_health(Session& session);
// `kind`: tasks | groups | devices | points | sinks | users.
int print_codes(Session& session, const std::string& kind);

struct AlertArguments {
    std::string state = "open";  // open | firing | acknowledged | resolved | all
    std::string severity;
    std::string task;
    unsigned limit = 50;
    std::vector<std::int64_t> ids;  // of `alerts ack`
    std::string note;
};
int show_alerts(Session& session, const AlertArguments& arguments);
int acknowledge_alerts(Session& session, const AlertArguments& arguments);

struct DeadLetterArguments {
    std::string task;  // empty: all
    std::string sink;
    unsigned limit = 50;
};
int show_dead_letters(Session& session, const DeadLetterArguments& arguments);
int retry_dead_letters(Session& session, const DeadLetterArguments& arguments);
int clear_dead_letters(Session& session, const DeadLetterArguments& arguments);

struct AccountArguments {
    std::string name;  // of the user or the token
    std::string role;
    std::string user;   // whose token
    unsigned days = 0;  // until a token expires; 0: never
    bool keep = false;  // the password given need not be changed at the first sign-in
    bool enable = false;
    std::int64_t id = 0;  // of a token
};
// Passwords are read from the terminal or standard input.
int list_users(Session& session);
int add_user(Session& session, const AccountArguments& arguments);
int set_password(Session& session, const AccountArguments& arguments);
int disable_user(Session& session, const AccountArguments& arguments);
int remove_user(Session& session, const AccountArguments& arguments);
int list_tokens(Session& session);
int create_token(Session& session, const AccountArguments& arguments);
int revoke_token(Session& session, const AccountArguments& arguments);

int show_audit(Session& session, unsigned limit);
// 1 when the trail is not as it was written.
int verify_audit(Session& session);

struct ActionArguments {
    std::string action;
    std::vector<std::string> tasks;
    std::string group;
    bool all = false;
};
int act_on_tasks(Session& session, const ActionArguments& arguments);

// POST /test-connection or /test-storage; `member` is the code's name in the body.
int run_probe(Session& session, const std::string& path, const std::string& member, const std::string& code);

int write_point(Session& session, const std::string& point, const std::string& value);

struct BrowseArguments {
    std::string device;
    std::string node;  // empty: the root
    std::size_t depth = 1;
    std::string rows;  // a CSV file of the points found, as rows of the points sheet; "-": standard output
};
int browse(Session& session, const BrowseArguments& arguments);
int show_diagnostics(Session& session, const std::string& device);

struct LogArguments {
    std::string task;  // one of these three
    bool supervisor = false;
    bool all = false;
    bool follow = false;
    std::string level;
    std::string since;  // RFC 3339, or a duration back from now
    std::string until;
    std::string grep;  // POSIX extended regular expression
    unsigned limit = 200;
};
int show_logs(Session& session, const LogArguments& arguments);
int show_points(Session& session, const std::string& task, bool follow);

struct WatchArguments {
    std::vector<std::string> topics;
    std::string endpoint;     // empty: the data directory's status socket
    std::uint64_t count = 0;  // messages until it ends; 0: until interrupted
};
int watch(const Common& common, const WatchArguments& arguments);

int top(Session& session);

}  // namespace fieldwarden::supervisor::cli
