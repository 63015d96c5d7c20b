// /device/realtime-data: the latest value of every point of every device of a type, from memory.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/record_json.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

struct RealtimeQuery {
    std::optional<std::string> type_code;  // unset: devices of every type
    bool dynamic_fields = true;
    ListQuery list;
};

OrRefusal<RealtimeQuery> read_realtime_query(const HttpRequest& request, Context& context) {
    RealtimeQuery query;
    auto list = read_list_query(request, {"device_code", "device_name"}, Cursors::kTaken);
    if (!list) return list.error();
    query.list = std::move(*list);
    const auto dynamic = read_flag(request, "use_dynamic_fields");
    if (!dynamic) return dynamic.error();
    query.dynamic_fields = dynamic->value_or(true);
    if (const auto type = request.query_value("type_code"); type && !type->empty()) {
        const auto index = context.indexes.current();
        const auto* record = index->find(Kind::kDeviceType, *type);
        if (!record) return missing("device type", *type);
        query.type_code = record->code();
    }
    return query;
}

// The table as one client sees it: which devices, which columns. Made anew when the configuration changes.
class RealtimeTable {
  public:
    RealtimeTable(std::shared_ptr<PlantIndex> index, RealtimeQuery query)
        : index_(std::move(index)), query_(std::move(query)) {
        std::vector<const Record*> devices;
        for (const auto& device : index_->plant().of(Kind::kDevice).all()) {
            const bool of_type =
                !query_.type_code || cell_of(Kind::kDevice, device, "type_code") == *query_.type_code;
            if (of_type) devices.push_back(&device);
        }
        choose_columns(devices);
        choose_rows(std::move(devices));
    }

    [[nodiscard]] const PlantIndex& index() const { return *index_; }
    [[nodiscard]] const RealtimeQuery& query() const { return query_; }
    [[nodiscard]] const std::vector<const Record*>& rows() const { return rows_; }
    [[nodiscard]] std::uint64_t total() const { return total_; }
    // The cursor of the page behind this one; null when there is none.
    [[nodiscard]] Json next() const { return last_ ? Json(query_.list.cursor_at(*last_)) : Json(nullptr); }
    [[nodiscard]] const Json& columns() const { return columns_; }
    [[nodiscard]] const Record* row_of(std::string_view device_code) const {
        const auto found = by_code_.find(device_code);
        return found == by_code_.end() ? nullptr : found->second;
    }

    [[nodiscard]] Json row(const Record& device, bool online, const LiveValues& live) const {
        Json fields = Json::object();
        Json quality = Json::object();
        std::optional<UtcTime> updated;
        for (const auto* point : index_->points_of(device.code())) {
            const std::string field(PlantIndex::field_of(device.code(), point->code()));
            if (!shown_.contains(field)) continue;
            const auto sample = live.get(point_id(*point));
            fields[field] = sample ? proto::to_json(sample->value) : Json(nullptr);
            // A value that is not good says so: a table of plain values would show a dead device's last ones.
            if (!sample) quality[field] = to_name(QualityCode::kStale);
            if (sample && sample->quality != Quality::kGood) {
                quality[field] =
                    sample->code == QualityCode::kNone ? to_name(sample->quality) : to_name(sample->code);
            }
            if (sample) updated = std::max(updated.value_or(sample->time), sample->time);
        }
        return {{"device_code", device.code()},
                {"device_name", cell_of(Kind::kDevice, device, "device_name")},
                {"online", online},
                {"updated_at", proto::time_or_null(updated)},
                {"fields", std::move(fields)},
                {"quality", std::move(quality)}};
    }

  private:
    // Columns in the order the points stand in the workbook. Declared for a type are the fields that all its
    // devices have; the dynamic ones are those of single devices.
    void choose_columns(const std::vector<const Record*>& devices) {
        std::map<std::string, std::size_t> owners;
        std::vector<std::pair<std::string, const Record*>> ordered;
        for (const auto* device : devices) {
            for (const auto* point : index_->points_of(device->code())) {
                std::string field(PlantIndex::field_of(device->code(), point->code()));
                if (++owners[field] == 1) ordered.emplace_back(std::move(field), point);
            }
        }
        for (const auto& [field, point] : ordered) {
            const bool declared = owners[field] >= devices.size();
            if (!declared && !query_.dynamic_fields) continue;
            shown_.insert(field);
            columns_.push_back({{"field", field},
                                {"title", cell_of(Kind::kPoint, *point, "point_name")},
                                {"unit", cell_of(Kind::kPoint, *point, "unit")},
                                {"data_type", cell_of(Kind::kPoint, *point, "data_type")},
                                {"declared", declared}});
        }
    }

    void choose_rows(std::vector<const Record*> devices) {
        const auto& list = query_.list;
        const auto name = [](const Record* device) { return cell_of(Kind::kDevice, *device, "device_name"); };
        if (!list.q.empty()) {
            std::erase_if(devices, [&](const Record* device) {
                return !contains_ignoring_case(device->code(), list.q) &&
                       !contains_ignoring_case(name(device), list.q);
            });
        }
        auto page = page_of_records(Kind::kDevice, std::move(devices), list);
        rows_ = std::move(page.records);
        total_ = page.total;
        last_ = std::move(page.last);
        for (const auto* device : rows_) by_code_.emplace(device->code(), device);
    }

