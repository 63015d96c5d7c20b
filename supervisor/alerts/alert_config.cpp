#include "supervisor/alerts/alert_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace fieldwarden::supervisor {

using proto::Json;

namespace {

constexpr std::size_t kMostItems = 1000;  // of a kind

// --- what the three kinds have in common, by overload ---

Json shown(const AlertRule& rule, UtcTime) {
    return to_json(rule);
}
Json shown(const AlertChannel& channel, UtcTime) {
    return to_json(channel);
}
Json shown(const Silence& silence, UtcTime now) {
    return to_json(silence, now);
}

Json stored_form(const AlertRule& rule) {
    return to_json(rule);
}
Json stored_form(const AlertChannel& channel) {
    return to_json(channel, true);
}
Json stored_form(const Silence& silence) {
    return to_json(silence, {});
}

std::string code_of(const AlertRule& rule) {
    return rule.code;
}
std::string code_of(const AlertChannel& channel) {
    return channel.code;
}
std::string code_of(const Silence&) {
    return {};
}

template <class Item>
std::string subject_of(const Item& item) {
    const auto code = code_of(item);
    return code.empty() ? std::to_string(item.id) : code;
}

bool built_in(const AlertRule& rule) {
    return rule.built_in;
}
bool built_in(const AlertChannel& channel) {
    return channel.built_in;
}
bool built_in(const Silence&) {
    return false;
}

void parse(const Json& body, const AlertRule* stored, UtcTime, AlertRule& out,
           std::vector<RuleProblem>& problems) {
    out = rule_from_json(body, stored, problems);
}
void parse(const Json& body, const AlertChannel* stored, UtcTime, AlertChannel& out,
           std::vector<RuleProblem>& problems) {
    out = channel_from_json(body, stored, problems);
}
void parse(const Json& body, const Silence* stored, UtcTime now, Silence& out,
           std::vector<RuleProblem>& problems) {
    out = silence_from_json(body, stored, now, problems);
}

// What the body of a request does not set.
void take_stored(const Json& body, AlertRule& rule) {
    rule.built_in = body.value("built_in", false);
}
void take_stored(const Json& body, AlertChannel& channel) {
    channel.built_in = body.value("built_in", false);
}
void take_stored(const Json& body, Silence& silence) {
    silence.created_by = body.value("created_by", std::string{});
    if (const auto at = parse_rfc3339(body.value("created_at", std::string{}))) silence.created_at = *at;
}

void sign(AlertRule&, const Actor&, UtcTime) {}
void sign(AlertChannel&, const Actor&, UtcTime) {}
void sign(Silence& silence, const Actor& actor, UtcTime now) {
    silence.created_by = actor.name;
    silence.created_at = now;
}

template <class Item>
auto find_in(Item& items, const std::string& id_or_code) {
    std::int64_t id = 0;
    const auto* end = id_or_code.data() + id_or_code.size();
    const auto [rest, failed] = std::from_chars(id_or_code.data(), end, id);
    const bool is_id = failed == std::errc{} && rest == end;
    return std::ranges::find_if(items, [&](const auto& item) {
        return is_id ? item.id == id : !code_of(item).empty() && code_of(item) == id_or_code;
    });
}

AlertConfig::Outcome refused(ErrorKind kind, std::string why) {
    AlertConfig::Outcome outcome;
    outcome.error = make_error(kind, std::move(why));
    return outcome;
}

AlertConfig::Outcome unknown(AlertDocumentKind kind, const std::string& id_or_code) {
    return refused(ErrorKind::kNotFound,
                   fmt::format("there is no {} '{}'", noun_of(kind), id_or_code.substr(0, 64)));
}

template <class Item>
Status load_items(Store& store, AlertDocumentKind kind, std::vector<Item>& items,
                  std::vector<std::string>& complaints) {
    auto documents = store.alert_documents(kind);
    if (!documents) return documents.error();
    for (const auto& document : *documents) {
        Item item;
        std::vector<RuleProblem> problems;
        if (document.body.is_object()) {
            parse(document.body, nullptr, {}, item, problems);
        } else {
            problems.push_back({"", "bad_value", "it is no object"});
        }
        if (!problems.empty()) {
            complaints.push_back(fmt::format("{} {} is left out: {} {}", noun_of(kind), document.id,
                                             problems.front().field, problems.front().message));
            continue;
        }
        take_stored(document.body, item);
        item.id = document.id;
        items.push_back(std::move(item));
    }
    return {};
}

}  // namespace

