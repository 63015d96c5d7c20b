// Between what a server says and what a point holds (CONTRACT 2, 5). Pure.
//
// A value becomes the point's data type exactly, or the nearest floating-point number, or it is no value:
//   bool              Boolean; the numbers 0 and 1
//   integers          every number that is whole and in range; DateTime as Unix milliseconds
//   float32, float64  every number; an overflow of float32 is no value
//   bcd16, bcd32      a whole number whose hexadecimal digits are the decimal ones
//   string(N)         up to N bytes: text as it is, ByteString in base64, DateTime in RFC 3339, StatusCode as
//                     its name, numbers as decimal text, a whole array as JSON
#pragma once

#include <string>

#include "common/plant_types.h"
#include "worker/drivers/opcua/binary.h"

namespace fieldwarden::worker::opcua {

struct Conversion {
    Value value;      // monostate: it does not fit
    std::string why;  // then: "Int32 70000 is out of the range of int16"
};
Conversion to_point(const Variant& given, DataType type);

// The only element of an array of one, which is how a server answers to an index range.
Conversion element_to_point(const Variant& given, DataType type);

// `raw` is in the point's data type; kInvalidArgument says why a variable of `target` does not take it.
Result<Variant> to_device(const Value& raw, DataType type, BuiltInType target);

// Source time when there is one and it is plausible, else the server's, else `now`. Plausible: not before
// 2000, and at most a day ahead of us.
UtcTime sample_time(const DataValue& value, UtcTime now);

// Quality, code, time and value of one answer. `why` tells of a value that does not fit, and names a status
// that is not good.
struct Taken {
    Sample sample;
    std::string why;
};
Taken take_value(const DataValue& given, DataType type, bool is_element, UtcTime now);

// The data_type column for a variable of this type; empty when none fits.
std::string workbook_type(BuiltInType type);

}  // namespace fieldwarden::worker::opcua
