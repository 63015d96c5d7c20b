#include "tests/simulator/simulate.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/device_options.h"
#include "common/mc_address.h"
#include "common/mqtt_address.h"
#include "tests/simulator/control_answer.h"
#include "tests/simulator/control_server.h"
#include "tests/simulator/mc/mc_simulator.h"
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
    std::vector<std::string> modbus_rtu;
    std::vector<std::string> modbus_rtu_tcp;
    std::vector<std::string> mc;
    std::vector<std::string> mc_1e;
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
Result<HostPort> listen_address(const std::string& text, std::uint16_t usual_port) {
    constexpr std::string_view kAnyPort = ":0";
    if (text.ends_with(kAnyPort)) {
        auto host = parse_host_port(text.substr(0, text.size() - kAnyPort.size()), 1);
        if (!host) return host.error();
        host->port = 0;
        return *host;
    }
    return parse_host_port(text, usual_port);
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

// The addresses of one option, and `devices` consecutive ports from each on. All devices of a protocol listen
// on one host.
Status take_ports(std::string_view option, const std::vector<std::string>& texts, unsigned devices,
                  std::uint16_t usual_port, std::string& host, std::vector<std::uint16_t>& ports,
                  bool& has_host) {
    for (const auto& text : texts) {
        const auto address = listen_address(text, usual_port);
        if (!address) return address.error();
        if (has_host && host != address->host) {
            return make_error(
                ErrorKind::kInvalidArgument,
                fmt::format("{} '{}': all devices listen on one address, here {}", option, text, host));
        }
        host = address->host;
        has_host = true;
        for (unsigned i = 0; i < devices; ++i) {
            const unsigned port = address->port == 0 ? 0 : address->port + i;
            if (port > 65535) return make_error(ErrorKind::kInvalidArgument, "the ports would pass 65535");
            ports.push_back(static_cast<std::uint16_t>(port));
        }
    }
    return {};
}

// The simulators of all protocols, and the control port that reaches them.
struct Plant {
    std::unique_ptr<modbus::ModbusSimulator> modbus;
    std::unique_ptr<mc::McSimulator> mc;
    std::vector<std::unique_ptr<opcua::OpcUaSimulator>> opcua;
    std::unique_ptr<mqtt::MqttPublisher> mqtt;
    std::unique_ptr<ControlServer> control;

    std::string execute(std::string_view line) {
        auto json = nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
        std::string protocol = modbus != nullptr ? "modbus" : "mc";
        if (json.is_object() && json.contains("protocol")) {
            const auto& named = json["protocol"];
            protocol = named.is_string() ? named.get<std::string>() : "";
            json.erase("protocol");
        }
        const auto command = json.is_discarded() ? std::string{line} : json.dump();
        if (protocol == "modbus" && modbus != nullptr) return modbus->execute(command);
        if (protocol == "mc" && mc != nullptr) return mc->execute(command);
        return refusal_line("there are no devices of this protocol; protocol is modbus or mc");
    }
};

Status start_modbus(const Arguments& arguments, Plant& plant) {
    const auto units = unit_list(arguments.units);
    if (!units) return units.error();
    modbus::SimulatorOptions options;
    options.ports.clear();
    options.units = *units;
    options.size = arguments.size;
    options.static_values = arguments.static_values;
    bool has_host = false;
    if (auto taken = take_ports("--modbus", arguments.modbus, arguments.devices, kModbusPort, options.host,
                                options.ports, has_host);
        !taken)
        return taken;
    if (auto taken = take_ports("--modbus-rtu-tcp", arguments.modbus_rtu_tcp, arguments.devices, kModbusPort,
                                options.host, options.rtu_ports, has_host);
        !taken)
        return taken;
    options.serial = arguments.modbus_rtu;
    if (options.ports.empty() && options.rtu_ports.empty() && options.serial.empty()) return {};
    plant.modbus = std::make_unique<modbus::ModbusSimulator>(std::move(options));
    return plant.modbus->start();
}

Status start_mc(const Arguments& arguments, Plant& plant) {
    mc::SimulatorOptions options;
    options.ports.clear();
    options.size = arguments.size;
    options.static_values = arguments.static_values;
    bool has_host = false;
    if (auto taken = take_ports("--mc", arguments.mc, arguments.devices, kMcPort, options.host, options.ports,
                                has_host);
        !taken)
        return taken;
    if (auto taken = take_ports("--mc-1e", arguments.mc_1e, arguments.devices, kMcPort, options.host,
                                options.ports_1e, has_host);
        !taken)
        return taken;
    if (options.ports.empty() && options.ports_1e.empty()) return {};
    plant.mc = std::make_unique<mc::McSimulator>(std::move(options));
    return plant.mc->start();
}

// One server for each --opcua; the first has the control port.
Status start_opcua(const Arguments& arguments, Plant& plant) {
    constexpr std::uint16_t kOpcUaPort = 4840;
    for (const auto& text : arguments.opcua) {
        const auto address = listen_address(text, kOpcUaPort);
        if (!address) return address.error();
        opcua::SimulatorOptions options{
            .host = address->host,
            .port = address->port,
            .user = arguments.opcua_user,
            .password = arguments.opcua_password,
            .many = arguments.opcua_many,
            .channel_lifetime = std::chrono::milliseconds{arguments.opcua_channel_lifetime_ms}};
        if (!arguments.opcua_control.empty() && plant.opcua.empty()) {
            const auto control = listen_address(arguments.opcua_control, kOpcUaPort);
            if (!control) return control.error();
            options.control_host = control->host;
            options.control_port = control->port;
        }
        plant.opcua.push_back(std::make_unique<opcua::OpcUaSimulator>(std::move(options)));
        if (auto started = plant.opcua.back()->start(); !started) return started;
    }
    return {};
}

Status start_mqtt(const Arguments& arguments, Plant& plant) {
    if (arguments.mqtt_broker.empty()) return {};
    const auto broker = parse_host_port(arguments.mqtt_broker, kMqttPort);
    if (!broker) return broker.error();
    plant.mqtt = std::make_unique<mqtt::MqttPublisher>(
        mqtt::PublisherOptions{.broker = *broker,
                               .devices = arguments.mqtt_devices,
                               .period = std::chrono::milliseconds{arguments.mqtt_period_ms},
                               .user = arguments.mqtt_user,
                               .password = arguments.mqtt_password,
                               .retain = arguments.mqtt_retain});
    plant.mqtt->start();
    return {};
}

Status start(const Arguments& arguments, Plant& plant) {
    if (auto started = start_modbus(arguments, plant); !started) return started;
    if (auto started = start_mc(arguments, plant); !started) return started;
    if (auto started = start_opcua(arguments, plant); !started) return started;
    if (auto started = start_mqtt(arguments, plant); !started) return started;
    if (plant.modbus == nullptr && plant.mc == nullptr && plant.opcua.empty() && plant.mqtt == nullptr) {
        return make_error(ErrorKind::kInvalidArgument, "name a device, as in --modbus 127.0.0.1:5020");
    }
    const auto all = [&](const std::string& line) -> Status {
        const auto answer = nlohmann::json::parse(plant.execute(line));
        if (answer["ok"].get<bool>()) return {};
        return make_error(ErrorKind::kInvalidArgument, "--fault: " + answer["error"].get<std::string>());
    };
    if (arguments.delay_ms != 0) {
        const auto delay = nlohmann::json{{"delay_ms", arguments.delay_ms}}.dump();
        if (plant.modbus != nullptr) plant.modbus->execute(delay);
        if (plant.mc != nullptr) plant.mc->execute(delay);
    }
    for (const auto& fault : arguments.faults) {
        if (auto set = all(fault); !set) return set;
    }
    if (arguments.control.empty()) return {};
    const auto control = listen_address(arguments.control, kModbusPort);
    if (!control) return control.error();
    plant.control =
        std::make_unique<ControlServer>([&plant](std::string_view line) { return plant.execute(line); });
    return plant.control->start(control->host, control->port);
}

}  // namespace

