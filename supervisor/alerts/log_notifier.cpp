// The supervisor's own log as a channel, and which notifier is which.
#include <fmt/format.h>

#include "supervisor/alerts/notifier.h"

namespace fieldwarden::supervisor {

namespace {

class LogNotifier final : public Notifier {
  public:
    explicit LogNotifier(AlertLog log) : log_(std::move(log)) {}

    Result<std::string> send(const proto::Alert& alert, const std::atomic<bool>&) override {
        log_(level_of(alert),
             fmt::format("alert {} ({}): {}", alert.id, to_name(alert.severity), headline(alert)));
        return std::string{"written"};
    }

  private:
    static proto::LogLevel level_of(const proto::Alert& alert) {
        if (alert.state == proto::AlertState::kResolved) return proto::LogLevel::kInfo;
        switch (alert.severity) {
            case proto::Severity::kInfo:
                return proto::LogLevel::kInfo;
            case proto::Severity::kWarning:
                return proto::LogLevel::kWarning;
            case proto::Severity::kCritical:
                return proto::LogLevel::kError;
        }
        return proto::LogLevel::kError;
    }
    AlertLog log_;
};

}  // namespace

std::unique_ptr<Notifier> make_notifier(const AlertChannel& channel, const Clock& clock, AlertLog log) {
    switch (channel.type) {
        case ChannelType::kLog:
            return std::make_unique<LogNotifier>(std::move(log));
        case ChannelType::kWebhook:
            return make_webhook(channel, clock);
        case ChannelType::kEmail:
            return make_mailer(channel, clock);
    }
    return std::make_unique<LogNotifier>(std::move(log));
}

}  // namespace fieldwarden::supervisor
