// Mitsubishi MC over 3E frames, binary, against the simulator.
#include <fmt/format.h>

#include "bench/drivers/rows.h"
#include "tests/simulator/mc/mc_simulator.h"

namespace fieldwarden::bench {

namespace {

constexpr unsigned kFloatsPerRequest = 480;  // 960 words, what a batch read takes (SH-080008, 0401)
constexpr unsigned kFirstWord = 2;           // where the simulator's floats begin
constexpr std::uint8_t kDeviceD = 0xA8;

std::string serve(unsigned) {
    simulator::mc::SimulatorOptions options;
    options.static_values = true;
    // Lives as long as the process.
    auto* simulator = new simulator::mc::McSimulator{options};
    return simulator->start() ? fmt::format("127.0.0.1:{}", simulator->port()) : std::string{};
}

DeviceConfig device(const std::string& address, unsigned points) {
    DeviceConfig config;
    config.device_code = "BENCH";
    config.protocol = Protocol::kMitsubishiMc;
    config.address = address;
    for (unsigned i = 0; i < points; ++i) {
        PointConfig point;
        point.id = i + 1;
        point.point_code = fmt::format("P{}", i);
        point.address = fmt::format("D{}", kFirstWord + 2 * i);
        point.data_type = {BaseType::kFloat32, 0};
        config.points.push_back(point);
    }
    return config;
}

std::vector<Exchange> exchanges(unsigned points) {
    std::vector<Exchange> out;
    for (unsigned first = 0; first < points; first += kFloatsPerRequest) {
        const unsigned words = 2 * std::min(kFloatsPerRequest, points - first);
        const unsigned number = kFirstWord + 2 * first;
        // Subheader, route, length from the timer on, timer, command 0401, subcommand 0000, number, code,
        // count.
        std::vector<std::uint8_t> frame{0x50, 0, 0, 0xFF, 0xFF, 0x03, 0, 0x0C, 0, 0x10, 0, 0x01, 0x04, 0, 0};
        for (const unsigned byte :
             {number & 0xFF, number >> 8 & 0xFF, number >> 16, unsigned{kDeviceD}, words & 0xFF, words >> 8})
            frame.push_back(static_cast<std::uint8_t>(byte));
        out.push_back({std::move(frame), 11 + 2 * words});
    }
    return out;
}

}  // namespace

std::vector<Row> mc_rows() {
    return {{.name = "Mitsubishi MC (3E binary)",
             .serve = serve,
             .device = device,
             .plain = [](const std::string& address, unsigned points) {
                 return make_plain_tcp(address, exchanges(points));
             }}};
}

}  // namespace fieldwarden::bench
