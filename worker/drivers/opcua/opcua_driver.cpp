#include "worker/drivers/opcua/opcua_driver.h"

#include "common/device_options.h"
#include "worker/drivers/opcua/status_codes.h"
#include "worker/drivers/opcua/values.h"

namespace fieldwarden::worker::opcua {

using std::chrono::milliseconds;

namespace {

constexpr std::string_view kScheme = "opc.tcp://";

MonoTime mono_now() {
    return system_clock().mono_now();
}
UtcTime utc_now() {
    return system_clock().utc_now();
}

SecurityMode mode_of(std::string_view security) {
    if (security == "basic256sha256_sign") return SecurityMode::kSign;
    if (security == "basic256sha256_sign_encrypt") return SecurityMode::kSignAndEncrypt;
    return SecurityMode::kNone;
}

bool is_fingerprint(std::string_view text) {
    const auto digits = std::count_if(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
    return digits == 64 && text.find_first_not_of("0123456789abcdefABCDEF: -") == std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<Driver>> make_opcua(const DeviceConfig& config) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("device {}: {}", config.device_code, why));
    };
    const std::string_view url = config.address;
    if (!url.starts_with(kScheme))
        return refuse("the address of an OPC UA server is opc.tcp://host:4840/path");
    const auto authority = url.substr(kScheme.size());
    const auto peer = parse_host_port(authority.substr(0, authority.find('/')), kOpcUaPort);
    if (!peer) return refuse(peer.error().message);
    if (const auto fine = check_device_options(config.protocol, config.options); !fine)
        return refuse(fine.error().message);
    const auto number = [&](std::string_view name) {
        return integer_option(config.protocol, config.options, name);
    };
    const auto text = [&](std::string_view name) {
        return text_option(config.protocol, config.options, name);
    };

    OpcUaDriver::Settings settings;
    auto& session = settings.session;
    session.url = config.address;
    session.name = fmt::format("Fieldwarden {}", config.device_code);
    session.mode = mode_of(text("security"));
    session.sign_in = {text("username"), text("password"), text("allow_plain_sign_in") == "true"};
    session.trust.trust = text("trust") == "known" ? Trust::kKnown : Trust::kFirstUse;
    session.trust.pinned_sha256 = text("server_certificate_sha256");
    if (!session.trust.pinned_sha256.empty() && !is_fingerprint(session.trust.pinned_sha256))
        return refuse(
            "option server_certificate_sha256 is not the 64 hexadecimal digits of a SHA-256 fingerprint");
    session.connect_timeout = milliseconds{number("connect_timeout_ms")};
    session.timeout = milliseconds{number("timeout_ms")};
    session.session_timeout = milliseconds{number("session_timeout_ms")};
    settings.subscription.publishing_interval = milliseconds{number("publishing_interval_ms")};
    settings.subscription.queue_size = static_cast<std::uint32_t>(number("queue_size"));
    settings.subscription.server_deadband = text("server_deadband") == "true";
    settings.subscription.illegal_retry = std::chrono::seconds{number("illegal_retry_s")};
    settings.poll = text("mode") == "poll";
    settings.illegal_retry = settings.subscription.illegal_retry;

