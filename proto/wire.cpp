#include "proto/wire.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "common/sample_block.h"
#include "proto/heartbeat_wire.h"

namespace fieldwarden::proto {

namespace {

using std::chrono::milliseconds;

// One writer and one reader per message, side by side, so that the two cannot drift apart unseen.

Json write(const Hello& m) {
    return {{"launch_key", m.launch_key},          {"task_code", m.task_code},
            {"session_id", m.session_id},          {"pid", m.pid},
            {"start_ticks", m.start_ticks},        {"version", m.version},
            {"config_revision", m.config_revision}};
}
void read(const Json& j, Hello& m) {
    j.at("launch_key").get_to(m.launch_key);
    j.at("task_code").get_to(m.task_code);
    j.at("session_id").get_to(m.session_id);
    j.at("pid").get_to(m.pid);
    j.at("start_ticks").get_to(m.start_ticks);
    j.at("version").get_to(m.version);
    j.at("config_revision").get_to(m.config_revision);
}

Json write(const Ready& m) {
    return {{"config_revision", m.config_revision}};
}
void read(const Json& j, Ready& m) {
    j.at("config_revision").get_to(m.config_revision);
}

std::int64_t micros(const std::optional<UtcTime>& time) {
    return time ? time->time_since_epoch().count() : 0;
}
std::optional<UtcTime> from_micros(const Json& j) {
    const auto count = j.get<std::int64_t>();
    return count == 0 ? std::nullopt : std::optional{UtcTime{std::chrono::microseconds{count}}};
}

Json write(const Connection& m) {
    return to_json(m.status);
}
void read(const Json& j, Connection& m) {
    m.status = connection_status_from_json(j);
}

Json write(const Log& m) {
    Json entries = Json::array();
    for (const auto& entry : m.entries) entries.push_back(to_json(entry));
    return {{"entries", std::move(entries)}, {"dropped", m.dropped}, {"lost", m.lost}};
}
void read(const Json& j, Log& m) {
    for (const auto& entry : j.at("entries")) m.entries.push_back(log_entry_from_json(entry));
    j.at("dropped").get_to(m.dropped);
    // A worker of an older build does not say it.
    m.lost = j.contains("lost") ? j.at("lost").get<decltype(m.lost)>() : decltype(m.lost){};
}

Json write_block(const SampleBatch& samples) {
    Bytes block;
    encode_sample_block(samples, block);
    std::vector<std::uint8_t> binary(block.size());
    std::memcpy(binary.data(), block.data(), block.size());
    return Json::binary(std::move(binary));
}
void read_block(const Json& j, SampleBatch& samples) {
    const auto& binary = j.get_binary();
    const ByteSpan block{reinterpret_cast<const std::byte*>(binary.data()), binary.size()};
    if (const auto decoded = decode_sample_block(block, samples); !decoded) {
        throw std::invalid_argument(decoded.error().message);
    }
}

Json write(const BrowsePage& page) {
    Json nodes = Json::array();
    for (const auto& n : page.nodes) {
        nodes.push_back(
            Json::array({n.address, n.name, n.kind, n.data_type, n.device_type, n.has_children, n.writable}));
    }
    return {{"nodes", std::move(nodes)}, {"truncated", page.truncated}};
}
void read(const Json& j, BrowsePage& page) {
    j.at("truncated").get_to(page.truncated);
    for (const auto& n : j.at("nodes")) {
        page.nodes.push_back({n.at(0).get<std::string>(), n.at(1).get<std::string>(),
                              n.at(2).get<std::string>(), n.at(3).get<std::string>(),
                              n.at(4).get<std::string>(), n.at(5).get<bool>(), n.at(6).get<bool>()});
    }
}

Json write(const DeviceDiagnostics& d) {
    return {{"device_code", d.device_code},
            {"requests", d.requests},
            {"timeouts", d.timeouts},
            {"exceptions", d.exceptions},
            {"broken_answers", d.broken_answers},
            {"lost_connections", d.lost_connections},
            {"updates", d.updates},
            {"overflowed", d.overflowed},
            {"bytes_sent", d.bytes_sent},
            {"bytes_received", d.bytes_received},
            {"response_p50_ms", d.response_p50_ms},
            {"response_p99_ms", d.response_p99_ms},
            {"last_refusal", d.last_refusal}};
}
void read(const Json& j, DeviceDiagnostics& d) {
    j.at("device_code").get_to(d.device_code);
    j.at("requests").get_to(d.requests);
    j.at("timeouts").get_to(d.timeouts);
    j.at("exceptions").get_to(d.exceptions);
    j.at("broken_answers").get_to(d.broken_answers);
    j.at("lost_connections").get_to(d.lost_connections);
    j.at("updates").get_to(d.updates);
    j.at("overflowed").get_to(d.overflowed);
    j.at("bytes_sent").get_to(d.bytes_sent);
    j.at("bytes_received").get_to(d.bytes_received);
    j.at("response_p50_ms").get_to(d.response_p50_ms);
    j.at("response_p99_ms").get_to(d.response_p99_ms);
    j.at("last_refusal").get_to(d.last_refusal);
}

Json write(const Reply& m) {
    Json json{{"request_id", m.request_id},
              {"ok", m.ok},
              {"error", m.error},
              {"error_kind", static_cast<int>(m.error_kind)},
              {"duration_ms", m.duration_ms},
              {"samples", write_block(m.samples)},
              {"probe", m.probe ? to_json(*m.probe) : Json(nullptr)},
              {"confirmed", m.confirmed}};
    if (m.browse) json["browse"] = write(*m.browse);
    if (!m.diagnostics.empty()) {
        auto& all = json["diagnostics"] = Json::array();
        for (const auto& device : m.diagnostics) all.push_back(write(device));
    }
    return json;
}
void read(const Json& j, Reply& m) {
    j.at("request_id").get_to(m.request_id);
    j.at("ok").get_to(m.ok);
    j.at("error").get_to(m.error);
    j.at("duration_ms").get_to(m.duration_ms);
    read_block(j.at("samples"), m.samples);
    if (const auto& probe = j.at("probe"); !probe.is_null()) m.probe = probe_result_from_json(probe);
    const auto kind = j.value("error_kind", static_cast<int>(m.error_kind));
    if (kind < 0 || kind > static_cast<int>(ErrorKind::kInternal)) {
        throw std::invalid_argument("unknown error_kind");
    }
    m.error_kind = static_cast<ErrorKind>(kind);
    m.confirmed = j.value("confirmed", false);
    if (j.contains("browse")) read(j.at("browse"), m.browse.emplace());
    if (!j.contains("diagnostics")) return;
    for (const auto& device : j.at("diagnostics")) read(device, m.diagnostics.emplace_back());
}

Json write(const Finished& m) {
    return {{"code", static_cast<int>(m.code)}, {"completed", m.completed}, {"reason", m.reason}};
}
void read(const Json& j, Finished& m) {
    m.code = static_cast<ExitCode>(j.at("code").get<int>());
    j.at("completed").get_to(m.completed);
    j.at("reason").get_to(m.reason);
}

TaskConfig config_from(const Json& j) {
    auto config = task_config_from_json(j);
    if (!config) throw std::invalid_argument(config.error().message);
    return std::move(*config);
}

Json write(const Welcome& m) {
    return {{"session_id", m.session_id},
            {"config", m.config ? to_json(*m.config) : Json(nullptr)},
            {"heartbeat_interval_ms", m.heartbeat_interval.count()},
            {"orphan_grace_ms", m.orphan_grace.count()},
            {"paused", m.paused}};
}
void read(const Json& j, Welcome& m) {
    j.at("session_id").get_to(m.session_id);
    if (const auto& config = j.at("config"); !config.is_null()) m.config = config_from(config);
    m.heartbeat_interval = milliseconds{j.at("heartbeat_interval_ms").get<std::int64_t>()};
    m.orphan_grace = milliseconds{j.at("orphan_grace_ms").get<std::int64_t>()};
    j.at("paused").get_to(m.paused);
}

Json write(const Refuse& m) {
    return {{"reason", m.reason}};
}
void read(const Json& j, Refuse& m) {
    j.at("reason").get_to(m.reason);
}

Json write(const Configure& m) {
    return {{"config", to_json(m.config)}};
}
void read(const Json& j, Configure& m) {
    m.config = config_from(j.at("config"));
}

Json write(const SetPeriod& m) {
    return {{"period_ms", m.period.count()}};
}
void read(const Json& j, SetPeriod& m) {
    m.period = milliseconds{j.at("period_ms").get<std::int64_t>()};
}

Json write(const Pause&) {
    return Json::object();
}
void read(const Json&, Pause&) {}
Json write(const Resume&) {
    return Json::object();
}
void read(const Json&, Resume&) {}

Json write(const Stop& m) {
    return {{"grace_ms", m.grace.count()}};
}
void read(const Json& j, Stop& m) {
    m.grace = milliseconds{j.at("grace_ms").get<std::int64_t>()};
}

Json write(const ResetConnection& m) {
    return {{"device_code", m.device_code}};
}
void read(const Json& j, ResetConnection& m) {
    j.at("device_code").get_to(m.device_code);
}

Json write(const AcquireOnce& m) {
    return {{"request_id", m.request_id}};
}
void read(const Json& j, AcquireOnce& m) {
    j.at("request_id").get_to(m.request_id);
}

DeviceConfig device_from(const Json& j) {
    auto device = device_config_from_json(j);
    if (!device) throw std::invalid_argument(device.error().message);
    return std::move(*device);
}

SinkConfig sink_from(const Json& j) {
    auto sink = sink_config_from_json(j);
    if (!sink) throw std::invalid_argument(sink.error().message);
    return std::move(*sink);
}

Json write(const TestConnection& m) {
    return {{"request_id", m.request_id}, {"device", to_json(m.device)}};
}
void read(const Json& j, TestConnection& m) {
    j.at("request_id").get_to(m.request_id);
    m.device = device_from(j.at("device"));
}

Json write(const TestStorage& m) {
    return {{"request_id", m.request_id}, {"sink", to_json(m.sink)}};
}
void read(const Json& j, TestStorage& m) {
    j.at("request_id").get_to(m.request_id);
    m.sink = sink_from(j.at("sink"));
}

Json write(const BeatAck& m) {
    return {{"seq", m.seq}};
}
void read(const Json& j, BeatAck& m) {
    j.at("seq").get_to(m.seq);
}

Json write(const SlowDown& m) {
    return {{"device_code", m.device_code}, {"period_factor", m.period_factor}};
}
void read(const Json& j, SlowDown& m) {
    j.at("device_code").get_to(m.device_code);
    j.at("period_factor").get_to(m.period_factor);
}

Json write(const WritePoint& m) {
    return {{"request_id", m.request_id},
            {"device", m.device ? to_json(*m.device) : Json(nullptr)},
            {"point", m.point},
            // As a sample block, in which a value keeps its type.
            {"value", write_block({Sample{m.point, Quality::kGood, QualityCode::kNone, {}, m.value}})}};
}
void read(const Json& j, WritePoint& m) {
    j.at("request_id").get_to(m.request_id);
    j.at("point").get_to(m.point);
    if (const auto& device = j.at("device"); !device.is_null()) m.device = device_from(device);
    SampleBatch value;
    read_block(j.at("value"), value);
    if (value.size() != 1) throw std::invalid_argument("one value is expected");
    m.value = std::move(value.front().value);
}

Json write(const Browse& m) {
    return {{"request_id", m.request_id}, {"device", to_json(m.device)}, {"node", m.node}};
}
void read(const Json& j, Browse& m) {
    j.at("request_id").get_to(m.request_id);
    m.device = device_from(j.at("device"));
    j.at("node").get_to(m.node);
}

Json write(const Diagnose& m) {
    return {{"request_id", m.request_id}};
}
void read(const Json& j, Diagnose& m) {
    j.at("request_id").get_to(m.request_id);
}

Json write(const QueryStore& m) {
    Json devices = Json::array();
    for (const auto& device : m.devices) devices.push_back(to_json(device));
    Json range = nullptr;
    if (m.range) {
        range = {{"start_us", micros(m.range->start)},
                 {"end_us", micros(m.range->end)},
                 {"limit", m.range->limit},
                 {"descending", m.range->descending}};
    }
    return {{"request_id", m.request_id},
            {"task_code", m.task_code},
            {"sink", to_json(m.sink)},
            {"devices", std::move(devices)},
            {"range", std::move(range)}};
}
void read(const Json& j, QueryStore& m) {
    j.at("request_id").get_to(m.request_id);
    j.at("task_code").get_to(m.task_code);
    m.sink = sink_from(j.at("sink"));
    for (const auto& device : j.at("devices")) m.devices.push_back(device_from(device));
    const auto& range = j.at("range");
    if (range.is_null()) return;
    m.range = {.start = from_micros(range.at("start_us")),
               .end = from_micros(range.at("end_us")),
               .limit = range.at("limit").get<std::uint64_t>(),
               .descending = range.at("descending").get<bool>()};
}

constexpr std::size_t kMessageCount = std::variant_size_v<Message>;
constexpr std::array<std::string_view, kMessageCount> kNames{
    "hello",        "ready",    "heartbeat", "connection",       "live",         "log",
    "reply",        "finished", "welcome",   "refuse",           "configure",    "set_period",
    "pause",        "resume",   "stop",      "reset_connection", "acquire_once", "test_connection",
    "test_storage", "beat_ack", "slow_down", "write_point",      "browse",       "diagnose",
    "query_store",
};

// Builds the document within bounds. Depth: the parser underneath recurses, and nesting from outside must not
// choose our stack depth. Values: one byte of CBOR can become sixteen of memory, so that a payload within its
// limit could still ask for a gigabyte.
class BoundedDocument : public nlohmann::detail::json_sax_dom_parser<Json> {
    using Base = nlohmann::detail::json_sax_dom_parser<Json>;

