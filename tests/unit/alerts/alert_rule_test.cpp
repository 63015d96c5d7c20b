#include "supervisor/alerts/alert_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "supervisor/alerts/channel.h"
#include "supervisor/alerts/notifier.h"
#include "supervisor/alerts/silence.h"

namespace fieldwarden::supervisor {
namespace {

using proto::Json;
using testing::Contains;
using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> fields(const std::vector<RuleProblem>& problems) {
    std::vector<std::string> names;
    for (const auto& each : problems) names.push_back(each.field);
    return names;
}

std::vector<std::string> wrong(const Json& body, const AlertRule* stored = nullptr) {
    std::vector<RuleProblem> problems;
    (void)rule_from_json(body, stored, problems);
    return fields(problems);
}

TEST(AlertRule, EveryKindIsInTheTableOnceAndReadsBackWhatItWrites) {
    ASSERT_EQ(rule_kinds().size(), EnumNames<RuleKind>::table.size());
    for (const auto& name : EnumNames<RuleKind>::table) {
        const auto& spec = spec_of(name.value);
        EXPECT_EQ(spec.kind, name.value);
        EXPECT_FALSE(spec.help.empty() || spec.message.empty() || spec.suggested_action.empty()) << name.name;
        AlertRule rule;
        rule.code = "R";
        rule.kind = name.value;
        rule.states = {proto::ProcessState::kCrashed, proto::ProcessState::kBackoff};
        rule.points = {"P*"};
        rule.hold = milliseconds{1234};
        rule.message = "{task}: {detail}";
        for (const auto& parameter : spec.parameters)
            rule.numbers[std::string{parameter.name}] = parameter.most;
        if (name.value == RuleKind::kThreshold) rule.numbers["below"] = 0;
        std::vector<RuleProblem> problems;
        const auto again = rule_from_json(to_json(rule), nullptr, problems);
        EXPECT_THAT(fields(problems), IsEmpty()) << name.name;
        if (name.value != RuleKind::kProcessState) rule.states = again.states;
        EXPECT_EQ(again, rule) << name.name;
    }
    EXPECT_EQ(rule_kinds_json().size(), kRuleKindCount);
}

TEST(AlertRule, AnEmptyListOfTasksOrDevicesMeansAll) {
    std::vector<RuleProblem> problems;
    const auto rule = rule_from_json({{"code", "R"},
                                      {"kind", "threshold"},
                                      {"tasks", Json::array()},
                                      {"devices", Json::array()},
                                      {"points", {"P"}},
                                      {"parameters", {{"above", 5}}}},
                                     nullptr, problems);
    EXPECT_THAT(fields(problems), IsEmpty());
    EXPECT_THAT(rule.tasks, ElementsAre("*"));
    EXPECT_THAT(rule.devices, ElementsAre("*"));
}

TEST(AlertRule, TheBuiltInOnesAreGoodAndTellDifferentThings) {
    std::set<std::string> codes;
    for (const auto& rule : built_in_rules()) {
        EXPECT_THAT(wrong(to_json(rule)), IsEmpty()) << rule.code;
        EXPECT_TRUE(rule.built_in);
        EXPECT_TRUE(codes.insert(rule.code).second) << rule.code;
    }
    EXPECT_GE(codes.size(), 8U);
}

TEST(AlertRule, EveryWrongMemberIsNamed) {
    EXPECT_THAT(wrong(Json::object()), ElementsAre("code", "kind"));
    EXPECT_THAT(wrong({{"code", "a b"},
                       {"kind", "magic"},
                       {"severity", 3},
                       {"for_ms", -1},
                       {"clear_ms", "x"},
                       {"enabled", "yes"},
                       {"tasks", "T1"},
                       {"points", {1}},
                       {"message", "{who}"},
                       {"more", 1}}),
                ElementsAre("code", "kind", "enabled", "tasks", "points", "for_ms", "clear_ms", "severity",
                            "message", "more"));
    EXPECT_THAT(wrong({{"code", "42"}, {"kind", "disk_low"}, {"parameters", {{"free_mb", 5}}}}),
                ElementsAre("code"))
        << "a code of digits would be taken for an id";
    EXPECT_THAT(wrong({{"code", "R"}, {"kind", "threshold"}}), ElementsAre("parameters.above", "points"));
    EXPECT_THAT(wrong({{"code", "R"},
                       {"kind", "threshold"},
                       {"points", {"P"}},
                       {"parameters", {{"above", "hot"}, {"per_second", 1}}}}),
                ElementsAre("parameters.above", "parameters.per_second", "parameters.above"));
    EXPECT_THAT(wrong({{"code", "R"},
                       {"kind", "threshold"},
                       {"points", {"P"}},
                       {"parameters", {{"above", 1}, {"below", 2}}}}),
                ElementsAre("parameters.below"));
    EXPECT_THAT(wrong({{"code", "R"}, {"kind", "process_state"}, {"parameters", {{"states", {"DEAD"}}}}}),
                ElementsAre("parameters.states"));
    EXPECT_THAT(wrong({{"code", "R"}, {"kind", "sink_down"}, {"repeat_ms", 5}}), ElementsAre("repeat_ms"));
    EXPECT_THAT(wrong({{"code", "R"}, {"kind", "sink_down"}, {"parameters", {{"x", 5}}}}),
                ElementsAre("parameters.x"));
}

TEST(AlertRule, APatchChangesWhatItNames) {
    std::vector<RuleProblem> problems;
    const auto rule = rule_from_json({{"code", "R"},
                                      {"kind", "threshold"},
                                      {"points", {"P"}},
                                      {"for_ms", 500},
                                      {"parameters", {{"above", 80}, {"below", 5}}}},
                                     nullptr, problems);
    ASSERT_THAT(fields(problems), IsEmpty());
    const auto after = rule_from_json(
        {{"parameters", {{"above", 90}, {"below", nullptr}}}, {"for_ms", nullptr}, {"severity", "info"}},
        &rule, problems);
    EXPECT_THAT(fields(problems), IsEmpty());
    EXPECT_EQ(after.number("above"), 90);
    EXPECT_EQ(after.number("below"), std::nullopt);
    EXPECT_EQ(after.number("hysteresis"), 0);
    EXPECT_EQ(after.hold, std::nullopt);
    EXPECT_EQ(after.severity, proto::Severity::kInfo);
    EXPECT_EQ(after.points, rule.points);
    EXPECT_THAT(wrong({{"code", "S"}}, &rule), ElementsAre("code"));
    EXPECT_THAT(wrong({{"kind", "frozen"}}, &rule), ElementsAre("kind"));
}

TEST(AlertRule, MessagesAreFilledIn) {
    const std::array<std::pair<std::string_view, std::string_view>, 2> values{
        {{"task", "T{point}"}, {"value", "7"}}};
    EXPECT_EQ(fill_in("{task} is {value}{", values), "T{point} is 7{")
        << "what is filled in is not read again";
    EXPECT_EQ(fill_in("{none} {value", values), "{none} {value");
    EXPECT_EQ(fill_in("", values), "");
}

TEST(Silence, HasAnEndAfterItsStart) {
    const UtcTime now{std::chrono::seconds{1'795'000'000}};
    const auto check = [&](const Json& body) {
        std::vector<RuleProblem> problems;
        (void)silence_from_json(body, nullptr, now, problems);
        return fields(problems);
    };
    EXPECT_THAT(check(Json::object()), ElementsAre("ends_at"));
    EXPECT_THAT(check({{"ends_at", format_rfc3339(now)}}), ElementsAre("ends_at"));
    EXPECT_THAT(check({{"ends_at", "tomorrow"}}), ElementsAre("ends_at"));
    EXPECT_THAT(check({{"ends_at", format_rfc3339(now + std::chrono::hours{1})}}), IsEmpty());
    EXPECT_THAT(check({{"ends_at", format_rfc3339(now + std::chrono::days{400})}}), ElementsAre("ends_at"));
}

TEST(AlertChannel, SecretsAreNeverShownAndTheMaskKeepsThem) {
    std::vector<RuleProblem> problems;
    const auto channel =
        channel_from_json({{"code", "W"},
                           {"type", "webhook"},
                           {"options", {{"url", "https://u:pw@h.example/x"}, {"secret", "s3cret"}}}},
                          nullptr, problems);
    ASSERT_THAT(fields(problems), IsEmpty());
    const auto shown = to_json(channel).dump();
    EXPECT_THAT(shown, Not(HasSubstr("s3cret")));
    EXPECT_THAT(shown, Not(HasSubstr("pw@")));
    EXPECT_THAT(to_json(channel, true).dump(), HasSubstr("s3cret"));
    auto back = to_json(channel);
    back["name"] = "renamed";
    const auto again = channel_from_json(back, &channel, problems);
    EXPECT_THAT(fields(problems), IsEmpty());
    EXPECT_EQ(again.options, channel.options);
}

TEST(AlertChannel, AStoredSecretDoesNotGoToAnotherAddress) {
    std::vector<RuleProblem> problems;
    const auto mail = channel_from_json({{"code", "M"},
                                         {"type", "email"},
                                         {"options",
                                          {{"url", "smtp://mail.example"},
                                           {"from", "a@b.example"},
                                           {"to", "c@d.example"},
                                           {"username", "u"},
                                           {"password", "p"}}}},
                                        nullptr, problems);
    ASSERT_THAT(fields(problems), IsEmpty());
    (void)channel_from_json({{"options", {{"url", "smtp://evil.example"}, {"password", "********"}}}}, &mail,
                            problems);
    EXPECT_THAT(fields(problems), ElementsAre("options.password"));
    problems.clear();
    (void)channel_from_json({{"options", {{"url", "smtp://evil.example"}}}}, &mail, problems);
    EXPECT_THAT(fields(problems), ElementsAre("options.password"));
    problems.clear();
    const auto moved = channel_from_json(
        {{"options", {{"url", "smtp://other.example"}, {"password", nullptr}}}}, &mail, problems);
    EXPECT_THAT(fields(problems), IsEmpty());
    EXPECT_EQ(moved.option("password"), "");
}

TEST(AlertChannel, EveryWrongOptionIsNamed) {
    const auto check = [](const char* type, const Json& options) {
        std::vector<RuleProblem> problems;
        (void)channel_from_json({{"code", "C"}, {"type", type}, {"options", options}}, nullptr, problems);
        return fields(problems);
    };
    EXPECT_THAT(check("webhook", Json::object()), ElementsAre("options.url"));
    EXPECT_THAT(check("webhook", {{"url", "file:///etc/passwd"}}), ElementsAre("options.url"));
    EXPECT_THAT(check("webhook", {{"url", "http://h"}, {"timeout", "1h"}, {"magic", 1}}),
                ElementsAre("options.magic", "options.timeout"));
    EXPECT_THAT(check("email", {{"url", "smtp://h"}}), ElementsAre("options.from", "options.to"));
    EXPECT_THAT(check("email", {{"url", "smtp://h"}, {"from", "a@b\r\nBcc: x@y"}, {"to", "c@d"}}),
                ElementsAre("options.from"));
    EXPECT_THAT(check("email", {{"url", "smtp://h"}, {"from", "a@b"}, {"to", "c@d, not an address"}}),
                ElementsAre("options.to"));
    EXPECT_THAT(check("log", Json::object()), IsEmpty());
}

TEST(Webhook, SignsTimestampAndBody) {
    // Checked with: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    EXPECT_EQ(webhook_signature("key", "1700000000", "{}"),
              "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae");
}

proto::Alert sample_alert() {
    proto::Alert alert;
    alert.id = 12;
    alert.message =
        "储罐 3 温度过高，超过八十度 and the text goes on for longer than one encoded word can take";
    alert.severity = proto::Severity::kCritical;
    alert.process_name = "T1";
    return alert;
}

AlertChannel mail_channel() {
    AlertChannel channel;
    channel.type = ChannelType::kEmail;
    channel.options = {
        {"url", "smtp://h"}, {"from", "plant@example.com"}, {"to", "a@example.com, b@example.com"}};
    return channel;
}

TEST(Mail, HasProperHeaders) {
    const auto mail = mail_text(mail_channel(), sample_alert(), UtcTime{std::chrono::seconds{1'795'000'000}});
    EXPECT_THAT(mail, HasSubstr("Date: Wed, 18 Nov 2026 11:06:40 +0000\r\n"));
    EXPECT_THAT(mail, HasSubstr("From: <plant@example.com>\r\n"));
    EXPECT_THAT(mail, HasSubstr("To: <a@example.com>,\r\n <b@example.com>\r\n"));
    EXPECT_THAT(mail, HasSubstr("Subject: =?UTF-8?B?"));
    EXPECT_THAT(mail, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
    std::size_t start = 0;
    while (start < mail.size()) {
        const auto end = mail.find("\r\n", start);
        ASSERT_NE(end, std::string::npos);
        EXPECT_LE(end - start, 78U) << mail.substr(start, end - start);
        for (auto at = start; at < end; ++at) {
            EXPECT_TRUE(mail[at] >= 0x20 && mail[at] < 0x7f) << "only ASCII on the line";
        }
        start = end + 2;
    }
}

TEST(Mail, ALineBreakInAMessageStartsNoHeader) {
    auto alert = sample_alert();
    alert.message = "x\r\nBcc: thief@example.com\r\n\r\nbody";
    const auto mail = mail_text(mail_channel(), alert, UtcTime{});
    EXPECT_THAT(mail, Not(HasSubstr("Bcc")));
}

TEST(Headline, SaysWhatBecameOfIt) {
    auto alert = sample_alert();
    alert.message = "m";
    EXPECT_EQ(headline(alert), "m");
    alert.state = proto::AlertState::kResolved;
    EXPECT_EQ(headline(alert), "resolved: m");
}

}  // namespace
}  // namespace fieldwarden::supervisor
