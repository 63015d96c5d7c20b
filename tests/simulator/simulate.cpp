#include "tests/simulator/simulate.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/device_options.h"
#include "common/mqtt_address.h"
#include "tests/simulator/modbus/modbus_simulator.h"
#include "tests/simulator/mqtt/mqtt_publisher.h"
#include "tests/simulator/opcua/opcua_simulator.h"

namespace fieldwarden::simulator {

namespace {

constexpr int kStopped = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Arguments {
    std::vector<std::string> modbus;
    unsigned devices = 1;
    std::string units;
    std::uint32_t size = 65536;
    bool static_values = false;
    std::string control;
    std::uint32_t delay_ms = 0;
    std::vector<std::string> faults;
    std::string mqtt_broker;
    unsigned mqtt_devices = 1;
    std::uint32_t mqtt_period_ms = 1000;
    std::string mqtt_user;
    std::string mqtt_password;
    bool mqtt_retain = false;
    std::vector<std::string> opcua;
    std::string opcua_user;
    std::string opcua_password;
    std::string opcua_control;
    unsigned opcua_many = 100;
    std::uint32_t opcua_channel_lifetime_ms = 3'600'000;
};

// host:port with port 0 allowed, which parse_host_port refuses: nobody connects to port 0, but one listens
// there to be given a free one.
Result<HostPort> listen_address(const std::string& text) {
    constexpr std::string_view kAnyPort = ":0";
    if (text.ends_with(kAnyPort)) {
        auto host = parse_host_port(text.substr(0, text.size() - kAnyPort.size()), 1);
        if (!host) return host.error();
        host->port = 0;
        return *host;
    }
    return parse_host_port(text, kModbusPort);
}

// "1-4,7".
Result<std::vector<std::uint8_t>> unit_list(const std::string& text) {
    std::vector<std::uint8_t> units;
    const auto bad = [&] {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("--units '{}': write ids from 0 to 255, as in 1-4,7", text));
    };
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto part = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(part.size() + 1, rest.size()));
        unsigned first = 0;
        const auto [at, error] = std::from_chars(part.data(), part.data() + part.size(), first);
        unsigned last = first;
        if (error != std::errc{} || first > 255) return bad();
        if (at != part.data() + part.size()) {
            if (*at != '-') return bad();
            const auto [end, wrong] = std::from_chars(at + 1, part.data() + part.size(), last);
            if (wrong != std::errc{} || end != part.data() + part.size() || last > 255 || last < first)
                return bad();
        }
        for (unsigned unit = first; unit <= last; ++unit) units.push_back(static_cast<std::uint8_t>(unit));
    }
    return units;
}

Result<std::unique_ptr<modbus::ModbusSimulator>> start_modbus(const Arguments& arguments) {
    const auto units = unit_list(arguments.units);
    if (!units) return units.error();
    std::vector<modbus::Command> faults;
    for (const auto& text : arguments.faults) {
        const auto command = modbus::parse_command(text);
        if (!command) return make_error(ErrorKind::kInvalidArgument, "--fault: " + command.error().message);
        faults.push_back(*command);
    }

    modbus::SimulatorOptions options;
    options.ports.clear();
    options.units = *units;
    options.size = arguments.size;
    options.static_values = arguments.static_values;
    if (!arguments.control.empty()) {
        const auto control = listen_address(arguments.control);
        if (!control) return control.error();
        options.control_host = control->host;
        options.control_port = control->port;
    }
    for (const auto& text : arguments.modbus) {
        const auto address = listen_address(text);
        if (!address) return address.error();
        if (!options.ports.empty() && options.host != address->host) {
            return make_error(
                ErrorKind::kInvalidArgument,
                fmt::format("--modbus '{}': all devices listen on one address, here {}", text, options.host));
        }
        options.host = address->host;
        for (unsigned i = 0; i < arguments.devices; ++i) {
            const unsigned port = address->port == 0 ? 0 : address->port + i;
            if (port > 65535) return make_error(ErrorKind::kInvalidArgument, "the ports would pass 65535");
            options.ports.push_back(static_cast<std::uint16_t>(port));
        }
    }
    const auto device_count = options.ports.size();
    auto simulator = std::make_unique<modbus::ModbusSimulator>(std::move(options));
    if (const auto status = simulator->start(); !status) return status.error();
    for (std::size_t device = 0; device < device_count; ++device) {
        modbus::Faults state;
        state.delay = std::chrono::milliseconds{arguments.delay_ms};
        for (const auto& command : faults) {
            if (!command.device || *command.device == device) command.apply(state);
        }
        simulator->set_faults(std::move(state), device);
    }
    return simulator;
}

using OpcUaServers = std::vector<std::unique_ptr<opcua::OpcUaSimulator>>;

// One server for each --opcua; the first has the control port.
Result<OpcUaServers> start_opcua(const Arguments& arguments) {
    OpcUaServers servers;
    for (const auto& text : arguments.opcua) {
        const auto address = listen_address(text);
        if (!address) return address.error();
        opcua::SimulatorOptions options{
            .host = address->host,
            .port = address->port,
            .user = arguments.opcua_user,
            .password = arguments.opcua_password,
            .many = arguments.opcua_many,
            .channel_lifetime = std::chrono::milliseconds{arguments.opcua_channel_lifetime_ms}};
        if (!arguments.opcua_control.empty() && servers.empty()) {
            const auto control = listen_address(arguments.opcua_control);
            if (!control) return control.error();
            options.control_host = control->host;
            options.control_port = control->port;
        }
        servers.push_back(std::make_unique<opcua::OpcUaSimulator>(std::move(options)));
        if (const auto status = servers.back()->start(); !status) return status.error();
    }
    return servers;
}

}  // namespace

