#include "worker/dead_letters.h"

#include "proto/shapes.h"

namespace fieldwarden::worker {

using proto::Json;

DeadLetters::DeadLetters(std::string path, std::uint64_t max_bytes)
    : file_(std::move(path), {max_bytes / 2, 2}) {}

Status DeadLetters::add(const std::string& sink_code, const DeliveryRecord& record,
                        const PointDirectory* directory, const std::string& reason, UtcTime now) {
    Json samples = Json::array();
    for (const auto& sample : record.samples) {
        const PointIdentity* point = nullptr;
        if (directory != nullptr) {
            const auto found = directory->find(sample.point);
            if (found != directory->end()) point = &found->second;
        }
        Json line =
            proto::point_json(point != nullptr ? point->point_code : std::to_string(sample.point), sample);
        if (point != nullptr) {
            line["site_code"] = point->site_code;
            line["device_code"] = point->device_code;
        }
        samples.push_back(std::move(line));
    }
    const Json letter = {{"seq", record.seq},
                         {"sink_code", sink_code},
                         {"rejected_at", format_rfc3339(now)},
                         {"reason", reason},
                         {"samples", std::move(samples)}};
    return file_.write_line(letter.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace fieldwarden::worker
