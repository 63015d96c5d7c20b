#include "worker/sinks/tdengine/tdengine_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <unordered_map>

#include "common/sink_options.h"
#include "proto/shapes.h"
#include "worker/sinks/tdengine/columns.h"
#include "worker/sinks/tdengine/insert_sql.h"
#include "worker/sinks/tdengine/names.h"
#include "worker/sinks/tdengine/schema.h"
#include "worker/sinks/tdengine/sql_link.h"
#include "worker/sinks/tdengine/stored_reader.h"

namespace fieldwarden::worker::tdengine {

namespace {

// A super table is made, looked at, and looked at again when another worker was faster: more than this and
// something else is wrong, which the next delivery meets again after a pause.
constexpr int kLooks = 4;

class TdengineSink : public Sink {
  public:
    TdengineSink(const SinkConfig& config, const SinkContext& context, std::unique_ptr<HttpClient> http,
                 const std::string& database)
        : database_(database),
          link_(std::move(http), database),
          schema_(link_, database),
          limits_{static_cast<std::size_t>(integer_option(config, "batch_samples")),
                  std::chrono::milliseconds{integer_option(config, "linger_ms")}},
          log_(context.log) {}

    Status open() override {
        const auto reply = schema_.open();
        if (!reply.good()) return make_error(ErrorKind::kUnavailable, reply.reason);
        if (schema_.is_coarse() && !said_coarse_ && log_) {
            log_(proto::LogLevel::kWarning,
                 fmt::format("tdengine: database {} keeps times in milliseconds: of several samples of a "
                             "point within one millisecond the last one stays",
                             database_));
        }
        said_coarse_ = schema_.is_coarse();
        return {};
    }

    DeliveryOutcome deliver(const DeliveryBatch& batch) override;
    [[nodiscard]] Limits limits() const override { return limits_; }
    Result<std::string> probe() override;
    Result<SampleBatch> newest(const PointDirectory& points) override {
        return StoredReader{link_, schema_}.newest(points);
    }
    Result<SampleBatch> stored_range(const PointDirectory& points, const StoredRange& range) override {
        return StoredReader{link_, schema_}.range(points, range);
    }
    void interrupt() override { link_.interrupt(); }

  private:
    // Where a point's samples go.
    struct Place {
        std::string super_table;
        std::string device_code;
        std::string device_name;
        std::string column;
        DataType type;
    };
    struct Plan {
        std::vector<TableRows> tables;
        std::vector<std::pair<std::string, std::vector<ColumnPlan::Change>>> changes;  // per super table
    };

    void learn(const DeliveryBatch& batch);
    SqlReply plan(const DeliveryBatch& batch, DeliveryOutcome& outcome, Plan& made);
    SqlReply write(const DeliveryBatch& batch, DeliveryOutcome& outcome);
    SqlReply begin_rows(const Place& place, const SuperTable& table, TableRows& rows);
    static void reject(DeliveryOutcome& outcome, std::size_t record, std::string why);

