#include "worker/sinks/kafka/cursor.h"

#include <fmt/format.h>

namespace fieldwarden::worker::kafka {

namespace {

bool worth_another_turn(rd_kafka_resp_err_t error) {
    return trouble_of(error) == Trouble::kUnavailable && error != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
           error != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

}  // namespace

Offsets cursor_offsets(const std::string& topic, std::int64_t offset) {
    Offsets offsets{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(offsets.get(), topic.c_str(), 0)->offset = offset;
    return offsets;
}

Result<CursorReader> CursorReader::make(const Settings& settings, Voice& voice) {
    auto client = make_client(RD_KAFKA_CONSUMER, settings.cursor, voice);
    if (!client) return client.error();
    return CursorReader{settings, std::move(*client)};
}

Outcome CursorReader::read(Patience& patience, std::uint64_t& cursor) {
    const auto what = fmt::format("reading the cursor of group {}", settings_->identity);
    for (;;) {
        const auto offsets = cursor_offsets(settings_->topic, RD_KAFKA_OFFSET_INVALID);
        auto error = rd_kafka_committed(client_.get(), offsets.get(), patience.turn_ms());
        rd_kafka_poll(client_.get(), 0);
        const auto& found = offsets->elems[0];
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = found.err;
        // A topic that is to be made by the first delivery has no cursor.
        const bool missing = error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR || missing) {
            cursor = missing || found.offset < 0 ? 0 : static_cast<std::uint64_t>(found.offset);
            return std::nullopt;
        }
        if (!worth_another_turn(error)) return failure_of(error, what);
        if (auto over = patience.over(what)) return over;
        if (error != RD_KAFKA_RESP_ERR__TIMED_OUT) rd_kafka_poll(client_.get(), 50);
    }
}

Outcome CursorReader::count_partitions(Patience& patience, int& count) {
    constexpr std::string_view kWhat = "asking about the topic";
    const std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)> topic{
        rd_kafka_topic_new(client_.get(), settings_->topic.c_str(), nullptr), &rd_kafka_topic_destroy};
    for (;;) {
        const rd_kafka_metadata_t* metadata = nullptr;
        auto error = rd_kafka_metadata(client_.get(), 0, topic.get(), &metadata, patience.turn_ms());
        rd_kafka_poll(client_.get(), 0);
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (metadata->topic_cnt == 1) error = metadata->topics[0].err;
            count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
            rd_kafka_metadata_destroy(metadata);
        }
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
        if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
            count = 0;
            return std::nullopt;
        }
        if (!worth_another_turn(error)) return failure_of(error, kWhat);
        if (auto over = patience.over(kWhat)) return over;
        if (error != RD_KAFKA_RESP_ERR__TIMED_OUT) rd_kafka_poll(client_.get(), 50);
    }
}

}  // namespace fieldwarden::worker::kafka
