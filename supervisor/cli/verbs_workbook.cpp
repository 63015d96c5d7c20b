// import, export, template.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/folder_zip.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"
#include "supervisor/plant/schema.h"

namespace fieldwarden::supervisor::cli {

namespace {

constexpr std::size_t kShownChanges = 20;

struct Words {
    const char *sheet, *row, *column, *problem, *value, *kind, *added, *changed, *removed, *unchanged;
};
constexpr Words kEnglish{"SHEET", "ROW",   "COLUMN",  "MESSAGE", "VALUE",
                         "KIND",  "ADDED", "CHANGED", "REMOVED", "UNCHANGED"};
constexpr Words kChinese{"工作表", "行", "列", "问题", "值", "类别", "新增", "修改", "删除", "不变"};

const Words& words(const Session& session) {
    return session.common.language == "zh" ? kChinese : kEnglish;
}

Table problem_table(const Session& session, const Json& problems, Style style) {
    const auto& w = words(session);
    Table table{{{w.sheet}, {w.row, true}, {w.column}, {w.problem}, {w.value}}};
    for (const auto& problem : items_of(problems)) {
        table.add({{text_of(problem, "sheet")},
                   {text_of(problem, "row")},
                   {text_of(problem, "column")},
                   {text_of(problem, "message"), style},
                   {cut_to_width(text_of(problem, "value"), 40)}});
    }
    return table;
}

// Problems are never cut to the terminal: the end of the message is what says how to mend them. `total`
// counts those too that the server did not list.
void print_problems(const Session& session, const Json& problems, std::size_t total, Style style,
                    std::string_view noun) {
    const auto table = problem_table(session, problems, style);
    if (table.empty()) return;
    total = std::max(total, table.size());
    auto count = fmt::format("{} {}{}", total, noun, total == 1 ? "" : "s");
    if (total > table.size()) count += fmt::format(", of which the first {} are listed", table.size());
    fmt::print("{}\n{}\n", table.render(std::nullopt, session.colour),
               styled(std::move(count), style, session.colour));
}

// "W1: unit '' → 'A', scale 1 → 0.1"
std::string change_line(const Json& change) {
    std::string line = text_of(change, "code");
    const char* separator = ": ";
    const auto add = [&](const std::string& field, const Json& values) {
        line +=
            fmt::format("{}{} '{}' → '{}'", separator, field, text_of(values, "from"), text_of(values, "to"));
        separator = ", ";
    };
    const auto& fields = member(change, "fields");
    if (fields.is_object()) {
        for (const auto& [name, values] : fields.items()) add(name, values);
    }
    for (const auto& field : items_of(fields)) add(text_of(field, "field"), field);
    return line;
}

void print_diff(const Session& session, const Json& diff, std::string_view noun) {
    const auto& w = words(session);
    Table table{{{w.kind}, {w.added, true}, {w.changed, true}, {w.removed, true}, {w.unchanged, true}}};
    std::vector<std::string> details;
    std::size_t changes = 0;
    std::size_t told = 0;  // of them, those that get a line of their own
    const auto& kinds = member(diff, "kinds").is_object() ? member(diff, "kinds") : diff;
    for (const Kind kind : kAllKinds) {
        const auto& schema = schema_of(kind);
        const auto& of_kind = member(kinds, schema.sheet);
        if (!of_kind.is_object()) continue;
        // The lists may be cut by the server; its counts are not.
        const auto& counts = member(of_kind, "counts").is_object() ? member(of_kind, "counts") : of_kind;
        const auto added = count_of(member(counts, "added"));
        const auto changed = count_of(member(counts, "changed"));
        const auto removed = count_of(member(counts, "removed"));
        told += changed + removed;
        changes += added + changed + removed;
        table.add({{std::string{session.common.language == "zh" ? schema.sheet_zh : schema.sheet}},
                   {fmt::format("{}", added), added > 0 ? Style::kGood : Style::kDim},
                   {fmt::format("{}", changed), changed > 0 ? Style::kWarning : Style::kDim},
                   {fmt::format("{}", removed), removed > 0 ? Style::kBad : Style::kDim},
                   {fmt::format("{}", count_of(member(counts, "unchanged"))), Style::kDim}});
        for (const auto& change : items_of(member(of_kind, "changed"))) {
            details.push_back(fmt::format("  ~ {} {}", schema.noun, printable(change_line(change))));
        }
        for (const auto& gone : items_of(member(of_kind, "removed"))) {
            const auto code = gone.is_object() ? text_of(gone, "code") : text_of(gone);
            details.push_back(fmt::format("  - {} {}", schema.noun, printable(code)));
        }
    }
    fmt::print("\n{}", table.render(table_width(), session.colour));
    const auto shown = std::min(details.size(), kShownChanges);
    for (std::size_t i = 0; i < shown; ++i) fmt::print("{}\n", details[i]);
    if (told > shown) fmt::print("  … and {} more (--json shows all)\n", told - shown);
    if (changes == 0) fmt::print("The configuration already is as the {} says.\n", noun);
}

std::string joined(const Json& list) {
    std::string text;
    for (const auto& entry : items_of(list)) {
        text += fmt::format("{}{}", text.empty() ? "" : ", ", printable(text_of(entry)));
    }
    return text;
}

Result<Json> upload(Session& session, const ImportArguments& arguments) {
    std::error_code error;
    std::string file = arguments.file;
    auto name = arguments.name.empty() ? std::filesystem::path{file}.filename().string() : arguments.name;
    std::optional<TemporaryFile> archive;
    if (std::filesystem::is_directory(file, error)) {
        auto zipped = zip_csv_folder(file);
        if (!zipped) return zipped.error();
        archive.emplace(std::move(*zipped));
        file = archive->path();
        name = std::filesystem::weakly_canonical(arguments.file, error).filename().string() + ".zip";
    }
    const auto path = fmt::format("/import-jobs?lang={}", ApiClient::escaped(session.common.language));
    return session.api.upload(path, file, name, {{"mode", arguments.replace ? "replace" : "merge"}});
}

void print_applied(const Session& session, const Json& applied, std::string_view noun) {
    const auto reloaded = joined(member(applied, "reloaded"));
    fmt::print("{}", styled("Applied.", Style::kGood, session.colour));
    if (reloaded.empty()) {
        fmt::print(" No running task was touched.\n");
    } else {
        fmt::print(" Running tasks reloaded: {}\n", reloaded);
    }
    if (const auto stopped = joined(member(applied, "stopped")); !stopped.empty()) {
        fmt::print("Tasks stopped because the {} removed them: {}\n", noun, stopped);
    }
}

}  // namespace

int import_workbook(Session& session, const ImportArguments& arguments) {
    const auto job = upload(session, arguments);
    if (!job) return fail(job.error());
    Json report{{"job", *job}};
    const bool valid = text_of(*job, "status") != "invalid";
    if (!session.common.json) {
        print_problems(session, member(*job, "errors"), count_of(member(*job, "error_count")), Style::kBad,
                       "error");
        print_problems(session, member(*job, "warnings"), count_of(member(*job, "warning_count")),
                       Style::kWarning, "warning");
    }
    if (!valid) {
        if (session.common.json) {
            print_json(report);
        } else {
            fmt::print("The {} was refused; nothing was changed. {}\n", arguments.noun, arguments.if_refused);
        }
        return kExitFailed;
    }
    const auto id = text_of(*job, "id");
    // A script gets every change, a person the first few.
    const auto diff = session.api.get(
        fmt::format("/import-jobs/{}/diff?limit={}", id, session.common.json ? 100'000 : kShownChanges),
        "comparing");
    if (!diff) return fail(diff.error());
    report["diff"] = *diff;
    if (!session.common.json) print_diff(session, *diff, arguments.noun);
    if (arguments.apply) {
        const auto applied =
            session.api.post(fmt::format("/import-jobs/{}/apply", id), Json::object(), "applying");
        if (!applied) return fail(applied.error());
        report["applied"] = *applied;
        if (!session.common.json) print_applied(session, *applied, arguments.noun);
    } else if (!session.common.json) {
        fmt::print("\nNothing was changed yet (import job {}). Add {} to store it.\n", id,
                   arguments.apply_flag);
    }
    return session.common.json ? print_json(report) : kExitDone;
}

int download_workbook(Session& session, const std::string& path, const std::string& file) {
    const auto full = fmt::format("{}?lang={}", path, ApiClient::escaped(session.common.language));
    if (const auto done = session.api.download(full, file); !done) return fail(done.error());
    if (file == "-") return kExitDone;
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    if (session.common.json) return print_json({{"file", file}, {"bytes", error ? 0 : size}});
    fmt::print("Wrote {} ({} bytes).\n", file, error ? 0 : size);
    return kExitDone;
}

}  // namespace fieldwarden::supervisor::cli
