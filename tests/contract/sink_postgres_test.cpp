// The PostgreSQL sink against a PostgreSQL of its own, read back by psql.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <future>
#include <limits>
#include <sstream>

#include "tests/contract/sink_contract.h"
#include "tests/unit/common/cutting_relay.h"
#include "tests/unit/common/postgres_server.h"
#include "worker/sinks/postgres/postgres_sink.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::year;

class PostgresServer : public fieldwarden::PostgresServer {
  public:
    Result<std::unique_ptr<Sink>> make(Options options = {}, std::string parameters = "") {
        options.emplace("password", kPassword);
        options.emplace("timeout_ms", "3000");
        return postgres::make_postgres_sink({"pg", "postgres", url("plant") + parameters, options},
                                            {"", "TASK", {}});
    }
};

class PostgresStore : public SinkUnderTest {
  public:
    std::unique_ptr<Sink> make() override {
        auto sink = server_.make();
        EXPECT_TRUE(sink);
        return std::move(*sink);
    }
    std::vector<StoredSample> contents() override {
        std::vector<StoredSample> stored;
        if (server_.sql("SELECT to_regclass('public.points')").empty()) return stored;
        std::stringstream lines{server_.sql(
            "SELECT point_code, (extract(epoch FROM ts) * 1000000)::bigint, value, quality, text_value FROM "
            "points ORDER BY ts, point_code")};
        for (std::string line; std::getline(lines, line);) {
            std::vector<std::string> fields;
            std::stringstream rest{line};
            for (std::string field; fields.size() < 4 && std::getline(rest, field, '|');)
                fields.push_back(field);
            std::string text;
            std::getline(rest, text);
            StoredSample sample;
            sample.point_code = fields.at(0);
            sample.time = UtcTime{std::chrono::microseconds{std::stoll(fields.at(1))}};
            if (!fields.at(2).empty()) {
                sample.value = std::stod(fields.at(2));
            } else if (!text.empty()) {
                sample.value = text;
            }
            sample.quality = static_cast<Quality>(std::stoi(fields.at(3)));
            stored.push_back(std::move(sample));
        }
        return stored;
    }
    void break_store(bool broken) override {
        if (broken) {
            // "Immediate shutdown": as a crash, but of its children as well, which outlive a killed parent
            // for a moment and might take a delivery.
            server_.process().end(SIGQUIT);
        } else {
            server_.process().start();
        }
    }

  private:
    PostgresServer server_;
};

INSTANTIATE_TEST_SUITE_P(Postgres, SinkContract,
                         ::testing::Values(SinkCase{"postgres",
                                                    [] { return std::make_unique<PostgresStore>(); }}),
                         [](const auto& param) { return param.param.name; });

UtcTime day(int month, int date) {
    return UtcTime{sys_days{year{2026} / month / date}};
}

sys_days today_of(UtcTime time) {
    return std::chrono::floor<std::chrono::days>(time);
}

std::string partition_of(sys_days one_day) {
    const std::chrono::year_month_day date{one_day};
    return fmt::format("points_{:04}{:02}{:02}", int{date.year()}, unsigned{date.month()},
                       unsigned{date.day()});
}

// One record of one sample each.
struct One {
    PointDirectory points{{1, {"S", "D", "", "", "P", "", {BaseType::kFloat64, 0}}},
                          {2, {"S", "D", "", "", "Q", "", {BaseType::kFloat64, 0}}}};
    std::vector<SampleBatch> samples;
    std::vector<DeliveryRecord> records;

    void add(UtcTime time, Value value, PointId point = 1) {
        samples.push_back({{point, Quality::kGood, QualityCode::kNone, time, std::move(value)}});
        records.clear();
        for (std::size_t i = 0; i < samples.size(); ++i) records.push_back({i + 1, {}, samples[i]});
    }
    DeliveryBatch batch(std::size_t from = 0) const { return {std::span{records}.subspan(from), &points, 1}; }
};

std::vector<Verdict> all(Verdict verdict, std::size_t count) {
    return std::vector(count, verdict);
}

