#include "worker/drivers/opcua/point_table.h"

#include <cmath>

#include "worker/drivers/opcua/status_codes.h"

namespace fieldwarden::worker::opcua {

namespace {

constexpr std::uint32_t kRootFolder = 84;

std::string range_text(const std::vector<std::uint32_t>& index) {
    return fmt::format("{}", fmt::join(index, ","));
}

}  // namespace

Result<PointTable> PointTable::parse(const DeviceConfig& config) {
    PointTable table;
    table.points_.reserve(config.points.size());
    for (const auto& each : config.points) {
        auto address = parse_opcua_address(each.address);
        if (!address)
            return make_error(ErrorKind::kInvalidArgument,
                              fmt::format("point {}: {}", each.point_code, address.error().message));
        Point point;
        point.id = each.id;
        point.type = each.data_type;
        if (each.deadband && *each.deadband > 0 && each.scale > 0 &&
            each.data_type.base != BaseType::kString && each.data_type.base != BaseType::kBool) {
            point.deadband = *each.deadband / each.scale;
        }
        point.node = address->node;
        point.index_range = range_text(address->index);
        if (!address->path.empty() || address->whole) {
            point.missing = status::kBadNoMatch;
            table.questions_.push_back(
                {static_cast<std::uint32_t>(table.points_.size()), std::move(*address), false});
        }
        table.points_.push_back(std::move(point));
    }
    table.unresolved_ = table.questions_.size();
    return table;
}

std::string PointTable::name(std::size_t index) const {
    for (const auto& question : questions_)
        if (question.index == index) return format_opcua_address(question.address);
    const auto& point = points_[index];
    return format_node_id(point.node) +
           (point.index_range.empty() ? "" : fmt::format("[{}]", point.index_range));
}

void PointTable::unresolve() {
    for (auto& question : questions_) {
        question.resolved = false;
        points_[question.index].missing = status::kBadNoMatch;
    }
    unresolved_ = questions_.size();
}

Status PointTable::resolve(Session& session, const ServerLimits& limits) {
    if (unresolved_ == 0) return {};
    if (auto done = resolve_paths(session, limits.translate); !done) return done;
    return resolve_names(session, limits.read);
}

void PointTable::settle(Question& question, const NodeId& node, const std::vector<std::uint32_t>& index) {
    auto& point = points_[question.index];
    point.node = node;
    point.index_range = range_text(index);
    point.missing = 0;
    question.resolved = true;
    --unresolved_;
}

Status PointTable::resolve_paths(Session& session, std::size_t batch) {
    std::vector<Question*> asked;
    for (auto& question : questions_)
        if (!question.resolved && !question.address.path.empty()) asked.push_back(&question);
    const auto done =
        in_batches(session, asked.size(), batch, [&](std::size_t from, std::size_t count) -> Status {
            TranslateRequest request;
            request.start = {0, kRootFolder};
            for (std::size_t i = 0; i < count; ++i) request.paths.push_back(asked[from + i]->address.path);
            const auto answer = session.call<TranslateResponse>(request);
            if (!answer) return answer.error();
            if (answer->results.size() != count)
                return session.broken(ErrorKind::kCorrupt,
                                      "the server resolves another number of paths than asked");
            for (std::size_t i = 0; i < count; ++i) {
                const auto& result = answer->results[i];
                auto& question = *asked[from + i];
                if (is_good(result.status) && result.targets.size() == 1) {
                    settle(question, result.targets.front(), question.address.index);
                } else {
                    // Two nodes of one name: which of them is meant nobody knows.
                    points_[question.index].missing =
                        is_bad(result.status) ? result.status : status::kBadNoMatch;
                }
            }
            return {};
        });
    // A server without this service leaves the points without a node.
    return done || session.usable() ? Status{} : done;
}

// A string identifier that ends in [3]: the node of that very name when there is one, else the element.
Status PointTable::resolve_names(Session& session, std::size_t batch) {
    std::vector<Question*> asked;
    for (auto& question : questions_)
        if (!question.resolved && question.address.whole) asked.push_back(&question);
    const auto done =
        in_batches(session, asked.size(), batch, [&](std::size_t from, std::size_t count) -> Status {
            std::vector<ReadItem> items;
            for (std::size_t i = 0; i < count; ++i)
                items.push_back({*asked[from + i]->address.whole, Attribute::kNodeClass, {}});
            const auto answer = session.call<ReadResponse>(ReadRequest{items});
            if (!answer) return answer.error();
            if (answer->results.size() != count)
                return session.broken(ErrorKind::kCorrupt,
                                      "the server answers another number of nodes than asked");
            for (std::size_t i = 0; i < count; ++i) {
                auto& question = *asked[from + i];
                if (is_bad(answer->results[i].status)) {
                    settle(question, question.address.node, question.address.index);
                } else {
                    settle(question, *question.address.whole, {});
                }
            }
            return {};
        });
    return done || session.usable() ? Status{} : done;
}

}  // namespace fieldwarden::worker::opcua
