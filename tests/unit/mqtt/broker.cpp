#include "tests/unit/mqtt/broker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

namespace fieldwarden::testing_mqtt {

Broker::Broker(std::string settings) {
    configure(std::move(settings));
    start();
}

void Broker::configure(std::string settings) {
    settings_ = std::move(settings);
    constexpr std::string_view kDir = "{dir}";
    for (auto at = settings_.find(kDir); at != std::string::npos; at = settings_.find(kDir))
        settings_.replace(at, kDir.size(), server_.dir());
}

void Broker::start() {
    server_.start([this] {
        std::ofstream{file("conf")} << (geteuid() == 0 ? "user root\n" : "")
                                    << fmt::format("listener {} 127.0.0.1\n", port())
                                    << "persistence true\npersistence_location " << server_.dir() << "/\n"
                                    << settings_;
    });
}

std::string Broker::address() const {
    return fmt::format("mqtt://127.0.0.1:{}", port());
}

bool Broker::run(std::vector<std::string> arguments, const std::string& input) const {
    return server_.run(std::move(arguments), input) == 0;
}

bool Broker::publish(std::vector<std::string> arguments, const std::string& input) const {
    arguments.insert(arguments.begin(), {"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(port())});
    return run(std::move(arguments), input);
}

bool Broker::publish(const std::string& topic, const std::string& payload, bool retain) const {
    // From a file, so that any bytes pass.
    std::ofstream{file("payload"), std::ios::binary} << payload;
    std::vector<std::string> arguments{"-q", "1", "-t", topic, "-f", file("payload")};
    if (payload.empty()) arguments = {"-q", "1", "-t", topic, "-n"};
    if (retain) arguments.emplace_back("-r");
    return publish(std::move(arguments));
}

}  // namespace fieldwarden::testing_mqtt