    auto points = PointTable::parse(config);
    if (!points) return refuse(points.error().message);
    return std::unique_ptr<Driver>{
        std::make_unique<OpcUaDriver>(*peer, std::move(*points), std::move(settings))};
}

OpcUaDriver::OpcUaDriver(HostPort peer, PointTable points, Settings settings)
    : line_(std::move(peer)),
      points_(std::move(points)),
      session_(line_, std::move(settings.session), stats_),
      subscription_(session_, line_, points_, limits_, stats_, settings.subscription),
      poll_(settings.poll),
      illegal_retry_(settings.illegal_retry) {}

Status OpcUaDriver::connect() {
    auto status = session_.connect();
    if (!status) {
        failed_step_ = session_.failed_step();
    } else {
        // The address space of the server may be another one than before.
        points_.unresolve();
        types_.forget();
        write_types_.clear();
        resolve_at_ = {};
        status = read_limits(session_, limits_);
        if (!status) failed_step_ = ConnectStep::kSignIn;
    }
    count_bytes();
    return status;
}

void OpcUaDriver::disconnect() {
    if (session_.disconnect()) subscription_.forget();
    count_bytes();
}

void OpcUaDriver::count_bytes() {
    stats_.bytes_sent = line_.stream().bytes_sent();
    stats_.bytes_received = line_.stream().bytes_received();
}

Status OpcUaDriver::not_connected() {
    return line_.error(ErrorKind::kUnavailable, "not connected");
}

// Addresses that the server has to be asked about, at once and then from time to time.
Status OpcUaDriver::prepare() {
    if (points_.all_resolved() || mono_now() < resolve_at_) return {};
    resolve_at_ = mono_now() + illegal_retry_;
    return points_.resolve(session_, limits_);
}

// Names the first trouble and counts the others.
void OpcUaDriver::tell(std::size_t point, const std::string& why) {
    if (++troubles_ == 1) {
        stats_.last_refusal =
            line_.error(ErrorKind::kInternal, fmt::format("{}: {}", points_.name(point), why)).message;
    }
}

Status OpcUaDriver::read(std::span<const std::uint32_t> due, SampleBatch& out) {
    const auto base = out.size();
    out.resize(base + due.size());
    const auto samples = std::span{out}.subspan(base);
    const auto begun = utc_now();
    for (std::size_t i = 0; i < due.size(); ++i) {
        samples[i].point = points_[due[i]].id;
        samples[i].quality = Quality::kBad;
        samples[i].code = QualityCode::kDisconnected;
        samples[i].time = begun;
    }
    stats_.last_refusal.clear();
    troubles_ = 0;
    failed_step_ = ConnectStep::kRead;
    if (!session_.usable()) return not_connected();

    std::size_t done = 0;
    auto status = prepare();
    double response_ms = 0;
    unsigned responses = 0;
    if (status) {
        status = in_batches(session_, due.size(), limits_.read, [&](std::size_t from, std::size_t count) {
            auto read = read_batch(due.subspan(from, count), samples.subspan(from, count));
            if (read) {
                done = from + count;
                response_ms += stats_.last_response_ms;
                ++responses;
            }
            return read;
        });
    }
    if (responses != 0) stats_.last_response_ms = response_ms / responses;
    if (troubles_ > 1) stats_.last_refusal += fmt::format(" (and {} more)", troubles_ - 1);
    count_bytes();
    if (!status && status.error().kind == ErrorKind::kTimeout)
        for (auto& sample : samples.subspan(done)) sample.code = QualityCode::kTimeout;
    return status;
}

Status OpcUaDriver::read_batch(std::span<const std::uint32_t> due, std::span<Sample> out) {
    std::vector<ReadItem> items;
    std::vector<std::size_t> slots;
    items.reserve(due.size());
    slots.reserve(due.size());
    for (std::size_t i = 0; i < due.size(); ++i) {
        const auto& point = points_[due[i]];
        if (point.missing != 0) {
            out[i].code = QualityCode::kIllegalAddress;
            tell(due[i], status_name(point.missing));
            continue;
        }
        items.push_back(points_.read_item(due[i]));
        slots.push_back(i);
    }
    if (items.empty()) return {};
    const auto answer = session_.call<ReadResponse>(ReadRequest{items});
    const auto now = utc_now();
    if (!answer) {
        if (!session_.usable() || (too_large(session_.fault()) && due.size() > 1)) return answer.error();
        for (const auto slot : slots) {
            out[slot].code = quality_code(session_.fault());
            out[slot].time = now;
            tell(due[slot], status_name(session_.fault()));
        }
        return {};
    }
    if (answer->results.size() != items.size()) {
        ++stats_.broken_answers;
        return session_.broken(ErrorKind::kCorrupt,
                               fmt::format("the server answers with {} values, asked were {}",
                                           answer->results.size(), items.size()));
    }
    for (std::size_t k = 0; k < slots.size(); ++k) {
        const auto index = due[slots[k]];
        auto taken = take_value(answer->results[k], points_[index].type, !items[k].index_range.empty(), now);
        taken.sample.point = points_[index].id;
        if (!taken.why.empty()) tell(index, taken.why);
        out[slots[k]] = std::move(taken.sample);
    }
    return {};
}

// --- writing ---------------------------------------------------------------------------------------------

// What the variable is made of: the type of its value, or when it has none that of its DataType.
Result<BuiltInType> OpcUaDriver::type_for_write(std::uint32_t point) {
    if (const auto known = write_types_.find(point); known != write_types_.end()) return known->second;
    const auto refuse = [&](std::string_view why) {
        return make_error(
            ErrorKind::kInvalidArgument,
            line_.error(ErrorKind::kInvalidArgument, fmt::format("{}: {}", points_.name(point), why))
                .message);
    };
    auto value = points_.read_item(point);
    auto data_type = value;
    data_type.attribute = Attribute::kDataType;
    data_type.index_range.clear();
    auto rank = data_type;
    rank.attribute = Attribute::kValueRank;
    const std::array items{value, data_type, rank};
    const auto answer = session_.call<ReadResponse>(ReadRequest{items});
    if (!answer) return session_.usable() ? refuse(status_name(session_.fault())) : answer.error();
    if (answer->results.size() != items.size())
        return session_.broken(ErrorKind::kCorrupt,
                               "the server answers with another number of values than asked");
    const auto& [shown, declared, ranked] =
        std::tie(answer->results[0], answer->results[1], answer->results[2]);
    if (is_bad(declared.status)) return refuse(status_name(declared.status));
    const bool element = !value.index_range.empty();
    const auto* dimensions =
        ranked.value.values.empty() ? nullptr : std::get_if<std::int64_t>(&ranked.value.values.front());
    const bool is_array = shown.value.is_array || (dimensions != nullptr && *dimensions >= 0);
    if (is_array && !element)
        return refuse("whole arrays are not written; add the index of an element, as in [0]");
    auto type = shown.value.type;
    if (is_bad(shown.status) || type == BuiltInType::kNull) {
        const auto* text = declared.value.values.empty()
                               ? nullptr
                               : std::get_if<std::string>(&declared.value.values.front());
        const auto id =
            text == nullptr ? Result<NodeId>{make_error(ErrorKind::kCorrupt, "")} : parse_node_id(*text);
        if (!id) return refuse("the server does not say what type it is");
        const auto found = types_.built_in(session_, *id);
        if (!found) return found.error();
        type = *found;
        if (type == BuiltInType::kVariant) return refuse("it holds no value yet, and its type is left open");
    }
    write_types_[point] = type;
    return type;
}

Status OpcUaDriver::write(std::uint32_t point, const Value& raw) {
    if (!session_.usable()) return not_connected();
    if (auto ready = prepare(); !ready) return ready;
    const auto refuse = [&](const std::string& why) {
        return make_error(
            ErrorKind::kInvalidArgument,
            line_.error(ErrorKind::kInvalidArgument, fmt::format("writing {}: {}", points_.name(point), why))
                .message);
    };
    if (points_[point].missing != 0) return refuse(status_name(points_[point].missing));
    const auto target = type_for_write(point);
    if (!target) return target.error();
    auto value = to_device(raw, points_[point].type, *target);
    if (!value) return refuse(value.error().message);
    WriteRequest request{points_.read_item(point), std::move(*value)};
    request.value.is_array = !request.item.index_range.empty();
    // One element, in as many dimensions as the variable has (Part 4, 7.27).
    const auto commas = std::count(request.item.index_range.begin(), request.item.index_range.end(), ',');
    if (commas != 0) request.value.dimensions.assign(static_cast<std::size_t>(commas) + 1, 1);
    const auto answer = session_.call<WriteResponse>(request);
    count_bytes();
    if (!answer)
        return session_.usable() ? Status{refuse(status_name(session_.fault()))} : Status{answer.error()};
    if (answer->results.size() != 1)
        return session_.broken(ErrorKind::kCorrupt,
                               "the server answers a write with another number of results");
    const auto result = answer->results.front();
    if (!is_bad(result)) return {};
    // The variable may have another type by now.
    write_types_.erase(point);
    return refuse(fmt::format("the server answers {}", status_name(result)));
}

// --- the rest --------------------------------------------------------------------------------------------

Status OpcUaDriver::subscribe(std::span<const milliseconds> periods) {
    failed_step_ = ConnectStep::kRead;
    if (!session_.usable()) return not_connected();
    resolve_at_ = {};
    if (auto ready = prepare(); !ready) return ready;
    auto status = subscription_.subscribe(periods);
    count_bytes();
    return status;
}

Status OpcUaDriver::take(milliseconds wait, std::vector<std::uint32_t>& which, SampleBatch& out) {
    failed_step_ = ConnectStep::kRead;
    // What is queued already brings its reason along.
    if (!subscription_.has_queued()) stats_.last_refusal.clear();
    auto status = session_.usable() ? prepare() : not_connected();
    if (status) status = subscription_.wait(wait);
    subscription_.drain(which, out);
    count_bytes();
    return status;
}

Result<proto::BrowsePage> OpcUaDriver::browse(const std::string& node) {
    if (!session_.usable()) return line_.error(ErrorKind::kUnavailable, "not connected");
    auto page = browse_node(session_, limits_, types_, node);
    count_bytes();
    return page;
}

}  // namespace fieldwarden::worker::opcua
