#include "supervisor/gateway/metrics.h"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <sstream>
#include <string_view>

#include "supervisor/alerts/alerts.h"

namespace fieldwarden::supervisor::gateway {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using proto::Json;

namespace {

using Labels = std::vector<ClientMetric::Label>;

// Families in the making, in the order of their first sample.
class Families {
  public:
    void add(std::string_view name, MetricType type, std::string_view help, Labels labels, double value) {
        auto& family = family_of(name, type, help);
        ClientMetric metric;
        metric.label = std::move(labels);
        if (type == MetricType::Counter) {
            metric.counter.value = value;
        } else {
            metric.gauge.value = value;
        }
        family.metric.push_back(std::move(metric));
    }
    std::vector<MetricFamily> take() { return std::move(families_); }

  private:
    MetricFamily& family_of(std::string_view name, MetricType type, std::string_view help) {
        const auto [found, added] = positions_.try_emplace(std::string(name), families_.size());
        if (added) families_.push_back({std::string(name), std::string(help), type, {}});
        return families_[found->second];
    }
    std::vector<MetricFamily> families_;
    std::map<std::string, std::size_t> positions_;
};

// One row per number that is taken from a member of a published shape.
struct Source {
    std::string_view member;
    std::string_view metric;
    MetricType type;
    std::string_view help;
    double factor = 1;
};

constexpr std::array kProcessSources{
    Source{"cpu_percent", "fieldwarden_task_cpu_percent", MetricType::Gauge,
           "CPU use of the task's worker in percent of a core"},
    Source{"memory_mb", "fieldwarden_task_memory_bytes", MetricType::Gauge,
           "Private memory of the task's worker", 1024.0 * 1024.0},
    Source{"uptime_seconds", "fieldwarden_task_uptime_seconds", MetricType::Gauge,
           "Time since the worker started"},
    Source{"restart_count", "fieldwarden_task_restarts_total", MetricType::Counter,
           "Restarts of the task's worker"},
    Source{"health_score", "fieldwarden_task_health_score", MetricType::Gauge, "Health from 0 to 100"},
    Source{"data_collection_rate", "fieldwarden_task_points_per_second", MetricType::Gauge,
           "Points read in a second"},
    Source{"error_count_24h", "fieldwarden_task_errors_24h", MetricType::Gauge,
           "Errors in the last 24 hours"},
};

constexpr std::array kSessionSources{
    Source{"points_read", "fieldwarden_task_points_read_total", MetricType::Counter,
           "Points read in the running session"},
    Source{"points_delivered", "fieldwarden_task_points_delivered_total", MetricType::Counter,
           "Points accepted by every sink in the running session"},
    Source{"error_count", "fieldwarden_task_errors_total", MetricType::Counter,
           "Errors in the running session"},
    Source{"success_rate", "fieldwarden_task_success_percent", MetricType::Gauge,
           "Points read with good quality in the running session"},
};

constexpr std::array kPerformanceSources{
    Source{"cycle_ms", "fieldwarden_task_cycle_seconds", MetricType::Gauge,
           "Length of the last scan, slowest device", 0.001},
    Source{"response_time_ms", "fieldwarden_task_response_seconds", MetricType::Gauge,
           "Mean answer time of the devices", 0.001},
    Source{"missed_cycles", "fieldwarden_task_missed_cycles_total", MetricType::Counter,
           "Scans left out because the one before took too long"},
    Source{"spool_pending", "fieldwarden_task_spool_pending", MetricType::Gauge,
           "Samples not yet delivered to every sink"},
    Source{"spool_bytes", "fieldwarden_task_spool_bytes", MetricType::Gauge,
           "Bytes of the task's spool on disk"},
};

constexpr std::array kFleetSources{
    Source{"workers", "fieldwarden_workers", MetricType::Gauge, "Worker processes"},
    Source{"queue_pending", "fieldwarden_queue_pending", MetricType::Gauge,
           "Samples waiting for a sink, all tasks"},
    Source{"queue_retry", "fieldwarden_queue_retry", MetricType::Gauge,
           "Samples whose delivery is being tried again, all tasks"},
    Source{"queue_dead", "fieldwarden_queue_dead", MetricType::Gauge,
           "Samples a sink refused for good, all tasks"},
    Source{"processed_total", "fieldwarden_points_processed_total", MetricType::Counter,
           "Points processed, all tasks"},
    Source{"speed", "fieldwarden_points_per_second", MetricType::Gauge, "Points in a second, all tasks"},
};

void add_sources(Families& families, std::span<const Source> sources, const Labels& labels,
                 const Json& data) {
    for (const auto& source : sources) {
        const auto found = data.find(source.member);
        if (found == data.end() || !found->is_number()) continue;
        families.add(source.metric, source.type, source.help, labels, found->get<double>() * source.factor);
    }
}

std::string text_member(const Json& data, const char* member) {
    const auto found = data.find(member);
    return found != data.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

void add_processes(Families& families, const Services& services) {
    std::map<std::string, double> by_state;
    for (const auto& name : EnumNames<proto::ProcessState>::table) by_state.emplace(name.name, 0);
    const auto now = services.clock.utc_now();
    for (const auto& event : services.bus.last_values("process_status.")) {
        const Labels labels{{"task", text_member(event->data(), "name")}};
        if (const auto state = by_state.find(text_member(event->data(), "status")); state != by_state.end()) {
            state->second += 1;
            families.add("fieldwarden_task_state", MetricType::Gauge, "1, with the state the task is in",
                         {labels.front(), {"state", state->first}}, 1);
        }
        add_sources(families, kProcessSources, labels, event->data());
        if (const auto beat = parse_rfc3339(text_member(event->data(), "last_heartbeat"))) {
            families.add("fieldwarden_task_heartbeat_age_seconds", MetricType::Gauge,
                         "Time since the worker's last heartbeat", labels,
                         std::max(0.0, std::chrono::duration<double>(now - *beat).count()));
        }
    }
    for (const auto& [state, count] : by_state) {
        families.add("fieldwarden_tasks", MetricType::Gauge, "Tasks by state of their process",
                     {{"state", state}}, count);
    }
}

void add_sessions(Families& families, const Services& services) {
    for (const auto& event : services.bus.last_values("session.")) {
        const auto status = text_member(event->data(), "status");
        if (status == "stopped" || status == "completed" || status == "error") continue;
        add_sources(families, kSessionSources, {{"task", text_member(event->data(), "task_code")}},
                    event->data());
    }
    for (const auto& event : services.bus.last_values("performance.")) {
        add_sources(families, kPerformanceSources, {{"task", text_member(event->data(), "process_name")}},
                    event->data());
    }
    if (const auto fleet = services.bus.last_value("fleet"))
        add_sources(families, kFleetSources, {}, fleet->data());
}

// Open alerts are the last values of their topics.
void add_alerts(Families& families, const Services& services) {
    std::map<std::pair<std::string, std::string>, double> open;
    for (const auto state : {proto::AlertState::kFiring, proto::AlertState::kAcknowledged}) {
        for (const auto& severity : EnumNames<proto::Severity>::table) {
            open[{std::string(to_name(state)), std::string(severity.name)}] = 0;
        }
    }
    for (const auto& event : services.bus.last_values(kAlertTopic)) {
        const auto found =
            open.find({text_member(event->data(), "state"), text_member(event->data(), "severity")});
        if (found != open.end()) found->second += 1;
    }
    for (const auto& [labels, count] : open) {
        families.add("fieldwarden_alerts", MetricType::Gauge, "Open alerts by state and severity",
                     {{"state", labels.first}, {"severity", labels.second}}, count);
    }
    const auto channels = services.alerts.delivery_vitals();
    const auto add = [&](std::string_view name, MetricType type, std::string_view help, auto value) {
        for (const auto& channel : channels) {
            families.add(name, type, help, {{"channel", channel.code}}, static_cast<double>(value(channel)));
        }
    };
    add("fieldwarden_alert_notifications_sent_total", MetricType::Counter,
        "Notifications a channel has taken", [](const ChannelVitals& channel) { return channel.sent; });
    add("fieldwarden_alert_notifications_failed_total", MetricType::Counter,
        "Notifications given up after refusal or too many attempts",
        [](const ChannelVitals& channel) { return channel.failed; });
    add("fieldwarden_alert_notifications_dropped_total", MetricType::Counter,
        "Notifications dropped because too many waited or their channel was removed",
        [](const ChannelVitals& channel) { return channel.dropped; });
    add("fieldwarden_alert_notifications_waiting", MetricType::Gauge, "Notifications not sent yet",
        [](const ChannelVitals& channel) { return channel.waiting; });
}

void add_logs(Families& families, const Services& services) {
    const auto counters = services.control.log_counters();
    for (const auto& [task, counted] : counters.tasks) {
        const Labels labels{{"task", task}};
        const auto add = [&](std::string_view name, std::string_view help, std::uint64_t value) {
            families.add(name, MetricType::Counter, help, labels, static_cast<double>(value));
        };
        add("fieldwarden_task_log_lines_lost_total", "Lines of the worker's log over its rate limit",
            counted.lines_lost);
        add("fieldwarden_task_output_lines_total", "Log entries made of what the process printed",
            counted.output.lines);
        add("fieldwarden_task_output_lines_dropped_total", "Printed lines over the rate limit",
            counted.output.lines_dropped);
        add("fieldwarden_task_output_skipped_bytes_total", "Printed bytes that were not read",
            counted.output.bytes_skipped);
        add("fieldwarden_task_output_trimmed_bytes_total", "Bytes cut off the file of printed output",
            counted.output.bytes_trimmed);
    }
    families.add("fieldwarden_log_lines_dropped_total", MetricType::Counter,
                 "Lines of the supervisor that the disk did not take in time", {},
                 static_cast<double>(counters.lines_dropped + counters.write_failures));
    families.add("fieldwarden_log_disk_bytes", MetricType::Gauge, "Log files on disk, at the last cleaning",
                 {}, static_cast<double>(counters.disk_bytes));
}

// /proc/self: CPU time, memory and descriptors of the supervisor, under the names every Prometheus client
// library uses.
void add_process(Families& families) {
    const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    std::ifstream stat("/proc/self/stat");
    std::string line;
    std::getline(stat, line);
    // The second field, the program's name, may hold anything; the rest begins after its closing bracket.
    if (const auto close = line.rfind(')'); close != std::string::npos) {
        std::istringstream fields(line.substr(close + 1));
        std::string field;
        std::optional<double> cpu;
        for (int number = 3; fields >> field && number <= 24; ++number) {
            const double value = number == 3 ? 0 : std::strtod(field.c_str(), nullptr);
            if (number == 14 || number == 15) cpu = cpu.value_or(0) + value / ticks;
            if (number == 20)
                families.add("process_threads", MetricType::Gauge, "Threads of the supervisor", {}, value);
            if (number == 23) {
                families.add("process_virtual_memory_bytes", MetricType::Gauge,
                             "Virtual memory of the supervisor", {}, value);
            }
            if (number == 24) {
                families.add("process_resident_memory_bytes", MetricType::Gauge,
                             "Resident memory of the supervisor", {}, value * page);
            }
        }
        if (cpu) {
            families.add("process_cpu_seconds_total", MetricType::Counter, "CPU time of the supervisor", {},
                         *cpu);
        }
    }
    std::error_code error;
    std::size_t descriptors = 0;
    for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error);
         !error && entry != std::filesystem::directory_iterator{}; entry.increment(error)) {
        ++descriptors;
    }
    families.add("process_open_fds", MetricType::Gauge, "Open descriptors of the supervisor", {},
                 static_cast<double>(descriptors));
}

// What the supervisor's loop measures of itself.
void add_vitals(Families& families, const SupervisorVitals& vitals) {
    constexpr double kMilli = 1e-3;
    const auto gauge = [&](std::string_view name, std::string_view help, double value) {
        families.add(name, MetricType::Gauge, help, {}, value);
    };
    const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
        families.add(name, MetricType::Counter, help, {}, static_cast<double>(value));
    };
    gauge("fieldwarden_loop_lag_seconds", "How late the last turn of the supervisor's loop was",
          vitals.loop_lag_ms * kMilli);
    gauge("fieldwarden_loop_lag_worst_seconds", "The latest turn within the last minute",
          vitals.worst_loop_lag_ms * kMilli);
    gauge("fieldwarden_store_queue_depth", "Writes that wait for the configuration store",
          static_cast<double>(vitals.store_queue_depth));
    gauge("fieldwarden_store_latency_seconds", "From submitting the last write to its end",
          vitals.store_latency_ms * kMilli);
    counter("fieldwarden_store_failures_total", "Writes that were given up", vitals.store_failures);
    gauge("fieldwarden_workers_waiting_to_start", "Starts held back by the spawn rate or the stagger",
          vitals.waiting_to_launch);
    counter("fieldwarden_worker_launches_total", "Worker processes started", vitals.launches);
    counter("fieldwarden_worker_deaths_total", "Worker processes that ended without having been told",
            vitals.worker_deaths);
    counter("fieldwarden_spool_dropped_total",
            "Samples lost because a spool was full, too old or damaged on disk, all tasks",
            vitals.spool_dropped);
    counter("fieldwarden_link_messages_total", "Messages taken from workers", vitals.link_received);
    counter("fieldwarden_link_malformed_total", "Messages that were no messages, or from a stranger",
            vitals.link_malformed);
    counter("fieldwarden_link_refused_total", "Workers that did not prove their launch key",
            vitals.link_refused);
    gauge("process_max_fds", "Most files the supervisor may hold open", vitals.descriptor_limit);
    gauge("fieldwarden_data_disk_free_bytes", "Room left on the disk of the data directory",
          static_cast<double>(vitals.disk_free_bytes));
    gauge("fieldwarden_data_disk_bytes", "Size of the disk of the data directory",
          static_cast<double>(vitals.disk_bytes));
}

}  // namespace

