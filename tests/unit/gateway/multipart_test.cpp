#include "supervisor/gateway/multipart.h"

#include <gtest/gtest.h>

#include "supervisor/gateway/upload.h"

#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <random>

namespace fieldwarden::supervisor::gateway {
namespace {

struct Part {
    std::string name;
    std::optional<std::string> file_name;
    std::string data;
    bool ended = false;
    bool operator==(const Part&) const = default;
};

struct Parsed {
    std::vector<Part> parts;
    bool complete = false;
    Status status;
};

// Feeds the body in slices of the given sizes, repeated.
Parsed parse(std::string_view body, std::vector<std::size_t> slices, std::string_view boundary = "XX") {
    Parsed parsed;
    MultipartParser parser(boundary, {[&](const PartHeader& header) -> Status {
                                          parsed.parts.push_back({header.name, header.file_name, "", false});
                                          return {};
                                      },
                                      [&](std::string_view data) -> Status {
                                          parsed.parts.back().data.append(data);
                                          return {};
                                      },
                                      [&]() -> Status {
                                          parsed.parts.back().ended = true;
                                          return {};
                                      }});
    for (std::size_t i = 0; !body.empty() && parsed.status; ++i) {
        const auto size = std::min(slices[i % slices.size()], body.size());
        parsed.status = parser.feed(body.substr(0, size));
        body.remove_prefix(size);
    }
    parsed.complete = parser.complete();
    return parsed;
}

const std::string kBody =
    "preamble\r\n--XX\r\n"
    "Content-Disposition: form-data; name=\"mode\"\r\n\r\n"
    "merge\r\n"
    "--XX  \r\n"
    "Content-Type: application/octet-stream\r\n"
    "content-disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\" \\\\c;.xlsx\"\r\n\r\n"
    "line\r\n--X\r\n--XY\r\n\r\n-\r\n--XX\r\n"
    "Content-Disposition: form-data; name=empty\r\n\r\n"
    "\r\n--XX--\r\nepilogue";

TEST(Multipart, GivesTheSamePartsHoweverTheBodyIsSliced) {
    const std::vector<Part> expected{{"mode", std::nullopt, "merge", true},
                                     {"file", "a \"b\" \\\\c;.xlsx", "line\r\n--X\r\n--XY\r\n\r\n-", true},
                                     {"empty", std::nullopt, "", true}};
    for (std::size_t slice = 1; slice <= kBody.size(); ++slice) {
        const auto parsed = parse(kBody, {slice});
        ASSERT_TRUE(parsed.status) << slice << ": " << parsed.status.error().message;
        EXPECT_TRUE(parsed.complete) << slice;
        EXPECT_EQ(parsed.parts, expected) << slice;
    }
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::size_t> slices;
        for (int i = 0; i < 20; ++i) slices.push_back(1 + random() % 30);
        EXPECT_EQ(parse(kBody, slices).parts, expected);
    }
}

TEST(Multipart, ATruncatedBodyIsNeverComplete) {
    for (std::size_t size = 0; size + 12 < kBody.size(); ++size) {
        EXPECT_FALSE(parse(std::string_view(kBody).substr(0, size), {7}).complete) << size;
    }
}

TEST(Multipart, RefusesMalformedBodies) {
    const std::string disposition = "Content-Disposition: form-data; name=\"a\"\r\n\r\n";
    EXPECT_FALSE(parse("--XX\r\n\r\n\r\nno header", {64}).status);
    EXPECT_FALSE(parse("--XXgarbage\r\n" + disposition, {64}).status);
    EXPECT_FALSE(parse("--XX\r\nno colon\r\n\r\n", {64}).status);
    EXPECT_FALSE(parse("--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n", {64}).status);
    EXPECT_FALSE(parse("--XX\r\nContent-Disposition: form-data\r\n\r\n", {64}).status);
    EXPECT_FALSE(parse("--XX\r\nContent-Disposition: form-data; name=\"unclosed\r\n\r\n", {64}).status);
    EXPECT_FALSE(parse("--XX\r\nContent-Disposition: form-data; name=\"\xFF\"\r\n\r\n", {64}).status);
    EXPECT_FALSE(parse("--XX\r\nX: " + std::string(MultipartParser::kMostHeaderBytes, 'x'), {1000}).status);
    std::string many;
    for (std::size_t i = 0; i <= MultipartParser::kMostParts; ++i) many += "--XX\r\n" + disposition + "v\r\n";
    EXPECT_FALSE(parse(many, {1000}).status);
}

TEST(Multipart, ReadsTheBoundaryOfAContentType) {
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
    EXPECT_EQ(multipart_boundary("Multipart/Form-Data; charset=x; Boundary=\"a b;c\""), "a b;c");
    for (const auto* type : {"", "application/json", "multipart/form-data",
                             "multipart/form-data; boundary=", "multipart/mixed; boundary=abc",
                             "multipart/form-data; boundary=\"abc", "multipart/form-data; b"}) {
        EXPECT_FALSE(multipart_boundary(type)) << type;
    }
    EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'b')));
}

