#include "proto/frame_stream.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace fieldwarden::proto {

namespace {

// A configuration may take megabytes, and comes once: so much room is kept for the frames that come all the
// time.
constexpr std::size_t kKeptRoom = 64U << 10;

}  // namespace

bool append_frame(const Message& message, Bytes& out) {
    const auto frames = encode(message);
    if (frames.payload.size() > kMaxPayload) return false;
    ByteWriter writer{out};
    writer.put_bytes(frames.header);
    writer.put(static_cast<std::uint32_t>(frames.payload.size()));
    writer.put_bytes(frames.payload);
    return true;
}

Result<std::size_t> FrameReader::frame_size(ByteSpan head) const {
    if (as_text(head.first(2)) != "FW") {
        return make_error(ErrorKind::kCorrupt, "what comes is no frame of this protocol");
    }
    ByteReader reader{head.subspan(4)};
    const std::size_t payload = reader.get<std::uint32_t>();
    if (payload > largest_) {
        return make_error(ErrorKind::kTooLarge,
                          fmt::format("a frame announces {} bytes, at most {} are taken", payload, largest_));
    }
    return kFrameHead + payload;
}

Result<FrameReader::Frame> FrameReader::next(ByteSpan& bytes) {
    if (std::exchange(taken_, false)) {
        begun_.clear();
        if (begun_.capacity() > kKeptRoom) begun_.shrink_to_fit();
    }
    const auto frame_of = [](ByteSpan whole) {
        return Frame{whole.first(4), whole.subspan(kFrameHead), true};
    };
    if (begun_.empty() && bytes.size() >= kFrameHead) {
        const auto size = frame_size(bytes);
        if (!size) return size.error();
        if (bytes.size() >= *size) {
            const auto frame = frame_of(bytes.first(*size));
            bytes = bytes.subspan(*size);
            return frame;
        }
    }
    const auto take = [&](std::size_t wanted) {
        const auto count = std::min(wanted - begun_.size(), bytes.size());
        begun_.insert(begun_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
        bytes = bytes.subspan(count);
        return begun_.size() == wanted;
    };
    if (begun_.size() < kFrameHead && !take(kFrameHead)) return Frame{};
    const auto size = frame_size(begun_);
    if (!size) return size.error();
    if (!take(*size)) return Frame{};
    taken_ = true;
    return frame_of(begun_);
}

Result<sockaddr_un> unix_address(const std::string& path) {
    sockaddr_un address{};
    if (path.size() >= sizeof address.sun_path) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("the socket path {} has {} characters, the operating system takes {}; "
                                      "choose a shorter data directory",
                                      path, path.size(), sizeof address.sun_path - 1));
    }
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, std::begin(address.sun_path));
    return address;
}

}  // namespace fieldwarden::proto