    std::string database_;
    SqlLink link_;
    Schema schema_;
    Limits limits_;
    LogFunction log_;
    bool said_coarse_ = false;
    std::unordered_map<PointId, Place> places_;
    std::uint64_t version_ = 0;
};

void TdengineSink::learn(const DeliveryBatch& batch) {
    if (batch.directory == nullptr || (batch.directory_version == version_ && !places_.empty())) return;
    places_.clear();
    version_ = batch.directory_version;
    const auto columns = name_columns(*batch.directory);
    for (const auto& [id, point] : *batch.directory) {
        places_[id] = {super_table_of(point), point.device_code, point.device_name, columns.at(id),
                       point.data_type};
    }
}

// With the head "`t_D1` USING `st_pump` (`device_code`,`name`) TAGS ('D1','Pump 1')".
SqlReply TdengineSink::begin_rows(const Place& place, const SuperTable& table, TableRows& rows) {
    std::string own;
    if (auto named = schema_.name_table(place.device_code, place.super_table, own); !named.good())
        return named;
    auto names = back_quoted(kDeviceCodeTag);
    std::string values;
    append_text(values, place.device_code);
    if (const auto name = table.tags.find(kNameTag); name != table.tags.end()) {
        names += ',' + back_quoted(kNameTag);
        values += ',';
        std::string_view text = place.device_name;
        while (name->second.width > 0 && characters(text) > name->second.width) text.remove_suffix(1);
        append_text(values, text);
    }
    rows.head = fmt::format("{} USING {} ({}) TAGS ({})", back_quoted(own), back_quoted(place.super_table),
                            names, values);
    rows.time_column = table.time_column;
    return {};
}

void TdengineSink::reject(DeliveryOutcome& outcome, std::size_t record, std::string why) {
    outcome.verdicts[record] = Verdict::kRejected;
    if (outcome.reason.empty()) outcome.reason = std::move(why);
}

SqlReply TdengineSink::plan(const DeliveryBatch& batch, DeliveryOutcome& outcome, Plan& made) {
    struct Super {
        const SuperTable* table = nullptr;
        std::unique_ptr<ColumnPlan> columns;
    };
    std::map<std::string, Super> supers;
    std::map<std::pair<std::string, std::string>, TableRows> tables;  // by super table and device
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
        for (const auto& sample : batch.records[i].samples) {
            const auto place = places_.find(sample.point);
            if (place == places_.end()) {
                reject(outcome, i, fmt::format("tdengine: nothing is known about point {}", sample.point));
                continue;
            }
            auto& super = supers[place->second.super_table];
            if (super.table == nullptr) {
                if (auto seen = schema_.look_at(place->second.super_table, super.table); !seen.good()) {
                    return seen;
                }
                super.columns = std::make_unique<ColumnPlan>(*super.table);
            }
            auto cells = super.columns->place(place->second.column, place->second.type, sample);
            if (!cells) {
                reject(outcome, i,
                       fmt::format("tdengine: a text of column {} has more than {} characters",
                                   place->second.column, kLongestText));
                continue;
            }
            auto& rows = tables[{place->second.super_table, place->second.device_code}];
            if (rows.head.empty()) {
                if (auto begun = begin_rows(place->second, *super.table, rows); !begun.good()) return begun;
            }
            const auto time = schema_.time_in_database(sample.time.time_since_epoch().count());
            for (auto& cell : *cells) rows.rows[time][cell.column] = std::move(cell.literal);
        }
    }
    for (auto& [name, super] : supers) {
        if (!super.columns->changes().empty()) made.changes.emplace_back(name, super.columns->changes());
    }
    for (auto& [key, rows] : tables) made.tables.push_back(std::move(rows));
    return {};
}

SqlReply TdengineSink::write(const DeliveryBatch& batch, DeliveryOutcome& outcome) {
    Plan made;
    if (auto planned = plan(batch, outcome, made); !planned.good()) return planned;
    for (const auto& [name, changes] : made.changes) {
        if (auto changed = schema_.change(name, changes); !changed.good()) return changed;
    }
    for (const auto& statement : insert_statements(made.tables)) {
        if (auto written = link_.run(statement); !written.good()) return written;
    }
    return {};
}

DeliveryOutcome TdengineSink::deliver(const DeliveryBatch& batch) {
    learn(batch);
    DeliveryOutcome trouble;
    if (batch.records.empty()) return trouble;
    if (const auto opened = open(); !opened) {
        trouble.reason = opened.error().message;
        return trouble;
    }
    SqlReply reply;
    for (int look = 0; look < kLooks; ++look) {
        DeliveryOutcome outcome;
        outcome.verdicts.assign(batch.records.size(), Verdict::kAccepted);
        reply = write(batch, outcome);
        if (reply.good()) return outcome;
        if (reply.fault != Fault::kSchema) break;
        schema_.forget();
    }
    if (reply.fault == Fault::kDatabase) schema_.forget_database();
    trouble.bisect = reply.fault == Fault::kRefused;
    trouble.reason = std::move(reply.reason);
    if (!trouble.bisect) trouble.retry_after = reply.retry_after;
    return trouble;
}

Result<std::string> TdengineSink::probe() {
    if (const auto opened = open(); !opened) return opened.error();
    const auto table =
        back_quoted(fmt::format("fieldwarden_probe_{:08x}_{}", std::random_device{}(), ::getpid()));
    const auto micros = system_clock().utc_now().time_since_epoch().count();
    const auto failed = [](const SqlReply& reply) {
        return make_error(ErrorKind::kUnavailable, reply.reason);
    };
    if (const auto made = link_.run(fmt::format("CREATE TABLE {} (`ts` TIMESTAMP, `value` DOUBLE)", table));
        !made.good()) {
        return failed(made);
    }
    auto done = link_.run(fmt::format("INSERT INTO {} (`ts`,`value`) VALUES ({},42.0)", table,
                                      schema_.time_in_database(micros)));
    bool same = false;
    if (done.good()) {
        done = link_.run(fmt::format("SELECT `value` FROM {}", table));
        same = done.rows.size() == 1 && done.rows.front().size() == 1 &&
               done.rows.front().front().starts_with("42");
    }
    const auto removed = link_.run(fmt::format("DROP TABLE IF EXISTS {}", table));
    if (!done.good()) return failed(done);
    if (!same) {
        return make_error(ErrorKind::kCorrupt,
                          "tdengine: what was read back from a table of its own is not what was written");
    }
    if (!removed.good()) return failed(removed);
    return fmt::format("wrote a row to a table of its own in database {}, read it back and removed the table",
                       database_);
}

}  // namespace

Result<std::unique_ptr<Sink>> make_tdengine(const SinkConfig& config, const SinkContext& context) {
    auto database = text_option(config, "database");
    if (!is_plain_name(database)) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("sink {}: the database '{}' has 1 to 64 letters, digits and '_' and does "
                        "not begin with a digit",
                        config.sink_code, database.substr(0, kLongestColumn)));
    }
    // As the server takes names that are not in quotes.
    std::transform(database.begin(), database.end(), database.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    auto http = HttpClient::make(config);
    if (!http) return http.error();
    (*http)->set_credentials(text_option(config, "username"), text_option(config, "password"));
    return std::unique_ptr<Sink>{std::make_unique<TdengineSink>(config, context, std::move(*http), database)};
}

}  // namespace fieldwarden::worker::tdengine
