// The command line: options, help and which verb is which.
#include "supervisor/cli/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <optional>
#include <utility>

#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor {

namespace {

using cli::Common;

constexpr std::array kVerbs{
    "import",       "export",   "template", "status",      "top",    "start",
    "stop",         "pause",    "resume",   "restart",     "logs",   "points",
    "sessions",     "timeline", "health",   "codes",       "alerts", "test-connection",
    "test-storage", "write",    "browse",   "diagnostics", "watch",  "dead-letters",
    "user",         "token",    "audit",
};

std::string language_of_environment() {
    for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
        const char* value = std::getenv(name);
        if (value != nullptr && *value != '\0')
            return std::string_view{value}.starts_with("zh") ? "zh" : "en";
    }
    return "en";
}

// Everything the command line may set; filled by CLI11, used by the callback of the verb.
struct Arguments {
    Common common;
    cli::ImportArguments import;
    std::string file;
    std::string task;
    cli::ActionArguments action;
    cli::LogArguments logs;
    bool follow = false;
    unsigned limit = 50;
    std::int64_t session_id = 0;
    std::string code;
    std::string value;
    cli::BrowseArguments browse;
    cli::AlertArguments alerts;
    cli::DeadLetterArguments dead_letters;
    cli::AccountArguments account;
    cli::WatchArguments watch;
};

