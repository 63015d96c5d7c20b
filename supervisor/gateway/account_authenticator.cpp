// The administrator's token and the accounts as one.
#include "supervisor/accounts/accounts.h"
#include "supervisor/gateway/auth.h"

namespace fieldwarden::supervisor::gateway {

namespace {

class AccountAuthenticator : public Authenticator {
  public:
    AccountAuthenticator(std::string admin_token, Accounts& accounts)
        : admin_(admin_token_authenticator(std::move(admin_token))), accounts_(accounts) {}

    std::optional<Identity> identify(std::string_view bearer_token) override {
        if (auto admin = admin_->identify(bearer_token)) return admin;
        return accounts_.identify_token(bearer_token);
    }
    std::optional<Identity> identify_session(std::string_view cookie) override {
        return accounts_.identify_session(cookie);
    }

  private:
    std::unique_ptr<Authenticator> admin_;
    Accounts& accounts_;
};

}  // namespace

std::unique_ptr<Authenticator> account_authenticator(std::string admin_token, Accounts& accounts) {
    return std::make_unique<AccountAuthenticator>(std::move(admin_token), accounts);
}

}  // namespace fieldwarden::supervisor::gateway
