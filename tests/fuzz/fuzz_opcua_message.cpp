// Whatever a server answers decodes or fails, within bounded memory; what decodes can become points. The
// first byte chooses the message.
#include <cstdlib>

#include "worker/drivers/opcua/messages.h"
#include "worker/drivers/opcua/values.h"

using namespace fieldwarden;
using namespace fieldwarden::worker::opcua;

namespace {

template <class Message>
Message decoded(View bytes) {
    Decoder in{bytes};
    Message message;
    message.decode(in);
    return message;
}

void convert(const DataValue& value) {
    constexpr UtcTime kNow{std::chrono::microseconds{1'795'000'000'123'456}};
    for (const auto type : {BaseType::kBool, BaseType::kInt16, BaseType::kUint64, BaseType::kFloat32,
                            BaseType::kBcd32, BaseType::kString}) {
        for (const bool element : {false, true}) {
            const auto taken = take_value(
                value, {type, type == BaseType::kString ? kLongestString : std::uint16_t{0}}, element, kNow);
            // Bad without a value, or with one.
            if ((taken.sample.quality == Quality::kBad) !=
                std::holds_alternative<std::monostate>(taken.sample.value))
                std::abort();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const View bytes{data + 1, size - 1};
    switch (data[0] % 16) {
        case 0:
            for (const auto& value : decoded<ReadResponse>(bytes).results) convert(value);
            break;
        case 1:
            for (const auto& change : decoded<PublishResponse>(bytes).notification.changes)
                convert(change.value);
            break;
        case 2:
            (void)decoded<BrowseResponse>(bytes);
            break;
        case 3:
            (void)decoded<TranslateResponse>(bytes);
            break;
        case 4:
            (void)decoded<GetEndpointsResponse>(bytes);
            break;
        case 5:
            (void)decoded<CreateSessionResponse>(bytes);
            break;
        case 6:
            (void)decoded<ActivateSessionResponse>(bytes);
            break;
        case 7:
            (void)decoded<OpenSecureChannelResponse>(bytes);
            break;
        case 8:
            (void)decoded<ResponseHeader>(bytes);
            break;
        case 9:
            (void)decoded<CreateMonitoredItemsResponse>(bytes);
            break;
        case 10:
            (void)decoded<CreateSubscriptionResponse>(bytes);
            break;
        case 11:
            (void)decoded<TransferSubscriptionsResponse>(bytes);
            break;
        case 12:
            (void)decode_acknowledge(bytes);
            (void)decode_transport_error(bytes);
            break;
        case 13:
            (void)decoded<WriteResponse>(bytes);
            break;
        default: {
            Decoder in{bytes};
            const auto variant = in.variant();
            convert({variant, 0, {}, {}});
            break;
        }
    }
    return 0;
}
