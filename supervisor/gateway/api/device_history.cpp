// /device/history: what one device's points were, by time, in the fields of /device/realtime-data. From the
// embedded history; where that has nothing of the range, and when a sink is named, from a sink that can be
// asked.
#include <algorithm>
#include <map>
#include <set>

#include "common/data_paths.h"
#include "common/history/history_reader.h"
#include "common/sink_options.h"
#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::int64_t kMostRows = 100'000;

struct DeviceHistoryQuery {
    std::string device_code;
    std::map<std::string, std::string, std::less<>> field_of_point;  // by point code
    HistoryQuery history;                                            // without points; the limit is of rows
    std::string sink_code;                                           // empty: none named
};

OrRefusal<DeviceHistoryQuery> read_device_history_query(const HttpRequest& request, const PlantIndex& index) {
    DeviceHistoryQuery query;
    const auto wanted = request.query_value("device_code").value_or("");
    if (wanted.empty()) return bad_parameter("device_code", "the code of a device", wanted);
    const auto* device = index.find(Kind::kDevice, wanted);
    if (!device) return missing("device", wanted);
    query.device_code = device->code();

    std::map<std::string, std::string, std::less<>> point_of_field;
    for (const auto* point : index.points_of(device->code())) {
        point_of_field.emplace(PlantIndex::field_of(device->code(), point->code()), point->code());
    }
    bool all_fields = true;
    for (const auto& [name, value] : request.query) {
        if (name != "fields") continue;
        for (const auto field : split_codes(value)) {
            const auto point = point_of_field.find(field);
            if (point == point_of_field.end())
                return bad_parameter("fields", "fields of the device, as in realtime-data", field);
            query.field_of_point.emplace(point->second, point->first);
            all_fields = false;
        }
    }
    if (all_fields) {
        for (const auto& [field, point] : point_of_field) query.field_of_point.emplace(point, field);
    }

    if (const auto sink = request.query_value("sink"); sink && !sink->empty()) {
        const auto* record = index.find(Kind::kSink, *sink);
        if (!record) return missing("sink", *sink);
        const auto* type = find_sink_type(cell_of(Kind::kSink, *record, "type"));
        if (type == nullptr || !type->readable)
            return bad_parameter("sink", "a sink that can be asked for what it holds (tdengine)", *sink);
        query.sink_code = *sink;
    }

    const auto start = read_time(request, "start");
    if (!start) return start.error();
    query.history.start = *start;
    const auto end = read_time(request, "end");
    if (!end) return end.error();
    query.history.end = *end;
    const auto limit = read_integer(request, "limit", 1, kMostRows);
    if (!limit) return limit.error();
    query.history.limit = static_cast<std::size_t>(limit->value_or(1000));
    const auto order = request.query_value("order").value_or("asc");
    if (order != "asc" && order != "desc") return bad_parameter("order", "asc or desc", order);
    query.history.descending = order == "desc";
    return query;
}

// Rows of several tasks' histories by time, never many more than the limit.
class HistoryRows {
  public:
    HistoryRows(std::size_t limit, bool descending) : limit_(limit), descending_(descending) {}

    // A time is a millisecond, which is what the client sees: points of one scan differ in their
    // microseconds. The newest sample of a field in it counts.
    void add(const std::string& field, const Sample& sample) {
        auto& row = rows_[std::chrono::floor<std::chrono::milliseconds>(sample.time)];
        if (descending_ && row.fields.contains(field)) return;
        row.fields[field] = proto::to_json(sample.value);
        row.quality.erase(field);
        if (sample.quality == Quality::kGood) return;
        row.quality[field] =
            sample.code == QualityCode::kNone ? to_name(sample.quality) : to_name(sample.code);
    }
    void trim() {
        while (rows_.size() > limit_) {
            rows_.erase(descending_ ? rows_.begin() : std::prev(rows_.end()));
            more_ = true;
        }
    }
    void set_more() { more_ = true; }
    [[nodiscard]] bool more() const { return more_; }

    [[nodiscard]] Json items() {
        Json items = Json::array();
        const auto give = [&](auto& entry) {
            items.push_back({{"time", format_rfc3339(entry.first)},
                             {"fields", std::move(entry.second.fields)},
                             {"quality", std::move(entry.second.quality)}});
        };
        if (descending_) {
            std::for_each(rows_.rbegin(), rows_.rend(), give);
        } else {
            std::ranges::for_each(rows_, give);
        }
        return items;
    }

