// Frames of the wire off a stream that is cut anywhere: the same frames whatever the cuts, and no more memory
// than one of them.
#include <cstdlib>
#include <vector>

#include "proto/frame_stream.h"

namespace {

using namespace fieldwarden;

constexpr std::size_t kLargest = 4096;

struct Seen {
    std::vector<std::size_t> payloads;
    bool refused = false;
    bool operator==(const Seen&) const = default;
};

Seen read_in_pieces(ByteSpan bytes, std::size_t piece) {
    proto::FrameReader reader{kLargest};
    Seen seen;
    while (!bytes.empty() && !seen.refused) {
        auto part = bytes.first(std::min(piece, bytes.size()));
        bytes = bytes.subspan(part.size());
        for (;;) {
            const auto frame = reader.next(part);
            if (!frame) {
                seen.refused = true;
                break;
            }
            if (!frame->whole) break;
            if (frame->payload.size() > kLargest || frame->header.size() != 4) std::abort();
            seen.payloads.push_back(frame->payload.size());
        }
        if (!seen.refused && !part.empty()) std::abort();
    }
    return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = 1 + data[0] % 40;
    const fieldwarden::ByteSpan bytes{reinterpret_cast<const std::byte*>(data + 1), size - 1};
    if (read_in_pieces(bytes, piece) != read_in_pieces(bytes, bytes.size() + 1)) std::abort();
    return 0;
}
