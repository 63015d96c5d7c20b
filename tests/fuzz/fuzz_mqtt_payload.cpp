// Any bytes as a payload, of every data type, plain and as JSON: a value is of its type and in its range, and
// anything else carries none. The first line of the input, up to 64 bytes, is the JSON pointer.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "common/mqtt_address.h"
#include "worker/drivers/mqtt/payload.h"
#include "worker/drivers/mqtt/topic.h"

using namespace fieldwarden;
using worker::mqtt::Found;

namespace {

void check(Found found, DataType type, const Value& value) {
    const auto wanted = [&](bool holds) {
        if (!holds) std::abort();
    };
    if (found != Found::kValue) return wanted(value == Value{});
    switch (type.base) {
        case BaseType::kBool:
            return wanted(std::holds_alternative<bool>(value));
        case BaseType::kInt16:
            return wanted(std::abs(static_cast<double>(std::get<std::int64_t>(value))) <= 32768);
        case BaseType::kInt32:
            return wanted(std::abs(static_cast<double>(std::get<std::int64_t>(value))) <= 2147483648.0);
        case BaseType::kInt64:
            return wanted(std::holds_alternative<std::int64_t>(value));
        case BaseType::kUint16:
            return wanted(std::get<std::uint64_t>(value) <= 65535);
        case BaseType::kUint32:
            return wanted(std::get<std::uint64_t>(value) <= 4294967295U);
        case BaseType::kUint64:
            return wanted(std::holds_alternative<std::uint64_t>(value));
        case BaseType::kBcd16:
            return wanted(std::get<std::uint64_t>(value) <= 9999);
        case BaseType::kBcd32:
            return wanted(std::get<std::uint64_t>(value) <= 99'999'999);
        case BaseType::kFloat32:
        case BaseType::kFloat64:
            return wanted(std::isfinite(std::get<double>(value)));
        case BaseType::kString:
            return wanted(std::get<std::string>(value).size() <= std::size_t{3} * type.length);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    const auto line = std::min(input.find('\n'), std::min<std::size_t>(input.size(), 64));
    const auto head = input.substr(0, line);
    const auto bytes = input.substr(std::min(line + 1, input.size()));

    if (const auto address = parse_mqtt_address(head)) {
        if (!(*parse_mqtt_address(format_mqtt_address(*address)) == *address)) std::abort();
        if (!worker::mqtt::is_filter(address->topic)) std::abort();
        if (!worker::mqtt::matches(address->topic, address->topic)) std::abort();
    }
    (void)worker::mqtt::matches(head, bytes);

    const auto pointer = parse_json_pointer(head);
    worker::mqtt::Payload payload{bytes};
    for (const auto& base : EnumNames<BaseType>::table) {
        const DataType type{base.value, static_cast<std::uint16_t>(base.value == BaseType::kString ? 8 : 0)};
        Value value;
        check(payload.plain(type, value), type, value);
        if (pointer) check(payload.member(*pointer, type, value), type, value);
    }
    if (pointer) (void)payload.time(*pointer);
    return 0;
}
