// What an error of PostgreSQL means for the data in hand. Pure.
// Source: PostgreSQL 15, appendix A "PostgreSQL Error Codes".
#pragma once

#include <string>
#include <string_view>

namespace fieldwarden::worker::postgres {

enum class Trouble : unsigned char {
    kData,         // this data will never be taken: 22, 23, 54
    kSchema,       // the table is not as it should be, or not ours to use: 42, 3F, 0A, 2B
    kSignIn,       // 28
    kUnavailable,  // connection, resources, shutdown, locks, timeouts, everything else: later
};

struct Failure {
    Trouble trouble = Trouble::kUnavailable;
    std::string sqlstate;  // empty: not the server's answer
    std::string message;
};

// `constraint` is the name of the constraint that the server says was violated, if any: without one, 23514
// says that a partitioned table has no partition for a row.
Trouble trouble_of(std::string_view sqlstate, std::string_view constraint);

// What to look at, as the end of a sentence; empty when the server's own words are enough.
std::string_view advice_for(const Failure& failure);

}  // namespace fieldwarden::worker::postgres
