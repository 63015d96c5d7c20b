#include "worker/sinks/sample_json.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

namespace fieldwarden::worker {

namespace {

std::string json_text(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string head_of(const PointIdentity& point) {
    return fmt::format(R"({{"site":{},"device":{},"point":{},"timestamp":")", json_text(point.site_code),
                       json_text(point.device_code), json_text(point.point_code));
}

}  // namespace

void append_time_micros(std::string& out, UtcTime time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss clock{time - day};
    fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", int{date.year()},
                   unsigned{date.month()}, unsigned{date.day()}, clock.hours().count(),
                   clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

void append_value_json(std::string& out, const Value& value) {
    struct Append {
        std::string& out;
        void operator()(std::monostate) const { out += "null"; }
        void operator()(bool flag) const { out += flag ? "true" : "false"; }
        void operator()(std::int64_t number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
        void operator()(std::uint64_t number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
        void operator()(double number) const {
            if (!std::isfinite(number)) {
                out += "null";
                return;
            }
            const auto from = out.size();
            fmt::format_to(std::back_inserter(out), "{}", number);
            // 5.0, not 5: readers take the type of a number from how it is written.
            if (out.find_first_of(".e", from) == std::string::npos) out += ".0";
        }
        void operator()(const std::string& text) const { out += json_text(text); }
    };
    std::visit(Append{out}, value);
}

bool SampleJson::append(std::string& out, const DeliveryBatch& batch, const Sample& sample) {
    if (batch.directory_version != version_) {
        heads_.clear();
        version_ = batch.directory_version;
    }
    auto head = heads_.find(sample.point);
    if (head == heads_.end()) {
        if (batch.directory == nullptr) return false;
        const auto point = batch.directory->find(sample.point);
        if (point == batch.directory->end()) return false;
        head = heads_.emplace(sample.point, head_of(point->second)).first;
    }
    out += head->second;
    append_time_micros(out, sample.time);
    out += R"(","value":)";
    append_value_json(out, sample.value);
    fmt::format_to(std::back_inserter(out), R"(,"quality":"{}")", to_name(sample.quality));
    if (sample.code != QualityCode::kNone) {
        fmt::format_to(std::back_inserter(out), R"(,"quality_code":"{}")", to_name(sample.code));
    }
    out += '}';
    return true;
}

}  // namespace fieldwarden::worker
