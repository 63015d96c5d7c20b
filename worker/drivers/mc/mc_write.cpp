// McDriver::write and the names of requests in messages.
#include <fmt/format.h>

#include "worker/drivers/mc/mc_driver.h"
#include "worker/drivers/mc/mc_values.h"

namespace fieldwarden::worker::mc {

namespace {

std::vector<std::uint16_t> bits_of(std::span<const std::uint16_t> words) {
    std::vector<std::uint16_t> bits;
    for (const auto word : words) {
        for (unsigned bit = 0; bit < 16; ++bit) bits.push_back(static_cast<std::uint16_t>(word >> bit & 1));
    }
    return bits;
}

}  // namespace

Status McDriver::write(std::uint32_t index, const Value& raw) {
    const auto& point = points_[index];
    const auto& dialect = link_->format().dialect;
    const auto address = format_mc_address(point.address, dialect);
    const auto refuse = [&](const std::string& why) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("mc {}: write {}: {}", link_->stream().name(), address, why));
    };
    if (point.address.device == McDevice::kX || point.address.device == McDevice::kDx) {
        return refuse(
            "an input cannot be written: the PLC overwrites it at its next refresh; write an M device "
            "that the program takes over");
    }
    if (point.address.bit) {
        return refuse(
            "the protocol cannot write one bit of a word, and writing the whole word back could undo "
            "what the PLC's program does to its other bits; use an M device, or write the whole word");
    }
    auto words = encode_value(raw, point.type, point.order);
    if (!words) return refuse(words.error().message);

    Request request;
    const bool is_word = mc_device_info(point.address.device).is_word;
    const bool is_bool = point.type.base == BaseType::kBool;
    request.operation = is_word ? Operation::kWriteWords : Operation::kWriteBits;
    request.head = {point.address.device, point.address.number};
    request.data = is_word || is_bool ? std::move(*words) : bits_of(*words);
    request.points = static_cast<std::uint32_t>(request.data.size());
    const auto most = is_word ? settings_.limits.written_words : settings_.limits.written_bits;
    if (request.points > most) {
        return refuse(
            fmt::format("it takes {} points, but this frame writes {} at most", request.points, most));
    }

    const auto reply = ask(request);
    stats_.bytes_sent = link_->stream().bytes_sent();
    stats_.bytes_received = link_->stream().bytes_received();
    if (auto error = broken_by(reply, describe(request))) {
        failed_step_ = ConnectStep::kRead;
        return std::move(*error);
    }
    if (reply.outcome == Outcome::kAnswer) return {};
    return refuse("the device answers " +
                  end_code_text(link_->format().is_1e(), reply.end_code, reply.abnormal));
}

std::string McDriver::where(const DeviceRef& place) const {
    return format_mc_address({place.device, place.number, {}}, link_->format().dialect);
}

std::string McDriver::describe(const Request& request) const {
    const auto& name = link_->stream().name();
    const auto count = request.points;
    switch (request.operation) {
        case Operation::kReadWords:
            return fmt::format("mc {}: read {} words from {}", name, count, where(request.head));
        case Operation::kReadBits:
            return fmt::format("mc {}: read {} bits from {}", name, count, where(request.head));
        case Operation::kReadRandom: {
            const auto& first = request.words.empty() ? request.dwords.front() : request.words.front();
            return fmt::format("mc {}: random read of {} devices, the first {}", name,
                               request.words.size() + request.dwords.size(), where(first));
        }
        case Operation::kWriteWords:
            return fmt::format("mc {}: write {} words to {}", name, count, where(request.head));
        case Operation::kWriteBits:
            return fmt::format("mc {}: write {} bits to {}", name, count, where(request.head));
    }
    return {};
}

}  // namespace fieldwarden::worker::mc
