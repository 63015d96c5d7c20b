#include "worker/sinks/sample_json.h"

#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

namespace fieldwarden::worker {

namespace {

std::string json_text(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// What it wrote.
template <class T>
std::string_view put_number(std::string& out, T number) {
    std::array<char, 32> digits;  // the longest double has 24
    const auto* end = fmt::format_to(digits.data(), FMT_COMPILE("{}"), number);
    const auto size = static_cast<std::size_t>(end - digits.data());
    out.append(digits.data(), size);
    return std::string_view{out}.substr(out.size() - size);
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
        void operator()(std::int64_t number) const { put_number(out, number); }
        void operator()(std::uint64_t number) const { put_number(out, number); }
        void operator()(double number) const {
            if (!std::isfinite(number)) {
                out += "null";
                return;
            }
            // 5.0, not 5: readers take the type of a number from how it is written.
            if (put_number(out, number).find_first_of(".e") == std::string_view::npos) out += ".0";
        }
        void operator()(const std::string& text) const { out += json_text(text); }
    };
    std::visit(Append{out}, value);
}

bool SampleJson::append(std::string& out, const DeliveryBatch& batch, const Sample& sample) {
    const auto* head = heads_.find(batch, sample.point, head_of);
    if (head == nullptr) return false;
    // The samples of a scan have one time, or few.
    if (time_text_.empty() || sample.time != time_) {
        time_text_.clear();
        append_time_micros(time_text_, sample.time);
        time_ = sample.time;
    }
    constexpr std::size_t kBesides = 96;  // time, value, quality and what is around them, without a long text
    if (const auto needed = out.size() + head->size() + kBesides; needed > out.capacity()) {
        out.reserve(std::max(needed, 2 * out.capacity()));
    }
    out += *head;
    out += time_text_;
    out += R"(","value":)";
    append_value_json(out, sample.value);
    out += R"(,"quality":")";
    out += to_name(sample.quality);
    if (sample.code != QualityCode::kNone) {
        out += R"(","quality_code":")";
        out += to_name(sample.code);
    }
    out += R"("})";
    return true;
}

}  // namespace fieldwarden::worker
