// Mail by SMTP (RFC 5321, 5322; subject in RFC 2047 words). The text is UTF-8 in base64, so that no server on
// the way has to know 8-bit mail and no line is too long.
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "supervisor/alerts/curl_transfer.h"
#include "supervisor/alerts/notifier.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kEncodedWordBytes = 42;  // of text; an encoded word has at most 75 characters
constexpr std::size_t kBodyLineBytes = 57;     // 76 characters of base64

std::string base64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const auto length =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

// Where to cut `text` so that no UTF-8 character is cut in two.
std::size_t cut_at(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text.size();
    auto at = most;
    while (at > 1 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
    return at;
}

std::string one_line(std::string text) {
    for (auto& c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    }
    return text;
}

std::string header_text(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto part = cut_at(text, kEncodedWordBytes);
        out += fmt::format("{}=?UTF-8?B?{}?=", out.empty() ? "" : "\r\n ", base64(text.substr(0, part)));
        text.remove_prefix(part);
    }
    return out;
}

// "Sun, 22 Nov 2026 17:30:00 +0000", whatever the locale.
std::string mail_date(UtcTime time) {
    static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time - day)};
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000",
                       kDays.at(std::chrono::weekday{day}.c_encoding()), unsigned{date.day()},
                       kMonths.at(unsigned{date.month()} - 1), int{date.year()}, clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count());
}

std::string body_of(const proto::Alert& alert) {
    std::string text = alert.message + "\n\n";
    const auto line = [&](std::string_view name, std::string_view value) {
        if (!value.empty()) text += fmt::format("{:<10} {}\n", fmt::format("{}:", name), value);
    };
    line("State", to_name(alert.state));
    line("Severity", to_name(alert.severity));
    line("Task", alert.process_name);
    line("Device", alert.device_code);
    line("Point", alert.point_code);
    line("Type", alert.error_type);
    line("First", format_rfc3339(alert.first_at));
    line("Last", format_rfc3339(alert.last_at));
    line("Count", std::to_string(alert.count));
    line("Alert", std::to_string(alert.id));
    if (!alert.suggested_action.empty()) text += "\n" + alert.suggested_action + ".\n";
    return text;
}

class Mailer final : public Notifier {
  public:
    Mailer(const AlertChannel& channel, const Clock& clock) : channel_(channel), clock_(clock) {}

    Result<std::string> send(const proto::Alert& alert, const std::atomic<bool>& stop) override {
        CurlTransfer transfer{channel_, "smtp,smtps", stop};
        if (!transfer.ready()) return make_error(ErrorKind::kInternal, "the mail library does not start");
        auto* curl = transfer.handle();
        const auto starttls = channel_.option("starttls");
        const long use_ssl = starttls == "none"       ? CURLUSESSL_NONE
                             : starttls == "optional" ? CURLUSESSL_TRY
                                                      : CURLUSESSL_ALL;
        curl_easy_setopt(curl, CURLOPT_USE_SSL, use_ssl);
        if (const auto user = channel_.option("username"); !user.empty()) {
            curl_easy_setopt(curl, CURLOPT_USERNAME, user.c_str());
            curl_easy_setopt(curl, CURLOPT_PASSWORD, channel_.option("password").c_str());
        }
        curl_easy_setopt(curl, CURLOPT_MAIL_FROM, fmt::format("<{}>", channel_.option("from")).c_str());
        const auto receivers = mail_addresses(channel_.option("to"));
        for (const auto& address : receivers) transfer.add_receiver(fmt::format("<{}>", address));

        const auto mail = mail_text(channel_, alert, clock_.utc_now());
        std::string_view rest = mail;
        curl_read_callback give = [](char* to, std::size_t size, std::size_t count,
                                     void* user) -> std::size_t {
            auto& left = *static_cast<std::string_view*>(user);
            const auto part = std::min(size * count, left.size());
            std::memcpy(to, left.data(), part);
            left.remove_prefix(part);
            return part;
        };
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(curl, CURLOPT_READDATA, &rest);
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        const auto status = transfer.perform();
        if (!status) return status.error();
        return fmt::format("taken by the mail server for {} receiver{} (reply {})", receivers.size(),
                           receivers.size() == 1 ? "" : "s", *status);
    }

  private:
    const AlertChannel channel_;
    const Clock& clock_;
};

}  // namespace

std::string headline(const proto::Alert& alert) {
    switch (alert.state) {
        case proto::AlertState::kFiring:
            return alert.message;
        case proto::AlertState::kAcknowledged:
            return "acknowledged: " + alert.message;
        case proto::AlertState::kResolved:
            return "resolved: " + alert.message;
    }
    return alert.message;
}

std::string mail_text(const AlertChannel& channel, const proto::Alert& alert, UtcTime now) {
    static std::atomic<std::uint64_t> sequence{0};
    const auto from = channel.option("from");
    const auto domain = from.substr(from.rfind('@') + 1);
    std::string to;
    for (const auto& address : mail_addresses(channel.option("to"))) {
        to += fmt::format("{}<{}>", to.empty() ? "" : ",\r\n ", address);
    }
    const auto head = headline(alert);
    const auto subject = one_line(fmt::format("[{} {}] {}", channel.option("subject_prefix"),
                                              to_name(alert.severity), head.substr(0, cut_at(head, 200))));
    std::string text;
    text += fmt::format("Date: {}\r\n", mail_date(now));
    text += fmt::format("From: <{}>\r\nTo: {}\r\n", from, to);
    text += fmt::format("Message-ID: <alert-{}-{}-{}-{}@{}>\r\n", alert.id, to_name(alert.state),
                        now.time_since_epoch().count(), ++sequence, domain);
    text += fmt::format("Subject: {}\r\n", header_text(subject));
    text += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
    text += "Content-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n\r\n";
    const auto body = body_of(alert);
    for (std::size_t at = 0; at < body.size(); at += kBodyLineBytes) {
        text += base64(std::string_view{body}.substr(at, kBodyLineBytes)) + "\r\n";
    }
    return text;
}

std::unique_ptr<Notifier> make_mailer(const AlertChannel& channel, const Clock& clock) {
    return std::make_unique<Mailer>(channel, clock);
}

}  // namespace fieldwarden::supervisor
