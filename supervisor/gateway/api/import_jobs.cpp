// /import-jobs: a workbook in two steps, validate and apply; the template and the export.
#include <fmt/format.h>
#include <malloc.h>

#include <fstream>
#include <iterator>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/rules.h"
#include "supervisor/gateway/api/store_list.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/import_desk.h"
#include "supervisor/gateway/plant_index.h"
#include "supervisor/workbook/problem_rows.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::string_view kXlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
constexpr std::size_t kLongestFileName = 255;

// A large workbook leaves a large heap behind: what it took goes back to the system when the call ends.
struct TrimAtEnd {
    TrimAtEnd() = default;
    TrimAtEnd(const TrimAtEnd&) = delete;
    TrimAtEnd& operator=(const TrimAtEnd&) = delete;
    ~TrimAtEnd() { ::malloc_trim(0); }
};

Json job_json(const ImportJob& job, bool with_problems) {
    Json json{{"id", job.id},
              {"file_name", job.file_name},
              {"mode", job.mode},
              {"status", job.status},
              {"created_at", format_rfc3339(job.created_at)},
              {"created_by", job.created_by},
              {"applied_at", proto::time_or_null(job.applied_at)},
              {"base_revision", job.base_revision},
              {"summary", job.summary}};
    if (with_problems) {
        json["errors"] = job.errors;
        json["warnings"] = job.warnings;
    }
    return json;
}

struct Proposal {
    Problems problems;
    ProblemRows rows;
    std::shared_ptr<const Diff> diff;  // null when there are errors
};

Result<Proposal> propose(const std::string& path, std::string_view file_name, const Plant& plant,
                         const ValidationRules& rules) {
    const auto workbook = read_workbook(path, file_name, rules.language);
    if (!workbook) return workbook.error();
    auto validation = validate(*workbook, plant, rules);
    Proposal proposal;
    if (validation.ok()) proposal.diff = std::make_shared<const Diff>(diff(plant, validation.proposed));
    proposal.problems = std::move(validation.problems);
    proposal.rows = problem_rows(*workbook, proposal.problems);
    return proposal;
}

OrRefusal<ImportJob> job_of(const HttpRequest& request, Context& context) {
    const auto id = number_in_path(request.param("id"));
    if (!id) return missing("import job", request.param("id"));
    auto job = context.services.store.import_job(*id);
    if (job) return std::move(*job);
    if (job.error().kind == ErrorKind::kNotFound) return missing("import job", request.param("id"));
    return problem(job.error());
}

HttpResponse stale(const ImportJob& job, const Plant& plant) {
    return problem(
        409, fmt::format("the configuration changed since this workbook was checked (revision {} then, {} "
                         "now); upload it again to see what it would change",
                         job.base_revision, plant.revision));
}

// The changes of a job against the plant it was checked with: from memory, or by reading the workbook again.
OrRefusal<std::shared_ptr<const Diff>> diff_of(const ImportJob& job, const Plant& plant,
                                               const HttpRequest& request, Context& context) {
    if (job.status == "invalid") {
        return problem(409, "the workbook has errors; correct them and upload it again");
    }
    if (auto known = context.imports.recall(job.id)) return known;
    if (job.status == "applied") {
        return problem(409,
                       "the job has been applied; its changes are in the summary and in the audit trail");
    }
    if (plant.revision != job.base_revision) return stale(job, plant);
    const auto file = context.imports.file(job.id);
    if (!file) return problem(409, file.error().message);
    const auto mode = from_name<ImportMode>(job.mode).value_or(ImportMode::kMerge);
    const auto proposal =
        propose(file->string(), job.file_name, plant, validation_rules(request, context, mode));
    if (!proposal) return problem(proposal.error());
    if (!proposal->diff)
        return problem(409, "the workbook does not pass the checks any more; upload it again");
    context.imports.remember(job.id, proposal->diff);
    return proposal->diff;
}

// A workbook written to a scratch file and read back as the response.
template <class Write>
HttpResponse download(Context& context, std::string_view file_name, Write write) {
    const auto path = context.imports.scratch(".xlsx");
    const auto written = write(path.string());
    HttpResponse response;
    if (written) {
        std::ifstream in(path, std::ios::binary);
        response.body.assign(std::istreambuf_iterator<char>(in), {});
    }
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    if (!written) return problem(written.error());
    response.content_type = kXlsx;
    response.headers.emplace_back("Content-Disposition",
                                  fmt::format("attachment; filename=\"{}\"", file_name));
    return response;
}

}  // namespace

