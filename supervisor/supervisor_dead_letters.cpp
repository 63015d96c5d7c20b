// Dead letters through Control: files, so on the caller's thread; the loop is asked only who runs.
#include <fmt/format.h>

#include "supervisor/supervisor_ask.h"

namespace fieldwarden::supervisor {

namespace {

Result<std::vector<std::string>> tasks_in(const Plant& plant, const DeadLetterScope& scope) {
    std::vector<std::string> tasks;
    for (const auto& task : plant.of(Kind::kTask).all()) {
        if (scope.task_code.empty() || task.code() == scope.task_code) tasks.emplace_back(task.code());
    }
    if (tasks.empty() && !scope.task_code.empty()) {
        return make_error(ErrorKind::kNotFound, fmt::format("there is no task {}", scope.task_code));
    }
    return tasks;
}

}  // namespace

Result<DeadLetterPage> Supervisor::dead_letters(const DeadLetterQuery& query) {
    const auto tasks = tasks_in(*plant(), query.scope);
    if (!tasks) return tasks.error();
    return list_dead_letters(loop_->settings_.server.data_dir, *tasks, query);
}

Result<std::vector<DeadLetterChange>> Supervisor::change_dead_letters(LetterChange change, const char* action,
                                                                      const DeadLetterScope& scope,
                                                                      const Actor& actor) {
    const auto known = plant();
    const auto tasks = tasks_in(*known, scope);
    if (!tasks) return tasks.error();
    std::vector<DeadLetterChange> changes;
    for (const auto& task : *tasks) {
        auto changed = change(loop_->settings_.server.data_dir, task, scope.sink_code);
        if (!changed) return changed.error();
        if (changed->letters == 0) continue;
        auto running = ask<bool>([loop = loop_.get(), task](auto answer) {
            const auto found = loop->tasks_.find(task);
            answer(found != loop->tasks_.end() && static_cast<bool>(found->second.worker));
        });
        changed->running = running && *running;
        AuditEntry entry;
        entry.at = loop_->clock_.utc_now();
        entry.actor = actor;
        entry.action = action;
        entry.subject = task;
        entry.detail = {
            {"sink_code", scope.sink_code}, {"letters", changed->letters}, {"samples", changed->samples}};
        loop_->store_queue_.submit_audit(std::move(entry));
        changes.push_back(std::move(*changed));
    }
    // A sink that was removed may still have letters; one that has none and never was is a slip of the pen.
    const auto& sink = scope.sink_code;
    if (changes.empty() && !sink.empty() && sink != kHistorySink && !known->of(Kind::kSink).find(sink)) {
        return make_error(ErrorKind::kNotFound, fmt::format("there is no sink {}", sink));
    }
    return changes;
}

Result<std::vector<DeadLetterChange>> Supervisor::retry_dead_letters(const DeadLetterScope& scope,
                                                                     const Actor& actor) {
    return change_dead_letters(supervisor::retry_dead_letters, "dead_letters.retry", scope, actor);
}

Result<std::vector<DeadLetterChange>> Supervisor::clear_dead_letters(const DeadLetterScope& scope,
                                                                     const Actor& actor) {
    return change_dead_letters(supervisor::clear_dead_letters, "dead_letters.clear", scope, actor);
}

}  // namespace fieldwarden::supervisor
