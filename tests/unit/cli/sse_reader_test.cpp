#include "supervisor/cli/sse_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace fieldwarden::supervisor::cli {

namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

// The stream fed in pieces of `piece` bytes.
Events read_all(std::string_view stream, std::size_t piece, SseReader& reader) {
    Events events;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
        EXPECT_TRUE(reader.feed(stream.substr(at, piece), [&](const ServerEvent& event) {
            events.emplace_back(event.name, event.data);
            return true;
        }));
    }
    return events;
}

TEST(SseReader, ReadsEventsHoweverTheBytesArrive) {
    const std::string_view stream =
        "retry: 2000\n\n"
        ": a comment\n"
        "id: 7\nevent: log\ndata: {\"a\":1}\n\n"
        "data: first\ndata:second\n\n"
        "event: progress\r\ndata: crlf\r\n\r\n"
        "event: nothing\n\n"
        "id: 9\rdata: cr\r\r"
        "data: unfinished";
    const Events wanted{
        {"log", "{\"a\":1}"}, {"message", "first\nsecond"}, {"progress", "crlf"}, {"message", "cr"}};
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        SseReader reader;
        EXPECT_EQ(read_all(stream, piece, reader), wanted) << piece;
        EXPECT_EQ(reader.last_id(), "9");
    }
}

TEST(SseReader, KeepsTheIdButNotHalfAnEventAcrossARestart) {
    SseReader reader;
    read_all("id: 5\ndata: x\n\nid: 6\ndata: half", 100, reader);
    reader.restart();
    EXPECT_EQ(read_all("\n\ndata: whole\n\n", 100, reader), (Events{{"message", "whole"}}));
    EXPECT_EQ(reader.last_id(), "5");
}

TEST(SseReader, StopsWhenToldAndWhenAnEventGrowsWithoutEnd) {
    SseReader reader;
    EXPECT_FALSE(reader.feed("data: x\n\ndata: y\n\n", [](const ServerEvent& event) {
        EXPECT_EQ(event.data, "x");
        return false;
    }));
    SseReader flooded;
    const std::string line = "data: " + std::string(1 << 20, 'x') + "\n";
    bool fed = true;
    for (int i = 0; i < 32 && fed; ++i) fed = flooded.feed(line, [](const ServerEvent&) { return true; });
    EXPECT_FALSE(fed);
}

}  // namespace

}  // namespace fieldwarden::supervisor::cli