int simulate_main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Mock devices for demos, tests and benchmarks.", "fieldwarden simulate"};
    app.add_option("--modbus", arguments.modbus, "Modbus TCP device at HOST:PORT; port 0 takes a free one");
    app.add_option("--modbus-rtu-tcp", arguments.modbus_rtu_tcp, "Modbus RTU over TCP device at HOST:PORT");
    app.add_option("--modbus-rtu", arguments.modbus_rtu,
                   "Modbus RTU devices on the serial port PATH; where nothing is yet, a pseudo terminal is "
                   "made and linked there");
    app.add_option("--mc", arguments.mc, "Mitsubishi PLC that takes 3E and 4E frames, at HOST:PORT");
    app.add_option("--mc-1e", arguments.mc_1e, "Mitsubishi PLC that takes 1E frames, at HOST:PORT");
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
    app.add_option("--devices", arguments.devices, "devices on consecutive ports, for each of them")
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

    // Blocked before the serving threads exist, so that they inherit it and sigwait below gets the signals.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    Plant plant;
    if (const auto started = start(arguments, plant); !started) {
        fmt::print(stderr, "fieldwarden simulate: {}\n", started.error().message);
        return started.error().kind == ErrorKind::kInvalidArgument ? kUsage : kFailed;
    }
    // Modbus devices are counted through the three kinds, in this order.
    const auto ports = plant.modbus != nullptr ? plant.modbus->ports() : std::vector<std::uint16_t>{};
    const auto tcp_end =
        ports.begin() + static_cast<std::ptrdiff_t>(arguments.modbus.size() * arguments.devices);
    const auto rtu_end = ports.end() - static_cast<std::ptrdiff_t>(arguments.modbus_rtu.size());
    nlohmann::json ready{{"ready", true},
                         {"modbus", std::vector(ports.begin(), tcp_end)},
                         {"modbus_rtu_tcp", std::vector(tcp_end, rtu_end)},
                         {"modbus_rtu", arguments.modbus_rtu},
                         {"control", nullptr}};
    if (plant.mc != nullptr) ready["mc"] = plant.mc->ports();
    for (const auto& server : plant.opcua) {
        ready["opcua"].push_back(server->port());
        if (server->control_port() != 0) ready["opcua_control"] = server->control_port();
    }
    if (plant.mqtt != nullptr) ready["mqtt_broker"] = arguments.mqtt_broker;
    if (plant.control != nullptr) ready["control"] = plant.control->port();
    fmt::print("{}\n", ready.dump());
    std::fflush(stdout);

    int signal = 0;
    sigwait(&signals, &signal);
    return kStopped;
}

}  // namespace fieldwarden::simulator