class PostgresSinkTest : public ::testing::Test {
  protected:
    std::unique_ptr<Sink> sink(Options options = {}) {
        auto made = server_.make(std::move(options));
        EXPECT_TRUE(made);
        return std::move(*made);
    }
    static DeliveryOutcome deliver(Sink& sink, const One& one, std::size_t from = 0) {
        auto outcome = sink.deliver(one.batch(from));
        EXPECT_EQ(outcome.reason.find("pass word"), std::string::npos) << outcome.reason;
        return outcome;
    }
    static void accepts(Sink& sink, const One& one) {
        const auto outcome = deliver(sink, one);
        EXPECT_EQ(outcome.verdicts, all(Verdict::kAccepted, one.records.size())) << outcome.reason;
    }
    static DeliveryOutcome keeps(Sink& sink, const One& one) {
        auto outcome = deliver(sink, one);
        EXPECT_EQ(outcome.verdicts, all(Verdict::kKeep, one.records.size()));
        EXPECT_FALSE(outcome.bisect) << outcome.reason;
        EXPECT_FALSE(outcome.reason.empty());
        return outcome;
    }

    PostgresServer server_;
};

TEST_F(PostgresSinkTest, DaysHaveTheirPartitionsAndAbsurdTimesTheDefaultOne) {
    const auto today = today_of(system_clock().utc_now());
    const auto midnight = UtcTime{today};
    One one;
    one.add(midnight - 1us, 1.0);
    one.add(midnight, 2.0);
    one.add(UtcTime{} + 1us, 3.0);
    one.add(UtcTime{sys_days{year{9999} / 12 / 31}}, 4.0);
    one.add(UtcTime::max(), 5.0);
    one.add(UtcTime{sys_days{year{-4700} / 1 / 1}}, 6.0);
    const auto one_sink = sink();
    accepts(*one_sink, one);
    EXPECT_EQ(
        server_.sql("SELECT tableoid::regclass, value FROM points ORDER BY value"),
        fmt::format("{}|1\n{}|2\npoints_default|3\npoints_default|4\npoints_default|5\npoints_default|6",
                    partition_of(today - std::chrono::days{1}), partition_of(today)));
    EXPECT_EQ(
        server_.sql(fmt::format("SELECT to_regclass('{}')", partition_of(today + std::chrono::days{1}))),
        partition_of(today + std::chrono::days{1}))
        << "tomorrow's partition is there before midnight";
    EXPECT_EQ(server_.sql("SELECT count(*) FROM points_default WHERE ts > '9999-01-01'"), "2");
}

TEST_F(PostgresSinkTest, ADayWhoseSamplesAreInTheDefaultPartitionStaysThere) {
    const auto today = today_of(system_clock().utc_now());
    ASSERT_TRUE(sink()->open());
    server_.sql(fmt::format("INSERT INTO points VALUES ('{}', 'S', 'D', 'P', 1, NULL, 0)",
                            format_rfc3339(UtcTime{today} + 1s)));
    One one;
    one.add(UtcTime{today} + 2s, 2.0);
    const auto writer = sink();
    accepts(*writer, one);
    accepts(*writer, one);
    EXPECT_EQ(server_.sql("SELECT count(*) FROM points_default"), "2");
}

