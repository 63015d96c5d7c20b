// Records as Kafka messages. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/sinks/sample_json.h"

namespace fieldwarden::worker::kafka {

struct Message {
    std::string key;  // device code: the samples of a device keep their order
    std::string value;
    std::size_t record = 0;    // index in the batch
    std::uint64_t seq = 0;     // of the record: header `seq`
    std::size_t n = 0;         // index of the message in its record: header `n`
    std::int64_t time_ms = 0;  // of the first sample, since 1970; 0, which Kafka takes as now: it was before
};

// Remembers the points of one directory. One thread.
class MessageWriter {
  public:
    // Appends the messages of record `index`: one per sample, or with `lines` one per device with one JSON
    // object per line, several where one would grow beyond half a megabyte. False, and nothing appended: a
    // point of the record has no name.
    bool append(std::vector<Message>& out, const DeliveryBatch& batch, std::size_t index, bool lines);

  private:
    SampleJson json_;
    PointCache<std::string> devices_;
};

}  // namespace fieldwarden::worker::kafka
