// dead-letters: what sinks refused for good; deliver it again, or clear it.
#include <fmt/format.h>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

namespace {

std::string scope_of(const DeadLetterArguments& arguments) {
    return fmt::format("task_code={}&sink_code={}", ApiClient::escaped(arguments.task),
                       ApiClient::escaped(arguments.sink));
}

int print_change(const Session& session, const Json& answer, const char* done) {
    if (session.common.json) return print_json(answer);
    fmt::print("{} letters with {} samples {}.\n", text_of(answer, "letters"), text_of(answer, "samples"),
               done);
    if (const auto detail = text_of(answer, "detail"); !detail.empty()) fmt::print("{}\n", detail);
    return kExitDone;
}

}  // namespace

int show_dead_letters(Session& session, const DeadLetterArguments& arguments) {
    const auto answer =
        session.api.get(fmt::format("/dead-letters?page_size={}&{}", arguments.limit, scope_of(arguments)));
    if (!answer) return fail(answer.error());
    if (session.common.json) return print_json(*answer);
    const auto letters = items_of(*answer);
    if (letters.empty()) {
        fmt::print("There are no dead letters.\n");
        return kExitDone;
    }
    Table table{{{.title = "REJECTED"},
                 {.title = "TASK", .shrinks = true, .narrowest = 12},
                 {.title = "SINK", .shrinks = true, .narrowest = 12},
                 {.title = "STATE", .leaves = 1},
                 {.title = "SEQ", .right = true, .leaves = 2},
                 {.title = "SAMPLES", .right = true},
                 {.title = "REASON", .shrinks = true, .narrowest = 16}}};
    for (const auto& letter : letters) {
        const auto samples = letter.find("samples");
        table.add({{local_time(text_of(letter, "rejected_at"))},
                   {text_of(letter, "task_code")},
                   {text_of(letter, "sink_code")},
                   {text_of(letter, "state")},
                   {text_of(letter, "seq")},
                   {std::to_string(samples != letter.end() ? samples->size() : 0)},
                   {text_of(letter, "reason")}});
    }
    fmt::print("{}", table.render(table_width(), session.colour));
    const auto total = number_of(*answer, "total");
    if (total > static_cast<double>(letters.size())) {
        fmt::print("{} of {:.0f}; --limit shows more\n", letters.size(), total);
    }
    return kExitDone;
}

int retry_dead_letters(Session& session, const DeadLetterArguments& arguments) {
    Json body = Json::object();
    if (!arguments.task.empty()) body["task_code"] = arguments.task;
    if (!arguments.sink.empty()) body["sink_code"] = arguments.sink;
    const auto answer = session.api.post("/dead-letters/retry", body);
    if (!answer) return fail(answer.error());
    return print_change(session, *answer, "are delivered again");
}

int clear_dead_letters(Session& session, const DeadLetterArguments& arguments) {
    const auto answer = session.api.remove("/dead-letters?" + scope_of(arguments));
    if (!answer) return fail(answer.error());
    return print_change(session, *answer, "are cleared");
}

}  // namespace fieldwarden::supervisor::cli
