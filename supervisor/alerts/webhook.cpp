// POST of the alert as JSON.
//
//   Content-Type: application/json
//   X-Fieldwarden-Delivery: <alert id>-<state>-<count>     the same for every attempt: a receiver can drop
//                                                          what it has already
//   X-Fieldwarden-Timestamp: <seconds since 1970>
//   X-Fieldwarden-Signature: sha256=<hex>                  when the channel has a secret
//
// Any 2xx is success. 408, 425, 429 and 5xx are tried again; any other answer is a refusal for good.
// Redirects are not followed.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/version.h"
#include "supervisor/alerts/curl_transfer.h"
#include "supervisor/alerts/notifier.h"

namespace fieldwarden::supervisor {

namespace {

class Webhook final : public Notifier {
  public:
    Webhook(const AlertChannel& channel, const Clock& clock) : channel_(channel), clock_(clock) {}

    Result<std::string> send(const proto::Alert& alert, const std::atomic<bool>& stop) override {
        const auto body = proto::to_json(alert).dump(-1, ' ', false, proto::Json::error_handler_t::replace);
        const auto timestamp = std::to_string(
            std::chrono::floor<std::chrono::seconds>(clock_.utc_now()).time_since_epoch().count());
        CurlTransfer transfer{channel_, "http,https", stop};
        if (!transfer.ready()) return make_error(ErrorKind::kInternal, "the HTTP library does not start");
        transfer.add_header("Content-Type: application/json");
        transfer.add_header("Expect:");
        transfer.add_header(fmt::format("User-Agent: fieldwarden/{}", kVersion));
        transfer.add_header(
            fmt::format("X-Fieldwarden-Delivery: {}-{}-{}", alert.id, to_name(alert.state), alert.count));
        transfer.add_header("X-Fieldwarden-Timestamp: " + timestamp);
        if (const auto secret = channel_.option("secret"); !secret.empty()) {
            transfer.add_header("X-Fieldwarden-Signature: " + webhook_signature(secret, timestamp, body));
        }
        curl_easy_setopt(transfer.handle(), CURLOPT_POSTFIELDS, body.c_str());
        curl_easy_setopt(transfer.handle(), CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(body.size()));
        const auto status = transfer.perform();
        if (!status) return status.error();
        if (*status >= 200 && *status < 300) return fmt::format("HTTP {}", *status);
        const bool may_pass = *status == 408 || *status == 425 || *status == 429 || *status >= 500;
        return make_error(may_pass ? ErrorKind::kUnavailable : ErrorKind::kInvalidArgument,
                          fmt::format("the receiver answered HTTP {}{}{}", *status,
                                      transfer.answer().empty() ? "" : ": ", transfer.answer()));
    }

  private:
    const AlertChannel channel_;
    const Clock& clock_;
};

}  // namespace

std::string webhook_signature(std::string_view secret, std::string_view timestamp, std::string_view body) {
    const auto text = fmt::format("{}.{}", timestamp, body);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &length);
    std::string out = "sha256=";
    for (unsigned int i = 0; i < length; ++i) out += fmt::format("{:02x}", digest[i]);
    return out;
}

std::unique_ptr<Notifier> make_webhook(const AlertChannel& channel, const Clock& clock) {
    return std::make_unique<Webhook>(channel, clock);
}

}  // namespace fieldwarden::supervisor
