// The points of a device and the nodes they stand for. Browse paths, and string identifiers that end in [3],
// are only known once the server is asked: resolve() does that on every new connection, so that a server
// whose address space was built anew is no trouble.
#pragma once

#include "common/task_config.h"
#include "worker/drivers/opcua/node_types.h"

namespace fieldwarden::worker::opcua {

class PointTable {
  public:
    struct Point {
        PointId id = 0;
        DataType type;
        double deadband = 0;  // of the raw value, for the server; 0: none
        NodeId node;
        std::string index_range;  // "3", or "1,2"
        StatusCode missing = 0;   // why there is no node; 0: there is one
    };
    static Result<PointTable> parse(const DeviceConfig& config);

    [[nodiscard]] std::size_t size() const { return points_.size(); }
    [[nodiscard]] const Point& operator[](std::size_t index) const { return points_[index]; }
    [[nodiscard]] ReadItem read_item(std::size_t index) const {
        return {points_[index].node, Attribute::kValue, points_[index].index_range};
    }
    // For messages: the address as the workbook has it.
    [[nodiscard]] std::string name(std::size_t index) const;

    // Asks for every point that is not resolved. An error: the connection is broken.
    Status resolve(Session& session, const ServerLimits& limits);
    // After a new connection: node ids may have changed.
    void unresolve();
    [[nodiscard]] bool all_resolved() const { return unresolved_ == 0; }

  private:
    struct Question {  // a point that the server must be asked about
        std::uint32_t index = 0;
        OpcUaAddress address;
        bool resolved = false;
    };
    Status resolve_paths(Session& session, std::size_t batch);
    Status resolve_names(Session& session, std::size_t batch);
    void settle(Question& question, const NodeId& node, const std::vector<std::uint32_t>& index);

    std::vector<Point> points_;
    std::vector<Question> questions_;
    std::size_t unresolved_ = 0;
};

}  // namespace fieldwarden::worker::opcua