std::string_view noun_of(AlertDocumentKind kind) {
    switch (kind) {
        case AlertDocumentKind::kRule:
            return "alert rule";
        case AlertDocumentKind::kChannel:
            return "alert channel";
        case AlertDocumentKind::kSilence:
            return "silence";
    }
    return "";
}

AlertConfig::AlertConfig(Store& store, const Clock& clock, std::function<void(AlertDocumentKind)> on_change)
    : store_(store), clock_(clock), on_change_(std::move(on_change)) {}

AuditEntry AlertConfig::audit(AlertDocumentKind kind, std::string_view verb, std::string subject,
                              const Actor& actor) const {
    std::string noun{noun_of(kind)};
    std::ranges::replace(noun, ' ', '_');
    AuditEntry entry;
    entry.at = clock_.utc_now();
    entry.actor = actor;
    entry.action = fmt::format("{}.{}", noun, verb);
    entry.subject = std::move(subject);
    return entry;
}

// --- begin -------------------------------------------------------------------------------------------------

template <class Item>
Status AlertConfig::add_built_in(std::vector<Item>& items, AlertDocumentKind kind, std::vector<Item> wanted) {
    for (auto& item : wanted) {
        if (std::ranges::any_of(items, [&](const Item& known) { return known.code == item.code; })) continue;
        const auto id = store_.put_alert_document(kind, {0, item.code, stored_form(item)},
                                                  audit(kind, "create", item.code, {}));
        if (!id) return id.error();
        item.id = *id;
        items.push_back(std::move(item));
    }
    return {};
}

Status AlertConfig::load(std::vector<std::string>& complaints) {
    const std::lock_guard changing{change_mutex_};
    std::vector<AlertRule> rules;
    std::vector<AlertChannel> channels;
    std::vector<Silence> silences;
    if (auto done = load_items(store_, AlertDocumentKind::kChannel, channels, complaints); !done) return done;
    if (auto done = load_items(store_, AlertDocumentKind::kRule, rules, complaints); !done) return done;
    if (auto done = load_items(store_, AlertDocumentKind::kSilence, silences, complaints); !done) return done;
    if (complaints.empty()) {
        if (auto done = add_built_in(channels, AlertDocumentKind::kChannel, built_in_channels()); !done)
            return done;
        if (auto done = add_built_in(rules, AlertDocumentKind::kRule, built_in_rules()); !done) return done;
    }
    const std::lock_guard lock{mutex_};
    rules_ = std::move(rules);
    channels_ = std::move(channels);
    silences_ = std::move(silences);
    return {};
}

// --- reading -----------------------------------------------------------------------------------------------

std::vector<AlertRule> AlertConfig::rules() const {
    const std::lock_guard lock{mutex_};
    return rules_;
}
std::vector<AlertChannel> AlertConfig::channels() const {
    const std::lock_guard lock{mutex_};
    return channels_;
}
std::vector<Silence> AlertConfig::silences() const {
    const std::lock_guard lock{mutex_};
    return silences_;
}
std::optional<AlertChannel> AlertConfig::channel(const std::string& id_or_code) const {
    const std::lock_guard lock{mutex_};
    const auto found = find_in(channels_, id_or_code);
    return found == channels_.end() ? std::nullopt : std::optional{*found};
}