    std::shared_ptr<PlantIndex> index_;
    RealtimeQuery query_;
    std::set<std::string, std::less<>> shown_;
    Json columns_ = Json::array();
    std::vector<const Record*> rows_;
    std::map<std::string_view, const Record*> by_code_;
    std::uint64_t total_ = 0;
    std::optional<Place> last_;
};

// Which devices have a live connection, in whichever task: `connection_status.<task>.<device>`.
class OnlineDevices {
  public:
    explicit OnlineDevices(const StatusBus& bus) {
        for (const auto& event : bus.last_values("connection_status.")) update(*event);
    }
    // The device the event is about.
    std::string update(const Event& event) {
        const auto device = event.data().find("device_code");
        const auto connected = event.data().find("is_connected");
        if (device == event.data().end() || !device->is_string()) return {};
        const auto& code = device->get_ref<const std::string&>();
        if (connected != event.data().end() && connected->is_boolean() && connected->get<bool>()) {
            connections_[code].insert(event.topic);
        } else {
            connections_[code].erase(event.topic);
        }
        return code;
    }
    [[nodiscard]] bool online(const std::string& device_code) const {
        const auto found = connections_.find(device_code);
        return found != connections_.end() && !found->second.empty();
    }

  private:
    std::map<std::string, std::set<std::string>> connections_;
};

Json page_json(const RealtimeTable& table, const OnlineDevices& devices, const LiveValues& live) {
    Json items = Json::array();
    for (const auto* device : table.rows())
        items.push_back(table.row(*device, devices.online(std::string{device->code()}), live));
    const auto& page = table.query().list.page;
    return {{"items", std::move(items)},   {"columns", table.columns()}, {"page", page.page},
            {"page_size", page.page_size}, {"total", table.total()},     {"next", table.next()}};
}

// What a subscriber of the table has been told, and what an event adds to it.
class RealtimeFeed {
  public:
    RealtimeFeed(Context& context, RealtimeQuery query)
        : indexes_(context.indexes),
          services_(context.services),
          devices_(services_.bus),
          table_(std::make_unique<RealtimeTable>(indexes_.current(), std::move(query))) {}

    StreamMessage whole_page(std::uint64_t seq) {
        auto page = page_json(*table_, devices_, services_.live);
        last_.clear();
        for (const auto& row : page["items"]) last_.emplace(row["device_code"].get<std::string>(), row);
        return message(seq, services_.clock.utc_now(), "realtime_data", page);
    }

    std::vector<StreamMessage> on_event(const Event& event) {
        if (auto index = indexes_.current(); index.get() != &table_->index()) {
            table_ = std::make_unique<RealtimeTable>(std::move(index), RealtimeQuery(table_->query()));
            return {whole_page(event.seq)};
        }
        Json changed = Json::array();
        for (const auto& code : touched(event)) {
            const auto* device = table_->row_of(code);
            if (!device) continue;
            auto row = table_->row(*device, devices_.online(code), services_.live);
            auto& last = last_[code];
            if (row == last) continue;
            last = row;
            changed.push_back(std::move(row));
        }
        if (changed.empty()) return {};
        return {message(event.seq, event.time, "realtime_data_update", {{"items", std::move(changed)}})};
    }

  private:
    std::set<std::string> touched(const Event& event) {
        if (event.topic.starts_with("connection_status.")) return {devices_.update(event)};
        std::set<std::string> codes;
        const auto points = event.data().find("points");
        if (points == event.data().end() || !points->is_array()) return codes;
        const auto& records = table_->index().plant().of(Kind::kPoint);
        for (const auto& point : *points) {
            const auto code = point.find("point_code");
            if (code == point.end() || !code->is_string()) continue;
            if (const auto* record = records.find(code->get_ref<const std::string&>())) {
                codes.emplace(cell_of(Kind::kPoint, *record, "device_code"));
            }
        }
        return codes;
    }

    static StreamMessage message(std::uint64_t seq, UtcTime time, std::string_view type, const Json& data) {
        return {std::string(type), seq,
                dump({{"v", 1}, {"seq", seq}, {"ts", format_rfc3339(time)}, {"type", type}, {"data", data}})};
    }

    PlantIndexes& indexes_;
    const Services& services_;
    OnlineDevices devices_;
    std::unique_ptr<RealtimeTable> table_;
    std::map<std::string, Json> last_;  // rows as sent
};

}  // namespace

HttpResponse realtime_data(const HttpRequest& request, Context& context) {
    auto query = read_realtime_query(request, context);
    if (!query) return query.error();
    const RealtimeTable table(context.indexes.current(), std::move(*query));
    return json_response(page_json(table, OnlineDevices(context.services.bus), context.services.live));
}

HttpResponse realtime_socket(const HttpRequest& request, Context& context) {
    auto query = read_realtime_query(request, context);
    if (!query) return query.error();
    StreamPlan plan;
    plan.resume_after = context.services.bus.last_seq();
    plan.topics = {"data.", "connection_status."};
    auto feed = std::make_shared<RealtimeFeed>(context, std::move(*query));
    plan.first.push_back(feed->whole_page(*plan.resume_after));
    // Reads the plant, the live values and the rows sent before: work for the pool, one event at a time.
    plan.render_blocks = true;
    plan.render = [feed](const Event& event) { return feed->on_event(event); };
    HttpResponse response;
    response.stream = std::move(plan);
    return response;
}

}  // namespace fieldwarden::supervisor::gateway
