#include "worker/sinks/history/history_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include "common/data_paths.h"
#include "common/history/history_reader.h"
#include "common/sample_block.h"
#include "proto/shapes.h"
#include "worker/sinks/history/history_writer.h"

namespace fieldwarden::worker {

namespace {

using proto::LogLevel;
using std::chrono::milliseconds;

// Upkeep between two deliveries takes at most about this long, so that deliveries keep pace.
constexpr milliseconds kUpkeepBudget{30};

class HistorySink : public Sink {
  public:
    explicit HistorySink(const SinkContext& context)
        : context_(context), path_(history_file(context.data_dir, context.task_code)) {}

    Status open() override {
        auto writer = HistoryWriter::open(path_, context_.history);
        if (!writer && writer.error().kind == ErrorKind::kCorrupt) {
            // A history that cannot be read must not stop new data; the old file stays for whoever can mend
            // it.
            const auto aside = HistoryWriter::move_aside(path_, system_clock().utc_now());
            if (!aside) return aside.error();
            say(LogLevel::kCritical,
                fmt::format("{}; it is kept as {} and a new history begins", writer.error().message, *aside));
            writer = HistoryWriter::open(path_, context_.history);
        }
        if (!writer) return writer.error();
        writer_ = std::move(*writer);
        return {};
    }

    DeliveryOutcome deliver(const DeliveryBatch& batch) override {
        DeliveryOutcome outcome;
        if (writer_ == nullptr) {
            if (const auto opened = open(); !opened) return keep(opened.error());
        }
        if (const auto written = writer_->write(batch); !written) return keep(written.error());
        outcome.verdicts.assign(batch.records.size(), Verdict::kAccepted);
        upkeep();
        return outcome;
    }

    [[nodiscard]] bool knows_directory(std::uint64_t version) const override {
        return writer_ != nullptr && writer_->directory_version() == version;
    }

    // A delivery is a transaction and a transaction is an fsync: few large ones.
    [[nodiscard]] Limits limits() const override { return {10'000, milliseconds{1'000}}; }

    Result<std::string> probe() override;

    // Nothing here waits longer than SQLite's busy timeout.
    void interrupt() override {}

  private:
    DeliveryOutcome keep(const Error& error) {
        // Met again, and moved aside, when it is opened for the next attempt.
        if (error.kind == ErrorKind::kCorrupt) writer_.reset();
        DeliveryOutcome outcome;
        outcome.reason = fmt::format("embedded history: {}", error.message);
        return outcome;
    }

    void upkeep() {
        const auto started = std::chrono::steady_clock::now();
        while (std::chrono::steady_clock::now() - started < kUpkeepBudget) {
            const auto worked = writer_->maintain(system_clock().utc_now());
            const std::string trouble = worked ? "" : worked.error().message;
            // Tried again after the next delivery; said when it begins.
            if (!trouble.empty() && upkeep_trouble_.empty()) {
                say(LogLevel::kError, "upkeep of the history: " + trouble);
            }
            upkeep_trouble_ = trouble;
            if (!worked || !*worked) return;
        }
    }

    void say(LogLevel level, std::string text) const {
        if (context_.log) context_.log(level, std::move(text));
    }

    SinkContext context_;
    std::string path_;
    std::string upkeep_trouble_;
    std::unique_ptr<HistoryWriter> writer_;
};

// In a database of its own beside the others: the task's may be in use by its worker.
Result<std::string> HistorySink::probe() {
    const std::string task = fmt::format("probe-{}", ::getpid());
    const std::string path = history_file(context_.data_dir, task);
    const auto clean_up = [&] {
        for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
    };
    clean_up();
    const Sample sample{1, Quality::kGood, QualityCode::kNone, system_clock().utc_now(), 42.0};
    const auto round_trip = [&]() -> Status {
        auto writer = HistoryWriter::open(path, context_.history);
        if (!writer) return writer.error();
        Bytes block;
        encode_sample_block({&sample, 1}, block);
        const PointDirectory directory{
            {1, {"probe", "probe", "probe", "", "probe", "", {BaseType::kFloat64, 0}}}};
        const DeliveryRecord record{1, block, {&sample, 1}};
        if (auto written = (*writer)->write({{&record, 1}, &directory, 1}); !written) return written;
        const auto read = query_history(context_.data_dir, task, {});
        if (!read) return read.error();
        if (read->size() != 1 || read->front().sample != sample) {
            return make_error(ErrorKind::kCorrupt,
                              fmt::format("{}: what was read back is not what was written", path));
        }
        return {};
    };
    const auto done = round_trip();
    clean_up();
    if (!done) return done.error();
    return fmt::format("wrote a sample under {}/history, read it back and removed it", context_.data_dir);
}

}  // namespace

Result<std::unique_ptr<Sink>> make_history_sink(const SinkConfig& /*config*/, const SinkContext& context) {
    return std::unique_ptr<Sink>{std::make_unique<HistorySink>(context)};
}

}  // namespace fieldwarden::worker
