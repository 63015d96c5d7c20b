// Notifier: one configured way to tell somebody. Adding one is a file, a row of make_notifier and a CMake
// line.
//
// Threads. A notifier is used by one thread at a time. send() blocks up to the channel's timeout; it gives up
// within a second when `stop` becomes true.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "supervisor/alerts/channel.h"

namespace fieldwarden::supervisor {

class Notifier {
  public:
    virtual ~Notifier() = default;
    // What came of it, for people. kInvalidArgument: the other side has refused it for good; every other
    // error may pass and is worth another try. No text ever holds a secret.
    virtual Result<std::string> send(const proto::Alert& alert, const std::atomic<bool>& stop) = 0;
};

using AlertLog = std::function<void(proto::LogLevel level, const std::string& message)>;

// `clock` outlives the notifier.
std::unique_ptr<Notifier> make_notifier(const AlertChannel& channel, const Clock& clock, AlertLog log);
std::unique_ptr<Notifier> make_webhook(const AlertChannel& channel, const Clock& clock);
std::unique_ptr<Notifier> make_mailer(const AlertChannel& channel, const Clock& clock);

// --- what a webhook and a mail are made of, for tests and receivers ---

// "sha256=" and the lower-case hex of HMAC-SHA256(secret, timestamp + "." + body).
std::string webhook_signature(std::string_view secret, std::string_view timestamp, std::string_view body);
// The whole mail: header, empty line, base64 of the UTF-8 text; lines end in CRLF.
std::string mail_text(const AlertChannel& channel, const proto::Alert& alert, UtcTime now);
// One line about the alert: "resolved: task T1 is CRASHED: …".
std::string headline(const proto::Alert& alert);

}  // namespace fieldwarden::supervisor
