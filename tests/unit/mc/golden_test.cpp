// Every published example in tests/golden/mc, against the client's codec and against the simulator's.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/simulator/mc/frames.h"
#include "tests/simulator/mc/memory.h"
#include "worker/drivers/mc/mc_frame.h"

namespace fieldwarden::worker::mc {
namespace {

using Octets = std::vector<std::uint8_t>;

std::vector<std::string> split(const std::string& text) {
    std::istringstream in{text};
    std::vector<std::string> out;
    for (std::string part; in >> part;) out.push_back(part);
    return out;
}

Octets bytes_of(const std::string& text) {
    if (text.front() == '"') return {text.begin() + 1, text.end() - 1};
    Octets out;
    for (const auto& part : split(text))
        out.push_back(static_cast<std::uint8_t>(std::stoul(part, nullptr, 16)));
    return out;
}

std::vector<std::uint16_t> words_of(const std::string& text) {
    std::vector<std::uint16_t> out;
    for (const auto& part : split(text))
        out.push_back(static_cast<std::uint16_t>(std::stoul(part, nullptr, 16)));
    return out;
}

struct Golden {
    std::map<std::string, std::string> lines;
    FrameFormat format;
    Request request;
    std::uint16_t serial = 0;
};

DeviceRef device(const std::string& text, const McDialect& dialect) {
    const auto address = parse_mc_address(text, dialect).value();
    return {address.device, address.number};
}

Golden load(const std::filesystem::path& path) {
    Golden golden;
    std::ifstream in{path};
    for (std::string line; std::getline(in, line);) {
        const auto colon = line.find(": ");
        golden.lines[line.substr(0, colon)] = line.substr(colon + 2);
    }
    auto& lines = golden.lines;
    const auto frame = split(lines["frame"]);
    golden.format.dialect =
        mc_dialect({{"frame", frame[0]}, {"series", lines.contains("series") ? lines["series"] : "auto"}});
    golden.format.encoding = frame[1] == "ascii" ? Encoding::kAscii : Encoding::kBinary;
    golden.format.timer = static_cast<std::uint16_t>(std::stoul(lines["timer"]));
    if (lines.contains("serial"))
        golden.serial = static_cast<std::uint16_t>(std::stoul(lines["serial"], nullptr, 16));
    const auto words = split(lines["do"]);
    auto& request = golden.request;
    const auto& dialect = golden.format.dialect;
    if (words[0] == "read_random") {
        request.operation = Operation::kReadRandom;
        auto* list = &request.words;
        for (std::size_t i = 1; i < words.size(); ++i) {
            if (words[i] == "/") {
                list = &request.dwords;
            } else {
                list->push_back(device(words[i], dialect));
            }
        }
        return golden;
    }
    request.head = device(words[1], dialect);
    if (words[0] == "write_words") {
        request.operation = Operation::kWriteWords;
        for (std::size_t i = 2; i < words.size(); ++i)
            request.data.push_back(static_cast<std::uint16_t>(std::stoul(words[i], nullptr, 16)));
        request.points = static_cast<std::uint32_t>(request.data.size());
        return golden;
    }
    request.operation = words[0] == "read_bits" ? Operation::kReadBits : Operation::kReadWords;
    request.points = static_cast<std::uint32_t>(std::stoul(words[2]));
    return golden;
}

class GoldenTest : public testing::TestWithParam<std::filesystem::path> {
  protected:
    Golden golden_ = load(GetParam());
};

TEST_P(GoldenTest, TheClientSendsTheRequest) {
    if (!golden_.lines.contains("request")) return;
    EXPECT_EQ(encode_request(golden_.format, golden_.request, golden_.serial),
              bytes_of(golden_.lines["request"]));
}

TEST_P(GoldenTest, TheClientUnderstandsTheAnswerAndEveryPrefixIsIncomplete) {
    if (!golden_.lines.contains("answer")) return;
    auto bytes = bytes_of(golden_.lines["answer"]);
    const auto answer = split_answer(golden_.format, golden_.request, bytes);
    ASSERT_EQ(answer.kind, Answer::Kind::kFrame) << answer.why;
    EXPECT_EQ(answer.consumed, bytes.size());
    EXPECT_EQ(answer.serial, golden_.serial);
    std::string code = answer.end_code == 0 ? "" : fmt::format("{:04X}", answer.end_code);
    if (golden_.format.is_1e() && answer.end_code != 0)
        code = fmt::format("{:02X}/{:02X}", answer.end_code, answer.abnormal);
    EXPECT_EQ(code, golden_.lines["end_code"]);
    std::vector<std::uint16_t> words;
    if (answer.end_code == 0) {
        ASSERT_TRUE(decode_data(golden_.format, golden_.request, answer.data, words));
        EXPECT_EQ(words, words_of(golden_.lines["words"]));
    }
    // What FX sends behind an abnormal code, others do not.
    const std::size_t pad = !golden_.format.is_1e() || answer.end_code != 0x5B ? 0
                            : golden_.format.is_ascii()                        ? 2
                                                                               : 1;
    for (std::size_t size = 0; size + pad < bytes.size(); ++size) {
        EXPECT_EQ(split_answer(golden_.format, golden_.request, std::span{bytes}.first(size)).kind,
                  Answer::Kind::kIncomplete)
            << size;
    }
}

// The simulator, written apart, reads out of the request what was put into it, and writes the same answer.
TEST_P(GoldenTest, TheSimulatorAgrees) {
    if (!golden_.lines.contains("request")) return;
    namespace sim = simulator::mc;
    const auto bytes = bytes_of(golden_.lines["request"]);
    const auto parsed = sim::parse_request(bytes, golden_.format.is_1e());
    ASSERT_EQ(parsed.kind, sim::Parsed::Kind::kRequest);
    EXPECT_EQ(parsed.consumed, bytes.size());
    EXPECT_EQ(parsed.request.error, 0);
    EXPECT_EQ(parsed.request.serial, golden_.serial);
    EXPECT_EQ(parsed.request.ascii, golden_.format.is_ascii());
    if (golden_.request.operation == Operation::kReadRandom) {
        ASSERT_EQ(parsed.request.words.size(), golden_.request.words.size());
        ASSERT_EQ(parsed.request.dwords.size(), golden_.request.dwords.size());
        for (std::size_t i = 0; i < golden_.request.words.size(); ++i) {
            EXPECT_EQ(parsed.request.words[i].number, golden_.request.words[i].number);
            EXPECT_EQ(parsed.request.words[i].code, mc_device_info(golden_.request.words[i].device).code);
        }
    } else {
        EXPECT_EQ(parsed.request.head.code, mc_device_info(golden_.request.head.device).code);
        EXPECT_EQ(parsed.request.head.number, golden_.request.head.number);
        EXPECT_EQ(parsed.request.points, golden_.request.points);
        EXPECT_EQ(parsed.request.data, golden_.request.data);
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_EQ(sim::parse_request(std::span{bytes}.first(size), golden_.format.is_1e()).kind,
                  sim::Parsed::Kind::kIncomplete)
            << size;
    }
    if (!golden_.lines.contains("answer")) return;
    auto values = words_of(golden_.lines["words"]);
    if (golden_.request.operation == Operation::kReadBits) {
        const auto packed = values.front();
        values.clear();
        for (unsigned i = 0; i < golden_.request.points; ++i) values.push_back(packed >> i & 1);
    }
    Octets answer;
    sim::append_answer(parsed.request, values, answer);
    EXPECT_EQ(answer, bytes_of(golden_.lines["answer"]));
}

std::vector<std::filesystem::path> files() {
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::directory_iterator{FW_GOLDEN_MC}) {
        if (entry.path().extension() == ".txt") out.push_back(entry.path());
    }
    std::sort(out.begin(), out.end());
    return out;
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenTest, testing::ValuesIn(files()),
                         [](const auto& file) { return "f_" + file.param.stem().string(); });

}  // namespace
}  // namespace fieldwarden::worker::mc
