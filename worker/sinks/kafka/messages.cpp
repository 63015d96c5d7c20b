#include "worker/sinks/kafka/messages.h"

#include <algorithm>

namespace fieldwarden::worker::kafka {

namespace {

// Servers take messages of one megabyte as they come (message.max.bytes).
constexpr std::size_t kLarge = 512U << 10;

std::int64_t milliseconds_of(UtcTime time) {
    // Servers refuse times before 1970; the JSON carries them.
    return std::max<std::int64_t>(
        std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count(), 0);
}

}  // namespace

bool MessageWriter::append(std::vector<Message>& out, const DeliveryBatch& batch, std::size_t index,
                           bool lines) {
    const auto& record = batch.records[index];
    const auto first = static_cast<std::ptrdiff_t>(out.size());
    const auto give_up = [&] {
        out.erase(out.begin() + first, out.end());
        return false;
    };
    for (const auto& sample : record.samples) {
        const auto* device =
            devices_.find(batch, sample.point, [](const PointIdentity& point) { return point.device_code; });
        if (device == nullptr) return give_up();
        auto message = out.end();
        if (lines) {
            // The last of the device; one that has grown large is not added to.
            const auto found = std::find_if(out.rbegin(), std::make_reverse_iterator(out.begin() + first),
                                            [&](const Message& each) { return each.key == *device; });
            if (found != std::make_reverse_iterator(out.begin() + first) && found->value.size() < kLarge) {
                message = std::prev(found.base());
            }
        }
        if (message == out.end()) {
            const auto n = out.size() - static_cast<std::size_t>(first);
            out.push_back({*device, {}, index, record.seq, n, milliseconds_of(sample.time)});
            message = std::prev(out.end());
        } else {
            message->value += '\n';
        }
        if (!json_.append(message->value, batch, sample)) return give_up();
    }
    return true;
}

}  // namespace fieldwarden::worker::kafka
