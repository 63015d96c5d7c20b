// Small verbs over a spool in a FaultyFileSystem.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "common/sample_block.h"
#include "tests/unit/durability/faulty_file_system.h"
#include "worker/spool.h"

namespace fieldwarden::worker {

inline Sample sample_of(std::int64_t number, PointId point = 1) {
    return {point, Quality::kGood, QualityCode::kNone, UtcTime{std::chrono::microseconds{1'000'000 + number}},
            number};
}

inline PointDirectory directory_of(const std::string& device) {
    PointDirectory directory;
    for (PointId id : {1U, 2U, 7U}) {
        directory.emplace(
            id,
            PointIdentity{
                "S", device, device + " name", "T", fmt::format("P{}", id), "V", {BaseType::kFloat32, 0}});
    }
    return directory;
}

inline SpoolOptions small_spool() {
    SpoolOptions options;
    options.directory = "/spool";
    options.segment_bytes = 700;
    options.background_sync = false;
    return options;
}

inline std::unique_ptr<Spool> open_spool(FileSystem& files, SpoolOptions options = small_spool(),
                                         const std::vector<std::string>& sinks = {"a"},
                                         const std::string& device = "D1") {
    auto spool = Spool::open(std::move(options), files, system_clock());
    if (!spool) {
        ADD_FAILURE() << spool.error().message;
        return nullptr;
    }
    const auto placed = (*spool)->set_directory(directory_of(device));
    EXPECT_TRUE(placed) << placed.error().message;
    const auto sinks_set = (*spool)->set_sinks(sinks);
    EXPECT_TRUE(sinks_set) << sinks_set.error().message;
    return std::move(*spool);
}

// One record with the numbers first … first + count - 1.
inline Status append(Spool& spool, std::int64_t first, std::int64_t count = 1) {
    SampleBatch samples;
    for (std::int64_t i = 0; i < count; ++i) samples.push_back(sample_of(first + i));
    return spool.append(samples);
}

struct Taken {
    std::uint64_t seq = 0;
    std::vector<std::int64_t> numbers;
    SpoolPosition end;
    std::string device;
};

inline std::vector<Taken> take(SpoolReader& reader, std::uint64_t samples = 5'000) {
    std::vector<Taken> taken;
    const auto batch = reader.read(samples);
    if (!batch) {
        ADD_FAILURE() << batch.error().message;
        return taken;
    }
    if (batch->records.empty()) return taken;
    const auto directory = decode_directory(*batch->directory);
    EXPECT_TRUE(directory);
    EXPECT_EQ(batch->directory_version, directory_version(*batch->directory));
    const auto& device = directory->begin()->second.device_code;
    for (const auto& record : batch->records) {
        SampleBatch decoded;
        EXPECT_TRUE(decode_sample_block(record.block, decoded));
        EXPECT_EQ(decoded.size(), record.samples);
        Taken one{record.seq, {}, record.end, device};
        for (const auto& sample : decoded) one.numbers.push_back(std::get<std::int64_t>(sample.value));
        taken.push_back(std::move(one));
    }
    return taken;
}

// Everything there is, committed.
inline std::vector<Taken> drain(SpoolReader& reader) {
    std::vector<Taken> all;
    for (;;) {
        auto taken = take(reader);
        if (taken.empty()) return all;
        EXPECT_TRUE(reader.commit(taken.back().end));
        all.insert(all.end(), taken.begin(), taken.end());
    }
}

inline std::vector<std::int64_t> numbers_of(const std::vector<Taken>& taken) {
    std::vector<std::int64_t> numbers;
    for (const auto& one : taken) numbers.insert(numbers.end(), one.numbers.begin(), one.numbers.end());
    return numbers;
}

inline std::vector<std::int64_t> range(std::int64_t from, std::int64_t to) {
    std::vector<std::int64_t> numbers;
    for (auto i = from; i < to; ++i) numbers.push_back(i);
    return numbers;
}

}  // namespace fieldwarden::worker
