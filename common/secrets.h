// Secrets in what a task is configured with, and the mask that keeps them out of every line.
#pragma once

#include <string>
#include <vector>

#include "common/task_config.h"

namespace fieldwarden {

// The values of options that hold secrets (password, token, key, …) and the credentials in urls, as they are
// written there and with their %XX resolved: a library may say either.
std::vector<std::string> secrets_of(const TaskConfig& config);
std::vector<std::string> secrets_of(const DeviceConfig& device);
std::vector<std::string> secrets_of(const SinkConfig& sink);

// Replaces secrets by "***". Short ones (under four characters) are left: they would blank out ordinary
// words. Not thread safe while it is added to.
class SecretMask {
  public:
    static constexpr std::size_t kLeastLength = 4;
    // What is longer is no password or token, but a text whose parts would be cut apart anyway.
    static constexpr std::size_t kMostLength = 4'096;

    void add(std::vector<std::string> secrets);
    void apply(std::string& text) const;
    [[nodiscard]] bool empty() const { return secrets_.empty(); }

  private:
    std::vector<std::string> secrets_;  // longest first: one may be a part of another
};

}  // namespace fieldwarden
