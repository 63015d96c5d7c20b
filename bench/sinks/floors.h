// The bare floors: what a store takes from a client that does nothing but send content that lies ready.
#pragma once

#include <string>

#include "bench/sinks/plant.h"

namespace fieldwarden::bench {

// The plant's content in files of `folder`, for clients that read some:
//   rows.tsv            for COPY … FROM STDIN of PostgreSQL, in text format
//   plain.N, packed.N   bodies of `lines` lines of InfluxDB's line protocol, as they are and gzipped
//   plain.conf, packed.conf   configurations of curl that post them all, one after another, to `url`
void write_rows(const Plant& plant, const std::string& folder);
void write_lines(const Plant& plant, const std::string& folder, const std::string& url, std::size_t lines);

// Seconds to the last acknowledgement; the connection is part of it for Kafka only, whose client makes it by
// itself. Kafka: an idempotent producer with the settings of our sink but for the transactions; messages,
// keys and headers are the sink's.
double send_to_kafka(const Plant& plant, const std::string& brokers, const std::string& topic);
// MQTT 3.1.1 at QoS 1 over paho's asynchronous client, a hundred messages on their way: the sink's window.
double send_to_mqtt(const Plant& plant, const std::string& uri);
// A row per sample into a SQLite database of its own in `folder`, in transactions as large and as durable as
// the embedded history's; `keyed`: with the primary key (point, time) that makes the rows of one point quick
// to read.
double write_to_sqlite(const Plant& plant, const std::string& folder, bool keyed);

}  // namespace fieldwarden::bench