int simulate_main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Mock devices for demos, tests and benchmarks.", "fieldwarden simulate"};
    app.add_option("--modbus", arguments.modbus, "Modbus TCP device at HOST:PORT; port 0 takes a free one");
    app.add_option("--mqtt-broker", arguments.mqtt_broker, "publishes to the MQTT broker at HOST:PORT");
    app.add_option("--mqtt-devices", arguments.mqtt_devices, "devices that publish")
        ->check(CLI::Range(1, 10'000));
    app.add_option("--mqtt-period-ms", arguments.mqtt_period_ms, "each device publishes this often")
        ->check(CLI::Range(1, 3'600'000));
    app.add_option("--mqtt-user", arguments.mqtt_user, "user name at the broker (default: anonymous)");
    app.add_option("--mqtt-password", arguments.mqtt_password, "password of --mqtt-user");
    app.add_flag("--mqtt-retain", arguments.mqtt_retain, "the broker keeps the last message of each topic");
    app.add_option("--opcua", arguments.opcua, "OPC UA server at HOST:PORT; port 0 takes a free one");
    app.add_option("--opcua-user", arguments.opcua_user, "only this user may sign in (default: anonymous)");
    app.add_option("--opcua-password", arguments.opcua_password, "password of --opcua-user");
    app.add_option("--opcua-control", arguments.opcua_control, "control port of the first --opcua");
    app.add_option("--opcua-many", arguments.opcua_many, "nodes of the folder Many")
        ->check(CLI::Range(0, 100'000));
    app.add_option("--opcua-channel-lifetime-ms", arguments.opcua_channel_lifetime_ms,
                   "longest lifetime of a secure channel")
        ->check(CLI::Range(50, 3'600'000));
    app.add_option("--devices", arguments.devices, "devices on consecutive ports, for each --modbus")
        ->check(CLI::Range(1, 4096));
    app.add_option("--units", arguments.units, "unit ids that exist, as in 1-4,7 (default: all)");
    app.add_option("--size", arguments.size, "addresses in each area (default: 65536)")
        ->check(CLI::Range(1, 65536));
    app.add_flag("--static", arguments.static_values, "values stand still (benchmarks)");
    app.add_option("--control", arguments.control, "control port at HOST:PORT (see the faults it can set)");
    app.add_option("--delay-ms", arguments.delay_ms, "every answer comes this much later")
        ->check(CLI::Range(0, 600'000));
    app.add_option("--fault", arguments.faults, "a fault from the start, as on the control port")
        ->expected(1)
        ->take_all();
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kStopped : kUsage;
    }
    if (arguments.modbus.empty() && arguments.opcua.empty() && arguments.mqtt_broker.empty()) {
        fmt::print(stderr, "fieldwarden simulate: name a device, as in --modbus 127.0.0.1:0; see --help\n");
        return kUsage;
    }

    // Blocked before the serving threads exist, so that they inherit it and sigwait below gets the signals.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    const auto refuse = [](const Error& error) {
        fmt::print(stderr, "fieldwarden simulate: {}\n", error.message);
        return error.kind == ErrorKind::kInvalidArgument ? kUsage : kFailed;
    };
    nlohmann::json ready{{"ready", true}, {"modbus", nlohmann::json::array()}, {"control", nullptr}};
    std::unique_ptr<modbus::ModbusSimulator> modbus_devices;
    if (!arguments.modbus.empty()) {
        auto started = start_modbus(arguments);
        if (!started) return refuse(started.error());
        modbus_devices = std::move(*started);
        ready["modbus"] = modbus_devices->ports();
        if (modbus_devices->control_port() != 0) ready["control"] = modbus_devices->control_port();
    }
    std::unique_ptr<mqtt::MqttPublisher> publisher;
    if (!arguments.mqtt_broker.empty()) {
        const auto broker = parse_host_port(arguments.mqtt_broker, kMqttPort);
        if (!broker) return refuse(broker.error());
        publisher = std::make_unique<mqtt::MqttPublisher>(
            mqtt::PublisherOptions{.broker = *broker,
                                   .devices = arguments.mqtt_devices,
                                   .period = std::chrono::milliseconds{arguments.mqtt_period_ms},
                                   .user = arguments.mqtt_user,
                                   .password = arguments.mqtt_password,
                                   .retain = arguments.mqtt_retain});
        publisher->start();
        ready["mqtt_broker"] = arguments.mqtt_broker;
    }
    const auto opcua_servers = start_opcua(arguments);
    if (!opcua_servers) return refuse(opcua_servers.error());
    for (const auto& server : *opcua_servers) {
        ready["opcua"].push_back(server->port());
        if (server->control_port() != 0) ready["opcua_control"] = server->control_port();
    }
    fmt::print("{}\n", ready.dump());
    std::fflush(stdout);

    int signal = 0;
    sigwait(&signals, &signal);
    return kStopped;
}

}  // namespace fieldwarden::simulator
