// audit: who did what, and whether the trail is as it was written.
#include <fmt/format.h>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

int show_audit(Session& session, unsigned limit) {
    const auto answer = session.api.get(fmt::format("/audit?page_size={}", limit));
    if (!answer) return fail(answer.error());
    if (session.common.json) return print_json(*answer);
    Table table{{{"ID", true},
                 {"TIME"},
                 {"WHO"},
                 {"ROLE"},
                 {"FROM"},
                 {"ACTION"},
                 {"SUBJECT"},
                 {"DETAIL", false, true}}};
    for (const auto& entry : items_of(*answer)) {
        table.add({{text_of(entry, "id")},
                   {local_time(text_of(entry, "timestamp"))},
                   {text_of(entry, "actor")},
                   {text_of(entry, "role")},
                   {text_of(entry, "remote")},
                   {text_of(entry, "action")},
                   {text_of(entry, "subject")},
                   {dumped(member(entry, "detail"))}});
    }
    fmt::print("{}", table.render(table_width(), session.colour));
    return kExitDone;
}

int verify_audit(Session& session) {
    const auto answer = session.api.get("/audit/verify", "following the chain");
    if (!answer) return fail(answer.error());
    const bool good = flag_of(*answer, "ok");
    if (session.common.json) {
        print_json(*answer);
    } else if (good) {
        fmt::print(
            "All {} entries are as they were written. Newest hash:\n{}\n"
            "Kept elsewhere, it shows later whether entries went missing at the end.\n",
            text_of(*answer, "entries"), text_of(*answer, "newest_hash"));
    } else {
        const auto& broken = member(*answer, "first_broken");
        fmt::print(
            stderr,
            "fieldwarden: the audit trail was changed: entry {} ({}, {} by {}) does not follow from the one "
            "before. {} entries before it are good; either this one was changed or inserted, or one in front "
            "of "
            "it was removed\n",
            text_of(broken, "id"), local_time(text_of(broken, "timestamp")),
            printable(text_of(broken, "action")), printable(text_of(broken, "actor")),
            text_of(*answer, "entries"));
    }
    return good ? kExitDone : kExitFailed;
}

}  // namespace fieldwarden::supervisor::cli
