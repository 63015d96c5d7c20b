#include "worker/drivers/mqtt/point_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/decode.h"
#include "worker/drivers/mqtt/payload.h"

namespace fieldwarden::worker::mqtt {

namespace {

constexpr UtcTime kEarliest = std::chrono::sys_days{std::chrono::year{2000} / 1 / 1};
constexpr std::size_t kShown = 60;

std::size_t content_hash(const Message& message) {
    const auto topic = std::hash<std::string_view>{}(message.topic);
    return std::hash<std::string_view>{}(message.payload) ^ (topic * 0x9E3779B97F4A7C15ULL);
}

std::string shown(std::string_view text) {
    return sanitize_utf8(text.substr(0, kShown)) + (text.size() > kShown ? "…" : "");
}

}  // namespace

PointTable::PointTable(const Settings& settings) : settings_(settings), states_(settings.points.size()) {
    for (std::uint32_t i = 0; i < settings.points.size(); ++i) {
        by_topic_[settings.points[i].address.topic].push_back(i);
        states_[i].last = {.point = settings.points[i].id,
                           .quality = Quality::kBad,
                           .code = QualityCode::kStale,
                           .time = {},
                           .value = {}};
    }
}

const std::vector<std::uint32_t>& PointTable::points_on(const std::string& topic) const {
    static const std::vector<std::uint32_t> none;
    const auto found = by_topic_.find(topic);
    return found == by_topic_.end() ? none : found->second;
}

std::size_t PointTable::points_of(const std::string& topic) const {
    return points_on(topic).size();
}

bool PointTable::is_redelivery(const Message& message) {
    if (message.qos != 1) return false;
    const auto hash = content_hash(message);
    const auto [entry, is_new] = deliveries_.try_emplace(message.packet_id, hash);
    if (is_new) {
        delivery_order_.push_back(message.packet_id);
        if (delivery_order_.size() > kRememberedDeliveries) {
            deliveries_.erase(delivery_order_.front());
            delivery_order_.pop_front();
        }
        return false;
    }
    const bool same = message.duplicate && entry->second == hash;
    entry->second = hash;
    return same;
}

Sample PointTable::timed(const Message& message, std::optional<UtcTime> told) const {
    Sample sample;
    const bool believed = told && *told >= kEarliest && *told <= message.arrived + kMostAhead;
    sample.time = believed ? *told : message.arrived;
    if (!message.retained || settings_.retained == RetainedUse::kTrust) return sample;
    if (!believed) {
        sample.quality = Quality::kUncertain;
        sample.code = QualityCode::kStale;
    } else if (settings_.stale_after.count() > 0 && message.arrived - *told > settings_.stale_after) {
        sample.quality = Quality::kBad;
        sample.code = QualityCode::kStale;
    }
    return sample;
}

void PointTable::emit(std::uint32_t point, Sample sample, Updates& out) {
    auto& state = states_[point];
    sample.point = settings_.points[point].id;
    if (sample.quality == Quality::kBad) sample.value = std::monostate{};
    state.spoken = true;
    state.is_current = true;
    state.last = sample;
    out.which.push_back(point);
    out.samples.push_back(std::move(sample));
}

void PointTable::bad(std::uint32_t point, QualityCode code, const Message& message, Updates& out) {
    Sample sample;
    sample.quality = Quality::kBad;
    sample.code = code;
    sample.time = message.arrived;
    emit(point, std::move(sample), out);
}

void PointTable::apply(const Message& message, Updates& out) {
    const auto& points = points_on(message.topic);
    if (points.empty()) return;
    if (is_redelivery(message)) {
        ++duplicates;
        return;
    }
    if (message.retained && settings_.retained == RetainedUse::kIgnore) return;
    const auto content = content_hash(message);

    Payload payload{message.payload};
    std::optional<UtcTime> told;
    if (settings_.timestamp && !message.too_large) told = payload.time(*settings_.timestamp);
    const auto sample = timed(message, told);
    bool decoded = true;
    for (const auto index : points) {
        const auto& point = settings_.points[index];
        auto& state = states_[index];
        if (message.retained && state.is_current && state.content == content) continue;
        state.content = content;
        state.heard_at = message.arrived_mono;
        state.is_stale = false;
        if (message.too_large) {
            last_refusal = fmt::format("topic {}: a payload of more than max_payload_bytes={} is not decoded",
                                       shown(message.topic), settings_.max_payload_bytes);
            decoded = false;
            bad(index, QualityCode::kDecode, message, out);
            continue;
        }
        auto one = sample;
        const auto found = point.address.is_json
                               ? payload.member(point.address.pointer, point.type, one.value)
                               : payload.plain(point.type, one.value);
        switch (found) {
            case Found::kValue:
                state.has_value = state.has_value || one.quality != Quality::kBad;
                emit(index, std::move(one), out);
                break;
            case Found::kMissing:
                last_refusal = fmt::format("topic {}: the message holds no member {}", shown(message.topic),
                                           shown(format_mqtt_address(point.address)));
                if (!state.has_value && state.last.code != QualityCode::kIllegalAddress)
                    bad(index, QualityCode::kIllegalAddress, message, out);
                break;
            case Found::kMismatch:
                last_refusal =
                    fmt::format("topic {}: the payload '{}' holds no {} for {}", shown(message.topic),
                                shown(message.payload), format_data_type(point.type),
                                shown(format_mqtt_address(point.address)));
                decoded = false;
                bad(index, QualityCode::kDecode, message, out);
                break;
        }
    }
    if (!decoded) ++undecodable;
}

void PointTable::watch(MonoTime now) {
    if (settings_.stale_after.count() == 0 || states_.empty()) return;
    for (auto& state : states_) {
        state.heard_at = now;
        state.is_stale = false;
    }
    next_stale_ = now + settings_.stale_after;
}

void PointTable::go_stale(MonoTime now, UtcTime utc, Updates& out) {
    if (!next_stale_ || now < *next_stale_) return;
    // Messages only move the moment away, so that this is looked at once per stale_after, not per message.
    next_stale_ = now + settings_.stale_after;
    for (std::uint32_t i = 0; i < states_.size(); ++i) {
        auto& state = states_[i];
        if (state.is_stale) continue;
        const auto at = state.heard_at + settings_.stale_after;
        if (at > now) {
            next_stale_ = std::min(*next_stale_, at);
            continue;
        }
        state.is_stale = true;
        Sample sample;
        sample.quality = Quality::kBad;
        sample.code = QualityCode::kStale;
        sample.time = utc;
        emit(i, std::move(sample), out);
        last_refusal = fmt::format("topic {}: no message for {} ms", shown(settings_.points[i].address.topic),
                                   settings_.stale_after.count());
    }
}

void PointTable::begin_connection() {
    for (auto& state : states_) state.is_current = false;
}

void PointTable::resume(UtcTime utc, Updates& out) {
    for (std::uint32_t i = 0; i < states_.size(); ++i) {
        const auto& state = states_[i];
        if (!state.has_value || state.last.quality == Quality::kBad) continue;
        auto sample = state.last;
        sample.quality = Quality::kUncertain;
        sample.code = QualityCode::kStale;
        sample.time = utc;
        emit(i, std::move(sample), out);
    }
}

void PointTable::refuse(std::uint32_t point, UtcTime utc, Updates& out) {
    Sample sample;
    sample.quality = Quality::kBad;
    sample.code = QualityCode::kIllegalAddress;
    sample.time = utc;
    emit(point, std::move(sample), out);
}

Sample PointTable::last(std::uint32_t point, UtcTime utc) const {
    auto sample = states_[point].last;
    if (sample.time == UtcTime{}) sample.time = utc;
    return sample;
}

}  // namespace fieldwarden::worker::mqtt