class CommandLine {
  public:
    CommandLine() {
        app_.name("fieldwarden");
        app_.require_subcommand(1);
        app_.footer(
            "Also: fieldwarden serve (the supervisor), fieldwarden simulate (mock devices); each has its own "
            "--help.\n"
            "Exit codes: 0 done, 1 failed, 2 usage, 3 the supervisor cannot be reached.");
        add_workbook_verbs();
        add_fleet_verbs();
        add_follow_verbs();
        add_probe_verbs();
        add_account_verbs();
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::Success& help) {
            return app_.exit(help);
        } catch (const CLI::ParseError& wrong) {
            app_.exit(wrong);
            return kExitUsage;
        }
        arguments_.common = cli::with_environment(std::move(arguments_.common));
        return verb_();
    }

    [[nodiscard]] std::string purpose_of(std::string_view verb) const {
        return app_.get_subcommand(std::string{verb})->get_description();
    }

  private:
    // A verb with the options that all of them take.
    CLI::App* add(const std::string& name, const std::string& does, const std::string& examples) {
        auto* verb = app_.add_subcommand(name, does);
        auto& common = arguments_.common;
        // The environment is looked up later (with_environment): CLI11 would let the environment of a verb
        // that was not called overrule the flag of the one that was.
        verb->add_option(
                "--server", common.server,
                "Address of the supervisor (Env:FIELDWARDEN_SERVER) [http://127.0.0.1:8700, or https]")
            ->group("Connection");
        verb->add_option("--ca-file", common.ca_file,
                         "PEM file of the authority that signed the supervisor's certificate "
                         "(Env:FIELDWARDEN_CA_FILE) [the system's; on the same machine none is needed]")
            ->group("Connection");
        verb->add_option("--token", common.token,
                         "Access token (Env:FIELDWARDEN_TOKEN, where other users do not see it) "
                         "[admin.token in the data directory]")
            ->group("Connection");
        verb->add_option("--data-dir", common.data_dir,
                         "The supervisor's data directory, for admin.token and the status channel "
                         "(Env:FIELDWARDEN_SERVER_DATA_DIR)")
            ->group("Connection");
        verb->add_flag("--json", common.json, "Print JSON for scripts instead of tables");
        verb->footer("Examples:\n" + examples);
        return verb;
    }
    void runs(CLI::App* verb, std::function<int(cli::Session&)> work) {
        verb->callback([this, work = std::move(work)] {
            verb_ = [this, work] {
                auto session = cli::open_session(arguments_.common);
                return work(session);
            };
        });
    }
    void add_language(CLI::App* verb) {
        arguments_.common.language = language_of_environment();
        verb->add_option("--lang", arguments_.common.language, "Language of the workbook's messages")
            ->check(CLI::IsMember({"en", "zh"}))
            ->capture_default_str();
    }
    [[nodiscard]] std::optional<std::string> task() const {
        return arguments_.task.empty() ? std::nullopt : std::optional{arguments_.task};
    }

    void add_workbook_verbs() {
        auto* verb =
            add("import", "Check a workbook, show every problem and what it would change, and apply it",
                "  fieldwarden import plant.xlsx            check only\n"
                "  fieldwarden import plant.xlsx --apply    check and store\n"
                "  fieldwarden import csv-folder --replace --apply");
        verb->add_option("FILE", arguments_.import.file,
                         "Workbook (.xlsx, .xls), .zip of .csv, or a folder of .csv")
            ->required();
        verb->add_flag("--apply", arguments_.import.apply,
                       "Store the changes when the workbook has no errors");
        verb->add_flag("--replace", arguments_.import.replace, "Also remove what the workbook does not hold");
        add_language(verb);
        runs(verb, [this](auto& session) { return cli::import_workbook(session, arguments_.import); });

        verb =
            add("export", "Write the whole configuration as a workbook", "  fieldwarden export plant.xlsx");
        verb->add_option("FILE", arguments_.file, "Workbook to write; - for standard output")->required();
        add_language(verb);
        runs(verb,
             [this](auto& session) { return cli::download_workbook(session, "/export", arguments_.file); });

        verb = add("template", "Write an empty workbook to fill in",
                   "  fieldwarden template plant.xlsx --lang zh");
        verb->add_option("FILE", arguments_.file, "Workbook to write; - for standard output")->required();
        add_language(verb);
        runs(verb, [this](auto& session) {
            return cli::download_workbook(session, "/import-jobs/template", arguments_.file);
        });
    }

    void add_fleet_verbs() {
        auto* verb = add("status", "Show all tasks, or one with its devices",
                         "  fieldwarden status\n  fieldwarden status WELD_A\n  fieldwarden status --json");
        verb->add_option("TASK", arguments_.task, "Task code");
        runs(verb, [this](auto& session) { return cli::show_status(session, task()); });

        verb = add("top", "Watch all tasks on a full screen (q quits)", "  fieldwarden top");
        runs(verb, [](auto& session) { return cli::top(session); });

        for (const auto& [action, does] : {std::pair{"start", "Start tasks"},
                                           {"stop", "Stop tasks"},
                                           {"pause", "Pause running tasks; their connections stay open"},
                                           {"resume", "Resume paused tasks"},
                                           {"restart", "Stop and start tasks"}}) {
            const std::string name = action;
            verb = add(name, does,
                       fmt::format("  fieldwarden {0} WELD_A WELD_B\n  fieldwarden {0} --group line1\n"
                                   "  fieldwarden {0} --all",
                                   name));
            auto* tasks = verb->add_option("TASK", arguments_.action.tasks, "Task codes");
            auto* group = verb->add_option("--group", arguments_.action.group, "All tasks of this group");
            auto* all = verb->add_flag("--all", arguments_.action.all, "All tasks");
            tasks->excludes(group)->excludes(all);
            group->excludes(all);
            verb->callback([this, name] {
                if (arguments_.action.tasks.empty() && arguments_.action.group.empty() &&
                    !arguments_.action.all) {
                    throw CLI::RequiredError("TASK, --group or --all");
                }
                arguments_.action.action = name;
                verb_ = [this] {
                    auto session = cli::open_session(arguments_.common);
                    return cli::act_on_tasks(session, arguments_.action);
                };
            });
        }

        verb = add("sessions", "List the runs of all tasks or of one, newest first",
                   "  fieldwarden sessions WELD_A --limit 10");
        verb->add_option("TASK", arguments_.task, "Task code");
        verb->add_option("--limit", arguments_.limit, "How many")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        runs(verb, [this](auto& session) { return cli::show_sessions(session, task(), arguments_.limit); });

        verb = add("timeline", "Show what happened in one run, and why", "  fieldwarden timeline 42");
        verb->add_option("SESSION", arguments_.session_id, "Session number, from `fieldwarden sessions`")
            ->required();
        runs(verb, [this](auto& session) { return cli::show_timeline(session, arguments_.session_id); });

        verb = add("health", "Show the health of the whole installation", "  fieldwarden health");
        runs(verb, [](auto& session) { return cli::show_health(session); });

        verb = add("codes", "Print the codes of tasks, devices and the like, one a line, for scripts",
                   "  fieldwarden codes tasks\n  fieldwarden codes groups");
        verb->add_option("KIND", arguments_.code, "Of what")
            ->check(CLI::IsMember({"tasks", "groups", "devices", "points", "sinks", "users"}))
            ->required();
        runs(verb, [this](auto& session) { return cli::print_codes(session, arguments_.code); });
        add_alerts();
        add_dead_letters();
    }

    void add_dead_letters() {
        auto* verb = add("dead-letters", "List what sinks refused for good, deliver it again, or clear it",
                         "  fieldwarden dead-letters\n  fieldwarden dead-letters retry --task WELD_A\n"
                         "  fieldwarden dead-letters clear --task WELD_A --sink influx");
        auto& letters = arguments_.dead_letters;
        verb->add_option("--task", letters.task, "Only letters of this task");
        verb->add_option("--sink", letters.sink, "Only letters of this sink");
        verb->add_option("--limit", letters.limit, "How many are listed, newest first")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        auto* list = verb->add_subcommand("list", "List them, newest first");
        auto* retry = verb->add_subcommand("retry", "Deliver them again");
        auto* clear = verb->add_subcommand("clear", "Remove them for good");
        for (auto* each : {list, retry, clear}) each->fallthrough();  // the options may stand behind
        verb->require_subcommand(0, 1);
        runs(verb, [this, retry, clear](cli::Session& session) {
            if (retry->parsed()) return cli::retry_dead_letters(session, arguments_.dead_letters);
            if (clear->parsed()) return cli::clear_dead_letters(session, arguments_.dead_letters);
            return cli::show_dead_letters(session, arguments_.dead_letters);
        });
    }

    void add_alerts() {
        auto* verb = add("alerts", "List alerts, or acknowledge them",
                         "  fieldwarden alerts\n  fieldwarden alerts --state all --task WELD_A\n"
                         "  fieldwarden alerts ack 12 --note 'cable replaced'");
        auto& alerts = arguments_.alerts;
        verb->add_option("--state", alerts.state, "Which alerts")
            ->check(CLI::IsMember({"open", "firing", "acknowledged", "resolved", "all"}))
            ->capture_default_str();
        verb->add_option("--severity", alerts.severity, "Only this severity")
            ->check(CLI::IsMember({"info", "warning", "critical"}));
        verb->add_option("--task", alerts.task, "Only alerts of this task");
        verb->add_option("--limit", alerts.limit, "How many, newest first")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        auto* acknowledge = verb->add_subcommand("ack", "Acknowledge alerts: nobody is told of them again");
        acknowledge->add_option("ID", alerts.ids, "Numbers from `fieldwarden alerts`")->required();
        acknowledge->add_option("--note", alerts.note, "What is being done about it");
        acknowledge->fallthrough();  // --json and the like may stand behind
        runs(verb, [acknowledge, this](auto& session) {
            return acknowledge->parsed() ? cli::acknowledge_alerts(session, arguments_.alerts)
                                         : cli::show_alerts(session, arguments_.alerts);
        });
    }

    void add_follow_verbs() {
        auto* verb =
            add("logs", "Show the log of a task, of the supervisor or of everything",
                "  fieldwarden logs WELD_A -f\n  fieldwarden logs WELD_A --level warning --since 2h\n"
                "  fieldwarden logs WELD_A --grep 'timed out|refused'\n"
                "  fieldwarden logs --all --level error --since 1d");
        auto& logs = arguments_.logs;
        auto* whose = verb->add_option_group("whose", "");
        whose->add_option("TASK", logs.task, "Task code");
        whose->add_flag("--supervisor", logs.supervisor, "The supervisor's own log");
        whose->add_flag("--all", logs.all, "All tasks and the supervisor");
        whose->require_option(1);
        verb->add_flag("-f,--follow", logs.follow, "Keep printing what comes (Ctrl-C ends)");
        verb->add_option("--level", logs.level, "Least level shown")
            ->check(CLI::IsMember({"debug", "info", "warning", "error", "critical"}));
        verb->add_option("--since", logs.since, "Only entries after this: 10m, 2h, 2026-11-22T13:40:00Z");
        verb->add_option("--until", logs.until, "Only entries before this");
        verb->add_option("--grep", logs.grep, "Only messages that match this extended regular expression");
        verb->add_option("--limit", logs.limit, "Entries to start with")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        runs(verb, [this](auto& session) { return cli::show_logs(session, arguments_.logs); });

        verb = add("points", "Show the newest value of every point of a task",
                   "  fieldwarden points WELD_A\n  fieldwarden points WELD_A -f");
        verb->add_option("TASK", arguments_.task, "Task code")->required();
        verb->add_flag("-f,--follow", arguments_.follow, "Keep printing what changes (Ctrl-C ends)");
        runs(verb,
             [this](auto& session) { return cli::show_points(session, arguments_.task, arguments_.follow); });

        verb = add("watch", "Print the ZeroMQ status channel as JSON lines",
                   "  fieldwarden watch\n  fieldwarden watch process_status. fleet\n"
                   "  fieldwarden watch data.WELD_A --count 10");
        verb->add_option("TOPIC", arguments_.watch.topics, "Topic prefixes; none: everything");
        verb->add_option(
            "--endpoint", arguments_.watch.endpoint,
            "Endpoint of the channel, as in tcp://127.0.0.1:8701; default: the data directory's socket");
        verb->add_option("--count", arguments_.watch.count, "End after this many messages")
            ->capture_default_str();
        verb->callback(
            [this] { verb_ = [this] { return cli::watch(arguments_.common, arguments_.watch); }; });
    }

    void add_probe_verbs() {
        auto* verb = add("test-connection", "Connect to a device once and read from it",
                         "  fieldwarden test-connection WELD_01");
        verb->add_option("DEVICE", arguments_.code, "Device code")->required();
        runs(verb, [this](auto& session) {
            return cli::run_probe(session, "/test-connection", "device_code", arguments_.code);
        });
        verb = add("test-storage", "Connect to a sink once and write nothing to it",
                   "  fieldwarden test-storage INFLUX");
        verb->add_option("SINK", arguments_.code, "Sink code")->required();
        runs(verb, [this](auto& session) {
            return cli::run_probe(session, "/test-storage", "sink_code", arguments_.code);
        });
        verb = add("write", "Write a point whose access is rw, and read it back",
                   "  fieldwarden write PUMP_SETPOINT 42.5\n  fieldwarden write PUMP_ON true");
        verb->add_option("POINT", arguments_.code, "Point code")->required();
        verb->add_option("VALUE", arguments_.value, "In the point's unit")->required();
        runs(verb,
             [this](auto& session) { return cli::write_point(session, arguments_.code, arguments_.value); });
        auto& browse = arguments_.browse;
        verb = add("browse", "List what a device says it holds (OPC UA)",
                   "  fieldwarden browse BOILER\n  fieldwarden browse BOILER 'ns=2;s=Line1' --depth 3\n"
                   "  fieldwarden browse BOILER --depth 5 --rows points.csv");
        verb->add_option("DEVICE", browse.device, "Device code")->required();
        verb->add_option("NODE", browse.node, "Where to begin; default: the root");
        verb->add_option("--depth", browse.depth, "Levels")->check(CLI::Range(1, 20))->capture_default_str();
        verb->add_option(
            "--rows", browse.rows,
            "Write the variables as rows of the points sheet into this CSV file (-: standard output)");
        runs(verb, [this](auto& session) { return cli::browse(session, arguments_.browse); });
        verb = add("diagnostics", "Show what the driver of a device has counted",
                   "  fieldwarden diagnostics PUMP_01");
        verb->add_option("DEVICE", arguments_.code, "Device code")->required();
        runs(verb, [this](auto& session) { return cli::show_diagnostics(session, arguments_.code); });
    }

    // A verb of verbs: `add` gives the inner one, and the last of them that was named runs.
    using AccountVerb = std::function<int(cli::Session&)>;
    CLI::App* add_inner(CLI::App* verb, const std::string& name, const std::string& does, AccountVerb work) {
        auto* inner = verb->add_subcommand(name, does);
        inner->fallthrough();  // --json and the like may stand behind
        inner_.emplace_back(inner, std::move(work));
        return inner;
    }
    void runs_inner(CLI::App* verb) {
        verb->require_subcommand(1);
        runs(verb, [this](cli::Session& session) {
            for (const auto& [inner, work] : inner_) {
                if (inner->parsed()) return work(session);
            }
            return kExitUsage;
        });
    }

    void add_account_verbs() {
        auto& account = arguments_.account;
        const CLI::IsMember roles{{"viewer", "operator", "admin"}};
        auto* verb =
            add("user", "Manage who may sign in; passwords are read from the terminal or standard input",
                "  fieldwarden user add chen --role operator\n  fieldwarden user list\n"
                "  fieldwarden user passwd chen\n  fieldwarden user disable chen\n"
                "  fieldwarden user remove chen");
        auto* inner = add_inner(verb, "add", "Create a user",
                                [&](auto& session) { return cli::add_user(session, account); });
        inner->add_option("NAME", account.name, "User name")->required();
        inner->add_option("--role", account.role, "What they may do")->check(roles)->required();
        inner->add_flag("--keep-password", account.keep, "Need not be changed at the first sign-in");
        add_inner(verb, "list", "List the users", [](auto& session) { return cli::list_users(session); });
        inner = add_inner(verb, "passwd", "Set a user's password, which ends their sessions",
                          [&](auto& session) { return cli::set_password(session, account); });
        inner->add_option("NAME", account.name, "User name")->required();
        inner->add_flag("--keep-password", account.keep, "Need not be changed at the next sign-in");
        inner = add_inner(verb, "disable", "Keep a user out, at once",
                          [&](auto& session) { return cli::disable_user(session, account); });
        inner->add_option("NAME", account.name, "User name")->required();
        inner->add_flag("--undo", account.enable, "Let them in again");
        inner = add_inner(verb, "remove", "Remove a user and their tokens",
                          [&](auto& session) { return cli::remove_user(session, account); });
        inner->add_option("NAME", account.name, "User name")->required();
        runs_inner(verb);

        verb = add("token", "Manage API tokens",
                   "  fieldwarden token create scada --role viewer --days 365\n  fieldwarden token list\n"
                   "  fieldwarden token revoke 3");
        inner = add_inner(verb, "create", "Create a token and print it, this once",
                          [&](auto& session) { return cli::create_token(session, account); });
        inner->add_option("NAME", account.name, "What it is for")->required();
        inner->add_option("--role", account.role, "What it may do")->check(roles)->required();
        inner->add_option("--user", account.user, "Whose it is; default: oneself");
        inner->add_option("--days", account.days, "Until it expires; default: never")
            ->check(CLI::Range(1, 3650));
        add_inner(verb, "list", "List the tokens", [](auto& session) { return cli::list_tokens(session); });
        inner = add_inner(verb, "revoke", "Remove a token, at once",
                          [&](auto& session) { return cli::revoke_token(session, account); });
        inner->add_option("ID", account.id, "Number from `fieldwarden token list`")->required();
        runs_inner(verb);

        verb = add("audit", "Show who did what, or check that the trail is as it was written",
                   "  fieldwarden audit\n  fieldwarden audit --limit 500\n  fieldwarden audit verify");
        verb->add_option("--limit", arguments_.limit, "Entries, newest first")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        auto* verify =
            verb->add_subcommand("verify", "Check the chain of hashes; exit code 1 when it is broken");
        verify->fallthrough();
        runs(verb, [this, verify](auto& session) {
            return verify->parsed() ? cli::verify_audit(session) : cli::show_audit(session, arguments_.limit);
        });
    }

    std::vector<std::pair<CLI::App*, AccountVerb>> inner_;
    CLI::App app_{"Fieldwarden: industrial data acquisition. Client of a running supervisor."};
    Arguments arguments_;
    std::function<int()> verb_;
};

}  // namespace

bool is_cli_verb(std::string_view word) {
    return std::find(kVerbs.begin(), kVerbs.end(), word) != kVerbs.end();
}

std::vector<std::pair<std::string, std::string>> cli_verbs() {
    const CommandLine line;
    std::vector<std::pair<std::string, std::string>> verbs;
    for (const auto* verb : kVerbs) verbs.emplace_back(verb, line.purpose_of(verb));
    return verbs;
}

int cli_main(int argc, char** argv) {
    CommandLine line;
    return line.run(argc, argv);
}

}  // namespace fieldwarden::supervisor
