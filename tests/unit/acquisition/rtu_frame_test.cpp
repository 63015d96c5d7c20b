// RTU frames and the PDUs in them: golden bytes, and every way in which bytes can come.
#include "worker/drivers/modbus/rtu_frame.h"

#include <gtest/gtest.h>

#include <random>

namespace fieldwarden::worker::modbus {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;
using Found = RtuReceiver::Found;

Bytes bytes_of(const Request& request) {
    const auto frame = rtu_frame_of(request);
    return {frame.all().begin(), frame.all().end()};
}

Bytes with_crc(Bytes bytes) {
    const auto crc = crc16(bytes);
    bytes.push_back(static_cast<std::uint8_t>(crc));
    bytes.push_back(static_cast<std::uint8_t>(crc >> 8));
    return bytes;
}

void feed(RtuReceiver& receiver, std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const auto space = receiver.space();
        ASSERT_FALSE(space.empty());
        const auto count = std::min(space.size(), bytes.size());
        std::copy_n(bytes.begin(), count, space.begin());
        receiver.took(count);
        bytes = bytes.subspan(count);
    }
}

const Request kRead = request_of(ReadCommand{.unit = 0x11, .offset = 0x6B, .count = 3});
const Bytes kAnswer = with_crc({0x11, 3, 6, 0xAE, 0x41, 0x56, 0x52, 0x43, 0x40});

TEST(Crc16, KnownValues) {
    // Serial Line Guide V1.02, 6.2.2: the frame 02 07 has the CRC 1241h, sent as 41 12.
    EXPECT_EQ(crc16(Bytes{0x02, 0x07}), 0x1241);
    // The check value by which this CRC is catalogued (CRC-16/MODBUS).
    EXPECT_EQ(crc16(Bytes{'1', '2', '3', '4', '5', '6', '7', '8', '9'}), 0x4B37);
    EXPECT_EQ(crc16({}), 0xFFFF);
}

TEST(RtuFrame, RequestsAsTheStandardShowsThem) {
    // V1.1b3, 6.1 to 6.16; the checksums by the bitwise algorithm of the Serial Line Guide.
    EXPECT_EQ(bytes_of(kRead), with_crc({0x11, 3, 0, 0x6B, 0, 3}));
    EXPECT_EQ(bytes_of(kRead), (Bytes{0x11, 3, 0, 0x6B, 0, 3, 0x76, 0x87}));
    const auto write = [](Function function, std::uint16_t offset, std::vector<std::uint16_t> values) {
        return bytes_of(
            request_of(WriteCommand{.unit = 1, .function = function, .offset = offset, .values = values}));
    };
    EXPECT_EQ(write(Function::kWriteCoil, 172, {1}), with_crc({1, 5, 0, 0xAC, 0xFF, 0}));
    EXPECT_EQ(write(Function::kWriteCoil, 172, {0}), with_crc({1, 5, 0, 0xAC, 0, 0}));
    EXPECT_EQ(write(Function::kWriteRegister, 1, {3}), with_crc({1, 6, 0, 1, 0, 3}));
    EXPECT_EQ(write(Function::kWriteCoils, 19, {1, 0, 1, 1, 0, 0, 1, 1, 1, 0}),
              with_crc({1, 15, 0, 0x13, 0, 10, 2, 0xCD, 0x01}));
    EXPECT_EQ(write(Function::kWriteRegisters, 1, {0x000A, 0x0102}),
              with_crc({1, 16, 0, 1, 0, 2, 4, 0, 0x0A, 1, 2}));
    EXPECT_EQ(write(Function::kMaskRegister, 4, {0x00F2, 0x0025}), with_crc({1, 22, 0, 4, 0, 0xF2, 0, 0x25}));
    EXPECT_EQ(bytes_of(echo_request(1, 0xA537)), with_crc({1, 8, 0, 0, 0xA5, 0x37}));
}