TEST_F(PostgresSinkTest, KeepsWhatADoubleOrATextCannotHold) {
    One one;
    const auto time = day(11, 1);
    one.add(time + 1s, std::uint64_t{18'446'744'073'709'551'615U});
    one.add(time + 2s, std::numeric_limits<std::int64_t>::min());
    one.add(time + 3s, std::int64_t{9'007'199'254'740'992});
    one.add(time + 4s, true);
    one.add(time + 5s, std::string{"a\0b\xFF", 4});
    one.add(time + 6s, std::numeric_limits<double>::quiet_NaN());
    one.add(time + 7s, -std::numeric_limits<double>::infinity());
    one.add(time + 8s, Value{});
    one.add(time + 9s, std::string{});
    one.points[1].point_code = "it's\\ \"P\"";
    accepts(*sink(), one);
    EXPECT_EQ(server_.sql("SELECT value, coalesce(text_value, '-') FROM points ORDER BY ts"),
              "1.8446744073709552e+19|18446744073709551615\n-9.223372036854776e+18|-9223372036854775808\n"
              "9.007199254740992e+15|-\n1|-\n|a\uFFFDb\uFFFD\nNaN|-\n-Infinity|-\n|-\n|");
}

TEST_F(PostgresSinkTest, TwoSinksThatMakeTheTableAtOnceBothWork) {
    for (const char* table : {"points", "Räume.My \"Points\"", "a", "b", "c"}) {
        std::vector<std::unique_ptr<Sink>> sinks;
        for (int i = 0; i < 6; ++i) sinks.push_back(sink({{"table", table}}));
        std::vector<std::future<void>> done;
        for (std::size_t i = 0; i < sinks.size(); ++i) {
            done.push_back(std::async(std::launch::async, [&, i] {
                One one;
                one.add(day(11, 1) + std::chrono::seconds{i}, static_cast<double>(i));
                one.add(system_clock().utc_now(), static_cast<double>(i), 2);
                accepts(*sinks[i], one);
            }));
        }
        for (auto& each : done) each.get();
    }
    EXPECT_EQ(server_.sql("SELECT count(*) FROM \"Räume\".\"My \"\"Points\"\"\" WHERE point_code = 'P'"),
              "6");
}

TEST_F(PostgresSinkTest, ATableDroppedUnderneathIsMadeAgain) {
    One one;
    const auto now = system_clock().utc_now();
    one.add(now, 1.0);
    const auto writer = sink();
    accepts(*writer, one);
    server_.sql("DROP TABLE points");
    const auto outcome = keeps(*writer, one);
    EXPECT_NE(outcome.reason.find("points"), std::string::npos);
    accepts(*writer, one);
    EXPECT_EQ(server_.sql("SELECT count(*) FROM points"), "1");
    // Without its partitions, too.
    server_.sql("DROP TABLE points_default; DROP TABLE " + partition_of(today_of(now)));
    keeps(*writer, one);
    accepts(*writer, one);
}

TEST_F(PostgresSinkTest, OneRefusedRecordIsFoundByBisection) {
    One one;
    one.add(day(11, 1), 1.0);
    one.add(day(11, 2), -1.0);
    one.add(day(11, 3), 3.0);
    const auto writer = sink();
    ASSERT_TRUE(writer->open());
    server_.sql("ALTER TABLE points ADD CONSTRAINT not_negative CHECK (value >= 0)");
    const auto outcome = deliver(*writer, one);
    EXPECT_TRUE(outcome.bisect);
    EXPECT_EQ(outcome.verdicts, all(Verdict::kKeep, 3));
    EXPECT_NE(outcome.reason.find("not_negative"), std::string::npos) << outcome.reason;
    const auto alone = [&](std::size_t i) {
        return writer->deliver({std::span{one.records}.subspan(i, 1), &one.points, 1});
    };
    EXPECT_EQ(alone(0).verdicts, all(Verdict::kAccepted, 1));
    EXPECT_TRUE(alone(1).bisect);
    EXPECT_EQ(alone(2).verdicts, all(Verdict::kAccepted, 1));
    EXPECT_EQ(server_.sql("SELECT value FROM points ORDER BY ts"), "1\n3");
}

TEST_F(PostgresSinkTest, AWrongPasswordIsSaidWithoutShowingIt) {
    auto writer = sink({{"password", "wrong pass word"}});
    const auto opened = writer->open();
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find("password authentication failed"), std::string::npos)
        << opened.error().message;
    EXPECT_EQ(opened.error().message.find("pass word"), std::string::npos);
    One one;
    one.add(day(11, 1), 1.0);
    keeps(*writer, one);
    EXPECT_FALSE(writer->probe());
}

TEST_F(PostgresSinkTest, MissingRightsAndForeignTablesAreNamed) {
    One one;
    one.add(day(11, 1), 1.0);
    server_.sql("CREATE TABLE other (ts timestamptz); CREATE TABLE keyless (LIKE other)");
    server_.sql(
        "CREATE TABLE locked (ts timestamptz, site_code text, device_code text, point_code text, value "
        "double precision, text_value text, quality smallint, PRIMARY KEY (point_code, ts))");
    server_.sql("CREATE TABLE nokey (LIKE locked); GRANT ALL ON nokey TO writer");
    EXPECT_NE(keeps(*sink({{"table", "other"}}), one).reason.find("lacks one of the columns"),
              std::string::npos);
    const auto locked = sink({{"table", "locked"}});
    EXPECT_NE(keeps(*locked, one).reason.find("permission denied"), std::string::npos);
    EXPECT_NE(keeps(*sink({{"table", "nokey"}}), one).reason.find("primary key (point_code, ts)"),
              std::string::npos);
    server_.sql("GRANT SELECT, INSERT ON locked TO writer");
    accepts(*locked, one);
    EXPECT_EQ(server_.sql("SELECT count(*) FROM locked"), "1");
}

TEST_F(PostgresSinkTest, AFrozenServerEndsByInterruptOrTimeout) {
    One one;
    one.add(day(11, 1), 1.0);
    const auto writer = sink({{"timeout_ms", "600000"}, {"connect_timeout_ms", "600000"}});
    accepts(*writer, one);
    // The connection's own process is stopped, not only the one that takes connections.
    const auto backend = std::stoi(
        server_.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'fieldwarden TASK/pg'"));
    server_.process().freeze();
    ::kill(backend, SIGSTOP);
    auto stuck = std::async(std::launch::async, [&] { return keeps(*writer, one); });
    EXPECT_EQ(stuck.wait_for(50ms), std::future_status::timeout);
    writer->interrupt();
    EXPECT_NE(stuck.get().reason.find("interrupted"), std::string::npos);
    // Now while connecting.
    auto connecting = std::async(std::launch::async, [&] { return keeps(*writer, one); });
    writer->interrupt();
    connecting.get();
    const auto impatient = sink({{"timeout_ms", "200"}, {"connect_timeout_ms", "200"}});
    EXPECT_NE(keeps(*impatient, one).reason.find("no answer within 200ms"), std::string::npos);
    ::kill(backend, SIGCONT);
    server_.process().thaw();
    accepts(*writer, one);
    EXPECT_EQ(server_.sql("SELECT count(*) FROM points"), "1");
}

TEST_F(PostgresSinkTest, ARestartedServerIsFoundAgainAtOnce) {
    One one;
    one.add(day(11, 1), 1.0);
    const auto writer = sink();
    accepts(*writer, one);
    server_.process().kill();
    server_.process().start();
    one.add(day(11, 2), 2.0);
    // The closed connection is noticed before anything is sent on it.
    accepts(*writer, one);
    // So is one that an administrator ended.
    server_.sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE "
        "'fieldwarden%'");
    accepts(*writer, one);
    EXPECT_EQ(server_.sql("SELECT count(*) FROM points"), "2");
}

TEST_F(PostgresSinkTest, ALockedTableAndAFullDiskAreKeptForLater) {
    One one;
    one.add(day(11, 1), 1.0);
    const auto writer = sink({{"timeout_ms", "400"}});
    ASSERT_TRUE(writer->open());
    // A prepared transaction holds its locks without a session.
    server_.sql("BEGIN; LOCK TABLE points IN EXCLUSIVE MODE; PREPARE TRANSACTION 'holder'");
    keeps(*writer, one);
    server_.sql("ROLLBACK PREPARED 'holder'");
    server_.sql(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION USING "
        "ERRCODE "
        "= '53100', MESSAGE = 'no space left on device'; END$$; CREATE TRIGGER full_disk BEFORE INSERT ON "
        "points FOR EACH ROW EXECUTE FUNCTION full_disk()");
    const auto outcome = keeps(*writer, one);
    EXPECT_NE(outcome.reason.find("no space left on device (SQLSTATE 53100)"), std::string::npos);
    server_.sql("DROP TRIGGER full_disk ON points");
    accepts(*writer, one);
}

TEST_F(PostgresSinkTest, ARepeatedBatchAndRepeatsWithinItChangeNothing) {
    One one;
    one.add(day(11, 1), 1.0);
    one.add(day(11, 1), 2.0);
    const auto writer = sink();
    accepts(*writer, one);
    accepts(*writer, one);
    EXPECT_EQ(server_.sql("SELECT value FROM points"), "1");
}

TEST_F(PostgresSinkTest, ADeliveryThatIsHalfThereIsMadeWholeAndTheNextOnesAreTaken) {
    One one;
    one.add(day(11, 1), 1.0);
    one.add(day(11, 2), 2.0);
    const auto writer = sink();
    accepts(*writer, one);
    // A new one between two that are there, a repeat within the batch, and what is there with another value.
    One mixed;
    mixed.add(day(11, 1), 7.0);
    mixed.add(day(11, 3), 3.0);
    mixed.add(day(11, 3), 8.0);
    mixed.add(day(11, 2), 9.0);
    accepts(*writer, mixed);
    EXPECT_EQ(server_.sql("SELECT value FROM points ORDER BY ts"), "1\n2\n3");
    for (unsigned i = 4; i < 60; ++i) {
        One next;
        next.add(day(11, 1) + std::chrono::hours{100 * i}, double(i));
        accepts(*writer, next);
        accepts(*writer, next);
    }
    EXPECT_EQ(server_.sql("SELECT count(*), sum(value) FROM points"), "59|1770");
}

// A connection that ends at the very moment of the commit: what has become of it the sink cannot know, and
// need not, because it says the same again.
TEST_F(PostgresSinkTest, ACommitWhoseOutcomeIsUnknownNeitherLosesNorRepeats) {
    CuttingRelay relay{server_.process().port()};
    const auto made =
        postgres::make_postgres_sink({"pg",
                                      "postgres",
                                      server_.url_over(relay.port(), "plant"),
                                      {{"password", PostgresServer::kPassword}, {"timeout_ms", "10000"}}},
                                     {"", "TASK", {}});
    ASSERT_TRUE(made) << made.error().message;
    auto& writer = **made;
    ASSERT_TRUE(writer.open());
    One one;
    int stored = 0;
    const auto lose = [&](const std::string& words, CuttingRelay::Loses what) {
        ++stored;
        one = {};
        one.add(day(11, 1) + std::chrono::hours{stored}, double(stored));
        one.add(day(11, 1) + std::chrono::hours{stored}, double(stored), 2);
        relay.lose(words, what);
        keeps(writer, one);
        relay.wait_for_break();
        // The server's process of that connection may still be at it: it is gone before anybody else asks.
        server_.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE "
            "'fieldwarden%'");
        const bool there = what == CuttingRelay::Loses::kAnswer;
        EXPECT_EQ(server_.sql("SELECT count(*) FROM points"),
                  std::to_string(2 * (there ? stored : stored - 1)));
        accepts(writer, one);
        EXPECT_EQ(server_.sql("SELECT count(*), sum(value) FROM points"),
                  fmt::format("{}|{}", 2 * stored, stored * (stored + 1)));
    };
    const std::string end_of_copy{"c\0\0\0\4", 5};  // CopyDone
    // The first delivery of a connection goes over the staging table, the next one straight into the table.
    lose("; COMMIT", CuttingRelay::Loses::kAnswer);
    lose(end_of_copy, CuttingRelay::Loses::kAnswer);
    lose(end_of_copy, CuttingRelay::Loses::kRequest);
    accepts(writer, one);  // a repeat: the next ones go over the staging table
    lose("; COMMIT", CuttingRelay::Loses::kRequest);
}

