#include "worker/worker_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/data_paths.h"

namespace fieldwarden::worker {

using proto::Json;
using proto::LogEntry;
using proto::LogLevel;

namespace {

constexpr std::size_t kMostWaiting = 1'000;
constexpr std::size_t kLongestMessage = 8'192;  // bytes; a peer's error text may be a whole page
constexpr std::size_t kLeastSecret = 4;

constexpr std::array<std::string_view, 8> kSecretWords{"password",   "passwd",  "token",       "secret",
                                                       "credential", "api_key", "private_key", "access_key"};

void collect_options(const Options& options, std::vector<std::string>& secrets) {
    for (const auto& [name, value] : options) {
        const auto secret =
            std::any_of(kSecretWords.begin(), kSecretWords.end(),
                        [&key = name](std::string_view word) { return key.find(word) != std::string::npos; });
        if (secret && value.size() >= kLeastSecret) secrets.push_back(value);
    }
}

// scheme://user:password@host
void collect_url(std::string_view url, std::vector<std::string>& secrets) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return;
    const auto authority = url.substr(scheme + 3, url.find_first_of("/?#", scheme + 3) - scheme - 3);
    const auto at = authority.rfind('@');
    if (at == std::string_view::npos) return;
    const auto colon = authority.find(':');
    if (colon < at && at - colon - 1 >= kLeastSecret)
        secrets.emplace_back(authority.substr(colon + 1, at - colon - 1));
}

// A task option that only the log knows.
std::uint64_t number_option(const Options& options, std::string_view name, std::uint64_t fallback) {
    const auto found = options.find(name);
    if (found == options.end()) return fallback;
    std::uint64_t value = 0;
    const auto* end = found->second.data() + found->second.size();
    const auto parsed = std::from_chars(found->second.data(), end, value);
    return parsed.ec == std::errc{} && parsed.ptr == end && value > 0 ? value : fallback;
}

}  // namespace

std::vector<std::string> secrets_of(const DeviceConfig& device) {
    std::vector<std::string> secrets;
    collect_options(device.options, secrets);
    collect_url(device.address, secrets);
    return secrets;
}

std::vector<std::string> secrets_of(const SinkConfig& sink) {
    std::vector<std::string> secrets;
    collect_options(sink.options, secrets);
    collect_url(sink.url, secrets);
    return secrets;
}

std::vector<std::string> secrets_of(const TaskConfig& config) {
    std::vector<std::string> secrets;
    const auto add = [&](std::vector<std::string> more) {
        secrets.insert(secrets.end(), std::make_move_iterator(more.begin()),
                       std::make_move_iterator(more.end()));
    };
    for (const auto& device : config.devices) add(secrets_of(device));
    for (const auto& sink : config.sinks) add(secrets_of(sink));
    return secrets;
}

WorkerLog::WorkerLog(const Clock& clock) : clock_(clock), least_(LogLevel::kInfo) {}

void WorkerLog::open(const std::string& data_dir, const TaskConfig& config) {
    const std::lock_guard lock{mutex_};
    process_name_ = config.task_code;
    least_ = from_name<LogLevel>(config.log_level).value_or(LogLevel::kInfo);
    const std::string path = log_file(data_dir, config.task_code);
    if (file_ != nullptr && file_->path() == path) return;
    RotatingFileOptions options;
    options.max_bytes = number_option(config.options, "log_max_file_bytes", options.max_bytes);
    options.max_files = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(number_option(config.options, "log_max_files", options.max_files), 1'000));
    // A log that cannot be written must not stop acquisition; each line tries again.
    (void)make_directories(data_dir + "/log");
    file_ = std::make_unique<RotatingFile>(path, options);
    for (auto& entry : waiting_) {
        entry.process_name = process_name_;
        (void)file_->write_line(to_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace));
    }
}

void WorkerLog::hide(std::vector<std::string> secrets) {
    const std::lock_guard lock{mutex_};
    for (auto& secret : secrets) {
        if (secret.size() < kLeastSecret) continue;
        if (std::find(secrets_.begin(), secrets_.end(), secret) == secrets_.end())
            secrets_.push_back(std::move(secret));
    }
    // Longest first: one secret may be a part of another.
    std::sort(secrets_.begin(), secrets_.end(),
              [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

void WorkerLog::write(LogLevel level, std::string message) {
    LogEntry entry;
    entry.level = level;
    entry.message = std::move(message);
    write(std::move(entry));
}

void WorkerLog::write(LogEntry entry) {
    const std::lock_guard lock{mutex_};
    if (entry.level < least_) return;
    const auto now = clock_.mono_now();
    if (!to_file_.allow(now)) {
        ++unsaid_;
        return;
    }
    if (unsaid_ > 0) {
        LogEntry told;
        told.level = LogLevel::kWarning;
        told.message = fmt::format("{} log lines were dropped by the rate limit", std::exchange(unsaid_, 0));
        write_locked(std::move(told));
    }
    write_locked(std::move(entry));
}

void WorkerLog::write_locked(LogEntry entry) {
    entry.timestamp = clock_.utc_now();
    entry.process_name = process_name_;
    for (const auto& secret : secrets_) {
        for (auto* text : {&entry.message, &entry.exception_info}) {
            for (auto at = text->find(secret); at != std::string::npos; at = text->find(secret, at + 3)) {
                text->replace(at, secret.size(), "***");
            }
        }
    }
    if (entry.message.size() > kLongestMessage) {
        entry.message.resize(kLongestMessage);
        entry.message += "…";
    }
    if (file_ != nullptr) {
        (void)file_->write_line(to_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    if (waiting_.size() >= kMostWaiting || !to_supervisor_.allow(clock_.mono_now())) {
        ++not_sent_;
        return;
    }
    waiting_.push_back(std::move(entry));
}

LogFunction WorkerLog::function() {
    return [this](LogLevel level, std::string message) { write(level, std::move(message)); };
}

std::optional<proto::Log> WorkerLog::take(std::size_t most) {
    const std::lock_guard lock{mutex_};
    if (waiting_.empty() && not_sent_ == 0) return std::nullopt;
    proto::Log batch;
    const auto count = std::min(most, waiting_.size());
    batch.entries.assign(std::make_move_iterator(waiting_.begin()),
                         std::make_move_iterator(waiting_.begin() + static_cast<std::ptrdiff_t>(count)));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    batch.dropped = std::exchange(not_sent_, 0);
    return batch;
}

void WorkerLog::not_sent(const proto::Log& batch) {
    const std::lock_guard lock{mutex_};
    not_sent_ += batch.entries.size() + batch.dropped;
}

}  // namespace fieldwarden::worker
