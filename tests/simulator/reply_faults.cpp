#include "tests/simulator/reply_faults.h"

namespace fieldwarden::simulator {

bool spoil_any(ReplyFault fault, std::size_t begin, Answer& answer) {
    auto& bytes = answer.bytes;
    const auto half = begin + (bytes.size() - begin) / 2;
    switch (fault) {
        case ReplyFault::kNone:
            return true;
        case ReplyFault::kSilent:
            bytes.resize(begin);
            return true;
        case ReplyFault::kDrop:
            bytes.resize(begin);
            answer.close = true;
            return true;
        case ReplyFault::kTruncate:
            bytes.resize(half);
            return true;
        case ReplyFault::kHalfThenClose:
            bytes.resize(half);
            answer.close = true;
            return true;
        case ReplyFault::kDuplicate: {
            const std::vector<std::uint8_t> again(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                                  bytes.end());
            bytes.insert(bytes.end(), again.begin(), again.end());
            return true;
        }
        case ReplyFault::kTrickle:
            answer.trickle = true;
            return true;
        case ReplyFault::kWrongTransaction:
        case ReplyFault::kWrongUnit:
        case ReplyFault::kWrongFunction:
        case ReplyFault::kWrongProtocol:
        case ReplyFault::kOversizeLength:
        case ReplyFault::kOversizeCount:
            return false;
    }
    return false;
}

}  // namespace fieldwarden::simulator
