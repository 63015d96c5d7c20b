#include "supervisor/accounts/passwords.h"

#include <argon2.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cerrno>

namespace fieldwarden::supervisor {

// One of the kAtOnce places, for as long as the object lives.
class Passwords::Turn {
  public:
    explicit Turn(Passwords& owner) : owner_(owner) {
        std::unique_lock lock{owner_.mutex_};
        taken_ = owner_.freed_.wait_for(lock, kLongestWait, [&] { return owner_.running_ < kAtOnce; });
        if (taken_) ++owner_.running_;
    }
    ~Turn() {
        if (!taken_) return;
        {
            const std::lock_guard lock{owner_.mutex_};
            --owner_.running_;
        }
        owner_.freed_.notify_one();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    [[nodiscard]] bool taken() const { return taken_; }

  private:
    Passwords& owner_;
    bool taken_ = false;
};

namespace {

Error busy() {
    return make_error(ErrorKind::kBusy, "too many sign-ins at once; wait a few seconds and try again");
}

}  // namespace

Result<std::string> Passwords::hash(std::string_view password) {
    constexpr std::size_t kSaltBytes = 16;
    constexpr std::size_t kHashBytes = 32;
    std::array<unsigned char, kSaltBytes> salt{};
    if (::getrandom(salt.data(), salt.size(), 0) != static_cast<ssize_t>(salt.size())) {
        return make_error(ErrorKind::kIo,
                          fmt::format("the system gives no random bytes: {}", errno_text(errno)));
    }
    const Turn turn{*this};
    if (!turn.taken()) return busy();
    std::string encoded(::argon2_encodedlen(kPasses, memory_kib_, kLanes, kSaltBytes, kHashBytes, Argon2_id),
                        '\0');
    const int done =
        ::argon2id_hash_encoded(kPasses, memory_kib_, kLanes, password.data(), password.size(), salt.data(),
                                salt.size(), kHashBytes, encoded.data(), encoded.size());
    if (done != ARGON2_OK) {
        return make_error(ErrorKind::kUnavailable,
                          fmt::format("the password cannot be hashed: {}", ::argon2_error_message(done)));
    }
    encoded.resize(encoded.find('\0'));
    return encoded;
}

Result<bool> Passwords::verify(const std::string& encoded, std::string_view password) {
    const Turn turn{*this};
    if (!turn.taken()) return busy();
    const int done = ::argon2id_verify(encoded.c_str(), password.data(), password.size());
    if (done == ARGON2_MEMORY_ALLOCATION_ERROR) {
        return make_error(ErrorKind::kUnavailable, "there is no memory to check the password; try again");
    }
    return done == ARGON2_OK;
}

}  // namespace fieldwarden::supervisor
