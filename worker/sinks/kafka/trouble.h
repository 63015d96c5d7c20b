// What an error of librdkafka means for the data in hand. Pure.
#pragma once

#include <librdkafka/rdkafka.h>

#include <string>
#include <string_view>

namespace fieldwarden::worker::kafka {

enum class Trouble : unsigned char {
    kData,         // this message will never be taken: too large, invalid, its time refused
    kAccess,       // authentication or authorization
    kFenced,       // the producer is of no use any more; another one may go on
    kUnavailable,  // everything else: later
};

struct Failure {
    Trouble trouble = Trouble::kUnavailable;
    std::string message;
};

Trouble trouble_of(rd_kafka_resp_err_t error);
Failure failure_of(rd_kafka_resp_err_t error, std::string_view what);

// What to look at, as the end of a sentence; empty when there is nothing to add.
std::string_view advice_for(rd_kafka_resp_err_t error);

}  // namespace fieldwarden::worker::kafka