TEST_F(PostgresSinkTest, ATableWithRowSecurityIsWritten) {
    const auto writer = sink();
    ASSERT_TRUE(writer->open());
    server_.sql(
        "ALTER TABLE points ENABLE ROW LEVEL SECURITY; ALTER TABLE points FORCE ROW LEVEL SECURITY;"
        "CREATE POLICY everybody ON points USING (true) WITH CHECK (true)");
    One one;
    one.add(day(11, 1), 1.0);
    accepts(*writer, one);
    accepts(*writer, one);
    EXPECT_EQ(server_.sql("SELECT value FROM points"), "1");
}

TEST(PostgresSinkMake, RefusesWhatDoesNotParseWithoutShowingIt) {
    const auto make = [](const std::string& url, const std::string& table) {
        return postgres::make_postgres_sink({"pg", "postgres", url, {{"table", table}}}, {"", "TASK", {}});
    };
    for (const char* url : {"postgresql://u:geheim@h/%zz", "postgresql://u:geheim@h:1/d?nonsense=geheim",
                            "postgresql://u:geheim@[::1"}) {
        const auto made = make(url, "points");
        ASSERT_FALSE(made) << url;
        EXPECT_EQ(made.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_EQ(made.error().message.find("geheim"), std::string::npos) << made.error().message;
    }
    EXPECT_FALSE(make("postgresql://u@h/d", "a.b.c"));
    EXPECT_TRUE(make("postgresql://u@h/d", "a.b"));
    const auto from_module = make_sink({"pg", "postgres", "postgresql://u@h/d", {}}, {"", "TASK", {}, {}});
    EXPECT_TRUE(from_module) << from_module.error().message;
}

}  // namespace
}  // namespace fieldwarden::worker