TEST(Multipart, PrefersTheEncodedFileName) {
    const auto header = parse_part_header(
        "Content-Disposition: form-data; name=\"file\"; filename=\"plant.xlsx\"; "
        "filename*=UTF-8''%E5%8E%82.xlsx");
    ASSERT_TRUE(header);
    EXPECT_EQ(header->file_name, "厂.xlsx");
}

// --- to disk ---

class Upload : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "fw-upload-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory_),
                                                      std::filesystem::directory_iterator{}));
    }
    Result<std::unique_ptr<UploadReceiver>> receiver(std::uint64_t most = 1000) {
        return UploadReceiver::create(directory_, "multipart/form-data; boundary=XX", most);
    }
    static std::string file_part(const std::string& content, const std::string& field = "file") {
        return "--XX\r\nContent-Disposition: form-data; name=\"" + field +
               "\"; filename=\"../../etc/passwd\"\r\n\r\n" + content + "\r\n";
    }

    std::filesystem::path directory_;
};

TEST_F(Upload, KeepsTheFileUnderANameOfItsOwn) {
    auto upload = receiver();
    ASSERT_TRUE(upload);
    ASSERT_TRUE(
        (*upload)->feed(file_part("content") +
                        "--XX\r\nContent-Disposition: form-data; name=\"mode\"\r\n\r\nreplace\r\n--XX--"));
    const auto finished = (*upload)->finish();
    ASSERT_TRUE(finished);
    ASSERT_TRUE(finished->file);
    EXPECT_EQ(finished->file->path.parent_path(), directory_);
    EXPECT_EQ(finished->file->file_name, "../../etc/passwd");
    EXPECT_EQ(finished->file->size, 7U);
    std::ifstream in(finished->file->path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "content");
    EXPECT_EQ(finished->fields.at("mode"), "replace");
    upload->reset();
    EXPECT_EQ(files(), 1U);
}

TEST_F(Upload, LeavesNothingBehindWhenItFails) {
    {
        auto upload = receiver();
        EXPECT_TRUE((*upload)->feed(file_part("half").substr(0, 80)));
        EXPECT_FALSE((*upload)->finish());
    }
    {
        auto upload = receiver(5);
        const auto fed = (*upload)->feed(file_part("too large by far"));
        ASSERT_FALSE(fed);
        EXPECT_EQ(fed.error().kind, ErrorKind::kTooLarge);
    }
    {
        auto upload = receiver();
        EXPECT_FALSE((*upload)->feed(file_part("a") + file_part("b") + "--XX--"));
    }
    {
        auto upload = receiver();
        EXPECT_FALSE((*upload)->feed(file_part("a", "other") + "--XX--"));
    }
    EXPECT_EQ(files(), 0U);
}

TEST_F(Upload, BoundsTheOtherFields) {
    auto upload = receiver();
    const auto fed = (*upload)->feed("--XX\r\nContent-Disposition: form-data; name=\"mode\"\r\n\r\n" +
                                     std::string(UploadReceiver::kMostFieldBytes + 100, 'x'));
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().kind, ErrorKind::kTooLarge);
}

}  // namespace
}  // namespace fieldwarden::supervisor::gateway