TEST(RtuFrame, SilenceIsThreeAndAHalfCharacters) {
    EXPECT_EQ(frame_silence(9600), std::chrono::nanoseconds{4'010'416});
    EXPECT_GT(frame_silence(19200), 2ms);
    EXPECT_EQ(frame_silence(38400), 1750us);
    EXPECT_EQ(frame_silence(4'000'000), 1750us);
    EXPECT_EQ(wire_time(256, 300) / 1ms, 9386);
}

TEST(RtuAnswerLength, OfEveryFunction) {
    EXPECT_EQ(rtu_answer_length(Bytes{}), std::nullopt);
    EXPECT_EQ(rtu_answer_length(Bytes{1}), std::nullopt);
    for (unsigned function = 0; function < 256; ++function) {
        const auto code = static_cast<std::uint8_t>(function);
        const auto length = rtu_answer_length(Bytes{1, code, 4});
        std::size_t want = 0;
        if (function >= 0x80) want = 5;
        if (function >= 1 && function <= 4) want = 9;
        if (function == 5 || function == 6 || function == 8 || function == 15 || function == 16) want = 8;
        if (function == 22) want = 10;
        EXPECT_EQ(length, want) << function;
        if (function >= 1 && function <= 4) {
            EXPECT_EQ(rtu_answer_length(Bytes{1, code}), std::nullopt);
        }
    }
    EXPECT_EQ(rtu_answer_length(Bytes{1, 3, 0}), 0U);
    EXPECT_EQ(rtu_answer_length(Bytes{1, 3, 251}), 256U);
    EXPECT_EQ(rtu_answer_length(Bytes{1, 3, 252}), 0U);
}

TEST(RtuReceiver, TakesAnAnswerHoweverItIsCut) {
    for (std::size_t cut = 0; cut <= kAnswer.size(); ++cut) {
        RtuReceiver receiver{kRead};
        feed(receiver, std::span{kAnswer}.first(cut));
        if (cut < kAnswer.size()) {
            EXPECT_EQ(receiver.look(), Found::kNothing) << cut;
            EXPECT_EQ(receiver.left(), cut);
            feed(receiver, std::span{kAnswer}.subspan(cut));
        }
        ASSERT_EQ(receiver.look(), Found::kAnswer) << cut;
        EXPECT_EQ(Bytes(receiver.pdu().begin(), receiver.pdu().end()),
                  Bytes(kAnswer.begin() + 1, kAnswer.end() - 2));
        EXPECT_EQ(receiver.left(), 0U);
    }
}

TEST(RtuReceiver, NoSingleWrongBitPasses) {
    for (std::size_t bit = 0; bit < kAnswer.size() * 8; ++bit) {
        auto bytes = kAnswer;
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ 1U << (bit % 8));
        RtuReceiver receiver{kRead};
        feed(receiver, bytes);
        const auto found = receiver.look();
        EXPECT_NE(found, Found::kAnswer) << bit;
        // The head is right: it is known at once that the answer is lost.
        if (bit >= 24) {
            EXPECT_EQ(found, Found::kSpoiled) << bit;
        }
    }
}

TEST(RtuReceiver, FindsTheAnswerBehindAnyNoise) {
    std::mt19937 random{3};
    for (int round = 0; round < 3000; ++round) {
        Bytes bytes;
        const auto noise = round % 600;
        for (int i = 0; i < noise; ++i) bytes.push_back(static_cast<std::uint8_t>(random()));
        // A noise byte that begins no frame, so that chance cannot make the noise swallow the answer.
        if (!bytes.empty()) bytes[0] = 0;
        if (bytes.size() > 1) bytes[1] = 0;
        bytes.insert(bytes.end(), kAnswer.begin(), kAnswer.end());
        RtuReceiver receiver{kRead};
        std::span<const std::uint8_t> rest{bytes};
        auto found = Found::kNothing;
        while (!rest.empty()) {
            const auto piece = std::min<std::size_t>(rest.size(), 1 + random() % 40);
            feed(receiver, rest.first(piece));
            rest = rest.subspan(piece);
            do found = receiver.look();
            while (found == Found::kStray);
        }
        ASSERT_EQ(found, Found::kAnswer) << round;
    }
}

