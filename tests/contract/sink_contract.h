// What every sink must do, run over each of them. A new sink adds one SinkUnderTest and one
// INSTANTIATE_TEST_SUITE_P line in its own sink_<type>_test.cpp.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

// One value as the store holds it.
struct StoredSample {
    std::string point_code;
    UtcTime time{};
    Value value;
    Quality quality = Quality::kGood;

    bool operator==(const StoredSample&) const = default;
};

// A store with a sink in front of it. Made anew for each test.
class SinkUnderTest {
  public:
    virtual ~SinkUnderTest() = default;
    // A sink on this store; several may follow each other, as processes do.
    virtual std::unique_ptr<Sink> make() = 0;
    // Everything the store holds, ordered by time, then point.
    virtual std::vector<StoredSample> contents() = 0;
    // Makes the store unreachable or unusable until `false`.
    virtual void break_store(bool broken) = 0;
    // What the store at hand cannot hold, although its sink sends it; everything else must come back equal.
    [[nodiscard]] virtual bool keeps_text() const { return true; }
    [[nodiscard]] virtual bool keeps_quality() const { return true; }
};

struct SinkCase {
    std::string name;
    std::function<std::unique_ptr<SinkUnderTest>()> make;
};

class SinkContract : public ::testing::TestWithParam<SinkCase> {};

}  // namespace fieldwarden::worker
