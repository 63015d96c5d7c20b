// AlertConfig: the rules, channels and silences as they are stored and as the API sees them.
//
// Threads. All methods are thread safe; changes block for a transaction of the store and come one after the
// other. Every change is audited, with secrets masked.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/alerts/alert_rule.h"
#include "supervisor/alerts/channel.h"
#include "supervisor/alerts/silence.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

// "alert rule", "alert channel", "silence": for messages.
std::string_view noun_of(AlertDocumentKind kind);

class AlertConfig {
  public:
    // `on_change` is called after every change, before the change returns, one at a time.
    AlertConfig(Store& store, const Clock& clock, std::function<void(AlertDocumentKind)> on_change);

    // Reads what is stored and adds the built-in rules and channels that are not there yet. What does not
    // read (an older or newer form) is left out and named in `complaints`.
    Status load(std::vector<std::string>& complaints);

    [[nodiscard]] std::vector<AlertRule> rules() const;
    [[nodiscard]] std::vector<AlertChannel> channels() const;
    [[nodiscard]] std::vector<Silence> silences() const;
    [[nodiscard]] std::optional<AlertChannel> channel(const std::string& id_or_code) const;

    // As JSON for people: secrets masked.
    [[nodiscard]] std::vector<proto::Json> list(AlertDocumentKind kind) const;
    [[nodiscard]] std::optional<proto::Json> show(AlertDocumentKind kind,
                                                  const std::string& id_or_code) const;

    struct Outcome {
        proto::Json item;
        std::vector<RuleProblem> problems;  // the body was wrong
        std::optional<Error> error;         // kNotFound, kConflict, or of the store
        [[nodiscard]] bool ok() const { return problems.empty() && !error; }
    };
    Outcome create(AlertDocumentKind kind, const proto::Json& body, const Actor& actor);
    Outcome change(AlertDocumentKind kind, const std::string& id_or_code, const proto::Json& body,
                   const Actor& actor);
    Outcome remove(AlertDocumentKind kind, const std::string& id_or_code, const Actor& actor);

  private:
    template <class Item>
    Outcome create_in(std::vector<Item>& items, AlertDocumentKind kind, const proto::Json& body,
                      const Actor& actor);
    template <class Item>
    Outcome change_in(std::vector<Item>& items, AlertDocumentKind kind, const std::string& id_or_code,
                      const proto::Json& body, const Actor& actor);
    template <class Item>
    Outcome remove_in(std::vector<Item>& items, AlertDocumentKind kind, const std::string& id_or_code,
                      const Actor& actor);
    template <class Item>
    Status add_built_in(std::vector<Item>& items, AlertDocumentKind kind, std::vector<Item> wanted);
    void check_channels(const AlertRule& rule, std::vector<RuleProblem>& problems) const;
    [[nodiscard]] AuditEntry audit(AlertDocumentKind kind, std::string_view verb, std::string subject,
                                   const Actor& actor) const;

    Store& store_;
    const Clock& clock_;
    const std::function<void(AlertDocumentKind)> on_change_;
    std::mutex change_mutex_;   // one change after the other; never held by the loop
    mutable std::mutex mutex_;  // guards what follows
    std::vector<AlertRule> rules_;
    std::vector<AlertChannel> channels_;
    std::vector<Silence> silences_;
};

}  // namespace fieldwarden::supervisor
