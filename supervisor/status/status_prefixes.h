// What the clients of the status channel want: how many of them subscribed to which prefix of topics. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace fieldwarden::supervisor {

class StatusPrefixes {
  public:
    static constexpr std::size_t kLongest = 256;  // bytes
    static constexpr std::size_t kMost = 10'000;

    enum class Change : std::uint8_t {
        kNone,     // not a subscription, or the end of one that is not known
        kFirst,    // the prefix is new
        kMore,     // one more client wants it
        kLess,     // one fewer
        kLast,     // nobody wants it any more
        kRefused,  // too long, or too many
    };
    struct Taken {
        Change change = Change::kNone;
        std::string_view prefix;  // of the message
    };
    // `message`: as an XPUB socket hands it up (ZMTP 3.1, subscriptions): 1 (subscribe) or 0, then the
    // prefix.
    Taken take(std::string_view message);

    // Whether no shorter wanted prefix matches the topic as well: an event that several match is sent once.
    [[nodiscard]] bool is_shortest(std::string_view prefix, std::string_view topic) const;
    [[nodiscard]] std::size_t size() const { return clients_.size(); }

  private:
    std::map<std::string, std::uint32_t, std::less<>> clients_;
};

}  // namespace fieldwarden::supervisor
