#include "proto/heartbeat_wire.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace fieldwarden::proto {

namespace {

using Time = std::optional<UtcTime>;  // on the wire: microseconds since 1970, 0 for none
using Member =
    std::variant<std::uint64_t Heartbeat::*, double Heartbeat::*, bool Heartbeat::*, Time Heartbeat::*>;

struct Field {
    std::string_view name;
    Member member;
};

// Everything but the two lists, by name: the order in which a writer puts them and a reader expects them.
constexpr std::array<Field, 19> kFields{{
    {"cycle_ms", &Heartbeat::cycle_ms},
    {"cycles", &Heartbeat::cycles},
    {"dead_letters", &Heartbeat::dead_letters},
    {"errors", &Heartbeat::errors},
    {"last_good_us", &Heartbeat::last_good_time},
    {"last_read_us", &Heartbeat::last_read_time},
    {"loop_ticks", &Heartbeat::loop_ticks},
    {"missed_cycles", &Heartbeat::missed_cycles},
    {"paused", &Heartbeat::paused},
    {"period_ms", &Heartbeat::period_ms},
    {"points_delivered", &Heartbeat::points_delivered},
    {"points_good", &Heartbeat::points_good},
    {"points_read", &Heartbeat::points_read},
    {"response_ms", &Heartbeat::response_ms},
    {"retrying", &Heartbeat::retrying},
    {"seq", &Heartbeat::seq},
    {"spool_bytes", &Heartbeat::spool_bytes},
    {"spool_dropped", &Heartbeat::spool_dropped},
    {"spool_pending", &Heartbeat::spool_pending},
}};
constexpr std::uint32_t kAllFields = (1U << kFields.size()) - 1;
// What a row of each list has at least; later members came with later builds.
constexpr std::size_t kLeastOfDevice = 5;
constexpr std::size_t kLeastOfSink = 5;

[[noreturn]] void refuse(std::string_view where, std::string_view why) {
    throw std::invalid_argument(fmt::format("{}: {}", where, why));
}

// A scalar as the parser meets it.
struct Scalar {
    enum class Kind : std::uint8_t { kNone, kFlag, kUnsigned, kSigned, kReal, kText } kind = Kind::kNone;
    bool flag = false;
    std::uint64_t natural = 0;
    std::int64_t whole = 0;
    double real = 0;
    std::string* text = nullptr;

    template <class Integer>
    [[nodiscard]] Integer integer(std::string_view where) const {
        if (kind == Kind::kUnsigned &&
            natural <= static_cast<std::uint64_t>(std::numeric_limits<Integer>::max()))
            return static_cast<Integer>(natural);
        if constexpr (std::is_signed_v<Integer>) {
            if (kind == Kind::kSigned) return static_cast<Integer>(whole);
        }
        refuse(where, "a whole number within its range is expected");
    }
    [[nodiscard]] double number(std::string_view where) const {
        if (kind == Kind::kReal) return real;
        if (kind == Kind::kUnsigned) return static_cast<double>(natural);
        if (kind == Kind::kSigned) return static_cast<double>(whole);
        refuse(where, "a number is expected");
    }
    [[nodiscard]] std::string taken(std::string_view where) const {
        if (kind != Kind::kText) refuse(where, "a text is expected");
        return std::move(*text);
    }
};

void put(Heartbeat& beat, const Field& field, const Scalar& value) {
    std::visit(
        [&](auto member) {
            auto& into = beat.*member;
            using T = std::decay_t<decltype(into)>;
            if constexpr (std::is_same_v<T, std::uint64_t>) {
                into = value.integer<std::uint64_t>(field.name);
            } else if constexpr (std::is_same_v<T, double>) {
                into = value.number(field.name);
            } else if constexpr (std::is_same_v<T, bool>) {
                if (value.kind != Scalar::Kind::kFlag) refuse(field.name, "true or false is expected");
                into = value.flag;
            } else {
                const auto micros = value.integer<std::int64_t>(field.name);
                into = micros == 0 ? Time{} : Time{UtcTime{std::chrono::microseconds{micros}}};
            }
        },
        field.member);
}

void put(DeviceProgress& row, std::size_t at, const Scalar& value) {
    constexpr std::string_view kWhere = "devices";
    switch (at) {
        case 0:
            row.device_code = value.taken(kWhere);
            break;
        case 1:
            row.cycles = value.integer<std::uint64_t>(kWhere);
            break;
        case 2:
            row.points_ok = value.integer<std::uint32_t>(kWhere);
            break;
        case 3:
            row.points_total = value.integer<std::uint32_t>(kWhere);
            break;
        case 4:
            row.last_error = value.taken(kWhere);
            break;
        case 5:
            row.timeouts = value.integer<std::uint64_t>(kWhere);
            break;
        case 6:
            row.period_factor = value.integer<std::uint32_t>(kWhere);
            break;
        default:  // of a later build
            break;
    }
}

void put(SinkProgress& row, std::size_t at, const Scalar& value) {
    constexpr std::string_view kWhere = "sinks";
    switch (at) {
        case 0:
            row.sink_code = value.taken(kWhere);
            break;
        case 1:
            row.pending = value.integer<std::uint64_t>(kWhere);
            break;
        case 2:
            row.retrying = value.integer<std::uint64_t>(kWhere);
            break;
        case 3:
            row.dead = value.integer<std::uint64_t>(kWhere);
            break;
        case 4:
            row.last_error = value.taken(kWhere);
            break;
        case 5:
            row.dead_reason = value.taken(kWhere);
            break;
        default:  // of a later build
            break;
    }
}

// Puts what the parser meets straight into the heartbeat. The nesting is known: an object, in it two lists,
// in them rows of scalars. The parser recurses with the nesting, so deeper than anything known it is stopped.
class Reader {
  public:
    explicit Reader(Heartbeat& beat) : beat_(beat) {}