  public:
    using Base::Base;
    bool null() { return one_more() && Base::null(); }
    bool boolean(bool value) { return one_more() && Base::boolean(value); }
    bool number_integer(Json::number_integer_t value) { return one_more() && Base::number_integer(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return one_more() && Base::number_unsigned(value); }
    bool number_float(Json::number_float_t value, const Json::string_t& text) {
        return one_more() && Base::number_float(value, text);
    }
    bool string(Json::string_t& value) { return one_more() && Base::string(value); }
    bool binary(Json::binary_t& value) { return one_more() && Base::binary(value); }
    bool start_object(std::size_t size) { return one_deeper() && Base::start_object(size); }
    bool start_array(std::size_t size) { return one_deeper() && Base::start_array(size); }
    bool end_object() { return --depth_, Base::end_object(); }
    bool end_array() { return --depth_, Base::end_array(); }

  private:
    static constexpr int kDeepest = 16;
    // A task of 100,000 points with every member set has 1.4 million.
    static constexpr std::size_t kMostValues = 4'000'000;

    bool one_more() { return ++values_ <= kMostValues; }
    bool one_deeper() { return ++depth_ <= kDeepest && one_more(); }

    int depth_ = 0;
    std::size_t values_ = 0;
};

Json parse_cbor(ByteSpan payload) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(payload.data());
    Json document;
    BoundedDocument sax{document, true};
    if (!Json::sax_parse(bytes, bytes + payload.size(), &sax, Json::input_format_t::cbor)) {
        throw std::invalid_argument("nested too deeply, or too many values");
    }
    if (!document.is_object()) throw std::invalid_argument("the payload is not an object");
    return document;
}

template <std::size_t I>
Message read_as(ByteSpan payload) {
    using M = std::variant_alternative_t<I, Message>;
    M message;
    if constexpr (std::is_same_v<M, Live>) {
        if (const auto decoded = decode_sample_block(payload, message.samples); !decoded) {
            throw std::invalid_argument(decoded.error().message);
        }
    } else if constexpr (std::is_same_v<M, Heartbeat>) {
        message = read_heartbeat(payload);
    } else {
        read(parse_cbor(payload), message);
    }
    return message;
}

using ReadFunction = Message (*)(ByteSpan);
constexpr auto kReaders = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<ReadFunction, kMessageCount>{&read_as<I>...};
}
(std::make_index_sequence<kMessageCount>{});

}  // namespace

