#include "common/history/history_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_map>

#include "common/data_paths.h"
#include "common/history/history_collect.h"
#include "common/history/history_format.h"
#include "common/sample_block.h"
#include "common/sqlite.h"

namespace fieldwarden {

namespace fs = std::filesystem;

namespace {

// A window, or all frames not yet compacted taken together: where samples of a stretch of time lie.
struct Source {
    bool frames = false;
    std::int64_t window = 0;
    std::int64_t t_first = 0;
    std::int64_t t_last = 0;
};

// Past this many points it is cheaper to read a window through than to look each one up.
constexpr std::size_t kMostLookups = 500;

// Who the samples found belong to: ids to codes, for the points asked for.
struct Points {
    std::unordered_map<PointId, std::string> codes;
    PointId least = UINT32_MAX;
    PointId most = 0;
    bool all = false;
};

Result<Points> find_points(SqlDatabase& db, const HistoryQuery& query) {
    Points points;
    points.all = query.point_codes.empty();
    const auto take = [&](const SqlStatement& row) {
        const auto id = static_cast<PointId>(row.integer(0));
        points.codes.emplace(id, row.text(1));
        points.least = std::min(points.least, id);
        points.most = std::max(points.most, id);
    };
    auto statement = db.prepare(points.all ? "SELECT id, point_code FROM points"
                                           : "SELECT id, point_code FROM points WHERE point_code = ?");
    if (!statement) return statement.error();
    const std::size_t rounds = points.all ? 1 : query.point_codes.size();
    for (std::size_t i = 0; i < rounds; ++i) {
        if (!points.all) statement->bind(std::string_view{query.point_codes[i]});
        for (;;) {
            const auto row = statement->step();
            if (!row) return row.error();
            if (!*row) break;
            take(*statement);
        }
    }
    return points;
}

class QueryRun {
  public:
    QueryRun(SqlDatabase& db, const HistoryQuery& query, Points points)
        : db_(db), query_(query), points_(std::move(points)), collector_(query, points_.codes) {
        constexpr auto kEver = std::numeric_limits<std::int64_t>::max();
        start_ =
            query.start ? query.start->time_since_epoch().count() : std::numeric_limits<std::int64_t>::min();
        end_ = query.end ? query.end->time_since_epoch().count() : kEver;
    }

    Result<std::vector<HistoryPoint>> run() {
        const auto compacted = history::number(
            db_, fmt::format("SELECT value FROM meta WHERE key = '{}'", history::kMetaCompactedSeq));
        if (!compacted) return compacted.error();
        compacted_seq_ = *compacted;
        auto sources = find_sources();
        if (!sources) return sources.error();
        for (const auto& source : *sources) {
            // Sources come in the order asked for: behind the last result wanted nothing can follow.
            if (collector_.complete_before(query_.descending ? source.t_last : source.t_first)) break;
            const auto read = source.frames ? read_frames() : read_window(source.window);
            if (!read) return read.error();
        }
        return collector_.finish();
    }

  private:
    Result<std::vector<Source>> find_sources() {
        std::vector<Source> sources;
        auto windows = db_.prepare(
            "SELECT id, t_first, t_last FROM windows WHERE complete = 1 AND t_last >= ? AND t_first < ?");
        if (!windows) return windows.error();
        windows->bind(start_, end_);
        for (;;) {
            const auto row = windows->step();
            if (!row) return row.error();
            if (!*row) break;
            sources.push_back({false, windows->integer(0), windows->integer(1), windows->integer(2)});
        }
        auto frames = db_.prepare("SELECT min(t_first), max(t_last) FROM frames WHERE seq > ?");
        if (!frames) return frames.error();
        const auto row = frames->bind(compacted_seq_).step();
        if (!row) return row.error();
        if (!frames->is_null(0)) sources.push_back({true, 0, frames->integer(0), frames->integer(1)});
        std::sort(sources.begin(), sources.end(), [&](const Source& a, const Source& b) {
            return query_.descending ? a.t_last > b.t_last : a.t_first < b.t_first;
        });
        return sources;
    }

    Status read_frames() {
        auto frames =
            db_.prepare(fmt::format("SELECT block FROM frames WHERE seq > ? AND t_last >= ? AND "
                                    "t_first < ? AND point_most >= ? AND "
                                    "point_least <= ? ORDER BY seq {}",
                                    query_.descending ? "DESC" : "ASC"));
        if (!frames) return frames.error();
        frames->bind(compacted_seq_, start_, end_, std::int64_t{points_.least}, std::int64_t{points_.most});
        for (;;) {
            const auto row = frames->step();
            if (!row) return row.error();
            if (!*row) return {};
            if (auto taken = take(frames->bytes(0)); !taken) return taken;
        }
    }

