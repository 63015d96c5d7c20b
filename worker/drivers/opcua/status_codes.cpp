#include "worker/drivers/opcua/status_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace fieldwarden::worker::opcua {

namespace {

struct Entry {
    StatusCode code;
    std::string_view name;
};

// Sorted by code. Those of services that an acquisition client never calls are left out.
constexpr Entry kCodes[] = {
    {0x0000'0000, "Good"},
    {0x002D'0000, "GoodSubscriptionTransferred"},
    {0x002E'0000, "GoodCompletesAsynchronously"},
    {0x002F'0000, "GoodOverload"},
    {0x0030'0000, "GoodClamped"},
    {0x0096'0000, "GoodLocalOverride"},
    {0x00BA'0000, "GoodResultsMayBeIncomplete"},
    {0x00DF'0000, "GoodRetransmissionQueueNotSupported"},
    {0x00E0'0000, "GoodDependentValueChanged"},
    {0x00EB'0000, "GoodSubNormal"},
    {0x4000'0000, "Uncertain"},
    {0x408F'0000, "UncertainNoCommunicationLastUsableValue"},
    {0x4090'0000, "UncertainLastUsableValue"},
    {0x4091'0000, "UncertainSubstituteValue"},
    {0x4092'0000, "UncertainInitialValue"},
    {0x4093'0000, "UncertainSensorNotAccurate"},
    {0x4094'0000, "UncertainEngineeringUnitsExceeded"},
    {0x4095'0000, "UncertainSubNormal"},
    {0x40A4'0000, "UncertainDataSubNormal"},
    {0x40C0'0000, "UncertainNotAllNodesAvailable"},
    {0x40E2'0000, "UncertainDependentValueChanged"},
    {0x4208'0000, "UncertainTransducerInManual"},
    {0x4209'0000, "UncertainSimulatedValue"},
    {0x420F'0000, "UncertainConfigurationError"},
    {0x8000'0000, "Bad"},
    {0x8001'0000, "BadUnexpectedError"},
    {0x8002'0000, "BadInternalError"},
    {0x8003'0000, "BadOutOfMemory"},
    {0x8004'0000, "BadResourceUnavailable"},
    {0x8005'0000, "BadCommunicationError"},
    {0x8006'0000, "BadEncodingError"},
    {0x8007'0000, "BadDecodingError"},
    {0x8008'0000, "BadEncodingLimitsExceeded"},
    {0x8009'0000, "BadUnknownResponse"},
    {0x800A'0000, "BadTimeout"},
    {0x800B'0000, "BadServiceUnsupported"},
    {0x800C'0000, "BadShutdown"},
    {0x800D'0000, "BadServerNotConnected"},
    {0x800E'0000, "BadServerHalted"},
    {0x800F'0000, "BadNothingToDo"},
    {0x8010'0000, "BadTooManyOperations"},
    {0x8011'0000, "BadDataTypeIdUnknown"},
    {0x8012'0000, "BadCertificateInvalid"},
    {0x8013'0000, "BadSecurityChecksFailed"},
    {0x8014'0000, "BadCertificateTimeInvalid"},
    {0x8015'0000, "BadCertificateIssuerTimeInvalid"},
    {0x8016'0000, "BadCertificateHostNameInvalid"},
    {0x8017'0000, "BadCertificateUriInvalid"},
    {0x8018'0000, "BadCertificateUseNotAllowed"},
    {0x8019'0000, "BadCertificateIssuerUseNotAllowed"},
    {0x801A'0000, "BadCertificateUntrusted"},
    {0x801B'0000, "BadCertificateRevocationUnknown"},
    {0x801C'0000, "BadCertificateIssuerRevocationUnknown"},
    {0x801D'0000, "BadCertificateRevoked"},
    {0x801E'0000, "BadCertificateIssuerRevoked"},
    {0x801F'0000, "BadUserAccessDenied"},
    {0x8020'0000, "BadIdentityTokenInvalid"},
    {0x8021'0000, "BadIdentityTokenRejected"},
    {0x8022'0000, "BadSecureChannelIdInvalid"},
    {0x8023'0000, "BadInvalidTimestamp"},
    {0x8024'0000, "BadNonceInvalid"},
    {0x8025'0000, "BadSessionIdInvalid"},
    {0x8026'0000, "BadSessionClosed"},
    {0x8027'0000, "BadSessionNotActivated"},
    {0x8028'0000, "BadSubscriptionIdInvalid"},
    {0x802A'0000, "BadRequestHeaderInvalid"},
    {0x802B'0000, "BadTimestampsToReturnInvalid"},
    {0x802C'0000, "BadRequestCancelledByClient"},
    {0x8031'0000, "BadNoCommunication"},
    {0x8032'0000, "BadWaitingForInitialData"},
    {0x8033'0000, "BadNodeIdInvalid"},
    {0x8034'0000, "BadNodeIdUnknown"},
    {0x8035'0000, "BadAttributeIdInvalid"},
    {0x8036'0000, "BadIndexRangeInvalid"},
    {0x8037'0000, "BadIndexRangeNoData"},
    {0x8038'0000, "BadDataEncodingInvalid"},
    {0x8039'0000, "BadDataEncodingUnsupported"},
    {0x803A'0000, "BadNotReadable"},
    {0x803B'0000, "BadNotWritable"},
    {0x803C'0000, "BadOutOfRange"},
    {0x803D'0000, "BadNotSupported"},
    {0x803E'0000, "BadNotFound"},
    {0x803F'0000, "BadObjectDeleted"},
    {0x8040'0000, "BadNotImplemented"},
    {0x8041'0000, "BadMonitoringModeInvalid"},
    {0x8042'0000, "BadMonitoredItemIdInvalid"},
    {0x8043'0000, "BadMonitoredItemFilterInvalid"},
    {0x8044'0000, "BadMonitoredItemFilterUnsupported"},
    {0x8045'0000, "BadFilterNotAllowed"},
    {0x804A'0000, "BadContinuationPointInvalid"},
    {0x804B'0000, "BadNoContinuationPoints"},
    {0x804C'0000, "BadReferenceTypeIdInvalid"},
    {0x804D'0000, "BadBrowseDirectionInvalid"},
    {0x8053'0000, "BadRequestTypeInvalid"},
    {0x8054'0000, "BadSecurityModeRejected"},
    {0x8055'0000, "BadSecurityPolicyRejected"},
    {0x8056'0000, "BadTooManySessions"},
    {0x8057'0000, "BadUserSignatureInvalid"},
    {0x8058'0000, "BadApplicationSignatureInvalid"},
    {0x8059'0000, "BadNoValidCertificates"},
    {0x805A'0000, "BadRequestCancelledByRequest"},
    {0x805D'0000, "BadNodeIdRejected"},
    {0x806F'0000, "BadNoMatch"},
    {0x8073'0000, "BadWriteNotSupported"},
    {0x8074'0000, "BadTypeMismatch"},
    {0x8076'0000, "BadArgumentsMissing"},
    {0x8077'0000, "BadTooManySubscriptions"},
    {0x8078'0000, "BadTooManyPublishRequests"},
    {0x8079'0000, "BadNoSubscription"},
    {0x807A'0000, "BadSequenceNumberUnknown"},
    {0x807B'0000, "BadMessageNotAvailable"},
    {0x807C'0000, "BadInsufficientClientProfile"},
    {0x807D'0000, "BadTcpServerTooBusy"},
    {0x807E'0000, "BadTcpMessageTypeInvalid"},
    {0x807F'0000, "BadTcpSecureChannelUnknown"},
    {0x8080'0000, "BadTcpMessageTooLarge"},
    {0x8081'0000, "BadTcpNotEnoughResources"},
    {0x8082'0000, "BadTcpInternalError"},
    {0x8083'0000, "BadTcpEndpointUrlInvalid"},
    {0x8084'0000, "BadRequestInterrupted"},
    {0x8085'0000, "BadRequestTimeout"},
    {0x8086'0000, "BadSecureChannelClosed"},
    {0x8087'0000, "BadSecureChannelTokenUnknown"},
    {0x8088'0000, "BadSequenceNumberInvalid"},
    {0x8089'0000, "BadConfigurationError"},
    {0x808A'0000, "BadNotConnected"},
    {0x808B'0000, "BadDeviceFailure"},
    {0x808C'0000, "BadSensorFailure"},
    {0x808D'0000, "BadOutOfService"},
    {0x808E'0000, "BadDeadbandFilterInvalid"},
    {0x809B'0000, "BadNoData"},
    {0x80AB'0000, "BadInvalidArgument"},
    {0x80AC'0000, "BadConnectionRejected"},
    {0x80AD'0000, "BadDisconnect"},
    {0x80AE'0000, "BadConnectionClosed"},
    {0x80AF'0000, "BadInvalidState"},
    {0x80B1'0000, "BadNoDataAvailable"},
    {0x80B2'0000, "BadWaitingForResponse"},
    {0x80B3'0000, "BadOperationAbandoned"},
    {0x80B6'0000, "BadSyntaxError"},
    {0x80B7'0000, "BadMaxConnectionsReached"},
    {0x80B8'0000, "BadRequestTooLarge"},
    {0x80B9'0000, "BadResponseTooLarge"},
    {0x80BD'0000, "BadInvalidTimestampArgument"},
    {0x80BE'0000, "BadProtocolVersionUnsupported"},
    {0x80BF'0000, "BadStateNotActive"},
    {0x80C6'0000, "BadIdentityChangeNotSupported"},
    {0x80DB'0000, "BadTooManyMonitoredItems"},
    {0x80E3'0000, "BadDependentValueChanged"},
    {0x80E4'0000, "BadRequestNotAllowed"},
    {0x80E5'0000, "BadTooManyArguments"},
    {0x80E6'0000, "BadSecurityModeInsufficient"},
    {0x80EA'0000, "BadIndexRangeDataMismatch"},
    {0x80ED'0000, "BadLocaleNotSupported"},
    {0x80EE'0000, "BadServerTooBusy"},
    {0x80F0'0000, "BadNoValue"},
    {0x810D'0000, "BadCertificateChainIncomplete"},
    {0x8112'0000, "BadNumericOverflow"},
    {0x8113'0000, "BadRequestNotComplete"},
    {0x8114'0000, "BadCertificatePolicyCheckFailed"},
    {0x8115'0000, "BadAlreadyExists"},
};

}  // namespace

std::string status_name(StatusCode code) {
    const auto* found =
        std::lower_bound(std::begin(kCodes), std::end(kCodes), bare(code),
                         [](const Entry& entry, StatusCode wanted) { return entry.code < wanted; });
    if (found != std::end(kCodes) && found->code == bare(code)) return std::string{found->name};
    return fmt::format("status 0x{:08X}", code);
}

Quality quality_of(StatusCode code) {
    if (is_good(code)) return Quality::kGood;
    return is_bad(code) ? Quality::kBad : Quality::kUncertain;
}

QualityCode quality_code(StatusCode code) {
    if (is_good(code)) return QualityCode::kNone;
    switch (bare(code)) {
        case 0x4093'0000:  // UncertainSensorNotAccurate
        case 0x4094'0000:  // UncertainEngineeringUnitsExceeded
        case 0x803C'0000:  // BadOutOfRange
            return QualityCode::kOutOfRange;
        case 0x801F'0000:  // BadUserAccessDenied
        case 0x8033'0000:  // BadNodeIdInvalid
        case 0x8034'0000:  // BadNodeIdUnknown
        case 0x8035'0000:  // BadAttributeIdInvalid
        case 0x8036'0000:  // BadIndexRangeInvalid
        case 0x8037'0000:  // BadIndexRangeNoData
        case 0x803A'0000:  // BadNotReadable
        case 0x803D'0000:  // BadNotSupported
        case 0x803E'0000:  // BadNotFound
        case 0x803F'0000:  // BadObjectDeleted
        case 0x805D'0000:  // BadNodeIdRejected
        case 0x806F'0000:  // BadNoMatch
        case 0x80DB'0000:  // BadTooManyMonitoredItems
        case 0x80EA'0000:  // BadIndexRangeDataMismatch
            return QualityCode::kIllegalAddress;
        case 0x800A'0000:  // BadTimeout
        case 0x8085'0000:  // BadRequestTimeout
            return QualityCode::kTimeout;
        case 0x8005'0000:  // BadCommunicationError
        case 0x800D'0000:  // BadServerNotConnected
        case 0x8031'0000:  // BadNoCommunication
        case 0x808A'0000:  // BadNotConnected
        case 0x808B'0000:  // BadDeviceFailure
        case 0x808C'0000:  // BadSensorFailure
        case 0x808D'0000:  // BadOutOfService
        case 0x80AD'0000:  // BadDisconnect
        case 0x80AE'0000:  // BadConnectionClosed
            return QualityCode::kDisconnected;
        case 0x8006'0000:  // BadEncodingError
        case 0x8007'0000:  // BadDecodingError
        case 0x8038'0000:  // BadDataEncodingInvalid
        case 0x8039'0000:  // BadDataEncodingUnsupported
        case 0x8074'0000:  // BadTypeMismatch
            return QualityCode::kDecode;
        default:
            // The server holds a value that is not current (uncertain), or none.
            return QualityCode::kStale;
    }
}

bool ends_session(StatusCode code) {
    switch (bare(code)) {
        case status::kBadSessionIdInvalid:
        case status::kBadSessionClosed:
        case status::kBadSessionNotActivated:
        case status::kBadSecureChannelIdInvalid:
        case status::kBadSecureChannelClosed:
        case status::kBadTcpSecureChannelUnknown:
        case status::kBadShutdown:
        case status::kBadServerHalted:
            return true;
        default:
            return false;
    }
}

}  // namespace fieldwarden::worker::opcua
