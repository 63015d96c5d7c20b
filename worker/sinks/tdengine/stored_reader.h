// What the sink has stored, read back over its link (Sink::newest, Sink::stored_range). Makes and changes
// nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/sinks/sink.h"
#include "worker/sinks/tdengine/schema.h"
#include "worker/sinks/tdengine/stored_rows.h"

namespace fieldwarden::worker::tdengine {

class StoredReader {
  public:
    StoredReader(SqlLink& link, Schema& schema) : link_(link), schema_(schema) {}

    Result<SampleBatch> newest(const PointDirectory& points);
    Result<SampleBatch> range(const PointDirectory& points, const StoredRange& range);

  private:
    // Points by super table and device.
    using Devices = std::map<std::string, PointsByColumn>;
    using Tables = std::map<std::string, Devices>;
    using RowTimes = std::map<std::string, UtcTime>;  // of each device's newest row
    static Tables arrange(const PointDirectory& points);
    // False: there is no such table, so nothing is stored.
    Result<bool> look_at(const std::string& super_table, const SuperTable*& table);
    // Adds the samples of points that the newest row of their device does not hold, because requests of one
    // scan and points of other periods make rows of their own.
    Status complete(const std::string& super_table, const SuperTable& table, const Devices& devices,
                    const RowTimes& times, SampleBatch& samples);
    Status complete_device(const std::string& super_table, const SuperTable& table, const std::string& code,
                           PointsByColumn missing, UtcTime newest_row, SampleBatch& samples);
    Status read_device(const std::string& statement, std::span<const StoredColumn> columns,
                       const Devices& devices, SampleBatch& samples, std::size_t& rows,
                       RowTimes* times = nullptr);

    SqlLink& link_;
    Schema& schema_;
};

}  // namespace fieldwarden::worker::tdengine
