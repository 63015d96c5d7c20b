// Result<T>: the one way a function in Fieldwarden reports that it could not do its work.
//
// Every function that can fail for a reason outside the program (a file, a device, a socket, a user's input)
// returns Result<T> or Status. Exceptions of third-party libraries stop in the file that calls the library.
// `message` is written for the person who has to act on it: what failed, on what, why, what happens next.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace fieldwarden {

enum class ErrorKind : std::uint8_t {
    kInvalidArgument,  // the input is wrong and stays wrong when tried again
    kNotFound,         // the named thing does not exist
    kConflict,         // wrong state or stale revision
    kUnavailable,      // the other side cannot be reached now; trying again may help
    kTimeout,          // no answer within the deadline
    kIo,               // the operating system refused a file or socket operation
    kCorrupt,          // bytes that do not decode
    kTooLarge,         // over a documented limit
    kBusy,             // a documented limit on concurrent work is met; try again later
    kInternal,         // a defect of Fieldwarden itself
};

struct Error {
    ErrorKind kind = ErrorKind::kInternal;
    std::string message;
};

// boost::system::result calls this when value() is asked of a failed result: a defect of the caller.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw std::logic_error("value() of a failed result: " + error.message);
}

// A boost::system::result that the compiler does not let a caller forget.
template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
  public:
    using boost::system::result<T, Error>::result;
};
using Status = Result<void>;

inline Error make_error(ErrorKind kind, std::string message) {
    return Error{kind, std::move(message)};
}

// `errno` spelled out, thread safe.
std::string errno_text(int error_number);

}  // namespace fieldwarden