std::string_view message_name(const Message& message) {
    return kNames[message.index()];
}

Frames encode(const Message& message) {
    Frames frames;
    ByteWriter header{frames.header};
    header.put('F');
    header.put('W');
    header.put(kWireVersion);
    header.put(static_cast<std::uint8_t>(message.index() + 1));
    if (const auto* live = std::get_if<Live>(&message)) {
        encode_sample_block(live->samples, frames.payload);
        return frames;
    }
    const Json json = std::visit(
        [](const auto& m) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(m)>, Live>) {
                return nullptr;
            } else {
                return write(m);
            }
        },
        message);
    std::vector<std::uint8_t> cbor = Json::to_cbor(json);
    const auto bytes = std::as_bytes(std::span{cbor});
    frames.payload.assign(bytes.begin(), bytes.end());
    return frames;
}

Result<Message> decode(ByteSpan header, ByteSpan payload) {
    const auto refused = [](std::string why) {
        return make_error(ErrorKind::kCorrupt, fmt::format("wire message refused: {}", why));
    };
    ByteReader reader{header};
    const auto f = reader.get<char>();
    const auto w = reader.get<char>();
    const auto version = reader.get<std::uint8_t>();
    const auto type = reader.get<std::uint8_t>();
    if (reader.failed() || reader.remaining() != 0 || f != 'F' || w != 'W') {
        return refused("the header is not 'FW', version, type");
    }
    if (version != kWireVersion) {
        return refused(fmt::format("wire version {} where {} is spoken", version, kWireVersion));
    }
    if (type == 0 || type > kMessageCount) return refused(fmt::format("unknown message type {}", type));
    if (payload.size() > kMaxPayload) {
        return refused(fmt::format("payload of {} bytes is over {}", payload.size(), kMaxPayload));
    }
    try {
        return kReaders[type - 1U](payload);
    } catch (const std::exception& error) {
        return refused(fmt::format("{}: {}", kNames[type - 1U], error.what()));
    }
}

}  // namespace fieldwarden::proto