    bool null() { return scalar({}); }
    bool boolean(bool value) { return scalar({.kind = Scalar::Kind::kFlag, .flag = value}); }
    bool number_integer(Json::number_integer_t value) {
        return scalar({.kind = Scalar::Kind::kSigned, .whole = value});
    }
    bool number_unsigned(Json::number_unsigned_t value) {
        return scalar({.kind = Scalar::Kind::kUnsigned, .natural = value});
    }
    bool number_float(Json::number_float_t value, const Json::string_t&) {
        return scalar({.kind = Scalar::Kind::kReal, .real = value});
    }
    bool string(Json::string_t& value) { return scalar({.kind = Scalar::Kind::kText, .text = &value}); }
    bool binary(Json::binary_t&) { return scalar({}); }

    bool start_object(std::size_t) {
        if (depth_ >= 1 && known()) refuse(name(), "an object where none is expected");
        return deeper();
    }
    bool end_object() { return --depth_, true; }
    bool key(Json::string_t& name) {
        if (depth_ == 1) find(name);
        return true;
    }

    bool start_array(std::size_t) {
        if (depth_ == 0) refuse("payload", "not an object");
        if (depth_ == 1 && field_) refuse(field_->name, "a list where none is expected");
        if (depth_ == 2 && list_ != List::kNone) {
            at_ = 0;
            if (list_ == List::kDevices) beat_.devices.emplace_back();
            if (list_ == List::kSinks) beat_.sinks.emplace_back();
        }
        return deeper();
    }
    bool end_array() {
        if (depth_ == 3 && list_ != List::kNone &&
            at_ < (list_ == List::kDevices ? kLeastOfDevice : kLeastOfSink)) {
            refuse(name(), "a row is too short");
        }
        --depth_;
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const Json::exception& error) {
        throw std::invalid_argument(error.what());
    }

    void check_complete() const {
        if (seen_ == kAllFields && has_devices_) return;
        for (std::size_t i = 0; i < kFields.size(); ++i) {
            if ((seen_ & 1U << i) == 0) refuse(kFields[i].name, "missing");
        }
        refuse("devices", "missing");
    }

  private:
    enum class List : std::uint8_t { kNone, kDevices, kSinks };
    static constexpr int kDeepest = 16;

    bool deeper() { return ++depth_ <= kDeepest; }
    [[nodiscard]] bool known() const { return field_ || list_ != List::kNone; }
    [[nodiscard]] std::string_view name() const {
        return list_ == List::kDevices ? "devices"
               : list_ == List::kSinks ? "sinks"
               : field_                ? field_->name
                                       : "";
    }

    void find(std::string_view name) {
        field_ = nullptr;
        list_ = name == "devices" ? List::kDevices : name == "sinks" ? List::kSinks : List::kNone;
        has_devices_ = has_devices_ || list_ == List::kDevices;
        if (list_ != List::kNone) return;
        // Nearly always the one behind the last.
        for (std::size_t i = 0; i < kFields.size(); ++i) {
            const auto index = (next_ + i) % kFields.size();
            if (kFields[index].name != name) continue;
            field_ = &kFields[index];
            seen_ |= 1U << index;
            next_ = index + 1;
            return;
        }
    }

    bool scalar(const Scalar& value) {
        if (depth_ == 0) refuse("payload", "not an object");
        if (depth_ == 1 && list_ != List::kNone) refuse(name(), "a list is expected");
        if (depth_ == 1 && field_) put(beat_, *field_, value);
        if (depth_ == 2 && list_ != List::kNone) refuse(name(), "a row is a list");
        if (depth_ == 3 && list_ == List::kDevices) put(beat_.devices.back(), at_++, value);
        if (depth_ == 3 && list_ == List::kSinks) put(beat_.sinks.back(), at_++, value);
        return true;
    }

    Heartbeat& beat_;
    int depth_ = 0;
    const Field* field_ = nullptr;  // whose value comes next, at depth 1
    List list_ = List::kNone;       // … or the list
    std::size_t at_ = 0;            // in a row
    std::size_t next_ = 0;
    std::uint32_t seen_ = 0;
    bool has_devices_ = false;
};

}  // namespace

Json write(const Heartbeat& beat) {
    Json json = Json::object();
    for (const auto& field : kFields) {
        std::visit(
            [&](auto member) {
                const auto& value = beat.*member;
                if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Time>) {
                    json[std::string{field.name}] = value ? value->time_since_epoch().count() : 0;
                } else {
                    json[std::string{field.name}] = value;
                }
            },
            field.member);
    }
    auto& devices = json["devices"] = Json::array();
    for (const auto& d : beat.devices) {
        devices.push_back(Json::array({d.device_code, d.cycles, d.points_ok, d.points_total, d.last_error,
                                       d.timeouts, d.period_factor}));
    }
    auto& sinks = json["sinks"] = Json::array();
    for (const auto& s : beat.sinks) {
        sinks.push_back(
            Json::array({s.sink_code, s.pending, s.retrying, s.dead, s.last_error, s.dead_reason}));
    }
    return json;
}

Heartbeat read_heartbeat(ByteSpan payload) {
    Heartbeat beat;
    Reader reader{beat};
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(payload.data());
    if (!Json::sax_parse(bytes, bytes + payload.size(), &reader, Json::input_format_t::cbor)) {
        throw std::invalid_argument("nested too deeply");
    }
    reader.check_complete();
    return beat;
}

}  // namespace fieldwarden::proto