HttpResponse create_import_job(const HttpRequest& request, Context& context) {
    const TrimAtEnd trim;
    if (!request.upload) {
        return problem(422, "file: send the workbook as the multipart field 'file'",
                       {{"file", "missing_value", "send the workbook as the multipart field 'file'", ""}});
    }
    auto mode = ImportMode::kMerge;
    const auto sent = request.form.find("mode");
    const auto mode_text = sent != request.form.end() ? std::string_view(sent->second)
                                                      : request.query_value("mode").value_or("merge");
    if (const auto named = from_name<ImportMode>(mode_text)) {
        mode = *named;
    } else {
        return problem(
            422, "mode: merge or replace",
            {{"mode", "bad_value", "mode is merge or replace", std::string(mode_text.substr(0, 100))}});
    }
    const auto plant = context.services.control.plant();
    const auto& upload = *request.upload;
    const auto file_name = upload.file_name.substr(0, kLongestFileName);
    const auto proposal =
        propose(upload.path.string(), file_name, *plant, validation_rules(request, context, mode));
    if (!proposal) return problem(proposal.error());

    ImportJob job;
    job.file_name = file_name;
    job.mode = to_name(mode);
    job.status = proposal->diff ? "validated" : "invalid";
    job.created_at = context.services.clock.utc_now();
    job.created_by = request.identity.username;
    job.base_revision = plant->revision;
    if (proposal->diff) job.summary = summary_json(*proposal->diff);
    job.errors = to_json(proposal->problems.errors());
    job.warnings = to_json(proposal->problems.warnings());
    put_row_cells(job.errors, proposal->rows);
    put_row_cells(job.warnings, proposal->rows);
    const auto id = context.services.store.add_import_job(job);
    if (!id) return problem(id.error());
    job.id = *id;
    if (proposal->diff) {
        context.imports.remember(job.id, proposal->diff);
        if (auto kept = context.imports.keep(job.id, upload.path); !kept) return problem(kept.error());
    }
    auto json = job_json(job, true);
    // All are counted, the first ten thousand are listed.
    json["error_count"] = proposal->problems.error_count();
    json["warning_count"] = proposal->problems.warning_count();
    auto response = json_response(json, 201);
    response.headers.emplace_back("Location", fmt::format("/api/v1/import-jobs/{}", job.id));
    return response;
}

HttpResponse list_import_jobs(const HttpRequest& request, Context& context) {
    const auto query =
        read_list_query(request, {"id", "file_name", "status", "created_at", "created_by"}, Cursors::kTaken);
    if (!query) return query.error();
    return store_list(
        *query, {{"file_name", "status", "created_by"}},
        [&](PageRequest page) { return context.services.store.import_jobs(page); },
        [](const ImportJob& job) { return job_json(job, false); });
}

HttpResponse show_import_job(const HttpRequest& request, Context& context) {
    const auto job = job_of(request, context);
    return job ? json_response(job_json(*job, true)) : job.error();
}

HttpResponse show_import_diff(const HttpRequest& request, Context& context) {
    const auto job = job_of(request, context);
    if (!job) return job.error();
    const auto limit = read_integer(request, "limit", 1, 100'000);
    if (!limit) return limit.error();
    const auto plant = context.services.control.plant();
    const auto changes = diff_of(*job, *plant, request, context);
    if (!changes) return changes.error();
    return json_response(to_json(**changes, static_cast<std::size_t>(limit->value_or(1000))));
}

HttpResponse apply_import_job(const HttpRequest& request, Context& context) {
    const TrimAtEnd trim;
    const std::scoped_lock one_at_a_time(context.imports.apply_mutex());
    auto job = job_of(request, context);
    if (!job) return job.error();
    if (job->status == "applied")
        return problem(409, fmt::format("import job {} has already been applied", job->id));
    const auto plant = context.services.control.plant();
    const auto changes = diff_of(*job, *plant, request, context);
    if (!changes) return changes.error();
    if (plant->revision != job->base_revision) return stale(*job, *plant);

    AuditEntry audit;
    audit.at = context.services.clock.utc_now();
    audit.actor = actor_of(request);
    audit.action = "import.apply";
    audit.subject = std::to_string(job->id);
    audit.detail = {{"file_name", job->file_name}, {"mode", job->mode}, {"summary", job->summary}};
    auto revision = plant->revision;
    Json reloaded = Json::array();
    Json stopped = Json::array();
    // A workbook that changes nothing is applied by doing nothing.
    if (!(*changes)->changes.empty()) {
        const auto applied = context.services.control.apply((*changes)->changes, job->base_revision, audit);
        if (!applied) return problem(applied.error());
        revision = applied->plant->revision;
        reloaded = applied->reloaded;
        stopped = applied->stopped;
    }
    context.imports.applied(job->id);
    job->status = "applied";
    job->applied_at = context.services.clock.utc_now();
    // The configuration is in force whatever becomes of this note: a second apply would be refused as stale.
    if (const auto noted = context.services.store.update_import_job(*job); !noted) {
        context.services.log(proto::LogLevel::kError,
                             fmt::format("import job {} is applied but could not be marked so: {}", job->id,
                                         noted.error().message));
    }
    return json_response({{"id", job->id},
                          {"status", job->status},
                          {"revision", revision},
                          {"summary", job->summary},
                          {"reloaded", std::move(reloaded)},
                          {"stopped", std::move(stopped)}});
}

HttpResponse download_template(const HttpRequest& request, Context& context) {
    return download(context, "fieldwarden-template.xlsx", [&](const std::string& path) {
        return write_template(path, language_of_request(request));
    });
}

HttpResponse download_export(const HttpRequest& request, Context& context) {
    const auto plant = context.services.control.plant();
    return download(context, "fieldwarden-plant.xlsx", [&](const std::string& path) {
        return write_export(*plant, path, language_of_request(request));
    });
}

}  // namespace fieldwarden::supervisor::gateway