TEST(RtuReceiver, AnswersOfOthersAreDroppedWhole) {
    // Another unit, another length, another function: each carries the awaited answer inside its data.
    Bytes inside{0x11, 3, 6, 0xAE, 0x41, 0x56, 0x52, 0x43, 0x40};
    inside = with_crc(inside);
    Bytes other{0x12, 3, static_cast<std::uint8_t>(inside.size())};
    other.insert(other.end(), inside.begin(), inside.end());
    for (const auto& stray :
         {with_crc(other), with_crc({0x11, 3, 2, 1, 2}), with_crc({0x11, 4, 6, 1, 2, 3, 4, 5, 6}),
          with_crc({0x11, 0x84, 2}), with_crc({0x11, 8, 0, 0, 1, 2})}) {
        RtuReceiver receiver{kRead};
        feed(receiver, stray);
        EXPECT_EQ(receiver.look(), Found::kStray);
        EXPECT_EQ(receiver.left(), 0U);
        EXPECT_EQ(receiver.look(), Found::kNothing);
        feed(receiver, kAnswer);
        EXPECT_EQ(receiver.look(), Found::kAnswer);
    }
}

TEST(RtuReceiver, ExceptionsAreAnswers) {
    RtuReceiver receiver{kRead};
    feed(receiver, with_crc({0x11, 0x83, 2}));
    ASSERT_EQ(receiver.look(), Found::kAnswer);
    const auto reply = check_answer(kRead, receiver.pdu());
    EXPECT_EQ(reply.outcome, Outcome::kException);
    EXPECT_EQ(reply.exception, 2);
}

TEST(RtuReceiver, AWriteIsAnsweredByItsOwnRepeatOnly) {
    const std::uint16_t value = 3;
    const auto write = request_of(WriteCommand{
        .unit = 1, .function = Function::kWriteRegister, .offset = 1, .values = std::span{&value, 1}});
    RtuReceiver receiver{write};
    feed(receiver, with_crc({1, 6, 0, 1, 0, 4}));
    EXPECT_EQ(receiver.look(), Found::kStray);
    feed(receiver, with_crc({1, 6, 0, 1, 0, 3}));
    EXPECT_EQ(receiver.look(), Found::kAnswer);
    const auto token = echo_request(1, 7);
    RtuReceiver echo{token};
    feed(echo, with_crc({1, 8, 0, 0, 0, 6}));
    EXPECT_EQ(echo.look(), Found::kStray);
    feed(echo, with_crc({1, 8, 0, 0, 0, 7}));
    EXPECT_EQ(echo.look(), Found::kAnswer);
}

// Any bytes at all: bounded, and nothing that is not the answer passes for it.
TEST(RtuReceiver, RandomBytesAreNoAnswer) {
    std::mt19937 random{11};
    for (int round = 0; round < 2000; ++round) {
        RtuReceiver receiver{kRead};
        for (int piece = 0; piece < 30; ++piece) {
            Bytes bytes;
            for (unsigned i = 0; i < random() % 60; ++i) {
                // Many heads of frames among them.
                const auto kind = random() % 4;
                bytes.push_back(static_cast<std::uint8_t>(kind == 0 ? 0x11 : kind == 1 ? 3 : random()));
            }
            feed(receiver, bytes);
            Found found{};
            unsigned looks = 0;
            do {
                found = receiver.look();
                ASSERT_LT(++looks, 600U);
            } while (found == Found::kStray);
            ASSERT_NE(found, Found::kAnswer);
            ASSERT_LE(receiver.left(), 2 * kLongestRtuFrame);
        }
    }
}

}  // namespace
}  // namespace fieldwarden::worker::modbus
