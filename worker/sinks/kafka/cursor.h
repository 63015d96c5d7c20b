// The cursor: the committed offset of group `identity` on partition 0 of the topic is the spool sequence
// number behind the last record that is stored. It is committed in the transaction that carries the data, so
// that the two are never apart (KIP-98). Spool sequence numbers rise for ever; a new spool begins above older
// ones.
#pragma once

#include <cstdint>
#include <memory>

#include "worker/sinks/kafka/patience.h"

namespace fieldwarden::worker::kafka {

struct DestroyOffsets {
    void operator()(rd_kafka_topic_partition_list_t* list) const {
        rd_kafka_topic_partition_list_destroy(list);
    }
};
using Offsets = std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyOffsets>;

// Partition 0 of the topic, at `offset`.
Offsets cursor_offsets(const std::string& topic, std::int64_t offset);

// A consumer that never consumes. Made for one question.
class CursorReader {
  public:
    static Result<CursorReader> make(const Settings& settings, Voice& voice);

    // 0: there is none yet.
    Outcome read(Patience& patience, std::uint64_t& cursor);
    // Number of partitions of the topic; 0: it is not there. Asking does not make it.
    Outcome count_partitions(Patience& patience, int& count);

  private:
    CursorReader(const Settings& settings, Client client)
        : settings_(&settings), client_(std::move(client)) {}
    const Settings* settings_;
    Client client_;
};

}  // namespace fieldwarden::worker::kafka