  private:
    struct Row {
        Json fields = Json::object();
        Json quality = Json::object();
    };
    std::size_t limit_;
    bool descending_;
    bool more_ = false;
    std::map<UtcTime, Row> rows_;
};

// Of one task's sink: `part` is what the embedded history would have been asked. Its limit of points
// is one of moments here: the points of one row may have a moment each.
Result<std::vector<HistoryPoint>> ask_sink(Context& context, const std::string& task_code,
                                           const DeviceHistoryQuery& query, const HistoryQuery& part,
                                           const PlantIndex& index) {
    StoredQuestion question{.task_code = task_code,
                            .sink_code = query.sink_code,
                            .device_code = query.device_code,
                            .point_codes = part.point_codes,
                            .range = {part.start, part.end, part.limit, part.descending}};
    const auto samples = context.services.control.stored_samples(question);
    std::vector<HistoryPoint> points;
    if (!samples) {
        // Another task's sink.
        if (samples.error().kind == ErrorKind::kNotFound) return points;
        return samples.error();
    }
    std::map<PointId, std::string_view> code_of;
    for (const auto* point : index.points_of(query.device_code)) {
        code_of.emplace(static_cast<PointId>(point->id), point->code());
    }
    for (const auto& sample : *samples) {
        const auto code = code_of.find(sample.point);
        if (code != code_of.end()) points.push_back({std::string{code->second}, sample});
    }
    return points;
}

}  // namespace

HttpResponse device_history(const HttpRequest& request, Context& context) {
    const auto index = context.indexes.current();
    const auto query = read_device_history_query(request, *index);
    if (!query) return query.error();
    const auto fields = std::max<std::size_t>(1, query->field_of_point.size());
    // The reader counts points, the client rows. A row more than asked for tells whether there are more.
    const auto limit = std::clamp<std::size_t>(kMostHistoryPoints / fields, 2, query->history.limit + 1) - 1;
    HistoryRows rows(limit, query->history.descending);
    const bool empty_range =
        query->history.start && query->history.end && *query->history.start >= *query->history.end;
    if (empty_range || query->field_of_point.empty())
        return json_response(
            {{"device_code", query->device_code}, {"items", Json::array()}, {"more", false}});
    auto part = query->history;
    part.limit = std::min(kMostHistoryPoints, (limit + 1) * fields);
    for (const auto& [point_code, field] : query->field_of_point) part.point_codes.push_back(point_code);
    const auto take = [&](const std::vector<HistoryPoint>& samples) {
        for (const auto& [point_code, sample] : samples) {
            const auto field = query->field_of_point.find(point_code);
            if (field != query->field_of_point.end()) rows.add(field->second, sample);
        }
        if (samples.size() >= part.limit) rows.set_more();
        rows.trim();
    };
    const auto& data_dir = context.services.settings.server.data_dir;
    std::set<std::string> looked_at;
    for (const auto& task : index->plant().of(Kind::kTask).all()) {
        const std::string task_code(task.code());
        looked_at.insert(history_file(data_dir, task_code));
        // A task that does not compile acquires nothing.
        auto acquired = part;
        acquired.point_codes.clear();
        if (const auto points = index->points_of_task(task_code)) {
            for (const auto* point : **points) {
                if (query->field_of_point.contains(point->code()))
                    acquired.point_codes.emplace_back(point->code());
            }
        }
        // One that does not acquire the device now may have done so: its history tells.
        const bool acquires = !acquired.point_codes.empty();
        Result<std::vector<HistoryPoint>> samples = std::vector<HistoryPoint>{};
        if (query->sink_code.empty()) samples = query_history(data_dir, task_code, part);
        if (acquires && samples && samples->empty()) {
            samples = ask_sink(context, task_code, *query, acquired, *index);
        }
        // That another task's history is damaged says nothing of this device.
        if (!samples && !acquires) continue;
        if (!samples) return problem(samples.error());
        take(*samples);
    }
    // Tasks that were renamed or removed have left theirs.
    const auto files = query->sink_code.empty() ? history_files(data_dir) : std::vector<std::string>{};
    for (const auto& file : files) {
        if (looked_at.contains(file)) continue;
        if (const auto samples = query_history_file(file, part)) take(*samples);
    }
    const bool more = rows.more();
    return json_response({{"device_code", query->device_code}, {"items", rows.items()}, {"more", more}});
}

}  // namespace fieldwarden::supervisor::gateway
