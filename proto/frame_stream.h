// Messages of the wire (wire.h) on a stream socket:
//
//   'F' 'W' version type   the header, 4 bytes
//   length                 of the payload, 4 bytes, little-endian
//   payload
//
// A stream that holds anything else cannot be read on: its end closes it.
#pragma once

#include <sys/un.h>

#include <cstdint>
#include <string>

#include "common/bytes.h"
#include "common/result.h"
#include "proto/wire.h"

namespace fieldwarden::proto {

inline constexpr std::size_t kFrameHead = 8;

// Appends the frame of `message`. False, and nothing is appended, when its payload is over kMaxPayload.
[[nodiscard]] bool append_frame(const Message& message, Bytes& out);

// Takes frames off the bytes of a stream as they come. Holds at most one unfinished frame.
class FrameReader {
  public:
    explicit FrameReader(std::size_t largest_payload) : largest_(largest_payload) {}

    void set_largest_payload(std::size_t bytes) { largest_ = bytes; }

    // The next whole frame in `bytes`, joined to what is left from earlier calls; what it takes is cut off
    // `bytes`. Call until it gives nothing. kCorrupt, kTooLarge: the stream is no good any more. The spans
    // are valid until the next call and while the caller's bytes are.
    struct Frame {
        ByteSpan header;
        ByteSpan payload;
        bool whole = false;
    };
    Result<Frame> next(ByteSpan& bytes);

  private:
    Result<std::size_t> frame_size(ByteSpan head) const;

    std::size_t largest_;
    Bytes begun_;  // of a frame that is not whole yet
    bool taken_ = false;
};

// The address of a Unix socket; refuses a path longer than the operating system takes (107 bytes).
Result<sockaddr_un> unix_address(const std::string& path);

}  // namespace fieldwarden::proto
