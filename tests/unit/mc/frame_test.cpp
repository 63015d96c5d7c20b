// The codec where the manuals' examples do not reach: every operation in every frame kind against the
// simulator's codec, and answers that are wrong.
#include "worker/drivers/mc/mc_frame.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/simulator/mc/device_model.h"
#include "worker/drivers/mc/end_codes.h"

namespace fieldwarden::worker::mc {
namespace {

using Octets = std::vector<std::uint8_t>;
namespace sim = simulator::mc;

std::vector<FrameFormat> formats() {
    std::vector<FrameFormat> out;
    for (const auto* frame : {"3E", "4E", "1E"}) {
        for (const auto* series : {"auto", "iqr"}) {
            if (std::string_view{frame} == "1E" && std::string_view{series} == "iqr") continue;
            for (const auto encoding : {Encoding::kBinary, Encoding::kAscii}) {
                FrameFormat format;
                format.dialect = mc_dialect({{"frame", frame}, {"series", series}});
                format.encoding = encoding;
                format.network = 3;
                format.pc = 0x7D;
                format.module_io = 0x03E1;
                format.station = 9;
                out.push_back(format);
            }
        }
    }
    return out;
}

Request read_request(Operation operation, std::uint32_t points) {
    Request request;
    request.operation = operation;
    request.head = {operation == Operation::kReadBits ? McDevice::kM : McDevice::kD, 32};
    request.points = points;
    return request;
}

Octets answer_of(const FrameFormat& format, const Request& request, sim::DeviceModel& model) {
    const auto bytes = encode_request(format, request, 0xBEEF);
    const auto parsed = sim::parse_request(bytes, format.is_1e());
    EXPECT_EQ(parsed.kind, sim::Parsed::Kind::kRequest);
    EXPECT_EQ(parsed.consumed, bytes.size());
    simulator::Answer answer;
    model.handle(parsed.request, 1, answer);
    return answer.bytes;
}

std::vector<std::uint16_t> ask(const FrameFormat& format, const Request& request, sim::DeviceModel& model) {
    const auto bytes = answer_of(format, request, model);
    const auto answer = split_answer(format, request, bytes);
    EXPECT_EQ(answer.kind, Answer::Kind::kFrame) << answer.why;
    EXPECT_EQ(answer.end_code, 0);
    EXPECT_EQ(answer.consumed, bytes.size());
    std::vector<std::uint16_t> words;
    EXPECT_TRUE(decode_data(format, request, answer.data, words));
    return words;
}

TEST(Frames, WhatIsWrittenIsReadInEveryFrameKind) {
    for (const auto& format : formats()) {
        sim::DeviceModel model{65536, true};
        Request write = read_request(Operation::kWriteWords, 3);
        write.data = {0x0102, 0xFFFE, 0xABCD};
        EXPECT_TRUE(ask(format, write, model).empty());
        EXPECT_EQ(ask(format, read_request(Operation::kReadWords, 3), model), write.data);
        for (const std::uint32_t count : {1U, 2U, 7U, 16U, 17U, 33U}) {
            Request bits = read_request(Operation::kReadBits, count);
            bits.operation = Operation::kWriteBits;
            std::vector<std::uint16_t> packed((count + 15) / 16);
            for (std::uint32_t i = 0; i < count; ++i) {
                bits.data.push_back(static_cast<std::uint16_t>(i % 3 == 0));
                packed[i / 16] =
                    static_cast<std::uint16_t>(packed[i / 16] | (i % 3 == 0 ? 1U << (i % 16) : 0U));
            }
            ask(format, bits, model);
            EXPECT_EQ(ask(format, read_request(Operation::kReadBits, count), model), packed) << count;
        }
        if (format.is_1e()) continue;
        Request random;
        random.operation = Operation::kReadRandom;
        random.words = {{McDevice::kD, 34}, {McDevice::kM, 32}};
        random.dwords = {{McDevice::kD, 32}};
        EXPECT_EQ(ask(format, random, model), (std::vector<std::uint16_t>{0xABCD, 0x9249, 0x0102, 0xFFFE}));
    }
}

TEST(Frames, TheLongestRequestsKeepTheirLimits) {
    for (const auto& format : formats()) {
        sim::DeviceModel model{65536, true};
        EXPECT_EQ(ask(format, read_request(Operation::kReadWords, format.is_1e() ? 64 : 960), model).size(),
                  format.is_1e() ? 64U : 960U);
        const std::uint32_t bits = format.is_1e() ? 256 : format.is_ascii() ? 3584 : 7168;
        EXPECT_EQ(ask(format, read_request(Operation::kReadBits, bits), model).size(), bits / 16);
    }
}

TEST(Frames, NoPrefixOfAnAnswerIsAFrame) {
    for (const auto& format : formats()) {
        sim::DeviceModel model{65536, true};
        for (const auto& request :
             {read_request(Operation::kReadWords, 3), read_request(Operation::kReadBits, 5)}) {
            const auto bytes = answer_of(format, request, model);
            for (std::size_t size = 0; size < bytes.size(); ++size) {
                EXPECT_EQ(split_answer(format, request, std::span{bytes}.first(size)).kind,
                          Answer::Kind::kIncomplete);
            }
        }
    }
}

// Each byte of the header counts: changed, the answer is broken, longer or shorter, another's or a refusal,
// but never taken for the answer.
TEST(Frames, NoChangedHeaderPassesForTheAnswer) {
    for (const auto& format : formats()) {
        if (format.is_1e()) continue;
        sim::DeviceModel model{65536, true};
        const auto request = read_request(Operation::kReadWords, 3);
        const auto good = answer_of(format, request, model);
        const std::size_t width = format.is_ascii() ? 2 : 1;
        const std::size_t header = (format.dialect.frame == McFrame::k4e ? 15 : 11) * width;
        for (std::size_t at = 0; at < header; ++at) {
            // 4E: the two bytes behind the serial number have no meaning.
            if (format.dialect.frame == McFrame::k4e && at >= 4 * width && at < 6 * width) continue;
            for (int value = 0; value < 256; ++value) {
                if (value == good[at]) continue;
                auto bytes = good;
                bytes[at] = static_cast<std::uint8_t>(value);
                const auto answer = split_answer(format, request, bytes);
                if (answer.kind != Answer::Kind::kFrame || answer.end_code != 0 || answer.serial != 0xBEEF)
                    continue;
                std::vector<std::uint16_t> words;
                const bool lower_case = format.is_ascii() && value == (good[at] | 0x20);
                EXPECT_EQ(decode_data(format, request, answer.data, words), lower_case)
                    << "byte " << at << " as " << value;
            }
        }
    }
}

TEST(Frames, DataThatIsNotWhatWasAskedForIsRefused) {
    const auto format = formats().front();
    std::vector<std::uint16_t> words;
    const auto two = read_request(Operation::kReadWords, 2);
    EXPECT_FALSE(decode_data(format, two, Octets(3), words));
    EXPECT_FALSE(decode_data(format, two, Octets(5), words));
    EXPECT_TRUE(decode_data(format, two, Octets(4), words));
    const auto bits = read_request(Operation::kReadBits, 2);
    EXPECT_FALSE(decode_data(format, bits, Octets{0x20}, words));
    EXPECT_TRUE(decode_data(format, bits, Octets{0x11}, words));
    auto ascii = format;
    ascii.encoding = Encoding::kAscii;
    EXPECT_FALSE(decode_data(ascii, two, Octets{'0', '0', '0', '0', '0', '0', '0', 'G'}, words));
    EXPECT_FALSE(decode_data(ascii, bits, Octets{'0', '2'}, words));
}

TEST(Frames, ALengthNoAnswerHasIsBrokenAtOnce) {
    const auto format = formats().front();
    const Octets bytes{0xD0, 0, 3, 0x7D, 0xE1, 0x03, 9, 0xFF, 0xFF};
    const auto answer = split_answer(format, read_request(Operation::kReadWords, 1), bytes);
    EXPECT_EQ(answer.kind, Answer::Kind::kBroken);
    EXPECT_NE(answer.why.find("65535"), std::string::npos);
}

TEST(Frames, AnAnswerInTheOtherEncodingSaysWhatToCheck) {
    FrameFormat binary;
    const std::string text = "D00000FF03FF0000080000";
    const auto answer =
        split_answer(binary, read_request(Operation::kReadWords, 1), Octets(text.begin(), text.end()));
    EXPECT_EQ(answer.kind, Answer::Kind::kBroken);
    EXPECT_NE(answer.why.find("encoding"), std::string::npos) << answer.why;
}

TEST(EndCodes, KnownOnesSayWhatTheyMeanAndUnknownOnesWhereToLook) {
    EXPECT_EQ(end_code(false, 0xC056).kind, Refusal::kAddress);
    EXPECT_EQ(end_code(false, 0x4031).kind, Refusal::kAddress);
    EXPECT_EQ(end_code(false, 0xC051).kind, Refusal::kAddress);
    EXPECT_EQ(end_code(false, 0xC059).kind, Refusal::kCommand);
    EXPECT_EQ(end_code(false, 0xC05B).kind, Refusal::kDevice);
    EXPECT_EQ(end_code(false, 0xC05F).kind, Refusal::kRoute);
    EXPECT_EQ(end_code(false, 0xCEE0).kind, Refusal::kBusy);
    EXPECT_EQ(end_code(true, 0x57).kind, Refusal::kAddress);
    EXPECT_EQ(end_code(true, 0x5B, 0x10).meaning, "the PC number does not exist");
    for (std::uint32_t code = 1; code <= 0xFFFF; ++code) {
        const auto text = end_code_text(false, static_cast<std::uint16_t>(code));
        ASSERT_NE(text.find("; "), std::string::npos);
        ASSERT_FALSE(end_code(false, static_cast<std::uint16_t>(code)).meaning.empty());
    }
    EXPECT_EQ(end_code_text(true, 0x5B, 0x10),
              "5B/10 (the PC number does not exist); set the option pc to 255");
}

}  // namespace
}  // namespace fieldwarden::worker::mc
