// OPC UA status codes: their names and what they mean for a point (OPC UA Part 4, 7.39; Part 8, 6.3).
#pragma once

#include <string>

#include "common/sample.h"
#include "worker/drivers/opcua/binary.h"

namespace fieldwarden::worker::opcua {

inline bool is_good(StatusCode code) {
    return (code & 0xC000'0000U) == 0;
}
inline bool is_bad(StatusCode code) {
    return (code & 0x8000'0000U) != 0;
}

namespace status {
inline constexpr StatusCode kGoodSubscriptionTransferred = 0x002D'0000;
inline constexpr StatusCode kBadUnexpectedError = 0x8001'0000;
inline constexpr StatusCode kBadEncodingLimitsExceeded = 0x8008'0000;
inline constexpr StatusCode kBadTimeout = 0x800A'0000;
inline constexpr StatusCode kBadServiceUnsupported = 0x800B'0000;
inline constexpr StatusCode kBadShutdown = 0x800C'0000;
inline constexpr StatusCode kBadServerHalted = 0x800E'0000;
inline constexpr StatusCode kBadNothingToDo = 0x800F'0000;
inline constexpr StatusCode kBadTooManyOperations = 0x8010'0000;
inline constexpr StatusCode kBadUserAccessDenied = 0x801F'0000;
inline constexpr StatusCode kBadSecureChannelIdInvalid = 0x8022'0000;
inline constexpr StatusCode kBadSessionIdInvalid = 0x8025'0000;
inline constexpr StatusCode kBadSessionClosed = 0x8026'0000;
inline constexpr StatusCode kBadSessionNotActivated = 0x8027'0000;
inline constexpr StatusCode kBadSubscriptionIdInvalid = 0x8028'0000;
inline constexpr StatusCode kBadNodeIdInvalid = 0x8033'0000;
inline constexpr StatusCode kBadNodeIdUnknown = 0x8034'0000;
inline constexpr StatusCode kBadMonitoredItemFilterInvalid = 0x8043'0000;
inline constexpr StatusCode kBadMonitoredItemFilterUnsupported = 0x8044'0000;
inline constexpr StatusCode kBadFilterNotAllowed = 0x8045'0000;
inline constexpr StatusCode kBadNoMatch = 0x806F'0000;
inline constexpr StatusCode kBadTooManyPublishRequests = 0x8078'0000;
inline constexpr StatusCode kBadNoSubscription = 0x8079'0000;
inline constexpr StatusCode kBadMessageNotAvailable = 0x807B'0000;
inline constexpr StatusCode kBadTcpSecureChannelUnknown = 0x807F'0000;
inline constexpr StatusCode kBadTcpMessageTooLarge = 0x8080'0000;
inline constexpr StatusCode kBadSecureChannelClosed = 0x8086'0000;
inline constexpr StatusCode kBadDeadbandFilterInvalid = 0x808E'0000;
inline constexpr StatusCode kBadRequestTooLarge = 0x80B8'0000;
inline constexpr StatusCode kBadResponseTooLarge = 0x80B9'0000;
}  // namespace status

// The code without its info bits: what it says, not how.
inline StatusCode bare(StatusCode code) {
    return code & 0xFFFF'0000U;
}
// The server dropped older values of this item before this one (Part 4, 7.39, table 178).
inline bool has_overflow(StatusCode code) {
    return (code & 0x0C80U) == 0x0480U;
}

// "BadNodeIdUnknown"; "status 0x80350000" for one that is not in the table.
std::string status_name(StatusCode code);

// kNone for good codes. The default for the others is kStale.
QualityCode quality_code(StatusCode code);
Quality quality_of(StatusCode code);

// The session or the channel is gone on the server: only a new one helps.
bool ends_session(StatusCode code);

}  // namespace fieldwarden::worker::opcua
