#include "tests/simulator/simulate.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/device_options.h"
#include "tests/simulator/modbus/modbus_simulator.h"

namespace fieldwarden::simulator {

namespace {

constexpr int kStopped = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Arguments {
    std::vector<std::string> modbus;
    std::vector<std::string> modbus_rtu;
    std::vector<std::string> modbus_rtu_tcp;
    unsigned devices = 1;
    std::string units;
    std::uint32_t size = 65536;
    bool static_values = false;
    std::string control;
    std::uint32_t delay_ms = 0;
    std::vector<std::string> faults;
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
    options.serial = arguments.modbus_rtu;
    bool first = true;
    const auto add_ports = [&](const std::vector<std::string>& texts,
                               std::vector<std::uint16_t>& ports) -> Status {
        for (const auto& text : texts) {
            const auto address = listen_address(text);
            if (!address) return address.error();
            if (!first && options.host != address->host) {
                return make_error(ErrorKind::kInvalidArgument,
                                  fmt::format("'{}': all Modbus devices listen on one address, here {}", text,
                                              options.host));
            }
            first = false;
            options.host = address->host;
            for (unsigned i = 0; i < arguments.devices; ++i) {
                const unsigned port = address->port == 0 ? 0 : address->port + i;
                if (port > 65535)
                    return make_error(ErrorKind::kInvalidArgument, "the ports would pass 65535");
                ports.push_back(static_cast<std::uint16_t>(port));
            }
        }
        return {};
    };
    if (const auto added = add_ports(arguments.modbus, options.ports); !added) return added.error();
    if (const auto added = add_ports(arguments.modbus_rtu_tcp, options.rtu_ports); !added)
        return added.error();
    const auto device_count = options.ports.size() + options.rtu_ports.size() + options.serial.size();
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

}  // namespace

int simulate_main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Mock devices for demos, tests and benchmarks.", "fieldwarden simulate"};
    app.add_option("--modbus", arguments.modbus, "Modbus TCP device at HOST:PORT; port 0 takes a free one");
    app.add_option("--modbus-rtu-tcp", arguments.modbus_rtu_tcp, "Modbus RTU over TCP device at HOST:PORT");
    app.add_option("--modbus-rtu", arguments.modbus_rtu,
                   "Modbus RTU devices on the serial port PATH; where nothing is yet, a pseudo terminal is "
                   "made and linked there");
    app.add_option("--devices", arguments.devices, "devices on consecutive ports, for each HOST:PORT")
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

    if (arguments.modbus.empty() && arguments.modbus_rtu.empty() && arguments.modbus_rtu_tcp.empty()) {
        fmt::print(stderr, "fieldwarden simulate: name a device, as in --modbus 127.0.0.1:5020\n");
        return kUsage;
    }

    // Blocked before the serving threads exist, so that they inherit it and sigwait below gets the signals.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    const auto started = start_modbus(arguments);
    if (!started) {
        fmt::print(stderr, "fieldwarden simulate: {}\n", started.error().message);
        return started.error().kind == ErrorKind::kInvalidArgument ? kUsage : kFailed;
    }
    const auto& simulator = **started;
    const auto& ports = simulator.ports();
    const auto tcp_end =
        ports.begin() + static_cast<std::ptrdiff_t>(arguments.modbus.size() * arguments.devices);
    const auto rtu_end = ports.end() - static_cast<std::ptrdiff_t>(arguments.modbus_rtu.size());
    nlohmann::json ready{{"ready", true},
                         {"modbus", std::vector(ports.begin(), tcp_end)},
                         {"modbus_rtu_tcp", std::vector(tcp_end, rtu_end)},
                         {"modbus_rtu", arguments.modbus_rtu},
                         {"control", nullptr}};
    if (simulator.control_port() != 0) ready["control"] = simulator.control_port();
    fmt::print("{}\n", ready.dump());
    std::fflush(stdout);

    int signal = 0;
    sigwait(&signals, &signal);
    return kStopped;
}

}  // namespace fieldwarden::simulator
