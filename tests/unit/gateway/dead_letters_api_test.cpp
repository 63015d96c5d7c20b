// /dead-letters over real files.
#include <filesystem>
#include <fstream>

#include "common/data_paths.h"
#include "gateway_fixture.h"

namespace fieldwarden::supervisor::testing {
namespace {

using Json = nlohmann::json;

class DeadLettersApi : public GatewayFixture {
  protected:
    void SetUp() override {
        GatewayFixture::SetUp();
        control_->letters_dir = settings_.server.data_dir;
        std::filesystem::create_directories(spool_directory(settings_.server.data_dir, "T1"));
    }
    std::string file(const std::string& sink) const {
        return dead_letters_file(settings_.server.data_dir, "T1", sink);
    }
    static std::string line(const std::string& sink, int seq, const std::string& at) {
        return Json{{"seq", seq},        {"sink_code", sink},
                    {"rejected_at", at}, {"reason", "no such column"},
                    {"block", "AAAA"},   {"samples", {{{"point_code", "P1"}, {"value", 1.5}}}}}
                   .dump() +
               "\n";
    }
    static void write(const std::string& path, const std::string& text) {
        std::ofstream{path, std::ios::binary | std::ios::app} << text;
    }
    std::vector<int> seqs(const std::string& query) {
        std::vector<int> seqs;
        const auto page = call("GET", "/api/v1/dead-letters" + query).json();
        for (const auto& item : page["items"]) seqs.push_back(item["seq"]);
        return seqs;
    }
};

TEST_F(DeadLettersApi, ListsNewestFirstOverFilesAndSinks) {
    write(file("a") + ".1", line("a", 1, "2026-11-22T10:00:01.000Z"));
    write(file("a"), line("a", 2, "2026-11-22T10:00:02.000Z") + line("a", 4, "2026-11-22T10:00:04.000Z"));
    write(file("b/b"), line("b/b", 3, "2026-11-22T10:00:03.000Z"));
    EXPECT_EQ(seqs(""), (std::vector{4, 3, 2, 1}));
    EXPECT_EQ(seqs("?page=2&page_size=3"), (std::vector{1}));
    EXPECT_EQ(seqs("?task_code=T1&sink_code=b%2Fb"), (std::vector{3}));
    EXPECT_EQ(seqs("?task_code=T2"), std::vector<int>{});
    const auto page = call("GET", "/api/v1/dead-letters").json();
    EXPECT_EQ(page["total"], 4);
    EXPECT_EQ(page["complete"], true);
    const auto& letter = page["items"][0];
    EXPECT_EQ(letter["id"], "T1/a/4");
    EXPECT_EQ(letter["state"], "dead");
    EXPECT_EQ(letter["reason"], "no such column");
    EXPECT_EQ(letter["samples"][0]["value"], 1.5);
    EXPECT_FALSE(letter.contains("block"));
    EXPECT_EQ(call("GET", "/api/v1/dead-letters?page=11&page_size=1000").status, 400);
}

TEST_F(DeadLettersApi, AreSearchedSortedAndWalkedThrough) {
    write(file("a"), line("a", 9, "2026-11-22T10:00:01.000Z") + line("a", 10, "2026-11-22T10:00:01.000Z"));
    write(file("b"), line("b", 3, "2026-11-22T10:00:03.000Z"));
    EXPECT_EQ(seqs("?q=NO%20SUCH"), (std::vector{3, 10, 9}));
    EXPECT_EQ(seqs("?q=nothing"), std::vector<int>{});
    EXPECT_EQ(seqs("?sort=sink_code"), (std::vector{9, 10, 3}));
    EXPECT_EQ(seqs("?sort=-sink_code"), (std::vector{3, 10, 9}));
    EXPECT_EQ(call("GET", "/api/v1/dead-letters?sort=seq").status, 400);

    auto page = call("GET", "/api/v1/dead-letters?page_size=2").json();
    EXPECT_EQ(page["items"][1]["seq"], 10);
    ASSERT_TRUE(page["next"].is_string());
    // Newer ones and one that is sent on its way again move nothing.
    write(file("a"), line("a", 11, "2026-11-22T10:00:09.000Z"));
    std::filesystem::rename(file("b"), file("b") + ".retry.1");
    page = call("GET", "/api/v1/dead-letters?page_size=2&cursor=" + page["next"].get<std::string>()).json();
    ASSERT_EQ(page["items"].size(), 1U);
    EXPECT_EQ(page["items"][0]["seq"], 9);
    EXPECT_EQ(page["total"], 4);
    EXPECT_TRUE(page["next"].is_null());
}

TEST_F(DeadLettersApi, TornAndHostileLinesAreLeftOutAndCounted) {
    const auto good = line("a", 1, "2026-11-22T10:00:01.000Z");
    write(file("a"), std::string("\0\xff\n", 3) + "{\"seq\": 1}\n[]\n" + std::string(100'000, '[') + "\n" +
                         R"({"seq": 2, "samples": [], "reason": 5, "rejected_at": {}})" + "\n" + good +
                         good.substr(0, good.size() / 2));
    const auto page = call("GET", "/api/v1/dead-letters");
    ASSERT_EQ(page.status, 200);
    EXPECT_EQ(page.json()["total"], 2);
    EXPECT_GE(page.json()["damaged_lines"], 4);
}

TEST_F(DeadLettersApi, RetryMovesThemOnceAndNeverOverwrites) {
    write(file("a"), line("a", 1, "1"));
    auto answer = call("POST", "/api/v1/dead-letters/retry", R"({"task_code": "T1"})").json();
    EXPECT_EQ(answer["letters"], 1);
    EXPECT_EQ(answer["samples"], 1);
    EXPECT_EQ(answer["items"][0]["running"], false);
    EXPECT_NE(answer["detail"].get<std::string>().find("next start"), std::string::npos);
    write(file("a") + ".1", line("a", 2, "2"));
    write(file("a"), line("a", 3, "3"));
    EXPECT_EQ(call("POST", "/api/v1/dead-letters/retry", R"({"task_code": "T1"})").json()["letters"], 2);
    for (const auto* number : {"1", "2", "3"}) {
        EXPECT_TRUE(std::filesystem::exists(file("a") + ".retry." + number)) << number;
    }
    EXPECT_EQ(seqs(""), (std::vector{3, 2, 1}));
    EXPECT_EQ(call("GET", "/api/v1/dead-letters").json()["items"][0]["state"], "retrying");
    EXPECT_EQ(call("POST", "/api/v1/dead-letters/retry", R"({"task_code": 5})").status, 422);
    EXPECT_EQ(call("POST", "/api/v1/dead-letters/retry", R"({"tusk": "T1"})").status, 422);
}

TEST_F(DeadLettersApi, ClearRemovesThemWithThoseThatWait) {
    write(file("a"), line("a", 1, "1"));
    write(file("a") + ".retry.1", line("a", 2, "2"));
    write(file("b"), line("b", 3, "3"));
    EXPECT_EQ(call("DELETE", "/api/v1/dead-letters?task_code=T1&sink_code=a").json()["letters"], 2);
    EXPECT_EQ(seqs(""), (std::vector{3}));
    EXPECT_EQ(call("DELETE", "/api/v1/dead-letters?task_code=T1").json()["samples"], 1);
    EXPECT_EQ(seqs(""), std::vector<int>{});
}

}  // namespace
}  // namespace fieldwarden::supervisor::testing