struct Metrics::Http {
    prometheus::Registry registry;
    prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                            .Name("fieldwarden_http_requests_total")
                                                            .Help("HTTP requests by route and status")
                                                            .Register(registry);
    prometheus::Family<prometheus::Histogram>& durations =
        prometheus::BuildHistogram()
            .Name("fieldwarden_http_request_duration_seconds")
            .Help("Time from a request's head to the end of its answer; streams are not counted")
            .Register(registry);
};

Metrics::Metrics() : http_(std::make_unique<Http>()) {}
Metrics::~Metrics() = default;

void Metrics::count_request(const Route* route, int status, std::chrono::duration<double> took) {
    const std::string pattern = route ? std::string(route->pattern) : "unmatched";
    const std::string method = route ? std::string(to_name(route->method)) : "any";
    http_->requests.Add({{"route", pattern}, {"method", method}, {"status", std::to_string(status)}})
        .Increment();
    if (route && (route->kind == RouteKind::kEventStream || route->kind == RouteKind::kWebSocket)) return;
    static const prometheus::Histogram::BucketBoundaries kBounds{
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60};
    http_->durations.Add({{"route", pattern}, {"method", method}}, kBounds).Observe(took.count());
}

std::string Metrics::text(const Services& services) {
    Families families;
    families.add("fieldwarden_build_info", MetricType::Gauge, "Always 1; the version is in the label",
                 {{"version", services.version}}, 1);
    families.add("fieldwarden_config_revision", MetricType::Gauge, "Revision of the configuration in force",
                 {}, static_cast<double>(services.control.plant()->revision));
    families.add("fieldwarden_status_events_total", MetricType::Counter, "Events published on the status bus",
                 {}, static_cast<double>(services.bus.last_seq()));
    add_processes(families, services);
    add_sessions(families, services);
    add_alerts(families, services);
    add_logs(families, services);
    add_process(families);
    add_vitals(families, services.control.vitals());
    auto all = families.take();
    for (auto& family : http_->registry.Collect()) all.push_back(std::move(family));
    std::ostringstream out;
    prometheus::TextSerializer{}.Serialize(out, all);
    return out.str();
}

}  // namespace fieldwarden::supervisor::gateway