    Status read_window(std::int64_t window) {
        if (points_.all || points_.codes.size() > kMostLookups) {
            auto chunks = db_.prepare(
                "SELECT block FROM chunks WHERE window = ? AND point BETWEEN ? AND ? ORDER BY point");
            if (!chunks) return chunks.error();
            chunks->bind(window, std::int64_t{points_.least}, std::int64_t{points_.most});
            for (;;) {
                const auto row = chunks->step();
                if (!row) return row.error();
                if (!*row) return {};
                if (auto taken = take(chunks->bytes(0)); !taken) return taken;
            }
        }
        if (!one_chunk_) {
            auto prepared = db_.prepare("SELECT block FROM chunks WHERE window = ? AND point = ?");
            if (!prepared) return prepared.error();
            one_chunk_ = std::move(*prepared);
        }
        for (const auto& [id, code] : points_.codes) {
            const auto row = one_chunk_->bind(window, std::int64_t{id}).step();
            if (!row) return row.error();
            if (*row) {
                if (auto taken = take(one_chunk_->bytes(0)); !taken) return taken;
            }
        }
        return {};
    }

    Status take(ByteSpan block) {
        batch_.clear();
        if (const auto decoded = decode_sample_block(block, batch_); !decoded) {
            return make_error(ErrorKind::kCorrupt,
                              fmt::format("{}: {}", db_.path(), decoded.error().message));
        }
        for (auto& sample : batch_) {
            const auto time = sample.time.time_since_epoch().count();
            if (time >= start_ && time < end_ && points_.codes.contains(sample.point))
                collector_.add(std::move(sample));
        }
        return {};
    }

    SqlDatabase& db_;
    const HistoryQuery& query_;
    Points points_;
    HistoryCollector collector_;
    std::optional<SqlStatement> one_chunk_;
    std::int64_t start_ = 0;
    std::int64_t end_ = 0;
    std::int64_t compacted_seq_ = 0;
    SampleBatch batch_;
};

}  // namespace

Result<std::vector<HistoryPoint>> query_history(const std::string& data_dir, const std::string& task_code,
                                                const HistoryQuery& query) {
    return query_history_file(history_file(data_dir, task_code), query);
}

std::vector<std::string> history_files(const std::string& data_dir) {
    std::vector<std::string> files;
    std::error_code error;
    // As history_file() writes it.
    for (fs::directory_iterator at{data_dir + "/history", error}, end; !error && at != end;
         at.increment(error)) {
        std::error_code refused;
        if (at->path().extension() == ".db" && at->is_regular_file(refused))
            files.push_back(data_dir + "/history/" + at->path().filename().string());
    }
    std::ranges::sort(files);
    return files;
}

Result<std::vector<HistoryPoint>> query_history_file(const std::string& path, const HistoryQuery& query) {
    if (query.aggregate != HistoryQuery::none && query.interval.count() <= 0) {
        return make_error(ErrorKind::kInvalidArgument,
                          "history: an aggregate needs an interval longer than zero");
    }
    if (query.start && query.end && *query.start > *query.end) {
        return make_error(ErrorKind::kInvalidArgument, "history: start lies behind end");
    }
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 && errno == ENOENT) return std::vector<HistoryPoint>{};
    if (query.limit == 0) return std::vector<HistoryPoint>{};
    auto db = SqlDatabase::open(path, SqlDatabase::Mode::kReadOnly);
    if (!db) return db.error();
    // One snapshot for the whole query.
    if (auto begun = db->execute("BEGIN"); !begun) return begun.error();
    const auto version = history::number(*db, "PRAGMA user_version");
    if (!version) return version.error();
    if (*version == 0) return std::vector<HistoryPoint>{};  // the worker is just creating it
    if (*version > history::kSchemaVersion) {
        return make_error(ErrorKind::kCorrupt,
                          fmt::format("{} was written by a newer version (schema {}, known {})", path,
                                      *version, history::kSchemaVersion));
    }
    auto points = find_points(*db, query);
    if (!points) return points.error();
    if (points->codes.empty()) return std::vector<HistoryPoint>{};
    return QueryRun{*db, query, std::move(*points)}.run();
}

}  // namespace fieldwarden
