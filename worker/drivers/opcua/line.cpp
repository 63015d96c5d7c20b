#include "worker/drivers/opcua/line.h"

#include <algorithm>

namespace fieldwarden::worker::opcua {

using std::chrono::milliseconds;

namespace {

// A peer that takes no bytes blocks send(), which no wake() ends.
constexpr milliseconds kSendSlice{100};

}  // namespace

Status Line::connect(milliseconds timeout) {
    if (interrupted()) return error(ErrorKind::kUnavailable, "connecting was interrupted");
    auto status = stream_.connect(timeout);
    if (!status) return status;
    standing_ = true;
    if (interrupted()) return error(ErrorKind::kUnavailable, "connecting was interrupted");
    return {};
}

void Line::hang_up() {
    standing_ = false;
    // Ends the stream's own interrupt; ours stays.
    stream_.disconnect();
}

void Line::disconnect() {
    hang_up();
    farewell_ = false;
    interrupted_ = false;
}

void Line::interrupt() {
    interrupted_ = true;
    if (standing_) {
        stream_.wake();
    } else {
        stream_.interrupt();
    }
}

Status Line::send(View bytes, MonoTime deadline) {
    while (!bytes.empty()) {
        if (called_off()) return error(ErrorKind::kUnavailable, "interrupted");
        const auto before = stream_.bytes_sent();
        const auto slice = std::min(deadline, std::chrono::steady_clock::now() + kSendSlice);
        const auto status = stream_.send(bytes, slice);
        if (status) break;
        bytes = bytes.subspan(static_cast<std::size_t>(stream_.bytes_sent() - before));
        if (status.error().kind != ErrorKind::kTimeout || std::chrono::steady_clock::now() >= deadline)
            return status;
    }
    moved();
    return {};
}

Result<std::size_t> Line::receive(std::span<std::uint8_t> out, MonoTime deadline) {
    if (called_off()) return error(ErrorKind::kUnavailable, "interrupted");
    auto got = stream_.receive(out, deadline);
    if (called_off()) return error(ErrorKind::kUnavailable, "interrupted");
    if (got && *got != 0) moved();
    return got;
}

}  // namespace fieldwarden::worker::opcua