std::vector<Json> AlertConfig::list(AlertDocumentKind kind) const {
    std::vector<Json> items;
    const auto now = clock_.utc_now();
    const auto add = [&](const auto& all) {
        for (const auto& item : all) items.push_back(shown(item, now));
    };
    const std::lock_guard lock{mutex_};
    switch (kind) {
        case AlertDocumentKind::kRule:
            add(rules_);
            break;
        case AlertDocumentKind::kChannel:
            add(channels_);
            break;
        case AlertDocumentKind::kSilence:
            add(silences_);
            break;
    }
    return items;
}

std::optional<Json> AlertConfig::show(AlertDocumentKind kind, const std::string& id_or_code) const {
    const auto one = [&](const auto& all) -> std::optional<Json> {
        const auto found = find_in(all, id_or_code);
        if (found == all.end()) return std::nullopt;
        return shown(*found, clock_.utc_now());
    };
    const std::lock_guard lock{mutex_};
    switch (kind) {
        case AlertDocumentKind::kRule:
            return one(rules_);
        case AlertDocumentKind::kChannel:
            return one(channels_);
        case AlertDocumentKind::kSilence:
            return one(silences_);
    }
    return std::nullopt;
}

// --- changing ----------------------------------------------------------------------------------------------

void AlertConfig::check_channels(const AlertRule& rule, std::vector<RuleProblem>& problems) const {
    const std::lock_guard lock{mutex_};
    for (const auto& code : rule.channels) {
        if (code == "*") continue;
        if (std::ranges::any_of(channels_, [&](const AlertChannel& each) { return each.code == code; }))
            continue;
        problems.push_back({"channels", "unknown_reference", fmt::format("there is no channel '{}'", code)});
    }
}

template <class Item>
AlertConfig::Outcome AlertConfig::create_in(std::vector<Item>& items, AlertDocumentKind kind,
                                            const Json& body, const Actor& actor) {
    Outcome outcome;
    Item item;
    const auto now = clock_.utc_now();
    parse(body, nullptr, now, item, outcome.problems);
    if constexpr (std::is_same_v<Item, AlertRule>) check_channels(item, outcome.problems);
    if (!outcome.problems.empty()) return outcome;
    sign(item, actor, now);
    {
        const std::lock_guard lock{mutex_};
        if (items.size() >= kMostItems) {
            return refused(ErrorKind::kConflict, fmt::format("there are {} already", kMostItems));
        }
        const auto code = code_of(item);
        if (!code.empty() && find_in(items, code) != items.end()) {
            return refused(ErrorKind::kConflict,
                           fmt::format("there is already a {} '{}'", noun_of(kind), code));
        }
    }
    auto entry = audit(kind, "create", code_of(item), actor);
    entry.detail["after"] = shown(item, now);
    const auto id = store_.put_alert_document(kind, {0, code_of(item), stored_form(item)}, entry);
    if (!id) return refused(id.error().kind, id.error().message);
    item.id = *id;
    outcome.item = shown(item, now);
    const std::lock_guard lock{mutex_};
    items.push_back(std::move(item));
    return outcome;
}

template <class Item>
AlertConfig::Outcome AlertConfig::change_in(std::vector<Item>& items, AlertDocumentKind kind,
                                            const std::string& id_or_code, const Json& body,
                                            const Actor& actor) {
    Outcome outcome;
    Item before;
    {
        const std::lock_guard lock{mutex_};
        const auto found = find_in(items, id_or_code);
        if (found == items.end()) return unknown(kind, id_or_code);
        before = *found;
    }
    const auto now = clock_.utc_now();
    Item after;
    parse(body, &before, now, after, outcome.problems);
    if constexpr (std::is_same_v<Item, AlertRule>) check_channels(after, outcome.problems);
    if (!outcome.problems.empty()) return outcome;
    outcome.item = shown(after, now);
    if (after == before) return outcome;
    auto entry = audit(kind, "update", subject_of(before), actor);
    entry.detail["before"] = shown(before, now);
    entry.detail["after"] = outcome.item;
    const auto id = store_.put_alert_document(kind, {after.id, code_of(after), stored_form(after)}, entry);
    if (!id) return refused(id.error().kind, id.error().message);
    const std::lock_guard lock{mutex_};
    *find_in(items, std::to_string(before.id)) = std::move(after);
    return outcome;
}

