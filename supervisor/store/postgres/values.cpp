// How values travel to the server and back. Numbers of the types: PostgreSQL 15, catalog pg_type.
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "proto/shapes.h"
#include "supervisor/store/postgres/connection.h"

namespace fieldwarden::supervisor::postgres {

namespace {

constexpr unsigned kBool = 16;
constexpr unsigned kInt8 = 20;
constexpr unsigned kText = 25;
constexpr unsigned kJson = 114;
constexpr unsigned kFloat8 = 701;
constexpr unsigned kTextArray = 1009;
constexpr unsigned kInt8Array = 1016;
constexpr unsigned kDate = 1082;
constexpr unsigned kTimestamptz = 1184;

constexpr std::chrono::sys_days kEpoch{std::chrono::year{2000} / 1 / 1};
// timestamptz begins here; UtcTime's end, in the year 294247, is within it.
constexpr UtcTime kFirst{std::chrono::sys_days{std::chrono::year{-4712} / 1 / 1}};

template <class T>
std::string big_endian(T value) {
    const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
    return {bytes.rbegin(), bytes.rend()};
}

template <class T>
T from_big_endian(const char* bytes) {
    std::array<char, sizeof(T)> turned{};
    std::reverse_copy(bytes, bytes + sizeof(T), turned.begin());
    return std::bit_cast<T>(turned);
}

}  // namespace

std::string storable(std::string_view text) {
    if (std::all_of(text.begin(), text.end(), [](char c) { return c > 0; })) return std::string{text};
    auto valid =
        proto::Json::parse(proto::Json(text).dump(-1, ' ', false, proto::Json::error_handler_t::replace))
            .get<std::string>();
    for (auto at = valid.find('\0'); at != std::string::npos; at = valid.find('\0', at)) {
        valid.replace(at, 1, "\xEF\xBF\xBD");
    }
    return valid;
}

void Parameters::put(unsigned type, bool binary, std::string value) {
    types_.push_back(type);
    formats_.push_back(binary ? 1 : 0);
    values_.emplace_back(std::move(value));
}

void Parameters::add(std::int64_t value) {
    put(kInt8, true, big_endian(value));
}
void Parameters::add(double value) {
    put(kFloat8, true, big_endian(value));
}
void Parameters::add(bool value) {
    put(kBool, true, std::string(1, value ? '\1' : '\0'));
}
void Parameters::add(UtcTime value) {
    const std::chrono::microseconds since = std::max(value, kFirst) - kEpoch;
    put(kTimestamptz, true, big_endian(std::int64_t{since.count()}));
}
void Parameters::add(std::chrono::sys_days value) {
    put(kDate, true, big_endian(static_cast<std::int32_t>((value - kEpoch).count())));
}
void Parameters::add(std::string_view value) {
    put(kText, true, storable(value));
}
void Parameters::add(const JsonText& value) {
    put(kJson, true, value.text);
}

// "{"a","b\"c"}" (PostgreSQL 15, "Array Input and Output Syntax")
void Parameters::add(const TextArray& value) {
    std::string text = "{";
    for (const auto item : value.items) {
        if (text.size() > 1) text += ',';
        text += '"';
        for (const char c : storable(item)) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    put(kTextArray, false, text + "}");
}
void Parameters::add(const IdArray& value) {
    std::string text = "{";
    for (const auto item : value.items) {
        if (text.size() > 1) text += ',';
        text += std::to_string(item);
    }
    put(kInt8Array, false, text + "}");
}

void Answer::Clear::operator()(PGresult* result) const {
    PQclear(result);
}
int Answer::rows() const {
    return PQntuples(result_.get());
}
std::int64_t Answer::changed() const {
    return std::strtoll(PQcmdTuples(result_.get()), nullptr, 10);
}
bool Answer::is_null(int row, int column) const {
    return PQgetisnull(result_.get(), row, column) != 0;
}
std::string_view Answer::text(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}
std::int64_t Answer::integer(int row, int column) const {
    const auto bytes = text(row, column);
    if (bytes.size() == sizeof(std::int64_t)) return from_big_endian<std::int64_t>(bytes.data());
    if (bytes.size() == sizeof(std::int32_t)) return from_big_endian<std::int32_t>(bytes.data());
    return 0;
}
double Answer::number(int row, int column) const {
    const auto bytes = text(row, column);
    return bytes.size() == sizeof(double) ? from_big_endian<double>(bytes.data()) : 0;
}
bool Answer::boolean(int row, int column) const {
    return text(row, column) == std::string_view{"\1", 1};
}
UtcTime Answer::time(int row, int column) const {
    return UtcTime{kEpoch} + std::chrono::microseconds{integer(row, column)};
}
std::chrono::sys_days Answer::day(int row, int column) const {
    return kEpoch + std::chrono::days{integer(row, column)};
}

}  // namespace fieldwarden::supervisor::postgres
