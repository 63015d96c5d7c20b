#include "worker/sinks/influxdb/line_protocol.h"

#include <fmt/compile.h>

#include <array>
#include <cmath>
#include <iterator>
#include <limits>

namespace fieldwarden::worker::influxdb {

namespace {

constexpr std::int64_t kNanosPerMicro = 1'000;
constexpr std::int64_t kFarthestMicros = std::numeric_limits<std::int64_t>::max() / kNanosPerMicro - 1;

void append_escaped(std::string& out, std::string_view text, std::string_view special) {
    for (const char c : text) {
        if (c == '\n' || c == '\r') {
            // A blank is escaped itself.
            out += "\\ ";
            continue;
        }
        if (special.find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    if (text.ends_with('\\')) out.back() = '/';
}

struct AppendFields {
    std::string& out;
    void operator()(std::monostate) const {}
    void operator()(bool flag) const { out += flag ? "value=1," : "value=0,"; }
    void operator()(std::int64_t number) const { put(number); }
    void operator()(std::uint64_t number) const { put(number); }
    void operator()(double number) const {
        if (std::isfinite(number)) put(number);
    }
    template <class T>
    void put(T number) const {
        std::array<char, 48> text;  // the longest double has 24 characters
        const auto* end = fmt::format_to(text.data(), FMT_COMPILE("value={},"), number);
        out.append(text.data(), static_cast<std::size_t>(end - text.data()));
    }
    void operator()(const std::string& text) const {
        out += "text=";
        append_string(out, text);
        out += ',';
    }
};

int number_of(Quality quality) {
    switch (quality) {
        case Quality::kGood:
            return 0;
        case Quality::kUncertain:
            return 1;
        case Quality::kBad:
            return 2;
    }
    return 2;
}

}  // namespace

void append_measurement(std::string& out, std::string_view name) {
    append_escaped(out, name, ", ");
}

void append_tag(std::string& out, std::string_view text) {
    append_escaped(out, text, ", =");
}

void append_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    out += '"';
}

LineEncoder::LineEncoder(std::string_view measurement) {
    append_measurement(measurement_, measurement);
}

bool LineEncoder::append(std::string& out, const DeliveryBatch& batch, const Sample& sample) {
    const auto micros = sample.time.time_since_epoch().count();
    if (micros > kFarthestMicros || micros < -kFarthestMicros) return false;
    const auto* head = heads_.find(batch, sample.point, [&](const PointIdentity& point) {
        std::string text = measurement_;
        const auto tag = [&](std::string_view key, std::string_view value) {
            if (value.empty()) return;
            text += ',';
            text += key;
            text += '=';
            append_tag(text, value);
        };
        tag("device", point.device_code);
        tag("point", point.point_code);
        tag("site", point.site_code);
        text += ' ';
        return text;
    });
    if (head == nullptr) return false;
    out += *head;
    std::visit(AppendFields{out}, sample.value);
    std::array<char, 48> rest;
    const auto* end = fmt::format_to(rest.data(), FMT_COMPILE("quality={}i {}\n"), number_of(sample.quality),
                                     micros * kNanosPerMicro);
    out.append(rest.data(), static_cast<std::size_t>(end - rest.data()));
    return true;
}

}  // namespace fieldwarden::worker::influxdb
