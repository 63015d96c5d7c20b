// What goes over the wire of an answer: tags, conditions, compression.
#include <gtest/gtest.h>
#include <zlib.h>

#include "supervisor/gateway/representation.h"

namespace fieldwarden::supervisor::gateway {
namespace {

std::string header_of(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
        if (key == name) return value;
    }
    return {};
}

HttpResponse answer(std::map<std::string, std::string, std::less<>> headers, std::string body,
                    std::string content_type = "application/json") {
    HttpRequest request;
    request.headers = std::move(headers);
    HttpResponse response;
    response.body = std::move(body);
    response.content_type = std::move(content_type);
    return represent(request, std::move(response));
}

std::string unpacked(const std::string& packed, std::size_t size) {
    std::string out(size, '\0');
    z_stream stream{};
    EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

const std::string kLong(5000, 'a');

TEST(RepresentationTest, TheTagSaysWhetherTheBodyIsTheSame) {
    const auto tag = header_of(answer({}, "one"), "ETag");
    EXPECT_TRUE(tag.starts_with("W/\"")) << tag;
    EXPECT_EQ(header_of(answer({}, "one"), "ETag"), tag);
    EXPECT_NE(header_of(answer({}, "two"), "ETag"), tag);
    EXPECT_EQ(header_of(answer({{"accept-encoding", "gzip"}}, kLong), "ETag"),
              header_of(answer({}, kLong), "ETag"));
}

TEST(RepresentationTest, WhoHasItAlreadyGetsNoBody) {
    const auto tag = header_of(answer({}, "one"), "ETag");
    for (const auto& offered : {tag, "\"x\", " + tag, tag.substr(2), std::string{"*"}, " \t" + tag + " "}) {
        const auto response = answer({{"if-none-match", offered}}, "one");
        EXPECT_EQ(response.status, 304) << offered;
        EXPECT_EQ(response.body, "");
        EXPECT_EQ(header_of(response, "ETag"), tag);
    }
    for (const auto* offered : {"", ",", "\"x\"", "W/\"\"", "W/", "\xff,,"}) {
        const auto response = answer({{"if-none-match", offered}}, "one");
        EXPECT_EQ(response.status, 200) << offered;
        EXPECT_EQ(response.body, "one");
    }
}

TEST(RepresentationTest, OnlyAnswersOfGetsThatWentWellAreTagged) {
    HttpRequest request;
    request.method = Method::kPost;
    EXPECT_EQ(header_of(represent(request, {}), "ETag"), "");
    request.method = Method::kGet;
    HttpResponse failed;
    failed.status = 404;
    EXPECT_EQ(header_of(represent(request, failed), "ETag"), "");
    HttpResponse own;
    own.headers.emplace_back("ETag", "\"mine\"");
    EXPECT_EQ(header_of(represent(request, own), "ETag"), "\"mine\"");
    request.headers = {{"if-none-match", "W/\"mine\""}};
    EXPECT_EQ(represent(request, own).status, 304);
}

TEST(RepresentationTest, TextIsPackedForWhoeverTakesIt) {
    for (const auto* offered :
         {"gzip", "deflate, gzip;q=0.5", "*", "x-gzip", "br, *;q=0.1", "gzip;q=1.0,identity;q=0"}) {
        const auto response = answer({{"accept-encoding", offered}}, kLong);
        EXPECT_EQ(header_of(response, "Content-Encoding"), "gzip") << offered;
        EXPECT_EQ(unpacked(response.body, kLong.size()), kLong);
        EXPECT_EQ(header_of(response, "Vary"), "Accept-Encoding");
    }
    for (const auto* offered : {"", "gzip;q=0", "*, gzip;q=0", "br", "gzip;q=", "identity", "*;q=0"}) {
        const auto response = answer({{"accept-encoding", offered}}, kLong);
        EXPECT_EQ(header_of(response, "Content-Encoding"), "") << offered;
        EXPECT_EQ(response.body, kLong);
        EXPECT_EQ(header_of(response, "Vary"), "Accept-Encoding");
    }
}

TEST(RepresentationTest, WhatPackingDoesNotHelpStaysAsItIs) {
    EXPECT_EQ(answer({{"accept-encoding", "gzip"}}, std::string(1023, 'a')).body.size(), 1023U);
    const auto workbook = answer({{"accept-encoding", "gzip"}}, kLong, "application/vnd.openxmlformats");
    EXPECT_EQ(workbook.body, kLong);
    EXPECT_EQ(header_of(workbook, "Vary"), "");
    std::string noise;
    for (unsigned state = 1; noise.size() < 3000; state = state * 1664525U + 1013904223U)
        noise += static_cast<char>(state >> 24U);
    EXPECT_EQ(answer({{"accept-encoding", "gzip"}}, noise).body, noise);
}

}  // namespace
}  // namespace fieldwarden::supervisor::gateway