template <class Item>
AlertConfig::Outcome AlertConfig::remove_in(std::vector<Item>& items, AlertDocumentKind kind,
                                            const std::string& id_or_code, const Actor& actor) {
    Item before;
    {
        const std::lock_guard lock{mutex_};
        const auto found = find_in(items, id_or_code);
        if (found == items.end()) return unknown(kind, id_or_code);
        before = *found;
        if (built_in(before)) {
            return refused(ErrorKind::kConflict, fmt::format("{} '{}' is built in: disable it instead",
                                                             noun_of(kind), code_of(before)));
        }
        if constexpr (std::is_same_v<Item, AlertChannel>) {
            for (const auto& rule : rules_) {
                if (std::ranges::find(rule.channels, before.code) == rule.channels.end()) continue;
                return refused(ErrorKind::kConflict,
                               fmt::format("channel '{}' is used by the rule '{}'", before.code, rule.code));
            }
        }
    }
    auto entry = audit(kind, "delete", subject_of(before), actor);
    entry.detail["before"] = shown(before, clock_.utc_now());
    if (const auto removed = store_.remove_alert_document(kind, before.id, entry); !removed) {
        return refused(removed.error().kind, removed.error().message);
    }
    const std::lock_guard lock{mutex_};
    std::erase_if(items, [&](const Item& item) { return item.id == before.id; });
    return {};
}

AlertConfig::Outcome AlertConfig::create(AlertDocumentKind kind, const Json& body, const Actor& actor) {
    const std::lock_guard changing{change_mutex_};
    Outcome outcome;
    switch (kind) {
        case AlertDocumentKind::kRule:
            outcome = create_in(rules_, kind, body, actor);
            break;
        case AlertDocumentKind::kChannel:
            outcome = create_in(channels_, kind, body, actor);
            break;
        case AlertDocumentKind::kSilence:
            outcome = create_in(silences_, kind, body, actor);
            break;
    }
    if (outcome.ok()) on_change_(kind);
    return outcome;
}

AlertConfig::Outcome AlertConfig::change(AlertDocumentKind kind, const std::string& id_or_code,
                                         const Json& body, const Actor& actor) {
    const std::lock_guard changing{change_mutex_};
    Outcome outcome;
    switch (kind) {
        case AlertDocumentKind::kRule:
            outcome = change_in(rules_, kind, id_or_code, body, actor);
            break;
        case AlertDocumentKind::kChannel:
            outcome = change_in(channels_, kind, id_or_code, body, actor);
            break;
        case AlertDocumentKind::kSilence:
            outcome = change_in(silences_, kind, id_or_code, body, actor);
            break;
    }
    if (outcome.ok()) on_change_(kind);
    return outcome;
}

AlertConfig::Outcome AlertConfig::remove(AlertDocumentKind kind, const std::string& id_or_code,
                                         const Actor& actor) {
    const std::lock_guard changing{change_mutex_};
    Outcome outcome;
    switch (kind) {
        case AlertDocumentKind::kRule:
            outcome = remove_in(rules_, kind, id_or_code, actor);
            break;
        case AlertDocumentKind::kChannel:
            outcome = remove_in(channels_, kind, id_or_code, actor);
            break;
        case AlertDocumentKind::kSilence:
            outcome = remove_in(silences_, kind, id_or_code, actor);
            break;
    }
    if (outcome.ok()) on_change_(kind);
    return outcome;
}

}  // namespace fieldwarden::supervisor
